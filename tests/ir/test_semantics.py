"""Every pure op against an independent reference (Python integers, fractions, struct, math, mpmath) on the edge values of every dtype."""
from __future__ import annotations

import itertools
import math
import operator
import struct
import warnings
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import ml_dtypes
import mpmath
import numpy as np
import pytest

from svod.dtype import DType, dtypes
from svod.errors import DTypeError, GraphError
from svod.ir.args import ShuffleArg
from svod.ir.ops import BINARY, COMPARISONS, OPS, REDUCTIONS, UNARY, Op
from svod.ir.semantics import apply, identity, literal, meaning, reduces, storage

INTS = (*dtypes.INTS, dtypes.index)
NARROW = tuple(t for t in dtypes.FLOATS if t is not dtypes.f64)
ARITHMETIC = (Op.ADD, Op.SUB, Op.MUL, Op.FDIV)
MATH = (Op.EXP, Op.EXP2, Op.LOG, Op.LOG2, Op.SIN, Op.COS, Op.TAN, Op.TANH, Op.ATAN, Op.ERF, Op.SIGMOID, Op.RSQRT,
        Op.EXPM1, Op.LOG10, Op.LOG1P, Op.SINH, Op.COSH, Op.ASIN, Op.ACOS, Op.CBRT, Op.ERFC)
ROUNDINGS = (Op.TRUNC, Op.FLOOR, Op.CEIL, Op.RINT)
INF, NAN = math.inf, math.nan
Array = np.ndarray[Any, np.dtype[Any]]


def named(*types: DType) -> Any:
    """`dtype` parametrized over `types`."""
    return pytest.mark.parametrize("dtype", types, ids=repr)


def over(*ops: Op) -> Any:
    """`op` parametrized over `ops`."""
    return pytest.mark.parametrize("op", ops, ids=lambda o: o.name)


# --- edge values -----------------------------------------------------------------------------------------------------------------

