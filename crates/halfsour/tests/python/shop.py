"""The classes of tests/derive.rs, as Python has them, in modules that are made up."""

import collections
import enum
import pickle
import sys
import types


def module(name, source):
    made = types.ModuleType(name)
    made.__dict__['__name__'] = name
    sys.modules[name] = made
    if '.' in name:
        parent, _, last = name.rpartition('.')
        if parent not in sys.modules:
            module(parent, '')
        setattr(sys.modules[parent], last, made)
    exec(source, made.__dict__)
    return made


models = module('shop.models', '''
import collections, dataclasses, enum

class Base:
    def __init__(self, **attrs):
        for name, value in attrs.items():
            setattr(self, name, value)
    def __repr__(self):
        attrs = dict(getattr(self, '__dict__', {}))
        for cls in type(self).__mro__:
            for name in getattr(cls, '__slots__', ()):
                if hasattr(self, name):
                    attrs[name] = getattr(self, name)
        return f'{type(self).__name__}({attrs})'

class Order(Base): pass
class Line(Base): pass
class Table(dict): pass
class Renamed(Base): pass
class Blob(Base): pass
class Pair(Base): pass
class Tagged(Base): pass
class Wrapper(Base): pass
class Circle(Base): pass
class Square(Base): pass
class Empty(Base): pass
class Node(Base): pass
class Stamp(Base): pass

class Outer:
    class Inner(Base): pass
Outer.Inner.__qualname__ = 'Outer.Inner'

class Refused(Exception): pass

def press(litres):
    self = Juice()
    self.litres = litres
    return self
class Juice(Base):
    def __reduce__(self):
        return press, (self.litres,)

class Slots:
    __slots__ = ['x', 'y']
    def __init__(self, x, y): self.x, self.y = x, y
    def __repr__(self): return f'Slots({self.x!r}, {self.y!r})'

class Money:
    """What is given to __new__ is not in the state."""
    __slots__ = ['amount', 'currency', '__dict__']
    def __new__(cls, amount, currency):
        self = object.__new__(cls)
        object.__setattr__(self, 'amount', amount)
        object.__setattr__(self, 'currency', currency)
        return self
    def __getnewargs__(self): return self.amount, self.currency
    def __getstate__(self): return self.__dict__ or None
    def __repr__(self): return f'Money({self.amount!r}, {self.currency!r}, {self.__dict__})'

class Rate:
    __slots__ = ['base', 'factor', '__dict__']
    def __new__(cls, base, *, factor):
        self = object.__new__(cls)
        self.base, self.factor = base, factor
        return self
    def __getnewargs_ex__(self): return (self.base,), {'factor': self.factor}
    def __getstate__(self): return self.__dict__ or None
    def __repr__(self): return f'Rate({self.base!r}, {self.factor!r}, {self.__dict__})'

@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    width: int
    label: str
    parent: 'Frozen | None'

@dataclasses.dataclass(frozen=True, slots=True)
class FrozenOne:
    only: list

@dataclasses.dataclass(frozen=True, slots=True)
class FrozenNone:
    pass

Point = collections.namedtuple('Point', 'x y')
Point.__module__ = 'shop.models'

class Color(enum.Enum):
    RED = 1
    DARK_RED = 2
    GREEN = -3

class Mode(enum.Enum):
    READ = 'r'
    write = 'w'
''')


def make(name, /, **attrs):
    return getattr(models, name)(**attrs)


def make_inner(value):
    return models.Outer.Inner(value=value)
