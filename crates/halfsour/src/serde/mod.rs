//! Types that implement serde's traits, to and from pickles. Feature `serde`.
//!
//! For plain data this is all one needs: [`from_slice`] reads what Python wrote, [`to_vec`] writes
//! what Python reads. No class is looked up and no code runs. serde has no classes: where they matter,
//! [`Instance`] shows them, and [`ToPickle`](crate::ToPickle) writes them as Python would.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize, PartialEq, Debug)]
//! struct Order<'a> {
//!     id: u64,
//!     customer: &'a str,
//!     #[serde(default)]
//!     note: Option<String>,
//! }
//!
//! // pickle.dumps({"id": 7, "customer": "Ada"})
//! let data = b"\x80\x04\x95\x1c\0\0\0\0\0\0\0}\x94(\x8c\x02id\x94K\x07\x8c\x08customer\x94\x8c\x03Ada\x94u.";
//! let order: Order<'_> = halfsour::serde::from_slice(data)?; // the name is not copied
//! assert_eq!(order, Order { id: 7, customer: "Ada", note: None });
//!
//! let data = halfsour::serde::to_vec(&order)?;
//! assert_eq!(halfsour::serde::from_slice::<Order<'_>>(&data)?, order);
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! # How serde's data model is written
//!
//! | Rust | Python |
//! |---|---|
//! | integers, up to 128 bits | `int` |
//! | `f32`, `f64` | `float` |
//! | `bool` | `bool` |
//! | `char`, `str` | `str` |
//! | bytes, where a type asks for them (`serde_bytes`) | `bytes` |
//! | `()`, `None`, a unit struct | `None` |
//! | `Some(value)`, a newtype struct | the value |
//! | `Vec`, sets: sequences | `list` |
//! | tuples, arrays, tuple structs | `tuple` |
//! | maps | `dict` |
//! | structs | `dict`, by the fields' names |
//! | `Enum::Unit` | `'Unit'` |
//! | `Enum::Newtype(1)` | `{'Newtype': 1}` |
//! | `Enum::Tuple(1, 2)` | `{'Tuple': (1, 2)}` |
//! | `Enum::Struct { x: 1 }` | `{'Struct': {'x': 1}}` |
//!
//! serde's other representations of enums (`tag`, `content`, `untagged`) work as with any
//! self-describing format. The names of fields and variants are written once, and then referred to.
//!
//! # What is read
//!
//! All of the above, and:
//!
//! - An `int` where a float is asked for, if a float can be that number: 2<sup>53</sup> + 1 is an
//!   error, as is 2<sup>24</sup> + 1 for an `f32`. A `float` is rounded to an `f32`, unless that would
//!   make it infinite. But no `float` or
//!   `bool` where an int is asked for, and no int as a `bool`. Where no type asks (`untagged`, `flatten`),
//!   serde itself turns ints into floats, rounded.
//! - `tuple`, `list`, `set`, `frozenset` and `deque` as sequences; `dict`, `OrderedDict`,
//!   `defaultdict` and `Counter` as maps, with keys of any type; `bytes` and `bytearray` as bytes, and
//!   as sequences of `u8`.
//! - `str` with lone surrogates only as bytes, in Python's `utf-8` with `surrogatepass`. A string of
//!   Python 2 as text, if it is UTF-8, or as bytes.
//! - An *instance* as its state: a map or a struct from its attributes, those in slots too. What its
//!   class's own `__getstate__` made is read as what that is. Where a sequence is asked for, the items
//!   of a subclass of `list`, or of a namedtuple; where a map is, the entries of a subclass of `dict`;
//!   where text, bytes or a number are, the value of an instance of a subclass of these, if it has no
//!   attributes besides. A struct takes a list, a tuple or a namedtuple by the order of its fields.
//!   Where nothing says what is asked for (`deserialize_any`), what has both such a value and a state is
//!   an error; of a `list` or a `dict` with attributes, the items or entries are read. An empty one
//!   cannot be told from an instance of any other class, which is its attributes.
//! - A member of a Python enum as a unit variant of its name, or of its value if that is text. To a
//!   pickle that is a call of a class with the value: a name with a capital is taken for that of a
//!   class. As its value it is read only with its class: [`Instance`].
//! - Out-of-band buffers as bytes, with an [`Unpickler`](crate::Unpickler) that has them.
//!
//! What else a call returns is not known, as nothing is called: it is an error that says which
//! function or class it is, unless its state says more, or [`Instance`] shows name and arguments.
//!
//! Data that is shared in the pickle is read again wherever it is; [`Limits`](crate::Limits) say how
//! often, and how deep values may nest: [`Unpickler::deserialize`](crate::Unpickler::deserialize) takes
//! others. What holds itself is
//! [`ErrorKind::Cycle`](crate::ErrorKind::Cycle). An error has a [path](crate::Error::path), and
//! an [offset](crate::Error::offset):
//!
//! ```
//! // pickle.dumps([{"tags": ["new", 5]}], 1)
//! let data = b"]q\0}q\x01X\x04\0\0\0tagsq\x02]q\x03(X\x03\0\0\0newq\x04K\x05esa.";
//! type Orders = Vec<std::collections::HashMap<String, Vec<String>>>;
//! let error = halfsour::serde::from_slice::<Orders>(data).unwrap_err();
//! assert_eq!(error.to_string(), "expected a string, found an int at root[0]['tags'][1]");
//! assert_eq!(error.offset(), Some(31));
//! ```
//!
//! Dates, decimals, fractions and other values of the standard library are calls, so far: see
//! [`Instance`].

mod access;
mod de;
mod error;
mod instance;
mod object;
mod parts;
mod ser;
pub mod value;

pub use de::{Deserializer, from_graph, from_reader, from_slice};
pub use instance::Instance;
pub use ser::{Serde, to_vec, to_writer};
pub use value::Value;
