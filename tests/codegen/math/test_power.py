"""pow: every special case of C99 Annex F.10.4.4, over all pairs of special numbers as NumPy has it, and exact powers."""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from svod.codegen.math.power import pow
from svod.dtype import DType, dtypes
from svod.ir.interp import evaluate
from svod.ir.uop import UOp

INF, NAN = math.inf, math.nan
CASES = [  # x, y, x**y
    (0.0, -3.0, INF), (-0.0, -3.0, -INF), (0.0, -2.0, INF), (-0.0, -2.0, INF), (-0.0, -2.5, INF), (-0.0, -INF, INF),
    (0.0, 3.0, 0.0), (-0.0, 3.0, -0.0), (-0.0, 2.0, 0.0), (-0.0, 0.5, 0.0), (-1.0, INF, 1.0), (-1.0, -INF, 1.0),
    (1.0, NAN, 1.0), (1.0, -INF, 1.0), (NAN, 0.0, 1.0), (NAN, -0.0, 1.0), (0.0, 0.0, 1.0), (INF, -0.0, 1.0),
    (-8.0, 1 / 3, NAN), (-8.0, 0.5, NAN), (-8.0, -0.5, NAN), (0.5, -INF, INF), (-0.5, -INF, INF), (2.0, -INF, 0.0), (-2.0, -INF, 0.0),
    (0.5, INF, 0.0), (-0.5, INF, 0.0), (2.0, INF, INF), (-2.0, INF, INF), (-INF, -3.0, -0.0), (-INF, -2.0, 0.0), (-INF, -2.5, 0.0),
    (-INF, 3.0, -INF), (-INF, 2.0, INF), (-INF, 2.5, INF), (INF, -1.0, 0.0), (INF, 1.0, INF), (NAN, 1.0, NAN), (2.0, NAN, NAN),
    (NAN, NAN, NAN), (-2.0, 3.0, -8.0), (-2.0, 2.0, 4.0), (-2.0, -1.0, -0.5),
]
KINDS = [(dtypes.f32, np.float32), (dtypes.f64, np.float64)]


def run(dtype: DType, x: Any, y: Any) -> Any:
    """The decomposition's values."""
    return evaluate(pow(UOp.scalar("x", dtype), UOp.scalar("y", dtype)), {"x": x, "y": y})


@pytest.mark.parametrize(("dtype", "kind"), KINDS, ids=["f32", "f64"])
def test_the_cases_of_c99(dtype: DType, kind: Any) -> None:
    x, y, want = (np.array(column, kind) for column in zip(*CASES, strict=True))
    got = run(dtype, x, y)
    for a, b, r, w in zip(x, y, got, want, strict=True):
        same = math.isnan(r) if math.isnan(w) else r == w and math.copysign(1, r) == math.copysign(1, w)
        assert same, f"pow({a}, {b}) is {w}, got {r}"


@pytest.mark.parametrize(("dtype", "kind"), KINDS, ids=["f32", "f64"])
def test_pairs_of_special_numbers_as_in_numpy(dtype: DType, kind: Any, ulp_error: Callable[..., Any]) -> None:
    info = np.finfo(kind)
    tops = [2.0**info.nmant - 1, 2.0**info.nmant, 2.0 ** (info.nmant + 1) - 1, 2.0 ** (info.nmant + 1)]
    small = [info.smallest_subnormal, info.smallest_normal, info.max, 1 - info.epsneg, 1 + info.eps]
    some = np.array([0.0, INF, NAN, 1.0, 2.0, 0.5, 3.0, 2.5, *tops, *small], kind)
    x, y = (a.ravel() for a in np.meshgrid(np.concatenate([some, -some]), np.concatenate([some, -some])))
    with np.errstate(all="ignore"):
        want = np.power(x.astype(np.float64), y.astype(np.float64))
    error = ulp_error(run(dtype, x, y), want)
    i = int(np.argmax(error))
    assert error[i] <= 2, f"pow({x[i]}, {y[i]}): {error[i]} ulp from {want[i]}"


@pytest.mark.parametrize(("dtype", "kind"), KINDS, ids=["f32", "f64"])
def test_whole_powers_of_two_are_exact(dtype: DType, kind: Any) -> None:
    info = np.finfo(kind)
    n = np.arange(info.minexp - info.nmant, info.maxexp + 1)
    with np.errstate(over="ignore"):
        want = np.ldexp(kind(1), n)
    np.testing.assert_array_equal(run(dtype, kind(2), n.astype(kind)), want)
    np.testing.assert_array_equal(run(dtype, kind(0.5), -n.astype(kind)), want)
