//! What the interpreter sees: the module, its functions, its types.
//!
//! Each C function here finds the module's state and the Rust value behind `self`, and calls a safe
//! function of the same name. A panic becomes a SystemError.

use super::args::Arguments;
use super::buffer::{self, Loan};
use super::builtins::{Dict, Tuple};
use super::class::{self, Body, Instance};
use super::error::{self, Exc, PyResult, Raised};
use super::object::{Obj, Object, Own};
use crate::pickler::{Pickler, PicklerMemoProxy};
use crate::state::State;
use crate::unpickler::{Unpickler, UnpicklerMemoProxy};
use crate::{pickler, unpickler};
use pyo3_ffi as c;
use std::cell::UnsafeCell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::offset_of;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `f`; what it raises, or a panic, ends up in the error indicator.
fn enter<R>(f: impl FnOnce() -> PyResult<R>) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(result) => result.ok(),
        Err(_) => {
            error::raise(&Exc::SystemError, "halfsour: a bug in the extension (panic)");
            None
        }
    }
}

fn object(result: Option<Obj>) -> *mut c::PyObject {
    result.map_or(std::ptr::null_mut(), Own::into_ptr)
}

fn status(result: Option<()>) -> c_int {
    if result.is_some() { 0 } else { -1 }
}

// ---- state -------------------------------------------------------------------------------------

/// Lives in the module's zero-initialised memory: `None` until the module is executed.
type Slot = Option<Box<State>>;

/// The slot in a module's memory, which holds a `Slot`: zero bytes are `None` of an optional box. While
/// calls have the state, which they may have within each other, nobody writes there.
///
/// # Safety
/// `module` is a module made from `DEFINITION`.
unsafe fn slot(module: *mut c::PyObject) -> *mut Slot {
    // SAFETY: a live module.
    unsafe { c::PyModule_GetState(module).cast() }
}

/// # Safety
/// `module` is a module made from `DEFINITION`, which lives for `'a`.
unsafe fn state_of_module<'a>(module: *mut c::PyObject) -> PyResult<&'a State> {
    // SAFETY: as the caller promises; the state is replaced only when the module dies.
    unsafe { slot(module).as_ref() }
        .and_then(|slot| slot.as_deref())
        .ok_or_else(|| error::raise(&Exc::RuntimeError, "the pickle module is being torn down"))
}

/// # Safety
/// `object` is an instance of one of the module's types (or of a subclass), which lives for `'a`
/// and keeps its type and so the module alive.
unsafe fn state_of_instance<'a>(object: *mut c::PyObject) -> PyResult<&'a State> {
    // SAFETY: as the caller promises.
    unsafe {
        let module = c::PyType_GetModuleByDef(c::Py_TYPE(object), DEFINITION.0.get());
        if module.is_null() { Err(Raised) } else { state_of_module(module) }
    }
}

impl State {
    /// The pickler of a memo proxy that `object` is, exactly.
    pub(crate) fn pickler_memo_proxy<'a>(
        &self,
        object: &'a Object,
    ) -> Option<&'a PicklerMemoProxy> {
        class::body_of(object, &self.types.pickler_memo)
    }

    /// The unpickler of a memo proxy that `object` is, exactly.
    pub(crate) fn unpickler_memo_proxy<'a>(
        &self,
        object: &'a Object,
    ) -> Option<&'a UnpicklerMemoProxy> {
        class::body_of(object, &self.types.unpickler_memo)
    }

    /// A new memo proxy.
    pub(crate) fn new_pickler_memo_proxy(&self, proxy: PicklerMemoProxy) -> PyResult<Obj> {
        class::instance(&self.types.pickler_memo, proxy)
    }

    /// A new memo proxy.
    pub(crate) fn new_unpickler_memo_proxy(&self, proxy: UnpicklerMemoProxy) -> PyResult<Obj> {
        class::instance(&self.types.unpickler_memo, proxy)
    }
}

impl PicklerMemoProxy {
    /// The pickler that the proxy is for.
    pub(crate) fn pickler(&self) -> Option<PicklerRef> {
        self.owner().map(PicklerRef)
    }
}

/// A strong reference to an object that is a Pickler.
pub(crate) struct PicklerRef(Obj);

impl std::ops::Deref for PicklerRef {
    type Target = Pickler;
    fn deref(&self) -> &Pickler {
        // SAFETY: proxies are made for picklers only (`pickler::get_memo` gets a Pickler as self).
        unsafe { class::body(self.0.as_ptr()) }
    }
}

