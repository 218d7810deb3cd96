//! What other readers of pickles answer wrongly, or not at all: each case was seen in one of them, and
//! is right here. The pickles are what Python writes.

mod common;

use common::{PACK, python, unpack};
use halfsour::graph::{Effect, Made, Node, Object};
use halfsour::{Graph, NodeId, load};

/// The pickles of one Python expression, in all protocols.
fn dumps(expression: &str) -> Vec<(u8, Vec<u8>)> {
    let script = format!(
        "{PACK}
import array, collections, pickle
class Plain: pass
class Text(str): pass
class Args:
    def __getnewargs__(self): return (7, 'x')
    def __new__(cls, *args): return object.__new__(cls)
class Items(list): pass
Point = collections.namedtuple('Point', 'x y')
def instance():
    obj = Plain()
    obj.x = 1
    return obj
def value():
    return {expression}
obj = value()
for protocol in range(6):
    emit(pickle.dumps(obj, protocol))
"
    );
    (0..).zip(unpack(&python(&script, b""))).collect()
}

/// Loads the expression's pickles and hands each graph to a check.
fn each(expression: &str, check: impl Fn(u8, &Graph<'_>)) {
    let pickles = dumps(expression);
    assert_eq!(pickles.len(), 6);
    for (protocol, data) in pickles {
        check(protocol, &load(&data).unwrap());
    }
}

fn list<'g>(graph: &'g Graph<'_>, id: NodeId) -> &'g [NodeId] {
    match graph.get(id) {
        Node::List(items) | Node::Tuple(items) => items,
        other => panic!("no sequence: {other:?}"),
    }
}

fn ints(graph: &Graph<'_>, ids: &[NodeId]) -> Vec<i64> {
    let int = |id: &NodeId| match graph.get(*id) {
        Node::Int(value) => value,
        other => panic!("no int: {other:?}"),
    };
    ids.iter().map(int).collect()
}

fn text<'g>(graph: &'g Graph<'_>, id: NodeId) -> &'g str {
    match graph.get(id) {
        Node::Str(text) => text.to_str().unwrap(),
        other => panic!("no text: {other:?}"),
    }
}

fn object<'g>(graph: &'g Graph<'_>, id: NodeId) -> Object<'g> {
    match graph.get(id) {
        Node::Object(object) => object,
        other => panic!("no object: {other:?}"),
    }
}

/// The class of an instance, and the arguments of `__new__`.
fn class_and_args<'g>(graph: &'g Graph<'_>, id: NodeId) -> (&'g str, Vec<NodeId>) {
    let (cls, args) = match object(graph, id).made {
        Made::New { cls, args, .. } => (cls, args),
        Made::Call { callable, args } => {
            // copyreg._reconstructor(cls, base, state) and copyreg.__newobj__(cls, *args)
            let args = list(graph, args);
            match name(graph, callable) {
                "_reconstructor" => return (name(graph, args[0]), args[2..].to_vec()),
                "__newobj__" => return (name(graph, args[0]), args[1..].to_vec()),
                other => return (other, args.to_vec()),
            }
        }
        other => panic!("not made by a class: {other:?}"),
    };
    (name(graph, cls), list(graph, args).to_vec())
}

fn name<'g>(graph: &'g Graph<'_>, id: NodeId) -> &'g str {
    match object(graph, id).made {
        Made::Global { name, .. } => text(graph, name),
        other => panic!("no global: {other:?}"),
    }
}

/// The second reference became `{}`, or an instance without its state.
#[test]
fn an_instance_twice() {
    each("(lambda o: [o, o])(instance())", |_, graph| {
        let items = list(graph, graph.root());
        assert_eq!(items[0], items[1]);
        let [Effect::Build(state)] = *object(graph, items[0]).effects else { panic!() };
        assert!(
            matches!(graph.get(state), Node::Dict([[_, value]]) if graph.get(*value) == Node::Int(1))
        );
        assert_eq!(class_and_args(graph, items[0]).0, "Plain");
    });
}

/// The second reference became an empty list, since the items come after the memo entry.
#[test]
fn a_list_twice() {
    each("(lambda a: [a, a])([1, 2])", |_, graph| {
        let items = list(graph, graph.root());
        assert_eq!(items[0], items[1]);
        assert_eq!(ints(graph, list(graph, items[0])), [1, 2]);
    });
}

