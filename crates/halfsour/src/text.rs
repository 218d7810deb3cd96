//! Text as Python reads and writes it: `repr`, and the codecs that pickles use.
//!
//! A Python string may hold lone surrogates, so text is bytes here: UTF-8 that lets them through,
//! Python's `surrogatepass`.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use crate::unicode::is_printable;

/// `repr(str)` of checked text.
pub(crate) fn repr_str(text: &[u8]) -> String {
    quoted(&code_points(text), is_printable)
}

/// `ascii(str)` of a text given in Latin-1.
pub(crate) fn ascii_latin1(text: &[u8]) -> String {
    quoted(&text.iter().map(|&byte| byte.into()).collect::<Vec<u32>>(), |code| code < 0x80)
}

/// `repr(bytes)`
pub(crate) fn repr_bytes(bytes: &[u8]) -> String {
    let codes: Vec<u32> = bytes.iter().map(|&byte| byte.into()).collect();
    format!("b{}", quoted(&codes, |code| code < 0x80))
}

/// Of a value that errors show, so many bytes of text, or items of a tuple, are shown.
pub(crate) const SHOWN: usize = 60;

/// Python's `repr` of text or bytes, cut where it is long.
pub(crate) fn cut(bytes: &[u8], repr: impl Fn(&[u8]) -> String) -> String {
    if bytes.len() <= SHOWN {
        return repr(bytes);
    }
    // Not within a character.
    let end = (0..=SHOWN).rev().find(|end| bytes[*end] & 0xc0 != 0x80).unwrap_or(0);
    repr(&bytes[..end]) + "..."
}

fn quoted(codes: &[u32], shown: impl Fn(u32) -> bool) -> String {
    let has = |quote| codes.contains(&u32::from(quote));
    let quote = if has('\'') && !has('"') { '"' } else { '\'' };
    let mut text = String::with_capacity(codes.len() + 2);
    text.push(quote);
    for &code in codes {
        match char::from_u32(code) {
            Some('\\') => text.push_str("\\\\"),
            Some('\t') => text.push_str("\\t"),
            Some('\n') => text.push_str("\\n"),
            Some('\r') => text.push_str("\\r"),
            Some(char) if char == quote => text.extend(['\\', quote]),
            Some(char) if (' '..='~').contains(&char) || code > 0x7f && shown(code) => {
                text.push(char);
            }
            _ => {
                let _ = match code {
                    0..0x100 => write!(text, "\\x{code:02x}"),
                    0x100..0x1_0000 => write!(text, "\\u{code:04x}"),
                    _ => write!(text, "\\U{code:08x}"),
                };
            }
        }
    }
    text.push(quote);
    text
}

/// The code points of checked text, surrogates among them.
pub(crate) fn code_points(text: &[u8]) -> Vec<u32> {
    let mut codes = Vec::with_capacity(text.len());
    for &byte in text {
        match byte {
            0..0x80 => codes.push(byte.into()),
            0x80..0xc0 => {
                if let Some(code) = codes.last_mut() {
                    *code = *code << 6 | u32::from(byte & 0x3f);
                }
            }
            0xc0..0xe0 => codes.push((byte & 0x1f).into()),
            0xe0..0xf0 => codes.push((byte & 0x0f).into()),
            _ => codes.push((byte & 0x07).into()),
        }
    }
    codes
}

/// Appends a code point, a surrogate too.
fn push_code(text: &mut Vec<u8>, code: u32) {
    match char::from_u32(code) {
        Some(char) => text.extend(char.encode_utf8(&mut [0; 4]).bytes()),
        None => text.extend([
            0xe0 | (code >> 12) as u8,
            0x80 | (code >> 6 & 0x3f) as u8,
            0x80 | (code & 0x3f) as u8,
        ]),
    }
}

/// Latin-1 as a string.
pub(crate) fn latin1(text: &[u8]) -> String {
    text.iter().map(|&byte| char::from(byte)).collect()
}

/// Latin-1 to UTF-8.
pub(crate) fn from_latin1(text: &[u8]) -> Vec<u8> {
    latin1(text).into()
}

