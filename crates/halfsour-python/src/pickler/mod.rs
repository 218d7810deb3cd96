//! `Pickler`, `dump` and `dumps`: options, the memo, and what Python code may do with them.
//!
//! The walk itself is in [`walker`]. Modules/_pickle.c: the Pickler type.

mod at_once;
mod frame;
mod global;
mod plan;
mod reduce;
mod rows;
mod scratch;
mod stretch;
mod unshared;
mod walker;

use crate::ffi::args::{self, Arguments, Signature};
use crate::ffi::class::{Body, MemberInt, MemberObject, Visitor};
use crate::ffi::error::{Exc, Part, raise, raise_parts};
use crate::ffi::output::Output;
use crate::ffi::{Dict, Int, Obj, Object, Own, PyResult, Tuple, types};
use crate::memo::Memo;
use crate::state::State;
use halfsour::Emitter;
pub(crate) use plan::Plans;
pub(crate) use scratch::Scratch;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::ops::ControlFlow;
use unshared::{Ended, Target};
use walker::Walker;

pub(crate) const HIGHEST_PROTOCOL: u8 = halfsour::HIGHEST_PROTOCOL;

/// The body of a Python `Pickler`; `dumps` uses one that no Python code sees.
pub(crate) struct Pickler {
    /// Whether binary opcodes are used; a member that programs may set.
    pub(crate) bin: MemberInt,
    /// Whether the memo is left alone; a member that programs may set.
    pub(crate) fast: MemberInt,
    /// The private dispatch table; a member that programs may set.
    pub(crate) dispatch_table: MemberObject,

    protocol: Cell<u8>,
    fix_imports: Cell<bool>,
    running: Cell<bool>,
    memo: RefCell<Memo>,
    /// The file's `write`; None until `__init__` was called.
    write: RefCell<Option<Obj>>,
    buffer_callback: RefCell<Option<Obj>>,
    persistent_id: PersistentId,
    cycles: CycleGuard,
}

/// Where `persistent_id` comes from, besides methods of subclasses.
#[derive(Default)]
struct PersistentId {
    /// From 3.13 on: the instance attribute that hides the method. Before: the function that is
    /// called, found in `__init__` or set since.
    attribute: RefCell<Option<Obj>>,
    /// Before 3.13: the function is a method of this pickler, held unbound, since a bound one would
    /// keep the pickler alive.
    #[cfg(not(Py_3_13))]
    unbound: Cell<bool>,
    /// Before 3.13: how often it was set.
    #[cfg(not(Py_3_13))]
    changes: Cell<u32>,
}

/// The hook for persistent ids, as it is called.
struct IdHook {
    function: Obj,
    /// It is the function of a method, and takes the pickler too.
    unbound: bool,
}

impl IdHook {
    fn new(hook: Obj, this: &Object) -> IdHook {
        match crate::ffi::module::unbind(&hook, this) {
            Some(function) => IdHook { function, unbound: true },
            None => IdHook { function: hook, unbound: false },
        }
    }
}

/// Finds cycles in fast mode, where there is no memo to find them.
///
/// Only objects nested this deeply are remembered.
#[derive(Default)]
struct CycleGuard {
    nesting: Cell<i32>,
    objects: RefCell<HashSet<usize>>,
}

const FAST_NESTING_LIMIT: i32 = 50;

impl CycleGuard {
    /// Modules/_pickle.c: `fast_save_enter`
    fn enter(&self, object: &Object) -> PyResult<()> {
        self.nesting.set(self.nesting.get() + 1);
        if self.nesting.get() >= FAST_NESTING_LIMIT {
            let address = object.address();
            if !self.objects.borrow_mut().insert(address) {
                self.nesting.set(-1);
                return Err(raise_parts(
                    &Exc::ValueError,
                    "fast mode: can't pickle cyclic objects including object type {} at {}",
                    &[Part::TypeName(object), Part::Text(&format!("{address:#x}"))],
                ));
            }
        }
        Ok(())
    }

