//! Bytes to opcodes: [`Source`] gives bytes, [`Reader`] decodes them to [`Op`]s.
//!
//! The reader knows the shape of each opcode and the rules of frames, and nothing of stacks or
//! objects. It allocates nothing. CPython does the same in `_Unpickler_Read*` and in the first lines
//! of each `load_*` function of `_pickle.c`.
#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use crate::error::{Error, ErrorKind};
use crate::opcode::Opcode;

/// Where a pickle's bytes come from.
///
/// A source for a stream reads no further than it is told to, except that it may peek if it gives
/// back what was not consumed in [`finish`](Source::finish).
///
/// ```
/// use halfsour::{Error, Op, Reader, SliceSource, Source};
///
/// /// A slice, and the opcodes that were read from it.
/// struct Noted<'a>(SliceSource<'a>, Vec<u8>);
///
/// impl Source for Noted<'_> {
///     type Error = Error;
///     fn opcode(&mut self) -> Result<Option<u8>, Error> {
///         let byte = self.0.opcode()?;
///         self.1.extend(byte);
///         Ok(byte)
///     }
///     fn read(&mut self, n: usize) -> Result<&[u8], Error> {
///         self.0.read(n)
///     }
///     fn line(&mut self, limit: usize) -> Result<Option<&[u8]>, Error> {
///         self.0.line(limit)
///     }
///     fn fill(&mut self, buf: &mut [u8]) -> Result<(), Error> {
///         self.0.fill(buf)
///     }
///     fn frame(&mut self, n: usize) -> Result<(), Error> {
///         self.0.frame(n)
///     }
///     fn offset(&self) -> u64 {
///         self.0.offset()
///     }
/// }
///
/// let mut reader = Reader::new(Noted(SliceSource::new(b"(K\x01M\x02\x01t."), Vec::new()));
/// while reader.next()? != Op::Stop {}
/// assert_eq!(reader.into_source().1, b"(KMt.");
/// # Ok::<(), halfsour::Error>(())
/// ```
pub trait Source {
    /// What reading can fail with; at least with faults of the format.
    type Error: From<Error>;

    /// The next opcode byte, `None` when the input has ended.
    ///
    /// ```
    /// use halfsour::{SliceSource, Source};
    /// let mut source = SliceSource::new(b"N.");
    /// assert_eq!(source.opcode()?, Some(b'N'));
    /// assert_eq!(source.opcode()?, Some(b'.'));
    /// assert_eq!(source.opcode()?, None);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    fn opcode(&mut self) -> Result<Option<u8>, Self::Error>;

    /// Exactly `n` bytes.
    ///
    /// `n` may be a lie: a source must not allocate from it alone.
    ///
    /// ```
    /// use halfsour::{ErrorKind, SliceSource, Source};
    /// let mut source = SliceSource::new(b"\x02\x01.");
    /// assert_eq!(source.read(2)?, b"\x02\x01");
    /// assert_eq!(source.read(2).unwrap_err().kind(), &ErrorKind::Truncated);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] when the input has fewer.
    fn read(&mut self, n: usize) -> Result<&[u8], Self::Error>;

