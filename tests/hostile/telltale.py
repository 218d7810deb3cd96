"""What the pickles of grammar.py reach: classes of every kind that BUILD treats differently, and functions to call.

Where Python code of theirs runs, it says so in LOG, so that the order of calls can be compared.
"""

import collections
import typing

LOG: list[tuple[str, ...]] = []


class Plain:
    pass


class Shadowing(Plain):
    """BUILD writes to the dict whatever the class has under that name, but sets slot states like anyone."""

    b = property(lambda self: LOG.append(("get b",)))


class Slots:
    __slots__ = ("a", "b", "c")


class MoreSlots(Slots):
    __slots__ = ("d",)


class SlotsAndDict(Slots):
    """No __slots__ of its own, so it has a dictionary too."""


class SlotsShadowing(Slots):
    __slots__ = ()
    b = property(lambda self: vars(Slots)["b"].__get__(self), lambda self, value: LOG.append(("set b",)))


class TwoNames:
    __slots__ = ("a", "c")
    b: typing.Any


TwoNames.b = TwoNames.__dict__["a"]


class SetState:
    def __setstate__(self, state: object) -> None:
        LOG.append(("setstate", type(state).__name__))
        self.state = state


class SetAttr:
    def __setattr__(self, name: str, value: object) -> None:
        LOG.append(("setattr", name, type(value).__name__))
        object.__setattr__(self, name, value)


class SlotsSetAttr:
    __slots__ = ("a", "b", "c")
    __setattr__ = SetAttr.__setattr__


class GetAttr:
    def __getattr__(self, name: str) -> object:
        LOG.append(("getattr", name))
        raise AttributeError(name)


class New:
    def __new__(cls, *args: object, **kwargs: object) -> "New":
        LOG.append(("new", str(len(args)), *kwargs))
        return object.__new__(cls)


class Dying:
    def __del__(self) -> None:
        LOG.append(("del", *[name for name in vars(self) if type(name) is str]))


class ListSub(list[object]):
    pass


class DictSub(dict[object, object]):
    def __setitem__(self, key: object, value: object) -> None:
        LOG.append(("setitem", type(key).__name__))
        dict.__setitem__(self, key, value)


class TupleSub(tuple[object, ...]):
    pass


Nothing = collections.namedtuple("Nothing", "")
One = collections.namedtuple("One", "a")
Pair = collections.namedtuple("Pair", "a b")
Five = collections.namedtuple("Five", "a b c d e")


class PairAndDict(Pair):
    pass


class PairAlone(Pair):
    __slots__ = ()


def arguments(*args: object) -> tuple[object, ...]:
    LOG.append(("arguments", str(len(args))))
    return args


def first(obj: object = None, *rest: object) -> object:
    LOG.append(("first", type(obj).__name__))
    return obj


def attributes(obj: object) -> dict[str, object]:
    return vars(obj)
