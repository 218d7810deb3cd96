//! How instances of a class are loaded, worked out once for each class.
//!
//! NEWOBJ and BUILD ask the class for its `__new__`, the instance for its `__setstate__` and its
//! `__dict__`, and look each attribute's name up twice. What they find is the same for all instances
//! of a class that nobody changes, which the interpreter tells by the class's version. Plans are
//! made without running Python.

use super::namedtuple::New;
use crate::ffi::datetime::Maker;
use crate::ffi::error::quietly;
use crate::ffi::layout::{Attributes, DictPlace, Entries, TypeFacts, is_same_text};
use crate::ffi::{Obj, Object, Str, Tuple, Type, types};
use crate::fields::{Fields, Through};
use crate::state::State;

/// What is known of a class.
pub(super) struct Plan {
    class: usize,
    version: u32,
    /// `object.__new__` makes the instances.
    pub(super) plain_new: bool,
    /// The instances are tuples of so many items, made by the `__new__` of a namedtuple.
    pub(super) namedtuple: Option<New>,
    /// When that was last looked at, see [`Plans::epoch`].
    checked: u64,
    /// BUILD only puts the items of the state into the instance's dict, which is here.
    pub(super) dict: Option<DictPlace>,
    /// BUILD calls `__setstate__`, a Python function, with the instance and the state. It is not kept
    /// here, where it would keep its class alive.
    pub(super) has_setstate: bool,
    /// BUILD does this with a list.
    fields: Option<Fields>,
    /// BUILD sets slots as `setattr` does by default.
    pub(super) slots: bool,
    pub(super) datetime: Option<Maker>,
    /// The attributes that the state of an instance had, and the slots.
    pub(super) attributes: Names,
    pub(super) slot_names: Names,
}

/// The names in a state, in its order, and where their values go.
#[derive(Default)]
pub(super) struct Names {
    /// interned
    names: Vec<Obj>,
    /// The current load's own strings for them.
    keys: Vec<Obj>,
    load: u64,
    /// Places in the shared keys. Empty where the class does not share them all.
    places: Vec<u8>,
    /// Offsets of slots.
    offsets: Vec<usize>,
    /// How many states of this load, one after the other, were not [flat](Names::may_be_flat).
    not_flat: u8,
}

/// All plans that are kept, by class.
pub(crate) struct Plans {
    /// Places in `plans`, plus one, by the class's address; a power of two in size.
    table: Vec<u32>,
    plans: Vec<Plan>,
    load: u64,
    /// The plans that have this load's own strings.
    with_keys: Vec<usize>,
    /// Counts how often Python may have run.
    epoch: u64,
    /// When `codecs` was last known to encode as it ever did.
    encoder_checked: u64,
    /// A class as plain as can be.
    sample: Option<Obj>,
}

/// So many plans are kept from one load to the next.
const MOST: usize = 1 << 10;

impl Default for Plans {
    fn default() -> Plans {
        Plans {
            table: vec![0; 64],
            plans: Vec::new(),
            load: 0,
            with_keys: Vec::new(),
            epoch: 0,
            encoder_checked: 0,
            sample: None,
        }
    }
}

impl Plans {
    /// A new load begins.
    pub(super) fn begin(&mut self) {
        self.load += 1;
        self.epoch += 1;
        if self.plans.len() > MOST {
            self.table = vec![0; 64];
            self.plans = Vec::new();
        }
    }

    #[inline(always)]
    pub(super) fn get(&mut self, number: usize) -> &mut Plan {
        &mut self.plans[number]
    }

    /// The plan for instances of a class.
    #[inline(always)]
    pub(super) fn find(&mut self, state: &State, class: &Type) -> usize {
        let place = self.place(class.address());
        let number = (self.table[place] as usize).wrapping_sub(1);
        if let Some(plan) = self.plans.get(number)
            && plan.version == class.version_tag()
            && plan.version != 0
        {
            return number;
        }
        self.make(state, class, place)
    }

    /// Where a class is in the table, or would be.
    #[inline(always)]
    fn place(&self, address: usize) -> usize {
        let mask = self.table.len() - 1;
        let mut place = address >> 4 ^ address >> 12;
        loop {
            let number = (self.table[place & mask] as usize).wrapping_sub(1);
            if self.plans.get(number).is_none_or(|plan| plan.class == address) {
                return place & mask;
            }
            place += 1;
        }
    }

    #[cold]
    #[inline(never)]
    fn make(&mut self, state: &State, class: &Type, place: usize) -> usize {
        if self.sample.is_none() {
            self.sample = quietly(sample());
        }
        let sample = self.sample.as_deref().and_then(Object::cast::<Type>);
        let plan = Plan::of(state, class, sample);
        let number = (self.table[place] as usize).wrapping_sub(1);
        if let Some(old) = self.plans.get_mut(number) {
            *old = plan;
            return number;
        }
        self.plans.push(plan);
        if self.plans.len() * 2 > self.table.len() {
            self.table = vec![0; self.table.len() * 4];
            for number in 0..self.plans.len() {
                let place = self.place(self.plans[number].class);
                self.table[place] = number as u32 + 1;
            }
        } else {
            self.table[place] = self.plans.len() as u32;
        }
        self.plans.len() - 1
    }

