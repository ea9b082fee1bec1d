"""Operators, functions and conversions of kernels against NumPy, for integers and floats."""
# ruff: noqa: PLW0108, C417  (the lambdas are traced: what they call is what is tested)
from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import partial, reduce
from typing import Any, NamedTuple

import numpy as np
import pytest

import svod.lang as sl
from svod.errors import KernelError
from svod.lang.trace import ArrayType, Constant, trace
from svod.lang.types import Scalar

INTS = np.array([-7, -3, -1, 0, 1, 2, 5, 2**31 - 1, -2**31], np.int32)
FLOATS = np.array([-2.5, -1.0, -0.0, 0.5, 1.5, 2.0, 7.25], np.float32)


def run(body: Callable[..., Any], *columns: Any, out: Any) -> Any:
    """[body(*row) for row in zip(*columns)], by the interpreter; `out` is the dtype of the results."""
    arrays = [np.ascontiguousarray(c) for c in columns]
    kinds = [sl.Array[a.dtype] for a in arrays]
    result = np.zeros(len(arrays[0]), out)
    if len(arrays) == 1:
        def compare(a: kinds[0], r: sl.Array[result.dtype]):
            i = sl.global_id()
            r[i] = body(a[i])
    else:
        def compare(a: kinds[0], b: kinds[1], r: sl.Array[result.dtype]):
            i = sl.global_id()
            r[i] = body(a[i], b[i])
    compare.__annotations__ = dict(zip("ab"[:len(arrays)], kinds, strict=False)) | {"r": sl.Array[result.dtype]}
    sl.kernel(compare).on("INTERP").launch(*arrays, result, threads=len(result), block=4)
    return result


def pairs(values: Any) -> tuple[Any, Any]:
    a, b = np.meshgrid(values, values)
    return a.ravel().copy(), b.ravel().copy()


INTEGER = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "//": lambda a, b: a // b, "%": lambda a, b: a % b,
    "&": lambda a, b: a & b, "|": lambda a, b: a | b, "^": lambda a, b: a ^ b,
    "max": lambda a, b: max(a, b), "min": lambda a, b: min(a, b),
}
NUMPY = {"max": np.maximum, "min": np.minimum}


@pytest.mark.parametrize("symbol", INTEGER)
def test_integer_operators_wrap_and_floor(symbol: str) -> None:
    a, b = pairs(INTS)
    with np.errstate(all="ignore"):
        expected = NUMPY.get(symbol, INTEGER[symbol])(a, b)
    assert run(INTEGER[symbol], a, b, out=np.int32).tolist() == expected.tolist()


@pytest.mark.parametrize("symbol", ["+", "-", "*", "//", "max", "min"])
def test_float_operators(symbol: str) -> None:
    a, b = pairs(FLOATS)
    a, b = a[b != 0], b[b != 0]
    expected = NUMPY.get(symbol, INTEGER[symbol])(a, b)
    assert run(INTEGER[symbol], a, b, out=np.float32).tolist() == expected.tolist()


def test_float_modulo_has_the_sign_of_the_divisor() -> None:
    a, b = pairs(FLOATS)
    a, b = a[b != 0], b[b != 0]
    assert run(lambda x, y: x % y, a, b, out=np.float32).tolist() == (a % b).tolist()


def test_division_of_integers_is_float() -> None:
    a, b = pairs(np.array([-7, 3, 10], np.int32))
    assert run(lambda x, y: x / y, a, b, out=np.float32).tolist() == (a / b).astype(np.float32).tolist()
    assert run(lambda x, y: x / y, a.astype(np.float64), b, out=np.float64).tolist() == (a / b).tolist()


def test_shifts_and_unary() -> None:
    a = np.array([-5, 3, 9], np.int32)
    assert run(lambda x: (x << 3) + (x >> 1), a, out=np.int32).tolist() == ((a << 3) + (a >> 1)).tolist()
    assert run(lambda x: -x + ~x - +x, a, out=np.int32).tolist() == (-a + ~a - a).tolist()
    assert run(lambda x: (not x) + 2 * (bool(x)), np.array([0, 3], np.int32), out=np.int32).tolist() == [1, 2]


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 5, 10])
def test_powers_of_integers(exponent: int) -> None:
    a = np.array([-3, 2, 7], np.int64)
    assert run(lambda x: x ** exponent, a, out=np.int64).tolist() == (a ** exponent).tolist()


