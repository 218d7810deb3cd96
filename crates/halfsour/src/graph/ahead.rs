//! The common opcodes, decoded from memory in one loop.
//!
//! The machine could do all of this, and does what is not here. What saves time is that nothing is
//! carried over from one opcode to the next but the place in the bytes, and that a string and its
//! MEMOIZE are one step. Whatever is rare, incomplete or at fault is left to the machine, untouched.

use super::NodeId;
use super::arena::{LONG_TEXT, RawMade, Slot};
use super::builder::Builder;
use crate::error::{Error, ErrorKind, OutOfMemory};
use crate::machine::Machine;
use crate::opcode::Opcode;
use crate::reader::{Reader, Source};
use crate::text::check_utf8;

impl Builder<'_> {
    /// Executes opcodes until one comes that is not for this loop, and says how many those were.
    pub(super) fn ahead<S: Source<Error = Error>>(
        &mut self,
        machine: &mut Machine<NodeId>,
        reader: &mut Reader<S>,
    ) -> Result<u64, Error> {
        let (mut done, mut opcodes) = (0, 0);
        let left = self.end.saturating_sub(reader.source().offset());
        let bytes = reader.ahead();
        let bytes = usize::try_from(left).ok().and_then(|left| bytes.get(..left)).unwrap_or(bytes);
        let result = self.execute(machine, bytes, &mut done, &mut opcodes);
        let opcode = reader.ahead().get(done).copied().and_then(Opcode::from_byte);
        reader.consume(done);
        result
            .map(|()| opcodes)
            .map_err(|kind| Error::new(kind).at(reader.source().offset()).of(opcode))
    }

    /// Puts a node into the memo, if that is as simple as in most memos, and within the limit.
    #[inline(always)]
    fn append(&mut self, index: Option<usize>, id: &NodeId) -> bool {
        self.memo_used = self.arena.len();
        (self.memo.len() as u64) < self.limits.memo && self.memo.append(index, id)
    }

    /// Executes what `bytes` begin with: so many of them, so many opcodes.
    #[inline(always)]
    fn execute(
        &mut self,
        machine: &mut Machine<NodeId>,
        bytes: &[u8],
        done: &mut usize,
        opcodes: &mut u64,
    ) -> Result<(), ErrorKind> {
        use Opcode as O;
        let (stack, marks) = machine.parts();
        let mut fence = marks.last().copied().unwrap_or(0);
        let mut rest = bytes;
        // Leaves the opcode to the machine, unless a pattern holds.
        macro_rules! expect {
            ($pattern:pat = $value:expr) => {
                let $pattern = $value else { return Ok(()) };
            };
        }
        macro_rules! check {
            ($condition:expr) => {
                if !$condition {
                    return Ok(());
                }
            };
        }
        macro_rules! push {
            ($value:expr) => {{
                let value = $value;
                if stack.len() == stack.capacity() {
                    stack.try_reserve(1).map_err(OutOfMemory::from)?;
                }
                stack.push(value);
            }};
        }
        loop {
            *done = bytes.len() - rest.len();
            check!(*opcodes < self.opcodes);
            expect!(Some((&byte, tail)) = rest.split_first());
            expect!(Some(opcode) = Opcode::from_byte(byte));
            rest = match opcode {
                O::None => {
                    push!(self.none);
                    tail
                }
                O::NewFalse | O::NewTrue => {
                    push!(self.bools[usize::from(opcode == O::NewTrue)]);
                    tail
                }
                O::BinInt1 => {
                    expect!(Some((&value, tail)) = tail.split_first());
                    push!(self.arena.add(Slot::Int(value.into()))?);
                    tail
                }
                O::BinInt2 => {
                    expect!(Some((value, tail)) = tail.split_first_chunk());
                    push!(self.arena.add(Slot::Int(u16::from_le_bytes(*value).into()))?);
                    tail
                }
                O::BinInt => {
                    expect!(Some((value, tail)) = tail.split_first_chunk());
                    push!(self.arena.add(Slot::Int(i32::from_le_bytes(*value).into()))?);
                    tail
                }
                O::Long1 => {
                    expect!(Some((&size @ 1..=8, tail)) = tail.split_first());
                    expect!(Some((value, tail)) = tail.split_at_checked(size.into()));
                    let fill =
                        if value.last().is_some_and(|last| *last >= 0x80) { 0xff } else { 0 };
                    let mut wide = [fill; 8];
                    wide.iter_mut().zip(value).for_each(|(wide, byte)| *wide = *byte);
                    push!(self.arena.add(Slot::Int(i64::from_le_bytes(wide)))?);
                    tail
                }
                O::BinFloat => {
                    expect!(Some((value, tail)) = tail.split_first_chunk());
                    push!(self.arena.add(Slot::Float(f64::from_be_bytes(*value)))?);
                    tail
                }
                O::ShortBinUnicode | O::BinUnicode => {
                    let (size, tail) = if opcode == O::ShortBinUnicode {
                        expect!(Some((&size, tail)) = tail.split_first());
                        (size.into(), tail)
                    } else {
                        expect!(Some((size, tail)) = tail.split_first_chunk());
                        (u32::from_le_bytes(*size) as usize, tail)
                    };
                    expect!(Some((text, tail)) = tail.split_at_checked(size));
                    check!(text.len() < LONG_TEXT);
                    check!(text.is_ascii() || check_utf8(text, true).is_ok());
                    let blob = self.arena.blob(text)?;
                    let id = self.arena.add(Slot::Str(blob))?;
                    push!(id);
                    match tail {
                        [byte, after @ ..]
                            if *byte == O::Memoize as u8
                                && *opcodes + 1 < self.opcodes
                                && self.append(None, &id) =>
                        {
                            *opcodes += 1;
                            after
                        }
                        _ => tail,
                    }
                }
                O::ShortBinBytes => {
                    expect!(Some((&size @ 1.., tail)) = tail.split_first());
                    expect!(Some((value, tail)) = tail.split_at_checked(size.into()));
                    let blob = self.arena.blob(value)?;
                    push!(self.arena.add(Slot::Bytes(blob))?);
                    tail
                }
                O::BinGet => {
                    expect!(Some((&index, tail)) = tail.split_first());
                    expect!(Some(&id) = self.memo.get(index.into()));
                    push!(id);
                    tail
                }
                O::LongBinGet => {
                    expect!(Some((index, tail)) = tail.split_first_chunk());
                    expect!(Some(&id) = self.memo.get(u32::from_le_bytes(*index) as usize));
                    push!(id);
                    tail
                }
                O::Memoize => {
                    expect!(Some(top) = stack.get(fence..).and_then(<[_]>::last));
                    check!(self.append(None, top));
                    tail
                }
                O::BinPut => {
                    expect!(Some((&index, tail)) = tail.split_first());
                    expect!(Some(top) = stack.get(fence..).and_then(<[_]>::last));
                    check!(self.append(Some(index.into()), top));
                    tail
                }
                O::LongBinPut => {
                    expect!(Some((index, tail)) = tail.split_first_chunk());
                    expect!(Some(top) = stack.get(fence..).and_then(<[_]>::last));
                    check!(self.append(Some(u32::from_le_bytes(*index) as usize), top));
                    tail
                }
                O::Mark => {
                    if marks.len() == marks.capacity() {
                        marks.try_reserve(1).map_err(OutOfMemory::from)?;
                    }
                    fence = stack.len();
                    marks.push(fence);
                    tail
                }

                O::EmptyTuple => {
                    push!(self.empty_tuple);
                    tail
                }
                O::EmptyList => {
                    push!(self.arena.add(Slot::List(Default::default()))?);
                    tail
                }
                O::EmptyDict => {
                    push!(self.arena.add(Slot::Dict(Default::default()))?);
                    tail
                }
                O::Tuple1 | O::Tuple2 | O::Tuple3 => {
                    let size = 1 + usize::from(byte - O::Tuple1 as u8);
                    expect!(Some(start) = stack.len().checked_sub(size));
                    check!(start >= fence);
                    let run = self.arena.run(&stack[start..])?;
                    stack.truncate(start);
                    push!(self.arena.add(Slot::Tuple(run))?);
                    tail
                }
                O::Tuple => {
                    check!(!marks.is_empty() && stack.len() > fence);
                    let run = self.arena.run(&stack[fence..])?;
                    stack.truncate(fence);
                    marks.pop();
                    fence = marks.last().copied().unwrap_or(0);
                    push!(self.arena.add(Slot::Tuple(run))?);
                    tail
                }
                O::Append => {
                    expect!(Some([list, item]) = stack.get(fence..).and_then(<[_]>::last_chunk));
                    expect!(Slot::List(_) = self.arena.slot(*list));
                    self.arena.extend(*list, [*item].into_iter())?;
                    stack.pop();
                    tail
                }
                O::SetItem => {
                    expect!(
                        Some([dict, key, value]) = stack.get(fence..).and_then(<[_]>::last_chunk)
                    );
                    expect!(Slot::Dict(_) = self.arena.slot(*dict));
                    self.keys.set_items(&mut self.arena, *dict, &[*key, *value])?;
                    stack.truncate(stack.len() - 2);
                    tail
                }
                O::Appends | O::SetItems => {
                    let below = marks.len().checked_sub(2).map_or(0, |below| marks[below]);
                    check!(!marks.is_empty() && fence > below);
                    let target = stack[fence - 1];
                    match self.arena.slot(target) {
                        Slot::List(_) if opcode == O::Appends => {
                            self.arena.extend(target, stack[fence..].iter().copied())?;
                        }
                        Slot::Dict(_)
                            if opcode == O::SetItems && (stack.len() - fence).is_multiple_of(2) =>
                        {
                            self.keys.set_items(&mut self.arena, target, &stack[fence..])?;
                        }
                        _ => return Ok(()),
                    }
                    stack.truncate(fence);
                    marks.pop();
                    fence = below;
                    tail
                }

                O::NewObj | O::Reduce => {
                    expect!(Some(&[first, args]) = stack.get(fence..).and_then(<[_]>::last_chunk));
                    let made = match opcode {
                        O::NewObj => RawMade::New { cls: first, args, kwargs: None },
                        _ => RawMade::Call { callable: first, args },
                    };
                    let id = self.arena.add_object(made)?;
                    stack.truncate(stack.len() - 2);
                    push!(id);
                    tail
                }
                O::Build => {
                    expect!(Some([object, state]) = stack.get(fence..).and_then(<[_]>::last_chunk));
                    expect!(Slot::Object(object) = self.arena.slot(*object));
                    self.arena.affect(object, [super::Effect::Build(*state)].into_iter())?;
                    stack.pop();
                    tail
                }
                _ => return Ok(()),
            };
            *opcodes += 1;
        }
    }
}
