//! `datetime.timedelta` and `datetime.timezone`: lengths of time, no clock.

use std::fmt;
use std::time::Duration;

use super::{args, as_any, classes, invalid, next};
use crate::error::{Error, ErrorKind};
use crate::typed::{FromPickle, Item};
use crate::writer::{Global, ToPickle, Writer};

const DAY: i128 = 24 * 60 * 60 * 1_000_000;
const MOST_DAYS: i32 = 999_999_999;

/// `datetime.timedelta`: normal if `seconds` are less than a day, and `microseconds` less than a
/// second; the days have the sign.
///
/// ```
/// use halfsour::types::TimeDelta;
/// let delta = TimeDelta::from_microseconds(-1)?;
/// assert_eq!(delta, TimeDelta { days: -1, seconds: 86399, microseconds: 999999 });
/// assert_eq!(delta.total_microseconds(), -1);
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeDelta {
    /// Days, to 999999999 both ways.
    pub days: i32,
    /// Seconds of a day.
    pub seconds: u32,
    /// Microseconds of a second.
    pub microseconds: u32,
}

impl TimeDelta {
    /// From microseconds alone.
    ///
    /// # Errors
    /// If that is more than Python can have.
    ///
    /// ```
    /// use halfsour::types::TimeDelta;
    /// let delta = TimeDelta::from_microseconds(90_000_001)?;
    /// assert_eq!(delta, TimeDelta { days: 0, seconds: 90, microseconds: 1 });
    /// TimeDelta::from_microseconds(i128::MAX).unwrap_err();
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn from_microseconds(microseconds: i128) -> Result<TimeDelta, Error> {
        let rest = microseconds.rem_euclid(DAY);
        let days = i32::try_from(microseconds.div_euclid(DAY)).ok();
        let days = days.filter(|days| days.unsigned_abs() <= MOST_DAYS as u32);
        let days = days.ok_or_else(|| {
            let limit = MOST_DAYS as u64;
            Error::new(ErrorKind::Limit { what: "days of a timedelta", limit })
        })?;
        // What is left of a day.
        let (seconds, microseconds) = ((rest / 1_000_000) as u32, (rest % 1_000_000) as u32);
        Ok(TimeDelta { days, seconds, microseconds })
    }

    /// All of it in microseconds.
    ///
    /// ```
    /// use halfsour::types::TimeDelta;
    /// let delta = TimeDelta { days: 1, seconds: 0, microseconds: 5 };
    /// assert_eq!(delta.total_microseconds(), 86_400_000_005);
    /// ```
    pub fn total_microseconds(self) -> i128 {
        i128::from(self.days) * DAY
            + i128::from(self.seconds) * 1_000_000
            + i128::from(self.microseconds)
    }

    /// All of it in seconds, if there is no fraction of one.
    #[cfg(any(feature = "chrono", feature = "jiff"))]
    pub(super) fn whole_seconds(self) -> Option<i32> {
        let total = self.total_microseconds();
        (total % 1_000_000 == 0).then(|| i32::try_from(total / 1_000_000).ok())?
    }
}

impl FromPickle<'_> for TimeDelta {
    fn from_pickle(item: Item<'_, '_>) -> Result<TimeDelta, Error> {
        let mut args = args::<TimeDelta>(item, 3..=3)?;
        // Python normalises, and so may whoever writes pickles leave it to Python.
        let days: i64 = next(&mut args, "days")?;
        let seconds: i64 = next(&mut args, "seconds")?;
        let microseconds: i64 = next(&mut args, "microseconds")?;
        TimeDelta::from_microseconds(
            i128::from(days) * DAY + i128::from(seconds) * 1_000_000 + i128::from(microseconds),
        )
    }
}

impl ToPickle for TimeDelta {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        let TimeDelta { days, seconds, microseconds } =
            TimeDelta::from_microseconds(self.total_microseconds())?;
        out.call(&Global::new("datetime", "timedelta"), &[&days, &seconds, &microseconds])
    }

    as_any!();
}

