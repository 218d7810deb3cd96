//! CPython's C API behind safe, owned, typed references. Every `unsafe` of the extension is here.
//!
//! What makes the safe functions of this module safe:
//!
//! 1. **The GIL is held.** All code of this crate runs below an entry point that the interpreter
//!    calls ([`module`], [`class`]); nothing here releases the GIL, starts a thread or hands an
//!    [`Obj`] to one (`Obj` is neither `Send` nor `Sync`).
//! 2. **References are counted.** [`Obj`] owns a reference and gives it back when dropped; `&Object`
//!    borrows one for a lifetime that its owner outlives. Containers hand out owned references,
//!    except tuples, which cannot change under a borrow.
//! 3. **No borrow of the inside of an object survives a call that may run Python.** A function that
//!    returns a slice into an object takes that object by reference, and callers finish with the
//!    slice before they call out; where user code could change the memory meanwhile, the bytes are
//!    copied first.
//! 4. **Typed views are checked.** `List`, `Tuple`, `Dict`, … exist only behind a type check.
//!
//! Dropping an `Obj` may run a finaliser, that is, arbitrary Python: never drop one while a
//! `RefCell` of a pickler or an unpickler is borrowed.
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a call of C and the ownership of its result are one thought with one proof"
)]

pub(crate) mod args;
pub(crate) mod buffer;
pub(crate) mod builtins;
pub(crate) mod class;
pub(crate) mod collector;
pub(crate) mod datetime;
pub(crate) mod error;
pub(crate) mod keep;
pub(crate) mod layout;
pub(crate) mod make;
pub(crate) mod module;
pub(crate) mod object;
pub(crate) mod output;
pub(crate) mod recall;
pub(crate) mod stack;
mod symbols;

pub(crate) use builtins::{
    AnySet, ByteArray, Bytes, Dict, Float, Int, List, Set, Str, Tuple, Type, types,
};
pub(crate) use error::{PyResult, Raised};
pub(crate) use object::{Kind, Obj, Object, Own};
