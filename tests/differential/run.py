"""Many random trials, by seed:

    python tests/differential/run.py --seed 0 --count 20000

Every difference is printed with its seed, smaller if it can be made smaller, and the run ends with status 1.
`--only SEED` runs one seed and prints it in full. HALFSOUR_UNDER_TEST names another module to test (see modules.py).
"""

import argparse
import collections
import os
import sys
import time
import traceback

import modules
import trials
from choices import Choices, shrink


def signature(difference):
    """What makes two differences the same bug, roughly."""
    def short(value):
        if isinstance(value, tuple) and len(value) > 1 and isinstance(value[0], type):
            return value[0].__name__, value[1][:30]
        return type(value).__name__
    return difference.stage, difference.field, short(difference.stock), short(difference.tested)


def smaller(choices, tested, wanted):
    def still_fails(script):
        return any(signature(found) == wanted for found in trials.run(Choices(script=script), tested))
    script = shrink(choices.made, still_fails)
    replay = Choices(script=script)
    return script, trials.run(replay, tested)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--only", type=int, help="run this seed alone and print its trial")
    parser.add_argument("--shown", type=int, default=10, help="how many different differences to shrink and print")
    options = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":  # sets of strings keep their order, so a seed keeps its meaning
        os.execve(sys.executable, [sys.executable, *sys.argv], dict(os.environ, PYTHONHASHSEED="0"))
    tested = modules.under_test()
    seeds = [options.only] if options.only is not None else range(options.seed, options.seed + options.count)
    known = collections.Counter()
    statistics = collections.Counter()
    started = time.monotonic()
    for seed in seeds:
        choices = Choices(seed)
        try:
            found = trials.run(choices, tested)
        except Exception:
            print(f"seed {seed}: the test kit itself failed")
            traceback.print_exc()
            return 2
        statistics["differing"] += bool(found)
        if options.only is not None:
            print(trials.Trial(Choices(script=choices.made[2:])).describe())
        for difference in found:
            wanted = signature(difference)
            known[wanted] += 1
            if known[wanted] == 1 and len(known) <= options.shown:
                print(f"seed {seed}: {difference}", flush=True)
                script, again = smaller(choices, tested, wanted)
                for each in again:
                    if signature(each) == wanted:
                        print(f"  smaller: {each}\n    settings: {each.trial.describe()}\n", flush=True)
                        break
    seconds = time.monotonic() - started
    print(f"{len(seeds)} graphs, {statistics['differing']} with differences, {seconds:.0f} s, "
          f"Python {sys.version.split()[0]}, seeds {seeds[0]}..{seeds[-1]}")
    for wanted, count in known.most_common():
        print(f"  {count:6} x {wanted}")
    return 1 if known else 0


if __name__ == "__main__":
    sys.exit(main())
