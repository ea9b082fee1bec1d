"""Conway's Game of Life on a torus: a cell lives if 3 of its 8 neighbours do, or 2 and it lives already.

Shows: two axes of work items; bytes as cells; indices that wrap (`%` is Python's: -1 % n is n - 1), and that only those at the border
have to; launches that take turns between two arrays.
"""
from __future__ import annotations

import numpy as np
from gallery import Array, Bench, agree

import svod.lang as sl

AROUND = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)]


@sl.kernel
def wrapping(now: sl.Array[sl.u8, 2], then: sl.Array[sl.u8, 2]) -> None:
    """One cell, as it is written in books: every index wraps."""
    x, y = sl.global_id(0), sl.global_id(1)
    height, width = now.shape
    alive = sum(now[(y + dy) % height, (x + dx) % width] for dy, dx in AROUND)
    then[y, x] = alive == 3 or (alive == 2 and now[y, x] == 1)


@sl.kernel
def generation(now: sl.Array[sl.u8, 2], then: sl.Array[sl.u8, 2]) -> None:
    """One cell; a remainder is worth many additions, and only the border needs it."""
    x, y = sl.global_id(0), sl.global_id(1)
    height, width = now.shape
    if 0 < x < width - 1 and 0 < y < height - 1:
        alive = sum(now[y + dy, x + dx] for dy, dx in AROUND)
    else:
        alive = sum(now[(y + dy) % height, (x + dx) % width] for dy, dx in AROUND)
    then[y, x] = alive == 3 or (alive == 2 and now[y, x] == 1)


def step(cells: Array) -> Array:
    """One generation in NumPy."""
    rows = np.roll(cells, 1, 0) + cells + np.roll(cells, -1, 0)
    around = np.roll(rows, 1, 1) + rows + np.roll(rows, -1, 1) - cells
    result: Array = ((around == 3) | ((around == 2) & (cells == 1))).astype(np.uint8)
    return result


def reference(cells: Array, generations: int) -> Array:
    """The same in NumPy."""
    for _ in range(generations):
        cells = step(cells)
    return cells


def run(cells: Array, generations: int, device: str = "CPU", kernel: sl.Kernel = generation) -> Array:
    """The cells after so many generations."""
    now, then = cells.copy(), np.empty_like(cells)
    height, width = cells.shape
    for _ in range(generations):
        kernel.on(device).launch(now, then, threads=(width, height))
        now, then = then, now
    return now


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree, and a glider glides: after 4 generations it is one further down and right."""
    glider = np.zeros((9, 11), np.uint8)
    glider[0:3, 0:3] = [[0, 1, 0], [0, 0, 1], [1, 1, 1]]
    for kernel in (wrapping, generation):
        agree(run(glider, 4, device, kernel), np.roll(glider, (1, 1), (0, 1)), "glider")
        for shape in ((1, 1), (2, 3), (37, 53)):
            cells = (np.random.default_rng(shape).random(shape) < 0.4).astype(np.uint8)
            agree(run(cells, 3, device, kernel), reference(cells, 3), f"{shape}, {kernel.name}")


def bench(device: str = "CPU") -> Bench:
    """4096 × 4096 cells, one generation."""
    cells = (np.random.default_rng(0).random((4096, 4096)) < 0.4).astype(np.uint8)
    out, k = np.empty_like(cells), generation.on(device)
    return Bench(lambda: k.launch(cells, out, threads=(4096, 4096)), out, lambda: step(cells), cells.size, "G/s", inputs={"cells": cells})
