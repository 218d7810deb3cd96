//! Where a graph keeps its nodes: flat tables, so that a node costs sixteen bytes and no allocation.
//!
//! Containers are [`Run`]s in shared pools. Text and bytes are [`Blob`]s: places in the pickle where
//! it is in memory, else in a copy.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;
use core::num::NonZeroU32;

use super::{Effect, Made, Node, NodeId, Object, Text};
use crate::error::{ErrorKind, OutOfMemory};

/// Consecutive entries of a pool.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Run {
    start: u32,
    len: u32,
    /// How many entries of the pool are the run's, to grow into.
    room: u32,
}

impl Run {
    #[inline]
    fn of<T>(self, pool: &[T]) -> &[T] {
        let start = self.start as usize;
        &pool[start..start + self.len as usize]
    }
}

/// Appends to a run. One that cannot grow where it is moves to the pool's end, with as much room
/// again, so that a list that others interrupt is moved seldom.
fn extend<T: Copy>(
    pool: &mut Vec<T>,
    run: &mut Run,
    items: impl ExactSizeIterator<Item = T>,
) -> Result<(), ErrorKind> {
    let (start, len) = (run.start as usize, run.len as usize);
    let longer = len + items.len();
    let fits = u32::try_from(longer).map_err(|_| ErrorKind::TooManyObjects)?;
    if longer <= run.room as usize {
        pool[start + len..].iter_mut().zip(items).for_each(|(place, item)| *place = item);
        run.len = fits;
        return Ok(());
    }
    let last = start + run.room as usize == pool.len();
    let room = if last || len == 0 { longer } else { longer.max(2 * len) };
    pool.try_reserve(room).map_err(OutOfMemory::from)?;
    if last {
        pool.truncate(start + len);
    } else {
        run.start = u32::try_from(pool.len()).map_err(|_| ErrorKind::TooManyObjects)?;
        pool.extend_from_within(start..start + len);
    }
    pool.extend(items);
    let start = run.start as usize;
    if let Some(&filler) = pool.last() {
        pool.resize(start + room, filler);
    }
    u32::try_from(pool.len()).map_err(|_| ErrorKind::TooManyObjects)?;
    run.len = fits;
    run.room = room as u32;
    Ok(())
}

/// A place of text or bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blob {
    /// The upper half of the place; its top bit says that the place is in the copy.
    high: u16,
    low: u32,
    len: u32,
}

const COPIED: u16 = 1 << 15;
/// `low` is a number in the table of what is kept apart, since a blob cannot say it.
const APART: u16 = u16::MAX;

/// What a blob cannot say. Many may refer to long text: none of them need find out again whether it is UTF-8.
#[derive(Clone, Debug)]
enum Apart<'a> {
    /// A place for which 32 bits are too few.
    Far(Place),
    /// Long text that is UTF-8.
    Utf8(Cow<'a, str>),
    /// Long text that is not.
    NotUtf8(Place),
}

/// Where bytes are.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// In the copy, else in the pickle.
    copied: bool,
    start: usize,
    len: usize,
}

/// From so many bytes on text is long.
pub(super) const LONG_TEXT: usize = 1 << 10;

/// A node as it is kept.
#[derive(Clone, Copy, Debug)]
pub(super) enum Slot {
    None,
    Bool(bool),
    Int(i64),
    BigInt(Blob),
    Float(f64),
    Str(Blob),
    OldStr(Blob),
    Bytes(Blob),
    ByteArray(Blob),
    Buffer(u32),
    ReadonlyBuffer(NodeId),
    Tuple(Run),
    List(Run),
    Set(Run),
    FrozenSet(Run),
    Dict(Run),
    Object(u32),
}

const _: () = assert!(mem::size_of::<Slot>() == 16);

/// [`Made`] as it is kept.
#[derive(Clone, Copy, Debug)]
pub(super) enum RawMade {
    Global { module: NodeId, name: NodeId },
    Extension(i32),
    Persistent(NodeId),
    Call { callable: NodeId, args: NodeId },
    New { cls: NodeId, args: NodeId, kwargs: Option<NodeId> },
    Inst { cls: NodeId, args: Run },
}

#[derive(Clone, Copy, Debug)]
struct RawObject {
    made: RawMade,
    effects: Run,
}

/// Nodes and what they refer to.
#[derive(Clone, Debug)]
pub(super) struct Arena<'a> {
    slots: Vec<Slot>,
    ids: Vec<NodeId>,
    pairs: Vec<[NodeId; 2]>,
    effects: Vec<Effect>,
    objects: Vec<RawObject>,
    /// The pickle, as far as it is in memory.
    pickle: &'a [u8],
    copied: Vec<u8>,
    apart: Vec<Apart<'a>>,
}

/// How many bytes are read at once into memory that was not there before: a size may be a lie.
const STEP: usize = 1 << 20;

