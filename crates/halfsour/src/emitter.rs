//! Concepts to bytes: the shortest encoding that a protocol has, memo opcodes, and frames.
//!
//! The emitter fills a buffer; it neither walks objects nor writes files. What decides the bytes of
//! a pickle beyond the order of its objects is here. CPython does the same in `_Pickler_Write`,
//! `_Pickler_OpcodeBoundary`, `memo_put` and the leaves of `save` in `_pickle.c`.

use crate::opcode::Opcode;
use crate::sink::{Buffer, Sink};
use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;

/// The size, in bytes, from which on a frame is closed, and a payload is written outside of frames.
pub const FRAME_TARGET: usize = 64 * 1024;

/// Frames smaller than this, in bytes, are not worth their header.
const FRAME_MIN: usize = 4;

/// FRAME and its length.
const FRAME_HEADER: usize = 9;

/// What an object's content is too large for.
///
/// ```
/// use halfsour::{Emitter, TooLarge};
/// let error = Emitter::new(4).get(1 << 32).unwrap_err();
/// assert_eq!(error, TooLarge::MemoGet);
/// assert_eq!(error.to_string(), "memo id too large for LONG_BINGET");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TooLarge {
    /// A string of more than 4 GiB below protocol 4.
    Text,
    /// Bytes of more than 4 GiB below protocol 4.
    Bytes,
    /// An int of 2 GiB.
    Int,
    /// More objects than LONG_BINGET can name.
    MemoGet,
    /// More objects than LONG_BINPUT can name.
    MemoPut,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TooLarge::Text => {
                "serializing a string larger than 4 GiB requires pickle protocol 4 or higher"
            }
            TooLarge::Bytes => {
                "serializing a bytes object larger than 4 GiB requires pickle protocol 4 or higher"
            }
            TooLarge::Int => "int too large to pickle",
            TooLarge::MemoGet => "memo id too large for LONG_BINGET",
            TooLarge::MemoPut => "memo id too large for LONG_BINPUT",
        })
    }
}

impl core::error::Error for TooLarge {}

/// How many numbers are written at once: see [`Emitter::ints`] and [`Emitter::floats`].
pub const NUMBERS: usize = 32;

/// The kinds of payload that have a counted opcode.
///
/// ```
/// use halfsour::{Emitter, Payload};
/// let mut out = Emitter::new(5);
/// for kind in [Payload::Text, Payload::Bytes, Payload::ByteArray] {
///     out.payload(kind, b"spam")?;
/// }
/// assert_eq!(out.take(), b"\x8c\x04spamC\x04spam\x96\x04\0\0\0\0\0\0\0spam");
/// # Ok::<(), halfsour::TooLarge>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// UTF-8, with lone surrogates encoded as if they were characters
    Text,
    /// `bytes`; protocol 3 and later
    Bytes,
    /// `bytearray`; protocol 5 and later
    ByteArray,
}

/// An encoded [`Emitter::get`].
///
/// ```
/// use halfsour::{Emitter, Fetch, Opcode};
/// let mut out = Emitter::new(2);
/// let fetch = Fetch::new(7)?;
/// for _ in 0..2 {
///     out.get_again(fetch);
///     out.op(Opcode::Append);
/// }
/// assert_eq!(out.take(), b"h\x07ah\x07a");
/// # Ok::<(), halfsour::TooLarge>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Fetch {
    /// the opcode and its argument; the last byte says how many they are
    bytes: [u8; 8],
}

impl Fetch {
    /// How [`Emitter::get`] writes an index in binary protocols, for those that write it often.
    ///
    /// ```
    /// use halfsour::{Emitter, Fetch, TooLarge};
    /// let mut out = Emitter::new(2);
    /// out.get_again(Fetch::new(258)?);
    /// assert_eq!(out.take(), b"j\x02\x01\0\0");
    /// assert_eq!(Fetch::new(1 << 32).unwrap_err(), TooLarge::MemoGet);
    /// # Ok::<(), halfsour::TooLarge>(())
    /// ```
    ///
    /// # Errors
    /// [`TooLarge::MemoGet`] where the index has more than 32 bits.
    pub fn new(index: i64) -> Result<Fetch, TooLarge> {
        let index = u32::try_from(index).map_err(|_| TooLarge::MemoGet)?;
        let [a, b, c, d] = index.to_le_bytes();
        Ok(if index < 256 {
            Fetch { bytes: [Opcode::BinGet as u8, a, 0, 0, 0, 0, 0, 2] }
        } else {
            Fetch { bytes: [Opcode::LongBinGet as u8, a, b, c, d, 0, 0, 5] }
        })
    }
}

/// Encodes one pickle into a [`Sink`].
///
/// ```
/// use halfsour::{Emitter, Opcode};
/// let mut out = Emitter::new(2);
/// out.begin();
/// out.int(258);
/// out.finish();
/// assert_eq!(out.take(), b"\x80\x02M\x02\x01.");
/// ```
#[derive(Debug)]
pub struct Emitter<S = Buffer> {
    sink: S,
    protocol: u8,
    /// Whether binary opcodes are used: all protocols but 0.
    binary: bool,
    /// Whether a frame is open. It is, in protocols that have them, but around large payloads.
    framing: bool,
    /// Where the open frame's header is in the sink.
    frame: usize,
    /// The sink's length at which the open frame is full.
    limit: usize,
    /// Where frames that were full ended in the sink, if that is wanted.
    ends: Option<Vec<usize>>,
}

impl Emitter {
    /// An emitter for a protocol, 0 to 5, into memory.
    ///
    /// ```
    /// use halfsour::Emitter;
    /// for (protocol, pickle) in [(0, &b"I258\n."[..]), (2, b"\x80\x02M\x02\x01.")] {
    ///     let mut out = Emitter::new(protocol);
    ///     out.begin();
    ///     out.int(258);
    ///     out.finish();
    ///     assert_eq!(out.take(), pickle);
    /// }
    /// ```
    pub fn new(protocol: u8) -> Emitter {
        Emitter::with_sink(protocol, Buffer::default())
    }

