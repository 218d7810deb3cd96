//! serde's errors as ours.

use std::fmt::Display;

use serde::{de, ser};

use crate::error::{Error, ErrorKind, Shown};
use crate::text::{SHOWN, repr_str};

fn found(unexpected: de::Unexpected<'_>) -> String {
    use de::Unexpected::*;
    match unexpected {
        Bool(true) => "True".into(),
        Bool(false) => "False".into(),
        Unsigned(value) => format!("the int {value}"),
        Signed(value) => format!("the int {value}"),
        Float(value) => format!("the float {value:?}"),
        Char(value) => format!("the str {value:?}"),
        Str(value) if value.len() > SHOWN => "a str".into(),
        Str(value) => format!("the str {}", repr_str(value.as_bytes())),
        Bytes(_) => "bytes".into(),
        Unit => "None".into(),
        Seq => "a sequence".into(),
        Map => "a dict".into(),
        other => other.to_string(),
    }
}

fn expected(found: String, expected: &dyn de::Expected) -> Error {
    ErrorKind::Expected { expected: expected.to_string(), found }.into()
}

impl de::Error for Error {
    #[cold]
    fn custom<T: Display>(text: T) -> Error {
        Error::custom(text)
    }

    #[cold]
    fn invalid_type(unexpected: de::Unexpected<'_>, wanted: &dyn de::Expected) -> Error {
        expected(found(unexpected), wanted)
    }

    #[cold]
    fn invalid_value(unexpected: de::Unexpected<'_>, wanted: &dyn de::Expected) -> Error {
        expected(found(unexpected), wanted)
    }

    #[cold]
    fn invalid_length(len: usize, wanted: &dyn de::Expected) -> Error {
        expected(format!("{len} items"), wanted)
    }

    #[cold]
    fn unknown_variant(variant: &str, names: &'static [&'static str]) -> Error {
        Error::custom(de::value::Error::unknown_variant(&Shown(variant).to_string(), names))
    }

    #[cold]
    fn unknown_field(field: &str, names: &'static [&'static str]) -> Error {
        Error::custom(de::value::Error::unknown_field(&Shown(field).to_string(), names))
    }

    #[cold]
    fn missing_field(field: &'static str) -> Error {
        ErrorKind::Missing { name: field.into() }.into()
    }
}

impl ser::Error for Error {
    #[cold]
    fn custom<T: Display>(text: T) -> Error {
        Error::custom(text)
    }
}
