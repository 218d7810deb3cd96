//! The standard library's types, as CPython writes and reads them.

mod common;

use std::fmt::Debug;
use std::time::Duration;

use common::{PACK, pack, python, unpack, version};
use halfsour::types::*;
use halfsour::{FromPickleOwned, Pickler, ToPickle, from_slice};

type Read = Box<dyn Fn(&[u8]) -> Result<(), String>>;

/// A value in both languages.
struct Case {
    /// In Python.
    expr: &'static str,
    /// What Rust writes with a protocol.
    write: Box<dyn Fn(u8) -> Vec<u8>>,
    /// Whether Rust reads the value from a pickle.
    read: Read,
    /// From which minor version of Python 3 on the bytes are the same.
    exact: u32,
    /// From which protocol on all of the value is written.
    whole: u8,
}

fn case<T>(expr: &'static str, value: T) -> Case
where
    T: ToPickle + FromPickleOwned + PartialEq + Debug + Clone + 'static,
{
    let written = value.clone();
    Case {
        expr,
        write: Box::new(move |protocol| {
            Pickler::new().protocol(protocol).to_vec(&written).expect(expr)
        }),
        read: Box::new(move |data| match from_slice::<T>(data) {
            Ok(read) if read == value => Ok(()),
            other => Err(format!("{other:?}")),
        }),
        exact: 0,
        whole: 0,
    }
}

impl Case {
    fn since(self, exact: u32) -> Case {
        Case { exact, ..self }
    }

    fn whole(self, whole: u8) -> Case {
        Case { whole, ..self }
    }
}

fn date(year: u16, month: u8, day: u8) -> Date {
    Date { year, month, day }
}

fn zone(seconds: i32, name: Option<&str>) -> TimeZone {
    TimeZone { name: name.map(Into::into), ..TimeZone::from_seconds(seconds).unwrap() }
}

fn zone_info(key: &str) -> ZoneInfo {
    ZoneInfo { key: key.into() }
}

fn path(kind: PathKind, path: &str) -> Path {
    Path { kind, path: path.into() }
}

fn exception(name: &str, args: Vec<Arg>) -> Exception {
    Exception { class: Name::new("builtins", name), args, attrs: Vec::new() }
}

const NOON: Time = Time { hour: 12, minute: 0, second: 0, microsecond: 0, fold: false, tz: None };

fn cases() -> Vec<Case> {
    use PathKind::*;
    let late: Time = Time { hour: 23, minute: 59, second: 58, microsecond: 999_999, ..NOON };
    let delta = |days, seconds, microseconds| TimeDelta { days, seconds, microseconds };
    let moment = |time| DateTime { date: date(2026, 10, 25), time };
    let entries = |count: i64| (0..count).map(|n| (n, n * n)).collect::<Vec<_>>();
    let text = |text: &str| Arg::Str(text.into());
    vec![
        case("date(2024, 2, 29)", date(2024, 2, 29)),
        case("date(1, 1, 1)", date(1, 1, 1)),
        case("date(9999, 12, 31)", date(9999, 12, 31)),
        case("[date(2000, 1, 1), date(2000, 1, 1)]", vec![date(2000, 1, 1); 2]),
        case("time(12)", NOON),
        case("time(23, 59, 58, 999999)", late.clone()),
        case("time(12, fold=1)", Time { fold: true, ..NOON }).whole(4),
        case("time(12, tzinfo=timezone.utc)", Time { tz: Some(TimeZone::UTC), ..NOON }),
        case("datetime(2026, 10, 25, 12)", moment(NOON)),
        case("datetime(2026, 10, 25, 23, 59, 58, 999999)", moment(late)),
        case("datetime(2026, 10, 25, 12, fold=1)", moment(Time { fold: true, ..NOON })).whole(4),
        case(
            "datetime(2026, 10, 25, 12, tzinfo=timezone(timedelta(hours=-5), 'X'))",
            moment(Time { tz: Some(zone(-18000, Some("X"))), ..NOON }),
        ),
        case(
            "[datetime(2026, 10, 25, 12, tzinfo=timezone.utc)] * 1 + [time(12, tzinfo=timezone.utc)]",
            (moment(Time { tz: Some(TimeZone::UTC), ..NOON }), Time { tz: Some(TimeZone::UTC), ..NOON }),
        )
        .since(99),
        case("timedelta(0)", delta(0, 0, 0)),
        case("timedelta(1, 2, 3)", delta(1, 2, 3)),
        case("timedelta(microseconds=-1)", delta(-1, 86399, 999_999)),
        case("timedelta.max", delta(999_999_999, 86399, 999_999)),
        case("timedelta.min", delta(-999_999_999, 0, 0)),
        case("timedelta(0)", Duration::ZERO),
        case("timedelta(1, 2, 3)", Duration::new(86_402, 3000)),
        case("timedelta.max", Duration::new(999_999_999 * 86_400 + 86_399, 999_999_000)),
        case("timezone.utc", TimeZone::UTC),
        case("(timezone.utc, timezone(timedelta(0)))", (TimeZone::UTC, zone(0, None))),
        case("timezone(timedelta(0), 'Z')", zone(0, Some("Z"))),
        case("timezone(timedelta(hours=2))", zone(7200, None)),
        case("ZoneInfo('Europe/Vienna')", zone_info("Europe/Vienna")),
        case(
            "[timezone.utc, ZoneInfo('UTC'), ZoneInfo('Asia/Tokyo')]",
            vec![
                TzInfo::TimeZone(TimeZone::UTC),
                TzInfo::ZoneInfo(zone_info("UTC")),
                TzInfo::ZoneInfo(zone_info("Asia/Tokyo")),
            ],
        ),
        case(
            "datetime(2026, 10, 25, 12, fold=1, tzinfo=ZoneInfo('Europe/Vienna'))",
            DateTime {
                date: date(2026, 10, 25),
                time: Time {
                    hour: 12,
                    fold: true,
                    tz: Some(zone_info("Europe/Vienna")),
                    ..Time::default()
                },
            },
        )
        .whole(4),
        case("Decimal('1.50')", Decimal("1.50".into())),
        case("Decimal('-1E+30')", Decimal("-1E+30".into())),
        case("Decimal('1')", Decimal("1".into())),
        case("(Decimal('1'), '1')", (Decimal("1".into()), String::from("1"))),
        case("Decimal('Infinity')", Decimal("Infinity".into())),
        case("Decimal('-sNaN123')", Decimal("-sNaN123".into())),
        case("UUID(int=1)", Uuid { int: 1, is_safe: None }),
        case("UUID(int=2**128 - 1)", Uuid { int: u128::MAX, is_safe: None }),
        case("UUID(int=2**127, is_safe=SafeUUID.safe)", Uuid { int: 1 << 127, is_safe: Some(true) }),
        case("UUID(int=7, is_safe=SafeUUID.unsafe)", Uuid { int: 7, is_safe: Some(false) }),
        case("[UUID(int=1), UUID(int=2)]", [1, 2].map(|int| Uuid { int, is_safe: None }).to_vec()),
        case("Fraction(-1, 3)", Fraction { numerator: -1, denominator: 3 }).since(11),
        case("Fraction(7)", Fraction { numerator: 7, denominator: 1 }).since(11),
        case("Fraction(-2**127, 2**128 - 1)", Fraction { numerator: i128::MIN, denominator: u128::MAX })
            .since(11),
        case("1.5-2j", Complex { real: 1.5, imag: -2.0 }),
        case("range(5)", Range { start: 0, stop: 5, step: 1 }),
        case("range(2**40, -7, -3)", Range { start: 1 << 40, stop: -7, step: -3 }),
        case("slice(1, None)", Slice { start: Some(1), stop: None, step: None }),
        case("slice('a', 'b', 'c')", Slice { start: 'a', stop: 'b', step: 'c' }),
        case("OrderedDict()", OrderedDict::<i64, i64>(vec![])),
        case("OrderedDict([(0, 0)])", OrderedDict(entries(1))),
        case("OrderedDict((n, n * n) for n in range(7))", OrderedDict(entries(7))),
        case("OrderedDict((n, n * n) for n in range(1001))", OrderedDict(entries(1001))),
        case(
            "defaultdict(list, {0: 0, 1: 1})",
            DefaultDict { factory: Some(Name::new("builtins", "list")), entries: entries(2) },
        ),
        case("defaultdict(None, {0: 0})", DefaultDict { factory: None, entries: entries(1) }),
        case("Counter({0: 0, 1: 1})", Counter(entries(2))),
        case("Counter({'x': 1.5})", Counter(vec![(String::from("x"), 1.5)])),
        case("Counter()", Counter::<i64>(vec![])),
        case("deque()", Deque::<i64> { items: [].into(), maxlen: None }),
        case("deque([1])", Deque { items: [1].into(), maxlen: None }),
        case("deque([1, 2, 3], 3)", Deque { items: [1, 2, 3].into(), maxlen: Some(3) }),
        case("deque([], 0)", Deque::<i64> { items: [].into(), maxlen: Some(0) }),
        case("deque(range(2001))", Deque { items: (0..2001_i64).collect(), maxlen: None }),
        case("PurePosixPath('/etc/hosts')", path(PurePosix, "/etc/hosts")).since(14),
        case("PurePosixPath('//etc/hosts')", path(PurePosix, "//etc/hosts")).since(14),
        case("PurePosixPath('a/b.tar.gz')", path(PurePosix, "a/b.tar.gz")).since(14),
        case("PurePosixPath('.')", path(PurePosix, ".")).since(14),
        case("PosixPath('/')", path(Posix, "/")).since(14),
        case(r"PureWindowsPath(r'C:\x\y')", path(PureWindows, r"C:\x\y")).since(14),
        case(r"PureWindowsPath(r'C:x\y')", path(PureWindows, r"C:x\y")).since(14),
        case(r"PureWindowsPath(r'\x')", path(PureWindows, r"\x")).since(14),
        case(r"PureWindowsPath(r'\\host\share\x')", path(PureWindows, r"\\host\share\x")).since(14),
        case("ValueError()", exception("ValueError", vec![])),
        case("ValueError('no', 1)", exception("ValueError", vec![text("no"), Arg::Int(1)])),
        case(
            "OSError(2, 'gone', 'file')",
            exception("FileNotFoundError", vec![Arg::Int(2), text("gone"), text("file")]),
        )
        .whole(3),
        case("KeyError((1, None))", exception("KeyError", vec![Arg::Tuple(vec![Arg::Int(1), Arg::None])])),
        case(
            "noted(KeyError(b'k', True), note='see')",
            Exception {
                attrs: vec![("note".into(), text("see"))],
                ..exception("KeyError", vec![Arg::Bytes(b"k".to_vec()), Arg::Bool(true)])
            },
        ),
        case("OrderedDict", Name::new("collections", "OrderedDict")),
        case("range", Name::new("builtins", "range")),
        case("re.I", Member::Value { class: Name::new("re", "RegexFlag"), value: 2 }).since(99),
        case(
            "SafeUUID.unsafe",
            Member::Value { class: Name::new("uuid", "SafeUUID"), value: -1 },
        )
        .since(12),
    ]
}

const NAMES: &str = r"
import pickle, re
from collections import *
from datetime import *
from decimal import Decimal
from fractions import Fraction
from pathlib import *
from uuid import UUID, SafeUUID
from zoneinfo import ZoneInfo
def noted(error, **attrs):
    error.__dict__.update(attrs)
    return error
";

#[cfg(feature = "chrono")]
fn chrono_cases() -> Vec<Case> {
    use chrono::{FixedOffset, NaiveDate, NaiveTime, Utc};
    let noon = NaiveTime::from_hms_opt(12, 0, 0).unwrap();
    let late = NaiveTime::from_hms_micro_opt(23, 59, 58, 999_999).unwrap();
    let date = NaiveDate::from_ymd_opt(2026, 10, 25).unwrap();
    let first = NaiveDate::from_ymd_opt(1, 1, 1).unwrap();
    let last = NaiveDate::from_ymd_opt(9999, 12, 31).unwrap();
    let zoned = |seconds, time| {
        let zone = FixedOffset::east_opt(seconds).unwrap();
        date.and_time(time).and_local_timezone(zone).unwrap()
    };
    vec![
        case("date(1, 1, 1)", first),
        case("date(9999, 12, 31)", last),
        case("time(12)", noon),
        case("time(23, 59, 58, 999999)", late),
        case("datetime(2026, 10, 25, 23, 59, 58, 999999)", date.and_time(late)),
        case("datetime.min", first.and_time(NaiveTime::MIN)),
        case("datetime(2026, 10, 25, 12, tzinfo=timezone.utc)", zoned(0, noon)),
        case("datetime(2026, 10, 25, 12, tzinfo=timezone.utc)", zoned(0, noon).with_timezone(&Utc)),
        case(
            "datetime(2026, 10, 25, 23, 59, 58, 999999, timezone(timedelta(hours=-5)))",
            zoned(-18_000, late),
        ),
        case(
            "datetime(2026, 10, 25, 12, tzinfo=timezone(timedelta(hours=1, minutes=5, seconds=21)))",
            zoned(3921, noon),
        ),
        case(
            "datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=23, minutes=59)))",
            first
                .and_time(NaiveTime::MIN)
                .and_local_timezone(FixedOffset::east_opt(86_340).unwrap())
                .unwrap(),
        ),
        case("timedelta(microseconds=-1)", chrono::TimeDelta::microseconds(-1)),
        case("timedelta(1, 2, 3)", chrono::TimeDelta::new(86_402, 3000).unwrap()),
        case(
            "timedelta.max",
            chrono::TimeDelta::new(999_999_999 * 86_400 + 86_399, 999_999_000).unwrap(),
        ),
        case("timedelta.min", chrono::TimeDelta::days(-999_999_999)),
    ]
}

#[cfg(feature = "jiff")]
fn jiff_cases() -> Vec<Case> {
    use jiff::civil::{date, datetime, time};
    use jiff::tz::{Offset, TimeZone};
    use jiff::{SignedDuration, Timestamp};
    let fixed = |seconds| TimeZone::fixed(Offset::from_seconds(seconds).unwrap());
    let zone = |name| TimeZone::get(name).unwrap();
    let noon = datetime(2026, 10, 25, 12, 0, 0, 0);
    let half_past_two = datetime(2026, 10, 25, 2, 30, 0, 0);
    let vienna = zone("Europe/Vienna").to_ambiguous_zoned_datetime(half_past_two);
    vec![
        case("date(1, 1, 1)", date(1, 1, 1)),
        case("date(9999, 12, 31)", date(9999, 12, 31)),
        case("time(12)", time(12, 0, 0, 0)),
        case("time(23, 59, 58, 999999)", time(23, 59, 58, 999_999_000)),
        case(
            "datetime(2026, 10, 25, 23, 59, 58, 999999)",
            datetime(2026, 10, 25, 23, 59, 58, 999_999_000),
        ),
        case("datetime.min", datetime(1, 1, 1, 0, 0, 0, 0)),
        case("timezone.utc", TimeZone::UTC),
        case("timezone(timedelta(hours=-5))", fixed(-18_000)),
        case("timezone(timedelta(hours=1, minutes=5, seconds=21))", fixed(3921)),
        case("ZoneInfo('Europe/Vienna')", zone("Europe/Vienna")),
        case(
            "datetime(1969, 12, 31, 23, 59, 59, 999999, timezone.utc)",
            Timestamp::from_microsecond(-1).unwrap(),
        ),
        case(
            "datetime(2026, 10, 25, 12, tzinfo=timezone.utc)",
            noon.to_zoned_datetime(TimeZone::UTC).unwrap(),
        ),
        case(
            "datetime(2026, 10, 25, 12, tzinfo=timezone(timedelta(seconds=-18001)))",
            noon.to_zoned_datetime(fixed(-18_001)).unwrap(),
        ),
        case(
            "datetime(2026, 10, 25, 12, tzinfo=ZoneInfo('Asia/Tokyo'))",
            noon.to_zoned_datetime(zone("Asia/Tokyo")).unwrap(),
        ),
        case(
            "datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo('Europe/Vienna'))",
            vienna.clone().earlier().unwrap(),
        ),
        case(
            "datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo('Europe/Vienna'), fold=1)",
            vienna.later().unwrap(),
        )
        .whole(4),
        case("timedelta(microseconds=-1)", SignedDuration::from_micros(-1)),
        case("timedelta(1, 2, 3)", SignedDuration::new(86_402, 3000)),
        case("timedelta.max", SignedDuration::new(999_999_999 * 86_400 + 86_399, 999_999_000)),
        case("timedelta.min", SignedDuration::new(-999_999_999 * 86_400, 0)),
    ]
}

#[cfg(feature = "num-bigint")]
fn bigint_cases() -> Vec<Case> {
    use num_bigint::{BigInt, BigUint};
    let power = |bits: u32| BigUint::from(2_u8).pow(bits);
    vec![
        case("0", BigUint::from(0_u8)),
        case("255", BigUint::from(255_u8)),
        case("2**63", power(63)),
        case("2**64 - 1", BigUint::from(u64::MAX)),
        case("2**2000", power(2000)),
        case("2**2000", BigInt::from(power(2000))),
        case("-2**2000", -BigInt::from(power(2000))),
    ]
}

/// Those of other crates too, as far as they are there.
fn all_cases() -> Vec<Case> {
    #[allow(unused_mut, reason = "each feature adds its part")]
    let mut cases = cases();
    #[cfg(feature = "chrono")]
    cases.extend(chrono_cases());
    #[cfg(feature = "jiff")]
    cases.extend(jiff_cases());
    #[cfg(feature = "num-bigint")]
    cases.extend(bigint_cases());
    cases
}

fn exprs(cases: &[Case]) -> String {
    format!(
        "exprs = [{}]\n",
        cases.iter().map(|case| format!("{:?},", case.expr)).collect::<String>()
    )
}

#[test]
fn what_python_writes_is_read_and_written_the_same() {
    let cases = all_cases();
    let script = format!(
        "{PACK}{NAMES}{}
for expr in exprs:
    for protocol in range(6):
        emit(pickle.dumps(eval(expr), protocol))",
        exprs(&cases)
    );
    let pickles = unpack(&python(&script, b""));
    let (minor, micro) = version();
    let mut faults = Vec::new();
    for (case, pickles) in cases.iter().zip(pickles.chunks(6)) {
        for (protocol, pickle) in (0..).zip(pickles) {
            if let Err(read) = (case.read)(pickle)
                && protocol >= case.whole
                // Before 3.11.4, 3.11 pickled members by their names.
                && ((minor, micro) >= (11, 4)
                    || !case.expr.starts_with("SafeUUID") && case.expr != "re.I")
            {
                faults.push(format!("{} in {protocol} is read as {read}", case.expr));
            }
            let written = (case.write)(protocol);
            if minor >= case.exact && written != *pickle {
                let (written, pickle) = (written.escape_ascii(), pickle.escape_ascii());
                faults.push(format!("{} in {protocol}:\n  {written}\n  {pickle}", case.expr));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn python_reads_what_is_written() {
    let cases = all_cases();
    let written: Vec<_> =
        cases.iter().flat_map(|case| (0..6).map(|protocol| (case.write)(protocol))).collect();
    let script = format!(
        "{PACK}{NAMES}{}
def same(one, other):
    if type(one) in (list, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and repr(one) == repr(other)
pickles = iter(list(unpack()))
for expr in exprs:
    for protocol in range(6):
        expected, found = eval(expr), pickle.loads(next(pickles))
        if not same(expected, found) and not (protocol < 4 and 'fold' in expr):
            emit(f'{{expr}} in {{protocol}} is {{found!r}}')",
        exprs(&cases)
    );
    let faults = unpack(&python(&script, &common::pack(written.iter().map(Vec::as_slice))));
    let faults: Vec<_> = faults.into_iter().map(|text| String::from_utf8(text).unwrap()).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Python runs this; what it pickles is no value of `T`, and the message says so.
fn refused<T: FromPickleOwned + Debug>(module: &str, name: &str, args: &[&dyn ToPickle]) -> String {
    struct Call<'c>(&'c str, &'c str, &'c [&'c dyn ToPickle]);
    impl ToPickle for Call<'_> {
        fn to_pickle(&self, out: &mut halfsour::Writer<'_>) -> Result<(), halfsour::Error> {
            out.call(&halfsour::Global::new(self.0, self.1), self.2)
        }
    }
    let data = halfsour::to_vec(&Call(module, name, args)).unwrap();
    from_slice::<T>(&data).unwrap_err().to_string()
}

#[test]
fn hostile_states_are_errors() {
    use halfsour::typed::Bytes;
    let state = |state: &'static [u8]| Bytes(state);
    let date = |bytes| refused::<Date>("datetime", "date", &[&state(bytes)]);
    assert_eq!(date(b""), "expected 4 bytes, found bytes at root");
    assert_eq!(date(b"\x07\xea\x0d\x01"), "2026-13-1 is no date at root");
    assert_eq!(date(b"\x07\xea\x02\x1d"), "2026-2-29 is no date at root");
    assert_eq!(date(b"\0\0\x01\x01"), "0-1-1 is no date at root");
    assert_eq!(date(b"\xff\xff\x01\x01"), "65535-1-1 is no date at root");
    let none = refused::<Date>("datetime", "date", &[]);
    assert_eq!(
        none,
        "expected datetime.date made of 1 to 2, found a datetime.date made of 0 at root"
    );
    let other = refused::<Date>("datetime", "time", &[&state(b"\0\0\0\0\0\0")]);
    assert_eq!(other, "expected a datetime.date, found a datetime.time at root");

    let time = |bytes| refused::<Time>("datetime", "time", &[&state(bytes)]);
    assert_eq!(time(b"\x18\0\0\0\0\0"), "24:0:0.000000 is no time at root");
    assert_eq!(time(b"\0\0\0\xff\xff\xff"), "0:0:0.16777215 is no time at root");
    let moment = |bytes| refused::<DateTime>("datetime", "datetime", &[&state(bytes), &7]);
    assert_eq!(
        moment(b"\x07\xea\x01\x01\0\0\0\0\0\0"),
        "expected a datetime.timezone, found an int at root"
    );

    let delta = |days: i64, seconds: i64| {
        refused::<TimeDelta>("datetime", "timedelta", &[&days, &seconds, &0])
    };
    assert_eq!(
        delta(1_000_000_000, 0),
        "more than the limit of 999999999 (days of a timedelta) at root"
    );
    assert_eq!(delta(i64::MAX, i64::MAX), delta(i64::MIN, i64::MIN));
    let day = TimeDelta { days: 1, seconds: 0, microseconds: 0 };
    assert_eq!(
        refused::<TimeZone>("datetime", "timezone", &[&day]),
        "datetime.timedelta(days=1, seconds=0, microseconds=0) is no offset of a timezone: \
         it is a day or more at root"
    );

    let decimal = |text: &str| refused::<Decimal>("decimal", "Decimal", &[&text]);
    for text in
        ["", ".", "1e", "--1", "nanx", "1.2.3", "infin", "1e1e1", "٣", "1_0", "+", "s", "e5"]
    {
        assert_eq!(
            decimal(text),
            "expected a str that spells a decimal number, found a str at root"
        );
    }
    let fraction = |args: &[&dyn ToPickle]| refused::<Fraction>("fractions", "Fraction", args);
    assert_eq!(fraction(&[&1, &0]), "1/0 is no fraction at root");
    assert_eq!(fraction(&[&"1/0"]), "1/0 is no fraction at root");
    assert_eq!(fraction(&[&i128::MIN, &0]), format!("{}/0 is no fraction at root", i128::MIN));
    assert!(fraction(&[&u128::MAX, &1]).starts_with("expected an int that fits i128, found"));
    assert!(fraction(&[&1, &-3]).starts_with("expected an int that fits u128, found"));
    let long = "9".repeat(5000);
    let spelled = "expected a str that spells a fraction of 128 bits, found a str at root";
    assert_eq!(fraction(&[&format!("{long}/7")]), spelled);
    assert_eq!(fraction(&[&"1/2/3"]), spelled);
    assert_eq!(
        refused::<Range>("builtins", "range", &[&1, &2, &0]),
        "0 is no step of a range at root"
    );
    assert!(refused::<Complex>("builtins", "complex", &[&1.0]).contains("made of 2"));
    let deque = refused::<Deque<i64>>("collections", "deque", &[&Vec::<i64>::new(), &-1]);
    assert_eq!(deque, "expected an int that fits usize, found the int -1 at root");
    let path = refused::<Path>("pathlib", "PurePosixPath", &[&1]);
    assert_eq!(path, "expected a str, found an int at root");
    let wrong = refused::<Path>("os", "PurePosixPath", &[]);
    assert_eq!(wrong, "expected a path, found an os.PurePosixPath at root");
    assert_eq!(refused::<Uuid>("uuid", "UUID", &[]), "int is missing at root");
    let zone = |args: &[&dyn ToPickle]| refused::<TzInfo>("zoneinfo", "ZoneInfo", args);
    assert_eq!(zone(&[&7]), "expected a str, found an int at root");
    assert!(zone(&[]).contains("made of 1 to 2"));
    let wrong = refused::<TzInfo>("zoneinfo", "TZPATH", &[]);
    assert_eq!(wrong, "expected a datetime.timezone, found a zoneinfo.TZPATH at root");
}

#[test]
fn what_python_refuses_is_not_written() {
    fn refused<T: ToPickle>(value: T) -> String {
        halfsour::to_vec(&value).unwrap_err().to_string()
    }
    assert_eq!(refused(date(2026, 13, 1)), "2026-13-1 is no date");
    assert_eq!(refused(date(2100, 2, 29)), "2100-2-29 is no date");
    assert_eq!(refused(Time { second: 60, ..NOON }), "12:0:60.000000 is no time");
    let days = "more than the limit of 999999999 (days of a timedelta)";
    assert_eq!(refused(Duration::from_secs(1_000_000_000 * 86_400)), days);
    assert_eq!(refused(Duration::MAX), days);
    assert_eq!(refused(Decimal("one".into())), "one is no decimal number");
    for exponents in ["10e999999999999999999", "1e-1999999999999999998", "0E99999999999999999999"] {
        assert_eq!(refused(Decimal(exponents.into())), format!("{exponents} is no decimal number"));
    }
    let widest = ["1e999999999999999999", "0.1e-1999999999999999996", "0e999999999999999999"];
    let data = halfsour::to_vec(&widest.map(|text| Decimal(text.into()))).unwrap();
    let script =
        format!("{PACK}import pickle\nfor data in unpack(): emit(str(len(pickle.loads(data))))");
    assert_eq!(unpack(&python(&script, &pack([data.as_slice()]))), [b"3"]);
    assert_eq!(
        refused(std::collections::HashMap::from([(Decimal("-sNaN".into()), 1)])),
        "unhashable type: 'sNaN' at root.keys()[...]"
    );
    let deque = Deque::<i64> { items: [].into(), maxlen: Some(usize::MAX) };
    assert_eq!(refused(deque), "a deque's maxlen must fit isize");
    assert_eq!(refused(Fraction { numerator: 1, denominator: 0 }), "1/0 is no fraction");
    assert_eq!(refused(Range { start: 0, stop: 0, step: 0 }), "0 is no step of a range");
    let far = TimeDelta { days: 2, seconds: 0, microseconds: 0 };
    assert!(refused(TimeZone { offset: far, name: None }).contains("a day or more"));
}

/// Where Python calls a method to make an instance, errors name the class all the same.
#[test]
fn a_zone_is_called_by_its_class() {
    for protocol in 0..=5 {
        let data = Pickler::new().protocol(protocol).to_vec(&zone_info("Asia/Tokyo")).unwrap();
        let error = from_slice::<TimeZone>(&data).unwrap_err().to_string();
        assert_eq!(error, "expected a datetime.timezone, found a zoneinfo.ZoneInfo at root");
    }
}

#[test]
fn a_length_of_time_is_cut_off_and_not_negative() {
    let read = |delta: TimeDelta| from_slice::<Duration>(&halfsour::to_vec(&delta).unwrap());
    let data = halfsour::to_vec(&Duration::new(0, 1_999)).unwrap();
    assert_eq!(from_slice::<Duration>(&data).unwrap(), Duration::from_micros(1));
    let error = read(TimeDelta::from_microseconds(-1).unwrap()).unwrap_err();
    assert!(error.to_string().starts_with("expected a timedelta that is not negative"), "{error}");
}

#[test]
fn what_is_not_normal_is_made_normal() {
    let delta = TimeDelta { days: 0, seconds: 86_400, microseconds: 1_000_000 };
    let normal = TimeDelta { days: 1, seconds: 1, microseconds: 0 };
    assert_eq!(halfsour::to_vec(&delta).unwrap(), halfsour::to_vec(&normal).unwrap());
    let half = Fraction { numerator: 2, denominator: 4 };
    let data = halfsour::to_vec(&half).unwrap();
    let read: Fraction = from_slice(&data).unwrap();
    assert_eq!((read.numerator, read.denominator), (1, 2));
    let full = Deque { items: [1, 2, 3].into(), maxlen: Some(2) };
    let read: Deque<i64> = from_slice(&halfsour::to_vec(&full).unwrap()).unwrap();
    assert_eq!(read.items, [2, 3]);
}

/// What older versions of Python wrote.
#[test]
fn older_pickles() {
    // 3.10: Fraction('1/3')
    let data = b"\x80\x04cfractions\nFraction\n\x8c\x04-1/3\x85R.";
    let fraction: Fraction = from_slice(data).unwrap();
    assert_eq!(fraction, Fraction { numerator: -1, denominator: 3 });
    // 2.7: datetime.date(2026, 2, 28)
    let data = b"\x80\x02cdatetime\ndate\nq\0U\x04\x07\xea\x02\x1cq\x01\x85q\x02Rq\x03.";
    assert_eq!(from_slice::<Date>(data).unwrap(), date(2026, 2, 28));
    // 2.7: collections.OrderedDict([(1, 2)])
    let data = b"\x80\x02ccollections\nOrderedDict\nq\0]q\x01]q\x02(K\x01K\x02ea\x85q\x03Rq\x04.";
    assert_eq!(from_slice::<OrderedDict<u8, u8>>(data).unwrap().0, [(1, 2)]);
    // 2.7: collections.deque([1, 2], 5)
    let data = b"\x80\x02ccollections\ndeque\nq\0]q\x01(K\x01K\x02eK\x05\x86q\x02Rq\x03.";
    let deque: Deque<u8> = from_slice(data).unwrap();
    assert_eq!(deque, Deque { items: [1, 2].into(), maxlen: Some(5) });
    // 2.7: uuid.UUID(int=5), with LONG
    let data =
        b"ccopy_reg\n_reconstructor\np0\n(cuuid\nUUID\np1\nc__builtin__\nobject\np2\nNtp3\nR\
        p4\n(dp5\nS'int'\np6\nL5L\nsb.";
    assert_eq!(from_slice::<Uuid>(data).unwrap().int, 5);
    // 3.13: pathlib._local, and several segments
    let data = b"cpathlib._local\nPosixPath\n(V/a\nVb\nV\nVc/d\ntR.";
    assert_eq!(from_slice::<Path>(data).unwrap().path, "/a/b/c/d");
}

/// Local times of which there are two or none, by Python's rules.
#[cfg(feature = "jiff")]
#[test]
fn moments_of_zones_are_those_of_python() {
    use jiff::{Timestamp, ZonedDateTime};
    let script = format!(
        "{PACK}{NAMES}
for key in 'Europe/Vienna', 'America/New_York', 'Australia/Lord_Howe', 'Africa/Monrovia', 'UTC':
    for day in date(2026, 3, 29), date(2026, 10, 25), date(2026, 4, 5), date(1971, 12, 31):
        for minute in range(0, 24 * 60, 15):
            for fold in 0, 1:
                clock = time(minute // 60, minute % 60, 1, 2, ZoneInfo(key), fold=fold)
                moment = datetime.combine(day, clock)
                since = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
                emit(pickle.dumps((moment, since // timedelta(microseconds=1))))"
    );
    let pickles = unpack(&python(&script, b""));
    assert_eq!(pickles.len(), 5 * 4 * 96 * 2);
    let mut written = Vec::new();
    for pickle in &pickles {
        let (zoned, micros): (ZonedDateTime, i64) = from_slice(pickle).unwrap();
        let (timestamp, _): (Timestamp, i64) = from_slice(pickle).unwrap();
        assert_eq!((zoned.timestamp(), timestamp.as_microsecond()), (timestamp, micros), "{zoned}");
        written.push(halfsour::to_vec(&(zoned, micros)).unwrap());
    }
    let script = format!(
        "{PACK}{NAMES}
for data in unpack():
    moment, micros = pickle.loads(data)
    since = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    assert since == timedelta(microseconds=micros), (moment, micros)
emit('done')"
    );
    let input = common::pack(written.iter().map(Vec::as_slice));
    assert_eq!(unpack(&python(&script, &input)), [b"done"]);
}

/// An error's text, or what is written and read again.
#[cfg(any(feature = "chrono", feature = "jiff", feature = "num-bigint"))]
fn outcome<T: FromPickleOwned + Debug>(value: impl ToPickle) -> Result<T, String> {
    halfsour::to_vec(&value).and_then(|data| from_slice(&data)).map_err(|error| error.to_string())
}

#[cfg(feature = "num-bigint")]
#[test]
fn ints_have_their_sign() {
    use num_bigint::{BigInt, BigUint};
    let subclass = b"capp\nId\nK\x07\x85\x81.";
    assert_eq!(from_slice::<BigInt>(subclass).unwrap(), BigInt::from(7));
    let error = outcome::<BigUint>(-1).unwrap_err();
    assert_eq!(error, "expected an int that is not negative, found an int at root");
}

#[cfg(feature = "chrono")]
#[test]
fn what_does_not_fit_chrono_or_python_is_an_error() {
    use chrono::{DateTime as Moment, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Utc};
    let utc = Time { tz: Some(TimeZone::UTC), ..NOON };
    let moment = |time| DateTime { date: date(2026, 10, 25), time };
    let no_zone = "expected a time without a timezone, found a datetime.time at root";
    assert_eq!(outcome::<NaiveTime>(utc.clone()).unwrap_err(), no_zone);
    let no_zone = "expected a datetime without a timezone, found a datetime.datetime at root";
    assert_eq!(outcome::<NaiveDateTime>(moment(utc.clone())).unwrap_err(), no_zone);
    let zone = "expected a datetime with a timezone, found a datetime.datetime at root";
    assert_eq!(outcome::<Moment<Utc>>(moment(NOON)).unwrap_err(), zone);
    assert_eq!(outcome::<Moment<FixedOffset>>(moment(NOON)).unwrap_err(), zone);
    // chrono has no database of zones.
    let time = Time { tz: Some(zone_info("Asia/Tokyo")), ..Time::default() };
    let error = outcome::<Moment<Utc>>(DateTime { date: date(2026, 1, 1), time }).unwrap_err();
    assert_eq!(error, "expected a datetime.timezone, found a zoneinfo.ZoneInfo at root");

    let offset = TimeDelta { days: 0, seconds: 1, microseconds: 1 };
    let finer = moment(Time { tz: Some(TimeZone { offset, name: None }), ..NOON });
    let error = outcome::<Moment<FixedOffset>>(finer.clone()).unwrap_err();
    assert!(error.ends_with("is no offset of whole seconds at root"), "{error}");
    let read: Moment<Utc> = outcome(finer).unwrap();
    assert_eq!(format!("{read:?}"), "2026-10-25T11:59:58.999999Z");

    for far in [NaiveDate::MIN, NaiveDate::MAX, NaiveDate::from_ymd_opt(0, 12, 31).unwrap()] {
        assert!(outcome::<NaiveDate>(far).unwrap_err().contains("is no date"));
        assert!(outcome::<NaiveDateTime>(far.and_time(NaiveTime::MIN)).is_err());
    }
    for far in [Moment::<Utc>::MIN_UTC, Moment::<Utc>::MAX_UTC] {
        assert!(outcome::<Moment<Utc>>(far).is_err());
        for seconds in [-86_399, 0, 86_399] {
            let zone = FixedOffset::east_opt(seconds).unwrap();
            assert!(outcome::<Moment<Utc>>(far.with_timezone(&zone)).is_err());
        }
    }
    assert!(outcome::<TimeDelta>(chrono::TimeDelta::MAX).is_err());

    // Fractions of a microsecond are cut off; a leap second ends early.
    let fine = NaiveTime::from_hms_nano_opt(1, 2, 3, 4_999).unwrap();
    assert_eq!(outcome::<Time>(fine).unwrap().microsecond, 4);
    let leap = NaiveTime::from_hms_nano_opt(23, 59, 59, 1_500_000_000).unwrap();
    assert_eq!(outcome::<Time>(leap).unwrap().microsecond, 999_999);
    let delta = |nanos| outcome::<TimeDelta>(chrono::TimeDelta::nanoseconds(nanos)).unwrap();
    assert_eq!((delta(999), delta(-999)), Default::default());
}

#[cfg(feature = "jiff")]
#[test]
fn what_does_not_fit_jiff_or_python_is_an_error() {
    use jiff::civil::{self, date as day};
    use jiff::tz::{self, Offset};
    use jiff::{SignedDuration, Timestamp, ZonedDateTime};
    let utc = Time { tz: Some(TimeZone::UTC), ..NOON };
    let moment = |time| DateTime { date: date(2026, 10, 25), time };
    let no_zone = "expected a time without a timezone, found a datetime.time at root";
    assert_eq!(outcome::<civil::Time>(utc.clone()).unwrap_err(), no_zone);
    let no_zone = "expected a datetime without a timezone, found a datetime.datetime at root";
    assert_eq!(outcome::<civil::DateTime>(moment(utc)).unwrap_err(), no_zone);
    let zone = "expected a datetime with a timezone, found a datetime.datetime at root";
    assert_eq!(outcome::<Timestamp>(moment(NOON)).unwrap_err(), zone);
    assert_eq!(outcome::<ZonedDateTime>(moment(NOON)).unwrap_err(), zone);
    let error = outcome::<tz::TimeZone>(zone_info("Mars/Olympus")).unwrap_err();
    assert_eq!(error, "Mars/Olympus is no timezone that jiff knows at root");
    let offset = TimeDelta { days: 0, seconds: 1, microseconds: 1 };
    let error = outcome::<tz::TimeZone>(TimeZone { offset, name: None }).unwrap_err();
    assert!(error.ends_with("is no offset of whole seconds at root"), "{error}");

    let error = outcome::<civil::Date>(day(0, 12, 31)).unwrap_err();
    assert_eq!(error, "0-12-31 is no date");
    assert!(outcome::<civil::DateTime>(civil::DateTime::MIN).is_err());
    assert!(outcome::<Timestamp>(Timestamp::MIN).is_err());
    let far = Time { tz: Some(self::zone(-86_399, None)), ..NOON };
    assert!(outcome::<Timestamp>(DateTime { date: date(9999, 12, 31), time: far }).is_err());
    let day = tz::TimeZone::fixed(Offset::from_seconds(86_400).unwrap());
    assert!(outcome::<tz::TimeZone>(day).unwrap_err().contains("a day or more"));
    for nameless in
        [tz::TimeZone::unknown(), tz::TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap()]
    {
        let error = outcome::<tz::TimeZone>(nameless).unwrap_err();
        assert!(error.ends_with("is no timezone of Python: it has no name"), "{error}");
    }
    assert!(outcome::<TimeDelta>(SignedDuration::MAX).is_err());
    assert!(outcome::<TimeDelta>(SignedDuration::MIN).is_err());

    // Protocols that have no fold have the earlier moment, as of CPython.
    let later = civil::date(2026, 10, 25).at(2, 30, 0, 0);
    let vienna = tz::TimeZone::get("Europe/Vienna").unwrap();
    let later = vienna.to_ambiguous_zoned_datetime(later).later().unwrap();
    for protocol in 0..=5 {
        let data = Pickler::new().protocol(protocol).to_vec(&later).unwrap();
        let read: ZonedDateTime = from_slice(&data).unwrap();
        let off = later.timestamp().as_second() - read.timestamp().as_second();
        assert_eq!(off, if protocol > 3 { 0 } else { 3600 });
    }

    // jiff has one UTC.
    let utc: tz::TimeZone = outcome(zone_info("UTC")).unwrap();
    assert_eq!(outcome::<TzInfo>(utc).unwrap(), TzInfo::TimeZone(TimeZone::UTC));

    // Fractions of a microsecond are cut off.
    assert_eq!(outcome::<Time>(civil::time(1, 2, 3, 4_999)).unwrap().microsecond, 4);
    let delta = |nanos| outcome::<TimeDelta>(SignedDuration::from_nanos(nanos)).unwrap();
    assert_eq!((delta(999), delta(-999)), Default::default());
}

/// Numbers and names that are shared are copied for each reference: that is charged, as text is.
#[test]
fn what_is_copied_is_charged() {
    let limit = halfsour::ErrorKind::Limit { what: "expansion", limit: 16 };
    let shared = |first: &[u8]| {
        let references = b"h\0".repeat(40_000);
        [b"\x80\x04](", first, b"q\0", &references, b"e."].concat()
    };
    let number = shared(&[b"\x8b\0\0\x01\0".as_slice(), &[1; 0x1_0000]].concat());
    assert_eq!(from_slice::<Vec<num_bigint::BigInt>>(&number).unwrap_err().kind(), &limit);
    let name = shared(&[b"c".as_slice(), &[b'm'; 0x1_0000], b"\nC\n"].concat());
    assert_eq!(from_slice::<Vec<Name>>(&name).unwrap_err().kind(), &limit);
    let error = shared(&[b"c".as_slice(), &[b'm'; 0x1_0000], b"\nC\n)R"].concat());
    assert_eq!(from_slice::<Vec<Exception<i64>>>(&error).unwrap_err().kind(), &limit);
}

/// Dispatch tables and persistent ids know the types of this module, and those of other crates.
#[test]
fn hooks_are_asked() {
    use halfsour::{DispatchTable, Pickler, Reduced};
    let mut table = DispatchTable::new();
    table.register(|price: &Decimal| {
        Reduced::call(halfsour::Global::new("shop", "Price")).arg(price.0.clone())
    });
    let prices = vec![Decimal("9.90".into())];
    let data = Pickler::new().protocol(0).dispatch_table(table).to_vec(&prices).unwrap();
    assert_eq!(data, b"(lp0\ncshop\nPrice\np1\n(V9.90\np2\ntp3\nRp4\na.");
    let mut by_id = Pickler::new().protocol(0).persistent_id(|value| match value {
        value if value.is::<Uuid>() => Some(Box::new("row 1")),
        value if value.is::<Date>() => Some(Box::new("row 2")),
        value if value.is::<Name>() => Some(Box::new("row 3")),
        _ => None,
    });
    let rows = (Uuid { int: 7, is_safe: None }, date(2026, 11, 28), Name::new("app", "Color"), 4);
    assert_eq!(by_id.to_vec(&rows).unwrap(), b"(Prow 1\nProw 2\nProw 3\nI4\ntp0\n.");
    #[cfg(feature = "num-bigint")]
    {
        let mut by_id = Pickler::new().protocol(0).persistent_id(|value| {
            value.is::<num_bigint::BigInt>().then(|| Box::new("row 4") as Box<dyn ToPickle>)
        });
        assert_eq!(by_id.to_vec(&num_bigint::BigInt::from(4)).unwrap(), b"Prow 4\n.");
    }
}

/// The drive of a path is found once, not for each of its parts.
#[test]
fn paths_with_a_long_drive() {
    let take = |server: usize| {
        let drive = format!("//{}/share", "a".repeat(server));
        let text = [b"X", &(drive.len() as u32).to_le_bytes()[..], drive.as_bytes()].concat();
        let data = [b"cpathlib\nPureWindowsPath\n(", &*text, &b"U\x01x".repeat(20_000), b"tR."];
        let start = std::time::Instant::now();
        let path: Path = halfsour::from_slice(&data.concat()).unwrap();
        assert!(path.path == drive + &r"\x".repeat(20_000));
        start.elapsed()
    };
    let (short, long) = (take(1), take(200_000));
    assert!(long < 20 * short, "{long:?}, {short:?}");
}
