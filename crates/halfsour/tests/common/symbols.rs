//! The notation of `python/symbols.py` for what is in a pickle, and when two say the same.

use std::collections::HashMap;

use halfsour::graph::{self, Effect, Made, Node};
use halfsour::{Error, ErrorKind, Exception, Graph, NodeId, Opcode, Reader, Rules, SliceSource};

/// What `_pickle` makes of each pickle, in a notation that keeps types and identity.
pub(crate) const SCRIPT: &str =
    concat!(include_str!("../python/symbol.py"), include_str!("../python/symbols.py"));

/// What the root reaches; or what there is no notation for, since Python would refuse it.
pub(crate) fn show(graph: &Graph<'_>) -> Result<String, String> {
    Show { graph, seen: HashMap::new(), keys: HashMap::new() }.show(graph.root())
}

/// Recursive, since the cases are shallow.
struct Show<'a> {
    graph: &'a Graph<'a>,
    seen: HashMap<NodeId, usize>,
    keys: HashMap<NodeId, String>,
}

/// How children are told of.
type Child<'a> = fn(&mut Show<'a>, NodeId) -> Result<String, String>;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl<'a> Show<'a> {
    fn all(
        &mut self,
        name: &str,
        ids: impl IntoIterator<Item = NodeId>,
        child: Child<'a>,
    ) -> Result<String, String> {
        let texts: Result<Vec<String>, String> =
            ids.into_iter().map(|id| child(self, id)).collect();
        Ok(format!("{name}({})", texts?.join(" ")))
    }

    /// What a call passes: Python takes the tuple apart.
    fn args(&self, args: NodeId) -> Result<&'a [NodeId], String> {
        match self.graph.get(args) {
            Node::Tuple(items) => Ok(items),
            other => Err(format!("args are no tuple but {other:?}")),
        }
    }

    /// The notation of what holds nothing, and has no identity.
    fn atom(&mut self, id: NodeId) -> Result<Option<String>, String> {
        Ok(Some(match self.graph.get(id) {
            Node::None => "None".into(),
            Node::Bool(value) => if value { "True" } else { "False" }.into(),
            Node::Int(value) => {
                let significant = (0..8).find(|n| value == value << (56 - 8 * n) >> (56 - 8 * n));
                format!("int:{}", hex(&value.to_le_bytes()[..=significant.unwrap()]))
            }
            Node::BigInt(bytes) => format!("int:{}", hex(bytes)),
            Node::Float(value) => format!("float:{:016x}", value.to_bits()),
            Node::Str(text) => format!("str:{}", hex(text.as_bytes())),
            Node::OldStr(bytes) => {
                let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
                format!("str:{}", hex(text.as_bytes()))
            }
            Node::Bytes(bytes) => format!("bytes:{}", hex(bytes)),
            Node::Tuple([]) => "tuple()".into(),
            Node::Object(object) => match object.made {
                Made::Global { module, name } => self.all("global", [module, name], Show::show)?,
                _ => return Ok(None),
            },
            _ => return Ok(None),
        }))
    }

    /// What a set's items are sorted by: a hash (FNV) of all they hold, in whatever order they are met.
    fn key(&mut self, id: NodeId) -> Result<String, String> {
        if let Some(key) = self.keys.get(&id) {
            return Ok(key.clone());
        }
        self.keys.insert(id, "#".into()); // It holds itself.
        let text = match self.atom(id)? {
            Some(text) => text,
            None => self.notation(id, Show::key)?,
        };
        let hash = text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
        let key = format!("{hash:016x}");
        self.keys.insert(id, key.clone());
        Ok(key)
    }

    fn show(&mut self, id: NodeId) -> Result<String, String> {
        if let Some(text) = self.atom(id)? {
            return Ok(text);
        }
        if let Some(number) = self.seen.get(&id) {
            return Ok(format!("#{number}"));
        }
        self.seen.insert(id, self.seen.len());
        self.notation(id, Show::show)
    }

    fn set(&mut self, name: &str, ids: &[NodeId], child: Child<'a>) -> Result<String, String> {
        let keyed: Result<Vec<(String, NodeId)>, String> =
            ids.iter().map(|&id| Ok((self.key(id)?, id))).collect();
        let mut keyed = keyed?;
        keyed.sort_by(|(one, _), (other, _)| one.cmp(other));
        let texts: Result<Vec<String>, String> = keyed
            .chunk_by(|(one, _), (other, _)| one == other)
            .map(|twins| match twins {
                [(_, id)] => child(self, *id),
                // Of items that hold the same nobody knows which is which.
                [(key, _), ..] => Ok(vec![key.as_str(); twins.len()].join(" ")),
                [] => Ok(String::new()),
            })
            .collect();
        Ok(format!("{name}({})", texts?.join(" ")))
    }

    /// What a node is, with what `child` says of all that it holds.
    fn notation(&mut self, id: NodeId, child: Child<'a>) -> Result<String, String> {
        let graph = self.graph;
        match graph.get(id) {
            Node::ByteArray(bytes) => Ok(format!("bytearray:{}", hex(bytes))),
            Node::Tuple(items) => self.all("tuple", items.iter().copied(), child),
            Node::List(items) => self.all("list", items.iter().copied(), child),
            Node::Set(items) => self.set("set", items, child),
            Node::FrozenSet(items) => self.set("frozenset", items, child),
            Node::Dict(entries) => self.all("dict", entries.as_flattened().iter().copied(), child),
            Node::Object(object) => {
                let mut text = match object.made {
                    Made::Persistent(pid) => self.all("pid", [pid], child)?,
                    Made::Call { callable, args } => {
                        let args = self.args(args)?.iter().copied();
                        self.all("call", [callable].into_iter().chain(args), child)?
                    }
                    Made::New { cls, args, kwargs } => {
                        let args = self.args(args)?.iter().copied();
                        let kwargs = kwargs.filter(|id| graph.get(*id) != Node::Dict(&[]));
                        self.all("new", [cls].into_iter().chain(args).chain(kwargs), child)?
                    }
                    Made::Inst { cls, args } => {
                        // Without arguments Python does not call the class.
                        let name = if args.is_empty() { "new" } else { "call" };
                        let args = args.iter().copied();
                        self.all(name, [cls].into_iter().chain(args), child)?
                    }
                    other => return Err(format!("not in the notation: {other:?}")),
                };
                for effect in object.effects {
                    text += &match *effect {
                        Effect::Build(state) => self.all(".build", [state], child)?,
                        Effect::Append(item) => self.all(".append", [item], child)?,
                        Effect::SetItem(key, value) => self.all(".setitem", [key, value], child)?,
                        Effect::Add(item) => self.all(".add", [item], child)?,
                        other => return Err(format!("not in the notation: {other:?}")),
                    };
                }
                Ok(text)
            }
            other => Err(format!("not in the notation: {other:?}")),
        }
    }
}

