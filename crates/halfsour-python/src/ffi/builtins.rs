//! Checked views of the built-in types, with what pickling needs of each.

use super::error::{self, Exc, PyResult, Raised};
use super::object::{Obj, Object, Own, Typed, check};
use super::symbols;
use pyo3_ffi as c;
use std::ffi::{CStr, c_char};
use std::ops::Deref;

macro_rules! view {
    ($(#[$doc:meta])* $name:ident, $check:path, $exact:path) => {
        $(#[$doc])*
        #[repr(transparent)]
        pub(crate) struct $name(Object);

        impl Deref for $name {
            type Target = Object;
            #[inline]
            fn deref(&self) -> &Object {
                &self.0
            }
        }

        // SAFETY: transparent over `Object`; the C check is of the very type that the view is for.
        unsafe impl Typed for $name {
            #[inline]
            fn check(object: &Object) -> bool {
                // SAFETY: reads the type of a live object.
                unsafe { $check(object.as_ptr()) != 0 }
            }
            #[inline]
            fn check_exact(object: &Object) -> bool {
                // SAFETY: reads the type of a live object.
                unsafe { $exact(object.as_ptr()) != 0 }
            }
        }

        impl $name {
            /// A strong reference to the same object.
            #[allow(dead_code, reason = "each view has it; not each is used")]
            #[inline]
            pub(crate) fn own_view(&self) -> Own<$name> {
                // SAFETY: the new reference is to the object that is viewed already.
                unsafe { Own::from_owned_opt(self.own().into_ptr()).unwrap_unchecked() }
            }
        }
    };
}

view!(
    /// `str`
    Str, c::PyUnicode_Check, c::PyUnicode_CheckExact
);
view!(
    /// `bytes`
    Bytes, c::PyBytes_Check, c::PyBytes_CheckExact
);
view!(
    /// `bytearray`
    ByteArray, c::PyByteArray_Check, c::PyByteArray_CheckExact
);
view!(
    /// `int`
    Int, c::PyLong_Check, c::PyLong_CheckExact
);
view!(
    /// `float`
    Float, c::PyFloat_Check, c::PyFloat_CheckExact
);
view!(
    /// `tuple`
    Tuple, c::PyTuple_Check, c::PyTuple_CheckExact
);
view!(
    /// `list`
    List, c::PyList_Check, c::PyList_CheckExact
);
view!(
    /// `dict`
    Dict, c::PyDict_Check, c::PyDict_CheckExact
);
view!(
    /// `set` (not `frozenset`)
    Set, c::PySet_Check, c::PySet_CheckExact
);
view!(
    /// `set` or `frozenset`
    AnySet, c::PyAnySet_Check, c::PyAnySet_CheckExact
);
view!(
    /// `type`
    Type, c::PyType_Check, c::PyType_CheckExact
);

/// The types and callables that the interpreter itself holds.
pub(crate) mod types {
    use super::{Object, c, symbols};

    macro_rules! statics {
        ($($name:ident = $symbol:path;)*) => {
            $(
                #[doc = concat!("`", stringify!($name), "`")]
                pub(crate) fn $name() -> &'static Object {
                    // SAFETY: a static type object, alive as long as the interpreter.
                    unsafe { Object::from_ptr((&raw mut $symbol).cast()) }
                }
            )*
        };
    }

    statics! {
        bytes = c::PyBytes_Type;
        bytearray = c::PyByteArray_Type;
        set = c::PySet_Type;
        frozenset = c::PyFrozenSet_Type;
        dict = c::PyDict_Type;
        type_ = c::PyType_Type;
        object = c::PyBaseObject_Type;
        tuple = c::PyTuple_Type;
        picklebuffer = symbols::PyPickleBuffer_Type;
    }

    /// `BaseException`
    pub(crate) fn base_exception() -> &'static Object {
        // SAFETY: set before any extension loads, alive as long as the interpreter.
        unsafe { Object::from_ptr(c::PyExc_BaseException) }
    }
}

