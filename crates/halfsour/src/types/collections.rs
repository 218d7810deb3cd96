//! The classes of Python's `collections`, as what they hold, in their order.

use std::collections::VecDeque;

use super::{Name, args, classes};
use crate::error::Error;
use crate::typed::views::Within;
use crate::typed::{FromPickle, Item};
use crate::writer::{Global, ToPickle, Writer};

/// `collections.OrderedDict`: keys and values in their order. Python writes each key once: what a hand-made
/// pickle has twice is here twice.
///
/// ```
/// use halfsour::types::OrderedDict;
/// let dict = OrderedDict(vec![("z", 1), ("a", 2)]);
/// let data = halfsour::to_vec(&dict)?;
/// assert_eq!(halfsour::from_slice::<OrderedDict<&str, i64>>(&data)?, dict);
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct OrderedDict<K, V>(pub Vec<(K, V)>);

/// `collections.defaultdict`: a factory, and keys and values in their order.
///
/// ```
/// use halfsour::types::{DefaultDict, Name};
/// let factory = Some(Name::new("builtins", "list"));
/// let dict = DefaultDict { factory, entries: vec![("z", vec![1, 2]), ("a", vec![])] };
/// let data = halfsour::to_vec(&dict)?;
/// assert_eq!(halfsour::from_slice::<DefaultDict<&str, Vec<i32>>>(&data)?, dict);
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DefaultDict<K, V> {
    /// What makes missing values: `builtins.list`, for one.
    pub factory: Option<Name>,
    /// The entries. Python writes each key once: what a hand-made pickle has twice is here twice.
    pub entries: Vec<(K, V)>,
}

/// `collections.Counter`: keys and how often they are there. Python writes `N` of any type.
///
/// ```
/// use halfsour::types::Counter;
/// // pickle.dumps(collections.Counter("egg"), 2)
/// let data = b"\x80\x02ccollections\nCounter\nq\0}q\x01(X\x01\0\0\0eq\x02K\x01X\x01\0\0\0gq\x03\
///     K\x02u\x85q\x04Rq\x05.";
/// let letters: Counter<char> = halfsour::from_slice(data)?;
/// assert_eq!(letters.0, [('e', 1), ('g', 2)]);
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counter<K, N = i64>(pub Vec<(K, N)>);

/// `collections.deque`
///
/// ```
/// use halfsour::types::Deque;
/// let last = Deque { items: [1, 2, 3].into(), maxlen: Some(3) };
/// assert_eq!(halfsour::from_slice::<Deque<i64>>(&halfsour::to_vec(&last)?)?, last);
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Deque<T> {
    /// The items.
    pub items: VecDeque<T>,
    /// How many there may be: of more, the last ones stay.
    pub maxlen: Option<usize>,
}

fn entry<'a, K: FromPickle<'a>, V: FromPickle<'a>>(
    (key, value): (Item<'_, 'a>, Item<'_, 'a>),
) -> Result<(K, V), Error> {
    Ok((K::from_pickle(key).in_key(key)?, V::from_pickle(value).in_value(key, value)?))
}

/// What a dict is made with, and what is put into it then.
fn entries<'a, K: FromPickle<'a>, V: FromPickle<'a>>(
    item: Item<'_, 'a>,
    content: Option<Item<'_, 'a>>,
) -> Result<Vec<(K, V)>, Error> {
    let mut entries = match content {
        // What Python 2 wrote of an OrderedDict is a list of pairs.
        Some(pairs) if pairs.entries().is_err() => pairs.read()?,
        Some(dict) => dict.entries()?.map(entry).collect::<Result<Vec<_>, _>>()?,
        None => Vec::new(),
    };
    for put in item.dict_items()? {
        entries.push(entry(put)?);
    }
    Ok(entries)
}

impl<'a, K: FromPickle<'a>, V: FromPickle<'a>> FromPickle<'a> for OrderedDict<K, V> {
    fn from_pickle(item: Item<'_, 'a>) -> Result<OrderedDict<K, V>, Error> {
        let content = args::<OrderedDict<K, V>>(item, 0..=1)?.next();
        entries(item, content).map(OrderedDict)
    }
}

