//! A graph back to bytes: what CPython's pickler would write for the objects that the graph stands for.
//!
//! Where the protocol is that of the pickle which was read, each object is put into the memo that was
//! put there before; so what CPython wrote is written again, byte for byte. Where the protocol is
//! another, every object is that may come again, as CPython does it. The stack is a vector: depth costs
//! memory, not stack.

use std::cell::OnceCell;

use hashbrown::hash_map::Entry;
use hashbrown::{HashMap, HashSet};

use super::{Effect, Graph, Made, Node, NodeId, Object};
use crate::compat;
use crate::emitter::TooLarge;
use crate::error::Error;
use crate::limits::Budget;
use crate::number::Integer;
use crate::opcode::Opcode;
use crate::text::{check_utf8, repr_bytes};
use crate::writer::batch::{Batch, Kind};
use crate::writer::{
    Begun, Pickler, ToPickle, Writer, digits, emit_float, emit_integer, emit_names, is_persid,
};

impl Graph<'_> {
    /// Pickles what the graph stands for, with a protocol from 0 to 5.
    ///
    /// What CPython's pickler in C wrote becomes the same bytes again, with the protocol that it had; what
    /// 3.15 and later wrote, with [`Pickler::trim_batches`]. With another protocol, Python loads equal
    /// objects, shared as they were. Where Python 3 has other names than Python 2, they are changed between
    /// protocols 2 and 3. Strings of Python 2 remain what they are. So do extension codes, out-of-band buffers,
    /// and persistent ids that are no text, in protocols that came before their opcodes too: Python loads them.
    ///
    /// Not kept is what a pickle does late, as dill's pickles do: a call whose result is thrown away, unless it
    /// sets an object's state; that something comes into a list or a dict only after a call with it; and that
    /// an object gets its state or items later than right after it was made, as what holds it may see. Where a
    /// list is an argument, is referred to elsewhere too and holds what the call returns, it is filled after the
    /// call, as CPython does it. So is a dict of keyword arguments that holds its object, but for the entries
    /// before that one in protocol 0, and where a set around them is written twice below protocol 4: what the call
    /// sees may change between protocols then.
    ///
    /// ```
    /// let data = b"\x80\x02]q\0(U\x04spamq\x01h\x01e.";
    /// let graph = halfsour::load(data)?;
    /// assert_eq!(graph.to_vec(2)?, data);
    /// assert_eq!(graph.to_vec(1)?, b"]q\0(U\x04spamq\x01h\x01e.");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    ///
    /// # Errors
    /// What the protocol cannot say: names with non-ASCII characters below protocol 3, ints of more
    /// than 4300 digits below protocol 2, sets of objects that are made with the set below protocol 4, keyword
    /// arguments that hold themselves where their dict is none of Python's own or holds what is not in the memo,
    /// and arguments of a class in a tuple of another class beside keyword arguments.
    /// Out-of-band buffers in another order than they came in, which CPython itself writes only for an object
    /// with buffers that is among its own arguments. What would be far longer than what was read: containers
    /// that hold themselves by way of tuples are written several times, and large ints and other protocols' names at
    /// each reference, within the [expansion](crate::Limits::expansion). What would take far longer than to read it:
    /// thousands of objects in one another, each found in what it is made from.
    pub fn to_vec(&self, protocol: u8) -> Result<Vec<u8>, Error> {
        Pickler::new().protocol(protocol).to_vec(self)
    }
}

/// What the graph stands for.
impl ToPickle for Graph<'_> {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        if out.is_hashed()
            && let Some(class) = self.unhashable(self.root())
        {
            out.unhashable(class)?;
        }
        Walk::new(self, out).run()
    }
}

impl Graph<'_> {
    /// The class of what Python cannot hash: a node, or one in the tuples that it is.
    fn unhashable(&self, id: NodeId) -> Option<&'static str> {
        let mut seen = HashSet::new();
        let mut ids = vec![id];
        while let Some(id) = ids.pop() {
            match self.get(id) {
                Node::List(_) => return Some("list"),
                Node::Dict(_) => return Some("dict"),
                Node::Set(_) => return Some("set"),
                Node::ByteArray(_) => return Some("bytearray"),
                Node::Tuple(items) if seen.insert(id) => ids.extend(items),
                _ => {}
            }
        }
        None
    }
}

/// Where nodes come from, one after the other.
#[derive(Clone, Copy)]
enum Source {
    /// The items of a container, keys and values by turns.
    Items(NodeId),
    /// The arguments of an old class.
    Args(NodeId),
    /// Some of what is done to an object.
    Effects(NodeId, usize, usize),
}