/// The code points of a string as they are stored.
pub(crate) enum CodePoints<'a> {
    One(&'a [u8]),
    Two(&'a [u16]),
    Four(&'a [u32]),
}

#[allow(clippy::new_ret_no_self, reason = "views are made by making objects")]
impl Str {
    /// A new string.
    pub(crate) fn new(text: &str) -> PyResult<Obj> {
        Str::from_utf8(text.as_bytes(), c"strict").map(Own::into_obj)
    }

    /// An interned string, for attribute names.
    pub(crate) fn interned(text: &CStr) -> PyResult<Obj> {
        // SAFETY: a NUL-terminated string; the result is owned or NULL with an exception.
        unsafe { Own::from_owned(c::PyUnicode_InternFromString(text.as_ptr())) }
    }

    /// As [`Str::interned`].
    pub(crate) fn interned_text(text: &str) -> PyResult<Obj> {
        Str::from_utf8(text.as_bytes(), c"strict").map(|text| Str::intern(text).into_obj())
    }

    /// Interns this string in place of the reference given, as instance dictionaries want it.
    pub(crate) fn intern(string: Own<Str>) -> Own<Str> {
        let mut ptr = string.into_ptr();
        // SAFETY: the reference is ours; the function replaces it by an owned one, never NULL.
        unsafe {
            c::PyUnicode_InternInPlace(&mut ptr);
            Own::from_owned_opt(ptr).unwrap_unchecked()
        }
    }

    /// Decodes UTF-8.
    pub(crate) fn from_utf8(bytes: &[u8], errors: &CStr) -> PyResult<Own<Str>> {
        // SAFETY: pointer and length of one slice. An error handler may be Python.
        unsafe {
            Own::from_owned(c::PyUnicode_DecodeUTF8(ptr(bytes), len(bytes)?, errors.as_ptr()))
        }
    }

    /// Decodes ASCII, strictly.
    pub(crate) fn from_ascii(bytes: &[u8]) -> PyResult<Own<Str>> {
        // SAFETY: pointer and length of one slice.
        unsafe {
            Own::from_owned(c::PyUnicode_DecodeASCII(ptr(bytes), len(bytes)?, c"strict".as_ptr()))
        }
    }

    /// Decodes Latin-1.
    pub(crate) fn from_latin1(bytes: &[u8]) -> PyResult<Own<Str>> {
        // SAFETY: pointer and length of one slice.
        unsafe {
            Own::from_owned(c::PyUnicode_DecodeLatin1(ptr(bytes), len(bytes)?, c"strict".as_ptr()))
        }
    }

    /// Decodes the argument of the UNICODE opcode.
    pub(crate) fn from_raw_unicode_escape(bytes: &[u8]) -> PyResult<Own<Str>> {
        // SAFETY: pointer and length of one slice; NULL errors means strict.
        unsafe {
            Own::from_owned(c::PyUnicode_DecodeRawUnicodeEscape(
                ptr(bytes),
                len(bytes)?,
                std::ptr::null(),
            ))
        }
    }

    /// Decodes with any codec. The codec may be Python code, so it gets bytes of its own.
    pub(crate) fn decode(bytes: &[u8], encoding: &CStr, errors: &CStr) -> PyResult<Obj> {
        let copy = bytes.to_vec();
        // SAFETY: pointer and length of a buffer that nobody else knows.
        unsafe {
            Own::from_owned(c::PyUnicode_Decode(
                ptr(&copy),
                len(&copy)?,
                encoding.as_ptr(),
                errors.as_ptr(),
            ))
        }
    }

    /// Decodes a bytes-like object with any codec.
    pub(crate) fn from_encoded_object(
        object: &Object,
        encoding: &CStr,
        errors: &CStr,
    ) -> PyResult<Obj> {
        // SAFETY: a live object and two NUL-terminated strings.
        unsafe {
            Own::from_owned(c::PyUnicode_FromEncodedObject(
                object.as_ptr(),
                encoding.as_ptr(),
                errors.as_ptr(),
            ))
        }
    }

    /// The string's UTF-8, kept by the string itself. None (and no exception) where it holds a lone
    /// surrogate: that asks for an error handler, which may be Python.
    #[inline]
    pub(crate) fn utf8(&self) -> Option<&[u8]> {
        let mut size = 0;
        // SAFETY: a live str; the buffer belongs to it and does not change, since strings do not.
        let data = unsafe { c::PyUnicode_AsUTF8AndSize(self.as_ptr(), &mut size) };
        if data.is_null() {
            error::clear();
            return None;
        }
        // SAFETY: see above; `size` is the buffer's length.
        Some(unsafe { std::slice::from_raw_parts(data.cast(), size.unsigned_abs()) })
    }

    /// UTF-8 in which lone surrogates are encoded too.
    pub(crate) fn utf8_surrogatepass(&self) -> PyResult<Own<Bytes>> {
        self.encode(c"utf-8", c"surrogatepass")
    }

    /// The bytes of the string in an encoding.
    pub(crate) fn encode(&self, encoding: &CStr, errors: &CStr) -> PyResult<Own<Bytes>> {
        // SAFETY: a live str; the result is bytes, owned, or NULL with an exception.
        unsafe {
            Own::from_owned(c::PyUnicode_AsEncodedString(
                self.as_ptr(),
                encoding.as_ptr(),
                errors.as_ptr(),
            ))
        }
    }

    /// The number of code points.
    pub(crate) fn len(&self) -> usize {
        // SAFETY: a live str.
        unsafe { c::PyUnicode_GetLength(self.as_ptr()) }.unsigned_abs()
    }

    /// Whether all characters are ASCII.
    pub(crate) fn is_ascii(&self) -> bool {
        matches!(self.code_points(), CodePoints::One(points) if points.is_ascii())
    }

    /// The stored code points.
    pub(crate) fn code_points(&self) -> CodePoints<'_> {
        let ptr = self.as_ptr();
        // SAFETY: a live (and, before 3.12, ready) str: kind says how wide its code points are
        // stored, and the data, which never changes, has `length` of them.
        unsafe {
            #[cfg(not(Py_3_12))]
            c::PyUnicode_READY(ptr);
            let length = c::PyUnicode_GET_LENGTH(ptr).unsigned_abs();
            let data = c::PyUnicode_DATA(ptr);
            match c::PyUnicode_KIND(ptr) {
                1 => CodePoints::One(std::slice::from_raw_parts(data.cast(), length)),
                2 => CodePoints::Two(std::slice::from_raw_parts(data.cast(), length)),
                _ => CodePoints::Four(std::slice::from_raw_parts(data.cast(), length)),
            }
        }
    }

    /// `self == text`, which is ASCII
    pub(crate) fn equals(&self, text: &str) -> bool {
        matches!(self.code_points(), CodePoints::One(points) if points == text.as_bytes())
    }

    /// `self.split('.')`
    pub(crate) fn split_dots(&self) -> PyResult<Vec<Own<Str>>> {
        let dot = Str::new(".")?;
        // SAFETY: two live strings; the result is a list of str, owned, or NULL with an exception.
        let list: Own<List> =
            unsafe { Own::from_owned(c::PyUnicode_Split(self.as_ptr(), dot.as_ptr(), -1))? };
        let mut parts = Vec::with_capacity(list.len());
        while let Some(part) = list.get(parts.len()) {
            // SAFETY: PyUnicode_Split makes strings, and nobody else has seen the list.
            parts.push(unsafe { Own::from_owned(part.into_ptr())? });
        }
        Ok(parts)
    }

    /// `'.'.join(parts)`
    pub(crate) fn join_dots(parts: &[Own<Str>]) -> PyResult<Own<Str>> {
        let list = List::from_items(parts.iter().map(|part| part.own()).collect::<Vec<_>>())?;
        let dot = Str::new(".")?;
        // SAFETY: a str and a list of str; the result is a str, owned, or NULL with an exception.
        unsafe { Own::from_owned(c::PyUnicode_Join(dot.as_ptr(), list.as_ptr())) }
    }
}

impl Bytes {
    /// A copy of `data`.
    pub(crate) fn new(data: &[u8]) -> PyResult<Own<Bytes>> {
        // SAFETY: pointer and length of one slice; the result is bytes, owned, or NULL.
        unsafe { Own::from_owned(c::PyBytes_FromStringAndSize(ptr(data), len(data)?)) }
    }

    /// As [`Bytes::new`], but never the object that the interpreter shares for a single byte:
    /// `_pickle` makes a new one, which identity can tell.
    pub(crate) fn unshared(data: &[u8]) -> PyResult<Own<Bytes>> {
        if data.len() != 1 {
            return Bytes::new(data);
        }
        let bytes = Bytes::zeroed(1)?;
        super::buffer::write(&bytes, 0, data);
        Ok(bytes)
    }

    /// `bytes(object)` as the interpreter makes it: whether a single byte is the shared object or a
    /// new one depends on its version.
    pub(crate) fn from_object(object: &Object) -> PyResult<Own<Bytes>> {
        // SAFETY: a live object; the result is bytes, owned, or NULL with an exception.
        unsafe { Own::from_owned(c::PyBytes_FromObject(object.as_ptr())) }
    }

    /// Zero bytes, to be filled (see [`super::buffer::write`]) before anybody else sees them.
    pub(crate) fn zeroed(size: usize) -> PyResult<Own<Bytes>> {
        let size = isize::try_from(size).map_err(|_| error::no_memory())?;
        // SAFETY: a new bytes object has room for `size` bytes, which are set here.
        unsafe {
            let bytes: Own<Bytes> =
                Own::from_owned(c::PyBytes_FromStringAndSize(std::ptr::null(), size))?;
            c::PyBytes_AsString(bytes.as_ptr()).write_bytes(0, size.unsigned_abs());
            Ok(bytes)
        }
    }

    /// The content.
    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        // SAFETY: the content of a bytes object does not change and lives as long as it.
        unsafe {
            std::slice::from_raw_parts(
                (&raw const (*self.as_ptr().cast::<c::PyBytesObject>()).ob_sval).cast(),
                c::Py_SIZE(self.as_ptr()).unsigned_abs(),
            )
        }
    }

    /// What PyBytes_DecodeEscape makes of the argument of a STRING opcode.
    pub(crate) fn decode_escape(data: &[u8]) -> PyResult<Own<Bytes>> {
        // SAFETY: pointer and length of one slice; NULL errors means strict.
        unsafe {
            Own::from_owned(c::PyBytes_DecodeEscape(
                ptr(data),
                len(data)?,
                std::ptr::null(),
                0,
                std::ptr::null(),
            ))
        }
    }
}

