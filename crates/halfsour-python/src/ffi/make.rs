//! Objects as loads need them by the million, through the public API.

use super::builtins::Str;
use super::error::{PyResult, quietly};
use super::object::{Obj, Object, Own, check};
use super::{Set, layout};
use pyo3_ffi as c;
use std::cell::Cell;

/// Strings up to so many bytes are decoded here.
const SHORT: usize = 256;

#[allow(clippy::new_ret_no_self, reason = "views are made by making objects")]
impl Str {
    /// Decodes UTF-8 without running Python. None for bytes that are not that: those with surrogates
    /// take an error handler, which may be Python. Short strings are decoded here.
    #[inline]
    pub(crate) fn from_pickled(bytes: &[u8]) -> PyResult<Option<Obj>> {
        // The interpreter has all strings of less than two characters already.
        if bytes.len() > 1 && is_ascii(bytes) {
            return layout::ascii(bytes).map(Some);
        }
        let Ok(text) = std::str::from_utf8(bytes) else { return Ok(None) };
        if bytes.len() <= SHORT
            && let count @ 2.. = text.chars().count()
        {
            return Str::of_chars(text, count).map(Some);
        }
        Str::from_utf8(bytes, c"strict").map(|text| Some(text.into_obj()))
    }

    fn of_chars(text: &str, count: usize) -> PyResult<Obj> {
        let most = text.chars().fold(0, |most, char| most.max(char.into()));
        macro_rules! fill {
            ($unit:ty) => {
                Str::of(count, most, |mut target: *mut $unit| {
                    for char in text.chars() {
                        // SAFETY: the new string has room for `count` characters of this width.
                        unsafe {
                            target.write(u32::from(char) as $unit);
                            target = target.add(1);
                        }
                    }
                })
            };
        }
        match most {
            0..=0xff => fill!(u8),
            0x100..=0xffff => fill!(u16),
            _ => fill!(u32),
        }
    }

    /// A string of so many characters, none above `most`, which `fill` sets.
    #[inline(always)]
    fn of<T>(count: usize, most: u32, fill: impl FnOnce(*mut T)) -> PyResult<Obj> {
        // SAFETY: the string is new; its characters are stored as wide as the largest of them needs.
        unsafe {
            let string = Obj::from_owned(c::PyUnicode_New(count.cast_signed(), most))?;
            fill(c::PyUnicode_DATA(string.as_ptr()).cast());
            Ok(string)
        }
    }
}

/// Whether there is no byte above 127.
#[inline(always)]
fn is_ascii(bytes: &[u8]) -> bool {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // The first and the last word may overlap.
    let all = if let Some(last) = bytes.last_chunk::<8>() {
        let (words, _) = bytes.as_chunks::<8>();
        words.iter().fold(u64::from_ne_bytes(*last), |all, word| all | u64::from_ne_bytes(*word))
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        u64::from(u32::from_ne_bytes(*first) | u32::from_ne_bytes(*last))
    } else {
        bytes.iter().fold(0, |all, byte| all | u64::from(*byte))
    };
    all & HIGH == 0
}

impl Set {
    /// `frozenset()`, to be added to before anybody else sees it.
    pub(crate) fn new_frozen() -> PyResult<Obj> {
        // SAFETY: the result is owned or NULL with an exception.
        unsafe { Own::from_owned(c::PyFrozenSet_New(std::ptr::null_mut())) }
    }

    /// Adds an element to a set, or to a new frozenset.
    pub(crate) fn add_to(set: &Object, element: &Object) -> PyResult<()> {
        // SAFETY: two live objects; the C function checks the first.
        check(unsafe { c::PySet_Add(set.as_ptr(), element.as_ptr()) })
    }

    /// Whether this is exactly a set, without elements.
    pub(crate) fn is_new(object: &Object) -> bool {
        object.cast_exact::<Set>().is_some_and(|set| set.len() == 0)
    }
}

