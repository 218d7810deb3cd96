//! `#[derive(Pickle)]` against classes of Python: read what it wrote, write what it reads.

mod common;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

use halfsour::typed::{Item, Persistent, Registry, Unpickler};
use halfsour::{
    Error, ErrorKind, FromPickle, FromPickleOwned, Limits, Pickle, Pickler, ToPickle, Writer,
    from_reader, from_slice, load,
};

/// Pickles of a Python expression, with the classes of `shop.py`.
fn dumps(expression: &str, protocols: std::ops::RangeInclusive<u8>) -> Vec<(u8, Vec<u8>)> {
    let script = format!(
        "{}{}\nvalue = {expression}\n\
         for protocol in range({}, {} + 1): emit(pickle.dumps(value, protocol))",
        common::PACK,
        include_str!("python/shop.py"),
        protocols.start(),
        protocols.end()
    );
    protocols.zip(common::unpack(&common::python(&script, b""))).collect()
}

/// What Python wrote for an expression is read as a value.
#[track_caller]
fn read<T: FromPickleOwned + PartialEq + Debug>(
    expression: &str,
    protocols: std::ops::RangeInclusive<u8>,
    expected: &T,
) {
    for (protocol, data) in dumps(expression, protocols) {
        let value: T = from_slice(&data).unwrap_or_else(|e| panic!("{expression} {protocol}: {e}"));
        assert_eq!(&value, expected, "{expression}, protocol {protocol}");
    }
}

/// A value in a protocol.
fn to_vec<T: ToPickle + ?Sized>(value: &T, protocol: u8) -> Vec<u8> {
    Pickler::new().protocol(protocol).to_vec(value).unwrap()
}

/// What Python loads of pickles, as it shows it, is what it shows of an expression.
#[track_caller]
fn loads(expression: &str, pickles: &[Vec<u8>]) {
    let script = format!(
        "{}{}\nfor data in unpack(): emit(repr(pickle.loads(data)))\nemit(repr({expression}))",
        common::PACK,
        include_str!("python/shop.py"),
    );
    let input = common::pack(pickles.iter().map(Vec::as_slice));
    let mut shown = common::unpack(&common::python(&script, &input));
    let expected = String::from_utf8(shown.pop().unwrap()).unwrap();
    for (data, shown) in pickles.iter().zip(shown) {
        let shown = String::from_utf8(shown).unwrap();
        assert_eq!(shown, expected, "{expression}, of {}", data.escape_ascii());
    }
}

/// Reads what Python wrote for an expression, and writes it: Python loads the same, and the bytes are
/// those that Python wrote; before protocol 2 only where nothing is an argument of `__new__`.
#[track_caller]
fn round<T: FromPickleOwned + ToPickle + PartialEq + Debug>(
    expression: &str,
    protocols: std::ops::RangeInclusive<u8>,
    value: &T,
) {
    read(expression, protocols.clone(), value);
    for (protocol, expected) in dumps(expression, protocols) {
        let data = to_vec(value, protocol);
        // Up to 3.11.3, members of enums are written by their names.
        let by_name =
            ["models.Color.", "models.Mode."].iter().any(|name| expression.contains(name))
                && common::version() < (11, 4);
        let has_args = ["Point", "Money", "Rate"].iter().any(|name| expression.contains(name));
        if (protocol >= 2 || !has_args) && !by_name {
            assert_eq!(
                data.escape_ascii().to_string(),
                expected.escape_ascii().to_string(),
                "{expression}, protocol {protocol}"
            );
        }
    }
    let pickles: Vec<_> = (0..=5).map(|protocol| to_vec(value, protocol)).collect();
    for (protocol, data) in pickles.iter().enumerate() {
        let read: T = from_slice(data).unwrap_or_else(|e| panic!("{expression} {protocol}: {e}"));
        assert_eq!(&read, value, "{expression}, protocol {protocol}");
    }
    loads(expression, &pickles);
}

/// The error of reading an expression's pickle.
#[track_caller]
fn error<T: FromPickleOwned + Debug>(expression: &str) -> String {
    from_slice::<T>(&dumps(expression, 5..=5)[0].1).unwrap_err().to_string()
}

#[derive(Pickle, Debug, PartialEq)]
#[pickle(module = "shop.models", alias = "old.models.Order", alias = "older.Purchase")]
struct Order {
    id: u64,
    customer: String,
    total: f64,
    #[pickle(default)]
    note: Option<String>,
    lines: Vec<Line>,
}

