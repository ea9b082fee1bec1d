"""pow, cbrt, rsqrt and hypot.

Owns: the logarithm to twice the precision that pow needs, and the special cases. Must not know other functions' polynomials.
Invariant: pow follows C99 Annex F for signed zeros, infinities, NaN, and negative bases.

Sources: T. J. Dekker (1971) for double-word arithmetic; J.-M. Muller et al., "Handbook of Floating-Point Arithmetic" (2nd ed., 2018),
section 11 on pow: x**y = 2**(y log2 x), where y log2 x may be as large as 1074 and is wanted to the last place of its fraction.
The coefficients are minimax fits (Remez exchange) made for this module.
"""
from __future__ import annotations

import math
from dataclasses import dataclass

from svod.codegen.math.blocks import (
    F32,
    F64,
    Format,
    at_least,
    at_most,
    bits,
    const,
    fast_two_sum,
    format_of,
    horner,
    nearest_integer,
    power_of_two,
    scale_by_power,
    two_product,
    with_sign_of,
)
from svod.codegen.math.exponential import EXP2
from svod.codegen.math.logarithm import reduce
from svod.ir.uop import UOp


@dataclass(frozen=True, slots=True)
class _Table:
    """Constants of one format."""

    third: tuple[float, float]
    """1/3 as the nearest number of the format and the rest."""
    atanh: tuple[float, ...]
    """((atanh(s) / s - 1) / s**2 - 1/3) / s**2 in powers of s**2."""
    scale: tuple[float, float]
    """2 / ln 2 in two parts."""
    exponent: float
    """A bound of |y| beyond which x**y is 0, 1 or infinite for every x."""
    result: float
    """A bound of |log2 x**y| beyond which it is 0 or infinite."""


_TABLES = {
    F32: _Table(
        third=(0.3333333432674408, -9.934107462565104e-09),
        atanh=(0.20000076, 0.14273545, 0.11709823),
        scale=(2.885390043258667, 3.851925982253235e-08),
        exponent=2.0**33, result=152.0,
    ),
    F64: _Table(
        third=(0.3333333333333333, 1.850371707708594e-17),
        atanh=(0.1999999999999999, 0.1428571428572192, 0.11111111108894901, 0.09090909421987381, 0.07692279215213382, 0.06668132203280575,
               0.05837891440188449, 0.05990866859555185),
        scale=(2.8853900817779268, 4.0710547481862066e-17),
        exponent=2.0**65, result=1080.0,
    ),
}


def rsqrt(x: UOp) -> UOp:
    """1 / sqrt(x), two roundings."""
    format_of(x)  # refuses what the stated bound is not true for
    return 1.0 / x.sqrt()


_CBRT = (0.41476384, 1.0507748, -0.752201, 0.3755461, -0.09896373, 0.010387112)
"""cbrt(m) on 0.34 <= m <= 2.95 to three digits."""


