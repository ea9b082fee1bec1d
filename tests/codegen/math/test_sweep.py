"""The functions as a device compiles them: millions of f32 arguments, held to the stated bound and to the bits of the interpreter."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import svod
from svod.codegen.math import BOUNDS, DECOMPOSITIONS
from svod.dtype import dtypes
from svod.ir.interp import evaluate
from svod.ir.ops import OPS, Op
from svod.ir.uop import UOp

Array = NDArray[Any]
UNARY = sorted((op for op in DECOMPOSITIONS if OPS[op].arity == (1, 1)), key=lambda op: op.name)
STRIDE = 2003
COMPARED = 30_011
"""How many of the arguments the interpreter evaluates too."""


@pytest.fixture(scope="module")
def patterns() -> Array:
    """Every STRIDE-th bit pattern: subnormals, NaN, infinities and arguments up to the greatest number."""
    return np.arange(0, 2**32, STRIDE, dtype=np.uint64).astype(np.uint32).view(np.float32)


def kernel(op: Op, size: int) -> UOp:
    """out[i] = op(a[i])."""
    i = UOp.range(size, 0)
    value = UOp(op, (UOp.param(1, dtypes.f32, size)[i].load(),))
    return UOp.sink(UOp.param(0, dtypes.f32, size)[i].store(value), name=f"sweep_{op.name.lower()}")


@pytest.mark.devices("CPU")
@pytest.mark.parametrize("op", UNARY, ids=lambda op: op.name.lower())
def test_f32(device: svod.Device, op: Op, patterns: Array, reference32: dict[str, Callable[..., Array]],
             ulp_error: Callable[..., Array]) -> None:
    got = np.empty_like(patterns)
    device.compile(kernel(op, len(patterns))).execute([got, patterns])
    with np.errstate(all="ignore"):
        want = reference32[op.name.lower()](patterns.astype(np.float64))
    errors = ulp_error(got, want)
    i = int(np.argmax(errors))
    assert errors[i] <= BOUNDS[op]["f32"], f"{op.name}({patterns[i]!r}): {errors[i]} ulp, got {got[i]!r}"

    some = slice(None, None, len(patterns) // COMPARED)
    same = evaluate(DECOMPOSITIONS[op](UOp.scalar("x", dtypes.f32)), {"x": patterns[some]})
    nan = np.isnan(same) & np.isnan(got[some])
    assert (nan | (same.view(np.uint32) == got[some].view(np.uint32))).all()
