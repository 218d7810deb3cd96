//! What `__reduce__` and other reducers return.

use super::*;

impl Walker<'_> {
    /// Writes an object by what its reducer returned.
    pub(super) fn save_reduced(&mut self, obj: Obj, reduced: Obj) -> PyResult<()> {
        if reduced.cast::<Str>().is_some() {
            return self.save_global(obj, Some(&reduced));
        }
        match reduced.cast::<Tuple>() {
            Some(tuple) if self.is_plain_call(tuple) => {
                let Some(callable) = tuple.get(0).map(Object::own) else { return Ok(()) };
                let at_once = Instance {
                    obj: &obj,
                    class: &callable,
                    args: tuple.get(1),
                    made_by: Opcode::Reduce,
                    state: tuple.get(2).filter(|state| !state.is_none()),
                    is_fresh: self.this.is_none() && reduced.is_unshared(),
                };
                if self.write_at_once(&at_once)? {
                    return Ok(());
                }
                self.begin_planned(obj, PlannedAt::BeforeCallable, reduced)
            }
            Some(tuple) => self.push_reduce(Some(obj), tuple.own_view(), true),
            None => {
                let class = &self.state.pickling_error;
                if self.state.version.explains {
                    raise_parts(
                        class,
                        "__reduce__ must return a string or tuple, not {}",
                        &[Part::TypeOf(&reduced)],
                    );
                    error::add_note("when serializing {} object", &[Part::TypeOf(&obj)]);
                    return Err(Raised);
                }
                Err(raise(class, "__reduce__ must return a string or tuple"))
            }
        }
    }

    /// Whether a reduction is a class or a function and its arguments, perhaps with a state: most are,
    /// and need no further look. Before protocol 2 the name of a function does not matter.
    fn is_plain_call(&self, reduced: &Tuple) -> bool {
        let is_plain = |callable: &Object| {
            callable.is_class_named_otherwise(NEWOBJ_END)
                || (callable.is_function() || callable.is_builtin_function())
                    && (self.out.protocol() < 2
                        || callable
                            .is_function_named_otherwise(&self.state.names.name, b"__newobj"))
        };
        matches!(reduced.len(), 2 | 3)
            && reduced.get(0).is_some_and(is_plain)
            && reduced.get(1).is_some_and(|args| args.cast::<Tuple>().is_some())
    }

    /// Writes an object as `callable(*args)`, on the pickler's own account.
    pub(super) fn reduce_as(&mut self, obj: Obj, reduced: [Obj; 2]) -> PyResult<()> {
        let at_once = Instance {
            obj: &obj,
            class: &reduced[0],
            args: Some(&reduced[1]),
            made_by: Opcode::Reduce,
            state: None,
            is_fresh: self.this.is_none(),
        };
        if self.write_at_once(&at_once)? {
            return Ok(());
        }
        let value = Tuple::from_items(reduced)?;
        self.push_reduce(Some(obj), value, false)
    }

    fn push_reduce(&mut self, obj: Option<Obj>, value: Own<Tuple>, noted: bool) -> PyResult<()> {
        self.deepen()?;
        self.push(Frame::Reduce(Box::new(ReduceFrame {
            obj,
            value,
            reduction: None,
            noted,
            at: ReduceAt::Check,
            made: None,
            entered: false,
        })))
    }

    pub(super) fn step_reduce(&mut self) -> Step {
        let depth = self.frames.len();
        loop {
            let Some(Frame::Reduce(frame)) = self.frames.last_mut() else { return Ok(()) };
            let Some(reduction) = &frame.reduction else {
                let (value, obj) = (frame.value.clone(), frame.obj.clone());
                let protocol = self.out.protocol();
                let reduction = Reduction::new(self.state, protocol, &value, obj.as_deref())?;
                if let Some(Frame::Reduce(frame)) = self.frames.last_mut() {
                    frame.reduction = Some(reduction);
                }
                continue;
            };
            use ReduceAt as At;
            // What is to be written next, and where the frame is while it is.
            let (child, at) = match (frame.at, &reduction.construct) {
                (At::Check, Construct::Call { callable, .. }) => (callable.clone(), At::Callable),
                (At::Callable, Construct::Call { args, .. }) => (args.own(), At::Arguments),
                (At::Check, Construct::New { cls, .. }) => (cls.clone(), At::Class),
                (At::Class, Construct::New { args, .. }) => (args.own(), At::NewArguments),
                (At::Check, Construct::NewEx(new)) => {
                    if self.out.protocol() >= 4 {
                        (new.cls().own(), At::Class)
                    } else {
                        let new = new.clone();
                        let partial = self.partial(&new)?;
                        if let Some(Frame::Reduce(frame)) = self.frames.last_mut() {
                            frame.made = Some(partial.clone());
                        }
                        (partial, At::Partial)
                    }
                }
                (At::Class, Construct::NewEx(new)) => (new.args().own(), At::NewArguments),
                (At::NewArguments, Construct::NewEx(new)) => (new.kwargs().own(), At::NewKeywords),
                (At::Partial, _) => (empty_tuple()?, At::PartialArguments),
                (At::Arguments | At::PartialArguments, _) => {
                    self.out.op(Opcode::Reduce);
                    return self.constructed();
                }
                (At::NewArguments, _) => {
                    self.out.op(Opcode::NewObj);
                    return self.constructed();
                }
                (At::NewKeywords, _) => {
                    self.out.op(Opcode::NewObjEx);
                    return self.constructed();
                }
                (At::ListItems, _) => return self.dict_items(),
                (At::DictItems, _) => match self.state_child() {
                    Some(next) => next,
                    None => return self.finish_reduce(),
                },
                (At::State, _) => {
                    self.out.op(Opcode::Build);
                    return self.finish_reduce();
                }
                (At::Setter, _) => match frame.obj.clone() {
                    Some(obj) => (obj, At::SetterObject),
                    None => return self.finish_reduce(),
                },
                (At::SetterObject, _) => match reduction.state.clone() {
                    Some(state) => (state, At::SetterState),
                    None => return self.finish_reduce(),
                },
                (At::SetterState, _) => {
                    // The call's result is dropped: the object stays on top.
                    self.out.op(Opcode::Tuple2);
                    self.out.op(Opcode::Reduce);
                    self.out.op(Opcode::Pop);
                    return self.finish_reduce();
                }
                (At::Callable | At::Class, _) => return self.finish_reduce(),
            };
            if let Some(Frame::Reduce(frame)) = self.frames.last_mut() {
                frame.at = at;
            }
            self.child(child)?;
            if self.frames.len() > depth {
                return Ok(());
            }
        }
    }

    /// `functools.partial(cls.__new__, cls, *args, **kwargs)`: how protocols 2 and 3 give keyword
    /// arguments to `__new__`.
    fn partial(&self, new: &NewEx) -> PyResult<Obj> {
        let (Some(args), Some(kwargs)) = (new.args().cast::<Tuple>(), new.kwargs().cast::<Dict>())
        else {
            return Err(raise(&Exc::SystemError, "__newobj_ex__ was checked"));
        };
        let mut items = vec![new.cls().attr(&self.state.names.new)?, new.cls().own()];
        items.extend((0..args.len()).filter_map(|i| args.get(i)).map(Object::own));
        let items = Tuple::from_items(items)?;
        self.state.partial.call(&items, kwargs)
    }

    /// The object can be made: memoize it, then its list items.
    fn constructed(&mut self) -> Step {
        let Some(Frame::Reduce(frame)) = self.frames.last_mut() else { return Ok(()) };
        // What was made for this frame is written; nothing refers to it any more.
        let made = frame.made.take();
        let obj = frame.obj.clone();
        let items = frame.reduction.as_ref().and_then(|r| r.list_items.clone());
        frame.at = ReduceAt::ListItems;
        drop(made);
        if let Some(obj) = &obj
            && !self.memoize_made(obj)?
        {
            return self.finish_reduce();
        }
        if let Some(items) = items {
            let owner = obj.unwrap_or_else(|| Object::none().own());
            self.push(Frame::ListItems(Box::new(ItemsFrame::new(owner, Some(items), false))))?;
        }
        Ok(())
    }

    fn dict_items(&mut self) -> Step {
        let Some(Frame::Reduce(frame)) = self.frames.last_mut() else { return Ok(()) };
        frame.at = ReduceAt::DictItems;
        let items = frame.reduction.as_ref().and_then(|r| r.dict_items.clone());
        if let Some(items) = items {
            let owner = frame.obj.clone().unwrap_or_else(|| Object::none().own());
            self.push(Frame::DictItems(Box::new(ItemsFrame::new(owner, Some(items), false))))?;
        }
        Ok(())
    }

    fn state_child(&self) -> Option<(Obj, ReduceAt)> {
        let Some(Frame::Reduce(frame)) = self.frames.last() else { return None };
        let reduction = frame.reduction.as_ref()?;
        let state = reduction.state.clone()?;
        match reduction.state_setter.clone() {
            Some(setter) => Some((setter, ReduceAt::Setter)),
            None => Some((state, ReduceAt::State)),
        }
    }

    fn finish_reduce(&mut self) -> Step {
        self.depth -= 1;
        // Dropping what the reducer returned may run Python: the frame is gone by then.
        if let Some(Frame::Reduce(frame)) = self.frames.pop()
            && let (true, Some(obj)) = (frame.entered, &frame.obj)
        {
            self.pickler.cycles.leave(obj)?;
        }
        Ok(())
    }
}
