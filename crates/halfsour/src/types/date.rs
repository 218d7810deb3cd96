//! `datetime.date`, `time` and `datetime`: Python packs them into 4, 6 and 10 bytes.

use super::{TimeZone, args, as_any, classes, invalid, next_item};
use crate::error::Error;
use crate::typed::{Bytes, FromPickle, Item};
use crate::writer::{Global, ToPickle, Writer};

/// `datetime.date`, of the years 1 to 9999.
///
/// ```
/// use halfsour::types::Date;
/// // pickle.dumps(datetime.date(2026, 2, 28))
/// let data = b"\x80\x04\x95\x20\0\0\0\0\0\0\0\x8c\x08datetime\x94\x8c\x04date\x94\x93\x94C\x04\
///     \x07\xea\x02\x1c\x94\x85\x94R\x94.";
/// let date: Date = halfsour::from_slice(data)?;
/// assert_eq!(date, Date { year: 2026, month: 2, day: 28 });
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// 1 to 9999.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

/// `datetime.time`
///
/// The timezone is of any type that can be pickled: by default a [`TimeZone`].
///
/// ```
/// use halfsour::types::Time;
/// // pickle.dumps(datetime.time(12, 30))
/// let data = b"\x80\x04\x95\x22\0\0\0\0\0\0\0\x8c\x08datetime\x94\x8c\x04time\x94\x93\x94C\x06\
///     \x0c\x1e\0\0\0\0\x94\x85\x94R\x94.";
/// let time: Time = halfsour::from_slice(data)?;
/// assert_eq!(time, Time { hour: 12, minute: 30, ..Time::default() });
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Time<Tz = TimeZone> {
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// 0 to 999999.
    pub microsecond: u32,
    /// Whether it is the second one where clocks are turned back. Protocols 0 to 3 do not have it, as
    /// CPython does not write it there.
    pub fold: bool,
    /// The timezone, if it is known.
    pub tz: Option<Tz>,
}

/// `datetime.datetime`
///
/// ```
/// use halfsour::types::{Date, DateTime, Time, TimeZone};
/// let moment = DateTime {
///     date: Date { year: 2026, month: 2, day: 28 },
///     time: Time { hour: 12, tz: Some(TimeZone::UTC), ..Time::default() },
/// };
/// let data = halfsour::to_vec(&moment)?;
/// assert_eq!(halfsour::from_slice::<DateTime>(&data)?, moment);
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DateTime<Tz = TimeZone> {
    /// The date.
    pub date: Date,
    /// The time of day, and the timezone.
    pub time: Time<Tz>,
}

/// The highest bit of a time's first byte, or of a datetime's month.
const FOLD: u8 = 0x80;

impl Date {
    fn checked(self) -> Result<Date, Error> {
        let Date { year, month, day } = self;
        let leap =
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => 0,
        };
        match (1..=9999).contains(&year) && (1..=days).contains(&day) {
            true => Ok(self),
            false => Err(invalid("date", format_args!("{year}-{month}-{day}"))),
        }
    }

    fn of([high, low, month, day]: [u8; 4]) -> Result<Date, Error> {
        Date { year: u16::from_be_bytes([high, low]), month, day }.checked()
    }

    fn state(self) -> Result<[u8; 4], Error> {
        let Date { year, month, day } = self.checked()?;
        let [high, low] = year.to_be_bytes();
        Ok([high, low, month, day])
    }
}

/// Midnight, nobody knows where.
impl<Tz> Default for Time<Tz> {
    fn default() -> Time<Tz> {
        Time { hour: 0, minute: 0, second: 0, microsecond: 0, fold: false, tz: None }
    }
}

impl<Tz> Time<Tz> {
    fn checked(self) -> Result<Time<Tz>, Error> {
        let Time { hour, minute, second, microsecond, .. } = self;
        match hour < 24 && minute < 60 && second < 60 && microsecond < 1_000_000 {
            true => Ok(self),
            false => {
                Err(invalid("time", format_args!("{hour}:{minute}:{second}.{microsecond:06}")))
            }
        }
    }

