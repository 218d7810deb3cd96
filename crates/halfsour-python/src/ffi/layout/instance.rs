//! Where instances keep their attributes, and what their types say.

use super::dict::{Entries, Keys, Values};
use crate::ffi::builtins::Type;
use crate::ffi::object::{Obj, Object};
use crate::ffi::{Dict, Tuple, symbols};
use pyo3_ffi as c;

/// `Py_TPFLAGS_MANAGED_DICT`: the interpreter keeps the dict before the object.
const MANAGED_DICT: usize = 1 << 4;

/// `Py_TPFLAGS_INLINE_VALUES`: the values are behind the object, until the dict has its own.
#[cfg(Py_3_13)]
pub(super) const INLINE_VALUES: usize = 1 << 2;

/// `Py_TPFLAGS_HEAPTYPE`: a class that was made by a program, with a dict in the open.
const HEAP_TYPE: usize = 1 << 9;

/// `Py_TPFLAGS_METHOD_DESCRIPTOR`
const METHOD_DESCRIPTOR: usize = 1 << 17;

/// Where the managed dict is, counted in pointers from the object's start.
const MANAGED_DICT_POINTER: isize = -3;

/// Where an instance of some type keeps its dict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DictPlace {
    Managed,
    /// at this offset, in bytes
    Offset(usize),
}

/// The attributes of an instance, but for its slots.
pub(crate) enum Attributes<'a> {
    /// There is no dict yet, and there are no values.
    Empty,
    /// There is no dict yet, but there are values.
    Values(Entries<'a>),
    Dict(&'a Dict),
}

impl DictPlace {
    /// The attributes of an instance of the type that this place is for, until they change.
    #[inline(always)]
    pub(crate) fn attributes(self, object: &Object) -> Attributes<'_> {
        // SAFETY: types with this flag have the pointer before their instances, others have it at
        // the offset that the type says: NULL or a dict.
        unsafe {
            match self {
                DictPlace::Offset(offset) => {
                    dict(*object.as_ptr().byte_add(offset).cast::<*mut c::PyObject>())
                }
                DictPlace::Managed => managed(object),
            }
        }
    }
}

/// # Safety
/// `ptr` is NULL or the live dict of an instance.
#[inline(always)]
unsafe fn dict<'a>(ptr: *mut c::PyObject) -> Attributes<'a> {
    // SAFETY: as the caller promises.
    match unsafe { Object::from_ptr_opt(ptr) }.and_then(|dict| dict.cast::<Dict>()) {
        Some(dict) => Attributes::Dict(dict),
        None => Attributes::Empty,
    }
}

/// # Safety
/// The object's type has managed dicts.
#[inline(always)]
unsafe fn managed<'a>(object: &'a Object) -> Attributes<'a> {
    let pointers = object.as_ptr().cast::<*mut c::PyObject>();
    // SAFETY: the pointer is before the object.
    let found = unsafe { *pointers.offset(MANAGED_DICT_POINTER) };
    let class = object.type_of();
    // 3.11: a pointer at the values is before the one at the dict.
    #[cfg(not(Py_3_12))]
    let (values, found) = {
        // SAFETY: see above.
        let values = unsafe { *pointers.offset(MANAGED_DICT_POINTER - 1) };
        (values.cast::<u8>(), found)
    };
    // 3.12: one pointer at either; one less than the values, which makes it odd.
    #[cfg(all(Py_3_12, not(Py_3_13)))]
    let (values, found) = if found.addr() & 1 == 1 {
        (found.cast::<u8>().wrapping_add(1), std::ptr::null_mut())
    } else {
        (std::ptr::null_mut(), found)
    };
    // Since: values in the object, valid while they are where the attributes are.
    #[cfg(Py_3_13)]
    let (values, found) = {
        let inline = class.tp_flags() & INLINE_VALUES != 0;
        if inline && found.is_null() {
            // SAFETY: with the flag, the values are behind the object's fixed part; their fourth
            // byte says whether they are valid.
            unsafe {
                let values = object.as_ptr().cast::<u8>().offset(class.tp_basicsize());
                let valid = *values.add(3) != 0;
                (if valid { values } else { std::ptr::null_mut() }, found)
            }
        } else {
            (std::ptr::null_mut(), found)
        }
    };
    if values.is_null() {
        // SAFETY: NULL or the dict.
        return unsafe { dict(found) };
    }
    // SAFETY: instances with values share the keys of their class, a heap type.
    unsafe {
        let class = class.as_ptr().cast::<c::PyHeapTypeObject>();
        let named = Keys::named((*class).ht_cached_keys.cast::<Keys>());
        Attributes::Values(Entries::Split(named, Values::read(values, named.len())))
    }
}

/// What a type says of its instances.
#[derive(Clone, Copy)]
pub(crate) struct TypeFacts {
    /// None where instances have no dict (or one in a place that is not known here).
    pub(crate) dict: Option<DictPlace>,
    /// Whether instances have a dict in a place that is not known here.
    pub(crate) dict_is_elsewhere: bool,
    pub(crate) weakrefs: bool,
    pub(crate) basicsize: usize,
    pub(crate) itemsize: usize,
}

