//! [`Value`]: a pickle as a tree of owned values, for those who do not want to name a type.
//!
//! A tree has no sharing: what was one object in several places is several values here. The
//! [`Graph`] has it.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, SerializeMap, SerializeTuple};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::instance::Instance;
use super::ser::{BYTEARRAY, FROZENSET, SET};
use crate::error::{Error, ErrorKind, Step};
use crate::graph::{self, Graph, Node, NodeId};
use crate::limits::{Budget, Limits};
use crate::number::{Integer, Wide, wide};
use crate::writer::{ToPickle, Writer};

/// A Python object, as far as it can be told without running it.
///
/// Comparing, cloning, showing and dropping values recurses. That is safe for all that
/// [`Graph::to_value`] and serde make, which nest as deep as [`Limits::depth`] allows; whoever builds
/// deeper ones by hand has to see to it.
///
/// It is written exactly by [`ToPickle`]. With serde, a tuple remains one, a set is written as a set to
/// a pickle and as a sequence elsewhere; an object that is more than a class and its state is an
/// error. What serde reads from any format is `None`, a number, text, bytes, a list or a dict.
///
/// ```
/// use halfsour::serde::Value;
///
/// // pickle.dumps((1, "spam"))
/// let graph = halfsour::load(b"\x80\x05K\x01\x8c\x04spam\x94\x86\x94.")?;
/// let value = graph.to_value()?;
/// assert_eq!(value, Value::Tuple(vec![Value::Int(1), Value::Str("spam".into())]));
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// `None`
    #[default]
    None,
    /// `True` or `False`
    Bool(bool),
    /// An integer that fits.
    Int(i64),
    /// One that does not: little-endian two's complement.
    BigInt(Vec<u8>),
    /// A float.
    Float(f64),
    /// Text.
    Str(String),
    /// Text with lone surrogates: Python's `utf-8` with `surrogatepass`.
    Surrogates(Vec<u8>),
    /// A string of Python 2, of which nobody knows whether it is text.
    OldStr(Vec<u8>),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A bytearray.
    ByteArray(Vec<u8>),
    /// A tuple.
    Tuple(Vec<Value>),
    /// A list.
    List(Vec<Value>),
    /// A dict, in its order.
    Dict(Vec<(Value, Value)>),
    /// A set, in the order of the pickle.
    Set(Vec<Value>),
    /// A frozenset, in the order of the pickle.
    FrozenSet(Vec<Value>),
    /// A class or a function, by its name.
    Global {
        /// The module's name.
        module: String,
        /// The qualified name within the module.
        name: String,
    },
    /// What has this extension code.
    Extension(i32),
    /// What has this persistent id.
    Persistent(Box<Value>),
    /// The so-manieth out-of-band buffer, from 0 on.
    Buffer(u32),
    /// A read-only view of a buffer.
    ReadonlyBuffer(Box<Value>),
    /// What only code could make.
    Object(Box<Object>),
}

/// How an object is made, and what was done to it then.
///
/// ```
/// use halfsour::serde::value::{Effect, Value};
///
/// // Stack([7]), of `class Stack(list)`.
/// let graph = halfsour::load(b"capp\nStack\n)\x81K\x07a.")?;
/// let Value::Object(stack) = graph.to_value()? else { panic!() };
/// assert_eq!(stack.effects, [Effect::Append(Value::Int(7))]);
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// How it is made.
    pub made: Made,
    /// What is done to it, in this order.
    pub effects: Vec<Effect>,
}

/// How an [`Object`] is made; see [`graph::Made`].
///
/// ```
/// use halfsour::serde::value::{Made, Value};
///
/// // fractions.Fraction(2, 3)
/// let graph = halfsour::load(b"cfractions\nFraction\nK\x02K\x03\x86R.")?;
/// let Value::Object(fraction) = graph.to_value()? else { panic!() };
/// let Made::Call { callable, args } = fraction.made else { panic!() };
/// assert_eq!(callable, Value::Global { module: "fractions".into(), name: "Fraction".into() });
/// assert_eq!(args, Value::Tuple(vec![Value::Int(2), Value::Int(3)]));
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Made {
    /// `callable(*args)`
    Call {
        /// What is called.
        callable: Value,
        /// A tuple, if the pickle is well made.
        args: Value,
    },
    /// `cls.__new__(cls, *args, **kwargs)`
    New {
        /// The class.
        cls: Value,
        /// A tuple, if the pickle is well made.
        args: Value,
        /// A dict, if the pickle is well made.
        kwargs: Option<Value>,
    },
    /// An instance of an old class.
    Inst {
        /// The class.
        cls: Value,
        /// The arguments.
        args: Vec<Value>,
    },
}

