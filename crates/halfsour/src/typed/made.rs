//! How objects are made, as the newest protocol would say it: sees through what older ones write.
//!
//! Nothing is run: the few callables of the standard library that pickling itself uses are known by
//! name.

use std::borrow::Cow;

use hashbrown::HashMap;

use super::item::ClassName;
use crate::compat::to_python3;
use crate::graph::{Effect, Graph, Made, Node, NodeId, Object};

/// No class has a name that is longer, in bytes: such a name may be read and shown, but is not looked for.
pub(crate) const LONGEST_NAME: usize = 1 << 12;

/// What the settings say of names.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Other names of classes: module and name, by what the pickle says, with a dot between.
    pub(super) aliases: HashMap<String, (String, String)>,
    /// Module and name by extension code.
    pub(super) extensions: HashMap<i32, (String, String)>,
}

impl Names {
    /// What a class is called instead.
    #[inline]
    pub(super) fn alias(&self, class: &ClassName<'_>) -> Option<&(String, String)> {
        let is_any = !self.aliases.is_empty() && !class.is_long();
        if is_any { self.aliases.get(&class.to_string()) } else { None }
    }
}

/// A graph, and what is known of the names in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight<'g, 'a> {
    pub(crate) graph: &'g Graph<'a>,
    pub(crate) names: &'g Names,
}

/// What a pickle says of the class of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// `cls.__new__(cls, *args, **kwargs)`: a class, which may derive from any builtin one.
    New,
    /// A class that derives from no builtin one but `object`.
    Object,
    /// A class that derives from one whose instances are made from one value: a number, text, bytes.
    Value,
    /// `cls(*args)`, or a call of a function: nobody can tell.
    Call,
}

/// How an object is made.
#[derive(Clone, Copy)]
pub(crate) struct Construction<'g> {
    pub(crate) cls: NodeId,
    pub(crate) args: &'g [NodeId],
    pub(crate) kwargs: &'g [[NodeId; 2]],
    /// What is in it from the start: for protocols 0 and 1, a subclass of a list is made of a list.
    pub(crate) contents: Option<NodeId>,
    pub(crate) origin: Origin,
}

