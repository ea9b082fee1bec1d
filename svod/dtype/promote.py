"""The promotion lattice: which type two operands of different types meet in, and which type a Python literal takes.

Owns: `promote` and `weak`. Must not know rounding (convert.py) or the IR.
Invariant: `promote` depends only on the set of its operands: it is commutative, idempotent, and associative wherever it is defined.

      bool < ints < index < floats
      ints:    u8 < u16 < u32 < u64,  i8 < i16 < i32 < i64,  u8 < i16,  u16 < i32,  u32 < i64,  u64 beside a signed integer: DTypeError
      floats:  each fp8 < f16 < f32 < f64,  bf16 < f32

- u64 beside a signed integer has no integer type that holds both. NumPy goes to f64 and JAX to a float; in a kernel that costs range,
  speed and exactness without a word, so an explicit cast is asked for. A float or index operand beside them decides, as it always does.
- Two different fp8 types meet in f16, which holds every value of all four exactly. Therefore fp8 beside bf16 is f32, not bf16:
  with fp8 < bf16 the type of `a + b + c` (e4m3, e5m2, bf16) would depend on the brackets.
- An integer beside a float takes that float, however narrow (as in JAX): i64 + f16 is f16.
"""
from __future__ import annotations

from collections.abc import Iterable

from svod.dtype.dtypes import DType, Kind, PtrDType, dtypes
from svod.errors import DTypeError, shown


def promote(*types: DType) -> DType:
    """The least type all operands convert to. Vectors must have equal lanes; a scalar beside a vector is broadcast.

    DTypeError for no operands, void or pointers, unequal lanes, and u64 beside signed integers with no wider operand.
    """
    if not types:
        raise DTypeError("promote needs at least one type")
    for t in types:
        _check_number(t)
    lanes = {t.lanes for t in types} - {1}
    if len(lanes) > 1:
        raise DTypeError(f"operands have different numbers of lanes: {_list(types)}", hint="lanes must be equal, or 1")
    return _join({t.scalar for t in types}, types).vec(lanes.pop() if lanes else 1)


def weak(value: bool | int | float, other: DType) -> DType:
    """The type a Python literal takes beside an operand of type `other`, with the lanes of `other`.

    bool: `other`. int: `other`, but i32 beside bool. float: `other` if it is a float, else f32 (also beside i64: cast to f64 where that is
    meant). DTypeError for an int that does not fit the integer type, for other kinds of literal, and beside void and pointers. Whether a
    float type holds the literal is not looked at here.
    """
    _check_number(other)
    if isinstance(value, bool):
        return other
    if isinstance(value, float):
        return other if other.is_float else dtypes.f32.vec(other.lanes)
    if not isinstance(value, int):
        raise DTypeError(f"a literal is a bool, int or float, not {type(value).__name__}")
    result = dtypes.i32.vec(other.lanes) if other.is_bool else other
    if result.is_int and not result.min <= value <= result.max:
        raise DTypeError(f"{shown(value)} does not fit {result.scalar!r}, which holds {result.min} to {result.max}",
                         hint="cast the other operand to a wider type, or write the literal with its own type")
    return result


def _check_number(t: DType) -> None:
    if t.kind is Kind.VOID:
        raise DTypeError(f"{t!r} is not a number type", hint="pointers move by INDEX" if isinstance(t, PtrDType) else "")


def _join(scalars: set[DType], types: tuple[DType, ...]) -> DType:
    """Least upper bound of scalar types; `types` is for the message."""
    if floats := {t for t in scalars if t.is_float}:
        return _join_floats(floats)
    if dtypes.index in scalars:
        return dtypes.index
    signed = max((t.bits for t in scalars if t.kind is Kind.INT), default=0)
    unsigned = max((t.bits for t in scalars if t.kind is Kind.UINT), default=0)
    if not signed:
        return _of_width(dtypes.UNSIGNED, unsigned) if unsigned else dtypes.bool
    if unsigned == 64:
        raise DTypeError(f"no integer type holds every value of {_list(types)}",
                         hint="cast one side: the u64 to i64 if it is below 2**63, or a side to f64")
    return _of_width(dtypes.SIGNED, max(signed, 2 * unsigned))


def _join_floats(floats: set[DType]) -> DType:
    if len(floats) == 1:
        return next(iter(floats))
    if dtypes.f64 in floats:
        return dtypes.f64
    return dtypes.f32 if floats & {dtypes.f32, dtypes.bf16} else dtypes.f16


def _of_width(family: Iterable[DType], bits: int) -> DType:
    return next(t for t in family if t.bits == bits)


def _list(types: Iterable[DType]) -> str:
    return ", ".join(map(repr, types))
