//! What can be wrong with a pickle, and the words for it.
//!
//! [`Error`] is one word wide, so that it costs nothing on the good path. Its text is what CPython's
//! `_pickle.c` says for the same fault; where it happened is kept beside the text, not in it.

use alloc::boxed::Box;
use alloc::collections::TryReserveError;
use alloc::string::String;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;

use crate::graph::NodeId;
use crate::opcode::Opcode;

/// Why a pickle could not be read.
///
/// ```
/// let error = halfsour::load(b"(K\x01").unwrap_err();
/// assert_eq!(error.kind(), &halfsour::ErrorKind::Eof);
/// assert_eq!(error.to_string(), "Ran out of input");
/// assert_eq!(error.offset(), Some(3));
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    /// The innermost step first.
    path: Vec<Step>,
    /// Whether the path begins at the root of the data: not if a format is at fault.
    rooted: bool,
    /// The node that is wrong, as long as nobody said where it is in the input.
    node: Option<NodeId>,
    offset: Option<u64>,
    opcode: Option<Opcode>,
}

/// The faults that the format itself can have.
///
/// Faults of objects (a class that is not there, a callable that fails) are the heap's own.
///
/// ```
/// use halfsour::ErrorKind;
/// let error = halfsour::load(b"h\x05.").unwrap_err();
/// assert_eq!(error.kind(), &ErrorKind::MemoMissing(5));
/// assert_eq!(error.kind().to_string(), "Memo value not found at index 5");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input ended where an opcode was due.
    Eof,
    /// The input ended inside an argument.
    Truncated,
    /// An argument is said to end beyond what can be addressed.
    ReadOverflow,
    /// An opcode needs more values than the stack holds.
    StackUnderflow,
    /// An opcode needs a value, but the topmost thing is a mark.
    UnexpectedMark,
    /// An opcode needs a mark, and none is set.
    NoMark,
    /// A byte that is no opcode.
    InvalidLoadKey(u8),
    /// PROTO names a protocol that does not exist.
    UnsupportedProtocol(u8),
    /// LONG4 has a negative length.
    NegativeLong,
    /// BINSTRING has a negative length.
    NegativeString,
    /// A length that no object can have.
    SizeOverflow {
        /// `BINBYTES`, `BYTEARRAY8` or `BINUNICODE`.
        what: &'static str,
    },
    /// FRAME announces more than can be addressed.
    FrameOverflow,
    /// A read begins inside of a frame and ends after it.
    FrameExhausted,
    /// A FRAME inside of a frame that has not ended.
    FrameNested,
    /// Keys and values do not pair up.
    OddItems {
        /// `DICT` or `SETITEMS`.
        what: &'static str,
    },
    /// GET of a memo index that was never put.
    MemoMissing(i64),
    /// PUT at a negative memo index.
    NegativePut,
    /// STACK_GLOBAL found something else than two strings.
    StackGlobalNotStr,
    /// An extension code that is zero or negative.
    ExtCode,
    /// An extension code that nobody registered.
    UnregisteredExtension(i64),
    /// STRING without its quotes.
    UnquotedString,
    /// INT with something else than a number.
    BadInt,
    /// Text that spells no number, or no string; with what Python says about it.
    BadLiteral(String),
    /// FLOAT with a number that no float can be; with what Python says about it.
    FloatOverflow(String),
    /// GET or PUT with a number that no memo index can be.
    IndexOverflow,
    /// Text that is not in the encoding that its opcode demands; with what Python says about it.
    BadText(String),
    /// A protocol 0 persistent id that is not ASCII.
    PersidNotAscii,
    /// A persistent id, and nobody to resolve it.
    NoPersistentLoad,
    /// NEXT_BUFFER, but no buffers were given.
    NoBuffers,
    /// NEXT_BUFFER once more than there are buffers.
    NotEnoughBuffers,
    /// The state of an object without `__setstate__` is no dict.
    StateNotDict,
    /// The second half of a two-part state is no dict.
    SlotStateNotDict,
    /// An opcode was applied to a kind of object that has no such operation.
    WrongType {
        /// The attribute that such an object would have.
        needs: &'static str,
    },
    /// A key of a dict, or an item of a set, that Python cannot hash.
    Unhashable {
        /// What it is, as Python calls it: `list`.
        kind: &'static str,
    },
    /// More objects than a [`Graph`](crate::Graph) can number.
    TooManyObjects,
    /// There is no memory for the stack or the memo.
    OutOfMemory,
    /// A value of another kind than the Rust type that is to hold it.
    Expected {
        /// What the type takes: `a str`.
        expected: String,
        /// What the pickle has: `an int`.
        found: String,
    },
    /// An attribute or an entry that must be there is not.
    Missing {
        /// Its name.
        name: String,
    },
    /// A value that holds itself, and a Rust type that cannot.
    Cycle,
    /// More than the [`Limits`](crate::Limits) allow.
    Limit {
        /// What there is too much of: `depth`.
        what: &'static str,
        /// How much is allowed.
        limit: u64,
    },
    /// The file cannot be read or written.
    #[cfg(feature = "std")]
    Io {
        /// What kind of fault it is.
        kind: std::io::ErrorKind,
        /// What the system says.
        text: String,
    },
    /// What is written is too large for the protocol.
    TooLarge(crate::emitter::TooLarge),
    /// What a type's own code says.
    Custom(String),
}

