//! Tuples, lists, dicts and sets, given at once or item by item.

use super::batch::{Batch, Kind};
use super::{Begun, Done, ToPickle, Writer};
use crate::emitter::Emitter;
use crate::error::{Error, Step};
use crate::opcode::Opcode;
use crate::text::{cut, repr_str};

/// A tuple that is being written: see [`Writer::tuple_with`].
///
/// ```
/// use halfsour::{Error, ToPickle, Writer};
/// struct Squares(u32);
/// impl ToPickle for Squares {
///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
///         out.tuple_with(self.0 as usize, |tuple| {
///             (0..self.0).try_for_each(|number| tuple.item(&(number * number)))
///         })
///     }
/// }
/// assert_eq!(halfsour::to_vec(&Squares(3))?, halfsour::to_vec(&(0, 1, 4))?);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct TupleItems<'o, 'w> {
    out: &'o mut Writer<'w>,
    key: Option<usize>,
    len: usize,
    done: usize,
}

impl<'o, 'w> TupleItems<'o, 'w> {
    /// The next item.
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer};
    /// struct Money(i64, &'static str);
    /// impl ToPickle for Money {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.tuple_with(2, |tuple| {
    ///             tuple.item(&self.0)?;
    ///             tuple.item(self.1)
    ///         })
    ///     }
    /// }
    /// assert_eq!(halfsour::to_vec(&Money(5, "EUR"))?, halfsour::to_vec(&(5, "EUR"))?);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// What writing it says, with its place.
    #[inline]
    pub fn item<T: ToPickle + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.item_with(|out| out.save(value))
    }

    /// The next item, which a function writes.
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer};
    /// struct File(&'static str, Vec<u8>);
    /// impl ToPickle for File {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.tuple_with(2, |tuple| {
    ///             tuple.item(self.0)?;
    ///             tuple.item_with(|out| out.bytes(&self.1))
    ///         })
    ///     }
    /// }
    /// let data = halfsour::to_vec(&File("spam", vec![1, 2]))?;
    /// assert!(data.ends_with(b"\x8c\x04spam\x94C\x02\x01\x02\x94\x86\x94."));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`item`](TupleItems::item).
    #[inline]
    pub fn item_with(
        &mut self,
        write: impl FnOnce(&mut Writer<'w>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        write(self.out).map_err(|error| error.within(Step::Index(self.done)))?;
        self.done += 1;
        Ok(())
    }

    #[inline(always)]
    pub(crate) fn end(self) -> Done {
        self.finish().map(|_| ())
    }

    /// The same; gives the writer back.
    #[inline(always)]
    pub(crate) fn finish(self) -> Result<&'o mut Writer<'w>, Error> {
        let TupleItems { out, key, len, done } = self;
        out.leave();
        if done != len {
            return Err(miscounted(len, done));
        }
        if len == 0 {
            out.out.empty_tuple();
            return Ok(out);
        }
        let opcode = match (len, out.protocol()) {
            (1, 2..) => Opcode::Tuple1,
            (2, 2..) => Opcode::Tuple2,
            (3, 2..) => Opcode::Tuple3,
            _ => Opcode::Tuple,
        };
        out.end(opcode, Begun { key })?;
        Ok(out)
    }
}

#[cold]
fn miscounted(len: usize, done: usize) -> Error {
    Error::custom(format_args!("a tuple of {len} items got {done}"))
}

/// A list or a set that is being written: see [`Writer::list_with`].
///
/// ```
/// use halfsour::{Error, ToPickle, Writer};
/// struct Countdown(u8);
/// impl ToPickle for Countdown {
///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
///         out.list_with(Some(self.0.into()), |list| {
///             (0..self.0).rev().try_for_each(|number| list.item(&number))
///         })
///     }
/// }
/// assert_eq!(halfsour::to_vec(&Countdown(3))?, halfsour::to_vec(&[2, 1, 0])?);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct Items<'o, 'w> {
    out: &'o mut Writer<'w>,
    batch: Batch,
    len: Option<usize>,
    /// Whether what it is in must be hashed.
    hashed: bool,
}

