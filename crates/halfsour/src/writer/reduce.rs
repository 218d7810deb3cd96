//! What Python's `__reduce__` returns, and tables of functions that return it.

use std::any::{Any, TypeId, type_name};
use std::fmt;

use hashbrown::HashMap;

use super::{Done, ToPickle, Writer};
use crate::error::Error;
use crate::opcode::Opcode;

type Value<'v> = Box<dyn ToPickle + 'v>;

/// How an object is made, and what is done to it then: the parts of what `__reduce__` returns.
///
/// ```
/// use halfsour::{Error, Global, Reduced, ToPickle, Writer};
/// use std::collections::VecDeque;
///
/// /// A `collections.deque` of bounded length.
/// struct Recent {
///     items: VecDeque<u32>,
///     most: u32,
/// }
///
/// impl ToPickle for Recent {
///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
///         let empty: [u32; 0] = [];
///         let made = Reduced::call(Global::new("collections", "deque")).arg(empty).arg(self.most);
///         out.reduce(&made.list_items(&self.items))
///     }
/// }
///
/// let data = halfsour::to_vec(&Recent { items: [1, 2].into(), most: 5 })?;
/// # assert!(data.ends_with(b"]\x94K\x05\x86\x94R\x94(K\x01K\x02e."));
/// # Ok::<(), Error>(())
/// ```
pub struct Reduced<'v> {
    callable: Value<'v>,
    is_new: bool,
    args: Vec<Value<'v>>,
    kwargs: Vec<(&'static str, Value<'v>)>,
    state: Option<Value<'v>>,
    list_items: Option<Vec<Value<'v>>>,
    dict_items: Option<Vec<(Value<'v>, Value<'v>)>>,
    state_setter: Option<Value<'v>>,
}

impl fmt::Debug for Reduced<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reduced").field("is_new", &self.is_new).finish_non_exhaustive()
    }
}

impl<'v> Reduced<'v> {
    fn new(callable: impl ToPickle + 'v, is_new: bool) -> Reduced<'v> {
        Reduced {
            callable: Box::new(callable),
            is_new,
            args: Vec::new(),
            kwargs: Vec::new(),
            state: None,
            list_items: None,
            dict_items: None,
            state_setter: None,
        }
    }

    /// What a class or a function returns when it is called.
    ///
    /// ```
    /// use halfsour::{Error, Global, Reduced, ToPickle, Writer};
    /// struct Fraction(i64, i64);
    /// impl ToPickle for Fraction {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         let made = Reduced::call(Global::new("fractions", "Fraction"));
    ///         out.reduce(&made.arg(self.0).arg(self.1))
    ///     }
    /// }
    /// let data = halfsour::to_vec(&Fraction(2, 3))?;
    /// assert!(data.ends_with(b"\x93\x94K\x02K\x03\x86\x94R\x94."));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn call(callable: impl ToPickle + 'v) -> Reduced<'v> {
        Reduced::new(callable, false)
    }

