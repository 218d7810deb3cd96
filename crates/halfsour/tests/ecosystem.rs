//! What well-known packages pickle: `ecosystem/make.py` made it, with the packages themselves.
//!
//! Here no package is needed. What Python would load is compared with symbols in the place of classes.
#![cfg(all(feature = "derive", feature = "ndarray", feature = "serde"))]

mod common;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;

use ::serde::Deserialize;
use halfsour::numpy::{NdArray, Scalar};
use halfsour::serde::Instance;
use halfsour::types::{self, Arg, Decimal, Exception, Slice};
use halfsour::{Error, ErrorKind, FromPickle, Item, Unpickler, serde};
use ndarray::{Array1, Array2};

/// dill ends pickles with what it does late: an entry of a dict, which CPython's pickler would write with
/// the dict, and calls of `setattr`, whose results are thrown away. For these a graph has no place.
const LATE: [&str; 4] = ["class.4", "closure.4", "instance.4", "recursive.4"];

/// The names of dill's pickles among these.
fn of_dill(names: &[String]) -> Vec<&str> {
    let name = |path| str::strip_suffix(path, ".pickle")?.rsplit_once("/dill-0.4/");
    names.iter().map(|path| name(path).map_or(path.as_str(), |(_, name)| name)).collect()
}

#[test]
fn packages_are_written_byte_for_byte() {
    let mut differ = Vec::new();
    let pickles = common::ecosystem();
    assert!(pickles.len() > 350, "{}", pickles.len());
    for (name, data) in pickles {
        let protocol = match name.rsplit('.').nth(1).unwrap() {
            "apart" => 5,
            protocol => protocol.parse().unwrap(),
        };
        let graph = halfsour::load(&data).unwrap_or_else(|error| panic!("{name}: {error}"));
        if graph.to_vec(protocol).unwrap() != data {
            differ.push(name);
        }
    }
    assert_eq!(of_dill(&differ), LATE);
}

/// Written in each protocol, they are equal to Python, identities too.
#[test]
fn python_loads_the_same_from_each_protocol() {
    let (names, pickles): (Vec<_>, Vec<_>) = common::ecosystem().into_iter().unzip();
    let expected = common::shown(&pickles);
    for (name, shown) in names.iter().zip(&expected) {
        let shown = String::from_utf8_lossy(shown);
        assert!(!shown.contains("Error: "), "{name}: {shown}");
    }
    for protocol in 0..=5 {
        let write = |data: &Vec<u8>| halfsour::load(data).unwrap().to_vec(protocol).unwrap();
        let written: Vec<Vec<u8>> = pickles.iter().map(write).collect();
        let found = common::shown(&written);
        let differ = (0..names.len()).filter(|index| found[*index] != expected[*index]);
        let differ: Vec<String> = differ.map(|index| names[index].clone()).collect();
        // What comes late in the last one is right again when it is written in time.
        assert_eq!(of_dill(&differ), LATE[..3], "protocol {protocol}");
    }
}

/// As trees of values they are written too, unless they hold themselves, or buffers that are apart.
#[test]
fn packages_become_values() {
    const KNOTS: [&str; 3] = ["/cloudpickle", "/dill", "/sqlalchemy"];
    for (name, data) in common::ecosystem() {
        let value = match halfsour::load(&data).unwrap().to_value() {
            Ok(value) => value,
            Err(error) => {
                assert_eq!(error.kind(), &ErrorKind::Cycle, "{name}");
                assert!(KNOTS.iter().any(|package| name.contains(package)), "{name}");
                continue;
            }
        };
        match halfsour::to_vec(&value) {
            Ok(written) => {
                let again = halfsour::load(&written).unwrap().to_value().unwrap();
                // As text, since NaN is not equal to itself.
                assert_eq!(format!("{again:?}"), format!("{value:?}"), "{name}");
            }
            Err(error) => assert!(name.ends_with(".apart.pickle"), "{name}: {error}"),
        }
    }
}