#[derive(Pickle, Debug, PartialEq)]
#[pickle(module = "shop.models")]
struct Line {
    item: String,
    count: u32,
}

fn order() -> Order {
    let line = |item: &str, count| Line { item: item.into(), count };
    Order {
        id: 7,
        customer: "Ada".into(),
        total: 12.5,
        note: Some("soon".into()),
        lines: vec![line("egg", 12), line("spam", 300)],
    }
}

const ORDER: &str = "make('Order', id=7, customer='Ada', total=12.5, note='soon', \
                     lines=[make('Line', item='egg', count=12), make('Line', item='spam', count=300)])";

#[test]
fn plain() {
    round(ORDER, 0..=5, &order());
}

#[test]
fn absent_and_unknown() {
    let expression = "make('Order', total=12, lines=[], customer='Ada', id=7, colour='red')";
    let expected = Order { total: 12.0, note: None, lines: vec![], ..order() };
    read(expression, 0..=5, &expected);
    assert_eq!(error::<Order>("make('Order', id=1, customer='x')"), "total is missing at root");
    assert_eq!(
        error::<Vec<Order>>(
            "[make('Order', id=1, customer='x', total=1, lines=[make('Line', item='a')])]"
        ),
        "count is missing at root[0].lines[0]"
    );
    assert_eq!(error::<Order>("make('Order', id='x')"), "expected an int, found a str at root.id");
    assert_eq!(
        error::<Order>("make('Order', lines=[make('Order')])"),
        "expected a shop.models.Line, found a shop.models.Order at root.lines[0]"
    );
    assert_eq!(error::<Order>("{'id': 1}"), "expected a shop.models.Order, found a dict at root");
    assert_eq!(
        error::<Order>("models.Order"),
        "expected a shop.models.Order, found the global shop.models.Order at root"
    );
}

#[test]
fn aliases() {
    let data = dumps(ORDER, 2..=2).remove(0).1;
    let renamed = |new: &[u8]| {
        let old = b"cshop.models\nOrder\n";
        let place = data.windows(old.len()).position(|window| window == old).unwrap();
        [&data[..place], new, &data[place + old.len()..]].concat()
    };
    for new in [b"cold.models\nOrder\n".as_slice(), b"colder\nPurchase\n"] {
        assert_eq!(from_slice::<Order>(&renamed(new)).unwrap(), order());
    }
    let error = from_slice::<Order>(&renamed(b"coldest\nPurchase\n")).unwrap_err();
    assert_eq!(error.to_string(), "expected a shop.models.Order, found an oldest.Purchase at root");
    let unpickler = Unpickler::new().alias("oldest.Purchase", "shop.models", "Order");
    let renamed = renamed(b"coldest\nPurchase\n");
    assert_eq!(unpickler.from_slice::<Order>(&renamed).unwrap(), order());
}

fn seven() -> u8 {
    7
}

mod as_hex {
    use super::{Error, Item, Writer};

    pub(crate) fn from_pickle(item: Item<'_, '_>) -> Result<u32, Error> {
        u32::from_str_radix(&item.str()?, 16).map_err(|_| item.expected("a hexadecimal number"))
    }

    pub(crate) fn to_pickle(number: &u32, out: &mut Writer<'_>) -> Result<(), Error> {
        out.str(&format!("{number:x}"))
    }
}

#[derive(Pickle, Debug, PartialEq)]
#[pickle(module = "shop.models", name = "Renamed", deny_unknown)]
struct Other {
    #[pickle(rename = "_count")]
    count: u8,
    #[pickle(default = seven)]
    size: u8,
    #[pickle(skip)]
    cache: Vec<u8>,
    #[pickle(with = as_hex)]
    r#type: u32,
}

#[test]
fn fields() {
    let other = Other { count: 1, size: 7, cache: vec![], r#type: 255 };
    read("make('Renamed', _count=1, type='ff')", 0..=5, &other);
    round("make('Renamed', _count=1, size=8, type='ff')", 0..=5, &Other { size: 8, ..other });
    assert_eq!(
        error::<Other>("make('Renamed', _count=1, type='ff', count=1)"),
        "expected no other attributes, found a shop.models.Renamed with 'count' at root"
    );
    assert_eq!(
        error::<Other>("make('Renamed', _count=1, type='xx')"),
        "expected a hexadecimal number, found a str at root.type"
    );
    assert_eq!(error::<Other>("make('Renamed', type='ff')"), "_count is missing at root");
}

#[derive(Pickle, Debug, PartialEq)]
#[pickle(module = "shop.models")]
struct Blob<'a> {
    #[pickle(bytes)]
    owned: Vec<u8>,
    #[pickle(bytes)]
    shared: Cow<'a, [u8]>,
    #[pickle(bytes)]
    fixed: [u8; 2],
    name: Cow<'a, str>,
    numbers: Vec<u8>,
}

