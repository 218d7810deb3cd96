//! The example runs, and shares its database and its pickles with Python.

#[path = "../common/mod.rs"]
mod common;

use super::*;

#[test]
fn it_runs() -> Result<(), Box<dyn std::error::Error>> {
    main()
}

/// The same program in Python: what comes first is the name of the database.
const PYTHON: &str = r"
import collections, io, pickle, sqlite3, sys, types

tasks = sys.modules['tasks'] = types.ModuleType('tasks')
tasks.MemoRecord = collections.namedtuple('MemoRecord', 'key task', module='tasks')
database = sqlite3.connect(sys.stdin.buffer.readline().strip().decode())

class DBPickler(pickle.Pickler):
    def persistent_id(self, obj):
        return ('MemoRecord', obj.key) if isinstance(obj, tasks.MemoRecord) else None

class DBUnpickler(pickle.Unpickler):
    def persistent_load(self, pid):
        name, key = pid
        assert name == 'MemoRecord'
        return tasks.MemoRecord(*database.execute('SELECT * FROM memos WHERE key = ?', (key,)).fetchone())
";

#[test]
fn python_shares_the_database() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::temp_dir().join(format!("halfsour-memos-{}.db", std::process::id()));
    let name = path.display().to_string();

    let dumps = format!(
        "{PYTHON}{}
with database:
    database.execute('CREATE TABLE memos (key INTEGER PRIMARY KEY, task TEXT)')
    database.executemany('INSERT INTO memos (task) VALUES (?)', [('salt',), ('wash',), ('wait',)])
records = [tasks.MemoRecord(*row) for row in database.execute('SELECT * FROM memos ORDER BY key')]
for protocol in range(1, 6):
    file = io.BytesIO()
    DBPickler(file, protocol).dump(records)
    emit(file.getvalue())
",
        common::PACK
    );
    let pickles = common::unpack(&common::python(&dumps, name.as_bytes()));

    let database = Connection::open(&path)?;
    let records = all(&database)?;
    assert_eq!(records.len(), 3);
    for pickle in &pickles {
        assert_eq!(load(&database, pickle)?, records);
    }
    assert_eq!(pickles.last(), Some(&dump(&records)?));

    database.execute("UPDATE memos SET task = 'eat' WHERE key = 3", [])?;
    database.execute("INSERT INTO memos VALUES (9, 'wash again')", [])?;
    drop(database);
    let loads = format!(
        "{PYTHON}
for record in DBUnpickler(sys.stdin.buffer).load():
    print(*record)
"
    );
    let mut input = format!("{name}\n").into_bytes();
    input.extend(dump(&[
        MemoRecord { key: 3, task: "wait".into() },
        MemoRecord { key: 9, task: String::new() },
    ])?);
    let printed = common::python(&loads, &input);
    std::fs::remove_file(path)?;
    assert_eq!(
        String::from_utf8(printed)?.split_whitespace().collect::<String>(),
        "3eat9washagain"
    );
    Ok(())
}
