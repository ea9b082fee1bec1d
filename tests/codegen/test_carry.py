"""CARRY: a reduction in blocks, its partial results, its finish; and balanced blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import svod
from svod import DType, UOp, dtypes
from svod.codegen.schedule import parse_opt
from svod.dtype import AddrSpace
from svod.errors import ScheduleError
from svod.ir.bounds import constant
from svod.ir.ops import Op
from svod.testing.kernels import axes, p

Lower = Callable[..., UOp]
Epilogue = Callable[[UOp, UOp, UOp], UOp]

EPILOGUES: dict[str, Epilogue] = {
    "plain": lambda v, i, j: v,
    "relu": lambda v, i, j: v.maximum(0),
    "bias": lambda v, i, j: v + p(3, "c", v.dtype)[j].load(),
    "residual": lambda v, i, j: v + p(3, "c", v.dtype)[i * 40 + j].load(),
}
SIZES = [(5, 9, 20), (1, 1, 1), (12, 40, 32), (7, 33, 9), (3, 0, 5), (0, 4, 4), (4, 4, 0), (2, 17, 8)]
SCHEDULES = [
    "SPLIT(2 by 8 balanced)",
    "SPLIT(2 by 8 unit 4 balanced), CARRY(2.0 with 0)",
    "SPLIT(2 by 5 balanced), CARRY(2.0 with 1)",
    "SPLIT(2 by 8 balanced), CARRY(2.0 with 0), SPLIT(1 by 8 mask), VECTOR(1.1), SPLIT(0 by 2 peel), UNROLL(0.1), PARALLEL(0.0)",
    "SPLIT(1 by 8 mask), VECTOR(1.1), SPLIT(2 by 8 unit 4 balanced), SPLIT(2.1 by 4 peel), UNROLL(2.1.1), CARRY(2.0 with 0), "
    "PARALLEL(0 by 2)",
    "PARALLEL(1 by 8), SPLIT(1 by 8 balanced), SPLIT(0 by 4 unit 2 balanced), SPLIT(2 by 6 unit 3 balanced), CARRY(2.0 with 0.0)",
    "SPLIT(2 by 8 unit 4 balanced), CARRY(2.0 with 0), SWAP(0 with 1), PARALLEL(0 by 8), SPLIT(0 by 8 mask), VECTOR(0.1), "
    "SPLIT(1 by 3 peel), UNROLL(1.1), STAGE(0.0 by 2 pad 8 if 16 reads 3)",
]


def matmul(m: UOp | int, n: UOp | int, k: UOp | int, dtype: DType = dtypes.f32, epilogue: str = "plain") -> UOp:
    i, j, q = axes(m, n, k)
    value = (p(1, "a", dtype)[i * k + q].load() * p(2, "b", dtype)[q * n + j].load()).sum(q)
    return UOp.sink(p(0, "out", dtype)[i * n + j].store(EPILOGUES[epilogue](value, i, j)), name="mm")


def symbolic(dtype: DType = dtypes.f32, epilogue: str = "plain") -> UOp:
    m, n, k = (UOp.variable(v, 0, 64) for v in "mnk")
    return matmul(m, n, k, dtype, epilogue)


@pytest.mark.parametrize("where", ["CPU", "INTERP"])
@pytest.mark.parametrize("epilogue", ["plain", "relu", "bias"])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_blocks_give_the_result_of_the_whole(schedule: str, epilogue: str, where: str) -> None:
    rng = np.random.default_rng(0)
    opts = [parse_opt(o) for o in schedule.split(", ")]
    for dtype, np_dtype in ((dtypes.i32, np.int32), (dtypes.u8, np.uint8)):
        program = svod.Device(where).compile(symbolic(dtype, epilogue), opts=opts)
        for m, n, k in SIZES:
            a: NDArray[Any] = rng.integers(0, 200, (m, k)).astype(np_dtype)
            b: NDArray[Any] = rng.integers(0, 200, (k, n)).astype(np_dtype)
            c: NDArray[Any] = rng.integers(0, 9, n).astype(np_dtype)
            out: NDArray[Any] = np.full((m, n), 77, np_dtype)
            program(out, a, b, *([c] if epilogue == "bias" else []), m=m, n=n, k=k)
            product = a @ b
            assert np.array_equal(out, {"plain": product, "relu": np.maximum(product, 0), "bias": product + c}[epilogue]), (m, n, k)


def test_partial_results_stay_in_the_output(lower_to: Lower) -> None:
    staged = lower_to(matmul(12, 40, 32), "apply-schedule", ["SPLIT(2 by 8 balanced)", "CARRY(2.0 with 0)"])
    assert not list(staged.find(Op.DEFINE_SCRATCH))


@pytest.mark.parametrize("dtype", [dtypes.i32])
def test_what_may_be_the_same_memory_as_the_output_moves_them_to_scratch(lower_to: Lower, dtype: DType) -> None:
    """`c` may be the output's own memory, so it must be whole until the last block."""
    ast = matmul(12, 40, 32, dtype, "residual")
    opts = ["SPLIT(2 by 8 balanced)", "CARRY(2.0 with 0)"]
    (scratch,) = lower_to(ast, "apply-schedule", opts).find(Op.DEFINE_SCRATCH)
    assert scratch.arg.size == 12 * 40
    rng = np.random.default_rng(1)
    a, b, out = (rng.integers(-9, 9, s).astype(np.int32) for s in ((12, 32), (32, 40), (12, 40)))
    want = a @ b + out
    svod.Device("CPU").compile(ast, opts=[parse_opt(o) for o in opts])(out, a, b, out)
    assert np.array_equal(out, want)