/// What borrows from the pickle.
#[derive(Pickle, Debug, PartialEq)]
#[pickle(module = "shop.models", name = "Blob")]
struct View<'d, 'n> {
    #[pickle(bytes)]
    owned: &'d [u8],
    #[pickle(bytes)]
    fixed: &'d [u8; 2],
    name: &'n str,
    shared: &'d [u8],
}

#[test]
fn bytes_and_borrows() {
    let expression =
        "make('Blob', owned=b'ab', shared=b'\\xff', fixed=b'xy', name='blob', numbers=[1, 2])";
    for (protocol, data) in dumps(expression, 0..=5) {
        let blob = Blob {
            owned: b"ab".to_vec(),
            shared: Cow::Borrowed(b"\xff"),
            fixed: *b"xy",
            name: Cow::Borrowed("blob"),
            numbers: vec![1, 2],
        };
        let read: Blob<'_> = from_slice(&data).unwrap();
        assert_eq!(read, blob);
        assert!(matches!(read.name, Cow::Borrowed(_)));
        if protocol >= 2 {
            assert_eq!(to_vec(&blob, protocol), data, "protocol {protocol}");
        }
        loads(expression, &[to_vec(&blob, protocol)]);
        if protocol >= 3 {
            assert!(matches!(read.shared, Cow::Borrowed(_)));
            let view: View<'_, '_> = from_slice(&data).unwrap();
            let fixed = b"xy";
            assert_eq!(view, View { owned: b"ab", fixed, name: "blob", shared: b"\xff" });
            let again = to_vec(&view, protocol);
            let pairs = halfsour::typed::Unpickler::new();
            let graph = load(&again).unwrap();
            let bytes = pairs.read(&graph, |item| item.state()?.read::<Cow<'_, [u8]>>("fixed"));
            assert_eq!(bytes.unwrap(), &b"xy"[..]);
        }
    }
}

#[derive(Pickle, Debug, PartialEq)]
#[pickle(module = "shop.models")]
struct Pair<A, B = A>
where
    A: PartialEq,
{
    first: A,
    second: B,
}

#[derive(Pickle, Debug, PartialEq)]
#[pickle(module = "shop.models", name = "Pair")]
struct Array<'a, T, const N: usize> {
    first: [T; N],
    second: &'a str,
    #[pickle(skip)]
    marker: PhantomData<T>,
}

#[test]
fn generics() {
    let pair = Pair { first: vec![Some(1)], second: "x".to_owned() };
    round("make('Pair', first=[1], second='x')", 0..=5, &pair);
    for (_, data) in dumps("make('Pair', first=(1, 2), second='x')", 1..=5) {
        let array: Array<'_, u8, 2> = from_slice(&data).unwrap();
        assert_eq!(array, Array { first: [1, 2], second: "x", marker: PhantomData });
    }
}

#[derive(Pickle, Debug, PartialEq)]
#[pickle(module = "shop.models", slots)]
struct Slots {
    x: i32,
    y: String,
}

#[derive(Pickle, Debug, PartialEq)]
#[pickle(module = "shop.models")]
struct Money {
    #[pickle(newarg)]
    amount: i64,
    #[pickle(newarg)]
    currency: String,
    #[pickle(default)]
    note: String,
}

#[derive(Pickle, Debug, PartialEq)]
#[pickle(module = "shop.models")]
struct Rate {
    #[pickle(newarg)]
    base: String,
    #[pickle(newkwarg)]
    factor: f64,
    source: String,
}

#[derive(Pickle, Debug, PartialEq)]
#[pickle(module = "shop.models", newargs)]
struct Point(f64, f64);

#[derive(Pickle, Debug, PartialEq)]
#[pickle(module = "shop.models", name = "Point", newargs)]
struct NamedPoint {
    x: f64,
    y: f64,
}

#[derive(Pickle, Debug, PartialEq)]
#[pickle(module = "shop.models", name = "Outer.Inner")]
struct Inner {
    value: u8,
}

#[derive(Pickle, Debug, PartialEq)]
#[pickle(module = "shop.models")]
struct Empty;

#[derive(Pickle, Debug, PartialEq)]
#[pickle(transparent)]
struct Id(u64);

