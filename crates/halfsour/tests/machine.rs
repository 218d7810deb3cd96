//! The machine, opcode by opcode: the same result or the same error as the interpreter's `_pickle`.

mod common;

use common::symbols::{SCRIPT, agree, ours, rules};
use common::{PACK, pack, python, unpack};
use halfsour::graph::{Made, Node};
use halfsour::{ErrorKind, Opcode};

/// Per case: a pickle, without its STOP where that is the same.
const CASES: &[&[u8]] = &[
    // Leaves.
    b"N.",
    b"\x88.",
    b"\x89.",
    b"K\xff.",
    b"M\xff\xff.",
    b"J\xff\xff\xff\xff.",
    b"J\0\0\0\x80.",
    b"I5\n.",
    b"I-5\n.",
    b"I00\n.",
    b"I01\n.",
    b"I1_0\n.",
    b"I 7 \n.",
    b"I\n.",
    b"Ix\n.",
    b"I5",
    b"I+\n.",
    b"I99999999999999999999\n.",
    b"I5\0x\n.",
    b"I\x005\n.",
    b"I \0\n.",
    b"I1\n.",
    b"I001\n.",
    b"L5L\n.",
    b"L-5\n.",
    b"L99999999999999999999L\n.",
    b"L\n.",
    b"LL\n.",
    b"Lx\n.",
    b"Lx1L\n.",
    b"L5\0L\n.",
    b"\x8a\0.",
    b"\x8a\x01\xff.",
    b"\x8a\x09\0\0\0\0\0\0\0\x80\xff.",
    b"\x8a\x02\x01.",
    b"\x8a",
    b"\x8b\x02\0\0\0\xff\x7f.",
    b"\x8b\xff\xff\xff\xff.",
    b"\x8b\xff\xff\xff\x7f.",
    b"\x8b\0\0.",
    b"F1.5\n.",
    b"F-inf\n.",
    b"F1e400\n.",
    b"Fx\n.",
    b"F\n.",
    b"F 1\n.",
    b"G?\xf8\0\0\0\0\0\0.",
    b"G?\xf8.",
    b"S'a'\n.",
    b"S\"it's\"\n.",
    b"S'a\n.",
    b"Sa'\n.",
    b"S\n.",
    b"S'\n.",
    b"S'' \n.",
    b"S'\\x4'\n.",
    b"S'\\'\n.",
    b"S'\\101\\x41\\\\\\''\n.",
    b"S'a",
    b"T\x01\0\0\0a.",
    b"T\x02\0\0\0a.",
    b"T\xff\xff\xff\xff",
    b"T\0\0\0\x80a.",
    b"U\x01a.",
    b"U\x02a",
    b"U",
    b"B\x01\0\0\0a.",
    b"B\x02\0\0\0a",
    b"C\x01a.",
    b"C\0.",
    b"C\x02a",
    b"\x8e\x01\0\0\0\0\0\0\0a.",
    b"\x8e\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x96\x01\0\0\0\0\0\0\0a.",
    b"\x96\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x96\x05\0\0\0\0\0\0\0a",
    b"Va\\u20ac\xe9\n.",
    b"V\n.",
    b"V\\u20\n.",
    b"V\\ud800\n.",
    b"V\\U00110000\n.",
    b"V\\\\u0041\n.",
    b"Va",
    b"X\x03\0\0\0\xe2\x82\xac.",
    b"X\x01\0\0\0\xff.",
    b"X\x03\0\0\0\xed\xa0\x80.",
    b"X\x02\0\0\0\xe2\x82.",
    b"\x8c\x01a.",
    b"\x8c\x02a",
    b"\x8d\x01\0\0\0\0\0\0\0a.",
    b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x8d\0\0\0\0\0\0\0\x01a",
    b"\x98.",
    b"N(\x98.",
    // Tuples, lists, dicts, sets.
    b").",
    b"N\x85.",
    b"\x85.",
    b"(\x85.",
    b"NN\x86.",
    b"N\x86.",
    b"N(N\x86.",
    b"NNN\x87.",
    b"NN\x87.",
    b"(NN\x87.",
    b"(t.",
    b"(NNNNt.",
    b"Nt.",
    b"].",
    b"(l.",
    b"(Nl.",
    b"l.",
    b"]Na.",
    b"a.",
    b"Na.",
    b"](Na.",
    b"N(a.",
    b"](e.",
    b"](NNe.",
    b"(NNe.",
    b"e.",
    b"(N(Ne.",
    b"K\x05Na.",
    b"K\x05(Ne.",
    b"N(N(Ne.",
    b"}.",
    b"(d.",
    b"(K\x01Nd.",
    b"(NNNd.",
    b"(Nd.",
    b"d.",
    b"}NNs.",
    b"s.",
    b"NNs.",
    b"}(NNs.",
    b"(NNs.",
    b"NNNs.",
    b"}(u.",
    b"}(K\x01K\x02K\x03K\x04u.",
    // Equal keys, and what is no key.
    b"}(K\x01K\x02\x88Nu.",
    b"}(G?\xf0\0\0\0\0\0\0K\x02K\x01Nu.",
    b"(K\x00K\x02I00\nNG\x80\0\0\0\0\0\0\0)d.",
    b"}X\x01\0\0\0aNsU\x01aK\x01s.",
    b"}(\x8c\x01aNC\x01aK\x01u.",
    b"}(K\x01K\x02\x86NK\x01K\x02\x86K\x01u.",
    b"}(K\x01\x85NG?\xf0\0\0\0\0\0\0\x85K\x01u.",
    b"}((K\x01K\x02\x91N(K\x02K\x01\x88\x91K\x01u.",
    b"}((K\x01\x91NK\x01\x85K\x01u.",
    b"}(G\x7f\xf8\0\0\0\0\0\0NG\x7f\xf8\0\0\0\0\0\0K\x01u.",
    b"}(G\x7f\xf8\0\0\0\0\0\0q\0Nh\0K\x01u.",
    b"}(\x8a\x09\0\0\0\0\0\0\0\0\x01NGC\xf0\0\0\0\0\0\0K\x01u.",
    b"}(GC\xe0\0\0\0\0\0\0NL9223372036854775808L\nK\x01u.",
    b"}(G\xc3\xe0\0\0\0\0\0\0NL-9223372036854775808L\nK\x01u.",
    b"}(GC\x40\0\0\0\0\0\0NL9007199254740993L\nK\x01u.",
    b"\x8f(K\x01\x88K\x02G@\0\0\0\0\0\0\0\x90.",
    b"(K\x01\x88K\x02\x91.",
    b"}]Ns.",
    b"(]Nd.",
    b"}}\x85Ns.",
    b"\x8f(\x8f\x90.",
    b"(\x96\0\0\0\0\0\0\0\0N\x91.",
    b"}(K\x01NK\x02NK\x03NK\x04NK\x05NK\x06NK\x07NK\x08NK\x09NK\x01\x89u.",
    b"(K\x01NK\x02NK\x03NK\x04NK\x05NK\x06NK\x07NK\x08NK\x09Nd(K\x01\x89K\x0aNK\x0a\x89u.",
    b"}(NNNu.",
    b"(NNu.",
    b"u.",
    b"N(NNu.",
    b"N(u.",
    b"\x8f.",
    b"\x8f(\x90.",
    b"\x8f(K\x01K\x02\x90.",
    // A set's order is its own, even where items share.
    b"(K\x01\x85q\0h\0h\0\x86h\0h\0h\0\x87h\0\x85h\0\x85\x85h\0\x85\x85\x85\x91.",
    // Items that hold the same, of which one is referred to.
    b"(cm\nA\n)\x81q\0cm\nA\n)\x81q\x01(h\x01h\0cm\nA\n)\x81\x91h\0t.",
    b"(G\x7f\xf8\0\0\0\0\0\x01\x85q\0(h\0G\x7f\xf8\0\0\0\0\0\x01\x85\x91t.",
    b"(N\x90.",
    b"\x90.",
    b"N(N\x90.",
    b"(\x91.",
    b"(K\x01\x91.",
    b"\x91.",
    // Stack and marks.
    b".",
    b"NN.",
    b"N(.",
    b"(N.",
    b"0.",
    b"N0.",
    b"NN0.",
    b"(0N.",
    b"N(0.",
    b"N(N00.",
    b"(N0.",
    b"1.",
    b"(1N.",
    b"N(NN1.",
    b"N((1.",
    b"2.",
    b"N2\x86.",
    b"N(2.",
    b"]2\x86.",
    b"(((N111N.",
    // Memo.
    b"Nq\0h\0\x86.",
    b"h\0.",
    b"q\0.",
    b"(q\0.",
    b"N(q\0.",
    b"]q\xff0h\xff.",
    b"]r\0\x01\0\x000j\0\x01\0\0.",
    b"j\xff\xff\xff\xff.",
    b"]p5\n0g5\n.",
    b"g-1\n.",
    b"Np-1\n.",
    b"gx\n.",
    b"Npx\n.",
    b"px\n.",
    b"g\n.",
    b"Np\n.",
    b"g99999999999999999999\n.",
    b"Np99999999999999999999\n.",
    b"Np 7 \ng7\n\x86.",
    b"Np5L\n.",
    b"]\x940h\0.",
    b"\x94.",
    b"(\x94.",
    b"]q\x0a0]\x940h\x0a.",
    b"K\x01\x94K\x02\x94K\x03\x94h\0h\x01h\x02\x87.",
    b"K\x01q\0K\x02q\0h\0.",
    b"q",
    b"r\0",
    b"j\0",
    b"h",
    b"]2aq\0h\0a.",
    b"](h\0.",
    b"]q\0h\0a.",
    // Globals and objects.
    b"cm\nn\n.",
    b"c\nn\n.",
    b"cm\n\n.",
    b"cm\nn",
    b"cm",
    b"c\xe9\nn\n.",
    b"cm\n\xc3\xa9\n.",
    b"\x8c\x01m\x8c\x01n\x93.",
    b"N\x8c\x01n\x93.",
    b"\x8c\x01mN\x93.",
    b"\x8c\x01n\x93.",
    b"\x93.",
    b"(\x8c\x01m\x8c\x01n\x93.",
    b"\x8c\x01m(\x8c\x01n\x93.",
    b"(im\nn\n.",
    b"(K\x01im\nn\n.",
    b"im\nn\n.",
    b"(i\xe9\nn\n.",
    b"(im",
    b"(i\nn\n.",
    b"(cm\nn\no.",
    b"(cm\nn\nK\x01o.",
    b"(o.",
    b"o.",
    b"cm\nn\n)\x81.",
    b"cm\nn\n\x81.",
    b"\x81.",
    b"(\x81.",
    b"cm\nn\n()\x81.",
    b"cm\nn\n)}\x92.",
    b"cm\nn\n)\x92.",
    b"cm\nn\n)R.",
    b"cm\nn\nR.",
    b"R.",
    b"cm\nn\n()R.",
    b"cm\nn\n(K\x01tR.",
    b"cm\nn\n)\x81}b.",
    b"b.",
    b"Nb.",
    b"N(Nb.",
    b"(Nb.",
    b"]Nb.",
    b"cm\nn\n)\x81(K\x01K\x02e(K\x01Nu(K\x03\x90.",
    b"cm\nn\n)\x81K\x01a.",
    b"cm\nn\n)\x81K\x01Ns.",
    b"\x82\0.",
    b"\x83\0\0.",
    b"\x84\0\0\0\x80.",
    b"\x84\0\0\0\0.",
    b"\x82",
    b"Pid\n.",
    b"P\n.",
    b"P\xe9\n.",
    b"Pid",
    b"NQ.",
    b"Q.",
    b"(Q.",
    b"N(Q.",
    b"]Q2a.",
    // What Python stores by index.
    b"]NaK\0K\x01s.",
    b"]NaK\x01K\x01s.",
    b"]NaNK\x01s.",
    b"(K\0K\x01u.",
    b"\x96\x01\0\0\0\0\0\0\0aK\0K\x01s.",
    // Protocol, frames, and what is no opcode.
    b"\x80\x05N.",
    b"\x80\x06N.",
    b"\x80\xffN.",
    b"\x80",
    b"",
    b"N",
    b"\0",
    b"?",
    b"'",
    b"\\",
    b"\x7f",
    b"\xff",
    b" ",
    b"N~.",
    b"\x95\x02\0\0\0\0\0\0\0N.",
    b"\x95\x05\0\0\0\0\0\0\0N.",
    b"\x95\0\0\0\0\0\0\0\0N.",
    b"\x95\x01\0",
    b"\x95\xff\xff\xff\xff\xff\xff\xff\xff.",
    b"\x95\xff\xff\xff\xff\xff\xff\xff\x7f.",
    b"\x95\x01\0\0\0\0\0\0\0K\x01.",
    b"\x95\x02\0\0\0\0\0\0\0M\x01\x01.",
    b"\x95\x02\0\0\0\0\0\0\0I12\n.",
    b"\x95\x01\0\0\0\0\0\0\0I12\n.",
    b"\x95\x04\0\0\0\0\0\0\0I123",
    b"\x95\x03\0\0\0\0\0\0\0C\x02ab.",
    b"\x95\x02\0\0\0\0\0\0\0C\x02ab.",
    b"\x95\x02\0\0\0\0\0\0\0C\0.",
    b"\x95\x0b\0\0\0\0\0\0\0\x95\x01\0\0\0\0\0\0\0N.",
    b"\x95\x0b\0\0\0\0\0\0\0\x95\x64\0\0\0\0\0\0\0N.",
    b"\x95\x0b\0\0\0\0\0\0\0\x95\xff\xff\xff\xff\xff\xff\xff\xffN.",
    b"\x95\x09\0\0\0\0\0\0\0\x95\x01\0\0\0\0\0\0\0N.",
    b"\x95\x01\0\0\0\0\0\0\0N\x95\x01\0\0\0\0\0\0\0.",
    b"\x95\x04\0\0\0\0\0\0\0cm\nn\n.",
    b"\x95\x03\0\0\0\0\0\0\0cm\nn\n.",
    b"\x95\x02\0\0\0\0\0\0\0Pid\n.",
];