impl ByteArray {
    /// A copy of `data`.
    pub(crate) fn new(data: &[u8]) -> PyResult<Own<ByteArray>> {
        // SAFETY: pointer and length of one slice; the result is a bytearray, owned, or NULL.
        unsafe { Own::from_owned(c::PyByteArray_FromStringAndSize(ptr(data), len(data)?)) }
    }

    /// The content. Do not call into Python while it is borrowed.
    pub(crate) fn as_slice(&self) -> &[u8] {
        // SAFETY: the buffer has `size` bytes until somebody resizes the bytearray, which takes
        // running Python (rule 3 of this module).
        unsafe {
            let size = c::PyByteArray_Size(self.as_ptr()).unsigned_abs();
            let data = c::PyByteArray_AsString(self.as_ptr());
            if size == 0 { &[] } else { std::slice::from_raw_parts(data.cast(), size) }
        }
    }
}

#[allow(clippy::new_ret_no_self, reason = "views are made by making objects")]
impl Int {
    /// A new int.
    pub(crate) fn new(value: i64) -> PyResult<Obj> {
        // SAFETY: the result is owned or NULL with an exception.
        unsafe { Own::from_owned(c::PyLong_FromLongLong(value)) }
    }

    /// An object's address as an int.
    pub(crate) fn from_address(address: usize) -> PyResult<Obj> {
        // SAFETY: the result is owned or NULL with an exception.
        unsafe { Own::from_owned(c::PyLong_FromSize_t(address)) }
    }

