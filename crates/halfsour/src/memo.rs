//! The memo of a load: values by index, for pickles that name one value twice.
//!
//! Indexes come from the pickle, so an index that is merely named must not cost memory. Nearly all
//! memos are dense, and live in a vector; an index far beyond what was put before goes to a map.
//! The rule is that of `_Unpickler_MemoPut` in CPython 3.15.

use alloc::vec::Vec;
use core::mem;

use hashbrown::HashMap;

use crate::error::OutOfMemory;

/// Values by memo index.
///
/// ```
/// let mut memo = halfsour::Memo::new(true);
/// assert_eq!(memo.put(0, 'a')?, None);
/// assert_eq!(memo.put(usize::MAX, 'z')?, None); // no vector of that length is made
/// assert_eq!(memo.put(0, 'b')?, Some('a'));
/// assert_eq!(memo.get(usize::MAX), Some(&'z'));
/// assert_eq!(memo.len(), 2);
/// # Ok::<(), halfsour::OutOfMemory>(())
/// ```
#[derive(Clone, Debug)]
pub struct Memo<V> {
    table: Vec<Option<V>>,
    /// How long CPython's table would be: `table` itself is only as long as it must.
    size: usize,
    sparse: HashMap<usize, V>,
    len: usize,
    counts_sparse: bool,
}

const FIRST_SIZE: usize = 32;

impl<V> Memo<V> {
    /// An empty memo.
    ///
    /// MEMOIZE stores at [`len`](Memo::len). Up to CPython 3.14 each first put counts there
    /// (`counts_sparse`); 3.15 counts only what is in the table.
    ///
    /// ```
    /// use halfsour::Memo;
    /// for (counts_sparse, next) in [(true, 1), (false, 0)] {
    ///     let mut memo = Memo::new(counts_sparse);
    ///     memo.put(1000, 'a')?;
    ///     assert_eq!(memo.len(), next);
    /// }
    /// # Ok::<(), halfsour::OutOfMemory>(())
    /// ```
    pub fn new(counts_sparse: bool) -> Memo<V> {
        Memo { table: Vec::new(), size: FIRST_SIZE, sparse: HashMap::new(), len: 0, counts_sparse }
    }

    /// A memo with these entries, put in this order.
    ///
    /// ```
    /// let mut memo = halfsour::Memo::from_pairs(true, [(0, 'a'), (5, 'b')])?;
    /// assert_eq!(memo.get(5), Some(&'b'));
    /// assert_eq!(memo.len(), 2);
    /// # Ok::<(), halfsour::OutOfMemory>(())
    /// ```
    ///
    /// # Errors
    /// [`OutOfMemory`]
    pub fn from_pairs(
        counts_sparse: bool,
        pairs: impl IntoIterator<Item = (usize, V)>,
    ) -> Result<Memo<V>, OutOfMemory> {
        let mut memo = Memo::new(counts_sparse);
        for (index, value) in pairs {
            memo.put(index, value)?;
        }
        Ok(memo)
    }

    /// Puts a value at an index.
    ///
    /// Returns the value that was there. Dropping it may run user code, which may look at the memo:
    /// drop it after the borrow of the memo has ended.
    ///
    /// ```
    /// let mut memo = halfsour::Memo::new(true);
    /// assert_eq!(memo.put(5, 'a')?, None);
    /// assert_eq!(memo.put(5, 'b')?, Some('a'));
    /// assert_eq!(memo.get(5), Some(&'b'));
    /// # Ok::<(), halfsour::OutOfMemory>(())
    /// ```
    ///
    /// # Errors
    /// [`OutOfMemory`]; then the value is dropped here.
    #[inline]
    pub fn put(&mut self, index: usize, value: V) -> Result<Option<V>, OutOfMemory> {
        if index == self.table.len()
            && index < self.table.capacity()
            && index < self.size
            && self.sparse.is_empty()
        {
            self.table.push(Some(value));
            self.len = self.len.wrapping_add(1);
            return Ok(None);
        }
        self.put_slow(index, value)
    }

