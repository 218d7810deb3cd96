//! The cycle collector, which may run any finaliser.

/// While it lives, making objects starts no collection.
///
/// Since 3.12 making objects never does: collections wait for the interpreter's loop.
pub(crate) struct Pause {
    #[cfg(not(Py_3_12))]
    was_enabled: bool,
}

impl Pause {
    #[inline]
    pub(crate) fn begin() -> Pause {
        Pause {
            // SAFETY: sets a flag of the interpreter.
            #[cfg(not(Py_3_12))]
            was_enabled: unsafe { pyo3_ffi::PyGC_Disable() } == 1,
        }
    }
}

impl Drop for Pause {
    #[inline]
    fn drop(&mut self) {
        #[cfg(not(Py_3_12))]
        if self.was_enabled {
            // SAFETY: sets a flag of the interpreter.
            unsafe { pyo3_ffi::PyGC_Enable() };
        }
    }
}
