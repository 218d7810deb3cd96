//! Rust values as pickles, against Python: the same bytes where Python has the same value, the same
//! value in any case.

mod common;

use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::io;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use common::{PACK, pack, python, unpack};
use halfsour::graph::Node;
use halfsour::{
    DispatchTable, Dispatched, Error, ErrorKind, Global, Limits, Pickler, Reduced, ToPickle, Writer,
};

type Value = Box<dyn ToPickle>;

/// A value by a function that writes it.
struct By<F>(F);

impl<F: Fn(&mut Writer<'_>) -> Result<(), Error>> ToPickle for By<F> {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        (self.0)(out)
    }
}

fn by(write: impl Fn(&mut Writer<'_>) -> Result<(), Error> + 'static) -> Value {
    Box::new(By(write))
}

fn write(value: &dyn ToPickle, protocol: u8, trims: bool) -> Vec<u8> {
    let mut pickler = Pickler::new().protocol(protocol).trim_batches(trims);
    pickler.to_vec(value).unwrap_or_else(|error| panic!("{error}"))
}

struct Order {
    id: u64,
    customer: String,
    total: f64,
    tags: Vec<String>,
}

impl ToPickle for Order {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.instance(
            "shop",
            "Order",
            &[
                ("id", &self.id),
                ("customer", &self.customer),
                ("total", &self.total),
                ("tags", &self.tags),
            ],
        )
    }
}

fn orders(count: u64) -> Vec<Order> {
    let order = |id| Order {
        id,
        customer: format!("customer {id}"),
        total: id as f64 / 4.0,
        tags: (0..id % 4).map(|tag| format!("tag {id} {tag}")).collect(),
    };
    (0..count).map(order).collect()
}

/// A dict that Python has from a literal: its keys are names.
struct Record(i64);

impl ToPickle for Record {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        let name = format!("record {}", self.0);
        out.fields(&[("id", &self.0), ("name", &name), ("score", &(self.0 as f64 * 0.5))])
    }
}

