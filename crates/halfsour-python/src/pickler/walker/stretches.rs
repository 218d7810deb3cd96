//! Between walker and [`Stretch`]: lending what it works with, taking over where it stops, and going
//! on in another.

use super::*;

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

impl Walker<'_> {
    #[inline(always)]
    pub(super) fn save_in_stretch(&mut self, obj: Obj) -> PyResult<()> {
        let kind = obj.kind();
        if !matches!(kind, Kind::None | Kind::Bool(_) | Kind::Int | Kind::Float)
            && let Some(index) = self.pickler.memo.borrow().get(&obj)
        {
            return self.out.get(index).map_err(|e| self.too_large(e));
        }
        if kind == Kind::Other && obj.type_of().address() == self.stopped_at {
            self.state.plans.borrow_mut().begin();
            return match self.hook(&obj) {
                Some(hook) => self.save_by_hook(obj, hook),
                None => self.save_itself(obj),
            };
        }
        match self.stretch(Begin::Object(&obj), self.keeping())? {
            Stretched::Done => Ok(()),
            Stretched::Stopped(stopped) => self.save_stopped(stopped),
            Stretched::Full(next) => self.save(next, false),
            Stretched::Failed => Err(changed_size()),
        }
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

    /// Whether programs can look at the memo, and change it.
    pub(in crate::pickler) fn memo_is_seen(&self) -> bool {
        self.this.is_some()
    }

    fn keeping(&self) -> Keeping {
        if self.memo_is_seen() { Keeping::Visible } else { Keeping::All }
    }

    /// Has the frame of a planned instance, which is on top, wait for what a hook has made: all of
    /// it, or an item. The frame keeps it where it must live on.
    pub(super) fn child_made(&mut self, made: Obj, item: Option<usize>) -> Step {
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

    /// Whether what comes next may be written in a [`Stretch`].
    pub(in crate::pickler) fn may_stretch(&self) -> bool {
        self.state.layouts_known
            && self.pickler.fast.get() == 0
            && self.out.is_binary()
            && self.out.protocol() > 0
            && self.has_no_persistent_id()
    }

    /// Goes on at `at`, where a stretch stopped that kept no memo: walks there again, silently, and
    /// has the memo keep all objects on the way.
    pub(super) fn save_after_silent_walk(&mut self, obj: &Object, at: &Object) -> PyResult<()> {
        drop(self.pickler.memo.borrow_mut().empty());
        if at.is(obj) {
            // Nothing was written.
            return self.save_stopped(at.own());
        }
        let mut silent = Emitter::with_sink(self.out.protocol(), Silent);
        let (mut ticks, mut signals) = (u32::MAX, Signals::default());
        let table = self.plain_dispatch_table();
        let keep = Keep::default();
        // A collection would run Python before all is owned that was borrowed.
        let pause = Pause::begin();
        let again = {
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
            stretch.in_band = self.writes_in_band();
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
        drop(pause);
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
        // A collection would run Python before all is owned that was borrowed.
        let pause = Pause::begin();
        let (stopped, frames) = self.with_stretch(&keep, table.as_deref(), keeping, |stretch| {
            (stretch.run(begin), std::mem::take(&mut stretch.frames))
        });
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
        drop(pause);
        self.stretch_frames = stretch::recycle(frames);
        match stopped {
            Err(Stop::Signals(_)) => error::check_signals()?,
            Err(Stop::Raised) => return Err(Raised),
            _ => {}
        }
        Ok(stretched)
    }

    /// Whether there may be buffers, and no callback takes them.
    pub(in crate::pickler) fn writes_in_band(&self) -> bool {
        self.out.protocol() >= 5 && self.buffer_callback.is_none()
    }

    /// Lends what it works with to a stretch.
    pub(in crate::pickler) fn with_stretch<'q, R>(
        &mut self,
        keep: &'q Keep,
        table: Option<&'q Dict>,
        keeping: Keeping,
        run: impl FnOnce(&mut Stretch<'_, 'q, Output>) -> R,
    ) -> R {
        let in_band = self.writes_in_band();
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
        stretch.in_band = in_band;
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
    pub(super) fn resume(&mut self) -> Result<bool, Failed> {
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
                stretch::Frame::Dict(stretch::DictFrame::resumed(
                    &frame.dict,
                    frame.position.unsigned_abs(),
                    frame.size,
                    frame.done + 1,
                    start,
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
}
