//! The native heap: a pickle's objects as a graph, with nothing run and nothing looked up.
//!
//! Builtin values become nodes; all else becomes an [`Object`] that says how it was made and what
//! was done to it. Nodes refer to each other by [`NodeId`], so what was one object is one node, and
//! cycles are no special case. No function here recurses: depth costs memory, not stack.
//!
//! Dicts and sets have Python's keys: `1`, `1.0` and `True` are one key, the first stays, the last
//! value counts, and what Python cannot hash is refused. Refused too is what no pickler writes,
//! though Python would do it: to store into a list or a bytearray by index.

mod ahead;
mod arena;
mod builder;
mod keys;
mod places;
#[cfg(feature = "serde")]
mod show;
#[cfg(feature = "std")]
mod write;

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::num::NonZeroU32;

use crate::error::{Error, ErrorKind};
use crate::limits::Limits;
use crate::machine::Machine;
use crate::memo::Memo;
use crate::reader::{Reader, SliceSource, Source};
use arena::Arena;
#[cfg(feature = "serde")]
use arena::Slot;
use builder::Builder;

/// A node's number in its [`Graph`].
///
/// ```
/// use halfsour::graph::Node;
///
/// // Twice the same list: one node, one number.
/// let graph = halfsour::load(b"]q\0h\0\x86.")?;
/// let Node::Tuple(&[one, other]) = graph.get(graph.root()) else { panic!() };
/// assert_eq!(one, other);
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(NonZeroU32);

impl NodeId {
    const FIRST: NodeId = NodeId(NonZeroU32::MIN);

