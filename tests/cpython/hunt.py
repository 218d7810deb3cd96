"""CPython's regrtest, whose leak hunt empties the extension's caches too before it counts.

They keep the names of attributes of some thousands of classes, and forget them when these are too many. Each
repetition of the tests makes new classes, at other addresses: without this the references rise for some repetitions,
and fall after them.
"""

import pickle
import sys
import types

from test.libregrtest import refleak
from test.libregrtest.main import main

CLASSES = 5000  # more than the caches keep, of dumps and of loads

module = types.ModuleType("forgotten")


def forget() -> None:
    sys.modules[module.__name__] = module
    classes = [type(f"C{number}", (), {"__module__": module.__name__}) for number in range(CLASSES)]
    module.__dict__.update((each.__name__, each) for each in classes)
    for _ in range(2):  # a load looks at the number of those before it
        pickle.loads(pickle.dumps([each() for each in classes]))
    for each in classes:
        delattr(module, each.__name__)
    del sys.modules[module.__name__]


def clear_caches(clear=refleak.clear_caches) -> None:
    forget()
    clear()


refleak.clear_caches = clear_caches
main()
