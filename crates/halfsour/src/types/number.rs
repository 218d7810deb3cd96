//! `decimal.Decimal`, `fractions.Fraction`, `complex`, `range` and `slice`: numbers that are calls.

use super::{args, as_any, classes, invalid, next, next_item};
use crate::error::Error;
use crate::typed::{FromPickle, Item};
use crate::writer::{Global, ToPickle, Writer};

/// `decimal.Decimal`, as the text that Python pickles: `1.50`, `1E+3`, `-Infinity`, `NaN`.
///
/// ```
/// use halfsour::types::Decimal;
/// let price = Decimal("9.90".into());
/// assert_eq!(halfsour::from_slice::<Decimal>(&halfsour::to_vec(&price)?)?, price);
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decimal(pub String);

/// Whether `decimal.Decimal` takes a text, without the spaces, underscores and digits of other
/// scripts that it takes too, but does not write.
fn is_decimal(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text).to_ascii_lowercase();
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if let "inf" | "infinity" = text.as_str() {
        return true;
    }
    if let Some(payload) = text.strip_prefix('s').unwrap_or(&text).strip_prefix("nan") {
        return digits(payload);
    }
    let (number, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let parts = [whole, fraction, unsigned];
    if !parts.into_iter().all(digits) || whole.len() + fraction.len() == 0 {
        return false;
    }
    // Modules/_decimal/libmpdec: `MPD_MAX_EMAX` and `MPD_MIN_ETINY`.
    let Ok(exponent) = exponent.parse::<i64>() else { return false };
    let zeros = whole.bytes().chain(fraction.bytes()).take_while(|digit| *digit == b'0').count();
    let significant = (whole.len() + fraction.len() - zeros).max(1);
    let last = i128::from(exponent) - fraction.len() as i128;
    let first = last + significant as i128 - 1;
    last >= -1_999_999_999_999_999_997 && first <= 999_999_999_999_999_999
}

impl FromPickle<'_> for Decimal {
    fn from_pickle(item: Item<'_, '_>) -> Result<Decimal, Error> {
        let text = next_item(&mut args::<Decimal>(item, 1..=1)?, "value")?;
        match text.str()? {
            value if is_decimal(&value) => Ok(Decimal(value.into_owned())),
            _ => Err(text.expected("a str that spells a decimal number")),
        }
    }
}

impl ToPickle for Decimal {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        if self.0.trim_start_matches(['+', '-']).starts_with(['s', 'S']) {
            out.unhashable("sNaN")?;
        }
        match is_decimal(&self.0) {
            true => out.call(&Global::new("decimal", "Decimal"), &[&Fresh(&self.0)]),
            false => Err(invalid("decimal number", &self.0)),
        }
    }

    as_any!();
}

/// The text of a number, which Python makes anew each time.
struct Fresh<'t>(&'t str);

impl ToPickle for Fresh<'_> {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.fresh_str(self.0)
    }
}

/// `fractions.Fraction`, in lowest terms.
///
/// Written as CPython 3.11 and later do; 3.10 and earlier wrote its text, which is read too.
///
/// ```
/// use halfsour::types::Fraction;
/// let third = Fraction { numerator: 1, denominator: 3 };
/// assert_eq!(halfsour::from_slice::<Fraction>(&halfsour::to_vec(&third)?)?, third);
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fraction {
    /// Above the line, with the sign.
    pub numerator: i128,
    /// Below the line, not 0.
    pub denominator: u128,
}

impl Fraction {
    /// As Python would make it.
    fn reduced(self) -> Result<Fraction, Error> {
        let Fraction { numerator, denominator } = self;
        if denominator == 0 {
            return Err(invalid("fraction", format_args!("{numerator}/0")));
        }
        let (mut gcd, mut rest) = (denominator, numerator.unsigned_abs());
        while rest != 0 {
            (gcd, rest) = (rest, gcd % rest);
        }
        // The quotient is no larger than the numerator was; -2**127 divided by 2**127 is -1.
        let quotient = numerator.unsigned_abs() / gcd;
        let numerator = match numerator < 0 {
            true => 0_i128.wrapping_sub_unsigned(quotient),
            false => quotient as i128,
        };
        Ok(Fraction { numerator, denominator: denominator / gcd })
    }
}

