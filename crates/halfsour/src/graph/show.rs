//! What errors call a node: its kind in Python's words, or what its `repr` shows. No more than that:
//! a whole graph is not shown.

use super::{Graph, Made, Node, NodeId};
use crate::error::Shown;
use crate::number::Integer;
use crate::text::{SHOWN, cut, from_latin1, repr_bytes, repr_str};

impl<'a> Graph<'a> {
    /// Module and qualified name of a global, as the pickle spells them.
    pub(crate) fn global(&self, id: NodeId) -> Option<(&str, &str)> {
        match self.get(id) {
            Node::Object(object) => match object.made {
                Made::Global { module, name } => Some((self.utf8(module)?, self.utf8(name)?)),
                _ => None,
            },
            _ => None,
        }
    }

    /// What a node is: `an int`, `an instance of app.Point`.
    #[cold]
    pub(crate) fn describe(&self, id: NodeId) -> String {
        let object = match self.get(id) {
            Node::None => return "None".into(),
            Node::Bool(_) => return "a bool".into(),
            Node::Int(_) => return "an int".into(),
            Node::BigInt(bytes) => return format!("an int of {} bytes", bytes.len()),
            Node::Float(_) => return "a float".into(),
            Node::Str(text) if text.to_str().is_none() => {
                return "a str with lone surrogates".into();
            }
            Node::Str(_) => return "a str".into(),
            Node::OldStr(_) => return "a str of Python 2".into(),
            Node::Bytes(_) => return "bytes".into(),
            Node::ByteArray(_) => return "a bytearray".into(),
            Node::Buffer(_) => return "an out-of-band buffer".into(),
            Node::ReadonlyBuffer(_) => return "a read-only buffer".into(),
            Node::Tuple(_) => return "a tuple".into(),
            Node::List(_) => return "a list".into(),
            Node::Dict(_) => return "a dict".into(),
            Node::Set(_) => return "a set".into(),
            Node::FrozenSet(_) => return "a frozenset".into(),
            Node::Object(object) => object,
        };
        match object.made {
            Made::Global { .. } => format!("the global {}", self.name_of(id)),
            Made::Extension(code) => format!("the extension {code}"),
            // What is in a persistent id may be another one: only what is short is shown.
            Made::Persistent(pid) => match self.get(pid) {
                Node::Int(_) | Node::Str(_) | Node::OldStr(_) | Node::Bytes(_) => {
                    format!("the persistent id {}", self.repr_leaf(pid))
                }
                _ => "a persistent id".into(),
            },
            Made::Call { callable, args } => match (self.global(callable), self.get(args)) {
                // copyreg's functions make instances of their first argument.
                (Some(("copyreg" | "copy_reg", _)), Node::Tuple([cls, ..])) => {
                    format!("an instance of {}", self.name_of(*cls))
                }
                // What older protocols have for builtin values.
                (Some(("builtins" | "__builtin__", "bytes")), _)
                | (Some(("_codecs", "encode")), _) => "bytes".into(),
                (
                    Some(("builtins" | "__builtin__", kind @ ("set" | "frozenset" | "bytearray"))),
                    _,
                ) => format!("a {kind}"),
                _ => format!("a call of {}, which is not run", self.name_of(callable)),
            },
            Made::New { cls, .. } | Made::Inst { cls, .. } => {
                format!("an instance of {}", self.name_of(cls))
            }
        }
    }

    /// The name of a class or a function.
    #[cold]
    fn name_of(&self, id: NodeId) -> String {
        match self.get(id) {
            Node::Object(object) => match object.made {
                Made::Global { module, name } => {
                    let text = |id| match (self.utf8(id), self.get(id)) {
                        (Some(text), _) => text.into(),
                        (None, Node::Str(text)) => String::from_utf8_lossy(begin(text.as_bytes())),
                        (None, Node::OldStr(text)) => String::from_utf8_lossy(begin(text)),
                        _ => "?".into(),
                    };
                    Shown(format_args!("{}.{}", text(module), text(name))).to_string()
                }
                Made::Extension(code) => format!("the extension {code}"),
                _ => "a class that is made".into(),
            },
            _ => self.describe(id),
        }
    }

    /// Python's `repr` of what a key may be, cut where it is long.
    #[cold]
    pub(crate) fn repr(&self, id: NodeId) -> String {
        match self.get(id) {
            Node::Tuple(items) => {
                let shown: Vec<String> =
                    items.iter().take(SHOWN).map(|item| self.repr_leaf(*item)).collect();
                let end = match items.len() {
                    1 => ",",
                    len if len > SHOWN => ", ...",
                    _ => "",
                };
                format!("({}{end})", shown.join(", "))
            }
            _ => self.repr_leaf(id),
        }
    }

    fn repr_leaf(&self, id: NodeId) -> String {
        match self.get(id) {
            Node::None => "None".into(),
            Node::Bool(true) => "True".into(),
            Node::Bool(false) => "False".into(),
            Node::Int(value) => value.to_string(),
            Node::BigInt(bytes) if bytes.len() <= SHOWN => {
                Integer::from_le_bytes(bytes).repr().unwrap_or_default()
            }
            Node::Float(value) => format!("{value:?}"),
            Node::Str(text) => cut(text.as_bytes(), repr_str),
            Node::OldStr(text) => match self.utf8(id) {
                Some(text) => cut(text.as_bytes(), repr_str),
                None => cut(&from_latin1(begin(text)), repr_str),
            },
            Node::Bytes(bytes) => cut(bytes, repr_bytes),
            Node::Tuple(_) => "(...)".into(),
            _ => format!("<{}>", self.describe(id)),
        }
    }
}

/// The beginning of text, which is more than is ever shown.
fn begin(text: &[u8]) -> &[u8] {
    text.get(..1 << 10).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    #[test]
    fn keys_are_shown_as_in_python() {
        for (pickle, repr) in [
            (&b"N."[..], "None"),
            (b"I01\n.", "True"),
            (b"K\x07.", "7"),
            (b"\x8a\x09\0\0\0\0\0\0\0\0\x01.", "18446744073709551616"),
            (b"G?\xf8\0\0\0\0\0\0.", "1.5"),
            (b"\x8c\x03a'b.", "\"a'b\""),
            (b"S'a\\xe4'\n.", "'a\u{e4}'"),
            (b"C\x01\xff.", "b'\\xff'"),
            (b"K\x01)\x86.", "(1, (...))"),
            (b"K\x01\x85.", "(1,)"),
            (b"].", "<a list>"),
            (b"capp\nPoint\n)\x81.", "<an instance of app.Point>"),
            (b"ccopyreg\n_reconstructor\n(capp\nPoint\nNNtR.", "<an instance of app.Point>"),
        ] {
            let graph = crate::load(pickle).unwrap();
            assert_eq!(graph.repr(graph.root()), repr);
        }
    }
}
