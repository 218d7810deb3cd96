"""Installs what the benchmark compares with, one by one: what this Python has no wheel for stays away, and is told.

    VENV/bin/python tools/peers.py
"""

import subprocess
import sys
import tomllib
from pathlib import Path


def main() -> None:
    project = Path(__file__).resolve().parents[1] / "pyproject.toml"
    done = Path(sys.prefix) / "peers-for.toml"
    if done.exists() and done.read_bytes() == project.read_bytes():
        return
    for name in tomllib.loads(project.read_text())["dependency-groups"]["peers"]:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary=:all:", name]
        if subprocess.run(command, stderr=subprocess.DEVNULL).returncode:
            print(f"halfsour: {name} has no wheel for this Python; the benchmark goes without", file=sys.stderr)
    done.write_bytes(project.read_bytes())


if __name__ == "__main__":
    main()
