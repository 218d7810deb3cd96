//! How instances of a type are written, worked out once for each type.
//!
//! `object.__reduce_ex__` does the same work for each instance: it looks up the hooks, finds the
//! names of the slots, and makes a tuple, a dict and a function's reference that the pickler takes
//! apart again. A plan is the outcome, good for as long as the type is what it was. It is made
//! without running Python; where that cannot be, the plan is [`Plan::Generic`].

use super::rows::Rows;
use crate::ffi::error::quietly;
use crate::ffi::layout::{Attributes, DictPlace, Entries, Named, PLAIN_SIZE, TypeFacts};
use crate::ffi::{Dict, Obj, Object, Own, Str, Tuple, Type, datetime, types};
use crate::fields::{Fields, MOST_SLOTS, Through, are_distinct};
use crate::state::State;
use halfsour::Fetch;

/// How an instance of a type is written.
pub(super) enum Plan {
    /// By asking it, step by step.
    Generic,
    /// The class has slots that nobody has listed yet (`copyreg._slotnames`); then as [`Generic`].
    ///
    /// [`Generic`]: Plan::Generic
    Unlisted,
    /// By its class and its attributes: `object.__reduce_ex__` and all that it asks is untouched.
    Instance(Shape),
    /// As a plain tuple in its class: what `collections.namedtuple` makes.
    NamedTuple,
    /// As a class of `datetime` with a few bytes or numbers.
    DateTime(datetime::Kind),
    /// Like [`Plan::Instance`], but with a `__getstate__` of its own, which is Python. Instances have
    /// their dict there.
    GetState(Option<DictPlace>),
    /// Like [`Plan::Instance`], but with the values of its fields as the state: what `__getstate__`
    /// returns that `dataclasses` gives to frozen classes with slots.
    Fields(Fields),
    /// By a `__reduce__` of its own, which is Python.
    Reduce(Option<DictPlace>),
    /// As a member of an enum, which `Enum.__reduce_ex__` has called for its value.
    Member(DictPlace),
    /// With arguments for `__new__`, by a `__getnewargs__` that is Python; the state comes from a
    /// `__getstate__` that is Python too, or is what the instance has as its dict.
    NewArgs { dict: Option<DictPlace>, has_getstate: bool },
}

/// A hook that a plan has the walker call.
pub(super) enum Hook {
    /// what the dispatch table has for the object's type
    Dispatch(Obj),
    GetState,
    Reduce,
    NewArgs {
        has_getstate: bool,
    },
}

/// What an instance's state is made of.
pub(super) struct Shape {
    pub(super) dict: Option<DictPlace>,
    /// Names and offsets.
    pub(super) slots: Box<[(Obj, usize)]>,
}

/// A type's plan, and what the current dump wrote for it already.
pub(super) struct Entry {
    class: usize,
    version: u32,
    /// the version of the class's own class, where that is not `type`
    metaclass: u32,
    /// The epoch in which it was last seen to be good.
    checked: u64,
    plan: Plan,
    /// The class that protocols 0 and 1 make instances of first, where `copyreg._reduce_ex` need not be
    /// called for it.
    old_base: Option<&'static Object>,
    /// The plan is not in force in this epoch: a dispatch table has the type, or `copyreg` is not what
    /// it was.
    barred: bool,
    /// The slot in which a dispatch table has the type, in this epoch.
    dispatched: Option<usize>,
    pub(super) written: Written,
    /// The table of shared keys, and how many of them, that hold no name of a hook.
    harmless: (usize, usize),
}

/// References to what is in the memo.
#[derive(Default)]
pub(super) struct Written {
    /// The memo's stamp.
    stamp: u64,
    pub(super) class: Option<Fetch>,
    /// The names of attributes, by address, at their places in the table of shared keys.
    names: Vec<(usize, Fetch)>,
    /// The names of slots.
    slots: Vec<Option<Fetch>>,
}

impl Written {
    /// Forgets what an earlier memo knew.
    #[inline(always)]
    pub(super) fn renew(&mut self, stamp: u64) {
        if self.stamp != stamp {
            self.stamp = stamp;
            self.class = None;
            self.names.clear();
            self.slots.clear();
        }
    }

    #[inline(always)]
    pub(super) fn name(&self, place: usize, name: &Object) -> Option<Fetch> {
        match self.names.get(place) {
            Some((address, fetch)) if *address == name.address() => Some(*fetch),
            _ => None,
        }
    }