/// Values, and the same in Python.
fn same() -> Vec<(Value, &'static str)> {
    vec![
        (Box::new(()), "None"),
        (Box::new([true, false]), "[True, False]"),
        (
            Box::new([0, 1, -1, 255, 256, 65535, 65536, i32::MAX, i32::MIN]),
            "[0, 1, -1, 255, 256, 65535, 65536, 2**31 - 1, -2**31]",
        ),
        (
            Box::new([i64::MIN, i64::MAX, 1 << 31, -(1 << 31) - 1]),
            "[-2**63, 2**63 - 1, 2**31, -2**31 - 1]",
        ),
        (
            Box::new((u64::MAX, u128::MAX, i128::MIN, i128::MAX, 7_u128, usize::MAX, 3_u8)),
            "(2**64 - 1, 2**128 - 1, -2**127, 2**127 - 1, 7, 2**64 - 1, 3)",
        ),
        (by(|out| out.bigint(&[0xff; 400])), "-1"),
        (by(|out| out.bigint(&[0x7f; 300])), "int.from_bytes(b'\\x7f' * 300)"),
        (
            Box::new([0.0, -0.0, 1.5, 1e300, 1e16, f64::INFINITY, 0.1]),
            "[0.0, -0.0, 1.5, 1e300, 1e16, inf, 0.1]",
        ),
        (Box::new([0.5_f32]), "[0.5]"),
        (
            Box::new(["", "a", "spam", "caf\u{e9} \u{20ac} \u{1f600}", "a\\b\n\r\0\u{1a}"]),
            "['', 'a', 'spam', 'caf\\xe9 \\u20ac \\U0001f600', 'a\\\\b\\n\\r\\0\\x1a']",
        ),
        (Box::new(['a', '\u{e9}', 'a', '\u{e9}']), "['a', '\\xe9', 'a', '\\xe9']"),
        (Box::new(["", "", "a", "a"]), "['', '', 'a', 'a']"),
        (Box::new("x".repeat(255)), "'x' * 255"),
        (Box::new("x".repeat(256)), "'x' * 256"),
        (Box::new("x".repeat(70_000)), "'x' * 70000"),
        (by(|out| out.bytes(b"spam\xff")), "b'spam\\xff'"),
        (
            by(|out| {
                out.tuple_with(4, |tuple| {
                    for bytes in [b"".as_slice(), b"", b"\xff", b"\xff"] {
                        tuple.item_with(|out| out.bytes(bytes))?;
                    }
                    Ok(())
                })
            }),
            "(b'', b'', b'\\xff', b'\\xff')",
        ),
        (by(|out| out.bytes(&[b'x'; 70_000])), "b'x' * 70000"),
        (by(|out| out.bytearray(b"spam")), "bytearray(b'spam')"),
        (by(|out| out.bytearray(b"")), "bytearray()"),
        (
            by(|out| {
                out.tuple_with(4, |tuple| {
                    tuple.item_with(|out| out.bytes(b"q"))?;
                    tuple.item_with(|out| out.bytearray(b"q"))?;
                    tuple.item_with(|out| out.bytearray(b"q"))?;
                    tuple.item_with(|out| out.bytes(b"q"))
                })
            }),
            "(b'q', bytearray(b'q'), bytearray(b'q'), b'q')",
        ),
        (Box::new((1,)), "(1,)"),
        (Box::new((1, 2, 3)), "(1, 2, 3)"),
        (Box::new((1, 2, 3, 4)), "(1, 2, 3, 4)"),
        (by(|out| out.tuple(&[])), "()"),
        (Box::new(Vec::<u8>::new()), "[]"),
        (Box::new(vec![1]), "[1]"),
        (Box::new((0..999).collect::<Vec<_>>()), "list(range(999))"),
        (Box::new((0..1000).collect::<VecDeque<_>>()), "list(range(1000))"),
        (Box::new((0..1001).collect::<Vec<_>>()), "list(range(1001))"),
        (Box::new((0..2001).collect::<Box<[i32]>>()), "list(range(2001))"),
        (Box::new(BTreeMap::<i32, i32>::new()), "{}"),
        (Box::new(BTreeMap::from([(1, 2)])), "{1: 2}"),
        (
            Box::new((0..1000).map(|i| (i, Some(i))).collect::<BTreeMap<_, _>>()),
            "{i: i for i in range(1000)}",
        ),
        (
            Box::new((0..1001).map(|i| (i, None::<i32>)).collect::<BTreeMap<_, _>>()),
            "{i: None for i in range(1001)}",
        ),
        (Box::new(HashMap::from([("spam", vec![1, 2])])), "{'spam': [1, 2]}"),
        (Box::new(BTreeSet::from([1])), "{1}"),
        (Box::new((0..1000).collect::<BTreeSet<_>>()), "set(range(1000))"),
        (Box::new(BTreeSet::<i32>::new()), "set()"),
        (by(|out| out.frozenset(0..1001)), "frozenset(range(1001))"),
        (
            by(|out| {
                out.tuple(&[
                    &Global::new("builtins", "int"),
                    &Global::new("collections", "OrderedDict"),
                    &Global::new("builtins", "int"),
                ])
            }),
            "(int, collections.OrderedDict, int)",
        ),
        (
            by(|out| {
                out.list(
                    [("builtins", "range"), ("collections", "UserString"), ("builtins", "OSError")]
                        .map(|(m, n)| Global::new(m, n)),
                )
            }),
            "[range, collections.UserString, OSError]",
        ),
        (
            Box::new((0..2500).map(Record).collect::<Vec<_>>()),
            "[dict(id=i, name=f'record {i}', score=i * 0.5) for i in range(2500)]",
        ),
        (Box::new(orders(1)), "orders(1)"),
        (Box::new(orders(2500)), "orders(2500)"),
        (
            Box::new(by(|out| out.call(&Global::new("decimal", "Decimal"), &[&"1.50"]))),
            "decimal.Decimal('1.50')",
        ),
        (
            by(|out| {
                out.reduce(
                    &Reduced::call(Global::new("collections", "OrderedDict"))
                        .dict_items((0..1001).map(|i| (i, i))),
                )
            }),
            "collections.OrderedDict((i, i) for i in range(1001))",
        ),
        (
            by(|out| {
                out.reduce(&Reduced::call(Global::new("collections", "deque")).list_items(0..1001))
            }),
            "deque(range(1001))",
        ),
        (
            by(|out| {
                out.reduce(
                    &Reduced::call(Global::new("shop", "Order"))
                        .arg(1)
                        .state(7)
                        .list_items([1])
                        .dict_items([("k", "v")])
                        .state_setter(Global::new("shop", "setter")),
                )
            }),
            "reduced((Order, (1,), 7, iter([1]), iter([('k', 'v')]), setter))",
        ),
        (
            by(|out| {
                out.reduce(
                    &Reduced::newobj(Global::new("shop", "Order"))
                        .arg(1)
                        .arg("a")
                        .state(Vec::<i32>::new()),
                )
            }),
            "new(1, 'a')",
        ),
        (
            by(|out| {
                out.reduce(
                    &Reduced::newobj(Global::new("shop", "Order"))
                        .arg(1)
                        .kwarg("key", "k")
                        .kwarg("other", 2),
                )
            }),
            "new_ex(1, key='k', other=2)",
        ),
    ]
}

