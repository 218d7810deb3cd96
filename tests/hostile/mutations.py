"""Broken pickles: case number `index` of seed `seed` is always the same bytes, loaded in the same way.

Most come from the corpus: bytes flipped, cut, inserted; opcodes dropped, doubled, swapped, exchanged, given other
lengths, memo indexes, frames; two pickles spliced. Some are random programs of well-formed opcodes.
"""

import functools
import io
import pathlib
import pickletools
import random
import struct
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "corpus"))
import make  # noqa: E402

# A large pickle costs more time and is no better at breaking things.
LARGEST = 1500
BARE = b"N)]}\x8f(.0123abdelotuRb\x81\x85\x86\x87\x88\x89\x90\x91\x92\x93\x94Qs\x97\x98"
LENGTHS = (0, 1, 2, 5, 127, 128, 255, 256, 65535, 65536, 2**20, 2**31 - 1, 2**31, 2**32 - 1)
LENGTHS_8 = (*LENGTHS, 2**32, 2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
INDEXES = (0, 1, 2, 3, 7, 31, 32, 64, 255, 256, 1000, 65536, 2**20, 2**27, 2**31 - 1, 2**32 - 1)
TEXTS = (b"0", b"1", b"-1", b"00", b"01", b"0x10", b"010", b" 7", b"7 ", b"", b"L", b"5L", b"1_000", b"+3", b"1e5",
         b"nan", b"-inf", b"99999999999999999999", b"4294967296", b"-9223372036854775809", b"\xd9\xa3", b"1\0", b"abc",
         b"''", b"'a", b"'a'", b'"\\x4', b"'\\x41\\n'", b"\\u20ac", b"\\ud800", b"\\u12", b"\\U00110000", b"caf\xe9",
         b"\xff",
         b"shapes", b"Plain", b"Outer.Inner", b"<locals>", b"a.b.c", b"__builtin__", b"9" * 5000)
STRINGS = (b"", b"a", b"x", b"spam", b"key", b"__setstate__", b"__dict__", b"__class__", b"shapes", b"Plain",
           b"Slotted", b"function", b"sink", b"Outer.Inner", b"Outer.Inner.Deep", b"\xe2\x82\xac", b"\xff\xfe",
           b"\xed\xa0\x80", b"\xc0\x80", b"a\0b", b"\x80", b"builtins", b"__builtin__", b"int", b"unicode")
GLOBALS = (b"shapes\nPlain\n", b"shapes\nsink\n", b"shapes\nfunction\n", b"shapes\nSlotted\n", b"shapes\nListSub\n",
           b"shapes\nOuter.Inner\n", b"builtins\nlist\n", b"builtins\nint\n", b"__builtin__\nset\n",
           b"shapes\nNewArgs\n", b"copy_reg\n_reconstructor\n", b"copyreg\n__newobj__\n", b"shapes\nno_such\n",
           b"no_such\nthing\n",
           b"caf\xe9\nname\n", b"\n\n", b"shapes\nSINGLETON\n", b"shapes\nDictSub\n", b"collections\nOrderedDict\n")


@functools.cache
def sources():
    """The corpus as (bytes, [(start, end, opcode)])."""
    found = []
    for path in make.everything():
        data = path.read_bytes()
        if len(data) <= LARGEST:
            found.append((data, operations(data)))
    return found


def operations(data):
    starts = []
    file = io.BytesIO(data)
    try:
        while file.tell() < len(data):
            starts += [(position, opcode) for opcode, _, position in pickletools.genops(file)]
    except ValueError:
        pass
    ends = [start for start, _ in starts[1:]] + [len(data)]
    return [(start, end, opcode) for (start, opcode), end in zip(starts, ends)]


def argument(rng, opcode):
    """Bytes for an argument of this opcode, mostly well formed."""
    kind = opcode.arg
    if kind is None:
        return b""
    name = kind.name
    if name == "stringnl_noescape_pair":
        return rng.choice(GLOBALS)
    if name in ("decimalnl_short", "decimalnl_long", "floatnl", "stringnl", "stringnl_noescape", "unicodestringnl"):
        if opcode.name in ("GET", "PUT") and rng.random() < 0.8:
            return b"%d\n" % rng.randrange(6)
        return rng.choice(TEXTS) + b"\n"
    if name in ("uint1", "uint2", "int4", "uint4", "uint8", "float8"):
        size = {"1": 1, "2": 2, "4": 4, "8": 8}[name[-1]]
        if rng.random() < 0.7:
            return rng.choice((0, 1, 2, 5, 0xF0)).to_bytes(size, "little")
        return rng.choice(LENGTHS_8).to_bytes(8, "little")[:size]
    size = {"1": 1, "4": 4, "8": 8}[name[-1]]
    text = rng.choice(STRINGS)
    length = len(text) if rng.random() < 0.9 else rng.choice(LENGTHS_8)
    return length.to_bytes(8, "little")[:size] + text


def program(rng):
    """A random program. It keeps rough count of its stack, so that it gets far before it breaks."""
    out = [b"\x80" + bytes([rng.randrange(6)])] if rng.random() < 0.8 else []
    depth, marks = 0, 0
    for _ in range(rng.randrange(3, 40)):
        for _ in range(6):
            opcode = rng.choice(pickletools.opcodes)
            needs = sum(1 for item in opcode.stack_before if item.name not in ("mark", "stackslice"))
            wants_mark = any(item.name == "mark" for item in opcode.stack_before)
            if opcode.name not in ("STOP", "FRAME", "PROTO") and needs <= depth and (marks or not wants_mark):
                break
        out.append(opcode.code.encode("latin1") + argument(rng, opcode))
        depth = max(0, depth - needs) + sum(1 for item in opcode.stack_after if item.name != "mark")
        marks += (opcode.name == "MARK") - wants_mark
    return b"".join(out) + rng.choice((b".", b".", b"t.", b"0.", b""))


def flip(rng, data, _):
    position = rng.randrange(len(data))
    return data[:position] + bytes([data[position] ^ 1 << rng.randrange(8)]) + data[position + 1:]


def overwrite(rng, data, _):
    position = rng.randrange(len(data))
    byte = rng.choice(BARE) if rng.random() < 0.6 else rng.randrange(256)
    return data[:position] + bytes([byte]) + data[position + 1:]


def truncate(rng, data, _):
    return data[: rng.randrange(len(data))]


def insert(rng, data, _):
    position = rng.randrange(len(data) + 1)
    junk = bytes(rng.choice(BARE) for _ in range(rng.randrange(1, 4))) if rng.random() < 0.7 else rng.randbytes(2)
    return data[:position] + junk + data[position:]


def cut(rng, data, _):
    start = rng.randrange(len(data))
    return data[:start] + data[start + rng.randrange(1, 8):]


def double(rng, data, _):
    start = rng.randrange(len(data))
    piece = data[start: start + rng.randrange(1, 20)]
    return data[:start] + piece * rng.randrange(2, 4) + data[start + len(piece):]


def _one(rng, found):
    return rng.randrange(len(found))


def drop_operation(rng, data, found):
    start, end, _ = found[_one(rng, found)]
    return data[:start] + data[end:]


def double_operation(rng, data, found):
    start, end, _ = found[_one(rng, found)]
    return data[:end] + data[start:]


def swap_operations(rng, data, found):
    a, b = sorted((_one(rng, found), _one(rng, found)))
    pieces = [data[start:end] for start, end, _ in found]
    pieces[a], pieces[b] = pieces[b], pieces[a]
    return b"".join(pieces)


def exchange_operation(rng, data, found):
    start, end, _ = found[_one(rng, found)]
    opcode = rng.choice(pickletools.opcodes)
    return data[:start] + opcode.code.encode("latin1") + argument(rng, opcode) + data[end:]


def insert_operation(rng, data, found):
    start, _, _ = found[_one(rng, found)]
    opcode = rng.choice(pickletools.opcodes)
    return data[:start] + opcode.code.encode("latin1") + argument(rng, opcode) + data[start:]


def other_opcode(rng, data, found):
    """The same argument under another opcode of the same kind."""
    start, _, opcode = found[_one(rng, found)]
    alike = [other for other in pickletools.opcodes if other.arg is opcode.arg and other is not opcode]
    return data[:start] + rng.choice(alike or [opcode]).code.encode("latin1") + data[start + 1:]


def other_number(rng, data, found):
    """Another length, memo index, frame size, version or code where the stream has one."""
    places = [(start, opcode) for start, _, opcode in found if opcode.arg is not None]
    if not places:
        return data
    start, opcode = rng.choice(places)
    name = opcode.arg.name
    if name[-1] not in "1248":
        end = data.find(b"\n", start)
        text = rng.choice(TEXTS) if "PUT" not in opcode.name else b"%d" % rng.choice(INDEXES)
        return data[: start + 1] + text + data[end:] if end >= 0 else data
    size = int(name[-1])
    old = int.from_bytes(data[start + 1: start + 1 + size], "little")
    new = rng.choice((old + 1, old - 1, old + rng.randrange(8), old // 2, rng.choice(
        INDEXES if opcode.name.endswith(("PUT", "GET")) else LENGTHS_8)))
    return data[: start + 1] + (new % 2 ** (8 * size)).to_bytes(size, "little") + data[start + 1 + size:]