def cbrt(x: UOp) -> UOp:
    """Cube root: x = 8**k m, a polynomial for m, then E. Halley's iteration, which triples the digits (twice in f64)."""
    fmt = format_of(x)
    a = x.abs()
    tiny = a.lt(2.0 ** (1 - fmt.bias))
    up = 24 if fmt is F32 else 54
    a = tiny.where(a * 2.0**up, a)
    # The bits of a float, as an integer, are nearly its binary logarithm: scaled and shifted they give k, off by little.
    linear = bits(a).cast(fmt.real).fma(2.0**-fmt.mantissa, -float(fmt.bias))
    biased, _ = nearest_integer(linear, -1.0 / 3.0, fmt.bias)
    down = power_of_two(biased, fmt)
    m = a * down * down * down
    y = horner(m, _CBRT)
    for _ in range(1 if fmt is F32 else 2):
        square, lost = two_product(y, y)
        rest = (-y).fma(lost, (-y).fma(square, m))  # m - y**3, exact but for its last rounding
        y = y.fma(rest / (y * square).fma(2.0, m), y)
    scale = ((2 * fmt.bias << fmt.mantissa) - bits(down)).bitcast(fmt.real)
    root = y * tiny.where(scale * 2.0 ** (-up // 3), scale)
    return with_sign_of((a.lt(math.inf) & a.ne(0.0)).where(root, a), x)


_FAR = {F32: (60, 90), F64: (480, 700)}
"""Exponents: beyond 2**first (below its inverse) numbers are scaled by 2**-second (2**second) before they are squared."""


def hypot(x: UOp, y: UOp) -> UOp:
    """sqrt(x**2 + y**2): the sum with one rounding beside that of the smaller square, both operands scaled where squares would not fit."""
    fmt = format_of(x)
    far, by = _FAR[fmt]
    a, b = x.abs(), y.abs()
    swap = a.lt(b)
    larger, smaller = swap.where(b, a), swap.where(a, b)
    huge, tiny = const(a, 2.0**far).lt(larger), larger.lt(2.0**-far)
    down = huge.where(const(a, 2.0**-by), tiny.where(const(a, 2.0**by), 1.0))
    up = huge.where(const(a, 2.0**by), tiny.where(const(a, 2.0**-by), 1.0))
    larger, smaller = larger * down, smaller * down
    length = larger.fma(larger, smaller * smaller).sqrt() * up
    return (a.eq(math.inf) | b.eq(math.inf)).where(math.inf, length)


def _log2(x: UOp) -> tuple[UOp, UOp]:
    """log2 x as high + low for positive finite x, to about 2**-34 (f32) or 2**-65 (f64) of its size.

    x = 2**k (1 + f), s = f / (2 + f), log2(1 + f) = 2 / ln 2 (s + s**3 (1/3 + s**2 R(s**2))), all but R in two words.
    """
    t = _TABLES[format_of(x)]
    k, f = reduce(x)
    d, lost = fast_two_sum(const(f, 2.0), f)
    inverse = 1.0 / d
    s = f * inverse
    s_low = (-s).fma(lost, (-s).fma(d, f)) * inverse
    z, z_low = two_product(s, s)
    z_low = (s + s).fma(s_low, z_low)
    q, q_low = fast_two_sum(const(z, t.third[0]), z.fma(horner(z, t.atanh), t.third[1]))
    p, p_low = two_product(z, q)
    p_low = p_low + z.fma(q_low, z_low * q)
    w, w_low = two_product(s, p)
    w_low = w_low + s.fma(p_low, s_low * p)
    v, v_low = fast_two_sum(s, w)
    v_low = v_low + (s_low + w_low)
    high, low = two_product(v, t.scale[0])
    low = low + v.fma(t.scale[1], v_low * t.scale[0])
    total, rest = fast_two_sum(k, high)
    return total, rest + low


def _exp2(high: UOp, low: UOp, fmt: Format) -> UOp:
    """2**(high + low); |low| is less than the last place of high."""
    biased, n = nearest_integer(high, 1.0, 2 * fmt.bias)
    return scale_by_power(horner((high - n) + low, (1.0, *EXP2[fmt])), biased, fmt)


def pow(x: UOp, y: UOp) -> UOp:  # noqa: A001  (the op is called POW)
    """x**y with the special cases of C99 (Annex F.10.4.4)."""
    fmt = format_of(x)
    t = _TABLES[fmt]
    a = x.abs()
    log_high, log_low = _log2(a)
    # The logarithms of 0, infinity and NaN, which the reduction takes for numbers.
    log_high = a.lt(math.inf).where(a.eq(0.0).where(const(x, -math.inf), log_high), a)
    exponent = at_least(at_most(y, t.exponent), -t.exponent)
    high, low = two_product(exponent, log_high)
    low = exponent.fma(log_low, low)
    low = high.abs().lt(t.result).where(low, 0.0)
    magnitude = _exp2(at_least(at_most(high, t.result), -t.result), low, fmt)
    return _special(x, y, magnitude)


def _special(x: UOp, y: UOp, magnitude: UOp) -> UOp:
    """The sign of x**y, and NaN and 1 where they belong. `magnitude` is |x|**y."""
    fmt = format_of(x)
    whole = y.rint().eq(y)
    half = y * 0.5
    odd = whole & half.floor().ne(half)
    sign = odd.where(bits(x) & fmt.sign_mask, 0)
    signed = (bits(magnitude) ^ sign).bitcast(fmt.real)
    undefined = x.lt(0.0) & const(x, -math.inf).lt(x) & ~whole
    one = x.eq(1.0) | y.eq(0.0)
    return one.where(1.0, undefined.where(math.nan, signed))
