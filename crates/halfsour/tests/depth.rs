//! Depth costs memory, not stack.

use halfsour::{Graph, NodeId, load};

const DEPTH: usize = 1_000_000;

/// Runs with little stack.
fn with_small_stack(f: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(128 << 10).spawn(f).unwrap().join().unwrap();
}

/// How often one can go to the last child, at most [`DEPTH`] times.
fn depth(graph: &Graph<'_>, child: impl Fn(&[NodeId]) -> Option<&NodeId>) -> usize {
    let mut id = graph.root();
    (0..DEPTH).take_while(|_| child(&graph.children(id)).map(|next| id = *next).is_some()).count()
}

fn check(data: Vec<u8>, child: fn(&[NodeId]) -> Option<&NodeId>) {
    with_small_stack(move || {
        let graph = load(&data).unwrap();
        assert!(depth(&graph, child) >= DEPTH - 1);
        drop(graph.clone());
    });
}

#[test]
fn tuples() {
    check([b")".as_slice(), &[0x85; DEPTH], b"."].concat(), <[_]>::first);
}

#[test]
fn lists() {
    check([vec![b']'; DEPTH], vec![b'a'; DEPTH - 1], vec![b'.']].concat(), <[_]>::first);
    check([vec![b'('; DEPTH], vec![b'l'; DEPTH], vec![b'.']].concat(), <[_]>::first);
}

#[test]
fn dicts() {
    check(
        [b"}N".repeat(DEPTH), b"N".to_vec(), b"s".repeat(DEPTH), b".".to_vec()].concat(),
        <[_]>::last,
    );
}

#[test]
fn calls() {
    check([b"N".to_vec(), b")R".repeat(DEPTH), b".".to_vec()].concat(), <[_]>::first);
}

/// A linked list of instances, each the state of the one before it.
#[test]
fn states() {
    let instance = b"cm\nn\n)\x81";
    check([instance.repeat(DEPTH), b"b".repeat(DEPTH - 1), b".".to_vec()].concat(), <[_]>::last);
}

#[test]
fn disassembly() {
    with_small_stack(|| {
        let data = [vec![b'('; DEPTH], vec![b'l'; DEPTH], vec![b'.']].concat();
        let mut out = Vec::new();
        halfsour::dis::Disassembler::new().indent(0).dis(&data, &mut out).unwrap();
        assert!(out.ends_with(b"highest protocol among opcodes = 0\n"));
    });
}
