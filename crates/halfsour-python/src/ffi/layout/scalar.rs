//! Reference counts, ints, strings; the items of lists and tuples.

use crate::ffi::error::{self, PyResult};
use crate::ffi::object::{Obj, Object};
use crate::ffi::{Float, Int, List, Str, Tuple};
use pyo3_ffi as c;

impl Object {
    /// Whether there is exactly one reference to the object. Immortal objects count as shared.
    #[inline(always)]
    pub(crate) fn is_unshared(&self) -> bool {
        // SAFETY: reads the count of a live object.
        unsafe { c::Py_REFCNT(self.as_ptr()) == 1 }
    }
}

/// An int of at most one digit: what is behind the object's head.
#[repr(C)]
struct OneDigit {
    head: c::PyObject,
    /// Up to 3.11: the number of digits, negative for negative ints. Since: the number of digits
    /// shifted by three, and 0, 1 or 2 for positive, zero and negative ints.
    tag: isize,
    digit: u32,
}

impl Int {
    /// The value of an int of at most one digit (of 30 bits).
    #[inline(always)]
    pub(crate) fn compact(&self) -> Option<i64> {
        // SAFETY: an int has the head, the tag, and room for one digit at least.
        let int = unsafe { &*self.as_ptr().cast::<OneDigit>() };
        #[cfg(not(Py_3_12))]
        {
            let digit = i64::from(int.digit);
            if (-1..=1).contains(&int.tag) { Some(int.tag as i64 * digit) } else { None }
        }
        #[cfg(Py_3_12)]
        {
            let digit = i64::from(int.digit);
            if int.tag < 2 << 3 { Some((1 - (int.tag as i64 & 3)) * digit) } else { None }
        }
    }
}

/// An int of two digits: what is behind the object's head, as in [`OneDigit`].
#[repr(C)]
struct TwoDigits {
    head: c::PyObject,
    tag: isize,
    digits: [u32; 2],
}

impl Int {
    /// The value of an int of at most two digits.
    #[inline(always)]
    pub(crate) fn short(&self) -> Option<i64> {
        self.compact().or_else(|| {
            let int = self.as_ptr().cast::<TwoDigits>();
            // SAFETY: an int has the head and the tag.
            let tag = unsafe { (*int).tag };
            #[cfg(not(Py_3_12))]
            let (count, sign) = (tag.unsigned_abs(), tag.signum() as i64);
            #[cfg(Py_3_12)]
            let (count, sign) = (tag >> 3, 1 - (tag as i64 & 3));
            if count != 2 {
                return None;
            }
            // SAFETY: the tag says that there are two.
            let [low, high] = unsafe { (*int).digits };
            Some(sign * (i64::from(high) << 30 | i64::from(low)))
        })
    }
}

/// A string of ASCII characters: what is before its characters.
#[repr(C)]
struct AsciiHead {
    head: c::PyObject,
    length: isize,
    hash: isize,
    /// From the lowest bit on: two for interning, three for the kind, "compact", "ascii".
    state: u32,
    #[cfg(not(Py_3_12))]
    wstr: *mut u8,
}

/// A string of other characters: what is before them.
#[repr(C)]
struct CompactHead {
    ascii: AsciiHead,
    utf8_length: isize,
    /// NULL until somebody asks for it
    utf8: *const u8,
}

const COMPACT: u32 = 0b010_0000;
const COMPACT_ASCII: u32 = 0b110_0000;

impl Str {
    /// The characters of a string that is all ASCII; None for others.
    #[inline(always)]
    pub(crate) fn ascii(&self) -> Option<&[u8]> {
        let ptr = self.as_ptr().cast::<AsciiHead>();
        // SAFETY: every string starts with these fields.
        let (state, length) = unsafe { ((*ptr).state, (*ptr).length) };
        if state & COMPACT_ASCII != COMPACT_ASCII {
            return None;
        }
        // SAFETY: the characters of a compact string are behind its head; they never change.
        Some(unsafe { std::slice::from_raw_parts(ptr.add(1).cast(), length.unsigned_abs()) })
    }
}

