"""π from random points: the share of the unit square's points that lie in the quarter circle.

Shows: random numbers without state: Philox-4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3; SC 2011)
makes four words of any counter, so each work item draws its own and the result does not depend on the number of work items; 64-bit
products; `block_reduce_add` and one atomic addition for each block.
"""
from __future__ import annotations

import math

import numpy as np
from gallery import Array, Bench

import svod.lang as sl

BLOCK = 128
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
VECTORS = (
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0), (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)))
"""Counter, key, result: the known answers that Random123 is tested with."""


def philox(counter, key):
    """Four random words of four words of counter and two of key."""
    (a, b, c, d), (left, right) = counter, key
    for _ in range(10):
        first, second = sl.u64(a) * MULTIPLIERS[0], sl.u64(c) * MULTIPLIERS[1]
        a, b, c, d = sl.u32(second >> 32) ^ b ^ left, sl.u32(second), sl.u32(first >> 32) ^ d ^ right, sl.u32(first)
        left += WEYL[0]
        right += WEYL[1]
    return a, b, c, d


@sl.kernel
def words(counters: sl.Array[sl.u32, 2], keys: sl.Array[sl.u32, 2], out: sl.Array[sl.u32, 2]) -> None:
    """The four words of each counter."""
    i = sl.global_id()
    row = philox([counters[i, k] for k in range(4)], (keys[i, 0], keys[i, 1]))
    for k in sl.static_range(4):
        out[i, k] = row[k]


@sl.kernel
def hits(total: sl.Array[sl.i64], seed: sl.u32, draws: sl.i64) -> None:
    """Counts the points in the quarter circle; draw number `i` makes two points."""
    inside = sl.i32(0)
    for i in range(sl.global_id(), draws, sl.grid_dim.x * sl.block_dim.x):
        x0, y0, x1, y1 = (sl.f32(w) * 2.0 ** -32 for w in philox((sl.u32(i), sl.u32(i >> 32), sl.u32(0), sl.u32(0)), (seed, sl.u32(0))))
        inside += sl.i32(x0 * x0 + y0 * y0 < 1) + sl.i32(x1 * x1 + y1 * y1 < 1)
    found = sl.block_reduce_add(sl.i64(inside))
    if sl.thread_idx.x == 0:
        sl.atomic_add(total, 0, found)


def numpy_words(counter: tuple[Array, ...], key: tuple[int, int]) -> tuple[Array, ...]:
    """Philox in NumPy: words kept in u64."""
    low = np.uint64(0xFFFFFFFF)
    a, b, c, d = (x.astype(np.uint64) for x in counter)
    left, right = key
    for _ in range(10):
        first, second = a * np.uint64(MULTIPLIERS[0]), c * np.uint64(MULTIPLIERS[1])
        shift = np.uint64(32)
        a, b, c, d = second >> shift ^ b ^ np.uint64(left), second & low, first >> shift ^ d ^ np.uint64(right), first & low
        left, right = (left + WEYL[0]) & 0xFFFFFFFF, (right + WEYL[1]) & 0xFFFFFFFF
    return a, b, c, d


def reference(seed: int, draws: int) -> int:
    """Points in the quarter circle, counted by NumPy."""
    i = np.arange(draws, dtype=np.uint64)
    zero = np.zeros_like(i)
    x0, y0, x1, y1 = (w.astype(np.float32) * np.float32(2.0 ** -32)
                      for w in numpy_words((i & np.uint64(0xFFFFFFFF), i >> np.uint64(32), zero, zero), (seed, 0)))
    return int((x0 * x0 + y0 * y0 < 1).sum() + (x1 * x1 + y1 * y1 < 1).sum())


def run(seed: int, draws: int, blocks: int, total: Array, device: str = "CPU") -> float:
    """The estimate of π from 2 * draws points."""
    total[:] = 0
    hits.on(device)[blocks, BLOCK](total, seed, draws)
    return 4 * int(total[0]) / (2 * draws)


def check(device: str) -> None:
    """AssertionError unless Philox gives its known answers, every point is counted, and π is about what it is."""
    counters, keys, want = (np.array(column, np.uint32) for column in zip(*VECTORS, strict=True))
    out = np.zeros_like(want)
    words.on(device).launch(counters, keys, out, threads=len(out))
    np.testing.assert_array_equal(out, want)
    total = np.zeros(1, np.int64)
    for draws, blocks in ((1, 1), (5001, 3), (20_000, 7)):
        estimate = run(12345, draws, blocks, total, device)
        assert total[0] == reference(12345, draws), (total[0], reference(12345, draws))
        assert draws < 5000 or abs(estimate - math.pi) < 4 * 1.65 / math.sqrt(2 * draws), estimate


def bench(device: str = "CPU") -> Bench:
    """16 M points; NumPy does 2 M at a time, to stay in its caches as well as it can."""
    draws, total = 1 << 23, np.zeros(1, np.int64)
    return Bench(lambda: run(7, draws, 1024, total, device), total, lambda: np.array([reference(7, draws)]), 2 * draws, "G/s",
                 inputs={"seed": 7, "draws": draws})