/// What is done to an [`Object`]; see [`graph::Effect`].
///
/// ```
/// use halfsour::serde::value::{Effect, Value};
///
/// // Table({1: 2}), of `class Table(dict)`, with an attribute.
/// let graph = halfsour::load(b"capp\nTable\n)\x81K\x01K\x02s}\x8c\x04nameNsb.")?;
/// let Value::Object(table) = graph.to_value()? else { panic!() };
/// let [Effect::SetItem(key, value), Effect::Build(_)] = &table.effects[..] else { panic!() };
/// assert_eq!((key, value), (&Value::Int(1), &Value::Int(2)));
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Effect {
    /// It gets this state.
    Build(Value),
    /// An item is appended.
    Append(Value),
    /// A value is stored under a key.
    SetItem(Value, Value),
    /// An item is added.
    Add(Value),
    /// A function gets it and a state.
    SetState {
        /// The function.
        setter: Value,
        /// The state.
        state: Value,
    },
}

impl Graph<'_> {
    /// What was pickled, as a tree of owned values, within the default [`Limits`]. Feature `serde`.
    ///
    /// # Errors
    /// [`ErrorKind::Cycle`] with the path, where something holds itself; where shared data, written
    /// out wherever it is, would cost more than the limits allow.
    ///
    /// ```
    /// let graph = halfsour::load(b"]q\0h\0a.")?;
    /// assert_eq!(graph.to_value().unwrap_err().path().to_string(), "root[0]");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub fn to_value(&self) -> Result<Value, Error> {
        let budget = Budget::with_text(Limits::default(), self, &[]);
        Reading { graph: self, budget, open: Vec::new() }.value(self.root())
    }
}

struct Reading<'g, 'a> {
    graph: &'g Graph<'a>,
    budget: Budget,
    open: Vec<NodeId>,
}

impl Reading<'_, '_> {
    fn bytes(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        self.budget.copy(bytes)?;
        Ok(bytes.to_vec())
    }

    fn values(&mut self, ids: &[NodeId]) -> Result<Vec<Value>, Error> {
        let item = |(index, id): (usize, &NodeId)| {
            self.value(*id).map_err(|error| error.within(Step::Index(index)))
        };
        ids.iter().enumerate().map(item).collect()
    }

    fn entry(&mut self, key: NodeId, value: NodeId) -> Result<(Value, Value), Error> {
        let graph = self.graph;
        let read = self.value(key).map_err(|error| error.within(Step::InKey(graph.repr(key))))?;
        let value = self.value(value).map_err(|error| error.within(Step::Key(graph.repr(key))))?;
        Ok((read, value))
    }

    fn boxed(&mut self, id: NodeId) -> Result<Box<Value>, Error> {
        self.value(id).map(Box::new)
    }

    fn value(&mut self, id: NodeId) -> Result<Value, Error> {
        self.budget.visit()?;
        if self.open.contains(&id) {
            return Err(ErrorKind::Cycle.into());
        }
        Ok(match self.graph.get(id) {
            Node::None => Value::None,
            Node::Bool(value) => Value::Bool(value),
            Node::Int(value) => Value::Int(value),
            Node::BigInt(bytes) => Value::BigInt(self.bytes(bytes)?),
            Node::Float(value) => Value::Float(value),
            Node::Str(text) => match text.to_str() {
                Some(text) => {
                    self.budget.copy(text.as_bytes())?;
                    Value::Str(text.into())
                }
                None => Value::Surrogates(self.bytes(text.as_bytes())?),
            },
            Node::OldStr(bytes) => Value::OldStr(self.bytes(bytes)?),
            Node::Bytes(bytes) => Value::Bytes(self.bytes(bytes)?),
            Node::ByteArray(bytes) => Value::ByteArray(self.bytes(bytes)?),
            Node::Buffer(number) => Value::Buffer(number),
            node => {
                self.budget.enter()?;
                self.open.push(id);
                let value = self.container(node);
                self.open.pop();
                self.budget.leave();
                value?
            }
        })
    }

    fn container(&mut self, node: Node<'_>) -> Result<Value, Error> {
        Ok(match node {
            Node::Tuple(items) => Value::Tuple(self.values(items)?),
            Node::List(items) => Value::List(self.values(items)?),
            Node::Set(items) => Value::Set(self.values(items)?),
            Node::FrozenSet(items) => Value::FrozenSet(self.values(items)?),
            Node::Dict(entries) => {
                let entry = |&[key, value]: &[NodeId; 2]| self.entry(key, value);
                Value::Dict(entries.iter().map(entry).collect::<Result<_, _>>()?)
            }
            Node::ReadonlyBuffer(buffer) => Value::ReadonlyBuffer(self.boxed(buffer)?),
            Node::Object(object) => self.object(object)?,
            // The others hold nothing.
            _ => Value::None,
        })
    }

