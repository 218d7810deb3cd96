"""Whether two object graphs are the same: types, values, order, and which objects are one and the same.

`difference(a, b)` walks both without running any of their code (no `__eq__`, `__getattribute__`, `__iter__` of theirs)
and returns None, or a sentence that says where they part.
"""

import array
import collections
import functools
import itertools
import pickle
import re
import struct
import types

# These are compared by value alone: who shares them is up to the interpreter's caches, and no pickle shows it.
_UNSHARED = (type(None), bool, int, float, complex, type(...), type(NotImplemented))
# These are one object each: identity is equality.
_SINGULAR = (type, types.FunctionType, types.ModuleType, types.MethodDescriptorType, types.WrapperDescriptorType,
             types.GetSetDescriptorType, types.MemberDescriptorType)
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}")
# Few enough to try every pairing of set elements that look alike.
_ALIKE = 5


def without_addresses(string):
    """A text that says where objects are, made equal for equal objects."""
    return _ADDRESS.sub("0x...", string)


def _value(obj):
    """Something comparable for an object without parts, else None."""
    kind = type(obj)
    if kind is float:
        return struct.pack("<d", obj)
    if kind is complex:
        return struct.pack("<dd", obj.real, obj.imag)
    if kind in (type(None), bool, int, str, bytes, type(...), type(NotImplemented)):
        return obj
    return None


def _base(kind):
    for base in (list, tuple, dict, set, frozenset, int, float, complex, str, bytes, bytearray, collections.deque,
                 BaseException, array.array):
        if issubclass(kind, base):
            return base
    return object


def _slots(kind):
    for cls in type.__dict__["__mro__"].__get__(kind):
        for name, member in type.__dict__["__dict__"].__get__(cls).items():
            if type(member) is types.MemberDescriptorType:
                yield f"{cls.__name__}.{name}", member


def _own_dict(obj):
    for cls in type.__dict__["__mro__"].__get__(type(obj)):
        found = type.__dict__["__dict__"].__get__(cls).get("__dict__")
        if type(found) is types.GetSetDescriptorType:
            return found.__get__(obj)
    return None


def _parts(obj):
    """(label, part) for everything that an object holds, in order. Parts of sets are not among them."""
    kind = type(obj)
    base = _base(kind)
    if base in (list, tuple, collections.deque):
        for index, part in enumerate(base.__iter__(obj)):
            yield f"[{index}]", part
        if base is collections.deque:
            yield ".maxlen", collections.deque.maxlen.__get__(obj)
    elif issubclass(kind, collections.OrderedDict):
        for index, key in enumerate(collections.OrderedDict.__iter__(obj)):
            yield f" key {index}", key
            yield f" value {index}", dict.__getitem__(obj, key)
    elif base is dict:
        for index, (key, value) in enumerate(dict.items(obj)):
            yield f" key {index}", key
            yield f" value {index}", value
        if issubclass(kind, collections.defaultdict):
            yield ".default_factory", collections.defaultdict.default_factory.__get__(obj)
    elif base is BaseException:
        yield ".args", BaseException.args.__get__(obj)
    elif kind in (slice, range):
        yield from ((name, getattr(obj, name)) for name in ("start", "stop", "step"))
    elif kind in (types.MethodType, types.BuiltinMethodType):
        yield ".__self__", obj.__self__
        yield ".__name__", obj.__name__
    elif kind is functools.partial:
        yield from ((name, getattr(obj, name)) for name in ("func", "args", "keywords"))
    for label, member in _slots(kind):
        try:
            part = member.__get__(obj)
        except AttributeError:
            continue
        if base is not BaseException or not label.startswith("BaseException."):
            yield f".{label}", part
    attributes = _own_dict(obj)
    if attributes is not None:
        yield ".__dict__", attributes


def _payload(obj):
    """The part of the value that is no object of its own."""
    kind = type(obj)
    base = _base(kind)
    if base is str:
        return without_addresses(str.__str__(obj))
    if base in (bytes, bytearray):
        return base.__getitem__(obj, slice(None))
    if base is int:
        return int.__repr__(obj) if abs(obj) < 1 << 64 else int.__format__(obj, "x")
    if base is float:
        return struct.pack("<d", float.__float__(obj))
    if base is complex:
        return struct.pack("<dd", obj.real, obj.imag)
    if base is array.array:
        return obj.typecode, obj.tobytes()
    if kind is memoryview:
        return obj.tobytes(), obj.readonly
    if kind is pickle.PickleBuffer:
        return bytes(obj)
    module = type.__dict__["__module__"].__get__(kind)
    if module in ("datetime", "decimal", "itertools", "operator"):  # written in C
        return repr(obj)
    return None


class _Walk:
    def __init__(self):
        self.forward, self.backward, self.keep = {}, {}, []

    def copy(self):
        other = _Walk()
        other.forward, other.backward, other.keep = dict(self.forward), dict(self.backward), self.keep
        return other

    def compare(self, a, b):
        todo = [(a, b, "")]
        while todo:
            a, b, where = todo.pop()
            kind = type(a)
            if kind is not type(b):
                return f"at {where or 'the top'}: {kind!r} and {type(b)!r}"
            if kind in _UNSHARED:
                if _value(a) != _value(b):
                    return f"at {where or 'the top'}: {a!r} and {b!r}"
                continue
            if id(a) in self.forward or id(b) in self.backward:
                if self.forward.get(id(a)) != id(b) or self.backward.get(id(b)) != id(a):
                    return f"at {where or 'the top'}: {kind.__name__} shared in one graph only"
                continue
            self.forward[id(a)], self.backward[id(b)] = id(b), id(a)
            self.keep.append((a, b))  # the ids stay theirs
            if issubclass(kind, _SINGULAR):
                if a is not b:
                    return f"at {where or 'the top'}: two different {kind.__name__}s, {a!r} and {b!r}"
                continue
            if _payload(a) != _payload(b):
                return f"at {where or 'the top'}: {kind.__name__} with other contents"
            mine, theirs = list(_parts(a)), list(_parts(b))
            if [label for label, _ in mine] != [label for label, _ in theirs]:
                return (f"at {where or 'the top'}: {kind.__name__} with other parts: "
                        f"{[label for label, _ in mine][:8]} and {[label for label, _ in theirs][:8]}")
            if _base(kind) in (set, frozenset):
                problem = self._sets(a, b, where)
                if problem:
                    return problem
            todo.extend((x, y, where + label) for (label, x), (_, y) in zip(reversed(mine), reversed(theirs)))
        return None

    def _sets(self, a, b, where):
        """Elements in any order: those without parts by value, the others by trying who fits whom."""
        base = _base(type(a))
        groups = {}
        for side, elements in enumerate((base.__iter__(a), base.__iter__(b))):
            for element in elements:
                value = _value(element)
                groups.setdefault((type(element), value), ([], []))[side].append(element)
        for (kind, _), (mine, theirs) in groups.items():
            if len(mine) != len(theirs):
                return f"at {where} in a set: {len(mine)} and {len(theirs)} elements of {kind.__name__}"
            orders = itertools.permutations(theirs) if len(theirs) <= _ALIKE else [theirs]
            for order in orders:
                trial = self.copy()
                problem = None
                for x, y in zip(mine, order):
                    problem = trial.compare(x, y)
                    if problem:
                        break
                if problem is None:
                    self.forward, self.backward = trial.forward, trial.backward
                    break
            else:
                return f"at {where} in a set: {problem}"
        return None


def difference(a, b):
    return _Walk().compare(a, b)
