"""Objects that decide what of them is pickled: a lock stays out, and the cycles and shared parts survive."""

from __future__ import annotations

import threading

import halfsour as pickle


class Brine:
    """Without a __dict__: its slots are found and pickled by themselves."""

    __slots__ = ("salt", "spices")

    def __init__(self, salt: float, *spices: str) -> None:
        self.salt = salt
        self.spices = spices


class Jar:
    """Has a lock, which cannot be pickled: the state leaves it out, and a new one is made when the jar is loaded."""

    def __init__(self, label: str, brine: Brine, shelf: Shelf) -> None:
        self.label = label
        self.brine = brine
        self.shelf = shelf
        self.lock = threading.Lock()

    def __getstate__(self) -> dict[str, object]:
        state = self.__dict__.copy()
        del state["lock"]
        return state

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self.lock = threading.Lock()


class Shelf(list[Jar]):
    """A list with an attribute. Every jar on it knows the shelf, so the graph has a cycle."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


def cellar(shelves: int, jars: int) -> list[Shelf]:
    brines = [Brine(3.5, "dill"), Brine(5.0, "garlic", "mustard")]
    rows = [Shelf(f"shelf {number}") for number in range(shelves)]
    for shelf in rows:
        shelf.extend(Jar(f"{shelf.name}, jar {number}", brines[number % 2], shelf) for number in range(jars))
    return rows


def main(protocol: int | None = None) -> bytes:
    data = pickle.dumps(cellar(shelves=3, jars=4), protocol)
    first, *_, last = pickle.loads(data)
    assert first[0].shelf is first
    assert first[0].brine is last[2].brine
    assert first[0].lock.acquire(blocking=False)
    print(f"{last[-1].label}: {last[-1].brine.salt} % salt, {' and '.join(last[-1].brine.spices)}")
    return data


if __name__ == "__main__":
    main()
