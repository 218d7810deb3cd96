//! A stretch of a dump in which no Python code runs.
//!
//! Most of what is pickled is written without asking anybody: built-in types, and instances whose
//! [`Plan`] says how. Here that is done with borrowed references, on a stack of small frames, until
//! the work is done or an object comes that takes Python (a hook, a file, a class that is not where
//! it says). Then the stretch [stops](Stop), and the [walker](super::walker) goes on with what
//! [`Stretch::frames`] tells. What is written here is what the walker would have written.
//!
//! The rule of this file: nothing in it runs Python. That is what lets it borrow items of lists and
//! entries of dicts, which nobody can change meanwhile.
//!
//! Where the memo is not kept ([`Keeping::Unshared`]), an object with one reference is given an
//! index, but no place in the memo. It is held by its container alone, and that was entered only
//! once: it has one reference itself, or is in the memo. So nobody will ask for it again, as long as
//! no Python runs. (A tuple is in the memo only when it is written; one that comes again before is
//! [found out](Stop::Recursive).) If the stretch then stops, it is walked again, silently, with a
//! memo that keeps everything.

use super::global;
use super::plan::{self, Plan, Plans};
use crate::ffi::builtins::CodePoints;
use crate::ffi::datetime::Parts;
use crate::ffi::keep::Keep;
use crate::ffi::layout::{Attributes, Entries};
use crate::ffi::{
    AnySet, ByteArray, Bytes, Dict, Float, Int, Kind, List, Obj, Object, PyResult, Raised, Str,
    Tuple, Type, error,
};
use crate::memo::{self, Memo};
use crate::signals::Signals;
use crate::state::State;
use halfsour::{Emitter, FRAME_TARGET, Fetch, Opcode, Payload, Sink};

/// How many items one APPENDS, SETITEMS or ADDITEMS takes.
const BATCH_SIZE: usize = 1000;

/// How many containers are written between two looks at the clock.
const TICKS: u32 = 1 << 12;

/// More bytes than the opcodes take that begin an instance: into a file, they are written in one
/// frame, or by the walker.
const HEADER: usize = 64;

/// What the memo does with objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeping {
    /// It notes those that others may refer to, and keeps none alive.
    Unshared,
    /// It keeps all.
    All,
    /// It keeps all, and also those that the pickler makes itself, since programs can look at it.
    Visible,
}

