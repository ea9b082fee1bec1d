"""A matrix product, third version: each work item keeps a block of ROWS × COLUMNS of c in registers.

Shows: a Python list of lists of accumulators that becomes registers (its indices are known while the kernel is traced); tiles loaded by
all work items together, element by element, with a flat index; how much arithmetic there is for each read of shared memory: a work item
reads ROWS + COLUMNS values for ROWS × COLUMNS multiply-adds.
"""
from __future__ import annotations

import numpy as np
from gallery import Array, Bench, agree, random

import svod.lang as sl

Matrix = sl.Array[sl.f32, 2]
TILE_M, TILE_N, TILE_K = 64, 64, 16
ROWS, COLUMNS = 4, 4
BLOCK_X, BLOCK_Y = TILE_N // COLUMNS, TILE_M // ROWS
THREADS = BLOCK_X * BLOCK_Y


@sl.kernel
def matmul_blocked(a: Matrix, b: Matrix, c: Matrix) -> None:
    """A tile of c for each block, ROWS × COLUMNS elements for each work item: rows y, y + BLOCK_Y, …, columns x, x + BLOCK_X, …"""
    left, right = sl.shared((TILE_M, TILE_K), sl.f32), sl.shared((TILE_K, TILE_N), sl.f32)
    x, y = sl.thread_idx.x, sl.thread_idx.y
    me = y * BLOCK_X + x
    top, first = sl.block_idx.y * TILE_M, sl.block_idx.x * TILE_N
    (m, depth), n = a.shape, b.shape[1]
    acc = [[sl.f32(0) for _ in range(COLUMNS)] for _ in range(ROWS)]
    for start in range(0, depth, TILE_K):
        for e in sl.static_range(0, TILE_M * TILE_K, THREADS):
            i, k = (me + e) // TILE_K, (me + e) % TILE_K
            left[i, k] = a[top + i, start + k] if top + i < m and start + k < depth else 0.0
        for e in sl.static_range(0, TILE_K * TILE_N, THREADS):
            k, j = (me + e) // TILE_N, (me + e) % TILE_N
            right[k, j] = b[start + k, first + j] if start + k < depth and first + j < n else 0.0
        sl.barrier()
        for k in range(TILE_K):
            p = [left[y + r * BLOCK_Y, k] for r in range(ROWS)]
            q = [right[k, x + s * BLOCK_X] for s in range(COLUMNS)]
            for r in sl.static_range(ROWS):
                for s in sl.static_range(COLUMNS):
                    acc[r][s] += p[r] * q[s]
        sl.barrier()
    for r in sl.static_range(ROWS):
        for s in sl.static_range(COLUMNS):
            row, column = top + y + r * BLOCK_Y, first + x + s * BLOCK_X
            if row < m and column < n:
                c[row, column] = acc[r][s]


def reference(a: Array, b: Array) -> Array:
    """The same in NumPy."""
    out: Array = a @ b
    return out


def run(a: Array, b: Array, c: Array, device: str = "CPU") -> None:
    """c = a @ b."""
    m, n = c.shape
    matmul_blocked.on(device)[(-(-n // TILE_N), -(-m // TILE_M)), (BLOCK_X, BLOCK_Y)](a, b, c)


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree."""
    for m, n, k in ((1, 1, 1), (65, 70, 17), (37, 130, 33)):
        a, b, c = random(m, k), random(k, n), np.zeros((m, n), np.float32)
        run(a, b, c, device)
        agree(c, reference(a, b), f"{m} × {n} × {k}")


def bench(device: str = "CPU") -> Bench:
    """512 × 512 × 512."""
    n = 512
    a, b, c = random(n, n), random(n, n, seed=1), np.zeros((n, n), np.float32)
    return Bench(lambda: run(a, b, c, device), c, lambda: reference(a, b), 2 * n**3, "GFLOP/s", {"a": a, "b": b})