/// One step of the way from the root of the data to a fault.
///
/// ```
/// use halfsour::error::Step;
/// // [(1, 2), (3, None)]
/// let error = halfsour::from_slice::<Vec<(u8, u8)>>(b"](K\x01K\x02\x86K\x03N\x86e.").unwrap_err();
/// assert_eq!(error.path().steps().next(), Some(&Step::Index(1)));
/// assert_eq!(error.path().to_string(), "root[1][1]");
/// assert_eq!(Step::Attr("tags".into()).to_string(), ".tags");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// An item of a tuple, a list or a set, from 0 on.
    Index(usize),
    /// A dict's value, by its key as Python's `repr` shows it.
    Key(String),
    /// A dict's key itself, as Python's `repr` shows it.
    InKey(String),
    /// An attribute of an instance.
    Attr(String),
}

/// As in Python source: `[3]`, `['x']`, `.tags`.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Key(key) => write!(f, "[{key}]"),
            Step::InKey(key) => write!(f, ".keys()[{key}]"),
            Step::Attr(name) => write!(f, ".{name}"),
        }
    }
}

/// The way from the root of the data to a fault; see [`Error::path`].
///
/// ```
/// use std::collections::BTreeMap;
/// // {'x': [1, None]}
/// let data = b"}\x8c\x01x](K\x01Nes.";
/// let error = halfsour::from_slice::<BTreeMap<String, Vec<u8>>>(data).unwrap_err();
/// assert_eq!(error.path().to_string(), "root['x'][1]");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Path<'e>(&'e [Step]);

impl<'e> Path<'e> {
    /// The steps, the outermost first.
    ///
    /// ```
    /// use halfsour::{Error, ErrorKind, error::Step};
    /// let error = Error::new(ErrorKind::Cycle);
    /// let error = error.within(Step::Attr("tags".into())).within(Step::Index(3));
    /// let steps: Vec<&Step> = error.path().steps().collect();
    /// assert_eq!(steps, [&Step::Index(3), &Step::Attr("tags".into())]);
    /// ```
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = &'e Step> + ExactSizeIterator + use<'e> {
        self.0.iter().rev()
    }
}

