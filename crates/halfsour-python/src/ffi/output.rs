//! Where a dump's bytes go: memory that is kept from one dump to the next, then a bytes object that
//! grows, so that a large result is never copied as a whole.

use super::builtins::Bytes;
use super::error::{self, PyResult};
use super::object::Own;
use halfsour::Sink;
use pyo3_ffi as c;
use std::mem::{ManuallyDrop, MaybeUninit};

/// How many bytes are kept for the next dump.
const SCRATCH: usize = 256 << 10;

/// What the first bytes object begins with, in bytes: see [`Output::room`].
const FIRST: usize = 4 << 20;

/// Up to this size, in bytes, the first one grows to four times its size.
const LARGE: usize = 16 << 20;

/// How many bytes there must be behind those that are written at once: see [`Sink::wrap`].
const SLACK: usize = 64;

/// A sink that ends as a bytes object.
pub(crate) struct Output {
    /// Where the bytes are: in `scratch`, or in `bytes`.
    start: *mut u8,
    length: usize,
    capacity: usize,
    scratch: Scratch,
    /// A bytes object that nobody else has seen.
    bytes: Option<Own<Bytes>>,
    out_of_memory: bool,
}

/// What is kept from one output to the next.
#[derive(Default)]
pub(crate) struct Scratch {
    memory: Vec<MaybeUninit<u8>>,
    /// How long the longest was. The next ones ask for as much at once: it need not be touched, and they
    /// get memory that was used before, which costs least.
    longest: usize,
}

impl Output {
    /// An empty output that begins in this memory, where it is large enough.
    pub(crate) fn new(mut scratch: Scratch) -> Output {
        if scratch.memory.capacity() < SCRATCH {
            scratch.memory = Vec::with_capacity(SCRATCH);
        }
        let mut output = Output {
            start: std::ptr::null_mut(),
            length: 0,
            capacity: 0,
            scratch,
            bytes: None,
            out_of_memory: false,
        };
        output.begin_in_scratch();
        output
    }

    /// Gives the memory back.
    pub(crate) fn into_scratch(self) -> Scratch {
        self.scratch
    }

    fn begin_in_scratch(&mut self) {
        self.start = self.scratch.memory.as_mut_ptr().cast();
        self.length = 0;
        self.capacity = self.scratch.memory.capacity();
    }

    /// Takes the bytes out; the output is empty then.
    pub(crate) fn take(&mut self) -> PyResult<Own<Bytes>> {
        if self.out_of_memory {
            return Err(error::no_memory());
        }
        let result = match self.bytes.take() {
            Some(bytes) => {
                self.scratch.longest = self.scratch.longest.max(self.length);
                resize(bytes, self.length)
            }
            // SAFETY: the first `length` bytes of the scratch memory were written.
            None => Bytes::new(unsafe { std::slice::from_raw_parts(self.start, self.length) }),
        };
        self.begin_in_scratch();
        result
    }

    /// A bytes object with a part of what was written.
    pub(crate) fn part(&self, range: std::ops::Range<usize>) -> PyResult<Own<Bytes>> {
        // SAFETY: `length` bytes were written from `start` on, and nobody changes them meanwhile.
        let written = unsafe { std::slice::from_raw_parts(self.start, self.length) };
        Bytes::new(written.get(range).unwrap_or_default())
    }

    /// How large the bytes object is to be for so many bytes. Memory that is never touched costs nothing;
    /// but where the object is moved to grow, the memory that it leaves is part of the dump's peak. So
    /// the first is given much. Later ones must not ask for more than there was before: they would get
    /// new memory, page by page.
    fn room(&self, wanted: usize) -> usize {
        let longest = self.scratch.longest + SLACK;
        let capacity = match self.capacity {
            now if wanted <= longest => longest.min(16 * now),
            now if self.scratch.longest == 0 && now < LARGE => (4 * now).max(FIRST),
            now if now < FIRST => 2 * now,
            now => now + now / 2,
        };
        capacity.max(wanted)
    }

    /// Makes room for `more` bytes. False if there is no memory.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, more: usize) -> bool {
        let capacity = self.room(self.length.saturating_add(more));
        let grown = if self.out_of_memory {
            None
        } else {
            match self.bytes.take() {
                Some(bytes) => resize(bytes, capacity),
                None => uninitialised(capacity).inspect(|bytes| {
                    // SAFETY: `length` bytes of the scratch memory were written, and fit into the
                    // new object, which is another.
                    unsafe {
                        let target = c::PyBytes_AsString(bytes.as_ptr()).cast::<u8>();
                        std::ptr::copy_nonoverlapping(self.start, target, self.length);
                    }
                }),
            }
            .ok()
        };
        match grown {
            Some(bytes) => {
                // SAFETY: a live bytes object.
                self.start = unsafe { c::PyBytes_AsString(bytes.as_ptr()).cast() };
                self.capacity = capacity;
                self.bytes = Some(bytes);
                true
            }
            None => {
                error::clear();
                self.begin_in_scratch();
                // Nothing is written from here on.
                self.capacity = 0;
                self.out_of_memory = true;
                false
            }
        }
    }

    #[inline(always)]
    fn has_room(&mut self, count: usize) -> bool {
        count <= self.capacity - self.length || self.grow(count)
    }
}

