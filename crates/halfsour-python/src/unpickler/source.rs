//! Where a load's bytes come from: memory, or a file object.
//!
//! CPython does this in the `_Unpickler_Read*` functions. Which methods of a file are called, with
//! which sizes and when, is what users' files see, and the same here. One thing is older CPythons'
//! only: they read any declared length in one call, and allocate it first; here, as in 3.15, more
//! than a mebibyte is asked for bit by bit, so that memory is spent on bytes that are there.

use crate::ffi::buffer::{self, Contiguous};
use crate::ffi::builtins::as_ssize;
use crate::ffi::class::Visitor;
use crate::ffi::error::{self, Exc, Part, Raised, raise, raise_parts};
use crate::ffi::layout::{MemoryFile, Taken};
use crate::ffi::{ByteArray, Bytes, Int, Obj, Object, Own, PyResult};
use crate::state::State;
use halfsour::{Error, ErrorKind, Exception, Opcode, SliceSource, Source};
use std::ffi::c_int;
use std::ops::ControlFlow;

/// How far a file is asked to let us look ahead.
const PREFETCH: usize = 128 * 1024;

/// The most that is read, and allocated, on the word of the pickle alone.
const CHUNK: usize = 1 << 20;

/// Why a load ends early.
pub(super) enum Fault {
    /// The interpreter's error indicator is set.
    Raised,
    /// The pickle is at fault; the exception is still to be raised.
    Format(Error),
}

impl From<Raised> for Fault {
    fn from(_: Raised) -> Fault {
        Fault::Raised
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Format(error)
    }
}

impl From<ErrorKind> for Fault {
    fn from(kind: ErrorKind) -> Fault {
        Fault::Format(Error::new(kind))
    }
}

impl Fault {
    /// Sets the error indicator.
    #[cold]
    pub(super) fn raise(self, state: &State) -> Raised {
        let error = match self {
            Fault::Raised => return Raised,
            Fault::Format(error) => error,
        };
        if state.version.stack_global_hides_underflow && error.opcode() == Some(Opcode::StackGlobal)
        {
            return raise(&state.unpickling_error, &ErrorKind::StackGlobalNotStr.to_string());
        }
        let class: &Object = match error.kind().exception() {
            Exception::Eof => &Exc::EofError,
            // UnicodeDecodeError cannot be made from a text; our heap leaves decoding to Python.
            Exception::Value | Exception::UnicodeDecode => &Exc::ValueError,
            Exception::Overflow => &Exc::OverflowError,
            Exception::Attribute => &Exc::AttributeError,
            Exception::Memory => return error::no_memory(),
            _ => &state.unpickling_error,
        };
        raise(class, &error.to_string())
    }
}

/// A source that gives large payloads as Python objects.
pub(super) trait Payload: Source<Error = Fault> {
    /// Whether reading may run Python.
    fn runs_python(&self) -> bool;

    /// The next `n` bytes; `n` may be a lie.
    fn bytes(&mut self, n: usize) -> Result<Own<Bytes>, Fault>;

    /// The next `n` bytes; `n` may be a lie.
    fn bytearray(&mut self, n: usize) -> Result<Own<ByteArray>, Fault> {
        let bytes = self.bytes(n)?;
        Ok(ByteArray::new(bytes.as_slice())?)
    }
}

/// The content of a bytes object, which never changes.
pub(super) struct Memory<'a>(SliceSource<'a>);

impl<'a> Memory<'a> {
    pub(super) fn new(data: &'a [u8]) -> Memory<'a> {
        Memory(SliceSource::new(data))
    }

    /// A payload. Where the input has ended even an empty one is truncated, as CPython has it.
    fn payload(&mut self, n: usize) -> Result<&'a [u8], Fault> {
        let left = self.0.rest().len();
        if left == 0 || n > left {
            return Err(ErrorKind::Truncated.into());
        }
        Ok(self.0.take(n)?)
    }
}

