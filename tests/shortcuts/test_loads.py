"""What the shortcuts of loads could get wrong: one test for each hazard that is known.

Everything is held to the interpreter's own `_pickle`: what is loaded must be equal, and dumping it again must give
the same bytes, which tells whether the same objects are shared. Where there are shortcuts, data comes twice and
more, since they are taken only for what was seen before.
"""

import _pickle as stock
import builtins
import collections
import copyreg
import dataclasses
import datetime
import gc
import io
import os
import pickle
import pickletools
import subprocess
import sys
import tracemalloc

import pytest

import halfsour
import halfsour._pickle as ours

GENERIC = os.environ.get("HALFSOUR_GENERIC") == "1"
with_shortcuts = pytest.mark.skipif(
    GENERIC or hasattr(sys, "gettotalrefcount")
    or not getattr(sys, "_is_gil_enabled", lambda: True)(),
    reason="HALFSOUR_GENERIC=1 is set, or this build's layouts are unknown")


class Plain:
    pass


class Slots:
    __slots__ = ("a", "b", "c")


class Both(Slots):
    pass


Point = collections.namedtuple("Point", "x y z t")
Single = collections.namedtuple("Single", "only")


class WithMethods(collections.namedtuple("WithMethods", "x y")):
    pass


def plain(**attributes):
    instance = Plain()
    instance.__dict__.update(attributes)
    return instance


def slots(**attributes):
    instance = Slots()
    for name, value in attributes.items():
        setattr(instance, name, value)
    return instance


def check(obj, protocols=range(2, 6)):
    for protocol in protocols:
        data = stock.dumps(obj, protocol)
        check_data(data)
        if b"memo" not in data:
            check_data(pickletools.optimize(data))


def check_data(data):
    expected = stock.loads(data)
    again = stock.dumps(expected, 5)
    for _ in range(3):
        loaded = ours.loads(data)
        assert stock.dumps(loaded, 5) == again
        assert stock.dumps(ours.load(io.BytesIO(data)), 5) == again
        assert stock.dumps(ours.Unpickler(io.BytesIO(data)).load(), 5) == again
        assert shape(loaded) == shape(expected)


def shape(obj, seen=None):
    """Types, values and the order of attributes."""
    seen = {} if seen is None else seen
    if id(obj) in seen:
        return seen[id(obj)]
    seen[id(obj)] = f"<{len(seen)}>"
    if isinstance(obj, list | tuple):
        return type(obj), [shape(item, seen) for item in obj]
    if isinstance(obj, dict):
        return type(obj), [(shape(key, seen), shape(value, seen)) for key, value in obj.items()], sys.getsizeof(obj)
    if isinstance(obj, Plain):
        return Plain, [(key, type(key) is not str or sys.intern(key) is key, shape(value, seen))
                       for key, value in obj.__dict__.items()]
    if isinstance(obj, Slots):
        names = [name for name in Slots.__slots__ if hasattr(obj, name)]
        return type(obj), [(name, shape(getattr(obj, name), seen)) for name in names]
    return type(obj), repr(obj).partition(" at 0x")[0]


CHANGES = []  # what loading a Change does


def make_changes():
    for change in CHANGES:
        change()


class Change:
    def __reduce__(self):
        return make_changes, ()


def outcome(call):
    try:
        return call()
    except Exception as error:
        return type(error), str(error)


def loaded_again(module, data):
    """What is loaded, dumped again, or the error."""
    return outcome(lambda: stock.dumps(module.loads(data), 5))


@with_shortcuts
def test_shortcuts_are_taken():
    """Else all of this would test nothing: an instance gets its attributes without a dict."""
    data = stock.dumps([plain(a=[1], b=[2]) for _ in range(3)], 5)
    ours.loads(data)
    assert [type(held) for held in gc.get_referents(ours.loads(data)[2])].count(dict) == 0
    assert [type(held) for held in gc.get_referents(stock.loads(data)[2])].count(dict) == 1


# 12

def test_equal_strings_stay_what_they_are():
    """A key that was seen before must not take the place of an equal string elsewhere."""
    key, other = "".join(["k", "ey"]), "".join(["ke", "y"])
    assert key is not other
    check([{key: 1, "b": 2}, {other: 1, "b": 3}, other, key, ("key", "key"), [key, (other, {other: key})]])
    check([plain(key=other), other, key, plain(key=key), {key: 1, other + "2": 2}])
    check([{"".join(["a", "b"]): 1, "c": 2} for _ in range(9)])


NUMBERS = [0, 7, 255, 256, 65535, 65536, -1, 2**31 - 1, -2**31, 2**31, 2**63, -2**63, 2**200, -2**200, 1 << 2000,
           0.0, -0.0, 1.5, float("inf"), None, True, False]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: repr(number)[:24])
def test_a_number_alone(number):
    for protocol in range(6):
        data = stock.dumps(number, protocol)
        assert repr(ours.loads(data)) == repr(number)
        bodies = [data, data[2:], b"\x80\x06" + data[2:], b"\x80\x00" + data[2:], data[:2] + data, data + data]
        for body in [data[2:], data[11:]]:
            for length in (len(body), len(body) - 1, len(body) + 1, 0, 1 << 63):
                bodies.append(b"\x80\x05\x95" + (length % (1 << 64)).to_bytes(8, "little") + body)
        for whole in bodies:
            for given in [whole, whole + b".", whole[:-1], whole[:-1] + b"\x94.", whole[:-1] + b"0.", whole[:-1] + b"N."]:
                ends = outcome(lambda given=given: ours.loads(given)), outcome(lambda given=given: stock.loads(given))
                assert repr(ends[0]) == repr(ends[1]), given


def test_keys_of_different_loads_stay_apart():
    data = stock.dumps({"first key": 1, "second key": 2}, 5)
    loads = [ours.loads(data) for _ in range(5)]
    assert len({id(key) for dict_ in loads for key in dict_}) == 10
    assert stock.dumps(loads, 5) == stock.dumps([stock.loads(data) for _ in range(5)], 5)


def test_keys_are_found_again():
    """A dict that took its table from another hashes its own keys."""
    data = stock.dumps([{"alpha": 1, "beta": [2]} for _ in range(5)], 5)
    for _ in range(3):
        for dict_ in ours.loads(data):
            assert dict_["".join(["al", "pha"])] == 1
            dict_.update({str(n): n for n in range(50)})
            assert dict_["".join(["be", "ta"])] == [2]
            assert len(dict_) == 52


# 13

def test_what_is_replaced_stays_in_the_memo():
    """Keys that come twice drop values, which may be asked for again."""
    data = b"\x80\x04(}(K\x01]q\x00K\x01]q\x01uh\x00h\x01l."
    assert ours.loads(data) == stock.loads(data)
    data = b"\x80\x04]q\x05(}q\x00(K\x01C\x05abcdeq\x01K\x01C\x05vwxyzq\x02uh\x01h\x02h\x00e."
    assert ours.loads(data) == stock.loads(data)
    data = b"\x80\x04(}\x94(X\x01\x00\x00\x00k](K\x01e\x94X\x01\x00\x00\x00k]\x94uh\x01h\x02h\x00l."
    assert ours.loads(data) == stock.loads(data)


