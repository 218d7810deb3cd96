//! `uuid.UUID`: an int, and what is known of how it was made.

use super::{as_any, classes, invalid};
use crate::error::{Error, ErrorKind};
use crate::typed::derive::check;
use crate::typed::{FromPickle, Item};
use crate::writer::{ToPickle, Writer};

/// `uuid.UUID`
///
/// ```
/// use halfsour::types::Uuid;
/// let id = Uuid { int: 7, is_safe: None };
/// assert_eq!(halfsour::from_slice::<Uuid>(&halfsour::to_vec(&id)?)?, id);
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid {
    /// All 128 bits as a number.
    pub int: u128,
    /// Whether the system made it so that no two processes get the same, if it says so.
    pub is_safe: Option<bool>,
}

impl FromPickle<'_> for Uuid {
    fn from_pickle(item: Item<'_, '_>) -> Result<Uuid, Error> {
        check::<Uuid>(item)?;
        let state = item.state()?;
        let int = state.attr("int")?.ok_or(ErrorKind::Missing { name: "int".into() })?;
        let is_safe = match state.attr("is_safe")? {
            Some(value) if !value.is_none() => match value.int::<i64>()? {
                0 => Some(true),
                -1 => Some(false),
                other => return Err(invalid("value of uuid.SafeUUID", other)),
            },
            _ => None,
        };
        Ok(Uuid { int: int.int()?, is_safe })
    }
}

impl ToPickle for Uuid {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        match self.is_safe {
            None => out.instance("uuid", "UUID", &[("int", &self.int)]),
            Some(safe) => {
                let safe = if safe { 0 } else { -1 };
                out.instance("uuid", "UUID", &[("int", &self.int), ("is_safe", &safe)])
            }
        }
    }

    as_any!();
}

classes! {
    "uuid" "UUID" [] Uuid;
}
