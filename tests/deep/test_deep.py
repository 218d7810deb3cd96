"""No recursion limit: chains of a million, an end for endless ones, and Ctrl-C in the middle."""

import io
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time
import uuid

import chains
import modules
import pytest

HERE = pathlib.Path(__file__).parent
MILLION = 1_000_000


def run(*arguments, **environment):
    done = subprocess.run([sys.executable, str(HERE / "chains.py"), *map(str, arguments)], capture_output=True,
                          text=True, env=dict(os.environ, **environment), timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def check(shape, protocol, depth, *more):
    assert run(shape, protocol, depth, *more) == [depth, depth]


def also_slow(*protocols):
    """All protocols, those that cost much and show little more in the slow run."""
    return [pytest.param(protocol, marks=[] if protocol in protocols else pytest.mark.slow) for protocol in range(6)]


@pytest.mark.parametrize("protocol", range(6))
def test_a_list_a_million_deep(protocol):
    check("list", protocol, MILLION)


@pytest.mark.parametrize("protocol", also_slow(0, 4))
def test_a_linked_list_of_a_million_instances(protocol):
    check("instance", protocol, MILLION)


@pytest.mark.parametrize("shape", [shape for shape in chains.SHAPES if shape not in ("list", "instance")])
def test_deep(shape):
    check(shape, 4, 100_000)


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["tuple", "dict", "slots", "state", "reduce"])
def test_other_shapes_a_million_deep(shape):
    check(shape, 4, MILLION)


@pytest.mark.parametrize("shape", ["list", "tuple", "instance", "reduce"])
def test_deep_in_a_thread_with_a_small_stack(shape):
    check(shape, 4, 100_000, "thread")


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("shape", chains.SHAPES)
def test_the_bytes_of_a_chain_are_the_interpreters(shape, protocol):
    if protocol < chains.SHAPES[shape][2]:
        pytest.skip("this protocol cannot carry the class")
    head = chains.chain(shape, 150)  # as deep as the interpreters' own recursion lets every shape go
    assert modules.under_test(max_depth=None).dumps(head, protocol) == modules.stock.dumps(head, protocol)


def test_an_endless_chain_ends():
    found = run("endless")
    assert found["error"]
    assert found["resident"] < 8 << 30


def again():
    return again


@pytest.mark.parametrize("protocol", [0, 1, 2, 5])
def test_what_reductions_call_is_reduced_in_turn(protocol):
    """100,000 functions, each of them what the next one returns."""
    module = modules.under_test(max_depth=None)
    functions = [lambda: None for _ in range(100_000)]
    following = dict(zip(functions, [*functions[1:], again]))

    class Pickler(module.Pickler):
        def reducer_override(self, obj):
            return (following[obj], ()) if obj in following else NotImplemented

    file = io.BytesIO()
    Pickler(file, protocol).dump(functions[0])
    assert module.loads(file.getvalue()) is again


@pytest.mark.parametrize("protocol", [0, 1, 2, 5])
def test_what_reductions_call_without_end(protocol):
    import halfsour
    before = halfsour.get_max_depth()

    class Pickler(halfsour.Pickler):
        dispatch_table = {type(len): lambda function: (len, ()), uuid.UUID: lambda uuid: (len, ())}

    try:
        halfsour.set_max_depth(100_000)
        for obj in (len, uuid.UUID(int=1)):
            with pytest.raises(RecursionError):
                Pickler(io.BytesIO(), protocol).dump(obj)
    finally:
        halfsour.set_max_depth(before)


@pytest.mark.parametrize("shape", ["list", "reduce"])
def test_the_bound_can_be_set(shape):
    import halfsour
    before = halfsour.get_max_depth()
    assert before >= MILLION
    try:
        halfsour.set_max_depth(1000)
        assert halfsour.get_max_depth() == 1000
        assert chains.length(shape, halfsour.loads(halfsour.dumps(chains.chain(shape, 300)))) == 300
        if shape == "reduce":
            with pytest.raises(RecursionError):
                halfsour.dumps(chains.chain(shape, 1100))
        else:  # this cannot go on without end
            assert chains.length(shape, halfsour.loads(halfsour.dumps(chains.chain(shape, 1100)))) == 1100
        with pytest.raises(RecursionError):
            halfsour.dumps(chains.Endless())
    finally:
        halfsour.set_max_depth(before)
    assert len(halfsour.dumps(chains.chain(shape, 1100))) > 1100