def test_powers_of_floats() -> None:
    a = np.array([0.5, 2.0, 3.0], np.float32)
    assert np.allclose(run(lambda x: x ** 2.0 + x ** 0.5 + 2.0 ** x + x ** -1, a, out=np.float32),
                       a ** 2 + a ** 0.5 + 2 ** a + 1 / a, rtol=1e-6)
    assert run(lambda x: 2 ** x, np.array([0, 3, 10], np.int32), out=np.int32).tolist() == [1, 8, 1024]


@pytest.mark.parametrize("symbol", ["<", "<=", ">", ">=", "==", "!="])
def test_comparisons(symbol: str) -> None:
    python = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne}[symbol]
    body = {
        "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
        "==": lambda a, b: a == b, "!=": lambda a, b: a != b}[symbol]
    a, b = pairs(np.array([-1.0, 0.0, 2.0, np.nan], np.float32))
    assert run(body, a, b, out=np.bool_).tolist() == python(a, b).tolist()


TYPES = [
    (np.int32, np.uint32, np.uint32), (np.int8, np.uint8, np.uint8), (np.int8, np.int64, np.int64), (np.uint8, np.int32, np.int32),
    (np.int64, np.float32, np.float32), (np.int32, np.float16, np.float16), (np.float16, np.float32, np.float32),
    (np.bool_, np.int16, np.int16),
    (np.bool_, np.float32, np.float32), (np.float32, np.float64, np.float64), (np.uint64, np.int32, np.uint64),
    (np.bool_, np.bool_, np.int32),
]


@pytest.mark.parametrize(("a", "b", "wanted"), TYPES)
def test_types_meet(a: Any, b: Any, wanted: Any) -> None:
    dtype = {t: sl.Array[t].dtype for t in (a, b, wanted)}

    def meets(x: sl.Array[sl.f32], y: sl.Array[sl.f32], wanted: sl.Constexpr) -> None:
        sl.static_assert((x[0] + y[0]).dtype == wanted, "other type")

    trace(meets, {"x": ArrayType(dtype[a]), "y": ArrayType(dtype[b]), "wanted": Constant(Scalar(dtype[wanted]))})
    with pytest.raises(KernelError, match="other type"):
        trace(meets, {"x": ArrayType(dtype[a]), "y": ArrayType(dtype[b]), "wanted": Constant(sl.f8e4m3)})


def test_literals_are_weak() -> None:
    a = np.array([1.5, 2.5], np.float16)
    assert run(lambda x: x * 2 + 0.5, a, out=np.float16).tolist() == [3.5, 5.5]
    big = np.array([2**40], np.int64)
    assert run(lambda x: x + 1, big, out=np.int64).tolist() == [2**40 + 1]
    assert run(lambda x: x * 0.5, np.array([3], np.int32), out=np.float32).tolist() == [1.5]
    assert run(lambda x: x - 1, np.array([0], np.uint32), out=np.uint32).tolist() == [2**32 - 1]


MATH = {
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log2": np.log2, "log10": np.log10, "log1p": np.log1p,
    "sqrt": np.sqrt,
    "cbrt": np.cbrt, "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "sinh": np.sinh,
    "cosh": np.cosh, "tanh": np.tanh, "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc, "round": np.rint,
}


@pytest.mark.parametrize("name", MATH)
def test_math(name: str) -> None:
    function = getattr(sl, name)
    a = np.array([0.1, 0.25, 0.5, 0.9], np.float32)
    assert np.allclose(run(lambda x: function(x), a, out=np.float32), MATH[name](a.astype(np.float64)), rtol=2e-6)
    assert function(0.5) == pytest.approx(float(MATH[name](0.5)))


