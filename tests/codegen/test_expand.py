"""Marked axes become lanes, accumulators and copies."""
from __future__ import annotations

from collections.abc import Callable

import pytest

from svod import UOp, dtypes
from svod.codegen.expand import copies, tree
from svod.errors import ScheduleError
from svod.ir.args import AxisKind
from svod.ir.ops import Op
from svod.testing.kernels import axes, p

Lower = Callable[..., UOp]
EXPANDED = {AxisKind.VECTOR, AxisKind.INTERLEAVE}


def scaled(n: int = 16) -> UOp:
    (i,) = axes(n)
    return UOp.sink(p(0, "out")[i].store(p(1, "a")[i].load() * 2.0), name="scaled")


def total(n: int = 24) -> UOp:
    (i,) = axes(n)
    return UOp.sink(p(0, "out")[0].store(p(1, "a")[i].load().sum(i)), name="total")


def test_a_vector_axis_becomes_lanes(lower_to: Lower) -> None:
    expanded = lower_to(scaled(), "expand-axes", ["SPLIT(0 by 8)", "VECTOR(0.1)"])
    (store,) = expanded.find(Op.STORE)
    assert store.src[0].src[1].dtype == dtypes.index.vec(8)
    assert store.src[1].dtype == dtypes.f32.vec(8)
    assert [r.arg.path for r in expanded.find(Op.RANGE)] == [(0, 0)]


def test_an_unrolled_axis_becomes_copies_of_the_store(lower_to: Lower) -> None:
    expanded = lower_to(scaled(), "expand-axes", ["SPLIT(0 by 4)", "UNROLL(0.1)"])
    assert len(list(expanded.find(Op.STORE))) == 4
    assert [r.arg.path for r in expanded.find(Op.RANGE)] == [(0, 0)]


def test_a_reduced_vector_axis_is_combined_by_lanes(lower_to: Lower) -> None:
    expanded = lower_to(total(), "expand-axes", ["SPLIT(0 by 8)", "VECTOR(0.1)"])
    (lanes,) = expanded.find(Op.LANES)
    assert lanes.arg is Op.ADD
    assert lanes.src[0].op is Op.REDUCE
    assert lanes.src[0].dtype == dtypes.f32.vec(8)


def test_an_interleaved_axis_becomes_reductions_side_by_side(lower_to: Lower) -> None:
    expanded = lower_to(total(), "expand-axes", ["SPLIT(0 by 6)", "INTERLEAVE(0.1)"])
    assert len(list(expanded.find(Op.REDUCE))) == 6
    assert not [r for r in expanded.find(Op.RANGE) if r.arg.kind in EXPANDED]


def test_a_value_that_does_not_move_counts_once_for_each_lane(lower_to: Lower) -> None:
    (i,) = axes(16)
    ast = UOp.sink(p(0, "out")[0].store(p(1, "a")[0].load().sum(i)), name="still")
    expanded = lower_to(ast, "expand-axes", ["SPLIT(0 by 8)", "VECTOR(0.1)"])
    assert all(r.dtype.lanes == 8 for r in expanded.find(Op.REDUCE))


@pytest.mark.parametrize(("n", "depth"), [(1, 0), (2, 1), (3, 2), (5, 3), (8, 3)])
def test_a_tree_is_balanced_and_keeps_its_order(n: int, depth: int) -> None:
    values = [UOp.scalar(f"v{k}", dtypes.f32) for k in range(n)]
    root = tree(Op.ADD, values)

    def height(u: UOp) -> int:
        return 1 + max(map(height, u.src)) if u.op is Op.ADD else 0

    def leaves(u: UOp) -> list[UOp]:
        return [x for s in u.src for x in leaves(s)] if u.op is Op.ADD else [u]

    assert height(root) == depth
    assert leaves(root) == values


def test_copies_substitute_every_value_of_the_axis() -> None:
    (i,) = axes(3)
    assert [c.arg.value for c in copies(i, i)] == [0, 1, 2]


def test_a_vector_axis_that_bounds_a_loop_is_refused(lower_to: Lower) -> None:
    i = UOp.range(8, 0)
    j = UOp.range(i + 1, 1)
    ast = UOp.sink(p(0, "out")[i * 8 + j].store(1.0), name="triangle")
    with pytest.raises(ScheduleError, match="no longer a loop around it"):
        lower_to(ast, "expand-axes", ["VECTOR(0)"])