    /// The int that `text` spells, as PyLong_FromString reads it: up to the first NUL.
    pub(crate) fn parse(text: &[u8], base: i32) -> PyResult<Obj> {
        let text = terminated(text);
        // SAFETY: a NUL-terminated buffer; the result is owned or NULL with an exception.
        unsafe {
            Own::from_owned(c::PyLong_FromString(text.as_ptr().cast(), std::ptr::null_mut(), base))
        }
    }

    /// From little-endian two's complement.
    pub(crate) fn from_le_bytes(bytes: &[u8]) -> PyResult<Obj> {
        // SAFETY: pointer and length of one slice; the result is owned or NULL with an exception.
        unsafe {
            Own::from_owned(symbols::_PyLong_FromByteArray(bytes.as_ptr(), bytes.len(), 1, 1))
        }
    }

    /// The value, where an i64 can hold it.
    #[inline]
    pub(crate) fn as_i64(&self) -> Option<i64> {
        let mut overflow = 0;
        // SAFETY: a live int.
        let value = unsafe { c::PyLong_AsLongLongAndOverflow(self.as_ptr(), &mut overflow) };
        if overflow == 0 { Some(value) } else { None }
    }

    /// The shortest little-endian two's complement.
    pub(crate) fn to_le_bytes(&self) -> PyResult<Vec<u8>> {
        #[cfg(Py_3_13)]
        let mut bytes = {
            const LITTLE_ENDIAN: i32 = 1;
            // SAFETY: a live int; with no buffer only the size is computed.
            let size = unsafe {
                c::PyLong_AsNativeBytes(self.as_ptr(), std::ptr::null_mut(), 0, LITTLE_ENDIAN)
            };
            check(if size < 0 { -1 } else { 0 })?;
            let mut bytes = vec![0u8; size.unsigned_abs()];
            // SAFETY: the buffer has `size` bytes.
            let written = unsafe {
                c::PyLong_AsNativeBytes(
                    self.as_ptr(),
                    bytes.as_mut_ptr().cast(),
                    size,
                    LITTLE_ENDIAN,
                )
            };
            check(if written < 0 { -1 } else { 0 })?;
            bytes
        };
        #[cfg(not(Py_3_13))]
        let mut bytes = {
            // SAFETY: a live int.
            let bits = unsafe { symbols::_PyLong_NumBits(self.as_ptr()) };
            if bits == usize::MAX && error::occurred() {
                return Err(Raised);
            }
            let mut bytes = vec![0u8; bits / 8 + 1];
            // SAFETY: the buffer has as many bytes as are said.
            check(unsafe {
                symbols::_PyLong_AsByteArray(self.as_ptr(), bytes.as_mut_ptr(), bytes.len(), 1, 1)
            })?;
            bytes
        };
        while let [.., before, last] = bytes[..]
            && ((last == 0 && before < 0x80) || (last == 0xff && before >= 0x80))
        {
            bytes.pop();
        }
        Ok(bytes)
    }
}

