//! The native heap: a pickle's objects as a graph, with nothing run and nothing looked up.
//!
//! Builtin values become nodes; all else becomes an [`Object`] that says how it was made and what
//! was done to it. Nodes refer to each other by [`NodeId`], so what was one object is one node, and
//! cycles are no special case. No function here recurses: depth costs memory, not stack.
//!
//! It is not a Python: sets and dicts hold what the pickle puts in, in its order, without comparing
//! keys.

use std::borrow::Cow;
use std::ops::Index;
use std::vec::Drain;

use crate::error::{Error, ErrorKind};
use crate::heap::Heap;
use crate::machine::Machine;
use crate::memo::Memo;
use crate::number::{Integer, parse_int};
use crate::reader::{Reader, SliceSource};
use crate::text::{
    c_str, check_utf8, escape_decode, from_latin1, raw_unicode_escape, repr_line, repr_str,
};

/// A node's number in its [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

/// One value of a pickle.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Node<'a> {
    /// `None`
    None,
    /// `True` or `False`
    Bool(bool),
    /// An integer that fits.
    Int(i64),
    /// One that does not: little-endian two's complement, no byte more than needed.
    BigInt(Box<[u8]>),
    /// A float.
    Float(f64),
    /// Text.
    Str(Text),
    /// A string of Python 2, of which nobody knows whether it is text.
    OldStr(Box<[u8]>),
    /// Bytes, borrowed from the pickle.
    Bytes(&'a [u8]),
    /// A bytearray, borrowed from the pickle.
    ByteArray(&'a [u8]),
    /// The so-manieth out-of-band buffer.
    Buffer(u32),
    /// A read-only view of a buffer.
    ReadonlyBuffer(NodeId),
    /// A tuple.
    Tuple(Box<[NodeId]>),
    /// A list.
    List(Vec<NodeId>),
    /// A dict: keys and values as they came; of equal keys the last counts.
    Dict(Vec<(NodeId, NodeId)>),
    /// A set: items as they came.
    Set(Vec<NodeId>),
    /// A frozenset: items as they came.
    FrozenSet(Box<[NodeId]>),
    /// All else.
    Object(Box<Object>),
}

/// A value that only code could make: how, and what was done to it then.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// How it is made.
    pub made: Made,
    /// What is done to it, in this order.
    pub effects: Vec<Effect>,
}

/// How an [`Object`] is made.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Made {
    /// It is a global: GLOBAL, STACK_GLOBAL.
    Global {
        /// The module's name.
        module: NodeId,
        /// The qualified name within the module.
        name: NodeId,
    },
    /// It is registered for this extension code: EXT1, EXT2, EXT4.
    Extension(i64),
    /// It has this persistent id: PERSID, BINPERSID.
    Persistent(NodeId),
    /// `callable(*args)`: REDUCE.
    Call {
        /// What is called.
        callable: NodeId,
        /// A tuple, if the pickle is well made.
        args: NodeId,
    },
    /// `cls.__new__(cls, *args, **kwargs)`: NEWOBJ, NEWOBJ_EX.
    New {
        /// The class.
        cls: NodeId,
        /// A tuple, if the pickle is well made.
        args: NodeId,
        /// A dict, if the pickle is well made.
        kwargs: Option<NodeId>,
    },
    /// An instance of an old class: INST, OBJ.
    Inst {
        /// The class.
        cls: NodeId,
        /// The arguments.
        args: Box<[NodeId]>,
    },
}

/// What is done to an [`Object`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// It gets this state: BUILD.
    Build(NodeId),
    /// An item is appended: APPEND, APPENDS.
    Append(NodeId),
    /// A value is stored under a key: SETITEM, SETITEMS.
    SetItem(NodeId, NodeId),
    /// An item is added: ADDITEMS.
    Add(NodeId),
}

/// Python text: UTF-8 in which lone surrogates may stand.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text(Box<[u8]>);

