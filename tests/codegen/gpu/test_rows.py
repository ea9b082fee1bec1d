"""Rows reduced by groups of work items: coalesced, without a race, the right result for sizes of every kind, and a plan that fits."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from svod import Config, UOp
from svod.codegen.pipeline import Context, lower
from svod.device.opencl.backend import opencl_target
from svod.ir.args import BarrierScope
from svod.ir.ops import Op
from svod.target.abi import describe
from svod.testing.groups import run_groups
from svod.testing.kernels import CASES, axes, f32, p
from svod.testing.random_kernels import random_case
from svod.testing.random_products import random_product

IDS = Context(replace(opencl_target(None), vector_bits=0), Config())


def sizes(linear: UOp) -> list[int]:
    """Groups, and work items of a group, along each axis."""
    meta = describe(linear)
    return [int(s.arg.value) for s in (*meta.global_size, *(meta.local_size or ()))]


def barriers(linear: UOp) -> int:
    return sum(u.op is Op.BARRIER and u.arg is BarrierScope.GROUP for u in linear.src)


def row_sums(rows: UOp | int, columns: UOp | int, *, down: bool = False) -> UOp:
    """Sums of rows; with `down`, of the columns of the transposed matrix: neighbouring sums lie side by side."""
    i, j = axes(rows, columns)
    at = j * rows + i if down else i * columns + j
    return UOp.sink(p(0, "out")[i].store(p(1, "a")[at].load().sum(j)), name="row_sums")


@pytest.mark.parametrize(("rows", "columns", "wanted"), [
    (10_000, 1024, [10_000, 1, 1, 256, 1, 1]),  # many rows: a group of usual size for each
    (16, 1 << 20, [512, 1, 1, 256, 1, 1]),  # few rows: several groups for each
    (10_000, 64, [2500, 1, 1, 32, 4, 1]),  # short rows: several in a group
])
def test_work_items_share_a_row(rows: int, columns: int, wanted: list[int]) -> None:
    assert sizes(lower(row_sums(rows, columns), IDS)) == wanted


def test_neighbouring_columns_are_summed_by_neighbours() -> None:
    target = opencl_target(None)
    large = replace(target, limits=replace(target.limits, block=(1024, 1024, 64), threads=1024))
    whole = Context(replace(large, phases=False), Config())
    assert sizes(lower(row_sums(256, 100_000, down=True), whole))[3:] == [8, 128, 1]
    assert sizes(lower(row_sums(256, 100_000, down=True), Context(large, Config())))[3:] == [256, 1, 1]
    assert sizes(lower(row_sums(100_000, 64, down=True), IDS))[3:] == [128, 1, 1]  # enough sums: one work item each


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("rows", [0, 1, 3, 33])
@pytest.mark.parametrize("columns", [0, 1, 31, 100])
def test_sizes_known_at_the_launch(rows: int, columns: int, down: bool) -> None:
    linear = lower(row_sums(*(UOp.variable(v, 0, 1 << 20) for v in "mn"), down=down), IDS)
    a, out = f32(rows, columns) if not down else f32(columns, rows), np.full(rows, 7, np.float32)
    run_groups(linear, [out, a.reshape(-1)], {"m": rows, "n": columns})
    np.testing.assert_allclose(out, a.sum(0 if down else 1), atol=1e-4)


@pytest.mark.parametrize("name", ["softmax", "softmax_one_axis", "layernorm", "sum_all", "argmax_rows", "csr_spmv", "ragged_row_sums"])
def test_groups_meet_and_do_not_race(name: str) -> None:
    case = CASES[name]()
    linear, buffers = lower(case.ast, IDS), case.fresh()
    assert barriers(linear) > 0
    run_groups(linear, buffers, case.vals)
    case.check(buffers)


@pytest.mark.parametrize("make", [random_case, random_product])
def test_random_kernels_on_simulated_groups(make: object) -> None:
    for seed in range(3):
        case = make(seed)  # type: ignore[operator]
        buffers = case.fresh()
        run_groups(lower(case.ast, IDS), buffers, case.vals)
        case.check(buffers)


def test_reductions_of_one_loop_share_loop_and_barriers() -> None:
    i, j = axes(100, 1000)
    x = p(2, "a")[i * 1000 + j].load()
    both = UOp.sink(p(0, "sums")[i].store(x.sum(j)), p(1, "squares")[i].store((x * x).sum(j)), name="both")
    one = lower(row_sums(100, 1000), IDS)
    assert barriers(lower(both, IDS)) == barriers(one)
    assert sum(u.op is Op.RANGE for u in lower(both, IDS).src) == sum(u.op is Op.RANGE for u in one.src)


def test_buffers_that_are_one_are_read_before_they_are_written() -> None:
    i, j = axes(9, 40)
    total = p(2, "a")[i * 40 + j].load().sum(j)
    old = p(3, "b")[i].load()
    linear = lower(UOp.sink(p(0, "x")[i].store(total + old), p(1, "y")[i].store(total - old), name="both"), IDS)
    a, b, y = f32(9, 40), f32(9), np.zeros(9, np.float32)
    old_b = b.copy()
    run_groups(linear, [b, y, a.reshape(-1), b])
    np.testing.assert_allclose(b, a.sum(1) + old_b, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(y, a.sum(1) - old_b, rtol=1e-5, atol=1e-5)


def test_a_launch_with_few_groups_does_all_rows() -> None:
    target = opencl_target(None)
    few = Context(replace(target, limits=replace(target.limits, grid=(4, 2, 2))), Config())
    h, i, j = axes(3, 7, 100)
    ast = UOp.sink(p(0, "out")[h * 7 + i].store(p(1, "a")[(h * 7 + i) * 100 + j].load().sum(j)), name="few")
    linear = lower(ast, few)
    assert sizes(linear)[:3] == [4, 1, 1]
    a, out = f32(3, 7, 100), np.zeros(21, np.float32)
    run_groups(linear, [out, a.reshape(-1)])
    np.testing.assert_allclose(out, a.sum(2).reshape(-1), atol=1e-4)


def test_groups_fit_what_the_device_has() -> None:
    target = opencl_target(None)
    small = replace(target, limits=replace(target.limits, block=(64, 64, 1), threads=64, shared_bytes=512))
    x, y, z = sizes(lower(row_sums(10, 100_000), Context(small, Config())))[3:]
    assert x * y * z <= 64
    none = replace(target, limits=replace(target.limits, shared_bytes=0))
    assert barriers(lower(row_sums(10, 100_000), Context(none, Config()))) == 0
