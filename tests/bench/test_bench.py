"""The benchmark itself: its data round-trips, its checks can fail, and it refuses what would flatter us."""

import _pickle
import ctypes
import json
import os
import pathlib
import subprocess
import sys
import types

import pytest

import halfsour
from bench import build, cold, gate, goals, peers, plot, report, run
from bench.cases import Case, choose
from bench.timing import OURS, THEIRS, Budget, Contender, Different, Prepared, clock, race
from bench.workloads import every

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODULES = {OURS: halfsour, THEIRS: _pickle}
CASES = choose([], 5, size=7)
ONCE = Budget(seconds=0.0, fewest=1, most=1)


def runs(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True
    )


@pytest.mark.parametrize("case", [case for case in CASES if not case.cold], ids=lambda case: case.name)
def test_every_case_round_trips_equal_on_both(case: Case) -> None:
    if case.workload.needs:
        pytest.importorskip(case.workload.needs, reason="the benchmark's data needs it")
    prepared = Prepared(case, MODULES)
    for contenders in (prepared.dumpers(), prepared.loaders()):
        for contender in contenders.values():
            contender.before()
            _, result = clock(contender.call, contender.arguments, 1)
            contender.check(result)


def test_the_data_is_the_same_each_time() -> None:
    for workload in every().values():
        if not workload.needs:
            assert _pickle.dumps(workload.make(5), 5) == _pickle.dumps(workload.make(5), 5), workload.name


class Worse:
    """A module that pickles otherwise than `_pickle`, and loads something else."""

    @staticmethod
    def dumps(obj: object, protocol: int) -> bytes:
        return _pickle.dumps([obj], protocol)

    loads = _pickle.loads


def test_other_bytes_are_noticed() -> None:
    (case,) = choose(["ints"], 5, size=5)
    with pytest.raises(Different, match="other bytes"):
        Prepared(case, {**MODULES, OURS: Worse})


