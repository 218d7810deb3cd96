"""Small calls, as caches, queues and task schedulers make them by the million."""

from typing import Any

from bench.workloads import Workload
from bench.workloads.instances import Plain


def one_dict(_: int) -> dict[str, Any]:
    return {"id": 12345, "name": "cucumber", "weight": 1.25, "active": True, "tags": None}


def one_instance(_: int) -> Plain:
    return Plain(12345, "cucumber", 1.25, 7, "Spreewald")


def one_int(_: int) -> int:
    return 123456


WORKLOADS = [
    Workload("one dict", one_dict, 1, calls=2000, variants=True),
    Workload("one instance", one_instance, 1, calls=1000, variants=True),
    Workload("one int", one_int, 1, calls=5000, variants=True),
]