impl<'w> Items<'_, 'w> {
    /// The next item.
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer};
    /// struct Lengths(&'static str);
    /// impl ToPickle for Lengths {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.list_with(None, |list| {
    ///             self.0.split(' ').try_for_each(|word| list.item(&word.len()))
    ///         })
    ///     }
    /// }
    /// assert_eq!(halfsour::to_vec(&Lengths("spam and egg"))?, halfsour::to_vec(&[4, 3, 3])?);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// What writing it says, with its place.
    #[inline]
    pub fn item<T: ToPickle + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.item_with(|out| out.save(value))
    }

    /// The next item, which a function writes.
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer};
    /// struct Chunks(&'static [u8]);
    /// impl ToPickle for Chunks {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.list_with(None, |list| {
    ///             self.0.chunks(2).try_for_each(|chunk| list.item_with(|out| out.bytes(chunk)))
    ///         })
    ///     }
    /// }
    /// let data = halfsour::to_vec(&Chunks(b"spam"))?;
    /// assert!(data.ends_with(b"]\x94(C\x02sp\x94C\x02am\x94e."));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`item`](Items::item).
    #[inline]
    pub fn item_with(
        &mut self,
        write: impl FnOnce(&mut Writer<'w>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let done = self.batch.done();
        self.put(self.len == Some(done + 1), write)
    }

    #[inline]
    fn put(&mut self, last: bool, write: impl FnOnce(&mut Writer<'w>) -> Done) -> Done {
        let done = self.batch.done();
        self.batch.item(&mut self.out.out, last);
        write(self.out).map_err(|error| error.within(Step::Index(done)))?;
        self.batch.item_done(&mut self.out.out);
        Ok(())
    }

    #[inline(always)]
    pub(crate) fn end(mut self) -> Done {
        self.batch.end(&mut self.out.out);
        self.out.hashed = self.hashed;
        self.out.leave();
        Ok(())
    }
}

/// A dict that is being written: see [`Writer::dict_with`].
///
/// ```
/// use halfsour::{Error, ToPickle, Writer};
/// use std::collections::BTreeMap;
/// struct Squares(u32);
/// impl ToPickle for Squares {
///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
///         out.dict_with(None, |dict| {
///             (1..=self.0).try_for_each(|number| dict.entry(&number, &(number * number)))
///         })
///     }
/// }
/// let squares: BTreeMap<u32, u32> = halfsour::from_slice(&halfsour::to_vec(&Squares(2))?)?;
/// assert_eq!(squares, BTreeMap::from([(1, 1), (2, 4)]));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct Entries<'o, 'w> {
    out: &'o mut Writer<'w>,
    batch: Batch,
    len: Option<usize>,
    /// Whether what it is in must be hashed.
    hashed: bool,
}

