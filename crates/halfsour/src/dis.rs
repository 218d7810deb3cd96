//! The disassembler: what `pickletools.dis` prints, to the byte.
//!
//! It goes by the opcode table alone: it reads each argument by its [`ArgKind`] and emulates the
//! stack by the [`Kind`]s that each opcode takes and leaves. It is therefore no judge of what a
//! loader would do; frames, for one, are not looked at. Where versions of `pickletools` differ we
//! follow the newest (3.15):
//!
//! - a memo entry may be redefined (an error up to 3.13);
//! - a missing mark is told once (up to 3.13 in the line and in the error);
//! - Python 2 strings are decoded as Latin-1 and shown in ASCII, names as UTF-8 (early 3.13s and those
//!   before want ASCII).

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Write};

use crate::number::{Integer, MAX_DIGITS, parse_float, parse_int, repr_float};
use crate::opcode::{ArgKind, Kind, Opcode};
use crate::text::{
    ascii_latin1, check_utf8, escape_decode, raw_unicode_escape, repr_bytes, repr_str,
};

/// Why a disassembly ended early.
///
/// ```
/// use halfsour::dis::{DisError, dis};
/// let mut out = Vec::new();
/// match dis(b"K\x07", &mut out) {
///     Err(DisError::Invalid(text)) => assert_eq!(text, "pickle exhausted before seeing STOP"),
///     other => panic!("{other:?}"),
/// }
/// assert_eq!(out, b"    0: K    BININT1    7\n");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum DisError {
    /// The pickle makes no sense; with what `pickletools` says about it.
    Invalid(String),
    /// The output failed.
    Output(io::Error),
}

impl fmt::Display for DisError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DisError::Invalid(text) => f.write_str(text),
            DisError::Output(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DisError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            DisError::Invalid(_) => None,
            DisError::Output(error) => Some(error),
        }
    }
}

impl From<io::Error> for DisError {
    fn from(error: io::Error) -> DisError {
        DisError::Output(error)
    }
}

impl From<String> for DisError {
    fn from(text: String) -> DisError {
        DisError::Invalid(text)
    }
}

/// Prints a disassembly of the pickle at the start of `data`.
///
/// Returns how many bytes the pickle has.
///
/// # Errors
/// [`DisError::Invalid`] if the pickle makes no sense; what was understood is printed by then.
///
/// ```
/// let mut out = Vec::new();
/// halfsour::dis::dis(b"(K\x07t.", &mut out)?;
/// let text = r"
///     0: (    MARK
///     1: K        BININT1    7
///     3: t        TUPLE      (MARK at 0)
///     4: .    STOP
/// highest protocol among opcodes = 1
/// ";
/// assert_eq!(String::from_utf8(out).unwrap(), text[1..]);
/// # Ok::<(), halfsour::dis::DisError>(())
/// ```
pub fn dis(data: &[u8], out: &mut dyn Write) -> Result<usize, DisError> {
    Disassembler::new().dis(data, out)
}

/// Disassembles with options, and several pickles with one memo.
///
/// ```
/// use halfsour::dis::Disassembler;
/// let data = b"]q\0.h\0.";
/// let mut disassembler = Disassembler::new().annotate(30);
/// let mut out = Vec::new();
/// let first = disassembler.dis(data, &mut out)?;
/// out.clear();
/// disassembler.dis(&data[first..], &mut out)?; // what the first has put into the memo
/// let text = r"
///     0: h    BINGET     0              Pushes the memo's value at a one-byte index.
///     2: .    STOP                      Ends the pickle; the value on top is what was pickled.
/// highest protocol among opcodes = 1
/// ";
/// assert_eq!(String::from_utf8(out).unwrap(), text[1..]);
/// # Ok::<(), halfsour::dis::DisError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Disassembler {
    indent: usize,
    annotate: usize,
    memo: HashMap<String, Kind>,
}

impl Default for Disassembler {
    fn default() -> Disassembler {
        Disassembler::new()
    }
}

