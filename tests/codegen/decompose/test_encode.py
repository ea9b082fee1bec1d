"""f32 from and to narrow floats agrees with svod.dtype.convert, sign of NaN included."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from svod.codegen.decompose.encode import from_exact_f32, from_f32, to_f32, to_f32_by_f16
from svod.dtype import DType, convert_array, decode_array, dtypes, encode_array, numpy_dtype
from svod.errors import DTypeError
from svod.ir.interp import evaluate
from svod.ir.ops import Op
from svod.ir.uop import UOp

SMALL = (*dtypes.FP8, dtypes.f16, dtypes.bf16)


@pytest.mark.parametrize("dtype", SMALL, ids=repr)
def test_every_code_becomes_its_value(dtype: DType) -> None:
    codes = np.arange(1 << dtype.bits).astype(f"u{dtype.bits // 8}")
    got = evaluate(to_f32(UOp.scalar("x", dtype)), {"x": codes.view(numpy_dtype(dtype))})
    want = decode_array(codes, dtype)
    assert np.array_equal(got, want, equal_nan=True)
    assert np.array_equal(np.signbit(got), np.signbit(want))


@pytest.mark.parametrize("dtype", dtypes.FP8, ids=repr)
def test_every_code_of_fp8_by_way_of_f16(dtype: DType) -> None:
    codes = np.arange(256).astype(np.uint8)
    got = evaluate(to_f32_by_f16(UOp.scalar("x", dtype)), {"x": codes.view(numpy_dtype(dtype))})
    want = decode_array(codes, dtype)
    assert np.array_equal(got, want, equal_nan=True)
    assert np.array_equal(np.signbit(got) | np.isnan(got), np.signbit(want) | np.isnan(want))


@pytest.mark.parametrize("dtype", SMALL, ids=repr)
def test_f32_is_rounded_once(dtype: DType, samples: Any) -> None:
    """Bit for bit, and a NaN becomes the quiet NaN with its sign."""
    nans = np.array([0x7F800001, 0xFF800001, 0x7FC00000, 0xFFFFFFFF], np.uint32).view(np.float32)
    sample = np.concatenate([samples.all(dtypes.f32), nans])
    got = evaluate(from_f32(UOp.scalar("x", dtypes.f32), dtype), {"x": sample})
    want = encode_array(sample, dtype)
    assert np.array_equal(got.view(want.dtype), want)


@pytest.mark.parametrize("dtype", SMALL, ids=repr)
def test_what_is_exact_stays(dtype: DType) -> None:
    codes = np.arange(1 << dtype.bits).astype(f"u{dtype.bits // 8}")
    back = from_exact_f32(to_f32(UOp.scalar("x", dtype)), dtype)
    got = evaluate(back, {"x": codes.view(numpy_dtype(dtype))}).view(codes.dtype)
    nan = np.isnan(decode_array(codes, dtype))
    assert np.array_equal(got[~nan], codes[~nan])
    assert np.isnan(decode_array(got[nan], dtype)).all()


def test_the_values_differ_from_double_rounding() -> None:
    """The sample would notice a second rounding: it does differ by way of f32 for some f64."""
    value = np.array([1 + 2.0**-8 + 2.0**-40])
    assert convert_array(value, dtypes.f64, dtypes.bf16) != convert_array(value.astype(np.float32), dtypes.f32, dtypes.bf16)


@pytest.mark.parametrize("dtype", [dtypes.f32, dtypes.i16], ids=repr)
def test_only_narrow_floats(dtype: DType) -> None:
    with pytest.raises(DTypeError, match="not a narrow float"):
        from_f32(UOp.scalar("x", dtypes.f32), dtype)
    with pytest.raises(DTypeError, match="not a narrow float"):
        to_f32(UOp.scalar("x", dtype))


@pytest.mark.parametrize("dtype", SMALL, ids=repr)
def test_size(dtype: DType) -> None:
    """Operations, constants left out: what a conversion costs."""
    def count(u: UOp) -> int:
        return sum(n.op not in (Op.CONST, Op.DEFINE_VAR, Op.BITCAST) for n in u.toposort())
    limit = (2, 13) if dtype is dtypes.bf16 else (14, 20)
    assert count(to_f32(UOp.scalar("x", dtype))) <= limit[0]
    assert count(from_f32(UOp.scalar("x", dtypes.f32), dtype)) <= limit[1]
