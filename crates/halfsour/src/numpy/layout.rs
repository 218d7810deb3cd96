//! Where in its bytes an array's items are.

use std::fmt;

use bytemuck::PodCastError;
use bytemuck::checked::{CheckedCastError, try_cast_slice};
use ndarray::{ArrayD, ArrayViewD, IxDyn, Shape, ShapeBuilder};

use super::dtype::{Dtype, check};
use super::{Element, expected};
use crate::error::Error;
use crate::typed::Item;

/// Numpy has no arrays of more dimensions.
const MAX_DIMS: usize = 64;

/// The shape of an array, and the order of its items.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    /// Of the array as it is in its bytes.
    stored: Vec<usize>,
    /// Whether the first index changes fastest, and not the last.
    is_fortran: bool,
    /// Which of the stored dimensions each of the array is; all in their order if there are none.
    axes: Vec<usize>,
    /// Of the array.
    pub(super) shape: Vec<usize>,
}

impl Layout {
    /// From what a pickle says.
    ///
    /// # Errors
    /// If that is no shape, or one of more items than can be.
    pub(super) fn new(shape: Item<'_, '_>, is_fortran: bool) -> Result<Layout, Error> {
        let items = shape.items()?;
        if items.len() > MAX_DIMS {
            let found = format!("one of {}", items.len());
            return Err(expected(format!("an array of at most {MAX_DIMS} dimensions"), found));
        }
        let stored = items.map(Item::int::<usize>).collect::<Result<Vec<_>, _>>()?;
        Ok(Layout { shape: stored.clone(), stored, is_fortran, axes: Vec::new() })
    }

    /// The same with its dimensions in another order.
    ///
    /// # Errors
    /// If that is no order of them.
    pub(super) fn transposed(mut self, axes: Item<'_, '_>) -> Result<Layout, Error> {
        self.axes = axes.items()?.map(Item::int::<usize>).collect::<Result<Vec<_>, _>>()?;
        let mut sorted = self.axes.clone();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..self.stored.len()) {
            return Err(axes.expected("an order of the array's dimensions"));
        }
        let stored = &self.stored;
        self.shape = self.axes.iter().filter_map(|axis| stored.get(*axis).copied()).collect();
        Ok(self)
    }

    pub(super) fn is_fortran(&self) -> bool {
        self.is_fortran
    }

    /// How many bytes there must be; `None` if there are more than can be addressed.
    fn size(&self, itemsize: usize) -> Option<usize> {
        // Dimensions of nothing must not hide that the others are too large.
        let lens = self.stored.iter().filter(|len| **len != 0);
        let size = lens.copied().try_fold(itemsize, usize::checked_mul);
        let size = size.filter(|size| isize::try_from(*size).is_ok())?;
        Some(if self.stored.contains(&0) { 0 } else { size })
    }

    /// Whether so many bytes are as many as there must be.
    pub(super) fn check(&self, dtype: Dtype, len: usize) -> Result<(), Error> {
        if self.size(dtype.itemsize) == Some(len) {
            return Ok(());
        }
        let wanted = format!("as many bytes as an array of {dtype} and shape {self} has");
        Err(expected(wanted, format!("{len} bytes")))
    }

    fn ndarray_shape(&self) -> Shape<IxDyn> {
        IxDyn(&self.stored).set_f(self.is_fortran)
    }

    /// The items where they are.
    pub(super) fn view<'a, T: Element>(
        &self,
        dtype: Dtype,
        bytes: &'a [u8],
    ) -> Result<ArrayViewD<'a, T>, Error> {
        check::<T>(dtype)?;
        self.check(dtype, bytes.len())?;
        if dtype.byteorder != T::dtype().byteorder {
            let wanted = format!("numpy's dtype {}, to borrow it", T::dtype());
            return Err(expected(wanted, dtype.to_string()));
        }
        // Of no bytes, the place does not matter.
        let items = if bytes.is_empty() { Ok([].as_slice()) } else { try_cast_slice(bytes) };
        let items = items.map_err(|error| not_borrowed::<T>(error, bytes))?;
        let view = ArrayViewD::from_shape(self.ndarray_shape(), items).map_err(wrong_shape)?;
        Ok(if self.axes.is_empty() { view } else { view.permuted_axes(IxDyn(&self.axes)) })
    }

    /// The items, decoded.
    pub(super) fn decode<T: Element>(
        &self,
        dtype: Dtype,
        bytes: &[u8],
    ) -> Result<ArrayD<T>, Error> {
        check::<T>(dtype)?;
        self.check(dtype, bytes.len())?;
        let items = T::decode(bytes, dtype.is_big_endian());
        let array = ArrayD::from_shape_vec(self.ndarray_shape(), items).map_err(wrong_shape)?;
        Ok(if self.axes.is_empty() { array } else { array.permuted_axes(IxDyn(&self.axes)) })
    }
}

/// As Python shows a tuple.
impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lens: Vec<String> = self.stored.iter().map(usize::to_string).collect();
        let comma = if lens.len() == 1 { "," } else { "" };
        write!(f, "({}{comma})", lens.join(", "))
    }
}

#[cold]
fn not_borrowed<T>(error: CheckedCastError, bytes: &[u8]) -> Error {
    use PodCastError::TargetAlignmentGreaterAndInputNotAligned as NotAligned;
    let align = align_of::<T>();
    match error {
        CheckedCastError::PodCastError(NotAligned) => expected(
            format!("an array at a multiple of {align} bytes, to borrow it"),
            format!("one {} off", bytes.as_ptr().addr() % align),
        ),
        _ => expected("bools of 0 and 1, to borrow them", "others"),
    }
}

#[cold]
fn wrong_shape(error: ndarray::ShapeError) -> Error {
    Error::custom(error)
}
