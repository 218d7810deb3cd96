//! Arguments of functions, as Argument Clinic takes them.
//!
//! Well-formed calls are bound here; everything else goes to `PyArg_ParseTupleAndKeywords`, which
//! raises the interpreter's own errors.

use super::builtins::{Dict, Str, Tuple};
use super::error::{self, Exc, PyResult, Raised};
use super::object::{Obj, Object};
use pyo3_ffi as c;
use std::ffi::{CStr, c_char};

/// The most parameters that a function of this module has.
const MOST: usize = 5;

/// What a function takes. Every parameter is taken as an object; conversions are the caller's.
pub(crate) struct Signature<const N: usize> {
    /// PyArg_Parse format of `N` times `O`, with `|`, `$` and `:name`
    pub(crate) format: &'static CStr,
    /// parameter names; a positional-only one is empty
    pub(crate) names: [&'static CStr; N],
    /// how many must be given
    pub(crate) required: usize,
    /// how many may be given by position
    pub(crate) positional: usize,
}

/// The arguments of a METH_FASTCALL call.
#[derive(Clone, Copy)]
pub(crate) struct Arguments<'a> {
    values: &'a [&'a Object],
    positional: usize,
    keywords: Option<&'a Tuple>,
}

impl<'a> Arguments<'a> {
    /// # Safety
    /// The arguments are those that the interpreter passed to a METH_FASTCALL | METH_KEYWORDS
    /// function whose call lasts for `'a`.
    pub(super) unsafe fn from_call(
        args: *const *mut c::PyObject,
        count: c::Py_ssize_t,
        keywords: *mut c::PyObject,
    ) -> Arguments<'a> {
        // SAFETY: keywords is NULL or a tuple of str; values are `count` positional ones followed
        // by one for each keyword, all kept alive by the caller. `&Object` is one pointer.
        unsafe {
            let keywords = Object::from_ptr_opt(keywords).and_then(Object::cast::<Tuple>);
            let positional = count.unsigned_abs();
            let all = positional + keywords.map_or(0, Tuple::len);
            let values = if all == 0 {
                &[]
            } else {
                std::slice::from_raw_parts(args.cast::<&'a Object>(), all)
            };
            Arguments { values, positional, keywords }
        }
    }

    /// The argument, if there is exactly one, by position.
    #[inline(always)]
    pub(crate) fn lone(self) -> Option<&'a Object> {
        match self.values {
            [only] if self.positional == 1 => Some(only),
            _ => None,
        }
    }

    /// The only argument of a method that takes one, by position. Before 3.12 such methods complain
    /// as `METH_O` does, with their full name.
    pub(crate) fn only(self, full_name: &str, name: &str) -> PyResult<&'a Object> {
        if let ([only], 1) = (self.values, self.positional) {
            return Ok(only);
        }
        let given = self.values.len();
        Err(error::raise(
            &Exc::TypeError,
            &if self.positional < given {
                if cfg!(Py_3_12) && given == 1 {
                    format!("{name}() takes exactly 1 positional argument (0 given)")
                } else if cfg!(Py_3_12) {
                    format!("{name}() takes at most 1 argument ({given} given)")
                } else {
                    format!("{full_name}() takes no keyword arguments")
                }
            } else if cfg!(not(Py_3_12)) {
                format!("{full_name}() takes exactly one argument ({given} given)")
            } else if given == 0 {
                format!("{name}() takes exactly 1 positional argument (0 given)")
            } else {
                format!("{name}() takes at most 1 argument ({given} given)")
            },
        ))
    }

    /// No arguments. Before 3.12 such methods complain as `METH_NOARGS` does, with their full name.
    pub(crate) fn none(self, full_name: &str, name: &str) -> PyResult<()> {
        // 3.12 looks at positional arguments only.
        let given =
            if cfg!(all(Py_3_12, not(Py_3_13))) { self.positional } else { self.values.len() };
        if given == 0 {
            return Ok(());
        }
        Err(error::raise(
            &Exc::TypeError,
            &if cfg!(Py_3_12) {
                format!("{name}() takes no arguments")
            } else if self.positional < given {
                format!("{full_name}() takes no keyword arguments")
            } else {
                format!("{full_name}() takes no arguments ({given} given)")
            },
        ))
    }

    /// So many arguments, by position: the complaint of `_PyArg_CheckPositional`.
    #[cfg(not(Py_3_12))]
    pub(crate) fn exactly(self, full_name: &str, name: &str, count: usize) -> PyResult<()> {
        if self.positional < self.values.len() {
            let text = format!("{full_name}() takes no keyword arguments");
            return Err(error::raise(&Exc::TypeError, &text));
        }
        if self.positional == count {
            return Ok(());
        }
        let given = self.positional;
        let text = format!("{name} expected {count} arguments, got {given}");
        Err(error::raise(&Exc::TypeError, &text))
    }
}

