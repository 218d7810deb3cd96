//! Records: dicts with the same few keys, again and again.
//!
//! Once such a dict was loaded, the references to its keys tell what dict comes next: only the values
//! are made, and the dict is a copy of an earlier one's table. What keys may follow each other is a
//! tree, since records of one kind often lack some of them.

use super::leaves::Leaves;
use super::stretch::Stretch;
use super::{Ahead, PyHeap};
use crate::ffi::recall::Elided;
use crate::ffi::stack::{moved, push};
use crate::ffi::{Dict, Obj, Object, Own, PyResult};

/// The keys of this load's records.
pub(super) struct Rows {
    nodes: Vec<Node>,
    /// The nodes of first keys, plus one, by the key's address.
    first: Box<[u32]>,
}

const FIRST: usize = 64;

/// After so many, records with this first key are not looked for any more.
const MOST_MISSES: u8 = 8;

/// So many are kept.
const MOST: usize = 1 << 10;

/// A key that may come next.
struct Node {
    key: Obj,
    /// The key before it.
    before: Option<usize>,
    /// Another key that may come in its place.
    other: Option<usize>,
    /// A key that may come after it.
    after: Option<usize>,
    /// A dict that ends with it, with all values None.
    template: Option<Own<Dict>>,
    /// How many dicts that began with it, one after the other, turned out to be something else.
    misses: u8,
}

impl Default for Rows {
    fn default() -> Rows {
        Rows { nodes: Vec::new(), first: Box::new([0; FIRST]) }
    }
}

impl Rows {
    /// Forgets them all. No key and no template has a finaliser.
    pub(super) fn clear(&mut self) {
        if !self.nodes.is_empty() {
            self.nodes.clear();
            self.first.fill(0);
        }
    }

    fn place(key: &Object) -> usize {
        let address = key.address();
        (address >> 4 ^ address >> 10) % FIRST
    }

    /// The node of a key that begins dicts.
    #[inline(always)]
    fn first(&self, key: &Object) -> Option<usize> {
        let node = (self.first[Rows::place(key)] as usize).checked_sub(1)?;
        self.nodes.get(node).is_some_and(|node| node.key.is(key)).then_some(node)
    }

    /// Whether dicts with these keys, each with its value behind it, are known already.
    #[inline(always)]
    pub(super) fn know(&self, pairs: &[[Obj; 2]]) -> bool {
        let Some(([first, _], rest)) = pairs.split_first() else { return false };
        let mut node = self.first(first);
        for [key, _] in rest {
            let Some(before) = node else { return false };
            node = self.nodes[before].after;
            while let Some(other) = node.filter(|node| !self.nodes[*node].key.is(key)) {
                node = self.nodes[other].other;
            }
        }
        node.is_some_and(|node| self.nodes[node].template.is_some())
    }

    /// The node of the key that a BINGET at `at` refers to, after another.
    #[inline(always)]
    fn next(&self, node: usize, leaves: &Leaves<'_>, at: usize) -> Option<(usize, usize)> {
        let mut next = self.nodes[node].after;
        while let Some(node) = next {
            if let Some(end) = leaves.is_reference(at, &self.nodes[node].key) {
                return Some((node, end));
            }
            next = self.nodes[node].other;
        }
        None
    }

    /// The keys up to this one.
    fn keys(&self, node: usize) -> Vec<Obj> {
        let nodes = std::iter::successors(Some(node), |node| self.nodes[*node].before);
        let mut keys: Vec<Obj> = nodes.map(|node| self.nodes[node].key.clone()).collect();
        keys.reverse();
        keys
    }

