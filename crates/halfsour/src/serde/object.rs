//! Reading of objects: as their value, their items, their entries, their attributes.

use serde::de::{self, Visitor};

use super::access::{Entries, Keys};
use super::de::Deserializer;
use super::parts::{self, Kind, Parts, State, items};
use crate::error::Error;
use crate::graph::{Graph, Node, NodeId, Object};

impl<'g, 'de> Deserializer<'g, 'de> {
    /// Reads an object as the text, number or bytes that it is by its class's base, or as its state. What
    /// is that and has attributes too is neither.
    pub(super) fn scalar<V: Visitor<'de>>(
        &mut self,
        object: Object<'g>,
        visitor: V,
        read: impl FnOnce(&mut Self, V) -> Result<V::Value, Error>,
    ) -> Result<V::Value, Error> {
        let graph = self.graph;
        self.budget.visit_all(object.effects.len())?;
        let parts = Parts::of(self.sight, object);
        let value = parts.and_then(|parts| match (parts.state, parts.value()) {
            (State::Value(state), None) => Some(state),
            (State::None, Some(value)) => Some(value),
            (State::None, None) => match self.explicit_arguments(object) {
                Some(&[arg]) => Some(arg),
                _ => None,
            },
            _ => None,
        });
        let Some(value) = value else { return Err(self.mismatch(&visitor)) };
        match graph.get(value) {
            Node::None | Node::Tuple(_) | Node::List(_) | Node::Dict(_) => {
                Err(self.mismatch(&visitor))
            }
            _ => {
                let id = self.id;
                let result = self.through(value, |de| read(de, visitor));
                result.map_err(|error| error.inside_of(value, || graph.describe(id)))
            }
        }
    }

    fn parts(&mut self, object: Object<'g>) -> Result<Option<Parts<'g>>, Error> {
        // They are looked through to find what is asked for.
        self.budget.visit_all(object.effects.len())?;
        let parts = Parts::of(self.sight, object);
        match parts {
            Some(Parts { state: State::Several, .. }) => {
                let what = self.graph.describe(self.id);
                Err(Error::custom(format_args!("{what} has several states")))
            }
            _ => Ok(parts),
        }
    }

    /// Reads an object as a sequence, of so many items if that is known.
    pub(super) fn object_seq<V: Visitor<'de>>(
        &mut self,
        object: Object<'g>,
        len: Option<usize>,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let graph: &'g Graph<'de> = self.graph;
        if let Some(bytes) = self.sight.bytes(object) {
            return self.bytes_as_seq(&bytes, visitor);
        }
        let Some(parts) = self.parts(object)? else { return Err(self.mismatch(&visitor)) };
        let base = parts.base.map(|base| (base, items(graph, base)));
        if parts.has_items() {
            let first = base.and_then(|(_, items)| items).unwrap_or_default();
            return self.seq(first, parts.effects, visitor);
        }
        let is_tuple = base.is_some_and(|(base, _)| matches!(graph.get(base), Node::Tuple(_)));
        match (base, parts.kind, parts.state, parts.args) {
            // As one that is made by its arguments, below: a tuple with attributes is more than its items.
            (Some(_), Kind::Instance, State::Attrs(..) | State::Value(_), _) if is_tuple => {
                Err(self.mismatch(&visitor))
            }
            (Some((_, Some(items))), ..) => self.seq(items, &[], visitor),
            (Some((base, None)), Kind::Items, ..) => {
                self.through(base, |de| de::Deserializer::deserialize_seq(de, visitor))
            }
            (None, Kind::Items, ..) => self.seq(&[], &[], visitor),
            // A subclass of tuple has the whole tuple as its argument, a namedtuple each of its items.
            (None, Kind::Instance, State::None, args @ [first, rest @ ..])
                if parts.kwargs.is_empty() =>
            {
                match graph.get(*first) {
                    Node::Tuple(items) if rest.is_empty() && len != Some(1) => {
                        self.seq(items, &[], visitor)
                    }
                    _ => self.seq(args, &[], visitor),
                }
            }
            (None, _, State::Value(state), _) => {
                self.through(state, |de| de::Deserializer::deserialize_seq(de, visitor))
            }
            _ if parts.is_empty() => self.seq(&[], &[], visitor),
            _ => self.arguments(object, visitor),
        }
    }

    /// What a callable was called with stands for what it returns only where its name is read too.
    fn explicit_arguments(&self, object: Object<'g>) -> Option<&'g [NodeId]> {
        parts::arguments(self.sight, object).filter(|_| self.explicit == Some(self.id))
    }

    fn arguments<V: Visitor<'de>>(
        &mut self,
        object: Object<'g>,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.explicit_arguments(object) {
            Some(args) => self.seq(args, &[], visitor),
            None => Err(self.mismatch(&visitor)),
        }
    }

    /// What an object has under keys, if it is a dict of some kind.
    fn entries(&self, parts: &Parts<'g>) -> Option<Entries<'g>> {
        let graph: &'g Graph<'de> = self.graph;
        let base = parts.base.map(|base| graph.get(base));
        let mut entries = Entries::default();
        match base {
            Some(Node::Dict(base)) => entries.first = base,
            Some(Node::List(pairs)) if parts.kind == Kind::Entries => {
                let pair = |id: &NodeId| items(graph, *id).is_some_and(|pair| pair.len() == 2);
                if !pairs.iter().all(pair) {
                    return None;
                }
                entries.listed = pairs;
            }
            None if parts.kind == Kind::Entries || parts.has_entries() => {}
            _ => return None,
        }
        if parts.has_entries() {
            entries.effects = parts.effects;
        }
        Some(entries)
    }

    pub(super) fn object_map<V: Visitor<'de>>(
        &mut self,
        object: Object<'g>,
        keys: Keys,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Some(parts) = self.parts(object)? else { return Err(self.mismatch(&visitor)) };
        if let Some(entries) = self.entries(&parts) {
            return self.map(entries, keys, visitor);
        }
        match parts.state {
            State::Attrs(first, second) => {
                let entries = Entries { first, second, ..Entries::default() };
                self.map(entries, Keys::Attrs, visitor)
            }
            State::Value(state) => {
                self.through(state, |de| de::Deserializer::deserialize_map(de, visitor))
            }
            _ => match parts.base {
                Some(base) if parts.kind == Kind::Entries => {
                    self.through(base, |de| de::Deserializer::deserialize_map(de, visitor))
                }
                None if parts.args.is_empty() && !parts.kwargs.is_empty() => {
                    let entries = Entries { first: parts.kwargs, ..Entries::default() };
                    self.map(entries, Keys::Attrs, visitor)
                }
                None if parts.is_empty() => self.map(Entries::default(), keys, visitor),
                _ => Err(self.mismatch(&visitor)),
            },
        }
    }

    pub(super) fn object_struct<V: Visitor<'de>>(
        &mut self,
        object: Object<'g>,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Some(parts) = self.parts(object)? else { return Err(self.mismatch(&visitor)) };
        match parts.state {
            State::Attrs(first, second) => {
                let entries = Entries { first, second, ..Entries::default() };
                self.map(entries, Keys::Attrs, visitor)
            }
            State::Value(state) => self.through(state, |de| {
                de::Deserializer::deserialize_struct(de, name, fields, visitor)
            }),
            _ if self.entries(&parts).is_some() || parts.is_empty() => {
                self.object_map(object, Keys::Fields, visitor)
            }
            _ if parts.args.is_empty() && !parts.kwargs.is_empty() => {
                self.object_map(object, Keys::Fields, visitor)
            }
            _ => self.object_seq(object, Some(fields.len()), visitor),
        }
    }

    /// Reads an object as what it resembles most.
    pub(super) fn object_any<V: Visitor<'de>>(
        &mut self,
        object: Object<'g>,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let graph: &'g Graph<'de> = self.graph;
        if let Some(bytes) = self.sight.bytes(object) {
            self.budget.copy(&bytes)?;
            return visitor.visit_bytes(&bytes);
        }
        let Some(parts) = self.parts(object)? else { return Err(self.mismatch(&visitor)) };
        if parts.has_items() || parts.kind == Kind::Items {
            return self.object_seq(object, None, visitor);
        }
        if parts.has_entries() || parts.kind == Kind::Entries {
            return self.object_map(object, Keys::Items, visitor);
        }
        let called = match parts.kind {
            Kind::Returned => parts::arguments(self.sight, object) != Some(&[]),
            Kind::Object => !parts.args.is_empty(),
            _ => false,
        };
        // Its state is not all that there is to it.
        if called {
            return self.arguments(object, visitor);
        }
        match (parts.base.map(|base| graph.get(base)), parts.state, parts.args) {
            (Some(Node::List(_) | Node::Set(_) | Node::FrozenSet(_)), ..) => {
                self.object_seq(object, None, visitor)
            }
            (Some(Node::Dict(_)), ..) => self.object_map(object, Keys::Items, visitor),
            (_, State::Attrs(..) | State::Value(_), _) if parts.is_made_of_something() => {
                let what = graph.describe(self.id);
                Err(Error::custom(format_args!("{what} has a state, and a value besides")))
            }
            (_, State::Attrs(..), _) => self.object_map(object, Keys::Items, visitor),
            (_, State::Value(state), _) => {
                self.through(state, |de| de::Deserializer::deserialize_any(de, visitor))
            }
            (Some(Node::Tuple(items)), ..) => self.seq(items, &[], visitor),
            (None, _, [arg]) if parts.kwargs.is_empty() && items(graph, *arg).is_none() => {
                self.through(*arg, |de| de::Deserializer::deserialize_any(de, visitor))
            }
            (None, _, [_, ..]) => self.object_seq(object, None, visitor),
            (None, _, []) if !parts.kwargs.is_empty() => {
                self.object_map(object, Keys::Items, visitor)
            }
            _ => match parts.base {
                Some(base) => {
                    self.through(base, |de| de::Deserializer::deserialize_any(de, visitor))
                }
                // An instance of which nothing is known but its class is not like anything.
                None => self.arguments(object, visitor),
            },
        }
    }
}