    /// Its place among all nodes, from 0 on: see [`Graph::iter`].
    ///
    /// ```
    /// // How often each node is referred to.
    /// let graph = halfsour::load(b"]q\0h\0h\0\x87.")?;
    /// let mut references = vec![0; graph.len()];
    /// for (id, _) in graph.iter() {
    ///     graph.children(id).iter().for_each(|child| references[child.index()] += 1);
    /// }
    /// let list = graph.children(graph.root())[0];
    /// assert_eq!(references[list.index()], 3);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline(always)]
    pub fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// One value of a pickle.
///
/// A view: text and bytes are where the graph keeps them, children are numbers.
///
/// ```
/// use halfsour::graph::Node;
///
/// // {"spam": 7}
/// let graph = halfsour::load(b"}\x8c\x04spamK\x07s.")?;
/// let Node::Dict(&[[key, value]]) = graph.get(graph.root()) else { panic!() };
/// assert!(matches!(graph.get(key), Node::Str(text) if text == "spam"));
/// assert_eq!(graph.get(value), Node::Int(7));
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Node<'g> {
    /// `None`
    None,
    /// `True` or `False`
    Bool(bool),
    /// An integer that fits.
    Int(i64),
    /// One that does not: little-endian two's complement, no byte more than needed.
    BigInt(&'g [u8]),
    /// A float.
    Float(f64),
    /// Text.
    Str(Text<'g>),
    /// A string of Python 2, of which nobody knows whether it is text.
    OldStr(&'g [u8]),
    /// Bytes.
    Bytes(&'g [u8]),
    /// A bytearray.
    ByteArray(&'g [u8]),
    /// The so-manieth out-of-band buffer, from 0 on.
    Buffer(u32),
    /// A read-only view of a buffer.
    ReadonlyBuffer(NodeId),
    /// A tuple.
    Tuple(&'g [NodeId]),
    /// A list.
    List(&'g [NodeId]),
    /// A dict: keys with their values, in the order in which Python has them.
    Dict(&'g [[NodeId; 2]]),
    /// A set, in the order of the pickle.
    Set(&'g [NodeId]),
    /// A frozenset, in the order of the pickle.
    FrozenSet(&'g [NodeId]),
    /// All else.
    Object(Object<'g>),
}

/// A value that only code could make: how, and what was done to it then.
///
/// ```
/// use halfsour::graph::{Effect, Made, Node};
///
/// // Stack([7]), of `class Stack(list)`.
/// let graph = halfsour::load(b"capp\nStack\n)\x81K\x07a.")?;
/// let Node::Object(stack) = graph.get(graph.root()) else { panic!() };
/// assert!(matches!(stack.made, Made::New { kwargs: None, .. }));
/// let [Effect::Append(item)] = *stack.effects else { panic!() };
/// assert_eq!(graph.get(item), Node::Int(7));
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Object<'g> {
    /// How it is made.
    pub made: Made<'g>,
    /// What is done to it, in this order.
    pub effects: &'g [Effect],
}

/// How an [`Object`] is made.
///
/// ```
/// use halfsour::graph::{Made, Node};
///
/// // fractions.Fraction(2, 3)
/// let graph = halfsour::load(b"cfractions\nFraction\nK\x02K\x03\x86R.")?;
/// let Node::Object(fraction) = graph.get(graph.root()) else { panic!() };
/// let Made::Call { callable, args } = fraction.made else { panic!() };
/// let Node::Object(class) = graph.get(callable) else { panic!() };
/// let Made::Global { name, .. } = class.made else { panic!() };
/// assert!(matches!(graph.get(name), Node::Str(text) if text == "Fraction"));
/// assert!(matches!(graph.get(args), Node::Tuple([_, _])));
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Made<'g> {
    /// It is a global: GLOBAL, STACK_GLOBAL.
    Global {
        /// The module's name.
        module: NodeId,
        /// The qualified name within the module.
        name: NodeId,
    },
    /// It is registered for this extension code, which is positive: EXT1, EXT2, EXT4.
    Extension(i32),
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
        args: &'g [NodeId],
    },
}

/// What is done to an [`Object`].
///
/// ```
/// use halfsour::graph::{Effect, Node};
///
/// // Table({1: 2}), of `class Table(dict)`, with an attribute.
/// let graph = halfsour::load(b"capp\nTable\n)\x81K\x01K\x02s}\x8c\x04nameNsb.")?;
/// let Node::Object(table) = graph.get(graph.root()) else { panic!() };
/// assert!(matches!(table.effects, [Effect::SetItem(..), Effect::Build(_)]));
/// # Ok::<(), halfsour::Error>(())
/// ```
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
    /// It is handed to a state setter: this node is the call, its arguments are the object and the
    /// state, its result is thrown away. The sixth part of what `__reduce__` may return.
    SetState(NodeId),
}

/// Python text: UTF-8 in which lone surrogates may stand.
///
/// ```
/// use halfsour::graph::Node;
///
/// let graph = halfsour::load(b"\x8c\x04spam.")?;
/// let Node::Str(text) = graph.get(graph.root()) else { panic!() };
/// assert_eq!(text, "spam");
/// assert_eq!(format!("{text:?}"), "'spam'");
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Text<'g>(Known<'g>);

/// What is known of text.
#[derive(Clone, Copy)]
enum Known<'g> {
    /// It may have lone surrogates.
    Unsure(&'g [u8]),
    Utf8(&'g str),
    WithSurrogates(&'g [u8]),
}

impl<'g> Text<'g> {
    /// Text that may have lone surrogates.
    #[inline]
    pub(crate) fn new(text: &'g [u8]) -> Text<'g> {
        Text(Known::Unsure(text))
    }

    /// Text that has no lone surrogates.
    #[inline]
    pub(crate) fn utf8(text: &'g str) -> Text<'g> {
        Text(Known::Utf8(text))
    }

    /// Text that has some.
    #[inline]
    pub(crate) fn with_surrogates(text: &'g [u8]) -> Text<'g> {
        Text(Known::WithSurrogates(text))
    }

    /// The text, unless it has lone surrogates.
    ///
    /// ```
    /// use halfsour::graph::Node;
    ///
    /// let graph = halfsour::load(b"\x8c\x04spam\x8c\x03\xed\xa0\x80\x86.")?; // ("spam", "\ud800")
    /// let texts = graph.iter().filter_map(|(_, node)| match node {
    ///     Node::Str(text) => Some(text.to_str()),
    ///     _ => None,
    /// });
    /// assert_eq!(texts.collect::<Vec<_>>(), [Some("spam"), None]);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn to_str(self) -> Option<&'g str> {
        match self.0 {
            Known::Unsure(text) => str::from_utf8(text).ok(),
            Known::Utf8(text) => Some(text),
            Known::WithSurrogates(_) => None,
        }
    }

    /// The text, U+FFFD for each byte of what is lone.
    ///
    /// ```
    /// use halfsour::graph::Node;
    ///
    /// let graph = halfsour::load(b"\x8c\x04x\xed\xa0\x80.")?; // "x\ud800"
    /// let Node::Str(text) = graph.get(graph.root()) else { panic!() };
    /// assert_eq!(text.to_string_lossy(), "x\u{fffd}\u{fffd}\u{fffd}");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn to_string_lossy(self) -> Cow<'g, str> {
        match self.0 {
            Known::Unsure(text) | Known::WithSurrogates(text) => String::from_utf8_lossy(text),
            Known::Utf8(text) => Cow::Borrowed(text),
        }
    }

    /// The bytes: Python's `utf-8` with `surrogatepass`.
    ///
    /// ```
    /// use halfsour::graph::Node;
    ///
    /// let graph = halfsour::load(b"\x8c\x04x\xed\xa0\x80.")?; // "x\ud800"
    /// let Node::Str(text) = graph.get(graph.root()) else { panic!() };
    /// assert_eq!(text.as_bytes(), b"x\xed\xa0\x80");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn as_bytes(self) -> &'g [u8] {
        match self.0 {
            Known::Unsure(text) | Known::WithSurrogates(text) => text,
            Known::Utf8(text) => text.as_bytes(),
        }
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Text<'_>) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Text<'_> {}

impl Hash for Text<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl PartialOrd for Text<'_> {
    fn partial_cmp(&self, other: &Text<'_>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text<'_> {
    fn cmp(&self, other: &Text<'_>) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Text<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

/// As Python's `repr` shows it.
impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::text::repr_str(self.as_bytes()))
    }
}

/// The objects of a pickle.
///
/// ```
/// use halfsour::graph::{self, Effect, Made, Node};
///
/// // Two references to one instance of `app.Point`, with x = 1.
/// let graph = halfsour::load(b"\x80\x02capp\nPoint\n)\x81q\0}U\x01xK\x01sbh\0\x86.")?;
/// let Node::Tuple(items) = graph.get(graph.root()) else { panic!() };
/// assert_eq!(items[0], items[1]);
/// let Node::Object(point) = graph.get(items[0]) else { panic!() };
/// assert!(matches!(point.made, Made::New { kwargs: None, .. }));
/// assert!(matches!(point.effects[..], [Effect::Build(_)]));
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Graph<'a> {
    arena: Arena<'a>,
    root: NodeId,
    /// The protocol that PROTO names, else 0.
    protocol: u8,
    /// Where in the input the pickle begins.
    start: u64,
    /// What the pickle put into the memo: writing it again does the same.
    memo: Memo<NodeId>,
}

impl<'a> Graph<'a> {
    /// What was pickled.
    ///
    /// ```
    /// use halfsour::graph::Node;
    ///
    /// let graph = halfsour::load(b"K\x01K\x02\x86.")?;
    /// assert!(matches!(graph.get(graph.root()), Node::Tuple([_, _])));
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn root(&self) -> NodeId {
        self.root
    }

    /// The protocol of the pickle that was read, as it says itself; 0 where it says none, as those
    /// of protocols 0 and 1.
    ///
    /// ```
    /// assert_eq!(halfsour::load(b"\x80\x04N.")?.protocol(), 4);
    /// assert_eq!(halfsour::load(b"(lp0\n.")?.protocol(), 0);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn protocol(&self) -> u8 {
        self.protocol
    }

    /// The nodes that the pickle put into the memo.
    fn memoized(&self) -> impl Iterator<Item = NodeId> {
        self.memo.values().copied()
    }

    /// The node of a number that this graph gave.
    ///
    /// # Panics
    /// Perhaps, if the number is of another graph.
    ///
    /// ```
    /// use halfsour::graph::Node;
    ///
    /// let graph = halfsour::load(b"]K\x07a.")?;
    /// let Node::List(&[item]) = graph.get(graph.root()) else { panic!() };
    /// assert_eq!(graph.get(item), Node::Int(7));
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline(always)]
    pub fn get(&self, id: NodeId) -> Node<'_> {
        self.arena.node(id)
    }

    /// The bytes of a node's text, bytes or large integer, for as long as the pickle lives: if they
    /// are in it, and not in a copy because the pickle writes them with escapes, or was read from a
    /// stream.
    ///
    /// ```
    /// let data = b"\x8c\x04spam.".to_vec();
    /// let text = {
    ///     let graph = halfsour::load(&data)?;
    ///     graph.borrowed(graph.root())
    /// };
    /// assert_eq!(text, Some(b"spam".as_slice()));
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn borrowed(&self, id: NodeId) -> Option<&'a [u8]> {
        self.arena.borrowed(id)
    }

    /// A node's text, if it is text that Rust can hold.
    #[inline]
    pub(crate) fn utf8(&self, id: NodeId) -> Option<&str> {
        self.arena.utf8(id)
    }

    /// The same, if it is in the pickle as it is.
    #[inline]
    pub(crate) fn borrowed_utf8(&self, id: NodeId) -> Option<&'a str> {
        self.arena.borrowed_utf8(id)
    }

    /// How many bytes text and bytes can be in.
    pub(crate) fn text_size(&self) -> usize {
        self.arena.text_size()
    }

    /// How many nodes there are, also those that the root does not reach.
    ///
    /// ```
    /// // What the root reaches.
    /// let graph = halfsour::load(b"K\x090K\x07K\x08\x86.")?; // The 9 is thrown away.
    /// let (mut todo, mut reached) = (vec![graph.root()], vec![false; graph.len()]);
    /// while let Some(id) = todo.pop() {
    ///     if !std::mem::replace(&mut reached[id.index()], true) {
    ///         todo.extend(graph.children(id));
    ///     }
    /// }
    /// assert_eq!(reached.iter().filter(|reached| **reached).count(), 3);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[allow(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.arena.len()
    }

    /// How many nodes there are, and references between them: what a walk through all of it visits.
    pub(crate) fn size(&self) -> usize {
        self.arena.size()
    }

    /// All nodes, also those that the root does not reach.
    ///
    /// ```
    /// use halfsour::graph::Node;
    ///
    /// let graph = halfsour::load(b"](K\x01\x8c\x04spamK\x02e.")?;
    /// let ints = graph.iter().filter_map(|(_, node)| match node {
    ///     Node::Int(value) => Some(value),
    ///     _ => None,
    /// });
    /// assert_eq!(ints.collect::<Vec<_>>(), [1, 2]);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, Node<'_>)> {
        let ids = (1..=self.arena.len() as u32).filter_map(NonZeroU32::new).map(NodeId);
        ids.map(|id| (id, self.get(id)))
    }

    /// The nodes to which a node refers.
    ///
    /// ```
    /// use halfsour::graph::Node;
    ///
    /// // {"x": 7}
    /// let graph = halfsour::load(b"}\x8c\x01xK\x07s.")?;
    /// let [key, value] = graph.children(graph.root())[..] else { panic!() };
    /// assert!(matches!(graph.get(key), Node::Str(text) if text == "x"));
    /// assert_eq!(graph.get(value), Node::Int(7));
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn children(&self, id: NodeId) -> Vec<NodeId> {
        match self.get(id) {
            Node::ReadonlyBuffer(buffer) => vec![buffer],
            Node::Tuple(items) | Node::FrozenSet(items) | Node::List(items) | Node::Set(items) => {
                items.to_vec()
            }
            Node::Dict(entries) => entries.as_flattened().to_vec(),
            Node::Object(object) => object.children(),
            _ => Vec::new(),
        }
    }
}

/// Short cuts for those who know what to expect; [`get`](Graph::get) tells the rest.
#[cfg(feature = "serde")]
impl<'a> Graph<'a> {
    #[inline(always)]
    pub(crate) fn is_none(&self, id: NodeId) -> bool {
        matches!(self.arena.slot(id), Slot::None)
    }

    #[inline(always)]
    pub(crate) fn int(&self, id: NodeId) -> Option<i64> {
        match self.arena.slot(id) {
            Slot::Int(value) => Some(value),
            _ => None,
        }
    }

    #[inline(always)]
    pub(crate) fn float(&self, id: NodeId) -> Option<f64> {
        match self.arena.slot(id) {
            Slot::Float(value) => Some(value),
            _ => None,
        }
    }

    /// Whether a node is text.
    #[inline(always)]
    pub(crate) fn is_text(&self, id: NodeId) -> bool {
        matches!(self.arena.slot(id), Slot::Str(_))
    }

    /// What is in a tuple, a list or a set.
    #[inline(always)]
    pub(crate) fn items(&self, id: NodeId) -> Option<&[NodeId]> {
        match self.arena.slot(id) {
            Slot::Tuple(run) | Slot::List(run) | Slot::Set(run) | Slot::FrozenSet(run) => {
                Some(self.arena.ids(run))
            }
            _ => None,
        }
    }

    /// What is in a dict.
    #[inline(always)]
    pub(crate) fn entries(&self, id: NodeId) -> Option<&[[NodeId; 2]]> {
        match self.arena.slot(id) {
            Slot::Dict(run) => Some(self.arena.pairs(run)),
            _ => None,
        }
    }
}

impl Object<'_> {
    fn children(&self) -> Vec<NodeId> {
        let mut children = match self.made {
            Made::Global { module, name } => vec![module, name],
            Made::Extension(_) => Vec::new(),
            Made::Persistent(pid) => vec![pid],
            Made::Call { callable, args } => vec![callable, args],
            Made::New { cls, args, kwargs } => [cls, args].into_iter().chain(kwargs).collect(),
            Made::Inst { cls, args } => [cls].into_iter().chain(args.iter().copied()).collect(),
        };
        for effect in self.effects {
            match *effect {
                Effect::Build(node)
                | Effect::Append(node)
                | Effect::Add(node)
                | Effect::SetState(node) => children.push(node),
                Effect::SetItem(key, value) => children.extend([key, value]),
            }
        }
        children
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
/// assert_eq!(graph.get(list), Node::List(&[list])); // it holds itself
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
    load_within(reader, Limits::default())
}

/// As [`load_next`], with limits.
///
/// # Errors
/// As [`load`], and [`ErrorKind::Limit`].
///
/// ```
/// use halfsour::{Limits, Reader, SliceSource, graph};
/// let mut reader = Reader::new(SliceSource::new(b"(NNNNNt."));
/// let error = graph::load_within(&mut reader, Limits::default().opcodes(5)).unwrap_err();
/// assert_eq!(error.to_string(), "more than the limit of 5 (opcodes)");
/// ```
pub fn load_within<'a>(
    reader: &mut Reader<SliceSource<'a>>,
    limits: Limits,
) -> Result<Graph<'a>, Error> {
    let pickle = reader.source().rest();
    build(reader, Arena::new(pickle), limits)
}

