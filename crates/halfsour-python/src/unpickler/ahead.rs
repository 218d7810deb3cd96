//! The hot path of loads: opcodes that are executed ahead of the machine.
//!
//! The machine can do all of this by itself, and does where `HALFSOUR_GENERIC=1` is set or an
//! interpreter's layouts are unknown. Here are only the opcodes by which most pickles say most, as far
//! as they are well-formed and run no Python; whatever else comes, an error too, is left to the
//! machine. That gives three liberties. The memo borrows ([`Recall`]). The collector pauses
//! ([`Pause`]). And what the pickle makes only to take it apart again is not made: the state of an
//! instance, the items of a namedtuple, the bytes of a datetime; their memo entries say what they
//! would have been made from ([`Elided`]). Before Python can run, [`PyHeap::settle`] makes good.

use super::heap::PyHeap;
use super::plan::{Plan, Plans, values_of};
use super::source::{Fault, Payload};
use super::template::{Seen, Templates};
use crate::ffi::collector::Pause;
use crate::ffi::datetime::Kind;
use crate::ffi::error::{check_signals, is_interrupted, no_memory};
use crate::ffi::layout::move_pairs;
use crate::ffi::recall::{Elided, Entry, Recall};
use crate::ffi::{
    Bytes, Dict, Float, Int, List, Obj, Object, Own, PyResult, Raised, Set, Str, Tuple, Type,
};
use halfsour::{Heap, Machine, Reader};

/// What a load works with by itself, kept from one to the next.
#[derive(Default)]
pub(super) struct Ahead {
    pub(super) recall: Recall,
    pub(super) plans: Plans,
    templates: Templates,
    /// States on the stack that are not made yet: each is right below a mark.
    pending: Vec<Pending>,
    fresh: Option<Fresh>,
}

impl Ahead {
    /// Forgets the load. May run finalisers.
    pub(super) fn clear(&mut self) {
        self.pending.clear();
        self.fresh = None;
        self.recall.clear();
    }
}

/// An instance was just made, and the dict of its state is being filled.
struct Pending {
    /// Where the dict is on the stack: None is there in its place.
    place: usize,
    /// its memo index
    index: usize,
    /// The dict is of slots; in the end a pair is made of None and it.
    slots: bool,
}

/// The instance that was memoized last, if NEWOBJ has just made it: its state may be next. A frame may
/// end before that.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Fresh {
    /// how many entries the memo had, with it
    entries: usize,
    /// where it is on the stack
    place: usize,
    /// It has a dict,
    dict: bool,
    /// or only slots: then its state is a pair of None and a dict.
    slots: bool,
}

/// Why a stretch of opcodes ended.
enum Next {
    /// The machine's turn.
    Machine,
    /// FRAME or STOP is next.
    Quiet,
    /// There is nothing more at hand, or not in this frame.
    End,
    /// It is time to look for signals.
    Signals,
}

/// How many opcodes pass between two looks at the clock.
const BUDGET: u32 = 1 << 12;

/// Objects of so many bytes are left to the machine, which reads them more carefully.
const LARGE: usize = 1 << 14;

