"""Random object graphs, with classes made for them that use every hook of the pickle protocol.

A `World` is one graph and its classes, all decided by a `Choices`; the same decisions make an equal world again.
Every hook writes a line into the world's log, so that two picklers can be held to the same callbacks in the same
order. While a world is open its classes live in the module `differential_world`, and in copyreg.
"""

import array
import collections
import copyreg
import datetime
import decimal
import enum
import fractions
import functools
import io
import itertools
import math
import operator
import pathlib
import pickle
import sys
import threading
import types
import uuid

from choices import Weights

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "corpus"))
import shapes  # noqa: E402

MODULE = "differential_world"
ATTRIBUTES = ("a", "b", "c", sys.intern("\xe9t\xe9"))

# The log of the world that is open. Hooks outlive their world in loaded objects, so there is one list for all.
LOG = []
VIEWS = []


def name_of(cls):
    return type.__dict__["__name__"].__get__(cls)


def describe(obj, labels=None):
    """A short text for the log. It must not run code of the object and must not depend on addresses."""
    if labels and id(obj) in labels:
        return labels[id(obj)]
    kind = type(obj)
    if kind in (int, float, bool, str, bytes, type(None)):
        return f"{kind.__name__} {ascii(obj)[:40]}" if kind is not int or abs(obj) < 1 << 64 else "big int"
    if issubclass(kind, type):
        return f"class {name_of(obj)}"
    if kind in (list, tuple, dict, set, frozenset, bytearray):
        return f"{kind.__name__} of {len(obj)}"
    if kind in (types.FunctionType, types.BuiltinFunctionType):
        return f"function {obj.__name__}"
    return name_of(kind)


# What pickles refer to by name. They are real functions of this module, so they pickle as globals.

class Rebuilt:
    """What a reduce builds: takes items, keys and state, and logs the order."""

    def __init__(self, *args):
        LOG.append(("Rebuilt", [describe(arg) for arg in args]))
        self.args = args

    def append(self, item):
        LOG.append(("append", describe(item)))
        self.__dict__.setdefault("items", []).append(item)

    def __setitem__(self, key, value):
        LOG.append(("setitem", describe(key), describe(value)))
        self.__dict__.setdefault("pairs", []).append((key, value))


class RebuiltExtend(Rebuilt):
    def extend(self, items):
        LOG.append(("extend", describe(items)))
        self.__dict__.setdefault("items", []).extend(items)


class RebuiltState(RebuiltExtend):
    def __setstate__(self, state):
        LOG.append(("setstate", describe(state)))
        self.state = state


class RebuiltSlots:
    __slots__ = ("args", "a", "b")

    def __init__(self, *args):
        self.args = args


class Hook:
    """A callable to put into an instance's dictionary under the name of a hook. It can be pickled itself."""

    def __init__(self, name, value):
        self.name, self.value = name, value

    def __call__(self, *args):
        LOG.append(("instance hook", self.name, [describe(arg) for arg in args]))
        return self.value


def rebuild(*args):
    LOG.append(("rebuild", [describe(arg) for arg in args]))
    return Rebuilt(*args)


def rebuild_list(*args):
    LOG.append(("rebuild_list", len(args)))
    return []


def rebuild_dict(*args):
    LOG.append(("rebuild_dict", len(args)))
    return {}


def rebuild_none(*args):
    return None


def refuse(*args):
    LOG.append(("refuse", len(args)))
    raise RuntimeError("refused to rebuild")


def set_state(obj, state):
    LOG.append(("state_setter", describe(obj), describe(state)))
    try:
        vars(obj)["set"] = state
    except TypeError:
        pass


def __newobj__(cls, *args):
    """Not copyreg's, but with its name, which is all that the pickler looks at."""
    return cls.__new__(cls, *args)


def __newobj_ex__(cls, args, kwargs):
    return cls.__new__(cls, *args, **kwargs)


class Namespace:
    """Where nested classes live, and methods that pickle as getattr of something."""

    class Inner:
        def method(self):
            return self

        @classmethod
        def clsmethod(cls):
            return cls

        @staticmethod
        def static():
            return None

    def method(self):
        return self


def _local():
    class Local:
        pass

    def local():
        pass

    return Local, local


class _Odd:
    """An object that pickles by name, whose name leads nowhere or elsewhere."""

    def __init__(self, name):
        self.name = name

    def __reduce__(self):
        return self.name


def _not_importable():
    odd = lambda: None  # noqa: E731
    odd.__module__, odd.__qualname__, odd.__name__ = "no_such_module_at_all", "odd", "odd"
    return odd


def _renamed(name):
    def function():
        pass
    function.__qualname__ = function.__name__ = name
    function.__module__ = __name__
    return function


def kept_view(view):
    """A memoryview that never is garbage: Python 3.11 and 3.12 crash on one in a cycle under a PickleBuffer."""
    VIEWS.append(view)
    return view


