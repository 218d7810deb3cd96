"""Runs the cases and gathers the figures, as plain data: what the JSON file has."""

import importlib.util
import os
import platform
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib.metadata import version
from types import ModuleType
from typing import Any

from bench import build, cold, peers
from bench.cases import Case
from bench.timing import OURS, THEIRS, Budget, Contender, Prepared, race

DUMPS, LOADS, LOADS_OFF = "dumps", "loads", "loads, collector off"
VERBS = (DUMPS, LOADS, LOADS_OFF)
Row = dict[str, Any]


def cpu() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def environment(protocol: int, warm: bool) -> dict[str, Any]:
    return {
        "halfsour": version("halfsour"),
        "python": platform.python_version(),
        "build": build.flags(),
        "unoptimised": build.unoptimised(),
        "compiler": platform.python_compiler(),
        "cpu": cpu(),
        "system": platform.platform(),
        "generic": os.environ.get("HALFSOUR_GENERIC") == "1",
        "protocol": protocol,
        "heap": "warm" if warm else "fresh",
        "date": time.strftime("%Y-%m-%d"),
        "peers": {name: peers.version(name) for name in peers.NOTES},
    }


def figures(contenders: dict[str, Contender]) -> dict[str, Any]:
    return {
        name: {"median": one.median, "least": min(one.figures), "rounds": len(one.figures)}
        for name, one in contenders.items()
    }


def measure(case: Case, modules: dict[str, ModuleType], budget: Budget, with_peers: bool, fresh: int) -> Row:
    """All figures of one case, in seconds for one call, and in bytes."""
    row: Row = {"name": case.name, "workload": case.workload.name, "variant": case.variant, "protocol": case.protocol}
    if case.workload.needs and not importlib.util.find_spec(case.workload.needs):
        return {**row, "absent": f"{case.workload.needs} is not installed"}
    prepared = Prepared(case, modules)
    row["bytes"] = len(prepared.expected)
    if case.cold:
        found = cold.compare(prepared, fresh)
        for verb, sides in found.items():
            row[verb] = {
                side: {"median": cold.median(calls, "seconds"), "least": min(call.seconds for call in calls),
                       "rounds": len(calls)}
                for side, calls in sides.items()
            }
        row["memory"] = {
            verb: {side: cold.median(calls, "growth") for side, calls in sides.items()} for verb, sides in found.items()
        }
        return row
    dumpers, loaders = prepared.dumpers(), prepared.loaders()
    if with_peers and not case.variant:
        guests = peers.enter(prepared)
        dumpers |= guests.dumpers
        loaders |= guests.loaders
        row["peers"] = guests.fates
        del guests
    race(dumpers, case.workload.calls, budget)
    row[DUMPS] = figures(dumpers)
    del dumpers  # and so the data, which a program has not that loads it
    prepared.data = None
    race(loaders, case.workload.calls, budget)
    row[LOADS] = figures(loaders)
    for loader in loaders.values():
        loader.reset()
    hosts = {name: loaders[name] for name in (OURS, THEIRS)}
    race(hosts, case.workload.calls, budget, collector=False)
    row[LOADS_OFF] = figures(hosts)
    return row


def run(cases: Iterable[Case], full: Budget, with_peers: bool, fresh: int) -> Iterator[Row]:
    import _pickle

    import halfsour

    modules: dict[str, ModuleType] = {OURS: halfsour, THEIRS: _pickle}
    for case in cases:
        budget = replace(full, seconds=full.seconds / 3) if case.variant else full
        yield measure(case, modules, budget, with_peers, fresh)


def ratio(row: Row, verb: str, name: str = OURS) -> float | None:
    """How many times faster than `_pickle`; None where it was not measured."""
    if verb not in row or name not in row[verb]:
        return None
    return float(row[verb][THEIRS]["median"] / row[verb][name]["median"])


