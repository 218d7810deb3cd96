//! The work that a dump has left: one frame for each object that is written in part.
//!
//! CPython keeps this on the C stack. Each frame knows where it is, so that it can go on when the
//! object that it waits for is written, and say what it was about when something fails.

use super::global::Global;
use super::reduce::Reduction;
use crate::ffi::{Dict, List, Obj, Own, Set, Tuple};

pub(super) enum Frame {
    /// A tuple whose items are being pushed.
    Tuple { tuple: Own<Tuple>, next: usize, marked: bool },
    /// A list, read by index.
    List(ListFrame),
    /// Items of an iterator, for `append` or `extend`.
    ListItems(Box<ItemsFrame>),
    /// A dict, read by position.
    Dict(DictFrame),
    /// Pairs of an iterator, for `__setitem__`.
    DictItems(Box<ItemsFrame>),
    /// A set, read by position.
    Set(Box<SetFrame>),
    /// A frozenset, read through an iterator.
    FrozenSet { set: Obj, items: Option<Obj>, entered: bool },
    /// An object that reduces itself.
    Reduce(Box<ReduceFrame>),
    /// A module and a name, of which at least one needs frames of its own.
    Global(Box<GlobalFrame>),
    /// A persistent id is being written; BINPERSID follows.
    PersistentId,
    /// The object is in the memo after what is above this frame.
    Memoize(Obj),
    /// An object of a known plan, whose state or arguments are being written.
    Planned(PlannedFrame),
}

pub(super) struct PlannedFrame {
    pub(super) obj: Obj,
    pub(super) at: PlannedAt,
    /// What `__getstate__`, or the reducer, returned: it lives until the object is written.
    pub(super) state: Option<Obj>,
    /// it counts as a reduction
    pub(super) counted: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PlannedAt {
    /// nothing is written
    BeforeClass,
    BeforeCallable,
    /// the class is being written
    Class,
    /// the state for BUILD is being written
    State,
    /// the arguments for NEWOBJ are being written
    NewArguments,
    /// the class that is called is being written
    Callable,
    /// its arguments are being written
    Arguments,
}

pub(super) struct ListFrame {
    pub(super) list: Own<List>,
    /// items written
    pub(super) done: usize,
    /// items written in this batch
    pub(super) batch: u16,
    pub(super) at: ListAt,
    /// remembered in fast mode
    pub(super) entered: bool,
    /// the size at the start, against which 3.14.7 and later check
    pub(super) size: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ListAt {
    /// before a batch
    Batch,
    /// an item of a batch is being written
    Item,
    /// an item that has no batch is being written
    Single,
}

pub(super) struct ItemsFrame {
    /// whose items they are, for messages
    pub(super) owner: Obj,
    /// `None` until the first step: a container is asked for its iterator there
    pub(super) items: Option<Obj>,
    /// the item being written (for a dict, the pair)
    pub(super) current: Option<Obj>,
    /// the item after it, which was fetched to see whether there is one
    pub(super) ahead: Option<Obj>,
    pub(super) done: i64,
    pub(super) batch: u16,
    pub(super) at: ItemsAt,
    pub(super) entered: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ItemsAt {
    Start,
    /// before a batch
    Batch,
    /// a key is being written, and its value comes next
    Key {
        batched: bool,
    },
    /// an item or value is being written
    Item {
        batched: bool,
    },
}

pub(super) struct DictFrame {
    pub(super) dict: Own<Dict>,
    pub(super) position: isize,
    /// the size at the start
    pub(super) size: usize,
    pub(super) done: usize,
    pub(super) batch: u16,
    pub(super) at: ItemsAt,
    /// the key that was begun last
    pub(super) key: Option<Obj>,
    /// its value, until that is begun
    pub(super) value: Option<Obj>,
    pub(super) entered: bool,
}

pub(super) struct SetFrame {
    pub(super) set: Own<Set>,
    pub(super) position: isize,
    pub(super) size: usize,
    pub(super) done: usize,
    pub(super) batch: u16,
    /// a batch is open
    pub(super) open: bool,
}

pub(super) struct ReduceFrame {
    /// The object; None for the parent of a nested name (up to 3.12), which is not memoized.
    pub(super) obj: Option<Obj>,
    /// What the reducer returned, until it is checked. It stays alive until the object is written,
    /// so that no other object can have its address.
    pub(super) value: Own<Tuple>,
    pub(super) reduction: Option<Reduction>,
    /// Whether a failure is noted with the object (not for types that the pickler reduces itself).
    pub(super) noted: bool,
    pub(super) at: ReduceAt,
    /// What the pickler made to write in this frame's place.
    pub(super) made: Option<Obj>,
    /// remembered in fast mode
    pub(super) entered: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReduceAt {
    /// nothing was done
    Check,
    /// the callable is being written
    Callable,
    /// the callable's arguments are being written
    Arguments,
    /// the class of `__newobj__` or `__newobj_ex__` is being written
    Class,
    /// the arguments of `__new__` are being written
    NewArguments,
    /// the keyword arguments of `__new__` are being written
    NewKeywords,
    /// `partial(cls.__new__, …)` is being written
    Partial,
    /// the empty arguments of the partial are being written
    PartialArguments,
    /// list items are being written
    ListItems,
    /// dict items are being written
    DictItems,
    /// the state for BUILD is being written
    State,
    /// the state setter is being written
    Setter,
    /// the object is being written for the state setter
    SetterObject,
    /// the state for the state setter is being written
    SetterState,
}

pub(super) struct GlobalFrame {
    pub(super) obj: Obj,
    pub(super) global: Global,
    pub(super) at: GlobalAt,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum GlobalAt {
    /// protocol 4: nothing was written
    Module,
    /// protocol 4: the module's name is being written
    Name,
    /// protocol 4: the name is being written
    Done,
    /// protocols below: `getattr` is being written, for the part of this number
    Getattr(usize),
    /// protocols below: the part of this number is being written
    Part(usize),
}
