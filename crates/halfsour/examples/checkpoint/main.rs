//! The tensors of a PyTorch checkpoint: names, dtypes, shapes, and where in the file their bytes are;
//! read without PyTorch, and nothing run.
//!
//! `cargo run --example checkpoint FILE`
//!
//! A checkpoint is a pickle, in which a persistent id stands for each storage: the memory that one or
//! several tensors lie in. What `torch.save` writes today is a zip file, of the pickle and a member
//! for each storage. Up to PyTorch 1.5 it wrote five pickles, the fourth of which is the one, and the
//! bytes of the storages behind them.

mod layouts;
mod storages;
mod walk;

use std::fmt;

use halfsour::typed::Unpickler;
use halfsour::{Error, Limits};

use walk::Name;

/// A tensor, whose bytes are in the file.
#[derive(Debug)]
pub(crate) struct Tensor<'a> {
    pub(crate) name: String,
    pub(crate) dtype: String,
    pub(crate) shape: Vec<usize>,
    /// How many items of the storage are between one and the next, in each dimension.
    pub(crate) strides: Vec<usize>,
    /// From its first item to its last.
    pub(crate) data: &'a [u8],
}

/// `layer.weight: float32 [2, 3], strides [3, 1], 24 bytes`
impl fmt::Display for Tensor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tensor { name, dtype, shape, strides, data } = self;
        write!(f, "{name}: {dtype} {shape:?}, strides {strides:?}, {} bytes", data.len())
    }
}

/// Reads a checkpoint of either layout.
pub(crate) fn tensors(file: &[u8]) -> Result<Vec<Tensor<'_>>, Error> {
    let is_zip = file.starts_with(b"PK");
    let parts = if is_zip { layouts::read_zip(file)? } else { layouts::read_legacy(file)? };
    let mut tensors = Vec::new();
    // A model is a few levels deep, and what holds itself is none: the limit ends the walk.
    Unpickler::new()
        .limits(limits())
        .read(&parts.graph, |item| walk::walk(item, &Name::ROOT, &parts.storages, &mut tensors))?;
    Ok(tensors)
}

/// So many bytes a name may have. Whoever writes a pickle refers to one as often as they like, and here
/// each tensor has a name of its own.
const LONGEST: usize = 1024;

fn limits() -> Limits {
    Limits::default().depth(64).opcodes(50_000_000)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: checkpoint FILE")?;
    let file = std::fs::read(path)?;
    for tensor in tensors(&file)? {
        println!("{tensor}");
    }
    Ok(())
}
