//! Rust values to pickles that Python's `pickle.loads` reads.
//!
//! A type says by [`ToPickle`] what it is in Python; the [`Writer`] it is handed knows the format:
//! protocols, memo, batches, frames, and what older protocols have instead of what newer ones added.
//! What a writer is not: it does not look at types, and does not ask Python whether a class exists.
//!
//! ```
//! use halfsour::{Error, ToPickle, Writer};
//!
//! struct Point {
//!     x: i64,
//!     y: i64,
//! }
//!
//! /// What Python writes for an instance of `app.Point`.
//! impl ToPickle for Point {
//!     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
//!         out.instance("app", "Point", &[("x", &self.x), ("y", &self.y)])
//!     }
//! }
//!
//! let data = halfsour::to_vec(&[Point { x: 1, y: 2 }, Point { x: 3, y: 4 }])?;
//! # let graph = halfsour::load(&data)?;
//! # let halfsour::graph::Node::List(points) = graph.get(graph.root()) else { panic!() };
//! # assert_eq!(points.len(), 2);
//! # Ok::<(), Error>(())
//! ```

pub(crate) mod batch;
mod containers;
mod impls;
mod memo;
mod objects;
mod pickler;
mod reduce;

use std::any::Any;
use std::fmt;
use std::io::Write;

use crate::emitter::{Emitter, FRAME_TARGET, Fetch, Payload};
use crate::error::{Error, ErrorKind};
use crate::limits::{Limits, Steps};
use crate::number::{Integer, repr_float};
use crate::opcode::Opcode;
use crate::text::{code_points, latin1};
#[cfg(feature = "serde")]
pub(crate) use containers::written_to_show;
pub use containers::{Entries, Items, TupleItems};
use memo::{Memo, Place};
pub use objects::Global;
pub(crate) use objects::{emit_names, is_persid};
pub use pickler::{Pickler, to_vec, to_writer};
use reduce::Hooks;
pub use reduce::{DispatchTable, Dispatched, Reduced};

/// A type that can be pickled.
///
/// ```
/// use halfsour::{Error, ToPickle, Writer};
///
/// /// A float to Python.
/// struct Celsius(f64);
///
/// impl ToPickle for Celsius {
///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
///         out.float(self.0)
///     }
/// }
/// assert_eq!(halfsour::to_vec(&[Celsius(21.5)])?, halfsour::to_vec(&[21.5])?);
/// # Ok::<(), Error>(())
/// ```
pub trait ToPickle {
    /// Writes the value: one object, by one of `out`'s methods.
    ///
    /// # Errors
    /// What the writer says, or what is the matter with the value.
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error>;

    /// The value, if [dispatch tables](DispatchTable) and callbacks for
    /// [persistent ids](Pickler::persistent_id) are to be asked about it: `Some(self)`, in types that
    /// are `'static`. None by default.
    ///
    /// ```
    /// use halfsour::{DispatchTable, Error, Global, Pickler, Reduced, ToPickle, Writer};
    /// use std::any::Any;
    /// struct Point;
    /// impl ToPickle for Point {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.instance("app", "Point", &[])
    ///     }
    ///     fn as_any(&self) -> Option<&dyn Any> {
    ///         Some(self)
    ///     }
    /// }
    /// let mut table = DispatchTable::new();
    /// table.register(|_: &Point| Reduced::call(Global::new("app", "origin")));
    /// let data = Pickler::new().dispatch_table(table).to_vec(&Point)?;
    /// assert!(data.ends_with(b"\x8c\x06origin\x94\x93\x94)R\x94."));
    /// # Ok::<(), Error>(())
    /// ```
    fn as_any(&self) -> Option<&dyn Any> {
        None
    }

    /// Writes the value as an item of a container: most are references, which are no step of their own
    /// there.
    #[doc(hidden)]
    #[inline]
    fn to_pickle_as_item(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.save(self)
    }
}

