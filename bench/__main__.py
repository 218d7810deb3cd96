"""Times halfsour against the interpreter's `_pickle`, in one process, in turns; medians of thread CPU time."""

import argparse
import sys

from rich.console import Console

from bench import build


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="NAME",
                        help="a workload, as `plain`, or its variants, as `plain,*`; may be repeated")
    parser.add_argument("--protocol", type=int, default=5, choices=range(6))
    parser.add_argument("--quick", action="store_true", help="a tenth of the data and of the time: a smoke test")
    parser.add_argument("--budget", type=float, metavar="SECONDS", help="the time for one figure (2)")
    parser.add_argument("--unoptimised", action="store_true", help="time on an unoptimised interpreter all the same")
    options = parser.parse_args()
    console = Console(soft_wrap=True)
    reason = build.unoptimised()
    if reason and not options.unoptimised:
        print(f"bench: {sys.executable} {reason}, so its _pickle is slow and we would look good. "
              "Name an optimised one with PYTHON=..., or say --unoptimised.", file=sys.stderr)
        return 2
    import _pickle

    import halfsour
    from bench.cases import choose
    from bench.timing import OURS, THEIRS, Budget, Prepared, race

    budget = Budget(options.budget or (0.2 if options.quick else 2.0), 3 if options.quick else 5)
    for case in choose(options.only, options.protocol, options.quick):
        if case.cold:
            continue
        try:
            prepared = Prepared(case, {OURS: halfsour, THEIRS: _pickle})
        except ImportError as error:
            console.print(f"{case.name:28} absent: {error}")
            continue
        out = []
        for what in ("dumps", "loads", "loads, gc off"):
            contenders = prepared.dumpers() if what == "dumps" else prepared.loaders()
            if what == "loads":
                prepared.forget()
            race(contenders, case.workload.calls, budget, collector=what != "loads, gc off")
            ours, theirs = contenders[OURS].median, contenders[THEIRS].median
            out.append(f"{theirs*1e6:10.1f} {ours*1e6:10.1f} {theirs/ours:6.2f} ({len(contenders[OURS].figures)})")
        console.print(f"{case.name:28}", *out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
