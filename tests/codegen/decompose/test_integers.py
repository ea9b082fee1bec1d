"""Shifts by any count, bool by logic, and integers on targets with few ops or widths."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from svod.codegen.decompose import rules_for, unsupported
from svod.dtype import DType, dtypes
from svod.ir.interp import evaluate
from svod.ir.ops import COMPARISONS, Op
from svod.ir.rewrite import rewrite
from svod.ir.uop import UOp
from svod.target import Target

Check = Callable[..., UOp]
INTS = (*dtypes.INTS, dtypes.index)
NARROW = (dtypes.i8, dtypes.i16, dtypes.u8, dtypes.u16, dtypes.i32, dtypes.u32)


@pytest.mark.parametrize("dtype", INTS, ids=repr)
@pytest.mark.parametrize("op", [Op.SHL, Op.SHR], ids=lambda o: o.name)
def test_shifts_by_any_count(op: Op, dtype: DType, cpu: Target, samples: Any, keeps_meaning: Check) -> None:
    x, y = UOp.scalar("x", dtype), UOp.scalar("y", dtype)
    counts = np.concatenate([np.arange(0, dtype.bits + 3).astype(samples.few(dtype).dtype), samples.few(dtype)])
    keeps_meaning(UOp(op, (x, y)), cpu, samples.grid(x=samples.few(dtype), y=counts))
    for count in (0, 1, dtype.bits - 1, dtype.bits, dtype.bits + 1, *(() if dtype.is_unsigned else (-1, int(dtype.min)))):
        keeps_meaning(UOp(op, (x, UOp.const(count, dtype))), cpu, {"x": samples.few(dtype)})


@pytest.mark.parametrize("op", [Op.SHL, Op.SHR], ids=lambda o: o.name)
def test_counts_in_range_cost_nothing(op: Op, cpu: Target) -> None:
    x = UOp.scalar("x", dtypes.i32)
    for count in (UOp.const(31, dtypes.i32), UOp.variable("n", 0, 31, dtypes.i32), UOp.scalar("m", dtypes.i32) & 31):
        shift = UOp(op, (x, count))
        assert rewrite(shift, rules_for(cpu)) is shift
    each = UOp(Op.STACK, tuple(UOp.const(n, dtypes.i32) for n in (0, 31, 7, 8)), None, dtypes.i32.vec(4))
    shift = UOp(op, (x.broadcast(4), each))
    assert rewrite(shift, rules_for(cpu)) is shift


@pytest.mark.parametrize("op", [Op.SHL, Op.SHR], ids=lambda o: o.name)
def test_one_lane_out_of_range_is_enough(op: Op, cpu: Target, samples: Any, keeps_meaning: Check) -> None:
    counts = UOp(Op.STACK, tuple(UOp.const(n, dtypes.i32) for n in (0, 31, 32, -1)), None, dtypes.i32.vec(4))
    shift = UOp(op, (UOp.scalar("x", dtypes.i32.vec(4)), counts))
    assert keeps_meaning(shift, cpu, samples.lanes({"x": samples.few(dtypes.i32)})) is not shift


@pytest.mark.parametrize("op", sorted(COMPARISONS | {Op.MAX, Op.MIN}, key=lambda o: o.value), ids=lambda o: o.name)
def test_bool_by_logic(op: Op, cpu: Target, samples: Any, keeps_meaning: Check) -> None:
    for lanes in (1, 4):
        x, y = UOp.scalar("x", dtypes.bool.vec(lanes)), UOp.scalar("y", dtypes.bool.vec(lanes))
        env = samples.grid(x=np.array([False, True]), y=np.array([False, True]))
        new = keeps_meaning(UOp(op, (x, y)), cpu, env if lanes == 1 else samples.lanes(env))
        assert {u.op for u in new.toposort()} <= {Op.DEFINE_VAR, Op.AND, Op.OR, Op.XOR, Op.NOT}


@pytest.mark.parametrize("op", [Op.MAX, Op.MIN, Op.AND, Op.OR, Op.XOR], ids=lambda o: o.name)
def test_lanes_of_bool(op: Op, cpu: Target, samples: Any, keeps_meaning: Check) -> None:
    every = np.stack(list(samples.grid(**dict.fromkeys("abcd", np.array([False, True]))).values()), axis=-1)
    new = keeps_meaning(UOp(Op.LANES, (UOp.scalar("x", dtypes.bool.vec(4)),), op, dtypes.bool), cpu, {"x": every})
    assert new.arg in (Op.AND, Op.OR, Op.XOR)


@pytest.mark.parametrize("dtype", NARROW, ids=repr)
@pytest.mark.parametrize("op", [Op.ADD, Op.SUB, Op.MUL, Op.IDIV, Op.MOD, Op.FLOORDIV, Op.FLOORMOD, Op.MAX, Op.MIN, Op.AND, Op.OR, Op.XOR,
                                Op.SHL, Op.SHR, *sorted(COMPARISONS, key=lambda o: o.value)], ids=lambda o: o.name)
def test_two_operands_on_the_barest_target(op: Op, dtype: DType, bare: Target, samples: Any, keeps_meaning: Check) -> None:
    """No MAX and MIN, and of the integers of 8 and 16 bits nothing but conversions."""
    keeps_meaning(UOp(op, (UOp.scalar("x", dtype), UOp.scalar("y", dtype))), bare, samples.mixed(dtype, "xy"))


@pytest.mark.parametrize("dtype", NARROW, ids=repr)
def test_one_and_three_operands_on_the_barest_target(dtype: DType, bare: Target, samples: Any, keeps_meaning: Check) -> None:
    x, y, z = (UOp.scalar(n, dtype) for n in "xyz")
    for op in (Op.NEG, Op.NOT, Op.ABS):
        keeps_meaning(UOp(op, (x,)), bare, {"x": samples.all(dtype)})
    keeps_meaning(x.fma(y, z), bare, samples.mixed(dtype, "xyz"))
    keeps_meaning((x < y).where(y, z), bare, samples.mixed(dtype, "xyz"))


@pytest.mark.parametrize("dtype", NARROW, ids=repr)
@pytest.mark.parametrize("op", [Op.ADD, Op.MUL, Op.MAX, Op.MIN, Op.AND, Op.OR, Op.XOR], ids=lambda o: o.name)
def test_lanes_of_narrow_integers(op: Op, dtype: DType, bare: Target, samples: Any, keeps_meaning: Check) -> None:
    if op not in (Op.MAX, Op.MIN) or dtype.bits < 32:
        keeps_meaning(UOp(Op.LANES, (UOp.scalar("x", dtype.vec(4)),), op, dtype), Target(
            "lanes", arithmetic=bare.arithmetic, native=bare.native | {Op.MAX, Op.MIN}), samples.lanes(samples.mixed(dtype, "x")))


def test_unsigned_abs_is_nothing(cpu: Target) -> None:
    x = UOp.scalar("x", dtypes.u16)
    assert rewrite(x.abs(), rules_for(cpu)) is x
    y = UOp.scalar("y", dtypes.i16)
    assert rewrite(y.abs(), rules_for(cpu)) is y.abs()


def test_integer_multiply_add_wraps(cpu: Target) -> None:
    x = UOp.scalar("x", dtypes.i32)
    new = rewrite(x.fma(x, x), rules_for(cpu))
    assert new is x * x + x
    assert evaluate(new, {"x": 65536}) == 65536


def test_64_bits_are_refused_where_they_are_lacking(bare: Target) -> None:
    assert unsupported(rewrite(UOp.scalar("x", dtypes.i64) + 1, rules_for(bare)), bare)
