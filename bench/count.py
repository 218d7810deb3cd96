"""What runs under callgrind: one workload's dumps and loads on both sides, with a mark before and after each.

    python -m bench.count WORKLOAD SIZE CALLS LAYOUTS

A mark is a call of getppid, which nothing else makes: callgrind is told to write out its counts there, and starts
anew. So no start-up is counted, and no preparation. All is done for several layouts of memory, since the addresses
of objects decide how long a memo has to search.
"""

import _pickle
import gc
import itertools
import os
import random
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
    name, size, calls, layouts = sys.argv[1], *map(int, sys.argv[2:])
    (case,) = choose([name], 5, size=size)
    gc.disable()
    junk = []
    for layout in range(layouts):
        source = random.Random(layout)
        junk.append([bytes(source.randrange(500)) for _ in range(500 + source.randrange(500))])
        prepared = Prepared(case, {OURS: halfsour, THEIRS: _pickle})
        for contenders in (prepared.dumpers(), prepared.loaders()):
            for side in (OURS, THEIRS):
                count(contenders[side], calls)


if __name__ == "__main__":
    main()
