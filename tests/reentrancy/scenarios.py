"""What hooks may do to the pickler, the unpickler, the file and the objects while they run.

A scenario is a function of a `Pair`: the module under test and the interpreter's own. It asserts what must come of
it; that nothing crashes and nothing leaks is watched by whoever runs it (one.py, in a process of its own).
`pair.same(f)` holds the tested module to what the interpreter does; where that itself crashes or leaks, `stock_fails`
says before which version, and there the tested module runs alone.
"""

import codecs
import collections
import contextlib
import copyreg
import gc
import io
import os
import pickle
import subprocess
import sys
import threading
import types
import warnings
import weakref

import modules
from isomorphism import without_addresses

SCENARIOS = {}
STILL = (9,)  # stock_fails: in every version so far


def scenario(function=None, *, stock_fails=None):
    if function is None:
        return lambda function: scenario(function, stock_fails=stock_fails)
    function.stock_is_safe = stock_fails is None or sys.version_info >= stock_fails
    SCENARIOS[function.__name__] = function
    return function


class Pair:
    def __init__(self, tested, with_stock):
        self.tested, self.with_stock = tested, with_stock

    def same(self, function):
        """The outcome of function(module), which must be what it is with the interpreter's own."""
        mine = outcome(function, self.tested)
        if self.with_stock:
            theirs = outcome(function, modules.stock)
            if theirs[:2] == ("error", SystemError):  # the interpreter's own confusion, on older versions
                assert mine[0] == "error" and mine[1] is not SystemError, mine
                return mine
            assert mine == theirs, f"\n  stock:  {theirs}\n  tested: {mine}"
        return mine

    def survives(self, function):
        """The outcome with the tested module alone: whatever it is, it must not crash."""
        return outcome(function, self.tested)

    def raises(self, error, function):
        found = outcome(function, self.tested)
        assert found[0] == "error" and found[1] is error, found
        return found


def outcome(function, module):
    try:
        return "value", function(module)
    except Exception as error:
        return "error", type(error), told(error), [type(e) for e in chain_of(error)]


def told(error):
    """The message, without what tells one process or one module's name from the other."""
    return without_addresses(str(error)).replace("halfsour._pickle.", "_pickle.")


def chain_of(error):
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
        yield error


# Things to pickle

class Hooked:
    """Runs an action when it is pickled; what it pickles as is up to the action, else an empty list."""

    def __init__(self, action):
        self.action = action

    def __reduce__(self):
        return self.action() or (list, ())


class Plain:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class Slots:
    __slots__ = ("a", "b")


class Planted(Exception):
    pass


class File:
    """Collects what is written, after an action."""

    def __init__(self, action=lambda data: None):
        self.action, self.data = action, []

    def write(self, data):
        self.action(data)
        self.data.append(bytes(data))
        return len(data)

    def value(self):
        return b"".join(self.data)


def once(action):
    """The action, the first time only."""
    left = [action]

    def run(*args):
        if left:
            left.pop()(*args)
    return run


def dumped(make, protocol=4):
    """A function of a module: pickles what make() returns, in a pickler that make is given."""
    def run(module):
        file = File()
        pickler = module.Pickler(file, protocol)
        pickler.dump(make(pickler))
        return file.value()
    return run


# The container changes while it is pickled

def _changing_list(change, size, at, protocol):
    def make(pickler):
        items = list(range(size))
        items[at] = Hooked(once(lambda: change(items)))
        return items
    return dumped(make, protocol)


CHANGES = {
    "clear": lambda items: items.clear(),
    "pop": lambda items: items.pop(),
    "append": lambda items: items.append("new"),
    "extend": lambda items: items.extend(range(1500)),
    "cut": lambda items: items.__delitem__(slice(1, None)),
    "replace": lambda items: items.__setitem__(slice(None), ["other"] * len(items)),
}


def _list_scenarios():
    for name, change in CHANGES.items():
        def run(pair, change=change):
            for protocol in (0, 1, 2, 4, 5):
                for size, at in ((1, 0), (2, 0), (2, 1), (10, 5), (1001, 3), (1001, 999), (1001, 1000), (2000, 1999)):
                    pair.same(_changing_list(change, size, at, protocol))
        run.__name__ = f"list_{name}_in_reduce"
        scenario(run)


_list_scenarios()


def _changing_dict(change, size, protocol, kind=dict):
    def make(pickler):
        items = kind((number, number) for number in range(size))
        items[0] = Hooked(once(lambda: change(items)))
        return items
    return dumped(make, protocol)


DICT_CHANGES = {
    "clear": lambda items: items.clear(),
    "pop": lambda items: items.popitem(),
    "insert": lambda items: items.update(new=1),
    "exchange": lambda items: (items.popitem(), items.update(new=1)),
    "replace": lambda items: items.update(dict.fromkeys(items, "other")),
    "grow": lambda items: items.update((f"k{number}", number) for number in range(3000)),
}


def _dict_scenarios():
    for name, change in DICT_CHANGES.items():
        def run(pair, change=change):
            for protocol in (0, 1, 4):
                for size in (1, 2, 10, 1001):
                    pair.same(_changing_dict(change, size, protocol))
                    pair.same(_changing_dict(change, size, protocol, collections.OrderedDict))
        run.__name__ = f"dict_{name}_in_reduce"
        scenario(run)


_dict_scenarios()


class Key:
    """Hashable, with an action when it is pickled."""

    def __init__(self, action):
        self.action = action

    def __hash__(self):
        return 7

    def __reduce__(self):
        return self.action() or (int, ())


@scenario
def set_changes_in_reduce(pair):
    for protocol in (1, 4, 5):
        for change in (set.clear, lambda items: items.add("new"), lambda items: items.pop(),
                       lambda items: items.update(range(5000))):
            def make(pickler, change=change):
                items = {1, 2, 3}
                items.add(Key(once(lambda: change(items))))
                return items
            pair.same(dumped(make, protocol))


@scenario
def dict_changes_by_its_key(pair):
    for protocol in (0, 4):
        for change in DICT_CHANGES.values():
            def make(pickler, change=change):
                items = {}
                items[Key(once(lambda: change(items)))] = "value"
                items["k"] = 1
                return items
            pair.same(dumped(make, protocol))


@scenario
def instance_dict_changes(pair):
    changes = (lambda obj: vars(obj).clear(), lambda obj: setattr(obj, "new", 1), lambda obj: delattr(obj, "z"),
               lambda obj: setattr(obj, "__dict__", {"other": 1}),
               lambda obj: vars(obj).update(dict.fromkeys("abcdefgh")))
    for protocol in range(6):
        for change in changes:
            def make(pickler, change=change):
                obj = Plain(a=1, z=2)
                obj.hook = Hooked(once(lambda: change(obj)))
                obj.last = [3]
                return [obj, obj]
            pair.same(dumped(make, protocol))


@scenario
def slots_change(pair):
    def make(pickler):
        obj = Slots()
        obj.a = Hooked(once(lambda: delattr(obj, "b")))
        obj.b = ["b"]
        return [obj, obj]
    for protocol in (2, 4, 5):
        pair.same(dumped(make, protocol))


@scenario
def items_iterator_changes_its_list(pair):
    for protocol in (0, 1, 4):
        for size in (1, 2, 1001):
            def make(pickler, size=size):
                items = list(range(size))

                def iterate():
                    for item in list(items):
                        items.clear()
                        yield [item]
                return Hooked(lambda: (list, (), None, iterate()))
            pair.same(dumped(make, protocol))