const SCRIPT: &str = "
import collections, copyreg, decimal, io, pickle, pickletools, sys, types

class Order:
    pass

Order.__module__ = 'shop'
sys.modules['shop'] = shop = types.ModuleType('shop')
shop.Order = Order

def setter(obj, state):
    pass

setter.__module__ = 'shop'
shop.setter = setter
inf = float('inf')

def order(i):
    self = Order()
    self.id, self.customer, self.total = i, f'customer {i}', i / 4
    self.tags = [f'tag {i} {tag}' for tag in range(i % 4)]
    return self

def orders(count):
    return [order(i) for i in range(count)]

class Shown:
    def __init__(self, value):
        self.value = value
    def __reduce__(self):
        return self.value
    # What __newobj__ makes must be of the class.
    __class__ = property(lambda self: Order)

def reduced(value):
    return Shown(value)

def new(*args):
    return Shown((copyreg.__newobj__, (Order, *args), []))

def new_ex(*args, **kwargs):
    return Shown((copyreg.__newobj_ex__, (Order, args, kwargs)))

def deque(items):
    return Shown((collections.deque, (), None, iter(items)))
";

#[test]
fn bytes_as_cpython_writes_them() {
    let trims = common::version() >= (15, 0);
    let values = same();
    let script = format!(
        "{PACK}{SCRIPT}
for text in unpack():
    for protocol in range(6):
        emit(pickle.dumps(eval(text), protocol))
"
    );
    let texts = pack(values.iter().map(|(_, text)| text.as_bytes()));
    let expected = unpack(&python(&script, &texts));
    assert_eq!(expected.len(), 6 * values.len());
    for ((value, text), expected) in values.iter().zip(expected.chunks_exact(6)) {
        for (protocol, expected) in expected.iter().enumerate() {
            // Below, how CPython names `__new__` depends on which class has it.
            if text.starts_with("new_ex") && protocol < 4 {
                continue;
            }
            let written = write(value, protocol as u8, trims);
            let shown = |data: &[u8]| data[..data.len().min(2000)].escape_ascii().to_string();
            assert_eq!(shown(&written), shown(expected), "{text} in protocol {protocol}");
            assert!(written == *expected, "{text} in protocol {protocol}");
        }
    }
}

/// `pickletools.dis` takes each pickle, and finds nothing left on the stack.
#[test]
fn pickletools_takes_all() {
    let script = format!(
        "{PACK}{SCRIPT}
for data in unpack():
    pickletools.dis(data, out=io.StringIO())
    emit('ok')
"
    );
    let mut pickles = Vec::new();
    for (value, _) in same() {
        pickles.extend((0..=5).map(|protocol| write(&value, protocol, false)));
    }
    let found = unpack(&python(&script, &pack(pickles.iter().map(Vec::as_slice))));
    assert_eq!(found.len(), pickles.len());
}