    fn of(state: [u8; 6], fold: bool, tz: Option<Tz>) -> Result<Time<Tz>, Error> {
        let [hour, minute, second, a, b, c] = state;
        let microsecond = u32::from_be_bytes([0, a, b, c]);
        Time { hour, minute, second, microsecond, fold, tz }.checked()
    }

    fn state(&self) -> Result<[u8; 6], Error> {
        let Time { hour, minute, second, microsecond, fold, .. } = *self;
        Time { hour, minute, second, microsecond, fold, tz: None::<()> }.checked()?;
        let [_, a, b, c] = microsecond.to_be_bytes();
        Ok([hour, minute, second, a, b, c])
    }
}

/// The packed bytes, and the timezone.
fn read<'a, T: crate::typed::Class, Tz: FromPickle<'a>, const N: usize>(
    item: Item<'_, 'a>,
) -> Result<([u8; N], Option<Tz>), Error> {
    let mut args = args::<T>(item, 1..=2)?;
    let state = next_item(&mut args, "state")?;
    let bytes = state.bytes()?.as_ref().try_into();
    let bytes = bytes.map_err(|_| state.expected(format!("{N} bytes")))?;
    Ok((bytes, args.next().map(Item::read).transpose()?))
}

fn write<Tz: ToPickle>(
    out: &mut Writer<'_>,
    name: &str,
    state: &[u8],
    tz: &Option<Tz>,
) -> Result<(), Error> {
    let (class, state) = (Global::new("datetime", name), Bytes(state));
    match tz {
        Some(tz) => out.call(&class, &[&state, tz]),
        None => out.call(&class, &[&state]),
    }
}

impl FromPickle<'_> for Date {
    fn from_pickle(item: Item<'_, '_>) -> Result<Date, Error> {
        let (state, _) = read::<Date, (), 4>(item)?;
        Date::of(state)
    }
}

impl ToPickle for Date {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        write(out, "date", &self.state()?, &None::<()>)
    }

    as_any!();
}

impl<'a, Tz: FromPickle<'a>> FromPickle<'a> for Time<Tz> {
    fn from_pickle(item: Item<'_, 'a>) -> Result<Time<Tz>, Error> {
        let ([hour, rest @ ..], tz) = read::<Time<Tz>, Tz, 6>(item)?;
        let [minute, second, a, b, c] = rest;
        Time::of([hour & !FOLD, minute, second, a, b, c], hour & FOLD != 0, tz)
    }
}

impl<Tz: ToPickle + 'static> ToPickle for Time<Tz> {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        let [hour, rest @ ..] = self.state()?;
        let fold = if self.fold && out.protocol() > 3 { FOLD } else { 0 };
        let [minute, second, a, b, c] = rest;
        write(out, "time", &[hour | fold, minute, second, a, b, c], &self.tz)
    }

    as_any!();
}

impl<'a, Tz: FromPickle<'a>> FromPickle<'a> for DateTime<Tz> {
    fn from_pickle(item: Item<'_, 'a>) -> Result<DateTime<Tz>, Error> {
        let (state, tz) = read::<DateTime<Tz>, Tz, 10>(item)?;
        let [high, low, month, day, hour, minute, second, a, b, c] = state;
        Ok(DateTime {
            date: Date::of([high, low, month & !FOLD, day])?,
            time: Time::of([hour, minute, second, a, b, c], month & FOLD != 0, tz)?,
        })
    }
}

impl<Tz: ToPickle + 'static> ToPickle for DateTime<Tz> {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        let [high, low, month, day] = self.date.state()?;
        let [hour, minute, second, a, b, c] = self.time.state()?;
        let fold = if self.time.fold && out.protocol() > 3 { FOLD } else { 0 };
        let state = [high, low, month | fold, day, hour, minute, second, a, b, c];
        write(out, "datetime", &state, &self.time.tz)
    }

    as_any!();
}

classes! {
    "datetime" "date" [] Date;
    "datetime" "time" [Tz] Time<Tz>;
    "datetime" "datetime" [Tz] DateTime<Tz>;
}
