"""`vector`: short vectors, their lanes, and moving them to and from memory.

Owns: the names and the order of their operands. Must not know memory. Invariant: a vector has 1 to 16 lanes of one type.
"""
from __future__ import annotations

import functools
import operator
from typing import Any

from svod.compat.flydsl.expr import arith
from svod.compat.flydsl.expr.typing import VectorType, element_type
from svod.dtype import DType
from svod.errors import KernelError
from svod.lang import arithmetic, mathematics, memory, types
from svod.lang.builtin import builtin
from svod.lang.tracer import Tracer
from svod.lang.types import Scalar
from svod.lang.value import Vector, describe
from svod.lang.vectors import lane, with_lane


def _vector(value: Any, name: str) -> Vector:
    if not isinstance(value, Vector):
        raise KernelError(f"{name}() of {describe(value)}, which is no vector", hint="vector.from_elements(T.f32x4, [a, b, c, d])")
    return value


def _type(kind: Any, name: str) -> VectorType:
    if not isinstance(kind, VectorType):
        raise KernelError(f"{name}() as {kind!r}, which is no type of vectors", hint="T.vec(4, T.f32), or T.f32x4")
    return kind


def _place(indices: Any) -> Any:
    """[i, j] as an index."""
    if not isinstance(indices, (list, tuple)):
        return indices
    return tuple(indices) if len(indices) != 1 else indices[0]


@builtin()
def from_elements(t: Tracer, kind: Any, elements: Any) -> Vector:
    """The vector of a list of values."""
    wanted = _type(kind, "from_elements")
    if len(elements) != wanted.lanes:
        raise KernelError(f"{len(elements)} values for a vector of {wanted.lanes}")
    return Vector(tuple(arithmetic.cast(e, wanted.element.dtype) for e in elements))


@builtin()
def broadcast(t: Tracer, kind: Any, value: Any) -> Vector:
    """The vector whose lanes all are one value."""
    wanted = _type(kind, "broadcast")
    return Vector((arithmetic.cast(value, wanted.element.dtype),) * wanted.lanes)


splat = broadcast


@builtin("vector.store")
def store(t: Tracer, value: Any, memref: Any, indices: Any) -> None:
    """Stores the lanes to consecutive elements from memref[indices] on."""
    memory.store_vector.apply(t, memref, _place(indices), _vector(value, "vector.store"))


@builtin("vector.load_op")
def load_op(t: Tracer, kind: Any, memref: Any, indices: Any) -> Vector:
    """The vector of consecutive elements from memref[indices] on."""
    wanted = _type(kind, "vector.load_op")
    loaded: Vector = memory.load_vector.apply(t, memref, _place(indices), wanted.lanes)
    if loaded.dtype is not wanted.element.dtype:
        raise KernelError(f"vector.load_op() as {wanted.element!r} of elements of {loaded.dtype!r}", hint="load, then vector.bitcast")
    return loaded


@builtin()
def extractelement(t: Tracer, value: Any, index: Any) -> Any:
    """A lane."""
    return lane(_vector(value, "extractelement"), index)


@builtin()
def insertelement(t: Tracer, value: Any, element: Any, index: Any) -> Any:
    """The vector with one lane changed."""
    return with_lane(_vector(value, "insertelement"), index, element)


@builtin()
def extract(t: Tracer, value: Any, static_position: Any = (), dynamic_position: Any = ()) -> Any:
    """extract(v, static_position=[2]), extract(v, dynamic_position=[i])."""
    places = [*dynamic_position, *static_position] if dynamic_position else list(static_position)
    if len(places) != 1:
        raise KernelError(f"extract() at {len(places)} positions", hint="vectors have one axis")
    return lane(_vector(value, "extract"), places[0])


_KINDS = {"add": "+", "mul": "*", "and": "&", "or": "|", "xor": "^"}
_EXTREMA = {"maxnumf": arith.maxnumf, "minnumf": arith.minnumf, "maximumf": mathematics.max_, "minimumf": mathematics.min_,
            "maxsi": arith.maxsi, "minsi": arith.minsi, "maxui": arith.maxui, "minui": arith.minui}


@arith.with_flags
@builtin()
def reduction(t: Tracer, kind: Any, how: Any, value: Any) -> Any:
    """reduction(T.f32, "add", v): the lanes combined, from the first to the last."""
    name = str(how).rpartition(".")[2].strip("<>#").lower()
    lanes = _vector(value, "reduction").lanes
    if name in _KINDS:
        result = functools.reduce(lambda a, b: arithmetic.binary(_KINDS[name], a, b), lanes)
    elif name in _EXTREMA:
        result = functools.reduce(lambda a, b: _EXTREMA[name].apply(t, a, b), lanes)
    else:
        raise KernelError(f"reduction() by {how!r}", hint=f"one of {', '.join((*_KINDS, *_EXTREMA))}")
    return arithmetic.cast(result, element_type(kind))


@builtin()
def shuffle(t: Tracer, a: Any, b: Any, mask: Any) -> Vector:
    """The lanes of a, then those of b, chosen by number."""
    lanes = (*_vector(a, "vector.shuffle").lanes, *_vector(b, "vector.shuffle").lanes)
    return Vector(tuple(lanes[operator.index(m)] for m in mask))


@builtin("vector.bitcast")
def bitcast(t: Tracer, kind: Any, value: Any) -> Vector:
    """The bits of a vector as lanes of another type: i32x4 as f32x4, i32x4 as i8x16."""
    wanted, given = _type(kind, "vector.bitcast"), _vector(value, "vector.bitcast")
    if wanted.lanes * wanted.element.dtype.bits != len(given.lanes) * given.dtype.bits:
        raise KernelError(f"a vector of {len(given.lanes)} {given.dtype!r} as {wanted.lanes} {wanted.element!r}",
                          hint="the same number of bits")
    return rebit(t, given, wanted.element.dtype)


def rebit(t: Tracer, value: Vector, dtype: DType) -> Vector:
    """The bits of a vector as lanes of `dtype`, low lanes first. The whole must be a number of them."""
    if value.dtype.bits == dtype.bits:
        return Vector(tuple(mathematics.bitcast.apply(t, v, Scalar(dtype)) for v in value.lanes))
    small, large = sorted((value.dtype.bits, dtype.bits))
    ratio = large // small
    if small == value.dtype.bits:
        parts = [arithmetic.cast(mathematics.bitcast.apply(t, v, _bits(small)), _bits(large).dtype) for v in value.lanes]
        whole = [functools.reduce(lambda a, b: arithmetic.binary("|", a, b),
                                  [arithmetic.binary("<<", p, small * k) for k, p in enumerate(parts[i:i + ratio])])
                 for i in range(0, len(parts), ratio)]
    else:
        words = [mathematics.bitcast.apply(t, v, _bits(large)) for v in value.lanes]
        whole = [arithmetic.cast(arithmetic.binary(">>", w, small * k), _bits(small).dtype) for w in words for k in range(ratio)]
    return Vector(tuple(mathematics.bitcast.apply(t, w, Scalar(dtype)) for w in whole))


def _bits(width: int) -> Scalar:
    return {8: types.u8, 16: types.u16, 32: types.u32, 64: types.u64}[width]