impl PyHeap<'_> {
    /// Executes opcodes until there is one for the machine. True if [`settle`](PyHeap::settle) was
    /// not called, since only FRAME or STOP may come next.
    pub(super) fn ahead<S: Payload>(
        &mut self,
        machine: &mut Machine<Obj>,
        reader: &mut Reader<S>,
    ) -> Result<bool, Fault> {
        if std::mem::take(&mut self.signals_are_due) {
            self.settle(machine)?;
            check_signals()?;
        }
        loop {
            let bytes = reader.ahead();
            match bytes.first() {
                Some(&opcode) if HANDLED[usize::from(opcode)] => {}
                None | Some(0x95 | b'.') => return Ok(self.read_on::<S>()),
                _ => {
                    self.settle(machine)?;
                    if self.call(machine, reader)? {
                        continue;
                    }
                    return Ok(false);
                }
            }
            let (stack, marks) = machine.parts();
            let pause = Pause::begin();
            let mut stretch = Stretch {
                heap: self,
                bytes,
                at: 0,
                fence: marks.last().copied().unwrap_or(0),
                stack,
                marks,
            };
            let next = stretch.run();
            let used = stretch.at;
            drop(pause);
            reader.consume(used);
            match next? {
                Next::Quiet => return Ok(self.read_on::<S>()),
                Next::End => {}
                Next::Machine => {
                    self.settle(machine)?;
                    if !self.call(machine, reader)? {
                        return Ok(false);
                    }
                }
                Next::Signals => {
                    if self.signals.are_due() && is_interrupted() {
                        self.settle(machine)?;
                        check_signals()?;
                    }
                }
            }
        }
    }

    /// Before the source is read that runs Python for it: then nothing may be borrowed. What was
    /// elided stays so, since nobody can see it. True, for `ahead`.
    #[inline(always)]
    fn read_on<S: Payload>(&mut self) -> bool {
        if S::RUNS_PYTHON {
            self.ahead.plans.python_ran();
            self.ahead.recall.own();
        }
        true
    }

    /// Executes an opcode that may run Python, if it is one of the most frequent; after `settle`.
    #[inline]
    fn call<S: Payload>(
        &mut self,
        machine: &mut Machine<Obj>,
        reader: &mut Reader<S>,
    ) -> Result<bool, Fault> {
        let Some(&opcode) = reader.ahead().first() else { return Ok(false) };
        let operands = match opcode {
            b'R' | b'b' | 0x81 => 2,
            b'Q' => 1,
            _ => return Ok(false),
        };
        let (stack, marks) = machine.parts();
        if stack.len() < marks.last().copied().unwrap_or(0) + operands {
            return Ok(false);
        }
        reader.consume(1);
        let Some(top) = stack.pop() else { return Ok(false) };
        let made = match opcode {
            b'b' => {
                let Some(instance) = stack.last().cloned() else { return Ok(false) };
                self.give_state(&instance, top)?;
                return Ok(true);
            }
            b'Q' => {
                Heap::<S>::persistent_ready(self)?;
                Heap::<S>::persistent_load(self, top)?
            }
            _ => {
                let Some(called) = stack.pop() else { return Ok(false) };
                if opcode == b'R' {
                    Heap::<S>::reduce(self, called, top)?
                } else {
                    Heap::<S>::newobj(self, called, top)?
                }
            }
        };
        machine.parts().0.push(made);
        Ok(true)
    }

    /// Before anything but this module runs: makes what was elided and might change, and owns what
    /// was borrowed.
    #[inline]
    pub(super) fn settle(&mut self, machine: &mut Machine<Obj>) -> PyResult<()> {
        self.ahead.plans.python_ran();
        self.ahead.fresh = None;
        if !self.ahead.pending.is_empty() {
            let (stack, _) = machine.parts();
            while let Some(pending) = self.ahead.pending.pop() {
                self.make_pending(stack, &pending)?;
            }
        }
        if !self.ahead.recall.unsettled().is_empty() {
            self.settle_memo()?;
        }
        Ok(())
    }

    fn settle_memo(&mut self) -> PyResult<()> {
        let unsettled =
            if self.ahead.recall.elides() { self.ahead.recall.unsettled() } else { 0..0 };
        for index in unsettled {
            if let Some(Entry::Elided(Elided::State | Elided::SlotState | Elided::SlotPair, _)) =
                self.ahead.recall.get(index)
            {
                self.make_elided(index)?;
            }
        }
        self.ahead.recall.settled();
        Ok(())
    }

    /// The machine wants the memo: from here on it is the Unpickler's own.
    #[cold]
    pub(super) fn hand_memo_over(&mut self) {
        if !std::mem::take(&mut self.recalls) {
            return;
        }
        for index in 0..self.ahead.recall.len() {
            if matches!(self.ahead.recall.get(index), Some(Entry::Elided(..))) {
                // Without memory for this there is none for the rest either.
                drop(self.make_elided(index));
            }
        }
        let mut memo = self.unpickler.memo.borrow_mut();
        for (index, object) in self.ahead.recall.take().into_iter().enumerate() {
            drop(memo.put(index, object));
        }
    }

    /// Makes the empty dict that is on the stack in name only.
    #[cold]
    fn make_pending(&mut self, stack: &mut [Obj], pending: &Pending) -> PyResult<()> {
        let dict = Dict::new()?.into_obj();
        if let Some(place) = stack.get_mut(pending.place) {
            *place = dict.clone();
        }
        self.ahead.recall.replace(pending.index, dict);
        Ok(())
    }

    /// Makes what a memo entry stands for.
    #[cold]
    fn make_elided(&mut self, index: usize) -> PyResult<Obj> {
        let (what, source) = match self.ahead.recall.get(index) {
            Some(Entry::Elided(what, source)) => (what, source.own()),
            Some(Entry::Object(object)) => return Ok(object.own()),
            None => return Err(Raised),
        };
        let made = match what {
            Elided::State | Elided::SlotState => {
                let Ahead { plans, .. } = &mut *self.ahead;
                let number = plans.find(self.state, source.type_of());
                let plan = plans.get(number);
                let dict = Dict::new()?;
                if what == Elided::State {
                    let values = plan.dict.map_or_else(Vec::new, |place| values_of(&source, place));
                    for (key, value) in plan.attributes.keys().iter().zip(values) {
                        dict.set(key, &value)?;
                    }
                } else {
                    let names = &plan.slot_names;
                    for (key, offset) in names.keys().iter().zip(names.offsets()) {
                        if let Some(value) = source.slot(*offset) {
                            dict.set(key, value)?;
                        }
                    }
                }
                dict.into_obj()
            }
            Elided::SlotPair => {
                let dict = self.make_elided(index - 1)?;
                Tuple::from_items([Object::none().own(), dict])?.into_obj()
            }
            Elided::Items => {
                let items = source.cast::<Tuple>().map_or(&[][..], Tuple::items);
                let items: Vec<Obj> = items.iter().map(|item| item.own()).collect();
                Tuple::from_items(items)?.into_obj()
            }
            Elided::Packed => {
                let parts = Kind::of(source.type_of()).and_then(|kind| kind.parts(&source, 5));
                match parts {
                    Some(crate::ffi::datetime::Parts::Packed(bytes, length)) => {
                        Bytes::new(&bytes[..length])?.into_obj()
                    }
                    _ => return Err(Raised),
                }
            }
            Elided::PackedArgs => Tuple::from_items([self.make_elided(index - 1)?])?.into_obj(),
        };
        self.ahead.recall.replace(index, made.clone());
        Ok(made)
    }
}

