//! Writing into objects: the other half of what [`super`] reads.

use super::dict::{DictHead, Entries, Keys, Named};
use super::instance::DictPlace;
use crate::ffi::error::{self, PyResult};
use crate::ffi::object::{Obj, Object, Own};
use crate::ffi::{Dict, List, Str, Tuple, Type, symbols};
use pyo3_ffi as c;

impl List {
    /// Moves what is on a stack from `start` on to the end of the list. Its memory grows as
    /// `list.extend` would have it grow. False, and nothing is done, while the list is being sorted:
    /// then it has no memory of its own.
    #[inline]
    pub(crate) fn extend_moving(&self, stack: &mut Vec<Obj>, start: usize) -> PyResult<bool> {
        let list = self.as_ptr().cast::<c::PyListObject>();
        // SAFETY: a live list.
        let Ok(allocated) = usize::try_from(unsafe { (*list).allocated }) else {
            return Ok(false);
        };
        let start = start.min(stack.len());
        let items = &stack[start..];
        let count = items.len();
        // SAFETY: a live list. Its items are in memory of PyMem_Malloc, with room for `allocated` of
        // them; what is moved in is in range, and owned by the list from then on.
        unsafe {
            let size = (*list).ob_base.ob_size.unsigned_abs();
            let wanted = size + count;
            if wanted > allocated || wanted < allocated / 2 {
                let mut room = (wanted + (wanted >> 3) + 6) & !3;
                if count > room - wanted {
                    room = (wanted + 3) & !3;
                }
                if wanted == 0 {
                    return Ok(true);
                }
                let bytes = room * size_of::<usize>();
                let grown = c::PyMem_Realloc((*list).ob_item.cast(), bytes);
                if grown.is_null() {
                    return Err(error::no_memory());
                }
                (*list).ob_item = grown.cast();
                (*list).allocated = room.cast_signed();
            }
            let target = (*list).ob_item.add(size);
            target.copy_from_nonoverlapping(items.as_ptr().cast(), count);
            stack.set_len(start);
            (*list).ob_base.ob_size = wanted.cast_signed();
        }
        Ok(true)
    }
}

impl Tuple {
    /// A tuple of what is on a stack from `start` on.
    #[inline]
    pub(crate) fn of_stack(stack: &mut Vec<Obj>, start: usize) -> PyResult<Obj> {
        let start = start.min(stack.len());
        let items = &stack[start..];
        // SAFETY: the tuple is new, with room for so many items. They are the tuple's from then on,
        // and on the stack no more. An empty tuple is the one that all share.
        unsafe {
            let tuple = c::PyTuple_New(items.len().cast_signed());
            let owner = Obj::from_owned(tuple)?;
            let target = (&raw mut (*tuple.cast::<c::PyTupleObject>()).ob_item).cast::<Obj>();
            target.copy_from_nonoverlapping(items.as_ptr(), items.len());
            stack.set_len(start);
            Ok(owner)
        }
    }
}

/// `PyObject_IS_GC`, which is no inline code.
///
/// # Safety
/// A live object.
#[inline(always)]
unsafe fn may_be_in_cycles(object: *mut c::PyObject) -> bool {
    // SAFETY: as the caller promises; `PyObject_IS_GC` looks at the flag first, too.
    unsafe {
        c::PyType_HasFeature(c::Py_TYPE(object), c::Py_TPFLAGS_HAVE_GC) != 0
            && c::PyObject_IS_GC(object) != 0
    }
}

/// The items of a dict that [adopted](Dict::adopt_keys) the keys of another, in their order.
pub(crate) struct BlankItems<'a> {
    dict: &'a Dict,
    /// the next entry: its key, and its value
    next: *mut *mut c::PyObject,
    left: usize,
    /// Whether the collector must know of the dict.
    tracked: bool,
}

impl BlankItems<'_> {
    /// Sets the next item. The key is equal to the one that is there.
    #[inline(always)]
    pub(crate) fn set(&mut self, key: Obj, value: Obj) {
        if self.left == 0 {
            return;
        }
        // SAFETY: entries are key and value. The key takes the place of an equal one, whose hash it
        // has.
        unsafe {
            let ptr = key.into_ptr();
            let old = self.next.replace(ptr);
            super::scalar::share_hash(ptr, old);
            c::Py_DECREF(old);
        }
        self.set_value(value);
    }

    /// Sets the next item's value, where the key is the right one already.
    #[inline(always)]
    pub(crate) fn set_value(&mut self, value: Obj) {
        if self.left == 0 {
            return;
        }
        self.left -= 1;
        // SAFETY: entries are key and value; the value takes the place of None. A live object may take
        // part in cycles if its type says so, but for tuples that are known not to.
        unsafe {
            let ptr = value.into_ptr();
            self.next.add(1).write(ptr);
            self.next = self.next.add(2);
            if !self.tracked && may_be_in_cycles(ptr) {
                self.tracked =
                    c::PyTuple_CheckExact(ptr) == 0 || c::PyObject_GC_IsTracked(ptr) != 0;
            }
        }
    }
}

