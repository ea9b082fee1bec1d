"""Loop kernels with NumPy references: everything the core must compile, small enough for the interpreter.

Owns: `Case` and the table `CASES`. Must not know devices. Invariant: a case is data; running it twice gives the same arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from svod.dtype import AddrSpace, DType, dtypes
from svod.ir.args import AtomicKind, SpecialKind
from svod.ir.ops import Op
from svod.ir.uop import UOp

Array = NDArray[Any]


@dataclass(frozen=True)
class Case:
    """One kernel: its graph, inputs by slot, outputs by slot with their references, values of variables, tolerance."""

    name: str
    ast: UOp
    buffers: tuple[Array, ...]
    expected: Mapping[int, Array]
    vals: Mapping[str, int | float] = field(default_factory=dict)
    rtol: float = 0.0
    atol: float = 0.0

    def fresh(self) -> list[Array]:
        """Copies of the buffers, to be written to; huge ones are inputs and shared."""
        return [b.copy() if b.nbytes < 1 << 30 else b for b in self.buffers]

    def check(self, buffers: list[Array]) -> None:
        """AssertionError, with where and by how much, if an output differs from its reference."""
        for slot, want in self.expected.items():
            np.testing.assert_allclose(buffers[slot], want, rtol=self.rtol, atol=self.atol, err_msg=f"{self.name}: buffer {slot}")


Maker = Callable[[], Case]
CASES: dict[str, Maker] = {}


def case(make: Maker) -> Maker:
    """Registers a case under its function's name."""
    CASES[make.__name__.strip("_")] = make
    return make


def rng(seed: int = 0) -> np.random.Generator:
    """The generator of a case."""
    return np.random.default_rng(seed)


def f32(*shape: int, seed: int = 0, lo: float = -1.0, hi: float = 1.0) -> Array:
    """Uniform float32 in [lo, hi)."""
    return rng(seed).uniform(lo, hi, shape).astype(np.float32)


def p(slot: int, name: str, dtype: DType = dtypes.f32) -> UOp:
    """A buffer parameter."""
    return UOp.param(slot, dtype, name=name)


def axes(*extents: UOp | int) -> tuple[UOp, ...]:
    """Ranges 0, 1, 2, … of these extents."""
    return tuple(UOp.range(e, i) for i, e in enumerate(extents))


# ---- elementwise --------------------------------------------------------------------------------------------------------


@case
def vector_add() -> Case:
    n, a, b = 1003, f32(1003), f32(1003, seed=1)
    (i,) = axes(n)
    return Case(
        "vector_add", UOp.sink(p(0, "out")[i].store(p(1, "a")[i].load() + p(2, "b")[i].load())), (np.zeros_like(a), a, b), {0: a + b}
    )


@case
def vector_add_symbolic() -> Case:
    a, b = f32(777), f32(777, seed=1)
    n = UOp.variable("n", 0, 1 << 24)
    (i,) = axes(n)
    return Case(
        "vector_add_symbolic",
        UOp.sink(p(0, "out")[i].store(p(1, "a")[i].load() + p(2, "b")[i].load())),
        (np.zeros_like(a), a, b),
        {0: a + b},
        {"n": 777},
    )


@case
def chain_broadcast() -> Case:
    m, n = 13, 37
    a, row, col = f32(m, n), f32(n, seed=1), f32(m, seed=2)
    i, j = axes(m, n)
    v = (p(1, "a")[i * n + j].load() * p(2, "row")[j].load() + p(3, "col")[i].load()).maximum(0.0)
    want = np.maximum(a * row + col[:, None], np.float32(0))
    return Case("chain_broadcast", UOp.sink(p(0, "out")[i * n + j].store(v)), (np.zeros_like(a), a, row, col), {0: want})


@case
def scalar_parameters() -> Case:
    a = f32(100)
    alpha, beta = UOp.scalar("alpha", dtypes.f32), UOp.scalar("beta", dtypes.f64)
    (i,) = axes(100)
    v = (p(1, "a")[i].load() * alpha).cast(dtypes.f64) + beta
    return Case(
        "scalar_parameters",
        UOp.sink(p(0, "out", dtypes.f64)[i].store(v)),
        (np.zeros(100), a),
        {0: (a * np.float32(1.5)).astype(np.float64) + 0.1},
        {"alpha": 1.5, "beta": 0.1},
    )


@case
def in_place() -> Case:
    a = f32(333)
    (i,) = axes(333)
    return Case("in_place", UOp.sink(p(0, "a")[i].store(p(0, "a")[i].load() * 2.0 + 1.0)), (a,), {0: a * np.float32(2) + np.float32(1)})


