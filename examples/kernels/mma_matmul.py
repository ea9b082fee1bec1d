"""A product of matrices of bf16 by `sl.mma`, which multiplies tiles of 16 × 16 spread over a subgroup of 64 work items.

Shows: fragments: lane l holds row l % 16 of `a`, column l % 16 of `b` and of the sums, and a slice of k (rows of the sums) by l // 16;
tuples of sums that a loop carries; sums in f32, which is why the result is as exact as its inputs are.
"""
from __future__ import annotations

import ml_dtypes
import numpy as np
from gallery import Array, Bench, agree, random

import svod.lang as sl

TILE, HELD = 16, 4
SUBGROUPS = 4
"""Subgroups of a block, side by side along the columns: 16 × 64 elements."""


@sl.kernel(subgroup=64)
def mma_matmul(a: sl.Array[sl.bf16, 2], b: sl.Array[sl.bf16, 2], c: sl.Array[sl.f32, 2]) -> None:
    """c = a @ b; a subgroup (row y of the block) makes 16 × 16 elements."""
    (m, depth), n = a.shape, b.shape[1]
    lane, part = sl.thread_idx.x % TILE, sl.thread_idx.x // TILE
    first_row, column = sl.block_idx.y * TILE, (sl.block_idx.x * SUBGROUPS + sl.thread_idx.y) * TILE + lane
    row = first_row + lane
    sums = (0.0,) * HELD
    for start in range(0, depth, TILE):
        inner = [start + part * HELD + e for e in range(HELD)]
        left = tuple(a[row, k] if row < m and k < depth else 0.0 for k in inner)
        right = tuple(b[k, column] if k < depth and column < n else 0.0 for k in inner)
        sums = sl.mma(left, right, sums, 16, 16, 16)
    for r, value in enumerate(sums):
        row = first_row + part * HELD + r
        if row < m and column < n:
            c[row, column] = value


def reference(a: Array, b: Array) -> Array:
    """The same in NumPy."""
    return a.astype(np.float32) @ b.astype(np.float32)


def run(a: Array, b: Array, c: Array, device: str = "CPU") -> None:
    """As many blocks of 16 × 64 as c takes."""
    m, n = c.shape
    mma_matmul.on(device)[(-(-n // (TILE * SUBGROUPS)), -(-m // TILE)), (64, SUBGROUPS)](a, b, c)


def matrices(m: int, n: int, k: int) -> tuple[Array, Array, Array]:
    """Two random matrices and room for their product."""
    return random(m, k, dtype=ml_dtypes.bfloat16), random(k, n, dtype=ml_dtypes.bfloat16, seed=1), np.zeros((m, n), np.float32)


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree."""
    for m, n, k in ((16, 64, 16), (20, 70, 37), (1, 1, 1)):
        a, b, c = matrices(m, n, k)
        run(a, b, c, device)
        agree(c, reference(a, b), f"{m} × {n} × {k}")


def bench(device: str = "CPU") -> Bench:
    """512 × 512 × 512."""
    n = 512
    a, b, c = matrices(n, n, n)
    return Bench(lambda: run(a, b, c, device), c, lambda: reference(a, b), 2 * n ** 3, "GFLOP/s")