#[derive(Pickle, Debug, PartialEq)]
#[pickle(dict)]
struct Record {
    name: String,
    #[pickle(rename = "class", default)]
    kind: Option<Id>,
}

#[test]
fn construction() {
    round("models.Slots(1, 'a')", 2..=5, &Slots { x: 1, y: "a".into() });
    let money = Money { amount: 5, currency: "EUR".into(), note: String::new() };
    read("models.Money(5, 'EUR')", 2..=5, &money);
    round(
        "(lambda m: setattr(m, 'note', 'n') or m)(models.Money(5, 'EUR'))",
        2..=5,
        &Money { note: "n".into(), ..money },
    );
    let rate = Rate { base: "EUR".into(), factor: 1.5, source: "ECB".into() };
    let expression = "(lambda r: setattr(r, 'source', 'ECB') or r)(models.Rate('EUR', factor=1.5))";
    read(expression, 2..=5, &rate);
    // Below protocol 4, newer versions of Python memoize less of what is in a class.
    let same_bytes = if common::version().0 < 13 { 2..=5 } else { 4..=5 };
    round(expression, same_bytes.clone(), &rate);
    round("models.Point(1.0, 2.5)", 0..=5, &Point(1.0, 2.5));
    round("models.Point(1.0, 2.5)", 0..=5, &NamedPoint { x: 1.0, y: 2.5 });
    read("make_inner(3)", 0..=5, &Inner { value: 3 });
    round("make_inner(3)", same_bytes, &Inner { value: 3 });
    round("make('Empty')", 0..=5, &Empty);
    round("[1, 2]", 0..=5, &vec![Id(1), Id(2)]);
    read(
        "{'name': 'n', 'class': 3, 'more': 1}",
        0..=5,
        &Record { name: "n".into(), kind: Some(Id(3)) },
    );
    assert_eq!(
        error::<Money>("models.Order()"),
        "expected a shop.models.Money, found a shop.models.Order at root"
    );
    // What is as good as a dict.
    for record in [
        "collections.OrderedDict(name='x')",
        "collections.Counter(name='x')",
        "models.Table(name='x')",
    ] {
        read(record, 0..=5, &Record { name: "x".into(), kind: None });
    }
    assert_eq!(error::<Record>("[]"), "expected a dict, found a list at root");
    assert_eq!(error::<Record>("models.Table()"), "name is missing at root");
    assert_eq!(error::<Record>("{}"), "name is missing at root");
    assert_eq!(
        error::<Vec<Record>>("[{'name': 1}]"),
        "expected a str, found an int at root[0].name"
    );
    assert_eq!(error::<Id>("'x'"), "expected an int, found a str at root");
    assert_eq!(error::<Point>("models.Point('x', 1)"), "expected a float, found a str at root.0");
}

#[derive(Pickle, Debug, PartialEq, Clone, Copy)]
#[pickle(module = "shop.models")]
enum Color {
    #[pickle(value = 1)]
    Red,
    #[pickle(value = 2)]
    DarkRed,
    #[pickle(value = -3)]
    Green,
}

#[derive(Pickle, Debug, PartialEq)]
#[pickle(module = "shop.models")]
enum Mode {
    #[pickle(value = "r")]
    Read,
    #[pickle(value = "w", rename = "write")]
    Write,
}

#[test]
fn enums() {
    round(
        "[models.Color.RED, models.Color.DARK_RED, models.Color.GREEN, models.Color.RED]",
        0..=5,
        &[Color::Red, Color::DarkRed, Color::Green, Color::Red],
    );
    round("(models.Mode.READ, models.Mode.write)", 0..=5, &(Mode::Read, Mode::Write));
    // By name, as some versions of Python write members.
    for name in ["RED", "DarkRed", "DARK_RED"] {
        let data = format!("cbuiltins\ngetattr\n(cshop.models\nColor\nV{name}\ntR.");
        let expected = if name == "RED" { Color::Red } else { Color::DarkRed };
        assert_eq!(from_slice::<Color>(data.as_bytes()).unwrap(), expected);
        let data = format!("cshop.models\nColor.{name}\n.");
        assert_eq!(from_slice::<Color>(data.as_bytes()).unwrap(), expected);
        let data = format!("cshop.models\n{name}\n.");
        assert_eq!(from_slice::<Color>(data.as_bytes()).unwrap(), expected);
    }
    for (data, message) in [
        (
            &b"cshop.models\nColor\n(K\x09tR."[..],
            "expected a member of shop.models.Color, found Color(9) at root",
        ),
        (
            b"cshop.models\nColor\n(U\x01xtR.",
            "expected a member of shop.models.Color, found Color('x') at root",
        ),
        (
            b"cshop.models\nColor\n)R.",
            "expected a member of shop.models.Color, found a shop.models.Color at root",
        ),
        (
            b"cshop.models\nColor.BLUE\n.",
            "expected a member of shop.models.Color, found Color.BLUE at root",
        ),
        (
            b"cshop.models\nMode\n(K\x01tR.",
            "expected a member of shop.models.Color, found a shop.models.Mode at root",
        ),
        (b"K\x01.", "expected a member of shop.models.Color, found an int at root"),
    ] {
        assert_eq!(from_slice::<Color>(data).unwrap_err().to_string(), message);
    }
}