    pub(super) fn note_name(&mut self, place: usize, name: &Object, index: i64) {
        let Ok(fetch) = Fetch::new(index) else { return };
        if self.names.len() <= place {
            self.names.resize(place + 1, (0, Fetch::default()));
        }
        self.names[place] = (name.address(), fetch);
    }

    #[inline(always)]
    pub(super) fn slot(&self, number: usize) -> Option<Fetch> {
        self.slots.get(number).copied().flatten()
    }

    pub(super) fn note_slot(&mut self, number: usize, index: i64) {
        if self.slots.len() <= number {
            self.slots.resize(number + 1, None);
        }
        self.slots[number] = Fetch::new(index).ok();
    }
}

/// All plans of one interpreter.
pub(crate) struct Plans {
    /// Places in `entries`, plus one, by the type's address; a power of two in size.
    table: Vec<u32>,
    entries: Vec<Entry>,
    epoch: u64,
    /// The epoch in which `copyreg` was last seen to be as it should.
    copyreg_checked: u64,
    /// The same of `copyreg._reduce_ex`.
    reduce_ex_checked: u64,
    pub(super) rows: Rows,
}

/// So many types have plans; with more, all are forgotten.
const MOST: usize = 1 << 12;

impl Default for Plans {
    fn default() -> Plans {
        Plans {
            table: vec![0; 64],
            entries: Vec::new(),
            epoch: 1,
            copyreg_checked: 0,
            reduce_ex_checked: 0,
            rows: Rows::default(),
        }
    }
}

impl Plans {
    /// Python may have run since: what plans rest on is to be looked at again.
    #[inline]
    pub(super) fn begin(&mut self) {
        self.epoch += 1;
    }

    /// The place of the plan for instances of `class`. `table` is the dispatch table in force.
    #[inline(always)]
    pub(super) fn find(&mut self, state: &State, table: &Dict, class: &Type) -> usize {
        let place = self.slot(class.address());
        if let Some(entry) = self.entries.get((self.table[place] as usize).wrapping_sub(1))
            && entry.checked == self.epoch
        {
            return self.table[place] as usize - 1;
        }
        self.check(state, table, class, place)
    }

    #[inline(always)]
    pub(super) fn entry(&mut self, place: usize) -> &mut Entry {
        &mut self.entries[place]
    }

    #[inline(always)]
    pub(super) fn plan(&self, place: usize) -> &Plan {
        let entry = &self.entries[place];
        if entry.barred { &Plan::Generic } else { &entry.plan }
    }

    #[inline(always)]
    fn slot(&self, address: usize) -> usize {
        let mask = self.table.len() - 1;
        // The low bits of types' addresses are much the same.
        let mut place = (address >> 4) ^ (address >> 10);
        loop {
            let number = self.table[place & mask] as usize;
            if number == 0 || self.entries[number - 1].class == address {
                return place & mask;
            }
            place += 1;
        }
    }

    #[cold]
    #[inline(never)]
    fn check(&mut self, state: &State, table: &Dict, class: &Type, mut place: usize) -> usize {
        if self.table[place] == 0 {
            if self.entries.len() >= MOST {
                *self = Plans { epoch: self.epoch, ..Plans::default() };
            }
            self.entries.push(Entry {
                class: class.address(),
                version: 0,
                metaclass: 0,
                checked: 0,
                plan: Plan::Generic,
                old_base: None,
                barred: false,
                dispatched: None,
                written: Written::default(),
                harmless: (0, 0),
            });
            if self.entries.len() * 2 > self.table.len() {
                self.table = vec![0; self.table.len() * 4];
                for number in 1..self.entries.len() {
                    let place = self.slot(self.entries[number - 1].class);
                    self.table[place] = number as u32;
                }
            }
            place = self.slot(class.address());
            self.table[place] = self.entries.len() as u32;
        }
        let number = self.table[place] as usize - 1;
        let entry = &mut self.entries[number];
        entry.checked = self.epoch;
        // A version belongs to one type in one condition; a type without one is uncertain.
        let dispatched = slot_of(table, class);
        if dispatched.is_none()
            && (entry.version == 0
                || entry.version != class.version_tag()
                || entry.metaclass != metaclass_version(class)
                || match &entry.plan {
                    Plan::Unlisted => true,
                    Plan::Fields(fields) => !fields.are_listed(state, class),
                    // A function may be given other code.
                    Plan::Member(_) => !has_enum_reduce(state, class),
                    Plan::NamedTuple => {
                        let getnewargs = class.lookup(&state.names.getnewargs);
                        !getnewargs.is_some_and(|f| state.is_namedtuple_getnewargs(f))
                    }
                    _ => false,
                })
        {
            entry.plan = Plan::make(state, class);
            entry.old_base = entry.plan.old_base(state, class);
            entry.version = class.version_tag();
            entry.metaclass = metaclass_version(class);
            entry.harmless = (0, 0);
        }
        entry.dispatched = dispatched;
        entry.barred = dispatched.is_some() || entry.version == 0;
        if let Plan::Fields(fields) = &entry.plan {
            entry.barred |= !fields.are_known(state);
        }
        if !entry.barred && entry.plan.uses_copyreg() && !self.copyreg_is_known(state) {
            self.entries[number].barred = true;
        }
        number
    }