/// Which opcodes are executed here.
static HANDLED: [bool; 256] = {
    let mut handled = [false; 256];
    let opcodes = b"\x80NKMJG\x88\x89\x8a\x8cXCB])}\x8f(\x94qrhj\x85\x86\x87taesu\x90\x91\x81";
    let mut i = 0;
    while i < opcodes.len() {
        handled[opcodes[i] as usize] = true;
        i += 1;
    }
    handled
};

/// Opcodes in a row, none of which runs Python.
struct Stretch<'s, 'h> {
    heap: &'s mut PyHeap<'h>,
    bytes: &'s [u8],
    /// What is done already.
    at: usize,
    stack: &'s mut Vec<Obj>,
    marks: &'s mut Vec<usize>,
    /// the topmost mark, or 0
    fence: usize,
}

impl<'h> Stretch<'_, 'h> {
    #[inline(always)]
    fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.bytes.get(at..)?.first_chunk().copied()
    }

    #[inline(always)]
    fn push(&mut self, value: Obj) -> PyResult<()> {
        if self.stack.len() == self.stack.capacity() && self.stack.try_reserve(1).is_err() {
            return Err(no_memory());
        }
        self.stack.push(value);
        Ok(())
    }

    /// Where an opcode ends that stores at the memo's next index, if there is one at `at`.
    #[inline(always)]
    fn memo_opcode(&self, at: usize, index: usize) -> Option<usize> {
        match *self.bytes.get(at)? {
            0x94 => Some(at + 1),
            b'q' if usize::from(*self.bytes.get(at + 1)?) == index => Some(at + 2),
            b'r' if u32::from_le_bytes(self.array(at + 1)?) as usize == index => Some(at + 5),
            _ => None,
        }
    }

    /// The value for the memo is on top of the stack. False if the machine must do it.
    #[inline(always)]
    fn memoize(&mut self, index: Option<usize>) -> bool {
        let Some(top) = self.stack.last().filter(|_| self.stack.len() > self.fence) else {
            return false;
        };
        if self.heap.recalls {
            let recall = &mut self.heap.ahead.recall;
            if index.is_some_and(|index| index != recall.len()) {
                return false;
            }
            recall.push(top);
            return true;
        }
        self.heap.unpickler.memo.borrow_mut().append(index, top)
    }

    /// Pushes a new object, and memoizes it if that comes next.
    #[inline(always)]
    fn push_new(&mut self, value: Obj, end: usize) -> PyResult<()> {
        self.at = end;
        if self.bytes.get(end) == Some(&0x94) && self.heap.recalls {
            self.heap.ahead.recall.push(&value);
            self.at = end + 1;
        }
        self.push(value)
    }

    #[inline(always)]
    fn let_go(&mut self, object: Obj) {
        if self.heap.recalls {
            self.heap.ahead.recall.let_go(object);
        }
    }

    /// Takes the topmost mark, which is above `place`s that are not pending.
    #[inline(always)]
    fn take_mark(&mut self) -> Option<usize> {
        let mark = *self.marks.last()?;
        if self.heap.ahead.pending.last().is_some_and(|pending| pending.place + 1 == mark) {
            return None;
        }
        Some(mark)
    }

    #[inline(always)]
    fn drop_mark(&mut self) {
        self.marks.pop();
        self.fence = self.marks.last().copied().unwrap_or(0);
    }

    fn run(&mut self) -> Result<Next, Fault> {
        let bytes = self.bytes;
        let recalls = self.heap.recalls;
        let mut budget = BUDGET;
        // Where the opcode at hand is; `self.at` says it whenever others look.
        let mut at = self.at;
        macro_rules! leave {
            ($next:expr) => {{
                self.at = at;
                return Ok($next);
            }};
        }
        macro_rules! some {
            ($option:expr) => {
                match $option {
                    Some(value) => value,
                    None => leave!(Next::Machine),
                }
            };
        }
        macro_rules! must {
            ($condition:expr) => {
                if !$condition {
                    leave!(Next::Machine);
                }
            };
        }
        macro_rules! ok {
            ($result:expr) => {
                match $result {
                    Ok(value) => value,
                    Err(raised) => {
                        self.at = at;
                        return Err(Fault::from(raised));
                    }
                }
            };
        }
        macro_rules! argument {
            ($count:literal) => {
                *some!(bytes.get(at + 1..).and_then(<[u8]>::first_chunk::<$count>))
            };
        }
        macro_rules! slice {
            ($start:expr, $length:expr) => {
                some!(bytes.get($start..).and_then(|rest| rest.get(..$length)))
            };
        }
        macro_rules! push {
            ($value:expr, $end:expr) => {{
                let value = ok!($value);
                at = $end;
                ok!(self.push(value));
            }};
        }
        // A new object, which may be memoized at once.
        macro_rules! push_new {
            ($value:expr, $end:expr) => {{
                let value = ok!($value);
                at = $end;
                if recalls && bytes.get(at) == Some(&0x94) {
                    self.heap.ahead.recall.push(&value);
                    at += 1;
                }
                ok!(self.push(value));
            }};
        }
        loop {
            let Some(&opcode) = bytes.get(at) else { leave!(Next::End) };
            budget -= 1;
            if budget == 0 {
                leave!(Next::Signals);
            }
            match opcode {
                0x94 => {
                    must!(self.memoize(None));
                    at += 1;
                }
                b'K' => {
                    let [value] = argument!(1);
                    push!(Int::from_i32(value.into()), at + 2);
                }
                b'M' => {
                    let value = u16::from_le_bytes(argument!(2));
                    push!(Int::from_i32(value.into()), at + 3);
                }
                b'J' => {
                    let value = i32::from_le_bytes(argument!(4));
                    push!(Int::from_i32(value), at + 5);
                }
                0x8a => {
                    let [length] = argument!(1);
                    let digits = slice!(at + 2, usize::from(length));
                    let value = if digits.is_empty() {
                        Int::from_i32(0)
                    } else if let Some(value) = small(digits) {
                        Int::new(value)
                    } else {
                        Int::from_le_bytes(digits)
                    };
                    push!(value, at + 2 + digits.len());
                }
                b'G' => {
                    let value = f64::from_be_bytes(argument!(8));
                    push!(Float::new(value), at + 9);
                }
                b'N' => push!(Ok::<_, Raised>(Object::none().own()), at + 1),
                0x88 | 0x89 => {
                    push!(Ok::<_, Raised>(Object::bool(opcode == 0x88).own()), at + 1);
                }
                0x8c => {
                    let [length] = argument!(1);
                    let text = slice!(at + 2, usize::from(length));
                    push_new!(Str::from_pickled(text), at + 2 + text.len());
                }
                b'X' => {
                    let length = u32::from_le_bytes(argument!(4)) as usize;
                    must!(length < LARGE);
                    let text = slice!(at + 5, length);
                    push_new!(Str::from_pickled(text), at + 5 + length);
                }
                b'h' => {
                    let [index] = argument!(1);
                    let value = some!(ok!(self.recall(index.into())));
                    push!(Ok::<_, Raised>(value), at + 2);
                }
                b'j' => {
                    let index = u32::from_le_bytes(argument!(4));
                    let value = some!(ok!(self.recall(index as usize)));
                    push!(Ok::<_, Raised>(value), at + 5);
                }
                b'q' => {
                    let [index] = argument!(1);
                    must!(self.memoize(Some(index.into())));
                    at += 2;
                }
                b'r' => {
                    let index = u32::from_le_bytes(argument!(4));
                    must!(self.memoize(Some(index as usize)));
                    at += 5;
                }
                b'C' => {
                    let [length] = argument!(1);
                    let content = slice!(at + 2, usize::from(length));
                    let end = at + 2 + content.len();
                    // An empty payload at the very end is an error.
                    must!(end < bytes.len());
                    if matches!(length, 10 | 4 | 6) && ok!(self.datetime(content, end)) {
                        at = self.at;
                        continue;
                    }
                    push_new!(Bytes::unshared(content).map(Own::into_obj), end);
                }
                b'B' => {
                    let length = u32::from_le_bytes(argument!(4)) as usize;
                    must!(length < LARGE);
                    let content = slice!(at + 5, length);
                    let end = at + 5 + length;
                    must!(end < bytes.len());
                    push_new!(Bytes::unshared(content).map(Own::into_obj), end);
                }
                b'(' => {
                    if self.marks.len() == self.marks.capacity() {
                        ok!(self.marks.try_reserve(1).map_err(|_| no_memory()));
                    }
                    at += 1;
                    self.fence = self.stack.len();
                    self.marks.push(self.fence);
                }
                b']' => push_new!(List::from_items([]).map(Own::into_obj), at + 1),
                b'}' => {
                    self.at = at + 1;
                    if ok!(self.begin_state()) {
                        at = self.at;
                        continue;
                    }
                    push_new!(Dict::new().map(Own::into_obj), at + 1);
                }
                b')' => push!(Tuple::from_items([]).map(Own::into_obj), at + 1),
                0x8f => push_new!(Set::new().map(Own::into_obj), at + 1),
                0x85..=0x87 => {
                    let count = usize::from(opcode - 0x84);
                    let start = some!(self.stack.len().checked_sub(count));
                    must!(start >= self.fence);
                    if ok!(self.namedtuple(start, self.fence, at + 1)) {
                        at = self.at;
                        continue;
                    }
                    push_new!(Tuple::of_stack(self.stack, start), at + 1);
                }
                b't' => {
                    let mark = some!(self.take_mark());
                    let below = self.marks.len().checked_sub(2).map_or(0, |last| self.marks[last]);
                    let is_namedtuple = ok!(self.namedtuple(mark, below, at + 1));
                    self.drop_mark();
                    if is_namedtuple {
                        at = self.at;
                        continue;
                    }
                    push_new!(Tuple::of_stack(self.stack, mark), at + 1);
                }
                b'e' => {
                    let mark = some!(self.take_mark());
                    let list = some!(some!(self.target(mark)).cast_exact::<List>()).own_view();
                    self.drop_mark();
                    ok!(list.extend_moving(self.stack, mark));
                    at += 1;
                }
                b'a' => {
                    let start = some!(self.stack.len().checked_sub(1));
                    must!(start > self.fence);
                    let list = some!(self.stack[start - 1].cast_exact::<List>()).own_view();
                    ok!(list.extend_moving(self.stack, start));
                    at += 1;
                }
                b's' => {
                    let start = some!(self.stack.len().checked_sub(2));
                    must!(start > self.fence);
                    must!(ok!(self.set_items(start)));
                    at += 1;
                }
                b'u' => {
                    let mark = some!(self.marks.last().copied());
                    let pending = self.heap.ahead.pending.last();
                    if pending.is_some_and(|pending| pending.place + 1 == mark) {
                        self.at = at;
                        ok!(self.build(mark, at + 1));
                        at = self.at;
                        continue;
                    }
                    must!(self.target(mark).is_some());
                    must!((self.stack.len() - mark).is_multiple_of(2));
                    must!(ok!(self.set_items(mark)));
                    self.drop_mark();
                    at += 1;
                }
                0x90 => {
                    let mark = some!(self.take_mark());
                    must!(Set::is_new(some!(self.target(mark))));
                    must!(self.stack[mark..].iter().all(|item| item.is_plain_key()));
                    let set = self.stack[mark - 1].clone();
                    self.drop_mark();
                    ok!(self.add_items(&set, mark));
                    at += 1;
                }
                0x91 => {
                    let mark = some!(self.take_mark());
                    must!(self.stack[mark..].iter().all(|item| item.is_plain_key()));
                    let set = ok!(Set::new_frozen());
                    self.drop_mark();
                    ok!(self.add_items(&set, mark));
                    push_new!(Ok::<_, Raised>(set), at + 1);
                }
                0x81 => {
                    must!(ok!(self.new_object(at + 1)));
                    at = self.at;
                }
                0x80 if matches!(bytes.get(at + 1), Some(2..=5)) => {
                    let [protocol] = argument!(1);
                    self.heap.unpickler.protocol.set(protocol);
                    at += 2;
                }
                0x95 | b'.' => leave!(Next::Quiet),
                _ => leave!(Next::Machine),
            }
        }
    }

    /// What is below a mark, for the items above it.
    #[inline(always)]
    fn target(&self, mark: usize) -> Option<&Obj> {
        let fence = self.marks.len().checked_sub(2).map_or(0, |last| self.marks[last]);
        if mark > fence { self.stack.get(mark - 1) } else { None }
    }

    #[inline(always)]
    fn recall(&mut self, index: usize) -> PyResult<Option<Obj>> {
        if !self.heap.recalls {
            return Ok(self.heap.unpickler.memo.borrow_mut().get(index).cloned());
        }
        match self.heap.ahead.recall.get(index) {
            Some(Entry::Object(object)) => Ok(Some(object.own())),
            Some(Entry::Elided(..)) => self.recall_elided(index),
            None => Ok(None),
        }
    }

    #[cold]
    #[inline(never)]
    fn recall_elided(&mut self, index: usize) -> PyResult<Option<Obj>> {
        // The dict of a state that is being filled.
        let pending = &mut self.heap.ahead.pending;
        if let Some(place) = pending.iter().position(|pending| pending.index == index) {
            let pending = pending.remove(place);
            self.heap.make_pending(self.stack, &pending)?;
        }
        self.heap.make_elided(index).map(Some)
    }

    /// Puts keys and values, from `start` on, into the dict below them. False if that might run
    /// Python, or if there is no dict.
    #[inline(always)]
    fn set_items(&mut self, start: usize) -> PyResult<bool> {
        let Some(dict) = self.stack[start - 1].cast_exact::<Dict>() else { return Ok(false) };
        let dict = &*dict.own_view();
        let pairs = self.stack[start..].as_chunks::<2>().0;
        if dict.len() != 0 || !pairs.iter().all(|[key, _]| key.is_plain_key()) {
            return Ok(false);
        }
        let load = self.heap.ahead.plans.load();
        match self.heap.ahead.templates.find(load, pairs) {
            Seen::Template(template) => {
                dict.adopt_keys(template)?;
                let mut items = dict.blank_items();
                move_pairs(self.stack, start, |key, value| items.set(key, value));
                return Ok(true);
            }
            seen => {
                for [key, value] in pairs {
                    dict.set(key, value)?;
                }
                if matches!(seen, Seen::Again) && dict.len() == pairs.len() {
                    self.heap.ahead.templates.add(dict)?;
                }
            }
        }
        if dict.len() != pairs.len() {
            // A key came twice, and some values are in no dict any more.
            self.heap.ahead.recall.own();
        }
        self.give_up(start);
        Ok(true)
    }

    fn add_items(&mut self, set: &Object, start: usize) -> PyResult<()> {
        for item in &self.stack[start..] {
            Set::add_to(set, item)?;
        }
        self.give_up(start);
        Ok(())
    }

    /// Lets everything from `start` on go.
    #[inline(always)]
    fn give_up(&mut self, start: usize) {
        let recalls = self.heap.recalls;
        for object in self.stack.drain(start..) {
            if recalls {
                self.heap.ahead.recall.let_go(object);
            }
        }
    }

    /// NEWOBJ of a plain class without arguments; and the beginning of its state, if that is next.
    #[inline(always)]
    fn new_object(&mut self, at: usize) -> PyResult<bool> {
        let Some(start) = self.stack.len().checked_sub(2).filter(|start| *start >= self.fence)
        else {
            return Ok(false);
        };
        let [class, args] = &self.stack[start..] else { return Ok(false) };
        let (Some(class), Some(args)) = (class.cast::<Type>(), args.cast_exact::<Tuple>()) else {
            return Ok(false);
        };
        if args.len() != 0 {
            return Ok(false);
        }
        let PyHeap { ahead, state, .. } = &mut *self.heap;
        let number = ahead.plans.find(state, class);
        let plan = ahead.plans.get(number);
        if !plan.plain_new {
            return Ok(false);
        }
        let (dict, slots) = (plan.dict.is_some(), plan.slots);
        let instance = class.new_object(args, None)?;
        drop(self.stack.pop());
        if let Some(class) = self.stack.pop() {
            self.let_go(class);
        }
        self.at = at;
        if self.heap.recalls {
            let index = self.heap.ahead.recall.len();
            if let Some(at) = self.memo_opcode(at, index) {
                self.heap.ahead.recall.push(&instance);
                self.at = at;
                if dict || slots {
                    let place = self.stack.len();
                    self.heap.ahead.fresh = Some(Fresh { entries: index + 1, place, dict, slots });
                }
            }
        }
        self.push(instance)?;
        Ok(true)
    }

    /// EMPTY_DICT that begins the state of a fresh instance, with what follows: nothing is made. False
    /// if it is something else.
    #[inline(always)]
    fn begin_state(&mut self) -> PyResult<bool> {
        let Some(fresh) = self.heap.ahead.fresh else { return Ok(false) };
        let index = self.heap.ahead.recall.len();
        if fresh.entries != index {
            return Ok(false);
        }
        let (instance, slots) = match self.stack.get(fresh.place..) {
            Some([instance]) if fresh.dict => (instance, false),
            Some([instance, none]) if fresh.slots && none.is_none() => (instance, true),
            _ => return Ok(false),
        };
        if !self.heap.ahead.recall.is_last(instance) {
            return Ok(false);
        }
        let Some(at) = self.memo_opcode(self.at, index) else { return Ok(false) };
        if self.bytes.get(at) != Some(&b'(') {
            return Ok(false);
        }
        self.at = at + 1;
        let place = self.stack.len();
        let what = if slots { Elided::SlotState } else { Elided::State };
        self.heap.ahead.recall.push_elided(what, instance);
        self.heap.ahead.pending.push(Pending { place, index, slots });
        self.push(Object::none().own())?;
        self.fence = self.stack.len();
        self.marks.push(self.fence);
        Ok(true)
    }

    /// SETITEMS on a state that is not made, and BUILD: puts the values where they belong. Makes the
    /// state, and leaves the opcode to do again, where something else follows or is unknown.
    #[inline(always)]
    fn build(&mut self, mark: usize, at: usize) -> PyResult<()> {
        if self.try_build(mark, at)? {
            return Ok(());
        }
        if let Some(pending) = self.heap.ahead.pending.pop() {
            self.heap.make_pending(self.stack, &pending)?;
        }
        Ok(())
    }

    #[inline(always)]
    fn try_build(&mut self, mark: usize, at: usize) -> PyResult<bool> {
        let Some(pending) = self.heap.ahead.pending.last() else { return Ok(false) };
        let slots = pending.slots;
        let end = if slots {
            let index = self.heap.ahead.recall.len();
            let end = if self.bytes.get(at) == Some(&0x86) {
                self.memo_opcode(at + 1, index)
            } else {
                None
            };
            let Some(end) = end else { return Ok(false) };
            end
        } else {
            at
        };
        if self.bytes.get(end) != Some(&b'b') {
            return Ok(false);
        }
        let pairs = &self.stack[mark..];
        if !pairs.len().is_multiple_of(2) {
            return Ok(false);
        }
        // The instance; the dict, which is not there; the mark. With slots there is None in between.
        let below = mark - if slots { 3 } else { 2 };
        let instance = self.stack[below].clone();
        let PyHeap { ahead, state, .. } = &mut *self.heap;
        let load = ahead.plans.load();
        let number = ahead.plans.find(state, instance.type_of());
        let plan = ahead.plans.get(number);
        if slots {
            if !plan.slots || !fits(&mut plan.slot_names, load, pairs) {
                return Ok(false);
            }
            plan.slot_names.locate_slots(instance.type_of());
            if plan.slot_names.offsets().len() * 2 != pairs.len() {
                return Ok(false);
            }
            let mut offsets = plan.slot_names.offsets().iter();
            // The plan has the keys too. A slot of a new instance is empty.
            move_pairs(self.stack, mark, |_, value| {
                drop(offsets.next().and_then(|offset| instance.fill_slot(*offset, value)));
            });
            ahead.recall.push_elided(Elided::SlotPair, &instance);
        } else {
            let Some(place) = plan.dict else { return Ok(false) };
            if !fits(&mut plan.attributes, load, pairs) {
                return Ok(false);
            }
            if !fill(plan, place, &instance, &mut ahead.recall, self.stack, mark)? {
                return Ok(false);
            }
        }
        self.stack.truncate(below + 1);
        ahead.pending.pop();
        self.drop_mark();
        self.at = end + 1;
        Ok(true)
    }

    /// TUPLE and NEWOBJ of a namedtuple, whose items are from `start` on. False if it is something
    /// else.
    #[inline(always)]
    fn namedtuple(&mut self, start: usize, fence: usize, at: usize) -> PyResult<bool> {
        if !self.heap.recalls || start <= fence {
            return Ok(false);
        }
        let index = self.heap.ahead.recall.len();
        let Some(at) = self.memo_opcode(at, index) else { return Ok(false) };
        if self.bytes.get(at) != Some(&0x81) {
            return Ok(false);
        }
        let Some(class) = self.stack[start - 1].cast::<Type>() else { return Ok(false) };
        let PyHeap { ahead, state, .. } = &mut *self.heap;
        let number = ahead.plans.find(state, class);
        if !ahead.plans.is_namedtuple(state, number, self.stack.len() - start) {
            return Ok(false);
        }
        let class = self.stack[start - 1].clone();
        let Some(of) = class.cast::<Type>() else { return Ok(false) };
        let tuple = of.new_tuple(self.stack, start)?;
        if let Some(class) = self.stack.pop() {
            self.let_go(class);
        }
        self.heap.ahead.recall.push_elided(Elided::Items, &tuple);
        self.push_new(tuple, at + 1)?;
        Ok(true)
    }

    /// An object of `datetime`, whose packed bytes end at `at`. False if it is something else.
    #[inline(always)]
    fn datetime(&mut self, packed: &[u8], at: usize) -> PyResult<bool> {
        if !self.heap.recalls || self.stack.len() <= self.fence {
            return Ok(false);
        }
        let end = if self.array(at) == Some([0x94, 0x85, 0x94, b'R']) {
            at + 3
        } else {
            let index = self.heap.ahead.recall.len();
            let Some(end) = self.memo_opcode(at, index) else { return Ok(false) };
            if self.bytes.get(end) != Some(&0x85) {
                return Ok(false);
            }
            let Some(end) = self.memo_opcode(end + 1, index + 1) else { return Ok(false) };
            if self.bytes.get(end) != Some(&b'R') {
                return Ok(false);
            }
            end
        };
        let Some(class) = self.stack.last().and_then(|top| top.cast::<Type>()) else {
            return Ok(false);
        };
        let PyHeap { ahead, state, .. } = &mut *self.heap;
        let number = ahead.plans.find(state, class);
        let Some(maker) = ahead.plans.get(number).datetime else { return Ok(false) };
        let Some(made) = maker.make(packed) else { return Ok(false) };
        if let Some(class) = self.stack.pop() {
            self.let_go(class);
        }
        let recall = &mut self.heap.ahead.recall;
        recall.push_elided(Elided::Packed, &made);
        recall.push_elided(Elided::PackedArgs, &made);
        self.push_new(made, end + 1)?;
        Ok(true)
    }
}

