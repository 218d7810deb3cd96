//! The machine, opcode by opcode: the same result or the same error as the interpreter's `_pickle`.

mod common;

use std::collections::HashMap;

use common::{PACK, pack, python, unpack};
use halfsour::graph::{self, Effect, Made, Node};
use halfsour::{Error, ErrorKind, Exception, Graph, NodeId, Opcode, Reader, Rules, SliceSource};

/// What `_pickle` makes of each pickle, in a notation that keeps types and identity.
const SCRIPT: &str = include_str!("python/symbols.py");

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

/// A graph in the notation of the script. Recursive, since the cases are shallow.
struct Show<'a> {
    graph: &'a Graph<'a>,
    seen: HashMap<NodeId, usize>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Show<'_> {
    fn all(&mut self, name: &str, ids: impl IntoIterator<Item = NodeId>) -> String {
        let texts: Vec<String> = ids.into_iter().map(|id| self.show(id)).collect();
        format!("{name}({})", texts.join(" "))
    }

    fn sorted(&mut self, name: &str, ids: &[NodeId]) -> String {
        let mut texts: Vec<String> = ids.iter().map(|&id| self.show(id)).collect();
        texts.sort();
        format!("{name}({})", texts.join(" "))
    }

    /// What a call passes: Python takes the tuple apart.
    fn args(&self, args: NodeId) -> Vec<NodeId> {
        match self.graph.get(args) {
            Node::Tuple(items) => items.to_vec(),
            other => panic!("args are no tuple but {other:?}"),
        }
    }

    fn show(&mut self, id: NodeId) -> String {
        let graph = self.graph;
        match graph.get(id) {
            Node::None => return "None".into(),
            Node::Bool(value) => return if value { "True" } else { "False" }.into(),
            Node::Int(value) => {
                let significant = (0..8).find(|n| value == value << (56 - 8 * n) >> (56 - 8 * n));
                return format!("int:{}", hex(&value.to_le_bytes()[..=significant.unwrap()]));
            }
            Node::BigInt(bytes) => return format!("int:{}", hex(bytes)),
            Node::Float(value) => return format!("float:{:016x}", value.to_bits()),
            Node::Str(text) => return format!("str:{}", hex(text.as_bytes())),
            Node::OldStr(bytes) => {
                let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
                return format!("str:{}", hex(text.as_bytes()));
            }
            Node::Bytes(bytes) => return format!("bytes:{}", hex(bytes)),
            Node::Tuple([]) => return "tuple()".into(),
            Node::Object(object) => {
                if let Made::Global { module, name } = object.made {
                    return self.all("global", [module, name]);
                }
            }
            _ => {}
        }
        if let Some(number) = self.seen.get(&id) {
            return format!("#{number}");
        }
        self.seen.insert(id, self.seen.len());
        match graph.get(id) {
            Node::ByteArray(bytes) => format!("bytearray:{}", hex(bytes)),
            Node::Tuple(items) => self.all("tuple", items.iter().copied()),
            Node::List(items) => self.all("list", items.iter().copied()),
            Node::Set(items) => self.sorted("set", items),
            Node::FrozenSet(items) => self.sorted("frozenset", items),
            Node::Dict(entries) => self.all("dict", entries.as_flattened().iter().copied()),
            Node::Object(object) => {
                let mut text = match object.made {
                    Made::Persistent(pid) => self.all("pid", [pid]),
                    Made::Call { callable, args } => {
                        let args = self.args(args);
                        self.all("call", [callable].into_iter().chain(args))
                    }
                    Made::New { cls, args, kwargs } => {
                        let args = self.args(args);
                        let kwargs = kwargs.filter(|id| graph.get(*id) != Node::Dict(&[]));
                        self.all("new", [cls].into_iter().chain(args).chain(kwargs))
                    }
                    Made::Inst { cls, args } => {
                        // Without arguments Python does not call the class.
                        let name = if args.is_empty() { "new" } else { "call" };
                        self.all(name, [cls].into_iter().chain(args.iter().copied()))
                    }
                    other => panic!("not in the notation: {other:?}"),
                };
                for effect in object.effects {
                    text += &match *effect {
                        Effect::Build(state) => self.all(".build", [state]),
                        Effect::Append(item) => self.all(".append", [item]),
                        Effect::SetItem(key, value) => self.all(".setitem", [key, value]),
                        Effect::Add(item) => self.all(".add", [item]),
                        other => panic!("not in the notation: {other:?}"),
                    };
                }
                text
            }
            other => panic!("not in the notation: {other:?}"),
        }
    }
}

