//! The storages that a pickle refers to by persistent ids.

use std::collections::HashMap;

use halfsour::Error;
use halfsour::graph::{Graph, Made, Node, NodeId, Object};

use super::LONGEST;

/// Memory that tensors lie in.
pub(super) struct Storage<'a> {
    pub(super) dtype: &'static str,
    pub(super) itemsize: usize,
    pub(super) data: &'a [u8],
}

/// Dtypes, the size of their items, and the classes of storages that have them.
pub(super) const DTYPES: &[(&str, usize, &str)] = &[
    ("float64", 8, "DoubleStorage"),
    ("float32", 4, "FloatStorage"),
    ("float16", 2, "HalfStorage"),
    ("bfloat16", 2, "BFloat16Storage"),
    ("int64", 8, "LongStorage"),
    ("int32", 4, "IntStorage"),
    ("int16", 2, "ShortStorage"),
    ("int8", 1, "CharStorage"),
    ("uint8", 1, "ByteStorage"),
    ("bool", 1, "BoolStorage"),
    ("complex64", 8, "ComplexFloatStorage"),
    ("complex128", 16, "ComplexDoubleStorage"),
    ("quint8", 1, "QUInt8Storage"),
    ("qint8", 1, "QInt8Storage"),
    ("qint32", 4, "QInt32Storage"),
    // Those of later versions have no storages of their own.
    ("untyped", 1, "UntypedStorage"),
    ("uint16", 2, ""),
    ("uint32", 4, ""),
    ("uint64", 8, ""),
    ("float8_e4m3fn", 1, ""),
    ("float8_e5m2", 1, ""),
    ("float8_e4m3fnuz", 1, ""),
    ("float8_e5m2fnuz", 1, ""),
    ("float8_e8m0fnu", 1, ""),
];

/// The storages that a pickle refers to, by its nodes: those that are found by their key.
///
/// A persistent id is `("storage", torch.FloatStorage, key, device, number of items)`; in the legacy
/// layout it ends in one item more, None for what is no part of another storage.
pub(super) fn storages<'a>(
    graph: &Graph<'_>,
    mut find: impl FnMut(&str, usize) -> Option<&'a [u8]>,
) -> Result<HashMap<NodeId, Storage<'a>>, Error> {
    let mut found = HashMap::new();
    for (id, node) in graph.iter() {
        let Node::Object(Object { made: Made::Persistent(pid), .. }) = node else { continue };
        let Node::Tuple(&[kind, class, key, ref more @ ..]) = graph.get(pid) else { continue };
        // The legacy layout has the source code of a model's classes in others.
        if text(graph, kind) != Some("storage") {
            continue;
        }
        let count = match *more {
            [_, count] => graph.get(count),
            [_, count, view] if graph.get(view) == Node::None => graph.get(count),
            _ => return Err(Error::custom("a storage that is a part of another")),
        };
        let class = match graph.get(class) {
            Node::Object(Object { made: Made::Global { name, .. }, .. }) => text(graph, name),
            _ => None,
        };
        let dtype = DTYPES.iter().find(|(_, _, of)| !of.is_empty() && class == Some(of));
        let (Some((dtype, itemsize, _)), Some(key), Node::Int(count)) =
            (dtype, text(graph, key), count)
        else {
            return Err(Error::custom("a storage of an unknown kind"));
        };
        if key.len() > LONGEST {
            return Err(Error::custom(format_args!("a key of more than {LONGEST} bytes")));
        }
        let Some(data) = find(key, *itemsize) else { continue };
        let size = usize::try_from(count).ok().and_then(|count| count.checked_mul(*itemsize));
        if size != Some(data.len()) {
            return Err(Error::custom(format_args!("storage {key} is not of {count} items")));
        }
        found.insert(id, Storage { dtype, itemsize: *itemsize, data });
    }
    Ok(found)
}

fn text<'g>(graph: &'g Graph<'_>, id: NodeId) -> Option<&'g str> {
    match graph.get(id) {
        Node::Str(text) => text.to_str(),
        Node::OldStr(text) => str::from_utf8(text).ok(),
        _ => None,
    }
}