/// The pickle in this file.
fn read(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ecosystem").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The pickles of a name, whichever their protocols, and the versions of their package. Those with buffers
/// apart are not among them.
fn each(package: &str, name: &str) -> Vec<Vec<u8>> {
    let (folder, name) = (format!("/{package}-"), format!("/{name}."));
    let mut pickles = common::ecosystem();
    pickles.retain(|(path, _)| path.contains(&folder) && path.contains(&name));
    pickles.retain(|(path, _)| !path.ends_with(".apart.pickle"));
    assert!(!pickles.is_empty(), "{package} {name}");
    pickles.into_iter().map(|(_, data)| data).collect()
}

/// What a function makes of each of them; all the same.
fn in_each<T: Debug + PartialEq>(
    package: &str,
    name: &str,
    f: impl Fn(Item<'_, '_>) -> Result<T, Error>,
) -> T {
    let found = each(package, name).into_iter().map(|data| {
        let graph = halfsour::load(&data).unwrap();
        Unpickler::new()
            .read(&graph, &f)
            .unwrap_or_else(|error| panic!("{package}, {name}: {error}"))
    });
    let mut found: Vec<T> = found.collect();
    found.dedup();
    assert_eq!(found.len(), 1, "{package}, {name}: {found:?}");
    found.pop().unwrap()
}

fn class(item: Item<'_, '_>) -> String {
    item.class().map(|class| class.to_string()).unwrap_or_default()
}

fn attr<'g, 'a>(item: Item<'g, 'a>, name: &str) -> Result<Item<'g, 'a>, Error> {
    item.state()?.attr(name)?.ok_or_else(|| item.expected(format!("what has {name}")))
}

/// An argument of the call that made it.
fn arg<'g, 'a>(item: Item<'g, 'a>, index: usize) -> Result<Item<'g, 'a>, Error> {
    item.args()?.nth(index).ok_or_else(|| item.expected("a call with more arguments"))
}

/// The columns of a frame: their names, and in which row of which array of numpy they are.
fn columns<'g, 'a>(frame: Item<'g, 'a>) -> Result<BTreeMap<String, (Item<'g, 'a>, usize)>, Error> {
    let manager = attr(frame, "_mgr")?;
    let names = names(arg(manager, 1)?.get(0)?)?;
    let mut columns = BTreeMap::new();
    for block in arg(manager, 0)?.items()? {
        let Slice { start, stop, step } = arg(block, 1)?.read::<Slice<usize>>()?;
        for (row, column) in (start..stop).step_by(step).enumerate() {
            columns.insert(names[column].clone(), (arg(block, 0)?, row));
        }
    }
    Ok(columns)
}

/// The texts of an index: in an array of objects, or, one after the other, in a buffer of Arrow.
fn names(index: Item<'_, '_>) -> Result<Vec<String>, Error> {
    let data = arg(index, 1)?.entries()?.next().unwrap().1;
    if let Some(array) = data.state()?.value().filter(|state| state.get(4).is_ok()) {
        return array.get(4)?.read();
    }
    let [_type, len, _nulls, _offset, buffers, ..] =
        arg(attr(data, "_pa_array")?, 0)?.items()?.collect::<Vec<_>>()[..]
    else {
        return Err(data.expected("an array of Arrow"));
    };
    let (ends, text) = (arg(buffers.get(1)?, 0)?.bytes()?, arg(buffers.get(2)?, 0)?.bytes()?);
    let ends: Vec<usize> =
        ends.as_chunks::<8>().0.iter().map(|end| u64::from_le_bytes(*end) as usize).collect();
    let text = |pair: &[usize]| String::from_utf8(text[pair[0]..pair[1]].to_vec()).unwrap();
    Ok(ends[..=len.int()?].windows(2).map(text).collect())
}

#[test]
fn columns_of_pandas() {
    let names = ["jar", "label", "litres", "open", "packed", "shelf"];
    let check = |frame: Item<'_, '_>| {
        assert!(matches!(&*class(frame), "pandas.DataFrame" | "pandas.core.frame.DataFrame"));
        let columns = columns(frame)?;
        assert!(columns.keys().eq(names));
        let column = |name: &str| columns[name];
        let (ints, row) = column("shelf");
        assert_eq!(ints.read::<Array2<i64>>()?.row(row).to_vec(), [7, 8, 9]);
        assert_eq!(ints.id(), column("jar").0.id());
        let (floats, row) = column("litres");
        let floats = floats.read::<Array2<f64>>()?.row(row).to_vec();
        assert!(floats[..2] == [0.5, 1.0] && floats[2].is_nan());
        let (bools, row) = column("open");
        assert_eq!(bools.read::<Array2<bool>>()?.row(row).to_vec(), [true, false, true]);
        // Times are numbers behind a class of their own; the last is none.
        let (times, _) = column("packed");
        assert!(class(times).ends_with("__pyx_unpickle_NDArrayBacked"));
        let times = times.state()?.value().unwrap().get(1)?.read::<NdArray<'_>>()?;
        assert_eq!((times.dtype().kind, times.shape()), ('M', &[1, 3][..]));
        assert_eq!(times.bytes()[16..], i64::MIN.to_le_bytes());
        Ok(())
    };
    in_each("pandas", "frame", check);
    for version in ["2.2", "3.1"] {
        let buffers: Vec<Vec<u8>> = (0..)
            .map(|number| format!("tests/ecosystem/pandas-{version}/frame.apart.{number}.buffer"))
            .map_while(|name| std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).ok())
            .collect();
        let buffers: Vec<&[u8]> = buffers.iter().map(Vec::as_slice).collect();
        let data = read(&format!("pandas-{version}/frame.apart.pickle"));
        let graph = halfsour::load(&data).unwrap();
        Unpickler::new().buffers(&buffers).read(&graph, check).unwrap();
    }
}

