# Pickles of all kinds of things in all protocols. Run with `emit` defined.
import array, collections, datetime, decimal, fractions, io, math, pickle, unicodedata, uuid


class Plain:
    def __init__(self, **state):
        self.__dict__.update(state)


class Slots:
    __slots__ = 'a', 'b'


class Args(tuple):
    def __new__(cls, *args, **kwargs):
        return super().__new__(cls, args)

    def __getnewargs_ex__(self):
        return tuple(self), {'key': 1}


class Reduced:
    def __reduce__(self):
        return Reduced, (), {'s': 1}, iter([1, 2]), iter({'k': 'v'}.items())

    append = extend = __setitem__ = lambda *args: None


class Dict(dict):
    pass


class Pid:
    pass


class Pickler(pickle._Pickler):
    def persistent_id(self, obj):
        return 'the "pid"' if isinstance(obj, Pid) else None


slots = Slots()
slots.a = [1]
cycle = []
cycle.append((cycle, {'me': cycle}))
knot = Plain()
knot.knot = knot
deep = None
for _ in range(60):
    deep = [deep]

leaves = [
    None, True, False, 0, 1, -1, 255, 256, 65535, 65536, -2**31, 2**31, 2**63, -2**63, 2**64, -2**64 - 1,
    10**100, -10**100, 1 << 2040, 1 << 4096, 0.0, -0.0, 1.5, 1e15, 1e16, 1e-4, 1e-5, 1e300, 5e-324, 0.1,
    math.inf, -math.inf, math.nan,
    '', 'spam', "it's", 'say "x"', 'both \' and "', 'tab\tnl\ncr\r\\', '\x00\x1a\x7f\x80\xa0\xad\xff', '\u20ac', '\u2028',
    '\U0001f600', '\ud800 lone', '\u0378', '\ue000', '\U000e0100', '\x85', 'a' * 300, '\u0301',
    b'', b'spam', b"it's", b'\x00\x7f\xff"', bytes(range(256)), b'x' * 70000, bytearray(b'ba'), bytearray(),
]
things = [
    *leaves, leaves, tuple(leaves), (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], [1], [1, 2], {}, {1: 2},
    {str(i): i for i in range(2500)}, list(range(2500)), set(), {1, 2}, frozenset(), frozenset('ab'),
    cycle, knot, deep, Plain(a=1, b='x'), [Plain(a=1)] * 3, slots, Args((1, 2)), Reduced(), Dict(a=1),
    int, len, collections.OrderedDict.fromkeys, datetime.datetime(2026, 1, 2), decimal.Decimal('1.5'),
    fractions.Fraction(1, 3), uuid.UUID(int=5), array.array('i', [1, 2]), collections.deque([1]), complex(1, -0.0),
    collections.Counter('abca'), collections.defaultdict(list, a=[1]), range(3), slice(1, 2), 'x' * 66000,
    ['y' * 40000, 'z' * 40000], datetime.timedelta(1), Ellipsis, NotImplemented, [Pid(), Pid()],
]
for thing in things:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        for fix_imports in (True, False):
            file = io.BytesIO()
            try:
                Pickler(file, protocol, fix_imports=fix_imports).dump(thing)
            except (TypeError, pickle.PicklingError, UnicodeEncodeError):
                continue  # not every thing has a form in every protocol
            emit(file.getvalue())

# Each character that this Python knows, for what `repr` shows of it.
for start in range(0, 0x110000, 0x1000):
    codes = range(start, start + 0x1000)
    text = ''.join(char for char in map(chr, codes) if unicodedata.category(char) != 'Cn')
    if text:
        emit(pickle.dumps(text, 2))

# What today's picklers no longer write.
emit(b"S'a\\n\\x41\\101\\q'\n.")
emit(b'S"it\'s"\n.')
emit(b'T\x03\x00\x00\x00a\xe9b.')
emit(b'U\x02\xffa.')
emit(b'(cm\nC\nI1\noI2\n0.')
emit(b'(I1\nimod\nCls\n.')
emit(b'(lp0\nI00\naI01\naI-5\nag0\n.')
emit(b'Pan id\n.')
emit(b'(NN1N0(0I 1\n.')
emit(b'\x82\x01\x83\x01\x01\x84\x01\x01\x01\x00tN.')
emit(b'N2\x86.')
emit(b'L12L\n0L-12\n0L12345678901234567890L\n.')
emit(b'F1.5\n0Fnan\n0F-inf\n0F1e999\n0F1e3\n.')
emit(b'V\\u20ac\\U0001f600\\x41\xe9\n.')
emit(b'\x97\x98.')
emit(b'\x8b\x02\x00\x00\x00\xff\x7f.')
emit(b'\x8d\x01\x00\x00\x00\x00\x00\x00\x00a0\x8e\x01\x00\x00\x00\x00\x00\x00\x00b.')
