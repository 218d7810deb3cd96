//! What an object model must offer so that a [`Machine`] can build its objects.
//!
//! A heap makes values and calls what the pickle names; it knows nothing of stacks, marks or bytes.
//! The Python extension is one heap, [`Graph`](crate::Graph) another.

use alloc::vec::Drain;

use crate::error::{Error, ErrorKind};
use crate::machine::Machine;
use crate::memo::Memo;
use crate::number::{Integer, MAX_DIGITS, parse_int};
use crate::reader::{Reader, Source};
use crate::text::{c_str, repr_line};

/// An object model.
///
/// All methods may fail with the heap's own errors, which end the load. Methods that take a
/// [`Drain`] get values off the machine's stack, the lowest first. Items that they leave in it are
/// dropped in that order; `_pickle.c` drops them from the top (`Pdata_clear`), which finalisers can
/// see, so a heap that cares reads `items.as_slice()` and empties it with `next_back`.
///
/// ```
/// use std::vec::Drain;
///
/// use halfsour::{Error, Heap, Machine, Memo, Reader, SliceSource};
///
/// /// Makes no objects: the value of a tuple is the sum of its items.
/// struct Sums(Memo<i64>);
///
/// # macro_rules! refuse {
/// #     ($($name:ident($($arg:ty),*) -> $result:ty;)*) => {
/// #         $(fn $name(&mut self, $(_: $arg),*) -> Result<$result, Error> {
/// #             Err(Error::custom("no number"))
/// #         })*
/// #     };
/// # }
/// impl<'a> Heap<SliceSource<'a>> for Sums {
///     type Value = i64;
///     fn with_memo<R>(&mut self, f: impl FnOnce(&mut Memo<i64>) -> R) -> R {
///         f(&mut self.0)
///     }
///     fn int(&mut self, value: i64) -> Result<i64, Error> {
///         Ok(value)
///     }
///     fn empty_tuple(&mut self) -> Result<i64, Error> {
///         Ok(0)
///     }
///     fn tuple(&mut self, items: Drain<'_, i64>) -> Result<i64, Error> {
///         Ok(items.sum())
///     }
///     // And so on; this one refuses all else.
/// #     refuse! {
/// #         none() -> i64;
/// #         bool(bool) -> i64;
/// #         int_line(&[u8]) -> i64;
/// #         long_line(&[u8]) -> i64;
/// #         long(&[u8]) -> i64;
/// #         float(f64) -> i64;
/// #         float_line(&[u8]) -> i64;
/// #         string_line(&[u8]) -> i64;
/// #         binstring(&[u8]) -> i64;
/// #         unicode_line(&[u8]) -> i64;
/// #         unicode(&[u8]) -> i64;
/// #         bytes(&mut SliceSource<'a>, usize) -> i64;
/// #         bytearray(&mut SliceSource<'a>, usize) -> i64;
/// #         next_buffer() -> i64;
/// #         readonly_buffer(i64) -> i64;
/// #         empty_list() -> i64;
/// #         empty_dict() -> i64;
/// #         empty_set() -> i64;
/// #         list(Drain<'_, i64>) -> i64;
/// #         dict(Drain<'_, i64>) -> i64;
/// #         frozenset(Drain<'_, i64>) -> i64;
/// #         append(&i64, i64) -> ();
/// #         extend(&i64, Drain<'_, i64>) -> ();
/// #         set_items(&i64, Drain<'_, i64>) -> ();
/// #         add_items(&i64, Drain<'_, i64>) -> ();
/// #         name(&[u8], bool) -> i64;
/// #         find_class(i64, i64) -> i64;
/// #         extension(i64) -> i64;
/// #         persid_line(&[u8]) -> i64;
/// #         persistent_load(i64) -> i64;
/// #         inst(i64, Drain<'_, i64>) -> i64;
/// #         newobj(i64, i64) -> i64;
/// #         newobj_ex(i64, i64, i64) -> i64;
/// #         reduce(i64, i64) -> i64;
/// #         build(&i64, i64) -> ();
/// #     }
/// #     fn is_str(&mut self, _: &i64) -> bool {
/// #         false
/// #     }
/// }
///
/// // ((1, 2), 3)
/// let mut reader = Reader::new(SliceSource::new(b"K\x01K\x02\x86K\x03\x86."));
/// let sum = Machine::new().run(&mut reader, &mut Sums(Memo::new(true)))?;
/// assert_eq!(sum, 6);
/// # Ok::<(), halfsour::Error>(())
/// ```
pub trait Heap<S: Source> {
    /// A reference to an object. Cloning it must not copy the object.
    type Value: Clone;

