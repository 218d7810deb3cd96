"""The shortcuts of dumps: each hazard of shortcuts that was known, as a test against the interpreter's own pickle.

HALFSOUR_GENERIC=1 switches the shortcuts off; these tests must pass both ways.
"""

import _compat_pickle
import _pickle as stock
import abc
import builtins
import collections
import contextlib
import copyreg
import dataclasses
import datetime
import enum
import functools
import io
import os
import random
import re
import subprocess
import sys
import types
import typing
import weakref

import pytest

import halfsour._pickle as ours

PROTOCOLS = range(6)


class Plain:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class Inline:
    def __init__(self, *values):
        for name, value in zip("abcdefgh", values):
            setattr(self, name, value)


class Slots:
    __slots__ = ("x", "y")


class SlotsAndDict:
    __slots__ = ("x", "y", "__dict__", "__weakref__")


class SlotsBelow(Slots):
    __slots__ = ("z",)


@dataclasses.dataclass(slots=True)
class Record:
    a: object
    b: object


@dataclasses.dataclass(slots=True, frozen=True)
class Frozen:
    a: object
    b: object


Pair = collections.namedtuple("Pair", "left right")


class PairBelow(Pair):
    __slots__ = ()


class Colour(enum.Enum):
    RED = 1
    BLUE = "b"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 300


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Mode(enum.IntFlag):
    READ = 1
    WRITE = 2


class Label(enum.StrEnum):
    FIRST = "first"


class Held(enum.Enum):
    """Values that need frames: containers, a member of another enum, one with a hook, one that holds its member."""

    TUPLE = (1, ("two", [3]))
    LIST = [1, "two"]
    OTHER = Colour.RED
    ITSELF = ["itself"]


Held.ITSELF.value.append(Held.ITSELF)


class Abstract(abc.ABC):  # noqa: B024 (its metaclass is what matters)
    def __init__(self, *values):
        for name, value in zip("abcdefgh", values):
            setattr(self, name, value)


class WithState:
    def __init__(self, value):
        self.value = value

    def __getstate__(self):
        return {"value": self.value, "made": [self.value, ("t", self.value)]}


class Reduced:
    def __init__(self, *args):
        self.args = args

    def __reduce__(self):
        return Reduced, tuple(list(self.args))


class ReducedWithState(Reduced):
    def __reduce__(self):
        return ReducedWithState, (), {"args": self.args}


def slots(cls, **values):
    made = cls()
    for name, value in values.items():
        setattr(made, name, value)
    return made


def outcome(dump):
    """The bytes, or the exception's type, text and notes."""
    try:
        return dump()
    except Exception as error:
        said = [str(error), *getattr(error, "__notes__", [])]
        return type(error), [re.sub("0x[0-9a-f]+", "address", text) for text in said]


class Chunks:
    def __init__(self):
        self.chunks = []

    def write(self, data):
        self.chunks.append(bytes(data))


def dumped(module, make, protocol, way):
    if way == "dumps":
        return outcome(lambda: module.dumps(make(), protocol))
    file = Chunks()
    if way == "dump":
        return outcome(lambda: module.dump(make(), file, protocol)), file.chunks
    if way == "dump in C":
        # What is written in C is given its frames at the end.
        chunks = []
        to = types.SimpleNamespace(write=chunks.append)
        return outcome(lambda: module.dump(make(), to, protocol)), [bytes(chunk) for chunk in chunks]
    if way == "pickler":
        # Twice, with the memo of the first; what the memo holds is seen too.
        pickler = module.Pickler(file, protocol)
        obj = make()
        results = [outcome(lambda: pickler.dump(obj)), outcome(lambda: pickler.dump([obj, obj]))]
        memo = sorted((index, type(held).__name__) for index, held in pickler.memo.copy().values())
        return results, file.chunks, memo
    if way == "subclass":
        class Sub(module.Pickler):
            pass
        return outcome(lambda: Sub(file, protocol).dump(make())), file.chunks
    if way == "table":
        pickler = module.Pickler(file, protocol)
        pickler.dispatch_table = copyreg.dispatch_table.copy()
        return outcome(lambda: pickler.dump(make())), file.chunks
    raise AssertionError(way)


WAYS = ["dumps", "dump", "dump in C", "pickler", "subclass", "table"]


def check(make, protocols=PROTOCOLS, ways=WAYS):
    """`make` makes the object anew for each, since pickling leaves traces in objects."""
    for protocol in protocols:
        for way in ways:
            assert dumped(ours, make, protocol, way) == dumped(stock, make, protocol, way), (protocol, way)


class NewArguments:
    def __new__(cls, *args):
        made = object.__new__(cls)
        return made

    def __init__(self, first=None, second=None, attribute=None):
        NewArguments.given[id(self)] = first, second
        if attribute:
            self.attribute = attribute

    given: dict = {}

    def __getnewargs__(self):
        return NewArguments.given[id(self)]


class NewArgumentsAndState(NewArguments):
    def __getstate__(self):
        return {"state": text(5), "number": 6}


class NewArgumentsAndSlots(NewArguments):
    __slots__ = ("slot",)

    def __init__(self, first, second):
        super().__init__(first, second)
        self.slot = text(7)


class StrWithArguments(str):
    def __getnewargs__(self):
        return (str(self),)


def text(number):
    """A string that nobody else has."""
    return "text number " + str(number)


SHAPES = {
    "plain": lambda: Plain(a=1, b=text(1)),
    "inline": lambda: Inline(1, text(2), [3], None),
    "empty": lambda: Plain(),
    "one attribute": lambda: Inline(text(1)),
    "slots": lambda: slots(Slots, x=text(1), y=[2]),
    "one slot": lambda: slots(Slots, y=text(1)),
    "no slot": lambda: Slots(),
    "slots and dict": lambda: slots(SlotsAndDict, x=1, y=text(2), z=text(3), w=4),
    "slots and one attribute": lambda: slots(SlotsAndDict, x=1, y=text(2), z=text(3)),
    "dict of slots and dict": lambda: slots(SlotsAndDict, z=text(3), w=4),
    "slots of a base": lambda: slots(SlotsBelow, x=1, z=text(3)),
    "record": lambda: Record(text(1), [text(2)]),
    "frozen record": lambda: Frozen(text(1), [text(2)]),
    "namedtuple": lambda: Pair(text(1), [text(2)]),
    "namedtuple below": lambda: PairBelow(text(1), 2),
    "enum": lambda: Colour.BLUE,
    "enums": lambda: [(Colour.RED, Level.HIGH, Level.LOW), {Level.HIGH: Colour.RED, Label.FIRST: Mode.READ}, Held.OTHER],
    "flags": lambda: [Access.READ, Access.READ | Access.WRITE, Access(0), Mode.READ | Mode.WRITE, Mode(9), ~Mode.READ],
    "enum with containers": lambda: [Held.TUPLE, Held.LIST, Held.LIST.value, Held.TUPLE.value, Held.TUPLE],
    "enum that holds itself": lambda: [Held.ITSELF, Held.ITSELF.value],
    "abstract base": lambda: Abstract(text(1), 2, [3]),
    "datetime": lambda: datetime.datetime(2026, 11, 24, 16, 16, 1, 5),
    "datetime with fold": lambda: datetime.datetime(2026, 11, 24, 16, fold=1),
    "datetime with zone": lambda: datetime.datetime(2026, 11, 24, tzinfo=datetime.UTC),
    "date": lambda: datetime.date(2026, 11, 24),
    "time": lambda: datetime.time(1, 2, 3, 4, fold=1),
    "timedelta": lambda: datetime.timedelta(-1, 2, 3),
    "state": lambda: WithState(text(1)),
    "reduce": lambda: Reduced(text(1), [text(2)]),
    "reduce with state": lambda: ReducedWithState(text(1), 2),
    "new arguments": lambda: NewArguments(text(1), 2),
    "new arguments of containers": lambda: NewArguments([text(1)], (2,)),
    "new arguments and attributes": lambda: NewArguments(text(1), 2, text(3)),
    "new arguments and state": lambda: NewArgumentsAndState(text(1), 2),
    "new arguments and slots": lambda: NewArgumentsAndSlots(text(1), 2),
    "new arguments of a str": lambda: StrWithArguments(text(1)),
    "list": lambda: [text(1), [], [1], [1, 2]],
    "dict": lambda: {text(1): {}, 2: {3: 4}, (5, text(6)): {text(7): 8, "x": None}},
    "set": lambda: {1},
    "frozenset": lambda: frozenset([text(1)]),
    "tuple": lambda: ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), (text(1), [2])),
    "numbers": lambda: [0, 255, 256, 65535, 65536, 2**31 - 1, -2**31, 2**31, -2**31 - 1, 2**63, -2**63, 2**64, -1,
                        2**30, -2**30, 127, 128, 2**39, -2**39, 2**600, 1.5, -0.0, True, False, None],
    "strings": lambda: ["", "a", "é", "€uro", "\U0001f952", "\udc80", text(1), "x" * 255, "y" * 256, "ä" * 200,
                        "z" * 70_000, "ö" * 70_000],
    "bytes": lambda: [b"", b"a", b"b" * 255, b"c" * 256, b"d" * 70_000, bytearray(b"e"), bytearray(70_000)],
    "class": lambda: [Plain, Pair, Colour, int, datetime.datetime, type(None), type],
    "function": lambda: [text, len, outcome],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(shape):
    make = SHAPES[shape]
    check(make)
    check(lambda: [make() for _ in range(3)])
    check(lambda: [[item, item, (item, text(1)), {"key": item}] for item in [make()]])
    check(lambda: Inline(make(), {"in": make()}, (make(),)))
    check(lambda: [Inline(make()), WithState(make()), Reduced(make()), Inline(make())])


@pytest.mark.parametrize("other", SHAPES)
def test_pairs_of_shapes(other):
    for make in SHAPES.values():
        check(lambda: [make(), SHAPES[other](), make()], [2, 4, 5], ["dumps", "pickler"])


@pytest.mark.parametrize("returned", [None, [1], "text", (), Pair(1, 2), (text(1),)])
def test_what_getnewargs_returns(returned):
    class Local:
        __getnewargs__ = lambda self: returned  # noqa: E731
        __qualname__ = "Local"
    Local.__module__, Local.__qualname__ = __name__, "TheLocal"
    globals()["TheLocal"] = Local
    check(lambda: [Local(), Local()], [2, 4, 5])
    if returned == ():
        # The tuple that is returned is not the one that is written.
        shared = (text(1), [2])
        Local.__getnewargs__ = lambda self: shared
        check(lambda: [shared, Local(), Local(), shared], [2, 4, 5])