@pytest.mark.parametrize("which", ["dumpers", "loaders"])
def test_a_wrong_result_is_noticed_in_every_round(which: str) -> None:
    (case,) = choose(["ints"], 5, size=5)
    contenders: dict[str, Contender] = getattr(Prepared(case, MODULES), which)()
    right, calls = contenders[OURS].call, 0
    wrong: object = "wrong" if which == "dumpers" else _pickle.dumps("wrong")

    def wrong_at_last(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        return right(*arguments) if calls < 3 else right(wrong, *arguments[1:])

    contenders[OURS].call = wrong_at_last
    with pytest.raises(Different):
        race(contenders, 1, Budget(seconds=0.0, fewest=5, most=5))
    assert calls == 3


def test_a_fresh_process_gives_time_and_memory() -> None:
    (case,) = choose(["100 kB blobs"], 5, size=100)
    found = cold.compare(Prepared(case, MODULES), 1)
    for sides in found.values():
        for (call,) in sides.values():
            assert call.seconds > 0
            assert 9_000_000 < call.growth < 90_000_000  # ten megabytes are written, or made


FAULTS = """
import resource, sys
from bench import heap

if sys.argv[1] == "warm":
    heap.warm(64 << 20)
for _ in range(4):  # the first ones may still find room in other places
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    objects, large = [list(range(1000, 500_000)) for _ in range(2)], bytes(10_000_000)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    del objects, large
print(faults)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="only glibc's malloc can be told to keep memory")
def test_a_warm_heap_keeps_its_memory() -> None:
    faults = {name: int(runs("-c", FAULTS, name, PYTHONMALLOC="pymalloc").stdout) for name in ("warm", "fresh")}
    assert faults["fresh"] > 3000  # they have fifty megabytes, in pages of four kilobytes
    assert faults["warm"] < 300


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"CONFIG_ARGS": "'--enable-optimizations' '--with-lto'"}, None),
        ({"PY_CFLAGS_NODIST": "-O3 -fprofile-use -fprofile-correction"}, None),
        ({"PGO_PROF_USE_FLAG": ""}, None),  # as Debian leaves it
        ({"PGO_PROF_USE_FLAG": "-fprofile-use"}, "was built without --enable-optimizations"),
        ({}, "was built without --enable-optimizations"),
    ],
)
def test_what_counts_as_optimised(
    variables: dict[str, str], expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(sys, "gettotalrefcount", raising=False)
    monkeypatch.setattr(build, "sysconfig", types.SimpleNamespace(get_config_var=variables.get))
    assert build.unoptimised() == expected
    monkeypatch.setattr(sys, "gettotalrefcount", int, raising=False)
    assert build.unoptimised() == "is a debug build"


@pytest.mark.parametrize("module", ["bench", "bench.gate"])
def test_unoptimised_interpreters_are_refused(module: str) -> None:
    pretend = "import runpy, sys; from bench import build; build.unoptimised = lambda: 'is slow'; "
    pretend += f"sys.argv = ['bench']; runpy.run_module({module!r}, run_name='__main__')"
    ran = runs("-c", pretend)
    assert ran.returncode == 2
    assert "is slow" in ran.stderr and "PYTHON=" in ran.stderr
    assert ran.stdout == ""


def test_a_run_writes_tables_json_and_plots(tmp_path: pathlib.Path) -> None:
    results = tmp_path / "figures.json"
    names = [option for name in ("one dict", "tree", "tree, cold") for option in ("--only", name)]
    options = ["--quick", "--budget", "0.001", "--unoptimised", "--json", str(results), "--plot", str(tmp_path)]
    ran = runs("-m", "bench", *names, *options)
    assert ran.returncode == 0, ran.stderr
    for words in ("one dict", "geometric mean", "The goals", "Peak memory", "Nothing slower", "marshal"):
        assert words in ran.stdout
    found = json.loads(results.read_text())
    assert [row["name"] for row in found["rows"]] == ["tree", "tree, cold", "one dict"]
    assert {"python", "build", "cpu", "halfsour", "peers"} <= found["environment"].keys()
    assert found["environment"]["heap"] == "warm"
    for theme in plot.THEMES:
        assert "geometric mean" in (tmp_path / f"{theme}.svg").read_text()


def test_a_name_that_is_none_is_told() -> None:
    ran = runs("-m", "bench", "--only", "plane", "--unoptimised")
    assert ran.returncode == 2
    assert "'plane'" in ran.stderr


def test_missing_peers_are_told() -> None:
    fates = dict.fromkeys(peers.NOTES, peers.SAME) | {"dill": peers.ABSENT, "marshal": "cannot: ValueError"}
    told = report.reasons([{"name": "plain", "peers": fates}]).splitlines()
    assert "  dill: absent: not installed." in told
    assert any(line.startswith("  marshal:") and "cannot: ValueError (plain)" in line for line in told)


def test_a_peer_that_cannot_carry_the_data_is_out() -> None:
    (case,) = choose(["plain"], 5, size=5)
    guests = peers.enter(Prepared(case, MODULES))
    assert guests.fates.keys() == peers.NOTES.keys()
    assert guests.fates["marshal"] == "cannot: ValueError"
    assert "marshal" not in guests.dumpers


def row(name: str, dumps: float, loads: float, variant: str = "") -> run.Row:
    """Figures as of a run in which `_pickle` took a second."""
    figures = {run.DUMPS: dumps, run.LOADS: loads, run.LOADS_OFF: loads}
    both = {verb: {THEIRS: {"median": 1.0}, OURS: {"median": 1 / figure}} for verb, figure in figures.items()}
    full = f"{name}, {variant}" if variant else name
    return {"name": full, "workload": name, "variant": variant, "bytes": 1 << 20, **both}


def test_goals_are_held_against_the_figures() -> None:
    rows = [row("plain", 13, 5), row("slots", 13, 5), row("plain", 0.96, 5, "cold")]
    met = {one.what: one.met for one in goals.judge(rows, "3.13.1")}
    assert met["dumps: plain"] and met["loads: plain"] and not met["dumps: slots"]
    assert not {one.what: one.met for one in goals.judge(rows, "3.11.2")}["loads: plain"]
    assert goals.mean(rows, run.DUMPS) == pytest.approx(13)
    assert [one.what for one in goals.slowness(rows) if not one.met] == ["plain, cold: dumps"]
    assert "not met by 1 of 9" in report.failures("Nothing slower", goals.slowness(rows))


def test_memory_is_held_against_output_and_pickle() -> None:
    mebibyte = 1 << 20
    one = {**row("plain", 1, 1), "bytes": 10 * mebibyte}
    for grown, met in ((11, True), (12, False)):
        one["memory"] = {run.DUMPS: {OURS: grown * mebibyte, THEIRS: 0}, run.LOADS: {OURS: 0, THEIRS: 0}}
        assert all(verdict.met for verdict in goals.memory([one])) == met


def test_every_goal_is_for_a_workload() -> None:
    for verb in (run.DUMPS, run.LOADS, "loads, 3.11", run.LOADS_OFF):
        assert goals.table()[verb].keys() <= {goals.MEAN, *every()}


def test_equal_is_not_the_same() -> None:
    name = "a name"
    shared, apart = [[name], [name]], [[name], ["".join(["a ", "name"])]]
    assert _pickle.dumps(shared) != _pickle.dumps(apart)
    assert peers.alike(shared, apart)
    assert not peers.alike([1], [1.0])
    assert not peers.alike([{"a": [1]}], [{"a": [2]}])
    assert not peers.alike((1,), [1])


def test_the_gate_fails_where_the_baseline_was_better() -> None:
    before = {"plain": {"dumps": 0.1, "loads": 0.5}}
    assert gate.worse({"plain": {"dumps": 0.105, "loads": 0.5}}, before) == []
    assert len(gate.worse({"plain": {"dumps": 0.107, "loads": 0.5}}, before)) == 1
    assert gate.worse({"plain": {"dumps": 0.1, "loads": 0.52}}, before) == [
        "plain, loads: 0.5200 of _pickle's instructions, 0.5000 before"
    ]
    small = {"one int": {"dumps": 0.5}}
    assert gate.worse({"one int": {"dumps": 0.53}}, small) == []
    assert len(gate.worse({"one int": {"dumps": 0.54}}, small)) == 1
    assert gate.worse({"slots": {"dumps": 0.1}}, before) == ["slots, dumps: not in the baseline"]


@pytest.mark.kit
@pytest.mark.slow
@pytest.mark.skipif(gate.refusal() is not None, reason=str(gate.refusal()))
def test_the_gate_counts_and_holds_against_a_baseline(tmp_path: pathlib.Path) -> None:
    baseline = tmp_path / "baseline.json"
    command = ("-m", "bench.gate", "--only", "one int", "--baseline", str(baseline))
    assert "UPDATE=1" in runs(*command).stderr
    assert runs(*command, "--update").returncode == 0
    same = runs(*command)
    assert same.returncode == 0, same.stderr
    found = json.loads(baseline.read_text())
    (costs,) = found.values()
    assert 0 < costs["one int"]["dumps"] < 10
    costs["one int"]["dumps"] /= 1.2
    baseline.write_text(json.dumps(found))
    ran = runs(*command)
    assert ran.returncode == 1
    assert "one int, dumps" in ran.stderr
