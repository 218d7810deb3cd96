//! What one loaded module holds: types, exceptions, and the tables of other modules that pickling
//! consults, which are captured once and seen as they change.

use crate::ffi::error::{self, Exc, Part, raise_parts};
use crate::ffi::module::{Types, loaded_modules};
use crate::ffi::{Dict, Int, Obj, Object, Own, PyResult, Str, Tuple, Type, layout, types};
use crate::pickler::{Plans, Scratch};
use crate::version::Version;
use std::cell::{Cell, RefCell};

/// How many reductions may be nested in one dump, unless the program says otherwise.
///
/// Lists, dicts and tuples nest as deeply as they please: they exist already. A reduction makes new
/// objects, and an endless chain of them would eat all memory.
pub(crate) const DEFAULT_MAX_DEPTH: usize = 2_000_000;

macro_rules! names {
    ($($field:ident = $text:literal,)*) => {
        /// Interned attribute names.
        pub(crate) struct Names { $(pub(crate) $field: Obj,)* }

        impl Names {
            fn new() -> PyResult<Names> {
                Ok(Names { $($field: Str::interned($text)?,)* })
            }

            fn all(&self) -> impl Iterator<Item = &Object> {
                [$(&*self.$field,)*].into_iter()
            }
        }
    };
}

names! {
    add = c"add",
    append = c"append",
    builtins = c"__builtins__",
    class = c"__class__",
    copyreg = c"copyreg",
    dataclass_fields = c"__dataclass_fields__",
    dataclass_fields_name = c"_FIELDS",
    dataclass_field = c"_FIELD",
    dataclasses = c"dataclasses",
    dict = c"__dict__",
    dispatch_table = c"dispatch_table",
    extend = c"extend",
    fields = c"fields",
    find_class = c"find_class",
    getinitargs = c"__getinitargs__",
    getnewargs = c"__getnewargs__",
    getnewargs_ex = c"__getnewargs_ex__",
    getstate = c"__getstate__",
    init = c"__init__",
    initializing = c"_initializing",
    items = c"items",
    iter = c"__iter__",
    latin1 = c"latin1",
    main = c"__main__",
    module = c"__module__",
    mro = c"__mro__",
    name = c"__name__",
    new = c"__new__",
    newobj = c"__newobj__",
    newobj_ex = c"__newobj_ex__",
    peek = c"peek",
    persistent_id = c"persistent_id",
    persistent_load = c"persistent_load",
    qualname = c"__qualname__",
    read = c"read",
    readinto = c"readinto",
    readline = c"readline",
    reduce = c"__reduce__",
    reduce_ex = c"__reduce_ex__",
    reducer_override = c"reducer_override",
    setstate = c"__setstate__",
    slotnames = c"__slotnames__",
    slots = c"__slots__",
    spec = c"__spec__",
    toreadonly = c"toreadonly",
    tuple_new = c"_tuple_new",
    value = c"_value_",
    write = c"write",
}

/// The state of one module; every interpreter has its own.
pub(crate) struct State {
    pub(crate) types: Types,
    pub(crate) names: Names,
    pub(crate) version: Version,
    pub(crate) max_depth: Cell<usize>,
    /// Whether loads suspend the collector while no Python runs.
    pub(crate) suspends_collector: Cell<bool>,

    pub(crate) pickle_error: Obj,
    pub(crate) pickling_error: Obj,
    pub(crate) unpickling_error: Obj,
    picklebuffer: Obj,

    /// `copyreg.dispatch_table`: type -> reducer
    pub(crate) dispatch_table: Own<Dict>,
    /// `copyreg._extension_registry`: (module, name) -> code
    pub(crate) extension_registry: Own<Dict>,
    /// `copyreg._inverted_registry`: code -> (module, name)
    pub(crate) inverted_registry: Own<Dict>,
    /// `copyreg._extension_cache`: code -> object
    pub(crate) extension_cache: Own<Dict>,

    /// `_compat_pickle`: (old module, old name) -> (new module, new name)
    pub(crate) name_mapping_2to3: Own<Dict>,
    /// `_compat_pickle`: old module -> new module
    pub(crate) import_mapping_2to3: Own<Dict>,
    /// `_compat_pickle`: (new module, new name) -> (old module, old name)
    pub(crate) name_mapping_3to2: Own<Dict>,
    /// `_compat_pickle`: new module -> old module
    pub(crate) import_mapping_3to2: Own<Dict>,

