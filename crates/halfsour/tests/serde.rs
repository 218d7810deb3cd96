//! serde types against Python: what it writes is read here, what is written here is read there.
#![cfg(feature = "serde")]

mod common;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use common::{PACK, pack, python, unpack};
use halfsour::serde::{Deserializer, Instance, Serde, from_graph, from_reader, from_slice, to_vec};
use halfsour::{Error, ErrorKind, Limits, Pickler};
use proptest::prelude::*;
use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Serialize};

/// A module of classes, as programs have them.
const APP: &str = r#"
import sys, types, pickle, collections, enum, dataclasses
app = types.ModuleType('app')
sys.modules['app'] = app
exec('''
import collections, enum, dataclasses
class Point:
    def __init__(self, x, y): self.x, self.y = x, y
@dataclasses.dataclass
class Order:
    id: int
    tags: list
    note: str | None = None
class Slots:
    __slots__ = ("x", "y")
class Both(Slots):
    pass
@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    x: int
    y: int
Pair = collections.namedtuple("Pair", "x y")
class Row(list): pass
class Table(dict): pass
class Word(str): pass
class Count(int): pass
class Bag(set): pass
class Three(tuple): pass
class Ordered(collections.OrderedDict): pass
class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"
class Level(enum.IntEnum):
    LOW = 1
class Named(enum.StrEnum):
    EGG = "egg"
class Stateful:
    def __getstate__(self): return [1, 2]
    def __setstate__(self, state): self.state = state
class Args:
    def __getnewargs__(self): return (7,)
    def __new__(cls, n): return object.__new__(cls)
class Kwargs:
    def __getnewargs_ex__(self): return ((), {"x": 1, "y": 2})
    def __new__(cls, *, x, y): return object.__new__(cls)
class Oops(Exception): pass
class Empty: pass
''', app.__dict__)
"#;

/// Pickles that Python makes of an expression, in all protocols.
fn dumps(expression: &str) -> Vec<Vec<u8>> {
    dumps_from(0, expression)
}

/// Pickles that Python makes of an expression, in all protocols from one on.
fn dumps_from(first: u8, expression: &str) -> Vec<Vec<u8>> {
    let script = format!(
        "{PACK}{APP}\nvalue = eval({expression:?}, globals() | vars(app))\n\
         for protocol in range({first}, 6): emit(pickle.dumps(value, protocol))"
    );
    unpack(&python(&script, b""))
}

/// What the `repr` of pickles is.
fn reprs(pickles: &[Vec<u8>]) -> Vec<String> {
    let script = format!("{PACK}{APP}\nfor data in unpack(): emit(repr(pickle.loads(data)))");
    let texts = unpack(&python(&script, &pack(pickles.iter().map(Vec::as_slice))));
    texts.into_iter().map(|text| String::from_utf8(text).unwrap()).collect()
}

/// Whether what Python makes of an expression is a value here, whatever the protocol.
#[track_caller]
fn reads<T: DeserializeOwned + PartialEq + std::fmt::Debug>(expression: &str, value: &T) {
    for (protocol, data) in dumps(expression).iter().enumerate() {
        let read = from_slice::<T>(data);
        let read = read.unwrap_or_else(|error| panic!("{expression}, {protocol}: {error}"));
        assert_eq!(&read, value, "{expression}, protocol {protocol}");
        assert_eq!(&from_reader::<T>(&data[..]).unwrap(), value);
    }
}

/// What is wrong with reading what Python makes of an expression.
#[track_caller]
fn fails<T: DeserializeOwned + std::fmt::Debug>(expression: &str, text: &str) {
    for data in dumps(expression) {
        assert_eq!(from_slice::<T>(&data).unwrap_err().to_string(), text, "{expression}");
    }
}

/// Whether a value is what `repr` says in Python, and comes back, whatever the protocol.
#[track_caller]
fn round_trips<T>(value: &T, repr: &str)
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let pickles: Vec<Vec<u8>> = (0..=5)
        .map(|protocol| Pickler::new().protocol(protocol).to_vec(&Serde(value)).unwrap())
        .collect();
    for (protocol, (data, shown)) in pickles.iter().zip(reprs(&pickles)).enumerate() {
        assert_eq!(shown, repr, "protocol {protocol}");
        assert_eq!(&from_slice::<T>(data).unwrap(), value, "protocol {protocol}");
    }
    reads(repr, value);
}

#[derive(Serialize, Deserialize, PartialEq, Debug, Default, Clone)]
struct Point<T = i32> {
    x: T,
    y: T,
}

#[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
struct Order {
    id: u64,
    tags: Vec<String>,
    #[serde(default)]
    note: Option<String>,
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Unit;

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Newtype(u8);

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Two(u8, String);

#[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
enum Shape {
    Dot,
    Circle(f64),
    Line(i32, i32),
    Box { w: u8, h: u8 },
}

/// `bytes` as serde has them.
#[derive(PartialEq, Debug)]
struct Blob(Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Blob, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Blob;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Visitor)
    }
}

#[test]
fn plain_values_round_trip() {
    round_trips(&(), "None");
    round_trips(&Unit, "None");
    round_trips(&Newtype(7), "7");
    round_trips(&Two(7, "spam".into()), "(7, 'spam')");
    round_trips(
        &(true, 1_i8, -70_000_i64, u64::MAX, i128::MIN, u128::MAX),
        &format!("(True, 1, -70000, {}, {}, {})", u64::MAX, i128::MIN, u128::MAX,),
    );
    round_trips(
        &(1.5_f64, -0.0_f32, f64::MAX, 'ä', "sp\u{e4}\n\\\u{1f40d}".to_string()),
        &format!("(1.5, -0.0, {}, 'ä', 'sp\u{e4}\\n\\\\\u{1f40d}')", "1.7976931348623157e+308",),
    );
    round_trips(&vec![Some(1), None, Some(3)], "[1, None, 3]");
    round_trips(&[1, 2, 3, 4], "(1, 2, 3, 4)");
    round_trips(
        &(0..2500).collect::<Vec<u16>>(),
        &format!("{:?}", (0..2500).collect::<Vec<u16>>()),
    );
    round_trips(&Blob(b"a\xff\0".to_vec()), "b'a\\xff\\x00'");
    round_trips(&Blob(Vec::new()), "b''");
    round_trips(&BTreeMap::from([((1, "a".to_string()), 2)]), "{(1, 'a'): 2}");
    round_trips(&BTreeMap::from([(Point { x: 1, y: 2 }.x, 'b')]), "{1: 'b'}");
    round_trips(
        &vec![Point { x: 1, y: 2 }, Point { x: 3, y: 4 }],
        "[{'x': 1, 'y': 2}, {'x': 3, 'y': 4}]",
    );
    let order = Order { id: 5, tags: vec!["new".into()], note: None };
    round_trips(&order, "{'id': 5, 'tags': ['new'], 'note': None}");
    round_trips(
        &[Shape::Dot, Shape::Circle(0.5), Shape::Line(1, 2), Shape::Box { w: 3, h: 4 }].to_vec(),
        "['Dot', {'Circle': 0.5}, {'Line': (1, 2)}, {'Box': {'w': 3, 'h': 4}}]",
    );
}