#[test]
fn pandas_shares() {
    in_each("pandas", "shared", |list| {
        let [frame, again, index, series, labels] = list.items()?.collect::<Vec<_>>()[..] else {
            panic!("another list");
        };
        assert_eq!(frame.id(), again.id());
        let rows = arg(attr(frame, "_mgr")?, 1)?.get(1)?;
        assert_eq!(index.id(), rows.id());
        assert_eq!(class(arg(index, 0)?).rsplit('.').next(), Some("RangeIndex"));
        // The manager's state: axes, values, and more.
        let manager = attr(series, "_mgr")?.state()?.value().unwrap();
        assert_eq!(manager.get(0)?.get(0)?.id(), labels.id());
        assert_eq!(names(labels)?, ["a", "b"]);
        assert_eq!(manager.get(1)?.get(0)?.read::<Array1<f64>>()?.to_vec(), [1.5, 2.5]);
        Ok(())
    });
}

#[test]
fn functions_of_cloudpickle() {
    let name = |item: Item<'_, '_>| attr(item, "__name__")?.read::<String>();
    let closure = in_each("cloudpickle", "closure", |function| {
        assert_eq!(class(function), "cloudpickle.cloudpickle._make_function");
        let cells = attr(function, "__closure__")?;
        Ok((name(function)?, attr(function, "__doc__")?.read()?, arg(cells.get(0)?, 0)?.read()?))
    });
    assert_eq!(closure, ("step".to_owned(), "Counts on.".to_owned(), 7));
    in_each("cloudpickle", "recursive", |function| {
        let (_, itself) = attr(function, "__globals__")?.entries()?.next().unwrap();
        assert_eq!((itself.id(), &*name(itself)?), (function.id(), "factorial"));
        Ok(())
    });
    in_each("cloudpickle", "mutual", |pair| {
        let (even, odd) = (pair.get(0)?, pair.get(1)?);
        let globals = |function| Ok::<_, Error>(attr(function, "__globals__")?.entries()?.count());
        assert_eq!((globals(even)?, globals(odd)?), (1, 1));
        assert_eq!(arg(even, 1)?.id(), arg(odd, 1)?.id(), "one dict of globals");
        Ok(())
    });
    let sides = in_each("cloudpickle", "instance", |list| {
        let squares: Vec<_> = list.items()?.collect();
        let attrs =
            |item| Ok::<_, Error>((attr(item, "name")?.read()?, attr(item, "side")?.read()?));
        let class = squares[0].graph().children(squares[0].id())[0];
        assert_eq!(class, squares[1].graph().children(squares[1].id())[0]);
        squares.into_iter().map(attrs).collect::<Result<Vec<(String, u8)>, _>>()
    });
    assert_eq!(sides, [("s".to_owned(), 2), ("t".to_owned(), 3)]);
}