    /// `codecs.encode`, by which protocols below 3 write bytes
    pub(crate) codecs_encode: Obj,
    /// `codecs.latin_1_encode`, which it calls for that
    pub(crate) latin1_encode: Obj,
    /// `functools.partial`, by which protocols 2 and 3 write `__newobj_ex__`
    pub(crate) partial: Obj,

    /// Whether CPython's private layouts are known, so that the fast ways may be taken.
    pub(crate) layouts_known: bool,
    /// `io.BytesIO`, where that may be read fast
    pub(crate) memory_file: Option<Obj>,
    pub(crate) plans: RefCell<Plans>,
    pub(crate) scratch: Cell<Option<Box<Scratch>>>,
    pub(crate) namedtuples: crate::unpickler::Samples,
    /// `tuple.__new__`
    pub(crate) tuple_new: Obj,
    /// The ints of one byte, which the interpreter has anyway: asking for one takes ten times as long.
    pub(crate) byte_ints: Box<[Obj; 256]>,
    pub(crate) load_scratch: Cell<Option<Box<crate::unpickler::Scratch>>>,
    pub(crate) builtins: Builtins,
    known: Known,
}

/// A built-in function or class that fast ways rely on, or what another module has.
pub(crate) struct Builtin {
    pub(crate) name: Obj,
    pub(crate) object: Obj,
    /// where the module had it last
    slot: Cell<usize>,
}

impl Builtin {
    fn of(module: &Object, name: &'static std::ffi::CStr) -> PyResult<Builtin> {
        let name = Str::interned(name)?;
        Ok(Builtin { object: module.attr(&name)?, name, slot: Cell::default() })
    }
}

/// The module `builtins`, and what it came with.
pub(crate) struct Builtins {
    module: Obj,
    /// where the globals of the code that runs had it last
    frame_slot: Cell<usize>,
    pub(crate) getattr: Builtin,
    hasattr: Builtin,
    pub(crate) import: Builtin,
    isinstance: Builtin,
    pub(crate) object: Builtin,
    type_: Builtin,
    pub(crate) zip: Builtin,
}

impl Builtins {
    fn new() -> PyResult<Builtins> {
        let module = import("builtins")?;
        Ok(Builtins {
            getattr: Builtin::of(&module, c"getattr")?,
            hasattr: Builtin::of(&module, c"hasattr")?,
            import: Builtin::of(&module, c"__import__")?,
            isinstance: Builtin::of(&module, c"isinstance")?,
            object: Builtin::of(&module, c"object")?,
            type_: Builtin::of(&module, c"type")?,
            zip: Builtin::of(&module, c"zip")?,
            frame_slot: Cell::default(),
            module,
        })
    }

    fn references(&self) -> impl Iterator<Item = &Object> {
        let all = [
            &self.getattr,
            &self.hasattr,
            &self.import,
            &self.isinstance,
            &self.object,
            &self.type_,
            &self.zip,
        ];
        let all = all.into_iter().flat_map(|builtin| [&*builtin.name, &*builtin.object]);
        std::iter::once(&*self.module).chain(all)
    }

    /// Whether the module has what it came with. Runs no Python.
    pub(crate) fn has(&self, builtin: &Builtin) -> bool {
        let dict = self.module.module_dict();
        dict.is_some_and(|dict| dict.has_at(&builtin.slot, &builtin.name, &builtin.object))
    }
}

/// What the interpreter came with, for fast ways that are equal to slow ones only as long as nobody
/// has put something else in its place.
struct Known {
    copyreg: Obj,
    /// where `sys.modules` had it last
    copyreg_slot: Cell<usize>,
    /// `copyreg.__newobj__`
    newobj: Obj,
    newobj_slot: Cell<usize>,
    /// `copyreg._reconstructor` and its code, where that only calls `__new__` and `__init__`.
    reconstructor: Option<(Obj, Obj)>,
    /// `copyreg._reduce_ex`, where it is what all versions so far have.
    reduce_ex: Option<ReduceEx>,
    /// The code of the `__getnewargs__` that all classes of `collections.namedtuple` share.
    namedtuple_getnewargs: Option<Obj>,
    /// The code of `Enum.__reduce_ex__`, where that is `return self.__class__, (self._value_, )`.
    enum_reduce: Option<Obj>,
}