/// A pickle that is being written; handed to [`ToPickle::to_pickle`].
///
/// Each method that writes a value writes one object; those that change an object
/// ([`build`](Writer::build), [`append_items`](Writer::append_items),
/// [`set_items`](Writer::set_items)) come right behind the one that made it.
///
/// ```
/// use halfsour::{Error, Global, ToPickle, Writer, graph::Node};
///
/// /// `class Stack(list)`, with a name.
/// struct Stack { name: String, items: Vec<i64> }
///
/// impl ToPickle for Stack {
///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
///         out.newobj(&Global::new("app", "Stack"), &[])?;
///         out.append_items(&self.items)?;
///         out.build(|out| out.fields(&[("name", &self.name)]))
///     }
/// }
/// let data = halfsour::to_vec(&Stack { name: "s".into(), items: vec![1, 2] })?;
/// let graph = halfsour::load(&data)?;
/// let Node::Object(stack) = graph.get(graph.root()) else { panic!() };
/// assert_eq!(stack.effects.len(), 3); // two items and a state
/// # Ok::<(), Error>(())
/// ```
pub struct Writer<'w> {
    pub(crate) out: Emitter,
    file: Option<&'w mut dyn Write>,
    memo: Memo,
    limits: Limits,
    depth: u32,
    /// The steps through pointers and newtypes, and those into objects.
    steps: Steps,
    objects: Steps,
    /// Whether the next value is a key, an item of a set, or an item of a tuple that is: Python needs its
    /// hash.
    hashed: bool,
    /// A class that Python cannot hash, of what was written last: of itself, or of an item of it.
    unhashed: Option<&'static str>,
    /// Whether batches are as loose as up to CPython 3.14.
    loose: bool,
    /// The key under which the next object is shared.
    key: Option<usize>,
    /// What must not be dropped, since its address is a key.
    kept: Vec<Box<dyn Any>>,
    hooks: Hooks<'w>,
    /// Whether hooks are asked about values.
    asks: bool,
}

impl fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("protocol", &self.protocol()).finish_non_exhaustive()
    }
}

/// What may be shared, and was begun.
#[must_use]
pub(crate) struct Begun {
    pub(crate) key: Option<usize>,
}

type Done = Result<(), Error>;

impl<'w> Writer<'w> {
    fn new(
        protocol: u8,
        limits: Limits,
        loose: bool,
        hooks: Hooks<'w>,
        file: Option<&'w mut dyn Write>,
    ) -> Self {
        let mut out = Emitter::new(protocol);
        out.begin();
        if file.is_some() && protocol < 4 {
            // Without frames, the file takes what is there between any two objects.
            out.set_limit(FRAME_TARGET);
        }
        Writer {
            out,
            file,
            memo: Memo::default(),
            limits,
            depth: 0,
            steps: Steps::default(),
            objects: Steps::default(),
            hashed: false,
            unhashed: None,
            loose,
            key: None,
            kept: Vec::new(),
            asks: hooks.table.is_some() || hooks.persistent_id.is_some(),
            hooks,
        }
    }

    /// STOP; gives what no file took.
    fn finish(mut self) -> Result<Vec<u8>, Error> {
        self.out.finish();
        self.flush()?;
        Ok(self.out.take())
    }

    /// The protocol that is written, 0 to 5.
    ///
    /// ```
    /// use halfsour::{Error, Pickler, ToPickle, Writer};
    /// struct Protocol;
    /// impl ToPickle for Protocol {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.int(out.protocol().into())
    ///     }
    /// }
    /// assert_eq!(Pickler::new().protocol(3).to_vec(&Protocol)?, b"\x80\x03K\x03.");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn protocol(&self) -> u8 {
        self.out.protocol()
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Whether the last batch of a builtin container may be of one item, or empty.
    pub(crate) fn is_loose(&self) -> bool {
        self.loose
    }

    /// The key under which the next object is shared, for those that write it themselves.
    pub(crate) fn take_key(&mut self) -> Option<usize> {
        self.key.take()
    }