impl Disassembler {
    /// A disassembler as [`dis`] uses it.
    ///
    /// ```
    /// use halfsour::dis::{Disassembler, dis};
    /// let data = b"(K\x07t.";
    /// let (mut one, mut other) = (Vec::new(), Vec::new());
    /// assert_eq!(Disassembler::new().dis(data, &mut one)?, 5);
    /// assert_eq!(dis(data, &mut other)?, 5);
    /// assert_eq!(one, other);
    /// # Ok::<(), halfsour::dis::DisError>(())
    /// ```
    pub fn new() -> Disassembler {
        Disassembler { indent: 4, annotate: 0, memo: HashMap::new() }
    }

    /// Sets by how many blanks a mark indents; 4 if not set.
    ///
    /// ```
    /// use halfsour::dis::Disassembler;
    /// let mut out = Vec::new();
    /// Disassembler::new().indent(1).dis(b"(Nt.", &mut out)?;
    /// let text = r"
    ///     0: (    MARK
    ///     1: N     NONE
    ///     2: t     TUPLE      (MARK at 0)
    ///     3: .    STOP
    /// highest protocol among opcodes = 0
    /// ";
    /// assert_eq!(String::from_utf8(out).unwrap(), text[1..]);
    /// # Ok::<(), halfsour::dis::DisError>(())
    /// ```
    #[must_use]
    pub fn indent(self, indent: usize) -> Disassembler {
        Disassembler { indent, ..self }
    }

    /// Sets from which column on each line says what its opcode does; 0 for not at all.
    ///
    /// The sentences are those of [the table](crate::opcode), not those of `pickletools`.
    ///
    /// ```
    /// use halfsour::dis::Disassembler;
    /// let mut out = Vec::new();
    /// Disassembler::new().annotate(20).dis(b"N.", &mut out)?;
    /// let text = r"
    ///     0: N    NONE            Pushes None.
    ///     1: .    STOP            Ends the pickle; the value on top is what was pickled.
    /// highest protocol among opcodes = 0
    /// ";
    /// assert_eq!(String::from_utf8(out).unwrap(), text[1..]);
    /// # Ok::<(), halfsour::dis::DisError>(())
    /// ```
    #[must_use]
    pub fn annotate(self, column: usize) -> Disassembler {
        Disassembler { annotate: column, ..self }
    }

    /// Forgets what earlier pickles put into the memo.
    ///
    /// ```
    /// use halfsour::dis::Disassembler;
    /// let mut disassembler = Disassembler::new();
    /// disassembler.dis(b"]q\0.", &mut std::io::sink())?;
    /// disassembler.clear_memo();
    /// let error = disassembler.dis(b"h\0.", &mut std::io::sink()).unwrap_err();
    /// assert_eq!(error.to_string(), "memo key 0 has never been stored into");
    /// # Ok::<(), halfsour::dis::DisError>(())
    /// ```
    pub fn clear_memo(&mut self) {
        self.memo.clear();
    }

