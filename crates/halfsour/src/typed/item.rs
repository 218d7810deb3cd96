//! A cursor over a graph: what a type's own code reads values with.
//!
//! It shows values as they are meant, in whichever protocol they were written: a set is a set, even
//! where it is the call `set([1, 2])`.

use std::borrow::Cow;
use std::fmt;

use super::FromPickle;
use super::class::{Class, Registry};
use super::decoder::Decoder;
use super::made::{Construction, LONGEST_NAME, Sight};
use super::views::{Entries, Items, State};
use crate::error::{Error, ErrorKind, Shown};
use crate::graph::{Effect, Graph, Made, Node, NodeId, Object};
use crate::number::{self, Integer};
use crate::text::{cut, repr_bytes, repr_str};

/// A value of a pickle, at its place in the data.
///
/// ```
/// use halfsour::{Error, FromPickle, typed::Item};
///
/// /// A percentage, pickled as an int or as text.
/// #[derive(Debug, PartialEq)]
/// struct Percent(u8);
///
/// impl<'a> FromPickle<'a> for Percent {
///     fn from_pickle(item: Item<'_, 'a>) -> Result<Percent, Error> {
///         let number = item.int().or_else(|_| {
///             item.str()?.trim_end_matches('%').parse().map_err(|_| item.expected("a percentage"))
///         })?;
///         Ok(Percent(number))
///     }
/// }
///
/// assert_eq!(halfsour::from_slice::<Percent>(b"K\x07.")?, Percent(7));
/// assert_eq!(halfsour::from_slice::<Percent>(b"\x8c\x0342%.")?, Percent(42));
/// let error = halfsour::from_slice::<Percent>(b"\x8c\x01x.").unwrap_err();
/// assert_eq!(error.to_string(), "expected a percentage, found a str at root");
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Item<'g, 'a> {
    pub(super) decoder: &'g Decoder<'g, 'a>,
    pub(super) id: NodeId,
    pub(super) depth: u32,
}

/// The name of a class, or of a function: its module, and the qualified name within.
///
/// ```
/// let graph = halfsour::load(b"ccollections\nOrderedDict\n.")?;
/// halfsour::typed::Unpickler::new().read(&graph, |item| {
///     let class = item.class().unwrap();
///     assert_eq!((class.module, &*class.name), ("collections", "OrderedDict"));
///     assert_eq!(class.to_string(), "collections.OrderedDict");
///     Ok(())
/// })?;
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClassName<'g> {
    /// The module.
    pub module: &'g str,
    /// The qualified name, for a class in a class with a dot.
    pub name: Cow<'g, str>,
}

impl ClassName<'_> {
    /// Whether it is this one.
    ///
    /// ```
    /// // What protocol 2 has for set([7]).
    /// let graph = halfsour::load(b"c__builtin__\nset\n]K\x07a\x85R.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert!(item.class().unwrap().is("builtins", "set"));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn is(&self, module: &str, name: &str) -> bool {
        self.name == name && self.module == module
    }

    /// Whether it is this one, given with a dot between module and name.
    fn is_dotted(&self, dotted: &str) -> bool {
        let rest = dotted.strip_prefix(self.module).and_then(|rest| rest.strip_prefix('.'));
        rest == Some(&*self.name)
    }

    /// Whether it is too long to be a name of a class.
    #[inline]
    pub(crate) fn is_long(&self) -> bool {
        self.module.len() + self.name.len() > LONGEST_NAME
    }

    /// Whether it is a name of a class.
    #[inline]
    fn is_of<T: Class>(&self) -> bool {
        self.is(T::MODULE, T::NAME) || T::ALIASES.iter().any(|alias| self.is_dotted(alias))
    }
}

/// `shop.models.Order`
impl fmt::Display for ClassName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.module, self.name)
    }
}

/// "a" or "an", and the noun.
pub(crate) fn with_article(noun: impl fmt::Display) -> String {
    let noun = noun.to_string();
    let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O', 'U']);
    format!("{} {noun}", if vowel { "an" } else { "a" })
}

impl<'g, 'a> Item<'g, 'a> {
    #[inline]
    pub(super) fn new(decoder: &'g Decoder<'g, 'a>, id: NodeId, depth: u32) -> Item<'g, 'a> {
        Item { decoder, id, depth }
    }