    /// Hands the file what is not in an open frame.
    fn flush(&mut self) -> Done {
        if self.out.is_out_of_memory() {
            return Err(ErrorKind::OutOfMemory.into());
        }
        if let Some(file) = &mut self.file {
            file.write_all(&self.out.take()).map_err(Error::from_io)?;
        }
        Ok(())
    }

    #[cold]
    fn next_frame(&mut self) -> Done {
        self.out.boundary();
        self.flush()
    }

    /// To be called before each object.
    #[inline(always)]
    pub(crate) fn begin(&mut self) -> Result<Begun, Error> {
        if self.out.is_full() {
            self.next_frame()?;
        }
        Ok(Begun { key: self.key.take() })
    }

    /// Whether the next object needs no thought: so many bytes fit, as do a few more, and nobody
    /// shares it. What it does need is then kept out of the way, in functions of its own.
    #[inline(always)]
    fn is_plain(&self, bytes: usize) -> bool {
        self.out.is_quick(bytes) && self.key.is_none()
    }

    /// Makes an empty container and puts it into the memo: `opcode` does it, or in older protocols
    /// what `emit` writes.
    #[inline(always)]
    pub(crate) fn make(&mut self, opcode: Opcode, emit: impl Fn(&mut Emitter)) -> Done {
        if self.is_plain(0) {
            self.out.ops([opcode, Opcode::Memoize]);
            self.memo.next();
            return Ok(());
        }
        self.make_with_care(emit)
    }

    /// Writes the opcode that makes an object of what is on the stack, and puts it into the memo.
    #[inline(always)]
    pub(crate) fn end(&mut self, opcode: Opcode, begun: Begun) -> Done {
        if begun.key.is_none() && self.out.is_quick(0) {
            self.out.ops([opcode, Opcode::Memoize]);
            self.memo.next();
            return Ok(());
        }
        self.end_with_care(opcode, begun)
    }

    #[cold]
    #[inline(never)]
    fn end_with_care(&mut self, opcode: Opcode, begun: Begun) -> Done {
        self.out.op(opcode);
        self.memoize(begun).map(|_| ())
    }

    #[cold]
    #[inline(never)]
    fn make_with_care(&mut self, emit: impl Fn(&mut Emitter)) -> Done {
        self.fresh(|out| {
            emit(&mut out.out);
            Ok(())
        })
    }

    /// Writes an object, and puts it into the memo.
    fn fresh(&mut self, write: impl FnOnce(&mut Self) -> Done) -> Done {
        let begun = self.begin()?;
        write(self)?;
        self.memoize(begun).map(|_| ())
    }

    /// Writes opcodes that make an object which is not in the memo.
    #[inline(always)]
    fn leaf(&mut self, emit: impl Fn(&mut Emitter)) -> Done {
        if self.is_plain(0) {
            emit(&mut self.out);
            return Ok(());
        }
        self.leaf_with_care(emit)
    }

    #[cold]
    #[inline(never)]
    fn leaf_with_care(&mut self, emit: impl Fn(&mut Emitter)) -> Done {
        let _ = self.begin()?;
        emit(&mut self.out);
        Ok(())
    }

    /// Puts the object that was just written into the memo.
    #[inline(always)]
    pub(crate) fn memoize(&mut self, begun: Begun) -> Result<i64, Error> {
        let index = self.memo.next();
        self.out.memoize(index)?;
        if let Some(key) = begun.key {
            self.note_shared(key, index);
        }
        Ok(index)
    }

    #[cold]
    fn note_shared(&mut self, key: usize, index: i64) {
        self.memo.note_shared(key, Place::At(index, self.unhashed));
    }

    /// To be called before what is inside of an object; then [`leave`](Writer::leave).
    #[inline]
    fn enter(&mut self) -> Done {
        self.depth = self.limits.deeper(self.depth)?;
        Ok(())
    }