ATOMS = Weights(
    (4, lambda c: None), (2, lambda c: c.chance(50)), (6, lambda c: c.below(300) - 20),
    (2, lambda c: c.pick((2**15, 65535, 65536, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**32, 2**63 - 1, 2**63,
                          -(2**63), 2**64, 2**200 + 1, -(2**2039), 2**2039, 10**700))),
    (3, lambda c: c.pick((0.0, -0.0, 1.5, math.inf, -math.inf, math.nan, 1e300, 5e-324, 0.1))),
    (12, lambda c: "".join(c.pick(LETTERS) for _ in range(c.below(7)))),
    (4, lambda c: c.pick(("a", "b", "key", "name", "x"))),
    (4, lambda c: bytes(c.below(256) for _ in range(c.below(5)))),
    (2, lambda c: bytearray(c.below(256) for _ in range(c.below(4)))),
    # Single bytes are cached in some places and not in others, and their identity shows in the memo.
    (2, lambda c: c.pick((bytes((c.below(3),)), bytes(bytearray((c.below(3),))), bytearray((c.below(3),))))),
    (1, lambda c: complex(c.below(3), -c.below(3))),
    (1, lambda c: c.pick((Ellipsis, NotImplemented, type(None), type(...), type(NotImplemented)))),
    (1, lambda c: c.pick((b"x" * 255, b"x" * 256, "y" * 255, "y" * 256, "\u20ac" * 86, "y" * 300))),
)
LETTERS = "abz019_ '\"\\\n\r\t\0\x1a\x7f\x80\xe9\xff\u0100\u20ac\u2028\ud800\udfff\U0001f952\U0010ffff"

STANDARD = (
    lambda c: range(c.below(5), 10, c.below(3) + 1),
    lambda c: slice(None, c.below(5), None),
    lambda c: datetime.date(2000 + c.below(50), 2, 3),
    lambda c: datetime.datetime(2024, 2, 29, 12, c.below(60), tzinfo=datetime.UTC),
    lambda c: datetime.timedelta(days=-c.below(5), seconds=3),
    lambda c: datetime.time(c.below(24), 5, fold=1),
    lambda c: decimal.Decimal(c.below(1000)) / 8,
    lambda c: fractions.Fraction(c.below(9), 7),
    lambda c: uuid.UUID(int=c.below(1000)),
    lambda c: collections.Counter("aab"[: c.below(4)]),
    lambda c: array.array("d", [1.0] * c.below(4)),
    lambda c: pathlib.PurePosixPath("/spam", str(c.below(9))),
    lambda c: c.pick(tuple(shapes.Colour)),
    lambda c: c.pick(tuple(shapes.Level)),
    lambda c: shapes.Permission(c.below(4)),
    lambda c: shapes.Pair(c.below(5), "r"),
    lambda c: shapes.Record("r", c.below(5)),
    lambda c: shapes.FrozenRecord("r", c.below(5)),
    lambda c: shapes.FrozenSlotsRecord("r", c.below(5)),
    lambda c: ValueError("spam", c.below(5)),
    lambda c: FileNotFoundError(2, "gone", "name"),
    lambda c: iter([1, 2, 3][: c.below(4)]),
    lambda c: iter((1, 2)),
    lambda c: enumerate("ab"),
    lambda c: operator.itemgetter(c.below(3)),
    lambda c: operator.attrgetter("a.b"),
    lambda c: functools.partial(rebuild, c.below(3), key=1),
    lambda c: types.SimpleNamespace(a=c.below(4)),
)

GLOBALS = (
    int, len, dict, object, type, print, list.append, str.upper, [].append, "spam".join, {}.get, int.from_bytes,
    dict.fromkeys, collections.OrderedDict, collections.UserDict, math.sin, rebuild, Rebuilt, Namespace,
    Namespace.Inner, Namespace.Inner.method, Namespace.Inner.static, Namespace.Inner.clsmethod, Namespace().method,
    Namespace.Inner().method, shapes.Outer.Inner.Deep, functools.reduce, itertools.chain, ValueError, OSError,
    BlockingIOError, EncodingWarning, pickle.PicklingError, io.BytesIO, range, map, filter, zip,
    collections.abc.Mapping,
    enum.Enum, __newobj__, copyreg.__newobj__, copyreg._reconstructor, types.FunctionType, types.SimpleNamespace,
    object.__init__, object().__init__, list[int], dict[str, list[int]], int | str, datetime.datetime.now, functools,
    abs, open, sys.intern, NotImplementedError, types.GenericAlias,
)