@pytest.mark.parametrize("op", [Op.ADD, Op.MUL, Op.MAX, Op.MIN])
def test_every_reduction_can_be_carried(op: Op) -> None:
    i, q = axes(5, 37)
    ast = UOp.sink(p(0, "out", dtypes.i32)[i].store(p(1, "a", dtypes.i32)[i * 37 + q].load().reduce(op, q)), name="rows")
    a, out = np.random.default_rng(2).integers(-9, -1, (5, 37)).astype(np.int32), np.zeros(5, np.int32)
    svod.Device("CPU").compile(ast, opts=[parse_opt("SPLIT(1 by 8 balanced)"), parse_opt("CARRY(1.0 with 0)")])(out, a)
    ufunc = {Op.ADD: np.add, Op.MUL: np.multiply, Op.MAX: np.maximum, Op.MIN: np.minimum}[op]
    assert np.array_equal(out, ufunc.reduce(a, axis=1, dtype=np.int32))


@pytest.mark.parametrize(
    ("amount", "unit", "parts"), [(512, 1, [500, 500]), (512, 64, [512, 488]), (400, 1, [334, 334, 332]), (1000, 8, [1000])]
)
def test_balanced_parts(lower_to: Lower, amount: int, unit: int, parts: list[int]) -> None:
    opt = f"SPLIT(0 by {amount} unit {unit} balanced)" if unit > 1 else f"SPLIT(0 by {amount} balanced)"
    (i,) = axes(1000)
    out = np.zeros(1000, np.int32)
    ast = UOp.sink(p(0, "out", dtypes.i32)[i].store(7), name="fill")
    svod.Device("CPU").compile(ast, opts=[parse_opt(opt)])(out)
    assert (out == 7).all()
    table = {r.arg.path: r for r in lower_to(ast, "apply-schedule", [opt]).find(Op.RANGE)}
    outer, inner = table.get((0, 0)), table[(0, 1)]
    ends = [inner.src[1] if outer is None else inner.src[1].substitute({outer: outer.const(k, outer.dtype)}) for k in range(len(parts))]
    assert [constant(e) for e in ends] == parts
    assert outer is None or constant(outer.src[1]) == len(parts)


@pytest.mark.parametrize(
    ("ast", "opts", "what"),
    [
        (matmul(8, 8, 8), ["SPLIT(0 by 4)", "CARRY(0.0 with 1)"], "not reduced"),
        (symbolic(), ["SPLIT(2 by 4 peel)", "CARRY(2.0 with 0)"], "may have no iteration"),
        (matmul(8, 8, 8), ["SPLIT(2 by 4)", "CARRY(2.0 with 7)"], "no axis 7"),
        (matmul(8, 8, 8), ["SPLIT(2 by 4)", "CARRY(2.0 with 0)", "UNROLL(-1.90)"], "continues from the one before"),
        (matmul(8, 8, 8), ["SPLIT(2 by 4)", "CARRY(2.0 with 0)", "PARALLEL(-1.90)"], "may write the same elements"),
        (matmul(8, 8, 8), ["SPLIT(2 by 4)", "CARRY(2.0 with 0)", "STAGE(0 by 0)"], "loop writes buffer 0"),
    ],
)
def test_what_cannot_be_carried_is_refused_by_name(ast: UOp, opts: list[str], what: str) -> None:
    with pytest.raises(ScheduleError, match=what) as refused:
        svod.Device("CPU").compile(ast, opts=[parse_opt(o) for o in opts])
    assert opts[-1].split(" by")[0] in str(refused.value)