/// `int(object)` as a Py_ssize_t: TypeError or OverflowError where it is none.
pub(crate) fn as_ssize(object: &Object) -> PyResult<i64> {
    // SAFETY: a live object; -1 may mean that an exception is set.
    let value = unsafe { c::PyLong_AsSsize_t(object.as_ptr()) };
    if value == -1 && error::occurred() { Err(Raised) } else { Ok(value as i64) }
}

/// `int(object)` as a C long: TypeError or OverflowError where it is none.
#[allow(clippy::useless_conversion, reason = "a C long has 32 bits on Windows")]
pub(crate) fn as_long(object: &Object) -> PyResult<i64> {
    // SAFETY: a live object; -1 may mean that an exception is set.
    let value = unsafe { c::PyLong_AsLong(object.as_ptr()) };
    if value == -1 && error::occurred() { Err(Raised) } else { Ok(i64::from(value)) }
}

#[allow(clippy::new_ret_no_self, reason = "views are made by making objects")]
impl Float {
    /// A new float.
    pub(crate) fn new(value: f64) -> PyResult<Obj> {
        // SAFETY: the result is owned or NULL with an exception.
        unsafe { Own::from_owned(c::PyFloat_FromDouble(value)) }
    }

    /// The value.
    #[inline]
    pub(crate) fn value(&self) -> f64 {
        // SAFETY: a live float.
        unsafe { c::PyFloat_AS_DOUBLE(self.as_ptr()) }
    }

    /// The number that `text` starts with, as PyOS_string_to_double reads it, and how many bytes
    /// it takes. OverflowError where it is too large.
    pub(crate) fn parse(text: &[u8]) -> PyResult<(f64, usize)> {
        let text = terminated(text);
        let mut end = std::ptr::null_mut();
        // SAFETY: a NUL-terminated buffer; `end` is set to a place in it.
        let value = unsafe {
            c::PyOS_string_to_double(text.as_ptr().cast(), &mut end, c::PyExc_OverflowError)
        };
        if value == -1.0 && error::occurred() {
            return Err(Raised);
        }
        Ok((value, (end as usize).saturating_sub(text.as_ptr() as usize)))
    }

    /// `repr(self)` of an exact float.
    pub(crate) fn digits(&self) -> PyResult<Vec<u8>> {
        const ADD_DOT_0: i32 = 2;
        // SAFETY: the result is NULL or a NUL-terminated buffer of PyMem_Malloc, copied and freed.
        unsafe {
            let text = c::PyOS_double_to_string(
                self.value(),
                b'r' as c_char,
                0,
                ADD_DOT_0,
                std::ptr::null_mut(),
            );
            if text.is_null() {
                return Err(error::no_memory());
            }
            let digits = CStr::from_ptr(text).to_bytes().to_vec();
            c::PyMem_Free(text.cast());
            Ok(digits)
        }
    }
}

