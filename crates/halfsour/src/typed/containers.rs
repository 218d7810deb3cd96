//! What a cursor reads of values that hold others: sequences, sets, dicts.

use super::item::{ClassName, Item};
use super::made::{Construction, Origin};
use super::views::{Entries, Items, Mapping, pair};
use crate::error::{Error, ErrorKind};
use crate::graph::{Effect, Node, NodeId, Object};

impl<'g, 'a> Item<'g, 'a> {
    /// Another node, at the same place: for what belongs to the value.
    pub(crate) fn at(self, id: NodeId) -> Item<'g, 'a> {
        Item { id, ..self }
    }

    /// Other nodes, each at the same place.
    pub(super) fn beside<'i>(self, ids: &'i [NodeId]) -> Items<'i, 'a>
    where
        'g: 'i,
    {
        Items { decoder: self.decoder, ids: ids.iter(), depth: self.depth }
    }

    #[inline]
    pub(super) fn enter(self, ids: &'g [NodeId]) -> Result<Items<'g, 'a>, Error> {
        let depth = self.decoder.enter(self.id, self.depth, ids.len())?;
        Ok(Items { decoder: self.decoder, ids: ids.iter(), depth })
    }

    #[inline]
    pub(super) fn enter_entries(
        self,
        entries: &'g [[NodeId; 2]],
    ) -> Result<Entries<'g, 'a>, Error> {
        let depth = self.decoder.enter(self.id, self.depth, 2 * entries.len())?;
        Ok(Entries { decoder: self.decoder, entries: entries.iter(), depth })
    }

    /// What a container is made from, where it is a call: `set([1, 2])`.
    pub(super) fn called_items(self, object: Object<'g>, kinds: &[&str]) -> Option<&'g [NodeId]> {
        let (name, args) = self.sight().call(object)?;
        if name.module != "builtins" || !kinds.contains(&&*name.name) || !object.effects.is_empty()
        {
            return None;
        }
        match args {
            [] => Some(&[]),
            [items] => match self.graph().get(*items) {
                Node::List(items) | Node::Tuple(items) => Some(items),
                _ => None,
            },
            _ => None,
        }
    }

    /// The items of a tuple, a list, a set or a frozenset; also of an instance of a subclass of
    /// `tuple`. What is appended to an instance is among its [`list_items`](Item::list_items).
    ///
    /// # Errors
    /// If it is anything else; or if it is too deep, or too much was visited: [`Limits`](crate::Limits).
    ///
    /// ```
    /// let graph = halfsour::load(b"K\x01K\x02\x86.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     let numbers: Result<Vec<u8>, _> = item.items()?.map(|item| item.int()).collect();
    ///     assert_eq!(numbers?, [1, 2]);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn items(self) -> Result<Items<'g, 'a>, Error> {
        match self.node() {
            Node::Tuple(ids) | Node::List(ids) | Node::Set(ids) | Node::FrozenSet(ids) => {
                self.enter(ids)
            }
            Node::Object(object) => {
                let called = self.called_items(object, &["tuple", "list", "set", "frozenset"]);
                match called.or_else(|| self.tuple_of(object, None)) {
                    Some(ids) => self.enter(ids),
                    None => Err(self.expected("a list")),
                }
            }
            _ => Err(self.expected("a list")),
        }
    }

    /// The items of a set or a frozenset.
    ///
    /// # Errors
    /// As [`items`](Item::items).
    ///
    /// ```
    /// let graph = halfsour::load(b"c__builtin__\nset\n](K\x01K\x02e\x85R.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     // set([1, 2]), as protocol 2 has it.
    ///     assert_eq!(item.set_items()?.len(), 2);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn set_items(self) -> Result<Items<'g, 'a>, Error> {
        match self.node() {
            Node::Set(ids) | Node::FrozenSet(ids) => self.enter(ids),
            Node::Object(object) => match self.called_items(object, &["set", "frozenset"]) {
                Some(ids) => self.enter(ids),
                None => Err(self.expected("a set")),
            },
            _ => Err(self.expected("a set")),
        }
    }

    /// The items of a tuple; of a list too, since other languages make no difference.
    ///
    /// # Errors
    /// As [`items`](Item::items); or if their number is another.
    ///
    /// ```
    /// let graph = halfsour::load(b"K\x01K\x02\x86.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert_eq!(item.tuple_items(2)?.len(), 2);
    ///     let error = item.tuple_items(3).unwrap_err();
    ///     assert_eq!(error.to_string(), "expected a tuple of 3, found a tuple of 2");
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn tuple_items(self, len: usize) -> Result<Items<'g, 'a>, Error> {
        match self.node() {
            Node::Tuple(ids) | Node::List(ids) if ids.len() == len => self.enter(ids),
            node => {
                let ids = match node {
                    Node::Tuple(ids) | Node::List(ids) => Some(ids),
                    Node::Object(object) => self.tuple_of(object, Some(len)),
                    _ => None,
                };
                match ids {
                    Some(ids) if ids.len() == len => self.enter(ids),
                    Some(ids) => {
                        let found = format!("{} of {}", self.describe(), ids.len());
                        Err(self.mismatch(format!("a tuple of {len}"), found))
                    }
                    None => Err(self.expected(format!("a tuple of {len}"))),
                }
            }
        }
    }

    /// Whether there is nothing to an instance but its class, so that it may be an empty list.
    fn is_bare(self, made: Construction<'_>, object: Object<'g>) -> bool {
        let no_args = made.args.is_empty() && made.kwargs.is_empty();
        made.origin == Origin::New && no_args && self.sight().is_untouched(object)
    }

    /// The items of an instance of a subclass of `tuple`: it is made with the whole tuple, or, as a
    /// namedtuple, with each of the items.
    fn tuple_of(self, object: Object<'g>, len: Option<usize>) -> Option<&'g [NodeId]> {
        let made = self.sight().construction(object)?;
        let untouched = made.kwargs.is_empty() && self.sight().is_untouched(object);
        if made.origin != Origin::New || !untouched {
            return None;
        }
        match (made.contents.map(|id| self.graph().get(id)), made.args) {
            (Some(Node::Tuple(items)), _) => Some(items),
            (None, &[whole]) if len != Some(1) => match self.graph().get(whole) {
                Node::Tuple(items) => Some(items),
                _ => Some(made.args),
            },
            (None, [_, ..]) => Some(made.args),
            _ => None,
        }
    }

    /// Whether it is a `collections.deque`.
    pub(super) fn is_deque(self) -> bool {
        self.class().is_some_and(|class| class.is("collections", "deque"))
    }

    /// Whether it is an instance of a subclass of `list`: it gets its items one by one.
    pub(super) fn is_list(self) -> bool {
        let Node::Object(object) = self.node() else { return false };
        let Some(made) = self.sight().construction(object) else { return false };
        if made.origin == Origin::Call {
            return false;
        }
        let is_item = |effect: &Effect| matches!(effect, Effect::Append(_) | Effect::Add(_));
        match made.contents.map(|id| self.graph().get(id)) {
            None => object.effects.iter().any(is_item) || self.is_bare(made, object),
            contents => matches!(contents, Some(Node::List(_) | Node::Set(_))),
        }
    }

    /// An item of a tuple, a list or a set, by its place.
    ///
    /// # Errors
    /// As [`items`](Item::items); or if there is none.
    ///
    /// ```
    /// let graph = halfsour::load(b"K\x01K\x02\x86.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert_eq!(item.get(1)?.int::<u8>()?, 2);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn get(self, index: usize) -> Result<Item<'g, 'a>, Error> {
        self.items()?
            .nth(index)
            .ok_or_else(|| self.error(ErrorKind::Missing { name: format!("item {index}") }))
    }

    /// The entries of a dict: keys with values, in Python's order.
    ///
    /// # Errors
    /// If it is anything else; or as [`items`](Item::items).
    ///
    /// ```
    /// let graph = halfsour::load(b"}(\x8c\x01aK\x01\x8c\x01bK\x02u.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     for (key, value) in item.entries()? {
    ///         println!("{}: {}", key.str()?, value.int::<u8>()?);
    ///     }
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn entries(self) -> Result<Entries<'g, 'a>, Error> {
        match self.node() {
            Node::Dict(entries) => self.enter_entries(entries),
            _ => Err(self.expected("a dict")),
        }
    }

    /// The entries of a mapping, gathered in one slice.
    #[cold]
    pub(super) fn gathered<'i>(
        self,
        room: &'i mut Vec<[NodeId; 2]>,
    ) -> Result<Entries<'i, 'a>, Error>
    where
        'g: 'i,
    {
        let mapping = self.mapping()?;
        let (decoder, depth) = (mapping.decoder, mapping.depth);
        room.extend(mapping.map(|(key, value)| [key.id, value.id]));
        Ok(Entries { decoder, entries: room.iter(), depth })
    }

    /// The entries of a dict, of an instance of a subclass, or of what the standard library has
    /// instead: `OrderedDict`, `defaultdict`, `Counter`.
    ///
    /// # Errors
    /// As [`entries`](Item::entries).
    ///
    /// ```
    /// // pickle.dumps(collections.OrderedDict(a=1), 2)
    /// let data = b"\x80\x02ccollections\nOrderedDict\nq\0)Rq\x01X\x01\0\0\0aq\x02K\x01s.";
    /// let map: std::collections::BTreeMap<&str, u8> = halfsour::from_slice(data)?;
    /// assert_eq!(map["a"], 1);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn mapping(self) -> Result<Mapping<'g, 'a>, Error> {
        let (mut entries, mut pairs, mut effects) = (&[][..], &[][..], &[][..]);
        match self.node() {
            Node::Dict(dict) => entries = dict,
            Node::Object(object) => match (self.class(), self.construction()) {
                (Some(ClassName { module: "collections", name }), Some(made))
                    if matches!(&*name, "OrderedDict" | "defaultdict" | "Counter") =>
                {
                    effects = object.effects;
                    // The first argument of a defaultdict is what makes its values.
                    let given = match (&*name, made.args) {
                        (_, []) | ("defaultdict", [_]) => None,
                        ("OrderedDict" | "Counter", [given]) | ("defaultdict", [_, given]) => {
                            Some(self.graph().get(*given))
                        }
                        _ => return Err(self.expected("a dict")),
                    };
                    match given {
                        None => {}
                        Some(Node::Dict(dict)) => entries = dict,
                        // As Python 2 has it. To a Counter these are no entries.
                        Some(Node::List(list) | Node::Tuple(list))
                            if name != "Counter"
                                && list.iter().all(|id| pair(self.graph(), *id).is_some()) =>
                        {
                            pairs = list;
                        }
                        _ => return Err(self.expected("a dict")),
                    }
                }
                (_, Some(made)) if made.origin != Origin::Call => {
                    let is_entry = |effect: &Effect| matches!(effect, Effect::SetItem(..));
                    match made.contents.map(|id| self.graph().get(id)) {
                        Some(Node::Dict(dict)) => entries = dict,
                        None if object.effects.iter().any(is_entry)
                            || self.is_bare(made, object) => {}
                        _ => return Err(self.expected("a dict")),
                    }
                    effects = object.effects;
                }
                _ => return Err(self.expected("a dict")),
            },
            _ => return Err(self.expected("a dict")),
        }
        let all = 2 * (entries.len() + pairs.len() + effects.len());
        let depth = self.decoder.enter(self.id, self.depth, all)?;
        Ok(Mapping {
            decoder: self.decoder,
            entries: entries.iter(),
            pairs: pairs.iter(),
            effects: effects.iter(),
            depth,
        })
    }
}
