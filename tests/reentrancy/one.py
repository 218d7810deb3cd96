"""Runs one scenario by name, again and again, and looks for leaks: `python tests/reentrancy/one.py NAME`."""

import faulthandler
import gc
import pathlib
import sys
import warnings

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "differential")]

import modules  # noqa: E402
import scenarios  # noqa: E402

REPEATS = 6
ATTEMPTS = 4


def counts():
    """What a leak shows in: references on a debug build, blocks of memory on any."""
    for name in ("_clear_internal_caches", "_clear_type_cache"):  # they hold on to names of classes that are gone
        getattr(sys, name, int)()
    gc.collect()
    gc.collect()
    return sys.getallocatedblocks(), getattr(sys, "gettotalrefcount", int)()


def leaks(run):
    """How much the runs of each attempt left behind, if it never was less than one thing for every other run."""
    run()
    grown = []
    for _ in range(ATTEMPTS):
        before = counts()
        for _ in range(REPEATS):
            run()
        grown.append([after - earlier for after, earlier in zip(counts(), before)])
        if all(2 * each < REPEATS for each in grown[-1]):
            return None
    return f"{REPEATS} runs left behind (blocks, references): {grown}"


def main():
    faulthandler.enable()
    warnings.simplefilter("ignore", DeprecationWarning)  # sys._clear_type_cache
    name = sys.argv[1]
    tested = modules.under_test()
    scenario = scenarios.SCENARIOS[name]
    if tested is modules.stock and not scenario.stock_is_safe:
        print("the interpreter's own module is known to crash here")
        return 0
    scenario(scenarios.Pair(tested, with_stock=scenario.stock_is_safe))
    alone = scenarios.Pair(tested, with_stock=False)
    gc.set_threshold(1)
    scenario(alone)
    gc.set_threshold(700, 10, 10)
    grown = leaks(lambda: scenario(alone))
    if grown:
        print(f"leaks: {grown}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
