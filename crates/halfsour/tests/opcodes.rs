//! The table of opcodes, against `pickletools.opcodes`.

mod common;

use halfsour::Opcode;

const SCRIPT: &str = r"
import pickletools
for o in pickletools.opcodes:
    print(o.name, ord(o.code), o.arg and o.arg.name,
          [kind.name for kind in o.stack_before], [kind.name for kind in o.stack_after], o.proto)
";

#[test]
fn as_in_pickletools() {
    let theirs = String::from_utf8(common::python(SCRIPT, b"")).unwrap();
    let names = |kinds: &[halfsour::opcode::Kind]| {
        let names: Vec<String> = kinds.iter().map(|kind| format!("'{kind}'")).collect();
        format!("[{}]", names.join(", "))
    };
    let ours: String = Opcode::ALL
        .iter()
        .map(|opcode| {
            let info = opcode.info();
            format!(
                "{} {} {} {} {} {}\n",
                info.name,
                info.byte,
                info.arg.name().unwrap_or("None"),
                names(info.before),
                names(info.after),
                info.protocol
            )
        })
        .collect();
    assert_eq!(ours, theirs);
    assert_eq!(Opcode::ALL.len(), 68);
}

#[test]
fn bytes_and_opcodes_are_one_to_one() {
    let known = (0..=255).filter_map(Opcode::from_byte).count();
    assert_eq!(known, Opcode::ALL.len());
    for opcode in Opcode::ALL {
        assert_eq!(Opcode::from_byte(opcode.byte()), Some(opcode));
        assert_eq!(opcode.info().byte, opcode.byte());
        assert!(opcode.info().doc.ends_with('.'), "{opcode}: not a sentence");
    }
}