    /// Python may have run: what plans rest on is to be looked at again.
    #[inline(always)]
    pub(super) fn python_ran(&mut self) {
        self.epoch += 1;
    }

    /// Whether the class makes its instances as namedtuples of so many fields are made.
    #[inline(always)]
    pub(super) fn is_namedtuple(&mut self, state: &State, number: usize, fields: usize) -> bool {
        let plan = &mut self.plans[number];
        let Some(new) = plan.namedtuple.as_ref().filter(|new| new.fields == fields) else {
            return false;
        };
        if plan.checked == self.epoch {
            return true;
        }
        plan.checked = self.epoch;
        let untouched = new.is_untouched(state);
        if !untouched {
            plan.version = 0;
            plan.namedtuple = None;
        }
        untouched
    }

    /// Whether that was [noted](Plans::note_encoder), and no Python ran since.
    #[inline(always)]
    pub(super) fn encodes_as_ever(&self) -> bool {
        self.encoder_checked == self.epoch
    }

    /// The encoder of `latin1` is the interpreter's own.
    pub(super) fn note_encoder(&mut self) {
        self.encoder_checked = self.epoch;
    }

    /// The offsets of the fields that BUILD would set, each to an item of a list, by the
    /// `__setstate__` of frozen dataclasses with slots.
    pub(super) fn fields(&mut self, state: &State, class: &Type) -> Option<&[usize]> {
        let number = self.find(state, class);
        let plan = &mut self.plans[number];
        let fields = plan.fields.as_ref()?;
        if plan.checked != self.epoch {
            if !fields.are_known(state) || !fields.are_listed(state, class) {
                return None;
            }
            plan.checked = self.epoch;
        }
        Some(&fields.offsets)
    }

    #[inline(always)]
    pub(super) fn load(&self) -> u64 {
        self.load
    }

    /// Whether these keys, each with its value behind it, are the known names of a plan's slots or
    /// attributes, or the first to become known.
    #[inline(always)]
    pub(super) fn knows(&mut self, number: usize, slots: bool, pairs: &[Obj]) -> bool {
        let plan = &mut self.plans[number];
        let names = if slots { &mut plan.slot_names } else { &mut plan.attributes };
        if names.are(self.load, pairs) {
            return true;
        }
        let learned = names.learn(self.load, pairs);
        if learned {
            self.with_keys.push(number);
        }
        learned
    }

    /// The load is over: its strings are let go.
    pub(super) fn end(&mut self) {
        for number in self.with_keys.drain(..) {
            if let Some(plan) = self.plans.get_mut(number) {
                plan.attributes.forget_keys();
                plan.slot_names.forget_keys();
            }
        }
    }
}

/// `class Sample: pass`
fn sample() -> crate::ffi::PyResult<Obj> {
    let namespace = crate::ffi::Dict::new()?.into_obj();
    let args = [Str::new("Sample")?, Tuple::from_items([])?.into_obj(), namespace];
    types::type_().call_object(&*Tuple::from_items(args)?)
}

impl Plan {
    fn of(state: &State, class: &Type, sample: Option<&Type>) -> Plan {
        let names = &state.names;
        let mut plan = Plan {
            class: class.address(),
            version: 0,
            plain_new: false,
            namedtuple: None,
            checked: 0,
            dict: None,
            has_setstate: false,
            fields: None,
            slots: false,
            datetime: Maker::of(class),
            attributes: Names::default(),
            slot_names: Names::default(),
        };
        if !class.has_plain_names() {
            return plan;
        }
        // Looked up in any case: that gives a class its version.
        let setstate = class.lookup(&names.setstate);
        let plain = class.is_heap_type() && class.has_generic_getattr();
        if plain {
            plan.has_setstate = setstate.is_some_and(Object::is_function);
        }
        let builds = plain && setstate.is_none();
        if builds {
            let dict = TypeFacts::of(class).dict;
            plan.dict = dict.filter(|dict| {
                *dict == DictPlace::Managed
                    && sample.is_some_and(|sample| class.has_default_dict(sample, &names.dict))
            });
            plan.slots = class.has_generic_setattr();
        }
        if class.is_heap_type() {
            plan.plain_new = class.is_made_by_object();
            if plan.has_setstate && plan.plain_new {
                plan.fields = Fields::of(state, class, Through::SetState);
            }
            if class.allocates_tuples() {
                plan.namedtuple = class.lookup(&names.new).and_then(|new| New::of(state, new));
            }
        }
        // A class without a version is uncertain.
        plan.version = class.version_tag();
        if state.namedtuples.is_wanted() {
            plan.version = 0;
        }
        if plan.version == 0 {
            plan.plain_new = false;
            plan.namedtuple = None;
            plan.dict = None;
            plan.has_setstate = false;
            plan.fields = None;
            plan.slots = false;
        }
        plan
    }
}

impl Names {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn places(&self) -> &[u8] {
        &self.places
    }

    pub(super) fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    fn forget_keys(&mut self) {
        self.keys.clear();
        self.load = 0;
    }

