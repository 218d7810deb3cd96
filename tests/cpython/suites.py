"""Runs CPython's own tests with our extension in the place of the interpreter's `_pickle`.

    python tests/cpython/suites.py --python python3.14 --extension python/halfsour/_pickle.cpython-314-*.so
    python tests/cpython/suites.py --python python3.15-dbg --extension ... --leaks

The tests are those that the interpreter brought along. Every module that tests pickle itself runs twice, each time in a
process of its own: as it is, and swapped; of those that merely use it the first run is left out where the second has no
failure. A test that passes as it is has to pass swapped; expected.toml lists what may differ, and why.
"""

import argparse
import fnmatch
import glob
import hashlib
import json
import os
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build/cpython"
TIMEOUT = 1200

# What tests pickle itself, and what merely uses it.
PICKLE = "test_pickle test_picklebuffer test_pickletools test_copyreg test_copy test_inspect test_pydoc".split()
USERS = """test_concurrent_futures test_logging test_zoneinfo test_datetime test_collections test_enum test_dataclasses
    test_decimal test_fractions test_uuid test_shelve""".split()
ONLY = {"test_concurrent_futures": ["--match", "*ProcessPool*"]}

PROBE = """
import importlib.util, json, sys
import _pickle, pickle
print(json.dumps({
    "version": sys.version,
    "file": getattr(_pickle, "__file__", None),
    "used": pickle.Pickler is _pickle.Pickler and pickle.loads is _pickle.loads,
    "missing": [name for name in sys.argv[1:] if importlib.util.find_spec("test." + name) is None],
}))
"""


class Failure(Exception):
    """Something that leaves nothing to compare."""


class Run(NamedTuple):
    """How the tests of one module ended: by name, one of passed, skipped, failed."""

    outcomes: dict[str, str]
    returncode: int
    log: Path

    def count(self, outcome: str) -> int:
        return Counter(self.outcomes.values())[outcome]


class Expected(NamedTuple):
    """A test that may fail when swapped; the pattern is that of fnmatch."""

    test: str
    reason: str


def environment(extension: Path | None, log: Path | None = None) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HALFSOUR", "PYTEST"))}
    env.pop("VIRTUAL_ENV", None)
    if extension:
        env |= {"PYTHONPATH": str(HERE / "swap"), "HALFSOUR_SWAP": str(extension)}
        if log:
            env["HALFSOUR_SWAP_LOG"] = str(log)
    return env


