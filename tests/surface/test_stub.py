"""The type stub: complete, and right about the module that is built."""

import subprocess
import sys

import pytest


def run(module, *args):
    done = subprocess.run([sys.executable, "-m", module, *args], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


# Attributes until 3.12, methods since: the stub has methods, as that is what subclasses write.
ATTRIBUTES = "halfsour.Pickler.persistent_id\nhalfsour.Unpickler.persistent_load\n"


def test_stub_and_module_agree(tmp_path):
    pytest.importorskip("mypy", reason="stubtest is a part of mypy")
    allowed = tmp_path / "allowed"
    allowed.write_text(ATTRIBUTES if sys.version_info < (3, 13) else "")
    returncode, output = run("mypy.stubtest", "halfsour", "--concise", "--allowlist", str(allowed))
    assert returncode == 0, output


PROGRAM = """
import io
import halfsour as pickle

class Pickler(pickle.Pickler):
    def persistent_id(self, obj: object) -> str | None:
        return None

file = io.BytesIO()
pickler = Pickler(file, protocol=pickle.HIGHEST_PROTOCOL)
pickler.dispatch_table = {complex: lambda obj: (complex, (obj.real, obj.imag))}
pickler.dump({1: 2})
pickle.Unpickler(file, encoding="latin-1", buffers=[b""]).load()
reveal_type(pickle.dumps(1, 4, fix_imports=False))
reveal_type(pickle.PickleError)
pickle.dumps(1, 4, False)
pickle.loads("text")
pickle.brine
"""


def test_what_type_checkers_see(tmp_path):
    pytest.importorskip("mypy", reason="checks the stub by mypy")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    returncode, output = run("mypy", "--strict", "--no-error-summary", "--config-file=", str(program))
    lines = [line.partition(": ")[2] for line in output.splitlines() if "defined in" not in line]
    assert returncode == 1
    assert len(lines) == 5, output
    assert lines[0] == 'note: Revealed type is "bytes"'
    assert "PickleError" in lines[1]
    assert lines[2].startswith("error: Too many positional arguments")
    assert lines[3].startswith('error: Argument 1 to "loads" has incompatible type "str"')
    assert lines[4].startswith('error: Module has no attribute "brine"')
