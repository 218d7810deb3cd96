//! The pickler's memo: which objects were written already, and under which index.

use crate::ffi::{Obj, Object};
use halfsour::OutOfMemory;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Objects by identity, each with its memo index.
///
/// The memo keeps its objects alive, so that an address stays the object's own. Dropping one of them
/// may run Python: what a method gives back is to be dropped when the memo is no longer borrowed.
///
/// While nothing can run Python, a dump may [note](Memo::note) objects without keeping them, and
/// [skip](Memo::skip) the indexes of those that cannot come again.
pub(crate) struct Memo {
    /// Open addressing with linear probing; a power of two in size. At most half full where small: kilobytes
    /// that overlap cost long searches, in some layouts of memory and not in others. Two thirds where large.
    slots: Vec<Slot>,
    /// How many slots of this generation there are.
    used: usize,
    /// How many there may be.
    limit: usize,
    /// Slots of other generations are empty.
    generation: u32,
    /// In the order of insertion, without those that are only noted.
    objects: Vec<Obj>,
    /// Indexes that do not fit into a slot, by address: programs can make them.
    odd: Vec<(usize, i64)>,
    next: usize,
    stamp: u64,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    address: usize,
    index: u32,
    generation: u32,
}

/// What [`Memo::look`] finds.
pub(crate) enum Found {
    Index(i64),
    Vacant(usize),
}

const FIRST_SIZE: usize = 64;

/// The index of a slot whose index is among the odd ones.
const ODD: u32 = u32::MAX;

/// The index of an object that is being written and will have one when it is.
pub(crate) const OPEN: i64 = ODD as i64 - 1;

/// From so many slots on (1 MiB) a memo grows to double its size, not to four times, and only when it is two
/// thirds full: most of its cost is memory that is touched for the first time.
const LARGE: usize = 1 << 16;

/// How many slots are kept when a memo is cleared for the next dump (2 MiB).
const KEPT: usize = 1 << 17;

/// The largest memory that a memo left behind, and the last generation of its slots: the next memo
/// need not ask for memory, nor clear it.
static SPARE: Mutex<(Vec<Slot>, u32)> = Mutex::new((Vec::new(), 0));

static NEXT_STAMPS: AtomicU64 = AtomicU64::new(1);

/// The first of four billion stamps that no other memo has.
fn new_stamps() -> u64 {
    NEXT_STAMPS.fetch_add(1, Ordering::Relaxed) << 32
}

impl Default for Memo {
    fn default() -> Memo {
        Memo {
            slots: Vec::new(),
            used: 0,
            limit: 0,
            generation: 1,
            objects: Vec::new(),
            odd: Vec::new(),
            next: 0,
            stamp: new_stamps(),
        }
    }
}

