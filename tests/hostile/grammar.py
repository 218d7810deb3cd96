"""Pickles from a grammar: case number `index` of seed `seed` is always the same bytes, loaded in the same way.

mutations.py breaks what a pickler wrote, so most of it goes wrong early. This writes what is well formed for the most
part and would load, but what no pickler writes: states, pairs of states and arguments that are got again from the memo,
items put into the dict of an instance, keys that come twice, something between an instance and its state. A load may
know records, instances and the like when it sees them, and must not be wrong about those that are a little different.
"""

import random
import struct

PLAIN = ("Plain", "Shadowing", "SetState", "SetAttr", "GetAttr", "New", "Dying", "ListSub", "DictSub",
         "TupleSub")
SLOTTED = ("Slots", "MoreSlots", "SlotsAndDict", "SlotsShadowing", "SlotsSetAttr", "TwoNames")
INSTANCES = (*PLAIN, *SLOTTED, "Plain", "Plain", "Slots", "Slots", "TwoNames")
NAMED_TUPLES = {"Nothing": 0, "One": 1, "Pair": 2, "PairAndDict": 2, "PairAlone": 2, "Five": 5}
CALLED = {"telltale arguments": 4, "telltale first": 4, "builtins list": 1}  # takes fewer arguments than that
TIMES = {"datetime": b"\x07\xe8\x05\x06\x07\x08\x09\x00\x01\x02", "date": b"\x07\xe8\x02\x1d", "time": b"\1\2\3\4\5\6"}

NAMES = ("a", "b", "c", "d", "_e", "__f", "key0", "key1", "key2", "\xe9")
RECORDS = (("a", "b"), ("a", "b", "c"), ("b", "a"), ("a",), tuple(f"key{i}" for i in range(6)), NAMES[:6])
LEAVES = (b"N", b"\x88", b"\x89", b"K\0", b"K\1", b"K\xff", b"M\1\2", b"J\xff\xff\xff\xff", b"\x8a\0", b"\x8a\1\xff",
          b"\x8a\x09" + b"\1" * 9, b"G" + bytes(8), b")")
NEUTRAL = (b"N0", b"20", b"(1", b"((11", b"]0", b"\x80\4")
JUNK = (b"(", b"N", b"0", b"1", b"2", b"}", b"]", b")", b"b", b"h\0", b"h\1", b"\x94", b"\x85", b"\x86", b"\x81", b"R",
        b"s", b"u", b"a", b"e", b"t", b"l", b"d", b"K\1")
DEEPEST = 4
LONGEST = 250  # opcodes, about: then nothing but leaves


