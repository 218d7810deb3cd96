//! The tensors in a value, whatever else there is in it: dicts, lists, whole models.

use std::borrow::Cow;
use std::collections::HashMap;
use std::iter;

use halfsour::Error;
use halfsour::graph::{Made, Node, NodeId, Object};
use halfsour::typed::Item;

use super::storages::{DTYPES, Storage};
use super::{LONGEST, Tensor};

/// Where a value is: its key, and where that is one. Only tensors need it in one piece.
#[derive(Clone, Copy)]
pub(super) struct Name<'n> {
    outer: Option<&'n Name<'n>>,
    key: &'n str,
}

impl Name<'_> {
    pub(super) const ROOT: Name<'static> = Name { outer: None, key: "" };

    /// The keys with dots between. A module has its tensors and its parts in dicts, of which nobody says
    /// the names.
    fn join(&self) -> Result<String, Error> {
        let keys = iter::successors(Some(self), |name| name.outer).map(|name| name.key);
        let said = |key: &&str| !matches!(*key, "" | "_parameters" | "_buffers" | "_modules");
        let mut keys: Vec<&str> = keys.filter(said).collect();
        keys.reverse();
        match keys.iter().map(|key| key.len()).sum::<usize>() {
            ..=LONGEST => Ok(keys.join(".")),
            _ => Err(Error::custom(format_args!("a name of more than {LONGEST} bytes"))),
        }
    }
}

/// Collects the tensors in a value, whatever else there is in it.
pub(super) fn walk<'a>(
    item: Item<'_, 'a>,
    name: &Name<'_>,
    storages: &HashMap<NodeId, Storage<'a>>,
    tensors: &mut Vec<Tensor<'a>>,
) -> Result<(), Error> {
    let mut into =
        |key: &str, value| walk(value, &Name { outer: Some(name), key }, storages, tensors);
    match item.node() {
        Node::Dict(_) => {
            for (key, value) in item.entries()? {
                into(&show(key), value)?;
            }
        }
        Node::List(_) | Node::Tuple(_) => {
            for (index, value) in item.items()?.enumerate() {
                into(&index.to_string(), value)?;
            }
        }
        // A storage by itself.
        Node::Object(Object { made: Made::Persistent(_), .. }) => {
            let name = name.join()?;
            let Storage { dtype, itemsize, data } = storage(item, &name, storages)?;
            let (dtype, shape) = ((*dtype).into(), vec![data.len() / itemsize]);
            tensors.push(Tensor { name, dtype, shape, strides: vec![1], data });
        }
        Node::Object(_) => {
            let class = item.class().map(|class| class.to_string()).unwrap_or_default();
            match class.strip_prefix("torch.").unwrap_or_default() {
                "_utils._rebuild_tensor"
                | "_utils._rebuild_tensor_v2"
                | "_utils._rebuild_tensor_v3" => {
                    tensors.push(tensor(item, name.join()?, storages)?)
                }
                // What is around a tensor comes behind it.
                "_utils._rebuild_parameter" | "_utils._rebuild_parameter_with_state" => {
                    if let Some(data) = item.args()?.next() {
                        into("", data)?;
                    }
                }
                _ => instance(item, into)?,
            }
        }
        _ => (),
    }
    Ok(())
}

/// An instance of whatever class: what it is made of, and what was put into it.
fn instance<'g, 'a>(
    item: Item<'g, 'a>,
    mut into: impl FnMut(&str, Item<'g, 'a>) -> Result<(), Error>,
) -> Result<(), Error> {
    for (index, value) in item.args()?.enumerate() {
        into(&index.to_string(), value)?;
    }
    for (key, value) in item.dict_items()? {
        into(&show(key), value)?;
    }
    for (index, value) in item.list_items()?.enumerate() {
        into(&index.to_string(), value)?;
    }
    match item.state()?.value() {
        Some(state) => into("", state),
        None => Ok(()),
    }
}

fn show<'g>(key: Item<'g, '_>) -> Cow<'g, str> {
    match (key.str(), key.int::<i64>()) {
        (Ok(key), _) => key,
        (_, Ok(key)) => key.to_string().into(),
        _ => "?".into(),
    }
}

/// `_rebuild_tensor(storage, offset, size, stride)`; `_v2` has two or three arguments more, `_v3` the
/// dtype behind the first two of them.
fn tensor<'a>(
    item: Item<'_, 'a>,
    name: String,
    storages: &HashMap<NodeId, Storage<'a>>,
) -> Result<Tensor<'a>, Error> {
    let args: Vec<_> = item.args()?.collect();
    let [memory, offset, size, stride, ref more @ ..] = *args else {
        return Err(item.expected("a tensor"));
    };
    let offset: usize = offset.int()?;
    let (shape, strides): (Vec<usize>, Vec<usize>) = (size.read()?, stride.read()?);
    let storage = storage(memory, &name, storages)?;
    let class = more.get(2).and_then(|dtype| dtype.class()).filter(|class| class.module == "torch");
    let dtype = class.map_or(storage.dtype.into(), |class| class.name);
    let known = DTYPES.iter().find(|(known, _, _)| *known == dtype);
    let (_, itemsize, _) =
        known.ok_or_else(|| Error::custom(format_args!("{name} is of {dtype}")))?;
    let data = part(storage.data, *itemsize, offset, &shape, &strides)
        .ok_or_else(|| Error::custom(format_args!("{name} is not within its storage")))?;
    Ok(Tensor { name, dtype: dtype.into(), shape, strides, data })
}

fn storage<'s, 'a>(
    item: Item<'_, 'a>,
    name: &str,
    storages: &'s HashMap<NodeId, Storage<'a>>,
) -> Result<&'s Storage<'a>, Error> {
    storages
        .get(&item.id())
        .ok_or_else(|| Error::custom(format_args!("the storage of {name} is not there")))
}

/// The bytes from a tensor's first item to its last; `None` if they are not all there.
fn part<'a>(
    data: &'a [u8],
    itemsize: usize,
    offset: usize,
    shape: &[usize],
    strides: &[usize],
) -> Option<&'a [u8]> {
    if shape.len() != strides.len() {
        return None;
    }
    let items = if shape.contains(&0) {
        0
    } else {
        let steps = shape.iter().zip(strides).map(|(len, stride)| (len - 1).checked_mul(*stride));
        steps.into_iter().try_fold(1_usize, |sum, step| sum.checked_add(step?))?
    };
    let start = offset.checked_mul(itemsize)?;
    data.get(start..start.checked_add(items.checked_mul(itemsize)?)?)
}