@scenario
def pairs_iterator_gives_what_it_gave(pair):
    """A generator that yields one tuple after the other, each freed as the next comes."""
    def make(pickler):
        return Hooked(lambda: (dict, (), None, None, ((f"k{n}", ["v", n]) for n in range(1500))))
    for protocol in (0, 1, 2, 4):
        pair.same(dumped(make, protocol))


@scenario
def temporaries_are_kept_for_the_memo(pair):
    """Fresh objects from every reduce: if one were freed, the next would get its address and be taken for it."""
    def make(pickler):
        return [Hooked(lambda n=n: (dict, (), None, None, iter([(str(n), [n])]))) for n in range(300)]
    for protocol in (0, 2, 4):
        pair.same(dumped(make, protocol))


# The object goes away while it is pickled

def _vanishing(hook):
    """A pickler class whose hook empties the list that alone holds the object at hand."""
    def run(module):
        holder = [[Plain(a=object.__new__(Plain)), {"k": "v" * 10}, ("t", 1.5), "s" * 30, {1}, bytearray(b"b")]]

        class Pickler(module.Pickler):
            pass

        def empty(self, obj, holder=holder):
            if type(obj) is not list:
                while holder and holder[0]:
                    holder[0].clear()
                gc.collect()
            return hook(obj)

        setattr(Pickler, "persistent_id" if hook is no_id else "reducer_override", empty)
        file = File()
        Pickler(file, 4).dump(holder[0])
        return file.value()
    return run


def no_id(obj):
    return None


def no_override(obj):
    return NotImplemented


@scenario(stock_fails=(3, 15))
def object_vanishes_in_persistent_id(pair):
    pair.survives(_vanishing(no_id))


@scenario(stock_fails=(3, 15))
def object_vanishes_in_reducer_override(pair):
    pair.survives(_vanishing(no_override))


class Elusive:
    """Looking up its __reduce_ex__ empties the container that holds it."""

    container = None

    def __getattribute__(self, name):
        if name == "__reduce_ex__":
            container = Elusive.container
            if container:
                container.clear()
                gc.collect()
        return object.__getattribute__(self, name)


@scenario(stock_fails=(3, 15))
def object_vanishes_in_getattribute(pair):
    def run(module):
        for container in ([Elusive(), 1], {"k": Elusive()}, {"k": Elusive(), "l": [2]}):
            Elusive.container = container
            with contextlib.suppress(Exception):
                module.dumps(container, 4)
        Elusive.container = None
    pair.survives(run)


@scenario(stock_fails=(3, 15))
def object_vanishes_in_dispatch_table(pair):
    class Table(dict):
        def __getitem__(self, key):
            items.clear()
            gc.collect()
            raise KeyError(key)

    items = []

    def run(module):
        items[:] = [Plain(x=1), Plain(y=2)]
        pickler = module.Pickler(File(), 4)
        pickler.dispatch_table = Table()
        pickler.dump(items)
    pair.survives(run)


# The pickler changes while it runs

def _hook_on_pickler(action, protocol=4):
    def make(pickler):
        shared = ["shared"]
        return [shared, "text", Hooked(lambda: action(pickler)), shared, "text", Plain(a=shared)]
    return dumped(make, protocol)


def _pickler_scenarios():
    actions = {
        "clear_memo": lambda pickler: pickler.clear_memo(),
        "memo_clear": lambda pickler: pickler.memo.clear(),
        "memo_assigned": lambda pickler: setattr(pickler, "memo", {}),
        "memo_copied_back": lambda pickler: setattr(pickler, "memo", pickler.memo.copy()),
        "memo_proxy_assigned": lambda pickler: setattr(pickler, "memo", pickler.memo),
        "fast_set": lambda pickler: setattr(pickler, "fast", 1),
        "bin_cleared": lambda pickler: setattr(pickler, "bin", 0),
        "dispatch_table_set": lambda pickler: setattr(pickler, "dispatch_table", {Plain: lambda obj: (dict, ())}),
    }
    for name, action in actions.items():
        def run(pair, action=action):
            for protocol in (0, 2, 4):
                pair.same(_hook_on_pickler(lambda pickler: action(pickler) and None, protocol))
        run.__name__ = f"{name}_in_reduce"
        scenario(run)


_pickler_scenarios()


@scenario
def memo_of_garbage(pair):
    def run(value):
        def assign(module):
            pickler = module.Pickler(File(), 4)
            pickler.dump([1])
            pickler.memo = value
            pickler.dump([2])
            return sorted(entry[0] for entry in pickler.memo.copy().values())
        return assign
    for value in ({1: 2}, {1: (1,)}, {1: (1, 2, 3)}, {1: ("a", 2)}, {"a": (1, 2)}, {-1: (1, 2)}, {1: (-1, 2)}, [],
                  None, 5, {1: (2**70, 3)}, {2**70: (1, 3)}):
        pair.same(run(value))


@scenario
def memo_of_unpickler_assigned(pair):
    def run(value):
        def assign(module):
            unpickler = module.Unpickler(io.BytesIO(b"h\x01."))
            unpickler.memo = value
            return unpickler.load()
        return assign
    for value in ({0: "zero"}, {-1: 2}, {"a": 2}, [], None, {2**70: 1}):
        pair.same(run(value))
    # The interpreter forgets what is in such a dictionary (gh-111066).
    assert pair.survives(run({1: "one"})) == ("value", "one")


@scenario
def memo_proxy_outlives_its_owner(pair):
    def run(module):
        pickler = module.Pickler(File())
        pickler.dump(["a"])
        unpickler = module.Unpickler(io.BytesIO(module.dumps(["a"])))
        unpickler.load()
        proxies = pickler.memo, unpickler.memo
        del pickler, unpickler
        gc.collect()
        return [len(proxy.copy()) for proxy in proxies], [proxy.clear() for proxy in proxies], [
            len(proxy.copy()) for proxy in proxies]
    pair.same(run)


@scenario
def dispatch_table_deleted_in_its_lookup(pair):
    class Table:
        def __init__(self, pickler):
            self.pickler = pickler

        def __getitem__(self, key):
            if hasattr(self.pickler, "dispatch_table"):
                del self.pickler.dispatch_table
            raise KeyError(key)

    def run(module):
        file = File()
        pickler = module.Pickler(file, 4)
        pickler.dispatch_table = Table(pickler)
        pickler.dump([Plain(a=1), Plain(b=2), Ellipsis])
        return file.value()
    pair.same(run)


@scenario
def hooks_deleted_while_they_run(pair):
    def run(module):
        class Pickler(module.Pickler):
            def persistent_id(self, obj):
                del Pickler.persistent_id
                return None

            def reducer_override(self, obj):
                del Pickler.reducer_override
                return NotImplemented

        file = File()
        pickler = Pickler(file, 4)
        pickler.dump([Plain(), Plain(), 1])
        return file.value()
    pair.same(run)


@scenario
def copyreg_changes_in_reduce(pair):
    def run(change):
        def make(pickler):
            return [Hooked(once(change)), Plain(a=1), Plain(b=2)]

        def clean(module):
            try:
                return dumped(make)(module)
            finally:
                copyreg.dispatch_table.pop(Plain, None)
        return clean
    pair.same(run(lambda: copyreg.pickle(Plain, lambda obj: (dict, ()))))
    pair.same(run(lambda: copyreg.dispatch_table.update({Plain: lambda obj: copyreg.dispatch_table.pop(Plain)})))


def _initialised_again(module):
    """__init__ in the middle of a dump. Newer versions refuse; whatever comes, the pickler is usable afterwards."""
    file, other = File(), File()
    pickler = module.Pickler(file, 4)
    errors = []

    def again():
        try:
            pickler.__init__(other, 2)
        except RuntimeError as error:
            errors.append(str(error))

    with contextlib.suppress(Exception):
        pickler.dump([Hooked(again), [1, 2, 3]])
    last = File()
    pickler.__init__(last, 4)
    pickler.dump(["afterwards"])
    assert pickle.loads(last.value()) == ["afterwards"]
    return errors


