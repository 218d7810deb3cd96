"""Long lists of one kind of value."""

import datetime
import decimal
import pathlib
import random
import uuid
from typing import Any

from bench.workloads import Workload, word


def ints(size: int) -> list[int]:
    source = random.Random(31)
    return [source.randrange(1 << source.choice([6, 15, 30, 45])) for _ in range(size)]


def floats(size: int) -> list[float]:
    source = random.Random(32)
    return [source.random() * 1000 for _ in range(size)]


def short_strings(size: int) -> list[str]:
    source = random.Random(33)
    return [word(source, 4 + number % 9) for number in range(size)]


def foreign_strings(size: int) -> list[str]:
    """Latin, Cyrillic, Chinese, and beyond the basic plane."""
    source = random.Random(34)
    alphabets = ["éàüñçøå", "жабцдйфш", "字漢語文書", "🥒🧂🫙"]
    return ["".join(source.choices(alphabets[number % 4], k=8)) + str(number) for number in range(size)]


def datetimes(size: int) -> list[datetime.datetime]:
    source = random.Random(35)
    start = datetime.datetime(2020, 1, 1)
    return [start + datetime.timedelta(microseconds=source.randrange(1 << 47)) for _ in range(size)]


def library_types(size: int) -> list[Any]:
    """Types of the standard library that bring their own `__reduce__` or `__getstate__`."""
    source = random.Random(36)
    found: list[Any] = []
    for number in range(size):
        found.append(decimal.Decimal(source.randrange(1 << 40)) / 100)
        found.append(uuid.UUID(int=source.getrandbits(128)))
        found.append(pathlib.PurePosixPath("srv", word(source), f"{number}.txt"))
    return found


def blobs(size: int) -> list[bytes]:
    source = random.Random(37)
    return [source.randbytes(100_000) for _ in range(size)]


WORKLOADS = [
    Workload("ints", ints, 500_000),
    Workload("floats", floats, 500_000),
    Workload("short strings", short_strings, 500_000, variants=True),
    Workload("non-ASCII strings", foreign_strings, 200_000),
    Workload("datetimes", datetimes, 100_000, variants=True),
    Workload("Decimal, UUID, Path", library_types, 5_000),
    Workload("100 kB blobs", blobs, 100),
]