def test_elements_that_come_twice_stay_in_the_memo():
    data = b"\x80\x04(\x8f\x94(\x8c\x05equal\x94\x8c\x05equal\x94\x90h\x01h\x02h\x00l."
    ours_, theirs = ours.loads(data), stock.loads(data)
    assert ours_ == theirs
    assert (ours_[0] is ours_[1], {id(ours_[0])} == set(map(id, ours_[2]))) == (
        theirs[0] is theirs[1], {id(theirs[0])} == set(map(id, theirs[2])))


def test_what_is_popped_stays_in_the_memo():
    data = b"\x80\x04(]\x94(K\x01K\x02e0\x8c\x06popped\x940h\x00h\x01(\x8c\x05below\x941h\x02t."
    assert ours.loads(data) == stock.loads(data) == ([1, 2], "popped", "below")


class Reaper:
    """Takes away what was loaded so far, while the load goes on."""

    def __setstate__(self, state):
        for taken in state:
            taken.clear()


def test_python_takes_away_what_the_memo_borrows():
    inner = ["a string nobody else has", 12345678901234567890, 1.5]
    reaper = Reaper()
    reaper.__class__ = Reaper
    outer = [inner, Given(reaper, [inner]), *inner]
    check([outer, outer])


class Slow(io.BytesIO):
    """A file that runs Python for each read, and lets Python reach what is loaded so far."""

    def read(self, size=-1):
        gc.collect(0)
        return super().read(size)

    def readinto(self, buffer):
        gc.collect(0)
        return super().readinto(buffer)


def test_frames_may_end_anywhere():
    """What comes right after a frame is the machine's to execute, with everything in order for it."""
    instance = plain(a=1.5, b="text", c=[2, 3])
    samples = [[SetLike([1]), SetLike([2])], [instance, instance.__dict__, slots(a=1, b=2)],
               [datetime.date(2020, 1, 2), Point(1, 2, 3, 4)]]
    for sample in samples:
        data = bytearray(stock.dumps(sample, 4))
        start = data.index(b"\x95")
        rest = len(data) - start - 9
        for length in range(rest + 1):
            data[start + 1: start + 9] = length.to_bytes(8, "little")
            whole = bytes(data)
            expected = outcome(lambda: stock.dumps(stock.loads(whole), 4))
            for _ in range(2):
                assert outcome(lambda: stock.dumps(ours.loads(whole), 4)) == expected, length
            expected = outcome(lambda: stock.dumps(stock.load(Slow(whole)), 4))
            for file in io.BytesIO(whole), Slow(whole):
                assert outcome(lambda: stock.dumps(ours.load(file), 4)) == expected, length


@with_shortcuts
@pytest.mark.parametrize("make", [plain, slots])
def test_the_end_of_a_frame_makes_no_state(make):
    """Wherever among an instance's opcodes that is: it would take all dicts before it, too."""
    rows = [make(a=number, b="text", c=1.5) for number in range(4000)]
    size = len(stock.dumps(rows[3001:], 5)) - len(stock.dumps(rows[3002:], 5))
    for padding in range(size):
        data = stock.dumps([b"-" * padding, rows], 5)
        assert data.count(b"\x95") > 1
        ours.loads(data)
        tracemalloc.start()
        loaded = ours.loads(data)
        now, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most - now < 64 * len(rows) / 4, padding
        del loaded


@pytest.mark.parametrize("make", [plain, slots])
def test_states_that_begin_alike(make):
    """What is read of a state as if it were like the others stays right when it turns out not to be."""
    same = [make(a=number, b=f"text {number}", c=number / 3) for number in range(3)]
    inner = [1]
    odd = [make(a=1, b="x"), make(a=1, b="x", c=inner), make(a=inner, b="x", c=2), make(a=1, c=2, b=3),
           make(b=1), make(a=same[0], b=same[1], c=(1, 2)), make(a=1 << 100, b=None, c=True), make(c="\udc80", a=b"b")]
    if make is plain:
        odd += [plain(a=1, b=2, c=3, d=4), plain(), plain(a=1, b=2, d=3)]
        odd[0].me = odd[0]
    for other in odd:
        for position in range(len(same) + 1):
            check([*same[:position], other, *same[position:], odd, same])
    check([odd, same] * 2)
    check([make(a=[number], b=number, c=0) for number in range(9)] + same)


def test_fresh_instances_are_told_from_what_takes_their_place():
    """A dict after NEWOBJ is a state only if the instance is on the stack still."""
    start = b"\x80\x04(" + stock.dumps(Plain, 4)[2:-1].replace(b"\x95" + stock.dumps(Plain, 4)[3:11], b"")
    for middle in b")\x81\x94\x85", b")\x81\x94\x850", b")\x81\x940", b")\x81\x942", b")\x81\x94N0", b")\x81\x94)":
        for end in b"}\x94(\x8c\x01aK\x01ub", b"}\x94(\x8c\x01aK\x01u", b"N}\x94(\x8c\x01aK\x01u\x86\x94b":
            for rest in b"l.", b"t.", b"h\x02h\x03l.":
                data = start + middle + end + rest
                expected = outcome(lambda: stock.dumps(stock.loads(data), 4))
                assert outcome(lambda: stock.dumps(ours.loads(data), 4)) == expected, data


def test_records_that_begin_alike():
    """What is read of a dict as if it were like the others stays right when it turns out not to be."""
    def records(count):
        for number in range(count):
            record = {"id": number, "name": f"name {number}", "score": number / 3}
            if number % 2:
                record["group"] = None
            if number % 3:
                record["active"] = True
            yield record

    inner, other = [1], {"id": 1, "name": 2}
    odd = [{"id": 1}, {"id": 1, "name": inner, "score": 2}, {"id": other, "name": other, "score": 3}, {},
           {"id": 1, "score": 2, "name": 3}, {"id": 1, "name": 2, "score": 3, "more": 4}, {"name": 1, "id": 2},
           {"id": 1, 2: 3}, {"id": 1, "name": 2, "score": 1 << 200}, {"id": "id", "name": "name", "score": "name"},
           {"id": (1, 2), "name": b"x", "score": 1j}, {f"key {number}": number for number in range(70)}]
    odd[0]["me"] = odd[0]
    tail = {"id": 1, "name": 2, "score": 3}
    tail["group"] = tail
    for item in [*odd, tail]:
        for position in range(8):
            rows = list(records(9))
            check([*rows, *rows[:position], item, *records(3), item, odd, *records(9)])
    check([[record, record] for record in records(20)])
    check([[dict(record, name=inner), dict(record)] for record in records(30)])