#[test]
fn python_s_containers_are_read() {
    reads("{1}", &BTreeSet::from([1]));
    reads("frozenset([1])", &BTreeSet::from([1]));
    reads("set()", &Vec::<u8>::new());
    reads("collections.deque([1, 2])", &vec![1, 2]);
    reads("collections.deque([1, 2], 5)", &vec![1, 2]);
    reads("collections.deque()", &Vec::<u8>::new());
    let map = BTreeMap::from([("a".to_string(), 1), ("b".to_string(), 2)]);
    reads("collections.OrderedDict(a=1, b=2)", &map);
    reads("collections.Counter('abb')", &map);
    reads("collections.defaultdict(int, a=1, b=2)", &map);
    reads("Table(a=1, b=2)", &map);
    reads("Ordered(a=1, b=2)", &map);
    reads("collections.OrderedDict()", &BTreeMap::<u8, u8>::new());
    reads("collections.OrderedDict(x=1, y=2)", &Point { x: 1, y: 2 });
    reads("[bytearray(b'a\\xff'), bytearray()]", &vec![Blob(b"a\xff".into()), Blob(Vec::new())]);
    reads("[b'ab', b'', bytearray(b'\\x01')]", &vec![b"ab".to_vec(), Vec::new(), vec![1]]);
    reads("[1, 2.5, 10**20, 2**64]", &vec![1.0, 2.5, 1e20, 18_446_744_073_709_551_616.0]);
    reads("[1.0]", &[1.0_f32].to_vec());
    // What Python 2 wrote.
    let data = b"ccollections\nOrderedDict\n((lp0\n(lp1\nS'a'\naI1\naatR.";
    assert_eq!(from_slice::<BTreeMap<&str, u8>>(data).unwrap(), BTreeMap::from([("a", 1)]));
    assert_eq!(from_slice::<Blob>(b"S'\\xff'\n.").unwrap(), Blob(vec![0xff]));
    assert_eq!(from_slice::<String>(b"S'spam'\n.").unwrap(), "spam");
    let error = from_slice::<String>(b"S'\\xff'\n.").unwrap_err();
    assert_eq!(error.to_string(), "expected a string, found a str of Python 2 at root");
}

#[test]
fn instances_are_their_state() {
    let point = Point { x: 1, y: 2 };
    reads("Point(1, 2)", &point);
    reads("Frozen(1, 2)", &point);
    reads("Pair(1, 2)", &point);
    reads("Pair(1, 2)", &(1, 2));
    reads("Pair(1, 2)", &vec![1, 2]);
    // Protocols 0 and 1 forget arguments of `__new__`.
    for data in &dumps_from(2, "Kwargs(x=1, y=2)") {
        assert_eq!(from_slice::<Point>(data).unwrap(), point);
    }
    for data in &dumps_from(2, "Args(7)") {
        assert_eq!(from_slice::<(u8,)>(data).unwrap(), (7,));
    }
    let slots = "setattr(o := Slots.__new__(Slots), 'x', 1) or setattr(o, 'y', 2) or o";
    let both = slots.replace("Slots", "Both");
    let mixed = format!("({both}, setattr(o, 'y', 2), setattr(o, 'z', 3))[0]");
    for data in &dumps_from(2, slots) {
        assert_eq!(from_slice::<Point>(data).unwrap(), point);
    }
    for data in &dumps_from(2, &mixed) {
        let map = BTreeMap::from([("x", 1), ("y", 2), ("z", 3)]);
        assert_eq!(from_slice::<BTreeMap<&str, u8>>(data).unwrap(), map);
    }
    reads("Order(5, ['new'])", &Order { id: 5, tags: vec!["new".into()], note: None });
    reads("Row([1, 2])", &vec![1, 2]);
    reads("Row()", &Vec::<u8>::new());
    // A call of a class that takes a list; the list may be anything to it.
    reads(
        "Bag([1])",
        &Instance { module: "app".into(), name: "Bag".into(), value: (BTreeSet::from([1]),) },
    );
    fails::<Untagged>(
        "Bag([1])",
        "expected any value, found a call of app.Bag, which is not run at root",
    );
    fails::<Vec<u8>>(
        "Bag([1])",
        "expected a sequence, found a call of app.Bag, which is not run at root",
    );
    fails::<HashMap<u8, u8>>(
        "Bag([1])",
        "expected a map, found a call of app.Bag, which is not run at root",
    );
    reads("Three((1, 2))", &(1, 2));
    reads("Three((1, 2))", &vec![1, 2]);
    reads("Word('spam')", &"spam".to_string());
    reads("Count(5)", &5_u8);
    // Members of enums are calls, and calls may be of anything.
    if common::version() >= (11, 4) {
        fails::<Untagged>(
            "Level.LOW",
            "expected any value, found a call of app.Level, which is not run at root",
        );
        fails::<u8>(
            "Level.LOW",
            "expected u8, found a call of app.Level, which is not run at root",
        );
        fails::<String>(
            "Named.EGG",
            "expected a string, found a call of app.Named, which is not run at root",
        );
        let level = Instance { module: "app".into(), name: "Level".into(), value: 1_u8 };
        reads("Level.LOW", &level);
    }
    fails::<String>(
        "Oops('x')",
        "expected a string, found a call of app.Oops, which is not run at root",
    );
    // A state and a value: neither alone is what it is.
    for (expression, class) in
        [("Word('x')", "Word"), ("Count(5)", "Count"), ("Three((1, 2))", "Three")]
    {
        let both = format!("setattr(o := {expression}, 'x', 1) or setattr(o, 'y', 2) or o");
        let what = format!("an instance of app.{class}");
        fails::<String>(&both, &format!("expected a string, found {what} at root"));
        fails::<u8>(&both, &format!("expected u8, found {what} at root"));
        fails::<Vec<u8>>(&both, &format!("expected a sequence, found {what} at root"));
        fails::<Untagged>(&both, &format!("{what} has a state, and a value besides at root"));
        reads(&both, &point);
    }
    // Python 2's classic classes derive from nothing.
    let data = b"(I5\nim\nfoo\n.";
    let found = "found an instance of m.foo at root";
    let error = |error: halfsour::Error| error.to_string();
    assert_eq!(from_slice::<u8>(data).map_err(error), Err(format!("expected u8, {found}")));
    assert_eq!(
        from_slice::<(u8,)>(data).map_err(error),
        Err(format!("expected a tuple of size 1, {found}"))
    );
    assert_eq!(
        from_slice::<Untagged>(data).map_err(error),
        Err(format!("expected any value, {found}"))
    );
    fails::<u8>("Count(300)", "expected u8, found the int 300 in an instance of app.Count at root");
    fails::<u8>("Word('x')", "expected u8, found a str in an instance of app.Word at root");
    reads("Stateful()", &(1, 2));
    reads("Empty()", &HashMap::<String, u8>::new());
    let row = "setattr(o := Row([1, 2]), 'x', 1) or setattr(o, 'y', 2) or o";
    reads(row, &vec![1, 2]);
    reads(row, &point);
    let table = "setattr(o := Table(a=3), 'x', 1) or setattr(o, 'y', 2) or o";
    reads(table, &BTreeMap::from([("a".to_string(), 3)]));
    reads(table, &point);
    // The same instance twice is the same value twice.
    reads("[o := Point(1, 2), o]", &vec![point.clone(), point]);
}