    /// Puts a value at the next index, which may be said, if that is as simple as in most memos; else
    /// does nothing, and returns false.
    ///
    /// ```
    /// let mut memo = halfsour::Memo::from_pairs(true, [(0, 'a')])?;
    /// assert!(memo.append(None, &'b'));
    /// assert!(memo.append(Some(2), &'c'));
    /// assert!(!memo.append(Some(9), &'d')); // that is for `put`
    /// assert_eq!(memo.len(), 3);
    /// # Ok::<(), halfsour::OutOfMemory>(())
    /// ```
    #[inline]
    pub fn append(&mut self, index: Option<usize>, value: &V) -> bool
    where
        V: Clone,
    {
        let next = self.table.len();
        let simple = self.len == next
            && index.unwrap_or(next) == next
            && next < self.table.capacity()
            && next < self.size
            && self.sparse.is_empty();
        if simple {
            self.table.push(Some(value.clone()));
            self.len = self.len.wrapping_add(1);
        }
        simple
    }

    #[inline(never)]
    fn put_slow(&mut self, index: usize, value: V) -> Result<Option<V>, OutOfMemory> {
        if index >= self.size {
            if index > self.len.saturating_mul(2) {
                self.sparse.try_reserve(1).map_err(|_| OutOfMemory)?;
                let old = self.sparse.insert(index, value);
                if self.counts_sparse && old.is_none() {
                    self.len = self.len.wrapping_add(1);
                }
                return Ok(old);
            }
            self.size = index.saturating_mul(2);
        }
        let old = self.slot(index)?.replace(value);
        // A value from the time when the table was too short for this index.
        let stray = if self.sparse.is_empty() { None } else { self.sparse.remove(&index) };
        if old.is_none() && !(self.counts_sparse && stray.is_some()) {
            self.len = self.len.wrapping_add(1);
        }
        Ok(old.or(stray))
    }

    /// A place in the table: `index` is below `size`, which is bounded by what was put.
    fn slot(&mut self, index: usize) -> Result<&mut Option<V>, OutOfMemory> {
        let length = index.wrapping_add(1);
        if length > self.table.len() {
            if self.table.capacity() == 0 {
                self.table.try_reserve(FIRST_SIZE)?;
            }
            self.table.try_reserve(length.wrapping_sub(self.table.len()))?;
            self.table.resize_with(length, || None);
        }
        Ok(&mut self.table[index])
    }

    /// The value at an index.
    ///
    /// This may move the entry into the table (so does CPython, where it can be seen: the next put
    /// there does not count), which is why it takes `&mut self`.
    ///
    /// ```
    /// let mut memo = halfsour::Memo::from_pairs(true, [(1, 'a')])?;
    /// assert_eq!(memo.get(1), Some(&'a'));
    /// assert_eq!(memo.get(0), None);
    /// # Ok::<(), halfsour::OutOfMemory>(())
    /// ```
    #[inline]
    pub fn get(&mut self, index: usize) -> Option<&V> {
        if self.sparse.is_empty() {
            return self.table.get(index)?.as_ref();
        }
        self.settle(index);
        match self.table.get(index) {
            Some(Some(value)) => Some(value),
            _ => self.sparse.get(&index),
        }
    }

    #[cold]
    fn settle(&mut self, index: usize) {
        if index < self.size && self.sparse.contains_key(&index) && self.slot(index).is_ok() {
            self.table[index] = self.sparse.remove(&index);
        }
    }

    /// The index at which MEMOIZE stores.
    ///
    /// ```
    /// let mut memo = halfsour::Memo::from_pairs(true, [(0, 'a'), (1, 'b')])?;
    /// memo.put(memo.len(), 'c')?;
    /// assert_eq!(memo.get(2), Some(&'c'));
    /// assert_eq!(memo.len(), 3);
    /// # Ok::<(), halfsour::OutOfMemory>(())
    /// ```
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// How many values there are at most: the size of what holds them.
    pub(crate) fn held(&self) -> usize {
        self.table.len() + self.sparse.len()
    }

    /// Whether nothing was put since the memo was made, or emptied by [`take`](Memo::take) or
    /// [`lend_dense`](Memo::lend_dense).
    ///
    /// ```
    /// let mut memo = halfsour::Memo::new(false);
    /// assert!(memo.is_untouched());
    /// memo.put(1000, 'a')?; // which does not count
    /// assert!(memo.is_empty());
    /// assert!(!memo.is_untouched());
    /// # Ok::<(), halfsour::OutOfMemory>(())
    /// ```
    pub fn is_untouched(&self) -> bool {
        self.table.capacity() == 0 && self.sparse.is_empty()
    }