impl Source for Memory<'_> {
    type Error = Fault;

    #[inline(always)]
    fn opcode(&mut self) -> Result<Option<u8>, Fault> {
        Ok(self.0.opcode()?)
    }

    #[inline(always)]
    fn read(&mut self, n: usize) -> Result<&[u8], Fault> {
        Ok(self.0.read(n)?)
    }

    #[inline]
    fn line(&mut self, limit: usize) -> Result<Option<&[u8]>, Fault> {
        Ok(self.0.line(limit)?)
    }

    #[inline]
    fn fill(&mut self, buf: &mut [u8]) -> Result<(), Fault> {
        Ok(self.0.fill(buf)?)
    }

    #[inline]
    fn frame(&mut self, n: usize) -> Result<(), Fault> {
        Ok(self.0.frame(n)?)
    }

    #[inline(always)]
    fn offset(&self) -> u64 {
        self.0.offset()
    }

    #[inline(always)]
    fn ahead(&self) -> &[u8] {
        self.0.ahead()
    }

    #[inline(always)]
    fn consume(&mut self, n: usize) {
        self.0.consume(n);
    }
}

impl Payload for Memory<'_> {
    #[inline(always)]
    fn runs_python(&self) -> bool {
        false
    }

    fn bytes(&mut self, n: usize) -> Result<Own<Bytes>, Fault> {
        Ok(Bytes::unshared(self.payload(n)?)?)
    }

    fn bytearray(&mut self, n: usize) -> Result<Own<ByteArray>, Fault> {
        Ok(ByteArray::new(self.payload(n)?)?)
    }
}

/// Bytes of a buffer that may change under us, or of a file.
///
/// What was read last is kept as a buffer. It may reach further than the file's own position, if
/// the file let us peek; what is used of that is read again, and thrown away, before anything else
/// is asked of the file and when the pickle ends.
pub(super) struct Input {
    file: Option<File>,
    /// A file in place of `file`: calling its methods would take most of the time of small loads.
    memory: Option<MemoryFile>,
    buffer: Option<Contiguous>,
    /// What was read goes from one place in the buffer to another; up to the position it is used.
    start: usize,
    position: usize,
    end: usize,
    /// Up to where the file itself has been read, as a position in the buffer.
    file_position: usize,
    /// How many bytes were used before the buffer's.
    before: u64,
    unpickling_error: Obj,
}

/// The methods of a file that are used, looked up once.
struct File {
    read: Method,
    readline: Method,
    readinto: Option<Method>,
    peek: Option<Method>,
    loan_type: Obj,
    reads_on_into: bool,
}

/// A method of a file. Where it is in the class it need not be bound, as calls of methods in Python
/// are not: small loads are many.
struct Method {
    function: Obj,
    /// None where the function is bound, or needs no file.
    this: Option<Obj>,
}

impl Method {
    fn find(file: &Object, name: &Object, in_class: bool) -> PyResult<Option<Method>> {
        if in_class {
            match file.type_of().lookup(name) {
                None => return Ok(None),
                Some(function) if function.type_of().is_of_methods() => {
                    return Ok(Some(Method { function: function.own(), this: Some(file.own()) }));
                }
                Some(_) => {}
            }
        }
        Ok(file.opt_attr(name)?.map(|function| Method { function, this: None }))
    }

    fn call0(&self) -> PyResult<Obj> {
        self.this.as_ref().map_or_else(|| self.function.call0(), |this| self.function.call1(this))
    }

    fn call1(&self, arg: &Object) -> PyResult<Obj> {
        match &self.this {
            Some(this) => self.function.call2(this, arg),
            None => self.function.call1(arg),
        }
    }
}

impl Input {
    #[inline(always)]
    fn new(state: &State, file: Option<File>, memory: Option<MemoryFile>) -> Input {
        Input {
            file,
            memory,
            buffer: None,
            start: 0,
            position: 0,
            end: 0,
            file_position: 0,
            before: 0,
            unpickling_error: state.unpickling_error.clone(),
        }
    }

    /// The memory of a bytes-like object.
    pub(super) fn of_buffer(state: &State, data: &Object) -> PyResult<Input> {
        let mut input = Input::new(state, None, None);
        input.set_buffer(data.own())?;
        Ok(input)
    }

