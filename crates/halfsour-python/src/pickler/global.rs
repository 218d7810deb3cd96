//! By which name an object is known.
//!
//! Modules/_pickle.c: `whichmodule` and the first half of `save_global`.

use crate::ffi::error::{self, Exc, Part, quietly, raise, raise_parts};
use crate::ffi::{Dict, Obj, Object, Own, PyResult, Raised, Str, Tuple};
use crate::state::State;

/// Where an object can be found, checked by looking there.
pub(super) struct Global {
    /// A str, mostly: it is what `__module__` says.
    pub(super) module_name: Obj,
    /// The whole dotted name.
    pub(super) name: Obj,
    /// The name's parts.
    pub(super) path: Vec<Own<Str>>,
    /// What holds the object under the last part, and whether that is the module itself (known up
    /// to 3.12 only, where nested names are written as a reduction of it).
    pub(super) parent: Option<Obj>,
}

impl Global {
    /// Finds the name of `obj`, or checks the one that `__reduce__` gave.
    pub(super) fn find(state: &State, obj: &Object, name: Option<&Object>) -> PyResult<Global> {
        let names = &state.names;
        let name = match name {
            Some(name) => name.own(),
            None => match obj.opt_attr(&names.qualname)? {
                Some(name) => name,
                None => obj.attr(&names.name)?,
            },
        };
        let Some(text) = name.cast::<Str>() else {
            // PyUnicode_Split's own complaint.
            return Err(raise_parts(
                &Exc::TypeError,
                "must be str, not {}",
                &[Part::TypeName(&name)],
            ));
        };
        let mut path = text.split_dots()?;
        let mut name = name.clone();
        if state.version.mangles_private_names && mangle(&mut path)? {
            name = Str::join_dots(&path)?.into_obj();
        }
        if state.version.explains {
            let (module_name, is_there) = which_module(state, obj, &path)?;
            if !is_there {
                check_found(state, obj, &module_name, &name, &path)?;
            }
            Ok(Global { module_name, name, path, parent: None })
        } else {
            if path.iter().any(|part| part.equals("<locals>")) {
                let verb = if state.version.local_get { "get" } else { "pickle" };
                return Err(raise_parts(
                    &Exc::AttributeError,
                    "Can't {} local object {}",
                    &[Part::Text(verb), Part::Repr(&name)],
                ));
            }
            let (module_name, _) = which_module(state, obj, &path)?;
            let parent = check_found_old(state, obj, &module_name, &name, &path)?;
            Ok(Global { module_name, name, path, parent })
        }
    }

    /// The code under which the object is registered with `copyreg.add_extension`.
    pub(super) fn extension_code(&self, state: &State, obj: &Object) -> PyResult<Option<i32>> {
        let key = Tuple::from_items([self.module_name.clone(), self.name.clone()])?;
        let Some(code) = state.extension_registry.get(&key)? else { return Ok(None) };
        if state.version.strict_extension_codes {
            let code = crate::ffi::builtins::as_long(&code)?;
            return match i32::try_from(code) {
                Ok(code) if code > 0 => Ok(Some(code)),
                _ => Err(raise_parts(
                    &Exc::RuntimeError,
                    "extension code {} is out of range",
                    &[Part::Int(code)],
                )),
            };
        }
        let Some(number) = code.cast::<crate::ffi::Int>() else {
            return Err(raise_parts(
                &state.pickling_error,
                "Can't pickle {}: extension code {} isn't an integer",
                &[Part::Repr(obj), Part::Repr(&code)],
            ));
        };
        let number = crate::ffi::builtins::as_long(number)?;
        match i32::try_from(number) {
            Ok(number) if number > 0 => Ok(Some(number)),
            _ => Err(raise_parts(
                &state.pickling_error,
                "Can't pickle {}: extension code {} is out of range",
                &[Part::Repr(obj), Part::Int(number)],
            )),
        }
    }

