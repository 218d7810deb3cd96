//! Bytes as bytes: to a generic `Vec`, a `u8` is a number like others.

use std::borrow::Cow;
use std::ops::{Deref, DerefMut};

use super::{FromPickle, Item};
use crate::error::Error;
use crate::writer::{ToPickle, Writer};

macro_rules! wrapper {
    ($(#[$doc:meta])* $name:ident, $write:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name<T = Vec<u8>>(pub T);

        impl<T> Deref for $name<T> {
            type Target = T;

            fn deref(&self) -> &T {
                &self.0
            }
        }

        impl<T> DerefMut for $name<T> {
            fn deref_mut(&mut self) -> &mut T {
                &mut self.0
            }
        }

        impl<'a, T: FromBytes<'a>> FromPickle<'a> for $name<T> {
            fn from_pickle(item: Item<'_, 'a>) -> Result<$name<T>, Error> {
                T::from_bytes(item).map($name)
            }
        }

        impl<T: ToBytes> ToPickle for $name<T> {
            fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
                match self.0.to_bytes() {
                    Some(bytes) => out.$write(bytes),
                    None => out.none(),
                }
            }
        }
    };
}

wrapper! {
    /// What holds bytes, and is Python's `bytes` in a pickle.
    ///
    /// ```
    /// use halfsour::typed::Bytes;
    /// let data: Bytes<&[u8]> = halfsour::from_slice(b"C\x04spam.")?;
    /// assert_eq!(data.0, b"spam");
    /// assert_eq!(halfsour::to_vec(&data)?, b"\x80\x05\x95\x08\0\0\0\0\0\0\0C\x04spam\x94.");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    Bytes, bytes
}

wrapper! {
    /// What holds bytes, and is Python's `bytearray` in a pickle.
    ///
    /// ```
    /// use halfsour::typed::ByteArray;
    /// let data: ByteArray = halfsour::from_slice(b"\x96\x04\0\0\0\0\0\0\0spam.")?;
    /// assert_eq!(*data, b"spam");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    ByteArray, bytearray
}

/// What can hold the bytes of a pickle.
///
/// ```
/// use halfsour::typed::{Bytes, FromBytes, Item};
/// use halfsour::Error;
///
/// struct Address(std::net::Ipv4Addr);
///
/// impl FromBytes<'_> for Address {
///     fn from_bytes(item: Item<'_, '_>) -> Result<Address, Error> {
///         <[u8; 4]>::from_bytes(item).map(|bytes| Address(bytes.into()))
///     }
/// }
/// let address: Bytes<Address> = halfsour::from_slice(b"C\x04\x7f\0\0\x01.")?;
/// assert!(address.0.0.is_loopback());
/// # Ok::<(), Error>(())
/// ```
pub trait FromBytes<'a>: Sized {
    /// Reads bytes.
    ///
    /// # Errors
    /// If the item is no bytes; or if they cannot be borrowed, but have to be.
    fn from_bytes(item: Item<'_, 'a>) -> Result<Self, Error>;
}

impl FromBytes<'_> for Vec<u8> {
    fn from_bytes(item: Item<'_, '_>) -> Result<Vec<u8>, Error> {
        item.bytes().map(Cow::into_owned)
    }
}

impl FromBytes<'_> for Box<[u8]> {
    fn from_bytes(item: Item<'_, '_>) -> Result<Box<[u8]>, Error> {
        item.bytes().map(Into::into)
    }
}

impl<'a: 'b, 'b> FromBytes<'a> for &'b [u8] {
    fn from_bytes(item: Item<'_, 'a>) -> Result<&'b [u8], Error> {
        item.borrowed_bytes()
    }
}

impl<'a: 'b, 'b> FromBytes<'a> for Cow<'b, [u8]> {
    fn from_bytes(item: Item<'_, 'a>) -> Result<Cow<'b, [u8]>, Error> {
        match item.borrowed_bytes() {
            Ok(bytes) => Ok(Cow::Borrowed(bytes)),
            Err(_) => item.bytes().map(|bytes| Cow::Owned(bytes.into_owned())),
        }
    }
}

impl<const N: usize> FromBytes<'_> for [u8; N] {
    fn from_bytes(item: Item<'_, '_>) -> Result<[u8; N], Error> {
        let bytes = item.bytes()?;
        bytes.as_ref().try_into().map_err(|_| miscounted(item, N, bytes.len()))
    }
}

impl<'a: 'b, 'b, const N: usize> FromBytes<'a> for &'b [u8; N] {
    fn from_bytes(item: Item<'_, 'a>) -> Result<&'b [u8; N], Error> {
        let bytes = item.borrowed_bytes()?;
        bytes.try_into().map_err(|_| miscounted(item, N, bytes.len()))
    }
}

#[cold]
fn miscounted(item: Item<'_, '_>, expected: usize, found: usize) -> Error {
    item.mismatch(format!("{expected} bytes"), format!("{found} bytes"))
}

impl<'a, T: FromBytes<'a>> FromBytes<'a> for Option<T> {
    fn from_bytes(item: Item<'_, 'a>) -> Result<Option<T>, Error> {
        if item.is_none() { Ok(None) } else { T::from_bytes(item).map(Some) }
    }
}

/// What has bytes for a pickle.
///
/// ```
/// use halfsour::typed::Bytes;
///
/// let digest: &[u8; 4] = b"spam";
/// let data = halfsour::to_vec(&Bytes(digest))?;
/// assert_eq!(halfsour::from_slice::<Bytes<&[u8; 4]>>(&data)?.0, digest);
/// let error = halfsour::from_slice::<Bytes<[u8; 3]>>(&data).unwrap_err();
/// assert_eq!(error.to_string(), "expected 3 bytes, found 4 bytes at root");
/// # Ok::<(), halfsour::Error>(())
/// ```
pub trait ToBytes {
    /// The bytes; `None` for what is None.
    fn to_bytes(&self) -> Option<&[u8]>;
}

macro_rules! to_bytes {
    ($([$($params:tt)*] $type:ty),*) => {$(
        impl<$($params)*> ToBytes for $type {
            fn to_bytes(&self) -> Option<&[u8]> {
                Some(self)
            }
        }
    )*};
}

to_bytes! { [] [u8], [] Vec<u8>, [] Box<[u8]>, [] Cow<'_, [u8]>, [const N: usize] [u8; N] }

impl<T: ToBytes + ?Sized> ToBytes for &T {
    fn to_bytes(&self) -> Option<&[u8]> {
        (**self).to_bytes()
    }
}

impl<T: ToBytes> ToBytes for Option<T> {
    fn to_bytes(&self) -> Option<&[u8]> {
        self.as_ref().and_then(ToBytes::to_bytes)
    }
}
