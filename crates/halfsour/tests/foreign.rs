//! Types of other crates, read and written with their features.
#![cfg(all(
    feature = "chrono",
    feature = "uuid",
    feature = "rust_decimal",
    feature = "num-bigint"
))]

use std::fmt::Debug;

use halfsour::types::{Date, DateTime, Decimal, Time, TimeDelta, TimeZone, Uuid};
use halfsour::{FromPickleOwned, ToPickle, from_slice, to_vec};

/// Both write the same, and the same is read.
fn same<T: ToPickle + FromPickleOwned + Debug + PartialEq>(value: T, ours: &dyn ToPickle) {
    let data = to_vec(&value).unwrap();
    assert_eq!(data, to_vec(ours).unwrap());
    assert_eq!(from_slice::<T>(&data).unwrap(), value);
}

#[test]
fn values_become_those_of_python() {
    let date = chrono::NaiveDate::from_ymd_opt(2024, 2, 29).unwrap();
    same(date, &Date { year: 2024, month: 2, day: 29 });
    let moment = chrono::DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap();
    let time = Time {
        hour: 22,
        minute: 13,
        second: 20,
        microsecond: 123_456,
        fold: false,
        tz: Some(TimeZone::UTC),
    };
    same(moment, &DateTime { date: Date { year: 2023, month: 11, day: 14 }, time });
    for micros in [0, 1, -1, -1_500_000, 86_400_000_000, -86_400_000_001] {
        let delta = TimeDelta::from_microseconds(micros.into()).unwrap();
        same(chrono::TimeDelta::microseconds(micros), &delta);
    }
    same(uuid::Uuid::from_u128(7), &Uuid { int: 7, is_safe: None });
    same(rust_decimal::Decimal::new(-150, 2), &Decimal("-1.50".into()));
    for number in [0, 1, -1, 255, -128, i128::MAX, i128::MIN] {
        same(num_bigint::BigInt::from(number), &number);
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    for text in ["NaN", "Infinity", "1E+999999999", "0.00000000000000000000000000000000001"] {
        let data = to_vec(&Decimal(text.into())).unwrap();
        assert!(from_slice::<rust_decimal::Decimal>(&data).is_err(), "{text}");
    }
    assert!(to_vec(&chrono::NaiveDate::MAX).is_err());
    assert!(to_vec(&chrono::NaiveDate::MIN).is_err());
}
