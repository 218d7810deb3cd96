//! The extension module `halfsour._pickle`: CPython's objects on halfsour's core.
//!
//! Loads: bytes -> [`halfsour::Reader`] -> [`halfsour::Machine`] -> the Python heap in
//! [`unpickler`]. Dumps: objects -> the walker in [`pickler`] -> [`halfsour::Emitter`] -> bytes.
//! The walker keeps its own stack, so no graph is too deep for it.
//!
//! All `unsafe` is in [`ffi`]; what differs between versions of CPython is in [`version`].
#![deny(unsafe_code)]

#[allow(unsafe_code, reason = "the one place for it: see its documentation")]
mod ffi;
mod fields;
mod memo;
mod memory;
mod pickler;
mod signals;
mod state;
mod unpickler;
mod version;
