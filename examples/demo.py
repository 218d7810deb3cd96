"""Runs the other examples on halfsour and on the standard library's pickle, and compares what they wrote and say."""

import contextlib
import importlib
import io
import pickle
import platform
import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import halfsour

EXAMPLES = ["state_hooks", "persistent_id", "dispatch_table", "stateful_reader"]
PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)


def load(example: str, implementation: ModuleType) -> ModuleType:
    """The example with `implementation` in the place of halfsour, which it imports."""
    sys.modules.pop(example, None)
    sys.modules["halfsour"] = implementation
    try:
        return importlib.import_module(example)
    finally:
        sys.modules["halfsour"] = halfsour


def run(example: str, implementation: ModuleType, protocol: int) -> tuple[bytes, str]:
    """What the example pickled, and what it printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        data = load(example, implementation).main(protocol)
    return data, printed.getvalue()


def compare(example: str) -> bool:
    ours = [run(example, halfsour, protocol) for protocol in PROTOCOLS]
    theirs = [run(example, pickle, protocol) for protocol in PROTOCOLS]
    print(f"{example}.py: {sys.modules[example].__doc__}")
    print("".join(f"    {line}\n" for line in ours[-1][1].splitlines()), end="")
    sizes = ", ".join(f"{len(data)} bytes" for data, _ in ours)
    verdict = "the same bytes as pickle's" if ours == theirs else "DIFFERENT from pickle's"
    print(f"    protocols {PROTOCOLS[0]} to {PROTOCOLS[-1]}: {sizes}: {verdict}\n")
    return ours == theirs


def best(call: Callable[[Any], object], argument: object, times: int = 7) -> float:
    """The shortest of some runs, in milliseconds."""
    figures = []
    for _ in range(times):
        start = time.perf_counter()
        call(argument)
        figures.append((time.perf_counter() - start) * 1000)
    return min(figures)


def race() -> None:
    cellar = load("state_hooks", halfsour).cellar(shelves=100, jars=100)
    rows = {f"key {number}": [number, number / 7, str(number)] for number in range(20_000)}
    print(f"{'milliseconds, best of 7':40}{'pickle':>10}{'halfsour':>10}")
    for name, obj in {"10,000 instances with state hooks": cellar, "20,000 lists in a dict": rows}.items():
        data = pickle.dumps(obj)
        for verb, argument in {"dumps": obj, "loads": data}.items():
            figures = [best(getattr(module, verb), argument) for module in (pickle, halfsour)]
            print(f"{f'{verb}, {name}':40}{figures[0]:10.1f}{figures[1]:10.1f}")


def main() -> int:
    print(f"halfsour on {platform.python_implementation()} {platform.python_version()}\n")
    same = [compare(example) for example in EXAMPLES]
    race()
    return 0 if all(same) else 1


if __name__ == "__main__":
    sys.exit(main())
