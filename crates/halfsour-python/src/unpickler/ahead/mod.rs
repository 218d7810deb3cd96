//! The hot path of loads: opcodes that are executed ahead of the machine.
//!
//! The machine can do all of this by itself, and does where `HALFSOUR_GENERIC=1` is set or an
//! interpreter's layouts are unknown. Here are only the opcodes by which most pickles say most, as far
//! as they are well-formed, and most of them run no Python; whatever else comes, an error too, is left
//! to the machine. That gives three liberties. The memo borrows ([`Recall`]). The collector pauses
//! ([`Pause`]). And what the pickle makes only to take it apart again is not made: the state of an
//! instance, the items of a namedtuple, the bytes of a datetime; their memo entries say what they
//! would have been made from ([`Elided`]). Before Python can run, [`PyHeap::settle`] makes good.

mod calls;
mod instance;
mod leaves;
mod rows;
mod stretch;

use super::heap::PyHeap;
use super::plan::{Plans, values_of};
use super::source::{Fault, Payload};
use super::template::Templates;
use crate::ffi::collector::Pause;
use crate::ffi::datetime::Parts;
use crate::ffi::error::{Exc, check_signals, is_interrupted, matches};
use crate::ffi::recall::{Elided, Entry, Recall};
use crate::ffi::{Bytes, Dict, Obj, Object, PyResult, Raised, Tuple};
use halfsour::{Machine, Reader};
pub(super) use instance::are_empty;
use instance::{Fresh, Pending};
use leaves::Leaves;
pub(super) use leaves::lone_number;
use rows::Rows;
use stretch::{HANDLED, LARGE, Next, Stretch};

/// What a load works with by itself, kept from one to the next.
#[derive(Default)]
pub(super) struct Ahead {
    pub(super) recall: Recall,
    pub(super) plans: Plans,
    templates: Templates,
    /// States on the stack that are not made yet: each is right below a mark.
    pending: Vec<Pending>,
    fresh: Option<Fresh>,
    rows: Rows,
}

impl Ahead {
    /// Forgets the load. May run finalisers.
    pub(super) fn clear(&mut self) {
        self.pending.clear();
        self.fresh = None;
        self.rows.clear();
        self.recall.clear();
        self.plans.end();
    }
}

