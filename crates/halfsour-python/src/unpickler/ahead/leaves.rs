//! Objects that hold no others, and those that the memo has: most of what most pickles are made of.

use super::LARGE;
use crate::ffi::layout::float;
use crate::ffi::recall::Recall;
use crate::ffi::stack::push;
use crate::ffi::{Int, Obj, Object, PyResult, Str};
use crate::unpickler::new_memo;
use halfsour::Memo;
use std::cell::RefCell;

/// The opcodes that [`Leaves::next`] knows.
macro_rules! leaf {
    () => {
        b'K' | b'h' | 0x8c | rare_leaf!()
    };
}
pub(super) use leaf;

/// But for the most common ones.
macro_rules! rare_leaf {
    () => {
        b'M' | b'J' | 0x8a | b'G' | b'N' | 0x88 | 0x89 | b'X' | b'j' | b'L' | b'I'
    };
}
pub(super) use rare_leaf;

pub(super) struct Leaves<'a> {
    pub(super) bytes: &'a [u8],
    /// The memo, if nobody can see it,
    pub(super) recall: Option<&'a mut Recall>,
    /// or the Unpickler's own.
    pub(super) memo: &'a RefCell<Memo<Obj>>,
    pub(super) byte_ints: &'a [Obj; 256],
}

impl Leaves<'_> {
    /// Pushes all leaves in a row, as long as they begin before `limit`. Returns where the next opcode
    /// is, and whether that one failed.
    #[inline(never)]
    pub(super) fn push_all(
        &mut self,
        stack: &mut Vec<Obj>,
        mut at: usize,
        limit: usize,
    ) -> (usize, PyResult<()>) {
        while at < limit {
            match self.next(at) {
                Ok(Some((leaf, end))) => {
                    if let Err(raised) = push(stack, leaf) {
                        return (at, Err(raised));
                    }
                    at = end;
                }
                Ok(None) => break,
                Err(raised) => return (at, Err(raised)),
            }
        }
        (at, Ok(()))
    }

    /// The leaf whose opcode is at `at`, memoized if it is to be, and where the next opcode is. None
    /// if there is something else, or a fault.
    #[inline(always)]
    pub(super) fn next(&mut self, at: usize) -> PyResult<Option<(Obj, usize)>> {
        match self.bytes.get(at) {
            Some(&opcode) => self.with_opcode(opcode, at),
            None => Ok(None),
        }
    }

    /// The same, where the opcode is known. With a constant for it, this is only what it takes.
    #[inline(always)]
    pub(super) fn with_opcode(&mut self, opcode: u8, at: usize) -> PyResult<Option<(Obj, usize)>> {
        match self.short(opcode, at)? {
            // Apart, since what calls slows down all the others.
            None => self.line(at),
            leaf => Ok(leaf),
        }
    }

    /// A leaf that is no line.
    #[inline(always)]
    fn short(&mut self, opcode: u8, at: usize) -> PyResult<Option<(Obj, usize)>> {
        let bytes = self.bytes;
        macro_rules! argument {
            ($count:literal) => {
                match bytes.get(at + 1..).and_then(<[u8]>::first_chunk::<$count>) {
                    Some(argument) => *argument,
                    None => return Ok(None),
                }
            };
        }
        macro_rules! slice {
            ($start:expr, $length:expr) => {
                match bytes.get($start..).and_then(|rest| rest.get(..$length)) {
                    Some(slice) => slice,
                    None => return Ok(None),
                }
            };
        }
        Ok(Some(match opcode {
            b'K' => {
                let [value] = argument!(1);
                (self.byte_ints[usize::from(value)].clone(), at + 2)
            }
            b'M' => (Int::from_i32(u16::from_le_bytes(argument!(2)).into())?, at + 3),
            b'J' => (Int::from_i32(i32::from_le_bytes(argument!(4)))?, at + 5),
            0x8a => {
                let [length] = argument!(1);
                let digits = slice!(at + 2, usize::from(length));
                let value = match small(digits, bytes.get(at + 2..).unwrap_or_default()) {
                    Some(value) => Int::new(value),
                    None => Int::from_le_bytes(digits),
                };
                (value?, at + 2 + digits.len())
            }
            b'G' => (float(f64::from_be_bytes(argument!(8)))?, at + 9),
            b'N' => (Object::none().own(), at + 1),
            0x88 | 0x89 => (Object::bool(opcode == 0x88).own(), at + 1),
            0x8c => {
                let [length] = argument!(1);
                let text = slice!(at + 2, usize::from(length));
                return self.text(text, at + 2 + text.len());
            }
            b'X' => {
                let length = u32::from_le_bytes(argument!(4)) as usize;
                if length >= LARGE {
                    return Ok(None);
                }
                return self.text(slice!(at + 5, length), at + 5 + length);
            }
            b'h' => {
                let [index] = argument!(1);
                match self.recall(index.into()) {
                    Some(object) => (object, at + 2),
                    None => return Ok(None),
                }
            }
            b'j' => match self.recall(u32::from_le_bytes(argument!(4)) as usize) {
                Some(object) => (object, at + 5),
                None => return Ok(None),
            },
            _ => return Ok(None),
        }))
    }

    /// The number of an INT or LONG that is at `at`, or the bool. None if it is something else, or
    /// written in another way than pickles are.
    #[inline(never)]
    fn line(&self, at: usize) -> PyResult<Option<(Obj, usize)>> {
        let Some([opcode @ (b'I' | b'L'), rest @ ..]) = self.bytes.get(at..) else {
            return Ok(None);
        };
        let Some(length) = rest.iter().take(DIGITS + 3).position(|byte| *byte == b'\n') else {
            return Ok(None);
        };
        let number = match (opcode, &rest[..length]) {
            (b'I', b"00") => Some(Object::bool(false).own()),
            (b'I', b"01") => Some(Object::bool(true).own()),
            (b'I', digits) | (_, [digits @ .., b'L']) => {
                small_decimal(digits).map(Int::new).transpose()?
            }
            _ => None,
        };
        Ok(number.map(|number| (number, at + length + 2)))
    }

    /// The memo index that a BINGET or LONG_BINGET at `at` names, and where it ends.
    #[inline(always)]
    pub(super) fn reference(&self, at: usize) -> Option<(usize, usize)> {
        match *self.bytes.get(at..)? {
            [b'h', index, ..] => Some((index.into(), at + 2)),
            [b'j', a, b, c, d, ..] => Some((u32::from_le_bytes([a, b, c, d]) as usize, at + 5)),
            _ => None,
        }
    }

    /// Whether this object is what the memo has for a BINGET at `at`; if so, where that ends.
    #[inline(always)]
    pub(super) fn is_reference(&self, at: usize, object: &Object) -> Option<usize> {
        let (index, end) = self.reference(at)?;
        self.recall.as_ref().is_some_and(|recall| recall.is_at(index, object)).then_some(end)
    }

    #[inline(always)]
    fn text(&mut self, text: &[u8], end: usize) -> PyResult<Option<(Obj, usize)>> {
        let Some(text) = Str::from_pickled(text)? else { return Ok(None) };
        let end = self.memoize_next(&text, end);
        Ok(Some((text, end)))
    }

    /// Stores a new object in the memo, if that is what the opcode at `at` does; returns where the next
    /// one is.
    #[inline(always)]
    pub(super) fn memoize_next(&mut self, object: &Obj, at: usize) -> usize {
        if self.bytes.get(at) == Some(&0x94) {
            return if self.memoize(object, None) { at + 1 } else { at };
        }
        let (index, end) = match self.bytes.get(at..) {
            Some([b'q', index, ..]) => (usize::from(*index), at + 2),
            Some([b'r', a, b, c, d, ..]) => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, at + 5),
            _ => return at,
        };
        if self.memoize(object, Some(index)) { end } else { at }
    }

    /// Stores an object at the memo's next index, which may be said. False if the machine must do it.
    #[inline(always)]
    pub(super) fn memoize(&mut self, object: &Obj, index: Option<usize>) -> bool {
        match &mut self.recall {
            Some(recall) => {
                let is_next = index.is_none_or(|index| index == recall.len());
                if is_next {
                    recall.push(object);
                }
                is_next
            }
            None => self.memo.borrow_mut().append(index, object),
        }
    }

    #[inline(always)]
    fn recall(&mut self, index: usize) -> Option<Obj> {
        match &self.recall {
            Some(recall) => recall.object(index).map(Object::own),
            None => self.memo.borrow_mut().get(index).cloned(),
        }
    }
}

