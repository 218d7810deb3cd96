//! Graphs, written back: CPython's own pickles byte for byte, all others as what Python loads equal.

mod common;

use common::{PACK, corpus, generated, python, random, shown, unpack};
use halfsour::graph::{Effect, Made, Node};
use halfsour::{ErrorKind, Graph, Pickler};

/// Pickles of CPython's C pickler, in all ways that it knows.
const MADE: &str = include_str!("python/made.py");

/// Pickles of objects that hold themselves.
const KNOTS: &str = include_str!("python/knots.py");

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

/// An object that holds itself by way of its arguments is reduced several times, and has new arguments each
/// time, which hold the same objects.
#[test]
fn objects_in_their_own_arguments() {
    let trims = common::version() >= (15, 0);
    let made = unpack(&python(&format!("{PACK}{KNOTS}"), b""));
    let mut differ = Vec::new();
    for knot in made.chunks_exact(3) {
        let [seed, protocol, data] = knot else { unreachable!() };
        let [seed, protocol] = [seed, protocol].map(|text| str::from_utf8(text).unwrap());
        if write(&load(data), protocol.parse().unwrap(), trims) != *data {
            differ.push(format!("{seed} in protocol {protocol}"));
        }
    }
    let count = made.len() / 3;
    assert!(differ.is_empty(), "{} of {count}: {differ:?}", differ.len());
    assert!(count > 10_000, "{count}");
}

