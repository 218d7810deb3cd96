"""Writes the corpus: small pickles by Python version and protocol, and hand-assembled ones for every opcode.

    python corpus/make.py          write what this interpreter's own pickler writes, and the assembled ones
    python corpus/make.py --check  write nothing; exit 1 where a file differs from what would be written

Run it with each supported minor version, the oldest first. The tree:

    <minor version>/<protocol>/<name>.pickle     only where the bytes differ from those of the version before
    assembled/<name>.pickle                      opcodes that today's picklers never write
    <the same path>.dis                          what pickletools.dis says about it

`written(version)` gives the pickles of a version, `everything()` all the files.
The interpreter's own `_pickle` is the reference here; nothing of halfsour takes part.
"""

import argparse
import array
import codecs
import collections
import datetime
import decimal
import fractions
import io
import math
import operator
import pathlib
import pickle
import pickletools
import struct
import sys
import uuid

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import shapes  # noqa: E402

VERSIONS = ("3.11", "3.12", "3.13", "3.14", "3.15")
PROTOCOLS = range(6)
TOO_BIG_TO_DISASSEMBLE = 1000
ONLY = {"frame_boundary": (4,), "picklebuffer_readonly": (5,), "picklebuffer_writable": (5,)}


def plain(**attributes):
    return shapes.Plain(**attributes)


def slotted(cls, **attributes):
    obj = cls()
    for name, value in attributes.items():
        setattr(obj, name, value)
    return obj


