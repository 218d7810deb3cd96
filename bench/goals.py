"""Holds the figures against goals.toml."""

import statistics
import tomllib
from pathlib import Path
from typing import NamedTuple

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
    return found


def slowness(rows: list[Row]) -> list[Verdict]:
    """Every figure, the slowest first, against the goal that nothing is slower than `_pickle`."""
    goal = table()["everything"]["at least"]
    found = [
        Verdict(f"{row['name']}: {verb}", figure, goal, figure >= goal)
        for row in rows
        for verb in VERBS
        if (figure := ratio(row, verb))
    ]
    return sorted(found, key=lambda one: one.figure)


def memory(rows: list[Row]) -> list[Verdict]:
    """How far each call drives the peak of memory, in shares of what it may be measured by, the worst first."""
    goals = table()["memory"]
    found = []
    for row in rows:
        for verb, sides in row.get("memory", {}).items():
            base, goal = (row["bytes"], goals["dumps"]) if verb == DUMPS else (sides[THEIRS], goals["loads"])
            grown = sides[OURS]
            met = grown <= goal * base + goals["slack, bytes"]
            found.append(Verdict(f"{row['workload']}: {verb}", grown / max(base, 1), goal, met))
    return sorted(found, key=lambda one: (one.met, -one.figure))