    /// Adds a dict that this load has now made.
    #[cold]
    pub(super) fn add(&mut self, dict: &Dict) -> PyResult<()> {
        let entries = dict.entries();
        if self.nodes.len() + entries.slots() > MOST {
            return Ok(());
        }
        let mut at: Option<usize> = None;
        for (key, _) in (0..entries.slots()).filter_map(|slot| entries.get(slot)) {
            let known = match at {
                None => self.first(key),
                Some(node) => {
                    std::iter::successors(self.nodes[node].after, |node| self.nodes[*node].other)
                        .find(|node| self.nodes[*node].key.is(key))
                }
            };
            let node = known.unwrap_or(self.nodes.len());
            if known.is_none() {
                let other = match at {
                    None => {
                        self.first[Rows::place(key)] = node as u32 + 1;
                        None
                    }
                    Some(before) => self.nodes[before].after.replace(node),
                };
                let key = key.own();
                self.nodes.push(Node {
                    key,
                    before: at,
                    other,
                    after: None,
                    template: None,
                    misses: 0,
                });
            }
            at = Some(node);
        }
        if let Some(node) = at
            && self.nodes[node].template.is_none()
        {
            self.nodes[node].template = dict.to_template()?;
        }
        Ok(())
    }
}

impl<const RECALLS: bool> Stretch<'_, '_, RECALLS> {
    /// EMPTY_DICT, which ends at `at`, and the items of a record without containers. False, and
    /// nothing is done, if something else comes. If that shows later, what came before is put on the
    /// stack as usual.
    #[inline(always)]
    pub(super) fn row(&mut self, at: usize) -> PyResult<bool> {
        let index = self.heap.ahead.recall.len();
        let Some(at) = self.memo_opcode(at, index) else { return Ok(false) };
        let Some([b'(', b'h', key, ..]) = self.bytes.get(at..) else { return Ok(false) };
        let PyHeap { ahead, unpickler, state, .. } = &mut *self.heap;
        let Ahead { recall, rows, .. } = &mut **ahead;
        let Some(first) = recall.object((*key).into()).and_then(|key| rows.first(key)) else {
            return Ok(false);
        };
        if rows.nodes[first].misses == MOST_MISSES {
            return Ok(false);
        }
        let mut node = first;
        recall.push_elided(Elided::Dict, Object::none());
        let start = self.stack.len();
        let (bytes, byte_ints) = (self.bytes, &*state.byte_ints);
        let mut leaves = Leaves { bytes, recall: Some(recall), memo: &unpickler.memo, byte_ints };
        // Where the opcode after the last item is, and where its value is.
        let (mut at, mut value_at) = (at + 1, at + 3);
        let mut failed = None;
        let template = loop {
            let leaf = leaves.next(value_at).unwrap_or_else(|raised| {
                failed = Some(raised);
                None
            });
            let Some((value, end)) = leaf else { break None };
            push(self.stack, value)?;
            at = end;
            if self.bytes.get(at) == Some(&b'u') {
                break rows.nodes[node].template.as_ref();
            }
            let Some((next, end)) = rows.next(node, &leaves, at) else { break None };
            node = next;
            value_at = end;
        };
        let Some(template) = template else {
            let mut keys = rows.keys(node);
            keys.truncate(self.stack.len() - start);
            rows.nodes[first].misses += 1;
            self.at = at;
            self.unread_row(index, start, keys)?;
            return failed.map_or(Ok(true), Err);
        };
        let dict = template.copy()?;
        rows.nodes[first].misses = 0;
        let mut items = dict.blank_items();
        for [value] in moved(self.stack, start) {
            items.set_value(value);
        }
        drop(items);
        let dict = dict.into_obj();
        self.heap.ahead.recall.fill(index, &dict);
        self.push(dict)?;
        self.at = at + 1;
        Ok(true)
    }

    /// Makes an empty dict after all, and puts on the stack what belongs in it.
    #[cold]
    fn unread_row(&mut self, index: usize, start: usize, keys: Vec<Obj>) -> PyResult<()> {
        let values: Vec<Obj> = self.stack.drain(start..).collect();
        let dict = Dict::new()?.into_obj();
        self.heap.ahead.recall.fill(index, &dict);
        self.push(dict)?;
        self.push_mark()?;
        self.push_pairs(keys, values)
    }
}
