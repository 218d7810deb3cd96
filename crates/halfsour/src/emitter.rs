//! Concepts to bytes: the shortest encoding that a protocol has, memo opcodes, and frames.
//!
//! The emitter fills a buffer; it neither walks objects nor writes files. What decides the bytes of
//! a pickle beyond the order of its objects is here. CPython does the same in `_Pickler_Write`,
//! `_Pickler_OpcodeBoundary`, `memo_put` and the leaves of `save` in `_pickle.c`.

use crate::opcode::Opcode;
use std::fmt;

/// The size, in bytes, from which on a frame is closed, and a payload is written outside of frames.
pub const FRAME_TARGET: usize = 64 * 1024;

/// Frames smaller than this, in bytes, are not worth their header.
const FRAME_MIN: usize = 4;

/// FRAME and its length.
const FRAME_HEADER: usize = 9;

/// What an object's content is too large for.
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

impl std::error::Error for TooLarge {}

/// The kinds of payload that have a counted opcode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// UTF-8, with lone surrogates encoded as if they were characters
    Text,
    /// `bytes`; protocol 3 and later
    Bytes,
    /// `bytearray`; protocol 5 and later
    ByteArray,
}

/// Encodes one pickle into a buffer.
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
pub struct Emitter {
    buffer: Vec<u8>,
    protocol: u8,
    /// Whether binary opcodes are used: all protocols but 0.
    binary: bool,
    framing: bool,
    /// Where the open frame's header is in the buffer.
    frame: Option<usize>,
    out_of_memory: bool,
}

impl Emitter {
    /// An emitter for a protocol, 0 to 5.
    pub fn new(protocol: u8) -> Emitter {
        Emitter {
            buffer: Vec::new(),
            protocol,
            binary: protocol > 0,
            framing: false,
            frame: None,
            out_of_memory: false,
        }
    }

    /// Chooses between text and binary opcodes against the protocol's own choice, as CPython's
    /// `Pickler.bin` does.
    pub fn set_binary(&mut self, binary: bool) {
        self.binary = binary;
    }

    /// Whether binary opcodes are used.
    pub fn is_binary(&self) -> bool {
        self.binary
    }

    /// The protocol, 0 to 5.
    #[inline]
    pub fn protocol(&self) -> u8 {
        self.protocol
    }

    /// PROTO, where the protocol has it; frames begin after it.
    pub fn begin(&mut self) {
        if self.protocol >= 2 {
            self.write(&[Opcode::Proto as u8, self.protocol]);
            self.framing = self.protocol >= 4;
        }
    }

    /// STOP, and the end of the last frame.
    pub fn finish(&mut self) {
        self.op(Opcode::Stop);
        self.commit_frame();
        self.framing = false;
    }

    /// To be called before each object: closes the frame when it is full. True if it did, so that
    /// what is in the buffer may be [taken](Emitter::take) and written.
    #[inline]
    pub fn boundary(&mut self) -> bool {
        match self.frame {
            Some(start) if self.buffer.len() - start - FRAME_HEADER >= FRAME_TARGET => {
                self.commit_frame();
                true
            }
            _ => false,
        }
    }

    /// Takes the bytes emitted so far. There must be no open frame: after
    /// [`boundary`](Emitter::boundary) was true, after [`finish`](Emitter::finish), or after
    /// [`payload_apart`](Emitter::payload_apart).
    pub fn take(&mut self) -> Vec<u8> {
        debug_assert!(self.frame.is_none(), "an open frame cannot be taken");
        std::mem::take(&mut self.buffer)
    }

    fn commit_frame(&mut self) {
        let Some(start) = self.frame.take() else { return };
        let length = self.buffer.len() - start - FRAME_HEADER;
        if length >= FRAME_MIN {
            self.buffer[start] = Opcode::Frame as u8;
            self.buffer[start + 1..start + FRAME_HEADER]
                .copy_from_slice(&(length as u64).to_le_bytes());
        } else {
            self.buffer.drain(start..start + FRAME_HEADER);
        }
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        if self.framing && self.frame.is_none() {
            self.open_frame();
        }
        self.append(bytes);
    }