    /// Whether nothing counts, see [`len`](Memo::len).
    ///
    /// ```
    /// let mut memo = halfsour::Memo::new(true);
    /// assert!(memo.is_empty());
    /// memo.put(0, 'a')?;
    /// assert!(!memo.is_empty());
    /// # Ok::<(), halfsour::OutOfMemory>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The entries that count, by rising index: what the memo proxy of CPython shows.
    ///
    /// ```
    /// let memo = halfsour::Memo::from_pairs(true, [(1000, 'c'), (1, 'b'), (0, 'a')])?;
    /// assert_eq!(memo.iter().collect::<Vec<_>>(), [(0, &'a'), (1, &'b'), (1000, &'c')]);
    /// # Ok::<(), halfsour::OutOfMemory>(())
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (usize, &V)> {
        let mut sparse: Vec<_> =
            self.sparse.iter().filter(|_| self.counts_sparse).map(|(&i, v)| (i, v)).collect();
        sparse.sort_unstable_by_key(|(index, _)| *index);
        let mut sparse = sparse.into_iter().peekable();
        let mut table =
            self.table.iter().enumerate().filter_map(|(i, v)| Some((i, v.as_ref()?))).peekable();
        core::iter::from_fn(move || match (table.peek(), sparse.peek()) {
            (Some((i, _)), Some((j, _))) if i > j => sparse.next(),
            (None, Some(_)) => sparse.next(),
            _ => table.next(),
        })
    }

    /// All values, also those that do not count; for what must see each reference (`tp_traverse`).
    ///
    /// ```
    /// let memo = halfsour::Memo::from_pairs(false, [(0, 'a'), (1000, 'b')])?;
    /// assert_eq!(memo.iter().count(), 1);
    /// assert_eq!(memo.values().collect::<Vec<_>>(), [&'a', &'b']);
    /// # Ok::<(), halfsour::OutOfMemory>(())
    /// ```
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.table.iter().flatten().chain(self.sparse.values())
    }

    /// Hands the values over, if their indexes are those from 0 on: with each put again, in this order,
    /// the memo is what it was.
    ///
    /// ```
    /// let mut memo = halfsour::Memo::from_pairs(true, [(0, 'a'), (1, 'b')])?;
    /// let lent = memo.lend_dense().unwrap();
    /// assert_eq!(lent, ['a', 'b']);
    /// assert_eq!(memo.len(), 0);
    /// for (index, value) in lent.into_iter().enumerate() {
    ///     memo.put(index, value)?;
    /// }
    /// assert_eq!(memo.get(1), Some(&'b'));
    /// # Ok::<(), halfsour::OutOfMemory>(())
    /// ```
    #[must_use = "the memo is empty now"]
    pub fn lend_dense(&mut self) -> Option<Vec<V>> {
        if !self.sparse.is_empty() || self.len != self.table.len() {
            return None;
        }
        self.len = 0;
        Some(mem::take(&mut self.table).into_iter().flatten().collect())
    }

    /// Takes values for the indexes from 0 on, as if each was put in turn. The memo must be empty.
    ///
    /// ```
    /// let mut memo = halfsour::Memo::new(true);
    /// memo.fill_dense(vec!['a', 'b']);
    /// assert_eq!(memo.get(1), Some(&'b'));
    /// assert_eq!(memo.len(), 2);
    /// ```
    pub fn fill_dense(&mut self, values: Vec<V>) {
        debug_assert!(self.table.is_empty() && self.sparse.is_empty(), "it must be empty");
        while self.size < values.len() {
            self.size = self.size.saturating_mul(2);
        }
        self.len = values.len();
        self.table = values.into_iter().map(Some).collect();
    }

    /// Empties the memo and hands the entries over, so that they can be dropped elsewhere.
    ///
    /// ```
    /// let mut memo = halfsour::Memo::from_pairs(true, [(0, 'a')])?;
    /// let taken = memo.take();
    /// assert_eq!(memo.len(), 0);
    /// assert_eq!(taken.iter().next(), Some((0, &'a')));
    /// # Ok::<(), halfsour::OutOfMemory>(())
    /// ```
    #[must_use = "dropping values may run user code: do it outside of a borrow"]
    pub fn take(&mut self) -> Memo<V> {
        mem::replace(self, Memo::new(self.counts_sparse))
    }
}

