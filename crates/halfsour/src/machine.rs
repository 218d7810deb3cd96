//! The pickle machine: a stack, its marks, and what each opcode does to them.
//!
//! One `match`, generic over the [`Heap`]: all who load or inspect a pickle run this same code. What
//! is checked, and in which order, is as in the `load_*` functions of CPython's `_pickle.c`, since
//! callers see which error comes first.
#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use crate::error::{ErrorKind, OutOfMemory};
use crate::heap::Heap;
use crate::reader::{Op, Reader, Source};
use alloc::vec::Vec;

/// The highest protocol that is read and written.
pub const HIGHEST_PROTOCOL: u8 = 5;

/// How many opcodes pass between two calls of [`Heap::tick`].
const TICK: u32 = 1024;

/// A stack of values with marks in it: CPython's `Pdata`, and its `load()`.
///
/// What a failed load leaves on the stack stays there until the machine is dropped, cleared or run
/// again, as in CPython.
///
/// ```
/// # use std::vec::Drain;
/// use halfsour::{Error, Heap, Machine, Memo, Reader, SliceSource};
///
/// /// A heap that adds up the ints of tuples: see the example of [`Heap`].
/// struct Sums(Memo<i64>);
/// # macro_rules! refuse {
/// #     ($($name:ident($($arg:ty),*) -> $result:ty;)*) => {
/// #         $(fn $name(&mut self, $(_: $arg),*) -> Result<$result, Error> {
/// #             Err(Error::custom("no number"))
/// #         })*
/// #     };
/// # }
/// # impl<'a> Heap<SliceSource<'a>> for Sums {
/// #     type Value = i64;
/// #     fn with_memo<R>(&mut self, f: impl FnOnce(&mut Memo<i64>) -> R) -> R {
/// #         f(&mut self.0)
/// #     }
/// #     fn int(&mut self, value: i64) -> Result<i64, Error> {
/// #         Ok(value)
/// #     }
/// #     fn empty_tuple(&mut self) -> Result<i64, Error> {
/// #         Ok(0)
/// #     }
/// #     fn tuple(&mut self, items: Drain<'_, i64>) -> Result<i64, Error> {
/// #         Ok(items.sum())
/// #     }
/// #     refuse! {
/// #         none() -> i64;
/// #         bool(bool) -> i64;
/// #         int_line(&[u8]) -> i64;
/// #         long_line(&[u8]) -> i64;
/// #         long(&[u8]) -> i64;
/// #         float(f64) -> i64;
/// #         float_line(&[u8]) -> i64;
/// #         string_line(&[u8]) -> i64;
/// #         binstring(&[u8]) -> i64;
/// #         unicode_line(&[u8]) -> i64;
/// #         unicode(&[u8]) -> i64;
/// #         bytes(&mut SliceSource<'a>, usize) -> i64;
/// #         bytearray(&mut SliceSource<'a>, usize) -> i64;
/// #         next_buffer() -> i64;
/// #         readonly_buffer(i64) -> i64;
/// #         empty_list() -> i64;
/// #         empty_dict() -> i64;
/// #         empty_set() -> i64;
/// #         list(Drain<'_, i64>) -> i64;
/// #         dict(Drain<'_, i64>) -> i64;
/// #         frozenset(Drain<'_, i64>) -> i64;
/// #         append(&i64, i64) -> ();
/// #         extend(&i64, Drain<'_, i64>) -> ();
/// #         set_items(&i64, Drain<'_, i64>) -> ();
/// #         add_items(&i64, Drain<'_, i64>) -> ();
/// #         name(&[u8], bool) -> i64;
/// #         find_class(i64, i64) -> i64;
/// #         extension(i64) -> i64;
/// #         persid_line(&[u8]) -> i64;
/// #         persistent_load(i64) -> i64;
/// #         inst(i64, Drain<'_, i64>) -> i64;
/// #         newobj(i64, i64) -> i64;
/// #         newobj_ex(i64, i64, i64) -> i64;
/// #         reduce(i64, i64) -> i64;
/// #         build(&i64, i64) -> ();
/// #     }
/// #     fn is_str(&mut self, _: &i64) -> bool {
/// #         false
/// #     }
/// # }
///
/// let mut heap = Sums(Memo::new(true));
/// let mut machine = Machine::new();
/// // (1, 2), and a pickle that sets no mark for its TUPLE
/// let mut reader = Reader::new(SliceSource::new(b"K\x01K\x02\x86.K\x03K\x04t."));
/// assert_eq!(machine.run(&mut reader, &mut heap)?, 3);
/// assert!(machine.run(&mut reader, &mut heap).is_err());
/// assert_eq!(machine.stack(), [3, 4]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Machine<V> {
    stack: Vec<V>,
    marks: Vec<usize>,
    /// The topmost mark, or 0: values below it cannot be reached.
    fence: usize,
}

