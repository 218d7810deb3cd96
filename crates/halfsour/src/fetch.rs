//! One pickle of a stream, as bytes: what is read from these may borrow from them, and its errors have
//! a place.

use std::io::{self, BufRead, Read};

use crate::error::{Error, ErrorKind};
use crate::limits::Limits;
use crate::reader::{Op, Reader, Source};
use crate::stream::StreamSource;

/// How many bytes are taken at once.
const STEP: usize = 1 << 16;

/// Takes the bytes of the next pickle, and none behind its STOP or its last frame. What is wrong with
/// them, reading them will tell.
///
/// # Errors
/// What the stream says; without memory for the bytes.
pub(crate) fn fetch(input: impl BufRead, limits: Limits) -> Result<Vec<u8>, Error> {
    let kept = Kept { input, most: limits.bytes, bytes: Vec::new() };
    let mut reader = Reader::new(StreamSource::new(kept));
    let end = pass(&mut reader, limits.bytes);
    let bytes = reader.into_source().into_inner().bytes;
    match end {
        Err(error) if matches!(error.kind(), ErrorKind::Io { .. } | ErrorKind::OutOfMemory) => {
            Err(error)
        }
        // It was cut there.
        Err(_) if bytes.len() as u64 > limits.bytes => {
            Err(ErrorKind::Limit { what: "bytes", limit: limits.bytes }.into())
        }
        _ => Ok(bytes),
    }
}

/// Passes over a pickle, or over more bytes than it may have.
fn pass<S: Source<Error = Error>>(reader: &mut Reader<S>, most: u64) -> Result<(), Error> {
    while reader.source().offset() <= most {
        match reader.next()? {
            Op::Stop => return reader.source().finish(),
            Op::Global | Op::Inst => {
                reader.line(0)?;
                reader.line(0)?;
            }
            Op::Persid => {
                reader.line(0)?;
            }
            Op::Bytes(mut left) | Op::ByteArray(mut left) => {
                while left > 0 && reader.source().offset() <= most {
                    let piece = left.min(STEP);
                    reader.source().read(piece)?;
                    left -= piece;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// A stream that keeps what was consumed of it, and ends when that is more than it may be.
struct Kept<R> {
    input: R,
    most: u64,
    bytes: Vec<u8>,
}

impl<R: BufRead> Read for Kept<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(buf)?;
        self.consume(n);
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Kept<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let left = self.most.saturating_add(1).saturating_sub(self.bytes.len() as u64);
        if left == 0 {
            return Ok(&[]);
        }
        let at_hand = self.input.fill_buf()?;
        let at_hand = &at_hand[..at_hand.len().min(STEP).min(left.try_into().unwrap_or(STEP))];
        // For `consume`, which may not fail.
        let room = self.bytes.try_reserve(at_hand.len());
        room.map_err(|_| io::ErrorKind::OutOfMemory)?;
        Ok(at_hand)
    }

    fn consume(&mut self, n: usize) {
        let at_hand = self.input.fill_buf().unwrap_or_default();
        self.bytes.extend_from_slice(at_hand.get(..n).unwrap_or(at_hand));
        self.input.consume(n);
    }
}
