"""Arithmetic in floats narrower than those a target computes in: done in f32 and rounded after every op.

Owns: which ops go through f32, and why that is exact. Conversions are casts.py's.
Invariant: the result is that of the op rounded once to the narrow format.

Why two roundings (to f32, then to the narrow format of p bits) are as one:
- SUM, DIFFERENCE, PRODUCT, QUOTIENT, ROOT: f32 has 24 >= 2p + 2 bits for p = 11 (f16), 8 (bf16) and 3 to 4 (fp8), which is enough for
  normal results (Figueroa, "When is double rounding innocuous?", SIGNUM 30(3), 1995). Subnormal results: sums are exact; for f16 and fp8
  the f32 is normal, so products are exact and a quotient a/b that is not a midpoint is further from one than the error of f32. For bf16,
  whose exponents are those of f32, a subnormal product of 16 bits is exact above 2**-134 and gives zero below; a quotient that is not a
  midpoint is at least 2**-142 from one, the error is 2**-150.
- MAX, MIN, roundings to an integer, TF32, NEG, ABS: the result is a value of the format; comparisons: every value is one of f32.
- MULACC: two roundings would differ, since the sum may have any number of bits. The product is exact in f32 (f16: 22 bits) or for bf16,
  whose products leave the range of f32, in f64; the sum is rounded to odd there and then to the narrow format.
Functions (EXP, POW, …) are in functions.py.
"""
from __future__ import annotations

from svod.codegen.decompose.encode import from_exact_f32
from svod.codegen.decompose.exact import code, odd_sum
from svod.codegen.decompose.support import SMALL_FLOATS
from svod.dtype import dtypes
from svod.ir.ops import COMPARISONS, Op
from svod.ir.pattern import Rule, op, rule
from svod.ir.uop import UOp
from svod.target import Target

ROUNDINGS = (Op.TRUNC, Op.FLOOR, Op.CEIL, Op.RINT, Op.TF32)


def small_float_rules(target: Target) -> tuple[Rule, ...]:
    """Rules for the narrow floats `target` does not compute in."""
    small = frozenset(t.name for t in SMALL_FLOATS if t not in target.arithmetic)
    if not small:
        return ()

    @rule(op(Op.ADD, Op.SUB, Op.MUL, Op.FDIV, Op.SQRT, name="u"))
    def compute_in_f32(u: UOp) -> UOp | None:
        """f(x, y) in a narrow float == round(f(x, y) in f32)."""
        return _in_f32(u).cast(u.dtype) if u.dtype.name in small else None

    @rule(op(Op.MAX, Op.MIN, *ROUNDINGS, name="u"))
    def compute_exactly_in_f32(u: UOp) -> UOp | None:
        """f(x, y) in a narrow float == f(x, y) in f32, where f gives only values of the format."""
        return _exactly_in_f32(u) if u.dtype.name in small else None

    @rule(op(*COMPARISONS, name="u"))
    def compare_in_f32(u: UOp) -> UOp | None:
        """x < y in a narrow float == x < y in f32."""
        return _in_f32(u) if u.src[0].dtype.name in small else None

    @rule(op(Op.NEG, Op.ABS, name="u"))
    def change_sign_bit(u: UOp) -> UOp | None:
        """-x and |x| of a narrow float flip and clear the sign bit; in FNUZ formats that bit alone is NaN, and zero has none."""
        return _sign_changed(u) if u.dtype.name in small else None

    @rule(op(Op.MULACC, name="u"))
    def multiply_add_rounding_to_odd(u: UOp) -> UOp | None:
        """a * b + c in a narrow float == round(odd(exact(a * b) + c)); bf16 needs f64 for the product."""
        if u.dtype.name not in small or (u.dtype.scalar is dtypes.bf16 and dtypes.f64 not in target.arithmetic):
            return None
        wide = dtypes.f64 if u.dtype.scalar is dtypes.bf16 else dtypes.f32
        a, b, c = (s.cast(wide) for s in u.src)
        return odd_sum(a * b, c).cast(u.dtype)

    @rule(op(Op.LANES, name="u"))
    def combine_lanes_of_small_floats(u: UOp) -> UOp | None:
        """Lanes of a narrow float: MAX and MIN in f32; ADD and MUL rounded after each step, as a balanced tree."""
        return _lanes(u) if u.dtype.name in small else None

    return (compute_in_f32, compute_exactly_in_f32, compare_in_f32, change_sign_bit, multiply_add_rounding_to_odd,
            combine_lanes_of_small_floats)


def _in_f32(u: UOp) -> UOp:
    return UOp(u.op, tuple([s.cast(dtypes.f32) for s in u.src]))


def _exactly_in_f32(u: UOp) -> UOp:
    return from_exact_f32(_in_f32(u), u.dtype.scalar) if u.dtype.scalar is dtypes.bf16 else _in_f32(u).cast(u.dtype)


def _sign_changed(u: UOp) -> UOp:
    x, fmt = u.src[0], u.dtype.fmt
    bits = code(x)
    sign = 1 << (x.dtype.bits - 1)
    new = bits ^ sign if u.op is Op.NEG else bits & (sign - 1)
    if fmt is not None and fmt.unsigned_zero:  # 0 and NaN, whose codes have nothing but perhaps the sign bit, stay
        new = (bits & (sign - 1)).eq(0).where(bits, new)
    return new.bitcast(u.dtype.scalar)


def _lanes(u: UOp) -> UOp:
    x = u.src[0]
    if u.arg in (Op.MAX, Op.MIN):
        wide = UOp(Op.LANES, (x.cast(dtypes.f32),), u.arg, dtypes.f32)
        return from_exact_f32(wide, u.dtype) if u.dtype is dtypes.bf16 else wide.cast(u.dtype)
    values = [x.extract(i) for i in range(x.dtype.lanes)]
    while len(values) > 1:
        rest = values[len(values) // 2 * 2:]
        values = [UOp(u.arg, pair) for pair in zip(values[::2], values[1::2], strict=False)] + rest
    return values[0]