fn compare(pickles: &[&[u8]]) {
    let script = format!("{PACK}{SCRIPT}");
    let answers = unpack(&python(&script, &pack(pickles.iter().copied())));
    assert_eq!(answers.len(), pickles.len());
    let (rules, version) = (rules(), common::version());
    for (data, theirs) in pickles.iter().zip(answers) {
        let theirs = String::from_utf8(theirs).unwrap();
        let (ours, error) = ours(data, rules);
        let ours = ours.unwrap();
        let equal = agree(version, data, &ours, error.as_ref(), &theirs);
        assert!(equal, "{}\n ours:   {ours}\n theirs: {theirs}", data.escape_ascii());
    }
}

#[test]
fn cases() {
    compare(CASES);
    for opcode in Opcode::ALL.into_iter().filter(|opcode| *opcode != Opcode::NextBuffer) {
        assert!(CASES.iter().any(|case| case.contains(&opcode.byte())), "{opcode} is missing");
    }
}

/// Each case cut everywhere: arguments that end too early, and stacks that are not done.
#[test]
fn cut() {
    let pieces: Vec<&[u8]> =
        CASES.iter().flat_map(|case| (0..case.len()).map(|end| &case[..end])).collect();
    compare(&pieces);
}

/// Short streams of opcodes: marks, underflows and the memo in all combinations.
#[test]
fn soup() {
    let mut random = common::random();
    let pieces: [&[u8]; 27] = [
        b"(",
        b"N",
        b"K\x01",
        b"]",
        b"}",
        b")",
        b"0",
        b"1",
        b"2",
        b"t",
        b"l",
        b"a",
        b"e",
        b"\x85",
        b"\x86",
        b"\x87",
        b"q\x01",
        b"h\x01",
        b"\x94",
        b"h\0",
        b"g1\n",
        b"p1\n",
        b"r\0\x10\0\0",
        b"j\0\x10\0\0",
        b"(K\x01K\x02d",
        b"cm\nn\n)\x81",
        b"\x8c\x01m",
    ];
    let soups: Vec<Vec<u8>> = (0..20_000)
        .map(|_| {
            let picked = (0..random(14)).flat_map(|_| pieces[random(pieces.len())]);
            picked.copied().chain([b'.']).collect()
        })
        .collect();
    compare(&soups.iter().map(Vec::as_slice).collect::<Vec<_>>());
}