#[test]
fn members_of_enums_are_unit_variants() {
    #[derive(Deserialize, PartialEq, Debug)]
    enum Color {
        #[serde(rename = "red", alias = "RED")]
        Red,
        #[serde(rename = "blue", alias = "BLUE")]
        Blue,
    }
    reads("[Color.RED, Color.BLUE]", &vec![Color::Red, Color::Blue]);
    let color: Color = from_slice(b"capp\nColor.RED\n.").unwrap();
    assert_eq!(color, Color::Red);
    let error = from_slice::<Color>(b"\x80\x04\x8c\x05green.").unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown variant `green`, expected one of `RED`, `red`, `BLUE`, `blue` at root"
    );
}

#[test]
fn classes_show_their_names() {
    let point = |name: &str| Instance {
        module: "app".into(),
        name: name.into(),
        value: Point { x: 1, y: 2 },
    };
    reads("Point(1, 2)", &point("Point"));
    reads("Pair(1, 2)", &point("Pair"));
    reads("Empty()", &Instance { module: "app".into(), name: "Empty".into(), value: () });
    let data = b"cdecimal\nDecimal\n\x8c\x031.5\x85R.";
    let decimal: Instance<(&str,)> = from_slice(data).unwrap();
    assert_eq!((decimal.name.as_str(), decimal.value.0), ("Decimal", "1.5"));

    let instances = (
        point("Point"),
        Instance { module: "app".to_string(), name: "Empty".to_string(), value: () },
    );
    let script = format!(
        "{PACK}{APP}\nfor data in unpack():\n    a, b = pickle.loads(data)\n    \
         emit(repr((type(a), vars(a), type(b), vars(b))))"
    );
    for protocol in 0..=5 {
        let data = Pickler::new().protocol(protocol).to_vec(&Serde(&instances)).unwrap();
        let text = unpack(&python(&script, &pack([&data[..]]))).remove(0);
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "(<class 'app.Point'>, {'x': 1, 'y': 2}, <class 'app.Empty'>, {})"
        );
        let read: (Instance<Point>, Instance<()>) = from_slice(&data).unwrap();
        assert_eq!(read, instances);
    }
    fails::<Instance<()>>("5", "expected an instance, found an int at root");
}

#[test]
fn what_is_no_data_is_refused_by_name() {
    fails::<Point>("Empty()", "x is missing at root");
    let map = from_slice::<HashMap<String, u8>>;
    let any = from_slice::<Untagged>;
    for (data, found) in [
        (&b"capp\nPoint\n."[..], "the global app.Point"),
        (b"\x80\x02\x82\x05.", "the extension 5"),
        (b"\x80\x02K\x07Q.", "the persistent id 7"),
        (b"cos\ngetcwd\n)R.", "a call of os.getcwd, which is not run"),
        (b"cdecimal\nDecimal\n\x8c\x011\x85R.", "a call of decimal.Decimal, which is not run"),
    ] {
        let error = map(data).unwrap_err();
        assert_eq!(error.to_string(), format!("expected a map, found {found} at root"));
        any(data).unwrap_err();
        from_slice::<Option<u8>>(data).unwrap_err();
        from_slice::<String>(data).unwrap_err();
        from_slice::<Vec<u8>>(data).unwrap_err();
        from_slice::<()>(data).unwrap_err();
    }
    let error = map(b"capp\nPoint\nK\x01\x85\x81.").unwrap_err();
    assert_eq!(error.to_string(), "expected a map, found an instance of app.Point at root");
    let error = map(b"capp\nPoint\n)\x81}b}b.").unwrap_err();
    assert_eq!(error.to_string(), "an instance of app.Point has several states at root");
}

#[test]
fn text_is_borrowed_where_it_can_be() {
    #[derive(Deserialize)]
    struct Borrowed<'a> {
        #[serde(borrow)]
        text: &'a str,
        data: &'a [u8],
        word: &'a str,
    }
    for data in &dumps_from(3, "{'text': 'spam', 'data': b'eggs', 'word': Word('ham')}") {
        let range = data.as_ptr_range();
        let inside = |part: &[u8]| range.contains(&part.as_ptr());
        let value: Borrowed<'_> = from_slice(data).unwrap();
        assert_eq!((value.text, value.data, value.word), ("spam", &b"eggs"[..], "ham"));
        assert!(inside(value.text.as_bytes()) && inside(value.data));
        assert!(inside(value.word.as_bytes()));
        let names: HashMap<&str, serde::de::IgnoredAny> = from_slice(data).unwrap();
        assert!(names.keys().all(|name| inside(name.as_bytes())));
    }
    // Escapes are read into a copy.
    let error = from_slice::<&str>(b"V\\u00e4\n.").unwrap_err();
    assert_eq!(error.to_string(), "expected a borrowed string, found the str 'ä' at root");
    assert_eq!(from_slice::<String>(b"V\\u00e4\n.").unwrap(), "ä");
}

