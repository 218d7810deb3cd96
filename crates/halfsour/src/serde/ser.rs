//! Writing: serde's data model by the writer's own methods, so that files are as Python writes them.

use std::fmt;
use std::io::Write;

use serde::ser::{self, Serialize};

use super::instance::INSTANCE;
use crate::error::{Error, Step};
use crate::writer::{
    Entries, Global, Items, Pickler, ToPickle, TupleItems, Writer, written_to_show,
};

/// Pickles a value into memory, with protocol 5.
///
/// # Errors
/// What the value's own code says; a value that is too deep.
///
/// ```
/// #[derive(serde::Serialize)]
/// struct Point { x: i32, y: i32 }
///
/// let data = halfsour::serde::to_vec(&Point { x: 1, y: 2 })?; // of {'x': 1, 'y': 2}
/// let graph = halfsour::load(&data)?;
/// assert!(matches!(graph.get(graph.root()), halfsour::graph::Node::Dict([_, _])));
/// # Ok::<(), halfsour::Error>(())
/// ```
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    Pickler::new().to_vec(&Serde(value))
}

/// Pickles a value into a file, with protocol 5.
///
/// # Errors
/// As [`to_vec`]; and where the file cannot be written.
///
/// ```
/// let mut file = Vec::new();
/// halfsour::serde::to_writer(&mut file, "spam")?;
/// assert_eq!(file, halfsour::serde::to_vec("spam")?);
/// # Ok::<(), halfsour::Error>(())
/// ```
pub fn to_writer<W: Write, T: Serialize + ?Sized>(file: W, value: &T) -> Result<(), Error> {
    Pickler::new().to_writer(file, &Serde(value))
}

/// What serde can write, as what this crate can: for a [`Pickler`], and for [`ToPickle`] types that
/// hold serde types.
///
/// ```
/// use halfsour::{Pickler, serde::Serde};
///
/// let data = Pickler::new().protocol(2).to_vec(&Serde(("spam", 1)))?;
/// assert_eq!(data, b"\x80\x02X\x04\0\0\0spamq\0K\x01\x86q\x01.");
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Serde<T>(pub T);

impl<T: Serialize> ToPickle for Serde<T> {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        self.0.serialize(Serializer(out))
    }
}

// Newtype structs of these names are what serde has no name for: a call makes it of what is in them.
pub(super) const SET: &str = "$halfsour::serde::set";
pub(super) const FROZENSET: &str = "$halfsour::serde::frozenset";
pub(super) const BYTEARRAY: &str = "$halfsour::serde::bytearray";

type Written = Result<(), Error>;

struct Serializer<'o, 'w>(&'o mut Writer<'w>);

fn write<T: Serialize + ?Sized>(value: &T, out: &mut Writer<'_>) -> Result<(), Error> {
    value.serialize(Serializer(out))
}

/// A key as errors show it.
#[cold]
fn shown<K: Serialize + ?Sized>(out: &Writer<'_>, key: &K) -> String {
    let data = written_to_show(out, &Serde(key));
    crate::load(&data).map_or_else(|_| "...".into(), |graph| graph.repr(graph.root()))
}