    pub(super) fn decoder(self) -> &'g Decoder<'g, 'a> {
        self.decoder
    }

    pub(super) fn sight(self) -> Sight<'g, 'a> {
        self.decoder.sight()
    }

    /// The graph.
    ///
    /// ```
    /// let graph = halfsour::load(b"K\x07.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert_eq!(item.graph().root(), item.id());
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn graph(self) -> &'g Graph<'a> {
        self.decoder.graph
    }

    /// The value's number in its graph. References to one object have the same.
    ///
    /// ```
    /// let graph = halfsour::load(b"]q\0h\0\x86.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     // Twice the same list.
    ///     assert_eq!(item.get(0)?.id(), item.get(1)?.id());
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn id(self) -> NodeId {
        self.id
    }

    /// The value as the graph has it, without seeing through anything.
    ///
    /// ```
    /// let graph = halfsour::load(b"K\x07.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert_eq!(item.node(), halfsour::graph::Node::Int(7));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline(always)]
    pub fn node(self) -> Node<'g> {
        self.decoder.graph.get(self.id)
    }

    /// An error about this value: `expected` is what it should be, with an article.
    ///
    /// ```
    /// let error = halfsour::from_slice::<u8>(b"\x8c\x04spam.").unwrap_err();
    /// assert_eq!(error.to_string(), "expected an int, found a str at root");
    /// ```
    #[cold]
    pub fn expected(self, expected: impl Into<String>) -> Error {
        let (expected, mut found) = (expected.into(), self.describe());
        if found == expected {
            found += " with more"; // A state, or something put into it.
        }
        self.mismatch(expected, found)
    }

    /// An error about this value, which is found to be something else.
    #[cold]
    pub(super) fn mismatch(self, expected: String, found: String) -> Error {
        self.error(ErrorKind::Expected { expected, found })
    }

    /// An error about this value.
    #[cold]
    pub(super) fn error(self, kind: ErrorKind) -> Error {
        Error::new(kind).about(self.id)
    }

    /// What it is, with an article: `an int`, `a shop.models.Order`.
    ///
    /// ```
    /// let graph = halfsour::load(b"capp\nPoint\n)\x81.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert_eq!(item.describe(), "an app.Point");
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[cold]
    pub fn describe(self) -> String {
        let text = match self.node() {
            Node::None => "None",
            Node::Bool(_) => "a bool",
            Node::Int(_) | Node::BigInt(_) => "an int",
            Node::Float(_) => "a float",
            Node::Str(text) if text.to_str().is_none() => "a str with lone surrogates",
            Node::Str(_) => "a str",
            Node::OldStr(_) => "a str of Python 2",
            Node::Bytes(_) => "bytes",
            Node::ByteArray(_) => "a bytearray",
            Node::Buffer(_) | Node::ReadonlyBuffer(_) => "an out-of-band buffer",
            Node::Tuple(_) => "a tuple",
            Node::List(_) => "a list",
            Node::Dict(_) => "a dict",
            Node::Set(_) => "a set",
            Node::FrozenSet(_) => "a frozenset",
            Node::Object(object) => return self.describe_object(object),
        };
        text.into()
    }

    fn describe_object(self, object: Object<'g>) -> String {
        match (object.made, self.construction()) {
            (Made::Persistent(_), _) => "a persistent id".into(),
            (_, Some(made)) => match self.sight().global(made.cls) {
                Some(name) if name.is("_codecs", "encode") || name.is("builtins", "bytes") => {
                    "bytes".into()
                }
                // Python makes it by a method of its class.
                Some(name) if name.is("zoneinfo", "ZoneInfo._unpickle") => {
                    "a zoneinfo.ZoneInfo".into()
                }
                Some(ClassName { module: "builtins", name }) => with_article(Shown(name)),
                Some(name) => with_article(Shown(name)),
                None => "an object".into(),
            },
            (made, None) => match (self.sight().global(self.id), made) {
                (Some(name), _) => format!("the global {}", Shown(name)),
                (None, Made::Extension(code)) => format!("the extension {code}"),
                _ => "an object".into(),
            },
        }
    }

    /// As Python's `repr`, for what is short: a step of a path.
    #[cold]
    pub(super) fn repr(self) -> String {
        match self.node() {
            Node::None => "None".into(),
            Node::Bool(true) => "True".into(),
            Node::Bool(false) => "False".into(),
            Node::Int(value) => value.to_string(),
            Node::BigInt(bytes) => {
                let digits = Integer::Big(bytes.into()).repr();
                digits.map_or_else(|| "...".into(), |digits| Shown(digits).to_string())
            }
            Node::Float(value) => number::repr_float(value),
            Node::Str(text) => cut(text.as_bytes(), repr_str),
            Node::OldStr(text) if text.is_ascii() => cut(text, repr_str),
            Node::OldStr(bytes) | Node::Bytes(bytes) => cut(bytes, repr_bytes),
            Node::Tuple(_) => "(...)".into(),
            _ => "...".into(),
        }
    }

    #[inline]
    pub(super) fn construction(self) -> Option<Construction<'g>> {
        match self.node() {
            Node::Object(object) => self.sight().construction(object),
            _ => None,
        }
    }

    pub(super) fn effects(self) -> &'g [Effect] {
        match self.node() {
            Node::Object(object) => object.effects,
            _ => &[],
        }
    }

    /// The class of an instance; what is called, if it is made by a call; of a global its own name.
    /// `None` for all else.
    ///
    /// Names are as Python 3 has them, and as [`Unpickler::alias`](super::Unpickler::alias) says.
    ///
    /// ```
    /// let graph = halfsour::load(b"ccopy_reg\n_reconstructor\n(capp\nPoint\nc__builtin__\nobject\nNtR.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     // As protocol 0 has it.
    ///     assert_eq!(item.class().unwrap().to_string(), "app.Point");
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn class(self) -> Option<ClassName<'g>> {
        match self.construction() {
            Some(made) => self.sight().global(made.cls),
            None => self.sight().global(self.id),
        }
    }

    /// Whether it is an instance of a class.
    ///
    /// ```
    /// use halfsour::types::{Decimal, Fraction};
    /// let graph = halfsour::load(b"cdecimal\nDecimal\n\x8c\x031.5\x85R.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert!(item.is::<Decimal>() && !item.is::<Fraction>());
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn is<T: Class>(self) -> bool {
        self.construction().is_some_and(|made| self.is_class::<T>(made.cls))
    }

    /// To be called for what is copied out of it and is not handed out as text or bytes.
    pub(crate) fn copies(self, bytes: &[u8]) -> Result<(), Error> {
        self.decoder.copy(bytes)
    }

    /// The name of a global, a class or a function that is itself the value.
    pub(crate) fn global_name(self) -> Option<ClassName<'g>> {
        self.sight().global(self.id)
    }

    #[inline]
    fn is_class<T: Class>(self, cls: NodeId) -> bool {
        let names = &self.decoder.unpickler.names;
        let meant = |raw: &ClassName<'_>| raw.is(T::MODULE, T::NAME) && names.alias(raw).is_none();
        // Most names are what they were.
        self.sight().raw_global(cls).is_some_and(|raw| meant(&raw))
            || self.sight().global(cls).is_some_and(|class| class.is_of::<T>())
    }

    /// Whether it is a global, and this one: a class, a function.
    ///
    /// ```
    /// let graph = halfsour::load(b"c__builtin__\nlen\n.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert!(item.is_global("builtins", "len"));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn is_global(self, module: &str, name: &str) -> bool {
        self.sight().global(self.id).is_some_and(|global| global.is(module, name))
    }

    /// The arguments with which an instance is made: what `__getnewargs__` returned, or those of the
    /// call. None for all else.
    ///
    /// # Errors
    /// If it is too deep, or too much was visited.
    ///
    /// ```
    /// let graph = halfsour::load(b"capp\nPoint\nK\x01K\x02\x86\x81.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert_eq!(item.args()?.len(), 2);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn args(self) -> Result<Items<'g, 'a>, Error> {
        self.enter(self.construction().map_or(&[], |made| made.args))
    }

    /// The keyword arguments with which an instance is made: what `__getnewargs_ex__` returned.
    ///
    /// # Errors
    /// If it is too deep, or too much was visited.
    ///
    /// ```
    /// let graph = halfsour::load(b"capp\nPoint\n)}\x8c\x01xK\x01s\x92.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     let (name, value) = item.kwargs()?.next().unwrap();
    ///     assert_eq!((&*name.str()?, value.int::<u8>()?), ("x", 1));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn kwargs(self) -> Result<Entries<'g, 'a>, Error> {
        self.enter_entries(self.construction().map_or(&[], |made| made.kwargs))
    }

    /// The state of an instance: what `__getstate__` returned.
    ///
    /// # Errors
    /// If it is too deep, or too much was visited.
    ///
    /// ```
    /// let graph = halfsour::load(b"capp\nPoint\n)\x81}\x8c\x01xK\x01sb.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert_eq!(item.state()?.attr("x")?.unwrap().int::<u8>()?, 1);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn state(self) -> Result<State<'g, 'a>, Error> {
        let effects = self.effects();
        let depth = self.decoder.enter(self.id, self.depth, effects.len())?;
        Ok(State { decoder: self.decoder, id: self.id, effects, depth })
    }

    /// The items that are appended or added to an instance: of a subclass of `list` or `set`, a deque.
    ///
    /// # Errors
    /// If it is too deep, or too much was visited.
    ///
    /// ```
    /// let graph = halfsour::load(b"capp\nStack\n)\x81(K\x01K\x02e.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     let items = item.list_items()?.map(|item| item.int::<u8>());
    ///     assert_eq!(items.collect::<Result<Vec<_>, _>>()?, [1, 2]);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn list_items(self) -> Result<impl Iterator<Item = Item<'g, 'a>>, Error> {
        let contents = self.construction().and_then(|made| made.contents);
        let contents = match contents.map(|id| self.graph().get(id)) {
            Some(Node::List(ids) | Node::Set(ids)) => ids,
            Some(Node::Object(object)) => self.called_items(object, &["set"]).unwrap_or_default(),
            _ => &[],
        };
        let (effects, decoder) = (self.effects(), self.decoder);
        let depth = decoder.enter(self.id, self.depth, contents.len() + effects.len())?;
        let added = effects.iter().filter_map(|effect| match effect {
            Effect::Append(id) | Effect::Add(id) => Some(id),
            _ => None,
        });
        Ok(contents.iter().chain(added).map(move |id| Item { decoder, id: *id, depth }))
    }

    /// The entries that are put into an instance: of a subclass of `dict`.
    ///
    /// # Errors
    /// If it is too deep, or too much was visited.
    ///
    /// ```
    /// let graph = halfsour::load(b"capp\nTable\n)\x81\x8c\x01xK\x01s.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     let (key, value) = item.dict_items()?.next().unwrap();
    ///     assert_eq!((&*key.str()?, value.int::<u8>()?), ("x", 1));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[allow(clippy::type_complexity, reason = "an iterator of pairs")]
    pub fn dict_items(self) -> Result<impl Iterator<Item = (Item<'g, 'a>, Item<'g, 'a>)>, Error> {
        let contents = self.construction().and_then(|made| made.contents);
        let contents = match contents.map(|id| self.graph().get(id)) {
            Some(Node::Dict(entries)) => entries,
            _ => &[],
        };
        let (effects, decoder) = (self.effects(), self.decoder);
        let depth = decoder.enter(self.id, self.depth, 2 * (contents.len() + effects.len()))?;
        let put = effects.iter().filter_map(|effect| match effect {
            Effect::SetItem(key, value) => Some([*key, *value]),
            _ => None,
        });
        let item = move |id| Item { decoder, id, depth };
        Ok(contents.iter().copied().chain(put).map(move |[key, value]| (item(key), item(value))))
    }

    /// The persistent id, if that is what it is.
    ///
    /// # Errors
    /// If it is too deep, or too much was visited.
    ///
    /// ```
    /// let graph = halfsour::load(b"K\x07Q.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert_eq!(item.persistent_id()?.unwrap().int::<u8>()?, 7);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn persistent_id(self) -> Result<Option<Item<'g, 'a>>, Error> {
        match self.node() {
            Node::Object(Object { made: Made::Persistent(pid), .. }) => {
                let depth = self.decoder.enter(self.id, self.depth, 1)?;
                Ok(Some(Item::new(self.decoder, pid, depth)))
            }
            _ => Ok(None),
        }
    }

    /// What the settings' [`persistent_load`](super::Unpickler::persistent_load) returns for a
    /// persistent id; `None` if this is none.
    ///
    /// # Errors
    /// What that function says; if there is none; if it returns another type.
    ///
    /// ```
    /// let graph = halfsour::load(b"K\x07Q.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     // Without persistent_load there is no value.
    ///     item.persistent::<String>().unwrap_err();
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn persistent<T: 'static>(self) -> Result<Option<T>, Error> {
        let Some(pid) = self.persistent_id()? else { return Ok(None) };
        let load = self.decoder.unpickler.persistent_load.as_ref();
        let value = load.ok_or_else(|| self.error(ErrorKind::NoPersistentLoad))?(pid)?;
        match value.downcast::<T>() {
            Ok(value) => Ok(Some(*value)),
            Err(_) => {
                let expected = format!("{} from persistent_load", std::any::type_name::<T>());
                let found = "another type".into();
                Err(self.mismatch(expected, found))
            }
        }
    }

    /// An instance of whichever class of a registry it is.
    ///
    /// # Errors
    /// If no class of that name is registered; or what reading it says.
    ///
    /// ```
    /// use halfsour::{typed::Registry, types::Fraction};
    /// let mut registry = Registry::new();
    /// registry.register::<Fraction>();
    /// let graph = halfsour::load(b"cfractions\nFraction\nK\x03K\x02\x86R.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     let number = item.object(&registry)?.downcast::<Fraction>().unwrap();
    ///     assert_eq!(*number, Fraction { numerator: 3, denominator: 2 });
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn object(self, registry: &Registry) -> Result<Box<dyn std::any::Any>, Error> {
        registry.read(self)
    }

    /// Reads it as any type.
    ///
    /// # Errors
    /// What the type says.
    ///
    /// ```
    /// let graph = halfsour::load(b"(K\x01K\x02l.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert_eq!(item.read::<Vec<u8>>()?, [1, 2]);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn read<T: FromPickle<'a>>(self) -> Result<T, Error> {
        T::from_pickle(self)
    }
}

/// `pickle::Item(a list)`
impl fmt::Debug for Item<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Item").field(&self.node()).finish()
    }
}