impl<'a> Arena<'a> {
    pub(super) fn new(pickle: &'a [u8]) -> Arena<'a> {
        // Most values take more than four bytes. What is too much is not touched, and costs nothing.
        let mut slots = Vec::new();
        let _ = slots.try_reserve(pickle.len() / 4);
        Arena {
            slots,
            ids: Vec::new(),
            pairs: Vec::new(),
            effects: Vec::new(),
            objects: Vec::new(),
            pickle,
            copied: Vec::new(),
            apart: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The pickle, if it is in memory.
    pub(super) fn pickle(&self) -> &'a [u8] {
        self.pickle
    }

    /// How many nodes there are, and references between them.
    pub(super) fn size(&self) -> usize {
        self.slots.len() + self.ids.len() + 2 * self.pairs.len() + self.effects.len()
    }

    /// How many bytes text and bytes can be in: the pickle's and the copied ones.
    pub(super) fn text_size(&self) -> usize {
        let apart = self.apart.iter().map(|apart| match apart {
            Apart::Utf8(Cow::Owned(text)) => text.len(),
            _ => 0,
        });
        self.pickle.len() + self.copied.len() + apart.sum::<usize>()
    }

    #[inline(always)]
    pub(super) fn slot(&self, id: NodeId) -> Slot {
        self.slots[id.index()]
    }

    #[inline(always)]
    pub(super) fn add(&mut self, slot: Slot) -> Result<NodeId, ErrorKind> {
        if self.slots.len() == self.slots.capacity() {
            self.slots.try_reserve(1).map_err(OutOfMemory::from)?;
        }
        self.slots.push(slot);
        let number = u32::try_from(self.slots.len()).ok().and_then(NonZeroU32::new);
        number.map(NodeId).ok_or(ErrorKind::TooManyObjects)
    }

    pub(super) fn add_object(&mut self, made: RawMade) -> Result<NodeId, ErrorKind> {
        let number = u32::try_from(self.objects.len()).map_err(|_| ErrorKind::TooManyObjects)?;
        self.objects.try_reserve(1).map_err(OutOfMemory::from)?;
        self.objects.push(RawObject { made, effects: Run::default() });
        self.add(Slot::Object(number))
    }

    /// The place of bytes that are in the pickle, or are copied here.
    #[inline]
    pub(super) fn blob(&mut self, bytes: &[u8]) -> Result<Blob, ErrorKind> {
        let place = self.keep(bytes)?;
        self.place(place)
    }

    /// Where bytes are, which are copied if they are not in the pickle.
    #[inline]
    fn keep(&mut self, bytes: &[u8]) -> Result<Place, ErrorKind> {
        let len = bytes.len();
        if let Some((start, _)) = self.in_pickle(bytes) {
            return Ok(Place { copied: false, start, len });
        }
        self.copied.try_reserve(len).map_err(OutOfMemory::from)?;
        self.copied.extend_from_slice(bytes);
        Ok(Place { copied: true, start: self.copied.len() - len, len })
    }

    /// The same for text, which may have lone surrogates, or be no UTF-8 at all.
    #[inline]
    pub(super) fn text_blob(&mut self, bytes: &[u8]) -> Result<Blob, ErrorKind> {
        if bytes.len() < LONG_TEXT { self.blob(bytes) } else { Ok(self.long_text_blob(bytes)?.0) }
    }

    /// The same for long text; says whether it is UTF-8.
    pub(super) fn long_text_blob(&mut self, bytes: &[u8]) -> Result<(Blob, bool), ErrorKind> {
        let text = match self.in_pickle(bytes) {
            Some((_, bytes)) => str::from_utf8(bytes).ok().map(Cow::Borrowed),
            None => match str::from_utf8(bytes) {
                Ok(text) => {
                    let mut copy = String::new();
                    copy.try_reserve_exact(text.len()).map_err(OutOfMemory::from)?;
                    copy.push_str(text);
                    Some(Cow::Owned(copy))
                }
                Err(_) => None,
            },
        };
        let is_utf8 = text.is_some();
        let apart = match text {
            Some(text) => Apart::Utf8(text),
            None => Apart::NotUtf8(self.keep(bytes)?),
        };
        Ok((self.keep_apart(apart)?, is_utf8))
    }

    /// Where these bytes are in the pickle, and those there.
    #[inline]
    fn in_pickle(&self, bytes: &[u8]) -> Option<(usize, &'a [u8])> {
        let start = bytes.as_ptr().addr().wrapping_sub(self.pickle.as_ptr().addr());
        let is_there = start <= self.pickle.len() && bytes.len() <= self.pickle.len() - start;
        is_there.then(|| (start, &self.pickle[start..start + bytes.len()]))
    }

    fn keep_apart(&mut self, apart: Apart<'a>) -> Result<Blob, ErrorKind> {
        self.apart.try_reserve(1).map_err(OutOfMemory::from)?;
        self.apart.push(apart);
        Ok(Blob { high: APART, low: self.apart.len() as u32 - 1, len: 0 })
    }

    #[inline]
    fn place(&mut self, place: Place) -> Result<Blob, ErrorKind> {
        let top = if place.copied { COPIED } else { 0 };
        match (u16::try_from(place.start >> 32), u32::try_from(place.len)) {
            (Ok(high @ 0..0x7fff), Ok(len)) => {
                Ok(Blob { high: high | top, low: place.start as u32, len })
            }
            _ => self.keep_apart(Apart::Far(place)),
        }
    }

    /// Copies `len` bytes that `fill` reads, a part at a time.
    pub(super) fn read<E: From<ErrorKind>>(
        &mut self,
        len: usize,
        mut fill: impl FnMut(&mut [u8]) -> Result<(), E>,
    ) -> Result<Blob, E> {
        let start = self.copied.len();
        loop {
            let left = len - (self.copied.len() - start);
            let step = left.min(STEP);
            let end = self.copied.len();
            self.copied.try_reserve(step).map_err(|_| ErrorKind::OutOfMemory)?;
            self.copied.resize(end + step, 0);
            fill(&mut self.copied[end..])?;
            if left == step {
                return Ok(self.place(Place { copied: true, start, len })?);
            }
        }
    }

    /// The bytes of a blob: those in the pickle, or else a copy.
    #[inline]
    fn find(&self, blob: Blob) -> Result<&'a [u8], &[u8]> {
        let Place { copied, start, len } = match self.apart(blob) {
            None => Place {
                copied: blob.high & COPIED != 0,
                start: usize::from(blob.high & !COPIED) << 32 | blob.low as usize,
                len: blob.len as usize,
            },
            Some(Apart::Far(place) | Apart::NotUtf8(place)) => *place,
            Some(Apart::Utf8(Cow::Borrowed(text))) => return Ok(text.as_bytes()),
            Some(Apart::Utf8(Cow::Owned(text))) => return Err(text.as_bytes()),
        };
        let end = start + len;
        if copied { Err(&self.copied[start..end]) } else { Ok(&self.pickle[start..end]) }
    }

    #[inline]
    pub(super) fn bytes(&self, blob: Blob) -> &[u8] {
        match self.find(blob) {
            Ok(bytes) | Err(bytes) => bytes,
        }
    }

    #[inline]
    fn apart(&self, blob: Blob) -> Option<&Apart<'a>> {
        if blob.high == APART { Some(&self.apart[blob.low as usize]) } else { None }
    }

