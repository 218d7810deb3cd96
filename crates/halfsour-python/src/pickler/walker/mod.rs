//! One dump: walks the objects and drives the emitter, with a stack of its own.
//!
//! Modules/_pickle.c: `save` and the `save_*` functions. The rule here: whatever may run Python
//! happens while no frame is borrowed and no cell of the pickler is either; children are owned while
//! they are written.

mod containers;
mod globals;
mod hooks;
mod notes;
mod persistent_ids;
mod reductions;
mod scalars;
mod stretches;

use super::at_once::Instance;
use super::frame::{
    DictFrame, Frame, GlobalAt, GlobalFrame, ItemsAt, ItemsFrame, ListAt, ListFrame, PlannedAt,
    PlannedFrame, ReduceAt, ReduceFrame, SetFrame,
};
use super::global::{self, Global};
use super::plan::{self, Hook};
use super::reduce::{Construct, NEWOBJ_END, NewEx, Reduction};
use super::stretch::{self, Begin, Keeping, Stop, Stretch, Then};
use super::unshared;
use super::{IdHook, Pickler, Scratch, no_memory};
use crate::ffi::buffer::{Buffer, View};
use crate::ffi::builtins::CodePoints;
use crate::ffi::collector::Pause;
use crate::ffi::error::{self, Exc, Part, raise, raise_parts};
use crate::ffi::keep::Keep;
use crate::ffi::output::Output;
use crate::ffi::{
    ByteArray, Bytes, Dict, Float, Int, Kind, List, Obj, Object, Own, PyResult, Raised, Set, Str,
    Tuple, Type, types,
};
use crate::memo::Found;
use crate::memory;
use crate::signals::Signals;
use crate::state::State;
use halfsour::{Emitter, FRAME_TARGET, Opcode, Payload, Sink, TooLarge};

/// How many items one APPENDS, SETITEMS or ADDITEMS takes.
const BATCH_SIZE: u16 = 1000;

/// How many objects are written between two polls of signals.
const TICKS: u32 = stretch::TICKS;

/// After how many levels of reductions free memory is looked at.
const DEPTH_TO_LOOK_AT_MEMORY: usize = 1 << 12;

pub(super) struct Walker<'a> {
    pub(super) state: &'a State,
    pub(super) pickler: &'a Pickler,
    /// The Python object around `pickler`, if there is one.
    this: Option<&'a Object>,
    pub(super) out: Emitter<Output>,
    pub(super) write: Option<Obj>,
    buffer_callback: Option<Obj>,
    /// The list whose `append` the callback is: as most are, and it runs no Python.
    pub(super) buffer_list: Option<Own<List>>,
    id_hook: Option<IdHook>,
    /// How often the pickler's hook had been set then.
    #[cfg(not(Py_3_13))]
    id_hook_changes: u32,
    reducer_override: Option<Obj>,
    frames: Vec<Frame>,
    /// The type of the last object at which a stretch stopped for its type's sake, by address: the
    /// next one is not tried.
    stopped_at: usize,
    /// Memory for the stack of a stretch.
    stretch_frames: Vec<stretch::Frame<'static>>,
    scratch: Box<Scratch>,
    /// How many reductions and persistent ids are among the frames.
    depth: usize,
    pub(super) ticks: u32,
    pub(super) signals: Signals,
}

/// Where a step failed: in the frame's own work, or while it had a child written.
enum Failed {
    Here,
    InChild,
}

impl From<Raised> for Failed {
    fn from(Raised: Raised) -> Failed {
        Failed::Here
    }
}

type Step = Result<(), Failed>;

