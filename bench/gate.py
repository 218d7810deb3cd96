"""Counts instructions under callgrind, and fails where halfsour needs more of them than it did.

What is compared is the cost: our instructions in shares of `_pickle`'s, in the same process. baseline.json has the cost
of each workload for each minor version of Python; `--update` writes it. A count is the same whatever else the machine
does, but another compiler or another build of Python moves it a little, hence the tolerance.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import build
from bench.run import DUMPS, LOADS
from bench.timing import OURS, THEIRS

BASELINE = Path(__file__).parent / "baseline.json"
ROOT = Path(__file__).resolve().parents[1]
TOLERANCE = 1.03
TOLERANCE_SMALL = 1.06  # for single small calls: there, how a block is aligned makes 3 % by itself
SLACK = 0.003  # of `_pickle`'s count: three percent of a tiny cost would be a handful of instructions
LAYOUTS = 9  # of memory: see `count`

# Name: size, calls. Small, since callgrind takes fifty times as long.
COUNTED = {
    "plain": (300, 2),
    "plain, file": (1500, 1),  # two frames
    "slots": (300, 2),
    "namedtuple": (300, 2),
    "tree": (300, 2),
    "__getstate__": (200, 2),
    "__reduce__": (200, 2),
    "__getnewargs__": (200, 2),
    "dispatch table": (200, 2),
    "persistent ids": (200, 2),
    "small dicts": (500, 2),
    "nested": (2, 2),
    "ints": (2000, 2),
    "floats": (2000, 2),
    "short strings": (2000, 2),
    "datetimes": (300, 2),
    "one dict": (1, 100),
    "one instance": (1, 100),
    "one int": (1, 100),
}

Costs = dict[str, dict[str, float]]


def counts(name: str) -> dict[str, dict[str, int]]:
    """Instructions for one call, by verb and side."""
    size, calls = COUNTED[name]
    with tempfile.TemporaryDirectory() as folder:
        command = [
            "valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", "--dump-before=getppid",
            sys.executable, "-m", "bench.count", name, str(size), str(calls), str(LAYOUTS),
        ]  # fmt: skip
        # With room at the top of the heap, it never has to be grown or trimmed in what is counted.
        heap = {"MALLOC_TOP_PAD_": str(1 << 26), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)}
        environment = {**os.environ, **heap, "PYTHONHASHSEED": "0"}
        ran = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
        if ran.returncode:
            raise RuntimeError(f"{name} did not run under valgrind:\n{ran.stderr}")
        totals = {}
        for file in Path(folder).glob("out*.[0-9]*"):
            total = re.search(r"^(?:summary|totals): (\d+)", file.read_text(), re.MULTILINE)
            totals[int(file.suffix[1:])] = int(total[1]) if total else 0
    # The first is from the start to the first mark, the second what ran between the first two marks, and so on.
    combinations = [(verb, side) for verb in (DUMPS, LOADS) for side in (OURS, THEIRS)]
    if not set(range(1, 2 * LAYOUTS * len(combinations) + 1)) <= totals.keys():
        raise RuntimeError(f"{name}: callgrind saw only {len(totals)} parts")
    found: dict[str, dict[str, int]] = {DUMPS: {}, LOADS: {}}
    for index, (verb, side) in enumerate(combinations):
        parts = [totals[2 * (index + layout * len(combinations)) + 2] for layout in range(LAYOUTS)]
        # Not the median: a memo searches long in some layouts and not in others, and it would be one or the other.
        found[verb][side] = round(statistics.mean(parts)) // calls
    return found


def costs(counted: dict[str, dict[str, dict[str, int]]]) -> Costs:
    return {
        name: {verb: round(sides[OURS] / sides[THEIRS], 4) for verb, sides in verbs.items()}
        for name, verbs in counted.items()
    }


def tolerance(name: str) -> float:
    return TOLERANCE_SMALL if COUNTED[name][0] == 1 else TOLERANCE


def worse(now: Costs, before: Costs) -> list[str]:
    """A line for each cost that has grown beyond the tolerance, or has nothing to be held against."""
    lines = []
    for name, verbs in now.items():
        for verb, cost in verbs.items():
            old = before.get(name, {}).get(verb)
            if old is None:
                lines.append(f"{name}, {verb}: not in the baseline")
            elif cost > old * tolerance(name) + SLACK:
                lines.append(f"{name}, {verb}: {cost:.4f} of _pickle's instructions, {old:.4f} before")
    return lines


def refusal() -> str | None:
    """Why nothing can be counted here, and what to do about it."""
    if reason := build.unoptimised():
        return f"{sys.executable} {reason}, so its _pickle is no measure. Name an optimised Python with PYTHON=..."
    if not shutil.which("valgrind"):
        return "valgrind is missing. Install it (on Debian and Ubuntu: apt install valgrind)"
    return None


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.gate", description=__doc__)
    parser.add_argument("--update", action="store_true", help="write the counts into the baseline")
    parser.add_argument("--only", action="append", choices=list(COUNTED), help="some workloads; may be repeated")
    parser.add_argument("--baseline", type=Path, default=BASELINE)
    options = parser.parse_args()
    if reason := refusal():
        print(f"bench-gate: {reason}", file=sys.stderr)
        return 2
    baseline: dict[str, Costs] = json.loads(options.baseline.read_text()) if options.baseline.exists() else {}
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    before = baseline.get(minor, {})
    if not before and not options.update:
        print(f"bench-gate: no baseline for Python {minor}; make bench-gate UPDATE=1 makes one", file=sys.stderr)
        return 1
    counted = {}
    print(f"{'instructions a call':23}{'_pickle':>14}{'halfsour':>14}{'cost':>9}{'before':>9}")
    for name in options.only or COUNTED:
        counted[name] = counts(name)
        for verb, sides in counted[name].items():
            cost, old = sides[OURS] / sides[THEIRS], before.get(name, {}).get(verb)
            shown = f"{old:9.4f}" if old else ""
            print(f"{name:18}{verb:5}{sides[THEIRS]:14,}{sides[OURS]:14,}{cost:9.4f}{shown}", flush=True)
    now = costs(counted)
    if options.update:
        baseline[minor] = {**before, **now}
        options.baseline.write_text(json.dumps(dict(sorted(baseline.items())), indent=1) + "\n")
        return 0
    lines = worse(now, before)
    if lines:
        print("bench-gate: slower than the baseline, by instructions:", *lines, sep="\n  ", file=sys.stderr)
        return 1
    better = len(worse({name: before[name] for name in now}, now))
    print(f"bench-gate: nothing is slower than the baseline; {better} figures are better, by more than the tolerance")
    return 0


if __name__ == "__main__":
    sys.exit(main())