def int_edges(dtype: DType) -> list[int]:
    """The limits, what is next to them, small values of both signs, shift counts around the width."""
    lo, hi = int(dtype.min), int(dtype.max)
    wanted = [lo, lo + 1, -dtype.bits, -7, -2, -1, 0, 1, 2, 3, 7, dtype.bits - 1, dtype.bits, dtype.bits + 1, hi // 2, hi - 1, hi]
    return [v for v in dict.fromkeys(wanted) if lo <= v <= hi]


def float_edges(dtype: DType, extra: int = 24) -> Array:
    """By bit patterns: zeros, subnormals, powers of two, neighbours of 1, greatest values, infinities, NaNs, and `extra` random ones."""
    assert dtype.fmt is not None
    m, top = dtype.fmt.mantissa, (1 << (dtype.bits - 1)) - 1
    one = dtype.fmt.bias << m
    codes = {0, 1, 2, (1 << m) - 1, 1 << m, (1 << m) + 1, one - 1, one, one + 1, one + (1 << (m - 1)), one + (1 << m), one + (3 << (m - 1)),
             one - (1 << m), top, top - 1, top - 2, top - (1 << m), top - (1 << m) + 1, top - (1 << (m + 1)), (one + top) // 2}
    rng = np.random.default_rng(dtype.bits * 64 + m)
    codes |= {int(c) for c in rng.integers(0, top, extra, np.uint64)}
    both = [c for code in sorted(codes) for c in (code, code | (top + 1))]
    return np.array(both, f"u{dtype.bits // 8}").view(storage(dtype))


def edges(dtype: DType) -> Array:
    """Edge values of any dtype as an array of its storage."""
    if dtype.is_float:
        return float_edges(dtype)
    return np.array([False, True] if dtype.is_bool else int_edges(dtype), storage(dtype))


def pairs(values: Array, count: int = 2) -> list[Array]:
    """All tuples of `count` values, as `count` flat arrays."""
    return [g.ravel() for g in np.meshgrid(*[values] * count, indexing="ij")]


def same_bits(got: Array, want: Array, *inputs: Array) -> None:
    """Fails with the first element where the bits differ; all NaNs are equal."""
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    both_nan = np.isnan(got) & np.isnan(want)
    bits = f"u{got.dtype.itemsize}"
    bad = np.flatnonzero(~both_nan & (got.view(bits) != want.view(bits)))
    where = bad[0] if bad.size else 0
    assert not bad.size, f"{bad.size} differ; first: got {got[where]!r}, want {want[where]!r} for {[x[where] for x in inputs]}"


# --- references ------------------------------------------------------------------------------------------------------------------

def wrapped(value: int, dtype: DType) -> int:
    """Two's complement."""
    size = 1 << dtype.bits
    return (value - int(dtype.min)) % size + int(dtype.min)


def greatest(dtype: DType) -> Fraction:
    """The greatest finite value, from the makers of the type."""
    if dtype in (dtypes.f16, dtypes.f32, dtypes.f64):
        return Fraction(float(np.finfo(storage(dtype)).max))
    return Fraction(float(ml_dtypes.finfo(storage(dtype)).max))


def nearest(exact: Fraction, negative_zero: bool, dtype: DType) -> float:
    """`exact` in `dtype`, rounded once to nearest even."""
    assert dtype.fmt is not None
    if exact == 0:
        return -0.0 if negative_zero and not dtype.fmt.unsigned_zero else 0.0
    n, d = abs(exact.numerator), exact.denominator
    exponent = n.bit_length() - d.bit_length()
    exponent -= abs(exact) < Fraction(2) ** exponent
    ulp = Fraction(2) ** (max(exponent, 1 - dtype.fmt.bias) - dtype.fmt.mantissa)
    value = round(exact / ulp) * ulp
    if abs(value) > greatest(dtype):
        return (math.inf if exact > 0 else -math.inf) if dtype.fmt.infinities else math.nan
    if value == 0:
        return 0.0 if exact > 0 or dtype.fmt.unsigned_zero else -0.0
    return float(value)


def ieee(op: Op, dtype: DType, a: float, b: float, c: float = 0.0) -> float:
    """ADD, SUB, MUL, FDIV and MULACC: special operands by Python's float arithmetic, the rest by fractions."""
    finite = all(map(math.isfinite, (a, b, c)))
    python = {Op.ADD: lambda: a + b, Op.SUB: lambda: a - b, Op.MUL: lambda: a * b, Op.FDIV: lambda: a / b, Op.MULACC: lambda: a * b + c}[op]
    if op is Op.FDIV and b == 0:
        value = math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1, b)
    elif op is Op.MULACC and math.isfinite(a) and math.isfinite(b) and math.isinf(c):
        value = c  # Python's a * b may have overflowed
    elif not finite:
        value = python()
    else:
        x, y, z = Fraction(a), Fraction(b), Fraction(c)
        exact = {Op.ADD: lambda: x + y, Op.SUB: lambda: x - y, Op.MUL: lambda: x * y, Op.FDIV: lambda: x / y,
                 Op.MULACC: lambda: x * y + z}[op]()
        cancelled = op is Op.MULACC and x * y != 0  # Python's a * b may have underflowed
        return nearest(exact, exact == 0 and not cancelled and math.copysign(1, python()) < 0, dtype)
    return math.nan if math.isinf(value) and not getattr(dtype.fmt, "infinities", True) else value


def int_reference(op: Op, dtype: DType, a: int, b: int) -> int:
    """The policy on Python integers."""
    trunc = 0 if b == 0 else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    out = not 0 <= b < dtype.bits
    table: dict[Op, Callable[[], int]] = {
        Op.ADD: lambda: a + b, Op.SUB: lambda: a - b, Op.MUL: lambda: a * b, Op.MAX: lambda: max(a, b), Op.MIN: lambda: min(a, b),
        Op.AND: lambda: a & b, Op.OR: lambda: a | b, Op.XOR: lambda: a ^ b,
        Op.IDIV: lambda: trunc, Op.MOD: lambda: 0 if b == 0 else a - trunc * b,
        Op.FLOORDIV: lambda: 0 if b == 0 else a // b, Op.FLOORMOD: lambda: 0 if b == 0 else a % b,
        Op.SHL: lambda: 0 if out else a << b, Op.SHR: lambda: (-1 if a < 0 else 0) if out else a >> b,
    }
    return wrapped(table[op](), dtype)


# --- integers and bools ----------------------------------------------------------------------------------------------------------

INT_BINARY = tuple(o for o in Op if o in BINARY - COMPARISONS and OPS[o].takes != "float")


@named(*INTS)
@over(*INT_BINARY)
def test_integer_arithmetic(op: Op, dtype: DType) -> None:
    a, b = pairs(edges(dtype))
    want = np.array([int_reference(op, dtype, x, y) for x, y in zip(a.tolist(), b.tolist(), strict=True)], storage(dtype))
    same_bits(apply(op, dtype, None, a, b), want, a, b)
    for divisor in np.unique(b):  # NumPy has code of its own for one divisor of many
        chosen = b == divisor
        same_bits(apply(op, dtype, None, a[chosen], np.asarray(divisor)), want[chosen], a[chosen], b[chosen])


@named(*INTS)
def test_integer_unary_and_mulacc(dtype: DType) -> None:
    a = edges(dtype)
    kind = storage(dtype)
    for op, fn in ((Op.NEG, operator.neg), (Op.NOT, operator.invert), (Op.ABS, abs)):
        same_bits(apply(op, dtype, None, a), np.array([wrapped(fn(x), dtype) for x in a.tolist()], kind), a)
    x, y, z = pairs(a, 3)
    want = [wrapped(i * j + k, dtype) for i, j, k in zip(x.tolist(), y.tolist(), z.tolist(), strict=True)]
    same_bits(apply(Op.MULACC, dtype, None, x, y, z), np.array(want, kind), x, y, z)


@over(Op.MAX, Op.MIN, Op.AND, Op.OR, Op.XOR, Op.CMPLT, Op.CMPLE, Op.CMPEQ, Op.CMPNE)
def test_bool_binary(op: Op) -> None:
    fn: dict[Op, Callable[[bool, bool], bool]] = {
        Op.MAX: max, Op.MIN: min, Op.AND: operator.and_, Op.OR: operator.or_, Op.XOR: operator.xor,
        Op.CMPLT: operator.lt, Op.CMPLE: operator.le, Op.CMPEQ: operator.eq, Op.CMPNE: operator.ne}
    a, b = pairs(np.array([False, True]))
    same_bits(apply(op, dtypes.bool, None, a, b), np.array([fn[op](x, y) for x, y in zip(a.tolist(), b.tolist(), strict=True)]), a, b)


def test_bool_not() -> None:
    assert apply(Op.NOT, dtypes.bool, None, np.array([False, True])).tolist() == [True, False]


@named(*INTS, *dtypes.FLOATS)
@over(*sorted(COMPARISONS, key=lambda o: o.value))
def test_comparisons(op: Op, dtype: DType) -> None:
    a, b = pairs(edges(dtype))
    fn = {Op.CMPLT: operator.lt, Op.CMPLE: operator.le, Op.CMPEQ: operator.eq, Op.CMPNE: operator.ne}[op]
    x, y = ([float(v) for v in s] if dtype.is_float else s.tolist() for s in (a, b))
    same_bits(apply(op, dtypes.bool, None, a, b), np.array([fn(i, j) for i, j in zip(x, y, strict=True)]), a, b)


# --- floats ----------------------------------------------------------------------------------------------------------------------

@named(*dtypes.FLOATS)
@over(*ARITHMETIC)
def test_float_arithmetic_rounds_once(op: Op, dtype: DType) -> None:
    a, b = pairs(float_edges(dtype, 14))
    want = [ieee(op, dtype, float(x), float(y)) for x, y in zip(a, b, strict=True)]
    same_bits(apply(op, dtype, None, a, b), np.array(want).astype(storage(dtype)), a, b)


@named(*dtypes.FLOATS)
def test_mulacc_rounds_once(dtype: DType) -> None:
    a, b, c = pairs(float_edges(dtype, 0)[::2], 3)
    c = np.where(np.arange(len(c)) % 2 == 0, c, -c)
    want = [ieee(Op.MULACC, dtype, float(x), float(y), float(z)) for x, y, z in zip(a, b, c, strict=True)]
    same_bits(apply(Op.MULACC, dtype, None, a, b, c), np.array(want).astype(storage(dtype)), a, b, c)


@named(dtypes.f16, dtypes.bf16, dtypes.f32, dtypes.f64)
def test_mulacc_on_random_values_close_to_cancellation(dtype: DType) -> None:
    assert dtype.fmt is not None
    rng = np.random.default_rng(5)
    kind, ulp = storage(dtype), 2.0 ** -dtype.fmt.mantissa
    a, b = (np.asarray(1 + np.floor(rng.random(2000) / ulp) * ulp).astype(kind) for _ in range(2))
    c = np.asarray(-(a.astype(np.float64) * b.astype(np.float64)) * (1 + ulp * rng.integers(-2, 3, 2000))).astype(kind)
    want = [ieee(Op.MULACC, dtype, float(x), float(y), float(z)) for x, y, z in zip(a, b, c, strict=True)]
    same_bits(apply(Op.MULACC, dtype, None, a, b, c), np.array(want).astype(kind), a, b, c)


@named(dtypes.f32, dtypes.f64)
@pytest.mark.parametrize("count", [1, 40])
def test_mulacc_where_rounding_twice_is_wrong(dtype: DType, count: int) -> None:
    """c + a * b lies just below the middle of two neighbours, by less than float64 can see beside c."""
    assert dtype.fmt is not None
    ulp = 2.0 ** -dtype.fmt.mantissa
    a, b, c = (np.full(count, v, storage(dtype)) for v in (1 + ulp, (1 - ulp) * ulp / 2, 1 + ulp))
    assert apply(Op.MULACC, dtype, None, a, b, c).tolist() == [1 + ulp] * count
    assert (a.astype(np.float64) * b.astype(np.float64) + c.astype(np.float64)).astype(storage(dtype)).tolist() != [1 + ulp] * count


def test_mulacc_f64_overflow_underflow_and_signs_of_zero() -> None:
    rows = [
        (1e300, 1e300, -INF, -INF), (1e300, 1e300, 1.0, INF), (-1e300, 1e300, 1.0, -INF), (0.0, INF, 1.0, NAN), (1e200, 1e200, NAN, NAN),
        (5e-324, 0.5, 5e-324, 1e-323), (5e-324, 0.25, 0.0, 0.0), (-5e-324, 0.25, 0.0, -0.0), (2.0, 3.0, -6.0, 0.0), (-0.0, 1.0, -0.0, -0.0),
        (1e308, 10.0, -1e308, INF), (2.0**1023, 2.0, -(2.0**1023), 2.0**1023)]
    for size in (1, 9):
        a, b, c, want = (np.repeat(np.array(column), size) for column in zip(*rows, strict=True))
        same_bits(apply(Op.MULACC, dtypes.f64, None, a, b, c), want, a, b, c)


@named(*dtypes.FLOATS)
@over(Op.MAX, Op.MIN)
def test_max_and_min_order_zeros_and_keep_nan(op: Op, dtype: DType) -> None:
    a, b = pairs(edges(dtype))

    def pick(x: float, y: float) -> float:
        if math.isnan(x) or math.isnan(y):
            return math.nan
        best = max if op is Op.MAX else min
        return best((x, y), key=lambda v: (v, math.copysign(1, v)))
    want = np.array([pick(float(x), float(y)) for x, y in zip(a, b, strict=True)]).astype(storage(dtype))
    same_bits(apply(op, dtype, None, a, b), want, a, b)


@named(*dtypes.FLOATS)
def test_float_sign_ops_and_roundings(dtype: DType) -> None:
    a = edges(dtype)
    table: dict[Op, Callable[[float], float]] = {
        Op.NEG: lambda x: -x, Op.ABS: math.fabs, Op.TRUNC: math.trunc, Op.FLOOR: math.floor, Op.CEIL: math.ceil, Op.RINT: round}
    for op, fn in table.items():
        def exact(x: float, op: Op = op, fn: Callable[[float], float] = fn) -> float:
            return x if op in ROUNDINGS and not math.isfinite(x) else math.copysign(fn(x), fn(x) if op in (Op.NEG, Op.ABS) else x)
        want = np.array([exact(float(x)) for x in a]).astype(storage(dtype))
        same_bits(apply(op, dtype, None, a), want, a)


@named(*dtypes.FLOATS)
def test_sqrt_is_correctly_rounded(dtype: DType) -> None:
    a = edges(dtype)
    with mpmath.workprec(200):
        def root(x: float) -> float:
            if x < 0 or not math.isfinite(x) or x == 0:
                return math.nan if not x >= 0 else x
            exact = mpmath.sqrt(mpmath.mpf(x))  # 200 bits: an exact root has at most 27
            return nearest(Fraction(int(mpmath.ldexp(exact, 1000))) / Fraction(2) ** 1000, False, dtype)
        want = np.array([-0.0 if float(x) == 0 and math.copysign(1, float(x)) < 0 else root(float(x)) for x in a]).astype(storage(dtype))
    same_bits(apply(Op.SQRT, dtype, None, a), want, a)


REFERENCE: dict[Op, Callable[[Any], Any]] = {
    Op.EXP: mpmath.exp, Op.EXP2: lambda x: mpmath.power(2, x), Op.LOG: mpmath.log, Op.LOG2: lambda x: mpmath.log(x) / mpmath.log(2),
    Op.SIN: mpmath.sin, Op.COS: mpmath.cos, Op.TAN: mpmath.tan, Op.TANH: mpmath.tanh, Op.ATAN: mpmath.atan, Op.ERF: mpmath.erf,
    Op.SIGMOID: lambda x: 1 / (1 + mpmath.exp(-x)), Op.RSQRT: lambda x: 1 / mpmath.sqrt(x),
    Op.EXPM1: mpmath.expm1, Op.LOG10: mpmath.log10, Op.LOG1P: mpmath.log1p, Op.SINH: mpmath.sinh, Op.COSH: mpmath.cosh,
    Op.ASIN: mpmath.asin, Op.ACOS: mpmath.acos, Op.CBRT: lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)), Op.ERFC: mpmath.erfc,
}


