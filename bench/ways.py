"""The ways to pickle: functions, files, subclasses, buffers.

A way is made for one module, halfsour or `_pickle`. What is timed are its `dump(obj, protocol)` and its
`load(what dump returned)`; the rest happens before the clock starts or after it stops.
"""

import copyreg
import io
import pickle
import tempfile
from collections.abc import Callable
from typing import Any


class Functions:
    """`dumps` and `loads`, with nothing around them: small calls are timed too."""

    name = "functions"

    def __init__(self, module: Any) -> None:
        self.dump: Callable[[Any, int], Any] = module.dumps
        self.load: Callable[[Any], Any] = module.loads

    def before_dump(self) -> None:
        """Before each timed dump."""

    def before_load(self) -> None:
        """Before each timed load."""

    def written(self, result: Any) -> bytes:
        """The bytes that a dump wrote."""
        assert isinstance(result, bytes)
        return result

    def ready(self, calls: int) -> None:
        """After the first dump: makes ready for so many loads in a row."""


class Files(Functions):
    """`dump` to a real file and `load` from it; many calls make one file of many pickles."""

    name = "file"

    def __init__(self, module: Any) -> None:
        self.path = tempfile.NamedTemporaryFile()
        self.writer, self.reader = open(self.path.name, "wb"), open(self.path.name, "rb")
        self.count = 0
        writer, reader = self.writer, self.reader

        def dump(obj: Any, protocol: int) -> None:
            module.dump(obj, writer, protocol)
            self.count += 1

        def load(_: None) -> Any:
            return module.load(reader)

        self.dump, self.load = dump, load

    def before_dump(self) -> None:
        self.writer.seek(0)
        self.writer.truncate()
        self.count = 0

    def before_load(self) -> None:
        self.reader.seek(0, io.SEEK_END)  # so that its buffer is empty
        self.reader.seek(0)

    def written(self, result: None) -> bytes:
        self.writer.flush()
        with open(self.path.name, "rb") as file:  # the reader may have an earlier dump in its buffer
            data = file.read()
        one = data[: len(data) // self.count]
        if data != one * self.count:
            raise AssertionError("the calls wrote different pickles")
        return one

    def ready(self, calls: int) -> None:
        one = self.written(None)
        self.writer.write(one * (calls - self.count))
        self.writer.flush()
        self.count = calls


class Subclasses(Functions):
    """Subclasses of `Pickler` and `Unpickler` that override nothing."""

    name = "subclass"

    def __init__(self, module: Any) -> None:
        self.set(type("Pickler", (module.Pickler,), {}), type("Unpickler", (module.Unpickler,), {}))

    def set(self, pickler: Callable[..., Any], unpickler: Callable[..., Any]) -> None:
        def dump(obj: Any, protocol: int) -> bytes:
            file = io.BytesIO()
            pickler(file, protocol).dump(obj)
            return file.getvalue()

        def load(data: bytes) -> Any:
            return unpickler(io.BytesIO(data)).load()

        self.dump, self.load = dump, load


class PersistentIds(Subclasses):
    """Objects with an attribute `key` are stored by that key, as a database would."""

    name = "persistent ids"

    def __init__(self, module: Any) -> None:
        from bench.workloads.hooks import Stored

        def persistent_id(self: Any, obj: Any) -> str | None:
            return obj.key if type(obj) is Stored else None

        def persistent_load(self: Any, key: str) -> Any:
            try:
                return Stored.kept[key]
            except KeyError:  # in a fresh process
                return Stored(key)

        self.set(
            type("Pickler", (module.Pickler,), {"persistent_id": persistent_id}),
            type("Unpickler", (module.Unpickler,), {"persistent_load": persistent_load}),
        )


class DispatchTables(Subclasses):
    """A pickler with a dispatch table of its own."""

    name = "dispatch table"

    def __init__(self, module: Any) -> None:
        from bench.workloads.hooks import Foreign, reduce_foreign

        table = {**copyreg.dispatch_table, Foreign: reduce_foreign}

        def pickler(file: io.BytesIO, protocol: int) -> Any:
            made = module.Pickler(file, protocol)
            made.dispatch_table = table
            return made

        self.set(pickler, module.Unpickler)


class Buffers(Functions):
    """Protocol 5 with its buffers out of band."""

    name = "out of band"

    def __init__(self, module: Any) -> None:
        def dump(obj: Any, protocol: int) -> tuple[bytes, list[pickle.PickleBuffer]]:
            buffers: list[pickle.PickleBuffer] = []
            return module.dumps(obj, protocol, buffer_callback=buffers.append), buffers

        def load(data: tuple[bytes, list[pickle.PickleBuffer]]) -> Any:
            return module.loads(data[0], buffers=data[1])

        self.dump, self.load = dump, load

    def written(self, result: Any) -> bytes:
        data, buffers = result
        return b"".join([data, *(buffer.raw() for buffer in buffers)])
