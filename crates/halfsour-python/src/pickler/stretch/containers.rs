//! Lists, tuples, dicts and sets.

use super::*;
use crate::pickler::rows::KEYS;
use halfsour::{Fetch, NUMBERS};

/// How many items one APPENDS, SETITEMS or ADDITEMS takes.
const BATCH_SIZE: usize = 1000;

impl<'q, S: Sink> Stretch<'_, 'q, S> {
    /// Whether it is time to look for signals, which is looked at once for many containers.
    #[inline(always)]
    pub(super) fn signals_are_due(&mut self) -> bool {
        *self.ticks = self.ticks.wrapping_sub(1);
        *self.ticks == 0 && self.look_at_the_clock()
    }

    #[cold]
    fn look_at_the_clock(&mut self) -> bool {
        *self.ticks = TICKS;
        // Without a memo that keeps things, only an interruption is worth the trouble.
        self.signals.are_due() && (self.keeping != Keeping::Unshared || error::is_interrupted())
    }

    pub(super) fn begin_list(&mut self, object: &'q Object) -> Put<'q> {
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
        self.push(Frame::List(ListFrame::new(list, 0, (0, 0), false, Then::Nothing)))
    }

    pub(super) fn list(&mut self, mut frame: ListFrame<'q>) -> Step<'q> {
        let place = self.frames.len() - 1;
        let items = frame.items;
        let mut runs_from = frame.next;
        loop {
            while frame.next < frame.batch.1 {
                let Some(&item) = items.get(frame.next) else { break };
                if frame.next >= runs_from && frame.batch.1 - frame.next >= NUMBERS {
                    let written = self.numbers(&items[frame.next..frame.batch.1.min(items.len())]);
                    frame.next += written;
                    if written == NUMBERS {
                        continue;
                    }
                    // Numbers of this kind come one by one: not tried again for a while.
                    runs_from = frame.next + 8 * NUMBERS;
                    if written > 0 {
                        continue;
                    }
                }
                frame.next += 1;
                match self.put(item) {
                    Put::Done => {}
                    put => return self.wait_in_list(place, &frame, put),
                }
            }
            if frame.batch.1 > frame.batch.0 {
                self.out.op(if frame.marked { Opcode::Appends } else { Opcode::Append });
            }
            let left = items.len() - frame.next;
            if left == 0 {
                self.frames.truncate(place);
                self.finish(frame.then);
                return Ok(());
            }
            *self.ticks = self.ticks.saturating_sub(BATCH_SIZE as u32 / 4).max(1);
            frame.marked = left > 1 || !(self.state.version.trims_batches || frame.next == 0);
            if frame.marked {
                self.out.op(Opcode::Mark);
            }
            frame.batch = (frame.next, frame.next + left.min(BATCH_SIZE));
        }
    }

    /// As [`wait`](Stretch::wait), by what changes alone: frames are large.
    #[inline(always)]
    fn wait_in_list(&mut self, place: usize, frame: &ListFrame<'q>, put: Put<'q>) -> Step<'q> {
        if let Some(Frame::List(waiting)) = self.frames.get_mut(place) {
            waiting.next = frame.next;
            waiting.batch = frame.batch;
            waiting.marked = frame.marked;
        }
        went(put)
    }

    /// Writes the ints, or the floats, with which a list goes on; gives how many that were.
    #[inline]
    fn numbers(&mut self, items: &[&'q Object]) -> usize {
        if self.out.room() < NUMBERS * 10 {
            return 0;
        }
        let most = if self.out.long_is_binary() { i64::MAX } else { i32::MAX.into() };
        let mut count = 0;
        let mut ints = [0; NUMBERS];
        for (place, item) in ints.iter_mut().zip(items) {
            let value = item.cast_exact::<Int>().and_then(Int::short);
            let Some(value) = value.filter(|value| (!most..=most).contains(value)) else { break };
            *place = value;
            count += 1;
        }
        if count > 0 {
            self.out.ints(&ints[..count]);
            return count;
        }
        let mut floats = [0.0; NUMBERS];
        for (place, item) in floats.iter_mut().zip(items) {
            let Some(float) = item.cast_exact::<Float>() else { break };
            *place = float.value();
            count += 1;
        }
        if count > 0 {
            self.out.floats(&floats[..count]);
        }
        count
    }

    #[inline(always)]
    pub(super) fn begin_tuple(&mut self, object: &'q Object) -> Put<'q> {
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
        self.open_tuple(tuple, Then::Nothing)
    }

    /// Says that an object is begun that will be memoized only when it is written. Where it comes
    /// again before, so do objects that have one reference.
    #[inline(always)]
    pub(super) fn open(&mut self, object: &'q Object) {
        if object.is_unshared() {
            return;
        }
        match self.keeping {
            Keeping::Unshared => self.no_memory |= self.memo.open(object).is_err(),
            Keeping::Fresh => self.open_tuples += 1,
            Keeping::All | Keeping::Visible => {}
        }
    }

    /// The index of an object that was opened, if it is part of itself and has been memoized.
    #[inline(always)]
    fn closed(&mut self, object: &'q Object) -> Option<i64> {
        match self.keeping {
            Keeping::Unshared => None,
            Keeping::Fresh if object.is_unshared() => None,
            Keeping::Fresh => {
                self.open_tuples -= 1;
                self.memo.get(object)
            }
            Keeping::All | Keeping::Visible => self.memo.get(object),
        }
    }

    #[inline(always)]
    pub(super) fn open_tuple(&mut self, tuple: &'q Tuple, then: Then<'q>) -> Put<'q> {
        let marked = tuple.len() > 3 || self.out.protocol() < 2;
        if marked {
            self.out.op(Opcode::Mark);
        }
        let mut next = 0;
        while let Some(&item) = tuple.items().get(next) {
            if !self.leaf(item) {
                return self.push(Frame::Tuple(TupleFrame { tuple, next, marked, then }));
            }
            next += 1;
        }
        self.close_tuple(tuple, marked, then);
        Put::Done
    }

    pub(super) fn tuple(&mut self, mut frame: TupleFrame<'q>) -> Step<'q> {
        let place = self.frames.len() - 1;
        let items = frame.tuple.items();
        while let Some(&item) = items.get(frame.next) {
            frame.next += 1;
            match self.put(item) {
                Put::Done => {}
                put => return self.wait(place, Frame::Tuple(frame), put),
            }
        }
        self.frames.truncate(place);
        self.close_tuple(frame.tuple, frame.marked, frame.then);
        Ok(())
    }

    /// Ends a tuple whose items are written.
    #[inline(always)]
    fn close_tuple(&mut self, tuple: &'q Tuple, marked: bool, then: Then<'q>) {
        let items = tuple.items();
        let end = match (marked, items.len()) {
            (false, 1) => Opcode::Tuple1,
            (false, 2) => Opcode::Tuple2,
            (false, 3) => Opcode::Tuple3,
            _ => Opcode::Tuple,
        };
        if let Then::Made(object, by) = then {
            self.out.op(end);
            self.memoize_made(|| Ok(tuple.slice_from(0)?.into_obj()));
            self.made(object, by);
            return;
        }
        let tuple: &'q Object = tuple;
        if let Some(index) = self.closed(tuple) {
            // It is part of itself, and was written while its items were: drop them, fetch it.
            if marked && self.out.is_binary() {
                self.out.op(Opcode::PopMark);
            } else {
                for _ in 0..items.len() + usize::from(marked) {
                    self.out.op(Opcode::Pop);
                }
            }
            self.no_memory |= self.out.get(index).is_err();
        } else {
            self.out.op(end);
            let is_shared = self.is_asked_for(tuple);
            self.memoize(tuple, is_shared);
        }
        self.finish(then);
    }

    /// NEWOBJ or REDUCE for an object that may be part of its own arguments.
    pub(super) fn made(&mut self, object: &'q Object, by: Opcode) {
        self.out.op(by);
        if let Some(index) = self.closed(object) {
            self.out.op(Opcode::Pop);
            self.no_memory |= self.out.get(index).is_err();
        } else {
            let is_shared = self.keeping != Keeping::Unshared || !object.is_unshared();
            self.memoize(object, is_shared);
        }
    }

    /// Writes what follows a container, whose frame is gone.
    #[inline(always)]
    pub(super) fn finish(&mut self, then: Then<'q>) {
        match then {
            Then::Nothing | Then::Made(..) => {}
            Then::Build(_) => self.out.op(Opcode::Build),
            Then::Build2 => {
                self.out.op(Opcode::Tuple2);
                self.memo_skip();
                self.out.op(Opcode::Build);
            }
            Then::Slots(object, place) => {
                self.begin_slots(object, place);
            }
        }
    }

    /// Memoizes what exists only in the pickle. Never with a visible memo.
    #[inline(always)]
    pub(super) fn memo_skip(&mut self) {
        let index = self.memo.skip() as i64;
        self.write_memoize(index);
    }

    /// Writes a dict, or begins to.
    #[inline(always)]
    pub(super) fn begin_dict(&mut self, object: &'q Object) -> Put<'q> {
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
        self.open_dict(dict, size, Then::Nothing)
    }

    #[inline(always)]
    pub(super) fn open_dict(&mut self, dict: &'q Dict, size: usize, then: Then<'q>) -> Put<'q> {
        let entries = dict.entries();
        let frame = DictFrame {
            dict,
            entries,
            slot: 0,
            size,
            done: 0,
            batch: (0, 0),
            marked: false,
            value_is_next: false,
            then,
        };
        match entries {
            _ if size >= BATCH_SIZE => self.push(Frame::Dict(frame)),
            Entries::Named(entries) => self.open_small_dict(frame, NamedPairs(entries)),
            entries => self.open_other_dict(frame, AnyPairs(entries)),
        }
    }

    #[inline(never)]
    fn open_other_dict(&mut self, frame: DictFrame<'q>, pairs: AnyPairs<'q>) -> Put<'q> {
        self.open_small_dict(frame, pairs)
    }

    /// A small dict mostly has leaves only: it is written without a frame of its own.
    #[inline(always)]
    fn open_small_dict<P: Pairs<'q>>(&mut self, mut frame: DictFrame<'q>, pairs: P) -> Put<'q> {
        let size = frame.size;
        frame.begin_batch(size > 1);
        if frame.marked {
            self.out.op(Opcode::Mark);
        }
        let first = pairs.next(&mut 0).map(|(key, _)| key).filter(|_| size <= KEYS);
        let row = first.map(|first| self.plans.rows.find(self.memo.stamp(), first, size));
        let (mut slot, mut done) = (0, 0);
        loop {
            let before = slot;
            let Some((key, value)) = pairs.next(&mut slot) else { break };
            let fetch = row.and_then(|row| self.plans.rows.row(row).fetch(done, key));
            match fetch {
                Some(fetch) if !self.out.is_full() => self.out.get_again(fetch),
                _ if pairs.leaf_key(self, key) => {}
                _ => {
                    (frame.slot, frame.done) = (before, done);
                    return self.push(Frame::Dict(frame));
                }
            }
            done += 1;
            if !self.leaf(value) {
                (frame.slot, frame.done, frame.value_is_next) = (slot, done, true);
                return self.push(Frame::Dict(frame));
            }
        }
        self.out.op(if frame.marked { Opcode::SetItems } else { Opcode::SetItem });
        if let Some(row) = row
            && self.plans.rows.row(row).comes_again()
        {
            self.note_row(pairs, row);
        }
        self.finish_put(frame.then)
    }

    /// Notes the keys of a small dict that was written, for the next ones that have them.
    #[cold]
    fn note_row<P: Pairs<'q>>(&mut self, pairs: P, row: usize) {
        let row = self.plans.rows.row(row);
        let mut slot = 0;
        while let Some((key, _)) = pairs.next(&mut slot) {
            let fetch = self.memo.get(key).and_then(|index| Fetch::new(index).ok());
            let Some(fetch) = fetch else { return };
            row.note(key, fetch);
        }
    }

    /// As [`finish`](Stretch::finish), for a container that had no frame.
    #[inline(always)]
    pub(super) fn finish_put(&mut self, then: Then<'q>) -> Put<'q> {
        match then {
            Then::Slots(object, place) => self.begin_slots(object, place),
            then => {
                self.finish(then);
                Put::Done
            }
        }
    }

    pub(super) fn dict<P: Pairs<'q>>(&mut self, mut frame: DictFrame<'q>, pairs: P) -> Step<'q> {
        let place = self.frames.len() - 1;
        let (mut slot, mut done) = (frame.slot, frame.done);
        if frame.value_is_next {
            frame.value_is_next = false;
            if let Some((_, value)) = frame.entries.get(slot.wrapping_sub(1)) {
                match self.put(value) {
                    Put::Done => {}
                    put => return self.wait_in_dict(place, &frame, put),
                }
            }
        }
        loop {
            while done < frame.batch.1 {
                let Some((key, value)) = pairs.next(&mut slot) else { break };
                done += 1;
                let (value_is_next, put) = match pairs.put_key(self, key) {
                    Put::Done => match self.put(value) {
                        Put::Done => continue,
                        put => (false, put),
                    },
                    put => (true, put),
                };
                (frame.slot, frame.done, frame.value_is_next) = (slot, done, value_is_next);
                return self.wait_in_dict(place, &frame, put);
            }
            let trims = self.state.version.trims_batches;
            if frame.batch.1 > 0 {
                self.out.op(if frame.marked { Opcode::SetItems } else { Opcode::SetItem });
                let is_full = done - frame.batch.0 == BATCH_SIZE;
                if trims && done < frame.size && done < frame.batch.1 {
                    // Entries were moved under the slots while Python ran.
                    (frame.slot, frame.done) = (slot, done);
                    return self.wait_in_dict(place, &frame, Put::Stop(Stop::Changed));
                }
                if if trims { done >= frame.size } else { !is_full } {
                    break;
                }
            }
            // Behind a full batch there is another one before 3.15, if only to be empty.
            let left = frame.size.saturating_sub(done);
            frame.done = done;
            frame.begin_batch(left != 1 || !(trims || done == 0));
            if frame.marked {
                self.out.op(Opcode::Mark);
            }
        }
        self.frames.truncate(place);
        self.finish(frame.then);
        Ok(())
    }

    /// As [`wait`](Stretch::wait), by what changes alone: frames are large.
    #[inline(always)]
    fn wait_in_dict(&mut self, place: usize, frame: &DictFrame<'q>, put: Put<'q>) -> Step<'q> {
        if let Some(Frame::Dict(waiting)) = self.frames.get_mut(place) {
            waiting.slot = frame.slot;
            waiting.done = frame.done;
            waiting.batch = frame.batch;
            waiting.marked = frame.marked;
            waiting.value_is_next = frame.value_is_next;
        }
        went(put)
    }

    /// Writes a key that may be held once by all the dicts that have it.
    pub(super) fn key(&mut self, key: &'q Object) -> Put<'q> {
        if self.out.is_full() {
            if self.to_file {
                return Put::Stop(Stop::Full(key));
            }
            self.edge();
        }
        match key.cast_exact::<Str>() {
            Some(text) => self.text(key, text, true),
            None => self.put(key),
        }
    }

    pub(super) fn begin_set(&mut self, object: &'q Object, frozen: bool) -> Put<'q> {
        let Some(set) = object.cast_exact::<AnySet>() else { return Put::Stop(Stop::At(object)) };
        // A hook may find a set that it has made by a weak reference.
        if self.out.protocol() < 4 || self.keeping == Keeping::Fresh && object.has_weakrefs() {
            return Put::Stop(Stop::At(object));
        }
        if self.signals_are_due() {
            return Put::Stop(Stop::Signals(object));
        }
        let size = set.used();
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
        let mut frame = SetFrame { set, frozen, position: 0, size, done: 0, batch: 0, open: false };
        if size >= BATCH_SIZE {
            return self.push(Frame::Set(frame));
        }
        // A small set mostly has leaves only: it is written without a frame of its own.
        if !frozen {
            self.out.op(Opcode::Mark);
            frame.open = true;
        }
        loop {
            let before = frame.position;
            let Some(item) = set.next_borrowed(&mut frame.position) else { break };
            if !self.leaf(item) {
                frame.position = before;
                return self.push(Frame::Set(frame));
            }
            frame.done += 1;
            frame.batch += 1;
        }
        if frozen {
            self.finish_frozenset(set);
        } else {
            self.out.op(Opcode::AddItems);
        }
        Put::Done
    }

    pub(super) fn set(&mut self, mut frame: SetFrame<'q>) -> Step<'q> {
        let place = self.frames.len() - 1;
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
                    put => return self.wait(place, Frame::Set(frame), put),
                }
            }
            if frame.frozen {
                self.frames.truncate(place);
                self.finish_frozenset(frame.set);
                return Ok(());
            }
            self.out.op(Opcode::AddItems);
            let more = if self.state.version.trims_batches {
                frame.done < frame.size
            } else {
                frame.batch == BATCH_SIZE
            };
            if !more {
                self.frames.truncate(place);
                return Ok(());
            }
            frame.open = false;
        }
    }

    fn finish_frozenset(&mut self, set: &'q AnySet) {
        if let Some(index) = self.closed(set) {
            // It is part of itself, as a tuple can be.
            self.out.op(Opcode::PopMark);
            self.no_memory |= self.out.get(index).is_err();
        } else {
            self.out.op(Opcode::FrozenSet);
            let is_shared = self.is_asked_for(set);
            self.memoize(set, is_shared);
        }
    }
}

