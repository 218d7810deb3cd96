//! What a cursor reads of values that hold no others: numbers, text, bytes.

use std::borrow::Cow;

use super::item::Item;
use super::unpickler::{OldStr, buffer};
use crate::error::Error;
use crate::graph::{Node, Object};
use crate::number::{self, Wide, exact_float, wide};
use crate::text::{cut, latin1, repr_bytes};

fn is_int(node: Node<'_>) -> bool {
    matches!(node, Node::Int(_) | Node::BigInt(_))
}

fn is_number(node: Node<'_>) -> bool {
    is_int(node) || matches!(node, Node::Float(_))
}

fn is_text(node: Node<'_>) -> bool {
    matches!(node, Node::Str(_) | Node::OldStr(_))
}

impl<'g, 'a> Item<'g, 'a> {
    /// The builtin value that it is by its class, if that is of the kind that is wanted; else an error.
    #[cold]
    fn plain(self, wanted: fn(Node<'_>) -> bool, expected: &str) -> Result<Item<'g, 'a>, Error> {
        let plain = match self.node() {
            Node::Object(object) => self.sight().plain(object),
            _ => None,
        };
        match plain.map(|id| self.at(id)) {
            Some(plain) if wanted(plain.node()) => Ok(plain),
            _ => Err(self.expected(expected)),
        }
    }

    // Apart, so that reading what is no object is little code.

    /// The node of an int, its own or that of an instance.
    pub(crate) fn any_int(self) -> Result<Node<'g>, Error> {
        let int = if is_int(self.node()) { self } else { self.plain(is_int, "an int")? };
        Ok(int.node())
    }

    /// An int that is large, or that of an instance; `None` if it does not fit.
    #[cold]
    #[inline(never)]
    fn other_int<T: TryFrom<i64> + TryFrom<i128> + TryFrom<u128>>(
        self,
    ) -> Result<Option<T>, Error> {
        Ok(match self.any_int()? {
            Node::Int(value) => T::try_from(value).ok(),
            Node::BigInt(bytes) => match wide(bytes) {
                Some(Wide::Signed(value)) => T::try_from(value).ok(),
                Some(Wide::Unsigned(value)) => T::try_from(value).ok(),
                None => None,
            },
            _ => None,
        })
    }

    /// An int as a float that fits it, or a number of an instance.
    #[cold]
    #[inline(never)]
    fn other_float(self, fits: fn(f64) -> bool) -> Result<f64, Error> {
        let item = if is_int(self.node()) { self } else { self.plain(is_number, "a float")? };
        let float = match item.node() {
            Node::Float(value) => return Ok(value),
            Node::Int(value) => exact_float(&value.to_le_bytes()),
            Node::BigInt(bytes) => exact_float(bytes),
            _ => None,
        };
        float
            .filter(|float| fits(*float))
            .ok_or_else(|| item.mismatch("an int that a float can be".into(), item.shown_int()))
    }