/// What is still to do.
enum Task {
    Save(NodeId),
    Op(Opcode),
    None,
    EmptyTuple,
    Global(&'static str, &'static str),
    Name(&'static str),
    /// All nodes of a source, from one on.
    Nodes(Source, usize),
    /// A tuple that no node stands for, of so many items; its beginning, and its end.
    OpenTuple(usize),
    CloseTuple(usize),
    /// REDUCE, for what no node stands for.
    Reduce,
    /// The same, in batches.
    Batch(Source, usize, Batch),
    Tuple(NodeId, usize),
    FrozenSet(NodeId, usize),
    /// All that this opcode needs is on the stack: it makes an object.
    Make(NodeId, Opcode),
    /// An object's effects, from one on.
    Effects(NodeId, usize),
    /// Keyword arguments, which are copied when they are given.
    Keywords(NodeId),
}

/// So many tasks are looked at in the time in which a reference is written.
const TASKS_LOOKED_AT: usize = 16;

/// An object that waits for what it is made from.
#[derive(Default)]
struct Open {
    /// how often, itself within itself
    times: usize,
    /// how far the walk was the last time
    progress: usize,
}

struct Walk<'g, 'o, 'w> {
    graph: &'g Graph<'g>,
    out: &'o mut Writer<'w>,
    tasks: Vec<Task>,
    /// One more than the index in the memo, 0 for what is not there.
    memo: Vec<u32>,
    /// Which nodes go into the memo.
    memoized: Vec<bool>,
    /// To which nodes there is more than one reference.
    shared: Vec<bool>,
    /// Which objects wait for what they are made from.
    open: HashMap<NodeId, Open>,
    /// How often it changed which nodes will be found in the memo.
    progress: usize,
    /// What is written anew each time that it comes, and what never is: see
    /// [`reduce_again`](Walk::reduce_again).
    anew: HashMap<NodeId, bool>,
    /// The digits of large ints that come again, for protocols without their bytes.
    digits: HashMap<NodeId, String>,
    /// Keyword arguments, each with the places of the tasks that fill it, or filled it.
    fills: HashMap<NodeId, Vec<usize>>,
    /// In which order what the memo had came into it, once that is asked for.
    order: OnceCell<HashMap<NodeId, usize>>,
    /// The number of the next out-of-band buffer.
    buffers: u32,
    /// How many more references may be written, and how much more text: containers that hold themselves
    /// are written several times, and large ints at each reference.
    budget: Budget,
    key: Option<usize>,
}

type Done = Result<(), Error>;

fn at<T: Copy + Default>(table: &[T], id: NodeId) -> T {
    table.get(id.index()).copied().unwrap_or_default()
}

