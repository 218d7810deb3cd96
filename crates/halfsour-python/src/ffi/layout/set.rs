//! The table of a set.

use crate::ffi::AnySet;
use crate::ffi::object::Object;
use pyo3_ffi as c;

/// Include/cpython/setobject.h: `PySetObject`
#[repr(C)]
struct SetHead {
    head: c::PyObject,
    /// entries in use, and those that were
    fill: isize,
    used: isize,
    /// the last entry
    mask: isize,
    table: *const Entry,
}

/// Include/cpython/setobject.h: `setentry`
#[repr(C)]
struct Entry {
    /// NULL where nothing was
    key: *mut c::PyObject,
    /// -1 where something was; no object has that hash
    hash: isize,
}

impl AnySet {
    /// The number of elements, now.
    #[inline(always)]
    pub(crate) fn used(&self) -> usize {
        // SAFETY: a live set or frozenset.
        unsafe { (*self.as_ptr().cast::<SetHead>()).used.unsigned_abs() }
    }

    /// The next element at or behind an entry, which moves behind it, borrowed until something
    /// changes the set. It does what `_PySet_NextEntry` does.
    #[inline(always)]
    pub(crate) fn next_borrowed(&self, position: &mut isize) -> Option<&Object> {
        let set = self.as_ptr().cast::<SetHead>();
        // SAFETY: a live set or frozenset, whose table has the entries 0 to `mask`.
        let table: &[Entry] =
            unsafe { std::slice::from_raw_parts((*set).table, (*set).mask.unsigned_abs() + 1) };
        let rest = table.get(usize::try_from(*position).ok()?..)?;
        for entry in rest {
            *position += 1;
            if !entry.key.is_null() && entry.hash != -1 {
                // SAFETY: the set keeps its elements, and changing it takes running Python (rule 3).
                return Some(unsafe { Object::from_ptr(entry.key) });
            }
        }
        None
    }
}