@case
def several_outputs() -> Case:
    a = f32(200)
    (i,) = axes(200)
    x = p(2, "a")[i].load()
    return Case(
        "several_outputs",
        UOp.sink(p(0, "s")[i].store(x + 1.0), p(1, "d")[i].store(x * 2.0)),
        (np.zeros_like(a), np.zeros_like(a), a),
        {0: a + np.float32(1), 1: a * np.float32(2)},
    )


@case
def strided_view() -> Case:
    a = f32(300)
    (i,) = axes(100)
    return Case("strided_view", UOp.sink(p(0, "out")[i].store(p(1, "a")[i * 3 + 1].load())), (np.zeros(100, np.float32), a), {0: a[1::3]})


@case
def reversed_view() -> Case:
    a = f32(100)
    (i,) = axes(100)
    return Case(
        "reversed_view", UOp.sink(p(0, "out")[i].store(p(1, "a")[i * -1 + 99].load())), (np.zeros(100, np.float32), a), {0: a[::-1]}
    )


@case
def transpose() -> Case:
    m, n = 35, 51
    a = f32(m, n)
    i, j = axes(n, m)
    return Case(
        "transpose", UOp.sink(p(0, "out")[i * m + j].store(p(1, "a")[j * n + i].load())), (np.zeros((n, m), np.float32), a), {0: a.T}
    )


@case
def where_and_casts() -> Case:
    a = rng().integers(-100, 100, 150, dtype=np.int32)
    (i,) = axes(150)
    x = p(1, "a", dtypes.i32)[i].load()
    v = (x > 0).where(x.cast(dtypes.f32) * 0.5, -1.0)
    return Case(
        "where_and_casts",
        UOp.sink(p(0, "out")[i].store(v)),
        (np.zeros(150, np.float32), a),
        {0: np.where(a > 0, a.astype(np.float32) * np.float32(0.5), np.float32(-1))},
    )


@case
def bool_buffers() -> Case:
    a, b = rng().random(77) > 0.5, rng(1).random(77) > 0.5
    (i,) = axes(77)
    v = p(1, "a", dtypes.bool)[i].load() ^ p(2, "b", dtypes.bool)[i].load()
    return Case("bool_buffers", UOp.sink(p(0, "out", dtypes.bool)[i].store(v)), (np.zeros(77, np.bool_), a, b), {0: a ^ b})


