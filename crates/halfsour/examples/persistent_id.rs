//! Records of a database, pickled by their keys alone: the records stay in the database.
//!
//! The Python documentation has this example in its chapter on persistent ids: its `DBPickler` and
//! `DBUnpickler` are [`dump`] and [`load`] here. Both languages share the database and the pickles.

use std::rc::Rc;

use halfsour::{Error, Pickle, Pickler, Unpickler};
use rusqlite::{Connection, OptionalExtension};

/// A row of the table `memos`. In Python it is a namedtuple.
#[derive(Pickle, Clone, Debug, PartialEq)]
#[pickle(module = "tasks", newargs)]
struct MemoRecord {
    key: i64,
    task: String,
}

/// Pickles records by what Python's `persistent_id` returns: the name of their class, and their key.
fn dump(records: &[MemoRecord]) -> Result<Vec<u8>, Error> {
    // Shared, the name is written once, as Python writes its only "MemoRecord".
    let class: Rc<str> = "MemoRecord".into();
    Pickler::new()
        .persistent_id(|value| {
            let record = value.downcast_ref::<MemoRecord>()?; // all else goes into the pickle
            Some(Box::new((Rc::clone(&class), record.key)))
        })
        .to_vec(records)
}

/// Loads records, each of which is fetched from the database, as Python's `persistent_load` does.
fn load(database: &Connection, pickle: &[u8]) -> Result<Vec<MemoRecord>, Error> {
    Unpickler::new()
        .persistent_load(|pid| {
            let (class, key): (String, i64) = pid.read()?;
            let record = match class.as_str() {
                "MemoRecord" => find(database, key),
                _ => return Err(pid.expected("the id of a record")),
            };
            let record = record.map_err(Error::custom)?;
            let gone = || Error::custom(format_args!("the database has no memo {key}"));
            Ok(Box::new(record.ok_or_else(gone)?))
        })
        .from_slice(pickle)
}

fn find(database: &Connection, key: i64) -> rusqlite::Result<Option<MemoRecord>> {
    database.query_row("SELECT key, task FROM memos WHERE key = ?1", [key], record).optional()
}

fn all(database: &Connection) -> rusqlite::Result<Vec<MemoRecord>> {
    database.prepare("SELECT key, task FROM memos ORDER BY key")?.query_map([], record)?.collect()
}

fn record(row: &rusqlite::Row<'_>) -> rusqlite::Result<MemoRecord> {
    Ok(MemoRecord { key: row.get("key")?, task: row.get("task")? })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let database = Connection::open_in_memory()?;
    database.execute_batch(
        "CREATE TABLE memos (key INTEGER PRIMARY KEY, task TEXT);
         INSERT INTO memos (task) VALUES ('salt the water'), ('wash the jars'), ('wait');",
    )?;

    let records = all(&database)?;
    let pickle = dump(&records)?;
    println!("{} records in a pickle of {} bytes", records.len(), pickle.len());
    assert_eq!(load(&database, &pickle)?, records);

    // A record that changes after it was pickled is loaded as it is now.
    database.execute("UPDATE memos SET task = 'wait four days' WHERE key = 3", [])?;
    for MemoRecord { key, task } in load(&database, &pickle)? {
        println!("{key}: {task}");
    }

    // Of a record that is gone there is nothing left.
    database.execute("DELETE FROM memos WHERE key = 2", [])?;
    let error = load(&database, &pickle).unwrap_err();
    println!("{error}");
    assert_eq!(error.to_string(), "the database has no memo 2 at root[1]");
    Ok(())
}

#[cfg(test)]
#[path = "../tests/examples/persistent_id.rs"]
mod tests;
