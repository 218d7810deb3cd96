# Pickles of objects that hold themselves, by way of what they are reduced to: the number of the graph, the
# protocol, the pickle. Run with `emit` defined.
import collections, pickle, random


class Plain:
    pass


class List(list):
    pass


class Tuple(tuple):
    pass


class FrozenSet(frozenset):
    pass


class Stateful:
    """What its state is made of is new each time."""

    def __init__(self):
        self.held = []

    def __getstate__(self):
        return [self.held, {'again': [self.held]}]

    def __setstate__(self, state):
        pass


class Reduced:
    """So is what it is called with, but for what it holds."""

    forms = (
        lambda a, b, c: (a, [b], (c,)),
        lambda a, b, c: ([a, b], [1], {'b': b}),
        lambda a, b, c: ((a, b, c), [c, (a,)], 'new' * len(str(id(a)))),
        lambda a, b, c: ({'a': [a]}, Tuple((b,)), [c]),
    )

    def __init__(self, form, *held):
        self.form, self.held = form, list(held)

    def __reduce__(self):
        return make, self.forms[self.form](*self.held)


class Keywords:
    """So is what it is made with."""

    def __init__(self):
        self.held = None

    def __new__(cls, *args, **kwargs):
        return object.__new__(cls)

    def __getnewargs_ex__(self):
        return (), {'held': self.held}

    def __getstate__(self):
        return None


def make(*args):
    return args


def is_hashable(obj):
    try:
        hash(obj)
    except TypeError:
        return False
    return True


def knot(source):
    """Objects that refer to each other at random; one of them."""
    objs = []

    def some(hashable=False):
        found = [obj for obj in objs if not hashable or is_hashable(obj)]
        return source.choice(found) if found and source.random() < 0.7 else source.choice([None, 1, 'a', b'b', 'cd'])

    def several(hashable=False):
        return [some(hashable) for _ in range(source.randrange(4))]

    kinds = (
        list, dict, set, Plain, List, Stateful, collections.deque, Keywords,
        lambda: tuple(several()), lambda: Tuple(several()),
        lambda: frozenset(several(True)), lambda: FrozenSet(several(True)),
        lambda: Reduced(source.randrange(4), some(), some(), some()),
    )  # fmt: skip
    for _ in range(source.randrange(2, 9)):
        objs.append(source.choice(kinds)())
    for _ in range(source.randrange(2, 10)):
        match source.choice(objs):
            case list() | collections.deque() as obj:
                obj.append(some())
            case dict() as obj:
                obj[some(True)] = some()
            case set() as obj:
                obj.add(some(True))
            case Plain() as obj:
                setattr(obj, source.choice('abc'), some())
            case Stateful() as obj:
                obj.held.append(some())
            case Keywords() as obj:
                obj.held = some()
            case Reduced() as obj:
                obj.held[source.randrange(3)] = some()
    return source.choice(objs)


for seed in range(2000):
    obj = knot(random.Random(seed))
    for protocol in range(6):
        try:
            data = pickle.dumps(obj, protocol)
        except RecursionError:
            continue  # No pickle can say it.
        emit(str(seed))
        emit(str(protocol))
        emit(data)