impl<'g> Sight<'g, '_> {
    /// The name of what is a global by its opcode.
    #[inline]
    fn plain_global(&self, id: NodeId) -> Option<ClassName<'g>> {
        let Node::Object(object) = self.graph.get(id) else { return None };
        match object.made {
            Made::Global { module, name } => Some(ClassName {
                module: self.graph.utf8(module)?,
                name: self.graph.utf8(name)?.into(),
            }),
            Made::Extension(code) => {
                let (module, name) = self.names.extensions.get(&code)?;
                Some(ClassName { module, name: name.into() })
            }
            _ => None,
        }
    }

    /// `getattr(outer, 'name')`: how protocols 0 to 3 write what is in a class.
    pub(crate) fn attribute(&self, object: Object<'g>) -> Option<(NodeId, &'g str)> {
        let Made::Call { callable, args } = object.made else { return None };
        let &[outer, name] = self.tuple(args)? else { return None };
        let global = self.plain_global(callable)?;
        let (module, function) = to_python3(global.module, &global.name);
        ((module, function) == ("builtins", "getattr")).then_some((outer, self.graph.utf8(name)?))
    }

    /// The name of a global, as the pickle has it.
    #[inline]
    pub(crate) fn raw_global(&self, id: NodeId) -> Option<ClassName<'g>> {
        self.plain_global(id).or_else(|| self.nested_global(id))
    }

    /// The name of a class in a class.
    #[cold]
    fn nested_global(&self, mut id: NodeId) -> Option<ClassName<'g>> {
        let (mut inner, mut length) = (Vec::new(), 0);
        // What is nested deeper is no class.
        while inner.len() < 32 {
            let Node::Object(object) = self.graph.get(id) else { return None };
            let Some((outer, name)) = self.attribute(object) else { break };
            inner.push(name);
            length += name.len();
            id = outer;
        }
        let outer = self.plain_global(id)?;
        if length + outer.name.len() > LONGEST_NAME {
            return None;
        }
        inner.push(&*outer.name);
        inner.reverse();
        Some(ClassName { module: outer.module, name: inner.join(".").into() })
    }

    /// The name of a global, as Python 3 and the settings have it.
    pub(crate) fn global(&self, id: NodeId) -> Option<ClassName<'g>> {
        let ClassName { module, name } = self.raw_global(id)?;
        let class = match name {
            Cow::Borrowed(name) => {
                let (module, name) = to_python3(module, name);
                ClassName { module, name: name.into() }
            }
            name => ClassName { module: to_python3(module, "").0, name },
        };
        match self.names.alias(&class) {
            Some((module, name)) => Some(ClassName { module, name: name.into() }),
            None => Some(class),
        }
    }

    pub(crate) fn tuple(&self, id: NodeId) -> Option<&'g [NodeId]> {
        match self.graph.get(id) {
            Node::Tuple(items) => Some(items),
            _ => None,
        }
    }

    fn dict(&self, id: NodeId) -> Option<&'g [[NodeId; 2]]> {
        match self.graph.get(id) {
            Node::Dict(entries) => Some(entries),
            _ => None,
        }
    }

    /// A call of a global: its name and its arguments.
    pub(crate) fn call(&self, object: Object<'g>) -> Option<(ClassName<'g>, &'g [NodeId])> {
        match object.made {
            Made::Call { callable, args } => Some((self.global(callable)?, self.tuple(args)?)),
            _ => None,
        }
    }

    /// How an instance is made; or what a call is of, of which nobody can tell whether it is a class.
    #[inline]
    pub(crate) fn construction(&self, object: Object<'g>) -> Option<Construction<'g>> {
        let (callable, args) = match object.made {
            Made::New { cls, args, kwargs } => {
                let kwargs = kwargs.map_or(Some(&[][..]), |kwargs| self.dict(kwargs))?;
                return Some(Construction { kwargs, ..Construction::new(cls, self.tuple(args)?) });
            }
            Made::Inst { cls, args } => {
                // Python 2 has these opcodes for its classic classes.
                return Some(Construction::new(cls, args).of(Origin::Object));
            }
            Made::Call { callable, args } => (callable, self.tuple(args)?),
            _ => return None,
        };
        let Some(global) = self.global(callable) else { return self.partial(callable, args) };
        match (global.module, &*global.name, args) {
            ("builtins", "getattr", [_, _]) => None,
            ("copyreg", "_reconstructor", &[cls, base, state]) => {
                self.reconstructor(cls, base, state, args)
            }
            ("copyreg", "__newobj__", &[cls, ref args @ ..]) => Some(Construction::new(cls, args)),
            ("copyreg", "__newobj_ex__", &[cls, args, kwargs]) => Some(Construction {
                kwargs: self.dict(kwargs)?,
                ..Construction::new(cls, self.tuple(args)?)
            }),
            _ => Some(Construction::new(callable, args).of(Origin::Call)),
        }
    }

    /// Protocols 0 and 1: `base.__new__(cls, state)`.
    fn reconstructor(
        &self,
        cls: NodeId,
        base: NodeId,
        state: NodeId,
        args: &'g [NodeId],
    ) -> Option<Construction<'g>> {
        let base = self.global(base)?;
        let made = |args| Construction::new(cls, args);
        Some(match (base.module, &*base.name) {
            ("builtins", "object") => made(&[]).of(Origin::Object),
            ("builtins", "list" | "dict" | "set") => {
                Construction { contents: Some(state), ..made(&[]) }
            }
            // As a namedtuple has it in later protocols.
            ("builtins", "tuple") => {
                Construction { contents: Some(state), ..made(self.tuple(state)?) }
            }
            _ => made(&args[2..]).of(Origin::Value),
        })
    }

    /// Protocols 2 and 3: `functools.partial(cls.__new__, cls, *args, **kwargs)()`.
    fn partial(&self, callable: NodeId, args: &'g [NodeId]) -> Option<Construction<'g>> {
        let Node::Object(partial) = self.graph.get(callable) else { return None };
        let (name, [new]) = self.call(partial)? else { return None };
        let [Effect::Build(state)] = *partial.effects else { return None };
        let &[_, given, kwargs, _] = self.tuple(state)? else { return None };
        let (&cls, given) = self.tuple(given)?.split_first()?;
        let is_new = name.is("functools", "partial") && args.is_empty() && self.is_new(*new);
        let kwargs = self.dict(kwargs)?;
        is_new.then_some(Construction { kwargs, ..Construction::new(cls, given) })
    }

    /// `getattr(cls, '__new__')`
    fn is_new(&self, id: NodeId) -> bool {
        let Node::Object(object) = self.graph.get(id) else { return false };
        self.attribute(object).is_some_and(|(_, name)| name == "__new__")
    }

    /// The builtin value that an instance may be by its class: of a subclass of `int`, the number. What
    /// has attributes too is more than that.
    pub(crate) fn plain(&self, object: Object<'g>) -> Option<NodeId> {
        let made = self.construction(object).filter(|_| self.is_untouched(object))?;
        let (&[value], [], None) = (made.args, made.kwargs, made.contents) else { return None };
        match made.origin {
            Origin::Value => Some(value),
            // A builtin class itself makes of it what it likes; and pickles its values by opcodes.
            Origin::New => {
                let is_builtin = self.global(made.cls)?.module == "builtins";
                (!is_builtin).then_some(value)
            }
            _ => None,
        }
    }

    /// Whether nothing was done to an instance after it was made. Before 3.11, those without attributes
    /// got an empty dict.
    pub(crate) fn is_untouched(&self, object: Object<'g>) -> bool {
        match *object.effects {
            [] => true,
            [Effect::Build(state)] => matches!(self.graph.get(state), Node::None | Node::Dict([])),
            _ => false,
        }
    }

    /// The bytes that protocols below 3, and bytearrays below 5, are made to be by a call.
    pub(crate) fn bytes(&self, object: Object<'g>) -> Option<Cow<'g, [u8]>> {
        let (name, args) = self.call(object).filter(|_| object.effects.is_empty())?;
        match (name.module, &*name.name, args) {
            ("builtins", "bytes" | "bytearray", []) => Some(Cow::Borrowed(&[])),
            ("_codecs", "encode", [text, codec])
            | ("builtins", "bytes" | "bytearray", [text, codec]) => self.latin1(*text, *codec),
            ("builtins", "bytes" | "bytearray", [bytes]) => match self.graph.get(*bytes) {
                Node::Bytes(bytes) | Node::OldStr(bytes) => Some(Cow::Borrowed(bytes)),
                // One call in another: no deeper than a bytearray's content.
                Node::Object(inner) => {
                    let (name, args) = self.call(inner)?;
                    let plain = name.is("_codecs", "encode") || args.is_empty();
                    plain.then(|| self.bytes(inner))?
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn latin1(&self, text: NodeId, codec: NodeId) -> Option<Cow<'g, [u8]>> {
        let codec = self.graph.utf8(codec)?;
        let Node::Str(text) = self.graph.get(text) else { return None };
        let text =
            text.to_str().filter(|_| matches!(codec, "latin1" | "latin-1" | "iso-8859-1"))?;
        if text.is_ascii() {
            return Some(Cow::Borrowed(text.as_bytes()));
        }
        // The characters beyond Latin-1 begin with greater bytes: a quick look, at what may be long.
        let is_latin1 = text.bytes().all(|byte| byte <= 0xc3);
        is_latin1.then(|| Cow::Owned(text.chars().map(|char| char as u8).collect()))
    }
}

impl<'g> Construction<'g> {
    fn new(cls: NodeId, args: &'g [NodeId]) -> Construction<'g> {
        Construction { cls, args, kwargs: &[], contents: None, origin: Origin::New }
    }

    fn of(self, origin: Origin) -> Construction<'g> {
        Construction { origin, ..self }
    }
}
