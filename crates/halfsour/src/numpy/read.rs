//! How arrays are read: borrowed, owned, or whichever is possible.

use std::borrow::Cow;

use ndarray::{
    Array, ArrayBase, ArrayD, ArrayView, ArrayViewD, CowArray, Dimension, IxDyn, RawData,
};

use super::dtype::Dtype;
use super::layout::Layout;
use super::{Element, expected, is_numpy};
use crate::error::{Error, ErrorKind};
use crate::graph::{Effect, Node};
use crate::typed::{FromBytes, FromPickle, Item};

/// What a pickle says of an array.
struct Found<'g, 'a> {
    dtype: Dtype,
    layout: Layout,
    bytes: Item<'g, 'a>,
}

impl<'g, 'a> Found<'g, 'a> {
    fn new(item: Item<'g, 'a>) -> Result<Found<'g, 'a>, Error> {
        let effects = match item.node() {
            Node::Object(object) => object.effects,
            _ => &[],
        };
        match effects {
            [] if is_numpy(item, "numeric", "_frombuffer") => Found::of_buffer(item),
            [Effect::Build(_)] if is_numpy(item, "multiarray", "_reconstruct") => {
                Found::of_state(item)
            }
            _ => Err(item.expected("a numpy.ndarray")),
        }
    }

    /// Protocol 5: `_frombuffer(bytes, dtype, shape, order)`. Behind an order of "K" there are the
    /// dimensions in another one.
    fn of_buffer(item: Item<'g, 'a>) -> Result<Found<'g, 'a>, Error> {
        let args: Vec<_> = item.args()?.collect();
        let (bytes, dtype, shape, order, axes) = match *args {
            [bytes, dtype, shape, order] => (bytes, dtype, shape, order, None),
            [bytes, dtype, shape, order, axes] => (bytes, dtype, shape, order, Some(axes)),
            _ => return Err(item.expected("a numpy.ndarray of 4 arguments")),
        };
        let layout = match (order.name(), axes) {
            (Some(b"C"), None) => Layout::new(shape, false)?,
            (Some(b"F"), None) => Layout::new(shape, true)?,
            (Some(b"K"), Some(axes)) => Layout::new(shape, false)?.transposed(axes)?,
            _ => return Err(order.expected("an order of a numpy.ndarray")),
        };
        Ok(Found { dtype: dtype.read()?, layout, bytes })
    }

    /// `_reconstruct(ndarray, (0,), b"b")`, with a state of version, shape, dtype, order and bytes.
    fn of_state(item: Item<'g, 'a>) -> Result<Found<'g, 'a>, Error> {
        match item.args()?.next() {
            Some(class) if class.is_global("numpy", "ndarray") => (),
            Some(class) => return Err(class.expected("the class numpy.ndarray")),
            None => return Err(item.expected("a numpy.ndarray of 3 arguments")),
        }
        let state = item.state()?.value().ok_or(ErrorKind::Missing { name: "state".into() })?;
        let parts: Vec<_> = state.items()?.collect();
        let [version, shape, dtype, is_fortran, bytes] = *parts else {
            return Err(state.expected("the state of a numpy.ndarray"));
        };
        if version.int::<i64>()? != 1 {
            return Err(version.expected("the state of a numpy.ndarray, version 1"));
        }
        let is_fortran =
            is_fortran.bool().or_else(|_| is_fortran.int::<u8>().map(|flag| flag != 0))?;
        Ok(Found { dtype: dtype.read()?, layout: Layout::new(shape, is_fortran)?, bytes })
    }

    fn view<T: Element>(&self) -> Result<ArrayViewD<'a, T>, Error> {
        super::dtype::check::<T>(self.dtype)?;
        self.layout.view(self.dtype, self.bytes.borrowed_bytes()?)
    }

    fn decode<T: Element>(&self) -> Result<ArrayD<T>, Error> {
        super::dtype::check::<T>(self.dtype)?;
        self.layout.decode(self.dtype, &self.bytes.bytes()?)
    }
}

