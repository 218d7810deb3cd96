//! One measurement: `bench-rust TASK LIBRARY SET FILE`, where FILE is a pickle of the set.
//!
//! Prints the best time of several runs, in seconds, the peak of this process's memory beyond what it
//! had with the input in memory, in KiB, and the size in bytes of what was read or written. What a
//! run made is dropped outside of the time. A failure is said in one line, with exit code 1.

mod sets;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Runs until there are at least three runs and half a second.
const LEAST: Duration = Duration::from_millis(500);

type Failure = Box<dyn std::error::Error>;

/// The peak of this process's memory in KiB, since it began or since `reset`.
fn peak(reset: bool) -> u64 {
    if reset {
        let _ = std::fs::write("/proc/self/clear_refs", "5");
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

fn time<T, E: Into<Failure>>(
    size: usize,
    mut run: impl FnMut() -> Result<T, E>,
) -> Result<(), Failure> {
    let before = peak(true);
    let (mut best, mut grown, mut runs, begin) = (f64::MAX, 0, 0, Instant::now());
    while runs < 3 || begin.elapsed() < LEAST {
        let start = Instant::now();
        let made = run().map_err(Into::into)?;
        best = best.min(start.elapsed().as_secs_f64());
        // Before a second run finds what the first one left to the allocator.
        if runs == 0 {
            grown = peak(false).saturating_sub(before);
        }
        drop(black_box(made));
        runs += 1;
    }
    println!("{best} {grown} {size}");
    Ok(())
}

/// A pickle to the library's own untyped form.
fn value(library: &str, data: &[u8]) -> Result<(), Failure> {
    match library {
        "halfsour" => time(data.len(), || halfsour::load(data)),
        "serde-pickle" => {
            let options = serde_pickle::DeOptions::new().replace_unresolved_globals();
            time(data.len(), || serde_pickle::value_from_slice(data, options.clone()))
        }
        "pickled" => {
            let options = || pickled::DeOptions::new().replace_unresolved_globals();
            time(data.len(), || pickled::value_from_slice(data, options()))
        }
        _ => Err("no such library".into()),
    }
}

/// Bytes to the set's Rust types: a pickle, or the library's own format made from the same values.
fn typed<T: DeserializeOwned + Serialize>(library: &str, data: &[u8]) -> Result<(), Failure> {
    let own = || halfsour::serde::from_slice::<T>(data);
    match library {
        "halfsour" => time(data.len(), own),
        "serde-pickle" => {
            let options = serde_pickle::DeOptions::new().replace_unresolved_globals();
            time(data.len(), || serde_pickle::from_slice::<T>(data, options.clone()))
        }
        "pickled" => {
            let options = || pickled::DeOptions::new().replace_unresolved_globals();
            time(data.len(), || pickled::from_slice::<T>(data, options()))
        }
        "serde_json" => {
            let data = serde_json::to_vec(&own()?)?;
            time(data.len(), || serde_json::from_slice::<T>(&data))
        }
        "rmp-serde" => {
            let data = rmp_serde::to_vec_named(&own()?)?;
            time(data.len(), || rmp_serde::from_slice::<T>(&data))
        }
        _ => Err("no such library".into()),
    }
}

/// The set's Rust types to bytes.
fn encode<T: DeserializeOwned + Serialize>(library: &str, data: &[u8]) -> Result<(), Failure> {
    let value: T = halfsour::serde::from_slice(data)?;
    encode_by(library, &value, halfsour::serde::to_vec)
}

/// The same for the set whose tuples are shared, as they are in Rust too. Of serde's formats none
/// knows of that; the hooks of this crate do.
fn encode_shared(library: &str, data: &[u8]) -> Result<(), Failure> {
    let value: Vec<Arc<sets::Shared>> = halfsour::from_slice(data)?;
    encode_by(library, &value, halfsour::to_vec)
}

fn encode_by<T: Serialize>(
    library: &str,
    value: &T,
    ours: fn(&T) -> Result<Vec<u8>, halfsour::Error>,
) -> Result<(), Failure> {
    match library {
        "halfsour" => time(ours(value)?.len(), || ours(value)),
        "serde-pickle" => {
            let run = || serde_pickle::to_vec(value, serde_pickle::SerOptions::new());
            time(run()?.len(), run)
        }
        "pickled" => {
            let run = || pickled::to_vec(value, pickled::SerOptions::new());
            time(run()?.len(), run)
        }
        "serde_json" => time(serde_json::to_vec(value)?.len(), || serde_json::to_vec(value)),
        "rmp-serde" => {
            time(rmp_serde::to_vec_named(value)?.len(), || rmp_serde::to_vec_named(value))
        }
        _ => Err("no such library".into()),
    }
}

fn run(task: &str, library: &str, set: &str, file: &str) -> Result<(), Failure> {
    let data = std::fs::read(file)?;
    macro_rules! with_types {
        ($function:ident) => {
            match set {
                "dicts" => $function::<Vec<sets::Row>>(library, &data),
                "nested" => $function::<sets::Nested>(library, &data),
                "ints" => $function::<Vec<i64>>(library, &data),
                "strings" => $function::<Vec<String>>(library, &data),
                "bytes" => $function::<serde_bytes::ByteBuf>(library, &data),
                "instances" => $function::<Vec<sets::Point>>(library, &data),
                "shared" => $function::<Vec<sets::Shared>>(library, &data),
                _ => Err("no such set".into()),
            }
        };
    }
    match task {
        "value" => value(library, &data),
        "typed" => with_types!(typed),
        "encode" if set == "shared" => encode_shared(library, &data),
        "encode" => with_types!(encode),
        _ => Err("no such task".into()),
    }
}

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [task, library, set, file] = arguments.as_slice() else {
        eprintln!("bench-rust TASK LIBRARY SET FILE");
        return 2.into();
    };
    match run(task, library, set, file) {
        Ok(()) => 0.into(),
        Err(failure) => {
            eprintln!("{failure}");
            1.into()
        }
    }
}
