//! One pickle, whatever it comes from: memory, a stream that gives a few bytes at a time, and a source
//! that shows nothing ahead, so that the machine does all by itself.

mod common;

use std::io::{BufReader, Read};

use halfsour::graph::{load_stream, load_within};
use halfsour::{
    Error, ErrorKind, Graph, Limits, Opcode, Reader, SliceSource, Source, StreamSource, Unpickler,
};

/// Hides what comes next.
struct Blind<'a>(SliceSource<'a>);

impl Source for Blind<'_> {
    type Error = Error;

    fn opcode(&mut self) -> Result<Option<u8>, Error> {
        self.0.opcode()
    }
    fn read(&mut self, n: usize) -> Result<&[u8], Error> {
        self.0.read(n)
    }
    fn line(&mut self, limit: usize) -> Result<Option<&[u8]>, Error> {
        self.0.line(limit)
    }
    fn fill(&mut self, buf: &mut [u8]) -> Result<(), Error> {
        self.0.fill(buf)
    }
    fn frame(&mut self, n: usize) -> Result<(), Error> {
        self.0.frame(n)
    }
    fn offset(&self) -> u64 {
        self.0.offset()
    }
}

type Seen = Result<(usize, Vec<String>), (ErrorKind, Option<u64>, Option<Opcode>)>;

fn seen(result: Result<Graph<'_>, Error>) -> Seen {
    match result {
        Ok(graph) => {
            let nodes = graph.iter().map(|(_, node)| format!("{node:?}"));
            Ok((graph.root().index(), nodes.collect()))
        }
        Err(error) => Err((error.kind().clone(), error.offset(), error.opcode())),
    }
}

/// What each source makes of the same bytes.
fn compare(data: &[u8], limits: Limits) {
    let mut reader = Reader::new(SliceSource::new(data));
    let memory = seen(load_within(&mut reader, limits));
    let consumed = reader.source().offset();

    let mut reader = Reader::new(Blind(SliceSource::new(data)));
    let blind = seen(load_stream(&mut reader, limits));
    assert_eq!(blind, memory, "{}", data.escape_ascii());

    for capacity in [1, 3, 64 << 10] {
        let mut input = BufReader::with_capacity(capacity, data);
        let mut reader = Reader::new(StreamSource::new(&mut input));
        let stream = seen(load_stream(&mut reader, limits));
        assert_eq!(stream, memory, "{}", data.escape_ascii());
        reader.into_source().into_inner();
        if memory.is_ok() {
            let mut rest = Vec::new();
            input.read_to_end(&mut rest).unwrap();
            // A frame is consumed as a whole: in a slice it ends where the STOP is, in pickles that
            // no writer makes not.
            assert!(data[consumed as usize..].ends_with(&rest));
            if !data.contains(&0x95) {
                assert_eq!(rest.len(), data.len() - consumed as usize);
            }
        }
        compare_typed(data, limits, capacity, memory.is_ok());
    }
}

/// What typed reading makes of a stream, and where it leaves it.
fn compare_typed(data: &[u8], limits: Limits, capacity: usize, whole: bool) {
    let unpickler = Unpickler::new().limits(limits);
    let seen = |result: Result<u8, Error>| {
        result.map_err(|error| (error.kind().clone(), error.offset(), error.opcode()))
    };
    let mut input = BufReader::with_capacity(capacity, data);
    let stream = seen(unpickler.from_reader(&mut input));
    assert_eq!(stream, seen(unpickler.from_slice(data)), "{}", data.escape_ascii());
    if whole {
        let mut other = BufReader::with_capacity(capacity, data);
        load_stream(&mut Reader::new(StreamSource::new(&mut other)), limits).unwrap();
        let left = |mut input: BufReader<&[u8]>| {
            let mut rest = Vec::new();
            input.read_to_end(&mut rest).map(|_| rest.len()).unwrap()
        };
        assert_eq!(left(input), left(other), "{}", data.escape_ascii());
    }
}

#[test]
fn corpus() {
    let pickles = common::corpus().into_iter().chain(common::ecosystem());
    for (_, data) in pickles.filter(|(_, data)| data.len() < 200_000) {
        compare(&data, Limits::default());
        compare(&[&data, b"and more".as_slice()].concat(), Limits::default());
    }
}

#[test]
fn broken() {
    let mut random = common::random();
    for (_, data) in common::corpus() {
        if data.is_empty() || data.len() > 500 {
            continue;
        }
        for _ in 0..30 {
            let mut data = data.clone();
            for _ in 0..=random(3) {
                let place = random(data.len());
                data[place] = match random(3) {
                    0 => Opcode::ALL[random(Opcode::ALL.len())].byte(),
                    1 => random(4) as u8,
                    _ => random(256) as u8,
                };
            }
            compare(&data[..=random(data.len())], Limits::default());
        }
    }
}

/// Streams of opcodes that mostly work.
#[test]
fn soup() {
    let mut random = common::random();
    let pieces: [&[u8]; 36] = [
        b"(",
        b"(",
        b"N",
        b"\x88",
        b"K\x01",
        b"M\x01\x02",
        b"J\xff\xff\xff\xff",
        b"\x8a\x01\xff",
        b"G?\xf0\0\0\0\0\0\0",
        b"]",
        b"}",
        b")",
        b"0",
        b"2",
        b"t",
        b"l",
        b"a",
        b"e",
        b"s",
        b"u",
        b"\x85",
        b"\x86",
        b"\x87",
        b"q\x01",
        b"h\x01",
        b"\x94",
        b"h\0",
        b"r\x02\0\0\0",
        b"j\0\x10\0\0",
        b"cm\nn\n)\x81",
        b"\x8c\x01m",
        b"\x8c\x01\xff",
        b"b",
        b"R",
        b"C\x01x",
        b"}(\x8c\x01aK\x01\x8c\x01bK\x02u",
    ];
    for _ in 0..20_000 {
        let picked = (0..random(18)).flat_map(|_| pieces[random(pieces.len())]);
        let data: Vec<u8> = picked.copied().chain([b'.']).collect();
        compare(&data, Limits::default());
    }
}

#[test]
fn limits() {
    let kind = |data: &[u8], limits| {
        let mut reader = Reader::new(SliceSource::new(data));
        load_within(&mut reader, limits).map(drop).map_err(|error| error.kind().clone())
    };
    let over = |what, limit| Err(ErrorKind::Limit { what, limit });
    let base = Limits::default();
    let data = b"\x80\x04]\x94(\x8c\x01a\x94\x8c\x01b\x94Kx\x8b\x01\0\0\0\x05e.";
    assert_eq!(data.len(), 23);
    for (limits, least, what) in [
        (Limits::opcodes as fn(Limits, u64) -> Limits, 12, "opcodes"),
        (Limits::memo, 3, "memo"),
        (Limits::bytes, 23, "bytes"),
    ] {
        assert_eq!(kind(data, limits(base, least)), Ok(()), "{what}");
        for limit in 0..least {
            assert_eq!(kind(data, limits(base, limit)), over(what, limit));
        }
    }
    assert_eq!(kind(b"L12345L\n.", base.digits(5)), Ok(()));
    assert!(matches!(kind(b"L12345L\n.", base.digits(4)), Err(ErrorKind::BadLiteral(_))));
    for (_, data) in common::corpus().iter().filter(|(_, data)| data.len() < 2000) {
        compare(data, base.opcodes(20).memo(5));
    }
}
