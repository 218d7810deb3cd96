//! What an item hands out: the items, entries and attributes in it, each of them a cursor again.

use std::fmt;

use super::FromPickle;
use super::decoder::Decoder;
use super::derive::{required, within};
use super::item::Item;
use crate::error::{Error, Step};
use crate::graph::{Effect, Graph, Made, Node, NodeId, Object};

/// The items of a value; see [`Item::items`].
///
/// ```
/// let graph = halfsour::load(b"](K\x01K\x02K\x03e.")?;
/// halfsour::typed::Unpickler::new().read(&graph, |item| {
///     let mut items = item.items()?;
///     assert_eq!(items.len(), 3);
///     assert_eq!(items.next_back().unwrap().int::<u8>()?, 3);
///     Ok(())
/// })?;
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone)]
pub struct Items<'g, 'a> {
    pub(super) decoder: &'g Decoder<'g, 'a>,
    pub(super) ids: std::slice::Iter<'g, NodeId>,
    pub(super) depth: u32,
}

impl<'g, 'a> Iterator for Items<'g, 'a> {
    type Item = Item<'g, 'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'g, 'a>> {
        self.ids.next().map(|id| Item::new(self.decoder, *id, self.depth))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.ids.size_hint()
    }

    fn nth(&mut self, n: usize) -> Option<Item<'g, 'a>> {
        self.ids.nth(n).map(|id| Item::new(self.decoder, *id, self.depth))
    }
}

impl DoubleEndedIterator for Items<'_, '_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.ids.next_back().map(|id| Item::new(self.decoder, *id, self.depth))
    }
}

impl ExactSizeIterator for Items<'_, '_> {}

impl fmt::Debug for Items<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// The entries of a dict; see [`Item::entries`].
///
/// ```
/// let graph = halfsour::load(b"}(\x8c\x01aK\x01\x8c\x01bK\x02u.")?;
/// halfsour::typed::Unpickler::new().read(&graph, |item| {
///     let mut entries = item.entries()?;
///     assert_eq!(entries.len(), 2);
///     let (key, value) = entries.next().unwrap();
///     assert_eq!((&*key.str()?, value.int::<u8>()?), ("a", 1));
///     Ok(())
/// })?;
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone)]
pub struct Entries<'g, 'a> {
    pub(super) decoder: &'g Decoder<'g, 'a>,
    pub(super) entries: std::slice::Iter<'g, [NodeId; 2]>,
    pub(super) depth: u32,
}

impl<'g, 'a> Iterator for Entries<'g, 'a> {
    type Item = (Item<'g, 'a>, Item<'g, 'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let &[key, value] = self.entries.next()?;
        let item = |id| Item::new(self.decoder, id, self.depth);
        Some((item(key), item(value)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.entries.size_hint()
    }
}

impl ExactSizeIterator for Entries<'_, '_> {}

impl fmt::Debug for Entries<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.clone()).finish()
    }
}

/// A key and its value, as two items of a tuple or a list.
pub(super) fn pair(graph: &Graph<'_>, id: NodeId) -> Option<[NodeId; 2]> {
    match graph.get(id) {
        Node::Tuple(&[key, value]) | Node::List(&[key, value]) => Some([key, value]),
        _ => None,
    }
}

/// The entries of a dict or something like it; see [`Item::mapping`].
///
/// ```
/// // pickle.dumps(collections.OrderedDict(a=1), 2)
/// let data = b"\x80\x02ccollections\nOrderedDict\nq\0)Rq\x01X\x01\0\0\0aq\x02K\x01s.";
/// let graph = halfsour::load(data)?;
/// halfsour::typed::Unpickler::new().read(&graph, |item| {
///     let (key, value) = item.mapping()?.next().unwrap();
///     assert_eq!((&*key.str()?, value.int::<u8>()?), ("a", 1));
///     Ok(())
/// })?;
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone)]
pub struct Mapping<'g, 'a> {
    pub(super) decoder: &'g Decoder<'g, 'a>,
    pub(super) entries: std::slice::Iter<'g, [NodeId; 2]>,
    /// Entries that are tuples or lists of a key and a value.
    pub(super) pairs: std::slice::Iter<'g, NodeId>,
    pub(super) effects: std::slice::Iter<'g, Effect>,
    pub(super) depth: u32,
}

impl<'g, 'a> Iterator for Mapping<'g, 'a> {
    type Item = (Item<'g, 'a>, Item<'g, 'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let listed = |id: &NodeId| pair(self.decoder.graph, *id);
        let [key, value] = match self.entries.next().copied().or_else(|| listed(self.pairs.next()?))
        {
            Some(entry) => entry,
            None => self.effects.find_map(|effect| match effect {
                Effect::SetItem(key, value) => Some([*key, *value]),
                _ => None,
            })?,
        };
        let item = |id| Item::new(self.decoder, id, self.depth);
        Some((item(key), item(value)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let least = self.entries.len() + self.pairs.len();
        (least, Some(least + self.effects.len()))
    }
}

impl fmt::Debug for Mapping<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.clone()).finish()
    }
}

