"""One trial: a random world, pickled and loaded in a random way by both modules, which must not differ in anything.

`run(choices, tested)` returns a list of `Difference`s; the same decisions give the same trial.
"""

import collections
import dataclasses
import io

import isomorphism
from choices import Choices
from modules import stock
from outcomes import Reader, Writer, auditing, dumped, loaded
from worlds import LOG, World, describe, name_of

PROTOCOLS = (0, 1, 2, 3, 4, 5, None, -1)
READERS = (("read", "readline"), ("read", "readline", "readinto"), ("read", "readline", "peek"),
           ("read", "readline", "readinto", "peek"))


@dataclasses.dataclass
class Difference:
    stage: str       # "dump" or "load"
    field: str
    stock: object
    tested: object
    trial: "Trial"

    def __str__(self):
        return (f"{self.stage}: {self.field}\n    stock:  {_cut(self.stock, self.tested)}\n"
                f"    tested: {_cut(self.tested, self.stock)}")


def _cut(value, other):
    """The part of a long log or of long chunks where two of them part."""
    if isinstance(value, list) and isinstance(other, list) and len(value) + len(other) > 12:
        index = next((i for i, (x, y) in enumerate(zip(value, other)) if x != y), min(len(value), len(other)))
        value = [f"({index} equal)"] + value[max(0, index - 3): index + 5]
    shown = repr(value)
    return shown if len(shown) < 1500 else shown[:1500] + "..."


class Counted(dict):
    """A subclass of dict as a dispatch table: __missing__ and __getitem__ are its own."""

    def __getitem__(self, key):
        LOG.append(("dispatch table", describe(key)))
        return super().__getitem__(key)


class Mapping:
    """A dispatch table that is no dict at all."""

    def __init__(self, table, error=KeyError):
        self.table, self.error = table, error

    def __getitem__(self, key):
        LOG.append(("mapping", describe(key)))
        try:
            return self.table[key]
        except KeyError:
            raise self.error("planted in mapping") from None


def _exact_instances_take_hooks():
    """3.13.0 alone made persistent_id and persistent_load read-only on what is no subclass. That was a mistake."""
    try:
        stock.Pickler(Writer()).persistent_id = id
    except AttributeError:
        return False
    return True


EXACT_INSTANCES_TAKE_HOOKS = _exact_instances_take_hooks()