/// All kinds of pickles, written in each protocol, are equal to Python, identities too.
#[test]
fn python_loads_the_same_from_each_protocol() {
    let mut pickles: Vec<Vec<u8>> = corpus().into_iter().map(|(_, data)| data).collect();
    pickles.extend(generated().into_iter().filter(|data| data.len() < 3000));
    let made = unpack(&python(&format!("{PACK}{MADE}"), b""));
    pickles.extend(made.into_iter().skip(1).step_by(2).filter(|data| data.len() < 3000));
    let knots = unpack(&python(&format!("{PACK}{KNOTS}"), b""));
    let knots: Vec<&[Vec<u8>]> = knots.chunks_exact(3).collect();
    for knot in knots.chunk_by(|one, other| one[0] == other[0]) {
        // Some can be said only where sets have opcodes of their own.
        if knot.len() == 6 {
            pickles.extend(knot.iter().map(|knot| knot[2].clone()));
        }
    }
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

/// Python loads what it loads from the pickles from what was written of them.
fn assert_same(expected: &[Vec<u8>], pickles: &[Vec<u8>], written: &[Vec<u8>]) {
    let found = shown(written);
    assert_eq!([expected.len(), found.len()], [pickles.len(); 2]);
    for ((data, written), (expected, found)) in
        pickles.iter().zip(written).zip(expected.iter().zip(&found))
    {
        let [expected, found] = [expected, found].map(|text| String::from_utf8_lossy(text));
        let [data, written] = [data, written].map(|data| data.escape_ascii());
        assert_eq!(expected, found, "{data}, {written}");
    }
}

fn assert_same_in_each_protocol(pickles: &[Vec<u8>]) {
    let expected = shown(pickles);
    for protocol in 0..=5 {
        let written: Vec<Vec<u8>> =
            pickles.iter().map(|data| write(&load(data), protocol, false)).collect();
        assert_same(&expected, pickles, &written);
    }
}

/// Some of what is there, or nothing, in something that goes into the memo or does not.
fn held(data: &mut Vec<u8>, count: usize, random: &mut impl FnMut(usize) -> usize) {
    let (begin, key, add, end): (_, &[u8], &[u8], &[u8]) = match random(3) {
        0 => (b']', b"", b"a", b""),
        1 => (b'}', b"N", b"s", b""),
        _ => (b'(', b"", b"", b"t"),
    };
    data.push(begin);
    if begin != b'(' && random(2) == 0 {
        data.extend([b'q', 100 + random(100) as u8]);
    }
    for _ in 0..random(3) {
        data.extend(key);
        match count {
            0 => data.push(b'N'),
            _ => data.extend([b'h', random(count) as u8]),
        }
        data.extend(add);
    }
    data.extend(end);
}

/// A pickle in which objects are made of lists and dicts that hold what is there; then what was there
/// before comes to hold the objects.
fn assembled(random: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
    let mut data = b"\x80\x04".to_vec();
    let (mut open, mut count) = (Vec::new(), 0);
    for _ in 0..2 + random(6) {
        let kind = random(7);
        match kind {
            0 => data.extend(b"]"),
            1 => data.extend(b"}"),
            2 => data.extend(b"capp\nTop\n)\x81"),
            3 => {
                data.extend(b"ccopies\nTop\nK\x00");
                held(&mut data, count, random);
                data.extend(b"\x86R");
            }
            4 => {
                data.extend(b"capp\nTop\n");
                held(&mut data, count, random);
                data.extend(b"\x85\x81");
            }
            5 => {
                data.extend(b"ccopies\nTop\n)}");
                data.extend(b"\x8c\x03arg");
                held(&mut data, count, random);
                data.extend(b"s\x92");
            }
            _ => held(&mut data, count, random),
        }
        data.extend([b'q', count as u8, b'0']);
        if kind < 5 {
            open.push((count, kind));
        }
        count += 1;
    }
    for _ in 0..random(8) {
        let Some(&(holder, kind)) = open.get(random(open.len().max(1))) else { break };
        let item = random(count) as u8;
        data.extend([b'h', holder as u8]);
        match kind {
            1 => data.extend([b'K', random(3) as u8, b'h', item, b's']),
            0 | 2 => data.extend([b'h', item, b'a']),
            _ => data.extend([b'h', item, b'b']),
        }
        data.push(b'0');
    }
    data.extend([b'h', random(count) as u8, b'.']);
    data
}

#[test]
fn python_loads_the_same_from_what_was_put_together() {
    let mut random = random();
    let mut pickles: Vec<Vec<u8>> = (0..20_000).map(|_| assembled(&mut random)).collect();
    pickles.retain(|data| halfsour::load(data).is_ok());
    assert!(pickles.len() > 10_000, "{}", pickles.len());
    assert_same_in_each_protocol(&pickles);
}

/// What fresh eyes put together.
#[test]
fn arguments_are_complete_and_shared() {
    let pickles: [&[u8]; 4] = [
        // list = []; deque = deque([list]); list.append(deque)
        b"\x80\x04]q\0ccopies\ndeque\n]h\0a\x85Rq\x01h\0h\x01a0.",
        // The same, with the list among keyword arguments.
        b"\x80\x04]q\0ccopies\nTop\n)}\x8c\x03arg]h\0as\x92q\x01h\0h\x01a0.",
        // A frozenset of what an object returns, when it is called, that has the set in its state.
        b"\x80\x04capp\nTop\n)\x81q\0(h\0K\x01\x85Rq\x01\x91q\x020h\0}Nh\x02sb0h\x02.",
        // Arguments that are found elsewhere too, without PROTO.
        b"cfunctools\npartial\ncbuiltins\nprint\n}\x86q\0\x81h\0\x86.",
    ];
    assert_same_in_each_protocol(&pickles.map(<[u8]>::to_vec));
}

/// A call that is thrown away sets no state if it went into the memo: an object that was found among its
/// own arguments was made twice. Here by `dumps(dq, 2)`, where `x.__reduce__` returns `call2, (dq, [x])`, and
/// the same with two items.
#[test]
fn what_is_made_twice_is_no_state_setter() {
    let pickles: [&[u8]; 4] = [
        b"\x80\x02ccollections\ndeque\nq\0)Rq\x01capp\ncall2\nq\x02h\x01]q\x03h\x02h\x01h\x03\x86q\x04Rq\x05a\
          \x86q\x06R0h\x05a.",
        b"\x80\x02ccollections\ndeque\nq\0)Rq\x01(capp\ncall2\nq\x02h\x01]q\x03h\x02h\x01h\x03\x86q\x04Rq\x05a\
          \x86q\x06R0h\x05K\x02e.",
        // The arguments were found in the memo, too.
        b"\x80\x02ccollections\ndeque\nq\0)Rq\x01capp\ncall2\nq\x02h\x01]q\x03(h\x02h\x01h\x03\x86q\x04Rq\x05N\
          e00h\x04R0h\x05a.",
        // A pair in its own state, made twice; its second item was made from two of the first.
        b"\x80\x02ccollections\ndeque\nq\0)Rq\x01h\x01capp\ncall2\nq\x02h\x01h\x01\x86q\x03Rq\x04h\x01h\x04\x86q\x05\
          b00h\x05a.",
    ];
    for data in pickles {
        let graph = load(data);
        let Node::Object(deque) = graph.get(graph.root()) else { panic!() };
        assert!(!deque.effects.iter().any(|effect| matches!(effect, Effect::SetState(_))));
        assert_eq!(
            graph.to_vec(2).unwrap().escape_ascii().to_string(),
            data.escape_ascii().to_string()
        );
    }
}

/// Nor does it if its arguments are found elsewhere too: they would have to be written twice.
#[test]
fn what_has_arguments_of_others_is_no_state_setter() {
    let pickles: [&[u8]; 4] = [
        // As the callable.
        b"}\x85222\x92222q\x03\x862R0.",
        // In the memo, which got something else later, earlier, or a read.
        b"\x80\x04capp\nO\n)\x81q\0capp\nset\nh\0K\x01\x86q\x010q\x02h\x01R0.",
        b"\x80\x04capp\nO\n)\x81q\0capp\nset\nq\x01h\0K\x01\x86q\0R0.",
        b"\x80\x04capp\nO\n)\x81q\0capp\nset\nq\x01h\0K\x01\x86p0\n0g0\nR0.",
    ];
    for data in pickles {
        let graph = load(data);
        let Node::Object(object) = graph.get(graph.root()) else { panic!() };
        assert!(object.effects.is_empty(), "{}", data.escape_ascii());
        let again = graph.to_vec(5).unwrap();
        assert_eq!(load(&again).to_vec(5).unwrap(), again);
    }
}

/// Arguments may be copied when they are given, and have to be complete then: keyword arguments always are.
#[test]
fn what_is_copied_is_complete() {
    let pickles = [
        // A set of an object that is made with the set: no pickle says it where sets have no opcodes.
        (&b"\x80\x04\x8fq\0(capp\nRec\n)}\x8c\x01ch\0s\x92\x90."[..], &[4, 5][..]),
        // The same with a list of it, as it is written for a frozenset that has the set in its state.
        (b"\x80\x04\x8f\x94(ccopies\nF\n]\x94h\0a\x85\x94R\x94\x90.", &[4, 5]),
        // Two objects with the same dict, which holds one of them.
        (
            b"\x80\x05capp\nRec2\n)}\x8c\x01ccapp\nRec\n)\x81q\x01sq\x02\x92q\x03h\x01h\x03b0capp\nRec2\n)h\x02\
              \x92h\x01\x86.",
            &[0, 1, 2, 3, 4, 5],
        ),
        // A dict that holds what is made with it.
        (
            b"\x80\x05]q\x01capp\nRec2\n(t}\x8c\x01ch\x01sq\x05\x92ah\x05.",
            &[0, 1, 2, 3, 4, 5],
        ),
        // The same, which came into the memo twice: before and after what is made with it.
        (
            b"(}\x8c\x01bcapp\nRec\n(t}\x92q\x01sq\x03h\x01r\x06\0\0\0(capp\nRec2\n(th\x03\x92et.",
            &[0, 1, 2, 3, 4, 5],
        ),
        // What is in a dict that is copied is made once, and has to be in the memo.
        (
            b"(}\x8c\x01acapp\nRec\n((capp\nRec\n(t}\x92q\x01tt\x81sq\x05h\x01(capp\nRec2\n)h\x05\x92\x90t.",
            &[2, 3, 4, 5],
        ),
        // A frozenset of a subclass, within whose list an object is found again before the frozenset is.
        (
            b"\x80\x04ccopies\nF\nq\x01]q\x08(capp\ncall2\nq\x02\x8fq\x03(h\x01]q\x09(h\x02h\x03]q\x04K\x01a\x86q\x05R\
              q\x06]q\x0a(h\x03]q\x0bh\x06aebe\x85q\x0cRq\x07}q\x0d\x8c\x05attr2q\x0eh\x06sb\x90h\x0400h\x05R0h\
              \x06e\x85R0h\x07.",
            &[4, 5],
        ),
    ];
    for (data, protocols) in pickles {
        let expected = shown(&[data.to_vec()]);
        for protocol in 0..=5 {
            match load(data).to_vec(protocol) {
                Ok(written) if protocols.contains(&protocol) => {
                    assert_eq!(shown(&[written]), expected, "{protocol}: {}", data.escape_ascii());
                }
                Ok(written) => panic!("{protocol}: {}", written.escape_ascii()),
                Err(error) => assert!(error.to_string().ends_with("cannot say"), "{error}"),
            }
        }
    }
}

/// What no dict is remains what it is, as keyword arguments too: Python refuses the call, not the pickle.
#[test]
fn keyword_arguments_that_are_no_dict() {
    // The list goes into the memo when it holds the call's result, whose place it takes there.
    let graph = load(b"]q\0(capp\nRec\n)h\0\x92q\0e.");
    for protocol in 4..=5 {
        let again = graph.to_vec(protocol).unwrap();
        let again = load(&again);
        let Node::List(&[object]) = again.get(again.root()) else { panic!() };
        let Node::Object(object) = again.get(object) else { panic!() };
        assert!(matches!(object.made, Made::New { kwargs: Some(id), .. } if id == again.root()));
    }
}

/// What CPython leaves out of the memo stays out of it, in keyword arguments that are shared too.
#[test]
fn shared_keyword_arguments_by_cpython() {
    for item in [&b"\x8c\x01x\x94Q"[..], b"\x82\xf0", b"\x97", b"\x97\x98"] {
        let parts = [
            b"]\x94(}\x94\x8c\x01a\x94",
            item,
            b"s\x8c\x04emod\x94\x8c\x01K\x94\x93\x94)h\x01\x92\x94e.",
        ];
        let framed = parts.concat();
        let length = (framed.len() as u64).to_le_bytes();
        let data = [b"\x80\x05\x95", &length[..], &framed].concat();
        let written = load(&data).to_vec(5).unwrap();
        assert_eq!(written.escape_ascii().to_string(), data.escape_ascii().to_string());
    }
}

/// A dict of keyword arguments that many objects share costs each of them the same, however deep they are.
#[test]
fn keyword_arguments_that_a_chain_shares() {
    const LENGTH: usize = 8000;
    let first = b"\x80\x04cemod\nK\n\x94)}\x94\x8c\x04unit\x94\x8c\x01m\x94s\x92\x94";
    let next = b"}\x8c\x04nexth\0)h\x01\x92\x94";
    let data = [&first[..], &next.repeat(LENGTH - 1), &b"sb".repeat(LENGTH - 1), b"."].concat();
    for protocol in 0..=5 {
        let written = load(&data).to_vec(protocol).unwrap();
        assert_eq!(load(&written).to_vec(protocol).unwrap(), written);
        let made = if protocol < 4 { &b"functools\npartial\n"[..] } else { b"\x92" };
        let times = written.windows(made.len()).filter(|part| *part == made).count();
        assert!(times == LENGTH || protocol < 4 && times == 1, "{times} in protocol {protocol}");
    }
}

/// A dict of another class may hold what is made with it as keyword arguments: no other dict is given then.
#[test]
fn keyword_arguments_of_a_class_that_hold_their_object() {
    let pickles = [
        &b"\x80\x04\x8f\x94(cemod\nK\n)ccollections\nOrderedDict\n)R\x94\x8c\x01bh\0s\x92\x90h\x01\x86."[..],
        b"\x80\x04\x8f\x94(cemod\nK\n)ccollections\nOrderedDict\n)R\x94\x8c\x01a]\x94h\0as\x92\x90h\x01\x86.",
    ];
    for data in pickles {
        for protocol in 4..=5 {
            let pickles = [data.to_vec()];
            assert_same(&shown(&pickles), &pickles, &[load(data).to_vec(protocol).unwrap()]);
        }
        for protocol in 0..=3 {
            let error = load(data).to_vec(protocol).unwrap_err().to_string();
            assert!(error.ends_with("cannot say"), "{error}");
        }
    }
}

/// What is done to persistent objects, and to those with extension codes, may refer to them.
#[test]
fn persistent_objects_in_their_own_state() {
    let pickles: [&[u8]; 3] = [
        b"\x80\x04\x8c\x04spamQq\x01\x85q\x02h\x01h\x02b0.",
        b"\x80\x04\x82\xf0q\x01\x85q\x02h\x01h\x02b0.",
        b"\x80\x04\x88Qq\0Qq\x01h\0h\x01a0.",
    ];
    assert_same_in_each_protocol(&pickles.map(<[u8]>::to_vec));
}

/// Objects that CPython says only where sets have opcodes of their own are said so, or refused.
#[test]
fn what_older_protocols_cannot_say_is_refused() {
    let knots = unpack(&python(&format!("{PACK}{KNOTS}"), b""));
    let knots: Vec<&[Vec<u8>]> = knots.chunks_exact(3).collect();
    let (mut pickles, mut written, mut refused) = (Vec::new(), Vec::new(), 0);
    for knot in knots.chunk_by(|one, other| one[0] == other[0]).filter(|knot| knot.len() < 6) {
        for data in knot.iter().map(|knot| &knot[2]) {
            for protocol in 0..=5 {
                match load(data).to_vec(protocol) {
                    Ok(again) => {
                        pickles.push(data.clone());
                        written.push(again);
                    }
                    Err(error) => {
                        assert!(error.to_string().ends_with("cannot say"), "{error}");
                        refused += 1;
                    }
                }
            }
        }
    }
    assert_same(&shown(&pickles), &pickles, &written);
    assert!(refused > 100 && written.len() > 100, "{refused} of {}", refused + written.len());
}

/// Hand-made pickles of protocols that CPython still writes come back as CPython would write them, and
/// what was written once is written the same again.
#[test]
fn writing_again_changes_nothing() {
    for (name, data) in corpus() {
        let Ok(graph) = halfsour::load(&data) else { continue };
        for protocol in 0..=5 {
            let written = write(&graph, protocol, false);
            let again = write(&load(&written), protocol, false);
            assert_eq!(
                again.escape_ascii().to_string(),
                written.escape_ascii().to_string(),
                "{name}"
            );
        }
    }
}

/// What is damaged, and loads, can be written: no panic, and the same again.
#[test]
fn damaged_pickles() {
    let corpus: Vec<Vec<u8>> = corpus().into_iter().map(|(_, data)| data).collect();
    let mut random = common::random();
    let mut loaded = 0;
    for _ in 0..60_000 {
        let mut data = corpus[random(corpus.len())].clone();
        if data.len() > 500 {
            continue;
        }
        for _ in 0..1 + random(3) {
            let place = random(data.len());
            match random(4) {
                0 => drop(data.remove(place)),
                1 => data.insert(place, OPCODES[random(OPCODES.len())]),
                2 => data[place] = OPCODES[random(OPCODES.len())],
                _ => data[place] = random(256) as u8,
            }
            if data.is_empty() {
                data.push(b'.');
            }
        }
        let Ok(graph) = halfsour::load(&data) else { continue };
        loaded += 1;
        let protocol = random(6) as u8;
        let Ok(written) = graph.to_vec(protocol) else { continue };
        let again = halfsour::load(&written).unwrap_or_else(|error| {
            panic!("{error}: {} became {}", data.escape_ascii(), written.escape_ascii())
        });
        let again = again.to_vec(protocol).unwrap();
        assert_eq!(
            again.escape_ascii().to_string(),
            written.escape_ascii().to_string(),
            "{} in {protocol}",
            data.escape_ascii()
        );
    }
    assert!(loaded > 5_000, "{loaded}");
}

const OPCODES: &[u8] =
    b"()NKe]}ltdasu012hqbRoicQP\x81\x85\x86\x87\x8f\x90\x91\x92\x93\x94\x97\x98.";

#[test]
fn a_million_levels() {
    const DEEP: usize = 1_000_000;
    let lists =
        [b"\x80\x04".as_slice(), &b"]\x94".repeat(DEEP), &b"a".repeat(DEEP - 1), b"."].concat();
    let tuples = [b"\x80\x02)".as_slice(), &b"\x85".repeat(DEEP), b"."].concat();
    let graph = load(&lists);
    let body = |data: &[u8]| data.iter().filter(|byte| b"]\x94a".contains(byte)).count();
    assert_eq!(body(&graph.to_vec(4).unwrap()), body(&lists));
    let written = graph.to_vec(2).unwrap();
    assert_eq!(load(&written).to_vec(4).unwrap(), graph.to_vec(4).unwrap());
    assert!(load(&tuples).to_vec(2).unwrap() == tuples);
}

/// Tuples that hold each other by way of lists are written again for each list: that ends.
#[test]
fn tuples_in_their_own_lists() {
    // A tuple of lists, each of which holds it.
    let knot = |lists: u32| {
        let long = |index: u32| [b"j".as_slice(), &index.to_le_bytes()].concat();
        let holds = |list| [long(list), long(lists), b"a0".to_vec()].concat();
        let made = b"]\x94".repeat(lists as usize);
        let held: Vec<u8> = (0..lists).flat_map(holds).collect();
        [b"\x80\x04(", made.as_slice(), b"t\x94", &held, b"."].concat()
    };
    let data = knot(300);
    let written = load(&data).to_vec(4).unwrap();
    let [found, expected] = [written, data].map(|data| shown(&[data]));
    assert_eq!(found, expected);
    let data = knot(30_000);
    let error = load(&data).to_vec(4).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Limit { what: "expansion", limit: 16 });
}

