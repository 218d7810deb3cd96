//! What `__reduce__` may return, and the complaints about everything else.
//!
//! Modules/_pickle.c: the first half of `save_reduce`.

use crate::ffi::error::{Part, raise, raise_parts};
use crate::ffi::{Dict, Obj, Object, Own, PyResult, Raised, Str, Tuple, Type};
use crate::state::State;

/// How the names of copyreg's `__newobj__` and `__newobj_ex__` end, and of few classes.
pub(super) const NEWOBJ_END: &[u8] = b"__";

/// A reduction that has been checked.
pub(super) struct Reduction {
    pub(super) construct: Construct,
    pub(super) state: Option<Obj>,
    pub(super) list_items: Option<Obj>,
    pub(super) dict_items: Option<Obj>,
    pub(super) state_setter: Option<Obj>,
}

/// How the object will be made.
pub(super) enum Construct {
    /// `callable(*args)`
    Call { callable: Obj, args: Own<Tuple> },
    /// `cls.__new__(cls, *args)`
    New { cls: Obj, args: Own<Tuple> },
    /// `cls.__new__(cls, *args, **kwargs)`
    NewEx(NewEx),
}

/// The class, the arguments and the keyword arguments of `__newobj_ex__`, in their tuple. They are
/// not owned one by one: `functools.partial` takes over keyword arguments that nobody else holds.
#[derive(Clone)]
pub(super) struct NewEx(Own<Tuple>);

impl NewEx {
    fn item(&self, index: usize) -> &Object {
        self.0.get(index).unwrap_or(Object::none())
    }

    pub(super) fn cls(&self) -> &Object {
        self.item(0)
    }

    pub(super) fn args(&self) -> &Object {
        self.item(1)
    }

    pub(super) fn kwargs(&self) -> &Object {
        self.item(2)
    }
}

impl Reduction {
    /// Checks what a reducer returned. `obj` is what it reduces, if anything.
    pub(super) fn new(
        state: &State,
        protocol: u8,
        value: &Tuple,
        obj: Option<&Object>,
    ) -> PyResult<Reduction> {
        let complaint = Complaint { state };
        if !(2..=6).contains(&value.len()) {
            return Err(raise(
                &state.pickling_error,
                "tuple returned by __reduce__ must contain 2 through 6 elements",
            ));
        }
        let item = |index| value.get(index).filter(|item| !item.is_none());
        let callable = value.get(0).unwrap_or(Object::none());
        if !callable.is_callable() {
            return Err(complaint.item("first", "item", "callable", "callable", None, callable));
        }
        let args = value.get(1).unwrap_or(Object::none());
        let Some(args) = args.cast::<Tuple>() else {
            return Err(complaint.item("second", "item", "a tuple", "a tuple", None, args));
        };
        let iterator = |index, nth: &str| match item(index) {
            Some(items) if !items.is_iterator() => {
                Err(complaint.item(nth, "element", "an iterator", "an iterator", Some(()), items))
            }
            items => Ok(items.map(Object::own)),
        };
        let list_items = iterator(3, "fourth")?;
        let dict_items = iterator(4, "fifth")?;
        let state_setter = item(5);
        if let Some(setter) = state_setter
            && !setter.is_callable()
        {
            return Err(complaint.item(
                "sixth",
                "element",
                "a function",
                "callable",
                Some(()),
                setter,
            ));
        }
        Ok(Reduction {
            construct: Construct::new(state, protocol, callable, args, obj)?,
            state: item(2).map(Object::own),
            list_items,
            dict_items,
            state_setter: state_setter.map(Object::own),
        })
    }
}

impl Construct {
    fn new(
        state: &State,
        protocol: u8,
        callable: &Object,
        args: &Tuple,
        obj: Option<&Object>,
    ) -> PyResult<Construct> {
        if protocol >= 2
            && !callable.is_class_named_otherwise(NEWOBJ_END)
            && let Some(name) = callable.opt_attr(&state.names.name)?
            && let Some(name) = name.cast::<Str>()
        {
            if name.equals("__newobj_ex__") {
                return Construct::new_ex(state, args);
            }
            if name.equals("__newobj__") {
                return Construct::newobj(state, args, obj);
            }
        }
        Ok(Construct::Call { callable: callable.own(), args: args.own_view() })
    }

