//! Classes, functions, instances: what has a name, and what is made by calling it.

use super::{Done, ToPickle, Writer};
use crate::compat;
use crate::emitter::Emitter;
use crate::error::{Error, ErrorKind, Shown};
use crate::opcode::Opcode;

/// A class or a function, known by its module and its qualified name.
///
/// ```
/// use halfsour::Global;
/// let data = halfsour::to_vec(&Global::new("collections", "OrderedDict"))?;
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Global<'n> {
    module: &'n str,
    name: &'n str,
}

impl<'n> Global<'n> {
    /// As Python 3 knows it.
    ///
    /// ```
    /// use halfsour::{Global, Pickler};
    /// const POINT: Global<'_> = Global::new("app", "Point");
    /// assert_eq!(Pickler::new().protocol(2).to_vec(&POINT)?, b"\x80\x02capp\nPoint\nq\0.");
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    pub const fn new(module: &'n str, name: &'n str) -> Global<'n> {
        Global { module, name }
    }
}

impl ToPickle for Global<'_> {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.global(self.module, self.name)
    }
}

/// A class's `__new__`, as an attribute.
struct New<'c, C: ?Sized>(&'c C);

impl<C: ToPickle + ?Sized> ToPickle for New<'_, C> {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        let begun = out.begin()?;
        out.global("builtins", "getattr")?;
        out.tuple_with(2, |args| {
            args.item(self.0)?;
            args.item_with(|out| out.name("__new__"))
        })?;
        out.end(Opcode::Reduce, begun)
    }
}