/// A set that holds itself by way of arguments: protocols without sets call `set` with a list, which is new
/// each time, so that nothing on the way is ever in the memo.
#[test]
fn what_has_no_end_ends_at_once() {
    let data = b"\x80\x04\x8fq\0capp\nTop\nh\0\x85Rq\x01h\0(h\x01\x900.";
    let graph = load(data);
    for protocol in 0..=5 {
        // As many visits as it likes.
        let limits = halfsour::Limits::default().expansion(u32::MAX);
        let written = Pickler::new().protocol(protocol).limits(limits).to_vec(&graph);
        match written {
            Ok(_) => assert!(protocol >= 4),
            Err(error) => {
                let text = format!("which protocol {protocol} cannot say");
                assert!(protocol < 4 && error.to_string().contains(&text), "{error}");
            }
        }
    }
}

/// Circles that no Python object is, in which nothing was put into the memo before it comes again.
#[test]
fn circles_without_a_memo_end_at_once() {
    let pickles: [&[u8]; 3] = [
        b"\x80\x05]2\x85q\0a0h\0.",      // a tuple of a list of the tuple
        b"\x80\x05\x82q2\x98q\0a0h\0.",  // a buffer's view that is an item of the buffer
        b"\x80\x05K\x01Q2\x98q\0a0h\0.", // the same with a persistent object
    ];
    for data in pickles {
        let graph = load(data);
        for protocol in 0..=5 {
            let limits = halfsour::Limits::default().expansion(u32::MAX);
            match Pickler::new().protocol(protocol).limits(limits).to_vec(&graph) {
                Ok(written) => drop(load(&written)),
                Err(error) => {
                    let text = format!("which protocol {protocol} cannot say");
                    assert!(error.to_string().contains(&text), "{error}");
                }
            }
        }
    }
}

