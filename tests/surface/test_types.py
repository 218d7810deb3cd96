"""The extension's functions and types, seen from outside, beside those of the interpreter's own `_pickle`.

Where it is not swapped in, the extension says where its types are from: halfsour._pickle. So they can be pickled.
"""

import _pickle
import gc
import inspect
import io
import pickle
import sys
import types
import weakref

import pytest

import halfsour

FUNCTIONS = ["dump", "dumps", "load", "loads"]
TYPES = ["Pickler", "Unpickler"]
IMMUTABLE = 1 << 8
SHOWN_FLAGS = IMMUTABLE | 1 << 10 | 1 << 14  # immutable, subclassable, tracked by the collector


def both(name):
    return getattr(halfsour._pickle, name), getattr(_pickle, name)


def make(cls):
    return cls(io.BytesIO())


def plain(text):
    return text.replace("halfsour._pickle", "_pickle")


def public(obj):
    return sorted(set(dir(obj)) - {"__module__"})  # which the static types of 3.11 do not have


def outcome(call, *args, **kwargs):
    """What a call returns, or how it fails."""
    try:
        return call(*args, **kwargs)
    except Exception as error:
        return type(error), plain(str(error))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    ours, theirs = both(name)
    assert type(ours) is types.BuiltinFunctionType
    for attribute in ("__name__", "__qualname__", "__text_signature__"):
        assert getattr(ours, attribute) == getattr(theirs, attribute)
    assert inspect.signature(ours) == inspect.signature(theirs)
    # A builtin is no descriptor: a class that holds one does not bind it.
    holder = type("Holder", (), {"function": ours})()
    assert holder.function is ours


@pytest.mark.parametrize("name", TYPES)
def test_types(name):
    ours, theirs = both(name)
    for attribute in ("__name__", "__qualname__", "__bases__", "__text_signature__", "__dictoffset__"):
        assert getattr(ours, attribute) == getattr(theirs, attribute), attribute
    assert ours.__weakrefoffset__ == theirs.__weakrefoffset__
    assert ours.__flags__ & SHOWN_FLAGS == theirs.__flags__ & SHOWN_FLAGS
    assert inspect.signature(ours) == inspect.signature(theirs)
    assert repr(ours) == f"<class 'halfsour._pickle.{name}'>"
    assert outcome(setattr, ours, "brine", 1) == outcome(setattr, theirs, "brine", 1)
    assert public(ours) == public(theirs)


@pytest.mark.parametrize("name", FUNCTIONS + TYPES)
def test_they_can_be_pickled(name):
    ours, theirs = both(name)
    assert ours.__module__ == "halfsour._pickle"
    for module in (pickle, halfsour):
        assert module.loads(module.dumps([ours, theirs])) == [ours, theirs]


@pytest.mark.parametrize("name", TYPES)
def test_members(name):
    ours, theirs = both(name)
    for member, expected in vars(theirs).items():
        if member == "__module__":
            continue
        found = vars(ours)[member]
        assert type(found) is type(expected), member
        for attribute in ("__name__", "__text_signature__"):
            assert getattr(found, attribute, None) == getattr(expected, attribute, None), (member, attribute)


MEMBERS = [(name, member) for name in TYPES for member in vars(getattr(_pickle, name)) if member != "__module__"]


@pytest.mark.parametrize(("name", "member"), MEMBERS)
def test_what_is_documented_there_is_documented_here(name, member):
    """In our own words: only signatures are the same."""
    def documented(cls):
        return bool(inspect.getdoc(getattr(cls, member)) if member != "__doc__" else inspect.getdoc(cls))

    ours, theirs = both(name)
    assert documented(ours) >= documented(theirs)


@pytest.mark.parametrize("name", TYPES)
def test_instances(name):
    ours, theirs = map(make, both(name))
    assert gc.is_tracked(ours)
    assert not hasattr(ours, "__dict__")
    assert outcome(setattr, ours, "brine", 1) == outcome(setattr, theirs, "brine", 1)
    assert outcome(weakref.ref, ours) == outcome(weakref.ref, theirs)
    assert outcome(pickle.dumps, ours)[0] is outcome(pickle.dumps, theirs)[0]
    assert sys.getsizeof(ours) >= type(ours).__basicsize__
    assert hash(ours) == hash(ours)


