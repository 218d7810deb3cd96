"""What runs under callgrind: one workload's dumps and loads on both sides, with a mark before and after each.

    python -m bench.count WORKLOAD SIZE CALLS

A mark is a call of getppid, which nothing else makes: callgrind is told to write out its counts there, and starts
anew. So no start-up is counted, and no preparation.
"""

import _pickle
import gc
import itertools
import os
import sys

import halfsour
from bench.cases import choose
from bench.timing import OURS, THEIRS, Contender, Prepared

WARM = 2  # calls before those that are counted


def count(contender: Contender, calls: int) -> None:
    call, arguments = contender.call, contender.arguments
    for _ in range(WARM):
        contender.before()
        call(*arguments)
    contender.before()
    mark = os.getppid
    mark()
    for _ in itertools.repeat(None, calls):
        call(*arguments)
    mark()
    contender.check(call(*arguments))


def main() -> None:
    name, size, calls = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    (case,) = choose([name], 5, size=size)
    prepared = Prepared(case, {OURS: halfsour, THEIRS: _pickle})
    gc.disable()
    for contenders in (prepared.dumpers(), prepared.loaders()):
        for side in (OURS, THEIRS):
            count(contenders[side], calls)


if __name__ == "__main__":
    main()