impl Writer<'_> {
    /// A class, a function, or whatever else is known by the name of a module and a qualified name
    /// in it, as Python 3 has them. Protocols 0 to 2 get the names of Python 2, where they differ.
    ///
    /// ```
    /// use halfsour::{Error, Pickler, ToPickle, Writer};
    /// struct Len;
    /// impl ToPickle for Len {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.global("builtins", "len")
    ///     }
    /// }
    /// assert_eq!(Pickler::new().protocol(3).to_vec(&Len)?, b"\x80\x03cbuiltins\nlen\nq\0.");
    /// assert_eq!(Pickler::new().protocol(2).to_vec(&Len)?, b"\x80\x02c__builtin__\nlen\nq\0.");
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// Protocols 0 to 2 take no names that are not ASCII.
    pub fn global(&mut self, module: &str, name: &str) -> Result<(), Error> {
        let begun = self.begin()?;
        if let Some(index) = self.memo.global(module, name) {
            return Ok(self.out.get(index)?);
        }
        if self.protocol() >= 4 {
            self.interned(module)?;
            // A class of C has a new name each time: that it is the module's too shows in this one.
            match (module, name) {
                ("datetime", "datetime") => self.fresh_str(name)?,
                _ => self.interned(name).map(|_| ())?,
            }
            self.out.op(Opcode::StackGlobal);
        } else if let Some((parent, last)) = name.rsplit_once('.') {
            self.global("builtins", "getattr")?;
            self.tuple_with(2, |args| {
                args.item(&Global::new(module, parent))?;
                args.item_with(|out| out.interned(last).map(|_| ()))
            })?;
            self.out.op(Opcode::Reduce);
        } else {
            let (module, name) = match self.protocol() {
                3 => (module, name),
                _ => compat::to_python2(module, name),
            };
            emit_names(&mut self.out, Opcode::Global, module.as_bytes(), name.as_bytes())?;
        }
        let index = self.memoize(begun)?;
        self.memo.note_global(module, name, index);
        Ok(())
    }

    /// What is registered for an extension code, which is positive.
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer};
    ///
    /// /// What `copyreg.add_extension("app", "Point", 7)` registered.
    /// struct Point;
    ///
    /// impl ToPickle for Point {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.extension(7)
    ///     }
    /// }
    /// assert_eq!(halfsour::to_vec(&Point)?, b"\x80\x05\x82\x07.");
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::ExtCode`], if it is not.
    pub fn extension(&mut self, code: i32) -> Result<(), Error> {
        if code <= 0 {
            return Err(ErrorKind::ExtCode.into());
        }
        let _ = self.begin()?;
        self.out.extension(code);
        Ok(())
    }

    /// What has a persistent id: something that is kept elsewhere.
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer};
    /// struct Row(u64);
    /// impl ToPickle for Row {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.persistent(&("row", self.0))
    ///     }
    /// }
    /// let data = halfsour::to_vec(&Row(7))?;
    /// assert!(data.ends_with(b"\x8c\x03row\x94K\x07\x86\x94Q."));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// Protocol 0 takes no ids but ASCII strings and ints.
    pub fn persistent<T: ToPickle + ?Sized>(&mut self, id: &T) -> Result<(), Error> {
        let _ = self.begin()?;
        if self.out.is_binary() {
            self.inside(|out| out.save(id))?;
            self.out.op(Opcode::BinPersid);
            return Ok(());
        }
        let data = super::to_vec(id)?;
        let graph = crate::graph::load(&data)?;
        use crate::graph::Node;
        match graph.get(graph.root()) {
            Node::Str(text) if is_persid(text.as_bytes()) => {
                self.out.line(Opcode::Persid, text.as_bytes());
            }
            Node::Int(value) => self.out.line(Opcode::Persid, value.to_string().as_bytes()),
            _ => return Err(ErrorKind::PersidNotAscii.into()),
        }
        Ok(())
    }

    /// `callable(*args)`: what `__reduce__` says of an object.
    ///
    /// ```
    /// use halfsour::{Error, Global, ToPickle, Writer};
    ///
    /// struct Fraction(i64, i64);
    ///
    /// impl ToPickle for Fraction {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.call(&Global::new("fractions", "Fraction"), &[&self.0, &self.1])
    ///     }
    /// }
    /// let data = halfsour::to_vec(&Fraction(2, 3))?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// What writing the arguments says.
    pub fn call<C: ToPickle + ?Sized>(
        &mut self,
        callable: &C,
        args: &[&dyn ToPickle],
    ) -> Result<(), Error> {
        self.made_by_call(callable, args).map(|_| ())
    }

    /// `callable(*args)`; gives its index in the memo.
    pub(crate) fn made_by_call<C: ToPickle + ?Sized>(
        &mut self,
        callable: &C,
        args: &[&dyn ToPickle],
    ) -> Result<i64, Error> {
        let begun = self.begin()?;
        self.inside(|out| {
            out.save(callable)?;
            out.tuple(args)
        })?;
        self.out.op(Opcode::Reduce);
        self.memoize(begun)
    }

    /// `cls.__new__(cls, *args)`: how Python makes most instances, before they get their state.
    /// Protocols 0 and 1 get `copyreg.__newobj__(cls, *args)`.
    ///
    /// ```
    /// use halfsour::{Error, Global, ToPickle, Writer};
    ///
    /// /// `class Point(typing.NamedTuple)`
    /// struct Point(i64, i64);
    ///
    /// impl ToPickle for Point {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.newobj(&Global::new("app", "Point"), &[&self.0, &self.1])
    ///     }
    /// }
    /// let data = halfsour::to_vec(&Point(1, 2))?;
    /// assert!(data.ends_with(b"\x93\x94K\x01K\x02\x86\x94\x81\x94."));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// What writing the arguments says.
    pub fn newobj<C: ToPickle + ?Sized>(
        &mut self,
        cls: &C,
        args: &[&dyn ToPickle],
    ) -> Result<(), Error> {
        self.made_by_new(cls, args).map(|_| ())
    }

    pub(crate) fn made_by_new<C: ToPickle + ?Sized>(
        &mut self,
        cls: &C,
        args: &[&dyn ToPickle],
    ) -> Result<i64, Error> {
        let begun = self.begin()?;
        let is_opcode = self.protocol() >= 2;
        self.inside(|out| {
            if is_opcode {
                out.save(cls)?;
                return out.tuple(args);
            }
            out.global("copyreg", "__newobj__")?;
            out.with_class(cls, args)
        })?;
        self.out.op(if is_opcode { Opcode::NewObj } else { Opcode::Reduce });
        self.memoize(begun)
    }

    /// A tuple of a class and arguments.
    fn with_class<C: ToPickle + ?Sized>(&mut self, cls: &C, args: &[&dyn ToPickle]) -> Done {
        self.tuple_with(args.len() + 1, |items| {
            items.item(cls)?;
            args.iter().try_for_each(|arg| items.item(*arg))
        })
    }

    /// `cls.__new__(cls, *args, **kwargs)`: what `__getnewargs_ex__` asks for.
    ///
    /// Protocols 0 to 3 get `functools.partial(cls.__new__, cls, *args, **kwargs)()`.
    ///
    /// ```
    /// use halfsour::{Error, Global, ToPickle, Writer};
    /// struct Temperature(f64);
    /// impl ToPickle for Temperature {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.newobj_ex(&Global::new("app", "Temperature"), &[&self.0], &[("unit", &"C")])
    ///     }
    /// }
    /// let data = halfsour::to_vec(&Temperature(21.5))?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// What writing the arguments says.
    pub fn newobj_ex<C: ToPickle + ?Sized>(
        &mut self,
        cls: &C,
        args: &[&dyn ToPickle],
        kwargs: &[(&'static str, &dyn ToPickle)],
    ) -> Result<(), Error> {
        self.made_by_new_ex(cls, args, |out| out.fields(kwargs)).map(|_| ())
    }

    pub(crate) fn made_by_new_ex<C: ToPickle + ?Sized>(
        &mut self,
        cls: &C,
        args: &[&dyn ToPickle],
        kwargs: impl FnOnce(&mut Self) -> Done,
    ) -> Result<i64, Error> {
        let begun = self.begin()?;
        if self.protocol() >= 4 {
            self.inside(|out| {
                out.save(cls)?;
                out.tuple(args)?;
                kwargs(out)
            })?;
            self.out.op(Opcode::NewObjEx);
            return self.memoize(begun);
        }
        self.inside(|out| {
            out.global("functools", "partial")?;
            // The function is written here, and referred to in the partial's state.
            out.tuple_with(1, |function| function.item(&New(cls)))?;
            let function = out.memo.len() - 2;
            out.out.op(Opcode::Reduce);
            let begun = out.begin()?;
            out.memoize(begun)?;
            out.tuple_with(4, |state| {
                state.item_with(|out| Ok(out.out.get(function)?))?;
                state.item_with(|out| out.with_class(cls, args))?;
                state.item_with(kwargs)?;
                state.item_with(|out| out.none())
            })?;
            out.out.op(Opcode::Build);
            out.out.empty_tuple();
            Ok(())
        })?;
        self.out.op(Opcode::Reduce);
        self.memoize(begun)
    }

    /// Gives the object that was just written its state, which a function writes: what
    /// `__setstate__` gets, or a dict of attributes, or a pair of that and a dict of slots.
    ///
    /// ```
    /// use halfsour::{Error, Global, ToPickle, Writer};
    ///
    /// /// An instance of a class with `__slots__ = "x"`.
    /// struct Slotted(i32);
    ///
    /// impl ToPickle for Slotted {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.newobj(&Global::new("app", "Slotted"), &[])?;
    ///         out.build(|out| {
    ///             out.tuple_with(2, |pair| {
    ///                 pair.item(&())?;
    ///                 pair.item_with(|out| out.fields(&[("x", &self.0)]))
    ///             })
    ///         })
    ///     }
    /// }
    /// let data = halfsour::to_vec(&Slotted(7))?;
    /// assert!(data.ends_with(b")\x81\x94N}\x94\x8c\x01x\x94K\x07s\x86\x94b."));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// What writing the state says.
    pub fn build(
        &mut self,
        state: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.inside(state)?;
        self.out.op(Opcode::Build);
        Ok(())
    }

    /// The same with a pair: a dict of attributes or None, and a dict of slots.
    pub(crate) fn build_pair(
        &mut self,
        attributes: impl FnOnce(&mut Self) -> Done,
        slots: impl FnOnce(&mut Self) -> Done,
    ) -> Done {
        // Not as a tuple: it is no level of its own to those who read it either.
        self.build(|out| {
            let begun = out.begin()?;
            let is_marked = out.protocol() < 2;
            if is_marked {
                out.out.op(Opcode::Mark);
            }
            attributes(out)?;
            slots(out)?;
            out.end(if is_marked { Opcode::Tuple } else { Opcode::Tuple2 }, begun)
        })
    }

    /// The same, for those that learn only by writing it that the state is None, and so is none.
    #[cfg(feature = "serde")]
    pub(crate) fn build_unless_none(
        &mut self,
        state: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        // Now, so that no frame begins between here and what the state begins with.
        let _ = self.begin()?;
        let before = self.out.len();
        self.inside(state)?;
        if !self.out.take_back_none(before) {
            self.out.op(Opcode::Build);
        }
        Ok(())
    }

    /// A dict of which the keys are names: the attributes of an instance.
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer};
    /// use std::collections::BTreeMap;
    /// struct Size(u32, u32);
    /// impl ToPickle for Size {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.fields(&[("width", &self.0), ("height", &self.1)])
    ///     }
    /// }
    /// let size: BTreeMap<String, u32> = halfsour::from_slice(&halfsour::to_vec(&Size(3, 4))?)?;
    /// assert_eq!(size, BTreeMap::from([("width".into(), 3), ("height".into(), 4)]));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// What writing the values says, with their names.
    pub fn fields(&mut self, fields: &[(&'static str, &dyn ToPickle)]) -> Result<(), Error> {
        self.dict_with(Some(fields.len()), |dict| {
            fields.iter().try_for_each(|(name, value)| dict.field(name, *value))
        })
    }

    /// A new instance of a class that derives from no builtin one and takes no arguments.
    pub(crate) fn new_plain(&mut self, class: &Global<'_>) -> Done {
        if self.protocol() >= 2 {
            return self.newobj(class, &[]);
        }
        let object = Global::new("builtins", "object");
        self.call(&Global::new("copyreg", "_reconstructor"), &[class, &object, &()])
    }

    /// An instance with these attributes, of a class that derives from no builtin one and takes no
    /// arguments; without attributes, it gets no state.
    ///
    /// Protocols 0 and 1 get `copyreg._reconstructor(cls, object, None)`, as Python writes there.
    ///
    /// ```
    /// use halfsour::{Error, ToPickle, Writer};
    /// struct Point(i64, i64);
    /// impl ToPickle for Point {
    ///     fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
    ///         out.instance("app", "Point", &[("x", &self.0), ("y", &self.1)])
    ///     }
    /// }
    /// let data = halfsour::to_vec(&Point(1, 2))?;
    /// assert!(data.ends_with(b")\x81\x94}\x94(\x8c\x01x\x94K\x01\x8c\x01y\x94K\x02ub."));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// What writing the values says, with their names.
    pub fn instance(
        &mut self,
        module: &str,
        name: &str,
        fields: &[(&'static str, &dyn ToPickle)],
    ) -> Result<(), Error> {
        self.new_plain(&Global::new(module, name))?;
        if fields.is_empty() { Ok(()) } else { self.build(|out| out.fields(fields)) }
    }
}

/// Whether a text can be a persistent id of protocol 0.
pub(crate) fn is_persid(text: &[u8]) -> bool {
    text.is_ascii() && !text.contains(&b'\n')
}

/// GLOBAL or INST, of names that were renamed already.
pub(crate) fn emit_names(out: &mut Emitter, opcode: Opcode, module: &[u8], name: &[u8]) -> Done {
    let is_ascii_only = out.protocol() < 3;
    let fits = |text: &[u8]| {
        !text.is_empty()
            && !text.contains(&b'\n')
            && if is_ascii_only { text.is_ascii() } else { str::from_utf8(text).is_ok() }
    };
    if !fits(module) || !fits(name) {
        let text = |name| String::from_utf8_lossy(name);
        return Err(Error::custom(format_args!(
            "can't pickle the name {} using pickle protocol {}",
            Shown(format_args!("{}.{}", text(module), text(name))),
            out.protocol()
        )));
    }
    out.line(opcode, &[module, name].join(&b'\n'));
    Ok(())
}