#[test]
fn lone_surrogates_are_bytes_alone() {
    fails::<Vec<String>>(
        r"['\udc80']",
        "expected a string, found a str with lone surrogates at root[0]",
    );
    reads(r"'a\udc80'", &Blob(b"a\xed\xb2\x80".to_vec()));
}

#[test]
fn faults_are_placed() {
    #[derive(Deserialize, Debug)]
    struct Customer {
        #[allow(dead_code)]
        tags: HashMap<String, Vec<u8>>,
    }
    fails::<Vec<Customer>>(
        "[{'tags': {}}, {'tags': {'x': [1, 300]}}]",
        "expected u8, found the int 300 at root[1]['tags']['x'][1]",
    );
    fails::<Point<String>>("Point('a', 2)", "expected a string, found an int at root.y");
    fails::<HashMap<(u8, u8), u8>>(
        "{(1, 'a'): 2}",
        "expected u8, found a str at root.keys()[(1, 'a')][1]",
    );
    fails::<HashMap<(u8, String), u8>>(
        "{(1, 'a'): 'x'}",
        "expected u8, found a str at root[(1, 'a')]",
    );
    fails::<Vec<Shape>>("[{'Circle': 'x'}]", "expected f64, found a str at root[0]['Circle']");
    fails::<Vec<Shape>>(
        "[{'Cube': 'x'}]",
        "unknown variant `Cube`, expected one of `Dot`, `Circle`, `Line`, `Box` \
         at root[0].keys()['Cube']",
    );
    fails::<Shape>("{'Circle': 1, 'Dot': None}", "expected enum Shape, found a dict at root");
    fails::<Point>("{'x': 1}", "y is missing at root");
    fails::<(u8, u8)>("(1,)", "expected a tuple of size 2, found 1 items at root");
    fails::<(u8, u8)>("(1, 2, 3)", "expected 2 items, found 3 items at root");
    fails::<u8>("True", "expected u8, found a bool at root");
    fails::<bool>("1", "expected a boolean, found an int at root");
    fails::<u8>("1.0", "expected u8, found a float at root");
    fails::<f64>(
        "2**53 + 1",
        "expected an int that a float can be, found the int 9007199254740993 at root",
    );
    fails::<f32>("1e300", "expected f32, found the float 1e300 at root");
    assert_eq!(from_slice::<f32>(b"G\x7f\xf0\0\0\0\0\0\0.").unwrap(), f32::INFINITY);
    fails::<u8>("None", "expected u8, found None at root");
    fails::<u8>("-1", "expected u8, found the int -1 at root");
    fails::<i64>("2**63", "expected i64, found the int 9223372036854775808 at root");
    fails::<u128>("2**128", "expected u128, found an int of 17 bytes at root");
    fails::<i128>("2**200", "expected i128, found an int of 26 bytes at root");
    fails::<String>("b'x'", "expected a string, found bytes at root");
    fails::<HashMap<u8, u8>>("[1]", "expected a map, found a list at root");
    fails::<Vec<u8>>("{1: 2}", "expected a sequence, found a dict at root");
    let error = from_slice::<Point>(b"}U\x01x").unwrap_err();
    assert!(error.is_eof());
}

/// However long a name in the pickle is.
#[test]
fn faults_are_short() {
    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Strict {
        x: u8,
    }
    let long = "ü".repeat(1 << 20);
    let cut = |what: &str| format!("{}...", what.repeat(200));
    let text = "x".repeat(1 << 20);
    let fault = |data: String, read: fn(&[u8]) -> Error| read(data.as_bytes()).to_string();
    let strict = |data: &[u8]| from_slice::<Strict>(data).unwrap_err();
    let enumeration = |data: &[u8]| from_slice::<Shape>(data).unwrap_err();
    let map = |data: &[u8]| from_slice::<BTreeMap<String, u8>>(data).unwrap_err();
    let error = fault(format!("(c{long}\n{long}\no."), strict);
    assert_eq!(error, "x is missing at root");
    let error = fault(format!("c{long}\n{long}\n."), strict);
    assert_eq!(error, format!("expected struct Strict, found the global {} at root", cut("ü")));
    let error = fault(format!("(V{text}\nNd."), strict);
    assert!(error.starts_with(&format!("unknown field `{}`, expected `x`", cut("x"))), "{error}");
    let error = fault(format!("V{text}\n."), enumeration);
    assert!(error.starts_with(&format!("unknown variant `{}`, expected", cut("x"))), "{error}");
    let error = fault(format!("(capp\nA\no(V{text}\nNdb."), map);
    assert_eq!(error, format!("expected u8, found None at root.{}", cut("x")));
}

#[test]
fn fields_may_be_missing_or_unknown() {
    #[derive(Deserialize, Debug, PartialEq, Default)]
    #[serde(default, deny_unknown_fields)]
    struct Strict {
        x: u8,
        z: Option<u8>,
    }
    reads("{'x': 1}", &Strict { x: 1, z: None });
    reads("{}", &Strict { x: 0, z: None });
    fails::<Strict>("{'y': 1}", "unknown field `y`, expected `x` or `z` at root.keys()['y']");
    fails::<Strict>("{0: 1}", "unknown field `0`, expected `x` or `z` at root.keys()[0]");
    reads("{'x': 1, 'y': 2, 'z': 3, 0: 9, (1, 2): 3, None: 4}", &Point { x: 1, y: 2 });
}

#[derive(Deserialize, Serialize, PartialEq, Debug, Clone)]
#[serde(untagged)]
enum Untagged {
    Int(i64),
    Float(f64),
    Text(String),
    Point { x: i32, y: i32 },
    Pair(bool, Option<u8>),
    Many(Vec<Untagged>),
    Map(BTreeMap<String, Untagged>),
}

