"""Schedules by hand on work items: applied as they say, or refused by the name of an Opt."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from svod import Config, UOp
from svod.codegen.pipeline import Context, lower
from svod.codegen.schedule import parse_opt
from svod.device.opencl.backend import opencl_target
from svod.errors import ScheduleError
from svod.ir.ops import Op
from svod.target.abi import describe
from svod.testing.groups import run_groups
from svod.testing.kernels import axes, f32, p

TARGET = replace(opencl_target(None), vector_bits=0)


def lowered(ast: UOp, *opts: str) -> UOp:
    return lower(ast.replace(arg=replace(ast.arg, opts=tuple(map(parse_opt, opts)))), Context(TARGET, Config()))


def sizes(linear: UOp) -> list[int]:
    meta = describe(linear)
    return [int(s.arg.value) for s in (*meta.global_size, *(meta.local_size or ()))]


def doubled() -> UOp:
    i, j = axes(30, 50)
    return UOp.sink(p(0, "out")[i * 50 + j].store(p(1, "a")[i * 50 + j].load() * 2.0), name="doubled")


def sums() -> UOp:
    i, j = axes(20, 90)
    return UOp.sink(p(0, "out")[i].store(p(1, "a")[i * 90 + j].load().sum(j)), name="sums")


@pytest.mark.parametrize(("opts", "wanted"), [
    (["PARALLEL(0 by 4)"], [8, 1, 1, 4, 1, 1]),
    (["PARALLEL(1 by 16)", "PARALLEL(0 by 2)"], [4, 15, 1, 16, 2, 1]),
    (["SPLIT(1 by 4 mask)", "UNROLL(1.1)"], [1, 4, 1, 16, 8, 1]),
    (["SPLIT(1 by 5)", "UNROLL(1.1)", "PARALLEL(1.0 by 8)"], [2, 1, 1, 8, 1, 1]),
    (["MERGE(0 with 1)", "PARALLEL(0.0)"], [12, 1, 1, 128, 1, 1]),
    ([], [1, 15, 1, 64, 2, 1]),
])
def test_loops_are_spread_as_the_schedule_says(opts: list[str], wanted: list[int]) -> None:
    linear = lowered(doubled(), *opts)
    assert sizes(linear) == wanted
    a, out = f32(30, 50), np.zeros((30, 50), np.float32)
    run_groups(linear, [out, a])
    np.testing.assert_array_equal(out, a * 2)


@pytest.mark.parametrize(("opts", "wanted"), [
    (["GROUP(1 by 32)"], [20, 1, 1, 32, 1, 1]), (["PARALLEL(0)", "GROUP(1)"], [20, 1, 1, 128, 1, 1]),
    (["SPLIT(1 by 9)", "INTERLEAVE(1.1)"], [1, 1, 1, 32, 1, 1]),
    (["SPLIT(1 by 9)", "UNROLL(1.1)", "PARALLEL(0 by 8)"], [3, 1, 1, 8, 1, 1])])
def test_reductions_are_shared_or_unrolled(opts: list[str], wanted: list[int]) -> None:
    linear = lowered(sums(), *opts)
    assert sizes(linear) == wanted
    a, out = f32(20, 90), np.zeros(20, np.float32)
    run_groups(linear, [out, a])
    np.testing.assert_allclose(out, a.sum(1), atol=1e-5)


@pytest.mark.parametrize(("opts", "said"), [
    (["VECTOR(1)"], r"VECTOR\(1\): target opencl has no vectors"),
    (["STAGE(0 by 1)"], r"STAGE\(0 by 1\): target opencl has no cores with memory of their own"),
    (["PARALLEL(7)"], r"PARALLEL\(7\): the kernel has no axis 7"),
    (["PARALLEL(0 by 5000)"], r"a group of opencl has at most 256 work items"),
    (["PARALLEL(0)", "SPLIT(0 by 2)"], r"SPLIT\(0 by 2\): axis 0 is spread over the grid already"),
    (["SPLIT(1 by 10)", "UNROLL(1.1)", "PARALLEL(1.1)"], r"PARALLEL\(1.1\): the axis is marked UNROLL already"),
    (["SPLIT(0 by 7 peel)", "PARALLEL(0.0)"], r"PARALLEL\(0.0\): the axis is not a loop around all"),
    (["SPLIT(0 by 7 peel)"], r"SPLIT\(0 by 7 peel\): the schedule leaves all of the kernel to one work item"),
    (["GROUP(0)"], r"GROUP\(0\): the axis is not reduced"),
    (["MMA(0)"], r"MMA\(0\): matrix units are not chosen by an Opt"),
])
def test_what_does_not_fit_is_refused_by_name(opts: list[str], said: str) -> None:
    with pytest.raises(ScheduleError, match=said):
        lowered(doubled(), *opts)


@pytest.mark.parametrize(("opts", "said"), [
    (["PARALLEL(1)"], r"PARALLEL\(1\): the axis is reduced"),
    (["GROUP(1 by 24)"], r"GROUP\(1 by 24\): 24 work items"),
    (["GROUP(1)", "UNROLL(1)"], r"UNROLL\(1\): nothing but PARALLEL goes with GROUP\(1\)"),
    (["PARALLEL(0 by 4)", "GROUP(1)"], r"PARALLEL\(0 by 4\): the axis is not one of rows"),
])
def test_what_does_not_go_with_a_reduction(opts: list[str], said: str) -> None:
    with pytest.raises(ScheduleError, match=said):
        lowered(sums(), *opts)


def test_an_order_that_matters_stays() -> None:
    (i,) = axes(100)
    shift = UOp.sink(p(0, "out")[i + 1].store(p(0, "out")[i].load()).end(i), name="shift")
    with pytest.raises(ScheduleError, match="iterations of the axis depend on one another"):
        lowered(shift, "PARALLEL(0)")


def test_a_launch_with_few_groups_does_all_iterations() -> None:
    few = replace(TARGET, limits=replace(TARGET.limits, grid=(2, 3, 1)))
    for ast, shape in ((doubled(), (30, 50)),):
        linear = lower(ast, Context(few, Config()))
        assert sizes(linear)[:3] == [1, 3, 1]
        a, out = f32(*shape), np.zeros(shape, np.float32)
        run_groups(linear, [out, a])
        np.testing.assert_array_equal(out, a * 2)
    n = UOp.variable("n", 0, 1 << 30)
    (i,) = axes(n)
    linear = lower(UOp.sink(p(0, "out")[i].store(p(1, "a")[i].load() * 2.0), name="lengthy"), Context(few, Config()))
    assert any(u.op is Op.RANGE for u in linear.src)
    for size in (0, 100, 256, 1000):
        a, out = f32(1000), np.zeros(1000, np.float32)
        run_groups(linear, [out, a], {"n": size})
        np.testing.assert_array_equal(out, np.where(np.arange(1000) < size, a * 2, 0))
