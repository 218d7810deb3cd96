//! The interpreter's error indicator.

use super::builtins::Str;
use super::object::{Obj, Object};
use pyo3_ffi as c;
use std::ffi::CStr;

/// The interpreter's error indicator is set; return to the caller and let it propagate.
#[derive(Debug)]
pub(crate) struct Raised;

/// What every call that may raise returns.
pub(crate) type PyResult<T> = Result<T, Raised>;

macro_rules! exceptions {
    ($($name:ident = $symbol:ident,)*) => {
        /// The built-in exceptions that a pickler or an unpickler raises or recognises itself.
        #[allow(clippy::enum_variant_names, reason = "the exceptions' own names")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Exc { $($name,)* }

        impl Exc {
            fn class(self) -> &'static Object {
                // SAFETY: the interpreter sets these pointers before any extension loads, and the
                // classes live as long as it does.
                unsafe { match self { $(Exc::$name => Object::from_ptr(c::$symbol),)* } }
            }
        }
    };
}

exceptions! {
    AttributeError = PyExc_AttributeError,
    EofError = PyExc_EOFError,
    ImportError = PyExc_ImportError,
    KeyError = PyExc_KeyError,
    MemoryError = PyExc_MemoryError,
    NotImplementedError = PyExc_NotImplementedError,
    OverflowError = PyExc_OverflowError,
    RecursionError = PyExc_RecursionError,
    RuntimeError = PyExc_RuntimeError,
    SystemError = PyExc_SystemError,
    TypeError = PyExc_TypeError,
    UnicodeDecodeError = PyExc_UnicodeDecodeError,
    UnicodeEncodeError = PyExc_UnicodeEncodeError,
    ValueError = PyExc_ValueError,
}

impl std::ops::Deref for Exc {
    type Target = Object;
    fn deref(&self) -> &Object {
        self.class()
    }
}

/// Raises `class(text)`.
#[cold]
pub(crate) fn raise(class: &Object, text: &str) -> Raised {
    match Str::new(text) {
        Ok(message) => raise_object(class, &message),
        Err(raised) => raised,
    }
}

/// Raises `class(value)`: the exception's argument is an object, as in `KeyError(key)`.
#[cold]
pub(crate) fn raise_object(class: &Object, value: &Object) -> Raised {
    // SAFETY: both are live objects; PyErr_SetObject takes references of its own.
    unsafe { c::PyErr_SetObject(class.as_ptr(), value.as_ptr()) };
    Raised
}