    /// A line with its `'\n'`, or `None` if the next `limit` bytes hold no `'\n'`; then nothing is
    /// consumed. `limit` is what is left of the current frame, `usize::MAX` outside of frames; the
    /// bytes of a frame are all there, since [`frame`](Source::frame) announced them.
    ///
    /// ```
    /// use halfsour::{SliceSource, Source};
    /// let mut source = SliceSource::new(b"spam\n.");
    /// assert_eq!(source.line(3)?, None);
    /// assert_eq!(source.line(5)?, Some(&b"spam\n"[..]));
    /// assert!(source.line(usize::MAX).is_err());
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] when the input ends before `limit` bytes and before a `'\n'`.
    fn line(&mut self, limit: usize) -> Result<Option<&[u8]>, Self::Error>;

    /// Fills `buf`, which the heap owns, so that large payloads are copied once.
    ///
    /// ```
    /// use halfsour::{SliceSource, Source};
    /// let mut source = SliceSource::new(b"spam.");
    /// let mut bytes = [0; 4];
    /// source.fill(&mut bytes)?;
    /// assert_eq!(&bytes, b"spam");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] when the input has fewer bytes.
    fn fill(&mut self, buf: &mut [u8]) -> Result<(), Self::Error>;

    /// FRAME says that `n` bytes follow: a stream may fetch them at once, without consuming them.
    ///
    /// ```
    /// use halfsour::{ErrorKind, SliceSource, Source};
    /// let mut source = SliceSource::new(b"K\x07.");
    /// source.frame(3)?;
    /// assert_eq!(source.offset(), 0);
    /// assert_eq!(source.frame(4).unwrap_err().kind(), &ErrorKind::Truncated);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] when the input has fewer.
    fn frame(&mut self, n: usize) -> Result<(), Self::Error>;

    /// STOP was read: a stream gives back what it only peeked at.
    ///
    /// ```
    /// use halfsour::{Source, StreamSource};
    /// let mut file: &[u8] = b"N.and so on";
    /// let mut source = StreamSource::new(&mut file);
    /// assert_eq!(source.opcode()?, Some(b'N'));
    /// assert_eq!(source.opcode()?, Some(b'.'));
    /// source.finish()?;
    /// assert_eq!(file, b"and so on");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    fn finish(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// How many bytes were consumed since the source was made.
    ///
    /// ```
    /// use halfsour::{SliceSource, Source};
    /// let mut source = SliceSource::new(b"spam\n.");
    /// source.line(usize::MAX)?;
    /// assert_eq!(source.offset(), 5);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    fn offset(&self) -> u64;

    /// Bytes that come next, as far as they are at hand; there may be more.
    ///
    /// ```
    /// use halfsour::{SliceSource, Source};
    /// let mut source = SliceSource::new(b"K\x07.");
    /// source.opcode()?;
    /// assert_eq!(source.ahead(), b"\x07.");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    fn ahead(&self) -> &[u8] {
        &[]
    }

    /// Consumes so many of the bytes that [`ahead`](Source::ahead) shows.
    ///
    /// ```
    /// use halfsour::{SliceSource, Source};
    /// let mut source = SliceSource::new(b"NNN.");
    /// assert!(source.ahead().starts_with(b"NNN"));
    /// source.consume(3);
    /// assert_eq!(source.opcode()?, Some(b'.'));
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    fn consume(&mut self, _n: usize) {}
}

/// A pickle in memory.
///
/// ```
/// use halfsour::SliceSource;
/// let mut source = SliceSource::new(b"abc\ndef");
/// assert_eq!(source.take(2).unwrap(), b"ab");
/// assert_eq!(source.rest(), b"c\ndef");
/// ```
#[derive(Clone, Debug)]
pub struct SliceSource<'a> {
    rest: &'a [u8],
    len: usize,
}

impl<'a> SliceSource<'a> {
    /// A source of these bytes.
    ///
    /// ```
    /// use halfsour::{SliceSource, graph};
    /// let data = b"K\x07.and so on";
    /// let mut reader = halfsour::Reader::new(SliceSource::new(data));
    /// let graph = graph::load_next(&mut reader)?;
    /// assert_eq!(graph.get(graph.root()), graph::Node::Int(7));
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn new(data: &'a [u8]) -> SliceSource<'a> {
        SliceSource { rest: data, len: data.len() }
    }

    /// What is not consumed yet.
    ///
    /// ```
    /// use halfsour::{Op, Reader, SliceSource};
    /// let mut reader = Reader::new(SliceSource::new(b"K\x01.K\x02."));
    /// while reader.next()? != Op::Stop {}
    /// assert_eq!(reader.source().rest(), b"K\x02."); // the next pickle
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// As [`Source::read`], but borrowed from the input.
    ///
    /// ```
    /// use halfsour::{ErrorKind, SliceSource};
    /// let mut source = SliceSource::new(b"spam!");
    /// let borrowed: &'static [u8] = source.take(4)?;
    /// assert_eq!(borrowed, b"spam");
    /// assert_eq!(source.take(2).unwrap_err().kind(), &ErrorKind::Truncated);
    /// assert_eq!(source.rest(), b"!");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`], or [`ErrorKind::ReadOverflow`] for an `n` that no input can have.
    #[inline(always)]
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], Error> {
        match self.rest.split_at_checked(n) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(self.short(n)),
        }
    }

    /// As [`Source::fill`], but borrowed from the input.
    ///
    /// ```
    /// use halfsour::{ErrorKind, SliceSource};
    /// let mut source = SliceSource::new(b"spam");
    /// assert_eq!(source.payload(4)?, b"spam");
    /// assert_eq!(source.take(0)?, b"");
    /// assert_eq!(source.payload(0).unwrap_err().kind(), &ErrorKind::Truncated);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`], even for no bytes at all if the input has ended: there
    /// `_Unpickler_ReadInto` looks whether it can read more before it looks whether it must.
    #[inline]
    pub fn payload(&mut self, n: usize) -> Result<&'a [u8], Error> {
        match self.rest.split_at_checked(n) {
            Some((taken, rest)) if !self.rest.is_empty() => {
                self.rest = rest;
                Ok(taken)
            }
            _ => Err(Error::new(ErrorKind::Truncated).at(self.offset())),
        }
    }

    #[cold]
    fn short(&self, n: usize) -> Error {
        let most = usize::MAX.wrapping_shr(1);
        let consumed = self.len.wrapping_sub(self.rest.len());
        let kind = if n > most.wrapping_sub(consumed) {
            ErrorKind::ReadOverflow
        } else {
            ErrorKind::Truncated
        };
        Error::new(kind).at(self.offset())
    }
}

