//! How pickles are read as typed values: the settings, and the ways in.

use std::any::Any;
use std::fmt;
use std::io::BufRead;

use super::decoder::Decoder;
use super::item::Item;
use super::made::Names;
use super::{FromPickle, FromPickleOwned};
use crate::error::{Error, ErrorKind};
use crate::fetch::fetch;
use crate::graph::{self, Graph};
use crate::limits::Limits;
use crate::reader::{Reader, SliceSource};

/// What the strings of Python 2, of which nobody knows whether they are text, are as text: the
/// `encoding` of Python's `pickle.loads`.
///
/// As bytes they can be read in any case.
///
/// ```
/// use halfsour::typed::{OldStr, Unpickler};
/// // What Python 2 wrote for 'sm\xc3\xb6r'.
/// let data = b"U\x05sm\xc3\xb6r.";
/// let read = |old_str| Unpickler::new().old_str(old_str).from_slice::<String>(data).ok();
/// assert_eq!(read(OldStr::Ascii), None);
/// assert_eq!(read(OldStr::Latin1).as_deref(), Some("smÃ¶r"));
/// assert_eq!(read(OldStr::Utf8).as_deref(), Some("smör"));
/// assert_eq!(read(OldStr::Bytes), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OldStr {
    /// Text if they are ASCII, else an error.
    #[default]
    Ascii,
    /// Latin-1, which any bytes are.
    Latin1,
    /// UTF-8, else an error.
    Utf8,
    /// No text at all.
    Bytes,
}

type PersistentLoad<'a> = Box<dyn Fn(Item<'_, '_>) -> Result<Box<dyn Any>, Error> + 'a>;

/// How pickles are read as typed values.
///
/// ```
/// use halfsour::typed::{OldStr, Unpickler};
/// // What Python 2 wrote for 'sm\xf6r'.
/// let name: String = Unpickler::new().old_str(OldStr::Latin1).from_slice(b"U\x04sm\xf6r.")?;
/// assert_eq!(name, "smör");
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Default)]
pub struct Unpickler<'a> {
    pub(crate) limits: Limits,
    pub(super) old_str: OldStr,
    pub(crate) buffers: Vec<&'a [u8]>,
    pub(super) persistent_load: Option<PersistentLoad<'a>>,
    pub(crate) names: Names,
}

