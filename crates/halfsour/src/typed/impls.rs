//! How the types of Rust's own library are read.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, Hash};
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

use super::views::Within;
use super::{FromPickle, Item, Items, Mapping};
use crate::error::{Error, Step};
use crate::graph::{Node, NodeId};
use crate::types::Deque;

/// At most so many bytes are set aside before there are values to fill them.
const AHEAD: usize = 1 << 20;

/// Room for so many values, as far as that is no matter.
fn room<T>(len: usize) -> usize {
    len.min(AHEAD / size_of::<T>().max(1))
}

/// Reads all items.
#[inline]
pub(super) fn collect<'g, 'a: 'g, T: FromPickle<'a>>(
    items: Items<'g, 'a>,
) -> Result<Vec<T>, Error> {
    let mut values = Vec::with_capacity(room::<T>(items.size_hint().0));
    for item in items.clone() {
        match T::from_pickle(item) {
            Ok(value) => values.push(value),
            // Which one it is about is found anew, so that the loop need not keep it.
            Err(error) => return Err(nth(error, values.len(), items)),
        }
    }
    Ok(values)
}

/// Reads all items of a sequence.
#[inline]
pub(super) fn sequence<'a, T: FromPickle<'a>>(item: Item<'_, 'a>) -> Result<Vec<T>, Error> {
    match item.node() {
        Node::Object(_) if item.is_list() => appended(item),
        Node::Object(_) if item.is_deque() => Ok(item.read::<Deque<T>>()?.items.into()),
        _ => collect(item.items()?),
    }
}

/// Reads the items that are appended to an instance.
#[cold]
fn appended<'a, T: FromPickle<'a>>(item: Item<'_, 'a>) -> Result<Vec<T>, Error> {
    // In one slice, since a loop for another iterator would be a second copy of the same code.
    let mut items = item.list_items()?.peekable();
    let Some(first) = items.peek().copied() else { return Ok(Vec::new()) };
    let ids: Vec<NodeId> = items.map(Item::id).collect();
    collect(first.beside(&ids))
}

/// An error about the so-manieth of some items.
#[cold]
fn nth<'g, 'a: 'g>(error: Error, index: usize, mut items: Items<'g, 'a>) -> Error {
    let error = match items.nth(index) {
        Some(item) => error.about(item.id()),
        None => error,
    };
    error.within(Step::Index(index))
}

macro_rules! ints {
    ($($int:ty)*) => {$(
        impl FromPickle<'_> for $int {
            #[inline]
            fn from_pickle(item: Item<'_, '_>) -> Result<$int, Error> {
                item.int()
            }
        }
    )*};
}

ints! { i8 i16 i32 i64 i128 isize u16 u32 u64 u128 usize }

impl<'a> FromPickle<'a> for u8 {
    #[inline]
    fn from_pickle(item: Item<'_, 'a>) -> Result<u8, Error> {
        item.int()
    }

    fn vec_from_pickle(item: Item<'_, 'a>) -> Result<Vec<u8>, Error> {
        if item.is_sequence() { sequence(item) } else { item.bytes().map(Cow::into_owned) }
    }
}

impl FromPickle<'_> for f64 {
    #[inline]
    fn from_pickle(item: Item<'_, '_>) -> Result<f64, Error> {
        item.float()
    }
}

/// Rounded to the nearest one; too large a number is an error, and not infinite.
impl FromPickle<'_> for f32 {
    #[inline]
    fn from_pickle(item: Item<'_, '_>) -> Result<f32, Error> {
        item.single()
    }
}

impl FromPickle<'_> for bool {
    #[inline]
    fn from_pickle(item: Item<'_, '_>) -> Result<bool, Error> {
        item.bool()
    }
}

/// None.
impl FromPickle<'_> for () {
    fn from_pickle(item: Item<'_, '_>) -> Result<(), Error> {
        if item.is_none() { Ok(()) } else { Err(item.expected("None")) }
    }
}

impl FromPickle<'_> for String {
    #[inline]
    fn from_pickle(item: Item<'_, '_>) -> Result<String, Error> {
        item.str().map(Cow::into_owned)
    }
}

impl FromPickle<'_> for Box<str> {
    fn from_pickle(item: Item<'_, '_>) -> Result<Box<str>, Error> {
        item.str().map(Into::into)
    }
}

