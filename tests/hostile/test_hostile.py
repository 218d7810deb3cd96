"""Broken and odd pickles: the module under test must do what `_pickle` does, and never crash, hang or hog."""

import json
import os
import pathlib
import subprocess
import sys
import types

import bombs
import grammar
import modules
import pytest
import worker

HERE = pathlib.Path(__file__).parent


def loaded(source, count, *arguments, **environment):
    return subprocess.run([sys.executable, str(HERE / "run.py"), "--source", source, "--count", str(count), *arguments],
                          capture_output=True, text=True, env=dict(os.environ, **environment))


@pytest.mark.parametrize(("source", "count"), [("mutations", 10_000), ("grammar", 5000)])
def test_pickles(source, count):
    run = loaded(source, count, "--seed", "0", "--messages")
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("source", "count"), [("mutations", 40_000), ("grammar", 30_000)])
def test_many_pickles(source, count):
    """.ci/run does this on five versions, with the pickles of all of them: 350,000 in all, no two the same."""
    run = loaded(source, count, "--seed", str(sys.version_info.minor), "--messages")
    assert run.returncode == 0, run.stdout + run.stderr


# Promises that a stream does not keep.

def bombed(**environment):
    """"way: name" -> what came of it, until something killed the process."""
    run = subprocess.run([sys.executable, "-X", "faulthandler", str(HERE / "bombs.py")], capture_output=True, text=True,
                         env=dict(os.environ, **environment), timeout=300)
    found, last = {}, None
    for line in run.stdout.splitlines():
        event = json.loads(line)
        last = event.get("begun", last)
        if "case" in event:
            found[event["case"]] = event["error"]
    if run.returncode:
        found[last] = f"exit status {run.returncode}: {run.stderr[-1000:]}"
    return found


@pytest.fixture(scope="module")
def results():
    return bombed()


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="the limit is set from what Linux says of memory")
@pytest.mark.parametrize("way", bombs.WAYS)
@pytest.mark.parametrize(("name", "allowed"), [(name, allowed) for name, _, allowed in bombs.bombs()])
def test_bomb(way, name, allowed, results):
    assert results.get(f"{way}: {name}", "never reached") in allowed


# The kit itself: it must be able to fail.

@pytest.mark.kit
@pytest.mark.parametrize(("source", "count"), [("mutations", 3000), ("grammar", 1000)])
def test_the_interpreters_own_pickle_does_not_differ_from_itself(source, count):
    """Its memory is another matter on older versions, so what it hogs there is left aside."""
    run = loaded(source, count, HALFSOUR_UNDER_TEST="pickle")
    kinds = {line.split()[2] for line in run.stdout.splitlines() if line.strip().split()[1:2] == ["x"]}
    assert kinds <= {"('memory',"}, run.stdout + run.stderr


@pytest.mark.kit
@pytest.mark.parametrize(("impostor", "kind"), [
    ("python", "class"), ("forgets-sharing", "graph"), ("crash", "crash"), ("hang", "hang"), ("memory", "memory")])
def test_an_impostor_is_found_out(impostor, kind):
    run = loaded("mutations", {"hang": 60, "graph": 5000}.get(kind, 400), HALFSOUR_UNDER_TEST=impostor,
                 HALFSOUR_PATIENCE="2")
    assert run.returncode == 1, run.stdout + run.stderr
    assert f"('{kind}', " in run.stdout, run.stdout


@pytest.mark.kit
@pytest.mark.parametrize(("impostor", "kind"), [("python", "class"), ("forgets-sharing", "graph")])
def test_an_impostor_is_found_out_by_the_grammar(impostor, kind):
    run = loaded("grammar", 400, HALFSOUR_UNDER_TEST=impostor)
    assert run.returncode == 1, run.stdout + run.stderr
    assert f"('{kind}', " in run.stdout, run.stdout


def test_calls_of_hooks_are_compared():
    def loads(data, **options):
        modules.stock.loads(data, **options)
        return modules.stock.loads(data, **options)

    case = grammar.Case(0, 0)
    case.data, case.reader = b"\x80\4ctelltale\nSetState\n)\x81Nb.", "loads"
    stock, twice = (worker.load(module, case) for module in (modules.stock, types.SimpleNamespace(loads=loads)))
    assert worker.compare(stock, stock) is None
    assert worker.compare(stock, twice)[0] == "log"