impl<V> Default for Machine<V> {
    fn default() -> Machine<V> {
        Machine::new()
    }
}

impl<V> Machine<V> {
    /// A machine with an empty stack.
    ///
    /// ```
    /// let mut machine = halfsour::Machine::new();
    /// assert!(machine.stack().is_empty());
    /// machine.parts().0.push(7); // as a heap does that runs ahead
    /// assert_eq!(machine.stack(), [7]);
    /// ```
    pub fn new() -> Machine<V> {
        Machine { stack: Vec::new(), marks: Vec::new(), fence: 0 }
    }

    /// The values on the stack, the lowest first.
    ///
    /// ```
    /// let mut machine = halfsour::Machine::new();
    /// machine.parts().0.extend(['a', 'b']);
    /// assert_eq!(machine.stack(), ['a', 'b']);
    /// ```
    pub fn stack(&self) -> &[V] {
        &self.stack
    }

    /// The stack and its marks, for a heap that runs ahead. Marks are places in the stack, none above
    /// its top, in rising order.
    ///
    /// ```
    /// let mut machine = halfsour::Machine::new();
    /// // As after MARK and two values; then what TUPLE does.
    /// let (stack, marks) = machine.parts();
    /// marks.push(stack.len());
    /// stack.extend(["a", "b"].map(String::from));
    /// if let Some(mark) = marks.pop() {
    ///     let tuple = format!("({})", stack.drain(mark..).collect::<Vec<_>>().join(", "));
    ///     stack.push(tuple);
    /// }
    /// assert_eq!(machine.stack(), ["(a, b)"]);
    /// ```
    #[inline(always)]
    pub fn parts(&mut self) -> (&mut Vec<V>, &mut Vec<usize>) {
        (&mut self.stack, &mut self.marks)
    }

    /// Drops all values, from the top down.
    ///
    /// ```
    /// let mut machine = halfsour::Machine::new();
    /// let (stack, marks) = machine.parts();
    /// stack.extend(['a', 'b']);
    /// marks.push(1);
    /// machine.clear();
    /// assert!(machine.stack().is_empty());
    /// assert!(machine.parts().1.is_empty());
    /// ```
    pub fn clear(&mut self) {
        self.marks.clear();
        self.fence = 0;
        while self.stack.pop().is_some() {}
    }

    /// `Pdata_push`
    #[inline(always)]
    fn push(&mut self, value: V) -> Result<(), OutOfMemory> {
        if self.stack.len() == self.stack.capacity() {
            self.stack.try_reserve(1)?;
        }
        self.stack.push(value);
        Ok(())
    }

    /// Takes the topmost mark away and says where it was (`marker()`).
    #[inline(always)]
    fn marker(&mut self) -> Result<usize, ErrorKind> {
        let mark = self.marks.pop().ok_or(ErrorKind::NoMark)?;
        self.fence = self.marks.last().copied().unwrap_or(0);
        Ok(mark)
    }

    /// `Pdata_stack_underflow`
    #[cold]
    fn underflow(&self) -> ErrorKind {
        if self.marks.is_empty() { ErrorKind::StackUnderflow } else { ErrorKind::UnexpectedMark }
    }

    /// `Pdata_pop`
    #[inline(always)]
    fn pop(&mut self) -> Result<V, ErrorKind> {
        if self.stack.len() > self.fence
            && let Some(value) = self.stack.pop()
        {
            return Ok(value);
        }
        Err(self.underflow())
    }

    /// The topmost value.
    #[inline(always)]
    fn top(&self) -> Result<&V, ErrorKind> {
        match self.stack.last() {
            Some(value) if self.stack.len() > self.fence => Ok(value),
            _ => Err(self.underflow()),
        }
    }

