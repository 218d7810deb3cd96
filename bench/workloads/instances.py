"""Instances without hooks of their own: what most programs pickle."""

import enum
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bench.workloads import Workload, word


class Plain:
    def __init__(self, number: int, name: str, weight: float, count: int, city: str) -> None:
        self.number, self.name, self.weight, self.count, self.city = number, name, weight, count, city


@dataclass(slots=True)
class Slots:
    number: int
    name: str
    weight: float
    count: int
    city: str


@dataclass(frozen=True, slots=True)
class Frozen:
    number: int
    name: str
    weight: float
    count: int
    city: str


class Named(NamedTuple):
    number: int
    name: str
    weight: float
    amount: int  # `count` is a method of tuples
    city: str


class Colour(enum.Enum):
    RED = 1
    GREEN = "green"
    BLUE = (0, 0, 255)


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Access(enum.Flag):
    READ = 1
    WRITE = 2
    RUN = 4


class Node:
    def __init__(self, name: str) -> None:
        self.name = name
        self.parent: Node | None = None
        self.children: list[Node] = []


def fields(size: int) -> list[tuple[int, str, float, int, str]]:
    source = random.Random(1)
    return [
        (number, word(source), source.random() * 100, source.randrange(1 << 40), word(source, 12))
        for number in range(size)
    ]


def plain(size: int) -> list[Plain]:
    return [Plain(*row) for row in fields(size)]


def slots(size: int) -> list[Slots]:
    return [Slots(*row) for row in fields(size)]


def frozen(size: int) -> list[Frozen]:
    return [Frozen(*row) for row in fields(size)]


def named(size: int) -> list[Named]:
    return [Named(*row) for row in fields(size)]


def members(size: int) -> list[tuple[enum.Enum, ...]]:
    source = random.Random(2)
    kinds: list[Sequence[enum.Enum]] = [list(Colour), list(Level), [Access(bits) for bits in range(1, 8)]]
    return [tuple(source.choice(kind) for kind in kinds) for _ in range(size)]


def tree(size: int) -> Node:
    """Up to eight children each, so it is shallow enough for `_pickle`."""
    source = random.Random(3)
    nodes = [Node(word(source)) for _ in range(size)]
    for index in range(1, size):
        parent = nodes[(index - 1) // 8]
        nodes[index].parent = parent
        parent.children.append(nodes[index])
    return nodes[0]


WORKLOADS = [
    Workload("plain", plain, 50_000, variants=True),
    Workload("slots", slots, 50_000, variants=True, lowest_protocol=2, declared=list[Slots]),
    Workload("frozen slots", frozen, 50_000, variants=True, declared=list[Frozen]),
    Workload("namedtuple", named, 50_000, variants=True, declared=list[Named]),
    Workload("enum", members, 20_000),
    Workload("tree", tree, 50_000, variants=True),
]
