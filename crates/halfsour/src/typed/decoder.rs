//! What one typed reading holds beside the graph: its budget, the way down, and what is shared.
//!
//! A cursor carries its depth; so reading needs no bookkeeping on the way out, and a type's code
//! cannot forget it.

use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};

use hashbrown::HashMap;

use super::item::Item;
use super::made::Sight;
use super::unpickler::Unpickler;
use crate::error::{Error, ErrorKind};
use crate::graph::{Graph, NodeId};
use crate::limits::{Budget, Steps};

/// One reading of a graph as typed values.
pub(super) struct Decoder<'g, 'a> {
    pub(super) graph: &'g Graph<'a>,
    pub(super) unpickler: &'g Unpickler<'a>,
    budget: RefCell<Budget>,
    /// The containers that are being read, the outermost first.
    way: RefCell<Vec<NodeId>>,
    /// At which depth the way enters a container that it is in already.
    closes: Cell<Option<usize>>,
    steps: Cell<Steps>,
    shared: RefCell<HashMap<(NodeId, TypeId), Box<dyn Any>>>,
}

impl<'g, 'a> Decoder<'g, 'a> {
    pub(super) fn new(graph: &'g Graph<'a>, unpickler: &'g Unpickler<'a>) -> Decoder<'g, 'a> {
        Decoder {
            graph,
            unpickler,
            budget: RefCell::new(Budget::with_text(unpickler.limits, graph, &unpickler.buffers)),
            way: RefCell::default(),
            closes: Cell::new(None),
            steps: Cell::default(),
            shared: RefCell::default(),
        }
    }

    /// Reads the root. An error is about a node then; [`Graph::place`] says where that is.
    pub(super) fn run<T>(
        &self,
        read: impl FnOnce(Item<'_, 'a>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let root = self.graph.root();
        read(Item::new(self, root, 0)).map_err(|error| match self.closes.get() {
            // The way goes round and round: its first round says all.
            Some(depth) if error.kind() == &ErrorKind::Cycle => error.outermost(depth).about(root),
            _ => error.about(root),
        })
    }

    /// What older protocols wrote, and names mean.
    #[inline]
    pub(super) fn sight(&self) -> Sight<'g, 'a> {
        Sight { graph: self.graph, names: &self.unpickler.names }
    }

    /// To be called before the `children` of a container at a `depth` are handed out; says at which
    /// depth they are.
    #[inline]
    pub(super) fn enter(&self, id: NodeId, depth: u32, children: usize) -> Result<u32, Error> {
        let deeper = self.unpickler.limits.deeper(depth);
        let deeper = deeper.map_err(|error| self.too_deep(id, depth, error))?;
        self.budget.borrow_mut().visit_all(children).map_err(|error| error.about(id))?;
        let mut way = self.way.borrow_mut();
        way.truncate(depth as usize);
        way.push(id);
        Ok(deeper)
    }

    /// Reads what a pointer points to: the same item, by a type that may be the pointer's own.
    #[inline]
    pub(super) fn pointed_to<'i, T>(
        &self,
        item: Item<'i, 'a>,
        read: impl FnOnce(Item<'i, 'a>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let before = self.steps.get();
        let steps = self.unpickler.limits.step(before, item.depth);
        self.steps.set(steps.map_err(|error| error.about(item.id))?);
        let result = read(item);
        self.steps.set(before);
        result
    }

    /// To be called for text or bytes that are handed out, and are probably copied then.
    #[inline]
    pub(super) fn copy(&self, bytes: &[u8]) -> Result<(), Error> {
        self.budget.borrow_mut().copy(bytes)
    }

    /// Charges text that is looked at.
    pub(super) fn look(&self, text: &[u8]) -> Result<(), Error> {
        self.budget.borrow_mut().look(text)
    }

    /// Where the depth ends, a value that holds itself is told from one that is merely deep.
    #[cold]
    fn too_deep(&self, id: NodeId, depth: u32, error: Error) -> Error {
        let mut way = self.way.borrow_mut();
        way.truncate(depth as usize);
        way.push(id);
        let mut seen = hashbrown::HashSet::new();
        match way.iter().position(|id| !seen.insert(*id)) {
            Some(place) => {
                self.closes.set(Some(place));
                Error::new(ErrorKind::Cycle).about(id)
            }
            None => error.about(id),
        }
    }

    /// The value that was made of a node for a shared type, if there is one.
    pub(super) fn shared<T: Clone + 'static>(&self, id: NodeId) -> Option<T> {
        let shared = self.shared.borrow();
        shared.get(&(id, TypeId::of::<T>()))?.downcast_ref::<T>().cloned()
    }

    /// Notes the value that was made of a node for a shared type.
    pub(super) fn share<T: Clone + 'static>(&self, id: NodeId, value: &T) {
        self.shared.borrow_mut().insert((id, TypeId::of::<T>()), Box::new(value.clone()));
    }
}