impl Sink for Output {
    #[inline(always)]
    fn put<const N: usize>(&mut self, bytes: [u8; N], used: usize) {
        if self.has_room(N) {
            // SAFETY: there is room for N bytes behind `length`.
            unsafe { self.start.add(self.length).cast::<[u8; N]>().write_unaligned(bytes) };
            self.length += used.min(N);
        }
    }

    #[inline(always)]
    fn extend(&mut self, bytes: &[u8]) {
        if self.has_room(bytes.len()) {
            // SAFETY: there is room behind `length`, and nobody else has the memory.
            unsafe { copy(bytes, self.start.add(self.length)) };
            self.length += bytes.len();
        }
    }

    #[inline(always)]
    fn wrap(&mut self, head: [u8; 8], used: usize, bytes: &[u8], tail: [u8; 8], ended: usize) {
        if self.has_room(bytes.len() + 16) {
            // SAFETY: there is room for the three, each in its whole length, behind `length`.
            unsafe {
                let target = self.start.add(self.length);
                target.cast::<[u8; 8]>().write_unaligned(head);
                let target = target.add(used.min(8));
                copy(bytes, target);
                target.add(bytes.len()).cast::<[u8; 8]>().write_unaligned(tail);
            }
            self.length += used.min(8) + bytes.len() + ended.min(8);
        }
    }

    #[inline(always)]
    fn len(&self) -> usize {
        self.length
    }

    fn overwrite<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        if at.checked_add(N).is_some_and(|end| end <= self.length) {
            // SAFETY: all N bytes are among those that were written.
            unsafe { self.start.add(at).cast::<[u8; N]>().write_unaligned(bytes) };
        }
    }

    fn remove(&mut self, at: usize, count: usize) {
        let Some(rest) = at.checked_add(count).and_then(|end| self.length.checked_sub(end)) else {
            return;
        };
        // SAFETY: both places, and `rest` bytes behind them, are among those that were written.
        unsafe { std::ptr::copy(self.start.add(at + count), self.start.add(at), rest) };
        self.length -= count;
    }

    #[inline(always)]
    fn is_out_of_memory(&self) -> bool {
        self.out_of_memory
    }
}

/// Copies bytes; a few of them by two reads that may overlap, for a call would take longer.
///
/// # Safety
/// There is room for them at `target`, in memory that nobody else has.
#[inline(always)]
unsafe fn copy(bytes: &[u8], target: *mut u8) {
    let (source, length) = (bytes.as_ptr(), bytes.len());
    // SAFETY: each read is inside `bytes`, and each write inside as many bytes at `target`.
    unsafe {
        macro_rules! twice {
            ($word:ty) => {{
                let last = length - size_of::<$word>();
                let (a, b) = (
                    source.cast::<$word>().read_unaligned(),
                    source.add(last).cast::<$word>().read_unaligned(),
                );
                target.cast::<$word>().write_unaligned(a);
                target.add(last).cast::<$word>().write_unaligned(b);
            }};
        }
        match length {
            8..=16 => twice!(u64),
            4..=7 => twice!(u32),
            2..=3 => twice!(u16),
            1 => target.write(source.read()),
            0 => {}
            17..=32 => twice!(u128),
            _ => std::ptr::copy_nonoverlapping(source, target, length),
        }
    }
}

/// A new bytes object whose content nobody may look at yet.
fn uninitialised(size: usize) -> PyResult<Own<Bytes>> {
    let size = isize::try_from(size).map_err(|_| error::no_memory())?;
    // SAFETY: the result is bytes, owned, or NULL with an exception.
    unsafe { Own::from_owned(c::PyBytes_FromStringAndSize(std::ptr::null(), size)) }
}

/// Changes the size of a bytes object that nobody else has seen; what is new is not initialised.
fn resize(bytes: Own<Bytes>, size: usize) -> PyResult<Own<Bytes>> {
    let size = isize::try_from(size).map_err(|_| error::no_memory())?;
    let mut ptr = ManuallyDrop::new(bytes).as_ptr();
    // SAFETY: the only reference, which the function takes; it leaves an owned reference in its
    // place, or NULL with an exception.
    unsafe {
        super::symbols::_PyBytes_Resize(&mut ptr, size);
        Own::from_owned(ptr)
    }
}