@named(*dtypes.FLOATS)
@over(*MATH)
def test_math_functions(op: Op, dtype: DType) -> None:
    """Narrow formats: the rounded true value, but for values so close to a middle that float64 cannot tell. f64: within 4 ulp."""
    a = math_inputs(op, dtype)
    got = apply(op, dtype, None, a)
    with mpmath.workprec(300):
        for x, y in zip((float(v) for v in a), (float(v) for v in got), strict=True):
            exact = true_value(op, x)
            if dtype is dtypes.f64:
                assert abs(y - exact) <= 4 * mpmath.mpf(math.ulp(float(exact))), f"{op.name}({x!r}) is {y!r}, not {exact}"
            else:
                near = {nearest(exact_fraction(exact * (1 + s * mpmath.mpf(2) ** -50)), False, dtype) for s in (-1, 0, 1)}
                assert y in near or (math.isnan(y) and any(map(math.isnan, near))), f"{op.name}({x!r}) is {y!r}, not {exact}"


def math_inputs(op: Op, dtype: DType) -> Array:
    """Finite edge values where the function is finite and takes moderate time to check."""
    a = edges(dtype)
    x = a.astype(np.float64)
    keep = np.isfinite(x) & (np.abs(x) < 1e6) & ((x > 0) | (op not in (Op.LOG, Op.LOG2, Op.LOG10, Op.RSQRT)))
    keep &= ((x > -1) | (op is not Op.LOG1P)) & ((np.abs(x) <= 1) | (op not in (Op.ASIN, Op.ACOS))) & ((x < 26) | (op is not Op.ERFC))
    return np.asarray(a[keep & ((np.abs(x) < 700) | (op not in (Op.EXP, Op.EXP2, Op.SIGMOID, Op.EXPM1, Op.SINH, Op.COSH)))])