/// The size of an object without anything, in bytes.
pub(crate) const PLAIN_SIZE: usize = size_of::<c::PyObject>();

impl TypeFacts {
    pub(crate) fn of(class: &Type) -> TypeFacts {
        let ptr = class.as_ptr().cast::<c::PyTypeObject>();
        // SAFETY: reads fields of a live type.
        let (dictoffset, weaklistoffset, basicsize, itemsize) = unsafe {
            (
                (*ptr).tp_dictoffset,
                (*ptr).tp_weaklistoffset,
                (*ptr).tp_basicsize,
                (*ptr).tp_itemsize,
            )
        };
        let dict = if class.tp_flags() & MANAGED_DICT != 0 {
            Some(DictPlace::Managed)
        } else {
            usize::try_from(dictoffset).ok().filter(|offset| *offset > 0).map(DictPlace::Offset)
        };
        TypeFacts {
            dict,
            dict_is_elsewhere: dict.is_none() && dictoffset != 0,
            weakrefs: weaklistoffset > 0,
            basicsize: basicsize.unsigned_abs(),
            itemsize: itemsize.unsigned_abs(),
        }
    }

    /// The offset of the slot that `class` (or a base) has under this name, in bytes.
    pub(crate) fn slot_offset(&self, class: &Type, name: &Object) -> Option<usize> {
        let found = class.lookup(name)?;
        // SAFETY: compares with the address of a static type, and reads a descriptor of that type;
        // its member definition lives as long as its class. The offset is one into instances of the
        // class that the descriptor is of, from which `class` derives.
        unsafe {
            if c::Py_TYPE(found.as_ptr()) != &raw mut symbols::PyMemberDescr_Type {
                return None;
            }
            let descriptor = found.as_ptr().cast::<c::PyMemberDescrObject>();
            // A class may hold the descriptor of a stranger.
            let owner = (*descriptor).d_common.d_type;
            if c::PyType_IsSubtype(class.as_ptr().cast(), owner) == 0 {
                return None;
            }
            let member = (*descriptor).d_member;
            // From 3.15 on there are slots behind the items of a tuple, which are found in another way.
            if (*member).type_code != c::Py_T_OBJECT_EX || (*member).flags & !c::Py_READONLY != 0 {
                return None;
            }
            usize::try_from((*member).offset).ok()
        }
    }
}

impl Object {
    /// What an instance holds itself under a name, if it is a plain instance that does: no class is
    /// asked.
    pub(crate) fn attribute_quietly(&self, name: &Object) -> Option<&Object> {
        let entries = match TypeFacts::of(self.type_of()).dict?.attributes(self) {
            Attributes::Empty => return None,
            Attributes::Values(entries) => entries,
            Attributes::Dict(dict) => dict.entries(),
        };
        let mut pairs = (0..entries.slots()).filter_map(|slot| entries.get(slot));
        pairs.find(|(key, _)| key.is(name)).map(|(_, value)| value)
    }

    /// Whether somebody may find the object by a weak reference.
    pub(crate) fn has_weakrefs(&self) -> bool {
        // SAFETY: the type of a live object says where in it the first weak reference is, or NULL.
        unsafe {
            let offset = (*c::Py_TYPE(self.as_ptr())).tp_weaklistoffset;
            offset > 0 && !(*self.as_ptr().byte_offset(offset).cast::<*mut c::PyObject>()).is_null()
        }
    }

    /// Whether an instance holds attributes itself, besides slots. Its dict must be in a place that is
    /// known here.
    pub(crate) fn has_attributes(&self) -> bool {
        match TypeFacts::of(self.type_of()).dict.map(|dict| dict.attributes(self)) {
            None | Some(Attributes::Empty) => false,
            Some(Attributes::Values(entries)) => entries.slots() > 0,
            Some(Attributes::Dict(dict)) => dict.len() > 0,
        }
    }

    /// Whether looking up an attribute means looking it up in the class.
    pub(crate) fn looks_in_class(&self) -> bool {
        self.type_of().has_generic_getattr() && self.has_only_its_class()
    }

    /// Whether an attribute is looked up as usual, and is there: a method of the class, or what hides
    /// it.
    pub(crate) fn has_method(&self, name: &Object) -> bool {
        let class = self.type_of();
        class.has_generic_getattr()
            && class.lookup(name).is_some_and(|method| {
                // SAFETY: reads the flags of a live type.
                let flags = unsafe { c::PyType_GetFlags(c::Py_TYPE(method.as_ptr())) };
                flags & c::Py_TPFLAGS_METHOD_DESCRIPTOR != 0
            })
    }

    fn has_only_its_class(&self) -> bool {
        !TypeFacts::of(self.type_of()).dict_is_elsewhere && !self.has_attributes()
    }