    /// Modules/_pickle.c: `fast_save_leave`
    fn leave(&self, object: &Object) -> PyResult<()> {
        let nesting = self.nesting.get();
        self.nesting.set(nesting - 1);
        if nesting >= FAST_NESTING_LIMIT {
            let address = object.address();
            if !self.objects.borrow_mut().remove(&address) {
                let key = Int::from_address(address)?;
                return Err(crate::ffi::error::raise_object(&Exc::KeyError, &key));
            }
        }
        Ok(())
    }

    fn reset(&self) {
        self.nesting.set(0);
        self.objects.borrow_mut().clear();
    }
}

impl Body for Pickler {
    fn new() -> Pickler {
        Pickler {
            bin: MemberInt::new(0),
            fast: MemberInt::new(0),
            dispatch_table: MemberObject::empty(),
            protocol: Cell::new(0),
            fix_imports: Cell::new(false),
            running: Cell::new(false),
            memo: RefCell::default(),
            write: RefCell::default(),
            buffer_callback: RefCell::default(),
            persistent_id: PersistentId::default(),
            cycles: CycleGuard::default(),
        }
    }

    fn visit(&self, visitor: &mut Visitor<'_>) -> ControlFlow<i32> {
        self.dispatch_table.visit(visitor)?;
        for slot in [&self.write, &self.buffer_callback, &self.persistent_id.attribute] {
            if let Ok(slot) = slot.try_borrow() {
                visitor.visit_opt(slot.as_ref())?;
            }
        }
        if let Ok(memo) = self.memo.try_borrow() {
            for object in memo.objects() {
                visitor.visit(object)?;
            }
        }
        ControlFlow::Continue(())
    }

    fn clear(&self) {
        self.dispatch_table.set(None);
        for slot in [&self.write, &self.buffer_callback, &self.persistent_id.attribute] {
            drop(slot.take());
        }
        drop(self.memo.take());
    }
}

impl Pickler {
    /// Sets the protocol and what hangs on it.
    fn set_protocol(
        &self,
        state: &State,
        protocol: Option<&Object>,
        fix_imports: bool,
    ) -> PyResult<()> {
        self.begin_protocol(protocol_number(state, protocol)?, fix_imports);
        Ok(())
    }

    fn begin_protocol(&self, protocol: u8, fix_imports: bool) {
        self.protocol.set(protocol);
        self.bin.set(i32::from(protocol > 0));
        self.fix_imports.set(fix_imports && protocol < 3);
    }

    fn set_file(&self, state: &State, file: &Object) -> PyResult<()> {
        let Some(write) = file.opt_attr(&state.names.write)? else {
            return Err(raise(&Exc::TypeError, "file must have a 'write' attribute"));
        };
        drop(self.write.replace(Some(write)));
        Ok(())
    }

    fn set_buffer_callback(&self, callback: Option<&Object>) -> PyResult<()> {
        let callback = args::not_none(callback);
        if callback.is_some() && self.protocol.get() < 5 {
            return Err(raise(&Exc::ValueError, "buffer_callback needs protocol >= 5"));
        }
        drop(self.buffer_callback.replace(callback));
        Ok(())
    }

    /// Marks the pickler as being used; re-entry and other threads are refused.
    fn begin(&self) -> PyResult<Running<'_>> {
        if self.running.replace(true) {
            return Err(raise(&Exc::RuntimeError, "Pickler object is already used"));
        }
        Ok(Running(self))
    }
}

/// The protocol that an argument names.
fn protocol_number(state: &State, protocol: Option<&Object>) -> PyResult<u8> {
    match protocol.filter(|protocol| !protocol.is_none()) {
        None => Ok(state.version.default_protocol),
        Some(protocol) => {
            let number = crate::ffi::builtins::as_long(protocol)?;
            if number > i64::from(HIGHEST_PROTOCOL) {
                return Err(raise(
                    &Exc::ValueError,
                    &format!("pickle protocol must be <= {HIGHEST_PROTOCOL}"),
                ));
            }
            Ok(u8::try_from(number).unwrap_or(HIGHEST_PROTOCOL))
        }
    }
}

