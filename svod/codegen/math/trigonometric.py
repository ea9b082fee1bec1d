"""sin, cos, tan.

Owns: the polynomials on |r| <= pi/4 and the quadrants. Must not know how arguments are reduced.
Invariant: the reduced argument enters as a sum of two numbers; odd functions keep -0.0.

The coefficients are minimax fits (Remez exchange) made for this module, each rounded to the format before the next was fitted.
"""
from __future__ import annotations

from collections.abc import Callable

from svod.codegen.math.blocks import F32, F64, bits, fast_two_sum, format_of, horner
from svod.codegen.math.reduction import Reduced, huge, is_huge, moderate
from svod.ir.uop import UOp

_SIN = {
    F32: (0.16666654, -0.0083321, 0.00019506493),
    F64: (0.1666666666666663, -0.00833333333332184, 0.00019841269829358606, -2.755731353855478e-06, 2.5050734395291495e-08,
          -1.5895433526064338e-10),
}
"""(1 - sin(r) / r) / r**2 in powers of r**2."""
_COS = {
    F32: (-0.5, 0.04166664, -0.001388713, 2.4412087e-05),
    F64: (-0.5, 0.041666666666666595, -0.0013888888888873307, 2.480158728896538e-05, -2.755731420317364e-07, 2.087570315904076e-09,
          -1.1358618328345687e-11),
}
"""(cos(r) - 1) / r**2 in powers of r**2."""
_TAN = {
    F32: (0.33333355, 0.13332473, 0.05408186, 0.021167355, 0.01113677, -0.00029544483, 0.00456757),
    F64: (0.33333333333332765, 0.13333333333416478, 0.053968253925749325, 0.02186948963149959, 0.00886321884259072, 0.0035922920132944527,
          0.0014547399788555472, 0.0005951410115818428, 0.00022215339780277534, 0.00013699479598763327, -2.70512988020911e-05,
          9.006677615201676e-05, -4.520984488176463e-05, 2.0943772729068862e-05),
}
"""(tan(r) / r - 1) / r**2 in powers of r**2."""


def _quadrant(reduced: Reduced) -> UOp:
    """sin(x) for offset 0, cos(x) for offset 1."""
    r, low = reduced.high, reduced.low
    fmt = format_of(r)
    z = r * r
    sine = r - (r * z).fma(horner(z, _SIN[fmt]), low)
    cosine = r.fma(r.fma(horner(z, _COS[fmt]), low), 1.0)
    value = (reduced.turns & 1).eq(0).where(sine, cosine)
    sign = (reduced.turns << (fmt.integer.bits - 2)) & fmt.sign_mask
    return (bits(value) ^ sign).bitcast(fmt.real)


def _by_size(x: UOp, offset: int, finish: Callable[[Reduced], UOp]) -> UOp:
    """One select between two complete computations: the first costs four times the second and is rarely wanted, so that a target that can
    branch does well to skip it where no lane wants it. It shares nothing with the second.
    """
    return is_huge(x).where(finish(huge(x, offset)), finish(moderate(x, offset)))


def sin(x: UOp) -> UOp:
    """Sine of x radians, for all finite x."""
    return _by_size(x, 0, _quadrant)


def cos(x: UOp) -> UOp:
    """Cosine of x radians, for all finite x."""
    return _by_size(x, 1, _quadrant)


def tan(x: UOp) -> UOp:
    """Tangent of x radians, for all finite x."""
    return _by_size(x, 0, _tangent)


def _tangent(reduced: Reduced) -> UOp:
    """tan r or -1 / tan r, the latter corrected by what rounding tan r lost."""
    r = reduced.high
    z = r * r
    t, lost = fast_two_sum(r, (r * z).fma(horner(z, _TAN[format_of(r)]), -reduced.low))
    y = -1.0 / t
    y = lost.fma(y, t.fma(y, 1.0)).fma(y, y)
    return (reduced.turns & 1).eq(0).where(t, y)
