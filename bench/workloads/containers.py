"""Containers of plain values, and pyperformance's pickle data in our own words."""

import datetime
import random
from typing import Any

from bench.workloads import Workload, word


def profile(source: random.Random) -> dict[str, Any]:
    """A user's profile: some twenty short keys, strings, numbers, a date and a list. pyperformance's DICT is one."""
    return {
        "flags": source.randrange(8),
        "age": source.randrange(18, 90),
        "born": datetime.date(1950 + source.randrange(50), 1 + source.randrange(12), 1 + source.randrange(28)),
        "bulletins": source.randrange(10),
        "comments": source.randrange(2000),
        "country": "BR",
        "token": word(source, 12),
        "favourites": [source.randrange(1 << 40) for _ in range(5)],
        "followers": source.randrange(1000),
        "given_name": word(source, 5),
        "gender": source.choice("FMX"),
        "id": source.randrange(1 << 31),
        "language": "en",
        "seen": source.randrange(1 << 31),
        "likes": "".join([word(source, 6), "\n", word(source, 9)]),
        "mood": "",
        "photos": source.randrange(300),
        "rating": source.random() * 5,
        "region": word(source, 2),
        "verified": source.random() < 0.5,
        "visits": source.randrange(100_000),
        "zip": str(source.randrange(10_000, 99_999)),
    }


def profiles(size: int) -> Any:
    source = random.Random(21)
    return [profile(source) for _ in range(size)]


def one_profile(_: int) -> Any:
    return profiles(1)[0]


def pair(_: int) -> tuple[list[int], int]:
    source = random.Random(22)
    return [source.randrange(1 << 30) for _ in range(25)], 60


def small_dicts(size: int) -> list[dict[str, Any]]:
    """The keys are the same few strings, as they are where dicts come from literals."""
    source = random.Random(23)
    rows: list[dict[str, Any]] = []
    for number in range(size):
        row = {"id": number, "name": word(source), "score": source.random()}
        if number % 2:
            row["group"] = source.randrange(1000)
        if number % 3:
            row["active"] = True
        rows.append(row)
    return rows


def wide_dict(size: int) -> dict[str, int]:
    source = random.Random(24)
    return {f"{word(source)} {number}": source.randrange(1 << 20) for number in range(size)}


def nested(size: int) -> list[Any]:
    """A document such as JSON has, ten levels deep."""
    source = random.Random(25)

    def level(depth: int) -> Any:
        if depth == 0:
            return source.choice([None, True, source.randrange(1000), source.random(), word(source)])
        if depth % 2:
            return [level(depth - 1) for _ in range(2)]
        return {word(source, 4): level(depth - 1) for _ in range(2)}

    return [level(10) for _ in range(size)]


def sets(size: int) -> list[Any]:
    source = random.Random(26)
    found: list[Any] = []
    for _ in range(size):
        numbers = {source.randrange(1 << 16) for _ in range(5)}
        found += [numbers, frozenset(number + 1 for number in numbers)]
    return found


def tuples(size: int) -> list[tuple[Any, ...]]:
    source = random.Random(27)
    return [(number, word(source), source.random())[: 1 + number % 3] for number in range(size)]


WORKLOADS = [
    Workload("pyperformance dict", one_profile, 1, calls=500),
    Workload("pyperformance tuple", pair, 1, calls=2000),
    Workload("pyperformance group", profiles, 3, calls=200),
    Workload("small dicts", small_dicts, 100_000, variants=True),
    Workload("wide dict", wide_dict, 100_000),
    Workload("nested", nested, 50),
    Workload("sets", sets, 20_000),
    Workload("tuples", tuples, 200_000),
]
