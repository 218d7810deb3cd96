"""The two implementations that are compared: the interpreter's own `_pickle`, and the one under test.

HALFSOUR_UNDER_TEST names another module to test: `pickle` is the interpreter's own (which must not differ from
itself), and the impostors below differ on purpose, so that the tests can be seen to fail.
"""

import _pickle as stock
import importlib
import os
import pickle
import types

NAMES = ("Pickler", "Unpickler", "dump", "dumps", "load", "loads")


def _impostor(**replaced):
    return types.SimpleNamespace(**{name: getattr(stock, name) for name in NAMES} | replaced)


def _python():
    """The standard library's pickler in Python: other texts, other write() chunks, other probes."""
    return _impostor(Pickler=pickle._Pickler, Unpickler=pickle._Unpickler, dump=pickle._dump, dumps=pickle._dumps,
                     load=pickle._load, loads=pickle._loads)


def _lower_protocol():
    """Right except that protocol 5 is written as 4."""
    def lower(protocol):
        return 4 if protocol in (5, -1) else protocol

    class Pickler(stock.Pickler):
        def __init__(self, file, protocol=None, **options):
            super().__init__(file, lower(protocol), **options)

    return _impostor(
        Pickler=Pickler,
        dumps=lambda obj, protocol=None, **options: stock.dumps(obj, lower(protocol), **options),
        dump=lambda obj, file, protocol=None, **options: stock.dump(obj, file, lower(protocol), **options))


def _forgets_sharing():
    """Loads the right values, but never the same object twice."""
    def unshared(obj):
        if type(obj) in (list, tuple, set, frozenset):
            return type(obj)(map(unshared, obj))
        if type(obj) is dict:
            return {key: unshared(value) for key, value in obj.items()}
        return obj

    return _impostor(loads=lambda data, /, **options: unshared(stock.loads(data, **options)))


def _goes_wrong(how):
    """Loads rightly but for pickles with a certain text in them."""
    def loads(data, /, **options):
        if b"spam" in data:
            how()
        return stock.loads(data, **options)

    return _impostor(loads=loads)


def _hang():
    while True:
        pass


def _hog():
    bytearray(b"x") * (200 << 20)


IMPOSTORS = {"python": _python, "lower-protocol": _lower_protocol, "forgets-sharing": _forgets_sharing}
DANGEROUS_IMPOSTORS = {"crash": lambda: _goes_wrong(os.abort), "hang": lambda: _goes_wrong(_hang),
                       "memory": lambda: _goes_wrong(_hog)}


def under_test(name=None, max_depth=20_000):
    """The module. An endless chain of __reduce__ ends at `max_depth`, and a low one makes it end soon."""
    name = name or os.environ.get("HALFSOUR_UNDER_TEST", "halfsour._pickle")
    impostor = IMPOSTORS.get(name) or DANGEROUS_IMPOSTORS.get(name)
    if impostor is not None:
        return impostor()
    if name == "pickle":
        return stock
    module = importlib.import_module(name)
    if max_depth is not None:
        package = importlib.import_module(name.partition(".")[0])
        if hasattr(package, "set_max_depth"):
            package.set_max_depth(max_depth)
    return module
