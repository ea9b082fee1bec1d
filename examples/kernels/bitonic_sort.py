"""Batcher's bitonic sorting network: an array of any length, sorted in place (Batcher 1968).

Shows: a network of comparisons in two kernels: steps whose partners are within a block run in shared memory, all in one launch; steps
across blocks are launches of their own. The array is filled up to a power of two with the greatest value there is.
"""
from __future__ import annotations

import numpy as np
from gallery import Array, Bench, agree, random

import svod.lang as sl

BLOCK = 256
PART = 2 * BLOCK
Keys = sl.Array[sl.f32]


@sl.kernel
def sort_parts(keys: Keys, first: sl.i32, last: sl.i32) -> None:
    """The steps of the runs of `first` … `last` elements that stay within PART elements: one part for each block."""
    part = sl.shared(PART, sl.f32)
    t, base = sl.i32(sl.thread_idx.x), sl.i32(sl.block_idx.x) * PART
    part[t], part[t + BLOCK] = keys[base + t], keys[base + t + BLOCK]
    sl.barrier()
    run = first
    while run <= last:
        step = min(run // 2, BLOCK)
        while step > 0:
            low = t // step * 2 * step + t % step
            a, b = part[low], part[low + step]
            up = (base + low) & run == 0
            if (a > b) == up:
                part[low], part[low + step] = b, a
            sl.barrier()
            step //= 2
        run *= 2
    keys[base + t], keys[base + t + BLOCK] = part[t], part[t + BLOCK]


@sl.kernel
def exchange(keys: Keys, run: sl.i32, step: sl.i32) -> None:
    """One step across blocks: a pair for each work item."""
    i = sl.i32(sl.global_id())
    low = i // step * 2 * step + i % step
    a, b = keys[low], keys[low + step]
    if (a > b) == (low & run == 0):
        keys[low], keys[low + step] = b, a


def reference(keys: Array) -> Array:
    """The same in NumPy."""
    return np.sort(keys)


def sort_power_of_two(keys: Array, device: str) -> None:
    """Sorts in place; the length is a power of two, PART or more."""
    n = keys.size
    parts = sort_parts.on(device)[n // PART, BLOCK]
    parts(keys, 2, PART)
    size = 2 * PART
    while size <= n:
        step = size // 2
        while step > BLOCK:
            exchange.on(device).launch(keys, size, step, threads=n // 2)
            step //= 2
        parts(keys, size, size)
        size *= 2


def run(keys: Array, device: str = "CPU") -> Array:
    """A sorted copy."""
    n = max(PART, 1 << (keys.size - 1).bit_length())
    padded = np.full(n, np.inf, np.float32)
    padded[:keys.size] = keys
    sort_power_of_two(padded, device)
    return padded[:keys.size]


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree."""
    for n in (1, 512, 1000, 5003):
        keys = random(n)
        agree(run(keys, device), reference(keys), f"n = {n}")


def bench(device: str = "CPU") -> Bench:
    """1 M keys."""
    keys = random(1 << 20)
    out = np.empty_like(keys)

    def again() -> None:
        out[:] = run(keys, device)

    return Bench(again, out, lambda: reference(keys), keys.size, "G/s", {"keys": keys})