    /// Lends the memo.
    ///
    /// The heap keeps it, since user code may look at it while the machine runs.
    fn with_memo<R>(&mut self, f: impl FnOnce(&mut Memo<Self::Value>) -> R) -> R;

    /// The index that GET or PUT name: the line without its `'\n'`. It may be negative; the machine
    /// says what that means.
    fn memo_index(&mut self, line: &[u8]) -> Result<i64, S::Error> {
        Ok(plain_index(line).map_err(Error::new)?)
    }

    /// Called before each opcode: a heap may execute as many as it likes by itself, as long as they
    /// have the effect that the machine would have given them, and leaves the others, and all that
    /// are at fault, to the machine. True if it left things in a state of its own, so that
    /// [`settle`](Heap::settle) must come before any opcode but FRAME and STOP.
    #[inline(always)]
    fn run_ahead(
        &mut self,
        _machine: &mut Machine<Self::Value>,
        _reader: &mut Reader<S>,
    ) -> Result<bool, S::Error> {
        Ok(false)
    }

    /// Makes stack and memo what the machine expects, after [`run_ahead`](Heap::run_ahead) said that
    /// they are not.
    fn settle(&mut self, _machine: &mut Machine<Self::Value>) -> Result<(), S::Error> {
        Ok(())
    }

    /// Called about every thousand opcodes, so that a long load can be interrupted.
    fn tick(&mut self) -> Result<(), S::Error> {
        Ok(())
    }

    /// PROTO: what comes next is of this protocol (0 to 5). A pickle without PROTO is of protocol 0
    /// or 1.
    fn protocol(&mut self, _version: u8) {}

    /// NONE
    fn none(&mut self) -> Result<Self::Value, S::Error>;
    /// NEWTRUE and NEWFALSE
    fn bool(&mut self, value: bool) -> Result<Self::Value, S::Error>;
    /// BININT, BININT1 and BININT2
    fn int(&mut self, value: i64) -> Result<Self::Value, S::Error>;
    /// INT: a decimal number, or `00` and `01` for false and true. The line has no `'\n'`.
    fn int_line(&mut self, line: &[u8]) -> Result<Self::Value, S::Error>;
    /// LONG: a decimal number, mostly with an `L` behind it. The line has no `'\n'`.
    fn long_line(&mut self, line: &[u8]) -> Result<Self::Value, S::Error>;
    /// LONG1 and LONG4: little-endian two's complement, empty for zero.
    fn long(&mut self, bytes: &[u8]) -> Result<Self::Value, S::Error>;
    /// BINFLOAT
    fn float(&mut self, value: f64) -> Result<Self::Value, S::Error>;
    /// FLOAT: a decimal number. The line has no `'\n'`.
    fn float_line(&mut self, line: &[u8]) -> Result<Self::Value, S::Error>;
    /// STRING: what stands between the quotes, with Python's escapes.
    fn string_line(&mut self, inner: &[u8]) -> Result<Self::Value, S::Error>;
    /// BINSTRING and SHORT_BINSTRING: a string of Python 2.
    fn binstring(&mut self, bytes: &[u8]) -> Result<Self::Value, S::Error>;
    /// UNICODE: raw-unicode-escape. The line has no `'\n'`.
    fn unicode_line(&mut self, line: &[u8]) -> Result<Self::Value, S::Error>;
    /// BINUNICODE and its kin: UTF-8, surrogates let through.
    fn unicode(&mut self, text: &[u8]) -> Result<Self::Value, S::Error>;
    /// BINBYTES and its kin: `len` bytes follow in the source. `len` may be a lie: a heap must not
    /// allocate from it alone.
    fn bytes(&mut self, source: &mut S, len: usize) -> Result<Self::Value, S::Error>;
    /// BYTEARRAY8, else as [`bytes`](Heap::bytes).
    fn bytearray(&mut self, source: &mut S, len: usize) -> Result<Self::Value, S::Error>;
    /// NEXT_BUFFER
    fn next_buffer(&mut self) -> Result<Self::Value, S::Error>;
    /// READONLY_BUFFER: the value itself if it is read-only, else a read-only view of it.
    fn readonly_buffer(&mut self, buffer: Self::Value) -> Result<Self::Value, S::Error>;

