//! Typed reading, compared with what Python wrote, in every protocol.

mod common;

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt::Debug;
use std::rc::Rc;
use std::sync::Arc;

use halfsour::typed::{
    ByteArray, Bytes, Class, Entries, GetState, Hooks, Item, Items, OldStr, Persistent, Reduce,
    Registry, State, Unpickler, Value,
};
use halfsour::types::{Member, Name};
use halfsour::{
    Error, ErrorKind, FromPickle, FromPickleOwned, Graph, Limits, Pickler, ToPickle, Writer,
    from_reader, from_slice, load,
};

/// The pickles of a Python expression in protocols 0 to 5.
fn dumps(expression: &str) -> Vec<Vec<u8>> {
    let script = format!(
        "{}\nimport pickle\nvalue = {expression}\n\
         for protocol in range(6): emit(pickle.dumps(value, protocol))",
        common::PACK
    );
    common::unpack(&common::python(&script, b""))
}

/// What Python wrote for an expression is read as a value, in every protocol.
#[track_caller]
fn check<T: FromPickleOwned + PartialEq + Debug>(expression: &str, expected: T) {
    for (protocol, data) in dumps(expression).iter().enumerate() {
        let value: T = from_slice(data).unwrap_or_else(|e| panic!("{expression} {protocol}: {e}"));
        assert_eq!(value, expected, "{expression}, protocol {protocol}");
        assert_eq!(from_reader::<T>(data.as_slice()).unwrap(), expected);
    }
}

/// The error of reading an expression's pickle in protocol 5.
#[track_caller]
fn error<T: FromPickleOwned + Debug>(expression: &str) -> String {
    from_slice::<T>(&dumps(expression)[5]).unwrap_err().to_string()
}

#[test]
fn numbers() {
    check("[0, 255]", vec![0u8, 255]);
    check("[-128, 127]", vec![-128i8, 127]);
    check("[2**63 - 1, -2**63]", vec![i64::MAX, i64::MIN]);
    check("[2**64 - 1, 0]", [u64::MAX, 0]);
    check("[2**128 - 1, 2**64, 1]", [u128::MAX, 1 << 64, 1]);
    check("[2**127 - 1, -2**127, -1, -2**64]", [i128::MAX, i128::MIN, -1, -(1 << 64)]);
    check("[1.5, -0.0, 3, 2**70]", vec![1.5f64, -0.0, 3.0, 2f64.powi(70)]);
    check("[True, False]", (true, false));
    check("1e300", 1e300f64);
    check("1.5", 1.5f32);
    check(
        "[2**53, -2**53, 2**53 + 2, -2**63, 2**63]",
        [2f64.powi(53), -2f64.powi(53), 2f64.powi(53) + 2.0, -2f64.powi(63), 2f64.powi(63)],
    );
    check("[2**127 + 2**75, -2**127]", [2f64.powi(127) + 2f64.powi(75), -2f64.powi(127)]);
    check("[2**200, -2**1023]", [2f64.powi(200), -2f64.powi(1023)]);
    check("[2**24, 2**24 + 2, 2**127]", [2f32.powi(24), 2f32.powi(24) + 2.0, 2f32.powi(127)]);
    for int in [
        "2**53 + 1",
        "-2**53 - 1",
        "2**63 - 1",
        "2**64 - 1",
        "2**127 + 2**74",
        "2**128 - 1",
        "2**128 + 1",
        "2**200 - 1",
        "2**1024",
        "-2**1024",
        "1 << 5000",
    ] {
        assert!(error::<f64>(int).starts_with("expected an int that a float can be"), "{int}");
    }
    for int in ["2**24 + 1", "-2**24 - 1", "2**63", "2**128"] {
        let fits = from_slice::<f32>(&dumps(int)[5]).map(f64::from);
        let exact = from_slice::<f64>(&dumps(int)[5]).unwrap();
        assert!(fits.is_err() || fits.is_ok_and(|fits| fits == exact), "{int}");
    }
    for int in ["2**24 + 1", "2**128"] {
        assert!(error::<f32>(int).starts_with("expected an int that a float can be"), "{int}");
    }
    check("[0.1, 3.4028234e38, 1e-60, -0.0]", [0.1f32, 3.4028234e38, 0.0, -0.0]);
    check("[float('inf'), -float('inf')]", [f32::INFINITY, f32::NEG_INFINITY]);
    check("None", ());
    assert!(from_slice::<f64>(&dumps("float('nan')")[2]).unwrap().is_nan());
}

#[test]
fn text_and_bytes() {
    check("'smör 🥒'", "smör 🥒".to_owned());
    check("'ö'", 'ö');
    check("['', 'a\\nb\\\\']", vec![Box::<str>::from(""), "a\nb\\".into()]);
    check("b'\\x00\\xff'", vec![0u8, 255]);
    check("b''", Bytes(Vec::new()));
    check("bytearray(b'ab\\xe9')", ByteArray(b"ab\xe9".to_vec()));
    check("bytearray()", ByteArray(Vec::new()));
    check("b'abc'", Bytes([b'a', b'b', b'c']));
    check("[b'ab', None]", vec![Some(Bytes(b"ab".to_vec())), None]);
    check("bytes(range(256))", (0..=255).collect::<Vec<u8>>());
}

