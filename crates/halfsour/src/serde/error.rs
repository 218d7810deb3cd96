//! serde's errors as ours.

use std::fmt::Display;

use serde::{de, ser};

use crate::error::{Error, ErrorKind};

/// Of a text that is named in an error, so many characters.
const SHOWN: usize = 60;

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
        Str(value) => format!("the str {}", crate::text::repr_str(value.as_bytes())),
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
        ErrorKind::Custom(text.to_string()).into()
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
    fn missing_field(field: &'static str) -> Error {
        ErrorKind::Missing { name: field.into() }.into()
    }
}

impl ser::Error for Error {
    #[cold]
    fn custom<T: Display>(text: T) -> Error {
        ErrorKind::Custom(text.to_string()).into()
    }
}
