"""atan, atan2, asin, acos.

Owns: their reductions and polynomials. Must not know how sin, cos and tan are computed.
Invariant: odd functions are computed on |x| and given the sign of x; arguments outside of [-1, 1] give NaN for asin and acos.

Sources: the table of the f64 arc tangent, atan x = atan c + atan (x - c) / (1 + c x) with c in {0, 1/2, 1, 3/2, infinity}, is fdlibm's
(K. C. Ng, 1993). The coefficients are minimax fits (Remez exchange) made for this module, each rounded to the format before the next
was fitted.
"""
from __future__ import annotations

import math

from svod.codegen.math.blocks import F32, F64, at_most, bits, const, fast_two_sum, format_of, horner, with_sign_of
from svod.ir.uop import UOp

_ATAN = {
    F32: (-0.333333, 0.1999853, -0.14264014, 0.109508604, -0.08399203, 0.057878725, -0.031093333, 0.0108661335, -0.0017821069),
    F64: (-0.3333333333333292, 0.19999999999873758, -0.1428571427226793, 0.11111110395317005, -0.09090886881515564, 0.07691872328753561,
          -0.06661034966430977, 0.05833329199778524, -0.049759350591417, 0.03651073926052765, -0.01626595762664361),
}
"""(atan(t) / t - 1) / t**2 in powers of t**2, on |t| <= 1 (f32) or 7/16 (f64)."""
_ASIN = {
    F32: (0.1666666, 0.07500522, 0.044513386, 0.03183871, 0.014318171, 0.03768834),
    F64: (0.1666666666666676, 0.07499999999970866, 0.04464285717456157, 0.030381942709809873, 0.0223722149380084, 0.017351612807693834,
          0.013980811925950567, 0.011398976903464766, 0.010779917287189985, 0.003707590489649064, 0.021704748311485594,
          -0.020995457487319936, 0.03262648518538094),
}
"""(asin(t) / t - 1) / t**2 in powers of t**2 on |t| <= 1/2."""
_HALF_PI = {F32: (1.5707963705062866, -4.3711390001862426e-08), F64: (1.5707963267948966, 6.123233995736766e-17)}
_CENTRES = ((0.5, 0.4375, 0.4636476090008061, 2.2698777452961687e-17), (1.0, 0.6875, 0.7853981633974483, 3.061616997868383e-17),
            (1.5, 1.1875, 0.982793723247329, 1.3903311031230998e-17))
"""f64: c, the |x| from which it is used, atan c in two parts."""
_LARGE = 2.4375
"""f64: |x| from which c is infinite."""


def atan(x: UOp) -> UOp:
    """Arc tangent in radians."""
    fmt = format_of(x)
    one = const(x, 1.0)
    if fmt is F64:
        high, low, t = _by_table(x.abs(), one)
    else:
        a = at_most(x.abs(), 2.0**60)
        high, low, t = _by_quotient(a, one)
        # n / d - t = lost / d, where 1 / d is -t if inverted; else it is 0. Its effect on atan t is 1/2 to 3/4 of it where it matters.
        inverted = one.lt(a)
        lost = (-t).fma(inverted.where(a, 1.0), inverted.where(-1.0, a))
        low = (t * -0.6).fma(lost, low)
    s, rest = _sum(high, low, t)
    return with_sign_of(s + rest, x)


def atan2(y: UOp, x: UOp) -> UOp:
    """The angle of the point (x, y) in radians, with the signs of zeros and the infinities of C99 (Annex F.10.1.4)."""
    fmt = format_of(x)
    a, b = y.abs(), x.abs()
    wide = b.eq(math.inf)  # then the quotient is 1 for an infinite a, 0 for a finite one, NaN for NaN
    a, b = wide.where(a.eq(math.inf).where(1.0, a * 0.0), a), (wide | (a + b).eq(0.0)).where(1.0, b)
    high, low, t = _by_quotient(a, b) if fmt is F32 else _by_table(*_scaled(a, b))
    s, rest = _sum(high, low, t)
    half, half_low = _HALF_PI[fmt]
    p, lost = fast_two_sum(const(x, 2.0 * half), -s)
    return with_sign_of(bits(x).lt(0).where(p + (lost + (2.0 * half_low - rest)), s + rest), y)


def _scaled(a: UOp, b: UOp) -> tuple[UOp, UOp]:
    """a and b times a power of two, so that sums of them neither overflow nor are subnormal. What underflows is too small to matter."""
    larger = b.lt(a).where(a, b)
    factor = const(a, 2.0**900).lt(larger).where(const(a, 2.0**-200), larger.lt(2.0**-900).where(const(a, 2.0**200), 1.0))
    return a * factor, b * factor


def _sum(high: UOp, low: UOp, t: UOp) -> tuple[UOp, UOp]:
    """high + low + atan t as a rounded sum and the rest."""
    z = t * t
    s, lost = fast_two_sum(high, t)
    return s, lost + (t * z).fma(horner(z, _ATAN[format_of(t)]), low)


def _by_quotient(a: UOp, b: UOp) -> tuple[UOp, UOp, UOp]:
    """(high, low, t): atan a / b = high + low + atan t, with t = a / b or -b / a."""
    inverted = b.lt(a)
    high, low = _HALF_PI[F32]
    t = inverted.where(-b, a) / inverted.where(a, b)
    return inverted.where(const(a, high), 0.0), inverted.where(const(a, low), 0.0), t


def _by_table(a: UOp, b: UOp) -> tuple[UOp, UOp, UOp]:
    """(high, low, t): atan a / b = high + low + atan t, |t| <= 7/16."""
    c, high, low = (const(a, 0.0) for _ in range(3))
    for centre, start, first, second in _CENTRES:
        here = (b * start).le(a)
        c, high, low = here.where(centre, c), here.where(first, high), here.where(second, low)
    large = (b * _LARGE).le(a)
    t = large.where(-b, b.fma(-c, a)) / large.where(a, a.fma(c, b))
    return large.where(_HALF_PI[F64][0], high), large.where(_HALF_PI[F64][1], low), t


def _arc(x: UOp) -> tuple[UOp, UOp, UOp]:
    """(small, t, u): |x| <= 1/2, and asin t = t + u, where t = |x| if small and sqrt((1 - |x|) / 2) else."""
    fmt = format_of(x)
    a = x.abs()
    small = a.le(0.5)
    z = small.where(a * a, a.fma(-0.5, 0.5))
    t = small.where(a, z.sqrt())
    return small, t, t * z * horner(z, _ASIN[fmt])


def asin(x: UOp) -> UOp:
    """Arc sine in radians; NaN outside of [-1, 1]."""
    small, t, u = _arc(x)
    high, low = _HALF_PI[format_of(x)]
    s, lost = fast_two_sum(const(x, high), t * -2.0)
    return with_sign_of(small.where(t + u, s + (lost + u.fma(-2.0, low))), x)


def acos(x: UOp) -> UOp:
    """Arc cosine in radians; NaN outside of [-1, 1]."""
    small, t, u = _arc(x)
    high, low = _HALF_PI[format_of(x)]
    negative = x.lt(0.0)
    # small: pi/2 - asin x; x > 1/2: 2 asin t; x < -1/2: pi - 2 asin t.
    scale = small.where(negative.where(const(x, 1.0), -1.0), negative.where(const(x, -2.0), 2.0))
    base = small.where(const(x, 1.0), negative.where(const(x, 2.0), 0.0))
    s, lost = fast_two_sum(base * high, scale * t)
    return s + (lost + scale.fma(u, base * low))
