//! Reading: serde's data model from a graph's nodes. A node is only looked at, never run.
//!
//! Children are slices of the graph, text is where the pickle has it. What recurses here is bounded by
//! a [`Budget`], in depth and in all, since shared data is read again wherever it is.

use std::io::BufRead;
use std::slice;
use std::sync::LazyLock;

use serde::Deserialize;
use serde::de::value::{SeqDeserializer, StrDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, EnumAccess, Error as _, Expected, IntoDeserializer,
    MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::instance::{INSTANCE, InstanceAccess};
use super::object::{self, Kind, Member, Parts, State};
use crate::error::{Error, ErrorKind, Step};
use crate::graph::{self, Effect, Graph, Node, NodeId, Object};
use crate::limits::{Budget, Limits};
use crate::number::{Wide, single, wide};
use crate::reader::Reader;
use crate::stream::StreamSource;
use crate::typed::Unpickler;
use crate::typed::made::{Names, Sight};

/// Reads a pickle that is in memory. What follows it is ignored, as `pickle.loads` does.
///
/// # Errors
/// What is wrong with the pickle, or where its data is not what the type takes.
///
/// ```
/// // pickle.dumps({"spam": [1, 2]}, 2)
/// let data = b"\x80\x02}q\0X\x04\0\0\0spamq\x01]q\x02(K\x01K\x02es.";
/// let lists: std::collections::HashMap<&str, Vec<u8>> = halfsour::serde::from_slice(data)?;
/// assert_eq!(lists["spam"], [1, 2]);
/// # Ok::<(), halfsour::Error>(())
/// ```
pub fn from_slice<'de, T: Deserialize<'de>>(data: &'de [u8]) -> Result<T, Error> {
    Unpickler::new().deserialize(data)
}

/// Reads a pickle from a stream, and no further than its STOP.
///
/// # Errors
/// As [`from_slice`]; and what reading the stream fails with.
///
/// ```
/// let pair: (u8, bool) = halfsour::serde::from_reader(&b"K\x01\x88\x86."[..])?;
/// assert_eq!(pair, (1, true));
/// # Ok::<(), halfsour::Error>(())
/// ```
pub fn from_reader<T: DeserializeOwned>(reader: impl BufRead) -> Result<T, Error> {
    Unpickler::new().deserialize_from(reader)
}

/// Reads what is pickled in a graph, from its root.
///
/// # Errors
/// Where the data is not what the type takes.
///
/// ```
/// let graph = halfsour::load(b"](K\x01K\x02e.")?;
/// assert_eq!(halfsour::serde::from_graph::<Vec<u8>>(&graph)?, [1, 2]);
/// let error = halfsour::serde::from_graph::<Vec<&str>>(&graph).unwrap_err();
/// assert_eq!(error.to_string(), "expected a borrowed string, found an int at root[0]");
/// # Ok::<(), halfsour::Error>(())
/// ```
pub fn from_graph<'de, T: Deserialize<'de>>(graph: &Graph<'de>) -> Result<T, Error> {
    Unpickler::new().deserialize_graph(graph)
}

/// With settings, for serde's types. Of the settings, the limits, the out-of-band buffers, the renamed
/// classes and the extension codes count; persistent ids are no data to serde, and strings of Python 2
/// are UTF-8 or bytes.
impl<'a> Unpickler<'a> {
    /// As [`serde::from_slice`](from_slice), with these settings. Feature `serde`.
    ///
    /// # Errors
    /// As there.
    ///
    /// ```
    /// use halfsour::{Limits, Unpickler};
    /// let unpickler = Unpickler::new().limits(Limits::default().depth(1)).buffers(&[b"spam"]);
    /// // A list of a buffer.
    /// let data = b"\x80\x05]\x97a.";
    /// assert_eq!(unpickler.deserialize::<Vec<&[u8]>>(data)?, [b"spam"]);
    /// let error = unpickler.deserialize::<Vec<Vec<u8>>>(b"](]e.").unwrap_err();
    /// assert_eq!(error.to_string(), "more than the limit of 1 (depth) at root[0]");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn deserialize<T: Deserialize<'a>>(&self, data: &'a [u8]) -> Result<T, Error> {
        self.deserialize_graph(&self.load(data)?)
    }

    /// As [`serde::from_reader`](from_reader), with these settings. Feature `serde`.
    ///
    /// # Errors
    /// As there.
    ///
    /// ```
    /// use halfsour::{Limits, Unpickler};
    /// let unpickler = Unpickler::new().limits(Limits::default().bytes(4));
    /// let error = unpickler.deserialize_from::<Vec<u8>>(&b"(K\x01K\x02l."[..]).unwrap_err();
    /// assert_eq!(error.to_string(), "more than the limit of 4 (bytes)");
    /// ```
    pub fn deserialize_from<T: DeserializeOwned>(&self, reader: impl BufRead) -> Result<T, Error> {
        let mut reader = Reader::new(StreamSource::new(reader));
        self.deserialize_graph(&graph::load_stream(&mut reader, self.limits)?)
    }

    /// As [`serde::from_graph`](from_graph), with these settings. Feature `serde`.
    ///
    /// # Errors
    /// As there.
    ///
    /// ```
    /// use halfsour::{Unpickler, serde::Instance};
    /// let unpickler = Unpickler::new().extension(7, "shop.models", "Order");
    /// let graph = halfsour::load(b"\x82\x07)\x81K\x05b.")?;
    /// let order: Instance<u8> = unpickler.deserialize_graph(&graph)?;
    /// assert_eq!((&*order.name, order.value), ("Order", 5));
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn deserialize_graph<T: Deserialize<'a>>(&self, graph: &Graph<'a>) -> Result<T, Error> {
        fn read<'a, T: Deserialize<'a>>(
            graph: &Graph<'a>,
            unpickler: &Unpickler<'a>,
        ) -> Result<T, Error> {
            let root = graph.root();
            let mut deserializer = Deserializer::new(graph, root).settings(unpickler);
            T::deserialize(&mut deserializer).map_err(|error| error.about(root))
        }
        read(graph, self).map_err(|error| graph.place(error, |again| read::<T>(again, self).err()))
    }
}