impl Drop for BlankItems<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        let ptr = self.dict.as_ptr();
        // SAFETY: a live dict, tracked once.
        unsafe {
            if self.tracked && c::PyObject_GC_IsTracked(ptr) == 0 {
                c::PyObject_GC_Track(ptr.cast());
            }
        }
    }
}

impl Dict {
    /// A copy of this dict in which all values are None; None if its keys are not all strings, or
    /// if there are gaps.
    pub(crate) fn to_template(&self) -> PyResult<Option<Own<Dict>>> {
        let is_plain = |dict: &Dict| matches!(dict.entries(), Entries::Named(entries) if entries.len() == dict.len());
        if !is_plain(self) {
            return Ok(None);
        }
        let copy = self.copy()?;
        let keys: Vec<Obj> = {
            let entries = copy.entries();
            (0..entries.slots())
                .filter_map(|slot| entries.get(slot))
                .map(|(k, _)| k.own())
                .collect()
        };
        for key in &keys {
            copy.set(key, Object::none())?;
        }
        // So that nobody finds it through the collector, and changes it. Nor are copies of it tracked,
        // until they are in need.
        // SAFETY: a live dict.
        unsafe {
            c::PyObject_GC_UnTrack(copy.as_ptr().cast());
        }
        Ok(Some(copy).filter(|copy| is_plain(copy)))
    }

    /// Whether a template has just these keys, in this order: they are ASCII, with the same
    /// characters.
    #[inline(always)]
    pub(crate) fn has_keys<'k>(&self, keys: impl ExactSizeIterator<Item = &'k Obj>) -> bool {
        let Entries::Named(entries) = self.entries() else { return false };
        entries.len() == keys.len()
            && entries.iter().zip(keys).all(|(entry, key)| {
                entry.key.is_some_and(|own| own.is(key) || is_same_text(own, key))
            })
    }

    /// Puts equal keys in the place of a template's own. True if it has had them already.
    #[inline]
    pub(crate) fn take_keys<'k>(&self, keys: impl Iterator<Item = &'k Obj>) -> bool {
        let Entries::Named(entries) = self.entries() else { return false };
        let mut same = true;
        let mut place = entries.as_ptr().cast_mut().cast::<*mut c::PyObject>();
        for key in keys.take(entries.len()) {
            // SAFETY: the entries of a table of our own: the key takes the place of an equal one,
            // whose hash it gets.
            unsafe {
                if *place != key.as_ptr() {
                    same = false;
                    let old = place.replace(key.clone().into_ptr());
                    super::scalar::share_hash(key.as_ptr(), old);
                    c::Py_DECREF(old);
                }
                place = place.add(2);
            }
        }
        same
    }

    #[inline(always)]
    pub(crate) fn copy(&self) -> PyResult<Own<Dict>> {
        // SAFETY: a live dict; the result is a dict, owned, or NULL with an exception.
        unsafe { Own::from_owned(c::PyDict_Copy(self.as_ptr())) }
    }

    /// Gives an empty dict the keys of a template, with None for all values. False, and nothing is
    /// done, if the dict is an instance's, or somebody watches it.
    #[inline]
    pub(crate) fn adopt_keys(&self, template: &Dict) -> PyResult<bool> {
        let this = self.as_ptr().cast::<DictHead>();
        // SAFETY: a live dict.
        if !unsafe { (*this).has_own_table() } {
            return Ok(false);
        }
        let copy = template.copy()?;
        let other = copy.as_ptr().cast::<DictHead>();
        // SAFETY: two live dicts, neither with values elsewhere (the copy is of a dict that has a
        // table of its own), change their tables.
        unsafe {
            std::ptr::swap(&raw mut (*this).keys, &raw mut (*other).keys);
            std::ptr::swap(&raw mut (*this).used, &raw mut (*other).used);
        }
        Ok(true)
    }

    /// Where the items of a template's copy go, or after [`Dict::adopt_keys`]. All of them are to be set.
    #[inline]
    pub(crate) fn blank_items(&self) -> BlankItems<'_> {
        let (next, left) = match self.entries() {
            Entries::Named(entries) => (entries.as_ptr(), entries.len()),
            _ => (std::ptr::null(), 0),
        };
        #[cfg(not(Py_3_12))]
        // SAFETY: the Nones that the values are now; each gives its reference back. There are more.
        unsafe {
            (*c::Py_None()).ob_refcnt -= left.cast_signed();
        }
        let next = next.cast_mut().cast::<*mut c::PyObject>();
        // From 3.14 on every dict is tracked, before only those that can be in a cycle.
        BlankItems { dict: self, next, left, tracked: cfg!(Py_3_14) }
    }
}

