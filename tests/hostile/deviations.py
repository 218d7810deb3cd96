"""Where halfsour means to differ from the interpreter's `_pickle` on broken input, and why.

Each entry looks at one case: what the stock module did, what the tested one did (see worker.Result), and the bytes.
An entry that no case ever meets on any version should go.
"""

import dataclasses
import typing


@dataclasses.dataclass
class Deviation:
    name: str
    reason: str
    applies: typing.Callable


DEVIATIONS = [
    Deviation(
        "stock runs out of memory",
        "Before 3.15 the interpreter allocates what a length or a memo index says, whatever the stream really holds; "
        "halfsour allocates for the bytes that are there, so it gets to the true end of the story.",
        lambda stock, tested, data: stock.error == "MemoryError" and tested.error != "MemoryError"),
    Deviation(
        "stock cannot make so long a bytes object",
        "The same before 3.15, for lengths next to the largest that there can be: it fails at making the object, "
        "halfsour at reading it.",
        lambda stock, tested, data: stock.message == "byte string is too large" and tested.error == "UnpicklingError"),
    Deviation(
        "stock stops at its recursion limit",
        "The interpreter recurses where halfsour does not.",
        lambda stock, tested, data: stock.error == "RecursionError" and tested.error != "RecursionError"),
    Deviation(
        "stock crashes",
        "A crash of the interpreter is not repeated; that the tested module survives is checked.",
        lambda stock, tested, data: stock.error == "crash"),
]


def explained(stock, tested, data):
    return next((each.name for each in DEVIATIONS if each.applies(stock, tested, data)), None)
