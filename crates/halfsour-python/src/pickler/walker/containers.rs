//! Tuples, lists, dicts and sets, and the items that a reduction has.

use super::*;

impl Walker<'_> {
    pub(super) fn save_tuple(&mut self, obj: Obj) -> PyResult<()> {
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

    pub(super) fn save_list(&mut self, obj: Obj) -> PyResult<()> {
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

    pub(super) fn save_dict(&mut self, obj: Obj) -> PyResult<()> {
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
    pub(super) fn save_set(&mut self, obj: Obj) -> PyResult<()> {
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
    pub(super) fn save_frozenset(&mut self, obj: Obj) -> PyResult<()> {
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

    pub(super) fn step_tuple(&mut self) -> Step {
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

    pub(super) fn step_list(&mut self) -> Step {
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

    pub(super) fn step_list_items(&mut self) -> Step {
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

    pub(super) fn step_dict_items(&mut self) -> Step {
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

    pub(super) fn step_dict(&mut self) -> Step {
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

    pub(super) fn step_set(&mut self) -> Step {
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

    pub(super) fn step_frozenset(&mut self) -> Step {
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
}

impl ItemsFrame {
    pub(super) fn new(owner: Obj, items: Option<Obj>, entered: bool) -> ItemsFrame {
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