impl UnpicklerMemoProxy {
    /// The unpickler that the proxy is for.
    pub(crate) fn unpickler(&self) -> Option<UnpicklerRef> {
        self.owner().map(UnpicklerRef)
    }
}

/// A strong reference to an object that is an Unpickler.
pub(crate) struct UnpicklerRef(Obj);

impl std::ops::Deref for UnpicklerRef {
    type Target = Unpickler;
    fn deref(&self) -> &Unpickler {
        // SAFETY: proxies are made for unpicklers only.
        unsafe { class::body(self.0.as_ptr()) }
    }
}

/// Whether `method` is the built-in method `persistent_id` of the base class, bound to `this`.
#[cfg(Py_3_13)]
pub(crate) fn is_base_persistent_id(method: &Object, this: &Object) -> bool {
    let ptr = method.as_ptr();
    // SAFETY: self and function are read only of a live built-in function.
    unsafe {
        c::PyCFunction_Check(ptr) != 0
            && c::PyCFunction_GetSelf(ptr) == this.as_ptr()
            && c::PyCFunction_GetFunction(ptr)
                .is_some_and(|f| f as usize == pickler_persistent_id as *const () as usize)
    }
}

/// If `method` is a Python method bound to `this`, its function: holding that instead makes no
/// reference cycle.
pub(crate) fn unbind(method: &Object, this: &Object) -> Option<Obj> {
    let ptr = method.as_ptr();
    // SAFETY: reads two fields of a live method object.
    unsafe {
        let is_method = c::Py_TYPE(ptr) == &raw mut super::symbols::PyMethod_Type;
        (is_method && super::symbols::PyMethod_Self(ptr) == this.as_ptr())
            .then(|| Object::from_ptr(super::symbols::PyMethod_Function(ptr)).own())
    }
}

/// `types.MethodType(function, this)`
#[cfg(not(Py_3_13))]
pub(crate) fn bind(function: &Object, this: &Object) -> PyResult<Obj> {
    // SAFETY: both are live; the result is owned or NULL with an exception.
    unsafe { Own::from_owned(super::symbols::PyMethod_New(function.as_ptr(), this.as_ptr())) }
}

// ---- functions ---------------------------------------------------------------------------------

macro_rules! functions {
    ($($name:ident => $target:path;)*) => {
        $(unsafe extern "C" fn $name(
            module: *mut c::PyObject,
            args: *const *mut c::PyObject,
            count: c::Py_ssize_t,
            keywords: *mut c::PyObject,
        ) -> *mut c::PyObject {
            object(enter(|| {
                // SAFETY: the interpreter passes the module that the function belongs to.
                let state = unsafe { state_of_module(module)? };
                // SAFETY: the interpreter's own arguments of a METH_FASTCALL | METH_KEYWORDS call.
                let args = unsafe { Arguments::from_call(args, count, keywords) };
                $target(state, args)
            }))
        })*
    };
}

functions! {
    dump => pickler::dump_function;
    dumps => pickler::dumps;
    load => unpickler::load_function;
    loads => unpickler::loads;
    set_max_depth => pickler::set_max_depth;
    get_max_depth => pickler::get_max_depth;
    gc_policy => unpickler::gc_policy;
}

// Methods without arguments: (state, self as an object, self's body).
macro_rules! methods {
    ($($name:ident($class:ty) => $target:path;)*) => {
        $(unsafe extern "C" fn $name(
            this: *mut c::PyObject,
            _: *mut c::PyObject,
        ) -> *mut c::PyObject {
            object(enter(|| {
                // SAFETY: the method descriptor has checked the type of `this`; all arguments live
                // during the call.
                unsafe {
                    $target(
                        state_of_instance(this)?,
                        Object::from_ptr(this),
                        class::body::<$class>(this),
                    )
                }
            }))
        })*
    };
}

methods! {
    pickler_clear_memo(Pickler) => pickler::clear_memo;
    pickler_sizeof(Pickler) => pickler::sizeof;
    pickler_memo_clear(PicklerMemoProxy) => pickler::memo_proxy_clear;
    pickler_memo_copy(PicklerMemoProxy) => pickler::memo_proxy_copy;
    pickler_memo_reduce(PicklerMemoProxy) => pickler::memo_proxy_reduce;
    unpickler_sizeof(Unpickler) => unpickler::sizeof;
    unpickler_memo_clear(UnpicklerMemoProxy) => unpickler::memo_proxy_clear;
    unpickler_memo_copy(UnpicklerMemoProxy) => unpickler::memo_proxy_copy;
    unpickler_memo_reduce(UnpicklerMemoProxy) => unpickler::memo_proxy_reduce;
}