impl Tuple {
    /// A tuple of these items.
    pub(crate) fn from_items<I>(items: I) -> PyResult<Own<Tuple>>
    where
        I: IntoIterator<Item = Obj, IntoIter: ExactSizeIterator>,
    {
        let items = items.into_iter();
        let size = items.len();
        // SAFETY: the tuple is new and nobody else sees it before all its slots are set: the
        // iterators that callers pass run no Python. Slots that stay empty are never reached, since
        // `take(size)` of an honest ExactSizeIterator fills them all; a short one leaves NULLs,
        // which the tuple's deallocator copes with, and is refused.
        unsafe {
            let tuple: Own<Tuple> = Own::from_owned(c::PyTuple_New(size as isize))?;
            let mut filled = 0;
            for item in items.take(size) {
                c::PyTuple_SET_ITEM(tuple.as_ptr(), filled as isize, item.into_ptr());
                filled += 1;
            }
            if filled == size { Ok(tuple) } else { Err(short_iterator()) }
        }
    }

    /// The number of items.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        // SAFETY: a live tuple.
        unsafe { c::PyTuple_GET_SIZE(self.as_ptr()).unsigned_abs() }
    }

    /// The item at `index`, borrowed: tuples keep their items.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<&Object> {
        if index < self.len() {
            // SAFETY: the index is in range; the slot may be empty only in a tuple under
            // construction by C code.
            unsafe { Object::from_ptr_opt(c::PyTuple_GET_ITEM(self.as_ptr(), index as isize)) }
        } else {
            None
        }
    }

    /// `self[start:]`
    pub(crate) fn slice_from(&self, start: usize) -> PyResult<Own<Tuple>> {
        // SAFETY: a live tuple; the C function clips the bounds.
        unsafe {
            Own::from_owned(c::PyTuple_GetSlice(self.as_ptr(), start as isize, self.len() as isize))
        }
    }
}

impl List {
    /// A list of these items.
    pub(crate) fn from_items<I>(items: I) -> PyResult<Own<List>>
    where
        I: IntoIterator<Item = Obj, IntoIter: ExactSizeIterator>,
    {
        let items = items.into_iter();
        let size = items.len();
        // SAFETY: as Tuple::from_items.
        unsafe {
            let list: Own<List> = Own::from_owned(c::PyList_New(size as isize))?;
            let mut filled = 0;
            for item in items.take(size) {
                c::PyList_SET_ITEM(list.as_ptr(), filled as isize, item.into_ptr());
                filled += 1;
            }
            if filled == size { Ok(list) } else { Err(short_iterator()) }
        }
    }

    /// The number of items, now.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        // SAFETY: a live list.
        unsafe { c::PyList_GET_SIZE(self.as_ptr()).unsigned_abs() }
    }

    /// The item at `index`, if the list has it now.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<Obj> {
        if index < self.len() {
            // SAFETY: the index is in range, and the item is owned before anything else runs.
            unsafe {
                Object::from_ptr_opt(c::PyList_GET_ITEM(self.as_ptr(), index as isize))
                    .map(Object::own)
            }
        } else {
            None
        }
    }

    /// `self.append(item)`
    pub(crate) fn append(&self, item: &Object) -> PyResult<()> {
        // SAFETY: a live list and a live item.
        check(unsafe { c::PyList_Append(self.as_ptr(), item.as_ptr()) })
    }

    /// `self[len(self):] = items`
    pub(crate) fn extend(&self, items: &List) -> PyResult<()> {
        let end = self.len() as isize;
        // SAFETY: two live lists; the C function clips the bounds.
        check(unsafe { c::PyList_SetSlice(self.as_ptr(), end, end, items.as_ptr()) })
    }
}

impl Dict {
    /// `{}`
    pub(crate) fn new() -> PyResult<Own<Dict>> {
        // SAFETY: the result is a dict, owned, or NULL with an exception.
        unsafe { Own::from_owned(c::PyDict_New()) }
    }

