//! How to pickle: protocol, limits, and the functions that need no more than a value.

use std::io::Write;

use super::{ToPickle, Writer};
use crate::error::{Error, ErrorKind};
use crate::limits::Limits;
use crate::machine::HIGHEST_PROTOCOL;

/// How values are pickled.
///
/// ```
/// let data = halfsour::Pickler::new().protocol(2).to_vec(&[1, 2])?;
/// assert_eq!(data, b"\x80\x02]q\0(K\x01K\x02e.");
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Debug)]
pub struct Pickler {
    protocol: u8,
    limits: Limits,
    trim_batches: bool,
}

impl Default for Pickler {
    fn default() -> Pickler {
        Pickler::new()
    }
}

impl Pickler {
    /// Protocol 5, default limits.
    pub fn new() -> Pickler {
        Pickler { protocol: HIGHEST_PROTOCOL, limits: Limits::default(), trim_batches: false }
    }

    /// With another protocol, 0 to 5. Protocol 2 is the highest that Python 2 reads, 3 needs
    /// Python 3.0, 4 needs 3.4, and 5 needs 3.8.
    #[must_use]
    pub fn protocol(mut self, protocol: u8) -> Self {
        self.protocol = protocol;
        self
    }

    /// With other limits. Writing asks for the depth alone.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Whether containers of more than a thousand items end as CPython 3.15 ends them, or as older
    /// versions do, which is the default: there, the last batch may be of one item, or empty. Python
    /// reads both the same.
    #[must_use]
    pub fn trim_batches(mut self, trim: bool) -> Self {
        self.trim_batches = trim;
        self
    }

    fn writer<'w>(&'w mut self, file: Option<&'w mut dyn Write>) -> Result<Writer<'w>, Error> {
        if self.protocol > HIGHEST_PROTOCOL {
            return Err(ErrorKind::UnsupportedProtocol(self.protocol).into());
        }
        Ok(Writer::new(self.protocol, self.limits, !self.trim_batches, file))
    }

    /// Pickles a value into memory.
    ///
    /// # Errors
    /// What the value's own code says; a value that is too deep, or holds itself where that cannot
    /// be; [`ErrorKind::UnsupportedProtocol`].
    pub fn to_vec<T: ToPickle + ?Sized>(&mut self, value: &T) -> Result<Vec<u8>, Error> {
        let mut writer = self.writer(None)?;
        writer.save(value)?;
        writer.finish()
    }

    /// Pickles a value into a file, which gets its parts as they are full: 64 kilobytes and more.
    ///
    /// # Errors
    /// As [`to_vec`](Pickler::to_vec); [`ErrorKind::Io`] where the file cannot be written.
    pub fn to_writer<W: Write, T: ToPickle + ?Sized>(
        &mut self,
        mut file: W,
        value: &T,
    ) -> Result<(), Error> {
        let mut writer = self.writer(Some(&mut file))?;
        writer.save(value)?;
        writer.finish().map(|_| ())
    }
}

/// Pickles a value into memory, with protocol 5.
///
/// # Errors
/// As [`Pickler::to_vec`].
///
/// ```
/// assert_eq!(halfsour::to_vec(&7)?, b"\x80\x05K\x07.");
/// # Ok::<(), halfsour::Error>(())
/// ```
pub fn to_vec<T: ToPickle + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    Pickler::new().to_vec(value)
}

/// Pickles a value into a file, with protocol 5.
///
/// # Errors
/// As [`Pickler::to_writer`].
///
/// ```
/// let mut file = Vec::new();
/// halfsour::to_writer(&mut file, "spam")?;
/// assert_eq!(file, halfsour::to_vec("spam")?);
/// # Ok::<(), halfsour::Error>(())
/// ```
pub fn to_writer<W: Write, T: ToPickle + ?Sized>(file: W, value: &T) -> Result<(), Error> {
    Pickler::new().to_writer(file, value)
}
