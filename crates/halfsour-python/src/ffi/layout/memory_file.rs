//! `io.BytesIO`: what its methods would read is read from it at once.

use crate::ffi::builtins::{Bytes, Str, Type};
use crate::ffi::error::{Exc, raise};
use crate::ffi::object::{Obj, Object, Own};
use crate::ffi::{Int, PyResult};
use pyo3_ffi as c;

/// An `io.BytesIO` as C sees it.
#[repr(C)]
struct Fields {
    head: c::PyObject,
    /// A bytes object; NULL when the file is closed.
    content: *mut c::PyObject,
    position: isize,
    /// How much of the content counts.
    size: isize,
    dict: *mut c::PyObject,
    weakrefs: *mut c::PyObject,
    /// As long as there are views of the content, it is changed where it is. Else it is only where
    /// nobody shares it.
    views: isize,
}

/// `Py_TPFLAGS_IMMUTABLETYPE`: no class that was made in Python.
const IMMUTABLE: usize = 1 << 8;

/// An `io.BytesIO` without attributes of its own, so that its methods are the class's.
pub(crate) struct MemoryFile(Obj);

/// What was read: the bytes from one place to another.
pub(crate) struct Taken {
    pub(crate) bytes: Own<Bytes>,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Taken {
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.as_slice().get(self.start..self.end).unwrap_or_default()
    }
}

impl MemoryFile {
    /// `io.BytesIO` itself, if its instances are as they are read here.
    pub(super) fn known_class() -> PyResult<Option<Obj>> {
        let class = Str::new("_io")?.import()?.attr(&*Str::new("BytesIO")?)?;
        let is_large_enough = |class: &Type| {
            class.tp_flags() & IMMUTABLE != 0
                && super::TypeFacts::of(class).basicsize >= size_of::<Fields>()
        };
        if !class.cast::<Type>().is_some_and(is_large_enough) {
            return Ok(None);
        }
        let content = Bytes::new(b"spam\neggs")?;
        let object = class.call1(&content)?;
        let Some(file) = MemoryFile::of(&object, &class) else { return Ok(None) };
        let call = |name| object.call_method0(&*Str::new(name)?);
        let is_at =
            |position| Ok(call("tell")?.cast::<Int>().map(Int::compact) == Some(Some(position)));
        // Nothing is followed before it is known to be what it should be.
        let fields = file.fields();
        if fields.content != content.as_ptr() || fields.size != 9 || fields.views != 0 {
            return Ok(None);
        }
        let is_known = file.read(2)?.as_slice() == b"sp"
            && is_at(2)?
            && file.read_line()?.as_slice() == b"am\n"
            && is_at(5)?
            && file.read(100)?.as_slice() == b"eggs"
            && is_at(9)?
            && file.read(1)?.as_slice().is_empty();
        let view = call("getbuffer")?;
        let is_viewed = file.fields().views == 1;
        drop(view);
        let is_left = file.fields().views == 0;
        call("close")?;
        let is_closed = file.fields().content.is_null();
        Ok((is_known && is_viewed && is_left && is_closed).then_some(class))
    }

    /// The file, if it is one; `class` is what [`known_class`](MemoryFile::known_class) gave.
    #[inline]
    pub(crate) fn of(file: &Object, class: &Object) -> Option<MemoryFile> {
        let is_plain = file.type_of().is(class) && !file.has_attributes();
        is_plain.then(|| MemoryFile(file.own()))
    }

    /// The file as an object.
    pub(crate) fn as_object(&self) -> &Object {
        &self.0
    }

    #[inline]
    fn fields(&self) -> &Fields {
        // SAFETY: a live instance of a class that was looked at; its fields change only while
        // Python runs, which is not while they are borrowed.
        unsafe { &*self.0.as_ptr().cast::<Fields>() }
    }

    /// `read(n)`
    #[inline]
    pub(crate) fn read(&self, n: usize) -> PyResult<Taken> {
        self.take(|left| n.min(left.len()))
    }

    /// `readline()`
    pub(crate) fn read_line(&self) -> PyResult<Taken> {
        let end = |left: &[u8]| left.iter().position(|byte| *byte == b'\n');
        self.take(|left| end(left).map_or(left.len(), |end| end + 1))
    }

    /// Reads so many of the bytes that are left as `count` says.
    #[inline(always)]
    fn take(&self, count: impl FnOnce(&[u8]) -> usize) -> PyResult<Taken> {
        let Fields { content, position, size, views, .. } = *self.fields();
        // SAFETY: NULL or the live content.
        let Some(content) = (unsafe { Object::from_ptr_opt(content) }) else {
            return Err(raise(&Exc::ValueError, "I/O operation on closed file."));
        };
        let Some(content) = content.cast_exact::<Bytes>() else {
            return Err(raise(&Exc::SystemError, "a file in memory that holds no bytes"));
        };
        let (start, size) = (position.unsigned_abs(), size.unsigned_abs());
        let left = content.as_slice().get(start..size).unwrap_or_default();
        let count = count(left).min(left.len());
        // SAFETY: as `fields`; what was borrowed is copied or owned.
        unsafe { (*self.0.as_ptr().cast::<Fields>()).position += count.cast_signed() };
        if views != 0 {
            return Ok(Taken { bytes: Bytes::new(&left[..count])?, start: 0, end: count });
        }
        // With our reference the content is shared: whoever writes to the file makes a copy first.
        Ok(Taken { bytes: content.own_view(), start, end: start + count })
    }
}
