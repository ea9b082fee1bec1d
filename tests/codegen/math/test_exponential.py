"""The ends of the exponentials: where they overflow, underflow and become 1, to the last argument."""
from __future__ import annotations

from collections.abc import Callable

import mpmath
import numpy as np
import pytest

from svod.codegen.math.exponential import exp, exp2, expm1, sigmoid
from svod.dtype import DType, dtypes
from svod.ir.interp import evaluate
from svod.ir.uop import UOp

KINDS = [(dtypes.f32, np.float32), (dtypes.f64, np.float64)]


def run(function: Callable[[UOp], UOp], dtype: DType, x: object) -> object:
    """The decomposition's value."""
    return evaluate(function(UOp.scalar("x", dtype)), {"x": x})  # type: ignore[dict-item]


@pytest.mark.parametrize(("dtype", "kind"), KINDS, ids=["f32", "f64"])
@pytest.mark.parametrize(("function", "inverse"), [(exp, mpmath.log), (exp2, lambda v: mpmath.log(v, 2))], ids=["exp", "exp2"])
def test_overflow_and_underflow_are_where_rounding_puts_them(function: Callable[[UOp], UOp], inverse: Callable[..., object], dtype: DType,
                                                            kind: type[np.floating]) -> None:  # type: ignore[type-arg]
    info = np.finfo(kind)
    with mpmath.workprec(200):
        # The value halfway between the greatest number and the next, and half the least subnormal: ties go to infinity and to zero.
        top = inverse(mpmath.mpf(float(info.max)) + mpmath.mpf(2) ** (info.maxexp - info.nmant - 2))
        bottom = inverse(mpmath.mpf(2) ** (info.minexp - info.nmant - 1))
        high, low = kind(float(top)), kind(float(bottom))  # type: ignore[arg-type]
        for x, limit in ((np.nextafter(high, kind(0)), top), (np.nextafter(high, kind(np.inf)), top)):
            assert np.isinf(run(function, dtype, x)) == (mpmath.mpf(float(x)) >= limit)
        for x, limit in ((np.nextafter(low, kind(0)), bottom), (np.nextafter(low, kind(-np.inf)), bottom)):
            assert (run(function, dtype, x) == 0) == (mpmath.mpf(float(x)) <= limit)


@pytest.mark.parametrize(("dtype", "kind"), KINDS, ids=["f32", "f64"])
def test_exp2_of_integers_is_exact(dtype: DType, kind: type[np.floating]) -> None:  # type: ignore[type-arg]
    info = np.finfo(kind)
    n = np.arange(info.minexp - info.nmant - 2, info.maxexp + 2)
    with np.errstate(over="ignore", under="ignore"):
        np.testing.assert_array_equal(run(exp2, dtype, n.astype(kind)), np.ldexp(kind(1), n))


@pytest.mark.parametrize(("dtype", "kind"), KINDS, ids=["f32", "f64"])
def test_limits(dtype: DType, kind: type[np.floating]) -> None:  # type: ignore[type-arg]
    x = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0], kind)
    np.testing.assert_array_equal(run(sigmoid, dtype, x), np.array([1, 0, np.nan, 0.5, 0.5], kind))
    got = np.asarray(run(expm1, dtype, x))
    np.testing.assert_array_equal(got, np.array([np.inf, -1, np.nan, 0, 0], kind))
    assert list(np.signbit(got[3:])) == [False, True]
