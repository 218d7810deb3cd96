//! The entries of dicts.

use crate::ffi::error::quietly;
use crate::ffi::object::{Obj, Object};
use crate::ffi::{Dict, Str};
use pyo3_ffi as c;
use std::cell::Cell;

/// Objects/dictobject.c: `PyDictObject`
#[repr(C)]
pub(super) struct DictHead {
    head: c::PyObject,
    pub(super) used: isize,
    /// a version or a watcher's tag
    tag: u64,
    pub(super) keys: *mut Keys,
    /// the values of a split dict, else NULL
    values: *mut u8,
}

impl DictHead {
    /// Whether the table holds the values too, and nobody else need hear of changes.
    pub(super) fn has_own_table(&self) -> bool {
        // From 3.12 on the lowest byte of the tag has a bit for each watcher.
        let watched = cfg!(Py_3_12) && self.tag & 0xff != 0;
        self.values.is_null() && !watched
    }
}

/// Include/internal/pycore_dict.h: `PyDictKeysObject`, before its indexes and its entries
#[repr(C)]
pub(super) struct Keys {
    references: isize,
    log2_size: u8,
    log2_index_bytes: u8,
    kind: u8,
    version: u32,
    usable: isize,
    nentries: isize,
}

const KIND_GENERAL: u8 = 0;

impl Keys {
    /// # Safety
    /// `keys` is a live key table of strings (unicode or split) that does not change for `'a`.
    #[inline(always)]
    pub(super) unsafe fn named<'a>(keys: *const Keys) -> &'a [Named<'a>] {
        // SAFETY: the entries are behind the indexes; `nentries` of them are in use.
        unsafe {
            let entries = keys.add(1).cast::<u8>().add(1 << (*keys).log2_index_bytes);
            std::slice::from_raw_parts(entries.cast(), (*keys).nentries.unsigned_abs())
        }
    }
}

/// An entry of a table whose keys are all strings. The key is missing where it was deleted, and so
/// is the value there and in the key tables that instances share.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Named<'a> {
    pub(crate) key: Option<&'a Object>,
    value: Option<&'a Object>,
}

impl<'a> Named<'a> {
    /// Key and value, if the entry is in use.
    #[inline(always)]
    pub(crate) fn pair(&self) -> Option<(&'a Object, &'a Object)> {
        self.key.zip(self.value)
    }
}

/// An entry of any table.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Hashed<'a> {
    hash: isize,
    key: Option<&'a Object>,
    value: Option<&'a Object>,
}

/// The values of an instance, or of a dict, whose keys are shared.
#[derive(Clone, Copy)]
pub(crate) struct Values<'a> {
    /// by their place in the key table
    values: &'a [Option<&'a Object>],
    /// places, in the order in which the values were set (up to 3.12: the last one first)
    order: &'a [u8],
}

impl<'a> Values<'a> {
    /// # Safety
    /// `values` points at the values that go with a table of `nentries` keys, and they do not change
    /// for `'a`.
    #[inline(always)]
    pub(super) unsafe fn read(values: *const u8, nentries: usize) -> Values<'a> {
        // Up to 3.12, the bytes before the values are: … third, second, first place, the number of
        // places, the size of all this.
        #[cfg(not(Py_3_13))]
        // SAFETY: see above; the values are as many as the table has room for.
        unsafe {
            let count = usize::from(*values.sub(2));
            Values {
                values: std::slice::from_raw_parts(values.cast(), nentries),
                order: std::slice::from_raw_parts(values.sub(2 + count), count),
            }
        }
        // Since: capacity, number of places, two flags; the values; the places.
        #[cfg(Py_3_13)]
        // SAFETY: see above.
        unsafe {
            let (capacity, count) = (usize::from(*values), usize::from(*values.add(1)));
            let items = values.add(8).cast::<Option<&Object>>();
            Values {
                values: std::slice::from_raw_parts(items, nentries.min(capacity)),
                order: std::slice::from_raw_parts(items.add(capacity).cast(), count),
            }
        }
    }

    /// The place in the key table of the value that was set as the `n`th.
    #[inline(always)]
    pub(crate) fn place(&self, n: usize) -> Option<usize> {
        #[cfg(not(Py_3_13))]
        let n = self.order.len().wrapping_sub(1).wrapping_sub(n);
        self.order.get(n).map(|&place| usize::from(place))
    }

    /// How many values there are.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    #[inline(always)]
    pub(crate) fn get(&self, place: usize) -> Option<&'a Object> {
        self.values.get(place).copied().flatten()
    }
}