/// A pickler at work, until dropped.
struct Running<'a>(&'a Pickler);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.set(false);
    }
}

// ---- functions ---------------------------------------------------------------------------------

const DUMP: Signature<5> = Signature {
    format: c"OO|O$OO:dump",
    names: [c"obj", c"file", c"protocol", c"fix_imports", c"buffer_callback"],
    required: 2,
    positional: 3,
};

const DUMPS: Signature<4> = Signature {
    format: c"O|O$OO:dumps",
    names: [c"obj", c"protocol", c"fix_imports", c"buffer_callback"],
    required: 1,
    positional: 2,
};

const INIT: Signature<4> = Signature {
    format: c"O|OOO:Pickler",
    names: [c"file", c"protocol", c"fix_imports", c"buffer_callback"],
    required: 1,
    positional: 4,
};

const SET_MAX_DEPTH: Signature<1> =
    Signature { format: c"O:set_max_depth", names: [c""], required: 1, positional: 1 };

const GET_MAX_DEPTH: Signature<0> =
    Signature { format: c":get_max_depth", names: [], required: 0, positional: 0 };

/// `dump(obj, file, …)`
pub(crate) fn dump_function(state: &State, args: Arguments<'_>) -> PyResult<Obj> {
    let [obj, file, protocol, fix_imports, callback] = DUMP.bind(args)?;
    let (Some(obj), Some(file)) = (obj, file) else { return Err(missing()) };
    let pickler = Pickler::new();
    pickler.set_protocol(state, protocol, args::truth(fix_imports, true)?)?;
    pickler.set_file(state, file)?;
    pickler.set_buffer_callback(callback)?;
    let Some(write) = pickler.write.borrow().clone() else { return Err(missing()) };
    let mut scratch = Scratch::borrow(state);
    let mut out = scratch.begin(pickler.protocol.get());
    let file = if write.is_builtin_function() { Target::Later } else { Target::AtOnce };
    let in_band = pickler.buffer_callback.borrow().is_none();
    let at = match begin_unshared(state, &mut out, &mut scratch, obj, file, in_band) {
        Ok(Ended::Done) => {
            out.finish();
            let result = unshared::write(&mut out, &write);
            scratch.end(state, out.into_sink());
            return result.map(|()| Object::none().own());
        }
        Ok(Ended::At(at)) => Some(at),
        Ok(Ended::Again) => None,
        Err(raised) => {
            scratch.end(state, out.into_sink());
            return Err(raised);
        }
    };
    let mut walker = Walker::new(state, &pickler, None, Some(write), scratch, out);
    let result = walker.dump(obj, at);
    walker.end();
    result.map(|_| Object::none().own())
}

/// Begins to write without a memo, where that can be.
#[inline]
fn begin_unshared(
    state: &State,
    out: &mut Emitter<Output>,
    scratch: &mut Scratch,
    obj: &Object,
    target: Target,
    in_band: bool,
) -> PyResult<Ended> {
    if state.layouts_known && out.protocol() > 0 {
        if stretch::atom(out, obj) {
            return Ok(Ended::Done);
        }
        unshared::dump(state, out, scratch, obj, target, in_band)
    } else {
        Ok(Ended::Again)
    }
}

/// `dumps(obj, …)`
pub(crate) fn dumps(state: &State, args: Arguments<'_>) -> PyResult<Obj> {
    let [obj, protocol, fix_imports, callback] = DUMPS.bind(args)?;
    let Some(obj) = obj else { return Err(missing()) };
    let number = protocol_number(state, protocol)?;
    let fix_imports = args::truth(fix_imports, true)?;
    let callback = args::not_none(callback);
    if callback.is_some() && number < 5 {
        return Err(raise(&Exc::ValueError, "buffer_callback needs protocol >= 5"));
    }
    let mut scratch = Scratch::borrow(state);
    let mut out = scratch.begin(number);
    let in_band = callback.is_none();
    let at = match begin_unshared(state, &mut out, &mut scratch, obj, Target::Memory, in_band) {
        Ok(Ended::Done) => {
            out.finish();
            let mut out = out.into_sink();
            let bytes = out.take();
            scratch.end(state, out);
            return bytes.map(Own::into_obj);
        }
        Ok(Ended::At(at)) => Some(at),
        Ok(Ended::Again) => None,
        Err(raised) => {
            scratch.end(state, out.into_sink());
            return Err(raised);
        }
    };
    let pickler = Pickler::new();
    pickler.begin_protocol(number, fix_imports);
    drop(pickler.buffer_callback.replace(callback));
    let mut walker = Walker::new(state, &pickler, None, None, scratch, out);
    let result = walker.dump(obj, at);
    walker.end();
    match result? {
        Some(bytes) => Ok(bytes.into_obj()),
        None => Err(raise(&Exc::SystemError, "a dump without a file and without a result")),
    }
}

