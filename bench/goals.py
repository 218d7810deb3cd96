"""Holds the figures against goals.toml."""

import statistics
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from bench.run import DUMPS, LOADS, LOADS_OFF, VERBS, Row, ratio
from bench.timing import OURS, THEIRS

MEAN = "geometric mean"


class Verdict(NamedTuple):
    what: str
    figure: float
    goal: float
    met: bool


def table() -> dict[str, dict[str, float]]:
    return tomllib.loads((Path(__file__).parent / "goals.toml").read_text())


def mean(rows: list[Row], verb: str) -> float | None:
    """The geometric mean of the ratios over the workloads; None where there are none."""
    ratios = [found for row in rows if not row["variant"] and (found := ratio(row, verb))]
    return statistics.geometric_mean(ratios) if ratios else None


def judge(rows: list[Row], python: str) -> list[Verdict]:
    """A verdict for each goal that something was measured for."""
    goals = table()
    named = {DUMPS: goals[DUMPS], LOADS: goals[LOADS], LOADS_OFF: goals[LOADS_OFF]}
    if python.startswith("3.11."):
        named[LOADS] = goals["loads, 3.11"]
    by_name = {row["name"]: row for row in rows}
    found: list[Verdict] = []
    for verb, wanted in named.items():
        for name, goal in wanted.items():
            figure = mean(rows, verb) if name == MEAN else ratio(by_name.get(name, {}), verb)
            if figure is not None:
                found.append(Verdict(f"{verb}: {name}", figure, goal, figure >= goal))
    return [*found, *slower(rows, goals["everything"]["at least"]), *memory(rows, goals["memory"])]


def slower(rows: list[Row], goal: float) -> list[Verdict]:
    """Whatever is slower than `_pickle`; or the slowest, where nothing is."""
    every = [
        Verdict(f"{verb}: {row['name']}: nothing slower", figure, goal, figure >= goal)
        for row in rows
        for verb in VERBS
        if (figure := ratio(row, verb))
    ]
    return [one for one in every if not one.met] or sorted(every, key=lambda one: one.figure)[:1]


def memory(rows: list[Row], goals: dict[str, float]) -> list[Verdict]:
    """Each call that drives the peak of memory too far; or the worst, where none does."""
    every = []
    for row in rows:
        if grown := row.get("memory"):
            every.append(limit(row, DUMPS, grown[DUMPS][OURS], row["bytes"], goals["dumps, of the output"], goals))
            every.append(limit(row, LOADS, grown[LOADS][OURS], grown[LOADS][THEIRS], goals["loads, of _pickle's"], goals))
    return [one for one in every if not one.met] or sorted(every, key=lambda one: -one.figure)[:1]


def limit(row: Row, verb: str, grown: float, base: float, goal: float, goals: dict[str, Any]) -> Verdict:
    figure = grown / base if base else float(grown > 0)
    return Verdict(f"peak memory, {verb}: {row['workload']}", figure, goal, grown <= goal * base + goals["slack, bytes"])
