//! The buffer protocol, and memory lent to Python.

use super::builtins::{Bytes, Str};
use super::error::{PyResult, Raised};
use super::object::{Obj, Object, Own, check};
use pyo3_ffi as c;

/// A view into the memory of an object that exports one.
pub(crate) struct Buffer {
    // Boxed: some exporters keep the address of the view that they filled in.
    view: Box<c::Py_buffer>,
}

impl Buffer {
    /// The object's contiguous memory, for reading (`PyBUF_CONTIG_RO`).
    pub(crate) fn contiguous(object: &Object) -> PyResult<Buffer> {
        Buffer::get(object, c::PyBUF_CONTIG_RO)
    }

    /// The object's memory with everything that is known of it (`PyBUF_FULL_RO`).
    pub(crate) fn full(object: &Object) -> PyResult<Buffer> {
        Buffer::get(object, c::PyBUF_FULL_RO)
    }

    fn get(object: &Object, flags: std::ffi::c_int) -> PyResult<Buffer> {
        let mut view = Box::new(c::Py_buffer::new());
        // SAFETY: a live object and a view to fill in.
        check(unsafe { c::PyObject_GetBuffer(object.as_ptr(), &mut *view, flags) })?;
        Ok(Buffer { view })
    }

    /// Whether the memory is one piece without pointers in it.
    pub(crate) fn is_plain(&self) -> bool {
        // SAFETY: a filled view.
        self.view.suboffsets.is_null()
            && unsafe { c::PyBuffer_IsContiguous(&*self.view, b'A' as _) != 0 }
    }

    /// Whether the memory must not be written to.
    pub(crate) fn is_readonly(&self) -> bool {
        self.view.readonly != 0
    }

    /// The number of bytes.
    pub(crate) fn len(&self) -> usize {
        self.view.len.unsigned_abs()
    }

    /// The memory of a plain buffer. It may be writable by others: finish with the slice before you
    /// call into Python.
    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        if self.view.len <= 0 {
            return &[];
        }
        // SAFETY: the exporter keeps `len` bytes at `buf` in place until the view is released; they
        // change only while Python runs, which is not while the slice is borrowed (rule 3).
        unsafe { std::slice::from_raw_parts(self.view.buf.cast(), self.len()) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: a filled view, released once.
        unsafe { c::PyBuffer_Release(&mut *self.view) };
    }
}

/// Lends the memory of a bytes object that nobody else has seen yet to `fill`, as a writable
/// memoryview of `start..end`, and takes it back.
///
/// Python code may keep the memoryview, or export it further. It is released afterwards; where that
/// fails because something still points into the memory, the bytes object is kept alive for ever:
/// leaking it is safe, freeing it would not be.
pub(crate) fn lend(
    bytes: &Own<Bytes>,
    start: usize,
    end: usize,
    fill: impl FnOnce(&Object) -> PyResult<Obj>,
) -> PyResult<Obj> {
    let end = end.min(bytes.as_slice().len());
    let start = start.min(end);
    // SAFETY: the range is inside the object's memory, which stays in place while the memoryview
    // can reach it: until `release` below succeeds, or for ever. No Rust slice of it is borrowed.
    let view = unsafe {
        Obj::from_owned(c::PyMemoryView_FromMemory(
            c::PyBytes_AsString(bytes.as_ptr()).add(start),
            (end - start) as isize,
            c::PyBUF_WRITE,
        ))?
    };
    let result = fill(&view);
    let earlier = super::error::take();
    let release = Str::interned(c"release")?;
    if view.call_method0(&release).is_err() {
        super::error::clear();
        std::mem::forget(bytes.clone());
    }
    match earlier {
        Some(exception) => Err(super::error::restore(exception)),
        None => result,
    }
}

/// Grows a bytes object that nobody else has seen, keeping its content; the rest is zero.
pub(crate) fn grow(bytes: Own<Bytes>, size: usize) -> PyResult<Own<Bytes>> {
    let old = bytes.as_slice().len();
    let larger = Bytes::zeroed(size)?;
    // SAFETY: two different objects, and `old` bytes fit into both; the new one is only ours.
    unsafe {
        std::ptr::copy_nonoverlapping(
            c::PyBytes_AsString(bytes.as_ptr()),
            c::PyBytes_AsString(larger.as_ptr()),
            old.min(size),
        );
    }
    Ok(larger)
}

/// Fills part of a bytes object that nobody else has seen.
pub(crate) fn write(bytes: &Own<Bytes>, start: usize, data: &[u8]) {
    let room = bytes.as_slice().len().saturating_sub(start);
    let count = data.len().min(room);
    // SAFETY: `count` bytes fit behind `start`, and the source is not inside the new object.
    unsafe {
        std::ptr::copy_nonoverlapping(
            data.as_ptr(),
            c::PyBytes_AsString(bytes.as_ptr()).add(start).cast(),
            count,
        );
    }
}

/// `memoryview(object)`, and whether it is read-only.
pub(crate) fn memoryview(object: &Object) -> PyResult<(Obj, bool)> {
    // SAFETY: a live object; the result is a memoryview, owned, or NULL with an exception, and its
    // view is filled in.
    unsafe {
        let view = Obj::from_owned(c::PyMemoryView_FromObject(object.as_ptr()))?;
        let mut buffer = c::Py_buffer::new();
        if c::PyObject_GetBuffer(view.as_ptr(), &mut buffer, c::PyBUF_FULL_RO) < 0 {
            return Err(Raised);
        }
        let readonly = buffer.readonly != 0;
        c::PyBuffer_Release(&mut buffer);
        Ok((view, readonly))
    }
}