/// Three references to one tuple were called a recursive structure.
#[test]
fn a_tuple_thrice() {
    each("(lambda t: [t, t, t])(('k', 1, [1]))", |_, graph| {
        let items = list(graph, graph.root());
        assert!(items[0] == items[1] && items[1] == items[2]);
        assert_eq!(ints(graph, list(graph, list(graph, items[0])[2])), [1]);
    });
}

/// Cycles were errors, or became None.
#[test]
fn cycles() {
    each("(lambda a: (a.append(a), a)[1])([])", |_, graph| {
        assert_eq!(list(graph, graph.root()), [graph.root()]);
    });
    each("(lambda a: (a.append((a,)), a[0])[1])([])", |_, graph| {
        let [inner] = *list(graph, graph.root()) else { panic!() };
        assert_eq!(list(graph, inner), [graph.root()]);
    });
}

/// Dicts came sorted, or reversed.
#[test]
fn the_order_of_a_dict() {
    each("{'z': 1, 'a': 2, 'm': 3, 3: 4, None: 5}", |_, graph| {
        let Node::Dict(entries) = graph.get(graph.root()) else { panic!() };
        let values: Vec<NodeId> = entries.iter().map(|[_, value]| *value).collect();
        assert_eq!(ints(graph, &values), [1, 2, 3, 4, 5]);
        assert_eq!(text(graph, entries[0][0]), "z");
    });
}

/// What is given to `__new__` was thrown away: an empty object was left.
#[test]
fn arguments_of_new() {
    each("Point(1, 2)", |protocol, graph| {
        let (class, args) = class_and_args(graph, graph.root());
        // Protocols 0 and 1 give the tuple itself.
        let args = if protocol < 2 { list(graph, args[0]) } else { &args };
        assert_eq!((class, ints(graph, args)), ("Point", vec![1, 2]));
    });
    each("Args()", |protocol, graph| {
        let (class, args) = class_and_args(graph, graph.root());
        assert_eq!(class, "Args");
        // Protocols 0 and 1 do not ask for them.
        if protocol >= 2 {
            assert_eq!(text(graph, args[1]), "x");
        }
    });
    each("Text('safe')", |_, graph| {
        let (class, args) = class_and_args(graph, graph.root());
        assert_eq!((class, text(graph, *args.last().unwrap())), ("Text", "safe"));
    });
}

/// Subclasses of containers, and the collections, were errors.
#[test]
fn containers_of_other_classes() {
    each("Items([1, 2])", |protocol, graph| {
        let (class, args) = class_and_args(graph, graph.root());
        assert_eq!(class, "Items");
        match protocol {
            0 | 1 => assert_eq!(ints(graph, list(graph, args[0])), [1, 2]),
            _ => assert!(matches!(
                object(graph, graph.root()).effects,
                [Effect::Append(_), Effect::Append(_)]
            )),
        }
    });
    each("collections.OrderedDict([('b', 1), ('a', 2)])", |protocol, graph| {
        let (class, args) = class_and_args(graph, graph.root());
        assert_eq!(class, "OrderedDict");
        let effects = object(graph, graph.root()).effects;
        match *effects {
            [Effect::SetItem(key, _), Effect::SetItem(..)] => assert_eq!(text(graph, key), "b"),
            // The oldest protocols may give the items to the class.
            _ => assert!(protocol < 2 && args.len() == 1, "{effects:?}"),
        }
    });
    each("collections.defaultdict(list, a=1)", |_, graph| {
        let (class, args) = class_and_args(graph, graph.root());
        assert_eq!((class, name(graph, args[0])), ("defaultdict", "list"));
        assert!(matches!(object(graph, graph.root()).effects, [Effect::SetItem(..)]));
    });
    each("collections.deque([1, 2], 5)", |_, graph| {
        assert_eq!(class_and_args(graph, graph.root()).0, "deque");
        let effects = object(graph, graph.root()).effects;
        assert!(matches!(effects, [Effect::Append(_), Effect::Append(_)]), "{effects:?}");
    });
}

/// Bytes before protocol 3 are a call, of which the empty ones failed.
#[test]
fn bytes_of_old_protocols() {
    each("[b'', b'a', b'\\xff']", |protocol, graph| {
        let items = list(graph, graph.root());
        if protocol >= 3 {
            assert_eq!(graph.get(items[0]), Node::Bytes(b""));
            assert_eq!(graph.get(items[2]), Node::Bytes(b"\xff"));
        } else {
            assert_eq!(class_and_args(graph, items[0]).0, "bytes");
            assert_eq!(class_and_args(graph, items[2]).0, "encode");
        }
    });
}

