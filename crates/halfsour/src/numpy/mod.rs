//! Arrays and scalars of numpy, as those of the crate `ndarray`.
//!
//! An [`Array`](ndarray::Array) is read from what numpy 1 and 2 write, in all protocols, and becomes
//! a `numpy.ndarray` when it is written. An [`ArrayView`](ndarray::ArrayView) borrows its items, a
//! [`CowArray`](ndarray::CowArray) does so where it can, and an [`NdArray`] is for those who do not
//! know what is in an array. Items are numbers, of any byte order and in C's or Fortran's; a shape is
//! believed only if there are as many bytes.
//!
//! ```
//! use ndarray::{Array2, array};
//!
//! let points = array![[0.0, 1.0], [2.0, 3.0]];
//! let data = halfsour::to_vec(&points)?; // Python's pickle.loads gives a numpy.ndarray
//! assert_eq!(halfsour::from_slice::<Array2<f64>>(&data)?, points); // as of what Python pickled
//! # Ok::<(), halfsour::Error>(())
//! ```

mod dtype;
mod element;
mod layout;
mod read;
mod scalar;
mod write;

pub use dtype::Dtype;
pub use element::Element;
pub use read::NdArray;
pub use scalar::Scalar;

use crate::error::{Error, ErrorKind};
use crate::typed::Item;

/// Whether a call is of a function of numpy's core, which is `_core` since numpy 2.
fn is_numpy(item: Item<'_, '_>, module: &str, name: &str) -> bool {
    item.class().is_some_and(|function| {
        let module_of = |core| function.module.strip_prefix(core) == Some(module);
        function.name == name && (module_of("numpy._core.") || module_of("numpy.core."))
    })
}

#[cold]
fn expected(expected: impl Into<String>, found: impl Into<String>) -> Error {
    ErrorKind::Expected { expected: expected.into(), found: found.into() }.into()
}