@pytest.mark.parametrize("wrong", [0, -1, "many", 1.5, None, 10**30])
def test_the_bound_must_be_a_positive_number(wrong):
    import halfsour
    before = halfsour.get_max_depth()
    with pytest.raises((ValueError, TypeError, OverflowError)):
        halfsour.set_max_depth(wrong)
    assert halfsour.get_max_depth() == before


# Ctrl-C

AFTER = 0.05  # seconds


def interrupted(function):
    """How long after the signal the KeyboardInterrupt came, or None if the work was over too soon.

    The signal comes from another process: a thread of ours would have to wait until the work lets it run.
    """
    sender = subprocess.Popen(["sh", "-c", f"read go; sleep {AFTER}; kill -INT {os.getpid()}"], stdin=subprocess.PIPE)
    assert sender.stdin
    over = False
    try:
        started = time.perf_counter()
        sender.stdin.write(b"\n")
        sender.stdin.flush()
        function()
        over = True
        sender.wait()
        time.sleep(1)  # until the signal is here
    except KeyboardInterrupt:
        return None if over else time.perf_counter() - started - AFTER
    finally:
        sender.stdin.close()
        sender.wait()
    return None


def nowhere():
    """A file that is no Python code, which would look for signals by itself."""
    return open(os.devnull, "wb", buffering=0)


def long_dump(module):
    """Much to do, and no Python code on the way. Without a memo the same objects are written again and again."""
    pickler = module.Pickler(nowhere(), 4)
    pickler.fast = 1
    part = [{"key": number, "other": [number, str(number)]} for number in range(10_000)]
    return lambda: pickler.dump([part] * 500)


def long_dump_of_instances(module):
    pickler = module.Pickler(nowhere(), 4)
    pickler.fast = 1
    part = [chains.Node(number) for number in range(10_000)]
    return lambda: pickler.dump([part] * 500)


def wide_dump(module):
    graph = {number: (number, [number]) for number in range(1_500_000)}
    return lambda: module.dumps(graph, 4)


# Whatever these make is dropped again at once (POP), so they need no memory but their own.

def long_load(module):
    data = b"N" + b"}U\x03keyK\x01sU\x05other](K\x01K\x02es0" * 3_000_000 + b"."
    return lambda: module.loads(data)


def long_load_of_instances(module):
    data = b"\x80\x02Ncchains\nNode\nq\0" + b"h\0)\x81}U\x04nextK\x01sb0" * 3_000_000 + b"0."
    return lambda: module.loads(data)


def flat_load(module):
    data = b"N" + b"N0" * 50_000_000 + b"."
    return lambda: module.loads(data)


def long_load_from_a_file(module):
    data = b"N" + b"}U\x03keyK\x01sU\x05other](K\x01K\x02es0" * 3_000_000 + b"."
    return lambda: module.load(io.BytesIO(data))


@pytest.mark.skipif(sys.platform == "win32", reason="one process cannot send this signal to another")
@pytest.mark.parametrize("make", [
    long_dump, long_dump_of_instances, wide_dump, long_load, long_load_of_instances, flat_load, long_load_from_a_file,
], ids=lambda make: make.__name__)
def test_ctrl_c_interrupts_within_100_ms(make):
    work = make(modules.under_test(max_depth=None))
    times = [interrupted(work) for _ in range(5)]
    assert None not in times, f"the work was over before the signal came: {times}"
    # The median, for other processes take their share of this machine.
    assert statistics.median(times) < 0.1, times


# The kit itself: it must be able to fail.

@pytest.mark.parametrize("shape", ["list", "instance"])
def test_the_interpreters_own_pickle_cannot_do_this(shape):
    done = subprocess.run([sys.executable, str(HERE / "chains.py"), shape, "4", str(MILLION)], capture_output=True,
                          text=True, env=dict(os.environ, HALFSOUR_UNDER_TEST="pickle"))
    assert "RecursionError" in done.stderr
