//! A reader of lines that is pickled while it reads: its file stays outside, its place goes along.
//!
//! The Python documentation has this class in its chapter on stateful objects. What cannot be
//! pickled, an open file, is opened again on load, and read up to the line that was next.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Lines};

use halfsour::typed::Class;
use halfsour::{Error, FromPickle, Item, ToPickle, Writer};

/// Numbers the lines of a file.
struct TextReader {
    filename: String,
    lineno: usize,
    lines: Lines<BufReader<File>>,
}

impl TextReader {
    /// Opens a file, and skips the lines that were read already.
    fn open(filename: String, lineno: usize) -> io::Result<TextReader> {
        let mut lines = BufReader::new(File::open(&filename)?).lines();
        for line in lines.by_ref().take(lineno) {
            line?;
        }
        Ok(TextReader { filename, lineno, lines })
    }

    /// The next line, with its number; `None` at the end.
    fn readline(&mut self) -> io::Result<Option<String>> {
        let Some(line) = self.lines.next().transpose()? else { return Ok(None) };
        self.lineno += 1;
        Ok(Some(format!("{}: {line}", self.lineno)))
    }
}

impl Class for TextReader {
    const MODULE: &'static str = "reader";
    const NAME: &'static str = "TextReader";
}

/// What Python's `__getstate__` returned: all but the file.
impl ToPickle for TextReader {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        let state: [(&str, &dyn ToPickle); 2] =
            [("filename", &self.filename), ("lineno", &self.lineno)];
        out.instance(Self::MODULE, Self::NAME, &state)
    }
}

/// What Python's `__setstate__` did: opens the file again.
impl FromPickle<'_> for TextReader {
    fn from_pickle(item: Item<'_, '_>) -> Result<TextReader, Error> {
        // Another class may have attributes of these names too.
        if !item.is::<TextReader>() {
            return Err(item.expected("a reader.TextReader"));
        }
        let state = item.state()?;
        let (filename, lineno): (String, usize) = (state.read("filename")?, state.read("lineno")?);
        TextReader::open(filename.clone(), lineno)
            .map_err(|error| Error::custom(format_args!("{filename}: {error}")))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::temp_dir().join(format!("halfsour-hello-{}.txt", std::process::id()));
    std::fs::write(&file, "Hello world!\nI am line number two.\nGoodbye!\n")?;

    let mut reader = TextReader::open(file.display().to_string(), 0)?;
    println!("{:?}", reader.readline()?);
    println!("{:?}", reader.readline()?);

    let data = halfsour::to_vec(&reader)?;
    let mut again: TextReader = halfsour::from_slice(&data)?;
    let last = again.readline()?;
    println!("{last:?}");
    assert_eq!(last.as_deref(), Some("3: Goodbye!"));
    std::fs::remove_file(file)?;
    Ok(())
}

#[cfg(test)]
#[path = "../tests/examples/stateful_reader.rs"]
mod tests;
