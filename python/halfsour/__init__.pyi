"""Python's pickle, rewritten in Rust: the standard library's interface, and the two functions at the end."""

from collections.abc import Callable, Iterable, Mapping
from pickle import (
    ADDITEMS as ADDITEMS,
    APPEND as APPEND,
    APPENDS as APPENDS,
    BINBYTES as BINBYTES,
    BINBYTES8 as BINBYTES8,
    BINFLOAT as BINFLOAT,
    BINGET as BINGET,
    BININT as BININT,
    BININT1 as BININT1,
    BININT2 as BININT2,
    BINPERSID as BINPERSID,
    BINPUT as BINPUT,
    BINSTRING as BINSTRING,
    BINUNICODE as BINUNICODE,
    BINUNICODE8 as BINUNICODE8,
    BUILD as BUILD,
    BYTEARRAY8 as BYTEARRAY8,
    DEFAULT_PROTOCOL as DEFAULT_PROTOCOL,
    DICT as DICT,
    DUP as DUP,
    EMPTY_DICT as EMPTY_DICT,
    EMPTY_LIST as EMPTY_LIST,
    EMPTY_SET as EMPTY_SET,
    EMPTY_TUPLE as EMPTY_TUPLE,
    EXT1 as EXT1,
    EXT2 as EXT2,
    EXT4 as EXT4,
    FALSE as FALSE,
    FLOAT as FLOAT,
    FRAME as FRAME,
    FROZENSET as FROZENSET,
    GET as GET,
    GLOBAL as GLOBAL,
    HIGHEST_PROTOCOL as HIGHEST_PROTOCOL,
    INST as INST,
    INT as INT,
    LIST as LIST,
    LONG as LONG,
    LONG1 as LONG1,
    LONG4 as LONG4,
    LONG_BINGET as LONG_BINGET,
    LONG_BINPUT as LONG_BINPUT,
    MARK as MARK,
    MEMOIZE as MEMOIZE,
    NEWFALSE as NEWFALSE,
    NEWOBJ as NEWOBJ,
    NEWOBJ_EX as NEWOBJ_EX,
    NEWTRUE as NEWTRUE,
    NEXT_BUFFER as NEXT_BUFFER,
    NONE as NONE,
    OBJ as OBJ,
    PERSID as PERSID,
    POP as POP,
    POP_MARK as POP_MARK,
    PROTO as PROTO,
    PUT as PUT,
    READONLY_BUFFER as READONLY_BUFFER,
    REDUCE as REDUCE,
    SETITEM as SETITEM,
    SETITEMS as SETITEMS,
    SHORT_BINBYTES as SHORT_BINBYTES,
    SHORT_BINSTRING as SHORT_BINSTRING,
    SHORT_BINUNICODE as SHORT_BINUNICODE,
    STACK_GLOBAL as STACK_GLOBAL,
    STOP as STOP,
    STRING as STRING,
    TRUE as TRUE,
    TUPLE as TUPLE,
    TUPLE1 as TUPLE1,
    TUPLE2 as TUPLE2,
    TUPLE3 as TUPLE3,
    UNICODE as UNICODE,
    PickleBuffer as PickleBuffer,
    PickleError as PickleError,
    PicklingError as PicklingError,
    UnpicklingError as UnpicklingError,
    __all__ as __all__,
)
from typing import Any, Literal, Protocol, TypeAlias, type_check_only

from _typeshed import ReadableBuffer, SupportsWrite
from typing_extensions import disjoint_base

# What __reduce__, __reduce_ex__, reducer_override and the functions of a dispatch table return.
_Reduced: TypeAlias = str | tuple[Any, ...]

@type_check_only
class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...
    def readline(self) -> bytes: ...

@type_check_only
class PicklerMemoProxy:
    def clear(self) -> None: ...
    def copy(self) -> dict[int, tuple[int, Any]]: ...

@type_check_only
class UnpicklerMemoProxy:
    def clear(self) -> None: ...
    def copy(self) -> dict[int, Any]: ...

@disjoint_base
class Pickler:
    bin: int
    fast: int
    dispatch_table: Mapping[type, Callable[[Any], _Reduced]]
    def __init__(
        self,
        file: SupportsWrite[bytes],
        protocol: int | None = None,
        fix_imports: bool = True,
        buffer_callback: Callable[[PickleBuffer], object] | None = None,
    ) -> None: ...
    @property
    def memo(self) -> PicklerMemoProxy: ...
    @memo.setter
    def memo(self, value: PicklerMemoProxy | dict[int, tuple[int, Any]]) -> None: ...
    def dump(self, obj: object, /) -> None: ...
    def clear_memo(self) -> None: ...
    def persistent_id(self, obj: Any, /) -> Any: ...
    # Looked up on subclasses; Pickler itself has none.
    @type_check_only
    def reducer_override(self, obj: Any, /) -> Any: ...

@disjoint_base
class Unpickler:
    def __init__(
        self,
        file: _Readable,
        *,
        fix_imports: bool = True,
        encoding: str = "ASCII",
        errors: str = "strict",
        buffers: Iterable[ReadableBuffer] | None = (),
    ) -> None: ...
    @property
    def memo(self) -> UnpicklerMemoProxy: ...
    @memo.setter
    def memo(self, value: UnpicklerMemoProxy | dict[int, Any]) -> None: ...
    def load(self) -> Any: ...
    def find_class(self, module_name: str, global_name: str, /) -> Any: ...
    def persistent_load(self, pid: Any, /) -> Any: ...

def dump(
    obj: object,
    file: SupportsWrite[bytes],
    protocol: int | None = None,
    *,
    fix_imports: bool = True,
    buffer_callback: Callable[[PickleBuffer], object] | None = None,
) -> None: ...
def dumps(
    obj: object,
    protocol: int | None = None,
    *,
    fix_imports: bool = True,
    buffer_callback: Callable[[PickleBuffer], object] | None = None,
) -> bytes: ...
def load(
    file: _Readable,
    *,
    fix_imports: bool = True,
    encoding: str = "ASCII",
    errors: str = "strict",
    buffers: Iterable[ReadableBuffer] | None = (),
) -> Any: ...
def loads(
    data: ReadableBuffer,
    /,
    *,
    fix_imports: bool = True,
    encoding: str = "ASCII",
    errors: str = "strict",
    buffers: Iterable[ReadableBuffer] | None = (),
) -> Any: ...

# Not in the standard library: how many reductions (what __reduce__ and its kin return, so every instance is one) may
# stand inside one another in a dump before it ends in a RecursionError. Containers do not count.
def get_max_depth() -> int: ...
def set_max_depth(depth: int, /) -> None: ...

# Not in the standard library: what loads do about the cycle collector. They make many objects and no garbage, so they
# suspend it while no Python code runs ("suspend"), unless told not to ("leave"). Returns what they did before.
def gc_policy(policy: Literal["suspend", "leave"] | None = None, /) -> Literal["suspend", "leave"]: ...
