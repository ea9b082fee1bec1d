"""The k greatest elements of each row, and where they are; of equal ones the first.

Shows: lists of values in registers, sorted while the row is read once; a compile-time `k`, over which loops unroll; then k rounds in which
every work item offers its best and the winner moves on.
"""
from __future__ import annotations

import numpy as np
from gallery import Array, Bench, agree, random

import svod.lang as sl

BLOCK = 64
NONE = float("-inf")


@sl.kernel
def top_k(x: sl.Array[sl.f32, 2], values: sl.Array[sl.f32, 2], places: sl.Array[sl.i32, 2], k: sl.Constexpr[int]) -> None:
    """One row for each block. Elements are numbers greater than -inf."""
    row, t, n = sl.block_idx.x, sl.thread_idx.x, sl.i32(x.shape[1])
    best, place = [sl.f32(NONE)] * k, [n] * k
    for j in range(t, n, BLOCK):
        value, at = x[row, j], sl.i32(j)
        shift = False
        for s in sl.static_range(k):
            shift = shift or value > best[s]
            best[s], value = sl.select(shift, value, best[s]), sl.select(shift, best[s], value)
            place[s], at = sl.select(shift, at, place[s]), sl.select(shift, place[s], at)
    for s in sl.static_range(k):
        top = sl.block_reduce_max(best[0])
        first = sl.block_reduce_min(sl.select(best[0] == top, place[0], n))
        if t == 0:
            values[row, s] = top
            places[row, s] = first
        if place[0] == first:
            best = [*best[1:], NONE]
            place = [*place[1:], n]


def reference(x: Array, k: int) -> tuple[Array, Array]:
    """The same in NumPy."""
    places = np.argsort(-x, axis=1, kind="stable")[:, :k].astype(np.int32)
    return np.take_along_axis(x, places, 1), places


def numpy_fast(x: Array, k: int) -> tuple[Array, Array]:
    """The same by partition, which is faster; equal elements come in any order."""
    some = np.argpartition(-x, k, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(x, some, 1), axis=1, kind="stable")
    places = np.take_along_axis(some, order, 1)
    return np.take_along_axis(x, places, 1), places.astype(np.int32)


def run(x: Array, values: Array, places: Array, device: str = "CPU") -> None:
    """A block for each row."""
    top_k.on(device)[len(x), BLOCK](x, values, places, values.shape[1])


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree; with many equal elements, and with rows shorter than a block."""
    for rows, n, k in ((3, 1000, 5), (2, 70, 5), (4, 9, 5), (1, 1, 1)):
        x = np.rint(random(rows, n) * 50)
        x[0, ::BLOCK] = np.arange(len(x[0, ::BLOCK])) // 3 + 60
        values, places = np.zeros((rows, k), np.float32), np.zeros((rows, k), np.int32)
        run(x, values, places, device)
        want = reference(x, k)
        agree(values, want[0], f"{rows} × {n}, k = {k}", rtol=0, atol=0)
        agree(places, want[1], f"places, {rows} × {n}, k = {k}")


def bench(device: str = "CPU") -> Bench:
    """8 of 32,768 in each of 512 rows."""
    x = np.random.default_rng(0).permutation(1 << 24).astype(np.float32).reshape(512, 1 << 15)
    values, places = np.zeros((512, 8), np.float32), np.zeros((512, 8), np.int32)
    return Bench(lambda: run(x, values, places, device), (values, places), lambda: numpy_fast(x, 8), x.nbytes, inputs={"x": x, "k": 8})
