"""Where the greatest element of each row is, for batches of rows that several streams work on.

Shows: launches with streams (`kernel[grid, block, shared, stream]`), which a GPU may run side by side and a CPU runs one after the other;
a value and its place, exchanged by `shuffle_xor` in log2(32) steps; of equal elements the first.
"""
from __future__ import annotations

import numpy as np
from gallery import Array, Bench, agree, random

import svod.lang as sl

LANES, BLOCK = 32, 128
ROWS = BLOCK // LANES


@sl.kernel(subgroup=LANES)
def row_argmax(x: sl.Array[sl.f32, 2], place: sl.Array[sl.i32]) -> None:
    """One row for each subgroup."""
    row, lane = sl.global_id() // LANES, sl.lane_id()
    rows, n = x.shape
    if row < rows:
        best, at = sl.f32(float("-inf")), n
        for j in range(lane, n, LANES):
            if x[row, j] > best:
                best, at = x[row, j], j
        step = LANES // 2
        while step > 0:
            other, there = sl.shuffle_xor(best, step), sl.shuffle_xor(at, step)
            if other > best or (other == best and there < at):
                best, at = other, there
            step //= 2
        if lane == 0:
            place[row] = at


def reference(x: Array) -> Array:
    """The same in NumPy."""
    return x.argmax(1).astype(np.int32)


def run(x: Array, place: Array, streams: int = 1, device: str = "CPU") -> None:
    """The rows in as many batches as there are streams, each launched on its own."""
    queues = [sl.Stream(s) for s in range(streams)]
    kernel = row_argmax.on(device)
    for queue, rows, places in zip(queues, np.array_split(x, streams), np.array_split(place, streams), strict=True):
        kernel[-(-len(rows) // ROWS), BLOCK, 0, queue](rows, places)


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree; equal elements, fewer rows than streams."""
    for rows, n, streams in ((1, 1, 1), (10, 100, 3), (2, 33, 4)):
        x, place = np.rint(random(rows, n) * 20), np.zeros(rows, np.int32)
        run(x, place, streams, device)
        agree(place, reference(x), f"{rows} × {n}, {streams} streams")


def bench(device: str = "CPU") -> Bench:
    """4096 × 4096, four streams."""
    x, place = random(4096, 4096), np.zeros(4096, np.int32)
    return Bench(lambda: run(x, place, 4, device), place, lambda: reference(x), x.nbytes, inputs={"x": x})
