//! Declarations of exported C functions that `pyo3-ffi` does not have.

use pyo3_ffi::{Py_buffer, Py_hash_t, Py_ssize_t, PyObject, PyTypeObject};
use std::ffi::{c_char, c_int};

unsafe extern "C" {
    pub(super) static mut PyPickleBuffer_Type: PyTypeObject;
    /// Objects/picklebufobject.c: the view that a `PickleBuffer` has, or NULL with an exception.
    pub(super) fn PyPickleBuffer_GetBuffer(object: *mut PyObject) -> *const Py_buffer;
    pub(super) static mut PyMemberDescr_Type: PyTypeObject;
    pub(super) static mut PyGetSetDescr_Type: PyTypeObject;
    pub(super) static mut PyStaticMethod_Type: PyTypeObject;

    /// Objects/typeobject.c: a borrowed reference to what a type or its bases have under a name, or
    /// NULL without an exception.
    pub(super) fn _PyType_Lookup(ty: *mut PyTypeObject, name: *mut PyObject) -> *mut PyObject;

    /// Objects/dictobject.c: `PyDict_SetItem` that takes the references to the key and the value.
    #[cfg(Py_3_13)]
    pub(super) fn _PyDict_SetItem_Take2(
        dict: *mut PyObject,
        key: *mut PyObject,
        value: *mut PyObject,
    ) -> c_int;

    /// Objects/bytesobject.c: takes the reference in `*bytes` and leaves one there, or NULL with an
    /// exception.
    pub(super) fn _PyBytes_Resize(bytes: *mut *mut PyObject, size: Py_ssize_t) -> c_int;

    /// Objects/setobject.c: a borrowed reference to the next entry, 0 at the end.
    pub(super) fn _PySet_NextEntry(
        set: *mut PyObject,
        pos: *mut Py_ssize_t,
        key: *mut *mut PyObject,
        hash: *mut Py_hash_t,
    ) -> c_int;

    /// Python/sysmodule.c: raises an audit event.
    pub(super) fn PySys_Audit(event: *const c_char, format: *const c_char, ...) -> c_int;

    /// Objects/longobject.c: two's complement bytes.
    #[cfg(not(Py_3_13))]
    pub(super) fn _PyLong_AsByteArray(
        v: *mut PyObject,
        bytes: *mut u8,
        n: usize,
        little_endian: c_int,
        is_signed: c_int,
    ) -> c_int;
    #[cfg(not(Py_3_13))]
    pub(super) fn _PyLong_NumBits(v: *mut PyObject) -> usize;
    pub(super) fn _PyLong_FromByteArray(
        bytes: *const u8,
        n: usize,
        little_endian: c_int,
        is_signed: c_int,
    ) -> *mut PyObject;

    /// Objects/object.c: attribute lookup that turns AttributeError into NULL.
    #[cfg(not(Py_3_13))]
    pub(super) fn _PyObject_LookupAttr(
        obj: *mut PyObject,
        name: *mut PyObject,
        result: *mut *mut PyObject,
    ) -> c_int;

    /// Objects/setobject.c: `set.update` for one iterable.
    pub(super) fn _PySet_Update(set: *mut PyObject, iterable: *mut PyObject) -> c_int;

    // Objects/lazyimportobject.c: what a module has under a name until the import is needed.
    #[cfg(Py_3_15)]
    pub(super) static mut PyLazyImport_Type: PyTypeObject;

    // Objects/classobject.c: bound methods of Python functions.
    pub(super) static mut PyMethod_Type: PyTypeObject;
    #[cfg(not(Py_3_13))]
    pub(super) fn PyMethod_New(function: *mut PyObject, this: *mut PyObject) -> *mut PyObject;
    pub(super) fn PyMethod_Function(method: *mut PyObject) -> *mut PyObject;
    pub(super) fn PyMethod_Self(method: *mut PyObject) -> *mut PyObject;
}
