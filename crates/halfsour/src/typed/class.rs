//! Types that are classes of Python: their names, the hooks that build them, and a registry.

use std::any::Any;
use std::fmt;
use std::ops::{Deref, DerefMut};

use hashbrown::HashMap;

use super::item::with_article;
use super::{Entries, FromPickle, FromPickleOwned, Item, Items, State};
use crate::error::Error;
use crate::writer::{Global, ToPickle, Writer};

/// A type that is a class of Python.
///
/// `#[derive(Pickle)]` implements it, from `#[pickle(module = "...", name = "...", alias = "...")]`.
///
/// ```
/// use halfsour::typed::{Class, Unpickler};
///
/// struct Order;
///
/// impl Class for Order {
///     const MODULE: &'static str = "shop.models";
///     const NAME: &'static str = "Order";
///     const ALIASES: &'static [&'static str] = &["shop.Order"];
/// }
///
/// let graph = halfsour::load(b"cshop\nOrder\n)\x81.")?;
/// assert!(Unpickler::new().read(&graph, |item| Ok(item.is::<Order>()))?);
/// # Ok::<(), halfsour::Error>(())
/// ```
pub trait Class {
    /// The module in which Python finds the class.
    const MODULE: &'static str;
    /// The qualified name of the class in its module.
    const NAME: &'static str;
    /// Names that it had, with their modules: `old.models.Order`. They are read, not written.
    const ALIASES: &'static [&'static str] = &[];
}

macro_rules! pointers {
    ($($pointer:ty)*) => {$(
        /// The class of the content.
        impl<T: Class> Class for $pointer {
            const MODULE: &'static str = T::MODULE;
            const NAME: &'static str = T::NAME;
            const ALIASES: &'static [&'static str] = T::ALIASES;
        }
    )*};
}

pointers! { Box<T> std::rc::Rc<T> std::sync::Arc<T> }

/// The hooks that make an instance, of a class that is written by hand; named after those of Python.
///
/// With [`class!`](crate::class!) the type can be read like any other. Instances are made as the pickle says: first [`new`](Hooks::new), then what was put into it, then its state.
///
/// ```
/// use halfsour::typed::{Class, Entries, Hooks, Item, Items, State};
/// use halfsour::Error;
///
/// /// `class Stack(list)`, with a name.
/// #[derive(Debug, PartialEq)]
/// struct Stack { name: String, items: Vec<i64> }
///
/// impl Class for Stack {
///     const MODULE: &'static str = "app";
///     const NAME: &'static str = "Stack";
/// }
///
/// impl Hooks for Stack {
///     fn new(_: Items<'_, '_>, _: Entries<'_, '_>) -> Result<Stack, Error> {
///         Ok(Stack { name: String::new(), items: Vec::new() })
///     }
///     fn append(&mut self, item: Item<'_, '_>) -> Result<(), Error> {
///         self.items.push(item.int()?);
///         Ok(())
///     }
///     fn setstate(&mut self, state: State<'_, '_>) -> Result<(), Error> {
///         if let Some(name) = state.attr("name")? {
///             self.name = name.str()?.into_owned();
///         }
///         Ok(())
///     }
/// }
///
/// halfsour::class!(Stack: read);
///
/// let data = b"\x80\x02capp\nStack\n)\x81(K\x01K\x02e}X\x04\0\0\0nameX\x01\0\0\0ssb.";
/// let stack: Stack = halfsour::from_slice(data)?;
/// assert_eq!(stack, Stack { name: "s".into(), items: vec![1, 2] });
/// # Ok::<(), Error>(())
/// ```
pub trait Hooks: Class + Sized {
    /// `__new__`: makes an instance of what `__getnewargs_ex__` returned.
    ///
    /// # Errors
    /// If the arguments are wrong.
    fn new(args: Items<'_, '_>, kwargs: Entries<'_, '_>) -> Result<Self, Error>;

    /// `__setstate__`: called if the instance has a state that is not None.
    ///
    /// # Errors
    /// If the state is wrong; without this method, in any case.
    fn setstate(&mut self, state: State<'_, '_>) -> Result<(), Error> {
        let _ = state;
        Err(takes_no::<Self>("state"))
    }

    /// `append`, or `add`: called for each item of what is a list or a set too.
    ///
    /// # Errors
    /// If the item is wrong; without this method, in any case.
    fn append(&mut self, item: Item<'_, '_>) -> Result<(), Error> {
        let _ = item;
        Err(takes_no::<Self>("items"))
    }