def test_more_math() -> None:
    a = np.array([0.5, 2.0, -1.5], np.float32)
    assert np.allclose(run(lambda x: sl.erf(x) + sl.erfc(x), a, out=np.float32), 1.0)
    assert np.allclose(run(lambda x: sl.sigmoid(x), a, out=np.float32), 1 / (1 + np.exp(-a)))
    assert np.allclose(run(lambda x: sl.rsqrt(abs(x)), a, out=np.float32), 1 / np.sqrt(abs(a)))
    assert run(lambda x: sl.fma(x, 2.0, 1.0), a, out=np.float32).tolist() == (a * 2 + 1).tolist()
    assert run(lambda x: sl.clamp(x, -1.0, 1.0), a, out=np.float32).tolist() == [0.5, 1.0, -1.0]
    assert np.allclose(run(lambda x, y: sl.atan2(x, y), a, a[::-1], out=np.float32), np.arctan2(a, a[::-1]))
    odd = np.array([np.nan, np.inf, 1], np.float32)
    assert run(lambda x: sl.isnan(x) or sl.isinf(x), odd, out=np.bool_).tolist() == [True, True, False]
    assert np.allclose(run(lambda x: sl.sqrt(x), np.array([2, 9], np.int32), out=np.float32), np.sqrt([2, 9]))


def test_functions_of_python_math_and_numpy() -> None:
    a = np.array([0.5, 2.0], np.float32)
    assert np.allclose(run(lambda x: math.sqrt(x) + np.exp(x) + math.pi + np.float32(2.0), a, out=np.float32),
                       np.sqrt(a) + np.exp(a) + math.pi + 2)
    assert run(lambda x: max(x, 1.0, 0.75) + min(x, 1) + abs(-x) + pow(x, 2), a, out=np.float32).tolist() == [2.25, 9.0]
    assert run(lambda x: sum([x, x * 2, 1]), a, out=np.float32).tolist() == [2.5, 7.0]
    assert run(lambda x: any([x > 1, x < 0]) + 2 * all([x > 0, x > 1]), a, out=np.int32).tolist() == [0, 3]
    assert run(lambda x: divmod(x, 3)[0] * 10 + divmod(x, 3)[1], np.array([-7, 8], np.int32), out=np.int32).tolist() == [-28, 22]
    assert run(lambda x: reduce(operator.add, [x, x, 1.0]), a, out=np.float32).tolist() == [2.0, 5.0]
    assert run(lambda x: sum(map(lambda v: v * x, (1, 2))), a, out=np.float32).tolist() == [1.5, 6.0]
    assert run(lambda x: partial(scaled, by=3)(x), a, out=np.float32).tolist() == [1.5, 6.0]
    assert run(lambda x: np.where(x > 1, x, 0.0), a, out=np.float32).tolist() == [0.0, 2.0]


def scaled(value: Any, by: Any = 2) -> Any:
    """A helper of the module."""
    return value * by


def test_casts() -> None:
    a = np.array([-1.7, 2.9, 300.0], np.float32)
    assert run(lambda x: sl.i32(x), a, out=np.int32).tolist() == [-1, 2, 300]
    assert run(lambda x: x.to(sl.u8), a, out=np.uint8).tolist() == [0, 2, 255]
    assert run(lambda x: int(x) + float(int(x)), a, out=np.float32).tolist() == [-2.0, 4.0, 600.0]
    assert run(lambda x: bool(x), np.array([0, 2], np.int32), out=np.bool_).tolist() == [False, True]
    assert run(lambda x: sl.bitcast(x, sl.i32), np.array([1.0], np.float32), out=np.int32).tolist() == [0x3F800000]
    assert run(lambda x: sl.i8(x), np.array([200], np.int32), out=np.int8).tolist() == [-56]
    assert run(lambda x: x + sl.i64(2**40), np.array([1], np.int32), out=np.int64).tolist() == [2**40 + 1]
    assert sl.f32(1.1) == np.float32(1.1)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.uint64, np.int64])
def test_popcount(dtype: Any) -> None:
    a = np.array([0, 1, 77, np.iinfo(dtype).max], dtype)
    assert run(lambda x: sl.popcount(x), a, out=dtype).tolist() == [int(v).bit_count() for v in a]


class Pair(NamedTuple):
    """A structure of two values."""

    first: Any
    second: Any


def test_static_python_stays_python() -> None:
    a = np.array([1.0, 2.0], np.float32)

    def body(x: Any) -> Any:
        table = {f"k{j}": j * 10 for j in range(3)}
        squares = [j * j for j in range(5) if j % 2]
        first, *rest = [*squares, *squares]
        pair = Pair(x, second=len(rest))
        total = sum(v for v in table.values()) + squares[-1] + pair.second
        matrix = [[x * (r + c) for c in range(2)] for r in range(2)]
        (p, q), r = (1, 2), {1, 2}
        name = f"{total:>4}|{first!r}"
        return pair.first + total + len(r) + matrix[1][1] + p + q + len(name) + ("k1" in table) + (x in (1.0, 5.0)) + "ab"[0:1].count("a")

    assert run(body, a, out=np.float32).tolist() == [float(body(v)) for v in (1.0, 2.0)]


