"""A product of quantised matrices: bytes times bytes, sums in i32, a scale for each row of `a` and each column of `b`, bf16 out.

Shows: types that widen (i8 to i32) and narrow (f32 to bf16) where it is written; sums of integers, which are exact; tiles in shared
memory, that of the weights (n × k) turned on the way, so that neighbours read neighbouring bytes.
"""
from __future__ import annotations

import ml_dtypes
import numpy as np
from gallery import Array, Bench, agree, random

import svod.lang as sl

TILE, DEPTH = 16, 64


@sl.kernel
def int8_matmul(a: sl.Array[sl.i8, 2], b: sl.Array[sl.i8, 2], scale_a: sl.Array[sl.f32], scale_b: sl.Array[sl.f32],
                c: sl.Array[sl.bf16, 2]) -> None:
    """c[i, j] = scale_a[i] * scale_b[j] * Σ a[i, k] * b[j, k]"""
    left, right = sl.shared((TILE, DEPTH), sl.i8), sl.shared((DEPTH, TILE), sl.i8)
    x, y = sl.thread_idx.x, sl.thread_idx.y
    (m, depth), n = a.shape, b.shape[0]
    total = sl.i32(0)
    for start in range(0, depth, DEPTH):
        for k in range(x, DEPTH, TILE):
            row, column = sl.block_idx.y * TILE + y, sl.block_idx.x * TILE + y
            left[y, k] = a[row, start + k] if row < m and start + k < depth else 0
            right[k, y] = b[column, start + k] if column < n and start + k < depth else 0
        sl.barrier()
        for k in range(DEPTH):
            total += sl.i32(left[y, k]) * right[k, x]
        sl.barrier()
    i, j = sl.global_id(1), sl.global_id(0)
    if i < m and j < n:
        c[i, j] = total * scale_a[i] * scale_b[j]


def quantised(x: Array) -> tuple[Array, Array]:
    """Rows as bytes, and the scale of each row."""
    scale = (np.abs(x).max(1) / 127).astype(np.float32)
    return np.rint(x / scale[:, None]).astype(np.int8), scale


def reference(a: Array, b: Array, scale_a: Array, scale_b: Array) -> Array:
    """The same in NumPy."""
    sums = (a.astype(np.int32) @ b.T.astype(np.int32)).astype(np.float32)
    return (sums * scale_a[:, None] * scale_b).astype(ml_dtypes.bfloat16)


def numpy_fast(a: Array, b: Array, scale_a: Array, scale_b: Array) -> Array:
    """The same in f32, for which NumPy has a fast product; exact up to sums of 2**24."""
    return (a.astype(np.float32) @ b.T.astype(np.float32) * scale_a[:, None] * scale_b).astype(ml_dtypes.bfloat16)


def run(a: Array, b: Array, scale_a: Array, scale_b: Array, c: Array, device: str = "CPU") -> None:
    """As many blocks of 16 × 16 as c takes."""
    m, n = c.shape
    int8_matmul.on(device)[(-(-n // TILE), -(-m // TILE)), (TILE, TILE)](a, b, scale_a, scale_b, c)


def operands(m: int, n: int, k: int) -> tuple[Array, Array, Array, Array, Array]:
    """Quantised a and b, their scales, room for the product."""
    (a, scale_a), (b, scale_b) = quantised(random(m, k)), quantised(random(n, k, seed=1))
    return a, b, scale_a, scale_b, np.zeros((m, n), ml_dtypes.bfloat16)


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree in every bit."""
    for m, n, k in ((16, 16, 64), (19, 37, 100), (1, 1, 1)):
        a, b, scale_a, scale_b, c = operands(m, n, k)
        run(a, b, scale_a, scale_b, c, device)
        agree(c.view(np.uint16), reference(a, b, scale_a, scale_b).view(np.uint16), f"{m} × {n} × {k}")


def bench(device: str = "CPU") -> Bench:
    """512 × 512 × 512."""
    n = 512
    a, b, scale_a, scale_b, c = operands(n, n, n)
    return Bench(lambda: run(a, b, scale_a, scale_b, c, device), c, lambda: numpy_fast(a, b, scale_a, scale_b), 2 * n ** 3, "GFLOP/s",
                 rtol=1e-2, inputs={"a": a, "b": b, "scale_a": scale_a, "scale_b": scale_b})