/// As many dimensions as a type has.
fn fixed<S, D: Dimension>(array: ArrayBase<S, IxDyn>) -> Result<ArrayBase<S, D>, Error>
where
    S: RawData,
{
    let found = array.ndim();
    array.into_dimensionality().map_err(|_| {
        let wanted = format!("an array of {} dimensions", D::NDIM.unwrap_or_default());
        expected(wanted, format!("one of {found}"))
    })
}

/// `numpy.ndarray`: a copy, whatever the byte order and the alignment.
///
/// ```
/// let matrix = ndarray::array![[1, 2], [3, 4]];
/// let data = halfsour::to_vec(&matrix)?;
/// assert_eq!(halfsour::from_slice::<ndarray::Array2<i32>>(&data)?, matrix);
///
/// let error = halfsour::from_slice::<ndarray::Array2<u8>>(&data).unwrap_err();
/// assert_eq!(error.to_string(), "expected numpy's dtype |u1, found <i4 at root");
/// # Ok::<(), halfsour::Error>(())
/// ```
impl<T: Element, D: Dimension> FromPickle<'_> for Array<T, D> {
    fn from_pickle(item: Item<'_, '_>) -> Result<Array<T, D>, Error> {
        fixed(Found::new(item)?.decode()?)
    }
}

/// `numpy.ndarray`, where it is: in the pickle, or in an out-of-band buffer.
///
/// That is an error where the items are in another byte order, or where they begin at no multiple of
/// their size; in the middle of a pickle that is for chance to say. [`CowArray`] copies then.
///
/// ```
/// use halfsour::{Pickler, typed::Unpickler};
/// use ndarray::{ArrayView2, array};
///
/// let matrix = array![[1, 2], [3, 4]];
/// let mut buffers = Vec::new();
/// let mut pickler = Pickler::new().buffer_callback(|bytes| { buffers.push(bytes.to_vec()); true });
/// let data = pickler.to_vec(&matrix)?;
/// drop(pickler);
///
/// let unpickler = Unpickler::new().buffers(&[&buffers[0]]);
/// let view: ArrayView2<i32> = unpickler.from_slice(&data)?;
/// assert_eq!(view, matrix);
/// assert_eq!(view.as_ptr().addr(), buffers[0].as_ptr().addr());
/// # Ok::<(), halfsour::Error>(())
/// ```
impl<'a: 'b, 'b, T: Element, D: Dimension> FromPickle<'a> for ArrayView<'b, T, D> {
    fn from_pickle(item: Item<'_, 'a>) -> Result<ArrayView<'b, T, D>, Error> {
        fixed(Found::new(item)?.view()?)
    }
}

/// `numpy.ndarray`: where it is, or else a copy.
///
/// ```
/// let data = halfsour::to_vec(&ndarray::array![1.5, 2.0])?;
/// let floats: ndarray::CowArray<f64, ndarray::Ix1> = halfsour::from_slice(&data)?;
/// assert_eq!(floats.sum(), 3.5);
/// # Ok::<(), halfsour::Error>(())
/// ```
impl<'a: 'b, 'b, T: Element, D: Dimension> FromPickle<'a> for CowArray<'b, T, D> {
    fn from_pickle(item: Item<'_, 'a>) -> Result<CowArray<'b, T, D>, Error> {
        let found = Found::new(item)?;
        match found.view() {
            Ok(view) => Ok(CowArray::from(fixed::<_, D>(view)?)),
            Err(_) => Ok(CowArray::from(fixed::<_, D>(found.decode()?)?)),
        }
    }
}