/// A serde deserializer over a node of a graph.
///
/// ```
/// use halfsour::{Limits, graph::Node, serde::Deserializer};
/// use serde::Deserialize;
///
/// let graph = halfsour::load(b"](K\x01K\x02e.")?;
/// let Node::List(items) = graph.get(graph.root()) else { panic!() };
/// let mut second = Deserializer::new(&graph, items[1]).limits(Limits::default().depth(5));
/// assert_eq!(u8::deserialize(&mut second)?, 2);
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Debug)]
pub struct Deserializer<'g, 'de> {
    pub(super) graph: &'g Graph<'de>,
    /// The node that comes next.
    pub(super) id: NodeId,
    /// What names mean, and older protocols wrote.
    pub(super) sight: Sight<'g, 'de>,
    buffers: &'g [&'de [u8]],
    pub(super) budget: Budget,
    /// The nodes that are being read, the outermost first.
    open: Vec<NodeId>,
    /// An object whose class was asked for: what it was called with may be shown.
    pub(super) explicit: Option<NodeId>,
}

impl<'g, 'de> Deserializer<'g, 'de> {
    /// For a node, with the [`Limits`] that are the default.
    pub fn new(graph: &'g Graph<'de>, id: NodeId) -> Deserializer<'g, 'de> {
        /// Nothing is said of names.
        static NONE: LazyLock<Names> = LazyLock::new(Names::default);
        Deserializer {
            graph,
            id,
            sight: Sight { graph, names: &NONE },
            buffers: &[],
            budget: Budget::with_text(Limits::default(), graph.size(), graph.text_size()),
            open: Vec::new(),
            explicit: None,
        }
    }