impl Text {
    /// The text, unless it has lone surrogates.
    pub fn to_str(&self) -> Option<&str> {
        str::from_utf8(&self.0).ok()
    }

    /// The text, U+FFFD for what is lone.
    pub fn to_string_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// The bytes: Python's `utf-8` with `surrogatepass`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The objects of a pickle.
///
/// ```
/// use halfsour::graph::{self, Effect, Made, Node};
///
/// // Two references to one instance of `app.Point`, with x = 1.
/// let graph = halfsour::load(b"\x80\x02capp\nPoint\n)\x81q\0}U\x01xK\x01sbh\0\x86.")?;
/// let Node::Tuple(items) = &graph[graph.root()] else { panic!() };
/// assert_eq!(items[0], items[1]);
/// let Node::Object(point) = &graph[items[0]] else { panic!() };
/// assert!(matches!(point.made, Made::New { kwargs: None, .. }));
/// assert!(matches!(point.effects[..], [Effect::Build(_)]));
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Graph<'a> {
    nodes: Vec<Node<'a>>,
    root: NodeId,
}

impl<'a> Graph<'a> {
    /// What was pickled.
    pub fn root(&self) -> NodeId {
        self.root
    }

    /// All nodes, also those that the root does not reach.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, &Node<'a>)> {
        (0..).map(NodeId).zip(&self.nodes)
    }

    /// The nodes to which a node refers.
    pub fn children(&self, id: NodeId) -> Vec<NodeId> {
        match &self[id] {
            Node::ReadonlyBuffer(buffer) => vec![*buffer],
            Node::Tuple(items) | Node::FrozenSet(items) => items.to_vec(),
            Node::List(items) | Node::Set(items) => items.clone(),
            Node::Dict(entries) => entries.iter().flat_map(|&(key, value)| [key, value]).collect(),
            Node::Object(object) => object.children(),
            _ => Vec::new(),
        }
    }
}

impl Object {
    fn children(&self) -> Vec<NodeId> {
        let mut children = match &self.made {
            Made::Global { module, name } => vec![*module, *name],
            Made::Extension(_) => Vec::new(),
            Made::Persistent(pid) => vec![*pid],
            Made::Call { callable, args } => vec![*callable, *args],
            Made::New { cls, args, kwargs } => [*cls, *args].into_iter().chain(*kwargs).collect(),
            Made::Inst { cls, args } => [*cls].into_iter().chain(args.iter().copied()).collect(),
        };
        for effect in &self.effects {
            match *effect {
                Effect::Build(node) | Effect::Append(node) | Effect::Add(node) => {
                    children.push(node);
                }
                Effect::SetItem(key, value) => children.extend([key, value]),
            }
        }
        children
    }
}

impl<'a> Index<NodeId> for Graph<'a> {
    type Output = Node<'a>;

    /// The node of a number that this graph gave.
    fn index(&self, id: NodeId) -> &Node<'a> {
        &self.nodes[id.0 as usize]
    }
}

/// Reads a pickle into a graph. What follows the pickle is ignored, as `pickle.loads` does.
///
/// # Errors
/// What is wrong with the pickle, and where. Frames are enforced, as the newest CPython does; names
/// are not looked up, so that no pickle fails for a class that is not there.
///
/// ```
/// use halfsour::graph::Node;
/// let graph = halfsour::load(b"(lp0\ng0\na.")?;
/// let list = graph.root();
/// assert_eq!(graph[list], Node::List(vec![list])); // it holds itself
/// # Ok::<(), halfsour::Error>(())
/// ```
pub fn load(data: &[u8]) -> Result<Graph<'_>, Error> {
    load_next(&mut Reader::new(SliceSource::new(data)))
}

