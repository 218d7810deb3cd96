"""Hooks that change what they should leave alone, exceptions from everywhere, finalisers, threads, lifetimes."""

import os
import pathlib
import subprocess
import sys

import pytest
import scenarios

HERE = pathlib.Path(__file__).parent


@pytest.mark.parametrize("name", scenarios.SCENARIOS)
def test_scenario(name):
    """In a process of its own, so that a crash is the failure of one test; what is freed is overwritten there."""
    run = subprocess.run([sys.executable, "-X", "faulthandler", str(HERE / "one.py"), name], capture_output=True,
                         text=True, timeout=600, env=dict(os.environ, PYTHONMALLOC="debug"))
    assert run.returncode == 0, f"exit status {run.returncode}\n{run.stdout}{run.stderr[-4000:]}"