    fn open_frame(&mut self) {
        self.frame = Some(self.buffer.len());
        self.append(&[0; FRAME_HEADER]);
    }

    #[inline]
    fn append(&mut self, bytes: &[u8]) {
        if self.buffer.try_reserve(bytes.len()).is_ok() && !self.out_of_memory {
            self.buffer.extend_from_slice(bytes);
        } else {
            self.give_up();
        }
    }

    /// From here on nothing is emitted: what there is makes no pickle.
    #[cold]
    fn give_up(&mut self) {
        self.out_of_memory = true;
        self.frame = None;
        self.buffer = Vec::new();
    }

    /// Whether memory ran out, so that what was emitted is lost. To be asked now and then, and at
    /// the end.
    #[inline]
    pub fn is_out_of_memory(&self) -> bool {
        self.out_of_memory
    }

    /// An opcode without an argument.
    #[inline]
    pub fn op(&mut self, opcode: Opcode) {
        self.write(&[opcode as u8]);
    }

    /// An opcode with a text argument, up to a newline.
    pub fn line(&mut self, opcode: Opcode, text: &[u8]) {
        self.op(opcode);
        self.write(text);
        self.write(b"\n");
    }

    /// `None`
    #[inline]
    pub fn none(&mut self) {
        self.op(Opcode::None);
    }

    /// `True` or `False`
    pub fn bool(&mut self, value: bool) {
        if self.protocol >= 2 {
            self.op(if value { Opcode::NewTrue } else { Opcode::NewFalse });
        } else {
            self.line(Opcode::Int, if value { b"01" } else { b"00" });
        }
    }

    /// An int that 32 bits can hold.
    #[inline]
    pub fn int(&mut self, value: i32) {
        if !self.binary {
            self.line(Opcode::Int, value.to_string().as_bytes());
            return;
        }
        let [a, b, c, d] = value.to_le_bytes();
        match (b, c, d) {
            (0, 0, 0) => self.write(&[Opcode::BinInt1 as u8, a]),
            (_, 0, 0) => self.write(&[Opcode::BinInt2 as u8, a, b]),
            _ => self.write(&[Opcode::BinInt as u8, a, b, c, d]),
        }
    }

    /// Whether ints that 32 bits cannot hold are written as bytes ([`long`](Emitter::long)), not as
    /// digits ([`long_digits`](Emitter::long_digits)).
    pub fn long_is_binary(&self) -> bool {
        self.protocol >= 2
    }

    /// Any other int, protocol 2 and later, as the shortest little-endian two's complement.
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
    pub fn long_digits(&mut self, digits: &[u8]) {
        self.op(Opcode::Long);
        self.write(digits);
        self.write(b"L\n");
    }

    /// A float in binary.
    #[inline]
    pub fn float(&mut self, value: f64) {
        let mut bytes = [Opcode::BinFloat as u8; 9];
        bytes[1..].copy_from_slice(&value.to_be_bytes());
        self.write(&bytes);
    }

    /// A float in text, for protocol 0.
    pub fn float_digits(&mut self, digits: &[u8]) {
        self.line(Opcode::Float, digits);
    }