    /// The number of items, now.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        // SAFETY: a live dict.
        unsafe { c::PyDict_Size(self.as_ptr()).unsigned_abs() }
    }

    /// The next item at or after `position`, which moves behind it. The dict may change between
    /// calls; then items may be missed or seen twice, as in C.
    #[inline]
    pub(crate) fn next_item(&self, position: &mut isize) -> Option<(Obj, Obj)> {
        let (mut key, mut value) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: a live dict; the C function checks the position against the table's size. Both
        // items are owned before anything else runs.
        unsafe {
            if c::PyDict_Next(self.as_ptr(), position, &mut key, &mut value) == 0 {
                None
            } else {
                Some((Object::from_ptr(key).own(), Object::from_ptr(value).own()))
            }
        }
    }

    /// `self.get(key)`; runs `__hash__` and `__eq__`, not `__missing__`.
    pub(crate) fn get(&self, key: &Object) -> PyResult<Option<Obj>> {
        // SAFETY: a live dict and key; the result is borrowed, and owned before anything else runs.
        let found = unsafe {
            Object::from_ptr_opt(c::PyDict_GetItemWithError(self.as_ptr(), key.as_ptr()))
                .map(Object::own)
        };
        if found.is_none() && error::occurred() { Err(Raised) } else { Ok(found) }
    }

    /// `del self[key]`, not through an overridden `__delitem__`.
    pub(crate) fn remove(&self, key: &Object) -> PyResult<()> {
        // SAFETY: a live dict and key.
        check(unsafe { c::PyDict_DelItem(self.as_ptr(), key.as_ptr()) })
    }

    /// `self[key] = value`, not through an overridden `__setitem__`.
    pub(crate) fn set(&self, key: &Object, value: &Object) -> PyResult<()> {
        // SAFETY: a live dict, key and value.
        check(unsafe { c::PyDict_SetItem(self.as_ptr(), key.as_ptr(), value.as_ptr()) })
    }

    /// The same, where key and value are given away.
    #[inline]
    pub(crate) fn give(&self, key: Obj, value: Obj) -> PyResult<()> {
        #[cfg(not(Py_3_13))]
        return self.set(&key, &value);
        // SAFETY: a live dict, key and value, whose references are taken, also where it fails.
        #[cfg(Py_3_13)]
        return check(unsafe {
            symbols::_PyDict_SetItem_Take2(self.as_ptr(), key.into_ptr(), value.into_ptr())
        });
    }
}

impl Set {
    /// `set()`
    pub(crate) fn new() -> PyResult<Own<Set>> {
        // SAFETY: the result is a set, owned, or NULL with an exception.
        unsafe { Own::from_owned(c::PySet_New(std::ptr::null_mut())) }
    }

    /// The number of elements, now.
    pub(crate) fn len(&self) -> usize {
        // SAFETY: a live set.
        unsafe { c::PySet_Size(self.as_ptr()).unsigned_abs() }
    }

    /// The next element at or after `position`, which moves behind it. The set may change between
    /// calls.
    pub(crate) fn next_item(&self, position: &mut isize) -> Option<Obj> {
        let (mut key, mut hash) = (std::ptr::null_mut(), 0);
        // SAFETY: a live set; the C function checks the position against the table's size. The
        // element is owned before anything else runs.
        unsafe {
            if symbols::_PySet_NextEntry(self.as_ptr(), position, &mut key, &mut hash) == 0 {
                None
            } else {
                Some(Object::from_ptr(key).own())
            }
        }
    }

    /// `self.update(items)`, not through an overridden `update`.
    pub(crate) fn update(&self, items: &Tuple) -> PyResult<()> {
        // SAFETY: a live set and a live tuple.
        check(unsafe { symbols::_PySet_Update(self.as_ptr(), items.as_ptr()) })
    }

    /// `frozenset(items)`
    pub(crate) fn frozen(items: &Tuple) -> PyResult<Obj> {
        // SAFETY: a live tuple; the result is owned or NULL with an exception.
        unsafe { Own::from_owned(c::PyFrozenSet_New(items.as_ptr())) }
    }
}

impl Type {
    /// The type as a plain object.
    #[inline]
    pub(crate) fn as_obj(&self) -> &Object {
        self
    }

    /// The name that C code knows the type by (`_pickle.Pickler`, `MyClass`).
    pub(crate) fn tp_name(&self) -> &[u8] {
        // SAFETY: a live type's name is a NUL-terminated string that lives as long as the type
        // keeps it; callers copy it before they call out.
        unsafe { CStr::from_ptr((*self.as_ptr().cast::<c::PyTypeObject>()).tp_name).to_bytes() }
    }