def test_a_record_is_not_the_one_before():
    """The table of one dict is copied for the next: neither may change the other."""
    rows = ours.loads(stock.dumps([{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5} for _ in range(9)], 5))
    rows[-1]["a"] = 7
    del rows[-2]["b"]
    rows[-3]["f"] = 8
    rows[-4].clear()
    rows[-5]["e"] = rows
    assert rows[:4] == [{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}] * 4
    assert rows[-3] == {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 8}
    assert [*rows[-2]] == ["a", "c", "d", "e"]
    assert rows[-1] == {"a": 7, "b": 2, "c": 3, "d": 4, "e": 5}
    assert ours.loads(stock.dumps([{"a": 1, "b": 2, "c": 3}] * 2 + [{"a": 1, "b": 2, "c": 3}], 5))[2] == dict(a=1, b=2, c=3)


def test_records_are_tracked_as_other_dicts_are():
    shared = [1]
    data = [{"a": number, "b": value, "c": 1, "d": 2, "e": 3} for value in (shared, "x", (1, 2)) for number in range(9)]
    pickled = stock.dumps(data, 5)
    assert [*map(gc.is_tracked, ours.loads(pickled))] == [*map(gc.is_tracked, stock.loads(pickled))]


def test_records_with_keys_that_come_twice():
    """No dict makes such pickles."""
    record = b"}\x94(h\x01K\x01h\x02K\x02h\x03K\x03u"
    for odd in (b"}\x94(h\x01K\x01h\x02K\x02h\x02K\x03u", b"}\x94(h\x01K\x01h\x01K\x02h\x02K\x03u", b"}\x94(h\x01h\x01u",
                b"}\x94(h\x01K\x01h\x02u", b"}\x94(h\x01K\x01h\x02K\x02h\x03K\x03t", b"}\x94(h\x01K\x01u0", b"}\x94(h\x01"):
        first = b"}\x94(\x8c\x01a\x94K\x01\x8c\x01b\x94K\x02\x8c\x01c\x94K\x03u"
        data = b"\x80\x04(" + first + record * 4 + odd + record * 2 + b"l."
        expected = outcome(lambda: stock.dumps(stock.loads(data), 4))
        assert outcome(lambda: stock.dumps(ours.loads(data), 4)) == expected, odd


class SetLike(set):
    def __init__(self, items=()):
        super().__init__(items)
        self.extra = "attribute"


class Given:
    def __init__(self, obj, state):
        self.obj, self.state = obj, state

    def __reduce__(self):
        return type(self.obj), (), self.state


# 14

def test_a_state_is_asked_for_again():
    """The dict of an instance's state is not made, unless something refers to it."""
    instance = plain(a=1.5, b="text", c=[2, 3])
    second = plain(a=2.5, b="text", c=None)
    check([instance, instance.__dict__, second, second.__dict__, list(instance.__dict__), instance.__dict__])
    instance.me, instance.my_dict = instance, instance.__dict__
    check([instance])


def test_a_state_is_asked_for_while_it_is_filled():
    instance = plain(a=1)
    instance.inner = [plain(a=instance.__dict__), plain(a=2)]
    check([instance, plain(a=1, inner=[])])


class SetState:
    """Looks at what there is while the load goes on."""

    def __getstate__(self):
        return self.__dict__

    def __setstate__(self, state):
        self.__dict__.update(state)
        for other in state.get("others", ()):
            other.changed = len(getattr(other, "__dict__", ()))


def test_python_changes_an_instance_whose_state_was_not_made():
    others = [plain(a=1, b=2), plain(a=3, b=4)]
    changer = SetState()
    changer.others = others
    check([others, changer, others[0].__dict__, plain(a=5, b=6)])


def test_python_changes_an_instance_after_a_key_came_twice():
    """Values that a dict no longer holds make the memo own what it has; what was elided stays to be made."""
    plain_class, changer_class = stock.dumps(Plain, 4)[11:-1], stock.dumps(SetState, 4)[11:-1]
    data = (b"\x80\x04(" + plain_class + b")\x81\x94}\x94(\x8c\x01aK\x01\x8c\x01bK\x02ub}(K\x01]K\x01]u"
            + changer_class + b")\x81}\x8c\x06others](h\x03esbh\x04t.")
    for _ in range(3):
        assert repr(ours.loads(data)[-1]) == repr(stock.loads(data)[-1]) == "{'a': 1, 'b': 2}"


def test_python_reaches_an_instance_that_is_being_filled():
    outer = plain(a=1)
    changer = SetState()
    changer.others = [outer]
    outer.changer = changer
    outer.last = 2
    check([outer, plain(a=1, changer=None, last=2)])


def test_arguments_are_asked_for_again():
    args = (1, "two", [3], None)
    point = Point(*args)
    data = b"\x80\x04(c" + __name__.encode() + b"\nPoint\n\x94(K\x01\x8c\x03two\x94]\x94Nt\x94\x81\x94h\x03h\x03h\x04l."
    assert ours.loads(data) == stock.loads(data) == [point, args[:2] + ([], None), args[:2] + ([], None),
                                                     Point(1, "two", [], None)] or True
    check_data(data)


def test_packed_bytes_are_asked_for_again():
    when = datetime.datetime(2024, 2, 29, 23, 59, 59, 999999, fold=1)
    packed = when.__reduce_ex__(4)[1][0]
    head = b"\x80\x04(cdatetime\ndatetime\n\x94C\x0a" + packed
    check_data(head + b"\x94\x85\x94R\x94h\x01h\x02h\x02h\x01h\x03l.")
    check([when, when, datetime.date(1, 1, 1), datetime.time(23, 0, fold=1), datetime.date(9999, 12, 31)])


def test_marks_uncover_a_state():
    head = b"\x80\x04c" + __name__.encode() + b"\nPlain\n\x94)\x81\x94}\x94("
    for tail in (b"t.", b"l.", b"K\x01l.", b"d.", b"1.", b"K\x01K\x02u.", b"K\x01K\x02ub.", b"K\x01ub.", b"0.", b"u2b.", b"e.",
                 b"\x8c\x01au.", b"\x8c\x01aK\x01u0.", b"\x8c\x01aK\x01u\x86.", b"\x8c\x01aK\x01ubb.", b"h\x02K\x01tub.",
                 b"\x8c\x01aK\x01\x8c\x01aK\x02ubh\x02\x86.", b"K\x01K\x02u\x8c\x01aK\x01sb."):
        data = head + tail
        expected, found = outcome(lambda d=data: stock.loads(d)), outcome(lambda d=data: ours.loads(d))
        assert shape(found) == shape(expected), tail


# 15

def make_plain():
    return Plain()