    /// As [`dis`]. The memo of earlier pickles is still there.
    ///
    /// ```
    /// use halfsour::dis::Disassembler;
    /// let data = b"]q\0.h\0.";
    /// let mut disassembler = Disassembler::new();
    /// let mut out = Vec::new();
    /// assert_eq!(disassembler.dis(data, &mut out)?, 4);
    /// assert_eq!(disassembler.dis(&data[4..], &mut out)?, 3);
    /// # Ok::<(), halfsour::dis::DisError>(())
    /// ```
    ///
    /// # Errors
    /// As [`dis`].
    pub fn dis(&mut self, data: &[u8], out: &mut dyn Write) -> Result<usize, DisError> {
        let mut input = Input { data, place: 0 };
        let mut stack: Vec<Kind> = Vec::new();
        let mut marks: Vec<usize> = Vec::new();
        let mut protocol = 0;
        let mut column = self.annotate;
        loop {
            let place = input.place;
            let opcode = input.opcode()?;
            let info = opcode.info();
            let arg = input.arg(info.arg)?;
            write!(out, "{place:5}: ")?;

            let mut line = format!("{:4} ", code(info.byte));
            line.push_str(&" ".repeat(self.indent * marks.len()));
            line.push_str(info.name);

            protocol = protocol.max(info.protocol);
            let mut after = info.after.to_vec();
            let mut to_pop = info.before.len();
            let mut note = None;
            let mut fault = None;

            // Some opcodes take a mark and all above it; POP may find one.
            let mark = info.before.iter().position(|kind| *kind == Kind::Mark);
            if mark.is_some() || opcode == Opcode::Pop && stack.last() == Some(&Kind::Mark) {
                if let Some(start) = marks.pop() {
                    note = Some(format!("(MARK at {start})"));
                    // DUP may have doubled a mark, so that others find none.
                    let place = stack.iter().rposition(|kind| *kind == Kind::Mark);
                    stack.truncate(place.ok_or_else(|| "list index out of range".to_string())?);
                    to_pop = mark.unwrap_or(0);
                } else {
                    fault = Some("no MARK exists on stack".to_string());
                }
            }

            match opcode {
                Opcode::Put | Opcode::BinPut | Opcode::LongBinPut | Opcode::Memoize => {
                    let key = match &arg {
                        Some(arg) => arg.memo_key()?,
                        None => {
                            note = Some(format!("(as {})", self.memo.len()));
                            self.memo.len().to_string()
                        }
                    };
                    match stack.last() {
                        None => fault = Some("stack is empty -- can't store into memo".into()),
                        Some(Kind::Mark) => {
                            fault = Some("can't store markobject in the memo".into());
                        }
                        Some(kind) => {
                            self.memo.insert(key, *kind);
                        }
                    }
                }
                Opcode::Get | Opcode::BinGet | Opcode::LongBinGet => {
                    if let Some(arg) = &arg {
                        match self.memo.get(&arg.memo_key()?) {
                            Some(kind) => after = vec![*kind],
                            None => {
                                let key = arg.repr()?;
                                fault = Some(format!("memo key {key} has never been stored into"));
                            }
                        }
                    }
                }
                _ => {}
            }

            if arg.is_some() || note.is_some() {
                line = format!("{line}{:1$}", "", 10usize.saturating_sub(info.name.len()));
            }
            if let Some(arg) = &arg {
                line.push(' ');
                line.push_str(&arg.repr()?);
            }
            if let Some(note) = &note {
                line.push(' ');
                line.push_str(note);
            }
            if self.annotate > 0 {
                let width = line.chars().count();
                line = format!("{line}{:1$} {2}", "", column.saturating_sub(width), info.doc);
                column = column.max(width);
                if column > 50 {
                    column = self.annotate;
                }
            }
            writeln!(out, "{line}")?;

            if let Some(fault) = fault {
                return Err(fault.into());
            }
            let Some(rest) = stack.len().checked_sub(to_pop) else {
                return Err(format!(
                    "tries to pop {to_pop} items from stack with only {} items",
                    stack.len()
                )
                .into());
            };
            stack.truncate(rest);
            if after.contains(&Kind::Mark) {
                marks.push(place);
            }
            stack.extend(after);
            if opcode == Opcode::Stop {
                break;
            }
        }
        writeln!(out, "highest protocol among opcodes = {protocol}")?;
        if !stack.is_empty() {
            let names: Vec<&str> = stack.iter().map(|kind| kind.name()).collect();
            return Err(format!("stack not empty after STOP: [{}]", names.join(", ")).into());
        }
        Ok(input.place)
    }
}

/// An opcode's byte as Python shows it in a string.
fn code(byte: u8) -> String {
    if byte.is_ascii_graphic() { char::from(byte).into() } else { format!("\\x{byte:02x}") }
}

/// An argument as a Python value.
enum Arg {
    Int(Integer),
    Bool(bool),
    Float(f64),
    /// Text in UTF-8, surrogates among it.
    Str(Vec<u8>),
    /// A string of Python 2, in Latin-1.
    OldStr(Vec<u8>),
    Bytes(Vec<u8>),
    ByteArray(Vec<u8>),
}

impl Arg {
    fn repr(&self) -> Result<String, String> {
        Ok(match self {
            Arg::Int(value) => value.repr().ok_or_else(|| {
                format!(
                    "Exceeds the limit ({MAX_DIGITS} digits) for integer string conversion; use \
                     sys.set_int_max_str_digits() to increase the limit"
                )
            })?,
            Arg::Bool(value) => if *value { "True" } else { "False" }.into(),
            Arg::Float(value) => repr_float(*value),
            Arg::Str(text) => repr_str(text),
            Arg::OldStr(text) => ascii_latin1(text),
            Arg::Bytes(bytes) => repr_bytes(bytes),
            Arg::ByteArray(bytes) => format!("bytearray({})", repr_bytes(bytes)),
        })
    }