    /// Whether the name that `type` gives it does not end so.
    pub(crate) fn is_named_otherwise(&self, end: &[u8]) -> bool {
        !self.tp_name().ends_with(end)
    }

    /// `module.qualname`, without the module for built-ins: printf's `%T`.
    /// Objects/typeobject.c: `PyType_GetFullyQualifiedName`.
    pub(crate) fn fully_qualified_name(&self) -> PyResult<Obj> {
        #[cfg(Py_3_13)]
        // SAFETY: a live type; the result is owned or NULL with an exception.
        unsafe {
            Own::from_owned(c::PyType_GetFullyQualifiedName(self.as_ptr().cast()))
        }
        // Only messages of 3.14 and later ask for it.
        #[cfg(not(Py_3_13))]
        Str::new(&String::from_utf8_lossy(self.tp_name()))
    }

    /// `issubclass(self, type)`, by the method resolution order alone.
    pub(crate) fn is_metaclass(&self) -> bool {
        // SAFETY: two live types.
        unsafe { c::PyType_IsSubtype(self.as_ptr().cast(), &raw mut c::PyType_Type) != 0 }
    }

    /// Whether the type was made by a program or with `PyType_FromSpec`.
    pub(crate) fn is_heap_type(&self) -> bool {
        self.has_flag(c::Py_TPFLAGS_HEAPTYPE)
    }

    /// Whether it is a subclass of list or dict.
    pub(crate) fn is_list_or_dict(&self) -> bool {
        self.has_flag(c::Py_TPFLAGS_LIST_SUBCLASS | c::Py_TPFLAGS_DICT_SUBCLASS)
    }

    /// Whether it is a subclass of tuple that has no dict, and under this name (`__iter__`) what
    /// tuple has.
    pub(crate) fn is_plain_tuple(&self, iter: &Object) -> bool {
        let same = |base: &Type| {
            self.lookup(iter).zip(base.lookup(iter)).is_some_and(|(own, base)| own.is(base))
        };
        // SAFETY: reads a field of a live type.
        let dictoffset = unsafe { (*self.as_ptr().cast::<c::PyTypeObject>()).tp_dictoffset };
        self.has_flag(c::Py_TPFLAGS_TUPLE_SUBCLASS)
            && dictoffset == 0
            && types::tuple().cast::<Type>().is_some_and(same)
    }

    fn has_flag(&self, flags: std::ffi::c_ulong) -> bool {
        // SAFETY: reads a field of a live type.
        let own = unsafe { c::PyType_GetFlags(self.as_ptr().cast()) };
        own & flags != 0
    }

    /// Whether the type can make instances at all (`tp_new`).
    pub(crate) fn has_new(&self) -> bool {
        // SAFETY: reads a slot of a live type.
        unsafe { (*self.as_ptr().cast::<c::PyTypeObject>()).tp_new.is_some() }
    }

    /// `self.__new__(self, *args, **kwargs)` through the slot; TypeError where there is none.
    pub(crate) fn new_object(&self, args: &Tuple, kwargs: Option<&Dict>) -> PyResult<Obj> {
        // SAFETY: the slot of a live type is called as its contract says: with the type, a tuple
        // and a dict or NULL.
        unsafe {
            match (*self.as_ptr().cast::<c::PyTypeObject>()).tp_new {
                Some(new) => Own::from_owned(new(
                    self.as_ptr().cast(),
                    args.as_ptr(),
                    kwargs.map_or(std::ptr::null_mut(), |kwargs| kwargs.as_ptr()),
                )),
                None => Err(error::raise(&Exc::TypeError, "the type has no __new__")),
            }
        }
    }
}

#[cold]
fn short_iterator() -> Raised {
    error::raise(&Exc::SystemError, "an iterator was shorter than it said")
}

fn ptr(bytes: &[u8]) -> *const c_char {
    bytes.as_ptr().cast()
}

fn len(bytes: &[u8]) -> PyResult<isize> {
    isize::try_from(bytes.len()).map_err(|_| error::no_memory())
}

fn terminated(text: &[u8]) -> Vec<u8> {
    let mut owned = Vec::with_capacity(text.len() + 1);
    owned.extend_from_slice(text);
    owned.push(0);
    owned
}
