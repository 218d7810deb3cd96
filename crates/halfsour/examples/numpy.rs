//! Arrays of numpy: read by name whatever they are, and as fields of a type; their bytes stay where
//! they are.
//!
//! `cargo run --example numpy --features ndarray FILE` shows the arrays of a pickled dict, such as
//! `pickle.dump({"weights": numpy.ones((2, 3))}, file)` writes; without a file, those of its own.

use std::collections::BTreeMap;
use std::fmt::Write;

use halfsour::numpy::NdArray;
use halfsour::typed::Unpickler;
use halfsour::{Error, Pickle, Pickler, ToPickle};
use ndarray::{ArrayView2, CowArray, Ix1, array};

/// Names, dtypes and shapes of a dict of arrays.
pub(crate) fn describe(data: &[u8]) -> Result<String, Error> {
    let arrays: BTreeMap<&str, NdArray<'_>> = halfsour::from_slice(data)?;
    let mut text = String::new();
    for (name, array) in &arrays {
        let (dtype, shape, bytes) = (array.dtype(), array.shape(), array.bytes());
        let place =
            if data.as_ptr_range().contains(&bytes.as_ptr()) { "in place" } else { "copied" };
        _ = writeln!(text, "{name}: {dtype} {shape:?}, {} bytes {place}", bytes.len());
    }
    Ok(text)
}

/// What Python has as `camera.Image`, with an array of bytes: they are at home at any address.
#[derive(Pickle, Debug, PartialEq)]
#[pickle(module = "camera", name = "Image")]
pub(crate) struct Image<'a> {
    label: String,
    pixels: ArrayView2<'a, u8>,
}

/// Writes an image, and reads it with its pixels where they were: they are not in the pickle, but in
/// a buffer beside it, as protocol 5 can do.
pub(crate) fn image_apart() -> Result<(), Error> {
    let pixels = array![[0, 64], [128, 255]];
    let image = Image { label: "corner".into(), pixels: pixels.view() };
    let mut buffers: Vec<Vec<u8>> = Vec::new();
    let data = Pickler::new()
        .buffer_callback(|bytes| {
            buffers.push(bytes.to_vec());
            true
        })
        .to_vec(&image)?;

    let buffers: Vec<&[u8]> = buffers.iter().map(Vec::as_slice).collect();
    let copy: Image<'_> = Unpickler::new().buffers(&buffers).from_slice(&data)?;
    assert_eq!(copy, image);
    assert_eq!(copy.pixels.as_ptr(), buffers[0].as_ptr());
    Ok(())
}

/// Wherever numbers of more than a byte begin, they can be summed up: in place if their address is a
/// multiple of their size, else in a copy.
pub(crate) fn sum(data: &[u8]) -> Result<f64, Error> {
    let numbers: CowArray<'_, f64, Ix1> = halfsour::from_slice(data)?;
    Ok(numbers.sum())
}

/// What is shown without a file.
pub(crate) fn sample() -> Result<Vec<u8>, Error> {
    let (weights, labels) = (array![[0.5_f32, 1.0, 1.5], [2.0, 2.5, 3.0]], array![7_i64, 42]);
    let arrays: [(&str, &dyn ToPickle); 2] = [("weights", &weights), ("labels", &labels)];
    halfsour::to_vec(&BTreeMap::from(arrays))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data = match std::env::args_os().nth(1) {
        Some(path) => std::fs::read(path)?,
        None => sample()?,
    };
    print!("{}", describe(&data)?);
    image_apart()?;
    println!("sum: {}", sum(&halfsour::to_vec(&array![0.25, 0.5])?)?);
    Ok(())
}
