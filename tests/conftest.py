"""What all tests share: the slow ones run where HALFSOUR_SLOW=1 is set, and the head says what is tested."""

import os
import sys

import pytest

import halfsour._pickle

SLOW = os.environ.get("HALFSOUR_SLOW") == "1"


def pytest_report_header():
    return f"halfsour: {halfsour._pickle.__file__}; CPython {sys.version}; slow tests {'on' if SLOW else 'off'}"


def pytest_collection_modifyitems(items):
    if not SLOW:
        skip = pytest.mark.skip(reason="slow: set HALFSOUR_SLOW=1")
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(skip)