/// Escapes of protocol 0 were errors.
#[test]
fn escapes() {
    let graph = load(b"(S'it\\'s'\nS'\\101\\x42\\n'\nl.").unwrap();
    let items = list(&graph, graph.root());
    assert_eq!(graph.get(items[0]), Node::OldStr(b"it's"));
    assert_eq!(graph.get(items[1]), Node::OldStr(b"AB\n"));
}

/// Large ints were errors, as text and as bytes; the sign was lost, or the byte order was wrong.
#[test]
fn numbers() {
    each("[-3000000000, -3000000000.0, 2**63, -2**63, 10**30, 2.5]", |_, graph| {
        let items = list(graph, graph.root());
        assert_eq!(graph.get(items[0]), Node::Int(-3_000_000_000));
        assert_eq!(graph.get(items[1]), Node::Float(-3_000_000_000.0));
        assert_eq!(graph.get(items[2]), Node::BigInt(&[0, 0, 0, 0, 0, 0, 0, 0x80, 0]));
        assert_eq!(graph.get(items[3]), Node::Int(i64::MIN));
        assert_eq!(graph.get(items[4]), Node::BigInt(&(10i128.pow(30)).to_le_bytes()[..13]));
        assert_eq!(graph.get(items[5]), Node::Float(2.5));
    });
    let graph = load(b"I100000000000000000000\n.").unwrap();
    assert!(matches!(graph.get(graph.root()), Node::BigInt(_)));
}

/// Lone surrogates were errors.
#[test]
fn lone_surrogates() {
    each("'a\\udc80'", |_, graph| {
        let Node::Str(text) = graph.get(graph.root()) else { panic!() };
        assert_eq!(text.as_bytes(), b"a\xed\xb2\x80");
        assert_eq!((text.to_str(), &*text.to_string_lossy()), (None, "a\u{fffd}\u{fffd}\u{fffd}"));
    });
}

/// OBJ underflowed the stack.
#[test]
fn old_classes() {
    let graph = load(b"(cm\nOld\nK\x01o(im\nOld\n\x86.").unwrap();
    let [with, without] = *list(&graph, graph.root()) else { panic!() };
    let Made::Inst { cls, args } = object(&graph, with).made else { panic!() };
    assert_eq!((name(&graph, cls), ints(&graph, args)), ("Old", vec![1]));
    assert!(matches!(object(&graph, without).made, Made::Inst { args: [], .. }));
}

/// A type code was lost: `'d'` of an array, as of numpy's dtypes.
#[test]
fn type_codes() {
    each("array.array('d', [1.5])", |protocol, graph| {
        let (_, args) = class_and_args(graph, graph.root());
        let Made::Call { args: all, .. } = object(graph, graph.root()).made else { panic!() };
        let code = if protocol < 3 { args[0] } else { list(graph, all)[1] };
        assert_eq!(text(graph, code), "d");
    });
}

/// Deep pickles ended the process: the stack overflowed when they were read, or dropped.
#[test]
fn depth() {
    let deep = |open: &[u8], close: u8| {
        let n = 1_000_000;
        [open.repeat(n), vec![close; n], vec![b'.']].concat()
    };
    drop(load(&deep(b"(", b'l')).unwrap().clone());
    drop(load(&deep(b"(", b't')).unwrap());
    assert!(load(&[b'['; 100_000]).is_err());
}

/// A few hundred bytes of tuples of tuples took gigabytes; here a node is a node.
#[test]
fn laughs() {
    let mut data = b"K\x01\x85\x94".to_vec();
    for index in 0..40_u8 {
        data.extend([b'h', index, b'h', index, 0x86, 0x94]);
    }
    data.push(b'.');
    let graph = load(&data).unwrap();
    assert!(graph.len() < 60);
    let [left, right] = *list(&graph, graph.root()) else { panic!() };
    assert_eq!(left, right);
}

/// A memo index of nine bytes took 137 GB.
#[test]
fn far_memo_index() {
    assert!(load(b"Nr\xff\xff\xff\xff.").is_ok());
    assert!(load(b"Nr\xff\xff\xff\xff0j\xff\xff\xff\xff.").is_ok());
}

/// A frame that ends inside of an opcode's argument was read on, so readers did not agree.
#[test]
fn several_frames() {
    each("['x' * 70000, ['y' * 300] * 3, list(range(60000))]", |_, graph| {
        let items = list(graph, graph.root());
        assert_eq!(text(graph, items[0]).len(), 70_000);
        assert_eq!(list(graph, items[2]).len(), 60_000);
    });
}
