"""Times the halfsour crate beside CPython's loads and dumps and beside other crates, in turns; see `make bench-rust`.

Each figure is the median over rounds of the best time of one fresh process. Of memory it is the largest growth in one
run, beyond the input. With --check it fails where a goal of GOALS is missed.
"""

import argparse
import json
import math
import pickle
import random
import statistics
import subprocess
import sys
import sysconfig
import types
from pathlib import Path
from typing import Any

from bench import build

ROOT = Path(__file__).parent.parent
SETS = ["dicts", "nested", "ints", "strings", "bytes", "instances", "shared"]
LIBRARIES = {
    "value": ["CPython", "halfsour", "serde-pickle", "pickled"],
    "typed": ["halfsour", "serde-pickle", "pickled", "serde_json", "rmp-serde"],
    "encode": ["CPython", "halfsour", "serde-pickle", "pickled", "serde_json", "rmp-serde"],
}
#: What a task's times are compared with, how, and how large the ratio may be.
GOALS = [
    ("value", "CPython", "mean", 0.35),
    ("value", "CPython", "each", 0.6),
    ("value", "serde-pickle", "each", 0.5),
    ("typed", "rmp-serde", "mean", 2.0),
    ("typed", "serde-pickle", "mean", 1 / 3),
    ("encode", "serde-pickle", "mean", 1.0),
]
#: CPython's side, in a process like bench-rust's, with the collector as it is by default.
PYTHON = """
import pickle, sys, time, types
class Point:
    pass
Point.__module__ = 'bench.shapes'
sys.modules['bench'], sys.modules['bench.shapes'] = types.ModuleType('bench'), types.ModuleType('bench.shapes')
sys.modules['bench.shapes'].Point = Point
def peak(reset=False):
    if reset:
        open('/proc/self/clear_refs', 'w').write('5')
    return next(int(line.split()[1]) for line in open('/proc/self/status') if line.startswith('VmHWM:'))
data = open(sys.argv[2], 'rb').read()
if sys.argv[1] == 'encode':
    value = pickle.loads(data)
    run, size = lambda: pickle.dumps(value, 5), len(pickle.dumps(value, 5))
else:
    run, size = lambda: pickle.loads(data), len(data)
before, best, grown, runs, begin = peak(True), 1e9, 0, 0, time.perf_counter()
while runs < 3 or time.perf_counter() - begin < 0.5:
    start = time.perf_counter()
    made = run()
    best = min(best, time.perf_counter() - start)
    grown = grown if runs else peak() - before
    del made
    runs += 1
print(best, grown, size)
"""


class Point:
    pass


def make(name: str, scale: float) -> Any:
    """A set of the issue's sizes; `scale` shrinks it."""
    pick = random.Random(7)

    def many(n: int) -> range:
        return range(max(1, int(n * scale)))

    if name == "dicts":
        return [{"id": i, "name": f"user{i}", "score": i / 2, "active": i % 3 == 0} for i in many(100_000)]
    if name == "nested":
        def leaf(i: int) -> dict[str, Any]:
            note = f"note {i}" if i % 2 else None
            return {"id": i, "name": f"customer{i}", "score": i / 4, "tags": [f"t{i % 97}", f"u{i % 89}"], "note": note}
        return {f"r{r}": {f"s{s}": {f"c{c}": leaf((r * 100 + s) * 60 + c) for c in range(60)} for s in range(100)}
                for r in many(80)}
    if name == "ints":
        return [pick.randrange(-1 << 31, 1 << 31) for _ in many(1_000_000)]
    if name == "strings":
        return [f"string {i} {'x' * (i % 11)}" for i in many(1_000_000)]
    if name == "bytes":
        return pick.randbytes(1 << 20) * len(many(100))
    if name == "instances":
        points = []
        for i in many(100_000):
            point = Point()
            point.__dict__.update(x=i / 2, y=i / 3, label=f"p{i}", number=i)
            points.append(point)
        return points
    tuples = [(f"k{i}", i, [i]) for i in range(1000)]
    return [pick.choice(tuples) for _ in many(1_000_000)]


def measure(command: list[str]) -> tuple[float, int, int] | str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return lines[-1] if lines else f"exit code {done.returncode}"
    seconds, memory, size = done.stdout.split()
    return float(seconds), int(memory), int(size)