def true_value(op: Op, x: float) -> Any:
    """The function at x, with 300 bits."""
    return REFERENCE[op](mpmath.mpf(x))


def exact_fraction(x: Any) -> Fraction:
    """An mpmath number as a fraction."""
    sign, mantissa, exponent, _ = x._mpf_
    return Fraction(-mantissa if sign else mantissa) * Fraction(2) ** exponent


SPECIAL = {
    Op.EXP: [(INF, INF), (-INF, 0.0), (NAN, NAN), (0.0, 1.0), (-0.0, 1.0), (1e4, INF), (-1e4, 0.0)],
    Op.EXP2: [(INF, INF), (-INF, 0.0), (NAN, NAN), (-0.0, 1.0), (10.0, 1024.0), (-3.0, 0.125)],
    Op.LOG: [(0.0, -INF), (-0.0, -INF), (-1.0, NAN), (1.0, 0.0), (INF, INF), (NAN, NAN)],
    Op.LOG2: [(0.0, -INF), (-0.0, -INF), (-1.0, NAN), (8.0, 3.0), (INF, INF), (NAN, NAN)],
    Op.SIN: [(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN), (NAN, NAN)],
    Op.COS: [(0.0, 1.0), (-0.0, 1.0), (INF, NAN), (NAN, NAN)],
    Op.TAN: [(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (NAN, NAN)],
    Op.TANH: [(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (1e4, 1.0), (NAN, NAN)],
    Op.ATAN: [(0.0, 0.0), (-0.0, -0.0), (INF, math.pi / 2), (-INF, -math.pi / 2), (NAN, NAN)],
    Op.ERF: [(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (NAN, NAN)],
    Op.SIGMOID: [(0.0, 0.5), (-0.0, 0.5), (INF, 1.0), (-INF, 0.0), (1e4, 1.0), (-1e4, 0.0), (NAN, NAN)],
    Op.RSQRT: [(0.0, INF), (-0.0, -INF), (4.0, 0.5), (-1.0, NAN), (INF, 0.0), (NAN, NAN)],
    Op.EXPM1: [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -1.0), (-1e4, -1.0), (NAN, NAN)],
    Op.LOG10: [(0.0, -INF), (-0.0, -INF), (-1.0, NAN), (1000.0, 3.0), (INF, INF), (NAN, NAN)],
    Op.LOG1P: [(0.0, 0.0), (-0.0, -0.0), (-1.0, -INF), (-2.0, NAN), (INF, INF), (NAN, NAN)],
    Op.SINH: [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF), (1e4, INF), (NAN, NAN)],
    Op.COSH: [(0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, INF), (-1e4, INF), (NAN, NAN)],
    Op.ASIN: [(0.0, 0.0), (-0.0, -0.0), (1.0, math.pi / 2), (-1.0, -math.pi / 2), (1.5, NAN), (INF, NAN), (NAN, NAN)],
    Op.ACOS: [(1.0, 0.0), (-1.0, math.pi), (-1.5, NAN), (INF, NAN), (NAN, NAN)],
    Op.CBRT: [(0.0, 0.0), (-0.0, -0.0), (27.0, 3.0), (-8.0, -2.0), (INF, INF), (-INF, -INF), (NAN, NAN)],
    Op.ERFC: [(0.0, 1.0), (-0.0, 1.0), (INF, 0.0), (-INF, 2.0), (NAN, NAN)],
    Op.SQRT: [(INF, INF), (-1.0, NAN), (-0.0, -0.0), (NAN, NAN)],
}


@named(dtypes.f16, dtypes.bf16, dtypes.f32, dtypes.f64)
@over(*SPECIAL)
def test_special_values_of_functions(op: Op, dtype: DType) -> None:
    kind = storage(dtype)
    x, want = (np.array(column).astype(kind) for column in zip(*SPECIAL[op], strict=True))
    same_bits(apply(op, dtype, None, x), want, x)


@named(dtypes.f32, dtypes.f64)
def test_pow_has_the_special_cases_of_c99(dtype: DType) -> None:
    kind = storage(dtype)
    values = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 2.5, 1e30, 1e30 + 1, INF, -INF, NAN]).astype(kind)
    a, b = pairs(values)

    def c99(x: float, y: float) -> float:  # Python's pow is C's but for the errors it raises
        try:
            return math.pow(x, y)
        except OverflowError:
            return -INF if x < 0 and y % 2 == 1 else INF
        except ValueError:
            odd = y % 2 == 1
            return NAN if x != 0 else math.copysign(INF, x) if odd else INF
    want = np.array([c99(float(x), float(y)) for x, y in zip(a, b, strict=True)])
    got = apply(Op.POW, dtype, None, a, b)
    exact = ~np.isfinite(want) | (want == 0) | (np.abs(want) == 1)
    with np.errstate(over="ignore"):
        rounded = want.astype(kind)
    same_bits(got[exact], rounded[exact], a[exact], b[exact])
    np.testing.assert_array_max_ulp(got[~exact], rounded[~exact], 2)
    root = apply(Op.POW, dtype, None, values, kind.type(0.5))  # NumPy makes a square root of a power with one exponent
    same_bits(root, got[b == 0.5], values)


