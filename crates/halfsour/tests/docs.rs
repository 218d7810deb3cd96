//! The tutorial and the cookbook: their code runs as doc tests; here, what they say that Python writes
//! is held against Python.

mod common;

use common::{PACK, pack, python, unpack, version};

#[test]
fn pickles_in_the_texts_are_those_of_python() {
    let script = format!(
        "{PACK}{}
for text in unpack():
    for expr, equal in faults(text.decode()):
        emit(f'{{int(equal)}}{{expr}}')",
        include_str!("python/cellar.py")
    );
    let texts = [include_str!("../src/_tutorial.rs"), include_str!("../src/_cookbook.rs")];
    let found = unpack(&python(&script, &pack(texts.map(str::as_bytes))));
    assert!(found.len() > 20, "{} pickles were found", found.len());
    for expr in found {
        let expr = String::from_utf8(expr).unwrap();
        // Up to 3.11.3, members of enums are written by their names.
        let by_name = version() < (11, 4) && (expr.contains("Kind.") || expr.contains("Stage."));
        assert!(expr.starts_with('1') || by_name, "Python writes another pickle of {}", &expr[1..]);
    }
}