    /// A file object.
    #[inline(always)]
    pub(super) fn of_file(state: &State, file: &Object) -> PyResult<Input> {
        let memory = state.memory_file.as_ref().and_then(|class| MemoryFile::of(file, class));
        if memory.is_some() {
            return Ok(Input::new(state, None, memory));
        }
        let names = &state.names;
        let in_class = state.layouts_known && file.looks_in_class();
        let method = |name| Method::find(file, name, in_class);
        let peek = method(&names.peek)?;
        let readinto = method(&names.readinto)?;
        let read = method(&names.read)?;
        let readline = method(&names.readline)?;
        let (Some(read), Some(readline)) = (read, readline) else {
            let text = "file must have 'read' and 'readline' attributes";
            return Err(raise(&Exc::TypeError, text));
        };
        let loan_type = state.types.loan.clone();
        let reads_on_into = state.version.reads_on_into;
        Ok(Input::new(
            state,
            Some(File { read, readline, readinto, peek, loan_type, reads_on_into }),
            None,
        ))
    }

    /// Shows the references to the cycle collector.
    pub(super) fn visit(&self, visitor: &mut Visitor<'_>) -> ControlFlow<c_int> {
        if let Some(file) = &self.file {
            let File { read, readline, readinto, peek, .. } = file;
            let methods = [Some(read), Some(readline), readinto.as_ref(), peek.as_ref()];
            for method in methods.into_iter().flatten() {
                visitor.visit(&method.function)?;
                visitor.visit_opt(method.this.as_ref())?;
            }
        }
        if let Some(file) = &self.memory {
            visitor.visit(file.as_object())?;
        }
        visitor.visit(&self.unpickling_error)
    }

    /// What is left of the buffer.
    #[inline(always)]
    fn rest(&self) -> &[u8] {
        let all = self.buffer.as_ref().map_or(&[][..], Contiguous::as_slice);
        all.get(self.position..self.end).unwrap_or_default()
    }

    /// Makes the content of an object, the latest that was read, the buffer.
    fn set_buffer(&mut self, data: Obj) -> PyResult<usize> {
        self.let_buffer_go();
        let buffer = self.buffer.insert(Contiguous::of(data)?);
        self.end = buffer.as_slice().len();
        self.file_position = self.end;
        Ok(self.end)
    }

    /// The same, for what a file in memory gave.
    #[inline(always)]
    fn set_taken(&mut self, taken: Taken) -> usize {
        self.let_buffer_go();
        let Taken { bytes, start, end } = taken;
        self.buffer = Some(Contiguous::Bytes(bytes));
        (self.start, self.position, self.end, self.file_position) = (start, start, end, end);
        end - start
    }

    #[inline(always)]
    fn let_buffer_go(&mut self) {
        self.before = self.offset();
        (self.start, self.position, self.end, self.file_position) = (0, 0, 0, 0);
        self.buffer = None;
    }

    /// The file, its own position brought to ours.
    fn file(&mut self) -> Result<&mut File, Fault> {
        let Some(file) = &mut self.file else { return Err(ErrorKind::Truncated.into()) };
        let peeked = self.position.saturating_sub(self.file_position);
        if peeked > 0 {
            drop(file.read.call1(&*size(peeked)?)?);
            self.file_position = self.position;
        }
        Ok(file)
    }

    /// Makes a new buffer that starts with the next `n` bytes. What the old one still held is
    /// skipped if the file has given it already, which lenient rules of frames allow.
    #[cold]
    fn fetch(&mut self, n: usize) -> Result<(), Fault> {
        if n > isize::MAX.unsigned_abs().saturating_sub(self.position - self.start) {
            return Err(ErrorKind::ReadOverflow.into());
        }
        if let Some(file) = &self.memory {
            let taken = file.read(n)?;
            let count = self.set_taken(taken);
            return if count < n { Err(ErrorKind::Truncated.into()) } else { Ok(()) };
        }
        let mut file = self.file()?;
        if n < PREFETCH
            && let Some(data) = file.peek(PREFETCH)?
        {
            let peeked = self.set_buffer(data)?;
            self.file_position = 0;
            if n <= peeked {
                return Ok(());
            }
            file = self.file()?;
        }
        let mut data = file.read.call1(&*size(n.min(CHUNK))?)?;
        if n > CHUNK {
            data = file.read_on(data, n)?.into_obj();
        }
        let count = self.set_buffer(data)?;
        if count < n { Err(ErrorKind::Truncated.into()) } else { Ok(()) }
    }
}

