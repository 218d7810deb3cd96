# Loads each pickle and writes what it found, types and identities kept, or the exception. Every class
# and function is a symbol that notes what befalls it, but for those that picklers use to make builtin
# objects.
import _codecs, _compat_pickle, copy, copyreg, functools, io, pickle, struct


@functools.cache
def symbol(module, name):
    return Meta(name, (Symbol,), {'home': module})


def attribute(obj, name, *default):
    if isinstance(obj, Meta) and 'home' in vars(obj):
        return obj.__new__ if name == '__new__' else symbol(obj.home, f'{obj.__name__}.{name}')
    return record(symbol('builtins', 'getattr'), 'call', [obj, name, *default], {})


def newobj(cls, *args):
    return cls.__new__(cls, *args)


def call(self, *args, **kwargs):
    """A call, noted with its first argument too: it may be there to change that."""
    if hasattr(args[0] if args else None, 'effects'):
        args[0].effects.append(('given', self, *args[1:]))
    if getattr(self, 'home', '') == 'copies':
        args = [copy.copy(arg) for arg in args]
        kwargs = {name: copy.copy(arg) for name, arg in kwargs.items()}
    made = record(Symbol, 'call', args, kwargs)
    made.args[0] = self
    return made


# What a call returned may be called.
Meta.__call__ = Symbol.__call__ = call


def skeleton(*args):
    """A class that is made by a call, as cloudpickle and dill do it."""
    return Meta('skeleton', (Symbol,), {'how': 'call', 'args': ['skeleton', *args], 'effects': []})


KNOWN = {
    ('_codecs', 'encode'): _codecs.encode, ('builtins', 'getattr'): attribute, ('copyreg', '__newobj__'): newobj,
    ('functools', 'partial'): functools.partial,
    **{('cloudpickle.cloudpickle', f'_make_skeleton_{kind}'): skeleton for kind in ('class', 'enum')},
    ('dill._dill', '_create_type'): skeleton,
    **{('builtins', each.__name__): each for each in (set, frozenset, bytes, bytearray)},
}


def renamed(names, modules, module, name):
    if (module, name) in names:
        return names[module, name]
    return modules.get(module, module), name


class Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        # To Python 2 and back: what it had one name for is one.
        for names, modules in ((_compat_pickle.REVERSE_NAME_MAPPING, _compat_pickle.REVERSE_IMPORT_MAPPING),
                               (_compat_pickle.NAME_MAPPING, _compat_pickle.IMPORT_MAPPING)):
            module, name = renamed(names, modules, module, name)
        if '.' in name:
            outer, _, inner = name.rpartition('.')
            return attribute(self.find_class(module, outer), inner)
        known = KNOWN.get((module, name))
        return symbol(module, name) if known is None else known

    def persistent_load(self, pid):
        return record(symbol('', 'pid'), 'pid', [pid], {})


def show(obj, seen):
    def all(name, children):
        return f'{name}({" ".join([show(child, seen) for child in children])})'

    if obj is None or isinstance(obj, bool):
        return str(obj)
    if isinstance(obj, int):
        return f'int:{obj:x}'
    if isinstance(obj, float):
        return 'float:' + struct.pack('>d', obj).hex()
    if isinstance(obj, Meta) and 'home' in vars(obj):
        return f'global({obj.home}.{obj.__name__})'
    if obj in KNOWN.values() if callable(obj) and not isinstance(obj, Symbol) else False:
        return f'known:{obj.__name__}'
    if isinstance(obj, (str, bytes)) and len(obj) < 2 or type(obj) is tuple and not obj:
        return f'{type(obj).__name__}:{obj!r}'
    if id(obj) in seen:
        return f'#{seen[id(obj)]}'
    seen[id(obj)] = len(seen)
    match obj:
        case str():
            return 'str:' + obj.encode('utf-8', 'surrogatepass').hex()
        case bytes() | bytearray():
            return f'{type(obj).__name__}:{obj.hex()}'
        case tuple() | list():
            return all(type(obj).__name__, obj)
        case set() | frozenset():
            return all(type(obj).__name__, sorted(obj, key=lambda item: show(item, {id(obj): 0})))
        case dict():
            return all('dict', [child for item in obj.items() for child in item])
        case memoryview():
            return f'memoryview:{obj.readonly}:{obj.hex()}'
        case Symbol() if obj.how == 'pid':
            return f'pid({show(obj.args[1], {})})'
        case Symbol() | Meta():
            text = all(obj.how, obj.args)
            for name, *children in obj.effects:
                text += all('.' + name, children)
            return text
        case functools.partial():
            return all('partial', [obj.func, *obj.args, obj.keywords])
    return f'other:{type(obj).__name__}'


for number, code in enumerate((0xF0, 0xF0F0, 0x7FFFFFF0, 0x1234, 1, 257, 65537)):
    copyreg.add_extension('m', f'Ext{number}', code)
for data in unpack():
    try:
        buffers = [bytearray(b'%d' % number) for number in range(32)]
        result = Unpickler(io.BytesIO(data), encoding='latin-1', buffers=buffers).load()
        emit(show(result, {}))
    except Exception as exception:
        emit(f'{type(exception).__name__}: {exception}')