/// What is large and written at each reference: large ints, and names where there is no STACK_GLOBAL.
#[test]
fn what_is_far_longer_than_what_was_read() {
    let text = |text: &[u8]| [b"X", &(text.len() as u32).to_le_bytes()[..], text].concat();
    let long = 1 << 20;
    let int = [b"\x8b", &(long as u32).to_le_bytes()[..], &vec![0x7f; long]].concat();
    let names = [text(&vec![b'a'; long]), b"q\0".to_vec(), text(b"b"), b"q\x01".to_vec()].concat();
    let dotted =
        [text(&b"a.".repeat(long / 2)), b"q\0".to_vec(), text(b"b"), b"q\x01".to_vec()].concat();
    let id = [text(&vec![b'a'; long]), b"q\0".to_vec()].concat();
    // How it begins, what comes 1000 times, and the first protocol in which that is short.
    let pickles = [
        (&[int, b"q\0".to_vec()].concat(), &b"h\0"[..], 6),
        (&names, b"h\0h\x01\x93", 4),
        (&dotted, b"h\x01h\0\x93", 4),
        (&id, b"h\0Q", 1),
    ];
    for (begin, item, short_from) in pickles {
        let data = [b"\x80\x04(", &begin[..], &item.repeat(1000), b"l."].concat();
        let graph = load(&data);
        for protocol in 0..=5 {
            match Pickler::new().protocol(protocol).to_vec(&graph) {
                Ok(written) => {
                    assert!(protocol >= short_from, "{protocol}");
                    assert!(written.len() < data.len() + 50_000);
                }
                Err(_) => assert!(protocol < short_from, "{protocol}"),
            }
        }
    }
    // What is looked at by each that has it, and found to be unfit, or the same as before.
    let accents = text(&"é".repeat(long / 2).into_bytes());
    let no_line = [text(&[&vec![b'a'; long][..], b"\n"].concat()), b"q\0".to_vec()].concat();
    let names = [accents, b"q\0".to_vec()].concat();
    for (begin, item, protocol) in [
        (&no_line, &b"h\0Q"[..], 0),
        (&names, b"h\0h\0\x93", 3),
        (&[b"\x80\x02", &names[..]].concat(), b"h\0h\0\x93", 4),
    ] {
        let data = [b"\x80\x04(", &begin[..], &item.repeat(10_000), b"l."].concat();
        let error = load(&data).to_vec(protocol).unwrap_err();
        assert!(error.to_string().contains("expansion"), "{error}");
    }
    // The arguments of a class that are written for its call.
    let args = [b"(".to_vec(), b"K\x01".repeat(100_000), b"tq\0".to_vec()].concat();
    let data =
        [b"\x80\x04(", &args[..], b"c_\nC\nq\x01", &b"h\x01h\0\x81".repeat(1000), b"l."].concat();
    let graph = load(&data);
    for protocol in 0..=5 {
        let written = Pickler::new().protocol(protocol).to_vec(&graph);
        assert_eq!(written.is_ok(), protocol >= 2, "{protocol}");
    }
}

