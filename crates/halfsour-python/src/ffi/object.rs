//! [`Object`], which every Python object is behind a `&`, and [`Own`], a reference that owns.
//!
//! `&'a Object` is C's borrowed `PyObject *`: somebody keeps the object alive for `'a`.
//! `Own<T>` is C's strong reference; dropping it gives the reference back. `T` is `Object` or one
//! of the checked views of [`super::builtins`].

use super::builtins::{Str, Tuple, Type};
use super::error::{PyResult, Raised};
use super::symbols;
use pyo3_ffi as c;
use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::NonNull;

/// Any Python object, behind a reference only.
#[repr(C)]
pub(crate) struct Object {
    // The object, its reference count first, changes behind a shared reference: without the cell
    // the compiler could take it for read-only and drop an increment.
    opaque: UnsafeCell<[u8; 0]>,
    // Belongs to the thread that holds the GIL.
    marker: PhantomData<*mut ()>,
}

/// A view of objects of one type.
///
/// # Safety
/// `Self` is `repr(transparent)` over [`Object`], and `check` is true only of objects for which
/// the view's methods are sound.
pub(crate) unsafe trait Typed: Deref<Target = Object> {
    /// Whether `object` may be seen as `Self`; subclasses count.
    fn check(object: &Object) -> bool;
    /// Whether its type is the view's own, no subclass.
    fn check_exact(object: &Object) -> bool;
}

/// A strong reference.
#[repr(transparent)]
pub(crate) struct Own<T: ?Sized = Object>(NonNull<c::PyObject>, PhantomData<*const T>);

/// A strong reference to any object.
pub(crate) type Obj = Own<Object>;

impl<T> Own<T> {
    /// # Safety
    /// `ptr` is NULL with an exception set, or a reference that the caller gives up, to an object
    /// that `T` may view.
    #[inline]
    pub(super) unsafe fn from_owned(ptr: *mut c::PyObject) -> PyResult<Own<T>> {
        NonNull::new(ptr).map(|ptr| Own(ptr, PhantomData)).ok_or(Raised)
    }

    /// # Safety
    /// As [`Own::from_owned`], but NULL just means "none".
    #[inline]
    pub(super) unsafe fn from_owned_opt(ptr: *mut c::PyObject) -> Option<Own<T>> {
        NonNull::new(ptr).map(|ptr| Own(ptr, PhantomData))
    }

    /// Gives the reference away, to C code that steals it.
    #[inline]
    pub(super) fn into_ptr(self) -> *mut c::PyObject {
        let ptr = self.0.as_ptr();
        std::mem::forget(self);
        ptr
    }

    /// Forgets which type the view is of.
    #[inline]
    pub(crate) fn into_obj(self) -> Obj {
        let ptr = self.0;
        std::mem::forget(self);
        Own(ptr, PhantomData)
    }
}

impl Obj {
    /// The object as a `T`, if that is exactly its type.
    #[inline]
    pub(crate) fn into_exact<T: Typed>(self) -> Result<Own<T>, Obj> {
        if !T::check_exact(&self) {
            return Err(self);
        }
        let ptr = self.0;
        std::mem::forget(self);
        // The check vouches for the view.
        Ok(Own(ptr, PhantomData))
    }
}

impl<T> Deref for Own<T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the object is live as long as `self`; `T` is zero-sized or transparent over
        // `Object`, and whoever made `self` vouched for the view.
        unsafe { self.0.cast::<T>().as_ref() }
    }
}

impl<T> Clone for Own<T> {
    #[inline]
    fn clone(&self) -> Own<T> {
        // SAFETY: the object is live, since `self` owns a reference.
        unsafe { c::Py_INCREF(self.0.as_ptr()) };
        Own(self.0, PhantomData)
    }
}

impl<T: ?Sized> Drop for Own<T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: `self` owns one reference and gives it up here, once.
        unsafe { c::Py_DECREF(self.0.as_ptr()) };
    }
}

/// The built-in types that the format has opcodes for, and what else `save` tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    None,
    Bool(bool),
    Int,
    Float,
    Bytes,
    Str,
    Dict,
    Set,
    FrozenSet,
    List,
    Tuple,
    ByteArray,
    PickleBuffer,
    /// exactly `type`: a class without a metaclass
    Type,
    /// a Python function
    Function,
    Other,
}