    /// `extend`: called with all items at once.
    ///
    /// # Errors
    /// As [`append`](Hooks::append).
    ///
    /// ```
    /// use halfsour::typed::{Class, Entries, Hooks, Item, Items};
    /// use halfsour::Error;
    /// # #[derive(Debug, PartialEq)]
    /// /// A sum, and how many calls it took.
    /// struct Sum { sum: i64, calls: u32 }
    /// # impl Class for Sum {
    /// #     const MODULE: &'static str = "app";
    /// #     const NAME: &'static str = "Sum";
    /// # }
    /// impl Hooks for Sum {
    ///     fn new(_: Items<'_, '_>, _: Entries<'_, '_>) -> Result<Sum, Error> {
    ///         Ok(Sum { sum: 0, calls: 0 })
    ///     }
    ///     fn extend<'g, 'a: 'g>(
    ///         &mut self,
    ///         items: impl Iterator<Item = Item<'g, 'a>>,
    ///     ) -> Result<(), Error> {
    ///         self.calls += 1;
    ///         self.sum = items.map(|item| item.int::<i64>()).sum::<Result<_, _>>()?;
    ///         Ok(())
    ///     }
    /// }
    /// halfsour::class!(Sum: read);
    /// let sum: Sum = halfsour::from_slice(b"capp\nSum\n)\x81(K\x01K\x02e.")?;
    /// assert_eq!(sum, Sum { sum: 3, calls: 1 });
    /// # Ok::<(), Error>(())
    /// ```
    fn extend<'g, 'a: 'g>(
        &mut self,
        items: impl Iterator<Item = Item<'g, 'a>>,
    ) -> Result<(), Error> {
        items.into_iter().try_for_each(|item| self.append(item))
    }

    /// `__setitem__`: called for each entry of what is a dict too.
    ///
    /// # Errors
    /// If the entry is wrong; without this method, in any case.
    ///
    /// ```
    /// use halfsour::typed::{Class, Entries, Hooks, Item, Items};
    /// use halfsour::Error;
    /// /// `class Table(dict)`
    /// struct Table(Vec<(String, i64)>);
    /// # impl Class for Table {
    /// #     const MODULE: &'static str = "app";
    /// #     const NAME: &'static str = "Table";
    /// # }
    /// impl Hooks for Table {
    ///     fn new(_: Items<'_, '_>, _: Entries<'_, '_>) -> Result<Table, Error> {
    ///         Ok(Table(Vec::new()))
    ///     }
    ///     fn set_item(&mut self, key: Item<'_, '_>, value: Item<'_, '_>) -> Result<(), Error> {
    ///         self.0.push((key.read()?, value.int()?));
    ///         Ok(())
    ///     }
    /// }
    /// halfsour::class!(Table: read);
    /// let table: Table = halfsour::from_slice(b"capp\nTable\n)\x81\x8c\x01xK\x07s.")?;
    /// assert_eq!(table.0, [("x".into(), 7)]);
    /// # Ok::<(), Error>(())
    /// ```
    fn set_item(&mut self, key: Item<'_, '_>, value: Item<'_, '_>) -> Result<(), Error> {
        let _ = (key, value);
        Err(takes_no::<Self>("entries"))
    }
}

#[cold]
fn takes_no<T: Class>(what: &str) -> Error {
    Error::custom(format_args!("{}.{} takes no {what}", T::MODULE, T::NAME))
}

/// The error that an item is no instance of a class.
#[cold]
pub(super) fn expected_class<T: Class>(item: Item<'_, '_>) -> Error {
    item.expected(with_article(format_args!("{}.{}", T::MODULE, T::NAME)))
}

