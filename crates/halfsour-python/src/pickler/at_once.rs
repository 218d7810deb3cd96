//! An instance that is written in one go, after its hook has returned.
//!
//! Most hooks return a class that was written before, and a few strings and numbers. Such a reduction
//! needs no frames: no Python runs between its first byte and its last.

use super::no_memory;
use super::stretch::plain_view;
use super::walker::Walker;
use crate::ffi::builtins::CodePoints;
use crate::ffi::{Dict, Float, Int, Kind, List, Obj, Object, PyResult, Str, Tuple, error};
use crate::memo::Memo;
use halfsour::{FRAME_TARGET, Opcode, Payload};

/// How an instance is made, and from what.
#[derive(Clone, Copy)]
pub(super) struct Instance<'q> {
    pub(super) obj: &'q Obj,
    /// what REDUCE calls, or the class for NEWOBJ
    pub(super) class: &'q Object,
    pub(super) args: Option<&'q Object>,
    pub(super) state: Option<&'q Object>,
    /// REDUCE or NEWOBJ
    pub(super) made_by: Opcode,
    /// Built-in objects that the hook made and that have one reference are seen by nobody.
    pub(super) is_fresh: bool,
}

/// The most objects that arguments and state are made of, and how deep they may nest.
const PARTS: usize = 40;
const DEPTH: usize = 3;

/// The most bytes of an object that is no string, and of all the opcodes around.
const SMALL: usize = 16;
const AROUND: usize = 64;

impl Walker<'_> {
    /// False if nothing was written, since it takes more than this.
    pub(super) fn write_at_once(&mut self, instance: &Instance<'_>) -> PyResult<bool> {
        let Instance { obj, class, args, state, is_fresh, .. } = *instance;
        let memo = self.pickler.memo.borrow();
        let Some(index) = memo.get(class) else { return Ok(false) };
        let mut measure = Measure {
            memo: &memo,
            in_band: self.writes_in_band(),
            buffer_list: self.buffer_list.as_deref(),
            parts: PARTS,
        };
        let size = [args, state]
            .iter()
            .flatten()
            .try_fold(AROUND, |size, object| Some(size + measure.size(object, DEPTH)?));
        // A program that sees the memo may have put the object there.
        let is_memoized = self.memo_is_seen() && memo.get(obj).is_some();
        drop(memo);
        self.look_at_bin();
        if is_memoized || size.is_none_or(|size| self.out.room() < size) || !self.may_stretch() {
            return Ok(false);
        }
        self.out.get(index).map_err(|e| self.too_large(e))?;
        match args {
            Some(args) => self.write_measured(args, is_fresh && args.is_unshared())?,
            None => self.out.op(Opcode::EmptyTuple),
        }
        self.out.op(instance.made_by);
        self.memoize(obj.clone())?;
        if let Some(state) = state {
            self.write_items(&[state], is_fresh && state.is_unshared())?;
            self.out.op(Opcode::Build);
        }
        Ok(true)
    }

    /// Writes objects that are measured. In what is fresh, those with one reference cannot come again.
    fn write_items(&mut self, items: &[&Object], is_fresh: bool) -> PyResult<()> {
        for item in items {
            if is_fresh
                && item.is_unshared()
                && let Some(text) = item.cast_exact::<Str>()
            {
                self.write_text(text, is_fresh)?;
            } else if !self.save_leaf(item)? {
                self.write_measured(item, is_fresh)?;
            }
        }
        Ok(())
    }

    fn write_measured(&mut self, object: &Object, is_fresh: bool) -> PyResult<()> {
        let kind = object.kind();
        match kind {
            Kind::Bool(value) => {
                self.out.bool(value);
                return Ok(());
            }
            Kind::Float => {
                self.out.float(object.cast().map_or(0.0, Float::value));
                return Ok(());
            }
            _ => {}
        }
        // What the memo has, it holds too.
        if !object.is_unshared() {
            let index = self.pickler.memo.borrow().get(object);
            if let Some(index) = index {
                return self.out.get(index).map_err(|e| self.too_large(e));
            }
        }
        match kind {
            Kind::Tuple => {
                let items = object.cast().map_or(&[][..], Tuple::items);
                let end = match items.len() {
                    0 => {
                        self.out.empty_tuple();
                        return Ok(());
                    }
                    1 if self.out.protocol() >= 2 => Opcode::Tuple1,
                    2 if self.out.protocol() >= 2 => Opcode::Tuple2,
                    3 if self.out.protocol() >= 2 => Opcode::Tuple3,
                    _ => Opcode::Tuple,
                };
                if end == Opcode::Tuple {
                    self.out.op(Opcode::Mark);
                }
                self.write_items(items, is_fresh)?;
                self.out.op(end);
                self.memoize_measured(object, is_fresh)
            }
            Kind::List => {
                let items = object.cast().map_or(&[][..], List::items);
                self.out.empty_list();
                self.memoize_measured(object, is_fresh)?;
                self.write_batch(items.len(), [Opcode::Append, Opcode::Appends], |this| {
                    this.write_items(items, is_fresh)
                })
            }
            Kind::Dict => {
                let Some(dict) = object.cast::<Dict>() else { return Ok(()) };
                let entries = dict.entries();
                self.out.empty_dict();
                self.memoize_measured(object, is_fresh)?;
                self.write_batch(dict.len(), [Opcode::SetItem, Opcode::SetItems], |this| {
                    let mut pairs = (0..entries.slots()).filter_map(|slot| entries.get(slot));
                    pairs.try_for_each(|(key, value)| this.write_items(&[key, value], is_fresh))
                })
            }
            Kind::Str => object.cast().map_or(Ok(()), |text| self.write_text(text, is_fresh)),
            Kind::PickleBuffer => {
                let Some(view) = plain_view(object) else { return Ok(()) };
                if let Some(list) = &self.buffer_list {
                    list.append(object)?;
                    self.out.op(Opcode::NextBuffer);
                    if view.is_readonly() {
                        self.out.op(Opcode::ReadonlyBuffer);
                    }
                    return Ok(());
                }
                let kind = if view.is_readonly() { Payload::Bytes } else { Payload::ByteArray };
                self.out.payload(kind, view.as_slice()).map_err(|e| self.too_large(e))?;
                self.memoize_measured(object, is_fresh)
            }
            _ => Ok(()),
        }
    }

    /// Writes the items of a list or a dict, which are one batch.
    fn write_batch(
        &mut self,
        count: usize,
        [one, many]: [Opcode; 2],
        write: impl FnOnce(&mut Self) -> PyResult<()>,
    ) -> PyResult<()> {
        if count > 1 {
            self.out.op(Opcode::Mark);
        }
        write(self)?;
        match count {
            0 => {}
            1 => self.out.op(one),
            _ => self.out.op(many),
        }
        Ok(())
    }

    fn write_text(&mut self, text: &Str, is_fresh: bool) -> PyResult<()> {
        let utf8 = text.ascii().or_else(|| text.utf8()).ok_or_else(error::no_memory)?;
        let index = self.index_for(text, is_fresh)?;
        let written = self.out.payload_memoized(Payload::Text, utf8, index);
        written.map_err(|e| self.too_large(e))
    }

    fn memoize_measured(&mut self, object: &Object, is_fresh: bool) -> PyResult<()> {
        let index = self.index_for(object, is_fresh)?;
        self.out.memoize(index).map_err(|e| self.too_large(e))
    }

    /// The next index, for an object that is not in the memo; it need not be if nobody can ask for it.
    fn index_for(&mut self, object: &Object, is_fresh: bool) -> PyResult<i64> {
        let mut memo = self.pickler.memo.borrow_mut();
        if is_fresh && object.is_unshared() {
            return Ok(memo.skip() as i64);
        }
        let index = memo.len() as i64;
        memo.insert(object.own(), index).map_err(no_memory)?;
        Ok(index)
    }
}