def objects():
    """Name -> object. Nothing here may depend on hash randomisation, on addresses or on a patch release of the
    standard library (so no enum members: 3.11.4 changed how they reduce)."""
    yield "none", None
    yield "true", True
    yield "false", False
    yield "ints_small", [0, 1, -1, 255, 256, -256, 65535, 65536]
    yield "ints", [2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**63, -(2**63), 2**64, 2**200, -(2**200)]
    yield "int_255_bytes", 2**2039 - 1
    yield "int_256_bytes", 2**2040
    yield "floats", [0.0, -0.0, 1.5, math.inf, -math.inf, math.nan, 1e100, 5e-324]
    yield "complex", 1.5 - 2j
    yield "str_empty", ""
    yield "str_ascii", "spam"
    yield "str_escapes", "back\\slash\r\n\0\x1a\tend"
    yield "str_latin", "caf\xe9 \xff"
    yield "str_bmp", "\u20ac\u2028"
    yield "str_astral", "\U0001f952"
    yield "str_surrogate", "a\udc80b\ud800"
    yield "str_255", "x" * 255
    yield "str_256", "x" * 256
    yield "bytes_empty", b""
    yield "bytes_ascii", b"spam"
    yield "bytes_all", bytes(range(256))
    yield "bytes_255", b"x" * 255
    yield "bytearray_empty", bytearray()
    yield "bytearray", bytearray(b"spam\xff")
    yield "frame_boundary", ["y" * 40000, "z" * 40000]
    for n in range(6):
        yield f"tuple_{n}", tuple(range(n))
    yield "list_empty", []
    yield "list_1", [1]
    yield "list_mixed", [None, True, 1, 2.5, "a", b"b", (), [], {}]
    yield "dict_empty", {}
    yield "dict_1", {"a": 1}
    yield "dict_mixed", {"a": 1, 2: "b", (3,): [4], None: {}}
    yield "set_empty", set()
    yield "set_1", {1}
    yield "set_ints", {1, 2, 3}
    yield "frozenset_empty", frozenset()
    yield "frozenset_ints", frozenset((1, 2, 3))
    yield "list_1001", [None] * 1001
    yield "dict_1001", dict.fromkeys(range(1001))
    yield "set_1001", set(range(1001))

    twice = ["shared"]
    yield "shared", [twice, twice, (twice,), {"k": twice}]
    yield "strings_repeated", ["one", "two"] * 3
    cycle = []
    cycle.append(cycle)
    yield "cycle_list", cycle
    cycle = {}
    cycle["self"] = cycle
    yield "cycle_dict", cycle
    cycle = ([],)
    cycle[0].append(cycle)
    yield "cycle_tuple", cycle
    cycle = ([], 1, 2, 3)
    cycle[0].append(cycle)
    yield "cycle_tuple_4", cycle
    cycle = plain()
    cycle.me = cycle
    yield "cycle_instance", cycle
    cycle = plain()
    cycle.owner = {cycle}
    yield "cycle_set", cycle
    cycle = plain()
    cycle.owner = frozenset((cycle,))
    yield "cycle_frozenset", cycle.owner
    yield "memo_300", [[str(i) for i in range(300)], [str(i) for i in range(300)]]

    yield "range", range(1, 10, 3)
    yield "slice", slice(1, None, 2)
    yield "ellipsis", Ellipsis
    yield "notimplemented", NotImplemented
    yield "type_none", type(None)
    yield "type_ellipsis", type(Ellipsis)
    yield "type_notimplemented", type(NotImplemented)
    yield "class_builtin", int
    yield "class_renamed_in_2", collections.UserDict
    yield "class_nested", shapes.Outer.Inner
    yield "class_nested_deep", [shapes.Outer.Inner.Deep, shapes.Outer]
    yield "class_meta", shapes.WithMeta
    yield "function", shapes.function
    yield "function_builtin", len
    yield "function_static", shapes.Outer.static
    yield "method_class", shapes.Outer.clsmethod
    yield "method_bound", shapes.Outer().method
    yield "method_builtin", [].append
    yield "method_unbound", str.upper
    yield "exception", ValueError("spam", 1)
    yield "exception_own", shapes.Trouble("mine")
    yield "oserror", FileNotFoundError(2, "gone", "name")

    yield "date", datetime.date(2024, 2, 29)
    yield "datetime", datetime.datetime(2024, 2, 29, 12, 30, 45, 678, tzinfo=datetime.timezone.utc)
    yield "timedelta", datetime.timedelta(days=-1, seconds=5)
    yield "decimal", decimal.Decimal("-1.50")
    yield "fraction", fractions.Fraction(2, 3)
    yield "uuid", uuid.UUID(int=0x12345678123456781234567812345678)
    yield "ordereddict", collections.OrderedDict([("b", 1), ("a", 2)])
    yield "defaultdict", collections.defaultdict(list, {"a": [1]})
    yield "counter", collections.Counter("aab")
    yield "deque", collections.deque([1, 2, 3], maxlen=5)
    yield "array", array.array("i", [1, 2, 3])
    yield "codecinfo_free", codecs.encode
    yield "attrgetter", operator.attrgetter("a.b")

    yield "plain", plain(x=1, name="spam")
    yield "plain_empty", plain()
    yield "plain_many", [plain(x=i, y=i * i, name=str(i)) for i in range(10)]
    yield "plain_shared_state", [plain(a=twice), plain(a=twice)]
    yield "slotted", slotted(shapes.Slotted, x=1)
    yield "slotted_empty", shapes.Slotted()
    hidden = slotted(shapes.PrivateSlots, shown="s")
    hidden.hide("h")
    yield "slots_private", hidden
    yield "slots_and_dict", slotted(shapes.SlotsAndDict, x=1, z=3)
    yield "newargs", shapes.NewArgs(1, "y")
    yield "newargs_ex", shapes.NewArgsEx(1, key="k")
    for name, state in {"none": None, "false": False, "zero": 0, "dict": {"a": 1}, "tuple": (1, 2),
                        "list": [1]}.items():
        yield f"state_{name}", shapes.State(state)
    yield "state_as_dict", shapes.StateAsDict()
    yield "reduce_2", shapes.Reduced(shapes.sink, (1, 2))
    yield "reduce_3", shapes.Reduced(shapes.sink, (), {"s": 1})
    yield "reduce_4", shapes.Reduced(shapes.sink, (), None, [1, 2, 3])
    yield "reduce_4_one", shapes.Reduced(shapes.sink, (), None, [1])
    yield "reduce_5", shapes.Reduced(shapes.sink, (), "state", [1], [("k", "v"), ("l", "w")])
    yield "reduce_6", shapes.Reduced(shapes.sink, (), "state", None, None, shapes.set_state)
    yield "reduce_name", shapes.SINGLETON
    for cls, value in {shapes.ListSub: [1, 2], shapes.DictSub: {"a": 1}, shapes.TupleSub: (1, 2),
                       shapes.SetSub: {1}, shapes.FrozenSetSub: {1}, shapes.IntSub: 7, shapes.FloatSub: 1.5,
                       shapes.StrSub: "s", shapes.BytesSub: b"b", shapes.ByteArraySub: b"ba"}.items():
        obj = cls(value)
        obj.extra = "attribute"
        yield f"subclass_{cls.__name__.removesuffix('Sub').lower()}", obj
    yield "namedtuple", shapes.Pair(1, "r")
    yield "dataclass", shapes.Record("r", 1)
    yield "dataclass_frozen", shapes.FrozenRecord("r", 1)
    yield "dataclass_frozen_slots", shapes.FrozenSlotsRecord("r", 1)
    yield "copyreg", shapes.Ducked()
    yield "extension", [shapes.Extended, shapes.Extended2, shapes.Extended4, shapes.Extended()]
    yield "picklebuffer_readonly", pickle.PickleBuffer(b"buffer")
    yield "picklebuffer_writable", pickle.PickleBuffer(bytearray(b"buffer"))