@pytest.mark.parametrize("letters", ["é", "aé", "€b", "\U0001f952", "x\U0001f952é"])
def test_strings_that_keep_their_encoding(letters):
    """A string that is not all ASCII keeps its UTF-8, once somebody has asked for it."""
    def make(kept):
        fresh = ["".join([letters] * count) for count in (1, 2, 100, 50_000)]
        if kept:
            stock.dumps(fresh)
        return [fresh, {key: key for key in fresh}]
    for kept in (False, True):
        check(lambda kept=kept: make(kept))


def test_sets_with_holes():
    """Elements that were removed leave their places in the table behind."""
    def make(size):
        holes = {7 * number for number in range(size)} | {text(number) for number in range(size)}
        for number in range(0, size, 3):
            holes.discard(7 * number)
            holes.discard(text(number))
        emptied = set(range(size))
        while emptied:
            emptied.pop()
        return [holes, frozenset(holes), emptied, {None}, {frozenset({1}), (1, 2)}]
    for size in (0, 1, 5, 40, 3000):
        check(lambda size=size: make(size))


def test_getnewargs_of_the_instance():
    def make():
        hidden = NewArguments(1, 2)
        hidden.__getnewargs__ = lambda: (3, 4)
        hidden.__getnewargs_ex__ = lambda: ((3, 4), {})
        del hidden.__getnewargs__, hidden.__getnewargs_ex__
        return [hidden]
    check(make, [2, 4])

    def visible():
        it = NewArguments(1, 2)
        it.__dict__["__getnewargs__"] = NewArguments
        it.__dict__["__getnewargs_ex__"] = NewArguments
        return [it, it]
    check(visible, [2, 4])


def test_getnewargs_replaces_newobj():
    def replace(cls, *args):
        return object.__new__(cls)
    replace.__module__, replace.__qualname__ = __name__, "replacement"
    globals()["replacement"] = replace
    original = copyreg.__newobj__
    for module in ours, stock:
        Replaces.replacement = replace
        try:
            Replaces.results[module] = outcome(lambda module=module: module.dumps([Replaces(), Replaces()], 4))
        finally:
            copyreg.__newobj__ = original
    assert Replaces.results[ours] == Replaces.results[stock]


class Replaces:
    results: dict = {}

    def __getnewargs__(self):
        copyreg.__newobj__ = Replaces.replacement
        return (1, 2)


class Other:
    pass


class OtherWithState:
    def __getstate__(self):
        return text("state of the other")


@pytest.mark.parametrize("hook", ["__getnewargs__", "__getstate__", "both"])
@pytest.mark.parametrize("change", ["class", "class with state", "getstate of the class", "getstate of the instance",
                                    "getattribute", "slotnames", "nothing"])
def test_a_hook_that_changes_its_instance_or_class(hook, change):
    def make():
        class Changing:
            slot_like = 5

            def __init__(self, number):
                self.number = number

        def act(self):
            if self.number != 2:
                return
            if change == "class":
                self.__class__ = Other
            elif change == "class with state":
                self.__class__ = OtherWithState
            elif change == "getstate of the class":
                Changing.__getstate__ = lambda self: text("from the class")
            elif change == "getstate of the instance":
                self.__getstate__ = str
            elif change == "getattribute":
                Changing.__getattribute__ = object.__getattribute__
            elif change == "slotnames":
                Changing.__slotnames__ = ["slot_like"]

        def getnewargs(self):
            act(self)
            return 1, text(2)

        def getstate(self):
            if hook == "__getstate__":
                act(self)
            return {"number": self.number}

        if hook != "__getstate__":
            Changing.__getnewargs__ = getnewargs
        if hook != "__getnewargs__":
            Changing.__getstate__ = getstate
        Changing.__qualname__ = "TheChanging"
        globals()["TheChanging"] = Changing
        for cls in Changing, Other, OtherWithState:
            copyreg._slotnames(cls)
        return [Changing, Other, OtherWithState, Changing(0), Changing(1), Changing(2), Changing(3)]
    check(make, [2, 4, 5])


@pytest.mark.parametrize("protocol", range(1, 6))
def test_a_hook_that_switches_to_text(protocol):
    class Switching:
        def __init__(self, number, name):
            self.number = number

        def __reduce__(self):
            if self.number == 1:
                self.pickler.bin = 0
            return Switching, (self.number, "name"), {"number": self.number}
    Switching.__qualname__ = "TheSwitching"
    globals()["TheSwitching"] = Switching
    results = []
    for module in ours, stock:
        file = io.BytesIO()
        Switching.pickler = module.Pickler(file, protocol)
        Switching.pickler.dump([Switching, *[Switching(number, "") for number in range(4)], 5, "text"])
        results.append(file.getvalue())
    assert results[0] == results[1]


def test_rows_of_dicts():
    """Dicts with the same first key and size, but other keys; keys that are equal and not the same."""
    names = [sys.intern(text(number)) for number in range(20)]

    def make():
        made = []
        for number in range(60):
            keys = [names[0], names[number % 3 + 1], names[5], text(5) if number % 7 == 0 else names[6]]
            made.append({key: number for key in keys[:2 + number % 3]})
            if number % 10 == 9:
                made[-1].pop(names[0])
            if number % 11 == 10:
                made[-1][number] = text(number)
        return made + [dict.fromkeys(names, 1) for _ in range(3)] + [{names[0]: [1]}, {names[0]: [2]}, {names[0]: 3}]
    check(make)
    check(lambda: [Returns(row) for row in make()])
    check(lambda: [make(), Plain(a=1), make(), WithState(1), make()])


class Returns:
    def __init__(self, row):
        self.row = row

    def __reduce__(self):
        return Returns, (text(1), 2), dict(self.row)


def test_tables_with_what_reducers_return():
    shared = (text(1), 2)
    reducers = [lambda it: (Plain, ()), lambda it: (Plain, shared), lambda it: (Plain, shared, {"a": text(3)}),
                lambda it: (Plain, (it.a, text(4)), {"a": [it.a]}), lambda it: (Plain, tuple(range(17))),
                lambda it: (Plain, ("x" * 300,)), lambda it: (Plain, ("é",), it.__dict__), lambda it: "Plain",
                lambda it: (text, (it.a,)), lambda it: None]
    for reducer in reducers:
        def dump(module, file, protocol, reducer=reducer):
            pickler = module.Pickler(file, protocol)
            pickler.dispatch_table = {Plain: reducer}
            result = outcome(lambda: pickler.dump([Plain(a=number) for number in range(3000)] + [shared]))
            return result, file.chunks, len(pickler.memo.copy())
        for protocol in PROTOCOLS:
            assert dump(ours, Chunks(), protocol) == dump(stock, Chunks(), protocol)


# 1: an object with one reference has no place in the memo, until Python code can show it again

class Shows:
    """Its state is something that was written before, when nobody else referred to it."""

    def __init__(self, whole):
        self.whole = whole

    def __getstate__(self):
        return {"again": [self.whole[0][0], self.whole[1].__dict__, self.whole[1].a, self.whole[2]["k"]]}


def test_python_code_shows_what_was_written_when_only_its_container_held_it():
    def make():
        whole = [[[text(1)]], Inline([text(2)], text(3)), {"k": (text(4), [])}]
        whole.append(Shows(whole))
        return whole
    check(make)


def test_a_reference_more_than_once_is_seen_without_python():
    def make():
        inner, leaf = [text(1)], text(2)
        return [inner, [leaf, inner], (leaf, leaf), Inline(inner, leaf)]
    check(make)


def test_things_that_hold_themselves():
    def by_list():
        it = []
        it.append(it)
        return it

    def by_tuple():
        it = ([text(1)],)
        it[0].append(it)
        return it

    def by_namedtuple():
        it = Pair([], text(1))
        it.left.append(it)
        return it

    def by_frozenset():
        holder = Inline()
        holder.a = frozenset([holder])
        return holder.a

    def by_attribute():
        it = Inline(text(1))
        it.b = (it, [it])
        return it

    def by_state():
        it = WithState([])
        it.value.append(it)
        return it

    def by_reduce():
        it = Reduced([])
        it.args[0].append(it)
        return it

    def by_tuple_in_a_state():
        inner = ([],)
        inner[0].append(inner)
        return [WithState(inner), Reduced(inner, inner)]
    for make in [by_list, by_tuple, by_namedtuple, by_frozenset, by_attribute, by_state, by_reduce,
                 by_tuple_in_a_state]:
        check(make)
        check(lambda: [make(), (make(),)])


# 2: what hooks return lives as long as it must, and what does not is not found again

class Fresh:
    """Each time new objects, which take the addresses of those before them."""

    def __init__(self, number):
        self.number = number

    def __reduce__(self):
        return Fresh, (self.number,), {"list": [text("a")], "tuple": (text("b"), [])}


class FreshState(Fresh):
    def __getstate__(self):
        return [text("c"), {text("d"): [self.number]}]

    __reduce__ = object.__reduce__


def test_temporaries_of_hooks():
    check(lambda: [Fresh(number) for number in range(300)])
    check(lambda: [FreshState(number) for number in range(300)])
    check(lambda: [FreshState([Fresh(number)]) for number in range(300)])


class Leaks:
    """Its state is referred to by others, from the second time on."""
    kept: list = []

    def __getstate__(self):
        state = {"list": [text(1)], "kept": list(Leaks.kept)}
        Leaks.kept.append(state["list"])
        return state


def test_a_state_that_others_keep():
    def make():
        Leaks.kept = []
        return [Leaks(), Leaks(), Leaks()]
    check(make)


class Finalised:
    order: list = []

    def __del__(self):
        Finalised.order.append("finalised")


class MakesFinalised:
    def __getstate__(self):
        return {"made": Finalised()}

    def __reduce_ex__(self, protocol):
        Finalised.order.append("reduced")
        return super().__reduce_ex__(protocol)


def test_instances_that_a_hook_made_live_until_all_is_written():
    orders = []
    for module in (stock, ours):
        Finalised.order = []
        module.dumps([MakesFinalised(), MakesFinalised()], 4)
        orders.append(Finalised.order)
    assert orders[0] == orders[1]


# 3: a dict that an instance does not have yet

def test_the_dict_of_an_instance_that_is_in_the_graph_too():
    def before():
        it = Inline(1, text(2))
        return [it.__dict__, it]

    def after():
        it = Inline(1, text(2))
        return [it, it.__dict__, it]

    def only_values():
        return [Inline(1, text(2)), Inline(3, text(4))]
    for make in (before, after, only_values):
        check(make)


def test_no_dict_is_left_behind():
    if not ours_are_short_cut():
        pytest.skip("HALFSOUR_GENERIC: the generic way makes the dict, as the interpreter does")
    # In a process where nobody has changed what pickling consults: other tests do.
    script = f"""if True:
        import gc, sys
        sys.path.insert(0, {os.path.dirname(__file__)!r})
        import halfsour
        from {__name__} import Inline, text
        them = [Inline(number, text(number)) for number in range(100)]
        gc.collect()
        before = len(gc.get_objects())
        halfsour.dumps(them, 5)
        print(len(gc.get_objects()) - before)
    """
    left = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert int(left) < 50