    #[inline]
    fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Writes what is inside of an object, whose class says what its hash is. The tuple of its arguments and
    /// the dict of its attributes are levels; objects right inside of one another are counted apart.
    #[inline]
    fn inside<R>(&mut self, write: impl FnOnce(&mut Self) -> Result<R, Error>) -> Result<R, Error> {
        let objects = self.limits.step(self.objects, self.depth)?;
        let before = std::mem::replace(&mut self.objects, objects);
        let (hashed, unhashed) = (std::mem::replace(&mut self.hashed, false), self.unhashed);
        let result = write(self)?;
        self.objects = before;
        (self.hashed, self.unhashed) = (hashed, unhashed);
        Ok(result)
    }

    /// To be called before what Python cannot hash.
    #[inline]
    pub(crate) fn unhashable(&mut self, kind: &'static str) -> Done {
        self.unhashed = Some(kind);
        if self.hashed { Err(ErrorKind::Unhashable { kind }.into()) } else { Ok(()) }
    }

    /// Whether Python needs the hash of what is written next.
    pub(crate) fn is_hashed(&self) -> bool {
        self.hashed
    }

    /// Writes what is inward of a pointer or a newtype, and may be the same again.
    #[inline]
    pub(crate) fn pointed_to(&mut self, write: impl FnOnce(&mut Self) -> Done) -> Done {
        let steps = self.limits.step(self.steps, self.depth)?;
        let before = std::mem::replace(&mut self.steps, steps);
        write(self)?;
        self.steps = before;
        Ok(())
    }