impl<'o, 'w> ser::Serializer for Serializer<'o, 'w> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Seq<'o, 'w>;
    type SerializeTuple = Tuple<'o, 'w>;
    type SerializeTupleStruct = Tuple<'o, 'w>;
    type SerializeTupleVariant = Tuple<'o, 'w>;
    type SerializeMap = Map<'o, 'w>;
    type SerializeStruct = Struct<'o, 'w>;
    type SerializeStructVariant = Struct<'o, 'w>;

    #[inline]
    fn serialize_bool(self, value: bool) -> Written {
        self.0.bool(value)
    }

    #[inline]
    fn serialize_i8(self, value: i8) -> Written {
        self.serialize_i64(value.into())
    }

    #[inline]
    fn serialize_i16(self, value: i16) -> Written {
        self.serialize_i64(value.into())
    }

    #[inline]
    fn serialize_i32(self, value: i32) -> Written {
        self.serialize_i64(value.into())
    }

    #[inline]
    fn serialize_i64(self, value: i64) -> Written {
        self.0.int(value)
    }

    fn serialize_i128(self, value: i128) -> Written {
        self.0.bigint(&value.to_le_bytes())
    }

    #[inline]
    fn serialize_u8(self, value: u8) -> Written {
        self.serialize_i64(value.into())
    }

    #[inline]
    fn serialize_u16(self, value: u16) -> Written {
        self.serialize_i64(value.into())
    }

    #[inline]
    fn serialize_u32(self, value: u32) -> Written {
        self.serialize_i64(value.into())
    }

    #[inline]
    fn serialize_u64(self, value: u64) -> Written {
        self.0.uint(value)
    }

    fn serialize_u128(self, value: u128) -> Written {
        let mut bytes = [0; 17];
        for (place, byte) in bytes.iter_mut().zip(value.to_le_bytes()) {
            *place = byte;
        }
        self.0.bigint(&bytes)
    }

    #[inline]
    fn serialize_f32(self, value: f32) -> Written {
        self.serialize_f64(value.into())
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Written {
        self.0.float(value)
    }

    fn serialize_char(self, value: char) -> Written {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Written {
        self.0.str(value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Written {
        self.0.bytes(value)
    }

    #[inline]
    fn serialize_none(self) -> Written {
        self.0.none()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        self.0.pointed_to(|out| write(value, out))
    }

    fn serialize_unit(self) -> Written {
        self.serialize_none()
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Written {
        self.serialize_none()
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Written {
        self.0.name(variant)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Written {
        let builtin = match name {
            SET => "set",
            FROZENSET => "frozenset",
            BYTEARRAY => "bytearray",
            _ => return self.0.pointed_to(|out| write(value, out)),
        };
        self.0.call(&Global::new("builtins", builtin), &[&Serde(value)])
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        self.0.begin_variant(variant)?;
        write(value, self.0).map_err(|error| error.within(of_variant(variant)))?;
        self.0.end_variant();
        Ok(())
    }

    #[inline(always)]
    fn serialize_seq(self, len: Option<usize>) -> Result<Seq<'o, 'w>, Error> {
        self.0.begin_list(len).map(Seq)
    }

    #[inline(always)]
    fn serialize_tuple(self, len: usize) -> Result<Tuple<'o, 'w>, Error> {
        Ok(Tuple { items: self.0.begin_tuple(len)?, variant: None })
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        len: usize,
    ) -> Result<Tuple<'o, 'w>, Error> {
        self.serialize_tuple(len)
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Tuple<'o, 'w>, Error> {
        self.0.begin_variant(variant)?;
        Ok(Tuple { items: self.0.begin_tuple(len)?, variant: Some(variant) })
    }

    #[inline(always)]
    fn serialize_map(self, len: Option<usize>) -> Result<Map<'o, 'w>, Error> {
        self.0.begin_dict(len).map(Map)
    }

    #[inline(always)]
    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Struct<'o, 'w>, Error> {
        if name == INSTANCE {
            return Ok(Struct::Instance { out: self.0, module: String::new() });
        }
        Ok(Struct::Dict { entries: self.0.begin_dict(Some(len))?, variant: None })
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Struct<'o, 'w>, Error> {
        self.0.begin_variant(variant)?;
        Ok(Struct::Dict { entries: self.0.begin_dict(Some(len))?, variant: Some(variant) })
    }

    fn is_human_readable(&self) -> bool {
        true
    }
}

/// The value of an enum's one-entry dict.
#[cold]
fn of_variant(variant: &str) -> Step {
    Step::Key(crate::text::repr_str(variant.as_bytes()))
}

#[cold]
fn in_field(error: Error, name: &str, variant: Option<&str>) -> Error {
    let error = error.within(of_variant(name));
    match variant {
        Some(variant) => error.within(of_variant(variant)),
        None => error,
    }
}

struct Seq<'o, 'w>(Items<'o, 'w>);

impl ser::SerializeSeq for Seq<'_, '_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.0.item_with(|out| write(value, out))
    }

    #[inline]
    fn end(self) -> Written {
        self.0.end()
    }
}

struct Tuple<'o, 'w> {
    items: TupleItems<'o, 'w>,
    /// Whose value it is.
    variant: Option<&'static str>,
}

impl Tuple<'_, '_> {
    #[inline]
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.items.item_with(|out| write(value, out)).map_err(|error| match self.variant {
            Some(variant) => error.within(of_variant(variant)),
            None => error,
        })
    }

    #[inline(always)]
    fn finish(self) -> Written {
        let out = self.items.finish()?;
        if self.variant.is_some() {
            out.end_variant();
        }
        Ok(())
    }
}

impl ser::SerializeTuple for Tuple<'_, '_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.item(value)
    }

    #[inline]
    fn end(self) -> Written {
        self.finish()
    }
}

impl ser::SerializeTupleStruct for Tuple<'_, '_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.item(value)
    }

    #[inline]
    fn end(self) -> Written {
        self.finish()
    }
}

impl ser::SerializeTupleVariant for Tuple<'_, '_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.item(value)
    }

    #[inline]
    fn end(self) -> Written {
        self.finish()
    }
}