    /// The place of the `n`th value from the top.
    #[inline(always)]
    fn below(&self, n: usize) -> Result<usize, ErrorKind> {
        match self.stack.len().checked_sub(n) {
            Some(start) if start >= self.fence => Ok(start),
            _ => Err(self.underflow()),
        }
    }

    /// The value below `mark`, on which the items above it are to work.
    #[inline(always)]
    fn target(&self, mark: usize) -> Result<V, ErrorKind>
    where
        V: Clone,
    {
        match self.stack.get(..mark).and_then(<[V]>::last) {
            Some(value) if mark > self.fence => Ok(value.clone()),
            _ => Err(self.underflow()),
        }
    }

    fn even(&self, mark: usize, what: &'static str) -> Result<(), ErrorKind> {
        if self.stack.len().wrapping_sub(mark).is_multiple_of(2) {
            Ok(())
        } else {
            Err(ErrorKind::OddItems { what })
        }
    }
}

impl<V: Clone> Machine<V> {
    /// Loads one pickle, `load()` of `_pickle.c`.
    ///
    /// `reader` gives the opcodes and is left just behind STOP; `heap` makes the objects. For a heap
    /// to start from, see the source of [`graph`](crate::graph), which is run like this:
    ///
    /// ```
    /// use halfsour::{Reader, SliceSource, graph};
    ///
    /// let mut reader = Reader::new(SliceSource::new(b"K\x07.rest"));
    /// let graph = graph::load_next(&mut reader)?; // Machine::new().run(&mut reader, &mut heap)
    /// assert_eq!(graph.get(graph.root()), graph::Node::Int(7));
    /// assert_eq!(reader.source().rest(), b"rest");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    ///
    /// # Errors
    /// What the source, the format or the heap object to. Faults of the format carry the place and
    /// the opcode.
    pub fn run<S, H>(&mut self, reader: &mut Reader<S>, heap: &mut H) -> Result<V, S::Error>
    where
        S: Source,
        H: Heap<S, Value = V>,
    {
        self.clear();
        let mut ticks = TICK;
        // The format's own faults get their place here, at the one exit.
        macro_rules! ok {
            ($result:expr) => {
                match $result {
                    Ok(value) => value,
                    Err(kind) => return Err(reader.error(kind.into()).into()),
                }
            };
        }
        loop {
            ticks = ticks.wrapping_sub(1);
            if ticks == 0 {
                ticks = TICK;
                heap.tick()?;
            }
            let unsettled = heap.run_ahead(self, reader)?;
            let op = reader.next()?;
            if unsettled && !matches!(op, Op::Frame(_) | Op::Stop) {
                heap.settle(self)?;
            }
            self.fence = self.marks.last().copied().unwrap_or(0);
            let value = match op {
                Op::None => heap.none()?,
                Op::Bool(value) => heap.bool(value)?,
                Op::Int(value) => heap.int(value)?,
                Op::IntLine(line) => heap.int_line(line)?,
                Op::LongLine(line) => heap.long_line(line)?,
                Op::Long(bytes) => heap.long(bytes)?,
                Op::Float(value) => heap.float(value)?,
                Op::FloatLine(line) => heap.float_line(line)?,
                Op::StringLine(line) => match line {
                    [b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"'] => {
                        heap.string_line(inner)?
                    }
                    _ => return Err(reader.error(ErrorKind::UnquotedString).into()),
                },
                Op::BinString(bytes) => heap.binstring(bytes)?,
                Op::UnicodeLine(line) => heap.unicode_line(line)?,
                Op::Unicode(text) => heap.unicode(text)?,
                Op::Bytes(len) => heap.bytes(reader.source(), len)?,
                Op::ByteArray(len) => heap.bytearray(reader.source(), len)?,
                Op::NextBuffer => heap.next_buffer()?,
                Op::ReadonlyBuffer => {
                    let buffer = ok!(self.pop());
                    heap.readonly_buffer(buffer)?
                }

                Op::EmptyTuple => heap.empty_tuple()?,
                Op::Tuple1 => {
                    let start = ok!(self.below(1));
                    heap.tuple(self.stack.drain(start..))?
                }
                Op::Tuple2 => {
                    let start = ok!(self.below(2));
                    heap.tuple(self.stack.drain(start..))?
                }
                Op::Tuple3 => {
                    let start = ok!(self.below(3));
                    heap.tuple(self.stack.drain(start..))?
                }
                Op::Tuple => {
                    let mark = ok!(self.marker());
                    heap.tuple(self.stack.drain(mark..))?
                }
                Op::EmptyList => heap.empty_list()?,
                Op::List => {
                    let mark = ok!(self.marker());
                    heap.list(self.stack.drain(mark..))?
                }
                Op::EmptyDict => heap.empty_dict()?,
                Op::Dict => {
                    let mark = ok!(self.marker());
                    ok!(self.even(mark, "DICT"));
                    heap.dict(self.stack.drain(mark..))?
                }
                Op::EmptySet => heap.empty_set()?,
                Op::FrozenSet => {
                    let mark = ok!(self.marker());
                    heap.frozenset(self.stack.drain(mark..))?
                }

                Op::Append => {
                    ok!(self.below(2));
                    let item = ok!(self.pop());
                    heap.append(ok!(self.top()), item)?;
                    continue;
                }
                Op::Appends => {
                    let mark = ok!(self.marker());
                    let list = ok!(self.target(mark));
                    heap.extend(&list, self.stack.drain(mark..))?;
                    continue;
                }
                Op::SetItem => {
                    let start = self.stack.len().saturating_sub(2);
                    let dict = ok!(self.target(start));
                    heap.set_items(&dict, self.stack.drain(start..))?;
                    continue;
                }
                Op::SetItems => {
                    let mark = ok!(self.marker());
                    let dict = ok!(self.target(mark));
                    ok!(self.even(mark, "SETITEMS"));
                    heap.set_items(&dict, self.stack.drain(mark..))?;
                    continue;
                }
                Op::AddItems => {
                    let mark = ok!(self.marker());
                    let set = ok!(self.target(mark));
                    heap.add_items(&set, self.stack.drain(mark..))?;
                    continue;
                }

                Op::Global => {
                    let module = heap.name(reader.line(1)?, false)?;
                    let name = heap.name(reader.line(1)?, false)?;
                    heap.find_class(module, name)?
                }
                Op::StackGlobal => {
                    let name = ok!(self.pop());
                    let module = ok!(self.pop());
                    if !heap.is_str(&module) || !heap.is_str(&name) {
                        return Err(reader.error(ErrorKind::StackGlobalNotStr).into());
                    }
                    heap.find_class(module, name)?
                }
                Op::Inst => {
                    let mark = ok!(self.marker());
                    let module = heap.name(reader.line(1)?, true)?;
                    let name = heap.name(reader.line(1)?, true)?;
                    let cls = heap.find_class(module, name)?;
                    heap.inst(cls, self.stack.drain(mark..))?
                }
                Op::Obj => {
                    let mark = ok!(self.marker());
                    let Some(cls) = self.stack.get(mark).cloned() else {
                        return Err(reader.error(self.underflow()).into());
                    };
                    let object = heap.inst(cls, self.stack.drain(mark.wrapping_add(1)..))?;
                    self.stack.truncate(mark);
                    object
                }
                Op::NewObj => {
                    let args = ok!(self.pop());
                    let cls = ok!(self.pop());
                    heap.newobj(cls, args)?
                }
                Op::NewObjEx => {
                    let kwargs = ok!(self.pop());
                    let args = ok!(self.pop());
                    let cls = ok!(self.pop());
                    heap.newobj_ex(cls, args, kwargs)?
                }
                Op::Reduce => {
                    let args = ok!(self.pop());
                    let callable = ok!(self.pop());
                    heap.reduce(callable, args)?
                }
                Op::Build => {
                    ok!(self.below(2));
                    let state = ok!(self.pop());
                    heap.build(ok!(self.top()), state)?;
                    continue;
                }
                Op::Persid => {
                    heap.persistent_ready()?;
                    let pid = heap.persid_line(reader.line(0)?)?;
                    heap.persistent_load(pid)?
                }
                Op::BinPersid => {
                    heap.persistent_ready()?;
                    let pid = ok!(self.pop());
                    heap.persistent_load(pid)?
                }
                Op::Ext(code) => {
                    if code <= 0 {
                        return Err(reader.error(ErrorKind::ExtCode).into());
                    }
                    heap.extension(code.into())?
                }

                Op::GetLine(line) => {
                    let index = heap.memo_index(line)?;
                    ok!(fetch(heap, index))
                }
                Op::Get(index) => ok!(fetch(heap, index.into())),
                Op::PutLine(line) => {
                    let value = ok!(self.top()).clone();
                    let index = heap.memo_index(line)?;
                    let Ok(index) = usize::try_from(index) else {
                        return Err(reader.error(ErrorKind::NegativePut).into());
                    };
                    drop(ok!(heap.with_memo(|memo| memo.put(index, value))));
                    continue;
                }
                Op::Put(index) => {
                    let value = ok!(self.top()).clone();
                    // The old value is dropped after the borrow: it may run a finaliser.
                    drop(ok!(heap.with_memo(|memo| memo.put(index as usize, value))));
                    continue;
                }
                Op::Memoize => {
                    let value = ok!(self.top()).clone();
                    drop(ok!(heap.with_memo(|memo| memo.put(memo.len(), value))));
                    continue;
                }

                Op::Mark => {
                    self.fence = self.stack.len();
                    if self.marks.len() == self.marks.capacity() {
                        ok!(self.marks.try_reserve(1).map_err(OutOfMemory::from));
                    }
                    self.marks.push(self.fence);
                    continue;
                }
                Op::Pop => {
                    if self.marks.last() == Some(&self.stack.len()) {
                        ok!(self.marker());
                    } else {
                        let value = ok!(self.pop());
                        heap.discard(value, self.stack.get(self.fence..).and_then(<[_]>::last));
                    }
                    continue;
                }
                Op::PopMark => {
                    let mark = ok!(self.marker());
                    while self.stack.len() > mark
                        && let Some(value) = self.stack.pop()
                    {
                        heap.discard(value, None);
                    }
                    continue;
                }
                Op::Dup => ok!(self.top()).clone(),
                Op::Proto(protocol) => {
                    if protocol > HIGHEST_PROTOCOL {
                        return Err(reader.error(ErrorKind::UnsupportedProtocol(protocol)).into());
                    }
                    heap.protocol(protocol);
                    continue;
                }
                Op::Frame(_) => continue,
                Op::Stop => {
                    reader.source().finish()?;
                    return Ok(ok!(self.pop()));
                }
            };
            ok!(self.push(value));
        }
    }
}