/// Whether these keys are the known names, or the first to become known.
#[inline(always)]
fn fits(names: &mut super::plan::Names, load: u64, pairs: &[Obj]) -> bool {
    names.are(load, pairs) || names.learn(load, pairs)
}

/// Moves the values of a state from the stack into a new instance.
#[inline(always)]
fn fill(
    plan: &mut Plan,
    place: crate::ffi::layout::DictPlace,
    instance: &Obj,
    recall: &mut Recall,
    stack: &mut Vec<Obj>,
    mark: usize,
) -> PyResult<bool> {
    let names = &mut plan.attributes;
    names.locate(instance.type_of(), place);
    if names.places().len() == names.len()
        && let Some(mut blank) = place.blank(instance)
    {
        let mut places = names.places().iter();
        // The plan has the keys too.
        move_pairs(stack, mark, |_, value| {
            if let Some(place) = places.next() {
                blank.set(*place, value);
            }
        });
        return Ok(true);
    }
    let dict = instance.instance_dict()?;
    let Some(dict) = dict.cast_exact::<Dict>().filter(|dict| dict.len() == 0) else {
        return Ok(false);
    };
    for (name, [_, value]) in names.names().iter().zip(stack[mark..].as_chunks::<2>().0) {
        dict.set(name, value)?;
    }
    for object in stack.drain(mark..) {
        recall.let_go(object);
    }
    Ok(true)
}

/// A number of at most eight bytes.
#[inline(always)]
fn small(bytes: &[u8]) -> Option<i64> {
    let mut padded = [0; 8];
    padded.get_mut(..bytes.len())?.copy_from_slice(bytes);
    let unused = 64 - 8 * bytes.len();
    Some(i64::from_le_bytes(padded) << unused >> unused)
}