/// Whether two strings are ASCII, with the same characters.
#[inline(always)]
pub(crate) fn is_same_text(a: &Object, b: &Object) -> bool {
    match (a.cast_exact::<Str>(), b.cast_exact::<Str>()) {
        (Some(a), Some(b)) => a.ascii().zip(b.ascii()).is_some_and(|(a, b)| a == b),
        _ => false,
    }
}

/// The place for the values of an instance that has none yet.
pub(crate) struct Blank {
    values: *mut *mut c::PyObject,
    /// where the places go, and in which direction
    order: *mut u8,
    count: *mut u8,
}

impl Blank {
    /// Sets the value with this place in the shared keys; each place once.
    ///
    /// The place is that of a key of the instance's class: a [`DictPlace`] finds both.
    #[inline(always)]
    pub(crate) fn set(&mut self, place: u8, value: Obj) {
        // SAFETY: there is a value for each key, and a byte of `order` for each value.
        unsafe {
            self.values.add(usize::from(place)).write(value.into_ptr());
            #[cfg(not(Py_3_13))]
            {
                self.order = self.order.sub(1);
                self.order.write(place);
            }
            #[cfg(Py_3_13)]
            {
                self.order.write(place);
                self.order = self.order.add(1);
            }
            self.count.write(self.count.read() + 1);
        }
    }
}

impl Type {
    /// The keys that instances share.
    #[inline(always)]
    pub(crate) fn shared_keys(&self, place: DictPlace) -> &[Named<'_>] {
        if place != DictPlace::Managed || !self.is_heap_type() {
            return &[];
        }
        // SAFETY: a heap type whose instances have managed dicts has shared keys, or NULL.
        unsafe {
            let keys = (*self.as_ptr().cast::<c::PyHeapTypeObject>()).ht_cached_keys.cast::<Keys>();
            if keys.is_null() { &[] } else { Keys::named(keys) }
        }
    }

    /// Whether instances are made by `object.__new__`, and may be: the class is not abstract.
    pub(crate) fn is_made_by_object(&self) -> bool {
        const IS_ABSTRACT: usize = 1 << 20;
        // SAFETY: reads slots of live types.
        let [own, base] = unsafe {
            [(*self.as_ptr().cast::<c::PyTypeObject>()).tp_new, c::PyBaseObject_Type.tp_new]
        };
        let same = own.zip(base).is_some_and(|(own, base)| std::ptr::fn_addr_eq(own, base));
        same && self.tp_flags() & IS_ABSTRACT == 0
    }

    /// Whether attributes of instances are set in the plain way: no `__setattr__`.
    pub(crate) fn has_generic_setattr(&self) -> bool {
        // SAFETY: reads a slot of a live type.
        let setattr = unsafe { (*self.as_ptr().cast::<c::PyTypeObject>()).tp_setattro };
        setattr.is_some_and(|setattr| {
            std::ptr::fn_addr_eq(setattr, c::PyObject_GenericSetAttr as c::setattrofunc)
        })
    }

    /// Whether a class has tuples of its own as instances, made by nothing but [`Type::new_tuple`].
    pub(crate) fn allocates_tuples(&self) -> bool {
        // SAFETY: reads slots of a live type, and compares addresses.
        unsafe {
            let class = self.as_ptr().cast::<c::PyTypeObject>();
            let generic = (*class).tp_alloc.is_some_and(|alloc| {
                std::ptr::fn_addr_eq(alloc, c::PyType_GenericAlloc as c::allocfunc)
            });
            generic
                && (*class).tp_itemsize == size_of::<usize>().cast_signed()
                && c::PyType_IsSubtype(class, &raw mut c::PyTuple_Type) != 0
        }
    }