#[test]
fn types_that_ask_for_anything_work() {
    reads(
        "[-1, 1.5, 'a', Point(1, 2), (True, None), [], {'a': 1}, Row([1, 2, 3])]",
        &vec![
            Untagged::Int(-1),
            Untagged::Float(1.5),
            Untagged::Text("a".into()),
            Untagged::Point { x: 1, y: 2 },
            Untagged::Pair(true, None),
            Untagged::Many(Vec::new()),
            Untagged::Map(BTreeMap::from([("a".into(), Untagged::Int(1))])),
            Untagged::Many(vec![Untagged::Int(1), Untagged::Int(2), Untagged::Int(3)]),
        ],
    );
    #[derive(Deserialize, Serialize, PartialEq, Debug)]
    struct Flat {
        id: u8,
        #[serde(flatten)]
        point: Point,
        #[serde(flatten)]
        rest: BTreeMap<String, u8>,
    }
    let flat = Flat { id: 1, point: Point { x: 2, y: 3 }, rest: BTreeMap::from([("a".into(), 4)]) };
    round_trips(&flat, "{'id': 1, 'x': 2, 'y': 3, 'a': 4}");
    #[derive(Deserialize, Serialize, PartialEq, Debug)]
    #[serde(tag = "kind")]
    enum Tagged {
        A { x: u8 },
        B(Point),
    }
    round_trips(&Tagged::A { x: 1 }, "{'kind': 'A', 'x': 1}");
    round_trips(&Tagged::B(Point { x: 1, y: 2 }), "{'kind': 'B', 'x': 1, 'y': 2}");
    #[derive(Deserialize, Serialize, PartialEq, Debug)]
    #[serde(tag = "kind", content = "value")]
    enum Adjacent {
        A(u8, u8),
    }
    round_trips(&Adjacent::A(1, 2), "{'kind': 'A', 'value': (1, 2)}");
}

/// A list in which each item is the list before, twice.
fn laughs(levels: usize) -> Vec<u8> {
    let mut data = b"\x80\x02K\x01".to_vec();
    for _ in 0..levels {
        data.extend(b"q\0h\0\x86");
    }
    data.push(b'.');
    data
}

#[derive(Deserialize, Debug)]
#[serde(untagged)]
#[allow(dead_code)]
enum Tree {
    Leaf(u8),
    Node(Vec<Tree>),
}

#[derive(Debug)]
struct Deep;

impl<'de> Deserialize<'de> for Deep {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Deep, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Deep;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("anything")
            }
            fn visit_u64<E>(self, _: u64) -> Result<Deep, E> {
                Ok(Deep)
            }
            fn visit_str<E>(self, _: &str) -> Result<Deep, E> {
                Ok(Deep)
            }
            fn visit_unit<E>(self) -> Result<Deep, E> {
                Ok(Deep)
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut a: A) -> Result<Deep, A::Error> {
                while a.next_element::<Deep>()?.is_some() {}
                Ok(Deep)
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut a: A) -> Result<Deep, A::Error> {
                while a.next_entry::<Deep, Deep>()?.is_some() {}
                Ok(Deep)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

fn kind<T: std::fmt::Debug>(result: Result<T, Error>) -> ErrorKind {
    result.unwrap_err().kind().clone()
}

#[test]
fn shared_data_costs_no_more_than_allowed() {
    let start = std::time::Instant::now();
    let data = laughs(100);
    let limit = ErrorKind::Limit { what: "expansion", limit: 16 };
    assert_eq!(kind(from_slice::<Deep>(&data)), limit);
    assert_eq!(kind(from_slice::<Tree>(&data)), limit);
    from_slice::<Deep>(&laughs(10)).unwrap();
    // A million references to a text of a megabyte.
    let mut data = b"\x80\x04\x8d\0\0\x10\0\0\0\0\0".to_vec();
    data.resize(data.len() + (1 << 20), b'x');
    data.extend(b"\x940](");
    data.extend(b"h\0".repeat(1_000_000));
    data.extend(b"e.");
    assert_eq!(kind(from_slice::<Vec<String>>(&data)), limit);
    // Many references to an object to which much is done, of which little is asked for.
    let mut data = b"capp\nA\n)\x81q\0(".to_vec();
    data.extend(b"N".repeat(1_000_000));
    data.extend(b"e}U\x01xK\x01sb0](");
    data.extend(b"h\0".repeat(1_000_000));
    data.extend(b"e.");
    #[derive(Deserialize, Debug)]
    #[allow(dead_code)]
    struct X {
        x: u8,
    }
    assert_eq!(kind(from_slice::<Vec<X>>(&data)), limit);
    // And to a class whose name is long.
    let mut data = b"c".to_vec();
    data.resize(1 << 20, b'x');
    data.extend(b"\nA\n)\x81q\x000](");
    data.extend(b"h\0".repeat(1_000_000));
    data.extend(b"e.");
    assert_eq!(kind(from_slice::<Vec<Instance<()>>>(&data)), limit);
    // What is large by itself is no expansion.
    let mut data = b"\x80\x04B\0\0\0\x08".to_vec();
    data.resize(data.len() + (8 << 24), 7);
    data.push(b'.');
    assert_eq!(from_slice::<&[u8]>(&data).unwrap().len(), 8 << 24);
    assert_eq!(from_slice::<Blob>(&data).unwrap().0.len(), 8 << 24);
    assert!(start.elapsed().as_secs() < 120);
}

#[test]
fn cycles_and_depth_are_errors() {
    for (data, path) in [
        (&b"]q\0h\0a."[..], "root[0]"),
        (b"}q\0U\x01ah\0s.", "root['a']"),
        (b"]q\0]h\0aa.", "root[0][0]"),
        (b"capp\nA\n)\x81q\0}U\x01ah\0sb.", "root.a"),
        (b"capp\nA\n)\x81q\0h\0b.", "root"),
        (b"capp\nA\n)\x81q\0]h\0ab.", "root[0]"),
        (b"capp\nA\n)\x81q\0h\0a.", "root[0]"),
        (b"](K\x01]q\0]h\0aae.", "root[1][0][0]"),
    ] {
        let error = from_slice::<Deep>(data).unwrap_err();
        assert_eq!((error.kind(), &*error.path().to_string()), (&ErrorKind::Cycle, path));
    }
    let limit = |limit| ErrorKind::Limit { what: "depth", limit };
    let nested = |depth: usize| {
        let mut data = b"]".repeat(depth);
        data.extend(b"a".repeat(depth - 1));
        data.push(b'.');
        data
    };
    assert_eq!(kind(from_slice::<Deep>(&nested(100_000))), limit(128));
    assert_eq!(kind(from_slice::<Deep>(&nested(129))), limit(128));
    from_slice::<Deep>(&nested(128)).unwrap();
    from_slice::<Tree>(&nested(100)).unwrap();
    let mut data = b"capp\nA\nq\0".to_vec();
    data.extend(b"h\0)\x81".repeat(100_000));
    data.extend(b"b".repeat(99_999));
    data.push(b'.');
    assert_eq!(kind(from_slice::<Deep>(&data)), limit(128));
    assert_eq!(kind(from_slice::<String>(&data)), limit(128));
    assert_eq!(kind(from_slice::<HashMap<String, u8>>(&data)), limit(128));

    let data = nested(20);
    let graph = halfsour::load(&data).unwrap();
    let with =
        |depth| Deserializer::new(&graph, graph.root()).limits(Limits::default().depth(depth));
    assert_eq!(kind(Deep::deserialize(&mut with(19))), limit(19));
    Deep::deserialize(&mut with(20)).unwrap();
    // What failed can be read again.
    let mut shallow = with(19);
    Deep::deserialize(&mut shallow).unwrap_err();
    serde::de::IgnoredAny::deserialize(&mut shallow).unwrap();
    from_graph::<Deep>(&graph).unwrap();

    /// A type that holds itself, with nothing between.
    #[derive(Deserialize, Debug)]
    #[allow(dead_code)]
    struct Endless(Option<Box<Endless>>);
    assert_eq!(kind(from_slice::<Endless>(b"K\x01.")), limit(128));

    /// The same, and serde does not even tell of the newtype.
    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Quiet(Option<Box<Quiet>>);
    #[derive(Serialize)]
    struct Loud(Option<Box<Loud>>);
    /// One that asks again and again which class it is.
    #[derive(Deserialize)]
    #[serde(transparent)]
    #[allow(dead_code)]
    struct Classes(Instance<Box<Classes>>);
    common::with_small_stack(move || {
        assert_eq!(kind(from_slice::<Quiet>(b"K\x01.").map(drop)), limit(128));
        assert_eq!(kind(from_slice::<Classes>(b"capp\nA\n)\x81.").map(drop)), limit(128));
        // Dropping these would recurse.
        let quiet = (0..100_000).fold(Quiet(None), |inner, _| Quiet(Some(Box::new(inner))));
        assert_eq!(kind(to_vec(&*std::mem::ManuallyDrop::new(quiet))), limit(128));
        let loud = (0..100_000).fold(Loud(None), |inner, _| Loud(Some(Box::new(inner))));
        assert_eq!(kind(to_vec(&*std::mem::ManuallyDrop::new(loud))), limit(128));
        to_vec(&(0..64).fold(Loud(None), |inner, _| Loud(Some(Box::new(inner))))).unwrap();
    });

    // An instance is as deep as its state, both ways.
    #[derive(Serialize, Deserialize)]
    struct States(Vec<Instance<States>>);
    let states = |depth| {
        let instance = |value| Instance { module: "m".into(), name: "C".into(), value };
        (1..depth).fold(States(vec![]), |inner, _| States(vec![instance(inner)]))
    };
    let data = to_vec(&states(128)).unwrap();
    assert!(from_slice::<States>(&data).is_ok());
    assert_eq!(kind(to_vec(&states(129))), limit(128));
    let deeper = halfsour::Pickler::new().limits(Limits::default().depth(1000));
    let data = { deeper }.to_vec(&halfsour::serde::Serde(states(129))).unwrap();
    assert_eq!(kind(from_slice::<States>(&data).map(drop)), limit(128));

    #[derive(Serialize, Default)]
    struct Chain(Vec<Chain>);
    let chain = (0..200).fold(Chain::default(), |chain, _| Chain(vec![chain]));
    assert_eq!(kind(to_vec(&chain)), limit(128));
}

#[test]
fn writing_says_where() {
    #[derive(Serialize)]
    struct Outer {
        map: BTreeMap<String, Vec<Fails>>,
    }
    struct Fails;
    impl Serialize for Fails {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no"))
        }
    }
    let error = to_vec(&Outer { map: BTreeMap::from([("a".into(), vec![Fails])]) }).unwrap_err();
    assert_eq!(error.to_string(), "no at root['map']['a'][0]");
}