/// What each pickle is to Python, by an expression over `x`.
fn evaluated(cases: &[(Vec<u8>, &str)]) -> Vec<String> {
    let script = format!(
        "{PACK}{SCRIPT}
class Bag:
    def __new__(cls, *args, **kwargs):
        self = object.__new__(cls)
        self.new = args, kwargs
        return self
    def __repr__(self):
        return f'Bag({{self.__dict__}})'
class Items(list): pass
class Entries(dict): pass
def setter(obj, state):
    obj.set = state
for each in (Bag, Items, Entries, setter):
    each.__module__ = 'shop'
    setattr(shop, each.__name__, each)
class Outer:
    class Inner:
        class Deep: pass
shop.Outer = Outer
class Unpickler(pickle.Unpickler):
    def persistent_load(self, pid):
        return ('pid', pid)
items = list(unpack())
for data, text in zip(items[::2], items[1::2]):
    x = Unpickler(io.BytesIO(data), buffers=[b'one', bytearray(b'two')]).load()
    emit(repr(eval(text)))
"
    );
    let items = cases.iter().flat_map(|(data, text)| [data.as_slice(), text.as_bytes()]);
    let found = unpack(&python(&script, &pack(items)));
    found.into_iter().map(|text| String::from_utf8(text).unwrap()).collect()
}

#[test]
fn instances() {
    let bag = || Reduced::newobj(Global::new("shop", "Bag"));
    let values: Vec<(Value, &str, &str)> = vec![
        (by(move |out| out.reduce(&bag())), "x", "Bag({'new': ((), {})})"),
        (by(move |out| out.reduce(&bag().arg(1).arg("a"))), "x", "Bag({'new': ((1, 'a'), {})})"),
        (
            by(move |out| {
                out.reduce(&bag().arg(1).kwarg("k", 2).state(BTreeMap::from([("s", 3)])))
            }),
            "x",
            "Bag({'new': ((1,), {'k': 2}), 's': 3})",
        ),
        (
            by(move |out| {
                let bag = bag().state("s").state_setter(Global::new("shop", "setter"));
                out.tuple(&[&by_ref(&bag), &7])
            }),
            "x",
            "(Bag({'new': ((), {}), 'set': 's'}), 7)",
        ),
        (
            by(|out| {
                let items = Reduced::newobj(Global::new("shop", "Items")).list_items(1..4);
                out.reduce(&items.state(BTreeMap::from([("name", "n")])))
            }),
            "type(x).__name__, x, x.name",
            "('Items', [1, 2, 3], 'n')",
        ),
        (
            by(|out| {
                out.reduce(&Reduced::newobj(Global::new("shop", "Entries")).dict_items([(1, 2)]))
            }),
            "type(x).__name__, x",
            "('Entries', {1: 2})",
        ),
        (
            by(|out| {
                let names = ["Outer", "Outer.Inner", "Outer.Inner.Deep", "Outer.Inner"];
                out.list(names.map(|name| Global::new("shop", name)))
            }),
            "x == [Outer, Outer.Inner, Outer.Inner.Deep, Outer.Inner]",
            "True",
        ),
        (
            by(|out| out.instance("shop", "Order", &[])),
            "type(x).__name__, vars(x)",
            "('Order', {})",
        ),
        (
            by(|out| {
                out.list_with(None, |list| {
                    list.item_with(|out| out.persistent("id"))?;
                    list.item_with(|out| out.persistent("id"))
                })
            }),
            "x",
            "[('pid', 'id'), ('pid', 'id')]",
        ),
    ];
    for protocol in 0..=5 {
        let cases: Vec<_> =
            values.iter().map(|(value, text, _)| (write(value, protocol, false), *text)).collect();
        for ((_, text, expected), found) in values.iter().zip(evaluated(&cases)) {
            assert_eq!(found, *expected, "{text} in protocol {protocol}");
        }
    }
}