def test_arguments_of_helpers() -> None:
    def helper(a: Any, /, b: Any, *rest: Any, scale: Any = 2, **more: Any) -> Any:
        return a + b * scale + sum(rest) + more.get("extra", 0)

    a = np.array([1.0, 2.0], np.float32)

    def body(x: Any) -> Any:
        return helper(x, 1.0) + helper(x, x, x, *[1.0, x], scale=3, extra=5)

    assert run(body, a, out=np.float32).tolist() == [body(1.0), body(2.0)]


def test_vectors() -> None:
    def vectors(x: sl.Array[sl.f32], y: sl.Array[sl.f32]) -> None:
        i = sl.global_id() * 4
        v = sl.load_vector(x, i, 4)
        w = sl.vec(sl.f32, 4)(1.0, 2.0, 3.0, 4.0)
        s = sl.vec(sl.f32, 4)(0.0)
        for k in range(3):
            s += v * w + k
        sl.store_vector(y, i, sl.max(s, 0.0))
        y[i] = sum(v) + v[3] + len(w)

    x, y = np.arange(8, dtype=np.float32) - 3, np.zeros(8, np.float32)
    sl.kernel(vectors).on("INTERP").launch(x, y, threads=2)
    rows = x.reshape(2, 4)
    expected = np.maximum(3 * rows * [1, 2, 3, 4] + 3, 0)
    expected[:, 0] = rows.sum(1) + rows[:, 3] + 4
    assert y.tolist() == expected.ravel().tolist()


def test_a_scalar_parameter_of_every_type() -> None:
    def scalars(r: sl.Array[sl.f64], a: sl.i8, b: sl.u64, c: sl.f16, d: bool, e: float) -> None:
        r[0] = a
        r[1] = b
        r[2] = c
        r[3] = 1 if d else 2
        r[4] = e

    r = np.zeros(5)
    sl.kernel(scalars).on("INTERP")[1, 1](r, -3, 2**60, 0.5, True, 1.5)
    assert r.tolist() == [-3.0, 2.0**60, 0.5, 1.0, 1.5]


@sl.kernel
def wide_beside_ids(u: sl.Array[sl.u64], s: sl.Array[sl.i64], q: sl.Array[sl.u64, 2], t: sl.Array[sl.i64, 2], f: sl.Array[sl.f64]) -> None:
    """Integers of 64 bits beside ids: unsigned ones stay unsigned, and what wraps is not moved across a comparison."""
    i = sl.thread_idx.x
    q[i, 0], q[i, 1], q[i, 2], q[i, 3] = u[i] // (i + 2), u[i] % (i + 10), u[i] >> i, max(u[i], i)
    f[i] = sl.f64(u[i] + i)
    t[i, 0] = 1 if u[i] > i else 0
    t[i, 1] = 1 if (i - s[0]) > 5 else 0
    t[i, 2] = 1 if i - s[0] < 5 else 0
    t[i, 3] = sl.popcount(u[i] & ((sl.u64(1) << i) - 1))


@pytest.mark.devices("CPU", "INTERP")
def test_wide_integers_beside_ids(device: Any) -> None:
    u = np.array([2**64 - 1, 2**63 + 9, 12345, 2**63], np.uint64)
    for edge in (2**63 - 1, 2**63 - 5, 0, -100):
        s, q, t, f = np.array([edge]), np.zeros((4, 4), np.uint64), np.zeros((4, 4), np.int64), np.zeros(4)
        wide_beside_ids.on(device)[1, 4](u, s, q, t, f)
        for i, x in enumerate(map(int, u)):
            assert q[i].tolist() == [x // (i + 2), x % (i + 10), x >> i, max(x, i)]
            assert t[i].tolist() == [int(x > i), int(i - edge > 5), int(i - edge < 5), (x & ((1 << i) - 1)).bit_count()]
            assert f[i] == float((x + i) % 2**64)
