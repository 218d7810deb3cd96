//! Instances, whose state is not made: its values go straight to where they belong.

use super::leaves::Leaves;
use super::stretch::Stretch;
use super::{Ahead, PyHeap};
use crate::ffi::layout::DictPlace;
use crate::ffi::recall::{Elided, Recall};
use crate::ffi::stack::{moved, push};
use crate::ffi::{Dict, List, Obj, Object, PyResult, Tuple, Type};
use crate::unpickler::plan::Plan;

/// An instance was just made, and the dict of its state is being filled.
pub(super) struct Pending {
    /// Where the dict is on the stack: None is there in its place.
    pub(super) place: usize,
    /// Its items are above the so many-th mark.
    pub(super) marks: usize,
    /// its memo index
    pub(super) index: usize,
    /// The dict is of slots; in the end a pair is made of None and it.
    pub(super) slots: bool,
}

/// The instance that was memoized last, if NEWOBJ has just made it: its state may be next. A frame may
/// end before that.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Fresh {
    /// how many entries the memo had, with it
    entries: usize,
    /// where it is on the stack
    place: usize,
}

impl<const RECALLS: bool> Stretch<'_, '_, RECALLS> {
    /// NEWOBJ of a plain class without arguments, and the beginning of its state if that is next.
    /// False, and nothing is done, if it is something else.
    #[inline(always)]
    pub(super) fn new_object(&mut self, at: usize) -> PyResult<bool> {
        let Some(start) = self.pair() else { return Ok(false) };
        let [class, args] = &self.stack[start..] else { return Ok(false) };
        if args.cast_exact::<Tuple>().is_none_or(|args| args.len() != 0) {
            return Ok(false);
        }
        let class = class.clone();
        let Some(of) = class.cast::<Type>().filter(|of| self.makes_plainly(of)) else {
            return Ok(false);
        };
        self.stack.truncate(start);
        self.instantiate(of, at)?;
        self.let_go(class);
        Ok(true)
    }

    /// The same, from the BINGET of the class on, while the memo is recalled.
    #[inline(always)]
    pub(super) fn instance_of(&mut self, at: usize) -> PyResult<bool> {
        let Some([index, b')', 0x81]) = self.bytes.get(at + 1..at + 4) else { return Ok(false) };
        let found = self.heap.ahead.recall.object((*index).into());
        let Some(class) = found.map(Object::own) else { return Ok(false) };
        let Some(of) = class.cast::<Type>().filter(|of| self.makes_plainly(of)) else {
            return Ok(false);
        };
        self.instantiate(of, at + 4)?;
        Ok(true)
    }

    /// Whether `object.__new__` makes the instances of a class.
    #[inline(always)]
    pub(super) fn makes_plainly(&mut self, class: &Type) -> bool {
        let PyHeap { ahead, state, .. } = &mut *self.heap;
        let number = ahead.plans.find(state, class);
        ahead.plans.get(number).plain_new
    }

    /// Pushes a new instance; begins its state if that follows.
    #[inline(always)]
    pub(super) fn instantiate(&mut self, class: &Type, at: usize) -> PyResult<()> {
        let instance = class.new_object(&*Tuple::from_items([])?, None)?;
        self.at = at;
        if RECALLS {
            let index = self.heap.ahead.recall.len();
            if let Some(at) = self.memo_opcode(at, index) {
                self.at = at;
                let place = self.stack.len();
                let Ahead { recall, fresh, .. } = &mut *self.heap.ahead;
                recall.push(&instance);
                *fresh = Some(Fresh { entries: index + 1, place });
                self.push(instance)?;
                match self.bytes.get(at..) {
                    Some([b'}', ..]) => drop(self.begin_state(at + 1)?),
                    Some([b'N', b'}', ..]) => {
                        self.at = at + 1;
                        self.push(Object::none().own())?;
                        self.begin_state(at + 2)?;
                    }
                    _ => {}
                }
                return Ok(());
            }
        }
        self.push(instance)
    }