@scenario(stock_fails=(3, 14, 3))
def pickler_init_in_reduce(pair):
    (pair.same if pair.with_stock else pair.survives)(_initialised_again)


# Re-entry

REFUSED = RuntimeError


def _reentering_dump(place):
    def run(module):
        file = File()
        table = {}

        class Pickler(module.Pickler):
            if place == "persistent_id":
                def persistent_id(self, obj):
                    self.dump(1)
            if place == "reducer_override":
                def reducer_override(self, obj):
                    self.dump(1)
                    return NotImplemented

        if place == "write":
            file.action = lambda data: pickler.dump(1)
        options = {"buffer_callback": lambda buffer: pickler.dump(1)} if place == "buffer_callback" else {}
        pickler = Pickler(file, 5, **options)
        if place == "dispatch":
            table[Plain] = lambda obj: pickler.dump(1)
            pickler.dispatch_table = table
        if place == "dispatch lookup":
            class Table:
                def __getitem__(self, key):
                    pickler.dump(1)
            pickler.dispatch_table = Table()
        if place == "copyreg":
            copyreg.pickle(Plain, lambda obj: pickler.dump(1))
        objects = {
            "reduce": Hooked(lambda: pickler.dump(1)),
            "iterator": Hooked(lambda: (list, (), None, (pickler.dump(n) for n in range(3)))),
            "getattr": Getattr(lambda: pickler.dump(1)),
            "buffer_callback": pickle.PickleBuffer(b"b"),
        }
        try:
            pickler.dump([objects.get(place, Plain(a=1)), "x" * 100_000])
        finally:
            copyreg.dispatch_table.pop(Plain, None)
    return run


class Getattr:
    def __init__(self, action):
        self.action = action

    @property
    def __getstate__(self):
        return self.action()


PLACES = ("persistent_id", "reducer_override", "write", "buffer_callback", "dispatch", "dispatch lookup", "copyreg",
          "reduce", "iterator", "getattr")


@scenario
def reentrant_dump_is_refused(pair):
    for place in PLACES:
        pair.raises(REFUSED, _reentering_dump(place))
    if sys.version_info >= (3, 14, 3):
        for place in PLACES:
            pair.same(_reentering_dump(place))


@scenario
def a_refused_dump_does_no_harm(pair):
    """The hook swallows the error, and the dump goes on as if nothing had been."""
    def run(module):
        file = File()
        pickler = module.Pickler(file, 4)
        refused = []

        def again():
            try:
                pickler.dump("inner")
            except RuntimeError as error:
                refused.append(str(error))
        shared = ["shared"]
        pickler.dump([shared, Hooked(again), shared])
        pickler.dump(shared)
        return file.value(), len(refused)
    data, refused = pair.survives(run)[1]
    assert refused == 1
    again = io.BytesIO(data)
    unpickler = pickle.Unpickler(again)
    first, second = unpickler.load(), unpickler.load()
    assert first == [["shared"], [], ["shared"]] and first[0] is first[2] is second
    if sys.version_info >= (3, 14, 3):
        pair.same(run)


class Loader:
    """Makes Unpicklers whose globals come from a table: b"cx\\nname\\n"."""

    def __init__(self, data, **table):
        self.data, self.table = data, table

    def __call__(self, module, file=None):
        table = self.table

        class Unpickler(module.Unpickler):
            def find_class(self, module, name):
                found = table[name]
                return found(self) if name.startswith("call") else found

            def persistent_load(self, pid):
                return Reentrant.action()

        return Unpickler(file or io.BytesIO(self.data))


class Reentrant:
    """An instance of it calls its action wherever a load touches it."""

    action = None

    def __hash__(self):
        Reentrant.action()
        return 1

    def __setstate__(self, state):
        Reentrant.action()

    def append(self, item):
        Reentrant.action()

    def __setitem__(self, key, value):
        Reentrant.action()

    def add(self, item):
        Reentrant.action()


class OnNew(Reentrant):
    def __new__(cls, *args):
        Reentrant.action()
        return object.__new__(cls)


class OnSetattr:
    def __setattr__(self, name, value):
        Reentrant.action()


class DictWithAction(dict):
    def __setitem__(self, key, value):
        Reentrant.action()
        super().__setitem__(key, value)


class OwnDict:
    """Its __dict__ is a dict subclass with hooks."""

    def __init__(self):
        self.__dict__ = DictWithAction()


class OnDel:
    def __del__(self):
        if Reentrant.action:
            Reentrant.action()


def call(*args):
    Reentrant.action()
    return list(args)


LOADS = {
    "find_class": b"cx\ncall_find\n.",
    "reduce": b"cx\nfunction\n)R.",
    "new": b"\x80\x02cx\nOnNew\n)\x81.",
    "new_ex": b"\x80\x04cx\nOnNew\n)}\x92.",
    "obj": b"(cx\nOnNew\no.",
    "inst": b"(ix\nOnNew\n.",
    "setstate": b"\x80\x02cx\nReentrant\n)\x81}b.",
    "setattr": b"\x80\x02cx\nOnSetattr\n)\x81N}U\x01aNs\x86b.",
    "own dict": b"cx\nOwnDict\n)R}U\x01aNsb.",
    "append": b"\x80\x02cx\nReentrant\n)\x81Na.",
    "appends": b"\x80\x02cx\nReentrant\n)\x81(NNe.",
    "setitem": b"\x80\x02cx\nReentrant\n)\x81NNs.",
    "setitems": b"\x80\x02cx\nReentrant\n)\x81(NNNNu.",
    "additems": b"\x80\x04cx\nReentrant\n)\x81(NN\x90.",
    "hash in dict": b"\x80\x02}cx\nReentrant\n)\x81Ns.",
    "hash in dict of mark": b"\x80\x02(cx\nReentrant\n)\x81Nd.",
    "hash in setitems": b"\x80\x02}(NNcx\nReentrant\n)\x81Nu.",
    "hash in set": b"\x80\x04\x8f(cx\nReentrant\n)\x81\x90.",
    "hash in frozenset": b"\x80\x04(cx\nReentrant\n)\x81\x91.",
    "persistent": b"NQ.",
    "persistent text": b"Pspam\n.",
}
TABLE = {"OnNew": OnNew, "Reentrant": Reentrant, "OnSetattr": OnSetattr, "OwnDict": OwnDict, "function": call,
         "OnDel": OnDel}


def loading(name, action, rest=b"", **table):
    """A load in the middle of which action(unpickler) runs."""
    def run(module):
        def call_find(unpickler):
            Reentrant.action()
            return list

        unpickler = Loader(LOADS[name] + rest, call_find=call_find, **TABLE, **table)(module)
        Reentrant.action = staticmethod(lambda: action(unpickler))
        try:
            return type(unpickler.load()).__name__
        finally:
            Reentrant.action = None
    return run