/// Reads an instance with its hooks: what [`class!`](crate::class!) has `from_pickle` do.
///
/// # Errors
/// If the item is no instance of the class, or what the hooks say.
///
/// ```
/// use halfsour::typed::{Class, Entries, Hooks, Item, Items, read_class};
/// use halfsour::{Error, FromPickle};
/// # #[derive(Debug, PartialEq)]
/// # struct Even(u8);
/// # impl Class for Even {
/// #     const MODULE: &'static str = "app";
/// #     const NAME: &'static str = "Even";
/// # }
/// # impl Hooks for Even {
/// #     fn new(mut args: Items<'_, '_>, _: Entries<'_, '_>) -> Result<Even, Error> {
/// #         Ok(Even(args.next().ok_or_else(|| Error::custom("no number"))?.int()?))
/// #     }
/// # }
/// /// A class with hooks, and a check for which the item is needed.
/// impl FromPickle<'_> for Even {
///     fn from_pickle(item: Item<'_, '_>) -> Result<Even, Error> {
///         let even: Even = read_class(item)?;
///         if even.0 % 2 == 0 { Ok(even) } else { Err(item.expected("an even number")) }
///     }
/// }
/// assert_eq!(halfsour::from_slice::<Even>(b"capp\nEven\nK\x04\x85\x81.")?, Even(4));
/// let error = halfsour::from_slice::<Even>(b"capp\nEven\nK\x05\x85\x81.").unwrap_err();
/// assert_eq!(error.to_string(), "expected an even number, found an app.Even at root");
/// # Ok::<(), Error>(())
/// ```
pub fn read_class<T: Hooks>(item: Item<'_, '_>) -> Result<T, Error> {
    if !item.is::<T>() {
        return Err(expected_class::<T>(item));
    }
    let mut instance = T::new(item.args()?, item.kwargs()?)?;
    let mut items = item.list_items()?.peekable();
    if items.peek().is_some() {
        instance.extend(items)?;
    }
    for (key, value) in item.dict_items()? {
        instance.set_item(key, value)?;
    }
    let state = item.state()?;
    if state.value().is_some_and(|state| !state.is_none()) {
        instance.setstate(state)?;
    }
    Ok(instance)
}

/// A value that a hook returns: one of the object's own, or one that was made for it.
///
/// ```
/// use halfsour::typed::Value;
/// let values: [Value<'_>; 2] = [Box::new("spam"), Box::new(7)];
/// let data = halfsour::to_vec(&values)?;
/// assert!(data.ends_with(b"]\x94(\x8c\x04spam\x94K\x07e."));
/// # Ok::<(), halfsour::Error>(())
/// ```
pub type Value<'v> = Box<dyn ToPickle + 'v>;

/// What `__getstate__` returns.
///
/// ```
/// use halfsour::typed::{Class, GetState, Reduce};
///
/// /// An instance of a class with `__slots__ = "x"`.
/// struct Slotted(i32);
///
/// impl Class for Slotted {
///     const MODULE: &'static str = "app";
///     const NAME: &'static str = "Slotted";
/// }
///
/// impl Reduce for Slotted {
///     fn getstate(&self) -> GetState<'_> {
///         GetState::Slots(vec![], vec![("x", Box::new(self.0))])
///     }
/// }
///
/// halfsour::class!(Slotted: write);
///
/// let data = halfsour::to_vec(&Slotted(7))?;
/// assert!(data.ends_with(b")\x81\x94N}\x94\x8c\x01x\x94K\x07s\x86\x94b."));
/// # Ok::<(), halfsour::Error>(())
/// ```
#[non_exhaustive]
pub enum GetState<'v> {
    /// None: there is no state.
    None,
    /// The attributes.
    Dict(Vec<(&'static str, Value<'v>)>),
    /// The attributes that are in a dict, and those that are in slots.
    Slots(Vec<(&'static str, Value<'v>)>, Vec<(&'static str, Value<'v>)>),
    /// Anything else, which the class's `__setstate__` knows.
    Any(Value<'v>),
}

impl fmt::Debug for GetState<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GetState::None => "None",
            GetState::Dict(_) => "Dict",
            GetState::Slots(..) => "Slots",
            GetState::Any(_) => "Any",
        })
    }
}

