//! Exceptions: a class, the arguments it was raised with, and what else it holds.

use super::name::Interned;
use super::{Name, as_any};
use crate::error::Error;
use crate::graph::Node;
use crate::typed::views::Within;
use crate::typed::{FromPickle, Item};
use crate::writer::{ToPickle, Writer};

/// An exception, of whichever class. Python pickles neither its traceback nor its cause.
///
/// ```
/// use halfsour::types::{Arg, Exception, Name};
/// // pickle.dumps(ValueError("not so"))
/// let data = b"\x80\x04\x95\x28\0\0\0\0\0\0\0\x8c\x08builtins\x94\x8c\nValueError\x94\x93\x94\
///     \x8c\x06not so\x94\x85\x94R\x94.";
/// let error: Exception = halfsour::from_slice(data)?;
/// assert_eq!(error.class, Name::new("builtins", "ValueError"));
/// assert_eq!(error.args, [Arg::Str("not so".into())]);
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Exception<T = Arg> {
    /// The exception's class.
    pub class: Name,
    /// The arguments.
    pub args: Vec<T>,
    /// The attributes that it was given: its notes, or what a class of its own adds.
    pub attrs: Vec<(String, T)>,
}

/// What an exception is made with, most often.
///
/// ```
/// use halfsour::types::{Arg, Exception};
/// // pickle.dumps(OSError(2, "no"))
/// let data = b"\x80\x04\x95\x2d\0\0\0\0\0\0\0\x8c\x08builtins\x94\x8c\x11FileNotFoundError\x94\
///     \x93\x94K\x02\x8c\x02no\x94\x86\x94R\x94.";
/// let error: Exception = halfsour::from_slice(data)?;
/// assert_eq!(error.args, [Arg::Int(2), Arg::Str("no".into())]);
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Arg {
    /// None.
    None,
    /// A bool.
    Bool(bool),
    /// An int of 64 bits.
    Int(i64),
    /// A float.
    Float(f64),
    /// Text.
    Str(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A tuple.
    Tuple(Vec<Arg>),
    /// A list, as notes are.
    List(Vec<Arg>),
}

impl FromPickle<'_> for Arg {
    fn from_pickle(item: Item<'_, '_>) -> Result<Arg, Error> {
        Ok(match item.node() {
            Node::None => Arg::None,
            Node::Bool(value) => Arg::Bool(value),
            Node::Int(_) | Node::BigInt(_) => Arg::Int(item.int()?),
            Node::Float(value) => Arg::Float(value),
            Node::Str(_) => Arg::Str(item.read()?),
            Node::OldStr(bytes) => match item.str() {
                Ok(text) => Arg::Str(text.into_owned()),
                Err(_) => Arg::Bytes(bytes.into()),
            },
            Node::Tuple(_) => Arg::Tuple(item.read()?),
            Node::List(_) => Arg::List(item.read()?),
            _ => Arg::Bytes(item.bytes().map_err(|_| item.expected("plain data"))?.into_owned()),
        })
    }
}

impl ToPickle for Arg {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        match self {
            Arg::None => out.none(),
            Arg::Bool(value) => out.bool(*value),
            Arg::Int(value) => out.int(*value),
            Arg::Float(value) => out.float(*value),
            Arg::Str(text) => out.str(text),
            Arg::Bytes(bytes) => out.bytes(bytes),
            Arg::Tuple(items) => out.save(&Tuple(items)),
            Arg::List(items) => out.list(items),
        }
    }

    as_any!();
}

/// A tuple of these.
struct Tuple<'t, T>(&'t [T]);

impl<T: ToPickle> ToPickle for Tuple<'_, T> {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.tuple_with(self.0.len(), |tuple| self.0.iter().try_for_each(|item| tuple.item(item)))
    }
}

impl<'a, T: FromPickle<'a>> FromPickle<'a> for Exception<T> {
    fn from_pickle(item: Item<'_, 'a>) -> Result<Exception<T>, Error> {
        // The class itself is no instance.
        let class = item.class().filter(|_| item.global_name().is_none());
        let class = class.ok_or_else(|| item.expected("an exception"))?;
        let class = Name::copied(item, class)?;
        let mut args = Vec::new();
        for (index, arg) in item.args()?.enumerate() {
            args.push(arg.read().in_item(index, arg)?);
        }
        let mut attrs = Vec::new();
        for (name, value) in item.state()?.attrs()? {
            attrs.push((name.read().in_key(name)?, value.read().in_value(name, value)?));
        }
        Ok(Exception { class, args, attrs })
    }
}

impl<T: ToPickle> ToPickle for Exception<T> {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        let args: Vec<&dyn ToPickle> = self.args.iter().map(|arg| arg as &dyn ToPickle).collect();
        out.call(&self.class.global(), &args)?;
        if self.attrs.is_empty() {
            return Ok(());
        }
        out.build(|out| out.dict(self.attrs.iter().map(|(name, value)| (Interned(name), value))))
    }
}
