//! The types of `datetime`, as far as their instances are written without asking them.

use super::builtins::{Dict, Type};
use super::object::Object;
use pyo3_ffi as c;

/// A type of the C module `_datetime`, exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    DateTime,
    Date,
    Time,
    TimeDelta,
}

/// What an instance is made from again.
pub(crate) enum Parts {
    /// the first so many bytes
    Packed([u8; 10], usize),
    /// days, seconds, microseconds
    Numbers([i32; 3]),
}

impl Kind {
    /// The kind that a type is; None for all others. Runs no Python: where there is an instance, the
    /// module is loaded.
    pub(crate) fn of(class: &Type) -> Option<Kind> {
        if class.is_heap_type() || !class.tp_name().starts_with(b"datetime.") {
            return None;
        }
        let modules = super::module::sys_modules().ok()?;
        let api = ["_datetime", "datetime"].iter().find_map(|name| {
            let name = super::Str::new(name).ok()?;
            let module = modules.cast_exact::<Dict>()?.get(&name).ok()??;
            let attribute = super::Str::new("datetime_CAPI").ok()?;
            module.module_dict()?.get(&attribute).ok()?
        })?;
        // SAFETY: the function checks that the object is a capsule of that name, which holds a
        // pointer at this struct, alive as long as the interpreter; only addresses are compared.
        unsafe {
            let name = c"datetime.datetime_CAPI".as_ptr();
            if c::PyCapsule_IsValid(api.as_ptr(), name) == 0 {
                return None;
            }
            let api = c::PyCapsule_GetPointer(api.as_ptr(), name).cast::<c::PyDateTime_CAPI>();
            let class = class.as_ptr().cast::<c::PyTypeObject>();
            let known = [
                ((*api).DateTimeType, Kind::DateTime),
                ((*api).DateType, Kind::Date),
                ((*api).TimeType, Kind::Time),
                ((*api).DeltaType, Kind::TimeDelta),
            ];
            known.iter().find(|(ty, _)| *ty == class).map(|(_, kind)| *kind)
        }
    }

    /// The parts of an instance; None where it has a time zone, which is an object of its own, or
    /// where `object` is no such instance. Protocols below 4 know of no fold.
    pub(crate) fn parts(self, object: &Object, protocol: u8) -> Option<Parts> {
        let ptr = object.as_ptr();
        let mark = |fold: u8| if fold != 0 && protocol > 3 { 0x80 } else { 0 };
        let mut packed = [0; 10];
        // SAFETY: the caller found this kind for the object's own type, so it has these fields.
        unsafe {
            match self {
                Kind::DateTime => {
                    let datetime = ptr.cast::<c::PyDateTime_DateTime>();
                    if (*datetime).hastzinfo != 0 {
                        return None;
                    }
                    packed = (*datetime).data;
                    packed[2] |= mark((*datetime).fold);
                    Some(Parts::Packed(packed, 10))
                }
                Kind::Date => {
                    packed[..4].copy_from_slice(&(*ptr.cast::<c::PyDateTime_Date>()).data);
                    Some(Parts::Packed(packed, 4))
                }
                Kind::Time => {
                    let time = ptr.cast::<c::PyDateTime_Time>();
                    if (*time).hastzinfo != 0 {
                        return None;
                    }
                    packed[..6].copy_from_slice(&(*time).data);
                    packed[0] |= mark((*time).fold);
                    Some(Parts::Packed(packed, 6))
                }
                Kind::TimeDelta => {
                    let delta = ptr.cast::<c::PyDateTime_Delta>();
                    Some(Parts::Numbers([(*delta).days, (*delta).seconds, (*delta).microseconds]))
                }
            }
        }
    }
}
