"""Chains of objects, each of which holds the next: how to make one and how to walk one, both without recursion.

Run as a script it pickles, loads and walks one chain with the module under test and prints a line of JSON:

    python tests/deep/chains.py SHAPE PROTOCOL DEPTH
"""

import collections
import copyreg
import faulthandler
import io
import json
import pathlib
import resource
import sys
import threading

STACK = 8 << 20


class Node:
    """A linked list."""

    def __init__(self, next):
        self.next = next


class SlotsNode:
    __slots__ = ("next",)

    def __init__(self, next):
        self.next = next


class StateNode(Node):
    def __getstate__(self):
        return [self.next]

    def __setstate__(self, state):
        self.next = state[0]


class FactoryNode(Node):
    """The rest of the chain is in the arguments of a reduce: nothing is memoized on the way down."""

    def __reduce__(self):
        return FactoryNode, (self.next,)


class NewObjNode(Node):
    def __new__(cls, next):
        return object.__new__(cls)

    def __init__(self, next):
        self.next = next

    def __reduce__(self):
        return copyreg.__newobj__, (NewObjNode, self.next), {"next": self.next}


class ItemsNode(Node):
    def __init__(self):
        self.next = None

    def append(self, item):
        self.next = item

    def __reduce__(self):
        return ItemsNode, (), None, iter([self.next])


class PairsNode(Node):
    def __init__(self):
        self.next = None

    def __setitem__(self, key, value):
        self.next = value

    def __reduce__(self):
        return PairsNode, (), None, None, iter([("next", self.next)])


class SetterNode(Node):
    next = None  # the last one has no state, so its setter is not called

    def __reduce__(self):
        return object.__new__, (SetterNode,), self.next, None, None, set_next


def set_next(node, next):
    node.next = next


class ListNode(list):
    pass


def items_node(next):
    node = ItemsNode()
    node.next = next
    return node


def pairs_node(next):
    node = PairsNode()
    node.next = next
    return node


def attribute(node):
    return node.next


def first(node):
    return node[0]


# No deque among them: the interpreter itself crashes when it frees a deep chain of those (before 3.14).
# name -> (make one around the next, get the next out of one, the first protocol that can do it)
SHAPES = {
    "list": (lambda next: [next], first, 0),
    "tuple": (lambda next: (next,), first, 0),
    "tuple of 4": (lambda next: (next, 1, 2, 3), first, 0),
    "dict": (lambda next: {"next": next}, lambda node: node["next"], 0),
    "ordereddict": (lambda next: collections.OrderedDict(next=next), lambda node: node["next"], 0),
    "list subclass": (lambda next: ListNode([next]), first, 0),
    "frozenset": (lambda next: frozenset((next,)), lambda node: next(iter(node)), 0),
    "instance": (Node, attribute, 0),
    "slots": (SlotsNode, attribute, 2),
    "state": (StateNode, attribute, 0),
    "reduce": (FactoryNode, attribute, 0),
    "newobj": (NewObjNode, attribute, 2),
    "items": (items_node, attribute, 0),
    "pairs": (pairs_node, attribute, 0),
    "setter": (SetterNode, attribute, 0),
}


def chain(shape, depth):
    make = SHAPES[shape][0]
    node = None
    for _ in range(depth):
        node = make(node)
    return node


def length(shape, node):
    """How many there are. It lets go of each as it passes, so freeing the chain is left to `del` elsewhere."""
    step = SHAPES[shape][1]
    count = 0
    while node is not None:
        node = step(node)
        count += 1
    return count


class Endless:
    """Its reduce leads to ever new objects."""

    def __reduce__(self):
        return Endless, (Endless(),)


def both(shape, protocol, depth, module, keep):
    """Pickles and loads. The chains are kept: freeing deep ones is safe in the main thread, but before 3.14 the
    interpreter itself overflows a small stack.
    """
    head = chain(shape, depth)
    data = module.dumps(head, protocol)
    copies = module.loads(data), module.load(io.BytesIO(data))
    keep += [head, *copies]
    return [length(shape, copy) for copy in copies]


def endless(module):
    try:
        module.dumps(Endless())
    except RecursionError as error:
        return {"error": str(error), "resident": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10}
    return {}


def in_thread(function, *arguments):
    """In a thread with less stack than the main one."""
    found = []

    def run():
        found.extend(function(*arguments))

    threading.stack_size(512 << 10)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found


def main():
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "differential"))
    import modules
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_STACK, (STACK, resource.RLIM_INFINITY))
    module = modules.under_test(max_depth=None)
    what, *arguments = sys.argv[1:]
    if what == "endless":
        found = endless(module)
    else:
        protocol, depth, *thread = arguments
        run = in_thread if thread else (lambda function, *rest: function(*rest))
        keep = []
        found = run(both, what, int(protocol), int(depth), module, keep)
        keep.clear()  # freeing them must be safe too
    print(json.dumps(found))


if __name__ == "__main__":
    main()