class Persistent(pickle.Pickler):
    def persistent_id(self, obj):
        return f"pid:{obj.x}" if type(obj) is shapes.Slotted else None


def persistent(protocol):
    file = io.BytesIO()
    Persistent(file, protocol).dump([slotted(shapes.Slotted, x=1), "plain", slotted(shapes.Slotted, x=2)])
    return file.getvalue()


def out_of_band(protocol):
    return pickle.dumps([pickle.PickleBuffer(b"one"), pickle.PickleBuffer(bytearray(b"two"))], protocol,
                        buffer_callback=lambda buffer: False)


def python_2_names(protocol):
    return pickle.dumps([range, collections.UserString, shapes.function], protocol, fix_imports=True)


def several(protocol):
    return pickle.dumps("first", protocol) + pickle.dumps(["second"], protocol)


OTHERS = {"persistent": persistent, "several": several, "python_2_names": python_2_names}


def made():
    """(protocol, name) -> bytes, by this interpreter. What a protocol cannot carry is left out."""
    shapes.register_extensions()
    try:
        for name, obj in objects():
            for protocol in ONLY.get(name, PROTOCOLS):
                try:
                    yield (protocol, name), pickle.dumps(obj, protocol)
                except (TypeError, RecursionError):
                    # __slots__ and __getnewargs_ex__ need protocol 2; CPython's own message says so.
                    if protocol >= 2:
                        raise
        for name, function in OTHERS.items():
            for protocol in PROTOCOLS:
                yield (protocol, name), function(protocol)
        yield (5, "out_of_band"), out_of_band(5)
    finally:
        shapes.unregister_extensions()


