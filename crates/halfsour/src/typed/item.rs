//! A cursor over a graph: what a type's own code reads values with.
//!
//! It shows values as they are meant, in whichever protocol they were written: a set is a set, even
//! where it is the call `set([1, 2])`.

use std::borrow::Cow;
use std::fmt;

use super::FromPickle;
use super::class::{Class, Registry};
use super::decoder::Decoder;
use super::made::{Construction, Sight};
use super::unpickler::OldStr;
use super::views::{Entries, Items, Mapping, State};
use crate::error::{Error, ErrorKind};
use crate::graph::{Effect, Graph, Made, Node, NodeId, Object};
use crate::number::{self, Integer, Wide, wide};
use crate::text::{latin1, repr_bytes, repr_str};

/// A value of a pickle, at its place in the data.
///
/// ```
/// use halfsour::{Error, FromPickle, typed::Item};
///
/// /// A percentage, pickled as an int or as text.
/// #[derive(Debug, PartialEq)]
/// struct Percent(u8);
///
/// impl<'a> FromPickle<'a> for Percent {
///     fn from_pickle(item: Item<'_, 'a>) -> Result<Percent, Error> {
///         let number = item.int().or_else(|_| {
///             item.str()?.trim_end_matches('%').parse().map_err(|_| item.expected("a percentage"))
///         })?;
///         Ok(Percent(number))
///     }
/// }
///
/// assert_eq!(halfsour::from_slice::<Percent>(b"K\x07.")?, Percent(7));
/// assert_eq!(halfsour::from_slice::<Percent>(b"\x8c\x0342%.")?, Percent(42));
/// let error = halfsour::from_slice::<Percent>(b"\x8c\x01x.").unwrap_err();
/// assert_eq!(error.to_string(), "expected a percentage, found a str at root");
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Item<'g, 'a> {
    decoder: &'g Decoder<'g, 'a>,
    id: NodeId,
    depth: u32,
}

/// The name of a class, or of a function: its module, and the qualified name within.
///
/// ```
/// let graph = halfsour::load(b"ccollections\nOrderedDict\n.")?;
/// halfsour::typed::Unpickler::new().read(&graph, |item| {
///     let class = item.class().unwrap();
///     assert_eq!((class.module, &*class.name), ("collections", "OrderedDict"));
///     assert_eq!(class.to_string(), "collections.OrderedDict");
///     Ok(())
/// })?;
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClassName<'g> {
    /// The module.
    pub module: &'g str,
    /// The qualified name, for a class in a class with a dot.
    pub name: Cow<'g, str>,
}

impl ClassName<'_> {
    /// Whether it is this one.
    #[inline]
    pub fn is(&self, module: &str, name: &str) -> bool {
        self.name == name && self.module == module
    }

    /// Whether it is this one, given with a dot between module and name.
    fn is_dotted(&self, dotted: &str) -> bool {
        let rest = dotted.strip_prefix(self.module).and_then(|rest| rest.strip_prefix('.'));
        rest == Some(&*self.name)
    }

    /// Whether it is a name of a class.
    #[inline]
    fn is_of<T: Class>(&self) -> bool {
        self.is(T::MODULE, T::NAME) || T::ALIASES.iter().any(|alias| self.is_dotted(alias))
    }
}

/// `shop.models.Order`
impl fmt::Display for ClassName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.module, self.name)
    }
}

/// "a" or "an", and the noun.
pub(crate) fn with_article(noun: &str) -> String {
    let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O', 'U']);
    format!("{} {noun}", if vowel { "an" } else { "a" })
}

/// Whether there is nothing to an instance but its class: it may be an empty list.
fn is_bare(made: Construction<'_>, object: Object<'_>) -> bool {
    made.args.is_empty() && made.kwargs.is_empty() && object.effects.is_empty()
}

fn is_int(node: Node<'_>) -> bool {
    matches!(node, Node::Int(_) | Node::BigInt(_))
}

fn is_number(node: Node<'_>) -> bool {
    is_int(node) || matches!(node, Node::Float(_))
}

fn is_text(node: Node<'_>) -> bool {
    matches!(node, Node::Str(_) | Node::OldStr(_))
}

impl<'g, 'a> Item<'g, 'a> {
    #[inline]
    pub(super) fn new(decoder: &'g Decoder<'g, 'a>, id: NodeId, depth: u32) -> Item<'g, 'a> {
        Item { decoder, id, depth }
    }

