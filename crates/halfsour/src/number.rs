//! Numbers as Python reads and writes them.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::string::ToString;
use alloc::vec::Vec;

/// CPython's limit for conversions between integers and decimal text, which take quadratic time.
pub(crate) const MAX_DIGITS: usize = 4300;

/// Why a text is no integer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadInt {
    /// It is no decimal number.
    Literal,
    /// It has so many digits, too many.
    Digits {
        /// As many as these.
        found: usize,
        /// Where so many are allowed.
        most: usize,
    },
}

impl BadInt {
    /// What `int()` says of a text, given the `repr` for its type.
    pub(crate) fn text(&self, text: &[u8], repr: impl FnOnce(&[u8]) -> String) -> String {
        match self {
            BadInt::Literal => {
                // CPython cuts twice: the text, and what it shows of it.
                let shown: String = repr(&text[..text.len().min(200)]).chars().take(200).collect();
                format!("invalid literal for int() with base 10: {shown}")
            }
            BadInt::Digits { found, most } => format!(
                "Exceeds the limit ({most} digits) for integer string conversion: value has \
                 {found} digits; use sys.set_int_max_str_digits() to increase the limit"
            ),
        }
    }
}

/// An integer of any size.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Integer {
    /// One that fits.
    Small(i64),
    /// One that does not: little-endian two's complement, no byte more than needed.
    Big(Box<[u8]>),
}

/// Whether Python strips a byte around a number.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_space(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_space(*last)
    {
        text = rest;
    }
    text
}

/// Underscores taken out, if each stands between two digits.
fn without_underscores(text: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(text.len());
    let mut previous = b'_';
    for (place, &byte) in text.iter().enumerate() {
        if byte == b'_' {
            let next = text.get(place + 1).is_some_and(u8::is_ascii_digit);
            if !previous.is_ascii_digit() || !next {
                return None;
            }
        } else {
            plain.push(byte);
        }
        previous = byte;
    }
    Some(plain)
}

