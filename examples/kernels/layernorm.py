"""Layer normalization of rows, forward and backward (Ba, Kiros and Hinton 2016).

y = (x - μ) · r · γ + β, where μ is the mean of a row and r = 1 / √(variance + ε). With g = ∂L/∂y and x̂ = (x - μ) · r:
∂L/∂x = r · (gγ - mean(gγ) - x̂ · mean(gγ · x̂)), ∂L/∂γ = Σ over rows of g · x̂, ∂L/∂β = Σ over rows of g.

Shows: two reductions over a block; a pass forward that keeps what the pass back needs; a reduction along the other axis, with a work item
for each column, so that the lanes read along a row.
"""
from __future__ import annotations

import numpy as np
from gallery import Array, Bench, agree, random

import svod.lang as sl

BLOCK = 128
EPSILON = 1e-5


@sl.kernel
def forward(x: sl.Array[sl.f32, 2], gamma: sl.Array[sl.f32], beta: sl.Array[sl.f32], y: sl.Array[sl.f32, 2],
            mean: sl.Array[sl.f32], rstd: sl.Array[sl.f32]) -> None:
    """One row for each block; keeps the row's mean and 1 / deviation."""
    row, t, n = sl.block_idx.x, sl.thread_idx.x, x.shape[1]
    total = sl.f32(0)
    for j in range(t, n, BLOCK):
        total += x[row, j]
    mu = sl.block_reduce_add(total) / n
    squares = sl.f32(0)
    for j in range(t, n, BLOCK):
        d = x[row, j] - mu
        squares += d * d
    r = sl.rsqrt(sl.block_reduce_add(squares) / n + EPSILON)
    for j in range(t, n, BLOCK):
        y[row, j] = (x[row, j] - mu) * r * gamma[j] + beta[j]
    if t == 0:
        mean[row] = mu
        rstd[row] = r


@sl.kernel
def backward_x(g: sl.Array[sl.f32, 2], x: sl.Array[sl.f32, 2], gamma: sl.Array[sl.f32], mean: sl.Array[sl.f32],
               rstd: sl.Array[sl.f32], dx: sl.Array[sl.f32, 2]) -> None:
    """∂L/∂x, one row for each block."""
    row, t, n = sl.block_idx.x, sl.thread_idx.x, x.shape[1]
    mu, r = mean[row], rstd[row]
    first, second = sl.f32(0), sl.f32(0)
    for j in range(t, n, BLOCK):
        scaled = g[row, j] * gamma[j]
        first += scaled
        second += scaled * (x[row, j] - mu) * r
    first, second = sl.block_reduce_add(first) / n, sl.block_reduce_add(second) / n
    for j in range(t, n, BLOCK):
        hat = (x[row, j] - mu) * r
        dx[row, j] = r * (g[row, j] * gamma[j] - first - hat * second)


@sl.kernel
def backward_parameters(g: sl.Array[sl.f32, 2], x: sl.Array[sl.f32, 2], mean: sl.Array[sl.f32], rstd: sl.Array[sl.f32],
                        dgamma: sl.Array[sl.f32], dbeta: sl.Array[sl.f32]) -> None:
    """∂L/∂γ and ∂L/∂β, one column for each work item."""
    j = sl.global_id()
    by_gamma, by_beta = sl.f32(0), sl.f32(0)
    for i in range(x.shape[0]):
        by_gamma += g[i, j] * (x[i, j] - mean[i]) * rstd[i]
        by_beta += g[i, j]
    dgamma[j] = by_gamma
    dbeta[j] = by_beta


def reference(x: Array, gamma: Array, beta: Array) -> tuple[Array, Array, Array]:
    """(y, mean, rstd) in NumPy."""
    mean = x.mean(1)
    rstd = 1 / np.sqrt(x.var(1) + np.float32(EPSILON))
    return (x - mean[:, None]) * rstd[:, None] * gamma + beta, mean, rstd


def reference_backward(g: Array, x: Array, gamma: Array) -> tuple[Array, Array, Array]:
    """(∂L/∂x, ∂L/∂γ, ∂L/∂β) in NumPy."""
    _, mean, rstd = reference(x, gamma, gamma)
    hat, scaled, r = (x - mean[:, None]) * rstd[:, None], g * gamma, rstd[:, None]
    dx = r * (scaled - scaled.mean(1, keepdims=True) - hat * (scaled * hat).mean(1, keepdims=True))
    return dx, (g * hat).sum(0), g.sum(0)


def run(x: Array, gamma: Array, beta: Array, device: str = "CPU") -> tuple[Array, Array, Array]:
    """(y, mean, rstd)."""
    y, mean, rstd = np.empty_like(x), np.empty(len(x), np.float32), np.empty(len(x), np.float32)
    forward.on(device)[len(x), BLOCK](x, gamma, beta, y, mean, rstd)
    return y, mean, rstd


def run_backward(g: Array, x: Array, gamma: Array, kept: tuple[Array, Array], device: str = "CPU") -> tuple[Array, Array, Array]:
    """(∂L/∂x, ∂L/∂γ, ∂L/∂β); `kept` are the mean and rstd of the pass forward."""
    dx, dgamma, dbeta = np.empty_like(x), np.empty_like(gamma), np.empty_like(gamma)
    backward_x.on(device)[len(x), BLOCK](g, x, gamma, *kept, dx)
    backward_parameters.on(device).launch(g, x, *kept, dgamma, dbeta, threads=x.shape[1])
    return dx, dgamma, dbeta


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree."""
    for rows, columns in ((3, 5), (5, 1000), (37, 67)):
        x, g = random(rows, columns, low=-2, high=3), random(rows, columns, seed=1)
        gamma, beta = random(columns, seed=2), random(columns, seed=3)
        y, *kept = run(x, gamma, beta, device)
        got, want = (y, *run_backward(g, x, gamma, (kept[0], kept[1]), device)), (reference(x, gamma, beta)[0],
                                                                                   *reference_backward(g, x, gamma))
        for what, a, b in zip(("y", "dx", "dgamma", "dbeta"), got, want, strict=True):
            agree(a, b, f"{what} of {rows} × {columns}", rtol=1e-4, atol=1e-5)


def bench(device: str = "CPU") -> Bench:
    """Forward, 4096 × 4096."""
    n = 4096
    x, gamma, beta = random(n, n, low=-2, high=3), random(n, seed=2), random(n, seed=3)
    y, mean, rstd = np.empty_like(x), np.empty(n, np.float32), np.empty(n, np.float32)
    k = forward.on(device)
    return Bench(lambda: k[n, BLOCK](x, gamma, beta, y, mean, rstd), y, lambda: reference(x, gamma, beta)[0], 2 * x.nbytes,
                 inputs={"x": x, "gamma": gamma, "beta": beta, "eps": EPSILON})