impl Source for SliceSource<'_> {
    type Error = Error;

    #[inline(always)]
    fn opcode(&mut self) -> Result<Option<u8>, Error> {
        match self.rest.split_first() {
            Some((&byte, rest)) => {
                self.rest = rest;
                Ok(Some(byte))
            }
            None => Ok(None),
        }
    }

    #[inline(always)]
    fn read(&mut self, n: usize) -> Result<&[u8], Error> {
        self.take(n)
    }

    #[inline]
    fn line(&mut self, limit: usize) -> Result<Option<&[u8]>, Error> {
        let within = self.rest.get(..limit).unwrap_or(self.rest);
        match within.iter().position(|&byte| byte == b'\n') {
            Some(end) => self.take(end.wrapping_add(1)).map(Some),
            None if within.len() == limit => Ok(None),
            None => Err(Error::new(ErrorKind::Truncated).at(self.offset())),
        }
    }

    #[inline]
    fn fill(&mut self, buf: &mut [u8]) -> Result<(), Error> {
        buf.copy_from_slice(self.payload(buf.len())?);
        Ok(())
    }

    #[inline]
    fn frame(&mut self, n: usize) -> Result<(), Error> {
        if n > self.rest.len() { Err(self.short(n)) } else { Ok(()) }
    }

    #[inline(always)]
    fn offset(&self) -> u64 {
        self.len.wrapping_sub(self.rest.len()) as u64
    }

    #[inline(always)]
    fn ahead(&self) -> &[u8] {
        self.rest
    }

    #[inline(always)]
    fn consume(&mut self, n: usize) {
        self.rest = self.rest.get(n..).unwrap_or_default();
    }
}

/// Where versions of CPython read the same bytes differently.
///
/// The default is what the newest versions do.
///
/// ```
/// use halfsour::{ErrorKind, Reader, Rules, SliceSource};
/// // BINSTRING with a length that is -1, or 4294967295
/// let data = b"T\xff\xff\xff\xff.";
/// let fault = |rules| Reader::with_rules(SliceSource::new(data), rules).next().unwrap_err();
/// assert_eq!(fault(Rules::STRICT).kind(), &ErrorKind::NegativeString);
/// assert_eq!(fault(Rules::LENIENT).kind(), &ErrorKind::Truncated);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether frames must be kept: since 3.13.15 and 3.14.7.
    pub frames: Frames,
    /// Whether BINSTRING's length is signed, so that there is an [`ErrorKind::NegativeString`]: in
    /// 3.13.18, 3.14.10 and 3.15, not in 3.13.0. Else it is unsigned.
    pub signed_binstring: bool,
}