impl Object {
    /// # Safety
    /// `ptr` is a live object that stays alive for `'a`.
    #[inline]
    pub(super) unsafe fn from_ptr<'a>(ptr: *mut c::PyObject) -> &'a Object {
        // SAFETY: live objects are not NULL, and `Object` is zero-sized with alignment 1.
        unsafe { &*ptr.cast::<Object>() }
    }

    /// # Safety
    /// `ptr` is NULL or a live object that stays alive for `'a`.
    #[inline]
    pub(super) unsafe fn from_ptr_opt<'a>(ptr: *mut c::PyObject) -> Option<&'a Object> {
        // SAFETY: as the caller promises.
        if ptr.is_null() { None } else { Some(unsafe { Object::from_ptr(ptr) }) }
    }

    /// The pointer that C wants.
    #[inline]
    pub(super) fn as_ptr(&self) -> *mut c::PyObject {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    /// The object's address, which is its identity.
    #[inline]
    pub(crate) fn address(&self) -> usize {
        self.as_ptr() as usize
    }

    /// `self is other`
    #[inline]
    pub(crate) fn is(&self, other: &Object) -> bool {
        std::ptr::eq(self, other)
    }

    /// A strong reference to the same object.
    #[inline]
    pub(crate) fn own(&self) -> Obj {
        // SAFETY: a borrowed object is live.
        unsafe { c::Py_INCREF(self.as_ptr()) };
        // SAFETY: the new reference is ours, and not NULL.
        Own(unsafe { NonNull::new_unchecked(self.as_ptr()) }, PhantomData)
    }

    /// The object as a `T`, if it is one (or of a subclass).
    #[inline]
    pub(crate) fn cast<T: Typed>(&self) -> Option<&T> {
        // SAFETY: `T` is transparent over `Object` and the check has passed.
        if T::check(self) { Some(unsafe { &*std::ptr::from_ref(self).cast::<T>() }) } else { None }
    }

    /// The object as a `T`, if that is exactly its type.
    #[inline]
    pub(crate) fn cast_exact<T: Typed>(&self) -> Option<&T> {
        if T::check_exact(self) {
            // SAFETY: `T` is transparent over `Object` and the check has passed.
            Some(unsafe { &*std::ptr::from_ref(self).cast::<T>() })
        } else {
            None
        }
    }

    /// `None`
    #[inline]
    pub(crate) fn none() -> &'static Object {
        // SAFETY: None is immortal for our purposes: it lives as long as the interpreter.
        unsafe { Object::from_ptr(c::Py_None()) }
    }