def test_a_reduction_inside_another_or_of_the_whole_kernel_is_refused() -> None:
    i, q = axes(8, 8)
    a = p(1, "a")
    nested = UOp.sink(p(0, "out")[0].store(a[i * 8 + q].load().max(q).sum(i)), name="nested")
    total = UOp.sink(p(0, "out")[0].store(a[q].load().sum(q)), name="total")
    for ast, what in ((nested, "part of another"), (total, "no axis 0")):
        with pytest.raises(ScheduleError, match=what):
            svod.Device("CPU").compile(ast, opts=[parse_opt("SPLIT(1 by 4)"), parse_opt("CARRY(1.0 with 0)")])


@pytest.mark.parametrize(
    "opts",
    [["SPLIT(0 by 16 unit 8 balanced)", "UNROLL(0.0)"], ["SPLIT(0 by 16 unit 8 balanced)", "MERGE(0.0 with 1)"],
     ["SPLIT(1 by 24 unit 8 balanced)", "MERGE(0 with 1.0)"]],
)
def test_a_part_is_not_left_without_the_loop_that_bounds_it(opts: list[str]) -> None:
    with pytest.raises(ScheduleError, match="no longer a loop around it") as refused:
        svod.Device("CPU").compile(matmul(20, 40, 8), opts=[parse_opt(o) for o in opts])
    assert opts[-1] in str(refused.value)


@pytest.mark.parametrize("opt", ["SPLIT(0 by 8 unit 8 balanced)", "SPLIT(0 by 8 balanced)", "SPLIT(0 by 5 balanced)"])
def test_a_balanced_split_of_an_empty_axis_has_an_empty_part(opt: str) -> None:
    (i,) = axes(UOp.variable("n", 0, 64) * 8)
    ast = UOp.sink(p(0, "out", dtypes.i32)[i].store(p(1, "a", dtypes.i32)[i].load() + 1), name="add")
    program = svod.Device("CPU").compile(ast, opts=[parse_opt(opt)])
    for n in (0, 1, 2, 5):
        a, out = np.arange(n * 8, dtype=np.int32), np.zeros(n * 8 + 64, np.int32)
        program(out, a, n=n)
        assert np.array_equal(out, np.pad(a + 1, (0, 64)))


def test_loops_whose_iterations_meet_are_not_reordered() -> None:
    i, j, q = axes(6, 8, 16)
    out = p(0, "out")
    ast = UOp.sink(out[j].store(out[j].load() + p(1, "a")[(i * 8 + j) * 16 + q].load().sum(q)).end(j).end(i), name="meet")
    with pytest.raises(ScheduleError, match="depend on one another"):
        svod.Device("CPU").compile(ast, opts=[parse_opt("SPLIT(2 by 4)"), parse_opt("CARRY(2.0 with 0)")])


def beside(other: str) -> UOp:
    """Row sums, and another effect in the loop around them."""
    i, j, q = axes(6, 8, 16)
    out, b = p(0, "out"), p(3, "b")
    total = out[i].store((p(1, "a")[i * 16 + q].load() * b[i].load()).sum(q))
    effects = {
        "nothing": (),
        "apart": (p(2, "c")[i].store(b[i].load() + 1.0),),
        "overwrites": (out[i].store(b[i].load()),),
        "reads": (p(2, "c")[i].store(out[i].load() + 1.0),),
        "feeds": (b[i].store(b[i].load() + 1.0),),
        "nested": (b[i].store(b[i].load() * p(2, "c")[j].load()).end(j),),
    }
    return UOp.sink(UOp.group(total, *effects[other]).end(i), name="beside")


@pytest.mark.parametrize("other", ["overwrites", "reads", "feeds", "nested"])
def test_a_reduction_is_not_taken_away_from_effects_it_meets(other: str) -> None:
    with pytest.raises(ScheduleError, match="the effects of the loops, or their iterations, depend on one another"):
        svod.Device("CPU").compile(beside(other), opts=[parse_opt("SPLIT(2 by 4)"), parse_opt("CARRY(2.0 with 0)")])


