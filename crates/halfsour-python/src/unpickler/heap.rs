//! Python's objects, for the core's machine to build.
//!
//! Nearly each method here runs, or can run, Python code. None holds on to anything that such code
//! could take away: values are owned, and the memo is borrowed for one operation at a time.

use super::ahead::{Ahead, are_empty};
use super::find_class::find_class;
use super::persistent::Loader;
use super::plan::Names;
use super::source::{Fault, Payload};
use super::{Options, Unpickler, number};
use crate::ffi::buffer::memoryview;
use crate::ffi::error::{self, Exc, Part, Raised, matches, raise_parts};
use crate::ffi::layout::TypeFacts;
use crate::ffi::{Bytes, Dict, Float, Int, List, Obj, Object, PyResult, Set, Str, Tuple, Type};
use crate::signals::Signals;
use crate::state::State;
use halfsour::{ErrorKind, Heap, Machine, Memo, Reader};
use std::vec::Drain;

/// From how many bytes on an object is large.
const LARGE: usize = 1 << 14;

/// So many entries of an Unpickler's memo may be moved, beside as many as are new: hooks that are called
/// all the time then cost no more than few.
const MOVES: usize = 1 << 6;

/// The object model of one load.
pub(super) struct PyHeap<'a> {
    pub(super) state: &'a State,
    pub(super) unpickler: &'a Unpickler,
    /// The Unpickler as Python sees it; None for the functions `load` and `loads`.
    pub(super) this: Option<&'a Object>,
    options: &'a Options,
    persistent_load: Loader,
    pub(super) signals: Signals,
    pub(super) ahead: &'a mut Ahead,
    /// Whether opcodes are executed ahead of the machine.
    runs_ahead: bool,
    /// Whether it is time to run the handlers of signals.
    pub(super) signals_are_due: bool,
    /// Whether `ahead` has the memo, since nobody can see it; else the unpickler.
    pub(super) recalls: bool,
    /// How many entries of the memo of an Unpickler may still be moved to `ahead`.
    pub(super) moves_left: usize,
}

type Made = Result<Obj, Fault>;
type Done = Result<(), Fault>;

