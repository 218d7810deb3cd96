//! Pickles as typed values.
//!
//! [`FromPickle`] is how a type is read. The derive macro `Pickle` implements it for structs and enums;
//! by hand, a class has [`Hooks`] that are named after Python's, and [`Reduce`] for writing. Nothing is
//! run, and no class is looked up: a type says which class it is.
//!
//! Reading recurses, up to [`Limits::depth`](crate::Limits::depth); the graph below it does not.

mod bytes;
mod class;
mod containers;
mod decoder;
#[doc(hidden)]
#[allow(missing_docs)]
pub mod derive;
mod impls;
pub(crate) mod item;
pub(crate) mod made;
mod scalars;
pub(crate) mod unpickler;
pub(crate) mod views;

use std::io::BufRead;

use crate::error::Error;

pub use bytes::{ByteArray, Bytes, FromBytes, ToBytes};
pub use class::{
    Class, GetState, Hooks, Persistent, Reduce, Registry, Value, read_class, write_class,
};
pub use item::{ClassName, Item};
pub use unpickler::{OldStr, Unpickler};
pub use views::{Attrs, Entries, Items, Mapping, State};

/// A type that can be read from a pickle.
///
/// `'a` is how long the pickle lives: `&'a str` and `&'a [u8]` are read without a copy.
///
/// ```
/// let names: Vec<&str> = halfsour::from_slice(b"](\x8c\x04spam\x8c\x03egge.")?;
/// assert_eq!(names, ["spam", "egg"]);
/// # Ok::<(), halfsour::Error>(())
/// ```
pub trait FromPickle<'a>: Sized {
    /// Reads a value.
    ///
    /// May be called again for the same data, when an error's [offset](Error::offset) is looked for.
    ///
    /// # Errors
    /// Where the data is not what the type takes; see [`Item::expected`] and [`Error::custom`].
    fn from_pickle(item: Item<'_, 'a>) -> Result<Self, Error>;

    /// Reads a `Vec` of values; from bytes too, if the type is `u8`.
    #[doc(hidden)]
    #[inline]
    fn vec_from_pickle(item: Item<'_, 'a>) -> Result<Vec<Self>, Error> {
        impls::sequence(item)
    }
}

/// A type that can be read from a pickle that is gone afterwards: it borrows nothing.
///
/// ```
/// fn read<T: halfsour::FromPickleOwned>(data: Vec<u8>) -> Result<T, halfsour::Error> {
///     halfsour::from_slice(&data)
/// }
/// assert_eq!(read::<u8>(b"K\x07.".to_vec())?, 7);
/// # Ok::<(), halfsour::Error>(())
/// ```
pub trait FromPickleOwned: for<'a> FromPickle<'a> {}

impl<T: for<'a> FromPickle<'a>> FromPickleOwned for T {}

/// Reads a pickle that is in memory, as typed values. What follows it is ignored, as `pickle.loads`
/// does.
///
/// # Errors
/// What is wrong with the pickle, or where its data is not what the type takes.
///
/// ```
/// // pickle.dumps({"spam": [1, 2]}, 2)
/// let data = b"\x80\x02}q\0X\x04\0\0\0spamq\x01]q\x02(K\x01K\x02es.";
/// let lists: std::collections::HashMap<String, Vec<u32>> = halfsour::from_slice(data)?;
/// assert_eq!(lists["spam"], [1, 2]);
///
/// let error = halfsour::from_slice::<std::collections::HashMap<&str, Vec<&str>>>(data).unwrap_err();
/// assert_eq!(error.to_string(), "expected a str, found an int at root['spam'][0]");
/// # Ok::<(), halfsour::Error>(())
/// ```
pub fn from_slice<'a, T: FromPickle<'a>>(data: &'a [u8]) -> Result<T, Error> {
    Unpickler::new().from_slice(data)
}

/// Reads a pickle from a stream, as typed values.
///
/// # Errors
/// As [`from_slice`], but without [offsets](Error::offset) of wrong data; and what reading the stream
/// fails with.
///
/// ```
/// let pair: (u8, bool) = halfsour::from_reader(&b"K\x01\x88\x86."[..])?;
/// assert_eq!(pair, (1, true));
/// # Ok::<(), halfsour::Error>(())
/// ```
pub fn from_reader<T: FromPickleOwned>(reader: impl BufRead) -> Result<T, Error> {
    Unpickler::new().from_reader(reader)
}
