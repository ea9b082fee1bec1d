"""Test kernels that reduce: sums, matmuls, softmax, normalizations, convolutions.

Owns: these cases. Must not know devices. Invariant: small enough for the interpreter.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from svod.dtype import DType, dtypes
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.testing.case import CASES, Array, Case, axes, case, f32, p


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
