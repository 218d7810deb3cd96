//! Python's pickle, without Python.
//!
//! What Python pickled is read as Rust types, and the other way round; no Python is needed, and none of
//! what a pickle may tell Python to run is run.
//!
#![cfg_attr(feature = "derive", doc = "```")]
#![cfg_attr(not(feature = "derive"), doc = "```ignore")]
//! use halfsour::Pickle;
//!
//! #[derive(Pickle, Debug, PartialEq)]
//! #[pickle(module = "shop.models", name = "Order")]
//! struct Order {
//!     id: u64,
//!     customer: String,
//!     total: f64,
//!     #[pickle(default)]
//!     note: Option<String>,
//! }
//!
//! let order = Order { id: 7, customer: "Ada".into(), total: 12.5, note: None };
//! let bytes = halfsour::to_vec(&order)?; // Python's pickle.loads gives a shop.models.Order
//! assert_eq!(halfsour::from_slice::<Order>(&bytes)?, order); // as of what Python pickled
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
#![cfg_attr(
    feature = "derive",
    doc = "[`_tutorial`] teaches the crate from here on; [`_cookbook`] answers single questions."
)]
//!
//! # Reading
//! - **Types**: [`from_slice`] and [`from_reader`] for types that are [`FromPickle`]: Rust's own, and
//!   those that derive it. [`Unpickler`] has the settings: limits, persistent ids, buffers, renamed
//!   classes. With the feature `serde`, the module `serde` does the same for types that are
//!   `Deserialize`.
//!   [`types`] has what Python's standard library pickles: dates, Decimals, UUIDs, collections, paths.
//!   With the feature `ndarray`, the module `numpy` has numpy's arrays and scalars: copied, or borrowed
//!   where they are.
//! - **A graph**: [`load`] reads any pickle, whatever classes it names. Sharing and cycles are kept; a
//!   class is a name, an instance a record of how it would be made. [`Graph::to_vec`] gives back the
//!   very bytes that Python wrote.
//! - **Opcodes**: [`Reader`] decodes them one by one, without allocating; [`dis::dis`] prints what
//!   `pickletools.dis` prints; [`Opcode`] is the table of them, as data.
//!
//! ```
//! use halfsour::graph::Node;
//!
//! // pickle.dumps(["spam", 42])
//! let data = b"\x80\x04\x95\x0d\0\0\0\0\0\0\0]\x94(\x8c\x04spam\x94K*e.";
//! let graph = halfsour::load(data)?;
//! let Node::List(items) = graph.get(graph.root()) else { panic!("not a list") };
//! assert_eq!(graph.get(items[1]), Node::Int(42));
//! # Ok::<(), halfsour::Error>(())
//! ```
//!
//! # Writing
//! [`to_vec`] and [`to_writer`] take what is [`ToPickle`]; [`Pickler`] has the settings: protocol (0 to
//! 5), dispatch tables, persistent ids. What they write is what Python would: frames, batches, and a
//! memo, so files are as small.
//!
//! # Hostile pickles
//! No pickle makes this crate run code, panic, overflow the stack, or take memory out of proportion to
//! its size. [`Limits`] bound the rest, by default; reading types of unusual size takes more stack, as
//! [`Limits::depth`] says. An [`Error`] says what is wrong, at which byte, and where in the data.
//!
//! # Your own objects
//! [`Machine`] executes pickles on whatever object model implements [`Heap`]; [`Emitter`] encodes. The
//! `halfsour` extension for CPython stands on these.
//!
//! # Features
//!
//! | | |
//! |---|---|
//! | `std` | all but events and graphs of what is in memory, which need `alloc` alone; on by default, and with each of the others |
//! | `derive` | the derive macros `Pickle`, `FromPickle` and `ToPickle`, the tutorial and the cookbook; on by default |
//! | `serde` | reading and writing of types by serde's traits: the module `serde` |
//! | `chrono` | chrono's dates and times are those of Python's `datetime` |
//! | `jiff` | jiff's too, and its zones those of Python's `zoneinfo` |
//! | `uuid` | the `Uuid` of the crate `uuid` is Python's |
//! | `rust_decimal` | its `Decimal` is Python's |
//! | `num-bigint` | `BigInt` and `BigUint` are Python's `int`, of any size |
//! | `ndarray` | arrays of the crate `ndarray` are numpy's: the module `numpy` |
#![cfg_attr(not(feature = "std"), no_std)]
// Typed reading and writing share what they need with the graph.
#![cfg_attr(not(feature = "std"), allow(dead_code))]
#![forbid(unsafe_code)]

#[macro_use]
extern crate alloc;

#[cfg(feature = "derive")]
pub mod _cookbook;
#[cfg(feature = "derive")]
pub mod _tutorial;
mod compat;
#[cfg(feature = "std")]
pub mod dis;
pub mod emitter;
pub mod error;
#[cfg(feature = "std")]
mod fetch;
pub mod graph;
pub mod heap;
mod limits;
pub mod machine;
pub mod memo;
mod number;
#[cfg(feature = "ndarray")]
pub mod numpy;
pub mod opcode;
pub mod reader;
#[cfg(feature = "serde")]
pub mod serde;
pub mod sink;
#[cfg(feature = "std")]
mod stream;
mod text;
#[cfg(feature = "std")]
pub mod typed;
#[cfg(feature = "std")]
pub mod types;
mod unicode;
#[cfg(feature = "std")]
pub mod writer;

pub use emitter::{Emitter, FRAME_TARGET, Fetch, NUMBERS, Payload, TooLarge};
pub use error::{Error, ErrorKind, Exception, OutOfMemory};
#[cfg(feature = "std")]
pub use graph::load_from;
pub use graph::{Graph, NodeId, load};
#[cfg(feature = "derive")]
pub use halfsour_derive::{FromPickle, Pickle, ToPickle};
pub use heap::Heap;
pub use limits::Limits;
pub use machine::{HIGHEST_PROTOCOL, Machine};
pub use memo::Memo;
pub use opcode::Opcode;
pub use reader::{Frames, Op, Reader, Rules, SliceSource, Source};
pub use sink::{Buffer, Sink};
#[cfg(feature = "std")]
pub use stream::StreamSource;
#[cfg(feature = "std")]
pub use typed::{FromPickle, FromPickleOwned, Item, Unpickler, from_reader, from_slice};
#[cfg(feature = "std")]
pub use writer::{DispatchTable, Dispatched, Global, Pickler, Reduced, ToPickle, Writer};
#[cfg(feature = "std")]
pub use writer::{to_vec, to_writer};