@case
def flat_index_division() -> Case:
    m, n = 12, 20
    a, row = f32(m, n), f32(n, seed=3)
    (i,) = axes(m * n)
    v = p(1, "a")[i].load() + p(2, "row")[i % n].load() * (i // n).cast(dtypes.f32)
    want = a + row * np.arange(m, dtype=np.float32)[:, None]
    return Case("flat_index_division", UOp.sink(p(0, "out")[i].store(v)), (np.zeros_like(a), a, row), {0: want}, rtol=1e-6)


# ---- reductions ---------------------------------------------------------------------------------------------------------


def _reduction(name: str, op: Op, want: Callable[[Array], Any], rtol: float = 1e-5) -> None:
    def make() -> Case:
        a = f32(1234, lo=0.9, hi=1.1)
        (i,) = axes(1234)
        return Case(
            name,
            UOp.sink(p(0, "out")[0].store(p(1, "a")[i].load().reduce(op, i))),
            (np.zeros(1, np.float32), a),
            {0: np.array([want(a)], np.float32)},
            rtol=rtol,
        )

    CASES[name] = make


_reduction("sum_all", Op.ADD, lambda a: a.sum(dtype=np.float64))
_reduction("max_all", Op.MAX, lambda a: a.max(), 0.0)
_reduction("min_all", Op.MIN, lambda a: a.min(), 0.0)
_reduction("prod_all", Op.MUL, lambda a: a.prod(dtype=np.float64), 1e-4)


@case
def sum_axes() -> Case:
    a = f32(6, 7, 8)
    i, j, k = axes(6, 7, 8)
    x = p(2, "a")[(i * 7 + j) * 8 + k].load()
    return Case(
        "sum_axes",
        UOp.sink(p(0, "mid")[i * 8 + k].store(x.sum(j)), p(1, "outer")[i].store(x.sum(j, k))),
        (np.zeros((6, 8), np.float32), np.zeros(6, np.float32), a),
        {0: a.sum(1), 1: a.sum((1, 2))},
        rtol=1e-5,
        atol=1e-5,
    )


@case
def argmax_rows() -> Case:
    m, n = 9, 43
    a = f32(m, n)
    i, j, k = axes(m, n, n)
    top = p(1, "a")[i * n + j].load().max(j)
    hit = p(1, "a")[i * n + k].load().eq(top)
    first = hit.where(k.cast(dtypes.i64), UOp.const(1 << 40, dtypes.i64)).min(k)
    return Case("argmax_rows", UOp.sink(p(0, "out", dtypes.i64)[i].store(first)), (np.zeros(m, np.int64), a), {0: a.argmax(1)})


@case
def dot() -> Case:
    a, b = f32(999), f32(999, seed=1)
    (i,) = axes(999)
    return Case(
        "dot",
        UOp.sink(p(0, "out")[0].store((p(1, "a")[i].load() * p(2, "b")[i].load()).sum(i))),
        (np.zeros(1, np.float32), a, b),
        {0: np.array([a.astype(np.float64) @ b], np.float32)},
        rtol=1e-4,
        atol=1e-4,
    )


def _matmul(m: int, n: int, k: int, dtype: DType = dtypes.f32) -> Case:
    kind = np.float32 if dtype is dtypes.f32 else np.float64
    a, b = f32(m, k).astype(kind), f32(k, n, seed=1).astype(kind)
    i, j, q = axes(m, n, k)
    v = (p(1, "a", dtype)[i * k + q].load() * p(2, "b", dtype)[q * n + j].load()).sum(q)
    return Case(
        f"matmul_{m}x{n}x{k}",
        UOp.sink(p(0, "out", dtype)[i * n + j].store(v)),
        (np.zeros((m, n), kind), a, b),
        {0: a.astype(np.float64) @ b.astype(np.float64)},
        rtol=1e-4,
        atol=1e-4,
    )


CASES["matmul_odd"] = lambda: _matmul(7, 35, 11)
CASES["matmul_one"] = lambda: _matmul(1, 1, 1)
CASES["matmul_f64"] = lambda: _matmul(8, 16, 8, dtypes.f64)


@case
def matmul_staged() -> Case:
    return _matmul(96, 512, 2)


@case
def matmul_symbolic() -> Case:
    m, n, k = (UOp.variable(v, 0, 4096) for v in "mnk")
    a, b = f32(5, 9), f32(9, 21, seed=1)
    i, j, q = axes(m, n, k)
    v = (p(1, "a")[i * k + q].load() * p(2, "b")[q * n + j].load()).sum(q)
    return Case(
        "matmul_symbolic",
        UOp.sink(p(0, "out")[i * n + j].store(v)),
        (np.zeros((5, 21), np.float32), a, b),
        {0: a @ b},
        {"m": 5, "n": 21, "k": 9},
        rtol=1e-4,
        atol=1e-5,
    )


@case
def batched_matmul() -> Case:
    a, b = f32(3, 5, 7), f32(3, 7, 18, seed=1)
    h, i, j, q = axes(3, 5, 18, 7)
    v = (p(1, "a")[(h * 5 + i) * 7 + q].load() * p(2, "b")[(h * 7 + q) * 18 + j].load()).sum(q)
    return Case(
        "batched_matmul",
        UOp.sink(p(0, "out")[(h * 5 + i) * 18 + j].store(v)),
        (np.zeros((3, 5, 18), np.float32), a, b),
        {0: a @ b},
        rtol=1e-4,
        atol=1e-5,
    )


@case
def matmul_transposed() -> Case:
    """A @ B.T: both operands are read along rows."""
    m, n, k = 9, 20, 33
    a, b = f32(m, k), f32(n, k, seed=1)
    i, j, q = axes(m, n, k)
    v = (p(1, "a")[i * k + q].load() * p(2, "b")[j * k + q].load()).sum(q)
    return Case(
        "matmul_transposed",
        UOp.sink(p(0, "out")[i * n + j].store(v)),
        (np.zeros((m, n), np.float32), a, b),
        {0: a @ b.T},
        rtol=1e-4,
        atol=1e-4,
    )


@case
def softmax() -> Case:
    m, n = 5, 67
    a = f32(m, n, lo=-4, hi=4)
    i, j, k, q = axes(m, n, n, n)
    x = p(1, "a")
    top = x[i * n + j].load().max(j)
    total = (x[i * n + k].load() - top).exp().sum(k)
    e = np.exp(a.astype(np.float64) - a.max(1, keepdims=True))
    return Case(
        "softmax",
        UOp.sink(p(0, "out")[i * n + q].store((x[i * n + q].load() - top).exp() / total)),
        (np.zeros_like(a), a),
        {0: e / e.sum(1, keepdims=True)},
        rtol=1e-5,
    )


@case
def softmax_one_axis() -> Case:
    """The same range closed by three reductions in sequence and the store."""
    n = 131
    a = f32(n, lo=-4, hi=4)
    (i,) = axes(n)
    x = p(1, "a")[i].load()
    e = (x - x.max(i)).exp()
    w = np.exp(a.astype(np.float64) - a.max())
    return Case("softmax_one_axis", UOp.sink(p(0, "out")[i].store(e / e.sum(i))), (np.zeros_like(a), a), {0: w / w.sum()}, rtol=1e-5)


@case
def layernorm() -> Case:
    m, n = 6, 100
    a, g, h = f32(m, n, lo=-2, hi=3), f32(n, seed=1), f32(n, seed=2)
    i, j, k, q = axes(m, n, n, n)
    x = p(1, "a")
    mean = x[i * n + j].load().sum(j) * (1 / n)
    d = x[i * n + k].load() - mean
    scale = ((d * d).sum(k) * (1 / n) + 1e-5).rsqrt()
    v = (x[i * n + q].load() - mean) * scale * p(2, "g")[q].load() + p(3, "h")[q].load()
    w = a.astype(np.float64)
    want = (w - w.mean(1, keepdims=True)) / np.sqrt(w.var(1, keepdims=True) + 1e-5) * g + h
    return Case("layernorm", UOp.sink(p(0, "out")[i * n + q].store(v)), (np.zeros_like(a), a, g, h), {0: want}, rtol=1e-4, atol=1e-5)


@case
def normalize_whole() -> Case:
    n = 40_000
    a = f32(n)
    i, j = axes(n, n)
    v = p(1, "a")[j].load() - p(1, "a")[i].load().sum(i) * (1 / n)
    return Case(
        "normalize_whole", UOp.sink(p(0, "out")[j].store(v)), (np.zeros_like(a), a), {0: a - a.mean(dtype=np.float64)}, rtol=1e-4, atol=1e-5
    )


# ---- neighbourhoods -----------------------------------------------------------------------------------------------------


@case
def stencil_interior() -> Case:
    n = 40
    a = f32(n, n)
    y, x = (r + 1 for r in axes(n - 2, n - 2))

    def at(u: UOp, v: UOp) -> UOp:
        return p(1, "a")[u * n + v].load()

    v = (at(y - 1, x) + at(y + 1, x) + at(y, x - 1) + at(y, x + 1)) * 0.25 - at(y, x)
    want = np.zeros_like(a)
    want[1:-1, 1:-1] = (a[:-2, 1:-1] + a[2:, 1:-1] + a[1:-1, :-2] + a[1:-1, 2:]) * np.float32(0.25) - a[1:-1, 1:-1]
    return Case("stencil_interior", UOp.sink(p(0, "out")[y * n + x].store(v)), (np.zeros_like(a), a), {0: want})


@case
def stencil_guarded() -> Case:
    n = 23
    a = f32(n, n)
    y, x = axes(n, n)

    def at(u: UOp, v: UOp, gate: UOp) -> UOp:
        return p(1, "a").index(u * n + v, gate).load(0.0)

    v = at(y - 1, x, y > 0) + at(y + 1, x, y < n - 1) + at(y, x - 1, x > 0) + at(y, x + 1, x < n - 1)
    w = np.pad(a, 1)
    want = w[:-2, 1:-1] + w[2:, 1:-1] + w[1:-1, :-2] + w[1:-1, 2:]
    return Case("stencil_guarded", UOp.sink(p(0, "out")[y * n + x].store(v)), (np.zeros_like(a), a), {0: want})


@case
def conv2d() -> Case:
    b, c, o, s = 2, 3, 5, 20
    t = s - 2
    image, w = f32(b, c, s, s), f32(o, c, 3, 3, seed=1)
    n, k, y, x, ch, u, v = axes(b, o, t, t, c, 3, 3)
    product = p(1, "image")[((n * c + ch) * s + y + u) * s + x + v].load() * p(2, "w")[((k * c + ch) * 3 + u) * 3 + v].load()
    want = sum(
        np.einsum("bcyx,oc->boyx", image[:, :, i : i + t, j : j + t].astype(np.float64), w[:, :, i, j]) for i in range(3) for j in range(3)
    )
    return Case(
        "conv2d",
        UOp.sink(p(0, "out")[((n * o + k) * t + y) * t + x].store(product.sum(ch, u, v))),
        (np.zeros((b, o, t, t), np.float32), image, w),
        {0: np.asarray(want)},
        rtol=1e-4,
        atol=1e-5,
    )


# ---- computed addresses and order ----------------------------------------------------------------------------------------


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
    return Case("far_offsets", UOp.sink(p(0, "out", dtypes.u8)[i].store(p(1, "a", dtypes.u8)[i + far].load())), (np.zeros(40, np.uint8), a), {0: a[far:]})


# ---- sizes --------------------------------------------------------------------------------------------------------------


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
