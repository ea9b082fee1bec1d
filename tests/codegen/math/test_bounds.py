"""Every function keeps the error it states, in f32 over a stride of all bit patterns, in f64 against mpmath; special values are exact."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from svod.codegen.math import BOUNDS, DECOMPOSITIONS
from svod.dtype import DType, decode_array, dtypes, numpy_dtype
from svod.ir.interp import evaluate
from svod.ir.ops import Op
from svod.ir.uop import UOp

Array = NDArray[Any]
Errors = Callable[..., Array]
ALL: dict[str, Callable[..., UOp]] = {op.name.lower(): f for op, f in DECOMPOSITIONS.items()}
BINARY = frozenset(("pow", "atan2", "hypot"))
UNARY = sorted(set(ALL) - BINARY)
ENDS = {"exp": 750, "exp2": 1100, "log": 50, "log2": 50, "sin": 400, "cos": 400, "tan": 400, "tanh": 20, "atan": 5, "erf": 6,
        "sigmoid": 750, "rsqrt": 50, "expm1": 720, "log10": 50, "log1p": 50, "sinh": 720, "cosh": 720, "asin": 1, "acos": 1,
        "cbrt": 50, "erfc": 28}
"""Where each function is interesting: samples are uniform up to there, and up to a tenth of it."""
POSITIVE = frozenset(("log", "log2", "log10", "rsqrt"))
SPECIAL = (0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5)


def bound(name: str, dtype: DType) -> float:
    """What the table states."""
    return BOUNDS[Op[name.upper()]][dtype.name]


def run(name: str, dtype: DType, *args: Array) -> Array:
    """The decomposition's value, by the interpreter."""
    leaves = [UOp.scalar(f"x{i}", dtype) for i in range(len(args))]
    return evaluate(ALL[name](*leaves), {f"x{i}": a for i, a in enumerate(args)})


def patterns(dtype: type[np.floating[Any]], stride: int) -> Array:
    """Every `stride`-th float of f32: subnormals, infinities, NaN and huge numbers included."""
    return np.arange(0, 2**32, stride, dtype=np.uint64).astype(np.uint32).view(dtype)


def edges(dtype: type[np.floating[Any]]) -> Array:
    """Special values, the ends of the format and their neighbours."""
    info = np.finfo(dtype)
    ends = np.array([info.smallest_subnormal, info.smallest_normal, info.max, info.eps, 1.0], dtype)
    with np.errstate(over="ignore"):
        near = np.concatenate([ends, np.nextafter(ends, dtype(0)), np.nextafter(ends, dtype(np.inf))])
    return np.concatenate([np.array(SPECIAL, dtype), near, -near])


def worst(errors: Array, *args: Array) -> tuple[float, tuple[Any, ...]]:
    """The greatest error and where it is."""
    i = int(np.argmax(errors))
    return float(errors[i]), tuple(a[i] for a in args)


@pytest.mark.parametrize("name", UNARY)
def test_f32_over_a_stride_of_all_bit_patterns(name: str, reference32: dict[str, Errors], ulp_error: Errors) -> None:
    end = ENDS[name]
    dense = np.linspace(-end, end, 40_009, dtype=np.float32)
    x = np.concatenate([edges(np.float32), patterns(np.float32, 65_521), dense, dense / np.float32(10)])
    with np.errstate(all="ignore"):
        want = reference32[name](x.astype(np.float64))
    error, where = worst(ulp_error(run(name, dtypes.f32, x), want), x)
    assert error <= bound(name, dtypes.f32), f"{name}{where}: {error} ulp"


@pytest.mark.parametrize("name", UNARY)
def test_f64_against_mpmath(name: str, exact_value: Callable[..., tuple[float, float]], ulp_error: Errors) -> None:
    rng, end = np.random.default_rng(7), ENDS[name]
    x = np.concatenate([rng.uniform(-end, end, 500), rng.uniform(-end / 10, end / 10, 500), rng.uniform(-1, 1, 300) ** 9,
                        1 + rng.uniform(-0.5, 0.5, 200) ** 9])
    if name in ("sin", "cos", "tan"):
        x = np.concatenate([x, rng.uniform(-1, 1, 200) * 2.0 ** rng.integers(10, 1023, 200)])
    x = np.abs(x) if name in POSITIVE else x[x > -1] if name == "log1p" else x[np.abs(x) <= 1] if name in ("asin", "acos") else x
    high, low = np.array([exact_value(name, float(v)) for v in x]).T
    error, where = worst(ulp_error(run(name, dtypes.f64, x), high, low), x)
    assert error <= bound(name, dtypes.f64), f"{name}{where}: {error} ulp"


