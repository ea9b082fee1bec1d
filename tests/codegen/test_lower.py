"""Reductions become accumulators."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import svod
from svod import Config, UOp, dtypes
from svod.codegen.lower import lower_reductions
from svod.ir.ops import Op
from svod.testing.kernels import CASES, axes, p

Lower = Callable[..., UOp]


def dot(n: int = 24, m: int = 0) -> UOp:
    (i,) = axes(n)
    product = p(1, "a")[i].load() * p(2, "b")[i].load()
    return UOp.sink(p(0, "out")[m].store(product.sum(i)), name="dot")


def count(root: UOp, op: Op) -> int:
    return sum(1 for _ in root.find(op))


@pytest.mark.parametrize("name", CASES)
def test_no_reduction_is_left(lower_to: Lower, name: str) -> None:
    assert count(lower_to(CASES[name]().ast, "lower-reductions"), Op.REDUCE) == 0


@pytest.mark.parametrize("fused", [True, False])
def test_products_are_contracted_where_it_is_allowed(fused: bool) -> None:
    lowered = lower_reductions(dot(), fused=lambda d: fused)
    assert count(lowered, Op.MULACC) == int(fused)


def test_integer_products_and_other_reductions_are_never_contracted() -> None:
    (i,) = axes(8)
    a = p(1, "a", dtypes.i32)[i].load()
    ints = UOp.sink(p(0, "out", dtypes.i32)[0].store((a * a).sum(i)))
    top = UOp.sink(p(0, "out")[0].store((p(1, "a")[i].load() * 2.0).max(i)))
    for ast in (ints, top):
        assert count(lower_reductions(ast, fused=lambda d: True), Op.MULACC) == 0


def test_contraction_rounds_once() -> None:
    x = np.float32(1 + 2**-12)
    got = {}
    for contract in ("off", "reductions"):
        with svod.override(config=Config(contract=contract)):
            out = np.zeros(1, np.float32)
            svod.Device("CPU").compile(dot(2), opts=[])(out, np.array([1, x], np.float32), np.array([-1, x], np.float32))
            got[contract] = float(out[0])
    assert got == {"off": float(x * x - np.float32(1)), "reductions": float(x) ** 2 - 1}
    assert got["off"] != got["reductions"]


def test_an_accumulator_starts_at_the_identity() -> None:
    (i,) = axes(UOp.variable("n", 0, 9))
    x = p(1, "a", dtypes.i32)[i].load()
    wanted = {Op.ADD: 0, Op.MUL: 1, Op.MAX: -(1 << 31), Op.MIN: (1 << 31) - 1, Op.AND: -1, Op.OR: 0, Op.XOR: 0}
    for op, value in wanted.items():
        out = np.full(1, 77, np.int32)
        svod.Device("CPU").compile(UOp.sink(p(0, "out", dtypes.i32)[0].store(x.reduce(op, i)), name="nothing"))(
            out, np.zeros(0, np.int32), n=0
        )
        assert out[0] == value, op


def test_unrolled_copies_share_an_accumulator_and_interleaved_ones_do_not(lower_to: Lower) -> None:
    chained = lower_to(dot(), "lower-reductions", ["SPLIT(0 by 4)", "UNROLL(0.1)"])
    apart = lower_to(dot(), "lower-reductions", ["SPLIT(0 by 4)", "INTERLEAVE(0.1)"])
    assert (count(chained, Op.DEFINE_REG), count(chained, Op.MULACC)) == (1, 4)
    assert (count(apart, Op.DEFINE_REG), count(apart, Op.MULACC)) == (4, 4)


def test_a_whole_reduction_that_is_unrolled_needs_no_accumulator(lower_to: Lower) -> None:
    lowered = lower_to(dot(4), "lower-reductions", ["UNROLL(0)"])
    assert (count(lowered, Op.DEFINE_REG), count(lowered, Op.RANGE)) == (0, 0)


def test_reductions_in_one_loop_keep_accumulators_of_their_own(lower_to: Lower) -> None:
    (i,) = axes(9)
    x = p(1, "a")[i].load()
    lowered = lower_to(UOp.sink(p(0, "out")[0].store(x.sum(i) / x.max(i)), name="both"), "lower-reductions", [])
    assert (count(lowered, Op.DEFINE_REG), count(lowered, Op.RANGE)) == (2, 1)