impl PyHeap<'_> {
    /// Executes opcodes until there is one for the machine. True if [`settle`](PyHeap::settle) was
    /// not called, since only FRAME or STOP may come next.
    pub(super) fn ahead<S: Payload>(
        &mut self,
        machine: &mut Machine<Obj>,
        reader: &mut Reader<S>,
    ) -> Result<bool, Fault> {
        if std::mem::take(&mut self.signals_are_due) {
            self.settle(machine.parts().0)?;
            check_signals()?;
        }
        if !self.recalls && self.this.is_some() {
            self.take_memo_back();
        }
        loop {
            let runs_python = reader.source().runs_python();
            let bytes = reader.ahead();
            match bytes.first() {
                Some(&opcode) if HANDLED[usize::from(opcode)] => {}
                // Nearly all pickles begin with one.
                Some(0x95) => {
                    self.read_on(runs_python);
                    reader.enter_frame()?;
                    continue;
                }
                None | Some(b'.') => return Ok(self.read_on(runs_python)),
                _ => {
                    self.settle(machine.parts().0)?;
                    return Ok(false);
                }
            }
            let next = if self.recalls {
                self.stretch::<true, S>(machine, reader)?
            } else {
                self.stretch::<false, S>(machine, reader)?
            };
            match next {
                Next::End => {}
                Next::Machine => {
                    self.settle(machine.parts().0)?;
                    return Ok(false);
                }
                Next::Signals => {
                    if self.signals.are_due() && is_interrupted() {
                        self.settle(machine.parts().0)?;
                        check_signals()?;
                    }
                }
            }
        }
    }

    /// Executes opcodes at hand that are handled here.
    #[inline(always)]
    fn stretch<const RECALLS: bool, S: Payload>(
        &mut self,
        machine: &mut Machine<Obj>,
        reader: &mut Reader<S>,
    ) -> Result<Next, Fault> {
        let (stack, marks) = machine.parts();
        let mut stretch = Stretch::<RECALLS> {
            heap: self,
            bytes: reader.ahead(),
            at: 0,
            fence: marks.last().copied().unwrap_or(0),
            stack,
            marks,
            pause: Some(Pause::begin()),
        };
        let next = stretch.run();
        let used = stretch.at;
        drop(stretch);
        reader.consume(used);
        next
    }

    /// Leaves in these bytes.
    #[inline(always)]
    fn leaves<'l, const RECALLS: bool>(&'l mut self, bytes: &'l [u8]) -> Leaves<'l> {
        let recall = RECALLS.then_some(&mut self.ahead.recall);
        Leaves { bytes, recall, memo: &self.unpickler.memo, byte_ints: &self.state.byte_ints }
    }

    /// Before the source is read that runs Python for it: then nothing may be borrowed. What was
    /// elided stays so, since nobody can see it. True, for `ahead`.
    #[inline(always)]
    fn read_on(&mut self, runs_python: bool) -> bool {
        if runs_python {
            self.ahead.plans.python_ran();
            self.ahead.recall.own();
            self.show_memo();
        }
        true
    }

    /// Before anything but this module runs: makes what was elided and might change, and owns what
    /// was borrowed.
    #[inline]
    pub(super) fn settle(&mut self, stack: &mut [Obj]) -> PyResult<()> {
        // A collection would run Python in between.
        let pause = Pause::begin();
        self.ahead.plans.python_ran();
        self.ahead.fresh = None;
        if !self.ahead.pending.is_empty() {
            while let Some(pending) = self.ahead.pending.pop() {
                self.make_pending(stack, &pending)?;
            }
        }
        if !self.ahead.recall.unsettled().is_empty() {
            self.settle_memo()?;
        }
        self.show_memo();
        drop(pause);
        self.ahead.recall.drop_kept();
        Ok(())
    }

    /// Before Python can run, which may look at the memo of an Unpickler.
    #[inline(always)]
    fn show_memo(&mut self) {
        if self.recalls && self.this.is_some() {
            self.hand_memo_over();
        }
    }

    /// After the load.
    #[inline]
    pub(super) fn end(&mut self, failed: bool) {
        if failed && matches(&Exc::MemoryError) {
            self.ahead.recall.forget_borrowed();
        }
        self.show_memo();
    }

    /// Takes the memo of an Unpickler again, after Python ran.
    #[inline]
    fn take_memo_back(&mut self) {
        let mut memo = self.unpickler.memo.borrow_mut();
        if memo.is_untouched() {
            self.recalls = true;
            return;
        }
        // They are moved here, and back again.
        if memo.len() * 2 <= self.moves_left
            && let Some(objects) = memo.lend_dense()
        {
            self.moves_left -= objects.len() * 2;
            self.ahead.recall.adopt(objects);
            self.recalls = true;
        }
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
        let length = self.ahead.recall.len();
        if length == 0 {
            return;
        }
        self.moves_left += length;
        // A collection would run Python in between.
        let _pause = Pause::begin();
        self.ahead.recall.own();
        for index in 0..length {
            if matches!(self.ahead.recall.get(index), Some(Entry::Elided(..))) {
                // Without memory for this there is none for the rest either.
                drop(self.make_elided(index));
            }
        }
        self.unpickler.memo.borrow_mut().fill_dense(self.ahead.recall.take());
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
            // It is made as soon as it is clear which one it is.
            Elided::Dict => return Err(Raised),
            Elided::SlotPair => {
                let dict = self.make_elided(self.ahead.recall.dict_of_pair(index))?;
                Tuple::from_items([Object::none().own(), dict])?.into_obj()
            }
            Elided::Items => {
                let items = source.cast::<Tuple>().map_or(&[][..], Tuple::items);
                let items: Vec<Obj> = items.iter().map(|item| item.own()).collect();
                Tuple::from_items(items)?.into_obj()
            }
            Elided::Packed => {
                let plans = &mut self.ahead.plans;
                let number = plans.find(self.state, source.type_of());
                let maker = plans.get(number).datetime;
                match maker.and_then(|maker| maker.kind().parts(&source, 5)) {
                    Some(Parts::Packed(bytes, length)) => Bytes::new(&bytes[..length])?.into_obj(),
                    _ => return Err(Raised),
                }
            }
            Elided::PackedArgs => Tuple::from_items([self.make_elided(index - 1)?])?.into_obj(),
        };
        self.ahead.recall.replace(index, made.clone());
        Ok(made)
    }
}
