"""The sum of an array by shuffles within subgroups, joined by one atomic addition for each block.

Shows: `shuffle_down`, which hands values from lane to lane without shared memory; the ready-made `subgroup_reduce_add` beside it; the
one slot of shared memory that each subgroup needs; a global atomic. The order of the atomics is not fixed: the last bits may vary.
"""
from __future__ import annotations

from typing import Any

import numpy as np
from gallery import Array, Bench, agree, random

import svod.lang as sl

BLOCK, BLOCKS, LANES = 256, 64, 32


def lanes_sum(value: Any) -> Any:
    """The sum over a subgroup; it is complete in lane 0."""
    step = LANES // 2
    while step > 0:
        value += sl.shuffle_down(value, step)
        step //= 2
    return value


@sl.kernel(subgroup=LANES)
def warp_sum(a: sl.Array[sl.f32], out: sl.Array[sl.f32]) -> None:
    """Adds the sum of a to out[0]."""
    parts = sl.shared(BLOCK // LANES, sl.f32)
    share = sl.cdiv(a.size, sl.grid_dim.x)
    first = sl.block_idx.x * share
    acc = sl.f32(0)
    for i in range(first + sl.thread_idx.x, min(first + share, a.size), sl.block_dim.x):
        acc += a[i]
    acc = lanes_sum(acc)
    if sl.lane_id() == 0:
        parts[sl.subgroup_id()] = acc
    sl.barrier()
    if sl.subgroup_id() == 0:
        total = sl.subgroup_reduce_add(parts[sl.lane_id()] if sl.lane_id() < len(parts) else 0.0)
        if sl.lane_id() == 0:
            sl.atomic_add(out, 0, total)


def reference(a: Array) -> Array:
    """The same in NumPy, in double precision."""
    return np.array([a.sum(dtype=np.float64)], np.float32)


def run(a: Array, out: Array, device: str = "CPU", blocks: int = BLOCKS) -> None:
    """out[0] = the sum of a."""
    out[0] = 0
    warp_sum.on(device)[blocks, BLOCK](a, out)


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree."""
    for n in (1, 1000, 20011):
        a, out = random(n, low=0), np.zeros(1, np.float32)
        run(a, out, device, blocks=5)
        agree(out, reference(a), f"n = {n}")


def bench(device: str = "CPU") -> Bench:
    """16 M elements."""
    a, out = random(1 << 24, low=0), np.zeros(1, np.float32)
    return Bench(lambda: run(a, out, device), out, lambda: np.add.reduce(a, keepdims=True), a.nbytes, inputs={"a": a})