impl Str {
    /// The characters as UTF-8, where somebody has asked for them before: a string that is not all
    /// ASCII keeps them.
    #[inline]
    pub(crate) fn kept_utf8(&self) -> Option<&[u8]> {
        let text = self.as_ptr().cast::<CompactHead>();
        // SAFETY: every string starts with these fields.
        if unsafe { (*text).ascii.state } & COMPACT_ASCII != COMPACT {
            return None;
        }
        // SAFETY: a compact string that is not ASCII has these fields too. What `utf8` points to
        // never changes.
        unsafe {
            let (utf8, length) = ((*text).utf8, (*text).utf8_length.unsigned_abs());
            (!utf8.is_null()).then(|| std::slice::from_raw_parts(utf8, length))
        }
    }
}

impl List {
    /// The items, until something changes the list.
    #[inline(always)]
    pub(crate) fn items(&self) -> &[&Object] {
        let list = self.as_ptr().cast::<c::PyListObject>();
        // SAFETY: a live list has `ob_size` references in `ob_item`, none of them NULL once code
        // other than the list's maker sees it. Changing the list takes running Python (rule 3).
        unsafe {
            let length = (*list).ob_base.ob_size.unsigned_abs();
            if length == 0 {
                return &[];
            }
            std::slice::from_raw_parts((*list).ob_item.cast(), length)
        }
    }
}

impl Tuple {
    /// The items.
    #[inline(always)]
    pub(crate) fn items(&self) -> &[&Object] {
        let tuple = self.as_ptr().cast::<c::PyTupleObject>();
        // SAFETY: a live tuple has `ob_size` references behind its head, none of them NULL once
        // code other than the tuple's maker sees it.
        unsafe {
            let length = (*tuple).ob_base.ob_size.unsigned_abs();
            std::slice::from_raw_parts((&raw const (*tuple).ob_item).cast(), length)
        }
    }
}

/// Gives a string the hash of an equal one, which has been hashed.
///
/// # Safety
/// Both are live strings with the same characters.
#[inline(always)]
pub(super) unsafe fn share_hash(string: *mut c::PyObject, other: *mut c::PyObject) {
    // SAFETY: every string has its hash there; -1 until it is known.
    unsafe {
        let hash = &raw mut (*string.cast::<AsciiHead>()).hash;
        if hash.read() == -1 {
            hash.write((*other.cast::<AsciiHead>()).hash);
        }
    }
}

/// A string of these ASCII characters, two or more of them.
#[inline(always)]
pub(crate) fn ascii(text: &[u8]) -> PyResult<Obj> {
    let length = text.len();
    // SAFETY: the object has room for the head, the characters and a zero, which are set before
    // anybody sees it. Objects of static types hold no reference to their type.
    unsafe {
        let ptr = c::PyObject_Malloc(size_of::<AsciiHead>() + length + 1).cast::<AsciiHead>();
        if ptr.is_null() {
            return Err(error::no_memory());
        }
        ptr.write(AsciiHead {
            head: c::PyObject_HEAD_INIT,
            length: length.cast_signed(),
            hash: -1,
            state: ASCII_STATE,
            #[cfg(not(Py_3_12))]
            wstr: std::ptr::null_mut(),
        });
        (*ptr.cast::<c::PyObject>()).ob_type = &raw mut c::PyUnicode_Type;
        count(ptr.cast());
        let target = ptr.add(1).cast::<u8>();
        copy(text, target);
        target.add(length).write(0);
        Ok(Obj::from_owned_opt(ptr.cast()).unwrap_unchecked())
    }
}

/// Has a debug build count the first reference to an object that was made here. What would be counted
/// only when it goes would hide leaks from those that hunt for them.
///
/// # Safety
/// It is new, and has its type.
#[inline(always)]
unsafe fn count(object: *mut c::PyObject) {
    #[cfg(py_sys_config = "Py_REF_DEBUG")]
    {
        unsafe extern "C" {
            fn _Py_NewReference(object: *mut c::PyObject);
        }
        // SAFETY: as the caller promises. It sets the count to one, which it is.
        unsafe { _Py_NewReference(object) };
    }
    let _ = object;
}

/// Copies bytes; short ones with two moves that may overlap.
///
/// # Safety
/// There is room for them at `target`, which is no part of `text`.
#[inline(always)]
unsafe fn copy(text: &[u8], target: *mut u8) {
    let length = text.len();
    macro_rules! two {
        ($size:literal) => {
            if let (Some(first), Some(last)) =
                (text.first_chunk::<$size>(), text.last_chunk::<$size>())
            {
                // SAFETY: both are inside of the text, and so of the target.
                unsafe {
                    target.cast::<[u8; $size]>().write_unaligned(*first);
                    let end = target.add(length - $size).cast::<[u8; $size]>();
                    end.write_unaligned(*last);
                }
                return;
            }
        };
    }
    if length <= 32 {
        if length >= 16 {
            two!(16);
        } else if length >= 8 {
            two!(8);
        } else if length >= 4 {
            two!(4);
        } else {
            two!(2);
        }
    }
    // SAFETY: as the caller promises.
    unsafe { target.copy_from_nonoverlapping(text.as_ptr(), length) };
}