def assembled():
    """Name -> bytes: each opcode at least once, most of them in a way that no modern pickler writes."""
    u1 = lambda n: struct.pack("<B", n)  # noqa: E731
    u4 = lambda n: struct.pack("<I", n)  # noqa: E731
    i4 = lambda n: struct.pack("<i", n)  # noqa: E731
    u8 = lambda n: struct.pack("<Q", n)  # noqa: E731
    point = b"cshapes\nPlain\n"
    return {
        "int_text": b"I42\n.", "int_text_negative": b"I-42\n.", "int_text_true": b"I01\n.",
        "int_text_false": b"I00\n.", "int_text_big": b"I123456789012345678901234567890\n.",
        "long_text": b"L42L\n.", "long_text_bare": b"L-42\n.", "float_text": b"F1.5\n.", "float_text_inf": b"Finf\n.",
        "binint": b"J" + i4(-5) + b".", "binint1": b"K\x05.", "binint2": b"M\x05\x01.",
        "long1": b"\x8a\x03\x01\x02\xff.", "long1_empty": b"\x8a\x00.", "long4": b"\x8b" + i4(3) + b"\x01\x02\xff.",
        "string": b"S'spam'\n.", "string_double": b'S"sp\\"am"\n.', "string_escapes": b"S'a\\nb\\x41\\\\'\n.",
        "binstring": b"T" + i4(4) + b"spam.", "short_binstring": b"U\x04spam.",
        "binstring_latin": b"U\x02\xe9\xff.",
        "unicode": b"Vspam\\u20ac\n.", "unicode_escape": b"V\\u005cn\\U0001f952\n.",
        "binunicode": b"X" + u4(4) + b"spam.", "short_binunicode": b"\x8c\x04spam.",
        "binunicode8": b"\x8d" + u8(4) + b"spam.",
        "binbytes": b"B" + u4(4) + b"spam.", "short_binbytes": b"C\x04spam.",
        "binbytes8": b"\x8e" + u8(4) + b"spam.", "bytearray8": b"\x96" + u8(4) + b"spam.",
        "next_buffer": b"\x80\x05\x97.", "readonly_buffer": b"\x80\x05\x97\x98.",
        "list_mark": b"(K\x01K\x02l.", "dict_mark": b"(K\x01K\x02d.", "tuple_mark": b"(K\x01K\x02K\x03K\x04t.",
        "append": b"]K\x01a.", "appends": b"](K\x01K\x02e.", "appends_none": b"](e.",
        "setitem": b"}K\x01K\x02s.", "setitems": b"}(K\x01K\x02u.", "setitems_none": b"}(u.",
        "additems": b"\x80\x04\x8f(K\x01K\x02\x90.", "additems_none": b"\x80\x04\x8f(\x90.",
        "frozenset": b"\x80\x04(K\x01K\x02\x91.", "frozenset_empty": b"\x80\x04(\x91.",
        "tuple_1_2_3": b"\x80\x02K\x01\x85K\x02\x86K\x03K\x04\x87.", "empty_tuple": b").",
        "pop": b"K\x01K\x020.", "pop_a_mark": b"K\x01(0.", "pop_mark": b"K\x01(K\x02K\x031.", "dup": b"]2\x86.",
        "mark_nested": b"((K\x01t(K\x02tt.",
        "memo_text": b"]p5\ng5\n\x86.", "memo_bin": b"]q\x05h\x05\x86.", "memo_long": b"]r" + u4(70000) + b"j" + u4(70000) + b"\x86.",
        "memoize": b"\x80\x04]\x94h\x00\x86.", "memo_overwritten": b"]q\x00K\x01q\x00h\x00\x86.",
        "global": b"cshapes\nfunction\n.", "global_nested": b"\x80\x04cshapes\nOuter.Inner\n.",
        "global_python_2": b"c__builtin__\nxrange\n.", "stack_global": b"\x80\x04\x8c\x06shapes\x8c\x08function\x93.",
        "reduce": b"cshapes\nfunction\n(K\x01tR.", "build": point + b")R}U\x01aK\x01sb.",
        "build_slots": b"\x80\x02cshapes\nSlotted\n)\x81N}U\x01xK\x01s\x86b.",
        "build_setstate": b"cshapes\nsink\n)RK\x05b.", "build_none": point + b")RNb.",
        "inst": b"(ishapes\nPlain\n.", "inst_args": b"(K\x01K\x02ishapes\nsink\n.", "obj": b"(" + point + b"o.",
        "obj_args": b"(cshapes\nsink\nK\x01K\x02o.",
        "newobj": b"\x80\x02" + point + b")\x81.", "newobj_args": b"\x80\x02cshapes\nNewArgs\nK\x01\x85\x81.",
        "newobj_ex": b"\x80\x04cshapes\nNewArgsEx\nK\x01\x85}U\x03keyK\x02s\x92.",
        "append_duck": b"cshapes\nsink\n)RK\x01a.", "appends_duck": b"cshapes\nsink\n)R(K\x01K\x02e.",
        "setitem_duck": b"cshapes\nsink\n)RK\x01K\x02s.", "setitems_duck": b"cshapes\nsink\n)R(K\x01K\x02u.",
        "ext1": b"\x80\x02\x82" + u1(0xF0) + b".", "ext2": b"\x80\x02\x83" + struct.pack("<H", 0xF0F0) + b".",
        "ext4": b"\x80\x02\x84" + i4(0x7FFFFFF0) + b".",
        "persid": b"Pspam\n.", "binpersid": b"K\x07Q.",
        "newtrue_newfalse": b"\x80\x02\x88\x89\x86.", "none": b"N.",
        "proto_0": b"\x80\x00N.", "proto_twice": b"\x80\x02\x80\x05N.",
        "frame": b"\x80\x04\x95" + u8(2) + b"N.", "frame_empty": b"\x80\x04\x95" + u8(0) + b"N.",
        "frames": b"\x80\x04\x95" + u8(3) + b"]K\x01\x95" + u8(2) + b"a.",
        "garbage_after_stop": b"K\x01.\xff\xff",
    }


