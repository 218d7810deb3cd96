"""The module under test against the interpreter's own `_pickle`, on random graphs and on the corpus."""

import collections
import io
import os
import pathlib
import pickle
import subprocess
import sys

import isomorphism
import modules
import pytest
import trials
import worlds
from choices import Choices, Drawn, shrink
from hypothesis import HealthCheck, given, settings, strategies as st

HERE = pathlib.Path(__file__).parent
sys.path.append(str(HERE.parents[1] / "corpus"))
import make  # noqa: E402

BLESS = os.environ.get("HALFSOUR_BLESS") == "1"


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_hypothesis_finds_no_difference(data):
    choices = Drawn(lambda bound: data.draw(st.integers(0, bound - 1)))
    found = trials.run(choices, modules.under_test())
    assert not found, "\n".join([*map(str, found), found[0].trial.describe()])


def seeded(*arguments, **environment):
    return subprocess.run([sys.executable, "-X", "faulthandler", str(HERE / "run.py"), *arguments],
                          capture_output=True, text=True, env=dict(os.environ, **environment))


def test_random_graphs_by_seed():
    run = seeded("--seed", "0", "--count", "1500")
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("HALFSOUR_SLOW") != "1", reason="20,000 graphs; needs HALFSOUR_SLOW=1")
def test_twenty_thousand_random_graphs():
    run = seeded("--seed", "1000000", "--count", "20000")
    assert run.returncode == 0, run.stdout + run.stderr


# The corpus

CASES = [(protocol, name) for protocol, name in make.written(make.running())]


@pytest.fixture(scope="module", autouse=BLESS)
def bless():
    make.bless()


@pytest.fixture(scope="module")
def extensions():
    make.shapes.register_extensions()
    yield
    make.shapes.unregister_extensions()


def fresh_objects():
    return dict(make.objects())


def test_the_corpus_is_what_this_interpreter_writes():
    assert list(make.differences()) == []


@pytest.mark.parametrize("protocol", make.PROTOCOLS)
def test_the_module_writes_the_corpus(protocol, extensions):
    files = make.written(make.running())
    module = modules.under_test()
    objects = fresh_objects()
    for (each, name), path in files.items():
        if each == protocol and name in objects:
            assert module.dumps(objects[name], protocol) == path.read_bytes(), name


@pytest.mark.parametrize("path", make.everything(), ids=lambda path: str(path.relative_to(make.HERE)))
def test_the_module_loads_the_corpus(path, extensions):
    """Those of all versions, and the assembled ones: opcodes that no pickler of today writes."""
    data = path.read_bytes()
    module = modules.under_test()

    def load(module):
        worlds.World.forget_extensions()

        class Unpickler(module.Unpickler):
            def persistent_load(self, pid):
                return ["persistent", pid]


        file = io.BytesIO(data)
        objects = []
        try:
            unpickler = Unpickler(file, encoding="latin1", buffers=[b"one", bytearray(b"two")])
            while file.tell() < len(data) and len(objects) < 3:
                objects.append(unpickler.load())
        except Exception as error:
            return objects, trials.describe(error), str(error)
        return objects, None, file.read()

    (theirs, *their_end), (mine, *my_end) = load(modules.stock), load(module)
    assert my_end == their_end
    assert isomorphism.difference(theirs, mine) is None


# The kit itself: it must be able to fail.

@pytest.mark.kit
def test_the_interpreters_own_pickle_does_not_differ_from_itself():
    run = seeded("--seed", "5000", "--count", "500", HALFSOUR_UNDER_TEST="pickle")
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.kit
@pytest.mark.parametrize("impostor", modules.IMPOSTORS)
def test_an_impostor_is_found_out(impostor):
    run = seeded("--seed", "0", "--count", "100", "--shown", "1", HALFSOUR_UNDER_TEST=impostor)
    assert run.returncode == 1, run.stdout + run.stderr


@pytest.mark.kit
def test_every_kind_of_hook_is_reached():
    """A graph generator may quietly stop making things."""
    seen = collections.Counter()

    def run(seed):
        trial = trials.Trial(Choices(seed))
        try:
            for outcome in (trial.dump(modules.stock),):
                seen.update(event[0].split()[0] for event in outcome.fields["log"])
                seen["error"] += outcome.error is not None
                if outcome.error is None:
                    seen["dumped"] += 1
                    seen.update(event[0] for event in trial.load(
                        modules.stock, b"".join(outcome.value), outcome.fields["buffers"]).fields["log"])
        finally:
            trial.world.close()

    wanted = """getattr getattribute setattr new init newargs getstate setstate reduce reduce_ex copyreg dispatch
        override iterator next persistent_id reducer_override buffer_callback write class metaclass mapping again file
        find_class persistent_load rebuild Rebuilt append extend setitem state_setter instance dumped error""".split()
    # With each seed of hashes the graphs are others, and the rarest hooks are met once in a few hundred.
    for seed in range(9000):
        run(seed)
        if seed % 1500 == 1499 and all(seen[name] >= 5 for name in wanted):
            break
    assert {name: seen[name] for name in wanted if seen[name] < 5} == {}


@pytest.mark.parametrize("make_pair", [
    lambda: ([1], [1.0]), lambda: ([0.0], [-0.0]), lambda: ({1: 2, 3: 4}, {3: 4, 1: 2}), lambda: ((1, 2), (1, 2, 3)),
    lambda: ([[], []], [[]] * 2), lambda: ([[]] * 2, [[], []]), lambda: ({"a"}, {"b"}), lambda: ([int], [bool]),
    lambda: (make.plain(a=1), make.plain(a=2)), lambda: (make.slotted(make.shapes.Slotted, x=1), make.shapes.Slotted()),
    lambda: (make.shapes.ListSub([1]), [1]), lambda: (collections.deque([1]), collections.deque([1], 5)),
    lambda: ({(1, "x")}, {(1, "y")}), lambda: (bytearray(b"a"), bytearray(b"b")), lambda: (range(3), range(4)),
    lambda: (ValueError(1), ValueError(2)), lambda: (len, abs), lambda: (b"a", "a"), lambda: (cycle(1), cycle(2)),
], ids=str)
def test_isomorphism_sees(make_pair):
    assert isomorphism.difference(*make_pair()) is not None


def cycle(length):
    first = last = []
    for _ in range(length - 1):
        last.append([])
        last = last[0]
    last.append(first)
    return first


@pytest.mark.parametrize("name", [name for name, _ in make.objects()])
def test_isomorphism_accepts_a_copy(name, extensions):
    obj = fresh_objects()[name]
    if not name.startswith("picklebuffer") and type(obj) not in (make.shapes.Singleton, make.shapes.Reduced):
        data = pickle.dumps(obj, 5)
        assert isomorphism.difference(pickle.loads(data), pickle.loads(data)) is None


def test_shrinking_keeps_what_matters():
    script = shrink(list(range(50)), lambda script: 17 in script and 30 in script, seconds=10)
    assert script == [17, 30]