/// Opcodes that a graph answers by itself, where Python has a registry or buffers.
#[test]
fn without_python() {
    let graph = halfsour::load(b"\x82\x07\x83\x07\x01\x84\x07\x01\x01\0\x87.").unwrap();
    let Node::Tuple(items) = graph.get(graph.root()) else { panic!() };
    let codes: Vec<_> = items
        .iter()
        .map(|id| match graph.get(*id) {
            Node::Object(object) => object.made,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(codes, [7, 263, 65799].map(Made::Extension));

    let graph = halfsour::load(b"\x97\x97\x98\x86.").unwrap();
    let Node::Tuple(items) = graph.get(graph.root()) else { panic!() };
    assert_eq!(graph.get(items[0]), Node::Buffer(0));
    let Node::ReadonlyBuffer(view) = graph.get(items[1]) else { panic!() };
    assert_eq!(graph.get(view), Node::Buffer(1));
    assert_eq!(graph.children(graph.root()), items);
}

#[test]
fn places() {
    let place = |data: &[u8]| {
        let error = halfsour::load(data).unwrap_err();
        (error.kind().clone(), error.offset(), error.opcode())
    };
    use ErrorKind::*;
    assert_eq!(place(b"NN("), (Eof, Some(3), None));
    assert_eq!(place(b"NN\0"), (InvalidLoadKey(0), Some(2), None));
    assert_eq!(place(b"N(K\x01\x86."), (UnexpectedMark, Some(4), Some(Opcode::Tuple2)));
    assert_eq!(place(b"NJ\0\0"), (Truncated, Some(2), Some(Opcode::BinInt)));
    assert_eq!(place(b"NIx\n."), (BadInt, Some(1), Some(Opcode::Int)));
    assert_eq!(place(b"\x80\x09."), (UnsupportedProtocol(9), Some(0), Some(Opcode::Proto)));
}
