//! Dates and times of the crate `jiff`.
//!
//! A `Span` has no equal in Python: its months and days are of no fixed length. A `timedelta` is a
//! `SignedDuration`.

use jiff::civil;
use jiff::tz::{self, AmbiguousOffset, Offset};
use jiff::{SignedDuration, Timestamp, ZonedDateTime};

use super::{Date, DateTime, Time, TimeDelta, TimeZone, TzInfo, ZoneInfo, as_any, invalid};
use crate::error::Error;
use crate::typed::{FromPickle, Item};
use crate::writer::{ToPickle, Writer};

/// To jiff: what Python has is in the range of these.
fn to_date(Date { year, month, day }: Date) -> Option<civil::Date> {
    civil::Date::new(year.try_into().ok()?, month as i8, day as i8).ok()
}

fn to_time<Tz>(time: &Time<Tz>) -> Option<civil::Time> {
    let Time { hour, minute, second, microsecond, .. } = *time;
    civil::Time::new(hour as i8, minute as i8, second as i8, microsecond as i32 * 1000).ok()
}

fn to_datetime<Tz>(DateTime { date, time }: &DateTime<Tz>) -> Option<civil::DateTime> {
    Some(civil::DateTime::from_parts(to_date(*date)?, to_time(time)?))
}

/// From jiff: the year is positive, and fractions of a microsecond are cut off.
fn of_date(date: civil::Date) -> Result<Date, Error> {
    let year = u16::try_from(date.year()).map_err(|_| invalid("date of Python", date))?;
    Ok(Date { year, month: date.month() as u8, day: date.day() as u8 })
}

fn of_time<Tz>(time: civil::Time, fold: bool, tz: Option<Tz>) -> Time<Tz> {
    Time {
        hour: time.hour() as u8,
        minute: time.minute() as u8,
        second: time.second() as u8,
        microsecond: time.subsec_nanosecond() as u32 / 1000,
        fold,
        tz,
    }
}

fn of_datetime<Tz>(
    moment: civil::DateTime,
    fold: bool,
    tz: Option<Tz>,
) -> Result<DateTime<Tz>, Error> {
    Ok(DateTime { date: of_date(moment.date())?, time: of_time(moment.time(), fold, tz) })
}

/// `datetime.date`
impl FromPickle<'_> for civil::Date {
    fn from_pickle(item: Item<'_, '_>) -> Result<civil::Date, Error> {
        to_date(item.read()?).ok_or_else(|| item.expected("a date of jiff"))
    }
}

/// `datetime.date`, of the years 1 to 9999.
impl ToPickle for civil::Date {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.save(&of_date(*self)?)
    }

    as_any!();
}

/// `datetime.time` without a timezone.
impl FromPickle<'_> for civil::Time {
    fn from_pickle(item: Item<'_, '_>) -> Result<civil::Time, Error> {
        let time: Time<TzInfo> = item.read()?;
        let naive = Some(&time).filter(|time| time.tz.is_none());
        naive.and_then(to_time).ok_or_else(|| item.expected("a time without a timezone"))
    }
}

/// `datetime.time` without a timezone.
impl ToPickle for civil::Time {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.save(&of_time(*self, false, None::<TimeZone>))
    }

    as_any!();
}

/// `datetime.datetime` without a timezone.
impl FromPickle<'_> for civil::DateTime {
    fn from_pickle(item: Item<'_, '_>) -> Result<civil::DateTime, Error> {
        let moment: DateTime<TzInfo> = item.read()?;
        let naive = Some(&moment).filter(|moment| moment.time.tz.is_none());
        naive.and_then(to_datetime).ok_or_else(|| item.expected("a datetime without a timezone"))
    }
}

/// `datetime.datetime` without a timezone, of the years 1 to 9999.
impl ToPickle for civil::DateTime {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.save(&of_datetime(*self, false, None::<TimeZone>)?)
    }

    as_any!();
}

/// `datetime.timezone` of whole seconds, whose name is lost; or `zoneinfo.ZoneInfo`, if jiff has its
/// database. `ZoneInfo('UTC')` is jiff's UTC, as `timezone.utc` is, and is written as that; a
/// [`TzInfo`] tells them apart.
impl FromPickle<'_> for tz::TimeZone {
    fn from_pickle(item: Item<'_, '_>) -> Result<tz::TimeZone, Error> {
        to_zone(&item.read()?)
    }
}

fn to_zone(zone: &TzInfo) -> Result<tz::TimeZone, Error> {
    match zone {
        TzInfo::ZoneInfo(ZoneInfo { key }) => {
            tz::TimeZone::get(key).map_err(|_| invalid("timezone that jiff knows", key))
        }
        TzInfo::TimeZone(TimeZone { offset, .. }) => offset
            .whole_seconds()
            .and_then(|seconds| Offset::from_seconds(seconds).ok())
            .map(tz::TimeZone::fixed)
            .ok_or_else(|| invalid("offset of whole seconds", offset)),
    }
}

