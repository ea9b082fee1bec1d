"""Inclusive prefix sums of an array of any length, over many blocks: out[i] = a[0] + … + a[i].

Shows: three launches, each of which waits for the one before: every block scans its part and leaves its sum; the sums are scanned, by the
same function called again; every block adds the sum of those before it. A host function that calls itself is plain Python. Within a block
two ways: `block_scan_add`, which scans in subgroups first; and by hand (Hillis and Steele 1986, in shared memory), which does eight times
the additions and has two barriers for each of its steps.
"""
from __future__ import annotations

import numpy as np
from gallery import Array, Bench, agree

import svod.lang as sl

BLOCK = 256
Ints = sl.Array[sl.i32]


@sl.kernel
def scan_blocks(a: Ints, out: Ints, sums: Ints) -> None:
    """Prefix sums within each block, and the block's sum."""
    t, i = sl.thread_idx.x, sl.global_id()
    value = sl.block_scan_add(a[i] if i < a.size else 0)
    if i < a.size:
        out[i] = value
    if t == BLOCK - 1:
        sums[sl.block_idx.x] = value


@sl.kernel
def scan_blocks_by_hand(a: Ints, out: Ints, sums: Ints) -> None:
    """The same, spelled out."""
    scratch = sl.shared(BLOCK, sl.i32)
    t, i = sl.thread_idx.x, sl.global_id()
    scratch[t] = a[i] if i < a.size else 0
    sl.barrier()
    step = 1
    while step < BLOCK:
        below = scratch[t - step] if t >= step else 0
        sl.barrier()
        scratch[t] += below
        sl.barrier()
        step *= 2
    if i < a.size:
        out[i] = scratch[t]
    if t == BLOCK - 1:
        sums[sl.block_idx.x] = scratch[t]


@sl.kernel
def add_offsets(out: Ints, sums: Ints) -> None:
    """Adds to every element the sum of all blocks before its own."""
    block, i = sl.block_idx.x, sl.global_id()
    if block > 0 and i < out.size:
        out[i] += sums[block - 1]


def reference(a: Array) -> Array:
    """The same in NumPy."""
    return np.cumsum(a, dtype=np.int32)


def run(a: Array, out: Array, device: str = "CPU", scan: sl.Kernel = scan_blocks) -> None:
    """out = prefix sums of a; both may be the same array. `scan` does the blocks."""
    blocks = sl.cdiv(a.size, BLOCK)
    sums = np.empty(blocks, np.int32)
    scan.on(device)[blocks, BLOCK](a, out, sums)
    if blocks > 1:
        run(sums, sums, device, scan)
        add_offsets.on(device)[blocks, BLOCK](out, sums)


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree; the last length needs sums of sums."""
    for n in (1, 256, 1000, BLOCK * BLOCK + 77):
        a = np.random.default_rng(n).integers(-100, 100, n).astype(np.int32)
        out = np.zeros_like(a)
        run(a, out, device)
        agree(out, reference(a), f"n = {n}")
        run(a, out, device, scan_blocks_by_hand)
        agree(out, reference(a), f"n = {n}, by hand")


def bench(device: str = "CPU") -> Bench:
    """16 M elements."""
    a = np.random.default_rng(0).integers(-100, 100, 1 << 24).astype(np.int32)
    out = np.zeros_like(a)
    return Bench(lambda: run(a, out, device), out, lambda: reference(a), 2 * a.nbytes, inputs={"a": a})