    /// The names as Python 2 knew them.
    pub(super) fn fix_imports(&mut self, state: &State, name: &mut Obj) -> PyResult<()> {
        let key = Tuple::from_items([self.module_name.clone(), name.clone()])?;
        if let Some(item) = state.name_mapping_3to2.get(&key)? {
            let pair = item.cast::<Tuple>().filter(|pair| pair.len() == 2);
            let (Some(module), Some(global)) =
                (pair.and_then(|pair| pair.get(0)), pair.and_then(|pair| pair.get(1)))
            else {
                return Err(raise_parts(
                    &Exc::RuntimeError,
                    "_compat_pickle.REVERSE_NAME_MAPPING values should be 2-tuples, not {}",
                    &[Part::TypeName(&item)],
                ));
            };
            if module.cast::<Str>().is_none() || global.cast::<Str>().is_none() {
                return Err(raise_parts(
                    &Exc::RuntimeError,
                    "_compat_pickle.REVERSE_NAME_MAPPING values should be pairs of str, \
                     not ({}, {})",
                    &[Part::TypeName(module), Part::TypeName(global)],
                ));
            }
            self.module_name = module.own();
            *name = global.own();
        } else if let Some(module) = state.import_mapping_3to2.get(&self.module_name)? {
            if module.cast::<Str>().is_none() {
                return Err(raise_parts(
                    &Exc::RuntimeError,
                    "_compat_pickle.REVERSE_IMPORT_MAPPING values should be strings, not {}",
                    &[Part::TypeName(&module)],
                ));
            }
            self.module_name = module;
        }
        Ok(())
    }
}

/// Module and name of a class or a function that is where it says, if finding it takes no Python. A
/// class [has a plain metaclass](super::plan::has_plain_metaclass), so that asking for its attributes
/// runs nothing.
pub(super) fn find_quietly(state: &State, object: &Object) -> Option<(Obj, Obj)> {
    let names = &state.names;
    let attribute = |name| quietly(object.attr(name));
    let (module_name, name) = (attribute(&names.module)?, attribute(&names.qualname)?);
    let text = name.cast_exact::<Str>()?.ascii()?;
    // Nested names are followed part by part; modules have attributes of their own with such names.
    if text.contains(&b'.') || text.starts_with(b"__") {
        return None;
    }
    let module = state.imported_module(&module_name)?;
    let is_there = module.module_dict()?.get_quietly(&name)?.is(object);
    is_there.then_some((module_name, name))
}

/// A name of less than 256 ASCII characters, as most are.
pub(super) fn short_ascii(name: &Object) -> Option<&[u8]> {
    name.cast_exact::<Str>().and_then(Str::ascii).filter(|text| text.len() < 256)
}

/// Whether Python 2 knew a class by the same names. Runs no Python.
pub(super) fn is_same_in_python2(state: &State, module: &Object, name: &Object) -> bool {
    quietly(Tuple::from_items([module.own(), name.own()])).is_some_and(|pair| {
        !state.name_mapping_3to2.may_have(&pair) && !state.import_mapping_3to2.may_have(module)
    })
}

/// Mangles private names behind the first, as the compiler does in classes (3.15). True if any
/// changed.
fn mangle(path: &mut [Own<Str>]) -> PyResult<bool> {
    let mut changed = false;
    for i in (1..path.len()).rev() {
        let (Some(class), Some(name)) = (path[i - 1].utf8(), path[i].utf8()) else { continue };
        let private = name.starts_with(b"__") && !name.ends_with(b"__");
        let class = &class[class.iter().take_while(|&&byte| byte == b'_').count()..];
        if private && !class.is_empty() {
            let mangled = [b"_", class, name].concat();
            path[i] = Str::from_utf8(&mangled, c"strict")?;
            changed = true;
        }
    }
    Ok(changed)
}

/// The module that `obj` says it is from, or one that has it; and whether it was seen there.
fn which_module(state: &State, obj: &Object, path: &[Own<Str>]) -> PyResult<(Obj, bool)> {
    if state.version.explains && path.iter().any(|part| part.equals("<locals>")) {
        return Err(raise_parts(
            &state.pickling_error,
            "Can't pickle local object {}",
            &[Part::Repr(obj)],
        ));
    }
    if let Some(name) = obj.opt_attr(&state.names.module)?
        && !name.is_none()
    {
        return Ok((name, false));
    }
    // Rare: methods of extension types, for example.
    let modules = crate::ffi::module::sys_modules()?;
    if let Some(modules) = modules.cast_exact::<Dict>() {
        let mut position = 0;
        while let Some((name, module)) = modules.next_item(&mut position) {
            if has(state, &name, &module, obj, path)? {
                return Ok((name, true));
            }
        }
    } else {
        let iterator = modules.iter()?;
        while let Some(name) = iterator.next()? {
            let module = modules.item(&name)?;
            if has(state, &name, &module, obj, path)? {
                return Ok((name, true));
            }
        }
    }
    Ok((state.names.main.clone(), false))
}

/// Whether a module has the object under this path. `__main__` is the answer of last resort.
fn has(
    state: &State,
    module_name: &Object,
    module: &Object,
    obj: &Object,
    path: &[Own<Str>],
) -> PyResult<bool> {
    let is_main = module_name.cast::<Str>().is_some_and(|name| {
        name.equals("__main__") || (state.version.skips_mp_main && name.equals("__mp_main__"))
    });
    if module.is_none() || is_main {
        return Ok(false);
    }
    Ok(follow_quietly(module, path)?.is_some_and(|(found, _)| found.is(obj)))
}

