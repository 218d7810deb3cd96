//! One dump: walks the objects and drives the emitter, with a stack of its own.
//!
//! Modules/_pickle.c: `save` and the `save_*` functions. The rule here: whatever may run Python
//! happens while no frame is borrowed and no cell of the pickler is either; children are owned while
//! they are written.

use super::at_once::Instance;
use super::frame::{
    DictFrame, Frame, GlobalAt, GlobalFrame, ItemsAt, ItemsFrame, ListAt, ListFrame, PlannedAt,
    PlannedFrame, ReduceAt, ReduceFrame, SetFrame,
};
use super::global::{self, Global};
use super::plan::{self, Hook};
use super::reduce::{Construct, NewEx, Reduction};
use super::stretch::{self, Begin, Keeping, Stop, Stretch, Then};
use super::unshared;
use super::{IdHook, Pickler, Scratch, no_memory};
use crate::ffi::buffer::Buffer;
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

/// How a stretch ended.
enum Stretched {
    Done,
    /// Before this object, which takes Python; what is around it is in our frames.
    Stopped(Obj),
    /// Before this object, because of what must be done first.
    Full(Obj),
    /// In a dict that lost entries while it was written.
    Failed,
}

/// A sink that keeps nothing.
struct Silent;

impl Sink for Silent {
    #[inline(always)]
    fn put<const N: usize>(&mut self, _: [u8; N], _: usize) {}
    #[inline(always)]
    fn extend(&mut self, _: &[u8]) {}
    #[inline(always)]
    fn len(&self) -> usize {
        0
    }
    fn overwrite<const N: usize>(&mut self, _: usize, _: [u8; N]) {}
    fn remove(&mut self, _: usize, _: usize) {}
    fn is_out_of_memory(&self) -> bool {
        false
    }
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
        scratch.end(self.state, out);
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
            let method = this.attr(&self.state.names.persistent_id)?;
            if !crate::ffi::module::is_base_persistent_id(&method, this) {
                self.id_hook = Some(IdHook::new(method, this));
            }
        }
        #[cfg(not(Py_3_13))]
        self.look_at_id_hook();
        self.reducer_override = this.opt_attr(&self.state.names.reducer_override)?;
        Ok(())
    }

    fn flush(&mut self) -> PyResult<()> {
        let Some(write) = self.write.clone() else { return Ok(()) };
        let chunk = self.out.between_frames(Output::take)?;
        write.call1(&chunk).map(drop)
    }

    // ---- objects -------------------------------------------------------------------------------

    /// Writes an object, or what can be written at once, and leaves a frame for the rest. The frame
    /// is the last thing that is done here: what fails before it fails in the parent's child.
    #[inline(never)]
    fn save(&mut self, obj: Obj, is_persistent_id: bool) -> PyResult<()> {
        self.save_at_once(obj, is_persistent_id)
    }

    /// As [`save`](Walker::save), which is this, for those that call it again and again.
    #[inline(always)]
    fn save_at_once(&mut self, obj: Obj, is_persistent_id: bool) -> PyResult<()> {
        self.ticks -= 1;
        if self.ticks == 0 || self.out.is_full() || self.out.is_out_of_memory() {
            self.look_around()?;
        }
        self.look_at_bin();
        if let Some(this) = self.this
            && !is_persistent_id
            && let Some(pid) = self.ask_for_persistent_id(this, &obj)?
            && !pid.is_none()
        {
            return self.save_persistent_id(pid);
        }
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

    /// Writes a short string or a number, which most objects are; false, and nothing is written, for
    /// others.
    #[inline(always)]
    fn save_leaf(&mut self, obj: &Object) -> PyResult<bool> {
        if !self.state.layouts_known {
            return Ok(false);
        }
        if let Some(text) = obj.cast_exact::<Str>() {
            let mut memo = self.pickler.memo.borrow_mut();
            let place = match memo.look(obj).map_err(no_memory)? {
                Found::Index(index) => {
                    drop(memo);
                    return self.out.get(index).map(|()| true).map_err(|e| self.too_large(e));
                }
                Found::Vacant(place) => place,
            };
            let Some(ascii) = text.ascii().filter(|ascii| ascii.len() < FRAME_TARGET) else {
                return Ok(false);
            };
            if !self.out.is_binary() || self.pickler.fast.get() != 0 {
                return Ok(false);
            }
            let index = memo.insert_at(place, obj.own()).map_err(no_memory)?;
            drop(memo);
            let written = self.out.payload_memoized(Payload::Text, ascii, index as i64);
            return written.map(|()| true).map_err(|e| self.too_large(e));
        }
        if let Some(int) = obj.cast_exact::<Int>() {
            let Some(Ok(value)) = int.compact().map(i32::try_from) else { return Ok(false) };
            self.out.int(value);
            return Ok(true);
        }
        if !obj.is_none() {
            return Ok(false);
        }
        self.out.none();
        Ok(true)
    }

    // Not part of `save`, which is short where there is a hook for persistent ids.
    #[inline(never)]
    fn save_in_stretch(&mut self, obj: Obj) -> PyResult<()> {
        let kind = obj.kind();
        if !matches!(kind, Kind::None | Kind::Bool(_) | Kind::Int | Kind::Float)
            && let Some(index) = self.pickler.memo.borrow().get(&obj)
        {
            return self.out.get(index).map_err(|e| self.too_large(e));
        }
        if kind == Kind::Other && obj.type_of().address() == self.stopped_at {
            self.state.plans.borrow_mut().begin();
            return self.save_stopped(obj);
        }
        match self.stretch(Begin::Object(&obj), self.keeping())? {
            Stretched::Done => Ok(()),
            Stretched::Stopped(stopped) => self.save_stopped(stopped),
            Stretched::Full(next) => self.save(next, false),
            Stretched::Failed => Err(changed_size()),
        }
    }

    /// The hook by which an object's plan has it written; no Python has run since a stretch ended.
    fn hook(&self, obj: &Object) -> Option<Hook> {
        if self.out.protocol() < 2 {
            return None;
        }
        let table = self.plain_dispatch_table()?;
        let mut plans = self.state.plans.borrow_mut();
        plans.hook(self.state, &table, obj)
    }

    /// Writes an instance by what its one hook returns; `object.__reduce_ex__`, which is not
    /// overridden, would do nothing else.
    fn save_by_hook(&mut self, obj: Obj, hook: Hook) -> PyResult<()> {
        let names = &self.state.names;
        match hook {
            Hook::Dispatch => {
                let Some(table) = self.plain_dispatch_table() else { return Ok(()) };
                match table.get(obj.type_of())? {
                    Some(reducer) => {
                        let reduced = reducer.call1(&obj)?;
                        self.save_reduced(obj, reduced)
                    }
                    None => self.save_itself(obj),
                }
            }
            Hook::Reduce => {
                let reduced = obj.call_method0(&names.reduce)?;
                self.save_reduced(obj, reduced)
            }
            Hook::NewArgs { has_getstate } => self.save_by_newargs(obj, has_getstate),
            Hook::GetState => {
                let (class, version) = (obj.type_of().own(), obj.type_of().version_tag());
                let state = obj.call_method0(&names.getstate)?;
                if !is_as_it_was(&obj, &class, version) {
                    let newobj = self.state.copyreg_newobj()?;
                    return self.save_as_newobj(obj, newobj, class, None, state);
                }
                let at_once = Instance {
                    obj: &obj,
                    class: &class,
                    args: None,
                    made_by: Opcode::NewObj,
                    state: Some(&*state).filter(|state| !state.is_none()),
                    is_fresh: self.this.is_none(),
                };
                if self.write_at_once(&at_once)? {
                    return Ok(());
                }
                self.deepen()?;
                self.push(Frame::Planned(PlannedFrame {
                    obj,
                    at: PlannedAt::Class,
                    state: Some(state),
                    counted: true,
                }))?;
                self.save(class, false)
            }
        }
    }

    /// Objects/typeobject.c: `reduce_newobj`, for an instance with `__getnewargs__` that is neither a
    /// list nor a dict.
    fn save_by_newargs(&mut self, obj: Obj, has_getstate: bool) -> PyResult<()> {
        let names = &self.state.names;
        let Some(getnewargs) = obj.type_of().lookup(&names.getnewargs).map(Object::own) else {
            return self.save_itself(obj);
        };
        let args = getnewargs.call1(&obj)?;
        let Some(args) = args.cast::<Tuple>() else {
            let message = "__getnewargs__ should return a tuple, not '{}'";
            return Err(raise_parts(&Exc::TypeError, message, &[Part::TypeName(&args)]));
        };
        let newobj = self.state.copyreg_newobj()?;
        let class = obj.type_of().own();
        // What is written is never the tuple itself.
        let args =
            Tuple::from_items(args.items().iter().map(|item| item.own()).collect::<Vec<_>>())?;
        self.state.plans.borrow_mut().begin();
        let still_planned = self.hook(&obj) == Some(Hook::NewArgs { has_getstate });
        let version = obj.type_of().version_tag();
        let state = if has_getstate || !still_planned {
            obj.call_method0(&names.getstate)?
        } else if obj.has_attributes() {
            obj.instance_dict()?
        } else {
            Object::none().own()
        };
        let at_once = Instance {
            obj: &obj,
            class: &class,
            args: Some(&args),
            made_by: Opcode::NewObj,
            state: Some(&*state).filter(|state| !state.is_none()),
            is_fresh: self.this.is_none(),
        };
        if still_planned
            && is_as_it_was(&obj, &class, version)
            && self.state.is_known_newobj(&newobj)
            && self.write_at_once(&at_once)?
        {
            return Ok(());
        }
        self.save_as_newobj(obj, newobj, class, Some(&args), state)
    }

    /// Writes an instance by what `object.__reduce_ex__` returns.
    fn save_as_newobj(
        &mut self,
        obj: Obj,
        newobj: Obj,
        class: Obj,
        args: Option<&Tuple>,
        state: Obj,
    ) -> PyResult<()> {
        let items = args.map_or(&[][..], Tuple::items).iter().map(|item| item.own());
        let args = std::iter::once(class).chain(items).collect::<Vec<_>>();
        let args = Tuple::from_items(args)?.into_obj();
        let none = Object::none().own();
        let reduced = Tuple::from_items([newobj, args, state, none.clone(), none])?;
        self.save_reduced(obj, reduced.into_obj())
    }

    /// Writes the object at which a stretch has stopped, just now.
    fn save_stopped(&mut self, obj: Obj) -> PyResult<()> {
        if obj.kind() == Kind::Other
            && let Some(hook) = self.hook(&obj)
        {
            return self.save_by_hook(obj, hook);
        }
        self.save_itself(obj)
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

    // ---- stretches -----------------------------------------------------------------------------

    pub(super) fn keeping(&self) -> Keeping {
        if self.this.is_some() { Keeping::Visible } else { Keeping::All }
    }

    /// Has the frame of a planned instance, which is on top, wait for what a hook has made: all of
    /// it, or an item. The frame keeps it where it must live on.
    fn child_made(&mut self, made: Obj, item: Option<usize>) -> Step {
        let place = self.frames.len() - 1;
        let written = self.save_made(&made, item).map_err(|Raised| Failed::InChild)?;
        let is_last = item
            .is_none_or(|item| made.cast::<Tuple>().is_none_or(|tuple| item + 1 == tuple.len()));
        if !(written && is_last)
            && let Some(Frame::Planned(frame)) = self.frames.get_mut(place)
        {
            frame.state = Some(made);
        }
        Ok(())
    }

    /// True if all of it was written, and nothing refers to it any more.
    fn save_made(&mut self, made: &Obj, item: Option<usize>) -> PyResult<bool> {
        let child: &Object = match item {
            None => made,
            Some(item) => made.cast::<Tuple>().and_then(|made| made.get(item)).unwrap_or(made),
        };
        let is_fresh = self.this.is_none() && made.is_unshared() && child.is_unshared();
        self.look_at_bin();
        if !is_fresh || !self.may_stretch() {
            return self.save(child.own(), false).map(|()| false);
        }
        self.edge()?;
        match self.stretch(Begin::Object(child), Keeping::Fresh)? {
            Stretched::Done => return Ok(true),
            Stretched::Stopped(stopped) => self.save_stopped(stopped)?,
            Stretched::Full(next) => self.save(next, false)?,
            Stretched::Failed => return Err(changed_size()),
        }
        Ok(false)
    }

    /// Chooses between text and binary opcodes: a program may do so at any time.
    #[inline]
    pub(super) fn look_at_bin(&mut self) {
        self.out.set_binary(self.pickler.bin.get() != 0);
    }

    /// Whether what comes next may be written in a [`Stretch`].
    pub(super) fn may_stretch(&self) -> bool {
        self.state.layouts_known
            && self.pickler.fast.get() == 0
            && self.out.is_binary()
            && self.out.protocol() > 0
            && self.has_no_persistent_id()
    }

    fn has_no_persistent_id(&self) -> bool {
        #[cfg(not(Py_3_13))]
        return self.this.is_none() || self.pickler.persistent_id.attribute.borrow().is_none();
        #[cfg(Py_3_13)]
        self.id_hook.is_none()
    }

    /// The dispatch table, where plans may be used: it is a plain dict, and nobody overrides it.
    fn plain_dispatch_table(&self) -> Option<Own<Dict>> {
        if self.reducer_override.is_some() {
            return None;
        }
        match self.pickler.dispatch_table.get() {
            None => Some(self.state.dispatch_table.clone()),
            Some(table) => table.cast_exact::<Dict>().map(Dict::own_view),
        }
    }

    /// Goes on at `at`, where a stretch stopped that kept no memo: walks there again, silently, and
    /// has the memo keep all objects on the way.
    fn save_after_silent_walk(&mut self, obj: &Object, at: &Object) -> PyResult<()> {
        drop(self.pickler.memo.borrow_mut().empty());
        if at.is(obj) {
            // Nothing was written.
            return self.save_stopped(at.own());
        }
        let mut silent = Emitter::with_sink(self.out.protocol(), Silent);
        let (mut ticks, mut signals) = (u32::MAX, Signals::default());
        let table = self.plain_dispatch_table();
        let keep = Keep::default();
        let again = {
            let _pause = Pause::begin();
            let mut memo = self.pickler.memo.borrow_mut();
            let mut plans = self.state.plans.borrow_mut();
            let mut stretch = Stretch::new(
                self.state,
                &mut silent,
                &mut memo,
                &mut plans,
                &mut signals,
                &mut ticks,
                table.as_deref(),
                &keep,
                Keeping::All,
                false,
                Vec::new(),
            );
            stretch.apart = self.write.is_some();
            let stopped = stretch.run(Begin::Object(obj));
            match stopped {
                Err(Stop::At(again) | Stop::ByType(again) | Stop::Unlisted(again))
                    if again.is(at) =>
                {
                    Some((again.own(), std::mem::take(&mut stretch.frames)))
                }
                _ => None,
            }
        };
        let Some((at, frames)) = again else {
            return Err(raise(&Exc::SystemError, "an object changed while nobody could change it"));
        };
        self.take_over(&frames)?;
        if let Some(file) = self.write.clone() {
            let end = unshared::write_ended(&mut self.out, &file)?;
            self.out.remove_ended(end);
        }
        self.save_stopped(at)
    }

    /// Writes as much as can be without running Python, and takes over where that ends.
    fn stretch<'q>(&mut self, begin: Begin<'q>, keeping: Keeping) -> PyResult<Stretched> {
        let table = self.plain_dispatch_table();
        let keep = Keep::default();
        let (stopped, frames) = {
            let _pause = Pause::begin();
            self.with_stretch(&keep, table.as_deref(), keeping, |stretch| {
                (stretch.run(begin), std::mem::take(&mut stretch.frames))
            })
        };
        let stretched = match stopped {
            Ok(()) => Stretched::Done,
            Err(Stop::ByType(at)) => {
                self.stopped_at = at.type_of().address();
                Stretched::Stopped(at.own())
            }
            Err(Stop::At(at) | Stop::Unlisted(at)) => Stretched::Stopped(at.own()),
            Err(Stop::Full(at) | Stop::Signals(at)) => Stretched::Full(at.own()),
            Err(Stop::Changed | Stop::Recursive | Stop::Raised) => Stretched::Failed,
        };
        self.take_over(&frames)?;
        self.stretch_frames = stretch::recycle(frames);
        match stopped {
            Err(Stop::Signals(_)) => error::check_signals()?,
            Err(Stop::Raised) => return Err(Raised),
            _ => {}
        }
        Ok(stretched)
    }

    /// Lends what it works with to a stretch.
    pub(super) fn with_stretch<'q, R>(
        &mut self,
        keep: &'q Keep,
        table: Option<&'q Dict>,
        keeping: Keeping,
        run: impl FnOnce(&mut Stretch<'_, 'q, Output>) -> R,
    ) -> R {
        let mut memo = self.pickler.memo.borrow_mut();
        let mut plans = self.state.plans.borrow_mut();
        let mut stretch = Stretch::new(
            self.state,
            &mut self.out,
            &mut memo,
            &mut plans,
            &mut self.signals,
            &mut self.ticks,
            table,
            keep,
            keeping,
            self.write.is_some(),
            stretch::recycle(std::mem::take(&mut self.stretch_frames)),
        );
        let result = run(&mut stretch);
        self.stretch_frames = stretch::recycle(std::mem::take(&mut stretch.frames));
        result
    }

    /// Makes the frames of a stretch our own.
    fn take_over(&mut self, frames: &[stretch::Frame<'_>]) -> PyResult<()> {
        for frame in frames {
            match frame {
                stretch::Frame::List(frame) => {
                    if let Then::Build(object) = frame.then {
                        self.push_planned(object, PlannedAt::State)?;
                    }
                    let size = frame.list.len();
                    self.push(Frame::List(ListFrame {
                        list: frame.list.own_view(),
                        done: frame.next - 1,
                        batch: (frame.next - 1 - frame.batch.0) as u16,
                        at: if frame.marked { ListAt::Item } else { ListAt::Single },
                        entered: false,
                        size,
                    }))?;
                }
                stretch::Frame::Tuple(frame) => {
                    let mut tuple = frame.tuple.own_view();
                    if let Then::Made(object, by) = frame.then {
                        tuple = frame.tuple.slice_from(0)?;
                        let is_called = by == Opcode::Reduce;
                        self.push_planned(
                            object,
                            if is_called { PlannedAt::Arguments } else { PlannedAt::NewArguments },
                        )?;
                    } else if let Then::Build(object) = frame.then {
                        self.push_planned(object, PlannedAt::State)?;
                    }
                    self.push(Frame::Tuple { tuple, next: frame.next, marked: frame.marked })?;
                }
                stretch::Frame::Dict(frame) => {
                    if let Then::Build(object) = frame.then {
                        self.push_planned(object, PlannedAt::State)?;
                    }
                    let (key, value) = frame.current().map(|(k, v)| (k.own(), v.own())).unzip();
                    let batched = frame.marked;
                    let done = frame.done.saturating_sub(1);
                    self.push(Frame::Dict(DictFrame {
                        dict: frame.dict.own_view(),
                        position: frame.slot as isize,
                        size: frame.size,
                        done,
                        batch: done.saturating_sub(frame.batch.0) as u16,
                        at: if frame.value_is_next {
                            ItemsAt::Key { batched }
                        } else {
                            ItemsAt::Item { batched }
                        },
                        key,
                        value,
                        entered: false,
                    }))?;
                }
                // These are in dumps only that are walked again.
                stretch::Frame::Attributes(_)
                | stretch::Frame::Slots(_)
                | stretch::Frame::Fields(_) => {
                    return Err(raise(&Exc::SystemError, "attributes without a dict"));
                }
                stretch::Frame::Set(frame) if frame.frozen => {
                    let items = frame.set.iter()?;
                    for _ in 0..frame.done {
                        drop(items.next()?);
                    }
                    let set = frame.set.own();
                    self.push(Frame::FrozenSet { set, items: Some(items), entered: false })?;
                }
                stretch::Frame::Set(frame) => {
                    let Some(set) = frame.set.cast::<Set>() else { continue };
                    self.push(Frame::Set(Box::new(SetFrame {
                        set: set.own_view(),
                        position: frame.position,
                        size: frame.size,
                        done: frame.done - 1,
                        batch: (frame.batch - 1) as u16,
                        open: frame.open,
                    })))?;
                }
            }
        }
        Ok(())
    }

    fn push_planned(&mut self, object: &Object, at: PlannedAt) -> PyResult<()> {
        let obj = object.own();
        self.push(Frame::Planned(PlannedFrame { obj, at, state: None, counted: false }))
    }

    /// Goes on with the topmost frame in a stretch, if it is one that allows it. False if not.
    fn resume(&mut self) -> Result<bool, Failed> {
        let held = match self.frames.last() {
            Some(Frame::List(frame)) if frame.list.len() == frame.size => {
                let next = frame.done + usize::from(frame.at != ListAt::Batch);
                let next = frame.list.get(next);
                if next.is_some_and(|next| {
                    next.type_of().address() == self.stopped_at && !self.is_memoized(&next)
                }) {
                    return Ok(false);
                }
                self.frames.pop()
            }
            Some(Frame::Dict(frame))
                if frame.dict.len() == frame.size && matches!(frame.at, ItemsAt::Item { .. }) =>
            {
                self.frames.pop()
            }
            Some(Frame::Tuple { .. }) => self.frames.pop(),
            _ => None,
        };
        let Some(held) = held else { return Ok(false) };
        let frame = match &held {
            Frame::List(frame) => {
                let (next, start) = match frame.at {
                    ListAt::Batch => (frame.done, frame.done),
                    _ => (frame.done + 1, frame.done - usize::from(frame.batch)),
                };
                let end = match frame.at {
                    ListAt::Batch => start,
                    ListAt::Single => start + 1,
                    ListAt::Item => (start + usize::from(BATCH_SIZE)).min(frame.size),
                };
                let marked = frame.at == ListAt::Item;
                let (list, then) = (&frame.list, Then::Nothing);
                let frame = stretch::ListFrame::new(list, next, (start, end), marked, then);
                stretch::Frame::List(frame)
            }
            Frame::Dict(frame) => {
                let batched = frame.at == ItemsAt::Item { batched: true };
                let start = frame.done - usize::from(frame.batch);
                let size = usize::from(BATCH_SIZE).min(frame.size - start);
                stretch::Frame::Dict(stretch::DictFrame::resumed(
                    &frame.dict,
                    frame.position.unsigned_abs(),
                    frame.size,
                    frame.done + 1,
                    (start, start + size),
                    batched,
                ))
            }
            Frame::Tuple { tuple, next, marked } => stretch::Frame::Tuple(stretch::TupleFrame {
                tuple,
                next: *next,
                marked: *marked,
                then: Then::Nothing,
            }),
            _ => return Ok(false),
        };
        let result = match self.stretch(Begin::Frame(frame), self.keeping()) {
            Ok(Stretched::Done) => Ok(true),
            Ok(Stretched::Stopped(at)) => {
                self.save_stopped(at).map(|()| true).map_err(|Raised| Failed::InChild)
            }
            Ok(Stretched::Full(at)) => {
                self.save(at, false).map(|()| true).map_err(|Raised| Failed::InChild)
            }
            Ok(Stretched::Failed) => {
                let Raised = changed_size();
                Err(Failed::Here)
            }
            Err(Raised) => Err(Failed::InChild),
        };
        drop(held);
        result
    }

    // ---- step by step --------------------------------------------------------------------------

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
        self.save_at_once(obj, false).map_err(|Raised| Failed::InChild)
    }

    /// What the hook says of an object; None where there is no hook.
    #[inline(always)]
    fn ask_for_persistent_id(&mut self, this: &Object, obj: &Object) -> PyResult<Option<Obj>> {
        #[cfg(not(Py_3_13))]
        if self.id_hook_changes != self.pickler.persistent_id.changes.get() {
            self.look_at_id_hook();
        }
        match &self.id_hook {
            None => Ok(None),
            Some(hook) if hook.unbound => hook.function.call2(this, obj).map(Some),
            Some(hook) => hook.function.call1(obj).map(Some),
        }
    }

    /// Looks what the hook for persistent ids is; it may be set while the pickler runs.
    #[cfg(not(Py_3_13))]
    #[cold]
    fn look_at_id_hook(&mut self) {
        let hook = &self.pickler.persistent_id;
        self.id_hook_changes = hook.changes.get();
        let old = std::mem::replace(&mut self.id_hook, hook.hook());
        drop(old);
    }

    /// Modules/_pickle.c: `save_pers`, for an object that has a persistent id.
    #[inline(never)]
    fn save_persistent_id(&mut self, pid: Obj) -> PyResult<()> {
        if !self.out.is_binary() {
            let text = pid.to_str()?;
            if !text.is_ascii() {
                return Err(raise(
                    &self.state.pickling_error,
                    "persistent IDs in protocol 0 must be ASCII strings",
                ));
            }
            self.out.line(Opcode::Persid, text.utf8().unwrap_or_default());
            return Ok(());
        }
        self.deepen()?;
        // The frame has nothing to say about failures, so it may stand before its child.
        self.push(Frame::PersistentId)?;
        let depth = self.frames.len();
        self.save(pid, true)?;
        if self.frames.len() == depth {
            self.finish_persistent_id();
        }
        Ok(())
    }

    fn finish_persistent_id(&mut self) {
        self.out.op(Opcode::BinPersid);
        self.depth -= 1;
        self.frames.pop();
    }

    fn save_int(&mut self, obj: &Object) -> PyResult<()> {
        let Some(int) = obj.cast::<Int>() else { return Ok(()) };
        if let Some(value) = int.as_i64().and_then(|value| i32::try_from(value).ok()) {
            self.out.int(value);
        } else if self.out.long_is_binary() {
            let bytes = int.to_le_bytes()?;
            self.out.long(&bytes).map_err(|e| self.too_large(e))?;
        } else {
            let digits = int.repr()?;
            let digits = digits.cast::<Str>().and_then(Str::utf8).unwrap_or_default();
            self.out.long_digits(digits);
        }
        Ok(())
    }

    fn save_float(&mut self, obj: &Object) -> PyResult<()> {
        let Some(float) = obj.cast::<Float>() else { return Ok(()) };
        if self.out.is_binary() {
            self.out.float(float.value());
        } else {
            self.out.float_digits(&float.digits()?);
        }
        Ok(())
    }

    /// Writes most strings that the memo has not.
    #[inline]
    fn save_short_str(&mut self, obj: Obj) -> PyResult<()> {
        let utf8 = if self.out.is_binary() { obj.cast::<Str>().and_then(Str::utf8) } else { None };
        let Some(utf8) = utf8.filter(|utf8| utf8.len() < FRAME_TARGET) else {
            return self.save_str(obj);
        };
        let index = self.pickler.memo.borrow().len() as i64;
        self.out.payload_memoized(Payload::Text, utf8, index).map_err(|e| self.too_large(e))?;
        drop(self.pickler.memo.borrow_mut().insert(obj, index).map_err(no_memory)?);
        Ok(())
    }

    #[inline(never)]
    fn save_str(&mut self, obj: Obj) -> PyResult<()> {
        let Some(text) = obj.cast::<Str>() else { return Ok(()) };
        self.tick_for(text.len());
        if !self.out.is_binary() {
            match text.code_points() {
                CodePoints::One(points) if points.is_ascii() => self.out.ascii_line(points),
                CodePoints::One(points) => {
                    self.out.unicode_line(points.iter().map(|&point| u32::from(point)));
                }
                CodePoints::Two(points) => {
                    self.out.unicode_line(points.iter().map(|&point| u32::from(point)));
                }
                CodePoints::Four(points) => self.out.unicode_line(points.iter().copied()),
            }
        } else if let Some(utf8) = text.utf8() {
            if utf8.len() >= FRAME_TARGET && self.write.is_some() {
                let payload = Bytes::new(utf8)?;
                self.write_apart(Payload::Text, utf8.len(), &payload)?;
            } else {
                self.out.payload(Payload::Text, utf8).map_err(|e| self.too_large(e))?;
            }
        } else {
            let encoded = text.utf8_surrogatepass()?;
            self.save_payload(Payload::Text, &encoded, encoded.as_slice())?;
        }
        self.memoize(obj)
    }

    /// A large object takes the time of many: signals are looked for with the next.
    fn tick_for(&mut self, length: usize) {
        if length >= FRAME_TARGET {
            self.ticks = 1;
        }
    }

    /// Writes the content of `obj`, which is given beside it.
    fn save_payload(&mut self, kind: Payload, obj: &Object, data: &[u8]) -> PyResult<()> {
        self.tick_for(data.len());
        if data.len() >= FRAME_TARGET && self.write.is_some() {
            return self.write_apart(kind, data.len(), obj);
        }
        self.out.payload(kind, data).map_err(|e| self.too_large(e))
    }

    /// Writes a large payload straight to the file, in one piece.
    fn write_apart(&mut self, kind: Payload, length: usize, payload: &Object) -> PyResult<()> {
        self.out.payload_apart(kind, length).map_err(|e| self.too_large(e))?;
        self.flush()?;
        match self.write.clone() {
            Some(write) => write.call1(payload).map(drop),
            None => Ok(()),
        }
    }

    #[inline(never)]
    fn save_bytes(&mut self, obj: Obj) -> PyResult<()> {
        let Some(bytes) = obj.cast::<Bytes>() else { return Ok(()) };
        if self.out.protocol() >= 3 {
            self.save_payload(Payload::Bytes, bytes, bytes.as_slice())?;
            return self.memoize(obj);
        }
        // Protocols of Python 2: a str there, and by way of an encoding bytes here.
        let reduced = if bytes.as_slice().is_empty() {
            [types::bytes().own(), empty_tuple()?]
        } else {
            let text = Str::from_latin1(bytes.as_slice())?.into_obj();
            let args = Tuple::from_items([text, self.state.names.latin1.clone()])?;
            [self.state.codecs_encode.clone(), args.into_obj()]
        };
        self.reduce_as(obj, reduced)
    }

    #[inline(never)]
    fn save_bytearray(&mut self, obj: Obj) -> PyResult<()> {
        let Some(bytes) = obj.cast::<ByteArray>() else { return Ok(()) };
        if self.out.protocol() >= 5 {
            let length = bytes.as_slice().len();
            if length >= FRAME_TARGET && self.write.is_some() {
                self.write_apart(Payload::ByteArray, length, bytes)?;
            } else {
                self.out
                    .payload(Payload::ByteArray, bytes.as_slice())
                    .map_err(|e| self.too_large(e))?;
            }
            return self.memoize(obj);
        }
        let args = if bytes.as_slice().is_empty() {
            empty_tuple()?
        } else {
            Tuple::from_items([Bytes::from_object(bytes)?.into_obj()])?.into_obj()
        };
        self.reduce_as(obj, [types::bytearray().own(), args])
    }

    #[inline(never)]
    fn save_picklebuffer(&mut self, obj: Obj) -> PyResult<()> {
        if self.out.protocol() < 5 {
            return Err(raise(
                &self.state.pickling_error,
                if self.state.version.can_be_pickled {
                    "PickleBuffer can only be pickled with protocol >= 5"
                } else {
                    "PickleBuffer can only pickled with protocol >= 5"
                },
            ));
        }
        // The view is held, so that the callback cannot release the buffer under us.
        let view = Buffer::full(&obj)?;
        if !view.is_plain() {
            return Err(raise(
                &self.state.pickling_error,
                "PickleBuffer can not be pickled when pointing to a non-contiguous buffer",
            ));
        }
        let in_band = match &self.buffer_callback {
            Some(callback) => callback.clone().call1(&obj)?.is_true()?,
            None => true,
        };
        if !in_band {
            self.out.op(Opcode::NextBuffer);
            if view.is_readonly() {
                self.out.op(Opcode::ReadonlyBuffer);
            }
            return Ok(());
        }
        let kind = if view.is_readonly() { Payload::Bytes } else { Payload::ByteArray };
        if view.len() >= FRAME_TARGET && self.write.is_some() {
            self.write_apart(kind, view.len(), &obj)?;
        } else {
            self.out.payload(kind, view.as_slice()).map_err(|e| self.too_large(e))?;
        }
        drop(view);
        self.memoize(obj)
    }

    fn save_tuple(&mut self, obj: Obj) -> PyResult<()> {
        let Some(tuple) = obj.cast::<Tuple>() else { return Ok(()) };
        if tuple.len() == 0 {
            self.out.empty_tuple();
            return Ok(());
        }
        let marked = tuple.len() > 3 || self.out.protocol() < 2;
        if marked {
            self.out.op(Opcode::Mark);
        }
        let tuple = tuple.own_view();
        self.push(Frame::Tuple { tuple, next: 0, marked })
    }

    fn save_list(&mut self, obj: Obj) -> PyResult<()> {
        let Some(list) = obj.cast::<List>() else { return Ok(()) };
        let entered = self.enter_fast(&obj)?;
        self.out.empty_list();
        let size = list.len();
        self.memoize(obj.clone())?;
        if size == 0 {
            return if entered { self.pickler.cycles.leave(&obj) } else { Ok(()) };
        }
        self.push(if self.out.protocol() > 0 {
            Frame::List(ListFrame {
                list: list.own_view(),
                done: 0,
                batch: 0,
                at: ListAt::Batch,
                entered,
                size,
            })
        } else {
            Frame::ListItems(Box::new(ItemsFrame::new(obj, None, entered)))
        })
    }

    fn save_dict(&mut self, obj: Obj) -> PyResult<()> {
        let Some(dict) = obj.cast::<Dict>() else { return Ok(()) };
        let entered = self.enter_fast(&obj)?;
        self.out.empty_dict();
        self.memoize(obj.clone())?;
        let size = dict.len();
        if size == 0 {
            return if entered { self.pickler.cycles.leave(&obj) } else { Ok(()) };
        }
        self.push(if self.out.protocol() > 0 {
            Frame::Dict(DictFrame {
                dict: dict.own_view(),
                position: 0,
                size,
                done: 0,
                batch: 0,
                at: ItemsAt::Batch,
                key: None,
                value: None,
                entered,
            })
        } else {
            Frame::DictItems(Box::new(ItemsFrame::new(obj, None, entered)))
        })
    }

    #[inline(never)]
    fn save_set(&mut self, obj: Obj) -> PyResult<()> {
        let Some(set) = obj.cast::<Set>() else { return Ok(()) };
        if self.out.protocol() < 4 {
            let items = obj.to_list()?.into_obj();
            let args = Tuple::from_items([items])?.into_obj();
            return self.reduce_as(obj, [types::set().own(), args]);
        }
        self.out.op(Opcode::EmptySet);
        self.memoize(obj.clone())?;
        let size = set.len();
        if size > 0 {
            self.push(Frame::Set(Box::new(SetFrame {
                set: set.own_view(),
                position: 0,
                size,
                done: 0,
                batch: 0,
                open: false,
            })))?;
        }
        Ok(())
    }

    #[inline(never)]
    fn save_frozenset(&mut self, obj: Obj) -> PyResult<()> {
        let entered = self.enter_fast(&obj)? && self.state.version.frozenset_leaves_fast;
        if self.out.protocol() < 4 {
            let items = obj.to_list()?.into_obj();
            let args = Tuple::from_items([items])?.into_obj();
            self.reduce_as(obj, [types::frozenset().own(), args])?;
            if let Some(Frame::Reduce(frame)) = self.frames.last_mut() {
                frame.entered = entered;
            }
            return Ok(());
        }
        self.out.op(Opcode::Mark);
        self.push(Frame::FrozenSet { set: obj, items: None, entered })
    }

    /// Remembers an object that is being written, in fast mode only.
    fn enter_fast(&mut self, obj: &Object) -> PyResult<bool> {
        if self.pickler.fast.get() == 0 {
            return Ok(false);
        }
        if let Err(raised) = self.pickler.cycles.enter(obj) {
            // CPython leaves here what it could not enter.
            let _ = self.pickler.cycles.leave(obj);
            return Err(raised);
        }
        Ok(true)
    }

    /// Everything that is not built in: classes, functions, and whatever can reduce itself.
    #[inline(never)]
    fn save_other(&mut self, obj: Obj, kind: Kind) -> PyResult<()> {
        if let Some(reducer_override) = self.reducer_override.clone() {
            let reduced = reducer_override.call1(&obj)?;
            if !reduced.is(Object::not_implemented()) {
                return self.save_reduced(obj, reduced);
            }
        }
        match kind {
            Kind::Type => return self.save_type(obj),
            Kind::Function => return self.save_global(obj, None),
            // What it reduces itself to is its name.
            _ if obj.is_builtin_function()
                && self.plain_dispatch_table().is_some_and(|table| {
                    self.state.layouts_known && !plan::has(&table, obj.type_of())
                })
                && self.save_global_quietly(&obj)? =>
            {
                return Ok(());
            }
            _ => {}
        }
        let ty = obj.type_of().own();
        let reducer = match self.pickler.dispatch_table.get() {
            None => self.state.dispatch_table.get(&ty)?,
            Some(table) => lookup(&table, &ty)?,
        };
        let reduced = if let Some(reducer) = reducer {
            reducer.call1(&obj)?
        } else if obj.type_of().is_metaclass() {
            return self.save_global(obj, None);
        } else if let Some(reduce_ex) = obj.opt_attr(&self.state.names.reduce_ex)? {
            reduce_ex.call1(&*Int::new(i64::from(self.out.protocol()))?)?
        } else if let Some(reduce) = obj.opt_attr(&self.state.names.reduce)? {
            reduce.call0()?
        } else if self.state.version.explains {
            return Err(raise_parts(
                &self.state.pickling_error,
                "Can't pickle {} object",
                &[Part::TypeOf(&obj)],
            ));
        } else {
            return Err(raise_parts(
                &self.state.pickling_error,
                "can't pickle '{}' object: {}",
                &[Part::TypeName(&obj), Part::Repr(&obj)],
            ));
        };
        self.save_reduced(obj, reduced)
    }

    /// Writes an object by what its reducer returned.
    fn save_reduced(&mut self, obj: Obj, reduced: Obj) -> PyResult<()> {
        if reduced.cast::<Str>().is_some() {
            return self.save_global(obj, Some(&reduced));
        }
        match reduced.cast::<Tuple>() {
            Some(tuple) if self.is_plain_call(tuple) => {
                let Some(callable) = tuple.get(0).map(Object::own) else { return Ok(()) };
                let at_once = Instance {
                    obj: &obj,
                    class: &callable,
                    args: tuple.get(1),
                    made_by: Opcode::Reduce,
                    state: tuple.get(2).filter(|state| !state.is_none()),
                    is_fresh: self.this.is_none() && reduced.is_unshared(),
                };
                if self.write_at_once(&at_once)? {
                    return Ok(());
                }
                self.deepen()?;
                self.push(Frame::Planned(PlannedFrame {
                    obj,
                    at: PlannedAt::Callable,
                    state: Some(reduced),
                    counted: true,
                }))?;
                self.save(callable, false)
            }
            Some(tuple) => self.push_reduce(Some(obj), tuple.own_view(), true),
            None => {
                let class = &self.state.pickling_error;
                if self.state.version.explains {
                    raise_parts(
                        class,
                        "__reduce__ must return a string or tuple, not {}",
                        &[Part::TypeOf(&reduced)],
                    );
                    error::add_note("when serializing {} object", &[Part::TypeOf(&obj)]);
                    return Err(Raised);
                }
                Err(raise(class, "__reduce__ must return a string or tuple"))
            }
        }
    }

    /// Whether a reduction is a class and its arguments, perhaps with a state: most are, and need no
    /// further look. Before protocol 2 any function will do, since its name does not matter.
    fn is_plain_call(&self, reduced: &Tuple) -> bool {
        let has_name = |callable: &Object| {
            callable.is_class_named_otherwise(b"__newobj")
                || (self.out.protocol() < 2 && callable.is_function())
        };
        matches!(reduced.len(), 2 | 3)
            && reduced.get(0).is_some_and(has_name)
            && reduced.get(1).is_some_and(|args| args.cast::<Tuple>().is_some())
    }

    /// Writes an object as `callable(*args)`, on the pickler's own account.
    fn reduce_as(&mut self, obj: Obj, reduced: [Obj; 2]) -> PyResult<()> {
        let value = Tuple::from_items(reduced)?;
        self.push_reduce(Some(obj), value, false)
    }

    fn push_reduce(&mut self, obj: Option<Obj>, value: Own<Tuple>, noted: bool) -> PyResult<()> {
        self.deepen()?;
        self.push(Frame::Reduce(Box::new(ReduceFrame {
            obj,
            value,
            reduction: None,
            noted,
            at: ReduceAt::Check,
            made: None,
            entered: false,
        })))
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

    fn save_type(&mut self, obj: Obj) -> PyResult<()> {
        let singletons = [Object::none(), Object::ellipsis(), Object::not_implemented()];
        for singleton in singletons {
            if obj.is(singleton.type_of()) {
                let args = Tuple::from_items([singleton.own()])?.into_obj();
                return self.reduce_as(obj, [types::type_().own(), args]);
            }
        }
        self.save_global(obj, None)
    }

    /// Writes a class or a function by its name, if that can be found without running Python.
    fn save_global_quietly(&mut self, obj: &Obj) -> PyResult<bool> {
        let (state, protocol) = (self.state, self.out.protocol());
        let is_for_us = state.layouts_known
            && state.import_is_known()
            && (protocol < 2 || state.extension_registry.len() == 0)
            && (protocol < 4 || self.may_stretch())
            && match obj.cast::<Type>() {
                Some(class) => plan::has_plain_metaclass(state, class),
                None => obj.is_function() || obj.is_builtin_function(),
            };
        let found = is_for_us.then(|| global::find_quietly(state, obj)).flatten();
        let Some((module_name, name)) = found else { return Ok(false) };
        if protocol < 4 {
            let global = Global { module_name, name: name.clone(), path: Vec::new(), parent: None };
            self.emit_global(global, name)?;
        } else {
            let is_short = |name: &Object| {
                name.cast_exact::<Str>().and_then(Str::ascii).is_some_and(|name| name.len() < 256)
            };
            if !is_short(&module_name) || !is_short(&name) {
                return Ok(false);
            }
            for name in [module_name, name] {
                self.save(name, false)?;
            }
            self.out.op(Opcode::StackGlobal);
        }
        self.memoize(obj.clone()).map(|()| true)
    }

    fn save_global(&mut self, obj: Obj, name: Option<&Object>) -> PyResult<()> {
        let protocol = self.out.protocol();
        if name.is_none() && self.save_global_quietly(&obj)? {
            return Ok(());
        }
        let mut global = Global::find(self.state, &obj, name)?;
        if protocol >= 2
            && let Some(code) = global.extension_code(self.state, &obj)?
        {
            self.out.extension(code);
            return Ok(());
        }
        let at = if protocol >= 4 {
            // Up to 3.13 a name without dots is written as PyUnicode_Split gives it back.
            if !self.state.version.explains && global.path.len() == 1 {
                global.name = global.path[0].own();
            }
            GlobalAt::Module
        } else if self.state.version.chained_getattr {
            if global.path.len() == 1 {
                let name = global.path[0].own();
                self.emit_global(global, name)?;
                return self.memoize(obj);
            }
            GlobalAt::Getattr(1)
        } else if let (Some(parent), Some(last)) = (&global.parent, global.path.last()) {
            let args = Tuple::from_items([parent.clone(), last.own()])?.into_obj();
            let value = Tuple::from_items([self.state.getattr.clone(), args])?;
            self.deepen()?;
            self.push(Frame::Memoize(obj))?;
            return self.push(Frame::Reduce(Box::new(ReduceFrame {
                obj: None,
                value,
                reduction: None,
                noted: false,
                at: ReduceAt::Check,
                made: None,
                entered: false,
            })));
        } else {
            let name = global.path.last().map_or_else(|| global.name.clone(), |last| last.own());
            self.emit_global(global, name)?;
            return self.memoize(obj);
        };
        self.push(Frame::Global(Box::new(GlobalFrame { obj, global, at })))
    }

    /// GLOBAL
    fn emit_global(&mut self, mut global: Global, mut name: Obj) -> PyResult<()> {
        let protocol = self.out.protocol();
        if self.pickler.fix_imports.get() {
            global.fix_imports(self.state, &mut name)?;
        }
        let module = global::encode(self.state, protocol, "module", &global.module_name)?;
        let name = global::encode(self.state, protocol, "global", &name)?;
        self.out.global(module.as_slice(), name.as_slice());
        Ok(())
    }

    // ---- the memo ------------------------------------------------------------------------------

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
    fn memoize(&mut self, obj: Obj) -> PyResult<()> {
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
    fn too_large(&self, what: TooLarge) -> Raised {
        let class: &Object = match what {
            TooLarge::MemoGet | TooLarge::MemoPut => &self.state.pickling_error,
            _ => &Exc::OverflowError,
        };
        raise(class, &what.to_string())
    }

    // ---- frames --------------------------------------------------------------------------------

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

    /// What an instance was waiting for is written.
    fn step_planned(&mut self) -> Step {
        let Some(Frame::Planned(frame)) = self.frames.last_mut() else { return Ok(()) };
        let (obj, at) = (frame.obj.clone(), frame.at);
        match at {
            PlannedAt::Class => {
                frame.at = PlannedAt::State;
                let state = frame.state.take().filter(|state| !state.is_none());
                self.edge()?;
                self.out.ops([Opcode::EmptyTuple, Opcode::NewObj]);
                self.memoize(obj)?;
                if let Some(state) = state {
                    return self.child_made(state, None);
                }
            }
            PlannedAt::State => self.out.op(Opcode::Build),
            PlannedAt::Callable => {
                frame.at = PlannedAt::Arguments;
                if let Some(reduced) = frame.state.take() {
                    return self.child_made(reduced, Some(1));
                }
            }
            PlannedAt::Arguments => {
                frame.at = PlannedAt::State;
                let reduced = frame.state.take();
                self.out.op(Opcode::Reduce);
                if self.memoize_made(&obj)?
                    && let Some(reduced) = reduced
                    && let Some(state) = reduced.cast::<Tuple>().and_then(|tuple| tuple.get(2))
                    && !state.is_none()
                {
                    return self.child_made(reduced, Some(2));
                }
            }
            PlannedAt::NewArguments => {
                self.out.op(Opcode::NewObj);
                self.memoize_made(&obj)?;
            }
        }
        // Dropping the state may run Python: the frame is gone by then.
        if let Some(Frame::Planned(frame)) = self.frames.pop()
            && frame.counted
        {
            self.depth -= 1;
        }
        Ok(())
    }

    fn step_tuple(&mut self) -> Step {
        let depth = self.frames.len();
        loop {
            let Some(Frame::Tuple { tuple, next, marked }) = self.frames.last_mut() else {
                return Ok(());
            };
            if let Some(item) = tuple.get(*next) {
                let item = item.own();
                *next += 1;
                self.child(item)?;
                if self.frames.len() > depth {
                    return Ok(());
                }
                continue;
            }
            let (tuple, marked) = (tuple.clone(), *marked);
            return self.finish_tuple(tuple, marked);
        }
    }

    fn finish_tuple(&mut self, tuple: Own<Tuple>, marked: bool) -> Step {
        let length = tuple.len();
        if self.is_memoized(&tuple) {
            // It is part of itself, and was written while its items were: drop them, fetch it.
            if marked && self.out.is_binary() {
                self.out.op(Opcode::PopMark);
            } else {
                for _ in 0..length + usize::from(marked) {
                    self.out.op(Opcode::Pop);
                }
            }
            self.get(&tuple)?;
        } else {
            self.out.op(match (marked, length) {
                (false, 1) => Opcode::Tuple1,
                (false, 2) => Opcode::Tuple2,
                (false, 3) => Opcode::Tuple3,
                _ => Opcode::Tuple,
            });
            self.memoize(tuple.into_obj())?;
        }
        self.frames.pop();
        Ok(())
    }

    fn step_list(&mut self) -> Step {
        let depth = self.frames.len();
        loop {
            let Some(Frame::List(frame)) = self.frames.last_mut() else { return Ok(()) };
            let length = frame.list.len();
            let next = match frame.at {
                ListAt::Batch => {
                    let left = length.saturating_sub(frame.done);
                    let trims = self.state.version.trims_batches;
                    if left == 1 && (trims || frame.done == 0) {
                        frame.at = ListAt::Single;
                    } else {
                        self.out.op(Opcode::Mark);
                        frame.at = ListAt::Item;
                        frame.batch = 0;
                    }
                    frame.list.get(frame.done)
                }
                ListAt::Single => {
                    self.out.op(Opcode::Append);
                    return self.finish_list();
                }
                ListAt::Item => {
                    frame.done += 1;
                    frame.batch += 1;
                    if frame.batch == BATCH_SIZE { None } else { frame.list.get(frame.done) }
                }
            };
            let Some(item) = next else {
                self.out.op(Opcode::Appends);
                if self.state.version.list_size_checked && length != frame.size {
                    let message = "list changed size during iteration";
                    return Err(raise(&Exc::RuntimeError, message).into());
                }
                if frame.done < length {
                    frame.at = ListAt::Batch;
                    continue;
                }
                return self.finish_list();
            };
            self.child(item)?;
            if self.frames.len() > depth {
                return Ok(());
            }
        }
    }

    fn finish_list(&mut self) -> Step {
        let frame = self.frames.pop();
        if let Some(Frame::List(ListFrame { list, entered: true, .. })) = frame {
            self.pickler.cycles.leave(&list)?;
        }
        Ok(())
    }

    fn step_list_items(&mut self) -> Step {
        let depth = self.frames.len();
        let text = self.out.protocol() == 0;
        loop {
            let Some(Frame::ListItems(frame)) = self.frames.last_mut() else { return Ok(()) };
            match frame.at {
                ItemsAt::Start => {
                    let owner = frame.owner.clone();
                    let items = match &frame.items {
                        Some(items) => items.clone(),
                        None => owner.iter()?,
                    };
                    if let Some(Frame::ListItems(frame)) = self.frames.last_mut() {
                        frame.items = Some(items);
                        frame.at = ItemsAt::Batch;
                    }
                    continue;
                }
                ItemsAt::Batch => {}
                ItemsAt::Item { batched: false } | ItemsAt::Key { .. } => {
                    self.out.op(Opcode::Append);
                    if !text {
                        return self.finish_items();
                    }
                    frame.done += 1;
                    frame.at = ItemsAt::Batch;
                }
                ItemsAt::Item { batched: true } => {
                    frame.done += 1;
                    frame.batch += 1;
                }
            }
            let Some(item) = self.next_item(text)? else { return self.finish_items() };
            let Some(item) = item else { continue };
            self.child(item)?;
            if self.frames.len() > depth {
                return Ok(());
            }
        }
    }

    /// Decides what an items frame on top does next: `None` when it is done, `Some(None)` when a
    /// batch ended, else the next item, which is in `current` too.
    fn next_item(&mut self, text: bool) -> PyResult<Option<Option<Obj>>> {
        let (is_list, items, at, batch, ahead) = match self.frames.last_mut() {
            Some(Frame::ListItems(frame)) => {
                (true, frame.items.clone(), frame.at, frame.batch, frame.ahead.take())
            }
            Some(Frame::DictItems(frame)) => {
                (false, frame.items.clone(), frame.at, frame.batch, frame.ahead.take())
            }
            _ => return Ok(None),
        };
        let Some(items) = items else { return Ok(None) };
        let check_pair = |item: &Obj| {
            if is_list || item.cast::<Tuple>().is_some_and(|pair| pair.len() == 2) {
                Ok(())
            } else {
                let message = "dict items iterator must return 2-tuples";
                Err(raise(&Exc::TypeError, message))
            }
        };
        let (item, ahead, batch, batched) = match at {
            ItemsAt::Item { batched: true } => {
                // The batch's second item was fetched to see whether there is one.
                let item = match ahead {
                    Some(item) => Some(item),
                    None if batch == BATCH_SIZE => None,
                    None => items.next()?,
                };
                match item {
                    Some(item) => {
                        check_pair(&item)?;
                        (item, None, batch, true)
                    }
                    None => {
                        self.out.op(if is_list { Opcode::Appends } else { Opcode::SetItems });
                        if batch != BATCH_SIZE {
                            return Ok(None);
                        }
                        self.set_items_at(ItemsAt::Batch, 0, None, None);
                        return Ok(Some(None));
                    }
                }
            }
            _ => {
                let Some(first) = items.next()? else { return Ok(None) };
                check_pair(&first)?;
                if text {
                    (first, None, 0, false)
                } else {
                    match items.next()? {
                        Some(second) => {
                            self.out.op(Opcode::Mark);
                            (first, Some(second), 0, true)
                        }
                        None => (first, None, 0, false),
                    }
                }
            }
        };
        let at = if is_list { ItemsAt::Item { batched } } else { ItemsAt::Key { batched } };
        self.set_items_at(at, batch, Some(item.clone()), ahead);
        Ok(Some(Some(item)))
    }

    fn set_items_at(&mut self, at: ItemsAt, batch: u16, current: Option<Obj>, ahead: Option<Obj>) {
        if let Some(Frame::ListItems(frame) | Frame::DictItems(frame)) = self.frames.last_mut() {
            let old = (frame.current.take(), frame.ahead.take());
            frame.at = at;
            frame.batch = batch;
            frame.current = current;
            frame.ahead = ahead;
            drop(old);
        }
    }

    fn finish_items(&mut self) -> Step {
        let frame = self.frames.pop();
        if let Some(Frame::ListItems(frame) | Frame::DictItems(frame)) = frame
            && frame.entered
        {
            self.pickler.cycles.leave(&frame.owner)?;
        }
        Ok(())
    }

    fn step_dict_items(&mut self) -> Step {
        let depth = self.frames.len();
        let text = self.out.protocol() == 0;
        loop {
            let Some(Frame::DictItems(frame)) = self.frames.last_mut() else { return Ok(()) };
            let value = match frame.at {
                ItemsAt::Start => {
                    let owner = frame.owner.clone();
                    let items = match &frame.items {
                        Some(items) => items.clone(),
                        None => owner.call_method0(&self.state.names.items)?.iter()?,
                    };
                    if let Some(Frame::DictItems(frame)) = self.frames.last_mut() {
                        frame.items = Some(items);
                        frame.at = ItemsAt::Batch;
                    }
                    continue;
                }
                ItemsAt::Batch => None,
                ItemsAt::Key { batched } => {
                    frame.at = ItemsAt::Item { batched };
                    let pair = frame.current.as_ref().and_then(|pair| pair.cast::<Tuple>());
                    pair.and_then(|pair| pair.get(1)).map(Object::own)
                }
                ItemsAt::Item { batched: false } => {
                    self.out.op(Opcode::SetItem);
                    if !text {
                        return self.finish_items();
                    }
                    frame.done += 1;
                    frame.at = ItemsAt::Batch;
                    None
                }
                ItemsAt::Item { batched: true } => {
                    frame.done += 1;
                    frame.batch += 1;
                    None
                }
            };
            let child = match value {
                Some(value) => value,
                None => {
                    let Some(pair) = self.next_item(text)? else { return self.finish_items() };
                    let Some(pair) = pair else { continue };
                    match pair.cast::<Tuple>().and_then(|pair| pair.get(0)) {
                        Some(key) => key.own(),
                        None => continue,
                    }
                }
            };
            self.child(child)?;
            if self.frames.len() > depth {
                return Ok(());
            }
        }
    }

    fn step_dict(&mut self) -> Step {
        let depth = self.frames.len();
        loop {
            let Some(Frame::Dict(frame)) = self.frames.last_mut() else { return Ok(()) };
            let child = match frame.at {
                ItemsAt::Key { batched } => {
                    frame.at = ItemsAt::Item { batched };
                    frame.value.take()
                }
                ItemsAt::Item { batched: false } => {
                    self.out.op(Opcode::SetItem);
                    return self.finish_dict();
                }
                ItemsAt::Item { batched: true } => {
                    frame.done += 1;
                    frame.batch += 1;
                    let item = if frame.batch == BATCH_SIZE {
                        None
                    } else {
                        frame.dict.next_item(&mut frame.position)
                    };
                    self.next_dict_item(item, true)
                }
                ItemsAt::Start | ItemsAt::Batch => {
                    let left = frame.size.saturating_sub(frame.done);
                    let trims = self.state.version.trims_batches;
                    let single = left == 1 && (trims || frame.done == 0);
                    if !single {
                        self.out.op(Opcode::Mark);
                        frame.batch = 0;
                    }
                    let item = frame.dict.next_item(&mut frame.position);
                    self.next_dict_item(item, !single)
                }
            };
            if let Some(child) = child {
                self.child(child)?;
                if self.frames.len() > depth {
                    return Ok(());
                }
                continue;
            }
            // The batch is over.
            self.out.op(Opcode::SetItems);
            let Some(Frame::Dict(frame)) = self.frames.last_mut() else { return Ok(()) };
            // Where entries were moved under the position, items may run out at the same size.
            let ran_out = self.state.version.trims_batches && frame.batch == 0;
            if frame.dict.len() != frame.size || ran_out {
                return Err(changed_size().into());
            }
            let more = if self.state.version.trims_batches {
                frame.done < frame.size
            } else {
                frame.batch == BATCH_SIZE
            };
            if !more {
                return self.finish_dict();
            }
            frame.at = ItemsAt::Batch;
        }
    }

    /// Puts an item into the dict frame on top and gives its key, the next child.
    #[inline(always)]
    fn next_dict_item(&mut self, item: Option<(Obj, Obj)>, batched: bool) -> Option<Obj> {
        let (key, value) = item.unzip();
        let Some(Frame::Dict(frame)) = self.frames.last_mut() else { return None };
        frame.at = ItemsAt::Key { batched };
        let next = key.clone();
        let old =
            (std::mem::replace(&mut frame.key, key), std::mem::replace(&mut frame.value, value));
        drop(old);
        next
    }

    fn finish_dict(&mut self) -> Step {
        let frame = self.frames.pop();
        if let Some(Frame::Dict(frame)) = frame
            && frame.entered
        {
            self.pickler.cycles.leave(&frame.dict)?;
        }
        Ok(())
    }

    fn step_set(&mut self) -> Step {
        let depth = self.frames.len();
        loop {
            let Some(Frame::Set(frame)) = self.frames.last_mut() else { return Ok(()) };
            if frame.open {
                frame.done += 1;
                frame.batch += 1;
            } else {
                self.out.op(Opcode::Mark);
                frame.open = true;
                frame.batch = 0;
            }
            let item = if frame.batch == BATCH_SIZE {
                None
            } else {
                frame.set.next_item(&mut frame.position)
            };
            if let Some(item) = item {
                self.child(item)?;
                if self.frames.len() > depth {
                    return Ok(());
                }
                continue;
            }
            self.out.op(Opcode::AddItems);
            let ran_out = self.state.version.trims_batches && frame.batch == 0;
            if frame.set.len() != frame.size || ran_out {
                let message = "set changed size during iteration";
                return Err(raise(&Exc::RuntimeError, message).into());
            }
            let more = if self.state.version.trims_batches {
                frame.done < frame.size
            } else {
                frame.batch == BATCH_SIZE
            };
            if !more {
                self.frames.pop();
                return Ok(());
            }
            frame.open = false;
        }
    }

    fn step_frozenset(&mut self) -> Step {
        let depth = self.frames.len();
        loop {
            let Some(Frame::FrozenSet { set, items, entered }) = self.frames.last_mut() else {
                return Ok(());
            };
            let (set, entered) = (set.clone(), *entered);
            let items = match items {
                Some(items) => items.clone(),
                None => {
                    let fresh = set.iter()?;
                    if let Some(Frame::FrozenSet { items, .. }) = self.frames.last_mut() {
                        *items = Some(fresh.clone());
                    }
                    fresh
                }
            };
            if let Some(item) = items.next()? {
                self.child(item)?;
                if self.frames.len() > depth {
                    return Ok(());
                }
                continue;
            }
            if self.is_memoized(&set) {
                // It is part of itself, as a tuple can be.
                self.out.op(Opcode::PopMark);
                self.get(&set)?;
            } else {
                self.out.op(Opcode::FrozenSet);
                self.memoize(set.clone())?;
            }
            self.frames.pop();
            if entered {
                self.pickler.cycles.leave(&set)?;
            }
            return Ok(());
        }
    }

    fn step_reduce(&mut self) -> Step {
        let depth = self.frames.len();
        loop {
            let Some(Frame::Reduce(frame)) = self.frames.last_mut() else { return Ok(()) };
            let Some(reduction) = &frame.reduction else {
                let (value, obj) = (frame.value.clone(), frame.obj.clone());
                let protocol = self.out.protocol();
                let reduction = Reduction::new(self.state, protocol, &value, obj.as_deref())?;
                if let Some(Frame::Reduce(frame)) = self.frames.last_mut() {
                    frame.reduction = Some(reduction);
                }
                continue;
            };
            use ReduceAt as At;
            // What is to be written next, and where the frame is while it is.
            let (child, at) = match (frame.at, &reduction.construct) {
                (At::Check, Construct::Call { callable, .. }) => (callable.clone(), At::Callable),
                (At::Callable, Construct::Call { args, .. }) => (args.own(), At::Arguments),
                (At::Check, Construct::New { cls, .. }) => (cls.clone(), At::Class),
                (At::Class, Construct::New { args, .. }) => (args.own(), At::NewArguments),
                (At::Check, Construct::NewEx(new)) => {
                    if self.out.protocol() >= 4 {
                        (new.cls().own(), At::Class)
                    } else {
                        let new = new.clone();
                        let partial = self.partial(&new)?;
                        if let Some(Frame::Reduce(frame)) = self.frames.last_mut() {
                            frame.made = Some(partial.clone());
                        }
                        (partial, At::Partial)
                    }
                }
                (At::Class, Construct::NewEx(new)) => (new.args().own(), At::NewArguments),
                (At::NewArguments, Construct::NewEx(new)) => (new.kwargs().own(), At::NewKeywords),
                (At::Partial, _) => (empty_tuple()?, At::PartialArguments),
                (At::Arguments | At::PartialArguments, _) => {
                    self.out.op(Opcode::Reduce);
                    return self.constructed();
                }
                (At::NewArguments, _) => {
                    self.out.op(Opcode::NewObj);
                    return self.constructed();
                }
                (At::NewKeywords, _) => {
                    self.out.op(Opcode::NewObjEx);
                    return self.constructed();
                }
                (At::ListItems, _) => return self.dict_items(),
                (At::DictItems, _) => match self.state_child() {
                    Some(next) => next,
                    None => return self.finish_reduce(),
                },
                (At::State, _) => {
                    self.out.op(Opcode::Build);
                    return self.finish_reduce();
                }
                (At::Setter, _) => match frame.obj.clone() {
                    Some(obj) => (obj, At::SetterObject),
                    None => return self.finish_reduce(),
                },
                (At::SetterObject, _) => match reduction.state.clone() {
                    Some(state) => (state, At::SetterState),
                    None => return self.finish_reduce(),
                },
                (At::SetterState, _) => {
                    // The call's result is dropped: the object stays on top.
                    self.out.op(Opcode::Tuple2);
                    self.out.op(Opcode::Reduce);
                    self.out.op(Opcode::Pop);
                    return self.finish_reduce();
                }
                (At::Callable | At::Class, _) => return self.finish_reduce(),
            };
            if let Some(Frame::Reduce(frame)) = self.frames.last_mut() {
                frame.at = at;
            }
            self.child(child)?;
            if self.frames.len() > depth {
                return Ok(());
            }
        }
    }

    /// `functools.partial(cls.__new__, cls, *args, **kwargs)`: how protocols 2 and 3 give keyword
    /// arguments to `__new__`.
    fn partial(&self, new: &NewEx) -> PyResult<Obj> {
        let (Some(args), Some(kwargs)) = (new.args().cast::<Tuple>(), new.kwargs().cast::<Dict>())
        else {
            return Err(raise(&Exc::SystemError, "__newobj_ex__ was checked"));
        };
        let mut items = vec![new.cls().attr(&self.state.names.new)?, new.cls().own()];
        items.extend((0..args.len()).filter_map(|i| args.get(i)).map(Object::own));
        let items = Tuple::from_items(items)?;
        self.state.partial.call(&items, kwargs)
    }

    /// The object can be made: memoize it, then its list items.
    fn constructed(&mut self) -> Step {
        let Some(Frame::Reduce(frame)) = self.frames.last_mut() else { return Ok(()) };
        // What was made for this frame is written; nothing refers to it any more.
        let made = frame.made.take();
        let obj = frame.obj.clone();
        let items = frame.reduction.as_ref().and_then(|r| r.list_items.clone());
        frame.at = ReduceAt::ListItems;
        drop(made);
        if let Some(obj) = &obj
            && !self.memoize_made(obj)?
        {
            return self.finish_reduce();
        }
        if let Some(items) = items {
            let owner = obj.unwrap_or_else(|| Object::none().own());
            self.push(Frame::ListItems(Box::new(ItemsFrame::new(owner, Some(items), false))))?;
        }
        Ok(())
    }

    fn dict_items(&mut self) -> Step {
        let Some(Frame::Reduce(frame)) = self.frames.last_mut() else { return Ok(()) };
        frame.at = ReduceAt::DictItems;
        let items = frame.reduction.as_ref().and_then(|r| r.dict_items.clone());
        if let Some(items) = items {
            let owner = frame.obj.clone().unwrap_or_else(|| Object::none().own());
            self.push(Frame::DictItems(Box::new(ItemsFrame::new(owner, Some(items), false))))?;
        }
        Ok(())
    }

    fn state_child(&self) -> Option<(Obj, ReduceAt)> {
        let Some(Frame::Reduce(frame)) = self.frames.last() else { return None };
        let reduction = frame.reduction.as_ref()?;
        let state = reduction.state.clone()?;
        match reduction.state_setter.clone() {
            Some(setter) => Some((setter, ReduceAt::Setter)),
            None => Some((state, ReduceAt::State)),
        }
    }

    fn finish_reduce(&mut self) -> Step {
        self.depth -= 1;
        // Dropping what the reducer returned may run Python: the frame is gone by then.
        if let Some(Frame::Reduce(frame)) = self.frames.pop()
            && let (true, Some(obj)) = (frame.entered, &frame.obj)
        {
            self.pickler.cycles.leave(obj)?;
        }
        Ok(())
    }

    fn step_global(&mut self) -> Step {
        let depth = self.frames.len();
        let protocol = self.out.protocol();
        loop {
            let Some(Frame::Global(frame)) = self.frames.last_mut() else { return Ok(()) };
            let parts = frame.global.path.len();
            let child = match frame.at {
                GlobalAt::Module => {
                    frame.at = GlobalAt::Name;
                    frame.global.module_name.clone()
                }
                GlobalAt::Name => {
                    frame.at = GlobalAt::Done;
                    frame.global.name.clone()
                }
                GlobalAt::Done => {
                    self.out.op(Opcode::StackGlobal);
                    return self.finish_global();
                }
                GlobalAt::Getattr(i) => {
                    if i > 1 && protocol < 2 {
                        self.out.op(Opcode::Mark);
                    }
                    if i < parts {
                        frame.at = GlobalAt::Getattr(i + 1);
                        self.state.getattr.clone()
                    } else {
                        frame.at = GlobalAt::Part(1);
                        let first = frame.global.path[0].own();
                        let global = Global {
                            module_name: frame.global.module_name.clone(),
                            name: first.clone(),
                            path: Vec::new(),
                            parent: None,
                        };
                        self.emit_global(global, first)?;
                        continue;
                    }
                }
                GlobalAt::Part(i) => {
                    if i > 1 {
                        self.out.op(if protocol < 2 { Opcode::Tuple } else { Opcode::Tuple2 });
                        self.out.op(Opcode::Reduce);
                    }
                    if i < parts {
                        frame.at = GlobalAt::Part(i + 1);
                        frame.global.path[i].own()
                    } else {
                        return self.finish_global();
                    }
                }
            };
            self.child(child)?;
            if self.frames.len() > depth {
                return Ok(());
            }
        }
    }

    fn finish_global(&mut self) -> Step {
        if let Some(Frame::Global(frame)) = self.frames.pop() {
            self.memoize(frame.obj)?;
        }
        Ok(())
    }

    // ---- failures ------------------------------------------------------------------------------

    /// Leaves all frames, from the top, and notes on the exception what each was about.
    #[cold]
    fn unwind(&mut self, failed: Failed) -> Raised {
        let mut in_child = matches!(failed, Failed::InChild);
        while let Some(frame) = self.frames.pop() {
            if self.state.version.explains {
                frame.note(in_child);
            }
            in_child = true;
            frame.leave_fast(self.pickler);
        }
        Raised
    }
}

/// Whether an object is still of this class, and the class what it was.
fn is_as_it_was(obj: &Object, class: &Object, version: u32) -> bool {
    version != 0 && obj.type_of().as_obj().is(class) && obj.type_of().version_tag() == version
}

impl ItemsFrame {
    fn new(owner: Obj, items: Option<Obj>, entered: bool) -> ItemsFrame {
        ItemsFrame {
            owner,
            items,
            current: None,
            ahead: None,
            done: 0,
            batch: 0,
            at: ItemsAt::Start,
            entered,
        }
    }
}

impl Frame {
    /// Says on the exception what this frame was writing.
    fn note(&self, in_child: bool) {
        const ITEM: &str = "when serializing {} item {}";
        match self {
            Frame::Tuple { tuple, next, .. } if in_child => {
                let index = next.saturating_sub(1) as i64;
                error::add_note(ITEM, &[Part::TypeOf(tuple), Part::Int(index)]);
            }
            Frame::List(frame) if in_child => {
                let index = frame.done as i64;
                error::add_note(ITEM, &[Part::TypeOf(&frame.list), Part::Int(index)]);
            }
            Frame::ListItems(frame) if in_child => {
                error::add_note(ITEM, &[Part::TypeOf(&frame.owner), Part::Int(frame.done)]);
            }
            Frame::Dict(frame) if in_child => {
                if let (ItemsAt::Item { .. }, Some(key)) = (frame.at, &frame.key) {
                    error::add_note(ITEM, &[Part::TypeOf(&frame.dict), Part::Repr(key)]);
                }
            }
            Frame::DictItems(frame) if in_child => {
                let pair = frame.current.as_ref().and_then(|pair| pair.cast::<Tuple>());
                if let (ItemsAt::Item { .. }, Some(key)) =
                    (frame.at, pair.and_then(|pair| pair.get(0)))
                {
                    error::add_note(ITEM, &[Part::TypeOf(&frame.owner), Part::Repr(key)]);
                }
            }
            Frame::Set(frame) if in_child => {
                error::add_note("when serializing {} element", &[Part::TypeOf(&frame.set)]);
            }
            Frame::FrozenSet { set, .. } if in_child => {
                error::add_note("when serializing {} element", &[Part::TypeOf(set)]);
            }
            Frame::Reduce(frame) => frame.note(in_child),
            Frame::Planned(PlannedFrame { obj, at, .. }) => {
                if in_child {
                    let what = match at {
                        PlannedAt::Class => "when serializing {} class",
                        PlannedAt::Callable => "when serializing {} reconstructor",
                        PlannedAt::Arguments => "when serializing {} reconstructor arguments",
                        PlannedAt::State => "when serializing {} state",
                        PlannedAt::NewArguments => "when serializing {} __new__ arguments",
                    };
                    error::add_note(what, &[Part::TypeOf(obj)]);
                }
                error::add_note("when serializing {} object", &[Part::TypeOf(obj)]);
            }
            _ => {}
        }
    }

    /// Forgets, in fast mode, the object that this frame was writing.
    fn leave_fast(&self, pickler: &Pickler) {
        let object: &Object = match self {
            Frame::List(ListFrame { list, entered: true, .. }) => list,
            Frame::ListItems(frame) | Frame::DictItems(frame) if frame.entered => &frame.owner,
            Frame::Dict(frame) if frame.entered => &frame.dict,
            Frame::FrozenSet { set, entered: true, .. } => set,
            Frame::Reduce(frame) if frame.entered => match &frame.obj {
                Some(obj) => obj,
                None => return,
            },
            _ => return,
        };
        // Its own complaint would replace the exception that is set, as in C.
        let _ = pickler.cycles.leave(object);
    }
}

impl ReduceFrame {
    fn note(&self, in_child: bool) {
        let Some(obj) = &self.obj else { return };
        let what = match self.at {
            ReduceAt::Callable | ReduceAt::Partial | ReduceAt::PartialArguments => {
                "when serializing {} reconstructor"
            }
            ReduceAt::Arguments => "when serializing {} reconstructor arguments",
            ReduceAt::Class => "when serializing {} class",
            ReduceAt::NewArguments | ReduceAt::NewKeywords => {
                "when serializing {} __new__ arguments"
            }
            ReduceAt::State | ReduceAt::SetterState => "when serializing {} state",
            ReduceAt::Setter => "when serializing {} state setter",
            ReduceAt::Check
            | ReduceAt::ListItems
            | ReduceAt::DictItems
            | ReduceAt::SetterObject => "",
        };
        if in_child && !what.is_empty() {
            error::add_note(what, &[Part::TypeOf(obj)]);
        }
        if self.noted {
            error::add_note("when serializing {} object", &[Part::TypeOf(obj)]);
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

/// A private dispatch table's reducer for a type: any mapping will do.
/// Objects/abstract.c: `PyMapping_GetOptionalItem`
fn lookup(table: &Object, ty: &Object) -> PyResult<Option<Obj>> {
    // Before 3.13 a dict was asked like any mapping: a KeyError of `__hash__` means "not there".
    if cfg!(Py_3_13)
        && let Some(dict) = table.cast_exact::<Dict>()
    {
        return dict.get(ty);
    }
    match table.item(ty) {
        Ok(reducer) => Ok(Some(reducer)),
        Err(Raised) if error::matches(&Exc::KeyError) => {
            error::clear();
            Ok(None)
        }
        Err(Raised) => Err(Raised),
    }
}