impl<'o, 'w> Entries<'o, 'w> {
    /// The next key and its value.
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer};
    /// struct Setting(&'static str, bool);
    /// impl ToPickle for Setting {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.dict_with(Some(1), |dict| dict.entry(self.0, &self.1))
    ///     }
    /// }
    /// let data = halfsour::to_vec(&Setting("spam", true))?;
    /// assert!(data.ends_with(b"}\x94\x8c\x04spam\x94\x88s."));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// What writing them says, with the key.
    #[inline]
    pub fn entry<K: ToPickle + ?Sized, V: ToPickle + ?Sized>(
        &mut self,
        key: &K,
        value: &V,
    ) -> Result<(), Error> {
        let last = self.len == Some(self.batch.done() + 1);
        self.put(last, key, value)
    }

    #[inline]
    fn put<K: ToPickle + ?Sized, V: ToPickle + ?Sized>(
        &mut self,
        last: bool,
        key: &K,
        value: &V,
    ) -> Done {
        self.batch.item(&mut self.out.out, last);
        self.out.hashed = true;
        key.to_pickle_as_item(self.out)
            .map_err(|error| error.within(Step::InKey(shown(self.out, key))))?;
        self.out.hashed = false;
        value
            .to_pickle_as_item(self.out)
            .map_err(|error| error.within(Step::Key(shown(self.out, key))))?;
        self.batch.item_done(&mut self.out.out);
        Ok(())
    }

    /// The next key, which is a name in the program (see [`Writer::name`]), and its value.
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer};
    /// struct Size(u32);
    /// impl ToPickle for Size {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.dict_with(Some(1), |dict| dict.field("size", &self.0))
    ///     }
    /// }
    /// // The second time, the name is a reference.
    /// let data = halfsour::to_vec(&(Size(1), Size(2)))?;
    /// assert!(data.ends_with(b"}\x94\x8c\x04size\x94K\x01s}\x94h\x01K\x02s\x86\x94."));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`entry`](Entries::entry).
    #[inline]
    pub fn field<V: ToPickle + ?Sized>(
        &mut self,
        name: &'static str,
        value: &V,
    ) -> Result<(), Error> {
        self.begin_key();
        self.out.name(name)?;
        self.begin_value();
        self.out.save(value).map_err(|error| error.within(Step::Attr(name.into())))?;
        self.end_value();
        Ok(())
    }

    /// To be called before a key.
    #[inline(always)]
    pub(crate) fn begin_key(&mut self) {
        let last = self.len == Some(self.batch.done() + 1);
        self.batch.item(&mut self.out.out, last);
        self.out.hashed = true;
    }

    /// To be called before a value.
    #[inline(always)]
    pub(crate) fn begin_value(&mut self) {
        self.out.hashed = false;
    }

    /// To be called after a value.
    #[inline(always)]
    pub(crate) fn end_value(&mut self) {
        self.batch.item_done(&mut self.out.out);
    }

    /// The writer, for a key or a value.
    #[cfg(feature = "serde")]
    #[inline]
    pub(crate) fn writer(&mut self) -> &mut Writer<'w> {
        self.out
    }

    #[inline(always)]
    pub(crate) fn end(self) -> Done {
        self.finish();
        Ok(())
    }

    /// The same; gives the writer back.
    #[inline(always)]
    pub(crate) fn finish(mut self) -> &'o mut Writer<'w> {
        self.batch.end(&mut self.out.out);
        self.out.hashed = self.hashed;
        self.out.leave();
        self.out
    }
}

/// How deep keys may be to be shown.
const SHOWN_DEPTH: u32 = 4;

/// A key by itself, for an error to show; empty if it cannot be. Of keys within it none is shown, or
/// each would be for each around it.
#[cold]
pub(crate) fn written_to_show<K: ToPickle + ?Sized>(out: &Writer<'_>, key: &K) -> Vec<u8> {
    let limits = out.limits();
    if limits.depth <= SHOWN_DEPTH {
        return Vec::new();
    }
    let mut pickler = super::Pickler::new().limits(limits.depth(SHOWN_DEPTH));
    pickler.to_vec(key).unwrap_or_default()
}

/// A key as errors show it.
#[cold]
fn shown<K: ToPickle + ?Sized>(out: &Writer<'_>, key: &K) -> String {
    use crate::graph::Node;
    let data = written_to_show(out, key);
    let graph = crate::graph::load(&data);
    match graph.as_ref().map(|graph| graph.get(graph.root())) {
        Ok(Node::Str(text)) => cut(text.as_bytes(), repr_str),
        Ok(Node::Int(value)) => value.to_string(),
        _ => "...".into(),
    }
}

