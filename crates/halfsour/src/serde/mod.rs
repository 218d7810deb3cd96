//! serde's traits.

mod de;
mod error;
mod instance;
mod object;
mod ser;

pub use de::{Deserializer, from_graph, from_reader, from_slice};
pub use instance::Instance;
pub use ser::{Serde, to_vec, to_writer};
