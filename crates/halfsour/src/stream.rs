//! A pickle that comes from a stream, and is read no further than its STOP.
//!
//! What the stream has at hand is looked at in a copy, and consumed only as far as it was used. A
//! frame is fetched whole, as CPython does: it belongs to the pickle.

use std::io::{self, BufRead};

use crate::error::{Error, ErrorKind};
use crate::reader::Source;

/// How many bytes are fetched at once into memory that was not there before: a size may be a lie.
const STEP: usize = 1 << 20;

/// A pickle in a stream.
///
/// After STOP the stream is just behind it, or behind its frame, so that what follows can be read:
///
/// ```
/// use halfsour::{Op, Reader, StreamSource};
/// let mut file: &[u8] = b"K\x07.rest";
/// let mut reader = Reader::new(StreamSource::new(&mut file));
/// assert_eq!(reader.next()?, Op::Int(7));
/// assert_eq!(reader.next()?, Op::Stop);
/// reader.into_source().into_inner();
/// assert_eq!(file, b"rest");
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Debug)]
pub struct StreamSource<R: BufRead> {
    input: R,
    /// A frame, or a copy of what the stream has at hand.
    window: Vec<u8>,
    /// How much of the window is used.
    used: usize,
    /// Whether the window is a copy of what the stream still has.
    peeked: bool,
    /// What a read needed that is not in one piece.
    scratch: Vec<u8>,
    /// How many bytes came before the window.
    before: u64,
}

impl<R: BufRead> StreamSource<R> {
    /// A source that reads from a stream; `&mut` of one will do.
    ///
    /// ```
    /// use std::io::BufReader;
    ///
    /// use halfsour::{Op, Reader, StreamSource};
    /// // So small a buffer that the text is not in it as a whole.
    /// let file = BufReader::with_capacity(4, &b"\x8c\x09spam eggs."[..]);
    /// let mut reader = Reader::new(StreamSource::new(file));
    /// assert_eq!(reader.next()?, Op::Unicode(b"spam eggs"));
    /// assert_eq!(reader.next()?, Op::Stop);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn new(input: R) -> StreamSource<R> {
        StreamSource {
            input,
            window: Vec::new(),
            used: 0,
            peeked: false,
            scratch: Vec::new(),
            before: 0,
        }
    }

    /// Gives the stream back: just behind what was used, or behind the frame that this was in.
    ///
    /// ```
    /// use halfsour::{Op, Reader, StreamSource};
    /// // A frame of three bytes, of which one was used.
    /// let mut reader = Reader::new(StreamSource::new(&b"\x95\x03\0\0\0\0\0\0\0NN.rest"[..]));
    /// assert_eq!(reader.next()?, Op::Frame(3));
    /// assert_eq!(reader.next()?, Op::None);
    /// assert_eq!(reader.into_source().into_inner(), b"rest");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn into_inner(mut self) -> R {
        self.settle();
        self.input
    }

    /// Consumes what was used, and forgets the rest.
    fn settle(&mut self) {
        if self.peeked {
            self.input.consume(self.used);
        }
        self.peeked = false;
        self.before += self.used as u64;
        self.window.clear();
        self.used = 0;
    }

    /// Sees to it that there is something in the window, unless the input has ended.
    fn peek(&mut self) -> Result<(), Error> {
        if self.used < self.window.len() {
            return Ok(());
        }
        self.settle();
        let at_hand = loop {
            match self.input.fill_buf() {
                Ok(at_hand) => break at_hand,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::from_io(error)),
            }
        };
        let at_hand = &at_hand[..at_hand.len().min(STEP)];
        self.window.try_reserve(at_hand.len()).map_err(|_| ErrorKind::OutOfMemory)?;
        self.window.extend_from_slice(at_hand);
        self.peeked = true;
        Ok(())
    }

    /// Calls `take` with pieces of the next `n` bytes.
    fn pieces(
        &mut self,
        mut n: usize,
        mut take: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let start = self.offset();
        if n as u64 > (isize::MAX as u64).saturating_sub(start) {
            return Err(Error::new(ErrorKind::ReadOverflow).at(start));
        }
        while n > 0 {
            self.peek()?;
            let piece = &self.window[self.used..];
            let piece = &piece[..piece.len().min(n)];
            if piece.is_empty() {
                return Err(Error::new(ErrorKind::Truncated).at(start));
            }
            take(piece)?;
            n -= piece.len();
            self.used += piece.len();
        }
        Ok(())
    }
}

/// Appends, unless there is no memory.
fn append(to: &mut Vec<u8>, piece: &[u8]) -> Result<(), Error> {
    to.try_reserve(piece.len()).map_err(|_| ErrorKind::OutOfMemory)?;
    to.extend_from_slice(piece);
    Ok(())
}

impl<R: BufRead> Source for StreamSource<R> {
    type Error = Error;

    #[inline]
    fn opcode(&mut self) -> Result<Option<u8>, Error> {
        self.peek()?;
        let byte = self.window.get(self.used).copied();
        self.used += usize::from(byte.is_some());
        Ok(byte)
    }

    #[inline]
    fn read(&mut self, n: usize) -> Result<&[u8], Error> {
        if n <= self.window.len() - self.used {
            self.used += n;
            return Ok(&self.window[self.used - n..self.used]);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let result = self.pieces(n, |piece| append(&mut scratch, piece));
        self.scratch = scratch;
        result.map(|()| self.scratch.as_slice())
    }

    fn line(&mut self, limit: usize) -> Result<Option<&[u8]>, Error> {
        let start = self.offset();
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        loop {
            self.peek()?;
            let left = limit - scratch.len();
            let piece = &self.window[self.used..];
            let within = piece.get(..left).unwrap_or(piece);
            let end = within.iter().position(|&byte| byte == b'\n');
            if end.is_none() && piece.len() >= left {
                // Only a frame limits a line, and a frame is in the window as a whole.
                self.scratch = scratch;
                return Ok(None);
            }
            let taken = end.map_or(within, |end| &within[..=end]);
            if taken.is_empty() {
                return Err(Error::new(ErrorKind::Truncated).at(start));
            }
            append(&mut scratch, taken)?;
            self.used += taken.len();
            if end.is_some() {
                self.scratch = scratch;
                return Ok(Some(&self.scratch));
            }
        }
    }

    fn fill(&mut self, buf: &mut [u8]) -> Result<(), Error> {
        self.peek()?;
        if self.used == self.window.len() {
            // Even no bytes at all are too many then, as for a slice.
            return Err(Error::new(ErrorKind::Truncated).at(self.offset()));
        }
        let mut filled = 0;
        self.pieces(buf.len(), |piece| {
            buf[filled..filled + piece.len()].copy_from_slice(piece);
            filled += piece.len();
            Ok(())
        })
    }

    fn frame(&mut self, n: usize) -> Result<(), Error> {
        if n <= self.window.len() - self.used {
            if self.peeked {
                self.window.truncate(self.used + n);
                self.input.consume(self.window.len());
                self.peeked = false;
            }
            return Ok(());
        }
        let mut frame = Vec::new();
        let start = self.offset();
        self.pieces(n, |piece| append(&mut frame, piece))?;
        self.settle();
        self.window = frame;
        self.before = start;
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.settle();
        Ok(())
    }

    #[inline]
    fn offset(&self) -> u64 {
        self.before + self.used as u64
    }

    #[inline]
    fn ahead(&self) -> &[u8] {
        &self.window[self.used..]
    }

    #[inline]
    fn consume(&mut self, n: usize) {
        self.used = self.window.len().min(self.used + n);
    }
}
