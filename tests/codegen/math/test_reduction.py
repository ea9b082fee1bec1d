"""Arguments of sin, cos and tan: the worst cases known, both ways against mpmath, and that each way is taken where it should be."""
from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest

from svod.codegen.math import reduction
from svod.codegen.math.blocks import F32, F64, Format
from svod.codegen.math.trigonometric import sin, tan
from svod.ir.interp import evaluate
from svod.ir.uop import UOp

FORMATS = [F32, F64]
WORST = {F32: math.ldexp(16367173, 72), F64: math.ldexp(6381956970095103, 797)}
"""The number nearest to a multiple of pi/2, relative to its size, in each format (J.-M. Muller, "Elementary Functions", table 11.1)."""


def reduce(way: Any, fmt: Format, x: Any, offset: int = 0) -> list[Any]:
    """turns, high and low of a Reduced."""
    leaf = UOp.scalar("x", fmt.real)
    reduced = way(leaf, offset)
    return [evaluate(u, {"x": x}) for u in (reduced.turns, reduced.high, reduced.low)]


def check(way: Any, fmt: Format, values: Any, digits: int) -> None:
    """x - q pi/2 == high - low to `digits` bits of r, and q is the quadrant."""
    kind = np.float32 if fmt is F32 else np.float64
    turns, high, low = reduce(way, fmt, values.astype(kind))
    with mpmath.workprec(1400):
        for x, t, h, rest in zip(values.astype(kind), turns, high, low, strict=True):
            r = mpmath.mpf(float(h)) - mpmath.mpf(float(rest))
            q = mpmath.nint((mpmath.mpf(float(x)) - r) / (mpmath.pi / 2))
            exact = mpmath.mpf(float(x)) - q * mpmath.pi / 2
            assert abs(r) < 0.81
            assert abs(r - exact) <= abs(exact) * mpmath.mpf(2) ** -digits, float(x)
            assert (int(t) - int(q)) % 4 == 0, float(x)


@pytest.mark.parametrize("fmt", FORMATS, ids=["f32", "f64"])
def test_moderate_arguments(fmt: Format) -> None:
    limit = 1600 if fmt is F32 else 2**21
    near = np.round(np.random.default_rng(1).uniform(-limit, limit, 300) / (math.pi / 2)) * (math.pi / 2)
    values = np.concatenate([np.random.default_rng(2).uniform(-limit, limit, 300), near])
    check(reduction.moderate, fmt, values, fmt.mantissa + 5)


@pytest.mark.parametrize("fmt", FORMATS, ids=["f32", "f64"])
def test_huge_arguments(fmt: Format) -> None:
    rng = np.random.default_rng(3)
    binades = np.arange(0, fmt.bias + 1)
    values = np.append(rng.uniform(1, 2, len(binades)) * 2.0**binades, -rng.uniform(1, 2, 200) * 2.0 ** rng.integers(0, fmt.bias, 200))
    values = np.append(values, [WORST[fmt], -WORST[fmt], 2.0**fmt.bias * (2 - 2.0**-fmt.mantissa)])
    check(reduction.huge, fmt, values, fmt.mantissa + 5)


@pytest.mark.parametrize("fmt", FORMATS, ids=["f32", "f64"])
def test_the_worst_case_keeps_all_its_digits(fmt: Format) -> None:
    x = WORST[fmt]
    with mpmath.workprec(1400):
        remainder = mpmath.fmod(mpmath.mpf(x), mpmath.pi / 2)
        distance = min(remainder, mpmath.pi / 2 - remainder)
        assert distance < mpmath.mpf(2) ** (-29 if fmt is F32 else -60)  # it is the bad case that it is said to be
        want = float(mpmath.tan(x))
    got = float(evaluate(tan(UOp.scalar("x", fmt.real)), {"x": x}))
    assert abs(got / want - 1) < 2.0 ** -(fmt.mantissa - 1)


def test_the_digits_of_one_over_two_pi() -> None:
    with mpmath.workprec(1400):
        assert int(mpmath.floor(mpmath.ldexp(1 / (2 * mpmath.pi), reduction._TURN_BITS))) == reduction._TURN


@pytest.mark.parametrize("fmt", FORMATS, ids=["f32", "f64"])
def test_each_way_is_taken_where_it_holds(fmt: Format) -> None:
    limit = 1600.0 if fmt is F32 else 2.0**21
    x = np.array([0, limit * 0.999, limit, -limit, np.inf, np.nan], np.float32 if fmt is F32 else np.float64)
    assert list(evaluate(reduction.is_huge(UOp.scalar("x", fmt.real)), {"x": x})) == [False, False, True, True, True, False]


@pytest.mark.parametrize("fmt", FORMATS, ids=["f32", "f64"])
def test_infinities_give_nan_and_zeros_keep_their_sign(fmt: Format) -> None:
    x = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0], np.float32 if fmt is F32 else np.float64)
    for function in (sin, tan):
        got = evaluate(function(UOp.scalar("x", fmt.real)), {"x": x})
        assert np.isnan(got[:3]).all()
        assert list(got[3:]) == [0, 0]
        assert list(np.signbit(got[3:])) == [False, True]