    /// Any value: what is in another one is written by this, since the pickler's hooks are asked here.
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer};
    /// struct Wrapper<T>(T);
    /// impl<T: ToPickle> ToPickle for Wrapper<T> {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.save(&self.0)
    ///     }
    /// }
    /// assert_eq!(halfsour::to_vec(&Wrapper("spam"))?, halfsour::to_vec("spam")?);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// What the value's own code says.
    #[inline]
    pub fn save<T: ToPickle + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        if self.asks
            && let Some(value) = value.as_any()
            && self.save_by_hook(value)?
        {
            return Ok(());
        }
        value.to_pickle(self)
    }

    /// `None`
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer};
    /// enum Price { Unknown, Cents(i64) }
    /// impl ToPickle for Price {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         match self {
    ///             Price::Unknown => out.none(),
    ///             Price::Cents(cents) => out.int(*cents),
    ///         }
    ///     }
    /// }
    /// let data = halfsour::to_vec(&[Price::Cents(950), Price::Unknown])?;
    /// assert_eq!(halfsour::from_slice::<Vec<Option<i64>>>(&data)?, [Some(950), None]);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// Where the file cannot be written, as in all methods.
    #[inline]
    pub fn none(&mut self) -> Result<(), Error> {
        self.leaf(|out| out.none())
    }

    /// `True` or `False`
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer};
    /// struct Switch { volts: f64 }
    /// impl ToPickle for Switch {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.bool(self.volts > 0.0)
    ///     }
    /// }
    /// assert_eq!(halfsour::to_vec(&Switch { volts: 9.0 })?, b"\x80\x05\x88.");
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`none`](Writer::none).
    #[inline]
    pub fn bool(&mut self, value: bool) -> Result<(), Error> {
        self.leaf(|out| out.bool(value))
    }

    /// An int.
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer};
    /// struct Meters(f64);
    /// impl ToPickle for Meters {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.int((self.0 * 1000.0) as i64)
    ///     }
    /// }
    /// assert_eq!(halfsour::from_slice::<i64>(&halfsour::to_vec(&Meters(-1.5))?)?, -1500);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`none`](Writer::none).
    #[inline]
    pub fn int(&mut self, value: i64) -> Result<(), Error> {
        match i32::try_from(value) {
            Ok(small) => self.leaf(|out| out.int(small)),
            Err(_) => self.long(value),
        }
    }

    #[inline(never)]
    fn long(&mut self, value: i64) -> Done {
        self.bigint(&value.to_le_bytes())
    }

    /// An int.
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer};
    /// struct Hash(u64);
    /// impl ToPickle for Hash {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.uint(self.0)
    ///     }
    /// }
    /// assert_eq!(halfsour::from_slice::<u64>(&halfsour::to_vec(&Hash(u64::MAX))?)?, u64::MAX);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`none`](Writer::none).
    #[inline]
    pub fn uint(&mut self, value: u64) -> Result<(), Error> {
        match i64::try_from(value) {
            Ok(value) => self.int(value),
            Err(_) => self.bigint(&u128::from(value).to_le_bytes()),
        }
    }

    /// An int of any size: little-endian two's complement, empty for zero.
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer};
    /// struct TwoToThe64;
    /// impl ToPickle for TwoToThe64 {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.bigint(&[0, 0, 0, 0, 0, 0, 0, 0, 1])
    ///     }
    /// }
    /// assert_eq!(halfsour::to_vec(&TwoToThe64)?, halfsour::to_vec(&(1_u128 << 64))?);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// Protocols 0 and 1 write digits, 4300 at most, since that takes quadratic time.
    pub fn bigint(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let _ = self.begin()?;
        emit_integer(&mut self.out, &Integer::from_le_bytes(bytes))
    }

    /// A float.
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer};
    /// struct Percent(u8);
    /// impl ToPickle for Percent {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.float(f64::from(self.0) / 100.0)
    ///     }
    /// }
    /// assert_eq!(halfsour::from_slice::<f64>(&halfsour::to_vec(&Percent(25))?)?, 0.25);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`none`](Writer::none).
    #[inline]
    pub fn float(&mut self, value: f64) -> Result<(), Error> {
        self.leaf(|out| emit_float(out, value))
    }

    /// A payload of its own object.
    fn payload(&mut self, kind: Payload, data: &[u8]) -> Done {
        if data.len() < FRAME_TARGET || self.file.is_none() {
            return Ok(self.out.payload(kind, data)?);
        }
        // Large ones go from where they are to the file.
        self.out.payload_apart(kind, data.len())?;
        self.flush()?;
        match &mut self.file {
            Some(file) => file.write_all(data).map_err(Error::from_io),
            None => Ok(()),
        }
    }

    /// Text, which may hold lone surrogates; not put into the memo.
    #[inline]
    pub(crate) fn emit_text(&mut self, text: &[u8]) -> Done {
        if self.out.is_binary() {
            return self.payload(Payload::Text, text);
        }
        if text.is_ascii() {
            self.out.ascii_line(text);
        } else {
            self.out.unicode_line(code_points(text).into_iter());
        }
        Ok(())
    }

    /// A `str`.
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer};
    /// enum Level { Low, High }
    /// impl ToPickle for Level {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.str(match self {
    ///             Level::Low => "low",
    ///             Level::High => "high",
    ///         })
    ///     }
    /// }
    /// let data = halfsour::to_vec(&[Level::Low, Level::High])?;
    /// assert_eq!(halfsour::from_slice::<Vec<&str>>(&data)?, ["low", "high"]);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// Below protocol 4 there is no text of more than 4 GiB.
    #[inline]
    pub fn str(&mut self, text: &str) -> Result<(), Error> {
        if (3..256).contains(&text.len()) && self.is_plain(text.len()) {
            let index = self.memo.next();
            return Ok(self.out.payload_memoized(Payload::Text, text.as_bytes(), index)?);
        }
        self.any_str(text)
    }

    #[inline(never)]
    fn any_str(&mut self, text: &str) -> Done {
        // Of what is that short, Python has but one.
        if text.len() < 3 && text.chars().nth(1).is_none() && text <= "\u{ff}" {
            return self.interned(text).map(|_| ());
        }
        self.fresh_str(text)
    }

    /// A `str` that is its own object, however short.
    pub(crate) fn fresh_str(&mut self, text: &str) -> Result<(), Error> {
        self.fresh(|out| out.emit_text(text.as_bytes()))
    }

    /// A `str` that is a name in the program, as attributes, classes and modules have: written once,
    /// then referred to.
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer};
    /// struct Spam;
    /// impl ToPickle for Spam {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.name("spam")
    ///     }
    /// }
    /// let data = halfsour::to_vec(&(Spam, Spam))?;
    /// assert_eq!(data, b"\x80\x05\x95\x0c\0\0\0\0\0\0\0\x8c\x04spam\x94h\0\x86\x94.");
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`str`](Writer::str).
    #[inline]
    pub fn name(&mut self, name: &'static str) -> Result<(), Error> {
        match self.memo.name(name) {
            Some(fetch) => self.leaf(|out| out.get_again(fetch)),
            None => self.first_name(name),
        }
    }

    #[inline(never)]
    fn first_name(&mut self, name: &'static str) -> Done {
        let index = self.interned(name)?;
        if self.out.is_binary() {
            self.memo.note_name(name, Fetch::new(index)?);
        }
        Ok(())
    }

    /// A `str` of which Python has but one.
    pub(crate) fn interned(&mut self, text: &str) -> Result<i64, Error> {
        let begun = self.begin()?;
        if let Some(index) = self.memo.interned(text) {
            self.out.get(index)?;
            return Ok(index);
        }
        self.emit_text(text.as_bytes())?;
        let index = self.memoize(begun)?;
        self.memo.note_interned(text, index);
        Ok(index)
    }

    /// A `bytes`.
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer, typed::Bytes};
    /// struct Address(std::net::Ipv4Addr);
    /// impl ToPickle for Address {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.bytes(&self.0.octets())
    ///     }
    /// }
    /// let data = halfsour::to_vec(&Address([127, 0, 0, 1].into()))?;
    /// assert_eq!(halfsour::from_slice::<Bytes>(&data)?.0, [127, 0, 0, 1]);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// Below protocol 4 there are no bytes of more than 4 GiB.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let begun = self.begin()?;
        if bytes.len() > 1 {
            self.emit_bytes(bytes)?;
            return self.memoize(begun).map(|_| ());
        }
        // Of what is that short, Python has but one.
        if let Some(index) = self.memo.small_bytes(bytes) {
            return Ok(self.out.get(index)?);
        }
        self.emit_bytes(bytes)?;
        let index = self.memoize(begun)?;
        self.memo.note_small_bytes(bytes, index);
        Ok(())
    }

    /// Bytes, not put into the memo.
    pub(crate) fn emit_bytes(&mut self, bytes: &[u8]) -> Done {
        if self.protocol() >= 3 {
            return self.payload(Payload::Bytes, bytes);
        }
        if bytes.is_empty() {
            self.global("builtins", "bytes")?;
            self.out.empty_tuple();
        } else {
            self.global("_codecs", "encode")?;
            self.tuple_with(2, |args| {
                args.item_with(|out| out.str(&latin1(bytes)))?;
                args.item_with(|out| out.name("latin1"))
            })?;
        }
        self.out.op(Opcode::Reduce);
        Ok(())
    }

    /// A `bytearray`.
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer};
    /// struct Buffer(Vec<u8>);
    /// impl ToPickle for Buffer {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.bytearray(&self.0)
    ///     }
    /// }
    /// let data = halfsour::to_vec(&Buffer(b"spam".to_vec()))?;
    /// assert!(data.ends_with(b"\x96\x04\0\0\0\0\0\0\0spam\x94."));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`bytes`](Writer::bytes).
    pub fn bytearray(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.unhashable("bytearray")?;
        self.fresh(|out| out.emit_bytearray(bytes))
    }

    /// A bytearray, not put into the memo.
    pub(crate) fn emit_bytearray(&mut self, bytes: &[u8]) -> Done {
        if self.protocol() >= 5 {
            return self.payload(Payload::ByteArray, bytes);
        }
        self.global("builtins", "bytearray")?;
        if bytes.is_empty() {
            self.out.empty_tuple();
        } else {
            self.tuple_with(1, |args| {
                args.item_with(|out| {
                    // Up to CPython 3.14 they are made for it: however short, they are no others' too.
                    match out.loose {
                        true => out.fresh(|out| out.emit_bytes(bytes)),
                        false => out.bytes(bytes),
                    }
                })
            })?;
        }
        self.out.op(Opcode::Reduce);
        Ok(())
    }

    /// A value that several places share: written the first time, then referred to, so that Python
    /// has one object too. The values in it may share it in turn: what Python can make before its
    /// contents, a list or an instance, may hold itself.
    ///
    /// `address` tells the value from others; `kept` is dropped when the pickle is done, and must
    /// keep the address from being used again, as a clone of an [`Rc`](std::rc::Rc) does.
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer};
    /// use std::rc::Rc;
    ///
    /// struct Team(Rc<Vec<String>>);
    ///
    /// impl ToPickle for Team {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         let address = Rc::as_ptr(&self.0).addr();
    ///         out.shared(address, Rc::clone(&self.0), |out| out.list(self.0.iter()))
    ///     }
    /// }
    ///
    /// let team = Team(Rc::new(vec!["Ada".into(), "Bob".into()]));
    /// let data = halfsour::to_vec(&(&team, &team))?;
    /// let graph = halfsour::load(&data)?;
    /// let halfsour::graph::Node::Tuple([one, other]) = graph.get(graph.root()) else { panic!() };
    /// assert_eq!(one, other);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Cycle`] where a value holds itself, and Python would have to make its contents
    /// before it: a tuple, or the arguments of a class.
    pub fn shared<K: 'static>(
        &mut self,
        address: usize,
        kept: K,
        write: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match self.memo.shared(address) {
            Some(Place::At(index, unhashed)) => {
                if let Some(class) = unhashed {
                    self.unhashable(class)?;
                }
                let _ = self.begin()?;
                Ok(self.out.get(index)?)
            }
            Some(Place::Open) => Err(ErrorKind::Cycle.into()),
            None => {
                self.memo.note_shared(address, Place::Open);
                self.kept.push(Box::new(kept));
                self.key = Some(address);
                let around = self.unhashed.take();
                self.pointed_to(write)?;
                self.unhashed = self.unhashed.or(around);
                self.key = None;
                self.memo.close_shared(address);
                Ok(())
            }
        }
    }
}

