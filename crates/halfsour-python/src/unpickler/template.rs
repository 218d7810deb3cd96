//! Dicts with the same keys in the same order: many pickles hold thousands of them.
//!
//! A dict whose keys were seen before gets a copy of that dict's table, with its own keys and values in
//! their places, instead of being filled key by key.

use crate::ffi::{Dict, Obj, Object, Own, PyResult, Str};

/// What was seen of some keys.
pub(super) enum Seen<'a> {
    Never,
    Again,
    Template(&'a Dict),
}

/// Dicts of this load and of earlier ones, by their first key and their length.
pub(super) struct Templates {
    slots: Box<[Slot; SLOTS]>,
}

#[derive(Default)]
struct Slot {
    /// the first key: its ends and its length
    first: u64,
    length: usize,
    template: Option<Own<Dict>>,
    /// the load that saw it last
    load: u64,
}

const SLOTS: usize = 64;

/// Dicts with more keys are filled key by key.
const MOST: usize = 64;

impl Default for Templates {
    fn default() -> Templates {
        Templates { slots: Box::new(std::array::from_fn(|_| Slot::default())) }
    }
}

/// The slot for dicts with this first key and so many keys.
#[inline(always)]
fn place(first: &Object, length: usize) -> Option<(usize, u64)> {
    let text = first.cast_exact::<Str>()?.ascii()?;
    let (first, last) = (*text.first()?, *text.last()?);
    let start = u64::from(first) | u64::from(last) << 8 | (text.len() as u64) << 16;
    let mixed = (start ^ length as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Some(((mixed >> 58) as usize, start))
}

impl Templates {
    /// What was seen of the keys of these pairs.
    #[inline(always)]
    pub(super) fn find(&mut self, load: u64, pairs: &[[Obj; 2]]) -> Seen<'_> {
        if !(2..=MOST).contains(&pairs.len()) {
            return Seen::Never;
        }
        let Some((place, first)) = place(&pairs[0][0], pairs.len()) else { return Seen::Never };
        let slot = &mut self.slots[place];
        if slot.first != first || slot.length != pairs.len() {
            slot.first = first;
            slot.length = pairs.len();
            // Nothing but strings and None: no finaliser.
            slot.template = None;
            return Seen::Never;
        }
        match &slot.template {
            Some(template) if template.has_keys(pairs.iter().map(|[key, _]| key)) => {
                if std::mem::replace(&mut slot.load, load) == load {
                    // More dicts of this load will have these very keys.
                    template.take_keys(pairs.iter().map(|[key, _]| key));
                }
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
        if let Some((place, _)) = place(first, dict.len()) {
            self.slots[place].template = dict.to_template()?;
        }
        Ok(())
    }
}
