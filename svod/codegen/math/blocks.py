"""Building blocks of the decompositions: float formats, Horner's rule, clamps, powers of two, signs, error-free sums.

Owns: how each block is phrased so that it costs the fewest instructions on SIMD hardware. Must not know any function of mathematics.
Invariant: every block is pure and branch-free, built from basic arithmetic only, and lets NaN through.

Sources: T. J. Dekker, "A floating-point technique for extending the available precision" (1971); J.-M. Muller et al., "Handbook of
Floating-Point Arithmetic" (2nd ed., 2018), chapters 4 (error-free transforms) and 10 (rounding by adding a large constant).
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from svod.dtype import DType, dtypes
from svod.errors import UnsupportedError
from svod.ir.uop import UOp


@dataclass(frozen=True, slots=True)
class Format:
    """A float type the functions are written for: its integer twin, the width of its mantissa field, its exponent bias."""

    real: DType
    integer: DType
    mantissa: int
    bias: int

    @property
    def magic(self) -> float:
        """1.5 * 2**mantissa: adding it rounds to the nearest integer and leaves that integer in the low bits."""
        return 1.5 * 2.0**self.mantissa

    @property
    def exponent_mask(self) -> int:
        """The bits of the exponent field, which are also the bits of infinity."""
        return (2 * self.bias + 1) << self.mantissa

    @property
    def sign_mask(self) -> int:
        """The sign bit, as a signed integer."""
        return -(1 << (self.integer.bits - 1))


F32 = Format(dtypes.f32, dtypes.i32, 23, 127)
F64 = Format(dtypes.f64, dtypes.i64, 52, 1023)
_FORMATS = {F32.real: F32, F64.real: F64}
LOG2_E = 1.4426950408889634
LN2 = {F32: (0.6931471824645996, -1.904654299957768e-09), F64: (0.6931471805599453, 2.3190468138462996e-17)}
"""ln 2 as the nearest number of the format and the rest."""


def format_of(x: UOp) -> Format:
    """The format of x. Raises UnsupportedError for types other than f32 and f64 (and vectors of them)."""
    fmt = _FORMATS.get(x.dtype.scalar)
    if fmt is None:
        raise UnsupportedError(f"math functions are decomposed for f32 and f64, not {x.dtype}", hint="cast to f32 first")
    return fmt


def const(like: UOp, value: float) -> UOp:
    """`value` in the dtype of `like`."""
    return UOp.const(value, like.dtype)


def horner(x: UOp, coefficients: Sequence[float]) -> UOp:
    """c[0] + c[1] x + c[2] x**2 + …, one fused multiply-add a coefficient (the highest is a constant)."""
    total = const(x, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        total = total.fma(x, c)
    return total


def at_most(x: UOp, limit: float) -> UOp:
    """min(x, limit), NaN stays NaN. Phrased as the one comparison-and-select that is x86's MINPS, which MIN (NaN-proof) is not."""
    return const(x, limit).lt(x).where(limit, x)


def at_least(x: UOp, limit: float) -> UOp:
    """max(x, limit), NaN stays NaN."""
    return x.lt(limit).where(limit, x)


def bits(x: UOp) -> UOp:
    """The bits of a float as a signed integer."""
    return x.bitcast(format_of(x).integer)


def power_of_two(biased: UOp, fmt: Format) -> UOp:
    """2**k, where the low bits of the float `biased` hold k + bias (see `nearest_integer`); k is in the normal range."""
    return (bits(biased) << fmt.mantissa).bitcast(fmt.real)


def nearest_integer(x: UOp, scale: float, offset: int) -> tuple[UOp, UOp]:
    """(biased, n): n = x * scale rounded to an integer, as a float; the low bits of `biased` hold n + offset. |n| < 2**(mantissa - 2)."""
    magic = format_of(x).magic + offset
    biased = x + magic if scale == 1.0 else x.fma(scale, magic)
    return biased, biased - magic


def scale_by_power(x: UOp, biased: UOp, fmt: Format) -> UOp:
    """x * 2**n, where the low bits of `biased` hold n + 2 * bias; rounded once, so overflow and gradual underflow are right.

    2**n is split into 2**floor(n/2) and the rest, because n itself may lie outside of the exponent range.
    """
    b = bits(biased)
    half = (b << (fmt.mantissa - 1)) & fmt.exponent_mask
    rest = (b << fmt.mantissa) - half
    return x * half.bitcast(fmt.real) * rest.bitcast(fmt.real)


def with_sign_of(magnitude: UOp, sign: UOp) -> UOp:
    """`magnitude` with the sign bit of `sign`; if magnitude is negative, so is sign."""
    fmt = format_of(sign)
    return (bits(magnitude) | (bits(sign) & fmt.sign_mask)).bitcast(fmt.real)


def fast_two_sum(a: UOp, b: UOp) -> tuple[UOp, UOp]:
    """(s, e): s + e == a + b exactly, s rounded. Needs |a| >= |b|, or a a multiple of the last place of b (Dekker 1971)."""
    s = a + b
    return s, b - (s - a)


def two_sum(a: UOp, b: UOp) -> tuple[UOp, UOp]:
    """(s, e): s + e == a + b exactly, whatever their sizes (Knuth, TAOCP vol. 2, 4.2.2)."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def two_product(a: UOp, b: UOp | float) -> tuple[UOp, UOp]:
    """(p, e): p + e == a * b exactly unless e underflows."""
    p = a * b
    return p, a.fma(b, -p)