impl FromPickle<'_> for Fraction {
    fn from_pickle(item: Item<'_, '_>) -> Result<Fraction, Error> {
        let mut args = args::<Fraction>(item, 1..=2)?;
        let first = next_item(&mut args, "numerator")?;
        if let Some(second) = args.next() {
            return Fraction { numerator: first.int()?, denominator: second.int()? }.reduced();
        }
        if first.name().is_none() {
            return Fraction { numerator: first.int()?, denominator: 1 }.reduced();
        }
        let text = first.str()?;
        let (above, below) = text.split_once('/').unwrap_or((&text, "1"));
        let parsed = above.parse().ok().zip(below.parse().ok());
        let (numerator, denominator) =
            parsed.ok_or_else(|| first.expected("a str that spells a fraction of 128 bits"))?;
        Fraction { numerator, denominator }.reduced()
    }
}

impl ToPickle for Fraction {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        let Fraction { numerator, denominator } = self.reduced()?;
        out.call(&Global::new("fractions", "Fraction"), &[&numerator, &denominator])
    }

    as_any!();
}

/// `complex`
///
/// ```
/// use halfsour::types::Complex;
/// // pickle.dumps(1 - 2j, 2)
/// let data = b"\x80\x02c__builtin__\ncomplex\nq\0G?\xf0\0\0\0\0\0\0\
///     G\xc0\0\0\0\0\0\0\0\x86q\x01Rq\x02.";
/// let number: Complex = halfsour::from_slice(data)?;
/// assert_eq!(number, Complex { real: 1.0, imag: -2.0 });
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Complex {
    /// The real part.
    pub real: f64,
    /// The imaginary part.
    pub imag: f64,
}

impl FromPickle<'_> for Complex {
    fn from_pickle(item: Item<'_, '_>) -> Result<Complex, Error> {
        let mut args = args::<Complex>(item, 2..=2)?;
        Ok(Complex { real: next(&mut args, "real")?, imag: next(&mut args, "imag")? })
    }
}

impl ToPickle for Complex {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.call(&Global::new("builtins", "complex"), &[&self.real, &self.imag])
    }

    as_any!();
}

/// `range`
///
/// ```
/// use halfsour::types::Range;
/// // pickle.dumps(range(0, 10, 2), 2)
/// let data = b"\x80\x02c__builtin__\nxrange\nq\0K\0K\nK\x02\x87q\x01Rq\x02.";
/// let evens: Range = halfsour::from_slice(data)?;
/// assert_eq!(evens, Range { start: 0, stop: 10, step: 2 });
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    /// The first number.
    pub start: i64,
    /// Where it ends, before this one.
    pub stop: i64,
    /// From one number to the next, not 0.
    pub step: i64,
}

impl Range {
    fn checked(self) -> Result<Range, Error> {
        if self.step == 0 { Err(invalid("step of a range", 0)) } else { Ok(self) }
    }
}

impl FromPickle<'_> for Range {
    fn from_pickle(item: Item<'_, '_>) -> Result<Range, Error> {
        let mut args = args::<Range>(item, 3..=3)?;
        let (start, stop) = (next(&mut args, "start")?, next(&mut args, "stop")?);
        Range { start, stop, step: next(&mut args, "step")? }.checked()
    }
}

impl ToPickle for Range {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        let Range { start, stop, step } = self.checked()?;
        out.call(&Global::new("builtins", "range"), &[&start, &stop, &step])
    }

    as_any!();
}

/// `slice`, of anything; of ints that may be None by default.
///
/// ```
/// use halfsour::types::Slice;
/// // pickle.dumps(slice(None, 5), 2)
/// let data = b"\x80\x02c__builtin__\nslice\nq\0NK\x05N\x87q\x01Rq\x02.";
/// let first: Slice = halfsour::from_slice(data)?;
/// assert_eq!(first, Slice { start: None, stop: Some(5), step: None });
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Slice<T = Option<i64>> {
    /// Where it starts.
    pub start: T,
    /// Where it ends.
    pub stop: T,
    /// From one to the next.
    pub step: T,
}

impl<'a, T: FromPickle<'a>> FromPickle<'a> for Slice<T> {
    fn from_pickle(item: Item<'_, 'a>) -> Result<Slice<T>, Error> {
        let mut args = args::<Slice<T>>(item, 3..=3)?;
        let (start, stop) = (next(&mut args, "start")?, next(&mut args, "stop")?);
        Ok(Slice { start, stop, step: next(&mut args, "step")? })
    }
}

impl<T: ToPickle> ToPickle for Slice<T> {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        let Slice { start, stop, step } = self;
        out.call(&Global::new("builtins", "slice"), &[start, stop, step])
    }
}

classes! {
    "decimal" "Decimal" [] Decimal;
    "fractions" "Fraction" [] Fraction;
    "builtins" "complex" [] Complex;
    "builtins" "range" [] Range;
    "builtins" "slice" [T] Slice<T>;
}