/// `copyreg._reduce_ex`, by which protocols 0 and 1 write instances.
struct ReduceEx {
    code: Obj,
    /// itself, and what it looks up in its module
    globals: [Builtin; 4],
}

impl ReduceEx {
    fn of(copyreg: &Object) -> PyResult<Option<ReduceEx>> {
        let globals = [
            Builtin::of(copyreg, c"_reduce_ex")?,
            Builtin::of(copyreg, c"_reconstructor")?,
            Builtin::of(copyreg, c"_HEAPTYPE")?,
            Builtin::of(copyreg, c"_new_type")?,
        ];
        let [function, _, heap_type, new_type] = &globals;
        let looked_up = [
            "__class__",
            "__mro__",
            "hasattr",
            "__flags__",
            "_HEAPTYPE",
            "__new__",
            "isinstance",
            "_new_type",
            "__self__",
            "object",
            "TypeError",
            "__name__",
            "__getstate__",
            "type",
            "getattr",
            "AttributeError",
            "__dict__",
            "_reconstructor",
        ];
        let code = known_code(&function.object, &looked_up)?;
        let is_heap_type = heap_type.object.cast::<Int>().and_then(Int::as_i64) == Some(1 << 9);
        let new = types::object().attr(&*Str::new("__new__")?)?;
        let is_new_type = new_type.object.is(new.type_of());
        Ok(code.filter(|_| is_heap_type && is_new_type).map(|code| ReduceEx { code, globals }))
    }

    fn references(&self) -> impl Iterator<Item = &Obj> {
        let globals = self.globals.iter().flat_map(|global| [&global.name, &global.object]);
        std::iter::once(&self.code).chain(globals)
    }
}

impl State {
    /// Captures what the module needs of the interpreter.
    ///
    /// `swapped` means that the module stands in for `_pickle` itself: then it makes the exceptions
    /// that everybody uses, else it uses those.
    pub(crate) fn new(types: Types, swapped: bool) -> PyResult<State> {
        let copyreg = import("copyreg")?;
        let compat = import("_compat_pickle")?;
        let exceptions = if swapped { Exceptions::make()? } else { Exceptions::of_pickle()? };
        let layouts_known = layout::check();
        Ok(State {
            types,
            names: Names::new()?,
            version: Version::running(),
            max_depth: Cell::new(DEFAULT_MAX_DEPTH),
            suspends_collector: Cell::new(true),
            pickle_error: exceptions.pickle_error,
            pickling_error: exceptions.pickling_error,
            unpickling_error: exceptions.unpickling_error,
            picklebuffer: types::picklebuffer().own(),
            dispatch_table: table(&copyreg, "copyreg", "dispatch_table")?,
            extension_registry: table(&copyreg, "copyreg", "_extension_registry")?,
            inverted_registry: table(&copyreg, "copyreg", "_inverted_registry")?,
            extension_cache: table(&copyreg, "copyreg", "_extension_cache")?,
            name_mapping_2to3: table(&compat, "_compat_pickle", "NAME_MAPPING")?,
            import_mapping_2to3: table(&compat, "_compat_pickle", "IMPORT_MAPPING")?,
            name_mapping_3to2: table(&compat, "_compat_pickle", "REVERSE_NAME_MAPPING")?,
            import_mapping_3to2: table(&compat, "_compat_pickle", "REVERSE_IMPORT_MAPPING")?,
            codecs_encode: callable("codecs", "encode")?,
            latin1_encode: callable("codecs", "latin_1_encode")?,
            partial: import("functools")?.attr(&*Str::new("partial")?)?,
            layouts_known,
            memory_file: layout::memory_file_class(layouts_known),
            plans: RefCell::default(),
            scratch: Cell::default(),
            load_scratch: Cell::default(),
            namedtuples: Default::default(),
            byte_ints: byte_ints()?,
            tuple_new: types::tuple().attr(&*Str::new("__new__")?)?,
            builtins: Builtins::new()?,
            known: Known::new(copyreg)?,
        })
    }

