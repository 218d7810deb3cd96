"""A heap as a process has it that has run for a while.

Where nothing lives any more, memory goes back to the kernel: whole arenas of Python's small objects, large blocks and
the heap's top of malloc's. When a big result is freed after its round, the next round would pay a page fault for each
page of its own, whoever is timed; on a virtual machine that may be half of its time. In a program that does more than
one thing something lives everywhere, and the memory stays.
"""

import ctypes

SIZE = 256 << 20  # more than any workload needs
BLOCK = 512  # the largest that is a small object to Python: few others come into the same pools
HEADER = b"".__sizeof__()
REGION = 512 << 10  # wherever an arena of 1 MiB is, it has one of these whole

# glibc's M_TRIM_THRESHOLD and M_MMAP_THRESHOLD; it raises the second so far itself, when such a block is freed.
SETTINGS = {-1: 1 << 30, -3: 32 << 20}

kept: list[bytes] = []


def warm(size: int = SIZE) -> None:
    """Makes both allocators keep what they get; Python's gets memory now, and keeps an object in each arena."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        for setting in SETTINGS.items():
            mallopt(*setting)
    blocks = [bytes(BLOCK - HEADER) for _ in range(size // BLOCK)]
    kept.extend({id(block) // REGION: block for block in blocks}.values())
    while blocks:  # the last is freed first, and so the first memory is used first
        blocks.pop()