/// `persistent_id` of the base class: no object is persistent.
#[cfg(Py_3_13)]
unsafe extern "C" fn pickler_persistent_id(
    _this: *mut c::PyObject,
    _obj: *mut c::PyObject,
) -> *mut c::PyObject {
    object(Some(Object::none().own()))
}

// Methods that bind their arguments themselves, for the wording of complaints: (state, self as an
// object, self's body, arguments).
macro_rules! fast_methods {
    ($($name:ident($class:ty) => $target:path;)*) => {
        $(unsafe extern "C" fn $name(
            this: *mut c::PyObject,
            args: *const *mut c::PyObject,
            count: c::Py_ssize_t,
            keywords: *mut c::PyObject,
        ) -> *mut c::PyObject {
            object(enter(|| {
                // SAFETY: a METH_FASTCALL | METH_KEYWORDS method, whose descriptor has checked the
                // type of `this`; all arguments live during the call.
                unsafe {
                    $target(
                        state_of_instance(this)?,
                        Object::from_ptr(this),
                        class::body::<$class>(this),
                        Arguments::from_call(args, count, keywords),
                    )
                }
            }))
        })*
    };
}

fast_methods! {
    pickler_dump(Pickler) => pickler::dump_method;
    unpickler_load(Unpickler) => unpickler::load_method;
    unpickler_find_class(Unpickler) => unpickler::find_class_method;
}

#[cfg(Py_3_13)]
fast_methods! {
    unpickler_persistent_load(Unpickler) => unpickler::base_persistent_load;
}

macro_rules! inits {
    ($($name:ident($class:ty) => $target:path;)*) => {
        $(unsafe extern "C" fn $name(
            this: *mut c::PyObject,
            args: *mut c::PyObject,
            kwargs: *mut c::PyObject,
        ) -> c_int {
            status(enter(|| {
                // SAFETY: `tp_init` gets an instance, a tuple, and a dict or NULL, alive during
                // the call.
                let (state, this, body, args, kwargs) = unsafe {
                    (
                        state_of_instance(this)?,
                        Object::from_ptr(this),
                        class::body::<$class>(this),
                        Object::from_ptr(args).cast::<Tuple>(),
                        Object::from_ptr_opt(kwargs).and_then(Object::cast::<Dict>),
                    )
                };
                let args = args.ok_or_else(|| error::raise(&Exc::TypeError, "bad call"))?;
                $target(state, this, body, args, kwargs)
            }))
        })*
    };
}

inits! {
    pickler_init(Pickler) => pickler::init;
    unpickler_init(Unpickler) => unpickler::init;
}

macro_rules! getsets {
    ($($get:ident, $set:ident ($class:ty) => $getter:path, $setter:path;)*) => {
        $(
            unsafe extern "C" fn $get(this: *mut c::PyObject, _: *mut c_void) -> *mut c::PyObject {
                object(enter(|| {
                    // SAFETY: the descriptor has checked the type of `this`.
                    unsafe {
                        $getter(
                            state_of_instance(this)?,
                            Object::from_ptr(this),
                            class::body::<$class>(this),
                        )
                    }
                }))
            }

            unsafe extern "C" fn $set(
                this: *mut c::PyObject,
                value: *mut c::PyObject,
                _: *mut c_void,
            ) -> c_int {
                status(enter(|| {
                    // SAFETY: the descriptor has checked the type of `this`; a NULL value means
                    // deletion.
                    unsafe {
                        $setter(
                            state_of_instance(this)?,
                            Object::from_ptr(this),
                            class::body::<$class>(this),
                            Object::from_ptr_opt(value),
                        )
                    }
                }))
            }
        )*
    };
}

getsets! {
    pickler_get_memo, pickler_set_memo (Pickler) => pickler::get_memo, pickler::set_memo;
    unpickler_get_memo, unpickler_set_memo (Unpickler) =>
        unpickler::get_memo, unpickler::set_memo;
}

#[cfg(not(Py_3_13))]
getsets! {
    pickler_get_persid, pickler_set_persid (Pickler) =>
        pickler::get_persistent_id, pickler::set_persistent_id;
    unpickler_get_persload, unpickler_set_persload (Unpickler) =>
        unpickler::get_persistent_load, unpickler::set_persistent_load;
}

