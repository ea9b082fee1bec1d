"""Kernels of several effects on groups of work items: side by side where they can be, one after the other in one group where they must."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from svod import Config, UOp
from svod.codegen.pipeline import Context, lower
from svod.device.opencl.backend import opencl_target
from svod.ir.ops import Op
from svod.ir.spec import LINEAR, verify
from svod.renderers.phases import item_phases
from svod.target.abi import describe
from svod.testing.groups import run_groups
from svod.testing.kernels import CASES, axes, f32, p
from svod.testing.random_effects import effect_case

IDS = Context(replace(opencl_target(None), vector_bits=0), Config())


def sizes(linear: UOp) -> tuple[int, int]:
    """Groups, and work items of a group, along axis 0."""
    meta = describe(linear)
    assert meta.local_size is not None
    return int(meta.global_size[0].arg.value), int(meta.local_size[0].arg.value)


def test_effects_that_have_nothing_to_do_with_one_another_share_a_launch() -> None:
    i, j, k = axes(1000, 3000, 500)
    ast = UOp.sink(p(0, "x")[i].store(p(3, "a")[i].load() * 2.0).end(i), p(1, "y")[j].store(p(4, "b")[j].load() + 1.0).end(j),
                   p(2, "z")[0].store(p(3, "a")[k].load().sum(k)), name="three")
    linear = lower(ast, IDS)
    assert sizes(linear) == (12, 256)
    a, b = f32(1000), f32(3000, seed=1)
    x, y, z = np.zeros(1000, np.float32), np.zeros(3000, np.float32), np.zeros(1, np.float32)
    run_groups(linear, [x, y, z, a, b])
    np.testing.assert_array_equal(x, a * 2)
    np.testing.assert_array_equal(y, b + 1)
    np.testing.assert_allclose(z[0], a[:500].sum(), rtol=1e-5, atol=1e-5)


def test_two_results_of_one_vector() -> None:
    i, j = axes(5000, 5000)
    ast = UOp.sink(p(0, "s")[0].store(p(2, "a")[i].load().sum(i)), p(1, "m")[0].store(p(2, "a")[j].load().max(j)), name="both")
    linear = lower(ast, IDS)
    assert sizes(linear) == (1, 256)
    a, s, m = f32(5000), np.zeros(1, np.float32), np.zeros(1, np.float32)
    run_groups(linear, [s, m, a])
    np.testing.assert_allclose(s[0], a.sum(dtype=np.float64), atol=1e-3)
    assert m[0] == a.max()


@pytest.mark.parametrize("name", ["same_range_twice"])
def test_what_waits_is_done_by_one_group_with_a_barrier(name: str) -> None:
    case = CASES[name]()
    linear, buffers = lower(case.ast, IDS), case.fresh()
    assert sizes(linear) == (1, 256)
    assert sum(u.op is Op.BARRIER for u in linear.src) == 1
    run_groups(linear, buffers, case.vals)
    case.check(buffers)


def test_what_waits_is_a_phase_where_there_is_much_of_it() -> None:
    case = CASES["two_passes_through_memory"]()
    linear, buffers = lower(case.ast, IDS), case.fresh()
    assert sizes(linear) == (196, 256)
    assert len(item_phases(linear)) == 2
    run_groups(linear, buffers, case.vals)
    case.check(buffers)
    (group,) = item_phases(lower(case.ast, Context(replace(IDS.target, phases=False), Config())))
    assert sum(u.op is Op.BARRIER for u in group) == 1


def test_phases_of_a_sum_and_of_what_waits_for_it() -> None:
    n = 50_000
    i, j, k = axes(n, n, n)
    t, s = p(1, "t"), p(2, "s")
    twice = t[i].store(p(3, "a")[i].load() * 2.0).end(i)
    summed = s[0].store(t.after(twice)[j].load().sum(j))
    ast = UOp.sink(p(0, "out")[k].store(t.after(twice)[k * -1 + (n - 1)].load() / s.after(summed)[0].load()).end(k), name="chain")
    linear = lower(ast, IDS)
    verify(linear, LINEAR)
    assert len(item_phases(linear)) == 4
    a = f32(n) + np.float32(1)
    buffers = [np.zeros(n, np.float32), np.zeros(n, np.float32), np.zeros(1, np.float32), a]
    run_groups(linear, buffers)
    np.testing.assert_allclose(buffers[0], a[::-1] / a.sum(dtype=np.float64), rtol=1e-4)


def test_a_length_that_the_launch_knows() -> None:
    n = UOp.variable("n", 0, 1 << 24)
    i, j = axes(n, n)
    twice = p(1, "t")[i].store(p(2, "a")[i].load() * 2.0).end(i)
    linear = lower(UOp.sink(p(0, "out")[j].store(p(1, "t").after(twice)[n - 1 - j].load()), name="turned"), IDS)
    assert len(item_phases(linear)) == 2
    for size in (0, 1, 700):
        a = f32(size)
        out, t = np.zeros(size, np.float32), np.zeros(size, np.float32)
        run_groups(linear, [out, t, a], {"n": size})
        np.testing.assert_array_equal(out, a[::-1] * 2)


def test_a_row_sum_that_is_used_afterwards() -> None:
    i, j, k, q = axes(6, 50, 6, 50)
    sums = p(1, "t")[i].store(p(2, "a")[i * 50 + j].load().sum(j)).end(i)
    ast = UOp.sink(p(0, "out")[k * 50 + q].store(p(1, "t").after(sums)[5 - k].load() + p(2, "a")[k * 50 + q].load()), name="chained")
    linear = lower(ast, IDS)
    a, t, out = f32(6, 50), np.zeros(6, np.float32), np.zeros((6, 50), np.float32)
    run_groups(linear, [out, t, a])
    np.testing.assert_allclose(out, a + a.sum(1)[::-1, None], rtol=1e-4, atol=1e-4)


def test_random_effects_on_simulated_groups() -> None:
    shared = 0
    for seed in range(40):
        case = effect_case(seed)
        linear = lower(case.ast, IDS)
        if next(linear.find(Op.ATOMIC), None) is None:
            buffers = case.fresh()
            shared += run_groups(linear, buffers, case.vals) > 1
            case.check(buffers)
    assert shared > 0
