"""The runner for CPython's own tests: it swaps, it notices where the swap fails, and it tells what differs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import suites
from suites import Expected, Failure, Run

import halfsour._pickle

EXTENSION = Path(halfsour._pickle.__file__)
LOG = Path("a.log")


def python(script, *options, extension=EXTENSION):
    done = subprocess.run(
        [sys.executable, *options, "-c", script], env=suites.environment(extension), capture_output=True, text=True
    )
    return done.returncode, done.stdout.strip(), done.stderr


def test_the_swap():
    assert suites.probe(sys.executable, EXTENSION, [])[0] == sys.version


def test_a_swap_that_does_not_take_effect():
    with pytest.raises(Failure, match="HALFSOUR_SWAP names no file"):
        suites.probe(sys.executable, EXTENSION.with_name("missing.so"), [])


def test_a_swap_that_cannot_be_loaded(tmp_path):
    broken = tmp_path / EXTENSION.name
    broken.write_bytes(b"not a library")
    with pytest.raises(Failure):
        suites.probe(sys.executable, broken, [])


def test_without_a_file_there_is_no_swap():
    script = "import _pickle; print(getattr(_pickle, '__file__', None))"
    assert python(script)[1] == str(EXTENSION)
    assert python(script, extension=None)[1] != str(EXTENSION)


def test_swapped_it_looks_like_the_original():
    script = """
import _pickle, gc, io, pickle
print(sorted(name for name in dir(_pickle) if not name.startswith("_")))
print(_pickle.Pickler, _pickle.Unpickler, _pickle.PicklingError, _pickle.dumps.__module__)
print(type(_pickle.Pickler(io.BytesIO()).memo), type(_pickle.Unpickler(io.BytesIO()).memo))
print(pickle.Pickler is _pickle.Pickler, pickle.loads(pickle.dumps(_pickle.Pickler)) is _pickle.Pickler)
"""
    swapped, stock = python(script), python(script, extension=None)
    assert swapped[0] == 0
    assert swapped == stock


def test_a_module_that_is_imported_too_early(tmp_path):
    # A .pth file is read before sitecustomize; here another sitecustomize plays its part.
    (tmp_path / "sitecustomize.py").write_text(
        f"import _pickle, runpy; runpy.run_path({str(suites.HERE / 'swap/sitecustomize.py')!r})"
    )
    env = suites.environment(EXTENSION) | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", "print(1)"], env=env, capture_output=True, text=True)
    assert done.returncode != 0
    assert "imported before sitecustomize" in done.stderr


def test_the_sitecustomize_that_ours_hides_still_runs(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("print('chained')")
    env = suites.environment(EXTENSION)
    env["PYTHONPATH"] += os.pathsep + str(tmp_path)
    done = subprocess.run([sys.executable, "-c", "pass"], env=env, capture_output=True, text=True)
    assert done.stdout == "chained\n"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_process_pools_on_the_swapped_extension(method, tmp_path):
    # Not every interpreter brings test_concurrent_futures along, so a small pool runs here.
    script = tmp_path / "pool.py"
    script.write_text(f"""
import multiprocessing, _pickle
from concurrent.futures import ProcessPoolExecutor

class Point:
    def __init__(self, x):
        self.x = x

def double(point):
    return Point(point.x * 2), _pickle.__file__

def fail(point):
    raise ValueError(point.x)

if __name__ == "__main__":
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context({method!r})) as pool:
        for point, file in pool.map(double, map(Point, range(50))):
            print(point.x, file)
        print(repr(pool.submit(fail, Point(3)).exception()))
        print(type(pool.submit(double, lambda: None).exception()).__name__)
""")
    done = subprocess.run(
        [sys.executable, script], env=suites.environment(EXTENSION), capture_output=True, text=True, timeout=120
    )
    *points, error, unpicklable = done.stdout.splitlines()
    assert points == [f"{2 * x} {EXTENSION}" for x in range(50)]
    assert error == "ValueError(3)"
    assert unpicklable in ("PicklingError", "AttributeError")


def ran(outcomes, returncode=0):
    return Run(outcomes, returncode, LOG)


def test_nothing_differs():
    outcomes = {"a": "passed", "b": "skipped", "c": "failed"}
    assert suites.compare(ran(outcomes, 2), ran(outcomes, 2), []) == ([], [])


@pytest.mark.parametrize("before", ["passed", "skipped"])
@pytest.mark.parametrize("after", ["failed", "absent", "passed", "skipped"])
def test_every_difference_is_told(before, after):
    swapped = {} if after == "absent" else {"a": after}
    found, excused = suites.compare(ran({"a": before}), ran(swapped), [])
    assert len(found) == (before != after)
    assert not excused


def test_a_new_failure_and_a_bad_end_are_told():
    assert suites.compare(ran({}), ran({"a": "failed"}), [])[0]
    assert suites.compare(ran({"a": "passed"}), ran({"a": "passed"}, 3), [])[0]
    assert not suites.compare(ran({"a": "failed"}, 2), ran({"a": "passed"}), [])[0]


def test_expected_failures():
    expected = [Expected("*.Sizes.*", "reason")]
    stock = ran({"m.Sizes.a": "passed", "m.B.b": "passed"})
    assert suites.compare(stock, ran({"m.Sizes.a": "failed", "m.B.b": "passed"}, 2), expected) == ([], ["m.Sizes.a"])
    # One that passes must not be listed, and one that vanishes was not expected to.
    assert len(suites.compare(stock, stock, expected)[0]) == 1
    assert len(suites.compare(stock, ran({"m.B.b": "passed"}, 2), expected)[0]) == 1


def test_reports(tmp_path):
    report = tmp_path / "report.xml"
    report.write_text("""<testsuites><testsuite>
        <testcase name="a" status="run" result="completed"/>
        <testcase name="b"><skipped>why</skipped></testcase>
        <testcase name="c"><failure>text</failure></testcase>
        <testcase name="d"><error>text</error></testcase>
        <testcase name="e" outcome="UNEXPECTED_SUCCESS"/>
        <testcase name="f"><output>an expected failure</output></testcase>
        <testcase/>
    </testsuite></testsuites>""")
    ended = {"a": "passed", "b": "skipped", "c": "failed", "d": "failed", "e": "failed", "f": "passed"}
    assert suites.parse(report) == ended


def test_only_private_sizes_are_expected_to_fail():
    assert all(item.test.startswith("test.test_pickle.SizeofTests.") and item.reason for item in suites.read_expected())
