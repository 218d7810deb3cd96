//! Persistent ids: how an Unpickler comes by its `persistent_load`.
//!
//! From 3.13 on it is a method that every load looks up anew, and that an attribute of the instance
//! hides. Before, it is an attribute only, which `__init__` looks up.

use super::Unpickler;
use crate::ffi::class::{MemberObject, Visitor};
use crate::ffi::error::{Raised, raise};
use crate::ffi::{Obj, Object, PyResult};
use crate::state::State;
use halfsour::ErrorKind;
#[cfg(not(Py_3_13))]
use std::cell::Cell;
use std::ffi::c_int;
use std::ops::ControlFlow;

/// An Unpickler's `persistent_load`, as far as the instance has it.
pub(super) struct Persistent {
    /// From 3.13 on an attribute of the instance; before, what `__init__` found or was assigned.
    function: MemberObject,
    /// Whether `function` was a method bound to the Unpickler, unbound to avoid a cycle.
    #[cfg(not(Py_3_13))]
    is_method: Cell<bool>,
}

impl Persistent {
    pub(super) fn new() -> Persistent {
        Persistent {
            function: MemberObject::empty(),
            #[cfg(not(Py_3_13))]
            is_method: Cell::new(false),
        }
    }

    pub(super) fn visit(&self, visitor: &mut Visitor<'_>) -> ControlFlow<c_int> {
        self.function.visit(visitor)
    }

    pub(super) fn clear(&self) {
        self.function.set(None);
    }
}

/// The error of an id that nobody resolves.
#[cold]
pub(super) fn unresolved(state: &State) -> Raised {
    let text = ErrorKind::NoPersistentLoad.to_string();
    if state.version.persistent_error_wraps {
        raise(&state.unpickling_error, &text.replace(", but", ",\nbut"))
    } else {
        raise(&state.unpickling_error, &text)
    }
}

#[cfg(Py_3_13)]
mod versioned {
    use super::*;
    use crate::ffi::Str;
    use crate::ffi::args::Arguments;

    impl Persistent {
        pub(in super::super) fn init(&self, _state: &State, _this: &Object) -> PyResult<()> {
            Ok(())
        }
    }

    /// What one load calls; None where that is the base class's method, which only raises.
    pub(in super::super) struct Loader(Option<Obj>);

    impl Loader {
        pub(in super::super) fn new(
            state: &State,
            unpickler: &Unpickler,
            this: Option<&Object>,
        ) -> PyResult<Loader> {
            Ok(Loader(match this {
                None => None,
                Some(this)
                    if this.type_of().is(&state.types.unpickler)
                        || state.inherits(
                            this,
                            &state.types.unpickler,
                            &state.names.persistent_load,
                        ) =>
                {
                    unpickler.persistent.function.get()
                }
                Some(this) => Some(this.attr(&state.names.persistent_load)?),
            }))
        }

        /// Whether ids are worth reading: the method will say.
        pub(in super::super) fn ready(&self, _: &State, _: &Unpickler) -> PyResult<()> {
            Ok(())
        }

        pub(in super::super) fn load(
            &self,
            state: &State,
            _: &Unpickler,
            pid: &Object,
        ) -> PyResult<Obj> {
            match &self.0 {
                Some(method) => method.call1(pid),
                None => Err(unresolved(state)),
            }
        }
    }

    /// `Unpickler.persistent_load(pid, /)`
    pub(crate) fn base_persistent_load(
        state: &State,
        _this: &Object,
        _unpickler: &Unpickler,
        args: Arguments<'_>,
    ) -> PyResult<Obj> {
        args.only("Unpickler.persistent_load", "persistent_load")?;
        Err(unresolved(state))
    }

    fn is_persistent_load(name: &Object) -> bool {
        name.cast::<Str>().is_some_and(|name| name.equals("persistent_load"))
    }

    /// The instance's own attribute of that name.
    pub(crate) fn instance_attribute(unpickler: &Unpickler, name: &Object) -> Option<Obj> {
        if is_persistent_load(name) { unpickler.persistent.function.get() } else { None }
    }