impl Object {
    /// Whether it stands for what is yet to be imported: getting it from its module does that (3.15).
    pub(crate) fn is_lazy_import(&self) -> bool {
        #[cfg(Py_3_15)]
        // SAFETY: compares with the address of a static type.
        return unsafe { c::Py_TYPE(self.as_ptr()) == &raw mut super::symbols::PyLazyImport_Type };
        #[cfg(not(Py_3_15))]
        false
    }

    /// Whether hashing this and comparing it with others of these types runs no Python. Bytes are not
    /// among them: `python -b` warns where they are compared with text.
    #[inline(always)]
    pub(crate) fn is_plain_key(&self) -> bool {
        // SAFETY: only addresses of static types are compared.
        unsafe {
            let class = c::Py_TYPE(self.as_ptr());
            class == &raw mut c::PyUnicode_Type
                || class == &raw mut c::PyLong_Type
                || class == &raw mut c::PyFloat_Type
                || class == &raw mut c::PyBool_Type
                || self.is_none()
        }
    }
}

impl super::Int {
    /// A number of a pickle.
    #[inline(always)]
    pub(crate) fn from_i32(value: i32) -> PyResult<Obj> {
        // The interpreter has the small ones already, more of them the newer it is.
        const SMALL: i32 = 1 << 10;
        if value > SMALL && value < layout::DIGIT {
            return layout::digit(value);
        }
        // SAFETY: the result is owned or NULL with an exception.
        unsafe { Own::from_owned(c::PyLong_FromLong(value.into())) }
    }
}

/// The function in a static method.
pub(crate) fn static_function(method: &Object) -> Option<Obj> {
    // SAFETY: compares with the address of a static type.
    let is_static =
        unsafe { c::Py_TYPE(method.as_ptr()) == &raw mut super::symbols::PyStaticMethod_Type };
    if !is_static {
        return None;
    }
    let function = quietly(Str::interned(c"__func__").and_then(|name| method.attr(&name)));
    function.filter(|function| function.is_function())
}

/// The globals of a function that is written in Python.
pub(crate) fn function_globals(function: &Object) -> Option<&super::Dict> {
    if !function.is_function() {
        return None;
    }
    // SAFETY: a function has its globals, a dict, as long as it lives.
    unsafe { Object::from_ptr_opt(c::PyFunction_GetGlobals(function.as_ptr())) }?.cast_exact()
}

/// The code of an expression.
pub(crate) fn compile_expression(text: &str) -> PyResult<Obj> {
    let text = std::ffi::CString::new(text).unwrap_or_default();
    // SAFETY: two NUL-terminated strings; the result is owned or NULL with an exception.
    unsafe {
        let name = c"<halfsour>".as_ptr();
        Own::from_owned(c::Py_CompileString(text.as_ptr(), name, c::Py_eval_input))
    }
}

/// The function that encodes text so. May run Python, where nobody has asked for it before.
pub(crate) fn encoder(encoding: &std::ffi::CStr) -> PyResult<Obj> {
    // SAFETY: a NUL-terminated string; the result is owned or NULL with an exception.
    unsafe { Own::from_owned(c::PyCodec_Encoder(encoding.as_ptr())) }
}

/// Whether the code that is running looks for built-in names in this module: its globals have it, or its
/// dict, under a name. `slot` is where that was last.
pub(crate) fn frame_uses(builtins: &Object, name: &Object, slot: &Cell<usize>) -> bool {
    // SAFETY: a borrowed dict, or NULL where nothing is running.
    let globals = unsafe { Object::from_ptr_opt(c::PyEval_GetGlobals()) };
    let Some(globals) = globals.and_then(|globals| globals.cast_exact::<super::Dict>()) else {
        return false;
    };
    globals.find_at(slot, name).is_some_and(|found| {
        found.is(builtins) || builtins.module_dict().is_some_and(|dict| found.is(dict))
    })
}
