//! A dump that keeps no memo, as long as it can: what `dumps` tries first.
//!
//! Most dumps run no Python at all, and are one [`Stretch`] from the first opcode to the last.

use super::Scratch;
use super::stretch::{self, Begin, Keeping, Stop, Stretch};
use crate::ffi::collector::Pause;
use crate::ffi::keep::Keep;
use crate::ffi::output::Output;
use crate::ffi::{Obj, Object, PyResult, Raised, error};
use crate::signals::Signals;
use crate::state::State;
use halfsour::{Emitter, FRAME_TARGET};

/// How many classes whose slots are not listed a dump may meet: each makes it start again.
const CLASSES_TO_LIST: usize = 8;

/// How it ended.
pub(super) enum Ended {
    Done,
    /// Before this object, which takes Python: what is emitted stands.
    At(Obj),
    /// It takes a memo, from the start.
    Again,
}

/// Writes an object behind what [`Emitter::begin`] has written.
#[inline]
pub(super) fn dump(
    state: &State,
    out: &mut Emitter<Output>,
    scratch: &mut Scratch,
    obj: &Object,
) -> PyResult<Ended> {
    for _ in 0..CLASSES_TO_LIST {
        let keep = Keep::default();
        let (mut signals, mut ticks) = (Signals::default(), stretch::TICKS);
        let stopped = {
            let _pause = Pause::begin();
            let mut plans = state.plans.borrow_mut();
            let mut stretch = Stretch::new(
                state,
                out,
                &mut scratch.memo,
                &mut plans,
                &mut signals,
                &mut ticks,
                Some(&state.dispatch_table),
                &keep,
                Keeping::Unshared,
                false,
                stretch::recycle(std::mem::take(&mut scratch.stretch_frames)),
            );
            let stopped = stretch.run(Begin::Object(obj));
            scratch.stretch_frames = stretch::recycle(std::mem::take(&mut stretch.frames));
            stopped
        };
        match stopped {
            Ok(()) => return Ok(Ended::Done),
            Err(Stop::At(at) | Stop::Cramped(at)) => return Ok(Ended::At(at.own())),
            Err(Stop::Raised) => return Err(Raised),
            Err(Stop::Unlisted(at)) if out.len() >= FRAME_TARGET => {
                return Ok(Ended::At(at.own()));
            }
            Err(Stop::Unlisted(at)) => {
                let class = at.type_of().own();
                state.list_slots(&class)?;
            }
            Err(Stop::Signals(_)) => {
                // What was borrowed is not looked at again, whatever a handler does.
                error::check_signals()?;
                break;
            }
            Err(Stop::Full(_) | Stop::Recursive | Stop::Changed) => break,
        }
        drop(scratch.memo.empty());
        out.begin_again();
    }
    drop(scratch.memo.empty());
    out.begin_again();
    Ok(Ended::Again)
}