/// Whether bytes are UTF-8, perhaps with surrogates; else what CPython says about it.
pub(crate) fn check_utf8(text: &[u8], surrogates: bool) -> Result<(), String> {
    let mut start = 0;
    while let Err(error) = str::from_utf8(&text[start..]) {
        let place = start + error.valid_up_to();
        if surrogates && matches!(text[place..], [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..]) {
            start = place + 3;
            continue;
        }
        let (len, why) = match error.error_len() {
            None => (text.len() - place, "unexpected end of data"),
            Some(len) if len == 1 && !matches!(text[place], 0xc2..=0xf4) => {
                (1, "invalid start byte")
            }
            Some(len) => (len, "invalid continuation byte"),
        };
        return Err(if len == 1 {
            let byte = text[place];
            format!("'utf-8' codec can't decode byte 0x{byte:02x} in position {place}: {why}")
        } else {
            let last = place + len - 1;
            format!("'utf-8' codec can't decode bytes in position {place}-{last}: {why}")
        });
    }
    Ok(())
}

/// `codecs.escape_decode`: the escapes of a bytes literal.
pub(crate) fn escape_decode(text: &[u8]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let [escape, tail @ ..] = rest else { return Err("Trailing \\ in string".into()) };
        rest = tail;
        match escape {
            b'\n' => {}
            b'\\' | b'\'' | b'"' => bytes.push(*escape),
            b'b' => bytes.push(0x08),
            b'f' => bytes.push(0x0c),
            b't' => bytes.push(b'\t'),
            b'n' => bytes.push(b'\n'),
            b'r' => bytes.push(b'\r'),
            b'v' => bytes.push(0x0b),
            b'a' => bytes.push(0x07),
            b'0'..=b'7' => {
                let mut value = escape - b'0';
                for _ in 0..2 {
                    let [digit @ b'0'..=b'7', tail @ ..] = rest else { break };
                    // Beyond 0o377 the high bit falls away, as in CPython.
                    value = value << 3 | (digit - b'0');
                    rest = tail;
                }
                bytes.push(value);
            }
            b'x' => match rest {
                [high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                    bytes.push((hex(*high) << 4 | hex(*low)) as u8);
                    rest = tail;
                }
                _ => {
                    let place = text.len() - rest.len() - 2;
                    return Err(format!("invalid \\x escape at position {place}"));
                }
            },
            _ => bytes.extend([b'\\', *escape]),
        }
    }
    Ok(bytes)
}

/// `str(text, 'raw-unicode-escape')`: Latin-1 in which only `\u` and `\U` are escapes.
pub(crate) fn raw_unicode_escape(text: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let place = text.len() - rest.len();
        rest = tail;
        let (digits, why) = match (first, rest.first()) {
            (b'\\', Some(b'u')) => (4, "truncated \\uXXXX escape"),
            (b'\\', Some(b'U')) => (8, "truncated \\UXXXXXXXX escape"),
            (b'\\', Some(second)) => {
                // A backslash takes the next byte along: a doubled one begins no escape.
                out.push(b'\\');
                push_code(&mut out, u32::from(*second));
                rest = &rest[1..];
                continue;
            }
            _ => {
                push_code(&mut out, u32::from(*first));
                continue;
            }
        };
        rest = &rest[1..];
        let valid = rest.iter().take(digits).take_while(|byte| byte.is_ascii_hexdigit()).count();
        let code = rest[..valid].iter().fold(0u32, |code, digit| code << 4 | hex(*digit));
        let why = match code {
            _ if valid < digits => why,
            0x11_0000.. => "\\Uxxxxxxxx out of range",
            _ => {
                push_code(&mut out, code);
                rest = &rest[valid..];
                continue;
            }
        };
        let last = place + 1 + valid;
        return Err(format!(
            "'rawunicodeescape' codec can't decode bytes in position {place}-{last}: {why}"
        ));
    }
    Ok(out)
}

/// The value of a hexadecimal digit.
fn hex(digit: u8) -> u32 {
    char::from(digit).to_digit(16).unwrap_or(0)
}

/// What C sees of a line: it ends at the first NUL.
pub(crate) fn c_str(line: &[u8]) -> &[u8] {
    line.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// The `repr` with which CPython's number parsers name a line: as C sees it, with its `'\n'`.
pub(crate) fn repr_line(line: &[u8]) -> String {
    let text = c_str(line);
    let mut shown = from_latin1(text);
    if text.len() == line.len() {
        shown.push(b'\n');
    }
    repr_str(&shown)
}