/// A model of Django, which says so in the arguments of its class.
#[derive(FromPickle, Clone, Debug, PartialEq)]
#[pickle(module = "django.db.models.base", name = "model_unpickle")]
struct Order {
    id: Option<u32>,
    customer_id: Option<u32>,
    total: Decimal,
    placed: Option<types::DateTime>,
    note: Option<String>,
}

#[test]
fn models_of_django() {
    let first = in_each("django", "model", |model| {
        assert_eq!(arg(model, 0)?.read::<(String, String)>()?, ("shop".into(), "Order".into()));
        assert!(attr(model, "_django_version")?.read::<String>().is_ok());
        model.read::<Order>()
    });
    assert_eq!((first.id, &first.note), (Some(1), &Some("by bike".into())));
    assert_eq!(first.placed.as_ref().unwrap().time.hour, 12);
    let orders = in_each("django", "queryset", |query| {
        assert_eq!(class(query), "django.db.models.query.QuerySet");
        attr(query, "_result_cache")?.read::<Vec<Order>>()
    });
    assert_eq!(orders[0], first);
    assert_eq!(orders[1].total, Decimal("7.00".into()));
    let cached: Vec<Order> =
        in_each("django", "cache", |dict| dict.entries()?.next().unwrap().1.read());
    assert_eq!(orders, cached);
    let customer = in_each("django", "related", |model| {
        let (name, related) =
            attr(attr(model, "_state")?, "fields_cache")?.entries()?.next().unwrap();
        assert_eq!(name.str()?, "customer");
        attr(related, "name")?.read::<String>()
    });
    assert_eq!(customer, "Ada");
}

/// The fields of a model that are plain values, by serde.
#[derive(Deserialize, Debug, PartialEq)]
struct Note {
    customer_id: u32,
    note: Option<String>,
}

#[derive(Deserialize)]
struct Session<'a> {
    #[serde(borrow, rename = "_auth_user_id")]
    user: Cow<'a, str>,
    cart: Vec<BTreeMap<String, u32>>,
}

#[test]
fn django_by_serde() {
    for data in each("django", "model") {
        let note: Note = serde::from_slice(&data).unwrap();
        assert_eq!(note, Note { customer_id: 1, note: Some("by bike".into()) });
    }
    for data in each("django", "session") {
        let session: Session<'_> = serde::from_slice(&data).unwrap();
        assert_eq!((&*session.user, session.cart[0]["jar"]), ("1", 7));
    }
}

