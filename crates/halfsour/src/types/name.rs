//! What Python knows by a name: classes, functions, members of enums.

use std::fmt;

use super::as_any;
use crate::error::{Error, ErrorKind};
use crate::typed::{ClassName, FromPickle, Item};
use crate::writer::{Global, ToPickle, Writer};

/// A class or a function, by its module and its qualified name in it.
///
/// ```
/// use halfsour::types::Name;
/// let name = Name::new("collections", "OrderedDict");
/// assert_eq!(halfsour::from_slice::<Name>(&halfsour::to_vec(&name)?)?, name);
/// assert_eq!(name.to_string(), "collections.OrderedDict");
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// The module.
    pub module: String,
    /// The qualified name, for a class in a class with a dot.
    pub name: String,
}

impl Name {
    /// From both parts.
    ///
    /// ```
    /// use halfsour::types::Name;
    /// let name: Name = halfsour::from_slice(b"capp\nOuter.Inner\n.")?;
    /// assert_eq!(name, Name::new("app", "Outer.Inner"));
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn new(module: impl Into<String>, name: impl Into<String>) -> Name {
        Name { module: module.into(), name: name.into() }
    }

    /// The names of a class that an item has.
    pub(super) fn copied(item: Item<'_, '_>, name: ClassName<'_>) -> Result<Name, Error> {
        item.copies(name.module.as_bytes())?;
        item.copies(name.name.as_bytes())?;
        Ok(Name::new(name.module, name.name))
    }

    pub(super) fn global(&self) -> Global<'_> {
        Global::new(&self.module, &self.name)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.module, self.name)
    }
}

impl FromPickle<'_> for Name {
    fn from_pickle(item: Item<'_, '_>) -> Result<Name, Error> {
        match item.global_name() {
            Some(name) => Name::copied(item, name),
            None => Err(item.expected("a class or a function")),
        }
    }
}

impl ToPickle for Name {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.save(&self.global())
    }

    as_any!();
}

/// A member of an enum of which there is no Rust type; for those that have one,
/// `#[derive(Pickle)]`.
///
/// ```
/// use halfsour::types::{Member, Name};
/// let color = Member::Value { class: Name::new("app", "Color"), value: 1 };
/// assert_eq!(halfsour::from_slice::<Member<i64>>(&halfsour::to_vec(&color)?)?, color);
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Member<V> {
    /// By its value, `Color(1)`: what `enum.Enum` does.
    Value {
        /// The enum.
        class: Name,
        /// The value.
        value: V,
    },
    /// By its name, `getattr(Color, "RED")`: what `enum.pickle_by_enum_name` does.
    Name {
        /// The enum.
        class: Name,
        /// The name.
        name: String,
    },
}

impl<'a, V: FromPickle<'a>> FromPickle<'a> for Member<V> {
    fn from_pickle(item: Item<'_, 'a>) -> Result<Member<V>, Error> {
        // What is seen through, or is a name of its own, has the member as its last part.
        if let Some(global) = item.global_name()
            && let Some((class, name)) = global.name.rsplit_once('.')
        {
            item.copies(global.module.as_bytes())?;
            item.copies(global.name.as_bytes())?;
            let class = Name::new(global.module, class);
            return Ok(Member::Name { class, name: name.into() });
        }
        let class = item.class().filter(|_| item.global_name().is_none());
        let class = class.ok_or_else(|| item.expected("a member of an enum"))?;
        let mut args = item.args()?;
        match (args.next(), args.next(), args.next()) {
            (Some(class_item), Some(name), None) if class.is("builtins", "getattr") => {
                Ok(Member::Name { class: class_item.read()?, name: name.read()? })
            }
            (Some(value), None, None) => {
                let class = Name::copied(item, class)?;
                Ok(Member::Value { class, value: value.read()? })
            }
            _ => Err(item.expected("a member of an enum")),
        }
    }
}

impl<V: ToPickle> ToPickle for Member<V> {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        match self {
            Member::Value { class, value } => out.call(&class.global(), &[value]),
            Member::Name { name, .. } if name.is_empty() => {
                Err(ErrorKind::Missing { name: "the member's name".into() }.into())
            }
            Member::Name { class, name } => {
                out.call(&Global::new("builtins", "getattr"), &[class, &Interned(name)])
            }
        }
    }
}

/// A name of something in the program: Python has it once.
pub(super) struct Interned<'n>(pub(super) &'n str);

impl ToPickle for Interned<'_> {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.interned(self.0).map(|_| ())
    }
}