/// `set_max_depth(depth)`
pub(crate) fn set_max_depth(state: &State, args: Arguments<'_>) -> PyResult<Obj> {
    let [depth] = SET_MAX_DEPTH.bind(args)?;
    let Some(depth) = depth else { return Err(missing()) };
    let depth = crate::ffi::builtins::as_ssize(depth)?;
    let depth = usize::try_from(depth)
        .ok()
        .filter(|depth| *depth > 0)
        .ok_or_else(|| raise(&Exc::ValueError, "the depth must be positive"))?;
    state.max_depth.set(depth);
    Ok(Object::none().own())
}

/// `get_max_depth()`
pub(crate) fn get_max_depth(state: &State, args: Arguments<'_>) -> PyResult<Obj> {
    let [] = GET_MAX_DEPTH.bind(args)?;
    Int::new(i64::try_from(state.max_depth.get()).unwrap_or(i64::MAX))
}

// ---- the type ----------------------------------------------------------------------------------

/// `Pickler.__init__`
pub(crate) fn init(
    state: &State,
    this: &Object,
    pickler: &Pickler,
    args: &Tuple,
    kwargs: Option<&Dict>,
) -> PyResult<()> {
    let [file, protocol, fix_imports, callback] = INIT.parse(args, kwargs)?;
    let Some(file) = file else { return Err(missing()) };
    let fix_imports = args::truth(fix_imports, true)?;
    let _running = pickler.begin()?;
    // A second call starts anew, also with what a failed first one left behind.
    if pickler.write.borrow().is_some() {
        pickler.clear();
    }
    pickler.set_protocol(state, protocol, fix_imports)?;
    pickler.set_file(state, file)?;
    pickler.set_buffer_callback(callback)?;
    pickler.fast.set(0);
    pickler.cycles.reset();
    #[cfg(not(Py_3_13))]
    pickler.find_persistent_id(state, this)?;
    if pickler.dispatch_table.get().is_none() {
        let table = state.hook(this, &state.types.pickler, &state.names.dispatch_table)?;
        pickler.dispatch_table.set(table);
    }
    Ok(())
}

/// `Pickler.dump(obj)`
pub(crate) fn dump_method(
    state: &State,
    this: &Object,
    pickler: &Pickler,
    args: Arguments<'_>,
) -> PyResult<Obj> {
    let obj = args.only("Pickler.dump", "dump")?;
    let write = pickler.write.borrow().clone();
    let Some(write) = write else {
        return Err(not_initialized(&state.pickling_error, "Pickler", this));
    };
    let _running = pickler.begin()?;
    let mut scratch = Scratch::borrow(state);
    let out = scratch.begin(pickler.protocol.get());
    let mut walker = Walker::new(state, pickler, Some(this), Some(write), scratch, out);
    let result = walker.dump(obj, None);
    walker.end();
    result.map(|_| Object::none().own())
}

/// `Pickler.clear_memo()`
pub(crate) fn clear_memo(_: &State, _: &Object, pickler: &Pickler) -> PyResult<Obj> {
    drop(pickler.memo.take());
    Ok(Object::none().own())
}

/// `Pickler.__sizeof__()`
pub(crate) fn sizeof(_: &State, _: &Object, pickler: &Pickler) -> PyResult<Obj> {
    let size = crate::ffi::class::size::<Pickler>() + pickler.memo.borrow().size();
    Int::new(i64::try_from(size).unwrap_or(i64::MAX))
}