#[test]
fn what_django_answers() {
    let (text, cookie) = in_each("django", "template_response", |response| {
        assert_eq!(class(response), "django.template.response.SimpleTemplateResponse");
        let (_, cookie) = attr(response, "cookies")?.dict_items()?.next().unwrap();
        let text = attr(response, "_container")?.get(0)?.bytes()?.into_owned();
        Ok((text, attr(cookie, "value")?.read::<String>()?))
    });
    assert_eq!((&*text, &*cookie), (b"<p>dill</p>".as_slice(), "north"));
    in_each("django", "texts", |list| {
        let lazy = list.get(0)?;
        assert_eq!(class(lazy), "django.utils.functional._lazy_proxy_unpickle");
        assert_eq!(arg(lazy, 1)?.get(0)?.str()?, "Page not found");
        let safe = list.get(1)?;
        assert_eq!(
            (&*class(safe), &*safe.str()?),
            ("django.utils.safestring.SafeString", "<b>dill</b>")
        );
        // Its entries are the last values alone.
        let query = attr(list.get(3)?, "_data")?.read::<BTreeMap<String, Vec<String>>>()?;
        assert_eq!(query["jar"], ["7", "8"]);
        Ok(())
    });
}

#[derive(Deserialize)]
struct Embed {
    callbacks: Option<Vec<Signature>>,
    errbacks: Option<Vec<Signature>>,
    chain: Option<Vec<Signature>>,
    chord: Option<Signature>,
}

/// `signature({...})`
type Signature = Instance<(Task,)>;

#[derive(Deserialize)]
struct Task {
    task: String,
    options: Options,
}

#[derive(Deserialize)]
struct Options {
    task_id: String,
    countdown: Option<u32>,
}

/// The result of a task, as the backends keep it.
#[derive(FromPickle)]
#[pickle(dict)]
struct Failure {
    status: String,
    result: Exception,
    traceback: Option<String>,
    task_id: String,
}

#[test]
fn messages_of_celery() {
    type Body<E> = ((u32,), BTreeMap<String, f64>, E);
    let data = read("celery-5.7/message.4.pickle");
    let ((jar,), options, embed): Body<Embed> = serde::from_slice(&data).unwrap();
    assert_eq!((jar, options["litres"]), (7, 0.5));
    assert!(embed.callbacks.is_none() && embed.chord.is_none());
    let data = read("celery-5.7/message_linked.4.pickle");
    let (_, _, embed): Body<Embed> = serde::from_slice(&data).unwrap();
    let link = &embed.errbacks.unwrap()[0];
    assert_eq!((&*link.module, &*link.name), ("celery.canvas", "signature"));
    let Task { task, options } = &link.value.0;
    assert_eq!(
        (&**task, &*options.task_id, options.countdown),
        ("tasks.count", "task-2", Some(10))
    );
    assert_eq!(embed.chain.unwrap()[0].value.0.options.task_id, "task-2");
    in_each("celery", "message_linked", |body| {
        let [_, errbacks, chain] = ["callbacks", "errbacks", "chain"].map(|wanted| {
            let mut entries = body.get(2).unwrap().entries().unwrap();
            entries.find(|(name, _)| name.str().unwrap() == wanted).unwrap().1
        });
        assert_eq!(errbacks.get(0)?.id(), chain.get(0)?.id());
        Ok(())
    });

    let data = read("celery-5.7/failure.4.pickle");
    let failure: Failure = halfsour::from_slice(&data).unwrap();
    assert_eq!((&*failure.status, &*failure.task_id), ("FAILURE", "task-7"));
    assert_eq!(failure.result.class.to_string(), "tasks.NoSuchJar");
    assert_eq!(failure.result.args, [Arg::Str("no such jar".into()), Arg::Int(7)]);
    assert!(failure.traceback.unwrap().ends_with("tasks.NoSuchJar: ('no such jar', 7)\n"));
    let frame = in_each("celery", "info", |info| {
        assert_eq!(class(info), "billiard.einfo.ExceptionInfo");
        let frame = attr(attr(attr(info, "tb")?, "tb_next")?, "tb_frame")?;
        attr(attr(frame, "f_code")?, "co_name")?.read::<String>()
    });
    assert_eq!(frame, "pack");
}

