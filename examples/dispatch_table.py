"""A private dispatch table: this pickler writes paths relative to a folder, and no other pickler is changed."""

import copyreg
import io
from collections import ChainMap
from collections.abc import Callable
from pathlib import Path

import halfsour as pickle

FOLDER = Path(__file__).resolve().parent


def below(*parts: str) -> Path:
    """What the pickle calls: it puts a path together again, below the folder as it is where the pickle is loaded."""
    return FOLDER.joinpath(*parts)


def reduce_path(path: Path) -> tuple[Callable[..., Path], tuple[str, ...]]:
    return below, path.relative_to(FOLDER).parts


def main(protocol: int | None = None) -> bytes:
    paths = {"this": FOLDER / "dispatch_table.py", "notes": FOLDER / "notes" / "2026.txt"}
    file = io.BytesIO()
    pickler = pickle.Pickler(file, protocol)
    pickler.dispatch_table = ChainMap({type(FOLDER): reduce_path}, copyreg.dispatch_table)
    pickler.dump(paths)

    assert str(FOLDER).encode() not in file.getvalue()
    assert pickle.loads(file.getvalue()) == paths
    print(f"{len(paths)} paths in {len(file.getvalue())} bytes, none of them the folder's own")
    return file.getvalue()


if __name__ == "__main__":
    main()
