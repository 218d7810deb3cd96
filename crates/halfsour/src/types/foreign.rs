//! Numbers and UUIDs of other crates, by conversion: each with the feature of its crate's name.

#[allow(unused_imports, reason = "each feature uses its part")]
use super::{Decimal, Uuid, as_any, invalid};
#[allow(unused_imports, reason = "each feature uses its part")]
use crate::error::Error;
#[allow(unused_imports, reason = "each feature uses its part")]
use crate::typed::{FromPickle, Item};
#[allow(unused_imports, reason = "each feature uses its part")]
use crate::writer::{ToPickle, Writer};

/// `uuid.UUID`
#[cfg(feature = "uuid")]
impl FromPickle<'_> for ::uuid::Uuid {
    fn from_pickle(item: Item<'_, '_>) -> Result<::uuid::Uuid, Error> {
        Ok(::uuid::Uuid::from_u128(item.read::<Uuid>()?.int))
    }
}

/// `uuid.UUID`
#[cfg(feature = "uuid")]
impl ToPickle for ::uuid::Uuid {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.save(&Uuid { int: self.as_u128(), is_safe: None })
    }

    as_any!();
}

/// An `int` of any size.
#[cfg(feature = "num-bigint")]
impl FromPickle<'_> for num_bigint::BigInt {
    fn from_pickle(item: Item<'_, '_>) -> Result<num_bigint::BigInt, Error> {
        match item.any_int()? {
            crate::graph::Node::Int(value) => Ok(value.into()),
            crate::graph::Node::BigInt(bytes) => {
                item.copies(bytes)?;
                Ok(num_bigint::BigInt::from_signed_bytes_le(bytes))
            }
            _ => Err(item.expected("an int")),
        }
    }
}

/// An `int` of any size.
#[cfg(feature = "num-bigint")]
impl ToPickle for num_bigint::BigInt {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.bigint(&self.to_signed_bytes_le())
    }

    as_any!();
}

/// An `int` of any size that is not negative.
#[cfg(feature = "num-bigint")]
impl FromPickle<'_> for num_bigint::BigUint {
    fn from_pickle(item: Item<'_, '_>) -> Result<num_bigint::BigUint, Error> {
        let number: num_bigint::BigInt = item.read()?;
        number.try_into().map_err(|_| item.expected("an int that is not negative"))
    }
}

/// An `int` of any size.
#[cfg(feature = "num-bigint")]
impl ToPickle for num_bigint::BigUint {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        let mut bytes = self.to_bytes_le();
        bytes.push(0); // no sign
        out.bigint(&bytes)
    }

    as_any!();
}

/// `decimal.Decimal`: no NaN, no infinity, 28 digits at most.
#[cfg(feature = "rust_decimal")]
impl FromPickle<'_> for rust_decimal::Decimal {
    fn from_pickle(item: Item<'_, '_>) -> Result<rust_decimal::Decimal, Error> {
        let Decimal(text) = item.read()?;
        let parsed = match text.contains(['e', 'E']) {
            true => rust_decimal::Decimal::from_scientific(&text),
            false => rust_decimal::Decimal::from_str_exact(&text),
        };
        parsed.map_err(|_| invalid("decimal number that fits", text))
    }
}

/// `decimal.Decimal`
#[cfg(feature = "rust_decimal")]
impl ToPickle for rust_decimal::Decimal {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.save(&Decimal(self.to_string()))
    }

    as_any!();
}
