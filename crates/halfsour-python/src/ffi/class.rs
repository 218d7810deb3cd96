//! Heap types whose instances carry a Rust value.

use super::error::{self, Exc, PyResult};
use super::object::{Obj, Object, Own};
use pyo3_ffi as c;
use std::cell::{Cell, UnsafeCell};
use std::ffi::{c_int, c_void};
use std::ops::ControlFlow;

/// The Rust value inside the instances of a type.
///
/// All methods take `&self`: Python code reaches an instance again while a method of it runs, so
/// what changes is in cells.
pub(crate) trait Body: Sized + 'static {
    /// What `__new__` puts there; `__init__` may never be called.
    fn new() -> Self;
    /// Shows each reference that the value holds, for the cycle collector. Runs no Python.
    fn visit(&self, visitor: &mut Visitor<'_>) -> ControlFlow<c_int>;
    /// Gives up the references that may be part of a cycle.
    fn clear(&self);
}

/// An instance as C sees it.
#[repr(C)]
pub(super) struct Instance<T> {
    head: c::PyObject,
    pub(super) body: T,
}

/// Collects references for the cycle collector.
pub(crate) struct Visitor<'a> {
    call: &'a mut dyn FnMut(*mut c::PyObject) -> c_int,
}

impl Visitor<'_> {
    /// Shows one reference.
    pub(crate) fn visit(&mut self, object: &Object) -> ControlFlow<c_int> {
        match (self.call)(object.as_ptr()) {
            0 => ControlFlow::Continue(()),
            stop => ControlFlow::Break(stop),
        }
    }

    /// Shows a reference that may be missing.
    pub(crate) fn visit_opt<T>(&mut self, object: Option<&Own<T>>) -> ControlFlow<c_int>
    where
        T: AsObject,
    {
        object.map_or(ControlFlow::Continue(()), |object| self.visit(object.as_object()))
    }
}

/// What a strong reference points at, seen as an object.
pub(crate) trait AsObject {
    fn as_object(&self) -> &Object;
}

impl AsObject for Object {
    fn as_object(&self) -> &Object {
        self
    }
}

impl<T: super::object::Typed> AsObject for T {
    fn as_object(&self) -> &Object {
        self
    }
}

/// An object in a slot that a `PyMemberDef` (`Py_T_OBJECT_EX`) reads and writes.
#[repr(transparent)]
pub(crate) struct MemberObject(UnsafeCell<*mut c::PyObject>);

impl MemberObject {
    /// An empty slot: reading the attribute raises AttributeError.
    pub(crate) const fn empty() -> MemberObject {
        MemberObject(UnsafeCell::new(std::ptr::null_mut()))
    }

    /// The object in the slot.
    #[inline]
    pub(crate) fn get(&self) -> Option<Obj> {
        // SAFETY: NULL or an object that the slot owns; nothing runs between reading and owning.
        unsafe { Object::from_ptr_opt(*self.0.get()) }.map(Object::own)
    }

    /// Whether there is none.
    #[cfg(not(Py_3_13))]
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        // SAFETY: reads a pointer; no Python runs here.
        unsafe { *self.0.get() }.is_null()
    }

    /// Puts an object into the slot, or empties it.
    pub(crate) fn set(&self, object: Option<Obj>) {
        let new = object.map_or(std::ptr::null_mut(), Own::into_ptr);
        // SAFETY: the slot is changed first and the old reference, which it owned, released last:
        // its finaliser may look at the slot.
        drop(unsafe { Obj::from_owned_opt(std::mem::replace(&mut *self.0.get(), new)) });
    }

    /// Shows the reference to the cycle collector.
    pub(crate) fn visit(&self, visitor: &mut Visitor<'_>) -> ControlFlow<c_int> {
        // SAFETY: NULL or an object that the slot owns; no Python runs here.
        match unsafe { Object::from_ptr_opt(*self.0.get()) } {
            Some(object) => visitor.visit(object),
            None => ControlFlow::Continue(()),
        }
    }
}

impl Drop for MemberObject {
    fn drop(&mut self) {
        self.set(None);
    }
}

/// A C int that a `PyMemberDef` (`Py_T_INT`) reads and writes.
#[repr(transparent)]
pub(crate) struct MemberInt(Cell<c_int>);

impl MemberInt {
    pub(crate) const fn new(value: c_int) -> MemberInt {
        MemberInt(Cell::new(value))
    }
    #[inline]
    pub(crate) fn get(&self) -> c_int {
        self.0.get()
    }
    pub(crate) fn set(&self, value: c_int) {
        self.0.set(value);
    }
}

/// The body of an instance.
///
/// # Safety
/// `object` is an instance of the type whose slots are `slots::<T>` (or of a subclass), and lives
/// for `'a`.
pub(super) unsafe fn body<'a, T: Body>(object: *mut c::PyObject) -> &'a T {
    // SAFETY: such an object starts with an `Instance<T>`, whose body `tp_new` has written.
    unsafe { &(*object.cast::<Instance<T>>()).body }
}

/// The body of `object` if it is exactly of `class`, which must be the type made for `T`: the
/// module's state keeps the two together.
pub(super) fn body_of<'a, T: Body>(object: &'a Object, class: &Object) -> Option<&'a T> {
    // SAFETY: see the condition; `class` is made by `make` from `slots::<T>`.
    object.type_of().as_obj().is(class).then(|| unsafe { body(object.as_ptr()) })
}