/// `root[3].tags['x']`
impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("root")?;
        // Of a path that is very long, the ends tell most.
        let (shown, len) = (12, self.0.len());
        for (number, step) in self.steps().enumerate() {
            match number {
                _ if number < shown || number + shown >= len => write!(f, "{step}")?,
                _ if number == shown => f.write_str(" ... ")?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// There is no memory for what grows with the pickle.
///
/// Stack, memo and output ask before they grow, so that a large pickle ends in an error where memory
/// is limited, not in an abort.
///
/// ```
/// use halfsour::{ErrorKind, OutOfMemory};
///
/// fn reserve(bytes: &mut Vec<u8>, more: usize) -> Result<(), OutOfMemory> {
///     Ok(bytes.try_reserve(more)?)
/// }
///
/// let error = reserve(&mut Vec::new(), usize::MAX).unwrap_err();
/// assert_eq!(error.to_string(), "out of memory");
/// assert_eq!(ErrorKind::from(error), ErrorKind::OutOfMemory);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("out of memory")
    }
}

impl core::error::Error for OutOfMemory {}

impl From<TryReserveError> for OutOfMemory {
    fn from(_: TryReserveError) -> OutOfMemory {
        OutOfMemory
    }
}

impl From<OutOfMemory> for ErrorKind {
    fn from(_: OutOfMemory) -> ErrorKind {
        ErrorKind::OutOfMemory
    }
}

/// The Python exception that CPython raises for an [`ErrorKind`].
///
/// ```
/// use halfsour::{Error, Exception};
///
/// /// What `pickle.loads` would raise, as a traceback ends.
/// fn raised(error: &Error) -> String {
///     let name = match error.kind().exception() {
///         Exception::Eof => "EOFError",
///         Exception::Value => "ValueError",
///         _ => "Exception",
///     };
///     format!("{name}: {error}")
/// }
///
/// let error = halfsour::load(b"").unwrap_err();
/// assert_eq!(raised(&error), "EOFError: Ran out of input");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exception {
    /// `EOFError`
    Eof,
    /// `pickle.UnpicklingError`
    Unpickling,
    /// `ValueError`
    Value,
    /// `OverflowError`
    Overflow,
    /// `UnicodeDecodeError`
    UnicodeDecode,
    /// `AttributeError`
    Attribute,
    /// `TypeError`
    Type,
    /// `MemoryError`
    Memory,
}

