//! The pickler's memo: which objects were written already, and under which index.

use crate::ffi::{Obj, Object};
use halfsour::OutOfMemory;

/// Objects by identity, each with its memo index.
///
/// The memo keeps its objects alive, so that an address stays the object's own. Dropping one of them
/// may run Python: what a method gives back is to be dropped when the memo is no longer borrowed.
#[derive(Default)]
pub(crate) struct Memo {
    /// Open addressing with linear probing; a power of two in size, at most two thirds full.
    slots: Vec<Slot>,
    /// In the order of insertion.
    objects: Vec<Obj>,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    /// 0 for an empty slot
    address: usize,
    index: i64,
}

const FIRST_SIZE: usize = 16;

impl Memo {
    /// The number of objects, which is the next index.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.objects.len()
    }

    /// The index of an object.
    #[inline]
    pub(crate) fn get(&self, object: &Object) -> Option<i64> {
        if self.slots.is_empty() {
            return None;
        }
        let slot = self.slots[self.find(object.address())];
        (slot.address != 0).then_some(slot.index)
    }

    /// Gives an object an index. Gives the reference back if the memo has the object already.
    #[inline]
    pub(crate) fn insert(&mut self, object: Obj, index: i64) -> Result<Option<Obj>, OutOfMemory> {
        if (self.objects.len() + 1) * 3 > self.slots.len() * 2 {
            self.grow()?;
        }
        let place = self.find(object.address());
        let known = self.slots[place].address != 0;
        self.slots[place] = Slot { address: object.address(), index };
        if known {
            return Ok(Some(object));
        }
        self.objects.push(object);
        Ok(None)
    }

    // Objects are aligned to 16 bytes and often allocated in the order in which they are written:
    // neighbours in memory are neighbours here.
    #[inline]
    fn find(&self, address: usize) -> usize {
        let mask = self.slots.len() - 1;
        let mut place = (address >> 4) & mask;
        while self.slots[place].address != 0 && self.slots[place].address != address {
            place = (place + 1) & mask;
        }
        place
    }

    #[cold]
    fn grow(&mut self) -> Result<(), OutOfMemory> {
        let size = (self.slots.len() * 4).max(FIRST_SIZE);
        let mut slots = Vec::new();
        slots.try_reserve_exact(size)?;
        slots.resize(size, Slot::default());
        // Room for all objects that the slots will take.
        self.objects.try_reserve(size * 2 / 3 + 1 - self.objects.len())?;
        let old = std::mem::replace(&mut self.slots, slots);
        for slot in old.into_iter().filter(|slot| slot.address != 0) {
            let place = self.find(slot.address);
            self.slots[place] = slot;
        }
        Ok(())
    }

    /// Objects and their indexes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Obj, i64)> {
        self.objects.iter().map(|object| (object, self.slots[self.find(object.address())].index))
    }

    /// The objects.
    pub(crate) fn objects(&self) -> &[Obj] {
        &self.objects
    }

    /// An independent copy.
    pub(crate) fn copy(&self) -> Memo {
        Memo { slots: self.slots.clone(), objects: self.objects.clone() }
    }

    /// The size in memory, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>() + self.objects.capacity() * size_of::<Obj>()
    }
}