    #[cold]
    #[inline(never)]
    fn plain_text(self) -> Result<Cow<'g, str>, Error> {
        self.plain(is_text, "a str")?.text()
    }

    #[cold]
    #[inline(never)]
    fn plain_borrowed_str(self) -> Result<&'a str, Error> {
        self.plain(is_text, "a str")?.borrowed_str()
    }

    /// The bytes that an instance of a subclass is.
    fn plain_bytes(self, object: Object<'g>) -> Option<Cow<'g, [u8]>> {
        let sight = self.sight();
        match self.graph().get(sight.plain(object)?) {
            Node::Bytes(bytes) | Node::ByteArray(bytes) => Some(Cow::Borrowed(bytes)),
            Node::Object(call) => sight.bytes(call),
            _ => None,
        }
    }

    /// Whether it is None.
    ///
    /// ```
    /// let graph = halfsour::load(b"N.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert!(item.is_none());
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn is_none(self) -> bool {
        matches!(self.node(), Node::None)
    }

    /// A bool.
    ///
    /// # Errors
    /// If it is anything else, an int too.
    ///
    /// ```
    /// let graph = halfsour::load(b"\x88.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert!(item.bool()?);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn bool(self) -> Result<bool, Error> {
        match self.node() {
            Node::Bool(value) => Ok(value),
            _ => Err(self.expected("a bool")),
        }
    }

    /// An int, as any of Rust's integer types; also that of an instance of a subclass without
    /// attributes. To a pickle, that is whatever `__new__` makes of one int.
    ///
    /// # Errors
    /// If it is anything else, a bool too, or one that does not fit. A member of an enum is none, as it
    /// is a call, like others: [`Member`](crate::types::Member).
    ///
    /// ```
    /// let error = halfsour::from_slice::<u8>(b"M\x2c\x01.").unwrap_err();
    /// assert_eq!(error.to_string(), "expected an int that fits u8, found the int 300 at root");
    /// ```
    #[inline(always)]
    pub fn int<T: TryFrom<i64> + TryFrom<i128> + TryFrom<u128>>(self) -> Result<T, Error> {
        let value = match self.node() {
            Node::Int(value) => T::try_from(value).ok(),
            _ => self.other_int()?,
        };
        value.ok_or_else(|| self.out_of_range(std::any::type_name::<T>()))
    }

    #[cold]
    fn out_of_range(self, of: &str) -> Error {
        self.mismatch(format!("an int that fits {of}"), self.shown_int())
    }

    #[cold]
    fn shown_int(self) -> String {
        match self.node() {
            Node::BigInt(bytes) if bytes.len() > 32 => format!("an int of {} bytes", bytes.len()),
            Node::Object(_) => self.describe(),
            _ => format!("the int {}", self.repr()),
        }
    }

    /// A float; or an int, as Python would take it where it needs a float.
    ///
    /// # Errors
    /// If it is anything else; or an int that no float is, as 2<sup>53</sup> + 1.
    ///
    /// ```
    /// let graph = halfsour::load(b"K\x07.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert_eq!(item.float()?, 7.0);
    ///     Ok(())
    /// })?;
    /// let error = halfsour::from_slice::<f64>(b"I9007199254740993\n.").unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "expected an int that a float can be, found the int 9007199254740993 at root"
    /// );
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn float(self) -> Result<f64, Error> {
        match self.node() {
            Node::Float(value) => Ok(value),
            _ => self.other_float(|_| true),
        }
    }

    /// A float of half the precision: of a float rounded, of an int exactly.
    pub(super) fn single(self) -> Result<f32, Error> {
        let value = match self.node() {
            Node::Float(value) => value,
            _ => self.other_float(number::is_single)?,
        };
        number::single(value).ok_or_else(|| {
            let found = format!("the float {}", number::repr_float(value));
            self.mismatch("a float that fits f32".into(), found)
        })
    }

    /// Text, as long as the graph lives. What Python 2 wrote is text if the settings say so:
    /// [`OldStr`].
    ///
    /// # Errors
    /// If it is anything else, or has lone surrogates.
    ///
    /// ```
    /// let graph = halfsour::load(b"Vcaf\\u00e9\n.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert_eq!(item.str()?, "café");
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn str(self) -> Result<Cow<'g, str>, Error> {
        let text = self.text()?;
        self.decoder.copy(text.as_bytes())?;
        Ok(text)
    }

    /// As [`str`](Item::str), for those that do not copy it.
    #[inline]
    fn text(self) -> Result<Cow<'g, str>, Error> {
        match self.node() {
            Node::Str(text) => match text.to_str() {
                Some(text) => Ok(Cow::Borrowed(text)),
                None => Err(self.expected("a str that is Unicode")),
            },
            Node::OldStr(text) => self.old_str(text),
            _ => self.plain_text(),
        }
    }

    #[cold]
    fn old_str(self, text: &'g [u8]) -> Result<Cow<'g, str>, Error> {
        let wrong = |expected: &str| {
            let found = format!("the str {} of Python 2", cut(text, repr_bytes));
            Err(self.mismatch(expected.into(), found))
        };
        self.decoder.look(text)?; // whether it is ASCII is found anew each time
        match (self.decoder.unpickler.old_str, self.decoder.graph.utf8(self.id)) {
            (OldStr::Bytes, _) => wrong("a str"),
            (OldStr::Latin1, None) => Ok(Cow::Owned(latin1(text))),
            (OldStr::Latin1, Some(utf8)) if !utf8.is_ascii() => Ok(Cow::Owned(latin1(text))),
            (OldStr::Ascii, Some(utf8)) if !utf8.is_ascii() => wrong("a str that is ASCII"),
            (OldStr::Ascii, None) => wrong("a str that is ASCII"),
            (_, Some(utf8)) => Ok(Cow::Borrowed(utf8)),
            (OldStr::Utf8, None) => wrong("a str that is UTF-8"),
        }
    }

    /// Text that is in the pickle as it is: without a copy, as long as the pickle lives.
    ///
    /// # Errors
    /// As [`str`](Item::str); and if the text is not in the pickle as it is, but written with escapes,
    /// as protocol 0 does, or in another encoding.
    ///
    /// ```
    /// let graph = halfsour::load(b"\x8c\x04spam.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert_eq!(item.borrowed_str()?, "spam");
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn borrowed_str(self) -> Result<&'a str, Error> {
        if let Node::Object(_) = self.node() {
            return self.plain_borrowed_str();
        }
        let text = self.text()?;
        self.decoder.look(text.as_bytes())?; // who borrows it looks at it
        match self.decoder.graph.borrowed_utf8(self.id) {
            Some(borrowed) if matches!(text, Cow::Borrowed(_)) => Ok(borrowed),
            _ => Err(self.not_borrowed("a str that is in the pickle as it is")),
        }
    }

    /// To be called for keys, which are hashed or compared also where they are not copied.
    #[inline]
    pub(super) fn charge_key(self) -> Result<(), Error> {
        match self.node() {
            Node::Str(text) => self.decoder.copy(text.as_bytes()),
            Node::Bytes(bytes) => self.decoder.copy(bytes),
            _ => Ok(()),
        }
    }

    #[cold]
    fn not_borrowed(self, expected: &str) -> Error {
        let found = format!("a copy of {}", self.describe());
        self.mismatch(expected.into(), found)
    }

    /// The bytes of a text's characters in UTF-8, of a Python 2 string as they are: to compare names
    /// with. `None` if it is neither.
    ///
    /// ```
    /// let graph = halfsour::load(b"U\x04spam.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert_eq!(item.name(), Some(b"spam".as_slice()));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn name(self) -> Option<&'g [u8]> {
        match self.node() {
            Node::Str(text) => Some(text.as_bytes()),
            Node::OldStr(text) => Some(text),
            _ => None,
        }
    }

    /// Bytes, a bytearray, an out-of-band buffer, or a string of Python 2; as long as the graph lives.
    ///
    /// # Errors
    /// If it is anything else.
    ///
    /// ```
    /// // pickle.dumps(b"\xe9", 2)
    /// let data = b"\x80\x02c_codecs\nencode\nX\x02\0\0\0\xc3\xa9X\x06\0\0\0latin1\x86R.";
    /// let graph = halfsour::load(data)?;
    /// let bytes = halfsour::typed::Unpickler::new()
    ///     .read(&graph, |item| Ok(item.bytes()?.into_owned()))?;
    /// assert_eq!(bytes, b"\xe9");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn bytes(self) -> Result<Cow<'g, [u8]>, Error> {
        let bytes = match self.node() {
            Node::Bytes(bytes) | Node::ByteArray(bytes) | Node::OldStr(bytes) => {
                Cow::Borrowed(bytes)
            }
            _ => self.other_bytes()?,
        };
        self.decoder.copy(&bytes)?;
        Ok(bytes)
    }

    fn other_bytes(self) -> Result<Cow<'g, [u8]>, Error> {
        let bytes = match self.node() {
            Node::Buffer(number) => return self.buffer(number).map(Cow::Borrowed),
            // A view of a view is that view itself, so this goes no deeper.
            Node::ReadonlyBuffer(of) => return self.at(of).bytes(),
            Node::Object(object) => {
                let sight = self.sight();
                sight.bytes(object).or_else(|| self.plain_bytes(object))
            }
            _ => None,
        };
        bytes.ok_or_else(|| self.expected("bytes"))
    }

    fn buffer(self, number: u32) -> Result<&'a [u8], Error> {
        buffer(&self.decoder.unpickler.buffers, number).map_err(|kind| self.error(kind))
    }

    /// Bytes that are in the pickle as they are, or in an out-of-band buffer: without a copy, as long
    /// as those live.
    ///
    /// # Errors
    /// As [`bytes`](Item::bytes); and if they are not in the pickle as they are.
    ///
    /// ```
    /// let graph = halfsour::load(b"C\x04spam.")?;
    /// halfsour::typed::Unpickler::new().read(&graph, |item| {
    ///     assert_eq!(item.borrowed_bytes()?, b"spam");
    ///     Ok(())
    /// })?;
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[inline]
    pub fn borrowed_bytes(self) -> Result<&'a [u8], Error> {
        match self.node() {
            Node::Bytes(_) | Node::ByteArray(_) | Node::OldStr(_) => {
                let borrowed = self.decoder.graph.borrowed(self.id);
                borrowed
                    .ok_or_else(|| self.not_borrowed("bytes that are in the pickle as they are"))
            }
            Node::Buffer(number) => self.buffer(number),
            Node::ReadonlyBuffer(of) => self.at(of).borrowed_bytes(),
            _ => match self.other_bytes()? {
                Cow::Borrowed([]) => Ok(&[]),
                _ => Err(self.not_borrowed("bytes that are in the pickle as they are")),
            },
        }
    }

    /// Whether only its items can be read, and not bytes.
    pub(super) fn is_sequence(self) -> bool {
        match self.node() {
            Node::Tuple(_) | Node::List(_) | Node::Set(_) | Node::FrozenSet(_) => true,
            Node::Object(object) => {
                self.sight().bytes(object).is_none() && self.plain_bytes(object).is_none()
            }
            _ => false,
        }
    }
}
