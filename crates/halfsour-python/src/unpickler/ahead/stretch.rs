//! Opcodes in a row, none of which runs Python.

use super::leaves::{leaf, rare_leaf};
use super::{Ahead, PyHeap};
use crate::ffi::collector::Pause;
use crate::ffi::recall::{Elided, Entry};
use crate::ffi::stack::{self, moved};
use crate::ffi::{Bytes, Dict, List, Obj, Object, Own, PyResult, Raised, Set, Tuple, Type};
use crate::unpickler::source::{Fault, Memory};
use crate::unpickler::template::Seen;
use halfsour::Heap;

/// Why a stretch of opcodes ended.
pub(super) enum Next {
    /// The machine's turn.
    Machine,
    /// FRAME or STOP is next, or there is nothing more at hand, or not in this frame. Or the memo is the
    /// Unpickler's own from here on.
    End,
    /// It is time to look for signals.
    Signals,
}

/// After how many bytes the clock is looked at.
const BUDGET: usize = 1 << 15;

/// So few keys are put into a dict faster than a table is copied.
const FEW: usize = 4;

/// Objects of so many bytes are left to the machine, which reads them more carefully.
pub(super) const LARGE: usize = 1 << 14;

/// Which opcodes are executed here.
pub(super) static HANDLED: [bool; 256] = {
    let mut handled = [false; 256];
    let opcodes = b"\x80NKMJGLI\x88\x89\x8a\x8cXCB])}\x8f(\x94qrhj\x85\x86\x87taesu\x90\x91\x81RbQ";
    let mut i = 0;
    while i < opcodes.len() {
        handled[opcodes[i] as usize] = true;
        i += 1;
    }
    handled
};

/// Opcodes in a row, none of which runs Python. `RECALLS` says whether [`PyHeap::recalls`]: each kind has
/// its own code, without questions about it.
pub(super) struct Stretch<'s, 'h, const RECALLS: bool> {
    pub(super) heap: &'s mut PyHeap<'h>,
    pub(super) bytes: &'s [u8],
    /// What is done already.
    pub(super) at: usize,
    pub(super) stack: &'s mut Vec<Obj>,
    pub(super) marks: &'s mut Vec<usize>,
    /// the topmost mark, or 0
    pub(super) fence: usize,
    /// None while Python runs.
    pub(super) pause: Option<Pause>,
}

