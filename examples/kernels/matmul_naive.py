"""A matrix product, first version: one work item for each element of c = a @ b, straight from memory.

Shows: two axes of work items (`threads=(columns, rows)`: x runs along rows, so that neighbours read neighbouring elements of b); a loop
over a length that is known only at the launch. matmul_tiled.py and matmul_blocked.py are the next two steps.
"""
from __future__ import annotations

import numpy as np
from gallery import Array, Bench, agree, random

import svod.lang as sl


@sl.kernel
def matmul_naive(a: sl.Array[sl.f32, 2], b: sl.Array[sl.f32, 2], c: sl.Array[sl.f32, 2]) -> None:
    """One element of c."""
    column, row = sl.global_id(0), sl.global_id(1)
    acc = sl.f32(0)
    for k in range(a.shape[1]):
        acc += a[row, k] * b[k, column]
    c[row, column] = acc


def reference(a: Array, b: Array) -> Array:
    """The same in NumPy."""
    out: Array = a @ b
    return out


def run(a: Array, b: Array, c: Array, device: str = "CPU") -> None:
    """c = a @ b."""
    matmul_naive.on(device).launch(a, b, c, threads=c.shape[::-1], block=(16, 16))


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree."""
    for m, n, k in ((1, 1, 1), (33, 50, 17), (7, 70, 40)):
        a, b, c = random(m, k), random(k, n), np.zeros((m, n), np.float32)
        run(a, b, c, device)
        agree(c, reference(a, b), f"{m} × {n} × {k}")


def bench(device: str = "CPU") -> Bench:
    """512 × 512 × 512."""
    n = 512
    a, b, c = random(n, n), random(n, n, seed=1), np.zeros((n, n), np.float32)
    return Bench(lambda: run(a, b, c, device), c, lambda: reference(a, b), 2 * n**3, "GFLOP/s", {"a": a, "b": b})