/// Files are as CPython's: byte for byte, where strings are shared likewise.
#[test]
fn bytes_are_those_of_python() {
    let points: Vec<Point> = (0..2500).map(|n| Point { x: n, y: -n }).collect();
    let script = format!(
        "{PACK}{APP}\nvalue = [{{'x': n, 'y': -n}} for n in range(2500)]\n\
         for protocol in range(6): emit(pickle.dumps(value, protocol))"
    );
    let trims = common::version() >= (15, 0);
    for (protocol, data) in unpack(&python(&script, b"")).into_iter().enumerate() {
        let mut pickler = Pickler::new().protocol(protocol as u8).trim_batches(trims);
        assert_eq!(pickler.to_vec(&Serde(&points)).unwrap(), data, "protocol {protocol}");
    }
}

#[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
enum Any {
    Null,
    Bool(bool),
    Int(i64),
    Wide(i128),
    Float(f64),
    Text(String),
    Pair(Box<Any>, Box<Any>),
    Named { left: Box<Any>, right: Option<Box<Any>> },
    List(Vec<Any>),
    Map(BTreeMap<String, Any>),
}

fn any() -> impl Strategy<Value = Any> {
    let leaf = prop_oneof![
        Just(Any::Null),
        any_of::<bool>().prop_map(Any::Bool),
        any_of::<i64>().prop_map(Any::Int),
        any_of::<i128>().prop_map(Any::Wide),
        (-1e300..1e300).prop_map(Any::Float),
        ".*".prop_map(Any::Text),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        prop_oneof![
            (boxed.clone(), boxed.clone()).prop_map(|(one, two)| Any::Pair(one, two)),
            (boxed.clone(), proptest::option::of(boxed))
                .prop_map(|(left, right)| Any::Named { left, right }),
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Any::List),
            proptest::collection::btree_map(".*", inner, 0..8).prop_map(Any::Map),
        ]
    })
}

use proptest::arbitrary::any as any_of;

proptest! {
    #[test]
    fn recursive_types_round_trip(value in any(), protocol in 0_u8..=5) {
        let data = Pickler::new().protocol(protocol).to_vec(&Serde(&value)).unwrap();
        prop_assert_eq!(from_slice::<Any>(&data).unwrap(), value);
    }

    #[test]
    fn broken_pickles_are_errors(mut data in proptest::collection::vec(any_of::<u8>(), 0..200)) {
        data.push(b'.');
        let _ = from_slice::<Any>(&data);
        let _ = from_slice::<Deep>(&data);
        let _ = from_slice::<Point>(&data);
    }
}