#[test]
fn containers() {
    check("[[1], [], [2, 3]]", vec![vec![1], vec![], vec![2, 3]]);
    check("(1, 'a', None)", (1, "a".to_owned(), None::<u8>));
    check("(1,)", (1,));
    check("tuple(range(12))", (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
    check("[1, 2, 3]", [1, 2, 3]);
    check("(1, 2)", VecDeque::from([1, 2]));
    check("(1, 2)", Box::<[u16]>::from([1, 2]));
    check("{'b': 1, 'a': 2}", HashMap::from([("a".to_owned(), 2), ("b".to_owned(), 1)]));
    check("{(1, 2): [3]}", BTreeMap::from([((1, 2), vec![3])]));
    check("{1, 2, 3}", BTreeSet::from([1, 2, 3]));
    check("set()", BTreeSet::<u8>::new());
    check("frozenset([1, 2])", HashSet::from([1, 2]));
    check("frozenset()", Vec::<u8>::new());
    check("{1}", vec![1]);
    check("[None, 1]", vec![None, Some(Box::new(1))]);
}

/// What `collections` has instead of dicts and lists.
#[test]
fn collections() {
    let map = BTreeMap::from([("b".to_owned(), 1), ("a".to_owned(), 2)]);
    check("__import__('collections').OrderedDict(b=1, a=2)", map.clone());
    check(
        "(lambda d: d.update(b=1, a=2) or d)(__import__('collections').defaultdict(int))",
        map.clone(),
    );
    check("__import__('collections').Counter('baa')", HashMap::<_, _>::from_iter(map));
    check("__import__('collections').deque([1, 2, 3], 5)", VecDeque::from([1, 2, 3]));
    check("__import__('collections').deque([1])", VecDeque::from([1]));
    assert_eq!(
        error::<HashMap<String, u8>>("__import__('collections').ChainMap({})"),
        "expected a dict, found a collections.ChainMap at root"
    );
    check("__import__('collections').deque()", Vec::<u8>::new());
    check("__import__('collections').deque(['a'])", vec!["a".to_owned()]);
}

/// Instances of subclasses of builtin types, as what they are.
#[test]
fn subclasses() {
    const APP: &str = "
import collections, enum, pickle, sys, types
app = types.ModuleType('app')
sys.modules['app'] = app
exec('''
import collections, datetime, enum
class IE(enum.IntEnum): A = 3
class SE(enum.StrEnum): A = 'a'
class S(str): pass
class I(int): pass
class F(float): pass
class B(bytes): pass
class L(list): pass
class D(dict): pass
class T(tuple): pass
class Empty: pass
class Point:
    def __init__(self): self.x = 1
Pair = collections.namedtuple('Pair', 'x y')
Single = collections.namedtuple('Single', 'x')
class Oops(Exception): pass
class Day(datetime.date): pass
class Money:
    def __new__(cls, amount): return object.__new__(cls)
    def __init__(self, amount): self.amount = amount
    def __getnewargs__(self): return (self.amount,)
class Price:
    def __init__(self, amount): self.amount = amount
    def __reduce__(self): return Price, (self.amount,)
''', app.__dict__)
globals().update(app.__dict__)
";
    fn pickles(expression: &str) -> Vec<Vec<u8>> {
        let script = format!(
            "{}{APP}\nfor protocol in range(6): emit(pickle.dumps({expression}, protocol))",
            common::PACK
        );
        common::unpack(&common::python(&script, b""))
    }
    #[track_caller]
    fn is<T: FromPickleOwned + PartialEq + Debug>(expression: &str, expected: &T) {
        for (protocol, data) in pickles(expression).iter().enumerate() {
            let value: T =
                from_slice(data).unwrap_or_else(|e| panic!("{expression} {protocol}: {e}"));
            assert_eq!(&value, expected, "{expression}, protocol {protocol}");
        }
    }
    #[track_caller]
    fn fails<T: FromPickleOwned + Debug>(expression: &str, found: &str) {
        for (protocol, data) in pickles(expression).iter().enumerate() {
            let error = from_slice::<T>(data).unwrap_err().to_string();
            assert!(error.ends_with(&format!("{found} at root")), "{protocol}: {error}");
        }
    }
    is("I(5)", &5_i64);
    is("Single(5)", &(5,));
    is("I(2 ** 70)", &(1_i128 << 70));
    is("F(1.5)", &1.5);
    is("S('x')", &"x".to_owned());
    is("S('x')", &'x');
    is("[S('x')]", &BTreeSet::from(["x".to_owned()]).into_iter().collect::<Vec<_>>());
    is("B(b'ab')", &vec![97_u8, 98]);
    is("B(b'ab')", &Bytes(vec![97, 98]));
    is("L([1, 2])", &vec![1, 2]);
    is("L()", &Vec::<u8>::new());
    is("L([1, 2])", &VecDeque::from([1_u8, 2]));
    is("setattr(l := L([1, 2]), 'x', 1) or l", &[1, 2]);
    is("D(a=1)", &HashMap::from([("a".to_owned(), 1)]));
    is("D()", &BTreeMap::<u8, u8>::new());
    is("T((1, 2))", &(1, 2));
    is("T((1, 2))", &vec![1, 2]);
    is("Pair(1, 'a')", &(1, "a".to_owned()));
    let data = &pickles("S('spam')")[5];
    assert_eq!(from_slice::<&str>(data).unwrap(), "spam");
    assert!(matches!(from_slice::<Cow<'_, str>>(data).unwrap(), Cow::Borrowed("spam")));
    // What is none of that.
    fails::<i64>("S('x')", "an app.S");
    fails::<String>("I(5)", "an app.I");
    fails::<i64>("setattr(i := I(5), 'x', 1) or i", "an app.I");
    fails::<String>("setattr(s := S('a'), 'x', 1) or s", "an app.S");
    // Calls may be of anything.
    fails::<String>("Oops('x')", "an app.Oops");
    fails::<Bytes>("Day(2026, 11, 28)", "an app.Day");
    fails::<i64>("Price(500)", "an app.Price");
    fails::<f64>("Price(0.5)", "an app.Price");
    fails::<i64>("Money(500)", "an app.Money");
    fails::<i64>("Point()", "an app.Point");
    fails::<Vec<u8>>("Point()", "an app.Point");
    fails::<HashMap<String, u8>>("Point()", "an app.Point");
    fails::<(u8, u8)>("Empty()", "an app.Empty");
    fails::<(u8, u8)>("Pair(1, 2) + (3,)", "a tuple of 3");
    fails::<i64>("__import__('operator').itemgetter(5)", "an operator.itemgetter");
    fails::<String>("ValueError('x')", "a ValueError");
    fails::<String>("__import__('decimal').Decimal('1.5')", "a decimal.Decimal");
    fails::<u32>("__import__('ipaddress').IPv4Address(1)", "an ipaddress.IPv4Address");
    if common::version() >= (11, 4) {
        let member = |value| Member::Value { class: Name::new("app", "IE"), value };
        is("IE.A", &member(3_u8));
        fails::<i64>("IE.A", "an app.IE");
        fails::<String>("SE.A", "an app.SE");
    }
    // Python 2's classic classes derive from nothing, and protocols 0 and 1 tell what others do from.
    for data in [b"(I5\nim\nfoo\n.".as_slice(), b"(cm\nfoo\nI5\no."] {
        let error = from_slice::<i64>(data).unwrap_err().to_string();
        assert_eq!(error, "expected an int, found a m.foo at root");
    }
    for data in [&pickles("Empty()")[0][..], &pickles("Empty()")[1], b"(im\nfoo\n."] {
        let error = from_slice::<Vec<u8>>(data).unwrap_err().to_string();
        assert!(error.starts_with("expected a list, found a"), "{error}");
        let error = from_slice::<HashMap<u8, u8>>(data).unwrap_err().to_string();
        assert!(error.starts_with("expected a dict, found a"), "{error}");
    }
    // Before 3.11, those without attributes got an empty dict.
    assert_eq!(from_slice::<u8>(b"capp\nI\nK\x05\x85\x81}b.").unwrap(), 5);
    assert_eq!(from_slice::<(u8, u8)>(b"capp\nT\nK\x05K\x06\x86\x85\x81}b.").unwrap(), (5, 6));
    assert_eq!(from_slice::<Vec<u8>>(b"capp\nL\n)\x81}b.").unwrap(), Vec::<u8>::new());
}

#[test]
fn borrowed() {
    for (protocol, data) in dumps("{'key': ('text', b'bytes')}").iter().enumerate() {
        type Pair<'d> = (Cow<'d, str>, Cow<'d, [u8]>);
        let cow: HashMap<Cow<'_, str>, Pair<'_>> = from_slice(data).unwrap();
        let (text, bytes) = &cow["key"];
        assert_eq!((text.as_ref(), bytes.as_ref()), ("text", b"bytes".as_slice()));
        assert_eq!(matches!(bytes, Cow::Borrowed(_)), protocol >= 3);
        if protocol >= 3 {
            let plain: HashMap<&str, (&str, &[u8])> = from_slice(data).unwrap();
            assert_eq!(plain["key"], ("text", b"bytes".as_slice()));
        } else {
            let error = from_slice::<HashMap<&str, (&str, &[u8])>>(data).unwrap_err();
            assert_eq!(
                error.to_string(),
                "expected bytes that are in the pickle as they are, found a copy of bytes at \
                 root['key'][1]"
            );
        }
    }
    let error = from_slice::<&str>(b"Va\\u00e9\n.").unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected a str that is in the pickle as it is, found a copy of a str at root"
    );
}

#[test]
fn errors() {
    assert_eq!(error::<u8>("256"), "expected an int that fits u8, found the int 256 at root");
    assert_eq!(error::<u32>("-1"), "expected an int that fits u32, found the int -1 at root");
    assert_eq!(
        error::<u64>("10**30"),
        "expected an int that fits u64, found the int 1000000000000000000000000000000 at root"
    );
    assert_eq!(
        error::<i64>("1 << 1000"),
        "expected an int that fits i64, found an int of 126 bytes at root"
    );
    assert_eq!(error::<i64>("True"), "expected an int, found a bool at root");
    assert_eq!(error::<bool>("1"), "expected a bool, found an int at root");
    assert_eq!(
        error::<f64>("2**53 + 1"),
        "expected an int that a float can be, found the int 9007199254740993 at root"
    );
    assert_eq!(error::<f32>("[1e300]"), "expected a float, found a list at root");
    assert_eq!(
        error::<Vec<f32>>("[1e300]"),
        "expected a float that fits f32, found the float 1e+300 at root[0]"
    );
    assert_eq!(error::<f64>("'1'"), "expected a float, found a str at root");
    assert_eq!(error::<String>("None"), "expected a str, found None at root");
    assert_eq!(
        error::<String>("'\\ud800'"),
        "expected a str that is Unicode, found a str with lone surrogates at root"
    );
    assert_eq!(error::<char>("'ab'"), "expected a str of one character, found a str at root");
    assert_eq!(error::<()>("{}"), "expected None, found a dict at root");
    assert_eq!(error::<Vec<i32>>("[1, 'x']"), "expected an int, found a str at root[1]");
    assert_eq!(error::<Vec<i32>>("{}"), "expected a list, found a dict at root");
    assert_eq!(error::<Vec<u8>>("'x'"), "expected bytes, found a str at root");
    assert_eq!(error::<BTreeSet<i32>>("[1]"), "expected a set, found a list at root");
    assert_eq!(error::<[u8; 2]>("[1]"), "expected a list of 2, found a list of 1 at root");
    assert_eq!(error::<(u8, u8)>("(1, 2, 3)"), "expected a tuple of 2, found a tuple of 3 at root");
    assert_eq!(error::<Bytes<[u8; 2]>>("b'abc'"), "expected 2 bytes, found 3 bytes at root");
    assert_eq!(
        error::<Vec<HashMap<String, (u8, Vec<i32>)>>>("[{}, {'it\\'s': (1, [0, 0, 1.5])}]"),
        "expected an int, found a float at root[1][\"it's\"][1][2]"
    );
    assert_eq!(
        error::<HashMap<u8, u8>>("{'k': 1}"),
        "expected an int, found a str at root.keys()['k']"
    );
    assert_eq!(
        error::<BTreeSet<u8>>("{-5}"),
        "expected an int that fits u8, found the int -5 at root.keys()[-5]"
    );
    assert_eq!(
        error::<u8>("__import__('datetime').date(2024, 1, 2)"),
        "expected an int, found a datetime.date at root"
    );
    assert_eq!(
        error::<u8>("__import__('array').array('i')"),
        "expected an int, found an array._array_reconstructor at root"
    );
    assert_eq!(error::<u8>("len"), "expected an int, found the global builtins.len at root");
    assert_eq!(error::<u8>("slice(1)"), "expected an int, found a slice at root");
    assert_eq!(from_slice::<u8>(b"X").unwrap_err().to_string(), "pickle data was truncated");
    assert_eq!(
        from_slice::<u8>(b"K\x07Q.").unwrap_err().to_string(),
        "expected an int, found a persistent id at root"
    );
    assert_eq!(
        from_slice::<u8>(b"\x82\x07.").unwrap_err().to_string(),
        "expected an int, found the extension 7 at root"
    );
}

#[test]
fn python_2_strings() {
    let read =
        |old_str, data: &'static [u8]| Unpickler::new().old_str(old_str).from_slice::<String>(data);
    let (ascii, utf8, latin) = (b"U\x02ab.", b"U\x02\xc3\xa9.", b"U\x01\xe9.");
    for policy in [OldStr::Ascii, OldStr::Latin1, OldStr::Utf8] {
        assert_eq!(read(policy, ascii).unwrap(), "ab");
    }
    assert_eq!(read(OldStr::Utf8, utf8).unwrap(), "é");
    assert_eq!(read(OldStr::Latin1, utf8).unwrap(), "Ã©");
    assert_eq!(read(OldStr::Latin1, latin).unwrap(), "é");
    assert_eq!(
        read(OldStr::Ascii, utf8).unwrap_err().to_string(),
        r"expected a str that is ASCII, found the str b'\xc3\xa9' of Python 2 at root"
    );
    assert_eq!(
        read(OldStr::Utf8, latin).unwrap_err().to_string(),
        r"expected a str that is UTF-8, found the str b'\xe9' of Python 2 at root"
    );
    assert_eq!(
        read(OldStr::Bytes, ascii).unwrap_err().to_string(),
        "expected a str, found the str b'ab' of Python 2 at root"
    );
    assert_eq!(from_slice::<Bytes>(latin).unwrap().0, b"\xe9");
}

/// References to one object are one pointer, in the whole of the data.
#[test]
fn identity() {
    for data in dumps("(lambda a, b: [a, b, a, {'k': a}])(['x'], ['x'])") {
        type Shared<P> = (P, P, P, HashMap<String, P>);
        let (a, b, again, map): Shared<Arc<Vec<String>>> = from_slice(&data).unwrap();
        assert!(Arc::ptr_eq(&a, &again) && Arc::ptr_eq(&a, &map["k"]) && !Arc::ptr_eq(&a, &b));
        assert_eq!(a, b);
        let (a, b, again, _): Shared<Rc<[Rc<str>]>> = from_slice(&data).unwrap();
        assert!(Rc::ptr_eq(&a, &again) && !Rc::ptr_eq(&a, &b));
        // A string that is twice in the pickle by reference.
        assert_eq!(Rc::strong_count(&a[0]), if Rc::ptr_eq(&a[0], &b[0]) { 2 } else { 1 });
    }
    // Each type has its own.
    let (one, two): (Arc<Vec<u8>>, Arc<[u8]>) = from_slice(b"]q\0K\x01ah\0\x86.").unwrap();
    assert_eq!((one.as_slice(), &*two), (&[1][..], &[1][..]));
}

#[derive(Debug)]
struct Tree(#[allow(dead_code)] Vec<Tree>);

impl<'a> FromPickle<'a> for Tree {
    fn from_pickle(item: Item<'_, 'a>) -> Result<Tree, Error> {
        item.read().map(Tree)
    }
}

#[test]
fn cycles() {
    // l = []; l.append(l)
    let error = from_slice::<Tree>(b"]q\0h\0a.").unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Cycle);
    assert_eq!(error.to_string(), "a value holds itself, its type cannot at root[0]");
    // [[], [l, [[l]]]] where the innermost is the second item again
    let error = from_slice::<Tree>(b"]]a]q\0]]h\0aaaa.").unwrap_err();
    assert_eq!(error.to_string(), "a value holds itself, its type cannot at root[1][0][0][0]");
    // {'self': ...}
    #[derive(Debug)]
    struct Map(#[allow(dead_code)] HashMap<String, Map>);
    impl<'a> FromPickle<'a> for Map {
        fn from_pickle(item: Item<'_, 'a>) -> Result<Map, Error> {
            item.read().map(Map)
        }
    }
    let error = from_slice::<Map>(b"}q\0\x8c\x04selfh\0s.").unwrap_err();
    assert_eq!(error.to_string(), "a value holds itself, its type cannot at root['self']");
    // Shared pointers cannot either.
    #[derive(Debug)]
    struct Node(#[allow(dead_code)] Arc<Vec<Node>>);
    impl<'a> FromPickle<'a> for Node {
        fn from_pickle(item: Item<'_, 'a>) -> Result<Node, Error> {
            item.read().map(Node)
        }
    }
    let error = from_slice::<Node>(b"]q\0h\0a.").unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Cycle);
}

#[test]
fn too_deep() {
    common::with_small_stack(|| {
        let nested = |depth| [vec![b']'; depth], vec![b'a'; depth - 1], vec![b'.']].concat();
        from_slice::<Tree>(&nested(128)).unwrap();
        let error = from_slice::<Tree>(&nested(129)).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Limit { what: "depth", limit: 128 });
        assert_eq!(error.path().steps().len(), 128);
        let error = from_slice::<Tree>(&nested(1_000_000)).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Limit { what: "depth", limit: 128 });
        let ten = Unpickler::new().limits(Limits::default().depth(10));
        ten.from_slice::<Tree>(&nested(10)).unwrap();
        ten.from_slice::<Tree>(&nested(11)).unwrap_err();
    });
}

/// A persistent id may have another one as its id.
#[test]
fn too_deep_in_persistent_ids() {
    /// The innermost of ids in ids.
    #[derive(Debug, PartialEq)]
    struct Innermost(u8);
    impl<'a> FromPickle<'a> for Innermost {
        fn from_pickle(item: Item<'_, 'a>) -> Result<Innermost, Error> {
            match item.persistent_id()? {
                Some(pid) => pid.read(),
                None => item.int().map(Innermost),
            }
        }
    }
    common::with_small_stack(|| {
        let nested = |depth: usize| [b"K\x07".as_slice(), &b"Q".repeat(depth), b"."].concat();
        assert_eq!(from_slice::<Innermost>(&nested(128)).unwrap(), Innermost(7));
        let error = from_slice::<Innermost>(&nested(1_000_000)).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Limit { what: "depth", limit: 128 });
        // Resolved by a function that has what is in them resolved.
        let unpickler = Unpickler::new().persistent_load(|pid| {
            let inner = pid.persistent::<u8>()?;
            Ok(Box::new(inner.map_or_else(|| pid.int(), Ok)?))
        });
        assert_eq!(unpickler.from_slice::<Persistent<u8>>(&nested(128)).unwrap().0, 7);
        let error = unpickler.from_slice::<Persistent<u8>>(&nested(1_000_000)).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Limit { what: "depth", limit: 128 });
    });
}

