//! Loading: the Unpickler type and the functions `load` and `loads`.
//!
//! The core's machine reads opcodes and keeps the stack; [`heap`] makes the Python objects, and
//! [`source`] gets the bytes from memory or from a file. CPython does the same in the second half of
//! `_pickle.c`.
//!
//! What a load works with (its input, its stack) is moved out of the Unpickler while it runs, so
//! that Python code that runs meanwhile cannot reach it: a second `load()` or `__init__()` raises
//! instead. The memo stays reachable, through [`memo`], as CPython's is.

mod ahead;
mod find_class;
mod heap;
mod memo;
mod namedtuple;
mod number;
mod persistent;
mod plan;
mod scratch;
mod source;
mod template;

pub(crate) use memo::{
    UnpicklerMemoProxy, get_memo, memo_proxy_clear, memo_proxy_copy, memo_proxy_reduce, set_memo,
};
#[cfg(Py_3_13)]
pub(crate) use persistent::{base_persistent_load, instance_attribute, set_instance_attribute};
#[cfg(not(Py_3_13))]
pub(crate) use persistent::{get_persistent_load, set_persistent_load};

use crate::ffi::args::{self, Arguments, Signature};
use crate::ffi::class::{Body, Visitor};
use crate::ffi::error::{Exc, Part, raise, raise_parts};
use crate::ffi::{Bytes, Dict, Int, Obj, Object, PyResult, Str, Tuple};
use crate::state::State;
use crate::version::Version;
use ahead::Ahead;
use halfsour::{Machine, Memo, Reader};
use heap::PyHeap;
pub(crate) use namedtuple::Samples;
use persistent::Persistent;
pub(crate) use scratch::Scratch;
use source::{Input, Memory, Payload};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_int};
use std::ops::ControlFlow;

/// What an Unpickler object carries.
pub(crate) struct Unpickler {
    /// A load or an `__init__` is under way.
    running: Cell<bool>,
    /// None before `__init__`, and while a load has it.
    session: RefCell<Option<Box<Session>>>,
    persistent: Persistent,
    memo: RefCell<Memo<Obj>>,
    /// The protocol that the pickle said, for `find_class`.
    protocol: Cell<u8>,
    fix_imports: Cell<bool>,
}

/// What one load needs for itself, and the next one goes on with.
struct Session {
    reader: Reader<Input>,
    /// What the last load left on its stack, until the next one.
    left: Machine<Obj>,
    options: Options,
}

/// The arguments that `load`, `loads` and `Unpickler` share.
struct Options {
    /// An iterator over out-of-band buffers.
    buffers: Option<Obj>,
    encoding: Cow<'static, CStr>,
    errors: Cow<'static, CStr>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            buffers: None,
            encoding: Cow::Borrowed(c"ASCII"),
            errors: Cow::Borrowed(c"strict"),
        }
    }
}

impl Body for Unpickler {
    fn new() -> Unpickler {
        Unpickler {
            running: Cell::new(false),
            session: RefCell::new(None),
            persistent: Persistent::new(),
            memo: RefCell::new(new_memo()),
            protocol: Cell::new(0),
            fix_imports: Cell::new(false),
        }
    }

    fn visit(&self, visitor: &mut Visitor<'_>) -> ControlFlow<c_int> {
        if let Ok(mut session) = self.session.try_borrow_mut()
            && let Some(session) = &mut *session
        {
            session.visit(visitor)?;
        }
        self.persistent.visit(visitor)?;
        if let Ok(memo) = self.memo.try_borrow() {
            memo.values().try_for_each(|value| visitor.visit(value))?;
        }
        ControlFlow::Continue(())
    }

    fn clear(&self) {
        drop(self.session.take());
        self.persistent.clear();
        drop(self.memo.replace(new_memo()));
    }
}

impl Session {
    fn visit(&mut self, visitor: &mut Visitor<'_>) -> ControlFlow<c_int> {
        self.reader.source().visit(visitor)?;
        self.left.stack().iter().try_for_each(|value| visitor.visit(value))?;
        visitor.visit_opt(self.options.buffers.as_ref())
    }
}

fn new_memo() -> Memo<Obj> {
    Memo::new(Version::running().memo_counts_sparse)
}

/// Keeps an Unpickler from being used while it is in use.
struct Running<'a>(&'a Cell<bool>);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl Unpickler {
    fn start(&self) -> PyResult<Running<'_>> {
        if self.running.replace(true) {
            return Err(raise(&Exc::RuntimeError, "Unpickler object is already used"));
        }
        Ok(Running(&self.running))
    }
}

