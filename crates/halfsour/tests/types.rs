//! The standard library's types, as CPython writes and reads them.

mod common;

use std::fmt::Debug;

use common::{PACK, python, unpack, version};
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
        case("timezone.utc", TimeZone::UTC),
        case("(timezone.utc, timezone(timedelta(0)))", (TimeZone::UTC, zone(0, None))),
        case("timezone(timedelta(0), 'Z')", zone(0, Some("Z"))),
        case("timezone(timedelta(hours=2))", zone(7200, None)),
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
def noted(error, **attrs):
    error.__dict__.update(attrs)
    return error
";

fn exprs(cases: &[Case]) -> String {
    format!(
        "exprs = [{}]\n",
        cases.iter().map(|case| format!("{:?},", case.expr)).collect::<String>()
    )
}

#[test]
fn what_python_writes_is_read_and_written_the_same() {
    let cases = cases();
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
    let cases = cases();
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
}

#[test]
fn what_python_refuses_is_not_written() {
    fn refused<T: ToPickle>(value: T) -> String {
        halfsour::to_vec(&value).unwrap_err().to_string()
    }
    assert_eq!(refused(date(2026, 13, 1)), "2026-13-1 is no date");
    assert_eq!(refused(date(2100, 2, 29)), "2100-2-29 is no date");
    assert_eq!(refused(Time { second: 60, ..NOON }), "12:0:60.000000 is no time");
    assert_eq!(refused(Decimal("one".into())), "one is no decimal number");
    assert_eq!(refused(Fraction { numerator: 1, denominator: 0 }), "1/0 is no fraction");
    assert_eq!(refused(Range { start: 0, stop: 0, step: 0 }), "0 is no step of a range");
    let far = TimeDelta { days: 2, seconds: 0, microseconds: 0 };
    assert!(refused(TimeZone { offset: far, name: None }).contains("a day or more"));
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
