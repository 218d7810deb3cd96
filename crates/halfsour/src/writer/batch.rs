//! The batches in which CPython writes the items of a list, a dict or a set.

use crate::emitter::Emitter;
use crate::opcode::Opcode;

/// CPython writes so many items between a mark and the opcode that takes them.
const SIZE: usize = 1000;

/// What the items are added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    List,
    Dict,
    Set,
}

impl Kind {
    /// The opcode that adds one item, and the one that adds all that are above a mark.
    fn opcodes(self) -> [Opcode; 2] {
        match self {
            Kind::List => [Opcode::Append, Opcode::Appends],
            Kind::Dict => [Opcode::SetItem, Opcode::SetItems],
            Kind::Set => [Opcode::AddItems, Opcode::AddItems],
        }
    }
}

/// Items that are being written, the container below them.
#[derive(Debug)]
pub(crate) struct Batch {
    kind: Kind,
    /// Whether the last batch may be of one item, or empty: up to CPython 3.14 the batches of builtin
    /// containers may, those of other objects may not.
    loose: bool,
    /// How many items there were.
    done: usize,
    /// How many items there will be when this batch is full.
    full: usize,
    /// Whether a mark is set.
    open: bool,
}

impl Batch {
    #[inline]
    pub(crate) fn new(kind: Kind, loose: bool) -> Batch {
        Batch { kind, loose, done: 0, full: 0, open: false }
    }

    /// How many items there were.
    #[inline]
    pub(crate) fn done(&self) -> usize {
        self.done
    }

    /// How many objects an item is.
    pub(crate) fn width(&self) -> usize {
        if self.kind == Kind::Dict { 2 } else { 1 }
    }

    /// To be called before an item, which is known to be the last, or is not.
    #[inline(always)]
    pub(crate) fn item(&mut self, out: &mut Emitter, last: bool) {
        if self.done < self.full {
            return;
        }
        // Protocol 0 adds item by item.
        let alone = !out.is_binary() || last && (self.done == 0 || !self.loose);
        if alone && self.kind != Kind::Set {
            self.full = self.done + 1;
        } else {
            out.op(Opcode::Mark);
            self.open = true;
            self.full = self.done + SIZE;
        }
    }

    /// To be called after an item.
    #[inline(always)]
    pub(crate) fn item_done(&mut self, out: &mut Emitter) {
        self.done += 1;
        if self.done == self.full {
            let [one, many] = self.kind.opcodes();
            out.op(if self.open { many } else { one });
            self.open = false;
        }
    }

    /// To be called after all items.
    #[inline(always)]
    pub(crate) fn end(&mut self, out: &mut Emitter) {
        let [_, many] = self.kind.opcodes();
        if self.open {
            out.op(many);
            self.open = false;
        } else if self.done >= SIZE {
            self.end_loosely(out);
        }
    }

    /// CPython up to 3.14 finds out in the next batch that there is nothing left.
    #[cold]
    fn end_loosely(&self, out: &mut Emitter) {
        let [_, many] = self.kind.opcodes();
        let batches = out.is_binary() || self.kind == Kind::Set;
        if self.loose && self.kind != Kind::List && batches && self.done.is_multiple_of(SIZE) {
            out.ops([Opcode::Mark, many]);
        }
    }
}
