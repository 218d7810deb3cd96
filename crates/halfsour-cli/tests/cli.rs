//! Runs the command: a file of `tests/cli` is a case.
//!
//! Its first line is what is run, `< FILE` at the end gives the standard input. Below stands what
//! must come: the output, then a line for each line of errors (`! ...`), then the exit code if it is
//! not 0 (`? ...`). `BLESS=1` writes the files anew.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli");
    let mut cases: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_some_and(|end| end == "txt"));
    cases.sort();
    cases
}

/// Runs a case's first line and says what came.
fn run(line: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/data");
    let (line, input) = line.split_once(" < ").unwrap_or((line, ""));
    let mut words = line.split(' ');
    assert_eq!(words.next(), Some("halfsour"));
    let stdin = if input.is_empty() {
        Stdio::null()
    } else {
        Stdio::from(File::open(folder.join(input)).unwrap())
    };
    let output = Command::new(env!("CARGO_BIN_EXE_halfsour"))
        .args(words)
        .current_dir(folder)
        .stdin(stdin)
        .output()
        .unwrap();
    let mut came = String::from_utf8(output.stdout).unwrap();
    if !came.is_empty() && !came.ends_with('\n') {
        came.push('\n');
    }
    for line in String::from_utf8(output.stderr).unwrap().lines() {
        came += format!("! {line}").trim_end();
        came.push('\n');
    }
    match output.status.code() {
        Some(0) => {}
        Some(code) => came += &format!("? {code}\n"),
        None => came += "? killed\n",
    }
    came
}

#[test]
fn as_in_the_files() {
    let cases = cases();
    assert!(cases.len() >= 5);
    for path in cases {
        let case = fs::read_to_string(&path).unwrap();
        let (line, expected) = case.split_once('\n').unwrap();
        let came = run(line);
        if std::env::var_os("BLESS").is_some() {
            fs::write(&path, format!("{line}\n{came}")).unwrap();
        } else {
            assert_eq!(came, expected, "{}", path.display());
        }
    }
}

/// A reader that goes away is no error.
#[test]
fn closed_output() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_halfsour"))
        .args(["dis", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&[b"(", &b"K\x01".repeat(100_000)[..], b"l."].concat()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stderr, b"");
}
