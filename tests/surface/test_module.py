"""The package: what `import halfsour as pickle` offers is what the standard library's pickle offers."""

import _pickle
import copyreg
import inspect
import pickle
import pickletools
import pydoc
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import halfsour

NATIVE = ["Pickler", "Unpickler", "dump", "dumps", "load", "loads"]
SHARED = ["PickleBuffer", "PickleError", "PicklingError", "UnpicklingError"]
OWN = ["gc_policy", "get_max_depth", "set_max_depth"]


def test_all():
    assert halfsour.__all__ == pickle.__all__


def test_star_import():
    theirs, ours = {}, {}
    exec("from pickle import *", theirs)
    exec("from halfsour import *", ours)
    assert ours.keys() == theirs.keys()


@pytest.mark.parametrize("name", sorted(set(dir(pickle)) - {name for name in dir(pickle) if name.startswith("__")}))
def test_every_name_of_the_stdlib(name):
    ours, theirs = getattr(halfsour, name), getattr(pickle, name)
    if name in NATIVE:
        assert ours is not theirs
        assert type(ours) is type(theirs)
        assert ours is getattr(halfsour._pickle, name)
    else:
        assert ours is theirs


def test_private_names_come_from_the_stdlib():
    assert halfsour._Pickler is pickle._Pickler
    assert halfsour._getattribute is pickle._getattribute
    assert halfsour.whichmodule is pickle.whichmodule
    assert halfsour.dispatch_table is copyreg.dispatch_table
    from halfsour import _Unpickler

    assert _Unpickler is pickle._Unpickler


def test_a_name_that_is_in_neither():
    with pytest.raises(AttributeError, match=r"^module 'halfsour' has no attribute 'brine'$") as caught:
        halfsour.brine  # noqa: B018
    assert caught.value.name == "brine"
    assert caught.value.__cause__ is None
    with pytest.raises(ImportError):
        from halfsour import brine  # noqa: F401


def test_dir():
    assert set(dir(halfsour)) >= set(dir(pickle)) | set(OWN)
    assert dir(halfsour) == sorted(dir(halfsour))


@pytest.mark.parametrize("name", SHARED)
def test_shared_objects(name):
    assert getattr(halfsour, name) is getattr(halfsour._pickle, name) is getattr(_pickle, name)


def test_names_of_the_extension():
    public = {name for name in dir(halfsour._pickle) if not name.startswith("_")}
    assert public == {*NATIVE, *SHARED, *OWN}


def test_errors_of_the_extension_are_caught_as_the_stdlib_s():
    with pytest.raises(pickle.UnpicklingError):
        halfsour.loads(b"?")
    with pytest.raises(pickle.PicklingError):
        halfsour.dumps(halfsour.PickleBuffer(b""), 4)


def test_max_depth():
    before = halfsour.get_max_depth()
    assert before > 0
    try:
        halfsour.set_max_depth(1000)
        assert halfsour.get_max_depth() == 1000
    finally:
        halfsour.set_max_depth(before)
    for wrong in (0, -1):
        with pytest.raises(ValueError):
            halfsour.set_max_depth(wrong)
    with pytest.raises(TypeError):
        halfsour.set_max_depth("1")
    assert halfsour.get_max_depth() == before


class Endless:
    def __reduce__(self):
        return Endless, (Endless(),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_endless_chain_of_reduce_ends_at_the_bound(protocol):
    before = halfsour.get_max_depth()
    halfsour.set_max_depth(1000)
    try:
        with pytest.raises(RecursionError):
            halfsour.dumps(Endless(), protocol)
    finally:
        halfsour.set_max_depth(before)


def test_the_bound_does_not_count_containers():
    before = halfsour.get_max_depth()
    halfsour.set_max_depth(10)
    try:
        nested = []
        for _ in range(1000):
            nested = [nested]
        assert halfsour.loads(halfsour.dumps(nested))
    finally:
        halfsour.set_max_depth(before)


def test_pickletools_reads_what_we_write():
    data = halfsour.dumps({"key": [1, 2.5, None]})
    assert pickletools.optimize(data)
    assert halfsour.loads(pickletools.optimize(data)) == {"key": [1, 2.5, None]}


def test_documentation():
    page = pydoc.render_doc(halfsour, renderer=pydoc.plaintext)
    for name in NATIVE:
        assert name in page
        assert inspect.getdoc(getattr(halfsour, name)), name


def test_what_is_installed():
    assert metadata.version("halfsour")
    for name in ("py.typed", "__init__.pyi"):
        assert Path(halfsour.__file__).with_name(name).is_file()


def test_importing_it_changes_nothing_of_pickle():
    script = (
        "import pickle; before = dict(vars(pickle)); import halfsour; "
        "assert vars(pickle) == before; assert halfsour.Pickler is not pickle.Pickler"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
