//! The disassembler, against `pickletools.dis`.

mod common;

use common::{PACK, pack, python, unpack};

/// What is printed, and the error or nothing.
type Output = (String, String);

fn ours(data: &[u8]) -> Output {
    let mut out = Vec::new();
    let error = halfsour::dis::dis(data, &mut out).err().map(|error| error.to_string());
    (String::from_utf8(out).unwrap(), error.unwrap_or_default())
}

fn theirs(pickles: &[Vec<u8>]) -> Vec<Output> {
    let script = format!("{PACK}{}", include_str!("python/dis.py"));
    let answers = unpack(&python(&script, &pack(pickles.iter().map(Vec::as_slice))));
    let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
    answers.chunks(2).map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
}

/// Whether an older `pickletools` is known to answer differently, and does so in this way.
///
/// Up to 3.13 a memo entry must not be redefined, and a missing mark is told twice; early 3.13s and
/// those before show the strings of Python 2 by repr, demand that they be ASCII, and misspell a word.
fn known(version: (u32, u32), data: &[u8], ours: &Output, theirs: &Output) -> bool {
    let old_string = data.iter().any(|byte| b"STU".contains(byte));
    version < (14, 0)
        && (theirs.1.ends_with("already defined") && ours.0.starts_with(&theirs.0)
            || theirs.1.contains("strinq") && theirs.1.replace("strinq", "string") == ours.1
            || theirs.1 == "no MARK exists on stack"
                && theirs.0.trim_end().strip_suffix("no MARK exists on stack").map(str::trim_end)
                    == Some(ours.0.trim_end())
            || theirs.1.starts_with("'ascii' codec can't decode") && ours.0.starts_with(&theirs.0)
            || old_string && !theirs.0.is_ascii() && theirs.1 == ours.1)
}

fn compare(pickles: &[Vec<u8>]) {
    let version = common::version();
    for (data, theirs) in pickles.iter().zip(theirs(pickles)) {
        let ours = ours(data);
        if ours == theirs || known(version, data, &ours, &theirs) {
            continue;
        }
        let shown = data[..data.len().min(200)].escape_ascii();
        let (line, text) = (ours.0.lines().zip(theirs.0.lines()))
            .find(|(ours, theirs)| ours != theirs)
            .unwrap_or_default();
        panic!("{shown}\n ours:   {line:?} {:?}\n theirs: {text:?} {:?}", ours.1, theirs.1);
    }
}

#[test]
fn generated() {
    let pickles = common::generated();
    assert!(pickles.len() > 500);
    compare(&pickles);
}

#[test]
fn corpus() {
    let files = common::corpus().into_iter().chain(common::ecosystem());
    let pickles: Vec<_> = files.map(|(_, data)| data).collect();
    assert!(pickles.len() > 500);
    compare(&pickles);
}

/// The corpus keeps what `pickletools` said of its pickles when they were made.
#[test]
fn corpus_as_kept() {
    let mut checked = 0;
    for (name, data) in common::corpus() {
        let Ok(kept) = std::fs::read_to_string(name.replace(".pickle", ".dis")) else { continue };
        // An older pickletools shows the strings of Python 2 by repr, the newest by ascii.
        if kept.contains("STRING") && !kept.is_ascii() {
            continue;
        }
        assert_eq!(ours(&data).0, kept, "{name}");
        checked += 1;
    }
    assert!(checked > 500);
}

/// Each pickle cut, and with bytes changed, by a plain generator so that a failure comes again.
#[test]
fn broken() {
    let mut random = common::random();
    let mut broken = vec![Vec::new()];
    for data in common::generated().into_iter().filter(|data| data.len() < 4000) {
        broken.push(data[..random(data.len())].to_vec());
        for _ in 0..6 {
            let mut data = data.clone();
            for _ in 0..=random(3) {
                let place = random(data.len());
                data[place] = match random(3) {
                    0 => random(256) as u8,
                    1 => halfsour::Opcode::ALL[random(68)].byte(),
                    _ => b"'\"\\\nL01(."[random(9)],
                };
            }
            broken.push(data);
        }
    }
    compare(&broken);
}

/// Short streams of opcodes, for the faults of stack and memo.
#[test]
fn opcode_soup() {
    let mut random = common::random();
    let pieces: [&[u8]; 30] = [
        b"(", b"N", b"K\x01", b"]", b"}", b")", b"0", b"1", b"2", b"t", b"l", b"d", b"a", b"e",
        b"s", b"u", b"q\x01", b"h\x01", b"\x94", b"h\x00", b"g01\n", b"p1\n", b"R", b"b", b"\x85",
        b"\x86", b"cm\nn\n", b"\x93", b"o", b"im\nn\n",
    ];
    let soups: Vec<Vec<u8>> = (0..4000)
        .map(|_| {
            let mut soup: Vec<u8> =
                (0..random(14)).flat_map(|_| pieces[random(pieces.len())]).copied().collect();
            soup.push(b'.');
            soup
        })
        .collect();
    compare(&soups);
}
