"""The sum of an array by trees in shared memory, in two launches of one kernel.

Shows: a share of the array for each block, through which its work items walk side by side (so that memory is read in order, on a CPU and on
a GPU); a tree over shared memory with a barrier for each level (`while` over a number that is known
while the kernel is traced unrolls; here it is a loop at run time); a second launch that sums what the blocks have left. No atomics: the
result is the same, bit for bit, every time.
"""
from __future__ import annotations

import numpy as np
from gallery import Array, Bench, agree, random

import svod.lang as sl

BLOCK, BLOCKS = 256, 64


@sl.kernel
def block_sums(a: sl.Array[sl.f32], sums: sl.Array[sl.f32]) -> None:
    """sums[block] = the sum of this block's share of the elements."""
    scratch = sl.shared(BLOCK, sl.f32)
    t = sl.thread_idx.x
    share = sl.cdiv(a.size, sl.grid_dim.x)
    first = sl.block_idx.x * share
    acc = sl.f32(0)
    for i in range(first + t, min(first + share, a.size), sl.block_dim.x):
        acc += a[i]
    scratch[t] = acc
    sl.barrier()
    half = BLOCK // 2
    while half > 0:
        if t < half:
            scratch[t] += scratch[t + half]
        sl.barrier()
        half //= 2
    if t == 0:
        sums[sl.block_idx.x] = scratch[0]


def reference(a: Array) -> Array:
    """The same in NumPy, in double precision."""
    return np.array([a.sum(dtype=np.float64)], np.float32)


def run(a: Array, sums: Array, out: Array, device: str = "CPU") -> None:
    """out[0] = the sum of a; `sums` is scratch with an element for each block."""
    k = block_sums.on(device)
    k[len(sums), BLOCK](a, sums)
    k[1, BLOCK](sums, out)


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree."""
    for n in (1, 1000, 20011):
        a, sums, out = random(n, low=0), np.zeros(5, np.float32), np.zeros(1, np.float32)
        run(a, sums, out, device)
        agree(out, reference(a), f"n = {n}")


def bench(device: str = "CPU") -> Bench:
    """16 M elements."""
    a, sums, out = random(1 << 24, low=0), np.zeros(BLOCKS, np.float32), np.zeros(1, np.float32)
    return Bench(lambda: run(a, sums, out, device), out, lambda: np.add.reduce(a, keepdims=True), a.nbytes, inputs={"a": a})