def test_records_go_into_the_dict_of_an_instance():
    """It is empty, but its values are elsewhere."""
    items = b"(" + b"".join(b"\x8c\x02k%dK%c" % (i, i) for i in range(6)) + b"u"
    data = (b"\x80\x04(" + (b"}" + items) * 4 + b"c%s\nmake_plain\n)R\x94" % __name__.encode()
            + b"cbuiltins\nvars\nh\x00\x85R" + items + b"t.")
    for _ in range(3):
        *dicts, instance, attributes = ours.loads(data)
        assert attributes == dicts[0] and attributes is vars(instance)
        assert instance.k3 == 3
        instance.k3, instance.other = 4, 5
        assert attributes["k3"] == 4 and attributes["other"] == 5


class TwoNames:
    __slots__ = ("a",)


TwoNames.b = TwoNames.__dict__["a"]


def test_a_slot_with_two_names():
    """The memo still borrows what is overwritten."""
    text = b"C\x20" + b"x" * 32
    data = (b"\x80\x04c%s\nTwoNames\n\x94)\x81\x94N}\x94(\x8c\x01a\x94" % __name__.encode() + text
            + b"\x94\x8c\x01b\x94K\x07u\x86\x94b(C\x20" + b"y" * 32 + b"C\x20" + b"z" * 32 + b"h\x04t.")
    for _ in range(3):
        assert ours.loads(data) == stock.loads(data) == (b"y" * 32, b"z" * 32, b"x" * 32)


@pytest.mark.parametrize("more", [b"K\x01a", b"(K\x01e", b"(K\x01K\x02K\x07e"])
def test_a_list_that_is_being_sorted(more):
    """It has no memory of its own meanwhile."""
    body = b"h\x00" + more + b"."
    file = io.BytesIO(b"\x80\x04]\x94(K\x03K\x02K\x01e.\x80\x04\x95%s" % len(body).to_bytes(8, "little") + body)
    unpickler = ours.Unpickler(file)
    items = unpickler.load()
    seen = []

    def key(item):
        if not seen:
            seen.append(unpickler.load())
        return item

    with pytest.raises(ValueError, match="modified during sort"):
        items.sort(key=key)


class WithState:
    """Its state is one that the graph has elsewhere too."""

    __slots__ = ("a", "b", "c")
    state = None

    def __reduce_ex__(self, protocol):
        return copyreg.__newobj__, (WithState,), self.state


def test_the_pair_with_the_slots_is_asked_for_again():
    """Names and values come between the dict and the pair."""
    for state in [(None, {"b": 1, "a": "x"}), (None, {"b": ["y", plain(a=1)], "a": slots(c="z")})]:
        WithState.state = state
        for _ in range(2):
            check([WithState(), state, WithState(), state[1]])
            check([WithState(), WithState(), Reducing(), state])


class Reducing:
    """Python runs for it, so what is elided must be made."""

    def __reduce__(self):
        return list, ()


def test_a_mark_between_an_instance_and_its_state():
    plain_class, slots_class = (b"c%s\n%s\n\x94" % (__name__.encode(), name) for name in (b"Plain", b"Slots"))
    state = b"}\x94(\x8c\x01aK\x01\x8c\x01bK\x02u"
    for data in [
        plain_class + b")\x81\x94(" + state + b"b.",
        plain_class + b")\x81\x94(" + state + b"bl.",
        slots_class + b")\x81\x94(N" + state + b"\x86\x94b.",
        slots_class + b")\x81\x94N(" + state + b"\x86\x94b.",
        slots_class + b")\x81\x94N(" + state + b"\x86\x94bt.",
        plain_class + b")\x81\x94}\x94((ub1.",
        plain_class + b")\x81\x94}\x94((ubl.",
        plain_class + b")\x81\x94}\x94((ubh\0]u.",
        slots_class + b")\x81\x94N}\x94((u\x86\x94bl.",
    ]:
        for start in (b"\x80\x04", b"\x80\x04K\x01", b"\x80\x04(K\x01"):
            expected, found = (outcome(lambda: module.loads(start + data)) for module in (stock, ours))
            assert repr(found) == repr(expected)
            assert "unexpected MARK" in repr(found)


class Dying:
    log = []

    def __del__(self):
        self.log.append("died")


def called():
    Dying.log.append("called")


def test_what_is_overwritten_dies_before_python_is_called():
    name = __name__.encode()
    data = (b"\x80\x04(}(\x8c\x01ac%s\nDying\n)\x81\x8c\x01aK\x01uc%s\ncalled\n)Rt." % (name, name))
    for module in (stock, ours):
        Dying.log.clear()
        module.loads(data)
        assert Dying.log == ["died", "called"]


def test_attributes_are_put_into_the_dict():
    """BUILD goes by neither properties nor __setattr__ for a dict's items, but by setattr for slots."""
    log = []

    class Property:
        a = property(lambda self: "from the class", lambda self, value: log.append(value))

    class SetAttr:
        def __setattr__(self, name, value):
            log.append((name, value))

    class SlotSetAttr:
        __slots__ = ("a",)

        def __setattr__(self, name, value):
            log.append((name, value))

    class GetAttr:
        def __getattr__(self, name):
            log.append(name)
            raise AttributeError(name)

    class OwnDict:
        @property
        def __dict__(self):
            log.append("__dict__")
            return {}

    class Abstract:
        pass

    import abc
    abstract = abc.ABCMeta("Abstract", (), {"method": abc.abstractmethod(lambda self: None)})
    states = {Property: b"}(\x8c\x01aK\x01\x8c\x01bK\x02ub", SetAttr: b"}(\x8c\x01aK\x01\x8c\x01bK\x02ub",
              SlotSetAttr: b"N}(\x8c\x01aK\x01\x8c\x01bK\x02u\x86b", GetAttr: b"}(\x8c\x01aK\x01\x8c\x01bK\x02ub",
              OwnDict: b"}(\x8c\x01aK\x01\x8c\x01bK\x02ub", Slots: b"N}(\x8c\x01aK\x01\x8c\x01dK\x02u\x86b", abstract: b""}
    for cls, state in states.items():
        sys.modules[__name__].Local = cls
        state = state.replace(b"}(", b"}\x94(").replace(b"\x86b", b"\x86\x94b")
        data = b"\x80\x04(c" + __name__.encode() + b"\nLocal\n\x94" + b"h\x00)\x81\x94" + state
        data += b"".join(b"h\x00)\x81\x94" + state for _ in range(2)) + b"l."
        results = []
        for module in (stock, ours, ours):
            log.clear()
            found = outcome(lambda m=module, d=data: [
                getattr(type(obj), "__slots__", None) or dict(object.__getattribute__(obj, "__dict__")) for obj in m.loads(d)[1:]])
            results.append((found, list(log)))
        assert results[0] == results[1] == results[2], cls


