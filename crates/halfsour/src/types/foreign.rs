//! Types of other crates, by conversion: each with the feature of its crate's name.
//!
//! What those types have and Python's do not is lost in one way only: fractions of a microsecond are
//! cut off. All else that does not fit is an error.

#[allow(unused_imports, reason = "each feature uses its part")]
use super::{Date, DateTime, Decimal, Time, TimeDelta, TimeZone, Uuid, invalid};
#[allow(unused_imports, reason = "each feature uses its part")]
use crate::error::Error;
#[allow(unused_imports, reason = "each feature uses its part")]
use crate::typed::{FromPickle, Item};
#[allow(unused_imports, reason = "each feature uses its part")]
use crate::writer::{ToPickle, Writer};

/// `uuid.UUID`
#[cfg(feature = "uuid")]
impl FromPickle<'_> for ::uuid::Uuid {
    fn from_pickle(item: Item<'_, '_>) -> Result<::uuid::Uuid, Error> {
        Ok(::uuid::Uuid::from_u128(item.read::<Uuid>()?.int))
    }
}

/// `uuid.UUID`
#[cfg(feature = "uuid")]
impl ToPickle for ::uuid::Uuid {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.save(&Uuid { int: self.as_u128(), is_safe: None })
    }
}

/// An `int` of any size.
#[cfg(feature = "num-bigint")]
impl FromPickle<'_> for num_bigint::BigInt {
    fn from_pickle(item: Item<'_, '_>) -> Result<num_bigint::BigInt, Error> {
        match item.node() {
            crate::graph::Node::Int(value) => Ok(value.into()),
            crate::graph::Node::BigInt(bytes) => {
                Ok(num_bigint::BigInt::from_signed_bytes_le(bytes))
            }
            _ => Err(item.expected("an int")),
        }
    }
}

/// An `int` of any size.
#[cfg(feature = "num-bigint")]
impl ToPickle for num_bigint::BigInt {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.bigint(&self.to_signed_bytes_le())
    }
}

/// `decimal.Decimal`: no NaN, no infinity, 28 digits at most.
#[cfg(feature = "rust_decimal")]
impl FromPickle<'_> for rust_decimal::Decimal {
    fn from_pickle(item: Item<'_, '_>) -> Result<rust_decimal::Decimal, Error> {
        let Decimal(text) = item.read()?;
        let parsed = match text.contains(['e', 'E']) {
            true => rust_decimal::Decimal::from_scientific(&text),
            false => rust_decimal::Decimal::from_str_exact(&text),
        };
        parsed.map_err(|_| invalid("decimal number that fits", text))
    }
}

/// `decimal.Decimal`
#[cfg(feature = "rust_decimal")]
impl ToPickle for rust_decimal::Decimal {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.save(&Decimal(self.to_string()))
    }
}

/// `datetime.date`
#[cfg(feature = "chrono")]
impl FromPickle<'_> for chrono::NaiveDate {
    fn from_pickle(item: Item<'_, '_>) -> Result<chrono::NaiveDate, Error> {
        let Date { year, month, day } = item.read()?;
        chrono::NaiveDate::from_ymd_opt(year.into(), month.into(), day.into())
            .ok_or_else(|| invalid("date", format_args!("{year}-{month}-{day}")))
    }
}

/// `datetime.date`
#[cfg(feature = "chrono")]
impl ToPickle for chrono::NaiveDate {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        use chrono::Datelike;
        let year = u16::try_from(self.year()).map_err(|_| invalid("date of Python", self))?;
        out.save(&Date { year, month: self.month() as u8, day: self.day() as u8 })
    }
}

/// `datetime.timedelta`
#[cfg(feature = "chrono")]
impl FromPickle<'_> for chrono::TimeDelta {
    fn from_pickle(item: Item<'_, '_>) -> Result<chrono::TimeDelta, Error> {
        let delta: TimeDelta = item.read()?;
        let microseconds = i64::try_from(delta.total_microseconds());
        let microseconds = microseconds.map_err(|_| invalid("TimeDelta of chrono", delta))?;
        Ok(chrono::TimeDelta::microseconds(microseconds))
    }
}

/// `datetime.timedelta`
#[cfg(feature = "chrono")]
impl ToPickle for chrono::TimeDelta {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        let seconds = i128::from(self.num_seconds()) * 1_000_000;
        out.save(&TimeDelta::from_microseconds(seconds + i128::from(self.subsec_micros()))?)
    }
}

/// `datetime.datetime` in UTC; of others, the moment.
#[cfg(feature = "chrono")]
impl FromPickle<'_> for chrono::DateTime<chrono::Utc> {
    fn from_pickle(item: Item<'_, '_>) -> Result<chrono::DateTime<chrono::Utc>, Error> {
        let DateTime { date: Date { year, month, day }, time } = item.read::<DateTime>()?;
        let zone = time.tz.ok_or_else(|| item.expected("a datetime with a timezone"))?;
        let offset = i64::try_from(zone.offset.total_microseconds()).unwrap_or_default();
        let Time { hour, minute, second, microsecond, .. } = time;
        chrono::NaiveDate::from_ymd_opt(year.into(), month.into(), day.into())
            .and_then(|date| {
                date.and_hms_micro_opt(hour.into(), minute.into(), second.into(), microsecond)
            })
            .and_then(|local| local.checked_sub_signed(chrono::TimeDelta::microseconds(offset)))
            .map(|utc| utc.and_utc())
            .ok_or_else(|| item.expected("a datetime that is one in UTC too"))
    }
}

/// `datetime.datetime` in UTC. A leap second ends with the last microsecond of the one before.
#[cfg(feature = "chrono")]
impl ToPickle for chrono::DateTime<chrono::Utc> {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        use chrono::{Datelike, Timelike};
        let year = u16::try_from(self.year());
        let year = year.map_err(|_| invalid("datetime of Python", format_args!("{self:?}")))?;
        out.save(&DateTime {
            date: Date { year, month: self.month() as u8, day: self.day() as u8 },
            time: Time {
                hour: self.hour() as u8,
                minute: self.minute() as u8,
                second: self.second() as u8,
                microsecond: (self.nanosecond() / 1000).min(999_999),
                fold: false,
                tz: Some(TimeZone::UTC),
            },
        })
    }
}