impl<'a> PyHeap<'a> {
    pub(super) fn new(
        state: &'a State,
        unpickler: &'a Unpickler,
        this: Option<&'a Object>,
        options: &'a Options,
        ahead: &'a mut Ahead,
    ) -> PyResult<PyHeap<'a>> {
        let persistent_load = Loader::new(state, unpickler, this)?;
        let signals = Signals::default();
        // Where a collection may start at any new object, what runs ahead cannot rely on anything.
        let runs_ahead = state.layouts_known && (state.suspends_collector.get() || cfg!(Py_3_12));
        let recalls = runs_ahead && this.is_none();
        ahead.plans.begin();
        if state.namedtuples.is_wanted() {
            state.namedtuples.make();
        }
        Ok(PyHeap {
            state,
            unpickler,
            this,
            options,
            persistent_load,
            signals,
            ahead,
            runs_ahead,
            signals_are_due: false,
            recalls,
            moves_left: MOVES,
        })
    }

    /// A large object takes the time of many: signals are looked for at each.
    fn poll_for(&mut self, length: usize) -> PyResult<()> {
        if length < LARGE { Ok(()) } else { self.signals.poll() }
    }

    /// Whether strings of Python 2 stay bytes.
    fn keeps_bytes(&self) -> bool {
        self.options.encoding.to_bytes() == b"bytes"
    }

    /// Calls `find_class`, which may be overridden.
    fn find(&self, module: &Object, name: &Object) -> PyResult<Obj> {
        match self.this {
            Some(this) if !this.type_of().is(&self.state.types.unpickler) => {
                this.call_method2(&self.state.names.find_class, module, name)
            }
            _ => find_class(self.state, self.unpickler, module, name),
        }
    }

    /// Calls `function` with each item, which is let go right after its call.
    fn each(function: &Object, mut items: Drain<'_, Obj>) -> Done {
        while let Some(item) = items.next() {
            let result = function.call1(&item);
            drop(item);
            if result.is_err() {
                discard(items);
                return Err(Fault::Raised);
            }
        }
        Ok(())
    }

    /// NEWOBJ and NEWOBJ_EX: `cls.__new__(cls, *args, **kwargs)`
    fn new_object(&self, cls: &Object, args: &Object, kwargs: Option<&Object>) -> Made {
        let opcode = if kwargs.is_some() { "NEWOBJ_EX" } else { "NEWOBJ" };
        let wrong = |template, object| {
            let parts = [Part::Text(opcode), Part::TypeName(object)];
            Err(Fault::from(raise_parts(&self.state.unpickling_error, template, &parts)))
        };
        let Some(class) = cls.cast::<Type>() else {
            return wrong("{} class argument must be a type, not {}", cls);
        };
        if !class.has_new() {
            return wrong("{} class argument '{}' doesn't have __new__", cls);
        }
        let Some(args) = args.cast::<Tuple>() else {
            return wrong("{} args argument must be a tuple, not {}", args);
        };
        let kwargs = match kwargs {
            None => None,
            Some(kwargs) => match kwargs.cast::<Dict>() {
                None => return wrong("{} kwargs argument must be a dict, not {}", kwargs),
                dict => dict,
            },
        };
        let object = class.new_object(args, kwargs)?;
        if self.state.namedtuples.is_wanted() {
            self.state.namedtuples.make();
        }
        Ok(object)
    }

    /// BUILD for an object without `__setstate__`: the state's items become attributes.
    fn set_state(&self, inst: &Object, state: Obj) -> Done {
        let pair = state.cast::<Tuple>().filter(|pair| pair.len() == 2);
        let pair = pair.and_then(|pair| Some((pair.get(0)?.own(), pair.get(1)?.own())));
        let (state, slot_state) = match pair {
            Some((first, second)) => (first, Some(second)),
            None => (state, None),
        };
        if !state.is_none() {
            let Some(state) = state.cast::<Dict>() else {
                return Err(ErrorKind::StateNotDict.into());
            };
            let dict = inst.attr(&self.state.names.dict)?;
            let mut position = 0;
            while let Some((key, value)) = state.next_item(&mut position) {
                // Attribute names are mostly interned, and looked up faster then.
                let key = match key.cast_exact::<Str>() {
                    Some(name) => Str::intern(name.own_view()).into_obj(),
                    None => key,
                };
                set_item(&dict, &key, &value)?;
            }
        }
        if let Some(state) = slot_state {
            let Some(state) = state.cast::<Dict>() else {
                return Err(ErrorKind::SlotStateNotDict.into());
            };
            let mut position = 0;
            while let Some((name, value)) = state.next_item(&mut position) {
                inst.set_attr(&name, &value)?;
            }
        }
        Ok(())
    }
}

/// Fills the slots of an instance that has nothing in them yet; false if nothing was done.
fn give_slots(names: &mut Names, inst: &Object, pair: &[&Object]) -> bool {
    let &[first, second] = pair else { return false };
    let Some(state) = second.cast_exact::<Dict>().filter(|_| first.is_none()) else {
        return false;
    };
    let entries = state.entries();
    if !names.are_slots(&entries) {
        names.learn_dict(&entries);
        names.locate_slots(inst.type_of());
        if !names.are_slots(&entries) {
            return false;
        }
    }
    if !are_empty(inst, names.offsets()) {
        return false;
    }
    for (slot, offset) in names.offsets().iter().enumerate() {
        if let Some((_, value)) = entries.get(slot) {
            drop(inst.fill_slot(*offset, value.own()));
        }
    }
    true
}

/// `object[key] = value`
#[inline]
fn set_item(object: &Object, key: &Object, value: &Object) -> PyResult<()> {
    match object.cast_exact::<Dict>() {
        Some(dict) => dict.set(key, value),
        None => object.set_item(key, value),
    }
}

/// Calls `f` with keys and values, which come by turns.
fn each_pair(
    items: &Drain<'_, Obj>,
    mut f: impl FnMut(&Object, &Object) -> PyResult<()>,
) -> PyResult<()> {
    items.as_slice().chunks_exact(2).try_for_each(|pair| f(&pair[0], &pair[1]))
}

/// Lets items go from the top of the stack down, as CPython does.
fn discard(mut items: Drain<'_, Obj>) {
    while items.next_back().is_some() {}
}