# Pickling these is an error, each in a way of its own.
BROKEN = (
    lambda c: lambda: None,
    lambda c: _local()[0],
    lambda c: _local()[1],
    lambda c: _local()[0](),
    lambda c: (n for n in ()),
    lambda c: threading.Lock(),
    lambda c: sys.modules[__name__],
    lambda c: (lambda: None).__code__,
    lambda c: memoryview(b"view"),
    lambda c: {}.keys(),
    lambda c: types.MappingProxyType({}),
    lambda c: property(),
    lambda c: io.StringIO(),
    lambda c: sys._getframe(),
    lambda c: _Odd("no_such_name_anywhere"),
    lambda c: _Odd("rebuild"),
    lambda c: _Odd("Namespace.Inner.nothing"),
    lambda c: _Odd("Namespace.nothing.more"),
    lambda c: _Odd(""),
    lambda c: _Odd("<locals>.x"),
    lambda c: _Odd("\u20ac"),
    lambda c: _Odd("\ud800"),
    lambda c: _Odd("new\nline"),
    lambda c: _not_importable(),
    lambda c: _renamed("rebuild"),
    lambda c: _renamed("nowhere"),
    lambda c: _renamed("Namespace.nowhere"),
    lambda c: _renamed("a.<locals>.b"),
    lambda c: _renamed("\u20acuro"),
    lambda c: type("Nowhere", (), {}),
    lambda c: type("Rebuilt", (), {"__module__": __name__}),
    lambda c: type("Nowhere", (), {"__module__": None})(),
    lambda c: type("Nowhere", (), {"__module__": "no_such_module_at_all"})(),
    lambda c: type("Nowhere", (), {"__module__": __name__})(),
    lambda c: type("Nowhere", (), {"__module__": "bad\nname"}),
    lambda c: type(sys),
    lambda c: type(sys._getframe()),
)

KINDS = Weights((36, "atom"), (14, "again"), (10, "list"), (7, "tuple"), (9, "dict"), (3, "set"), (2, "frozenset"),
                (30, "instance"), (7, "standard"), (4, "container"), (6, "global"), (2, "buffer"), (3, "broken"))
BIG = Weights((6, "list"), (6, "dict"), (4, "set"), (2, "frozenset"), (4, "str"), (4, "bytes"), (3, "bytearray"),
              (3, "strings"), (2, "unicode"), (2, "instances"))
BASES = Weights((60, object), (6, list), (6, dict), (5, tuple), (4, int), (4, str), (2, bytes), (2, float), (2, set),
                (2, frozenset), (2, bytearray), (3, Exception), (2, collections.OrderedDict),
                (2, collections.deque), (2, collections.defaultdict), (1, complex))
LAYOUTS = Weights((55, "dict"), (15, "slots"), (7, "slots and dict"), (6, "private slots"), (3, "slot string"),
                  (3, "empty slots"), (3, "weakref"), (4, "slotnames"))
PLACES = Weights((80, "module"), (10, "nested"), (2, "missing"), (2, "replaced"), (2, "local"), (2, "no module"),
                 (1, "strange module"))
REDUCES = Weights((14, "default"), (6, "callable"), (6, "class"), (8, "state"), (8, "items"), (8, "pairs"),
                  (6, "setter"), (8, "newobj"), (6, "newobj_ex"), (5, "name"), (4, "longer default"),
                  (5, "none-filled"))
MALFORMED_REDUCES = (
    lambda w, o: None, lambda w, o: 5, lambda w, o: (), lambda w, o: (rebuild,), lambda w, o: [rebuild, ()],
    lambda w, o: (rebuild, ()) + (None,) * 5, lambda w, o: ("rebuild", ()), lambda w, o: (5, ()),
    lambda w, o: (rebuild, []), lambda w, o: (rebuild, None), lambda w, o: (rebuild, 5), lambda w, o: b"rebuild",
    lambda w, o: (rebuild, (), None, [1]), lambda w, o: (rebuild, (), None, 5),
    lambda w, o: (rebuild, (), None, None, {}), lambda w, o: (rebuild, (), None, None, 5),
    lambda w, o: (rebuild, (), None, None, iter([5])), lambda w, o: (rebuild, (), None, None, iter([(1,)])),
    lambda w, o: (rebuild, (), None, None, iter([(1, 2, 3)])), lambda w, o: (rebuild, (), None, None, iter(["ab"])),
    lambda w, o: (rebuild, (), None, None, iter([(1, 2), (3,)])),
    lambda w, o: (rebuild, (), {}, None, None, 5), lambda w, o: (rebuild, (), None, None, None, 5),
    lambda w, o: (rebuild, (), None, None, None, set_state), lambda w, o: (rebuild, (), False, (), ()),
    lambda w, o: (copyreg.__newobj__, ()), lambda w, o: (copyreg.__newobj__, (5,)),
    lambda w, o: (copyreg.__newobj__, (Rebuilt,)), lambda w, o: (copyreg.__newobj__, (len,)),
    lambda w, o: (copyreg.__newobj_ex__, ()), lambda w, o: (copyreg.__newobj_ex__, (Rebuilt, ())),
    lambda w, o: (copyreg.__newobj_ex__, (type(o), [], {})), lambda w, o: (copyreg.__newobj_ex__, (type(o), (), [])),
    lambda w, o: (copyreg.__newobj_ex__, (5, (), {})), lambda w, o: (copyreg.__newobj_ex__, (Rebuilt, (), {})),
    lambda w, o: (copyreg.__newobj_ex__, (type(o), (), {}, 1)), lambda w, o: (type(o).__new__, (type(o),)),
    lambda w, o: (rebuild, (), None, w.failing_iterator()),
    lambda w, o: (rebuild, (), None, None, w.failing_iterator()),
    lambda w, o: w.fail("reduce"), lambda w, o: "", lambda w, o: "no such name", lambda w, o: "Namespace.no.such",
    lambda w, o: "\udcff", lambda w, o: (w.unpicklable(), ()), lambda w, o: (rebuild, (w.unpicklable(),)),
    lambda w, o: (rebuild, (), w.unpicklable()), lambda w, o: (rebuild, (), None, iter([1, w.unpicklable()])),
    lambda w, o: (rebuild, (), None, None, iter([(1, 2), (w.unpicklable(), 3)])),
    lambda w, o: (rebuild, (), None, None, iter([(1, w.unpicklable())])),
    lambda w, o: (rebuild, (), None, None, None, w.unpicklable()),
    lambda w, o: (rebuild, (), w.unpicklable(), None, None, set_state),
    lambda w, o: (copyreg.__newobj__, (type(o), w.unpicklable())),
    lambda w, o: (copyreg.__newobj_ex__, (type(o), (w.unpicklable(),), {})),
    lambda w, o: (copyreg.__newobj_ex__, (type(o), (), {"k": w.unpicklable()})),
    lambda w, o: (functools.partial(rebuild, w.unpicklable()), ()),
)
MALFORMED_NEWARGS = (lambda w: [], lambda w: None, lambda w: 5, lambda w: w.fail("getnewargs"),
                     lambda w: (w.unpicklable(),))