    /// With the settings of an [`Unpickler`]: its limits, out-of-band buffers, renamed classes and
    /// extension codes.
    #[must_use]
    pub fn settings(mut self, unpickler: &'g Unpickler<'de>) -> Deserializer<'g, 'de> {
        self.sight.names = &unpickler.names;
        self.buffers = &unpickler.buffers;
        self.limits(unpickler.limits)
    }

    /// An out-of-band buffer.
    fn buffer(&self, number: u32) -> Result<&'de [u8], Error> {
        let none = self.buffers.is_empty();
        self.buffers.get(number as usize).copied().ok_or_else(|| {
            let kind = if none { ErrorKind::NoBuffers } else { ErrorKind::NotEnoughBuffers };
            Error::new(kind).about(self.id)
        })
    }

    /// With other limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Deserializer<'g, 'de> {
        self.budget = Budget::with_text(limits, self.graph.size(), self.graph.text_size());
        self
    }

    #[inline]
    fn node(&self) -> Node<'g> {
        let graph: &'g Graph<'de> = self.graph;
        graph.get(self.id)
    }

    #[cold]
    pub(super) fn mismatch(&self, expected: &dyn Expected) -> Error {
        let expected = expected.to_string();
        let found = self.graph.describe(self.id);
        Error::new(ErrorKind::Expected { expected, found }).about(self.id)
    }

    /// Reads what is inside of the current node, `count` values.
    #[inline]
    pub(super) fn inside<R>(
        &mut self,
        count: usize,
        read: impl FnOnce(&mut Self) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let id = self.id;
        self.budget.visit_all(count)?;
        if self.open.contains(&id) {
            return Err(Error::new(ErrorKind::Cycle).about(id));
        }
        self.budget.enter()?;
        self.open.push(id);
        let result = read(self);
        self.open.pop();
        self.budget.leave();
        self.id = id;
        result
    }

    /// Reads the current node as if it were another one, which is in it.
    fn through<R>(
        &mut self,
        id: NodeId,
        read: impl FnOnce(&mut Self) -> Result<R, Error>,
    ) -> Result<R, Error> {
        self.inside(1, |de| {
            de.id = id;
            read(de)
        })
    }

    #[inline]
    fn seq<V: Visitor<'de>>(
        &mut self,
        ids: &'g [NodeId],
        effects: &'g [Effect],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.inside(ids.len() + effects.len(), |de| {
            let mut items = Items { de, ids: ids.iter(), effects: effects.iter(), taken: 0 };
            let value = visitor.visit_seq(&mut items)?;
            items.end()?;
            Ok(value)
        })
    }

    #[inline]
    fn map<V: Visitor<'de>>(
        &mut self,
        entries: Entries<'g>,
        keys: Keys,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.inside(2 * entries.count(), |de| {
            let mut entries = Map { de, entries, keys, value: None };
            let value = visitor.visit_map(&mut entries)?;
            entries.end()?;
            Ok(value)
        })
    }

    #[inline]
    fn text<V: Visitor<'de>>(&mut self, text: &'g [u8], visitor: V) -> Result<V::Value, Error> {
        self.budget.copy(text)?;
        match self.graph.borrowed(self.id) {
            Some(text) => match str::from_utf8(text) {
                Ok(text) => visitor.visit_borrowed_str(text),
                Err(_) => Err(self.mismatch(&visitor)),
            },
            None => match str::from_utf8(text) {
                Ok(text) => visitor.visit_str(text),
                Err(_) => Err(self.mismatch(&visitor)),
            },
        }
    }

    fn bytes<V: Visitor<'de>>(&mut self, bytes: &'g [u8], visitor: V) -> Result<V::Value, Error> {
        self.budget.copy(bytes)?;
        match self.graph.borrowed(self.id) {
            Some(bytes) => visitor.visit_borrowed_bytes(bytes),
            None => visitor.visit_bytes(bytes),
        }
    }

    fn bytes_as_seq<V: Visitor<'de>>(
        &mut self,
        bytes: &[u8],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.budget.visit_all(bytes.len() / 8)?;
        let mut items: SeqDeserializer<_, Error> = SeqDeserializer::new(bytes.iter().copied());
        let value = visitor.visit_seq(&mut items)?;
        items.end()?;
        Ok(value)
    }

    /// An int that 64 bits cannot hold.
    fn big_int<V: Visitor<'de>>(&mut self, bytes: &[u8], visitor: V) -> Result<V::Value, Error> {
        match wide(bytes) {
            Some(Wide::Signed(value)) => match u64::try_from(value) {
                Ok(value) => visitor.visit_u64(value),
                Err(_) => visitor.visit_i128(value),
            },
            Some(Wide::Unsigned(value)) => visitor.visit_u128(value),
            None => Err(self.mismatch(&visitor)),
        }
    }

    /// A float, or an int that is as good as one.
    fn float(&self, expected: &dyn Expected) -> Result<f64, Error> {
        let value = match self.node() {
            Node::Float(value) => return Ok(value),
            Node::Int(value) => Some(Wide::Signed(value.into())),
            Node::BigInt(bytes) => wide(bytes),
            _ => return Err(self.mismatch(expected)),
        };
        let float = value.and_then(|value| value.float());
        float.ok_or_else(|| {
            let found = match self.node() {
                Node::BigInt(bytes) if bytes.len() > 32 => self.graph.describe(self.id),
                _ => format!("the int {}", self.graph.repr(self.id)),
            };
            let expected = "an int that a float can be".into();
            Error::new(ErrorKind::Expected { expected, found }).about(self.id)
        })
    }

    /// Reads an object as the text, number or bytes that it is by its class's base.
    fn scalar<V: Visitor<'de>>(
        &mut self,
        object: Object<'g>,
        visitor: V,
        read: impl FnOnce(&mut Self, V) -> Result<V::Value, Error>,
    ) -> Result<V::Value, Error> {
        let graph = self.graph;
        self.budget.visit_all(object.effects.len())?;
        let value = Parts::of(self.sight, object).and_then(|parts| match parts.state {
            State::Value(state) if parts.value().is_none() => Some(state),
            _ if parts.kind == Kind::Instance => parts.value(),
            _ => self.sight.plain(object),
        });
        let Some(value) = value else { return Err(self.mismatch(&visitor)) };
        match graph.get(value) {
            Node::None | Node::Tuple(_) | Node::List(_) | Node::Dict(_) => {
                Err(self.mismatch(&visitor))
            }
            _ => self.through(value, |de| read(de, visitor)),
        }
    }

    fn parts(&mut self, object: Object<'g>) -> Result<Option<Parts<'g>>, Error> {
        // They are looked through to find what is asked for.
        self.budget.visit_all(object.effects.len())?;
        let parts = Parts::of(self.sight, object);
        match parts {
            Some(Parts { state: State::Several, .. }) => {
                let what = self.graph.describe(self.id);
                Err(ErrorKind::Custom(format!("{what} has several states")).into())
            }
            _ => Ok(parts),
        }
    }

    /// Reads an object as a sequence, of so many items if that is known.
    fn object_seq<V: Visitor<'de>>(
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
        match (base, parts.kind, parts.state, parts.args) {
            (Some((_, Some(items))), ..) => self.seq(items, &[], visitor),
            (Some((base, None)), Kind::Items, ..) => {
                self.through(base, |de| de::Deserializer::deserialize_seq(de, visitor))
            }
            (None, Kind::Items, ..) => self.seq(&[], &[], visitor),
            // A subclass of tuple has the whole tuple as its argument, a namedtuple each of its items.
            (None, Kind::Instance, State::None | State::Attrs(..), args @ [first, rest @ ..])
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
    fn arguments<V: Visitor<'de>>(
        &mut self,
        object: Object<'g>,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match object::arguments(self.sight, object) {
            Some(args) if self.explicit == Some(self.id) => self.seq(args, &[], visitor),
            _ => Err(self.mismatch(&visitor)),
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

    fn object_map<V: Visitor<'de>>(
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

    fn object_struct<V: Visitor<'de>>(
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
    fn object_any<V: Visitor<'de>>(
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
        if parts.kind == Kind::Returned && object::arguments(self.sight, object) != Some(&[]) {
            // Its state is not all that there is to it.
            return self.arguments(object, visitor);
        }
        match (parts.base.map(|base| graph.get(base)), parts.state, parts.args) {
            (Some(Node::List(_) | Node::Set(_) | Node::FrozenSet(_)), ..) => {
                self.object_seq(object, None, visitor)
            }
            (Some(Node::Dict(_)), ..) | (_, State::Attrs(..), _) => {
                self.object_map(object, Keys::Items, visitor)
            }
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

/// The items of what Python could iterate over.
fn items<'g>(graph: &'g Graph<'_>, id: NodeId) -> Option<&'g [NodeId]> {
    match graph.get(id) {
        Node::Tuple(items) | Node::List(items) | Node::Set(items) | Node::FrozenSet(items) => {
            Some(items)
        }
        _ => None,
    }
}

/// An int asked for: signed ones are handed over as such, since visitors may take only those.
macro_rules! ints {
    ($($method:ident $visit:ident $of:ty,)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            if let Some(value) = self.graph.int(self.id) {
                return match <$of>::try_from(value) {
                    Ok(value) => visitor.$visit(value),
                    Err(_) => visitor.visit_i64(value),
                };
            }
            match self.node() {
                Node::BigInt(bytes) => self.big_int(bytes, visitor),
                Node::Object(object) => self.scalar(object, visitor, |de, v| de.$method(v)),
                _ => Err(self.mismatch(&visitor)),
            }
        }
    )*};
}

impl<'g, 'de> de::Deserializer<'de> for &mut Deserializer<'g, 'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node() {
            Node::None => visitor.visit_unit(),
            Node::Bool(value) => visitor.visit_bool(value),
            Node::Int(value) => match u64::try_from(value) {
                Ok(value) => visitor.visit_u64(value),
                Err(_) => visitor.visit_i64(value),
            },
            Node::BigInt(bytes) => self.big_int(bytes, visitor),
            Node::Float(value) => visitor.visit_f64(value),
            Node::Str(text) if text.to_str().is_some() => self.text(text.as_bytes(), visitor),
            Node::Str(text) => self.bytes(text.as_bytes(), visitor),
            Node::OldStr(text) if str::from_utf8(text).is_ok() => self.text(text, visitor),
            Node::OldStr(bytes) | Node::Bytes(bytes) | Node::ByteArray(bytes) => {
                self.bytes(bytes, visitor)
            }
            Node::Buffer(number) => visitor.visit_borrowed_bytes(self.buffer(number)?),
            Node::ReadonlyBuffer(buffer) => self.through(buffer, |de| de.deserialize_any(visitor)),
            Node::Tuple(items) | Node::List(items) | Node::Set(items) | Node::FrozenSet(items) => {
                self.seq(items, &[], visitor)
            }
            Node::Dict(entries) => self.map(Entries::of(entries), Keys::Items, visitor),
            Node::Object(object) => self.object_any(object, visitor),
        }
    }

    #[inline]
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node() {
            Node::Bool(value) => visitor.visit_bool(value),
            _ => Err(self.mismatch(&visitor)),
        }
    }

    ints! {
        deserialize_i8 visit_i64 i64,
        deserialize_i16 visit_i64 i64,
        deserialize_i32 visit_i64 i64,
        deserialize_i64 visit_i64 i64,
        deserialize_i128 visit_i128 i128,
        deserialize_u8 visit_u64 u64,
        deserialize_u16 visit_u64 u64,
        deserialize_u32 visit_u64 u64,
        deserialize_u64 visit_u64 u64,
        deserialize_u128 visit_u128 u128,
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let value = match self.node() {
            Node::Object(object) => {
                return self.scalar(object, visitor, |de, v| de.deserialize_f32(v));
            }
            _ => self.float(&visitor)?,
        };
        // The visitor rounds.
        match single(value) {
            Some(_) => visitor.visit_f64(value),
            None => Err(de::Error::invalid_value(de::Unexpected::Float(value), &visitor)),
        }
    }

    #[inline]
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if let Some(value) = self.graph.float(self.id) {
            return visitor.visit_f64(value);
        }
        match self.node() {
            Node::Object(object) => self.scalar(object, visitor, |de, v| de.deserialize_f64(v)),
            _ => {
                let value = self.float(&visitor)?;
                visitor.visit_f64(value)
            }
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if let Some(Ok(text)) = self.graph.text(self.id)
            && let Ok(text) = str::from_utf8(text)
        {
            self.budget.copy(text.as_bytes())?;
            return visitor.visit_borrowed_str(text);
        }
        match self.node() {
            Node::Str(text) => self.text(text.as_bytes(), visitor),
            Node::OldStr(text) => self.text(text, visitor),
            Node::Object(object) => self.scalar(object, visitor, |de, v| de.deserialize_str(v)),
            _ => Err(self.mismatch(&visitor)),
        }
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node() {
            Node::Bytes(bytes) | Node::ByteArray(bytes) | Node::OldStr(bytes) => {
                self.bytes(bytes, visitor)
            }
            Node::Str(text) => self.bytes(text.as_bytes(), visitor),
            Node::Buffer(number) => visitor.visit_borrowed_bytes(self.buffer(number)?),
            Node::ReadonlyBuffer(buffer) => {
                self.through(buffer, |de| de.deserialize_bytes(visitor))
            }
            Node::Object(object) => match self.sight.bytes(object) {
                Some(bytes) => {
                    self.budget.copy(&bytes)?;
                    visitor.visit_bytes(&bytes)
                }
                None => self.scalar(object, visitor, |de, v| de.deserialize_bytes(v)),
            },
            _ => Err(self.mismatch(&visitor)),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_bytes(visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.graph.is_none(self.id) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node() {
            Node::None => visitor.visit_unit(),
            Node::Object(object) if self.explicit == Some(self.id) => {
                self.budget.visit_all(object.effects.len())?;
                match Parts::of(self.sight, object) {
                    Some(parts) if parts.is_empty() => visitor.visit_unit(),
                    _ => Err(self.mismatch(&visitor)),
                }
            }
            _ => Err(self.mismatch(&visitor)),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        // A type that is in itself with nothing between would go on for ever.
        self.budget.enter()?;
        let result = visitor.visit_newtype_struct(&mut *self);
        self.budget.leave();
        result
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let graph: &'g Graph<'de> = self.graph;
        if let Some(items) = graph.items(self.id) {
            return self.seq(items, &[], visitor);
        }
        match self.node() {
            Node::Bytes(bytes) | Node::ByteArray(bytes) => self.bytes_as_seq(bytes, visitor),
            Node::Buffer(number) => self.bytes_as_seq(self.buffer(number)?, visitor),
            Node::ReadonlyBuffer(buffer) => self.through(buffer, |de| de.deserialize_seq(visitor)),
            Node::Object(object) => self.object_seq(object, None, visitor),
            _ => Err(self.mismatch(&visitor)),
        }
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        let graph: &'g Graph<'de> = self.graph;
        if let Some(items) = graph.items(self.id) {
            return self.seq(items, &[], visitor);
        }
        match self.node() {
            Node::Object(object) => self.object_seq(object, Some(len), visitor),
            _ => self.deserialize_seq(visitor),
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(len, visitor)
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let graph: &'g Graph<'de> = self.graph;
        if let Some(entries) = graph.entries(self.id) {
            return self.map(Entries::of(entries), Keys::Items, visitor);
        }
        match self.node() {
            Node::Object(object) => self.object_map(object, Keys::Items, visitor),
            _ => Err(self.mismatch(&visitor)),
        }
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name == INSTANCE {
            return InstanceAccess::visit(self, visitor);
        }
        let graph: &'g Graph<'de> = self.graph;
        if let Some(entries) = graph.entries(self.id) {
            return self.map(Entries::of(entries), Keys::Fields, visitor);
        }
        match self.node() {
            Node::Tuple(items) | Node::List(items) => self.seq(items, &[], visitor),
            Node::Object(object) => self.object_struct(object, name, fields, visitor),
            _ => Err(self.mismatch(&visitor)),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let graph = self.graph;
        let name = match self.node() {
            Node::Str(_) | Node::OldStr(_) => graph.utf8(self.id),
            Node::Dict(&[[name, value]]) => {
                return self.inside(2, |de| visitor.visit_enum(Variant { de, name, value }));
            }
            Node::Object(_) => match object::member(self.sight, self.id) {
                Some(Member::Name(name)) => Some(name),
                Some(Member::Value(value)) => graph.utf8(value),
                None => None,
            },
            _ => None,
        };
        match name {
            Some(name) => {
                self.budget.copy(name.as_bytes())?;
                let name: StrDeserializer<'_, Error> = name.into_deserializer();
                visitor.visit_enum(name)
            }
            None => Err(self.mismatch(&visitor)),
        }
    }

    #[inline]
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
}

/// Items of a sequence, or those that an object gets.
struct Items<'r, 'g, 'de> {
    de: &'r mut Deserializer<'g, 'de>,
    ids: slice::Iter<'g, NodeId>,
    effects: slice::Iter<'g, Effect>,
    taken: usize,
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
    fn end(&mut self) -> Result<(), Error> {
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
struct Entries<'g> {
    first: &'g [[NodeId; 2]],
    second: &'g [[NodeId; 2]],
    /// Nodes that are pairs.
    listed: &'g [NodeId],
    effects: &'g [Effect],
}

impl<'g> Entries<'g> {
    #[inline]
    fn of(first: &'g [[NodeId; 2]]) -> Entries<'g> {
        Entries { first, ..Entries::default() }
    }

    #[inline]
    fn count(&self) -> usize {
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
            if let Some(&[key, value]) = items(graph, *pair) {
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
enum Keys {
    /// Of a dict that is read as a map.
    Items,
    /// Of a dict that is read as a struct.
    Fields,
    /// Names of attributes.
    Attrs,
}

struct Map<'r, 'g, 'de> {
    de: &'r mut Deserializer<'g, 'de>,
    entries: Entries<'g>,
    keys: Keys,
    /// The entry whose key was read.
    value: Option<[NodeId; 2]>,
}

impl Map<'_, '_, '_> {
    #[inline]
    fn end(&mut self) -> Result<(), Error> {
        if self.entries.count() == 0 || self.entries.next(self.de.graph).is_none() {
            return Ok(());
        }
        Err(ErrorKind::Custom("the type takes fewer entries than there are".into()).into())
    }

    #[cold]
    fn step(&self, key: NodeId) -> Step {
        match (self.keys, self.de.graph.utf8(key)) {
            (Keys::Attrs, Some(name)) => Step::Attr(name.into()),
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
            && graph.text(key).is_none()
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
struct Variant<'r, 'g, 'de> {
    de: &'r mut Deserializer<'g, 'de>,
    name: NodeId,
    value: NodeId,
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
