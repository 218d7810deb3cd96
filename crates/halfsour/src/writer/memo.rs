//! What was written, and may come again: names, classes, and what Rust shares.

use hashbrown::{Equivalent, HashMap};

use crate::emitter::Fetch;

/// Where a shared value is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// In the memo, at this index; and the class for which it has no hash.
    At(i64, Option<&'static str>),
    /// It is being written, and not in the memo yet.
    Open,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OwnedPair(Box<str>, Box<str>);

#[derive(Hash)]
struct Pair<'s>(&'s str, &'s str);

impl Equivalent<OwnedPair> for Pair<'_> {
    fn equivalent(&self, key: &OwnedPair) -> bool {
        self.0 == &*key.0 && self.1 == &*key.1
    }
}

/// A name, by where it is in the program, and how it is referred to.
#[derive(Clone, Copy, Debug, Default)]
struct Static {
    address: usize,
    len: usize,
    fetch: Fetch,
}

const STATICS: usize = 256;

/// The memo of one pickle.
#[derive(Debug, Default)]
pub(super) struct Memo {
    /// How many objects the unpickler will have in its memo.
    len: i64,
    /// Names by where they are in the program, which is quicker than by their characters. A place is
    /// for several: who comes, stays until the next.
    statics: Vec<Static>,
    /// Strings of which Python has but one: names, and those of one character.
    interned: HashMap<Box<str>, i64>,
    /// `bytes` of which Python has but one: empty, or one byte.
    small_bytes: HashMap<Option<u8>, i64>,
    globals: HashMap<OwnedPair, i64>,
    shared: HashMap<usize, Place>,
}

impl Memo {
    /// The index of the next object.
    #[inline]
    pub(super) fn next(&mut self) -> i64 {
        let index = self.len;
        self.len += 1;
        index
    }

    /// How many objects are in it.
    pub(super) fn len(&self) -> i64 {
        self.len
    }

    /// How a name is referred to, in binary protocols, if it is known.
    #[inline(always)]
    pub(super) fn name(&self, name: &'static str) -> Option<Fetch> {
        let (address, len) = (name.as_ptr().addr(), name.len());
        let found = self.statics.get(place(address, len))?;
        (found.address == address && found.len == len).then_some(found.fetch)
    }

    /// Notes where a name is.
    pub(super) fn note_name(&mut self, name: &'static str, fetch: Fetch) {
        let (address, len) = (name.as_ptr().addr(), name.len());
        if self.statics.is_empty() {
            self.statics = vec![Static::default(); STATICS];
        }
        if let Some(entry) = self.statics.get_mut(place(address, len)) {
            *entry = Static { address, len, fetch };
        }
    }

    pub(super) fn interned(&self, text: &str) -> Option<i64> {
        self.interned.get(text).copied()
    }

    pub(super) fn note_interned(&mut self, text: &str, index: i64) {
        self.interned.insert(text.into(), index);
    }

    pub(super) fn small_bytes(&self, bytes: &[u8]) -> Option<i64> {
        self.small_bytes.get(&bytes.first().copied()).copied()
    }

    pub(super) fn note_small_bytes(&mut self, bytes: &[u8], index: i64) {
        self.small_bytes.insert(bytes.first().copied(), index);
    }

    pub(super) fn global(&self, module: &str, name: &str) -> Option<i64> {
        self.globals.get(&Pair(module, name)).copied()
    }

    pub(super) fn note_global(&mut self, module: &str, name: &str, index: i64) {
        self.globals.insert(OwnedPair(module.into(), name.into()), index);
    }

    pub(super) fn shared(&self, key: usize) -> Option<Place> {
        self.shared.get(&key).copied()
    }

    pub(super) fn note_shared(&mut self, key: usize, place: Place) {
        self.shared.insert(key, place);
    }

    /// Forgets a shared value that was written, unless it is in the memo.
    pub(super) fn close_shared(&mut self, key: usize) {
        if let Some(Place::Open) = self.shared(key) {
            self.shared.remove(&key);
        }
    }
}

/// Names that are near to each other in the program go to different places.
#[inline(always)]
fn place(address: usize, len: usize) -> usize {
    (address ^ len << 3 ^ address >> 8) % STATICS
}