#[derive(Pickle, Debug, PartialEq)]
#[pickle(module = "shop.models")]
struct Circle {
    radius: f64,
}

#[derive(Pickle, Debug, PartialEq)]
#[pickle(module = "shop.models")]
struct Square {
    side: f64,
    next: Option<Box<Shape>>,
}

#[derive(Pickle, Debug, PartialEq)]
#[pickle(classes)]
enum Shape {
    Circle(Circle),
    Square(Box<Square>),
}

#[test]
fn classes() {
    let circle = Shape::Circle(Circle { radius: 1.0 });
    let inner = Some(Box::new(Shape::Circle(Circle { radius: 2.0 })));
    let square = Shape::Square(Box::new(Square { side: 3.0, next: inner }));
    round(
        "[make('Circle', radius=1.0), make('Square', side=3.0, next=make('Circle', radius=2.0))]",
        0..=5,
        &[circle, square],
    );
    assert_eq!(
        error::<Shape>("make('Order')"),
        "expected a shop.models.Circle or a shop.models.Square, found a shop.models.Order at root"
    );
    assert_eq!(
        error::<Shape>("make('Square', side=1, next=make('Circle'))"),
        "radius is missing at root.next"
    );
}

/// A list that is linked: as deep as the limit, and with cycles.
#[derive(Pickle, Debug, PartialEq)]
#[pickle(module = "shop.models")]
struct Node {
    value: u32,
    next: Option<Arc<Node>>,
}

#[test]
fn identity_and_cycles() {
    let expression =
        "(lambda n: [n, n, make('Node', value=2, next=n)])(make('Node', value=1, next=None))";
    for (_, data) in dumps(expression, 0..=5) {
        let [one, again, other]: [Arc<Node>; 3] = from_slice(&data).unwrap();
        assert!(Arc::ptr_eq(&one, &again) && Arc::ptr_eq(&one, other.next.as_ref().unwrap()));
        assert_eq!((one.value, other.value, Arc::strong_count(&one)), (1, 2, 3));
    }
    let expression = "(lambda n: setattr(n.next, 'next', n) or [n])\
                      (make('Node', value=1, next=make('Node', value=2)))";
    for (_, data) in dumps(expression, 0..=5) {
        let error = from_slice::<Vec<Node>>(&data).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Cycle);
        assert_eq!(error.path().to_string(), "root[0].next.next");
    }
    // A million nodes: an error, and no overflow.
    let (depth, mut data) = (1_000_000, b"\x80\x02cshop.models\nNode\nq\0)\x81".to_vec());
    data.extend(b"}(U\x05valueK\x01U\x04nexth\0)\x81".repeat(depth));
    data.extend(b"}(U\x05valueK\x01U\x04nextNub");
    data.extend(b"ub".repeat(depth));
    data.push(b'.');
    std::thread::Builder::new()
        .stack_size(512 << 10)
        .spawn(move || {
            let error = from_slice::<Node>(&data).unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::Limit { what: "depth", limit: 128 });
            assert!(error.to_string().ends_with(".next.next"));
        })
        .unwrap()
        .join()
        .unwrap();
}