impl<'a> Walker<'a> {
    pub(super) fn new(
        state: &'a State,
        pickler: &'a Pickler,
        this: Option<&'a Object>,
        write: Option<Obj>,
        mut scratch: Box<Scratch>,
        out: Emitter<Output>,
    ) -> Walker<'a> {
        let buffer_callback = pickler.buffer_callback.borrow().clone();
        let buffer_list = buffer_callback.as_ref().and_then(|callback| callback.list_appended_to());
        let buffer_list = buffer_list.map(List::own_view);
        if this.is_none() {
            // Nobody sees this pickler's memo, so it may be the one that is kept.
            std::mem::swap(&mut *pickler.memo.borrow_mut(), &mut scratch.memo);
        }
        Walker {
            state,
            pickler,
            this,
            out,
            write,
            buffer_callback,
            buffer_list,
            id_hook: None,
            #[cfg(not(Py_3_13))]
            id_hook_changes: 0,
            reducer_override: None,
            frames: std::mem::take(&mut scratch.frames),
            stopped_at: 0,
            stretch_frames: std::mem::take(&mut scratch.stretch_frames),
            scratch,
            depth: 0,
            ticks: TICKS,
            signals: Signals::default(),
        }
    }

    /// Gives back what it works with.
    pub(super) fn end(self) {
        let Walker { mut scratch, frames, stretch_frames, out, .. } = self;
        scratch.frames = frames;
        scratch.stretch_frames = stretch_frames;
        if self.this.is_none() {
            std::mem::swap(&mut *self.pickler.memo.borrow_mut(), &mut scratch.memo);
        }
        scratch.end(self.state, out.into_sink());
    }

    /// Writes one pickle. Gives the bytes if there is no file. A dump that got as far as `at` without
    /// a memo goes on there.
    pub(super) fn dump(&mut self, obj: &Object, at: Option<Obj>) -> PyResult<Option<Own<Bytes>>> {
        self.find_hooks()?;
        let begun = match at {
            Some(at) => self.save_after_silent_walk(obj, &at),
            None => self.save(obj.own(), false),
        };
        let mut result = begun.map_err(|Raised| Failed::InChild);
        while result.is_ok() && !self.frames.is_empty() {
            result = self.step();
        }
        if let Err(failed) = result {
            return Err(self.unwind(failed));
        }
        self.out.finish();
        if self.out.is_out_of_memory() {
            return Err(error::no_memory());
        }
        if self.write.is_some() {
            self.flush()?;
            return Ok(None);
        }
        self.out.between_frames(Output::take).map(Some)
    }

    /// Looks up the hooks that a subclass or an instance may have.
    fn find_hooks(&mut self) -> PyResult<()> {
        let Some(this) = self.this else { return Ok(()) };
        #[cfg(Py_3_13)]
        {
            let (base, name) = (&self.state.types.pickler, &self.state.names.persistent_id);
            let is_set = self.pickler.persistent_id.attribute.borrow().is_some();
            if is_set || !self.state.inherits(this, base, name) {
                let method = this.attr(name)?;
                if !crate::ffi::module::is_base_persistent_id(&method, this) {
                    self.id_hook = Some(IdHook::new(method, this));
                }
            }
        }
        #[cfg(not(Py_3_13))]
        self.look_at_id_hook();
        let (base, name) = (&self.state.types.pickler, &self.state.names.reducer_override);
        self.reducer_override = self.state.hook(this, base, name)?;
        Ok(())
    }

    fn flush(&mut self) -> PyResult<()> {
        let Some(write) = self.write.clone() else { return Ok(()) };
        let chunk = self.out.between_frames(Output::take)?;
        write.call1(&chunk).map(drop)
    }

    // ---- objects --------------------------------------------------------------------------------

    /// Writes an object, or what can be written at once, and leaves a frame for the rest. The frame
    /// is the last thing that is done here: what fails before it fails in the parent's child.
    #[inline(never)]
    fn save(&mut self, obj: Obj, is_persistent_id: bool) -> PyResult<()> {
        self.save_inlined(obj, is_persistent_id)
    }

    /// As [`save`](Walker::save), which is this, for those that call it again and again.
    #[inline(always)]
    fn save_inlined(&mut self, obj: Obj, is_persistent_id: bool) -> PyResult<()> {
        self.ticks -= 1;
        if self.ticks == 0 || self.out.is_full() || self.out.is_out_of_memory() {
            self.look_around()?;
        }
        if let Some(this) = self.this
            && !is_persistent_id
            && let Some(pid) = self.ask_for_persistent_id(this, &obj)?
            && !pid.is_none()
        {
            self.look_at_bin();
            return self.save_persistent_id(pid);
        }
        self.look_at_bin();
        if self.save_leaf(&obj)? {
            return Ok(());
        }
        self.save_other_than_leaf(obj)
    }

    #[inline(never)]
    fn save_other_than_leaf(&mut self, obj: Obj) -> PyResult<()> {
        if self.may_stretch() { self.save_in_stretch(obj) } else { self.save_itself(obj) }
    }

    /// Looks for signals, ends a full frame, and sees whether memory has run out.
    #[cold]
    #[inline(never)]
    fn look_around(&mut self) -> PyResult<()> {
        if self.ticks == 0 {
            self.ticks = TICKS;
            self.signals.poll()?;
        }
        self.edge()?;
        if self.out.is_out_of_memory() { Err(error::no_memory()) } else { Ok(()) }
    }

    /// Writes an object step by step.
    fn save_itself(&mut self, obj: Obj) -> PyResult<()> {
        let kind = obj.kind();
        match kind {
            Kind::None => {
                self.out.none();
                return Ok(());
            }
            Kind::Bool(value) => {
                self.out.bool(value);
                return Ok(());
            }
            Kind::Int => return self.save_int(&obj),
            Kind::Float => return self.save_float(&obj),
            _ => {}
        }
        let index = self.pickler.memo.borrow().get(&obj);
        if let Some(index) = index {
            return self.out.get(index).map_err(|e| self.too_large(e));
        }
        match kind {
            Kind::Str if self.pickler.fast.get() == 0 => self.save_short_str(obj),
            Kind::Str => self.save_str(obj),
            Kind::Bytes => self.save_bytes(obj),
            Kind::Dict => self.save_dict(obj),
            Kind::Set => self.save_set(obj),
            Kind::FrozenSet => self.save_frozenset(obj),
            Kind::List => self.save_list(obj),
            Kind::Tuple => self.save_tuple(obj),
            Kind::ByteArray => self.save_bytearray(obj),
            Kind::PickleBuffer => self.save_picklebuffer(obj),
            _ => self.save_other(obj, kind),
        }
    }

    /// Chooses between text and binary opcodes: a program may do so at any time.
    #[inline]
    pub(super) fn look_at_bin(&mut self) {
        self.out.set_binary(self.pickler.bin.get() != 0);
    }

    // ---- step by step ---------------------------------------------------------------------------

    /// Closes a full frame, and writes it to the file.
    #[inline]
    fn edge(&mut self) -> PyResult<()> {
        if self.out.boundary() && self.write.is_some() { self.flush() } else { Ok(()) }
    }

    /// Leaves work for later.
    #[inline]
    fn push(&mut self, frame: Frame) -> PyResult<()> {
        if self.frames.len() == self.frames.capacity() {
            self.frames.try_reserve(1).map_err(|e| no_memory(e.into()))?;
        }
        self.frames.push(frame);
        Ok(())
    }

    /// Has the parent's frame, which is on top, wait for a child.
    #[inline(always)]
    fn child(&mut self, obj: Obj) -> Step {
        self.save_inlined(obj, false).map_err(|Raised| Failed::InChild)
    }

    /// Reductions and persistent ids can make objects without end; lists and dicts exist already.
    fn deepen(&mut self) -> PyResult<()> {
        let at_bound = self.depth >= self.state.max_depth.get();
        if at_bound
            || (self.depth > 0
                && self.depth.is_multiple_of(DEPTH_TO_LOOK_AT_MEMORY)
                && memory::is_short())
        {
            return Err(raise(
                &Exc::RecursionError,
                if at_bound {
                    "maximum recursion depth exceeded while pickling an object"
                } else {
                    "no memory is left for more recursion while pickling an object"
                },
            ));
        }
        self.depth += 1;
        Ok(())
    }

    // ---- the memo -------------------------------------------------------------------------------

    #[inline]
    pub(super) fn is_memoized(&self, obj: &Object) -> bool {
        self.pickler.memo.borrow().get(obj).is_some()
    }

    fn get(&mut self, obj: &Object) -> PyResult<()> {
        let index = self.pickler.memo.borrow().get(obj);
        match index {
            Some(index) => self.out.get(index).map_err(|e| self.too_large(e)),
            None => Err(error::raise_object(&Exc::KeyError, obj)),
        }
    }

    #[inline]
    pub(in crate::pickler) fn memoize(&mut self, obj: Obj) -> PyResult<()> {
        if self.pickler.fast.get() != 0 {
            return Ok(());
        }
        let mut memo = self.pickler.memo.borrow_mut();
        let index = memo.len() as i64;
        let duplicate = match memo.look(&obj).map_err(no_memory)? {
            Found::Vacant(place) => memo.insert_at(place, obj).map(|_| None),
            Found::Index(_) => memo.insert(obj, index),
        };
        drop(memo);
        drop(duplicate.map_err(no_memory)?);
        self.out.memoize(index).map_err(|e| self.too_large(e))
    }

    /// Memoizes an object that REDUCE or NEWOBJ has just made. False if it is there already: it was
    /// written as part of its own arguments; then that one is fetched, and this one dropped.
    fn memoize_made(&mut self, obj: &Obj) -> PyResult<bool> {
        if !self.is_memoized(obj) {
            return self.memoize(obj.clone()).map(|()| true);
        }
        self.out.op(Opcode::Pop);
        self.get(obj).map(|()| false)
    }

    #[cold]
    pub(in crate::pickler) fn too_large(&self, what: TooLarge) -> Raised {
        let class: &Object = match what {
            TooLarge::MemoGet | TooLarge::MemoPut => &self.state.pickling_error,
            _ => &Exc::OverflowError,
        };
        raise(class, &what.to_string())
    }

    // ---- frames ---------------------------------------------------------------------------------

    /// Goes on with the topmost frame: until it waits for a child, or is done.
    fn step(&mut self) -> Step {
        self.look_at_bin();
        if self.may_stretch() && self.resume()? {
            return Ok(());
        }
        match self.frames.last() {
            Some(Frame::Tuple { .. }) => self.step_tuple(),
            Some(Frame::List(_)) => self.step_list(),
            Some(Frame::ListItems(_)) => self.step_list_items(),
            Some(Frame::Dict(_)) => self.step_dict(),
            Some(Frame::DictItems(_)) => self.step_dict_items(),
            Some(Frame::Set(_)) => self.step_set(),
            Some(Frame::FrozenSet { .. }) => self.step_frozenset(),
            Some(Frame::Reduce(_)) => self.step_reduce(),
            Some(Frame::Global(_)) => self.step_global(),
            Some(Frame::PersistentId) => {
                self.finish_persistent_id();
                Ok(())
            }
            Some(Frame::Memoize(obj)) => {
                let obj = obj.clone();
                self.memoize(obj)?;
                self.frames.pop();
                Ok(())
            }
            Some(Frame::Planned(_)) => self.step_planned(),
            None => Ok(()),
        }
    }
}

#[cold]
fn changed_size() -> Raised {
    raise(&Exc::RuntimeError, "dictionary changed size during iteration")
}

fn empty_tuple() -> PyResult<Obj> {
    Tuple::from_items([]).map(Own::into_obj)
}
