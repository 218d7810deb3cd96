"""One call in a fresh process: how long the first one takes, and how far it drives the peak of memory.

    python -m bench.cold SIDE VERB CASE SIZE PROTOCOL < what dump returned, for a load
"""

import contextlib
import ctypes
import gc
import hashlib
import importlib
import json
import pickle
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

from bench.cases import Case, choose
from bench.timing import OURS, THEIRS, Different, Prepared


@dataclass(frozen=True)
class Call:
    seconds: float
    growth: int  # bytes, of the peak of the resident memory, without that of files: code that runs for the first time
    output: int  # bytes written, for a dump
    proof: str  # what was written, or what was loaded, hashed


def status(field: str) -> int | None:
    """What the kernel says of this process's memory, in bytes, where /proc tells it."""
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith(f"{field}:"))
    except (OSError, StopIteration):
        return None


def peak(reset: bool = False) -> int:
    """The largest resident memory so far, in bytes; or since the last reset, where /proc allows for one."""
    if reset:
        with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    told = status("VmHWM")
    if told is not None:
        return told
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def of_files() -> int:
    """How much of the resident memory is pages of files, in bytes."""
    return status("RssFile") or 0


def once(side: str, verb: str, case: Case) -> Call:
    """The call, in the process that this is."""
    way = case.way(importlib.import_module(side))
    if case.workload.needs:  # its import is not what is timed
        importlib.import_module(case.workload.needs)
    arguments: tuple[Any, ...] = (case.make(), case.protocol) if verb == "dumps" else (pickle.load(sys.stdin.buffer),)
    call = way.dump if verb == "dumps" else way.load
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:  # so that what was freed before is no room for the call
        trim(0)
    code = of_files()
    before = peak(reset=True)
    start = time.thread_time()
    result = call(*arguments)
    seconds = time.thread_time() - start
    growth = peak() - before - (of_files() - code)
    theirs = case.way(importlib.import_module(THEIRS))
    output = way.written(result if verb == "dumps" else theirs.dump(result, case.protocol))
    return Call(seconds, growth, len(output), hashlib.sha256(output).hexdigest())


def spawn(side: str, verb: str, case: Case, given: bytes) -> Call:
    command = [sys.executable, "-m", "bench.cold", side, verb, case.workload.name, str(case.size), str(case.protocol)]
    ran = subprocess.run(command, input=given, stdout=subprocess.PIPE, check=True)
    return Call(**json.loads(ran.stdout))


def compare(prepared: Prepared, times: int) -> dict[str, dict[str, list[Call]]]:
    """Fresh processes in turns: by verb and side."""
    given = pickle.dumps(prepared.dumped[THEIRS], 5)
    proofs = {"dumps": prepared.expected, "loads": prepared.reloaded}
    found: dict[str, dict[str, list[Call]]] = {}
    for verb, proof in proofs.items():
        calls = found[verb] = {OURS: [], THEIRS: []}
        for number in range(times):
            for side in (OURS, THEIRS) if number % 2 else (THEIRS, OURS):
                call = spawn(side, verb, prepared.case, given if verb == "loads" else b"")
                if call.proof != hashlib.sha256(proof).hexdigest():
                    raise Different(f"{prepared.case.name}, {verb} by {side}: something else than _pickle's")
                calls[side].append(call)
    return found


def median(calls: list[Call], what: str) -> float:
    return float(statistics.median(getattr(call, what) for call in calls))


def main() -> None:
    side, verb, name, size, protocol = sys.argv[1:]
    (case,) = choose([name], int(protocol), size=int(size))
    print(json.dumps(asdict(once(side, verb, case))))


if __name__ == "__main__":
    main()
