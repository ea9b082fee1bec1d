"""A matrix transposed through a tile in shared memory: out[j, i] = a[i, j].

Shows: blocks with two axes; shared memory and a barrier; a tile with a column of padding, so that reading it by columns does not hit one
bank of shared memory with all work items at once; fewer work items than elements in a tile (each moves TILE / ROWS of them).
Both the reads and the writes of global memory go along rows.
"""
from __future__ import annotations

import numpy as np
from gallery import Array, Bench, agree, random

import svod.lang as sl

TILE, ROWS = 32, 8


@sl.kernel
def transpose(a: sl.Array[sl.f32, 2], out: sl.Array[sl.f32, 2]) -> None:
    """One tile for each block."""
    tile = sl.shared((TILE, TILE + 1), sl.f32)
    x, y = sl.thread_idx.x, sl.thread_idx.y
    column, row = sl.block_idx.x * TILE + x, sl.block_idx.y * TILE + y
    for k in sl.static_range(0, TILE, ROWS):
        if row + k < a.shape[0] and column < a.shape[1]:
            tile[y + k, x] = a[row + k, column]
    sl.barrier()
    column, row = sl.block_idx.y * TILE + x, sl.block_idx.x * TILE + y
    for k in sl.static_range(0, TILE, ROWS):
        if row + k < out.shape[0] and column < out.shape[1]:
            out[row + k, column] = tile[x, y + k]


def reference(a: Array) -> Array:
    """The same in NumPy."""
    return np.ascontiguousarray(a.T)


def run(a: Array, out: Array, device: str = "CPU") -> None:
    """Launches a block for each tile."""
    rows, columns = a.shape
    transpose.on(device)[(-(-columns // TILE), -(-rows // TILE)), (TILE, ROWS)](a, out)


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree."""
    for rows, columns in ((1, 1), (32, 64), (45, 67), (100, 3)):
        a, out = random(rows, columns), np.zeros((columns, rows), np.float32)
        run(a, out, device)
        agree(out, reference(a), f"{rows} × {columns}", rtol=0, atol=0)


def bench(device: str = "CPU") -> Bench:
    """4096 × 4096."""
    n = 4096
    a, out = random(n, n), np.zeros((n, n), np.float32)
    return Bench(lambda: run(a, out, device), out, lambda: reference(a), 2 * a.nbytes, inputs={"a": a})
