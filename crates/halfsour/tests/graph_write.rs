//! Graphs, written back: CPython's own pickles byte for byte, all others as what Python loads equal.

mod common;

use common::{PACK, corpus, generated, pack, python, unpack};
use halfsour::{Graph, Pickler};

/// Pickles of CPython's C pickler, in all ways that it knows.
const MADE: &str = include_str!("python/made.py");

/// Whether a file of the corpus was put together by hand.
fn is_assembled(name: &str) -> bool {
    name.contains("/assembled/")
}

/// The graphs of the pickles that load, which are nearly all.
fn load(data: &[u8]) -> Graph<'_> {
    halfsour::load(data).unwrap_or_else(|error| panic!("{error}: {data:x?}"))
}

fn write(graph: &Graph<'_>, protocol: u8, trims: bool) -> Vec<u8> {
    let mut pickler = Pickler::new().protocol(protocol).trim_batches(trims);
    pickler.to_vec(graph).unwrap_or_else(|error| panic!("{error}"))
}

/// The protocol that a file of the corpus is in, by its path.
fn protocol_of(name: &str) -> u8 {
    name.rsplit('/').nth(1).and_then(|folder| folder.parse().ok()).unwrap()
}

#[test]
fn corpus_by_cpython_is_written_byte_for_byte() {
    let mut count = 0;
    let mut differ = Vec::new();
    for (name, data) in corpus() {
        if is_assembled(&name) {
            continue;
        }
        let mut rest = data.as_slice();
        // Some files hold several pickles.
        while !rest.is_empty() {
            let mut reader = halfsour::Reader::new(halfsour::SliceSource::new(rest));
            let graph = halfsour::graph::load_next(&mut reader).unwrap();
            let after = reader.source().rest();
            let pickle = &rest[..rest.len() - after.len()];
            let written = write(&graph, protocol_of(&name), name.contains("/3.15/"));
            if written != pickle {
                differ.push(name.clone());
            }
            rest = after;
            count += 1;
        }
    }
    assert!(differ.is_empty(), "{} of {count}: {differ:#?}", differ.len());
    assert!(count > 800, "{count}");
}

#[test]
fn pickles_by_the_running_python_are_written_byte_for_byte() {
    let trims = common::version() >= (15, 0);
    let script = format!("{PACK}{MADE}");
    let made = unpack(&python(&script, b""));
    let mut differ = Vec::new();
    for pair in made.chunks_exact(2) {
        let [protocol, data] = pair else { unreachable!() };
        let protocol: u8 = str::from_utf8(protocol).unwrap().parse().unwrap();
        let graph = load(data);
        let written = write(&graph, protocol, trims);
        if written != *data {
            let shown = &data[..data.len().min(300)];
            differ.push((protocol, String::from_utf8_lossy(shown).into_owned()));
        }
    }
    let count = made.len() / 2;
    differ.truncate(20);
    assert!(differ.is_empty(), "of {count}: {differ:#?}");
    assert!(count > 3000, "{count}");
}

/// What Python finds in pickles.
fn shown(pickles: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let script = format!("{PACK}{}", include_str!("python/graphs.py"));
    unpack(&python(&script, &pack(pickles.iter().map(Vec::as_slice))))
}

/// All kinds of pickles, written in each protocol, are equal to Python, identities too.
#[test]
fn python_loads_the_same_from_each_protocol() {
    let mut pickles: Vec<Vec<u8>> = corpus().into_iter().map(|(_, data)| data).collect();
    pickles.extend(generated().into_iter().filter(|data| data.len() < 3000));
    let made = unpack(&python(&format!("{PACK}{MADE}"), b""));
    pickles.extend(made.into_iter().skip(1).step_by(2).filter(|data| data.len() < 3000));
    pickles.sort();
    pickles.dedup();
    // INT of two characters is a bool to CPython before 3.15, if it is 0 or 1.
    pickles.retain(|data| halfsour::load(data).is_ok() && !data.ends_with(b"I 1\n."));
    let expected = shown(&pickles);
    for protocol in 0..=5 {
        let written: Vec<Vec<u8>> =
            pickles.iter().map(|data| write(&load(data), protocol, false)).collect();
        let mut wrong = 0;
        for ((data, expected), (written, found)) in
            pickles.iter().zip(&expected).zip(written.iter().zip(shown(&written)))
        {
            if *expected != found {
                wrong += 1;
                if wrong < 10 {
                    println!("{}", data.escape_ascii());
                    println!("    {}", written.escape_ascii());
                    println!("    {}", String::from_utf8_lossy(expected));
                    println!("    {}", String::from_utf8_lossy(&found));
                }
            }
        }
        assert_eq!(wrong, 0, "of {} in protocol {protocol}", pickles.len());
    }
}