/// An instance is one level, however it is made: as deep as it is written, it is read.
#[test]
fn as_deep_as_read() {
    fn check<T: FromPickleOwned + ToPickle>(innermost: T, around: impl Fn(Box<T>) -> T) {
        let limit = ErrorKind::Limit { what: "depth", limit: 128 };
        let deepest = (1..128).fold(innermost, |value, _| around(Box::new(value)));
        for protocol in 0..=5 {
            let data = Pickler::new().protocol(protocol).to_vec(&deepest).unwrap();
            let read = from_slice::<T>(&data).map(drop);
            assert!(read.is_ok(), "protocol {protocol}: {read:?}");
        }
        let deeper = around(Box::new(deepest));
        for protocol in 0..=5 {
            let mut pickler = Pickler::new().protocol(protocol);
            assert_eq!(pickler.to_vec(&deeper).unwrap_err().kind(), &limit);
            let data = pickler.limits(Limits::default().depth(1000)).to_vec(&deeper).unwrap();
            assert_eq!(from_slice::<T>(&data).map(drop).unwrap_err().kind(), &limit);
        }
    }
    macro_rules! check {
        ($([$($how:tt)*])*) => {$({
            #[derive(Pickle)]
            #[pickle(module = "shop.models", name = "Node" $($how)*)]
            struct Node {
                next: Option<Box<Node>>,
            }
            check(Node { next: None }, |node| Node { next: Some(node) });
        })*};
    }
    check!([] [, slots] [, newargs] [, reduce] [, state = "list"]);
}

/// A transparent type that holds itself nests in no container.
#[test]
fn transparent_and_endless() {
    #[derive(Pickle)]
    #[pickle(transparent)]
    struct Nested(Option<Box<Nested>>);

    common::with_small_stack(|| {
        let limit = ErrorKind::Limit { what: "depth", limit: 128 };
        assert_eq!(from_slice::<Nested>(b"K\x01.").map(drop).unwrap_err().kind(), &limit);
        let nested = (0..100_000).fold(Nested(None), |inner, _| Nested(Some(Box::new(inner))));
        // Dropping it would recurse.
        let nested = std::mem::ManuallyDrop::new(nested);
        assert_eq!(halfsour::to_vec(&*nested).unwrap_err().kind(), &limit);
    });
}

#[test]
fn persistent_ids() {
    let unpickler = Unpickler::new().persistent_load(|pid| {
        let count = pid.int()?;
        Ok(Box::new(Line { item: "stored".into(), count }))
    });
    let lines: (Line, Persistent<Line>, BTreeMap<String, Line>) =
        unpickler.from_slice(b"(K\x01QK\x02Q}V\x6b\nK\x03Qst.").unwrap();
    assert_eq!((lines.0.count, lines.1.count, lines.2["k"].count), (1, 2, 3));
    let error = from_slice::<Line>(b"K\x01Q.").unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::NoPersistentLoad);
    // And written by them, wherever they are.
    let data = Pickler::new()
        .protocol(1)
        .persistent_id(|value| Some(Box::new(value.downcast_ref::<Line>()?.count)))
        .to_vec(&order())
        .unwrap();
    assert!(data.windows(8).any(|window| window == b"(K\x0cQM\x2c\x01Q"));
    let read: Order = unpickler.from_slice(&data).unwrap();
    assert_eq!(read.lines.iter().map(|line| line.count).collect::<Vec<_>>(), [12, 300]);
    let error = halfsour::to_vec(&Persistent(7_u8)).unwrap_err();
    assert_eq!(error.to_string(), "no persistent id for a u8");
}

#[test]
fn registry() {
    let mut registry = Registry::new();
    registry.register::<Order>().register::<Line>().register::<Color>();
    let expression = format!("[{ORDER}, make('Line', item='x', count=1), models.Color.RED]");
    for (_, data) in dumps(&expression, 0..=5) {
        let graph = load(&data).unwrap();
        let objects = Unpickler::new()
            .read(&graph, |item| item.items()?.map(|item| item.object(&registry)).collect())
            .unwrap();
        let objects: Vec<Box<dyn std::any::Any>> = objects;
        assert_eq!(objects[0].downcast_ref(), Some(&order()));
        assert_eq!(objects[1].downcast_ref(), Some(&Line { item: "x".into(), count: 1 }));
        assert_eq!(objects[2].downcast_ref(), Some(&Color::Red));
    }
}

/// `@dataclass(frozen=True, slots=True)`
#[derive(Pickle, Debug, PartialEq, Clone)]
#[pickle(module = "shop.models", state = "list")]
struct Frozen {
    width: i64,
    label: String,
    #[pickle(default)]
    parent: Option<Box<Frozen>>,
}

#[derive(Pickle, Debug, PartialEq)]
#[pickle(module = "shop.models", name = "Frozen", state = "list", deny_unknown)]
struct Strict {
    width: i64,
    #[pickle(skip)]
    cached: u8,
    label: String,
}

#[derive(Pickle, Debug, PartialEq)]
#[pickle(module = "shop.models", state = "list")]
struct FrozenOne {
    only: Vec<u8>,
}

#[derive(Pickle, Debug, PartialEq)]
#[pickle(module = "shop.models", state = "list")]
struct FrozenNone;