/// A message in which each `{}` of `template` is replaced by the next part.
#[cold]
pub(crate) fn raise_parts(class: &Object, template: &str, parts: &[Part<'_>]) -> Raised {
    match message(template, parts) {
        Ok(text) => raise_object(class, &text),
        Err(raised) => raised,
    }
}

/// What stands for a `{}` in a message. Texts from Python stay Python strings: they may hold what
/// Rust's cannot.
#[derive(Clone, Copy)]
pub(crate) enum Part<'a> {
    /// `repr(obj)`, printf's `%R`
    Repr(&'a Object),
    /// `str(obj)`, printf's `%S`
    Str(&'a Object),
    /// the fully qualified name of the object's type, `%T` of 3.13 and later
    TypeOf(&'a Object),
    /// `tp_name` of the object's type, cut to 200 bytes as `%.200s` does
    TypeName(&'a Object),
    /// plain text
    Text(&'a str),
    /// an integer
    Int(i64),
}

/// Builds the message of [`raise_parts`] as a Python string.
pub(crate) fn message(template: &str, parts: &[Part<'_>]) -> PyResult<Obj> {
    let mut pieces = Vec::new();
    let mut parts = parts.iter();
    for (i, literal) in template.split("{}").enumerate() {
        if i > 0
            && let Some(part) = parts.next()
        {
            pieces.push(match part {
                Part::Repr(obj) => obj.repr()?,
                Part::Str(obj) => obj.to_str()?.into_obj(),
                Part::TypeOf(obj) => obj.type_of().fully_qualified_name()?,
                Part::TypeName(obj) => {
                    let name = obj.type_of().tp_name();
                    Str::new(&String::from_utf8_lossy(&name[..name.len().min(200)]))?
                }
                Part::Text(text) => Str::new(text)?,
                Part::Int(n) => Str::new(&n.to_string())?,
            });
        }
        if !literal.is_empty() {
            pieces.push(Str::new(literal)?);
        }
    }
    let list = super::List::from_items(pieces)?;
    let empty = Str::new("")?;
    // SAFETY: a str and a list of str, both live.
    unsafe { Obj::from_owned(c::PyUnicode_Join(empty.as_ptr(), list.as_ptr())) }
}

/// Raises MemoryError.
#[cold]
pub(crate) fn no_memory() -> Raised {
    // SAFETY: sets the error indicator, nothing else.
    unsafe { c::PyErr_NoMemory() };
    Raised
}

/// Whether an exception is set.
pub(crate) fn occurred() -> bool {
    // SAFETY: reads the error indicator.
    !unsafe { c::PyErr_Occurred() }.is_null()
}

/// Whether the exception that is set is an instance of `class`.
pub(crate) fn matches(class: &Object) -> bool {
    // SAFETY: an exception is set (callers hold a `Raised`) and `class` is live.
    unsafe { c::PyErr_ExceptionMatches(class.as_ptr()) != 0 }
}

/// Clears the error indicator.
pub(crate) fn clear() {
    // SAFETY: clears the error indicator; a finaliser may run.
    unsafe { c::PyErr_Clear() }
}

/// Takes the exception out of the error indicator.
pub(crate) fn take() -> Option<Obj> {
    #[cfg(Py_3_12)]
    // SAFETY: returns an owned reference or NULL.
    unsafe {
        Obj::from_owned_opt(c::PyErr_GetRaisedException())
    }
    #[cfg(not(Py_3_12))]
    {
        let mut kind = std::ptr::null_mut();
        let mut value = std::ptr::null_mut();
        let mut traceback = std::ptr::null_mut();
        // SAFETY: the three pointers are valid; the fetched references are owned, NormalizeException
        // replaces them in place, and each is wrapped exactly once.
        unsafe {
            c::PyErr_Fetch(&mut kind, &mut value, &mut traceback);
            c::PyErr_NormalizeException(&mut kind, &mut value, &mut traceback);
            let _kind = Obj::from_owned_opt(kind);
            let traceback = Obj::from_owned_opt(traceback);
            let value = Obj::from_owned_opt(value);
            if let (Some(value), Some(traceback)) = (&value, &traceback) {
                c::PyException_SetTraceback(value.as_ptr(), traceback.as_ptr());
            }
            value
        }
    }
}

/// Puts an exception (from [`take`]) back.
pub(crate) fn restore(exception: Obj) -> Raised {
    #[cfg(Py_3_12)]
    // SAFETY: steals the reference that `into_ptr` gives up.
    unsafe {
        c::PyErr_SetRaisedException(exception.into_ptr());
    }
    #[cfg(not(Py_3_12))]
    // SAFETY: PyErr_Restore steals the three references; type and traceback are taken anew.
    unsafe {
        let kind = exception.type_of().own().into_ptr();
        let traceback = c::PyException_GetTraceback(exception.as_ptr());
        c::PyErr_Restore(kind, exception.into_ptr(), traceback);
    }
    Raised
}

/// Makes `earlier` the `__context__` of the exception that is set, or sets it where none is.
/// Python/errors.c: `_PyErr_ChainExceptions1`.
pub(crate) fn chain(earlier: Obj) -> Raised {
    match take() {
        Some(later) => {
            // SAFETY: PyException_SetContext steals the reference to `earlier`.
            unsafe { c::PyException_SetContext(later.as_ptr(), earlier.into_ptr()) };
            restore(later)
        }
        None => restore(earlier),
    }
}

/// Adds a note to the exception that is set, as `_PyErr_FormatNote` does (3.14 and later).
#[cold]
pub(crate) fn add_note(template: &str, parts: &[Part<'_>]) {
    let Some(exception) = take() else { return };
    let added = message(template, parts).and_then(|note| {
        let add_note = Str::interned(c"add_note")?;
        // The base class's method: a subclass that overrides it is not asked.
        let method = super::builtins::types::base_exception().attr(&add_note)?;
        method.call2(&exception, &note)
    });
    match added {
        Ok(_) => restore(exception),
        Err(Raised) => chain(exception),
    };
}

/// What was found; None, and no exception is set, where finding it failed.
pub(crate) fn quietly<T>(found: PyResult<T>) -> Option<T> {
    found.map_err(|Raised| clear()).ok()
}

/// Runs pending signal handlers; an exception of theirs (KeyboardInterrupt) comes back.
pub(crate) fn check_signals() -> PyResult<()> {
    // SAFETY: may run Python; nothing is borrowed here.
    if unsafe { c::PyErr_CheckSignals() } < 0 { Err(Raised) } else { Ok(()) }
}

/// Whether Ctrl-C was pressed, without running the handler: [`check_signals`] will.
pub(crate) fn is_interrupted() -> bool {
    // SAFETY: reads and clears a flag, and sets it again; runs no Python.
    unsafe {
        let interrupted = c::PyOS_InterruptOccurred() != 0;
        if interrupted {
            c::PyErr_SetInterrupt();
        }
        interrupted
    }
}

/// Raises the audit event `event(a, b)`.
pub(crate) fn audit(event: &CStr, a: &Object, b: &Object) -> PyResult<()> {
    // SAFETY: the format asks for exactly the two objects that follow.
    let status = unsafe {
        super::symbols::PySys_Audit(event.as_ptr(), c"OO".as_ptr(), a.as_ptr(), b.as_ptr())
    };
    if status < 0 { Err(Raised) } else { Ok(()) }
}

/// A new exception class, a subclass of `Exception` unless a base is given.
pub(crate) fn new_exception(name: &CStr, base: Option<&Object>) -> PyResult<Obj> {
    let base = base.map_or(std::ptr::null_mut(), Object::as_ptr);
    // SAFETY: a dotted name, a class or NULL, no dict; the result is owned or NULL.
    unsafe { Obj::from_owned(c::PyErr_NewException(name.as_ptr(), base, std::ptr::null_mut())) }
}
