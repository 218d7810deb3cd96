//! The heap that makes a graph's nodes.

use alloc::boxed::Box;
use alloc::vec::Drain;

use hashbrown::HashMap;

use super::arena::{Arena, Blob, LONG_TEXT, RawMade, Slot};
use super::keys::Keys;
use super::places::Places;
use super::{Effect, Graph, NodeId};
use crate::error::{Error, ErrorKind};
use crate::heap::Heap;
use crate::limits::Limits;
use crate::machine::Machine;
use crate::memo::Memo;
use crate::number::{Integer, parse_int};
use crate::reader::{Reader, Source};
use crate::text::{
    c_str, check_utf8, escape_decode, from_latin1, raw_unicode_escape, repr_line, repr_str,
};

pub(super) struct Builder<'a> {
    pub(super) arena: Arena<'a>,
    pub(super) keys: Keys,
    pub(super) memo: Memo<NodeId>,
    /// How many nodes there were when the memo was used last, but for what is read from it [ahead](super::ahead).
    pub(super) memo_used: usize,
    buffers: u32,
    protocol: u8,
    /// Lines of GLOBAL and INST, so that a module that is named twice is one node, as it would be
    /// in Python and in protocol 4.
    names: HashMap<Box<[u8]>, NodeId>,
    // Values of which Python has but one.
    pub(super) none: NodeId,
    pub(super) bools: [NodeId; 2],
    pub(super) empty_tuple: NodeId,
    pub(super) limits: Limits,
    /// How many opcodes are left.
    pub(super) opcodes: u64,
    /// At which offset the pickle is too long.
    pub(super) end: u64,
    /// Where each node was made, if that is asked for.
    pub(super) places: Option<Places>,
}

type Added = Result<NodeId, Error>;
type Done = Result<(), Error>;

fn wrong(needs: &'static str) -> Done {
    Err(ErrorKind::WrongType { needs }.into())
}

impl<'a> Builder<'a> {
    /// A builder for a pickle that begins at this offset.
    pub(super) fn new(
        mut arena: Arena<'a>,
        limits: Limits,
        start: u64,
    ) -> Result<Builder<'a>, Error> {
        let none = arena.add(Slot::None)?;
        let bools = [arena.add(Slot::Bool(false))?, arena.add(Slot::Bool(true))?];
        let run = arena.run(&[])?;
        let empty_tuple = arena.add(Slot::Tuple(run))?;
        let (keys, memo) = (Keys::default(), Memo::new(false));
        Ok(Builder {
            arena,
            keys,
            memo,
            memo_used: 0,
            buffers: 0,
            protocol: 0,
            names: HashMap::new(),
            none,
            bools,
            empty_tuple,
            limits,
            opcodes: limits.opcodes,
            end: start.saturating_add(limits.bytes),
            places: None,
        })
    }

    pub(super) fn into_graph(self, root: NodeId, start: u64) -> Graph<'a> {
        let Builder { arena, memo, protocol, .. } = self;
        Graph { arena, root, protocol, start, memo }
    }

    fn add(&mut self, slot: Slot) -> Added {
        Ok(self.arena.add(slot)?)
    }

    fn add_object(&mut self, made: RawMade) -> Added {
        Ok(self.arena.add_object(made)?)
    }

    fn add_integer(&mut self, value: Integer) -> Added {
        let slot = match value {
            Integer::Small(value) => Slot::Int(value),
            Integer::Big(bytes) => Slot::BigInt(self.arena.blob(&bytes)?),
        };
        self.add(slot)
    }

    /// A value of which Python has but one; a node for each, where their places are asked for.
    fn only(&mut self, id: NodeId) -> Added {
        match &self.places {
            Some(places) if places.each => self.add(self.arena.slot(id)),
            _ => Ok(id),
        }
    }

    fn affect(&mut self, object: u32, effects: impl ExactSizeIterator<Item = Effect>) -> Done {
        Ok(self.arena.affect(object, effects)?)
    }

    fn payload<S: Source<Error = Error>>(
        &mut self,
        source: &mut S,
        len: usize,
    ) -> Result<Blob, Error> {
        match source.ahead().get(..len) {
            // Nothing at all is left to the source, which knows what CPython says of the input's end.
            Some(bytes) if len > 0 => {
                let blob = self.arena.blob(bytes)?;
                source.consume(len);
                Ok(blob)
            }
            _ => self.arena.read(len, |part| source.fill(part)),
        }
    }
}