class Trial:
    def __init__(self, choices):
        self.world = World(choices)
        self.choose = choose = choices
        self.protocol = choose.pick(PROTOCOLS)
        self.fix_imports = not choose.chance(15)
        self.entry = choose.pick(("dumps", "dumps", "dump", "Pickler", "subclass", "subclass"))
        self.fast = choose.chance(6)
        self.bin = choose.pick((0, 1, 7, True)) if choose.chance(3) else None
        out_of_band = self.protocol in (5, -1) or choose.chance(2)
        self.buffers = choose.pick((None, "out", "out", "in", "both", "fail")) if out_of_band else None
        self.dumps = choose.pick((1, 1, 1, 2, 3)) if self.entry in ("Pickler", "subclass") else 1
        self.between = choose.pick((None, "clear_memo", "memo.clear", "memo = copy"))
        self.persistent = self.persistent_ids() if choose.chance(35) else None
        self.persistent_as = choose.pick(("method", "attribute", "super"))
        self.table = self.dispatch_table() if choose.chance(30) else None
        self.table_as = choose.pick(("attribute", "class attribute"))
        self.override = self.reducer_override() if choose.chance(25) else None
        self.override_as = choose.pick(("method", "attribute"))
        self.watched = choose.chance(10)
        self.load_entry = choose.pick(("loads", "loads", "load", "Unpickler", "subclass", "subclass", "subclass"))
        self.reader = choose.pick((None, *READERS))
        self.find_class = choose.pick((None, "method", "method", "attribute"))
        self.encoding = choose.pick(("ASCII", "latin1", "bytes", "utf-8"))
        self.load_fix_imports = not choose.chance(10)
        self.load_persistent_as = choose.pick(("method", "attribute", "super", None))

    def describe(self):
        skip = ("world", "choose", "persistent", "table", "override")
        settings = {name: value for name, value in vars(self).items() if name not in skip and value is not None}
        for name in ("persistent", "table", "override"):
            if getattr(self, name) is not None:
                settings[name] = True
        return f"{settings}\n    graph: {sketch(self.world.root)}"

    # The pickler's hooks

    def picked(self):
        """Some of the objects that carry a label: instances, mostly."""
        return [obj for obj in self.world.keep if id(obj) in self.world.labels and self.choose.chance(30)]

    def persistent_ids(self):
        choose = self.choose
        wrong = self.world.may_fail()
        values = ("pid", "", 0, 1, False, ("tuple", 1), "caf\xe9", b"b", 2.5, None, "two\nlines") if wrong else (
            "pid", 1, "other", None)
        return {id(obj): choose.pick(values) for obj in self.picked()}

    def persistent_id(self, obj):
        LOG.append(("persistent_id", self.world.label(obj)))
        if self.fails == "persistent":
            raise ValueError("planted in persistent_id")
        return self.persistent.get(id(obj))

    fails = None

    def dispatch_table(self):
        choose = self.choose
        kinds = [cls for cls in self.world.classes if choose.chance(50)]
        kinds += choose.some((complex, range, type(...), collections.OrderedDict, type(len)), 20)
        table = {cls: self.world.reducer(f"dispatch {name_of(cls)}") for cls in kinds}
        kind = choose.below(5)
        if kind == 1:
            return collections.ChainMap({}, table)
        if kind == 2:
            return Counted(table)
        if kind == 3:
            return Mapping(table)
        if kind == 4 and self.world.may_fail(60):
            return Mapping(table, ValueError) if choose.chance(60) else choose.pick((5, [], ""))
        return table

    def reducer_override(self):
        return {id(obj): self.world.reducer(f"override {describe(obj)}") for obj in self.picked()}

    def override_hook(self, obj):
        LOG.append(("reducer_override", self.world.label(obj)))
        reducer = self.override.get(id(obj))
        return NotImplemented if reducer is None else reducer(obj)

    def buffer_callback(self, collected):
        if self.buffers is None:
            return None

        def callback(buffer):
            LOG.append(("buffer_callback", type(buffer).__name__, buffer.raw().nbytes))
            if self.buffers == "fail":
                raise ValueError("planted in buffer_callback")
            kept = self.buffers == "in" or (self.buffers == "both" and len(collected) % 2)
            collected.append(buffer)
            return kept
        return callback

    def pickler_class(self, module):
        trial, body = self, {}
        if self.persistent is not None and self.persistent_as != "attribute":
            if self.persistent_as == "method":
                body["persistent_id"] = lambda pickler, obj: trial.persistent_id(obj)
            else:
                def persistent_id(pickler, obj):
                    found = trial.persistent_id(obj)
                    try:
                        return found or super(cls, pickler).persistent_id(obj)
                    except AttributeError:  # before 3.13 there is nothing to be super
                        return found
                body["persistent_id"] = persistent_id
        if self.override is not None and self.override_as == "method":
            body["reducer_override"] = lambda pickler, obj: trial.override_hook(obj)
        if self.table is not None and self.table_as == "class attribute":
            body["dispatch_table"] = self.table
        if self.watched:
            body["__getattribute__"] = watched_getattribute(module.Pickler)
        cls = type("LoggedPickler", (module.Pickler,), body)
        return cls

    def dump(self, module):
        def run(seen):
            file, collected = Writer(), []
            seen["chunks"], seen["buffers"], seen["memo"] = file.chunks, [], []
            callback = self.buffer_callback(collected)
            options = {"fix_imports": self.fix_imports, "buffer_callback": callback}
            root = self.world.root
            try:
                if self.entry == "dumps":
                    data = module.dumps(root, self.protocol, **options)
                    file.chunks.append(data)
                elif self.entry == "dump":
                    module.dump(root, file, self.protocol, **options)
                else:
                    cls = module.Pickler if self.entry == "Pickler" else self.pickler_class(module)
                    self.use(cls(file, self.protocol, **options), root, seen)
            finally:
                for buffer in collected:
                    try:
                        seen["buffers"].append(buffer.raw().tobytes())
                    except Exception as error:
                        seen["buffers"].append(str(error))
        return dumped(run)

    def use(self, pickler, root, seen):
        if self.fast:
            pickler.fast = 1
        if self.bin is not None:
            pickler.bin = self.bin
        if self.override is not None and self.override_as == "attribute" and self.entry == "subclass":
            pickler.reducer_override = self.override_hook
        if self.persistent is not None and (
                EXACT_INSTANCES_TAKE_HOOKS if self.entry == "Pickler" else self.persistent_as == "attribute"):
            pickler.persistent_id = self.persistent_id
        if self.table is not None and (self.table_as == "attribute" or self.entry == "Pickler"):
            pickler.dispatch_table = self.table
        for number in range(self.dumps):
            if number:
                LOG.append(("again", self.between))
                if self.between == "clear_memo":
                    pickler.clear_memo()
                elif self.between == "memo.clear":
                    pickler.memo.clear()
                elif self.between == "memo = copy":
                    pickler.memo = pickler.memo.copy()
            try:
                pickler.dump(root)
            finally:
                memo = pickler.memo.copy()
                seen["memo"].append(sorted((index, self.world.label(obj)) for index, obj in memo.values()))

    # Loading

    def unpickler_class(self, module):
        body = {}
        if self.find_class == "method":
            def find_class(unpickler, module_name, name):
                LOG.append(("find_class", module_name, name))
                return super(cls, unpickler).find_class(module_name, name)
            body["find_class"] = find_class
        if self.load_persistent_as in ("method", "super"):
            def persistent_load(unpickler, pid):
                LOG.append(("persistent_load", describe(pid)))
                if self.load_persistent_as == "super" and hasattr(module.Unpickler, "persistent_load"):
                    return super(cls, unpickler).persistent_load(pid)
                return ["persistent", pid]
            body["persistent_load"] = persistent_load
        if self.watched:
            body["__getattribute__"] = watched_getattribute(module.Unpickler)
        cls = type("LoggedUnpickler", (module.Unpickler,), body)
        return cls

    def load(self, module, data, buffers):
        def run(seen):
            self.world.forget_extensions()
            options = {"fix_imports": self.load_fix_imports, "encoding": self.encoding, "buffers": buffers}
            if self.load_entry == "loads":
                return module.loads(data, **options)
            file = io.BytesIO(data) if self.reader is None else Reader(data, self.reader)
            try:
                if self.load_entry == "load":
                    return module.load(file, **options)
                cls = module.Unpickler if self.load_entry == "Unpickler" else self.unpickler_class(module)
                unpickler = cls(file, **options)
                if self.load_persistent_as == "attribute" and (
                        cls is not module.Unpickler or EXACT_INSTANCES_TAKE_HOOKS):
                    unpickler.persistent_load = lambda pid: ["persistent", pid]
                if self.find_class == "attribute" and self.load_entry == "subclass":
                    own = unpickler.find_class

                    def find_class(module_name, name):
                        LOG.append(("find_class attribute", module_name, name))
                        return own(module_name, name)
                    unpickler.find_class = find_class
                seen["objects"] = objects = []
                for _ in range(self.dumps):
                    objects.append(unpickler.load())
                    LOG.append(("memo", sorted(unpickler.memo.copy())))
                return objects
            finally:
                seen.pop("objects", None)
                seen["rest"] = file.rest() if self.reader else file.read()
        return loaded(run)