/// The memo's value at an index.
#[inline(always)]
fn fetch<S: Source, H: Heap<S>>(heap: &mut H, index: i64) -> Result<H::Value, ErrorKind> {
    heap.with_memo(|memo| {
        let value = usize::try_from(index).ok().and_then(|index| memo.get(index));
        value.cloned().ok_or(ErrorKind::MemoMissing(index))
    })
}

impl<V> Drop for Machine<V> {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::rc::Rc;
    use core::cell::RefCell;

    /// Notes when it is dropped.
    struct Noted(u32, Rc<RefCell<Vec<u32>>>);

    impl Drop for Noted {
        fn drop(&mut self) {
            self.1.borrow_mut().push(self.0);
        }
    }

    #[test]
    fn drops_from_the_top() {
        let notes = Rc::new(RefCell::new(Vec::new()));
        let mut machine = Machine::new();
        machine.stack.extend((0..4).map(|number| Noted(number, notes.clone())));
        drop(machine);
        assert_eq!(*notes.borrow(), [3, 2, 1, 0]);
    }

    #[test]
    fn marks_fence_what_is_below() {
        let mut machine = Machine::new();
        machine.stack.push('a');
        machine.fence = 1;
        machine.marks.push(1);
        assert_eq!(machine.pop(), Err(ErrorKind::UnexpectedMark));
        assert_eq!(machine.below(1), Err(ErrorKind::UnexpectedMark));
        assert_eq!(machine.target(1), Err(ErrorKind::UnexpectedMark));
        assert_eq!(machine.marker(), Ok(1));
        assert_eq!(machine.target(1), Ok('a'));
        assert_eq!(machine.pop(), Ok('a'));
        assert_eq!(machine.pop(), Err(ErrorKind::StackUnderflow));
        assert_eq!(machine.marker(), Err(ErrorKind::NoMark));
    }
}
