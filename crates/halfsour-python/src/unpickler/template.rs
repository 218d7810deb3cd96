//! Dicts with the same keys in the same order: many pickles hold thousands of them.
//!
//! A dict whose keys were seen before gets a copy of that dict's table, with its own keys and values in
//! their places, instead of being filled key by key.

use crate::ffi::{Dict, Obj, Object, Own, PyResult, Str};

/// What was seen of some keys.
pub(super) enum Seen<'a> {
    Never,
    Again,
    /// And whether it has these very keys, for the first time in this load.
    Template(&'a Dict, bool),
}

/// Dicts of this load and of earlier ones, by their shape.
pub(super) struct Templates {
    slots: Box<[Slot; SLOTS]>,
}

#[derive(Default)]
struct Slot {
    shape: Shape,
    template: Option<Own<Dict>>,
    /// the load that saw it last
    load: u64,
    /// the load that has said so of its keys
    row: u64,
}

const SLOTS: usize = 64;

/// Dicts with more keys are filled key by key.
const MOST: usize = 64;

impl Default for Templates {
    fn default() -> Templates {
        Templates { slots: Box::new(std::array::from_fn(|_| Slot::default())) }
    }
}

/// What tells most sets of keys apart at once.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Shape {
    /// of the first key and the last: the first byte, the last, and the length
    ends: [u32; 2],
    /// how many keys there are
    length: usize,
}

impl Shape {
    #[inline(always)]
    fn new(first: &Object, last: &Object, length: usize) -> Option<Shape> {
        let ends = |key: &Object| {
            let text = key.cast_exact::<Str>()?.ascii()?;
            let (first, last) = (*text.first()?, *text.last()?);
            Some(u32::from(first) | u32::from(last) << 8 | (text.len() as u32) << 16)
        };
        Some(Shape { ends: [ends(first)?, ends(last)?], length })
    }

    #[inline(always)]
    fn slot(self) -> usize {
        let [first, last] = self.ends.map(u64::from);
        let mixed = (first | last << 32) ^ self.length as u64;
        (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize
    }
}

impl Templates {
    /// What was seen of the keys of these pairs.
    #[inline(always)]
    pub(super) fn find(&mut self, load: u64, pairs: &[[Obj; 2]]) -> Seen<'_> {
        let [[first, _], .., [last, _]] = pairs else { return Seen::Never };
        let Some(shape) = Shape::new(first, last, pairs.len()).filter(|shape| shape.length <= MOST)
        else {
            return Seen::Never;
        };
        let slot = &mut self.slots[shape.slot()];
        if slot.shape != shape {
            slot.shape = shape;
            slot.row = 0;
            // Nothing but strings and None: no finaliser.
            slot.template = None;
            return Seen::Never;
        }
        match &slot.template {
            Some(template) if template.has_keys(pairs.iter().map(|[key, _]| key)) => {
                let again = std::mem::replace(&mut slot.load, load) == load;
                // More dicts of this load will have these very keys.
                let same = again && template.take_keys(pairs.iter().map(|[key, _]| key));
                let is_row = same && std::mem::replace(&mut slot.row, load) != load;
                Seen::Template(template, is_row)
            }
            Some(_) => Seen::Never,
            None => Seen::Again,
        }
    }

    /// Makes a template of a dict that was filled with keys that were seen before.
    #[cold]
    pub(super) fn add(&mut self, dict: &Dict) -> PyResult<()> {
        let entries = dict.entries();
        let (Some((first, _)), Some((last, _))) = (entries.get(0), entries.get(dict.len() - 1))
        else {
            return Ok(());
        };
        if let Some(shape) = Shape::new(first, last, dict.len()) {
            self.slots[shape.slot()].template = dict.to_template()?;
        }
        Ok(())
    }
}
