"""The words of schema 1.0: operators, types, and the functions that a document may call.

Owns: the tables. Must not know documents or syntax trees beyond the operators.
Invariant: every function that svod writes into a document is in FUNCTIONS, under the same name.
"""
from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from typing import Any

from svod.dtype import dtypes
from svod.errors import KernelError
from svod.lang import arithmetic, ids, mathematics, memory, types
from svod.lang.builtin import Builtin, builtin, meant
from svod.lang.tracer import Tracer
from svod.lang.value import Array, Dynamic

ARITHMETIC = {"add": "+", "sub": "-", "mul": "*", "div": "/", "floor_div": "//", "mod": "%"}
COMPARISONS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
LOGIC = ("and", "or")
OPERATORS = (*ARITHMETIC, *COMPARISONS, *LOGIC)

usize = types.Scalar(dtypes.u64, "usize")
SCALARS: dict[str, types.Scalar] = {
    "u8": types.u8, "u16": types.u16, "u32": types.u32, "u64": types.u64, "i8": types.i8, "i16": types.i16, "i32": types.i32,
    "i64": types.i64, "f32": types.f32, "f64": types.f64, "bool": types.bool_, "usize": usize,
}
"""Name in a document -> type."""


# --- functions of the schema that the language has under another name -----------------------------------------------------------------

def _first(name: str, element: Any) -> Builtin:
    """atomic_add_T(array, value): element 0."""
    def apply(t: Tracer, array: Any, value: Any) -> Dynamic:
        if isinstance(array, Array) and array.dtype is not element:
            raise KernelError(f"{name}() of an array of {array.dtype!r}", hint=f"it takes DeviceArray[{element!r}]; atomic_add takes any")
        result = memory.atomic_add.apply(t, array, 0, value)
        assert isinstance(result, Dynamic)
        return result

    apply.__doc__ = f"{name}(array, value): adds to element 0 in one step; gives its old value."
    return Builtin(apply, name)


@builtin()
def get_global_id(t: Tracer) -> Dynamic:
    """The number of this work item, from 0 on."""
    return ids.across(t, 0)


atomic_add_f32 = _first("atomic_add_f32", dtypes.f32)
atomic_add_u32 = _first("atomic_add_u32", dtypes.u32)
atomic_add_i32 = _first("atomic_add_i32", dtypes.i32)


def _operator(name: str, symbol: str, outside: Callable[[int, int], int]) -> Builtin:
    def apply(t: Tracer, a: Any, b: Any) -> Any:
        return arithmetic.binary(symbol, a, b)

    apply.__doc__ = f"{name}(a, b): a {symbol} b."
    return Builtin(apply, name, outside)


@builtin("bit_not", lambda a: ~a)
def bit_not(t: Tracer, a: Any) -> Any:
    """bit_not(a): ~a."""
    return arithmetic.unary("~", a)


@builtin("infinity", lambda: math.inf)
def infinity(t: Tracer) -> float:
    """Infinity, which JSON has no literal for."""
    return math.inf


@builtin("not_a_number", lambda: math.nan)
def not_a_number(t: Tracer) -> float:
    """NaN, which JSON has no literal for."""
    return math.nan


@builtin("relu", lambda x: builtins.max(x, 0))
def relu(t: Tracer, x: Any) -> Any:
    """max(x, 0)."""
    return mathematics.max_.apply(t, x, 0)


@builtin("reciprocal", lambda x: 1.0 / x)
def reciprocal(t: Tracer, x: Any) -> Any:
    """1 / x."""
    return arithmetic.binary("/", 1.0, x)


@builtin("neg", lambda x: -x)
def neg(t: Tracer, x: Any) -> Any:
    """-x."""
    return arithmetic.unary("-", x)


def _suffixed(plain: Builtin) -> Builtin:
    return Builtin(plain.apply, f"{plain.name}f", plain.outside)