impl<'w> Writer<'w> {
    /// A tuple.
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer};
    /// struct Pair;
    /// impl ToPickle for Pair {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.tuple(&[&1, &"spam"])
    ///     }
    /// }
    /// assert_eq!(halfsour::to_vec(&Pair)?, halfsour::to_vec(&(1, "spam"))?);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// What writing the items says, with their place.
    pub fn tuple(&mut self, items: &[&dyn ToPickle]) -> Result<(), Error> {
        self.tuple_with(items.len(), |tuple| items.iter().try_for_each(|item| tuple.item(*item)))
    }

    /// A tuple of so many items, which a function writes.
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer};
    /// struct Vector([f64; 3]);
    /// impl ToPickle for Vector {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.tuple_with(3, |tuple| self.0.iter().try_for_each(|part| tuple.item(part)))
    ///     }
    /// }
    /// assert_eq!(halfsour::to_vec(&Vector([0.5; 3]))?, halfsour::to_vec(&(0.5, 0.5, 0.5))?);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// What writing the items says, with their place; where there are more or fewer of them.
    #[inline]
    pub fn tuple_with(
        &mut self,
        len: usize,
        fill: impl FnOnce(&mut TupleItems<'_, 'w>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut items = self.begin_tuple(len)?;
        fill(&mut items)?;
        items.end()
    }

    /// The same, for those that cannot give a function.
    #[inline(always)]
    pub(crate) fn begin_tuple(&mut self, len: usize) -> Result<TupleItems<'_, 'w>, Error> {
        let Begun { key } = self.begin()?;
        self.enter()?;
        if len > 3 || len > 0 && self.protocol() < 2 {
            self.out.op(Opcode::Mark);
        }
        Ok(TupleItems { out: self, key, len, done: 0 })
    }

    /// A list.
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer};
    /// struct Evens(u32);
    /// impl ToPickle for Evens {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.list((0..self.0).step_by(2))
    ///     }
    /// }
    /// assert_eq!(halfsour::to_vec(&Evens(6))?, halfsour::to_vec(&[0, 2, 4])?);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// What writing the items says, with their place.
    #[inline]
    pub fn list<I>(&mut self, items: I) -> Result<(), Error>
    where
        I: IntoIterator,
        I::Item: ToPickle,
    {
        let mut list = self.begin_list(None)?;
        fill(&mut list, items)?;
        list.end()
    }

    /// A list whose items a function writes. Where their number is known, a list of one item takes
    /// a byte less.
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer};
    /// struct Lines(&'static str);
    /// impl ToPickle for Lines {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.list_with(None, |list| self.0.lines().try_for_each(|line| list.item(line)))
    ///     }
    /// }
    /// assert_eq!(halfsour::to_vec(&Lines("one\ntwo"))?, halfsour::to_vec(&["one", "two"])?);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// What writing the items says, with their place.
    #[inline]
    pub fn list_with(
        &mut self,
        len: Option<usize>,
        fill: impl FnOnce(&mut Items<'_, 'w>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut items = self.begin_list(len)?;
        fill(&mut items)?;
        items.end()
    }

    /// The same, for those that cannot give a function.
    #[inline(always)]
    pub(crate) fn begin_list(&mut self, len: Option<usize>) -> Result<Items<'_, 'w>, Error> {
        self.unhashable("list")?;
        self.make(Opcode::EmptyList, Emitter::empty_list)?;
        self.items(Kind::List, self.loose, len)
    }

    /// Items for the object that was just written.
    #[inline]
    fn items(
        &mut self,
        kind: Kind,
        loose: bool,
        len: Option<usize>,
    ) -> Result<Items<'_, 'w>, Error> {
        self.enter()?;
        let hashed = std::mem::replace(&mut self.hashed, matches!(kind, Kind::Set));
        Ok(Items { batch: Batch::new(kind, loose), out: self, len, hashed })
    }

    /// A dict.
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer};
    /// struct Numbered(&'static [&'static str]);
    /// impl ToPickle for Numbered {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.dict(self.0.iter().zip(1..))
    ///     }
    /// }
    /// let data = halfsour::to_vec(&Numbered(&["spam", "egg"]))?;
    /// assert!(data.ends_with(b"}\x94(\x8c\x04spam\x94K\x01\x8c\x03egg\x94K\x02u."));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// What writing the keys and values says, with the key.
    #[inline]
    pub fn dict<I, K, V>(&mut self, entries: I) -> Result<(), Error>
    where
        I: IntoIterator<Item = (K, V)>,
        K: ToPickle,
        V: ToPickle,
    {
        let mut dict = self.begin_dict(None)?;
        fill_dict(&mut dict, entries)?;
        dict.end()
    }

    /// A dict whose entries a function writes. Where their number is known, a dict of one entry
    /// takes a byte less.
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer};
    /// struct Lengths(&'static [&'static str]);
    /// impl ToPickle for Lengths {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.dict_with(Some(self.0.len()), |dict| {
    ///             self.0.iter().try_for_each(|word| dict.entry(*word, &word.len()))
    ///         })
    ///     }
    /// }
    /// let data = halfsour::to_vec(&Lengths(&["spam"]))?;
    /// assert_eq!(data, b"\x80\x05\x95\x0d\0\0\0\0\0\0\0}\x94\x8c\x04spam\x94K\x04s.");
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// What writing the keys and values says, with the key.
    #[inline]
    pub fn dict_with(
        &mut self,
        len: Option<usize>,
        fill: impl FnOnce(&mut Entries<'_, 'w>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut entries = self.begin_dict(len)?;
        fill(&mut entries)?;
        entries.end()
    }

    /// The same, for those that cannot give a function.
    #[inline(always)]
    pub(crate) fn begin_dict(&mut self, len: Option<usize>) -> Result<Entries<'_, 'w>, Error> {
        self.unhashable("dict")?;
        self.make(Opcode::EmptyDict, Emitter::empty_dict)?;
        self.enter()?;
        Ok(Entries { batch: Batch::new(Kind::Dict, self.loose), out: self, len, hashed: false })
    }

    /// A dict of one entry, whose value comes next; then [`end_variant`](Writer::end_variant).
    #[cfg(feature = "serde")]
    pub(crate) fn begin_variant(&mut self, name: &'static str) -> Result<(), Error> {
        self.unhashable("dict")?;
        self.make(Opcode::EmptyDict, Emitter::empty_dict)?;
        self.enter()?;
        self.name(name)
    }

    #[cfg(feature = "serde")]
    pub(crate) fn end_variant(&mut self) {
        self.out.op(Opcode::SetItem);
        self.leave();
    }

    /// A set.
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer};
    /// struct Evens(u32);
    /// impl ToPickle for Evens {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.set((0..self.0).step_by(2))
    ///     }
    /// }
    /// let data = halfsour::to_vec(&Evens(6))?;
    /// assert!(data.ends_with(b"\x8f\x94(K\0K\x02K\x04\x90."));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// What writing the items says, with their place.
    pub fn set<I>(&mut self, items: I) -> Result<(), Error>
    where
        I: IntoIterator,
        I::Item: ToPickle,
    {
        self.unhashable("set")?;
        let begun = self.begin()?;
        if self.protocol() < 4 {
            return self.set_of_list("set", items, begun);
        }
        self.end(Opcode::EmptySet, begun)?;
        let mut set = self.items(Kind::Set, self.loose, None)?;
        fill(&mut set, items)?;
        set.end()
    }

    /// A frozenset.
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer};
    /// struct Frozen;
    /// impl ToPickle for Frozen {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.frozenset([1, 2])
    ///     }
    /// }
    /// let data = halfsour::to_vec(&Frozen)?;
    /// assert_eq!(data, b"\x80\x05\x95\x08\0\0\0\0\0\0\0(K\x01K\x02\x91\x94.");
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// What writing the items says, with their place.
    pub fn frozenset<I>(&mut self, items: I) -> Result<(), Error>
    where
        I: IntoIterator,
        I::Item: ToPickle,
    {
        let begun = self.begin()?;
        if self.protocol() < 4 {
            return self.set_of_list("frozenset", items, begun);
        }
        self.out.op(Opcode::Mark);
        self.enter()?;
        let hashed = std::mem::replace(&mut self.hashed, true);
        items.into_iter().enumerate().try_for_each(|(index, item)| {
            item.to_pickle_as_item(self).map_err(|error| error.within(Step::Index(index)))
        })?;
        self.hashed = hashed;
        self.leave();
        self.end(Opcode::FrozenSet, begun)
    }

    /// `set([...])`, which older protocols have instead of a set's own opcodes.
    fn set_of_list<I>(&mut self, class: &'static str, items: I, begun: Begun) -> Done
    where
        I: IntoIterator,
        I::Item: ToPickle,
    {
        self.global("builtins", class)?;
        let hashed = std::mem::replace(&mut self.hashed, false);
        let mut args = self.begin_tuple(1)?;
        let mut list = args.out.begin_list(None)?;
        list.out.hashed = true;
        fill(&mut list, items)?;
        list.end()?;
        args.done = 1;
        args.end()?;
        self.hashed = hashed;
        self.end(Opcode::Reduce, begun)
    }

    /// Appends to the object that was just written, by its `extend` or `append`.
    ///
    /// ```
    /// use halfsour::{Error, Global, ToPickle, Writer};
    ///
    /// /// `class Stack(list)`
    /// struct Stack(Vec<u32>);
    ///
    /// impl ToPickle for Stack {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.newobj(&Global::new("app", "Stack"), &[])?;
    ///         out.append_items(&self.0)
    ///     }
    /// }
    /// let data = halfsour::to_vec(&Stack(vec![1, 2]))?;
    /// assert!(data.ends_with(b")\x81\x94(K\x01K\x02e."));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// What writing the items says, with their place.
    pub fn append_items<I>(&mut self, items: I) -> Result<(), Error>
    where
        I: IntoIterator,
        I::Item: ToPickle,
    {
        let mut list = self.items(Kind::List, false, None)?;
        fill(&mut list, items)?;
        list.end()
    }

    /// Stores values under keys in the object that was just written, by its `__setitem__`.
    ///
    /// ```
    /// use halfsour::{Error, Global, ToPickle, Writer};
    ///
    /// /// `class Table(dict)`
    /// struct Table(Vec<(&'static str, u32)>);
    ///
    /// impl ToPickle for Table {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.newobj(&Global::new("app", "Table"), &[])?;
    ///         out.set_items(self.0.iter().copied())
    ///     }
    /// }
    /// let data = halfsour::to_vec(&Table(vec![("x", 1), ("y", 2)]))?;
    /// assert!(data.ends_with(b")\x81\x94(\x8c\x01x\x94K\x01\x8c\x01y\x94K\x02u."));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// What writing the keys and values says, with the key.
    pub fn set_items<I, K, V>(&mut self, entries: I) -> Result<(), Error>
    where
        I: IntoIterator<Item = (K, V)>,
        K: ToPickle,
        V: ToPickle,
    {
        self.enter()?;
        let batch = Batch::new(Kind::Dict, false);
        let hashed = self.hashed;
        let mut dict = Entries { batch, out: self, len: None, hashed };
        fill_dict(&mut dict, entries)?;
        dict.end()
    }
}

/// Looks one item ahead: the last one may be alone.
#[inline]
fn fill<I>(list: &mut Items<'_, '_>, items: I) -> Done
where
    I: IntoIterator,
    I::Item: ToPickle,
{
    let mut items = items.into_iter();
    let Some(mut item) = items.next() else { return Ok(()) };
    loop {
        let next = items.next();
        list.put(next.is_none(), |out| item.to_pickle_as_item(out))?;
        match next {
            Some(next) => item = next,
            None => return Ok(()),
        }
    }
}

#[inline]
fn fill_dict<K: ToPickle, V: ToPickle>(
    dict: &mut Entries<'_, '_>,
    entries: impl IntoIterator<Item = (K, V)>,
) -> Done {
    let mut entries = entries.into_iter();
    let Some((mut key, mut value)) = entries.next() else { return Ok(()) };
    loop {
        let next = entries.next();
        dict.put(next.is_none(), &key, &value)?;
        match next {
            Some(next) => (key, value) = next,
            None => return Ok(()),
        }
    }
}
