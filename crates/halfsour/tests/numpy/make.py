"""Writes what numpy pickles, for `numpy.rs`: run it with numpy 1.26, and with numpy 2.

    python make.py

The tree: <version of numpy>/<name>.<protocol>.pickle; of out-of-band pickles the protocol is `apart`, and beside each
there is <name>.apart.buffer.
"""

import pathlib
import pickle

import numpy as np

DTYPES = "? i1 <i2 <i4 <i8 u1 <u2 <u4 <u8 <f4 <f8 <c8 <c16".split()
HERE = pathlib.Path(__file__).resolve().parent / ".".join(np.__version__.split(".")[:2])
IS_NEW = np.lib.NumpyVersion(np.__version__) >= "2.0.0"


def numbers(dtype, *shape):
    return np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)


def objects():
    """Name, object, protocols."""
    yield "matrix", numbers("<i4", 2, 3), range(6)
    yield "fortran", np.asfortranarray(numbers("<f8", 2, 3)), range(6)
    yield "dtypes", [numbers(dtype, 3) for dtype in DTYPES], range(6)
    if not IS_NEW:
        return
    yield "scalars", [np.dtype(dtype).type(1) for dtype in DTYPES], range(6)
    yield "twice", [numbers("<f4", 2), numbers("<f4", 1, 2)], range(6)
    yield "empty", numbers("<f8", 0, 3), range(6)
    yield "point", np.array(1.5), range(6)
    yield "big_endian", [numbers(dtype.replace("<", ">"), 3) for dtype in DTYPES], (0, 2, 5)
    yield "transposed", numbers("<i2", 2, 3, 4).transpose(1, 0, 2), (4, 5)
    yield "strided", numbers("<i2", 2, 6)[:, ::2], (4, 5)
    yield "objects", np.array([None, "spam"], dtype=object), (4, 5)
    yield "structure", np.array([(1, 2.0)], dtype=[("a", "<i4"), ("b", "<f8")]), (4, 5)
    yield "text", np.array(["spam", "egg"]), (4, 5)
    yield "dates", np.array(["2026-02-28"], dtype="M8[D]"), (4, 5)
    yield "half", numbers("<f2", 3), (4, 5)
    yield "subclass", np.matrix([[1, 2]]), (4,)


def main():
    HERE.mkdir(exist_ok=True)
    for name, obj, protocols in objects():
        for protocol in protocols:
            (HERE / f"{name}.{protocol}.pickle").write_bytes(pickle.dumps(obj, protocol))
        if name in ("matrix", "fortran"):
            buffers = []
            data = pickle.dumps(obj, 5, buffer_callback=buffers.append)
            (HERE / f"{name}.apart.pickle").write_bytes(data)
            (HERE / f"{name}.apart.buffer").write_bytes(buffers[0].raw())


main()