    /// Takes the bytes emitted so far, which must not be in an open frame: after
    /// [`boundary`](Emitter::boundary) was true, after [`finish`](Emitter::finish), or after
    /// [`payload_apart`](Emitter::payload_apart).
    ///
    /// ```
    /// use halfsour::Emitter;
    /// let mut out = Emitter::new(2);
    /// out.begin();
    /// out.none();
    /// assert_eq!(out.take(), b"\x80\x02N");
    /// out.finish();
    /// assert_eq!(out.take(), b".");
    /// ```
    pub fn take(&mut self) -> Vec<u8> {
        self.between_frames(Buffer::take)
    }
}

/// Whether a character would not survive in a line of a text file, or begins an escape there.
fn is_escaped(byte: &u8) -> bool {
    matches!(byte, b'\\' | 0 | b'\n' | b'\r' | 0x1a)
}

/// An int in its shortest opcode, and how many of the bytes that is.
#[inline(always)]
fn counted_int(value: i32) -> ([u8; 8], usize) {
    let (opcode, size) = match value {
        0..=0xff => (Opcode::BinInt1, 2),
        0x100..=0xffff => (Opcode::BinInt2, 3),
        _ => (Opcode::BinInt, 5),
    };
    ((u64::from(value.cast_unsigned()) << 8 | opcode as u64).to_le_bytes(), size)
}

/// An int as LONG1, and how many of the bytes that is.
#[inline(always)]
fn counted_long(value: i64) -> ([u8; 16], usize) {
    // What the sign says again is left out.
    let length = 8 - (value ^ value >> 63).leading_zeros().saturating_sub(1) as usize / 8;
    let word = u128::from(value.cast_unsigned()) << 16 | (length as u128) << 8;
    ((word | Opcode::Long1 as u128).to_le_bytes(), 2 + length)
}

impl<S: Sink> Emitter<S> {
    /// An emitter for a protocol, 0 to 5.
    ///
    /// ```
    /// use halfsour::{Buffer, Emitter, Sink};
    /// // Behind what is in the sink already.
    /// let mut sink = Buffer::default();
    /// sink.extend(b"size 4: ");
    /// let mut out = Emitter::with_sink(2, sink);
    /// out.begin();
    /// out.none();
    /// out.finish();
    /// assert_eq!(out.take(), b"size 4: \x80\x02N.");
    /// ```
    pub fn with_sink(protocol: u8, sink: S) -> Emitter<S> {
        Emitter {
            sink,
            protocol,
            binary: protocol > 0,
            framing: false,
            frame: 0,
            limit: usize::MAX,
            ends: None,
        }
    }

    /// Notes from here on where full frames end, for [`ended_frames`](Emitter::ended_frames).
    ///
    /// ```
    /// use halfsour::{Emitter, Payload};
    /// let mut out = Emitter::new(4);
    /// out.begin();
    /// out.note_ends();
    /// out.payload(Payload::Bytes, &[0; 0xffff])?;
    /// assert!(out.boundary());
    /// out.none();
    /// // PROTO, FRAME, and BINBYTES with its bytes
    /// assert_eq!(out.ended_frames(), [0..2 + 9 + 5 + 0xffff]);
    /// # Ok::<(), halfsour::TooLarge>(())
    /// ```
    pub fn note_ends(&mut self) {
        self.ends = Some(Vec::new());
    }

    /// Gives the ranges of the sink that a file would have been given one by one, each when its last
    /// frame was full, and notes no more. What is behind them is still to be written.
    ///
    /// ```
    /// use halfsour::{Emitter, Payload};
    /// let mut out = Emitter::new(4);
    /// out.begin();
    /// out.note_ends();
    /// for _ in 0..2 {
    ///     out.payload(Payload::Bytes, &[0; 0xffff])?;
    ///     assert!(out.boundary());
    /// }
    /// assert_eq!(out.ended_frames(), [0..65551, 65551..131100]);
    /// assert_eq!(out.ended_frames(), []);
    /// # Ok::<(), halfsour::TooLarge>(())
    /// ```
    pub fn ended_frames(&mut self) -> Vec<core::ops::Range<usize>> {
        let ends = self.ends.take().unwrap_or_default();
        let starts = core::iter::once(0).chain(ends.iter().copied());
        starts.zip(&ends).map(|(start, &end)| start..end).collect()
    }

    /// Removes the first `count` bytes, which are of frames that have ended.
    ///
    /// ```
    /// use halfsour::{Emitter, Payload};
    /// let mut out = Emitter::new(4);
    /// out.begin();
    /// out.note_ends();
    /// out.payload(Payload::Bytes, &[0; 0xffff])?;
    /// assert!(out.boundary());
    /// out.payload(Payload::Text, b"spam")?;
    /// let end = out.ended_frames().last().unwrap().end; // a file has what is before it
    /// out.remove_ended(end);
    /// out.finish();
    /// assert_eq!(out.take(), b"\x95\x07\0\0\0\0\0\0\0\x8c\x04spam.");
    /// # Ok::<(), halfsour::TooLarge>(())
    /// ```
    pub fn remove_ended(&mut self, count: usize) {
        self.sink.remove(0, count);
        if self.framing {
            self.frame -= count;
            self.limit -= count;
        }
    }

    /// The sink, to look at.
    ///
    /// ```
    /// let mut out = halfsour::Emitter::new(2);
    /// out.begin();
    /// out.none();
    /// assert_eq!(out.sink().as_ref(), b"\x80\x02N");
    /// ```
    pub fn sink(&self) -> &S {
        &self.sink
    }