impl<'g, 'o, 'w> Walk<'g, 'o, 'w> {
    fn new(graph: &'g Graph<'g>, out: &'o mut Writer<'w>) -> Walk<'g, 'o, 'w> {
        let limits = out.limits();
        let mut walk = Walk {
            graph,
            tasks: vec![Task::Save(graph.root())],
            memo: vec![0; graph.len()],
            memoized: vec![false; graph.len()],
            shared: vec![false; graph.len()],
            open: HashMap::new(),
            progress: 0,
            anew: HashMap::new(),
            digits: HashMap::new(),
            fills: HashMap::new(),
            order: OnceCell::new(),
            buffers: 0,
            budget: Budget::new(limits, 0, 0),
            key: out.take_key(),
            out,
        };
        walk.look_through();
        walk.find_memoized();
        walk
    }

    /// Which nodes are shared, how many references there are, and which nodes are keyword arguments.
    fn look_through(&mut self) {
        let mut seen = vec![false; self.graph.len()];
        let mut references = self.graph.len();
        let mut see = |id: NodeId| {
            references += 1;
            if let Some(seen) = seen.get_mut(id.index())
                && std::mem::replace(seen, true)
                && let Some(shared) = self.shared.get_mut(id.index())
            {
                *shared = true;
            }
        };
        see(self.graph.root());
        for (_, node) in self.graph.iter() {
            each_child(node, &mut see);
            if let Node::Object(Object { made: Made::New { kwargs: Some(kwargs), .. }, .. }) = node
            {
                self.fills.entry(kwargs).or_default();
            }
        }
        self.budget = Budget::new(self.out.limits(), references, self.graph.text_size());
        self.find_taken_apart();
    }

    /// Arguments that are written without their tuple, and with it elsewhere.
    fn find_taken_apart(&mut self) {
        let protocol = self.out.protocol();
        if protocol >= 4 {
            return;
        }
        let mut seen = HashSet::new();
        for (_, node) in self.graph.iter() {
            if let Node::Object(Object { made: Made::New { args, kwargs, .. }, .. }) = node
                && (protocol < 2 || kwargs.is_some())
                && at(&self.shared, args)
                && seen.insert(args)
            {
                let Node::Tuple(items) = self.graph.get(args) else { continue };
                for item in items {
                    if let Some(shared) = self.shared.get_mut(item.index()) {
                        *shared = true;
                    }
                }
            }
        }
    }

    fn find_memoized(&mut self) {
        let (from, to) = (self.graph.protocol(), self.out.protocol());
        // Without PROTO, it is 0 or 1.
        let is_same = from == to || from < 2 && to < 2;
        if is_same {
            for id in self.graph.memoized() {
                if let Some(memoized) = self.memoized.get_mut(id.index()) {
                    *memoized = true;
                }
            }
        }
        let places = self.memoized.iter_mut().zip(&self.shared);
        for ((_, node), (memoized, shared)) in self.graph.iter().zip(places) {
            *memoized = match node {
                Node::None | Node::Bool(_) | Node::Int(_) | Node::BigInt(_) | Node::Float(_) => {
                    false
                }
                Node::Tuple([]) => false,
                _ if *memoized || *shared => true,
                Node::Buffer(_) | Node::ReadonlyBuffer(_) => false,
                Node::Object(Object {
                    made: Made::Persistent(_) | Made::Extension(_),
                    effects: [],
                }) => false,
                _ => !is_same,
            };
        }
    }

    fn run(mut self) -> Done {
        while let Some(task) = self.tasks.pop() {
            match task {
                Task::Save(id) => self.save(id)?,
                Task::Op(opcode) => self.out.out.op(opcode),
                Task::None => self.out.none()?,
                Task::EmptyTuple => self.out.out.empty_tuple(),
                Task::Global(module, name) => self.out.global(module, name)?,
                Task::Name(name) => self.out.name(name)?,
                Task::Nodes(source, next) => self.nodes(source, next)?,
                Task::OpenTuple(len) => self.open_tuple(len),
                Task::CloseTuple(len) => {
                    self.close_tuple(len);
                    self.memoize_other()?;
                }
                Task::Reduce => {
                    self.out.out.op(Opcode::Reduce);
                    self.memoize_other()?;
                }
                Task::Batch(source, next, batch) => self.batch(source, next, batch)?,
                Task::Tuple(id, next) => self.tuple(id, next)?,
                Task::FrozenSet(id, next) => self.frozenset(id, next)?,
                Task::Make(id, opcode) => self.make(id, opcode)?,
                Task::Effects(id, next) => self.effects(id, next)?,
                Task::Keywords(id) => self.keywords(id)?,
            }
        }
        Ok(())
    }

    /// Tasks in the order in which they are to be done.
    fn then<const N: usize>(&mut self, tasks: [Task; N]) {
        self.tasks.extend(tasks.into_iter().rev());
    }

    fn children(&self, source: Source) -> Children<'g> {
        match source {
            Source::Items(id) => Children::Nodes(match self.graph.get(id) {
                Node::Tuple(items) | Node::FrozenSet(items) => items,
                Node::List(items) | Node::Set(items) => items,
                Node::Dict(entries) => entries.as_flattened(),
                _ => &[],
            }),
            Source::Args(id) => Children::Nodes(match self.graph.get(id) {
                Node::Object(Object { made: Made::Inst { args, .. }, .. }) => args,
                _ => &[],
            }),
            Source::Effects(id, start, end) => {
                let effects = self.effects_of(id).get(start..end).unwrap_or_default();
                Children::Effects(effects)
            }
        }
    }

    fn effects_of(&self, id: NodeId) -> &'g [Effect] {
        match self.graph.get(id) {
            Node::Object(object) => object.effects,
            _ => &[],
        }
    }

    /// Where in the memo the object is that a node stands for.
    fn memo_index(&self, id: NodeId) -> Option<i64> {
        let index = at(&self.memo, id);
        (index > 0 && !self.is_anew(id)).then(|| i64::from(index) - 1)
    }

    fn is_anew(&self, id: NodeId) -> bool {
        self.anew.get(&id).is_some_and(|is_anew| *is_anew)
    }

    /// Saves a node if that takes no task; else says that it does.
    fn save_now(&mut self, id: NodeId) -> Result<bool, Error> {
        let _ = self.out.begin()?;
        if let Some(index) = self.memo_index(id) {
            self.out.out.get(index)?;
            return Ok(true);
        }
        let out = &mut *self.out;
        match self.graph.get(id) {
            Node::None => out.out.none(),
            Node::Bool(value) => out.out.bool(value),
            Node::Int(value) => emit_integer(&mut out.out, &Integer::Small(value))?,
            Node::BigInt(bytes) => {
                self.budget.copy(bytes)?;
                if out.out.long_is_binary() || !at(&self.shared, id) {
                    emit_integer(&mut out.out, &Integer::from_le_bytes(bytes))?;
                } else {
                    let digits = match self.digits.entry(id) {
                        Entry::Occupied(entry) => entry.into_mut(),
                        Entry::Vacant(entry) => {
                            entry.insert(digits(&Integer::from_le_bytes(bytes))?)
                        }
                    };
                    out.out.long_digits(digits.as_bytes());
                }
            }
            Node::Float(value) => emit_float(&mut out.out, value),
            Node::Str(text) => {
                self.budget.copy(text.as_bytes())?;
                out.emit_text(text.as_bytes())?;
                self.memoize(id)?;
            }
            Node::OldStr(bytes) => {
                self.budget.copy(bytes)?;
                self.old_str(bytes)?;
                self.memoize(id)?;
            }
            Node::Bytes(bytes) => {
                self.budget.copy(bytes)?;
                out.emit_bytes(bytes)?;
                self.memoize(id)?;
            }
            Node::ByteArray(bytes) => {
                self.budget.copy(bytes)?;
                out.emit_bytearray(bytes)?;
                self.memoize(id)?;
            }
            Node::Buffer(number) => {
                if number != self.buffers {
                    let text = "out-of-band buffers in another order than they came in";
                    return Err(Error::custom(text));
                }
                self.buffers += 1;
                out.out.op(Opcode::NextBuffer);
                self.memoize(id)?;
            }
            Node::Tuple([]) => out.out.empty_tuple(),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn save(&mut self, id: NodeId) -> Done {
        if self.save_now(id)? {
            return Ok(());
        }
        let references = 1 + self.children(Source::Items(id)).len();
        self.budget.visit_all(references)?;
        let protocol = self.out.protocol();
        let loose = self.out.is_loose();
        let node = self.graph.get(id);
        let waits = match node {
            Node::Tuple(_) | Node::FrozenSet(_) | Node::ReadonlyBuffer(_) => true,
            Node::Set(_) => protocol < 4,
            _ => false,
        };
        // In a circle of such, one has another reference besides.
        if waits && at(&self.shared, id) {
            self.enter(id)?;
        }
        match node {
            Node::Tuple(items) => {
                self.open_tuple(items.len());
                self.then([Task::Tuple(id, 0)]);
            }
            Node::List(items) => {
                self.out.out.empty_list();
                self.memoize(id)?;
                if !items.is_empty() {
                    let batch = Batch::new(Kind::List, loose);
                    self.then([Task::Batch(Source::Items(id), 0, batch)]);
                }
            }
            Node::Dict(entries) => {
                self.out.out.empty_dict();
                self.memoize(id)?;
                if !entries.is_empty() {
                    let batch = Batch::new(Kind::Dict, loose);
                    self.fill(id, Task::Batch(Source::Items(id), 0, batch));
                }
            }
            Node::Set(_) if protocol < 4 => self.set_of_list(id, "set")?,
            Node::Set(items) => {
                self.out.out.op(Opcode::EmptySet);
                self.memoize(id)?;
                if !items.is_empty() {
                    let batch = Batch::new(Kind::Set, loose);
                    self.then([Task::Batch(Source::Items(id), 0, batch)]);
                }
            }
            Node::FrozenSet(_) if protocol < 4 => self.set_of_list(id, "frozenset")?,
            Node::FrozenSet(_) => {
                self.out.out.op(Opcode::Mark);
                self.then([Task::FrozenSet(id, 0)]);
            }
            Node::ReadonlyBuffer(buffer) => {
                self.then([Task::Save(buffer), Task::Make(id, Opcode::ReadonlyBuffer)]);
            }
            Node::Object(object) => {
                if self.enter(id)? > 1 {
                    self.reduce_again(id, object.made)?;
                }
                self.object(id, object.made)?;
            }
            // All others were saved.
            _ => {}
        }
        Ok(())
    }

    /// Counts how often an object waits for what it is made from, itself within itself.
    fn enter(&mut self, id: NodeId) -> Result<usize, Error> {
        let open = self.open.entry(id).or_default();
        open.times += 1;
        let before = std::mem::replace(&mut open.progress, self.progress);
        // What is written next follows from what is in the memo, and from what is written anew. If neither
        // has changed since it was within itself before, this has no end.
        if open.times > 2 && before == self.progress {
            return Err(
                self.cannot_say("something that holds itself by way of what it is made from")
            );
        }
        Ok(open.times)
    }

    fn cannot_say(&self, what: &str) -> Error {
        Error::custom(format!("{what}, which protocol {} cannot say", self.out.protocol()))
    }

    /// Puts the topmost object into the memo, if it goes there.
    fn memoize(&mut self, id: NodeId) -> Done {
        if !at(&self.memoized, id) {
            return Ok(());
        }
        let key = if id == self.graph.root() { self.key.take() } else { None };
        let index = self.out.memoize(Begun { key })?;
        let number = u32::try_from(index + 1).map_err(|_| TooLarge::MemoPut)?;
        if let Some(place) = self.memo.get_mut(id.index()) {
            self.progress += usize::from(*place == 0);
            *place = number;
        }
        Ok(())
    }

    /// A string of Python 2, as Python 2 wrote it.
    fn old_str(&mut self, bytes: &[u8]) -> Done {
        let out = &mut self.out.out;
        if !out.is_binary() {
            let repr = repr_bytes(bytes);
            out.line(Opcode::String, repr.trim_start_matches('b').as_bytes());
            return Ok(());
        }
        Ok(out.old_string(bytes)?)
    }

    fn nodes(&mut self, source: Source, mut next: usize) -> Done {
        let children = self.children(source);
        while let Some(child) = children.get(next) {
            next += 1;
            if !self.save_now(child)? {
                self.then([Task::Save(child), Task::Nodes(source, next)]);
                return Ok(());
            }
        }
        Ok(())
    }

    fn batch(&mut self, source: Source, mut next: usize, mut batch: Batch) -> Done {
        let children = self.children(source);
        let (len, width) = (children.len(), batch.width());
        loop {
            if next > 0 && next.is_multiple_of(width) {
                batch.item_done(&mut self.out.out);
            }
            let Some(child) = children.get(next) else {
                batch.end(&mut self.out.out);
                return Ok(());
            };
            if next.is_multiple_of(width) {
                batch.item(&mut self.out.out, next + width == len);
            }
            next += 1;
            if !self.save_now(child)? {
                self.then([Task::Save(child), Task::Batch(source, next, batch)]);
                return Ok(());
            }
        }
    }

    fn tuple(&mut self, id: NodeId, mut next: usize) -> Done {
        let Node::Tuple(items) = self.graph.get(id) else { return Ok(()) };
        while let Some(&item) = items.get(next) {
            next += 1;
            if !self.save_now(item)? {
                self.then([Task::Save(item), Task::Tuple(id, next)]);
                return Ok(());
            }
        }
        let marked = self.is_marked(items.len());
        if let Some(index) = self.memo_index(id) {
            // It is part of itself, and was written while its items were: drop them, fetch it.
            if marked && self.out.protocol() > 0 {
                self.out.out.op(Opcode::PopMark);
            } else {
                (0..items.len() + usize::from(marked)).for_each(|_| self.out.out.op(Opcode::Pop));
            }
            return Ok(self.out.out.get(index)?);
        }
        self.close_tuple(items.len());
        self.memoize(id)
    }

    fn is_marked(&self, len: usize) -> bool {
        len > 3 || self.out.protocol() < 2
    }

    fn open_tuple(&mut self, len: usize) {
        if self.is_marked(len) {
            self.out.out.op(Opcode::Mark);
        }
    }

    fn close_tuple(&mut self, len: usize) {
        self.out.out.op(match (self.is_marked(len), len) {
            (false, 1) => Opcode::Tuple1,
            (false, 2) => Opcode::Tuple2,
            (false, 3) => Opcode::Tuple3,
            _ => Opcode::Tuple,
        });
    }

    /// Puts what no node stands for into the memo, as CPython does: nobody refers to it.
    fn memoize_other(&mut self) -> Done {
        self.out.memoize(Begun { key: None }).map(|_| ())
    }

    fn frozenset(&mut self, id: NodeId, mut next: usize) -> Done {
        let Node::FrozenSet(items) = self.graph.get(id) else { return Ok(()) };
        while let Some(&item) = items.get(next) {
            next += 1;
            if !self.save_now(item)? {
                self.then([Task::Save(item), Task::FrozenSet(id, next)]);
                return Ok(());
            }
        }
        if let Some(index) = self.memo_index(id) {
            self.out.out.op(Opcode::PopMark);
            return Ok(self.out.out.get(index)?);
        }
        self.out.out.op(Opcode::FrozenSet);
        self.memoize(id)
    }

    /// `set([...])`, which older protocols have instead of a set's own opcodes.
    fn set_of_list(&mut self, id: NodeId, class: &'static str) -> Done {
        self.out.global("builtins", class)?;
        self.open_tuple(1);
        self.out.out.empty_list();
        self.memoize_other()?;
        let batch = Batch::new(Kind::List, self.out.is_loose());
        self.then([
            Task::Batch(Source::Items(id), 0, batch),
            Task::CloseTuple(1),
            Task::Make(id, Opcode::Reduce),
        ]);
        Ok(())
    }

    /// An opcode that makes an object; then what is done to the object.
    fn make(&mut self, id: NodeId, opcode: Opcode) -> Done {
        match (opcode, self.graph.get(id)) {
            (Opcode::Inst, Node::Object(Object { made: Made::Inst { cls, .. }, .. })) => {
                if let Node::Object(Object { made: Made::Global { module, name }, .. }) =
                    self.graph.get(cls)
                {
                    let (module, name) = self.names(module, name)?;
                    emit_names(&mut self.out.out, Opcode::Inst, module, name)?;
                }
            }
            _ => self.out.out.op(opcode),
        }
        self.made(id)
    }

    /// An object is found among its own arguments, and is written in them once more. Whoever reduced it made
    /// the arguments anew each time: all that they hold alone. The rest was the same each time, and has to be,
    /// or this would not end: something on the way from the object to itself will be found in the memo.
    fn reduce_again(&mut self, id: NodeId, made: Made<'g>) -> Done {
        let mut arguments = HashSet::new();
        let mut next = Some(Node::Object(Object { made, effects: &[] }));
        let mut reached = Vec::new();
        while let Some(node) = next {
            each_child(node, &mut |child| {
                if !at(&self.shared, child) && arguments.insert(child) {
                    reached.push(child);
                }
            });
            next = reached.pop().map(|id| self.graph.get(id));
        }
        let is_begin = |task: &Task| matches!(task, Task::Make(of, _) if *of == id);
        let begin = self.tasks.iter().rposition(is_begin);
        let way = begin.and_then(|begin| self.tasks.get(begin..)).unwrap_or_default();
        self.budget.visit_all(arguments.len() + way.len() / TASKS_LOOKED_AT)?;
        // What is in the memo before all is written that it holds.
        let begun = |(index, task): (usize, &Task)| match *task {
            // Keyword arguments are copied: none is found before it is complete, but by CPython.
            Task::Batch(Source::Items(id), ..)
                if !at(&self.shared, id)
                    && matches!(
                        index.checked_sub(1).and_then(|below| way.get(below)),
                        Some(Task::Make(_, Opcode::NewObjEx) | Task::None)
                    ) =>
            {
                None
            }
            // What is made of a list that is no node comes into the memo later.
            Task::Batch(Source::Items(id), ..)
                if self.out.protocol() < 4
                    && matches!(self.graph.get(id), Node::Set(_) | Node::FrozenSet(_)) =>
            {
                None
            }
            Task::Batch(Source::Items(id), ..) | Task::Effects(id, _) => {
                (at(&self.memo, id) > 0).then_some(id)
            }
            _ => None,
        };
        let is_found = |id: NodeId| !arguments.contains(&id) && !self.is_anew(id);
        if !way.iter().enumerate().filter_map(begun).any(is_found) {
            // No pickler wrote this. It was put together by hand, and all that the object was made from was
            // there but for the last of the way: before what was made later, or got its state later.
            // Nor is it an argument itself that was complete: calls may copy their arguments.
            let mut same = None;
            let mut is_argument = true;
            for (index, task) in way.iter().enumerate() {
                if let Some(id) = begun((index, task)) {
                    if !is_argument || !self.was_complete(id, way) {
                        same = Some(id);
                    }
                    is_argument = false;
                }
                let is_later = match *task {
                    Task::Make(other, _) => other > id,
                    Task::Effects(..) => matches!(way.get(index + 1), Some(Task::Op(_))),
                    _ => false,
                };
                if is_later && same.is_some() {
                    break;
                }
            }
            if let Some(same) = same {
                self.progress += usize::from(self.anew.insert(same, false) != Some(false));
            }
        }
        let before = self.anew.len();
        for argument in arguments {
            self.anew.entry(argument).or_insert(true);
        }
        self.progress += self.anew.len() - before;
        Ok(())
    }

    fn made(&mut self, id: NodeId) -> Done {
        if let Some(open) = self.open.get_mut(&id) {
            open.times = open.times.saturating_sub(1);
        }
        if let Some(index) = self.memo_index(id) {
            // It is part of its own arguments, and was made while they were.
            self.out.out.op(Opcode::Pop);
            return Ok(self.out.out.get(index)?);
        }
        self.memoize(id)?;
        if !self.effects_of(id).is_empty() {
            self.fill(id, Task::Effects(id, 0));
        }
        Ok(())
    }

    /// What fills a node, which may be keyword arguments. The task stays in its place until all is done.
    fn fill(&mut self, id: NodeId, task: Task) {
        if let Some(places) = self.fills.get_mut(&id) {
            places.push(self.tasks.len());
        }
        self.tasks.push(task);
    }

    /// Where the task is that fills these keyword arguments, the last of them, if they are being filled.
    fn filled_at(&mut self, id: NodeId) -> Option<usize> {
        let places = self.fills.get_mut(&id)?;
        while let Some(&place) = places.last() {
            match self.tasks.get(place) {
                Some(Task::Batch(Source::Items(of), ..) | Task::Effects(of, _)) if *of == id => {
                    return Some(place);
                }
                _ => places.pop(),
            };
        }
        None
    }

    fn object(&mut self, id: NodeId, made: Made<'g>) -> Done {
        let protocol = self.out.protocol();
        match made {
            Made::Global { module, name } => return self.global(id, module, name),
            Made::Extension(code) => {
                self.out.out.extension(code);
                return self.made(id);
            }
            Made::Persistent(pid) => {
                if let (0, Node::Str(text)) = (protocol, self.graph.get(pid)) {
                    self.budget.copy(text.as_bytes())?;
                    if is_persid(text.as_bytes()) {
                        self.out.out.line(Opcode::Persid, text.as_bytes());
                        return self.made(id);
                    }
                }
                self.then([Task::Save(pid), Task::Make(id, Opcode::BinPersid)]);
            }
            Made::Call { callable, args } => {
                self.then([Task::Save(callable), Task::Save(args), Task::Make(id, Opcode::Reduce)])
            }
            Made::New { cls, args, kwargs: None } if protocol >= 2 => {
                self.then([Task::Save(cls), Task::Save(args), Task::Make(id, Opcode::NewObj)])
            }
            Made::New { cls, args, kwargs: Some(kwargs) } if protocol >= 4 => self.then([
                Task::Save(cls),
                Task::Save(args),
                Task::Keywords(kwargs),
                Task::Make(id, Opcode::NewObjEx),
            ]),
            Made::New { cls, args, kwargs } => {
                if !matches!(self.graph.get(args), Node::Tuple(_)) {
                    let text = "arguments of a class that are no tuple, below protocol 2 or 4";
                    return Err(Error::custom(text));
                }
                match kwargs {
                    None => self.newobj_by_call(id, cls, args)?,
                    Some(kwargs) => self.newobj_ex_by_call(id, cls, args, kwargs)?,
                }
            }
            Made::Inst { cls, .. } => {
                self.out.out.op(Opcode::Mark);
                let args = Task::Nodes(Source::Args(id), 0);
                let is_named = matches!(
                    self.graph.get(cls),
                    Node::Object(Object { made: Made::Global { .. }, effects: [] })
                );
                if protocol == 0 && is_named && !at(&self.shared, cls) {
                    self.then([args, Task::Make(id, Opcode::Inst)]);
                } else {
                    self.then([Task::Save(cls), args, Task::Make(id, Opcode::Obj)]);
                }
            }
        }
        Ok(())
    }

    /// Whether Python 3 has other names than the pickle, or the other way round.
    fn renames(&self) -> bool {
        (self.graph.protocol() < 3) != (self.out.protocol() < 3)
    }

    /// The names of a global, as the protocol that is written has them. They are copied, or looked at no faster.
    fn names(&mut self, module: NodeId, name: NodeId) -> Result<(&'g [u8], &'g [u8]), Error> {
        let (module, name) = (self.text(module), self.text(name));
        self.budget.copy(module)?;
        self.budget.copy(name)?;
        if !self.renames() {
            return Ok((module, name));
        }
        let (Ok(new_module), Ok(new_name)) = (str::from_utf8(module), str::from_utf8(name)) else {
            return Ok((module, name));
        };
        let (new_module, new_name) = match self.out.protocol() {
            0..3 => compat::to_python2(new_module, new_name),
            _ => compat::to_python3(new_module, new_name),
        };
        Ok((new_module.as_bytes(), new_name.as_bytes()))
    }

    fn global(&mut self, id: NodeId, module: NodeId, name: NodeId) -> Done {
        let is_binary = self.out.protocol() >= 4;
        let as_they_are =
            [Task::Save(module), Task::Save(name), Task::Make(id, Opcode::StackGlobal)];
        // Many globals may have the same long names: they are not looked at where they stay what they are.
        if is_binary && !self.renames() {
            self.then(as_they_are);
            return Ok(());
        }
        let (new_module, new_name) = self.names(module, name)?;
        if is_binary && (new_module, new_name) == (self.text(module), self.text(name)) {
            self.then(as_they_are);
            return Ok(());
        }
        let out = &mut *self.out;
        if is_binary {
            for part in [new_module, new_name] {
                out.interned(str::from_utf8(part).unwrap_or_default())?;
            }
            out.out.op(Opcode::StackGlobal);
            return self.made(id);
        }
        // Only STACK_GLOBAL follows dots.
        let mut parts = new_name.split(|byte| *byte == b'.');
        match parts.next() {
            Some(first)
                if self.graph.protocol() >= 4
                    && first.len() < new_name.len()
                    // Else it is a string of Python 2, and no name.
                    && check_utf8(new_name, true).is_ok() =>
            {
                let (first_module, first) = match out.protocol() {
                    // The name of the outermost class, as it is known alone.
                    0..3 => match (str::from_utf8(new_module), str::from_utf8(first)) {
                        (Ok(module), Ok(first)) => {
                            let (module, first) = compat::to_python2(module, first);
                            (module.as_bytes(), first.as_bytes())
                        }
                        _ => (new_module, first),
                    },
                    _ => (new_module, first),
                };
                self.budget.visit_all(parts.clone().count())?;
                for _ in parts.clone() {
                    out.global("builtins", "getattr")?;
                    if out.protocol() < 2 {
                        out.out.op(Opcode::Mark);
                    }
                }
                emit_names(&mut out.out, Opcode::Global, first_module, first)?;
                let pair = if out.protocol() < 2 { Opcode::Tuple } else { Opcode::Tuple2 };
                for part in parts {
                    let begun = out.begin()?;
                    out.emit_text(part)?;
                    out.memoize(begun)?;
                    out.out.ops([pair, Opcode::Reduce]);
                }
            }
            _ => emit_names(&mut out.out, Opcode::Global, new_module, new_name)?,
        }
        self.made(id)
    }

    /// What a name is in the pickle that was read.
    fn text(&self, id: NodeId) -> &'g [u8] {
        match self.graph.get(id) {
            Node::Str(text) => text.as_bytes(),
            Node::OldStr(bytes) => bytes,
            _ => &[],
        }
    }

    /// `copyreg.__newobj__(cls, *args)`, before protocol 2
    fn newobj_by_call(&mut self, id: NodeId, cls: NodeId, args: NodeId) -> Done {
        self.out.global("copyreg", "__newobj__")?;
        let len = 1 + self.children(Source::Items(args)).len();
        self.budget.visit_all(len)?;
        self.then([
            Task::OpenTuple(len),
            Task::Save(cls),
            Task::Nodes(Source::Items(args), 0),
            Task::CloseTuple(len),
            Task::Make(id, Opcode::Reduce),
        ]);
        Ok(())
    }

    /// Keyword arguments. If their dict is being filled, and was complete when it was read, another is made:
    /// they are copied, so that nobody can tell the difference. What an instance of another class of dicts would
    /// be made from again, nobody knows.
    fn keywords(&mut self, id: NodeId) -> Done {
        if self.memo_index(id).is_some()
            && let Some(begin) = self.filled_at(id)
        {
            let way = self.tasks.get(begin..).unwrap_or_default();
            self.budget.visit_all(way.len() / TASKS_LOOKED_AT)?;
            if self.was_complete(id, way) {
                if !matches!(self.graph.get(id), Node::Dict(_)) {
                    return Err(self.cannot_say(
                        "keyword arguments in a dict of a class, which hold themselves",
                    ));
                }
                let items = self.children(Source::Items(id));
                self.budget.visit_all(items.len())?;
                if (0..items.len()).filter_map(|n| items.get(n)).any(|item| self.is_made_anew(item))
                {
                    return Err(self.cannot_say(
                        "keyword arguments that hold what is not in the memo and hold themselves",
                    ));
                }
                self.out.out.empty_dict();
                self.memoize_other()?;
                let batch = Batch::new(Kind::Dict, self.out.is_loose());
                self.fill(id, Task::Batch(Source::Items(id), 0, batch));
                return Ok(());
            }
        }
        self.save(id)
    }

    /// Whether each time that a node is written makes another object.
    fn is_made_anew(&self, id: NodeId) -> bool {
        match self.graph.get(id) {
            Node::None | Node::Bool(_) | Node::Int(_) | Node::BigInt(_) | Node::Float(_) => false,
            Node::Str(_) | Node::OldStr(_) | Node::Bytes(_) | Node::Tuple([]) => false,
            _ => !at(&self.memoized, id),
        }
    }

    /// Whether what is being filled was complete before something on the way from it was there. CPython puts a
    /// list or a dict into the memo before what it holds, and finds it there, as empty as it is.
    fn was_complete(&self, id: NodeId, way: &[Task]) -> bool {
        let order = self.order.get_or_init(|| {
            let mut order = HashMap::new();
            for (place, id) in self.graph.memoized().enumerate() {
                // What came into the memo twice was there from the first time on.
                order.entry(id).or_insert(place);
            }
            order
        });
        let Some(place) = order.get(&id) else { return true };
        way.iter().any(|task| match task {
            Task::Batch(Source::Items(on_way), ..) | Task::Effects(on_way, _) => {
                order.get(on_way).is_some_and(|before| before < place)
            }
            _ => false,
        })
    }

    /// `functools.partial(cls.__new__, cls, *args, **kwargs)()`, before protocol 4
    fn newobj_ex_by_call(&mut self, id: NodeId, cls: NodeId, args: NodeId, kwargs: NodeId) -> Done {
        let len = 1 + self.children(Source::Items(args)).len();
        self.budget.visit_all(len)?;
        let new = || {
            [
                Task::Global("builtins", "getattr"),
                Task::OpenTuple(2),
                Task::Save(cls),
                Task::Name("__new__"),
                Task::CloseTuple(2),
                Task::Reduce,
            ]
        };
        // The partial, which is called with the function, then its state: function, arguments, keyword
        // arguments, attributes.
        let made = [Task::CloseTuple(1), Task::Reduce, Task::OpenTuple(4)];
        let state = [
            Task::OpenTuple(len),
            Task::Save(cls),
            Task::Nodes(Source::Items(args), 0),
            Task::CloseTuple(len),
            Task::Keywords(kwargs),
            Task::None,
            Task::CloseTuple(4),
            Task::Op(Opcode::Build),
            Task::EmptyTuple,
            Task::Make(id, Opcode::Reduce),
        ];
        self.out.global("functools", "partial")?;
        self.open_tuple(1);
        let mut tasks: Vec<Task> =
            new().into_iter().chain(made).chain(new()).chain(state).collect();
        tasks.reverse();
        self.tasks.append(&mut tasks);
        Ok(())
    }

    fn effects(&mut self, id: NodeId, next: usize) -> Done {
        let effects = self.effects_of(id);
        let rest = effects.get(next..).unwrap_or_default();
        let Some(first) = rest.first() else { return Ok(()) };
        let kind = match *first {
            Effect::Build(state) => {
                self.then([
                    Task::Save(state),
                    Task::Op(Opcode::Build),
                    Task::Effects(id, next + 1),
                ]);
                return Ok(());
            }
            Effect::SetState(call) => {
                self.then([Task::Effects(id, next + 1)]);
                self.set_state(call);
                return Ok(());
            }
            Effect::Append(_) => Kind::List,
            Effect::SetItem(..) => Kind::Dict,
            Effect::Add(_) => Kind::Set,
        };
        let same =
            |effect: &&Effect| std::mem::discriminant(*effect) == std::mem::discriminant(first);
        let end = next + rest.iter().take_while(same).count();
        let source = Source::Effects(id, next, end);
        self.then([Task::Batch(source, 0, Batch::new(kind, false)), Task::Effects(id, end)]);
        Ok(())
    }

    /// `setter(object, state)`, its result dropped. No one else refers to the call or to its arguments.
    fn set_state(&mut self, call: NodeId) {
        if let Node::Object(Object { made: Made::Call { callable, args }, .. }) =
            self.graph.get(call)
            && let Node::Tuple(&[object, state]) = self.graph.get(args)
        {
            self.then([
                Task::Save(callable),
                Task::Save(object),
                Task::Save(state),
                Task::Op(Opcode::Tuple2),
                Task::Op(Opcode::Reduce),
                Task::Op(Opcode::Pop),
            ]);
        }
    }
}

