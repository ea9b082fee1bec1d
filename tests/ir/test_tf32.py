"""TF32: ten bits of mantissa, as matrix units take f32; the same by its definition, by its decomposition, on every device."""
from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import svod
import svod.lang as sl
from svod import UOp
from svod.dtype import DType, dtypes
from svod.ir.ops import Op
from svod.ir.semantics import apply, storage

EDGES = {0x3F801000: 0x3F802000, 0x3F800FFF: 0x3F800000, 0xBF801000: 0xBF802000, 0x3F803000: 0x3F804000, 0x7F7FEFFF: 0x7F7FE000,
         0x7F7FF000: 0x7F800000, 0xFF800000: 0xFF800000, 0x00000FFF: 0, 0x00001000: 0x00002000, 0x80000001: 0x80000000}
"""Bits of f32 before and after: ties, a carry into the exponent, to infinity, subnormal numbers, zeros with their sign."""


def near(x: float, dtype: DType) -> float:
    """The definition, in fractions."""
    assert dtype.fmt is not None
    if not math.isfinite(x) or x == 0:
        return x
    exponent = max(math.frexp(x)[1] - 1, 1 - dtype.fmt.bias)  # of subnormal numbers that of the least normal one
    unit = Fraction(2) ** (exponent - min(dtype.fmt.mantissa, 10))
    whole = math.floor(abs(Fraction(x)) / unit + Fraction(1, 2)) * unit
    return math.copysign(float(whole) if whole < Fraction(2) ** (dtype.fmt.bias + 1) else math.inf, x)


@pytest.mark.parametrize("dtype", [dtypes.f16, dtypes.bf16, dtypes.f32, dtypes.f64], ids=str)
def test_ten_bits_are_kept(dtype: DType) -> None:
    rng = np.random.default_rng(3)
    a = np.frombuffer(rng.bytes(4000 * dtype.itemsize), f"u{dtype.itemsize}").view(storage(dtype))
    with np.errstate(all="ignore"):
        a = a[~np.isnan(a.astype(np.float64))]
        want = np.array([near(float(x), dtype) for x in a]).astype(a.dtype)
    assert apply(Op.TF32, dtype, None, a).tobytes() == want.tobytes()


def test_ties_go_away_from_zero() -> None:
    given, wanted = (np.array(list(x), np.uint32).view(np.float32) for x in (EDGES, EDGES.values()))
    assert apply(Op.TF32, dtypes.f32, None, given).tobytes() == wanted.tobytes()
    for code in (0x7FFFFFFF, 0x7F800001, 0xFFFFFFFF):  # a carry would make zeros and infinities of these
        assert np.isnan(apply(Op.TF32, dtypes.f32, None, np.array([code], np.uint32).view(np.float32))[0])


@pytest.mark.devices("INTERP", "CPU", "OPENCL")
def test_loop_kernels_round(device: svod.Device) -> None:
    rng = np.random.default_rng(4)
    a = np.concatenate([rng.integers(0, 1 << 32, 500, np.uint32), np.array(list(EDGES), np.uint32)]).view(np.float32)
    i = UOp.range(a.size, 0)
    out = np.zeros_like(a)
    value = UOp.param(1, dtypes.f32, name="a")[i].load().tf32()
    device.compile(UOp.sink(UOp.param(0, dtypes.f32, name="o")[i].store(value), name="k")).execute([out, a])
    want: Any = apply(Op.TF32, dtypes.f32, None, a)
    np.testing.assert_array_equal(out, want)
    assert (np.signbit(out) == np.signbit(want))[~np.isnan(want)].all()


@sl.kernel
def rounded(a: sl.Array[sl.f32], b: sl.Array[sl.f16], o: sl.Array[sl.f32]) -> None:
    i = sl.global_id()
    o[i] = sl.tf32(a[i]) + sl.f32(sl.tf32(b[i])) + sl.tf32(1.00048828125)


@pytest.mark.devices("INTERP", "CPU", "OPENCL")
def test_the_language_rounds(device: svod.Device) -> None:
    a, b = np.full(32, 1 + 3 * 2.0**-11, np.float32), np.arange(32, dtype=np.float16)
    o = np.zeros(32, np.float32)
    rounded.on(device)[1, 32](a, b, o)
    np.testing.assert_array_equal(o, (1 + 2.0**-9) + b.astype(np.float32) + (1 + 2.0**-10))
    assert sl.tf32(1 + 2.0**-11) == 1 + 2.0**-10
    assert sl.tf32(3) == 3.0
