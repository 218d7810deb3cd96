# What CPython's C pickler writes in all its ways. Run with `emit` defined; each pickle comes behind its
# protocol, as text.
import copyreg, datetime, decimal, fractions, io, pickle, pickletools, sys, collections, enum, functools


class Plain:
    def __init__(self, **state):
        self.__dict__.update(state)


class Slots:
    __slots__ = 'a', 'b'


class NewArgs:
    def __new__(cls, *args):
        return object.__new__(cls)

    def __getnewargs__(self):
        return 1, [2]


class NewArgsEx:
    def __new__(cls, *args, **kwargs):
        return object.__new__(cls)

    def __getnewargs_ex__(self):
        return (1, 'x'), {'key': [1], 'other': None}


class Reduced:
    def __init__(self, *parts):
        self.parts = parts

    def __reduce__(self):
        parts = list(self.parts)
        for index in (3, 4):
            if len(parts) > index and parts[index] is not None:
                parts[index] = iter(parts[index])
        return tuple(parts)


class Self:
    # An object in its own arguments, as in bpo-12687.
    def __reduce__(self):
        return Self, (self.part,), None


class Kept:
    # Arguments that are the same objects each time.
    def __reduce__(self):
        return Kept, self.args


class List(list):
    pass


class Dict(dict):
    pass


class Set(set):
    pass


class Colour(enum.Enum):
    RED = 1


class Outer:
    class Inner:
        class Deep:
            pass


class Named:
    def __reduce__(self):
        return 'NAMED'


class Registered:
    pass


NAMED = Named()
Pair = collections.namedtuple('Pair', 'left right')


def setter(obj, state):
    pass


def function():
    pass


def things():
    yield from [None, True, 0, -1, 255, 256, 65535, 65536, 2**31, -2**31, -2**31 - 1, 2**63, -2**63 - 1,
                2**2039, 2**2040, -2**3000, 10**4000, 0.0, -0.0, 1e300, 1e16, 1.5e-7, float('nan'), float('-inf')]
    yield from ['', 'a', 'spam', 'x' * 255, 'x' * 256, '\xff\u20ac\U0001f600', '\udc80 lone \ud800', 'a\\b\n\r\0\x1a']
    yield from [b'', b'a', b'spam', bytes(range(256)), bytearray(), bytearray(b'\xff' * 300)]
    for count in (0, 1, 2, 3, 4, 999, 1000, 1001, 1002, 1999, 2000, 2001, 3000):
        items = list(range(count))
        yield items
        yield tuple(items)
        yield dict.fromkeys(items)
        yield set(items)
        yield frozenset(items)
        yield List(items)
        yield Dict.fromkeys(items, 'x')
        yield Set(items)
        yield collections.deque(items)
        yield collections.OrderedDict.fromkeys(items)
        yield Reduced(Plain, (), None, items, list(zip(items, items)))
    # Frames and large payloads.
    yield ['y' * 40000, 'z' * 40000, 1]
    yield ['y' * 70000, b'z' * 65536, bytearray(b'w' * 65535), 'v' * 65535]
    yield 'x' * 200000
    yield list(map(str, range(60000)))
    yield [Plain(a=i, b=str(i), c=[i]) for i in range(5000)]
    # Sharing and cycles.
    shared = ['shared']
    pair = (shared, 1)
    yield [shared, shared, pair, pair, {'k': pair}, 'name', 'name']
    for make in (tuple, lambda items: tuple([*items, 1, 2, 3])):
        inner = []
        outer = make([inner])
        inner.append(outer)
        yield outer
        yield inner
        yield [outer, inner, outer]
        known = {}
        outer = make([known, (known,)])
        known['me'] = outer
        known['again'] = (outer, outer)
        yield outer
    knot = Plain()
    knot.me, knot.tuple, knot.set, knot.frozen = knot, (knot,), {knot}, frozenset([knot])
    yield knot
    yield knot.tuple
    yield knot.set
    yield knot.frozen
    yield [knot.frozen, knot]
    for value in (Reduced(Plain, ()), Plain()):
        state = {'owner': value}
        if isinstance(value, Reduced):
            value.parts = (Plain, (), state, [value, (value,)], [('k', value)])
        else:
            value.state = state
        yield value
    loop = Self()
    loop.part = [loop, (loop,)]
    yield loop
    yield [loop, loop.part]
    other = Plain(loop=loop)
    loop = Self()
    loop.part = {'k': [other, other]}
    other.loop = loop
    yield loop
    yield other
    keep = Kept()
    keep.args = ([],)
    keep.args[0].append(keep)
    yield keep
    deep = None
    for _ in range(300):
        deep = [(deep,), deep]
    yield deep
    # Classes, functions, instances.
    slots = Slots()
    slots.a = slots
    yield from [int, len, Plain, Outer, Outer.Inner, Outer.Inner.Deep, [Outer.Inner.Deep, Outer.Inner, Outer],
                function, str.upper, [].append, collections.UserDict, range, type(None), ..., NotImplemented]
    yield from [Plain(), Plain(a=1), [Plain(a=1, b=2) for _ in range(3)], slots, NewArgs(), NewArgsEx(),
                [NewArgsEx(), NewArgsEx()], NAMED, Colour.RED, [Colour.RED] * 2, Pair(1, [2]), functools.partial(int, '1', base=2)]
    yield from [datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), decimal.Decimal('1.5'), fractions.Fraction(1, 3),
                complex(1, 2), collections.Counter('abca'), collections.defaultdict(list, a=[1]), slice(1, 2), range(3),
                ValueError('x', 1), FileNotFoundError(2, 'x', 'y'), ModuleNotFoundError('m')]
    yield from [Reduced(Plain, (1,), 'state'), Reduced(Plain, (), 0), Reduced(Plain, (), {}), Reduced(Plain, (), ({'a': 1}, {'b': 2})),
                Reduced(Plain, (), None, [1], [('a', 1)]), Reduced(Plain, (), 'state', None, None, setter),
                Reduced(Plain, (), {'a': [1]}, [1, 2], [('a', 1), ('b', 2)], setter), Reduced(copyreg.__newobj__, (Reduced, 1), 'x'),
                Reduced(getattr, (Plain, '__name__'))]
    # As cloudpickle: a function made bare, then filled by a setter whose state refers to it.
    made = Reduced(Plain, ('code',))
    made.parts = (Plain, ('code',), ({'globals': {'made': made}}, {'closure': (made,)}), None, None, setter)
    yield made
    yield [made, (made, setter)]
    yield [Registered, Registered(), Registered]


