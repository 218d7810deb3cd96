"""A million dumps and loads, some of which fail: they must leave nothing behind."""

import collections
import dataclasses
import datetime
import enum
import gc
import io
import os
import resource
import sys

import halfsour._pickle as ours

REPETITIONS = 1_000_000 if os.environ.get("HALFSOUR_SLOW") == "1" else 100_000


class Plain:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class Slots:
    __slots__ = ("a", "b")

    def __init__(self, a, b):
        self.a, self.b = a, b


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    a: object
    b: object


class Stateful(Plain):
    def __getstate__(self):
        return dict(self.__dict__)

    def __setstate__(self, state):
        self.__dict__.update(state)


class Reduced(Plain):
    def __reduce__(self):
        return Reduced, (), self.__dict__


class Color(enum.Enum):
    RED = 1


class Failing:
    def __getstate__(self):
        raise KeyError("no state")


class Identified(ours.Pickler):
    def persistent_id(self, obj):
        return obj.a if type(obj) is Slots else None


class Identifying(ours.Unpickler):
    def persistent_load(self, pid):
        return Slots(pid, None)

    def find_class(self, module, name):
        return super().find_class(module, name)


Point = collections.namedtuple("Point", "x y")


def make(number):
    """A list of what shortcuts know, with strings and numbers that no other list has."""
    text, big = f"text {number}", 1 << 70 | number
    shared = [text, big]
    return [
        Plain(a=text, b=shared, c=None), Plain(a=1.5, b=shared, c=()), Slots(text, big), Slots(shared, None),
        Frozen(big, text), Point(text, shared), Point(big, 2), {"id": big, "name": text, "of": 1, "at": 2, "is": 3},
        {"id": 1, "name": text, "of": big, "at": 2, "is": 3}, {text, "other"}, frozenset([text]), Color.RED,
        datetime.datetime(2024, 1, 1, number % 24), datetime.date(2024, 1, 2), bytearray(b"x" * (number % 50)),
        Stateful(a=text), Reduced(a=big), collections.OrderedDict(a=text), Plain, len,
    ]


def fails(exception, call):
    try:
        call()
    except exception:
        return
    raise AssertionError("nothing was raised")


def round_trip(obj, protocol):
    ours.loads(ours.dumps(obj, protocol))


def by_file(obj, pickler, unpickler):
    file = io.BytesIO()
    pickler(file, 5).dump(obj)
    file.seek(0)
    unpickler(file).load()


def broken(obj, number):
    data = bytearray(ours.dumps(obj, 5))
    cut = number * 7919 % len(data)
    fails(Exception, lambda: ours.loads(bytes(data[:cut])))


def repeat(count):
    """So many dumps and loads; nearly each object is small, and comes by another way."""
    for number in range(count // 50):
        objects = make(number)
        for obj in objects:
            round_trip(obj, 5)
        round_trip(objects, number % 6 if number % 6 > 1 else 4)
        by_file(objects, ours.Pickler, ours.Unpickler)
        by_file(objects[2:4], Identified, Identifying)
        broken(objects, number)
        fails(KeyError, lambda objects=objects: ours.dumps([objects, Failing()]))


def test_a_million_repetitions_leave_nothing_behind():
    repeat(5_000)
    gc.collect()
    blocks, memory = sys.getallocatedblocks(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    repeat(REPETITIONS)
    gc.collect()
    # A leak in one of the ways would be of thousands of blocks.
    assert sys.getallocatedblocks() - blocks < 500
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 2048, "KiB"