@pytest.mark.parametrize("name", UNARY)
def test_f64_special_values_are_those_of_numpy(name: str, reference32: dict[str, Errors], ulp_error: Errors) -> None:
    x = edges(np.float64)
    with np.errstate(all="ignore"):
        want = reference32[name](x)
    # NumPy's own value may be one unit off; where it is infinite, NaN or zero, `ulp_error` allows nothing.
    error, where = worst(ulp_error(run(name, dtypes.f64, x), want), x)
    assert error <= bound(name, dtypes.f64) + 1, f"{name}{where}: {error} ulp"


@pytest.mark.parametrize(("dtype", "kind"), [(dtypes.f32, np.float32), (dtypes.f64, np.float64)], ids=["f32", "f64"])
@pytest.mark.parametrize(("name", "below", "above"), [
    ("exp", 0, np.inf), ("exp2", 0, np.inf), ("tanh", -1, 1), ("erf", -1, 1), ("erfc", 2, 0), ("sigmoid", 0, 1), ("expm1", -1, np.inf),
    ("sinh", -np.inf, np.inf), ("cosh", np.inf, np.inf), ("atan", -np.pi / 2, np.pi / 2), ("cbrt", -np.inf, np.inf),
])
def test_limits_are_exact(name: str, below: float, above: float, dtype: DType, kind: type[np.floating[Any]]) -> None:
    """At the infinities, and at the greatest number, which is as good."""
    x = np.array([-np.inf, np.inf], kind)
    np.testing.assert_array_equal(run(name, dtype, x), np.array([below, above], kind))
    if name != "cbrt":
        np.testing.assert_array_equal(run(name, dtype, np.array([-np.finfo(kind).max, np.finfo(kind).max])), np.array([below, above], kind))


def test_pow_f32(reference32: dict[str, Errors], ulp_error: Errors) -> None:
    rng = np.random.default_rng(3)
    any_x, any_y = (rng.integers(0, 2**32, 40_000, dtype=np.uint64).astype(np.uint32).view(np.float32) for _ in range(2))
    with np.errstate(all="ignore"):
        wide = (rng.uniform(-150, 128, 40_000) / np.log2(np.abs(any_x.astype(np.float64)))).astype(np.float32)
        near = rng.uniform(0.5, 2, 40_000).astype(np.float32)
        close = (rng.uniform(-150, 128, 40_000) / np.log2(near.astype(np.float64))).astype(np.float32)
        x = np.concatenate([any_x, np.abs(any_x), near, rng.uniform(-20, 20, 40_000).astype(np.float32)])
        y = np.concatenate([any_y, wide, close, rng.integers(-40, 40, 40_000).astype(np.float32)])
        want = reference32["pow"](x.astype(np.float64), y.astype(np.float64))
    error, where = worst(ulp_error(run("pow", dtypes.f32, x, y), want), x, y)
    assert error <= bound("pow", dtypes.f32), f"pow{where}: {error} ulp"


def test_pow_f64_against_mpmath(exact_value: Callable[..., tuple[float, float]], ulp_error: Errors) -> None:
    rng = np.random.default_rng(5)
    near = 1 + rng.choice([-1, 1], 700) * rng.uniform(0.5, 1, 700) * 2.0 ** -rng.integers(1, 50, 700)
    x = np.concatenate([2.0 ** rng.uniform(-1070, 1020, 700), near, rng.uniform(0, 10, 700)])
    y = np.concatenate([rng.uniform(-1080, 1024, 1400) / np.log2(x[:1400]), rng.uniform(-20, 20, 700)])
    high, low = np.array([exact_value("pow", float(a), float(b)) for a, b in zip(x, y, strict=True)]).T
    error, where = worst(ulp_error(run("pow", dtypes.f64, x, y), high, low), x, y)
    assert error <= bound("pow", dtypes.f64), f"pow{where}: {error} ulp"


def test_atan2_f32(reference32: dict[str, Errors], ulp_error: Errors) -> None:
    rng = np.random.default_rng(4)
    y, x = (rng.integers(0, 2**32, 40_000, dtype=np.uint64).astype(np.uint32).view(np.float32) for _ in range(2))
    ends = edges(np.float32)
    pairs = [a.ravel() for a in np.meshgrid(ends, ends)]
    y = np.concatenate([y, rng.uniform(-1, 1, 40_000).astype(np.float32), pairs[0]])
    x = np.concatenate([x, rng.uniform(-1, 1, 40_000).astype(np.float32), pairs[1]])
    with np.errstate(invalid="ignore"):
        want = reference32["atan2"](y.astype(np.float64), x.astype(np.float64))
    error, where = worst(ulp_error(run("atan2", dtypes.f32, y, x), want), y, x)
    assert error <= bound("atan2", dtypes.f32), f"atan2{where}: {error} ulp"