    /// Gives the sink back.
    ///
    /// ```
    /// use halfsour::{Emitter, Sink};
    /// let mut out = Emitter::new(2);
    /// out.begin();
    /// out.none();
    /// out.finish();
    /// let mut sink = out.into_sink();
    /// sink.extend(b"and so on");
    /// assert_eq!(sink.as_ref(), b"\x80\x02N.and so on");
    /// ```
    pub fn into_sink(self) -> S {
        self.sink
    }

    /// Chooses between text and binary opcodes against the protocol's own choice, as CPython's
    /// `Pickler.bin` does.
    ///
    /// ```
    /// let mut out = halfsour::Emitter::new(2);
    /// out.set_binary(false);
    /// out.int(258);
    /// assert_eq!(out.take(), b"I258\n");
    /// ```
    #[inline]
    pub fn set_binary(&mut self, binary: bool) {
        self.binary = binary;
    }

    /// Whether binary opcodes are used.
    ///
    /// ```
    /// use halfsour::Emitter;
    /// assert!(!Emitter::new(0).is_binary());
    /// assert!(Emitter::new(1).is_binary());
    /// ```
    #[inline]
    pub fn is_binary(&self) -> bool {
        self.binary
    }

    /// The protocol, 0 to 5.
    ///
    /// ```
    /// use halfsour::{Emitter, Opcode};
    ///
    /// /// `(None, None)`
    /// fn nones(out: &mut Emitter) {
    ///     if out.protocol() >= 2 {
    ///         out.ops([Opcode::None, Opcode::None, Opcode::Tuple2]);
    ///     } else {
    ///         out.ops([Opcode::Mark, Opcode::None, Opcode::None, Opcode::Tuple]);
    ///     }
    /// }
    ///
    /// let mut out = Emitter::new(2);
    /// nones(&mut out);
    /// assert_eq!(out.take(), b"NN\x86");
    /// ```
    #[inline]
    pub fn protocol(&self) -> u8 {
        self.protocol
    }

    /// PROTO, where the protocol has it; frames begin after it.
    ///
    /// ```
    /// use halfsour::{Emitter, Payload};
    /// let mut out = Emitter::new(4);
    /// out.begin();
    /// out.payload(Payload::Text, b"spam")?;
    /// out.finish();
    /// assert_eq!(out.take(), b"\x80\x04\x95\x07\0\0\0\0\0\0\0\x8c\x04spam.");
    /// # Ok::<(), halfsour::TooLarge>(())
    /// ```
    #[inline]
    pub fn begin(&mut self) {
        if self.protocol >= 2 {
            self.sink.put([Opcode::Proto as u8, self.protocol], 2);
            if self.protocol >= 4 {
                self.open_frame();
            }
        }
    }

    /// Forgets what was emitted, and begins again.
    ///
    /// ```
    /// let mut out = halfsour::Emitter::new(2);
    /// out.begin();
    /// out.empty_list();
    /// out.begin_again();
    /// out.none();
    /// out.finish();
    /// assert_eq!(out.take(), b"\x80\x02N.");
    /// ```
    pub fn begin_again(&mut self) {
        self.framing = false;
        self.limit = usize::MAX;
        if let Some(ends) = &mut self.ends {
            ends.clear();
        }
        self.sink.remove(0, self.sink.len());
        self.begin();
    }

    /// STOP, and the end of the last frame.
    ///
    /// ```
    /// let mut out = halfsour::Emitter::new(4);
    /// out.begin();
    /// out.none();
    /// out.finish();
    /// assert_eq!(out.take(), b"\x80\x04N."); // not worth a frame
    /// ```
    #[inline]
    pub fn finish(&mut self) {
        self.op(Opcode::Stop);
        self.close_frame();
    }

    /// To be called before each object: closes the frame when it is full. True if it did, so that
    /// what is in the sink may be [taken](Emitter::between_frames) and written.
    ///
    /// ```
    /// use halfsour::{Emitter, Payload};
    /// let mut out = Emitter::new(4);
    /// out.begin();
    /// assert!(!out.boundary());
    /// out.payload(Payload::Bytes, &[0; 0xffff])?;
    /// assert!(out.boundary());
    /// let mut file = out.take();
    /// assert_eq!(file.len(), 2 + 9 + 5 + 0xffff);
    /// out.none();
    /// out.finish();
    /// file.extend(out.take());
    /// assert!(file.ends_with(b"\0\0N."));
    /// # Ok::<(), halfsour::TooLarge>(())
    /// ```
    #[inline]
    pub fn boundary(&mut self) -> bool {
        self.sink.len() >= self.limit && self.next_frame()
    }

    #[cold]
    fn next_frame(&mut self) -> bool {
        if !self.framing {
            return true;
        }
        self.close_frame();
        if let Some(ends) = &mut self.ends {
            ends.push(self.sink.len());
        }
        self.open_frame();
        true
    }

    /// Lends the sink, so that what was emitted can be taken out of it. There must be nothing in the
    /// open frame: see [`take`](Emitter::take).
    ///
    /// ```
    /// let mut file = Vec::new();
    /// let mut out = halfsour::Emitter::new(2);
    /// out.begin();
    /// out.between_frames(|sink| file.extend(sink.take()));
    /// out.none();
    /// out.finish();
    /// out.between_frames(|sink| file.extend(sink.take()));
    /// assert_eq!(file, b"\x80\x02N.");
    /// ```
    pub fn between_frames<R>(&mut self, lend: impl FnOnce(&mut S) -> R) -> R {
        let framing = self.framing;
        debug_assert!(!framing || self.sink.len() == self.frame + FRAME_HEADER, "an open frame");
        self.close_frame();
        let result = lend(&mut self.sink);
        if framing {
            self.open_frame();
        }
        result
    }