impl<S: Payload> Heap<S> for PyHeap<'_> {
    type Value = Obj;

    #[inline]
    fn with_memo<R>(&mut self, f: impl FnOnce(&mut Memo<Obj>) -> R) -> R {
        if self.recalls {
            self.hand_memo_over();
        }
        f(&mut self.unpickler.memo.borrow_mut())
    }

    #[inline(always)]
    fn run_ahead(
        &mut self,
        machine: &mut Machine<Obj>,
        reader: &mut Reader<S>,
    ) -> Result<bool, Fault> {
        if self.runs_ahead { self.ahead(machine, reader) } else { Ok(false) }
    }

    fn settle(&mut self, machine: &mut Machine<Obj>) -> Done {
        Ok(PyHeap::settle(self, machine.parts().0)?)
    }

    fn memo_index(&mut self, line: &[u8]) -> Result<i64, Fault> {
        Ok(number::memo_index(line)?)
    }

    fn tick(&mut self) -> Done {
        if !self.runs_ahead {
            return Ok(self.signals.poll()?);
        }
        // A handler is Python. `run_ahead` comes next, and knows what to do before.
        self.signals_are_due = self.signals.are_due();
        Ok(())
    }

    fn protocol(&mut self, version: u8) {
        self.unpickler.protocol.set(version);
    }

    #[inline]
    fn none(&mut self) -> Made {
        Ok(Object::none().own())
    }

    #[inline]
    fn bool(&mut self, value: bool) -> Made {
        Ok(Object::bool(value).own())
    }

    #[inline]
    fn int(&mut self, value: i64) -> Made {
        Ok(Int::new(value)?)
    }

    fn int_line(&mut self, line: &[u8]) -> Made {
        Ok(number::int(line, &self.state.version)?)
    }

    fn long_line(&mut self, line: &[u8]) -> Made {
        Ok(number::long(line, &self.state.version)?)
    }

    fn long(&mut self, bytes: &[u8]) -> Made {
        Ok(if bytes.is_empty() { Int::new(0)? } else { Int::from_le_bytes(bytes)? })
    }

    #[inline]
    fn float(&mut self, value: f64) -> Made {
        Ok(Float::new(value)?)
    }

    fn float_line(&mut self, line: &[u8]) -> Made {
        Ok(number::float(line)?)
    }

    fn string_line(&mut self, inner: &[u8]) -> Made {
        let bytes = Bytes::decode_escape(inner)?;
        if self.keeps_bytes() {
            return Ok(bytes.into_obj());
        }
        Ok(Str::from_encoded_object(&bytes, &self.options.encoding, &self.options.errors)?)
    }

    fn binstring(&mut self, bytes: &[u8]) -> Made {
        if self.keeps_bytes() {
            return Ok(Bytes::new(bytes)?.into_obj());
        }
        Ok(Str::decode(bytes, &self.options.encoding, &self.options.errors)?)
    }

    fn unicode_line(&mut self, line: &[u8]) -> Made {
        let text = Str::from_raw_unicode_escape(line)?.into_obj();
        self.poll_for(line.len())?;
        Ok(text)
    }

    #[inline]
    fn unicode(&mut self, text: &[u8]) -> Made {
        let length = text.len();
        let text = Str::from_utf8(text, c"surrogatepass")?.into_obj();
        self.poll_for(length)?;
        Ok(text)
    }

    fn bytes(&mut self, source: &mut S, len: usize) -> Made {
        self.poll_for(len)?;
        Ok(source.bytes(len)?.into_obj())
    }

    fn bytearray(&mut self, source: &mut S, len: usize) -> Made {
        self.poll_for(len)?;
        Ok(source.bytearray(len)?.into_obj())
    }

    fn next_buffer(&mut self) -> Made {
        match &self.options.buffers {
            None => Err(ErrorKind::NoBuffers.into()),
            Some(buffers) => Ok(buffers.next()?.ok_or(ErrorKind::NotEnoughBuffers)?),
        }
    }

    fn readonly_buffer(&mut self, buffer: Obj) -> Made {
        let (view, readonly) = memoryview(&buffer)?;
        if readonly {
            return Ok(buffer);
        }
        Ok(view.call_method0(&self.state.names.toreadonly)?)
    }

    #[inline]
    fn empty_tuple(&mut self) -> Made {
        Ok(Tuple::from_items([])?.into_obj())
    }

    #[inline]
    fn empty_list(&mut self) -> Made {
        Ok(List::from_items([])?.into_obj())
    }

    #[inline]
    fn empty_dict(&mut self) -> Made {
        Ok(Dict::new()?.into_obj())
    }

    fn empty_set(&mut self) -> Made {
        Ok(Set::new()?.into_obj())
    }

    fn tuple(&mut self, items: Drain<'_, Obj>) -> Made {
        Ok(Tuple::from_items(items)?.into_obj())
    }

    fn list(&mut self, items: Drain<'_, Obj>) -> Made {
        Ok(List::from_items(items)?.into_obj())
    }

    fn dict(&mut self, items: Drain<'_, Obj>) -> Made {
        let dict = Dict::new()?;
        // A dict that is given up goes before its items do.
        let made = each_pair(&items, |key, value| dict.set(key, value)).map(|()| dict.into_obj());
        discard(items);
        Ok(made?)
    }

    fn frozenset(&mut self, items: Drain<'_, Obj>) -> Made {
        Ok(Set::frozen(&*Tuple::from_items(items)?)?)
    }

    #[inline]
    fn append(&mut self, list: &Obj, item: Obj) -> Done {
        if let Some(list) = list.cast_exact::<List>() {
            return Ok(list.append(&item)?);
        }
        let names = &self.state.names;
        match list.opt_attr(&names.extend)? {
            Some(extend) => extend.call1(&*List::from_items([item])?)?,
            None => list.attr(&names.append)?.call1(&item)?,
        };
        Ok(())
    }

    fn extend(&mut self, list: &Obj, items: Drain<'_, Obj>) -> Done {
        if items.len() == 0 && !self.state.version.empty_batches_look_up {
            return Ok(());
        }
        if let Some(list) = list.cast_exact::<List>() {
            return Ok(list.extend(&*List::from_items(items)?)?);
        }
        let names = &self.state.names;
        if let Some(extend) = list.opt_attr(&names.extend)? {
            extend.call1(&*List::from_items(items)?)?;
            return Ok(());
        }
        Self::each(&*list.attr(&names.append)?, items)
    }

    fn set_items(&mut self, dict: &Obj, items: Drain<'_, Obj>) -> Done {
        let result = each_pair(&items, |key, value| set_item(dict, key, value));
        discard(items);
        Ok(result?)
    }

    fn add_items(&mut self, set: &Obj, items: Drain<'_, Obj>) -> Done {
        if items.len() == 0 && !self.state.version.empty_batches_look_up {
            return Ok(());
        }
        if let Some(set) = set.cast::<Set>() {
            return Ok(set.update(&*Tuple::from_items(items)?)?);
        }
        Self::each(&*set.attr(&self.state.names.add)?, items)
    }

    fn name(&mut self, line: &[u8], ascii_only: bool) -> Made {
        let name = if ascii_only { Str::from_ascii(line) } else { Str::from_utf8(line, c"strict") };
        Ok(name?.into_obj())
    }

    fn is_str(&mut self, value: &Obj) -> bool {
        value.cast_exact::<Str>().is_some()
    }

    fn find_class(&mut self, module: Obj, name: Obj) -> Made {
        Ok(self.find(&module, &name)?)
    }

    fn extension(&mut self, code: i64) -> Made {
        let key = Int::new(code)?;
        if let Some(object) = self.state.extension_cache.get(&key)? {
            return Ok(object);
        }
        let Some(entry) = self.state.inverted_registry.get(&key)? else {
            return Err(ErrorKind::UnregisteredExtension(code).into());
        };
        let pair = entry.cast::<Tuple>().filter(|pair| pair.len() == 2);
        let is_str = |object: &&Object| object.cast::<Str>().is_some();
        let pair = pair.and_then(|pair| pair.get(0).filter(is_str).zip(pair.get(1).filter(is_str)));
        let Some((module, name)) = pair else {
            return Err(Fault::from(raise_parts(
                &Exc::ValueError,
                "_inverted_registry[{}] isn't a 2-tuple of strings",
                &[Part::Int(code)],
            )));
        };
        let object = self.find(module, name)?;
        self.state.extension_cache.set(&key, &object)?;
        Ok(object)
    }

    fn persistent_ready(&mut self) -> Done {
        Ok(self.persistent_load.ready(self.state, self.unpickler)?)
    }

    fn persid_line(&mut self, line: &[u8]) -> Made {
        match Str::from_ascii(line) {
            Ok(pid) => Ok(pid.into_obj()),
            Err(Raised) if matches(&Exc::UnicodeDecodeError) => {
                error::clear();
                Err(ErrorKind::PersidNotAscii.into())
            }
            Err(raised) => Err(raised.into()),
        }
    }

    fn persistent_load(&mut self, pid: Obj) -> Made {
        Ok(self.persistent_load.load(self.state, self.unpickler, &pid)?)
    }

    fn inst(&mut self, cls: Obj, args: Drain<'_, Obj>) -> Made {
        let names = &self.state.names;
        let args = Tuple::from_items(args)?;
        if args.len() == 0
            && cls.cast::<Type>().is_some()
            && cls.opt_attr(&names.getinitargs)?.is_none()
        {
            return Ok(cls.call_method1(&names.new, &cls)?);
        }
        Ok(cls.call_object(&args)?)
    }

    fn newobj(&mut self, cls: Obj, args: Obj) -> Made {
        self.new_object(&cls, &args, None)
    }

    fn newobj_ex(&mut self, cls: Obj, args: Obj, kwargs: Obj) -> Made {
        self.new_object(&cls, &args, Some(&kwargs))
    }

    fn reduce(&mut self, callable: Obj, args: Obj) -> Made {
        Ok(callable.call_object(&args)?)
    }

    fn build(&mut self, inst: &Obj, state: Obj) -> Done {
        self.give_state(inst, state)
    }
}

