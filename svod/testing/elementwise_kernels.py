"""Test kernels without reductions: broadcasts, views, casts, scalars.

Owns: these cases. Must not know devices. Invariant: small enough for the interpreter.
"""
from __future__ import annotations

import numpy as np

from svod.dtype import dtypes
from svod.ir.uop import UOp
from svod.testing.case import Case, axes, case, f32, p, rng


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
