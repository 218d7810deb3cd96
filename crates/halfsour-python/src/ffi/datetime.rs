//! The types of `datetime`, as far as their instances are written without asking them.

use super::builtins::{Dict, Type};
use super::error::quietly;
use super::object::{Obj, Object};
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
        let api = api()?;
        // SAFETY: the API's struct; only addresses are compared.
        unsafe {
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

/// The C API of `datetime`, if the module is loaded.
fn api() -> Option<*const c::PyDateTime_CAPI> {
    let modules = quietly(super::module::sys_modules())?;
    let api = ["_datetime", "datetime"].iter().find_map(|name| {
        let module =
            modules.cast_exact::<Dict>()?.get_quietly(&*quietly(super::Str::new(name))?)?;
        let attribute = quietly(super::Str::new("datetime_CAPI"))?;
        module.module_dict()?.get_quietly(&attribute)
    })?;
    // SAFETY: the function checks that the object is a capsule of that name, which holds a pointer
    // at this struct, alive as long as the interpreter.
    unsafe {
        let name = c"datetime.datetime_CAPI".as_ptr();
        if c::PyCapsule_IsValid(api.as_ptr(), name) == 0 {
            return None;
        }
        Some(c::PyCapsule_GetPointer(api.as_ptr(), name).cast::<c::PyDateTime_CAPI>())
    }
}

/// Makes the instances of one type from their packed bytes.
#[derive(Clone, Copy)]
pub(crate) struct Maker {
    kind: Kind,
    api: *const c::PyDateTime_CAPI,
}

impl Maker {
    /// A maker for a type of `datetime`, exactly.
    pub(crate) fn of(class: &Type) -> Option<Maker> {
        let kind = Kind::of(class)?;
        Some(Maker { kind, api: api()? })
    }

    /// The kind of what it makes.
    pub(crate) fn kind(self) -> Kind {
        self.kind
    }

    /// What the type makes of these bytes; None where it should be asked, since it does not look at
    /// them as closely.
    #[inline]
    pub(crate) fn make(self, packed: &[u8]) -> Option<Obj> {
        let date = |high: u8, low: u8, month: u8, day: u8| {
            let year = i32::from(high) << 8 | i32::from(low);
            let valid = (1..=9999).contains(&year) && (1..=12).contains(&month);
            (valid && (1..=days(year, month)).contains(&day)).then_some(())
        };
        let time = |hour: u8, minute: u8, second: u8, [a, b, e]: [u8; 3]| {
            let microsecond = i32::from(a) << 16 | i32::from(b) << 8 | i32::from(e);
            let valid = hour < 24 && minute < 60 && second < 60 && microsecond < 1_000_000;
            valid.then_some(())
        };
        // The fields that are packed are as they will be; the fold is apart from them.
        let (class, fold, place) = match (self.kind, packed) {
            (Kind::DateTime, &[high, low, month, day, hour, minute, second, a, b, e]) => {
                date(high, low, month & 0x7f, day)?;
                time(hour, minute, second, [a, b, e])?;
                // SAFETY: the API's struct.
                (unsafe { (*self.api).DateTimeType }, month >> 7, 2)
            }
            (Kind::Date, &[high, low, month, day]) => {
                date(high, low, month, day)?;
                // SAFETY: as above.
                (unsafe { (*self.api).DateType }, 0, 0)
            }
            (Kind::Time, &[hour, minute, second, a, b, e]) => {
                time(hour & 0x7f, minute, second, [a, b, e])?;
                // SAFETY: as above.
                (unsafe { (*self.api).TimeType }, hour >> 7, 0)
            }
            _ => return None,
        };
        // SAFETY: the type's own allocator gives room for its instances without a time zone; all
        // their fields are set before anybody sees the object. The structs are public.
        unsafe {
            let ptr = (*class).tp_alloc?(class, 0);
            if ptr.is_null() {
                super::error::clear();
                return None;
            }
            let object = Obj::from_owned_opt(ptr)?;
            macro_rules! fill {
                ($head:ty) => {{
                    let head = ptr.cast::<$head>();
                    (*head).hashcode = -1;
                    (*head).hastzinfo = 0;
                    (*head).data.copy_from_slice(packed);
                    (&raw mut (*head).data).cast::<u8>()
                }};
            }
            let data = match self.kind {
                Kind::DateTime => {
                    (*ptr.cast::<c::PyDateTime_DateTime>()).fold = fold;
                    fill!(c::PyDateTime_DateTime)
                }
                Kind::Time => {
                    (*ptr.cast::<c::PyDateTime_Time>()).fold = fold;
                    fill!(c::PyDateTime_Time)
                }
                _ => fill!(c::PyDateTime_Date),
            };
            if fold != 0 {
                *data.add(place) &= 0x7f;
            }
            Some(object)
        }
    }
}

/// How many days a month has.
fn days(year: i32, month: u8) -> u8 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