impl<S: Source<Error = Error>> Heap<S> for Builder<'_> {
    type Value = NodeId;

    fn with_memo<R>(&mut self, f: impl FnOnce(&mut Memo<NodeId>) -> R) -> R {
        self.memo_used = self.arena.len();
        f(&mut self.memo)
    }

    #[inline]
    fn run_ahead(
        &mut self,
        machine: &mut Machine<NodeId>,
        reader: &mut Reader<S>,
    ) -> Result<bool, Error> {
        let over = |what, limit, reader: &mut Reader<S>| {
            let error = Error::new(ErrorKind::Limit { what, limit });
            Err(error.at(reader.source().offset()))
        };
        if self.memo.held() as u64 > self.limits.memo {
            return over("memo", self.limits.memo, reader);
        }
        let done = match &mut self.places {
            Some(places) => {
                places.note(self.arena.len(), reader.start());
                0
            }
            None => self.ahead(machine, reader)?,
        };
        self.opcodes = match self.opcodes.checked_sub(done) {
            Some(left @ 1..) => left - 1,
            _ => return over("opcodes", self.limits.opcodes, reader),
        };
        if reader.source().offset() >= self.end {
            return over("bytes", self.limits.bytes, reader);
        }
        Ok(false)
    }

    fn protocol(&mut self, version: u8) {
        self.protocol = version;
    }

    fn none(&mut self) -> Added {
        self.only(self.none)
    }

    fn bool(&mut self, value: bool) -> Added {
        self.only(self.bools[usize::from(value)])
    }

    fn int(&mut self, value: i64) -> Added {
        self.add(Slot::Int(value))
    }

    fn int_line(&mut self, line: &[u8]) -> Added {
        match line {
            b"00" => self.only(self.bools[0]),
            b"01" => self.only(self.bools[1]),
            // To C, a line that begins with NUL is an empty number, which is no error but zero.
            [0, ..] => self.add(Slot::Int(0)),
            _ => {
                let value =
                    parse_int(c_str(line), self.limits.digits).map_err(|_| ErrorKind::BadInt)?;
                self.add_integer(value)
            }
        }
    }

    fn long_line(&mut self, line: &[u8]) -> Added {
        let text = c_str(line.strip_suffix(b"L").unwrap_or(line));
        let value = parse_int(text, self.limits.digits).map_err(|error| {
            ErrorKind::BadLiteral(error.text(text, |shown| match line {
                [.., b'L'] => repr_str(&from_latin1(shown)),
                _ => repr_line(shown),
            }))
        })?;
        self.add_integer(value)
    }

    fn long(&mut self, bytes: &[u8]) -> Added {
        self.add_integer(Integer::from_le_bytes(bytes))
    }

    fn float(&mut self, value: f64) -> Added {
        self.add(Slot::Float(value))
    }

    fn float_line(&mut self, line: &[u8]) -> Added {
        // Stricter than float(): no spaces, no underscores.
        let text = str::from_utf8(c_str(line)).unwrap_or_default();
        let value: f64 = text.parse().map_err(|_| {
            ErrorKind::BadLiteral(format!("could not convert string to float: {}", repr_line(line)))
        })?;
        if value.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit()) {
            let text = format!("value too large to convert to float: {}", repr_line(line));
            return Err(ErrorKind::FloatOverflow(text).into());
        }
        self.add(Slot::Float(value))
    }

    fn string_line(&mut self, inner: &[u8]) -> Added {
        let blob = if inner.contains(&b'\\') {
            let bytes = escape_decode(inner).map_err(ErrorKind::BadLiteral)?;
            self.arena.text_blob(&bytes)?
        } else {
            self.arena.text_blob(inner)?
        };
        self.add(Slot::OldStr(blob))
    }

    fn binstring(&mut self, bytes: &[u8]) -> Added {
        let blob = self.arena.text_blob(bytes)?;
        self.add(Slot::OldStr(blob))
    }

    fn unicode_line(&mut self, line: &[u8]) -> Added {
        let blob = if line.is_ascii() && !line.contains(&b'\\') {
            self.arena.text_blob(line)?
        } else {
            let text = raw_unicode_escape(line).map_err(ErrorKind::BadText)?;
            self.arena.text_blob(&text)?
        };
        self.add(Slot::Str(blob))
    }

    fn unicode(&mut self, text: &[u8]) -> Added {
        let blob = if text.len() < LONG_TEXT {
            check_utf8(text, true).map_err(ErrorKind::BadText)?;
            self.arena.blob(text)?
        } else {
            let (blob, is_utf8) = self.arena.long_text_blob(text)?;
            if !is_utf8 {
                check_utf8(text, true).map_err(ErrorKind::BadText)?;
            }
            blob
        };
        self.add(Slot::Str(blob))
    }

    fn bytes(&mut self, source: &mut S, len: usize) -> Added {
        let blob = self.payload(source, len)?;
        self.add(Slot::Bytes(blob))
    }

    fn bytearray(&mut self, source: &mut S, len: usize) -> Added {
        let blob = self.payload(source, len)?;
        self.add(Slot::ByteArray(blob))
    }

    fn next_buffer(&mut self) -> Added {
        let buffer = self.add(Slot::Buffer(self.buffers))?;
        self.buffers += 1;
        Ok(buffer)
    }

    fn readonly_buffer(&mut self, buffer: NodeId) -> Added {
        match self.arena.slot(buffer) {
            Slot::Bytes(_) | Slot::ReadonlyBuffer(_) => Ok(buffer),
            Slot::Buffer(_) | Slot::ByteArray(_) | Slot::Object(_) => {
                self.add(Slot::ReadonlyBuffer(buffer))
            }
            _ => Err(ErrorKind::WrongType { needs: "__buffer__" }.into()),
        }
    }

    fn empty_tuple(&mut self) -> Added {
        self.only(self.empty_tuple)
    }

    fn empty_list(&mut self) -> Added {
        self.add(Slot::List(Default::default()))
    }

    fn empty_dict(&mut self) -> Added {
        self.add(Slot::Dict(Default::default()))
    }

    fn empty_set(&mut self) -> Added {
        self.add(Slot::Set(Default::default()))
    }

    fn tuple(&mut self, items: Drain<'_, NodeId>) -> Added {
        if items.as_slice().is_empty() {
            return self.only(self.empty_tuple);
        }
        let run = self.arena.run(items.as_slice())?;
        self.add(Slot::Tuple(run))
    }

    fn list(&mut self, items: Drain<'_, NodeId>) -> Added {
        let run = self.arena.run(items.as_slice())?;
        self.add(Slot::List(run))
    }

    fn dict(&mut self, items: Drain<'_, NodeId>) -> Added {
        let dict = self.add(Slot::Dict(Default::default()))?;
        self.keys.set_items(&mut self.arena, dict, items.as_slice())?;
        Ok(dict)
    }

    fn frozenset(&mut self, items: Drain<'_, NodeId>) -> Added {
        let set = self.add(Slot::FrozenSet(Default::default()))?;
        self.keys.add_items(&mut self.arena, set, items.as_slice())?;
        Ok(set)
    }

    fn append(&mut self, list: &NodeId, item: NodeId) -> Done {
        match self.arena.slot(*list) {
            Slot::List(_) => Ok(self.arena.extend(*list, [item].into_iter())?),
            Slot::Object(object) => self.affect(object, [Effect::Append(item)].into_iter()),
            _ => wrong("append"),
        }
    }

    fn extend(&mut self, list: &NodeId, items: Drain<'_, NodeId>) -> Done {
        match self.arena.slot(*list) {
            Slot::List(_) => Ok(self.arena.extend(*list, items)?),
            Slot::Object(object) => self.affect(object, items.map(Effect::Append)),
            _ => wrong("append"),
        }
    }

    fn set_items(&mut self, dict: &NodeId, items: Drain<'_, NodeId>) -> Done {
        match self.arena.slot(*dict) {
            Slot::Dict(_) => Ok(self.keys.set_items(&mut self.arena, *dict, items.as_slice())?),
            Slot::Object(object) => {
                let entries = items.as_slice().as_chunks::<2>().0.iter();
                self.affect(object, entries.map(|&[key, value]| Effect::SetItem(key, value)))
            }
            _ if items.as_slice().is_empty() => Ok(()),
            _ => wrong("__setitem__"),
        }
    }

    fn add_items(&mut self, set: &NodeId, items: Drain<'_, NodeId>) -> Done {
        match self.arena.slot(*set) {
            Slot::Set(_) => Ok(self.keys.add_items(&mut self.arena, *set, items.as_slice())?),
            Slot::Object(object) => self.affect(object, items.map(Effect::Add)),
            _ => wrong("add"),
        }
    }

    fn discard(&mut self, value: NodeId, below: Option<&NodeId>) {
        // A state setter is a call whose result nobody wants, while the object waits for its state:
        // `setter(object, state)`, of a pair that was made for it right before. What goes into the memo, or
        // was made earlier, is something else: what was found among its own arguments, and is there twice.
        if let Some(RawMade::Call { callable, args }) = self.arena.made(value)
            && [args.index() + 2, value.index() + 1] == [self.arena.len(); 2]
            && self.memo_used <= args.index()
            && callable != args
            && let Slot::Tuple(run) = self.arena.slot(args)
            && let [id, _] = *self.arena.ids(run)
            && below == Some(&id)
            && let Slot::Object(object) = self.arena.slot(id)
        {
            // Without memory for a note there is none for what comes next.
            let _ = self.affect(object, [Effect::SetState(value)].into_iter());
        }
    }

    fn name(&mut self, line: &[u8], ascii_only: bool) -> Added {
        if let Some(id) = self.names.get(line) {
            return Ok(*id);
        }
        let position = line.iter().position(|byte| !byte.is_ascii()).filter(|_| ascii_only);
        if let Some(place) = position {
            return Err(ErrorKind::BadText(format!(
                "'ascii' codec can't decode byte 0x{:02x} in position {place}: ordinal not in \
                 range(128)",
                line[place]
            ))
            .into());
        }
        check_utf8(line, false).map_err(ErrorKind::BadText)?;
        let blob = self.arena.text_blob(line)?;
        let id = self.add(Slot::Str(blob))?;
        self.names.insert(line.into(), id);
        Ok(id)
    }

    fn is_str(&mut self, value: &NodeId) -> bool {
        // Python's reader makes text of an old string, unless it is told otherwise.
        matches!(self.arena.slot(*value), Slot::Str(_) | Slot::OldStr(_))
    }

    fn find_class(&mut self, module: NodeId, name: NodeId) -> Added {
        self.add_object(RawMade::Global { module, name })
    }

    fn extension(&mut self, code: i64) -> Added {
        match i32::try_from(code) {
            Ok(code) => self.add_object(RawMade::Extension(code)),
            Err(_) => Err(ErrorKind::UnregisteredExtension(code).into()),
        }
    }

    fn persid_line(&mut self, line: &[u8]) -> Added {
        if !line.is_ascii() {
            return Err(ErrorKind::PersidNotAscii.into());
        }
        let blob = self.arena.text_blob(line)?;
        self.add(Slot::Str(blob))
    }

    fn persistent_load(&mut self, pid: NodeId) -> Added {
        self.add_object(RawMade::Persistent(pid))
    }

    fn inst(&mut self, cls: NodeId, args: Drain<'_, NodeId>) -> Added {
        let args = self.arena.run(args.as_slice())?;
        self.add_object(RawMade::Inst { cls, args })
    }

    fn newobj(&mut self, cls: NodeId, args: NodeId) -> Added {
        self.add_object(RawMade::New { cls, args, kwargs: None })
    }

    fn newobj_ex(&mut self, cls: NodeId, args: NodeId, kwargs: NodeId) -> Added {
        self.add_object(RawMade::New { cls, args, kwargs: Some(kwargs) })
    }

    fn reduce(&mut self, callable: NodeId, args: NodeId) -> Added {
        self.add_object(RawMade::Call { callable, args })
    }

    fn build(&mut self, inst: &NodeId, state: NodeId) -> Done {
        match self.arena.slot(*inst) {
            Slot::Object(object) => self.affect(object, [Effect::Build(state)].into_iter()),
            // Python's default does nothing for a state of None; a builtin takes no other.
            _ if matches!(self.arena.slot(state), Slot::None) => Ok(()),
            _ => wrong("__dict__"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::SliceSource;

    /// A hostile pickle may act before it breaks: what it left can be looked at.
    #[test]
    fn failed_load_keeps_its_stack() {
        let data = b"K\x07cos\nsystem\n\0";
        let mut machine = Machine::new();
        let mut builder = Builder::new(Arena::new(data), Limits::default(), 0).unwrap();
        let mut reader = Reader::new(SliceSource::new(data));
        machine.run(&mut reader, &mut builder).unwrap_err();
        let [seven, system] = machine.stack() else { panic!("{:?}", machine.stack()) };
        assert!(matches!(builder.arena.slot(*seven), Slot::Int(7)));
        assert!(matches!(builder.arena.slot(*system), Slot::Object(_)));
        let mut reader = Reader::new(SliceSource::new(b"."));
        let error = machine.run(&mut reader, &mut builder).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::StackUnderflow);
    }
}
