"""What the tests of math functions share: exact references and the error in units in the last place.

Owns: the fixtures `functions`, `ulps32`, `ulps64`, `reference64`. References are float64 NumPy for f32, mpmath for f64.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[Any]


def _sigmoid(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e / (1 + e), 1 / (1 + e))


REFERENCE32: dict[str, Callable[..., Any]] = {
    "exp": np.exp, "exp2": np.exp2, "log": np.log, "log2": np.log2, "sin": np.sin, "cos": np.cos, "tan": np.tan, "tanh": np.tanh,
    "atan": np.arctan, "erf": lambda x: np.array([math.erf(v) for v in x]), "sigmoid": _sigmoid, "rsqrt": lambda x: 1 / np.sqrt(x),
    "pow": np.power, "expm1": np.expm1, "log10": np.log10, "log1p": np.log1p, "sinh": np.sinh, "cosh": np.cosh, "asin": np.arcsin,
    "acos": np.arccos, "atan2": np.arctan2, "hypot": np.hypot, "cbrt": np.cbrt, "erfc": lambda x: np.array([math.erfc(v) for v in x]),
}
REFERENCE64: dict[str, Callable[..., Any]] = {
    "exp": mpmath.exp, "exp2": lambda x: mpmath.power(2, x), "log": mpmath.log, "log2": lambda x: mpmath.log(x, 2), "sin": mpmath.sin,
    "cos": mpmath.cos, "tan": mpmath.tan, "tanh": mpmath.tanh, "atan": mpmath.atan, "erf": mpmath.erf,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)), "rsqrt": lambda x: 1 / mpmath.sqrt(x), "pow": mpmath.power, "expm1": mpmath.expm1,
    "log10": mpmath.log10, "log1p": mpmath.log1p, "sinh": mpmath.sinh, "cosh": mpmath.cosh, "asin": mpmath.asin, "acos": mpmath.acos,
    "atan2": mpmath.atan2, "hypot": mpmath.hypot, "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)), "erfc": mpmath.erfc,
}


def ulps(got: Array, high: Array, low: Array | float = 0.0) -> Array:
    """|got - (high + low)| in units in the last place of `got`'s type at `high`; infinite where a special value or a zero's sign is wrong.

    `high` is float64, `low` what it lacks of the exact value. Beyond the greatest number the unit is that number's.
    """
    kind = got.dtype
    info = np.finfo(kind)
    with np.errstate(all="ignore"):
        want = high.astype(kind)
        unit = np.ldexp(1.0, np.maximum(np.frexp(np.where(np.isfinite(want), high, 0.0))[1] - 1, info.minexp) - info.nmant)
        error = np.abs((got.astype(np.float64) - high) - low) / unit
        past = np.float64(info.max) if kind == np.float64 else np.float64(info.max) * (1 + float(info.epsneg))
        stepped = np.where(np.isinf(got), np.copysign(past, got), got)  # infinity counts as the number after the greatest
        edge = np.abs(stepped - high) / np.ldexp(1.0, info.maxexp - 1 - info.nmant)
        error = np.where(np.isinf(want) | np.isinf(got), np.where(got == want, 0.0, np.where(np.isinf(high), np.inf, edge)), error)
        error = np.where(np.isnan(want) | np.isnan(got), np.where(np.isnan(want) & np.isnan(got), 0.0, np.inf), error)
    zero = (high == 0) & (np.asarray(low) == 0)
    wrong_zero = zero & (got == 0) & (np.signbit(got) != np.signbit(high))
    result: Array = np.where(wrong_zero, np.inf, error)
    return result


def exact(name: str, x: float, *more: float) -> tuple[float, float]:
    """The value of a function at doubles as high + low, by mpmath; `high` is the nearest double. Only for arguments where it is real."""
    with mpmath.workprec(160):
        value = REFERENCE64[name](mpmath.mpf(x), *(mpmath.mpf(v) for v in more))
        high = float(value)
        return high, float(value - high) if math.isfinite(high) else 0.0


@pytest.fixture(scope="session")
def reference32() -> dict[str, Callable[..., Any]]:
    """Function name -> float64 reference."""
    return REFERENCE32


@pytest.fixture(scope="session")
def ulp_error() -> Callable[..., Array]:
    """`ulp_error(got, high, low)`, see `ulps`."""
    return ulps


@pytest.fixture(scope="session")
def exact_value() -> Callable[..., tuple[float, float]]:
    """`exact_value(name, x)`, see `exact`."""
    return exact
