"""tanh, sinh, cosh.

Owns: their reductions by multiples of ln 2 and their polynomials. Must not know the logistic function or error functions.
Invariant: odd functions are computed on |x| and given the sign of x, so -0.0 and symmetry come out right.

Sources: W. J. Cody, W. Waite, "Software Manual for the Elementary Functions" (1980), chapters 9 and 13. The coefficients are minimax
fits (Remez exchange) made for this module, each rounded to the format before the next was fitted.
"""
from __future__ import annotations

from dataclasses import dataclass

from svod.codegen.math.blocks import F32, F64, LN2, LOG2_E, at_most, bits, format_of, horner, nearest_integer, power_of_two, with_sign_of
from svod.ir.uop import UOp


@dataclass(frozen=True, slots=True)
class _Table:
    """Constants of one format."""

    tanh: tuple[float, ...]
    """((1 - e**-2r) / 2 - r) / r**2 on |r| <= ln 2 / 4."""
    sinh: tuple[float, ...]
    """(sinh(r) / r - 1) / r**2 in powers of r**2 on |r| <= ln 2 / 2."""
    cosh: tuple[float, ...]
    """(cosh(r) - 1) / r**2 in powers of r**2."""
    one: float
    """tanh rounds to 1 above it."""
    high: float
    """sinh and cosh round to infinity above it (well before it)."""


_TABLES = {
    F32: _Table(
        tanh=(-0.99999994, 0.6666618, -0.33333948, 0.13386355, -0.044387124),
        sinh=(0.16666667, 0.008333175, 0.00019974068),
        cosh=(0.5, 0.04166646, 0.0013935438),
        one=9.02, high=89.5,
    ),
    F64: _Table(
        tanh=(-1.0, 0.6666666666666671, -0.3333333333333332, 0.13333333333314545, -0.044444444444509144, 0.01269841272712731,
              -0.003174603168555124, 0.000705465450751871, -0.00014109361301207595, 2.5711694984596675e-05, -4.2782379639283165e-06),
        sinh=(0.16666666666666677, 0.008333333333321384, 0.00019841269886822343, 2.7557243443863287e-06, 2.510932420618745e-08),
        cosh=(0.5, 0.041666666666666685, 0.0013888888888873283, 2.480158734920196e-05, 2.755725181999664e-07, 2.092176976186847e-09),
        one=19.07, high=710.6,
    ),
}


def tanh(x: UOp) -> UOp:
    """Hyperbolic tangent. 18 instructions in f32, one of them a division.

    With e**-2|x| = s (1/2 - h), s = 2**(n + 1): tanh |x| = (1 - s/2 + s h) / (1 + s/2 - s h). h is computed as r - r**2 q(r), so that
    near 0, where n = 0 and s = 2, the numerator is 2 h with one rounding. The decaying exponential keeps numerator and denominator
    in [0, 2], where the growing one would round both more coarsely.
    """
    fmt = format_of(x)
    t = _TABLES[fmt]
    a = at_most(x.abs(), t.one)
    high, low = LN2[fmt]
    biased, n = nearest_integer(a, -2.0 * LOG2_E, fmt.bias + 1)
    r = n.fma(0.5 * high, a)
    if fmt is F64:  # in f32 the rest of ln 2 is too small to matter: |n| <= 26
        r = n.fma(0.5 * low, r)
    h = (r * r).fma(horner(r, t.tanh), r)
    s = power_of_two(biased, fmt)
    return with_sign_of(s.fma(h, s.fma(-0.5, 1.0)) / (-s).fma(h, s.fma(0.5, 1.0)), x)


def _parts(x: UOp) -> tuple[UOp, UOp, UOp, UOp]:
    """(d, s, S, C) with sinh |x| / 2 = d (1 + C) + s S and cosh |x| / 2 = s (1 + C) + d S.

    |x| = n ln 2 + r, S = sinh r, C = cosh r - 1, s and d = 2**(n - 2) +- 2**(-n - 2). The small power is 0 where it would be subnormal.
    """
    fmt = format_of(x)
    t = _TABLES[fmt]
    a = at_most(x.abs(), t.high)
    high, low = LN2[fmt]
    biased, n = nearest_integer(a, LOG2_E, fmt.bias - 2)
    r = n.fma(-low, n.fma(-high, a))
    large = power_of_two(biased, fmt)
    quarter = (2 * fmt.bias - 4) << fmt.mantissa  # bits(2**k) + bits(2**(-4 - k))
    small = (quarter - bits(large)).maximum(0).bitcast(fmt.real)
    z = r * r
    return large - small, large + small, (z * r).fma(horner(z, t.sinh), r), z * horner(z, t.cosh)


def sinh(x: UOp) -> UOp:
    """Hyperbolic sine. Without a division; near 0 the first product is an exact 0."""
    difference, total, s, c = _parts(x)
    return with_sign_of((difference + difference.fma(c, total * s)) * 2.0, x)


def cosh(x: UOp) -> UOp:
    """Hyperbolic cosine."""
    difference, total, s, c = _parts(x)
    return (total + total.fma(c, difference * s)) * 2.0
