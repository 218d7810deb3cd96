//! Frozen dataclasses with slots: their state is a list of the values of their fields.
//!
//! `dataclasses._dataclass_getstate` makes it, in Python. What it would return is read from the slots
//! here, as long as that function and the one that it calls are those of the module.

use crate::ffi::layout::TypeFacts;
use crate::ffi::{Dict, Obj, Object, Own, PyResult, Raised, Str, Type, error};
use crate::state::State;

/// The fields of a class.
pub(super) struct Fields {
    /// The offsets of their slots.
    pub(super) offsets: Box<[usize]>,
    /// `dataclasses.fields`, which would list them.
    lister: Obj,
}

/// More than that would be written in several batches.
const MOST: usize = 1000;

impl Fields {
    /// None where the state is another, or finding out takes Python.
    pub(super) fn of(state: &State, class: &Type) -> Option<Fields> {
        let facts = TypeFacts::of(class);
        let getstate = class.lookup(&state.names.getstate)?;
        let module = state.loaded_module(&state.names.dataclasses)?;
        let module = module.module_dict()?;
        let [known, lister, field, regular] =
            ["_dataclass_getstate", "fields", "Field", "_FIELD"].map(|name| get(module, name));
        let (lister, field) = (lister?, field?);
        let field = field.cast::<Type>()?;
        let source = source(field.lookup(&state.names.init)?)?;
        let is_known = known?.is(getstate)
            && facts.dict.is_none()
            && !facts.dict_is_elsewhere
            && [getstate, &lister].iter().all(|function| {
                self::source(function).is_some_and(|other| other.utf8() == source.utf8())
            });
        if !is_known {
            return None;
        }
        let slot = |name| TypeFacts::of(field).slot_offset(field, &*quietly(Str::new(name))?);
        let (name, kind, regular) = (slot("name")?, slot("_field_type")?, regular?);
        let all = class.lookup(&state.names.dataclass_fields)?.cast_exact::<Dict>()?.entries();
        let mut offsets = Vec::new();
        for (_, one) in (0..all.slots()).filter_map(|slot| all.get(slot)) {
            if !one.type_of().as_obj().is(field) {
                return None;
            }
            if one.slot(kind)?.is(&regular) {
                let name = one.slot(name)?;
                name.cast_exact::<Str>()?;
                offsets.push(facts.slot_offset(class, name)?);
            }
        }
        let fields = Fields { offsets: offsets.into(), lister };
        (fields.offsets.len() < MOST && fields.are_known(state)).then_some(fields)
    }

    /// Whether the module has its function still, and asks for attributes as usual.
    pub(super) fn are_known(&self, state: &State) -> bool {
        let names = &state.names;
        let Some(module) = state.loaded_module(&names.dataclasses) else { return false };
        module.module_dict().is_some_and(|module| {
            quietly(module.get(&names.getattr)).is_some_and(|hidden| hidden.is_none())
                && quietly(module.get(&names.fields)).flatten().is_some_and(|f| f.is(&self.lister))
        })
    }
}

/// The file that a function was written in.
fn source(function: &Object) -> Option<Own<Str>> {
    let code = function.function_code()?;
    let file = quietly(Str::new("co_filename").and_then(|name| code.attr(&name)))?;
    file.cast_exact::<Str>().map(Str::own_view)
}

fn get(module: &Dict, name: &str) -> Option<Obj> {
    quietly(Str::new(name).and_then(|name| module.get(&name))).flatten()
}

fn quietly<T>(found: PyResult<T>) -> Option<T> {
    found.map_err(|Raised| error::clear()).ok()
}