    fn new_ex(state: &State, args: &Tuple) -> PyResult<Construct> {
        let complaint = Complaint { state };
        let (3, Some(cls), Some(newargs), Some(kwargs)) =
            (args.len(), args.get(0), args.get(1), args.get(2))
        else {
            return Err(complaint.count(
                "length of the NEWOBJ_EX argument tuple must be exactly 3, not {}",
                "__newobj_ex__ expected 3 arguments, got {}",
                args.len(),
            ));
        };
        if cls.cast::<Type>().is_none() {
            return Err(complaint.newobj_ex("first", "a class", cls));
        }
        if newargs.cast::<Tuple>().is_none() {
            return Err(complaint.newobj_ex("second", "a tuple", newargs));
        }
        if kwargs.cast::<Dict>().is_none() {
            return Err(complaint.newobj_ex("third", "a dict", kwargs));
        }
        Ok(Construct::NewEx(NewEx(args.own_view())))
    }

    fn newobj(state: &State, args: &Tuple, obj: Option<&Object>) -> PyResult<Construct> {
        let complaint = Complaint { state };
        let Some(cls) = args.get(0) else {
            return Err(if state.version.explains {
                complaint.count("", "__newobj__ expected at least 1 argument, got {}", 0)
            } else {
                raise(&state.pickling_error, "__newobj__ arglist is empty")
            });
        };
        if cls.cast::<Type>().is_none() {
            return Err(if state.version.explains {
                raise_parts(
                    &state.pickling_error,
                    "first argument to __newobj__() must be a class, not {}",
                    &[Part::TypeOf(cls)],
                )
            } else {
                raise(&state.pickling_error, "args[0] from __newobj__ args is not a type")
            });
        }
        if let Some(obj) = obj {
            let class = match obj.opt_attr(&state.names.class)? {
                Some(class) => class,
                None => obj.type_of().own(),
            };
            if !class.is(cls) {
                return Err(if state.version.explains {
                    raise_parts(
                        &state.pickling_error,
                        "first argument to __newobj__() must be {}, not {}",
                        &[Part::Repr(&class), Part::Repr(cls)],
                    )
                } else {
                    raise(&state.pickling_error, "args[0] from __newobj__ args has the wrong class")
                });
            }
        }
        Ok(Construct::New { cls: cls.own(), args: args.slice_from(1)? })
    }
}

/// The two wordings of complaints: up to 3.13, and since.
struct Complaint<'a> {
    state: &'a State,
}

impl Complaint<'_> {
    /// An item of the tuple is not what it must be. The old wording differs in its noun and its
    /// demand, and names the culprit's type only for some items.
    #[cold]
    fn item(
        &self,
        nth: &str,
        old_noun: &str,
        old_demand: &str,
        demand: &str,
        old_names_type: Option<()>,
        culprit: &Object,
    ) -> Raised {
        let class = &self.state.pickling_error;
        if self.state.version.explains {
            return raise_parts(
                class,
                "{} item of the tuple returned by __reduce__ must be {}, not {}",
                &[Part::Text(nth), Part::Text(demand), Part::TypeOf(culprit)],
            );
        }
        let start =
            format!("{nth} {old_noun} of the tuple returned by __reduce__ must be {old_demand}");
        match old_names_type {
            // "%s": the name is not cut
            Some(()) => {
                let name = String::from_utf8_lossy(culprit.type_of().tp_name()).into_owned();
                raise(class, &format!("{start}, not {name}"))
            }
            None => raise(class, &start),
        }
    }

    #[cold]
    fn newobj_ex(&self, nth: &str, demand: &str, culprit: &Object) -> Raised {
        let class = &self.state.pickling_error;
        if self.state.version.explains {
            raise_parts(
                class,
                "{} argument to __newobj_ex__() must be {}, not {}",
                &[Part::Text(nth), Part::Text(demand), Part::TypeOf(culprit)],
            )
        } else {
            raise_parts(
                class,
                "{} item from NEWOBJ_EX argument tuple must be {}, not {}",
                &[Part::Text(nth), Part::Text(demand), Part::TypeName(culprit)],
            )
        }
    }

    #[cold]
    fn count(&self, old: &str, new: &str, count: usize) -> Raised {
        let template = if self.state.version.explains { new } else { old };
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        raise_parts(&self.state.pickling_error, template, &[Part::Int(count)])
    }
}