def ours_are_short_cut():
    """Whether the shortcuts are taken: a plain instance nests as deep as it will, while reductions have a bound."""
    import halfsour
    bound = halfsour.get_max_depth()
    deep = None
    for _ in range(10):
        deep = Inline(deep)
    try:
        halfsour.set_max_depth(5)
        ours.dumps(deep)
        return True
    except RecursionError:
        return False
    finally:
        halfsour.set_max_depth(bound)


# 4: attributes that hide hooks

@pytest.mark.parametrize("name", ["__reduce_ex__", "__reduce__", "__getstate__", "__class__x", "__getnewargs__",
                                  "__getnewargs_ex__", "__reduce_ex", "__setstate__", "__slots__"])
def test_hooks_on_the_instance(name):
    def returns(value):
        return lambda *args: value
    for value in [(Plain, ()), {"state": 1}, None]:
        def make():
            it = Inline(1, text(2))
            setattr(it, name, returns(value))
            return [Inline(1, text(2)), it, Inline(3, 4)]

        def in_a_dict():
            it = Plain(a=1)
            it.__dict__[name] = returns(value)
            it.__dict__[5] = 6
            return [it]
        check(make, [0, 1, 2, 4], ["dumps", "pickler"])
        check(in_a_dict, [0, 1, 2, 4], ["dumps", "pickler"])


class Attributes:
    calls: list = []

    def __getattribute__(self, name):
        Attributes.calls.append(name)
        return super().__getattribute__(name)


class Missing:
    calls: list = []

    def __getattr__(self, name):
        Missing.calls.append(name)
        raise AttributeError(name)


@pytest.mark.parametrize("cls", [Attributes, Missing])
def test_overridden_lookups_are_asked(cls):
    asked = []
    for module in (stock, ours):
        it = cls()
        it.a = 1
        module.dumps([it], 4)
        cls.calls.clear()
        module.dumps([it, it], 4)
        asked.append(list(cls.calls))
    assert asked[0] == asked[1]
    assert asked[0] or cls is Missing  # which misses nothing in a dump: object has all the hooks


# 5, 6: classes, tables and modules that change, between dumps and during one

def changes():
    class Local:
        def __init__(self):
            self.__dict__["a"] = text(1)
    Local.__qualname__ = Local.__name__ = "Local"
    Local.__module__ = __name__
    globals()["Local"] = Local
    return Local


@pytest.mark.parametrize("protocol", [0, 1, 4])
@pytest.mark.parametrize("change", [
    lambda cls: setattr(cls, "__getstate__", lambda self: {"changed": 1}),
    lambda cls: setattr(cls, "__reduce__", lambda self: (list, ())),
    lambda cls: setattr(cls, "__reduce_ex__", lambda self, protocol: (dict, ())),
    lambda cls: setattr(cls, "__getnewargs__", lambda self: (1, 2)),
    lambda cls: setattr(cls, "__getattr__", lambda self, name: (_ for _ in ()).throw(AttributeError(name))),
    lambda cls: setattr(cls, "__slotnames__", ["a", "b"]),
    lambda cls: setattr(cls, "__qualname__", "Plain"),
    lambda cls: setattr(cls, "__module__", "nowhere"),
    lambda cls: setattr(cls, "a", property(lambda self: 5)),
    lambda cls: globals().__setitem__("Local", Plain),
    lambda cls: globals().__delitem__("Local"),
    lambda cls: copyreg.dispatch_table.__setitem__(cls, lambda it: (tuple, ())),
    lambda cls: sys.modules.__setitem__(__name__ + "x", sys.modules[__name__]),
    lambda cls: setattr(cls, "__dict__x", 5),
    lambda cls: setattr(cls, "__slots__", ("a",)),
    lambda cls: setattr(cls, "__new__", lambda cls, *args: object.__new__(cls)),
    lambda cls: setattr(cls, "__new__", staticmethod(lambda cls, *args: object.__new__(cls))),
])
def test_a_class_that_changes_between_dumps_and_during_one(change, protocol):
    for when in ("between", "during"):
        for way in WAYS:
            found = []
            for module in (stock, ours):
                cls = changes()
                table = copyreg.dispatch_table.copy()

                class Changes:
                    def __reduce__(self):
                        change(cls)
                        return list, ()
                try:
                    dumped(module, lambda: [cls(), cls()], protocol, way)
                    if when == "between":
                        change(cls)
                        found.append(dumped(module, lambda: [cls(), cls()], protocol, way))
                    else:
                        found.append(dumped(module, lambda: [cls(), cls(), Changes(), cls(), cls()], protocol, way))
                finally:
                    copyreg.dispatch_table.clear()
                    copyreg.dispatch_table.update(table)
                    sys.modules.pop(__name__ + "x", None)
            clean = [repr(item).split(" at 0x")[0] for item in found]
            assert clean[0] == clean[1], (when, way)


def test_copyreg_newobj_replaced():
    original = copyreg.__newobj__

    def otherwise(cls, *args):
        return original(cls, *args)
    otherwise.__qualname__ = otherwise.__name__ = "otherwise"
    otherwise.__module__ = "copyreg"
    results = []
    for module in (stock, ours):
        module.dumps(Inline(1), 4)
        copyreg.__newobj__, copyreg.otherwise = otherwise, otherwise  # type: ignore[attr-defined]
        try:
            results.append(outcome(lambda: module.dumps([Inline(1), Inline(2)], 4)))
        finally:
            copyreg.__newobj__ = original  # type: ignore[attr-defined]
            del copyreg.otherwise  # type: ignore[attr-defined]
    assert results[0] == results[1]


def test_extension_codes():
    copyreg.add_extension(__name__, "Plain", 240)
    try:
        check(lambda: [Plain(a=1), Plain, Plain(b=2)])
    finally:
        copyreg.remove_extension(__name__, "Plain", 240)


def test_import_replaced():
    import builtins
    original, asked = builtins.__import__, []
    results = []
    for module in (stock, ours):
        def watching(name, *args, **kwargs):
            asked.append(name)
            return original(name, *args, **kwargs)
        module.dumps(Inline(1), 4)
        asked = []
        builtins.__import__ = watching
        try:
            results.append((module.dumps([Inline(1), Pair], 4), [name for name in asked if name != "copyreg"]))
        finally:
            builtins.__import__ = original
    assert results[0] == results[1]


# 7: the borders of frames

@pytest.mark.parametrize("way", ["dumps", "dump", "dump in C", "pickler"])
@pytest.mark.parametrize("shape", ["inline", "slots", "slots and dict", "namedtuple", "datetime", "timedelta", "state",
                                   "reduce", "dict", "record", "class", "tuple", "frozenset"])
def test_frame_borders(shape, way):
    make = SHAPES[shape]
    for length in range(65_536 - 200, 65_536 + 4):
        # Written before it, so that the rest crosses the border somewhere.
        check(lambda: [b"x" * (length - 40_000), b"y" * 39_960, make(), text(1), make()], [4], [way])


def test_many_frames():
    for way in WAYS:
        check(lambda: [Inline(number, text(number), Pair(number, text(number))) for number in range(6000)], [4], [way])


@pytest.mark.parametrize("end", ["hook", "unpicklable", "large", "surrogate", "itself", "class that is not there"])
@pytest.mark.parametrize("way", ["dump", "dump in C"])
def test_what_stops_a_dump_after_many_frames(end, way):
    def make():
        many = [Inline(number, text(number)) for number in range(9000)]
        if end == "hook":
            # What was written before is asked for again.
            return [many, WithState(many), many, Reduced(many[5].b, many[5].__dict__), many[7].b]
        if end == "unpicklable":
            return [many, lambda: 1]
        if end == "large":
            return [many, b"x" * 70_000, "y" * 70_000, many[3], bytearray(70_000), many[4]]
        if end == "surrogate":
            return [many, "\ud800", many[3]]
        if end == "itself":
            many.append((many, [many]))
            loop = ([],)
            loop[0].append(loop)
            return [many, loop]
        return [many, NotThere(), many[3]]
    check(make, [2, 3, 4, 5], [way])


class NotThere:
    pass


NotThere.__qualname__ = "Elsewhere"


@pytest.mark.parametrize("fails_at", range(4))
def test_a_file_in_c_that_fails(fails_at):
    """Other than the interpreter's own, the error does not say which object was written when the frame was full."""
    def dump(module):
        chunks = []

        class Failing(io.RawIOBase):
            def writable(self):
                return True

            def write(self, data):
                if len(chunks) == fails_at:
                    raise OSError("no space is left")
                chunks.append(bytes(data))
                return len(data)
        file = io.BufferedWriter(Failing(), 1)
        try:
            module.dump([Inline(number, text(number)) for number in range(9000)], file, 4)
        except OSError as error:
            return str(error), chunks
        finally:
            file.detach()
    assert dump(ours) == dump(stock)


@pytest.mark.slow
def test_more_for_a_file_than_is_kept():
    numbers = [number / 7 for number in range(1_000_000)] * 9
    for obj in [numbers, Inline(1)], [Inline(number) for number in range(3_000_000)]:
        written = []
        for module in ours, stock:
            chunks = []
            module.dump(obj, types.SimpleNamespace(write=chunks.append), 4)
            written.append([hash(chunk) for chunk in chunks])
        assert written[0] == written[1]


# 8: quirks

@pytest.mark.parametrize("size", [0, 1, 2, 999, 1000, 1001, 1002, 1999, 2000, 2001, 3000])
def test_batches(size):
    check(lambda: list(range(size)))
    check(lambda: {number: None for number in range(size)})
    check(lambda: {text(number): number for number in range(size)}, [1, 4])
    check(lambda: set(range(size)), [3, 4])
    check(lambda: Plain(**{"n" + str(number): number for number in range(size)}), [2, 4])
    check(lambda: [[WithState(1)] * size], [4])


def test_dicts_with_holes():
    def make():
        it = {number: text(number) for number in range(20)}
        named = {text(number): number for number in range(20)}
        for number in range(0, 20, 3):
            del it[number], named[text(number)]
        it["late"] = named
        return it
    check(make)

    def attributes():
        it = Inline(1, 2, 3, 4)
        del it.b
        it.z = 5
        it.b = text(6)
        other = Inline(1, 2, 3)
        del other.a, other.b, other.c
        return [it, other, Inline(9)]
    check(attributes)


# 9: memory that is kept between dumps is not shared by dumps inside one another

class Dumps:
    def __init__(self, module, value):
        self.module, self.value = module, value

    def __reduce__(self):
        return bytes, (self.module.dumps([self.value, self.value, Inline(text(1))], 4),)


