"""The examples and the README's example run, and write what the standard library's pickle writes."""

import pickle
import re
import subprocess
import sys
from pathlib import Path

import demo
import pytest

import halfsour

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(path.stem for path in ROOT.glob("examples/*.py") if path.stem != "demo")


def test_the_demo_shows_every_example():
    assert sorted(demo.EXAMPLES) == EXAMPLES


@pytest.mark.parametrize("protocol", demo.PROTOCOLS)
@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_on_both(example, protocol):
    data, printed = demo.run(example, halfsour, protocol)
    assert (data, printed) == demo.run(example, pickle, protocol)
    assert data and printed


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_uses_what_it_is_given(example):
    assert demo.load(example, pickle).pickle is pickle
    assert demo.load(example, halfsour).pickle is halfsour


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_as_a_program(example):
    done = subprocess.run([sys.executable, ROOT / f"examples/{example}.py"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_the_demo_as_a_program():
    done = subprocess.run([sys.executable, ROOT / "examples/demo.py"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("the same bytes as pickle's") == len(EXAMPLES)
    assert len(re.findall(r"^(?:dumps|loads), .* [\d.]+ +[\d.]+$", done.stdout, re.MULTILINE)) == 4


def test_the_demo_tells_when_bytes_differ(monkeypatch, capsys):
    class Impostor:
        def __getattr__(self, name):
            return (lambda obj, protocol: pickle.dumps(obj, 2)) if name == "dumps" else getattr(pickle, name)

    monkeypatch.setattr(demo, "pickle", Impostor())
    assert not demo.compare("state_hooks")
    assert "DIFFERENT" in capsys.readouterr().out


def test_the_readme_s_example(tmp_path):
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1
    program = tmp_path / "readme.py"
    program.write_text(blocks[0])
    done = subprocess.run([sys.executable, program], capture_output=True, text=True)
    shown = re.findall(r"print\(.*?\)  # (.*)", blocks[0])
    assert (done.returncode, done.stderr) == (0, "")
    assert shown and done.stdout.splitlines() == shown