/// Reads the next of several pickles, each with its own memo.
///
/// # Errors
/// As [`load`].
///
/// ```
/// use halfsour::{Reader, SliceSource, graph};
/// let mut reader = Reader::new(SliceSource::new(b"N.K\x07."));
/// graph::load_next(&mut reader)?;
/// assert_eq!(reader.source().rest(), b"K\x07.");
/// # Ok::<(), halfsour::Error>(())
/// ```
pub fn load_next<'a>(reader: &mut Reader<SliceSource<'a>>) -> Result<Graph<'a>, Error> {
    let mut builder = Builder::new();
    match Machine::new().run(reader, &mut builder) {
        Ok(root) => Ok(Graph { nodes: builder.nodes, root }),
        Err(error) => Err(error.at(reader.start()).of(reader.opcode())),
    }
}

/// The heap that makes a graph's nodes.
struct Builder<'a> {
    nodes: Vec<Node<'a>>,
    memo: Memo<NodeId>,
    buffers: u32,
}

/// Values of which Python has but one.
const NONE: NodeId = NodeId(0);
const FALSE: NodeId = NodeId(1);
const TRUE: NodeId = NodeId(2);
const EMPTY_TUPLE: NodeId = NodeId(3);

type Added = Result<NodeId, Error>;
type Done = Result<(), Error>;

impl<'a> Builder<'a> {
    fn new() -> Builder<'a> {
        let nodes =
            vec![Node::None, Node::Bool(false), Node::Bool(true), Node::Tuple(Box::default())];
        Builder { nodes, memo: Memo::new(false), buffers: 0 }
    }

    fn add(&mut self, node: Node<'a>) -> Added {
        let id = u32::try_from(self.nodes.len()).map_err(|_| ErrorKind::TooManyObjects)?;
        self.nodes.push(node);
        Ok(NodeId(id))
    }

    fn add_object(&mut self, made: Made) -> Added {
        self.add(Node::Object(Box::new(Object { made, effects: Vec::new() })))
    }

    fn add_integer(&mut self, value: Integer) -> Added {
        self.add(match value {
            Integer::Small(value) => Node::Int(value),
            Integer::Big(bytes) => Node::BigInt(bytes),
        })
    }

    fn node(&mut self, id: NodeId) -> &mut Node<'a> {
        &mut self.nodes[id.0 as usize]
    }
}

fn wrong(needs: &'static str) -> Done {
    Err(ErrorKind::WrongType { needs }.into())
}

fn pairs(mut items: Drain<'_, NodeId>) -> Vec<(NodeId, NodeId)> {
    std::iter::from_fn(|| items.next().zip(items.next())).collect()
}

