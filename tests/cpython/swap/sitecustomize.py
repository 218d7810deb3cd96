"""Puts the extension named by HALFSOUR_SWAP in the place of this interpreter's own `_pickle`.

The folder of this file goes onto PYTHONPATH, so that every process that a test starts is swapped as well.
Without HALFSOUR_SWAP it does nothing. Each process that imports the extension adds a line to HALFSOUR_SWAP_LOG.
"""

import importlib.machinery
import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec


class _Swap:
    def __init__(self, path: str) -> None:
        self.path = path

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name == "_pickle":
            if log := os.environ.get("HALFSOUR_SWAP_LOG"):
                with open(log, "a") as file:
                    print(os.getpid(), self.path, file=file)
            return importlib.util.spec_from_file_location(name, self.path)
        return None


def _swap(path: str) -> None:
    if not os.path.isfile(path):
        raise SystemExit(f"HALFSOUR_SWAP names no file: {path}")
    if "_pickle" in sys.modules:
        raise SystemExit("_pickle was imported before sitecustomize: it cannot be swapped any more")
    sys.meta_path.insert(0, _Swap(path))


def _chain() -> None:
    """Runs the sitecustomize that this one hides, as Debian's interpreters have one."""
    here = os.path.dirname(os.path.abspath(__file__))
    others = [entry for entry in sys.path if os.path.abspath(entry) != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


if os.environ.get("HALFSOUR_SWAP"):
    _swap(os.environ["HALFSOUR_SWAP"])
_chain()
