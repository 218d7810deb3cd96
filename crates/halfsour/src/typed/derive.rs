//! What derived code calls. Not for others: it changes with the macros.

use super::class::expected_class;
use super::item::with_article;
use super::{Class, Entries, Item, Items};
use crate::error::{Error, ErrorKind, Shown, Step};
use crate::graph::{Node, NodeId};
use crate::writer::{Global, ToPickle, Writer};

pub use super::bytes::{FromBytes, ToBytes};

/// Whether the item is an instance of the class.
#[inline]
pub fn check<T: Class>(item: Item<'_, '_>) -> Result<(), Error> {
    if item.is::<T>() { Ok(()) } else { Err(expected_class::<T>(item)) }
}

/// An error in an attribute.
#[cold]
pub fn within(error: Error, name: &str, item: Item<'_, '_>) -> Error {
    error.about(item.id()).within(Step::Attr(name.into()))
}

/// What must be there.
#[inline]
pub fn required<T>(value: Option<T>, name: &str) -> Result<T, Error> {
    value.ok_or_else(|| ErrorKind::Missing { name: name.into() }.into())
}

/// An attribute that the type does not have.
#[cold]
pub fn unknown(item: Item<'_, '_>, key: Item<'_, '_>) -> Error {
    let found = format!("{} with {}", item.describe(), key.repr());
    key.mismatch("no other attributes".into(), found)
}

/// More arguments than the type has.
#[cold]
pub fn too_many_args(item: Item<'_, '_>) -> Error {
    let found = format!("{} with more", item.describe());
    item.mismatch("no other arguments".into(), found)
}

/// An error if something was appended to an instance, or put into it.
pub fn check_no_contents(item: Item<'_, '_>) -> Result<(), Error> {
    if item.list_items()?.next().is_none() && item.dict_items()?.next().is_none() {
        return Ok(());
    }
    let found = format!("{} with some", item.describe());
    Err(item.mismatch("no items or entries".into(), found))
}

/// More values in a state than the type has.
#[cold]
pub fn too_many_values(item: Item<'_, '_>) -> Error {
    let found = format!("{} with more", item.describe());
    item.mismatch("no other values".into(), found)
}

/// The values of a state that is a list of them.
pub fn listed<'g, 'a>(item: Item<'g, 'a>) -> Result<Option<Items<'g, 'a>>, Error> {
    item.state()?.listed()
}

/// Gives an instance a state that is a list. What is empty is no state to protocols 0 and 1, to Python
/// neither.
pub fn build_of_list(values: &[&dyn ToPickle], out: &mut Writer<'_>) -> Result<(), Error> {
    if values.is_empty() && out.protocol() < 2 {
        return Ok(());
    }
    out.build(|out| out.list(values))
}

/// Gives an instance a state that is a dict of slots, which a function writes.
pub fn build_of_slots<'w>(
    out: &mut Writer<'w>,
    slots: impl FnOnce(&mut Writer<'w>) -> Result<(), Error>,
) -> Result<(), Error> {
    out.build_pair(Writer::none, slots)
}

/// Writes a new instance of a class, made without arguments.
pub fn new(class: &Global<'_>, out: &mut Writer<'_>) -> Result<(), Error> {
    out.new_plain(class)
}

/// The entries of a dict, or of what is as good as one: those are gathered, so that the loop over
/// them is the same.
#[inline]
pub fn entries<'i, 'g: 'i, 'a>(
    item: Item<'g, 'a>,
    room: &'i mut Vec<[NodeId; 2]>,
) -> Result<Entries<'i, 'a>, Error> {
    match item.node() {
        Node::Object(_) => item.gathered(room),
        _ => item.entries(),
    }
}

/// The full name of a class.
#[cold]
pub fn class_name<T: Class>() -> String {
    format!("{}.{}", T::MODULE, T::NAME)
}

/// An instance of none of the classes.
#[cold]
pub fn none_of(item: Item<'_, '_>, classes: &[String]) -> Error {
    let all: Vec<String> = classes.iter().map(with_article).collect();
    item.expected(all.join(" or "))
}

/// A member of an enum: by its value, `Color(1)`, or by its name, `getattr(Color, "RED")`.
pub enum Member<'g, 'a> {
    /// Its value.
    Value(Item<'g, 'a>),
    /// Its name.
    Name(String),
}

/// Takes a member of an enum apart.
pub fn member<'g, 'a, T: Class>(item: Item<'g, 'a>) -> Result<Member<'g, 'a>, Error> {
    let error = || item.expected(format!("a member of {}.{}", T::MODULE, T::NAME));
    if item.is::<T>() {
        return match item.args()?.next() {
            Some(value) => Ok(Member::Value(value)),
            None => Err(error()),
        };
    }
    // By its name in its class, `getattr(Color, "RED")`; in its module, as enum.global_enum has it.
    match item.global_name() {
        Some(global) if global.module == T::MODULE => {
            let inner = global.name.strip_prefix(T::NAME).and_then(|rest| rest.strip_prefix('.'));
            Ok(Member::Name(inner.unwrap_or(&global.name).into()))
        }
        _ => Err(error()),
    }
}

/// Whether a member has this name.
pub fn is_named(member: &Member<'_, '_>, name: &str) -> bool {
    matches!(member, Member::Name(found) if found == name)
}

/// Whether a member has this value.
pub fn is_int(member: &Member<'_, '_>, int: i64) -> bool {
    matches!(member, Member::Value(value) if value.node() == Node::Int(int))
}

/// Whether a member has this value.
pub fn is_str(member: &Member<'_, '_>, text: &str) -> bool {
    matches!(member, Member::Value(value) if value.name() == Some(text.as_bytes()))
}

/// A member that the type does not have.
#[cold]
pub fn no_member<T: Class>(member: &Member<'_, '_>) -> Error {
    let found = match member {
        Member::Value(value) => format!("{}({})", T::NAME, value.repr()),
        Member::Name(name) => format!("{}.{}", T::NAME, Shown(name)),
    };
    let expected = format!("a member of {}.{}", T::MODULE, T::NAME);
    ErrorKind::Expected { expected, found }.into()
}

/// What is written as bytes.
pub struct AsBytes<'v, T: ?Sized>(pub &'v T);

impl<T: ToBytes + ?Sized> ToPickle for AsBytes<'_, T> {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        match self.0.to_bytes() {
            Some(bytes) => out.bytes(bytes),
            None => out.none(),
        }
    }
}

/// What is written by a function.
pub struct With<F>(pub F);

impl<F: Fn(&mut Writer<'_>) -> Result<(), Error>> ToPickle for With<F> {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        self.0(out)
    }
}

/// A string constant of a program.
pub struct Name(pub &'static str);

impl ToPickle for Name {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.name(self.0)
    }
}
