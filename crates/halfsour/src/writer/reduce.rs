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
    #[must_use]
    pub fn arg(mut self, arg: impl ToPickle + 'v) -> Self {
        self.args.push(Box::new(arg));
        self
    }

    /// With one argument by name more; for [`newobj`](Reduced::newobj) alone.
    #[must_use]
    pub fn kwarg(mut self, name: &'static str, arg: impl ToPickle + 'v) -> Self {
        self.kwargs.push((name, Box::new(arg)));
        self
    }

    /// With a state: what `__setstate__` gets, or a dict of attributes, or a pair of that and a dict
    /// of slots.
    #[must_use]
    pub fn state(mut self, state: impl ToPickle + 'v) -> Self {
        self.state = Some(Box::new(state));
        self
    }

    /// With items that are appended.
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
    pub fn new() -> DispatchTable {
        DispatchTable::default()
    }

    /// Has a type pickled as a function says; the last function counts.
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
