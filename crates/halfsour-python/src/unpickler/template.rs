//! Dicts with the same keys in the same order: many pickles hold thousands of them.
//!
//! A dict whose keys were seen before, the very objects, gets a copy of that dict's table with other
//! values, instead of being filled key by key.

use crate::ffi::{Dict, Obj, Object, Own, PyResult, Str};

/// What was seen of some keys.
pub(super) enum Seen<'a> {
    Never,
    Again,
    Template(&'a Dict),
}

/// Dicts of this load, by their first key and their length.
#[derive(Default)]
pub(super) struct Templates {
    slots: Vec<Slot>,
}

#[derive(Default)]
struct Slot {
    first: usize,
    length: usize,
    template: Option<Own<Dict>>,
}

const SLOTS: usize = 64;

impl Templates {
    #[inline(always)]
    fn place(first: &Object, length: usize) -> usize {
        (first.address() >> 4 ^ first.address() >> 10 ^ length) % SLOTS
    }

    /// What was seen of the keys of these pairs.
    #[inline(always)]
    pub(super) fn find(&mut self, pairs: &[[Obj; 2]]) -> Seen<'_> {
        let [[first, _], ..] = pairs else { return Seen::Never };
        if pairs.len() < 2 || first.cast_exact::<Str>().is_none() {
            return Seen::Never;
        }
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, Slot::default);
        }
        let slot = &mut self.slots[Templates::place(first, pairs.len())];
        if slot.first != first.address() || slot.length != pairs.len() {
            slot.first = first.address();
            slot.length = pairs.len();
            slot.template = None;
            return Seen::Never;
        }
        match &slot.template {
            Some(template) if template.has_keys(pairs.iter().map(|[key, _]| key)) => {
                Seen::Template(template)
            }
            Some(_) => Seen::Never,
            None => Seen::Again,
        }
    }

    /// Makes a template of a dict that was filled with keys that were seen before.
    #[cold]
    pub(super) fn add(&mut self, dict: &Dict) -> PyResult<()> {
        let entries = dict.entries();
        let Some((first, _)) = entries.get(0) else { return Ok(()) };
        let slot = &mut self.slots[Templates::place(first, dict.len())];
        slot.template = dict.to_template()?;
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.slots.clear();
    }
}