    /// What the class has under a name, or that it has nothing, where that decides, since attributes
    /// are looked up as those of `base`'s instances. None where the instance may have something else.
    pub(crate) fn class_decides(&self, base: &Type, name: &Object) -> Option<Option<&Object>> {
        let class = self.type_of();
        (class.has_getattr_of(base) && self.has_only_its_class()).then(|| class.lookup(name))
    }

    /// The object in a slot, at an offset that [`TypeFacts::slot_offset`] gave for its type.
    #[inline(always)]
    pub(crate) fn slot(&self, offset: usize) -> Option<&Object> {
        // SAFETY: the slot is inside the object, and NULL or a reference that it owns.
        unsafe { Object::from_ptr_opt(*self.as_ptr().byte_add(offset).cast()) }
    }
}

impl Type {
    #[inline(always)]
    pub(crate) fn tp_flags(&self) -> usize {
        // SAFETY: reads a field of a live type.
        unsafe { (*self.as_ptr().cast::<c::PyTypeObject>()).tp_flags as usize }
    }

    /// Whether instances of this type, in a class, are methods: `a.f(b)` is `type(a).f(a, b)`.
    #[inline(always)]
    pub(crate) fn is_of_methods(&self) -> bool {
        self.tp_flags() & METHOD_DESCRIPTOR != 0
    }

    #[cfg(Py_3_13)]
    #[inline(always)]
    pub(super) fn tp_basicsize(&self) -> isize {
        // SAFETY: as above.
        unsafe { (*self.as_ptr().cast::<c::PyTypeObject>()).tp_basicsize }
    }

    /// A number that the interpreter gives to a type as it is, and takes away when the type or one
    /// of its bases changes. 0 for none.
    #[inline(always)]
    pub(crate) fn version_tag(&self) -> u32 {
        // SAFETY: as above.
        unsafe { (*self.as_ptr().cast::<c::PyTypeObject>()).tp_version_tag }
    }

    /// Whether attributes of instances are looked up in the plain way: no `__getattribute__`, no
    /// `__getattr__`.
    pub(crate) fn has_generic_getattr(&self) -> bool {
        // SAFETY: reads a slot of a live type.
        let getattr = unsafe { (*self.as_ptr().cast::<c::PyTypeObject>()).tp_getattro };
        getattr.is_some_and(|getattr| {
            std::ptr::fn_addr_eq(getattr, c::PyObject_GenericGetAttr as c::getattrofunc)
        })
    }

    /// Whether attributes of instances are looked up as those of `other`'s instances.
    pub(crate) fn has_getattr_of(&self, other: &Type) -> bool {
        // SAFETY: reads slots of two live types.
        let [own, other] = [self, other]
            .map(|class| unsafe { (*class.as_ptr().cast::<c::PyTypeObject>()).tp_getattro });
        own.zip(other).is_some_and(|(own, other)| std::ptr::fn_addr_eq(own, other))
    }

    /// What the type or its bases have under a name, as it stands there. Gives the type a version
    /// tag, if it can have one. Runs no Python where all that they have is under
    /// [names](Type::has_plain_names).
    pub(crate) fn lookup(&self, name: &Object) -> Option<&Object> {
        // Python that runs may take the type from its last instance.
        let _held = self.own();
        // SAFETY: a live type and a live string; the result is borrowed from the class that has it.
        // It sets no exception.
        unsafe {
            Object::from_ptr_opt(symbols::_PyType_Lookup(self.as_ptr().cast(), name.as_ptr()))
        }
    }

    /// Whether all that the type and its bases have is under strings. Other keys may have a name's
    /// hash, and be compared with it by a method of theirs.
    pub(crate) fn has_plain_names(&self) -> bool {
        if self.tp_flags() & HEAP_TYPE == 0 {
            return true;
        }
        // SAFETY: reads a field of a live type. The order in which it looks names up is a tuple, into
        // which the interpreter lets nothing but types.
        unsafe {
            let order = Object::from_ptr_opt((*self.as_ptr().cast::<c::PyTypeObject>()).tp_mro);
            order.and_then(Object::cast_exact::<Tuple>).is_some_and(|order| {
                order.items().iter().all(|base| {
                    let base = base.as_ptr().cast::<c::PyTypeObject>();
                    (*base).tp_flags as usize & HEAP_TYPE == 0
                        || Object::from_ptr_opt((*base).tp_dict).is_some_and(|dict| {
                            dict.cast_exact::<Dict>().is_some_and(|dict| dict.of_names().is_some())
                        })
                })
            })
        }
    }

    /// What a heap type's own dict has under a string; no base is asked, and no Python runs.
    pub(crate) fn own_attribute(&self, name: &Object) -> Option<Obj> {
        if self.tp_flags() & HEAP_TYPE == 0 {
            return None;
        }
        // SAFETY: a heap type has its dict here.
        let dict =
            unsafe { Object::from_ptr_opt((*self.as_ptr().cast::<c::PyTypeObject>()).tp_dict) };
        dict?.cast_exact::<Dict>()?.get_quietly(name)
    }
}