/// Why a stretch ends before the work is done.
#[derive(Clone, Copy)]
pub(super) enum Stop<'q> {
    /// This object, of which nothing is written yet, takes Python.
    At(&'q Object),
    /// The same, because `copyreg` has not listed the slots of its class.
    Unlisted(&'q Object),
    /// The frame is full, and must be written to the file before this object is.
    Full(&'q Object),
    /// It is time to look for signals before this object is written.
    Signals(&'q Object),
    /// Something holds itself by way of a tuple (or of what is written like one): then objects with
    /// one reference do come again, and a memo must be kept.
    Recursive,
    /// The dict that is being written has fewer entries than it says.
    Changed,
    /// The error indicator is set.
    Raised,
}

/// A container that is written in part.
pub(super) enum Frame<'q> {
    List(ListFrame<'q>),
    Tuple(TupleFrame<'q>),
    Pairs(PairsFrame<'q>),
    Set(SetFrame<'q>),
}

pub(super) struct ListFrame<'q> {
    pub(super) list: &'q List,
    items: &'q [&'q Object],
    /// items that were begun
    pub(super) next: usize,
    /// where the batch begins, and where it ends
    pub(super) batch: (usize, usize),
    /// the batch has a MARK
    pub(super) marked: bool,
}

pub(super) struct TupleFrame<'q> {
    pub(super) tuple: &'q Tuple,
    pub(super) next: usize,
    pub(super) marked: bool,
    pub(super) then: Then<'q>,
}

pub(super) struct PairsFrame<'q> {
    source: Source<'q>,
    /// the slot to look at next
    pub(super) slot: usize,
    pub(super) size: usize,
    /// items that were begun, in all and in this batch
    pub(super) done: usize,
    pub(super) batch: usize,
    pub(super) marked: bool,
    /// The key and value that were begun; the value comes next if it was not begun yet.
    pub(super) current: Option<(&'q Object, &'q Object)>,
    pub(super) value_is_next: bool,
    pub(super) then: Then<'q>,
}

#[derive(Clone, Copy)]
enum Source<'q> {
    Dict(&'q Dict, Entries<'q>),
    /// The attributes of an instance whose plan is at this place; there is no dict, or nobody else
    /// has it.
    Attributes(Entries<'q>, usize),
    Slots(&'q Object, usize),
}

pub(super) struct SetFrame<'q> {
    pub(super) set: &'q AnySet,
    pub(super) frozen: bool,
    pub(super) position: isize,
    pub(super) size: usize,
    pub(super) done: usize,
    pub(super) batch: usize,
    pub(super) open: bool,
}

/// What follows when a container is written.
#[derive(Clone, Copy)]
pub(super) enum Then<'q> {
    Nothing,
    /// It is the state of this object: BUILD.
    Build(&'q Object),
    /// It is the arguments with which this object, a namedtuple, is made: NEWOBJ.
    NewObj(&'q Object),
    /// It is the first half of the object's state; its slots are the second.
    Slots(&'q Object, usize),
    /// It is the second half: TUPLE2, BUILD.
    Build2,
}

/// What became of an object.
enum Put<'q> {
    Done,
    Begun(Frame<'q>),
    Stop(Stop<'q>),
}

enum Step<'q> {
    Finished,
    Child(Frame<'q>),
    Stop(Stop<'q>),
}

pub(super) struct Stretch<'w, 'q, S> {
    pub(super) state: &'w State,
    pub(super) out: &'w mut Emitter<S>,
    pub(super) memo: &'w mut Memo,
    pub(super) plans: &'w mut Plans,
    pub(super) signals: &'w mut Signals,
    /// The dispatch table; None where instances are not for us.
    pub(super) table: Option<&'q Dict>,
    /// Keeps what is made here.
    pub(super) keep: &'q Keep,
    pub(super) keeping: Keeping,
    pub(super) to_file: bool,
    /// What is written in part, the outermost first.
    pub(super) frames: Vec<Frame<'q>>,
    pub(super) ticks: &'w mut u32,
    /// The memo has no more memory.
    pub(super) no_memory: bool,
    text: Vec<u8>,
}

/// What a stretch begins with.
pub(super) enum Begin<'q> {
    Object(&'q Object),
    Frame(Frame<'q>),
}

impl<'w, 'q, S: Sink> Stretch<'w, 'q, S> {
    #[allow(clippy::too_many_arguments, reason = "the parts of a walker, each for itself")]
    pub(super) fn new(
        state: &'w State,
        out: &'w mut Emitter<S>,
        memo: &'w mut Memo,
        plans: &'w mut Plans,
        signals: &'w mut Signals,
        ticks: &'w mut u32,
        table: Option<&'q Dict>,
        keep: &'q Keep,
        keeping: Keeping,
        to_file: bool,
    ) -> Stretch<'w, 'q, S> {
        plans.begin();
        Stretch {
            state,
            out,
            memo,
            plans,
            signals,
            table,
            keep,
            keeping,
            to_file,
            frames: Vec::new(),
            ticks,
            no_memory: false,
            text: Vec::new(),
        }
    }

    /// Writes until all is done, or until something takes Python.
    pub(super) fn run(&mut self, begin: Begin<'q>) -> Result<(), Stop<'q>> {
        let mut frame = match begin {
            Begin::Frame(frame) => frame,
            Begin::Object(object) => match self.put(object) {
                Put::Done => return self.end(),
                Put::Begun(frame) => frame,
                Put::Stop(stop) => return Err(stop),
            },
        };
        loop {
            let step = match &mut frame {
                Frame::List(frame) => self.list(frame),
                Frame::Pairs(frame) => self.pairs(frame),
                Frame::Tuple(frame) => self.tuple(frame),
                Frame::Set(frame) => self.set(frame),
            };
            match step {
                Step::Finished => match self.frames.pop() {
                    Some(outer) => frame = outer,
                    None => return self.end(),
                },
                Step::Child(child) => {
                    if self.frames.len() == self.frames.capacity()
                        && self.frames.try_reserve(1).is_err()
                    {
                        self.no_memory = true;
                    }
                    if self.no_memory || self.out.is_out_of_memory() {
                        return Err(self.out_of_memory());
                    }
                    self.frames.push(std::mem::replace(&mut frame, child));
                }
                Step::Stop(stop) => {
                    self.frames.push(frame);
                    return Err(stop);
                }
            }
        }
    }

    fn end(&self) -> Result<(), Stop<'q>> {
        if self.no_memory { Err(self.out_of_memory()) } else { Ok(()) }
    }

    #[cold]
    fn out_of_memory(&self) -> Stop<'q> {
        let Raised = error::no_memory();
        Stop::Raised
    }

    // ---- objects -------------------------------------------------------------------------------

    /// Writes an object, or begins to.
    #[inline(always)]
    fn put(&mut self, object: &'q Object) -> Put<'q> {
        if self.out.room() == 0 {
            if self.to_file {
                return Put::Stop(Stop::Full(object));
            }
            self.edge();
        }
        match object.kind() {
            Kind::Str => return self.str(object, false),
            Kind::Int => return self.int(object),
            Kind::None => self.out.none(),
            Kind::Bool(value) => self.out.bool(value),
            Kind::Float => match object.cast_exact::<Float>() {
                Some(float) => self.out.float(float.value()),
                None => return Put::Stop(Stop::At(object)),
            },
            kind => return self.shared(object, kind),
        }
        Put::Done
    }

    /// Closes a full frame. Into a file that never happens here: see [`Stop::Full`] and [`HEADER`].
    #[inline(always)]
    fn edge(&mut self) {
        debug_assert!(!self.to_file || self.out.room() > 0);
        self.out.boundary();
    }

    /// Writes an object that may be in the memo.
    #[inline]
    fn shared(&mut self, object: &'q Object, kind: Kind) -> Put<'q> {
        if self.is_asked_for(object)
            && let Some(index) = self.memo.get(object)
        {
            if index == memo::OPEN && self.keeping == Keeping::Unshared {
                return Put::Stop(Stop::Recursive);
            }
            return self.get(object, index);
        }
        match kind {
            Kind::Dict => self.begin_dict(object),
            Kind::List => self.begin_list(object),
            Kind::Tuple => self.begin_tuple(object, Then::Nothing),
            Kind::Bytes => self.bytes(object),
            Kind::Other => self.instance(object),
            Kind::Set | Kind::FrozenSet => self.begin_set(object, kind == Kind::FrozenSet),
            Kind::ByteArray => self.bytearray(object),
            Kind::Type if self.table.is_some() => match object.cast::<Type>() {
                Some(class) if self.global(class) => Put::Done,
                _ => Put::Stop(Stop::At(object)),
            },
            _ => Put::Stop(Stop::At(object)),
        }
    }

    /// Whether the memo can have an object.
    #[inline(always)]
    fn is_asked_for(&self, object: &Object) -> bool {
        self.keeping != Keeping::Unshared || !object.is_unshared()
    }

    #[inline(always)]
    fn get(&mut self, object: &'q Object, index: i64) -> Put<'q> {
        match self.out.get(index) {
            Ok(()) => Put::Done,
            Err(_) => Put::Stop(Stop::At(object)),
        }
    }

    /// Gives an object its index.
    #[inline(always)]
    fn remember(&mut self, object: &'q Object, is_shared: bool) -> i64 {
        let index = match self.keeping {
            Keeping::Unshared if is_shared => self.memo.note(object),
            Keeping::Unshared => Ok(self.memo.skip()),
            Keeping::All | Keeping::Visible => {
                let index = self.memo.len();
                self.memo.insert(object.own(), index as i64).map(|known| {
                    // It is not there: it was asked for.
                    debug_assert!(known.is_none());
                    index
                })
            }
        };
        index.unwrap_or_else(|_| {
            self.no_memory = true;
            0
        }) as i64
    }

    #[inline(always)]
    fn memoize(&mut self, object: &'q Object, is_shared: bool) {
        let index = self.remember(object, is_shared);
        self.write_memoize(index);
    }

    /// Memoizes what the pickler makes, and what nobody else can refer to.
    #[inline(always)]
    fn memoize_made(&mut self, make: impl FnOnce() -> PyResult<Obj>) {
        let index = if self.keeping == Keeping::Visible {
            match make() {
                Ok(object) => {
                    let object = self.keep.hold(object);
                    self.remember(object, true)
                }
                Err(Raised) => {
                    error::clear();
                    self.no_memory = true;
                    0
                }
            }
        } else {
            self.memo.skip() as i64
        };
        self.write_memoize(index);
    }

    #[inline(always)]
    fn write_memoize(&mut self, index: i64) {
        // Below protocol 4 four billion objects are too many: more than memory holds.
        self.no_memory |= self.out.memoize(index).is_err();
    }

    /// `always`: whoever holds the string may not have counted all who refer to it.
    #[inline(always)]
    fn str(&mut self, object: &'q Object, always: bool) -> Put<'q> {
        let is_shared = always || self.is_asked_for(object);
        if is_shared && let Some(index) = self.memo.get(object) {
            return self.get(object, index);
        }
        let Some(text) = object.cast_exact::<Str>() else { return Put::Stop(Stop::At(object)) };
        match text.ascii() {
            Some(ascii) if ascii.len() < FRAME_TARGET => {
                let index = self.remember(object, is_shared);
                self.no_memory |= self.out.payload_memoized(Payload::Text, ascii, index).is_err();
                Put::Done
            }
            ascii => self.long_str(object, text, ascii, is_shared),
        }
    }

    #[inline(never)]
    fn long_str(
        &mut self,
        object: &'q Object,
        text: &Str,
        ascii: Option<&[u8]>,
        is_shared: bool,
    ) -> Put<'q> {
        let mut encoded = std::mem::take(&mut self.text);
        let utf8 = match ascii {
            Some(ascii) => Some(ascii),
            None => encode(text.code_points(), &mut encoded).then_some(&encoded[..]),
        };
        let result = match utf8 {
            Some(utf8) if utf8.len() < FRAME_TARGET || !self.to_file => {
                let index = self.remember(object, is_shared);
                match self.out.payload(Payload::Text, utf8) {
                    Ok(()) => {
                        self.write_memoize(index);
                        Put::Done
                    }
                    Err(_) => Put::Stop(Stop::At(object)),
                }
            }
            // A lone surrogate, or something for the file alone.
            _ => Put::Stop(Stop::At(object)),
        };
        self.text = encoded;
        result
    }

    #[inline(always)]
    fn int(&mut self, object: &'q Object) -> Put<'q> {
        let Some(int) = object.cast_exact::<Int>() else { return Put::Stop(Stop::At(object)) };
        match int.compact().map(i32::try_from) {
            Some(Ok(value)) => {
                self.out.int(value);
                Put::Done
            }
            _ => self.long_int(object, int),
        }
    }

    #[inline(never)]
    fn long_int(&mut self, object: &'q Object, int: &Int) -> Put<'q> {
        let value = int.as_i64();
        if let Some(value) = value.and_then(|value| i32::try_from(value).ok()) {
            self.out.int(value);
            return Put::Done;
        }
        if !self.out.long_is_binary() {
            return Put::Stop(Stop::At(object));
        }
        let written = match value {
            Some(value) => {
                let bytes = value.to_le_bytes();
                // What the sign says again is left out.
                let unsigned = if value < 0 { !value } else { value };
                let length = 8 - (unsigned.leading_zeros() as usize - 1) / 8;
                self.out.long(&bytes[..length])
            }
            None => match int.to_le_bytes() {
                Ok(bytes) => self.out.long(&bytes),
                Err(Raised) => {
                    error::clear();
                    return Put::Stop(Stop::At(object));
                }
            },
        };
        if written.is_ok() { Put::Done } else { Put::Stop(Stop::At(object)) }
    }

    fn bytes(&mut self, object: &'q Object) -> Put<'q> {
        let Some(bytes) = object.cast_exact::<Bytes>() else {
            return Put::Stop(Stop::At(object));
        };
        self.payload(object, Payload::Bytes, bytes.as_slice(), 3)
    }

    fn bytearray(&mut self, object: &'q Object) -> Put<'q> {
        let Some(bytes) = object.cast_exact::<ByteArray>() else {
            return Put::Stop(Stop::At(object));
        };
        self.payload(object, Payload::ByteArray, bytes.as_slice(), 5)
    }

    #[inline(always)]
    fn payload(&mut self, object: &'q Object, kind: Payload, data: &[u8], protocol: u8) -> Put<'q> {
        let is_large = data.len() >= FRAME_TARGET;
        if self.out.protocol() < protocol || (is_large && self.to_file) {
            return Put::Stop(Stop::At(object));
        }
        if is_large {
            *self.ticks = 1;
        }
        let is_shared = self.is_asked_for(object);
        let index = self.remember(object, is_shared);
        match self.out.payload_memoized(kind, data, index) {
            Ok(()) => Put::Done,
            Err(_) => Put::Stop(Stop::At(object)),
        }
    }

    // ---- containers ----------------------------------------------------------------------------

    /// Whether it is time to look for signals, which is looked at once for many containers.
    #[inline(always)]
    fn signals_are_due(&mut self) -> bool {
        *self.ticks = self.ticks.wrapping_sub(1);
        *self.ticks == 0 && self.look_at_the_clock()
    }

    #[cold]
    fn look_at_the_clock(&mut self) -> bool {
        *self.ticks = TICKS;
        // Without a memo that keeps things, only an interruption is worth the trouble.
        self.signals.are_due() && (self.keeping != Keeping::Unshared || error::is_interrupted())
    }

    fn begin_list(&mut self, object: &'q Object) -> Put<'q> {
        let Some(list) = object.cast_exact::<List>() else { return Put::Stop(Stop::At(object)) };
        if self.signals_are_due() {
            return Put::Stop(Stop::Signals(object));
        }
        self.out.empty_list();
        let is_shared = self.is_asked_for(object);
        self.memoize(object, is_shared);
        if list.len() == 0 {
            return Put::Done;
        }
        Put::Begun(Frame::List(ListFrame::new(list, 0, (0, 0), false)))
    }

    #[inline(always)]
    fn list(&mut self, frame: &mut ListFrame<'q>) -> Step<'q> {
        let items = frame.items;
        loop {
            while frame.next < frame.batch.1 {
                let Some(&item) = items.get(frame.next) else { break };
                frame.next += 1;
                match self.put(item) {
                    Put::Done => {}
                    Put::Begun(child) => return Step::Child(child),
                    Put::Stop(stop) => return Step::Stop(stop),
                }
            }
            if frame.next > 0 && frame.batch.1 > frame.batch.0 {
                self.out.op(if frame.marked { Opcode::Appends } else { Opcode::Append });
            }
            let left = items.len() - frame.next;
            if left == 0 {
                return Step::Finished;
            }
            *self.ticks = self.ticks.saturating_sub(BATCH_SIZE as u32 / 4).max(1);
            frame.marked = left > 1 || !(self.state.version.trims_batches || frame.next == 0);
            if frame.marked {
                self.out.op(Opcode::Mark);
            }
            frame.batch = (frame.next, frame.next + left.min(BATCH_SIZE));
        }
    }

    #[inline(always)]
    fn begin_tuple(&mut self, object: &'q Object, then: Then<'q>) -> Put<'q> {
        let Some(tuple) = object.cast_exact::<Tuple>() else {
            return Put::Stop(Stop::At(object));
        };
        if tuple.len() == 0 {
            self.out.empty_tuple();
            return Put::Done;
        }
        if self.signals_are_due() {
            return Put::Stop(Stop::Signals(object));
        }
        self.open(tuple);
        Put::Begun(Frame::Tuple(self.open_tuple(tuple, then)))
    }

    /// Says that an object is begun that will be memoized only when it is written. Where it comes
    /// again before, so do objects that have one reference.
    #[inline(always)]
    fn open(&mut self, object: &'q Object) {
        if self.keeping == Keeping::Unshared && !object.is_unshared() {
            self.no_memory |= self.memo.open(object).is_err();
        }
    }

    /// The index of an object that was opened, if it is part of itself and has been memoized.
    #[inline(always)]
    fn closed(&mut self, object: &'q Object) -> Option<i64> {
        if self.keeping == Keeping::Unshared { None } else { self.memo.get(object) }
    }

    #[inline(always)]
    fn open_tuple(&mut self, tuple: &'q Tuple, then: Then<'q>) -> TupleFrame<'q> {
        let marked = tuple.len() > 3 || self.out.protocol() < 2;
        if marked {
            self.out.op(Opcode::Mark);
        }
        TupleFrame { tuple, next: 0, marked, then }
    }

    #[inline(always)]
    fn tuple(&mut self, frame: &mut TupleFrame<'q>) -> Step<'q> {
        let items = frame.tuple.items();
        while let Some(&item) = items.get(frame.next) {
            frame.next += 1;
            match self.put(item) {
                Put::Done => {}
                Put::Begun(child) => return Step::Child(child),
                Put::Stop(stop) => return Step::Stop(stop),
            }
        }
        let end = match (frame.marked, items.len()) {
            (false, 1) => Opcode::Tuple1,
            (false, 2) => Opcode::Tuple2,
            (false, 3) => Opcode::Tuple3,
            _ => Opcode::Tuple,
        };
        if let Then::NewObj(object) = frame.then {
            self.out.op(end);
            self.memoize_made(|| Ok(frame.tuple.slice_from(0)?.into_obj()));
            self.new_object(object);
            return Step::Finished;
        }
        let tuple: &'q Object = frame.tuple;
        if let Some(index) = self.closed(tuple) {
            // It is part of itself, and was written while its items were: drop them, fetch it.
            if frame.marked && self.out.is_binary() {
                self.out.op(Opcode::PopMark);
            } else {
                for _ in 0..items.len() + usize::from(frame.marked) {
                    self.out.op(Opcode::Pop);
                }
            }
            self.no_memory |= self.out.get(index).is_err();
        } else {
            self.out.op(end);
            let is_shared = self.is_asked_for(tuple);
            self.memoize(tuple, is_shared);
        }
        self.finish(frame.then)
    }

    /// NEWOBJ for a namedtuple; it may be part of itself.
    fn new_object(&mut self, object: &'q Object) {
        self.out.op(Opcode::NewObj);
        if let Some(index) = self.closed(object) {
            self.out.op(Opcode::Pop);
            self.no_memory |= self.out.get(index).is_err();
        } else {
            let is_shared = self.is_asked_for(object);
            self.memoize(object, is_shared);
        }
    }

    /// Writes what follows a container.
    #[inline(always)]
    fn finish(&mut self, then: Then<'q>) -> Step<'q> {
        match then {
            Then::Nothing | Then::NewObj(_) => Step::Finished,
            Then::Build(_) => {
                self.out.op(Opcode::Build);
                Step::Finished
            }
            Then::Build2 => {
                self.out.op(Opcode::Tuple2);
                self.memo_skip();
                self.out.op(Opcode::Build);
                Step::Finished
            }
            Then::Slots(object, place) => Step::Child(self.begin_slots(object, place)),
        }
    }

    /// Memoizes what exists only in the pickle. Never with a visible memo.
    #[inline(always)]
    fn memo_skip(&mut self) {
        let index = self.memo.skip() as i64;
        self.write_memoize(index);
    }

    /// Writes a dict, or begins to.
    #[inline(always)]
    fn begin_dict(&mut self, object: &'q Object) -> Put<'q> {
        let Some(dict) = object.cast_exact::<Dict>() else { return Put::Stop(Stop::At(object)) };
        if self.signals_are_due() {
            return Put::Stop(Stop::Signals(object));
        }
        self.out.empty_dict();
        let is_shared = self.is_asked_for(object);
        self.memoize(object, is_shared);
        let size = dict.len();
        if size == 0 {
            return Put::Done;
        }
        let source = Source::Dict(dict, dict.entries());
        Put::Begun(Frame::Pairs(self.open_pairs(source, size, Then::Nothing)))
    }

    #[inline(always)]
    fn open_pairs(&mut self, source: Source<'q>, size: usize, then: Then<'q>) -> PairsFrame<'q> {
        let marked = size > 1;
        if marked {
            self.out.op(Opcode::Mark);
        }
        PairsFrame {
            source,
            slot: 0,
            size,
            done: 0,
            batch: 0,
            marked,
            current: None,
            value_is_next: false,
            then,
        }
    }

    #[inline(always)]
    fn pairs(&mut self, frame: &mut PairsFrame<'q>) -> Step<'q> {
        loop {
            if frame.value_is_next
                && let Some((_, value)) = frame.current
            {
                frame.value_is_next = false;
                match self.put(value) {
                    Put::Done => {}
                    Put::Begun(child) => return Step::Child(child),
                    Put::Stop(stop) => return Step::Stop(stop),
                }
            }
            if frame.marked {
                if frame.batch == BATCH_SIZE {
                    self.out.op(Opcode::SetItems);
                    if !self.next_batch(frame) {
                        return self.finish(frame.then);
                    }
                }
            } else if frame.batch == 1 {
                self.out.op(Opcode::SetItem);
                return self.finish(frame.then);
            }
            let put = match frame.source {
                Source::Dict(_, entries) => {
                    let Some((key, value)) = next_entry(entries, &mut frame.slot) else {
                        self.out.op(Opcode::SetItems);
                        if self.state.version.trims_batches && frame.done < frame.size {
                            return Step::Stop(Stop::Changed);
                        }
                        return self.finish(frame.then);
                    };
                    frame.begin_item(key, value);
                    match entries {
                        // Keys that are shared are held once, by all who have them.
                        Entries::Split(..) => self.key(key),
                        _ => self.put(key),
                    }
                }
                Source::Attributes(entries, place) => {
                    let Some((key, value)) = next_entry(entries, &mut frame.slot) else {
                        self.out.op(Opcode::SetItems);
                        return self.finish(frame.then);
                    };
                    frame.begin_item(key, value);
                    let name = match &entries {
                        Entries::Split(_, values) => values.place(frame.slot - 1),
                        _ => None,
                    };
                    match name {
                        Some(name) => self.name(key, place, name),
                        None => self.put(key),
                    }
                }
                Source::Slots(object, place) => {
                    let Plan::Instance(shape) = &self.plans.entry(place).plan else {
                        return Step::Finished;
                    };
                    let slots = shape.slots.iter().enumerate().skip(frame.slot);
                    let found = slots.map(|(n, (name, offset))| (n, name, object.slot(*offset)));
                    let Some((n, name, Some(value))) = found.into_iter().find(|s| s.2.is_some())
                    else {
                        self.out.op(Opcode::SetItems);
                        return self.finish(frame.then);
                    };
                    let name = name.clone();
                    frame.slot = n + 1;
                    frame.begin_item(value, value);
                    if let Some(fetch) = self.known_name(&name, place, n) {
                        self.out.get_again(fetch);
                        continue;
                    }
                    let name = self.keep.hold(name);
                    self.name(name, place, n)
                }
            };
            match put {
                Put::Done => {}
                Put::Begun(child) => return Step::Child(child),
                Put::Stop(stop) => return Step::Stop(stop),
            }
        }
    }

    /// Begins another batch of items, if there is one.
    #[cold]
    fn next_batch(&mut self, frame: &mut PairsFrame<'q>) -> bool {
        let trims = self.state.version.trims_batches;
        if trims && frame.done >= frame.size {
            return false;
        }
        frame.batch = 0;
        frame.marked = !(trims && frame.size - frame.done == 1);
        if frame.marked {
            self.out.op(Opcode::Mark);
        }
        true
    }

    fn key(&mut self, key: &'q Object) -> Put<'q> {
        if self.out.room() == 0 {
            if self.to_file {
                return Put::Stop(Stop::Full(key));
            }
            self.edge();
        }
        if key.cast_exact::<Str>().is_some() { self.str(key, true) } else { self.put(key) }
    }

    /// How to refer to the name of an attribute that was written already. Not at the end of a frame.
    #[inline(always)]
    fn known_name(&mut self, name: &Object, place: usize, number: usize) -> Option<Fetch> {
        if self.out.room() == 0 {
            return None;
        }
        self.plans.entry(place).written.name(number, name)
    }

    /// Writes the name of an attribute, which other instances have too.
    #[inline(always)]
    fn name(&mut self, name: &'q Object, place: usize, number: usize) -> Put<'q> {
        if let Some(fetch) = self.known_name(name, place, number) {
            self.out.get_again(fetch);
            return Put::Done;
        }
        let put = self.key(name);
        if let Some(index) = self.memo.get(name) {
            self.plans.entry(place).written.note_name(number, name, index);
        }
        put
    }

    fn begin_set(&mut self, object: &'q Object, frozen: bool) -> Put<'q> {
        let Some(set) = object.cast_exact::<AnySet>() else { return Put::Stop(Stop::At(object)) };
        if self.out.protocol() < 4 {
            return Put::Stop(Stop::At(object));
        }
        if self.signals_are_due() {
            return Put::Stop(Stop::Signals(object));
        }
        let size = set.len();
        if frozen {
            self.open(set);
            self.out.op(Opcode::Mark);
        } else {
            self.out.op(Opcode::EmptySet);
            let is_shared = self.is_asked_for(object);
            self.memoize(object, is_shared);
            if size == 0 {
                return Put::Done;
            }
        }
        Put::Begun(Frame::Set(SetFrame {
            set,
            frozen,
            position: 0,
            size,
            done: 0,
            batch: 0,
            open: false,
        }))
    }

    fn set(&mut self, frame: &mut SetFrame<'q>) -> Step<'q> {
        loop {
            if !frame.frozen && !frame.open {
                self.out.op(Opcode::Mark);
                frame.open = true;
                frame.batch = 0;
            }
            let item = if !frame.frozen && frame.batch == BATCH_SIZE {
                None
            } else {
                frame.set.next_borrowed(&mut frame.position)
            };
            if let Some(item) = item {
                frame.done += 1;
                frame.batch += 1;
                match self.put(item) {
                    Put::Done => continue,
                    Put::Begun(child) => return Step::Child(child),
                    Put::Stop(stop) => return Step::Stop(stop),
                }
            }
            if frame.frozen {
                return self.finish_frozenset(frame.set);
            }
            self.out.op(Opcode::AddItems);
            let more = if self.state.version.trims_batches {
                frame.done < frame.size
            } else {
                frame.batch == BATCH_SIZE
            };
            if !more {
                return Step::Finished;
            }
            frame.open = false;
        }
    }

    fn finish_frozenset(&mut self, set: &'q AnySet) -> Step<'q> {
        if let Some(index) = self.closed(set) {
            // It is part of itself, as a tuple can be.
            self.out.op(Opcode::PopMark);
            self.no_memory |= self.out.get(index).is_err();
        } else {
            self.out.op(Opcode::FrozenSet);
            let is_shared = self.is_asked_for(set);
            self.memoize(set, is_shared);
        }
        Step::Finished
    }

    // ---- instances -----------------------------------------------------------------------------

    /// Writes an instance, or begins to, if its type's plan is for us.
    fn instance(&mut self, object: &'q Object) -> Put<'q> {
        let stop = Put::Stop(Stop::At(object));
        let Some(table) = self.table else { return stop };
        if self.out.protocol() < 2 {
            return stop;
        }
        if self.signals_are_due() {
            return Put::Stop(Stop::Signals(object));
        }
        if let Some(class) = object.cast::<Type>() {
            return if self.global(class) { Put::Done } else { stop };
        }
        if self.to_file && self.out.room() < HEADER {
            return stop;
        }
        let class = object.type_of();
        let place = self.plans.find(self.state, table, class);
        self.begin_instance(object, class, place)
    }

    #[inline(always)]
    fn begin_instance(&mut self, object: &'q Object, class: &'q Type, place: usize) -> Put<'q> {
        let stop = Put::Stop(Stop::At(object));
        match &self.plans.entry(place).plan {
            Plan::Instance(shape) => {
                let attributes = match shape.dict {
                    Some(place) => place.attributes(object),
                    None => Attributes::Empty,
                };
                let has_slots = !shape.slots.is_empty()
                    && shape.slots.iter().any(|(_, offset)| object.slot(*offset).is_some());
                self.begin_plain(object, class, place, attributes, has_slots)
            }
            Plan::NamedTuple => {
                let Some(tuple) = object.cast::<Tuple>() else { return stop };
                if !self.class(class, place) {
                    return stop;
                }
                self.edge();
                if tuple.len() == 0 {
                    self.out.op(Opcode::EmptyTuple);
                    self.new_object(object);
                    return Put::Done;
                }
                self.open(object);
                let then = Then::NewObj(object);
                Put::Begun(Frame::Tuple(self.open_tuple(tuple, then)))
            }
            Plan::DateTime(kind) => match kind.parts(object, self.out.protocol()) {
                Some(parts) if self.out.protocol() >= 3 => {
                    if !self.class(class, place) {
                        return stop;
                    }
                    self.datetime(parts);
                    let is_shared = self.is_asked_for(object);
                    self.memoize(object, is_shared);
                    Put::Done
                }
                _ => stop,
            },
            Plan::Unlisted => Put::Stop(Stop::Unlisted(object)),
            Plan::Generic | Plan::GetState | Plan::Reduce => stop,
        }
    }

    /// Writes the arguments of a class of `datetime`, and REDUCE.
    fn datetime(&mut self, parts: Parts) {
        self.edge();
        match parts {
            Parts::Packed(bytes, length) => {
                let packed = bytes.get(..length).unwrap_or(&bytes);
                // Ten bytes always fit.
                let _ = self.out.payload(Payload::Bytes, packed);
                let mut args = None;
                self.memoize_made(|| {
                    let bytes = Bytes::new(packed)?.into_obj();
                    args = Some(Tuple::from_items([bytes.clone()])?.into_obj());
                    Ok(bytes)
                });
                self.out.op(Opcode::Tuple1);
                self.memoize_made(|| args.ok_or(Raised));
            }
            Parts::Numbers(numbers) => {
                for number in numbers {
                    self.edge();
                    self.out.int(number);
                }
                self.out.op(Opcode::Tuple3);
                self.memoize_made(|| {
                    let [a, b, c] = numbers.map(|number| Int::new(i64::from(number)));
                    Ok(Tuple::from_items([a?, b?, c?])?.into_obj())
                });
            }
        }
        self.out.op(Opcode::Reduce);
    }

    /// Writes an instance by its class and its attributes, or begins to.
    #[inline(always)]
    fn begin_plain(
        &mut self,
        object: &'q Object,
        class: &'q Type,
        place: usize,
        attributes: Attributes<'q>,
        has_slots: bool,
    ) -> Put<'q> {
        let stop = Put::Stop(Stop::At(object));
        let (entries, dict, size) = match attributes {
            Attributes::Empty => (None, None, 0),
            Attributes::Values(entries) => (Some(entries), None, entries.slots()),
            Attributes::Dict(dict) => (Some(dict.entries()), Some(dict), dict.len()),
        };
        // Attributes that hide hooks of the class are the walker's business.
        let harmless = match entries {
            None => true,
            Some(Entries::Split(keys, _)) => self.plans.entry(place).are_harmless(keys),
            Some(entries) => (0..entries.slots())
                .all(|slot| entries.get(slot).is_none_or(|(key, _)| !plan::is_hook(key))),
        };
        if !harmless || dict.is_some_and(|dict| dict.cast_exact::<Dict>().is_none()) {
            return stop;
        }
        if self.keeping != Keeping::Unshared && (size > 0 || has_slots) {
            return self.begin_kept(object, class, place, size > 0, has_slots);
        }
        if !self.class(class, place) {
            return stop;
        }
        self.edge();
        self.out.ops([Opcode::EmptyTuple, Opcode::NewObj]);
        let is_shared = self.is_asked_for(object);
        self.memoize(object, is_shared);
        let then = if has_slots { Then::Slots(object, place) } else { Then::Build(object) };
        let Some(entries) = entries.filter(|_| size > 0) else {
            if !has_slots {
                return Put::Done;
            }
            self.edge();
            self.out.none();
            return Put::Begun(self.begin_slots(object, place));
        };
        self.edge();
        if let Some(dict) = dict {
            let is_shared = !dict.is_unshared();
            if is_shared {
                if let Some(index) = self.memo.get(dict) {
                    self.no_memory |= self.out.get(index).is_err();
                    return match self.finish(then) {
                        Step::Child(frame) => Put::Begun(frame),
                        _ => Put::Done,
                    };
                }
                self.out.op(Opcode::EmptyDict);
                self.memoize(dict, true);
            } else {
                self.out.op(Opcode::EmptyDict);
                self.memo_skip();
            }
        } else {
            self.out.op(Opcode::EmptyDict);
            self.memo_skip();
        }
        let source = match (dict, entries) {
            (Some(dict), Entries::Named(_) | Entries::Hashed(_)) => Source::Dict(dict, entries),
            _ => Source::Attributes(entries, place),
        };
        Put::Begun(Frame::Pairs(self.open_pairs(source, size, then)))
    }

    /// As [`begin_plain`](Stretch::begin_plain), with a state that exists: once Python runs, it may
    /// look at the dict of an instance that was written.
    fn begin_kept(
        &mut self,
        object: &'q Object,
        class: &'q Type,
        place: usize,
        has_dict: bool,
        has_slots: bool,
    ) -> Put<'q> {
        let stop = Put::Stop(Stop::At(object));
        let dict = if has_dict { object.instance_dict() } else { Ok(Object::none().own()) };
        let state =
            dict.and_then(
                |dict| {
                    if has_slots { self.slots_state(object, place, dict) } else { Ok(dict) }
                },
            );
        let Ok(state) = state else {
            error::clear();
            return stop;
        };
        let state = self.keep.hold(state);
        if !self.class(class, place) {
            return stop;
        }
        self.edge();
        self.out.ops([Opcode::EmptyTuple, Opcode::NewObj]);
        self.memoize(object, true);
        self.edge();
        let then = Then::Build(object);
        if has_slots {
            return match state.cast_exact::<Tuple>() {
                Some(tuple) => Put::Begun(Frame::Tuple(self.open_tuple(tuple, then))),
                None => Put::Stop(Stop::Raised),
            };
        }
        if let Some(index) = self.memo.get(state) {
            self.no_memory |= self.out.get(index).is_err();
            self.out.op(Opcode::Build);
            return Put::Done;
        }
        let Some(dict) = state.cast_exact::<Dict>() else { return Put::Stop(Stop::Raised) };
        self.out.op(Opcode::EmptyDict);
        self.memoize(state, true);
        let (entries, size) = (dict.entries(), dict.len());
        let source = Source::Dict(dict, entries);
        Put::Begun(Frame::Pairs(self.open_pairs(source, size, then)))
    }

    /// `(dict or None, {name: value of the slot})`
    fn slots_state(&mut self, object: &Object, place: usize, first: Obj) -> PyResult<Obj> {
        let slots = Dict::new()?;
        if let Plan::Instance(shape) = &self.plans.entry(place).plan {
            for (name, offset) in &shape.slots {
                if let Some(value) = object.slot(*offset) {
                    slots.set(name, value)?;
                }
            }
        }
        Ok(Tuple::from_items([first, slots.into_obj()])?.into_obj())
    }

    /// Begins the second half of a state: the slots, as a dict that does not exist.
    fn begin_slots(&mut self, object: &'q Object, place: usize) -> Frame<'q> {
        let size = match &self.plans.entry(place).plan {
            Plan::Instance(shape) => {
                shape.slots.iter().filter(|(_, offset)| object.slot(*offset).is_some()).count()
            }
            _ => 0,
        };
        self.edge();
        self.out.op(Opcode::EmptyDict);
        self.memo_skip();
        let source = Source::Slots(object, place);
        Frame::Pairs(self.open_pairs(source, size, Then::Build2))
    }

    /// Writes the class of an instance. False, and nothing is written, if that takes Python.
    #[inline(always)]
    fn class(&mut self, class: &'q Type, place: usize) -> bool {
        let stamp = self.memo.stamp();
        let written = &mut self.plans.entry(place).written;
        written.renew(stamp);
        if let Some(fetch) = written.class {
            self.out.get_again(fetch);
            return true;
        }
        self.first_class(class, place)
    }

    #[inline(never)]
    fn first_class(&mut self, class: &'q Type, place: usize) -> bool {
        if let Some(index) = self.memo.get(class) {
            if self.out.get(index).is_err() {
                return false;
            }
        } else if !self.global(class) {
            return false;
        }
        let index = self.memo.get(class);
        self.plans.entry(place).written.class = index.and_then(|index| Fetch::new(index).ok());
        true
    }

    /// Writes a class that is not in the memo as a global, if it is where it says, and finding it
    /// takes no Python. Else false, and nothing is written.
    fn global(&mut self, class: &'q Type) -> bool {
        let state = self.state;
        let found = self.out.protocol() >= 4
            && state.extension_registry.len() == 0
            && plan::has_plain_metaclass(state, class)
            && self.table.is_some_and(|table| !plan::has(table, class.type_of()))
            && !is_type_of_singleton(class)
            && state.import_is_known();
        let Some((module, name)) = found.then(|| global::find_quietly(state, class)).flatten()
        else {
            return false;
        };
        let (module, name) = (self.keep.hold(module), self.keep.hold(name));
        let is_short = |name: &Object| {
            name.cast_exact::<Str>().and_then(Str::ascii).is_some_and(|name| name.len() < 256)
        };
        if !is_short(module) || !is_short(name) {
            return false;
        }
        // In a file, all of it must be in one frame.
        if self.to_file && self.out.room() < 2 * 256 + HEADER {
            return false;
        }
        for name in [module, name] {
            // Both are short, and come without a stop.
            let _ = self.key(name);
        }
        self.out.op(Opcode::StackGlobal);
        self.memoize(class, true);
        true
    }
}

/// The types of None, NotImplemented and `...` are written in a way of their own.
fn is_type_of_singleton(class: &Type) -> bool {
    [Object::none(), Object::not_implemented(), Object::ellipsis()]
        .iter()
        .any(|singleton| singleton.type_of().as_obj().is(class))
}

#[inline(always)]
fn next_entry<'q>(entries: Entries<'q>, slot: &mut usize) -> Option<(&'q Object, &'q Object)> {
    while *slot < entries.slots() {
        *slot += 1;
        if let Some(pair) = entries.get(*slot - 1) {
            return Some(pair);
        }
    }
    None
}

/// Encodes as UTF-8; false at a lone surrogate, which takes a codec.
fn encode(points: CodePoints<'_>, out: &mut Vec<u8>) -> bool {
    out.clear();
    match points {
        CodePoints::One(points) => {
            out.reserve(points.len() * 2);
            for &point in points {
                if point < 0x80 {
                    out.push(point);
                } else {
                    out.extend_from_slice(&[0xc0 | point >> 6, 0x80 | point & 0x3f]);
                }
            }
            true
        }
        CodePoints::Two(points) => {
            out.reserve(points.len() * 3);
            points.iter().all(|&point| push(u32::from(point), out))
        }
        CodePoints::Four(points) => {
            out.reserve(points.len() * 4);
            points.iter().all(|&point| push(point, out))
        }
    }
}

#[inline(always)]
fn push(point: u32, out: &mut Vec<u8>) -> bool {
    let Some(point) = char::from_u32(point) else { return false };
    let mut buffer = [0; 4];
    out.extend_from_slice(point.encode_utf8(&mut buffer).as_bytes());
    true
}

impl<'q> ListFrame<'q> {
    pub(super) fn new(
        list: &'q List,
        next: usize,
        batch: (usize, usize),
        marked: bool,
    ) -> ListFrame<'q> {
        ListFrame { list, items: list.items(), next, batch, marked }
    }
}

impl<'q> PairsFrame<'q> {
    /// A dict that the walker began to write.
    pub(super) fn of_dict(
        dict: &'q Dict,
        slot: usize,
        size: usize,
        (done, batch): (usize, usize),
        marked: bool,
    ) -> PairsFrame<'q> {
        PairsFrame {
            source: Source::Dict(dict, dict.entries()),
            slot,
            size,
            done,
            batch,
            marked,
            current: None,
            value_is_next: false,
            then: Then::Nothing,
        }
    }

    /// The dict, if there is one.
    pub(super) fn dict(&self) -> Option<&'q Dict> {
        match self.source {
            Source::Dict(dict, _) => Some(dict),
            _ => None,
        }
    }

    #[inline(always)]
    fn begin_item(&mut self, key: &'q Object, value: &'q Object) {
        self.done += 1;
        self.batch += 1;
        self.current = Some((key, value));
        self.value_is_next = true;
    }
}