impl<V> Drop for Memo<V> {
    /// From the highest index down, as `_Unpickler_MemoCleanup` does: finalisers see the order.
    fn drop(&mut self) {
        if !self.counts_sparse {
            // CPython 3.15 has a table and a dict too, and starts with the table.
            while self.table.pop().is_some() {}
        }
        let mut indexes: Vec<usize> = self.sparse.keys().copied().collect();
        indexes.sort_unstable();
        for index in indexes.iter().rev() {
            while self.table.len() > *index {
                self.table.pop();
            }
            drop(self.sparse.remove(index));
        }
        while self.table.pop().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filling_is_putting() {
        for count in [0, 1, 31, 32, 33, 64, 65, 1000] {
            let (mut filled, mut put) = (Memo::new(true), Memo::new(true));
            filled.fill_dense((0..count).collect());
            for index in 0..count {
                put.put(index, index).unwrap();
            }
            assert_eq!((filled.len(), filled.size), (put.len(), put.size));
            assert!(filled.iter().eq(put.iter()));
        }
    }

    #[test]
    fn drops_from_the_highest_index() {
        use std::{cell::RefCell, rc::Rc};
        struct Noted(usize, Rc<RefCell<Vec<usize>>>);
        impl Drop for Noted {
            fn drop(&mut self) {
                self.1.borrow_mut().push(self.0);
            }
        }
        for (counts_sparse, expected) in [(true, [90, 2, 1, 0]), (false, [2, 1, 0, 90])] {
            let notes = Rc::new(RefCell::new(Vec::new()));
            let indexes = [90, 0, 1, 2].map(|index| (index, Noted(index, notes.clone())));
            drop(Memo::from_pairs(counts_sparse, indexes).unwrap());
            assert_eq!(*notes.borrow(), expected);
        }
    }

    #[test]
    fn lends_what_is_dense() {
        let mut memo = Memo::from_pairs(true, (0..50).map(|index| (index, index))).unwrap();
        let before = format!("{memo:?}");
        let lent = memo.lend_dense().unwrap();
        assert_eq!((memo.len(), lent.len()), (0, 50));
        for (index, value) in lent.into_iter().enumerate() {
            assert_eq!(memo.put(index, value), Ok(None));
        }
        assert_eq!(format!("{memo:?}"), before);

        for pairs in [&[(0, 'a'), (2, 'c')][..], &[(1, 'b')], &[(0, 'a'), (1000, 'z')]] {
            for counts_sparse in [true, false] {
                let mut memo = Memo::from_pairs(counts_sparse, pairs.iter().copied()).unwrap();
                assert_eq!(memo.lend_dense(), None);
                assert_eq!(memo.values().count(), pairs.len());
            }
        }
    }

    /// Sparse entries as CPython 3.15.2 shows them in `Unpickler.memo.copy()`.
    #[test]
    fn sparse_entries() {
        let far_then_near = |get: bool| {
            let mut memo = Memo::new(false);
            memo.put(40, 'x').unwrap();
            (0..32).for_each(|index| assert_eq!(memo.put(index, 'i'), Ok(None)));
            assert_eq!(memo.len(), 32);
            // MEMOIZE at 32 makes the table long enough for 40.
            memo.put(memo.len(), 'm').unwrap();
            if get {
                assert_eq!(memo.get(40), Some(&'x'));
            }
            assert_eq!(memo.put(40, 'y'), Ok(Some('x')));
            memo.put(memo.len(), 'n').unwrap();
            memo.iter().map(|(index, _)| index).filter(|index| *index >= 32).collect::<Vec<_>>()
        };
        // What was moved by a get is there already, and its next put does not count.
        assert_eq!(far_then_near(true), [32, 33, 40]);
        assert_eq!(far_then_near(false), [32, 34, 40]);

        let mut memo = Memo::from_pairs(false, [(1000, 1), (50, 2), (31, 3)]).unwrap();
        memo.put(memo.len(), 4).unwrap();
        memo.put(memo.len(), 5).unwrap();
        assert_eq!(memo.iter().map(|(index, _)| index).collect::<Vec<_>>(), [1, 2, 31]);
        assert_eq!(memo.values().count(), 5);
    }
}