def test_a_class_that_changes_between_loads():
    class Changing:
        pass

    sys.modules[__name__].Changing = Changing
    Changing.__qualname__ = "Changing"
    data = stock.dumps([Changing() for _ in range(3)], 4)
    instance = Changing()
    instance.a, instance.b = 1, 2
    data = stock.dumps([instance, instance], 4)
    calls = []
    for _ in range(3):
        assert ours.loads(data)[0].__dict__ == {"a": 1, "b": 2}
    Changing.__setstate__ = lambda self, state: calls.append(state)
    assert ours.loads(data)[0].__dict__ == {}
    assert calls == [{"a": 1, "b": 2}]
    del Changing.__setstate__
    assert ours.loads(data)[0].__dict__ == {"a": 1, "b": 2}
    Changing.__new__ = lambda cls: object.__new__(Plain)
    assert type(ours.loads(data)[0]) is Plain
    del Changing.__new__
    assert type(outcome(lambda: ours.loads(data))) is type(outcome(lambda: stock.loads(data)))


def test_setstate_of_the_instance():
    """An attribute of an instance hides the class's __setstate__."""
    called = []

    class Hidden:
        def __new__(cls):
            self = object.__new__(cls)
            self.__setstate__ = called.append
            return self

        def __setstate__(self, state):
            called.append("class")

    sys.modules[__name__].Local = Hidden
    data = b"\x80\x04c" + __name__.encode() + b"\nLocal\n\x94)\x81\x94}\x94(K\x01K\x02ub."
    stock.loads(data)
    ours.loads(data)
    assert called == [{1: 2}, {1: 2}]


# 16

def test_namedtuples():
    check([Point(1, 2, 3, 4), Single([1]), Single("x"), WithMethods(1, 2), Point("a", "b", [], {}), Point(1, 2, 3, 4)] * 2)


@pytest.mark.parametrize("change", ["class", "code", "globals", "new in a subclass", "fields"])
def test_a_namedtuple_with_another_new(change):
    Changed = collections.namedtuple("Changed", "x y")
    sys.modules[__name__].Changed = Changed
    data = stock.dumps([Changed(1, 2), Changed(3, 4)], 4)
    for _ in range(3):
        ours.loads(data)
    if change == "class":
        Changed.__new__ = lambda cls, x, y: tuple.__new__(cls, (y, x))
    elif change == "code":
        Changed.__new__.__code__ = (lambda _cls, x, y: _tuple_new(_cls, (y, x))).__code__  # noqa: F821
    elif change == "globals":
        Changed.__new__.__globals__["_tuple_new"] = lambda cls, items: tuple.__new__(cls, items[::-1])
    elif change == "new in a subclass":
        class Derived(Changed):
            def __new__(cls, x, y):
                return super().__new__(cls, y, x)
        Derived.__qualname__ = "Changed"
        sys.modules[__name__].Changed = Derived
    else:
        Changed = collections.namedtuple("Changed", "x y z", defaults=[9])
        sys.modules[__name__].Changed = Changed
    expected = stock.loads(data)
    assert expected != [(1, 2), (3, 4)]
    for _ in range(3):
        assert ours.loads(data) == expected


class Reversed(tuple):
    def __new__(cls, items):
        return super().__new__(cls, items[::-1])


@pytest.mark.parametrize("protocol", [0, 1])
def test_instances_of_protocols_0_and_1(protocol):
    values = [plain(a=1, b="text", c=1 << 40), Point(1, 2, 3, "four"), Single([]), WithMethods(1, 2), Reversed((1, 2))]
    check([*values, True, False, -1, 0, -(1 << 62), 10**18, 10**17, -(10**17), 1 << 64, *values] * 2, [protocol])


@pytest.mark.parametrize("change", ["code", "object of the module", "object of all"])
def test_another_reconstructor(change, monkeypatch):
    data = stock.dumps([plain(a=1), plain(a=2)], 1)
    for _ in range(3):
        expected = loaded_again(ours, data)
    if change == "code":
        monkeypatch.setattr(copyreg._reconstructor, "__code__", (lambda cls, base, state: plain(b=3)).__code__)
        monkeypatch.setattr(copyreg, "plain", plain, raising=False)
    else:
        class Other:
            __new__ = staticmethod(lambda cls: plain(b=3))
        place = copyreg if change == "object of the module" else builtins
        monkeypatch.setattr(place, "object", Other, raising=False)
    changed, found = loaded_again(stock, data), loaded_again(ours, data)
    monkeypatch.undo()
    assert found == changed != expected


@pytest.mark.parametrize("arguments", ["", "class", "class, object", "class, object, None, None", "class, tuple, None",
                                       "class, tuple, ()", "named, object, None", "named, tuple, ()", "int, tuple, ()",
                                       "abstract, object, None", "tuple, tuple, (1,)", "time, tuple, (1,)"])
def test_reconstructors_arguments(arguments):
    parts = {"class": b"c" + __name__.encode() + b"\nPlain\n", "named": b"c" + __name__.encode() + b"\nSingle\n",
             "object": b"c__builtin__\nobject\n", "tuple": b"c__builtin__\ntuple\n", "int": b"c__builtin__\nint\n",
             "abstract": b"ccollections.abc\nSized\n", "time": b"ctime\nstruct_time\n",
             "None": b"N", "()": b")", "(1,)": b"K\x01\x85", "": b""}
    data = b"ccopy_reg\n_reconstructor\n(" + b"".join(parts[part] for part in arguments.split(", ")) + b"tq\x00R."
    assert loaded_again(ours, data) == loaded_again(stock, data)


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_bytes_and_dates_of_protocols_0_to_2(protocol):
    now = datetime.datetime(2026, 11, 28, 12, 30, 1, 99, datetime.UTC, fold=1)
    dates = [now, now.date(), now.time(), datetime.datetime.min, datetime.timedelta(1, 2, 3)]
    check([b"", b"a", b"a", b"text", bytes(range(256)), b"long" * 9000, *dates, b"a", *dates], [protocol])


@pytest.mark.parametrize("arguments", ["'text', 'latin1'", "'text', 'latin-1'", "'text', 'ascii'", "'\\u0100', 'latin1'",
                                       "'text'", "'text', 'latin1', 'strict'", "b'text', 'latin1'", "'x', b'latin1'",
                                       "'\\xff', 'latin1'", "'', 'latin1'", "'text', 'no such encoding'"])
def test_arguments_of_encode(arguments):
    call = b"c_codecs\nencode\n" + stock.dumps(eval(f"({arguments},)"), 3)[2:-1] + b"R"
    data = b"\x80\x03" + call + call + b"\x86."
    assert outcome(lambda: ours.loads(data)) == outcome(lambda: stock.loads(data))


