//! Graphs, written back: CPython's own pickles byte for byte, all others as what Python loads equal.

mod common;

use common::{PACK, corpus, generated, pack, python, unpack};
use halfsour::{Graph, Pickler, ToPickle};

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
