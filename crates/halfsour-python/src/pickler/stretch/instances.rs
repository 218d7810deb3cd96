//! Instances, by the plan of their type; and their classes.

use super::*;
use crate::ffi::datetime::Parts;
use crate::ffi::error::quietly;
use crate::ffi::layout::{Attributes, DictPlace};
use crate::ffi::types;
use crate::pickler::global;
use crate::pickler::plan::{self, Plan};
use crate::pickler::reduce::NEWOBJ_END;
use halfsour::Fetch;

/// More bytes than the opcodes take that begin an instance: into a file, they are written in one
/// frame, or by the walker.
const HEADER: usize = 64;

impl<'q, S: Sink> Stretch<'_, 'q, S> {
    /// As [`is_asked_for`](Stretch::is_asked_for), but instances are kept even where nobody sees
    /// them: they may have finalisers, which run when all is written.
    #[inline(always)]
    fn is_instance_asked_for(&self, object: &Object) -> bool {
        self.keeping != Keeping::Unshared || !object.is_unshared()
    }

    /// Writes an instance, or begins to, if its type's plan is for us.
    pub(super) fn instance(&mut self, object: &'q Object) -> Put<'q> {
        let stop = Put::Stop(Stop::ByType(object));
        let Some(table) = self.table else { return stop };
        if self.signals_are_due() {
            return Put::Stop(Stop::Signals(object));
        }
        if let Some(class) = object.cast::<Type>() {
            return if self.global(class) { Put::Done } else { Put::Stop(Stop::At(object)) };
        }
        // All of its beginning must be in one frame.
        if self.to_file && self.out.room() < HEADER {
            return Put::Stop(Stop::At(object));
        }
        let class = object.type_of();
        let place = self.plans.find(self.state, table, class);
        if self.out.protocol() < 2 {
            return self.instance_of_old(object, place, table);
        }
        self.by_plan(object, class, place)
    }

    /// As [`instance`](Stretch::instance), before protocol 2. The first instance of a class is left to
    /// the walker, so that all names are in the memo.
    #[cold]
    fn instance_of_old(&mut self, object: &'q Object, place: usize, table: &'q Dict) -> Put<'q> {
        let class = object.type_of();
        let is_plain = matches!(self.plans.plan(place), Plan::Instance(_));
        let found = self.plans.reconstruction(self.state, table, object).filter(|_| is_plain);
        let Some((function, base)) = found else { return Put::Stop(Stop::ByType(object)) };
        let fetch = |name: &Object| self.memo.get(name).and_then(|index| Fetch::new(index).ok());
        let fetches = [&**function, class.as_obj(), base].map(fetch);
        let [Some(function), Some(own), Some(base)] = fetches else {
            return Put::Stop(Stop::At(object));
        };
        let dict = match object.has_attributes() {
            true => error::quietly(object.instance_dict()),
            false => Some(Object::none().own()),
        };
        let Some(dict) = dict else { return Put::Stop(Stop::At(object)) };
        self.out.get_again(function);
        self.out.op(Opcode::Mark);
        self.out.get_again(own);
        self.out.get_again(base);
        self.out.ops([Opcode::None, Opcode::Tuple]);
        self.memoize_made(|| {
            let base = types::object().own();
            Ok(Tuple::from_items([class.own(), base, Object::none().own()])?.into_obj())
        });
        self.out.op(Opcode::Reduce);
        self.memoize(object, true);
        if dict.is_none() { Put::Done } else { self.begin_state(object, self.keep.hold(dict)) }
    }

    #[inline(always)]
    fn by_plan(&mut self, object: &'q Object, class: &'q Type, place: usize) -> Put<'q> {
        let stop = Put::Stop(Stop::At(object));
        match self.plans.plan(place) {
            Plan::Instance(shape) => {
                let attributes = match shape.dict {
                    Some(place) => place.attributes(object),
                    None => Attributes::Empty,
                };
                let has_slots = !shape.slots.is_empty()
                    && shape.slots.iter().any(|(_, offset)| object.slot(*offset).is_some());
                self.begin_plain(object, class, place, attributes, has_slots)
            }
            Plan::NamedTuple => {
                let Some(tuple) = object.cast::<Tuple>() else { return stop };
                if !self.class(class, place) {
                    return stop;
                }
                self.edge();
                if tuple.len() == 0 {
                    self.out.op(Opcode::EmptyTuple);
                    self.made(object, Opcode::NewObj);
                    return Put::Done;
                }
                self.open(object);
                self.open_tuple(tuple, Then::Made(object, Opcode::NewObj))
            }
            Plan::Fields(_) => self.begin_fields(object, class, place),
            &Plan::Member(dict) => self.begin_member(object, class, place, dict),
            Plan::DateTime(kind) => match kind.parts(object, self.out.protocol()) {
                Some(parts) if self.out.protocol() >= 3 => {
                    if !self.class(class, place) {
                        return stop;
                    }
                    self.datetime(parts);
                    let is_shared = self.is_instance_asked_for(object);
                    self.memoize(object, is_shared);
                    Put::Done
                }
                _ => Put::Stop(Stop::ByType(object)),
            },
            Plan::Unlisted => Put::Stop(Stop::Unlisted(object)),
            Plan::Generic | Plan::GetState(_) | Plan::Reduce(_) | Plan::NewArgs { .. } => {
                Put::Stop(Stop::ByType(object))
            }
        }
    }

    /// Writes an instance of a class, without its state. False, and nothing is written, if its class
    /// takes Python.
    #[inline(always)]
    fn begin_instance(&mut self, object: &'q Object, class: &'q Type, place: usize) -> bool {
        if !self.class(class, place) {
            return false;
        }
        self.edge();
        self.out.ops([Opcode::EmptyTuple, Opcode::NewObj]);
        let is_shared = self.is_instance_asked_for(object);
        self.memoize(object, is_shared);
        true
    }

    /// Writes an instance by its class and its fields, or begins to.
    fn begin_fields(&mut self, object: &'q Object, class: &'q Type, place: usize) -> Put<'q> {
        let stop = Put::Stop(Stop::At(object));
        let Plan::Fields(fields) = self.plans.plan(place) else { return stop };
        if fields.offsets.iter().any(|offset| object.slot(*offset).is_none()) {
            return stop;
        }
        let count = fields.offsets.len();
        // Once Python runs, it may look at the list.
        let list = if self.keeping == Keeping::Unshared {
            None
        } else {
            let values = fields.offsets.iter().map(|offset| object.slot(*offset));
            let values = values.flatten().map(Object::own).collect::<Vec<_>>();
            let Some(list) = error::quietly(List::from_items(values)) else { return stop };
            self.keep.hold(list.into_obj()).cast_exact::<List>()
        };
        if !self.begin_instance(object, class, place) {
            return stop;
        }
        self.edge();
        self.out.op(Opcode::EmptyList);
        if let Some(list) = list {
            self.memoize(list, true);
            let then = Then::Build(object);
            return self.push(Frame::List(ListFrame::new(list, 0, (0, 0), false, then)));
        }
        self.memo_skip();
        if count > 1 {
            self.out.op(Opcode::Mark);
        }
        let mut next = 0;
        while let Some(value) = self.field(object, place, next) {
            if !self.leaf(value) {
                return self.push(Frame::Fields(FieldsFrame { object, next, place }));
            }
            next += 1;
        }
        self.close_fields(count);
        Put::Done
    }

    /// The value of the field of this number.
    #[inline(always)]
    fn field(&self, object: &'q Object, place: usize, number: usize) -> Option<&'q Object> {
        match self.plans.plan(place) {
            Plan::Fields(fields) => object.slot(*fields.offsets.get(number)?),
            _ => None,
        }
    }

    pub(super) fn fields(&mut self, mut frame: FieldsFrame<'q>) -> Step<'q> {
        let at = self.frames.len() - 1;
        while let Some(value) = self.field(frame.object, frame.place, frame.next) {
            frame.next += 1;
            match self.put(value) {
                Put::Done => {}
                put => return self.wait(at, Frame::Fields(frame), put),
            }
        }
        self.frames.truncate(at);
        self.close_fields(frame.next);
        Ok(())
    }

    fn close_fields(&mut self, count: usize) {
        match count {
            0 => self.out.op(Opcode::Build),
            1 => self.out.ops([Opcode::Append, Opcode::Build]),
            _ => self.out.ops([Opcode::Appends, Opcode::Build]),
        }
    }

    /// Writes a member of an enum: its class, called for its value.
    fn begin_member(
        &mut self,
        object: &'q Object,
        class: &'q Type,
        place: usize,
        dict: DictPlace,
    ) -> Put<'q> {
        let stop = Put::Stop(Stop::At(object));
        let entries = match dict.attributes(object) {
            Attributes::Empty => return stop,
            Attributes::Values(entries) => entries,
            Attributes::Dict(dict) => dict.entries(),
        };
        let hides_nothing = self.plans.entry(place).hide_nothing(entries);
        let value = object.attribute_quietly(&self.state.names.value).filter(|_| hides_nothing);
        let args = value.and_then(|value| quietly(Tuple::from_items([value.own()])));
        let args = args.map(|args| self.keep.hold(args.into_obj()));
        let Some(args) = args.and_then(|args| args.cast_exact::<Tuple>()) else { return stop };
        if !class.is_named_otherwise(NEWOBJ_END) || !self.class(class, place) {
            return stop;
        }
        self.edge();
        self.open(object);
        self.open_tuple(args, Then::Made(object, Opcode::Reduce))
    }

    /// Writes the arguments of a class of `datetime`, and REDUCE.
    fn datetime(&mut self, parts: Parts) {
        self.edge();
        match parts {
            Parts::Packed(bytes, length) => {
                let packed = bytes.get(..length).unwrap_or(&bytes);
                // Ten bytes always fit.
                let _ = self.out.payload(Payload::Bytes, packed);
                let mut args = None;
                self.memoize_made(|| {
                    let bytes = Bytes::new(packed)?.into_obj();
                    args = Some(Tuple::from_items([bytes.clone()])?.into_obj());
                    Ok(bytes)
                });
                self.out.op(Opcode::Tuple1);
                self.memoize_made(|| args.ok_or(Raised));
            }
            Parts::Numbers(numbers) => {
                for number in numbers {
                    self.edge();
                    self.out.int(number);
                }
                self.out.op(Opcode::Tuple3);
                self.memoize_made(|| {
                    let [a, b, c] = numbers.map(|number| Int::new(i64::from(number)));
                    Ok(Tuple::from_items([a?, b?, c?])?.into_obj())
                });
            }
        }
        self.out.op(Opcode::Reduce);
    }

    /// Writes an instance by its class and its attributes, or begins to.
    #[inline(always)]
    fn begin_plain(
        &mut self,
        object: &'q Object,
        class: &'q Type,
        place: usize,
        attributes: Attributes<'q>,
        has_slots: bool,
    ) -> Put<'q> {
        let stop = Put::Stop(Stop::At(object));
        let (entries, dict, size) = match attributes {
            Attributes::Empty => (None, None, 0),
            Attributes::Values(entries) => (Some(entries), None, entries.slots()),
            Attributes::Dict(dict) => (Some(dict.entries()), Some(dict), dict.len()),
        };
        // Attributes that hide hooks of the class are the walker's business.
        let harmless = match entries {
            Some(entries) => self.plans.entry(place).hide_nothing(entries),
            None => true,
        };
        if !harmless || dict.is_some_and(|dict| dict.cast_exact::<Dict>().is_none()) {
            return stop;
        }
        if self.keeping != Keeping::Unshared && (size > 0 || has_slots) {
            return self.begin_kept(object, class, place, size > 0, has_slots);
        }
        if !self.begin_instance(object, class, place) {
            return stop;
        }
        let then = if has_slots { Then::Slots(object, place) } else { Then::Build(object) };
        let Some(entries) = entries.filter(|_| size > 0) else {
            if !has_slots {
                return Put::Done;
            }
            self.edge();
            self.out.none();
            return self.begin_slots(object, place);
        };
        self.edge();
        if let Some(dict) = dict {
            let is_shared = !dict.is_unshared();
            if is_shared {
                if let Some(index) = self.memo.get(dict) {
                    self.no_memory |= self.out.get(index).is_err();
                    return self.finish_put(then);
                }
                self.out.op(Opcode::EmptyDict);
                self.memoize(dict, true);
            } else {
                self.out.op(Opcode::EmptyDict);
                self.memo_skip();
            }
        } else {
            self.out.op(Opcode::EmptyDict);
            self.memo_skip();
        }
        match (entries, dict) {
            (Entries::Split(keys, values), _) => {
                if size > 1 {
                    self.out.op(Opcode::Mark);
                }
                self.begin_attributes(AttributesFrame {
                    keys,
                    values,
                    next: 0,
                    value_is_next: false,
                    place,
                    then,
                })
            }
            (_, Some(dict)) => self.open_dict(dict, size, then),
            (_, None) => stop,
        }
    }

    /// As [`begin_plain`](Stretch::begin_plain), with a state that exists: once Python runs, it may
    /// look at the dict of an instance that was written.
    fn begin_kept(
        &mut self,
        object: &'q Object,
        class: &'q Type,
        place: usize,
        has_dict: bool,
        has_slots: bool,
    ) -> Put<'q> {
        let stop = Put::Stop(Stop::At(object));
        let dict = if has_dict { object.instance_dict() } else { Ok(Object::none().own()) };
        let state =
            dict.and_then(
                |dict| {
                    if has_slots { self.slots_state(object, place, dict) } else { Ok(dict) }
                },
            );
        let Some(state) = error::quietly(state) else { return stop };
        let state = self.keep.hold(state);
        if !self.begin_instance(object, class, place) {
            return stop;
        }
        if has_slots {
            self.edge();
            return match state.cast_exact::<Tuple>() {
                Some(tuple) => self.open_tuple(tuple, Then::Build(object)),
                None => Put::Stop(Stop::Raised),
            };
        }
        self.begin_state(object, state)
    }

    /// Writes a state, which is the dict of the object, or begins to.
    fn begin_state(&mut self, object: &'q Object, state: &'q Object) -> Put<'q> {
        self.edge();
        if let Some(index) = self.memo.get(state) {
            self.no_memory |= self.out.get(index).is_err();
            self.out.op(Opcode::Build);
            return Put::Done;
        }
        let Some(dict) = state.cast_exact::<Dict>() else { return Put::Stop(Stop::Raised) };
        self.out.op(Opcode::EmptyDict);
        self.memoize(state, true);
        self.open_dict(dict, dict.len(), Then::Build(object))
    }

    /// `(dict or None, {name: value of the slot})`
    fn slots_state(&mut self, object: &Object, place: usize, first: Obj) -> PyResult<Obj> {
        let slots = Dict::new()?;
        if let Plan::Instance(shape) = self.plans.plan(place) {
            for (name, offset) in &shape.slots {
                if let Some(value) = object.slot(*offset) {
                    slots.set(name, value)?;
                }
            }
        }
        Ok(Tuple::from_items([first, slots.into_obj()])?.into_obj())
    }

    /// Begins the second half of a state: the slots, as a dict that does not exist.
    pub(super) fn begin_slots(&mut self, object: &'q Object, place: usize) -> Put<'q> {
        let count = match self.plans.plan(place) {
            Plan::Instance(shape) => {
                shape.slots.iter().filter(|(_, offset)| object.slot(*offset).is_some()).count()
            }
            _ => 0,
        };
        self.edge();
        self.out.op(Opcode::EmptyDict);
        self.memo_skip();
        if count > 1 {
            self.out.op(Opcode::Mark);
        }
        self.push(Frame::Slots(SlotsFrame { object, next: 0, count, place }))
    }

    /// Writes the class of an instance. False, and nothing is written, if that takes Python.
    #[inline(always)]
    fn class(&mut self, class: &'q Type, place: usize) -> bool {
        let stamp = self.memo.stamp();
        let written = &mut self.plans.entry(place).written;
        written.renew(stamp);
        if let Some(fetch) = written.class {
            self.out.get_again(fetch);
            return true;
        }
        self.first_class(class, place)
    }

    #[inline(never)]
    fn first_class(&mut self, class: &'q Type, place: usize) -> bool {
        if let Some(index) = self.memo.get(class) {
            if self.out.get(index).is_err() {
                return false;
            }
        } else if !self.global(class) {
            return false;
        }
        let index = self.memo.get(class);
        self.plans.entry(place).written.class = index.and_then(|index| Fetch::new(index).ok());
        true
    }

    /// Writes a class that is not in the memo as a global, if it is where it says, and finding it
    /// takes no Python. Else false, and nothing is written.
    pub(super) fn global(&mut self, class: &'q Type) -> bool {
        let state = self.state;
        let protocol = self.out.protocol();
        let found = state.extension_registry.len() == 0
            && plan::has_plain_metaclass(state, class)
            && self.table.is_some_and(|table| !plan::has(table, class.type_of()))
            && !is_type_of_singleton(class)
            && state.imports_as_usual();
        let Some((module, name)) = found.then(|| global::find_quietly(state, class)).flatten()
        else {
            return false;
        };
        let (module, name) = (self.keep.hold(module), self.keep.hold(name));
        let texts = global::short_ascii(module).zip(global::short_ascii(name));
        let Some((module_text, name_text)) = texts else { return false };
        // In a file, all of it must be in one frame.
        if self.to_file && self.out.room() < 2 * 256 + HEADER {
            return false;
        }
        if protocol < 4 {
            if protocol < 3 && !global::is_same_in_python2(state, module, name) {
                return false;
            }
            self.out.global(module_text, name_text);
        } else {
            for name in [module, name] {
                // Both are short, and come without a stop.
                let _ = self.key(name);
            }
            self.out.op(Opcode::StackGlobal);
        }
        self.memoize(class, true);
        true
    }

    /// Most attributes are leaves: then they need no frame.
    #[inline(always)]
    fn begin_attributes(&mut self, mut frame: AttributesFrame<'q>) -> Put<'q> {
        while let Some(number) = frame.values.place(frame.next) {
            let key = frame.keys.get(number).and_then(|entry| entry.key);
            if let Some((key, value)) = key.zip(frame.values.get(number)) {
                if self.out.is_full() {
                    return self.push(Frame::Attributes(frame));
                }
                match self.name(key, frame.place, number) {
                    Put::Done => {}
                    put => return put,
                }
                if !self.leaf(value) {
                    frame.value_is_next = true;
                    return self.push(Frame::Attributes(frame));
                }
            }
            frame.next += 1;
        }
        let is_one = frame.values.len() == 1;
        self.out.op(if is_one { Opcode::SetItem } else { Opcode::SetItems });
        self.finish_put(frame.then)
    }

    pub(super) fn attributes(&mut self, mut frame: AttributesFrame<'q>) -> Step<'q> {
        let at = self.frames.len() - 1;
        while let Some(number) = frame.values.place(frame.next) {
            frame.next += 1;
            let key = frame.keys.get(number).and_then(|entry| entry.key);
            let Some((key, value)) = key.zip(frame.values.get(number)) else { continue };
            if !std::mem::take(&mut frame.value_is_next) {
                match self.name(key, frame.place, number) {
                    Put::Done => {}
                    put => return self.wait_in_attributes(at, &frame, put),
                }
            }
            match self.put(value) {
                Put::Done => {}
                put => return self.wait_in_attributes(at, &frame, put),
            }
        }
        let is_one = frame.values.len() == 1;
        self.out.op(if is_one { Opcode::SetItem } else { Opcode::SetItems });
        self.frames.truncate(at);
        self.finish(frame.then);
        Ok(())
    }

    /// As [`wait`](Stretch::wait), by what changes alone: frames are large.
    #[inline(always)]
    fn wait_in_attributes(
        &mut self,
        at: usize,
        frame: &AttributesFrame<'q>,
        put: Put<'q>,
    ) -> Step<'q> {
        if let Some(Frame::Attributes(waiting)) = self.frames.get_mut(at) {
            waiting.next = frame.next;
            waiting.value_is_next = frame.value_is_next;
        }
        went(put)
    }

    pub(super) fn slots(&mut self, mut frame: SlotsFrame<'q>) -> Step<'q> {
        let at = self.frames.len() - 1;
        while let Plan::Instance(shape) = self.plans.plan(frame.place) {
            let number = frame.next;
            let Some((_, offset)) = shape.slots.get(number) else { break };
            frame.next += 1;
            let Some(value) = frame.object.slot(*offset) else { continue };
            match self.slot_name(frame.place, number) {
                Put::Done => {}
                put => return self.wait(at, Frame::Slots(frame), put),
            }
            match self.put(value) {
                Put::Done => {}
                put => return self.wait(at, Frame::Slots(frame), put),
            }
        }
        let is_one = frame.count == 1;
        self.out.op(if is_one { Opcode::SetItem } else { Opcode::SetItems });
        self.frames.truncate(at);
        self.finish(Then::Build2);
        Ok(())
    }

    /// Writes the name of an attribute, which other instances have too.
    #[inline(always)]
    fn name(&mut self, name: &'q Object, place: usize, number: usize) -> Put<'q> {
        if !self.out.is_full()
            && let Some(fetch) = self.plans.entry(place).written.name(number, name)
        {
            self.out.get_again(fetch);
            return Put::Done;
        }
        self.first_name(name, place, number)
    }

    #[inline(never)]
    fn first_name(&mut self, name: &'q Object, place: usize, number: usize) -> Put<'q> {
        let put = self.key(name);
        if let Some(index) = self.memo.get(name) {
            self.plans.entry(place).written.note_name(number, name, index);
        }
        put
    }

    /// Writes the name of a slot, which is the plan's.
    #[inline(always)]
    fn slot_name(&mut self, place: usize, number: usize) -> Put<'q> {
        if !self.out.is_full()
            && let Some(fetch) = self.plans.entry(place).written.slot(number)
        {
            self.out.get_again(fetch);
            return Put::Done;
        }
        self.first_slot_name(place, number)
    }

    #[inline(never)]
    fn first_slot_name(&mut self, place: usize, number: usize) -> Put<'q> {
        let name = match self.plans.plan(place) {
            Plan::Instance(shape) => shape.slots.get(number).map(|(name, _)| name.clone()),
            _ => None,
        };
        let Some(name) = name else { return Put::Done };
        let name = self.keep.hold(name);
        let put = self.key(name);
        if let Some(index) = self.memo.get(name) {
            self.plans.entry(place).written.note_slot(number, index);
        }
        put
    }
}

/// The types of None, NotImplemented and `...` are written in a way of their own.
fn is_type_of_singleton(class: &Type) -> bool {
    [Object::none(), Object::not_implemented(), Object::ellipsis()]
        .iter()
        .any(|singleton| singleton.type_of().as_obj().is(class))
}
