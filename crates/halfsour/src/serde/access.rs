//! What serde's visitors are handed: items, entries, variants, each read where it is.

use std::slice;

use serde::Deserialize;
use serde::de::{
    self, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};

use super::de::Deserializer;
use super::parts;
use crate::error::{Error, ErrorKind, Shown, Step};
use crate::graph::{Effect, Graph, Node, NodeId};

/// Items of a sequence, or those that an object gets.
pub(super) struct Items<'r, 'g, 'de> {
    pub(super) de: &'r mut Deserializer<'g, 'de>,
    pub(super) ids: slice::Iter<'g, NodeId>,
    pub(super) effects: slice::Iter<'g, Effect>,
    pub(super) taken: usize,
}

impl Items<'_, '_, '_> {
    #[inline]
    fn next(&mut self) -> Option<NodeId> {
        match self.ids.next() {
            Some(id) => Some(*id),
            None => self.effects.find_map(|effect| match *effect {
                Effect::Append(item) | Effect::Add(item) => Some(item),
                _ => None,
            }),
        }
    }

    /// Nothing may be left that the type has no place for.
    #[inline]
    pub(super) fn end(&mut self) -> Result<(), Error> {
        if self.ids.len() + self.effects.len() == 0 { Ok(()) } else { self.count_left() }
    }

    #[cold]
    fn count_left(&mut self) -> Result<(), Error> {
        let taken = self.taken;
        let mut left = 0;
        while self.next().is_some() {
            left += 1;
        }
        if left == 0 {
            return Ok(());
        }
        Err(ErrorKind::Expected {
            expected: format!("{taken} items"),
            found: format!("{} items", taken + left),
        }
        .into())
    }
}

impl<'de> SeqAccess<'de> for Items<'_, '_, 'de> {
    type Error = Error;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Some(id) = self.next() else { return Ok(None) };
        self.de.id = id;
        self.taken += 1;
        match seed.deserialize(&mut *self.de) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(error.about(id).within(Step::Index(self.taken - 1))),
        }
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.ids.len() + self.effects.len())
    }
}

/// Where keys and their values are.
#[derive(Clone, Copy, Default)]
pub(super) struct Entries<'g> {
    pub(super) first: &'g [[NodeId; 2]],
    pub(super) second: &'g [[NodeId; 2]],
    /// Nodes that are pairs.
    pub(super) listed: &'g [NodeId],
    pub(super) effects: &'g [Effect],
}

impl<'g> Entries<'g> {
    #[inline]
    pub(super) fn of(first: &'g [[NodeId; 2]]) -> Entries<'g> {
        Entries { first, ..Entries::default() }
    }

    #[inline]
    pub(super) fn count(&self) -> usize {
        self.first.len() + self.second.len() + self.listed.len() + self.effects.len()
    }

    #[inline]
    fn next(&mut self, graph: &'g Graph<'_>) -> Option<[NodeId; 2]> {
        match self.first.split_first() {
            Some((entry, rest)) => {
                self.first = rest;
                Some(*entry)
            }
            None => self.next_of_others(graph),
        }
    }

    fn next_of_others(&mut self, graph: &'g Graph<'_>) -> Option<[NodeId; 2]> {
        if let Some((entry, rest)) = self.second.split_first() {
            self.second = rest;
            return Some(*entry);
        }
        while let Some((pair, rest)) = self.listed.split_first() {
            self.listed = rest;
            if let Some(&[key, value]) = parts::items(graph, *pair) {
                return Some([key, value]);
            }
        }
        while let Some((effect, rest)) = self.effects.split_first() {
            self.effects = rest;
            if let Effect::SetItem(key, value) = *effect {
                return Some([key, value]);
            }
        }
        None
    }
}

/// What keys are: for a struct's sake, and for the path in errors.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    /// Of a dict that is read as a map.
    Items,
    /// Of a dict that is read as a struct.
    Fields,
    /// Names of attributes.
    Attrs,
}

pub(super) struct Map<'r, 'g, 'de> {
    pub(super) de: &'r mut Deserializer<'g, 'de>,
    pub(super) entries: Entries<'g>,
    pub(super) keys: Keys,
    /// The entry whose key was read.
    pub(super) value: Option<[NodeId; 2]>,
}

impl Map<'_, '_, '_> {
    #[inline]
    pub(super) fn end(&mut self) -> Result<(), Error> {
        if self.entries.count() == 0 || self.entries.next(self.de.graph).is_none() {
            return Ok(());
        }
        Err(Error::custom("the type takes fewer entries than there are"))
    }

    #[cold]
    fn step(&self, key: NodeId) -> Step {
        match (self.keys, self.de.graph.utf8(key)) {
            (Keys::Attrs, Some(name)) => Step::Attr(Shown(name).to_string()),
            _ => Step::Key(self.de.graph.repr(key)),
        }
    }
}

impl<'de> MapAccess<'de> for Map<'_, '_, 'de> {
    type Error = Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let graph = self.de.graph;
        let Some([key, value]) = self.entries.next(graph) else { return Ok(None) };
        self.value = Some([key, value]);
        self.de.id = key;
        let id = key;
        // A key that is no text is not the name of any field.
        let result = if self.keys != Keys::Items
            && !graph.is_text(key)
            && !matches!(graph.get(key), Node::OldStr(_) | Node::Object(_))
        {
            seed.deserialize(graph.repr(key).into_deserializer())
        } else {
            seed.deserialize(&mut *self.de)
        };
        match result {
            Ok(key) => Ok(Some(key)),
            Err(error) => Err(error.about(id).within(Step::InKey(graph.repr(id)))),
        }
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let Some([key, id]) = self.value.take() else {
            return Err(Error::custom("a value is asked for before its key"));
        };
        self.de.id = id;
        match seed.deserialize(&mut *self.de) {
            Ok(value) => Ok(value),
            Err(error) => Err(error.about(id).within(self.step(key))),
        }
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.count())
    }
}

/// `{variant: value}`
pub(super) struct Variant<'r, 'g, 'de> {
    pub(super) de: &'r mut Deserializer<'g, 'de>,
    pub(super) name: NodeId,
    pub(super) value: NodeId,
}

impl<'r, 'g, 'de> EnumAccess<'de> for Variant<'r, 'g, 'de> {
    type Error = Error;
    type Variant = Variant<'r, 'g, 'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        self.de.id = self.name;
        match seed.deserialize(&mut *self.de) {
            Ok(variant) => Ok((variant, self)),
            Err(error) => {
                Err(error.about(self.name).within(Step::InKey(self.de.graph.repr(self.name))))
            }
        }
    }
}

impl<'g, 'de> Variant<'_, 'g, 'de> {
    fn read<R>(
        self,
        read: impl FnOnce(&mut Deserializer<'g, 'de>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        self.de.id = self.value;
        let graph = self.de.graph;
        read(self.de)
            .map_err(|error| error.about(self.value).within(Step::Key(graph.repr(self.name))))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, '_, 'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        self.read(|de| <()>::deserialize(de))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        self.read(|de| seed.deserialize(de))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        self.read(|de| de::Deserializer::deserialize_tuple(de, len, visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.read(|de| de::Deserializer::deserialize_struct(de, "", fields, visitor))
    }
}