/// A `numpy.ndarray` of which nobody knows the dtype before it is read; its bytes borrowed, if they
/// are in the pickle as they are, or in an out-of-band buffer.
///
/// Arrays of Python objects are an error. Those of structures have a dtype of the kind `V`, and can
/// be read as bytes alone.
///
/// ```
/// use halfsour::numpy::NdArray;
///
/// let data = halfsour::to_vec(&ndarray::array![[1_u16, 2, 3]])?;
/// let array: NdArray = halfsour::from_slice(&data)?;
/// assert_eq!((array.dtype().kind, array.shape()), ('u', [1, 3].as_slice()));
/// assert_eq!(array.to_array::<u16>()?.sum(), 6);
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct NdArray<'a> {
    dtype: Dtype,
    layout: Layout,
    bytes: Cow<'a, [u8]>,
}

impl<'a: 'b, 'b> FromPickle<'a> for NdArray<'b> {
    fn from_pickle(item: Item<'_, 'a>) -> Result<NdArray<'b>, Error> {
        let Found { dtype, layout, bytes } = Found::new(item)?;
        if dtype.kind == 'O' {
            return Err(expected("a numpy.ndarray of numbers", "one of Python objects"));
        }
        let bytes: Cow<'b, [u8]> = Cow::from_bytes(bytes)?;
        layout.check(dtype, bytes.len())?;
        Ok(NdArray { dtype, layout, bytes })
    }
}

impl NdArray<'_> {
    /// What its items are.
    ///
    /// ```
    /// # use halfsour::numpy::NdArray;
    /// let data = halfsour::to_vec(&ndarray::array![true, false])?;
    /// assert_eq!(halfsour::from_slice::<NdArray>(&data)?.dtype().to_string(), "|b1");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// How long it is in each dimension; empty for an array of one item and no dimension.
    ///
    /// ```
    /// # use halfsour::numpy::NdArray;
    /// let data = halfsour::to_vec(&ndarray::Array2::<f64>::zeros((0, 3)))?;
    /// assert_eq!(halfsour::from_slice::<NdArray>(&data)?.shape(), [0, 3]);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn shape(&self) -> &[usize] {
        &self.layout.shape
    }

    /// Whether its items are in Fortran's order, in which the first index changes fastest.
    ///
    /// ```
    /// # use halfsour::numpy::NdArray;
    /// let columns = ndarray::array![[1_u8, 2], [3, 4]].reversed_axes();
    /// let data = halfsour::to_vec(&columns)?;
    /// let array: NdArray = halfsour::from_slice(&data)?;
    /// assert!(array.is_fortran());
    /// assert_eq!(array.bytes(), [1, 2, 3, 4]);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn is_fortran(&self) -> bool {
        self.layout.is_fortran()
    }

    /// The bytes of its items, as the pickle has them.
    ///
    /// ```
    /// # use halfsour::numpy::NdArray;
    /// let data = halfsour::to_vec(&ndarray::array![1_u8, 2, 3])?;
    /// assert_eq!(halfsour::from_slice::<NdArray>(&data)?.bytes(), [1, 2, 3]);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its items, where they are.
    ///
    /// # Errors
    /// If they are of another type or byte order, or at no multiple of their size.
    ///
    /// ```
    /// # use halfsour::numpy::NdArray;
    /// let data = halfsour::to_vec(&ndarray::array![1_u8, 2, 3])?;
    /// let array: NdArray = halfsour::from_slice(&data)?;
    /// assert_eq!(array.view::<u8>()?[2], 3);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn view<T: Element>(&self) -> Result<ArrayViewD<'_, T>, Error> {
        self.layout.view(self.dtype, &self.bytes)
    }

    /// A copy of its items.
    ///
    /// # Errors
    /// If they are of another type.
    ///
    /// ```
    /// # use halfsour::numpy::NdArray;
    /// let data = halfsour::to_vec(&ndarray::array![1.5, 2.0])?;
    /// let array: NdArray = halfsour::from_slice(&data)?;
    /// assert_eq!(array.to_array::<f64>()?.sum(), 3.5);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn to_array<T: Element>(&self) -> Result<ArrayD<T>, Error> {
        self.layout.decode(self.dtype, &self.bytes)
    }
}
