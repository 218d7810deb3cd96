//! What an object looks like to serde: its parts, and the builtin containers that calls make.
//!
//! Nothing is run. The few callables that pickling itself uses, and the containers of `collections`,
//! are known by name; of what any other callable returns, only what is done to it is known.

use std::borrow::Cow;

use crate::graph::{Effect, Graph, Made, Node, NodeId, Object};

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
    /// An instance of some class.
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

/// Module and name as Python 3 has them.
fn renamed<'g>((module, name): (&'g str, &'g str)) -> (&'g str, &'g str) {
    match module {
        "__builtin__" => ("builtins", name),
        "copy_reg" => ("copyreg", name),
        _ => (module, name),
    }
}

fn tuple<'g>(graph: &'g Graph<'_>, id: NodeId) -> Option<&'g [NodeId]> {
    match graph.get(id) {
        Node::Tuple(items) => Some(items),
        _ => None,
    }
}

/// A call of a global: its name, its arguments.
fn call<'g>(graph: &'g Graph<'_>, object: Object<'g>) -> Option<(&'g str, &'g str, &'g [NodeId])> {
    let Made::Call { callable, args } = object.made else { return None };
    let (module, name) = renamed(graph.global(callable)?);
    Some((module, name, tuple(graph, args)?))
}

/// `functools.partial(cls.__new__, cls, *args, **kwargs)()`: protocols 2 and 3 have that for keyword
/// arguments. Gives the arguments.
fn partial<'g>(
    graph: &'g Graph<'_>,
    object: Object<'g>,
) -> Option<(&'g [NodeId], &'g [[NodeId; 2]])> {
    let (callable, []) = (match object.made {
        Made::Call { callable, args } => (callable, tuple(graph, args)?),
        _ => return None,
    }) else {
        return None;
    };
    let Node::Object(partial) = graph.get(callable) else { return None };
    let ("functools", "partial", [new]) = call(graph, partial)? else { return None };
    let Node::Object(new) = graph.get(*new) else { return None };
    let ("builtins", "getattr", &[_, attribute]) = call(graph, new)? else { return None };
    let &[Effect::Build(state)] = partial.effects else { return None };
    let &[_, args, kwargs, _] = tuple(graph, state)? else { return None };
    match graph.get(kwargs) {
        Node::Dict(kwargs) if graph.utf8(attribute) == Some("__new__") => {
            Some((tuple(graph, args)?.get(1..)?, kwargs))
        }
        _ => None,
    }
}