    fn open_frame(&mut self) {
        self.framing = true;
        self.frame = self.sink.len();
        self.sink.put([0; FRAME_HEADER], FRAME_HEADER);
        self.limit = self.frame + FRAME_HEADER + FRAME_TARGET;
    }

    fn close_frame(&mut self) {
        if !core::mem::replace(&mut self.framing, false) || self.sink.is_out_of_memory() {
            return;
        }
        self.limit = usize::MAX;
        let length = self.sink.len() - self.frame - FRAME_HEADER;
        if length >= FRAME_MIN {
            let mut header = [Opcode::Frame as u8; FRAME_HEADER];
            header[1..].copy_from_slice(&(length as u64).to_le_bytes());
            self.sink.overwrite(self.frame, header);
        } else {
            self.sink.remove(self.frame, FRAME_HEADER);
        }
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.sink.extend(bytes);
    }

    #[inline(always)]
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        self.sink.put(bytes, N);
    }

    /// Whether memory ran out, so that what was emitted makes no pickle. To be asked now and then,
    /// and at the end.
    ///
    /// ```
    /// # use halfsour::{Emitter, Sink};
    /// /// A sink that has memory for so many bytes, and counts them.
    /// struct Small {
    ///     room: usize,
    ///     full: bool,
    /// }
    /// # impl Sink for Small {
    /// #     fn put<const N: usize>(&mut self, bytes: [u8; N], used: usize) {
    /// #         self.extend(&bytes[..used]);
    /// #     }
    /// #     fn extend(&mut self, bytes: &[u8]) {
    /// #         match self.room.checked_sub(bytes.len()) {
    /// #             Some(room) => self.room = room,
    /// #             None => self.full = true,
    /// #         }
    /// #     }
    /// #     fn len(&self) -> usize {
    /// #         0
    /// #     }
    /// #     fn overwrite<const N: usize>(&mut self, _: usize, _: [u8; N]) {}
    /// #     fn remove(&mut self, _: usize, _: usize) {}
    /// #     fn is_out_of_memory(&self) -> bool {
    /// #         self.full
    /// #     }
    /// # }
    /// let mut out = Emitter::with_sink(2, Small { room: 4, full: false });
    /// out.begin();
    /// out.none();
    /// assert!(!out.is_out_of_memory());
    /// out.int(258);
    /// assert!(out.is_out_of_memory());
    /// ```
    #[inline]
    pub fn is_out_of_memory(&self) -> bool {
        self.sink.is_out_of_memory()
    }

    /// An opcode without an argument.
    ///
    /// ```
    /// use halfsour::{Emitter, Opcode};
    /// let mut out = Emitter::new(4);
    /// out.op(Opcode::EmptySet);
    /// out.op(Opcode::Memoize);
    /// assert_eq!(out.take(), b"\x8f\x94");
    /// ```
    #[inline(always)]
    pub fn op(&mut self, opcode: Opcode) {
        self.put([opcode as u8]);
    }

    /// Removes a `None`, if that is all that was emitted since there were `before` bytes.
    #[cfg(feature = "serde")]
    pub(crate) fn take_back_none(&mut self, before: usize) -> bool
    where
        S: AsRef<[u8]>,
    {
        let none = self.sink.as_ref().get(before..) == Some(&[Opcode::None as u8]);
        if none {
            self.sink.remove(before, 1);
        }
        none
    }

    /// An opcode with a text argument, up to a newline.
    ///
    /// ```
    /// use halfsour::{Emitter, Opcode};
    /// let mut out = Emitter::new(0);
    /// out.line(Opcode::Persid, b"user-7");
    /// assert_eq!(out.take(), b"Puser-7\n");
    /// ```
    pub fn line(&mut self, opcode: Opcode, text: &[u8]) {
        self.op(opcode);
        self.write(text);
        self.write(b"\n");
    }

    /// `None`
    ///
    /// ```
    /// let mut out = halfsour::Emitter::new(0);
    /// out.none();
    /// assert_eq!(out.take(), b"N");
    /// ```
    #[inline]
    pub fn none(&mut self) {
        self.op(Opcode::None);
    }

    /// `True` or `False`
    ///
    /// ```
    /// use halfsour::Emitter;
    /// for (protocol, bytes) in [(0, &b"I01\n"[..]), (1, b"I01\n"), (2, b"\x88")] {
    ///     let mut out = Emitter::new(protocol);
    ///     out.bool(true);
    ///     assert_eq!(out.take(), bytes);
    /// }
    /// ```
    #[inline]
    pub fn bool(&mut self, value: bool) {
        if self.protocol >= 2 {
            // The opcodes are neighbours: that leaves no branch to guess.
            self.put([Opcode::NewFalse as u8 - u8::from(value)]);
        } else {
            self.line(Opcode::Int, if value { b"01" } else { b"00" });
        }
    }

    /// An int that 32 bits can hold.
    ///
    /// ```
    /// let mut out = halfsour::Emitter::new(2);
    /// for value in [7, 258, -1] {
    ///     out.int(value);
    /// }
    /// assert_eq!(out.take(), b"K\x07M\x02\x01J\xff\xff\xff\xff");
    /// ```
    #[inline(always)]
    pub fn int(&mut self, value: i32) {
        if !self.binary {
            return self.int_line(value);
        }
        let (bytes, used) = counted_int(value);
        self.sink.put(bytes, used);
    }

    #[cold]
    fn int_line(&mut self, value: i32) {
        self.line(Opcode::Int, value.to_string().as_bytes());
    }

    /// Any int of 64 bits in its shortest opcode, protocol 2 and later; those of 32 bits in protocol 1 too.
    ///
    /// ```
    /// let mut out = halfsour::Emitter::new(2);
    /// for value in [7, 1 << 38] {
    ///     out.int64(value);
    /// }
    /// assert_eq!(out.take(), b"K\x07\x8a\x05\0\0\0\0\x40");
    /// ```
    #[inline]
    pub fn int64(&mut self, value: i64) {
        match i32::try_from(value).map(counted_int) {
            Ok((bytes, used)) => self.sink.put(bytes, used),
            Err(_) => {
                let (bytes, used) = counted_long(value);
                self.sink.put(bytes, used);
            }
        }
    }

    /// Ints, one after the other, as [`int64`](Emitter::int64) writes them; at most [`NUMBERS`].
    ///
    /// ```
    /// let mut out = halfsour::Emitter::new(2);
    /// for values in (0..100).collect::<Vec<i64>>().chunks(halfsour::NUMBERS) {
    ///     out.ints(values);
    /// }
    /// let bytes = out.take();
    /// assert_eq!(bytes.len(), 200);
    /// assert!(bytes.ends_with(b"K\x61K\x62K\x63"));
    /// ```
    #[inline]
    pub fn ints(&mut self, values: &[i64]) {
        let mut bytes = [0; NUMBERS * 10 + 6];
        let mut used = 0;
        for &value in values.iter().take(NUMBERS) {
            // What is too much is overwritten by the next.
            match i32::try_from(value).map(counted_int) {
                Ok((word, size)) => {
                    if let Some(place) = bytes.get_mut(used..used + 8) {
                        place.copy_from_slice(&word);
                    }
                    used += size;
                }
                Err(_) => {
                    let (word, size) = counted_long(value);
                    if let Some(place) = bytes.get_mut(used..used + 16) {
                        place.copy_from_slice(&word);
                    }
                    used += size;
                }
            }
        }
        self.write(bytes.get(..used).unwrap_or_default());
    }

    /// Floats in binary, one after the other; at most [`NUMBERS`].
    ///
    /// ```
    /// let mut out = halfsour::Emitter::new(2);
    /// out.floats(&[1.0, 1.5]);
    /// assert_eq!(out.take(), b"G\x3f\xf0\0\0\0\0\0\0G\x3f\xf8\0\0\0\0\0\0");
    /// ```
    #[inline]
    pub fn floats(&mut self, values: &[f64]) {
        let mut bytes = [[Opcode::BinFloat as u8; 9]; NUMBERS];
        for (place, value) in bytes.iter_mut().zip(values) {
            place[1..].copy_from_slice(&value.to_be_bytes());
        }
        let used = bytes.get(..values.len()).unwrap_or(&bytes);
        self.write(used.as_flattened());
    }

    /// Whether ints that 32 bits cannot hold are written as bytes ([`long`](Emitter::long)), not as
    /// digits ([`long_digits`](Emitter::long_digits)).
    ///
    /// ```
    /// use halfsour::Emitter;
    /// /// 2 to the 32nd
    /// fn power(protocol: u8) -> Vec<u8> {
    ///     let mut out = Emitter::new(protocol);
    ///     if out.long_is_binary() {
    ///         out.long(&[0, 0, 0, 0, 1]).unwrap();
    ///     } else {
    ///         out.long_digits(b"4294967296");
    ///     }
    ///     out.take()
    /// }
    /// assert_eq!(power(1), b"L4294967296L\n");
    /// assert_eq!(power(2), b"\x8a\x05\0\0\0\0\x01");
    /// ```
    pub fn long_is_binary(&self) -> bool {
        self.protocol >= 2
    }

    /// Any other int, protocol 2 and later, as the shortest little-endian two's complement.
    ///
    /// ```
    /// let mut out = halfsour::Emitter::new(2);
    /// out.long(&(1_i64 << 38).to_le_bytes()[..5])?;
    /// assert_eq!(out.take(), b"\x8a\x05\0\0\0\0\x40");
    /// # Ok::<(), halfsour::TooLarge>(())
    /// ```
    ///
    /// # Errors
    /// [`TooLarge::Int`] from 2 GiB on.
    pub fn long(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        if let Ok(length) = u8::try_from(bytes.len()) {
            self.write(&[Opcode::Long1 as u8, length]);
        } else {
            let length = i32::try_from(bytes.len()).map_err(|_| TooLarge::Int)?;
            self.op(Opcode::Long4);
            self.write(&length.to_le_bytes());
        }
        self.write(bytes);
        Ok(())
    }

    /// Any other int, protocols 0 and 1, as decimal digits.
    ///
    /// ```
    /// let mut out = halfsour::Emitter::new(0);
    /// out.long_digits((1_u64 << 32).to_string().as_bytes());
    /// assert_eq!(out.take(), b"L4294967296L\n");
    /// ```
    pub fn long_digits(&mut self, digits: &[u8]) {
        self.op(Opcode::Long);
        self.write(digits);
        self.write(b"L\n");
    }

    /// A float in binary.
    ///
    /// ```
    /// let mut out = halfsour::Emitter::new(1);
    /// out.float(1.5);
    /// assert_eq!(out.take(), b"G\x3f\xf8\0\0\0\0\0\0");
    /// ```
    #[inline(always)]
    pub fn float(&mut self, value: f64) {
        let mut bytes = [Opcode::BinFloat as u8; 9];
        bytes[1..].copy_from_slice(&value.to_be_bytes());
        self.put(bytes);
    }

    /// A float in text, for protocol 0.
    ///
    /// ```
    /// let mut out = halfsour::Emitter::new(0);
    /// out.float_digits(b"1.5");
    /// assert_eq!(out.take(), b"F1.5\n");
    /// ```
    pub fn float_digits(&mut self, digits: &[u8]) {
        self.line(Opcode::Float, digits);
    }

    /// A string in protocol 0: raw-unicode-escape that leaves no character which a text file could
    /// change.
    ///
    /// ```
    /// let mut out = halfsour::Emitter::new(0);
    /// out.unicode_line("é≈\n".chars().map(u32::from));
    /// assert_eq!(out.take(), b"V\xe9\\u2248\\u000a\n");
    /// ```
    pub fn unicode_line(&mut self, code_points: impl Iterator<Item = u32>) {
        self.op(Opcode::Unicode);
        for point in code_points {
            match u8::try_from(point) {
                Ok(byte) if !is_escaped(&byte) => self.put([byte]),
                _ => {
                    let escape = if point < 0x1_0000 {
                        format!("\\u{point:04x}")
                    } else {
                        format!("\\U{point:08x}")
                    };
                    self.write(escape.as_bytes());
                }
            }
        }
        self.write(b"\n");
    }

    /// As [`unicode_line`](Emitter::unicode_line), for a string of ASCII characters.
    ///
    /// ```
    /// let mut out = halfsour::Emitter::new(0);
    /// out.ascii_line(br"C:\spam");
    /// assert_eq!(out.take(), b"VC:\\u005cspam\n");
    /// ```
    pub fn ascii_line(&mut self, text: &[u8]) {
        self.op(Opcode::Unicode);
        for run in text.split_inclusive(is_escaped) {
            match run.split_last() {
                Some((&last, before)) if is_escaped(&last) => {
                    self.write(before);
                    self.write(format!("\\u{last:04x}").as_bytes());
                }
                _ => self.write(run),
            }
        }
        self.write(b"\n");
    }

    /// A string of Python 2, in binary protocols.
    ///
    /// ```
    /// let mut out = halfsour::Emitter::new(2);
    /// out.old_string(b"spam")?;
    /// assert_eq!(out.take(), b"U\x04spam");
    /// # Ok::<(), halfsour::TooLarge>(())
    /// ```
    ///
    /// # Errors
    /// [`TooLarge::Text`] from 2 GiB on.
    pub fn old_string(&mut self, data: &[u8]) -> Result<(), TooLarge> {
        if let Ok(length) = u8::try_from(data.len()) {
            self.put([Opcode::ShortBinString as u8, length]);
        } else {
            let length = i32::try_from(data.len()).map_err(|_| TooLarge::Text)?;
            self.op(Opcode::BinString);
            self.write(&length.to_le_bytes());
        }
        self.write(data);
        Ok(())
    }

    fn payload_header(&mut self, kind: Payload, length: usize) -> Result<(), TooLarge> {
        let short = u8::try_from(length).ok();
        let long = u32::try_from(length).ok();
        let (opcode1, opcode4, opcode8, too_large) = match kind {
            Payload::Text => (
                (self.protocol >= 4).then_some(Opcode::ShortBinUnicode),
                Some(Opcode::BinUnicode),
                Opcode::BinUnicode8,
                TooLarge::Text,
            ),
            Payload::Bytes => (
                Some(Opcode::ShortBinBytes),
                Some(Opcode::BinBytes),
                Opcode::BinBytes8,
                TooLarge::Bytes,
            ),
            Payload::ByteArray => (None, None, Opcode::ByteArray8, TooLarge::Bytes),
        };
        if let (Some(opcode), Some(length)) = (opcode1, short) {
            self.put([opcode as u8, length]);
        } else if let (Some(opcode), Some(length)) = (opcode4, long) {
            let [a, b, c, d] = length.to_le_bytes();
            self.put([opcode as u8, a, b, c, d]);
        } else if self.protocol >= 4 {
            let mut header = [opcode8 as u8; 9];
            header[1..].copy_from_slice(&(length as u64).to_le_bytes());
            self.put(header);
        } else {
            return Err(too_large);
        }
        Ok(())
    }

    /// A string, bytes or a bytearray. From [`FRAME_TARGET`] bytes on it is not in a frame, so that
    /// readers can take it in one piece.
    ///
    /// ```
    /// use halfsour::{Emitter, FRAME_TARGET, Payload};
    /// let mut out = Emitter::new(2);
    /// out.payload(Payload::Text, b"spam")?;
    /// assert_eq!(out.take(), b"X\x04\0\0\0spam");
    ///
    /// let mut out = Emitter::new(4);
    /// out.begin();
    /// out.payload(Payload::Bytes, &[0; FRAME_TARGET])?;
    /// out.finish();
    /// assert!(out.take().starts_with(b"\x80\x04B\0\0\x01\0"));
    /// # Ok::<(), halfsour::TooLarge>(())
    /// ```
    ///
    /// # Errors
    /// [`TooLarge`], above 4 GiB and below protocol 4.
    #[inline]
    pub fn payload(&mut self, kind: Payload, data: &[u8]) -> Result<(), TooLarge> {
        if data.len() < FRAME_TARGET {
            self.payload_header(kind, data.len())?;
            self.write(data);
            return Ok(());
        }
        self.unframed(|out| {
            out.payload_header(kind, data.len())?;
            out.write(data);
            Ok(())
        })
    }

    /// The header of a payload of at least [`FRAME_TARGET`] bytes, which the caller writes to the
    /// file itself, after what [`take`](Emitter::take) gives.
    ///
    /// ```
    /// use halfsour::{Emitter, FRAME_TARGET, Payload};
    /// let data = vec![7; FRAME_TARGET];
    /// let mut out = Emitter::new(4);
    /// out.begin();
    /// out.payload_apart(Payload::Bytes, data.len())?;
    /// let head = out.take();
    /// assert_eq!(head, b"\x80\x04B\0\0\x01\0");
    /// out.finish();
    /// let file = [head, data, out.take()].concat();
    /// assert!(halfsour::load(&file).is_ok());
    /// # Ok::<(), halfsour::TooLarge>(())
    /// ```
    ///
    /// # Errors
    /// [`TooLarge`], above 4 GiB and below protocol 4.
    pub fn payload_apart(&mut self, kind: Payload, length: usize) -> Result<(), TooLarge> {
        self.unframed(|out| out.payload_header(kind, length))
    }

    fn unframed(
        &mut self,
        emit: impl FnOnce(&mut Emitter<S>) -> Result<(), TooLarge>,
    ) -> Result<(), TooLarge> {
        let framing = self.framing;
        self.close_frame();
        let result = emit(self);
        if framing {
            self.open_frame();
        }
        result
    }

    /// `()`, which is never memoized.
    ///
    /// ```
    /// use halfsour::Emitter;
    /// for (protocol, bytes) in [(0, &b"(t"[..]), (1, b")")] {
    ///     let mut out = Emitter::new(protocol);
    ///     out.empty_tuple();
    ///     assert_eq!(out.take(), bytes);
    /// }
    /// ```
    #[inline]
    pub fn empty_tuple(&mut self) {
        if self.protocol > 0 {
            self.op(Opcode::EmptyTuple);
        } else {
            self.write(&[Opcode::Mark as u8, Opcode::Tuple as u8]);
        }
    }

    /// `[]`
    ///
    /// ```
    /// use halfsour::Emitter;
    /// for (protocol, bytes) in [(0, &b"(l"[..]), (1, b"]")] {
    ///     let mut out = Emitter::new(protocol);
    ///     out.empty_list();
    ///     assert_eq!(out.take(), bytes);
    /// }
    /// ```
    #[inline]
    pub fn empty_list(&mut self) {
        if self.binary {
            self.op(Opcode::EmptyList);
        } else {
            self.write(&[Opcode::Mark as u8, Opcode::List as u8]);
        }
    }

    /// `{}`
    ///
    /// ```
    /// use halfsour::Emitter;
    /// for (protocol, bytes) in [(0, &b"(d"[..]), (1, b"}")] {
    ///     let mut out = Emitter::new(protocol);
    ///     out.empty_dict();
    ///     assert_eq!(out.take(), bytes);
    /// }
    /// ```
    #[inline]
    pub fn empty_dict(&mut self) {
        if self.binary {
            self.op(Opcode::EmptyDict);
        } else {
            self.write(&[Opcode::Mark as u8, Opcode::Dict as u8]);
        }
    }

    /// A module and a name in it, below protocol 4; encoded as the protocol demands.
    ///
    /// ```
    /// let mut out = halfsour::Emitter::new(2);
    /// out.global(b"math", b"pi");
    /// assert_eq!(out.take(), b"cmath\npi\n");
    /// ```
    pub fn global(&mut self, module: &[u8], name: &[u8]) {
        self.line(Opcode::Global, module);
        self.write(name);
        self.write(b"\n");
    }

    /// What is registered for an extension code, which is positive; protocol 2 and later.
    ///
    /// ```
    /// let mut out = halfsour::Emitter::new(2);
    /// for code in [7, 258, 65536] {
    ///     out.extension(code);
    /// }
    /// assert_eq!(out.take(), b"\x82\x07\x83\x02\x01\x84\0\0\x01\0");
    /// ```
    pub fn extension(&mut self, code: i32) {
        let [a, b, c, d] = code.to_le_bytes();
        match (b, c, d) {
            (0, 0, 0) => self.put([Opcode::Ext1 as u8, a]),
            (_, 0, 0) => self.put([Opcode::Ext2 as u8, a, b]),
            _ => self.put([Opcode::Ext4 as u8, a, b, c, d]),
        }
    }

    /// How many bytes are in the sink.
    ///
    /// ```
    /// let mut out = halfsour::Emitter::new(2);
    /// out.begin();
    /// let start = out.len();
    /// out.int(258);
    /// assert_eq!(out.len() - start, 3);
    /// ```
    #[allow(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        self.sink.len()
    }

    /// Has what is emitted without frames count as full from so many bytes on.
    ///
    /// ```
    /// let mut out = halfsour::Emitter::new(2);
    /// out.set_limit(4);
    /// let mut file = Vec::new();
    /// out.begin();
    /// for value in 0..3 {
    ///     if out.boundary() {
    ///         file.push(out.take());
    ///     }
    ///     out.int(value);
    /// }
    /// assert_eq!(file, [b"\x80\x02K\0"]);
    /// assert_eq!(out.take(), b"K\x01K\x02");
    /// ```
    pub fn set_limit(&mut self, limit: usize) {
        if !self.framing {
            self.limit = limit;
        }
    }

    /// Whether the open frame is full: [`boundary`](Emitter::boundary) will close it.
    ///
    /// ```
    /// use halfsour::{Emitter, FRAME_TARGET};
    /// let mut out = Emitter::new(4);
    /// out.begin();
    /// let mut count = 0;
    /// while !out.is_full() {
    ///     out.none();
    ///     count += 1;
    /// }
    /// assert_eq!(count, FRAME_TARGET);
    /// assert!(out.boundary());
    /// assert!(!out.is_full());
    /// ```
    #[inline(always)]
    pub fn is_full(&self) -> bool {
        self.sink.len() >= self.limit
    }

    /// Whether nothing is in the way of so many bytes and 16 more: the protocol is 4 or later and
    /// binary, the frame is not full, and the sink has room.
    ///
    /// ```
    /// use halfsour::{Emitter, Payload};
    /// let mut out = Emitter::new(4);
    /// assert!(!out.is_quick(100)); // the sink has no memory yet
    /// out.payload(Payload::Bytes, &[0; 200])?;
    /// out.begin_again();
    /// assert!(out.is_quick(100));
    /// # Ok::<(), halfsour::TooLarge>(())
    /// ```
    #[inline(always)]
    pub fn is_quick(&self, bytes: usize) -> bool {
        self.binary
            && self.protocol >= 4
            && self.sink.len() < self.limit
            && self.sink.room() >= bytes + 16
    }

    /// How many bytes fit into the open frame before it is full; many outside of frames.
    ///
    /// ```
    /// use halfsour::{Emitter, FRAME_TARGET};
    /// let mut out = Emitter::new(4);
    /// out.begin();
    /// out.int(258);
    /// assert_eq!(out.room(), FRAME_TARGET - 3);
    /// assert!(Emitter::new(2).room() > FRAME_TARGET);
    /// ```
    #[inline]
    pub fn room(&self) -> usize {
        self.limit.saturating_sub(self.sink.len())
    }

    /// [`payload`](Emitter::payload), then [`memoize`](Emitter::memoize): the two that come together
    /// most often.
    ///
    /// ```
    /// use halfsour::{Emitter, Payload};
    /// for (protocol, bytes) in [(2, &b"X\x04\0\0\0spamq\x07"[..]), (4, b"\x8c\x04spam\x94")] {
    ///     let mut out = Emitter::new(protocol);
    ///     out.payload_memoized(Payload::Text, b"spam", 7)?;
    ///     assert_eq!(out.take(), bytes);
    /// }
    /// # Ok::<(), halfsour::TooLarge>(())
    /// ```
    ///
    /// # Errors
    /// As theirs.
    #[inline(always)]
    pub fn payload_memoized(
        &mut self,
        kind: Payload,
        data: &[u8],
        index: i64,
    ) -> Result<(), TooLarge> {
        let opcode = match kind {
            Payload::Text => Opcode::ShortBinUnicode,
            _ => Opcode::ShortBinBytes,
        };
        if self.protocol >= 4 && data.len() < 256 && kind != Payload::ByteArray {
            let head = [opcode as u8, data.len() as u8, 0, 0, 0, 0, 0, 0];
            self.sink.wrap(head, 2, data, [Opcode::Memoize as u8; 8], 1);
            return Ok(());
        }
        self.payload(kind, data)?;
        self.memoize(index)
    }

    /// As [`get`](Emitter::get), in binary protocols.
    ///
    /// ```
    /// use halfsour::{Emitter, Fetch};
    /// let mut out = Emitter::new(2);
    /// let fetch = Fetch::new(7)?;
    /// out.get_again(fetch);
    /// out.get_again(fetch);
    /// assert_eq!(out.take(), b"h\x07h\x07");
    /// # Ok::<(), halfsour::TooLarge>(())
    /// ```
    #[inline(always)]
    pub fn get_again(&mut self, fetch: Fetch) {
        self.sink.put(fetch.bytes, usize::from(fetch.bytes[7]));
    }

    /// Opcodes without arguments, one after the other.
    ///
    /// ```
    /// use halfsour::{Emitter, Opcode};
    /// let mut out = Emitter::new(4);
    /// out.ops([Opcode::EmptyList, Opcode::Memoize, Opcode::Mark]);
    /// assert_eq!(out.take(), b"]\x94(");
    /// ```
    #[inline]
    pub fn ops<const N: usize>(&mut self, opcodes: [Opcode; N]) {
        self.sink.put(opcodes.map(|opcode| opcode as u8), N);
    }

    /// Stores the topmost object in the memo at `index`, which is the number of objects that are in
    /// it already.
    ///
    /// ```
    /// use halfsour::Emitter;
    /// for (protocol, bytes) in [(0, &b"p7\n"[..]), (2, b"q\x07"), (4, b"\x94")] {
    ///     let mut out = Emitter::new(protocol);
    ///     out.memoize(7)?;
    ///     assert_eq!(out.take(), bytes);
    /// }
    /// # Ok::<(), halfsour::TooLarge>(())
    /// ```
    ///
    /// # Errors
    /// [`TooLarge::MemoPut`] where the index has more than 32 bits, below protocol 4.
    #[inline(always)]
    pub fn memoize(&mut self, index: i64) -> Result<(), TooLarge> {
        if self.protocol >= 4 {
            self.op(Opcode::Memoize);
            Ok(())
        } else {
            self.memo(Opcode::Put, Opcode::BinPut, Opcode::LongBinPut, index)
                .ok_or(TooLarge::MemoPut)
        }
    }

    /// Fetches what the memo has at `index`.
    ///
    /// ```
    /// use halfsour::Emitter;
    /// for (protocol, bytes) in [(0, &b"g7\n"[..]), (2, b"h\x07"), (4, b"h\x07")] {
    ///     let mut out = Emitter::new(protocol);
    ///     out.get(7)?;
    ///     assert_eq!(out.take(), bytes);
    /// }
    /// # Ok::<(), halfsour::TooLarge>(())
    /// ```
    ///
    /// # Errors
    /// [`TooLarge::MemoGet`] where the index has more than 32 bits.
    #[inline(always)]
    pub fn get(&mut self, index: i64) -> Result<(), TooLarge> {
        self.memo(Opcode::Get, Opcode::BinGet, Opcode::LongBinGet, index).ok_or(TooLarge::MemoGet)
    }

    #[cold]
    fn memo_line(&mut self, opcode: Opcode, index: i64) {
        self.line(opcode, index.to_string().as_bytes());
    }

    // Indexes are signed, since a program may fill CPython's memo with any; like CPython, a
    // negative one is written by its low byte.
    #[inline(always)]
    fn memo(&mut self, text: Opcode, short: Opcode, long: Opcode, index: i64) -> Option<()> {
        if !self.binary {
            self.memo_line(text, index);
        } else if index < 256 {
            self.put([short as u8, index.to_le_bytes()[0]]);
        } else {
            let [a, b, c, d] = u32::try_from(index).ok()?.to_le_bytes();
            self.put([long as u8, a, b, c, d]);
        }
        Some(())
    }
}
