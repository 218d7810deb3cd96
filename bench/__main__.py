"""Times halfsour against the interpreter's `_pickle`, in one process, in turns; medians of thread CPU time.

The heap is warm: freed memory stays with the process, so that no round pays page faults for what the last one freed.
The variants called cold are the first calls of fresh processes instead; there, memory is measured too.
"""

import argparse
import json
import sys
from pathlib import Path

from bench import build


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="NAME",
                        help="a workload, as 'plain', or its variants, as 'plain,*'; may be repeated")
    parser.add_argument("--no-variants", action="store_true", help="no fresh processes, other protocols and so on")
    parser.add_argument("--compare-peers", action=argparse.BooleanOptionalAction, default=True,
                        help="time marshal, msgspec and others beside them")
    parser.add_argument("--no-peers", dest="compare_peers", action="store_false", help="the same as --no-compare-peers")
    parser.add_argument("--protocol", type=int, default=5, choices=range(6))
    parser.add_argument("--quick", action="store_true", help="a tenth of the data and of the time: a smoke test")
    parser.add_argument("--budget", type=float, metavar="SECONDS",
                        help="the time for one figure (2; quick: 0.1), a third of it for variants")
    parser.add_argument("--fresh-heap", action="store_true",
                        help="let freed memory go back to the kernel between rounds (see bench/heap.py)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--plot", type=Path, metavar="FOLDER", help="draw light.svg and dark.svg there")
    parser.add_argument("--unoptimised", action="store_true", help="time on an unoptimised interpreter all the same")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    reason = build.unoptimised()
    if reason and not options.unoptimised:
        print(f"bench: {sys.executable} {reason}: its _pickle is slow, and we would look too good. "
              "Name an optimised one with PYTHON=..., or say --unoptimised.", file=sys.stderr)
        return 2

    # Here, so that the refusal needs nothing installed.
    from rich.console import Console
    from rich.progress import track

    from bench import cases, heap, plot, report, run
    from bench.timing import Budget

    try:
        chosen = cases.choose(options.only, options.protocol, 0.1 if options.quick else 1.0)
    except LookupError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    if options.no_variants:
        chosen = [case for case in chosen if not case.variant]
    budget = Budget(options.budget or (0.1 if options.quick else 2.0), 3 if options.quick else 5)
    rows = run.run(chosen, budget, options.compare_peers, fresh=1 if options.quick else 3)
    if not options.fresh_heap:
        heap.warm()
    progress = Console(stderr=True)
    results = {
        "environment": run.environment(options.protocol, warm=not options.fresh_heap),
        "rows": list(track(rows, "timing", len(chosen), console=progress, transient=True)),
    }
    console = Console(width=None if sys.stdout.isatty() else 150)
    report.show(console, results)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    if options.plot:
        plot.write(results, options.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