impl<'g> Parts<'g> {
    /// `None` if it is nothing that has parts: a global, an extension, a persistent id.
    pub(super) fn of(graph: &'g Graph<'_>, object: Object<'g>) -> Option<Parts<'g>> {
        let mut parts = Parts {
            kind: Kind::Instance,
            base: None,
            args: &[],
            kwargs: &[],
            state: state(graph, object.effects),
            effects: object.effects,
        };
        match object.made {
            Made::New { args, kwargs, .. } => {
                parts.args = tuple(graph, args)?;
                parts.set_kwargs(graph, kwargs)?;
            }
            Made::Inst { args, .. } => parts.args = args,
            Made::Call { .. } => {
                let Some((module, name, args)) = call(graph, object) else {
                    match partial(graph, object) {
                        Some((args, kwargs)) => (parts.args, parts.kwargs) = (args, kwargs),
                        None => parts.kind = Kind::Returned,
                    }
                    return Some(parts);
                };
                match (module, name, args) {
                    ("copyreg", "_reconstructor", [_, base, value]) => {
                        let plain = graph.global(*base).map(renamed);
                        parts.base = (plain != Some(("builtins", "object"))).then_some(*value);
                    }
                    ("copyreg", "__newobj__", [_, args @ ..]) => parts.args = args,
                    ("copyreg", "__newobj_ex__", [_, args, kwargs]) => {
                        parts.args = tuple(graph, *args)?;
                        parts.set_kwargs(graph, Some(*kwargs))?;
                    }
                    ("builtins", "set" | "frozenset", [] | [_])
                    | ("collections", "deque", [] | [_] | [_, _]) => {
                        parts.kind = Kind::Items;
                        parts.base = args.first().copied();
                    }
                    ("collections", "OrderedDict" | "Counter", [] | [_]) => {
                        parts.kind = Kind::Entries;
                        parts.base = args.first().copied();
                    }
                    // Its first argument is what makes its values.
                    ("collections", "defaultdict", [] | [_]) => parts.kind = Kind::Entries,
                    ("collections", "defaultdict", [_, base]) => {
                        parts.kind = Kind::Entries;
                        parts.base = Some(*base);
                    }
                    _ => parts.kind = Kind::Returned,
                }
            }
            _ => return None,
        }
        Some(parts)
    }

    fn set_kwargs(&mut self, graph: &'g Graph<'_>, kwargs: Option<NodeId>) -> Option<()> {
        match kwargs.map(|kwargs| graph.get(kwargs)) {
            None => Some(()),
            Some(Node::Dict(entries)) => {
                self.kwargs = entries;
                Some(())
            }
            Some(_) => None,
        }
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

    /// Whether it is known to have nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.kind != Kind::Returned
            && self.base.is_none()
            && self.args.is_empty()
            && self.kwargs.is_empty()
            && matches!(self.state, State::None)
            && !self.has_items()
            && !self.has_entries()
    }

    /// The one builtin value that an instance of its subclass is: text, a number, bytes, a tuple.
    pub(super) fn value(&self) -> Option<NodeId> {
        match (self.base, self.args) {
            (Some(base), _) => Some(base),
            (None, [arg]) if self.kwargs.is_empty() => Some(*arg),
            _ => None,
        }
    }
}

fn state<'g>(graph: &'g Graph<'_>, effects: &'g [Effect]) -> State<'g> {
    let mut states = effects.iter().filter_map(|effect| match *effect {
        Effect::Build(state) => Some(state),
        Effect::SetState(call) => match graph.get(call) {
            Node::Object(Object { made: Made::Call { args, .. }, .. }) => {
                tuple(graph, args)?.get(1).copied()
            }
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

/// The bytes that protocols below 3, and bytearrays below 5, are made to be by a call.
pub(super) fn bytes<'g>(graph: &'g Graph<'_>, object: Object<'g>) -> Option<Cow<'g, [u8]>> {
    if !object.effects.is_empty() {
        return None;
    }
    match call(graph, object)? {
        ("builtins", "bytes" | "bytearray", []) => Some(Cow::Borrowed(&[])),
        ("builtins", "bytearray", [inner]) => match graph.get(*inner) {
            Node::Bytes(inner) => Some(Cow::Borrowed(inner)),
            Node::Object(inner) => bytes_of_text(graph, inner),
            _ => None,
        },
        ("builtins", "bytes" | "bytearray", [text, codec]) => latin1(graph, *text, *codec),
        _ => bytes_of_text(graph, object),
    }
}

fn bytes_of_text<'g>(graph: &'g Graph<'_>, object: Object<'g>) -> Option<Cow<'g, [u8]>> {
    match call(graph, object)? {
        ("_codecs", "encode", [text, codec]) => latin1(graph, *text, *codec),
        ("builtins", "bytes", []) => Some(Cow::Borrowed(&[])),
        _ => None,
    }
}

fn latin1<'g>(graph: &'g Graph<'_>, text: NodeId, codec: NodeId) -> Option<Cow<'g, [u8]>> {
    if !matches!(graph.utf8(codec)?, "latin1" | "latin-1") {
        return None;
    }
    let text = graph.utf8(text)?;
    if text.is_ascii() {
        return Some(Cow::Borrowed(text.as_bytes()));
    }
    let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
    Some(Cow::Owned(bytes.ok()?))
}

/// A member of an enum, as Python pickles it: `Class(value)`, `getattr(Class, 'NAME')`, or the global
/// `Class.NAME`.
pub(super) enum Member<'g> {
    Name(&'g str),
    Value(NodeId),
}

pub(super) fn member<'g>(graph: &'g Graph<'_>, object: Object<'g>) -> Option<Member<'g>> {
    if let Made::Global { name, .. } = object.made {
        let (_, name) = graph.utf8(name)?.rsplit_once('.')?;
        return Some(Member::Name(name));
    }
    match call(graph, object)? {
        ("builtins", "getattr", [_, name]) => Some(Member::Name(graph.utf8(*name)?)),
        (_, _, [value]) => Some(Member::Value(*value)),
        _ => None,
    }
}

/// Module and name of the class of an instance, or of the callable that made it.
pub(super) fn class<'g>(graph: &'g Graph<'_>, object: Object<'g>) -> Option<(&'g str, &'g str)> {
    match object.made {
        Made::New { cls, .. } | Made::Inst { cls, .. } => graph.global(cls),
        Made::Call { callable, .. } => match call(graph, object) {
            Some(("copyreg", _, [cls, ..])) => graph.global(*cls),
            Some(("builtins", "getattr", [cls, _])) => graph.global(*cls),
            _ => graph.global(callable),
        },
        _ => None,
    }
}

/// The arguments of whatever call made an object.
pub(super) fn arguments<'g>(graph: &'g Graph<'_>, object: Object<'g>) -> Option<&'g [NodeId]> {
    match object.made {
        Made::Call { args, .. } => tuple(graph, args),
        Made::Inst { args, .. } => Some(args),
        _ => None,
    }
}
