//! `numpy.dtype`: what each item of an array is.

use std::fmt;
use std::marker::PhantomData;

use super::{Element, expected};
use crate::error::Error;
use crate::graph::{Effect, Node, Object};
use crate::typed::{FromPickle, Item};
use crate::writer::{Global, ToPickle, Writer};

/// A `numpy.dtype`, as far as numbers have one. Of a structured one, only the size is known; of a
/// datetime, not the unit.
///
/// ```
/// use halfsour::numpy::NdArray;
/// let data = halfsour::to_vec(&ndarray::array![1.5_f32, 2.0])?;
/// let dtype = halfsour::from_slice::<NdArray>(&data)?.dtype();
/// assert_eq!((dtype.kind, dtype.itemsize), ('f', 4));
/// assert_eq!(dtype.to_string(), "<f4"); // on most machines
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Dtype {
    /// Numpy's letter: `b` for bools, `i` and `u` for ints, `f` for floats, `c` for complex numbers,
    /// `S` for bytes and `U` for text of fixed size, `M` and `m` for datetimes and differences
    /// between them, `V` for structures, `O` for Python objects.
    pub kind: char,
    /// How many bytes an item has.
    pub itemsize: usize,
    /// `<` if the first byte is the least, `>` if it is the greatest, `|` if there is no order.
    pub byteorder: char,
}

/// What numpy calls `=`.
const NATIVE: char = if cfg!(target_endian = "big") { '>' } else { '<' };

impl Dtype {
    /// Of numbers as this machine has them.
    pub(super) const fn native(kind: char, itemsize: usize) -> Dtype {
        Dtype { kind, itemsize, byteorder: if itemsize == 1 { '|' } else { NATIVE } }
    }

    pub(super) fn is_big_endian(self) -> bool {
        self.byteorder == '>'
    }

    /// As numpy's `dtype.str` begins: the size of text is in characters.
    fn code(self) -> String {
        let size = if self.kind == 'U' { self.itemsize / 4 } else { self.itemsize };
        format!("{}{size}", self.kind)
    }
}

/// As numpy's `dtype.str`: `<f8`.
impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.byteorder, self.code())
    }
}

/// `dtype('f8', False, True)`, with a state that says the rest.
impl FromPickle<'_> for Dtype {
    fn from_pickle(item: Item<'_, '_>) -> Result<Dtype, Error> {
        if !item.class().is_some_and(|class| class.is("numpy", "dtype")) {
            return Err(item.expected("a numpy.dtype"));
        }
        let code = item.args()?.next().and_then(Item::name).and_then(parse);
        let Some((kind, size)) = code else {
            return Err(item.expected("a numpy.dtype made of a letter and a size"));
        };
        let state = match (item.node(), item.state()?.value()) {
            (Node::Object(Object { effects: [Effect::Build(_)], .. }), Some(state)) => state,
            _ => return Err(item.expected("a numpy.dtype with one state")),
        };
        // What is behind tells the alignment, and whether there are objects; of dates, the unit.
        let parts: Vec<_> = state.items()?.collect();
        let [_version, byteorder, subarray, names, fields, itemsize, ..] = *parts else {
            return Err(state.expected("the state of a numpy.dtype"));
        };
        let is_plain = [subarray, names, fields].into_iter().all(Item::is_none);
        let itemsize = match kind {
            'S' | 'U' | 'V' => itemsize.int()?,
            _ if is_plain => size,
            _ => return Err(state.expected("the state of a number's numpy.dtype")),
        };
        let byteorder = match byteorder.name() {
            Some(b"<" | b">" | b"|" | b"=") if itemsize == 1 || "bSVO".contains(kind) => '|',
            Some(b"<") => '<',
            Some(b">") => '>',
            Some(b"=") => NATIVE,
            _ => return Err(byteorder.expected("a byte order")),
        };
        Ok(Dtype { kind, itemsize, byteorder })
    }
}

/// The letter and the size of what is written as `f8`.
fn parse(code: &[u8]) -> Option<(char, usize)> {
    let (kind, size) = str::from_utf8(code).ok()?.split_at_checked(1)?;
    let kind = kind.chars().next().filter(|kind| "biufcSUVMmO".contains(*kind))?;
    let is_number = size.bytes().all(|byte| byte.is_ascii_digit());
    Some((kind, size.parse().ok().filter(|_| is_number)?))
}

/// The dtype of a type, to be written. Numpy has one object for each.
pub(super) struct Of<T>(pub(super) PhantomData<T>);

impl<T: Element> ToPickle for Of<T> {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        let dtype = T::dtype();
        let (code, order) = (dtype.code(), dtype.byteorder.to_string());
        out.shared((&raw const *dtype).addr(), (), |out| {
            out.call(&Global::new("numpy", "dtype"), &[&code, &false, &true])?;
            out.build(|out| out.tuple(&[&3, &order, &(), &(), &(), &-1, &-1, &0]))
        })
    }
}

/// That items of another dtype were found.
pub(super) fn check<T: Element>(dtype: Dtype) -> Result<(), Error> {
    let wanted = T::dtype();
    match (dtype.kind, dtype.itemsize) == (wanted.kind, wanted.itemsize) {
        true => Ok(()),
        false => Err(expected(format!("numpy's dtype {wanted}"), dtype.to_string())),
    }
}
