//! Reading any bytes: no panic, no more memory than the bytes ask for, and the same from memory and
//! from a stream.
#![no_main]

use halfsour::dis::Disassembler;
use halfsour::graph::{load_stream, load_within};
use halfsour::{Error, Graph, Limits, Reader, SliceSource, StreamSource};
use libfuzzer_sys::fuzz_target;

fn seen(result: &Result<Graph<'_>, Error>) -> String {
    match result {
        Ok(graph) => format!("{:?} {:?}", graph.root(), graph.iter().collect::<Vec<_>>()),
        Err(error) => format!("{error:?}"),
    }
}

fuzz_target!(|data: &[u8]| {
    for limits in [Limits::default(), Limits::default().opcodes(40).memo(3).digits(5)] {
        let memory = load_within(&mut Reader::new(SliceSource::new(data)), limits);
        let stream = load_stream(&mut Reader::new(StreamSource::new(data)), limits);
        assert_eq!(seen(&memory), seen(&stream));
        if let Ok(graph) = memory {
            for (id, _) in graph.iter() {
                assert!(graph.children(id).iter().all(|child| child.index() < graph.len()));
            }
        }
    }
    let _ = halfsour::dis::dis(data, &mut Vec::new());
    let _ = Disassembler::new().annotate(30).dis(data, &mut Vec::new());
});