def test_a_dump_inside_a_dump():
    results = []
    for module in (stock, ours):
        inner = [text(1), Inline(2, [3])]
        nested = Dumps(module, [Dumps(module, inner), inner])
        results.append(module.dumps([text(0), inner, nested, inner, Inline(4)], 4))
    assert results[0] == results[1]


def test_a_dump_in_a_finaliser_at_the_end_of_a_dump():
    done = []

    class Late:
        def __init__(self):
            self.a = 1

        def __del__(self):
            done.append(ours.dumps(list(range(100)), 4))

    class Makes:
        def __reduce__(self):
            return list, (), {"late": Late()}

    Late.__module__, Late.__qualname__ = __name__, "LateOfAll"
    globals()["LateOfAll"] = Late
    ours.dumps([Makes()], 4)
    assert done == [stock.dumps(list(range(100)), 4)]


# 10: containers that change while Python runs

class Mutates:
    def __init__(self, what):
        self.what = what

    def __reduce__(self):
        self.what()
        return list, ()


@pytest.mark.parametrize("kind", ["clear", "append", "replace", "value", "attribute"])
def test_containers_that_hooks_change(kind):
    def make():
        row = [text(1), text(2)]
        table = {"a": [text(3)], "b": text(4)}
        it = Inline([text(5)], text(6))
        what = {
            "clear": lambda: (row.clear(), table.clear(), it.__dict__.clear()),
            "append": lambda: (row.append(text(7)), table.__setitem__("c", text(8)), setattr(it, "c", text(9))),
            "replace": lambda: (row.__setitem__(1, text(7)), row.__setitem__(2, text(8))),
            "value": lambda: (table.__setitem__("b", text(9)), it.__dict__.__setitem__("b", text(10))),
            "attribute": lambda: (delattr(it, "b"), setattr(it, "b", text(11))),
        }[kind]
        row.insert(1, Mutates(what))
        table["a"].append(Mutates(what))
        it.a.append(Mutates(what))
        return [row, table, it, text(12)]
    for pick in range(3):
        check(lambda: [make()[pick], text(1)], [2, 4, 5])


# 11: nothing is read beyond its end (valgrind and PYTHONMALLOC=debug see to it); all lengths are right

def test_every_length_of_string():
    for length in range(300):
        check(lambda: ["x" * length, "é" * length, "€" * length, b"y" * length], [1, 2, 4], ["dumps"])


# More

def test_runs_of_numbers():
    source = random.Random(5)
    kinds = [lambda: source.choice([0, 1, 255, 256, 65535, 65536, -1, 2**30 - 1, -2**30 + 1]),
             lambda: source.choice([0.0, -0.0, 1.5, float("inf"), -1e300]),
             lambda: source.choice([True, None, 2**30, -2**31, 2**31, 2**70, "text", Many(3), [1, 2.5]])]
    for _ in range(300):
        numbers = []
        while len(numbers) < 200:
            kind = source.choice(kinds)
            numbers += [kind() for _ in range(source.choice([1, 2, 3, 31, 32, 33, 64, 65]))]
        check(lambda numbers=numbers: numbers, [source.choice([1, 2, 4, 5])], ["dumps", "pickler"])
    # Where one more digit, byte or opcode is needed, in a run and alone.
    edges = [sign * 2**bits + more for bits in (30, 31, *range(32, 72, 4), 39, 47, 55, 59, 61, 62, 63)
             for sign in (1, -1) for more in (-1, 0, 1)]
    check(lambda: [edges, tuple(edges), {"edge": edges[0]}, *[[edge] for edge in edges], edges * 20])
    for size in 999, 1000, 1001, 31, 32, 33:
        check(lambda size=size: [list(range(size)), [0.5] * size, [*range(size), 1.5], [1.5, *range(size)]])
    check(lambda: [[number * 1000 for number in range(70_000)], [number / 3 for number in range(20_000)]], [3, 4, 5])


class Many(int):
    pass


def test_every_size_of_character():
    points = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xfffd, 0xffff, 0x1_0000, 0x10_ffff]
    source = random.Random(6)
    for most in range(1, len(points) + 1):
        for length in *range(1, 12), 100, 70_000:
            content = "".join(chr(source.choice(points[:most])) for _ in range(length))
            check(lambda content=content: [content, content + "\ud800", "\udfff" + content], [4], ["dumps", "dump"])
    for point in range(0x80, 0x3000):
        assert ours.dumps(chr(point) * 2) == stock.dumps(chr(point) * 2)


def test_memory_is_not_kept_alive():
    it = Inline(1)
    gone = weakref.ref(it)
    ours.dumps([it, it, (it, it)])
    pickler = ours.Pickler(io.BytesIO())
    pickler.dump(it)
    del it, pickler
    assert gone() is None


def test_a_str_subclass_as_a_global_name():
    class Name(str):
        pass

    class Named:
        def __reduce_ex__(self, protocol):
            return Name("NAMED")
    Name.__module__, Name.__qualname__ = __name__, "NameOfAll"
    globals()["NameOfAll"], globals()["NAMED"] = Name, Named()
    Named.__module__ = __name__
    check(lambda: globals()["NAMED"])


def test_fast_mode_after_a_cycle():
    calls = []
    for module in (stock, ours):
        class Counts(module.Pickler):  # type: ignore[name-defined]
            seen = 0

            def persistent_id(self, obj):
                self.seen += 1
        endless = []
        endless.append(endless)
        pickler = Counts(io.BytesIO(), 4)
        pickler.fast = 1
        for _ in range(3):
            with pytest.raises(ValueError):
                pickler.dump(endless)
        calls.append(pickler.seen)
    assert calls[0] == calls[1]


# Enums: what their `__reduce_ex__` returns is known as long as it is the one that `enum` has.

class Named(enum.Enum):
    ONE = "one"
    TWO = ["two"]


class OwnReduce(enum.Enum):
    ONE = 1

    def __reduce_ex__(self, protocol):
        return OwnReduce, (self.value,)


@contextlib.contextmanager
def restored(holder, name):
    """Has an attribute of a class or an instance as it was, after a test has changed it."""
    before = vars(holder).get(name, restored)
    try:
        yield
    finally:
        if before is not restored:
            setattr(holder, name, before)
        elif name in vars(holder):
            delattr(holder, name)


@pytest.mark.parametrize("holder,name,value", [
    (enum.Enum, "__reduce_ex__", lambda self, protocol: (getattr, (type(self), self.name))),
    (enum.Enum, "__reduce_ex__", lambda self, protocol: (type(self), (self._value_,))),
    (Named, "__reduce_ex__", lambda self, protocol: (list, ([self.name],))),
    (Named, "_value_", property(lambda self: "another value")),
    (Named, "_value_", "hidden by the instance"),
    (Named, "__getattribute__", lambda self, name: "seen" if name == "_value_" else object.__getattribute__(self, name)),
    (Named, "__getattr__", lambda self, name: 1),
    (Named, "__name__", "__newobj__"),
    (Named, "__name__", "not a __newobj_ex__"),
    (Named, "__qualname__", "Colour"),
    (Named, "__module__", "nowhere"),
    (Named.ONE, "__reduce_ex__", lambda protocol: (list, ())),
    (Named.ONE, "_value_", text(9)),
    (Named.ONE, "__getstate__", lambda: None),
    (enum.EnumMeta, "__reduce__", lambda cls: "Named"),
    (enum.EnumMeta, "__module__", property(lambda cls: "nowhere")),
    (enum.EnumMeta, "__getattribute__", lambda cls, name: type.__getattribute__(cls, name)),
])
def test_enums_that_are_not_as_usual(holder, name, value):
    def make():
        return [Named.ONE, (Named.TWO, Colour.RED), Named.ONE]

    class Changes:
        def __reduce__(self):
            setattr(holder, name, value)
            return list, ()

    check(make, [2, 4, 5], ["dumps", "pickler"])
    with restored(holder, name):
        setattr(holder, name, value)
        check(make, [2, 4, 5], ["dumps", "pickler", "table"])
    check(make, [2, 4, 5], ["dumps", "pickler"])
    found = []
    for module in (stock, ours):
        with restored(holder, name):
            found.append(dumped(module, lambda: [*make(), Changes(), Label.FIRST, *make()], 4, "dumps"))
            found.append(dumped(module, lambda: [Named.TWO, Changes(), Named.ONE], 4, "dumps"))
    assert found[:2] == found[2:]


def test_enums_without_a_value_or_with_a_hook():
    Named.TWO.value.append(WithState(text(1)))
    try:
        check(lambda: [Named.TWO, Named.ONE, Named.TWO.value])
    finally:
        Named.TWO.value.pop()
    value = Named.ONE.__dict__.pop("_value_")
    try:
        check(lambda: [Named.ONE])
    finally:
        Named.ONE._value_ = value
    check(lambda: [OwnReduce.ONE, OwnReduce.ONE])


class NamesMeta(enum.EnumMeta):
    __name__ = property(lambda cls: "__newobj__")  # type: ignore[assignment]


class NamedByMeta(enum.Enum, metaclass=NamesMeta):
    ONE = 1


def test_an_enum_whose_metaclass_names_it():
    check(lambda: [NamedByMeta.ONE, NamedByMeta])


def test_the_dispatch_table_has_an_enum():
    copyreg.pickle(Named, lambda member: (list, ()))
    try:
        check(lambda: [Named.ONE, Colour.RED])
    finally:
        del copyreg.dispatch_table[Named]


# Metaclasses

class Meta(type):
    pass


class Below(metaclass=Meta):
    def __init__(self):
        self.a = text(1)


@pytest.mark.parametrize("name,value", [
    ("__module__", property(lambda cls: __name__)),
    ("__module__", property(lambda cls: "nowhere")),
    ("__module__", "nowhere"),
    ("__module__", type("Text", (str,), {"__get__": lambda self, cls, meta: "nowhere"})(__name__)),
    ("__reduce__", lambda cls: "Below"),
    ("__getattribute__", lambda cls, name: type.__getattribute__(cls, name)),
    ("__getattr__", lambda cls, name: None),
])
def test_classes_of_metaclasses(name, value):
    check(lambda: [Below(), Below, Below()])
    with restored(Meta, name):
        setattr(Meta, name, value)
        check(lambda: [Below(), Below, Below()])
    check(lambda: [Below(), Below, Below()])


def test_a_class_that_says_nothing_of_its_module():
    module = Below.__module__
    del Below.__module__
    try:
        check(lambda: [Below()])
    finally:
        Below.__module__ = module


# Reductions by functions

def remake(*args):
    return args


def __newobj__(*args):
    return args


class ByFunction:
    def __init__(self, *reduced):
        self.reduced = reduced

    def __reduce__(self):
        return self.reduced