    /// This load's strings for the names.
    pub(super) fn keys(&self) -> &[Obj] {
        &self.keys
    }

    pub(super) fn names(&self) -> &[Obj] {
        &self.names
    }

    /// Whether these keys, each with its value behind it, are what an earlier state of this load had.
    #[inline(always)]
    pub(super) fn are(&self, load: u64, pairs: &[Obj]) -> bool {
        self.load == load
            && pairs.len() == self.keys.len() * 2
            && self.keys.iter().zip(pairs.as_chunks::<2>().0).all(|(key, [k, _])| key.is(k))
    }

    /// Whether it is worth a try that the next state has these names too, and no containers.
    #[inline(always)]
    pub(super) fn may_be_flat(&self, load: u64) -> bool {
        self.load == load && self.not_flat < 4
    }

    /// Notes whether that was so.
    #[inline(always)]
    pub(super) fn was_flat(&mut self, flat: bool) {
        self.not_flat = if flat { 0 } else { self.not_flat + 1 };
    }

    /// Learns the keys of the first state in a load. False if they are no names, or not the names of
    /// other states of the same load.
    pub(super) fn learn(&mut self, load: u64, pairs: &[Obj]) -> bool {
        if self.load == load {
            return false;
        }
        let keys = || pairs.as_chunks::<2>().0.iter().map(|[key, _]| key);
        if !(pairs.len() == self.names.len() * 2
            && self.names.iter().zip(keys()).all(|(name, key)| is_same(name, key)))
        {
            *self = Names::default();
            for key in keys() {
                let Some(key) = key.cast_exact::<Str>() else { return false };
                let name = Str::intern(key.own_view()).into_obj();
                if self.names.len() > 64 || self.names.iter().any(|other| other.is(&name)) {
                    *self = Names::default();
                    return false;
                }
                self.names.push(name);
            }
        }
        self.keys = keys().cloned().collect();
        self.load = load;
        self.not_flat = 0;
        true
    }

    /// Looks for the names in the keys that instances share.
    #[inline(always)]
    pub(super) fn locate(&mut self, class: &Type, place: DictPlace) {
        if self.places.len() != self.names.len() {
            self.look_for_places(class, place);
        }
    }

    #[cold]
    fn look_for_places(&mut self, class: &Type, place: DictPlace) {
        let keys = class.shared_keys(place);
        let find = |name: &Obj| {
            let found = keys.iter().position(|entry| entry.key.is_some_and(|key| key.is(name)));
            found.and_then(|place| u8::try_from(place).ok())
        };
        self.places = self.names.iter().map(find).collect::<Option<_>>().unwrap_or_default();
    }

    /// Looks for the slots of these names.
    #[inline(always)]
    pub(super) fn locate_slots(&mut self, class: &Type) {
        if self.offsets.len() != self.names.len() {
            self.look_for_slots(class);
        }
    }

    #[cold]
    fn look_for_slots(&mut self, class: &Type) {
        let find = |name: &Obj| class.writable_slot(name);
        let offsets: Vec<usize> =
            self.names.iter().map(find).collect::<Option<_>>().unwrap_or_default();
        // One slot may have two names.
        let mut sorted = offsets.clone();
        sorted.sort_unstable();
        self.offsets = if sorted.is_sorted_by(|a, b| a < b) { offsets } else { Vec::new() };
    }

    /// Whether a dict's keys are the names, in their order, and all of them shared.
    pub(super) fn are_shared(&self, state: &Entries<'_>) -> bool {
        self.places.len() == state.slots() && self.are_keys(state)
    }

    /// Whether a dict's keys are the names, in their order, and all of them slots.
    pub(super) fn are_slots(&self, state: &Entries<'_>) -> bool {
        self.offsets.len() == state.slots() && self.are_keys(state)
    }

    fn are_keys(&self, state: &Entries<'_>) -> bool {
        let mut names = self.names.iter().enumerate();
        names.all(|(slot, name)| state.get(slot).is_some_and(|(key, _)| is_same(name, key)))
    }

    /// Learns the keys of a dict.
    pub(super) fn learn_dict(&mut self, state: &Entries<'_>) {
        *self = Names::default();
        let pairs = (0..state.slots()).map_while(|slot| state.get(slot));
        let keys = pairs.map_while(|(key, _)| key.cast_exact::<Str>());
        self.names = keys.take(64).map(|key| Str::intern(key.own_view()).into_obj()).collect();
    }
}

/// Whether a key has the characters of a name. Not all that have are seen.
#[inline(always)]
fn is_same(name: &Object, key: &Object) -> bool {
    name.is(key) || is_same_text(name, key)
}

/// The values of an instance, as many as it has, in the order in which they were set.
pub(super) fn values_of(instance: &Object, place: DictPlace) -> Vec<Obj> {
    let entries = match place.attributes(instance) {
        Attributes::Empty => return Vec::new(),
        Attributes::Values(entries) => entries,
        Attributes::Dict(dict) => dict.entries(),
    };
    (0..entries.slots())
        .filter_map(|slot| entries.get(slot))
        .map(|(_, value)| value.own())
        .collect()
}
