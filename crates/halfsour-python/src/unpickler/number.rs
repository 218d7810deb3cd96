//! Decimal text, as the opcodes of protocol 0 have it.

use crate::ffi::builtins::as_ssize;
use crate::ffi::error::{Exc, Raised, clear, raise};
use crate::ffi::{Float, Int, Obj, Object, PyResult};
use crate::version::Version;

/// The argument of INT, its line without the `'\n'`.
///
/// C's strtol goes first, and Python's own parser, which knows underscores and any size, where that
/// does not take the whole line.
pub(super) fn int(line: &[u8], version: &Version) -> PyResult<Obj> {
    let Some(value) = strtol(line, version.int_base == 0) else {
        return Int::parse(&with_newline(line), version.int_base).map_err(|Raised| {
            clear();
            raise(&Exc::ValueError, "could not convert string to int")
        });
    };
    let spells_bool = match line {
        [b'0', b'0' | b'1'] => true,
        [_, _] => version.short_int_is_bool && matches!(value, 0 | 1),
        _ => false,
    };
    if spells_bool { Ok(Object::bool(value != 0).own()) } else { Int::new(value) }
}

/// The argument of LONG, its line without the `'\n'`.
pub(super) fn long(line: &[u8], version: &Version) -> PyResult<Obj> {
    match line {
        [digits @ .., b'L'] => Int::parse(digits, version.int_base),
        _ => Int::parse(&with_newline(line), version.int_base),
    }
}

/// The argument of FLOAT, its line without the `'\n'`.
pub(super) fn float(line: &[u8]) -> PyResult<Obj> {
    let (value, end) = Float::parse(&with_newline(line))?;
    match line.get(end) {
        None | Some(b'\n' | 0) => Float::new(value),
        Some(_) => Err(raise(&Exc::ValueError, "could not convert string to float")),
    }
}

/// The index that GET and PUT name, their line without the `'\n'`.
pub(super) fn memo_index(line: &[u8]) -> PyResult<i64> {
    if line.len() < 19 && line.iter().all(u8::is_ascii_digit) && !line.is_empty() {
        return Ok(line.iter().fold(0, |n, &digit| n * 10 + i64::from(digit - b'0')));
    }
    as_ssize(&*Int::parse(&with_newline(line), 10)?)
}

/// The line as C sees it: where it is no number, Python's message quotes the `'\n'` too.
fn with_newline(line: &[u8]) -> Vec<u8> {
    [line, b"\n"].concat()
}

/// What C's strtol makes of a line, if it takes it to its end (or to a NUL) and the value fits.
fn strtol(line: &[u8], c_prefixes: bool) -> Option<i64> {
    let is_end = |rest: &[u8]| matches!(rest, [] | [b'\n' | 0, ..]);
    let start = line.iter().position(|byte| !matches!(byte, b' ' | b'\t'..=b'\r'));
    let text = &line[start.unwrap_or(line.len())..];
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let (base, text) = match text {
        [b'0', b'x' | b'X', rest @ ..]
            if c_prefixes && rest.first().is_some_and(u8::is_ascii_hexdigit) =>
        {
            (16, rest)
        }
        [b'0', ..] if c_prefixes => (8, text),
        _ => (10, text),
    };
    let digits = text.iter().take_while(|&&byte| char::from(byte).is_digit(base)).count();
    if digits == 0 {
        // No number at all: nothing is taken, and the value is zero.
        return is_end(line).then_some(0);
    }
    let (digits, rest) = text.split_at(digits);
    if !is_end(rest) {
        return None;
    }
    digits.iter().try_fold(0i64, |value, &byte| {
        let digit = i64::from(char::from(byte).to_digit(base)?);
        let value = value.checked_mul(base.into())?;
        if negative { value.checked_sub(digit) } else { value.checked_add(digit) }
    })
}