def test_reductions_by_functions():
    check(lambda: [ByFunction(remake, (Plain, object, None)), ByFunction(remake, (Plain, text(1)), {"a": 1})])
    check(lambda: [ByFunction(remake, (Plain, [ByFunction(len, ((),))])), ByFunction(remake, ()), ByFunction(remake, [])])
    check(lambda: [ByFunction(__newobj__, (ByFunction,)), ByFunction(__newobj__, (Plain, 2))])
    check(lambda: [ByFunction(lambda: 1, ()), ByFunction(remake, (1,))])
    check(lambda: [ByFunction(len, ("abc",)), ByFunction(remake, (text, Plain, Plain))])


# Names in modules, found without an import

class SameHash:
    """Equal to one key of a dict, and says so in Python."""

    def __init__(self, key):
        self.key = key

    def __hash__(self):
        return hash(self.key)

    def __eq__(self, other):
        return self.key == other


@contextlib.contextmanager
def item(table, key, value):
    """A table with another item."""
    before = dict(table)
    table[key] = value
    try:
        yield
    finally:
        table.clear()
        table.update(before)


def named_objects():
    return [Plain, text, len, os.getpid, object, OSError, set, map, Plain, {"class": Plain, "function": text}, os.getpid]


NAMES, MODULES = _compat_pickle.REVERSE_NAME_MAPPING, _compat_pickle.REVERSE_IMPORT_MAPPING


@pytest.mark.parametrize("table,key,value", [
    (NAMES, (__name__, "Plain"), ("old", "Name")),
    (NAMES, SameHash((__name__, "Plain")), ("old", "Name")),
    (NAMES, (__name__, "text"), ("old", "name")),
    (NAMES, (__name__, "Plain"), 5),
    (MODULES, __name__, "old"),
    (MODULES, SameHash(__name__), "old"),
    (MODULES, __name__, 5),
    (copyreg.dispatch_table, type(len), lambda function: (list, ())),
    (copyreg.dispatch_table, types.FunctionType, lambda function: (list, ())),
    (copyreg.dispatch_table, type, lambda made: (list, ())),
    (copyreg._extension_registry, (__name__, "Plain"), 200),
    (copyreg._extension_registry, ("builtins", "len"), 70000),
    (copyreg._extension_registry, (__name__, "text"), "no code"),
])
def test_tables_of_names(table, key, value):
    roots = [named_objects, lambda: Plain, lambda: text, lambda: len, lambda: Plain(a=1), lambda: [Plain(a=1), Plain(a=2)]]
    for make in roots:
        check(make)
        with item(table, key, value):
            check(make)
        for protocol in PROTOCOLS:
            for fix_imports in (False, True):
                with item(table, key, value):
                    expected = outcome(lambda: stock.dumps(make(), protocol, fix_imports=fix_imports))
                    assert outcome(lambda: ours.dumps(make(), protocol, fix_imports=fix_imports)) == expected


def a_function():
    """Is renamed by a test."""


@pytest.mark.parametrize("attribute,value", [
    ("__module__", "os"), ("__module__", None), ("__module__", "no.module"), ("__module__", 5), ("__module__", "\u00e9"),
    ("__qualname__", "text"), ("__qualname__", "Plain.method"), ("__qualname__", "__name__"), ("__name__", "text"),
    ("__qualname__", "nowhere"), ("__qualname__", "\u00e9"),
])
def test_functions_that_say_another_name(attribute, value):
    before = getattr(a_function, attribute)
    setattr(a_function, attribute, value)
    try:
        check(lambda: a_function)
        check(lambda: [a_function, text, a_function])
    finally:
        setattr(a_function, attribute, before)
    check(lambda: [a_function, text, a_function])


def test_methods_in_c():
    check(lambda: [[].append, "a b".split, dict.fromkeys, str.maketrans, datetime.datetime.now, [].__len__])
    check(lambda: "a b".split)


def test_imports_that_are_not_as_usual():
    asked = []

    def counts(name, *rest):
        asked.append(name)
        return before(name, *rest)

    before = builtins.__import__
    for protocol in PROTOCOLS:
        for make in (named_objects, lambda: text, lambda: Plain(a=1)):
            found = []
            for module in (stock, ours):
                asked.clear()
                builtins.__import__ = counts
                try:
                    pickled = module.dumps(make(), protocol)
                finally:
                    builtins.__import__ = before
                found.append((pickled, list(asked)))
            assert found[0] == found[1]


# Persistent ids

class Asked:
    def __init__(self, pid):
        self.pid = pid


@pytest.mark.parametrize("pid", ["short", text(1), "\u00e9", "x" * 70_000, 5, 1 << 70, 0, "", (1, "a"), [text(2)], None,
                                 {"a": Asked("inner")}, Asked(3), 1.5, b"bytes", True])
def test_persistent_ids_of_all_kinds(pid):
    for protocol in PROTOCOLS:
        found = []
        for module in (stock, ours):
            seen = []

            class Sub(module.Pickler):
                def persistent_id(self, obj):
                    seen.append(type(obj).__name__)
                    return obj.pid if isinstance(obj, Asked) else None

            file = Chunks()
            asked = Asked(pid)
            data = [asked, {"key": asked, text(3): [asked, None, 2.5, 1 << 40, "\u00e9"]}, (asked,), text(3), {asked}, "key"]
            result = outcome(lambda: Sub(file, protocol).dump(data))
            found.append((result, file.chunks, seen))
        assert found[0] == found[1], protocol


def test_a_hook_for_persistent_ids_that_is_replaced_meanwhile():
    for protocol in PROTOCOLS:
        found = []
        for module in (stock, ours):
            file = Chunks()
            pickler = module.Pickler(file, protocol)
            seen = []

            def second(obj):
                seen.append(("second", type(obj).__name__))
                return "id" if obj == 3 else None

            def first(obj):
                seen.append(("first", type(obj).__name__))
                if obj == 2:
                    pickler.persistent_id = second
                return None

            pickler.persistent_id = first
            result = outcome(lambda: pickler.dump([1, 2, 3, {"a": 3, 2: "b"}]))
            found.append((result, file.chunks, seen))
        assert found[0] == found[1]


# Frozen dataclasses with slots: their state is read from the slots

@dataclasses.dataclass(slots=True, frozen=True)
class NoField:
    pass


@dataclasses.dataclass(slots=True, frozen=True)
class OneField:
    a: object


@dataclasses.dataclass(slots=True, frozen=True)
class PseudoFields:
    kind: typing.ClassVar[int] = 5
    first: dataclasses.InitVar[int] = 6
    a: object = None
    b: object = dataclasses.field(default=7, repr=False, compare=False)


@dataclasses.dataclass(slots=True, frozen=True)
class FrozenBelow(Frozen):
    c: object


class WithDictBelow(Frozen):
    pass


class SlotsBelowFrozen(Frozen):
    __slots__ = ("extra",)


@dataclasses.dataclass(slots=True, frozen=True)
class OwnState:
    a: object

    def __getstate__(self):
        return (self.a,)


def frozen_itself(hold):
    held = []
    made = Frozen(held, hold)
    held.append(made)
    return made


@pytest.mark.parametrize("make", [
    lambda: [NoField(), OneField(text(1)), OneField([2]), OneField(None), PseudoFields(a=text(1)), PseudoFields(1, 2)],
    lambda: [FrozenBelow(1, [text(2)], {text(3): Frozen(1, (2,))}), FrozenBelow(*"abc"), Frozen(1, 2)],
    lambda: [SlotsBelowFrozen(1, 2), WithDictBelow(1, text(2)), OwnState(text(1)), object.__new__(Frozen)],
    lambda: [Frozen(1, text(2)), Frozen(WithState(1), [WithState(text(2))]), Frozen([Reduced(1)], 2), Frozen(3, 4)],
    lambda: [Frozen(text(1), [Colour.RED]), Frozen(Frozen, OneField), WithState(2), Frozen([3], {4: 5})],
    lambda: [frozen_itself(1), frozen_itself([text(1)])],
    lambda: (lambda one: [one, Frozen(one, one), (one, [one])])(Frozen(text(1), [2])),
    lambda: [Frozen(lambda: 1, 2)],
    lambda: [Frozen(1, "\udc80"), Frozen("z" * 70_000, 3), Frozen(3, 4)],
    lambda: [Frozen(text(number), number) for number in range(9_000)],
    lambda: Reduced([Frozen(text(1), [2]), OneField(3)], Frozen([4], text(5))),
])
def test_frozen_dataclasses(make):
    check(make)


def test_a_frozen_dataclass_with_many_fields():
    for count in (998, 999, 1000, 1001, 2001):
        many = dataclasses.make_dataclass("ManyFields", [f"f{n}" for n in range(count)], slots=True, frozen=True)
        many.__module__ = __name__
        globals()["ManyFields"] = many
        try:
            check(lambda: [many(*range(count)), many(*map(str, range(count)))], [4], ["dumps", "pickler"])
        finally:
            del globals()["ManyFields"]


@pytest.mark.parametrize("holder,name,value", [
    (dataclasses, "fields", lambda instance: ()),
    (dataclasses, "getattr", lambda instance, name: name),
    (dataclasses, "_dataclass_getstate", lambda self: [1, 2]),
    (Frozen, "__getstate__", lambda self: [3]),
    (Frozen, "__getstate__", dataclasses.fields),
    (Frozen, "a", property(lambda self: "another")),
    (Frozen, "b", 5),
    (Frozen, "__dataclass_fields__", {}),
    (Frozen, "__dataclass_fields__", dict(reversed(Frozen.__dataclass_fields__.items()))),
    (Frozen, "__reduce__", lambda self: (list, ())),
    (Frozen, "__getattribute__", lambda self, name: 5 if name == "a" else object.__getattribute__(self, name)),
    (copyreg, "__newobj__", lambda cls, *args: object.__new__(cls)),
])
def test_frozen_dataclasses_that_are_not_as_usual(holder, name, value):
    data = [Frozen(1, text(2)), (Frozen([3], 4),), OneField(text(5))]

    class Changes:
        def __reduce__(self):
            setattr(holder, name, value)
            return list, ()

    check(lambda: data, [2, 4, 5], ["dumps", "pickler"])
    with restored(holder, name):
        setattr(holder, name, value)
        check(lambda: data, [2, 4, 5], ["dumps", "pickler", "table"])
    check(lambda: data, [2, 4, 5], ["dumps", "pickler"])
    found = []
    changing = [[Frozen(1, Changes()), Frozen(2, 3)], [Frozen(1, 2), [Changes()], Frozen(3, text(4))]]
    for module in (stock, ours):
        for frozen in changing:
            with restored(holder, name):
                found.append(dumped(module, lambda: frozen, 4, "dumps"))
    assert found[:2] == found[2:]


