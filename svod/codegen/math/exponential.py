"""exp, exp2, expm1 and the logistic function.

Owns: the reduction x = n ln 2 + r and the polynomials of e**r. Must not know logarithms or hyperbolic functions.
Invariant: results are rounded once at the end, so subnormal results and the step to infinity come out as IEEE 754 asks.

Sources: W. J. Cody, W. Waite, "Software Manual for the Elementary Functions" (1980), chapter 6 (two-constant reduction);
P. T. P. Tang, "Table-driven implementation of the expm1 function" (1992) for the reconstruction 2**n (1 + w) - 1.
The coefficients are minimax fits (Remez exchange) made for this module, each rounded to the format before the next was fitted.
"""
from __future__ import annotations

import math
from dataclasses import dataclass

from svod.codegen.math.blocks import (
    F32,
    F64,
    LN2,
    LOG2_E,
    Format,
    at_least,
    at_most,
    format_of,
    horner,
    nearest_integer,
    power_of_two,
    scale_by_power,
    with_sign_of,
)
from svod.ir.uop import UOp


@dataclass(frozen=True, slots=True)
class _Table:
    """Constants of one format."""

    exp: tuple[float, ...]
    """(e**r - 1 - r) / r**2 on |r| <= ln 2 / 2."""
    expm1: tuple[float, ...]
    """(e**r - 1 - r) / r**2, least error relative to e**r - 1."""
    low: float
    """exp(x) rounds to 0 below it; for exp2, `low2`."""
    high: float
    """exp(x) rounds to infinity above it (well before it: the clamp only keeps n small)."""
    low2: float
    high2: float
    one: float
    """sigmoid(x) rounds to 1 above it; -expm1(-x) too."""


_TABLES = {
    F32: _Table(
        exp=(0.49999994, 0.16666521, 0.041668274, 0.008368682, 0.0013820042),
        expm1=(0.49999997, 0.16666546, 0.041667435, 0.008366272, 0.0013870692),
        low=-104.0, high=89.0, low2=-151.0, high2=129.0, one=18.0,
    ),
    F64: _Table(
        exp=(0.5000000000000011, 0.16666666666666452, 0.04166666666652805, 0.008333333333476585, 0.0013888888943998352,
             0.00019841269535999517, 2.4801492795318212e-05, 2.755756530235766e-06, 2.7630346068967435e-07, 2.500564199327009e-08),
        expm1=(0.5, 0.16666666666666677, 0.041666666666666685, 0.00833333333332179, 0.001388888888889368, 0.00019841269885373082,
               2.4801587279063547e-05, 2.7557245104107817e-06, 2.75573293716567e-07, 2.5108709375741635e-08, 2.089400091077706e-09),
        low=-746.0, high=710.0, low2=-1076.0, high2=1025.0, one=38.0,
    ),
}

EXP2 = {
    F32: (0.6931472, 0.24022648, 0.0555036, 0.009618506, 0.0013390806, 0.00015326471),
    F64: (0.6931471805599453, 0.24022650695910108, 0.05550410866482172, 0.009618129107601606, 0.0013333558146546404,
          0.00015403530449033338, 1.525273363385497e-05, 1.3215438837794643e-06, 1.0178160105862809e-07, 7.073232662441186e-09,
          4.4388523381228396e-10),
}
"""(2**r - 1) / r on |r| <= 1/2."""


def _reduce(x: UOp, fmt: Format, offset: int) -> tuple[UOp, UOp]:
    """(biased n, r): x = n ln 2 + r, |r| <= ln 2 / 2; r is off by less than 2**-26 (f32) or 2**-55 (f64) units.

    The first multiply-add is exact: both terms are multiples of the last place of ln 2 and nearly cancel.
    """
    high, low = LN2[fmt]
    biased, n = nearest_integer(x, LOG2_E, offset)
    return biased, n.fma(-low, n.fma(-high, x))


def exp(x: UOp) -> UOp:
    """e**x. 18 instructions in f32."""
    fmt = format_of(x)
    t = _TABLES[fmt]
    biased, r = _reduce(at_least(at_most(x, t.high), t.low), fmt, 2 * fmt.bias)
    return scale_by_power(horner(r, (1.0, 1.0, *t.exp)), biased, fmt)


def exp2(x: UOp) -> UOp:
    """2**x, exact for integers."""
    fmt = format_of(x)
    t = _TABLES[fmt]
    x = at_least(at_most(x, t.high2), t.low2)
    biased, n = nearest_integer(x, 1.0, 2 * fmt.bias)
    return scale_by_power(horner(x - n, (1.0, *EXP2[fmt])), biased, fmt)


def expm1(x: UOp) -> UOp:
    """e**x - 1 without cancellation near 0."""
    fmt = format_of(x)
    t = _TABLES[fmt]
    biased, r = _reduce(at_least(at_most(x, t.high), -2.5 * t.one), fmt, fmt.bias - 1)
    w = (r * r).fma(horner(r, t.expm1), r)
    s = power_of_two(biased, fmt)  # 2**(n - 1): n = bias + 1 would overflow
    return with_sign_of(x.abs().lt(0.5 * math.log(2.0)).where(w, s.fma(w, s - 0.5) * 2.0), x)


def sigmoid(x: UOp) -> UOp:
    """1 / (1 + e**-x). The quotient is corrected by its residual, which costs less than a second rounding error is worth.

    1 + 2**n (1 + w), with n up to 150 (f32), would overflow: both sides of the fraction carry a factor 2**-(bias + 1) / 2.
    """
    fmt = format_of(x)
    t = _TABLES[fmt]
    high, low = LN2[fmt]
    half = (fmt.bias + 1) // 2
    x = at_least(at_most(x, t.one), t.low)
    biased, n = nearest_integer(x, -LOG2_E, fmt.bias - half)
    r = n.fma(low, n.fma(high, x))  # -x = n ln 2 - r
    w = r * horner(r, _alternate((1.0, *t.exp)))
    s = power_of_two(biased, fmt)
    a = s + 2.0**-half
    b = s.fma(w, s - (a - 2.0**-half))  # what rounding a lost is of use where it is half a last place, and exact there
    y = 1.0 / (a + b)
    return (-b).fma(y, (-a).fma(y, 1.0)).fma(y, y) * 2.0**-half


def _alternate(coefficients: tuple[float, ...]) -> tuple[float, ...]:
    """The coefficients of (e**-r - 1) / r from those of (e**r - 1) / r."""
    return tuple(c if i % 2 else -c for i, c in enumerate(coefficients))
