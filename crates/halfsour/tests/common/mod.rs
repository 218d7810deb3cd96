//! What several tests share: a Python interpreter to compare with.
#![allow(dead_code, reason = "each test uses its part")]

pub(crate) mod symbols;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs a Python script with `input` and returns what it prints.
///
/// The interpreter is `$PYTHON`, else `python3`. There is no skipping: the table and the
/// disassembler are right only if an interpreter says so.
pub(crate) fn python(script: &str, input: &[u8]) -> Vec<u8> {
    let name = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    let mut child = Command::new(&name)
        .args(["-W", "ignore", "-c", script])
        .env("PYTHONIOENCODING", "utf-8:surrogatepass")
        .env_remove("FORCE_COLOR")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("a Python is needed to compare with; {name:?}: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join();
    assert!(output.status.success(), "the Python script failed");
    output.stdout
}

/// Runs with little stack.
pub(crate) fn with_small_stack(f: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(512 << 10).spawn(f).unwrap().join().unwrap();
}

/// Byte strings as the scripts read and write them: four bytes of length before each.
pub(crate) fn pack<'a>(items: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut packed = Vec::new();
    for item in items {
        packed.extend((item.len() as u32).to_le_bytes());
        packed.extend(item);
    }
    packed
}

pub(crate) fn unpack(mut packed: &[u8]) -> Vec<Vec<u8>> {
    let mut items = Vec::new();
    while let Some((len, rest)) = packed.split_first_chunk() {
        let (item, rest) = rest.split_at(u32::from_le_bytes(*len) as usize);
        items.push(item.to_vec());
        packed = rest;
    }
    items
}

/// The Python side of `pack` and `unpack`.
pub(crate) const PACK: &str = r"
import struct, sys
def unpack():
    while size := sys.stdin.buffer.read(4):
        yield sys.stdin.buffer.read(*struct.unpack('<I', size))
def emit(item):
    if isinstance(item, str):
        item = item.encode('utf-8', 'surrogatepass')
    sys.stdout.buffer.write(struct.pack('<I', len(item)) + item)
";

/// Version of the interpreter: minor and micro.
pub(crate) fn version() -> (u32, u32) {
    let text = python("import sys; print(*sys.version_info[1:3])", b"");
    let text = String::from_utf8(text).unwrap();
    let (minor, micro) = text.trim().split_once(' ').unwrap();
    (minor.parse().unwrap(), micro.parse().unwrap())
}

/// The corpus of the repository: names and pickles.
pub(crate) fn corpus() -> Vec<(String, Vec<u8>)> {
    pickles("../../corpus")
}

/// What well-known packages pickle: names and pickles.
pub(crate) fn ecosystem() -> Vec<(String, Vec<u8>)> {
    ["tests/ecosystem", "tests/numpy"].into_iter().flat_map(pickles).collect()
}

/// The pickles in a folder, and in those below.
fn pickles(folder: &str) -> Vec<(String, Vec<u8>)> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "pickle" || end == "pkl") {
                files.push((path.display().to_string(), std::fs::read(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

/// What Python finds in pickles.
pub(crate) fn shown(pickles: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let script = concat!(include_str!("../python/symbol.py"), include_str!("../python/graphs.py"));
    let script = format!("{PACK}{script}");
    unpack(&python(&script, &pack(pickles.iter().map(Vec::as_slice))))
}

/// Pickles of all kinds of things in all protocols, made by the interpreter, and hand-made ones.
pub(crate) fn generated() -> Vec<Vec<u8>> {
    let script = format!("{PACK}{}", include_str!("../python/generate.py"));
    unpack(&python(&script, b""))
}

/// Numbers below a bound from a plain generator (xorshift), so that a failure comes again.
pub(crate) fn random() -> impl FnMut(usize) -> usize {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % below
    }
}
