"""Loads a range of pickles with both modules and reports where they differ. Started by run.py.

It runs under a limit of memory, and notes in a shared file which case it is at, so that whoever started it knows what
crashed or hung. Reports are lines of JSON on the standard output.
"""

import argparse
import dataclasses
import faulthandler
import gc
import io
import json
import mmap
import pathlib
import resource
import struct
import sys
import warnings

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "differential")]

import deviations  # noqa: E402
import grammar  # noqa: E402
import harmless  # noqa: E402
import isomorphism  # noqa: E402
import modules  # noqa: E402
import mutations  # noqa: E402
import telltale  # noqa: E402

ADDRESS_SPACE = 2 << 30
# The most that an object costs for each byte of the pickle (an empty set is one byte and 216 of memory), and some room.
BYTES_PER_BYTE = 2000
ROOM = 48 << 20
IDLE, TESTED, STOCK, COMPARED = 0, 1, 2, 3
SOURCES = {"mutations": mutations.Case, "grammar": grammar.Case}


@dataclasses.dataclass
class Result:
    """What a load did: `error` is the name of the exception's class, or None, `log` what telltale's hooks said."""

    value: object = None
    error: str | None = None
    message: str = ""
    rest: bytes = b""
    peak: int = 0
    log: list = dataclasses.field(default_factory=list)

    def shown(self):
        if self.error:
            return f"{self.error}: {self.message}"[:300]
        return f"{type(self.value).__name__}, rest {self.rest[:20]}"


class File:
    """A file with some of the optional methods. "short" reads less than it was asked for, as a socket does."""

    METHODS = {"bare": (), "readinto": ("readinto",), "peek": ("peek",), "both": ("peek", "readinto"), "short": ()}

    def __init__(self, data, kind):
        self._file = io.BufferedReader(io.BytesIO(data))
        self._short = kind == "short"
        self.readline = self._file.readline
        for name in self.METHODS[kind]:
            setattr(self, name, getattr(self._file, name))

    def read(self, size=-1):
        return self._file.read(min(size, 3) if self._short else size)


def load_and_memo(unpickler):
    return [unpickler.load(), unpickler.memo.copy()]


def load(module, case):
    buffers = [b"one", bytearray(b"two"), memoryview(b"three")] if case.buffers else None
    options = {"encoding": case.encoding, "errors": case.errors, "fix_imports": case.fix_imports, "buffers": buffers}
    result = Result()
    file = None
    telltale.LOG.clear()
    harmless.guard.on = True
    try:
        if case.reader == "loads":
            result.value = module.loads(case.data, **options)
        elif case.reader == "memo":
            file = io.BytesIO(case.data)
            result.value = load_and_memo(module.Unpickler(file, **options))
        else:
            class Unpickler(module.Unpickler):
                if case.reader == "find_class":
                    def find_class(self, module, name):
                        return harmless.find_class(module, name)

                def persistent_load(self, pid):
                    return ["persistent", pid]

            file = io.BytesIO(case.data) if case.reader == "find_class" else File(case.data, case.reader)
            result.value = Unpickler(file, **options).load()
    except Exception as error:
        result.error = type(error).__name__
        result.message = isomorphism.without_addresses(str(error))
    finally:
        harmless.guard.on = False
    result.log = telltale.LOG.copy()
    if file is not None:
        # What is left of the stream is compared after a success only: an error may come before or after reading on.
        result.rest = file.read() if result.error is None and case.reader != "short" else b""
    harmless.restore()
    return result


class Memory:
    """Peak of resident memory, as Linux counts it, from one point on."""

    def __init__(self):
        try:
            self.clear = open("/proc/self/clear_refs", "wb", buffering=0)
            self.status = open("/proc/self/status", "rb", buffering=0)
        except OSError:
            self.status = None  # not Linux: only the limit of the address space watches over memory

    def _read(self, name):
        self.status.seek(0)
        text = self.status.read(4096)
        at = text.index(name)
        return int(text[at + len(name): text.index(b"kB", at)]) << 10

    def start(self):
        if self.status:
            self.clear.write(b"5")
            self.before = self._read(b"VmRSS:")

    def grown(self):
        return self._read(b"VmHWM:") - self.before if self.status else 0


def compare(stock, tested):
    """(kind, text) of the difference, or None."""
    if stock.error != tested.error:
        return "class", ""
    if stock.log != tested.log:
        return "log", f"{stock.log} and {tested.log}"
    if stock.error is not None:
        return ("message", "") if stock.message != tested.message else None
    problem = isomorphism.difference(stock.value, tested.value)
    if problem:
        return "graph", problem
    return ("rest", "") if stock.rest != tested.rest else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", choices=SOURCES, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--start", type=int, required=True)
    parser.add_argument("--stop", type=int, required=True)
    parser.add_argument("--progress", required=True)
    parser.add_argument("--without-stock", type=int, help="a case at which the stock module crashed or hung")
    parser.add_argument("--without-tested", type=int, help="a case to load with the stock module alone")
    options = parser.parse_args()
    faulthandler.enable()
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    sys.addaudithook(harmless.guard)
    make = mutations.make
    make.shapes.register_extensions()
    tested = modules.under_test()
    memory = Memory()
    if options.source == "grammar":
        gc.disable()  # what dies in it would write into the log of another case
    counts = {"cases": 0, "loaded": 0}
    with open(options.progress, "r+b") as file:
        progress = mmap.mmap(file.fileno(), 16)
    for index in range(options.start, options.stop):
        case = SOURCES[options.source](options.seed, index)
        mine = theirs = None
        if index != options.without_tested:
            progress[:16] = struct.pack("<qq", index, TESTED)
            memory.start()
            mine = load(tested, case)
            mine.peak = memory.grown()
        if index != options.without_stock:
            progress[:16] = struct.pack("<qq", index, STOCK)
            theirs = load(modules.stock, case)
        else:
            theirs = Result(error="crash")
        if mine is None:
            continue
        progress[:16] = struct.pack("<qq", index, COMPARED)
        counts["cases"] += 1
        counts["loaded"] += mine.error is None
        found = compare(theirs, mine)
        if found is not None and found[0] == "graph":
            # BUILD interns keys, so a first load can leave a second one with other identities. Now all are interned.
            again = load(tested, case), load(modules.stock, case)
            found = compare(again[1], again[0])
        if mine.peak > ROOM + BYTES_PER_BYTE * len(case.data):
            report("memory", index, case, theirs, mine, f"{mine.peak >> 20} MiB for {len(case.data)} bytes")
        if found is not None:
            kind, text = found
            why = deviations.explained(theirs, mine, case.data)
            report(f"deviation: {why}" if why else kind, index, case, theirs, mine, text)
        del mine, theirs
        progress[:16] = struct.pack("<qq", index, IDLE)
        if index % 500 == 0:
            gc.collect()
    print(json.dumps({"kind": "done", **counts}), flush=True)


def report(kind, index, case, stock, tested, text):
    settings = {name: value for name, value in vars(case).items() if name != "data"}
    print(json.dumps({"kind": kind, "index": index, "data": case.data.hex(), "settings": settings, "text": text,
                      "stock": stock.shown(), "tested": tested.shown()}), flush=True)


if __name__ == "__main__":
    main()