/// Types that hold themselves with nothing between but pointers.
#[test]
fn too_deep_in_pointers() {
    macro_rules! pointers {
        ($($pointer:ident)*) => {$({
            struct Nested(Option<$pointer<Nested>>);
            impl<'a> FromPickle<'a> for Nested {
                fn from_pickle(item: Item<'_, 'a>) -> Result<Nested, Error> {
                    item.read().map(Nested)
                }
            }
            impl ToPickle for Nested {
                fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
                    out.save(&self.0)
                }
            }
            let limit = ErrorKind::Limit { what: "depth", limit: 128 };
            assert!(from_slice::<Nested>(b"N.").unwrap().0.is_none());
            let error = from_slice::<Nested>(b"K\x01.").map(drop).unwrap_err();
            assert_eq!((error.kind(), error.offset()), (&limit, Some(0)));
            let error = from_slice::<Vec<Nested>>(b"](NK\x01e.").map(drop).unwrap_err();
            assert_eq!(error.path().to_string(), "root[1]");
            let nested = |depth| {
                (0..depth).fold(Nested(None), |inner, _| Nested(Some($pointer::new(inner))))
            };
            assert_eq!(halfsour::to_vec(&nested(128)).unwrap(), halfsour::to_vec(&()).unwrap());
            // Dropping it would recurse.
            let deep = std::mem::ManuallyDrop::new(nested(100_000));
            assert_eq!(halfsour::to_vec(&*deep).unwrap_err().kind(), &limit);
        })*};
    }
    common::with_small_stack(|| {
        pointers! { Box Rc Arc }
    });

    struct Borrowed<'a>(Option<&'a Borrowed<'a>>);
    impl ToPickle for Borrowed<'_> {
        fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
            out.save(&self.0)
        }
    }
    common::with_small_stack(|| {
        let inner: &Borrowed<'_> = Box::leak(Box::new(Borrowed(None)));
        let deep = (0..100_000).fold(inner, |inner, _| Box::leak(Box::new(Borrowed(Some(inner)))));
        let error = halfsour::to_vec(deep).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Limit { what: "depth", limit: 128 });
    });
    // Containers between them are counted as ever, and the pointers in them are not.
    let nested = [vec![b']'; 128], vec![b'a'; 127], vec![b'.']].concat();
    #[derive(Debug)]
    struct Boxes(Vec<Option<Box<Boxes>>>);
    impl<'a> FromPickle<'a> for Boxes {
        fn from_pickle(item: Item<'_, 'a>) -> Result<Boxes, Error> {
            item.read().map(Boxes)
        }
    }
    impl ToPickle for Boxes {
        fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
            out.save(&self.0)
        }
    }
    halfsour::to_vec(&from_slice::<Boxes>(&nested).unwrap()).unwrap();
}

