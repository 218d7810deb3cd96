//! Classes, functions, and whatever else is written as a name in a module.

use super::*;

impl Walker<'_> {
    pub(super) fn save_type(&mut self, obj: Obj) -> PyResult<()> {
        let singletons = [Object::none(), Object::ellipsis(), Object::not_implemented()];
        for singleton in singletons {
            if obj.is(singleton.type_of()) {
                let args = Tuple::from_items([singleton.own()])?.into_obj();
                return self.reduce_as(obj, [types::type_().own(), args]);
            }
        }
        self.save_global(obj, None)
    }

    /// Writes a class or a function by its name, if that can be found without running Python.
    pub(super) fn save_global_quietly(&mut self, obj: &Obj) -> PyResult<bool> {
        let (state, protocol) = (self.state, self.out.protocol());
        let is_for_us = state.layouts_known
            && state.imports_as_usual()
            && (protocol < 2 || state.extension_registry.len() == 0)
            && (protocol < 4 || self.may_stretch())
            && match obj.cast::<Type>() {
                Some(class) => plan::has_plain_metaclass(state, class),
                None => obj.is_function() || obj.is_builtin_function(),
            };
        let found = is_for_us.then(|| global::find_quietly(state, obj)).flatten();
        let Some((module_name, name)) = found else { return Ok(false) };
        if protocol < 4 {
            let global = Global { module_name, name: name.clone(), path: Vec::new(), parent: None };
            self.emit_global(global, name)?;
        } else {
            let are_short = [&module_name, &name].iter().all(|n| global::short_ascii(n).is_some());
            if !are_short {
                return Ok(false);
            }
            for name in [module_name, name] {
                self.save(name, false)?;
            }
            self.out.op(Opcode::StackGlobal);
        }
        self.memoize(obj.clone()).map(|()| true)
    }

    pub(super) fn save_global(&mut self, obj: Obj, name: Option<&Object>) -> PyResult<()> {
        let protocol = self.out.protocol();
        if name.is_none() && self.save_global_quietly(&obj)? {
            return Ok(());
        }
        let mut global = Global::find(self.state, &obj, name)?;
        if protocol >= 2
            && let Some(code) = global.extension_code(self.state, &obj)?
        {
            self.out.extension(code);
            return Ok(());
        }
        let at = if protocol >= 4 {
            // Up to 3.13 a name without dots is written as PyUnicode_Split gives it back.
            if !self.state.version.explains && global.path.len() == 1 {
                global.name = global.path[0].own();
            }
            GlobalAt::Module
        } else if self.state.version.chained_getattr {
            if global.path.len() == 1 {
                let name = global.path[0].own();
                self.emit_global(global, name)?;
                return self.memoize(obj);
            }
            GlobalAt::Getattr(1)
        } else if let (Some(parent), Some(last)) = (&global.parent, global.path.last()) {
            let args = Tuple::from_items([parent.clone(), last.own()])?.into_obj();
            let value = Tuple::from_items([self.state.builtins.getattr.object.clone(), args])?;
            self.deepen()?;
            self.push(Frame::Memoize(obj))?;
            return self.push(Frame::Reduce(Box::new(ReduceFrame {
                obj: None,
                value,
                reduction: None,
                noted: false,
                at: ReduceAt::Check,
                made: None,
                entered: false,
            })));
        } else {
            let name = global.path.last().map_or_else(|| global.name.clone(), |last| last.own());
            self.emit_global(global, name)?;
            return self.memoize(obj);
        };
        self.push(Frame::Global(Box::new(GlobalFrame { obj, global, at })))
    }

    /// GLOBAL
    fn emit_global(&mut self, mut global: Global, mut name: Obj) -> PyResult<()> {
        let protocol = self.out.protocol();
        if self.pickler.fix_imports.get() {
            global.fix_imports(self.state, &mut name)?;
        }
        let module = global::encode(self.state, protocol, "module", &global.module_name)?;
        let name = global::encode(self.state, protocol, "global", &name)?;
        self.out.global(module.as_slice(), name.as_slice());
        Ok(())
    }

    pub(super) fn step_global(&mut self) -> Step {
        let depth = self.frames.len();
        let protocol = self.out.protocol();
        loop {
            let Some(Frame::Global(frame)) = self.frames.last_mut() else { return Ok(()) };
            let parts = frame.global.path.len();
            let child = match frame.at {
                GlobalAt::Module => {
                    frame.at = GlobalAt::Name;
                    frame.global.module_name.clone()
                }
                GlobalAt::Name => {
                    frame.at = GlobalAt::Done;
                    frame.global.name.clone()
                }
                GlobalAt::Done => {
                    self.out.op(Opcode::StackGlobal);
                    return self.finish_global();
                }
                GlobalAt::Getattr(i) => {
                    if i > 1 && protocol < 2 {
                        self.out.op(Opcode::Mark);
                    }
                    if i < parts {
                        frame.at = GlobalAt::Getattr(i + 1);
                        self.state.builtins.getattr.object.clone()
                    } else {
                        frame.at = GlobalAt::Part(1);
                        let first = frame.global.path[0].own();
                        let global = Global {
                            module_name: frame.global.module_name.clone(),
                            name: first.clone(),
                            path: Vec::new(),
                            parent: None,
                        };
                        self.emit_global(global, first)?;
                        continue;
                    }
                }
                GlobalAt::Part(i) => {
                    if i > 1 {
                        self.out.op(if protocol < 2 { Opcode::Tuple } else { Opcode::Tuple2 });
                        self.out.op(Opcode::Reduce);
                    }
                    if i < parts {
                        frame.at = GlobalAt::Part(i + 1);
                        frame.global.path[i].own()
                    } else {
                        return self.finish_global();
                    }
                }
            };
            self.child(child)?;
            if self.frames.len() > depth {
                return Ok(());
            }
        }
    }

    fn finish_global(&mut self) -> Step {
        if let Some(Frame::Global(frame)) = self.frames.pop() {
            self.memoize(frame.obj)?;
        }
        Ok(())
    }
}
