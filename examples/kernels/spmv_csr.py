"""A sparse matrix (compressed rows) times a vector: y = A x.

Shows: loops whose bounds are data; two ways to share the work: a row for each work item (short rows), a row for each subgroup, whose
lanes read neighbouring entries and add up by `subgroup_reduce_add` (long rows).
"""
from __future__ import annotations

import numpy as np
from gallery import Array, Bench, agree, random

import svod.lang as sl

LANES = 32


@sl.kernel
def row_per_item(starts: sl.Array[sl.i32], columns: sl.Array[sl.i32], values: sl.Array[sl.f32], x: sl.Array[sl.f32],
                 y: sl.Array[sl.f32]) -> None:
    """One row."""
    row = sl.global_id()
    total = sl.f32(0)
    for k in range(starts[row], starts[row + 1]):
        total += values[k] * x[columns[k]]
    y[row] = total


@sl.kernel(subgroup=LANES)
def row_per_subgroup(starts: sl.Array[sl.i32], columns: sl.Array[sl.i32], values: sl.Array[sl.f32], x: sl.Array[sl.f32],
                     y: sl.Array[sl.f32]) -> None:
    """One row for LANES work items."""
    row, lane = sl.global_id() // LANES, sl.lane_id()
    if row < len(y):
        total = sl.f32(0)
        for k in range(starts[row] + lane, starts[row + 1], LANES):
            total += values[k] * x[columns[k]]
        total = sl.subgroup_reduce_add(total)
        if lane == 0:
            y[row] = total


def reference(starts: Array, columns: Array, values: Array, x: Array) -> Array:
    """The same in NumPy: products, then sums by row (in f64, as bincount adds)."""
    rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    return np.bincount(rows, values * x[columns], len(starts) - 1).astype(np.float32)


def matrix(rows: int, columns: int, most: int) -> tuple[Array, Array, Array]:
    """A random matrix: 0 to `most` entries in a row, columns in order."""
    rng = np.random.default_rng(rows)
    counts = rng.integers(0, most + 1, rows)
    starts = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
    places = np.concatenate([np.sort(rng.choice(columns, c, replace=False)) for c in counts] or [np.zeros(0)]).astype(np.int32)
    return starts, places, random(len(places))


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree; there are empty rows."""
    for rows, width, most in ((1, 5, 3), (101, 77, 70), (33, 1000, 9)):
        a, x = matrix(rows, width, most), random(width, seed=1)
        want = reference(*a, x)
        y = np.zeros(rows, np.float32)
        row_per_item.on(device).launch(*a, x, y, threads=rows)
        agree(y, want, f"{rows} × {width}, a row per item")
        y[:] = 0
        row_per_subgroup.on(device)[-(-rows * LANES // 128), 128](*a, x, y)
        agree(y, want, f"{rows} × {width}, a row per subgroup")


def bench(device: str = "CPU") -> Bench:
    """200,000 rows with 0 to 40 entries each, a row per work item."""
    rows = 200_000
    rng = np.random.default_rng(0)
    starts = np.concatenate(([0], np.cumsum(rng.integers(0, 41, rows)))).astype(np.int32)
    columns = rng.integers(0, rows, starts[-1]).astype(np.int32)
    values, x, y = random(len(columns)), random(rows, seed=1), np.zeros(rows, np.float32)
    k = row_per_item.on(device)
    moved = starts.nbytes + columns.nbytes + values.nbytes + x.nbytes + y.nbytes
    return Bench(lambda: k.launch(starts, columns, values, x, y, threads=rows), y, lambda: reference(starts, columns, values, x), moved,
                 inputs={"starts": starts, "columns": columns, "values": values, "x": x})