/// The error that both types raise when `__init__` was not called.
pub(crate) fn not_initialized(class: &Object, base: &str, this: &Object) -> crate::ffi::Raised {
    let name = String::from_utf8_lossy(this.type_of().tp_name()).into_owned();
    raise(class, &format!("{base}.__init__() was not called by {name}.__init__()"))
}

/// MemoryError
#[cold]
fn no_memory(_: halfsour::OutOfMemory) -> crate::ffi::Raised {
    crate::ffi::error::no_memory()
}

fn missing() -> crate::ffi::Raised {
    raise(&Exc::TypeError, "missing argument")
}

// ---- persistent_id -----------------------------------------------------------------------------

#[cfg(Py_3_13)]
fn is_persistent_id(name: &Object) -> bool {
    name.cast::<crate::ffi::Str>().is_some_and(|name| name.equals("persistent_id"))
}

/// What `pickler.persistent_id` was set to on the instance.
#[cfg(Py_3_13)]
pub(crate) fn instance_attribute(pickler: &Pickler, name: &Object) -> Option<Obj> {
    if is_persistent_id(name) { pickler.persistent_id.attribute.borrow().clone() } else { None }
}

/// Sets or deletes `pickler.persistent_id`; false if the name is another one.
#[cfg(Py_3_13)]
pub(crate) fn set_instance_attribute(
    pickler: &Pickler,
    name: &Object,
    value: Option<&Object>,
) -> bool {
    if !is_persistent_id(name) {
        return false;
    }
    drop(pickler.persistent_id.attribute.replace(value.map(Object::own)));
    true
}

#[cfg(not(Py_3_13))]
impl Pickler {
    /// Modules/_pickle.c (3.12): `init_method_ref`
    fn find_persistent_id(&self, state: &State, this: &Object) -> PyResult<()> {
        let found = this.opt_attr(&state.names.persistent_id)?.map(|hook| IdHook::new(hook, this));
        self.persistent_id.set(found);
        Ok(())
    }
}

#[cfg(not(Py_3_13))]
impl PersistentId {
    fn set(&self, hook: Option<IdHook>) {
        self.changes.set(self.changes.get().wrapping_add(1));
        self.unbound.set(hook.as_ref().is_some_and(|hook| hook.unbound));
        drop(self.attribute.replace(hook.map(|hook| hook.function)));
    }

    fn hook(&self) -> Option<IdHook> {
        let function = self.attribute.borrow().clone()?;
        Some(IdHook { function, unbound: self.unbound.get() })
    }
}

/// `Pickler.persistent_id`
#[cfg(not(Py_3_13))]
pub(crate) fn get_persistent_id(state: &State, this: &Object, pickler: &Pickler) -> PyResult<Obj> {
    let function = pickler.persistent_id.attribute.borrow().clone();
    match function {
        Some(function) if pickler.persistent_id.unbound.get() => {
            crate::ffi::module::bind(&function, this)
        }
        Some(function) => Ok(function),
        None => {
            Err(crate::ffi::error::raise_object(&Exc::AttributeError, &state.names.persistent_id))
        }
    }
}

/// `Pickler.persistent_id = function`
#[cfg(not(Py_3_13))]
pub(crate) fn set_persistent_id(
    _: &State,
    _: &Object,
    pickler: &Pickler,
    value: Option<&Object>,
) -> PyResult<()> {
    let Some(value) = value else {
        return Err(raise(&Exc::TypeError, "attribute deletion is not supported"));
    };
    if !value.is_callable() {
        return Err(raise(&Exc::TypeError, "persistent_id must be a callable taking one argument"));
    }
    pickler.persistent_id.set(Some(IdHook { function: value.own(), unbound: false }));
    Ok(())
}

// ---- the memo proxy ----------------------------------------------------------------------------

/// The body of a `PicklerMemoProxy`, which is what `pickler.memo` gives.
pub(crate) struct PicklerMemoProxy(RefCell<Option<Obj>>);

