"""Softmax along the rows of a matrix: exp(x - max) / Σ exp(x - max).

Shows: a block for each row, of any length; `block_reduce_max` and `block_reduce_add`, whose result every work item gets; why the largest
score is subtracted first (exp of it would overflow).
"""
from __future__ import annotations

import numpy as np
from gallery import Array, Bench, agree, random

import svod.lang as sl

BLOCK = 128


@sl.kernel
def softmax(x: sl.Array[sl.f32, 2], out: sl.Array[sl.f32, 2]) -> None:
    """One row for each block."""
    row, t, n = sl.block_idx.x, sl.thread_idx.x, x.shape[1]
    top = sl.f32(float("-inf"))
    for j in range(t, n, BLOCK):
        top = max(top, x[row, j])
    top = sl.block_reduce_max(top)
    total = sl.f32(0)
    for j in range(t, n, BLOCK):
        e = sl.exp(x[row, j] - top)
        out[row, j] = e
        total += e
    scale = 1 / sl.block_reduce_add(total)
    for j in range(t, n, BLOCK):
        out[row, j] *= scale


def reference(x: Array) -> Array:
    """The same in NumPy."""
    e = np.exp(x - x.max(1, keepdims=True))
    out: Array = e / e.sum(1, keepdims=True)
    return out


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree."""
    for rows, columns in ((1, 1), (7, 1000), (5, 63)):
        x, out = random(rows, columns, low=-20, high=100), np.zeros((rows, columns), np.float32)
        softmax.on(device)[rows, BLOCK](x, out)
        agree(out, reference(x), f"{rows} × {columns}")


def bench(device: str = "CPU") -> Bench:
    """4096 × 4096."""
    n = 4096
    x, out = random(n, n, low=-4, high=4), np.zeros((n, n), np.float32)
    k = softmax.on(device)
    return Bench(lambda: k[n, BLOCK](x, out), out, lambda: reference(x), 2 * x.nbytes, inputs={"x": x})
