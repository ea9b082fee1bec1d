"""A five-point stencil: out[i, j] = ¼ (the four neighbours) - a[i, j] inside, 0 on the border.

Shows: a two-dimensional guard with an else branch; neighbours read straight from memory: caches do what shared memory would.
"""
from __future__ import annotations

import numpy as np
from gallery import Array, Bench, agree, random

import svod.lang as sl


@sl.kernel
def stencil5(a: sl.Array[sl.f32, 2], out: sl.Array[sl.f32, 2]) -> None:
    """One point."""
    j, i = sl.global_id(0), sl.global_id(1)
    rows, columns = a.shape
    if 0 < i < rows - 1 and 0 < j < columns - 1:
        out[i, j] = 0.25 * (a[i - 1, j] + a[i + 1, j] + a[i, j - 1] + a[i, j + 1]) - a[i, j]
    else:
        out[i, j] = 0


def reference(a: Array) -> Array:
    """The same in NumPy."""
    out = np.zeros_like(a)
    out[1:-1, 1:-1] = np.float32(0.25) * (a[:-2, 1:-1] + a[2:, 1:-1] + a[1:-1, :-2] + a[1:-1, 2:]) - a[1:-1, 1:-1]
    return out


def run(a: Array, out: Array, device: str = "CPU") -> None:
    """A work item for each point."""
    stencil5.on(device).launch(a, out, threads=a.shape[::-1], block=(128, 2))


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree."""
    for rows, columns in ((1, 1), (3, 3), (45, 131)):
        a, out = random(rows, columns), np.ones((rows, columns), np.float32)
        run(a, out, device)
        agree(out, reference(a), f"{rows} × {columns}")


def bench(device: str = "CPU") -> Bench:
    """4096 × 4096."""
    n = 4096
    a, out = random(n, n), np.zeros((n, n), np.float32)
    return Bench(lambda: run(a, out, device), out, lambda: reference(a), 2 * a.nbytes, inputs={"a": a})
