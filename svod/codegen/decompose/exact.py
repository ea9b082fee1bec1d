"""Steps of arithmetic that lose nothing, as graphs: rounding to odd, and the bits of values.

Owns: `code`, `full`, `odd_f32`, `odd_sum`, `odd_int`. Must not know rules or targets.
Invariant: a value rounded to odd and then rounded to nearest in a format with at least two bits fewer equals the exact value rounded once
(Boldo and Melquiond, "Emulation of FMA and Correctly Rounded Sums", IEEE TC 57(4), 2008). Rounding to odd: an inexact value becomes
that one of its two neighbours whose last bit is 1. It may be done in several steps, each to fewer bits.
"""
from __future__ import annotations

from svod.dtype import DType, dtypes
from svod.ir.uop import UOp

UNSIGNED = {t.bits: t for t in dtypes.UNSIGNED}


def full(value: bool | int | float, like: UOp, dtype: DType | None = None) -> UOp:
    """The constant of scalar `dtype` (default: that of `like`) with as many lanes as `like`."""
    return UOp.const(value, (dtype or like.dtype).vec(like.dtype.lanes))


def code(x: UOp) -> UOp:
    """The bits of `x` as an unsigned integer of its width; index and bool have none."""
    return x.bitcast(UNSIGNED[x.dtype.bits])


def odd_f32(x: UOp) -> UOp:
    """f64 -> f32 rounded to odd; infinities stay, NaN stays NaN, finite values too large become the greatest finite value.

    The nearest f32 tells which way it went: one step back toward zero if it is larger than `x`, then the last bit set if it is not equal.
    """
    near = x.cast(dtypes.f32)
    back = near.cast(dtypes.f64)
    larger = (x.abs() < back.abs()).cast(dtypes.u32)
    return ((code(near) - larger) | back.ne(x).cast(dtypes.u32)).bitcast(dtypes.f32)


def odd_sum(a: UOp, b: UOp) -> UOp:
    """a + b in f32 or f64 rounded to odd, provided the sum does not overflow; infinities and NaN as a plain sum.

    Knuth's TwoSum finds the rounding error exactly. Both comparisons are false for the NaN it is when an operand is not finite.
    """
    total = a + b
    back = total - a
    lost = (a - (total - back)) + (b - back)
    unsigned = UNSIGNED[a.dtype.bits]
    negative, positive = lost < 0.0, full(0.0, lost) < lost
    larger = (total < 0.0).where(positive, negative)  # in magnitude; an inexact sum is not zero
    return ((code(total) - larger.cast(unsigned)) | (negative | positive).cast(unsigned)).bitcast(a.dtype.scalar)


def odd_int(x: UOp, keep: int) -> UOp:
    """Integers with more than `keep` significant bits rounded to odd, to a multiple of 2**(bits - keep).

    The low bits are dropped, and the last one kept says if any of them was set. What is at most 2**keep in magnitude is left alone, so the
    result is exact in a float of `keep` bits. In two's complement the neighbours are the same two on either side of zero, so signs need no
    care.
    """
    dropped = (1 << (x.dtype.bits - keep)) - 1
    bound = 1 << keep
    if x.dtype.is_unsigned:
        small = x <= bound
        mask = x.dtype.scalar.max - dropped
    else:
        small = (x + bound).cast(UNSIGNED[x.dtype.bits]) <= 2 * bound
        mask = -dropped - 1
    return small.where(x, (((x & dropped) + dropped) | x) & int(mask))