    /// `True` or `False`
    #[inline]
    pub(crate) fn bool(value: bool) -> &'static Object {
        // SAFETY: as `none`.
        unsafe { Object::from_ptr(if value { c::Py_True() } else { c::Py_False() }) }
    }

    /// `NotImplemented`
    pub(crate) fn not_implemented() -> &'static Object {
        // SAFETY: as `none`.
        unsafe { Object::from_ptr(c::Py_NotImplemented()) }
    }

    /// `...`
    pub(crate) fn ellipsis() -> &'static Object {
        // SAFETY: as `none`.
        unsafe { Object::from_ptr(c::Py_Ellipsis()) }
    }

    /// Whether this is `None`.
    #[inline]
    pub(crate) fn is_none(&self) -> bool {
        self.is(Object::none())
    }

    /// The object's type.
    #[inline]
    pub(crate) fn type_of(&self) -> &Type {
        // SAFETY: an object's type is a type, and lives at least as long as the object keeps it.
        unsafe { &*c::Py_TYPE(self.as_ptr()).cast::<Type>() }
    }

    /// What `save` wants to know first.
    #[inline]
    pub(crate) fn kind(&self) -> Kind {
        // SAFETY: only addresses of static types and singletons are compared.
        unsafe {
            let ty = c::Py_TYPE(self.as_ptr());
            macro_rules! is {
                ($symbol:path) => {
                    ty == &raw mut $symbol
                };
            }
            if is!(c::PyUnicode_Type) {
                Kind::Str
            } else if is!(c::PyLong_Type) {
                Kind::Int
            } else if self.is_none() {
                Kind::None
            } else if is!(c::PyBool_Type) {
                Kind::Bool(self.is(Object::bool(true)))
            } else if is!(c::PyFloat_Type) {
                Kind::Float
            } else if (*ty).tp_flags & c::Py_TPFLAGS_HEAPTYPE != 0 {
                // The built-in types are no heap types.
                Kind::Other
            } else if is!(c::PyDict_Type) {
                Kind::Dict
            } else if is!(c::PyList_Type) {
                Kind::List
            } else if is!(c::PyTuple_Type) {
                Kind::Tuple
            } else if is!(c::PyBytes_Type) {
                Kind::Bytes
            } else if is!(c::PySet_Type) {
                Kind::Set
            } else if is!(c::PyFrozenSet_Type) {
                Kind::FrozenSet
            } else if is!(c::PyByteArray_Type) {
                Kind::ByteArray
            } else if is!(symbols::PyPickleBuffer_Type) {
                Kind::PickleBuffer
            } else if is!(c::PyType_Type) {
                Kind::Type
            } else if is!(c::PyFunction_Type) {
                Kind::Function
            } else {
                Kind::Other
            }
        }
    }

    /// `getattr(self, name)`
    pub(crate) fn attr(&self, name: &Object) -> PyResult<Obj> {
        // SAFETY: both are live; the result is owned or NULL with an exception.
        unsafe { Own::from_owned(c::PyObject_GetAttr(self.as_ptr(), name.as_ptr())) }
    }

    /// `getattr(self, name, None)`, but with an attribute that is `None` told apart from none.
    pub(crate) fn opt_attr(&self, name: &Object) -> PyResult<Option<Obj>> {
        let mut result = std::ptr::null_mut();
        // SAFETY: both are live and `result` is a place to write to; it is owned where status is 1.
        let status = unsafe {
            #[cfg(Py_3_13)]
            {
                c::PyObject_GetOptionalAttr(self.as_ptr(), name.as_ptr(), &mut result)
            }
            #[cfg(not(Py_3_13))]
            {
                symbols::_PyObject_LookupAttr(self.as_ptr(), name.as_ptr(), &mut result)
            }
        };
        // SAFETY: see above.
        if status < 0 { Err(Raised) } else { Ok(unsafe { Own::from_owned_opt(result) }) }
    }

    /// `setattr(self, name, value)`
    pub(crate) fn set_attr(&self, name: &Object, value: &Object) -> PyResult<()> {
        // SAFETY: all three are live.
        check(unsafe { c::PyObject_SetAttr(self.as_ptr(), name.as_ptr(), value.as_ptr()) })
    }

    /// Whether this is a class, made by `type` itself, whose name does not end so. What `__name__` is
    /// for these, nobody can change but by giving them another name.
    pub(crate) fn is_class_named_otherwise(&self, end: &[u8]) -> bool {
        self.kind() == Kind::Type
            && self.cast::<Type>().is_some_and(|class| class.is_named_otherwise(end))
    }

    /// Whether `name`, which is `__name__`, of a function does not begin so. Runs no Python for
    /// functions, written in Python or in C.
    pub(crate) fn is_function_named_otherwise(&self, name: &Object, part: &[u8]) -> bool {
        let name = super::error::quietly(self.attr(name));
        name.is_some_and(|name| {
            let text = name.cast_exact::<super::Str>().and_then(super::Str::ascii);
            text.is_some_and(|text| !text.starts_with(part))
        })
    }

    /// Whether this is a function that is written in Python.
    pub(crate) fn is_function(&self) -> bool {
        self.kind() == Kind::Function
    }

    /// Whether this is what a class statement makes of a `__new__` that is written in Python.
    pub(crate) fn is_static_python_method(&self) -> bool {
        // SAFETY: compares with the address of a static type.
        let is_static = unsafe { c::Py_TYPE(self.as_ptr()) == &raw mut c::PyStaticMethod_Type };
        is_static && {
            let name = super::error::quietly(super::Str::interned(c"__func__"));
            let function = name.and_then(|name| super::error::quietly(self.attr(&name)));
            function.is_some_and(|function| function.is_function())
        }
    }

    /// Whether this is a function, or a bound method, that is written in C.
    pub(crate) fn is_builtin_function(&self) -> bool {
        // SAFETY: a live object.
        unsafe { c::PyCFunction_Check(self.as_ptr()) != 0 }
    }

    /// The list whose `append` this is.
    pub(crate) fn list_appended_to(&self) -> Option<&super::List> {
        if !self.is_builtin_function() {
            return None;
        }
        // SAFETY: a live built-in function, which keeps what it is bound to alive.
        let bound = unsafe { Object::from_ptr_opt(c::PyCFunction_GetSelf(self.as_ptr())) };
        let list = bound?.cast_exact::<super::List>()?;
        let name = super::error::quietly(Str::interned(c"append"))?;
        let append = super::error::quietly(list.attr(&name))?;
        // SAFETY: two live built-in functions; a list's own `append` is one.
        let is_append = append.is_builtin_function()
            && unsafe {
                c::PyCFunction_GetFunction(self.as_ptr()).map(|f| f as usize)
                    == c::PyCFunction_GetFunction(append.as_ptr()).map(|f| f as usize)
            };
        is_append.then_some(list)
    }

    /// The code of a function that is written in Python.
    pub(crate) fn function_code(&self) -> Option<&Object> {
        if self.is_function() {
            // SAFETY: a function has a code object as long as it lives.
            unsafe { Object::from_ptr_opt(c::PyFunction_GetCode(self.as_ptr())) }
        } else {
            None
        }
    }

    /// The dict of a module, if this is exactly one.
    pub(crate) fn module_dict(&self) -> Option<&super::Dict> {
        // SAFETY: compares with the address of a static type; a module has a dict as long as it
        // lives.
        let dict = unsafe {
            if c::PyModule_CheckExact(self.as_ptr()) == 0 {
                return None;
            }
            Object::from_ptr_opt(c::PyModule_GetDict(self.as_ptr()))
        };
        dict?.cast_exact::<super::Dict>()
    }

    /// The instance's dict itself, made if need be; a property named `__dict__` is not asked.
    /// AttributeError where it can have none.
    pub(crate) fn instance_dict(&self) -> PyResult<Obj> {
        // SAFETY: a live object; the result is owned or NULL with an exception.
        unsafe { Own::from_owned(c::PyObject_GenericGetDict(self.as_ptr(), std::ptr::null_mut())) }
    }

    /// `self[key]`
    pub(crate) fn item(&self, key: &Object) -> PyResult<Obj> {
        // SAFETY: both are live; the result is owned or NULL with an exception.
        unsafe { Own::from_owned(c::PyObject_GetItem(self.as_ptr(), key.as_ptr())) }
    }

    /// `self[key] = value`
    pub(crate) fn set_item(&self, key: &Object, value: &Object) -> PyResult<()> {
        // SAFETY: all three are live.
        check(unsafe { c::PyObject_SetItem(self.as_ptr(), key.as_ptr(), value.as_ptr()) })
    }

    /// `self()`
    pub(crate) fn call0(&self) -> PyResult<Obj> {
        // SAFETY: `self` is live; the result is owned or NULL with an exception.
        unsafe { Own::from_owned(c::PyObject_CallNoArgs(self.as_ptr())) }
    }

    /// `self(arg)`
    pub(crate) fn call1(&self, arg: &Object) -> PyResult<Obj> {
        // SAFETY: both are live; the result is owned or NULL with an exception.
        unsafe { Own::from_owned(c::PyObject_CallOneArg(self.as_ptr(), arg.as_ptr())) }
    }

    /// `self(a, b)`
    pub(crate) fn call2(&self, a: &Object, b: &Object) -> PyResult<Obj> {
        let args = [a.as_ptr(), b.as_ptr()];
        // SAFETY: the array holds two live objects and outlives the call.
        unsafe {
            Own::from_owned(c::PyObject_Vectorcall(
                self.as_ptr(),
                args.as_ptr(),
                args.len(),
                std::ptr::null_mut(),
            ))
        }
    }

    /// `self(*args)`; `args` may be any object, as C's `PyObject_CallObject` has it: TypeError
    /// where it is no tuple.
    pub(crate) fn call_object(&self, args: &Object) -> PyResult<Obj> {
        // SAFETY: both are live; the C function checks that `args` is a tuple.
        unsafe { Own::from_owned(c::PyObject_CallObject(self.as_ptr(), args.as_ptr())) }
    }

    /// `self(*args, **kwargs)`
    pub(crate) fn call(&self, args: &Tuple, kwargs: &super::Dict) -> PyResult<Obj> {
        // SAFETY: a live callable, a tuple and a dict.
        unsafe { Own::from_owned(c::PyObject_Call(self.as_ptr(), args.as_ptr(), kwargs.as_ptr())) }
    }

    /// `self.name()`
    pub(crate) fn call_method0(&self, name: &Object) -> PyResult<Obj> {
        // SAFETY: both are live; the result is owned or NULL with an exception.
        unsafe { Own::from_owned(c::PyObject_CallMethodNoArgs(self.as_ptr(), name.as_ptr())) }
    }

    /// `self.name(arg)`
    pub(crate) fn call_method1(&self, name: &Object, arg: &Object) -> PyResult<Obj> {
        // SAFETY: all are live; the result is owned or NULL with an exception.
        unsafe {
            Own::from_owned(c::PyObject_CallMethodOneArg(
                self.as_ptr(),
                name.as_ptr(),
                arg.as_ptr(),
            ))
        }
    }

    /// `self.name(a, b)`
    pub(crate) fn call_method2(&self, name: &Object, a: &Object, b: &Object) -> PyResult<Obj> {
        let args = [self.as_ptr(), a.as_ptr(), b.as_ptr()];
        // SAFETY: the array holds the receiver and two live arguments and outlives the call.
        unsafe {
            Own::from_owned(c::PyObject_VectorcallMethod(
                name.as_ptr(),
                args.as_ptr(),
                args.len(),
                std::ptr::null_mut(),
            ))
        }
    }

    /// `callable(self)`
    pub(crate) fn is_callable(&self) -> bool {
        // SAFETY: `self` is live.
        unsafe { c::PyCallable_Check(self.as_ptr()) != 0 }
    }

    /// Whether this is an iterator (has `__next__`).
    pub(crate) fn is_iterator(&self) -> bool {
        // SAFETY: `self` is live.
        unsafe { c::PyIter_Check(self.as_ptr()) != 0 }
    }

    /// `bool(self)`
    pub(crate) fn is_true(&self) -> PyResult<bool> {
        // SAFETY: `self` is live.
        match unsafe { c::PyObject_IsTrue(self.as_ptr()) } {
            -1 => Err(Raised),
            truth => Ok(truth != 0),
        }
    }

    /// `iter(self)`
    pub(crate) fn iter(&self) -> PyResult<Obj> {
        // SAFETY: `self` is live; the result is owned or NULL with an exception.
        unsafe { Own::from_owned(c::PyObject_GetIter(self.as_ptr())) }
    }

    /// `next(self)`; the caller knows that this is an iterator.
    pub(crate) fn next(&self) -> PyResult<Option<Obj>> {
        if !self.is_iterator() {
            return Err(super::error::raise(&super::error::Exc::TypeError, "not an iterator"));
        }
        // SAFETY: `self` is a live iterator; NULL means the end or an exception.
        match unsafe { Own::from_owned_opt(c::PyIter_Next(self.as_ptr())) } {
            Some(item) => Ok(Some(item)),
            None if super::error::occurred() => Err(Raised),
            None => Ok(None),
        }
    }

    /// `repr(self)`
    pub(crate) fn repr(&self) -> PyResult<Obj> {
        // SAFETY: `self` is live; the result is owned or NULL with an exception.
        unsafe { Own::from_owned(c::PyObject_Repr(self.as_ptr())) }
    }

    /// `str(self)`
    pub(crate) fn to_str(&self) -> PyResult<Own<Str>> {
        // SAFETY: PyObject_Str returns a str (or of a subclass), owned, or NULL with an exception.
        unsafe { Own::from_owned(c::PyObject_Str(self.as_ptr())) }
    }

    /// `list(self)`
    pub(crate) fn to_list(&self) -> PyResult<Own<super::List>> {
        // SAFETY: PySequence_List returns a list, owned, or NULL with an exception.
        unsafe { Own::from_owned(c::PySequence_List(self.as_ptr())) }
    }

    /// Imports the module that this str names, through `builtins.__import__`.
    pub(crate) fn import(&self) -> PyResult<Obj> {
        // SAFETY: `self` names a module (the C function checks that it is a str).
        unsafe { Own::from_owned(c::PyImport_Import(self.as_ptr())) }
    }
}

/// C's "-1 means that an exception is set".
#[inline]
pub(super) fn check(status: std::ffi::c_int) -> PyResult<()> {
    if status < 0 { Err(Raised) } else { Ok(()) }
}