/// The hooks that say what is in an instance, of a class that is written by hand; named after those of
/// Python.
///
/// ```
/// use halfsour::typed::{Class, GetState, Reduce, Value};
///
/// /// `class Stack(list)`, with a name.
/// struct Stack { name: String, items: Vec<i64> }
///
/// impl Class for Stack {
///     const MODULE: &'static str = "app";
///     const NAME: &'static str = "Stack";
/// }
///
/// impl Reduce for Stack {
///     fn getstate(&self) -> GetState<'_> {
///         GetState::Dict(vec![("name", Box::new(&self.name))])
///     }
///     fn listitems(&self) -> Option<impl Iterator<Item = Value<'_>>> {
///         Some(self.items.iter().map(|item| Box::new(item) as Value<'_>))
///     }
/// }
///
/// halfsour::class!(Stack: write);
///
/// let data = halfsour::to_vec(&Stack { name: "s".into(), items: vec![1, 2] })?;
/// # assert!(data.ends_with(b"\x93\x94)\x81\x94(K\x01K\x02e}\x94\x8c\x04name\x94\x8c\x01s\x94sb."));
/// # Ok::<(), halfsour::Error>(())
/// ```
pub trait Reduce: Class {
    /// `__getnewargs__`: the arguments for `__new__`; none by default.
    ///
    /// ```
    /// use halfsour::typed::{Class, Reduce, Value};
    /// /// `class Point(typing.NamedTuple)`
    /// struct Point(i64, i64);
    /// # impl Class for Point {
    /// #     const MODULE: &'static str = "app";
    /// #     const NAME: &'static str = "Point";
    /// # }
    /// impl Reduce for Point {
    ///     fn getnewargs(&self) -> Vec<Value<'_>> {
    ///         vec![Box::new(self.0), Box::new(self.1)]
    ///     }
    /// }
    /// halfsour::class!(Point: write);
    /// assert!(halfsour::to_vec(&Point(1, 2))?.ends_with(b"K\x01K\x02\x86\x94\x81\x94."));
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    fn getnewargs(&self) -> Vec<Value<'_>> {
        Vec::new()
    }

    /// `__getnewargs_ex__`: the arguments for `__new__`, and those by name; by default what
    /// [`getnewargs`](Reduce::getnewargs) returns.
    ///
    /// ```
    /// use halfsour::typed::{Class, Reduce, Value};
    /// struct Length(u32);
    /// # impl Class for Length {
    /// #     const MODULE: &'static str = "app";
    /// #     const NAME: &'static str = "Length";
    /// # }
    /// impl Reduce for Length {
    ///     fn getnewargs_ex(&self) -> (Vec<Value<'_>>, Vec<(&'static str, Value<'_>)>) {
    ///         (vec![Box::new(self.0)], vec![("unit", Box::new("m"))])
    ///     }
    /// }
    /// halfsour::class!(Length: write);
    /// let data = halfsour::to_vec(&Length(7))?;
    /// assert!(data.ends_with(b"K\x07\x85\x94}\x94\x8c\x04unit\x94\x8c\x01m\x94s\x92\x94."));
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[allow(clippy::type_complexity, reason = "as in Python")]
    fn getnewargs_ex(&self) -> (Vec<Value<'_>>, Vec<(&'static str, Value<'_>)>) {
        (self.getnewargs(), Vec::new())
    }

    /// `__getstate__`: none by default.
    fn getstate(&self) -> GetState<'_> {
        GetState::None
    }

    /// The items of what is a list or a set too; by default it is none.
    fn listitems(&self) -> Option<impl Iterator<Item = Value<'_>>> {
        None::<std::iter::Empty<Value<'_>>>
    }

    /// The entries of what is a dict too; by default it is none.
    ///
    /// ```
    /// use halfsour::typed::{Class, Reduce, Value};
    /// /// `class Table(dict)`
    /// struct Table(Vec<(String, i64)>);
    /// # impl Class for Table {
    /// #     const MODULE: &'static str = "app";
    /// #     const NAME: &'static str = "Table";
    /// # }
    /// impl Reduce for Table {
    ///     fn dictitems(&self) -> Option<impl Iterator<Item = (Value<'_>, Value<'_>)>> {
    ///         let entries = self.0.iter();
    ///         Some(entries.map(|(key, value)| (Box::new(key) as _, Box::new(value) as _)))
    ///     }
    /// }
    /// halfsour::class!(Table: write);
    /// let data = halfsour::to_vec(&Table(vec![("x".into(), 7)]))?;
    /// assert!(data.ends_with(b")\x81\x94\x8c\x01x\x94K\x07s."));
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    fn dictitems(&self) -> Option<impl Iterator<Item = (Value<'_>, Value<'_>)>> {
        None::<std::iter::Empty<(Value<'_>, Value<'_>)>>
    }
}

