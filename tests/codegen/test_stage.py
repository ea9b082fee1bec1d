"""STAGE: panels of scratch memory, their size and layout."""
from __future__ import annotations

from collections.abc import Callable

import pytest

from svod import AddrSpace, UOp
from svod.codegen.schedule import Opt, OptKind
from svod.codegen.stage import stage_operand, stride
from svod.dtype import PtrDType
from svod.errors import ScheduleError
from svod.ir.ops import Op
from svod.testing.kernels import axes, p

Lower = Callable[..., UOp]
M, N, K = 12, 40, 32


def matmul(k: UOp | int = K) -> UOp:
    i, j, q = axes(M, N, k)
    return UOp.sink(p(0, "out")[i * N + j].store((p(1, "a")[i * k + q].load() * p(2, "b")[q * N + j].load()).sum(q)), name="mm")


def panels(sink: UOp) -> list[UOp]:
    return [u for u in sink.find(Op.DEFINE_LOCAL) if isinstance(u.dtype, PtrDType) and u.dtype.space is AddrSpace.LOCAL]


def test_the_panel_holds_what_the_body_reads(lower_to: Lower) -> None:
    staged = lower_to(matmul(), "apply-schedule", ["SPLIT(1 by 8)", "STAGE(1.0 by 2)"])
    (panel,) = panels(staged)
    assert (panel.arg.size, panel.arg.name) == (K * 8, "panel2")


def test_the_panel_is_dense_in_the_order_of_the_source(lower_to: Lower) -> None:
    staged = lower_to(matmul(), "apply-schedule", ["SPLIT(1 by 8)", "STAGE(1.0 by 2)"])
    (panel,) = panels(staged)
    (fill,) = [u for u in staged.find(Op.STORE) if u.src[0].src[0] is panel]
    q, jj = sorted((r for r in fill.src[0].src[1].find(Op.RANGE)), key=lambda r: r.arg.path)
    source = fill.src[1].src[0].src[1]
    assert [stride(fill.src[0].src[1], r) for r in (q, jj)] == [8, 1]
    assert [stride(source, r) for r in (q, jj)] == [N, 1]
    (read,) = [u for u in staged.find(Op.LOAD) if u.src[0].src[0].op is Op.AFTER and u.src[0].src[0].src[0] is panel]
    assert sorted(stride(read.src[0].src[1], r) for r in read.src[0].src[1].find(Op.RANGE)) == [1, 8]


def test_only_the_panel_is_read_by_the_body(lower_to: Lower) -> None:
    staged = lower_to(matmul(), "apply-schedule", ["SPLIT(1 by 8)", "STAGE(1.0 by 2)"])
    (reduction,) = staged.find(Op.REDUCE)
    read = {u.src[0].src[0].op for u in reduction.src[0].toposort(lambda u: u.op is not Op.AFTER) if u.op is Op.LOAD}
    assert read == {Op.PARAM, Op.AFTER}
    assert {u.src[0].src[0].arg.slot for u in reduction.src[0].toposort(lambda u: u.op is not Op.AFTER)
            if u.op is Op.LOAD and u.src[0].src[0].op is Op.PARAM} == {1}


def test_a_ragged_panel_is_filled_by_guarded_loads(lower_to: Lower) -> None:
    staged = lower_to(matmul(), "apply-schedule", ["SPLIT(1 by 16 mask)", "STAGE(1.0 by 2)"])
    (panel,) = panels(staged)
    (fill,) = [u for u in staged.find(Op.STORE) if u.src[0].src[0] is panel]
    assert panel.arg.size == K * 16
    assert len(fill.src[1].src[0].src) == 3, "the load of the source has a gate"


def test_two_panels_are_two_memories(lower_to: Lower) -> None:
    staged = lower_to(matmul(), "apply-schedule", ["SPLIT(1 by 8)", "STAGE(1.0 by 2)", "STAGE(0 by 1)"])
    assert len({u.arg.id for u in panels(staged)}) == 2


def test_a_symbolic_extent_has_no_panel(lower_to: Lower) -> None:
    with pytest.raises(ScheduleError, match="no constant extent"):
        lower_to(matmul(UOp.variable("k", 1, 64)), "apply-schedule", ["SPLIT(1 by 8)", "STAGE(1.0 by 2)"])


def test_a_buffer_that_does_not_move_with_the_axis_is_not_staged() -> None:
    i = UOp.range(4, 0)
    ast = UOp.sink(p(0, "out")[i].store(p(1, "a")[3].load()))
    with pytest.raises(ScheduleError, match="buffer 1 has 0 loads inside the axis"):
        stage_operand(ast, i, Opt(OptKind.STAGE, (0,), 1))


def test_a_stride_that_is_not_affine_counts_as_a_large_one() -> None:
    (i,) = axes(9)
    assert stride(i * 3, i) == 3
    assert stride(i * -2, i) == 2
    assert stride(i * i, i) > 1 << 32
