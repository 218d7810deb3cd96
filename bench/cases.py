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


def held(data: Any) -> Any:
    """Every object once, but something else refers to it too, so that its reference count tells nothing."""
    kept.append(list(data) if isinstance(data, list) else data)
    return data


def variants(case: Case) -> Iterator[Case]:
    workload = case.workload
    if workload.calls == 1:
        yield replace(case, variant="cold", cold=True)
        if workload.name != "tree":  # there its shape is what it is about
            yield replace(case, variant="shuffled", arrange=shuffled)
            yield replace(case, variant="shared", arrange=shared)
            yield replace(case, variant="held", arrange=held)
    for protocol in range(workload.lowest_protocol, 6):
        if protocol != case.protocol:
            yield replace(case, variant=f"protocol {protocol}", protocol=protocol)
    for way in (Files, Subclasses):
        yield replace(case, variant=way.name, way=way)


def choose(patterns: list[str], protocol: int, quick: bool) -> list[Case]:
    """The cases that are asked for: `plain` is the workload, `plain,*` its variants, and no pattern is everything."""
    found = []
    for workload in every().values():
        size = workload.size if not quick or workload.calls > 1 else max(1, workload.size // 10)
        case = Case(workload, max(protocol, workload.lowest_protocol), workload.way, size)
        found += [case, *(variants(case) if workload.variants else ())]
    if not patterns:
        return found
    wanted = [case for case in found if any(fnmatch.fnmatchcase(case.name, pattern) for pattern in patterns)]
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(case.name, pattern) for case in wanted):
            raise LookupError(f"nothing is called {pattern!r}; there are: {', '.join(every())}")
    return wanted