def _load_scenarios():
    for name in LOADS:
        def refused(pair, name=name):
            pair.raises(REFUSED, loading(name, lambda unpickler: unpickler.load(), b"N."))
            if sys.version_info >= (3, 14, 3):
                pair.same(loading(name, lambda unpickler: unpickler.load(), b"N."))
        refused.__name__ = f"reentrant_load_in_{name.replace(' ', '_')}"
        scenario(refused)

        def harmless(pair, name=name):
            def swallow(unpickler):
                with contextlib.suppress(RuntimeError):
                    unpickler.load()
            found = pair.survives(loading(name, swallow, b"N."))
            if pair.with_stock:
                assert found == outcome(loading(name, lambda unpickler: None, b"N."), modules.stock), found
        harmless.__name__ = f"a_refused_load_does_no_harm_in_{name.replace(' ', '_')}"
        scenario(harmless)

        def memo(pair, name=name):
            for change in (lambda u: u.memo.clear(), lambda u: setattr(u, "memo", {}),
                           lambda u: setattr(u, "memo", {0: "zero", 500: 1}), lambda u: setattr(u, "memo", u.memo),
                           lambda u: u.memo.copy()):
                pair.same(loading(name, lambda unpickler, change=change: change(unpickler) and None))
        memo.__name__ = f"memo_changes_in_{name.replace(' ', '_')}"
        scenario(memo)

        def init(pair, name=name):
            def again(unpickler):
                with contextlib.suppress(RuntimeError):
                    unpickler.__init__(io.BytesIO(b"N."))
            pair.survives(loading(name, again))
            if sys.version_info >= (3, 14, 3):
                pair.same(loading(name, lambda unpickler: unpickler.__init__(io.BytesIO(b"N."))))
        init.__name__ = f"unpickler_init_in_{name.replace(' ', '_')}"
        scenario(init)


_load_scenarios()


@scenario
def memo_cleared_and_then_wanted(pair):
    def run(module):
        data = b"\x80\x04]\x94cx\ncall_find\n0h\x00."
        unpickler = Loader(data, call_find=lambda unpickler: unpickler.memo.clear() or list)(module)
        return unpickler.load()
    pair.same(run)


@scenario
def find_class_and_persistent_load_deleted_while_they_run(pair):
    def run(module):
        class Unpickler(module.Unpickler):
            def find_class(self, module, name):
                del Unpickler.find_class
                return list

            def persistent_load(self, pid):
                del Unpickler.persistent_load
                return pid
        return Unpickler(io.BytesIO(b"(cx\ny\nNQcbuiltins\nlist\nt.")).load()
    pair.same(run)


# Objects that change on the stack of a load

@scenario
def list_changes_between_mark_and_appends(pair):
    """A reduce gets hold, through the memo, of the list whose items are being loaded."""
    for change in (list.clear, lambda items: items.append(5), lambda items: items.extend(range(1000)),
                   lambda items: items.__iadd__(items)):
        def run(module, change=change):
            data = b"\x80\x02]q\x00(K\x01cx\nfunction\nh\x00\x85RK\x02e."
            def function(items):
                change(items)
            return Loader(data, function=function)(module).load()
        pair.same(run)


@scenario
def dict_changes_by_the_hash_of_its_key(pair):
    for change in DICT_CHANGES.values():
        def run(module, change=change):
            class Hash:
                def __hash__(self):
                    if items:
                        change(items[0])
                    return 1

                def __eq__(self, other):
                    return False

            items = []
            data = b"\x80\x02}(K\x01K\x02uq\x00cx\nkeep\nh\x00\x85R0(cx\nHash\n)RK\x03K\x04K\x05u."
            result = Loader(data, Hash=Hash, keep=items.append)(module).load()
            return sorted(map(str, result.values()))
        pair.same(run)


@scenario
def set_changes_by_the_hash_of_its_element(pair):
    for change in (set.clear, lambda items: items.update(range(500))):
        def run(module, change=change):
            class Hash:
                def __hash__(self):
                    if items:
                        change(items[0])
                    return 1

            items = []
            data = b"\x80\x04\x8f(K\x01K\x02\x90q\x00cx\nkeep\nh\x00\x85R0(cx\nHash\n)RK\x03\x90."
            return len(Loader(data, Hash=Hash, keep=items.append)(module).load())
        pair.same(run)


@scenario
def state_changes_while_it_is_built(pair):
    def run(module):
        class Hash(str):
            def __hash__(self):
                if states:
                    states[0].clear()
                return str.__hash__(self)

        states = []
        data = (b"\x80\x02cx\nPlain\n)\x81}q\x00(cx\nHash\n)RK\x01U\x01bK\x02uq\x00cx\nkeep\nh\x00\x85R0b.")
        return vars(Loader(data, Hash=lambda: Hash("a"), keep=states.append, Plain=Plain)(module).load())
    pair.survives(run)


@scenario
def slot_state_changes_while_it_is_built(pair):
    def run(module):
        class Owner:
            def __setattr__(self, name, value):
                states[0].clear()
                object.__setattr__(self, name, value)

        states = []
        data = b"\x80\x02cx\nOwner\n)\x81N}q\x00(U\x01aK\x01U\x01bK\x02ucx\nkeep\nh\x00\x85R0\x86b."
        return sorted(vars(Loader(data, Owner=Owner, keep=states.append)(module).load()))
    pair.survives(run)


# Finalisers

@scenario
def finalisers_run_during_a_load(pair):
    """POP, a memo slot that is written again, a stack that is dropped after an error: each frees an object."""
    streams = {
        "pop": b"\x80\x02cx\nOnDel\n)\x810N.",
        "pop_mark": b"\x80\x02(cx\nOnDel\n)\x811N.",
        "memo": b"\x80\x02cx\nOnDel\n)\x81q\x000Nq\x00.",
        "error": b"\x80\x02cx\nOnDel\n)\x81(cx\nOnDel\n)\x81\xff.",
        "error with memo": b"\x80\x02cx\nOnDel\n)\x81q\x05\xff.",
        "reduce": b"\x80\x02cx\nOnDel\n)\x81\x85cx\nOnDel\n0.",
        "setitem": b"\x80\x02}(K\x01cx\nOnDel\n)\x81K\x01Nu.",
        "result": b"\x80\x02cx\nOnDel\n)\x81.",
    }
    actions = {
        "nothing": lambda unpickler: None,
        "load": lambda unpickler: unpickler.load(),
        "memo": lambda unpickler: unpickler.memo.clear(),
        "memo =": lambda unpickler: setattr(unpickler, "memo", {}),
        "init": lambda unpickler: unpickler.__init__(io.BytesIO(b"N.")),
        "gc": lambda unpickler: gc.collect(),
    }
    for stream in streams.values():
        for action in actions.values():
            def run(module, stream=stream, action=action):
                unpickler = Loader(stream, OnDel=OnDel)(module)

                def act():
                    with contextlib.suppress(Exception):
                        action(unpickler)
                Reentrant.action = staticmethod(act)
                try:
                    with contextlib.suppress(pickle.UnpicklingError):
                        unpickler.load()
                    with contextlib.suppress(Exception):
                        unpickler.load()
                finally:
                    Reentrant.action = None
            assert pair.survives(run) == ("value", None)


@scenario(stock_fails=STILL)
def finalisers_run_during_a_dump(pair):
    """Temporaries of a reduce are freed by clear_memo; their finalisers use the pickler."""
    actions = (lambda pickler: pickler.dump(1), lambda pickler: pickler.clear_memo(),
               lambda pickler: setattr(pickler, "memo", {}), lambda pickler: pickler.__init__(File(), 4),
               lambda pickler: pickler.memo.copy())
    for action in actions:
        def run(module, action=action):
            pickler = module.Pickler(File(), 4)

            def act():
                with contextlib.suppress(Exception):
                    action(pickler)
            Reentrant.action = staticmethod(act)
            try:
                pickler.dump([Hooked(lambda: (id, ([OnDel()],))), Hooked(lambda: pickler.clear_memo()), [1]])
            except Exception:
                pass
            finally:
                Reentrant.action = None
        assert pair.survives(run) == ("value", None)


# Files

