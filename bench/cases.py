"""What is timed: each workload, and its variants."""

import fnmatch
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from bench.ways import Files, Functions, Subclasses
from bench.workloads import Workload, every


@dataclass(frozen=True)
class Case:
    workload: Workload
    protocol: int
    way: type[Functions]
    size: int
    variant: str = ""
    arrange: Callable[[Any], Any] | None = None
    cold: bool = False  # the first call of a fresh process

    @cached_property
    def name(self) -> str:
        return f"{self.workload.name}, {self.variant}" if self.variant else self.workload.name

    def make(self) -> Any:
        """The data; what `arrange` must keep alive beside it is in `kept` until the next one is made."""
        kept.clear()
        data = self.workload.make(self.size)
        return self.arrange(data) if self.arrange else data


kept: list[Any] = []


def shuffled(data: list[Any]) -> list[Any]:
    """Neighbours in the list are far apart in memory, and what is allocated next falls into holes."""
    source = random.Random(51)
    junk: list[Any] = [bytes(source.randrange(200)) for _ in range(2 * len(data))]
    source.shuffle(junk)
    kept.append(junk[len(data) :])
    data = list(data)
    source.shuffle(data)
    return data


def shared(data: list[Any]) -> list[Any]:
    """Every object twice."""
    return data + data


def held(data: list[Any]) -> list[Any]:
    """Every object once, but something else refers to it too, so that its reference count tells nothing."""
    kept.append(list(data))
    return data


def variants(case: Case) -> Iterator[Case]:
    workload = case.workload
    if workload.calls == 1:
        yield replace(case, variant="cold", cold=True)
    if not workload.variants:
        return
    if workload.calls == 1 and workload.name != "tree":  # a tree is no list, and has all its nodes shared
        for arrange in (shuffled, shared, held):
            yield replace(case, variant=arrange.__name__, arrange=arrange)
    for protocol in range(workload.lowest_protocol, 6):
        if protocol != case.protocol:
            yield replace(case, variant=f"protocol {protocol}", protocol=protocol)
    for way in (Files, Subclasses):
        yield replace(case, variant=way.name, way=way)


def choose(patterns: list[str], protocol: int, share: float = 1.0, size: int | None = None) -> list[Case]:
    """The cases that are asked for: `plain` is the workload, `plain,*` its variants, and no pattern is everything.

    They have a share of their full size, or the size that is given.
    """
    found = []
    for workload in every().values():
        full = size or (max(1, int(workload.size * share)) if workload.calls == 1 else workload.size)
        case = Case(workload, max(protocol, workload.lowest_protocol), workload.way, full)
        found += [case, *variants(case)]
    if not patterns:
        return found
    wanted = [case for case in found if any(fnmatch.fnmatchcase(case.name, pattern) for pattern in patterns)]
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(case.name, pattern) for case in wanted):
            raise LookupError(f"nothing is called {pattern!r}; there are: {', '.join(every())}")
    return wanted
