//! Reading: serde's data model from a graph's nodes. A node is only looked at, never run.
//!
//! Children are slices of the graph, text is where the pickle has it. What recurses here is bounded by
//! a [`Budget`], in depth and in all, since shared data is read again wherever it is.

use std::io::BufRead;
use std::sync::LazyLock;

use serde::Deserialize;
use serde::de::value::{SeqDeserializer, StrDeserializer};
use serde::de::{self, DeserializeOwned, Expected, IntoDeserializer, Visitor};

use super::access::{Entries, Items, Keys, Map, Variant};
use super::instance::{INSTANCE, InstanceAccess};
use super::parts::{self, Member, Parts};
use crate::error::{Error, ErrorKind};
use crate::fetch::fetch;
use crate::graph::{Effect, Graph, Node, NodeId};
use crate::limits::{Budget, Limits};
use crate::number::{Wide, exact_float, is_single, single, wide};
use crate::typed::Unpickler;
use crate::typed::made::{Names, Sight};
use crate::typed::unpickler::buffer;

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

/// Reads a pickle from a stream, and no further than its STOP. The whole pickle is in memory meanwhile.
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
        let pickle = fetch(reader, self.limits)?;
        let settings: &Unpickler<'_> = self;
        settings.deserialize(&pickle)
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
    ///
    /// ```
    /// use halfsour::serde::Deserializer;
    /// use serde::Deserialize;
    ///
    /// let graph = halfsour::load(b"](K\x01K\x02e.")?;
    /// let mut list = Deserializer::new(&graph, graph.root());
    /// assert_eq!(Vec::<u8>::deserialize(&mut list)?, [1, 2]);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn new(graph: &'g Graph<'de>, id: NodeId) -> Deserializer<'g, 'de> {
        /// Nothing is said of names.
        static NONE: LazyLock<Names> = LazyLock::new(Names::default);
        Deserializer {
            graph,
            id,
            sight: Sight { graph, names: &NONE },
            buffers: &[],
            budget: Budget::with_text(Limits::default(), graph, &[]),
            open: Vec::new(),
            explicit: None,
        }
    }

    /// With the settings of an [`Unpickler`]: its limits, out-of-band buffers, renamed classes and
    /// extension codes.
    ///
    /// ```
    /// use halfsour::{Unpickler, serde::Deserializer};
    /// use serde::Deserialize;
    ///
    /// let graph = halfsour::load(b"\x80\x05\x97.")?;
    /// let unpickler = Unpickler::new().buffers(&[b"spam"]);
    /// let mut buffer = Deserializer::new(&graph, graph.root()).settings(&unpickler);
    /// assert_eq!(<&[u8]>::deserialize(&mut buffer)?, b"spam");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[must_use]
    pub fn settings(mut self, unpickler: &'g Unpickler<'de>) -> Deserializer<'g, 'de> {
        self.sight.names = &unpickler.names;
        self.buffers = &unpickler.buffers;
        self.limits(unpickler.limits)
    }

    /// An out-of-band buffer.
    fn buffer(&self, number: u32) -> Result<&'de [u8], Error> {
        buffer(self.buffers, number).map_err(|kind| Error::new(kind).about(self.id))
    }

    fn buffer_bytes<V: Visitor<'de>>(
        &mut self,
        number: u32,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let bytes = self.buffer(number)?;
        self.budget.copy(bytes)?;
        visitor.visit_borrowed_bytes(bytes)
    }

    /// With other limits.
    ///
    /// ```
    /// use halfsour::{Limits, serde::Deserializer};
    /// use serde::Deserialize;
    ///
    /// let graph = halfsour::load(b"(((lll.")?;
    /// let limits = Limits::default().depth(1);
    /// let mut lists = Deserializer::new(&graph, graph.root()).limits(limits);
    /// let error = Vec::<Vec<u8>>::deserialize(&mut lists).unwrap_err();
    /// assert_eq!(error.to_string(), "more than the limit of 1 (depth) at root[0]");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Deserializer<'g, 'de> {
        self.budget = Budget::with_text(limits, self.graph, self.buffers);
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
        self.budget.visit_all(count)?;
        self.budget.enter()?;
        let result = self.opened(read);
        self.budget.leave();
        result
    }

    /// Reads what is in the current node, which must not be in itself.
    #[inline]
    fn opened<R>(&mut self, read: impl FnOnce(&mut Self) -> Result<R, Error>) -> Result<R, Error> {
        let id = self.id;
        if self.open.contains(&id) {
            return Err(Error::new(ErrorKind::Cycle).about(id));
        }
        self.open.push(id);
        let result = read(self);
        self.open.pop();
        self.id = id;
        result
    }

    /// Reads the current node as if it were another one, which is in it: the level is that one's.
    pub(super) fn through<R>(
        &mut self,
        id: NodeId,
        read: impl FnOnce(&mut Self) -> Result<R, Error>,
    ) -> Result<R, Error> {
        self.budget.visit_all(1)?;
        let before = self.budget.step_into_object()?;
        let result = self.opened(|de| {
            de.id = id;
            read(de)
        });
        self.budget.step_out_of_object(before);
        result
    }

    /// Reads the current node by another type: that of a newtype, of a `Some`.
    #[inline]
    pub(super) fn same<R>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let before = self.budget.step()?;
        let result = read(self);
        self.budget.step_back(before);
        result
    }

    #[inline]
    pub(super) fn seq<V: Visitor<'de>>(
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
    pub(super) fn map<V: Visitor<'de>>(
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
        let graph: &'g Graph<'de> = self.graph;
        if let Some(text) = graph.borrowed_utf8(self.id) {
            return visitor.visit_borrowed_str(text);
        }
        match graph.utf8(self.id) {
            Some(text) => visitor.visit_str(text),
            None => Err(self.mismatch(&visitor)),
        }
    }

    fn bytes<V: Visitor<'de>>(&mut self, bytes: &'g [u8], visitor: V) -> Result<V::Value, Error> {
        self.budget.copy(bytes)?;
        match self.graph.borrowed(self.id) {
            Some(bytes) => visitor.visit_borrowed_bytes(bytes),
            None => visitor.visit_bytes(bytes),
        }
    }

    pub(super) fn bytes_as_seq<V: Visitor<'de>>(
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

    /// A float, or an int that is one and fits.
    fn float(&self, expected: &dyn Expected, fits: fn(f64) -> bool) -> Result<f64, Error> {
        let float = match self.node() {
            Node::Float(value) => return Ok(value),
            Node::Int(value) => exact_float(&value.to_le_bytes()),
            Node::BigInt(bytes) => exact_float(bytes),
            _ => return Err(self.mismatch(expected)),
        };
        float.filter(|float| fits(*float)).ok_or_else(|| {
            let found = match self.node() {
                Node::BigInt(bytes) if bytes.len() > 32 => self.graph.describe(self.id),
                _ => format!("the int {}", self.graph.repr(self.id)),
            };
            let expected = "an int that a float can be".into();
            Error::new(ErrorKind::Expected { expected, found }).about(self.id)
        })
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
            Node::OldStr(text) if self.graph.utf8(self.id).is_some() => self.text(text, visitor),
            Node::OldStr(bytes) | Node::Bytes(bytes) | Node::ByteArray(bytes) => {
                self.bytes(bytes, visitor)
            }
            Node::Buffer(number) => self.buffer_bytes(number, visitor),
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
            _ => self.float(&visitor, is_single)?,
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
                let value = self.float(&visitor, |_| true)?;
                visitor.visit_f64(value)
            }
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if let Some(text) = self.graph.borrowed_utf8(self.id) {
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
            Node::Buffer(number) => self.buffer_bytes(number, visitor),
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
        match self.graph.is_none(self.id) {
            true => visitor.visit_none(),
            false => self.same(|de| visitor.visit_some(de)),
        }
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
        self.same(|de| visitor.visit_newtype_struct(de))
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
            Node::Object(_) => match parts::member(self.sight, self.id) {
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
