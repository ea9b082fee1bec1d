"""Math functions are decomposed where they are lacking; those of narrow floats go through f32 and are rounded once more."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from svod.codegen.decompose import math_rules, rules_for, unsupported
from svod.codegen.decompose.functions import FUNCTIONS
from svod.codegen.math import DECOMPOSITIONS
from svod.dtype import DType, decode_array, dtypes
from svod.ir.interp import evaluate
from svod.ir.ops import OPS, Op
from svod.ir.rewrite import rewrite
from svod.ir.uop import UOp
from svod.target import REFERENCE, Target

SMALL = (*dtypes.FP8, dtypes.f16, dtypes.bf16)


def node(op: Op, dtype: DType) -> UOp:
    return UOp(op, tuple(UOp.scalar(n, dtype) for n in "xy"[: OPS[op].arity[0]]))


def steps(a: Any, dtype: DType) -> Any:
    """The place of each value among those of its format, negative ones below zero; NaN beyond all."""
    codes = a.view(f"u{a.dtype.itemsize}").astype(np.int64)
    sign = 1 << (dtype.bits - 1)
    values = decode_array(a.view(f"u{a.dtype.itemsize}"), dtype)
    return np.where(np.isnan(values), 1 << 40, np.where(codes & sign, -(codes & (sign - 1)), codes))


def test_every_function_has_a_decomposition() -> None:
    assert set(FUNCTIONS) == set(DECOMPOSITIONS)


@pytest.mark.parametrize("op", FUNCTIONS, ids=lambda o: o.name)
def test_in_f32_and_f64_it_is_the_decomposition(op: Op, cpu: Target) -> None:
    for dtype in (dtypes.f32, dtypes.f64, dtypes.f32.vec(4)):
        u = node(op, dtype)
        new = rewrite(u, math_rules(cpu))
        assert new is rewrite(DECOMPOSITIONS[op](*u.src), math_rules(cpu))
        assert unsupported(rewrite(u, rules_for(cpu)), cpu) == []


@pytest.mark.parametrize("dtype", SMALL, ids=repr)
@pytest.mark.parametrize("op", FUNCTIONS, ids=lambda o: o.name)
def test_narrow_floats(op: Op, dtype: DType, cpu: Target, samples: Any) -> None:
    """At most one step from the rounded exact value, and that rarely: the error of f32 is far below half an ulp of the format."""
    u = node(op, dtype)
    new = rewrite(u, rules_for(cpu))
    assert unsupported(new, cpu) == []
    env = samples.mixed(dtype, "x" if len(u.src) == 1 else "xy")
    if dtype.bits == 16 and len(u.src) == 1:
        env = {"x": samples.all(dtype)}
    want, got = steps(evaluate(u, env), dtype), steps(evaluate(new, env), dtype)
    assert np.array_equal(want == 1 << 40, got == 1 << 40), "NaN elsewhere"
    off = np.abs(want - got)
    assert off.max() <= 1
    # the angle of a small quotient is just below it, and quotients of short numbers are often halfway between two of them
    assert (off > 0).mean() < (0.003 if dtype.bits == 16 else 0.001 if op is Op.ATAN2 else 0.0005)


@pytest.mark.parametrize("op", FUNCTIONS, ids=lambda o: o.name)
def test_meaning_in_f32(op: Op, cpu: Target, samples: Any) -> None:
    """Within 4 steps of f32 on edges and random values; the functions' own tests are stricter."""
    u = node(op, dtypes.f32)
    env = samples.mixed(dtypes.f32, "x" if len(u.src) == 1 else "xy")
    want, got = (steps(evaluate(g, env), dtypes.f32) for g in (u, rewrite(u, rules_for(cpu))))
    assert np.abs(want - got).max() <= 4


def test_a_native_function_is_left_alone(cpu: Target) -> None:
    has = Target("functions", arithmetic=cpu.arithmetic | {dtypes.f16}, native=cpu.native | {Op.EXP2})
    for dtype in (dtypes.f16, dtypes.f32, dtypes.f64):
        u = node(Op.EXP2, dtype)
        assert rewrite(u, rules_for(has)) is u
    through = rewrite(node(Op.EXP2, dtypes.bf16), rules_for(has))
    assert [u.dtype for u in through.find(Op.EXP2)] == [dtypes.f32]
    assert unsupported(rewrite(node(Op.SIN, dtypes.f16), rules_for(has)), has) == []


def test_without_f64_its_functions_are_left_to_be_refused(bare: Target) -> None:
    u = node(Op.EXP, dtypes.f64)
    assert rewrite(u, rules_for(bare)) is u
    assert unsupported(u, bare) == [u]


def test_the_stage_for_functions_touches_nothing_else(cpu: Target) -> None:
    x, y = UOp.scalar("x", dtypes.bf16), UOp.scalar("i", dtypes.i32)
    for u in (x + x, x.cast(dtypes.bool), y // 3, y << y):
        assert rewrite(u, math_rules(cpu)) is u
    assert math_rules(REFERENCE).rules == ()
