//! `zoneinfo.ZoneInfo`, and whichever timezone there is.

use super::{TimeZone, args, as_any, next};
use crate::error::Error;
use crate::typed::{Class, FromPickle, Item};
use crate::writer::{Global, ToPickle, Writer};

/// `zoneinfo.ZoneInfo`: a timezone of the IANA's database, by its key. The database is not here: the
/// feature `jiff` has types that know one.
///
/// Python has one object for each key, and writes it once; here, several values are written several
/// times, but for those that share an `Arc`. Python loads them as one object in any case.
///
/// ```
/// use halfsour::types::{Date, DateTime, Time, ZoneInfo};
/// let vienna = ZoneInfo { key: "Europe/Vienna".into() };
/// let concert = DateTime {
///     date: Date { year: 2027, month: 1, day: 1 },
///     time: Time { hour: 11, minute: 15, tz: Some(vienna), ..Time::default() },
/// };
/// let data = halfsour::to_vec(&concert)?;
/// assert_eq!(halfsour::from_slice::<DateTime<ZoneInfo>>(&data)?, concert);
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneInfo {
    /// Its key: `Europe/Vienna`.
    pub key: String,
}

/// A timezone of either class that Python's standard library has, for data with both.
///
/// ```
/// use halfsour::types::{DateTime, TimeZone, TzInfo, ZoneInfo};
/// let zones = vec![
///     TzInfo::TimeZone(TimeZone::UTC),
///     TzInfo::ZoneInfo(ZoneInfo { key: "Asia/Tokyo".into() }),
/// ];
/// let data = halfsour::to_vec(&zones)?;
/// assert_eq!(halfsour::from_slice::<Vec<TzInfo>>(&data)?, zones);
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TzInfo {
    /// A fixed distance from UTC.
    TimeZone(TimeZone),
    /// One by its key.
    ZoneInfo(ZoneInfo),
}

impl Class for ZoneInfo {
    const MODULE: &'static str = "zoneinfo";
    const NAME: &'static str = "ZoneInfo";
    /// What Python calls to make one.
    const ALIASES: &'static [&'static str] = &["zoneinfo.ZoneInfo._unpickle"];
}

/// `getattr(ZoneInfo, '_unpickle')`
struct Unpickle;

impl ToPickle for Unpickle {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        let class = Global::new(ZoneInfo::MODULE, ZoneInfo::NAME);
        out.call(&Global::new("builtins", "getattr"), &[&class, &MethodName("_unpickle")])
    }
}

/// The name of a method of C: a new object each time.
struct MethodName(&'static str);

impl ToPickle for MethodName {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.fresh_str(self.0)
    }
}

impl FromPickle<'_> for ZoneInfo {
    fn from_pickle(item: Item<'_, '_>) -> Result<ZoneInfo, Error> {
        // The second argument says whether it is the one of its key.
        let mut args = args::<ZoneInfo>(item, 1..=2)?;
        Ok(ZoneInfo { key: next(&mut args, "key")? })
    }
}

impl ToPickle for ZoneInfo {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.call(&Unpickle, &[&self.key, &1])
    }

    as_any!();
}

impl FromPickle<'_> for TzInfo {
    fn from_pickle(item: Item<'_, '_>) -> Result<TzInfo, Error> {
        match item.is::<ZoneInfo>() {
            true => item.read().map(TzInfo::ZoneInfo),
            false => item.read().map(TzInfo::TimeZone),
        }
    }
}

impl ToPickle for TzInfo {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        match self {
            TzInfo::TimeZone(zone) => out.save(zone),
            TzInfo::ZoneInfo(zone) => out.save(zone),
        }
    }

    as_any!();
}
