//! Failures: what notes are put on the exception, and what is given up.

use super::*;

impl Walker<'_> {
    /// Leaves all frames, from the top, and notes on the exception what each was about.
    #[cold]
    pub(super) fn unwind(&mut self, failed: Failed) -> Raised {
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
                        PlannedAt::BeforeClass | PlannedAt::Class => "when serializing {} class",
                        PlannedAt::BeforeCallable | PlannedAt::Callable => {
                            "when serializing {} reconstructor"
                        }
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