#[derive(FromPickle)]
#[pickle(module = "sklearn.linear_model._base")]
struct LinearRegression {
    coef_: Array1<f64>,
    intercept_: Scalar<f64>,
    n_features_in_: usize,
}

#[test]
fn models_of_scikit_learn() {
    for data in each("sklearn", "regression") {
        let model: LinearRegression = halfsour::from_slice(&data).unwrap();
        let predicted = model.coef_[0] * 3.0 + model.intercept_.0;
        assert!((predicted - 7.0).abs() < 1e-9 && model.n_features_in_ == 1);
    }
    in_each("sklearn", "tree", |model| {
        let tree = attr(model, "tree_")?;
        assert_eq!(class(tree), "sklearn.tree._tree.Tree");
        assert_eq!(attr(tree, "node_count")?.int::<usize>()?, 3);
        assert_eq!(attr(tree, "nodes")?.read::<NdArray<'_>>()?.shape(), [3]);
        Ok(())
    });
}

/// An instance of attrs; one of pydantic keeps its attributes in its state.
#[derive(FromPickle, Debug, PartialEq)]
#[pickle(module = "kitchen")]
struct Jar {
    label: String,
    litres: f64,
}

#[derive(FromPickle)]
#[pickle(module = "orm")]
struct Shelf {
    id: u32,
    jars: Vec<Row>,
}

#[derive(FromPickle)]
#[pickle(module = "orm", name = "Jar")]
struct Row {
    label: String,
}

#[test]
fn instances_of_attrs_pydantic_and_sqlalchemy() {
    let jar = in_each("attrs", "instances", |list| list.get(0)?.read::<Jar>());
    assert_eq!(jar, Jar { label: "dill".into(), litres: 1.0 });
    in_each("pydantic", "jar", |jar| {
        assert_eq!(class(jar), "kitchen.Jar");
        let fields: BTreeMap<String, Item<'_, '_>> = attr(jar, "__dict__")?
            .entries()?
            .map(|(name, value)| Ok((name.read()?, value)))
            .collect::<Result<_, Error>>()?;
        assert_eq!(fields["label"].str()?, "dill");
        assert_eq!(fields["packed"].read::<types::Date>()?.month, 7);
        Ok(())
    });
    for data in each("sqlalchemy", "shelf") {
        let shelf: Shelf = halfsour::from_slice(&data).unwrap();
        let labels: Vec<&str> = shelf.jars.iter().map(|jar| &*jar.label).collect();
        assert_eq!((shelf.id, &*labels), (1, ["dill", "mustard"].as_slice()));
    }
}

#[derive(FromPickle)]
#[pickle(dict)]
struct Record {
    name: String,
    msg: String,
    levelno: u8,
    created: f64,
    exc_info: Option<String>,
}

#[test]
fn what_the_standard_library_sends() {
    let data = read("python-3.13/log_socket.1.pickle");
    let record: Record = halfsour::from_slice(&data).unwrap();
    assert_eq!((&*record.name, &*record.msg), ("shop.orders", "order 7 of Ada"));
    assert_eq!((record.levelno, record.created, record.exc_info), (30, 1_782_907_200.0, None));
    let data = read("python-3.13/carbon.2.pickle");
    let metrics: Vec<(&str, (f64, f64))> = halfsour::from_slice(&data).unwrap();
    assert_eq!(metrics[1], ("jars.south", (0.0, 8.0)));
    let (name, notes) = in_each("python", "errors", |error| {
        Ok((class(error), attr(error, "__notes__")?.read::<Vec<String>>()?))
    });
    assert_eq!((&*name, &*notes[0]), ("builtins.ExceptionGroup", "mind the lids"));
    let steps = in_each("networkx", "graph", |graph| {
        attr(graph, "_adj")?.read::<BTreeMap<String, BTreeMap<String, BTreeMap<String, u8>>>>()
    });
    assert_eq!(steps["north"]["south"]["steps"], 7);
}