/// Thirty lists, each of which holds the one before ten times.
#[test]
fn expansion() {
    let mut data = b"]".to_vec();
    for index in 0..30u8 {
        data.extend([b'q', index, b'0', b'(']);
        data.extend([b'h', index].repeat(10));
        data.push(b'l');
    }
    data.push(b'.');
    let error = from_slice::<Tree>(&data).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Limit { what: "expansion", limit: 16 });
    // Borrowed text is not copied, but looked at each time.
    let text =
        [b"(X".as_slice(), &(1_u32 << 20).to_le_bytes(), &vec![b'a'; 1 << 20], b"q\0"].concat();
    let texts = [&text[..], &b"h\0".repeat(100_000), b"l."].concat();
    let error = from_slice::<Vec<&str>>(&texts).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Limit { what: "expansion", limit: 16 });
    // Shared pointers expand nothing.
    #[derive(Debug)]
    struct Node(Arc<Vec<Node>>);
    impl<'a> FromPickle<'a> for Node {
        fn from_pickle(item: Item<'_, 'a>) -> Result<Node, Error> {
            item.read().map(Node)
        }
    }
    assert_eq!(from_slice::<Node>(&data).unwrap().0.len(), 10);
}

/// A type that is large beside its pickle takes no memory ahead of its values.
#[test]
fn large_items() {
    let data = [b"(".as_slice(), &[b'N'; 10_000_000], b"l."].concat();
    from_slice::<Vec<[u64; 10_000]>>(&data).unwrap_err();
}

/// Python's classes; the module `shop` is made up.
const SHOP: &str = r"
import pickle, sys, types
shop = types.ModuleType('shop')
sys.modules['shop'] = shop
exec('''
import collections
class Plain: pass
class Slots: __slots__ = ['a', 'b', '__dict__']
class New:
    def __new__(cls, x, y=0): return object.__new__(cls)
    def __getnewargs__(self): return 1, 'two'
class NewEx(New):
    def __getnewargs_ex__(self): return (1,), {'y': 2}
class List(list): pass
class Dict(dict): pass
class Set(set): pass
class Str(str): pass
class State(list):
    def __getstate__(self): return 'any', 'thing', 3
    def __setstate__(self, state): pass
Point = collections.namedtuple('Point', 'x y', module='shop')
class Outer:
    class Inner: pass
''', shop.__dict__)
for value in vars(shop).values():
    if isinstance(value, type): value.__module__ = 'shop'
shop.Outer.Inner.__module__ = 'shop'
def make(cls, *args, **attrs):
    value = cls(*args)
    for name in attrs: setattr(value, name, attrs[name])
    return value
";

/// Pickles of an expression with the classes of [`SHOP`].
fn shop(expression: &str, protocols: std::ops::RangeInclusive<u8>) -> Vec<Vec<u8>> {
    let script = format!(
        "{}{SHOP}\nvalue = {expression}\n\
         for protocol in range({}, {} + 1): emit(pickle.dumps(value, protocol))",
        common::PACK,
        protocols.start(),
        protocols.end()
    );
    common::unpack(&common::python(&script, b""))
}

fn with_item<T>(data: &[u8], f: impl FnOnce(Item<'_, '_>) -> Result<T, Error>) -> T {
    let graph: Graph<'_> = load(data).unwrap();
    Unpickler::new().read(&graph, f).unwrap()
}

fn class(item: Item<'_, '_>) -> String {
    item.class().unwrap().to_string()
}

/// One instance looks the same in each protocol.
#[test]
fn instances() {
    for data in shop("make(shop.Plain, a=1, b='x')", 0..=5) {
        with_item(&data, |item| {
            assert_eq!(
                (class(item), item.describe()),
                ("shop.Plain".into(), "a shop.Plain".into())
            );
            assert_eq!((item.args()?.len(), item.kwargs()?.len()), (0, 0));
            let attrs = item.state()?.attrs()?;
            let names: Vec<_> = attrs.map(|(key, _)| key.str().unwrap().into_owned()).collect();
            assert_eq!(names, ["a", "b"]);
            assert_eq!(item.state()?.attr("b")?.unwrap().str()?, "x");
            assert!(item.state()?.attr("c")?.is_none());
            Ok(())
        });
    }
    for data in shop("make(shop.Slots, a=1, b=2, c=3)", 2..=5) {
        with_item(&data, |item| {
            let attrs = item.state()?.attrs()?;
            let all = attrs.map(|(key, value)| Ok((key.read()?, value.read()?)));
            let all: BTreeMap<String, u8> = all.collect::<Result<_, Error>>()?;
            assert_eq!(all, BTreeMap::from([("a".into(), 1), ("b".into(), 2), ("c".into(), 3)]));
            Ok(())
        });
    }
    for data in shop("shop.New(1)", 2..=5) {
        with_item(&data, |item| {
            assert_eq!(class(item), "shop.New");
            let args: Vec<_> = item.args()?.collect();
            assert_eq!((args[0].int::<u8>()?, args[1].str()?.as_ref()), (1, "two"));
            Ok(())
        });
    }
    for data in shop("shop.NewEx(1)", 2..=5) {
        with_item(&data, |item| {
            assert_eq!(class(item), "shop.NewEx");
            assert_eq!((item.args()?.len(), item.args()?.next().unwrap().int::<u8>()?), (1, 1));
            let (key, value) = item.kwargs()?.next().unwrap();
            assert_eq!((key.str()?.as_ref(), value.int::<u8>()?), ("y", 2));
            Ok(())
        });
    }
    for data in shop("make(shop.List, [1, 2, 3], name='n')", 0..=5) {
        with_item(&data, |item| {
            assert_eq!(class(item), "shop.List");
            let items: Vec<u8> = item.list_items()?.map(|i| i.read()).collect::<Result<_, _>>()?;
            assert_eq!(items, [1, 2, 3]);
            assert_eq!(item.state()?.attr("name")?.unwrap().str()?, "n");
            Ok(())
        });
    }
    for data in shop("shop.Dict(a=1, b=2)", 0..=5) {
        with_item(&data, |item| {
            assert_eq!(class(item), "shop.Dict");
            let items = item.dict_items()?.map(|(key, value)| Ok((key.read()?, value.read()?)));
            let items: Vec<(String, u8)> = items.collect::<Result<_, Error>>()?;
            assert_eq!(items, [("a".into(), 1), ("b".into(), 2)]);
            Ok(())
        });
    }
    for data in shop("shop.Str('text')", 0..=5) {
        with_item(&data, |item| {
            assert_eq!(class(item), "shop.Str");
            assert_eq!(item.args()?.next().unwrap().str()?, "text");
            Ok(())
        });
    }
    for data in shop("shop.Point(1, 2)", 0..=5) {
        with_item(&data, |item| {
            assert_eq!(class(item), "shop.Point");
            assert_eq!(item.args()?.map(|i| i.int()).collect::<Result<Vec<u8>, _>>()?, [1, 2]);
            Ok(())
        });
    }
    for data in shop("shop.State()", 2..=5) {
        with_item(&data, |item| {
            assert_eq!(item.state()?.value().unwrap().read::<(String, String, u8)>()?.2, 3);
            let error = item.state()?.attrs().unwrap_err();
            assert_eq!(error.to_string(), "expected attributes by name, found a tuple");
            Ok(())
        });
    }
    for data in shop("[shop.Outer.Inner(), shop.Outer]", 0..=5) {
        with_item(&data, |item| {
            assert_eq!(item.get(0)?.class().unwrap().name, "Outer.Inner");
            assert!(item.get(1)?.is_global("shop", "Outer"));
            assert!(!item.get(0)?.is_global("shop", "Outer.Inner"));
            assert_eq!(item.get(2).unwrap_err().to_string(), "item 2 is missing");
            Ok(())
        });
    }
}

