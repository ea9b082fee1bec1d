"""What of the order of effects has to stay, as facts about small kernels. That schedules keep it is tested in test_schedule.py."""
from __future__ import annotations

import numpy as np
import pytest

from svod import Device, UOp, dtypes
from svod.codegen.closers import normalize, pin_loads, separate_axes
from svod.codegen.order import check_order, order_of
from svod.codegen.schedule import parse_opt
from svod.errors import ScheduleError
from svod.testing.kernels import axes, p

N = UOp.variable("n", 0, 200)


def closed(*effects: UOp) -> UOp:
    return pin_loads(separate_axes(normalize(UOp.sink(*effects, name="order"))))


def overlapping() -> UOp:
    i, j = axes(64, 48)
    return closed(p(0, "out")[i + j].store(p(1, "a")[j * 64 + i].load()))


def refused(sink: UOp, *texts: str) -> list[str]:
    order = order_of(sink)
    return [t for t in texts if order.refuses(parse_opt(t), sink)]


def test_stores_that_meet_stay_in_order_but_for_the_innermost_loop() -> None:
    opts = ("VECTOR(0)", "UNROLL(0)", "SWAP(0 with 1)", "MERGE(0 with 1)", "PARALLEL(0)", "PARALLEL(1)", "VECTOR(1)", "UNROLL(1)")
    assert refused(overlapping(), *opts) == list(opts[:6])


def test_what_the_innermost_loop_is_cut_into_may_be_copied_but_goes_nowhere() -> None:
    sink = overlapping()
    check_order(sink, tuple(map(parse_opt, ("SPLIT(1 by 16)", "SPLIT(1.1 by 4)", "UNROLL(1.1.0)", "VECTOR(1.1.1)"))), 2)
    for text in ("PARALLEL(1.0)", "SWAP(1.0 with 0)", "SWAP(1.1 with 0)"):
        with pytest.raises(ScheduleError, match="depend on one another"):
            check_order(sink, tuple(map(parse_opt, ("SPLIT(1 by 16)", text))), 2)


@pytest.mark.parametrize("columns", [N, 7], ids=["symbolic", "constant"])
def test_rows_that_are_as_long_as_their_loop_never_meet(columns: UOp | int) -> None:
    i, j = axes(UOp.variable("m", 0, 1 << 20), columns)
    sink = closed(p(0, "out")[i * columns + j].store(p(1, "a")[j].load()))
    assert refused(sink, "PARALLEL(0)", "PARALLEL(1)", "UNROLL(0)", "VECTOR(1)", "SWAP(0 with 1)") == []


def test_rows_that_may_be_shorter_than_their_loop_may_meet() -> None:
    i, j = axes(64, N)
    assert refused(closed(p(0, "out")[i * 17 + j].store(1.0)), "PARALLEL(0)", "UNROLL(0)", "VECTOR(1)") == ["PARALLEL(0)", "UNROLL(0)"]


def test_of_two_equal_steps_the_shorter_loop_is_inside_in_any_order() -> None:
    i, j = axes(UOp.variable("m", 0, 128), UOp.variable("k", 0, 1))
    assert refused(closed(p(0, "out")[i + j].store(1.0)), "PARALLEL(0)", "VECTOR(0)") == []
    j, i = axes(UOp.variable("k", 0, 1), UOp.variable("m", 0, 128))
    assert refused(closed(p(0, "out")[i + j].store(1.0)), "PARALLEL(1)", "VECTOR(1)") == []


def test_two_stores_in_one_loop_stay_beside_each_other() -> None:
    i, j = axes(8, 8)
    out = p(0, "out", dtypes.i64)
    sink = closed(UOp.group(out[i + j].store(1), out[i + j].store(2)).end(i, j))
    assert refused(sink, "VECTOR(1)", "UNROLL(1)", "PARALLEL(0)") == ["VECTOR(1)", "UNROLL(1)", "PARALLEL(0)"]


def test_a_barrier_comes_between_no_effects_that_use_one_memory() -> None:
    """The panel's barrier, and what the third loop waits for behind it, would come before the first loop, which nobody waits for."""
    i, j, k = axes(8, 8, 8)
    out = p(0, "out")
    first, second = out[i].store(out[i].load() + 1.0).end(i), out[j * 2].store(p(1, "a")[j].load()).end(j)
    sink = closed(first, second, out[k + 1].store(out[k].load()).end(k))
    assert refused(sink, "STAGE(1 by 1 shared)", "STAGE(1 by 1)", "PARALLEL(1)") == ["STAGE(1 by 1 shared)", "PARALLEL(1)"]
    with pytest.raises(ScheduleError, match="effects of the kernel use one memory"):
        check_order(sink, (parse_opt("STAGE(1 by 1 shared)"),), 2)
    assert not refused(closed(second), "STAGE(1 by 1 shared)")


def test_a_carried_value_is_not_peeled_twice_into_remainders_of_one_iteration() -> None:
    """Their reads of it would be one and the same node, done once."""
    cell, out, i = UOp.memory(0, dtypes.i64, 1, name="cell"), UOp.param(0, dtypes.i64, name="out"), UOp.range(12, 0)
    now = cell.after(cell[0].store(1), i)
    sums = now[0].load() + out[i + 12].load()
    scan = UOp.sink(UOp.group(now[0].store(sums), out[i].store(sums)).end(i), name="scan")
    data, want = np.arange(24), np.cumsum(np.arange(12, 24)) + 1
    for opts, fine in ((["SPLIT(0 by 5 peel)"], True), (["SPLIT(0 by 12)", "SPLIT(0.1 by 5 peel)", "SPLIT(0.1.1 by 4 peel)"], False)):
        got = data.copy()
        if fine:
            Device("INTERP").compile(scan, opts=[parse_opt(o) for o in opts]).execute([got], [])
            assert got[:12].tolist() == want.tolist()
        else:
            with pytest.raises(ScheduleError, match="reads what the one before it left"):
                Device("INTERP").compile(scan, opts=[parse_opt(o) for o in opts])