/// A new instance of `class`, which must be the type made for `T`, around `value`.
pub(super) fn instance<T: Body>(class: &Object, value: T) -> PyResult<Obj> {
    // SAFETY: `class` was made from `slots::<T>`: its allocator makes room for an `Instance<T>`,
    // and the body is written before anything else can see the object.
    unsafe {
        let ty = class.as_ptr().cast::<c::PyTypeObject>();
        let ptr = c::PyType_GenericAlloc(ty, 0);
        let object = Obj::from_owned(ptr)?;
        (&raw mut (*ptr.cast::<Instance<T>>()).body).write(value);
        Ok(object)
    }
}

/// `tp_new`: any arguments, they are `__init__`'s.
pub(super) unsafe extern "C" fn new<T: Body>(
    ty: *mut c::PyTypeObject,
    _args: *mut c::PyObject,
    _kwargs: *mut c::PyObject,
) -> *mut c::PyObject {
    // SAFETY: `ty` is a type made from `slots::<T>` or a subclass; its allocator makes room for an
    // `Instance<T>`, and the body is written before anything else can see the object.
    unsafe {
        let Some(alloc) = (*ty).tp_alloc else { return std::ptr::null_mut() };
        let ptr = alloc(ty, 0);
        if !ptr.is_null() {
            (&raw mut (*ptr.cast::<Instance<T>>()).body).write(T::new());
        }
        ptr
    }
}

/// `tp_new` of a type that takes no arguments, and that programs could not make before 3.12.
pub(super) unsafe extern "C" fn new_bare<T: Body>(
    ty: *mut c::PyTypeObject,
    args: *mut c::PyObject,
    kwargs: *mut c::PyObject,
) -> *mut c::PyObject {
    // SAFETY: a live type, a tuple, and a dict or NULL, as `tp_new` gets them.
    let (class, has_arguments) = unsafe {
        let has_kwargs = !kwargs.is_null() && c::PyDict_Size(kwargs) > 0;
        (Object::from_ptr(ty.cast()), c::PyTuple_GET_SIZE(args) > 0 || has_kwargs)
    };
    if has_arguments || cfg!(not(Py_3_12)) {
        let name = class.cast::<super::Type>().map_or(&b""[..], super::Type::tp_name);
        let name = String::from_utf8_lossy(name);
        let text = if cfg!(not(Py_3_12)) {
            format!("cannot create '{name}' instances")
        } else {
            format!("{name}() takes no arguments")
        };
        error::raise(&Exc::TypeError, &text);
        return std::ptr::null_mut();
    }
    // SAFETY: as the caller promises.
    unsafe { new::<T>(ty, args, kwargs) }
}

/// `tp_dealloc`
pub(super) unsafe extern "C" fn dealloc<T: Body>(object: *mut c::PyObject) {
    // SAFETY: called once, for an instance without references; the body is dropped once, then the
    // memory and the reference to the heap type that every instance holds are released.
    unsafe {
        let ty = c::Py_TYPE(object);
        c::PyObject_GC_UnTrack(object.cast());
        std::ptr::drop_in_place(&raw mut (*object.cast::<Instance<T>>()).body);
        if let Some(free) = (*ty).tp_free {
            free(object.cast());
        }
        c::Py_DECREF(ty.cast());
    }
}

/// `tp_traverse`
pub(super) unsafe extern "C" fn traverse<T: Body>(
    object: *mut c::PyObject,
    visit: c::visitproc,
    arg: *mut c_void,
) -> c_int {
    let mut call = |ptr| {
        // SAFETY: the collector's own callback and argument.
        unsafe { visit(ptr, arg) }
    };
    // SAFETY: a live instance; heap types show their type first.
    unsafe {
        match call(c::Py_TYPE(object).cast()) {
            0 => match body::<T>(object).visit(&mut Visitor { call: &mut call }) {
                ControlFlow::Continue(()) => 0,
                ControlFlow::Break(stop) => stop,
            },
            stop => stop,
        }
    }
}

/// `tp_clear`
pub(super) unsafe extern "C" fn clear<T: Body>(object: *mut c::PyObject) -> c_int {
    // SAFETY: a live instance.
    unsafe { body::<T>(object) }.clear();
    0
}

/// Makes a heap type that belongs to `module`.
///
/// # Safety
/// The slots end with a zero and are those of `T`: [`new`], [`dealloc`], [`traverse`], [`clear`]
/// and functions that expect an `Instance<T>`. What they point at lives for ever.
pub(super) unsafe fn make<T: Body>(
    module: *mut c::PyObject,
    name: &'static std::ffi::CStr,
    slots: &mut [c::PyType_Slot],
) -> PyResult<Obj> {
    let size = c_int::try_from(size_of::<Instance<T>>())
        .map_err(|_| error::raise(&Exc::SystemError, "instance too large"))?;
    let mut spec = c::PyType_Spec {
        name: name.as_ptr(),
        basicsize: size,
        itemsize: 0,
        flags: (c::Py_TPFLAGS_DEFAULT
            | c::Py_TPFLAGS_BASETYPE
            | c::Py_TPFLAGS_HAVE_GC
            | c::Py_TPFLAGS_IMMUTABLETYPE) as std::ffi::c_uint,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: as the caller promises; the C function copies the spec and the slots.
    unsafe { Own::from_owned(c::PyType_FromModuleAndSpec(module, &mut spec, std::ptr::null_mut())) }
}

/// The size of an instance in memory, in bytes.
pub(crate) const fn size<T: Body>() -> usize {
    size_of::<Instance<T>>()
}
