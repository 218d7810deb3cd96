//! Objects that Python is asked about: reducers, dispatch tables, and the hooks that a plan knows.

use super::*;

impl Walker<'_> {
    /// The hook by which an object's plan has it written; no Python has run since a stretch ended.
    pub(super) fn hook(&self, obj: &Object) -> Option<Hook> {
        let table = self.plain_dispatch_table()?;
        let mut plans = self.state.plans.borrow_mut();
        let hook = plans.hook(self.state, &table, obj)?;
        // What else is asked before protocol 2 is `copyreg._reduce_ex`.
        let is_asked_always = matches!(hook, Hook::Dispatch(_) | Hook::Reduce);
        (is_asked_always || self.out.protocol() >= 2).then_some(hook)
    }

    /// What `copyreg._reduce_ex` returns for an instance, by which protocols 0 and 1 write it; None
    /// where it has to be asked.
    fn reduced_as_of_old(&self, obj: &Object) -> PyResult<Option<Obj>> {
        if self.out.protocol() >= 2 || !self.state.layouts_known {
            return Ok(None);
        }
        let Some(table) = self.plain_dispatch_table() else { return Ok(None) };
        let mut plans = self.state.plans.borrow_mut();
        plans.begin();
        let found = plans.reconstruction(self.state, &table, obj);
        drop(plans);
        let Some((function, base)) = found else { return Ok(None) };
        let content = match obj.cast::<Tuple>() {
            Some(tuple) => tuple.slice_from(0)?.into_obj(),
            None => Object::none().own(),
        };
        let args = Tuple::from_items([obj.type_of().own(), base.own(), content])?.into_obj();
        let reduced = if obj.has_attributes() {
            Tuple::from_items([function.clone(), args, obj.instance_dict()?])?
        } else {
            Tuple::from_items([function.clone(), args])?
        };
        Ok(Some(reduced.into_obj()))
    }

    /// Writes an instance by what its one hook returns; `object.__reduce_ex__`, which is not
    /// overridden, would do nothing else.
    pub(super) fn save_by_hook(&mut self, obj: Obj, hook: Hook) -> PyResult<()> {
        let names = &self.state.names;
        match hook {
            Hook::Dispatch(reducer) => {
                let reduced = reducer.call1(&obj)?;
                self.save_reduced(obj, reduced)
            }
            Hook::Reduce => {
                let reduced = call_hook(&obj, &names.reduce)?;
                self.save_reduced(obj, reduced)
            }
            Hook::NewArgs { has_getstate } => self.save_by_newargs(obj, has_getstate),
            Hook::GetState => {
                let (class, version) = (obj.type_of().own(), obj.type_of().version_tag());
                let state = call_hook(&obj, &names.getstate)?;
                if !is_as_it_was(&obj, &class, version) {
                    let newobj = self.state.copyreg_newobj()?;
                    return self.save_as_newobj(obj, newobj, class, None, state);
                }
                let at_once = Instance {
                    obj: &obj,
                    class: &class,
                    args: None,
                    made_by: Opcode::NewObj,
                    state: Some(&*state).filter(|state| !state.is_none()),
                    is_fresh: self.this.is_none(),
                };
                if self.write_at_once(&at_once)? {
                    return Ok(());
                }
                self.begin_planned(obj, PlannedAt::BeforeClass, state)
            }
        }
    }

    /// Leaves a frame for an object. The class or the function that comes first is not written here: it
    /// may be reduced in turn, to a call of what is reduced too, and so on.
    pub(super) fn begin_planned(&mut self, obj: Obj, at: PlannedAt, state: Obj) -> PyResult<()> {
        self.deepen()?;
        self.push(Frame::Planned(PlannedFrame { obj, at, state: Some(state), counted: true }))
    }

    /// Objects/typeobject.c: `reduce_newobj`, for an instance with `__getnewargs__` that is neither a
    /// list nor a dict.
    fn save_by_newargs(&mut self, obj: Obj, has_getstate: bool) -> PyResult<()> {
        let names = &self.state.names;
        let Some(getnewargs) = obj.type_of().lookup(&names.getnewargs).map(Object::own) else {
            return self.save_itself(obj);
        };
        let args = getnewargs.call1(&obj)?;
        let Some(args) = args.cast::<Tuple>() else {
            let message = "__getnewargs__ should return a tuple, not '{}'";
            return Err(raise_parts(&Exc::TypeError, message, &[Part::TypeName(&args)]));
        };
        let newobj = self.state.copyreg_newobj()?;
        let class = obj.type_of().own();
        // What is written is never the tuple itself.
        let args =
            Tuple::from_items(args.items().iter().map(|item| item.own()).collect::<Vec<_>>())?;
        self.state.plans.borrow_mut().begin();
        let still_planned = match self.hook(&obj) {
            Some(Hook::NewArgs { has_getstate: still }) => still == has_getstate,
            _ => false,
        };
        let version = obj.type_of().version_tag();
        let state = if has_getstate || !still_planned {
            obj.call_method0(&names.getstate)?
        } else if obj.has_attributes() {
            obj.instance_dict()?
        } else {
            Object::none().own()
        };
        let at_once = Instance {
            obj: &obj,
            class: &class,
            args: Some(&args),
            made_by: Opcode::NewObj,
            state: Some(&*state).filter(|state| !state.is_none()),
            is_fresh: self.this.is_none(),
        };
        if still_planned
            && is_as_it_was(&obj, &class, version)
            && self.state.is_known_newobj(&newobj)
            && self.write_at_once(&at_once)?
        {
            return Ok(());
        }
        self.save_as_newobj(obj, newobj, class, Some(&args), state)
    }

    /// Writes an instance by what `object.__reduce_ex__` returns.
    fn save_as_newobj(
        &mut self,
        obj: Obj,
        newobj: Obj,
        class: Obj,
        args: Option<&Tuple>,
        state: Obj,
    ) -> PyResult<()> {
        let items = args.map_or(&[][..], Tuple::items).iter().map(|item| item.own());
        let args = std::iter::once(class).chain(items).collect::<Vec<_>>();
        let args = Tuple::from_items(args)?.into_obj();
        let none = Object::none().own();
        let reduced = Tuple::from_items([newobj, args, state, none.clone(), none])?;
        self.save_reduced(obj, reduced.into_obj())
    }

    /// The dispatch table, where plans may be used: it is a plain dict, and nobody overrides it.
    pub(super) fn plain_dispatch_table(&self) -> Option<Own<Dict>> {
        if self.reducer_override.is_some() {
            return None;
        }
        match self.pickler.dispatch_table.get() {
            None => Some(self.state.dispatch_table.clone()),
            Some(table) => table.cast_exact::<Dict>().map(Dict::own_view),
        }
    }

    /// Everything that is not built in: classes, functions, and whatever can reduce itself.
    #[inline(never)]
    pub(super) fn save_other(&mut self, obj: Obj, kind: Kind) -> PyResult<()> {
        if let Some(reducer_override) = self.reducer_override.clone() {
            let reduced = reducer_override.call1(&obj)?;
            if !reduced.is(Object::not_implemented()) {
                return self.save_reduced(obj, reduced);
            }
        }
        match kind {
            Kind::Type => return self.save_type(obj),
            Kind::Function => return self.save_global(obj, None),
            _ => {}
        }
        // What a builtin function reduces itself to is its name.
        if obj.is_builtin_function()
            && self
                .plain_dispatch_table()
                .is_some_and(|table| self.state.layouts_known && !plan::has(&table, obj.type_of()))
            && self.save_global_quietly(&obj)?
        {
            return Ok(());
        }
        let ty = obj.type_of().own();
        let reducer = match self.pickler.dispatch_table.get() {
            None => self.state.dispatch_table.get(&ty)?,
            Some(table) => lookup(&table, &ty)?,
        };
        let reduced = if let Some(reducer) = reducer {
            reducer.call1(&obj)?
        } else if obj.type_of().is_metaclass() {
            return self.save_global(obj, None);
        } else if let Some(reduced) = self.reduced_as_of_old(&obj)? {
            reduced
        } else if self.state.layouts_known && obj.has_method(&self.state.names.reduce_ex) {
            let protocol = &self.state.byte_ints[usize::from(self.out.protocol())];
            obj.call_method1(&self.state.names.reduce_ex, protocol)?
        } else if let Some(reduce_ex) = obj.opt_attr(&self.state.names.reduce_ex)? {
            reduce_ex.call1(&*Int::new(i64::from(self.out.protocol()))?)?
        } else if let Some(reduce) = obj.opt_attr(&self.state.names.reduce)? {
            reduce.call0()?
        } else if self.state.version.explains {
            return Err(raise_parts(
                &self.state.pickling_error,
                "Can't pickle {} object",
                &[Part::TypeOf(&obj)],
            ));
        } else {
            return Err(raise_parts(
                &self.state.pickling_error,
                "can't pickle '{}' object: {}",
                &[Part::TypeName(&obj), Part::Repr(&obj)],
            ));
        };
        self.save_reduced(obj, reduced)
    }

    /// What an instance was waiting for is written.
    pub(super) fn step_planned(&mut self) -> Step {
        let Some(Frame::Planned(frame)) = self.frames.last_mut() else { return Ok(()) };
        let (obj, at) = (frame.obj.clone(), frame.at);
        match at {
            PlannedAt::BeforeClass => {
                frame.at = PlannedAt::Class;
                return self.child(obj.type_of().own());
            }
            PlannedAt::BeforeCallable => {
                frame.at = PlannedAt::Callable;
                let reduced = frame.state.as_ref().and_then(|state| state.cast::<Tuple>());
                if let Some(callable) = reduced.and_then(|reduced| reduced.get(0)).map(Object::own)
                {
                    return self.child(callable);
                }
            }
            PlannedAt::Class => {
                frame.at = PlannedAt::State;
                let state = frame.state.take().filter(|state| !state.is_none());
                self.edge()?;
                self.out.ops([Opcode::EmptyTuple, Opcode::NewObj]);
                self.memoize(obj)?;
                if let Some(state) = state {
                    return self.child_made(state, None);
                }
            }
            PlannedAt::State => self.out.op(Opcode::Build),
            PlannedAt::Callable => {
                frame.at = PlannedAt::Arguments;
                if let Some(reduced) = frame.state.take() {
                    return self.child_made(reduced, Some(1));
                }
            }
            PlannedAt::Arguments => {
                frame.at = PlannedAt::State;
                let reduced = frame.state.take();
                self.out.op(Opcode::Reduce);
                if self.memoize_made(&obj)?
                    && let Some(reduced) = reduced
                    && let Some(state) = reduced.cast::<Tuple>().and_then(|tuple| tuple.get(2))
                    && !state.is_none()
                {
                    return self.child_made(reduced, Some(2));
                }
            }
            PlannedAt::NewArguments => {
                self.out.op(Opcode::NewObj);
                self.memoize_made(&obj)?;
            }
        }
        // Dropping the state may run Python: the frame is gone by then.
        if let Some(Frame::Planned(frame)) = self.frames.pop()
            && frame.counted
        {
            self.depth -= 1;
        }
        Ok(())
    }
}

/// Calls a method in Python that the object's class has, and no attribute hides.
fn call_hook(obj: &Object, name: &Object) -> PyResult<Obj> {
    match obj.type_of().lookup(name).map(Object::own) {
        Some(hook) => hook.call1(obj),
        None => obj.call_method0(name),
    }
}

/// Whether an object is still of this class, and the class what it was.
fn is_as_it_was(obj: &Object, class: &Object, version: u32) -> bool {
    version != 0 && obj.type_of().as_obj().is(class) && obj.type_of().version_tag() == version
}

/// A private dispatch table's reducer for a type: any mapping will do.
/// Objects/abstract.c: `PyMapping_GetOptionalItem`
fn lookup(table: &Object, ty: &Object) -> PyResult<Option<Obj>> {
    // Before 3.13 a dict was asked like any mapping: a KeyError of `__hash__` means "not there".
    if cfg!(Py_3_13)
        && let Some(dict) = table.cast_exact::<Dict>()
    {
        return dict.get(ty);
    }
    match table.item(ty) {
        Ok(reducer) => Ok(Some(reducer)),
        Err(Raised) if error::matches(&Exc::KeyError) => {
            error::clear();
            Ok(None)
        }
        Err(Raised) => Err(Raised),
    }
}