def watched_getattribute(base):
    """Logs what is looked up on a pickler or an unpickler."""
    def __getattribute__(self, name):
        LOG.append(("own attribute", name))
        return base.__getattribute__(self, name)
    return __getattribute__


def sketch(obj, depth=5):
    """Something like a repr that runs no code of the object."""
    kind = type(obj)
    if depth == 0:
        return "..."
    if kind in (list, tuple, set, frozenset):
        parts = ", ".join(sketch(each, depth - 1) for each in list(obj)[:6])
        return f"{kind.__name__}({parts}{', ...' if len(obj) > 6 else ''})"
    if kind is dict:
        parts = ", ".join(f"{sketch(key, depth - 1)}: {sketch(value, depth - 1)}"
                          for key, value in list(obj.items())[:6])
        return f"{{{parts}{', ...' if len(obj) > 6 else ''}}}"
    if hasattr(kind, "constant_hash"):
        hooks = [name for cls in kind.__mro__ for name in vars(cls)
                 if name.startswith("__") and name not in ("__module__", "__hash__", "__doc__", "__weakref__")
                 and cls.__module__ == kind.__module__]
        parts = ", ".join(f"{label}={sketch(part, depth - 1)}" for label, part in isomorphism._parts(obj))
        return f"<{name_of(kind)}({kind.base.__name__}) {' '.join(hooks)}: {parts}>"
    return describe(obj)


def run(choices, tested):
    auditing.add()
    found = []
    same_objects = choices.chance(35)
    tested_first = choices.chance(50)
    first = Trial(choices)
    worlds = [first.world]
    try:
        if same_objects:
            before = first.dump(stock)
            mine = first.dump(tested)
            theirs = first.dump(stock)
            trial = first
            if before.differences(theirs) and not before.differences(mine):
                theirs = before  # pickling has changed the objects; either answer is right
        else:
            earlier = first.dump(tested if tested_first else stock)
            first.world.close()
            trial = Trial(Choices(script=choices.made[2:]))
            worlds.append(trial.world)
            later = trial.dump(stock if tested_first else tested)
            theirs, mine = (later, earlier) if tested_first else (earlier, later)
        for field, stocks, testeds in theirs.differences(mine):
            found.append(Difference("dump", field, stocks, testeds, trial))
        if theirs.value and theirs.error is None and not found:
            data = b"".join(theirs.value)
            buffers = None if trial.buffers in (None, "in") else [bytearray(b) for b in theirs.fields["buffers"]]
            theirs = trial.load(stock, data, buffers)
            mine = trial.load(tested, data, buffers)
            for field, stocks, testeds in theirs.differences(mine):
                found.append(Difference("load", field, stocks, testeds, trial))
            if not found and theirs.error is None:
                problem = isomorphism.difference(theirs.value, mine.value)
                if problem:
                    found.append(Difference("load", "graph", problem, "", trial))
    finally:
        for world in reversed(worlds):
            world.close()
    return found