#[derive(Pickle, Debug, PartialEq)]
#[pickle(module = "shop.models", name = "FrozenNone", state = "list", deny_unknown)]
struct StrictNone {
    #[pickle(skip)]
    cached: u8,
}

#[derive(Pickle, Debug, PartialEq)]
#[pickle(module = "shop.models", reduce)]
struct Refused {
    #[pickle(newarg)]
    code: i64,
    #[pickle(newarg)]
    reason: String,
    again: bool,
}

#[derive(Pickle, Debug, PartialEq)]
#[pickle(module = "shop.models", name = "press", reduce)]
struct Juice(#[pickle(newarg)] f64);

/// What `__reduce__` says: a call, perhaps of a function, and perhaps a state.
#[test]
fn made_by_a_call() {
    let refused = Refused { code: 7, reason: "late".into(), again: true };
    round("setattr(e := models.Refused(7, 'late'), 'again', True) or e", 0..=5, &refused);
    round("[models.press(0.5), models.press(2.0)]", 0..=5, &vec![Juice(0.5), Juice(2.0)]);
    assert_eq!(
        error::<Juice>("models.Refused(7, 'late')"),
        "expected a shop.models.press, found a shop.models.Refused at root"
    );
}

#[test]
fn state_is_an_empty_list() {
    round("models.FrozenNone()", 0..=5, &FrozenNone);
    round("models.FrozenNone()", 0..=5, &StrictNone { cached: 0 });
    let made = |state: &[u8]| [b"cshop.models\nFrozenNone\n)\x81", state, b"b."].concat();
    assert_eq!(from_slice::<FrozenNone>(&made(b"](Ne")).unwrap(), FrozenNone);
    assert_eq!(from_slice::<FrozenNone>(&made(b"}")).unwrap(), FrozenNone);
    assert_eq!(
        from_slice::<StrictNone>(&made(b"](Ne")).unwrap_err().to_string(),
        "expected no other values, found a shop.models.FrozenNone with more at root"
    );
}

#[test]
fn state_is_a_list() {
    let inner = Frozen { width: -1, label: "b".into(), parent: None };
    let outer = Frozen { width: 7, label: "a".into(), parent: Some(Box::new(inner.clone())) };
    round("models.Frozen(-1, 'b', None)", 0..=5, &inner);
    round("models.Frozen(7, 'a', models.Frozen(-1, 'b', None))", 0..=5, &outer);
    let one = FrozenOne { only: vec![1, 2] };
    round("models.FrozenOne([1, 2])", 0..=5, &one);

    // Values that are not there, or too many, as `zip` of Python has it.
    let made = |state: &[u8]| [b"cshop.models\nFrozen\n)\x81", state, b"b."].concat();
    let short = &made(b"](K\x07U\x01ae");
    let expected = Frozen { parent: None, ..outer.clone() };
    assert_eq!(from_slice::<Frozen>(short).unwrap(), expected);
    assert_eq!(
        from_slice::<Strict>(short).unwrap(),
        Strict { width: 7, cached: 0, label: "a".into() }
    );
    let long = made(b"](K\x07U\x01aNNe");
    assert_eq!(from_slice::<Frozen>(&long).unwrap(), expected);
    assert_eq!(
        from_slice::<Strict>(&long).unwrap_err().to_string(),
        "expected no other values, found a shop.models.Frozen with more at root"
    );
    let wrong = made(b"](K\x07K\x08e");
    let error = from_slice::<Frozen>(&wrong).unwrap_err();
    assert_eq!(error.to_string(), "expected a str, found an int at root.label");
    assert_eq!(error.offset(), Some(26));
    let none = made(b"]");
    let error = from_slice::<Frozen>(&none).unwrap_err();
    assert_eq!(error.to_string(), "width is missing at root");
    // As it was pickled before the class was frozen.
    let dict = made(b"}(U\x05labelU\x01aU\x05widthK\x07u");
    assert_eq!(from_slice::<Frozen>(&dict).unwrap(), expected);
    let slots = made(b"N}(U\x05labelU\x01aU\x05widthK\x07u\x86");
    assert_eq!(from_slice::<Frozen>(&slots).unwrap(), expected);
    let tuple = made(b"K\x07U\x01aN\x87");
    let error = from_slice::<Frozen>(&tuple).unwrap_err();
    assert_eq!(error.to_string(), "expected attributes by name, found a tuple at root");
}

#[derive(ToPickle)]
#[pickle(module = "shop.models", name = "Line")]
struct Written<'a> {
    item: &'a str,
    count: u32,
}