    pub(super) fn decoder(self) -> &'g Decoder<'g, 'a> {
        self.decoder
    }

    pub(super) fn sight(self) -> Sight<'g, 'a> {
        self.decoder.sight()
    }

    /// The graph.
    ///
    /// ```
    /// let graph = halfsour::load(b"K\x07.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert_eq!(item.graph().root(), item.id());
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn graph(self) -> &'g Graph<'a> {
        self.decoder.graph
    }

    /// The value's number in its graph. References to one object have the same.
    ///
    /// ```
    /// let graph = halfsour::load(b"]q\0h\0\x86.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     // Twice the same list.
    ///     assert_eq!(item.get(0)?.id(), item.get(1)?.id());
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn id(self) -> NodeId {
        self.id
    }

    /// The value as the graph has it, without seeing through anything.
    ///
    /// ```
    /// let graph = halfsour::load(b"K\x07.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert_eq!(item.node(), halfsour::graph::Node::Int(7));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline(always)]
    pub fn node(self) -> Node<'g> {
        self.decoder.graph.get(self.id)
    }

    /// An error about this value: `expected` is what it should be, with an article.
    ///
    /// ```
    /// let error = halfsour::from_slice::<u8>(b"\x8c\x04spam.").unwrap_err();
    /// assert_eq!(error.to_string(), "expected an int, found a str at root");
    /// ```
    #[cold]
    pub fn expected(self, expected: impl Into<String>) -> Error {
        self.mismatch(expected.into(), self.describe())
    }

    /// An error about this value, which is found to be something else.
    #[cold]
    pub(super) fn mismatch(self, expected: String, found: String) -> Error {
        self.error(ErrorKind::Expected { expected, found })
    }

    /// An error about this value.
    #[cold]
    pub(super) fn error(self, kind: ErrorKind) -> Error {
        Error::new(kind).about(self.id)
    }

    /// What it is, with an article: `an int`, `a shop.models.Order`.
    ///
    /// ```
    /// let graph = halfsour::load(b"capp\nPoint\n)\x81.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert_eq!(item.describe(), "an app.Point");
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[cold]
    pub fn describe(self) -> String {
        let text = match self.node() {
            Node::None => "None",
            Node::Bool(_) => "a bool",
            Node::Int(_) | Node::BigInt(_) => "an int",
            Node::Float(_) => "a float",
            Node::Str(text) if text.to_str().is_none() => "a str with lone surrogates",
            Node::Str(_) => "a str",
            Node::OldStr(_) => "a str of Python 2",
            Node::Bytes(_) => "bytes",
            Node::ByteArray(_) => "a bytearray",
            Node::Buffer(_) | Node::ReadonlyBuffer(_) => "an out-of-band buffer",
            Node::Tuple(_) => "a tuple",
            Node::List(_) => "a list",
            Node::Dict(_) => "a dict",
            Node::Set(_) => "a set",
            Node::FrozenSet(_) => "a frozenset",
            Node::Object(object) => return self.describe_object(object),
        };
        text.into()
    }

    fn describe_object(self, object: Object<'g>) -> String {
        match (object.made, self.construction()) {
            (Made::Persistent(_), _) => "a persistent id".into(),
            (_, Some(made)) => match self.sight().global(made.cls) {
                Some(name) if name.is("_codecs", "encode") || name.is("builtins", "bytes") => {
                    "bytes".into()
                }
                Some(ClassName { module: "builtins", name }) => with_article(&name),
                Some(name) => with_article(&name.to_string()),
                None => "an object".into(),
            },
            (made, None) => match (self.sight().global(self.id), made) {
                (Some(name), _) => format!("the global {name}"),
                (None, Made::Extension(code)) => format!("the extension {code}"),
                _ => "an object".into(),
            },
        }
    }

    /// As Python's `repr`, for what is short: a step of a path.
    #[cold]
    pub(super) fn repr(self) -> String {
        match self.node() {
            Node::None => "None".into(),
            Node::Bool(true) => "True".into(),
            Node::Bool(false) => "False".into(),
            Node::Int(value) => value.to_string(),
            Node::BigInt(bytes) => {
                Integer::Big(bytes.into()).repr().unwrap_or_else(|| "...".into())
            }
            Node::Float(value) => number::repr_float(value),
            Node::Str(text) => repr_str(text.as_bytes()),
            Node::OldStr(text) if text.is_ascii() => repr_str(text),
            Node::OldStr(bytes) | Node::Bytes(bytes) => repr_bytes(bytes),
            Node::Tuple(_) => "(...)".into(),
            _ => "...".into(),
        }
    }

    // Scalars.

    /// The builtin value that it is by its class, or as a member of an enum, if that is of the kind
    /// that is wanted; else an error.
    #[cold]
    fn plain(self, wanted: fn(Node<'_>) -> bool, expected: &str) -> Result<Item<'g, 'a>, Error> {
        let plain = match self.node() {
            Node::Object(object) => self.sight().plain(object),
            _ => None,
        };
        match plain.map(|id| self.at(id)) {
            Some(plain) if wanted(plain.node()) => Ok(plain),
            _ => Err(self.expected(expected)),
        }
    }

    // Apart, so that reading what is no object is little code.

    /// An int that is large, or that of an instance; `None` if it does not fit.
    #[cold]
    #[inline(never)]
    fn other_int<T: TryFrom<i64> + TryFrom<i128> + TryFrom<u128>>(
        self,
    ) -> Result<Option<T>, Error> {
        let node = match self.node() {
            Node::BigInt(bytes) => Node::BigInt(bytes),
            _ => self.plain(is_int, "an int")?.node(),
        };
        Ok(match node {
            Node::Int(value) => T::try_from(value).ok(),
            Node::BigInt(bytes) => match wide(bytes) {
                Some(Wide::Signed(value)) => T::try_from(value).ok(),
                Some(Wide::Unsigned(value)) => T::try_from(value).ok(),
                None => None,
            },
            _ => None,
        })
    }

    /// An int as a float, or a number of an instance.
    #[cold]
    #[inline(never)]
    fn other_float(self) -> Result<f64, Error> {
        let item = if is_int(self.node()) { self } else { self.plain(is_number, "a float")? };
        let int = match item.node() {
            Node::Float(value) => return Ok(value),
            Node::Int(value) => Some(Wide::Signed(value.into())),
            Node::BigInt(bytes) => wide(bytes),
            _ => None,
        };
        let float = int.and_then(|int| int.float());
        float.ok_or_else(|| item.mismatch("an int that a float can be".into(), item.shown_int()))
    }

    #[cold]
    #[inline(never)]
    fn plain_text(self) -> Result<Cow<'g, str>, Error> {
        self.plain(is_text, "a str")?.text()
    }

    #[cold]
    #[inline(never)]
    fn plain_borrowed_str(self) -> Result<&'a str, Error> {
        self.plain(is_text, "a str")?.borrowed_str()
    }

    /// The bytes that an instance of a subclass is.
    fn plain_bytes(self, object: Object<'g>) -> Option<Cow<'g, [u8]>> {
        let sight = self.sight();
        match self.graph().get(sight.plain(object)?) {
            Node::Bytes(bytes) | Node::ByteArray(bytes) => Some(Cow::Borrowed(bytes)),
            Node::Object(call) => sight.bytes(call),
            _ => None,
        }
    }

    /// Whether it is None.
    ///
    /// ```
    /// let graph = halfsour::load(b"N.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert!(item.is_none());
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn is_none(self) -> bool {
        matches!(self.node(), Node::None)
    }

    /// A bool.
    ///
    /// # Errors
    /// If it is anything else, an int too.
    ///
    /// ```
    /// let graph = halfsour::load(b"\x88.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert!(item.bool()?);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn bool(self) -> Result<bool, Error> {
        match self.node() {
            Node::Bool(value) => Ok(value),
            _ => Err(self.expected("a bool")),
        }
    }

    /// An int, as any of Rust's integer types; also of a subclass, or as the value of a member of an
    /// enum.
    ///
    /// # Errors
    /// If it is anything else, a bool too, or one that does not fit.
    ///
    /// ```
    /// let error = halfsour::from_slice::<u8>(b"M\x2c\x01.").unwrap_err();
    /// assert_eq!(error.to_string(), "expected an int that fits u8, found the int 300 at root");
    /// ```
    #[inline(always)]
    pub fn int<T: TryFrom<i64> + TryFrom<i128> + TryFrom<u128>>(self) -> Result<T, Error> {
        let value = match self.node() {
            Node::Int(value) => T::try_from(value).ok(),
            _ => self.other_int()?,
        };
        value.ok_or_else(|| self.out_of_range(std::any::type_name::<T>()))
    }

    #[cold]
    fn out_of_range(self, of: &str) -> Error {
        self.mismatch(format!("an int that fits {of}"), self.shown_int())
    }

    #[cold]
    fn shown_int(self) -> String {
        match self.node() {
            Node::BigInt(bytes) if bytes.len() > 32 => format!("an int of {} bytes", bytes.len()),
            Node::Object(_) => self.describe(),
            _ => format!("the int {}", self.repr()),
        }
    }

    /// A float; or an int, as Python would take it where it needs a float.
    ///
    /// # Errors
    /// If it is anything else; or an int that no float is, as 2<sup>53</sup> + 1, or of more than 128
    /// bits.
    ///
    /// ```
    /// let graph = halfsour::load(b"K\x07.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert_eq!(item.float()?, 7.0);
    ///     Ok(())
    /// })?;
    /// let error = halfsour::from_slice::<f64>(b"I9007199254740993\n.").unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "expected an int that a float can be, found the int 9007199254740993 at root"
    /// );
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn float(self) -> Result<f64, Error> {
        match self.node() {
            Node::Float(value) => Ok(value),
            _ => self.other_float(),
        }
    }

    /// A float of half the precision, rounded.
    pub(super) fn single(self) -> Result<f32, Error> {
        let value = self.float()?;
        number::single(value).ok_or_else(|| {
            let found = format!("the float {}", number::repr_float(value));
            self.mismatch("a float that fits f32".into(), found)
        })
    }

    /// Text, as long as the graph lives. What Python 2 wrote is text if the settings say so:
    /// [`OldStr`].
    ///
    /// # Errors
    /// If it is anything else, or has lone surrogates.
    ///
    /// ```
    /// let graph = halfsour::load(b"Vcaf\\u00e9\n.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert_eq!(item.str()?, "café");
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn str(self) -> Result<Cow<'g, str>, Error> {
        let text = self.text()?;
        self.decoder.copy(text.as_bytes())?;
        Ok(text)
    }

    /// As [`str`](Item::str), for those that do not copy it.
    #[inline]
    fn text(self) -> Result<Cow<'g, str>, Error> {
        match self.node() {
            Node::Str(text) => match text.to_str() {
                Some(text) => Ok(Cow::Borrowed(text)),
                None => Err(self.expected("a str that is Unicode")),
            },
            Node::OldStr(text) => self.old_str(text),
            _ => self.plain_text(),
        }
    }

    #[cold]
    fn old_str(self, text: &'g [u8]) -> Result<Cow<'g, str>, Error> {
        let wrong = |expected: &str| {
            let found = format!("the str {} of Python 2", repr_bytes(text));
            Err(self.mismatch(expected.into(), found))
        };
        match (self.decoder.unpickler.old_str, str::from_utf8(text)) {
            (OldStr::Bytes, _) => wrong("a str"),
            (OldStr::Latin1, Err(_)) => Ok(Cow::Owned(latin1(text))),
            (OldStr::Latin1, Ok(utf8)) if !utf8.is_ascii() => Ok(Cow::Owned(latin1(text))),
            (OldStr::Ascii, Ok(utf8)) if !utf8.is_ascii() => wrong("a str that is ASCII"),
            (OldStr::Ascii, Err(_)) => wrong("a str that is ASCII"),
            (_, Ok(utf8)) => Ok(Cow::Borrowed(utf8)),
            (OldStr::Utf8, Err(_)) => wrong("a str that is UTF-8"),
        }
    }

    /// Text that is in the pickle as it is: without a copy, as long as the pickle lives.
    ///
    /// # Errors
    /// As [`str`](Item::str); and if the text is not in the pickle as it is, but written with escapes,
    /// as protocol 0 does, or in another encoding.
    ///
    /// ```
    /// let graph = halfsour::load(b"\x8c\x04spam.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert_eq!(item.borrowed_str()?, "spam");
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn borrowed_str(self) -> Result<&'a str, Error> {
        if let Node::Object(_) = self.node() {
            return self.plain_borrowed_str();
        }
        let text = self.text()?;
        let borrowed = self.decoder.graph.borrowed(self.id).and_then(|b| str::from_utf8(b).ok());
        match borrowed {
            Some(borrowed) if matches!(text, Cow::Borrowed(_)) => Ok(borrowed),
            _ => Err(self.not_borrowed("a str that is in the pickle as it is")),
        }
    }

    #[cold]
    fn not_borrowed(self, expected: &str) -> Error {
        let found = format!("a copy of {}", self.describe());
        self.mismatch(expected.into(), found)
    }

    /// The bytes of a text's characters in UTF-8, of a Python 2 string as they are: to compare names
    /// with. `None` if it is neither.
    ///
    /// ```
    /// let graph = halfsour::load(b"U\x04spam.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert_eq!(item.name(), Some(b"spam".as_slice()));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn name(self) -> Option<&'g [u8]> {
        match self.node() {
            Node::Str(text) => Some(text.as_bytes()),
            Node::OldStr(text) => Some(text),
            _ => None,
        }
    }

    /// Bytes, a bytearray, an out-of-band buffer, or a string of Python 2; as long as the graph lives.
    ///
    /// # Errors
    /// If it is anything else.
    ///
    /// ```
    /// // pickle.dumps(b"\xe9", 2)
    /// let data = b"\x80\x02c_codecs\nencode\nX\x02\0\0\0\xc3\xa9X\x06\0\0\0latin1\x86R.";
    /// let graph = halfsour::load(data)?;
    /// let bytes = halfsour::typed::Unpickler::new()
    ///     .read(&graph, |item| Ok(item.bytes()?.into_owned()))?;
    /// assert_eq!(bytes, b"\xe9");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn bytes(self) -> Result<Cow<'g, [u8]>, Error> {
        let bytes = match self.node() {
            Node::Bytes(bytes) | Node::ByteArray(bytes) | Node::OldStr(bytes) => {
                Cow::Borrowed(bytes)
            }
            _ => self.other_bytes()?,
        };
        self.decoder.copy(&bytes)?;
        Ok(bytes)
    }

    fn other_bytes(self) -> Result<Cow<'g, [u8]>, Error> {
        let bytes = match self.node() {
            Node::Buffer(number) => return self.buffer(number).map(Cow::Borrowed),
            // A view of a view is that view itself, so this goes no deeper.
            Node::ReadonlyBuffer(of) => return self.at(of).bytes(),
            Node::Object(object) => {
                let sight = self.sight();
                sight.bytes(object).or_else(|| self.plain_bytes(object))
            }
            _ => None,
        };
        bytes.ok_or_else(|| self.expected("bytes"))
    }

    fn buffer(self, number: u32) -> Result<&'a [u8], Error> {
        let buffers = &self.decoder.unpickler.buffers;
        buffers.get(number as usize).copied().ok_or_else(|| {
            let none = buffers.is_empty();
            self.error(if none { ErrorKind::NoBuffers } else { ErrorKind::NotEnoughBuffers })
        })
    }

    /// Bytes that are in the pickle as they are, or in an out-of-band buffer: without a copy, as long
    /// as those live.
    ///
    /// # Errors
    /// As [`bytes`](Item::bytes); and if they are not in the pickle as they are.
    ///
    /// ```
    /// let graph = halfsour::load(b"C\x04spam.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert_eq!(item.borrowed_bytes()?, b"spam");
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn borrowed_bytes(self) -> Result<&'a [u8], Error> {
        match self.node() {
            Node::Bytes(_) | Node::ByteArray(_) | Node::OldStr(_) => {
                let borrowed = self.decoder.graph.borrowed(self.id);
                borrowed
                    .ok_or_else(|| self.not_borrowed("bytes that are in the pickle as they are"))
            }
            Node::Buffer(number) => self.buffer(number),
            Node::ReadonlyBuffer(of) => self.at(of).borrowed_bytes(),
            _ => match self.other_bytes()? {
                Cow::Borrowed([]) => Ok(&[]),
                _ => Err(self.not_borrowed("bytes that are in the pickle as they are")),
            },
        }
    }

    /// Whether only its items can be read, and not bytes.
    pub(super) fn is_sequence(self) -> bool {
        match self.node() {
            Node::Tuple(_) | Node::List(_) | Node::Set(_) | Node::FrozenSet(_) => true,
            Node::Object(object) => {
                self.sight().bytes(object).is_none() && self.plain_bytes(object).is_none()
            }
            _ => false,
        }
    }

    // Containers.

    /// Another node, at the same place: for what belongs to the value.
    pub(crate) fn at(self, id: NodeId) -> Item<'g, 'a> {
        Item { id, ..self }
    }

    /// Other nodes, each at the same place.
    pub(super) fn beside<'i>(self, ids: &'i [NodeId]) -> Items<'i, 'a>
    where
        'g: 'i,
    {
        Items { decoder: self.decoder, ids: ids.iter(), depth: self.depth }
    }

    #[inline]
    fn enter(self, ids: &'g [NodeId]) -> Result<Items<'g, 'a>, Error> {
        let depth = self.decoder.enter(self.id, self.depth, ids.len())?;
        Ok(Items { decoder: self.decoder, ids: ids.iter(), depth })
    }

    #[inline]
    fn enter_entries(self, entries: &'g [[NodeId; 2]]) -> Result<Entries<'g, 'a>, Error> {
        let depth = self.decoder.enter(self.id, self.depth, 2 * entries.len())?;
        Ok(Entries { decoder: self.decoder, entries: entries.iter(), depth })
    }

    /// What a container is made from, where it is a call: `set([1, 2])`.
    fn called_items(self, object: Object<'g>, kinds: &[&str]) -> Option<&'g [NodeId]> {
        let (name, args) = self.sight().call(object)?;
        if name.module != "builtins" || !kinds.contains(&&*name.name) || !object.effects.is_empty()
        {
            return None;
        }
        match args {
            [] => Some(&[]),
            [items] => match self.graph().get(*items) {
                Node::List(items) | Node::Tuple(items) => Some(items),
                _ => None,
            },
            _ => None,
        }
    }

    /// The items of a tuple, a list, a set or a frozenset; also of an instance of a subclass of
    /// `tuple`. What is appended to an instance is among its [`list_items`](Item::list_items).
    ///
    /// # Errors
    /// If it is anything else; or if it is too deep, or too much was visited: [`Limits`](crate::Limits).
    ///
    /// ```
    /// let graph = halfsour::load(b"K\x01K\x02\x86.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     let numbers: Result<Vec<u8>, _> = item.items()?.map(|item| item.int()).collect();
    ///     assert_eq!(numbers?, [1, 2]);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn items(self) -> Result<Items<'g, 'a>, Error> {
        match self.node() {
            Node::Tuple(ids) | Node::List(ids) | Node::Set(ids) | Node::FrozenSet(ids) => {
                self.enter(ids)
            }
            Node::Object(object) => {
                let called = self.called_items(object, &["tuple", "list", "set", "frozenset"]);
                match called.or_else(|| self.tuple_of(object, None)) {
                    Some(ids) => self.enter(ids),
                    None => Err(self.expected("a list")),
                }
            }
            _ => Err(self.expected("a list")),
        }
    }

    /// The items of a set or a frozenset.
    ///
    /// # Errors
    /// As [`items`](Item::items).
    ///
    /// ```
    /// let graph = halfsour::load(b"c__builtin__\nset\n](K\x01K\x02e\x85R.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     // set([1, 2]), as protocol 2 has it.
    ///     assert_eq!(item.set_items()?.len(), 2);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn set_items(self) -> Result<Items<'g, 'a>, Error> {
        match self.node() {
            Node::Set(ids) | Node::FrozenSet(ids) => self.enter(ids),
            Node::Object(object) => match self.called_items(object, &["set", "frozenset"]) {
                Some(ids) => self.enter(ids),
                None => Err(self.expected("a set")),
            },
            _ => Err(self.expected("a set")),
        }
    }

    /// The items of a tuple; of a list too, since other languages make no difference.
    ///
    /// # Errors
    /// As [`items`](Item::items); or if their number is another.
    ///
    /// ```
    /// let graph = halfsour::load(b"K\x01K\x02\x86.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert_eq!(item.tuple_items(2)?.len(), 2);
    ///     let error = item.tuple_items(3).unwrap_err();
    ///     assert_eq!(error.to_string(), "expected a tuple of 3, found a tuple of 2");
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn tuple_items(self, len: usize) -> Result<Items<'g, 'a>, Error> {
        match self.node() {
            Node::Tuple(ids) | Node::List(ids) if ids.len() == len => self.enter(ids),
            node => {
                let ids = match node {
                    Node::Tuple(ids) | Node::List(ids) => Some(ids),
                    Node::Object(object) => self.tuple_of(object, Some(len)),
                    _ => None,
                };
                match ids {
                    Some(ids) if ids.len() == len => self.enter(ids),
                    Some(ids) => {
                        let found = format!("{} of {}", self.describe(), ids.len());
                        Err(self.mismatch(format!("a tuple of {len}"), found))
                    }
                    None => Err(self.expected(format!("a tuple of {len}"))),
                }
            }
        }
    }

    /// The items of an instance of a subclass of `tuple`: it is made with the whole tuple, or, as a
    /// namedtuple, with each of the items.
    fn tuple_of(self, object: Object<'g>, len: Option<usize>) -> Option<&'g [NodeId]> {
        let made = self.sight().construction(object)?;
        if made.called || !made.kwargs.is_empty() || !object.effects.is_empty() {
            return None;
        }
        match (made.contents.map(|id| self.graph().get(id)), made.args) {
            (Some(Node::Tuple(items)), _) => Some(items),
            (None, &[whole]) if len != Some(1) => match self.graph().get(whole) {
                Node::Tuple(items) => Some(items),
                _ => Some(made.args),
            },
            (None, [_, ..]) => Some(made.args),
            _ => None,
        }
    }

    /// Whether it is an instance of a subclass of `list`, or a `collections.deque`: it gets its items
    /// one by one.
    pub(super) fn is_list(self) -> bool {
        let Node::Object(object) = self.node() else { return false };
        let Some(made) = self.sight().construction(object) else { return false };
        if made.called {
            let class = self.sight().global(made.cls);
            return class.is_some_and(|class| class.is("collections", "deque"));
        }
        let is_item = |effect: &Effect| matches!(effect, Effect::Append(_) | Effect::Add(_));
        match made.contents.map(|id| self.graph().get(id)) {
            None => object.effects.iter().any(is_item) || is_bare(made, object),
            contents => matches!(contents, Some(Node::List(_) | Node::Set(_))),
        }
    }

    /// An item of a tuple, a list or a set, by its place.
    ///
    /// # Errors
    /// As [`items`](Item::items); or if there is none.
    ///
    /// ```
    /// let graph = halfsour::load(b"K\x01K\x02\x86.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert_eq!(item.get(1)?.int::<u8>()?, 2);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn get(self, index: usize) -> Result<Item<'g, 'a>, Error> {
        self.items()?
            .nth(index)
            .ok_or_else(|| self.error(ErrorKind::Missing { name: format!("item {index}") }))
    }

    /// The entries of a dict: keys with values, in Python's order.
    ///
    /// # Errors
    /// If it is anything else; or as [`items`](Item::items).
    ///
    /// ```
    /// let graph = halfsour::load(b"}(\x8c\x01aK\x01\x8c\x01bK\x02u.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     for (key, value) in item.entries()? {
    ///         println!("{}: {}", key.str()?, value.int::<u8>()?);
    ///     }
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn entries(self) -> Result<Entries<'g, 'a>, Error> {
        match self.node() {
            Node::Dict(entries) => self.enter_entries(entries),
            _ => Err(self.expected("a dict")),
        }
    }

    /// The entries of a dict, of an instance of a subclass, or of what the standard library has
    /// instead: `OrderedDict`, `defaultdict`, `Counter`.
    ///
    /// # Errors
    /// As [`entries`](Item::entries).
    ///
    /// ```
    /// // pickle.dumps(collections.OrderedDict(a=1), 2)
    /// let data = b"\x80\x02ccollections\nOrderedDict\nq\0)Rq\x01X\x01\0\0\0aq\x02K\x01s.";
    /// let map: std::collections::BTreeMap<&str, u8> = halfsour::from_slice(data)?;
    /// assert_eq!(map["a"], 1);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn mapping(self) -> Result<Mapping<'g, 'a>, Error> {
        let (mut entries, mut effects) = (&[][..], &[][..]);
        match self.node() {
            Node::Dict(dict) => entries = dict,
            Node::Object(object) => match (self.class(), self.construction()) {
                (Some(ClassName { module: "collections", name }), Some(made))
                    if matches!(&*name, "OrderedDict" | "defaultdict" | "Counter") =>
                {
                    effects = object.effects;
                    // A Counter is made of a dict; the argument of a defaultdict is a function.
                    if let [dict] = made.args
                        && let Node::Dict(dict) = self.graph().get(*dict)
                    {
                        entries = dict;
                    }
                }
                (_, Some(made)) if !made.called => {
                    let is_entry = |effect: &Effect| matches!(effect, Effect::SetItem(..));
                    match made.contents.map(|id| self.graph().get(id)) {
                        Some(Node::Dict(dict)) => entries = dict,
                        None if object.effects.iter().any(is_entry) || is_bare(made, object) => {}
                        _ => return Err(self.expected("a dict")),
                    }
                    effects = object.effects;
                }
                _ => return Err(self.expected("a dict")),
            },
            _ => return Err(self.expected("a dict")),
        }
        let all = 2 * (entries.len() + effects.len());
        let depth = self.decoder.enter(self.id, self.depth, all)?;
        Ok(Mapping {
            decoder: self.decoder,
            entries: entries.iter(),
            effects: effects.iter(),
            depth,
        })
    }

    // Instances.

    #[inline]
    fn construction(self) -> Option<Construction<'g>> {
        match self.node() {
            Node::Object(object) => self.sight().construction(object),
            _ => None,
        }
    }

    fn effects(self) -> &'g [Effect] {
        match self.node() {
            Node::Object(object) => object.effects,
            _ => &[],
        }
    }

    /// The class of an instance; what is called, if it is made by a call; of a global its own name.
    /// `None` for all else.
    ///
    /// Names are as Python 3 has them, and as [`Unpickler::alias`](super::Unpickler::alias) says.
    ///
    /// ```
    /// let graph = halfsour::load(b"ccopy_reg\n_reconstructor\n(capp\nPoint\nc__builtin__\nobject\nNtR.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     // As protocol 0 has it.
    ///     assert_eq!(item.class().unwrap().to_string(), "app.Point");
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn class(self) -> Option<ClassName<'g>> {
        match self.construction() {
            Some(made) => self.sight().global(made.cls),
            None => self.sight().global(self.id),
        }
    }

    /// Whether it is an instance of a class.
    #[inline]
    pub fn is<T: Class>(self) -> bool {
        self.construction().is_some_and(|made| self.is_class::<T>(made.cls))
    }

    /// The name of a global, a class or a function that is itself the value.
    pub(crate) fn global_name(self) -> Option<ClassName<'g>> {
        self.sight().global(self.id)
    }

    #[inline]
    fn is_class<T: Class>(self, cls: NodeId) -> bool {
        let aliases = &self.decoder.unpickler.names.aliases;
        let meant = |raw: &ClassName<'_>| {
            raw.is(T::MODULE, T::NAME)
                && (aliases.is_empty() || !aliases.contains_key(&raw.to_string()))
        };
        // Most names are what they were.
        self.sight().raw_global(cls).is_some_and(|raw| meant(&raw))
            || self.sight().global(cls).is_some_and(|class| class.is_of::<T>())
    }

    /// Whether it is a global, and this one: a class, a function.
    ///
    /// ```
    /// let graph = halfsour::load(b"c__builtin__\nlen\n.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert!(item.is_global("builtins", "len"));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn is_global(self, module: &str, name: &str) -> bool {
        self.sight().global(self.id).is_some_and(|global| global.is(module, name))
    }

    /// The arguments with which an instance is made: what `__getnewargs__` returned, or those of the
    /// call. None for all else.
    ///
    /// # Errors
    /// If it is too deep, or too much was visited.
    ///
    /// ```
    /// let graph = halfsour::load(b"capp\nPoint\nK\x01K\x02\x86\x81.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert_eq!(item.args()?.len(), 2);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn args(self) -> Result<Items<'g, 'a>, Error> {
        self.enter(self.construction().map_or(&[], |made| made.args))
    }

    /// The keyword arguments with which an instance is made: what `__getnewargs_ex__` returned.
    ///
    /// # Errors
    /// If it is too deep, or too much was visited.
    ///
    /// ```
    /// let graph = halfsour::load(b"capp\nPoint\n)}\x8c\x01xK\x01s\x92.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     let (name, value) = item.kwargs()?.next().unwrap();
    ///     assert_eq!((&*name.str()?, value.int::<u8>()?), ("x", 1));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn kwargs(self) -> Result<Entries<'g, 'a>, Error> {
        self.enter_entries(self.construction().map_or(&[], |made| made.kwargs))
    }

    /// The state of an instance: what `__getstate__` returned.
    ///
    /// # Errors
    /// If it is too deep, or too much was visited.
    ///
    /// ```
    /// let graph = halfsour::load(b"capp\nPoint\n)\x81}\x8c\x01xK\x01sb.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert_eq!(item.state()?.attr("x")?.unwrap().int::<u8>()?, 1);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn state(self) -> Result<State<'g, 'a>, Error> {
        let effects = self.effects();
        let depth = self.decoder.enter(self.id, self.depth, effects.len())?;
        Ok(State { decoder: self.decoder, id: self.id, effects, depth })
    }

    /// The items that are appended or added to an instance: of a subclass of `list` or `set`, a deque.
    ///
    /// # Errors
    /// If it is too deep, or too much was visited.
    ///
    /// ```
    /// let graph = halfsour::load(b"capp\nStack\n)\x81(K\x01K\x02e.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     let items = item.list_items()?.map(|item| item.int::<u8>());
    ///     assert_eq!(items.collect::<Result<Vec<_>, _>>()?, [1, 2]);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn list_items(self) -> Result<impl Iterator<Item = Item<'g, 'a>>, Error> {
        let contents = self.construction().and_then(|made| made.contents);
        let contents = match contents.map(|id| self.graph().get(id)) {
            Some(Node::List(ids) | Node::Set(ids)) => ids,
            Some(Node::Object(object)) => self.called_items(object, &["set"]).unwrap_or_default(),
            _ => &[],
        };
        let (effects, decoder) = (self.effects(), self.decoder);
        let depth = decoder.enter(self.id, self.depth, contents.len() + effects.len())?;
        let added = effects.iter().filter_map(|effect| match effect {
            Effect::Append(id) | Effect::Add(id) => Some(id),
            _ => None,
        });
        Ok(contents.iter().chain(added).map(move |id| Item { decoder, id: *id, depth }))
    }

    /// The entries that are put into an instance: of a subclass of `dict`.
    ///
    /// # Errors
    /// If it is too deep, or too much was visited.
    ///
    /// ```
    /// let graph = halfsour::load(b"capp\nTable\n)\x81\x8c\x01xK\x01s.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     let (key, value) = item.dict_items()?.next().unwrap();
    ///     assert_eq!((&*key.str()?, value.int::<u8>()?), ("x", 1));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[allow(clippy::type_complexity, reason = "an iterator of pairs")]
    pub fn dict_items(self) -> Result<impl Iterator<Item = (Item<'g, 'a>, Item<'g, 'a>)>, Error> {
        let contents = self.construction().and_then(|made| made.contents);
        let contents = match contents.map(|id| self.graph().get(id)) {
            Some(Node::Dict(entries)) => entries,
            _ => &[],
        };
        let (effects, decoder) = (self.effects(), self.decoder);
        let depth = decoder.enter(self.id, self.depth, 2 * (contents.len() + effects.len()))?;
        let put = effects.iter().filter_map(|effect| match effect {
            Effect::SetItem(key, value) => Some([*key, *value]),
            _ => None,
        });
        let item = move |id| Item { decoder, id, depth };
        Ok(contents.iter().copied().chain(put).map(move |[key, value]| (item(key), item(value))))
    }

    /// The persistent id, if that is what it is.
    ///
    /// ```
    /// let graph = halfsour::load(b"K\x07Q.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert_eq!(item.persistent_id().unwrap().int::<u8>()?, 7);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn persistent_id(self) -> Option<Item<'g, 'a>> {
        match self.node() {
            Node::Object(Object { made: Made::Persistent(pid), .. }) => Some(self.at(pid)),
            _ => None,
        }
    }

    /// What the settings' [`persistent_load`](super::Unpickler::persistent_load) returns for a
    /// persistent id; `None` if this is none.
    ///
    /// # Errors
    /// What that function says; if there is none; if it returns another type.
    ///
    /// ```
    /// let graph = halfsour::load(b"K\x07Q.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     // Without persistent_load there is no value.
    ///     item.persistent::<String>().unwrap_err();
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn persistent<T: 'static>(self) -> Result<Option<T>, Error> {
        let Some(pid) = self.persistent_id() else { return Ok(None) };
        let load = self.decoder.unpickler.persistent_load.as_ref();
        let value = load.ok_or_else(|| self.error(ErrorKind::NoPersistentLoad))?(pid)?;
        match value.downcast::<T>() {
            Ok(value) => Ok(Some(*value)),
            Err(_) => {
                let expected = format!("{} from persistent_load", std::any::type_name::<T>());
                let found = "another type".into();
                Err(self.mismatch(expected, found))
            }
        }
    }

    /// An instance of whichever class of a registry it is.
    ///
    /// # Errors
    /// If no class of that name is registered; or what reading it says.
    pub fn object(self, registry: &Registry) -> Result<Box<dyn std::any::Any>, Error> {
        registry.read(self)
    }

    /// Reads it as any type.
    ///
    /// # Errors
    /// What the type says.
    ///
    /// ```
    /// let graph = halfsour::load(b"(K\x01K\x02l.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert_eq!(item.read::<Vec<u8>>()?, [1, 2]);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn read<T: FromPickle<'a>>(self) -> Result<T, Error> {
        T::from_pickle(self)
    }
}

/// `pickle::Item(a list)`
impl fmt::Debug for Item<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Item").field(&self.node()).finish()
    }
}
