//! The buffer protocol, and memory lent to Python.

use super::builtins::{Bytes, Str};
use super::class::{self, Body, Visitor};
use super::error::{PyResult, Raised};
use super::object::{Obj, Object, Own, check};
use super::symbols;
use pyo3_ffi as c;
use std::cell::{Cell, RefCell};
use std::ffi::c_int;
use std::ops::ControlFlow;

/// What an exporter says of its memory.
#[repr(transparent)]
pub(crate) struct View(c::Py_buffer);

/// A view into the memory of an object that exports one.
pub(crate) struct Buffer {
    // Boxed: some exporters keep the address of the view that they filled in.
    view: Box<View>,
}

/// Memory to read from.
pub(crate) enum Contiguous {
    /// What most files give; asking a bytes object for a view would say nothing new.
    Bytes(Own<Bytes>),
    View(Buffer),
}

impl Contiguous {
    /// The object's contiguous memory, for reading (`PyBUF_CONTIG_RO`).
    #[inline]
    pub(crate) fn of(object: Obj) -> PyResult<Contiguous> {
        match object.into_exact::<Bytes>() {
            Ok(bytes) => Ok(Contiguous::Bytes(bytes)),
            Err(object) => Ok(Contiguous::View(Buffer::get(&object, c::PyBUF_CONTIG_RO)?)),
        }
    }

    /// The memory. It may be writable by others: finish with the slice before you call into Python.
    #[inline(always)]
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Contiguous::Bytes(bytes) => bytes.as_slice(),
            Contiguous::View(buffer) => buffer.as_slice(),
        }
    }
}

impl Buffer {
    /// The object's memory with everything that is known of it (`PyBUF_FULL_RO`).
    pub(crate) fn full(object: &Object) -> PyResult<Buffer> {
        Buffer::get(object, c::PyBUF_FULL_RO)
    }

    fn get(object: &Object, flags: std::ffi::c_int) -> PyResult<Buffer> {
        let mut view = Box::new(View(c::Py_buffer::new()));
        // SAFETY: a live object and a view to fill in.
        check(unsafe { c::PyObject_GetBuffer(object.as_ptr(), &mut view.0, flags) })?;
        Ok(Buffer { view })
    }
}

impl std::ops::Deref for Buffer {
    type Target = View;

    #[inline(always)]
    fn deref(&self) -> &View {
        &self.view
    }
}

impl View {
    /// The view that a `PickleBuffer` has of its object, until Python runs, which may release it.
    pub(crate) fn of_pickle_buffer(object: &Object) -> PyResult<&View> {
        // SAFETY: a live object, which the function checks; the view is part of it, or NULL with an
        // exception.
        unsafe { symbols::PyPickleBuffer_GetBuffer(object.as_ptr()).cast::<View>().as_ref() }
            .ok_or(Raised)
    }

    /// Whether the memory is one piece without pointers in it.
    pub(crate) fn is_plain(&self) -> bool {
        // SAFETY: a filled view.
        self.0.suboffsets.is_null() && unsafe { c::PyBuffer_IsContiguous(&self.0, b'A' as _) != 0 }
    }

    /// Whether the memory must not be written to.
    pub(crate) fn is_readonly(&self) -> bool {
        self.0.readonly != 0
    }

    /// The number of bytes.
    pub(crate) fn len(&self) -> usize {
        self.0.len.unsigned_abs()
    }

    /// The memory of a plain buffer. It may be writable by others: finish with the slice before you
    /// call into Python.
    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        if self.0.len <= 0 {
            return &[];
        }
        // SAFETY: the exporter keeps `len` bytes at `buf` in place until the view is released; they
        // change only while Python runs, which is not while the slice is borrowed (rule 3).
        unsafe { std::slice::from_raw_parts(self.0.buf.cast(), self.len()) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: a filled view, released once.
        unsafe { c::PyBuffer_Release(&mut self.view.0) };
    }
}

/// The body of an object that lends part of a bytes object as a writable buffer.
///
/// Python code may keep views of the memory, or views of views. Each keeps this object alive, and
/// this object the bytes.
pub(crate) struct Loan {
    bytes: RefCell<Option<Own<Bytes>>>,
    start: Cell<usize>,
    length: Cell<usize>,
    /// How many buffers are exported.
    views: Cell<usize>,
}

impl Body for Loan {
    fn new() -> Loan {
        Loan {
            bytes: RefCell::new(None),
            start: Cell::new(0),
            length: Cell::new(0),
            views: Cell::new(0),
        }
    }

    fn visit(&self, _: &mut Visitor<'_>) -> ControlFlow<c_int> {
        // Bytes take part in no cycle.
        ControlFlow::Continue(())
    }

    fn clear(&self) {}
}

/// `bf_getbuffer` of loans.
pub(super) unsafe extern "C" fn loan_get(
    this: *mut c::PyObject,
    view: *mut c::Py_buffer,
    flags: c_int,
) -> c_int {
    // SAFETY: the slot belongs to the type made for `Loan`.
    let loan = unsafe { class::body::<Loan>(this) };
    let bytes = loan.bytes.borrow();
    let Some(bytes) = &*bytes else {
        super::error::raise(&super::error::Exc::SystemError, "nothing is lent");
        return -1;
    };
    // SAFETY: `lend` sets a range inside of the bytes object, which the loan keeps alive as long as
    // the view keeps the loan.
    let status = unsafe {
        let data = c::PyBytes_AsString(bytes.as_ptr()).add(loan.start.get());
        c::PyBuffer_FillInfo(view, this, data.cast(), loan.length.get() as isize, 0, flags)
    };
    if status == 0 {
        loan.views.set(loan.views.get() + 1);
    }
    status
}

/// `bf_releasebuffer` of loans.
pub(super) unsafe extern "C" fn loan_release(this: *mut c::PyObject, _: *mut c::Py_buffer) {
    // SAFETY: the slot belongs to the type made for `Loan`.
    let loan = unsafe { class::body::<Loan>(this) };
    loan.views.set(loan.views.get() - 1);
}

/// Lends `start..end` of a bytes object that nobody else has seen yet to `fill`, as a writable
/// memoryview, and takes it back: the same object, or a copy if somebody kept a view.
pub(crate) fn lend(
    loan_type: &Object,
    bytes: Own<Bytes>,
    start: usize,
    end: usize,
    fill: impl FnOnce(&Object) -> PyResult<Obj>,
) -> PyResult<(Obj, Own<Bytes>)> {
    let end = end.min(bytes.as_slice().len());
    let loan = Loan::new();
    loan.start.set(start.min(end));
    loan.length.set(end - start.min(end));
    loan.bytes.replace(Some(bytes.clone()));
    let loan = class::instance(loan_type, loan)?;
    // SAFETY: a live object; the result is a memoryview, owned, or NULL with an exception.
    let view: Obj = unsafe { Own::from_owned(c::PyMemoryView_FromObject(loan.as_ptr()))? };
    let result = fill(&view)?;
    // Without exports of its own, which keep it open, the view is of no more use to anybody.
    if view.call_method0(&*Str::interned(c"release")?).is_err() {
        super::error::clear();
    }
    drop(view);
    // SAFETY: made just now from `loan_type`.
    let loan = unsafe { class::body::<Loan>(loan.as_ptr()) };
    if loan.views.get() > 0 {
        return Ok((result, Bytes::new(bytes.as_slice())?));
    }
    // Who kept the loan itself gets no view of what is loaded.
    drop(loan.bytes.take());
    Ok((result, bytes))
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
