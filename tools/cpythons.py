"""Finds the CPythons on this machine that halfsour supports: one line each, the version and the executable.

    python tools/cpythons.py [--all] [--debug] [--optimised] [--fetch]

Of each minor version it names one, with the standard library's test suite where one has it, and then the newest;
--all names every one that differs, --optimised only those that are fit to be timed against (bench/build.py decides).
HALFSOUR_PYTHONS (executables, separated as in PATH) replaces the search.
"""

import argparse
import glob
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

MINORS = [(3, minor) for minor in range(11, 16)]
PROBE = """
import importlib.util, json, sys
debug, free_threaded = hasattr(sys, "gettotalrefcount"), "t" in sys.abiflags
has_tests = importlib.util.find_spec("test") is not None and importlib.util.find_spec("test.test_pickle") is not None
if sys.implementation.name == "cpython" and not free_threaded:
    print(json.dumps([sys.version_info[:3], has_tests, debug]))
"""


class Interpreter(NamedTuple):
    version: tuple[int, int, int]
    has_tests: bool
    debug: bool
    executable: str

    @property
    def name(self) -> str:
        return ".".join(map(str, self.version)) + ("-debug" if self.debug else "")


def probe(executable: str) -> Interpreter | None:
    """What the interpreter says of itself; None where it does not run, or is none of ours."""
    try:
        run = subprocess.run([executable, "-I", "-c", PROBE], capture_output=True, text=True, timeout=60)
        version, has_tests, debug = json.loads(run.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return Interpreter(tuple(version), has_tests, debug, executable)


def candidates() -> Iterable[str]:
    named = os.environ.get("HALFSOUR_PYTHONS")
    if named:
        yield from named.split(os.pathsep)
        return
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT", home / ".pyenv"))
    yield from glob.glob(f"{pyenv}/versions/3.*/bin/python3")
    folders = [str(home / ".cache/cpythons/bin"), *os.environ.get("PATH", "").split(os.pathsep)]
    for folder in folders:
        if folder != str(pyenv / "shims"):
            names = [f"python3.{minor}{end}" for _, minor in MINORS for end in ("", "-dbg")]
            yield from (path for name in names if os.access(path := f"{folder}/{name}", os.X_OK))


def is_optimised(found: Interpreter) -> bool:
    script = Path(__file__).resolve().parents[1] / "bench/build.py"
    return subprocess.run([found.executable, "-I", script], stderr=subprocess.DEVNULL).returncode == 0


def find(every: bool = False, debug: bool = False, optimised: bool = False) -> list[Interpreter]:
    with ThreadPoolExecutor() as pool:
        probed = [found for found in pool.map(probe, dict.fromkeys(candidates())) if found]
    usable = [found for found in probed if found.version[:2] in MINORS and found.debug == debug]
    if optimised:
        usable = [found for found in usable if is_optimised(found)]
    best = sorted(usable, key=lambda found: (found.has_tests, found.version), reverse=True)
    keep = {found.version if every else found.version[:2]: found for found in reversed(best)}
    return sorted(keep.values())


def fetch() -> None:
    """Lets the folder that stands beside this checkout unpack its builds, where there is one."""
    script = Path(__file__).resolve().parents[2] / "shared/pythons/fetch"
    if script.exists():
        subprocess.run(["bash", str(script)], check=True, stdout=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="every interpreter, not one of each minor version")
    parser.add_argument("--debug", action="store_true", help="the debug builds instead of the others")
    parser.add_argument("--optimised", action="store_true", help="only those that are fit to be timed against")
    parser.add_argument("--fetch", action="store_true", help="let ../shared/pythons/fetch unpack its builds first")
    options = parser.parse_args()
    if options.fetch:
        fetch()
    for found in find(options.all, options.debug, options.optimised):
        print(found.name, found.executable)


if __name__ == "__main__":
    main()
