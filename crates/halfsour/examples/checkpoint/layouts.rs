//! The two layouts: where in a file the pickle is, and the storages.

use std::collections::HashMap;
use std::io::Cursor;

use halfsour::graph::{self, Graph, NodeId};
use halfsour::typed::Unpickler;
use halfsour::{Error, Reader, SliceSource};
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::limits;
use super::storages::{Storage, storages};

/// What a file is made of.
pub(super) struct Parts<'a> {
    pub(super) graph: Graph<'a>,
    pub(super) storages: HashMap<NodeId, Storage<'a>>,
}

/// A member of the archive is where it is in the file, since it is not compressed.
pub(super) fn read_zip(file: &[u8]) -> Result<Parts<'_>, Error> {
    let mut archive = ZipArchive::new(Cursor::new(file)).map_err(of_zip)?;
    let mut members = HashMap::new();
    for index in 0..archive.len() {
        let member = archive.by_index(index).map_err(of_zip)?;
        // All are in a folder that has the archive's name.
        let name = member.name().map_err(of_zip)?;
        let Some((_, name)) = name.split_once('/') else { continue };
        if member.compression() == CompressionMethod::Stored
            && let Some(start) = member.data_start()
            && let Some(data) = part(file, start, member.size())
        {
            members.insert(name.to_owned(), data);
        }
    }
    if members.get("byteorder").is_some_and(|order| *order != b"little") {
        return Err(Error::custom("the storages are not little-endian"));
    }
    let pickle = members
        .get("data.pkl")
        .ok_or_else(|| Error::custom("there is no data.pkl that is stored as it is"))?;
    let graph = graph::load_within(&mut Reader::new(SliceSource::new(pickle)), limits())?;
    let storages = storages(&graph, |key, _| members.get(&format!("data/{key}")).copied())?;
    Ok(Parts { graph, storages })
}

/// A number that is no other pickle's, a version, the machine; the object, the keys of its storages.
/// Then, in the order of the keys, how many items a storage has, and the items.
pub(super) fn read_legacy(file: &[u8]) -> Result<Parts<'_>, Error> {
    let mut reader = Reader::new(SliceSource::new(file));
    let mut next = || graph::load_within(&mut reader, limits());
    let unpickler = Unpickler::new();
    let magic: u128 = unpickler.from_graph(&next()?)?;
    let version: u32 = unpickler.from_graph(&next()?)?;
    if (magic, version) != (0x1950_a86a_20f9_469c_fc6c, 1001) {
        return Err(Error::custom("no checkpoint of PyTorch"));
    }
    let _machine = next()?;
    let graph = next()?;
    let keys: Vec<String> = unpickler.from_graph(&next()?)?;

    let mut sizes = HashMap::new();
    storages(&graph, |key, itemsize| {
        sizes.insert(key.to_owned(), itemsize);
        None
    })?;
    let mut rest = reader.source().rest();
    let mut data = HashMap::new();
    for key in keys {
        let storage = sizes.get(&key).and_then(|itemsize| split(rest, *itemsize));
        let (items, behind) =
            storage.ok_or_else(|| Error::custom(format_args!("no storage {key}")))?;
        rest = behind;
        data.insert(key, items);
    }
    let storages = storages(&graph, |key, _| data.get(key).copied())?;
    Ok(Parts { graph, storages })
}

fn part(file: &[u8], start: u64, size: u64) -> Option<&[u8]> {
    let end = usize::try_from(start.checked_add(size)?).ok()?;
    file.get(usize::try_from(start).ok()?..end)
}

/// The items of a storage whose number comes before them, and what is behind.
fn split(data: &[u8], itemsize: usize) -> Option<(&[u8], &[u8])> {
    let (count, rest) = data.split_first_chunk()?;
    let count = usize::try_from(u64::from_le_bytes(*count)).ok()?;
    rest.split_at_checked(count.checked_mul(itemsize)?)
}

fn of_zip(error: ZipError) -> Error {
    Error::custom(error)
}