@pytest.mark.parametrize("name", TYPES)
def test_subclasses(name):
    class Sub(getattr(halfsour._pickle, name)):
        pass

    instance = make(Sub)
    instance.brine = 1
    assert weakref.ref(instance)() is instance
    assert isinstance(instance, getattr(halfsour._pickle, name))


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((), {}),
        ((None,), {}),
        ((1, 2, 3, 4, 5, 6), {}),
        ((io.BytesIO(),), {"brine": 1}),
        ((object(),), {}),
        ((io.BytesIO(), "1"), {}),
        ((io.BytesIO(), 6), {}),
        ((io.BytesIO(), -5), {}),
        ((io.BytesIO(), 10**30), {}),
        ((io.BytesIO(),), {"file": io.BytesIO()}),
        ((io.BytesIO(),), {"encoding": 1}),
        ((io.BytesIO(),), {"encoding": "a\0b"}),
        ((io.BytesIO(),), {"errors": None}),
        ((io.BytesIO(),), {"buffers": 1}),
        ((io.BytesIO(), 4), {"buffer_callback": print}),
        ((io.BytesIO(), 5), {"buffer_callback": 1}),
    ],
)
def test_wrong_arguments(name, args, kwargs):
    def construct(cls):
        made = outcome(cls, *args, **kwargs)
        return made if isinstance(made, tuple) else type(made).__name__

    ours, theirs = both(name)
    assert construct(ours) == construct(theirs)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((), {}),
        ((1, 2, 3, 4, 5, 6), {}),
        ((None,), {}),
        ((1, None), {}),
        (("text",), {}),
        ((b"N.",), {"encoding": 1}),
        ((b"N.",), {"data": 1}),
        ((b"N.",), {"brine": 1}),
        ((1, 6), {}),
        ((1, 10**30), {}),
        ((1,), {"protocol": "1"}),
        ((1,), {"protocol": 4, "buffer_callback": print}),
        ((1, io.BytesIO(), 4), {"buffer_callback": print}),
        ((1, io.BytesIO(), None, True), {}),
    ],
)
def test_wrong_arguments_of_functions(name, args, kwargs):
    ours, theirs = both(name)
    assert outcome(ours, *args, **kwargs) == outcome(theirs, *args, **kwargs)


def test_not_initialised():
    for name, use in {"Pickler": "dump", "Unpickler": "load"}.items():
        ours, theirs = both(name)
        for args in ([1], []):
            results = [outcome(getattr(cls.__new__(cls), use), *args[: use == "dump"]) for cls in (ours, theirs)]
            assert results[0] == results[1]
    assert outcome(halfsour._pickle.Pickler.__new__, halfsour._pickle.Unpickler) == outcome(
        _pickle.Pickler.__new__, _pickle.Unpickler
    )


@pytest.mark.parametrize("name", TYPES)
def test_attributes_before_init(name):
    def look(cls):
        made = cls.__new__(cls, 1, 2, brine=3)
        attributes = ["bin", "fast", "dispatch_table"] if name == "Pickler" else []
        return [outcome(getattr, made, attribute) for attribute in attributes]

    ours, theirs = both(name)
    assert look(ours) == look(theirs)


def test_init_again():
    def again(cls):
        first, second = io.BytesIO(), io.BytesIO()
        pickler = cls(first, 0)
        shared = ["shared"]
        pickler.dump(shared)
        pickler.__init__(second, 4)
        pickler.dump(shared)
        pickler.dump(shared)
        return first.getvalue(), second.getvalue()

    ours, theirs = both("Pickler")
    assert again(ours) == again(theirs)

    def load_again(cls):
        unpickler = cls(io.BytesIO(b"\x80\x04]\x94."))
        unpickler.load()
        unpickler.__init__(io.BytesIO(b"h\x00."))
        return outcome(unpickler.load)

    ours, theirs = both("Unpickler")
    assert load_again(ours) == load_again(theirs)


