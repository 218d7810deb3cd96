//! The memo of a load that nobody else can see, and that mostly borrows.
//!
//! Taking a reference to each object and giving it back at the end would be a good part of a load's
//! work. What is memoized is alive anyway: it is on the stack, or in something that is.
//!
//! What makes [`Recall`] safe: an entry that does not own its object was put after the last
//! [`own`](Recall::own), and since then nothing ran that takes references out of objects. The code
//! that runs ahead of the machine only adds to containers, and hands every reference that it takes
//! off the stack without putting it into an object to [`let_go`](Recall::let_go). Before anything
//! else runs (Python, the collector, the machine itself), it calls `own`.

use super::object::{Obj, Object};
use pyo3_ffi as c;

/// What an entry stands for that was not made, since hardly any pickle asks for it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Elided {
    /// the dict of an instance's state
    State = 1,
    /// the dict of an instance's slots
    SlotState,
    /// None and the dict of the slots
    SlotPair,
    /// the tuple that a tuple of another class was made from
    Items,
    /// the bytes that an object of `datetime` was made from
    Packed,
    /// the bytes, in a tuple
    PackedArgs,
    /// a dict whose items are being read
    Dict,
}

/// What is found at an index.
pub(crate) enum Entry<'a> {
    Object(&'a Object),
    /// Something can be made again from this object.
    Elided(Elided, &'a Object),
}

/// Objects are aligned to so many bytes at least; what is below tells entries apart.
const TAGS: usize = 7;

/// Objects by memo index, without gaps.
#[derive(Default)]
pub(crate) struct Recall {
    /// addresses, with what they stand for in the lowest bits
    entries: Vec<usize>,
    /// The entries before this place own their objects.
    owned: usize,
    /// The entries before this place were looked at by whoever settles.
    settled: usize,
    /// Something was elided since.
    elides: bool,
    /// Objects that nothing but an entry holds.
    kept: Vec<Obj>,
    /// Indexes of elided pairs, rising, each with its dict's, where that is not the one before.
    pairs: Vec<(usize, usize)>,
}

/// How many entries are kept room for.
const RETAINED: usize = 1 << 14;

impl Recall {
    /// The index at which MEMOIZE stores.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Stores an object at the next index.
    #[inline(always)]
    pub(crate) fn push(&mut self, object: &Object) {
        self.entries.push(object.address());
    }

    /// Stores at the next index what can be made from an object.
    #[inline(always)]
    pub(crate) fn push_elided(&mut self, what: Elided, source: &Object) {
        self.entries.push(source.address() | what as usize);
        self.elides = true;
    }

    /// Stores at the next index the pair of None and the elided dict of slots at `dict`.
    #[inline(always)]
    pub(crate) fn push_slot_pair(&mut self, dict: usize, source: &Object) {
        let index = self.entries.len();
        if dict + 1 != index {
            self.pairs.push((index, dict));
        }
        self.push_elided(Elided::SlotPair, source);
    }

    /// The index of the dict of an elided pair.
    pub(crate) fn dict_of_pair(&self, index: usize) -> usize {
        let found = self.pairs.binary_search_by_key(&index, |pair| pair.0);
        found.map_or(index.saturating_sub(1), |place| self.pairs[place].1)
    }

    /// Whether this object was stored last.
    #[inline(always)]
    pub(crate) fn is_last(&self, object: &Object) -> bool {
        self.entries.last() == Some(&object.address())
    }

    /// Whether this object is stored at an index.
    #[inline(always)]
    pub(crate) fn is_at(&self, index: usize, object: &Object) -> bool {
        self.entries.get(index) == Some(&object.address())
    }

    /// The object at an index, if it is made.
    #[inline(always)]
    pub(crate) fn object(&self, index: usize) -> Option<&Object> {
        match self.get(index) {
            Some(Entry::Object(object)) => Some(object),
            _ => None,
        }
    }

    /// Stores the dict at an index at which it was elided, since the last [`own`](Recall::own).
    #[inline(always)]
    pub(crate) fn fill(&mut self, index: usize, dict: &Object) {
        debug_assert!(index >= self.owned, "else the entry would have to own the dict");
        self.entries[index] = dict.address();
    }

    #[inline(always)]
    pub(crate) fn get(&self, index: usize) -> Option<Entry<'_>> {
        self.entries.get(index).map(|&entry| Recall::read(entry))
    }

    #[inline(always)]
    fn read<'a>(entry: usize) -> Entry<'a> {
        let ptr = std::ptr::with_exposed_provenance_mut::<c::PyObject>(entry & !TAGS);
        // SAFETY: entries are the addresses of objects that are alive, see the module.
        let object = unsafe { Object::from_ptr(ptr) };
        match entry & TAGS {
            0 => Entry::Object(object),
            1 => Entry::Elided(Elided::State, object),
            2 => Entry::Elided(Elided::SlotState, object),
            3 => Entry::Elided(Elided::SlotPair, object),
            4 => Entry::Elided(Elided::Items, object),
            5 => Entry::Elided(Elided::Packed, object),
            6 => Entry::Elided(Elided::PackedArgs, object),
            _ => Entry::Elided(Elided::Dict, object),
        }
    }

    /// Puts an object where something was elided.
    pub(crate) fn replace(&mut self, index: usize, object: Obj) {
        let Some(entry) = self.entries.get_mut(index) else { return };
        let Entry::Elided(_, source) = Recall::read(*entry) else { return };
        *entry = object.address();
        if index < self.owned {
            // SAFETY: the entry owned a reference to the source; it owns one to the object now.
            let source = unsafe { Obj::from_owned_opt(source.as_ptr()) };
            self.kept.extend(source);
            std::mem::forget(object);
        } else {
            self.kept.push(object);
        }
    }

    /// Gives up a reference from the stack.
    #[inline(always)]
    pub(crate) fn let_go(&mut self, object: Obj) {
        if object.is_unshared() {
            self.kept.push(object);
        }
    }

    /// The entries since the last [`settled`](Recall::settled).
    pub(crate) fn unsettled(&self) -> std::ops::Range<usize> {
        self.settled..self.entries.len()
    }

    /// Whether something is elided among them.
    pub(crate) fn elides(&self) -> bool {
        self.elides
    }

    /// What is elided in the entries so far may stay so. Owns them.
    pub(crate) fn settled(&mut self) {
        self.own();
        self.settled = self.entries.len();
        self.elides = false;
    }

    /// Lets go of what was kept for entries that own it now. May run finalisers.
    #[inline(always)]
    pub(crate) fn drop_kept(&mut self) {
        debug_assert_eq!(self.owned, self.entries.len());
        if !self.kept.is_empty() {
            self.clear_kept();
        }
    }

    fn clear_kept(&mut self) {
        while self.kept.pop().is_some() {}
        if self.kept.capacity() > RETAINED {
            self.kept = Vec::new();
        }
    }

    /// From here on the entries so far are alive whatever happens.
    #[inline]
    pub(crate) fn own(&mut self) {
        for &entry in &self.entries[self.owned..] {
            let (Entry::Object(object) | Entry::Elided(_, object)) = Recall::read(entry);
            std::mem::forget(object.own());
        }
        self.owned = self.entries.len();
    }

    /// Takes objects over, the first to be stored; it must be empty.
    pub(crate) fn adopt(&mut self, objects: Vec<Obj>) {
        debug_assert!(self.entries.is_empty() && self.owned == 0);
        self.entries
            .extend(objects.into_iter().map(|object| object.into_ptr().expose_provenance()));
        self.owned = self.entries.len();
        self.settled = self.owned;
    }

    /// Forgets the entries that do not own their objects. Without memory these may be gone: what was to
    /// hold them could not be made.
    pub(crate) fn forget_borrowed(&mut self) {
        self.entries.truncate(self.owned);
    }

    /// Hands over all objects, in the order of their indexes; nothing may be elided.
    pub(crate) fn take(&mut self) -> Vec<Obj> {
        self.own();
        self.owned = 0;
        self.settled = 0;
        self.elides = false;
        self.pairs.clear();
        let object = |entry| {
            let (Entry::Object(object) | Entry::Elided(_, object)) = Recall::read(entry);
            // SAFETY: each entry owned a reference, which the result has now.
            unsafe { Obj::from_owned_opt(object.as_ptr()) }
        };
        if self.entries.len() > RETAINED {
            // In the same memory.
            return std::mem::take(&mut self.entries).into_iter().filter_map(object).collect();
        }
        self.entries.drain(..).filter_map(object).collect()
    }

    /// Forgets everything, from the highest index down. May run finalisers.
    pub(crate) fn clear(&mut self) {
        self.entries.truncate(self.owned);
        while self.owned > 0 {
            self.owned -= 1;
            if let Some(entry) = self.entries.pop() {
                let (Entry::Object(object) | Entry::Elided(_, object)) = Recall::read(entry);
                // SAFETY: the entry owned a reference.
                drop(unsafe { Obj::from_owned_opt(object.as_ptr()) });
            }
        }
        self.entries.clear();
        self.settled = 0;
        self.elides = false;
        if self.entries.capacity() > RETAINED {
            self.entries = Vec::new();
        }
        self.clear_kept();
        self.pairs.clear();
        if self.pairs.capacity() > RETAINED {
            self.pairs = Vec::new();
        }
    }
}

impl Drop for Recall {
    fn drop(&mut self) {
        self.clear();
    }
}
