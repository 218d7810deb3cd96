"""Other serializers on the same data, where they carry it at all, and what comes back."""

import importlib
import importlib.metadata
import marshal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bench.timing import Contender, Prepared
from bench.ways import Functions

# What each is not, in a line under the table. What became of the data is found out, not written here.
NOTES = {
    "marshal": "plain values only, and only for the same version of Python",
    "msgspec": "plain values and declared types (told here); no sharing, no cycles, no hooks",
    "orjson": "JSON; no sharing, no cycles, instances one way only",
    "ormsgpack": "MessagePack; no sharing, no cycles, instances one way only",
    "pyfory": "its own format, reference tracking on, any class allowed",
    "cloudpickle": "pickle, and functions and classes by value",
    "dill": "pickle, and functions and classes by value",
}

SAME, EQUAL, CHANGED, ABSENT = "same", "equal", "changed", "absent: not installed"

Pair = tuple[Callable[[Any], Any], Callable[[Any], Any]]


def pair(name: str, declared: Any, protocol: int) -> Pair:
    """The peer's dumps and loads. Raises ImportError where it is not installed."""
    if name == "marshal":
        return marshal.dumps, marshal.loads
    module = importlib.import_module(name)
    if name == "msgspec":
        decoder = module.msgpack.Decoder(declared) if declared else module.msgpack.Decoder()
        return module.msgpack.Encoder().encode, decoder.decode
    if name == "orjson":
        options = module.OPT_NON_STR_KEYS
        return lambda obj: module.dumps(obj, None, options), module.loads
    if name == "ormsgpack":
        options = module.OPT_NON_STR_KEYS | module.OPT_SERIALIZE_NUMPY
        return lambda obj: module.packb(obj, None, options), module.unpackb
    if name == "pyfory":
        fory = module.Fory(xlang=False, ref=True, strict=False)
        return fory.dumps, fory.loads
    return lambda obj: module.dumps(obj, protocol), module.loads


def version(name: str) -> str | None:
    """The version that is installed; None where none is."""
    if name == "marshal":
        return "built in"
    try:
        importlib.import_module(name)
        return importlib.metadata.version(name)
    except ImportError:
        return None


def alike(first: Any, second: Any) -> bool:
    """Whether two graphs have the same values of the same types, whatever they share and in whatever order."""
    seen: dict[tuple[int, int], Any] = {}
    todo = [(first, second)]
    while todo:
        one, other = todo.pop()
        if one is other or (id(one), id(other)) in seen:
            continue
        seen[id(one), id(other)] = one, other
        if type(one) is not type(other):
            return False
        if isinstance(one, (int, float, str, bytes)) and type(one).__module__ == "builtins":
            if one != other:
                return False
        elif type(one) in (list, tuple):
            if len(one) != len(other):
                return False
            todo += zip(one, other)
        elif type(one) is dict:
            if one.keys() != other.keys():
                return False
            todo += ((one[key], other[key]) for key in one)
        elif type(one) in (set, frozenset):
            if one != other:
                return False
        else:
            todo.append((one.__reduce_ex__(2), other.__reduce_ex__(2)))
    return True


def kept(prepared: Prepared, loaded: Any) -> str:
    """What came back: "same"; "equal" where only sharing or order differs; or "changed"."""
    if prepared.again(loaded) == prepared.reloaded:
        return SAME
    return EQUAL if alike(loaded, prepared.data) else CHANGED


@dataclass
class Guests:
    dumpers: dict[str, Contender] = field(default_factory=dict)
    loaders: dict[str, Contender] = field(default_factory=dict)
    fates: dict[str, str] = field(default_factory=dict)  # what each keeps, or why it is out


def enter(prepared: Prepared) -> Guests:
    """The peers that carry this case's data, and what becomes of the others.

    In the timed rounds they are held to what they gave here.
    """
    guests = Guests()
    fates = guests.fates
    for name in NOTES:
        if prepared.case.way is not Functions:
            fates[name] = "not tried: hooks of a pickler"
            continue
        try:
            dump, load = pair(name, prepared.case.workload.declared, prepared.case.protocol)
        except ImportError:
            fates[name] = ABSENT
            continue
        try:
            data = dump(prepared.data)
            loaded = load(data)
        except Exception as error:  # whatever a library raises for what it cannot carry
            fates[name] = f"cannot: {type(error).__name__}"
            continue
        fates[name] = kept(prepared, loaded)
        again = prepared.again(loaded)

        def check_dump(result: Any, data: Any = data) -> None:
            if result != data:
                raise AssertionError("other bytes than before")

        def check_load(result: Any, again: bytes = again) -> None:
            if prepared.again(result) != again:
                raise AssertionError("loaded something else than before")

        guests.dumpers[name] = Contender(dump, (prepared.data,), nothing, check_dump)
        guests.loaders[name] = Contender(load, (data,), nothing, check_load)
    return guests


def nothing() -> None:
    """Before a peer's timing."""