def move_first_field_to_the_end(fields):
    fields["a"] = fields.pop("a")


def drop_first_field(fields):
    del fields["a"]


def make_first_field_a_class_variable(fields):
    fields["a"]._field_type = dataclasses._FIELD_CLASSVAR


def rename_first_field(fields):
    fields["a"].name = "b"


def replace_first_field(fields):
    fields["a"] = types.SimpleNamespace(name="b", _field_type=dataclasses._FIELD)


@pytest.mark.parametrize("change", [move_first_field_to_the_end, drop_first_field, make_first_field_a_class_variable,
                                    rename_first_field, replace_first_field])
def test_fields_of_a_frozen_dataclass_that_change_in_place(change):
    made = []

    def make():
        """A new class, which nobody has dumped before, under one name."""
        made[:] = [dataclasses.make_dataclass("Changing", ["a", "b"], slots=True, frozen=True)]
        made[0].__module__ = __name__
        globals()["Changing"] = made[0]
        return [made[0](text(1), 2), made[0]([text(3)], 4)]

    class Changes:
        def __reduce__(self):
            change(made[0].__dataclass_fields__)
            return list, ()

    found = []
    try:
        for module in (stock, ours):
            data = make()
            usual = dumped(module, lambda: data, 4, "dumps")
            change(made[0].__dataclass_fields__)
            changed = dumped(module, lambda: data, 4, "dumps")
            assert changed != usual
            found.append((usual, changed))
            data = make()
            dumped(module, lambda: data, 4, "dumps")
            found[-1] += dumped(module, lambda: [data[0], Changes(), data[1]], 4, "dumps"),
    finally:
        del globals()["Changing"]
    assert found[0] == found[1]


class ChangingColor(enum.Enum):
    RED = 1
    BLUE = "blue"


ChangingFields = dataclasses.make_dataclass("ChangingFields", ["a", "b"], slots=True, frozen=True)
ChangingFields.__module__ = __name__
ChangingPair = collections.namedtuple("ChangingPair", "x y")


def others_arguments(arguments):
    """Closes over as many variables as the function of a namedtuple."""
    return lambda self: (arguments, self[0])


@pytest.mark.parametrize(("data", "owner", "name", "replacement"), [
    ([ChangingFields(1, [2])] * 2, dataclasses._dataclass_getstate, "__code__", (lambda self: ["other"]).__code__),
    ([ChangingFields(1, [2])] * 2, dataclasses.fields, "__code__", (lambda cls: ()).__code__),
    ([ChangingFields(1, [2])] * 2, dataclasses, "_FIELD", object()),
    ([ChangingFields(1, [2])] * 2, dataclasses, "_FIELDS", "__other_fields__"),
    (list(ChangingColor), enum.Enum.__reduce_ex__, "__code__", (lambda self, protocol: (int, (5,))).__code__),
    ([ChangingPair(1, 2)] * 2, ChangingPair.__getnewargs__, "__code__", others_arguments((5, 6)).__code__),
], ids=["getstate", "fields", "field", "name", "enum", "namedtuple"])
def test_what_plans_rest_on_changes_in_place(monkeypatch, data, owner, name, replacement):
    usual = [dumped(module, lambda: data, 4, "dumps") for module in (stock, ours)]
    monkeypatch.setattr(owner, name, replacement)
    changed = [dumped(module, lambda: data, 4, "dumps") for module in (stock, ours)]
    monkeypatch.undo()
    again = [dumped(module, lambda: data, 4, "dumps") for module in (stock, ours)]
    assert usual[0] == usual[1] and changed[0] == changed[1] and again[0] == again[1] == usual[0]
    assert changed[0] != usual[0]


# Sets

class Hashed:
    """Has the same hash in each test."""

    def __init__(self, number):
        self.number = number

    def __hash__(self):
        return self.number


class HashedWithState(Hashed):
    def __getstate__(self):
        return {"number": self.number, "text": text(1)}


class HashedUnpicklable(Hashed):
    def __reduce__(self):
        raise TypeError("not this one")


@pytest.mark.parametrize("kind", [set, frozenset])
def test_sets(kind):
    check(lambda: [kind(), kind([1]), kind([1, 2.5, None, True]), kind(range(20)), kind([(1, 2), 3])], [2, 4, 5])
    check(lambda: kind([1, frozenset([2, (3, text(4))]), "five", (6, Hashed(7))]), [2, 4, 5])
    check(lambda: kind([1, Hashed(2), 3, HashedWithState(4), 5, Hashed(6), HashedWithState(7)]), [2, 4, 5])
    check(lambda: [kind([1, HashedWithState(2), Hashed(3)]), kind([Hashed(number) for number in range(1100)])], [4, 5])
    check(lambda: [kind([1, Hashed(2), HashedUnpicklable(3), 4]), 5], [4, 5])
    shared = Hashed(1)
    check(lambda: [shared, kind([shared, 2]), kind([3, shared])], [4, 5])
    for length in range(65_490, 65_550, 3):
        check(lambda: ["x" * 60_000, "y" * (length - 60_000), kind([1, 2, Hashed(3), 4, 5])], [4], ["dumps", "dump"])

    def gaps():
        holed = set(range(100)) - {3, 50, 99}
        for number in (5, 7, 98):
            holed.remove(number)
        return kind(holed)
    check(gaps, [4, 5])


# Where a pickler has its hooks

def reduce_oddly(obj):
    return list, ([type(obj).__name__],)


def by_class(pickler):
    pickler.reducer_override = lambda self, obj: reduce_oddly(obj) if type(obj) is WithState else NotImplemented


def by_getattr(pickler):
    pickler.__getattr__ = lambda self, name: {
        "reducer_override": lambda obj: reduce_oddly(obj) if type(obj) is Colour else NotImplemented,
        "dispatch_table": {WithState: reduce_oddly}}[name]


def by_getattribute(pickler):
    def getattribute(self, name):
        return {WithState: reduce_oddly} if name == "dispatch_table" else pickler.__base__.__getattribute__(self, name)
    pickler.__getattribute__ = getattribute


def by_init(pickler):
    def init(self, *args):
        self.dispatch_table = {WithState: reduce_oddly}
        self.reducer_override = lambda obj: NotImplemented
        pickler.__base__.__init__(self, *args)
    pickler.__init__ = init


def by_id_in_class(pickler):
    pickler.persistent_id = lambda self, obj: 5 if obj is Colour.RED else None


def by_id_in_init(pickler):
    def init(self, *args):
        pickler.__base__.__init__(self, *args)
        self.persistent_id = lambda obj: 5 if obj is Colour.RED else None
    pickler.__init__ = init


@pytest.mark.parametrize("change", [by_class, by_getattr, by_getattribute, by_init, by_id_in_class, by_id_in_init])
def test_picklers_that_change(change):
    found = []
    for module in (stock, ours):
        class Pickler(module.Pickler):
            pass

        def dump():
            file = io.BytesIO()
            try:
                Pickler(file, 4).dump([Colour.RED, WithState(1), Colour])
            except Exception as error:
                return type(error), str(error)
            return file.getvalue()

        before = dump()
        change(Pickler)
        found.append([before, dump(), dump()])
    assert found[0] == found[1]
    assert found[0][0] != found[0][1]


class Buffered:
    """Two buffers, as numpy's arrays and those of its dtypes that have one."""

    def __init__(self, *buffers):
        self.buffers = buffers

    def __reduce__(self):
        return Buffered, self.buffers


def of_a_released(data):
    buffer = stock.PickleBuffer(data)
    buffer.release()
    return buffer


@pytest.mark.parametrize("buffer", [
    lambda: stock.PickleBuffer(b"read only"),
    lambda: stock.PickleBuffer(bytearray(b"writable")),
    lambda: stock.PickleBuffer(memoryview(b"every second")[::2]),
    lambda: stock.PickleBuffer(b"large" * 40_000),
    lambda: of_a_released(b"gone"),
])
def test_buffers_in_band(buffer):
    """Before protocol 5 there are none: an error, also where the class was written before."""
    check(buffer)
    check(lambda: [Buffered(), Buffered(buffer()), Buffered(1, buffer())])
    check(lambda: [Buffered(), Plain(a=buffer())])


# What reducers return, written in one go

class Kept:
    """Each of these reduces to arguments that its maker chose, and to a state if there is one."""

    def __init__(self, *reduced):
        self.reduced = reduced

    def __reduce__(self):
        args, *state = (again(part) for part in self.reduced)
        return Kept, args, *state


class KeptState:
    def __init__(self, state):
        self.state = state

    def __getstate__(self):
        return again(self.state)


def again(part):
    """Containers that nobody else has; what is in them twice is there twice."""
    known = {}

    def copied(part):
        if id(part) not in known and type(part) in (list, tuple, dict):
            items = [copied(item) for item in (part.items() if type(part) is dict else part)]
            known[id(part)] = type(part)(items)
        return known.get(id(part), part)
    return copied(part)


SHARED = [text(9)]


@pytest.mark.parametrize("args", [
    (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), ((),), ([],), ({},), ([1],), ({1: 2},), ([1, 2], {1: 2, 3: 4}),
    (None, True, False, 1.5, -1, 255, 256, 65536, 2**31 - 1, 2**31, -2**31, 2**70), ("", "a", "\u00e9", "\u20ac", "\udc80"),
    ("x" * 255, "x" * 256), ("\u00e9" * 127, "\u00e9" * 128, "\u00e9" * 255), (b"a", bytearray(b"b")), (int, text, len, Plain),
    (SHARED, SHARED), ((SHARED, 1), (SHARED, 1)), ([[[1]]],), ([[[[1]]]],), ([(((1, 2),),)],), (list(range(50)),),
    ({"a": {"b": {"c": "d"}}},), ({"a": [1, (2,)], "b": ()},), (Plain(a=1),), (Colour.RED, Colour.RED), ({1}, frozenset([2])),
    (text(1), [text(1)], {text(1): text(1)}), ("twice", "twice", ("twice",)),
], ids=lambda args: repr(args)[:40])
def test_reductions_in_one_go(args):
    for state in [(), ({"a": 1},), ([args, "state"],), ({},), (None,), ("text",), ((None, {"slot": args}),), (5,)]:
        check(lambda: [Kept((), *state), Kept(args, *state), Kept(args, *state), args], [0, 1, 2, 3, 4, 5], ["dumps", "pickler"])
    check(lambda: [KeptState(args), KeptState([args]), KeptState({"args": args}), args])
    # Several frames of them.
    many = 200_000 // (50 + len(stock.dumps([Kept(args)], 4)))
    check(lambda: [Kept(tuple([f"{number}", number, args])) for number in range(many)], [1, 4], ["dumps", "dump", "pickler"])