class Odd:
    """A file whose methods return what they should not."""

    def __init__(self, data, **methods):
        self._file = io.BytesIO(data)
        self.read, self.readline = self._file.read, self._file.readline
        for name, method in methods.items():
            setattr(self, name, method)


BIG = pickle.dumps(["x" * 3000, b"y" * 200_000, bytearray(b"z" * 70_000)], 5)


@scenario
def files_that_return_nonsense(pair):
    def reading(**methods):
        return lambda module: module.load(Odd(BIG, **methods))
    for method in ("read", "readline", "readinto", "peek"):
        for value in (None, 5, "text", b"", -1, 10**9, b"x" * 10, bytearray(b"x"), memoryview(b"x"), 2**70, 1.5):
            if method == "readinto" and value == 10**9:
                continue  # more than the buffer: see below
            pair.same(reading(**{method: lambda *args, value=value: value}))


@scenario(stock_fails=(3, 15))
def readinto_that_claims_too_much(pair):
    for claim in (10**9, 2**62, -5):
        pair.survives(lambda module, claim=claim: module.load(Odd(BIG, readinto=lambda buffer: claim)))


@scenario(stock_fails=(3, 16))
def readinto_that_keeps_the_buffer(pair):
    """gh-151046: the buffer must stay valid, or be taken away, after the call."""
    def run(module):
        kept = []
        source = io.BytesIO(BIG)

        def readinto(buffer):
            kept.append(buffer)
            return source.readinto(buffer)

        file = Odd(b"", readinto=readinto, read=source.read, readline=source.readline)
        result = module.load(file)
        for buffer in kept:
            try:
                buffer[:] = b"?" * len(buffer)
            except (ValueError, TypeError):
                pass
        length = len(result)
        del result
        for buffer in kept:
            try:
                buffer[:] = b"!" * len(buffer)
            except (ValueError, TypeError):
                pass
        return length
    pair.survives(run)


@scenario
def bytes_do_not_change_after_the_load(pair):
    """bytes are immutable, even for a file that keeps the buffer it was given to fill."""
    def run(module):
        kept = []
        source = io.BytesIO(pickle.dumps(b"y" * 200_000, 4))

        def readinto(buffer):
            kept.append(buffer)
            return source.readinto(buffer)

        result = module.load(Odd(b"", readinto=readinto, read=source.read, readline=source.readline))
        before = hash(result), result[:10]
        for buffer in kept:
            try:
                buffer[:] = b"?" * len(buffer)
            except (ValueError, TypeError):
                pass
        return before[1] == result[:10] == b"yyyyyyyyyy"
    pair.survives(run)


@scenario
def files_that_raise(pair):
    for method in ("read", "readline", "readinto", "peek"):
        for at in range(6):
            def run(module, method=method, at=at):
                source = io.BufferedReader(io.BytesIO(BIG))
                calls = []

                def guarded(name):
                    def call(*args):
                        calls.append(name)
                        if name == method and calls.count(name) > at:
                            raise Planted(name)
                        return getattr(source, name)(*args)
                    return call
                file = Odd(b"", **{name: guarded(name) for name in ("read", "readline", "readinto", "peek")})
                unpickler = module.Unpickler(file)
                try:
                    return len(unpickler.load()), calls
                except Planted:
                    return calls
            pair.same(run)


@scenario
def writers_that_raise_or_change(pair):
    graph = ["a" * 70_000, list(range(30_000)), b"b" * 100_000, bytearray(b"c" * 70_000), Plain(x=1)]
    for protocol in (0, 2, 4, 5):
        for at in range(8):
            def run(module, at=at, protocol=protocol):
                count = []

                def action(data):
                    count.append(len(data))
                    if len(count) > at:
                        raise Planted("write")
                file = File(action)
                pickler = module.Pickler(file, protocol)
                try:
                    pickler.dump(graph)
                except Planted:
                    pass
                file.action = lambda data: None
                first = len(file.data)
                pickler.dump(["afterwards", graph[0]])
                return first, file.value()[-100:]
            pair.same(run)


@scenario
def writer_changes_what_is_written(pair):
    """The chunk is a bytearray's own memory: it cannot be resized while it is out."""
    def run(module):
        payload = bytearray(b"p" * 100_000)
        errors = []

        def action(data):
            try:
                payload.clear()
            except BufferError:
                errors.append("locked")
        file = File(action)
        module.Pickler(file, 5).dump([payload, "end"])
        return len(file.value()), errors
    pair.survives(run)


@scenario
def writer_keeps_the_chunk(pair):
    def run(module):
        kept = []

        class Keeper:
            def write(self, data):
                kept.append(data)
                return len(data)

        module.Pickler(Keeper(), 5).dump([bytearray(b"p" * 100_000), "s" * 100_000, b"b" * 100_000, list(range(9000))])
        gc.collect()
        return sum(map(len, kept)), b"".join(map(bytes, kept))
    pair.same(run)


@scenario
def buffers_that_fail(pair):
    def broken():
        yield b"one"
        raise Planted("buffers")

    data = b"\x80\x05(\x97\x97\x98t."
    for make in (lambda: [b"a"], lambda: [b"a", b"b"], broken, lambda: [1, 2], lambda: 5, lambda: None,
                 lambda: iter([]), lambda: [bytearray(b"x"), memoryview(b"y")], lambda: "ab",
                 lambda: {b"k": 1, b"l": 2}):
        pair.same(lambda module, make=make: [type(x).__name__ for x in module.loads(data, buffers=make())])


@scenario
def buffers_iterator_reenters(pair):
    def run(module):
        def buffers():
            yield b"one"
            unpickler.load()

        unpickler = module.Unpickler(io.BytesIO(b"\x80\x05(\x97\x97t."), buffers=buffers())
        unpickler.load()
    pair.raises(RuntimeError, run)


# PickleBuffer

class Releasing:
    """What a buffer_callback returns; asking whether it is true releases the buffer."""

    def __init__(self, buffer, answer):
        self.buffer, self.answer = buffer, answer

    def __bool__(self):
        self.buffer.release()
        return self.answer


@scenario
def buffer_released_in_the_callback(pair):
    """gh-143308"""
    for answer in (True, False):
        def run(module, answer=answer):
            buffer = pickle.PickleBuffer(bytearray(b"data" * 100))
            return module.dumps(buffer, 5, buffer_callback=lambda buffer: Releasing(buffer, answer))
        pair.survives(run)
        if sys.version_info >= (3, 14, 3):
            pair.same(run)


@scenario
def buffer_callback_and_its_answer_fail(pair):
    class Untrue:
        def __bool__(self):
            raise Planted("bool")

    def fail(buffer):
        raise Planted("callback")

    for callback in (fail, lambda buffer: Untrue(), lambda buffer: [], lambda buffer: buffer):
        pair.same(lambda module, callback=callback: module.dumps(
            [pickle.PickleBuffer(b"data")], 5, buffer_callback=callback))


@scenario
def buffer_released_while_it_is_written(pair):
    def run(module):
        payload = bytearray(b"p" * 200_000)
        buffer = pickle.PickleBuffer(payload)
        file = File(lambda data: buffer.release())
        module.Pickler(file, 5).dump([buffer, "end"])
        return len(file.value())
    pair.survives(run)


# fast

@scenario(stock_fails=(3, 15))
def fast_mode_and_frozensets(pair):
    """gh-146059"""
    def run(module):
        file = File()
        pickler = module.Pickler(file, 4)
        pickler.fast = 1
        cycle = Plain()
        cycle.set = frozenset((cycle,))
        shared = frozenset((1, 2))
        pickler.dump([shared, shared, (shared, [shared])])
        with contextlib.suppress(ValueError, KeyError, RecursionError):
            pickler.dump(cycle)
    pair.survives(run)