def test_dispatch_table():
    def use(cls):
        pickler = make(cls)
        seen = [outcome(getattr, pickler, "dispatch_table")]
        pickler.dispatch_table = {}
        seen.append(pickler.dispatch_table)
        del pickler.dispatch_table
        seen.append(outcome(getattr, pickler, "dispatch_table"))
        seen.append(outcome(delattr, pickler, "dispatch_table"))
        return seen

    ours, theirs = both("Pickler")
    assert type(ours.dispatch_table) is types.MemberDescriptorType
    assert use(ours) == use(theirs)


def test_bin_and_fast():
    def use(cls):
        pickler = cls(io.BytesIO(), 0)
        seen = [pickler.bin, pickler.fast]
        pickler.bin, pickler.fast = 1, True
        seen += [pickler.bin, pickler.fast, outcome(setattr, pickler, "fast", "x"), outcome(delattr, pickler, "bin")]
        return seen

    ours, theirs = both("Pickler")
    assert use(ours) == use(theirs)


def test_pickler_memo():
    def use(cls):
        file = io.BytesIO()
        pickler = cls(file)
        empty = pickler.memo.copy()
        obj = ["shared"]
        pickler.dump(obj)
        proxy = pickler.memo
        entries = sorted(proxy.copy().values())
        # A memo from another pickler, as a proxy and as a dict.
        twin, third = cls(file), cls(file)
        twin.memo = proxy
        third.memo = proxy.copy()
        twin.dump(obj)
        third.dump(obj)
        proxy.clear()
        pickler.dump(obj)
        return [
            empty,
            entries,
            file.getvalue(),
            type(proxy).__name__,
            plain(type(proxy).__module__),
            proxy.__reduce__() == (dict, (proxy.copy(),)),
            outcome(hash, proxy),
            outcome(setattr, pickler, "memo", 1),
            outcome(setattr, pickler, "memo", {1: 2}),
            outcome(setattr, pickler, "memo", {1: (2,)}),
            outcome(setattr, pickler, "memo", {"key": (1, 2)}),
            outcome(delattr, pickler, "memo"),
            public(proxy),
        ]

    ours, theirs = both("Pickler")
    assert use(ours) == use(theirs)


def test_unpickler_memo():
    def use(cls):
        unpickler = cls(io.BytesIO(b"\x80\x04]\x94(K\x01\x8c\x01a\x94e." * 2 + b"h\x01.h\x05."))
        proxy = unpickler.memo
        seen = [proxy.copy(), unpickler.load(), proxy.copy()]
        unpickler.memo = unpickler.memo
        seen += [proxy.copy(), unpickler.load()]
        seen += [outcome(setattr, unpickler, "memo", wrong) for wrong in (1, {"key": 1}, {-1: 1})]
        seen += [outcome(delattr, unpickler, "memo"), proxy.__reduce__(), outcome(hash, proxy)]
        seen += [
            unpickler.load(),
            type(proxy).__name__,
            plain(type(proxy).__module__),
            public(proxy),
        ]
        unpickler.memo.clear()
        return [*seen, outcome(unpickler.load)]

    ours, theirs = both("Unpickler")
    assert use(ours) == use(theirs)


@pytest.mark.parametrize("name", TYPES)
def test_a_memo_proxy_keeps_its_owner(name):
    for cls in both(name):
        proxy = make(cls).memo
        gc.collect()
        assert proxy.copy() == {}


@pytest.mark.parametrize("name", TYPES)
def test_reference_cycles_are_collected(name):
    class Sub(getattr(halfsour._pickle, name)):
        pass

    class File(io.BytesIO):
        pass

    file = File()
    file.owner = Sub(file)
    gone = weakref.ref(file)
    del file
    gc.collect()
    assert gone() is None


def test_signatures_of_subclasses():
    for name in TYPES:
        ours, theirs = (type("Sub", (cls,), {}) for cls in both(name))
        assert inspect.signature(ours) == inspect.signature(theirs)


@pytest.mark.skipif(not hasattr(sys, "gettotalrefcount"), reason="counts references, which only a debug build can")
def test_nothing_leaks():
    def use():
        for name in TYPES:
            make(getattr(halfsour._pickle, name)).memo.copy()
        halfsour.loads(halfsour.dumps([1, "a", (None,), {"b": 2.0}]))

    def count():
        gc.collect()
        return sys.gettotalrefcount()

    use()
    before = count()
    for _ in range(100):
        use()
    assert count() - before < 20