@named(dtypes.f16, dtypes.bf16, dtypes.f32, dtypes.f64)
@over(Op.ATAN2, Op.HYPOT)
def test_functions_of_two_operands_have_the_special_cases_of_c99(op: Op, dtype: DType) -> None:
    """Python's math module is C's; of finite values other than 0 they may differ by rounding."""
    kind = storage(dtype)
    a, b = pairs(np.array([0.0, -0.0, 1.0, -3.0, 4.0, 1e30, INF, -INF, NAN]).astype(kind))
    fn = {Op.ATAN2: math.atan2, Op.HYPOT: math.hypot}[op]
    want = np.array([fn(float(x), float(y)) for x, y in zip(a, b, strict=True)])
    with np.errstate(over="ignore"):
        rounded = want.astype(kind)
    same_bits(apply(op, dtype, None, a, b), rounded, a, b)


@named(*NARROW)
def test_pow_of_narrow_floats(dtype: DType) -> None:
    a, b = pairs(np.array([0.5, 1.0, 1.5, 2.0, 3.0]).astype(storage(dtype)))
    want = [nearest(Fraction(float(x) ** float(y)), False, dtype) for x, y in zip(a, b, strict=True)]
    same_bits(apply(Op.POW, dtype, None, a, b), np.array(want).astype(storage(dtype)), a, b)


