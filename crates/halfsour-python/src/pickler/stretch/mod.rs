//! A stretch of a dump in which no Python code runs.
//!
//! Most of what is pickled is written without asking anybody: built-in types, and instances whose
//! [plan](super::plan) says how. Here that is done with borrowed references, on a stack of small frames, until
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

mod containers;
mod instances;

use super::plan::Plans;
use super::unshared::KEPT_FOR_OBJECT;
use crate::ffi::buffer::View;
use crate::ffi::builtins::CodePoints;
use crate::ffi::keep::Keep;
use crate::ffi::layout::{Entries, Named, Values};
use crate::ffi::{
    AnySet, ByteArray, Bytes, Dict, Float, Int, Kind, List, Obj, Object, PyResult, Raised, Str,
    Tuple, Type, error,
};
use crate::memo::{self, Found, Memo};
use crate::signals::Signals;
use crate::state::State;
use containers::{AnyPairs, NamedPairs};
use halfsour::{Emitter, FRAME_TARGET, Opcode, Payload, Sink};

/// How many containers are written between two looks at the clock.
pub(super) const TICKS: u32 = 1 << 12;

/// What the memo does with objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeping {
    /// It notes those that others may refer to, and keeps none alive.
    Unshared,
    /// It keeps those that others may refer to. What is written was made by a hook a moment ago, and
    /// nobody but the walker holds it: built-in objects in it with one reference are seen by nobody.
    Fresh,
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
    /// The same, by what is known of its type: the next one of it will be no better.
    ByType(&'q Object),
    /// The frame is full, and must be written to the file before this object is; or too much is kept
    /// for the file.
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
#[derive(Clone, Copy)]
pub(super) enum Frame<'q> {
    List(ListFrame<'q>),
    Tuple(TupleFrame<'q>),
    Dict(DictFrame<'q>),
    Attributes(AttributesFrame<'q>),
    Slots(SlotsFrame<'q>),
    Fields(FieldsFrame<'q>),
    Set(SetFrame<'q>),
}

#[derive(Clone, Copy)]
pub(super) struct ListFrame<'q> {
    pub(super) list: &'q List,
    items: &'q [&'q Object],
    /// items that were begun
    pub(super) next: usize,
    /// where the batch begins, and where it ends
    pub(super) batch: (usize, usize),
    /// the batch has a MARK
    pub(super) marked: bool,
    pub(super) then: Then<'q>,
}

#[derive(Clone, Copy)]
pub(super) struct TupleFrame<'q> {
    pub(super) tuple: &'q Tuple,
    pub(super) next: usize,
    pub(super) marked: bool,
    pub(super) then: Then<'q>,
}

#[derive(Clone, Copy)]
pub(super) struct DictFrame<'q> {
    pub(super) dict: &'q Dict,
    entries: Entries<'q>,
    /// the slot to look at next
    pub(super) slot: usize,
    pub(super) size: usize,
    /// items that were begun
    pub(super) done: usize,
    /// where the batch begins, and where it ends
    pub(super) batch: (usize, usize),
    /// the batch has a MARK
    pub(super) marked: bool,
    /// The value before the slot was not begun yet.
    pub(super) value_is_next: bool,
    pub(super) then: Then<'q>,
}

/// Attributes of an instance that nobody else can see, so that no dict needs to be there.
#[derive(Clone, Copy)]
pub(super) struct AttributesFrame<'q> {
    keys: &'q [Named<'q>],
    values: Values<'q>,
    next: usize,
    /// The name of the next one is written already.
    value_is_next: bool,
    /// the place of the plan
    place: usize,
    then: Then<'q>,
}

/// The slots of an instance, as the dict that they would be.
#[derive(Clone, Copy)]
pub(super) struct SlotsFrame<'q> {
    object: &'q Object,
    next: usize,
    count: usize,
    /// the place of the plan
    place: usize,
}

/// The fields of an instance, as the list that they would be.
#[derive(Clone, Copy)]
pub(super) struct FieldsFrame<'q> {
    object: &'q Object,
    next: usize,
    /// the place of the plan
    place: usize,
}