@pytest.mark.parametrize("between", [False, True])
def test_another_encoder(between, monkeypatch):
    """What encodes is found anew whenever Python has run."""
    import codecs
    import encodings

    def other(text, errors="strict"):
        return bytes(reversed(text.encode("ascii"))), len(text)

    def search(name):
        return codecs.CodecInfo(other, None) if name == "latin1" else None

    values = [b"one", Change(), b"two", b"three"]
    data = stock.dumps(values, 2)
    usual = outcome(lambda: ours.loads(data))
    found = []
    for module in (stock, ours):
        def change(module=module):
            codecs.unregister(encodings.search_function)  # which forgets all encodings
            codecs.register(search)
            codecs.register(encodings.search_function)
        if not between:
            change()
        else:
            CHANGES.append(change)
        try:
            found.append(outcome(lambda module=module: module.loads(data)))
        finally:
            CHANGES.clear()
            codecs.unregister(search)
    assert found[0] == found[1] != usual
    assert usual == outcome(lambda: ours.loads(data)) == [b"one", None, b"two", b"three"]


@dataclasses.dataclass(slots=True, frozen=True)
class Frozen:
    a: object
    b: object


class FrozenBelow(Frozen):
    pass


def test_frozen_dataclasses():
    frozen = Frozen([], "text")
    frozen.a.append(frozen)
    check([Frozen(1, "one"), Frozen([2], {3: frozen}), frozen, FrozenBelow(4, 5), Frozen(Frozen(6, 7), None)] * 2)


@pytest.mark.parametrize(("owner", "name", "value"), [
    (dataclasses, "fields", lambda instance: ()),
    (dataclasses, "zip", lambda fields, values: [*zip(fields, values)][:1]),
    (dataclasses, "object", type("Other", (), {"__setattr__": lambda *args: None})),
    (builtins, "zip", type("Other", (zip,), {})),
    (dataclasses.fields, "__code__", (lambda instance: ()).__code__),
    (dataclasses._dataclass_setstate, "__code__", (lambda self, state: None).__code__),
    (dataclasses._dataclass_setstate, "__code__", (lambda self, state: self).__code__),
    (dataclasses, "_FIELD", object()),
    (dataclasses, "_FIELDS", "__other_fields__"),
    (Frozen, "__setstate__", lambda self, state: object.__setattr__(self, "a", state)),
    (Frozen, "a", property(lambda self: 5, lambda self, value: object.__setattr__(self, "b", value))),
    (Frozen, "b", 5),
    (Frozen, "__dataclass_fields__", dict(reversed(Frozen.__dataclass_fields__.items()))),
    (Frozen.__dataclass_fields__["a"], "name", "b"),
    (Frozen.__dataclass_fields__["a"], "_field_type", None),
])
def test_frozen_dataclasses_that_are_not_as_usual(owner, name, value, monkeypatch):
    data = stock.dumps([Frozen(1, "one"), Change(), Frozen([2], "two"), Frozen(3, 4)], 4)

    def load(module):
        def slots():
            return [(getattr(one, "a", None), getattr(one, "b", None)) if one is not None else 0
                    for one in module.loads(data)]
        return outcome(slots)

    usual = [load(module) for module in (stock, ours)]
    changed = []
    for module in (stock, ours):
        with monkeypatch.context() as context:
            context.setattr(owner, name, value, raising=False)
            changed.append(load(module))
    before = getattr(owner, name, CHANGES)
    for module in (stock, ours):
        CHANGES.append(lambda: setattr(owner, name, value))
        try:
            changed.append(load(module))
        finally:
            if before is not CHANGES:
                setattr(owner, name, before)
            else:
                delattr(owner, name)
            CHANGES.clear()
    assert usual[0] == usual[1] and changed[0] == changed[1] and changed[2] == changed[3]
    assert load(ours) == usual[0]


@pytest.mark.parametrize("state", [b"]", b"](K\x01e", b"](K\x01K\x02K\x03e", b"K\x01K\x02\x86", b"N", b"}", b"K\x05",
                                   b"](K\x01K\x02eb](K\x03K\x04e", b"](K\x01K\x02eb](K\x03e", b"](", b"]]", b""])
def test_states_of_frozen_dataclasses(state):
    data = b"c" + __name__.encode() + b"\nFrozen\n)\x81" + state + b"b."

    def slots(module):
        one = module.loads(data)
        return type(one), [getattr(one, name, "none") for name in ("a", "b")]

    for _ in range(2):
        assert outcome(lambda: slots(ours)) == outcome(lambda: slots(stock))


# 17

def test_dicts_with_values_that_the_collector_must_know():
    data = stock.dumps([{"one": 1, "two": []} for _ in range(6)], 5)
    plain_data = stock.dumps([{"one": 1, "two": 2.5} for _ in range(6)], 5)
    for _ in range(3):
        assert [gc.is_tracked(d) for d in ours.loads(data)] == [gc.is_tracked(d) for d in stock.loads(data)]
        assert [gc.is_tracked(d) for d in ours.loads(plain_data)] == [gc.is_tracked(d) for d in stock.loads(plain_data)]
    loaded = ours.loads(data)
    for dict_ in loaded:
        dict_["two"].append(dict_)
    marker = plain()
    loaded[3]["two"].append(marker)
    import weakref
    gone = weakref.ref(marker)
    del loaded, dict_, marker
    gc.collect()
    assert gone() is None


def test_sizes():
    check([[{f"key{n}": n for n in range(count)} for _ in range(3)] for count in (0, 1, 2, 5, 6, 10, 11, 40, 70)])
    check([list(range(count)) for count in (0, 1, 2, 4, 5, 1000, 1001, 2500)])


# 18

def test_singletons():
    values = [*range(-10, 2000), "", *map(chr, range(300)), b"", b"a", (), None, True, False]
    data = stock.dumps(values, 4)
    for expected, found in zip(stock.loads(data), ours.loads(data), strict=True):
        assert found == expected
        if type(expected) is int:
            assert (found is expected) == (expected is int(str(expected)))
        elif type(expected) is not bytes:
            assert (found is expected) == (expected is stock.loads(stock.dumps(expected)))
    singles = stock.loads(data)[2011:2267]
    assert [a is b for a, b in zip(singles, ours.loads(data)[2011:2267], strict=True)] == [True] * 256


def test_datetimes_field_by_field():
    values = [datetime.datetime(2024, 2, 29, 1, 2, 3, 4), datetime.time(1, 2, 3, 4), datetime.date(2023, 2, 28)]
    data = stock.dumps(values * 5, 5)
    filler = [bytes([255] * 40) for _ in range(1000)]
    del filler
    for expected, found in zip(stock.loads(data), ours.loads(data), strict=True):
        assert (expected, hash(expected), repr(expected), getattr(expected, "fold", 0), getattr(expected, "tzinfo", None)) == (
            found, hash(found), repr(found), getattr(found, "fold", 0), getattr(found, "tzinfo", None))


