"""Files that are unlike real ones, and the package as a program."""

import io
import pickle
import subprocess
import sys

import pytest

import halfsour

TEXT = "x" * (2 << 20)


class Odd(io.BytesIO):
    """A file whose methods return what the interpreter's pickle makes do with."""

    def __init__(self, data, kind):
        super().__init__(data)
        self.kind = kind

    def read(self, size=-1):
        data = super().read(size)
        return self.kind(data) if self.kind in (bytearray, memoryview) else data

    def readinto(self, buffer):
        return None if self.kind is None else super().readinto(buffer)

    @property
    def peek(self):
        raise AttributeError


bytes_only = pytest.mark.skipif(sys.version_info >= (3, 15), reason="3.15's own pickle fails with others here")


@bytes_only
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, None])
@pytest.mark.parametrize("protocol", [2, 4])
def test_what_read_returns_needs_only_a_buffer(kind, protocol):
    data = pickle.dumps([TEXT, 1], protocol)
    assert pickle.load(Odd(data, kind)) == [TEXT, 1]
    assert halfsour.load(Odd(data, kind)) == [TEXT, 1]


@bytes_only
def test_a_large_text_that_ends_too_soon():
    data = pickle.dumps(TEXT, 4)[: 3 << 19]
    for module in (pickle, halfsour):
        with pytest.raises((pickle.UnpicklingError, EOFError)):
            module.load(Odd(data, bytearray))


def test_the_package_as_a_program(tmp_path):
    path = tmp_path / "some.pickle"
    path.write_bytes(pickle.dumps({"b": [1] * 30, "a": list(range(30))}))
    printed = [subprocess.run([sys.executable, "-m", name, path], capture_output=True, text=True, check=True).stdout
               for name in ("pickle", "halfsour")]
    assert printed[0] == printed[1]