impl Source for Input {
    type Error = Fault;

    #[inline(always)]
    fn opcode(&mut self) -> Result<Option<u8>, Fault> {
        if self.rest().is_empty() {
            match self.fetch(1) {
                Ok(()) => {}
                Err(Fault::Format(_)) => return Ok(None),
                // CPython takes an UnpicklingError of the file's for its own.
                Err(Fault::Raised) if error::matches(&self.unpickling_error) => {
                    error::clear();
                    return Ok(None);
                }
                Err(fault) => return Err(fault),
            }
        }
        let byte = self.rest().first().copied();
        self.position += 1;
        Ok(byte)
    }

    #[inline(always)]
    fn read(&mut self, n: usize) -> Result<&[u8], Fault> {
        if n > self.rest().len() {
            self.fetch(n)?;
        }
        let start = self.position;
        self.position += n;
        let all = self.buffer.as_ref().map_or(&[][..], Contiguous::as_slice);
        Ok(all.get(start..self.position).unwrap_or_default())
    }

    fn line(&mut self, limit: usize) -> Result<Option<&[u8]>, Fault> {
        let rest = self.rest();
        let within = rest.get(..limit).unwrap_or(rest);
        let count = match within.iter().position(|&byte| byte == b'\n') {
            Some(end) => end + 1,
            None if within.len() == limit => return Ok(None),
            None => {
                let count = match &self.memory {
                    Some(file) => {
                        let taken = file.read_line()?;
                        self.set_taken(taken)
                    }
                    None => {
                        let data = self.file()?.readline.call0()?;
                        self.set_buffer(data)?
                    }
                };
                if self.rest().last() != Some(&b'\n') {
                    return Err(ErrorKind::Truncated.into());
                }
                count
            }
        };
        self.read(count).map(Some)
    }

    fn fill(&mut self, buf: &mut [u8]) -> Result<(), Fault> {
        let bytes = self.bytes(buf.len())?;
        buf.copy_from_slice(bytes.as_slice());
        Ok(())
    }

    fn frame(&mut self, n: usize) -> Result<(), Fault> {
        if n > self.rest().len() { self.fetch(n) } else { Ok(()) }
    }

    fn finish(&mut self) -> Result<(), Fault> {
        if self.file.is_some() {
            self.file()?;
        }
        // Until the next load nobody needs it, and who writes to a file in memory would copy it.
        if self.rest().is_empty() {
            self.let_buffer_go();
        }
        Ok(())
    }

    #[inline(always)]
    fn offset(&self) -> u64 {
        self.before + (self.position - self.start) as u64
    }

    #[inline(always)]
    fn ahead(&self) -> &[u8] {
        self.rest()
    }

    #[inline(always)]
    fn consume(&mut self, n: usize) {
        self.position += n;
    }
}

impl Payload for Input {
    #[inline(always)]
    fn runs_python(&self) -> bool {
        self.file.is_some()
    }

