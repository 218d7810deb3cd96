//! Behaviour that differs between versions of CPython: the one place where that is decided.
//!
//! Fields say what the running interpreter's own `_pickle` does. Interfaces that differ (methods
//! instead of attributes, C functions that exist only from some version on) are `cfg(Py_3_x)` at
//! the place where they matter, since the extension is built for one minor version.

use halfsour::{Frames, Rules};

/// What the running `_pickle` does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Version {
    /// The protocol of `dumps(obj)`: 5 since 3.14, 4 before.
    pub(crate) default_protocol: u8,
    /// Exceptions get notes that say where in the object graph they happened (3.14, gh-122213);
    /// failures of lookups become PicklingErrors, and messages name types in full (gh-122311).
    pub(crate) explains: bool,
    /// A nested name below protocol 4 is written as chained `getattr` calls of which only the last
    /// is memoized (3.13); before, as a reduction of the parent object.
    pub(crate) chained_getattr: bool,
    /// The message for a local object says "get", not "pickle" (3.13 only).
    pub(crate) local_get: bool,
    /// A bad code in the extension registry raises TypeError or RuntimeError (3.13), not
    /// PicklingError.
    pub(crate) strict_extension_codes: bool,
    /// "PickleBuffer can only *be* pickled" (3.13).
    pub(crate) can_be_pickled: bool,
    /// A list that changes its size while it is written raises RuntimeError (3.14.7).
    pub(crate) list_size_checked: bool,
    /// No batch of one item, and no empty batch behind a full one (3.15, PR 144162).
    pub(crate) trims_batches: bool,
    /// Private names of nested classes are mangled (3.15, PR 21480).
    pub(crate) mangles_private_names: bool,
    /// Like `__main__`, `__mp_main__` is not searched for objects without a module (3.15).
    pub(crate) skips_mp_main: bool,
    /// A frozenset in fast mode is forgotten when it is written (3.13.13, 3.14.4, gh-146059); before,
    /// it counts as being nested in for ever.
    pub(crate) frozenset_leaves_fast: bool,

    /// Frames and BINSTRING lengths.
    pub(crate) rules: Rules,
    /// The base of INT and LONG: 0, which takes `0x10` and octal `010`, before 3.14 (gh-126992).
    pub(crate) int_base: i32,
    /// An INT of two characters with the value 0 or 1, such as `+1`, is a bool (before 3.15); else
    /// only `00` and `01` are.
    pub(crate) short_int_is_bool: bool,
    /// STACK_GLOBAL says that it wants strings also where there is nothing to take (before
    /// 3.11.5, gh-105375).
    pub(crate) stack_global_hides_underflow: bool,
    /// The error about an id that nobody resolves has a line break (before 3.12).
    pub(crate) persistent_error_wraps: bool,
    /// Memo entries at sparse indexes count for MEMOIZE's next index (before 3.15, PR 119204).
    pub(crate) memo_counts_sparse: bool,
    /// APPENDS and ADDITEMS without items still look up `extend`, `append` and `add` (3.15).
    pub(crate) empty_batches_look_up: bool,
    /// What is left of a text or a long number of more than a mebibyte is read with `readinto`, as
    /// bytes objects are (3.15, PR 119204); before, all of it comes from `read`, in any type that
    /// has a buffer.
    pub(crate) reads_on_into: bool,
    /// "Can't resolve path" with a chained cause where a dotted name is not found (3.14).
    pub(crate) explains_paths: bool,
}

impl Version {
    /// The version of the running interpreter.
    pub(crate) fn running() -> Version {
        Version::of(crate::ffi::module::hexversion())
    }

    /// The version that `sys.hexversion` names.
    pub(crate) fn of(hexversion: u32) -> Version {
        let version = hexversion >> 8;
        let since = |minor: u32, patch: u32| version >= 0x03_0000 | minor << 8 | patch;
        // Fixes that reached two branches: from `old` on in 3.13, from `new` on after it.
        let fixed = |old: u32, new: u32| if since(14, 0) { since(14, new) } else { since(13, old) };
        Version {
            default_protocol: if since(14, 0) { 5 } else { 4 },
            explains: since(14, 0),
            chained_getattr: since(13, 0),
            local_get: since(13, 0) && !since(14, 0),
            strict_extension_codes: since(13, 0),
            can_be_pickled: since(13, 0),
            list_size_checked: since(14, 7),
            trims_batches: since(15, 0),
            mangles_private_names: since(15, 0),
            skips_mp_main: since(15, 0),
            frozenset_leaves_fast: fixed(13, 4),
            rules: Rules {
                frames: if fixed(15, 7) { Frames::Enforced } else { Frames::Lenient },
                signed_binstring: fixed(5, 0),
            },
            int_base: if since(14, 0) { 10 } else { 0 },
            short_int_is_bool: !since(15, 0),
            stack_global_hides_underflow: !since(11, 5),
            persistent_error_wraps: !since(12, 0),
            memo_counts_sparse: !since(15, 0),
            empty_batches_look_up: since(15, 0),
            reads_on_into: since(15, 0),
            explains_paths: since(14, 0),
        }
    }
}