    /// What is equal for equal memo indexes: False is 0 and True is 1.
    fn memo_key(&self) -> Result<String, String> {
        match self {
            Arg::Bool(value) => Ok(u8::from(*value).to_string()),
            _ => self.repr(),
        }
    }
}

/// A pickle of which `place` bytes are read.
struct Input<'a> {
    data: &'a [u8],
    place: usize,
}

impl<'a> Input<'a> {
    fn opcode(&mut self) -> Result<Opcode, String> {
        let place = self.place;
        match self.up_to(1) {
            [] => Err("pickle exhausted before seeing STOP".into()),
            bytes => Opcode::from_byte(bytes[0]).ok_or_else(|| {
                format!("at position {place}, opcode {} unknown", repr_bytes(bytes))
            }),
        }
    }

    /// `n` bytes, or what is left.
    fn up_to(&mut self, n: usize) -> &'a [u8] {
        let rest = &self.data[self.place..];
        let bytes = rest.get(..n).unwrap_or(rest);
        self.place += bytes.len();
        bytes
    }

    fn array<const N: usize>(&mut self, kind: &str) -> Result<[u8; N], String> {
        self.up_to(N).try_into().map_err(|_| format!("not enough data in stream to read {kind}"))
    }

    fn uint1(&mut self) -> Result<u8, String> {
        Ok(u8::from_le_bytes(self.array("uint1")?))
    }

    fn int4(&mut self) -> Result<i32, String> {
        Ok(i32::from_le_bytes(self.array("int4")?))
    }

    fn uint4(&mut self) -> Result<u32, String> {
        Ok(u32::from_le_bytes(self.array("uint4")?))
    }

    fn uint8(&mut self) -> Result<u64, String> {
        Ok(u64::from_le_bytes(self.array("uint8")?))
    }

    /// A payload whose length was read.
    fn counted(&mut self, n: impl Into<u64>, kind: &str) -> Result<&'a [u8], String> {
        let n = n.into();
        let size = isize::try_from(n)
            .map_err(|_| format!("{kind} byte count > sys.maxsize: {n}"))?
            .cast_unsigned();
        let bytes = self.up_to(size);
        if bytes.len() < size {
            let remain = bytes.len();
            return Err(format!("expected {n} bytes in a {kind}, but only {remain} remain"));
        }
        Ok(bytes)
    }

    /// A line without its `'\n'`.
    fn line(&mut self, kind: &str) -> Result<&'a [u8], String> {
        let rest = &self.data[self.place..];
        match rest.iter().position(|&byte| byte == b'\n') {
            Some(end) => {
                self.place += end + 1;
                Ok(&rest[..end])
            }
            None => Err(format!("no newline found when trying to read {kind}")),
        }
    }

    /// An unquoted line; `pickletools` undoes escapes even here.
    fn plain_line(&mut self) -> Result<Vec<u8>, String> {
        let text = escape_decode(self.line("stringnl")?)?;
        check_utf8(&text, false)?;
        Ok(text)
    }

    /// A quoted line.
    fn quoted_line(&mut self) -> Result<Vec<u8>, String> {
        let line = self.line("stringnl")?;
        let inner = match line {
            [quote @ (b'"' | b'\''), ..] if line.last() != Some(quote) => {
                return Err(format!(
                    "string quote {} not found at both ends of {}",
                    repr_bytes(&[*quote]),
                    repr_bytes(line)
                ));
            }
            [b'"' | b'\'', inner @ .., _] => inner,
            [b'"' | b'\''] => &[],
            _ => return Err(format!("no string quotes around {}", repr_bytes(line))),
        };
        escape_decode(inner)
    }

    fn int(text: &[u8]) -> Result<Arg, String> {
        parse_int(text, MAX_DIGITS).map(Arg::Int).map_err(|error| error.text(text, repr_bytes))
    }

    fn unicode(&mut self, n: impl Into<u64>, kind: &str) -> Result<Arg, String> {
        let text = self.counted(n, kind)?;
        check_utf8(text, true)?;
        Ok(Arg::Str(text.into()))
    }

    fn arg(&mut self, kind: ArgKind) -> Result<Option<Arg>, String> {
        let name = kind.name().unwrap_or_default();
        let int = |value: i64| Arg::Int(Integer::Small(value));
        Ok(Some(match kind {
            ArgKind::None => return Ok(None),
            ArgKind::Uint1 => int(self.uint1()?.into()),
            ArgKind::Uint2 => int(u16::from_le_bytes(self.array(name)?).into()),
            ArgKind::Int4 => int(self.int4()?.into()),
            ArgKind::Uint4 => int(self.uint4()?.into()),
            ArgKind::Uint8 => {
                let value = u128::from(self.uint8()?).to_le_bytes();
                Arg::Int(Integer::from_le_bytes(&value))
            }
            ArgKind::DecimalLineShort => match self.line("stringnl")? {
                b"00" => Arg::Bool(false),
                b"01" => Arg::Bool(true),
                line => Self::int(line)?,
            },
            ArgKind::DecimalLineLong => {
                let line = self.line("stringnl")?;
                Self::int(line.strip_suffix(b"L").unwrap_or(line))?
            }
            ArgKind::FloatLine => {
                let line = self.line("stringnl")?;
                let value = parse_float(line).ok_or_else(|| {
                    format!("could not convert string to float: {}", repr_bytes(line))
                })?;
                Arg::Float(value)
            }
            ArgKind::Float8 => Arg::Float(f64::from_be_bytes(self.array(name)?)),
            ArgKind::StringLine => Arg::OldStr(self.quoted_line()?),
            ArgKind::StringLineNoEscape => Arg::Str(self.plain_line()?),
            ArgKind::StringLineNoEscapePair => {
                let mut text = self.plain_line()?;
                text.push(b' ');
                text.extend(self.plain_line()?);
                Arg::Str(text)
            }
            ArgKind::String1 => {
                let n = self.uint1()?;
                Arg::OldStr(self.counted(n, name)?.into())
            }
            ArgKind::String4 => {
                let n = self.int4()?;
                let n = u32::try_from(n).map_err(|_| format!("string4 byte count < 0: {n}"))?;
                Arg::OldStr(self.counted(n, name)?.into())
            }
            ArgKind::Bytes1 => {
                let n = self.uint1()?;
                Arg::Bytes(self.counted(n, name)?.into())
            }
            ArgKind::Bytes4 => {
                let n = self.uint4()?;
                Arg::Bytes(self.counted(n, name)?.into())
            }
            ArgKind::Bytes8 => {
                let n = self.uint8()?;
                Arg::Bytes(self.counted(n, name)?.into())
            }
            ArgKind::ByteArray8 => {
                let n = self.uint8()?;
                Arg::ByteArray(self.counted(n, name)?.into())
            }
            ArgKind::UnicodeLine => Arg::Str(raw_unicode_escape(self.line("unicodestringnl")?)?),
            ArgKind::Unicode1 => {
                let n = self.uint1()?;
                self.unicode(n, name)?
            }
            ArgKind::Unicode4 => {
                let n = self.uint4()?;
                self.unicode(n, name)?
            }
            ArgKind::Unicode8 => {
                let n = self.uint8()?;
                self.unicode(n, name)?
            }
            ArgKind::Long1 => {
                let n = self.uint1()?;
                let bytes = self.up_to(n.into());
                if bytes.len() < n.into() {
                    return Err("not enough data in stream to read long1".into());
                }
                Arg::Int(Integer::from_le_bytes(bytes))
            }
            ArgKind::Long4 => {
                let n = self.int4()?;
                let n = usize::try_from(n).map_err(|_| format!("long4 byte count < 0: {n}"))?;
                let bytes = self.up_to(n);
                if bytes.len() < n {
                    return Err("not enough data in stream to read long4".into());
                }
                Arg::Int(Integer::from_le_bytes(bytes))
            }
        }))
    }
}