#[derive(FromPickle, Debug, PartialEq)]
#[pickle(module = "shop.models", name = "Line")]
struct Read<'a> {
    item: &'a str,
    count: u32,
}

#[derive(FromPickle, ToPickle, Debug, PartialEq)]
#[pickle(module = "shop.models", name = "Line")]
struct Both<'a> {
    item: &'a str,
    count: u32,
}

/// Each direction can be derived for itself.
#[test]
fn one_direction() {
    let data = to_vec(&Written { item: "egg", count: 2 }, 5);
    assert_eq!(from_slice::<Read<'_>>(&data).unwrap(), Read { item: "egg", count: 2 });
    let both: Both<'_> = from_slice(&data).unwrap();
    assert_eq!(to_vec(&both, 5), data);
}

/// A file that cannot be read, a stream that ends too early.
#[test]
fn streams() {
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }
    let error = from_reader::<Order>(std::io::BufReader::new(Broken)).unwrap_err();
    assert_eq!(error.to_string(), "the disk is gone");
    let data = to_vec(&order(), 5);
    assert_eq!(from_reader::<Order>(data.as_slice()).unwrap(), order());
    for end in 0..data.len() {
        assert!(from_reader::<Order>(&data[..end]).unwrap_err().is_eof());
    }
    let short = Unpickler::new().limits(Limits::default().bytes(10));
    for error in [
        short.from_slice::<Order>(&data).unwrap_err(),
        short.from_reader::<Order>(data.as_slice()).unwrap_err(),
    ] {
        assert_eq!(error.kind(), &ErrorKind::Limit { what: "bytes", limit: 10 });
    }
}

/// An error while writing has its path.
#[test]
fn errors_of_writing() {
    #[derive(Pickle)]
    #[pickle(module = "shop.models")]
    struct Failing {
        lines: Vec<Never>,
    }
    struct Never;
    impl ToPickle for Never {
        fn to_pickle(&self, _: &mut Writer<'_>) -> Result<(), Error> {
            Err(ErrorKind::Custom("never".into()).into())
        }
    }
    impl halfsour::FromPickle<'_> for Never {
        fn from_pickle(item: Item<'_, '_>) -> Result<Never, Error> {
            Err(item.expected("nothing"))
        }
    }
    let error = halfsour::to_vec(&Failing { lines: vec![Never] }).unwrap_err();
    assert_eq!(error.to_string(), "never at root.lines[0]");
    let data = b"cshop.models\nFailing\n)\x81}\x8c\x05lines(K\x01lsb.";
    let error = from_slice::<Failing>(data).err().unwrap();
    assert_eq!(error.to_string(), "expected nothing, found an int at root.lines[0]");
}

/// A member is known by the name that Python has for it, whatever Rust calls another one.
#[test]
fn members_with_each_others_names() {
    #[derive(Pickle, Debug, PartialEq)]
    #[pickle(module = "m")]
    enum Switch {
        #[pickle(value = 1, rename = "B")]
        A,
        #[pickle(value = 2, rename = "A")]
        B,
    }
    let named = |name: &str| format!("cbuiltins\ngetattr\n(cm\nSwitch\nV{name}\ntR.");
    assert_eq!(from_slice::<Switch>(named("A").as_bytes()).unwrap(), Switch::B);
    assert_eq!(from_slice::<Switch>(named("B").as_bytes()).unwrap(), Switch::A);
}

/// What denies unknown attributes denies items and entries too; a phantom is nothing.
#[test]
fn nothing_else_is_in_it() {
    #[derive(Pickle, Debug, PartialEq)]
    #[pickle(module = "m", deny_unknown)]
    struct Strict<T> {
        a: u8,
        #[pickle(default)]
        of: std::marker::PhantomData<T>,
    }
    let strict = Strict::<String> { a: 1, of: std::marker::PhantomData };
    let data = halfsour::to_vec(&strict).unwrap();
    assert_eq!(from_slice::<Strict<String>>(&data).unwrap(), strict);
    for data in [
        b"cm\nStrict\n)\x81K\x01a}U\x01aK\x01sb.".as_slice(),
        b"cm\nStrict\n)\x81K\x01K\x02s}U\x01aK\x01sb.",
        b"ccopy_reg\n_reconstructor\n(cm\nStrict\nc__builtin__\nlist\n]K\x01atR}U\x01aK\x01sb.",
    ] {
        let error = from_slice::<Strict<u8>>(data).unwrap_err().to_string();
        assert_eq!(error, "expected no items or entries, found a m.Strict with some at root");
    }
}