/// What becomes of a read that begins in a frame and ends after it, and of a frame in a frame.
///
/// An opcode may end with its frame and have its argument after it, that is no such read: each byte
/// and each argument is read by itself, and a read that begins at the frame's end has left the
/// frame.
///
/// ```
/// use halfsour::{ErrorKind, Frames, Op, Reader, Rules, SliceSource};
/// // A frame of two bytes, in which a BININT2 begins that has three.
/// let source = SliceSource::new(b"\x95\x02\0\0\0\0\0\0\0M\x02\x01.");
/// for frames in [Frames::Lenient, Frames::Enforced] {
///     let rules = Rules { frames, ..Rules::default() };
///     let mut reader = Reader::with_rules(source.clone(), rules);
///     assert_eq!(reader.next()?, Op::Frame(2));
///     match reader.next() {
///         Ok(op) => assert_eq!((frames, op), (Frames::Lenient, Op::Int(258))),
///         Err(error) => assert_eq!(error.kind(), &ErrorKind::FrameExhausted),
///     }
/// }
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frames {
    /// It is accepted: frames are only hints to fetch bytes.
    Lenient,
    /// It is an error, so that all readers agree on what a pickle says. Nothing is consumed then.
    Enforced,
}

impl Rules {
    /// The strict rules: frames enforced, BINSTRING signed.
    pub const STRICT: Rules = Rules { frames: Frames::Enforced, signed_binstring: true };
    /// The rules before frames were enforced.
    pub const LENIENT: Rules = Rules { frames: Frames::Lenient, signed_binstring: false };
}

impl Default for Rules {
    fn default() -> Rules {
        Rules::STRICT
    }
}