/// `datetime.timezone`, if it is UTC or a fixed offset; `zoneinfo.ZoneInfo`, if it has a name.
impl ToPickle for tz::TimeZone {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.save(&of_zone(self)?)
    }

    as_any!();
}

fn of_zone(zone: &tz::TimeZone) -> Result<TzInfo, Error> {
    match (zone.to_fixed_offset(), zone.iana_name()) {
        (Ok(offset), _) if !zone.is_unknown() => {
            TimeZone::from_seconds(offset.seconds()).map(TzInfo::TimeZone)
        }
        (Err(_), Some(name)) => Ok(TzInfo::ZoneInfo(ZoneInfo { key: name.into() })),
        _ => Err(invalid("timezone of Python: it has no name", format_args!("{zone:?}"))),
    }
}

/// The moment of a local time, as Python sees it: of two, the fold says which; what is in a gap is
/// there by the offset before it, or with a fold by the one after it.
fn to_zoned(item: Item<'_, '_>) -> Result<ZonedDateTime, Error> {
    let moment: DateTime<TzInfo> = item.read()?;
    let zone = moment.time.tz.as_ref();
    let zone = to_zone(zone.ok_or_else(|| item.expected("a datetime with a timezone"))?)?;
    let local = to_datetime(&moment).map(|local| zone.to_ambiguous_zoned_datetime(local));
    let offset = local.map(|local| (local.datetime(), local.offset()));
    let timestamp = offset.and_then(|(local, offset)| {
        let offset = match offset {
            AmbiguousOffset::Unambiguous { offset } => offset,
            AmbiguousOffset::Gap { before, after } | AmbiguousOffset::Fold { before, after } => {
                if moment.time.fold {
                    after
                } else {
                    before
                }
            }
        };
        offset.to_timestamp(local).ok()
    });
    let timestamp = timestamp.ok_or_else(|| item.expected("a datetime that is one in UTC too"))?;
    Ok(timestamp.to_zoned_datetime(zone))
}

/// `datetime.datetime` with a timezone: a `timezone`, or a `ZoneInfo` if jiff has its database.
///
/// It is the same moment. A local time that its zone left out, where clocks are turned forward, becomes
/// one that there is.
impl FromPickle<'_> for ZonedDateTime {
    fn from_pickle(item: Item<'_, '_>) -> Result<ZonedDateTime, Error> {
        to_zoned(item)
    }
}

/// `datetime.datetime` with a `timezone`, for UTC and fixed offsets, or a `ZoneInfo`; of the years 1 to
/// 9999.
///
/// Protocols 0 to 3 have no fold: where clocks are turned back, the later of the two moments of a local
/// time is read from them, here and by Python, as the earlier one. From protocol 4 on, it is the same
/// moment.
impl ToPickle for ZonedDateTime {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        let local = self.datetime();
        let ambiguous = self.time_zone().to_ambiguous_zoned_datetime(local).offset();
        let fold = match ambiguous {
            AmbiguousOffset::Fold { after, .. } => self.offset() == after,
            _ => false,
        };
        out.save(&of_datetime(local, fold, Some(of_zone(self.time_zone())?))?)
    }

    as_any!();
}

/// `datetime.datetime` with a timezone: the moment.
impl FromPickle<'_> for Timestamp {
    fn from_pickle(item: Item<'_, '_>) -> Result<Timestamp, Error> {
        to_zoned(item).map(|zoned| zoned.timestamp())
    }
}

/// `datetime.datetime` in UTC, of the years 1 to 9999.
impl ToPickle for Timestamp {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        let utc = Offset::UTC.to_datetime(*self);
        out.save(&of_datetime(utc, false, Some(TimeZone::UTC))?)
    }

    as_any!();
}

/// `datetime.timedelta`
impl FromPickle<'_> for SignedDuration {
    fn from_pickle(item: Item<'_, '_>) -> Result<SignedDuration, Error> {
        let microseconds = item.read::<TimeDelta>()?.total_microseconds();
        let seconds = i64::try_from(microseconds / 1_000_000);
        let seconds = seconds.map_err(|_| item.expected("a timedelta that fits"))?;
        Ok(SignedDuration::new(seconds, (microseconds % 1_000_000) as i32 * 1000))
    }
}

/// `datetime.timedelta`, of less than a thousand million days.
impl ToPickle for SignedDuration {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.save(&TimeDelta::from_microseconds(self.as_micros())?)
    }

    as_any!();
}
