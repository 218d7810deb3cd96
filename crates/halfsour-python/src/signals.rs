//! Ctrl-C in the middle of a long dump or load.

use crate::ffi::PyResult;
use crate::ffi::error::check_signals;
use std::time::{Duration, Instant};

/// How often signals are looked for. Not at every chance, since that also lets the cycle collector
/// run, and a load makes many objects and no garbage.
const INTERVAL: Duration = Duration::from_millis(40);

/// Looks for signals now and then.
#[derive(Default)]
pub(crate) struct Signals {
    looked: Option<Instant>,
}

impl Signals {
    /// Runs pending signal handlers if it is time to; what they raise comes back. Call it every few
    /// thousand objects.
    pub(crate) fn poll(&mut self) -> PyResult<()> {
        if self.are_due() { check_signals() } else { Ok(()) }
    }

    /// Whether it is time to look for signals; if so, the next time is an interval later.
    pub(crate) fn are_due(&mut self) -> bool {
        let now = Instant::now();
        let due = now.duration_since(*self.looked.get_or_insert(now)) >= INTERVAL;
        if due {
            self.looked = Some(now);
        }
        due
    }
}