impl<K: ToPickle, V: ToPickle> ToPickle for OrderedDict<K, V> {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.unhashable("collections.OrderedDict")?;
        out.call(&Global::new("collections", "OrderedDict"), &[])?;
        out.set_items(self.0.iter().map(|(key, value)| (key, value)))
    }
}

impl<'a, K: FromPickle<'a>, V: FromPickle<'a>> FromPickle<'a> for DefaultDict<K, V> {
    fn from_pickle(item: Item<'_, 'a>) -> Result<DefaultDict<K, V>, Error> {
        let mut args = args::<DefaultDict<K, V>>(item, 0..=1)?;
        let factory = args.next().map(Item::read::<Option<Name>>).transpose()?.flatten();
        Ok(DefaultDict { factory, entries: entries(item, None)? })
    }
}

impl<K: ToPickle, V: ToPickle> ToPickle for DefaultDict<K, V> {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.unhashable("collections.defaultdict")?;
        let class = Global::new("collections", "defaultdict");
        match &self.factory {
            Some(factory) => out.call(&class, &[factory])?,
            None => out.call(&class, &[])?,
        }
        out.set_items(self.entries.iter().map(|(key, value)| (key, value)))
    }
}

impl<'a, K: FromPickle<'a>, N: FromPickle<'a>> FromPickle<'a> for Counter<K, N> {
    fn from_pickle(item: Item<'_, 'a>) -> Result<Counter<K, N>, Error> {
        let content = args::<Counter<K, N>>(item, 0..=1)?.next();
        entries(item, content).map(Counter)
    }
}

impl<K: ToPickle, N: ToPickle> ToPickle for Counter<K, N> {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.unhashable("Counter")?;
        out.call(&Global::new("collections", "Counter"), &[&Entries(&self.0)])
    }
}

/// A dict of these.
struct Entries<'e, K, V>(&'e [(K, V)]);

impl<K: ToPickle, V: ToPickle> ToPickle for Entries<'_, K, V> {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.dict(self.0.iter().map(|(key, value)| (key, value)))
    }
}

impl<'a, T: FromPickle<'a>> FromPickle<'a> for Deque<T> {
    fn from_pickle(item: Item<'_, 'a>) -> Result<Deque<T>, Error> {
        let mut args = args::<Deque<T>>(item, 0..=2)?;
        let mut items = match args.next() {
            Some(first) => VecDeque::from(first.read::<Vec<T>>()?),
            None => VecDeque::new(),
        };
        let maxlen = args.next().map(Item::read::<Option<usize>>).transpose()?.flatten();
        for (index, inner) in item.list_items()?.enumerate() {
            items.push_back(T::from_pickle(inner).in_item(index, inner)?);
        }
        let over = items.len().saturating_sub(maxlen.unwrap_or(usize::MAX));
        items.drain(..over);
        Ok(Deque { items, maxlen })
    }
}

impl<T: ToPickle> ToPickle for Deque<T> {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.unhashable("collections.deque")?;
        let class = Global::new("collections", "deque");
        match &self.maxlen {
            Some(maxlen) if isize::try_from(*maxlen).is_err() => {
                return Err(Error::custom("a deque's maxlen must fit isize"));
            }
            Some(maxlen) => out.call(&class, &[&Empty, maxlen])?,
            None => out.call(&class, &[])?,
        }
        let over = self.items.len().saturating_sub(self.maxlen.unwrap_or(usize::MAX));
        out.append_items(self.items.iter().skip(over))
    }
}

/// `()`
struct Empty;

impl ToPickle for Empty {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.tuple(&[])
    }
}

classes! {
    "collections" "OrderedDict" [K, V] OrderedDict<K, V>;
    "collections" "defaultdict" [K, V] DefaultDict<K, V>;
    "collections" "Counter" [K, N] Counter<K, N>;
    "collections" "deque" [T] Deque<T>;
}