    /// Large payloads are read into place; nothing is read ahead for them.
    fn bytes(&mut self, n: usize) -> Result<Own<Bytes>, Fault> {
        let rest = self.rest();
        if !rest.is_empty() && n <= rest.len() {
            return Ok(Bytes::unshared(self.read(n)?)?);
        }
        if let Some(file) = &self.memory {
            let more = file.read(n - rest.len())?;
            let more = more.as_slice();
            let is_all = rest.len() + more.len() == n;
            let bytes = match rest {
                _ if !is_all => None,
                [] => Some(Bytes::unshared(more)?),
                _ => Some(Bytes::unshared(&[rest, more].concat())?),
            };
            self.before += more.len() as u64;
            self.position = self.end;
            return bytes.ok_or(ErrorKind::Truncated.into());
        }
        if self.file.is_none() {
            return Err(ErrorKind::Truncated.into());
        }
        let mut end = n.min(CHUNK);
        let mut bytes = Bytes::zeroed(end)?;
        let mut start = 0;
        loop {
            let here = self.rest().len().min(end - start);
            buffer::write(&bytes, start, &self.rest()[..here]);
            self.position += here;
            start += here;
            // An empty payload asks the file too, for nothing.
            if start < end || here == 0 {
                bytes = self.file()?.read_into(bytes, start, end)?;
                self.before += (end - start) as u64;
            }
            if end >= n {
                return Ok(bytes);
            }
            start = end;
            end += end.min(n - end);
            bytes = buffer::grow(bytes, end)?;
        }
    }
}

impl File {
    /// What the file shows of what is to come; None if it cannot, and is then not asked again.
    fn peek(&mut self, n: usize) -> PyResult<Option<Obj>> {
        let Some(peek) = &self.peek else { return Ok(None) };
        match peek.call1(&*size(n)?) {
            Ok(data) => Ok(Some(data)),
            Err(Raised) if error::matches(&Exc::NotImplementedError) => {
                error::clear();
                self.peek = None;
                Ok(None)
            }
            Err(raised) => Err(raised),
        }
    }

    /// Reads on, ever larger chunks, until there are `n` bytes; `data` is the first chunk.
    fn read_on(&self, data: Obj, n: usize) -> Result<Own<Bytes>, Fault> {
        let first = Contiguous::of(data)?;
        let first = first.as_slice();
        let mut bytes = Bytes::new(first.get(..CHUNK).unwrap_or(first))?;
        let mut end = CHUNK;
        while end < n {
            let start = end;
            end += start.min(n - start);
            bytes = buffer::grow(bytes, end)?;
            if self.reads_on_into {
                bytes = self.read_into(bytes, start, end)?;
                continue;
            }
            let more = self.read.call1(&*size(end - start)?)?;
            let more = Contiguous::of(more)?;
            let more = more.as_slice();
            buffer::write(&bytes, start, more.get(..end - start).unwrap_or(more));
            if more.len() < end - start {
                return Err(ErrorKind::Truncated.into());
            }
        }
        // A file that gives less than asked for has ended, or should have.
        if first.len() < CHUNK { Err(ErrorKind::Truncated.into()) } else { Ok(bytes) }
    }

    /// Reads into part of a bytes object that nobody else has seen, and gives it, or a copy, back.
    fn read_into(
        &self,
        mut bytes: Own<Bytes>,
        start: usize,
        end: usize,
    ) -> Result<Own<Bytes>, Fault> {
        let n = end - start;
        let count = match &self.readinto {
            Some(readinto) => {
                let loan_type = &self.loan_type;
                let count;
                (count, bytes) =
                    buffer::lend(loan_type, bytes, start, end, |view| readinto.call1(view))?;
                let count = as_ssize(&count)?;
                usize::try_from(count)
                    .map_err(|_| raise(&Exc::ValueError, "readinto() returned negative size"))?
            }
            None => {
                let data = self.read.call1(&*size(n)?)?;
                let Some(data) = data.cast::<Bytes>() else {
                    return Err(Fault::from(raise_parts(
                        &Exc::ValueError,
                        "read() returned non-bytes object ({})",
                        &[Part::Repr(data.type_of())],
                    )));
                };
                let data = data.as_slice();
                if let Some(data) = data.get(..n) {
                    buffer::write(&bytes, start, data);
                }
                data.len()
            }
        };
        if count < n { Err(ErrorKind::Truncated.into()) } else { Ok(bytes) }
    }
}

fn size(n: usize) -> PyResult<Obj> {
    Int::new(i64::try_from(n).unwrap_or(i64::MAX))
}