# --- casts and select ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("dst", [*dtypes.ALL, dtypes.index], ids=repr)
@pytest.mark.parametrize("src", [*dtypes.ALL, dtypes.index], ids=repr)
def test_cast(src: DType, dst: DType) -> None:
    a = edges(src)

    def reference(x: float) -> bool | int | float:
        if dst.is_bool:
            return x != 0
        if dst.is_float:
            if not math.isfinite(x):
                return NAN if math.isnan(x) or not getattr(dst.fmt, "infinities", False) else x
            return nearest(Fraction(x), math.copysign(1, x) < 0, dst)
        if src.is_float:
            if not math.isfinite(x):
                return 0 if math.isnan(x) else int(dst.max) if x > 0 else int(dst.min)
            return max(int(dst.min), min(int(dst.max), math.trunc(x)))
        return wrapped(int(x), dst)
    want = [reference(float(x) if src.is_float else int(x)) for x in a]
    same_bits(apply(Op.CAST, dst, None, a), np.array(want, np.float64 if dst.is_float else storage(dst)).astype(storage(dst)), a)


@pytest.mark.parametrize(("src", "dst", "value", "code", "read"), [
    (dtypes.f32, dtypes.u32, 1.5, "<f", "<I"), (dtypes.u32, dtypes.f32, 0x7FC00001, "<I", "<f"), (dtypes.i64, dtypes.f64, -1, "<q", "<d"),
    (dtypes.f16, dtypes.i16, -2.0, "<e", "<h"), (dtypes.i8, dtypes.u8, -1, "<b", "<B"), (dtypes.index, dtypes.u64, -2, "<q", "<Q")])
