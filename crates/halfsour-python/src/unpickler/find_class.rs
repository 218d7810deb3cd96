//! `find_class`: what a module has under a name.

use super::Unpickler;
use crate::ffi::error::{Exc, Part, Raised, audit, chain, raise_parts, take};
use crate::ffi::{Obj, Object, PyResult, Str, Tuple};
use crate::state::State;

/// What the base class's `find_class` does.
pub(super) fn find_class(
    state: &State,
    unpickler: &Unpickler,
    module_name: &Object,
    name: &Object,
) -> PyResult<Obj> {
    audit(c"pickle.find_class", module_name, name)?;
    let protocol = unpickler.protocol.get();
    let renamed = if protocol < 3 && unpickler.fix_imports.get() {
        renamed(state, module_name, name)?
    } else {
        None
    };
    let (module_name, name) = match &renamed {
        Some((module_name, name)) => (&**module_name, &**name),
        None => (module_name, name),
    };
    if let Some(found) = find_quickly(state, module_name, name) {
        return Ok(found);
    }
    let module = module_name.import()?;
    // Before protocol 4 a name is one attribute, whatever dots are in it.
    if state.version.explains_paths {
        if protocol < 4 { module.attr(name) } else { resolve(&module, module_name, name) }
    } else {
        get(state, &module, name, protocol >= 4)
    }
}

/// What a module that is loaded has under a plain name. None where importing the module or getting the
/// attribute could do anything else, or fail. Runs no Python.
fn find_quickly(state: &State, module_name: &Object, name: &Object) -> Option<Obj> {
    let text = name.cast_exact::<Str>()?.ascii()?;
    // Other classes than the module's have the names with underscores.
    if !state.layouts_known
        || text.contains(&b'.')
        || text.starts_with(b"__")
        || text.starts_with(b"<")
    {
        return None;
    }
    if !state.imports_as_usual() {
        return None;
    }
    let found = state.imported_module(module_name)?.module_dict()?.get_quietly(name)?;
    (!found.is_lazy_import()).then_some(found)
}

/// What Python 3 calls the thing that Python 2 had under this name; None if it is the same.
fn renamed(state: &State, module_name: &Object, name: &Object) -> PyResult<Option<(Obj, Obj)>> {
    let key = Tuple::from_items([module_name.own(), name.own()])?;
    if let Some(found) = state.name_mapping_2to3.get(&key)? {
        let pair = found.cast::<Tuple>().filter(|pair| pair.len() == 2);
        let Some((new_module, new_name)) = pair.and_then(|pair| pair.get(0).zip(pair.get(1)))
        else {
            return Err(raise_parts(
                &Exc::RuntimeError,
                "_compat_pickle.NAME_MAPPING values should be 2-tuples, not {}",
                &[Part::TypeName(&found)],
            ));
        };
        if new_module.cast::<Str>().is_none() || new_name.cast::<Str>().is_none() {
            return Err(raise_parts(
                &Exc::RuntimeError,
                "_compat_pickle.NAME_MAPPING values should be pairs of str, not ({}, {})",
                &[Part::TypeName(new_module), Part::TypeName(new_name)],
            ));
        }
        return Ok(Some((new_module.own(), new_name.own())));
    }
    let Some(new_module) = state.import_mapping_2to3.get(module_name)? else { return Ok(None) };
    if new_module.cast::<Str>().is_none() {
        return Err(raise_parts(
            &Exc::RuntimeError,
            "_compat_pickle.IMPORT_MAPPING values should be strings, not {}",
            &[Part::TypeName(&new_module)],
        ));
    }
    Ok(Some((new_module, name.own())))
}

fn dotted(name: &Object) -> PyResult<Vec<crate::ffi::Own<Str>>> {
    match name.cast::<Str>() {
        Some(name) => name.split_dots(),
        None => Err(raise_parts(&Exc::TypeError, "must be str, not {}", &[Part::TypeName(name)])),
    }
}

/// `module.a.b.c`, as 3.14 and later explain it.
fn resolve(module: &Object, module_name: &Object, name: &Object) -> PyResult<Obj> {
    let path = dotted(name)?;
    let found = path.iter().try_fold(module.own(), |object, part| object.attr(part));
    if found.is_err()
        && path.len() > 1
        && let Some(cause) = take()
    {
        raise_parts(
            &Exc::AttributeError,
            "Can't resolve path {} on module {}",
            &[Part::Repr(name), Part::Repr(module_name)],
        );
        return Err(chain(cause));
    }
    found
}

/// `module.a.b.c`, as versions before 3.14 have it.
fn get(state: &State, module: &Object, name: &Object, by_path: bool) -> PyResult<Obj> {
    let mut found = Some(module.own());
    if by_path {
        let path = dotted(name)?;
        if path.iter().any(|part| part.equals("<locals>")) {
            return Err(raise_parts(
                &Exc::AttributeError,
                if state.version.local_get {
                    "Can't get local attribute {} on {}"
                } else {
                    "Can't pickle local attribute {} on {}"
                },
                &[Part::Repr(name), Part::Repr(module)],
            ));
        }
        for part in &path {
            let Some(object) = found else { break };
            found = object.opt_attr(part)?;
        }
    } else {
        found = module.opt_attr(name)?;
    }
    found.ok_or_else(|| -> Raised {
        raise_parts(
            &Exc::AttributeError,
            "Can't get attribute {} on {}",
            &[Part::Repr(name), Part::Repr(module)],
        )
    })
}