fn by_ref<'r>(reduced: &'r Reduced<'_>) -> By<impl Fn(&mut Writer<'_>) -> Result<(), Error> + 'r> {
    By(move |out: &mut Writer<'_>| out.reduce(reduced))
}

#[test]
fn what_is_shared() {
    let list = Rc::new(vec![1, 2]);
    let text: Arc<str> = "shared".into();
    let nothing = Rc::new(());
    let alone = Rc::new(vec![3]);
    let value = (
        (list.clone(), list.clone(), text.clone(), text.clone()),
        (nothing.clone(), nothing, alone, Rc::new(5), Rc::downgrade(&list).upgrade()),
    );
    for protocol in 0..=5 {
        let data = write(&value, protocol, false);
        let found = evaluated(&[(data, "x, x[0][0] is x[0][1] is x[1][4], x[0][2] is x[0][3]")]);
        assert_eq!(
            found[0],
            "((([1, 2], [1, 2], 'shared', 'shared'), (None, None, [3], 5, [1, 2])), True, True)"
        );
    }
}

/// A tree whose nodes know their parents.
struct Tree {
    parent: RefCell<Weak<Tree>>,
    children: RefCell<Vec<Rc<Tree>>>,
}

impl ToPickle for Tree {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        let (parent, children) = (self.parent.borrow().upgrade(), self.children.borrow());
        out.instance("shop", "Order", &[("parent", &parent), ("children", &*children)])
    }
}

#[test]
fn cycles() {
    let tree = || Rc::new(Tree { parent: RefCell::default(), children: RefCell::default() });
    let (root, child) = (tree(), tree());
    *child.parent.borrow_mut() = Rc::downgrade(&root);
    root.children.borrow_mut().push(child);
    for protocol in 0..=5 {
        let data = write(&root, protocol, false);
        let text = "x.parent, x.children[0].parent is x, len(x.children)";
        assert_eq!(evaluated(&[(data, text)])[0], "(None, True, 1)");
    }

    // What would have to be made before itself cannot hold itself.
    struct Knot(RefCell<Option<Rc<Knot>>>);
    impl ToPickle for Knot {
        fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
            out.tuple(&[&*self.0.borrow()])
        }
    }
    let knot = Rc::new(Knot(RefCell::default()));
    *knot.0.borrow_mut() = Some(knot.clone());
    let error = halfsour::to_vec(&knot).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Cycle);
    assert_eq!(error.path().to_string(), "root[0]");
    knot.0.borrow_mut().take();
}

#[test]
fn depth() {
    struct Nested(u32);
    impl ToPickle for Nested {
        fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
            match self.0 {
                0 => out.none(),
                depth => out.list([Nested(depth - 1)]),
            }
        }
    }
    assert!(halfsour::to_vec(&Nested(128)).is_ok());
    let error = halfsour::to_vec(&Nested(129)).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Limit { what: "depth", limit: 128 });
    let mut pickler = Pickler::new().limits(Limits::default().depth(1000));
    assert!(pickler.to_vec(&Nested(1000)).is_ok());
}

/// An object that is its own state, and one that is what it is called with.
#[test]
fn objects_without_end() {
    struct State;
    impl ToPickle for State {
        fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
            out.newobj(&Global::new("m", "State"), &[])?;
            out.build(|out| out.save(self))
        }
    }
    struct Called;
    impl ToPickle for Called {
        fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
            out.call(self, &[])
        }
    }
    common::with_small_stack(|| {
        for value in [&State as &dyn ToPickle, &Called] {
            let error = halfsour::to_vec(value).unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::Limit { what: "depth", limit: 128 });
        }
    });
}

