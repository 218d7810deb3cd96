"""Times contenders in turn, in this process, and holds every timed round to the right bytes.

The clock is the thread's CPU time. Before each timing the collector has just run, and what the last one made is freed.
Only small calls are timed by the many, and free what they make themselves.
"""

import gc
import itertools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bench.cases import Case

OURS, THEIRS = "halfsour", "_pickle"


class Different(AssertionError):
    """A timed call gave another result than `_pickle`'s."""


@dataclass(frozen=True)
class Budget:
    """How long one figure may take, checks and all, and how many rounds it must and may have.

    Where the two are about as fast as each other, noise could decide, so such a figure has three times as long.
    """

    seconds: float = 2.0
    fewest: int = 5
    most: int = 101


@dataclass
class Contender:
    call: Callable[..., Any]
    arguments: tuple[Any, ...]
    before: Callable[[], None]
    check: Callable[[Any], None]
    figures: list[float] = field(default_factory=list)
    spent: float = 0.0

    @property
    def median(self) -> float:
        """Seconds for one call."""
        return statistics.median(self.figures)

    def reset(self) -> None:
        self.figures, self.spent = [], 0.0


def clock(call: Callable[..., Any], arguments: tuple[Any, ...], calls: int) -> tuple[float, Any]:
    """Seconds for one call, and its result, or that of the last."""
    result = None
    if calls == 1:
        start = time.thread_time()
        result = call(*arguments)
        return time.thread_time() - start, result
    if len(arguments) == 2:
        first, second = arguments
        start = time.thread_time()
        for _ in itertools.repeat(None, calls):
            result = call(first, second)
        return (time.thread_time() - start) / calls, result
    (first,) = arguments
    start = time.thread_time()
    for _ in itertools.repeat(None, calls):
        result = call(first)
    return (time.thread_time() - start) / calls, result


def race(contenders: dict[str, Contender], calls: int, budget: Budget, collector: bool = True) -> None:
    """Round after round, each in turn, the order reversed each time. Guests have a quarter of the hosts' time."""
    hosts = [contenders[name] for name in (OURS, THEIRS)]
    order = list(contenders.values())
    for number in range(budget.most):
        if number >= budget.fewest:
            close = 0.9 < hosts[1].median / hosts[0].median < 1.05
            if sum(host.spent for host in hosts) > budget.seconds * (3 if close else 1):
                break
        for contender in order if number % 2 else reversed(order):
            if contender not in hosts and number >= 3 and contender.spent > budget.seconds / 4:
                continue
            began = time.perf_counter()
            contender.before()
            gc.collect()
            if not collector:
                gc.disable()
            try:
                figure, result = clock(contender.call, contender.arguments, calls)
            finally:
                gc.enable()
            contender.check(result)
            del result
            contender.figures.append(figure)
            contender.spent += time.perf_counter() - began


@dataclass
class Prepared:
    """A case with its data, and what `_pickle` makes of it."""

    case: Case
    modules: dict[str, Any]

    def __post_init__(self) -> None:
        self.data = self.case.make()
        self.ways = {name: self.case.way(module) for name, module in self.modules.items()}
        self.dumped: dict[str, Any] = {}
        written: dict[str, bytes] = {}
        for name, way in self.ways.items():
            way.before_dump()
            self.dumped[name] = way.dump(self.data, self.case.protocol)
            written[name] = way.written(self.dumped[name])
            way.ready(self.case.workload.calls)
        self.expected = written[THEIRS]
        self.check_bytes(written[OURS])
        # A loaded set may have another order than the first one had, so the measure is what `_pickle` makes of its own.
        theirs = self.ways[THEIRS]
        theirs.before_load()
        self.reloaded = self.again(theirs.load(self.dumped[THEIRS]))

    def again(self, loaded: Any) -> bytes:
        """What was loaded, pickled once more by `_pickle`."""
        plain = self.case.workload.way if self.case.way.name == "file" else self.case.way
        way = plain(self.modules[THEIRS])
        return way.written(way.dump(loaded, self.case.protocol))

    def check_bytes(self, data: bytes) -> None:
        if data != self.expected:
            raise Different(f"{self.case.name}: other bytes than _pickle's")

    def check_loaded(self, loaded: Any) -> None:
        if self.again(loaded) != self.reloaded:
            raise Different(f"{self.case.name}: loaded something else than _pickle does")

    def dumpers(self) -> dict[str, Contender]:
        return {
            name: Contender(
                way.dump,
                (self.data, self.case.protocol),
                way.before_dump,
                lambda result, way=way: self.check_bytes(way.written(result)),  # type: ignore[misc]
            )
            for name, way in self.ways.items()
        }

    def loaders(self) -> dict[str, Contender]:
        return {
            name: Contender(way.load, (self.dumped[name],), way.before_load, self.check_loaded)
            for name, way in self.ways.items()
        }
