"""numpy arrays, in band and out of band."""

from typing import Any

from bench.ways import Buffers
from bench.workloads import Workload


def arrays(size: int) -> list[Any]:
    """Small and large ones."""
    import numpy  # here, since it may be missing

    source = numpy.random.default_rng(41)
    return [source.random(100 if number % 10 else 20_000) for number in range(size)]


WORKLOADS = [
    Workload("numpy in band", arrays, 200, needs="numpy"),
    Workload("numpy out of band", arrays, 200, needs="numpy", way=Buffers, lowest_protocol=5),
]