impl<const N: usize> Signature<N> {
    /// Binds the arguments of a fast call.
    pub(crate) fn bind<'a>(&self, args: Arguments<'a>) -> PyResult<[Option<&'a Object>; N]> {
        if let Some(bound) = self.bind_well_formed(args) {
            return Ok(bound);
        }
        let positional = Tuple::from_items(
            args.values[..args.positional].iter().map(|v| v.own()).collect::<Vec<_>>(),
        )?;
        let keywords = Dict::new()?;
        if let Some(names) = args.keywords {
            for (i, value) in args.values[args.positional..].iter().enumerate() {
                if let Some(name) = names.get(i) {
                    keywords.set(name, value)?;
                }
            }
        }
        self.parse(&positional, Some(&keywords))?;
        Err(error::raise(&Exc::SystemError, "a call was refused that is well-formed"))
    }

    fn bind_well_formed<'a>(&self, args: Arguments<'a>) -> Option<[Option<&'a Object>; N]> {
        let mut bound = [None; N];
        if args.positional > self.positional {
            return None;
        }
        for (slot, value) in bound.iter_mut().zip(&args.values[..args.positional]) {
            *slot = Some(*value);
        }
        if let Some(names) = args.keywords {
            for (i, value) in args.values[args.positional..].iter().enumerate() {
                let name = names.get(i)?.cast::<Str>()?.utf8()?;
                let place =
                    self.names.iter().position(|n| !n.is_empty() && n.to_bytes() == name)?;
                if bound[place].is_some() {
                    return None;
                }
                bound[place] = Some(*value);
            }
        }
        bound[..self.required].iter().all(Option::is_some).then_some(bound)
    }

    /// Binds a tuple and a dict, as `tp_init` gets them.
    pub(crate) fn parse<'a>(
        &self,
        args: &'a Tuple,
        kwargs: Option<&'a Dict>,
    ) -> PyResult<[Option<&'a Object>; N]> {
        const { assert!(N <= MOST) };
        let mut bound = [None; N];
        if (self.required..=self.positional).contains(&args.len())
            && kwargs.is_none_or(|kwargs| kwargs.len() == 0)
        {
            for (index, slot) in bound.iter_mut().enumerate() {
                *slot = args.get(index);
            }
            return Ok(bound);
        }
        // Argument Clinic says "exactly" where the parser says "at most".
        let given = args.len() + kwargs.map_or(0, Dict::len);
        if self.required == self.positional && args.len() > self.positional && given <= N {
            let name = self.format.to_str().ok().and_then(|format| format.split(':').nth(1));
            return Err(error::raise_parts(
                &Exc::TypeError,
                "{}() takes exactly {} positional argument{} ({} given)",
                &[
                    error::Part::Text(name.unwrap_or_default()),
                    error::Part::Int(self.positional as i64),
                    error::Part::Text(if self.positional == 1 { "" } else { "s" }),
                    error::Part::Int(args.len() as i64),
                ],
            ));
        }
        let mut names = [std::ptr::null::<c_char>(); MOST + 1];
        for (place, name) in names.iter_mut().zip(&self.names) {
            *place = name.as_ptr();
        }
        let mut found = [std::ptr::null_mut::<c::PyObject>(); MOST];
        let [a, b, d, e, f] = &mut found;
        // SAFETY: a tuple, a dict or NULL, a format of at most MOST `O`s, as many names and a NULL,
        // and MOST places to write borrowed references to, which the tuple and the dict keep alive.
        let ok = unsafe {
            c::PyArg_ParseTupleAndKeywords(
                args.as_ptr(),
                kwargs.map_or(std::ptr::null_mut(), |kwargs| kwargs.as_ptr()),
                self.format.as_ptr(),
                names.as_mut_ptr().cast(),
                std::ptr::from_mut(a),
                std::ptr::from_mut(b),
                std::ptr::from_mut(d),
                std::ptr::from_mut(e),
                std::ptr::from_mut(f),
            )
        };
        if ok == 0 {
            return Err(Raised);
        }
        for (slot, ptr) in bound.iter_mut().zip(found) {
            // SAFETY: NULL or a borrowed reference, see above.
            *slot = unsafe { Object::from_ptr_opt(ptr) };
        }
        Ok(bound)
    }
}

/// A `str` argument without NULs, as the C string that codecs are named by.
pub(crate) fn c_string(
    function: &str,
    parameter: &str,
    argument: Option<&Object>,
    default: &CStr,
) -> PyResult<std::ffi::CString> {
    let Some(argument) = argument else { return Ok(default.to_owned()) };
    let Some(text) = argument.cast::<Str>() else {
        return Err(error::raise_parts(
            &Exc::TypeError,
            "{}() argument '{}' must be str, not {}",
            &[
                error::Part::Text(function),
                error::Part::Text(parameter),
                if argument.is_none() {
                    error::Part::Text("None")
                } else {
                    error::Part::TypeName(argument)
                },
            ],
        ));
    };
    let Some(bytes) = text.utf8() else {
        // A lone surrogate: encoding it strictly raises the error that says so.
        return Err(match text.encode(c"utf-8", c"strict") {
            Ok(_) => error::raise(&Exc::ValueError, "embedded null character"),
            Err(raised) => raised,
        });
    };
    std::ffi::CString::new(bytes)
        .map_err(|_| error::raise(&Exc::ValueError, "embedded null character"))
}

/// A `bool` argument: any object, by its truth.
pub(crate) fn truth(argument: Option<&Object>, default: bool) -> PyResult<bool> {
    argument.map_or(Ok(default), Object::is_true)
}

/// An argument that may be left out or None.
pub(crate) fn not_none(argument: Option<&Object>) -> Option<Obj> {
    argument.filter(|argument| !argument.is_none()).map(Object::own)
}