    /// The module's attributes that are not functions.
    pub(crate) fn exports(&self) -> [(&'static str, &Object); 6] {
        [
            ("PickleBuffer", &self.picklebuffer),
            ("Pickler", &self.types.pickler),
            ("Unpickler", &self.types.unpickler),
            ("PickleError", &self.pickle_error),
            ("PicklingError", &self.pickling_error),
            ("UnpicklingError", &self.unpickling_error),
        ]
    }

    /// Every reference, for the cycle collector.
    pub(crate) fn references(&self) -> impl Iterator<Item = &Object> {
        [
            &*self.types.pickler,
            &self.types.unpickler,
            &self.types.pickler_memo,
            &self.types.unpickler_memo,
            &self.types.loan,
            &self.pickle_error,
            &self.pickling_error,
            &self.unpickling_error,
            &self.picklebuffer,
            &self.dispatch_table,
            &self.extension_registry,
            &self.inverted_registry,
            &self.extension_cache,
            &self.name_mapping_2to3,
            &self.import_mapping_2to3,
            &self.name_mapping_3to2,
            &self.import_mapping_3to2,
            &self.codecs_encode,
            &self.latin1_encode,
            &self.partial,
            &self.tuple_new,
        ]
        .into_iter()
        .chain(self.memory_file.as_deref())
        .chain(self.builtins.references())
        .chain(self.known.references())
        .chain(self.names.all())
    }
}

impl State {
    /// `getattr(this, name, None)` of a pickler or an unpickler, where `base` is that type. Most have
    /// no such attribute, and asking for it would make an exception.
    pub(crate) fn hook(
        &self,
        this: &Object,
        base: &Object,
        name: &Object,
    ) -> PyResult<Option<Obj>> {
        match self.class_decides(this, base, name) {
            Some(None) => Ok(None),
            _ => this.opt_attr(name),
        }
    }

    /// Whether the class of a pickler or an unpickler has the method of its base type, and the instance
    /// hides it only where the body says so.
    pub(crate) fn inherits(&self, this: &Object, base: &Object, name: &Object) -> bool {
        if this.type_of().is(base) {
            return self.layouts_known;
        }
        let own = base.cast::<Type>().and_then(|base| base.lookup(name));
        let found = self.class_decides(this, base, name).flatten();
        found.zip(own).is_some_and(|(found, own)| found.is(own))
    }

    /// What the class of a pickler or an unpickler has under a name, where that is what asking the
    /// instance finds; `base` is the base type.
    pub(crate) fn class_decides<'a>(
        &self,
        this: &'a Object,
        base: &Object,
        name: &Object,
    ) -> Option<Option<&'a Object>> {
        let base = base.cast::<Type>().filter(|_| self.layouts_known)?;
        this.class_decides(base, name)
    }

    /// Whether the code that is running imports as usual. Runs no Python.
    pub(crate) fn imports_as_usual(&self) -> bool {
        let Builtins { module, frame_slot, .. } = &self.builtins;
        crate::ffi::make::frame_uses(module, &self.names.builtins, frame_slot)
            && self.builtins.has(&self.builtins.import)
    }
}

impl Known {
    fn new(copyreg: Obj) -> PyResult<Known> {
        let get = |object: &Object, name| object.attr(&*Str::new(name)?);
        let namedtuple_getnewargs = get(&*import("functools")?, "_CacheInfo")
            .and_then(|class| get(&class, "__getnewargs__"))
            .map(|method| method.function_code().map(Object::own));
        let enum_reduce = get(&*import("enum")?, "Enum")
            .and_then(|class| get(&class, "__reduce_ex__"))
            .and_then(|method| known_code(&method, &["__class__", "_value_"]));
        let reconstructor = get(&copyreg, "_reconstructor").and_then(|function| {
            let code = known_code(&function, &["object", "__new__", "__init__"])?;
            Ok(code.map(|code| (function, code)))
        });
        Ok(Known {
            reduce_ex: error::quietly(ReduceEx::of(&copyreg)).flatten(),
            reconstructor: error::quietly(reconstructor).flatten(),
            enum_reduce: error::quietly(enum_reduce).flatten(),
            newobj: get(&copyreg, "__newobj__")?,
            newobj_slot: Cell::default(),
            copyreg,
            copyreg_slot: Cell::default(),
            namedtuple_getnewargs: error::quietly(namedtuple_getnewargs).flatten(),
        })
    }

