"""Where a random graph gets its decisions from: a seed, a script of earlier decisions, or hypothesis.

Every decision is a number below some bound, and 0 is always the simplest one. So a run can be replayed exactly,
and a failing run can be made smaller by cutting and lowering its script.
"""

import bisect
import itertools
import random
import time


class Choices:
    def __init__(self, seed=None, script=None):
        self._random = random.Random(seed).random
        self._script = script
        self.made = []

    def _next(self, bound):
        if self._script is None:
            return int(self._random() * bound)
        position = len(self.made)
        return self._script[position] % bound if position < len(self._script) else 0

    def below(self, bound):
        number = self._next(bound)
        self.made.append(number)
        return number

    def chance(self, percent):
        """True in so many per cent of cases; the simple answer is False."""
        return self.below(100) >= 100 - percent

    def pick(self, sequence):
        return sequence[self.below(len(sequence))]

    def weighted(self, table):
        return table.values[bisect.bisect_right(table.bounds, self.below(table.total))]

    def some(self, sequence, percent):
        return [each for each in sequence if self.chance(percent)]


class Weights:
    """Alternatives with their weights, the simplest first: Weights((5, "atom"), (1, "list"))."""

    def __init__(self, *pairs):
        self.values = [value for _, value in pairs]
        self.bounds = list(itertools.accumulate(weight for weight, _ in pairs))
        self.total = self.bounds[-1]


class Drawn(Choices):
    """Decisions that hypothesis makes (and shrinks)."""

    def __init__(self, draw_below):
        super().__init__()
        self._draw_below = draw_below

    def _next(self, bound):
        return self._draw_below(bound)


def shrink(script, still_fails, seconds=20.0):
    """A smaller script that still fails: cut out runs of decisions, then lower single ones."""
    script = list(script)
    deadline = time.monotonic() + seconds

    def attempt(candidate):
        nonlocal script
        if candidate != script and time.monotonic() < deadline and still_fails(candidate):
            script = candidate
            return True
        return False

    improved = True
    while improved and time.monotonic() < deadline:
        improved = False
        size = max(1, len(script) // 2)
        while size:
            start = len(script) - size
            while start >= 0:
                improved |= attempt(script[:start] + script[start + size:])
                start -= size
            size //= 2
        for index in reversed(range(len(script))):
            if index < len(script) and script[index]:
                improved |= (attempt(script[:index] + [0] + script[index + 1:])
                             or attempt(script[:index] + [script[index] // 2] + script[index + 1:]))
    return script