# Exceptions from every callback, one after the other

class Ticking:
    """Counts callbacks and raises at one of them."""

    def __init__(self, at):
        self.at, self.log = at, []

    def __call__(self, name):
        self.log.append(name)
        if len(self.log) == self.at:
            raise Planted(name)


class Watched:
    """Every hook of it ticks."""

    tick = None

    def __init__(self, *args):
        Watched.tick("init")
        self.args = args

    def __reduce_ex__(self, protocol):
        Watched.tick("reduce_ex")
        return Watched, (1,), {"state": [2]}, self.items(), self.pairs(), watched_setter

    def items(self):
        for item in (3, ["four"]):
            Watched.tick("item")
            yield item

    def pairs(self):
        for key in ("k", "l"):
            Watched.tick("pair")
            yield key, [key]

    def append(self, item):
        Watched.tick("append")

    def __setitem__(self, key, value):
        Watched.tick("setitem")


def watched_setter(obj, state):
    Watched.tick("state setter")
    obj.state = state


class WatchedState:
    def __getattribute__(self, name):
        Watched.tick(f"getattribute {name}")
        return object.__getattribute__(self, name)

    def __getnewargs_ex__(self):
        Watched.tick("getnewargs_ex")
        return (1,), {"k": [2]}

    def __new__(cls, *args, **kwargs):
        Watched.tick("new")
        return object.__new__(cls)

    def __getstate__(self):
        Watched.tick("getstate")
        return {"a": 1}, {"b": 2}

    def __setstate__(self, state):
        Watched.tick("setstate")

    def __hash__(self):
        Watched.tick("hash")
        return 3

    def __eq__(self, other):
        Watched.tick("eq")
        return self is other


class WatchedSlots:
    __slots__ = ("a",)

    def __setattr__(self, name, value):
        Watched.tick("setattr")
        object.__setattr__(self, name, value)


def watched_graph():
    slots = object.__new__(WatchedSlots)
    object.__setattr__(slots, "a", [1])
    states = object.__new__(WatchedState), object.__new__(WatchedState)
    return [Watched(), states, {states[0]: 1, states[1]: 2}, {states[0], states[1]}, slots, Plain(a=[1]),
            pickle.PickleBuffer(b"oob"), "x" * 70_000]


class WatchedTable:
    def __getitem__(self, key):
        Watched.tick("dispatch table")
        raise KeyError(key)


class WatchedReader:
    def __init__(self, data, names):
        self._file = io.BufferedReader(io.BytesIO(data))
        for name in names:
            setattr(self, name, self._watched(name))

    def _watched(self, name):
        def call(*args):
            Watched.tick(name)
            return getattr(self._file, name)(*args)
        return call


def watched_dump(module, at, protocol):
    def quiet(name):
        return None

    Watched.tick = quiet
    graph = watched_graph()
    tick = Watched.tick = Ticking(at)

    class Pickler(module.Pickler):
        def persistent_id(self, obj):
            tick("persistent_id")
            return None

        def reducer_override(self, obj):
            tick("reducer_override")
            return NotImplemented

    def callback(buffer):
        tick("buffer_callback")

    file = File(lambda data: tick("write"))
    pickler = Pickler(file, protocol, buffer_callback=callback if protocol == 5 else None)
    pickler.dispatch_table = WatchedTable()
    if protocol < 5:
        graph.pop(-2)
    try:
        pickler.dump(graph)
        finished = True
    except Planted:
        finished = False
    Watched.tick = quiet
    tick.at = None
    log = list(tick.log)
    mark = len(file.data)
    pickler.dump(["usable afterwards"])
    return finished, log, file.data[mark:], file.value() if finished else None


def watched_load(module, at, data, names):
    tick = Watched.tick = Ticking(at)

    class Unpickler(module.Unpickler):
        def find_class(self, module_name, name):
            tick(f"find_class {name}")
            return super().find_class(module_name, name)

    unpickler = Unpickler(WatchedReader(data, names), buffers=[b"oob"])
    try:
        unpickler.load()
        finished = True
    except Planted:
        finished = False
    finally:
        Watched.tick = lambda name: None
    return finished, tick.log


def until_finished(pair, function):
    at = 1
    while True:
        kind, found, *_ = pair.same(lambda module, at=at: function(module, at))
        assert kind == "value", found
        if found[0]:
            break
        at += 1
    assert at > 5


@scenario
def exceptions_from_every_callback_of_a_dump(pair):
    for protocol in (2, 5):
        until_finished(pair, lambda module, at, protocol=protocol: watched_dump(module, at, protocol))


@scenario
def exceptions_from_every_callback_of_a_load(pair):
    for protocol in (2, 5):
        _, _, _, data = watched_dump(modules.stock, None, protocol)
        for names in (("read", "readline"), ("read", "readline", "readinto", "peek")):
            until_finished(pair, lambda module, at, data=data, names=names: watched_load(module, at, data, names))


# Threads

@scenario
def two_threads_and_one_pickler(pair):
    def run(module):
        inside, proceed = threading.Event(), threading.Event()

        def action(data):
            inside.set()
            assert proceed.wait(10)

        file = File(once(action))
        pickler = module.Pickler(file, 4)
        thread = threading.Thread(target=pickler.dump, args=(["first"],))
        thread.start()
        assert inside.wait(10)
        try:
            pickler.dump(["second"])
            refused = None
        except RuntimeError as error:
            refused = str(error)
        finally:
            proceed.set()
            thread.join()
        return refused, pickle.loads(file.value())
    kind, (refused, first), *_ = pair.survives(run)
    assert refused and first == ["first"]
    if sys.version_info >= (3, 14, 3):
        pair.same(run)


@scenario
def two_threads_and_one_unpickler(pair):
    def run(module):
        inside, proceed = threading.Event(), threading.Event()

        class Unpickler(module.Unpickler):
            def find_class(self, module, name):
                inside.set()
                assert proceed.wait(10)
                return list

        unpickler = Unpickler(io.BytesIO(b"cx\ny\n)R."))
        found = []
        thread = threading.Thread(target=lambda: found.append(unpickler.load()))
        thread.start()
        assert inside.wait(10)
        try:
            unpickler.load()
            refused = None
        except RuntimeError as error:
            refused = str(error)
        finally:
            proceed.set()
            thread.join()
        return refused, found
    kind, (refused, found), *_ = pair.survives(run)
    assert refused and found == [[]]
    if sys.version_info >= (3, 14, 3):
        pair.same(run)


