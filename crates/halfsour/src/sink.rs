//! Where an [`Emitter`](crate::Emitter)'s bytes go.

/// A growing buffer of bytes.
///
/// Memory may run out: then a sink takes no more bytes, keeps what it has, and says so. The emitter's
/// user asks now and then, and does not check each byte.
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
    fn put<const N: usize>(&mut self, bytes: [u8; N], used: usize);

    /// Appends all of `bytes`.
    fn extend(&mut self, bytes: &[u8]);

    /// Appends the first `used` bytes of `head`, `bytes`, and the first `ended` bytes of `tail`.
    #[inline]
    fn wrap(&mut self, head: [u8; 8], used: usize, bytes: &[u8], tail: [u8; 8], ended: usize) {
        self.put(head, used);
        self.extend(bytes);
        self.put(tail, ended);
    }

    /// How many bytes are in the sink.
    fn len(&self) -> usize;

    /// Replaces the bytes from `at` on, which are in the sink.
    fn overwrite<const N: usize>(&mut self, at: usize, bytes: [u8; N]);

    /// Removes `count` bytes from `at` on, which are in the sink.
    fn remove(&mut self, at: usize, count: usize);

    /// Whether memory ran out, so that bytes are missing.
    fn is_out_of_memory(&self) -> bool;
}

/// A sink in memory.
#[derive(Clone, Debug, Default)]
pub struct Buffer {
    /// What was put, and behind it bytes of no meaning: so a few bytes can be put without asking the
    /// allocator, or looping.
    bytes: Vec<u8>,
    len: usize,
    out_of_memory: bool,
}

/// How many bytes of no meaning there are at most: clearing them takes time.
const ROOM: usize = 16 << 10;

impl Buffer {
    /// Takes the bytes out.
    pub fn take(&mut self) -> Vec<u8> {
        self.bytes.truncate(self.len);
        self.len = 0;
        std::mem::take(&mut self.bytes)
    }

    /// Sees to it that there is a place for `more` bytes, unless memory runs out.
    #[cold]
    fn grow(&mut self, more: usize) {
        let short = self.len.saturating_add(more).saturating_sub(self.bytes.len());
        if self.out_of_memory || self.bytes.try_reserve(short).is_err() {
            self.out_of_memory = true;
            return;
        }
        let room = self.bytes.len().saturating_add(short).saturating_add(ROOM);
        self.bytes.resize(room.min(self.bytes.capacity()), 0);
    }
}

impl Sink for Buffer {
    #[inline(always)]
    fn put<const N: usize>(&mut self, bytes: [u8; N], used: usize) {
        if self.bytes.len() - self.len < N {
            self.grow(N);
        }
        if let Some(place) = self.bytes.get_mut(self.len..).and_then(<[u8]>::first_chunk_mut) {
            *place = bytes;
            self.len += used.min(N);
        }
    }

    #[inline]
    fn extend(&mut self, bytes: &[u8]) {
        let room = self.bytes.len() - self.len;
        if room >= bytes.len() {
            let end = self.len + bytes.len();
            self.bytes[self.len..end].copy_from_slice(bytes);
            self.len = end;
        } else if !self.out_of_memory && self.bytes.try_reserve(bytes.len() - room).is_ok() {
            self.bytes.truncate(self.len);
            self.bytes.extend_from_slice(bytes);
            self.len = self.bytes.len();
        } else {
            self.out_of_memory = true;
        }
    }

    #[inline]
    fn len(&self) -> usize {
        self.len
    }

    fn overwrite<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        if let Some(place) = at.checked_add(N).and_then(|end| self.bytes.get_mut(at..end)) {
            place.copy_from_slice(&bytes);
        }
    }

    fn remove(&mut self, at: usize, count: usize) {
        self.bytes.copy_within(at + count..self.len, at);
        self.len -= count;
    }

    fn is_out_of_memory(&self) -> bool {
        self.out_of_memory
    }
}