    fn references(&self) -> impl Iterator<Item = &Object> {
        let always = [&self.copyreg, &self.newobj];
        let codes = self.namedtuple_getnewargs.iter().chain(&self.enum_reduce);
        let reconstructor = self.reconstructor.iter().flat_map(|(function, code)| [function, code]);
        let reduce_ex = self.reduce_ex.iter().flat_map(ReduceEx::references);
        always
            .into_iter()
            .chain(codes)
            .chain(reconstructor)
            .chain(reduce_ex)
            .map(|object| &**object)
    }
}

/// The code of a function, if it looks up these names, and nothing else.
fn known_code(function: &Object, looked_up: &[&str]) -> PyResult<Option<Obj>> {
    let Some(code) = function.function_code() else { return Ok(None) };
    let names = code.attr(&*Str::new("co_names")?)?;
    let is_that = names.cast::<Tuple>().is_some_and(|names| {
        let texts = names.items().iter().map(|name| name.cast::<Str>());
        names.len() == looked_up.len()
            && texts.zip(looked_up).all(|(text, name)| text.is_some_and(|text| text.equals(name)))
    });
    Ok(is_that.then(|| code.own()))
}

impl State {
    /// Whether `object.__reduce_ex__` still finds the `copyreg.__newobj__` that it came with. Runs no
    /// Python.
    pub(crate) fn newobj_is_known(&self) -> bool {
        let known = &self.known;
        let modules = loaded_modules();
        modules.is_some_and(|modules| {
            modules.has_at(&known.copyreg_slot, &self.names.copyreg, &known.copyreg)
        }) && known
            .copyreg
            .module_dict()
            .is_some_and(|dict| dict.has_at(&known.newobj_slot, &self.names.newobj, &known.newobj))
    }

    /// `copyreg.__newobj__`, as `object.__reduce_ex__` finds it.
    pub(crate) fn copyreg_newobj(&self) -> PyResult<Obj> {
        if self.newobj_is_known() {
            return Ok(self.known.newobj.clone());
        }
        let copyreg = match self.loaded_module(&self.names.copyreg) {
            Some(copyreg) => copyreg,
            None => import("copyreg")?,
        };
        copyreg.attr(&self.names.newobj)
    }

    /// Whether it is the one that the interpreter came with.
    pub(crate) fn is_known_newobj(&self, newobj: &Object) -> bool {
        newobj.is(&self.known.newobj)
    }

    /// Whether a function is the `__getnewargs__` of a `collections.namedtuple`.
    pub(crate) fn is_namedtuple_getnewargs(&self, function: &Object) -> bool {
        let known = self.known.namedtuple_getnewargs.as_deref();
        function.function_code().zip(known).is_some_and(|(code, known)| code.is(known))
    }

    /// Whether a function is an `Enum.__reduce_ex__` that makes members by calling their class.
    pub(crate) fn is_enum_reduce(&self, function: &Object) -> bool {
        let known = self.known.enum_reduce.as_deref();
        function.function_code().zip(known).is_some_and(|(code, known)| code.is(known))
    }

    /// Whether a function is the `copyreg._reconstructor` that the interpreter came with, and finds what
    /// it found. Runs no Python.
    #[inline(always)]
    pub(crate) fn is_reconstructor(&self, function: &Object) -> bool {
        let known = self.known.reconstructor.as_ref();
        known.is_some_and(|(own, code)| function.is(own) && self.reconstructs_as_ever(own, code))
    }

    #[inline(never)]
    fn reconstructs_as_ever(&self, function: &Object, code: &Object) -> bool {
        let known = &self.known;
        function.function_code().is_some_and(|found| found.is(code))
            && self.builtins.has(&self.builtins.object)
            && known
                .copyreg
                .module_dict()
                .is_some_and(|dict| !dict.may_have(&self.builtins.object.name))
    }

    /// Whether `object.__reduce_ex__` still finds the `copyreg._reduce_ex` that it came with, and that
    /// finds what it found. Runs no Python.
    pub(crate) fn reduce_ex_is_known(&self) -> bool {
        let known = &self.known;
        let Some((reduce_ex, dict)) = known.reduce_ex.as_ref().zip(known.copyreg.module_dict())
        else {
            return false;
        };
        let [function, ..] = &reduce_ex.globals;
        let looked_up = [
            &self.builtins.getattr,
            &self.builtins.hasattr,
            &self.builtins.isinstance,
            &self.builtins.object,
            &self.builtins.type_,
        ];
        loaded_modules().is_some_and(|modules| {
            modules.has_at(&known.copyreg_slot, &self.names.copyreg, &known.copyreg)
        }) && function.object.function_code().is_some_and(|code| code.is(&reduce_ex.code))
            && reduce_ex.globals.iter().all(|one| dict.has_at(&one.slot, &one.name, &one.object))
            && looked_up.iter().all(|one| self.builtins.has(one) && !dict.may_have(&one.name))
    }

