"""Test kernels about addresses, order and sizes: gather, scatter, scans, scratch, ids, empty.

Owns: these cases. Must not know devices. Invariant: small enough for the interpreter.
"""

from __future__ import annotations

import numpy as np

from svod.dtype import AddrSpace, dtypes
from svod.ir.args import AtomicKind, SpecialKind
from svod.ir.uop import UOp
from svod.testing.case import CASES, Case, axes, case, f32, p, rng


@case
def gather() -> Case:
    a, idx = f32(50), rng().integers(0, 50, 130).astype(np.int32)
    (i,) = axes(130)
    return Case(
        "gather",
        UOp.sink(p(0, "out")[i].store(p(1, "a")[p(2, "idx", dtypes.i32)[i].load()].load())),
        (np.zeros(130, np.float32), a, idx),
        {0: a[idx]},
    )


@case
def scatter() -> Case:
    a, perm = f32(90), rng().permutation(90).astype(np.int64)
    (i,) = axes(90)
    want = np.zeros_like(a)
    want[perm] = a
    return Case(
        "scatter",
        UOp.sink(p(0, "out")[p(2, "perm", dtypes.i64)[i].load()].store(p(1, "a")[i].load())),
        (np.zeros_like(a), a, perm),
        {0: want},
    )


@case
def scatter_last_wins() -> Case:
    """Several iterations write one element: the last one's value stays."""
    a = f32(64)
    (i,) = axes(64)
    return Case("scatter_last_wins", UOp.sink(p(0, "out")[i // 4].store(p(1, "a")[i].load())), (np.zeros(16, np.float32), a), {0: a[3::4]})


@case
def prefix_sum() -> Case:
    a = f32(300)
    (i,) = axes(300)
    acc = UOp.memory(0, dtypes.f32, 1, AddrSpace.REG)
    start = acc[0].store(0.0)
    total = acc.after(start, i)[0].load() + p(1, "a")[i].load()
    step = UOp.group(acc.after(start, i)[0].store(total), p(0, "out")[i].store(total)).end(i)
    return Case("prefix_sum", UOp.sink(step), (np.zeros_like(a), a), {0: np.cumsum(a, dtype=np.float32)}, rtol=1e-5, atol=1e-5)


@case
def recurrence_in_place() -> Case:
    """out[i + 1] depends on out[i]: the order of the loop is kept."""
    a = f32(50)
    (i,) = axes(49)
    want = a.copy()
    for q in range(49):
        want[q + 1] = want[q] * np.float32(0.5) + want[q + 1]
    x = p(0, "a")
    return Case("recurrence_in_place", UOp.sink(x[i + 1].store(x[i].load() * 0.5 + x[i + 1].load())), (a,), {0: want})


@case
def scratch_buffer() -> Case:
    """A row is squared into local memory, then read backwards."""
    m, n = 4, 24
    a = f32(m, n)
    i, j, k = axes(m, n, n)
    local = UOp.memory(0, dtypes.f32, n, AddrSpace.LOCAL)
    x = p(1, "a")[i * n + j].load()
    filled = local.after(i)[j].store(x * x).end(j)
    return Case(
        "scratch_buffer",
        UOp.sink(p(0, "out")[i * n + k].store(local.after(filled)[k * -1 + (n - 1)].load())),
        (np.zeros_like(a), a),
        {0: (a * a)[:, ::-1]},
    )


@case
def two_passes_through_memory() -> Case:
    n = 50_000
    a = f32(n)
    i, j = axes(n, n)
    first = p(1, "t")[i].store(p(2, "a")[i].load() * 2.0).end(i)
    return Case(
        "two_passes_through_memory",
        UOp.sink(p(0, "out")[j].store(p(1, "t").after(first)[j * -1 + (n - 1)].load() + 1.0)),
        (np.zeros_like(a), np.zeros_like(a), a),
        {0: (a * np.float32(2))[::-1] + np.float32(1), 1: a * np.float32(2)},
    )


@case
def same_range_twice() -> Case:
    """One range, closed by an effect and used again by another that waits for it: two loops."""
    n = 60
    a = f32(n)
    (i,) = axes(n)
    first = p(1, "t")[i].store(p(2, "a")[i].load() * 2.0).end(i)
    want = (a * np.float32(2))[::-1] + np.float32(1)
    return Case(
        "same_range_twice",
        UOp.sink(p(0, "out")[i].store(p(1, "t").after(first)[i * -1 + (n - 1)].load() + 1.0)),
        (np.zeros_like(a), np.zeros_like(a), a),
        {0: want, 1: a * np.float32(2)},
    )


def _accumulate(name: str, n: UOp | int, vals: dict[str, int | float]) -> None:
    """out[j] = out[j] + a[i, j] for all i: the load is made in every iteration, though its index is the same."""

    def make() -> Case:
        m, width = 7, int(vals.get("n", 16))
        a = f32(m, width)
        i, j = axes(m, n)
        out = p(0, "out")
        want = np.zeros(width, np.float32)
        for row in a:
            want += row
        return Case(
            name, UOp.sink(out[j].store(out[j].load() + p(1, "a")[i * n + j].load())), (np.zeros(width, np.float32), a), {0: want}, vals
        )

    CASES[name] = make


_accumulate("accumulate_columns", 16, {})
_accumulate("accumulate_columns_symbolic", UOp.variable("n", 1, 9), {"n": 3})
_accumulate("accumulate_columns_wide", UOp.variable("n", 0, 4096), {"n": 139})


@case
def accumulate_one() -> Case:
    """The same for a single element, once at a constant index and once at one that simplifies to a constant."""
    a = rng().integers(0, 9, 20).astype(np.float32)
    (i,) = axes(20)
    one, two = p(0, "one"), p(1, "two")
    x = p(2, "a")[i].load()
    sink = UOp.sink(one[0].store(one[0].load() + x), two[i % 1].store(two[i % 1].load() + x))
    return Case(
        "accumulate_one", sink, (np.zeros(1, np.float32), np.zeros(1, np.float32), a), {0: a.sum(keepdims=True), 1: a.sum(keepdims=True)}
    )


@case
def variable_trip_count() -> Case:
    """Iterations of an inner loop that depend on data of the outer one."""
    m = UOp.variable("m", 0, 100)
    a = f32(100)
    i = UOp.range(10, 0)
    k = UOp.range(i + m, 1)
    return Case(
        "variable_trip_count",
        UOp.sink(p(0, "out")[i].store(p(1, "a")[k].load().sum(k))),
        (np.zeros(10, np.float32), a),
        {0: np.array([a[: q + 7].sum(dtype=np.float64) for q in range(10)])},
        {"m": 7},
        rtol=1e-5,
        atol=1e-6,
    )


@case
def histogram_atomic() -> Case:
    a = rng().integers(0, 8, 200).astype(np.uint8)
    (i,) = axes(200)
    bin_ = p(0, "hist", dtypes.i32)[p(1, "a", dtypes.u8)[i].load()]
    return Case("histogram_atomic", UOp.sink(bin_.atomic(AtomicKind.ADD, 1)), (np.zeros(8, np.int32), a), {0: np.bincount(a, minlength=8)})


@case
def work_item_ids() -> Case:
    """Global and local ids, as a GPU kernel would use them; one item past the end is guarded."""
    a = f32(100)
    g, t = UOp.special(SpecialKind.GLOBAL, 0, 4), UOp.special(SpecialKind.LOCAL, 0, 32)
    i = g * 32 + t
    return Case(
        "work_item_ids",
        UOp.sink(p(0, "out").index(i, i < 100).store(p(1, "a").index(i, i < 100).load() * 2.0)),
        (np.zeros(100, np.float32), a),
        {0: a * np.float32(2)},
    )


@case
def far_offsets() -> Case:
    """Elements beyond 2**31."""
    far = (1 << 31) + 5
    a = np.zeros(far + 40, np.uint8)
    a[far:] = np.arange(40)
    (i,) = axes(40)
    return Case(
        "far_offsets",
        UOp.sink(p(0, "out", dtypes.u8)[i].store(p(1, "a", dtypes.u8)[i + far].load())),
        (np.zeros(40, np.uint8), a),
        {0: a[far:]},
    )


@case
def zero_dimensional() -> Case:
    a = f32(1)
    return Case(
        "zero_dimensional", UOp.sink(p(0, "out")[0].store(p(1, "a")[0].load() + 1.0)), (np.zeros(1, np.float32), a), {0: a + np.float32(1)}
    )


@case
def empty() -> Case:
    n = UOp.variable("n", 0, 10)
    (i,) = axes(n)
    return Case(
        "empty",
        UOp.sink(p(0, "out")[i].store(p(1, "a")[i].load())),
        (np.zeros(0, np.float32), np.zeros(0, np.float32)),
        {0: np.zeros(0, np.float32)},
        {"n": 0},
    )


@case
def empty_reduction() -> Case:
    n = UOp.variable("n", 0, 10)
    (i,) = axes(n)
    x = p(1, "a")[i].load()
    out = p(0, "out")
    return Case(
        "empty_reduction",
        UOp.sink(out[0].store(x.sum(i)), out[1].store(x.max(i))),
        (np.ones(2, np.float32), np.zeros(0, np.float32)),
        {0: np.array([0, -np.inf], np.float32)},
        {"n": 0},
    )