class Writer:
    """Writes opcodes into `out`, one an item, so that they can be dropped, doubled and framed."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.out: list[bytes] = []
        self.memo: list[int] = []          # the indexes in use
        self.found: dict[str, int] = {}    # those of names and globals
        self.instances: list[int] = []     # of those that have a dict
        self.states: dict[bool, list[int]] = {False: [], True: []}  # dicts; pairs for slots

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def write(self, *opcodes: bytes) -> None:
        self.out += opcodes

    def memoize(self, kind: list[int] | None = None) -> int | None:
        if self.chance(0.1):
            return None
        index = len(self.memo)
        if self.chance(0.8):
            self.write(b"\x94")
        else:
            if self.chance(0.02):
                index = self.rng.choice((0, 1, index + 1, 255, 256, 1000))
            self.write(self.indexed(b"q", b"r", b"p", index))
        if index not in self.memo:
            self.memo.append(index)
        if kind is not None:
            kind.append(index)
        return index

    def indexed(self, short: bytes, long: bytes, text: bytes, index: int) -> bytes:
        if index < 256 and self.chance(0.8):
            return short + bytes([index])
        return self.rng.choice((long + struct.pack("<I", index), text + b"%d\n" % index))

    def get(self, index: int) -> None:
        self.write(self.indexed(b"h", b"j", b"g", index))

    def get_any(self) -> None:
        """Anything at all, most often something of late."""
        if not self.memo:
            return self.leaf()
        self.get(self.rng.choice(self.memo[-6:] if self.chance(0.5) else self.memo))

    def get_or_write(self, what: str, opcodes: tuple[bytes, ...]) -> None:
        if what in self.found and self.chance(0.9):
            return self.get(self.found[what])
        self.write(*opcodes)
        index = self.memoize()
        if index is not None:
            self.found[what] = index

    def name(self, name: str) -> None:
        text = name.encode()
        self.get_or_write(name, (self.rng.choice((b"\x8c%c" % len(text), b"X" + struct.pack("<I", len(text)))) + text,))

    def global_(self, path: str) -> None:
        module, name = path.encode().split()
        if self.chance(0.7):
            self.get_or_write(path, (b"c%s\n%s\n" % (module, name),))
        else:
            self.get_or_write(path, (b"\x8c%c%s" % (len(module), module), b"\x8c%c%s" % (len(name), name), b"\x93"))

    def leaf(self) -> None:
        draw = self.rng.random()
        if draw < 0.5:
            self.write(self.rng.choice(LEAVES if self.chance(0.9) else (b"]", b"}")))
        elif draw < 0.7:
            self.name(self.rng.choice(NAMES))
        elif draw < 0.85:
            self.get_any()
        else:
            self.write(b"C\x03abc")
            self.memoize()

    def value(self, depth: int) -> None:
        if depth > DEEPEST or len(self.out) > LONGEST or self.chance(0.4):
            return self.leaf()
        kinds = {self.instance: 10, self.mapping: 5, self.call: 4, self.named_tuple: 3, self.tuple_: 3, self.list_: 3,
                 self.time: 1, self.set_: 1}
        self.rng.choices(list(kinds), list(kinds.values()))[0](depth + 1)

    def interlude(self) -> None:
        """Seldom: something where a pickler goes on at once."""
        if self.chance(0.005):
            self.write(b"(")
        if self.chance(0.02):
            self.write(self.rng.choice(NEUTRAL))

    def tuple_(self, depth: int, length: int | None = None) -> None:
        length = self.rng.randrange(4) if length is None else length
        marked = length > 3 or self.chance(0.3)
        if marked:
            self.write(b"(")
        for _ in range(length):
            self.value(depth)
        self.write(b"t" if marked else (b")", b"\x85", b"\x86", b"\x87")[length])
        self.memoize()

    def list_(self, depth: int) -> None:
        self.write(b"]")
        self.memoize()
        self.elements(depth)

    def elements(self, depth: int) -> None:
        if self.chance(0.3):
            self.value(depth)
            self.write(b"a")
        else:
            self.write(b"(")
            for _ in range(self.rng.randrange(5)):
                self.value(depth)
            self.write(b"e")

    def set_(self, depth: int) -> None:
        self.write(b"(")
        for _ in range(self.rng.randrange(4)):
            self.write(self.rng.choice(LEAVES)) if self.chance(0.5) else self.name(self.rng.choice(NAMES))
        self.write(b"\x91")
        self.memoize()

    def items(self, depth: int, names: tuple[str, ...] | None = None) -> None:
        """The same names again and again, in the same order, as records have them. Sometimes one comes twice."""
        if names is None:
            names = self.rng.choice(RECORDS)
            if self.chance(0.15):
                names = tuple(self.rng.choices(NAMES, k=self.rng.randrange(7)))
        single = self.chance(0.1)
        self.write(*[b"("] * (not single))
        for name in names:
            self.name(name)
            self.value(depth)
            self.write(*[b"s"] * single)
        self.write(*[b"u"] * (not single))

    def mapping(self, depth: int, names: tuple[str, ...] | None = None) -> None:
        self.write(b"}")
        self.memoize(self.states[False])
        if self.chance(0.95):
            self.items(depth, names)

    def instance(self, depth: int, names: tuple[str, ...] = INSTANCES) -> None:
        name = self.rng.choice(names)
        self.global_(f"telltale {name}")
        if self.chance(0.9):
            self.write(b")", b"\x81")
        else:
            self.write(*self.rng.choice(((b")", b"R"), (b")", b"}", b"\x92"))))
        self.memoize(self.instances if name in PLAIN or self.chance(0.02) else None)
        if name in ("ListSub", "DictSub") and self.chance(0.5):
            (self.elements if name == "ListSub" else self.items)(depth)
        for _ in range(self.rng.choice((0, *[1] * 12, 2))):
            self.interlude()
            self.state(depth, (name in SLOTTED) != self.chance(0.01))
            self.interlude()
            self.write(b"b")

    def state(self, depth: int, slots: bool) -> None:
        if self.chance(0.01):
            return self.value(depth)
        if self.states[slots] and self.chance(0.1):
            return self.get(self.rng.choice(self.states[slots]))
        if not slots:
            return self.mapping(depth)
        if self.chance(0.98):
            self.write(b"N")
        else:
            self.mapping(depth)
        self.interlude()
        self.mapping(depth, self.rng.choice(RECORDS[:4]))
        self.write(b"\x86")
        self.memoize(self.states[True])

    def named_tuple(self, depth: int) -> None:
        name, length = self.rng.choice(list(NAMED_TUPLES.items()))
        self.global_(f"telltale {name}")
        self.tuple_(depth, length + self.chance(0.01))
        self.write(b"\x81")
        self.memoize()

    def time(self, depth: int) -> None:
        name, packed = self.rng.choice(list(TIMES.items()))
        self.global_(f"datetime {name}")
        if self.chance(0.05):
            packed = packed[:2] + bytes([self.rng.randrange(256)]) + packed[3:]
        self.write(b"C%c" % len(packed) + packed)
        self.memoize()
        self.write(b"\x85")
        self.memoize()
        self.write(b"R")
        self.memoize()

    def call(self, depth: int) -> None:
        if self.chance(0.5):
            return self.attributes(depth)
        name, limit = self.rng.choice(list(CALLED.items()))
        self.global_(name)
        self.tuple_(depth, self.rng.randrange(limit))
        self.write(b"R")
        self.memoize()

    def attributes(self, depth: int) -> None:
        """The dict that an instance has; and items for it."""
        builtin = self.chance(0.5)
        self.global_("builtins getattr" if builtin else "telltale attributes")
        if self.instances and self.chance(0.6):
            self.get(self.rng.choice(self.instances))
        else:
            self.instance(depth, PLAIN)
        if builtin:
            self.name("__dict__")
        self.write(b"\x86" if builtin else b"\x85")
        self.memoize()
        self.write(b"R")
        self.memoize()
        if self.chance(0.7):
            self.items(depth)

    def pickle(self) -> None:
        self.write(b"(")
        if self.chance(0.5):
            names = self.rng.choice(RECORDS)
            for _ in range(self.rng.randrange(2, 5)):
                self.mapping(DEEPEST, names)
        for _ in range(self.rng.randrange(1, 7)):
            self.value(0)
        self.write(b"l", b".")


def broken(rng: random.Random, opcodes: list[bytes]) -> list[bytes]:
    """One or two of them dropped, doubled, or followed by another that does not belong there."""
    opcodes = opcodes.copy()
    for _ in range(rng.choice((1, 1, 2))):
        at = rng.randrange(len(opcodes) - 1)
        opcodes[at:at + 1] = rng.choice(([], opcodes[at:at + 1] * 2, [opcodes[at], rng.choice(JUNK)]))
    return opcodes


def framed(rng: random.Random, opcodes: list[bytes]) -> bytes:
    """In frames that follow each other, or with one that ends anywhere, in the middle of an opcode too."""
    if rng.random() < 0.8:
        ends = sorted(rng.sample(range(1, len(opcodes)), min(len(opcodes) - 1, rng.randrange(3)))) + [len(opcodes)]
        parts = [b"".join(opcodes[start:end]) for start, end in zip([0, *ends], ends)]
        return b"".join(b"\x95" + struct.pack("<Q", len(part)) + part for part in parts)
    at = rng.randrange(len(opcodes))
    before, after = b"".join(opcodes[:at]), b"".join(opcodes[at:])
    return before + b"\x95" + struct.pack("<Q", rng.randrange(len(after) + 1)) + after


class Case:
    """The bytes, and how they are loaded."""

    def __init__(self, seed: int, index: int) -> None:
        rng = random.Random(f"{seed}:{index}")
        writer = Writer(rng)
        writer.pickle()
        opcodes = broken(rng, writer.out) if rng.random() < 0.2 else writer.out
        self.data = b"\x80\4" + (framed(rng, opcodes) if rng.random() < 0.4 else b"".join(opcodes))
        self.reader = rng.choice(("loads", "loads", "memo", "find_class", "bare", "both", "short"))
        self.encoding, self.errors, self.fix_imports, self.buffers = "ASCII", "strict", True, False
