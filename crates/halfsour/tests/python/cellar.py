"""The classes of the tutorial and the cookbook, as Python has them; and whether the pickles there are Python's."""

import ast
import datetime
import pickle
import re
import sys
import types
from zoneinfo import ZoneInfo


def module(name, source):
    made = sys.modules[name] = types.ModuleType(name)
    exec(source, made.__dict__)
    return made


cellar = module('cellar', '''
import collections, enum

class Jar:
    def __init__(self, label, litres):
        self.label = label
        self.litres = litres

class Shelf:
    __slots__ = "name", "room"
    def __init__(self, name, room):
        self.name, self.room = name, room

Recipe = collections.namedtuple("Recipe", "name days")

class Celsius(float):
    def __new__(cls, degrees, *, scale="C"):
        return super().__new__(cls, degrees)
    def __getnewargs_ex__(self):
        return (float(self),), {"scale": "C"}

class Kind(enum.Enum):
    HALF = "half"
    FULL = "full"

class Stage(enum.Enum):
    SALTED = 1
    DONE = 2

class TooSalty(Exception):
    pass
''')
barrels = module('barrels', '''
class Barrel:
    def __init__(self, litres):
        self.litres = litres
''')
shelf = cellar.Shelf('north', 3)

# A comment that says what Python does, perhaps with lines and statements before that, and the literal.
RECIPE = re.compile(
    r'((?://! // .*\n)*)//! // (.*)pickle\.dumps\((.*), (\d)\).*\n//! let data = (b"(?:[^"\\]|\\.|\\\n)*");'
)


def literal(text):
    """A byte string of Rust, in lines that are comments: Python's are the same but for these and for NUL."""
    return ast.literal_eval(re.sub(r'\\\n//! *', '', text).replace(r'\0', r'\x00'))


def faults(text):
    for before, statement, expr, protocol, data in RECIPE.findall(text):
        if statement.startswith('Python 2'):
            continue
        names = dict(globals(), **vars(cellar))
        exec(before.replace('//! // ', '') + statement, names)
        expected = pickle.dumps(eval(expr, names), int(protocol))
        yield expr, expected == literal(data)