    /// EMPTY_DICT, which ends at `at`, where it begins the state of a fresh instance: no dict is made.
    /// False, and nothing is done, if it is something else.
    #[inline(always)]
    pub(super) fn begin_state(&mut self, at: usize) -> PyResult<bool> {
        let PyHeap { ahead, state, this, .. } = &mut *self.heap;
        // What an Unpickler's memo shows after the load, when instances may change, must be made now.
        let Some(fresh) = ahead.fresh.filter(|_| this.is_none()) else { return Ok(false) };
        let index = ahead.recall.len();
        if fresh.entries != index || fresh.place < self.fence {
            return Ok(false);
        }
        // The state of an instance without a dict is a pair of None and the dict of its slots.
        let (instance, slots) = match self.stack.get(fresh.place..) {
            Some([instance]) => (instance, false),
            Some([instance, none]) if none.is_none() => (instance, true),
            _ => return Ok(false),
        };
        if !ahead.recall.is_last(instance) {
            return Ok(false);
        }
        let number = ahead.plans.find(state, instance.type_of());
        let plan = ahead.plans.get(number);
        if !(if slots { plan.slots } else { plan.dict.is_some() }) {
            return Ok(false);
        }
        let Some(at) = self.memo_opcode(at, index) else { return Ok(false) };
        if self.bytes.get(at) != Some(&b'(') {
            return Ok(false);
        }
        let what = if slots { Elided::SlotState } else { Elided::State };
        self.heap.ahead.recall.push_elided(what, instance);
        self.fill_at_once(number, slots, at + 1)?;
        Ok(true)
    }

    /// The items of a state are about to come.
    #[inline(always)]
    fn pend(&mut self, index: usize, slots: bool) -> PyResult<()> {
        let place = self.stack.len();
        let marks = self.marks.len() + 1;
        self.heap.ahead.pending.push(Pending { place, marks, index, slots });
        self.push(Object::none().own())?;
        self.push_mark()
    }

    /// The items of a state, from `at` on, and BUILD: where the names are those of the class's other
    /// instances, and no value is a container, nothing but the values is made. As soon as something
    /// else comes, what came before is put on the stack as usual.
    #[inline(always)]
    fn fill_at_once(&mut self, number: usize, slots: bool, mut at: usize) -> PyResult<()> {
        self.at = at;
        let PyHeap { ahead, unpickler, state, .. } = &mut *self.heap;
        let Ahead { plans, recall, .. } = &mut **ahead;
        let load = plans.load();
        let index = recall.len() - 1;
        let Plan { attributes, slot_names, .. } = plans.get(number);
        let names = if slots { slot_names } else { attributes };
        if !names.may_be_flat(load) {
            return self.pend(index, slots);
        }
        let start = self.stack.len();
        let (bytes, byte_ints) = (self.bytes, &*state.byte_ints);
        let mut leaves = Leaves { bytes, recall: Some(recall), memo: &unpickler.memo, byte_ints };
        for key in names.keys() {
            let Some(end) = leaves.is_reference(at, key) else { break };
            let Some((value, end)) = leaves.next(end)? else { break };
            push(self.stack, value)?;
            at = end;
        }
        self.at = at;
        let read = self.stack.len() - start;
        let end =
            if self.bytes.get(at) == Some(&b'u') { self.closing(slots, at + 1) } else { None };
        let Ahead { plans, recall, .. } = &mut *self.heap.ahead;
        let Plan { dict, attributes, slot_names, .. } = plans.get(number);
        let names = if slots { slot_names } else { attributes };
        if let Some(end) = end
            && read == names.len()
        {
            let below = start - if slots { 2 } else { 1 };
            let instance = self.stack[below].clone();
            let filled = if slots {
                names.locate_slots(instance.type_of());
                let known = names.offsets().len() == read && are_empty(&instance, names.offsets());
                if known {
                    let mut offsets = names.offsets().iter();
                    for [value] in moved(self.stack, start) {
                        drop(offsets.next().and_then(|offset| instance.fill_slot(*offset, value)));
                    }
                    recall.push_slot_pair(index, &instance);
                }
                known
            } else if let Some(place) = *dict {
                names.locate(instance.type_of(), place);
                let known = names.places().len() == read;
                if known && let Some(mut blank) = place.blank(&instance) {
                    let mut places = names.places().iter();
                    for [value] in moved(self.stack, start) {
                        if let Some(place) = places.next() {
                            blank.set(*place, value);
                        }
                    }
                    true
                } else {
                    false
                }
            } else {
                false
            };
            if filled {
                names.was_flat(true);
                self.stack.truncate(below + 1);
                self.at = end + 1;
                return Ok(());
            }
        }
        names.was_flat(false);
        let keys = names.keys()[..read].to_vec();
        self.unread(index, slots, start, keys)
    }