/// Measures what is to be written at once.
struct Measure<'m> {
    memo: &'m Memo,
    /// No callback takes the buffers.
    in_band: bool,
    /// All that the callback does is to append them to this list.
    buffer_list: Option<&'m List>,
    /// How many more objects there may be.
    parts: usize,
}

impl Measure<'_> {
    /// The most bytes that an object takes which is made of numbers, short strings, buffers that take
    /// no Python, and what the memo has; None for others, and for what has too many parts.
    fn size(&mut self, object: &Object, depth: usize) -> Option<usize> {
        self.parts = self.parts.checked_sub(1)?;
        match object.kind() {
            Kind::Int => object.cast::<Int>()?.compact().map(|_| SMALL),
            Kind::None | Kind::Bool(_) | Kind::Float => Some(SMALL),
            Kind::Str => {
                // Others may have lone surrogates.
                let CodePoints::One(points) = object.cast::<Str>()?.code_points() else {
                    return None;
                };
                (points.len() < 256).then_some(2 * points.len() + SMALL)
            }
            Kind::Type | Kind::Function | Kind::Other => self.memo.get(object).map(|_| SMALL),
            Kind::PickleBuffer if self.in_band => {
                let size = plain_view(object)?.len();
                (size < FRAME_TARGET).then_some(size + SMALL)
            }
            Kind::PickleBuffer if self.buffer_list.is_some() => plain_view(object).map(|_| SMALL),
            // It grows while it is written.
            Kind::List if self.buffer_list.is_some_and(|list| list.is(object)) => None,
            Kind::Tuple => self.sum(object.cast::<Tuple>()?.items(), depth),
            Kind::List => self.sum(object.cast::<List>()?.items(), depth),
            Kind::Dict => {
                let entries = object.cast::<Dict>()?.entries();
                let mut pairs = (0..entries.slots()).filter_map(|slot| entries.get(slot));
                pairs.try_fold(SMALL, |size, (key, value)| {
                    Some(size + self.sum(&[key, value], depth)?)
                })
            }
            _ => None,
        }
    }

    fn sum(&mut self, items: &[&Object], depth: usize) -> Option<usize> {
        let depth = depth.checked_sub(1)?;
        items.iter().try_fold(SMALL, |size, item| {
            // Most are short strings.
            match item.cast_exact::<Str>().and_then(Str::ascii) {
                Some(ascii) if ascii.len() < 256 => {
                    self.parts = self.parts.checked_sub(1)?;
                    Some(size + ascii.len() + SMALL)
                }
                _ => Some(size + self.size(item, depth)?),
            }
        })
    }
}