/// The nodes of a source.
#[derive(Clone, Copy)]
enum Children<'g> {
    Nodes(&'g [NodeId]),
    /// All of the same kind.
    Effects(&'g [Effect]),
}

impl Children<'_> {
    fn len(self) -> usize {
        match self {
            Children::Nodes(nodes) => nodes.len(),
            Children::Effects(effects @ [Effect::SetItem(..), ..]) => 2 * effects.len(),
            Children::Effects(effects) => effects.len(),
        }
    }

    fn get(self, index: usize) -> Option<NodeId> {
        match self {
            Children::Nodes(nodes) => nodes.get(index).copied(),
            Children::Effects(effects @ [Effect::SetItem(..), ..]) => {
                match *effects.get(index / 2)? {
                    Effect::SetItem(key, value) => {
                        Some(if index.is_multiple_of(2) { key } else { value })
                    }
                    _ => None,
                }
            }
            Children::Effects(effects) => match *effects.get(index)? {
                Effect::Append(item) | Effect::Add(item) => Some(item),
                _ => None,
            },
        }
    }
}

/// As [`Graph::children`], without a vector.
fn each_child(node: Node<'_>, see: &mut impl FnMut(NodeId)) {
    match node {
        Node::ReadonlyBuffer(buffer) => see(buffer),
        Node::Tuple(items) | Node::FrozenSet(items) | Node::List(items) | Node::Set(items) => {
            items.iter().copied().for_each(see);
        }
        Node::Dict(entries) => entries.as_flattened().iter().copied().for_each(see),
        Node::Object(object) => {
            match object.made {
                Made::Global { module, name } => [module, name].map(&mut *see),
                Made::Call { callable, args } => [callable, args].map(&mut *see),
                Made::New { cls, args, kwargs } => {
                    kwargs.into_iter().for_each(&mut *see);
                    [cls, args].map(&mut *see)
                }
                Made::Inst { cls, args } => {
                    see(cls);
                    args.iter().copied().for_each(&mut *see);
                    [(), ()]
                }
                Made::Persistent(pid) => {
                    see(pid);
                    [(), ()]
                }
                Made::Extension(_) => [(), ()],
            };
            for effect in object.effects {
                match *effect {
                    Effect::Build(node)
                    | Effect::Append(node)
                    | Effect::Add(node)
                    | Effect::SetState(node) => see(node),
                    Effect::SetItem(key, value) => {
                        see(key);
                        see(value);
                    }
                }
            }
        }
        _ => {}
    }
}
