//! What an object looks like to serde: its parts, and the builtin containers that calls make.
//!
//! Nothing is run. What pickling itself calls is seen through as in typed reading; the containers of
//! `collections` are known by name; of what any other callable returns, only what is done to it is
//! known.

use std::borrow::Cow;

use crate::graph::{Effect, Graph, Made, Node, NodeId, Object};
use crate::typed::ClassName;
use crate::typed::made::{Construction, Origin, Sight};

/// Packages of the standard library whose classes are called when they are unpickled, and are no enums.
const NO_ENUMS: &[&str] =
    &["builtins", "collections", "datetime", "decimal", "fractions", "ipaddress", "pathlib"];

/// An object, taken apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts<'g> {
    /// What it is at least, even if nothing is in it.
    pub(super) kind: Kind,
    /// The builtin value that it was made of: of a list, for a subclass of `list`.
    pub(super) base: Option<NodeId>,
    /// What `__new__` is given beside the class.
    pub(super) args: &'g [NodeId],
    pub(super) kwargs: &'g [[NodeId; 2]],
    pub(super) state: State<'g>,
    /// Items and entries are among them.
    pub(super) effects: &'g [Effect],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An instance of a class that derives from no builtin one.
    Object,
    /// An instance of a class that derives from one whose instances are made from one value.
    Value,
    /// An instance of some class, which may derive from a builtin one.
    Instance,
    /// A set, a frozenset, or a deque.
    Items,
    /// A dict of `collections`.
    Entries,
    /// What a callable returns.
    Returned,
}

/// What BUILD gives an object.
#[derive(Clone, Copy, Debug)]
pub(super) enum State<'g> {
    None,
    /// Attributes: those of the instance dict, those in slots.
    Attrs(&'g [[NodeId; 2]], &'g [[NodeId; 2]]),
    /// What only the class's `__setstate__` understands.
    Value(NodeId),
    /// Several states, one after the other.
    Several,
}

impl<'g> Parts<'g> {
    /// `None` if it is nothing that has parts: a global, an extension, a persistent id.
    pub(super) fn of(sight: Sight<'g, '_>, object: Object<'g>) -> Option<Parts<'g>> {
        let mut parts = Parts {
            kind: Kind::Returned,
            base: None,
            args: &[],
            kwargs: &[],
            state: state(sight.graph, object.effects),
            effects: object.effects,
        };
        let Some(made) = sight.construction(object) else {
            // A call of what has no name.
            return matches!(object.made, Made::Call { .. }).then_some(parts);
        };
        if made.origin != Origin::Call {
            parts.kind = match made.origin {
                Origin::Object => Kind::Object,
                Origin::Value => Kind::Value,
                _ => Kind::Instance,
            };
            parts.base = made.contents;
            parts.args = if made.contents.is_some() { &[] } else { made.args };
            parts.kwargs = made.kwargs;
            return Some(parts);
        }
        let Some(class) = sight.global(made.cls) else { return Some(parts) };
        (parts.kind, parts.base) = match (class.module, &*class.name, made.args) {
            ("builtins", "set" | "frozenset", args @ ([] | [_]))
            | ("collections", "deque", args @ ([] | [_] | [_, _])) => {
                (Kind::Items, args.first().copied())
            }
            ("collections", "OrderedDict" | "Counter", args @ ([] | [_])) => {
                (Kind::Entries, args.first().copied())
            }
            // Its first argument is what makes its values.
            ("collections", "defaultdict", args @ ([] | [_] | [_, _])) => {
                (Kind::Entries, args.get(1).copied())
            }
            _ => (Kind::Returned, None),
        };
        Some(parts)
    }

    fn has(&self, kind: impl Fn(&Effect) -> bool) -> bool {
        self.effects.iter().any(kind)
    }

    pub(super) fn has_items(&self) -> bool {
        self.has(|effect| matches!(effect, Effect::Append(_) | Effect::Add(_)))
    }

    pub(super) fn has_entries(&self) -> bool {
        self.has(|effect| matches!(effect, Effect::SetItem(..)))
    }

    /// Whether anything but its class is known to make it.
    pub(super) fn is_made_of_something(&self) -> bool {
        self.base.is_some() || !self.args.is_empty() || !self.kwargs.is_empty()
    }

    /// Whether it is known to have nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.kind != Kind::Returned
            && !self.is_made_of_something()
            && matches!(self.state, State::None)
            && !self.has_items()
            && !self.has_entries()
    }