    /// An instance that a class's `__new__` makes, `__init__` not called.
    ///
    /// ```
    /// use halfsour::{Error, Global, Reduced, ToPickle, Writer};
    ///
    /// struct Celsius(f64);
    ///
    /// /// `class Celsius(float)`, which keeps its unit as an attribute.
    /// impl ToPickle for Celsius {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         let state = std::collections::BTreeMap::from([("unit", "C")]);
    ///         out.reduce(&Reduced::newobj(Global::new("app", "Celsius")).arg(self.0).state(state))
    ///     }
    /// }
    /// let data = halfsour::to_vec(&Celsius(21.5))?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn newobj(class: impl ToPickle + 'v) -> Reduced<'v> {
        Reduced::new(class, true)
    }

    /// With one argument more.
    ///
    /// ```
    /// use halfsour::{Error, Global, Reduced, ToPickle, Writer};
    /// struct Price { cents: i64 }
    /// impl ToPickle for Price {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         let text = format!("{}.{:02}", self.cents / 100, self.cents % 100);
    ///         out.reduce(&Reduced::call(Global::new("decimal", "Decimal")).arg(text))
    ///     }
    /// }
    /// let data = halfsour::to_vec(&Price { cents: 990 })?;
    /// assert!(data.ends_with(b"\x8c\x049.90\x94\x85\x94R\x94."));
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn arg(mut self, arg: impl ToPickle + 'v) -> Self {
        self.args.push(Box::new(arg));
        self
    }

    /// With one argument by name more; for [`newobj`](Reduced::newobj) alone.
    ///
    /// ```
    /// use halfsour::{Error, Global, Reduced, ToPickle, Writer};
    /// struct Length(u32);
    /// impl ToPickle for Length {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         let made = Reduced::newobj(Global::new("app", "Length"));
    ///         out.reduce(&made.arg(self.0).kwarg("unit", "m"))
    ///     }
    /// }
    /// let data = halfsour::to_vec(&Length(7))?;
    /// assert!(data.ends_with(b"K\x07\x85\x94}\x94\x8c\x04unit\x94\x8c\x01m\x94s\x92\x94."));
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn kwarg(mut self, name: &'static str, arg: impl ToPickle + 'v) -> Self {
        self.kwargs.push((name, Box::new(arg)));
        self
    }

    /// With a state: what `__setstate__` gets, or a dict of attributes, or a pair of that and a dict
    /// of slots.
    ///
    /// ```
    /// use halfsour::{Error, Global, Reduced, ToPickle, Writer};
    ///
    /// /// A class whose `__setstate__` takes an int.
    /// struct Clock(u32);
    ///
    /// impl ToPickle for Clock {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.reduce(&Reduced::newobj(Global::new("app", "Clock")).state(self.0))
    ///     }
    /// }
    /// let data = halfsour::to_vec(&Clock(7))?;
    /// assert!(data.ends_with(b")\x81\x94K\x07b."));
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn state(mut self, state: impl ToPickle + 'v) -> Self {
        self.state = Some(Box::new(state));
        self
    }

    /// With items that are appended.
    ///
    /// ```
    /// use halfsour::{Error, Global, Reduced, ToPickle, Writer};
    ///
    /// /// `class Stack(list)`
    /// struct Stack(Vec<u32>);
    ///
    /// impl ToPickle for Stack {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.reduce(&Reduced::newobj(Global::new("app", "Stack")).list_items(&self.0))
    ///     }
    /// }
    /// let data = halfsour::to_vec(&Stack(vec![1, 2]))?;
    /// assert!(data.ends_with(b")\x81\x94(K\x01K\x02e."));
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn list_items<I>(mut self, items: I) -> Self
    where
        I: IntoIterator,
        I::Item: ToPickle + 'v,
    {
        self.list_items = Some(items.into_iter().map(|item| Box::new(item) as Value<'v>).collect());
        self
    }

    /// With values that are stored under keys.
    ///
    /// ```
    /// use halfsour::{Error, Global, Reduced, ToPickle, Writer};
    /// use std::collections::BTreeMap;
    ///
    /// /// `class Table(dict)`
    /// struct Table(BTreeMap<&'static str, u32>);
    ///
    /// impl ToPickle for Table {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.reduce(&Reduced::newobj(Global::new("app", "Table")).dict_items(&self.0))
    ///     }
    /// }
    /// let data = halfsour::to_vec(&Table([("x", 1), ("y", 2)].into()))?;
    /// assert!(data.ends_with(b")\x81\x94(\x8c\x01x\x94K\x01\x8c\x01y\x94K\x02u."));
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn dict_items<I, K, V>(mut self, items: I) -> Self
    where
        I: IntoIterator<Item = (K, V)>,
        K: ToPickle + 'v,
        V: ToPickle + 'v,
    {
        let boxed = |(key, value)| (Box::new(key) as Value<'v>, Box::new(value) as Value<'v>);
        self.dict_items = Some(items.into_iter().map(boxed).collect());
        self
    }

    /// With a function that is called with the object and its state, instead of `__setstate__`.
    ///
    /// ```
    /// use halfsour::{Error, Global, Reduced, ToPickle, Writer};
    ///
    /// /// A class without `__setstate__`: `app.restore(clock, state)` does it.
    /// struct Clock(u32);
    ///
    /// impl ToPickle for Clock {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         let made = Reduced::newobj(Global::new("app", "Clock")).state(self.0);
    ///         out.reduce(&made.state_setter(Global::new("app", "restore")))
    ///     }
    /// }
    /// let data = halfsour::to_vec(&Clock(7))?;
    /// assert!(data.ends_with(b"\x8c\x07restore\x94\x93\x94h\x03K\x07\x86R0."));
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn state_setter(mut self, callable: impl ToPickle + 'v) -> Self {
        self.state_setter = Some(Box::new(callable));
        self
    }
}

fn borrowed<'b>(values: &'b [Value<'_>]) -> Vec<&'b dyn ToPickle> {
    values.iter().map(|value| value as &dyn ToPickle).collect()
}

impl Writer<'_> {
    /// An object as its `__reduce__` would say.
    ///
    /// ```
    /// use halfsour::{Error, Global, Reduced, ToPickle, Writer};
    ///
    /// /// `class Celsius(float)`
    /// struct Celsius(f64);
    ///
    /// impl ToPickle for Celsius {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.reduce(&Reduced::newobj(Global::new("app", "Celsius")).arg(self.0))
    ///     }
    /// }
    /// let data = halfsour::to_vec(&Celsius(21.5))?;
    /// assert!(data.ends_with(b"G\x40\x35\x80\0\0\0\0\0\x85\x94\x81\x94."));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// What writing the parts says; if a call has arguments by name, which only
    /// [`Reduced::newobj`] takes.
    pub fn reduce(&mut self, reduced: &Reduced<'_>) -> Result<(), Error> {
        let (callable, args) = (&reduced.callable, borrowed(&reduced.args));
        let index = match (reduced.is_new, reduced.kwargs.as_slice()) {
            (true, []) => self.made_by_new(callable, &args)?,
            (true, kwargs) => {
                let mut named: Vec<(&'static str, &dyn ToPickle)> = Vec::new();
                named.extend(kwargs.iter().map(|(name, value)| (*name, value as &dyn ToPickle)));
                self.made_by_new_ex(callable, &args, |out| out.fields(&named))?
            }
            (false, []) => self.made_by_call(callable, &args)?,
            (false, _) => {
                let text = "only newobj takes arguments by name";
                return Err(Error::custom(text));
            }
        };
        if let Some(items) = &reduced.list_items {
            self.append_items(items)?;
        }
        if let Some(items) = &reduced.dict_items {
            self.set_items(items.iter().map(|(key, value)| (key, value)))?;
        }
        match (&reduced.state, &reduced.state_setter) {
            (None, _) => Ok(()),
            (Some(state), None) => self.build(|out| out.save(state)),
            (Some(state), Some(setter)) => self.set_state(index, setter, state),
        }
    }

    /// `setter(object, state)`, of the topmost object, which has this index in the memo.
    pub(crate) fn set_state(
        &mut self,
        index: i64,
        setter: &impl ToPickle,
        state: &impl ToPickle,
    ) -> Result<(), Error> {
        self.inside(|out| {
            out.save(setter)?;
            out.out.get(index)?;
            out.save(state)
        })?;
        // The call's result is dropped: the object stays on top.
        self.out.ops([Opcode::Tuple2, Opcode::Reduce, Opcode::Pop]);
        Ok(())
    }
}

type Reducer = dyn for<'v> Fn(&'v dyn Any) -> Option<Reduced<'v>> + Send + Sync;

/// How types are pickled that cannot say it themselves, or are to be pickled otherwise than they say.
///
/// The table is asked about values whose [`ToPickle::as_any`] gives them; a type without
/// [`ToPickle`], one of another crate, comes in a [`Dispatched`].
///
/// ```
/// use halfsour::{Dispatched, DispatchTable, Global, Pickler, Reduced};
/// use std::net::Ipv4Addr;
///
/// let mut table = DispatchTable::new();
/// table.register(|address: &Ipv4Addr| {
///     Reduced::call(Global::new("ipaddress", "IPv4Address")).arg(address.to_string())
/// });
///
/// let localhost = Ipv4Addr::LOCALHOST;
/// let data = Pickler::new().dispatch_table(table).to_vec(&[Dispatched(&localhost)])?;
/// # assert!(data.windows(9).any(|part| part == b"127.0.0.1"));
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Default)]
pub struct DispatchTable {
    reducers: HashMap<TypeId, Box<Reducer>>,
}