@scenario
def many_threads_with_their_own(pair):
    """Separate picklers in threads that take turns as often as they can, all of one shared graph."""
    graph = [Plain(a=[number, str(number)], b={"k": (number,)}) for number in range(200)]
    expected = modules.stock.dumps(graph, 4)

    def run(module):
        found = set()

        def work():
            for _ in range(5):
                found.add(module.dumps(graph, 4))
                module.loads(expected)
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            threads = [threading.Thread(target=work) for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(interval)
        return found == {expected}
    assert pair.survives(run) == ("value", True)


# Lifetimes

def collected(*makers):
    """Whether what each makes is freed when it is let go of."""
    for make in makers:
        reference = make()
        gc.collect()
        assert reference() is None, make.__name__


@scenario
def cycles_through_a_pickler_are_collected(pair):
    module = pair.tested

    class Pickler(module.Pickler):
        pass

    def through_file():
        file = File()
        file.pickler = Pickler(file)
        return weakref.ref(file)

    def through_persistent_id():
        pickler = Pickler(File())
        pickler.persistent_id = lambda obj: pickler and None
        pickler.dump([1])
        return weakref.ref(pickler)

    def through_reducer_override():
        pickler = Pickler(File())
        pickler.reducer_override = lambda obj: (pickler, NotImplemented)[1]
        pickler.dump([Plain()])
        return weakref.ref(pickler)

    def through_dispatch_table():
        pickler = Pickler(File())
        pickler.dispatch_table = {"pickler": pickler}
        return weakref.ref(pickler)

    def through_buffer_callback():
        holder = Plain()
        holder.pickler = Pickler(File(), 5, buffer_callback=lambda buffer: holder)
        return weakref.ref(holder)

    def through_memo():
        pickler = Pickler(File())
        plain = Plain(pickler=None)
        pickler.dump([plain])
        plain.pickler = pickler
        return weakref.ref(plain)

    def through_memo_proxy():
        pickler = Pickler(File())
        pickler.proxy = pickler.memo
        return weakref.ref(pickler)

    collected(through_file, through_persistent_id, through_reducer_override, through_dispatch_table,
              through_buffer_callback, through_memo, through_memo_proxy)


@scenario(stock_fails=STILL)
def cycles_through_an_unpickler_are_collected(pair):
    module = pair.tested

    class Unpickler(module.Unpickler):
        pass

    class Bytes(io.BytesIO):
        pass

    def through_file():
        file = Bytes(b"N.")
        file.unpickler = Unpickler(file)
        return weakref.ref(file)

    def through_persistent_load():
        unpickler = Unpickler(io.BytesIO(b"NQ."))
        unpickler.persistent_load = lambda pid: (unpickler, pid)[1]
        unpickler.load()
        return weakref.ref(unpickler)

    def through_memo():
        unpickler = Unpickler(io.BytesIO(pickle.dumps([Plain(a=1)])))
        plain = unpickler.load()[0]
        plain.unpickler = unpickler
        return weakref.ref(plain)

    def through_buffers():
        def buffers():
            yield b"one"
            yield unpickler
        unpickler = Unpickler(io.BytesIO(b"\x80\x05\x97."), buffers=buffers())
        unpickler.load()
        return weakref.ref(unpickler)

    def after_an_error():
        plain = Plain()
        unpickler = Unpickler(io.BytesIO(b"NQ(N\xff"))
        unpickler.persistent_load = lambda pid: plain
        plain.unpickler = unpickler
        with contextlib.suppress(pickle.UnpicklingError):
            unpickler.load()
        return weakref.ref(plain)

    collected(through_file, through_persistent_load, through_memo, through_buffers, after_an_error)


@scenario
def nothing_is_kept_after_dumps_and_loads(pair):
    module = pair.tested

    def dumped_object():
        plain = Plain(a=[1])
        module.dumps([plain, plain])
        return weakref.ref(plain)

    def loaded_object():
        return weakref.ref(module.loads(pickle.dumps([Plain(a=[1])]))[0])

    def unpicklable_object():
        plain = Plain(a=threading.Lock())
        try:
            module.dumps([plain])
        except TypeError as error:
            del error
        return weakref.ref(plain)

    collected(dumped_object, loaded_object, unpicklable_object)


@scenario
def the_only_reference_to_the_pickler_goes(pair):
    def run(module):
        holder = [module.Pickler(File(), 4)]
        holder[0].dump([Hooked(lambda: holder.clear() or gc.collect() and None), [1, 2]])
        loaders = []
        loaders.append(Loader(b"cx\ncall_find\n)R.", call_find=lambda unpickler: loaders.clear() or list)(module))
        return loaders[0].load()
    pair.same(run)


def _uninitialised(*uses):
    def run(module):
        errors = []
        pickler = module.Pickler.__new__(module.Pickler)
        unpickler = module.Unpickler.__new__(module.Unpickler)
        for use in uses:
            try:
                errors.append(repr(use(pickler, unpickler)))
            except Exception as error:
                errors.append(f"{type(error).__name__}: {told(error)}")
        return errors
    return run


@scenario
def uninitialised(pair):
    pair.same(_uninitialised(
        lambda p, u: p.dump(1), lambda p, u: u.load(), lambda p, u: p.clear_memo(), lambda p, u: u.memo.copy(),
        lambda p, u: p.fast, lambda p, u: p.dispatch_table, lambda p, u: u.find_class("builtins", "list"),
        lambda p, u: setattr(p, "memo", {}), lambda p, u: setattr(u, "memo", {}), lambda p, u: p.memo.clear(),
        lambda p, u: u.memo.clear(), lambda p, u: u.memo.__reduce__(), lambda p, u: setattr(p, "memo", {1: (1, 2)}),
        lambda p, u: p.dump(1), lambda p, u: setattr(u, "memo", {1: 2}), lambda p, u: u.load()))


@scenario(stock_fails=STILL)
def memo_of_an_uninitialised_pickler(pair):
    pair.survives(_uninitialised(lambda p, u: p.memo.copy(), lambda p, u: p.memo.__reduce__()))


@scenario
def initialised_with_what_is_no_file(pair):
    for value in (None, 5, "file", io.BytesIO, Plain(), Plain(write=5), Plain(read=5, readline=6), Plain(read=len)):
        pair.same(lambda module, value=value: module.Pickler(value) and None)
        pair.same(lambda module, value=value: module.Unpickler(value) and None)
        pair.same(lambda module, value=value: module.load(value))
        pair.same(lambda module, value=value: module.dump([1], value))


@scenario(stock_fails=STILL)
def failed_init_leaves_the_old_state(pair):
    def run(module):
        file = File()
        pickler = module.Pickler(file, 4)
        pickler.dump(["before"])
        for wrong in ((None,), (file, 99), (file, "x"), (file, 2, True, len)):
            with contextlib.suppress(Exception):
                pickler.__init__(*wrong)
        try:
            pickler.dump(["after"])
        except Exception as error:
            return type(error).__name__
        return file.value()
    pair.survives(run)


@scenario
def class_lookups_that_interfere(pair):
    """A module's __getattr__ runs while the pickler looks a class up, and changes sys.modules."""
    def run(module):
        class Lazy(types.ModuleType):
            def __getattr__(self, name):
                sys.modules.pop("reentrancy_other", None)
                sys.modules[f"reentrancy_{name}"] = types.ModuleType("x")
                raise AttributeError(name)

        def function():
            pass

        function.__module__, function.__qualname__, function.__name__ = None, "no_such_function", "no_such_function"
        before = dict(sys.modules)
        sys.modules["reentrancy_lazy"] = Lazy("reentrancy_lazy")
        sys.modules["reentrancy_other"] = types.ModuleType("reentrancy_other")
        try:
            return module.dumps(function)
        finally:
            for name in set(sys.modules) - set(before):
                del sys.modules[name]
    pair.same(run)


@scenario
def import_that_reenters(pair):
    def run(module):
        import builtins
        original = builtins.__import__
        file = File()
        pickler = module.Pickler(file, 4)
        unpickler = module.Unpickler(io.BytesIO(b"cbuiltins\nlist\n."))
        calls = []

        def importing(name, *args, **kwargs):
            calls.append(name)
            if name == "builtins":
                for use in (lambda: pickler.dump(1), lambda: unpickler.load()):
                    with contextlib.suppress(RuntimeError, EOFError):
                        use()
            return original(name, *args, **kwargs)

        builtins.__import__ = importing
        try:
            with contextlib.suppress(RuntimeError):
                pickler.dump([list])
            with contextlib.suppress(RuntimeError):
                unpickler.load()
        finally:
            builtins.__import__ = original
    pair.survives(run)


@scenario
def metaclass_that_interferes(pair):
    class Meta(type):
        def __getattribute__(cls, name):
            if name in ("__qualname__", "__module__", "__name__"):
                items.clear()
                gc.collect()
            return super().__getattribute__(name)

    items = []

    def run(module):
        items[:] = [Meta("Made", (), {"__module__": __name__}), [1, 2]]
        module.dumps(items)
    pair.survives(run)


@scenario
def arguments_of_newobj_change_while_they_are_pickled(pair):
    class Args(tuple):
        pass

    def run(module):
        args = [[1], [2]]
        reduced = copyreg.__newobj__, Args((Plain, Hooked(args.clear))), {"a": args}
        return module.dumps([Hooked(lambda: reduced), args])
    pair.same(run)


# Keys that are no strings, among the names of a class or a module

class NoName:
    """Hashes as a name does, so that looking the name up compares it with this, which runs an action."""

    def __init__(self, name, action=lambda: None):
        self.name, self.action = name, action

    def __hash__(self):
        return hash(self.name)

    def __eq__(self, other):
        self.action()
        return False


GIVEN: list = []


def given():
    """A list that only GIVEN and the pickle's memo refer to."""
    GIVEN.append([])
    return GIVEN[-1]


def taken_away():
    for each in GIVEN:
        each.clear()
    gc.collect()


# The list, in the memo, with another list in it that only that and the memo refer to.
HAS_BORROWED = b"c" + __name__.encode() + b"\ngiven\n)R\x94]\x94K\x01aa"

HOOKS = ("__reduce_ex__", "__reduce__", "__getstate__", "__setstate__", "__getnewargs__", "__getnewargs_ex__",
         "__class__", "__dict__", "__new__", "__module__", "__qualname__", "__slots__", "__slotnames__", "a")


@contextlib.contextmanager
def keyed(name, action, meta=False):
    """A class with such a key, or of a metaclass with one, where pickles find it."""
    key = {NoName(name, action): 1}
    with warnings.catch_warnings(action="ignore"):
        made = (type("Meta", (type,), key) if meta else type)("Keyed", (Plain,), {} if meta else key)
    made.__module__ = __name__
    globals()["Keyed"] = made
    try:
        yield made
    finally:
        del globals()["Keyed"]


@scenario
def classes_with_keys_that_are_no_names(pair):
    for name in HOOKS:
        for meta in (False, True):
            with keyed(name, lambda: None, meta) as cls:
                for protocol in range(6):
                    def both(module, protocol=protocol, cls=cls):
                        items = [Hooked(lambda: None), *[cls(a=number) for number in range(4)], cls]
                        data = module.dumps(items, protocol)
                        return data, [vars(item) for item in module.loads(data)[1:-1]]
                    pair.same(both)


@scenario
def keys_of_a_class_empty_what_is_pickled(pair):
    for name in HOOKS:
        for meta in (False, True):
            def run(module, name=name, meta=meta):
                items = []
                action = once(lambda: (items.clear(), gc.collect()))
                armed = []
                with keyed(name, lambda: armed and action(), meta) as cls:
                    items += [Hooked(lambda: None), [1, (2,)], *[cls(a=[number]) for number in range(4)], {"a": [cls]}]
                    armed.append(1)
                    module.dumps(items)
            pair.survives(run)


@scenario
def keys_of_a_class_pickle_too(pair):
    for name in HOOKS:
        def run(module, name=name):
            def action():
                module.loads(module.dumps([Plain(a=1), "text", {"a": Slots}]))

            with keyed(name, action) as cls:
                data = module.dumps([Hooked(lambda: None), *[cls(a=number) for number in range(4)]])
                return [vars(item) for item in module.loads(data)[1:]]
        pair.same(run)


@scenario
def keys_of_a_class_empty_what_is_loaded(pair):
    for name in HOOKS:
        def run(module, name=name):
            GIVEN.clear()
            start = b"\x80\x04c" + __name__.encode() + b"\nKeyed\n\x94" + HAS_BORROWED + b"h\x00)"
            with keyed(name, taken_away):
                for made in (b"\x81", b"\x81}\x8c\x01a]sb", b"\x81N}\x8c\x01a]s\x86b", b"R"):
                    repr(module.loads(start + made + b"h\x02\x87."))
            GIVEN.clear()
        pair.survives(run)


@scenario
def modules_with_keys_that_are_no_names(pair):
    for name in ("Held", "__spec__", "__name__"):
        def run(module, action, name=name):
            held = types.ModuleType("held_module")
            held.Held = type("Held", (), {"__module__": "held_module"})
            sys.modules["held_module"] = held
            data = module.dumps(held.Held, 4)
            held.__dict__[NoName(name, action)] = 1
            items = [Hooked(lambda: None), held.Held(), [held.Held]]
            try:
                found = [outcome(lambda module: module.dumps(items), module) for _ in range(2)]
                return [*found, outcome(lambda module: module.loads(data).__name__, module)]
            finally:
                del sys.modules["held_module"]

        def planted():
            raise Planted

        def collected():
            gc.collect()

        pair.same(lambda module, run=run: run(module, collected))
        pair.same(lambda module, run=run: run(module, planted))


# What else runs Python where it is not expected

@scenario
def error_handlers_of_codecs_in_python(pair):
    for handler in ("surrogatepass", "strict"):
        def run(module, handler=handler):
            def handle(error):
                taken_away()
                return original(error)

            GIVEN.clear()
            original = codecs.lookup_error(handler)
            codecs.register_error(handler, handle)
            texts = ["x", "ab\udc80", {"\udc80": "\udc80"}]
            try:
                loaded = module.loads(b"\x80\x04" + HAS_BORROWED + b"\x8c\x05ab\xed\xb2\x80h\x01\x87.")
                return loaded[1:], [module.dumps(texts, protocol) for protocol in range(6)]
            finally:
                codecs.register_error(handler, original)
                GIVEN.clear()
        pair.same(run)


@scenario
def keys_that_python_warns_of(pair):
    """`python -b` warns where bytes are compared with text."""
    script = """
import gc, importlib, sys, warnings
module = importlib.import_module(sys.argv[1])
given = []
def show(*args, **kwargs):
    given.clear()
    gc.collect()
warnings.showwarning = show
warnings.simplefilter("always")
def give():
    return given
for rest in (b"}(C\\x01aK\\x01\\x8c\\x01aK\\x02uh\\x01\\x87.", b"\\x8f(C\\x01a\\x8c\\x01a\\x90h\\x01\\x87.",
             b"(C\\x01a\\x8c\\x01a\\x91h\\x01\\x87."):
    print(module.loads(b"\\x80\\x04c__main__\\ngive\\n)R\\x94]\\x94K\\x01aa" + rest))
"""
    def run(module):
        done = subprocess.run([sys.executable, "-b", "-c", script, module.__name__], capture_output=True, text=True,
                              env=dict(os.environ, PYTHONHASHSEED="0"))
        return done.returncode, done.stdout
    assert pair.same(run)[1][0] == 0


@scenario
def a_lender_that_is_kept(pair):
    """The memory that a file reads into is its own afterwards, whatever it keeps."""
    kept = []

    class Reader(io.BytesIO):
        def readinto(self, buffer):
            kept.append(buffer.obj)
            return super().readinto(buffer)

        def peek(self, size):
            return b""

    def run(module):
        kept.clear()
        loaded = module.load(Reader(pickle.dumps((b"x" * 100_000, b"t"), 5)))[0]
        for lender in kept:
            with contextlib.suppress(TypeError, ValueError, SystemError, BufferError):
                memoryview(lender)[:] = b"y" * len(memoryview(lender))
        return loaded == b"x" * 100_000
    assert pair.survives(run) == ("value", True)
    kept.clear()