/// INST and OBJ, which Python 3 does not write; `__newobj__` as calls; extensions.
#[test]
fn rare_instances() {
    let all: [&[u8]; 5] = [
        b"(I1\nishop\nNew\n.",
        b"(cshop\nNew\nK\x01o.",
        b"ccopy_reg\n__newobj__\n(cshop\nNew\nK\x01tR.",
        b"ccopyreg\n__newobj_ex__\n(cshop\nNew\nK\x01\x85}tR.",
        b"cshop\nNew\nK\x01\x85}\x92.",
    ];
    for data in all {
        with_item(data, |item| {
            assert_eq!(class(item), "shop.New");
            assert_eq!((item.args()?.len(), item.args()?.next().unwrap().int::<u8>()?), (1, 1));
            Ok(())
        });
    }
    // Two states: the later one counts.
    with_item(b"cshop\nNew\n)\x81}(\x8c\x01aK\x01\x8c\x01bK\x01ub}\x8c\x01aK\x02sb.", |item| {
        assert_eq!(item.state()?.attr("a")?.unwrap().int::<u8>()?, 2);
        assert_eq!(item.state()?.attr("b")?.unwrap().int::<u8>()?, 1);
        Ok(())
    });
    // A state setter: cshop.set(object, {'a': 7})
    let data = b"cshop\nNew\n)\x81q\0cshop\nset\nh\0}\x8c\x01aK\x07s\x86R0.";
    with_item(data, |item| {
        assert_eq!(item.state()?.attr("a")?.unwrap().int::<u8>()?, 7);
        Ok(())
    });
    // A partial that is no __new__ is not taken for one.
    let partial = b"cfunctools\npartial\ncshop\nmake\n\x85R(cshop\nmake\ncshop\nNew\n\x85}Ntb)R.";
    with_item(partial, |item| {
        assert_eq!((item.class(), item.describe()), (None, "an object".into()));
        Ok(())
    });
}

/// However long a name in the pickle is.
#[test]
fn errors_are_short() {
    let long = "ü".repeat(1 << 20);
    let pickle = |text: String| text.into_bytes();
    let instance = pickle(format!("(c{long}\n{long}\no."));
    let global = pickle(format!("c{long}\n{long}\n."));
    let text = "x".repeat(1 << 20);
    let dict = pickle(format!("(V{text}\nNd."));
    let cut = format!("{}...", "ü".repeat(200));
    let key = format!("'{}'...", "x".repeat(60));
    let error = from_slice::<u8>(&instance).unwrap_err().to_string();
    assert_eq!(error, format!("expected an int, found a {cut} at root"));
    let error = from_slice::<u8>(&global).unwrap_err().to_string();
    assert_eq!(error, format!("expected an int, found the global {cut} at root"));
    let error = from_slice::<BTreeMap<String, u8>>(&dict).unwrap_err().to_string();
    assert_eq!(error, format!("expected an int, found None at root[{key}]"));
    let number = halfsour::types::Decimal(text.clone());
    let error = halfsour::to_vec(&number).unwrap_err().to_string();
    assert_eq!(error, format!("{}... is no decimal number", "x".repeat(200)));
    let entries = BTreeMap::from([(text.as_str(), Persistent(7_u8))]);
    let error = halfsour::to_vec(&entries).unwrap_err().to_string();
    assert_eq!(error, format!("no persistent id for a u8 at root[{key}]"));
    let name = halfsour::Global::new(&long, "spam");
    let error = Pickler::new().protocol(0).to_vec(&name).unwrap_err().to_string();
    assert_eq!(error, format!("can't pickle the name {cut} using pickle protocol 0"));
    // Just as long as may be.
    let instance = pickle(format!("(c{}\n{}\no.", "a".repeat(99), "b".repeat(100)));
    let error = from_slice::<u8>(&instance).unwrap_err().to_string();
    assert!(error.ends_with("bbb at root"), "{error}");
}

#[test]
fn buffers() {
    let script = format!(
        "{}\nimport pickle\nbuffers = []\n\
         data = [pickle.PickleBuffer(b'read'), pickle.PickleBuffer(bytearray(b'write'))]\n\
         emit(pickle.dumps(data, 5, buffer_callback=buffers.append))\n\
         for buffer in buffers: emit(bytes(buffer))",
        common::PACK
    );
    let parts = common::unpack(&common::python(&script, b""));
    let buffers: Vec<&[u8]> = parts[1..].iter().map(Vec::as_slice).collect();
    let read: Vec<&[u8]> = Unpickler::new().buffers(&buffers).from_slice(&parts[0]).unwrap();
    assert_eq!(read, [b"read".as_slice(), b"write"]);
    assert!(read.iter().zip(&buffers).all(|(one, other)| one.as_ptr() == other.as_ptr()));
    let error = from_slice::<Vec<Vec<u8>>>(&parts[0]).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::NoBuffers);
    let one = Unpickler::new().buffers(&buffers[..1]).from_slice::<Vec<Vec<u8>>>(&parts[0]);
    assert_eq!(one.unwrap_err().to_string(), "not enough out-of-band buffers at root[1]");
}

#[test]
fn persistent_ids() {
    let calls = Cell::new(0);
    let unpickler = Unpickler::new().persistent_load(|pid| {
        calls.set(calls.get() + 1);
        let (table, key): (String, u64) = pid.read()?;
        match table.as_str() {
            "memo" => Ok(Box::new(format!("memo {key}"))),
            _ => Err(pid.expected("a table that there is")),
        }
    });
    let data = b"](\x8c\x04memoK\x01\x86Q\x8c\x04memoK\x02\x86Qe.";
    let memos: Vec<Persistent<String>> = unpickler.from_slice(data).unwrap();
    assert_eq!((memos[0].as_str(), memos[1].as_str(), calls.get()), ("memo 1", "memo 2", 2));
    let error = unpickler.from_slice::<Vec<Persistent<u8>>>(data).unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected u8 from persistent_load, found another type at root[0]"
    );
    let error = unpickler.from_slice::<Persistent<String>>(b"\x8c\x01xK\x01\x86Q.").unwrap_err();
    assert_eq!(error.to_string(), "expected a table that there is, found a tuple at root");
    let error = from_slice::<Persistent<String>>(b"K\x01Q.").unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::NoPersistentLoad);
    let error = from_slice::<Persistent<String>>(b"K\x01.").unwrap_err();
    assert_eq!(error.to_string(), "expected a persistent id, found an int at root");
}

/// A class by hand that uses every hook.
#[derive(Debug, Default, PartialEq)]
struct Bag {
    args: Vec<u8>,
    kwargs: BTreeMap<String, u8>,
    items: Vec<u8>,
    entries: Vec<(String, u8)>,
    state: Option<(u8, u8)>,
}

impl Class for Bag {
    const MODULE: &'static str = "shop";
    const NAME: &'static str = "Bag";
    const ALIASES: &'static [&'static str] = &["old.shop.Sack"];
}

impl Hooks for Bag {
    fn new(args: Items<'_, '_>, kwargs: Entries<'_, '_>) -> Result<Bag, Error> {
        let args = args.map(Item::read).collect::<Result<_, _>>()?;
        let kwargs =
            kwargs.map(|(k, v)| Ok((k.read()?, v.read()?))).collect::<Result<_, Error>>()?;
        Ok(Bag { args, kwargs, ..Bag::default() })
    }

    fn append(&mut self, item: Item<'_, '_>) -> Result<(), Error> {
        self.items.push(item.read()?);
        Ok(())
    }

    fn set_item(&mut self, key: Item<'_, '_>, value: Item<'_, '_>) -> Result<(), Error> {
        self.entries.push((key.read()?, value.read()?));
        Ok(())
    }

    fn setstate(&mut self, state: State<'_, '_>) -> Result<(), Error> {
        self.state = state.value().map(Item::read).transpose()?;
        Ok(())
    }
}

halfsour::class!(Bag: read);

/// A class that has but its name.
#[derive(Debug, PartialEq)]
struct Bare;

impl Class for Bare {
    const MODULE: &'static str = "shop";
    const NAME: &'static str = "Bare";
}

impl Hooks for Bare {
    fn new(_: Items<'_, '_>, _: Entries<'_, '_>) -> Result<Bare, Error> {
        Ok(Bare)
    }
}

halfsour::class!(Bare: read);

