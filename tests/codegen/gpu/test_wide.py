"""Rows that several groups share: in phases, without a race, the right result for sizes of every kind, and only where it pays."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from svod import Config, UOp
from svod.codegen.gpu import choose, wide
from svod.codegen.gpu.wide import EACH, WIDE
from svod.codegen.pipeline import Context, lower
from svod.device.opencl.backend import opencl_target
from svod.dtype import dtypes
from svod.ir.interp import evaluate
from svod.ir.ops import Op
from svod.ir.spec import LINEAR, verify
from svod.renderers.phases import item_phases, scratch
from svod.target.abi import describe
from svod.testing.case import Case
from svod.testing.groups import run_groups
from svod.testing.kernels import CASES, axes, f32, p
from svod.testing.random_effects import effect_case
from svod.testing.random_kernels import random_case
from svod.testing.random_products import random_product

TARGET = replace(opencl_target(None), vector_bits=0)
IDS = Context(TARGET, Config())
N = 60_001
A = f32(N)


def lowered(ast: UOp, context: Context = IDS) -> UOp:
    linear = lower(ast, context)
    verify(linear, LINEAR)
    return linear


def shape(linear: UOp) -> tuple[int, int, int]:
    """Phases; groups, and work items of a group, along axis 0."""
    meta = describe(linear)
    assert meta.local_size is not None
    return len(item_phases(linear)), int(meta.global_size[0].arg.value), int(meta.local_size[0].arg.value)


def x(r: UOp) -> UOp:
    return p(1, "a")[r].load()


def total(*extents: UOp | int) -> UOp:
    """The sum of everything."""
    ranges = axes(*extents)
    at = ranges[0]
    for r, n in zip(ranges[1:], extents[1:], strict=True):
        at = at * n + r
    return UOp.sink(p(0, "out")[0].store(x(at).sum(*ranges)), name="total")


def run(linear: UOp, size: int, a: NDArray[Any] = A, **values: int) -> NDArray[Any]:
    out = np.full(size, 7, np.float32)
    run_groups(linear, [out, a.reshape(-1)], values)
    return out


def test_a_sum_of_everything_fills_the_device() -> None:
    assert shape(lowered(total(1 << 24))) == (2, WIDE // 256, 256)
    assert shape(lowered(total(4096, 4096))) == (2, WIDE // 256, 256)


@pytest.mark.parametrize("n", [N, 1 << 16, 40_000])
def test_a_sum_of_everything(n: int) -> None:
    linear = lowered(total(n))
    assert shape(linear)[0] == 2
    np.testing.assert_allclose(run(linear, 1, f32(n)), f32(n).sum(dtype=np.float64), atol=1e-2)


def test_little_is_done_by_one_group() -> None:
    assert shape(lowered(total(10_000)))[:2] == (1, 1)


def test_targets_without_phases_have_one() -> None:
    assert shape(lowered(total(1 << 24), replace(IDS, target=replace(TARGET, phases=False))))[:2] == (1, 1)


def test_a_kernel_with_as_many_arguments_as_there_may_be_has_one_phase() -> None:
    few = replace(TARGET, limits=replace(TARGET.limits, buffers=2))
    assert shape(lowered(total(1 << 24), replace(IDS, target=few)))[0] == 1
    more = replace(TARGET, limits=replace(TARGET.limits, buffers=3))
    assert shape(lowered(total(1 << 24), replace(IDS, target=more)))[0] == 2


@pytest.mark.parametrize("n", [0, 1, 255, 2048, 2049, N])
def test_a_length_that_the_launch_knows(n: int) -> None:
    linear = lowered(total(UOp.variable("n", 0, 1 << 30)))
    assert scratch(linear)[1] == 4 * WIDE // 256
    np.testing.assert_allclose(run(linear, 1, n=n), A[:n].sum(dtype=np.float64), atol=1e-2)
    assert evaluate(describe(linear).global_size[0], {"n": n}) == max(1, -(-n // (256 * EACH)))


@pytest.mark.parametrize(("m", "n"), [(300, 200), (1, 60_000), (200, 0), (7, 8000)])
def test_a_matrix_whose_sizes_the_launch_knows(m: int, n: int) -> None:
    linear = lowered(total(*(UOp.variable(v, 0, 1 << 15) for v in "mn")))
    np.testing.assert_allclose(run(linear, 1, m=m, n=n), A[:m * n].sum(dtype=np.float64), atol=1e-2)


@pytest.mark.parametrize(("rows", "columns", "down"), [(3, 50_000, False), (5, 30_000, True), (12, 20_000, True)])
def test_few_rows(rows: int, columns: int, down: bool) -> None:
    i, j = axes(rows, columns)
    ast = UOp.sink(p(0, "out")[i].store(x(j * rows + i if down else i * columns + j).sum(j)), name="few")
    linear, a = lowered(ast), f32(columns, rows) if down else f32(rows, columns)
    assert shape(linear)[0] == 2
    np.testing.assert_allclose(run(linear, rows, a), a.sum(0 if down else 1, dtype=np.float64), atol=1e-2)


def test_softmax_of_one_vector_is_spread_in_every_phase() -> None:
    i, j, k = axes(N, N, N)
    most = x(i).max(i)
    whole = (x(j) - most).exp2().sum(j)
    linear = lowered(UOp.sink(p(0, "out")[k].store((x(k) - most).exp2() / whole).end(k), name="softmax"))
    assert shape(linear) == (3, 8, 256)
    wanted = np.exp2(A.astype(np.float64) - A.max())
    np.testing.assert_allclose(run(linear, N), wanted / wanted.sum(), rtol=1e-4)


def test_a_variance_takes_three_phases_and_its_last_is_of_one_group() -> None:
    i, j = axes(N, N)
    mean = x(i).sum(i) * (1 / N)
    linear = lowered(UOp.sink(p(0, "out")[0].store(((x(j) - mean) * (x(j) - mean)).sum(j)), name="variance"))
    assert shape(linear)[0] == 3
    first = next(u for u in item_phases(linear)[-1] if u.op in (Op.LOAD, Op.IF, Op.RANGE))
    assert first.op is Op.IF
    np.testing.assert_allclose(run(linear, 1), A.var(dtype=np.float64) * N, rtol=1e-4)


def test_in_place() -> None:
    i, k = axes(N, N)
    out = p(0, "out")
    total = x(i).sum(i)
    linear = lowered(UOp.sink(out[k].store(out[k].load() + total).end(k), name="shifted"))
    np.testing.assert_allclose(run(linear, N), 7 + A.sum(dtype=np.float64), atol=1e-2)


@pytest.mark.parametrize("op", [Op.MAX, Op.MIN, Op.XOR])
def test_other_reductions(op: Op) -> None:
    (i,) = axes(N)
    a = (A * 1e6).astype(np.int32)
    linear = lowered(UOp.sink(p(0, "out", dtypes.i32)[0].store(p(1, "a", dtypes.i32)[i].load().reduce(op, i)), name="other"))
    out = np.zeros(1, np.int32)
    run_groups(linear, [out, a])
    assert shape(linear)[0] == 2
    assert out[0] == {Op.MAX: np.max, Op.MIN: np.min, Op.XOR: np.bitwise_xor.reduce}[op](a)


def test_the_same_bits_at_every_launch() -> None:
    linear = lowered(total(N))
    assert run(linear, 1).tobytes() == run(linear, 1).tobytes()


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several groups for each row wherever that can be, phases for all that waits."""
    monkeypatch.setattr(wide, "EACH", 1)
    monkeypatch.setattr(wide, "USUAL", 8)
    monkeypatch.setattr(wide, "cost", lambda plan: -1.0)
    monkeypatch.setattr(choose, "in_phases", lambda *_: True)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize(("make", "seeds"), [(random_case, range(8)), (random_product, range(3)), (effect_case, (43, 78, 90, 199))])
def test_random_kernels_in_phases(make: Callable[[int], Case], seeds: Iterable[int]) -> None:
    phases = 0
    for seed in seeds:
        case = make(seed)
        linear, buffers = lowered(case.ast), case.fresh()
        if next(linear.find(Op.ATOMIC), None) is None:
            phases += len(item_phases(linear)) > 1
            run_groups(linear, buffers, case.vals)
            case.check(buffers)
    assert phases > 0


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("name", ["softmax", "softmax_one_axis", "layernorm", "sum_all", "argmax_rows", "csr_spmv", "ragged_row_sums",
                                  "same_range_twice"])
def test_kernels_in_phases(name: str) -> None:
    case = CASES[name]()
    linear, buffers = lowered(case.ast), case.fresh()
    run_groups(linear, buffers, case.vals)
    case.check(buffers)
