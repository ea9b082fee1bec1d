"""A histogram of bytes, twice: atomics on the global counts, and on counts that each block has for itself in shared memory.

Shows: atomics on global and on shared memory; why the second is faster where work items often meet at one counter; `for` over a range
that starts at the work item's own number, to clear and to add up an array with more elements than the block has work items.
"""
from __future__ import annotations

import numpy as np
from gallery import Array, Bench, agree

import svod.lang as sl

BLOCK, BLOCKS, BINS = 128, 32, 256


@sl.kernel
def histogram_global(data: sl.Array[sl.u8], counts: sl.Array[sl.i32]) -> None:
    """One element, one atomic addition."""
    sl.atomic_add(counts, data[sl.global_id()], 1)


@sl.kernel
def histogram_shared(data: sl.Array[sl.u8], counts: sl.Array[sl.i32]) -> None:
    """The block's own counts first, then one atomic addition for each of them that is not 0."""
    mine = sl.shared(BINS, sl.i32)
    t = sl.thread_idx.x
    for b in range(t, BINS, BLOCK):
        mine[b] = 0
    sl.barrier()
    for i in range(sl.global_id(), data.size, sl.grid_dim.x * BLOCK):
        sl.atomic_add(mine, data[i], 1)
    sl.barrier()
    for b in range(t, BINS, BLOCK):
        if mine[b] > 0:
            sl.atomic_add(counts, b, mine[b])


def reference(data: Array) -> Array:
    """The same in NumPy."""
    return np.bincount(data, minlength=BINS).astype(np.int32)


def run(data: Array, counts: Array, device: str = "CPU", blocks: int = BLOCKS) -> None:
    """Counts with shared memory."""
    counts[:] = 0
    histogram_shared.on(device)[blocks, BLOCK](data, counts)


def bytes_like_a_picture(n: int) -> Array:
    """n bytes, those in the middle more often."""
    return np.random.default_rng(n).normal(128, 30, n).clip(0, 255).astype(np.uint8)


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree, with both kernels."""
    for n in (1, 1000, 10007):
        data, counts = bytes_like_a_picture(n), np.zeros(BINS, np.int32)
        histogram_global.on(device).launch(data, counts, threads=n)
        agree(counts, reference(data), f"global, n = {n}")
        run(data, counts, device, blocks=5)
        agree(counts, reference(data), f"shared, n = {n}")


def bench(device: str = "CPU") -> Bench:
    """16 M bytes."""
    data, counts = bytes_like_a_picture(1 << 24), np.zeros(BINS, np.int32)
    return Bench(lambda: run(data, counts, device), counts, lambda: reference(data), data.nbytes, inputs={"data": data})