impl ErrorKind {
    /// The exception that CPython raises for this fault.
    ///
    /// ```
    /// use halfsour::{ErrorKind, Exception};
    /// assert_eq!(ErrorKind::NegativePut.exception(), Exception::Value);
    /// assert_eq!(ErrorKind::NoMark.exception(), Exception::Unpickling);
    /// ```
    pub fn exception(&self) -> Exception {
        use ErrorKind::*;
        match self {
            Eof => Exception::Eof,
            UnsupportedProtocol(_)
            | NegativePut
            | UnregisteredExtension(_)
            | BadInt
            | BadLiteral(_) => Exception::Value,
            SizeOverflow { .. } | FrameOverflow | FloatOverflow(_) | IndexOverflow => {
                Exception::Overflow
            }
            BadText(_) => Exception::UnicodeDecode,
            WrongType { needs: "append" | "add" | "__dict__" } => Exception::Attribute,
            WrongType { .. } | Unhashable { .. } => Exception::Type,
            TooManyObjects | OutOfMemory => Exception::Memory,
            _ => Exception::Unpickling,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ErrorKind::*;
        match self {
            Eof => f.write_str("Ran out of input"),
            Truncated => f.write_str("pickle data was truncated"),
            ReadOverflow => f.write_str("read would overflow (invalid bytecode)"),
            StackUnderflow => f.write_str("unpickling stack underflow"),
            UnexpectedMark => f.write_str("unexpected MARK found"),
            NoMark => f.write_str("could not find MARK"),
            InvalidLoadKey(byte) => match byte {
                0x20..=0x7e if !matches!(byte, b'\'' | b'\\') => {
                    write!(f, "invalid load key, '{}'.", char::from(*byte))
                }
                _ => write!(f, "invalid load key, '\\x{byte:02x}'."),
            },
            UnsupportedProtocol(protocol) => write!(f, "unsupported pickle protocol: {protocol}"),
            NegativeLong => f.write_str("LONG pickle has negative byte count"),
            NegativeString => f.write_str("BINSTRING pickle has negative byte count"),
            SizeOverflow { what } => {
                write!(f, "{what} exceeds system's maximum size of {} bytes", isize::MAX)
            }
            FrameOverflow => {
                write!(f, "FRAME length exceeds system's maximum of {} bytes", isize::MAX)
            }
            FrameExhausted => f.write_str("pickle exhausted before end of frame"),
            FrameNested => f.write_str("beginning of a new frame before end of current frame"),
            OddItems { what } => write!(f, "odd number of items for {what}"),
            MemoMissing(index) => write!(f, "Memo value not found at index {index}"),
            NegativePut => f.write_str("negative PUT argument"),
            StackGlobalNotStr => f.write_str("STACK_GLOBAL requires str"),
            ExtCode => f.write_str("EXT specifies code <= 0"),
            UnregisteredExtension(code) => write!(f, "unregistered extension code {code}"),
            UnquotedString => f.write_str("the STRING opcode argument must be quoted"),
            BadInt => f.write_str("could not convert string to int"),
            BadLiteral(text) | FloatOverflow(text) | BadText(text) => f.write_str(text),
            IndexOverflow => f.write_str("Python int too large to convert to C ssize_t"),
            PersidNotAscii => f.write_str("persistent IDs in protocol 0 must be ASCII strings"),
            NoPersistentLoad => f.write_str(
                "A load persistent id instruction was encountered, \
                 but no persistent_load function was specified.",
            ),
            NoBuffers => f.write_str(
                "pickle stream refers to out-of-band data but no *buffers* argument was given",
            ),
            NotEnoughBuffers => f.write_str("not enough out-of-band buffers"),
            StateNotDict => f.write_str("state is not a dictionary"),
            SlotStateNotDict => f.write_str("slot state is not a dictionary"),
            WrongType { needs } => write!(f, "object has no attribute '{needs}'"),
            Unhashable { kind } => write!(f, "unhashable type: '{kind}'"),
            TooManyObjects => f.write_str("too many objects"),
            OutOfMemory => f.write_str("out of memory"),
            Expected { expected, found } => write!(f, "expected {expected}, found {found}"),
            Missing { name } => write!(f, "{name} is missing"),
            Cycle => f.write_str("a value holds itself, its type cannot"),
            Limit { what, limit } => write!(f, "more than the limit of {limit} ({what})"),
            #[cfg(feature = "std")]
            Io { text, .. } => f.write_str(text),
            TooLarge(what) => what.fmt(f),
            Custom(text) => f.write_str(text),
        }
    }
}

/// What errors show of names and texts, which may be of any length: no more than this.
pub(crate) struct Shown<T>(pub(crate) T);

impl<T: fmt::Display> fmt::Display for Shown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        struct Cut<'f, 'b> {
            f: &'f mut fmt::Formatter<'b>,
            /// How many characters may come; None after the ellipsis.
            left: Option<usize>,
        }
        impl Write for Cut<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                let Some(left) = self.left else { return Ok(()) };
                match text.char_indices().nth(left) {
                    Some((end, _)) => {
                        self.left = None;
                        write!(self.f, "{}...", &text[..end])
                    }
                    None => {
                        self.left = Some(left - text.chars().count());
                        self.f.write_str(text)
                    }
                }
            }
        }
        write!(Cut { f, left: Some(200) }, "{}", self.0)
    }
}

impl Error {
    /// An error of a `kind`, not yet placed.
    ///
    /// ```
    /// use halfsour::{Error, ErrorKind};
    /// let error = Error::new(ErrorKind::NoMark);
    /// assert_eq!(error.to_string(), "could not find MARK");
    /// assert_eq!((error.offset(), error.opcode()), (None, None));
    /// ```
    #[cold]
    pub fn new(kind: ErrorKind) -> Error {
        Error(Box::new(Inner {
            kind,
            path: Vec::new(),
            rooted: false,
            node: None,
            offset: None,
            opcode: None,
        }))
    }