/// Text of one character.
impl FromPickle<'_> for char {
    fn from_pickle(item: Item<'_, '_>) -> Result<char, Error> {
        let text = item.str()?;
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(char), None) => Ok(char),
            _ => Err(item.expected("a str of one character")),
        }
    }
}

impl<'a: 'b, 'b> FromPickle<'a> for &'b str {
    #[inline]
    fn from_pickle(item: Item<'_, 'a>) -> Result<&'b str, Error> {
        item.borrowed_str()
    }
}

impl<'a: 'b, 'b> FromPickle<'a> for &'b [u8] {
    #[inline]
    fn from_pickle(item: Item<'_, 'a>) -> Result<&'b [u8], Error> {
        item.borrowed_bytes()
    }
}

/// Borrowed if that is possible.
impl<'a: 'b, 'b> FromPickle<'a> for Cow<'b, str> {
    fn from_pickle(item: Item<'_, 'a>) -> Result<Cow<'b, str>, Error> {
        match item.borrowed_str() {
            Ok(text) => Ok(Cow::Borrowed(text)),
            Err(_) => item.str().map(|text| Cow::Owned(text.into_owned())),
        }
    }
}

/// Borrowed if that is possible.
impl<'a: 'b, 'b> FromPickle<'a> for Cow<'b, [u8]> {
    fn from_pickle(item: Item<'_, 'a>) -> Result<Cow<'b, [u8]>, Error> {
        super::bytes::FromBytes::from_bytes(item)
    }
}

impl<'a, T: FromPickle<'a>> FromPickle<'a> for Option<T> {
    #[inline]
    fn from_pickle(item: Item<'_, 'a>) -> Result<Option<T>, Error> {
        if item.is_none() { Ok(None) } else { T::from_pickle(item).map(Some) }
    }
}

impl<'a, T: FromPickle<'a>> FromPickle<'a> for Box<T> {
    fn from_pickle(item: Item<'_, 'a>) -> Result<Box<T>, Error> {
        item.decoder().pointed_to(item, T::from_pickle).map(Box::new)
    }
}

/// None of its content is in the pickle.
impl<T: ?Sized> FromPickle<'_> for PhantomData<T> {
    fn from_pickle(_: Item<'_, '_>) -> Result<PhantomData<T>, Error> {
        Ok(PhantomData)
    }
}

/// A tuple, a list, a set, a frozenset or a `collections.deque`; of `u8`, bytes too.
impl<'a, T: FromPickle<'a>> FromPickle<'a> for Vec<T> {
    #[inline]
    fn from_pickle(item: Item<'_, 'a>) -> Result<Vec<T>, Error> {
        T::vec_from_pickle(item)
    }
}

/// As a [`Vec`].
impl<'a, T: FromPickle<'a>> FromPickle<'a> for VecDeque<T> {
    fn from_pickle(item: Item<'_, 'a>) -> Result<VecDeque<T>, Error> {
        T::vec_from_pickle(item).map(Into::into)
    }
}

impl<'a, T: FromPickle<'a>> FromPickle<'a> for Box<[T]> {
    fn from_pickle(item: Item<'_, 'a>) -> Result<Box<[T]>, Error> {
        T::vec_from_pickle(item).map(Into::into)
    }
}

impl<'a, T: FromPickle<'a>, const N: usize> FromPickle<'a> for [T; N] {
    fn from_pickle(item: Item<'_, 'a>) -> Result<[T; N], Error> {
        let values = T::vec_from_pickle(item)?;
        values.try_into().map_err(|values: Vec<T>| {
            let found = format!("{} of {}", item.describe(), values.len());
            item.mismatch(format!("a list of {N}"), found)
        })
    }
}

macro_rules! tuples {
    ($($len:literal: $($name:ident)+;)*) => {$(
        impl<'a, $($name: FromPickle<'a>),+> FromPickle<'a> for ($($name,)+) {
            #[allow(unused_assignments, reason = "the last place is not used")]
            fn from_pickle(item: Item<'_, 'a>) -> Result<($($name,)+), Error> {
                let mut items = item.tuple_items($len)?;
                let mut index = 0;
                Ok(($({
                    // There are as many as the type has.
                    let Some(inner) = items.next() else { return Err(item.expected("a tuple")) };
                    let value = $name::from_pickle(inner).in_item(index, inner)?;
                    index += 1;
                    value
                },)+))
            }
        }
    )*};
}