    fn object(&mut self, object: graph::Object<'_>) -> Result<Value, Error> {
        let made = match object.made {
            graph::Made::Global { module, name } => {
                let mut text = |id| match self.graph.utf8(id) {
                    Some(text) => {
                        self.budget.copy(text.as_bytes())?;
                        Ok(text.to_string())
                    }
                    None => Err(Error::custom("a name that is no text")),
                };
                return Ok(Value::Global { module: text(module)?, name: text(name)? });
            }
            graph::Made::Extension(code) => return Ok(Value::Extension(code)),
            graph::Made::Persistent(pid) => return Ok(Value::Persistent(self.boxed(pid)?)),
            graph::Made::Call { callable, args } => {
                Made::Call { callable: self.value(callable)?, args: self.value(args)? }
            }
            graph::Made::New { cls, args, kwargs } => Made::New {
                cls: self.value(cls)?,
                args: self.value(args)?,
                kwargs: kwargs.map(|kwargs| self.value(kwargs)).transpose()?,
            },
            graph::Made::Inst { cls, args } => {
                Made::Inst { cls: self.value(cls)?, args: self.values(args)? }
            }
        };
        let mut effects = Vec::new();
        let mut index = 0;
        for effect in object.effects {
            effects.push(match *effect {
                graph::Effect::Build(state) => Effect::Build(self.value(state)?),
                graph::Effect::Append(item) | graph::Effect::Add(item) => {
                    let value = self.value(item).map_err(|e| e.within(Step::Index(index)))?;
                    index += 1;
                    match effect {
                        graph::Effect::Add(_) => Effect::Add(value),
                        _ => Effect::Append(value),
                    }
                }
                graph::Effect::SetItem(key, value) => {
                    let (key, value) = self.entry(key, value)?;
                    Effect::SetItem(key, value)
                }
                graph::Effect::SetState(call) => self.setter(call)?,
            });
        }
        Ok(Value::Object(Box::new(Object { made, effects })))
    }

    fn setter(&mut self, call: NodeId) -> Result<Effect, Error> {
        if let Node::Object(call) = self.graph.get(call)
            && let graph::Made::Call { callable, args } = call.made
            && let Node::Tuple(&[_, state]) = self.graph.get(args)
        {
            return Ok(Effect::SetState {
                setter: self.value(callable)?,
                state: self.value(state)?,
            });
        }
        Err(Error::custom("a state setter that is no call"))
    }
}

/// As Python would write it, but for what no object of Python is written as.
impl ToPickle for Value {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        match self {
            Value::None => out.none(),
            Value::Bool(value) => out.bool(*value),
            Value::Int(value) => out.int(*value),
            Value::BigInt(bytes) => out.bigint(bytes),
            Value::Float(value) => out.float(*value),
            Value::Str(text) => out.str(text),
            Value::Bytes(bytes) => out.bytes(bytes),
            Value::ByteArray(bytes) => out.bytearray(bytes),
            Value::Tuple(items) => {
                out.tuple_with(items.len(), |tuple| items.iter().try_for_each(|v| tuple.item(v)))
            }
            Value::List(items) => out.list(items),
            Value::Dict(entries) => out.dict(entries.iter().map(|(key, value)| (key, value))),
            Value::Set(items) => out.set(items),
            Value::FrozenSet(items) => out.frozenset(items),
            Value::Global { module, name } => out.global(module, name),
            Value::Extension(code) => out.extension(*code),
            Value::Persistent(pid) => out.persistent(&**pid),
            Value::Object(object) => object.write(out),
            Value::Surrogates(_)
            | Value::OldStr(_)
            | Value::Buffer(_)
            | Value::ReadonlyBuffer(_) => Err(Error::custom(UNWRITABLE)),
        }
    }
}

const UNWRITABLE: &str = "a value that only its graph can write";