    /// An error that a type's own code says: in a [`FromPickle`](crate::FromPickle), a hook, a
    /// callback. Where in the data that is, is added on the way out; a value that is of another kind
    /// than expected has [`Item::expected`](crate::Item::expected).
    ///
    /// ```
    /// use halfsour::{Error, FromPickle, Item};
    ///
    /// #[derive(Debug)]
    /// struct Even(u32);
    ///
    /// impl FromPickle<'_> for Even {
    ///     fn from_pickle(item: Item<'_, '_>) -> Result<Even, Error> {
    ///         match item.int()? {
    ///             odd if odd % 2 == 1 => Err(Error::custom(format_args!("{odd} is odd"))),
    ///             even => Ok(Even(even)),
    ///         }
    ///     }
    /// }
    ///
    /// let error = halfsour::from_slice::<Vec<Even>>(b"](K\x02K\x03e.").unwrap_err();
    /// assert_eq!(error.to_string(), "3 is odd at root[1]");
    /// assert_eq!(error.kind(), &halfsour::ErrorKind::Custom("3 is odd".into()));
    /// ```
    #[cold]
    pub fn custom(text: impl fmt::Display) -> Error {
        ErrorKind::Custom(text.to_string()).into()
    }

    /// An error of the file.
    #[cfg(feature = "std")]
    #[cold]
    pub(crate) fn from_io(error: std::io::Error) -> Error {
        ErrorKind::Io { kind: error.kind(), text: error.to_string() }.into()
    }

    /// The same error, said to be at a byte `offset`, unless it knows a place already.
    ///
    /// ```
    /// use halfsour::{Error, ErrorKind};
    /// let error = Error::new(ErrorKind::NoMark).at(7);
    /// assert_eq!(error.offset(), Some(7));
    /// assert_eq!(error.at(0).offset(), Some(7));
    /// ```
    #[cold]
    #[must_use]
    pub fn at(mut self, offset: u64) -> Error {
        self.0.offset.get_or_insert(offset);
        self
    }

    /// The same error, said to be of an `opcode`, unless it knows one already.
    ///
    /// ```
    /// use halfsour::{Error, ErrorKind, Opcode};
    /// let error = Error::new(ErrorKind::NoMark).of(Some(Opcode::Tuple));
    /// assert_eq!(error.opcode(), Some(Opcode::Tuple));
    /// assert_eq!(error.of(Some(Opcode::Stop)).opcode(), Some(Opcode::Tuple));
    /// ```
    #[cold]
    #[must_use]
    pub fn of(mut self, opcode: Option<Opcode>) -> Error {
        self.0.opcode = self.0.opcode.or(opcode);
        self
    }

    /// The same error, said to be about a node, unless it knows one already, or a place.
    #[cold]
    #[must_use]
    pub(crate) fn about(mut self, node: NodeId) -> Error {
        if self.0.offset.is_none() {
            self.0.node.get_or_insert(node);
        }
        self
    }

    /// The same error; if it is about a value that stands for the object it is in, it says what that
    /// object is, too.
    #[cfg(feature = "serde")]
    #[cold]
    #[must_use]
    pub(crate) fn inside_of(self, value: NodeId, object: impl FnOnce() -> String) -> Error {
        let mut error = self.about(value);
        if error.0.node == Some(value)
            && error.0.path.is_empty()
            && let ErrorKind::Expected { found, .. } = &mut error.0.kind
        {
            *found = format!("{found} in {}", object());
        }
        error
    }

    /// Takes the node away that it is about: numbers mean nothing beyond their graph.
    #[cold]
    pub(crate) fn take_node(&mut self) -> Option<NodeId> {
        self.0.node.take()
    }

    /// The same error with a path that begins at the root of the data.
    #[cold]
    #[must_use]
    pub(crate) fn rooted(mut self) -> Error {
        self.0.rooted = true;
        self
    }

    /// Whether it is the same fault at the same place in the data.
    pub(crate) fn is_same(&self, other: &Error) -> bool {
        self.0.kind == other.0.kind && self.0.path == other.0.path
    }