    /// The one builtin value that an instance of its subclass is: text, a number, bytes, a tuple.
    pub(super) fn value(&self) -> Option<NodeId> {
        match (self.kind, self.base, self.args) {
            (Kind::Instance, Some(base), _) => Some(base),
            (Kind::Instance | Kind::Value, None, [arg]) if self.kwargs.is_empty() => Some(*arg),
            _ => None,
        }
    }
}

fn state<'g>(graph: &'g Graph<'_>, effects: &'g [Effect]) -> State<'g> {
    let mut states = effects.iter().filter_map(|effect| match *effect {
        Effect::Build(state) => Some(state),
        Effect::SetState(call) => match graph.get(call) {
            Node::Object(Object { made: Made::Call { args, .. }, .. }) => match graph.get(args) {
                Node::Tuple(args) => args.get(1).copied(),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    let Some(id) = states.next() else { return State::None };
    if states.next().is_some() {
        return State::Several;
    }
    let attrs = |id| match graph.get(id) {
        Node::None => Some(&[][..]),
        Node::Dict(entries) => Some(entries),
        _ => None,
    };
    match graph.get(id) {
        // Before 3.11, an instance without attributes got an empty dict.
        Node::None | Node::Dict([]) => State::None,
        Node::Dict(entries) => State::Attrs(entries, &[]),
        Node::Tuple(&[dict, slots]) => match (attrs(dict), attrs(slots)) {
            (Some([]), Some([])) => State::None,
            (Some(dict), Some(slots)) => State::Attrs(dict, slots),
            _ => State::Value(id),
        },
        _ => State::Value(id),
    }
}

/// A member of an enum, as Python pickles it: `Class(value)`, `getattr(Class, 'NAME')`, or the global
/// `Class.NAME`.
pub(super) enum Member<'g> {
    Name(&'g str),
    Value(NodeId),
}

pub(super) fn member<'g>(sight: Sight<'g, '_>, id: NodeId) -> Option<Member<'g>> {
    let Node::Object(object) = sight.graph.get(id) else { return None };
    match sight.construction(object) {
        Some(Construction { origin: Origin::Call, cls, args: &[value], .. }) => {
            let class = sight.global(cls).filter(|class| !class.is_long())?;
            let last = class.name.rsplit('.').next().unwrap_or_default();
            let package = class.module.split('.').next().unwrap_or_default();
            // A capital tells classes from functions.
            let may_be_enum = last.starts_with(char::is_uppercase) && !NO_ENUMS.contains(&package);
            (may_be_enum && object.effects.is_empty()).then_some(Member::Value(value))
        }
        Some(_) => None,
        None => {
            let global = sight.global(id).filter(|global| !global.is_long())?;
            let (_, last) = match global.name {
                Cow::Borrowed(name) => name.rsplit_once('.')?,
                // What is in a class, by getattr.
                Cow::Owned(_) => ("", sight.attribute(object)?.1),
            };
            Some(Member::Name(last))
        }
    }
}

/// Module and name of the class of an instance, or of the callable that made it.
pub(super) fn class<'g>(sight: Sight<'g, '_>, object: Object<'g>) -> Option<ClassName<'g>> {
    match (sight.construction(object), object.made) {
        (Some(made), _) => sight.global(made.cls),
        (None, Made::Call { callable, .. }) => {
            sight.global(sight.attribute(object).map_or(callable, |(outer, _)| outer))
        }
        _ => None,
    }
}

/// The arguments of whatever call made an object.
pub(super) fn arguments<'g>(sight: Sight<'g, '_>, object: Object<'g>) -> Option<&'g [NodeId]> {
    match object.made {
        Made::Call { args, .. } => sight.tuple(args),
        Made::Inst { args, .. } => Some(args),
        _ => None,
    }
}

/// The items of what Python could iterate over.
pub(super) fn items<'g>(graph: &'g Graph<'_>, id: NodeId) -> Option<&'g [NodeId]> {
    match graph.get(id) {
        Node::Tuple(items) | Node::List(items) | Node::Set(items) | Node::FrozenSet(items) => {
            Some(items)
        }
        _ => None,
    }
}