impl Object {
    fn write(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        fn refs(args: &[Value]) -> Vec<&dyn ToPickle> {
            args.iter().map(|arg| arg as &dyn ToPickle).collect()
        }
        let index = match &self.made {
            Made::Call { callable, args: Value::Tuple(args) } => {
                out.made_by_call(callable, &refs(args))?
            }
            Made::New { cls, args: Value::Tuple(args), kwargs: None } => {
                out.made_by_new(cls, &refs(args))?
            }
            Made::New { cls, args: Value::Tuple(args), kwargs: Some(kwargs) } => {
                out.made_by_new_ex(cls, &refs(args), |out| out.save(kwargs))?
            }
            // What INST does with a class: it calls it.
            Made::Inst { cls, args } => out.made_by_call(cls, &refs(args))?,
            _ => return Err(Error::custom(UNWRITABLE)),
        };
        for run in self.effects.chunk_by(|one, two| {
            matches!(
                (one, two),
                (Effect::Append(_), Effect::Append(_)) | (Effect::SetItem(..), Effect::SetItem(..))
            )
        }) {
            match run {
                [Effect::Append(_), ..] => {
                    out.append_items(run.iter().filter_map(|e| match e {
                        Effect::Append(item) => Some(item),
                        _ => None,
                    }))?
                }
                [Effect::SetItem(..), ..] => out.set_items(run.iter().filter_map(|e| match e {
                    Effect::SetItem(key, value) => Some((key, value)),
                    _ => None,
                }))?,
                [Effect::Build(state)] => out.build(|out| out.save(state))?,
                [Effect::SetState { setter, state }] => out.set_state(index, setter, state)?,
                _ => return Err(Error::custom(UNWRITABLE)),
            }
        }
        Ok(())
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::None => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Int(value) => serializer.serialize_i64(*value),
            Value::BigInt(bytes) => match wide(bytes) {
                Some(Wide::Signed(value)) => serializer.serialize_i128(value),
                Some(Wide::Unsigned(value)) => serializer.serialize_u128(value),
                None => Err(S::Error::custom("an int of more than 128 bits")),
            },
            Value::Float(value) => serializer.serialize_f64(*value),
            Value::Str(text) => serializer.serialize_str(text),
            Value::Bytes(bytes) | Value::Surrogates(bytes) | Value::OldStr(bytes) => {
                serializer.serialize_bytes(bytes)
            }
            Value::ByteArray(bytes) => {
                serializer.serialize_newtype_struct(BYTEARRAY, &Value::Bytes(bytes.clone()))
            }
            Value::Tuple(items) => {
                let mut tuple = serializer.serialize_tuple(items.len())?;
                items.iter().try_for_each(|item| tuple.serialize_element(item))?;
                tuple.end()
            }
            Value::List(items) => serializer.collect_seq(items),
            Value::Set(items) => serializer.serialize_newtype_struct(SET, items),
            Value::FrozenSet(items) => serializer.serialize_newtype_struct(FROZENSET, items),
            Value::Dict(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                entries.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
                map.end()
            }
            Value::Object(object) => match object.instance() {
                Some(instance) => instance.serialize(serializer),
                None => Err(S::Error::custom("an object that is more than its state")),
            },
            Value::Global { module, name } => {
                Err(S::Error::custom(format_args!("the global {module}.{name} is no data")))
            }
            Value::Extension(_)
            | Value::Persistent(_)
            | Value::Buffer(_)
            | Value::ReadonlyBuffer(_) => Err(S::Error::custom("a reference is no data")),
        }
    }
}

impl Object {
    /// The object, if it is an instance that has a state and nothing else.
    fn instance(&self) -> Option<Instance<&Value>> {
        let (cls, state) = match (&self.made, &*self.effects) {
            (Made::New { cls, args: Value::Tuple(args), kwargs: None }, effects)
                if args.is_empty() =>
            {
                match effects {
                    [] => (cls, &Value::None),
                    [Effect::Build(state)] => (cls, state),
                    _ => return None,
                }
            }
            _ => return None,
        };
        let Value::Global { module, name } = cls else { return None };
        Some(Instance { module: module.clone(), name: name.clone(), value: state })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl From<Integer> for Value {
    fn from(value: Integer) -> Value {
        match value {
            Integer::Small(value) => Value::Int(value),
            Integer::Big(bytes) => Value::BigInt(bytes.into()),
        }
    }
}

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Integer::from_le_bytes(&u128::from(value).to_le_bytes()).into())
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(Integer::from_le_bytes(&value.to_le_bytes()).into())
    }

    fn visit_u128<E>(self, value: u128) -> Result<Value, E> {
        let mut bytes = value.to_le_bytes().to_vec();
        bytes.push(0);
        Ok(Integer::from_le_bytes(&bytes).into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Str(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Str(value))
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Value, E> {
        Ok(Value::Bytes(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::None)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
        Value::deserialize(inner)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Value::Dict(entries))
    }
}
