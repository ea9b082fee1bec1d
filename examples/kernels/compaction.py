"""Stream compaction: the positive elements of an array, in their order, without gaps.

Shows: kernels of another file as parts of a larger operation (scan.py); the usual three steps: a flag for each element, prefix sums of the
flags, and every element that stays goes to the place its sum says. How many there are is known only afterwards: it is read back.
"""
from __future__ import annotations

import numpy as np
import scan
from gallery import Array, Bench, agree, random

import svod.lang as sl


@sl.kernel
def flag(a: sl.Array[sl.f32], flags: sl.Array[sl.i32]) -> None:
    """1 for an element that stays."""
    i = sl.global_id()
    flags[i] = 1 if a[i] > 0 else 0


@sl.kernel
def scatter(a: sl.Array[sl.f32], places: sl.Array[sl.i32], out: sl.Array[sl.f32]) -> None:
    """places[i]: how many elements up to the i-th stay."""
    i = sl.global_id()
    if a[i] > 0:
        out[places[i] - 1] = a[i]


def reference(a: Array) -> Array:
    """The same in NumPy."""
    return a[a > 0]


def run(a: Array, out: Array, device: str = "CPU") -> int:
    """Writes the elements that stay to the front of `out`; returns how many there are."""
    places = np.empty(a.size, np.int32)
    flag.on(device).launch(a, places, threads=a.size)
    scan.run(places, places, device)
    scatter.on(device).launch(a, places, out, threads=a.size)
    return int(places[-1])


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree."""
    for n in (1, 1000, 5003):
        a, out = random(n), np.zeros(n, np.float32)
        count = run(a, out, device)
        agree(out[:count], reference(a), f"n = {n}")
        assert not out[count:].any()


def bench(device: str = "CPU") -> Bench:
    """16 M elements, half of which stay."""
    a = random(1 << 24)
    want, out = reference(a), np.zeros_like(a)
    return Bench(lambda: run(a, out, device), out[:want.size], lambda: reference(a), a.nbytes + want.nbytes, inputs={"a": a})