/// Writes an instance with its hooks: what [`class!`](crate::class!) has `to_pickle` do.
///
/// # Errors
/// What writing the values says.
///
/// ```
/// use halfsour::typed::{Class, GetState, Reduce, write_class};
/// use halfsour::{Error, ToPickle, Writer};
/// # struct Note(&'static str);
/// # impl Class for Note {
/// #     const MODULE: &'static str = "app";
/// #     const NAME: &'static str = "Note";
/// # }
/// # impl Reduce for Note {
/// #     fn getstate(&self) -> GetState<'_> {
/// #         GetState::Any(Box::new(self.0))
/// #     }
/// # }
/// /// A class with hooks; an empty one is None.
/// impl ToPickle for Note {
///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
///         if self.0.is_empty() { out.none() } else { write_class(self, out) }
///     }
/// }
/// assert!(halfsour::to_vec(&Note("spam"))?.ends_with(b")\x81\x94\x8c\x04spam\x94b."));
/// assert_eq!(halfsour::to_vec(&Note(""))?, b"\x80\x05N.");
/// # Ok::<(), Error>(())
/// ```
pub fn write_class<T: Reduce>(instance: &T, out: &mut Writer<'_>) -> Result<(), Error> {
    fn values<'v>(values: &'v [Value<'_>]) -> Vec<&'v dyn ToPickle> {
        values.iter().map(|value| value as &dyn ToPickle).collect()
    }
    fn fields<'v>(
        fields: &'v [(&'static str, Value<'_>)],
    ) -> Vec<(&'static str, &'v dyn ToPickle)> {
        fields.iter().map(|(name, value)| (*name, value as &dyn ToPickle)).collect()
    }
    let class = Global::new(T::MODULE, T::NAME);
    let (args, kwargs) = instance.getnewargs_ex();
    let (items, entries) = (instance.listitems(), instance.dictitems());
    if !kwargs.is_empty() {
        out.newobj_ex(&class, &values(&args), &fields(&kwargs))?;
    } else if args.is_empty() && items.is_none() && entries.is_none() {
        out.new_plain(&class)?;
    } else {
        out.newobj(&class, &values(&args))?;
    }
    if let Some(items) = items {
        out.append_items(items)?;
    }
    if let Some(entries) = entries {
        out.set_items(entries)?;
    }
    match instance.getstate() {
        GetState::None => Ok(()),
        GetState::Dict(dict) => out.build(|out| out.fields(&fields(&dict))),
        GetState::Any(state) => out.build(|out| out.save(&state)),
        GetState::Slots(dict, slots) => out.build_pair(
            |out| if dict.is_empty() { out.none() } else { out.fields(&fields(&dict)) },
            |out| out.fields(&fields(&slots)),
        ),
    }
}

/// Lets a type whose hooks are written by hand be read, by its [`Hooks`], and written, by its
/// [`Reduce`]: implements [`FromPickle`] and [`ToPickle`](crate::ToPickle) for it.
///
/// With `class!(Type: read)` it is read only, with `class!(Type: write)` written only. Examples are at
/// [`Hooks`] and [`Reduce`].
#[macro_export]
macro_rules! class {
    ($type:ty) => {
        $crate::class!($type: read);
        $crate::class!($type: write);
    };
    ($type:ty: write) => {
        impl $crate::ToPickle for $type {
            fn to_pickle(
                &self,
                out: &mut $crate::Writer<'_>,
            ) -> ::core::result::Result<(), $crate::Error> {
                $crate::typed::write_class(self, out)
            }

            fn as_any(&self) -> ::core::option::Option<&dyn ::core::any::Any> {
                ::core::option::Option::Some(self)
            }
        }
    };
    ($type:ty: read) => {
        impl<'a> $crate::FromPickle<'a> for $type {
            fn from_pickle(
                item: $crate::typed::Item<'_, 'a>,
            ) -> ::core::result::Result<Self, $crate::Error> {
                $crate::typed::read_class(item)
            }
        }
    };
}

type Read = fn(Item<'_, '_>) -> Result<Box<dyn Any>, Error>;

/// Classes by their names, for data of which one does not know which class an object is.
///
/// ```
/// use halfsour::{load, typed::{Class, Registry, Unpickler}};
/// # use halfsour::{Error, FromPickle, typed::Item};
/// # struct Order(u8);
/// # impl Class for Order { const MODULE: &'static str = "shop.models"; const NAME: &'static str = "Order"; }
/// # impl FromPickle<'_> for Order {
/// #     fn from_pickle(item: Item<'_, '_>) -> Result<Order, Error> { Ok(Order(item.args()?.next().unwrap().int()?)) }
/// # }
/// let mut registry = Registry::new();
/// registry.register::<Order>();
///
/// let graph = load(b"cshop.models\nOrder\nK\x07\x85\x81.")?;
/// let object = Unpickler::new().read(&graph, |item| item.object(&registry))?;
/// assert_eq!(object.downcast::<Order>().unwrap().0, 7);
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Default)]
pub struct Registry {
    classes: HashMap<(&'static str, &'static str), Read>,
    aliases: HashMap<&'static str, Read>,
}