/// `datetime.timedelta` that is not negative.
///
/// ```
/// use std::time::Duration;
/// use halfsour::types::TimeDelta;
///
/// let data = halfsour::to_vec(&Duration::new(90, 1_500))?;
/// assert_eq!(halfsour::from_slice::<Duration>(&data)?, Duration::new(90, 1_000));
/// let data = halfsour::to_vec(&TimeDelta::from_microseconds(-1)?)?;
/// let error = halfsour::from_slice::<Duration>(&data).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "expected a timedelta that is not negative, found a datetime.timedelta at root"
/// );
/// # Ok::<(), halfsour::Error>(())
/// ```
impl FromPickle<'_> for Duration {
    fn from_pickle(item: Item<'_, '_>) -> Result<Duration, Error> {
        let TimeDelta { days, seconds, microseconds } = item.read()?;
        let days = u64::try_from(days);
        let days = days.map_err(|_| item.expected("a timedelta that is not negative"))?;
        Ok(Duration::new(days * 86_400 + u64::from(seconds), microseconds * 1000))
    }
}

/// `datetime.timedelta`, of less than a thousand million days; fractions of a microsecond are cut off.
impl ToPickle for Duration {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        // No i128 is too small for these.
        out.save(&TimeDelta::from_microseconds(self.as_micros() as i128)?)
    }

    as_any!();
}

/// `datetime.timezone`: a fixed distance from UTC, less than a day.
///
/// ```
/// use halfsour::types::{TimeDelta, TimeZone};
/// let data = halfsour::to_vec(&TimeZone::UTC)?;
/// assert_eq!(halfsour::from_slice::<TimeZone>(&data)?.offset, TimeDelta::default());
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeZone {
    /// The local time less UTC.
    pub offset: TimeDelta,
    /// Its name, if it has its own.
    pub name: Option<String>,
}

/// Python has this one once: its address tells so.
static UTC: TimeZone = TimeZone::UTC;

impl TimeZone {
    /// `datetime.timezone.utc`
    pub const UTC: TimeZone =
        TimeZone { offset: TimeDelta { days: 0, seconds: 0, microseconds: 0 }, name: None };

    /// A distance from UTC without a name.
    ///
    /// # Errors
    /// If it is a day or more.
    ///
    /// ```
    /// use halfsour::types::TimeZone;
    /// let zone = TimeZone::from_seconds(-5 * 3600)?;
    /// assert_eq!(zone.offset.total_microseconds(), -18_000_000_000);
    /// TimeZone::from_seconds(86_400).unwrap_err();
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn from_seconds(seconds: i32) -> Result<TimeZone, Error> {
        let offset = TimeDelta::from_microseconds(i128::from(seconds) * 1_000_000)?;
        TimeZone { offset, name: None }.checked()
    }

    fn checked(self) -> Result<TimeZone, Error> {
        match self.offset.total_microseconds().abs() < DAY {
            true => Ok(self),
            false => Err(invalid("offset of a timezone: it is a day or more", self.offset)),
        }
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        let class = Global::new("datetime", "timezone");
        match &self.name {
            Some(name) => out.call(&class, &[&self.offset, name]),
            None => out.call(&class, &[&self.offset]),
        }
    }
}

/// As Python's `repr`.
impl fmt::Display for TimeDelta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TimeDelta { days, seconds, microseconds } = self;
        write!(f, "datetime.timedelta(days={days}, seconds={seconds}, microseconds={microseconds})")
    }
}

impl FromPickle<'_> for TimeZone {
    fn from_pickle(item: Item<'_, '_>) -> Result<TimeZone, Error> {
        // Before Python wrote its arguments, UTC was known by its name.
        if item.is_global("datetime", "timezone.utc") {
            return Ok(TimeZone::UTC);
        }
        let mut args = args::<TimeZone>(item, 1..=2)?;
        let offset = next(&mut args, "offset")?;
        let name = args.next().map(Item::read).transpose()?;
        TimeZone { offset, name }.checked()
    }
}

impl ToPickle for TimeZone {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        if self.name.is_none() && self.offset.total_microseconds() == 0 {
            return out.shared((&raw const UTC).addr(), (), |out| UTC.write(out));
        }
        self.clone().checked()?.write(out)
    }

    as_any!();
}

classes! {
    "datetime" "timedelta" [] TimeDelta;
    "datetime" "timezone" [] TimeZone;
}