/// An int of any size.
pub(crate) fn emit_integer(out: &mut Emitter, value: &Integer) -> Result<(), Error> {
    let bytes = match value {
        Integer::Small(small) => match i32::try_from(*small) {
            Ok(small) => {
                out.int(small);
                return Ok(());
            }
            Err(_) => shortest(&small.to_le_bytes()).to_vec(),
        },
        Integer::Big(bytes) => bytes.to_vec(),
    };
    if out.long_is_binary() {
        return Ok(out.long(&bytes)?);
    }
    out.long_digits(digits(value)?.as_bytes());
    Ok(())
}

/// The digits of an int that Python can read.
pub(crate) fn digits(value: &Integer) -> Result<String, Error> {
    let limit = crate::number::MAX_DIGITS as u64;
    Ok(value.repr().ok_or(ErrorKind::Limit { what: "digits", limit })?)
}

/// Two's complement without what its sign says already.
fn shortest(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., below, last] = bytes
        && (*last == 0 && *below < 0x80 || *last == 0xff && *below >= 0x80)
    {
        bytes = bytes.get(..=rest.len()).unwrap_or_default();
    }
    bytes
}

/// A float.
#[inline]
pub(crate) fn emit_float(out: &mut Emitter, value: f64) {
    if out.is_binary() {
        out.float(value);
    } else {
        out.float_digits(repr_float(value).as_bytes());
    }
}
