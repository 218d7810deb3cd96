"""Instances with hooks, and picklers with hooks."""

import random
from typing import Any, Self

from bench.ways import DispatchTables, PersistentIds
from bench.workloads import Workload, word


class Stateful:
    def __init__(self, name: str, values: list[int]) -> None:
        self.name, self.values, self.cache = name, values, {"sum": sum(values)}

    def __getstate__(self) -> dict[str, Any]:
        return {"name": self.name, "values": self.values}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.name, self.values = state["name"], state["values"]
        self.cache = {}


class Reduced:
    def __init__(self, name: str, number: int) -> None:
        self.name, self.number = name, number

    def __reduce__(self) -> tuple[Any, ...]:
        return Reduced, (self.name, self.number)


class Arguments:
    name: str
    number: int

    def __new__(cls, name: str, number: int) -> Self:
        made = super().__new__(cls)
        made.name, made.number = name, number
        return made

    def __getnewargs__(self) -> tuple[str, int]:
        return self.name, self.number

    def __getstate__(self) -> None:
        return None


class Stored:
    """What a database has already: see `ways.PersistentIds`."""

    kept: dict[str, "Stored"] = {}

    def __init__(self, key: str) -> None:
        self.key = key
        self.kept[key] = self


class Foreign:
    """Another library's class, which only our own dispatch table knows: see `ways.DispatchTables`."""

    def __init__(self, name: str, number: int) -> None:
        self.name, self.number = name, number


def reduce_foreign(foreign: Foreign) -> tuple[Any, ...]:
    return Foreign, (foreign.name, foreign.number)


def stateful(size: int) -> list[Stateful]:
    source = random.Random(11)
    return [Stateful(word(source), [source.randrange(1000) for _ in range(3)]) for _ in range(size)]


def reduced(size: int) -> list[Reduced]:
    source = random.Random(12)
    return [Reduced(word(source), number) for number in range(size)]


def arguments(size: int) -> list[Arguments]:
    source = random.Random(13)
    return [Arguments(word(source), number) for number in range(size)]


def stored(size: int) -> list[dict[str, Any]]:
    """Rows that refer to stored objects: a callback for every object, an answer for few."""
    source = random.Random(14)
    objects = [Stored(f"key {number}") for number in range(100)]
    return [{"id": number, "name": word(source), "of": source.choice(objects)} for number in range(size)]


def foreign(size: int) -> list[Foreign]:
    source = random.Random(15)
    return [Foreign(word(source), number) for number in range(size)]


WORKLOADS = [
    Workload("__getstate__", stateful, 20_000),
    Workload("__reduce__", reduced, 20_000),
    Workload("__getnewargs__", arguments, 20_000),
    Workload("persistent ids", stored, 20_000, way=PersistentIds),
    Workload("dispatch table", foreign, 20_000, way=DispatchTables),
]
