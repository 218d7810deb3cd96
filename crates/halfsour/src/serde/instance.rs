//! [`Instance`]: a value together with the class that it is the state of.
//!
//! serde has no classes. So this is a struct of a name that only our deserializer and serializer know;
//! with any other format it is an ordinary struct of three fields.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, IntoDeserializer, MapAccess, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use super::de::Deserializer;
use super::parts;
use crate::error::Error;
use crate::graph::Node;
use crate::typed::ClassName;

pub(super) const INSTANCE: &str = "$halfsour::serde::Instance";
pub(super) const FIELDS: &[&str] = &["module", "name", "value"];

/// An instance of a class that is known by name only: its state is `value`.
///
/// It is read from an instance of any class, whose name it shows; what a call of a class or a function
/// returns shows the arguments of that call, as a sequence, or as the only one of them where text,
/// bytes or a number are asked for. It is written as an instance: made by `__new__` without arguments,
/// then given `value` as its state, if that is not `None`.
///
/// ```
/// use halfsour::serde::{Instance, from_slice};
///
/// #[derive(serde::Deserialize)]
/// struct Point { x: i32 }
///
/// // An app.Point with x = 1, and uuid.SafeUUID(0).
/// let data = b"capp\nPoint\n)\x81}U\x01xK\x01sbcuuid\nSafeUUID\nK\0\x85R\x86.";
/// let (point, member): (Instance<Point>, Instance<u8>) = from_slice(data)?;
/// assert_eq!((&*point.module, &*point.name, point.value.x), ("app", "Point", 1));
/// assert_eq!((&*member.name, member.value), ("SafeUUID", 0));
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Instance<T> {
    /// The module of its class.
    pub module: String,
    /// The qualified name of its class, within the module.
    pub name: String,
    /// Its state.
    pub value: T,
}

impl<T: Serialize> Serialize for Instance<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct(INSTANCE, FIELDS.len())?;
        fields.serialize_field("module", &self.module)?;
        fields.serialize_field("name", &self.name)?;
        fields.serialize_field("value", &self.value)?;
        fields.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Instance<T> {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct(INSTANCE, FIELDS, InstanceVisitor(PhantomData))
    }
}

struct InstanceVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for InstanceVisitor<T> {
    type Value = Instance<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an instance")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Instance<T>, A::Error> {
        let (mut module, mut name, mut value) = (None, None, None);
        while let Some(field) = map.next_key::<String>()? {
            match field.as_str() {
                "module" => module = Some(map.next_value()?),
                "name" => name = Some(map.next_value()?),
                "value" => value = Some(map.next_value()?),
                _ => {
                    map.next_value::<de::IgnoredAny>()?;
                }
            }
        }
        let missing = <A::Error as de::Error>::missing_field;
        Ok(Instance {
            module: module.ok_or_else(|| missing("module"))?,
            name: name.ok_or_else(|| missing("name"))?,
            value: value.ok_or_else(|| missing("value"))?,
        })
    }
}

/// The three fields of an [`Instance`], from an object.
pub(super) struct InstanceAccess<'r, 'g, 'de> {
    de: &'r mut Deserializer<'g, 'de>,
    class: ClassName<'g>,
    fields: std::slice::Iter<'static, &'static str>,
    field: &'static str,
}

impl<'r, 'g, 'de> InstanceAccess<'r, 'g, 'de> {
    pub(super) fn visit<V: Visitor<'de>>(
        de: &'r mut Deserializer<'g, 'de>,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let class = match de.graph.get(de.id) {
            Node::Object(object) => parts::class(de.sight, object),
            _ => None,
        };
        let Some(class) = class else { return Err(de.mismatch(&visitor)) };
        de.budget.copy(class.module.as_bytes())?;
        de.budget.copy(class.name.as_bytes())?;
        visitor.visit_map(InstanceAccess { de, class, fields: FIELDS.iter(), field: "" })
    }
}

impl<'de> MapAccess<'de> for InstanceAccess<'_, '_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some(field) = self.fields.next() else { return Ok(None) };
        self.field = field;
        let field: StrDeserializer<'_, Error> = field.into_deserializer();
        seed.deserialize(field).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let text = match self.field {
            "module" => self.class.module,
            "name" => &*self.class.name,
            _ => {
                let outer = self.de.explicit.replace(self.de.id);
                let value = self.de.same(|de| seed.deserialize(de));
                self.de.explicit = outer;
                return value;
            }
        };
        let text: StrDeserializer<'_, Error> = text.into_deserializer();
        seed.deserialize(text)
    }
}
