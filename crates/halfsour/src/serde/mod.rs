//! serde's traits.

mod de;
mod error;
mod instance;
mod object;

pub use de::{Deserializer, from_graph, from_reader, from_slice};
pub use instance::Instance;