def test_a_reduction_is_taken_away_from_effects_it_does_not_meet() -> None:
    a, b = np.arange(96, dtype=np.float32), np.arange(6, dtype=np.float32)
    out, c = np.zeros(6, np.float32), np.zeros(6, np.float32)
    svod.Device("CPU").compile(beside("apart"), opts=[parse_opt("SPLIT(2 by 4)"), parse_opt("CARRY(2.0 with 0)")])(out, a, c, b)
    assert np.array_equal(out, a.reshape(6, 16).sum(1) * b)
    assert np.array_equal(c, b + 1)


def test_what_a_reduction_waits_for_is_done_again_for_each_block_only_if_that_changes_nothing() -> None:
    """Row i counts all rows so far: a second block would count them again."""
    i, q = axes(6, 16)
    cell = UOp.memory(0, dtypes.f32, 1, AddrSpace.REG)
    now = cell.after(cell[0].store(0.0), i)[0]
    total = (cell.after(now.store(now.load() + 1.0))[0].load() * p(1, "a")[i * 16 + q].load()).sum(q)
    with pytest.raises(ScheduleError, match="the effects of the loops, or their iterations, depend on one another"):
        svod.Device("CPU").compile(
            UOp.sink(p(0, "out")[i].store(total).end(i), name="count"), opts=[parse_opt("SPLIT(1 by 4)"), parse_opt("CARRY(1.0 with 0)")]
        )


@pytest.mark.parametrize("moving", [True, False])
def test_iterations_that_write_one_element_have_partial_results_of_their_own(lower_to: Lower, moving: bool) -> None:
    """The last row wins, also where all rows are the same and so could be taken for one."""
    i, j, q = axes(6, 8, 16)
    a = p(1, "a", dtypes.i32)[(i * 128 if moving else 0) + j * 16 + q]
    ast = UOp.sink(p(0, "out", dtypes.i32)[j].store(a.load().sum(q)).end(i, j), name="last")
    opts = ["SPLIT(2 by 4)", "CARRY(2.0 with 0)"]
    assert lower_to(ast, "apply-schedule", opts).find(Op.DEFINE_SCRATCH)
    values, out = np.arange(768, dtype=np.int32), np.zeros(8, np.int32)
    svod.Device("CPU").compile(ast, opts=[parse_opt(o) for o in opts])(out, values)
    assert np.array_equal(out, values.reshape(6, 8, 16)[-1 if moving else 0].sum(1))


def test_blocks_follow_one_another_however_their_loop_is_cut() -> None:
    """The first block of an element starts it and the last one finishes it."""
    carried = ["SPLIT(2 by 2)", "CARRY(2.0 with 0)"]
    device = svod.Device("CPU")
    device.compile(matmul(8, 8, 8), opts=[parse_opt(o) for o in (*carried, "SWAP(-1.90 with 0)")])
    for more in (["SPLIT(-1.90 by 2)", "SWAP(-1.90.0 with -1.90.1)"], ["MERGE(0 with -1.90)", "SPLIT(0.0 by 8)", "SWAP(0.0.0 with 0.0.1)"]):
        device.compile(matmul(8, 8, 8), opts=[parse_opt(o) for o in (*carried, *more[:-1])])
        with pytest.raises(ScheduleError, match="the iterations of the axis depend on one another"):
            device.compile(matmul(8, 8, 8), opts=[parse_opt(o) for o in (*carried, *more)])


@pytest.mark.parametrize(
    "text", ["SPLIT(0 by 8 unit 3 balanced)", "SPLIT(0 by 8 unit 4 mask)", "CARRY(2.0)", "SPLIT(0 by 4 shared)", "VECTOR(0 pad 3)"]
)
def test_text_that_says_what_cannot_be(text: str) -> None:
    with pytest.raises(ScheduleError):
        parse_opt(text)


@pytest.mark.parametrize(
    "text",
    ["SPLIT(2 by 512 unit 4 balanced)", "SPLIT(2 by 512 balanced)", "CARRY(2.0 with 0.1)", "VECTOR(-1.90)",
     "STAGE(0.0 by 2 as 0.1.0,2.1,0.1.1)",
     "STAGE(0 by 2 pad 16 shared if 2048 reads 96)", "STAGE(0 by 2 reads 96)"],
)
def test_text_forms_parse_back(text: str) -> None:
    assert str(parse_opt(text)) == text
