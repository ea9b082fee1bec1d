"""Operands of products on matrix units on their way: in accesses of how many bytes, in banks of their own, right at every edge."""
from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from svod import Config, UOp
from svod.codegen.pipeline import Context, lower
from svod.dtype import DType, dtypes, numpy_dtype
from svod.ir.args import BarrierScope
from svod.ir.clause import executed
from svod.ir.ops import Op
from svod.renderers.c.cuda import cuda_target
from svod.testing.groups import run_groups
from svod.testing.kernels import axes

AMPERE = Context(cuda_target("sm_89"), Config())
KINDS = (dtypes.f16, dtypes.i8, dtypes.f8e5m2, dtypes.f32)
ORDERS = ("mk,kn", "mk,nk", "km,kn", "km,nk")
"""The axes of a and b in memory, the contiguous one last."""


def product(sizes: tuple[int, int, int | UOp], kind: DType, order: str = "mk,kn", first: int = 0) -> UOp:
    """c = a b of matrices in that order, which begin `first` elements into their buffers; f32 rounded."""
    ranges = dict(zip("mnk", axes(*sizes), strict=True))
    extents = dict(zip("mnk", sizes, strict=True))
    sums = dtypes.i32 if kind.is_int else dtypes.f32
    given = []
    for slot, (row, column) in enumerate(order.split(","), 1):
        value = UOp.param(slot, kind, name="oab"[slot])[ranges[row] * extents[column] + ranges[column] + first].load()
        given.append(value.tf32() if kind is dtypes.f32 else value.cast(sums))
    at = ranges["m"] * extents["n"] + ranges["n"]
    return UOp.sink(UOp.param(0, sums, name="c")[at].store((given[0] * given[1]).sum(ranges["k"])), name="product")