    /// The hook that the walker is to call for an object, if no attribute of its own hides one.
    pub(super) fn hook(&mut self, state: &State, table: &Dict, object: &Object) -> Option<Hook> {
        let place = self.find(state, table, object.type_of());
        if let Some(slot) = self.entries[place].dispatched {
            // Other metaclasses may hash their classes in Python.
            let is_plain = object.type_of().type_of().as_obj().is(types::type_());
            let reducer = table.entries().get(slot).filter(|_| is_plain);
            return reducer.map(|(_, reducer)| Hook::Dispatch(reducer.own()));
        }
        let (hook, dict) = match self.plan(place) {
            &Plan::GetState(dict) => (Hook::GetState, dict),
            Plan::Fields(_) => (Hook::GetState, None),
            &Plan::Reduce(dict) => (Hook::Reduce, dict),
            &Plan::NewArgs { dict, has_getstate } => (Hook::NewArgs { has_getstate }, dict),
            _ => return None,
        };
        let entry = self.entry(place);
        let entries = match dict.map(|dict| dict.attributes(object)) {
            None | Some(Attributes::Empty) => return Some(hook),
            Some(Attributes::Values(entries)) => entries,
            Some(Attributes::Dict(dict)) => dict.entries(),
        };
        entry.hide_nothing(entries).then_some(hook)
    }

    /// The function by which protocols 0 and 1 make an instance from its class and its attributes, and
    /// the class from which it does; None where Python has to be asked.
    pub(super) fn reconstruction<'s>(
        &mut self,
        state: &'s State,
        table: &Dict,
        object: &Object,
    ) -> Option<(&'s Obj, &'static Object)> {
        let place = self.find(state, table, object.type_of());
        self.entries[place].old_base?;
        if self.reduce_ex_checked != self.epoch {
            if !state.reduce_ex_is_known() {
                return None;
            }
            self.reduce_ex_checked = self.epoch;
        }
        let function = state.reconstructor()?;
        let entry = &mut self.entries[place];
        let base = entry.old_base.filter(|_| !entry.barred)?;
        let dict = match &entry.plan {
            Plan::Instance(shape) => shape.dict,
            _ => None,
        };
        let entries = match dict.map(|dict| dict.attributes(object)) {
            None | Some(Attributes::Empty) => return Some((function, base)),
            Some(Attributes::Values(entries)) => entries,
            Some(Attributes::Dict(dict)) => dict.cast_exact::<Dict>()?.entries(),
        };
        entry.hide_nothing(entries).then_some((function, base))
    }

    /// `copyreg.__newobj__` is what instances are written with, by its name; programs can change it.
    fn copyreg_is_known(&mut self, state: &State) -> bool {
        if self.copyreg_checked != self.epoch && state.newobj_is_known() {
            self.copyreg_checked = self.epoch;
        }
        self.copyreg_checked == self.epoch
    }
}

fn has_enum_reduce(state: &State, class: &Type) -> bool {
    class.lookup(&state.names.reduce_ex).is_some_and(|function| state.is_enum_reduce(function))
}

/// 0 for `type`, which cannot change.
fn metaclass_version(class: &Type) -> u32 {
    let metaclass = class.type_of();
    if metaclass.as_obj().is(types::type_()) { 0 } else { metaclass.version_tag() }
}

/// Whether a class is asked for its attributes as plain classes are, and knows no other
/// `__reduce__`, `__name__`, `__qualname__` or `__module__` than they. Both have nothing but names, so
/// that looking one up runs no Python.
pub(super) fn has_plain_metaclass(state: &State, class: &Type) -> bool {
    let metaclass = class.type_of();
    let Some(plain) = types::type_().cast::<Type>() else { return false };
    let names = &state.names;
    let is_plain = metaclass.as_obj().is(plain)
        || (metaclass.has_plain_names()
            && metaclass.has_getattr_of(plain)
            && [&names.reduce, &names.name, &names.qualname].iter().all(|name| {
                match (metaclass.lookup(name), plain.lookup(name)) {
                    (Some(own), Some(base)) => own.is(base),
                    (own, base) => own.is_none() && base.is_none(),
                }
            })
            // A metaclass has the name of its own module there; a string runs no Python.
            && metaclass.lookup(&names.module).is_some_and(|own| {
                own.cast_exact::<Str>().is_some()
                    || plain.lookup(&names.module).is_some_and(|base| own.is(base))
            }));
    is_plain && class.has_plain_names()
}