impl<'a> Heap<SliceSource<'a>> for Builder<'a> {
    type Value = NodeId;

    fn with_memo<R>(&mut self, f: impl FnOnce(&mut Memo<NodeId>) -> R) -> R {
        f(&mut self.memo)
    }

    fn none(&mut self) -> Added {
        Ok(NONE)
    }

    fn bool(&mut self, value: bool) -> Added {
        Ok(if value { TRUE } else { FALSE })
    }

    fn int(&mut self, value: i64) -> Added {
        self.add(Node::Int(value))
    }

    fn int_line(&mut self, line: &[u8]) -> Added {
        match line {
            b"00" => Ok(FALSE),
            b"01" => Ok(TRUE),
            _ => {
                let value = parse_int(c_str(line)).map_err(|_| ErrorKind::BadInt)?;
                self.add_integer(value)
            }
        }
    }

    fn long_line(&mut self, line: &[u8]) -> Added {
        let text = c_str(line.strip_suffix(b"L").unwrap_or(line));
        let value = parse_int(text).map_err(|error| {
            ErrorKind::BadLiteral(error.text(text, |shown| match line {
                [.., b'L'] => repr_str(&from_latin1(shown)),
                _ => repr_line(shown),
            }))
        })?;
        self.add_integer(value)
    }

    fn long(&mut self, bytes: &[u8]) -> Added {
        self.add_integer(Integer::from_le_bytes(bytes))
    }

    fn float(&mut self, value: f64) -> Added {
        self.add(Node::Float(value))
    }

    fn float_line(&mut self, line: &[u8]) -> Added {
        // Stricter than float(): no spaces, no underscores.
        let text = str::from_utf8(c_str(line)).unwrap_or_default();
        let value: f64 = text.parse().map_err(|_| {
            ErrorKind::BadLiteral(format!("could not convert string to float: {}", repr_line(line)))
        })?;
        if value.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit()) {
            let text = format!("value too large to convert to float: {}", repr_line(line));
            return Err(ErrorKind::FloatOverflow(text).into());
        }
        self.add(Node::Float(value))
    }

    fn string_line(&mut self, inner: &[u8]) -> Added {
        let bytes = escape_decode(inner).map_err(ErrorKind::BadLiteral)?;
        self.add(Node::OldStr(bytes.into()))
    }

    fn binstring(&mut self, bytes: &[u8]) -> Added {
        self.add(Node::OldStr(bytes.into()))
    }

    fn unicode_line(&mut self, line: &[u8]) -> Added {
        let text = raw_unicode_escape(line).map_err(ErrorKind::BadText)?;
        self.add(Node::Str(Text(text.into())))
    }

    fn unicode(&mut self, text: &[u8]) -> Added {
        check_utf8(text, true).map_err(ErrorKind::BadText)?;
        self.add(Node::Str(Text(text.into())))
    }

    fn bytes(&mut self, source: &mut SliceSource<'a>, len: usize) -> Added {
        let bytes = source.payload(len)?;
        self.add(Node::Bytes(bytes))
    }

    fn bytearray(&mut self, source: &mut SliceSource<'a>, len: usize) -> Added {
        let bytes = source.payload(len)?;
        self.add(Node::ByteArray(bytes))
    }

    fn next_buffer(&mut self) -> Added {
        let buffer = self.add(Node::Buffer(self.buffers))?;
        self.buffers += 1;
        Ok(buffer)
    }

    fn readonly_buffer(&mut self, buffer: NodeId) -> Added {
        match self.node(buffer) {
            Node::Bytes(_) | Node::ReadonlyBuffer(_) => Ok(buffer),
            Node::Buffer(_) | Node::ByteArray(_) | Node::Object(_) => {
                self.add(Node::ReadonlyBuffer(buffer))
            }
            _ => Err(ErrorKind::WrongType { needs: "__buffer__" }.into()),
        }
    }

    fn empty_tuple(&mut self) -> Added {
        Ok(EMPTY_TUPLE)
    }

    fn empty_list(&mut self) -> Added {
        self.add(Node::List(Vec::new()))
    }

    fn empty_dict(&mut self) -> Added {
        self.add(Node::Dict(Vec::new()))
    }

    fn empty_set(&mut self) -> Added {
        self.add(Node::Set(Vec::new()))
    }

    fn tuple(&mut self, items: Drain<'_, NodeId>) -> Added {
        if items.as_slice().is_empty() {
            return Ok(EMPTY_TUPLE);
        }
        self.add(Node::Tuple(items.collect()))
    }

    fn list(&mut self, items: Drain<'_, NodeId>) -> Added {
        self.add(Node::List(items.collect()))
    }

    fn dict(&mut self, items: Drain<'_, NodeId>) -> Added {
        self.add(Node::Dict(pairs(items)))
    }

    fn frozenset(&mut self, items: Drain<'_, NodeId>) -> Added {
        self.add(Node::FrozenSet(items.collect()))
    }

    fn append(&mut self, list: &NodeId, item: NodeId) -> Done {
        match self.node(*list) {
            Node::List(list) => list.push(item),
            Node::Object(object) => object.effects.push(Effect::Append(item)),
            _ => return wrong("append"),
        }
        Ok(())
    }

    fn extend(&mut self, list: &NodeId, items: Drain<'_, NodeId>) -> Done {
        match self.node(*list) {
            Node::List(list) => list.extend(items),
            Node::Object(object) => object.effects.extend(items.map(Effect::Append)),
            _ => return wrong("append"),
        }
        Ok(())
    }

    fn set_items(&mut self, dict: &NodeId, items: Drain<'_, NodeId>) -> Done {
        match self.node(*dict) {
            Node::Dict(dict) => dict.extend(pairs(items)),
            Node::Object(object) => {
                let entries = pairs(items).into_iter();
                object.effects.extend(entries.map(|(key, value)| Effect::SetItem(key, value)));
            }
            _ if items.as_slice().is_empty() => {}
            _ => return wrong("__setitem__"),
        }
        Ok(())
    }

    fn add_items(&mut self, set: &NodeId, items: Drain<'_, NodeId>) -> Done {
        match self.node(*set) {
            Node::Set(set) => set.extend(items),
            Node::Object(object) => object.effects.extend(items.map(Effect::Add)),
            _ => return wrong("add"),
        }
        Ok(())
    }

    fn name(&mut self, line: &[u8], ascii_only: bool) -> Added {
        let position = line.iter().position(|byte| !byte.is_ascii()).filter(|_| ascii_only);
        match position {
            Some(place) => Err(ErrorKind::BadText(format!(
                "'ascii' codec can't decode byte 0x{:02x} in position {place}: ordinal not in \
                 range(128)",
                line[place]
            ))
            .into()),
            None => {
                check_utf8(line, false).map_err(ErrorKind::BadText)?;
                self.add(Node::Str(Text(line.into())))
            }
        }
    }

    fn is_str(&mut self, value: &NodeId) -> bool {
        // Python's reader makes text of an old string, unless it is told otherwise.
        matches!(self.node(*value), Node::Str(_) | Node::OldStr(_))
    }

    fn find_class(&mut self, module: NodeId, name: NodeId) -> Added {
        self.add_object(Made::Global { module, name })
    }

    fn extension(&mut self, code: i64) -> Added {
        self.add_object(Made::Extension(code))
    }

    fn persid_line(&mut self, line: &[u8]) -> Added {
        if !line.is_ascii() {
            return Err(ErrorKind::PersidNotAscii.into());
        }
        self.add(Node::Str(Text(line.into())))
    }

    fn persistent_load(&mut self, pid: NodeId) -> Added {
        self.add_object(Made::Persistent(pid))
    }

    fn inst(&mut self, cls: NodeId, args: Drain<'_, NodeId>) -> Added {
        self.add_object(Made::Inst { cls, args: args.collect() })
    }

    fn newobj(&mut self, cls: NodeId, args: NodeId) -> Added {
        self.add_object(Made::New { cls, args, kwargs: None })
    }

    fn newobj_ex(&mut self, cls: NodeId, args: NodeId, kwargs: NodeId) -> Added {
        self.add_object(Made::New { cls, args, kwargs: Some(kwargs) })
    }

    fn reduce(&mut self, callable: NodeId, args: NodeId) -> Added {
        self.add_object(Made::Call { callable, args })
    }

    fn build(&mut self, inst: &NodeId, state: NodeId) -> Done {
        match self.node(*inst) {
            Node::Object(object) => object.effects.push(Effect::Build(state)),
            // Python's default does nothing for a state of None; a builtin takes no other.
            _ if state == NONE => {}
            _ => return wrong("__dict__"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hostile pickle may act before it breaks: what it left can be looked at.
    #[test]
    fn failed_load_keeps_its_stack() {
        let mut machine = Machine::new();
        let mut builder = Builder::new();
        let mut reader = Reader::new(SliceSource::new(b"K\x07cos\nsystem\n\0"));
        machine.run(&mut reader, &mut builder).unwrap_err();
        let [seven, system] = machine.stack() else { panic!("{:?}", machine.stack()) };
        assert_eq!(*builder.node(*seven), Node::Int(7));
        assert!(matches!(builder.node(*system), Node::Object(_)));
        let mut reader = Reader::new(SliceSource::new(b"."));
        let error = machine.run(&mut reader, &mut builder).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::StackUnderflow);
    }
}