def check(linear: UOp, sizes: tuple[int, int, int], kind: DType, order: str, first: int = 0) -> Counter[tuple[str, str, int, int]]:
    """Runs the program; how often work items access what, in how many elements, in how many turns at the same banks."""
    assert any(u.op is Op.MMA for u in linear.src)
    rng, extents = np.random.default_rng(5), dict(zip("mnk", sizes, strict=True))
    wide, arrays, matrices = np.int32 if kind.is_int else np.float32, [], []
    for axes_ in order.split(","):
        a = rng.integers(-4, 5, [extents[x] for x in axes_]).astype(numpy_dtype(kind))
        arrays.append(np.concatenate([np.zeros(first, a.dtype), a.reshape(-1)]))
        matrices.append((a if axes_ in ("mk", "kn") else a.T).astype(wide))
    found: Counter[tuple[str, str, int, int]] = Counter()

    def watch(u: UOp, where: Any) -> None:
        memory, lanes = executed(executed(u.src[0]).src[0]), executed(u.src[0]).src[1].dtype.lanes
        if memory.op is Op.DEFINE_LOCAL:
            together = 32 // lanes if lanes > 1 else 32
            parts = (set(map(int, part)) for part in np.split(where, len(where) // together))
            turns = [max(Counter(x % 32 // lanes for x in part).values()) for part in parts]
            found[u.op.name, memory.arg.name, lanes, max(turns)] += 1
        elif memory.op is Op.PARAM and u.op is Op.LOAD:
            found[u.op.name, memory.arg.name, lanes, 0] += 1

    out = np.full((extents["m"], extents["n"]), 7, wide)
    run_groups(linear, [out, *arrays], {}, watch)
    np.testing.assert_array_equal(out, matrices[0] @ matrices[1])
    return found


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_sixteen_bytes_at_once_and_no_bank_twice(kind: DType, order: str) -> None:
    found = check(lower(product((64, 64, 64), kind, order), AMPERE), (64, 64, 64), kind, order)
    assert {turns for (_, name, _, turns) in found if name in ("rows", "columns")} == {1}, found
    assert {lanes for (op, name, lanes, _) in found if op == "LOAD" and name in ("rows", "columns")} == {4}
    for name, axes_ in zip("ab", order.split(","), strict=True):
        wide = 16 // kind.itemsize if axes_[1] == "k" else min(8, 16 // kind.itemsize)
        assert {lanes for (_, n, lanes, _) in found if n == name} == {wide}
        panel = "rows" if name == "a" else "columns"
        assert {lanes for (op, n, lanes, _) in found if (op, n) == ("STORE", panel)} == {4 if axes_[1] == "k" else 1}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", [dtypes.f16, dtypes.i8, dtypes.f32], ids=str)
def test_edges_of_wide_loads(kind: DType, order: str) -> None:
    sizes = (80, 112, 144)
    found = check(lower(product(sizes, kind, order), AMPERE), sizes, kind, order)
    assert all(lanes > 1 for (op, name, lanes, _) in found if op == "LOAD" and name in "ab")


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", [dtypes.f16, dtypes.i8, dtypes.f32], ids=str)
def test_rows_that_begin_anywhere_are_loaded_one_by_one(kind: DType, order: str) -> None:
    sizes = (67, 45, 51)
    found = check(lower(product(sizes, kind, order), AMPERE), sizes, kind, order)
    assert all(lanes == 1 for (op, name, lanes, _) in found if op == "LOAD" and name in "ab")


@pytest.mark.parametrize("first", [8, 4])
def test_where_a_matrix_begins_counts(first: int) -> None:
    found = check(lower(product((64, 64, 64), dtypes.f16, first=first), AMPERE), (64, 64, 64), dtypes.f16, "mk,kn", first)
    assert {lanes for (op, name, lanes, _) in found if op == "LOAD" and name in "ab"} == {8 if first == 8 else 1}


def test_extents_known_at_the_launch_are_loaded_one_by_one_unless_multiples() -> None:
    k = UOp.variable("k", 1, 100)
    for depth, lanes in ((k * 8, 8), (k, 1)):
        linear = lower(product((64, 64, depth), dtypes.f16, "mk,nk"), AMPERE)
        loads = {u.dtype.lanes for u in linear.src if u.op is Op.LOAD and executed(executed(u.src[0]).src[0]).op is Op.PARAM}
        assert loads == {lanes}


def test_one_barrier_a_step() -> None:
    linear = lower(product((512, 512, 512), dtypes.f16), AMPERE)
    assert sum(u.op is Op.BARRIER and u.arg is BarrierScope.GROUP for u in linear.src) == 1
    assert sum(u.op is Op.MMA for u in linear.src) == 16
    sizes = [u.arg.size * 4 for u in dict.fromkeys(linear.src) if u.op is Op.DEFINE_LOCAL]
    assert sum(sizes) == 16 << 10


def test_operands_that_are_computed_are_loaded_wide_too() -> None:
    """a scaled by one number for each row of k, which is loaded once for its neighbours."""
    i, j, q = axes(64, 64, 64)
    a = UOp.param(1, dtypes.f16, name="a")[i * 64 + q].load() * UOp.param(3, dtypes.f16, name="s")[i].load()
    b = UOp.param(2, dtypes.f16, name="b")[q * 64 + j].load()
    total = (a.cast(dtypes.f32) * b.cast(dtypes.f32)).sum(q)
    linear = lower(UOp.sink(UOp.param(0, dtypes.f32, name="c")[i * 64 + j].store(total), name="scaled"), AMPERE)
    loads = Counter((executed(executed(u.src[0]).src[0]).arg.name, u.dtype.lanes) for u in linear.src if u.op is Op.LOAD)
    assert loads["a", 8]
    assert loads["s", 1] == loads["a", 8]
    assert not loads["a", 1]
    rng = np.random.default_rng(1)
    x, y, s = (rng.integers(-3, 4, n).astype(np.float16) for n in ((64, 64), (64, 64), 64))
    out = np.zeros((64, 64), np.float32)
    run_groups(linear, [out, x, y, s])
    np.testing.assert_array_equal(out, (x * s[:, None]).astype(np.float32) @ y.astype(np.float32))