/// The state of an instance; see [`Item::state`].
///
/// By default that is a dict of attributes; with `__slots__` a pair of such a dict, or None, and a dict
/// of slots; what a class's own `__getstate__` returns may be anything.
///
/// ```
/// // A state of (None, {"x": 1}), as of a class with __slots__ = ["x"].
/// let graph = halfsour::load(b"capp\nPoint\n)\x81N}\x8c\x01xK\x01s\x86b.")?;
/// halfsour::typed::Unpickler::new().read(&graph, |item| {
///     let x = item.state()?.attr("x")?.unwrap();
///     assert_eq!(x.int::<u8>()?, 1);
///     Ok(())
/// })?;
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct State<'g, 'a> {
    pub(super) decoder: &'g Decoder<'g, 'a>,
    pub(super) id: NodeId,
    pub(super) effects: &'g [Effect],
    pub(super) depth: u32,
}

/// What a state is set with: by BUILD, or by a call of a state setter, `setter(object, state)`.
fn state_of(graph: &Graph<'_>, effect: &Effect) -> Option<NodeId> {
    match *effect {
        Effect::Build(state) => Some(state),
        Effect::SetState(call) => match graph.get(call) {
            Node::Object(Object { made: Made::Call { args, .. }, .. }) => match graph.get(args) {
                Node::Tuple(&[_, state]) => Some(state),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

impl<'g, 'a> State<'g, 'a> {
    /// Whatever it is, as one value; `None` if the instance has none. The last one, if there are
    /// several.
    ///
    /// ```
    /// let graph = halfsour::load(b"capp\nClock\n)\x81K\x07b.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     // A state that is an int.
    ///     assert_eq!(item.state()?.value().unwrap().int::<u8>()?, 7);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn value(self) -> Option<Item<'g, 'a>> {
        let id = self.effects.iter().rev().find_map(|e| state_of(self.decoder.graph, e))?;
        Some(Item::new(self.decoder, id, self.depth))
    }

    /// The values of a state that is a list, at the depth at which attributes are.
    pub(super) fn listed(self) -> Result<Option<Items<'g, 'a>>, Error> {
        let Some(state) = self.value() else { return Ok(None) };
        let Node::List(ids) = state.node() else { return Ok(None) };
        self.decoder.enter(self.id, self.depth.saturating_sub(1), ids.len())?;
        Ok(Some(state.beside(ids)))
    }

    /// The attributes by name, those of slots too, in the pickle's order. Of equal names the last one
    /// counts.
    ///
    /// # Errors
    /// If the state is no dict, and no pair of them; or if too much was visited.
    ///
    /// ```
    /// let graph = halfsour::load(b"capp\nPoint\n)\x81}\x8c\x01xK\x01sb.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     for (name, value) in item.state()?.attrs()? {
    ///         assert_eq!((&*name.str()?, value.int::<u8>()?), ("x", 1));
    ///     }
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn attrs(self) -> Result<Attrs<'g, 'a>, Error> {
        let (mut dict, mut slots) = (&[][..], &[][..]);
        let mut more = Vec::new();
        for effect in self.effects {
            let Some(id) = state_of(self.decoder.graph, effect) else { continue };
            let halves = self.halves(id)?;
            // All but one instance in a million have one state.
            if !dict.is_empty() || !slots.is_empty() {
                more.extend([dict, slots]);
            }
            (dict, slots) = halves;
        }
        let (depth, decoder) = (self.depth, self.decoder);
        let all = more.iter().copied().chain([dict, slots]).map(<[_]>::len).sum::<usize>();
        // The instance itself was entered: its attributes are as deep.
        decoder.enter(self.id, depth.saturating_sub(1), 2 * all)?;
        let mut parts = more;
        if parts.is_empty() {
            return Ok(Attrs { decoder, now: dict.iter(), next: slots, parts: Vec::new(), depth });
        }
        parts.extend([dict, slots]);
        parts.reverse();
        Ok(Attrs { decoder, now: [].iter(), next: &[], parts, depth })
    }

    /// A state's dict, and that of its slots.
    #[allow(clippy::type_complexity, reason = "two slices of pairs")]
    fn halves(self, id: NodeId) -> Result<(&'g [[NodeId; 2]], &'g [[NodeId; 2]]), Error> {
        let graph = self.decoder.graph;
        let part = |id| match graph.get(id) {
            Node::Dict(entries) => Some(entries),
            Node::None => Some(&[][..]),
            _ => None,
        };
        let halves = match graph.get(id) {
            Node::Dict(entries) => Some((entries, &[][..])),
            Node::None => Some((&[][..], &[][..])),
            Node::Tuple(&[dict, slots]) => part(dict).zip(part(slots)),
            _ => None,
        };
        let item = Item::new(self.decoder, id, self.depth);
        halves.ok_or_else(|| item.expected("attributes by name"))
    }

    /// An attribute, or a slot, by its name.
    ///
    /// # Errors
    /// As [`attrs`](State::attrs).
    ///
    /// ```
    /// let graph = halfsour::load(b"capp\nPoint\n)\x81}\x8c\x01xK\x01sb.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     let state = item.state()?;
    ///     assert!(state.attr("x")?.is_some() && state.attr("y")?.is_none());
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn attr(self, name: &str) -> Result<Option<Item<'g, 'a>>, Error> {
        let named = |(key, _): &(Item<'g, 'a>, _)| key.name() == Some(name.as_bytes());
        Ok(self.attrs()?.filter(named).last().map(|(_, value)| value))
    }

    /// Reads an attribute, or a slot, that must be there, as any type.
    ///
    /// # Errors
    /// As [`attrs`](State::attrs); if there is none of this name; or what the type says, with the name
    /// as a step of the [path](Error::path).
    ///
    /// ```
    /// let graph = halfsour::load(b"capp\nPoint\n)\x81}\x8c\x01xK\x01sb.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     let state = item.state()?;
    ///     assert_eq!(state.read::<u8>("x")?, 1);
    ///     assert_eq!(state.read::<u8>("y").unwrap_err().to_string(), "y is missing");
    ///     let error = state.read::<bool>("x").unwrap_err();
    ///     assert_eq!(error.to_string(), "expected a bool, found an int at root.x");
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn read<T: FromPickle<'a>>(self, name: &str) -> Result<T, Error> {
        let value = required(self.attr(name)?, name).map_err(|error| error.about(self.id))?;
        value.read().map_err(|error| within(error, name, value))
    }
}

impl fmt::Debug for State<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("State").field(&self.value()).finish()
    }
}

