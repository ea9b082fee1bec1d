"""Ops on f32 and f64 (and a natively computed f16) that a target lacks: roundings to an integer and to TF32, MAX, MIN, ABS,
fused multiply-add.

Owns: their replacements, exact in every bit but a NaN's payload. Must not know narrow formats or functions.
Invariant: MULACC rounds once or is left to be refused. In f32 it is built from f64, where the product is exact and the sum is rounded to
odd. MUL and ADD never stand in for it: whoever contracts a product into a sum must look at `Target.fma` first. There is no f64 form: its
product needs 106 bits, and the error-free ways to get them fail where parts overflow or underflow.
"""
from __future__ import annotations

import math

from svod.codegen.decompose.exact import code, full, odd_sum
from svod.dtype import dtypes
from svod.ir.ops import Op
from svod.ir.pattern import Rule, any_, op, rule
from svod.ir.rules.samples import A
from svod.ir.semantics import TF32_MANTISSA
from svod.ir.uop import UOp
from svod.target import Target

_X, _Y, _Z = any_("x", "is_float"), any_("y"), any_("z")


def float_rules(target: Target) -> tuple[Rule, ...]:
    """The rules `target` needs."""
    lacking = {Op.TRUNC: truncate, Op.FLOOR: round_down, Op.CEIL: round_up, Op.RINT: round_to_even, Op.MAX: greater_float,
               Op.MIN: lesser_float, Op.ABS: float_abs, Op.TF32: round_to_tf32}
    return (*(r for o, r in lacking.items() if not target.has(o)), *_fused_rules(target))


def _sign_bit(x: UOp) -> int:
    return 1 << (x.dtype.bits - 1)


def _size(x: UOp) -> UOp:
    """|x|, by its bits."""
    return (code(x) & (_sign_bit(x) - 1)).bitcast(x.dtype.scalar)


def _signed(size: UOp, x: UOp) -> UOp:
    """`size`, a float without sign or whose sign is to be dropped, with the sign of x."""
    sign = _sign_bit(x)
    return ((code(size) & (sign - 1)) | (code(x) & sign)).bitcast(x.dtype.scalar)


def _whole(x: UOp) -> tuple[UOp, UOp]:
    """(|x| rounded to an integer, true where x may have a fraction). Adding 2**m drops the fraction, rounding to even, where |x| < 2**m."""
    fmt = x.dtype.fmt
    magic = full(math.ldexp(1.0, fmt.mantissa if fmt is not None else 0), x)
    size = _size(x)
    return (size + magic) - magic, size < magic


@rule(op(Op.RINT, src=(_X,)))
def round_to_even(x: UOp) -> UOp | None:
    """rint(x) == (|x| + 2**m) - 2**m with the sign of x, where |x| < 2**m; else x. m is the number of mantissa bits."""
    near, fraction = _whole(x)
    return fraction.where(_signed(near, x), x)


@rule(op(Op.TRUNC, src=(_X,)))
def truncate(x: UOp) -> UOp | None:
    """trunc(x): |x| rounded to the nearest integer, less 1 if that is greater than |x|."""
    near, fraction = _whole(x)
    return fraction.where(_signed((_size(x) < near).where(near - 1.0, near), x), x)


@rule(op(Op.FLOOR, src=(_X,)))
def round_down(x: UOp) -> UOp | None:
    """floor(x): x rounded to the nearest integer, less 1 if that is greater than x."""
    near, fraction = _whole(x)
    near = _signed(near, x)
    return fraction.where(_signed((x < near).where(near - 1.0, near), x), x)


@rule(op(Op.CEIL, src=(_X,)))
def round_up(x: UOp) -> UOp | None:
    """ceil(x): x rounded to the nearest integer, plus 1 if that is less than x."""
    near, fraction = _whole(x)
    near = _signed(near, x)
    return fraction.where(_signed((near < x).where(near + 1.0, near), x), x)


@rule(op(Op.ABS, src=(_X,)), example=(A.abs(), (A.bitcast(dtypes.u32) & 0x7FFFFFFF).bitcast(dtypes.f32)))
def float_abs(x: UOp) -> UOp | None:
    """|x| has the bits of x but for the sign."""
    return _size(x)


@rule(op(Op.TF32, src=(_X,)))
def round_to_tf32(x: UOp) -> UOp | None:
    """tf32(x) has the bits of x plus half of the last bit that is kept, without those behind it; NaN stays, and what has no such bits."""
    fmt = x.dtype.fmt
    if fmt is None or fmt.mantissa <= TF32_MANTISSA:
        return x
    drop = fmt.mantissa - TF32_MANTISSA
    kept = (1 << x.dtype.bits) - (1 << drop)
    return x.eq(x).where(((code(x) + (1 << (drop - 1))) & kept).bitcast(x.dtype.scalar), x)


@rule(op(Op.MAX, src=(_X, _Y)))
def greater_float(x: UOp, y: UOp) -> UOp | None:
    """max(x, y): the one that compares greater; equal ones are identical or zeros, so that AND of the bits prefers +0; else NaN, x + y."""
    equal = (code(x) & code(y)).bitcast(x.dtype.scalar)
    return (x < y).where(y, (y < x).where(x, x.eq(y).where(equal, x + y)))


@rule(op(Op.MIN, src=(_X, _Y)))
def lesser_float(x: UOp, y: UOp) -> UOp | None:
    """min(x, y): the one that compares less; OR of the bits of equal ones prefers -0; else NaN, x + y."""
    equal = (code(x) | code(y)).bitcast(x.dtype.scalar)
    return (x < y).where(x, (y < x).where(y, x.eq(y).where(equal, x + y)))


def _fused_rules(target: Target) -> tuple[Rule, ...]:
    if target.fma and target.has(Op.MULACC):
        return ()
    wider = {t.name: w for t, w in ((dtypes.f16, dtypes.f32), (dtypes.f32, dtypes.f64)) if w in target.arithmetic}

    @rule(op(Op.MULACC, src=(_X, _Y, _Z)))
    def multiply_add_in_wider(x: UOp, y: UOp, z: UOp) -> UOp | None:
        """fma(x, y, z) == round(odd(exact(x * y) + z)), with f64 for f32 and f32 for f16; f64 has no wider type."""
        if (wide := wider.get(x.dtype.name)) is None:
            return None
        a, b, c = (v.cast(wide) for v in (x, y, z))
        return odd_sum(a * b, c).cast(x.dtype)

    return (multiply_add_in_wider,)
