"""`buffer_ops`: loads and stores that stay inside of a tensor: what is out of range reads as 0 and is not written.

Owns: the names, and the reading of elements as another type. Must not know how accesses are guarded.
Invariant: OFFSETS COUNT ELEMENTS of the type that is loaded or stored, as FlyDSL's code has it, whatever its guide calls them;
`offset_is_bytes=True` makes them bytes. Bits are never converted: a load or store of another type than the tensor's moves its bits.
"""
from __future__ import annotations

from typing import Any

from svod.compat.flydsl.expr.typing import element_type
from svod.compat.flydsl.expr.vector import rebit
from svod.dtype import DType, dtypes
from svod.errors import KernelError
from svod.lang import arithmetic, memory
from svod.lang.attributes import attribute
from svod.lang.builtin import builtin
from svod.lang.tracer import Tracer
from svod.lang.value import Array, Dynamic, Vector, describe

_LOAD = {"dtype": None, "mask": None, "cache_modifier": 0, "soffset_bytes": None, "offset_is_bytes": False}
_STORE = {name: default for name, default in _LOAD.items() if name != "dtype"}


@builtin()
def create_buffer_resource(t: Tracer, memref: Any, stride: Any = 0, max_size: Any = True, num_records_bytes: Any = None) -> Array:
    """The elements of a tensor with one axis; with num_records_bytes only those that begin within so many bytes."""
    if not isinstance(memref, Array):
        raise KernelError(f"create_buffer_resource() of {describe(memref)}", hint="a tensor")
    if stride != 0:
        raise KernelError("create_buffer_resource() with a stride", hint="index with the stride instead")
    flat: Array = attribute(t, memref, "flat")
    if num_records_bytes is None:
        return flat
    records = arithmetic.binary("//", num_records_bytes, flat.dtype.itemsize)
    if isinstance(records, Dynamic):
        least = t.builder.let(arithmetic.as_index(records, "num_records_bytes"), "records")
        return Array(flat.pointer, flat.dtype, (least,), flat.name, flat.offset)
    return Array(flat.pointer, flat.dtype, (int(records),), flat.name, flat.offset)


@builtin()
def buffer_load(t: Tracer, rsrc: Any, offset: Any, vec_width: Any = 4, **options: Any) -> Any:
    """vec_width elements from `offset` on; vec_width 1: a scalar. Options: dtype, mask, cache_modifier, soffset_bytes, offset_is_bytes."""
    given = _options("buffer_load", _LOAD, options)
    array = _resource(rsrc)
    dtype = array.dtype if given["dtype"] is None else element_type(given["dtype"])
    ratio = _ratio("buffer_load", dtype, array)
    start = _start(offset, dtype, given)
    lanes: list[Any] = []
    for k in range(vec_width * ratio):
        place = arithmetic.binary("+", arithmetic.binary("*", start, ratio), k)
        lanes.append(memory.buffer_load.apply(t, array, place, 1, given["mask"]))
    loaded = Vector(tuple(lanes))
    loaded = loaded if dtype is array.dtype else rebit(t, loaded, dtype)
    return loaded if vec_width > 1 else loaded.lanes[0]


@builtin()
def buffer_store(t: Tracer, data: Any, rsrc: Any, offset: Any, **options: Any) -> None:
    """Stores a scalar, or a vector to consecutive elements from `offset` on. Options as buffer_load, without dtype."""
    given = _options("buffer_store", _STORE, options)
    array = _resource(rsrc)
    value = data if isinstance(data, Vector) else Vector((_element(data, array.dtype),))
    ratio = _ratio("buffer_store", value.dtype, array)
    start = _start(offset, value.dtype, given)
    raw = value if value.dtype is array.dtype else rebit(t, value, array.dtype)
    for k, lane in enumerate(raw.lanes):
        place = arithmetic.binary("+", arithmetic.binary("*", start, ratio), k)
        memory.buffer_store.apply(t, lane, array, place, given["mask"])


def _options(name: str, known: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    if unknown := sorted(set(given) - set(known)):
        raise KernelError(f"{name}() has no option {unknown[0]!r}", hint=f"its options: {', '.join(known)}")
    merged = {**known, **given}
    return {**merged, "mask": True if merged["mask"] is None else merged["mask"]}


def _resource(value: Any) -> Array:
    if not isinstance(value, Array) or len(value.shape) != 1:
        raise KernelError(f"{describe(value)} is no buffer resource", hint="rsrc = buffer_ops.create_buffer_resource(tensor)")
    return value


def _ratio(name: str, dtype: DType, array: Array) -> int:
    if dtype.itemsize < array.dtype.itemsize:
        raise KernelError(f"{name}() of {dtype!r} in a tensor of {array.dtype!r}: parts of elements",
                          hint="view the tensor as the smaller type")
    return dtype.itemsize // array.dtype.itemsize


def _start(offset: Any, dtype: DType, given: dict[str, Any]) -> Any:
    start = arithmetic.binary("//", offset, dtype.itemsize) if given["offset_is_bytes"] else offset
    if given["soffset_bytes"] is None:
        return start
    return arithmetic.binary("+", start, arithmetic.binary("//", given["soffset_bytes"], dtype.itemsize))


def _element(data: Any, dtype: DType) -> Dynamic:
    """A scalar to be stored: literals and indices take the type of the tensor."""
    value = arithmetic.number(data)
    if not isinstance(value, Dynamic) or value.weak or (value.dtype is dtypes.index and dtype.is_int):
        return Dynamic(arithmetic.implicit(value, dtype, "an element"))
    return value
