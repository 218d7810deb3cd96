//! Numpy's scalars: what an item of an array is by itself.

use std::marker::PhantomData;

use super::dtype::{Dtype, Of, check};
use super::{Element, expected, is_numpy};
use crate::error::Error;
use crate::typed::{Bytes, FromPickle, Item};
use crate::writer::{Global, ToPickle, Writer};

/// A scalar of numpy: `numpy.float64`, `numpy.int32`, `numpy.bool`. Python's own numbers are none.
///
/// ```
/// use halfsour::numpy::Scalar;
/// let mean = Scalar(1.5); // numpy.float64(1.5)
/// let data = halfsour::to_vec(&mean)?;
/// assert_eq!(halfsour::from_slice::<Scalar<f64>>(&data)?, mean);
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scalar<T>(pub T);

/// `scalar(dtype, bytes)`
impl<T: Element> FromPickle<'_> for Scalar<T> {
    fn from_pickle(item: Item<'_, '_>) -> Result<Scalar<T>, Error> {
        if !is_numpy(item, "multiarray", "scalar") {
            return Err(item.expected("a scalar of numpy"));
        }
        let args: Vec<_> = item.args()?.collect();
        let [dtype, bytes] = *args else {
            return Err(item.expected("a scalar of numpy, of 2 arguments"));
        };
        let dtype: Dtype = dtype.read()?;
        check::<T>(dtype)?;
        let bytes = bytes.bytes()?;
        match *T::decode(&bytes, dtype.is_big_endian()) {
            [scalar] if bytes.len() == dtype.itemsize => Ok(Scalar(scalar)),
            _ => Err(expected(format!("{} bytes", dtype.itemsize), bytes.len().to_string())),
        }
    }
}

/// As numpy 2 writes it; numpy 1.26 reads it too.
impl<T: Element> ToPickle for Scalar<T> {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        let function = Global::new("numpy._core.multiarray", "scalar");
        let bytes = bytemuck::bytes_of(&self.0);
        out.call(&function, &[&Of::<T>(PhantomData), &Bytes(bytes)])
    }
}