/// No pickle is written that nobody can load. What an object's hash is, its class says.
#[test]
fn keys_without_a_hash() {
    let unhashable: [(Value, &str); 6] = [
        (Box::new(BTreeMap::from([(vec![1], 2)])), "unhashable type: 'list' at root.keys()[...]"),
        (Box::new(vec![BTreeSet::from([vec![1]])]), "unhashable type: 'list' at root[0][0]"),
        (by(|out| out.frozenset([(1, BTreeMap::from([(1, 2)]))])), "unhashable type: 'dict'"),
        (by(|out| out.set([By(|out: &mut Writer<'_>| out.bytearray(b""))])), "'bytearray'"),
        (by(|out| out.set([BTreeSet::from([1])])), "unhashable type: 'set'"),
        (Box::new(BTreeMap::from([(Rc::new(vec![1]), 2)])), "unhashable type: 'list'"),
    ];
    let hashable: [Value; 4] = [
        Box::new(BTreeMap::from([((1, (2,)), vec![vec![1]])])),
        by(|out| {
            let object = |out: &mut Writer<'_>| {
                out.call(&Global::new("builtins", "complex"), &[&1])?;
                out.build(|out| out.tuple(&[&vec![1]]))
            };
            out.set([By(object)])
        }),
        by(|out| {
            out.newobj(&Global::new("collections", "OrderedDict"), &[])?;
            out.set_items([((1, 2), vec![BTreeSet::from([(1, 2)])])])
        }),
        by(|out| {
            out.dict_with(None, |dict| {
                dict.entry(&By(|out: &mut Writer<'_>| out.frozenset([(1,)])), &vec![1])?;
                dict.field("field", &vec![vec![1]])?;
                dict.entry(&1, &BTreeMap::from([(1, BTreeSet::from([1]))]))
            })
        }),
    ];
    for protocol in 0..=5 {
        for (value, expected) in &unhashable {
            let error = Pickler::new().protocol(protocol).to_vec(value).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        for value in &hashable {
            Pickler::new().protocol(protocol).to_vec(value).unwrap();
        }
    }
}

/// What was written before is known to have no hash; so is what a graph stands for.
#[test]
fn shared_keys_and_graphs_without_a_hash() {
    let list = Rc::new(vec![1]);
    let pair = Arc::new((1, vec![1]));
    let graphs =
        [&b"](K\x01K\x02e."[..], b"}.", b"\x8f.", b"](K\x01e\x85.", b"\x96\0\0\0\0\0\0\0\0."];
    let graphs = graphs.map(|data| halfsour::load(data).unwrap());
    for protocol in 0..=5 {
        let refused = |value: &dyn ToPickle| {
            let error = Pickler::new().protocol(protocol).to_vec(value).unwrap_err();
            assert!(error.to_string().contains("unhashable type"), "{error}");
        };
        refused(&(list.clone(), BTreeMap::from([(list.clone(), 1)])));
        refused(&(pair.clone(), BTreeSet::from([pair.clone()])));
        refused(&(pair.clone(), BTreeSet::from([(pair.clone(), 1)])));
        for graph in &graphs {
            refused(&By(|out: &mut Writer<'_>| out.set([graph])));
            refused(&By(|out: &mut Writer<'_>| out.dict([((1, graph), 1)])));
        }
        // Beside or inside of something that has none, a value has a hash all the same.
        let text: Rc<str> = "text".into();
        let value = (vec![text.clone()], text.clone(), BTreeMap::from([(text, (list.clone(), 1))]));
        Pickler::new().protocol(protocol).to_vec(&value).unwrap();
        let graph = halfsour::load(b"(K\x01](K\x02et.").unwrap();
        Pickler::new().protocol(protocol).to_vec(&[&graph]).unwrap();
    }
}

/// A key at fault is shown by an error, but not what is in it, where there may be other such keys.
#[test]
fn keys_in_keys() {
    struct Endless;
    impl ToPickle for Endless {
        fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
            out.newobj(&Global::new("m", "Endless"), &[])?;
            out.build(|out| out.dict_with(Some(1), |dict| dict.entry(self, &1)))
        }
    }
    struct Nested(u32);
    impl ToPickle for Nested {
        fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
            out.newobj(&Global::new("m", "Nested"), &[])?;
            out.build(|out| match self.0 {
                0 => out.dict([(vec![1], 1)]),
                depth => out.dict([(Nested(depth - 1), 1)]),
            })
        }
    }
    common::with_small_stack(|| {
        let error = halfsour::to_vec(&Endless).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Limit { what: "depth", limit: 128 });
        // Each would be shown by itself for each around it: in a time beyond all bounds.
        let error = halfsour::to_vec(&Nested(100)).unwrap_err().to_string();
        assert!(error.starts_with("unhashable type: 'list' at root.keys()[...]"), "{error}");
    });
}

#[test]
fn errors_say_where() {
    let value = BTreeMap::from([(
        "a",
        vec![By(|out: &mut Writer<'_>| {
            out.fields(&[(
                "b",
                &By(|_: &mut Writer<'_>| Err(ErrorKind::Custom("no".into()).into())),
            )])
        })],
    )]);
    let error = halfsour::to_vec(&value).unwrap_err();
    assert_eq!(error.to_string(), "no at root['a'][0].b");
    let error = halfsour::to_vec(&BTreeMap::from([((1, By2), 2)])).unwrap_err();
    assert_eq!(error.path().to_string(), "root.keys()[...][1]");
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct By2;

impl ToPickle for By2 {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.tuple_with(2, |tuple| tuple.item(&1))
    }
}

/// Notes what it is given.
#[derive(Default)]
struct Parts(Vec<Vec<u8>>);

impl io::Write for Parts {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.push(data.to_vec());
        Ok(data.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn files_get_parts() {
    let value = (orders(20_000), "x".repeat(1_000_000), orders(5));
    for protocol in 0..=5 {
        let mut file = Parts::default();
        Pickler::new().protocol(protocol).to_writer(&mut file, &value).unwrap();
        assert!(file.0.concat() == write(&value, protocol, false));
        let longest = file.0.iter().map(Vec::len).filter(|len| *len < 1_000_000).max().unwrap();
        assert!(longest < 70_000, "{longest}");
        assert!(file.0.len() > 10);
    }
    struct Full;
    impl io::Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::new(io::ErrorKind::StorageFull, "full"))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let error = halfsour::to_writer(Full, &1).unwrap_err();
    assert_eq!(
        error.kind(),
        &ErrorKind::Io { kind: io::ErrorKind::StorageFull, text: "full".into() }
    );
    let error = Pickler::new().protocol(6).to_vec(&1).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::UnsupportedProtocol(6));
}

struct Memo(u64);

impl ToPickle for Memo {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.instance("shop", "Order", &[("row", &self.0)])
    }
    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

#[test]
fn hooks() {
    let mut table = DispatchTable::new();
    table.register(|memo: &Memo| {
        Reduced::call(Global::new("builtins", "complex")).arg(memo.0 as f64)
    });
    table.register(|path: &std::time::Duration| {
        let class = Global::new("datetime", "timedelta");
        Reduced::call(class).arg(0).arg(path.as_secs())
    });
    let table = Arc::new(table);
    let hour = std::time::Duration::from_secs(3600);
    let shared = Rc::new(Memo(9));
    let value = (
        Memo(1),
        vec![Memo(2)],
        Some(Box::new(Memo(3))),
        Dispatched(&hour),
        [shared.clone(), shared],
    );
    let mut asked = 0;
    let mut by_id = Pickler::new().dispatch_table(table.clone()).persistent_id(|value| {
        asked += 1;
        let memo = value.downcast_ref::<Memo>().filter(|memo| memo.0 == 2)?;
        Some(Box::new(("memo", memo.0)))
    });
    let mut cases = vec![(by_id.to_vec(&value).unwrap(), "x")];
    drop(by_id);
    assert_eq!(asked, 5);
    for protocol in 0..=5 {
        let mut pickler = Pickler::new().protocol(protocol).dispatch_table(table.clone());
        cases.push((pickler.to_vec(&value).unwrap(), "x, x[4][0] is x[4][1]"));
    }
    let found = evaluated(&cases);
    assert_eq!(
        found[0],
        "((1+0j), [('pid', ('memo', 2))], (3+0j), datetime.timedelta(seconds=3600), [(9+0j), (9+0j)])"
    );
    for found in &found[1..] {
        assert_eq!(
            found,
            "(((1+0j), [(2+0j)], (3+0j), datetime.timedelta(seconds=3600), [(9+0j), (9+0j)]), True)"
        );
    }
    let error = halfsour::to_vec(&Dispatched(&hour)).unwrap_err();
    assert_eq!(error.to_string(), "the dispatch table has no core::time::Duration");

    let mut by_id = Pickler::new().protocol(0).persistent_id(|_| Some(Box::new("row 7")));
    assert_eq!(by_id.to_vec(&Memo(7)).unwrap(), b"Prow 7\n.");
    let mut by_id = Pickler::new().protocol(0).persistent_id(|_| Some(Box::new((1, 2))));
    assert_eq!(by_id.to_vec(&Memo(7)).unwrap_err().kind(), &ErrorKind::PersidNotAscii);
}

#[test]
fn buffers() {
    let value = By(|out: &mut Writer<'_>| {
        out.list_with(None, |list| {
            list.item_with(|out| out.buffer(b"one", true))?;
            list.item_with(|out| out.buffer(b"two", false))?;
            list.item_with(|out| out.buffer(b"in", false))
        })
    });
    let mut taken = Vec::new();
    let data = Pickler::new()
        .buffer_callback(|bytes| {
            let takes = bytes.len() == 3;
            taken.extend(takes.then(|| bytes.to_vec()));
            takes
        })
        .to_vec(&value)
        .unwrap();
    assert_eq!(taken, [b"one", b"two"]);
    let apart = write(&value, 4, false);
    let found = evaluated(&[(data, "x"), (apart, "x")]);
    assert_eq!(found[0], "[b'one', bytearray(b'two'), bytearray(b'in')]");
    assert_eq!(found[1], "[b'one', bytearray(b'two'), bytearray(b'in')]");
}

/// The names of Python 2 and 3 are those of the running Python, as far as the versions agree.
#[test]
fn names_of_python_2() {
    let script = format!(
        "{PACK}
import _compat_pickle as c
names = [*c.NAME_MAPPING, *((module, 'any') for module in c.IMPORT_MAPPING)]
names += [*c.REVERSE_NAME_MAPPING, *((module, 'any') for module in c.REVERSE_IMPORT_MAPPING)]
for module, name in names:
    # What came and went between 3.11 and 3.15.
    if module in ('Tix', 'tkinter.tix', 'CGIHTTPServer') or name in ('ImportCycleError', 'CGIHTTPRequestHandler'):
        continue
    emit(module)
    emit(name)
    for names, modules in ((c.NAME_MAPPING, c.IMPORT_MAPPING), (c.REVERSE_NAME_MAPPING, c.REVERSE_IMPORT_MAPPING)):
        for part in names.get((module, name), (modules.get(module, module), name)):
            emit(part)
"
    );
    let names = unpack(&python(&script, b""));
    let global = |graph: &halfsour::Graph<'_>| {
        let Node::Object(object) = graph.get(graph.root()) else { panic!() };
        let halfsour::graph::Made::Global { module, name } = object.made else { panic!() };
        [module, name].map(|id| match graph.get(id) {
            Node::Str(text) => text.to_string_lossy().into_owned(),
            other => panic!("{other:?}"),
        })
    };
    let mut count = 0;
    for parts in names.chunks_exact(6) {
        let parts: Vec<&str> = parts.iter().map(|part| str::from_utf8(part).unwrap()).collect();
        let [module, name, module3, name3, module2, name2] = *parts else { panic!() };
        let old = format!("\x02c{module}\n{name}\n.").into_bytes();
        let old = [b"\x80", old.as_slice()].concat();
        for (protocol, module, name) in
            [(2, module, name), (3, module3, name3), (5, module3, name3)]
        {
            let written = halfsour::load(&old).unwrap().to_vec(protocol).unwrap();
            assert_eq!(global(&halfsour::load(&written).unwrap()), [module, name]);
        }
        let written = write(&Global::new(module, name), 2, false);
        assert_eq!(global(&halfsour::load(&written).unwrap()), [module2, name2]);
        count += 1;
    }
    assert!(count > 200, "{count}");
}