fn name(exception: Exception) -> &'static str {
    match exception {
        Exception::Eof => "EOFError",
        Exception::Unpickling => "UnpicklingError",
        Exception::Value => "ValueError",
        Exception::Overflow => "OverflowError",
        Exception::UnicodeDecode => "UnicodeDecodeError",
        Exception::Attribute => "AttributeError",
        Exception::Type => "TypeError",
        other => panic!("{other:?}"),
    }
}

/// What the interpreter's `_pickle` does with frames and BINSTRING: since 3.13.15 and 3.14.7 it is
/// strict.
fn rules() -> Rules {
    match common::version() {
        (..=12, _) | (13, ..15) | (14, ..7) => Rules::LENIENT,
        _ => Rules::STRICT,
    }
}

fn ours(data: &[u8], rules: Rules) -> (String, Option<Error>) {
    match graph::load_next(&mut Reader::with_rules(SliceSource::new(data), rules)) {
        Ok(graph) => {
            let mut show = Show { graph: &graph, seen: HashMap::new() };
            (show.show(graph.root()), None)
        }
        Err(error) => {
            assert!(error.offset().is_some(), "{error:?}");
            (format!("{}: {error}", name(error.kind().exception())), Some(error))
        }
    }
}

/// Errors of which the words are the heap's, and vary with the version; the exception must be right.
fn own_words(kind: &ErrorKind) -> bool {
    use ErrorKind::*;
    matches!(
        kind,
        BadInt
            | BadLiteral(_)
            | BadText(_)
            | FloatOverflow(_)
            | WrongType { .. }
            | Unhashable { .. }
    )
}

/// Whether an older `_pickle` is known to answer differently, and does so in this way.
fn known(version: (u32, u32), data: &[u8], error: Option<&Error>, theirs: &str) -> bool {
    match error.map(Error::kind) {
        // An empty APPENDS or ADDITEMS looks at what it is applied to since 3.15; before, the load
        // goes on. The error does not tell that it was empty; 3.15 is there to compare the others.
        Some(ErrorKind::WrongType { needs: "append" | "add" }) if version < (15, 0) => {
            matches!(error.and_then(Error::opcode), Some(Opcode::Appends | Opcode::AddItems))
        }
        // Early 3.11s complain of the names before they complain of the stack.
        Some(ErrorKind::StackUnderflow | ErrorKind::UnexpectedMark) if version < (11, 7) => {
            error.and_then(Error::opcode) == Some(Opcode::StackGlobal)
                && theirs == "UnpicklingError: STACK_GLOBAL requires str"
        }
        // A graph's memo is that of 3.15, where a far index does not count for MEMOIZE.
        _ => version < (15, 0) && data.contains(&b'r') && data.contains(&0x94),
    }
}

fn compare(pickles: &[&[u8]]) {
    let script = format!("{PACK}{SCRIPT}");
    let answers = unpack(&python(&script, &pack(pickles.iter().copied())));
    assert_eq!(answers.len(), pickles.len());
    let (rules, version) = (rules(), common::version());
    for (data, theirs) in pickles.iter().zip(answers) {
        let theirs = String::from_utf8(theirs).unwrap();
        let (ours, error) = ours(data, rules);
        let class = |text: &str| text.split(':').next().unwrap().to_string();
        let equal = ours == theirs
            || error.as_ref().is_some_and(|error| own_words(error.kind()))
                && class(&ours) == class(&theirs)
            || known(version, data, error.as_ref(), &theirs);
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