    /// Puts what was read of a state, values alone, on the stack as it is read usually.
    #[cold]
    fn unread(&mut self, index: usize, slots: bool, start: usize, keys: Vec<Obj>) -> PyResult<()> {
        let values: Vec<Obj> = self.stack.drain(start..).collect();
        self.pend(index, slots)?;
        self.push_pairs(keys, values)
    }

    /// Puts keys on the stack, each with its value behind it.
    #[cold]
    pub(super) fn push_pairs(&mut self, keys: Vec<Obj>, values: Vec<Obj>) -> PyResult<()> {
        for (key, value) in keys.into_iter().zip(values) {
            self.push(key)?;
            self.push(value)?;
        }
        Ok(())
    }

    /// BUILD of a frozen dataclass with slots, whose state is a list: `__setstate__` would do the same.
    /// False, and nothing is done, if it is something else.
    #[inline(never)]
    pub(super) fn set_fields(&mut self, at: usize) -> PyResult<bool> {
        let Some(start) = self.pair() else { return Ok(false) };
        let [instance, list] = &self.stack[start..] else { return Ok(false) };
        let Some(items) = list.cast_exact::<List>().map(List::items) else { return Ok(false) };
        let PyHeap { ahead, state, .. } = &mut *self.heap;
        let Some(offsets) = ahead.plans.fields(state, instance.type_of()) else {
            return Ok(false);
        };
        if items.len() != offsets.len() || !are_empty(instance, offsets) {
            return Ok(false);
        }
        for (offset, item) in offsets.iter().zip(items) {
            drop(instance.fill_slot(*offset, item.own()));
        }
        if let Some(list) = self.stack.pop() {
            self.let_go(list);
        }
        self.at = at;
        Ok(true)
    }

    /// Where the BUILD is that follows a state's SETITEMS, if it does.
    #[inline(always)]
    fn closing(&self, slots: bool, at: usize) -> Option<usize> {
        let end = if !slots {
            at
        } else if self.bytes.get(at) == Some(&0x86) {
            self.memo_opcode(at + 1, self.heap.ahead.recall.len())?
        } else {
            return None;
        };
        (self.bytes.get(end) == Some(&b'b')).then_some(end)
    }

    /// SETITEMS on a state that is not made, and BUILD: puts the values where they belong. Makes the
    /// state, and leaves the opcode to do again, where something else follows or is unknown.
    #[inline(always)]
    pub(super) fn build(&mut self, mark: usize, at: usize) -> PyResult<()> {
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
        let Pending { index, slots, .. } = *pending;
        let Some(end) = self.closing(slots, at) else { return Ok(false) };
        let pairs = &self.stack[mark..];
        if !pairs.len().is_multiple_of(2) {
            return Ok(false);
        }
        // The instance; the dict, which is not there; the mark. With slots there is None in between.
        let below = mark - if slots { 3 } else { 2 };
        let instance = self.stack[below].clone();
        let PyHeap { ahead, state, .. } = &mut *self.heap;
        let number = ahead.plans.find(state, instance.type_of());
        let plan = ahead.plans.get(number);
        let is_planned = if slots { plan.slots } else { plan.dict.is_some() };
        if !is_planned || !ahead.plans.knows(number, slots, pairs) {
            return Ok(false);
        }
        let plan = ahead.plans.get(number);
        if slots {
            plan.slot_names.locate_slots(instance.type_of());
            if plan.slot_names.offsets().len() * 2 != pairs.len()
                || !are_empty(&instance, plan.slot_names.offsets())
            {
                return Ok(false);
            }
            let mut offsets = plan.slot_names.offsets().iter();
            // The plan has the keys too.
            for [_, value] in moved(self.stack, mark) {
                drop(offsets.next().and_then(|offset| instance.fill_slot(*offset, value)));
            }
            ahead.recall.push_slot_pair(index, &instance);
        } else {
            let Some(place) = plan.dict else { return Ok(false) };
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
}

/// Whether filling these slots of an instance drops nothing. A file that is written in Python may have
/// found the instance where a frame ended.
#[inline(always)]
pub(in crate::unpickler) fn are_empty(instance: &Object, offsets: &[usize]) -> bool {
    offsets.iter().all(|offset| instance.slot(*offset).is_none())
}

/// Moves the values of a state from the stack into a new instance.
#[inline(always)]
fn fill(
    plan: &mut Plan,
    place: DictPlace,
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
        for [_, value] in moved(stack, mark) {
            if let Some(place) = places.next() {
                blank.set(*place, value);
            }
        }
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
