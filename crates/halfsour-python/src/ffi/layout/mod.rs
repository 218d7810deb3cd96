//! CPython's private memory layouts, for what must be read faster than its API allows.
//!
//! Everything that would break if a CPython laid out its objects in another way is in this folder.
//! The layouts are those of 3.11 to 3.15 on 64-bit little-endian machines, with a GIL. [`check`]
//! compares what is read here with what the API says, once, when the module is loaded; where they
//! differ, on other builds, or where `HALFSOUR_GENERIC=1` is in the environment, nothing of this is
//! used ([`State::layouts_known`](crate::state::State)), and pickling goes the generic way, through
//! the API.
//!
//! The functions of this folder are safe by the rules of [`super`], and only if the check has
//! passed: callers ask first. None of them runs Python, but [`Type::lookup`](super::Type::lookup)
//! may.

mod build;
mod dict;
mod instance;
mod memory_file;
mod scalar;
mod set;

pub(crate) use build::is_same_text;
pub(crate) use dict::{Entries, Named, Values};
pub(crate) use instance::{Attributes, DictPlace, PLAIN_SIZE, TypeFacts};
pub(crate) use memory_file::{MemoryFile, Taken};
pub(crate) use scalar::{DIGIT, ascii, digit, float};

use super::object::{Obj, Object};
use super::{AnySet, Dict, Int, List, PyResult, Set, Str, Tuple, error};

/// Whether the layouts that this folder was written for may be those of the running interpreter.
const WRITTEN_FOR: bool =
    cfg!(all(target_pointer_width = "64", target_endian = "little", not(Py_GIL_DISABLED)));

/// The first version whose layouts nobody has looked at.
const UNKNOWN_FROM: u32 = 0x0310_0000;

/// Whether the layouts are as they are read here. Leaves no exception behind.
pub(crate) fn check() -> bool {
    if !WRITTEN_FOR
        || super::module::hexversion() >= UNKNOWN_FROM
        || std::env::var_os("HALFSOUR_GENERIC").is_some_and(|value| value == "1")
    {
        return false;
    }
    error::quietly(compare()).unwrap_or(false)
}

/// `io.BytesIO`, where the layouts are known and that of its instances is too.
pub(crate) fn memory_file_class(known: bool) -> Option<Obj> {
    if known { error::quietly(MemoryFile::known_class()).flatten() } else { None }
}

/// Reads objects of every kind both ways.
fn compare() -> PyResult<bool> {
    Ok(ints_are_known()?
        && scalar::makes_strings()?
        && scalar::makes_ints()?
        && scalar::makes_floats()?
        && texts_are_known()?
        && dicts_are_known()?
        && sets_are_known()?
        && instances_are_known()?)
}