struct Map<'o, 'w>(Entries<'o, 'w>);

impl ser::SerializeMap for Map<'_, '_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_key<K: Serialize + ?Sized>(&mut self, key: &K) -> Result<(), Error> {
        self.0.begin_key();
        write(key, self.0.writer())
            .map_err(|error| error.within(Step::InKey(shown(self.0.writer(), key))))?;
        self.0.begin_value();
        Ok(())
    }

    #[inline]
    fn serialize_value<V: Serialize + ?Sized>(&mut self, value: &V) -> Result<(), Error> {
        write(value, self.0.writer()).map_err(|error| error.within(Step::Key("...".into())))?;
        self.0.end_value();
        Ok(())
    }

    #[inline]
    fn serialize_entry<K: Serialize + ?Sized, V: Serialize + ?Sized>(
        &mut self,
        key: &K,
        value: &V,
    ) -> Result<(), Error> {
        self.serialize_key(key)?;
        write(value, self.0.writer())
            .map_err(|error| error.within(Step::Key(shown(self.0.writer(), key))))?;
        self.0.end_value();
        Ok(())
    }

    #[inline]
    fn end(self) -> Written {
        self.0.end()
    }
}

enum Struct<'o, 'w> {
    Dict {
        entries: Entries<'o, 'w>,
        /// Whose value it is.
        variant: Option<&'static str>,
    },
    /// An [`Instance`](super::Instance): first come the two parts of its class's name.
    Instance { out: &'o mut Writer<'w>, module: String },
}

/// A text, by serde's own way of showing what is primitive.
struct Shown<'v, T: ?Sized>(&'v T);

impl<T: Serialize + ?Sized> fmt::Display for Shown<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.serialize(f)
    }
}

impl Struct<'_, '_> {
    #[inline(always)]
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Written {
        let Struct::Dict { entries, variant } = self else {
            return self.part(name, value);
        };
        entries.begin_key();
        entries.writer().name(name)?;
        entries.begin_value();
        write(value, entries.writer()).map_err(|error| in_field(error, name, *variant))?;
        entries.end_value();
        Ok(())
    }

    /// A part of an [`Instance`](super::Instance).
    #[inline(never)]
    fn part<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Written {
        let Struct::Instance { out, module } = self else { return Ok(()) };
        match name {
            "module" => {
                *module = Shown(value).to_string();
                Ok(())
            }
            "name" => out.newobj(&Global::new(module, &Shown(value).to_string()), &[]),
            _ => out.build_unless_none(|out| write(value, out)),
        }
    }

    #[inline(always)]
    fn finish(self) -> Written {
        if let Struct::Dict { entries, variant } = self {
            let out = entries.finish();
            if variant.is_some() {
                out.end_variant();
            }
        }
        Ok(())
    }
}

impl ser::SerializeStruct for Struct<'_, '_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.field(name, value)
    }

    #[inline]
    fn end(self) -> Written {
        self.finish()
    }
}

impl ser::SerializeStructVariant for Struct<'_, '_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.field(name, value)
    }

    #[inline]
    fn end(self) -> Written {
        self.finish()
    }
}
