"""Loops as a grid of work items: which, in groups of what shape, all inside the guard; what depends on its order stays a loop."""
from __future__ import annotations

from dataclasses import replace

import pytest

from svod import Config, UOp
from svod.codegen.pipeline import Context, lower
from svod.device.opencl.backend import opencl_target
from svod.dtype import dtypes
from svod.ir.args import AtomicKind
from svod.ir.ops import Op
from svod.target.abi import describe
from svod.testing.kernels import CASES, axes, p

IDS = Context(replace(opencl_target(None), vector_bits=0), Config())


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


@pytest.mark.parametrize("name", ["accumulate_columns_wide", "strided_view", "stencil_guarded"])
def test_every_access_is_inside_the_guard(name: str) -> None:
    linear = lower(CASES[name]().ast, IDS)
    first = next(k for k, u in enumerate(linear.src) if u.op is Op.IF)
    assert not [u for u in linear.src[:first] if u.op in (Op.LOAD, Op.STORE)]
    assert linear.src[-1].op is Op.ENDIF


@pytest.mark.parametrize("name", ["prefix_sum", "recurrence_in_place", "scatter_last_wins", "scratch_buffer"])
def test_what_depends_on_its_order_is_one_work_item(name: str) -> None:
    assert sizes(lower(CASES[name]().ast, IDS)) == [1] * 6


def test_sums_into_one_element_are_one_work_items_own() -> None:
    assert sizes(lower(CASES["accumulate_columns"]().ast, IDS))[1:3] == [1, 1]


def test_vectors_where_the_target_has_them_and_extents_allow() -> None:
    wide = Context(replace(opencl_target(None), vector_bits=128), Config())
    linear = lower(copied(8, 1024), wide)
    assert sizes(linear) == [2, 8, 1, 128, 1, 1]
    assert {u.dtype.lanes for u in linear.src if u.op is Op.LOAD} == {4}
    assert {u.src[1].dtype.lanes for u in linear.src if u.op is Op.STORE} == {4}
    for other, context in ((copied(8, 1023), wide), (copied(8, 1024), IDS)):
        assert {u.dtype.lanes for u in lower(other, context).src if u.op is Op.LOAD} == {1}
    narrow = UOp.param(0, dtypes.f16, name="out"), UOp.param(1, dtypes.f16, name="a")
    (i,) = axes(4096)
    halves = lower(UOp.sink(narrow[0][i].store(narrow[1][i].load()), name="halves"), wide)
    assert {u.dtype.lanes for u in halves.src if u.op is Op.LOAD} == {8}


def test_whole_numbers_are_counted_by_all_work_items() -> None:
    assert sizes(lower(CASES["histogram_atomic"]().ast, IDS)) == [2, 1, 1, 128, 1, 1]
    (i,) = axes(200)
    total = UOp.sink(p(0, "out")[0].atomic(AtomicKind.ADD, p(1, "a")[i].load()), name="total")
    assert sizes(lower(total, IDS)) == [1] * 6  # the order of a float sum would show
    last = UOp.param(0, dtypes.i32, name="last")
    exchanged = UOp.sink(last[0].atomic(AtomicKind.EXCHANGE, i.cast(dtypes.i32)), name="exchanged")
    assert sizes(lower(exchanged, IDS)) == [1] * 6