    /// What `tuple.__new__(self, items)` makes of what is on a stack from `start` on, for a class that
    /// [`Type::allocates_tuples`].
    #[inline]
    pub(crate) fn new_tuple(&self, stack: &mut Vec<Obj>, start: usize) -> PyResult<Obj> {
        let start = start.min(stack.len());
        let items = &stack[start..];
        // SAFETY: the allocator gives room for so many items, all NULL; nobody sees the tuple before
        // they are set. They are the tuple's from then on, and on the stack no more.
        unsafe {
            let tuple = c::PyType_GenericAlloc(self.as_ptr().cast(), items.len().cast_signed());
            let owner = Obj::from_owned(tuple)?;
            #[cfg(Py_3_14)]
            {
                (*tuple.cast::<c::PyTupleObject>()).ob_hash = -1;
            }
            let target = (&raw mut (*tuple.cast::<c::PyTupleObject>()).ob_item).cast::<Obj>();
            target.copy_from_nonoverlapping(items.as_ptr(), items.len());
            stack.set_len(start);
            Ok(owner)
        }
    }

    /// The offset of the slot that `class` (or a base) has under this name, where it may be set.
    pub(crate) fn writable_slot(&self, name: &Object) -> Option<usize> {
        let offset = super::TypeFacts::of(self).slot_offset(self, name)?;
        let found = self.lookup(name)?;
        // SAFETY: `slot_offset` found a member descriptor there, whose definition lives as long.
        let flags = unsafe { (*(*found.as_ptr().cast::<c::PyMemberDescrObject>()).d_member).flags };
        (flags & c::Py_READONLY == 0).then_some(offset)
    }

    /// Whether `__dict__` of instances is what classes have by default. `sample` is a class that has
    /// it so.
    pub(crate) fn has_default_dict(&self, sample: &Type, name: &Object) -> bool {
        let getter = |class: &Type| {
            let found = class.lookup(name)?;
            // SAFETY: reads a descriptor after its type was checked.
            unsafe {
                if c::Py_TYPE(found.as_ptr()) != &raw mut symbols::PyGetSetDescr_Type {
                    return None;
                }
                let descriptor = found.as_ptr().cast::<c::PyGetSetDescrObject>();
                if c::PyType_IsSubtype(class.as_ptr().cast(), (*descriptor).d_common.d_type) == 0 {
                    return None;
                }
                (*(*descriptor).d_getset).get.map(|get| get as usize)
            }
        };
        getter(self).zip(getter(sample)).is_some_and(|(own, default)| own == default)
    }
}

impl DictPlace {
    /// Where to put the values of an instance that has none yet; None where it has some, or a dict,
    /// or where its class does not share keys.
    #[inline(always)]
    pub(crate) fn blank(self, object: &Object) -> Option<Blank> {
        if self != DictPlace::Managed {
            return None;
        }
        let pointers = object.as_ptr().cast::<*mut u8>();
        // SAFETY: instances of types with managed dicts have the pointer before them; see
        // `DictPlace::attributes`.
        unsafe {
            #[cfg(not(Py_3_12))]
            let values = {
                if !(*pointers.sub(3)).is_null() {
                    return None;
                }
                *pointers.sub(4)
            };
            #[cfg(all(Py_3_12, not(Py_3_13)))]
            let values = {
                let found = *pointers.sub(3);
                if found.addr() & 1 == 0 {
                    return None;
                }
                found.wrapping_add(1)
            };
            #[cfg(not(Py_3_13))]
            {
                if values.is_null() || *values.sub(2) != 0 {
                    return None;
                }
                Some(Blank { values: values.cast(), order: values.sub(2), count: values.sub(2) })
            }
            #[cfg(Py_3_13)]
            {
                let class = object.type_of();
                if class.tp_flags() & super::instance::INLINE_VALUES == 0
                    || !(*pointers.sub(3)).is_null()
                {
                    return None;
                }
                let values = object.as_ptr().cast::<u8>().offset(class.tp_basicsize());
                // capacity, size, embedded, valid
                let (capacity, size, valid) = (*values, *values.add(1), *values.add(3));
                if size != 0 || valid == 0 {
                    return None;
                }
                let items = values.add(8).cast::<*mut c::PyObject>();
                Some(Blank {
                    values: items,
                    order: items.add(usize::from(capacity)).cast(),
                    count: values.add(1),
                })
            }
        }
    }
}

