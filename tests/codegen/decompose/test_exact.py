"""Rounding to odd, against exact arithmetic on fractions."""
from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from svod.codegen.decompose.exact import code, full, odd_f32, odd_int, odd_sum
from svod.dtype import DType, dtypes
from svod.errors import DTypeError
from svod.ir.interp import evaluate
from svod.ir.uop import UOp

BITS = {dtypes.f32: (np.uint32, np.float32), dtypes.f64: (np.uint64, np.float64)}


def odd(value: Fraction, dtype: DType) -> float:
    """The neighbour of `value` with a last bit of 1, or `value` itself if `dtype` holds it; the definition."""
    unsigned, kind = BITS[dtype]
    low = 0
    high = int(np.array(np.finfo(kind).max).view(unsigned))
    size = abs(value)
    while low < high:  # the greatest code whose value is at most |value|
        middle = (low + high + 1) // 2
        low, high = (middle, high) if Fraction(float(np.array(middle, unsigned).view(kind))) <= size else (low, middle - 1)
    below = Fraction(float(np.array(low, unsigned).view(kind)))
    chosen = low if below == size or low & 1 else low + 1
    return math.copysign(float(np.array(chosen, unsigned).view(kind)), value)


def test_f64_to_f32(samples: Any) -> None:
    x = UOp.scalar("x", dtypes.f64)
    sample = np.random.default_rng(1).choice(samples.all(dtypes.f64), 3000)
    sample = np.concatenate([sample, [2.0**-149, 2.0**-150, 1.5 * 2.0**-149, 2.0**-127 + 2.0**-151, 3.5e38, -1e300, -0.0]])
    got = evaluate(odd_f32(x), {"x": sample})
    for value, result in zip(sample.tolist(), got.tolist(), strict=True):
        if math.isfinite(value):
            assert result == odd(Fraction(value), dtypes.f32), value.hex()
            assert math.copysign(1, result) == math.copysign(1, value)
        else:
            assert result == value or math.isnan(value) == math.isnan(result)


@pytest.mark.parametrize("dtype", BITS, ids=repr)
def test_sum(dtype: DType) -> None:
    rng = np.random.default_rng(2)
    kind = BITS[dtype][1]
    a, b = ((rng.normal(0, 1, 3000) * 2.0 ** rng.integers(-40, 40, 3000)).astype(kind) for _ in range(2))
    b[:500] = -a[:500] * (1 + rng.integers(-2, 3, 500) * np.finfo(kind).eps).astype(kind)
    x, y = UOp.scalar("x", dtype), UOp.scalar("y", dtype)
    got = evaluate(odd_sum(x, y), {"x": a, "y": b})
    for p, q, result in zip(a.tolist(), b.tolist(), got.tolist(), strict=True):
        assert result == odd(Fraction(p) + Fraction(q), dtype), (p.hex(), q.hex())


def test_sum_of_what_is_not_finite() -> None:
    x, y = UOp.scalar("x", dtypes.f32), UOp.scalar("y", dtypes.f32)
    inf, nan = math.inf, math.nan
    for p, q in ((inf, 1.0), (1.0, -inf), (inf, inf), (inf, -inf), (nan, 1.0), (1.0, nan), (-0.0, -0.0), (0.0, -0.0)):
        got = float(evaluate(odd_sum(x, y), {"x": p, "y": q}))
        assert math.isnan(got) if math.isnan(p + q) else (got == p + q and math.copysign(1, got) == math.copysign(1, p + q))


@pytest.mark.parametrize(("dtype", "keep"), [(dtypes.i32, 24), (dtypes.u32, 24), (dtypes.i64, 53), (dtypes.u64, 53)], ids=repr)
def test_integers(dtype: DType, keep: int, samples: Any) -> None:
    """What is dropped leaves a trace in the last bit kept, and nothing needs more bits than asked for."""
    unit = 1 << (dtype.bits - keep)
    sample = samples.all(dtype)
    got = evaluate(odd_int(UOp.scalar("x", dtype), keep), {"x": sample})
    for value, result in zip(sample.tolist(), got.tolist(), strict=True):
        if abs(value) <= 1 << keep:
            assert result == value
        else:
            below = value // unit
            assert result == (value if value % unit == 0 else (below | 1) * unit)
            assert (abs(result) // unit).bit_length() <= keep


def test_code_and_full() -> None:
    x = UOp.scalar("x", dtypes.bf16.vec(4))
    assert code(x).dtype is dtypes.u16.vec(4)
    assert full(3, x, dtypes.u8) is UOp.const(3, dtypes.u8.vec(4))
    assert full(1.5, x) is UOp.const(1.5, dtypes.bf16.vec(4))
    with pytest.raises(DTypeError):
        code(UOp.scalar("i", dtypes.index)).bitcast(dtypes.f32)
