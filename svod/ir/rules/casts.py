"""Conversions: those that change nothing, and chains of them.

Owns: CASTING. Must not know anything but conversions.
Invariant: a chain is shortened only where every value takes the same way: the first step keeps it exactly, or all steps wrap.
"""
from __future__ import annotations

from functools import cache

from svod.dtype import DType, Kind, dtypes
from svod.ir.bounds import interval
from svod.ir.ops import Op
from svod.ir.pattern import RuleSet, any_, op, rule
from svod.ir.rules.samples import A, I, K, S
from svod.ir.uop import UOp

x = any_("x")


@cache
def holds(wide: DType, narrow: DType) -> bool:
    """True if every value of scalar `narrow` is a value of scalar `wide`, so that converting there and back changes nothing."""
    if narrow is wide or narrow.is_bool:
        return True
    if narrow.is_float:
        return wide.is_float and _format_within(narrow, wide)
    if wide.is_int:
        return bool(wide.min <= narrow.min and narrow.max <= wide.max)
    return wide.fmt is not None and wide.fmt.mantissa + 1 >= narrow.bits - (narrow.min < 0)


def _format_within(narrow: DType, wide: DType) -> bool:
    a, b = narrow.fmt, wide.fmt
    if a is None or b is None or wide.bits <= narrow.bits:
        return False
    return b.mantissa >= a.mantissa and b.exponent >= a.exponent and b.infinities


@cache
def joins(first: DType, between: DType, last: DType) -> bool:
    """True if converting scalars first -> between -> last is the same as first -> last."""
    if holds(between, first):
        # an integer that travels as a float saturates at the end, one that travels as an integer wraps
        return not (first.is_int and between.is_float and last.is_int) or holds(last, first)
    return first.is_int and between.is_int and last.is_int and last.bits <= between.bits and last.kind is not Kind.INDEX


@rule(op(Op.CAST, Op.BITCAST, src=[x], name="u"), example=(UOp(Op.CAST, (K,), None, dtypes.i32), K))
def drop_cast(u: UOp, x: UOp) -> UOp | None:
    """A conversion to the dtype the value has already is the value. Always."""
    return x if x.dtype is u.dtype else None


@rule(op(Op.CAST, src=[op(Op.CAST, src=[x], name="v")], name="u"), example=(S.cast(dtypes.i32).cast(dtypes.i64), S.cast(dtypes.i64)))
def join_casts(u: UOp, v: UOp, x: UOp) -> UOp | None:
    """A -> B -> C == A -> C where B holds every value of A (if an integer goes through a float, C too), or integers wrap ever narrower."""
    return x.cast(u.dtype) if joins(x.dtype.scalar, v.dtype.scalar, u.dtype.scalar) else None


@rule(op(Op.CAST, src=[op(Op.CAST, src=[x], name="v")], name="u"), example=(I.cast(dtypes.i8).cast(dtypes.index), I))
def drop_fitting_cast(u: UOp, v: UOp, x: UOp) -> UOp | None:
    """A -> B -> C == A -> C for integers whose interval fits B."""
    if not (x.dtype.is_int and v.dtype.is_int and u.dtype.is_int):
        return None
    lo, hi = interval(x)
    return x.cast(u.dtype) if v.dtype.min <= lo and hi <= v.dtype.max else None


@rule(op(Op.BITCAST, src=[op(Op.BITCAST, src=[x])], name="u"), example=(A.bitcast(dtypes.u32).bitcast(dtypes.i32), A.bitcast(dtypes.i32)))
def join_bitcasts(u: UOp, x: UOp) -> UOp | None:
    """Bits read as B and then as C are the bits read as C. Always."""
    return x.bitcast(u.dtype.scalar)


CASTING = RuleSet("CASTING", (drop_cast, join_casts, drop_fitting_cast, join_bitcasts))
"""Conversions that change nothing."""