// From 3.13 on, `persistent_id` and `persistent_load` are methods that an instance attribute may
// hide although instances have no `__dict__`.
#[cfg(Py_3_13)]
macro_rules! attributes {
    ($($get:ident, $set:ident ($class:ty) => $getter:path, $setter:path;)*) => {
        $(
            unsafe extern "C" fn $get(
                this: *mut c::PyObject,
                name: *mut c::PyObject,
            ) -> *mut c::PyObject {
                object(enter(|| {
                    // SAFETY: `tp_getattro` gets an instance and a name.
                    unsafe {
                        match $getter(class::body::<$class>(this), Object::from_ptr(name)) {
                            Some(value) => Ok(value),
                            None => Own::from_owned(c::PyObject_GenericGetAttr(this, name)),
                        }
                    }
                }))
            }

            unsafe extern "C" fn $set(
                this: *mut c::PyObject,
                name: *mut c::PyObject,
                value: *mut c::PyObject,
            ) -> c_int {
                status(enter(|| {
                    // SAFETY: `tp_setattro` gets an instance, a name, and a value or NULL.
                    unsafe {
                        let value_ref = Object::from_ptr_opt(value);
                        if $setter(class::body::<$class>(this), Object::from_ptr(name), value_ref) {
                            return Ok(());
                        }
                        super::object::check(c::PyObject_GenericSetAttr(this, name, value))
                    }
                }))
            }
        )*
    };
}

#[cfg(Py_3_13)]
attributes! {
    pickler_getattr, pickler_setattr (Pickler) =>
        pickler::instance_attribute, pickler::set_instance_attribute;
    unpickler_getattr, unpickler_setattr (Unpickler) =>
        unpickler::instance_attribute, unpickler::set_instance_attribute;
}

// ---- tables ------------------------------------------------------------------------------------

/// A table that C reads for as long as the process lives.
#[repr(transparent)]
struct Table<T>(UnsafeCell<T>);

// SAFETY: C code does not write to method, member and getset tables; to the module definition it
// writes under the import lock.
unsafe impl<T> Sync for Table<T> {}

const fn method(
    name: &'static CStr,
    function: c::PyMethodDefPointer,
    flags: c_int,
    doc: &'static CStr,
) -> c::PyMethodDef {
    c::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: function,
        ml_flags: flags,
        ml_doc: doc.as_ptr(),
    }
}

const fn fast(
    name: &'static CStr,
    function: c::PyCFunctionFastWithKeywords,
    doc: &'static CStr,
) -> c::PyMethodDef {
    let pointer = c::PyMethodDefPointer { PyCFunctionFastWithKeywords: function };
    method(name, pointer, c::METH_FASTCALL | c::METH_KEYWORDS, doc)
}

const fn plain(
    name: &'static CStr,
    function: c::PyCFunction,
    flags: c_int,
    doc: &'static CStr,
) -> c::PyMethodDef {
    method(name, c::PyMethodDefPointer { PyCFunction: function }, flags, doc)
}

static FUNCTIONS: Table<[c::PyMethodDef; 5]> = Table(UnsafeCell::new([
    fast(
        c"dump",
        dump,
        c"dump($module, /, obj, file, protocol=None, *, fix_imports=True,\n     buffer_callback=None)\n--\n\n\
          Pickle obj and write it to file, which has a write() method for bytes.\n\n\
          The same as Pickler(file, protocol).dump(obj).",
    ),
    fast(
        c"dumps",
        dumps,
        c"dumps($module, /, obj, protocol=None, *, fix_imports=True,\n      buffer_callback=None)\n--\n\n\
          Pickle obj and return the bytes.\n\n\
          protocol is 0 to 5, negative for the highest, None for the default of this Python.\n\
          fix_imports maps names to Python 2's with protocols below 3. buffer_callback takes\n\
          PickleBuffers out of band (protocol 5): a false result means that it kept the buffer.",
    ),
    fast(
        c"load",
        load,
        c"load($module, /, file, *, fix_imports=True, encoding=\'ASCII\',\n     errors=\'strict\', buffers=())\n--\n\n\
          Read a pickle from file and return the object.\n\n\
          The same as Unpickler(file).load(). file has read(n) and readline(); readinto() and\n\
          peek() are used if there.",
    ),
    fast(
        c"loads",
        loads,
        c"loads($module, data, /, *, fix_imports=True, encoding=\'ASCII\',\n      errors=\'strict\', buffers=())\n--\n\n\
          Return the object that is pickled in data, a bytes-like object.\n\n\
          Bytes behind the pickle are ignored. encoding and errors are for the str of Python 2;\n\
          the encoding 'bytes' leaves them bytes. buffers gives the out-of-band buffers in order.",
    ),
    END,
]));