#[test]
fn what_cannot_be_written() {
    let digits = [b"\x8b\0\x20\0\0".as_slice(), &[0x7f; 8192], b"."].concat();
    for (data, protocol, text) in [
        (digits.as_slice(), 1, "more than the limit of 4300 (digits)"),
        ("\u{80}\u{4}\u{8c}\u{1}m\u{8c}\u{2}\u{e9}\u{93}.".as_bytes(), 2, ""),
        (b"\x97\x970.", 5, ""),
        (b"(\x97\x97\x97l0\x97.", 5, "out-of-band buffers in another order than they came in"),
    ] {
        let Ok(graph) = halfsour::load(data) else { continue };
        match graph.to_vec(protocol) {
            Ok(_) => assert_eq!(text, "", "{}", data.escape_ascii()),
            Err(error) => assert_eq!(error.to_string(), text),
        }
    }
    let graph = load(b"\x80\x04\x8c\x01m\x8c\x02\xc3\xa9\x93.");
    let error = graph.to_vec(2).unwrap_err();
    assert_eq!(error.to_string(), "can't pickle the name m.\u{e9} using pickle protocol 2");
    assert!(graph.to_vec(3).is_ok());
    assert!(matches!(
        graph.to_vec(6).unwrap_err().kind(),
        halfsour::ErrorKind::UnsupportedProtocol(6)
    ));
}

