"""Elements of arrays: numbers of elements from indices, reading, writing, rows, extents.

Owns: index arithmetic of arrays in C order. Must not know syntax.
Invariant: a static index is checked against a static extent while the kernel is traced; a negative one counts from the end, as in Python.
"""
from __future__ import annotations

from typing import Any

from svod.dtype import dtypes
from svod.errors import KernelError
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.lang import arithmetic
from svod.lang.checked import Bound, mark, require
from svod.lang.tracer import Tracer
from svod.lang.value import Array, Dynamic, Vector, describe


def extent(t: Tracer, array: Array, axis: int) -> Dynamic | int:
    """The extent of an axis: a number where it is part of the kernel, else read at launch."""
    known = array.shape[axis]
    if isinstance(known, int):
        return known
    if known.op is Op.DEFINE_VAR and known.arg.name in t.hidden:
        t.scalars[known.arg.name] = t.hidden[known.arg.name]
    return Dynamic(known)


def extents(t: Tracer, array: Array) -> tuple[Dynamic | int, ...]:
    """array.shape"""
    return tuple(extent(t, array, a) for a in range(len(array.shape)))


def size(t: Tracer, array: Array) -> Any:
    """Elements of an array."""
    total: Any = 1
    for e in extents(t, array):
        total = e if isinstance(total, int) and total == 1 else arithmetic.binary("*", total, e)
    return total


def element_index(t: Tracer, array: Array, index: Any) -> tuple[UOp, int]:
    """The number of the first element that an index (or a tuple of them) means, and how many axes it fixes."""
    indices = index if isinstance(index, tuple) else (index,)
    if any(isinstance(i, slice) or i is Ellipsis or i is None for i in indices):
        raise KernelError(f"{array.name} is read element by element: slices of arrays are not there",
                          hint="a[i], a[i, j]; a[i] of two axes is a row")
    if len(indices) > len(array.shape):
        raise KernelError(f"{array.name} has {len(array.shape)} axes and is indexed with {len(indices)}",
                          hint=f"declare its axes: Array[{array.dtype!r}, {len(indices)}]")
    ones = [_one(t, array, axis, i) for axis, i in enumerate(indices)]
    if t.checks and len(indices) == len(array.shape):
        require(t, _bounds(t, array, ones))
    number: UOp | None = None
    for axis, one in enumerate(ones):
        number = _plus(_times(t, number, array, axis), one)
    for axis in range(len(indices), len(array.shape)):
        number = _times(t, number, array, axis)
    assert number is not None
    return (number if array.offset is None else _plus(array.offset, number)), len(indices)


def _bounds(t: Tracer, array: Array, ones: list[UOp]) -> tuple[Bound, ...]:
    """What has to hold of the first indices of an array, and of those that made it if it is a row."""
    ends = [extent(t, array, axis) for axis in range(len(ones))]
    own = (Bound(one, e if isinstance(e, int) else e.uop, len(array.bounds) + axis, array.name)
           for axis, (one, e) in enumerate(zip(ones, ends, strict=True)))
    return (*array.bounds, *own)


def _one(t: Tracer, array: Array, axis: int, index: Any) -> UOp:
    if isinstance(index, Vector):
        raise KernelError("a vector is no index", hint="index lane by lane")
    known = array.shape[axis]
    if isinstance(index, int) and not isinstance(index, bool):
        if isinstance(known, int) and not -known <= index < known:
            raise KernelError(f"index {index} is out of range: axis {axis} of {array.name} has {known} elements")
        if index < 0:
            end = extent(t, array, axis)
            return UOp.const(end + index, dtypes.index) if isinstance(end, int) else end.uop + index
    return arithmetic.as_index(index, f"the index of {array.name}")


def _times(t: Tracer, number: UOp | None, array: Array, axis: int) -> UOp | None:
    if number is None:
        return None
    e = extent(t, array, axis)
    if isinstance(e, int):
        return number if e == 1 else UOp.const(number.arg.value * e, dtypes.index) if number.op is Op.CONST else number * e
    return number * e.uop


def _plus(a: UOp | None, b: UOp) -> UOp:
    if a is None:
        return b
    if a.op is Op.CONST and b.op is Op.CONST:
        return UOp.const(a.arg.value + b.arg.value, dtypes.index)
    return b if a.op is Op.CONST and a.arg.value == 0 else a if b.op is Op.CONST and b.arg.value == 0 else a + b


def read_element(t: Tracer, array: Array, index: Any) -> Any:
    """array[index]: an element, or with fewer indices than axes the array of what follows."""
    number, fixed = element_index(t, array, index)
    if fixed < len(array.shape):
        indices = index if isinstance(index, tuple) else (index,)
        bounds = _bounds(t, array, [_one(t, array, axis, i) for axis, i in enumerate(indices)]) if t.checks else ()
        return Array(array.pointer, array.dtype, array.shape[fixed:], array.name, t.builder.let(number, array.name), bounds)
    if array.offset is not None:
        mark(t)
    return t.load(array, number)


def store_element(t: Tracer, array: Array, place: tuple[UOp, int], value: Any) -> None:
    """array[index] = value"""
    number, fixed = place
    if fixed < len(array.shape):
        raise KernelError(f"{array.name} has {len(array.shape)} axes, {fixed} of them indexed: only elements are assigned",
                          hint="a[i, j] = x")
    if isinstance(value, (Array, Vector)) or value is None:
        raise KernelError(f"an element of {array.name} is {array.dtype!r}, the value is {describe(value)}", hint="assign a number")
    new = arithmetic.implicit(value, array.dtype, f"an element of {array.name}")
    if array.offset is not None:
        mark(t)
    t.builder.store(array.pointer, new, number)


def first_element(array: Array, number: UOp) -> UOp:
    """The INDEX of element `number`, counted from the start of the memory."""
    return array.pointer.index(number)
