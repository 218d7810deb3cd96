//! # Cookbook: short answers to single questions
//!
//! This module holds no code of its own: each recipe is a question, and a program that answers it. To
//! read from top to bottom there is [`_tutorial`](crate::_tutorial).
//!
//! Reading:
//! - [How do I see what is in a file?](#how-do-i-see-what-is-in-a-file)
//! - [How do I read a pickle that names classes I do not have?](#how-do-i-read-a-pickle-that-names-classes-i-do-not-have)
//! - [Which classes does a pickle name?](#which-classes-does-a-pickle-name)
//! - [How do I read a dict of instances into structs?](#how-do-i-read-a-dict-of-instances-into-structs)
//! - [How do I read a value that may be of several types?](#how-do-i-read-a-value-that-may-be-of-several-types)
//! - [How do I read a dict with tuples as keys?](#how-do-i-read-a-dict-with-tuples-as-keys)
//! - [How do I read a class that was renamed?](#how-do-i-read-a-class-that-was-renamed)
//! - [How do I read what Django pickles?](#how-do-i-read-what-django-pickles)
//! - [How do I read a task of Celery?](#how-do-i-read-a-task-of-celery)
//! - [How do I read a frame of pandas?](#how-do-i-read-a-frame-of-pandas)
//! - [How do I read untrusted input?](#how-do-i-read-untrusted-input)
//! - [How do I tell where in the data an error is?](#how-do-i-tell-where-in-the-data-an-error-is)
//! - [How do I read Python 2's pickles?](#how-do-i-read-python-2s-pickles)
//! - [How do I read one pickle after another from a socket?](#how-do-i-read-one-pickle-after-another-from-a-socket)
//!
//! Writing:
//! - [How do I rename a class in a pickle?](#how-do-i-rename-a-class-in-a-pickle)
//! - [How do I pickle a type that I do not own?](#how-do-i-pickle-a-type-that-i-do-not-own)
//! - [How do I keep it that several places share an Arc?](#how-do-i-keep-it-that-several-places-share-an-arc)
//! - [How do I write for an older Python?](#how-do-i-write-for-an-older-python)
//! - [How do I keep large buffers out of the pickle?](#how-do-i-keep-large-buffers-out-of-the-pickle)
//! - [How do I convert a pickle to JSON?](#how-do-i-convert-a-pickle-to-json)
//!
//! Types:
//! - [What is a Python enum?](#what-is-a-python-enum)
//! - [What is an exception?](#what-is-an-exception)
//! - [What is a datetime with a timezone?](#what-is-a-datetime-with-a-timezone)
//! - [What are bytes?](#what-are-bytes)
//! - [What is an int of any size?](#what-is-an-int-of-any-size)
//!
//! # How do I see what is in a file?
//!
//! [`dis`](crate::dis::dis) prints a pickle opcode by opcode; from a shell, `halfsour dis FILE` does.
//! With [`annotate`](crate::dis::Disassembler::annotate), each line says what its opcode does. Nothing
//! is run.
//!
//! ```
//! use halfsour::dis::Disassembler;
//!
//! // pickle.dumps(["dill"], 2)
//! let data = b"\x80\x02]q\0X\x04\0\0\0dillq\x01a.";
//! let mut text = Vec::new();
//! Disassembler::new().annotate(40).dis(data, &mut text)?;
//! # let text = String::from_utf8(text).unwrap();
//! # assert!(text.contains("BINUNICODE 'dill'"), "{text}");
//! # Ok::<(), halfsour::dis::DisError>(())
//! ```
//!
//! With the feature `serde` a value can be printed whole: see
//! [to JSON](#how-do-i-convert-a-pickle-to-json).
//!
//! # How do I read a pickle that names classes I do not have?
//!
//! [`load`](crate::load) reads any. Then an [`Item`](crate::Item) shows what is there: the class, the
//! attributes, the items.
//!
//! ```
//! use halfsour::Unpickler;
//!
//! // pickle.dumps([cellar.Jar("dill", 1), cellar.Jar("mustard", 2)], 4)
//! let data = b"\x80\x04\x95R\0\0\0\0\0\0\0]\x94(\x8c\x06cellar\x94\x8c\x03Jar\
//!     \x94\x93\x94)\x81\x94}\x94(\x8c\x05label\x94\x8c\x04dill\x94\x8c\x06litres\
//!     \x94K\x01ubh\x03)\x81\x94}\x94(h\x06\x8c\x07mustard\x94h\x08K\x02ube.";
//! let graph = halfsour::load(data)?;
//! let lines = Unpickler::new().read(&graph, |item| {
//!     let mut lines = Vec::new();
//!     for jar in item.items()? {
//!         let class = jar.class().ok_or_else(|| jar.expected("an instance"))?;
//!         for (name, value) in jar.state()?.attrs()? {
//!             lines.push(format!("{class}.{} is {}", name.str()?, value.describe()));
//!         }
//!     }
//!     Ok(lines)
//! })?;
//! assert_eq!(lines[1], "cellar.Jar.litres is an int");
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! # Which classes does a pickle name?
//!
//! The nodes of a graph have all of them, also those that the root does not reach.
//!
//! ```
//! use halfsour::graph::{Made, Node};
//! use std::collections::BTreeSet;
//!
//! let data = b"cos\nsystem\n(Vecho gone\ntR0ccellar\nJar\n.";
//! let graph = halfsour::load(data)?;
//! let text = |id| match graph.get(id) {
//!     Node::Str(text) => text.to_string_lossy(),
//!     _ => "?".into(),
//! };
//! let names: BTreeSet<String> = graph
//!     .iter()
//!     .filter_map(|(_, node)| match node {
//!         Node::Object(object) => Some(object.made),
//!         _ => None,
//!     })
//!     .filter_map(|made| match made {
//!         Made::Global { module, name } => Some(format!("{}.{}", text(module), text(name))),
//!         _ => None,
//!     })
//!     .collect();
//! assert!(names.iter().eq(["cellar.Jar", "os.system"]));
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! # How do I read a dict of instances into structs?
//!
//! As a map of the struct: `HashMap`, or `BTreeMap`. Attributes that you do not name are ignored.
//!
//! ```
//! use halfsour::FromPickle;
//! use std::collections::BTreeMap;
//!
//! #[derive(FromPickle, Debug, PartialEq)]
//! #[pickle(module = "cellar")]
//! struct Jar {
//!     litres: f64,
//! }
//!
//! // pickle.dumps({"a": cellar.Jar("dill", 1), "b": cellar.Jar("mustard", 2)}, 4)
//! let data = b"\x80\x04\x95Z\0\0\0\0\0\0\0}\x94(\x8c\x01a\x94\x8c\x06cellar\
//!     \x94\x8c\x03Jar\x94\x93\x94)\x81\x94}\x94(\x8c\x05label\x94\x8c\x04dill\
//!     \x94\x8c\x06litres\x94K\x01ub\x8c\x01b\x94h\x04)\x81\x94}\x94(h\x07\x8c\
//!     \x07mustard\x94h\x09K\x02ubu.";
//! let jars: BTreeMap<&str, Jar> = halfsour::from_slice(data)?;
//! assert_eq!(jars["b"], Jar { litres: 2.0 });
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! Where the dict's order counts, take [`Item::entries`](crate::Item::entries).
//!
//! # How do I read a value that may be of several types?
//!
//! An enum of your own asks the item what it is.
//!
//! ```
//! use halfsour::{Error, FromPickle, Item};
//!
//! #[derive(Debug, PartialEq)]
//! enum Amount {
//!     None,
//!     Litres(f64),
//!     Words(String),
//! }
//!
//! impl FromPickle<'_> for Amount {
//!     fn from_pickle(item: Item<'_, '_>) -> Result<Amount, Error> {
//!         if item.is_none() {
//!             return Ok(Amount::None);
//!         }
//!         let litres = item.float().map(Amount::Litres);
//!         let amount = litres.or_else(|_| item.read().map(Amount::Words));
//!         amount.map_err(|_| item.expected("an amount"))
//!     }
//! }
//!
//! // pickle.dumps([1.5, "a lot", None], 4)
//! let data = b"\x80\x04\x95\x17\0\0\0\0\0\0\0]\x94(G?\xf8\0\0\0\0\0\0\x8c\x05a lot\
//!     \x94Ne.";
//! let amounts: Vec<Amount> = halfsour::from_slice(data)?;
//! assert_eq!(amounts, [Amount::Litres(1.5), Amount::Words("a lot".into()), Amount::None]);
//! # Ok::<(), Error>(())
//! ```
//!
//! Of instances of several classes the derive macro makes one: `#[pickle(classes)]`.
//!
//! # How do I read a dict with tuples as keys?
//!
//! As a map with tuples as keys. Keys are what Python takes for keys: `1`, `1.0` and `True` are one.
//!
//! ```
//! use std::collections::HashMap;
//!
//! // pickle.dumps({("north", 1): "dill", ("north", 2): "mustard"}, 4)
//! let data = b"\x80\x04\x95(\0\0\0\0\0\0\0}\x94(\x8c\x05north\x94K\x01\x86\
//!     \x94\x8c\x04dill\x94h\x01K\x02\x86\x94\x8c\x07mustard\x94u.";
//! let shelves: HashMap<(&str, u32), &str> = halfsour::from_slice(data)?;
//! assert_eq!(shelves[&("north", 2)], "mustard");
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! # How do I read a class that was renamed?
//!
//! In the type, `alias` names what it was before. For one pickle,
//! [`Unpickler::alias`](crate::Unpickler::alias) says so: types need not know of it.
//!
//! ```
//! use halfsour::{FromPickle, Unpickler};
//!
//! #[derive(FromPickle)]
//! #[pickle(module = "cellar.vessels", name = "Jar", alias = "cellar.Jar")]
//! struct Jar {
//!     litres: f64,
//! }
//!
//! // pickle.dumps(cellar.Jar("dill", 1), 4)
//! let data = b"\x80\x04\x954\0\0\0\0\0\0\0\x8c\x06cellar\x94\x8c\x03Jar\x94\
//!     \x93\x94)\x81\x94}\x94(\x8c\x05label\x94\x8c\x04dill\x94\x8c\x06litres\
//!     \x94K\x01ub.";
//! let jar: Jar = halfsour::from_slice(data)?;
//!
//! // pickle.dumps(barrels.Barrel(200), 4)
//! let data = b"\x80\x04\x95(\0\0\0\0\0\0\0\x8c\x07barrels\x94\x8c\x06Barrel\
//!     \x94\x93\x94)\x81\x94}\x94\x8c\x06litres\x94K\xc8sb.";
//! let unpickler = Unpickler::new().alias("barrels.Barrel", "cellar.vessels", "Jar");
//! let barrel: Jar = unpickler.from_slice(data)?;
//! assert_eq!((jar.litres, barrel.litres), (1.0, 200.0));
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! # How do I read what Django pickles?
//!
//! A model's pickle is a call of `model_unpickle` with the names of app and model, and the fields as state:
//! name that function as the class. A `QuerySet` has its models in its attribute `_result_cache`.
//!
//! ```
//! use halfsour::{FromPickle, Unpickler};
//!
//! #[derive(FromPickle, Debug, PartialEq)]
//! #[pickle(module = "django.db.models.base", name = "model_unpickle")]
//! struct Customer {
//!     id: u64,
//!     name: String,
//! }
//!
//! // What Django 4.2 pickles of Customer.objects.get(), in protocol 4
//! let data = b"\x80\x04\x95\xc4\0\0\0\0\0\0\0\x8c\x15django.db.models.base\x94\
//!     \x8c\x0emodel_unpickle\x94\x93\x94\x8c\x04shop\x94\x8c\x08Customer\x94\
//!     \x86\x94\x85\x94R\x94}\x94(\x8c\x06_state\x94h\0\x8c\nModelState\x94\x93\
//!     \x94)\x81\x94}\x94(\x8c\x06adding\x94\x89\x8c\x02db\x94\x8c\x07default\
//!     \x94\x8c\x0cfields_cache\x94}\x94ub\x8c\x02id\x94K\x01\x8c\x04name\x94\
//!     \x8c\x03Ada\x94\x8c\x0f_django_version\x94\x8c\x064.2.30\x94ub.";
//! let customer: Customer = halfsour::from_slice(data)?;
//! assert_eq!(customer, Customer { id: 1, name: "Ada".into() });
//!
//! // Where it is not known which model it is:
//! let graph = halfsour::load(data)?;
//! Unpickler::new().read(&graph, |item| {
//!     let model = item.args()?.next().ok_or_else(|| item.expected("a model"))?;
//!     assert_eq!(model.read::<(String, String)>()?, ("shop".into(), "Customer".into()));
//!     Ok(())
//! })?;
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! # How do I read a task of Celery?
//!
//! The body of a message is a tuple: arguments, keyword arguments, and what follows the task. It is as
//! good as JSON for serde, and for derived types; but a `Signature` is a call of `celery.canvas.signature`
//! with a dict.
//!
#![cfg_attr(feature = "serde", doc = "```")]
#![cfg_attr(not(feature = "serde"), doc = "```ignore")]
//! use halfsour::serde::Instance;
//! use std::collections::HashMap;
//!
//! #[derive(serde::Deserialize)]
//! struct Embed {
//!     callbacks: Option<Vec<Instance<(Signature,)>>>,
//! }
//!
//! #[derive(serde::Deserialize)]
//! struct Signature {
//!     task: String,
//! }
//!
//! // embed = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
//! // pickle.dumps(((7,), {"litres": 0.5}, embed), 4)
//! let data = b"\x80\x04\x95K\0\0\0\0\0\0\0K\x07\x85\x94}\x94\x8c\x06litres\x94\
//!     G?\xe0\0\0\0\0\0\0s}\x94(\x8c\x09callbacks\x94N\x8c\x08errbacks\x94N\x8c\
//!     \x05chain\x94N\x8c\x05chord\x94Nu\x87\x94.";
//! type Body = ((u32,), HashMap<String, f64>, Embed);
//! let ((jar,), options, embed): Body = halfsour::serde::from_slice(data)?;
//! assert_eq!((jar, options["litres"]), (7, 0.5));
//! assert!(embed.callbacks.is_none());
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! # How do I read a frame of pandas?
//!
//! What pandas pickles of a frame are its insides, which differ from version to version: blocks of columns
//! with one dtype. Let Python pickle a dict of arrays instead; with the feature `ndarray` that is a map.
//!
#![cfg_attr(feature = "ndarray", doc = "```")]
#![cfg_attr(not(feature = "ndarray"), doc = "```ignore")]
//! use halfsour::numpy::NdArray;
//! use std::collections::BTreeMap;
//!
//! // In Python: {name: frame[name].to_numpy() for name in frame}
//! let data = b"\x80\x04\x95\xf4\0\0\0\0\0\0\0}\x94(\x8c\x03jar\x94\x8c\x16nump\
//!     y._core.multiarray\x94\x8c\x0c_reconstruct\x94\x93\x94\x8c\x05numpy\x94\
//!     \x8c\x07ndarray\x94\x93\x94K\0\x85\x94C\x01b\x94\x87\x94R\x94(K\x01K\x02\
//!     \x85\x94h\x05\x8c\x05dtype\x94\x93\x94\x8c\x02i4\x94\x89\x88\x87\x94R\
//!     \x94(K\x03\x8c\x01<\x94NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0t\x94b\
//!     \x89C\x08\x01\0\0\0\x02\0\0\0\x94t\x94b\x8c\x06litres\x94h\x04h\x07K\0\
//!     \x85\x94h\x09\x87\x94R\x94(K\x01K\x02\x85\x94h\x0e\x8c\x02f8\x94\x89\x88\
//!     \x87\x94R\x94(K\x03h\x12NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0t\x94b\
//!     \x89C\x10\0\0\0\0\0\0\xe0?\0\0\0\0\0\0\xf0?\x94t\x94bu.";
//! let columns: BTreeMap<&str, NdArray> = halfsour::from_slice(data)?;
//! assert_eq!(columns["jar"].dtype().to_string(), "<i4");
//! assert_eq!(columns["litres"].to_array::<f64>()?.sum(), 1.5);
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! # How do I read untrusted input?
//!
//! As any other: nothing is run, and [`Limits`](crate::Limits) are on. Read it as the type that you
//! expect: all else is an error. Where you know how large it may be, say so.
//!
//! ```
//! use halfsour::{Limits, Unpickler};
//! use std::collections::HashMap;
//!
//! fn settings(data: &[u8]) -> Result<HashMap<String, String>, halfsour::Error> {
//!     let limits = Limits::default().bytes(64 << 10).depth(2);
//!     Unpickler::new().limits(limits).from_slice(data)
//! }
//!
//! assert_eq!(settings(b"}\x8c\x01a\x8c\x01bs.")?["a"], "b");
//! let error = settings(b"cos\nsystem\n(Vecho gone\ntR.").unwrap_err();
//! assert_eq!(error.to_string(), "expected a dict, found an os.system at root");
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! Do not hand such a pickle on to Python: there it runs what it says. What was read into types, and
//! is written again, is yours.
//!
//! # How do I tell where in the data an error is?
//!
//! The text of an [`Error`](crate::Error) says it. [`path`](crate::Error::path) has the steps,
//! [`offset`](crate::Error::offset) the byte where the format is wrong.
//!
//! ```
//! use halfsour::{FromPickle, error::Step};
//!
//! #[derive(FromPickle, Debug)]
//! #[pickle(module = "cellar")]
//! struct Jar {
//!     #[expect(dead_code)]
//!     label: u32,
//! }
//!
//! // pickle.dumps({"a": [cellar.Jar("dill", 1)]}, 4)
//! let data = b"\x80\x04\x95>\0\0\0\0\0\0\0}\x94\x8c\x01a\x94]\x94\x8c\x06cellar\
//!     \x94\x8c\x03Jar\x94\x93\x94)\x81\x94}\x94(\x8c\x05label\x94\x8c\x04dill\
//!     \x94\x8c\x06litres\x94K\x01ubas.";
//! type Jars = std::collections::HashMap<String, Vec<Jar>>;
//! let error = halfsour::from_slice::<Jars>(data).unwrap_err();
//! assert_eq!(error.to_string(), "expected an int, found a str at root['a'][0].label");
//! assert_eq!(error.path().steps().last(), Some(&Step::Attr("label".into())));
//!
//! let error = halfsour::load(&data[..20]).unwrap_err();
//! assert!(error.is_eof()); // there might be more to come
//! ```
//!
//! # How do I read Python 2's pickles?
//!
//! Nobody knows whether a `str` of Python 2 is text. [`OldStr`](crate::typed::OldStr) says in which
//! encoding it would be, as Python's `pickle.loads(data, encoding=...)`; as
//! [`Bytes`](crate::typed::Bytes) it is read in any case. Old names of modules are those of Python 3.
//!
//! ```
//! use halfsour::{Unpickler, typed::{Bytes, OldStr}};
//! use std::collections::HashMap;
//!
//! // Python 2: pickle.dumps({'name': 'sm\xf6r'}, 2)
//! let data = b"\x80\x02}q\x00U\x04nameq\x01U\x04sm\xf6rq\x02s.";
//! let unpickler = Unpickler::new().old_str(OldStr::Latin1);
//! let text: HashMap<String, String> = unpickler.from_slice(data)?;
//! assert_eq!(text["name"], "smör");
//!
//! let raw: HashMap<&str, Bytes> = halfsour::from_slice(data)?;
//! assert_eq!(*raw["name"], b"sm\xf6r");
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! # How do I read one pickle after another from a socket?
//!
//! [`from_reader`](crate::from_reader) reads to the end of a pickle, and leaves what follows in the
//! stream's buffer. So make one `BufReader`, and keep it.
//!
//! ```
//! use std::io::{BufRead, BufReader, Write};
//! use std::net::{TcpListener, TcpStream};
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let mut sender = TcpStream::connect(listener.local_addr()?)?;
//! for label in ["dill", "mustard"] {
//!     sender.write_all(&halfsour::to_vec(label)?)?;
//! }
//! drop(sender);
//!
//! let mut stream = BufReader::new(listener.accept()?.0);
//! let mut labels = Vec::new();
//! while !stream.fill_buf()?.is_empty() {
//!     labels.push(halfsour::from_reader::<String>(&mut stream)?);
//! }
//! assert_eq!(labels, ["dill", "mustard"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Python's `pickle.load` reads such a stream too. Each pickle has a memo of its own. In memory, a
//! [`Reader`](crate::Reader) goes from one to the next without a copy:
//!
//! ```
//! use halfsour::{Reader, SliceSource, Unpickler, graph};
//!
//! let data = [halfsour::to_vec("dill")?, halfsour::to_vec("mustard")?].concat();
//! let mut reader = Reader::new(SliceSource::new(&data));
//! let mut labels: Vec<&str> = Vec::new();
//! while !reader.source().rest().is_empty() {
//!     let graph = graph::load_next(&mut reader)?;
//!     labels.push(Unpickler::new().from_graph(&graph)?);
//! }
//! assert_eq!(labels, ["dill", "mustard"]);
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! # How do I rename a class in a pickle?
//!
//! A type is read under its old name and written under its new one, so one line does it, if all the
//! classes in the pickle have types:
//!
//! ```
//! use halfsour::Pickle;
//!
//! #[derive(Pickle)]
//! #[pickle(module = "cellar.vessels", name = "Jar", alias = "cellar.Jar")]
//! struct Jar {
//!     label: String,
//!     litres: f64,
//! }
//!
//! // pickle.dumps(cellar.Jar("dill", 1), 4)
//! let data = b"\x80\x04\x954\0\0\0\0\0\0\0\x8c\x06cellar\x94\x8c\x03Jar\x94\
//!     \x93\x94)\x81\x94}\x94(\x8c\x05label\x94\x8c\x04dill\x94\x8c\x06litres\
//!     \x94K\x01ub.";
//! let data = halfsour::to_vec(&halfsour::from_slice::<Jar>(data)?)?;
//! assert!(data.windows(14).any(|part| part == b"cellar.vessels"));
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! # How do I pickle a type that I do not own?
//!
//! In a field of a derived type, `with` names a module that reads and writes it:
//!
//! ```
//! use halfsour::Pickle;
//! use std::time::Duration;
//!
//! #[derive(Pickle, Debug, PartialEq)]
//! #[pickle(module = "cellar")]
//! struct Step {
//!     #[pickle(with = seconds)]
//!     lasts: Duration,
//! }
//!
//! /// A float, as `time.sleep` takes; by itself, it would be a `datetime.timedelta`.
//! mod seconds {
//!     use halfsour::{Error, Item, Writer};
//!     use std::time::Duration;
//!
//!     pub fn to_pickle(time: &Duration, out: &mut Writer<'_>) -> Result<(), Error> {
//!         out.float(time.as_secs_f64())
//!     }
//!
//!     pub fn from_pickle(item: Item<'_, '_>) -> Result<Duration, Error> {
//!         Duration::try_from_secs_f64(item.float()?).map_err(|_| item.expected("a length of time"))
//!     }
//! }
//!
//! let step = Step { lasts: Duration::from_millis(1500) };
//! assert_eq!(halfsour::from_slice::<Step>(&halfsour::to_vec(&step)?)?, step);
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! Elsewhere, a [`DispatchTable`](crate::DispatchTable) says how it is written. The features `chrono`,
//! `jiff`, `uuid`, `rust_decimal` and `num-bigint` know the types of these crates.
//!
//! # How do I keep it that several places share an Arc?
//!
//! Nothing is to be done: an `Arc` or `Rc` that is shared in Rust is one object in Python, and what is
//! one object in Python is one `Arc`.
//!
//! ```
//! use std::sync::Arc;
//!
//! let brine: Arc<str> = "two parts of salt".into();
//! let data = halfsour::to_vec(&[Arc::clone(&brine), brine])?;
//! let brines: Vec<Arc<str>> = halfsour::from_slice(&data)?;
//! assert!(Arc::ptr_eq(&brines[0], &brines[1]));
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! An `Arc` without clones is shared with nobody: where references show it twice, it is written twice.
//! Pointers of your own do it with [`Writer::shared`](crate::Writer::shared).
//!
//! # How do I write for an older Python?
//!
//! By the protocol: Python 2 reads 2, Python 3.4 reads 4, Python 3.8 and later read 5.
//!
//! ```
//! let data = halfsour::Pickler::new().protocol(2).to_vec(&["dill"])?;
//! assert_eq!(data, b"\x80\x02]q\0X\x04\0\0\0dillq\x01a.");
//!
//! // What is a pickle already, whatever is in it:
//! let newer = halfsour::to_vec(&["dill"])?;
//! assert_eq!(halfsour::load(&newer)?.to_vec(2)?, data);
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! # How do I keep large buffers out of the pickle?
//!
//! [`Writer::buffer`](crate::Writer::buffer) writes bytes that a callback may take. Who reads the pickle
//! gives them back, in the same order, as in Python: `pickle.loads(data, buffers=buffers)`.
//!
//! ```
//! use halfsour::{Error, FromPickle, Item, Pickler, ToPickle, Unpickler, Writer};
//!
//! #[derive(Debug, PartialEq)]
//! struct Photo<'a>(&'a [u8]);
//!
//! impl ToPickle for Photo<'_> {
//!     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
//!         out.buffer(self.0, true)
//!     }
//! }
//!
//! impl<'a> FromPickle<'a> for Photo<'a> {
//!     fn from_pickle(item: Item<'_, 'a>) -> Result<Photo<'a>, Error> {
//!         item.borrowed_bytes().map(Photo) // not copied
//!     }
//! }
//!
//! let pixels = vec![0xff; 10_000];
//! let mut buffers = Vec::new();
//! let data = Pickler::new()
//!     .buffer_callback(|bytes| {
//!         buffers.push(bytes.to_vec()); // or sends them
//!         true
//!     })
//!     .to_vec(&[Photo(&pixels)])?;
//! assert!(data.len() < 30);
//!
//! let buffers: Vec<&[u8]> = buffers.iter().map(Vec::as_slice).collect();
//! let photos: Vec<Photo<'_>> = Unpickler::new().buffers(&buffers).from_slice(&data)?;
//! assert_eq!(photos, [Photo(&pixels)]);
//! # Ok::<(), Error>(())
//! ```
//!
//! # How do I convert a pickle to JSON?
//!
//! With the feature `serde`: plain data, and instances of which the attributes count, are read as a
//! `serde_json::Value`. JSON knows no bytes, no classes and no sharing. How these are to look is yours
//! to say: [`load`](crate::load) the pickle, and walk the graph.
//!
#![cfg_attr(feature = "serde", doc = "```")]
#![cfg_attr(not(feature = "serde"), doc = "```ignore")]
//! // pickle.dumps({"dill": cellar.Jar("dill", 1)}, 4)
//! let data = b"\x80\x04\x959\0\0\0\0\0\0\0}\x94\x8c\x04dill\x94\x8c\x06cellar\
//!     \x94\x8c\x03Jar\x94\x93\x94)\x81\x94}\x94(\x8c\x05label\x94h\x01\x8c\x06litres\
//!     \x94K\x01ubs.";
//! let value: serde_json::Value = halfsour::serde::from_slice(data)?;
//! assert_eq!(value.to_string(), r#"{"dill":{"label":"dill","litres":1}}"#);
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! # What is a Python enum?
//!
//! A Rust enum of unit variants that derives [`Pickle`](macro@crate::Pickle), with the members' values.
//! Without a type, it is a [`Member`](crate::types::Member).
//!
//! ```
//! use halfsour::Pickle;
//! use halfsour::types::{Member, Name};
//!
//! #[derive(Pickle, Debug, PartialEq)]
//! #[pickle(module = "cellar")]
//! enum Stage {
//!     #[pickle(value = 1)]
//!     Salted,
//!     #[pickle(value = 2)]
//!     Done,
//! }
//!
//! // pickle.dumps(cellar.Stage.DONE, 4)
//! let data = b"\x80\x04\x95\x1a\0\0\0\0\0\0\0\x8c\x06cellar\x94\x8c\x05Stage\
//!     \x94\x93\x94K\x02\x85\x94R\x94.";
//! assert_eq!(halfsour::from_slice::<Stage>(data)?, Stage::Done);
//!
//! let member: Member<i64> = halfsour::from_slice(data)?;
//! assert_eq!(member, Member::Value { class: Name::new("cellar", "Stage"), value: 2 });
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! # What is an exception?
//!
//! An [`Exception`](crate::types::Exception): its class, its arguments, its attributes. Its arguments
//! may be of any type; by default an [`Arg`](crate::types::Arg).
//!
//! ```
//! use halfsour::types::{Arg, Exception};
//!
//! // pickle.dumps(cellar.TooSalty("of jar", 7), 4)
//! let data = b"\x80\x04\x95&\0\0\0\0\0\0\0\x8c\x06cellar\x94\x8c\x08TooSalty\
//!     \x94\x93\x94\x8c\x06of jar\x94K\x07\x86\x94R\x94.";
//! let error: Exception = halfsour::from_slice(data)?;
//! assert_eq!(error.class.to_string(), "cellar.TooSalty");
//! assert_eq!(error.args, [Arg::Str("of jar".into()), Arg::Int(7)]);
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! # What is a datetime with a timezone?
//!
//! A [`DateTime`](crate::types::DateTime) with a zone of the class that Python's has: a
//! [`TimeZone`](crate::types::TimeZone), a [`ZoneInfo`](crate::types::ZoneInfo), or, for either, a
//! [`TzInfo`](crate::types::TzInfo).
//!
//! ```
//! use halfsour::types::{DateTime, TzInfo};
//!
//! // now = datetime.datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Europe/Vienna"))
//! // pickle.dumps([now, now.astimezone(datetime.timezone.utc)], 4)
//! let data = b"\x80\x04\x95\xc3\0\0\0\0\0\0\0]\x94(\x8c\x08datetime\x94\x8c\
//!     \x08datetime\x94\x93\x94C\n\x07\xea\x07\x01\x0c\0\0\0\0\0\x94\x8c\x08builtins\
//!     \x94\x8c\x07getattr\x94\x93\x94\x8c\x08zoneinfo\x94\x8c\x08ZoneInfo\x94\
//!     \x93\x94\x8c\x09_unpickle\x94\x86\x94R\x94\x8c\x0dEurope/Vienna\x94K\x01\
//!     \x86\x94R\x94\x86\x94R\x94h\x03C\n\x07\xea\x07\x01\n\0\0\0\0\0\x94h\x01\
//!     \x8c\x08timezone\x94\x93\x94h\x01\x8c\x09timedelta\x94\x93\x94K\0K\0K\0\
//!     \x87\x94R\x94\x85\x94R\x94\x86\x94R\x94e.";
//! let moments: Vec<DateTime<TzInfo>> = halfsour::from_slice(data)?;
//! let Some(TzInfo::ZoneInfo(zone)) = &moments[0].time.tz else { panic!("another zone") };
//! assert_eq!((zone.key.as_str(), moments[0].time.hour), ("Europe/Vienna", 12));
//! assert!(matches!(moments[1].time.tz, Some(TzInfo::TimeZone(_))));
//! assert_eq!(moments[1].time.hour, 10);
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! To calculate with it, take the feature `jiff`: its `ZonedDateTime` is such a datetime, the same moment,
//! also where clocks are turned back; but protocols 0 to 3 cannot say which of the two it is there, and
//! have the earlier one. The feature `chrono` knows UTC and fixed offsets. Both have types
//! for datetimes without a timezone, which are another thing: these are read from no other.
//!
#![cfg_attr(feature = "jiff", doc = "```")]
#![cfg_attr(not(feature = "jiff"), doc = "```ignore")]
//! use jiff::{Timestamp, ZonedDateTime, civil};
//!
//! // pickle.dumps(datetime.datetime(2026, 10, 25, 2, tzinfo=ZoneInfo("Europe/Vienna"), fold=1), 4)
//! let data = b"\x80\x04\x95\x7f\0\0\0\0\0\0\0\x8c\x08datetime\x94\x8c\x08datetime\
//!     \x94\x93\x94C\n\x07\xea\x8a\x19\x02\0\0\0\0\0\x94\x8c\x08builtins\x94\x8c\
//!     \x07getattr\x94\x93\x94\x8c\x08zoneinfo\x94\x8c\x08ZoneInfo\x94\x93\x94\
//!     \x8c\x09_unpickle\x94\x86\x94R\x94\x8c\x0dEurope/Vienna\x94K\x01\x86\x94R\
//!     \x94\x86\x94R\x94.";
//! let moment: ZonedDateTime = halfsour::from_slice(data)?;
//! assert_eq!(moment.to_string(), "2026-10-25T02:00:00+01:00[Europe/Vienna]");
//! let moment: Timestamp = halfsour::from_slice(data)?;
//! assert_eq!(moment.to_string(), "2026-10-25T01:00:00Z");
//! let error = halfsour::from_slice::<civil::DateTime>(data).unwrap_err();
//! assert!(error.to_string().starts_with("expected a datetime without a timezone"));
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! # What are bytes?
//!
//! `&[u8]` is read from `bytes` and `bytearray`, and so is `Vec<u8>`. What is written of them is a list
//! of ints: [`Bytes`](crate::typed::Bytes), [`ByteArray`](crate::typed::ByteArray), and in a derived
//! type `#[pickle(bytes)]`, say that it is bytes.
//!
//! ```
//! use halfsour::{Pickle, typed::Bytes};
//!
//! #[derive(Pickle, Debug, PartialEq)]
//! #[pickle(dict)]
//! struct Label {
//!     #[pickle(bytes)]
//!     png: Vec<u8>,
//! }
//!
//! let label = Label { png: b"\x89PNG".to_vec() };
//! let data = halfsour::to_vec(&label)?;
//! assert_eq!(halfsour::from_slice::<Label>(&data)?, label);
//!
//! let data = halfsour::to_vec(&Bytes(label.png))?;
//! assert_eq!(halfsour::from_slice::<&[u8]>(&data)?, b"\x89PNG");
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! # What is an int of any size?
//!
//! `i128` and `u128` take the most. Larger ones are a `BigInt` or `BigUint` with the feature
//! `num-bigint`. Without it, [`Node::BigInt`](crate::graph::Node::BigInt) has the bytes, and
//! [`Writer::bigint`](crate::Writer::bigint) writes them.
//!
#![cfg_attr(feature = "num-bigint", doc = "```")]
#![cfg_attr(not(feature = "num-bigint"), doc = "```ignore")]
//! // pickle.dumps(2**200, 4)
//! let data = b"\x80\x04\x95\x1d\0\0\0\0\0\0\0\x8a\x1a\0\0\0\0\0\0\0\0\0\0\0\
//!     \0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01.";
//! let number: num_bigint::BigInt = halfsour::from_slice(data)?;
//! assert_eq!(number.bits(), 201);
//! # Ok::<(), halfsour::Error>(())
//! ```