/// Whether a dispatch table has a type, by identity: asking for it might run Python.
pub(super) fn has(table: &Dict, class: &Object) -> bool {
    slot_of(table, class).is_some()
}

fn slot_of(table: &Dict, class: &Object) -> Option<usize> {
    let entries = table.entries();
    (0..entries.slots()).find(|slot| entries.get(*slot).is_some_and(|(key, _)| key.is(class)))
}

impl Entry {
    /// Whether no attribute hides a hook of the class.
    #[inline(always)]
    pub(super) fn hide_nothing(&mut self, entries: Entries<'_>) -> bool {
        match entries {
            Entries::Split(keys, _) => self.are_harmless(keys),
            Entries::Named(entries) => {
                entries.iter().all(|entry| entry.key.is_none_or(|key| !is_hook(key)))
            }
            // Keys that are no strings are left to those who can compare them.
            Entries::Hashed(_) => false,
        }
    }

    /// Whether none of the keys does.
    #[inline(always)]
    fn are_harmless(&mut self, keys: &[Named<'_>]) -> bool {
        let table = (keys.as_ptr().addr(), keys.len());
        self.harmless == table || self.look_for_hooks(keys, table)
    }

    #[cold]
    fn look_for_hooks(&mut self, keys: &[Named<'_>], table: (usize, usize)) -> bool {
        if keys.iter().any(|entry| entry.key.is_some_and(is_hook)) {
            return false;
        }
        self.harmless = table;
        true
    }
}

/// Whether an instance attribute of this name is seen by `object.__reduce_ex__`, by its caller or by
/// `copyreg._reduce_ex`; not all of them see all. Unknown kinds of keys count too.
#[inline(always)]
fn is_hook(name: &Object) -> bool {
    match name.cast_exact::<Str>() {
        Some(name) => match name.ascii() {
            Some([b'_', b'_', rest @ ..]) => {
                [&b"reduce_ex__"[..], b"reduce__", b"getstate__", b"slots__"].contains(&rest)
            }
            _ => false,
        },
        None => true,
    }
}

impl Plan {
    /// Whether instances are written as `copyreg.__newobj__` says.
    fn uses_copyreg(&self) -> bool {
        !matches!(
            self,
            Plan::Generic | Plan::Unlisted | Plan::DateTime(_) | Plan::Reduce(_) | Plan::Member(_)
        )
    }

    /// What `copyreg._reduce_ex` finds to be the base of a class, where it finds no more than the plan
    /// has: the first class that is not made by a class statement.
    fn old_base(&self, state: &State, class: &Type) -> Option<&'static Object> {
        let expected = match self {
            Plan::Instance(shape) if shape.slots.is_empty() => types::object(),
            Plan::NamedTuple => types::tuple(),
            _ => return None,
        };
        let names = &state.names;
        // Slots without a method for them are an error.
        let has_no_slots = match class.lookup(&names.slots) {
            None => true,
            Some(slots) => slots.cast_exact::<Tuple>().is_some_and(|slots| slots.len() == 0),
        };
        if !has_no_slots || !class.type_of().as_obj().is(types::type_()) {
            return None;
        }
        let mro = quietly(class.attr(&names.mro))?;
        for base in mro.cast::<Tuple>()?.items() {
            let base = base.cast::<Type>()?;
            if !base.is_heap_type() {
                return base.as_obj().is(expected).then_some(expected);
            }
            // Another `__new__` in C could be the class's own.
            let new = base.lookup(&names.new)?;
            let is_inherited = [types::object(), types::tuple()].iter().any(|origin| {
                origin
                    .cast::<Type>()
                    .and_then(|o| o.lookup(&names.new))
                    .is_some_and(|own| own.is(new))
            });
            if !is_inherited && !new.is_static_python_method() {
                return None;
            }
        }
        None
    }

    fn make(state: &State, class: &Type) -> Plan {
        let names = &state.names;
        if let Some(kind) = datetime::Kind::of(class) {
            class.lookup(&names.reduce_ex); // a type has no version before something is looked up
            return Plan::DateTime(kind);
        }
        let Some(base) = types::object().cast::<Type>() else { return Plan::Generic };
        let own = |name: &Object| {
            class.lookup(name).zip(base.lookup(name)).is_some_and(|(own, base)| own.is(base))
        };
        if !class.is_heap_type()
            || class.is_metaclass()
            || !has_plain_metaclass(state, class)
            || !class.has_generic_getattr()
            || !class.has_new()
            || !own(&names.class)
        {
            return Plan::Generic;
        }
        if !own(&names.reduce_ex) {
            let facts = TypeFacts::of(class);
            let is_member = has_enum_reduce(state, class)
                && class.lookup(&names.value).is_none()
                && !facts.dict_is_elsewhere;
            return facts.dict.filter(|_| is_member).map_or(Plan::Generic, Plan::Member);
        }
        if class.lookup(&names.getnewargs_ex).is_some() {
            return Plan::Generic;
        }
        let default_reduce = own(&names.reduce);
        let default_state = own(&names.getstate);
        if let Some(getnewargs) = class.lookup(&names.getnewargs) {
            return if default_reduce {
                Plan::with_newargs(state, class, getnewargs, default_state)
            } else {
                Plan::Generic
            };
        }
        let facts = TypeFacts::of(class);
        if facts.dict_is_elsewhere {
            return Plan::Generic;
        }
        if !default_reduce {
            let python = class.lookup(&names.reduce).is_some_and(Object::is_function);
            return if python { Plan::Reduce(facts.dict) } else { Plan::Generic };
        }
        if class.is_list_or_dict() {
            return Plan::Generic;
        }
        if !default_state {
            let python = class.lookup(&names.getstate).is_some_and(Object::is_function);
            return match python {
                true => match Fields::of(state, class, Through::GetState) {
                    Some(fields) => Plan::Fields(fields),
                    None => Plan::GetState(facts.dict),
                },
                false => Plan::Generic,
            };
        }
        if facts.itemsize != 0 {
            return Plan::Generic;
        }
        let Some(slots) = Shape::slots(state, class) else { return Plan::Unlisted };
        // More than that, and the instance holds what only its class knows of.
        let words = usize::from(facts.dict.is_some()) + usize::from(facts.weakrefs) + slots.len();
        let known = PLAIN_SIZE + words * size_of::<usize>();
        let managed = facts.dict == Some(DictPlace::Managed);
        if facts.basicsize > known - if managed { size_of::<usize>() } else { 0 } {
            return Plan::Generic;
        }
        let offsets = slots
            .items()
            .iter()
            .map(|name| facts.slot_offset(class, name).map(|offset| (name.own(), offset)));
        match offsets.collect::<Option<Box<[_]>>>() {
            Some(slots) if slots.len() < MOST_SLOTS && are_distinct(slots.iter().map(|s| s.1)) => {
                Plan::Instance(Shape { dict: facts.dict, slots })
            }
            _ => Plan::Generic,
        }
    }

    /// For a class with `__getnewargs__`.
    fn with_newargs(state: &State, class: &Type, getnewargs: &Object, default_state: bool) -> Plan {
        let names = &state.names;
        if default_state
            && state.is_namedtuple_getnewargs(getnewargs)
            && class.is_plain_tuple(&names.iter)
        {
            // From 3.15 on tuples may have slots.
            return match Shape::slots(state, class) {
                None => Plan::Unlisted,
                Some(slots) if slots.len() == 0 => Plan::NamedTuple,
                Some(_) => Plan::Generic,
            };
        }
        let facts = TypeFacts::of(class);
        if !getnewargs.is_function() || facts.dict_is_elsewhere || class.is_list_or_dict() {
            return Plan::Generic;
        }
        if !default_state {
            let python = class.lookup(&names.getstate).is_some_and(Object::is_function);
            return if python {
                Plan::NewArgs { dict: facts.dict, has_getstate: true }
            } else {
                Plan::Generic
            };
        }
        match Shape::slots(state, class) {
            None => Plan::Unlisted,
            Some(slots) if slots.len() == 0 => {
                Plan::NewArgs { dict: facts.dict, has_getstate: false }
            }
            Some(_) => Plan::Generic,
        }
    }
}

impl Shape {
    /// The names of the slots, as `copyreg._slotnames` has listed them; None if it has not.
    fn slots(state: &State, class: &Type) -> Option<Own<Tuple>> {
        let listed = class.own_attribute(&state.names.slotnames)?;
        let list = listed.cast_exact::<crate::ffi::List>()?;
        let names: Vec<Obj> = list.items().iter().map(|name| name.own()).collect();
        quietly(Tuple::from_items(names))
    }
}