/// Reads a pickle from a stream, and no further than its STOP.
///
/// # Errors
/// As [`load`], and [`ErrorKind::Io`].
///
/// ```
/// let mut file: &[u8] = b"K\x07.and so on";
/// let graph = halfsour::load_from(&mut file)?;
/// assert_eq!(graph.get(graph.root()), halfsour::graph::Node::Int(7));
/// assert_eq!(file, b"and so on");
/// # Ok::<(), halfsour::Error>(())
/// ```
#[cfg(feature = "std")]
pub fn load_from(input: impl std::io::BufRead) -> Result<Graph<'static>, Error> {
    load_stream(&mut Reader::new(crate::StreamSource::new(input)), Limits::default())
}

/// As [`load_within`], from a stream, or any other source. Text and bytes are copied.
///
/// # Errors
/// As [`load_within`], and [`ErrorKind::Io`].
///
/// ```
/// use halfsour::{Limits, Reader, StreamSource, graph};
/// let mut reader = Reader::new(StreamSource::new(b"N.K\x07.".as_slice()));
/// graph::load_stream(&mut reader, Limits::default())?;
/// let second = graph::load_stream(&mut reader, Limits::default())?;
/// assert_eq!(second.get(second.root()), graph::Node::Int(7));
/// # Ok::<(), halfsour::Error>(())
/// ```
pub fn load_stream<S: Source<Error = Error>>(
    reader: &mut Reader<S>,
    limits: Limits,
) -> Result<Graph<'static>, Error> {
    build(reader, Arena::new(&[]), limits)
}

fn build<'a, S: Source<Error = Error>>(
    reader: &mut Reader<S>,
    arena: Arena<'a>,
    limits: Limits,
) -> Result<Graph<'a>, Error> {
    let start = reader.source().offset();
    let mut builder = Builder::new(arena, limits, start)?;
    match Machine::new().run(reader, &mut builder) {
        Ok(root) => Ok(builder.into_graph(root, start)),
        // The limit was reached before an opcode, not by it.
        Err(error) if matches!(error.kind(), ErrorKind::Limit { .. }) => Err(error),
        Err(error) => Err(error.at(reader.start()).of(reader.opcode())),
    }
}