impl<const RECALLS: bool> Stretch<'_, '_, RECALLS> {
    #[inline(always)]
    fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.bytes.get(at..)?.first_chunk().copied()
    }

    #[inline(always)]
    pub(super) fn push(&mut self, value: Obj) -> PyResult<()> {
        stack::push(self.stack, value)
    }

    #[inline(always)]
    pub(super) fn push_mark(&mut self) -> PyResult<()> {
        let mark = self.stack.len();
        stack::push(self.marks, mark)?;
        self.fence = mark;
        Ok(())
    }

    /// Where the two values on top begin, if no mark is between or above.
    #[inline(always)]
    pub(super) fn pair(&self) -> Option<usize> {
        self.stack.len().checked_sub(2).filter(|start| *start >= self.fence)
    }

    /// Where an opcode ends that stores at the memo's next index, if there is one at `at`.
    #[inline(always)]
    pub(super) fn memo_opcode(&self, at: usize, index: usize) -> Option<usize> {
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
        self.heap.leaves::<RECALLS>(&[]).memoize(top, index)
    }

    /// Pushes a new object, and memoizes it if that comes next.
    #[inline(always)]
    pub(super) fn push_new(&mut self, value: Obj, end: usize) -> PyResult<()> {
        self.at = self.heap.leaves::<RECALLS>(self.bytes).memoize_next(&value, end);
        self.push(value)
    }

    #[inline(always)]
    pub(super) fn let_go(&mut self, object: Obj) {
        if RECALLS {
            self.heap.ahead.recall.let_go(object);
        }
    }

    /// Whether what is above the topmost mark are the items of a state that is not made.
    #[inline(always)]
    fn in_pending(&self) -> bool {
        let last = self.heap.ahead.pending.last().filter(|_| RECALLS);
        last.is_some_and(|pending| pending.marks == self.marks.len())
    }

    /// The topmost mark, if no state is being filled there.
    #[inline(always)]
    fn take_mark(&mut self) -> Option<usize> {
        let mark = *self.marks.last()?;
        if self.in_pending() { None } else { Some(mark) }
    }

    #[inline(always)]
    pub(super) fn drop_mark(&mut self) {
        self.marks.pop();
        self.fence = self.marks.last().copied().unwrap_or(0);
    }

    pub(super) fn run(&mut self) -> Result<Next, Fault> {
        let bytes = self.bytes;
        // Where the opcode at hand is; `self.at` says it whenever others look.
        let mut at = self.at;
        let limit = bytes.len().min(at + BUDGET);
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
                at = self.heap.leaves::<RECALLS>(bytes).memoize_next(&value, $end);
                ok!(self.push(value));
            }};
        }
        macro_rules! push_leaf {
            ($opcode:expr) => {{
                let mut leaves = self.heap.leaves::<RECALLS>(bytes);
                let Some((leaf, end)) = ok!(leaves.with_opcode($opcode, at)) else {
                    let (index, end) = some!(leaves.reference(at));
                    let value = some!(ok!(self.recall_elided(index)));
                    push!(Ok::<_, Raised>(value), end);
                    continue;
                };
                at = end;
                ok!(self.push(leaf));
            }};
        }
        'opcodes: loop {
            if at >= limit {
                leave!(if at < bytes.len() { Next::Signals } else { Next::End });
            }
            let opcode = bytes[at];
            match opcode {
                0x94 => {
                    must!(self.memoize(None));
                    at += 1;
                }
                // The most common ones apart: they need not be told from each other again.
                b'h' => {
                    // They come in rows, in which a comparison is predicted better than where a table jumps to.
                    while RECALLS
                        && at < limit
                        && let Some([b'h', index, next, ..]) = bytes.get(at..)
                    {
                        if *next == b')' && ok!(self.instance_of(at)) {
                            at = self.at;
                            continue 'opcodes;
                        }
                        let found = self.heap.ahead.recall.object((*index).into());
                        let Some(object) = found.map(Object::own) else { break };
                        ok!(self.push(object));
                        at += 2;
                        if *next != b'h' {
                            continue 'opcodes;
                        }
                    }
                    push_leaf!(b'h');
                }
                0x8c => push_leaf!(0x8c),
                b'K' => push_leaf!(b'K'),
                b'M' if !RECALLS => push_leaf!(b'M'),
                rare_leaf!() => push_leaf!(opcode),
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
                    ok!(self.push_mark());
                    at += 1;
                    let is_list =
                        self.stack.last().is_some_and(|top| top.cast_exact::<List>().is_some());
                    // Where a list has one, it has more.
                    if is_list && matches!(bytes.get(at), Some(leaf!())) {
                        let (end, result) =
                            self.heap.leaves::<RECALLS>(bytes).push_all(self.stack, at, limit);
                        at = end;
                        ok!(result);
                    }
                }
                b']' => push_new!(List::from_items([]).map(Own::into_obj), at + 1),
                b'}' => {
                    if RECALLS && (ok!(self.begin_state(at + 1)) || ok!(self.row(at + 1))) {
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
                    must!(ok!(list.extend_moving(self.stack, mark)));
                    self.drop_mark();
                    at += 1;
                }
                b'a' => {
                    let start = some!(self.stack.len().checked_sub(1));
                    must!(start > self.fence);
                    let list = some!(self.stack[start - 1].cast_exact::<List>()).own_view();
                    must!(ok!(list.extend_moving(self.stack, start)));
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
                    if self.in_pending() {
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
                    if ok!(self.new_object(at + 1)) {
                        at = self.at;
                        continue;
                    }
                    self.at = at;
                    must!(self.call(opcode)?);
                    at = self.at;
                    if self.is_handed_over() {
                        leave!(Next::End);
                    }
                }
                b'Q' => {
                    must!(self.stack.len() > self.fence);
                    at += 1;
                    self.at = at;
                    self.persistent_load()?;
                    if self.is_handed_over() {
                        leave!(Next::End);
                    }
                }
                b'R' | b'b' => {
                    let is_done = if opcode == b'R' {
                        ok!(self.call_known(at + 1))
                    } else {
                        ok!(self.set_fields(at + 1))
                    };
                    if is_done {
                        at = self.at;
                        continue;
                    }
                    self.at = at;
                    must!(self.call(opcode)?);
                    at = self.at;
                    if self.is_handed_over() {
                        leave!(Next::End);
                    }
                }
                0x80 if matches!(bytes.get(at + 1), Some(2..=5)) => {
                    let [protocol] = argument!(1);
                    self.heap.unpickler.protocol.set(protocol);
                    at += 2;
                }
                0x95 | b'.' => leave!(Next::End),
                _ => leave!(Next::Machine),
            }
        }
    }

    /// Executes an opcode that may run Python. False, and nothing is done, if it is not well-formed.
    #[inline(never)]
    fn call(&mut self, opcode: u8) -> Result<bool, Fault> {
        if self.stack.len() < self.fence + 2 {
            return Ok(false);
        }
        self.at += 1;
        self.pause = None;
        self.heap.settle(self.stack)?;
        let Some(top) = self.stack.pop() else { return Ok(false) };
        if opcode == b'b' {
            if let Some(instance) = self.stack.last().cloned() {
                self.heap.give_state(&instance, top)?;
            }
        } else if let Some(called) = self.stack.pop() {
            let object = if opcode == b'R' {
                Heap::<Memory<'_>>::reduce(self.heap, called, top)?
            } else {
                Heap::<Memory<'_>>::newobj(self.heap, called, top)?
            };
            if self.is_handed_over() {
                self.push(object)?;
            } else {
                self.push_new(object, self.at)?;
            }
        }
        self.pause = Some(Pause::begin());
        Ok(true)
    }

    /// BINPERSID, whose id is on the stack.
    #[inline(never)]
    fn persistent_load(&mut self) -> Result<(), Fault> {
        self.pause = None;
        self.heap.settle(self.stack)?;
        Heap::<Memory<'_>>::persistent_ready(self.heap)?;
        if let Some(id) = self.stack.pop() {
            // No pickler memoizes what comes back: the id comes again.
            let object = Heap::<Memory<'_>>::persistent_load(self.heap, id)?;
            self.push(object)?;
        }
        self.pause = Some(Pause::begin());
        Ok(())
    }

    /// Whether the memo became the Unpickler's own while this ran.
    #[inline(always)]
    pub(super) fn is_handed_over(&self) -> bool {
        RECALLS && !self.heap.recalls
    }

    /// What is below a mark, for the items above it.
    #[inline(always)]
    fn target(&self, mark: usize) -> Option<&Obj> {
        let fence = self.marks.len().checked_sub(2).map_or(0, |last| self.marks[last]);
        if mark > fence { self.stack.get(mark - 1) } else { None }
    }

    /// Makes what the memo entry at an index stands for. None if it stands for nothing else.
    #[cold]
    #[inline(never)]
    fn recall_elided(&mut self, index: usize) -> PyResult<Option<Obj>> {
        let Ahead { recall, pending, .. } = &mut *self.heap.ahead;
        if !RECALLS || !matches!(recall.get(index), Some(Entry::Elided(..))) {
            return Ok(None);
        }
        // The dict of a state that is being filled.
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
        if dict.len() != 0 {
            return Ok(false);
        }
        // No `all`: it would be a call, which is as long as the loop.
        for [key, _] in pairs {
            if !key.is_plain_key() {
                return Ok(false);
            }
        }
        let Ahead { plans, templates, rows, .. } = &mut *self.heap.ahead;
        let few = pairs.len() <= FEW;
        let seen = if few && (!RECALLS || rows.know(pairs)) {
            Seen::Never
        } else {
            templates.find(plans.load(), pairs)
        };
        let is_row = matches!(seen, Seen::Template(_, true)) && RECALLS;
        if let (Seen::Template(template, _), false) = (&seen, few)
            && dict.adopt_keys(template)?
        {
            let mut items = dict.blank_items();
            for [key, value] in moved(self.stack, start) {
                items.set(key, value);
            }
            drop(items);
            if is_row {
                rows.add(dict)?;
            }
            return Ok(true);
        }
        if !RECALLS {
            let count = pairs.len();
            let mut done = Ok(());
            for [key, value] in moved(self.stack, start) {
                if done.is_ok() {
                    done = dict.give(key, value);
                }
            }
            done?;
            if dict.len() != count {
                // A key came twice: a finaliser may have run.
                plans.python_ran();
            } else if matches!(seen, Seen::Again) {
                templates.add(dict)?;
            }
            return Ok(true);
        }
        for [key, value] in pairs {
            dict.set(key, value)?;
        }
        if dict.len() != pairs.len() {
            // A key came twice, and some values are in no dict any more.
            self.heap.ahead.recall.own();
        } else if is_row {
            rows.add(dict)?;
        } else if matches!(seen, Seen::Again) {
            templates.add(dict)?;
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
        if !RECALLS {
            return self.stack.truncate(start);
        }
        for object in self.stack.drain(start..) {
            self.heap.ahead.recall.let_go(object);
        }
    }

    /// TUPLE and NEWOBJ of a namedtuple, whose items are from `start` on. False if it is something
    /// else.
    #[inline(always)]
    fn namedtuple(&mut self, start: usize, fence: usize, at: usize) -> PyResult<bool> {
        if !RECALLS || start <= fence {
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
        if !RECALLS || self.stack.len() <= self.fence {
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
