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
        let now = Instant::now();
        if now.duration_since(*self.looked.get_or_insert(now)) < INTERVAL {
            return Ok(());
        }
        self.looked = Some(now);
        check_signals()
    }
}