impl Registry {
    /// One without classes.
    ///
    /// ```
    /// use halfsour::{load, typed::{Registry, Unpickler}};
    /// let (registry, graph) = (Registry::new(), load(b"capp\nPoint\n)\x81.")?);
    /// let error = Unpickler::new().read(&graph, |item| item.object(&registry)).unwrap_err();
    /// let expected = "expected an instance of a registered class, found an app.Point at root";
    /// assert_eq!(error.to_string(), expected);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn new() -> Registry {
        Registry::default()
    }

    /// Adds a class, by its name and its aliases. One of the same name is replaced.
    ///
    /// ```
    /// use halfsour::types::{Decimal, Fraction};
    /// use halfsour::{load, typed::{Registry, Unpickler}};
    ///
    /// let mut registry = Registry::new();
    /// registry.register::<Decimal>().register::<Fraction>();
    ///
    /// let graph = load(b"cdecimal\nDecimal\n\x8c\x031.5\x85R.")?;
    /// let number = Unpickler::new().read(&graph, |item| item.object(&registry))?;
    /// assert!(number.is::<Decimal>());
    /// let graph = load(b"cfractions\nFraction\nK\x03K\x02\x86R.")?;
    /// let number = Unpickler::new().read(&graph, |item| item.object(&registry))?;
    /// assert!(number.is::<Fraction>());
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn register<T: Class + FromPickleOwned + 'static>(&mut self) -> &mut Registry {
        let read: Read = |item| Ok(Box::new(T::from_pickle(item)?));
        self.classes.insert((T::MODULE, T::NAME), read);
        self.aliases.extend(T::ALIASES.iter().map(|alias| (*alias, read)));
        self
    }

    pub(super) fn read(&self, item: Item<'_, '_>) -> Result<Box<dyn Any>, Error> {
        let find = |module: &str, name: &str| {
            let read = self.classes.get(&(module, name)).copied();
            read.or_else(|| self.aliases.get(format!("{module}.{name}").as_str()).copied())
        };
        let read = item.class().filter(|class| !class.is_long()).and_then(|class| {
            // Some versions of Python write a member of an enum as what is in its class.
            let outer = || class.name.rsplit_once('.').map(|(outer, _)| outer);
            find(class.module, &class.name).or_else(|| find(class.module, outer()?))
        });
        read.ok_or_else(|| item.expected("an instance of a registered class"))?(item)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.classes.keys()).finish()
    }
}

/// A value that is not in the pickle, but found by its persistent id: with
/// [`Unpickler::persistent_load`](super::Unpickler::persistent_load) when it is read, and with
/// [`Pickler::persistent_id`](crate::Pickler::persistent_id) when it is written.
///
/// ```
/// use halfsour::typed::{Persistent, Unpickler};
/// use halfsour::Pickler;
/// use std::sync::Arc;
///
/// let names = ["spam", "egg"].map(Arc::<str>::from);
/// let data = Pickler::new()
///     .persistent_id(|value| {
///         let name = value.downcast_ref::<Arc<str>>()?;
///         Some(Box::new(names.iter().position(|known| known == name)?))
///     })
///     .to_vec(&Persistent(names[1].clone()))?;
/// assert!(data.ends_with(b"K\x01Q."));
///
/// let name: Persistent<Arc<str>> = Unpickler::new()
///     .persistent_load(|pid| match names.get(pid.int::<usize>()?) {
///         Some(name) => Ok(Box::new(name.clone())),
///         None => Err(pid.expected("an id of a name")),
///     })
///     .from_slice(&data)?;
/// assert!(Arc::ptr_eq(&name, &names[1]));
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Persistent<T>(pub T);

impl<T> Deref for Persistent<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Persistent<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<'a, T: 'static> FromPickle<'a> for Persistent<T> {
    fn from_pickle(item: Item<'_, 'a>) -> Result<Persistent<T>, Error> {
        let value = item.persistent()?;
        value.map(Persistent).ok_or_else(|| item.expected("a persistent id"))
    }
}

impl<T: 'static> ToPickle for Persistent<T> {
    fn to_pickle(&self, _: &mut Writer<'_>) -> Result<(), Error> {
        let name = std::any::type_name::<T>();
        Err(Error::custom(format_args!("no persistent id for a {name}")))
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(&self.0)
    }
}