class Persistent(pickle.Pickler):
    def persistent_id(self, obj):
        if isinstance(obj, Plain):
            return 'id' if self.text else ('tuple', [len(obj.__dict__)], 'tuple')


class Overriding(pickle.Pickler):
    def reducer_override(self, obj):
        return (Plain, ('over',), {'f': obj.__name__}) if obj is function else NotImplemented


def dumped(cls, thing, protocol, **attributes):
    file = io.BytesIO()
    pickler = cls(file, protocol)
    for name, value in attributes.items():
        setattr(pickler, name, value)
    pickler.dump(thing)
    return file.getvalue()


def pickles(thing, protocol):
    yield pickle.dumps(thing, protocol)
    yield pickle.dumps(thing, protocol, fix_imports=False)
    yield dumped(pickle.Pickler, thing, protocol)


def optimized(thing, protocol):
    # Frames of pickletools end elsewhere.
    data = pickletools.optimize(pickle.dumps(thing, protocol))
    return [data] if len(data) < 65536 else []


def emit_all(protocol, make):
    try:
        for data in make():
            emit(str(protocol))
            emit(data)
    except (TypeError, pickle.PicklingError, AttributeError, ValueError, RecursionError):
        pass  # not every thing has a form in every protocol


copyreg.add_extension(__name__, 'Registered', 0x1234)
for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
    for thing in things():
        emit_all(protocol, lambda: pickles(thing, protocol))
        emit_all(protocol, lambda: optimized(thing, protocol))
    plains = [Plain(a=1), 'x', Plain(a=1), (Plain(),), Plain]
    emit_all(protocol, lambda: [dumped(Persistent, plains, protocol, text=True)])
    emit_all(protocol, lambda: [dumped(Persistent, plains, protocol, text=protocol == 0)])
    emit_all(protocol, lambda: [dumped(Overriding, [function, function], protocol)])
    fast = [Plain(a=[1], b={'c': (1, 2)}), 'x', 'x', b'bytes']
    emit_all(protocol, lambda: [dumped(pickle.Pickler, fast, protocol, fast=True)])
buffers = [bytearray(b'one'), b'two', bytearray(b'x' * 70000)]
for callback in (lambda buffer: False, lambda buffer: True):
    views = [*map(pickle.PickleBuffer, buffers), buffers[0]]
    emit_all(5, lambda: [pickle.dumps(views, 5, buffer_callback=callback)])