def test_atan2_f64(exact_value: Callable[..., tuple[float, float]], ulp_error: Errors) -> None:
    rng = np.random.default_rng(6)
    y, x = (rng.uniform(-1, 1, 1500) * 2.0 ** rng.integers(-3, 3, 1500) for _ in range(2))
    power = 2.0 ** rng.integers(-1070, 1018, 1500)  # both subnormal, both huge
    y, x = np.append(y, y * power), np.append(x, x * power)
    high, low = np.array([exact_value("atan2", float(a), float(b)) for a, b in zip(y, x, strict=True)]).T
    error, where = worst(ulp_error(run("atan2", dtypes.f64, y, x), high, low), y, x)
    assert error <= bound("atan2", dtypes.f64), f"atan2{where}: {error} ulp"
    ends = edges(np.float64)
    y, x = (a.ravel() for a in np.meshgrid(ends, ends))
    error, where = worst(ulp_error(run("atan2", dtypes.f64, y, x), np.arctan2(y, x)), y, x)
    assert error <= bound("atan2", dtypes.f64) + 1, f"atan2{where}: {error} ulp"


def test_hypot_f32(reference32: dict[str, Errors], ulp_error: Errors) -> None:
    rng = np.random.default_rng(8)
    x, y = (rng.integers(0, 2**32, 40_000, dtype=np.uint64).astype(np.uint32).view(np.float32) for _ in range(2))
    size = rng.integers(-149, 127, 40_000)
    near = [np.ldexp(rng.uniform(-2, 2, 40_000), size).astype(np.float32) for _ in range(2)]  # of one size: neither square is negligible
    ends = [a.ravel() for a in np.meshgrid(edges(np.float32), edges(np.float32))]
    x, y = np.concatenate([x, near[0], ends[0]]), np.concatenate([y, near[1], ends[1]])
    with np.errstate(invalid="ignore"):
        want = reference32["hypot"](x.astype(np.float64), y.astype(np.float64))
    error, where = worst(ulp_error(run("hypot", dtypes.f32, x, y), want), x, y)
    assert error <= bound("hypot", dtypes.f32), f"hypot{where}: {error} ulp"


def test_hypot_f64(exact_value: Callable[..., tuple[float, float]], ulp_error: Errors) -> None:
    rng = np.random.default_rng(9)
    power = 2.0 ** rng.integers(-1070, 1021, 2000)
    x, y = (rng.uniform(-2, 2, 2000) * power for _ in range(2))
    high, low = np.array([exact_value("hypot", float(a), float(b)) for a, b in zip(x, y, strict=True)]).T
    error, where = worst(ulp_error(run("hypot", dtypes.f64, x, y), high, low), x, y)
    assert error <= bound("hypot", dtypes.f64), f"hypot{where}: {error} ulp"
    x, y = (a.ravel() for a in np.meshgrid(edges(np.float64), edges(np.float64)))
    with np.errstate(over="ignore"):
        want = np.hypot(x, y)
    error, where = worst(ulp_error(run("hypot", dtypes.f64, x, y), want), x, y)
    assert error <= bound("hypot", dtypes.f64) + 1, f"hypot{where}: {error} ulp"


def test_the_table_states_a_bound_for_every_function_and_float() -> None:
    assert BOUNDS.keys() == DECOMPOSITIONS.keys()
    for row in BOUNDS.values():
        assert set(row) == {d.name for d in dtypes.FLOATS}
        assert all(0.5 <= u < 4.5 for u in row.values())


@pytest.mark.parametrize("dtype", [dtypes.f16, dtypes.bf16], ids=str)
@pytest.mark.parametrize("name", UNARY)
def test_narrow_floats_through_f32(name: str, dtype: DType, reference32: dict[str, Errors]) -> None:
    """All 65,536 arguments, computed in f32 and rounded as whoever applies the table does."""
    x = np.arange(2**16, dtype=np.uint32).astype(np.uint16).view(numpy_dtype(dtype))
    leaf = UOp.scalar("x", dtype)
    got = evaluate(ALL[name](leaf.cast(dtypes.f32)).cast(dtype), {"x": x})
    with np.errstate(all="ignore"):
        want = reference32[name](decode_array(x.view(np.uint16), dtype))
        rounded = evaluate(UOp.scalar("y", dtypes.f64).cast(dtype), {"y": np.asarray(want, np.float64)})
    codes = [a.view(np.uint16).astype(np.int32) for a in (got, rounded)]
    nan = np.isnan(got.astype(np.float32)) & np.isnan(rounded.astype(np.float32))
    assert (nan | (np.abs(codes[0] - codes[1]) <= 1)).all()
    assert (nan | (codes[0] == codes[1])).mean() > 0.999
