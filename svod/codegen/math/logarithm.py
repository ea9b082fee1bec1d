"""log, log2, log10, log1p.

Owns: the reduction x = 2**k (1 + f) and the polynomials of log(1 + f). Must not know exponentials.
Invariant: log(±0) = -inf, log of negative numbers = NaN, log(inf) = inf; subnormal arguments keep full accuracy.

Sources: J.-M. Muller, "Elementary Functions: Algorithms and Implementation" (3rd ed., 2016), chapter 6; the division
s = f / (2 + f) with log(1 + f) = 2 atanh s, and its use as f - (f**2/2 - s (f**2/2 + R)), is W. Kahan's and K. C. Ng's (fdlibm).
The coefficients are minimax fits (Remez exchange) made for this module, each rounded to the format before the next was fitted.
"""
from __future__ import annotations

import math

from svod.codegen.math.blocks import F32, F64, Format, bits, const, format_of, horner, two_sum, with_sign_of
from svod.ir.uop import UOp

_SERIES = (-0.49999988, 0.33333325, -0.2500161, 0.20002003, -0.16608408, 0.14180891, -0.13248149, 0.12912723, -0.076185584)
"""f32: (log(1 + f) - f) / f**2 for 1 + f between sqrt(1/2) and sqrt(2)."""
_SERIES2 = (1.9200773e-08, -0.72134733, 0.48089823, -0.36069867, 0.28856945, -0.23956574, 0.20452607, -0.19144654, 0.1868447,
            -0.10980481)
"""f32: log2(1 + f) / f - 1 / ln 2, the latter rounded."""
_SERIES10 = (-1.0120768e-08, -0.21714719, 0.1447648, -0.1085809, 0.08686769, -0.07212181, 0.061579313, -0.05759528, 0.056157913,
             -0.033035643)
"""f32: log10(1 + f) / f - 1 / ln 10, the latter rounded."""
_ATANH = (0.6666666666666734, 0.39999999999416613, 0.2857142874203656, 0.22222198603957705, 0.18183562920540458, 0.15314082789103228,
          0.14795656250314568)
"""f64: (2 atanh(s) / s - 2) / s**2 in powers of s**2 on |s| <= 0.1716, which is the same range."""
_LEAST = {F32: 0x3F3504F3, F64: 0x3FE6A09E667F3BCD}
"""Bits of the least 1 + f: sqrt(1/2). So log2 never falls below half of the k it is taken from, and cancels one bit at most."""
_LOG2_E = {F32: (1.4426950216293335, 1.9259629911266175e-08), F64: (1.4426950408889634, 2.0355273740931033e-17)}
"""1 / ln 2 as the nearest number of the format and the rest; the same for 1 / ln 10."""
_LOG10_E = {F32: (0.4342944920063019, -1.0103050052231683e-08), F64: (0.4342944819032518, 1.098319650216765e-17)}
_LOG10_2 = {F32: (0.301025390625, 4.605038981195214e-06), F64: (0.3010299956640665, -8.532344317057107e-14)}
"""log10(2), the first part so short that its product with any exponent is exact."""


def _exponent(x: UOp, fmt: Format) -> tuple[UOp, UOp]:
    """(k, 1 + f) with x = 2**k (1 + f), k a float; x is positive and normal."""
    t = bits(x) - _LEAST[fmt]
    mantissa = (t & ((1 << fmt.mantissa) - 1)) + _LEAST[fmt]
    return (t >> fmt.mantissa).cast(fmt.real), mantissa.bitcast(fmt.real)


def reduce(x: UOp) -> tuple[UOp, UOp]:
    """(k, f) with x = 2**k (1 + f) for positive x, subnormals included."""
    fmt = format_of(x)
    up = fmt.mantissa + 2
    tiny = x.lt(2.0 ** (1 - fmt.bias))
    k, m = _exponent(tiny.where(x * 2.0**up, x), fmt)
    return tiny.where(k - float(up), k), m - 1.0


def _tail(f: UOp) -> UOp:
    """log(1 + f) - f."""
    if format_of(f) is F32:
        return f * f * horner(f, _SERIES)
    s = f / (f + 2.0)
    z = s * s
    half = f * f * 0.5
    return s.fma(z.fma(horner(z, _ATANH), half), -half)


def _guarded(y: UOp, x: UOp) -> UOp:
    """y where x is positive and finite; the special values of a logarithm elsewhere."""
    below = x.eq(0.0).where(const(x, -math.inf), math.nan)
    return const(x, 0.0).lt(x).where(x.lt(math.inf).where(y, x), below)


def log(x: UOp) -> UOp:
    """Natural logarithm."""
    k, f = reduce(x)
    return _guarded(k.fma(math.log(2.0), f + _tail(f)), x)


def log2(x: UOp) -> UOp:
    """Binary logarithm, exact for powers of two."""
    k, f = reduce(x)
    high, low = _LOG2_E[format_of(x)]
    rest = f * horner(f, _SERIES2) if format_of(x) is F32 else f.fma(low, _tail(f) * high)
    return _guarded(k + f.fma(high, rest), x)


def log10(x: UOp) -> UOp:
    """Decimal logarithm."""
    k, f = reduce(x)
    fmt = format_of(x)
    high, low = _LOG10_E[fmt]
    first, rest = _LOG10_2[fmt]
    tail = f * horner(f, _SERIES10) if fmt is F32 else f.fma(low, _tail(f) * high)
    return _guarded(k.fma(first, f.fma(high, k.fma(rest, tail))), x)


def log1p(x: UOp) -> UOp:
    """log(1 + x) without cancellation near 0: what is lost in rounding 1 + x is added back, scaled, to f."""
    fmt = format_of(x)
    u, lost = two_sum(const(x, 1.0), x)
    k, m = _exponent(u, fmt)
    shift = (fmt.bias << fmt.mantissa) - ((bits(u) - _LEAST[fmt]) & -(1 << fmt.mantissa))
    f = lost.fma(shift.maximum(0).bitcast(fmt.real), m - 1.0)
    return with_sign_of(_guarded(k.fma(math.log(2.0), f + _tail(f)), u), x)
