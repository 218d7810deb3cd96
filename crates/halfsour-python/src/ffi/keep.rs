//! Objects that are kept alive for a while.

use super::object::{Obj, Object};
use std::cell::RefCell;

/// Owns references until it is dropped. Dropping it may run finalisers.
#[derive(Default)]
pub(crate) struct Keep(RefCell<Vec<Obj>>);

impl Keep {
    /// Keeps an object, and lends it for as long.
    pub(crate) fn hold(&self, object: Obj) -> &Object {
        let ptr = object.as_ptr();
        self.0.borrow_mut().push(object);
        // SAFETY: references are only added: the object is alive as long as `self` is.
        unsafe { Object::from_ptr(ptr) }
    }
}
