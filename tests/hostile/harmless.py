"""What a pickle may reach: the classes of the corpus and of telltale, and a few of the standard library's, none of
which does any harm. Everything else is refused, by find_class where that is overridden and by an audit hook in any
case.
"""

import copyreg
import importlib
import pathlib
import pickle
import sys
import types

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "corpus"))
import shapes  # noqa: E402
import telltale  # noqa: E402

_STANDARD = {
    "builtins": "object list tuple dict set frozenset int float bool str bytes bytearray complex range slice len "
                "getattr ValueError KeyError OSError FileNotFoundError",
    "collections": "OrderedDict defaultdict Counter deque UserDict UserString namedtuple",
    "copyreg": "_reconstructor __newobj__ __newobj_ex__",
    "datetime": "date datetime time timedelta timezone",
    "decimal": "Decimal",
    "functools": "partial",
    "operator": "attrgetter itemgetter",
    "uuid": "UUID SafeUUID",
    "codecs": "encode",
    "_codecs": "encode",
    "array": "array _array_reconstructor",
}
# Python 2 had these elsewhere; with fix_imports they come out as the ones above.
_PYTHON_2 = {
    "__builtin__": "object list tuple dict set frozenset int float bool str unicode bytes bytearray complex xrange "
                   "slice len getattr long",
    "copy_reg": "_reconstructor __newobj__",
    "exceptions": "ValueError KeyError OSError",
    "UserDict": "UserDict",
    "UserString": "UserString",
}


def _names_of(module):
    for name, value in vars(module).items():
        if getattr(value, "__module__", None) == module.__name__ and not isinstance(value, types.ModuleType):
            yield name


def _shapes_names():
    yield from _names_of(shapes)
    yield from ("SINGLETON", "Outer.Inner", "Outer.Inner.Deep", "Outer.static", "Outer.clsmethod", "Outer.method",
                "Outer.Inner.method")


TABLE = {}
_OURS = {"shapes": " ".join(_shapes_names()), "telltale": " ".join(_names_of(telltale))}
for _module, _names in (_OURS | _STANDARD).items():
    for _name in _names.split():
        value = importlib.import_module(_module)
        for part in _name.split("."):
            value = getattr(value, part)
        TABLE[_module, _name] = value

ALLOWED = set(TABLE) | {(module, name) for module, names in _PYTHON_2.items() for name in names.split()}


def find_class(module, name):
    try:
        return TABLE[module, name]
    except KeyError:
        raise pickle.UnpicklingError(f"refused: {module!a}.{name!a}") from None


class _Guard:
    """An audit hook cannot be removed, so it is there once and is switched."""

    on = False

    def __call__(self, event, arguments):
        if self.on and event == "pickle.find_class" and tuple(arguments) not in ALLOWED:
            raise pickle.UnpicklingError(f"refused: {arguments!a}")


guard = _Guard()


def _changeable():
    """Classes and functions that a BUILD could give attributes, with those that they should have."""
    for value in {id(value): value for value in TABLE.values()}.values():
        if isinstance(value, type) and not value.__flags__ & 1 << 8:  # IMMUTABLETYPE
            yield value, dict(vars(value))
        elif isinstance(value, types.FunctionType) or value is shapes.SINGLETON:
            yield value, dict(vars(value))


_BEFORE = list(_changeable())


def restore():
    """Undoes what a load did to classes, functions and registries, so that the next one meets the same world."""
    for owner, before in _BEFORE:
        now = vars(owner)
        if len(now) != len(before) or any(now.get(name) is not value for name, value in before.items()):
            for name in set(now) - set(before):
                _try(delattr, owner, name)
            for name, value in before.items():
                if vars(owner).get(name) is not value:
                    _try(setattr, owner, name, value)
    copyreg.clear_extension_cache()


def _try(function, *args):
    try:
        function(*args)
    except (AttributeError, TypeError):
        pass
