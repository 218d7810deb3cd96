"""Python's pickle, rewritten in Rust. Write `import halfsour as pickle`.

What runs while an object is pickled or loaded comes from `halfsour._pickle`. Everything else (the opcodes, and
the private names that libraries reach for) is the standard library's own, so that the two cannot disagree.
"""

import pickle as _stdlib
import sys as _sys
from pickle import *  # noqa: F403 - the opcodes and the protocol numbers

from halfsour._pickle import (
    PickleBuffer,
    PickleError,
    Pickler,
    PicklingError,
    Unpickler,
    UnpicklingError,
    dump,
    dumps,
    gc_policy,
    get_max_depth,
    load,
    loads,
    set_max_depth,
)

__all__ = list(_stdlib.__all__)
_missing = object()


def __getattr__(name):
    found = getattr(_stdlib, name, _missing)
    if found is _missing:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message, name=name, obj=_sys.modules[__name__])
    return found


def __dir__():
    return sorted({*globals(), *dir(_stdlib)})
