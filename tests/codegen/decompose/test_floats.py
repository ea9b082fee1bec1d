"""Roundings, MAX, MIN, ABS and fused multiply-add of f32 and f64 on targets without them."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from svod.codegen.decompose import rules_for, unsupported
from svod.dtype import DType, dtypes
from svod.ir.interp import evaluate
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.uop import UOp
from svod.target import Target
from svod.target.target import CPU_ARITHMETIC, ESSENTIAL

Check = Callable[..., UOp]
ONE = (Op.TRUNC, Op.FLOOR, Op.CEIL, Op.RINT, Op.TF32, Op.ABS)


@pytest.fixture(scope="module")
def plain() -> Target:
    """All numbers, but only the essential ops."""
    return Target("plain", arithmetic=CPU_ARITHMETIC | {dtypes.f16}, native=ESSENTIAL, fma=False)


@pytest.mark.parametrize("dtype", [dtypes.f16, dtypes.f32, dtypes.f64], ids=repr)
@pytest.mark.parametrize("op", ONE, ids=lambda o: o.name)
def test_one_operand(op: Op, dtype: DType, plain: Target, samples: Any, keeps_meaning: Check) -> None:
    sample = np.concatenate([samples.all(dtype), np.linspace(-9, 9, 4 * 18 + 1).astype(samples.all(dtype).dtype)])
    keeps_meaning(UOp(op, (UOp.scalar("x", dtype),)), plain, {"x": sample})


@pytest.mark.parametrize("dtype", [dtypes.f16, dtypes.f32, dtypes.f64], ids=repr)
@pytest.mark.parametrize("op", [Op.MAX, Op.MIN], ids=lambda o: o.name)
def test_two_operands(op: Op, dtype: DType, plain: Target, samples: Any, keeps_meaning: Check) -> None:
    """NaN from either side wins, and -0.0 is below 0.0."""
    keeps_meaning(UOp(op, (UOp.scalar("x", dtype), UOp.scalar("y", dtype))), plain, samples.mixed(dtype, "xy"))


@pytest.mark.parametrize("dtype", [dtypes.f16, dtypes.f32], ids=repr)
def test_multiply_add(dtype: DType, plain: Target, samples: Any, keeps_meaning: Check) -> None:
    x, y, z = (UOp.scalar(n, dtype) for n in "xyz")
    keeps_meaning(x.fma(y, z), plain, samples.mixed(dtype, "xyz"))


def test_multiply_add_is_not_a_product_and_a_sum(plain: Target) -> None:
    """(1 + e)(1 - e) - 1 is -e*e; two roundings give 0."""
    x, y, z = (UOp.scalar(n, dtypes.f32) for n in "xyz")
    e = 2.0**-20
    env = {"x": 1 + e, "y": 1 - e, "z": -1.0}
    assert evaluate(rewrite(x.fma(y, z), rules_for(plain)), env) == -e * e
    assert evaluate(x * y + z, env) == 0


def test_multiply_add_of_f64_is_left_to_be_refused(plain: Target) -> None:
    x = UOp.scalar("x", dtypes.f64)
    assert [u.op for u in unsupported(rewrite(x.fma(x, x), rules_for(plain)), plain)] == [Op.MULACC]


def test_four_lanes(plain: Target, samples: Any, keeps_meaning: Check) -> None:
    x, y, z = (UOp.scalar(n, dtypes.f32.vec(4)) for n in "xyz")
    env = samples.lanes(samples.mixed(dtypes.f32, "xyz"))
    for u in (x.floor(), x.ceil(), x.trunc(), x.rint(), x.abs(), x.maximum(y), x.minimum(y), x.fma(y, z)):
        keeps_meaning(u, plain, env)


def test_what_a_target_has_is_left_alone(cpu: Target) -> None:
    x = UOp.scalar("x", dtypes.f32)
    for u in (x.floor(), x.ceil(), x.trunc(), x.rint(), x.abs(), x.maximum(1.0), x.minimum(1.0), x.fma(x, x), x + x, x / x, x < 1.0):
        assert rewrite(u, rules_for(cpu)) is u