/// The attributes of an instance; see [`State::attrs`].
///
/// ```
/// // A dict of attributes, and one of slots.
/// let graph = halfsour::load(b"capp\nPoint\n)\x81}\x8c\x01xK\x01s}\x8c\x01yK\x02s\x86b.")?;
/// halfsour::typed::Unpickler::new().read(&graph, |item| {
///     let names = item.state()?.attrs()?.map(|(name, _)| name.read::<String>());
///     assert_eq!(names.collect::<Result<Vec<_>, _>>()?, ["x", "y"]);
///     Ok(())
/// })?;
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone)]
pub struct Attrs<'g, 'a> {
    decoder: &'g Decoder<'g, 'a>,
    now: std::slice::Iter<'g, [NodeId; 2]>,
    next: &'g [[NodeId; 2]],
    /// What comes after, the last first.
    parts: Vec<&'g [[NodeId; 2]]>,
    depth: u32,
}

impl<'g, 'a> Iterator for Attrs<'g, 'a> {
    type Item = (Item<'g, 'a>, Item<'g, 'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(&[key, value]) = self.now.next() {
                let item = |id| Item::new(self.decoder, id, self.depth);
                return Some((item(key), item(value)));
            }
            if self.next.is_empty() {
                self.next = self.parts.pop()?;
            }
            self.now = std::mem::take(&mut self.next).iter();
        }
    }
}

impl fmt::Debug for Attrs<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.clone()).finish()
    }
}

/// Where in a container a value is: for errors.
pub(crate) trait Within<T> {
    /// In the so-manieth item.
    fn in_item(self, index: usize, item: Item<'_, '_>) -> Result<T, Error>;
    /// In the value of a key.
    fn in_value(self, key: Item<'_, '_>, value: Item<'_, '_>) -> Result<T, Error>;
    /// In a key.
    fn in_key(self, key: Item<'_, '_>) -> Result<T, Error>;
}

impl<T> Within<T> for Result<T, Error> {
    #[inline]
    fn in_item(self, index: usize, item: Item<'_, '_>) -> Result<T, Error> {
        self.map_err(|error| error.about(item.id()).within(Step::Index(index)))
    }

    #[inline]
    fn in_value(self, key: Item<'_, '_>, value: Item<'_, '_>) -> Result<T, Error> {
        self.map_err(|error| error.about(value.id()).within(Step::Key(key.repr())))
    }

    #[inline]
    fn in_key(self, key: Item<'_, '_>) -> Result<T, Error> {
        self.map_err(|error| error.about(key.id()).within(Step::InKey(key.repr())))
    }
}