#[test]
fn hooks() {
    let rest = b"K\x01\x85}\x8c\x01kK\x02s\x92(K\x03K\x04e(\x8c\x01aK\x05uK\x06K\x07\x86b.";
    for name in [b"cshop\nBag\n".as_slice(), b"cold.shop\nSack\n", b"cold\nshop.Sack\n"] {
        let bag: Bag = from_slice(&[name, rest].concat()).unwrap();
        let expected = Bag {
            args: vec![1],
            kwargs: BTreeMap::from([("k".into(), 2)]),
            items: vec![3, 4],
            entries: vec![("a".into(), 5)],
            state: Some((6, 7)),
        };
        assert_eq!(bag, expected);
    }
    let error = from_slice::<Bag>(b"cshop\nBox\n)\x81.").unwrap_err();
    assert_eq!(error.to_string(), "expected a shop.Bag, found a shop.Box at root");
    // The class itself is no instance.
    let error = from_slice::<Bag>(b"cshop\nBag\n.").unwrap_err();
    assert_eq!(error.to_string(), "expected a shop.Bag, found the global shop.Bag at root");
    assert_eq!(from_slice::<Bare>(b"cshop\nBare\n)\x81Nb.").unwrap(), Bare);
    for (data, what) in [
        (b"cshop\nBare\n)\x81K\x01a.".as_slice(), "items"),
        (b"cshop\nBare\n)\x81K\x01K\x01s.", "entries"),
        (b"cshop\nBare\n)\x81}b.", "state"),
    ] {
        let error = from_slice::<Bare>(data).unwrap_err();
        assert_eq!(error.to_string(), format!("shop.Bare takes no {what} at root"));
    }
}

#[test]
fn registry() {
    let mut registry = Registry::new();
    registry.register::<Bag>().register::<Bare>();
    let data = b"](cold.shop\nSack\nK\x01\x85\x81cshop\nBare\n)\x81e.";
    with_item(data, |item| {
        let bag = item.get(0)?.object(&registry)?.downcast::<Bag>().unwrap();
        assert_eq!(bag.args, [1]);
        item.get(1)?.object(&registry)?.downcast::<Bare>().unwrap();
        Ok(())
    });
    with_item(b"cshop\nBox\n)\x81.", |item| {
        let error = item.object(&registry).unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected an instance of a registered class, found a shop.Box"
        );
        Ok(())
    });
    let graph = load(b"cvery.old\nBag\n)\x81.").unwrap();
    let unpickler = Unpickler::new().alias("very.old.Bag", "shop", "Bag");
    let bag = unpickler.read(&graph, |item| item.object(&registry)).unwrap();
    assert_eq!(*bag.downcast::<Bag>().unwrap(), Bag::default());
    // A name with an alias means the other class.
    let unpickler = Unpickler::new().alias("shop.Bag", "shop", "Bare");
    let graph = unpickler.load(b"cshop\nBag\n)\x81.").unwrap();
    assert!(unpickler.read(&graph, |item| Ok(item.is::<Bare>() && !item.is::<Bag>())).unwrap());
}

/// What is broken in a class's data is an error, not a panic.
#[test]
fn hostile_instances() {
    for data in [
        b"cshop\nBag\nN\x81.".as_slice(),
        b"cshop\nBag\nNR.",
        b"cshop\nBag\n)N\x92.",
        b"ccopyreg\n_reconstructor\n)R.",
        b"ccopyreg\n_reconstructor\n(NNNtR.",
        b"ccopyreg\n_reconstructor\n(cshop\nBag\ncbuiltins\ntuple\nNtR.",
        b"ccopyreg\n__newobj__\n)R.",
        b"ccopyreg\n__newobj_ex__\n(NNNtR.",
        b"cfunctools\npartial\n)R)R.",
        b"cfunctools\npartial\n)R(N)NNtb)R.",
        b"NNR.",
        b"N)\x81.",
        b"cbuiltins\nset\n)R.",
        b"c_codecs\nencode\n(NNtR.",
        b"\x8c\x01\xffN\x93.",
        b"cshop\nBag\n)\x81K\x01b.",
        b"cshop\nBag\n)\x81(NNNtb.",
    ] {
        let Err(error) = from_slice::<Bag>(data) else { panic!("{data:?}") };
        assert!(!error.to_string().is_empty());
        if let Ok(graph) = load(data) {
            Unpickler::new()
                .read(&graph, |item| {
                    let _ = (item.describe(), item.class(), item.bytes(), item.items());
                    let _ = (item.list_items()?.count(), item.dict_items()?.count());
                    let _ = (item.state()?.attrs(), item.kwargs()?.len());
                    Ok(())
                })
                .unwrap();
        }
    }
    // A set that is called with itself, bytes of bytes of bytes.
    from_slice::<Tree>(b"cbuiltins\nset\n]q\0h\0a\x85R.").unwrap_err();
    let deep = [
        b"cbuiltins\nbytes\n".repeat(10_000),
        b"N".to_vec(),
        b"\x85R".repeat(10_000),
        b".".to_vec(),
    ];
    let deep = deep.concat();
    common::with_small_stack(move || {
        from_slice::<Bytes>(&deep).unwrap_err();
        from_slice::<Tree>(&deep).unwrap_err();
    });
}

/// Nothing of the corpus panics, whatever it is read as.
#[test]
fn corpus() {
    for (name, data) in common::corpus().into_iter().chain(common::ecosystem()) {
        let _ = from_slice::<Vec<Tree>>(&data);
        let _ = from_slice::<HashMap<String, Vec<f64>>>(&data);
        let _ = from_slice::<Bytes>(&data);
        let Ok(graph) = load(&data) else { continue };
        let result = Unpickler::new().read(&graph, |item| {
            let mut open = vec![item];
            let mut steps = 0;
            while let Some(item) = open.pop() {
                steps += 1;
                if steps > 10_000 {
                    break;
                }
                let _ = (item.describe(), item.class(), item.str(), item.bytes(), item.int::<u8>());
                let (Ok(args), Ok(list), Ok(dict)) =
                    (item.args(), item.list_items(), item.dict_items())
                else {
                    continue;
                };
                open.extend(args.chain(list).chain(dict.map(|(_, value)| value)));
                open.extend(item.items().into_iter().flatten());
                open.extend(item.entries().into_iter().flatten().map(|(_, value)| value));
                open.extend(item.state()?.value());
            }
            Ok(())
        });
        assert!(
            result.is_ok()
                || matches!(result, Err(ref e) if matches!(e.kind(), ErrorKind::Limit { .. } | ErrorKind::Cycle)),
            "{name}: {result:?}"
        );
    }
}

