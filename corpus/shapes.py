"""Importable classes that the corpus and the tests pickle: one for each way a class can describe itself."""

import collections
import copyreg
import dataclasses
import enum


class Plain:
    """Attributes in ``__dict__``; ``__init__`` must not run on load."""

    def __init__(self, *args, **attributes):
        if args:
            raise AssertionError("__init__ must not be called with positional arguments")
        self.__dict__.update(attributes)


class Slotted:
    __slots__ = ("x", "y")


class PrivateSlots:
    __slots__ = ("__hidden", "shown")

    def hide(self, value):
        self.__hidden = value


class SlotsAndDict(Slotted):
    """No ``__slots__`` of its own, so it has a dictionary too."""


class NewArgs:
    def __new__(cls, x, y=None):
        self = object.__new__(cls)
        self.x, self.y = x, y
        return self

    def __getnewargs__(self):
        return self.x, self.y


class NewArgsEx:
    def __new__(cls, x, *, key):
        self = object.__new__(cls)
        self.x, self.key = x, key
        return self

    def __getnewargs_ex__(self):
        return (self.x,), {"key": self.key}


class State:
    """``__getstate__`` gives what it was told to; ``__setstate__`` keeps what it gets."""

    def __init__(self, state):
        self.state = state

    def __getstate__(self):
        return self.state

    def __setstate__(self, state):
        self.state = state


class StateAsDict:
    def __getstate__(self):
        return {"kept": 1}


class Reduced:
    """``__reduce__`` with all the items that the test asks for."""

    def __init__(self, *items):
        self.__dict__["items"] = items

    def __reduce__(self):
        items = list(self.items)
        for index in (3, 4):
            if len(items) > index and items[index] is not None:
                items[index] = iter(items[index])
        return tuple(items)


class Singleton:
    def __reduce__(self):
        return "SINGLETON"


SINGLETON = Singleton()


class Sink:
    """What a reduce can build: takes items, keys and state, and remembers the order."""

    def __init__(self, *args):
        self.calls = [("init", args)]

    def append(self, item):
        self.calls.append(("append", item))

    def extend(self, items):
        self.calls.append(("extend", list(items)))

    def __setitem__(self, key, value):
        self.calls.append(("setitem", key, value))

    def __setstate__(self, state):
        self.calls.append(("setstate", state))


def sink(*args):
    return Sink(*args)


def set_state(obj, state):
    obj.calls.append(("state_setter", state))


class ListSub(list):
    pass


class DictSub(dict):
    pass


class TupleSub(tuple):
    pass


class SetSub(set):
    pass


class FrozenSetSub(frozenset):
    pass


class IntSub(int):
    pass


class FloatSub(float):
    pass


class StrSub(str):
    pass


class BytesSub(bytes):
    pass


class ByteArraySub(bytearray):
    pass


class Trouble(Exception):
    pass


class Colour(enum.Enum):
    RED = 1
    GREEN = "green"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 300


class Permission(enum.Flag):
    READ = 1
    WRITE = 2


Pair = collections.namedtuple("Pair", "left right")


@dataclasses.dataclass
class Record:
    name: str
    size: int = 0


@dataclasses.dataclass(frozen=True)
class FrozenRecord:
    name: str
    size: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class FrozenSlotsRecord:
    name: str
    size: int = 0


class Meta(type):
    pass


class WithMeta(metaclass=Meta):
    pass


class Outer:
    class Inner:
        class Deep:
            pass

        def method(self):
            return self

    @staticmethod
    def static():
        return "static"

    @classmethod
    def clsmethod(cls):
        return cls

    def method(self):
        return self


def function(*args, **kwargs):
    return args, kwargs


class Extended:
    """Meant for the extension registry; see ``EXTENSIONS``."""


class Extended2:
    pass


class Extended4:
    pass


EXTENSIONS = {Extended: 0xF0, Extended2: 0xF0F0, Extended4: 0x7FFFFFF0}


class Ducked:
    """Pickled through the dispatch table of copyreg."""


copyreg.pickle(Ducked, lambda obj: (Ducked, ()))


def register_extensions():
    for cls, code in EXTENSIONS.items():
        copyreg.add_extension(cls.__module__, cls.__qualname__, code)


def unregister_extensions():
    for cls, code in EXTENSIONS.items():
        copyreg.remove_extension(cls.__module__, cls.__qualname__, code)
    copyreg.clear_extension_cache()