/// What `halfsour._pickle` has and `_pickle` has not.
static EXTRAS: Table<[c::PyMethodDef; 4]> = Table(UnsafeCell::new([
    fast(
        c"set_max_depth",
        set_max_depth,
        c"set_max_depth($module, depth, /)\n--\n\n\
          Set how many reductions may be nested in a dump before it ends in a RecursionError.",
    ),
    fast(
        c"get_max_depth",
        get_max_depth,
        c"get_max_depth($module, /)\n--\n\n\
          Return how many reductions may be nested in a dump.",
    ),
    fast(
        c"gc_policy",
        gc_policy,
        c"gc_policy($module, policy=None, /)\n--\n\n\
          Return what loads do about the cycle collector, and set it if an argument is given:\n\
          'suspend' lets no collection start while a load runs no Python code, 'leave' does nothing.",
    ),
    END,
]));

const END: c::PyMethodDef = c::PyMethodDef::zeroed();

const CLEAR_DOC: &CStr = c"clear($self, /)\n--\n\nForget all objects.";
const COPY_DOC: &CStr = c"copy($self, /)\n--\n\nReturn the memo as a dict.";
const REDUCE_DOC: &CStr = c"__reduce__($self, /)\n--\n\nPickle the memo as a dict.";
const SIZEOF_DOC: &CStr = c"__sizeof__($self, /)\n--\n\nReturn the size in memory, in bytes.";

static PICKLER_METHODS: Table<[c::PyMethodDef; 5]> = Table(UnsafeCell::new([
    fast(
        c"dump",
        pickler_dump,
        c"dump($self, obj, /)\n--\n\nPickle obj and write it to the pickler's file.",
    ),
    plain(
        c"clear_memo",
        pickler_clear_memo,
        c::METH_NOARGS,
        c"clear_memo($self, /)\n--\n\n\
          Forget which objects were pickled already.\n\n\
          Objects dumped before are then written anew, not as references to an earlier dump.",
    ),
    plain(c"__sizeof__", pickler_sizeof, c::METH_NOARGS, SIZEOF_DOC),
    #[cfg(Py_3_13)]
    plain(
        c"persistent_id",
        pickler_persistent_id,
        c::METH_O,
        c"persistent_id($self, obj, /)\n--\n\n",
    ),
    #[cfg(not(Py_3_13))]
    END,
    END,
]));

static UNPICKLER_METHODS: Table<[c::PyMethodDef; 5]> = Table(UnsafeCell::new([
    fast(
        c"load",
        unpickler_load,
        c"load($self, /)\n--\n\nRead a pickle from the unpickler's file and return the object.",
    ),
    fast(
        c"find_class",
        unpickler_find_class,
        c"find_class($self, module_name, global_name, /)\n--\n\n\
          Return what a module has under a name, importing the module if need be.\n\n\
          Called for every class and function that a pickle names; override it to decide which\n\
          of them may be loaded.",
    ),
    plain(c"__sizeof__", unpickler_sizeof, c::METH_NOARGS, SIZEOF_DOC),
    #[cfg(Py_3_13)]
    fast(c"persistent_load", unpickler_persistent_load, c"persistent_load($self, pid, /)\n--\n\n"),
    #[cfg(not(Py_3_13))]
    END,
    END,
]));

static PICKLER_MEMO_METHODS: Table<[c::PyMethodDef; 4]> = Table(UnsafeCell::new([
    plain(c"clear", pickler_memo_clear, c::METH_NOARGS, CLEAR_DOC),
    plain(c"copy", pickler_memo_copy, c::METH_NOARGS, COPY_DOC),
    plain(c"__reduce__", pickler_memo_reduce, c::METH_NOARGS, REDUCE_DOC),
    END,
]));

static UNPICKLER_MEMO_METHODS: Table<[c::PyMethodDef; 4]> = Table(UnsafeCell::new([
    plain(c"clear", unpickler_memo_clear, c::METH_NOARGS, CLEAR_DOC),
    plain(c"copy", unpickler_memo_copy, c::METH_NOARGS, COPY_DOC),
    plain(c"__reduce__", unpickler_memo_reduce, c::METH_NOARGS, REDUCE_DOC),
    END,
]));

const fn getset(
    name: &'static CStr,
    get: unsafe extern "C" fn(*mut c::PyObject, *mut c_void) -> *mut c::PyObject,
    set: unsafe extern "C" fn(*mut c::PyObject, *mut c::PyObject, *mut c_void) -> c_int,
) -> c::PyGetSetDef {
    c::PyGetSetDef {
        name: name.as_ptr(),
        get: Some(get),
        set: Some(set),
        doc: std::ptr::null(),
        closure: std::ptr::null_mut(),
    }
}

