//! A graph that is written is read as the same graph: values, order, identities. In each protocol it is
//! either written, and read again, or refused.
#![no_main]

use std::collections::{HashMap, HashSet};

use halfsour::graph::{Made, Node};
use halfsour::{Graph, NodeId};
use libfuzzer_sys::fuzz_target;

/// Whether two graphs are the same. Names may change where Python 2 had others.
fn same(one: &Graph<'_>, other: &Graph<'_>, renamed: bool) -> bool {
    let mut seen: HashMap<NodeId, NodeId> = HashMap::new();
    let mut back: HashMap<NodeId, NodeId> = HashMap::new();
    let mut compared = HashSet::new();
    let mut pairs = vec![(one.root(), other.root())];
    while let Some((left, right)) = pairs.pop() {
        if !compared.insert((left, right)) {
            continue;
        }
        let (a, b) = (one.get(left), other.get(right));
        let equal = match (a, b) {
            (Node::Float(a), Node::Float(b)) => a.to_bits() == b.to_bits(),
            (Node::Tuple(a), Node::Tuple(b))
            | (Node::List(a), Node::List(b))
            | (Node::Set(a), Node::Set(b))
            | (Node::FrozenSet(a), Node::FrozenSet(b)) => a.len() == b.len(),
            (Node::Dict(a), Node::Dict(b)) => a.len() == b.len(),
            (Node::ReadonlyBuffer(_), Node::ReadonlyBuffer(_)) => true,
            (Node::Object(a), Node::Object(b)) => match (a.made, b.made) {
                (Made::Global { .. }, Made::Global { .. }) if renamed => continue,
                (Made::Extension(a), Made::Extension(b)) => a == b,
                (a_made, b_made) => {
                    std::mem::discriminant(&a_made) == std::mem::discriminant(&b_made)
                        && a.effects.len() == b.effects.len()
                }
            },
            _ => a == b,
        };
        if !equal {
            return false;
        }
        let has_identity = match a {
            Node::Tuple(items) => !items.is_empty(),
            Node::Object(object) => {
                !matches!(object.made, Made::Extension(_) | Made::Persistent(_))
            }
            Node::List(_) | Node::Dict(_) | Node::Set(_) | Node::FrozenSet(_) => true,
            _ => false,
        };
        if has_identity {
            match (seen.insert(left, right), back.insert(right, left)) {
                (None, None) => {}
                _ => return false,
            }
        }
        let (a, b) = (one.children(left), other.children(right));
        if a.len() != b.len() {
            return false;
        }
        pairs.extend(a.into_iter().zip(b));
    }
    true
}

fuzz_target!(|data: &[u8]| {
    let Ok(graph) = halfsour::load(data) else { return };
    for protocol in 0..=5 {
        let Ok(written) = graph.to_vec(protocol) else { continue };
        let again = match halfsour::load(&written) {
            Ok(again) => again,
            Err(error) => panic!("{protocol}: {error:?} {}", written.escape_ascii()),
        };
        if protocol == 5 {
            let renamed = graph.protocol() < 3;
            assert!(same(&graph, &again, renamed), "{}", written.escape_ascii());
            let twice = again.to_vec(5).expect("it was written before");
            assert!(same(&again, &halfsour::load(&twice).expect("it was read"), false));
        }
    }
});