MALFORMED_NEWARGS_EX = (lambda w: [], lambda w: (), lambda w: ((),), lambda w: ([], {}), lambda w: ((), []),
                        lambda w: ((), {}, 1), lambda w: None, lambda w: w.fail("getnewargs_ex"),
                        lambda w: ((w.unpicklable(),), {}), lambda w: ((), {1: 2}))


class Slotnames(list):
    pass


class LogMeta(type):
    """Logs what the pickler asks of a class."""

    def __getattribute__(cls, name):
        LOG.append(("class attribute", name_of(cls), name))
        return super().__getattribute__(name)


class ReducedMeta(type):
    """A metaclass with a __reduce_ex__, which is never asked, and sometimes a place in copyreg, which is."""

    def __reduce_ex__(cls, protocol):
        LOG.append(("metaclass reduce_ex", name_of(cls)))
        return "rebuild"


METAS = Weights((88, type), (6, LogMeta), (4, ReducedMeta), (4, type("PlainMeta", (type,), {})))


class World:
    def __init__(self, choices, trouble=None):
        """`trouble` is how many things may go wrong in it; None leaves that to chance too."""
        self.choose = choices
        self.labels = {}      # id -> name in the log, of objects and classes
        self.keep = []        # so that the ids stay theirs
        self.pool = []        # what later nodes may refer to again
        self.open_lists = []  # mutable ones, for cycles
        self.classes = []
        self.singletons = 0
        self.buffers = 0
        self.budget = choices.pick((2, 4, 8, 15, 30, 60, 100, 200))
        self.trouble = choices.pick((0, 0, 0, 1, 1, 4)) if trouble is None else trouble
        self.module = types.ModuleType(MODULE)
        self.module.Outer = type("Outer", (), {"__module__": MODULE, "Inner": type("Inner", (), {})})
        self._saved = [(d, dict(d)) for d in (copyreg.dispatch_table, copyreg._extension_registry,
                                              copyreg._inverted_registry, copyreg._extension_cache)]
        sys.modules[MODULE] = self.module
        self.root = self.node() if choices.chance(15) else self.note([])
        if type(self.root) is list:
            while self.budget > 0:
                self.root.append(self.node())
        for _ in range(choices.below(3)):
            self.tie()

    def close(self):
        for registry, content in self._saved:
            registry.clear()
            registry.update(content)
        sys.modules.pop(MODULE, None)

    @staticmethod
    def forget_extensions():
        """Objects that extension codes have loaded before skip find_class."""
        copyreg.clear_extension_cache()

    # What hooks use while they run

    def log(self, event, obj, *rest):
        LOG.append((event, self.label(obj), *rest))

    def label(self, obj):
        return describe(obj, self.labels)

    def fail(self, where):
        raise (RuntimeError, KeyError, AttributeError, TypeError)[len(where) % 4](f"planted in {where}")

    def failing_iterator(self):
        yield 1, 2
        yield 3, 4
        self.fail("iterator")

    @staticmethod
    def unpicklable():
        return threading.Lock()

    def may_fail(self, percent=40):
        """Whether to put something malformed here."""
        if self.trouble and self.choose.chance(percent):
            self.trouble -= 1
            return True
        return False

    def logged_iterator(self, label, items):
        LOG.append(("iterator made", label, len(items)))

        def run():
            for item in items:
                LOG.append(("next", label))
                yield item
        return run()

    # Nodes

    def note(self, obj):
        self.keep.append(obj)
        self.pool.append(obj)
        return obj

    def node(self, hashable=False):
        choose = self.choose
        if self.budget <= 0:
            return self.atom(hashable)
        self.budget -= 1
        if not hashable and choose.chance(1) and choose.chance(50):
            return self.big()
        kind = choose.weighted(KINDS)
        if hashable and kind in ("list", "dict", "set", "container", "buffer", "standard"):
            kind = "atom"
        return getattr(self, "_" + kind)(hashable)

    def atom(self, hashable=False):
        atom = self.choose.weighted(ATOMS)(self.choose)
        if type(atom) is str and atom:
            # BUILD interns keys: whether a string is interned already must not depend on what was loaded before.
            self.keep.append(sys.intern(atom[:1] + atom[1:]))
        return bytes(atom) if hashable and type(atom) is bytearray else atom

    def _atom(self, hashable):
        atom = self.atom(hashable)
        if type(atom) in (str, bytes, bytearray):
            self.note(atom)
        return atom

    def _again(self, hashable):
        if not self.pool:
            return None
        obj = self.choose.pick(self.pool)
        if hashable and not self.is_hashable(obj):
            return None
        return obj

    def is_hashable(self, obj):
        if type(obj) in (tuple, frozenset):
            return all(map(self.is_hashable, obj))
        if issubclass(type(obj), type):
            return False  # hashes by address, which would order sets by chance
        return type(obj) in (str, bytes, int, float, type(None), bool) or getattr(type(obj), "constant_hash", False)

    def several(self, hashable=False):
        return [self.node(hashable) for _ in range(self.choose.below(5))]

    def _list(self, hashable):
        result = self.note([])
        self.open_lists.append(result)
        result.extend(self.several())
        return result

    def _tuple(self, hashable):
        return self.note(tuple(self.several(hashable)))

    def _dict(self, hashable):
        result = self.note({})
        self.open_lists.append(result)
        for _ in range(self.choose.below(5)):
            result[self.node(hashable=True)] = self.node()
        return result

    def _set(self, hashable):
        result = self.note(set())
        result.update(self.several(hashable=True))
        return result

    def _frozenset(self, hashable):
        return self.note(frozenset(self.several(hashable=True)))

    def _standard(self, hashable):
        return self.note(self.choose.pick(STANDARD)(self.choose))

    def _global(self, hashable):
        found = self.choose.pick(GLOBALS)
        return None if hashable else found

    def _broken(self, hashable):
        if hashable or not self.trouble:
            return None
        self.trouble -= 1
        return self.note(self.choose.pick(BROKEN)(self.choose))

    def _container(self, hashable):
        kind = self.choose.below(5)
        if kind == 0:
            result = collections.OrderedDict()
        elif kind == 1:
            result = collections.defaultdict(self.choose.pick((list, None, rebuild)))
        elif kind == 2:
            result = collections.deque(maxlen=self.choose.pick((None, 4)))
        elif kind == 3:
            result = types.SimpleNamespace()
        else:
            result = Rebuilt()
            LOG.clear()
        self.note(result)
        if kind < 2:
            for _ in range(self.choose.below(4)):
                result[self.node(hashable=True)] = self.node()
        elif kind == 2:
            result.extend(self.several())
        else:
            vars(result).update((self.choose.pick("abc"), self.node()) for _ in range(self.choose.below(3)))
        return result

    def _buffer(self, hashable):
        data = b"buffer%d" % self.buffers
        self.buffers += 1
        kind = self.choose.below(8)
        if kind == 7 and self.may_fail(100):
            if self.choose.chance(50):
                buffer = pickle.PickleBuffer(data)
                buffer.release()
                return self.note(buffer)
            return self.note(pickle.PickleBuffer(kept_view(memoryview(data)[::2])))
        if kind == 6:
            data = kept_view(memoryview(bytearray(data * 2)).cast("B", (2, len(data))))
        elif kind == 5:
            data = bytearray(data * 9000)
        elif kind in (3, 4):
            data = array.array("i", [1, 2, 3])
        elif kind == 2:
            data = bytearray(data)
        elif kind == 1:
            data = b""
        return self.note(pickle.PickleBuffer(data))

    def big(self):
        """Around the sizes at which picklers change their ways: batches of 1000, frames of 64 KiB."""
        choose = self.choose
        kind = choose.weighted(BIG)
        count = choose.pick((999, 1000, 1001, 2000, 2001, 1002, 3000))
        length = choose.pick((65535, 65536, 65537, 65530, 65520, 65500, 131072, 200000, 70000)) - choose.below(12)
        if kind == "list":
            return self.note([None] * (count - 1) + [self.node()])
        if kind == "dict":
            return self.note(dict.fromkeys(range(count), self.node()))
        if kind == "set":
            return self.note(set(range(count)))
        if kind == "frozenset":
            return self.note(frozenset(range(count)))
        if kind == "str":
            return self.note("s" * length)
        if kind == "bytes":
            return self.note(b"b" * length)
        if kind == "bytearray":
            return self.note(bytearray(b"a" * length))
        if kind == "strings":
            return self.note([f"piece{n}" * 40 for n in range(choose.pick((200, 400, 800)))])
        if kind == "unicode":
            return self.note("\u20ac" * (length // 3) + choose.pick(("", "x", "\ud800")))
        return self.note([self._instance(False) for _ in range(20)] * choose.pick((50, 51)))

    def tie(self):
        """One more reference between what is there, mostly backwards, which makes a cycle."""
        if not self.open_lists:
            return
        target, part = self.choose.pick(self.open_lists), self.choose.pick(self.pool)
        if type(target) is list:
            target.append(part)
        elif type(target) is dict:
            target["tied"] = part
        else:
            self.set_attribute(target, "tied", part)

    # Instances

    def set_attribute(self, obj, name, value):
        try:
            object.__setattr__(obj, name, value)
        except AttributeError:
            pass

    def _instance(self, hashable):
        choose = self.choose
        if self.classes and choose.chance(55):
            cls = choose.pick(self.classes)
        else:
            cls = self.make_class()
        if hashable and not cls.constant_hash:
            return None
        base = cls.base
        if base in (int, float, complex):
            obj = base.__new__(cls, choose.below(300))
        elif base in (str, bytes, bytearray):
            obj = base.__new__(cls, *(("text",) if base is str else (b"data",)))
            if base is bytearray:
                base.__init__(obj, b"data")
        elif base in (tuple, frozenset):
            obj = base.__new__(cls, self.several(hashable=base is frozenset))
        else:
            obj = base.__new__(cls)
        self.note(obj)
        self.labels[id(obj)] = f"{name_of(cls)}#{len(self.labels)}"
        if base in (list, collections.deque):
            for item in self.several():
                base.append(obj, item)
        elif base is set:
            base.update(obj, self.several(hashable=True))
        elif base in (dict, collections.OrderedDict, collections.defaultdict):
            for _ in range(choose.below(3)):
                base.__setitem__(obj, self.node(hashable=True), self.node())
        elif base is Exception:
            obj.args = tuple(self.several())
        for name in choose.some(ATTRIBUTES, 40):
            self.set_attribute(obj, name, self.node())
        if cls.private and choose.chance(60):
            self.set_attribute(obj, f"_{name_of(cls).lstrip('_')}__hidden", self.node())
        if cls.has_dict:
            self.open_lists.append(obj)
            if choose.chance(4):
                object.__getattribute__(obj, "__dict__")[self.node(hashable=True)] = self.node()
            if choose.chance(6):
                self.instance_hook(obj)
        return obj

    def instance_hook(self, obj):
        """A hook that is only in the instance's dictionary: some are honoured, others are just state."""
        name = self.choose.pick(("__reduce_ex__", "__getstate__", "__reduce__", "__getnewargs__", "__setstate__",
                                 "__getnewargs_ex__", "__class__", "__dict__", "__slots__"))
        value = {"__reduce_ex__": (rebuild, (1,)), "__getstate__": {"a": 1}}.get(name, ())
        object.__getattribute__(obj, "__dict__")[name] = Hook(name, value)

    # Classes

    def make_class(self):
        choose = self.choose
        parent = None
        if self.classes and choose.chance(15):
            parent = choose.pick(self.classes)
        base = parent.base if parent else choose.weighted(BASES)
        name = f"{choose.pick(('C', 'C', 'C', '_C'))}{len(self.classes)}"
        layout = choose.weighted(LAYOUTS)
        if base in (int, tuple, bytes) and layout not in ("dict", "slotnames"):
            layout = "dict"
        place = choose.weighted(PLACES)
        if place not in ("module", "nested") and not self.may_fail(100):
            place = "module"
        namespace = {"__module__": MODULE, "__qualname__": name, "base": base, "private": False}
        namespace["constant_hash"] = base is object and not (parent and not parent.constant_hash)
        if namespace["constant_hash"]:
            number = len(self.classes)
            namespace["__hash__"] = lambda self: number
            if choose.chance(2):
                namespace["__hash__"] = lambda self: len(object.__getattribute__(self, "a"))
                namespace["constant_hash"] = False
        slots = {"slots": ("a", "b"), "slots and dict": ("a", "__dict__"), "private slots": ("__hidden", "a"),
                 "slot string": "a", "empty slots": (), "weakref": ("a", "__weakref__")}.get(layout)
        if slots is not None and not (parent and layout == "weakref" and hasattr(parent, "__weakref__")):
            if layout == "slots and dict" and (parent or base is Exception):
                slots = ("a",)
            namespace["__slots__"] = slots
            namespace["private"] = layout == "private slots"
        elif layout == "slotnames":
            wrong = self.may_fail()
            namespace["__slotnames__"] = choose.pick((None, 5, ("a",))) if wrong else choose.pick(
                ([], ["a"], ["a", "nothing"], Slotnames(["a"])))
        self.add_hooks(namespace, name, base)
        if parent:
            self.drop_conflicts(namespace)
        try:
            meta = type(parent) if parent else choose.weighted(METAS)
            cls = meta(name, (parent or base,), namespace)
        except TypeError:  # slots that this base cannot have
            namespace.pop("__slots__")
            cls = type(name, (parent or base,), namespace)
        type.__setattr__(cls, "has_dict", bool(type.__getattribute__(cls, "__dictoffset__")))
        self.place(cls, name, place)
        self.classes.append(cls)
        self.keep.append(cls)
        if choose.chance(8):
            self.pool.append(cls)
        if place in ("module", "nested"):
            self.register(cls)
        return cls

    def drop_conflicts(self, namespace):
        if "__slots__" in namespace and "__dict__" in namespace["__slots__"]:
            namespace["__slots__"] = ("a",)

    def place(self, cls, name, place):
        setter = functools.partial(type.__setattr__, cls)
        if place == "module":
            setattr(self.module, name, cls)
        elif place == "nested":
            setter("__qualname__", f"Outer.{name}")
            setattr(self.module.Outer, name, cls)
        elif place == "replaced":
            setattr(self.module, name, self.choose.pick((object, 5, None)))
        elif place == "local":
            setter("__qualname__", f"function.<locals>.{name}")
        elif place == "no module":
            setter("__module__", None)
            if self.choose.chance(50):
                setattr(self.module, name, cls)
        elif place == "strange module":
            setter("__module__", self.choose.pick((5, "no_such_module_at_all", "", "sys", "a.b.c")))

    def register(self, cls):
        choose = self.choose
        if type(cls) is ReducedMeta and choose.chance(50):
            copyreg.pickle(ReducedMeta, self.reducer("metaclass in copyreg"))
        if choose.chance(6):
            copyreg.pickle(cls, self.reducer(f"copyreg {name_of(cls)}"))
        if choose.chance(8):
            code = choose.pick((1, 2, 200, 255, 256, 257, 65535, 65536, 0x7FFFFFFF))
            try:
                copyreg.add_extension(MODULE, type.__getattribute__(cls, "__qualname__"), code)
            except ValueError:
                pass
            if self.trouble and choose.chance(10):
                key = (MODULE, type.__getattribute__(cls, "__qualname__"))
                copyreg._extension_registry[key] = choose.pick((0, -1, "x", 2**31, None))

    def add_hooks(self, namespace, name, base):
        choose = self.choose
        add = namespace.__setitem__

        def logged(event, function):
            def hook(obj, *args):
                self.log(event, obj, *map(self.label, args))
                return function(obj, *args)
            return hook

        if choose.chance(12):
            add("__getattr__", self.getattr_hook())
        if choose.chance(8):
            fetch = base.__getattribute__
            add("__getattribute__", logged("getattribute", lambda obj, attribute: fetch(obj, attribute)))
        if choose.chance(10):
            add("__setattr__", logged("setattr", lambda obj, attribute, value:
                                      base.__setattr__(obj, attribute, value)))
        if choose.chance(12):
            create = base.__new__
            takes = base not in (object, list, dict, set, collections.deque, collections.defaultdict)

            def new(cls, *args, **kwargs):
                LOG.append(("new", name_of(cls), [describe(arg) for arg in args], sorted(kwargs)))
                return create(cls, *args[:1]) if takes else create(cls)
            add("__new__", new)
        if choose.chance(8):
            def init(obj, *args, **kwargs):
                LOG.append(("init", name_of(type(obj)), len(args), sorted(kwargs)))
            add("__init__", init)
        if choose.chance(10):
            add("__getnewargs__", self.newargs_hook(MALFORMED_NEWARGS, lambda values: tuple(values)))
        if choose.chance(10):
            add("__getnewargs_ex__", self.newargs_hook(
                MALFORMED_NEWARGS_EX, lambda values: (tuple(values), dict(zip(("k", "l", "\xe9"), values)))))
        if choose.chance(22):
            add("__getstate__", self.getstate_hook())
        if choose.chance(22):
            add("__setstate__", self.setstate_hook())
        if choose.chance(14):
            add("__reduce__", self.reducer(f"reduce {name}"))
        if choose.chance(14):
            reducer = self.reducer(f"reduce_ex {name}")
            add("__reduce_ex__", choose.pick((reducer, reducer, reducer, reducer, property(
                lambda obj: functools.partial(reducer, obj)))))
        if choose.chance(2):
            add("__class__", property(logged("__class__", lambda obj: object)))
        if choose.chance(2):
            add("__dict__", property(logged("__dict__", lambda obj: {"from": "a property"})))
        if self.trouble and choose.chance(4):
            self.trouble -= 1
            add(choose.pick(("__reduce_ex__", "__reduce__", "__getstate__", "__setstate__", "__getnewargs__",
                             "__getnewargs_ex__")), choose.pick((None, 5)))
        if base in (list, collections.deque) and choose.chance(30):
            add("append", logged("append", lambda obj, item: base.append(obj, item)))
        if base in (list, collections.deque) and choose.chance(30):
            add("extend", logged("extend", lambda obj, items: base.extend(obj, items)))
        if base in (dict, collections.OrderedDict, collections.defaultdict) and choose.chance(30):
            add("__setitem__", logged("setitem", lambda obj, key, value: base.__setitem__(obj, key, value)))
            if choose.chance(30):
                add("items", logged("items", lambda obj: base.items(obj)))
        if base in (set, frozenset, list, tuple, dict) and choose.chance(10):
            add("__iter__", logged("iter", lambda obj: base.__iter__(obj)))
        if choose.chance(3):
            add("__bool__", logged("bool", lambda obj: False))
            add("__len__", logged("len", lambda obj: 0))
        if base is object and choose.chance(3):
            add("__eq__", logged("eq", lambda obj, other: obj is other))

    def getattr_hook(self):
        outcome = self.choose.pick(("missing", "missing", "missing", "value"))
        if self.may_fail(30):
            outcome = "fail"

        def getattr_hook(obj, name):
            self.log("getattr", obj, name)
            if outcome == "fail":
                raise KeyError(f"planted in getattr of {name}")
            if outcome == "value" and not name.startswith("__"):
                return "from getattr"
            if outcome == "value" and name == "__setstate__":
                return lambda state: LOG.append(("setstate from getattr", describe(state)))
            raise AttributeError(f"no {name} here")
        return getattr_hook

    def newargs_hook(self, malformed, well_formed):
        if self.may_fail():
            wrong = self.choose.pick(malformed)

            def newargs(obj):
                self.log("newargs", obj)
                return wrong(self)
        else:
            values = self.several()

            def newargs(obj):
                self.log("newargs", obj)
                return well_formed(values)
        return newargs

    def getstate_hook(self):
        choose = self.choose
        kind = choose.below(12)
        value = self.node()
        if self.may_fail(20):
            def state(obj):
                return self.fail("getstate")
        elif kind == 0:
            def state(obj):
                return object.__getstate__(obj)
        else:
            fixed = (None, {"a": value}, None, False, 0, "", {}, (None, {"a": value}), ({"a": 1}, {"b": value}),
                     value, (1, 2), [value], {"a": 1, "b": 2, "\xe9": 3, 4: 5})[kind]

            def state(obj):
                return fixed

        def getstate(obj):
            self.log("getstate", obj)
            return state(obj)
        return getstate

    def setstate_hook(self):
        fails = self.may_fail(15)

        def setstate(obj, state):
            LOG.append(("setstate", name_of(type(obj)), describe(state)))
            if fails:
                raise ValueError("planted in setstate")
            self.set_attribute(obj, "a", state)
        return setstate

    def reducer(self, label):
        """A function for __reduce__, __reduce_ex__, copyreg, a dispatch table or reducer_override."""
        choose = self.choose
        if self.may_fail():
            make = choose.pick(MALFORMED_REDUCES)
            result = lambda obj, protocol: make(self, obj)  # noqa: E731
        else:
            result = self.well_formed(label)

        def reduce(obj, *protocol):
            self.log(label, obj, *protocol)
            return result(obj, *(protocol or (2,)))
        return reduce

    def well_formed(self, label):
        choose = self.choose
        kind = choose.weighted(REDUCES)
        function = choose.pick((rebuild, Rebuilt, RebuiltExtend, RebuiltState, RebuiltSlots, rebuild_list,
                                rebuild_dict, list, dict, rebuild_none, refuse))
        args = tuple(self.several()) if function not in (list, dict) else ()
        state = choose.pick((None, self.node(), {"a": self.node()}, (None, {"a": 1}), {}, 0))
        items = self.several() * choose.pick((1, 1, 1, 1, 300))
        pairs = [(self.node(hashable=True), value) for value in self.several()]

        def default(obj, protocol):
            return object.__reduce_ex__(obj, protocol) if not kinds_conflict(obj) else (rebuild, ())

        def kinds_conflict(obj):
            # object.__reduce_ex__ would call an overridden __reduce__ again, without end.
            return type.__getattribute__(type(obj), "__reduce__") is not object.__reduce__

        if kind == "default":
            return default
        if kind == "longer default":
            return lambda obj, protocol: (tuple(default(obj, protocol)) + (None,) * 6)[:5]
        if kind == "callable":
            return lambda obj, protocol: (function, args)
        if kind == "class":
            return lambda obj, protocol: (type(obj), args, state)
        if kind == "state":
            return lambda obj, protocol: (function, args, state)
        if kind == "items":
            return lambda obj, protocol: (function, args, state, self.logged_iterator(label, items))
        if kind == "pairs":
            return lambda obj, protocol: (function, args, None, None, self.logged_iterator(label, pairs))
        if kind == "setter":
            return lambda obj, protocol: (function, args, state, None, None, set_state)
        if kind == "newobj":
            newobj = choose.pick((copyreg.__newobj__, __newobj__))
            return lambda obj, protocol: (newobj, (type(obj), *args[:1]), state)
        if kind == "newobj_ex":
            newobj_ex = choose.pick((copyreg.__newobj_ex__, __newobj_ex__))
            kwargs = dict(zip(("k", "l"), items))
            return lambda obj, protocol: (newobj_ex, (type(obj), args[:1], kwargs), state)
        if kind == "none-filled":
            return lambda obj, protocol: (function, args, None, None, None, None)[: 2 + len(items) % 5]
        name = f"singleton{self.singletons}"
        self.singletons += 1

        def by_name(obj, protocol):
            setattr(self.module, name, obj)
            return name
        return by_name