    #[inline]
    fn text_at(&self, blob: Blob) -> Text<'_> {
        match self.apart(blob) {
            Some(Apart::Utf8(text)) => Text::utf8(text),
            Some(Apart::NotUtf8(_)) => Text::with_surrogates(self.bytes(blob)),
            _ => Text::new(self.bytes(blob)),
        }
    }

    /// A node's text, if it is UTF-8.
    #[inline]
    pub(super) fn utf8(&self, id: NodeId) -> Option<&str> {
        match self.slot(id) {
            Slot::Str(blob) | Slot::OldStr(blob) => match self.apart(blob) {
                Some(Apart::Utf8(text)) => Some(text),
                Some(Apart::NotUtf8(_)) => None,
                _ => str::from_utf8(self.bytes(blob)).ok(),
            },
            _ => None,
        }
    }

    /// The same, if it is in the pickle.
    #[inline]
    pub(super) fn borrowed_utf8(&self, id: NodeId) -> Option<&'a str> {
        match self.slot(id) {
            Slot::Str(blob) | Slot::OldStr(blob) => match self.apart(blob) {
                Some(Apart::Utf8(Cow::Borrowed(text))) => Some(text),
                Some(Apart::Utf8(Cow::Owned(_)) | Apart::NotUtf8(_)) => None,
                _ => str::from_utf8(self.find(blob).ok()?).ok(),
            },
            _ => None,
        }
    }

    /// A node's text or bytes, if they are in the pickle.
    #[inline]
    pub(super) fn borrowed(&self, id: NodeId) -> Option<&'a [u8]> {
        match self.slot(id) {
            Slot::Str(blob)
            | Slot::OldStr(blob)
            | Slot::BigInt(blob)
            | Slot::Bytes(blob)
            | Slot::ByteArray(blob) => self.find(blob).ok(),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn ids(&self, run: Run) -> &[NodeId] {
        run.of(&self.ids)
    }

    #[inline]
    pub(super) fn pairs(&self, run: Run) -> &[[NodeId; 2]] {
        run.of(&self.pairs)
    }

    #[inline]
    pub(super) fn run(&mut self, items: &[NodeId]) -> Result<Run, ErrorKind> {
        let mut run = Run { start: self.ids.len() as u32, ..Run::default() };
        extend(&mut self.ids, &mut run, items.iter().copied())?;
        Ok(run)
    }

    /// Appends to a list or a set.
    #[inline]
    pub(super) fn extend(
        &mut self,
        id: NodeId,
        items: impl ExactSizeIterator<Item = NodeId>,
    ) -> Result<(), ErrorKind> {
        match &mut self.slots[id.index()] {
            Slot::List(run) | Slot::Set(run) | Slot::FrozenSet(run) => {
                extend(&mut self.ids, run, items)
            }
            _ => Ok(()),
        }
    }

    /// Appends to a dict.
    #[inline]
    pub(super) fn extend_dict(
        &mut self,
        id: NodeId,
        entries: impl ExactSizeIterator<Item = [NodeId; 2]>,
    ) -> Result<(), ErrorKind> {
        match &mut self.slots[id.index()] {
            Slot::Dict(run) => extend(&mut self.pairs, run, entries),
            _ => Ok(()),
        }
    }

    /// Changes a value of a dict.
    pub(super) fn set_value(&mut self, id: NodeId, place: usize, value: NodeId) {
        if let Slot::Dict(run) = self.slot(id) {
            self.pairs[run.start as usize + place][1] = value;
        }
    }

    /// Notes what is done to an object.
    pub(super) fn affect(
        &mut self,
        object: u32,
        effects: impl ExactSizeIterator<Item = Effect>,
    ) -> Result<(), ErrorKind> {
        extend(&mut self.effects, &mut self.objects[object as usize].effects, effects)
    }

    #[inline(always)]
    pub(super) fn node(&self, id: NodeId) -> Node<'_> {
        match self.slot(id) {
            Slot::None => Node::None,
            Slot::Bool(value) => Node::Bool(value),
            Slot::Int(value) => Node::Int(value),
            Slot::BigInt(blob) => Node::BigInt(self.bytes(blob)),
            Slot::Float(value) => Node::Float(value),
            Slot::Str(blob) => Node::Str(self.text_at(blob)),
            Slot::OldStr(blob) => Node::OldStr(self.bytes(blob)),
            Slot::Bytes(blob) => Node::Bytes(self.bytes(blob)),
            Slot::ByteArray(blob) => Node::ByteArray(self.bytes(blob)),
            Slot::Buffer(number) => Node::Buffer(number),
            Slot::ReadonlyBuffer(buffer) => Node::ReadonlyBuffer(buffer),
            Slot::Tuple(run) => Node::Tuple(self.ids(run)),
            Slot::List(run) => Node::List(self.ids(run)),
            Slot::Set(run) => Node::Set(self.ids(run)),
            Slot::FrozenSet(run) => Node::FrozenSet(self.ids(run)),
            Slot::Dict(run) => Node::Dict(self.pairs(run)),
            Slot::Object(number) => Node::Object(self.object(number)),
        }
    }

    /// Apart from [`node`](Arena::node), so that looking at numbers and text is little code.
    fn object(&self, number: u32) -> Object<'_> {
        let RawObject { made, effects } = self.objects[number as usize];
        let made = match made {
            RawMade::Global { module, name } => Made::Global { module, name },
            RawMade::Extension(code) => Made::Extension(code),
            RawMade::Persistent(pid) => Made::Persistent(pid),
            RawMade::Call { callable, args } => Made::Call { callable, args },
            RawMade::New { cls, args, kwargs } => Made::New { cls, args, kwargs },
            RawMade::Inst { cls, args } => Made::Inst { cls, args: self.ids(args) },
        };
        Object { made, effects: effects.of(&self.effects) }
    }

    /// How an object is made, if a node is one: without looking at what was done to it.
    pub(super) fn made(&self, id: NodeId) -> Option<RawMade> {
        match self.slot(id) {
            Slot::Object(number) => Some(self.objects[number as usize].made),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs that grow by turns keep their items, and move less often than they grow.
    #[test]
    fn runs_grow_side_by_side() {
        let mut pool = Vec::new();
        let mut runs = [Run::default(); 3];
        for number in 0..3000_u32 {
            for (which, run) in runs.iter_mut().enumerate() {
                let items = [number, number + 1].map(|item| item * 3 + which as u32);
                extend(&mut pool, run, items.into_iter().take(1 + which % 2)).unwrap();
            }
        }
        for (which, run) in runs.iter().enumerate() {
            let which = which as u32;
            let expected: Vec<u32> = (0..3000)
                .flat_map(|n| (n..=n + which % 2).map(move |item| item * 3 + which))
                .collect();
            assert_eq!(run.of(&pool), expected);
        }
        assert!(pool.len() < 60_000, "{}", pool.len());
    }
}