#[derive(Clone, Copy)]
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
    /// It is the arguments with which this object is made, by NEWOBJ or REDUCE: those of a
    /// namedtuple or of an enum's member.
    Made(&'q Object, Opcode),
    /// It is the first half of the object's state; its slots are the second.
    Slots(&'q Object, usize),
    /// It is the second half: TUPLE2, BUILD.
    Build2,
}

/// What became of an object.
enum Put<'q> {
    Done,
    /// Its frame is the topmost.
    Begun,
    Stop(Stop<'q>),
}

/// A step with the topmost frame: until it is done, or has another one above it.
type Step<'q> = Result<(), Stop<'q>>;

/// How a step ends with what became of an object.
#[inline(always)]
fn went(put: Put<'_>) -> Step<'_> {
    match put {
        Put::Stop(stop) => Err(stop),
        Put::Done | Put::Begun => Ok(()),
    }
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
    /// Large payloads are written apart.
    pub(super) apart: bool,
    /// No callback takes the buffers.
    pub(super) in_band: bool,
    /// How many bytes may be kept, besides those for each object: see [`Stop::Full`].
    pub(super) most: usize,
    /// What is written in part, the outermost first.
    pub(super) frames: Vec<Frame<'q>>,
    pub(super) ticks: &'w mut u32,
    /// How many tuples are being written that have several references, in what is
    /// [fresh](Keeping::Fresh): they may come again before they are in the memo, with all that is in
    /// them.
    open_tuples: usize,
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
        frames: Vec<Frame<'q>>,
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
            apart: to_file,
            in_band: true,
            most: usize::MAX,
            frames,
            ticks,
            open_tuples: 0,
            no_memory: false,
            text: Vec::new(),
        }
    }

    /// Writes until all is done, or until something takes Python.
    pub(super) fn run(&mut self, begin: Begin<'q>) -> Result<(), Stop<'q>> {
        match begin {
            Begin::Frame(frame) => {
                self.push(frame);
            }
            Begin::Object(object) => {
                if let Put::Stop(stop) = self.put(object) {
                    return Err(stop);
                }
            }
        }
        while let Some(frame) = self.frames.last() {
            match *frame {
                Frame::List(frame) => self.list(frame)?,
                Frame::Dict(frame) => match frame.entries {
                    Entries::Named(entries) => self.dict(frame, NamedPairs(entries))?,
                    entries => self.dict(frame, AnyPairs(entries))?,
                },
                Frame::Attributes(frame) => self.attributes(frame)?,
                Frame::Slots(frame) => self.slots(frame)?,
                Frame::Fields(frame) => self.fields(frame)?,
                Frame::Tuple(frame) => self.tuple(frame)?,
                Frame::Set(frame) => self.set(frame)?,
            }
            if self.no_memory || self.out.is_out_of_memory() {
                break;
            }
        }
        self.end()
    }

    #[inline(always)]
    fn push(&mut self, frame: Frame<'q>) -> Put<'q> {
        if self.frames.len() == self.frames.capacity() && self.frames.try_reserve(1).is_err() {
            self.no_memory = true;
            return Put::Done;
        }
        self.frames.push(frame);
        Put::Begun
    }

    /// Puts a frame back where it is, below the one of its child or on top.
    #[inline(always)]
    fn wait(&mut self, place: usize, frame: Frame<'q>, put: Put<'q>) -> Step<'q> {
        if let Some(waiting) = self.frames.get_mut(place) {
            *waiting = frame;
        }
        went(put)
    }

    fn end(&self) -> Result<(), Stop<'q>> {
        let is_short = self.no_memory || self.out.is_out_of_memory();
        if is_short { Err(self.out_of_memory()) } else { Ok(()) }
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
        if self.out.is_full() {
            if self.to_file || self.keeps_too_much() {
                return Put::Stop(Stop::Full(object));
            }
            self.edge();
        }
        match self.plain(object) {
            Some(put) => put,
            None => self.shared(object, object.kind()),
        }
    }

    #[cold]
    fn keeps_too_much(&self) -> bool {
        self.out.len().saturating_sub(self.most) > self.memo.len() * KEPT_FOR_OBJECT
    }

    /// Writes a string, a number, a bool or None: None for other objects.
    // Asks for the types themselves, which are compared here: [`Object::kind`] is a call.
    #[inline(always)]
    fn plain(&mut self, object: &'q Object) -> Option<Put<'q>> {
        if let Some(text) = object.cast_exact::<Str>() {
            return Some(self.text(object, text, false));
        }
        if let Some(int) = object.cast_exact::<Int>() {
            return Some(self.int(object, int));
        }
        atom(self.out, object).then_some(Put::Done)
    }

    /// Writes an object that has no others in it, or that the memo has, and needs no frame; false,
    /// and nothing is written, for others.
    #[inline(always)]
    fn leaf(&mut self, object: &'q Object) -> bool {
        if self.out.is_full() {
            return false;
        }
        match self.plain(object) {
            Some(put) => matches!(put, Put::Done),
            None => self.is_asked_for(object) && self.again(object),
        }
    }

    #[inline(never)]
    fn again(&mut self, object: &'q Object) -> bool {
        let index = self.memo.get(object).filter(|index| *index != memo::OPEN);
        index.is_some_and(|index| self.out.get(index).is_ok())
    }

    /// Closes a full frame. Into a file that never happens here: see [`Stop::Full`].
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
            Kind::Tuple => self.begin_tuple(object),
            Kind::Bytes => self.bytes(object),
            Kind::Other => self.instance(object),
            Kind::Set | Kind::FrozenSet => self.begin_set(object, kind == Kind::FrozenSet),
            Kind::ByteArray => self.bytearray(object),
            Kind::PickleBuffer => self.pickle_buffer(object),
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
        match self.keeping {
            Keeping::Unshared => !object.is_unshared(),
            Keeping::Fresh => !object.is_unshared() || self.open_tuples > 0,
            // What the memo has, it holds too.
            Keeping::All | Keeping::Visible => !object.is_unshared(),
        }
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
            Keeping::Fresh if !is_shared => Ok(self.memo.skip()),
            Keeping::Fresh | Keeping::All | Keeping::Visible => {
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
    pub(super) fn memoize(&mut self, object: &'q Object, is_shared: bool) {
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
    fn text(&mut self, object: &'q Object, text: &'q Str, always: bool) -> Put<'q> {
        let is_kept = matches!(self.keeping, Keeping::All | Keeping::Visible);
        if always || is_kept || self.is_asked_for(object) {
            return self.shared_text(object, text);
        }
        match text.ascii() {
            Some(ascii) if ascii.len() < FRAME_TARGET => {
                let index = self.memo.skip() as i64;
                self.no_memory |= self.out.payload_memoized(Payload::Text, ascii, index).is_err();
                Put::Done
            }
            _ => self.long_str(object, text, false),
        }
    }

    /// Writes a string that may be in the memo.
    #[inline(never)]
    fn shared_text(&mut self, object: &'q Object, text: &'q Str) -> Put<'q> {
        let place = match self.memo.look(object) {
            Ok(Found::Index(index)) => return self.get(object, index),
            Ok(Found::Vacant(place)) => place,
            Err(_) => {
                self.no_memory = true;
                return Put::Done;
            }
        };
        let Some(ascii) = text.ascii().filter(|ascii| ascii.len() < FRAME_TARGET) else {
            return self.long_str(object, text, true);
        };
        let index = if self.keeping == Keeping::Unshared {
            self.memo.note_at(place, object)
        } else {
            self.memo.insert_at(place, object.own()).unwrap_or_else(|_| {
                self.no_memory = true;
                0
            })
        };
        self.no_memory |= self.out.payload_memoized(Payload::Text, ascii, index as i64).is_err();
        Put::Done
    }

    #[inline(never)]
    fn long_str(&mut self, object: &'q Object, text: &Str, is_shared: bool) -> Put<'q> {
        let mut encoded = std::mem::take(&mut self.text);
        let utf8 = match text.ascii() {
            Some(ascii) => Some(ascii),
            None => match text.kept_utf8() {
                Some(utf8) => Some(utf8),
                None => encode(text.code_points(), &mut encoded).then_some(&encoded[..]),
            },
        };
        let result = match utf8 {
            Some(utf8) if utf8.len() < FRAME_TARGET || !self.apart => {
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
    fn int(&mut self, object: &'q Object, int: &'q Int) -> Put<'q> {
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
        let value = int.short().or_else(|| int.as_i64());
        if let Some(value) = value.and_then(|value| i32::try_from(value).ok()) {
            self.out.int(value);
            return Put::Done;
        }
        if !self.out.long_is_binary() {
            return Put::Stop(Stop::At(object));
        }
        if let Some(value) = value {
            self.out.int64(value);
            return Put::Done;
        }
        match error::quietly(int.to_le_bytes()).map(|bytes| self.out.long(&bytes)) {
            Some(Ok(())) => Put::Done,
            _ => Put::Stop(Stop::At(object)),
        }
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

    fn pickle_buffer(&mut self, object: &'q Object) -> Put<'q> {
        match self.in_band.then(|| plain_view(object)).flatten() {
            Some(view) => {
                let kind = if view.is_readonly() { Payload::Bytes } else { Payload::ByteArray };
                self.payload(object, kind, view.as_slice(), 5)
            }
            _ => Put::Stop(Stop::At(object)),
        }
    }

    #[inline(always)]
    fn payload(&mut self, object: &'q Object, kind: Payload, data: &[u8], protocol: u8) -> Put<'q> {
        let is_large = data.len() >= FRAME_TARGET;
        if self.out.protocol() < protocol || (is_large && self.apart) {
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
}

/// Writes None, a bool, a float or a small int, which take no memo; false, and nothing is written,
/// for others.
#[inline(always)]
pub(super) fn atom<S: Sink>(out: &mut Emitter<S>, object: &Object) -> bool {
    let int = object.cast_exact::<Int>().and_then(Int::compact);
    if let Some(Ok(value)) = int.map(i32::try_from) {
        out.int(value);
    } else if object.is_none() {
        out.none();
    } else if let Some(float) = object.cast_exact::<Float>() {
        out.float(float.value());
    } else if object.is(Object::bool(true)) {
        out.bool(true);
    } else if object.is(Object::bool(false)) {
        out.bool(false);
    } else {
        return false;
    }
    true
}

/// The memory of a `PickleBuffer`, if it is in one piece.
pub(super) fn plain_view(object: &Object) -> Option<&View> {
    error::quietly(View::of_pickle_buffer(object)).filter(|view| view.is_plain())
}

/// Encodes as UTF-8; false at a lone surrogate, which takes a codec, and without memory.
fn encode(points: CodePoints<'_>, out: &mut Vec<u8>) -> bool {
    match points {
        CodePoints::One(points) => encode_as::<_, 2>(points, out),
        CodePoints::Two(points) => encode_as::<_, 3>(points, out),
        CodePoints::Four(points) => encode_as::<_, 4>(points, out),
    }
}

/// Each code point takes at most `MOST` bytes.
#[inline(always)]
fn encode_as<P: Copy + Into<u32>, const MOST: usize>(points: &[P], out: &mut Vec<u8>) -> bool {
    // Four bytes are written for each, of which the next overwrites what is too much.
    let most = points.len() * MOST + 4;
    if out.try_reserve(most.saturating_sub(out.len())).is_err() {
        return false;
    }
    out.resize(most, 0);
    let mut used = 0;
    for &point in points {
        let point = point.into();
        let last = 0x80 | point & 0x3f;
        let (bytes, size) = if point < 0x80 {
            (point, 1)
        } else if MOST == 2 || point < 0x800 {
            (0xc0 | point >> 6 | last << 8, 2)
        } else if MOST == 3 || point < 0x1_0000 {
            if point & 0xf800 == 0xd800 {
                return false;
            }
            (0xe0 | point >> 12 | (0x80 | point >> 6 & 0x3f) << 8 | last << 16, 3)
        } else {
            let middle = (0x80 | point >> 12 & 0x3f) << 8 | (0x80 | point >> 6 & 0x3f) << 16;
            (0xf0 | point >> 18 | middle | last << 24, 4)
        };
        if let Some(place) = out.get_mut(used..used + 4) {
            place.copy_from_slice(&bytes.to_le_bytes());
        }
        used += size;
    }
    out.truncate(used);
    true
}

/// Empties a stack, so that its memory serves for objects that live at another time.
pub(super) fn recycle<'b>(mut frames: Vec<Frame<'_>>) -> Vec<Frame<'b>> {
    frames.clear();
    // There is nothing to convert; the standard library does it in place.
    frames.into_iter().map(|_| unreachable!()).collect()
}
