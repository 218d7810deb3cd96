"""The data that is timed. Each module has a `WORKLOADS`; the generators are seeded, so that each run times the same."""

import random
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.ways import Functions


@dataclass(frozen=True)
class Workload:
    """`make(size)` is the data; `calls` is how many calls one timing makes, where one call is too short to time."""

    name: str
    make: Callable[[int], Any]
    size: int
    calls: int = 1
    way: type[Functions] = Functions
    variants: bool = False  # also shuffled, shared, in every protocol, and so on: see `cases`
    lowest_protocol: int = 0
    needs: str = ""  # a module that may be missing
    declared: Any = None  # the type that msgspec is told to decode


def word(source: random.Random, length: int = 8) -> str:
    return "".join(source.choices(string.ascii_lowercase, k=length))


def every() -> dict[str, Workload]:
    """All workloads by name, in the order of the tables."""
    from bench.workloads import arrays, containers, hooks, instances, scalars, small

    found = [load for module in (instances, hooks, containers, scalars, arrays, small) for load in module.WORKLOADS]
    return {load.name: load for load in found}