const NO_GETSET: c::PyGetSetDef = c::PyGetSetDef {
    name: std::ptr::null(),
    get: None,
    set: None,
    doc: std::ptr::null(),
    closure: std::ptr::null_mut(),
};

static PICKLER_GETSETS: Table<[c::PyGetSetDef; 3]> = Table(UnsafeCell::new([
    getset(c"memo", pickler_get_memo, pickler_set_memo),
    #[cfg(not(Py_3_13))]
    getset(c"persistent_id", pickler_get_persid, pickler_set_persid),
    #[cfg(Py_3_13)]
    NO_GETSET,
    NO_GETSET,
]));

static UNPICKLER_GETSETS: Table<[c::PyGetSetDef; 3]> = Table(UnsafeCell::new([
    getset(c"memo", unpickler_get_memo, unpickler_set_memo),
    #[cfg(not(Py_3_13))]
    getset(c"persistent_load", unpickler_get_persload, unpickler_set_persload),
    #[cfg(Py_3_13)]
    NO_GETSET,
    NO_GETSET,
]));

const fn member(name: *const c_char, code: c_int, offset: usize) -> c::PyMemberDef {
    c::PyMemberDef {
        name,
        type_code: code,
        offset: offset as c::Py_ssize_t,
        flags: 0,
        doc: std::ptr::null(),
    }
}

/// Real members: loky looks for the `dispatch_table` descriptor and calls its `__set__`.
static PICKLER_MEMBERS: Table<[c::PyMemberDef; 4]> = Table(UnsafeCell::new([
    member(
        c"bin".as_ptr(),
        c::Py_T_INT,
        offset_of!(Instance<Pickler>, body) + offset_of!(Pickler, bin),
    ),
    member(
        c"fast".as_ptr(),
        c::Py_T_INT,
        offset_of!(Instance<Pickler>, body) + offset_of!(Pickler, fast),
    ),
    member(
        c"dispatch_table".as_ptr(),
        c::Py_T_OBJECT_EX,
        offset_of!(Instance<Pickler>, body) + offset_of!(Pickler, dispatch_table),
    ),
    member(std::ptr::null(), 0, 0),
]));

const PICKLER_DOC: &CStr =
    c"Pickler(file, protocol=None, fix_imports=True, buffer_callback=None)\n--\n\n\
      Writes pickles to a file, which has a write() method for bytes.\n\n\
      protocol is 0 to 5, negative for the highest, None for the default of this Python.\n\
      fix_imports maps names to Python 2's with protocols below 3. buffer_callback takes\n\
      PickleBuffers out of band (protocol 5): a false result means that it kept the buffer.";

const UNPICKLER_DOC: &CStr =
    c"Unpickler(file, *, fix_imports=True, encoding=\'ASCII\', errors=\'strict\',\n          buffers=())\n--\n\n\
      Reads pickles from a file.\n\n\
      file has read(n) and readline(); readinto() and peek() are used if there. encoding and\n\
      errors are for the str of Python 2; the encoding 'bytes' leaves them bytes. buffers gives\n\
      the out-of-band buffers in order.";

fn type_slot(slot: c_int, pointer: *mut c_void) -> c::PyType_Slot {
    c::PyType_Slot { slot, pfunc: pointer }
}

/// The slots that all our types share.
fn common_slots<T: Body>() -> Vec<c::PyType_Slot> {
    vec![
        type_slot(c::Py_tp_dealloc, class::dealloc::<T> as *mut c_void),
        type_slot(c::Py_tp_traverse, class::traverse::<T> as *mut c_void),
        type_slot(c::Py_tp_clear, class::clear::<T> as *mut c_void),
        type_slot(c::Py_tp_free, c::PyObject_GC_Del as *mut c_void),
    ]
}

/// The types of one module.
pub(crate) struct Types {
    pub(crate) pickler: Obj,
    pub(crate) unpickler: Obj,
    pub(crate) pickler_memo: Obj,
    pub(crate) unpickler_memo: Obj,
    pub(crate) loan: Obj,
}