    /// EMPTY_TUPLE
    fn empty_tuple(&mut self) -> Result<Self::Value, S::Error>;
    /// EMPTY_LIST
    fn empty_list(&mut self) -> Result<Self::Value, S::Error>;
    /// EMPTY_DICT
    fn empty_dict(&mut self) -> Result<Self::Value, S::Error>;
    /// EMPTY_SET
    fn empty_set(&mut self) -> Result<Self::Value, S::Error>;
    /// TUPLE, TUPLE1, TUPLE2 and TUPLE3
    fn tuple(&mut self, items: Drain<'_, Self::Value>) -> Result<Self::Value, S::Error>;
    /// LIST
    fn list(&mut self, items: Drain<'_, Self::Value>) -> Result<Self::Value, S::Error>;
    /// DICT: keys and values by turns, an even number of items.
    fn dict(&mut self, items: Drain<'_, Self::Value>) -> Result<Self::Value, S::Error>;
    /// FROZENSET
    fn frozenset(&mut self, items: Drain<'_, Self::Value>) -> Result<Self::Value, S::Error>;

    /// APPEND
    fn append(&mut self, list: &Self::Value, item: Self::Value) -> Result<(), S::Error>;
    /// APPENDS; there may be no items at all.
    fn extend(&mut self, list: &Self::Value, items: Drain<'_, Self::Value>)
    -> Result<(), S::Error>;
    /// SETITEM and SETITEMS: keys and values by turns, an even number of items, maybe none.
    fn set_items(
        &mut self,
        dict: &Self::Value,
        items: Drain<'_, Self::Value>,
    ) -> Result<(), S::Error>;
    /// ADDITEMS; there may be no items at all.
    fn add_items(
        &mut self,
        set: &Self::Value,
        items: Drain<'_, Self::Value>,
    ) -> Result<(), S::Error>;

    /// The module or the name of GLOBAL (UTF-8) and INST (`ascii_only`), as a string value. The
    /// line has no `'\n'`.
    fn name(&mut self, line: &[u8], ascii_only: bool) -> Result<Self::Value, S::Error>;
    /// Whether a value may name a module or a global for STACK_GLOBAL.
    fn is_str(&mut self, value: &Self::Value) -> bool;
    /// GLOBAL, INST and STACK_GLOBAL: the object of that name.
    fn find_class(
        &mut self,
        module: Self::Value,
        name: Self::Value,
    ) -> Result<Self::Value, S::Error>;
    /// EXT1, EXT2 and EXT4: what is registered for a code, which is positive.
    fn extension(&mut self, code: i64) -> Result<Self::Value, S::Error>;

    /// POP and POP_MARK: nobody wants the value. `below` is what is now on top of the stack.
    #[inline(always)]
    fn discard(&mut self, value: Self::Value, _below: Option<&Self::Value>) {
        drop(value);
    }

    /// Called before PERSID and BINPERSID read or pop anything.
    fn persistent_ready(&mut self) -> Result<(), S::Error> {
        Ok(())
    }
    /// The persistent id of PERSID: an ASCII line without its `'\n'`.
    fn persid_line(&mut self, line: &[u8]) -> Result<Self::Value, S::Error>;
    /// PERSID and BINPERSID: the object of that id.
    fn persistent_load(&mut self, pid: Self::Value) -> Result<Self::Value, S::Error>;

    /// INST and OBJ: `cls(*args)`, or without arguments, for most classes, `cls.__new__(cls)`.
    fn inst(
        &mut self,
        cls: Self::Value,
        args: Drain<'_, Self::Value>,
    ) -> Result<Self::Value, S::Error>;
    /// NEWOBJ: `cls.__new__(cls, *args)`
    fn newobj(&mut self, cls: Self::Value, args: Self::Value) -> Result<Self::Value, S::Error>;
    /// NEWOBJ_EX: `cls.__new__(cls, *args, **kwargs)`
    fn newobj_ex(
        &mut self,
        cls: Self::Value,
        args: Self::Value,
        kwargs: Self::Value,
    ) -> Result<Self::Value, S::Error>;
    /// REDUCE: `callable(*args)`
    fn reduce(&mut self, callable: Self::Value, args: Self::Value)
    -> Result<Self::Value, S::Error>;
    /// BUILD: gives an object its state.
    fn build(&mut self, inst: &Self::Value, state: Self::Value) -> Result<(), S::Error>;
}

/// A decimal number as `PyLong_FromString` and `PyLong_AsSsize_t` read it.
pub(crate) fn plain_index(line: &[u8]) -> Result<i64, ErrorKind> {
    match parse_int(c_str(line), MAX_DIGITS) {
        Ok(Integer::Small(index)) => Ok(index),
        Ok(Integer::Big(_)) => Err(ErrorKind::IndexOverflow),
        Err(error) => Err(ErrorKind::BadLiteral(error.text(line, repr_line))),
    }
}
