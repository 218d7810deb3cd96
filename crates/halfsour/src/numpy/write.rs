//! How arrays are written.

use std::marker::PhantomData;

use ndarray::{ArrayBase, Data, Dimension};

use super::Element;
use super::dtype::Of;
use crate::error::Error;
use crate::typed::Bytes;
use crate::typed::derive::With;
use crate::writer::{Global, ToPickle, Writer};

/// `numpy.ndarray`, byte for byte as numpy 2 writes it, all but what is said below. What protocols 0
/// to 4 have, numpy 1.26 reads too.
///
/// Protocol 5 hands the items to the pickler as a [buffer](Writer::buffer), which it may keep out of
/// the pickle, if they are in C's order without gaps, or in Fortran's. If they are so but for an
/// exchange of dimensions, they are copied, as for older protocols, where numpy 2.4 has them as a
/// buffer.
impl<S: Data<Elem = T>, T: Element, D: Dimension> ToPickle for ArrayBase<S, D> {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        let (items, is_fortran) = match (self.view().to_slice(), self.t().to_slice()) {
            (Some(items), _) => (Some(items), false),
            (None, Some(items)) => (Some(items), true),
            (None, None) => (None, false),
        };
        match items {
            Some(items) if out.protocol() >= 5 => {
                let order = if is_fortran { "F" } else { "C" };
                write_buffer(out, items, self.shape(), order)
            }
            Some(items) => write_state(out, items, self.shape(), is_fortran),
            None => {
                let items: Vec<T> = self.iter().copied().collect();
                write_state(out, &items, self.shape(), false)
            }
        }
    }
}

/// `_frombuffer(bytes, dtype, shape, order)`
fn write_buffer<T: Element>(
    out: &mut Writer<'_>,
    items: &[T],
    shape: &[usize],
    order: &str,
) -> Result<(), Error> {
    let bytes = With(|out: &mut Writer<'_>| out.buffer(bytemuck::cast_slice(items), false));
    let shape = With(|out: &mut Writer<'_>| write_shape(out, shape));
    let function = Global::new("numpy._core.numeric", "_frombuffer");
    out.call(&function, &[&bytes, &Of::<T>(PhantomData), &shape, &order])
}

/// `_reconstruct(ndarray, (0,), b"b")`, with a state of version, shape, dtype, order and bytes.
fn write_state<T: Element>(
    out: &mut Writer<'_>,
    items: &[T],
    shape: &[usize],
    is_fortran: bool,
) -> Result<(), Error> {
    let function = Global::new("numpy._core.multiarray", "_reconstruct");
    out.call(&function, &[&Global::new("numpy", "ndarray"), &(0,), &Bytes(b"b".as_slice())])?;
    out.build(|out| {
        out.tuple_with(5, |state| {
            state.item(&1)?;
            state.item_with(|out| write_shape(out, shape))?;
            state.item(&Of::<T>(PhantomData))?;
            state.item(&is_fortran)?;
            state.item_with(|out| out.bytes(bytemuck::cast_slice(items)))
        })
    })
}

fn write_shape(out: &mut Writer<'_>, shape: &[usize]) -> Result<(), Error> {
    out.tuple_with(shape.len(), |tuple| shape.iter().try_for_each(|len| tuple.item(len)))
}