    /// A string in protocol 0: raw-unicode-escape that leaves no character which a text file could
    /// change.
    pub fn unicode_line(&mut self, code_points: impl Iterator<Item = u32>) {
        self.op(Opcode::Unicode);
        for point in code_points {
            match u8::try_from(point) {
                Ok(byte) if !matches!(byte, b'\\' | 0 | b'\n' | b'\r' | 0x1a) => {
                    self.append(&[byte]);
                }
                _ => {
                    let escape = if point < 0x1_0000 {
                        format!("\\u{point:04x}")
                    } else {
                        format!("\\U{point:08x}")
                    };
                    self.append(escape.as_bytes());
                }
            }
        }
        self.write(b"\n");
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
            self.write(&[opcode as u8, length]);
        } else if let (Some(opcode), Some(length)) = (opcode4, long) {
            let [a, b, c, d] = length.to_le_bytes();
            self.write(&[opcode as u8, a, b, c, d]);
        } else if self.protocol >= 4 {
            let mut header = [opcode8 as u8; 9];
            header[1..].copy_from_slice(&(length as u64).to_le_bytes());
            self.write(&header);
        } else {
            return Err(too_large);
        }
        Ok(())
    }

    /// A string, bytes or a bytearray. From [`FRAME_TARGET`] bytes on it is not in a frame, so that
    /// readers can take it in one piece.
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
    /// # Errors
    /// [`TooLarge`], above 4 GiB and below protocol 4.
    pub fn payload_apart(&mut self, kind: Payload, length: usize) -> Result<(), TooLarge> {
        self.unframed(|out| out.payload_header(kind, length))
    }

    fn unframed(
        &mut self,
        emit: impl FnOnce(&mut Emitter) -> Result<(), TooLarge>,
    ) -> Result<(), TooLarge> {
        self.commit_frame();
        let framing = std::mem::replace(&mut self.framing, false);
        let result = emit(self);
        self.framing = framing;
        result
    }

    /// `()`, which is never memoized.
    pub fn empty_tuple(&mut self) {
        if self.protocol > 0 {
            self.op(Opcode::EmptyTuple);
        } else {
            self.write(&[Opcode::Mark as u8, Opcode::Tuple as u8]);
        }
    }

    /// `[]`
    pub fn empty_list(&mut self) {
        if self.binary {
            self.op(Opcode::EmptyList);
        } else {
            self.write(&[Opcode::Mark as u8, Opcode::List as u8]);
        }
    }

    /// `{}`
    pub fn empty_dict(&mut self) {
        if self.binary {
            self.op(Opcode::EmptyDict);
        } else {
            self.write(&[Opcode::Mark as u8, Opcode::Dict as u8]);
        }
    }

    /// A module and a name in it, below protocol 4; encoded as the protocol demands.
    pub fn global(&mut self, module: &[u8], name: &[u8]) {
        self.line(Opcode::Global, module);
        self.write(name);
        self.write(b"\n");
    }

    /// What is registered for an extension code, which is positive; protocol 2 and later.
    pub fn extension(&mut self, code: i32) {
        let [a, b, c, d] = code.to_le_bytes();
        match (b, c, d) {
            (0, 0, 0) => self.write(&[Opcode::Ext1 as u8, a]),
            (_, 0, 0) => self.write(&[Opcode::Ext2 as u8, a, b]),
            _ => self.write(&[Opcode::Ext4 as u8, a, b, c, d]),
        }
    }

    /// Stores the topmost object in the memo at `index`, which is the number of objects that are in
    /// it already.
    ///
    /// # Errors
    /// [`TooLarge::MemoPut`] where the index has more than 32 bits, below protocol 4.
    #[inline]
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
    /// # Errors
    /// [`TooLarge::MemoGet`] where the index has more than 32 bits.
    #[inline]
    pub fn get(&mut self, index: i64) -> Result<(), TooLarge> {
        self.memo(Opcode::Get, Opcode::BinGet, Opcode::LongBinGet, index).ok_or(TooLarge::MemoGet)
    }

    // Indexes are signed, since a program may fill CPython's memo with any; like CPython, a
    // negative one is written by its low byte.
    fn memo(&mut self, text: Opcode, short: Opcode, long: Opcode, index: i64) -> Option<()> {
        if !self.binary {
            self.line(text, index.to_string().as_bytes());
        } else if index < 256 {
            self.write(&[short as u8, index.to_le_bytes()[0]]);
        } else {
            let [a, b, c, d] = u32::try_from(index).ok()?.to_le_bytes();
            self.write(&[long as u8, a, b, c, d]);
        }
        Some(())
    }
}