fn ints_are_known() -> PyResult<bool> {
    for value in [0, 1, -1, 7, -300, 1 << 29, (1 << 30) - 1, 1 - (1 << 30)] {
        let int = Int::new(value)?;
        if int.cast::<Int>().map(Int::compact) != Some(Some(value)) {
            return Ok(false);
        }
    }
    for value in [1 << 30, -(1 << 30), 1 << 40, i64::MIN] {
        let int = Int::new(value)?;
        if int.cast::<Int>().map(Int::compact) != Some(None) {
            return Ok(false);
        }
    }
    for value in [0, -300, 1 - (1 << 30), 1 << 30, -(1 << 40), (1 << 60) - 1, 1 - (1 << 60)] {
        let int = Int::new(value)?;
        if int.cast::<Int>().map(Int::short) != Some(Some(value)) {
            return Ok(false);
        }
    }
    for value in [1 << 60, -(1 << 60), i64::MIN] {
        let int = Int::new(value)?;
        if int.cast::<Int>().map(Int::short) != Some(None) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn texts_are_known() -> PyResult<bool> {
    for text in ["", "a", "spam and eggs", "sp\u{e4}m", "\u{20ac}", "\u{1f952}"] {
        let string = Str::new(text)?;
        let Some(string) = string.cast::<Str>() else { return Ok(false) };
        if string.ascii() != text.is_ascii().then_some(text.as_bytes()) {
            return Ok(false);
        }
        let before = string.kept_utf8().map(<[u8]>::len);
        let is_kept = string.utf8().is_some() && string.kept_utf8() == Some(text.as_bytes());
        if !text.is_ascii() && (before.is_some_and(|length| length != text.len()) || !is_kept) {
            return Ok(false);
        }
    }
    let list = List::from_items([Str::new("one")?, Str::new("two")?])?;
    let tuple = Tuple::from_items([Str::new("three")?, Str::new("four")?])?;
    let first = list.get(0);
    Ok(list.items().len() == 2
        && first.is_some_and(|first| first.is(list.items()[0]) && !first.is_unshared())
        && tuple.items().len() == 2
        && tuple.get(1).is_some_and(|last| last.is(tuple.items()[1]) && last.is_unshared()))
}

fn dicts_are_known() -> PyResult<bool> {
    let by_name = Dict::new()?;
    let by_number = Dict::new()?;
    let is_known = |dict: &Dict| -> bool { same_items(dict, dict.entries()) };
    for number in 0..300 {
        by_name.set(&*Str::new(&format!("key {number}"))?, &*Int::new(number)?)?;
        by_number.set(&*Int::new(number)?, &*Str::new("value")?)?;
        if number == 5 {
            by_name.remove(&*Str::new("key 3")?)?;
            by_number.remove(&*Int::new(0)?)?;
        }
        let is_looked_at = !(20..=250).contains(&number);
        if is_looked_at && !(is_known(&by_name) && is_known(&by_number)) {
            return Ok(false);
        }
    }
    Ok(is_known(&*Dict::new()?))
}

/// Whether the entries are what PyDict_Next finds.
fn same_items(dict: &Dict, entries: Entries<'_>) -> bool {
    let mut position = 0;
    let mut slots = (0..entries.slots()).filter_map(|slot| entries.get(slot));
    while let Some((key, value)) = dict.next_item(&mut position) {
        if !slots.next().is_some_and(|(k, v)| key.is(k) && value.is(v)) {
            return false;
        }
    }
    slots.next().is_none()
}

fn sets_are_known() -> PyResult<bool> {
    let set = Set::new()?;
    for number in 0..100_i64 {
        set.update(&*Tuple::from_items([Int::new(number * number)?])?)?;
        if number == 3 {
            set.attr(&*Str::new("discard")?)?.call1(&*Int::new(4)?)?;
        }
        let Some(any) = set.cast::<AnySet>() else { return Ok(false) };
        let (mut position, mut at) = (0, 0);
        while let Some(item) = set.next_item(&mut position) {
            if !any.next_borrowed(&mut at).is_some_and(|found| found.is(&item)) || at != position {
                return Ok(false);
            }
        }
        if any.next_borrowed(&mut at).is_some() || any.used() != set.len() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Makes a class as the statement does, and instances whose attributes are set in different orders.
fn instances_are_known() -> PyResult<bool> {
    let class = |namespace: &Dict| -> PyResult<Obj> {
        let args = [Str::new("Sample")?, Tuple::from_items([])?.into_obj(), namespace.own()];
        super::types::type_().call_object(&*Tuple::from_items(args)?)
    };
    let plain = class(&*Dict::new()?)?;
    let orders: [&[&str]; 5] = [&[], &["a", "b", "c"], &["a", "b"], &["c", "a", "b"], &["b", "z"]];
    if !build::check(&*class(&*Dict::new()?)?)? {
        return Ok(false);
    }
    for names in orders {
        let instance = plain.call0()?;
        for name in names {
            instance.set_attr(&*Str::interned_text(name)?, &*Str::new(name)?)?;
        }
        let facts = TypeFacts::of(instance.type_of());
        let seen: Vec<(Obj, Obj)> = match facts.dict.map(|place| place.attributes(&instance)) {
            Some(Attributes::Values(entries)) => owned(entries),
            Some(Attributes::Dict(dict)) => owned(dict.entries()),
            Some(Attributes::Empty) => Vec::new(),
            None => return Ok(false),
        };
        // This makes the dict an object; it is seen then.
        let dict = instance.instance_dict()?;
        let Some(dict) = dict.cast::<Dict>() else { return Ok(false) };
        let mut position = 0;
        for (key, value) in &seen {
            let found = dict.next_item(&mut position);
            if !found.is_some_and(|(k, v)| key.is(&k) && value.is(&v)) {
                return Ok(false);
            }
        }
        if dict.len() != names.len()
            || seen.len() != names.len()
            || !same_items(dict, dict.entries())
        {
            return Ok(false);
        }
        let then = facts.dict.map(|place| place.attributes(&instance));
        if !matches!(then, Some(Attributes::Dict(found)) if found.is(dict)) {
            return Ok(false);
        }
    }
    let namespace = Dict::new()?;
    let slots = Tuple::from_items([Str::new("x")?, Str::new("y")?])?;
    namespace.set(&*Str::new("__slots__")?, &slots)?;
    let slotted = class(&namespace)?;
    let instance = slotted.call0()?;
    let (x, value) = (Str::interned_text("x")?, Str::new("value")?);
    instance.set_attr(&x, &value)?;
    let facts = TypeFacts::of(instance.type_of());
    let offset = |name| facts.slot_offset(instance.type_of(), name);
    let y = Str::interned_text("y")?;
    let (Some(at_x), Some(at_y)) = (offset(&x), offset(&y)) else { return Ok(false) };
    Ok(facts.dict.is_none()
        && instance.slot(at_x).is_some_and(|found| found.is(&value))
        && instance.slot(at_y).is_none()
        && offset(&*Str::interned_text("__init__")?).is_none())
}

fn owned(entries: Entries<'_>) -> Vec<(Obj, Obj)> {
    let pairs = (0..entries.slots()).filter_map(|slot| entries.get(slot));
    pairs.map(|(key, value): (&Object, &Object)| (key.own(), value.own())).collect()
}
