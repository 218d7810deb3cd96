//! Where an [`Emitter`](crate::Emitter)'s bytes go.

use alloc::vec::Vec;

/// A growing buffer of bytes.
///
/// Memory may run out: then bytes are missing, and the sink says so. The emitter's user asks now and
/// then, and does not check each byte.
///
/// ```
/// use halfsour::{Emitter, Sink};
///
/// /// Counts bytes, keeps none.
/// #[derive(Default)]
/// struct Count(usize);
/// impl Sink for Count {
///     fn put<const N: usize>(&mut self, _: [u8; N], used: usize) {
///         self.0 += used;
///     }
///     fn extend(&mut self, bytes: &[u8]) {
///         self.0 += bytes.len();
///     }
///     fn len(&self) -> usize {
///         self.0
///     }
///     fn overwrite<const N: usize>(&mut self, _: usize, _: [u8; N]) {}
///     fn remove(&mut self, _: usize, count: usize) {
///         self.0 -= count;
///     }
///     fn is_out_of_memory(&self) -> bool {
///         false
///     }
/// }
///
/// let mut out = Emitter::with_sink(2, Count::default());
/// out.begin();
/// out.int(258);
/// out.finish();
/// assert_eq!(out.between_frames(|count| count.0), 6);
/// ```
#[allow(clippy::len_without_is_empty, reason = "nobody asks")]
pub trait Sink {
    /// Appends the first `used` bytes of `bytes`, at most `N`. A sink may copy all of them, which
    /// takes no loop, and have the next bytes overwrite the rest.
    ///
    /// ```
    /// use halfsour::{Buffer, Sink};
    /// let mut buffer = Buffer::default();
    /// buffer.put([b'K', 7, 0, 0], 2);
    /// buffer.put([b'.', 0], 1);
    /// assert_eq!(buffer.take(), b"K\x07.");
    /// ```
    fn put<const N: usize>(&mut self, bytes: [u8; N], used: usize);

    /// Appends all of `bytes`.
    ///
    /// ```
    /// use halfsour::{Buffer, Sink};
    /// let mut buffer = Buffer::default();
    /// buffer.extend(b"K\x07");
    /// buffer.extend(b".");
    /// assert_eq!(buffer.take(), b"K\x07.");
    /// ```
    fn extend(&mut self, bytes: &[u8]);

    /// Appends the first `used` bytes of `head`, `bytes`, and the first `ended` bytes of `tail`.
    ///
    /// ```
    /// use halfsour::{Buffer, Sink};
    /// let mut buffer = Buffer::default();
    /// buffer.wrap([b'C', 4, 0, 0, 0, 0, 0, 0], 2, b"spam", [b'.'; 8], 1);
    /// assert_eq!(buffer.take(), b"C\x04spam.");
    /// ```
    #[inline]
    fn wrap(&mut self, head: [u8; 8], used: usize, bytes: &[u8], tail: [u8; 8], ended: usize) {
        self.put(head, used);
        self.extend(bytes);
        self.put(tail, ended);
    }

    /// How many bytes are in the sink.
    ///
    /// ```
    /// use halfsour::{Buffer, Sink};
    /// let mut buffer = Buffer::default();
    /// buffer.put([b'K', 7, 0, 0], 2);
    /// assert_eq!(buffer.len(), 2);
    /// ```
    fn len(&self) -> usize;

    /// How many bytes can be appended without asking for memory; none, if that is not known.
    ///
    /// ```
    /// use halfsour::{Buffer, Sink};
    /// let mut buffer = Buffer::default();
    /// assert_eq!(buffer.room(), 0);
    /// buffer.extend(&[0; 100]);
    /// buffer.remove(0, 100);
    /// assert!(buffer.room() >= 100);
    /// ```
    #[inline]
    fn room(&self) -> usize {
        0
    }

