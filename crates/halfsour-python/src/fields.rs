//! Frozen dataclasses with slots: their state is a list of the values of their fields.
//!
//! `dataclasses._dataclass_getstate` makes it, and `_dataclass_setstate` takes it, in Python. What they
//! would do with the slots is done here, as long as they and the function that they call are those of
//! the module.

use crate::ffi::error::quietly;
use crate::ffi::layout::TypeFacts;
use crate::ffi::{Dict, Obj, Object, Own, Str, Type};
use crate::state::{Builtin, State};

/// Which function would go through the fields.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Through {
    GetState,
    SetState,
}

/// The fields of a class.
pub(crate) struct Fields {
    /// The offsets of their slots.
    pub(crate) offsets: Box<[usize]>,
    names: Box<[Obj]>,
    through: Through,
    /// The class's `__getstate__` or `__setstate__`, and its code.
    hook: (Obj, Obj),
    /// `dataclasses.fields`, which would list them, and its code.
    lister: (Obj, Obj),
    described: Described,
}

/// How the objects look that describe fields.
struct Described {
    /// `dataclasses.Field`, and its version
    by: Obj,
    version: u32,
    /// the slots of a field's name and of its kind
    name: usize,
    kind: usize,
    /// the kind of those that make up the state
    regular: Obj,
}

impl Described {
    /// The names of the fields that make up the state of a class, or what stands for a name.
    fn names<'a>(
        &self,
        state: &State,
        class: &'a Type,
    ) -> Option<impl Iterator<Item = Option<&'a Object>>> {
        let all = class.lookup(&state.names.dataclass_fields)?.cast_exact::<Dict>()?.entries();
        Some((0..all.slots()).filter_map(move |slot| all.get(slot)).filter_map(|(_, one)| {
            if !one.type_of().as_obj().is(&self.by) {
                return Some(None);
            }
            match one.slot(self.kind) {
                Some(kind) if kind.is(&self.regular) => Some(one.slot(self.name)),
                Some(_) => None,
                None => Some(None),
            }
        }))
    }
}

/// So many slots would be written in several batches.
pub(crate) const MOST_SLOTS: usize = 1000;

impl Fields {
    /// None where the state is another, or finding out takes Python.
    pub(crate) fn of(state: &State, class: &Type, through: Through) -> Option<Fields> {
        let facts = TypeFacts::of(class);
        let (name, known) = match through {
            Through::GetState => (&state.names.getstate, "_dataclass_getstate"),
            Through::SetState => (&state.names.setstate, "_dataclass_setstate"),
        };
        let hook = class.lookup(name)?;
        let module = state.loaded_module(&state.names.dataclasses)?;
        let module = module.module_dict()?.of_names()?;
        let [known, lister, field, regular] =
            [known, "fields", "Field", "_FIELD"].map(|name| get(module, name));
        let (lister, field) = (lister?, field?);
        let field = field.cast::<Type>().filter(|field| field.has_plain_names())?;
        let source = source(field.lookup(&state.names.init)?)?;
        let is_known = known?.is(hook)
            && facts.dict.is_none()
            && !facts.dict_is_elsewhere
            && [hook, &lister].iter().all(|function| {
                self::source(function).is_some_and(|other| other.utf8() == source.utf8())
            });
        if !is_known {
            return None;
        }
        let slot = |name| TypeFacts::of(field).slot_offset(field, &*quietly(Str::new(name))?);
        let described = Described {
            by: field.own(),
            version: field.version_tag(),
            name: slot("name")?,
            kind: slot("_field_type")?,
            regular: regular?,
        };
        let (mut offsets, mut names) = (Vec::new(), Vec::new());
        for name in described.names(state, class)? {
            let name = name?;
            name.cast_exact::<Str>()?;
            offsets.push(match through {
                Through::GetState => facts.slot_offset(class, name)?,
                Through::SetState => class.writable_slot(name)?,
            });
            names.push(name.own());
        }
        let with_code = |function: &Object| Some((function.own(), function.function_code()?.own()));
        let fields = Fields {
            offsets: offsets.into(),
            names: names.into(),
            through,
            hook: with_code(hook)?,
            lister: with_code(&lister)?,
            described,
        };
        let are_few = fields.offsets.len() < MOST_SLOTS && fields.described.version != 0;
        let are_distinct = are_distinct(fields.offsets.iter().copied());
        (are_few && are_distinct && fields.are_known(state)).then_some(fields)
    }

    /// Whether the class has these fields still: the dict of them may have changed, and they too.
    pub(crate) fn are_listed(&self, state: &State, class: &Type) -> bool {
        let is_same_class = self
            .described
            .by
            .cast::<Type>()
            .is_some_and(|field| field.version_tag() == self.described.version);
        is_same_class
            && self.described.names(state, class).is_some_and(|mut names| {
                self.names.iter().all(|own| names.next().flatten().is_some_and(|name| name.is(own)))
                    && names.next().is_none()
            })
    }

    /// Whether the module's functions are still what they were, and find what they found.
    pub(crate) fn are_known(&self, state: &State) -> bool {
        let names = &state.names;
        let Some(module) = state.loaded_module(&names.dataclasses) else { return false };
        let Some(module) = module.module_dict().and_then(Dict::of_names) else { return false };
        let has = |name: &Obj, expected: &Object| {
            module.get_quietly(name).is_some_and(|found| found.is(expected))
        };
        let listed = module.get_quietly(&names.dataclass_fields_name);
        let has_code = |(function, code): &(Obj, Obj)| {
            function.function_code().is_some_and(|found| found.is(code))
        };
        let builtins = &state.builtins;
        let used: &[_] = match self.through {
            Through::GetState => &[&builtins.getattr],
            Through::SetState => &[&builtins.zip, &builtins.object],
        };
        let is_found = |builtin: &&Builtin| {
            module.get_quietly(&builtin.name).is_none() && builtins.has(builtin)
        };
        used.iter().all(is_found)
            && has(&names.fields, &self.lister.0)
            && has(&names.dataclass_field, &self.described.regular)
            && listed.is_some_and(|name| {
                name.cast_exact::<Str>().is_some_and(|name| name.equals("__dataclass_fields__"))
            })
            && has_code(&self.lister)
            && has_code(&self.hook)
    }
}

/// Whether no slot is there under two names, as where a subclass has one again: what is in it would be
/// written twice.
pub(crate) fn are_distinct(offsets: impl Iterator<Item = usize>) -> bool {
    let mut offsets: Vec<usize> = offsets.collect();
    offsets.sort_unstable();
    offsets.windows(2).all(|pair| pair[0] != pair[1])
}

/// The file that a function was written in.
fn source(function: &Object) -> Option<Own<Str>> {
    let code = function.function_code()?;
    let file = quietly(Str::new("co_filename").and_then(|name| code.attr(&name)))?;
    file.cast_exact::<Str>().map(Str::own_view)
}

fn get(module: &Dict, name: &str) -> Option<Obj> {
    module.get_quietly(&*quietly(Str::new(name))?)
}
