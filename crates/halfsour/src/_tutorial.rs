//! # Tutorial: from the first pickle to strangers' pickles
//!
//! This module holds no code of its own: it is a text to be read from top to bottom. Each chapter
//! stands on those before it. [`_cookbook`](crate::_cookbook) has short answers to single questions.
//!
//! 1. [The first pickle](#the-first-pickle)
//! 2. [A class of yours](#a-class-of-yours)
//! 3. [Slots, arguments, names](#slots-arguments-names)
//! 4. [Enums, and one of several classes](#enums-and-one-of-several-classes)
//! 5. [Classes that you have no type for](#classes-that-you-have-no-type-for)
//! 6. [The same object twice, and cycles](#the-same-object-twice-and-cycles)
//! 7. [Writing by hand](#writing-by-hand)
//! 8. [Reading by hand](#reading-by-hand)
//! 9. [Persistent ids](#persistent-ids)
//! 10. [Dispatch tables](#dispatch-tables)
//! 11. [Strangers' pickles](#strangers-pickles)
//! 12. [Several pickles in a stream](#several-pickles-in-a-stream)
//! 13. [Opcodes](#opcodes)
//! 14. [serde](#serde)
//!
//! All Python in it is of a module `cellar`, in which there are jars of cucumbers.
//!
//! # The first pickle
//!
//! [`to_vec`](crate::to_vec) pickles a value, [`from_slice`](crate::from_slice) reads a pickle:
//!
//! ```
//! let litres = vec![("gherkins", 1.5), ("cornichons", 0.75)];
//! let data = halfsour::to_vec(&litres)?;
//!
//! let again: Vec<(String, f64)> = halfsour::from_slice(&data)?;
//! assert_eq!(again[0], ("gherkins".to_owned(), 1.5));
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! In Python, `pickle.loads(data)` gives `[("gherkins", 1.5), ("cornichons", 0.75)]`. What Python
//! pickled is read in the same way, whichever protocol it is in:
//!
//! ```
//! use std::collections::HashMap;
//!
//! // pickle.dumps({"gherkins": [1, 2]}, 0)
//! let data = b"(dp0\nVgherkins\np1\n(lp2\nI1\naI2\nas.";
//! let jars: HashMap<&str, Vec<u32>> = halfsour::from_slice(data)?;
//! assert_eq!(jars["gherkins"], [1, 2]);
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! Where pickle and type do not agree, the error says where that is:
//!
//! ```
//! # use std::collections::HashMap;
//! # let data = b"(dp0\nVgherkins\np1\n(lp2\nI1\naI2\nas.";
//! let error = halfsour::from_slice::<HashMap<&str, Vec<bool>>>(data).unwrap_err();
//! assert_eq!(error.to_string(), "expected a bool, found an int at root['gherkins'][0]");
//! ```
//!
//! Rust's types are these of Python:
//!
//! | Rust | Python |
//! |---|---|
//! | integers, up to 128 bits | `int` |
//! | `f32`, `f64` | `float`; an `int` is read too |
//! | `bool` | `bool` |
//! | `String`, `&str`, `char`, `Cow<str>` | `str` |
//! | `()`, `Option::None` | `None` |
//! | `Vec`, `VecDeque`, `[T; N]` | `list`; a `tuple` is read too |
//! | tuples | `tuple`; a `list` is read too |
//! | `HashMap`, `BTreeMap` | `dict`, and what the library has of that kind |
//! | `HashSet`, `BTreeSet` | `set`; a `frozenset` is read too |
//! | [`Bytes`](crate::typed::Bytes), [`ByteArray`](crate::typed::ByteArray) | `bytes`, `bytearray` |
//! | what [`types`](crate::types) has | dates, Decimals, UUIDs, paths, exceptions |
//!
//! A `Vec<u8>` is a list of numbers when it is written, so that all `Vec`s are alike.
//! [`Bytes`](crate::typed::Bytes) says that it is bytes.
//!
//! Text and bytes that are in the pickle as they are can be borrowed from it: `&str` and `&[u8]` are
//! not copied. From a stream nothing can be borrowed: [`from_reader`](crate::from_reader) gives types
//! that own what they have.
//!
//! # A class of yours
//!
//! Most pickles hold instances. This is a class of Python:
//!
//! ```python
//! # cellar.py
//! class Jar:
//!     def __init__(self, label, litres):
//!         self.label = label
//!         self.litres = litres
//! ```
//!
//! The derive macro [`Pickle`](macro@crate::Pickle) says that a struct is this class. What Python calls
//! attributes are its fields:
//!
//! ```
//! use halfsour::Pickle;
//!
//! #[derive(Pickle, Debug, PartialEq)]
//! #[pickle(module = "cellar", name = "Jar")]
//! struct Jar {
//!     label: String,
//!     litres: f64,
//! }
//!
//! // pickle.dumps(cellar.Jar("gherkins", 1.5), 4)
//! let data = b"\x80\x04\x95?\0\0\0\0\0\0\0\x8c\x06cellar\x94\x8c\x03Jar\x94\
//!     \x93\x94)\x81\x94}\x94(\x8c\x05label\x94\x8c\x08gherkins\x94\x8c\x06litres\
//!     \x94G?\xf8\0\0\0\0\0\0ub.";
//! let jar: Jar = halfsour::from_slice(data)?;
//! assert_eq!(jar, Jar { label: "gherkins".into(), litres: 1.5 });
//!
//! // Written, it is what Python would write.
//! let mut pickler = halfsour::Pickler::new().protocol(4);
//! assert_eq!(pickler.to_vec(&jar)?, data);
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! No Python is needed for this, no `__init__` is called, and no module is imported. That a class is
//! there is Python's to find out, when it loads the pickle.
//!
//! Classes change. The attributes of a field say what to do with pickles that are older than it, or
//! newer: here one has a `default`, one has another name in Python, and one is not pickled at all.
//! Attributes that the struct does not have are ignored, unless `deny_unknown` is said of it.
//!
//! ```
//! use halfsour::Pickle;
//!
//! #[derive(Pickle, Debug, PartialEq)]
//! #[pickle(module = "cellar")]
//! struct Jar {
//!     #[pickle(rename = "label")]
//!     name: String,
//!     #[pickle(default)]
//!     opened: Option<u16>,
//!     #[pickle(skip)]
//!     in_hand: bool,
//! }
//!
//! // The same pickle: it knows nothing of opened, but has litres.
//! let data = b"\x80\x04\x95?\0\0\0\0\0\0\0\x8c\x06cellar\x94\x8c\x03Jar\x94\
//!     \x93\x94)\x81\x94}\x94(\x8c\x05label\x94\x8c\x08gherkins\x94\x8c\x06litres\
//!     \x94G?\xf8\0\0\0\0\0\0ub.";
//! let jar: Jar = halfsour::from_slice(data)?;
//! assert_eq!(jar, Jar { name: "gherkins".into(), opened: None, in_hand: false });
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! # Slots, arguments, names
//!
//! How Python pickles an instance depends on its class. The macro has a word for each way:
//!
//! ```python
//! # cellar.py
//! class Shelf:
//!     __slots__ = "name", "room"
//!
//! Recipe = collections.namedtuple("Recipe", "name days")
//!
//! class Celsius(float):
//!     def __new__(cls, degrees, *, scale="C"): ...
//!     def __getnewargs_ex__(self):
//!         return (float(self),), {"scale": "C"}
//! ```
//!
//! ```
//! use halfsour::Pickle;
//!
//! /// Its state is a pair: no dict, and what is in the slots.
//! #[derive(Pickle, Debug, PartialEq)]
//! #[pickle(module = "cellar", slots)]
//! struct Shelf {
//!     name: String,
//!     room: u32,
//! }
//!
//! /// All fields are arguments of `__new__`; there is no state.
//! #[derive(Pickle, Debug, PartialEq)]
//! #[pickle(module = "cellar", newargs)]
//! struct Recipe {
//!     name: String,
//!     days: u32,
//! }
//!
//! /// An argument by its place, and one by its name.
//! #[derive(Pickle, Debug, PartialEq)]
//! #[pickle(module = "cellar")]
//! struct Celsius {
//!     #[pickle(newarg)]
//!     degrees: f64,
//!     #[pickle(newkwarg)]
//!     scale: char,
//! }
//!
//! // pickle.dumps((shelf, Recipe("half sour", 4), Celsius(18)), 4), of a shelf in the north
//! let data = b"\x80\x04\x95\x82\0\0\0\0\0\0\0\x8c\x06cellar\x94\x8c\x05Shelf\
//!     \x94\x93\x94)\x81\x94N}\x94(\x8c\x04name\x94\x8c\x05north\x94\x8c\x04room\
//!     \x94K\x03u\x86\x94bh\0\x8c\x06Recipe\x94\x93\x94\x8c\x09half sour\x94K\
//!     \x04\x86\x94\x81\x94h\0\x8c\x07Celsius\x94\x93\x94G@2\0\0\0\0\0\0\x85\x94}\
//!     \x94\x8c\x05scale\x94\x8c\x01C\x94s\x92\x94\x87\x94.";
//! let (shelf, recipe, celsius) = halfsour::from_slice::<(Shelf, Recipe, Celsius)>(data)?;
//! assert_eq!(shelf, Shelf { name: "north".into(), room: 3 });
//! assert_eq!(recipe, Recipe { name: "half sour".into(), days: 4 });
//! assert_eq!(celsius, Celsius { degrees: 18.0, scale: 'C' });
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! A class that moved keeps its old names as `alias`: they are read, and no more written. Where a field
//! is of a type that is not `FromPickle` and `ToPickle`, or is another thing in Python, a module reads
//! and writes it: `#[pickle(with = path)]`. The [cookbook](crate::_cookbook) shows both.
//!
//! # Enums, and one of several classes
//!
//! An enum without fields is an `enum.Enum`. Its members are known by their values:
//!
//! ```
//! use halfsour::Pickle;
//!
//! #[derive(Pickle, Debug, PartialEq)]
//! #[pickle(module = "cellar")]
//! enum Kind {
//!     #[pickle(value = "half")]
//!     Half, // Kind.HALF in Python
//!     #[pickle(value = "full")]
//!     Full,
//! }
//!
//! // pickle.dumps([Kind.HALF, Kind.FULL], 4)
//! let data = b"\x80\x04\x95/\0\0\0\0\0\0\0]\x94(\x8c\x06cellar\x94\x8c\x04Kind\
//!     \x94\x93\x94\x8c\x04half\x94\x85\x94R\x94h\x03\x8c\x04full\x94\x85\x94R\
//!     \x94e.";
//! assert_eq!(halfsour::from_slice::<Vec<Kind>>(data)?, [Kind::Half, Kind::Full]);
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! Where Python has instances of several classes in one place, Rust has an enum of them. `classes`
//! says so; which variant it is, the instance's class tells:
//!
//! ```
//! use halfsour::Pickle;
//!
//! #[derive(Pickle, Debug, PartialEq)]
//! #[pickle(module = "cellar")]
//! struct Jar {
//!     label: String,
//!     litres: f64,
//! }
//!
//! #[derive(Pickle, Debug, PartialEq)]
//! #[pickle(module = "barrels")]
//! struct Barrel {
//!     litres: f64,
//! }
//!
//! #[derive(Pickle, Debug, PartialEq)]
//! #[pickle(classes)]
//! enum Vessel {
//!     Jar(Jar),
//!     Barrel(Barrel),
//! }
//!
//! // pickle.dumps([cellar.Jar("dill", 1), barrels.Barrel(200)], 4)
//! let data = b"\x80\x04\x95X\0\0\0\0\0\0\0]\x94(\x8c\x06cellar\x94\x8c\x03Jar\
//!     \x94\x93\x94)\x81\x94}\x94(\x8c\x05label\x94\x8c\x04dill\x94\x8c\x06litres\
//!     \x94K\x01ub\x8c\x07barrels\x94\x8c\x06Barrel\x94\x93\x94)\x81\x94}\x94h\
//!     \x08K\xc8sbe.";
//! let vessels: Vec<Vessel> = halfsour::from_slice(data)?;
//! assert_eq!(vessels[1], Vessel::Barrel(Barrel { litres: 200.0 }));
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! Where they are too many for an enum, or not known before the program runs, a
//! [`Registry`](crate::typed::Registry) has them by their names.
//!
//! # Classes that you have no type for
//!
//! [`load`](crate::load) reads any pickle. What comes out is a [`Graph`](crate::Graph): its nodes are
//! Python's values, and what only code could make is an [`Object`](crate::graph::Object), a record of
//! how it would be made and what would be done to it then.
//!
//! ```
//! use halfsour::graph::{Effect, Made, Node};
//!
//! // pickle.dumps(cellar.Jar("gherkins", 1.5), 4)
//! let data = b"\x80\x04\x95?\0\0\0\0\0\0\0\x8c\x06cellar\x94\x8c\x03Jar\x94\
//!     \x93\x94)\x81\x94}\x94(\x8c\x05label\x94\x8c\x08gherkins\x94\x8c\x06litres\
//!     \x94G?\xf8\0\0\0\0\0\0ub.";
//! let graph = halfsour::load(data)?;
//!
//! let Node::Object(jar) = graph.get(graph.root()) else { panic!("no object") };
//! // The class is called by NEWOBJ, without arguments,
//! let Made::New { cls, args, kwargs: None } = jar.made else { panic!("made otherwise") };
//! assert_eq!(graph.get(args), Node::Tuple(&[]));
//! let Node::Object(class) = graph.get(cls) else { panic!("no class") };
//! let Made::Global { module, name } = class.made else { panic!("no global") };
//! let Node::Str(module) = graph.get(module) else { panic!("no text") };
//! assert_eq!(module, "cellar");
//! # let _ = name;
//! // then BUILD sets the state, which is a dict.
//! let [Effect::Build(state)] = *jar.effects else { panic!("no state") };
//! let Node::Dict(attributes) = graph.get(state) else { panic!("no dict") };
//! assert_eq!(attributes.len(), 2);
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! A graph shows all that the pickle says. It is also exact: written back, it is the pickle that was
//! read, byte for byte if CPython wrote it; or the same in another protocol.
//!
//! ```
//! # let data = b"\x80\x04\x95?\0\0\0\0\0\0\0\x8c\x06cellar\x94\x8c\x03Jar\x94\
//!     \x93\x94)\x81\x94}\x94(\x8c\x05label\x94\x8c\x08gherkins\x94\x8c\x06litres\
//!     \x94G?\xf8\0\0\0\0\0\0ub.";
//! # let graph = halfsour::load(data)?;
//! assert_eq!(graph.to_vec(4)?, data);
//! let for_python2 = graph.to_vec(2)?;
//! assert!(for_python2.starts_with(b"\x80\x02ccellar\nJar\n"));
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! Mostly one does not care in which way a jar was made. An [`Item`](crate::Item) is a cursor over a
//! graph that shows what is meant, the same in all protocols: its class, its arguments, its state, its
//! items. [`Unpickler::read`](crate::Unpickler::read) gives the one at the root:
//!
//! ```
//! use halfsour::Unpickler;
//!
//! # let data = b"\x80\x04\x95?\0\0\0\0\0\0\0\x8c\x06cellar\x94\x8c\x03Jar\x94\
//!     \x93\x94)\x81\x94}\x94(\x8c\x05label\x94\x8c\x08gherkins\x94\x8c\x06litres\
//!     \x94G?\xf8\0\0\0\0\0\0ub.";
//! # let graph = halfsour::load(data)?;
//! let (class, litres) = Unpickler::new().read(&graph, |item| {
//!     let class = item.class().map(|class| class.to_string());
//!     let litres = item.state()?.attr("litres")?;
//!     Ok((class, litres.map(|litres| litres.float()).transpose()?))
//! })?;
//! assert_eq!(class.as_deref(), Some("cellar.Jar"));
//! assert_eq!(litres, Some(1.5));
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! # The same object twice, and cycles
//!
//! A pickle knows whether two places hold one object. So does a graph: there they are one
//! [`NodeId`](crate::NodeId). In types, [`Rc`](std::rc::Rc) and [`Arc`](std::sync::Arc) keep it, both
//! when they are read and when they are written; other types get a copy in each place.
//!
//! ```
//! use std::sync::Arc;
//!
//! // brine = [5, 2]; pickle.dumps([brine, brine], 4)
//! let data = b"\x80\x04\x95\x0f\0\0\0\0\0\0\0]\x94(]\x94(K\x05K\x02eh\x01e.";
//! let [one, other]: [Arc<Vec<u8>>; 2] = halfsour::from_slice(data)?;
//! assert!(Arc::ptr_eq(&one, &other));
//!
//! let graph = halfsour::load(data)?;
//! let halfsour::graph::Node::List(brines) = graph.get(graph.root()) else { panic!("no list") };
//! assert_eq!(brines[0], brines[1]);
//!
//! // Written, both are one list again.
//! let data = halfsour::to_vec(&[&one, &other])?;
//! let [one, other]: [Arc<Vec<u8>>; 2] = halfsour::from_slice(&data)?;
//! assert!(Arc::ptr_eq(&one, &other));
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! An object of Python may hold itself. To a graph that is nothing special. A Rust value that owns what
//! it holds cannot do so: reading one is an error, which names the way round.
//!
//! ```
//! use halfsour::{ErrorKind, graph::Node};
//!
//! // jars = []; jars.append(jars); pickle.dumps(jars, 4)
//! let data = b"\x80\x04\x95\x06\0\0\0\0\0\0\0]\x94h\0a.";
//! let graph = halfsour::load(data)?;
//! assert_eq!(graph.get(graph.root()), Node::List(&[graph.root()]));
//!
//! #[derive(halfsour::FromPickle, Debug)]
//! #[pickle(transparent)]
//! struct Jars(#[expect(dead_code)] Vec<Jars>);
//!
//! let error = halfsour::from_slice::<Jars>(data).unwrap_err();
//! assert_eq!(error.kind(), &ErrorKind::Cycle);
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! Trees whose children know their parents, and other data with cycles, are read from the graph: its
//! [`NodeId`](crate::NodeId)s are as good as indexes into a table of yours.
//!
//! # Writing by hand
//!
//! A derived type is a class. What a type is otherwise, [`ToPickle`](crate::ToPickle) says: one method,
//! which hands one value to the [`Writer`](crate::Writer).
//!
//! ```
//! use halfsour::{Error, Global, ToPickle, Writer};
//!
//! struct Days(i64);
//!
//! /// `datetime.timedelta(days)`
//! impl ToPickle for Days {
//!     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
//!         out.call(&Global::new("datetime", "timedelta"), &[&self.0])
//!     }
//! }
//!
//! let data = halfsour::to_vec(&Days(4))?;
//! # assert!(data.ends_with(b"\x8c\x08datetime\x94\x8c\ttimedelta\x94\x93\x94K\x04\x85\x94R\x94."));
//! # Ok::<(), Error>(())
//! ```
//!
//! The writer has a method for each kind of value: [`list`](crate::Writer::list),
//! [`dict`](crate::Writer::dict), [`bytes`](crate::Writer::bytes), [`global`](crate::Writer::global),
//! [`instance`](crate::Writer::instance) and so on. Protocols are its business: where an older one has
//! no opcode for a thing, it writes what CPython writes there.
//!
//! What Python's `__reduce__` returns, a callable, arguments, a state, items, is a
//! [`Reduced`](crate::Reduced):
//!
//! ```
//! use halfsour::{Error, Global, Reduced, ToPickle, Writer};
//! use std::collections::BTreeMap;
//!
//! /// A `collections.Counter` of what is in the cellar, which remembers who counted.
//! struct Stock {
//!     jars: BTreeMap<String, u32>,
//!     by: String,
//! }
//!
//! impl ToPickle for Stock {
//!     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
//!         let counter = Reduced::call(Global::new("collections", "Counter")).arg(&self.jars);
//!         out.reduce(&counter.state(BTreeMap::from([("by", &self.by)])))
//!     }
//! }
//!
//! let stock = Stock { jars: BTreeMap::from([("dill".into(), 3)]), by: "Ada".into() };
//! let data = halfsour::to_vec(&stock)?;
//! # assert!(data.ends_with(b"}\x94\x8c\x04dill\x94K\x03s\x85\x94R\x94}\x94\x8c\x02by\x94\x8c\x03Ada\x94sb."));
//! # Ok::<(), Error>(())
//! ```
//!
//! # Reading by hand
//!
//! [`FromPickle`](crate::FromPickle) is the other direction: one method, which gets an
//! [`Item`](crate::Item), takes it apart, and says what it [expected](crate::Item::expected) where that
//! is not there.
//!
//! ```
//! use halfsour::{Error, FromPickle, Item, types::TimeDelta};
//!
//! #[derive(Debug, PartialEq)]
//! struct Days(i32);
//!
//! impl FromPickle<'_> for Days {
//!     fn from_pickle(item: Item<'_, '_>) -> Result<Days, Error> {
//!         match item.read()? {
//!             TimeDelta { days, seconds: 0, microseconds: 0 } => Ok(Days(days)),
//!             _ => Err(item.expected("a timedelta of whole days")),
//!         }
//!     }
//! }
//!
//! // pickle.dumps(datetime.timedelta(4), 4)
//! let data = b"\x80\x04\x95$\0\0\0\0\0\0\0\x8c\x08datetime\x94\x8c\x09timedelta\
//!     \x94\x93\x94K\x04K\0K\0\x87\x94R\x94.";
//! assert_eq!(halfsour::from_slice::<Days>(data)?, Days(4));
//! # Ok::<(), Error>(())
//! ```
//!
//! A class that is also a list or a dict, or has a `__setstate__` of its own, is easier told by hooks.
//! They have the names of Python's: [`Hooks`](crate::typed::Hooks) for reading,
//! [`Reduce`](crate::typed::Reduce) for writing. [`class!`](crate::class!) makes a type of them.
//!
//! ```
//! use halfsour::typed::{Class, Entries, GetState, Hooks, Item, Items, Reduce, State, Value};
//! use halfsour::Error;
//!
//! /// `class Batch(list)`, with a `day` as an attribute.
//! #[derive(Debug, Default, PartialEq)]
//! struct Batch {
//!     jars: Vec<String>,
//!     day: u16,
//! }
//!
//! impl Class for Batch {
//!     const MODULE: &'static str = "cellar";
//!     const NAME: &'static str = "Batch";
//! }
//!
//! impl Hooks for Batch {
//!     fn new(_: Items<'_, '_>, _: Entries<'_, '_>) -> Result<Batch, Error> {
//!         Ok(Batch::default())
//!     }
//!
//!     fn append(&mut self, jar: Item<'_, '_>) -> Result<(), Error> {
//!         self.jars.push(jar.read()?);
//!         Ok(())
//!     }
//!
//!     fn setstate(&mut self, state: State<'_, '_>) -> Result<(), Error> {
//!         if let Some(day) = state.attr("day")? {
//!             self.day = day.read()?;
//!         }
//!         Ok(())
//!     }
//! }
//!
//! impl Reduce for Batch {
//!     fn getstate(&self) -> GetState<'_> {
//!         GetState::Dict(vec![("day", Box::new(self.day))])
//!     }
//!
//!     fn listitems(&self) -> Option<impl Iterator<Item = Value<'_>>> {
//!         Some(self.jars.iter().map(|jar| Box::new(jar) as Value<'_>))
//!     }
//! }
//!
//! halfsour::class!(Batch);
//!
//! let batch = Batch { jars: vec!["dill".into(), "mustard".into()], day: 3 };
//! let data = halfsour::to_vec(&batch)?;
//! assert_eq!(halfsour::from_slice::<Batch>(&data)?, batch);
//! # Ok::<(), Error>(())
//! ```
//!
//! # Persistent ids
//!
//! Some objects are kept elsewhere: in a database, in a file of their own. Their pickle shall hold no
//! copy, but an id. [`Pickler::persistent_id`](crate::Pickler::persistent_id) is asked about each value;
//! what it returns an id for is written as that id.
//! [`Unpickler::persistent_load`](crate::Unpickler::persistent_load) gets the ids, and returns what they
//! stand for.
//!
//! ```
//! use halfsour::{Pickle, Pickler, Unpickler};
//!
//! #[derive(Pickle, Clone, Debug, PartialEq)]
//! #[pickle(module = "cellar", newargs)]
//! struct Recipe {
//!     name: String,
//!     days: u32,
//! }
//!
//! // What is kept elsewhere.
//! let mut book = vec![
//!     Recipe { name: "half sour".into(), days: 4 },
//!     Recipe { name: "full sour".into(), days: 21 },
//! ];
//!
//! let data = Pickler::new()
//!     .persistent_id(|value| {
//!         let recipe = value.downcast_ref::<Recipe>()?;
//!         let page = book.iter().position(|known| known.name == recipe.name)?;
//!         Some(Box::new(page))
//!     })
//!     .to_vec(&[book[1].clone()])?;
//!
//! book[1].days = 28; // one knows better now
//! let recipes: Vec<Recipe> = Unpickler::new()
//!     .persistent_load(|id| match book.get(id.int::<usize>()?) {
//!         Some(recipe) => Ok(Box::new(recipe.clone())),
//!         None => Err(id.expected("a page of the book")),
//!     })
//!     .from_slice(&data)?;
//! assert_eq!(recipes[0].days, 28);
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! Derived types are asked about, as long as they have no parameters; so is what a
//! [`Persistent`](crate::typed::Persistent) holds, of any type; and what says so in
//! [`as_any`](crate::ToPickle::as_any). The example `persistent_id.rs` shares a database with Python.
//!
//! # Dispatch tables
//!
//! A type of another crate has no `ToPickle`, and yours may be pickled otherwise than it says. A
//! [`DispatchTable`](crate::DispatchTable) has a function for each such type, as
//! `copyreg.dispatch_table` has in Python:
//!
//! ```
//! use halfsour::{Dispatched, DispatchTable, Global, Pickler, Reduced};
//! use std::{sync::Arc, time::Duration};
//!
//! let mut table = DispatchTable::new();
//! table.register(|time: &Duration| {
//!     let timedelta = Reduced::call(Global::new("datetime", "timedelta"));
//!     timedelta.arg(0).arg(time.as_secs()).arg(time.subsec_micros())
//! });
//!
//! // A pickler takes it for itself; picklers that share it take an Arc.
//! let table = Arc::new(table);
//! let times = [Duration::from_secs(5), Duration::from_millis(1)];
//! let data = Pickler::new()
//!     .dispatch_table(Arc::clone(&table))
//!     .to_vec(&[Dispatched(&times[0]), Dispatched(&times[1])])?;
//! # assert_eq!(halfsour::from_slice::<Vec<halfsour::types::TimeDelta>>(&data)?[0].seconds, 5);
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! [`Dispatched`](crate::Dispatched) lends a `ToPickle` to a type that has none: without the table, it
//! is an error. The example `dispatch_table.rs` has one in the fields of a derived type.
//!
//! # Strangers' pickles
//!
//! In Python, loading a pickle may run any code. Here nothing is run, so a pickle of a stranger can do
//! two things only: be wrong, or cost much. What is wrong is an error, with the byte where it is:
//!
//! ```
//! // A list that ends too early.
//! let error = halfsour::load(b"\x80\x04](K\x01").unwrap_err();
//! assert_eq!(error.to_string(), "Ran out of input");
//! assert!(error.is_eof() && error.offset() == Some(6));
//!
//! // os.system("..."): a record of a call, no more.
//! let data = b"cos\nsystem\n(Vecho gone\ntR.";
//! assert!(halfsour::load(data).is_ok());
//! let error = halfsour::from_slice::<String>(data).unwrap_err();
//! assert_eq!(error.to_string(), "expected a str, found an os.system at root");
//! ```
//!
//! What it may cost is bounded by [`Limits`](crate::Limits). They are on from the start; who knows
//! what to expect can make them narrower:
//!
//! ```
//! use halfsour::{Limits, Unpickler};
//!
//! let limits = Limits::default().depth(16).bytes(1 << 20).opcodes(100_000);
//! let unpickler = Unpickler::new().limits(limits);
//! let jars: Vec<&str> = unpickler.from_slice(b"](\x8c\x04dille.")?;
//! assert_eq!(jars, ["dill"]);
//!
//! // A tuple that holds one twice, that holds one twice, ...: in 82 bytes, 2**40 of them.
//! let mut laughs = b")".to_vec();
//! for _ in 0..40 {
//!     laughs.extend(b"2\x86");
//! }
//! laughs.push(b'.');
//!
//! #[derive(halfsour::FromPickle, Debug)]
//! #[pickle(transparent)]
//! struct Tree(#[expect(dead_code)] Vec<Tree>);
//!
//! let error = halfsour::from_slice::<Tree>(&laughs).unwrap_err();
//! assert_eq!(error.kind(), &halfsour::ErrorKind::Limit { what: "expansion", limit: 16 });
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! A graph has no limit of depth, since it is flat. A walk of yours that recurses needs one.
//!
//! # Several pickles in a stream
//!
//! A pickle knows its end. [`from_reader`](crate::from_reader) reads no further, so what comes after it
//! is still there: another pickle, or anything else.
//!
//! ```
//! use std::io::BufRead;
//!
//! let mut file = Vec::new();
//! halfsour::to_writer(&mut file, "gherkins")?;
//! halfsour::to_writer(&mut file, &1.5)?;
//! file.extend(b"and text");
//!
//! let mut file = file.as_slice(); // or a BufReader of a file or a socket
//! let label: String = halfsour::from_reader(&mut file)?;
//! let litres: f64 = halfsour::from_reader(&mut file)?;
//! assert_eq!((label.as_str(), litres), ("gherkins", 1.5));
//! assert_eq!(file.fill_buf().unwrap(), b"and text");
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! Each pickle has its own memo: nothing is shared from one to the next.
//!
//! # Opcodes
//!
//! Below all this is a [`Reader`](crate::Reader), which decodes a pickle opcode by opcode, and makes
//! nothing of it. It is the cheapest way to look for something:
//!
//! ```
//! use halfsour::{Op, Reader, SliceSource};
//!
//! // pickle.dumps(cellar.Jar("gherkins", 1.5), 4)
//! let data = b"\x80\x04\x95?\0\0\0\0\0\0\0\x8c\x06cellar\x94\x8c\x03Jar\x94\
//!     \x93\x94)\x81\x94}\x94(\x8c\x05label\x94\x8c\x08gherkins\x94\x8c\x06litres\
//!     \x94G?\xf8\0\0\0\0\0\0ub.";
//! let mut reader = Reader::new(SliceSource::new(data));
//! let mut texts = Vec::new();
//! loop {
//!     match reader.next()? {
//!         Op::Unicode(text) => texts.push(String::from_utf8_lossy(text).into_owned()),
//!         Op::Stop => break,
//!         _ => {}
//!     }
//! }
//! assert_eq!(texts, ["cellar", "Jar", "label", "gherkins", "litres"]);
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! For people there is [`dis`](crate::dis::dis), which prints what `python -m pickletools` prints:
//!
//! ```
//! let mut text = Vec::new();
//! halfsour::dis::dis(b"\x80\x02]q\0K\x07a.", &mut text)?;
//! assert_eq!(
//!     String::from_utf8(text).unwrap(),
//! r"    0: \x80 PROTO      2
//!     2: ]    EMPTY_LIST
//!     3: q    BINPUT     0
//!     5: K    BININT1    7
//!     7: a    APPEND
//!     8: .    STOP
//! highest protocol among opcodes = 2
//! "
//! );
//! # Ok::<(), halfsour::dis::DisError>(())
//! ```
//!
//! An object model of your own can be loaded by the same [`Machine`](crate::Machine) that makes graphs:
//! it implements [`Heap`](crate::Heap). An [`Emitter`](crate::Emitter) writes opcodes.
//!
//! # serde
//!
//! With the feature `serde`, types that are `Serialize` and `Deserialize` need no derive of this crate.
//! They are plain data then: structs are dicts when they are written. Read are instances too, of any
//! class, as their state.
//!
#![cfg_attr(feature = "serde", doc = "```")]
#![cfg_attr(not(feature = "serde"), doc = "```ignore")]
//! #[derive(serde::Deserialize, Debug, PartialEq)]
//! struct Jar<'a> {
//!     label: &'a str,
//!     litres: f64,
//! }
//!
//! // pickle.dumps(cellar.Jar("gherkins", 1.5), 4)
//! let data = b"\x80\x04\x95?\0\0\0\0\0\0\0\x8c\x06cellar\x94\x8c\x03Jar\x94\
//!     \x93\x94)\x81\x94}\x94(\x8c\x05label\x94\x8c\x08gherkins\x94\x8c\x06litres\
//!     \x94G?\xf8\0\0\0\0\0\0ub.";
//! let jar: Jar<'_> = halfsour::serde::from_slice(data)?;
//! assert_eq!(jar, Jar { label: "gherkins", litres: 1.5 });
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! `serde::Serde` holds such a value where a [`ToPickle`](crate::ToPickle) is wanted. Classes, identity
//! and persistent ids are not serde's: for these, take [`Pickle`](macro@crate::Pickle).
