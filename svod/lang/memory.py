"""Memory in kernels: shared and local arrays, atomics, accesses with bounds, vectors of elements.

Owns: shared, shared_dynamic, local, the atomics, buffer_load, buffer_store, vec, load_vector, store_vector, len(). Must not know math.
Invariant: every access names its element; what is out of bounds is dropped or 0 only in buffer_load and buffer_store. A vector is the tuple
of its lanes: arithmetic on it goes lane by lane, and loads and stores of one are those of consecutive elements.
"""
from __future__ import annotations

import builtins
import math
from dataclasses import replace
from typing import Any

from svod.dtype import AddrSpace, DType, dtypes
from svod.errors import KernelError
from svod.ir.args import AtomicKind
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.threads import MAX_DYNAMIC, shared_variable
from svod.ir.uop import UOp
from svod.lang import arithmetic
from svod.lang.builder import Loop
from svod.lang.builtin import STANDS_FOR, Builtin, builtin
from svod.lang.checked import Bound, mark, require
from svod.lang.elements import element_index, extent, size
from svod.lang.tracer import Tracer
from svod.lang.types import dtype_of
from svod.lang.value import Array, Dynamic, Vector, describe, static_number


def _type(kind: Any, example: str) -> DType:
    dtype = dtype_of(kind)
    if dtype is None or dtype not in dtypes.ALL:
        raise KernelError(f"{kind!r} is not a type of elements", hint=example)
    return dtype


def _shape(shape: Any, example: str) -> tuple[int, ...]:
    extents = tuple(static_number(e) for e in (shape if isinstance(shape, (tuple, list)) else (shape,)))
    if not extents or any(not isinstance(e, int) or isinstance(e, bool) or e < 1 for e in extents):
        raise KernelError("the shape of an array of the kernel's own is made of numbers of 1 or more, known while the kernel is traced",
                          hint=example)
    return tuple(e for e in extents if isinstance(e, int))


def _new(t: Tracer, shape: Any, kind: Any, space: AddrSpace) -> Array:
    function = "shared" if space is AddrSpace.LOCAL else "local"
    extents, dtype = _shape(shape, f"{function}((16, 16), f32)"), _type(kind, f"{function}((16, 16), f32)")
    name = t.wanted.get(t.nodes[-1], function)
    return Array(t.builder.memory(dtype, math.prod(extents), space, name), dtype, extents, name)


@builtin()
def shared(t: Tracer, shape: Any, dtype: Any) -> Array:
    """An array that the work items of a block share. Its contents are undefined at first; every call makes another one."""
    return _new(t, shape, dtype, AddrSpace.LOCAL)


DYNAMIC = shared_variable().arg.name
"""The hidden parameter that holds the bytes a launch gives."""