BITS: dict[str, Builtin] = {b.name: b for b in (
    _operator("bit_and", "&", lambda a, b: a & b), _operator("bit_or", "|", lambda a, b: a | b),
    _operator("bit_xor", "^", lambda a, b: a ^ b), _operator("shl", "<<", lambda a, b: a << b),
    _operator("shr", ">>", lambda a, b: a >> b), bit_not)}
BIT_SYMBOLS = {"&": "bit_and", "|": "bit_or", "^": "bit_xor", "<<": "shl", ">>": "shr"}

_MATH = (mathematics.exp, mathematics.exp2, mathematics.expm1, mathematics.log, mathematics.log2, mathematics.log10, mathematics.log1p,
         mathematics.sqrt, mathematics.rsqrt, mathematics.cbrt, mathematics.sin, mathematics.cos, mathematics.tan, mathematics.asin,
         mathematics.acos, mathematics.atan, mathematics.sinh, mathematics.cosh, mathematics.tanh, mathematics.erf, mathematics.erfc,
         mathematics.sigmoid, mathematics.floor, mathematics.ceil, mathematics.trunc, mathematics.round, mathematics.atan2,
         mathematics.hypot, mathematics.copysign, mathematics.fma, mathematics.pow_, mathematics.abs_, mathematics.min_,
         mathematics.max_)
_TESTS = (mathematics.isnan, mathematics.isinf, mathematics.isfinite)
_OTHER = (mathematics.select, mathematics.clamp, mathematics.popcount, memory.len_, relu, reciprocal, neg, infinity,
          not_a_number, mathematics.tf32)
ATOMICS: dict[str, Builtin] = {b.name: b for b in (
    atomic_add_f32, atomic_add_u32, atomic_add_i32, memory.atomic_add, memory.atomic_sub, memory.atomic_min, memory.atomic_max,
    memory.atomic_and, memory.atomic_or, memory.atomic_xor, memory.atomic_exchange, memory.atomic_cas)}
_SUFFIXED = {f"{b.name}f": _suffixed(b) for b in _MATH if b.name not in ("sigmoid", "min", "max", "abs")} | {
    "fabsf": _suffixed(mathematics.abs_), "fabs": mathematics.abs_, "fminf": mathematics.min_, "fmaxf": mathematics.max_}

FUNCTIONS: dict[str, Any] = {
    "get_global_id": get_global_id, **ATOMICS, **{b.name: b for b in (*_MATH, *_TESTS, *_OTHER)}, **_SUFFIXED, **BITS,
    **SCALARS, "index": types.index, "bool": bool, "int": int, "float": float,
}
"""Every function a document may call. Types convert."""
IMPURE = frozenset(ATOMICS)
"""Those that change memory."""
_NAMES: dict[Any, str] = {id(v): k for k, v in reversed(FUNCTIONS.items())} | {
    id(mathematics.where): "select", id(ids.global_id): "get_global_id"}


def name_of(function: Any, spelled: str) -> str | None:
    """The name a document has for a Python function; the spelled one if it is right. None if there is none."""
    if FUNCTIONS.get(spelled) is function:
        return spelled
    stands = meant(function, dynamic=True)
    found = _NAMES.get(id(function)) or (_NAMES.get(id(stands)) if stands is not None else None)
    if found is None and isinstance(function, Builtin):
        found = next((n for n, b in FUNCTIONS.items() if isinstance(b, Builtin) and b.apply is function.apply), None)
    return found


def scalar_name(dtype: Any, annotation: Any, what: str) -> str:
    """The document's name of a scalar type. KernelError for those 1.0 has not."""
    if annotation is usize or annotation == "usize":
        return "usize"
    name = "bool" if dtype is dtypes.bool else repr(dtype)
    if name not in SCALARS:
        raise KernelError(f"Unsupported scalar type: {name} ({what})",
                          hint=f"schema 1.0 has {', '.join(SCALARS)}; kernels with others run without a document")
    return name


__all__ = ["ARITHMETIC", "BIT_SYMBOLS", "COMPARISONS", "FUNCTIONS", "IMPURE", "LOGIC", "OPERATORS", "SCALARS", "name_of",
           "scalar_name", "usize"]
