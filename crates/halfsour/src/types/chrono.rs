//! Dates and times of the crate `chrono`.

use chrono::{Datelike, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Utc};

use super::{Date, DateTime, Time, TimeDelta, TimeZone, TzInfo, as_any, invalid};
use crate::error::Error;
use crate::typed::{FromPickle, Item};
use crate::writer::{ToPickle, Writer};

/// To chrono: what Python has is in the range of these.
fn to_date(Date { year, month, day }: Date) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(year.into(), month.into(), day.into())
}

fn to_time<Tz>(time: &Time<Tz>) -> Option<NaiveTime> {
    let Time { hour, minute, second, microsecond, .. } = *time;
    NaiveTime::from_hms_micro_opt(hour.into(), minute.into(), second.into(), microsecond)
}

fn to_datetime<Tz>(DateTime { date, time }: &DateTime<Tz>) -> Option<NaiveDateTime> {
    Some(to_date(*date)?.and_time(to_time(time)?))
}

/// From chrono: the year must fit. Fractions of a microsecond are cut off, and a leap second ends with
/// the last microsecond of the one before.
fn of_date(date: NaiveDate) -> Result<Date, Error> {
    let year = u16::try_from(date.year()).map_err(|_| invalid("date of Python", date))?;
    Ok(Date { year, month: date.month() as u8, day: date.day() as u8 })
}

fn of_time(time: NaiveTime, tz: Option<TimeZone>) -> Time {
    Time {
        hour: time.hour() as u8,
        minute: time.minute() as u8,
        second: time.second() as u8,
        microsecond: (time.nanosecond() / 1000).min(999_999),
        fold: false,
        tz,
    }
}

fn of_datetime(moment: NaiveDateTime, tz: Option<TimeZone>) -> Result<DateTime, Error> {
    Ok(DateTime { date: of_date(moment.date())?, time: of_time(moment.time(), tz) })
}

/// `datetime.date`
impl FromPickle<'_> for NaiveDate {
    fn from_pickle(item: Item<'_, '_>) -> Result<NaiveDate, Error> {
        to_date(item.read()?).ok_or_else(|| item.expected("a date of chrono"))
    }
}

/// `datetime.date`, of the years 1 to 9999.
impl ToPickle for NaiveDate {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.save(&of_date(*self)?)
    }

    as_any!();
}

/// `datetime.time` without a timezone.
impl FromPickle<'_> for NaiveTime {
    fn from_pickle(item: Item<'_, '_>) -> Result<NaiveTime, Error> {
        let time: Time<TzInfo> = item.read()?;
        let naive = Some(&time).filter(|time| time.tz.is_none());
        naive.and_then(to_time).ok_or_else(|| item.expected("a time without a timezone"))
    }
}

/// `datetime.time` without a timezone.
impl ToPickle for NaiveTime {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.save(&of_time(*self, None))
    }

    as_any!();
}

/// `datetime.datetime` without a timezone.
impl FromPickle<'_> for NaiveDateTime {
    fn from_pickle(item: Item<'_, '_>) -> Result<NaiveDateTime, Error> {
        let moment: DateTime<TzInfo> = item.read()?;
        let naive = Some(&moment).filter(|moment| moment.time.tz.is_none());
        naive.and_then(to_datetime).ok_or_else(|| item.expected("a datetime without a timezone"))
    }
}

/// `datetime.datetime` without a timezone, of the years 1 to 9999.
impl ToPickle for NaiveDateTime {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.save(&of_datetime(*self, None)?)
    }

    as_any!();
}

/// `datetime.datetime` with a `timezone` of whole seconds, whose name is lost.
impl FromPickle<'_> for chrono::DateTime<FixedOffset> {
    fn from_pickle(item: Item<'_, '_>) -> Result<chrono::DateTime<FixedOffset>, Error> {
        let moment: DateTime = item.read()?;
        let zone = moment.time.tz.as_ref();
        let offset = zone.ok_or_else(|| item.expected("a datetime with a timezone"))?.offset;
        let zone = offset.whole_seconds().and_then(FixedOffset::east_opt);
        let zone = zone.ok_or_else(|| invalid("offset of whole seconds", offset))?;
        to_datetime(&moment)
            .and_then(|local| local.and_local_timezone(zone).single())
            .ok_or_else(|| item.expected("a datetime of chrono"))
    }
}

/// `datetime.datetime` with a `timezone`; in its own time, of the years 1 to 9999.
impl ToPickle for chrono::DateTime<FixedOffset> {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        let local = self.naive_utc().checked_add_offset(*self.offset());
        let local = local
            .ok_or_else(|| invalid("datetime of Python", format_args!("{:?}", self.to_utc())))?;
        let zone = TimeZone::from_seconds(self.offset().local_minus_utc())?;
        out.save(&of_datetime(local, Some(zone))?)
    }

    as_any!();
}

/// `datetime.datetime` in UTC; of others with a `timezone`, the moment.
impl FromPickle<'_> for chrono::DateTime<Utc> {
    fn from_pickle(item: Item<'_, '_>) -> Result<chrono::DateTime<Utc>, Error> {
        let moment: DateTime = item.read()?;
        let zone = moment.time.tz.as_ref();
        let zone = zone.ok_or_else(|| item.expected("a datetime with a timezone"))?;
        let offset = i64::try_from(zone.offset.total_microseconds()).ok();
        to_datetime(&moment)
            .zip(offset.map(chrono::TimeDelta::microseconds))
            .and_then(|(local, offset)| local.checked_sub_signed(offset))
            .map(|utc| utc.and_utc())
            .ok_or_else(|| item.expected("a datetime that is one in UTC too"))
    }
}

/// `datetime.datetime` in UTC, of the years 1 to 9999.
impl ToPickle for chrono::DateTime<Utc> {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.save(&of_datetime(self.naive_utc(), Some(TimeZone::UTC))?)
    }

    as_any!();
}

/// `datetime.timedelta`
impl FromPickle<'_> for chrono::TimeDelta {
    fn from_pickle(item: Item<'_, '_>) -> Result<chrono::TimeDelta, Error> {
        let TimeDelta { days, seconds, microseconds } = item.read()?;
        let seconds = i64::from(days) * 86_400 + i64::from(seconds);
        chrono::TimeDelta::new(seconds, microseconds * 1000)
            .ok_or_else(|| item.expected("a timedelta of chrono"))
    }
}

/// `datetime.timedelta`, of less than a thousand million days.
impl ToPickle for chrono::TimeDelta {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        let seconds = i128::from(self.num_seconds()) * 1_000_000;
        out.save(&TimeDelta::from_microseconds(seconds + i128::from(self.subsec_micros()))?)
    }

    as_any!();
}
