//! Which classes make their instances as `collections.namedtuple` has it.
//!
//! The `__new__` of a namedtuple is Python, but does nothing but call `tuple.__new__`. Each class has
//! a function of its own, so a function is compared with what the compiler makes of the same text.

use crate::ffi::{Int, Obj, Object, PyResult, Str, Tuple, error, make};
use crate::state::State;
use std::cell::{Cell, RefCell};

/// What the compiler makes of the `__new__` of a namedtuple, by the number of fields.
#[derive(Default)]
pub(crate) struct Samples {
    codes: RefCell<Vec<Option<Obj>>>,
    /// For so many fields a sample is wanted.
    wanted: Cell<Option<usize>>,
}

/// The `__new__` of some namedtuple.
pub(super) struct New {
    function: Obj,
    code: Obj,
    pub(super) fields: usize,
}

/// The most fields for which there are samples.
const MOST: usize = 64;

/// What says what code does, beside its constants.
const PARTS: [&str; 9] = [
    "co_code",
    "co_names",
    "co_flags",
    "co_argcount",
    "co_posonlyargcount",
    "co_kwonlyargcount",
    "co_nlocals",
    "co_cellvars",
    "co_freevars",
];

impl New {
    /// What a class has as its `__new__`, if it is that of a namedtuple. Runs no Python; where a sample
    /// is missing for that, it is wanted from then on.
    pub(super) fn of(state: &State, found: &Object) -> Option<New> {
        let function = make::static_function(found)?;
        let code = function.function_code()?.own();
        let arguments = number(&code, "co_argcount")?;
        let fields = usize::try_from(arguments).ok()?.checked_sub(1).filter(|n| *n <= MOST)?;
        let samples = &state.namedtuples;
        let sample = samples.codes.borrow().get(fields).cloned().flatten();
        let Some(sample) = sample else {
            samples.wanted.set(Some(fields));
            return None;
        };
        let new = New { function, code, fields };
        (is_same(&new.code, &sample) && new.is_untouched(state)).then_some(new)
    }

    /// Whether the function is still what it was. Runs no Python.
    pub(super) fn is_untouched(&self, state: &State) -> bool {
        let code = self.function.function_code();
        let globals = make::function_globals(&self.function);
        let tuple_new = globals.and_then(|globals| globals.get_quietly(&state.names.tuple_new));
        code.is_some_and(|code| code.is(&self.code))
            && tuple_new.is_some_and(|tuple_new| tuple_new.is(&state.tuple_new))
    }
}

impl Samples {
    /// Whether a sample is missing.
    #[inline]
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted.get().is_some()
    }

    /// Makes the sample that is wanted.
    #[cold]
    pub(super) fn make(&self) {
        let Some(fields) = self.wanted.take() else { return };
        let made = error::quietly(compile(fields));
        let mut codes = self.codes.borrow_mut();
        if codes.len() <= fields {
            codes.resize_with(fields + 1, || None);
        }
        // Where there is none, nothing will be found to be the same as it.
        codes[fields] = Some(made.unwrap_or_else(|| Object::none().own()));
    }
}

fn compile(fields: usize) -> PyResult<Obj> {
    let names: Vec<String> = (0..fields).map(|n| format!("_{n}")).collect();
    let list = names.join(", ") + if fields == 1 { "," } else { "" };
    let code =
        make::compile_expression(&format!("lambda _cls, {list}: _tuple_new(_cls, ({list}))"))?;
    let constants = code.attr(&*Str::new("co_consts")?)?;
    let constants = constants.cast_exact::<Tuple>().map_or(&[][..], Tuple::items);
    let lambda = constants.iter().find(|constant| constant.type_of().is(code.type_of()));
    lambda
        .map(|lambda| lambda.own())
        .ok_or_else(|| error::raise(&error::Exc::SystemError, "no code for a lambda expression"))
}

fn number(code: &Object, name: &str) -> Option<i64> {
    error::quietly(Str::new(name).and_then(|name| code.attr(&name)))?.cast::<Int>()?.as_i64()
}

/// Whether two code objects do the same. Leaves no exception behind.
fn is_same(code: &Object, sample: &Object) -> bool {
    if !code.type_of().is(sample.type_of()) {
        return false;
    }
    let compare = || -> PyResult<bool> {
        for part in PARTS {
            let name = Str::new(part)?;
            if !code.attr(&name)?.equals(&*sample.attr(&name)?)? {
                return Ok(false);
            }
        }
        let name = Str::new("co_consts")?;
        let [own, other] = [code.attr(&name)?, sample.attr(&name)?];
        let (Some(own), Some(other)) = (own.cast_exact::<Tuple>(), other.cast_exact::<Tuple>())
        else {
            return Ok(false);
        };
        Ok(own.len() == other.len() && own.items().iter().zip(other.items()).all(|(a, b)| a.is(b)))
    };
    error::quietly(compare()).unwrap_or(false)
}