impl Object {
    /// Fills a slot, at an offset that [`Type::writable_slot`] gave for the object's type; gives
    /// back what was there.
    #[inline(always)]
    pub(crate) fn fill_slot(&self, offset: usize, value: Obj) -> Option<Obj> {
        // SAFETY: the slot is inside the object, and NULL or a reference that it owns.
        unsafe {
            let slot = self.as_ptr().byte_add(offset).cast::<*mut c::PyObject>();
            Own::from_owned_opt(slot.replace(value.into_ptr()))
        }
    }
}

/// Builds objects here and looks at them through the API.
pub(super) fn check(class: &Object) -> PyResult<bool> {
    let list = List::from_items([])?;
    let mut expected = 0;
    for count in [3_usize, 1, 0, 40, 7] {
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(crate::ffi::Int::new(expected)?);
            expected += 1;
        }
        if !list.extend_moving(&mut items, 0)? {
            return Ok(false);
        }
    }
    list.append(&*crate::ffi::Int::new(expected)?)?;
    for place in 0..list.len() {
        let item = list.get(place);
        let value = item.as_deref().and_then(Object::cast::<crate::ffi::Int>);
        if value.and_then(crate::ffi::Int::as_i64) != i64::try_from(place).ok() {
            return Ok(false);
        }
    }
    if list.len() != 52 {
        return Ok(false);
    }

    // Two instances: the first makes the class know the names, the second gets its values here.
    let names = ["first", "second", "third"];
    let names = [0, 1, 2].map(|place| Str::interned_text(names[place]));
    let [first, second, third] = names;
    let names = [first?, second?, third?];
    let elder = class.call0()?;
    for name in &names {
        elder.set_attr(name, name)?;
    }
    let instance = class.call0()?;
    let class = instance.type_of();
    let place = DictPlace::Managed;
    let keys = class.shared_keys(place);
    let find =
        |name: &Object| keys.iter().position(|entry| entry.key.is_some_and(|key| key.is(name)));
    let places = [2, 0, 1].map(|n| (find(&names[n]), n));
    let Some(mut blank) = place.blank(&instance) else { return Ok(false) };
    for (place, n) in places {
        let Some(place) = place.and_then(|place| u8::try_from(place).ok()) else {
            return Ok(false);
        };
        blank.set(place, names[n].clone());
    }
    if place.blank(&instance).is_some() {
        return Ok(false);
    }
    let dict = instance.instance_dict()?;
    let Some(dict) = dict.cast::<Dict>() else { return Ok(false) };
    let mut position = 0;
    for (_, n) in places {
        let found = dict.next_item(&mut position);
        if !found.is_some_and(|(key, value)| key.is(&names[n]) && value.is(&names[n])) {
            return Ok(false);
        }
    }
    // A dict with the keys of another.
    let pattern = Dict::new()?;
    for name in &names {
        pattern.set(name, Object::none())?;
    }
    let Some(template) = pattern.to_template()? else { return Ok(false) };
    let filled = Dict::new()?;
    if !filled.adopt_keys(&template)? {
        return Ok(false);
    }
    let mut items = filled.blank_items();
    for (n, name) in names.iter().enumerate() {
        let key = Str::new(["first", "second", "third"][n])?;
        items.set(key, if n == 1 { filled.own() } else { name.clone() });
    }
    drop(items);
    for name in &names {
        let expected: &Object = if name.is(&names[1]) { &filled } else { name };
        if !filled.get(name)?.is_some_and(|found| found.is(expected)) {
            return Ok(false);
        }
    }
    // SAFETY: a live object.
    let tracked = unsafe { c::PyObject_GC_IsTracked(filled.as_ptr()) != 0 };
    if !tracked || filled.len() != 3 || template.len() != 3 {
        return Ok(false);
    }
    filled.remove(&names[1])?;
    // And a tuple.
    let Some(tuple) = crate::ffi::types::tuple().cast::<Type>() else { return Ok(false) };
    let made = tuple.new_tuple(&mut names.to_vec(), 0)?;
    let same = Tuple::from_items(names)?;
    Ok(dict.len() == 3
        && made.equals(&same)?
        && made.cast_exact::<Tuple>().is_some_and(|tuple| tuple.len() == 3))
}

impl Object {
    /// `self == other`
    pub(crate) fn equals(&self, other: &Object) -> PyResult<bool> {
        // SAFETY: two live objects.
        match unsafe { c::PyObject_RichCompareBool(self.as_ptr(), other.as_ptr(), c::Py_EQ) } {
            -1 => Err(crate::ffi::Raised),
            truth => Ok(truth != 0),
        }
    }
}
