//! What is kept from one load to the next: most loads are small, and asking for memory would be most of
//! their work.

use super::Unpickler;
use super::ahead::Ahead;
use crate::ffi::Obj;
use crate::ffi::class::Body;
use crate::state::State;
use halfsour::Machine;

/// What a load works with, empty between loads.
pub(crate) struct Scratch {
    pub(super) unpickler: Unpickler,
    pub(super) machine: Machine<Obj>,
    pub(super) ahead: Ahead,
}

/// How many values and marks are kept room for.
const RETAINED: usize = 1 << 12;

impl Scratch {
    /// Takes the scratch of this interpreter, or a new one where a load has it that is under way.
    #[inline]
    pub(super) fn borrow(state: &State) -> Box<Scratch> {
        state.load_scratch.take().unwrap_or_else(|| {
            Box::new(Scratch {
                unpickler: Unpickler::new(),
                machine: Machine::new(),
                ahead: Ahead::default(),
            })
        })
    }

    /// Empties it and gives it back. May run finalisers.
    #[inline]
    pub(super) fn give_back(mut self: Box<Scratch>, state: &State) {
        self.machine.clear();
        self.ahead.clear();
        if !self.unpickler.memo.borrow().is_untouched() {
            self.unpickler = Unpickler::new();
        }
        let (stack, marks) = self.machine.parts();
        if stack.capacity() > RETAINED || marks.capacity() > RETAINED {
            self.machine = Machine::new();
        }
        drop(state.load_scratch.replace(Some(self)));
    }
}