/// The object of a pickle that says a number, a bool or None and nothing else; None for all others.
pub(in crate::unpickler) fn lone_number(
    bytes: &[u8],
    byte_ints: &[Obj; 256],
) -> PyResult<Option<Obj>> {
    let bytes = match bytes {
        [0x80, 2..=5, 0x95, a, b, c, d, e, f, g, h, frame @ ..]
            if u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]) == frame.len() as u64 =>
        {
            frame
        }
        [0x80, 2..=5, bytes @ ..] => bytes,
        _ => return Ok(None),
    };
    let [b'K' | b'M' | b'J' | 0x8a | b'G' | b'N' | 0x88 | 0x89, .., b'.'] = bytes else {
        return Ok(None);
    };
    let memo = RefCell::new(new_memo()); // which numbers are not in
    let number = Leaves { bytes, recall: None, memo: &memo, byte_ints }.next(0)?;
    Ok(number.filter(|(_, end)| end + 1 == bytes.len()).map(|(number, _)| number))
}

/// So many decimal digits fit into 64 bits.
const DIGITS: usize = 18;

/// A number of few digits, written as Python writes it.
fn small_decimal(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        _ => (1, text),
    };
    let is_written_so = match digits {
        [b'0'] => sign == 1,
        [b'1'..=b'9', rest @ ..] => rest.len() < DIGITS && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let add = |number: i64, digit: &u8| number * 10 + i64::from(digit - b'0');
    is_written_so.then(|| sign * digits.iter().fold(0, add))
}

/// A number of at most eight bytes, which `rest` begins with.
#[inline(always)]
fn small(bytes: &[u8], rest: &[u8]) -> Option<i64> {
    if bytes.is_empty() {
        return Some(0);
    }
    let unused = 64_usize.checked_sub(8 * bytes.len())?;
    let padded = match rest.first_chunk() {
        // What follows the number is shifted out.
        Some(chunk) => *chunk,
        None => {
            let mut padded = [0; 8];
            padded[..bytes.len()].copy_from_slice(bytes);
            padded
        }
    };
    Some(i64::from_le_bytes(padded) << unused >> unused)
}