// ---- arguments ---------------------------------------------------------------------------------

const LOAD: Signature<5> = Signature {
    format: c"O|$OOOO:load",
    names: [c"file", c"fix_imports", c"encoding", c"errors", c"buffers"],
    required: 1,
    positional: 1,
};

const LOADS: Signature<5> = Signature {
    format: c"O|$OOOO:loads",
    names: [c"", c"fix_imports", c"encoding", c"errors", c"buffers"],
    required: 1,
    positional: 1,
};

const INIT: Signature<5> = Signature { format: c"O|$OOOO:Unpickler", ..LOAD };

const GC_POLICY: Signature<1> =
    Signature { format: c"|O:gc_policy", names: [c""], required: 0, positional: 1 };

const FIND_CLASS: Signature<2> =
    Signature { format: c"OO:find_class", names: [c"", c""], required: 2, positional: 2 };

/// Converted arguments; the buffers are still whatever the caller gave.
struct Parameters<'a> {
    input: &'a Object,
    fix_imports: bool,
    encoding: Cow<'static, CStr>,
    errors: Cow<'static, CStr>,
    buffers: Option<&'a Object>,
}

impl<'a> Parameters<'a> {
    fn convert(function: &str, bound: [Option<&'a Object>; 5]) -> PyResult<Parameters<'a>> {
        let [Some(input), fix_imports, encoding, errors, buffers] = bound else {
            return Err(raise(&Exc::TypeError, "missing argument"));
        };
        let text = |name, argument: Option<&Object>, default: &'static CStr| match argument {
            None => Ok(Cow::Borrowed(default)),
            given => args::c_string(function, name, given, default).map(Cow::Owned),
        };
        Ok(Parameters {
            input,
            fix_imports: args::truth(fix_imports, true)?,
            encoding: text("encoding", encoding, c"ASCII")?,
            errors: text("errors", errors, c"strict")?,
            buffers,
        })
    }

    fn options(self) -> PyResult<Options> {
        let buffers = self.buffers.filter(|buffers| !buffers.is_none());
        Ok(Options {
            buffers: buffers.map(Object::iter).transpose()?,
            encoding: self.encoding,
            errors: self.errors,
        })
    }
}

// ---- loads -------------------------------------------------------------------------------------

/// `load(file, *, fix_imports=True, encoding='ASCII', errors='strict', buffers=())`
pub(crate) fn load_function(state: &State, args: Arguments<'_>) -> PyResult<Obj> {
    let parameters = Parameters::convert("load", LOAD.bind(args)?)?;
    let fix_imports = parameters.fix_imports;
    let input = Input::of_file(state, parameters.input)?;
    let options = parameters.options()?;
    load_unseen(state, input, &options, fix_imports)
}

/// `loads(data, /, *, fix_imports=True, encoding='ASCII', errors='strict', buffers=())`
pub(crate) fn loads(state: &State, args: Arguments<'_>) -> PyResult<Obj> {
    if let Some(data) = args.lone()
        && let Some(bytes) = data.cast_exact::<Bytes>()
    {
        let bytes = bytes.as_slice();
        if state.layouts_known
            && let Some(number) = ahead::lone_number(bytes, &state.byte_ints)?
        {
            return Ok(number);
        }
        return load_unseen(state, Memory::new(bytes), &Options::default(), true);
    }
    let parameters = Parameters::convert("loads", LOADS.bind(args)?)?;
    let fix_imports = parameters.fix_imports;
    let data = parameters.input;
    match data.cast_exact::<Bytes>() {
        Some(bytes) => {
            let options = parameters.options()?;
            load_unseen(state, Memory::new(bytes.as_slice()), &options, fix_imports)
        }
        // What Python code can change while we read it is looked at anew for each read.
        None => {
            let input = Input::of_buffer(state, data)?;
            let options = parameters.options()?;
            load_unseen(state, input, &options, fix_imports)
        }
    }
}

/// `gc_policy(policy=None, /)`
pub(crate) fn gc_policy(state: &State, args: Arguments<'_>) -> PyResult<Obj> {
    let [policy] = GC_POLICY.bind(args)?;
    let policy = policy.filter(|policy| !policy.is_none());
    let suspends = match policy.map(|policy| policy.cast::<Str>().and_then(Str::utf8)) {
        None => None,
        Some(Some(b"suspend")) => Some(true),
        Some(Some(b"leave")) => Some(false),
        Some(_) => {
            return Err(raise(&Exc::ValueError, "the policy must be 'suspend' or 'leave'"));
        }
    };
    let before = state.suspends_collector.get();
    state.suspends_collector.set(suspends.unwrap_or(before));
    Str::new(if before { "suspend" } else { "leave" })
}

/// Loads with an unpickler that no Python code can see.
fn load_unseen<S: Payload>(
    state: &State,
    source: S,
    options: &Options,
    fix_imports: bool,
) -> PyResult<Obj> {
    let mut scratch = Scratch::borrow(state);
    let Scratch { unpickler, machine, ahead } = &mut *scratch;
    unpickler.fix_imports.set(fix_imports);
    let mut reader = Reader::with_rules(source, state.version.rules);
    let result = run(state, unpickler, None, &mut reader, machine, options, ahead);
    scratch.give_back(state);
    result
}

/// `Unpickler.load()`
pub(crate) fn load_method(
    state: &State,
    this: &Object,
    unpickler: &Unpickler,
    args: Arguments<'_>,
) -> PyResult<Obj> {
    args.none("Unpickler.load", "load")?;
    let _running = unpickler.start()?;
    let Some(mut session) = unpickler.session.take() else {
        return Err(raise_parts(
            &state.unpickling_error,
            "Unpickler.__init__() was not called by {}.__init__()",
            &[Part::TypeName(this)],
        ));
    };
    let Session { reader, left, options } = &mut *session;
    left.clear();
    let mut scratch = Scratch::borrow(state);
    let Scratch { machine, ahead, .. } = &mut *scratch;
    let result = run(state, unpickler, Some(this), reader, machine, options, ahead);
    if !machine.stack().is_empty() {
        std::mem::swap(left, machine);
    }
    scratch.give_back(state);
    unpickler.session.replace(Some(session));
    result
}

fn run<S: Payload>(
    state: &State,
    unpickler: &Unpickler,
    this: Option<&Object>,
    reader: &mut Reader<S>,
    machine: &mut Machine<Obj>,
    options: &Options,
    ahead: &mut Ahead,
) -> PyResult<Obj> {
    unpickler.protocol.set(0);
    machine.clear();
    let mut heap = PyHeap::new(state, unpickler, this, options, ahead)?;
    let result = machine.run(reader, &mut heap);
    heap.end(result.is_err());
    result.map_err(|fault| fault.raise(state))
}

/// `Unpickler.__init__`, which may be called again to start anew.
pub(crate) fn init(
    state: &State,
    this: &Object,
    unpickler: &Unpickler,
    args: &Tuple,
    kwargs: Option<&Dict>,
) -> PyResult<()> {
    let parameters = Parameters::convert("Unpickler", INIT.parse(args, kwargs)?)?;
    let _running = unpickler.start()?;
    if unpickler.session.borrow().is_some() {
        unpickler.clear();
    }
    let input = Input::of_file(state, parameters.input)?;
    unpickler.fix_imports.set(parameters.fix_imports);
    let options = parameters.options()?;
    unpickler.persistent.init(state, this)?;
    if !unpickler.memo.borrow().is_untouched() {
        drop(unpickler.memo.replace(new_memo()));
    }
    unpickler.protocol.set(0);
    let reader = Reader::with_rules(input, state.version.rules);
    let session = Session { reader, left: Machine::new(), options };
    // Built where it stays: moving it would take longer than making it.
    let session = Box::write(Box::new_uninit(), session);
    drop(unpickler.session.replace(Some(session)));
    Ok(())
}

/// `Unpickler.find_class(module_name, global_name, /)`
pub(crate) fn find_class_method(
    state: &State,
    _this: &Object,
    unpickler: &Unpickler,
    args: Arguments<'_>,
) -> PyResult<Obj> {
    #[cfg(not(Py_3_12))]
    args.exactly("Unpickler.find_class", "find_class", 2)?;
    let [Some(module), Some(name)] = FIND_CLASS.bind(args)? else {
        return Err(raise(&Exc::TypeError, "missing argument"));
    };
    find_class::find_class(state, unpickler, module, name)
}

/// `Unpickler.__sizeof__()`: the instance and its memo.
pub(crate) fn sizeof(_state: &State, this: &Object, unpickler: &Unpickler) -> PyResult<Obj> {
    let basic = this.type_of().attr(&*Str::new("__basicsize__")?)?;
    let basic = crate::ffi::builtins::as_ssize(&basic)?;
    let memo = unpickler.memo.borrow().len() * size_of::<Option<Obj>>();
    Int::new(basic.saturating_add_unsigned(memo as u64))
}
