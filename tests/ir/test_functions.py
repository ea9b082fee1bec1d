"""Functions as methods: which node each makes, and what a sign, an infinity and NaN are in every format, on devices too."""
from __future__ import annotations

import numpy as np
import pytest

import svod
from svod.codegen.math import DECOMPOSITIONS
from svod.dtype import DType, decode_array, dtypes, numpy_dtype
from svod.errors import DTypeError, GraphError
from svod.ir.ops import OPS, Op
from svod.ir.uop import UOp

x, y = UOp.scalar("x", dtypes.f32), UOp.scalar("y", dtypes.f32)


@pytest.mark.parametrize("op", DECOMPOSITIONS, ids=lambda o: o.name)
def test_every_function_is_a_method(op: Op) -> None:
    if op is Op.POW:
        assert x ** y is UOp(op, (x, y))
    elif OPS[op].arity == (2, 2):
        assert getattr(x, op.name.lower())(y) is UOp(op, (x, y))
        assert getattr(x, op.name.lower())(2) is UOp(op, (x, UOp.const(2.0, dtypes.f32)))
    else:
        assert getattr(x, op.name.lower())() is UOp(op, (x,))


def test_functions_take_floats() -> None:
    k = UOp.scalar("k", dtypes.i32)
    with pytest.raises(GraphError, match="CBRT takes a float"):
        k.cbrt()
    for wrong in (k.isnan, k.isinf, k.isfinite, k.signbit, lambda: k.copysign(1.0), lambda: x.copysign(k)):
        with pytest.raises(DTypeError, match="those of floats, got i32"):
            wrong()


def codes(dtype: DType) -> np.ndarray:
    """Every value of the narrow formats; signs, limits and NaN of the others."""
    if dtype.bits <= 16:
        return np.arange(1 << dtype.bits).astype(f"u{dtype.bits // 8}").view(numpy_dtype(dtype))
    info = np.finfo(numpy_dtype(dtype))
    ends = np.array([0.0, 1.0, info.max, info.smallest_subnormal, np.inf, np.nan], numpy_dtype(dtype))
    return np.concatenate([ends, -ends])


@pytest.mark.devices("CPU", "INTERP")
@pytest.mark.parametrize("dtype", dtypes.FLOATS, ids=str)
def test_signs_infinities_and_nan(device: svod.Device, dtype: DType) -> None:
    values = codes(dtype)[:: 7 if dtype.bits == 16 else 1].copy()
    i = UOp.range(len(values), 0)
    a = UOp.param(0, dtype, name="a")[i].load()
    outs = [UOp.param(k, dtypes.bool, name=f"o{k}")[i].store(v) for k, v in enumerate((a.signbit(), a.isnan(), a.isinf(), a.isfinite()), 1)]
    got = [np.zeros(len(values), bool) for _ in outs]
    device.compile(UOp.sink(*outs, name="kinds"))(values, *got)
    raw = values.view(f"u{values.dtype.itemsize}")
    exact = decode_array(raw, dtype)
    np.testing.assert_array_equal(got, [raw >> (dtype.bits - 1) != 0, np.isnan(exact), np.isinf(exact), np.isfinite(exact)])


@pytest.mark.devices("CPU", "INTERP")
@pytest.mark.parametrize("dtype", [dtypes.f8e5m2, dtypes.f16, dtypes.f32, dtypes.f64], ids=str)
def test_copysign(device: svod.Device, dtype: DType) -> None:
    few = np.array([0.0, -0.0, 1.5, -3.0, np.inf, -np.inf]).astype(numpy_dtype(dtype))
    a, b = (m.ravel().copy() for m in np.meshgrid(few, few))
    i = UOp.range(len(a), 0)
    loads = [UOp.param(k, dtype, name=f"i{k}")[i].load() for k in (2, 3)]
    values = (loads[0].copysign(loads[1]), loads[0].copysign(-2))
    stores = [UOp.param(k, dtype, name=f"o{k}")[i].store(v) for k, v in enumerate(values)]
    out, minus = np.zeros_like(a), np.zeros_like(a)
    device.compile(UOp.sink(*stores, name="signs"))(out, minus, a, b)
    bits = f"u{a.dtype.itemsize}"
    for got, sign in ((out, b.astype(np.float64)), (minus, -2.0)):
        assert (got.view(bits) == np.copysign(a.astype(np.float64), sign).astype(a.dtype).view(bits)).all()