/// An opcode with its argument.
///
/// Lines are given without their `'\n'`. Two kinds of arguments are not here, since reading them is
/// interwoven with the heap's work: the lines of `Global`, `Inst` and `Persid` follow and are read
/// with [`Reader::line`], the bytes of `Bytes` and `ByteArray` follow and are read from
/// [`Reader::source`].
///
/// ```
/// use halfsour::{Op, Reader, SliceSource};
/// let mut reader = Reader::new(SliceSource::new(b"\x8c\x04spamI42\nC\x02ok."));
/// assert_eq!(reader.next()?, Op::Unicode(b"spam"));
/// assert_eq!(reader.next()?, Op::IntLine(b"42"));
/// assert_eq!(reader.next()?, Op::Bytes(2));
/// assert_eq!(reader.source().take(2)?, b"ok");
/// # Ok::<(), halfsour::Error>(())
/// ```
#[allow(missing_docs, reason = "the opcode table says what each does")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Op<'a> {
    Mark,
    Stop,
    Pop,
    PopMark,
    Dup,
    None,
    /// NEWTRUE, NEWFALSE
    Bool(bool),
    /// BININT, BININT1, BININT2
    Int(i64),
    /// INT
    IntLine(&'a [u8]),
    /// LONG
    LongLine(&'a [u8]),
    /// LONG1, LONG4: little-endian two's complement, empty for zero.
    Long(&'a [u8]),
    /// BINFLOAT
    Float(f64),
    /// FLOAT
    FloatLine(&'a [u8]),
    /// STRING
    StringLine(&'a [u8]),
    /// BINSTRING, SHORT_BINSTRING
    BinString(&'a [u8]),
    /// UNICODE
    UnicodeLine(&'a [u8]),
    /// SHORT_BINUNICODE, BINUNICODE, BINUNICODE8: UTF-8, surrogates let through.
    Unicode(&'a [u8]),
    /// SHORT_BINBYTES, BINBYTES, BINBYTES8: so many bytes follow.
    Bytes(usize),
    /// BYTEARRAY8: so many bytes follow.
    ByteArray(usize),
    NextBuffer,
    ReadonlyBuffer,
    EmptyTuple,
    Tuple,
    Tuple1,
    Tuple2,
    Tuple3,
    EmptyList,
    List,
    Append,
    Appends,
    EmptyDict,
    Dict,
    SetItem,
    SetItems,
    EmptySet,
    AddItems,
    FrozenSet,
    /// GET
    GetLine(&'a [u8]),
    /// BINGET, LONG_BINGET
    Get(u32),
    /// PUT
    PutLine(&'a [u8]),
    /// BINPUT, LONG_BINPUT
    Put(u32),
    Memoize,
    /// GLOBAL: two lines follow.
    Global,
    StackGlobal,
    /// INST: two lines follow.
    Inst,
    Obj,
    NewObj,
    NewObjEx,
    Reduce,
    Build,
    /// PERSID: a line follows.
    Persid,
    BinPersid,
    /// EXT1, EXT2, EXT4
    Ext(i32),
    Proto(u8),
    /// FRAME: announced to the source already.
    Frame(u64),
}

/// Decodes opcodes.
///
/// It remembers the frame from one pickle to the next: keep it where `Unpickler.load` is called
/// several times.
///
/// ```
/// use halfsour::{Op, Reader, SliceSource};
/// let mut reader = Reader::new(SliceSource::new(b"K\x07."));
/// assert_eq!(reader.next().unwrap(), Op::Int(7));
/// assert_eq!(reader.next().unwrap(), Op::Stop);
/// assert!(reader.next().is_err());
/// ```
#[derive(Clone, Debug)]
pub struct Reader<S> {
    source: S,
    rules: Rules,
    /// Where the current frame ends, `u64::MAX` outside of frames.
    frame_end: u64,
    /// Where the latest opcode is, and what it is.
    start: u64,
    byte: Option<u8>,
}

impl<S: Source> Reader<S> {
    /// A reader with the newest [`Rules`].
    ///
    /// ```
    /// use halfsour::{Op, Reader, SliceSource};
    /// let mut reader = Reader::new(SliceSource::new(b"\x80\x04\x88."));
    /// assert_eq!(reader.next()?, Op::Proto(4));
    /// assert_eq!(reader.next()?, Op::Bool(true));
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn new(source: S) -> Reader<S> {
        Reader::with_rules(source, Rules::default())
    }

    /// A reader with these rules.
    ///
    /// ```
    /// use halfsour::{Op, Reader, Rules, SliceSource};
    /// // A frame of ten bytes, with another in it: an error by the newest rules.
    /// let data = b"\x95\x0a\0\0\0\0\0\0\0\x95\x01\0\0\0\0\0\0\0N.";
    /// let mut reader = Reader::with_rules(SliceSource::new(data), Rules::LENIENT);
    /// assert_eq!(reader.next()?, Op::Frame(10));
    /// assert_eq!(reader.next()?, Op::Frame(1));
    /// assert_eq!(reader.next()?, Op::None);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn with_rules(source: S, rules: Rules) -> Reader<S> {
        Reader { source, rules, frame_end: u64::MAX, start: 0, byte: None }
    }

    /// The source.
    ///
    /// ```
    /// use halfsour::{Op, Reader, SliceSource};
    /// let mut reader = Reader::new(SliceSource::new(b"C\x04spam."));
    /// assert_eq!(reader.next()?, Op::Bytes(4));
    /// assert_eq!(reader.source().take(4)?, b"spam");
    /// assert_eq!(reader.next()?, Op::Stop);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline(always)]
    pub fn source(&mut self) -> &mut S {
        &mut self.source
    }

    /// Gives the source back.
    ///
    /// ```
    /// use halfsour::{Op, Reader, SliceSource};
    /// let mut reader = Reader::new(SliceSource::new(b"N.and so on"));
    /// while reader.next()? != Op::Stop {}
    /// assert_eq!(reader.into_source().rest(), b"and so on");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn into_source(self) -> S {
        self.source
    }

    /// Where the latest opcode is, in bytes since the source was made.
    ///
    /// ```
    /// use halfsour::{Op, Reader, SliceSource};
    /// let mut reader = Reader::new(SliceSource::new(b"K\x07M\x02\x01."));
    /// assert_eq!(reader.next()?, Op::Int(7));
    /// assert_eq!(reader.next()?, Op::Int(258));
    /// assert_eq!(reader.start(), 2);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The latest opcode; `None` before the first and if its byte is none.
    ///
    /// ```
    /// use halfsour::{Op, Opcode, Reader, SliceSource};
    /// let mut reader = Reader::new(SliceSource::new(b"J\x07\0\0\0?"));
    /// assert_eq!(reader.opcode(), None);
    /// assert_eq!(reader.next()?, Op::Int(7));
    /// assert_eq!(reader.opcode(), Some(Opcode::BinInt));
    /// assert!(reader.next().is_err());
    /// assert_eq!(reader.opcode(), None);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn opcode(&self) -> Option<Opcode> {
        self.byte.and_then(Opcode::from_byte)
    }

    /// Bytes that come next, as far as they are at hand, but none beyond the current frame: whoever
    /// decodes opcodes that are in here as a whole breaks no rule.
    ///
    /// ```
    /// use halfsour::{Op, Reader, SliceSource};
    /// let mut reader = Reader::new(SliceSource::new(b"\x95\x03\0\0\0\0\0\0\0K\x07.and so on"));
    /// assert_eq!(reader.next()?, Op::Frame(3));
    /// assert_eq!(reader.ahead(), b"K\x07.");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn ahead(&self) -> &[u8] {
        let bytes = self.source.ahead();
        match self.frame_end.checked_sub(self.source.offset()) {
            Some(left @ 1..) => {
                usize::try_from(left).ok().and_then(|left| bytes.get(..left)).unwrap_or(bytes)
            }
            _ => bytes,
        }
    }

    /// Consumes so many of the bytes that [`ahead`](Reader::ahead) shows.
    ///
    /// ```
    /// use halfsour::{Op, Reader, SliceSource};
    /// let mut reader = Reader::new(SliceSource::new(b"NNN."));
    /// let nones = reader.ahead().iter().take_while(|byte| **byte == b'N').count();
    /// reader.consume(nones);
    /// assert_eq!(reader.next()?, Op::Stop);
    /// assert_eq!(reader.start(), 3);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn consume(&mut self, n: usize) {
        self.source.consume(n);
    }

    /// An error of this kind, placed at the latest opcode.
    ///
    /// ```
    /// use halfsour::{ErrorKind, Op, Opcode, Reader, SliceSource};
    /// let mut reader = Reader::new(SliceSource::new(b"Ne."));
    /// assert_eq!(reader.next()?, Op::None);
    /// assert_eq!(reader.next()?, Op::Appends);
    /// let error = reader.error(ErrorKind::NoMark);
    /// assert_eq!((error.offset(), error.opcode()), (Some(1), Some(Opcode::Appends)));
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[cold]
    pub fn error(&self, kind: ErrorKind) -> Error {
        Error::new(kind).at(self.start).of(self.opcode())
    }

    /// The rest of a line that follows an opcode, without its `'\n'`.
    ///
    /// ```
    /// use halfsour::{Op, Reader, SliceSource};
    /// let mut reader = Reader::new(SliceSource::new(b"cmath\npi\n."));
    /// assert_eq!(reader.next()?, Op::Global);
    /// assert_eq!(reader.line(1)?, b"math");
    /// assert_eq!(reader.line(1)?, b"pi");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] if there is no whole line, or if it has fewer than `least` bytes;
    /// [`ErrorKind::FrameExhausted`] if it goes beyond the frame.
    #[inline]
    pub fn line(&mut self, least: usize) -> Result<&[u8], S::Error> {
        let offset = self.source.offset();
        let (start, opcode) = (self.start, self.byte);
        let error = move |kind| {
            let opcode = opcode.and_then(Opcode::from_byte);
            Err(Error::new(kind).at(start).of(opcode).into())
        };
        let limit = match self.frame_end.checked_sub(offset) {
            Some(left @ 1..) if self.frame_end != u64::MAX => usize::try_from(left),
            _ => Ok(usize::MAX),
        };
        let limit = limit.unwrap_or(usize::MAX);
        match self.source.line(limit)? {
            Some([line @ .., b'\n']) if line.len() >= least => Ok(line),
            Some(_) => error(ErrorKind::Truncated),
            None => error(ErrorKind::FrameExhausted),
        }
    }

    /// Says whether the next `n` bytes may be read under the rules of frames.
    #[inline(always)]
    fn admit(&self, n: usize) -> Result<(), S::Error> {
        let offset = self.source.offset();
        // A read that begins at the frame's end has left the frame.
        if offset.saturating_add(n as u64) > self.frame_end && offset < self.frame_end {
            return Err(self.error(ErrorKind::FrameExhausted).into());
        }
        Ok(())
    }

    #[inline(always)]
    fn read(&mut self, n: usize) -> Result<&[u8], S::Error> {
        self.admit(n)?;
        self.source.read(n)
    }

    #[inline(always)]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], S::Error> {
        self.admit(N)?;
        match self.source.read(N)?.first_chunk() {
            Some(bytes) => Ok(*bytes),
            None => Err(self.error(ErrorKind::Truncated).into()),
        }
    }

    /// An eight-byte size, as far as objects can have it.
    #[inline]
    fn size8(&mut self, kind: ErrorKind) -> Result<usize, S::Error> {
        let n = u64::from_le_bytes(self.array()?);
        match isize::try_from(n) {
            Ok(n) => Ok(n.cast_unsigned()),
            Err(_) => Err(self.error(kind).into()),
        }
    }

    #[inline]
    fn size4(&mut self) -> Result<usize, S::Error> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }

    #[inline]
    fn payload(&mut self, n: usize) -> Result<usize, S::Error> {
        self.admit(n)?;
        Ok(n)
    }

    /// FRAME. A frame in a frame is refused before its size is looked at.
    #[inline]
    fn frame(&mut self) -> Result<u64, S::Error> {
        let n = u64::from_le_bytes(self.array()?);
        let offset = self.source.offset();
        if self.frame_end != u64::MAX && offset < self.frame_end {
            return Err(self.error(ErrorKind::FrameNested).into());
        }
        match isize::try_from(n) {
            Ok(n) => self.source.frame(n.cast_unsigned())?,
            Err(_) => return Err(self.error(ErrorKind::FrameOverflow).into()),
        }
        if self.rules.frames == Frames::Enforced {
            self.frame_end = offset.saturating_add(n);
        }
        Ok(n)
    }

    /// FRAME, which comes next, as [`ahead`](Reader::ahead) has shown.
    ///
    /// ```
    /// use halfsour::{Opcode, Reader, SliceSource};
    /// let mut reader = Reader::new(SliceSource::new(b"\x95\x02\0\0\0\0\0\0\0N.and so on"));
    /// assert_eq!(reader.ahead()[0], Opcode::Frame.byte());
    /// reader.enter_frame()?;
    /// assert_eq!(reader.ahead(), b"N.");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    ///
    /// # Errors
    /// What is wrong with the frame.
    #[inline]
    pub fn enter_frame(&mut self) -> Result<(), S::Error> {
        self.start = self.source.offset();
        self.byte = self.source.opcode()?;
        debug_assert_eq!(self.opcode(), Some(Opcode::Frame));
        self.frame().map(drop)
    }

    /// The next opcode and its argument.
    ///
    /// ```
    /// use halfsour::{Op, Reader, SliceSource};
    /// let mut reader = Reader::new(SliceSource::new(b"(K\x01M\x02\x01t."));
    /// let mut sum = 0;
    /// loop {
    ///     match reader.next()? {
    ///         Op::Int(value) => sum += value,
    ///         Op::Stop => break,
    ///         _ => {}
    ///     }
    /// }
    /// assert_eq!(sum, 259);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Eof`] if the input has ended, [`ErrorKind::InvalidLoadKey`] if the byte is no
    /// opcode, and what is wrong with the argument.
    #[allow(clippy::should_implement_trait, reason = "an Op borrows from the reader")]
    #[inline(always)]
    pub fn next(&mut self) -> Result<Op<'_>, S::Error> {
        use Opcode as O;
        self.start = self.source.offset();
        let byte = self.source.opcode()?;
        self.byte = byte;
        let Some(byte) = byte else { return Err(self.error(ErrorKind::Eof).into()) };
        let Some(opcode) = Opcode::from_byte(byte) else {
            return Err(self.error(ErrorKind::InvalidLoadKey(byte)).into());
        };
        Ok(match opcode {
            O::Mark => Op::Mark,
            O::Stop => Op::Stop,
            O::Pop => Op::Pop,
            O::PopMark => Op::PopMark,
            O::Dup => Op::Dup,
            O::None => Op::None,
            O::NewTrue => Op::Bool(true),
            O::NewFalse => Op::Bool(false),
            O::BinInt => Op::Int(i32::from_le_bytes(self.array()?).into()),
            O::BinInt1 => Op::Int(u8::from_le_bytes(self.array()?).into()),
            O::BinInt2 => Op::Int(u16::from_le_bytes(self.array()?).into()),
            O::Int => Op::IntLine(self.line(1)?),
            O::Long => Op::LongLine(self.line(1)?),
            O::Long1 => {
                let n = u8::from_le_bytes(self.array()?);
                Op::Long(self.read(n.into())?)
            }
            O::Long4 => {
                let n = i32::from_le_bytes(self.array()?);
                match usize::try_from(n) {
                    Ok(n) => Op::Long(self.read(n)?),
                    Err(_) => return Err(self.error(ErrorKind::NegativeLong).into()),
                }
            }
            O::BinFloat => Op::Float(f64::from_be_bytes(self.array()?)),
            O::Float => Op::FloatLine(self.line(1)?),
            O::String => Op::StringLine(self.line(0)?),
            O::ShortBinString => {
                let n = u8::from_le_bytes(self.array()?);
                Op::BinString(self.read(n.into())?)
            }
            O::BinString => {
                let n = self.size4()?;
                if self.rules.signed_binstring && n > i32::MAX as usize {
                    return Err(self.error(ErrorKind::NegativeString).into());
                }
                Op::BinString(self.read(n)?)
            }
            O::Unicode => Op::UnicodeLine(self.line(0)?),
            O::ShortBinUnicode => {
                let n = u8::from_le_bytes(self.array()?);
                Op::Unicode(self.read(n.into())?)
            }
            O::BinUnicode => {
                let n = self.size4()?;
                Op::Unicode(self.read(n)?)
            }
            O::BinUnicode8 => {
                let n = self.size8(ErrorKind::SizeOverflow { what: "BINUNICODE" })?;
                Op::Unicode(self.read(n)?)
            }
            O::ShortBinBytes => {
                let n = u8::from_le_bytes(self.array()?);
                Op::Bytes(self.payload(n.into())?)
            }
            O::BinBytes => {
                let n = self.size4()?;
                Op::Bytes(self.payload(n)?)
            }
            O::BinBytes8 => {
                let n = self.size8(ErrorKind::SizeOverflow { what: "BINBYTES" })?;
                Op::Bytes(self.payload(n)?)
            }
            O::ByteArray8 => {
                let n = self.size8(ErrorKind::SizeOverflow { what: "BYTEARRAY8" })?;
                Op::ByteArray(self.payload(n)?)
            }
            O::NextBuffer => Op::NextBuffer,
            O::ReadonlyBuffer => Op::ReadonlyBuffer,
            O::EmptyTuple => Op::EmptyTuple,
            O::Tuple => Op::Tuple,
            O::Tuple1 => Op::Tuple1,
            O::Tuple2 => Op::Tuple2,
            O::Tuple3 => Op::Tuple3,
            O::EmptyList => Op::EmptyList,
            O::List => Op::List,
            O::Append => Op::Append,
            O::Appends => Op::Appends,
            O::EmptyDict => Op::EmptyDict,
            O::Dict => Op::Dict,
            O::SetItem => Op::SetItem,
            O::SetItems => Op::SetItems,
            O::EmptySet => Op::EmptySet,
            O::AddItems => Op::AddItems,
            O::FrozenSet => Op::FrozenSet,
            O::Get => Op::GetLine(self.line(1)?),
            O::BinGet => Op::Get(u8::from_le_bytes(self.array()?).into()),
            O::LongBinGet => Op::Get(u32::from_le_bytes(self.array()?)),
            O::Put => Op::PutLine(self.line(1)?),
            O::BinPut => Op::Put(u8::from_le_bytes(self.array()?).into()),
            O::LongBinPut => Op::Put(u32::from_le_bytes(self.array()?)),
            O::Memoize => Op::Memoize,
            O::Global => Op::Global,
            O::StackGlobal => Op::StackGlobal,
            O::Inst => Op::Inst,
            O::Obj => Op::Obj,
            O::NewObj => Op::NewObj,
            O::NewObjEx => Op::NewObjEx,
            O::Reduce => Op::Reduce,
            O::Build => Op::Build,
            O::Persid => Op::Persid,
            O::BinPersid => Op::BinPersid,
            O::Ext1 => Op::Ext(u8::from_le_bytes(self.array()?).into()),
            O::Ext2 => Op::Ext(u16::from_le_bytes(self.array()?).into()),
            O::Ext4 => Op::Ext(i32::from_le_bytes(self.array()?)),
            O::Proto => Op::Proto(u8::from_le_bytes(self.array()?)),
            O::Frame => Op::Frame(self.frame()?),
        })
    }
}