/// What a dict holds, in its order. Slots are counted as the positions of PyDict_Next are.
#[derive(Clone, Copy)]
pub(crate) enum Entries<'a> {
    /// all keys are strings
    Named(&'a [Named<'a>]),
    /// any keys
    Hashed(&'a [Hashed<'a>]),
    /// strings, shared with other dicts and instances
    Split(&'a [Named<'a>], Values<'a>),
}

impl<'a> Entries<'a> {
    /// How many slots there are; some may be empty.
    #[inline(always)]
    pub(crate) fn slots(&self) -> usize {
        match self {
            Entries::Named(entries) => entries.len(),
            Entries::Hashed(entries) => entries.len(),
            Entries::Split(_, values) => values.order.len(),
        }
    }

    /// Key and value in a slot.
    #[inline(always)]
    pub(crate) fn get(&self, slot: usize) -> Option<(&'a Object, &'a Object)> {
        match self {
            Entries::Named(entries) => entries.get(slot)?.pair(),
            Entries::Hashed(entries) => {
                let entry = entries.get(slot)?;
                entry.key.zip(entry.value)
            }
            Entries::Split(keys, values) => {
                let place = values.place(slot)?;
                keys.get(place)?.key.zip(values.get(place))
            }
        }
    }
}

impl Dict {
    /// Whether the dict has just this object under a string. `slot` is where it was last.
    #[inline]
    pub(crate) fn has_at(&self, slot: &Cell<usize>, key: &Object, value: &Object) -> bool {
        let entries = self.entries();
        let same_text = |other: &Object| {
            let (other, key) = (other.cast_exact::<Str>(), key.cast_exact::<Str>());
            other.zip(key).is_some_and(|(other, key)| {
                other.ascii().is_some_and(|other| key.ascii() == Some(other))
            })
        };
        let is_it = |slot: usize| {
            let pair = entries.get(slot);
            pair.is_some_and(|(k, v)| v.is(value) && (k.is(key) || same_text(k)))
        };
        if is_it(slot.get()) {
            return true;
        }
        let found = (0..entries.slots()).find(|&slot| is_it(slot));
        slot.set(found.unwrap_or_default());
        found.is_some()
    }

    /// This dict, if all its keys are strings: looking one up runs no Python then.
    #[inline(always)]
    pub(crate) fn of_names(&self) -> Option<&Dict> {
        (!matches!(self.entries(), Entries::Hashed(_))).then_some(self)
    }

    /// What it has under a string. None also where that is not to be seen without running Python.
    pub(crate) fn get_quietly(&self, name: &Object) -> Option<Obj> {
        name.cast_exact::<Str>()?;
        quietly(self.of_names()?.get(name)).flatten()
    }

    /// What it has under this very key. `slot` is where it was last.
    #[inline]
    pub(crate) fn find_at(&self, slot: &Cell<usize>, key: &Object) -> Option<&Object> {
        let entries = self.entries();
        let is_it = |slot: &usize| entries.get(*slot).is_some_and(|(found, _)| found.is(key));
        if !is_it(&slot.get()) {
            slot.set((0..entries.slots()).find(is_it)?);
        }
        entries.get(slot.get()).map(|(_, value)| value)
    }

    /// Whether there may be a key that is equal to this one, a string or a tuple of strings. Runs no
    /// Python: where a key is asked for that, the hash alone decides.
    pub(crate) fn may_have(&self, key: &Object) -> bool {
        // SAFETY: a live object. Hashing strings, and comparing them in tables that have no other
        // keys, runs no Python.
        unsafe {
            match self.entries() {
                Entries::Hashed(entries) => {
                    let hash = c::PyObject_Hash(key.as_ptr());
                    entries.iter().any(|entry| entry.hash == hash && entry.key.is_some())
                }
                _ => c::PyDict_Contains(self.as_ptr(), key.as_ptr()) != 0,
            }
        }
    }

    /// The entries, until something changes the dict.
    #[inline(always)]
    pub(crate) fn entries(&self) -> Entries<'_> {
        let dict = self.as_ptr().cast::<DictHead>();
        // SAFETY: a live dict has a live key table, whose kind says what its entries are; where it
        // has values of its own, the keys are split. Changing them takes running Python (rule 3).
        unsafe {
            let keys = (*dict).keys;
            if !(*dict).values.is_null() {
                let named = Keys::named(keys);
                Entries::Split(named, Values::read((*dict).values, named.len()))
            } else if (*keys).kind == KIND_GENERAL {
                let entries = keys.add(1).cast::<u8>().add(1 << (*keys).log2_index_bytes);
                let count = (*keys).nentries.unsigned_abs();
                Entries::Hashed(std::slice::from_raw_parts(entries.cast(), count))
            } else {
                Entries::Named(Keys::named(keys))
            }
        }
    }
}
