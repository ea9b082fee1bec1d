"""The heat equation in three dimensions, explicit steps: u' = u + κ · (the six neighbours - 6u). The boundary keeps its temperature.

Shows: three axes of work items; two arrays that change roles after each step; a host function, marked `@sl.jit`, that launches the kernel
once for each step: launches on a device run in order.
"""
from __future__ import annotations

import numpy as np
from gallery import Array, Bench, agree, random

import svod.lang as sl

BLOCK = (64, 2, 2)
Grid = sl.Array[sl.f32, 3]


@sl.kernel
def heat_step(u: Grid, out: Grid, kappa: sl.f32) -> None:
    """One point, one step."""
    x, y, z = sl.global_id(0), sl.global_id(1), sl.global_id(2)
    depth, height, width = u.shape
    if x < width and y < height and z < depth:
        here = u[z, y, x]
        if 0 < x < width - 1 and 0 < y < height - 1 and 0 < z < depth - 1:
            around = u[z - 1, y, x] + u[z + 1, y, x] + u[z, y - 1, x] + u[z, y + 1, x] + u[z, y, x - 1] + u[z, y, x + 1]
            here += kappa * (around - 6 * here)
        out[z, y, x] = here


def reference(u: Array, kappa: float, steps: int) -> Array:
    """The same in NumPy."""
    for _ in range(steps):
        out, inner = u.copy(), u[1:-1, 1:-1, 1:-1]
        around = (u[:-2, 1:-1, 1:-1] + u[2:, 1:-1, 1:-1] + u[1:-1, :-2, 1:-1] + u[1:-1, 2:, 1:-1] + u[1:-1, 1:-1, :-2]
                  + u[1:-1, 1:-1, 2:])
        out[1:-1, 1:-1, 1:-1] = inner + np.float32(kappa) * (around - 6 * inner)
        u = out
    return u


@sl.jit
def run(u: Array, scratch: Array, kappa: float, steps: int, device: str = "CPU") -> Array:
    """The temperatures after `steps`: in `scratch` if that is an odd number, else in `u`. Changes both."""
    grid = tuple(-(-n // b) for n, b in zip(u.shape[::-1], BLOCK, strict=True))
    for _ in range(steps):
        heat_step.on(device)(u, scratch, kappa).launch(grid=grid, block=BLOCK)
        u, scratch = scratch, u
    return u


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree."""
    for shape, steps in (((1, 1, 1), 1), ((5, 7, 67), 3), ((4, 4, 4), 2)):
        u = random(*shape)
        want = reference(u, 0.1, steps)
        agree(run(u, np.zeros_like(u), 0.1, steps, device), want, f"{steps} steps on {shape}")


def bench(device: str = "CPU") -> Bench:
    """One step on 256 × 256 × 256 points."""
    n = 256
    u, out = random(n, n, n), np.zeros((n, n, n), np.float32)
    return Bench(lambda: run(u, out, 0.1, 1, device), out, lambda: reference(u, 0.1, 1), 2 * u.nbytes, inputs={"u": u, "kappa": 0.1})