tuples! {
    1: A;
    2: A B;
    3: A B C;
    4: A B C D;
    5: A B C D E;
    6: A B C D E F;
    7: A B C D E F G;
    8: A B C D E F G H;
    9: A B C D E F G H I;
    10: A B C D E F G H I J;
    11: A B C D E F G H I J K;
    12: A B C D E F G H I J K L;
}

fn entries<'a, K: FromPickle<'a>, V: FromPickle<'a>>(
    mapping: Mapping<'_, 'a>,
    mut insert: impl FnMut(K, V),
) -> Result<(), Error> {
    for (key, value) in mapping {
        key.charge_key()?;
        insert(K::from_pickle(key).in_key(key)?, V::from_pickle(value).in_value(key, value)?);
    }
    Ok(())
}

impl<'a, K, V, S> FromPickle<'a> for HashMap<K, V, S>
where
    K: FromPickle<'a> + Eq + Hash,
    V: FromPickle<'a>,
    S: BuildHasher + Default,
{
    fn from_pickle(item: Item<'_, 'a>) -> Result<HashMap<K, V, S>, Error> {
        let mapping = item.mapping()?;
        let room = room::<(K, V)>(mapping.size_hint().0);
        let mut map = HashMap::with_capacity_and_hasher(room, S::default());
        entries(mapping, |key, value| {
            map.insert(key, value);
        })?;
        Ok(map)
    }
}

impl<'a, K: FromPickle<'a> + Ord, V: FromPickle<'a>> FromPickle<'a> for BTreeMap<K, V> {
    fn from_pickle(item: Item<'_, 'a>) -> Result<BTreeMap<K, V>, Error> {
        let mut map = BTreeMap::new();
        entries(item.mapping()?, |key, value| {
            map.insert(key, value);
        })?;
        Ok(map)
    }
}

impl<'a, T: FromPickle<'a> + Eq + Hash, S: BuildHasher + Default> FromPickle<'a> for HashSet<T, S> {
    fn from_pickle(item: Item<'_, 'a>) -> Result<HashSet<T, S>, Error> {
        let items = item.set_items()?;
        let mut set = HashSet::with_capacity_and_hasher(room::<T>(items.len()), S::default());
        for inner in items {
            inner.charge_key()?;
            set.insert(T::from_pickle(inner).in_key(inner)?);
        }
        Ok(set)
    }
}

impl<'a, T: FromPickle<'a> + Ord> FromPickle<'a> for BTreeSet<T> {
    fn from_pickle(item: Item<'_, 'a>) -> Result<BTreeSet<T>, Error> {
        let read = |inner: Item<'_, 'a>| inner.charge_key().and_then(|()| T::from_pickle(inner));
        item.set_items()?.map(|inner| read(inner).in_key(inner)).collect()
    }
}

/// What references to one object share.
fn shared<'a, P: Clone + 'static>(
    item: Item<'_, 'a>,
    make: impl FnOnce(Item<'_, 'a>) -> Result<P, Error>,
) -> Result<P, Error> {
    if let Some(shared) = item.decoder().shared(item.id()) {
        return Ok(shared);
    }
    let value = make(item)?;
    item.decoder().share(item.id(), &value);
    Ok(value)
}

macro_rules! pointers {
    ($($pointer:ident)*) => {$(
        /// References to one object are clones of one pointer.
        impl<'a, T: FromPickle<'a> + 'static> FromPickle<'a> for $pointer<T> {
            fn from_pickle(item: Item<'_, 'a>) -> Result<$pointer<T>, Error> {
                shared(item, |item| {
                    item.decoder().pointed_to(item, T::from_pickle).map($pointer::new)
                })
            }
        }

        /// References to one object are clones of one pointer.
        impl<'a> FromPickle<'a> for $pointer<str> {
            fn from_pickle(item: Item<'_, 'a>) -> Result<$pointer<str>, Error> {
                shared(item, |item| item.str().map(Into::into))
            }
        }

        /// References to one object are clones of one pointer.
        impl<'a, T: FromPickle<'a> + 'static> FromPickle<'a> for $pointer<[T]> {
            fn from_pickle(item: Item<'_, 'a>) -> Result<$pointer<[T]>, Error> {
                shared(item, |item| T::vec_from_pickle(item).map(Into::into))
            }
        }
    )*};
}

pointers! { Rc Arc }