def test_bitcast(src: DType, dst: DType, value: float, code: str, read: str) -> None:
    (want,) = struct.unpack(read, struct.pack(code, value))
    same_bits(apply(Op.BITCAST, dst, None, np.array([value], storage(src))), np.array([want], storage(dst)))


def test_bitcast_of_other_width_is_refused() -> None:
    with pytest.raises(DTypeError, match="16 bits"):
        apply(Op.BITCAST, dtypes.f16, None, np.zeros(3, np.float32))


@named(dtypes.bool, dtypes.i8, dtypes.bf16, dtypes.f64, dtypes.index)
def test_where_keeps_the_bits_of_what_it_selects(dtype: DType) -> None:
    a, b = pairs(edges(dtype))
    c = np.arange(len(a)) % 3 == 0
    want = np.array([x if p else y for p, x, y in zip(c, a, b, strict=True)], storage(dtype))
    same_bits(apply(Op.WHERE, dtype, None, c, a, b), want)


# --- vectors ---------------------------------------------------------------------------------------------------------------------

@named(dtypes.i32, dtypes.bf16, dtypes.index)
def test_vector_ops_have_a_trailing_axis_of_lanes(dtype: DType) -> None:
    x = np.arange(6).reshape(2, 3).astype(storage(dtype))
    wide = apply(Op.BROADCAST, dtype.vec(4), None, x)
    assert wide.shape == (2, 3, 4)
    assert (wide == x[..., None]).all()
    ramp = apply(Op.RAMP, dtype.vec(4), None, x, np.asarray(2).astype(storage(dtype)))
    assert ramp.dtype == storage(dtype)
    assert ramp[1, 2].astype(np.int64).tolist() == [5, 7, 9, 11]
    stack = apply(Op.STACK, dtype.vec(3), None, x, x + x, np.asarray(7).astype(storage(dtype)))
    assert stack[1, 2].astype(np.int64).tolist() == [5, 10, 7]
    assert apply(Op.EXTRACT, dtype, 1, stack).astype(np.int64).tolist() == (2 * x.astype(np.int64)).tolist()
    assert apply(Op.LANES, dtype, Op.ADD, stack).astype(np.int64).tolist() == (3 * x.astype(np.int64) + 7).tolist()
    assert apply(Op.ADD, dtype.vec(4), None, ramp, wide)[0, 1].astype(np.int64).tolist() == [2, 4, 6, 8]


def test_ramp_wraps_at_its_width() -> None:
    assert apply(Op.RAMP, dtypes.i8.vec(3), None, np.int8(120), np.int8(7)).tolist() == [120, 127, -122]


def test_shuffle_picks_lanes_of_two_vectors() -> None:
    a, b = np.arange(8).reshape(2, 4), np.arange(8).reshape(2, 4) + 10
    picked = apply(Op.SHUFFLE, dtypes.i64.vec(3), ShuffleArg((0, 5, 3)), a, b[0])
    assert picked.tolist() == [[0, 11, 3], [4, 11, 7]]
    assert apply(Op.SHUFFLE, dtypes.i64, ShuffleArg((6,)), a, b).tolist() == [12, 16]


def test_lanes_by_every_reduction() -> None:
    x = np.array([[3, -1, 7, 2], [5, 5, -8, 1]], np.int32)
    want = {Op.ADD: [11, 3], Op.MUL: [-42, -200], Op.MAX: [7, 5], Op.MIN: [-1, -8], Op.AND: [2 & 3 & 7 & -1, 5 & -8 & 1],
            Op.OR: [-1, -3], Op.XOR: [3 ^ -1 ^ 7 ^ 2, 5 ^ 5 ^ -8 ^ 1]}
    assert want.keys() == REDUCTIONS
    assert {op: apply(Op.LANES, dtypes.i32, op, x).tolist() for op in want} == {**want, Op.OR: [3 | -1 | 7 | 2, 5 | -8 | 1]}


def test_lanes_by_what_does_not_reduce_is_refused() -> None:
    with pytest.raises(GraphError, match="LANES cannot combine f32 by AND"):
        apply(Op.LANES, dtypes.f32, Op.AND, np.zeros(4, np.float32))


# --- the functions themselves ----------------------------------------------------------------------------------------------------

def operands_of(op: Op, dtype: DType) -> list[Array]:
    """Edge values for each operand of an element-wise op."""
    arity = OPS[op].arity[1]
    assert arity is not None
    step = 3 if arity > 1 else 1
    return pairs(edges(dtype)[::step], arity)