    /// Replaces the bytes from `at` on, which are in the sink.
    ///
    /// ```
    /// use halfsour::{Buffer, Sink};
    /// let mut buffer = Buffer::default();
    /// buffer.extend(b"M\0\0.");
    /// buffer.overwrite(1, 258_u16.to_le_bytes());
    /// assert_eq!(buffer.take(), b"M\x02\x01.");
    /// ```
    fn overwrite<const N: usize>(&mut self, at: usize, bytes: [u8; N]);

    /// Removes `count` bytes from `at` on, which are in the sink.
    ///
    /// ```
    /// use halfsour::{Buffer, Sink};
    /// let mut buffer = Buffer::default();
    /// buffer.extend(b"NNK\x07.");
    /// buffer.remove(0, 2);
    /// assert_eq!(buffer.take(), b"K\x07.");
    /// ```
    fn remove(&mut self, at: usize, count: usize);

    /// Whether memory ran out, so that bytes are missing.
    ///
    /// ```
    /// use halfsour::{Buffer, Sink};
    /// let mut buffer = Buffer::default();
    /// buffer.extend(b"N.");
    /// assert!(!buffer.is_out_of_memory());
    /// assert_eq!(buffer.len(), 2); // none is missing
    /// ```
    fn is_out_of_memory(&self) -> bool;
}

/// A sink in memory.
///
/// ```
/// use halfsour::{Buffer, Sink};
/// let mut buffer = Buffer::default();
/// buffer.put([b'K', 7, 0], 2);
/// buffer.extend(b"N.");
/// buffer.remove(2, 1);
/// buffer.overwrite(1, [8]);
/// assert_eq!(buffer.as_ref(), b"K\x08.");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    out_of_memory: bool,
}

impl Buffer {
    /// Takes the bytes out.
    ///
    /// ```
    /// use halfsour::{Buffer, Sink};
    /// let mut buffer = Buffer::default();
    /// buffer.extend(b"N.");
    /// assert_eq!(buffer.take(), b"N.");
    /// assert_eq!(buffer.len(), 0);
    /// ```
    pub fn take(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.bytes)
    }
}

impl Buffer {
    /// Whether so many bytes more can be taken.
    #[inline(always)]
    fn has_room(&mut self, more: usize) -> bool {
        self.room() >= more || self.grow(more)
    }

    #[cold]
    fn grow(&mut self, more: usize) -> bool {
        self.out_of_memory |= self.bytes.try_reserve(more).is_err();
        !self.out_of_memory
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Sink for Buffer {
    #[inline(always)]
    fn put<const N: usize>(&mut self, bytes: [u8; N], used: usize) {
        if self.has_room(N) {
            // All of them, then off with the rest: that takes no loop.
            let len = self.bytes.len() + used;
            self.bytes.extend_from_slice(&bytes);
            self.bytes.truncate(len);
        }
    }

    #[inline]
    fn extend(&mut self, bytes: &[u8]) {
        if self.has_room(bytes.len()) {
            self.bytes.extend_from_slice(bytes);
        }
    }

    #[inline(always)]
    fn wrap(&mut self, head: [u8; 8], used: usize, bytes: &[u8], tail: [u8; 8], ended: usize) {
        if self.has_room(bytes.len() + 16) {
            self.put(head, used);
            self.bytes.extend_from_slice(bytes);
            self.put(tail, ended);
        }
    }

    #[inline]
    fn len(&self) -> usize {
        self.bytes.len()
    }

    #[inline(always)]
    fn room(&self) -> usize {
        self.bytes.capacity() - self.bytes.len()
    }

    fn overwrite<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        if let Some(place) = at.checked_add(N).and_then(|end| self.bytes.get_mut(at..end)) {
            place.copy_from_slice(&bytes);
        }
    }

    fn remove(&mut self, at: usize, count: usize) {
        drop(self.bytes.drain(at..at + count));
    }

    fn is_out_of_memory(&self) -> bool {
        self.out_of_memory
    }
}