@pytest.mark.parametrize("method", ["__reduce__", "__getstate__"])
def test_hooks_of_a_class_that_attributes_hide(method):
    """The hook of the class is called, but not for those that have one of their own."""
    cls = {"__reduce__": Reduced, "__getstate__": WithState}[method]

    def make():
        made = [cls(text(number)) for number in range(6)]
        setattr(made[2], method, {"__reduce__": lambda: (Plain, ()), "__getstate__": lambda: {"hidden": 1}}[method])
        made[3].__dict__[5] = 6
        setattr(made[4], method, None)
        return made[:4], made[5:] + made[4:]
    check(lambda: make()[0])
    check(lambda: make()[1])


def test_hooks_that_are_no_plain_functions():
    for method in [staticmethod(lambda: (Plain, ())), classmethod(lambda cls: (Plain, ())), property(lambda self: lambda: (Plain, ())),
                   types.MethodType(lambda self: (Plain, ()), 5), functools.partial(lambda: (Plain, ())), None, 5]:
        local = type("Local", (), {"__reduce__": method, "__module__": __name__})
        check(lambda: [local(), local()])


def test_a_memo_that_a_hook_fills():
    """The object, its class or its arguments are in the memo when its hook returns."""
    class Fills:
        def __reduce__(self):
            pickler.memo = {id(held): (index, held) for index, held in enumerate([*pickler_memo(), *self.fill])}
            return Plain, self.args

    def pickler_memo():
        return [held for _, held in sorted(pickler.memo.copy().values(), key=lambda pair: pair[0])]
    for fill in ["object", "arguments", "argument", "large"]:
        results = []
        for module in (stock, ours):
            it, file = Fills(), Chunks()
            it.args = (text(1), [2])
            it.fill = {"object": [it], "arguments": [it.args], "argument": [it.args[0]], "large": []}[fill]
            pickler = module.Pickler(file, 4)
            results.append((outcome(lambda: pickler.dump([Plain, it, it])), file.chunks))
        assert results[0] == results[1], fill


@pytest.mark.parametrize("name", ["__newobj__", "__newobj_ex__", "x__newobj__", "__newobj", "Other__", "__"])
def test_classes_with_the_names_of_copyreg(name):
    local = type(name, (), {"__module__": __name__, "__init__": lambda self, *args: None})
    globals()[name], before = local, globals().get(name)
    try:
        check(lambda: [ByFunction(local, (1, 2)), ByFunction(local, (3, 4)), ByFunction(local, (local, 4))])
        check(lambda: [local(), local()])
    finally:
        globals()[name] = before


class HashedInPython(type):
    def __hash__(cls):
        HashedInPython.asked += 1
        return 5

    asked = 0


class OfHashed(metaclass=HashedInPython):
    pass


def test_dispatch_tables_whose_classes_are_hashed_in_python():
    asked = []
    for module in (stock, ours):
        pickler = module.Pickler(io.BytesIO(), 4)
        pickler.dispatch_table = {Plain: reduce_oddly, OfHashed: reduce_oddly}
        HashedInPython.asked = 0
        pickler.dump([OfHashed(), OfHashed(), Plain(), OfHashed()])
        asked.append(HashedInPython.asked)
    assert asked[0] == asked[1]


def test_dispatch_tables_that_their_reducers_change():
    for change in [lambda table: table.pop(Plain), lambda table: table.clear(), lambda table: table.update({Inline: reduce_oddly}),
                   lambda table: table.update({Plain: lambda it: (Plain, ("changed",))}), lambda table: table.update(dict.fromkeys(range(50)))]:
        def dump(module, change=change):
            def reduce(it):
                change(table)
                return Plain, (text(1), it.a)
            table = {Plain: reduce}
            file = io.BytesIO()
            pickler = module.Pickler(file, 4)
            pickler.dispatch_table = table
            result = outcome(lambda: pickler.dump([Plain(a=1), Inline(2), Plain(a=3), Inline(4), Plain(a=5)]))
            return result, file.getvalue()
        assert dump(ours) == dump(stock)


# Protocols 0 and 1: what `copyreg._reduce_ex` does, without calling it

class OldMixin:
    """Has nothing."""


class OldNew:
    def __new__(cls, *args):
        return object.__new__(cls)


class OldError(Exception):
    """Is made from what its base class makes."""


class OldInt(int):
    """Its base is called with it."""


class OldNoSlots:
    __slots__ = ()


class OldBelowNoSlots(OldNoSlots):
    """Has a dict."""


class OldSlots:
    __slots__ = ("a", "__dict__")


class OldHiddenSlots(OldSlots):
    __slots__ = ()


class OldMeta(type):
    @property
    def __new__(cls):
        return len


class OldOfMeta(metaclass=type("OldPlainMeta", (type,), {"__mro__": property(lambda cls: (cls, dict, object))})):
    """Its metaclass says otherwise."""


class OldPair(OldMixin, Pair):
    """With a dict."""


class OldPairAfter(Pair, OldNew):
    __slots__ = ()


class OldRandom(random.Random):
    """Below a class in C that has its own `__new__`."""

    def __reduce__(self):
        return object.__reduce__(self)


class OldCounter(collections.Counter):
    """Below a dict."""


class OldGeneric(typing.Generic[typing.TypeVar("T")]):
    """Has slots, and none."""


class OldFalse:
    """Its dict is false."""

    def __init__(self):
        self.__dict__ = type("FalseDict", (dict,), {"__bool__": lambda self: False})(a=1)


class OldClass:
    __class__ = property(lambda self: Plain)


def with_attributes(cls, *args, **attributes):
    made = cls(*args)
    made.__dict__.update(attributes)
    return made


OLD = {
    "mixin": lambda: with_attributes(OldMixin, a=text(1)),
    "nothing": lambda: OldMixin(),
    "new": lambda: with_attributes(OldNew, a=text(1), b=[text(2)]),
    "error": lambda: with_attributes(OldError, text(1), a=text(2)),
    "int": lambda: with_attributes(OldInt, 5, a=text(1)),
    "no slots": lambda: OldNoSlots(),
    "below no slots": lambda: with_attributes(OldBelowNoSlots, a=text(1)),
    "slots": lambda: with_attributes(OldSlots, b=text(1)),
    "hidden slots": lambda: slots(OldHiddenSlots, a=text(1), b=2),
    "metaclass": lambda: with_attributes(OldOfMeta, a=1),
    "pair with a dict": lambda: with_attributes(OldPair, 1, text(1), a=text(2)),
    "pair and new": lambda: OldPairAfter(1, [text(1)]),
    "counter": lambda: OldCounter("aab"),
    "generic": lambda: with_attributes(OldGeneric, a=text(1)),
    "class": lambda: with_attributes(OldClass, a=text(1)),
    "false dict": lambda: OldFalse(),
    "shared dict": lambda: [it, it.__dict__] if (it := with_attributes(OldMixin, a=text(1))) else None,
    "attribute": lambda: with_attributes(OldMixin, __slots__=(1,)),
    "no attribute": lambda: with_attributes(OldMixin, __slots__=()),
    "keys": lambda: with_attributes(OldMixin, **{"": 1, "\u00e9": 2}),
}


@pytest.mark.parametrize("shape", OLD)
def test_instances_before_protocol_2(shape):
    make = OLD[shape]
    check(make, [0, 1])
    check(lambda: [make() for _ in range(5)], [0, 1])
    check(lambda: [Inline(make()), [make(), Inline(make(), make())], {"key": make()}, Inline([Inline(make())])], [0, 1])
    check(lambda: [Plain(a=1), Plain(a=[2]), make(), Plain(a=make()), Reduced(make()), make(), Pair(make(), 1)], [0, 1])


def test_instances_before_protocol_2_in_each_other():
    def by_attribute():
        it = Inline(text(1))
        it.b = [it, (it, it.__dict__)]
        return [Inline(), it, Inline(it)]

    def by_namedtuple():
        it = Pair([], text(1))
        it.left.append(it)
        return [Pair(1, 2), it, it]

    def deep():
        it = None
        for _ in range(50):
            it = Inline(it, Pair(it, text(1)))
        return it

    def unpicklable():
        return [Inline(1), Inline([2]), Inline(3, {"key": [Inline(4, (5, lambda: 6))]})]

    def unpicklable_pair():
        return [Pair(1, 2), Pair(3, Inline(5)), Pair(3, Inline([Pair(4, lambda: 6)]))]
    for make in [by_attribute, by_namedtuple, deep, unpicklable, unpicklable_pair]:
        check(make, [0, 1])


@contextlib.contextmanager
def kept_as_it_is(owner, name):
    """An attribute has the value that it had before, if it had one."""
    missing = object()
    before = vars(owner).get(name, missing) if isinstance(owner, types.ModuleType) else getattr(owner, name)
    try:
        yield
    finally:
        if before is missing:
            delattr(owner, name)
        else:
            setattr(owner, name, before)


def reduce_ex_otherwise(self, protocol):
    return list, ([protocol],)


def reconstruct_otherwise(cls, base, state):
    return cls()


@pytest.mark.parametrize("owner,name,value", [
    (copyreg, "_reduce_ex", reduce_ex_otherwise), (copyreg._reduce_ex, "__code__", reduce_ex_otherwise.__code__),
    (copyreg, "_reconstructor", reconstruct_otherwise), (copyreg, "_HEAPTYPE", 0), (copyreg, "_new_type", int),
    (copyreg, "object", Plain), (copyreg, "getattr", lambda *args: True), (copyreg, "hasattr", lambda *args: False),
    (copyreg, "isinstance", lambda *args: True), (copyreg, "type", lambda self: Plain),
    (builtins, "isinstance", lambda it, cls, real=isinstance: cls is copyreg._new_type or real(it, cls)),
    (builtins, "getattr", lambda it, name, *default, real=getattr: name == "__slots__" or real(it, name, *default)),
    (builtins, "object", Plain),
    (copyreg._reconstructor, "__qualname__", "_slotnames"), (copyreg._reconstructor, "__module__", __name__),
], ids=lambda part: getattr(part, "__name__", None) or str(part))
def test_what_copyreg_does_before_protocol_2_changes(owner, name, value):
    class Changes:
        def __reduce__(self):
            setattr(owner, name, value)
            return list, ()

    def make():
        return [Plain(a=1), Plain(a=[2]), Pair(1, 2), Pair(3, 4), Inline(5)]
    for protocol in (0, 1, 2):
        found = []
        for module in (stock, ours):
            module.dumps(make(), protocol)
            with kept_as_it_is(owner, name):
                during = outcome(lambda: module.dumps([*make(), Changes(), *make()], protocol))
                found.append((during, outcome(lambda: module.dumps(make(), protocol))))
        assert found[0] == found[1], protocol