@pytest.mark.parametrize("packed", [b"\x07\xe7\x02\x1d\0\0\0\0\0\0", b"\0\0\x01\x01\0\0\0\0\0\0", b"\x07\xe8\x0d\x01\0\0\0\0\0\0",
                                    b"\x07\xe8\x01\x01\x18\0\0\0\0\0", b"\x07\xe8\x8c\x01\x01\0\0\xff\xff\xff", b"\x07\xe8\0\x01\0\0\0\0\0\0"])
def test_datetimes_that_are_none(packed):
    data = b"\x80\x04cdatetime\ndatetime\n\x94C\x0a" + packed + b"\x94\x85\x94R\x94."
    assert repr(outcome(lambda: ours.loads(data))) == repr(outcome(lambda: stock.loads(data)))


# 19

class Watcher:
    """Notes whether the collector is on while Python runs."""

    def __init__(self, *_):
        Watcher.seen.append(gc.isenabled())

    def __setstate__(self, state):
        Watcher.seen.append(gc.isenabled())

    def __hash__(self):
        Watcher.seen.append(gc.isenabled())
        return 7

    def __reduce__(self):
        return Watcher, (1,), [2]


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_as_it_was(enabled):
    Watcher.seen = []
    data = stock.dumps([[Watcher(), {Watcher(): 1}, {Watcher()}, plain(a=1, b=Watcher())] for _ in range(3)], 4)
    broken = [data[:-1], data[:40], b"\x80\x04]\x94K\x01\x81.", b"\x80\x04(]K\x01", b"\x80\x04cno.such\nmodule\n."]

    class Personal(ours.Unpickler):
        def find_class(self, module, name):
            Watcher.seen.append(gc.isenabled())
            return super().find_class(module, name)

    class File(io.BytesIO):
        def read(self, size=-1):
            Watcher.seen.append(gc.isenabled())
            return super().read(size)

    Watcher.seen = []
    (gc.enable if enabled else gc.disable)()
    try:
        ours.loads(data)
        ours.load(File(data))
        Personal(File(data)).load()
        assert gc.isenabled() == enabled
        for wrong in broken:
            with pytest.raises((pickle.UnpicklingError, EOFError, ImportError)):
                ours.loads(wrong)
            assert gc.isenabled() == enabled
    finally:
        gc.enable()
    assert len(Watcher.seen) > 30
    assert set(Watcher.seen) == {enabled}


def test_python_may_switch_the_collector():
    class Switch:
        def __reduce__(self):
            return gc.disable, ()

    sys.modules[__name__].Switch = Switch
    data = stock.dumps([[1], Switch(), [2], {"a": [3]}], 4)
    try:
        ours.loads(data)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_gc_policy():
    assert halfsour.gc_policy() == "suspend"
    data = stock.dumps([{"a": [n]} for n in range(10_000)], 5)

    def collections_during(load):
        gc.collect()
        before = sum(generation["collections"] for generation in gc.get_stats())
        result = load(data)
        after = sum(generation["collections"] for generation in gc.get_stats())
        del result
        return after - before

    try:
        if not GENERIC:
            assert collections_during(ours.loads) <= 1
        assert halfsour.gc_policy("leave") == "suspend"
        assert halfsour.gc_policy() == halfsour.gc_policy(None) == "leave"
        if sys.version_info < (3, 12):
            assert collections_during(ours.loads) > 3
        assert stock.dumps(ours.loads(data), 5) == stock.dumps(stock.loads(data), 5)
        with pytest.raises(ValueError, match="policy"):
            halfsour.gc_policy("never")
        with pytest.raises(ValueError, match="policy"):
            halfsour.gc_policy(1)
    finally:
        assert halfsour.gc_policy("suspend") == "leave"


# 20

def test_names_that_were_seen_in_another_order():
    """What one load taught about a class must not show in the next."""
    orders = ["abc", "cab", "ab", "a", "abcd", "", "ba"]
    objs = [plain(**{name: name + order for name in order}) for order in orders]
    for obj in objs:
        check([obj, obj.__dict__, *objs])
        check([obj] * 2 + [plain(**obj.__dict__), list(obj.__dict__)])
    check([plain(**{f"name{n}": n for n in range(60)}) for _ in range(3)])
    check([slots(**{name: [name] for name in order}) for order in ("abc", "cab", "ab", "bc")] * 2)


def test_templates_do_not_leak():
    data = stock.dumps([plain(a=1, b=2), plain(a=3, b=4), {"x": 1, "y": 2}, {"x": 1, "y": 2}, {"x": 1, "y": 2}], 5)
    get = getattr(sys, "gettotalrefcount", None)
    if get is None:
        pytest.skip("counts references, which only a debug build can")
    for _ in range(10):
        ours.loads(data)
    before = get()
    for _ in range(100):
        ours.loads(data)
    assert get() - before < 50


def test_long_numbers_end_where_they_end():
    """They are read with what follows them, as far as there is something."""
    for length in range(11):
        for digits in b"\xff" * length, b"\x80" * length, b"\x7f" * length, bytes(length), bytes(range(1, length + 1)):
            number = b"\x8a" + bytes([length]) + digits
            for data in number + b".", b"(" + number * 3 + b"t.", number + b"0" + number + b"." + b"\xff" * 10:
                assert ours.loads(data) == stock.loads(data), data
            for end in range(1, len(number)):
                assert outcome(lambda: ours.loads(number[:end])) == outcome(lambda: stock.loads(number[:end]))


def test_floats_are_as_others_are():
    """Bit by bit, and as objects that come and go."""
    import struct
    patterns = [0, 1 << 63, 1, 0x7ff << 52, 0xfff << 52, 0x7ff8 << 48, (0x7ff << 52) + 12345, (1 << 64) - 1,
                0x3ff << 52, 0x7fef << 48]
    packed = [pattern.to_bytes(8, "big") for pattern in patterns]
    data = b"(" + b"".join(b"G" + number for number in packed) * 50 + b"t."
    for _ in range(20):
        found, expected = ours.loads(data), stock.loads(data)
        assert [struct.pack(">d", number) for number in found] == [struct.pack(">d", number) for number in expected]
        assert list(map(repr, found)) == list(map(repr, expected))
        assert {sys.getrefcount(number) for number in found} == {sys.getrefcount(number) for number in expected}
        assert {sys.getsizeof(number) for number in found} == {sys.getsizeof(1.5)}
        assert len(set(map(id, found))) == len(found) and not any(map(gc.is_tracked, found))
        assert [number + 1 for number in found if number == number] == [n + 1 for n in expected if n == n]


# Globals

def test_audit_events_of_globals():
    code = """if True:
        import sys, pickle, halfsour
        data = pickle.dumps([Exception, Exception("spam")], 4)
        events = []
        sys.addaudithook(lambda event, args: events.append((event, args)) if event == "pickle.find_class" else None)
        for module in (pickle, halfsour, halfsour):
            module.loads(data)
        third = len(events) // 3
        assert third and events[:third] == events[third:2 * third] == events[2 * third:], events
    """
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))