def probe(python: str, extension: Path | None, modules: Iterable[str]) -> tuple[str, list[str]]:
    """The interpreter's version and the modules that it lacks, having seen that the swap takes effect."""
    command = [python, "-c", PROBE, *modules]
    done = subprocess.run(command, env=environment(extension), capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise Failure(f"{python}{' swapped' if extension else ''} ends with {done.returncode} at once:\n{done.stderr}")
    told = json.loads(done.stdout)
    if extension and not (told["file"] and Path(told["file"]).samefile(extension)):
        raise Failure(f"the swap did not take effect: _pickle is {told['file'] or 'the built-in one'}")
    if not told["used"]:
        raise Failure("pickle does not use _pickle")
    return told["version"], told["missing"]


def parse(report: Path) -> dict[str, str]:
    """The outcomes in a report of regrtest's. A test whose subtest fails is in it without its name, so not here."""
    outcomes = {}
    for case in ET.parse(report).iter("testcase"):
        name = case.get("name")
        if name is None:
            continue
        if case.find("failure") is not None or case.find("error") is not None or case.get("outcome"):
            outcomes[name] = "failed"
        elif case.find("skipped") is not None:
            outcomes.setdefault(name, "skipped")
        else:
            outcomes.setdefault(name, "passed")
    return outcomes


def run(python: str, module: str, extension: Path | None, folder: Path) -> Run:
    """Runs one module of tests, swapped if an extension is given."""
    folder.mkdir(parents=True, exist_ok=True)
    log, report, swaps = (folder / f"{module}.{end}" for end in ("log", "xml", "swaps"))
    for old in (report, swaps):
        old.unlink(missing_ok=True)
    command = [python, "-m", "test", "--fail-env-changed", "--junit-xml", str(report), *ONLY.get(module, []), module]
    with log.open("w") as out:
        try:
            env = environment(extension, swaps)
            returncode = subprocess.run(
                command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=TIMEOUT
            ).returncode
        except subprocess.TimeoutExpired:
            returncode = -1
            out.write(f"\nended after {TIMEOUT} s\n")
    if extension and module != "test_copy" and not swaps.exists():  # test_copy alone does without pickle
        raise Failure(f"{module} did not import the swapped _pickle, see {log}")
    return Run(parse(report) if report.exists() else {}, returncode, log)


def baseline(python: str, module: str, folder: Path) -> Run:
    """The same for the interpreter as it is; kept, so that only the first run on an interpreter pays for it."""
    kept = folder / f"{module}.json"
    if kept.exists():
        outcomes, returncode = json.loads(kept.read_text())
        return Run(outcomes, returncode, folder / f"{module}.log")
    fresh = run(python, module, None, folder)
    if not fresh.outcomes:
        raise Failure(f"{module} does not run on the interpreter as it is, see {fresh.log}")
    kept.write_text(json.dumps([fresh.outcomes, fresh.returncode]))
    return fresh


def compare(stock: Run, swapped: Run, expected: Iterable[Expected]) -> tuple[list[str], list[str]]:
    """What passes or is skipped on the stock interpreter and does otherwise when swapped; and what was expected to."""
    found, excused = [], []
    for name in sorted(stock.outcomes.keys() | swapped.outcomes.keys()):
        before, after = stock.outcomes.get(name, "absent"), swapped.outcomes.get(name, "absent")
        known = [item for item in expected if fnmatch.fnmatchcase(name, item.test)]
        if known and after == "passed":
            found.append(f"{name} passes: expected.toml must not list it")
        elif before == after or before == "failed" or (before, after) == ("absent", "passed"):
            continue
        elif known and after == "failed":
            excused.append(name)
        else:
            found.append(f"{name}: {before} with the interpreter's own _pickle, {after} with ours")
    if not found and not excused and swapped.returncode and not stock.returncode:
        found.append(f"no test differs, but the run ended with {swapped.returncode}")
    return found, excused


def read_expected() -> list[Expected]:
    with (HERE / "expected.toml").open("rb") as file:
        return [Expected(item["test"], item["reason"]) for item in tomllib.load(file)["expected"]]


def check(python: str, extension: Path, modules: list[str], jobs: int) -> bool:
    version, missing = probe(python, None, modules)
    probe(python, extension, [])
    short = version.split()[0]
    present = [module for module in modules if module not in missing]
    if "test_pickle" in missing:
        raise Failure(f"{python} ({short}) has no test suite: take a CPython that was built from source")
    for module in missing:
        print(f"{short} {module}: this interpreter came without it")
    expected = read_expected()
    key = hashlib.sha256(f"{os.path.abspath(python)} {version}".encode()).hexdigest()[:8]
    folder = BUILD / f"{short}-{key}"

    def both(module: str) -> tuple[Run, Run]:
        swapped = run(python, module, extension, folder / "swapped")
        if module in USERS and swapped.returncode == 0 and swapped.count("passed"):
            return swapped, swapped  # these take long, and a run without a failure leaves nothing to compare
        return baseline(python, module, folder / "stock"), swapped

    totals: Counter[str] = Counter()
    with ThreadPoolExecutor(jobs) as pool:
        # What takes longest starts first.
        order = sorted(present, key=[*USERS, *PICKLE].index)
        for module, (stock, swapped) in zip(order, pool.map(both, order), strict=True):
            differences, excused = compare(stock, swapped, expected)
            totals += Counter(passed=swapped.count("passed"), failed=len(differences), skipped=swapped.count("skipped"))
            notes = [f"{swapped.count('passed')} passed", f"{swapped.count('skipped')} skipped"]
            notes += [f"{len(excused)} expected to fail"] * bool(excused)
            notes += [f"{stock.count('failed')} failing on the interpreter's own"] * bool(stock.count("failed"))
            print(f"{short} {module}: {', '.join(notes)}")
            for difference in differences:
                print(f"    {difference}")
            if differences:
                print(f"    see {swapped.log}", flush=True)
    print(f"{totals['passed']} passed, {totals['failed']} failed, {totals['skipped']} skipped", flush=True)
    return not totals["failed"]


def check_leaks(python: str, extension: Path) -> bool:
    """The reference leak hunt, which needs a debug build: each test of test_pickle six times, counting references."""
    version, _ = probe(python, extension, [])
    ignored = [word for item in read_expected() for word in ("--ignore", item.test)]
    command = [python, "-X", "dev", str(HERE / "hunt.py"), "-R", "3:3", *ignored, "test_pickle"]
    env = environment(extension) | {"PYTHONMALLOC": "debug"}
    print(version.split()[0], *command[1:], flush=True)
    return subprocess.run(command, env=env, stdin=subprocess.DEVNULL, timeout=3 * TIMEOUT).returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True, help="the interpreter, not that of a virtual environment")
    parser.add_argument("--extension", required=True, help="the built _pickle.*.so; a pattern, if one file fits it")
    parser.add_argument("--leaks", action="store_true", help="the reference leak hunt; needs a debug build")
    parser.add_argument("--jobs", type=int, default=2, help="how many modules run at a time (default: 2)")
    parser.add_argument("modules", nargs="*", help="modules of tests, by default all that concern pickle")
    options = parser.parse_args()
    files = glob.glob(options.extension)
    try:
        if len(files) != 1:
            raise Failure(f"one extension is wanted, {options.extension} fits {len(files)}")
        extension = Path(files[0]).resolve()
        if options.leaks:
            passed = check_leaks(options.python, extension)
        else:
            passed = check(options.python, extension, options.modules or [*PICKLE, *USERS], options.jobs)
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
