//! Whether the machine is about to run out of memory.
//!
//! A dump whose reductions make ever new objects ends at a bound on their nesting; where each level
//! is large, memory ends before. This is looked at now and then on the way down.

use std::fs::read_to_string;

/// Less than a sixteenth of the memory is left, of the machine's or of the control group's. False
/// where the system does not say (it does on Linux).
pub(crate) fn is_short() -> bool {
    let machine = read_to_string("/proc/meminfo").is_ok_and(|text| {
        let kib = |name| number_after(&text, name);
        matches!((kib("MemAvailable:"), kib("MemTotal:")), (Some(left), Some(all)) if left < all / 16)
    });
    machine || group_is_short().unwrap_or(false)
}

/// The same of a container's limit.
fn group_is_short() -> Option<bool> {
    let limit: u64 = read_to_string("/sys/fs/cgroup/memory.max").ok()?.trim().parse().ok()?;
    let used = number_after(&read_to_string("/sys/fs/cgroup/memory.stat").ok()?, "anon ")?;
    Some(used > limit - limit / 16)
}

/// The number that follows a name at the start of a line.
fn number_after(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