/// Follows a path; None where an attribute is missing. Also gives what holds the last one.
fn follow_quietly(start: &Object, path: &[Own<Str>]) -> PyResult<Option<(Obj, Obj)>> {
    let mut parent = start.own();
    let mut found = start.own();
    for name in path {
        match found.opt_attr(name)? {
            Some(next) => parent = std::mem::replace(&mut found, next),
            None => return Ok(None),
        }
    }
    Ok(Some((found, parent)))
}

/// Looks whether `obj` is where it says (3.14 and later).
fn check_found(
    state: &State,
    obj: &Object,
    module_name: &Object,
    name: &Object,
    path: &[Own<Str>],
) -> PyResult<()> {
    let module = module_name.import().map_err(|raised| {
        if error::matches(&Exc::ImportError) || error::matches(&Exc::ValueError) {
            because(raised, |cause| {
                raise_parts(
                    &state.pickling_error,
                    "Can't pickle {}: {}",
                    &[Part::Repr(obj), Part::Str(cause)],
                )
            })
        } else {
            raised
        }
    })?;
    let mut found = module;
    for part in path {
        found = found.attr(part).map_err(|raised| {
            if error::matches(&Exc::AttributeError) {
                because(raised, |_| {
                    raise_parts(
                        &state.pickling_error,
                        "Can't pickle {}: it's not found as {}.{}",
                        &[Part::Repr(obj), Part::Str(module_name), Part::Str(name)],
                    )
                })
            } else {
                raised
            }
        })?;
    }
    if found.is(obj) { Ok(()) } else { Err(not_the_same(state, obj, module_name, name)) }
}

/// Looks whether `obj` is where it says (up to 3.13), and gives what holds it if that is not the
/// module.
fn check_found_old(
    state: &State,
    obj: &Object,
    module_name: &Object,
    name: &Object,
    path: &[Own<Str>],
) -> PyResult<Option<Obj>> {
    let module = module_name.import().map_err(|Raised| {
        error::clear();
        raise_parts(
            &state.pickling_error,
            "Can't pickle {}: import of module {} failed",
            &[Part::Repr(obj), Part::Repr(module_name)],
        )
    })?;
    let found = follow_quietly(&module, path);
    let Ok(Some((found, parent))) = found else {
        error::clear();
        return Err(raise_parts(
            &state.pickling_error,
            "Can't pickle {}: attribute lookup {} on {} failed",
            &[Part::Repr(obj), Part::Str(name), Part::Str(module_name)],
        ));
    };
    if !found.is(obj) {
        return Err(not_the_same(state, obj, module_name, name));
    }
    Ok((!parent.is(&module)).then_some(parent))
}

#[cold]
fn not_the_same(state: &State, obj: &Object, module_name: &Object, name: &Object) -> Raised {
    raise_parts(
        &state.pickling_error,
        "Can't pickle {}: it's not the same object as {}.{}",
        &[Part::Repr(obj), Part::Str(module_name), Part::Str(name)],
    )
}

/// Raises another exception in whose context the one that is set stays visible.
#[cold]
pub(super) fn because(raised: Raised, raise: impl FnOnce(&Object) -> Raised) -> Raised {
    match error::take() {
        Some(cause) => {
            let Raised = raise(&cause);
            error::chain(cause)
        }
        None => raised,
    }
}

/// The bytes of a module or global name in a GLOBAL opcode: UTF-8 in protocol 3, ASCII below, so
/// that Python 2 can read it.
pub(super) fn encode(
    state: &State,
    protocol: u8,
    what: &str,
    name: &Object,
) -> PyResult<Own<crate::ffi::Bytes>> {
    let Some(text) = name.cast::<Str>() else {
        return Err(raise(&Exc::TypeError, "bad argument type for built-in operation"));
    };
    let encoding = if protocol == 3 { c"utf-8" } else { c"ascii" };
    text.encode(encoding, c"strict").map_err(|raised| {
        if !error::matches(&Exc::UnicodeEncodeError) {
            return raised;
        }
        if state.version.explains {
            because(raised, |_| {
                raise_parts(
                    &state.pickling_error,
                    "can't pickle {} identifier {} using pickle protocol {}",
                    &[Part::Text(what), Part::Repr(name), Part::Int(i64::from(protocol))],
                )
            })
        } else {
            error::clear();
            raise_parts(
                &state.pickling_error,
                "can't pickle {} identifier '{}' using pickle protocol {}",
                &[Part::Text(what), Part::Str(name), Part::Int(i64::from(protocol))],
            )
        }
    })
}
