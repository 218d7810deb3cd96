"""Small pickles that promise much: name -> (bytes, the exceptions that may come of it).

They are loaded with hardly any memory to spare, so whoever allocates what they promise fails with MemoryError. None in
place of an exception means that the pickle is fine and must load. Run as a script it loads them all with the module
under test, and prints a line of JSON for each.
"""

import io
import itertools
import json
import pathlib
import resource
import struct
import sys

SPARE = 96 << 20

HUGE_4 = (2**31 - 1, 2**31, 2**32 - 1)
HUGE_8 = (2**31, 2**40, 2**62, 2**63 - 1)
TOO_HUGE_8 = (2**63, 2**64 - 1)  # more than a size can be: refused before anything is read
ENDS = ("EOFError", "UnpicklingError")


def bombs():
    for name, code in {"BINUNICODE": b"X", "BINBYTES": b"B", "BINSTRING": b"T"}.items():
        for length in HUGE_4:
            signed = name == "BINSTRING" and length >= 2**31
            errors = ("UnpicklingError",) if signed else ENDS
            yield f"{name} {length}", code + struct.pack("<I", length) + b"abc", errors
    for name, code in {"BINUNICODE8": b"\x8d", "BINBYTES8": b"\x8e", "BYTEARRAY8": b"\x96"}.items():
        for length in HUGE_8:
            yield f"{name} {length}", b"\x80\x05" + code + struct.pack("<Q", length) + b"abc", (
                ENDS if length < 2**63 - 1 else (*ENDS, "OverflowError"))
        for length in TOO_HUGE_8:
            yield f"{name} {length}", b"\x80\x05" + code + struct.pack("<Q", length) + b"abc", ("OverflowError",)
    for length in HUGE_8:
        yield f"FRAME {length}", b"\x80\x04\x95" + struct.pack("<Q", length) + b"N.", ENDS
    for length in TOO_HUGE_8:
        yield f"FRAME {length}", b"\x80\x04\x95" + struct.pack("<Q", length) + b"N.", ("OverflowError",)
    yield "LONG4 huge", b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"abc", ENDS
    yield "LONG4 negative", b"\x80\x02\x8b" + struct.pack("<i", -5) + b"abc.", ("UnpicklingError",)
    yield "LONG4 most negative", b"\x80\x02\x8b" + struct.pack("<i", -(2**31)) + b"abc.", ("UnpicklingError",)
    yield "LONG1 cut", b"\x80\x02\x8a\xff\x01", ENDS
    for index in (2**20, 2**27, 2**31 - 1, 2**31, 2**32 - 1):
        packed = struct.pack("<I", index)
        yield f"LONG_BINPUT {index}", b"]r" + packed + b"j" + packed + b"\x86.", (None,)
        yield f"LONG_BINGET {index}", b"j" + packed + b".", ("UnpicklingError",)
    for index in (2**27, 2**31, 2**40, 2**62):
        yield f"PUT {index}", b"]p%d\ng%d\n\x86." % (index, index), (None,)
    # Whether an index beyond a size is a ValueError or an OverflowError changed within CPython.
    for index in (2**63, 10**30):
        yield f"PUT {index}", b"]p%d\n." % index, ("ValueError", "OverflowError", "UnpicklingError")
    yield "PUT negative", b"]p-1\n.", ("ValueError",)
    yield "sparse memo, many", b"]" + b"".join(
        b"r" + struct.pack("<I", 2**32 - 1 - i * 10**6) for i in range(1000)) + b".", (None,)
    yield "memo, dense then sparse", b"]" + b"".join(b"r" + struct.pack("<I", i) for i in range(2000)) + (
        b"r" + struct.pack("<I", 2**31)) + b"h\x07j" + struct.pack("<I", 2**31) + b"\x87.", (None,)
    yield "marks", b"(" * 100_000, ENDS
    yield "marks closed", b"(" * 100_000 + b"t" * 100_000 + b".", (None,)
    yield "popped marks", b"N" + b"(1" * 100_000 + b".", (None,)
    yield "memo flood", b"\x80\x04N" + b"\x94" * 100_000 + b".", (None,)
    yield "INT too many digits", b"I" + b"9" * 100_000 + b"\n.", ("ValueError",)
    yield "LONG too many digits", b"L" + b"9" * 100_000 + b"L\n.", ("ValueError",)
    yield "INT endless", b"I" + b"9" * 100_000, ENDS
    yield "UNICODE endless", b"V" + b"x" * 100_000, ENDS
    yield "GLOBAL endless", b"c" + b"x" * 100_000, ENDS
    yield "STRING endless", b"S'" + b"x" * 100_000, ENDS
    yield "EXT4 zero", b"\x80\x02\x84\0\0\0\0.", ("UnpicklingError",)
    yield "EXT4 negative", b"\x80\x02\x84" + struct.pack("<i", -1) + b".", ("UnpicklingError",)
    yield "protocol unknown", b"\x80\x06N.", ("ValueError",)
    yield "protocol 255", b"\x80\xffN.", ("ValueError",)
    yield "nothing", b"", ("EOFError",)
    yield "STOP alone", b".", ("UnpicklingError",)
    yield "list of lists of lists", (b"]" + b"(" + b"]" * 20_000 + b"e") + b".", (None,)


class Bare:
    """A file without the optional methods."""

    def __init__(self, data):
        file = io.BytesIO(data)
        self.read, self.readline = file.read, file.readline


WAYS = {
    "loads": lambda module, data: module.loads(data),
    "load": lambda module, data: module.load(io.BytesIO(data)),
    "load with peek": lambda module, data: module.load(io.BufferedReader(io.BytesIO(data))),
    "load without readinto": lambda module, data: module.load(Bare(data)),
}


def address_space():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def main():
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "differential"))
    import modules
    module = modules.under_test()
    cases = list(bombs())
    limit = address_space() + SPARE
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for (way, load), (name, data, allowed) in itertools.product(WAYS.items(), cases):
        print(json.dumps({"begun": f"{way}: {name}"}), flush=True)
        error = None
        try:
            load(module, data)
        except Exception as problem:
            error = type(problem).__name__
            del problem
        print(json.dumps({"case": f"{way}: {name}", "error": error, "allowed": allowed}), flush=True)



if __name__ == "__main__":
    main()
