//! What Python's standard library pickles, as plain Rust types.
//!
//! Each reads what CPython 3.8 to 3.15 writes for its class, and what Python 2 wrote; and writes, byte
//! for byte, what CPython writes for the same value and protocol. Where versions of CPython differ, it
//! writes what all of them load, and its documentation says which one that is. A value that Python
//! would refuse, a 13th month, is an error both ways.
//!
//! These are data, not a calendar, not arithmetic: crates for those can be read and written too, with
//! the features `chrono`, `jiff`, `uuid`, `rust_decimal` and `num-bigint`; the `Duration` of Rust's own
//! library is a `timedelta`. What their types have and Python's do not is lost in one way only: fractions
//! of a microsecond are cut off. What Python's have and theirs do not, the name of a `timezone`, the fold
//! of a time without a zone, the sign of a `Decimal` that is zero, is lost too. And what Python itself loses: protocols 0 to 3 have no fold, so
//! that of the two moments of a local time, where clocks are turned back, they have the earlier one. All
//! else that does not fit is an error.
//!
//! ```
//! use halfsour::types::{Date, Decimal};
//!
//! let bill = (Date { year: 2026, month: 2, day: 28 }, Decimal("9.90".into()));
//! let data = halfsour::to_vec(&bill)?;
//! assert_eq!(halfsour::from_slice::<(Date, Decimal)>(&data)?, bill);
//! # Ok::<(), halfsour::Error>(())
//! ```

#[cfg(feature = "chrono")]
mod chrono;
mod collections;
mod date;
mod exception;
mod foreign;
#[cfg(feature = "jiff")]
mod jiff;
mod name;
mod number;
mod path;
mod time_delta;
mod uuid;
mod zone;

pub use collections::{Counter, DefaultDict, Deque, OrderedDict};
pub use date::{Date, DateTime, Time};
pub use exception::{Arg, Exception};
pub use name::{Member, Name};
pub use number::{Complex, Decimal, Fraction, Range, Slice};
pub use path::{Path, PathKind};
pub use time_delta::{TimeDelta, TimeZone};
pub use uuid::Uuid;
pub use zone::{TzInfo, ZoneInfo};

use crate::error::{Error, ErrorKind, Shown};
use crate::typed::derive::check;
use crate::typed::{Class, FromPickle, Item, Items};

/// Names of classes.
macro_rules! classes {
    ($($module:literal $name:literal [$($params:tt)*] $type:ty;)*) => {$(
        impl<$($params)*> crate::typed::Class for $type {
            const MODULE: &'static str = $module;
            const NAME: &'static str = $name;
        }
    )*};
}
use classes;

/// Has hooks asked about values of a type.
macro_rules! as_any {
    () => {
        fn as_any(&self) -> Option<&dyn std::any::Any> {
            Some(self)
        }
    };
}
use as_any;

/// The arguments of an instance of a class, of which there must be so many.
fn args<'g, 'a, T: Class>(
    item: Item<'g, 'a>,
    len: std::ops::RangeInclusive<usize>,
) -> Result<Items<'g, 'a>, Error> {
    check::<T>(item)?;
    let args = item.args()?;
    if len.contains(&args.len()) {
        return Ok(args);
    }
    let (least, most) = len.into_inner();
    let number = if least == most { least.to_string() } else { format!("{least} to {most}") };
    let found = format!("{} made of {}", item.describe(), args.len());
    let expected = format!("{}.{} made of {number}", T::MODULE, T::NAME);
    Err(ErrorKind::Expected { expected, found }.into())
}

/// The next argument.
fn next<'a, T: FromPickle<'a>>(items: &mut Items<'_, 'a>, name: &str) -> Result<T, Error> {
    next_item(items, name)?.read()
}

fn next_item<'g, 'a>(items: &mut Items<'g, 'a>, name: &str) -> Result<Item<'g, 'a>, Error> {
    items.next().ok_or_else(|| ErrorKind::Missing { name: name.into() }.into())
}

/// A value that Python would refuse.
#[cold]
fn invalid(what: &str, value: impl std::fmt::Display) -> Error {
    Error::custom(format_args!("{} is no {what}", Shown(value)))
}