/// `int(text)`, of at most `most` digits.
pub(crate) fn parse_int(text: &[u8], most: usize) -> Result<Integer, BadInt> {
    let (negative, digits) = match trim(text) {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(|&byte| byte.is_ascii_digit() || byte == b'_') {
        return Err(BadInt::Literal);
    }
    let digits = without_underscores(digits).ok_or(BadInt::Literal)?;
    if digits.len() > most {
        return Err(BadInt::Digits { found: digits.len(), most });
    }
    // Base 2^32, the lowest first.
    let mut limbs: Vec<u32> = Vec::with_capacity(digits.len() / 9 + 1);
    for chunk in digits.chunks(9) {
        let scale = 10u64.pow(chunk.len() as u32);
        let mut carry = chunk.iter().fold(0, |value, byte| value * 10 + u64::from(byte - b'0'));
        for limb in &mut limbs {
            let value = u64::from(*limb) * scale + carry;
            *limb = value as u32;
            carry = value >> 32;
        }
        if carry != 0 {
            limbs.push(carry as u32);
        }
    }
    let mut bytes: Vec<u8> = limbs.iter().flat_map(|limb| limb.to_le_bytes()).collect();
    bytes.push(0);
    if negative {
        negate(&mut bytes);
    }
    Ok(Integer::from_le_bytes(&bytes))
}

/// The two's complement.
fn negate(bytes: &mut [u8]) {
    let mut carry = true;
    for byte in bytes {
        (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
    }
}

impl Integer {
    /// From little-endian two's complement, empty for zero.
    pub(crate) fn from_le_bytes(mut bytes: &[u8]) -> Integer {
        while let [rest @ .., below, last] = bytes
            && (*last == 0 && *below < 0x80 || *last == 0xff && *below >= 0x80)
        {
            bytes = &bytes[..rest.len() + 1];
        }
        let fill = if bytes.last().is_some_and(|last| *last >= 0x80) { 0xff } else { 0 };
        let mut small = [fill; 8];
        match small.get_mut(..bytes.len()) {
            Some(low) => {
                low.copy_from_slice(bytes);
                Integer::Small(i64::from_le_bytes(small))
            }
            None => Integer::Big(bytes.into()),
        }
    }

    /// `repr(int)`, `None` if that has more than [`MAX_DIGITS`] digits.
    pub(crate) fn repr(&self) -> Option<String> {
        let bytes = match self {
            Integer::Small(value) => return Some(value.to_string()),
            Integer::Big(bytes) => bytes,
        };
        // Each byte is worth more than two digits: do not even begin with what is far too long.
        if bytes.len() > MAX_DIGITS / 2 {
            return None;
        }
        let mut magnitude = bytes.to_vec();
        let negative = magnitude.last().is_some_and(|last| *last >= 0x80);
        if negative {
            negate(&mut magnitude);
        }
        magnitude.resize(magnitude.len().next_multiple_of(4), 0);
        let mut limbs: Vec<u32> =
            magnitude.as_chunks().0.iter().map(|chunk| u32::from_le_bytes(*chunk)).collect();
        // Base 10^9, the lowest first.
        let mut chunks = Vec::new();
        while let Some(0) = limbs.last() {
            limbs.pop();
        }
        while !limbs.is_empty() {
            let mut rest = 0u64;
            for limb in limbs.iter_mut().rev() {
                let value = rest << 32 | u64::from(*limb);
                *limb = (value / 1_000_000_000) as u32;
                rest = value % 1_000_000_000;
            }
            chunks.push(rest);
            while let Some(0) = limbs.last() {
                limbs.pop();
            }
        }
        let mut text = String::from(if negative { "-" } else { "" });
        let mut chunks = chunks.iter().rev();
        text.push_str(&chunks.next().map_or_else(|| "0".into(), u64::to_string));
        chunks.for_each(|chunk| text.push_str(&format!("{chunk:09}")));
        (text.len() <= MAX_DIGITS + usize::from(negative)).then_some(text)
    }
}

/// An integer of at most 128 bits.
pub(crate) enum Wide {
    Signed(i128),
    /// One that is too large for a signed one.
    Unsigned(u128),
}

/// The float of half the precision, rounded, unless that would be infinite instead.
pub(crate) fn single(value: f64) -> Option<f32> {
    let single = value as f32;
    (single.is_finite() || !value.is_finite()).then_some(single)
}

/// Whether it is a float of half the precision.
pub(crate) fn is_single(value: f64) -> bool {
    f64::from(value as f32) == value
}

/// What [`Integer::Big`] holds, if 128 bits can hold it.
pub(crate) fn wide(bytes: &[u8]) -> Option<Wide> {
    let last = *bytes.last()?;
    if let [low @ .., 0] = bytes
        && let Ok(low) = <[u8; 16]>::try_from(low)
    {
        return Some(Wide::Unsigned(u128::from_le_bytes(low)));
    }
    let mut whole = [if last >= 0x80 { 0xff } else { 0 }; 16];
    whole.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(Wide::Signed(i128::from_le_bytes(whole)))
}

/// The float that an integer is, in little-endian two's complement; `None` if there is none.
pub(crate) fn exact_float(bytes: &[u8]) -> Option<f64> {
    // 2^1024 is too much, and the last byte may be for the sign alone.
    if bytes.len() > 129 {
        return None;
    }
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    // The 53 bits of a float are in seven or eight bytes.
    let Integer::Small(high) = Integer::from_le_bytes(&bytes[zeros..]) else { return None };
    let bits = i64::BITS - (high.unsigned_abs() >> high.trailing_zeros().min(63)).leading_zeros();
    // A power of two, of which the exponent is all there is to say.
    let power = f64::from_bits((1023 + 8 * zeros as u64).min(0x7ff) << 52);
    let float = high as f64 * power;
    (bits <= f64::MANTISSA_DIGITS && float.is_finite()).then_some(float)
}

/// The integer that a float of at least 2^53 is, as [`Integer::Big`] holds it; `None` for infinity.
pub(crate) fn exact_integer(value: f64) -> Option<Box<[u8]>> {
    let bits = value.to_bits();
    let exponent = (bits >> 52 & 0x7ff) as usize;
    if exponent == 0x7ff || exponent < 1075 {
        return None;
    }
    let (mantissa, shift) = (bits & ((1 << 52) - 1) | 1 << 52, exponent - 1075);
    let mut bytes = vec![0; shift / 8];
    bytes.extend_from_slice(&(u128::from(mantissa) << (shift % 8)).to_le_bytes());
    if value < 0.0 {
        negate(&mut bytes);
    }
    match Integer::from_le_bytes(&bytes) {
        Integer::Big(bytes) => Some(bytes),
        Integer::Small(value) => Some(value.to_le_bytes().into()),
    }
}

/// `float(text)`
pub(crate) fn parse_float(text: &[u8]) -> Option<f64> {
    let plain = without_underscores(trim(text))?;
    // Rust takes what Python takes, and nothing else: digits, exponents, inf, infinity and nan.
    str::from_utf8(&plain).ok()?.parse().ok()
}

/// `repr(float)`
pub(crate) fn repr_float(value: f64) -> String {
    if value.is_nan() {
        return "nan".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.into();
    }
    // Rust's shortest digits are as many as Python's, but not always the nearest: where two are
    // equally near Python takes the even one. Rounding to that many digits does that, though next
    // to a power of two the nearest digits may stand for another float.
    let shortest = format!("{value:e}");
    let digits = shortest.bytes().take_while(|byte| *byte != b'e');
    let digits = digits.filter(u8::is_ascii_digit).count();
    let nearest = format!("{value:.*e}", digits - 1);
    let nearest = if nearest.parse() == Ok(value) { nearest } else { shortest };
    let (mantissa, exponent) = nearest.split_once('e').unwrap_or((&nearest, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent @ -4..16) => {
            let decimals = (digits as i32 - 1 - exponent).max(1) as usize;
            format!("{value:.decimals$}")
        }
        Ok(exponent) if exponent < 0 => format!("{mantissa}e-{:02}", -exponent),
        _ => format!("{mantissa}e+{exponent:0>2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        for (text, repr) in [
            ("0", "0"),
            ("-0", "0"),
            (" +1_0\x0b", "10"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("9223372036854775808", "9223372036854775808"),
            ("-9223372036854775809", "-9223372036854775809"),
            ("000123456789012345678901234567890", "123456789012345678901234567890"),
            ("-1000000000000000000000000000", "-1000000000000000000000000000"),
        ] {
            assert_eq!(parse_int(text.as_bytes(), MAX_DIGITS).unwrap().repr().unwrap(), repr);
        }
        for text in ["", "-", "1__0", "_1", "1_", "- 1", "0x1", "1L", "1\0"] {
            assert_eq!(parse_int(text.as_bytes(), MAX_DIGITS), Err(BadInt::Literal), "{text:?}");
        }
        assert_eq!(
            parse_int(&[b'7'; 4301], MAX_DIGITS),
            Err(BadInt::Digits { found: 4301, most: 4300 })
        );
        assert!(parse_int(&[b'7'; 4300], MAX_DIGITS).unwrap().repr().is_some());
        assert_eq!(Integer::from_le_bytes(&[0xff; 12]), Integer::Small(-1));
        assert_eq!(Integer::from_le_bytes(&[0x80, 0]), Integer::Small(128));
        assert_eq!(Integer::from_le_bytes(&[]), Integer::Small(0));
        assert_eq!(Integer::from_le_bytes(&[1; 5000]).repr(), None);
    }

    #[test]
    fn floats_that_are_integers() {
        for (value, digits) in [
            (9223372036854775808.0, "9223372036854775808"),
            (-18446744073709551616.0, "-18446744073709551616"),
            (1e23, "99999999999999991611392"),
            (-1e22, "-10000000000000000000000"),
        ] {
            let Ok(Integer::Big(bytes)) = parse_int(digits.as_bytes(), MAX_DIGITS) else {
                panic!()
            };
            assert_eq!(exact_integer(value), Some(bytes), "{digits}");
        }
        for value in [0.0, 1.0, -3.0, 9007199254740991.0, -9007199254740994.0] {
            assert_eq!(exact_float(&(value as i64).to_le_bytes()), Some(value));
        }
        for value in [2_f64.powi(63), -(2_f64.powi(64)), 1e23, -1e22, 2_f64.powi(200), f64::MAX] {
            assert_eq!(exact_float(&exact_integer(value).unwrap()), Some(value));
            assert_eq!(exact_float(&exact_integer(-value).unwrap()), Some(-value));
        }
        for digits in ["9007199254740993", "-9007199254740993", "18446744073709551617"] {
            let bytes = match parse_int(digits.as_bytes(), MAX_DIGITS).unwrap() {
                Integer::Small(value) => value.to_le_bytes().into(),
                Integer::Big(bytes) => bytes,
            };
            assert_eq!(exact_float(&bytes), None, "{digits}");
        }
        let too_large = [vec![0; 128], vec![1]].concat();
        assert_eq!(exact_float(&too_large), None);
        assert_eq!(exact_float(&[vec![0; 127], vec![255; 1000]].concat()), None);
        assert_eq!(exact_integer(f64::INFINITY), None);
        assert_eq!(exact_integer(1.5), None);
        assert_eq!(exact_integer(f64::MAX).unwrap().len(), 129);
    }

    #[test]
    fn floats() {
        for (value, repr) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.2345678901234568e17, "1.2345678901234568e+17"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.5e300, "1.5e+300"),
            (5e-324, "5e-324"),
            (1_000_000_000_000_008.0 + 0.25, "1000000000000008.2"),
            (123456.0, "123456.0"),
            (f64::from_bits(1 << 60), "1.2882297539194267e-231"),
            (-f64::from_bits(0x0100 << 48), "-7.291122019556398e-304"),
            (f64::NEG_INFINITY, "-inf"),
            (-f64::NAN, "nan"),
        ] {
            assert_eq!(repr_float(value), repr);
        }
        assert_eq!(parse_float(b" 1_0.5 "), Some(10.5));
        assert_eq!(parse_float(b"-Infinity"), Some(f64::NEG_INFINITY));
        for text in ["", ".", "1e", "0x1p3", "_1.", "1._5", "1\0"] {
            assert_eq!(parse_float(text.as_bytes()), None, "{text:?}");
        }
    }
}
