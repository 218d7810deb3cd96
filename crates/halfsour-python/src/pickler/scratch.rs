//! Memory that is kept from one dump to the next: most dumps are small, and asking for memory would
//! be most of their work.

use super::frame::Frame;
use super::stretch;
use crate::ffi::output::{self, Output};
use crate::memo::Memo;
use crate::state::State;
use halfsour::Emitter;

/// What a dump works with, empty between dumps.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(super) output: output::Scratch,
    pub(super) memo: Memo,
    pub(super) frames: Vec<Frame>,
    pub(super) stretch_frames: Vec<stretch::Frame<'static>>,
}

/// How many frames are kept room for.
const FRAMES: usize = 1 << 10;

impl Scratch {
    /// Takes the scratch of this interpreter, or a new one where a dump has it that is under way.
    #[inline]
    pub(super) fn borrow(state: &State) -> Box<Scratch> {
        state.scratch.take().unwrap_or_default()
    }

    /// Begins a pickle in the memory that is kept for its bytes.
    #[inline]
    pub(super) fn begin(&mut self, protocol: u8) -> Emitter<Output> {
        let output = Output::new(std::mem::take(&mut self.output));
        let mut out = Emitter::with_sink(protocol, output);
        out.begin();
        out
    }

    /// Gives it back, emptied.
    #[inline]
    pub(super) fn end(mut self: Box<Scratch>, state: &State, out: Output) {
        let objects = self.memo.empty();
        self.output = out.into_scratch();
        if self.frames.capacity() > FRAMES {
            self.frames = Vec::new();
        }
        if self.stretch_frames.capacity() > FRAMES {
            self.stretch_frames = Vec::new();
        }
        drop(state.scratch.replace(Some(self)));
        // Their finalisers may dump something themselves.
        drop(objects);
    }
}