def mean(values: list[float]) -> float:
    return math.exp(statistics.fmean(math.log(value) for value in values))


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.rust", description=__doc__)
    parser.add_argument("--task", action="append", choices=LIBRARIES, help="only this; may be repeated")
    parser.add_argument("--set", action="append", choices=SETS, help="only this; may be repeated")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a twentieth of the data, one round: a smoke test")
    parser.add_argument("--check", action="store_true", help="fail where a goal is missed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    options = parser.parse_args()
    reason = build.unoptimised()
    if reason:
        print(f"bench: {sys.executable} {reason}: name an optimised one with PYTHON=...", file=sys.stderr)
        return 2

    package = ROOT / "bench" / "rust"
    target = ROOT / "target" / "bench-rust"
    command = ["cargo", "build", "--quiet", "--release", "--locked", "--target-dir", str(target)]
    subprocess.run(command, cwd=package, check=True)
    program = str(target / "release" / f"bench-rust{sysconfig.get_config_var('EXE')}")
    folder = ROOT / "build" / "bench" / "rust"
    folder.mkdir(parents=True, exist_ok=True)
    Point.__module__ = "bench.shapes"
    sys.modules["bench.shapes"] = types.ModuleType("bench.shapes")
    sys.modules["bench.shapes"].Point = Point  # type: ignore[attr-defined]

    figures: dict[str, dict[str, dict[str, Any]]] = {}
    sets, tasks = options.set or SETS, options.task or list(LIBRARIES)
    for name in sets:
        file = folder / f"{name}.pkl"
        file.write_bytes(pickle.dumps(make(name, 0.05 if options.quick else 1), 5))
        for task in tasks:
            seen: dict[str, list[tuple[float, int, int] | str]] = {library: [] for library in LIBRARIES[task]}
            for _ in range(1 if options.quick else options.rounds):
                for library, results in seen.items():
                    if library == "CPython":
                        results.append(measure([sys.executable, "-c", PYTHON, task, str(file)]))
                    elif not results or not isinstance(results[-1], str):
                        results.append(measure([program, task, library, name, str(file)]))
            for library, results in seen.items():
                good = [result for result in results if not isinstance(result, str)]
                figure: dict[str, Any] = {"error": str(results[-1])}
                if len(good) == len(results):
                    figure = {"seconds": statistics.median(result[0] for result in good),
                              "kib": max(result[1] for result in good), "size": good[0][2]}
                figures.setdefault(task, {}).setdefault(library, {})[name] = figure

    for task, libraries in figures.items():
        unit, key, scale = ("MB written", "size", 1e6) if task == "encode" else ("MB of memory", "kib", 1024)
        print(f"\n{task} (ms, {unit})".ljust(32) + "".join(name.rjust(16) for name in sets))
        for library, row in libraries.items():
            cells = [f"{row[name]['seconds'] * 1e3:.1f} {row[name][key] / scale:.0f}"
                     if "seconds" in row[name] else "error" for name in sets]
            print(library.ljust(31) + "".join(cell.rjust(16) for cell in cells))
    missed = 0
    print()
    for task, library, how, goal in GOALS:
        if task not in figures:
            continue
        ours, theirs = figures[task]["halfsour"], figures[task][library]
        ratios = {name: ours[name]["seconds"] / theirs[name]["seconds"]
                  for name in sets if "seconds" in ours[name] and "seconds" in theirs[name]}
        failed = [name for name in sets if "error" in ours[name]]
        if how == "mean":
            value, where = mean(list(ratios.values())), ""
        else:
            where, value = max(ratios.items(), key=lambda item: item[1])
            where = f" ({where})"
        verdict = "met" if value <= goal and not failed else "MISSED"
        missed += verdict == "MISSED"
        print(f"{verdict.ljust(8)}{task}, {how} time / {library}'s: {value:.2f}{where}, at most {goal:.2f} wanted"
              + (f"; failed on {', '.join(failed)}" if failed else ""))
    if "value" in figures:
        larger = [name for name in sets if figures["value"]["halfsour"][name].get("kib", 0)
                  > figures["value"]["CPython"][name].get("kib", 0)]
        missed += bool(larger)
        print(f"{'MISSED' if larger else 'met'}".ljust(8) + f"value, memory below CPython's {' '.join(larger)}")
    if "encode" in figures:
        larger = [name for name in sets if figures["encode"]["halfsour"][name].get("size", 0)
                  > figures["encode"]["CPython"][name].get("size", 0) * 1.001]
        missed += bool(larger)
        print(f"{'MISSED' if larger else 'met'}".ljust(8) + f"encode, files as small as CPython's {' '.join(larger)}")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=1))
    return int(options.check and missed > 0)


if __name__ == "__main__":
    sys.exit(main())