/// How a dict's entries are read, and its keys written.
pub(super) trait Pairs<'q>: Copy {
    /// The next pair at or behind a slot, which moves behind it.
    fn next(self, slot: &mut usize) -> Option<(&'q Object, &'q Object)>;

    fn put_key<S: Sink>(self, stretch: &mut Stretch<'_, 'q, S>, key: &'q Object) -> Put<'q>;

    /// As [`put_key`](Pairs::put_key) for a key that needs no frame; false, and nothing is written,
    /// for others.
    fn leaf_key<S: Sink>(self, stretch: &mut Stretch<'_, 'q, S>, key: &'q Object) -> bool;
}

/// Those of a dict whose keys are strings, and its own: most.
#[derive(Clone, Copy)]
pub(super) struct NamedPairs<'q>(pub(super) &'q [Named<'q>]);

impl<'q> Pairs<'q> for NamedPairs<'q> {
    #[inline(always)]
    fn next(self, slot: &mut usize) -> Option<(&'q Object, &'q Object)> {
        while let Some(entry) = self.0.get(*slot) {
            *slot += 1;
            if let Some(pair) = entry.pair() {
                return Some(pair);
            }
        }
        None
    }

    #[inline(always)]
    fn put_key<S: Sink>(self, stretch: &mut Stretch<'_, 'q, S>, key: &'q Object) -> Put<'q> {
        stretch.put(key)
    }

    #[inline(always)]
    fn leaf_key<S: Sink>(self, stretch: &mut Stretch<'_, 'q, S>, key: &'q Object) -> bool {
        stretch.leaf(key)
    }
}

/// Those of any dict.
#[derive(Clone, Copy)]
pub(super) struct AnyPairs<'q>(pub(super) Entries<'q>);

impl<'q> Pairs<'q> for AnyPairs<'q> {
    #[inline(always)]
    fn next(self, slot: &mut usize) -> Option<(&'q Object, &'q Object)> {
        while *slot < self.0.slots() {
            *slot += 1;
            if let Some(pair) = self.0.get(*slot - 1) {
                return Some(pair);
            }
        }
        None
    }

    #[inline(always)]
    fn put_key<S: Sink>(self, stretch: &mut Stretch<'_, 'q, S>, key: &'q Object) -> Put<'q> {
        match self.0 {
            // Keys that are shared are held once, by all who have them.
            Entries::Split(..) => stretch.key(key),
            _ => stretch.put(key),
        }
    }

    #[inline(always)]
    fn leaf_key<S: Sink>(self, stretch: &mut Stretch<'_, 'q, S>, key: &'q Object) -> bool {
        match self.0 {
            Entries::Split(..) => !stretch.out.is_full() && matches!(stretch.key(key), Put::Done),
            _ => stretch.leaf(key),
        }
    }
}

impl<'q> ListFrame<'q> {
    pub(in crate::pickler) fn new(
        list: &'q List,
        next: usize,
        batch: (usize, usize),
        marked: bool,
        then: Then<'q>,
    ) -> ListFrame<'q> {
        ListFrame { list, items: list.items(), next, batch, marked, then }
    }
}

impl<'q> DictFrame<'q> {
    /// A dict that the walker began to write.
    pub(in crate::pickler) fn resumed(
        dict: &'q Dict,
        slot: usize,
        size: usize,
        done: usize,
        batch_start: usize,
        marked: bool,
    ) -> DictFrame<'q> {
        DictFrame {
            dict,
            entries: dict.entries(),
            slot,
            size,
            done,
            batch: DictFrame::batch(batch_start, marked),
            marked,
            value_is_next: false,
            then: Then::Nothing,
        }
    }

    /// Begins a batch, with MARK or for one item. It goes to the end of the dict, whatever its size was:
    /// a hook may have put other items into it, and taken as many out.
    #[inline(always)]
    fn begin_batch(&mut self, marked: bool) {
        self.marked = marked;
        self.batch = DictFrame::batch(self.done, marked);
    }

    #[inline(always)]
    fn batch(start: usize, marked: bool) -> (usize, usize) {
        (start, start + if marked { BATCH_SIZE } else { 1 })
    }

    /// The key and the value that were begun last.
    pub(in crate::pickler) fn current(&self) -> Option<(&'q Object, &'q Object)> {
        self.entries.get(self.slot.checked_sub(1)?)
    }
}
