//! Python's pickle, without Python.
//!
//! This crate reads the pickle format, all 68 opcodes of protocols 0 to 5, and knows nothing of an
//! interpreter. It is what the `halfsour` extension for CPython stands on, and it stands alone:
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
//! - [`load`] reads a pickle into a [`Graph`], in which nothing is run: a class is a name, an
//!   instance a record of how it would be made. Sharing and cycles are kept.
//! - [`dis::dis`] prints what `pickletools.dis` prints.
//! - [`Opcode`] is the table of opcodes, as data.
//! - [`Reader`] decodes opcodes, [`Machine`] executes them on whatever object model implements
//!   [`Heap`]. These three are for those who bring their own objects.
#![forbid(unsafe_code)]

mod compat;
pub mod dis;
pub mod emitter;
pub mod error;
pub mod graph;
pub mod heap;
mod limits;
pub mod machine;
pub mod memo;
mod number;
pub mod opcode;
pub mod reader;
pub mod sink;
mod stream;
mod text;
pub mod typed;
pub mod types;
mod unicode;
pub mod writer;

pub use emitter::{Emitter, FRAME_TARGET, Fetch, NUMBERS, Payload, TooLarge};
pub use error::{Error, ErrorKind, Exception, OutOfMemory};
pub use graph::{Graph, NodeId, load, load_from};
#[cfg(feature = "derive")]
pub use halfsour_derive::{FromPickle, Pickle, ToPickle};
pub use heap::Heap;
pub use limits::Limits;
pub use machine::{HIGHEST_PROTOCOL, Machine};
pub use memo::Memo;
pub use opcode::Opcode;
pub use reader::{Frames, Op, Reader, Rules, SliceSource, Source};
pub use sink::{Buffer, Sink};
pub use stream::StreamSource;
pub use typed::{FromPickle, FromPickleOwned, Item, Unpickler, from_reader, from_slice};
pub use writer::{Global, Pickler, ToPickle, Writer, to_vec, to_writer};