/// A graph is a value like others: among them, and in a file.
#[test]
fn graphs_in_values() {
    let data = b"\x80\x04\x95\x0c\0\0\0\0\0\0\0]\x94\x8c\x04spam\x94h\x01e.";
    let data = [&data[..11], b"]\x94(\x8c\x04spam\x94h\x01e."].concat();
    let graph = load(&data);
    let written = halfsour::to_vec(&(&graph, &graph, "egg")).unwrap();
    let found = shown(&[written]);
    assert_eq!(
        String::from_utf8_lossy(&found[0]),
        "tuple(list(str:7370616d #2) list(str:7370616d #4) str:656767)"
    );
    let large = halfsour::to_vec(&vec![vec!["x".repeat(1000); 100]; 10]).unwrap();
    let graph = load(&large);
    let mut file = Vec::new();
    halfsour::to_writer(&mut file, &graph).unwrap();
    assert!(file == large);
}

/// Builtin values, read from one protocol, are written in another as CPython does.
#[test]
fn other_protocols_as_cpython_writes_them() {
    let script = format!(
        "{PACK}{}",
        "
import pickle, decimal, datetime, collections
pair = ([1], 'x')
things = [
    [None, True, 0, -1, 2**31, -2**63, 2**100, 1.5, 1e300, 'x', 'spam', 'caf\\xe9 \\u20ac', '\\udc80', 'a\\nb\\\\'],
    [b'spam', b'\\xff\\0', b'spam', b''], [bytearray(b'ba'), bytearray(b''), bytearray(b'ba')],
    {'a': {1, 2, 3}, 'b': frozenset('xy'), 'c': set(), 'd': frozenset()}, [{5}, {5}],
    (pair, [pair, (pair,)]), tuple(range(5)), {}, [], (), list(range(2500)), {str(i): i for i in range(2000)},
    set(range(1001)), [int, len, range, collections.UserDict, ValueError, decimal.Decimal],
    'x' * 70000, [b'y' * 70000, 'z' * 40000, 'w' * 40000],
]
for thing in things:
    for protocol in range(6):
        emit(pickle.dumps(thing, protocol))
"
    );
    let trims = common::version() >= (15, 0);
    let pickles = unpack(&python(&script, b""));
    for pickles in pickles.chunks_exact(6) {
        let graph = load(&pickles[5]);
        for (protocol, expected) in pickles.iter().enumerate() {
            let written = write(&graph, protocol as u8, trims);
            let shown = |data: &[u8]| data[..data.len().min(2000)].escape_ascii().to_string();
            assert_eq!(shown(&written), shown(expected), "{protocol}");
            assert!(written == *expected);
        }
    }
}

/// Names that are strings of Python 2 are no names where they must be text.
#[test]
fn names_that_are_no_text() {
    let graph = halfsour::load(b"\x80\x04\x8c\x01mU\x04a.\xe9b\x93.").unwrap();
    for protocol in 0..4 {
        let error = graph.to_vec(protocol).unwrap_err().to_string();
        assert!(error.starts_with("can't pickle the name m.a.\u{fffd}b"), "{error}");
    }
}