    /// Sets or deletes the instance's own attribute; false if it has none of that name.
    pub(crate) fn set_instance_attribute(
        unpickler: &Unpickler,
        name: &Object,
        value: Option<&Object>,
    ) -> bool {
        let ours = is_persistent_load(name);
        if ours {
            unpickler.persistent.function.set(value.map(Object::own));
        }
        ours
    }
}

#[cfg(not(Py_3_13))]
mod versioned {
    use super::*;
    use crate::ffi::error::{Exc, raise_object};
    use crate::ffi::module::{bind, unbind};

    impl Persistent {
        pub(in super::super) fn init(&self, state: &State, this: &Object) -> PyResult<()> {
            let (base, name) = (&state.types.unpickler, &state.names.persistent_load);
            // Asking for what is not there would make an exception, asking for a method a bound one.
            if self.function.is_empty() && state.inherits(this, base, name) {
                return Ok(());
            }
            if let Some(Some(method)) = state.class_decides(this, base, name)
                && method.is_function()
            {
                self.is_method.set(true);
                self.function.set(Some(method.own()));
                return Ok(());
            }
            let found = this.opt_attr(name);
            let method = found.as_ref().ok().and_then(Option::as_ref);
            let function = method.and_then(|method| unbind(method, this));
            self.is_method.set(function.is_some());
            self.function.set(function.or_else(|| method.cloned()));
            found.map(drop)
        }
    }

    /// What one load calls: what the Unpickler has at the time.
    pub(in super::super) struct Loader(Option<Obj>);

    impl Loader {
        pub(in super::super) fn new(
            _state: &State,
            _unpickler: &Unpickler,
            this: Option<&Object>,
        ) -> PyResult<Loader> {
            Ok(Loader(this.map(Object::own)))
        }

        /// Whether ids are worth reading.
        pub(in super::super) fn ready(&self, state: &State, unpickler: &Unpickler) -> PyResult<()> {
            match unpickler.persistent.function.get() {
                Some(_) => Ok(()),
                None => Err(unresolved(state)),
            }
        }

        pub(in super::super) fn load(
            &self,
            state: &State,
            unpickler: &Unpickler,
            pid: &Object,
        ) -> PyResult<Obj> {
            let persistent = &unpickler.persistent;
            match (persistent.function.get(), &self.0) {
                (None, _) => Err(unresolved(state)),
                (Some(function), Some(this)) if persistent.is_method.get() => {
                    function.call2(this, pid)
                }
                (Some(function), _) => function.call1(pid),
            }
        }
    }

    /// `Unpickler.persistent_load`
    pub(crate) fn get_persistent_load(
        state: &State,
        this: &Object,
        unpickler: &Unpickler,
    ) -> PyResult<Obj> {
        let persistent = &unpickler.persistent;
        match persistent.function.get() {
            None => Err(raise_object(&Exc::AttributeError, &state.names.persistent_load)),
            Some(function) if persistent.is_method.get() => bind(&function, this),
            Some(function) => Ok(function),
        }
    }

    /// `Unpickler.persistent_load = value`
    pub(crate) fn set_persistent_load(
        _state: &State,
        _this: &Object,
        unpickler: &Unpickler,
        value: Option<&Object>,
    ) -> PyResult<()> {
        let Some(value) = value else {
            return Err(raise(&Exc::TypeError, "attribute deletion is not supported"));
        };
        if !value.is_callable() {
            let text = "persistent_load must be a callable taking one argument";
            return Err(raise(&Exc::TypeError, text));
        }
        unpickler.persistent.is_method.set(false);
        unpickler.persistent.function.set(Some(value.own()));
        Ok(())
    }
}

pub(super) use versioned::Loader;
#[cfg(Py_3_13)]
pub(crate) use versioned::{base_persistent_load, instance_attribute, set_instance_attribute};
#[cfg(not(Py_3_13))]
pub(crate) use versioned::{get_persistent_load, set_persistent_load};