fn name(exception: Exception) -> &'static str {
    match exception {
        Exception::Eof => "EOFError",
        Exception::Unpickling => "UnpicklingError",
        Exception::Value => "ValueError",
        Exception::Overflow => "OverflowError",
        Exception::UnicodeDecode => "UnicodeDecodeError",
        Exception::Attribute => "AttributeError",
        Exception::Type => "TypeError",
        other => panic!("{other:?}"),
    }
}

/// What the interpreter's `_pickle` does with frames and BINSTRING: since 3.13.15 and 3.14.7 it is
/// strict.
pub(crate) fn rules() -> Rules {
    match super::version() {
        (..=12, _) | (13, ..15) | (14, ..7) => Rules::LENIENT,
        _ => Rules::STRICT,
    }
}

/// What a graph says of a pickle, and its error.
pub(crate) fn ours(data: &[u8], rules: Rules) -> (Result<String, String>, Option<Error>) {
    match graph::load_next(&mut Reader::with_rules(SliceSource::new(data), rules)) {
        Ok(graph) => (show(&graph), None),
        Err(error) => {
            assert!(error.offset().is_some(), "{error:?}");
            (Ok(format!("{}: {error}", name(error.kind().exception()))), Some(error))
        }
    }
}

/// Errors of which the words are the heap's, and vary with the version; the exception must be right.
pub(crate) fn own_words(kind: &ErrorKind) -> bool {
    use ErrorKind::*;
    matches!(
        kind,
        BadInt
            | BadLiteral(_)
            | BadText(_)
            | FloatOverflow(_)
            | WrongType { .. }
            | Unhashable { .. }
    )
}

/// Whether a `_pickle` is known to answer differently, and does so in this way.
fn known(version: (u32, u32), data: &[u8], error: Option<&Error>, theirs: &str) -> bool {
    match error.map(Error::kind) {
        // `_pickle` stores into lists and bytearrays too, by index. No pickler asks for it.
        Some(ErrorKind::WrongType { needs: "__setitem__" }) => true,
        // An empty APPENDS or ADDITEMS looks at what it is applied to since 3.15; before, the load
        // goes on. The error does not tell that it was empty; 3.15 is there to compare the others.
        Some(ErrorKind::WrongType { needs: "append" | "add" }) if version < (15, 0) => {
            matches!(error.and_then(Error::opcode), Some(Opcode::Appends | Opcode::AddItems))
        }
        // Early 3.11s complain of the names before they complain of the stack.
        Some(ErrorKind::StackUnderflow | ErrorKind::UnexpectedMark) if version < (11, 7) => {
            error.and_then(Error::opcode) == Some(Opcode::StackGlobal)
                && theirs == "UnpicklingError: STACK_GLOBAL requires str"
        }
        // An INT of two characters, with the value 0 or 1, is a bool before 3.15.
        None if version < (15, 0) && theirs.contains("False") => data.contains(&0),
        // A graph's memo is that of 3.15, where a far index does not count for MEMOIZE.
        _ => version < (15, 0) && data.contains(&b'r') && data.contains(&0x94),
    }
}

/// Whether both say the same, as far as they can.
pub(crate) fn agree(
    version: (u32, u32),
    data: &[u8],
    ours: &str,
    error: Option<&Error>,
    theirs: &str,
) -> bool {
    let class = |text: &str| text.split(':').next().map(str::to_string);
    ours == theirs
        || error.is_some_and(|error| own_words(error.kind())) && class(ours) == class(theirs)
        || known(version, data, error, theirs)
}