/// What the hooks of a hand-written class say, of all kinds.
struct Hand {
    args: Vec<u8>,
    kwargs: Vec<(&'static str, u8)>,
    items: Option<Vec<u8>>,
    entries: Option<Vec<(&'static str, u8)>>,
    state: fn() -> GetState<'static>,
}

/// One class of Python, with these hooks.
macro_rules! hand {
    ($name:ident, $text:literal) => {
        struct $name(Hand);

        impl Class for $name {
            const MODULE: &'static str = "shop";
            const NAME: &'static str = $text;
        }

        impl Reduce for $name {
            fn getnewargs_ex(&self) -> (Vec<Value<'_>>, Vec<(&'static str, Value<'_>)>) {
                let kwargs = self.0.kwargs.iter().map(|(name, it)| (*name, Box::new(it) as Value<'_>));
                (self.0.args.iter().map(|it| Box::new(it) as Value<'_>).collect(), kwargs.collect())
            }

            fn listitems(&self) -> Option<impl Iterator<Item = Value<'_>>> {
                self.0.items.as_ref().map(|items| items.iter().map(|it| Box::new(it) as Value<'_>))
            }

            fn dictitems(&self) -> Option<impl Iterator<Item = (Value<'_>, Value<'_>)>> {
                self.0.entries.as_ref().map(|entries| {
                    entries.iter().map(|(key, value)| (Box::new(key) as Value<'_>, Box::new(value) as _))
                })
            }

            fn getstate(&self) -> GetState<'_> {
                (self.0.state)()
            }
        }

        halfsour::class!($name: write);
    };
}

hand!(HandList, "List");
hand!(HandDict, "Dict");
hand!(HandNewEx, "NewEx");
hand!(HandSlots, "Slots");
hand!(HandState, "State");

/// The bytes are those that Python writes.
#[test]
fn written_hooks() {
    let none = || Hand {
        args: vec![],
        kwargs: vec![],
        items: None,
        entries: None,
        state: || GetState::None,
    };
    let check = |expression: &str, value: &dyn ToPickle, from: u8| {
        for (protocol, expected) in (from..=5).zip(shop(expression, from..=5)) {
            let data = Pickler::new().protocol(protocol).to_vec(value).unwrap();
            assert_eq!(data.escape_ascii().to_string(), expected.escape_ascii().to_string());
        }
    };
    let list = Hand {
        items: Some(vec![1, 2]),
        state: || GetState::Dict(vec![("name", Box::new("n"))]),
        ..none()
    };
    check("make(shop.List, [1, 2], name='n')", &HandList(list), 2);
    let dict = Hand { entries: Some(vec![("key", 1), ("other", 2)]), ..none() };
    check("shop.Dict(key=1, other=2)", &HandDict(dict), 2);
    let new = Hand { args: vec![1], kwargs: vec![("y", 2)], ..none() };
    check("shop.NewEx(1)", &HandNewEx(new), 4);
    let slots = Hand {
        state: || {
            let slots: Vec<(_, Value<'_>)> = vec![("a", Box::new(1)), ("b", Box::new(2))];
            GetState::Slots(vec![("other", Box::new(3))], slots)
        },
        ..none()
    };
    check("make(shop.Slots, a=1, b=2, other=3)", &HandSlots(slots), 2);
    let slots = Hand { state: || GetState::Slots(vec![], vec![("a", Box::new(1))]), ..none() };
    check("make(shop.Slots, a=1)", &HandSlots(slots), 2);
    let state = Hand { state: || GetState::Any(Box::new(("any", "thing", 3))), ..none() };
    check("shop.State()", &HandState(state), 2);
}

/// Long names and long text are looked at once, not by each that refers to them: also where reading fails.
#[test]
fn what_is_long_is_looked_at_once() {
    let accents = "é".repeat(100_000).into_bytes();
    let text = |opcode: u8, text: &[u8]| {
        [&[opcode], &(text.len() as u32).to_le_bytes()[..], text].concat()
    };
    let instances = |name: &[u8]| {
        [b"\x80\x04\x8c\x01m", name, b"\x93\x940(", &b"h\0)\x81".repeat(5_000), b"l."].concat()
    };
    let references =
        |value: &[u8]| [b"\x80\x04", value, b"\x940(", &b"h\0".repeat(5_000), b"l."].concat();
    // Several times: with one more byte, a lone surrogate, or half a character.
    let ends: [&[u8]; 3] = [b"", b"\xed\xa0\x80", b"\xc3"];
    let take = |data: &[u8]| {
        let graph = load(data).unwrap();
        let start = std::time::Instant::now();
        let known = Unpickler::new().read(&graph, |item| {
            let mut known = 0;
            for item in item.items()? {
                known += usize::from(item.class().is_some());
                let _ = (item.describe(), item.name(), item.is::<Bare>());
                let _ = (item.float(), item.borrowed_str(), item.read::<Option<Tree>>());
            }
            Ok(known)
        });
        (start.elapsed(), known.unwrap())
    };
    for (opcode, made) in [(b'X', true), (b'T', true), (b'X', false), (b'T', false)] {
        let make = |value: &[u8]| if made { instances(value) } else { references(value) };
        let (short, known) = take(&make(&text(opcode, b"n")));
        assert_eq!(known, if made { 5_000 } else { 0 });
        for end in ends.into_iter().take(if opcode == b'X' { 2 } else { 3 }) {
            let (long, found) = take(&make(&text(opcode, &[&accents, end].concat())));
            assert_eq!(found, if end.is_empty() { known } else { 0 });
            // Thousands of times, if it were looked at each time.
            assert!(long < 100 * short, "{long:?}, {short:?}");
        }
    }
}

/// The same for names of classes whose instances are read as what they are made of.
#[test]
fn long_names_of_classes_are_looked_at_once() {
    let line = |name: &[u8]| [b"S'", name, b"'\n"].concat();
    let global = |name: &[u8]| [b"\x8c\x01m", &*line(name), b"\x93"].concat();
    // A class in a class in a class...
    let nested = |name: &[u8]| {
        let getattr = [b"cbuiltins\ngetattr\nq\x010", &*line(name), b"q\x020cm\nC\n"].concat();
        [getattr, (0..30).flat_map(|_| *b"q\x030h\x01h\x03h\x02\x86R").collect()].concat()
    };
    let take = |class: &[u8], values: Result<i64, ()>, unpickler: &Unpickler<'_>| {
        let data = [b"\x80\x04", class, b"K\x07\x85\x81q\x090(", &b"h\x09".repeat(5_000), b"l."];
        let data = data.concat();
        let graph = load(&data).unwrap();
        let start = std::time::Instant::now();
        let read = unpickler.read(&graph, |item| {
            Ok(item.items()?.map(|item| item.int().map_err(|_| ())).collect::<Vec<_>>())
        });
        assert_eq!(read.unwrap(), vec![values; 5_000]);
        start.elapsed()
    };
    let long = "é".repeat(100_000).into_bytes();
    let plain = Unpickler::new();
    let renaming = Unpickler::new().alias("m.other", "m", "C");
    for unpickler in [&plain, &renaming] {
        let (short, long) =
            (take(&global(b"n"), Ok(7), unpickler), take(&global(&long), Ok(7), unpickler));
        assert!(long < 100 * short, "{long:?}, {short:?}");
    }
    // No class has such a name.
    let (short, long) = (take(&nested(b"n"), Ok(7), &plain), take(&nested(&long), Err(()), &plain));
    assert!(long < 100 * short, "{long:?}, {short:?}");
}

/// What is borrowed is hashed all the same.
#[test]
fn keys_are_charged() {
    let key =
        [b"X".as_slice(), &(1_u32 << 20).to_le_bytes(), &vec![b'a'; 1 << 20], b"q\0"].concat();
    let dicts = [&b"}"[..], &key, b"K\x01sq\x010(", &b"h\x01".repeat(100_000), b"l."].concat();
    let limit = ErrorKind::Limit { what: "expansion", limit: 16 };
    assert_eq!(from_slice::<Vec<HashMap<&str, u8>>>(&dicts).unwrap_err().kind(), &limit);
    assert_eq!(from_slice::<Vec<BTreeMap<&str, u8>>>(&dicts).unwrap_err().kind(), &limit);
    let sets = [b"\x80\x04\x8f(", &*key, b"\x90q\x010(", &b"h\x01".repeat(100_000), b"l."].concat();
    assert_eq!(from_slice::<Vec<HashSet<&str>>>(&sets).unwrap_err().kind(), &limit);
    assert_eq!(from_slice::<Vec<BTreeSet<&str>>>(&sets).unwrap_err().kind(), &limit);
}

/// Nothing that was changed at random panics, or takes long.
#[test]
fn mutations() {
    let mut random = common::random();
    let mut sources =
        shop("[make(shop.List, [1], name='n'), shop.NewEx(1), shop.Point(1, 2)]", 0..=5);
    sources.extend(dumps("[{1, 2}, frozenset([3]), b'ab', bytearray(b'c'), {'k': (1, 2.5)}]"));
    sources.push(
        b"cshop\nBag\nK\x01\x85}\x8c\x01kK\x02s\x92(K\x03K\x04e(\x8c\x01aK\x05uK\x06K\x07\x86b."
            .to_vec(),
    );
    const OPCODES: &[u8] = b"(.012FIJKLMNQPRSTUVXabcdegihjlopqrstu}]){\x81\x85\x86\x92\x93";
    let mut registry = Registry::new();
    registry.register::<Bag>();
    for round in 0..20_000 {
        let mut data = sources[round % sources.len()].clone();
        for _ in 0..=random(3) {
            let place = random(data.len());
            data[place] = match random(3) {
                0 => random(256) as u8,
                1 => OPCODES[random(OPCODES.len())],
                _ => data[random(data.len())],
            };
        }
        let Ok(graph) = load(&data) else { continue };
        let _ = Unpickler::new().read(&graph, |item| {
            let _ = (item.describe(), item.class(), item.bytes(), item.str());
            for item in item.items()?.chain(item.list_items()?.collect::<Vec<_>>()) {
                let _ = (item.describe(), item.bytes(), item.object(&registry));
                let _ = (item.read::<Tree>(), item.read::<HashMap<String, (f64, f64)>>());
                let _ = (item.args()?.len(), item.kwargs()?.len(), item.state()?.attrs());
            }
            Ok(())
        });
        let _ = from_slice::<Bag>(&data);
    }
}

/// Text and bytes that are shared are copied for each reference: that is charged, too.
#[test]
fn shared_text_is_charged() {
    for opcode in [b'X', b'B'] {
        let mut data = vec![b']', b'(', opcode, 0xa0, 0x86, 0x01, 0];
        data.extend([b'x'; 100_000]);
        data.push(0x94);
        data.extend(b"h\0".repeat(100_000));
        data.extend(b"e.");
        let over = |error: Error| {
            assert_eq!(error.kind(), &ErrorKind::Limit { what: "expansion", limit: 16 });
        };
        match opcode {
            b'X' => {
                over(from_slice::<Vec<String>>(&data).unwrap_err());
                over(from_slice::<Vec<Box<str>>>(&data).unwrap_err());
                // What borrows copies nothing.
                assert_eq!(from_slice::<Vec<&str>>(&data).unwrap().len(), 100_001);
            }
            _ => {
                over(from_slice::<Vec<Vec<u8>>>(&data).unwrap_err());
                over(from_slice::<Vec<halfsour::typed::ByteArray>>(&data).unwrap_err());
                assert_eq!(from_slice::<Vec<&[u8]>>(&data).unwrap().len(), 100_001);
            }
        }
    }
}

/// The offset of the opcode that made the value with a number, of those that `pickletools` counts.
fn offset_of(data: &[u8], wanted: fn(&halfsour::Op<'_>) -> bool, nth: usize) -> u64 {
    let mut reader = halfsour::Reader::new(halfsour::SliceSource::new(data));
    let mut seen = 0;
    loop {
        let start = halfsour::Source::offset(reader.source());
        let op = reader.next().unwrap();
        assert!(op != halfsour::Op::Stop, "not there");
        if wanted(&op) {
            if seen == nth {
                return start;
            }
            seen += 1;
        }
    }
}

#[test]
fn errors_have_a_place_in_the_input() {
    use halfsour::Op;
    type Row = (Option<u8>, u8, Option<u8>);
    for data in dumps("[(None, 1, None), (None, None, None)]") {
        let error = from_slice::<Vec<Row>>(&data).unwrap_err();
        assert_eq!(error.to_string(), "expected an int, found None at root[1][1]");
        assert_eq!(error.offset(), Some(offset_of(&data, |op| *op == Op::None, 3)));
        assert_eq!(error.opcode(), Some(halfsour::Opcode::None));
        // A graph that was read before is as good, also one of several in a file.
        let two = [b"K\x07.".as_slice(), &data].concat();
        let mut reader = halfsour::Reader::new(halfsour::SliceSource::new(&two));
        halfsour::graph::load_next(&mut reader).unwrap();
        let graph = halfsour::graph::load_next(&mut reader).unwrap();
        let second = Unpickler::new().from_graph::<Vec<Row>>(&graph).unwrap_err();
        assert_eq!(second.offset(), error.offset().map(|offset| offset + 3));
        assert_eq!(second.opcode(), error.opcode());
        let streamed = from_reader::<Vec<Row>>(data.as_slice()).unwrap_err();
        assert_eq!(streamed.to_string(), error.to_string());
        assert_eq!((streamed.offset(), streamed.opcode()), (error.offset(), error.opcode()));
    }
    for data in dumps("{'a': [1, 2], 'b': [3, 1.5]}") {
        let error = from_slice::<BTreeMap<String, Vec<u8>>>(&data).unwrap_err();
        assert_eq!(error.to_string(), "expected an int, found a float at root['b'][1]");
        let is_float = |op: &Op<'_>| matches!(op, Op::Float(_) | Op::FloatLine(_));
        assert_eq!(error.offset(), Some(offset_of(&data, is_float, 0)));
    }
    for data in dumps("[(), True, ()]") {
        let error = from_slice::<((), bool, u8)>(&data).unwrap_err();
        assert_eq!(error.to_string(), "expected None, found a tuple at root[0]");
        assert!(matches!(data[error.offset().unwrap() as usize], b')' | b't'));
    }
    // What a type's own code says is about the value that it read.
    #[derive(Debug)]
    struct Even;
    impl FromPickle<'_> for Even {
        fn from_pickle(item: Item<'_, '_>) -> Result<Even, Error> {
            match item.int::<u8>()? % 2 {
                0 => Ok(Even),
                _ => Err(ErrorKind::Custom("odd".into()).into()),
            }
        }
    }
    let error = from_slice::<Vec<Even>>(b"](K\x02K\x04K\x05e.").unwrap_err();
    assert_eq!((&*error.to_string(), error.offset()), ("odd at root[2]", Some(6)));
    // A pickle within a pickle has places of its own.
    #[derive(Debug)]
    struct Inner;
    impl FromPickle<'_> for Inner {
        fn from_pickle(item: Item<'_, '_>) -> Result<Inner, Error> {
            from_slice::<Vec<u8>>(&item.bytes()?).map(|_| Inner)
        }
    }
    let error = from_slice::<(u8, Inner)>(b"K\x01C\x04(Nl.\x86.").unwrap_err();
    assert_eq!(error.to_string(), "expected an int, found None at root[1][0]");
    assert_eq!(error.offset(), Some(1));
    // Of what is read by a function, which may be called but once, a None has no place.
    let graph = load(b"](NK\x01e.").unwrap();
    let unpickler = Unpickler::new();
    let error = unpickler.read(&graph, |item| item.get(0)?.int::<u8>()).unwrap_err();
    assert_eq!(
        (&*error.to_string(), error.offset()),
        ("expected an int, found None at root", None)
    );
    let error = unpickler.read(&graph, |item| item.get(1)?.str().map(|_| ())).unwrap_err();
    assert_eq!(error.offset(), Some(3));
}

/// A buffer that is copied once is no expansion, however large; one that is copied often is.
#[test]
fn buffers_are_charged_by_their_size() {
    let buffer = vec![7; 70_000_000];
    let unpickler = Unpickler::new().buffers(&[&buffer]);
    let Bytes(read) = unpickler.from_slice::<Bytes<Vec<u8>>>(b"\x80\x05\x97.").unwrap();
    assert_eq!(read.len(), buffer.len());
    let often = [b"\x80\x05](\x97\x94".as_slice(), &b"h\0".repeat(100), b"e."].concat();
    let error = unpickler.from_slice::<Vec<Bytes<Vec<u8>>>>(&often).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Limit { what: "expansion", limit: 16 });
}

/// What is in a container from the start, where it is made by a call.
#[test]
fn made_of_what_they_hold() {
    // As Python 2 has them.
    let deque = b"\x80\x02ccollections\ndeque\n](K\x01K\x02e\x85R.";
    assert_eq!(from_slice::<Vec<u8>>(deque).unwrap(), [1, 2]);
    assert_eq!(from_slice::<VecDeque<u8>>(deque).unwrap(), [1, 2]);
    let bounded = b"\x80\x02ccollections\ndeque\n](K\x01K\x02eK\x01\x86R.";
    assert_eq!(from_slice::<Vec<u8>>(bounded).unwrap(), [2]);
    let map = HashMap::from([("a".to_owned(), 1)]);
    let ordered = b"\x80\x02ccollections\nOrderedDict\n](](X\x01\0\0\0aK\x01ee\x85R.";
    assert_eq!(from_slice::<HashMap<String, u8>>(ordered).unwrap(), map);
    let default = b"ccollections\ndefaultdict\nc__builtin__\nint\n}X\x01\0\0\0aK\x01s\x86R.";
    assert_eq!(from_slice::<HashMap<String, u8>>(default).unwrap(), map);
    // Counter(['a', 'a']), OrderedDict(['ab']), OrderedDict(1, 2)
    for data in [
        b"ccollections\nCounter\n](X\x01\0\0\0aX\x01\0\0\0ae\x85R.".as_slice(),
        b"ccollections\nOrderedDict\n]X\x02\0\0\0aba\x85R.",
        b"ccollections\nOrderedDict\nK\x01K\x02\x86R.",
    ] {
        let error = from_slice::<HashMap<String, u8>>(data).unwrap_err().to_string();
        assert!(error.starts_with("expected a dict, found a collections."), "{error}");
    }
}

/// A stream costs no more memory than its pickle may have bytes.
#[test]
fn streams_end_at_the_limit() {
    use std::io::{BufReader, Read, repeat};
    let unpickler = Unpickler::new().limits(Limits::default().bytes(1 << 20));
    for begin in [
        b"I".as_slice(),
        b"P",
        b"c",
        b"X\xff\xff\xff\xff",
        b"B\xff\xff\xff\xff",
        b"\x8d\0\0\0\0\0\x01\0\0",
        b"\x95\0\0\0\0\0\x01\0\0",
        b"\x8b\xff\xff\xff\x7f",
    ] {
        let mut stream = BufReader::new(begin.chain(repeat(b'1').take(1 << 30)));
        let error = unpickler.from_reader::<i64>(&mut stream).unwrap_err();
        assert_eq!(error.to_string(), "more than the limit of 1048576 (bytes)");
        assert!(stream.into_inner().into_inner().1.limit() > (1 << 30) - (3 << 20));
    }
}

/// Where the pickle says what a class derives from, it is that and nothing else.
#[test]
fn subclasses_are_what_they_derive_from() {
    let made = |base: &str, value: &str| {
        format!("ccopy_reg\n_reconstructor\n(cm\nC\nc__builtin__\n{base}\n{value}tR.").into_bytes()
    };
    assert_eq!(from_slice::<u8>(&made("int", "I5\n")).unwrap(), 5);
    for data in [made("int", "I5\n"), made("str", "(I1\nI2\nt"), made("object", "N")] {
        let error = from_slice::<Vec<u8>>(&data).unwrap_err().to_string();
        assert_eq!(error, "expected a list, found a m.C at root");
        assert!(from_slice::<(u8,)>(&data).is_err() && from_slice::<(u8, u8)>(&data).is_err());
    }
    // What builtin classes themselves make of a value: '5', 5
    for data in [
        b"c__builtin__\nstr\nK\x05\x85\x81.".as_slice(),
        b"cbuiltins\nint\nG@\x16\0\0\0\0\0\0\x85\x81.",
    ] {
        assert!(from_slice::<f64>(data).is_err() && from_slice::<i64>(data).is_err());
    }
}