@builtin()
def shared_dynamic(t: Tracer, dtype: Any, shape: Any = None, offset: Any = 0) -> Array:
    """The shared memory that the launch gives each block, `k[grid, block, smem](...)`, from byte `offset` on, as an array of `dtype`.

    With a shape, whose extents and the offset may be values of the launch, it has that; without one it has one axis, and as many elements
    as there are. All calls look at the same bytes: arrays that are used together take an `offset` each, a multiple of the size of an
    element. What was stored through another type of element is undefined. LaunchError from a launch that gives too little.
    """
    kind = _type(dtype, "shared_dynamic(f32), shared_dynamic(f32, (n, 4), offset=256)")
    first = arithmetic.as_index(offset, "the offset of shared_dynamic")
    if first.op is Op.CONST and (first.arg.value < 0 or first.arg.value % kind.itemsize):
        raise KernelError(f"an offset of {first.arg.value} B into dynamic shared memory of {kind!r}",
                          hint=f"a multiple of {kind.itemsize}, the bytes of an element, from 0 on")
    memory = t.state.get((shared_dynamic, kind))
    if memory is None:
        memory = t.builder.memory(kind, MAX_DYNAMIC // kind.itemsize, AddrSpace.LOCAL, "dynamic")
        memory = t.state[shared_dynamic, kind] = memory.replace(arg=replace(memory.arg, dynamic=True))
    t.scalars[DYNAMIC] = ("shared",)
    extents = _dynamic_shape(shape) if shape is not None else (_plain((shared_variable() - first) // kind.itemsize),)
    elements: Any = 1
    for e in extents if shape is not None else ():
        elements = elements * e
    need = first + elements * kind.itemsize
    t.state.setdefault(DYNAMIC, {})[rewrite(need, SIMPLIFY)] = None
    start = None if first.op is Op.CONST and first.arg.value == 0 else t.builder.let(rewrite(first // kind.itemsize, SIMPLIFY))
    return Array(memory, kind, extents, "dynamic", start)


def _dynamic_shape(shape: Any) -> tuple[int | UOp, ...]:
    """Extents that are whole numbers, or values of the running kernel."""
    given = tuple(shape) if isinstance(shape, (list, tuple)) else (shape,)
    extents = [_plain(arithmetic.as_index(e, "an extent of shared_dynamic")) for e in given]
    if not extents or any(isinstance(e, int) and e < 1 for e in extents):
        raise KernelError("the shape of an array is made of numbers of 1 or more", hint="shared_dynamic(f32, (n, 4))")
    return tuple(extents)


def _plain(extent: UOp) -> int | UOp:
    """A number where it is known."""
    known = rewrite(extent, SIMPLIFY)
    return int(known.arg.value) if known.op is Op.CONST else known


@builtin()
def local(t: Tracer, shape: Any, dtype: Any, fill: Any = None) -> Array:
    """An array of one work item; undefined at first unless `fill` is given. Unlike a list it takes dynamic indices."""
    array = _new(t, shape, dtype, AddrSpace.REG)
    if fill is not None:
        value = arithmetic.implicit(fill, array.dtype, "an element of local")
        place = t.builder.value(dtypes.index, "place")
        loop = Loop([array.pointer.index(place).store(value)])
        loop.header = (place, t.constant(0), t.constant(math.prod(_shape(shape, ""))), t.constant(1))
        t.builder.emit(loop)
    return array


@builtin("len", builtins.len)
def len_(t: Tracer, x: Any) -> Any:
    """Extent of the first axis of an array; length of a static container."""
    if isinstance(x, Dynamic):
        raise KernelError(f"len() of a scalar of {x.dtype!r}", hint="arrays, vectors, lists and tuples have a length")
    return extent(t, x, 0) if isinstance(x, Array) else builtins.len(x.lanes) if isinstance(x, Vector) else builtins.len(x)


STANDS_FOR[builtins.len] = len_


# --- atomics -----------------------------------------------------------------------------------------------------------------------

def _element(t: Tracer, name: str, array: Any, index: Any) -> UOp:
    if not isinstance(array, Array):
        raise KernelError(f"{name}() of {describe(array)}", hint=f"{name}(array, index, value)")
    if array.pointer.op is Op.DEFINE_REG:
        raise KernelError(f"{name}() of a local array", hint="a local array belongs to one work item: a[i] += x")
    number, fixed = element_index(t, array, index)
    if fixed < len(array.shape):
        raise KernelError(f"{array.name} has {len(array.shape)} axes, {fixed} of them indexed", hint=f"{name}(a, (i, j), x)")
    if array.offset is not None:
        mark(t)
    return array.pointer.index(number)


def _atomic(name: str, kind: AtomicKind, negate: bool = False) -> Builtin:
    def apply(t: Tracer, array: Any, index: Any, value: Any) -> Dynamic:
        element = _element(t, name, array, index)
        if array.dtype.is_float and kind in (AtomicKind.AND, AtomicKind.OR, AtomicKind.XOR):
            raise KernelError(f"{name}() of {array.dtype!r}", hint="bits are those of integers")
        new = arithmetic.implicit(value, array.dtype, f"an element of {array.name}")
        return Dynamic(t.builder.let(UOp(Op.ATOMIC, (element, -new if negate else new), kind), "old"))

    apply.__doc__ = f"{name}(array, index, value): changes one element of a global or shared array in one step; gives its old value."
    return Builtin(apply, name)


atomic_add = _atomic("atomic_add", AtomicKind.ADD)
atomic_sub = _atomic("atomic_sub", AtomicKind.ADD, negate=True)
atomic_min = _atomic("atomic_min", AtomicKind.MIN)
atomic_max = _atomic("atomic_max", AtomicKind.MAX)
atomic_and = _atomic("atomic_and", AtomicKind.AND)
atomic_or = _atomic("atomic_or", AtomicKind.OR)
atomic_xor = _atomic("atomic_xor", AtomicKind.XOR)
atomic_exchange = _atomic("atomic_exchange", AtomicKind.EXCHANGE)


@builtin()
def atomic_cas(t: Tracer, array: Any, index: Any, expected: Any, new: Any) -> Dynamic:
    """Writes `new` if the element is `expected`, in one step; gives its old value."""
    element = _element(t, "atomic_cas", array, index)
    values = tuple(arithmetic.implicit(v, array.dtype, f"an element of {array.name}") for v in (new, expected))
    return Dynamic(t.builder.let(UOp(Op.ATOMIC, (element, *values), AtomicKind.COMPARE_EXCHANGE), "old"))


# --- vectors and accesses with bounds ------------------------------------------------------------------------------------------------

def _vector_type(kind: Any, lanes: Any) -> Builtin:
    dtype = _type(kind, "vec(f32, 4)")
    count = _lanes(lanes)

    def apply(t: Tracer, *values: Any) -> Vector:
        first = values[0] if values else ()
        items = list(first.lanes if isinstance(first, Vector) else first) if isinstance(first, (Vector, list, tuple)) else list(values)
        items = items * count if builtins.len(items) == 1 else items
        if builtins.len(items) != count:
            raise KernelError(f"{builtins.len(items)} values for a vector of {count}")
        return Vector(tuple(arithmetic.cast(v, dtype) for v in items))

    return Builtin(apply, f"vec({dtype!r}, {count})")


@builtin("vec", _vector_type)
def vec(t: Tracer, kind: Any, lanes: Any) -> Builtin:
    """The type of vectors of `lanes` (1 to 16) values of a type: vec(f32, 4)(a, b, c, d), vec(f32, 4)(0.0)."""
    return _vector_type(kind, lanes)


def _lanes(lanes: Any) -> int:
    number = static_number(lanes)
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= 16:
        raise KernelError(f"a vector of {lanes!r} lanes", hint="1 to 16, known while the kernel is traced")
    return number


@builtin()
def load_vector(t: Tracer, array: Any, index: Any, lanes: Any) -> Vector:
    """The vector of `lanes` consecutive elements from `index` on."""
    number, _ = element_index(t, _array(array), index)
    start = t.builder.let(number)
    values = []
    _check_end(t, array, start, _lanes(lanes))
    for k in range(_lanes(lanes)):
        mark(t)
        values.append(t.load(array, start + k))
    return Vector(tuple(values))


@builtin()
def store_vector(t: Tracer, array: Any, index: Any, vector: Any) -> None:
    """Stores the lanes of a vector to consecutive elements from `index` on."""
    number, _ = element_index(t, _array(array), index)
    if not isinstance(vector, Vector):
        raise KernelError(f"{describe(vector)} is no vector", hint="a[i] = x stores one element")
    start = t.builder.let(number)
    _check_end(t, array, start, builtins.len(vector.lanes))
    for k, lane in enumerate(vector.lanes):
        new = arithmetic.implicit(lane, array.dtype, f"an element of {array.name}")
        mark(t)
        t.builder.store(array.pointer, new, start + k)


def _check_end(t: Tracer, array: Array, start: UOp, lanes: int) -> None:
    """Has the last of some consecutive elements checked, where indices are. Of a row it is not known where its memory ends."""
    if t.checks and array.offset is None:
        end = size(t, array)
        name = array.name if builtins.len(array.shape) == 1 else f"{array.name}.flat"
        require(t, (Bound(start + (lanes - 1), end.uop if isinstance(end, Dynamic) else end, 0, name),))


def _array(array: Any) -> Array:
    if not isinstance(array, Array):
        raise KernelError(f"{describe(array)} is no array")
    return array


def _gated(t: Tracer, array: Array, offset: Any, mask: Any) -> tuple[UOp, UOp]:
    """The number of an element counted from the start of the array, flat, and whether it is inside."""
    number = t.builder.let(arithmetic.as_index(offset, "the offset"), "offset")
    end = size(t, array)
    gate = UOp(Op.AND, (number >= 0, number < (end.uop if isinstance(end, Dynamic) else end)))
    truth = arithmetic.truth(mask)
    if isinstance(truth, Dynamic):
        gate = UOp(Op.AND, (gate, truth.uop))
    elif not truth:
        gate = UOp.const(False, dtypes.bool)
    return (number if array.offset is None else array.offset + number), gate


@builtin()
def buffer_load(t: Tracer, array: Any, offset: Any, width: Any = 1, mask: Any = True) -> Any:
    """Element `offset` (in elements, counted through all axes); 0 where it is out of range or masked out. width > 1: a vector."""
    values = []
    for k in range(_lanes(width)):
        number, gate = _gated(t, _array(array), arithmetic.binary("+", offset, k) if k else offset, mask)
        values.append(Dynamic(t.builder.let(array.pointer.index(number, gate).load(), array.name)))
    return values[0] if builtins.len(values) == 1 else Vector(tuple(values))


@builtin()
def buffer_store(t: Tracer, value: Any, array: Any, offset: Any, mask: Any = True) -> None:
    """Stores a value, or a vector to consecutive elements; what is out of range, or where the mask does not hold, is dropped."""
    lanes = value.lanes if isinstance(value, Vector) else (value,)
    for k, lane in enumerate(lanes):
        number, gate = _gated(t, _array(array), arithmetic.binary("+", offset, k) if k else offset, mask)
        t.builder.emit(array.pointer.index(number, gate).store(arithmetic.implicit(lane, array.dtype, f"an element of {array.name}")))
