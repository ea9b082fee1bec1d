"""Root-mean-square normalization of rows, forward and backward (Zhang and Sennrich 2019).

y = x · r · γ, where r = 1 / √(mean(x²) + ε). With g = ∂L/∂y: ∂L/∂x = r · (gγ - x · r² · mean(gγ · x)), ∂L/∂γ = Σ over rows of g · x · r.

Shows: half precision in memory with single precision inside (the element type is that of the arrays; `sl.f32(x)` converts).
"""
from __future__ import annotations

import numpy as np
from gallery import Array, Bench, agree, random

import svod.lang as sl

BLOCK = 128
EPSILON = 1e-6


@sl.kernel
def forward(x: sl.Array[sl.f16, 2], gamma: sl.Array[sl.f16], y: sl.Array[sl.f16, 2], rms: sl.Array[sl.f32]) -> None:
    """One row for each block; keeps r."""
    row, t, n = sl.block_idx.x, sl.thread_idx.x, x.shape[1]
    squares = sl.f32(0)
    for j in range(t, n, BLOCK):
        v = sl.f32(x[row, j])
        squares += v * v
    r = sl.rsqrt(sl.block_reduce_add(squares) / n + EPSILON)
    for j in range(t, n, BLOCK):
        y[row, j] = sl.f32(x[row, j]) * r * sl.f32(gamma[j])
    if t == 0:
        rms[row] = r


@sl.kernel
def backward_x(g: sl.Array[sl.f16, 2], x: sl.Array[sl.f16, 2], gamma: sl.Array[sl.f16], rms: sl.Array[sl.f32],
               dx: sl.Array[sl.f16, 2]) -> None:
    """∂L/∂x, one row for each block."""
    row, t, n = sl.block_idx.x, sl.thread_idx.x, x.shape[1]
    r = rms[row]
    dot = sl.f32(0)
    for j in range(t, n, BLOCK):
        dot += sl.f32(g[row, j]) * sl.f32(gamma[j]) * sl.f32(x[row, j])
    shared = sl.block_reduce_add(dot) / n * r * r
    for j in range(t, n, BLOCK):
        dx[row, j] = r * (sl.f32(g[row, j]) * sl.f32(gamma[j]) - sl.f32(x[row, j]) * shared)


@sl.kernel
def backward_gamma(g: sl.Array[sl.f16, 2], x: sl.Array[sl.f16, 2], rms: sl.Array[sl.f32], dgamma: sl.Array[sl.f32]) -> None:
    """∂L/∂γ, one column for each work item."""
    j = sl.global_id()
    acc = sl.f32(0)
    for i in range(x.shape[0]):
        acc += sl.f32(g[i, j]) * sl.f32(x[i, j]) * rms[i]
    dgamma[j] = acc


def reference(x: Array, gamma: Array) -> Array:
    """y in NumPy, in single precision."""
    v = x.astype(np.float32)
    out: Array = v / np.sqrt((v * v).mean(1, keepdims=True) + np.float32(EPSILON)) * gamma.astype(np.float32)
    return out


def reference_backward(g: Array, x: Array, gamma: Array) -> tuple[Array, Array]:
    """(∂L/∂x, ∂L/∂γ) in NumPy, in single precision."""
    g, v, gamma = (a.astype(np.float32) for a in (g, x, gamma))
    r = 1 / np.sqrt((v * v).mean(1, keepdims=True) + np.float32(EPSILON))
    scaled = g * gamma
    return r * (scaled - v * r * r * (scaled * v).mean(1, keepdims=True)), (g * v * r).sum(0)


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree."""
    half = {"dtype": np.float16}
    for rows, columns in ((1, 3), (7, 1000), (37, 67)):
        x, g, gamma = random(rows, columns, low=-2, high=3, **half), random(rows, columns, seed=1, **half), random(columns, seed=2, **half)
        y, dx, rms, dgamma = np.empty_like(x), np.empty_like(x), np.empty(rows, np.float32), np.empty(columns, np.float32)
        forward.on(device)[rows, BLOCK](x, gamma, y, rms)
        backward_x.on(device)[rows, BLOCK](g, x, gamma, rms, dx)
        backward_gamma.on(device).launch(g, x, rms, dgamma, threads=columns)
        want_dx, want_dgamma = reference_backward(g, x, gamma)
        where = f"of {rows} × {columns}"
        agree(y.astype(np.float32), reference(x, gamma), f"y {where}", rtol=1e-3, atol=1e-4)
        agree(dx.astype(np.float32), want_dx, f"dx {where}", rtol=1e-3, atol=1e-4)
        agree(dgamma, want_dgamma, f"dgamma {where}", rtol=1e-4, atol=1e-5)


def bench(device: str = "CPU") -> Bench:
    """Forward, 4096 × 4096 of f16."""
    n = 4096
    x, gamma = random(n, n, low=-2, high=3, dtype=np.float16), random(n, seed=2, dtype=np.float16)
    y, rms = np.empty_like(x), np.empty(n, np.float32)
    k = forward.on(device)
    return Bench(lambda: k[n, BLOCK](x, gamma, y, rms), y, lambda: reference(x, gamma).astype(np.float16), 2 * x.nbytes,
                 inputs={"x": x, "gamma": gamma, "eps": EPSILON}, rtol=2e-3, atol=1e-3)