/// What a new string that is all ASCII has as its state.
#[cfg(not(Py_3_12))]
const ASCII_STATE: u32 = COMPACT_ASCII | 1 << 2 | 1 << 7;
#[cfg(Py_3_12)]
const ASCII_STATE: u32 = COMPACT_ASCII | 1 << 2;

/// Whether strings that are made here are as others are.
pub(super) fn makes_strings() -> PyResult<bool> {
    for text in ["ab", "abcde", "abcdefgh", "sixteen letters.", &"many letters ".repeat(10)] {
        let (made, other) = (ascii(text.as_bytes())?, Str::new(text)?);
        let head = |object: &Object| {
            let ptr = object.as_ptr().cast::<AsciiHead>();
            // SAFETY: every string starts with these fields. The bits that the interpreter does not
            // use are whatever was there before.
            unsafe { ((*ptr).state & 0xff, (*ptr).length, c::Py_REFCNT(object.as_ptr())) }
        };
        if head(&made) != head(&other) || !made.equals(&other)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A float.
#[inline(always)]
pub(crate) fn float(value: f64) -> PyResult<Obj> {
    // SAFETY: the object has room for the head and the value, which are set before anybody sees it.
    // Objects of static types hold no reference to their type.
    unsafe {
        let ptr = c::PyObject_Malloc(size_of::<c::PyFloatObject>()).cast::<c::PyFloatObject>();
        if ptr.is_null() {
            return Err(error::no_memory());
        }
        ptr.write(c::PyFloatObject { ob_base: c::PyObject_HEAD_INIT, ob_fval: value });
        (*ptr.cast::<c::PyObject>()).ob_type = &raw mut c::PyFloat_Type;
        count(ptr.cast());
        Ok(Obj::from_owned_opt(ptr.cast()).unwrap_unchecked())
    }
}

/// Whether floats that are made here are as others are.
pub(super) fn makes_floats() -> PyResult<bool> {
    for value in [0.0, -1.5, f64::MAX] {
        let (made, other) = (float(value)?, Float::new(value)?);
        // SAFETY: two live objects.
        let counts = unsafe { (c::Py_REFCNT(made.as_ptr()), c::Py_REFCNT(other.as_ptr())) };
        let is_value = made.cast_exact::<Float>().map(Float::value) == Some(value);
        if counts.0 != counts.1 || !is_value || !made.equals(&other)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What a digit of an int is less than.
pub(crate) const DIGIT: i32 = 1 << 30;

/// An int of one digit that is above all that the interpreter has already.
#[inline(always)]
pub(crate) fn digit(value: i32) -> PyResult<Obj> {
    // SAFETY: the object has room for the head, the tag and a digit, which are set before anybody sees
    // it. Objects of static types hold no reference to their type.
    unsafe {
        let ptr = c::PyObject_Malloc(size_of::<OneDigit>()).cast::<OneDigit>();
        if ptr.is_null() {
            return Err(error::no_memory());
        }
        ptr.write(OneDigit {
            head: c::PyObject_HEAD_INIT,
            tag: if cfg!(Py_3_12) { 1 << 3 } else { 1 },
            digit: value.cast_unsigned(),
        });
        (*ptr.cast::<c::PyObject>()).ob_type = &raw mut c::PyLong_Type;
        count(ptr.cast());
        Ok(Obj::from_owned_opt(ptr.cast()).unwrap_unchecked())
    }
}

/// Whether ints that are made here are as others are.
pub(super) fn makes_ints() -> PyResult<bool> {
    for value in [1025, 70_000, DIGIT - 1] {
        let (made, other) = (digit(value)?, Int::new(value.into())?);
        // SAFETY: two live objects.
        let counts = unsafe { (c::Py_REFCNT(made.as_ptr()), c::Py_REFCNT(other.as_ptr())) };
        let as_int = |object: &Object| object.cast::<Int>().and_then(Int::as_i64);
        if counts.0 != counts.1 || as_int(&made) != Some(value.into()) || !made.equals(&other)? {
            return Ok(false);
        }
    }
    Ok(true)
}