def test_copyreg_that_is_another_module():
    other = types.ModuleType("copyreg")
    other.__dict__.update(copyreg.__dict__)
    other._reduce_ex = reduce_ex_otherwise
    for protocol in (0, 1):
        found = []
        for module in (stock, ours):
            with item(sys.modules, "copyreg", other):
                found.append(outcome(lambda: module.dumps([Plain(a=1), Plain(a=2)], protocol)))
        assert found[0] == found[1]


def test_overrides_before_protocol_2():
    for protocol in (0, 1):
        found = []
        for module in (stock, ours):
            class Pickler(module.Pickler):
                def reducer_override(self, obj):
                    return reduce_oddly(obj) if getattr(obj, "a", 0) == 2 else NotImplemented
            file = io.BytesIO()
            Pickler(file, protocol).dump([Plain(a=1), Plain(a=2), Plain(a=3), Pair(1, 2)])
            pickler = module.Pickler(file, protocol)
            pickler.dispatch_table = collections.ChainMap({Pair: reduce_oddly}, {Inline: reduce_oddly})
            pickler.dump([Plain(a=1), Pair(1, 2), Inline(1), Plain(a=3)])
            found.append(file.getvalue())
        assert found[0] == found[1]


@pytest.mark.parametrize("index", [-1, 255, 256, 2**32 - 1, 2**32, 2**40])
def test_memos_with_odd_indexes_before_protocol_2(index):
    for held in (copyreg._reconstructor, Plain, object):
        found = []
        for module in (stock, ours):
            file = io.BytesIO()
            pickler = module.Pickler(file, 1)
            pickler.dump([Plain(a=1)])
            pickler.memo = {id(held): (index, held)}
            found.append((outcome(lambda: pickler.dump([Plain(a=2), Plain(a=[3])])), file.getvalue()))
        assert found[0] == found[1]


# Buffers out of band, whose callback is the `append` of a list: it runs no Python

class ListBelow(list):
    """Its append is another."""

    def append(self, item):
        super().append((item, len(self)))


def appended(module, make, kind, way):
    taken = ListBelow() if kind == "below" else []
    given = {
        "list": lambda: taken.append, "below": lambda: taken.append, "extend": lambda: [].extend, "insert": lambda: functools.partial(taken.insert, 0),
        "python": lambda: lambda buffer: taken.append(buffer), "true": lambda: lambda buffer: taken.append(buffer) or len(taken) % 2,
        "raises": lambda: lambda buffer: len(taken.append(buffer)),
        "deque": lambda: collections.deque().append, "remove": lambda: taken.remove,
    }[kind]()
    obj = make(taken)
    if way == "dumps":
        result = outcome(lambda: module.dumps(obj, 5, buffer_callback=given))
    else:
        file = Chunks()
        pickler = module.Pickler(file, 5, buffer_callback=given)
        result = [outcome(lambda: pickler.dump(obj)), outcome(lambda: pickler.dump(obj)), file.chunks, len(pickler.memo.copy())]
    found = [item[0] if type(item) is tuple else item for item in taken]
    return result, [(bytes(item.raw()), item.raw().readonly) for item in found if isinstance(item, stock.PickleBuffer)]


@pytest.mark.parametrize("kind", ["list", "below", "extend", "insert", "python", "true", "raises", "deque", "remove"])
def test_buffers_out_of_band(kind):
    def buffer(data=b"read only"):
        return stock.PickleBuffer(data)

    def twice(taken):
        shared = buffer()
        return [Buffered(), Buffered(shared, shared), Buffered(shared)]
    for make in [
        lambda taken: [Buffered(), Buffered(buffer()), Buffered(buffer(bytearray(b"writable")), 1, text(1)), Buffered([buffer()])],
        lambda taken: [Buffered(), Buffered(buffer(memoryview(b"every second")[::2])), Buffered(1)],
        lambda taken: [Buffered(), Buffered(of_a_released(b"gone"))],
        lambda taken: [Buffered(), Buffered(taken, buffer(), taken), Buffered(buffer(), [taken]), Buffered(buffer(), (taken, 1))],
        lambda taken: [Buffered(), Buffered({"list": taken, "buffer": buffer()}), taken],
        lambda taken: [Buffered(buffer(b"large" * 40_000)) for _ in range(5)],
        lambda taken: [Buffered(buffer(), {number: text(number)}) for number in range(3000)],
        lambda taken: (taken, Buffered(), Buffered(buffer()), Buffered(buffer())),
        twice,
    ]:
        for way in ("dumps", "pickler"):
            assert appended(ours, make, kind, way) == appended(stock, make, kind, way)


# `__reduce_ex__` is called as a method where the class has one

class Given:
    """A descriptor that gives what it was made with, or nothing."""

    def __init__(self, *value):
        self.value = value

    def __get__(self, instance, owner):
        if not self.value:
            raise AttributeError("nothing")
        return self.value[0]


@pytest.mark.parametrize("method", [
    lambda: lambda self, protocol: (Plain, (), {"protocol": protocol}), lambda: staticmethod(lambda protocol: (Plain, (protocol,))),
    lambda: classmethod(lambda cls, protocol: (Plain, (protocol,))), lambda: property(lambda self: lambda protocol: (Plain, ())),
    lambda: Given(lambda protocol: (Plain, (protocol,))), lambda: Given(), lambda: None, lambda: 5, lambda: object.__reduce_ex__,
    lambda: functools.partial(lambda protocol: (Plain, (protocol,))), lambda: stock.PickleBuffer.__reduce_ex__,
    lambda: functools.partialmethod(lambda self, protocol: (Plain, (protocol,))),
])
def test_kinds_of_reduce_ex(method):
    for reduce in (None, lambda self: (Plain, (text(1),))):
        local = type("Local", (), {"__reduce_ex__": method(), "__module__": __name__, **({"__reduce__": reduce} if reduce else {})})
        globals()["Local"] = local

        def hidden():
            made = local()
            made.__reduce_ex__ = lambda protocol: (Plain, ("hidden",))
            return [local(), made, local()]
        check(lambda: [local(), local()])
        if not isinstance(vars(local)["__reduce_ex__"], property):
            check(hidden)


# Slots that are no plain ones

class SlotAgain(Slots):
    """A common mistake: `x` has two slots, of which one is hidden."""

    __slots__ = ("x",)


class SlotOfTwoNames(Slots):
    __slots__ = ()
    other = Slots.x


class ManySlots:
    __slots__ = tuple(f"slot{number}" for number in range(1001))


@dataclasses.dataclass(slots=True, frozen=True)
class FieldsOfOneSlot:
    a: object
    b: object


FieldsOfOneSlot.b = FieldsOfOneSlot.a


def with_slots(cls, **slots):
    made = cls.__new__(cls)
    for name, value in slots.items():
        object.__setattr__(made, name, value)
    return made


@pytest.mark.parametrize("make", [
    lambda: with_slots(SlotAgain, x=[1], y=2), lambda: with_slots(SlotOfTwoNames, x=[1]), lambda: with_slots(FieldsOfOneSlot, a=[1]),
    lambda: with_slots(ManySlots, **dict.fromkeys(ManySlots.__slots__)),
], ids=["again", "two names", "fields", "many"])
def test_slots_that_are_no_plain_ones(make):
    check(make)
    check(lambda: [make(), make()])


def test_a_chain_by_a_slot_that_is_there_again():
    """Each value once: twice in each would be a million times at the end."""
    def chain():
        last = None
        for _ in range(20):
            last = with_slots(SlotAgain, x=last)
        return last
    check(chain)


@pytest.mark.skipif(sys.version_info < (3, 15), reason="before 3.15 tuples have no slots")
def test_tuples_with_slots():
    for base in (Pair, tuple):
        local = type("Local", (base,), {"__slots__": ("extra", "more"), "__module__": __name__})
        globals()["Local"] = local

        def make():
            made = local(1, [2]) if base is Pair else local([1, [2]])
            made.more = [3]
            return made
        check(lambda: [make(), make()], [2, 3, 4, 5])
        for module in (stock, ours):
            loaded = ours.loads(module.dumps(make()))
            assert (loaded[:], loaded.more, hasattr(loaded, "extra")) == ((1, [2]), [3], False)


# What a hook changes without a trace in sizes and references

@pytest.mark.parametrize("size", [0, 1, 2, 500, 997, 998, 999, 1000, 1998, 2000])
@pytest.mark.parametrize("place", [0, 0.5, 1])
def test_dicts_that_change_at_the_same_size(size, place):
    class Changes:
        def __init__(self, inside):
            self.inside = inside

        def __reduce__(self):
            self.inside["new"] = self.inside.pop("hook")
            self.inside.update({("more", number): self.inside.pop(number) for number in range(5) if number in self.inside})
            return list, ()

    def make():
        changing = {}
        for number in range(size + 1):
            if number == int(size * place):
                changing["hook"] = Changes(changing)
            if number < size:
                changing[number] = text(number)
        return changing
    check(make, [0, 1, 2, 4], ["dumps", "dump", "pickler"])


@pytest.mark.parametrize("hook", ["__reduce__", "__getstate__"])
@pytest.mark.parametrize("kind", [set, frozenset])
def test_what_hooks_find_by_weak_references(kind, hook):
    cache = weakref.WeakValueDictionary()

    def found(self):
        held = cache.get("held")
        if held is None:
            held = cache["held"] = kind(["a", "b"])
        return (list, ([held],)) if hook == "__reduce__" else {"held": held, "more": [held]}

    local = type("Local", (), {hook: found, "__module__": __name__})
    globals()["Local"] = local

    def make():
        cache.clear()
        return [local() for _ in range(3)]
    check(make)


def test_the_import_of_the_code_that_is_running():
    for protocol in PROTOCOLS:
        found = []
        for module in (stock, ours):
            log = []

            def importing(name, *args, log=log, **kwargs):
                log.append(name)
                return __import__(name, *args, **kwargs)

            for replaced in ({"__import__": importing}, {"__import__": None}):
                known = {"module": module, "data": [Plain(a=1), len], "protocol": protocol,
                         "__builtins__": dict(vars(builtins), **replaced)}
                found.append(outcome(lambda known=known: exec("data = module.dumps(data, protocol)", known)))
                found.append([known["data"] if isinstance(known["data"], bytes) else None, log])
        assert found[:4] == found[4:]


def test_bin_that_persistent_id_sets():
    for protocol in (1, 2):
        found = []
        for module in (stock, ours):
            class Pickler(module.Pickler):
                def persistent_id(self, obj):
                    if obj == "x":
                        self.bin = not self.bin
                    return "id" if obj == "y" else None

            file = io.BytesIO()
            Pickler(file, protocol).dump(["x", "z", ["x", "y"], {"x": None}, None, 1, 2.5])
            found.append(file.getvalue())
        assert found[0] == found[1]
