"""Who does what on several cores: shares, core 0 alone, barriers between passes."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import svod
from svod import Config, UOp, dtypes
from svod.codegen.distribute import ALONE, distribute
from svod.ir.args import AxisKind, BarrierScope
from svod.ir.ops import Op
from svod.testing.kernels import CASES, axes, p

Lower = Callable[..., UOp]


def doubled_and_flagged(n: int = 64) -> UOp:
    """A loop, and one store that no loop is around."""
    (i,) = axes(n)
    return UOp.sink(p(0, "out")[i].store(p(2, "a")[i].load() * 2.0).end(i), p(1, "flag")[0].store(p(2, "a")[3].load()), name="flagged")


def passes(n: int = 4096) -> UOp:
    """The second pass reads backwards what the first has written."""
    i, j = axes(n, n)
    first = p(1, "t")[i].store(p(2, "a")[i].load() * 2.0).end(i)
    return UOp.sink(p(0, "out")[j].store(p(1, "t").after(first)[j * -1 + (n - 1)].load()), name="passes")


def test_a_kernel_of_one_core_is_left_alone(lower_to: Lower) -> None:
    before = lower_to(doubled_and_flagged(), "apply-schedule", [])
    assert distribute(before) is before


def test_what_is_not_spread_is_done_by_core_0(lower_to: Lower) -> None:
    linear = lower_to(doubled_and_flagged(), opts=["PARALLEL(0)"])
    (alone,) = {r for r in linear.find(Op.RANGE) if r.arg.path == ALONE}
    assert {r.arg.kind for r in linear.find(Op.RANGE) if r is not alone} == {AxisKind.PARALLEL}
    inside = linear.src[linear.src.index(alone):]
    assert [u.src[0].src[0].arg.name for u in inside if u.op is Op.STORE] == ["flag"]


def test_passes_have_a_grid_barrier_between_them(lower_to: Lower) -> None:
    linear = lower_to(passes(), opts=["PARALLEL(0)", "PARALLEL(1)"])
    at = [k for k, u in enumerate(linear.src) if u.op is Op.BARRIER]
    assert [linear.src[k].arg for k in at] == [BarrierScope.GRID]
    stores = [(k, u.src[0].src[0]) for k, u in enumerate(linear.src) if u.op is Op.STORE]
    assert [k < at[0] for k, _ in stores] == [True, False]


def test_what_is_written_where_a_shared_panel_says_is_done_by_core_0(lower_to: Lower) -> None:
    """All cores fill the panel; the loop that looks its elements up is no share of a core's."""
    (i,) = axes(64)
    out = p(0, "out")
    at = p(1, "table", dtypes.i32)[i].load()
    scatter = UOp.sink(out[at].store(out[at].load() + p(2, "a")[i].load()), name="scatter")
    linear = lower_to(scatter, opts=["STAGE(0 by 1 shared)"])
    (alone,) = {r for r in linear.find(Op.RANGE) if r.arg.path == ALONE}
    (barrier,) = [k for k, u in enumerate(linear.src) if u.op is Op.BARRIER]
    (store,) = [k for k, u in enumerate(linear.src) if u.op is Op.STORE and u.src[0].src[0].arg.name == "out"]
    assert barrier < linear.src.index(alone) < store


def test_without_cores_passes_need_no_barrier(lower_to: Lower) -> None:
    assert not [u for u in lower_to(passes(), opts=[]).src if u.op is Op.BARRIER]


@pytest.mark.parametrize("spread", [("PARALLEL(0)",), ("PARALLEL(1)",), ("PARALLEL(0)", "PARALLEL(1)")], ids=" ".join)
def test_passes_see_one_another(spread: tuple[str, ...]) -> None:
    a = np.arange(4096, dtype=np.float32)
    with svod.override(config=Config(threads=3)):
        program = svod.Device("CPU").compile(passes(), opts=[svod.codegen.schedule.parse_opt(s) for s in spread])
        for _ in range(20):
            out, t = np.zeros_like(a), np.zeros_like(a)
            program(out, t, a)
            assert np.array_equal(out, (a * 2)[::-1])
    assert program.compiled.needs.phases == 2


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("name", ["two_passes_through_memory", "normalize_whole", "same_range_twice", "scatter_last_wins", "sum_axes"])
def test_any_number_of_cores_gives_the_result(name: str, threads: int) -> None:
    with svod.override(config=Config(threads=threads)):
        case = CASES[name]()
        buffers = case.fresh()
        svod.Device("CPU").compile(case.ast).execute(buffers, case.vals)
        case.check(buffers)
