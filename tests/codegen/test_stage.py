"""STAGE: panels of scratch memory, their size and layout."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import svod
from svod import AddrSpace, UOp, dtypes
from svod.codegen.apply import core_id
from svod.codegen.schedule import Opt, OptKind, parse_opt
from svod.codegen.stage import COPIED, stage_operand, stride
from svod.dtype import PtrDType
from svod.errors import ScheduleError
from svod.ir.args import AxisKind
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


def test_an_extent_without_a_bound_has_no_panel(lower_to: Lower) -> None:
    with pytest.raises(ScheduleError, match="no constant extent"):
        lower_to(matmul(UOp.variable("k", 1, 1 << 30)), "apply-schedule", ["SPLIT(1 by 8)", "STAGE(1.0 by 2)"])


def test_a_symbolic_extent_takes_a_panel_of_its_bound(lower_to: Lower) -> None:
    opts = ["SPLIT(2 by 64 unit 4 balanced)", "CARRY(2.0 with 0)", "SPLIT(1 by 8)", "STAGE(1.0 by 2)"]
    (panel,) = panels(lower_to(matmul(UOp.variable("k", 1, 1 << 20)), "apply-schedule", opts))
    assert panel.arg.size == 64 * 8


def test_the_order_of_a_panel_and_its_pitch_can_be_given(lower_to: Lower) -> None:
    staged = lower_to(matmul(), "apply-schedule", ["SPLIT(1 by 8)", "STAGE(1.0 by 2 as 1.1,2 pad 3)"])
    (panel,) = panels(staged)
    assert panel.arg.size == 8 * (K + 3)
    (fill,) = [u for u in staged.find(Op.STORE) if u.src[0].src[0] is panel]
    ranges = sorted(fill.src[0].src[1].find(Op.RANGE), key=lambda r: r.arg.path)
    assert [(r.arg.path, stride(fill.src[0].src[1], r)) for r in ranges] == [((1, 0, 50, 0), 1), ((1, 0, 50, 1), K + 3)]


def test_a_shared_panel_is_filled_by_all_cores_before_a_barrier(lower_to: Lower) -> None:
    staged = lower_to(matmul(), "apply-schedule", ["SPLIT(1 by 8)", "STAGE(1.0 by 2 as 1.0,2,1.1 shared)", "PARALLEL(0)"])
    (panel,) = staged.find(Op.DEFINE_SCRATCH)
    assert panel.arg.size == K * N
    (barrier,) = staged.find(Op.BARRIER)
    (fill,) = [u for u in barrier.find(Op.STORE) if u.src[0].src[0] is panel]
    assert any(v.arg.name == "core_id" for v in fill.src[0].src[1].find(Op.DEFINE_VAR))


SCHEDULES = [
    "SPLIT(1 by 8 mask), STAGE(1.0 by 2 as 1.1,2 pad 1)",
    "SPLIT(1 by 8 mask), VECTOR(1.1), STAGE(1.0 by 2 as 1.0,2,1.1 shared), PARALLEL(0), SPLIT(0 by 2 peel), UNROLL(0.1)",
    "SWAP(0 with 1), SPLIT(0 by 24 unit 8 balanced), SPLIT(2 by 8 unit 4 balanced), CARRY(2.0 with 0.1), SPLIT(0.1 by 8 mask), "
    "VECTOR(0.1.1), STAGE(0.0.90 by 2 as 0.1.0,2.1,0.1.1), SWAP(0.1.0 with 1)",
    "SPLIT(1 by 8 mask), STAGE(1.0 by 2), SWAP(1.0.50.0 with 1.0.50.1), VECTOR(1.0.50.0)",
    "SPLIT(1 by 8 peel), STAGE(1.0 by 2 if 16), VECTOR(1.1), SPLIT(1.2 by 4 mask), VECTOR(1.2.1)",
    "SWAP(0 with 1), SPLIT(0 by 8 mask), STAGE(0.0 by 2 reads 6), VECTOR(0.1), PARALLEL(0.0)",
]


@pytest.mark.parametrize("where", ["CPU", "INTERP"])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_panels_change_no_result(schedule: str, where: str) -> None:
    m, n, k = (UOp.variable(v, 0, 64) for v in "mnk")
    i, j, q = axes(m, n, k)
    x, y = p(1, "a", dtypes.i32)[i * k + q].load(), p(2, "b", dtypes.i32)[q * n + j].load()
    ast = UOp.sink(p(0, "out", dtypes.i32)[i * n + j].store((x * y).sum(q)), name="mm")
    program = svod.Device(where).compile(ast, opts=[parse_opt(o) for o in schedule.split(", ")])
    rng = np.random.default_rng(0)
    for rows, columns, depth in ((5, 9, 20), (1, 1, 1), (12, 40, 32), (7, 33, 9), (3, 0, 5), (0, 4, 4), (4, 4, 0), (9, 64, 7)):
        a, b = (rng.integers(-99, 99, s).astype(np.int32) for s in ((rows, depth), (depth, columns)))
        out = np.full((rows, columns), 77, np.int32)
        program(out, a, b, m=rows, n=columns, k=depth)
        assert np.array_equal(out, a @ b), (rows, columns, depth)


def test_a_guard_that_is_known_leaves_one_version(lower_to: Lower) -> None:
    plain = lower_to(matmul(), "apply-schedule", ["SPLIT(1 by 8)"])
    assert not panels(lower_to(matmul(), "apply-schedule", ["SPLIT(1 by 8)", "STAGE(1.0 by 2 if 4096)"]))
    never = lower_to(matmul(), "linearize", ["SPLIT(1 by 8)", "STAGE(1.0 by 2 if 4096)"])
    assert never is lower_to(matmul(), "linearize", ["SPLIT(1 by 8)"])
    assert len(panels(lower_to(matmul(), "apply-schedule", ["SPLIT(1 by 8)", f"STAGE(1.0 by 2 if {N * 4})"]))) == 1
    assert not panels(plain)


def test_versions_behind_a_guard_share_no_reduction(lower_to: Lower) -> None:
    """Each has its own loop over the reduction: together they would do the work of both."""
    m = UOp.variable("m", 0, 64)
    i, j, q = axes(m, N, K)
    both = UOp.sink(p(0, "out")[i * N + j].store((p(1, "a")[i * K + q].load() * p(2, "b")[q * N + j].load()).sum(q)), name="mm")
    loops, most, depth = 0, 0, []
    for u in lower_to(both, "linearize", ["SWAP(0 with 1)", "SPLIT(0 by 8)", "STAGE(0.0 by 2 reads 13)"]).src:
        if u.op is Op.RANGE:
            depth.append(0)
        elif u.op is Op.END:
            loops, most = loops + (depth[-1] > 0), max(most, depth.pop())
        elif u.op is Op.MULACC:
            depth[-1] += 1
    assert (loops, most) == (2, 1)


@pytest.mark.parametrize(
    ("opts", "what"),
    [
        (["SPLIT(1 by 8)", "STAGE(1.0 by 2 as 2)"], "other axes than the panel has"),
        (["SPLIT(1 by 8)", "STAGE(1.0 by 2 as 2,1.1,1.1)"], "other axes than the panel has"),
        (["PARALLEL(1)", "STAGE(1 by 2 shared)"], "depends on the core"),
        (["SPLIT(1 by 32 unit 16 balanced)", "STAGE(1.1 by 2 shared)"], "bounded by others"),
        (["SPLIT(2 by 8)", "CARRY(2.0 with 0)", "STAGE(0 by 0)"], "loop writes buffer 0"),
    ],
)
def test_panels_that_are_refused(lower_to: Lower, opts: list[str], what: str) -> None:
    with pytest.raises(ScheduleError, match=what) as refused:
        lower_to(matmul(), "apply-schedule", opts)
    assert opts[-1].split(" by")[0] in str(refused.value)


def test_a_shared_panel_of_what_the_kernel_writes_is_refused(lower_to: Lower) -> None:
    i, j = axes(M, K)
    own = UOp.memory(0, dtypes.f32, K, AddrSpace.LOCAL)
    filled = own[j].store(p(0, "out")[i * K + j].load()).end(j)
    ast = UOp.sink(p(0, "out")[i * K + j + 1].store(own.after(filled)[j].load()).end(i, j), name="moved")
    axis = next(r.arg.path[0] for u in lower_to(ast, "close-loops").find(Op.AFTER) for e in u.src[1:] if e.op is Op.END for r in e.src[1:])
    with pytest.raises(ScheduleError, match="the kernel writes buffer 0"):
        lower_to(ast, "apply-schedule", [f"STAGE({axis} by 0 shared)"])


def test_rows_that_are_not_evenly_apart_have_no_guard(lower_to: Lower) -> None:
    i, j = axes(M, K)
    ast = UOp.sink(p(0, "out")[i * K + j].store(p(1, "a")[i + j * j].load()), name="squares")
    with pytest.raises(ScheduleError, match="not evenly apart"):
        lower_to(ast, "apply-schedule", ["STAGE(0 by 1 if 64)"])


def test_a_loop_that_fills_a_panel_stays_inside_those_it_is_filled_in(lower_to: Lower) -> None:
    lower_to(matmul(), "apply-schedule", ["SPLIT(1 by 8)", "STAGE(1.0 by 2)", "SWAP(1.0.50.0 with 1.0.50.1)"])
    with pytest.raises(ScheduleError, match="awaited inside the other"):
        lower_to(matmul(), "apply-schedule", ["SPLIT(1 by 8)", "STAGE(1.0 by 2)", "SWAP(1.0 with 1.0.50.0)"])


def test_versions_of_effects_that_wait_for_one_another_are_refused(lower_to: Lower) -> None:
    (i,) = axes(K)
    n = UOp.variable("n", 1, 1 << 20)
    first = p(0, "out")[i].store(p(1, "a")[i * n].load())
    ast = UOp.sink(UOp.group(first, p(2, "b")[i].store(p(0, "out").after(first)[i + 1].load())).end(i), name="waiting")
    lower_to(ast, "apply-schedule", ["SPLIT(0 by 8)", "STAGE(0.0 by 1)"])
    with pytest.raises(ScheduleError, match="wait for one another"):
        lower_to(ast, "apply-schedule", ["SPLIT(0 by 8)", "STAGE(0.0 by 1 if 64)"])


@pytest.mark.parametrize("text", ["SPLIT(-3.0 by 2 peel)", "SWAP(-3.0 with 0)", "STAGE(-3.1 by 1)"])
def test_a_guard_is_no_loop_to_be_scheduled(lower_to: Lower, text: str) -> None:
    i, j = axes(M, K)
    ast = UOp.sink(p(0, "out")[i * K + j].store(p(1, "a")[j * UOp.variable("n", 1, 1 << 20) + i].load()), name="turn")
    lower_to(ast, "apply-schedule", ["STAGE(0 by 1 if 64)"])
    with pytest.raises(ScheduleError, match="is a test"):
        lower_to(ast, "apply-schedule", ["STAGE(0 by 1 if 64)", text])


def test_a_panel_has_a_size_that_can_be_had(lower_to: Lower) -> None:
    i, j = axes(M, UOp.variable("n", 0, 1 << 20))
    ast = UOp.sink(p(0, "out")[i].store(p(1, "a")[i * 1024 + j].load().sum(j)), name="rows")
    lower_to(ast, "apply-schedule", ["STAGE(0 by 1)"])
    i, j = axes(1 << 10, UOp.variable("n", 0, 1 << 20))
    ast = UOp.sink(p(0, "out")[i].store(p(1, "a")[i * 1024 + j].load().sum(j)), name="rows")
    with pytest.raises(ScheduleError, match="panel may have 1073741824 elements"):
        lower_to(ast, "apply-schedule", ["STAGE(0 by 1 shared)"])


def test_what_a_reduction_interleaves_is_unrolled_in_the_copy(lower_to: Lower) -> None:
    out = lower_to(matmul(), "apply-schedule", ["SPLIT(2 by 2)", "INTERLEAVE(2.1)", "SPLIT(1 by 8)", "STAGE(1.0 by 2)"])
    kinds = {r.arg.kind for u in out.find(Op.END) for r in u.src[1:] if COPIED in r.arg.path}
    assert AxisKind.UNROLL in kinds
    assert AxisKind.INTERLEAVE not in kinds


def test_a_buffer_that_does_not_move_with_the_axis_is_not_staged() -> None:
    i = UOp.range(4, 0)
    ast = UOp.sink(p(0, "out")[i].store(p(1, "a")[3].load()))
    with pytest.raises(ScheduleError, match="0 loads of buffer 1 move along axis"):
        stage_operand(ast, i, Opt(OptKind.STAGE, (0,), 1), core_id(1))


def test_a_stride_that_is_not_affine_counts_as_a_large_one() -> None:
    (i,) = axes(9)
    assert stride(i * 3, i) == 3
    assert stride(i * -2, i) == 2
    assert stride(i * i, i) > 1 << 32
