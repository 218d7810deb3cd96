//! The example runs, and goes on where Python stopped to read, and the other way round.

#[path = "../common/mod.rs"]
mod common;

use super::*;

#[test]
fn it_runs() -> Result<(), Box<dyn std::error::Error>> {
    main()
}

/// The same class in Python.
const PYTHON: &str = r"
import itertools, pickle, types

class TextReader:
    __module__ = 'reader'
    def __init__(self, filename, lineno=0):
        self.filename, self.lineno = filename, lineno
        self.lines = itertools.islice(open(filename), lineno, None)
    def readline(self):
        self.lineno += 1
        return f'{self.lineno}: {next(self.lines).rstrip()}'
    def __getstate__(self):
        return {'filename': self.filename, 'lineno': self.lineno}
    def __setstate__(self, state):
        self.__init__(**state)

sys.modules['reader'] = types.ModuleType('reader')
sys.modules['reader'].TextReader = TextReader
";

#[test]
fn one_goes_on_where_the_other_stopped() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::temp_dir().join(format!("halfsour-lines-{}.txt", std::process::id()));
    std::fs::write(&path, "one\ntwo\nthree\nfour\n")?;
    let name = path.display().to_string();

    let dumps = format!(
        "{}{PYTHON}
reader = TextReader(next(unpack()).decode())
assert reader.readline() == '1: one'
for protocol in range(6):
    emit(pickle.dumps(reader, protocol))
",
        common::PACK
    );
    let pickles = common::unpack(&common::python(&dumps, &common::pack([name.as_bytes()])));
    for (protocol, pickle) in (0..).zip(&pickles) {
        let mut reader: TextReader = halfsour::from_slice(pickle)?;
        assert_eq!(halfsour::Pickler::new().protocol(protocol).to_vec(&reader)?, *pickle);
        assert_eq!(reader.readline()?.as_deref(), Some("2: two"));
        assert_eq!(reader.readline()?.as_deref(), Some("3: three"));
        assert_eq!(reader.readline()?.as_deref(), Some("4: four"));
        assert_eq!(reader.readline()?, None);
    }

    let loads = format!(
        "{}{PYTHON}
for data in unpack():
    emit(pickle.loads(data).readline())
",
        common::PACK
    );
    let pickle = halfsour::to_vec(&TextReader::open(name.clone(), 2)?)?;
    assert_eq!(common::unpack(&common::python(&loads, &common::pack([&*pickle]))), [b"3: three"]);

    // A file that is gone is told of.
    std::fs::remove_file(&path)?;
    let error = halfsour::from_slice::<TextReader>(&pickle).err().map(|error| error.to_string());
    assert!(error.is_some_and(|error| error.contains(&name)));
    Ok(())
}

/// Whatever its attributes are called.
#[test]
fn another_class_is_refused() {
    let other = b"csys\nReader\n)\x81}(U\x08filenameU\x0b/etc/passwdU\x06linenoK\0ub.";
    let error = halfsour::from_slice::<TextReader>(other).err().map(|error| error.to_string());
    assert_eq!(error.as_deref(), Some("expected a reader.TextReader, found a sys.Reader at root"));
    let error = halfsour::from_slice::<TextReader>(b"creader\nTextReader\n)\x81.").err();
    let error = error.map(|error| error.to_string());
    assert_eq!(error.as_deref(), Some("filename is missing at root"));
}

/// A fault in the file is no end of the file.
#[test]
fn what_cannot_be_read_is_an_error() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::temp_dir().join(format!("halfsour-latin1-{}.txt", std::process::id()));
    std::fs::write(&path, b"sm\xf6r\n")?;
    let mut reader = TextReader::open(path.display().to_string(), 0)?;
    assert_eq!(reader.readline().unwrap_err().kind(), io::ErrorKind::InvalidData);
    std::fs::remove_file(&path)?;
    Ok(())
}