impl PyHeap<'_> {
    /// BUILD
    pub(super) fn give_state(&mut self, inst: &Obj, state: Obj) -> Done {
        if self.runs_ahead && self.give_state_quickly(inst, &state)? {
            return Ok(());
        }
        match inst.opt_attr(&self.state.names.setstate)? {
            Some(setstate) => {
                let result = setstate.call1(&state);
                drop(state);
                result?;
                Ok(())
            }
            None => self.set_state(inst, state),
        }
    }
    /// BUILD for an instance that has no attributes yet, if its class has not much to say about it.
    /// False if nothing was done.
    #[inline]
    fn give_state_quickly(&mut self, inst: &Obj, state: &Obj) -> PyResult<bool> {
        let class = inst.type_of();
        let Ahead { plans, .. } = &mut *self.ahead;
        let number = plans.find(self.state, class);
        let plan = plans.get(number);
        if plan.has_setstate {
            // An attribute of the instance would hide the method.
            let facts = TypeFacts::of(class);
            let bare = match facts.dict {
                Some(place) => place.blank(inst).is_some(),
                None => !facts.dict_is_elsewhere,
            };
            let setstate = class.lookup(&self.state.names.setstate).filter(|_| bare);
            let Some(setstate) = setstate.map(Object::own) else { return Ok(false) };
            setstate.call2(inst, state)?;
            return Ok(true);
        }
        if plan.slots
            && let Some(pair) = state.cast_exact::<Tuple>()
        {
            return Ok(give_slots(&mut plan.slot_names, inst, pair.items()));
        }
        let (Some(place), Some(state)) = (plan.dict, state.cast_exact::<Dict>()) else {
            return Ok(false);
        };
        let Some(mut blank) = place.blank(inst) else { return Ok(false) };
        let entries = state.entries();
        if !plan.attributes.are_shared(&entries) {
            plan.attributes.learn_dict(&entries);
            plan.attributes.locate(class, place);
            if !plan.attributes.are_shared(&entries) {
                return Ok(false);
            }
        }
        for (slot, place) in plan.attributes.places().iter().enumerate() {
            if let Some((_, value)) = entries.get(slot) {
                blank.set(*place, value.own());
            }
        }
        Ok(true)
    }
}