/// Values are written as they were read, and Python sees no difference.
#[test]
fn values_are_written_back() {
    use halfsour::serde::Value;
    let expression = "[None, True, -1, 2**70, 1.5, 'a', b'ab', bytearray(b'b'), (1,), [2], {3}, \
                      frozenset([4]), {5: 'x', 'y': 6}, Point(1, 2), Pair(1, 2), Row([1, 2]), \
                      Table(a=1), Color.RED, collections.OrderedDict(a=1), Empty, Word('w')]";
    let pickles = dumps(expression);
    let value = |data: &[u8]| halfsour::load(data).unwrap().to_value().unwrap();
    let script = format!(
        "{PACK}{APP}\nfor data in unpack():\n    for x in pickle.loads(data): \
         emit(repr((type(x).__name__, x if not isinstance(x, app.Point) else vars(x))))"
    );
    let shown =
        |pickles: &[Vec<u8>]| unpack(&python(&script, &pack(pickles.iter().map(Vec::as_slice))));
    let mut written = Vec::new();
    for (protocol, data) in pickles.iter().enumerate() {
        let tree = value(data);
        let data = Pickler::new().protocol(protocol as u8).to_vec(&tree).unwrap();
        assert_eq!(value(&data), tree, "protocol {protocol}");
        written.push(data);
    }
    // The address of an instance is in its repr.
    assert_eq!(shown(&written).len(), shown(&pickles).len());
    assert_eq!(shown(&written), shown(&pickles));
    for (protocol, data) in (2..).zip(dumps_from(2, "[Kwargs(x=1, y=2)]")) {
        let data = Pickler::new().protocol(protocol).to_vec(&value(&data)).unwrap();
        assert_eq!(from_slice::<[Point; 1]>(&data).unwrap(), [Point { x: 1, y: 2 }]);
        let script = format!(
            "{PACK}{APP}\nfor data in unpack(): emit(type(pickle.loads(data)[0]).__name__)"
        );
        assert_eq!(unpack(&python(&script, &pack([&*data]))), [b"Kwargs"]);
    }

    // With serde: an instance with its class, sets as sets.
    let data =
        &dumps("[{1}, frozenset([2]), bytearray(b'a'), (1, 2.5), {3: None}, Point(1, 2)]")[5];
    let Value::List(items) = value(data) else { panic!() };
    let data = to_vec(&items).unwrap();
    assert_eq!(shown(&[data]), shown(&[halfsour::to_vec(&Value::List(items)).unwrap()]));
    let error = to_vec(&value(b"cos\ngetcwd\n.")).unwrap_err();
    assert_eq!(error.to_string(), "the global os.getcwd is no data");
    // From other formats, and by way of `deserialize_any`.
    reads(
        "[{1: 'a'}, (2**70,), b'x']",
        &Value::List(vec![
            Value::Dict(vec![(Value::Int(1), Value::Str("a".into()))]),
            Value::List(vec![Value::BigInt([0, 0, 0, 0, 0, 0, 0, 0, 64].into())]),
            Value::Bytes(b"x".into()),
        ]),
    );
}

/// Every pickle of the corpus is a value, or an error; none hangs.
#[test]
fn corpora_become_values() {
    let files = common::corpus().into_iter().map(|(_, data)| data).chain(common::generated());
    let (mut values, mut cycles, mut others) = (0, 0, 0);
    for data in files {
        let Ok(graph) = halfsour::load(&data) else { continue };
        match graph.to_value() {
            Ok(value) => {
                values += 1;
                let _ = (value.clone() == value, format!("{value:?}"), to_vec(&value));
            }
            Err(error) if error.kind() == &ErrorKind::Cycle => cycles += 1,
            Err(_) => others += 1,
        }
        let _ = from_graph::<Deep>(&graph);
        let _ = from_graph::<halfsour::serde::Value>(&graph);
    }
    assert!(values > 100 && cycles > 0 && others < values / 10, "{values} {cycles} {others}");
}

#[test]
fn values_are_bounded() {
    let value = |data: &[u8]| halfsour::load(data).unwrap().to_value();
    let limit = |what, limit| ErrorKind::Limit { what, limit };
    assert_eq!(kind(value(&laughs(100))), limit("expansion", 16));
    let mut data = b"]".repeat(100_000);
    data.extend(b"a".repeat(99_999));
    data.push(b'.');
    assert_eq!(kind(value(&data)), limit("depth", 128));
    let error = value(b"capp\nA\n)\x81q\0}U\x01ah\0sb.").unwrap_err();
    assert_eq!((error.kind(), &*error.path().to_string()), (&ErrorKind::Cycle, "root['a']"));
}

/// A persistent id may be in another one, or in itself: no error shows what is in it.
#[test]
fn nested_persistent_ids_are_not_shown() {
    let deep = [b"N".as_slice(), &[b'Q'; 100_000], b"."].concat();
    let mut wide = b"NQ\x94".to_vec();
    for index in 0..60_u8 {
        wide.extend([b'h', index, b'h', index, 0x86, b'Q', 0x94]);
    }
    wide.push(b'.');
    for data in [deep, wide, b"]\x94Q\x940h\0h\x01ah\x01.".to_vec()] {
        for text in [
            halfsour::serde::from_slice::<i64>(&data).unwrap_err().to_string(),
            halfsour::from_slice::<i64>(&data).unwrap_err().to_string(),
        ] {
            assert!(text.ends_with("found a persistent id at root"), "{}", text.len());
        }
        assert!(halfsour::serde::from_slice::<halfsour::serde::Value>(&data).is_err());
    }
}

