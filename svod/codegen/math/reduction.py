"""Argument reduction of sin, cos and tan: x = q pi/2 + r with |r| <= pi/4, to more digits than the type holds.

Owns: the two reductions and where each holds. Must not know the polynomials.
Invariant: r keeps full relative accuracy for every finite x, also where x is nearly a multiple of pi/2; infinities give NaN.

Moderate arguments: W. J. Cody, W. Waite (1980): subtract q pi/2 in three parts, each with one rounding thanks to the fused
multiply-add. Large ones: M. H. Payne, R. N. Hanek, "Radian reduction for trigonometric functions" (1983): only the digits of 1 / 2 pi that
change x / 2 pi by less than a full turn and by more than the wanted precision matter; a window of them is selected by the exponent of x.
Everything stays in floats of x's own type: the digits before the window are dropped because x times them is a whole number of turns.
"""
from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from svod.codegen.math.blocks import F32, F64, Format, bits, const, fast_two_sum, format_of, nearest_integer, two_product, two_sum
from svod.ir.uop import UOp

_TURN_BITS = 1184
_TURN = int(
    "28BE60DB9391054A7F09D5F47D4D377036D8A5664F10E4107F9458EAF7AEF1586DC91B8E909374B801924BBA827464873F877AC72C4A69CFBA208D"
    "7D4BAED1213A671C09AD17DF904E64758E60D4CE7D272117E2EF7E4A0EC7FE25FFF7816603FBCBC462D6829B47DB4D9FB3C9F2C26DD3D18FD9A797"
    "FA8B5D49EEB1FAF97C5ECF41CE7DE294A4BA9AFED7EC47E357421580CC11"
    , 16)
"""1 / 2 pi times 2**1184, rounded down."""
_TWO_OVER_PI = 0.6366197723675814


@dataclass(frozen=True, slots=True)
class _Table:
    """Constants of one format."""

    half_pi: tuple[float, float, float]
    """pi/2 in three positive parts (that keeps -0.0); q times the second is exact for |x| < moderate."""
    two_pi: tuple[float, float]
    """2 pi in two parts."""
    moderate: float
    """Least |x| that takes the second way."""
    window: int
    """log2 of the number of binades that share the same digits."""
    windows: int


_TABLES = {
    F32: _Table(
        half_pi=(1.570796251296997, 7.549533620476723e-08, 2.5633440682570896e-12), two_pi=(6.2831854820251465, -1.748455600074497e-07),
        moderate=1600.0, window=4, windows=8,
    ),
    F64: _Table(
        half_pi=(1.5707963267948966, 6.12323399409214e-17, 1.6446256936324258e-26), two_pi=(6.283185307179586, 2.4492935982947064e-16),
        moderate=2.0**21, window=5, windows=32,
    ),
}


@dataclass(frozen=True, slots=True)
class Reduced:
    """x = q pi/2 + high - low, |high - low| <= pi/4 (a little more at the seams); `turns` has q + offset in its low bits.

    For x = -0.0, high is -0.0 and low is +0.0, so that high - low keeps the sign.
    """

    turns: UOp
    high: UOp
    low: UOp


def is_huge(x: UOp) -> UOp:
    """True where `moderate` does not hold; infinities included, NaN not."""
    return const(x, _TABLES[format_of(x)].moderate).le(x.abs())


def moderate(x: UOp, offset: int) -> Reduced:
    """Three-part subtraction, where `is_huge` is false. `offset` 1 shifts the quadrant for the cosine.

    The first step is exact, the second rounds once, and what it lost is an exact difference.
    """
    first, second, third = _TABLES[format_of(x)].half_pi
    turns, q = nearest_integer(x, _TWO_OVER_PI, offset)
    r = q.fma(-first, x)
    high = q.fma(-second, r)
    low = q.fma(third, q.fma(second, high - r))
    return Reduced(bits(turns), high, low)


@cache
def _windows(fmt: Format) -> tuple[tuple[float, ...], ...]:
    """For each window i: 2**(i * width) / 2 pi modulo whole turns of the least significant digit of x, as a sum of four numbers.

    The first is an integer below 2**(mantissa - 1), so that its products with x / 2**(i * width) are multiples of that digit.
    """
    t = _TABLES[fmt]
    modulus = 1 << fmt.mantissa
    rows = []
    for i in range(t.windows):
        rest = Fraction(_TURN << (i << t.window), 1 << _TURN_BITS)
        rest -= round(rest / modulus) * modulus
        row = [Fraction(round(rest))]
        for _ in range(3):
            rest -= row[-1]
            row.append(_rounded(rest, fmt))
        rows.append(tuple(float(c) for c in row))
    return tuple(rows)


def _rounded(value: Fraction, fmt: Format) -> Fraction:
    """`value` rounded to the precision of fmt."""
    exact = Fraction(float(value))
    if fmt is F64:
        return exact
    return Fraction(UOp.const(float(value), fmt.real).arg.value)


def _select(conditions: list[UOp], rows: tuple[UOp, ...]) -> UOp:
    """The row whose number has the bits `conditions`, lowest first."""
    for c in conditions:
        rows = tuple(c.where(odd, even) for even, odd in zip(rows[::2], rows[1::2], strict=True))
    return rows[0]


def huge(x: UOp, offset: int) -> Reduced:
    """x / 2 pi modulo 1 as an unevaluated sum, for every |x| >= 1; see the comments for why each step loses nothing that matters.

    y = x scaled into [1, 2**width) by a power of two, last place >= 2**-mantissa; c0 + c1 + c2 + c3 the digits of its window.
    """
    fmt = format_of(x)
    t = _TABLES[fmt]
    index = (bits(x) + (1 << fmt.mantissa)) & ((t.windows - 1) << (fmt.mantissa + t.window))
    y = x * ((fmt.bias << fmt.mantissa) - index).bitcast(fmt.real)
    conditions = [(index & (1 << (fmt.mantissa + t.window + b))).ne(0) for b in range(t.windows.bit_length() - 1)]
    c0, c1, c2, c3 = (_select(conditions, tuple(const(x, v) for v in column)) for column in zip(*_windows(fmt), strict=True))
    p0, e0 = two_product(y, c0)
    p1, e1 = two_product(y, c1)
    p2, e2 = two_product(y, c2)
    # Both differences are multiples of 2**-mantissa and at most 1/2: their sum is exact.
    a = (p0 - p0.rint()) + (e0 - e0.rint())
    b = p1 - p1.rint()
    turns, q = nearest_integer(a + b, 4.0, offset)
    a = q.fma(-0.25, a)
    # a is a multiple of the last place of b, and then of e1: the short sum is exact although |a| may be the lesser one.
    s, l0 = fast_two_sum(a, b)
    s, l1 = fast_two_sum(s, e1)
    s, l2 = two_sum(s, p2)
    s, low = fast_two_sum(s, l0 + l1 + l2 + y.fma(c3, e2))
    product, lost = two_product(s, t.two_pi[0])
    high, low = fast_two_sum(product, s.fma(t.two_pi[1], low.fma(t.two_pi[0], lost)))
    return Reduced(bits(turns), high, -low)
