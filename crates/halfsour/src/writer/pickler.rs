//! How to pickle: protocol, limits, and the functions that need no more than a value.

use std::any::Any;
use std::fmt;
use std::io::Write;
use std::sync::Arc;

use super::reduce::{BufferCallback, Hooks, PersistentId};
use super::{DispatchTable, ToPickle, Writer};
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
pub struct Pickler<'p> {
    protocol: u8,
    limits: Limits,
    trim_batches: bool,
    table: Option<Arc<DispatchTable>>,
    persistent_id: Option<Box<PersistentId<'p>>>,
    buffer_callback: Option<Box<BufferCallback<'p>>>,
}

impl fmt::Debug for Pickler<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pickler")
            .field("protocol", &self.protocol)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Default for Pickler<'_> {
    fn default() -> Self {
        Pickler::new()
    }
}

impl<'p> Pickler<'p> {
    /// Protocol 5, default limits.
    ///
    /// ```
    /// use halfsour::Pickler;
    /// assert_eq!(Pickler::new().to_vec(&7)?, b"\x80\x05K\x07.");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn new() -> Pickler<'p> {
        Pickler {
            protocol: HIGHEST_PROTOCOL,
            limits: Limits::default(),
            trim_batches: false,
            table: None,
            persistent_id: None,
            buffer_callback: None,
        }
    }

    /// With another protocol, 0 to 5. Protocol 2 is the highest that Python 2 reads, 3 needs
    /// Python 3.0, 4 needs 3.4, and 5 needs 3.8.
    ///
    /// ```
    /// use halfsour::Pickler;
    /// assert_eq!(Pickler::new().protocol(0).to_vec(&true)?, b"I01\n.");
    /// assert_eq!(Pickler::new().protocol(2).to_vec(&true)?, b"\x80\x02\x88.");
    /// let error = Pickler::new().protocol(6).to_vec(&true).unwrap_err();
    /// assert_eq!(error.to_string(), "unsupported pickle protocol: 6");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[must_use]
    pub fn protocol(mut self, protocol: u8) -> Self {
        self.protocol = protocol;
        self
    }

    /// With other limits. Writing asks for the depth, and for the expansion where a
    /// [graph](crate::Graph) is written; ints of more than 4300 digits are errors in protocols 0 and 1
    /// in any case, as in CPython.
    ///
    /// ```
    /// use halfsour::{Limits, Pickler};
    /// let mut pickler = Pickler::new().limits(Limits::default().depth(1));
    /// assert_eq!(pickler.to_vec(&[1])?, halfsour::to_vec(&[1])?);
    /// let error = pickler.to_vec(&[[1]]).unwrap_err();
    /// assert_eq!(error.to_string(), "more than the limit of 1 (depth) at root[0]");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Whether containers of more than a thousand items end as CPython 3.15 ends them, or as older
    /// versions do, which is the default: there, the last batch may be of one item, or empty. Python
    /// reads both the same.
    ///
    /// ```
    /// use halfsour::Pickler;
    /// let items = vec![7; 1001];
    /// assert!(Pickler::new().to_vec(&items)?.ends_with(b"e(K\x07e."));
    /// assert!(Pickler::new().trim_batches(true).to_vec(&items)?.ends_with(b"eK\x07a."));
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[must_use]
    pub fn trim_batches(mut self, trim: bool) -> Self {
        self.trim_batches = trim;
        self
    }

    /// With a table of how types are pickled: its own, or one that picklers share in an [`Arc`].
    ///
    /// ```
    /// use halfsour::{Dispatched, DispatchTable, Global, Pickler, Reduced};
    /// use std::{net::Ipv4Addr, sync::Arc};
    ///
    /// let mut table = DispatchTable::new();
    /// table.register(|address: &Ipv4Addr| {
    ///     Reduced::call(Global::new("ipaddress", "IPv4Address")).arg(address.to_string())
    /// });
    /// let table = Arc::new(table);
    ///
    /// let value = Dispatched(&Ipv4Addr::LOCALHOST);
    /// let old = Pickler::new().protocol(2).dispatch_table(table.clone()).to_vec(&value)?;
    /// let new = Pickler::new().dispatch_table(table).to_vec(&value)?;
    /// assert!(old.ends_with(b"X\x09\0\0\x00127.0.0.1q\x01\x85q\x02Rq\x03."));
    /// assert!(new.ends_with(b"\x8c\x09127.0.0.1\x94\x85\x94R\x94."));
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[must_use]
    pub fn dispatch_table(mut self, table: impl Into<Arc<DispatchTable>>) -> Self {
        self.table = Some(table.into());
        self
    }

    /// With a callback that is asked about each value whose [`ToPickle::as_any`] gives it. What it
    /// returns an id for is kept elsewhere: the pickle has the id, and who loads it resolves that with
    /// `persistent_load`.
    ///
    /// ```
    /// use halfsour::{Error, Pickler, ToPickle, Writer};
    /// use std::any::Any;
    ///
    /// /// A row of a table in a database.
    /// struct Memo {
    ///     row: u64,
    /// }
    ///
    /// impl ToPickle for Memo {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.instance("app", "Memo", &[("row", &self.row)])
    ///     }
    ///     fn as_any(&self) -> Option<&dyn Any> {
    ///         Some(self)
    ///     }
    /// }
    ///
    /// let data = Pickler::new()
    ///     .persistent_id(|value| {
    ///         let memo = value.downcast_ref::<Memo>()?;
    ///         Some(Box::new(("Memo", memo.row)))
    ///     })
    ///     .to_vec(&[Memo { row: 7 }])?;
    /// # assert!(data.ends_with(b"\x8c\x04Memo\x94K\x07\x86\x94Qa."));
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn persistent_id(
        mut self,
        persistent_id: impl FnMut(&dyn Any) -> Option<Box<dyn ToPickle>> + 'p,
    ) -> Self {
        self.persistent_id = Some(Box::new(persistent_id));
        self
    }

    /// With a callback that gets the bytes of each [buffer](Writer::buffer), in protocol 5. Where it
    /// returns true it has taken them, and who loads the pickle has to give them, in this order.
    ///
    /// ```
    /// use halfsour::{Error, Pickler, ToPickle, Writer};
    ///
    /// struct Image(Vec<u8>);
    ///
    /// impl ToPickle for Image {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.buffer(&self.0, true)
    ///     }
    /// }
    ///
    /// let mut buffers = Vec::new();
    /// let data = Pickler::new()
    ///     .buffer_callback(|bytes| {
    ///         buffers.push(bytes.to_vec());
    ///         true
    ///     })
    ///     .to_vec(&Image(vec![0xff; 100]))?;
    /// assert_eq!(data, b"\x80\x05\x97\x98.");
    /// assert_eq!(buffers, [[0xff; 100]]);
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn buffer_callback(mut self, callback: impl FnMut(&[u8]) -> bool + 'p) -> Self {
        self.buffer_callback = Some(Box::new(callback));
        self
    }

    fn writer<'w>(&'w mut self, file: Option<&'w mut dyn Write>) -> Result<Writer<'w>, Error> {
        if self.protocol > HIGHEST_PROTOCOL {
            return Err(ErrorKind::UnsupportedProtocol(self.protocol).into());
        }
        let hooks = Hooks {
            table: self.table.as_deref(),
            persistent_id: match &mut self.persistent_id {
                Some(callback) => Some(callback.as_mut()),
                None => None,
            },
            buffer_callback: match &mut self.buffer_callback {
                Some(callback) => Some(callback.as_mut()),
                None => None,
            },
        };
        Ok(Writer::new(self.protocol, self.limits, !self.trim_batches, hooks, file))
    }

    /// Pickles a value into memory.
    ///
    /// # Errors
    /// What the value's own code says; a value that is too deep, or holds itself where that cannot
    /// be; [`ErrorKind::UnsupportedProtocol`].
    ///
    /// ```
    /// let mut pickler = halfsour::Pickler::new().protocol(0);
    /// assert_eq!(pickler.to_vec("spam")?, b"Vspam\np0\n.");
    /// assert_eq!(pickler.to_vec("egg")?, b"Vegg\np0\n."); // with a memo of its own
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn to_vec<T: ToPickle + ?Sized>(&mut self, value: &T) -> Result<Vec<u8>, Error> {
        let mut writer = self.writer(None)?;
        writer.save(value)?;
        writer.finish()
    }

    /// Pickles a value into a file, which gets its parts as they are full: 64 kilobytes and more.
    ///
    /// # Errors
    /// As [`to_vec`](Pickler::to_vec); [`ErrorKind::Io`] where the file cannot be written.
    ///
    /// ```
    /// let (mut file, mut pickler) = (Vec::new(), halfsour::Pickler::new());
    /// pickler.to_writer(&mut file, &1)?;
    /// pickler.to_writer(&mut file, &2)?;
    /// assert_eq!(file, b"\x80\x05K\x01.\x80\x05K\x02.");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
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