impl Body for PicklerMemoProxy {
    fn new() -> PicklerMemoProxy {
        PicklerMemoProxy(RefCell::default())
    }

    fn visit(&self, visitor: &mut Visitor<'_>) -> ControlFlow<i32> {
        match self.0.try_borrow() {
            Ok(owner) => visitor.visit_opt(owner.as_ref()),
            Err(_) => ControlFlow::Continue(()),
        }
    }

    fn clear(&self) {
        drop(self.0.take());
    }
}

impl PicklerMemoProxy {
    /// The pickler as an object; None for a proxy that Python code made itself.
    pub(crate) fn owner(&self) -> Option<Obj> {
        self.0.borrow().clone()
    }
}

/// `Pickler.memo`
pub(crate) fn get_memo(state: &State, this: &Object, _: &Pickler) -> PyResult<Obj> {
    state.new_pickler_memo_proxy(PicklerMemoProxy(RefCell::new(Some(this.own()))))
}

/// `Pickler.memo = memo`, a proxy or a dict from addresses to pairs of index and object.
pub(crate) fn set_memo(
    state: &State,
    _: &Object,
    pickler: &Pickler,
    value: Option<&Object>,
) -> PyResult<()> {
    let Some(value) = value else {
        return Err(raise(&Exc::TypeError, "attribute deletion is not supported"));
    };
    let memo = if let Some(proxy) = state.pickler_memo_proxy(value) {
        proxy.pickler().map_or_else(Memo::default, |other| other.memo.borrow().copy())
    } else if let Some(dict) = value.cast::<Dict>() {
        memo_from_dict(dict)?
    } else {
        return Err(raise_parts(
            &Exc::TypeError,
            "'memo' attribute must be a PicklerMemoProxy object or dict, not {}",
            &[Part::TypeName(value)],
        ));
    };
    drop(pickler.memo.replace(memo));
    Ok(())
}

fn memo_from_dict(dict: &Dict) -> PyResult<Memo> {
    let mut memo = Memo::default();
    let mut position = 0;
    while let Some((_, value)) = dict.next_item(&mut position) {
        let pair = value.cast::<Tuple>().filter(|pair| pair.len() == 2);
        let (Some(index), Some(object)) =
            (pair.and_then(|pair| pair.get(0)), pair.and_then(|pair| pair.get(1)))
        else {
            return Err(raise(&Exc::TypeError, "'memo' values must be 2-item tuples"));
        };
        let index = crate::ffi::builtins::as_ssize(index)?;
        drop(memo.insert(object.own(), index).map_err(no_memory)?);
    }
    Ok(memo)
}

/// `PicklerMemoProxy.clear()`
pub(crate) fn memo_proxy_clear(_: &State, _: &Object, proxy: &PicklerMemoProxy) -> PyResult<Obj> {
    if let Some(pickler) = proxy.pickler() {
        drop(pickler.memo.take());
    }
    Ok(Object::none().own())
}

/// `PicklerMemoProxy.copy()`
pub(crate) fn memo_proxy_copy(_: &State, _: &Object, proxy: &PicklerMemoProxy) -> PyResult<Obj> {
    let entries: Vec<(Obj, i64)> = match proxy.pickler() {
        Some(pickler) => {
            pickler.memo.borrow().iter().map(|(object, index)| (object.clone(), index)).collect()
        }
        None => Vec::new(),
    };
    let dict = Dict::new()?;
    for (object, index) in entries {
        let key = Int::from_address(object.address())?;
        let pair = Tuple::from_items([Int::new(index)?, object])?;
        dict.set(&key, &pair)?;
    }
    Ok(dict.into_obj())
}

/// `PicklerMemoProxy.__reduce__()`
pub(crate) fn memo_proxy_reduce(
    state: &State,
    this: &Object,
    proxy: &PicklerMemoProxy,
) -> PyResult<Obj> {
    let contents = memo_proxy_copy(state, this, proxy)?;
    let args = Tuple::from_items([contents])?;
    Ok(Tuple::from_items([types::dict().own(), args.into_obj()])?.into_obj())
}
