"""A matrix product, second version: tiles of a and b go through shared memory, where each element is read TILE times.

Shows: the classic pattern of load, barrier, compute, barrier; edges that do not divide, which are loaded as zeros; a tile size that is a
compile-time argument, so that the inner loop can be unrolled and one function gives kernels for several tiles.
"""
from __future__ import annotations

import numpy as np
from gallery import Array, Bench, agree, random

import svod.lang as sl

Matrix = sl.Array[sl.f32, 2]


@sl.kernel
def matmul_tiled(a: Matrix, b: Matrix, c: Matrix, tile: sl.Constexpr[int]) -> None:
    """One element of c for each work item, one tile for each block."""
    left, right = sl.shared((tile, tile), sl.f32), sl.shared((tile, tile), sl.f32)
    x, y = sl.thread_idx.x, sl.thread_idx.y
    row, column = sl.block_idx.y * tile + y, sl.block_idx.x * tile + x
    (m, depth), n = a.shape, b.shape[1]
    acc = sl.f32(0)
    for start in range(0, depth, tile):
        left[y, x] = a[row, start + x] if row < m and start + x < depth else 0.0
        right[y, x] = b[start + y, column] if start + y < depth and column < n else 0.0
        sl.barrier()
        for k in sl.static_range(tile):
            acc += left[y, k] * right[k, x]
        sl.barrier()
    if row < m and column < n:
        c[row, column] = acc


def reference(a: Array, b: Array) -> Array:
    """The same in NumPy."""
    out: Array = a @ b
    return out


def run(a: Array, b: Array, c: Array, device: str = "CPU", tile: int = 16) -> None:
    """c = a @ b."""
    (m, n), k = c.shape, matmul_tiled.on(device)
    k[(-(-n // tile), -(-m // tile)), (tile, tile)](a, b, c, tile)


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree."""
    for m, n, k, tile in ((1, 1, 1, 8), (33, 50, 17, 16), (7, 70, 40, 8)):
        a, b, c = random(m, k), random(k, n), np.zeros((m, n), np.float32)
        run(a, b, c, device, tile)
        agree(c, reference(a, b), f"{m} × {n} × {k}, tiles of {tile}")


def bench(device: str = "CPU") -> Bench:
    """512 × 512 × 512."""
    n = 512
    a, b, c = random(n, n), random(n, n, seed=1), np.zeros((n, n), np.float32)
    return Bench(lambda: run(a, b, c, device), c, lambda: reference(a, b), 2 * n**3, "GFLOP/s", {"a": a, "b": b})