def path_of(version, protocol, name):
    return HERE / version / str(protocol) / f"{name}.pickle"


def written(version):
    """(protocol, name) -> path of the pickles that `version` writes: the newest file up to that version."""
    found = {}
    for each in VERSIONS[: VERSIONS.index(version) + 1]:
        for path in sorted((HERE / each).glob("*/*.pickle")):
            found[int(path.parent.name), path.stem] = path
    return found


def everything():
    """All the pickles of the corpus, sorted by path."""
    return sorted(HERE.glob("*/*.pickle")) + sorted(HERE.glob("*/*/*.pickle"))


def running():
    return "%d.%d" % sys.version_info[:2]


def disassembled(data):
    """The text of pickletools.dis, or None where it is too long to keep or pickletools takes offence."""
    if len(data) > TOO_BIG_TO_DISASSEMBLE:
        return None
    out = io.StringIO()
    try:
        pickletools.dis(data, out)
    except ValueError:
        return None
    return out.getvalue()


def put(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    text = disassembled(data)
    if text is not None:
        path.with_suffix(".dis").write_text(text, encoding="utf-8", newline="\n")


def remove(path):
    path.unlink()
    path.with_suffix(".dis").unlink(missing_ok=True)


def bless():
    """Writes this version's files, and only those in which it differs from the version before."""
    version = running()
    before = written(VERSIONS[VERSIONS.index(version) - 1]) if version != VERSIONS[0] else {}
    kept = set()
    for (protocol, name), data in made():
        older = before.get((protocol, name))
        if older is None or older.read_bytes() != data:
            path = path_of(version, protocol, name)
            put(path, data)
            kept.add(path)
    for path in (HERE / version).glob("*/*.pickle"):
        if path not in kept:
            remove(path)
    if version == VERSIONS[0]:
        for name, data in assembled().items():
            put(HERE / "assembled" / f"{name}.pickle", data)


def differences():
    """What of this version's part of the corpus is not what this interpreter writes."""
    files = written(running())
    fresh = dict(made())
    for key in sorted(files.keys() | fresh.keys()):
        if key not in fresh:
            yield key, "in the corpus, but not made any more"
        elif key not in files:
            yield key, "made, but not in the corpus"
        elif files[key].read_bytes() != fresh[key]:
            yield key, "other bytes than those in the corpus"
    for name, data in assembled().items():
        path = HERE / "assembled" / f"{name}.pickle"
        if not path.exists() or path.read_bytes() != data:
            yield ("assembled", name), "other bytes than those in the corpus"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; say what differs")
    if parser.parse_args().check:
        found = list(differences())
        for key, what in found:
            print(*key, what)
        return 1 if found else 0
    bless()
    return 0


if __name__ == "__main__":
    sys.exit(main())
