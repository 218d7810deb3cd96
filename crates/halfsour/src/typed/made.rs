//! How objects are made, as the newest protocol would say it: sees through what older ones write.
//!
//! Nothing is run: the few callables of the standard library that pickling itself uses are known by
//! name.

use std::borrow::Cow;

use super::decoder::Decoder;
use super::item::ClassName;
use crate::compat::to_python3;
use crate::graph::{Effect, Made, Node, NodeId, Object};

/// `cls.__new__(cls, *args, **kwargs)`, or `cls(*args)`.
#[derive(Clone, Copy)]
pub(super) struct Construction<'g> {
    pub(super) cls: NodeId,
    pub(super) args: &'g [NodeId],
    pub(super) kwargs: &'g [[NodeId; 2]],
    /// What is in it from the start: for protocols 0 and 1, a subclass of a list is made of a list.
    pub(super) contents: Option<NodeId>,
}

impl<'g> Decoder<'g, '_> {
    /// The name of what is a global by its opcode.
    #[inline]
    fn plain_global(&self, id: NodeId) -> Option<ClassName<'_>> {
        let Node::Object(object) = self.graph.get(id) else { return None };
        match object.made {
            Made::Global { module, name } => Some(ClassName {
                module: self.graph.utf8(module)?,
                name: self.graph.utf8(name)?.into(),
            }),
            Made::Extension(code) => {
                let (module, name) = self.unpickler.extensions.get(&code)?;
                Some(ClassName { module, name: name.into() })
            }
            _ => None,
        }
    }

    /// `getattr(outer, 'name')`: how protocols 0 to 3 write what is in a class.
    fn attribute(&self, object: Object<'g>) -> Option<(NodeId, &'g str)> {
        let Made::Call { callable, args } = object.made else { return None };
        let &[outer, name] = self.tuple(args)? else { return None };
        let global = self.plain_global(callable)?;
        let (module, function) = to_python3(global.module, &global.name);
        ((module, function) == ("builtins", "getattr")).then_some((outer, self.graph.utf8(name)?))
    }

    /// The name of a global, as the pickle has it.
    #[inline]
    pub(super) fn raw_global(&self, id: NodeId) -> Option<ClassName<'_>> {
        self.plain_global(id).or_else(|| self.nested_global(id))
    }

    /// The name of a class in a class.
    #[cold]
    fn nested_global(&self, mut id: NodeId) -> Option<ClassName<'_>> {
        let mut inner = Vec::new();
        // What is nested deeper is no class.
        while inner.len() < 32 {
            let Node::Object(object) = self.graph.get(id) else { return None };
            let Some((outer, name)) = self.attribute(object) else { break };
            inner.push(name);
            id = outer;
        }
        let outer = self.plain_global(id)?;
        inner.push(&outer.name);
        inner.reverse();
        Some(ClassName { module: outer.module, name: inner.join(".").into() })
    }

    /// The name of a global, as Python 3 and the settings have it.
    pub(super) fn global(&self, id: NodeId) -> Option<ClassName<'_>> {
        let ClassName { module, name } = self.raw_global(id)?;
        let class = match name {
            Cow::Borrowed(name) => {
                let (module, name) = to_python3(module, name);
                ClassName { module, name: name.into() }
            }
            name => ClassName { module: to_python3(module, "").0, name },
        };
        if self.unpickler.aliases.is_empty() {
            return Some(class);
        }
        match self.unpickler.aliases.get(&class.to_string()) {
            Some((module, name)) => Some(ClassName { module, name: name.into() }),
            None => Some(class),
        }
    }

    fn tuple(&self, id: NodeId) -> Option<&'g [NodeId]> {
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
    pub(super) fn call(&self, object: Object<'g>) -> Option<(ClassName<'_>, &'g [NodeId])> {
        match object.made {
            Made::Call { callable, args } => Some((self.global(callable)?, self.tuple(args)?)),
            _ => None,
        }
    }

    /// How an instance is made; or what a call is of, of which nobody can tell whether it is a class.
    #[inline]
    pub(super) fn construction(&self, object: Object<'g>) -> Option<Construction<'g>> {
        let (callable, args) = match object.made {
            Made::New { cls, args, kwargs } => {
                let kwargs = kwargs.map_or(Some(&[][..]), |kwargs| self.dict(kwargs))?;
                return Some(Construction { cls, args: self.tuple(args)?, kwargs, contents: None });
            }
            Made::Inst { cls, args } => {
                return Some(Construction { cls, args, kwargs: &[], contents: None });
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
            ("copyreg", "__newobj__", &[cls, ref args @ ..]) => {
                Some(Construction { cls, args, kwargs: &[], contents: None })
            }
            ("copyreg", "__newobj_ex__", &[cls, args, kwargs]) => Some(Construction {
                cls,
                args: self.tuple(args)?,
                kwargs: self.dict(kwargs)?,
                contents: None,
            }),
            _ => Some(Construction { cls: callable, args, kwargs: &[], contents: None }),
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
        let made = |args, contents| Some(Construction { cls, args, kwargs: &[], contents });
        match (base.module, &*base.name) {
            ("builtins", "object") => made(&[], None),
            ("builtins", "list" | "dict" | "set") => made(&[], Some(state)),
            // As a namedtuple has it in later protocols.
            ("builtins", "tuple") => made(self.tuple(state)?, None),
            _ => made(&args[2..], None),
        }
    }

    /// Protocols 2 and 3: `functools.partial(cls.__new__, cls, *args, **kwargs)()`.
    fn partial(&self, callable: NodeId, args: &'g [NodeId]) -> Option<Construction<'g>> {
        let Node::Object(partial) = self.graph.get(callable) else { return None };
        let (name, [new]) = self.call(partial)? else { return None };
        let [Effect::Build(state)] = *partial.effects else { return None };
        let &[_, given, kwargs, _] = self.tuple(state)? else { return None };
        let (&cls, given) = self.tuple(given)?.split_first()?;
        let is_new = name.is("functools", "partial") && args.is_empty() && self.is_new(*new);
        is_new.then_some(Construction {
            cls,
            args: given,
            kwargs: self.dict(kwargs)?,
            contents: None,
        })
    }

    /// `getattr(cls, '__new__')`
    fn is_new(&self, id: NodeId) -> bool {
        let Node::Object(object) = self.graph.get(id) else { return false };
        self.attribute(object).is_some_and(|(_, name)| name == "__new__")
    }
}