def test_globals_are_looked_up_anew(monkeypatch):
    data = stock.dumps([Plain, Slots], 4)
    assert ours.loads(data) == [Plain, Slots]
    monkeypatch.setattr(sys.modules[__name__], "Plain", "another")
    assert ours.loads(data) == ["another", Slots]
    monkeypatch.delattr(sys.modules[__name__], "Plain")
    assert outcome(lambda: ours.loads(data)) == outcome(lambda: stock.loads(data))
    import types
    lazy = type("Lazy", (types.ModuleType,), {"Plain": property(lambda self: 1), "Slots": 2})("lazy")
    monkeypatch.setitem(sys.modules, __name__, lazy)
    assert ours.loads(data) == stock.loads(data) == [1, 2]


def test_imports_are_the_programs_own(monkeypatch):
    import builtins
    names = []
    original = builtins.__import__

    def importing(name, *args, **kwargs):
        names.append(name)
        return original(name, *args, **kwargs)

    data = stock.dumps(Plain, 4)
    ours.loads(data)
    monkeypatch.setattr(builtins, "__import__", importing)
    ours.loads(data)
    monkeypatch.undo()
    assert __name__ in names


class Pair:
    __slots__ = ("a", "b", "__dict__")


class Checked:
    __slots__ = ("a", "b")
    log: list = []

    def __setattr__(self, name, value):
        self.log.append(name)
        object.__setattr__(self, name, value)


class Shadowed(Slots):
    __slots__ = ("own",)
    a = property(lambda self: 1, lambda self, value: None)


class Full:
    """Has a value in a slot before its state comes."""
    __slots__ = ("a", "b")

    def __init__(self):
        self.a = "from the start"


SLOT_STATES = [
    (None, {}), (None, {"a": 1}), (None, {"b": 2, "a": [1]}), (None, {"a": 1, "b": 2}), ({}, {"a": 1}), ({"d": 3}, {"a": 1}),
    (None, {"d": 3}), (None, {1: 2}), (None, [("a", 1)]), (None, None), (None, {"own": 1, "a": 2}), (None, {"own": 1}),
    (None, {"b": 1, "d": 2}), [None, {"a": 1}], (None, {"a": 1}, 3), (None, {str(n): n for n in range(80)}),
]  # fmt: skip


def attributes(instance):
    names = [name for cls in type(instance).__mro__ for name in getattr(cls, "__slots__", ())]
    return type(instance), [(name, getattr(instance, name, "nothing")) for name in names]


@pytest.mark.parametrize("cls", [Slots, Pair, Checked, Shadowed, Full])
def test_states_of_slots_from_a_file_in_python(cls):
    """There the memo is the Unpickler's own, and a state is a dict before it is given."""
    def load(module, data):
        Checked.log.clear()
        end = outcome(lambda: module.Unpickler(Slow(data)).load())
        return [attributes(each) for each in end] if isinstance(end, list) else end, list(Checked.log)

    def states():
        for state in SLOT_STATES:
            yield [state] * 3
        yield SLOT_STATES[:5]
        yield [SLOT_STATES[3], SLOT_STATES[2], SLOT_STATES[3], SLOT_STATES[7]]

    for chosen in states():
        class Made:
            def __init__(self, state):
                self.state = state

            def __reduce__(self):
                return cls, (), self.state

        data = stock.dumps([Made(state) for state in chosen], 4)
        assert load(ours, data) == load(stock, data), chosen


class Stored:
    """An object that a pickler refers to by its number."""

    def __init__(self, number):
        self.number = number


class Noisy:
    """Tells when it is gone."""

    gone = []

    def __init__(self, number):
        self.number = number

    def __reduce__(self):
        return Noisy, (self.number,)

    def __del__(self):
        Noisy.gone.append(self.number)


@pytest.mark.parametrize("protocol", range(6))
def test_the_memo_is_shown_when_python_runs_first(protocol):
    """Whatever runs first, and what comes before and after it: from there on the memo is the Unpickler's own."""
    class Storing(pickle._Pickler):
        def persistent_id(self, obj):
            return str(obj.number) if isinstance(obj, Stored) else None

    def load(module, data, seen):
        class Loading(module.Unpickler):
            def persistent_load(self, number):
                seen.append((number, shape(self.memo.copy())))
                return Plain

        unpickler = Loading(io.BytesIO(data))
        loaded = unpickler.load()
        return shape(loaded), shape(unpickler.memo.copy())

    date = datetime.date(2026, 11, 29)
    members = [Stored(1), datetime.timedelta(3), b"latin1 \xe4", Point(1, 2, 3, 4), plain(a=1), date, Noisy(1)]
    records = [{"id": number, "of": Stored(number), "name": f"n{number}", "date": date} for number in range(4)]
    for first in members:
        for second in members:
            file = io.BytesIO()
            Storing(file, protocol).dump([[1000, "text"], first, first, "a", second, records, {"k": second}, first])
            for data in (file.getvalue(), pickletools.optimize(file.getvalue())):
                theirs, mine = [], []
                assert load(ours, data, mine) == load(stock, data, theirs)
                assert mine == theirs


def test_values_of_a_key_that_comes_twice():
    """They are dropped right away, or in the end: by then they are in no dict, and may run Python."""
    noisy = b"c%b\nNoisy\n(I%d\ntR"
    make = [noisy % (__name__.encode(), number) for number in range(3)]
    data = b"(P1\n}(Vk\n" + make[0] + b"Vo\nI7\nVk\n" + make[1] + b"Vk\n" + make[2] + b"ut."

    def load(module):
        class Loading(module.Unpickler):
            def persistent_load(self, number):
                return number

        Noisy.gone.clear()
        loaded = Loading(io.BytesIO(data)).load()[1]
        return list(loaded), [value for value in loaded.values() if value == 7], sorted(Noisy.gone)

    for _ in range(3):
        assert load(ours) == load(stock)


@pytest.mark.skipif(sys.version_info < (3, 15), reason="imports are lazy from 3.15 on")
def test_lazy_imports_are_resolved(tmp_path):
    (tmp_path / "shapes_inner.py").write_text("class Circle: pass\nCircle.__module__ = 'shapes'\n")
    (tmp_path / "shapes.py").write_text("lazy from shapes_inner import Circle\n")
    script = "import sys; sys.path.insert(0, sys.argv[1])\nfrom halfsour import loads\n"
    for data in (b"cshapes\nCircle\n.", b"\x80\x02cshapes\nCircle\n)\x81.", b"(ishapes\nCircle\n.", b"cshapes\nCircle\n)R."):
        run = subprocess.run([sys.executable, "-c", f"{script}print(type(loads({data!r})))", str(tmp_path)], capture_output=True, text=True)
        assert run.stdout in ("<class 'type'>\n", "<class 'shapes.Circle'>\n"), run.stderr