impl Types {
    /// # Safety
    /// `module` is a live module made from `DEFINITION`.
    unsafe fn new(module: *mut c::PyObject, swapped: bool) -> PyResult<Types> {
        // As `_pickle` the types have the names of CPython's, else they say where they are from.
        let name = |own, stock| if swapped { stock } else { own };

        let mut pickler = common_slots::<Pickler>();
        pickler.extend([
            type_slot(c::Py_tp_new, class::new::<Pickler> as *mut c_void),
            type_slot(c::Py_tp_alloc, c::PyType_GenericAlloc as *mut c_void),
            type_slot(c::Py_tp_init, pickler_init as *mut c_void),
            type_slot(c::Py_tp_doc, PICKLER_DOC.as_ptr().cast_mut().cast()),
            type_slot(c::Py_tp_methods, PICKLER_METHODS.0.get().cast()),
            type_slot(c::Py_tp_members, PICKLER_MEMBERS.0.get().cast()),
            type_slot(c::Py_tp_getset, PICKLER_GETSETS.0.get().cast()),
        ]);
        let mut unpickler = common_slots::<Unpickler>();
        unpickler.extend([
            type_slot(c::Py_tp_new, class::new::<Unpickler> as *mut c_void),
            type_slot(c::Py_tp_alloc, c::PyType_GenericAlloc as *mut c_void),
            type_slot(c::Py_tp_init, unpickler_init as *mut c_void),
            type_slot(c::Py_tp_doc, UNPICKLER_DOC.as_ptr().cast_mut().cast()),
            type_slot(c::Py_tp_methods, UNPICKLER_METHODS.0.get().cast()),
            type_slot(c::Py_tp_getset, UNPICKLER_GETSETS.0.get().cast()),
        ]);
        #[cfg(Py_3_13)]
        {
            pickler.push(type_slot(c::Py_tp_getattro, pickler_getattr as *mut c_void));
            pickler.push(type_slot(c::Py_tp_setattro, pickler_setattr as *mut c_void));
            unpickler.push(type_slot(c::Py_tp_getattro, unpickler_getattr as *mut c_void));
            unpickler.push(type_slot(c::Py_tp_setattro, unpickler_setattr as *mut c_void));
        }
        let unhashable = || type_slot(c::Py_tp_hash, c::PyObject_HashNotImplemented as *mut c_void);
        let mut pickler_memo = common_slots::<PicklerMemoProxy>();
        pickler_memo.extend([
            type_slot(c::Py_tp_methods, PICKLER_MEMO_METHODS.0.get().cast()),
            unhashable(),
        ]);
        let mut unpickler_memo = common_slots::<UnpicklerMemoProxy>();
        unpickler_memo.extend([
            type_slot(c::Py_tp_methods, UNPICKLER_MEMO_METHODS.0.get().cast()),
            unhashable(),
        ]);
        // A proxy that Python code makes itself (`type(p.memo)()`, since 3.12) must have a body too.
        pickler_memo
            .push(type_slot(c::Py_tp_new, class::new_bare::<PicklerMemoProxy> as *mut c_void));
        unpickler_memo
            .push(type_slot(c::Py_tp_new, class::new_bare::<UnpicklerMemoProxy> as *mut c_void));

        let mut loan = common_slots::<Loan>();
        loan.extend([
            type_slot(c::Py_tp_new, class::new::<Loan> as *mut c_void),
            type_slot(c::Py_bf_getbuffer, buffer::loan_get as *mut c_void),
            type_slot(c::Py_bf_releasebuffer, buffer::loan_release as *mut c_void),
        ]);

        let all = [&mut pickler, &mut unpickler, &mut pickler_memo, &mut unpickler_memo, &mut loan];
        for slots in all {
            slots.push(type_slot(0, std::ptr::null_mut()));
        }
        // SAFETY: the slots are those of each type's own body, end with a zero, and point at
        // statics and functions.
        unsafe {
            Ok(Types {
                pickler: class::make::<Pickler>(
                    module,
                    name(c"halfsour._pickle.Pickler", c"_pickle.Pickler"),
                    &mut pickler,
                )?,
                unpickler: class::make::<Unpickler>(
                    module,
                    name(c"halfsour._pickle.Unpickler", c"_pickle.Unpickler"),
                    &mut unpickler,
                )?,
                pickler_memo: class::make::<PicklerMemoProxy>(
                    module,
                    name(c"halfsour._pickle.PicklerMemoProxy", c"_pickle.PicklerMemoProxy"),
                    &mut pickler_memo,
                )?,
                unpickler_memo: class::make::<UnpicklerMemoProxy>(
                    module,
                    name(c"halfsour._pickle.UnpicklerMemoProxy", c"_pickle.UnpicklerMemoProxy"),
                    &mut unpickler_memo,
                )?,
                loan: class::make::<Loan>(
                    module,
                    name(c"halfsour._pickle.Loan", c"_pickle.Loan"),
                    &mut loan,
                )?,
            })
        }
    }
}

// ---- the module --------------------------------------------------------------------------------

