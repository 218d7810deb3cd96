"""Python's pickle, rewritten in Rust. Write `import halfsour as pickle`.

What runs while an object is pickled or loaded comes from `halfsour._pickle`. Everything else (the opcodes, and
the private names that libraries reach for) is the standard library's own, so that the two cannot disagree.
"""

import pickle as _stdlib
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


def __getattr__(name):
    try:
        return getattr(_stdlib, name)
    except AttributeError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name) from None


def __dir__():
    return sorted({*globals(), *dir(_stdlib)})
