"""erf and erfc.

Owns: the polynomials of -log(erfc x) and of exp(x**2) erfc(x). Must not know other functions.
Invariant: erf is computed on |x| and given the sign of x; erfc keeps its relative accuracy down to subnormal results.

erf x = 1 - exp(-x Q(x)) with Q(x) = -log(erfc x) / x, a smooth function, serves all x at once: where x is small the exponential is
reduced by nothing and 1 - exp keeps its relative accuracy, where x is large errors of Q vanish under the decaying exponential.
For erfc the exponential is split off: exp(x**2) (1 + 2 / sqrt(pi) x) erfc(x) is smooth as a function of (x - c) / (x + c), an idea
of J. L. Schonfelder, "Chebyshev expansions for the error and related functions", Math. Comp. 32 (1978), and flat at 0, where rounding that
quotient would matter most.
The coefficients are minimax fits (Remez exchange) made for this module, with the error of the function as weight.
"""
from __future__ import annotations

from dataclasses import dataclass

from svod.codegen.math.blocks import (
    F32,
    F64,
    LN2,
    LOG2_E,
    at_most,
    format_of,
    horner,
    nearest_integer,
    power_of_two,
    scale_by_power,
    two_product,
    with_sign_of,
)
from svod.ir.uop import UOp


@dataclass(frozen=True, slots=True)
class _Table:
    """Constants of one format."""

    slope: float
    """2 / sqrt(pi), the value of Q at 0, rounded to the format; the first of `q` is what that lost."""
    q: tuple[float, ...]
    """Q(x) - slope on [0, one]."""
    expm1: tuple[float, ...]
    """(1 - e**-r - r) / r**2 on |r| <= ln 2 / 2."""
    one: float
    """erf rounds to 1 above it."""
    centre: float
    """c of erfc."""
    erfc: tuple[float, ...]
    """exp(x**2) (1 + slope x) erfc(x) in powers of (x - c) / (x + c) for 0 <= x <= zero."""
    zero: float
    """erfc rounds to 0 above it."""


_TABLES = {
    F32: _Table(
        slope=1.128379225730896,
        q=(-5.4071506e-08, 0.6366194, 0.10277776, -0.019152792, -0.00016088107, 0.0016674929, -0.00063308136, 0.00011770721, -9.263375e-06),
        expm1=(-0.49999997, 0.16666545, -0.041667435, 0.008366472, -0.0013870976),
        one=3.93,
        centre=2.0,
        erfc=(0.831762, -0.23850848, 0.0116443895, 0.058138978, -0.028957807, -0.0015041612, 0.004508635, 0.00033880514, -0.00067721296,
              -0.00018510329),
        zero=10.1,
    ),
    F64: _Table(
        slope=1.1283791670955126,
        q=(-9.312476880031503e-18, 0.636619772367591, 0.10277260330131106, -0.019128446992989007, -0.00020919485527106085,
           0.0016962076803166742, -0.0005901324837972342, 2.5904692856787942e-05, 6.441996467518825e-05,
           -2.9574665747073513e-05, 3.1681527542011732e-06, 3.1347578373297625e-06, -2.0388609183013235e-06,
           5.718679836136654e-07, -1.2434514255898441e-08, -6.53938317958056e-08, 3.4458897720832286e-08,
           -1.0736633848589532e-08, 2.352215785632289e-09, -3.7464872720430347e-10, 4.283944590552023e-11,
           -3.3489243271549985e-12, 1.6066644467756323e-13, -3.571968235721184e-15),
        expm1=(-0.5, 0.16666666666666677, -0.04166666666666665, 0.008333333333321591, -0.0013888888888909108, 0.00019841269886136423,
               -2.4801587254336907e-05, 2.755724416999496e-06, -2.7557346291421085e-07, 2.510907713339519e-08,
               -2.0889833808243733e-09),
        one=5.93,
        centre=4.0,
        erfc=(0.7553487931750763, -0.19167733398439013, 0.10399735387056341, -0.03316561881960547, -0.009517900869100834,
              0.025380045726890222, -0.023782446606524513, 0.015371999649581206, -0.007369087648372505, 0.0024907171980048898,
              -0.0004370119142530162, -7.799655687996426e-05, 7.514994323265887e-05, -1.4596023588843937e-05,
              -5.051309697127534e-06, 3.04413483639355e-06, 4.8480083529682853e-08, -4.232756361781688e-07,
              4.5532708904506655e-08, 5.306119141268359e-08, -6.447799424184864e-09, -4.904486196953311e-09),
        zero=27.3,
    ),
}


def erf(x: UOp) -> UOp:
    """Error function, 2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x."""
    fmt = format_of(x)
    t = _TABLES[fmt]
    a = at_most(x.abs(), t.one)
    y = a.fma(t.slope, a * horner(a, t.q))
    high, low = LN2[fmt]
    biased, n = nearest_integer(y, -LOG2_E, fmt.bias)
    r = n.fma(high, y)
    if fmt is F64:  # in f32 the rest of ln 2 is too small to matter: |n| <= 25
        r = n.fma(low, r)
    w = (r * r).fma(horner(r, t.expm1), r)
    s = power_of_two(biased, fmt)
    return with_sign_of(s.fma(w, 1.0 - s), x)


def erfc(x: UOp) -> UOp:
    """1 - erf(x) without cancellation: exp(-x**2) times a quotient. What rounding x**2 lost goes into the exponential's argument."""
    fmt = format_of(x)
    t = _TABLES[fmt]
    a = at_most(x.abs(), t.zero)
    square, lost = two_product(a, a)
    high, low = LN2[fmt]
    biased, n = nearest_integer(square, -LOG2_E, 2 * fmt.bias)
    r = n.fma(low, n.fma(high, square)) + lost
    e = 1.0 - (r * r).fma(horner(r, t.expm1), r)
    u = (a - t.centre) / (a + t.centre)
    tail = scale_by_power(e * (horner(u, t.erfc) / a.fma(t.slope, 1.0)), biased, fmt)
    return x.lt(0.0).where(2.0 - tail, tail)
