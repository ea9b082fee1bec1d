"""FlyDSL's types: numeric types for annotations and conversions, `T` for the types of expressions, `Tensor`, `Constexpr`, `Stream`.

Owns: the names. Must not know operations. Invariant: `T.f32`, `fx.Float32` and svod's `f32` are one type. A type that
svod has not can be imported, and is refused by name wherever it is used.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import numpy as np

from svod.compat.flydsl.faults import NotHere
from svod.dtype import DType
from svod.lang import types
from svod.lang.builtin import Builtin
from svod.lang.types import Constexpr, Scalar, Stream, dtype_of

__all__ = ["BFloat16", "Boolean", "Constexpr", "Float4E2M1FN", "Float6E2M3FN", "Float6E3M2FN", "Float8E4M3",
           "Float8E4M3B11FNUZ", "Float8E4M3FN", "Float8E4M3FNUZ", "Float8E5M2", "Float8E5M2FNUZ", "Float8E8M0FNU", "Float16",
           "Float32", "Float64", "Index", "Int4", "Int8", "Int16", "Int32", "Int64", "ReductionOp", "Scalar", "Stream", "T",
           "Tensor", "Types", "Uint8", "Uint16", "Uint32", "Uint64", "VectorType", "element_type"]


if TYPE_CHECKING:
    Tensor: TypeAlias = Any
else:
    class Tensor:
        """An array argument; type of its elements and number of its axes are those of the argument."""


@dataclass(frozen=True, slots=True)
class VectorType:
    """The type of a vector: `T.vec(4, T.f32)`, `T.f32x4`."""

    lanes: int
    element: Scalar


Boolean, Index = types.bool_, types.index
Int8, Int16, Int32, Int64 = types.i8, types.i16, types.i32, types.i64
Uint8, Uint16, Uint32, Uint64 = types.u8, types.u16, types.u32, types.u64
Float16, BFloat16, Float32, Float64 = types.f16, types.bf16, types.f32, types.f64
Float8E4M3FN, Float8E5M2, Float8E4M3FNUZ, Float8E5M2FNUZ = types.f8e4m3, types.f8e5m2, types.f8e4m3fnuz, types.f8e5m2fnuz



class MissingType(Builtin):
    """The name of a type that svod has not."""

    def __init__(self, name: str) -> None:
        def refuse(*args: Any, **kwargs: Any) -> NoReturn:
            raise NotHere(f"the type {name} is unsupported on every device of svod", hint=_WIDER)

        super().__init__(refuse, name, refuse)

    def __repr__(self) -> str:
        return f"{self.name} (a type that svod has not)"


_WIDER = "the 8-bit floats are Float8E4M3FN, Float8E4M3FNUZ, Float8E5M2 and Float8E5M2FNUZ, the narrowest integers Int8 and Uint8"
Int4, Float8E4M3, Float8E4M3B11FNUZ, Float8E8M0FNU, Float6E2M3FN, Float6E3M2FN, Float4E2M1FN = map(MissingType, (
    "Int4", "Float8E4M3", "Float8E4M3B11FNUZ", "Float8E8M0FNU", "Float6E2M3FN", "Float6E3M2FN", "Float4E2M1FN"))


class ReductionOp:
    """Names of the reductions of a vector."""

    ADD, MUL, MAX, MIN = "add", "mul", "maxnumf", "minnumf"


_ELEMENTS = {"i8": Int8, "i16": Int16, "i32": Int32, "i64": Int64, "f8": Float8E4M3FNUZ, "f16": Float16, "bf16": BFloat16, "f32": Float32,
             "f64": Float64}


def _vec(lanes: int, element: Any) -> VectorType:
    return VectorType(int(lanes), Scalar(element_type(element)))


class Types:
    """`T`: T.index, T.i1, T.i8 … T.f64, vectors T.f32x4 (an element type, `x`, 2 to 16 lanes), T.vec(n, element). T.f8 is e4m3fnuz."""

    index, i1 = Index, Boolean
    vec = Builtin(lambda t, lanes, element: _vec(lanes, element), "T.vec", _vec)

    def __getattr__(self, name: str) -> Any:
        element, cross, lanes = name.partition("x")
        if element in _ELEMENTS and not cross:
            return _ELEMENTS[element]
        if element in _ELEMENTS and lanes in ("2", "4", "8", "16"):
            return VectorType(int(lanes), _ELEMENTS[element])
        raise AttributeError(f"T has no type {name!r}")


T = Types()


def element_type(kind: Any) -> DType:
    """The dtype that `T.f16`, `T.f16()`, `fx.Float16`, or a NumPy type means. NotHere for anything else."""
    if isinstance(kind, MissingType):
        kind()
    dtype = kind.element.dtype if isinstance(kind, VectorType) else dtype_of(kind)
    if dtype is None and isinstance(kind, np.generic):
        dtype = dtype_of(type(kind))
    if dtype is None:
        raise NotHere(f"{kind!r} is not a type of elements", hint="T.f32, fx.Float32")
    return dtype
