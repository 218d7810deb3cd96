//! Where in the input a node was made: the pickle is read again, once there is an error to be placed.
//! So a graph without errors costs nothing.

use super::arena::Arena;
use super::builder::Builder;
use super::{Graph, NodeId};
use crate::error::Error;
use crate::limits::Limits;
use crate::machine::Machine;
use crate::opcode::Opcode;
use crate::reader::{Reader, SliceSource};
use alloc::vec::Vec;

/// Where nodes were made.
#[derive(Debug)]
pub(super) struct Places {
    /// Offsets of the opcodes, by node.
    offsets: Vec<u64>,
    /// Whether None, booleans and the empty tuple are a new node each time.
    pub(super) each: bool,
}

impl Places {
    /// Notes that there are so many nodes after the opcode at an offset.
    pub(super) fn note(&mut self, nodes: usize, offset: u64) {
        self.offsets.resize(nodes, offset);
    }
}

/// Whether a node is one of those that each graph begins with: None, booleans, the empty tuple.
fn is_only(id: NodeId) -> bool {
    id.index() < 4
}

impl<'a> Graph<'a> {
    /// The same error, with the place of what it is about. `again` reads another graph, of the same
    /// data, in the same way; that is needed for a None, of which there is but one.
    #[cold]
    pub(crate) fn place(
        &self,
        mut error: Error,
        again: impl FnOnce(&Graph<'a>) -> Option<Error>,
    ) -> Error {
        let Some(id) = error.take_node() else { return error };
        let error = error.rooted();
        let Some((graph, places)) = self.reload(is_only(id)) else { return error };
        let id = if places.each {
            let twin = again(&graph).filter(|twin| twin.is_same(&error));
            twin.and_then(|mut twin| twin.take_node()).filter(|id| !is_only(*id))
        } else {
            Some(id)
        };
        let offset = id.and_then(|id| places.offsets.get(id.index()).copied());
        let Some(offset) = offset else { return error };
        let byte = usize::try_from(offset).ok().and_then(|place| self.arena.pickle().get(place));
        error.at(self.start + offset).of(byte.copied().and_then(Opcode::from_byte))
    }

    /// Reads the pickle again, if it is in memory, and notes where its nodes are made.
    fn reload(&self, each: bool) -> Option<(Graph<'a>, Places)> {
        let pickle = self.arena.pickle();
        // It kept to its limits when it was read first.
        let limits = Limits::default().digits(usize::MAX);
        let mut builder = Builder::new(Arena::new(pickle), limits, 0).ok()?;
        builder.places = Some(Places { offsets: Vec::new(), each });
        let mut reader = Reader::new(SliceSource::new(pickle));
        let root = Machine::new().run(&mut reader, &mut builder).ok()?;
        let places = builder.places.take()?;
        Some((builder.into_graph(root, self.start), places))
    }
}
