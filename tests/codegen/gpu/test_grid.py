"""Loops as a grid of work items: which, in groups of what shape, all inside the guard; what depends on its order stays a loop."""
from __future__ import annotations

import pytest

from svod import Config, UOp
from svod.codegen.pipeline import Context, lower
from svod.device.opencl.backend import opencl_target
from svod.ir.ops import Op
from svod.target.abi import describe
from svod.testing.kernels import CASES, axes, p

IDS = Context(opencl_target(None), Config())


def sizes(linear: UOp) -> list[int]:
    """Groups, and work items of a group, along each axis."""
    meta = describe(linear)
    return [int(s.arg.value) for s in (*meta.global_size, *(meta.local_size or ()))]


def copied(rows: int, columns: int) -> UOp:
    i, j = axes(rows, columns)
    return UOp.sink(p(0, "out")[i * columns + j].store(p(1, "a")[i * columns + j].load()), name="copied")


def test_the_axis_along_which_memory_is_contiguous_is_axis_0() -> None:
    assert sizes(lower(copied(7, 1000), IDS)) == [8, 7, 1, 128, 1, 1]
    i, j = axes(1000, 7)
    transposed = UOp.sink(p(0, "out")[j * 1000 + i].store(p(1, "a")[i * 7 + j].load()), name="transposed")
    assert sizes(lower(transposed, IDS)) == [8, 7, 1, 128, 1, 1]


def test_a_short_axis_leaves_work_items_to_the_next() -> None:
    assert sizes(lower(copied(1000, 16), IDS)) == [1, 125, 1, 16, 8, 1]


def test_full_groups_need_no_guard() -> None:
    assert [u.op for u in lower(copied(8, 256), IDS).src if u.op is Op.IF] == []
    assert [u.op for u in lower(copied(8, 257), IDS).src if u.op is Op.IF] == [Op.IF]


@pytest.mark.parametrize("name", ["csr_spmv", "ragged_row_sums", "softmax"])
def test_every_access_is_inside_the_guard(name: str) -> None:
    linear = lower(CASES[name]().ast, IDS)
    first = next(k for k, u in enumerate(linear.src) if u.op is Op.IF)
    assert not [u for u in linear.src[:first] if u.op in (Op.LOAD, Op.STORE)]
    assert linear.src[-1].op is Op.ENDIF


@pytest.mark.parametrize("name", ["prefix_sum", "recurrence_in_place", "scatter_last_wins", "histogram_atomic", "scratch_buffer"])
def test_what_depends_on_its_order_is_one_work_item(name: str) -> None:
    assert sizes(lower(CASES[name]().ast, IDS)) == [1] * 6


def test_sums_into_one_element_are_one_work_items_own() -> None:
    assert sizes(lower(CASES["accumulate_columns"]().ast, IDS))[1:3] == [1, 1]