impl fmt::Debug for DispatchTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DispatchTable").field("len", &self.reducers.len()).finish()
    }
}

impl DispatchTable {
    /// An empty table.
    ///
    /// ```
    /// use halfsour::{Dispatched, DispatchTable, Pickler};
    /// // It knows no type yet.
    /// let mut pickler = Pickler::new().dispatch_table(DispatchTable::new());
    /// let error = pickler.to_vec(&Dispatched(&'x')).unwrap_err();
    /// assert_eq!(error.to_string(), "the dispatch table has no char");
    /// ```
    pub fn new() -> DispatchTable {
        DispatchTable::default()
    }

    /// Has a type pickled as a function says; the last function counts.
    ///
    /// ```
    /// use halfsour::{Dispatched, DispatchTable, Global, Pickler, Reduced};
    /// let mut table = DispatchTable::new();
    /// table.register(|letter: &char| {
    ///     Reduced::call(Global::new("builtins", "chr")).arg(u32::from(*letter))
    /// });
    /// let data = Pickler::new().dispatch_table(table).to_vec(&Dispatched(&'x'))?;
    /// assert!(data.ends_with(b"\x8c\x03chr\x94\x93\x94K\x78\x85\x94R\x94."));
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn register<T: Any>(
        &mut self,
        reduce: impl for<'v> Fn(&'v T) -> Reduced<'v> + Send + Sync + 'static,
    ) {
        let reducer: Box<Reducer> = Box::new(move |value| value.downcast_ref().map(&reduce));
        self.reducers.insert(TypeId::of::<T>(), reducer);
    }

    pub(super) fn reduce<'v>(&self, value: &'v dyn Any) -> Option<Reduced<'v>> {
        self.reducers.get(&value.type_id()).and_then(|reducer| reducer(value))
    }
}

