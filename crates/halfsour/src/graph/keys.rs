//! Which keys are the same to Python: `1 == True == 1.0`, text by its characters, tuples and
//! frozensets by their items, NaN and instances by identity.
//!
//! What an instance's own `__eq__` would say, nobody knows without running it; so an instance equals
//! itself alone.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hash::BuildHasher;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use super::NodeId;
use super::arena::{Arena, Slot};
use crate::error::{ErrorKind, OutOfMemory};
use crate::number::exact_integer;

/// Up to so many keys, comparing each with each is quicker than a table.
const FEW: usize = 8;

/// CPython writes so many items at once: fewer are a container's last.
const BATCH: usize = 1000;

/// Longer text is hashed once, not at each reference.
const LONG: usize = 256;

/// What tells a key from others.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key<'g> {
    Text(&'g [u8]),
    /// Text of Python 2 that is not ASCII: which characters they are, nobody knows.
    OldText(&'g [u8]),
    Bytes(&'g [u8]),
    Int(i64),
    /// The bits of a float that is no integer.
    Float(u64),
    /// The number of a value that has no short form: a large integer, long text, a tuple, a frozenset.
    Number(u32),
    /// It equals itself.
    Same(NodeId),
}

/// A key in a table.
#[derive(Clone, Copy)]
struct Noted {
    hash: u64,
    key: NodeId,
    place: u32,
}

/// Finds equal keys.
#[derive(Default)]
pub(super) struct Keys {
    /// The keys of the last dict that was filled at once, all different: most dicts have those of
    /// another.
    last: Vec<NodeId>,
    hasher: DefaultHashBuilder,
    /// For a container that is filled at once.
    scratch: HashTable<Noted>,
    /// For large containers that are filled bit by bit.
    tables: HashMap<NodeId, HashTable<Noted>>,
    numbers: Numbers,
}

impl Keys {
    /// Puts keys and their values, by turns, into a dict.
    #[inline]
    pub(super) fn set_items(
        &mut self,
        arena: &mut Arena<'_>,
        dict: NodeId,
        items: &[NodeId],
    ) -> Result<(), ErrorKind> {
        let entries = items.as_chunks::<2>().0;
        let empty = length(arena, dict) == 0;
        if empty
            && self.last.len() == entries.len()
            && self.last.iter().zip(entries).all(|(last, [key, _])| same_text(arena, *last, *key))
        {
            return arena.extend_dict(dict, entries.iter().copied());
        }
        self.put::<2>(arena, dict, items)?;
        if empty && entries.len() < BATCH && length(arena, dict) == entries.len() {
            self.last.clear();
            self.last.extend(entries.iter().map(|[key, _]| *key));
        }
        Ok(())
    }

    /// Adds items to a set or a frozenset.
    pub(super) fn add_items(
        &mut self,
        arena: &mut Arena<'_>,
        set: NodeId,
        items: &[NodeId],
    ) -> Result<(), ErrorKind> {
        self.put::<1>(arena, set, items)
    }

    /// Puts items of `N` nodes, of which the first is the key. Of equal keys the first stays, and
    /// gets the last one's value.
    fn put<const N: usize>(
        &mut self,
        arena: &mut Arena<'_>,
        container: NodeId,
        items: &[NodeId],
    ) -> Result<(), ErrorKind> {
        let before = length(arena, container);
        let few = before + items.len() / N <= FEW;
        // A table outlives the call where more items are likely to come.
        let lasting = !few && (before > 0 || items.len() / N >= BATCH);
        let mut table = match lasting {
            _ if few => HashTable::new(),
            true => self.tables.remove(&container).unwrap_or_default(),
            false => core::mem::take(&mut self.scratch),
        };
        if !lasting {
            table.clear();
        }
        let mut keys = [NodeId::FIRST; FEW];
        if few {
            keys.iter_mut().take(before).enumerate().for_each(|(place, key)| {
                *key = nth(arena, container, place);
            });
        } else if table.len() < before {
            for place in 0..before {
                self.note(&mut table, arena, nth(arena, container, place), place)?;
            }
        }
        let (mut place, mut written) = (before, 0);
        for (at, item) in items.chunks_exact(N).enumerate() {
            let found = if few {
                let key = self.numbers.key(arena, item[0])?;
                let equal = |other: &NodeId| self.numbers.known(arena, *other) == key;
                let found = keys[..place].iter().position(equal);
                if found.is_none() {
                    keys[place] = item[0];
                }
                found
            } else {
                self.note(&mut table, arena, item[0], place)?
            };
            match found {
                None => place += 1,
                Some(found) => {
                    append::<N>(arena, container, &items[written * N..at * N])?;
                    if N == 2 {
                        arena.set_value(container, found, item[1]);
                    }
                    written = at + 1;
                }
            }
        }
        if lasting {
            self.tables.insert(container, table);
        } else if !few {
            self.scratch = table;
        }
        append::<N>(arena, container, &items[written * N..])
    }

    /// Notes that a key is at a place; unless an equal one is noted already: then says where.
    fn note(
        &mut self,
        table: &mut HashTable<Noted>,
        arena: &Arena<'_>,
        id: NodeId,
        place: usize,
    ) -> Result<Option<usize>, ErrorKind> {
        let key = self.numbers.key(arena, id)?;
        let hash = self.hasher.hash_one(key);
        if table.len() == table.capacity() {
            let room = table.try_reserve(table.len().max(FEW), |noted| noted.hash);
            room.map_err(|_| ErrorKind::OutOfMemory)?;
        }
        let equal = |noted: &Noted| {
            noted.hash == hash && (noted.key == id || self.numbers.known(arena, noted.key) == key)
        };
        match table.entry(hash, equal, |noted| noted.hash) {
            Entry::Occupied(entry) => Ok(Some(entry.get().place as usize)),
            Entry::Vacant(entry) => {
                entry.insert(Noted { hash, key: id, place: place as u32 });
                Ok(None)
            }
        }
    }
}

/// Whether two keys are the same short text, or the same node.
#[inline]
fn same_text(arena: &Arena<'_>, one: NodeId, other: NodeId) -> bool {
    one == other
        || match (arena.slot(one), arena.slot(other)) {
            (Slot::Str(one), Slot::Str(other)) => {
                let (one, other) = (arena.bytes(one), arena.bytes(other));
                one.len() <= LONG && one == other
            }
            _ => false,
        }
}

fn length(arena: &Arena<'_>, container: NodeId) -> usize {
    match arena.slot(container) {
        Slot::Dict(run) => arena.pairs(run).len(),
        Slot::Set(run) | Slot::FrozenSet(run) => arena.ids(run).len(),
        _ => 0,
    }
}

fn nth(arena: &Arena<'_>, container: NodeId, place: usize) -> NodeId {
    match arena.slot(container) {
        Slot::Dict(run) => arena.pairs(run)[place][0],
        Slot::Set(run) | Slot::FrozenSet(run) => arena.ids(run)[place],
        _ => container,
    }
}

fn append<const N: usize>(
    arena: &mut Arena<'_>,
    container: NodeId,
    items: &[NodeId],
) -> Result<(), ErrorKind> {
    match N {
        2 => arena.extend_dict(container, items.as_chunks::<2>().0.iter().copied()),
        _ => arena.extend(container, items.iter().copied()),
    }
}

/// Gives equal values equal numbers, where comparing them would take recursion.
#[derive(Default)]
struct Numbers {
    given: u32,
    /// The numbers of large integers, long text, tuples and frozensets that were keys.
    known: HashMap<NodeId, u32>,
    leaves: HashMap<Leaf, u32>,
    /// By the numbers of their items; those of frozensets are sorted.
    tuples: HashMap<Box<[u32]>, u32>,
    frozensets: HashMap<Box<[u32]>, u32>,
}

/// A [`Key`] that owns what it is.
#[derive(PartialEq, Eq, Hash)]
enum Leaf {
    Text(Box<[u8]>),
    OldText(Box<[u8]>),
    Bytes(Box<[u8]>),
    Int(i64),
    BigInt(Box<[u8]>),
    Float(u64),
    Same(NodeId),
}

/// A number for a value that has none yet.
fn next(given: &mut u32) -> u32 {
    *given += 1;
    *given
}

impl Numbers {
    /// What tells a value from others.
    #[inline]
    fn key<'g>(&mut self, arena: &'g Arena<'_>, id: NodeId) -> Result<Key<'g>, ErrorKind> {
        let kind = match arena.slot(id) {
            Slot::Tuple(_) | Slot::FrozenSet(_) => {
                return Ok(Key::Number(self.number(arena, id)?));
            }
            slot if is_large(arena, slot) => return Ok(Key::Number(self.number(arena, id)?)),
            Slot::List(_) => "list",
            Slot::Dict(_) => "dict",
            Slot::Set(_) => "set",
            Slot::ByteArray(_) => "bytearray",
            slot => return Ok(self.short(arena, slot, id)),
        };
        Err(ErrorKind::Unhashable { kind })
    }

    /// The same for a value of which it was told before.
    #[inline]
    fn known<'g>(&self, arena: &'g Arena<'_>, id: NodeId) -> Key<'g> {
        match arena.slot(id) {
            slot if is_large(arena, slot) => self.numbered(id),
            slot => self.short(arena, slot, id),
        }
    }

    /// The same for one that is not large.
    #[inline]
    fn short<'g>(&self, arena: &'g Arena<'_>, slot: Slot, id: NodeId) -> Key<'g> {
        match slot {
            Slot::Str(_) | Slot::OldStr(_) | Slot::Bytes(_) => text(arena, slot, id),
            Slot::Bool(value) => Key::Int(value.into()),
            Slot::Int(value) => Key::Int(value),
            Slot::Float(value) if value.is_nan() => Key::Same(id),
            Slot::Float(value) => match value as i64 {
                integer if integer as f64 == value => Key::Int(integer),
                _ => Key::Float(value.to_bits()),
            },
            _ => self.numbered(id),
        }
    }

    fn numbered<'g>(&self, id: NodeId) -> Key<'g> {
        self.known.get(&id).map_or(Key::Same(id), |number| Key::Number(*number))
    }

    fn leaf(arena: &Arena<'_>, key: Key<'_>, id: NodeId) -> Leaf {
        match (key, arena.slot(id)) {
            (_, Slot::BigInt(bytes)) => Leaf::BigInt(arena.bytes(bytes).into()),
            (Key::Same(_), Slot::Float(value)) if !value.is_nan() => match exact_integer(value) {
                Some(bytes) => Leaf::BigInt(bytes),
                None => Leaf::Float(value.to_bits()),
            },
            (Key::Text(text), _) => Leaf::Text(text.into()),
            (Key::OldText(text), _) => Leaf::OldText(text.into()),
            (Key::Bytes(bytes), _) => Leaf::Bytes(bytes.into()),
            (Key::Int(value), _) => Leaf::Int(value),
            (Key::Float(bits), _) => Leaf::Float(bits),
            (Key::Number(_) | Key::Same(_), _) => Leaf::Same(id),
        }
    }

    /// The number of a value, and of all that is in it.
    fn number(&mut self, arena: &Arena<'_>, root: NodeId) -> Result<u32, ErrorKind> {
        if let Some(&number) = self.known.get(&root) {
            return Ok(number);
        }
        // Tuples and frozensets whose items are being numbered, and the numbers so far. None is in
        // itself: what could close a circle is unhashable, or equal to itself alone.
        let mut open: Vec<(NodeId, &[NodeId], usize)> = Vec::new();
        let mut numbers: Vec<u32> = Vec::new();
        let mut next_id = Some(root);
        loop {
            if let Some(id) = next_id.take() {
                let items = match arena.slot(id) {
                    _ if self.known.contains_key(&id) => None,
                    Slot::Tuple(run) | Slot::FrozenSet(run) => Some(arena.ids(run)),
                    _ => None,
                };
                if let Some(items) = items {
                    open.try_reserve(1).map_err(OutOfMemory::from)?;
                    open.push((id, items, numbers.len()));
                } else {
                    let number = match self.known.get(&id) {
                        Some(number) => *number,
                        None => self.leaf_number(arena, id)?,
                    };
                    numbers.push(number);
                }
            }
            let Some((id, items, start)) = open.last_mut() else {
                return Ok(numbers.pop().unwrap_or(0));
            };
            if let Some((first, rest)) = items.split_first() {
                *items = rest;
                next_id = Some(*first);
                continue;
            }
            let (id, start) = (*id, *start);
            open.pop();
            let mut inner: Vec<u32> = numbers.drain(start..).collect();
            let table = if let Slot::FrozenSet(_) = arena.slot(id) {
                inner.sort_unstable();
                &mut self.frozensets
            } else {
                &mut self.tuples
            };
            let number = *table.entry(inner.into()).or_insert_with(|| next(&mut self.given));
            self.known.insert(id, number);
            numbers.push(number);
        }
    }

    fn leaf_number(&mut self, arena: &Arena<'_>, id: NodeId) -> Result<u32, ErrorKind> {
        let slot = arena.slot(id);
        let large = is_large(arena, slot);
        let key = if large { text(arena, slot, id) } else { self.key(arena, id)? };
        let leaf = Numbers::leaf(arena, key, id);
        let number = *self.leaves.entry(leaf).or_insert_with(|| next(&mut self.given));
        if large {
            self.known.insert(id, number);
        }
        Ok(number)
    }
}

/// Text or bytes, in whichever length.
fn text<'g>(arena: &'g Arena<'_>, slot: Slot, id: NodeId) -> Key<'g> {
    match slot {
        Slot::Str(text) => Key::Text(arena.bytes(text)),
        Slot::OldStr(text) => match arena.bytes(text) {
            text if text.is_ascii() => Key::Text(text),
            text => Key::OldText(text),
        },
        Slot::Bytes(bytes) => Key::Bytes(arena.bytes(bytes)),
        _ => Key::Same(id),
    }
}

/// Whether a value gets a number: an integer or a float beyond what 64 bits can count, long text.
#[inline]
fn is_large(arena: &Arena<'_>, slot: Slot) -> bool {
    const COUNTED: core::ops::Range<f64> =
        -9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0;
    match slot {
        Slot::BigInt(_) => true,
        Slot::Float(value) => !value.is_nan() && !COUNTED.contains(&value),
        Slot::Str(text) | Slot::OldStr(text) | Slot::Bytes(text) => arena.bytes(text).len() > LONG,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Graph, Node, load};

    fn long(opcode: u8, letter: u8, length: usize) -> Vec<u8> {
        [&[opcode][..], &(length as u32).to_le_bytes(), &vec![letter; length]].concat()
    }

    /// How many keys or items.
    fn count(graph: &Graph<'_>) -> usize {
        match graph.get(graph.root()) {
            Node::Dict(entries) => entries.len(),
            Node::Set(items) | Node::FrozenSet(items) => items.len(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn long_text_is_equal_to_the_same() {
        for length in [LONG - 1, LONG, LONG + 1, 100_000] {
            let data = [
                &b"\x80\x04\x8f("[..],
                &long(b'X', b'a', length),
                &long(b'X', b'a', length),
                &long(b'T', b'a', length), // text to Python's reader, as it is ASCII
                &long(b'B', b'a', length),
                &long(b'B', b'a', length),
                &long(b'X', b'b', length),
                &long(b'X', b'a', length + 1),
                &long(b'T', 0xe9, length),
                &long(b'X', b'a', length),
                b"\x85",
                &long(b'X', b'a', length),
                b"\x85\x90.",
            ];
            assert_eq!(count(&load(&data.concat()).unwrap()), 6, "{length}");
        }
    }

    /// It would take hours.
    #[test]
    fn long_text_is_hashed_once() {
        let begin = [b"\x80\x04", &long(b'X', b'a', 1 << 22)[..], b"\x94"].concat();
        for (open, item, end) in [
            (&b"\x8f("[..], &b"h\0"[..], &b"\x90."[..]),
            (b"(", b"h\0", b"\x91."),
            (b"}(", b"h\0N", b"u."),
            (b"}", b"h\0Ns", b"."),
            (b"\x8f", b"(h\0\x90", b"."),
            (b"\x8f(", b"h\0\x85", b"\x90."),
        ] {
            let data = [&begin, open, &item.repeat(100_000), end].concat();
            assert_eq!(count(&load(&data).unwrap()), 1);
        }
    }

    /// It would take minutes: each dict has another key than the one before.
    #[test]
    fn long_text_is_not_compared_with_the_last() {
        let text = |last| [&vec![b'a'; 1 << 20][..], &[last]].concat();
        let key =
            |last| [b"X", &(1_u32 << 20 | 1).to_le_bytes()[..], &text(last), b"\x94"].concat();
        let begin = [b"\x80\x04", &key(b'a')[..], &key(b'b')].concat();
        let data = [&begin, &b"("[..], &b"}(h\0Nu}(h\x01Nu".repeat(100_000), b"l."].concat();
        let graph = load(&data).unwrap();
        assert!(matches!(graph.get(graph.root()), Node::List(dicts) if dicts.len() == 200_000));
    }
}
