//! What must hold for any bytes at all.

mod common;

use halfsour::{Memo, Op, Opcode, Reader, Rules, SliceSource, Source};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Bytes that are likely to be something: opcodes, small numbers, text.
fn likely() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => proptest::sample::select(&Opcode::ALL[..]).prop_map(|opcode| vec![opcode.byte()]),
        1 => vec(any::<u8>(), 0..9),
        1 => (0u8..8).prop_map(|small| vec![small]),
        1 => (0u64..40).prop_map(|small| small.to_le_bytes().to_vec()),
        1 => "[ -~]{0,5}\n".prop_map(String::into_bytes),
    ];
    vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// Everything that takes a pickle, on any bytes.
fn all(data: &[u8]) {
    let graph = halfsour::load(data);
    if let Ok(graph) = &graph {
        for (id, _) in graph.iter() {
            for child in graph.children(id) {
                let _ = graph.get(child);
            }
        }
    }
    if let Err(error) = &graph {
        assert!(error.offset().is_some_and(|offset| offset <= data.len() as u64));
        assert!(!error.to_string().is_empty());
    }
    let _ = halfsour::dis::dis(data, &mut Vec::new());
    let _ = halfsour::dis::Disassembler::new().annotate(30).dis(data, &mut Vec::new());
    for rules in [Rules::STRICT, Rules::LENIENT] {
        let mut reader = Reader::with_rules(SliceSource::new(data), rules);
        loop {
            let before = reader.source().rest().len();
            let Ok(op) = reader.next() else { break };
            match op {
                Op::Bytes(n) | Op::ByteArray(n) => {
                    let _ = reader.source().payload(n);
                }
                Op::Global | Op::Inst => {
                    let _ = reader.line(1).map(drop).and_then(|()| reader.line(1).map(drop));
                }
                Op::Persid => drop(reader.line(0)),
                _ => {}
            }
            assert!(reader.source().rest().len() < before);
            assert_eq!(
                reader.source().offset(),
                (data.len() - reader.source().rest().len()) as u64
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..<_>::default() })]

    #[test]
    fn nothing_panics(data in vec(any::<u8>(), 0..200)) {
        all(&data);
    }

    #[test]
    fn nothing_panics_on_likely_bytes(data in likely()) {
        all(&data);
    }

    /// The memo is a map, whatever its table does; MEMOIZE counts first puts.
    #[test]
    fn memo_is_a_map(puts in vec((prop_oneof![0usize..70, any::<usize>()], any::<bool>()), 0..300)) {
        for counts_sparse in [true, false] {
            let mut memo = Memo::new(counts_sparse);
            let mut model = BTreeMap::new();
            for (number, &(index, get)) in puts.iter().enumerate() {
                if get {
                    prop_assert_eq!(memo.get(index), model.get(&index));
                } else {
                    prop_assert_eq!(memo.put(index, number), Ok(model.insert(index, number)));
                }
                if counts_sparse {
                    prop_assert_eq!(memo.len(), model.len());
                }
                prop_assert!(memo.len() <= puts.len());
            }
            if counts_sparse {
                let entries: Vec<_> = memo.iter().map(|(index, &value)| (index, value)).collect();
                prop_assert_eq!(&entries, &Vec::from_iter(model.clone()));
            }
            prop_assert_eq!(memo.values().count(), model.len());
            let taken = memo.take();
            prop_assert!(memo.is_empty() && memo.values().next().is_none());
            prop_assert_eq!(taken.values().count(), model.len());
        }
    }
}

/// Real pickles, with a few bytes changed.
#[test]
fn nothing_panics_on_broken_pickles() {
    let mut random = common::random();
    let pickles = common::corpus();
    assert!(pickles.len() > 500);
    for (_, data) in pickles.into_iter().filter(|(_, data)| data.len() < 2000 && !data.is_empty()) {
        all(&data);
        for _ in 0..20 {
            let mut data = data.clone();
            for _ in 0..=random(4) {
                let place = random(data.len());
                data[place] = random(256) as u8;
            }
            all(&data[..=random(data.len())]);
        }
    }
}

/// Each pickle of the corpus, also those that only 3.15 writes, can be read symbolically.
#[test]
fn corpus_loads() {
    let mut refused = Vec::new();
    for (name, data) in common::corpus() {
        if let Err(error) = halfsour::load(&data) {
            refused.push(format!("{name}: {error}"));
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}