unsafe extern "C" fn exec(module: *mut c::PyObject) -> c_int {
    status(enter(|| {
        // SAFETY: the module under construction, whose state memory is zeroed.
        let object = unsafe { Object::from_ptr(module) };
        let name = object.attr(&*super::Str::interned(c"__name__")?)?;
        let swapped = name.cast::<super::Str>().is_some_and(|name| name.equals("_pickle"));
        // SAFETY: as above.
        let types = unsafe { Types::new(module, swapped)? };
        let state = Box::new(State::new(types, swapped)?);
        for (name, value) in state.exports() {
            object.set_attr(&*super::Str::new(name)?, value)?;
        }
        if !swapped {
            // SAFETY: a static table that ends with a zero.
            super::object::check(unsafe {
                c::PyModule_AddFunctions(module, EXTRAS.0.get().cast())
            })?;
        }
        // SAFETY: the module is made from `DEFINITION`.
        if let Some(slot) = unsafe { slot(module).as_mut() } {
            *slot = Some(state);
        }
        Ok(())
    }))
}

unsafe extern "C" fn traverse(
    module: *mut c::PyObject,
    visit: c::visitproc,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: the module is made from `DEFINITION`; the callback is the collector's.
    let state = unsafe { slot(module).as_ref() }.and_then(|slot| slot.as_deref());
    let Some(state) = state else { return 0 };
    for object in state.references() {
        // SAFETY: see above.
        let stop = unsafe { visit(object.as_ptr(), arg) };
        if stop != 0 {
            return stop;
        }
    }
    0
}

unsafe extern "C" fn clear(module: *mut c::PyObject) -> c_int {
    // SAFETY: the module is made from `DEFINITION`. The state is taken out before it is dropped,
    // since dropping it may run Python.
    drop(unsafe { slot(module).as_mut() }.and_then(Option::take));
    0
}

unsafe extern "C" fn free(module: *mut c_void) {
    // SAFETY: as `clear`.
    unsafe { clear(module.cast()) };
}

const SLOTS: usize = if cfg!(Py_3_12) { 3 } else { 2 };

static MODULE_SLOTS: Table<[c::PyModuleDef_Slot; SLOTS]> = Table(UnsafeCell::new([
    c::PyModuleDef_Slot { slot: c::Py_mod_exec, value: exec as *mut c_void },
    // All state is the module's own: each interpreter may have it, with a GIL of its own.
    #[cfg(Py_3_12)]
    c::PyModuleDef_Slot {
        slot: c::Py_mod_multiple_interpreters,
        value: c::Py_MOD_PER_INTERPRETER_GIL_SUPPORTED,
    },
    c::PyModuleDef_Slot { slot: 0, value: std::ptr::null_mut() },
]));

static DEFINITION: Table<c::PyModuleDef> = Table(UnsafeCell::new(c::PyModuleDef {
    m_base: c::PyModuleDef_HEAD_INIT,
    m_name: c"_pickle".as_ptr(),
    m_doc: c"Python's pickle, in Rust.".as_ptr(),
    m_size: size_of::<Slot>() as c::Py_ssize_t,
    m_methods: FUNCTIONS.0.get().cast(),
    m_slots: MODULE_SLOTS.0.get().cast(),
    m_traverse: Some(traverse),
    m_clear: Some(clear),
    m_free: Some(free),
}));

/// The entry point under both names, `halfsour._pickle` and `_pickle`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn PyInit__pickle() -> *mut c::PyObject {
    // SAFETY: the definition is static and complete.
    unsafe { c::PyModuleDef_Init(DEFINITION.0.get()) }
}

/// `sys.hexversion` of the running interpreter.
pub(crate) fn hexversion() -> u32 {
    // SAFETY: a constant of the interpreter.
    unsafe { c::Py_Version as u32 }
}

/// `sys.modules`
pub(crate) fn sys_modules() -> PyResult<Obj> {
    // SAFETY: a borrowed reference or NULL; owned before anything else runs.
    unsafe { Object::from_ptr_opt(c::PySys_GetObject(c"modules".as_ptr())) }
        .map(Object::own)
        .ok_or_else(|| error::raise(&Exc::RuntimeError, "unable to get sys.modules"))
}

/// The modules that the interpreter has loaded: what `sys.modules` was made to be. None where that
/// is no plain dict.
pub(crate) fn loaded_modules() -> Option<&'static super::Dict> {
    // SAFETY: a borrowed reference, alive as long as the interpreter runs Python code, or NULL.
    unsafe { Object::from_ptr_opt(c::PyImport_GetModuleDict()) }?.cast_exact::<super::Dict>()
}
