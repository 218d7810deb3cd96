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

/// Where the pickle goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Memory,
    /// A file that is written in Python, which may look at anything whenever it is given a frame. So
    /// there can be no more than one.
    AtOnce,
    /// A file that is written in C. It is given its frames when all of them are there.
    Later,
}

/// More bytes than the beginning of any object takes that must be in one frame.
const ROOM: usize = 1 << 10;

/// What is kept in memory for a file, in bytes, and how much more for each object: a memo would take
/// as much.
const KEPT: usize = 64 << 20;
pub(super) const KEPT_FOR_OBJECT: usize = 32;

/// Gives a file what was emitted, in the pieces in which frames were full.
pub(super) fn write(out: &mut Emitter<Output>, file: &Object) -> PyResult<()> {
    if out.is_out_of_memory() {
        return Err(error::no_memory());
    }
    let end = write_ended(out, file)?;
    out.remove_ended(end);
    let rest = out.between_frames(Output::take)?;
    file.call1(&rest).map(drop)
}

/// Gives a file the frames that have ended; returns how many bytes they were.
pub(super) fn write_ended(out: &mut Emitter<Output>, file: &Object) -> PyResult<usize> {
    let mut written = 0;
    for frame in out.ended_frames() {
        written = frame.end;
        let frame = out.sink().part(frame)?;
        file.call1(&frame)?;
    }
    Ok(written)
}

/// Writes an object behind what [`Emitter::begin`] has written.
#[inline]
pub(super) fn dump(
    state: &State,
    out: &mut Emitter<Output>,
    scratch: &mut Scratch,
    obj: &Object,
    target: Target,
    in_band: bool,
) -> PyResult<Ended> {
    let stops_for_frames = target == Target::AtOnce;
    if target == Target::Later {
        out.note_ends();
    }
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
                stops_for_frames,
                stretch::recycle(std::mem::take(&mut scratch.stretch_frames)),
            );
            stretch.apart = target != Target::Memory;
            stretch.in_band = in_band;
            if target == Target::Later {
                stretch.most = KEPT;
            }
            let stopped = stretch.run(Begin::Object(obj));
            scratch.stretch_frames = stretch::recycle(std::mem::take(&mut stretch.frames));
            stopped
        };
        match stopped {
            Ok(()) => return Ok(Ended::Done),
            // Where the frame was the reason, a silent walk would not stop.
            Err(Stop::At(_) | Stop::ByType(_)) if stops_for_frames && out.room() < ROOM => break,
            Err(Stop::At(at) | Stop::ByType(at)) => return Ok(Ended::At(at.own())),
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
    drop(out.ended_frames());
    Ok(Ended::Again)
}