    /// The same error, said to be one step further inside: whoever reads or writes a container says so
    /// of an item's error.
    ///
    /// ```
    /// use halfsour::{Error, ErrorKind, error::Step};
    /// let error = Error::new(ErrorKind::Cycle);
    /// let error = error.within(Step::Attr("tags".into())).within(Step::Index(3));
    /// assert_eq!(error.path().to_string(), "root[3].tags");
    /// ```
    #[cold]
    #[must_use]
    pub fn within(mut self, step: Step) -> Error {
        self.0.path.push(step);
        self
    }

    /// The same error with the first so many steps of its path.
    #[cold]
    pub(crate) fn outermost(mut self, steps: usize) -> Error {
        let inner = self.0.path.len().saturating_sub(steps);
        self.0.path.drain(..inner);
        self
    }

    /// Where in the data the fault is; the root alone for faults of the format.
    ///
    /// ```
    /// // [1, None]
    /// let error = halfsour::from_slice::<Vec<u8>>(b"](K\x01Ne.").unwrap_err();
    /// assert_eq!(error.path().to_string(), "root[1]");
    /// let error = halfsour::from_slice::<Vec<u8>>(b"](K\x01?").unwrap_err();
    /// assert_eq!(error.path().to_string(), "root");
    /// ```
    pub fn path(&self) -> Path<'_> {
        Path(&self.0.path)
    }

    /// Whether the input ended too early: with more of it, there might be no error.
    ///
    /// ```
    /// assert!(halfsour::load(b"]").unwrap_err().is_eof());
    /// assert!(!halfsour::load(b"a.").unwrap_err().is_eof());
    /// ```
    pub fn is_eof(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Eof | ErrorKind::Truncated)
    }

    /// What is wrong.
    ///
    /// ```
    /// use halfsour::ErrorKind;
    /// let error = halfsour::load(b"K\x01?").unwrap_err();
    /// assert_eq!(error.kind(), &ErrorKind::InvalidLoadKey(b'?'));
    /// ```
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Where the input is wrong, in bytes from its start: an argument that cannot be read is named
    /// by the place where reading it began, all else by the place of its opcode.
    ///
    /// Of data that is not what a type takes, that is the opcode which made the wrong value; of a
    /// shared one, where it was made. It is found by reading the pickle again, and so not known of
    /// what is read from a graph that came from a stream.
    ///
    /// ```
    /// // (1, 'spam')
    /// let error = halfsour::from_slice::<(u8, u8)>(b"K\x01\x8c\x04spam\x86.").unwrap_err();
    /// assert_eq!(error.to_string(), "expected an int, found a str at root[1]");
    /// assert_eq!(error.offset(), Some(2));
    /// assert_eq!(error.opcode(), Some(halfsour::Opcode::ShortBinUnicode));
    /// ```
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// The opcode that was being worked on, or that made the wrong value.
    ///
    /// ```
    /// use halfsour::Opcode;
    /// let error = halfsour::load(b"K\x01a.").unwrap_err();
    /// assert_eq!(error.to_string(), "unpickling stack underflow");
    /// assert_eq!(error.opcode(), Some(Opcode::Append));
    /// ```
    pub fn opcode(&self) -> Option<Opcode> {
        self.0.opcode
    }
}

impl From<ErrorKind> for Error {
    #[cold]
    fn from(kind: ErrorKind) -> Error {
        Error::new(kind)
    }
}

impl From<crate::emitter::TooLarge> for Error {
    #[cold]
    fn from(what: crate::emitter::TooLarge) -> Error {
        Error::new(ErrorKind::TooLarge(what))
    }
}

/// CPython's text, without the place in the bytes; with the place in the data, if there is one.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.kind.fmt(f)?;
        if self.0.path.is_empty() && !self.0.rooted {
            return Ok(());
        }
        write!(f, " at {}", self.path())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("offset", &self.0.offset)
            .field("opcode", &self.0.opcode)
            .field("path", &self.0.path)
            .finish()
    }
}

impl core::error::Error for Error {}