@named(*dtypes.ALL, dtypes.index)
def test_scalars_give_the_bits_of_arrays(dtype: DType) -> None:
    """The interpreter runs on NumPy scalars, `apply` on arrays."""
    kinds = {"number": dtype.is_int or dtype.is_float, "float": dtype.is_float, "int": dtype.is_int,
             "bits": dtype.is_int or dtype.is_bool, "any": True}
    ops = [o for o in Op if o in (UNARY | BINARY | {Op.MULACC}) and o not in (Op.CAST, Op.BITCAST) and kinds[OPS[o].takes]]
    assert len(ops) >= 9
    for op in ops:
        result = dtypes.bool if op in COMPARISONS else dtype
        inputs = [v[:: max(1, len(v) // 300)] for v in operands_of(op, dtype)]
        want = apply(op, result, None, *inputs)
        with np.errstate(all="ignore"):
            fn = meaning(op, result, dtype)
            got = [fn(*row) for row in zip(*inputs, strict=True)]
        assert {type(g) for g in got} == {storage(result).type}, op
        same_bits(np.array(got, storage(result)), want, *inputs)


CAST_PAIRS = list(itertools.product([dtypes.bool, dtypes.i8, dtypes.u64, dtypes.f8e4m3, dtypes.bf16, dtypes.f64], dtypes.ALL))


@pytest.mark.parametrize(("src", "dst"), CAST_PAIRS, ids=repr)
def test_casts_of_scalars_give_the_bits_of_arrays(src: DType, dst: DType) -> None:
    a = edges(src)
    with np.errstate(all="ignore"):
        fn = meaning(Op.CAST, dst, src)
        got = [fn(x) for x in a]
    assert {type(g) for g in got} == {storage(dst).type}
    same_bits(np.array(got, storage(dst)), apply(Op.CAST, dst, None, a), a)


def test_no_warning_leaks() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for op, dtype in ((Op.FDIV, dtypes.f32), (Op.IDIV, dtypes.i32), (Op.FLOORMOD, dtypes.u8), (Op.MUL, dtypes.i64),
                          (Op.MULACC, dtypes.f64), (Op.MULACC, dtypes.f16), (Op.POW, dtypes.f32)):
            apply(op, dtype, None, *operands_of(op, dtype))
        for op in MATH:
            apply(op, dtypes.f16, None, edges(dtypes.f16))
        apply(Op.CAST, dtypes.i8, None, edges(dtypes.f64))


@pytest.mark.parametrize("op", [o for o in Op if o.value >= Op.INDEX.value or o.value <= Op.BIND.value], ids=lambda o: o.name)
def test_ops_that_are_no_functions_of_values_are_refused(op: Op) -> None:
    with pytest.raises(GraphError, match=f"{op.name} is not a function of values"):
        apply(op, dtypes.i32, None, np.zeros(2, np.int32))


def test_every_pure_op_has_a_meaning() -> None:
    args: dict[Op, Any] = {Op.EXTRACT: 0, Op.SHUFFLE: ShuffleArg((0,)), Op.LANES: Op.MAX}
    for op in (o for o in Op if Op.NEG.value <= o.value <= Op.LANES.value):
        dtype = dtypes.i32 if OPS[op].takes in ("int", "bits") else dtypes.f32
        assert callable(meaning(op, dtype, dtype, args.get(op)))


@named(*dtypes.ALL, dtypes.index)
@over(*sorted(REDUCTIONS, key=lambda o: o.value))
def test_identity(op: Op, dtype: DType) -> None:
    if not reduces(op, dtype):
        with pytest.raises(GraphError, match=f"{op.name} does not reduce {dtype}"):
            identity(op, dtype)
        return
    value = identity(op, dtype)
    assert type(value) is (bool if dtype.is_bool else float if dtype.is_float else int)
    x = edges(dtype)
    if dtype.is_float and op is Op.ADD:
        x = x[~((x == 0) & np.signbit(x))]
    if not getattr(dtype.fmt, "infinities", True):
        x = x[~np.isnan(x.astype(np.float32))]
    start = np.asarray(literal(value, dtype))
    same_bits(apply(op, dtype, None, np.broadcast_to(start, x.shape), x), x, x)


def test_identity_of_what_does_not_reduce() -> None:
    with pytest.raises(GraphError, match="SUB does not reduce i32"):
        identity(Op.SUB, dtypes.i32)


@pytest.mark.parametrize(("value", "dtype", "want"), [
    (300, dtypes.u8, np.uint8(44)), (-1, dtypes.u64, np.uint64(2**64 - 1)), (7, dtypes.index, np.int64(7)), (2, dtypes.bool, np.True_),
    (0.1, dtypes.f32, np.float32(0.1)), (1e9, dtypes.f16, np.float16(INF)), (3, dtypes.f32.vec(4), np.float32(3)),
    (2**24 + 1, dtypes.f32, np.float32(2**24)), (1.00390625, dtypes.bf16, ml_dtypes.bfloat16(1.0))])
def test_literal(value: float, dtype: DType, want: Any) -> None:
    got = literal(value, dtype)
    assert type(got) is type(want)
    assert got == want