    /// The `copyreg._reconstructor` that `copyreg._reduce_ex` finds where it is known.
    pub(crate) fn reconstructor(&self) -> Option<&Obj> {
        let [_, reconstructor, ..] = &self.known.reduce_ex.as_ref()?.globals;
        Some(&reconstructor.object)
    }

    /// Has `copyreg` list the slots of a class, in `class.__slotnames__`, as it does when the first
    /// instance is pickled.
    pub(crate) fn list_slots(&self, class: &Object) -> PyResult<()> {
        self.known.copyreg.call_method1(&*Str::interned(c"_slotnames")?, class).map(drop)
    }

    /// The module that importing this name gives, where it is loaded; None also where the
    /// interpreter's modules are no plain dict. Runs no Python.
    pub(crate) fn loaded_module(&self, name: &Object) -> Option<Obj> {
        loaded_modules()?.get_quietly(name)
    }

    /// The same, for one that is loaded to its end: while a module is being imported, importing it
    /// waits. None also where that is not to be seen.
    pub(crate) fn imported_module(&self, name: &Object) -> Option<Obj> {
        let module = self.loaded_module(name)?;
        let attributes = module.module_dict()?.of_names()?;
        if let Some(spec) = attributes.get_quietly(&self.names.spec).filter(|spec| !spec.is_none())
        {
            let (class, initializing) = (spec.type_of(), &self.names.initializing);
            if !class.has_plain_names()
                || !class.has_generic_getattr()
                || class.lookup(initializing).is_some()
            {
                return None;
            }
            let flag = spec.attribute_quietly(initializing);
            if flag.is_some_and(|flag| !flag.is(Object::bool(false))) {
                return None;
            }
        }
        Some(module)
    }
}

struct Exceptions {
    pickle_error: Obj,
    pickling_error: Obj,
    unpickling_error: Obj,
}

impl Exceptions {
    /// The classes that `pickle` has already.
    fn of_pickle() -> PyResult<Exceptions> {
        let pickle = import("pickle")?;
        let get = |name| pickle.attr(&*Str::new(name)?);
        Ok(Exceptions {
            pickle_error: get("PickleError")?,
            pickling_error: get("PicklingError")?,
            unpickling_error: get("UnpicklingError")?,
        })
    }

    /// New classes, for `pickle` to take from us.
    fn make() -> PyResult<Exceptions> {
        use crate::ffi::error::new_exception;
        let pickle_error = new_exception(c"_pickle.PickleError", None)?;
        Ok(Exceptions {
            pickling_error: new_exception(c"_pickle.PicklingError", Some(&pickle_error))?,
            unpickling_error: new_exception(c"_pickle.UnpicklingError", Some(&pickle_error))?,
            pickle_error,
        })
    }
}

fn import(module: &str) -> PyResult<Obj> {
    Str::new(module)?.import()
}

fn table(module: &Object, module_name: &str, name: &str) -> PyResult<Own<Dict>> {
    let table = module.attr(&*Str::new(name)?)?;
    match table.cast_exact::<Dict>() {
        Some(dict) => Ok(dict.own_view()),
        None => Err(raise_parts(
            &Exc::RuntimeError,
            "{}.{} should be a dict, not {}",
            &[Part::Text(module_name), Part::Text(name), Part::TypeName(&table)],
        )),
    }
}

fn byte_ints() -> PyResult<Box<[Obj; 256]>> {
    let ints = (0..256).map(Int::new).collect::<PyResult<Vec<Obj>>>()?;
    ints.try_into().map_err(|_| error::no_memory())
}

fn callable(module: &str, name: &str) -> PyResult<Obj> {
    let found = import(module)?.attr(&*Str::new(name)?)?;
    if found.is_callable() {
        return Ok(found);
    }
    Err(raise_parts(
        &Exc::RuntimeError,
        "{}.{} should be a callable, not {}",
        &[Part::Text(module), Part::Text(name), Part::TypeName(&found)],
    ))
}
