//! The keys of small dicts, as they were written the last time.
//!
//! Records are dicts with the same keys in the same order. What the pickle says for their keys is the
//! same for each: a reference to the memo.

use crate::ffi::Object;
use halfsour::Fetch;

/// The most keys of a row.
pub(super) const KEYS: usize = 12;

/// How many rows are remembered.
const ROWS: usize = 8;

/// The keys of a dict, by address, and how they are fetched.
#[derive(Clone, Copy)]
pub(super) struct Row {
    /// the memo's stamp
    stamp: u64,
    /// the address of the first key, and how many keys there are
    first: usize,
    count: usize,
    /// A dict like this was written already.
    was_written: bool,
    /// how many keys are noted
    known: usize,
    keys: [(usize, Fetch); KEYS],
}

impl Row {
    /// How key number `n` is fetched, if it is this object.
    #[inline(always)]
    pub(super) fn fetch(&self, n: usize, key: &Object) -> Option<Fetch> {
        match self.keys.get(n) {
            Some((address, fetch)) if n < self.known && *address == key.address() => Some(*fetch),
            _ => None,
        }
    }

    /// Whether the keys of a dict that has just been written are worth to be noted: it comes again.
    #[inline(always)]
    pub(super) fn comes_again(&mut self) -> bool {
        self.known == 0 && std::mem::replace(&mut self.was_written, true)
    }

    /// Notes the next key.
    pub(super) fn note(&mut self, key: &Object, fetch: Fetch) {
        if let Some(place) = self.keys.get_mut(self.known) {
            *place = (key.address(), fetch);
            self.known += 1;
        }
    }
}

pub(super) struct Rows([Row; ROWS]);

impl Default for Rows {
    fn default() -> Rows {
        Rows(
            [Row {
                stamp: 0,
                first: 0,
                count: 0,
                was_written: false,
                known: 0,
                keys: [(0, Fetch::default()); KEYS],
            }; ROWS],
        )
    }
}

impl Rows {
    /// The number of the row of dicts with this first key, and so many, as far as a memo with this
    /// stamp knows it.
    #[inline(always)]
    pub(super) fn find(&mut self, stamp: u64, first: &Object, count: usize) -> usize {
        let first = first.address();
        let number = ((first >> 4) ^ count) % ROWS;
        let row = &mut self.0[number];
        if row.stamp != stamp || row.first != first || row.count != count {
            (row.stamp, row.first, row.count) = (stamp, first, count);
            (row.was_written, row.known) = (false, 0);
        }
        number
    }

    #[inline(always)]
    pub(super) fn row(&mut self, number: usize) -> &mut Row {
        &mut self.0[number % ROWS]
    }
}