impl Memo {
    /// The number of objects, which is the next index.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.next
    }

    /// A number that no other memo has, and this one only until it is emptied: as long as it is the
    /// same, an object that had an index has it still.
    #[inline]
    pub(crate) fn stamp(&self) -> u64 {
        self.stamp
    }

    /// The index of an object.
    #[inline(always)]
    pub(crate) fn get(&self, object: &Object) -> Option<i64> {
        if self.slots.is_empty() {
            return None;
        }
        let slot = self.slots[self.find(object.address())];
        (slot.generation == self.generation).then(|| self.index_in(slot))
    }

    #[inline]
    fn index_in(&self, slot: Slot) -> i64 {
        if slot.index != ODD {
            return i64::from(slot.index);
        }
        let odd = self.odd.iter().find(|(address, _)| *address == slot.address);
        odd.map_or(i64::from(ODD), |(_, index)| *index)
    }

    /// The index of an object, or where it would be: a place that is good until something else is put
    /// into the memo.
    #[inline(always)]
    pub(crate) fn look(&mut self, object: &Object) -> Result<Found, OutOfMemory> {
        let place = self.seek(object)?;
        Ok(if self.is_taken(place) {
            Found::Index(self.index_in(self.slots[place]))
        } else {
            Found::Vacant(place)
        })
    }

    /// Gives the next index to the object of a place, without keeping it alive.
    #[inline(always)]
    pub(crate) fn note_at(&mut self, place: usize, object: &Object) -> usize {
        let index = self.next;
        self.set(place, object, index as i64);
        self.next += 1;
        index
    }

    /// As [`note_at`](Memo::note_at), but the memo keeps the object.
    #[inline(always)]
    pub(crate) fn insert_at(&mut self, place: usize, object: Obj) -> Result<usize, OutOfMemory> {
        if self.objects.len() == self.objects.capacity() {
            self.objects.try_reserve(1)?;
        }
        let index = self.note_at(place, &object);
        self.objects.push(object);
        Ok(index)
    }

    /// Gives an object an index. Gives the reference back if the memo has the object already.
    #[inline]
    pub(crate) fn insert(&mut self, object: Obj, index: i64) -> Result<Option<Obj>, OutOfMemory> {
        let place = self.seek(&object)?;
        if self.is_taken(place) {
            self.set(place, &object, index);
            return Ok(Some(object));
        }
        if self.objects.len() == self.objects.capacity() {
            self.objects.try_reserve(1)?;
        }
        self.set(place, &object, index);
        self.objects.push(object);
        self.next += 1;
        Ok(None)
    }

    /// Gives an object the next index, without keeping it alive: it must be so by other means, until
    /// the memo is emptied.
    #[inline]
    pub(crate) fn note(&mut self, object: &Object) -> Result<usize, OutOfMemory> {
        let place = self.seek(object)?;
        Ok(self.note_at(place, object))
    }

    /// Says that an object is being written, and has no index yet: [`OPEN`].
    #[inline]
    pub(crate) fn open(&mut self, object: &Object) -> Result<(), OutOfMemory> {
        let place = self.seek(object)?;
        self.fill(place, object.address(), OPEN as u32);
        Ok(())
    }

    /// Gives the next index to an object that will never be asked for.
    #[inline]
    pub(crate) fn skip(&mut self) -> usize {
        self.next += 1;
        self.next - 1
    }

    /// The place of an object, or where it would be.
    #[inline(always)]
    fn seek(&mut self, object: &Object) -> Result<usize, OutOfMemory> {
        if self.used >= self.limit {
            self.grow()?;
        }
        Ok(self.find(object.address()))
    }

    #[inline(always)]
    fn is_taken(&self, place: usize) -> bool {
        self.slots[place].generation == self.generation
    }

    /// Gives the object of a place this index.
    #[inline(always)]
    fn set(&mut self, place: usize, object: &Object, index: i64) {
        let address = object.address();
        let small = if (0..OPEN).contains(&index) {
            index as u32
        } else {
            self.set_odd(address, index);
            ODD
        };
        self.fill(place, address, small);
    }

    #[cold]
    #[inline(never)]
    fn set_odd(&mut self, address: usize, index: i64) {
        self.odd.retain(|(other, _)| *other != address);
        self.odd.push((address, index));
    }

    #[inline(always)]
    fn fill(&mut self, place: usize, address: usize, index: u32) {
        self.used += usize::from(!self.is_taken(place));
        self.slots[place] = Slot { address, index, generation: self.generation };
    }

    // Objects are aligned to 16 bytes and often allocated in the order in which they are written:
    // neighbours in memory are neighbours here, within a kilobyte. Kilobytes are scattered, or those
    // of different arenas would pile up on one another.
    #[inline(always)]
    fn find(&self, address: usize) -> usize {
        let mask = self.slots.len() - 1;
        let kilobyte = (address >> 10).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let mut place = ((kilobyte << 6) | (address >> 4 & 63)) & mask;
        loop {
            let slot = &self.slots[place & mask];
            if slot.generation != self.generation || slot.address == address {
                return place & mask;
            }
            place += 1;
        }
    }

    #[cold]
    fn grow(&mut self) -> Result<(), OutOfMemory> {
        if self.slots.is_empty()
            && let Ok(mut spare) = SPARE.try_lock()
            && !spare.0.is_empty()
        {
            let (slots, generation) = std::mem::take(&mut *spare);
            self.generation = generation;
            self.set_slots(slots);
            self.next_generation();
            return Ok(());
        }
        let by = if self.slots.len() < LARGE { 4 } else { 2 };
        let size = (self.slots.len() * by).max(FIRST_SIZE);
        let mut slots = Vec::new();
        slots.try_reserve_exact(size)?;
        slots.resize(size, Slot::default());
        let old = self.set_slots(slots);
        for slot in old.into_iter().filter(|slot| slot.generation == self.generation) {
            let place = self.find(slot.address);
            self.slots[place] = slot;
        }
        Ok(())
    }

    /// Changes the slots, and gives back those that were there.
    fn set_slots(&mut self, slots: Vec<Slot>) -> Vec<Slot> {
        self.limit = if slots.len() < LARGE { slots.len() / 2 } else { slots.len() / 3 * 2 };
        std::mem::replace(&mut self.slots, slots)
    }

    /// Empties the memo and keeps some of its memory. The objects are to be dropped when the memo is
    /// no longer borrowed.
    #[inline]
    pub(crate) fn empty(&mut self) -> Vec<Obj> {
        if self.used == 0 && self.next == 0 { Vec::new() } else { self.forget() }
    }

    fn forget(&mut self) -> Vec<Obj> {
        self.used = 0;
        self.next = 0;
        self.odd.clear();
        self.stamp += 1;
        if self.stamp as u32 == 0 {
            self.stamp = new_stamps();
        }
        if self.slots.len() > KEPT {
            self.set_slots(Vec::new());
        }
        self.next_generation();
        std::mem::take(&mut self.objects)
    }

    /// Empties all slots.
    fn next_generation(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        if self.generation == 0 {
            self.generation = 1;
            self.slots.fill(Slot::default());
        }
    }

    /// Objects and their indexes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Obj, i64)> {
        self.objects.iter().map(|object| (object, self.get(object).unwrap_or_default()))
    }

    /// The objects.
    pub(crate) fn objects(&self) -> &[Obj] {
        &self.objects
    }

    /// An independent copy.
    pub(crate) fn copy(&self) -> Memo {
        Memo {
            slots: self.slots.clone(),
            used: self.used,
            limit: self.limit,
            generation: self.generation,
            objects: self.objects.clone(),
            odd: self.odd.clone(),
            next: self.next,
            stamp: new_stamps(),
        }
    }

    /// The size in memory, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>() + self.objects.capacity() * size_of::<Obj>()
    }
}

impl Drop for Memo {
    fn drop(&mut self) {
        if self.slots.len() <= KEPT
            && let Ok(mut spare) = SPARE.try_lock()
            && spare.0.len() < self.slots.len()
        {
            *spare = (std::mem::take(&mut self.slots), self.generation);
        }
    }
}