impl<'a> Unpickler<'a> {
    /// With the default limits, and nothing else.
    ///
    /// ```
    /// use halfsour::typed::Unpickler;
    /// let data = b"(K\x01K\x02l.";
    /// assert_eq!(Unpickler::new().from_slice::<Vec<u8>>(data)?, [1, 2]);
    /// assert_eq!(halfsour::from_slice::<Vec<u8>>(data)?, [1, 2]); // the same
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn new() -> Unpickler<'a> {
        Unpickler::default()
    }

    /// With other limits.
    ///
    /// ```
    /// use halfsour::{Limits, typed::Unpickler};
    /// let unpickler = Unpickler::new().limits(Limits::default().depth(1));
    /// let error = unpickler.from_slice::<Vec<Vec<u8>>>(b"(((lll.").unwrap_err();
    /// assert_eq!(error.to_string(), "more than the limit of 1 (depth) at root[0]");
    /// ```
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Unpickler<'a> {
        self.limits = limits;
        self
    }

    /// With what the strings of Python 2 are.
    ///
    /// ```
    /// use halfsour::typed::{OldStr, Unpickler};
    /// // What Python 2 wrote for 'sm\xc3\xb6r'.
    /// let data = b"U\x05sm\xc3\xb6r.";
    /// halfsour::from_slice::<String>(data).unwrap_err();
    /// let unpickler = Unpickler::new().old_str(OldStr::Utf8);
    /// assert_eq!(unpickler.from_slice::<String>(data)?, "smör");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[must_use]
    pub fn old_str(mut self, old_str: OldStr) -> Unpickler<'a> {
        self.old_str = old_str;
        self
    }

    /// With the out-of-band buffers that the pickle refers to, in the order of its writing.
    ///
    /// ```
    /// use halfsour::typed::Unpickler;
    /// let buffers = [b"spam".as_slice()];
    /// let data: &[u8] = Unpickler::new().buffers(&buffers).from_slice(b"\x80\x05\x97.")?;
    /// assert_eq!(data, b"spam");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[must_use]
    pub fn buffers(mut self, buffers: &[&'a [u8]]) -> Unpickler<'a> {
        self.buffers = buffers.to_vec();
        self
    }

    /// With a function that finds what a persistent id stands for: Python's `persistent_load`.
    ///
    /// What it returns must be of the type that is to be read, a derived one or the content of a
    /// [`Persistent`](super::Persistent). It may be called again for the same id, when an error's
    /// [offset](Error::offset) is looked for.
    ///
    /// ```
    /// use halfsour::typed::{Persistent, Unpickler};
    /// let names = ["spam", "egg"];
    /// let unpickler = Unpickler::new()
    ///     .persistent_load(|pid| Ok(Box::new(names[pid.int::<usize>()?].to_owned())));
    /// let name: Persistent<String> = unpickler.from_slice(b"K\x01Q.")?;
    /// assert_eq!(name.0, "egg");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[must_use]
    pub fn persistent_load(
        mut self,
        load: impl Fn(Item<'_, '_>) -> Result<Box<dyn Any>, Error> + 'a,
    ) -> Unpickler<'a> {
        self.persistent_load = Some(Box::new(load));
        self
    }

    /// With another name for a class: where the pickle says `old`, it means the class `name` of
    /// `module`.
    ///
    /// ```
    /// use halfsour::{load, typed::Unpickler};
    /// let unpickler = Unpickler::new().alias("shop.Order", "shop.models", "Order");
    /// let graph = load(b"cshop\nOrder\n)\x81.")?;
    /// let name = unpickler.read(&graph, |item| Ok(item.class().unwrap().to_string()))?;
    /// assert_eq!(name, "shop.models.Order");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[must_use]
    pub fn alias(mut self, old: &str, module: &str, name: &str) -> Unpickler<'a> {
        self.names.aliases.insert(old.into(), (module.into(), name.into()));
        self
    }

    /// With an extension code: Python's `copyreg.add_extension`.
    ///
    /// ```
    /// use halfsour::{load, typed::Unpickler};
    /// let unpickler = Unpickler::new().extension(7, "shop.models", "Order");
    /// let graph = load(b"\x82\x07)\x81.")?;
    /// let name = unpickler.read(&graph, |item| Ok(item.class().unwrap().to_string()))?;
    /// assert_eq!(name, "shop.models.Order");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[must_use]
    pub fn extension(mut self, code: i32, module: &str, name: &str) -> Unpickler<'a> {
        self.names.extensions.insert(code, (module.into(), name.into()));
        self
    }

    /// Reads a pickle into a graph.
    ///
    /// # Errors
    /// What is wrong with the pickle.
    ///
    /// ```
    /// use halfsour::typed::Unpickler;
    /// let (unpickler, graph) = (Unpickler::new(), Unpickler::new().load(b"K\x07.")?);
    /// assert_eq!(unpickler.from_graph::<u8>(&graph)?, 7);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn load(&self, data: &'a [u8]) -> Result<Graph<'a>, Error> {
        graph::load_within(&mut Reader::new(SliceSource::new(data)), self.limits)
    }

    /// Reads a pickle that is in memory. What follows it is ignored, as `pickle.loads` does.
    ///
    /// # Errors
    /// What is wrong with the pickle, or where its data is not what the type takes.
    ///
    /// ```
    /// let name: &str = halfsour::typed::Unpickler::new().from_slice(b"\x8c\x04spam.")?;
    /// assert_eq!(name, "spam");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn from_slice<T: FromPickle<'a>>(&self, data: &'a [u8]) -> Result<T, Error> {
        self.from_graph(&self.load(data)?)
    }

    /// Reads a pickle from a stream, and no further than its STOP: see
    /// [`StreamSource`](crate::StreamSource). The whole pickle is in memory meanwhile.
    ///
    /// # Errors
    /// As [`from_slice`](Unpickler::from_slice); and what reading the stream fails with.
    ///
    /// ```
    /// let mut file = &b"\x8c\x04spam.and more"[..];
    /// let name: String = halfsour::typed::Unpickler::new().from_reader(&mut file)?;
    /// assert_eq!((&*name, file), ("spam", &b"and more"[..]));
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn from_reader<T: FromPickleOwned>(&self, reader: impl BufRead) -> Result<T, Error> {
        let pickle = fetch(reader, self.limits)?;
        let settings: &Unpickler<'_> = self;
        settings.from_slice(&pickle)
    }

    /// Reads what is a graph already.
    ///
    /// # Errors
    /// Where the data is not what the type takes.
    ///
    /// ```
    /// let graph = halfsour::load(b"K\x01K\x02\x86.")?;
    /// let pair: (u8, u8) = halfsour::typed::Unpickler::new().from_graph(&graph)?;
    /// assert_eq!(pair, (1, 2));
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn from_graph<T: FromPickle<'a>>(&self, graph: &Graph<'a>) -> Result<T, Error> {
        let read = |graph: &Graph<'a>| Decoder::new(graph, self).run(T::from_pickle);
        read(graph).map_err(|error| graph.place(error, |again| read(again).err()))
    }

    /// Hands the root of a graph to a function, for reading without a type.
    ///
    /// # Errors
    /// What the function says. It is called once; so where a None, a bool or an empty tuple is wrong,
    /// of which there is but one, the error has no [offset](Error::offset).
    ///
    /// ```
    /// let graph = halfsour::load(b"](K\x01K\x02e.")?;
    /// let sum: i64 = halfsour::typed::Unpickler::new()
    ///     .read(&graph, |item| item.items()?.map(|item| item.int::<i64>()).sum())?;
    /// assert_eq!(sum, 3);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn read<T>(
        &self,
        graph: &Graph<'a>,
        read: impl FnOnce(Item<'_, 'a>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        Decoder::new(graph, self).run(read).map_err(|error| graph.place(error, |_| None))
    }
}

/// The out-of-band buffer of a number.
pub(crate) fn buffer<'a>(buffers: &[&'a [u8]], number: u32) -> Result<&'a [u8], ErrorKind> {
    match buffers.get(number as usize) {
        Some(buffer) => Ok(buffer),
        None if buffers.is_empty() => Err(ErrorKind::NoBuffers),
        None => Err(ErrorKind::NotEnoughBuffers),
    }
}

impl fmt::Debug for Unpickler<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unpickler")
            .field("limits", &self.limits)
            .field("old_str", &self.old_str)
            .field("buffers", &self.buffers.len())
            .field("persistent_load", &self.persistent_load.is_some())
            .field("aliases", &self.names.aliases)
            .field("extensions", &self.names.extensions)
            .finish()
    }
}
