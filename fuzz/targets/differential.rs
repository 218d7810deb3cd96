//! The same as CPython's `_pickle`: equal objects, or an error where it has one.
//!
//! A Python that is asked again and again does its part. What calls make of their arguments, nobody
//! knows without making them; so where there are classes, an error of Python's alone proves nothing.
#![no_main]

#[path = "../../crates/halfsour/tests/common/mod.rs"]
mod common;

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex};

use halfsour::Rules;
use libfuzzer_sys::fuzz_target;

struct Oracle {
    python: Child,
    rules: Rules,
    version: (u32, u32),
}

static ORACLE: LazyLock<Mutex<Oracle>> = LazyLock::new(|| {
    let name = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    let script = format!("{}{}", common::PACK, common::symbols::SCRIPT);
    let python = Command::new(name)
        .args(["-W", "ignore", "-c", &script, "--server"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a Python is needed to compare with");
    Mutex::new(Oracle { python, rules: common::symbols::rules(), version: common::version() })
});

impl Oracle {
    fn ask(&mut self, data: &[u8]) -> std::io::Result<String> {
        let stdin = self.python.stdin.as_mut().expect("it is piped");
        stdin.write_all(&common::pack([data]))?;
        stdin.flush()?;
        let stdout = self.python.stdout.as_mut().expect("it is piped");
        let mut size = [0; 4];
        stdout.read_exact(&mut size)?;
        let mut answer = vec![0; u32::from_le_bytes(size) as usize];
        stdout.read_exact(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

/// Whether there may be objects that a graph only notes.
fn has_objects(data: &[u8]) -> bool {
    let opcodes = b"cioRbPQ\x81\x82\x83\x84\x92\x93\x97\x98";
    data.iter().any(|byte| opcodes.contains(byte))
}

fuzz_target!(|data: &[u8]| {
    let mut oracle = ORACLE.lock().unwrap();
    let (ours, error) = common::symbols::ours(data, oracle.rules);
    // The answers of a Python that ended (it ran out of memory, say) are no answers.
    let theirs = oracle.ask(data).expect("Python ended");
    let Ok(ours) = ours else { return };
    let failed = |text: &str| text.split(':').next().is_some_and(|class| class.ends_with("Error"));
    // What is wrong with the text of a number or a string has many names.
    let worded = error.as_ref().is_some_and(|error| common::symbols::own_words(error.kind()));
    if theirs.starts_with("Refused") || failed(&theirs) && (worded || has_objects(data)) {
        return;
    }
    // Before 3.15 an INT of two characters may be a bool, and before 3.14 one may be octal.
    if oracle.version < (15, 0) && data.contains(&b'I') {
        return;
    }
    // Before 3.15, a bytearray is made as large as its length says.
    if theirs.starts_with("MemoryError") && error.is_some() {
        return;
    }
    let equal = common::symbols::agree(oracle.version, data, &ours, error.as_ref(), &theirs);
    assert!(equal, "{}\n ours:   {ours}\n theirs: {theirs}", data.escape_ascii());
});