#[test]
fn faults_have_a_place_in_the_input() {
    use halfsour::Opcode;
    type Row = (Option<u8>, u8, Option<u8>);
    let place = |error: &Error| (error.offset(), error.opcode());
    // [(None, None, None)], of which the second one is wrong.
    let data = b"](NNN\x87e.";
    let error = from_slice::<Vec<Row>>(data).unwrap_err();
    assert_eq!(error.to_string(), "expected u8, found None at root[0][1]");
    assert_eq!(place(&error), (Some(3), Some(Opcode::None)));
    let error = from_reader::<Vec<Row>>(data.as_slice()).unwrap_err();
    assert_eq!(error.to_string(), "expected u8, found None at root[0][1]");
    assert_eq!(place(&error), (Some(3), Some(Opcode::None)));

    // What the visitor finds wrong.
    let error = from_slice::<Vec<u8>>(b"](K\x01J\xff\xff\xff\xffe.").unwrap_err();
    assert_eq!(error.to_string(), "expected u8, found the int -1 at root[1]");
    assert_eq!(place(&error), (Some(4), Some(Opcode::BinInt)));
    let error = from_slice::<BTreeMap<u8, bool>>(b"}(K\x01\x88K\x02K\x03u.").unwrap_err();
    assert_eq!(error.to_string(), "expected a boolean, found an int at root[2]");
    assert_eq!(place(&error), (Some(7), Some(Opcode::BinInt1)));
    let error = from_slice::<BTreeMap<u8, bool>>(b"}(K\x01\x88X\0\0\0\0\x88u.").unwrap_err();
    assert_eq!(error.to_string(), "expected u8, found a str at root.keys()['']");
    assert_eq!(place(&error), (Some(5), Some(Opcode::BinUnicode)));
    #[derive(Deserialize, Debug)]
    #[allow(dead_code)]
    struct Named {
        x: u8,
    }
    let error = from_slice::<Vec<Named>>(b"]}a.").unwrap_err();
    assert_eq!(error.to_string(), "x is missing at root[0]");
    assert_eq!(place(&error), (Some(1), Some(Opcode::EmptyDict)));
    // A format has no place in the data.
    let error = from_slice::<u8>(b"K\x01a.").unwrap_err();
    assert_eq!(error.to_string(), "unpickling stack underflow");
}

#[test]
fn settings() {
    use halfsour::Unpickler;
    // (b'in', [memoryview(buffer), buffer])
    let data = b"\x80\x05C\x02in](\x97\x98\x97e\x86.";
    let unpickler = Unpickler::new().buffers(&[b"first", b"second"]);
    let (text, list) = unpickler.deserialize::<(&[u8], Vec<&[u8]>)>(data).unwrap();
    assert_eq!((text, list), (b"in".as_slice(), vec![b"first".as_slice(), b"second"]));
    let (_, list) =
        unpickler.deserialize_from::<((), Vec<Vec<u8>>)>(&b"N](\x97\x98\x97e\x86."[..]).unwrap();
    assert_eq!(list, [b"first".to_vec(), b"second".to_vec()]);
    let few = Unpickler::new().buffers(&[b"first"]);
    let error = few.deserialize::<(&[u8], Vec<&[u8]>)>(data).unwrap_err();
    assert_eq!(error.to_string(), "not enough out-of-band buffers at root[1][1]");
    assert_eq!((error.kind(), error.offset()), (&ErrorKind::NotEnoughBuffers, Some(10)));
    let error = from_slice::<(&[u8], Vec<&[u8]>)>(data).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::NoBuffers);
    from_slice::<(&[u8], de::IgnoredAny)>(data).unwrap();

    let limits = Limits::default().depth(2);
    let deep = Unpickler::new().limits(limits).deserialize::<Vec<Vec<Vec<u8>>>>(b"(((lll.");
    assert_eq!(deep.unwrap_err().to_string(), "more than the limit of 2 (depth) at root[0][0]");
    let short = Unpickler::new().limits(limits.opcodes(2));
    let error = short.deserialize_from::<Vec<Vec<u8>>>(&b"(((lll."[..]).unwrap_err();
    assert_eq!(error.to_string(), "more than the limit of 2 (opcodes)");

    let renamed = Unpickler::new().alias("app.Point", "shapes", "Dot").extension(3, "a", "B");
    let (dot, other): (Instance<()>, Instance<()>) =
        renamed.deserialize(b"capp\nPoint\n)\x81\x82\x03)\x81\x86.").unwrap();
    assert_eq!((&*dot.module, &*dot.name, &*other.name), ("shapes", "Dot", "B"));
}

/// As in the typed half: a buffer that is copied often is an expansion, one that is copied once is not.
#[test]
fn buffers_are_charged_by_their_size() {
    let buffer = vec![7; 10_000_000];
    let unpickler = halfsour::Unpickler::new().buffers(&[&buffer]);
    assert_eq!(unpickler.deserialize::<Vec<u8>>(b"\x80\x05\x97.").unwrap().len(), buffer.len());
    let often = [b"\x80\x05](\x97\x94".as_slice(), &b"h\0".repeat(100), b"e."].concat();
    let limit = ErrorKind::Limit { what: "expansion", limit: 16 };
    assert_eq!(kind(unpickler.deserialize::<Vec<Blob>>(&often)), limit);
    assert_eq!(kind(unpickler.deserialize::<halfsour::serde::Value>(&often)), limit);
}

/// A variant is a call of what may be an enum, not of any function.
#[test]
fn functions_make_no_variants() {
    #[derive(Deserialize, Debug, PartialEq)]
    enum Color {
        Red,
    }
    assert_eq!(from_slice::<Color>(b"capp\nColor\n(VRed\ntR.").unwrap(), Color::Red);
    for call in ["cos\nsystem\n", "cpathlib._local\nPosixPath\n", "cdecimal\nDecimal\n"] {
        from_slice::<Color>(format!("{call}(VRed\ntR.").as_bytes()).unwrap_err();
        from_slice::<String>(format!("{call}(VRed\ntR.").as_bytes()).unwrap_err();
    }
}

/// The argument of a call stands for the object only where its class is read.
#[test]
fn an_instance_shows_itself_alone() {
    let twice = b"cuuid\nSafeUUID\nK\x05\x85Rq\0h\0\x86.";
    let five = || Instance { module: "uuid".into(), name: "SafeUUID".into(), value: 5_u8 };
    let both: (Instance<u8>, Instance<u8>) = from_slice(twice).unwrap();
    assert_eq!(both, (five(), five()));
    let text = "expected u8, found a call of uuid.SafeUUID, which is not run at";
    let error = from_slice::<(Instance<u8>, u8)>(twice).unwrap_err();
    assert_eq!(error.to_string(), format!("{text} root[1]"));
    let error = from_slice::<(u8, Instance<u8>)>(twice).unwrap_err();
    assert_eq!(error.to_string(), format!("{text} root[0]"));
}