/// A value of a type that only a [`DispatchTable`] knows how to pickle, or that a
/// [persistent id](super::Pickler::persistent_id) stands for.
///
/// ```
/// use halfsour::{Dispatched, DispatchTable, Global, Pickler, Reduced};
/// use std::ops::Range;
///
/// let mut table = DispatchTable::new();
/// table.register(|range: &Range<i64>| {
///     Reduced::call(Global::new("builtins", "range")).arg(range.start).arg(range.end)
/// });
/// let data = Pickler::new().dispatch_table(table).to_vec(&[Dispatched(&(1..7_i64))])?;
/// assert!(data.ends_with(b"K\x01K\x07\x86\x94R\x94a."));
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Dispatched<'v, T: ?Sized>(pub &'v T);

impl<T: Any> ToPickle for Dispatched<'_, T> {
    fn to_pickle(&self, _: &mut Writer<'_>) -> Result<(), Error> {
        let text = format!("the dispatch table has no {}", type_name::<T>());
        Err(Error::custom(text))
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self.0)
    }
}

/// What a pickler asks about values before they are written.
#[derive(Default)]
pub(super) struct Hooks<'w> {
    pub(super) table: Option<&'w DispatchTable>,
    pub(super) persistent_id: Option<&'w mut PersistentId<'w>>,
    pub(super) buffer_callback: Option<&'w mut BufferCallback<'w>>,
}

/// See [`Pickler::persistent_id`](super::Pickler::persistent_id).
pub(super) type PersistentId<'p> = dyn FnMut(&dyn Any) -> Option<Box<dyn ToPickle>> + 'p;

/// See [`Pickler::buffer_callback`](super::Pickler::buffer_callback).
pub(super) type BufferCallback<'p> = dyn FnMut(&[u8]) -> bool + 'p;

impl Writer<'_> {
    /// Asks the hooks about a value; true if one of them wrote it.
    #[cold]
    pub(super) fn save_by_hook(&mut self, value: &dyn Any) -> Result<bool, Error> {
        if let Some(persistent_id) = &mut self.hooks.persistent_id
            && let Some(id) = persistent_id(value)
        {
            self.persistent(&id)?;
            return Ok(true);
        }
        match self.hooks.table.and_then(|table| table.reduce(value)) {
            Some(reduced) => self.reduce(&reduced).map(|()| true),
            None => Ok(false),
        }
    }

    /// Bytes that may be kept out of the pickle, as those of a `pickle.PickleBuffer`: if the
    /// [buffer callback](super::Pickler::buffer_callback) takes them. Else they are a `bytes`, if they
    /// are read-only, or a `bytearray`.
    ///
    /// ```
    /// use halfsour::{Error, Pickler, ToPickle, Writer};
    /// struct Image(Vec<u8>);
    /// impl ToPickle for Image {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.buffer(&self.0, false)
    ///     }
    /// }
    /// let image = Image(b"spam".to_vec());
    /// assert!(halfsour::to_vec(&image)?.ends_with(b"\x96\x04\0\0\0\0\0\0\0spam\x94."));
    /// let data = Pickler::new().buffer_callback(|_| true).to_vec(&image)?;
    /// assert_eq!(data, b"\x80\x05\x97.");
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`bytes`](Writer::bytes).
    pub fn buffer(&mut self, bytes: &[u8], readonly: bool) -> Done {
        if self.protocol() >= 5
            && let Some(callback) = &mut self.hooks.buffer_callback
            && callback(bytes)
        {
            let _ = self.begin()?;
            self.out.op(Opcode::NextBuffer);
            if readonly {
                self.out.op(Opcode::ReadonlyBuffer);
            }
            return Ok(());
        }
        if readonly { self.bytes(bytes) } else { self.bytearray(bytes) }
    }
}
