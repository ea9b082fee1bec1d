"""The BLAS routine axpy in place: y[i] = alpha · x[i] + y[i].

Shows: a scalar parameter beside arrays; a guard written by hand (`if i < y.size`) where the grid is given in blocks; an array that is
read and written. alpha is an argument: another value is no other compilation.
"""
from __future__ import annotations

import numpy as np
from gallery import Array, Bench, agree, random

import svod.lang as sl

BLOCK = 256


@sl.kernel
def saxpy(alpha: sl.f32, x: sl.Array[sl.f32], y: sl.Array[sl.f32]) -> None:
    """One element."""
    i = sl.block_idx.x * sl.block_dim.x + sl.thread_idx.x
    if i < y.size:
        y[i] = alpha * x[i] + y[i]


def reference(alpha: float, x: Array, y: Array) -> Array:
    """The same in NumPy."""
    return np.float32(alpha) * x + y


def run(alpha: float, x: Array, y: Array, device: str = "CPU") -> None:
    """Changes y."""
    saxpy.on(device)[-(-y.size // BLOCK), BLOCK](alpha, x, y)


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree."""
    for n in (1, 257, 3000):
        x, y = random(n), random(n, seed=1)
        want = reference(1.7, x, y)
        run(1.7, x, y, device)
        agree(y, want, f"n = {n}", rtol=1e-6, atol=1e-7)


def bench(device: str = "CPU") -> Bench:
    """16 M elements. alpha is small: y is the same array in every round, and must stay finite."""
    n = 1 << 24
    x, y = random(n), random(n, seed=1)
    other = np.zeros_like(y)
    return Bench(lambda: run(0.0, x, y, device), y, lambda: np.add(np.float32(0) * x, y, out=other), 3 * y.nbytes,
                 inputs={"alpha": 0.0, "x": x, "y": y.copy()})