def splice(rng, data, found):
    other, others = rng.choice(sources())
    if not others:
        return data
    return data[: found[_one(rng, found)][0]] + other[others[_one(rng, others)][0]:]


def reframe(rng, data, found):
    """A frame around some opcodes, seldom of the right size."""
    start, _, _ = found[_one(rng, found)]
    size = rng.choice((len(data) - start, rng.randrange(len(data) + 5), rng.choice(LENGTHS_8)))
    return data[:start] + b"\x95" + struct.pack("<Q", size % 2**64) + data[start:]


NEUTRAL = (b"N0", b"(1", b"(N1", b"]0", b"(((111", b"J\x01\0\0\x800", b"Vx\n0", b"(I5\nl0", b"\x80\x05", b"\x80\x00",
           b"U\x03abc0", b"(N2t0", b"}(NNu0", b"F1e3\n0", b"L7\n0")


def insert_neutral(rng, data, found):
    """Something that a reader has to do and then forgets, so that the pickle still loads."""
    start, _, _ = found[_one(rng, found)]
    return data[:start] + rng.choice(NEUTRAL) + data[start:]


def other_contents(rng, data, found):
    """Another byte in the middle of an argument."""
    start, end, opcode = rng.choice(found)
    if opcode.arg is None or end - start < 3:
        return insert_neutral(rng, data, found)
    position = rng.randrange(start + (end - start) // 2, end - 1)
    return data[:position] + bytes([rng.choice(b"0123456789axZ_ ~\x80\xc3\xff\\'")]) + data[position + 1:]


ON_BYTES = (flip, overwrite, truncate, insert, cut, double)
ON_OPERATIONS = (drop_operation, double_operation, swap_operations, exchange_operation, insert_operation, other_opcode,
                 insert_neutral, insert_neutral, insert_neutral, insert_neutral, other_contents, other_contents,
                 other_number, other_number, splice, splice, reframe)

READERS = ("loads", "loads", "find_class", "bare", "readinto", "peek", "both", "short")
ENCODINGS = ("ASCII", "latin1", "bytes", "utf-8")


class Case:
    """The bytes, and how they are loaded."""

    def __init__(self, seed, index):
        rng = random.Random(f"{seed}:{index}")
        if rng.random() < 0.15:
            self.data = program(rng)
        else:
            self.data = self.mutated(rng)
        self.reader = rng.choice(READERS)
        self.encoding = rng.choice(ENCODINGS)
        self.errors = rng.choice(("strict", "strict", "replace"))
        self.fix_imports = rng.random() < 0.8
        self.buffers = rng.random() < 0.3

    @staticmethod
    def mutated(rng):
        data, found = rng.choice(sources())
        for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5))):
            if not data:
                break
            if rng.random() < 0.3 or not found:
                data = rng.choice(ON_BYTES)(rng, data, found)
            else:
                data = rng.choice(ON_OPERATIONS)(rng, data, found)
            found = operations(data)
        return data
