//! An instance that is written in one go, after its hook has returned.
//!
//! Most hooks return a class that was written before, and a few strings and numbers. Such a reduction
//! needs no frames: no Python runs between its first byte and its last.

use super::stretch::{Begin, Keeping, Stop, Stretch, in_band_view};
use super::walker::Walker;
use crate::ffi::builtins::CodePoints;
use crate::ffi::keep::Keep;
use crate::ffi::{Dict, Int, Kind, List, Obj, Object, PyResult, Str, Tuple, error};
use crate::memo::Memo;
use halfsour::{FRAME_TARGET, Opcode, Sink};

/// How an instance is made, and from what.
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
        let Instance { obj, class, args, state, .. } = instance;
        let in_band = self.writes_in_band();
        let memo = self.pickler.memo.borrow();
        let Some(index) = memo.get(class) else { return Ok(false) };
        let mut parts = PARTS;
        let mut size = |object: &Option<&Object>| match object {
            Some(object) => flat_size(&memo, in_band, object, &mut parts, DEPTH),
            None => Some(0),
        };
        let Some(size) = size(args).and_then(|args| Some(args + size(state)?)) else {
            return Ok(false);
        };
        let is_memoized = memo.get(obj).is_some();
        drop(memo);
        self.look_at_bin();
        if is_memoized || self.out.room() < size + AROUND || !self.may_stretch() {
            return Ok(false);
        }
        let keep = Keep::default();
        // So little is written without a look at the clock.
        let ticks = std::mem::replace(&mut self.ticks, u32::MAX);
        let written = self.with_stretch(&keep, None, self.keeping(), |stretch| {
            stretch.write_instance(instance, index).is_ok()
        });
        self.ticks = ticks;
        // Nothing stops among strings and numbers but a lack of memory.
        if written { Ok(true) } else { Err(error::no_memory()) }
    }
}

impl<'q, S: Sink> Stretch<'_, 'q, S> {
    fn write_instance(&mut self, instance: &Instance<'q>, class: i64) -> Result<(), Stop<'q>> {
        let keeping = self.keeping;
        self.no_memory |= self.out.get(class).is_err();
        match instance.args {
            Some(args) => self.write_made(args, instance.is_fresh)?,
            None => self.out.op(Opcode::EmptyTuple),
        }
        self.keeping = keeping;
        self.out.op(instance.made_by);
        self.memoize(instance.obj, true);
        if let Some(state) = instance.state {
            self.write_made(state, instance.is_fresh)?;
            self.out.op(Opcode::Build);
        }
        Ok(())
    }

    fn write_made(&mut self, object: &'q Object, is_fresh: bool) -> Result<(), Stop<'q>> {
        if is_fresh && object.is_unshared() {
            self.keeping = Keeping::Fresh;
        }
        self.run(if object.is_unshared() { Begin::New(object) } else { Begin::Object(object) })
    }
}

/// The most bytes that an object takes which is made of numbers, short strings, buffers that are in
/// band, and what the memo has; None for others, and for what has too many parts.
fn flat_size(
    memo: &Memo,
    in_band: bool,
    object: &Object,
    parts: &mut usize,
    depth: usize,
) -> Option<usize> {
    *parts = parts.checked_sub(1)?;
    let inner = depth.checked_sub(1);
    let mut sum =
        |sum: usize, part: &Object| Some(sum + flat_size(memo, in_band, part, parts, inner?)?);
    match object.kind() {
        Kind::None | Kind::Bool(_) | Kind::Float => Some(SMALL),
        Kind::Int => object.cast::<Int>()?.compact().map(|_| SMALL),
        Kind::Str => {
            // Others may have lone surrogates.
            let CodePoints::One(points) = object.cast::<Str>()?.code_points() else { return None };
            (points.len() < 256).then_some(2 * points.len() + SMALL)
        }
        Kind::Type | Kind::Function | Kind::Other => memo.get(object).map(|_| SMALL),
        Kind::PickleBuffer if in_band => {
            let size = in_band_view(object)?.len();
            (size < FRAME_TARGET).then_some(size + SMALL)
        }
        Kind::Tuple => {
            object.cast::<Tuple>()?.items().iter().try_fold(SMALL, |so_far, item| sum(so_far, item))
        }
        Kind::List => {
            object.cast::<List>()?.items().iter().try_fold(SMALL, |so_far, item| sum(so_far, item))
        }
        Kind::Dict => {
            let entries = object.cast::<Dict>()?.entries();
            let mut pairs = (0..entries.slots()).filter_map(|slot| entries.get(slot));
            pairs.try_fold(SMALL, |so_far, (key, value)| {
                let so_far = sum(so_far, key)?;
                sum(so_far, value)
            })
        }
        _ => None,
    }
}
