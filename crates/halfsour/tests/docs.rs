//! The tutorial and the cookbook: their code runs as doc tests; here, what they say that Python writes
//! is held against Python. And whether all that is public has an example.

mod common;

use std::path::Path;

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

/// Public types, traits and functions of a file that are documented without an example. What is hidden
/// needs none.
fn without_example(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let (mut found, mut docs, mut hidden) = (Vec::new(), String::new(), false);
    for line in text.lines().map(str::trim).take_while(|line| *line != "#[cfg(test)]") {
        if line.starts_with("///") {
            docs.push_str(line);
        } else if line.starts_with("#[") {
            hidden |= line.contains("doc(hidden)");
        } else {
            let item = line.strip_prefix("pub ").map(|item| item.trim_start_matches("const "));
            let is_item = |item: &str| {
                ["fn ", "struct ", "enum ", "trait ", "type "]
                    .iter()
                    .any(|kind| item.starts_with(kind))
            };
            if item.is_some_and(is_item) && !docs.is_empty() && !hidden && !docs.contains("```") {
                found.push(format!("{}: {line}", file.display()));
            }
            docs.clear();
            hidden = false;
        }
    }
    found
}

#[test]
fn what_is_public_has_an_example() {
    // Modules that nobody outside can name.
    let private = ["typed/derive.rs", "numpy/element.rs"];
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let (mut found, mut files) = (Vec::new(), 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !private.iter().any(|end| path.ends_with(end)) {
                found.extend(without_example(&path));
                files += 1;
            }
        }
    }
    assert!(files > 60, "{files}");
    assert!(found.is_empty(), "{found:#?}");
}
