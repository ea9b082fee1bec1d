"""The sum of two vectors: out[i] = a[i] + b[i].

Shows: a kernel is a function of one work item; `launch(threads=n)` starts n of them, whatever the block size: the surplus items of the
last block do nothing. One compilation serves every length. The array types are part of the kernel, the lengths are not.
"""
from __future__ import annotations

import numpy as np
from gallery import Array, Bench, agree, random

import svod.lang as sl


@sl.kernel
def vector_add(a: sl.Array[sl.f32], b: sl.Array[sl.f32], out: sl.Array[sl.f32]) -> None:
    """One element."""
    i = sl.global_id()
    out[i] = a[i] + b[i]


def reference(a: Array, b: Array) -> Array:
    """The same in NumPy."""
    return a + b


def run(a: Array, b: Array, out: Array, device: str = "CPU") -> None:
    """Launches the kernel over all of `out`."""
    vector_add.on(device).launch(a, b, out, threads=out.size)


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree, for lengths that do not divide."""
    for n in (1, 255, 1000, 4099):
        a, b, out = random(n), random(n, seed=1), np.zeros(n, np.float32)
        run(a, b, out, device)
        agree(out, reference(a, b), f"n = {n}", rtol=0, atol=0)


def bench(device: str = "CPU") -> Bench:
    """16 M elements: three streams through memory."""
    n = 1 << 24
    a, b, out = random(n), random(n, seed=1), np.zeros(n, np.float32)
    other = np.empty_like(out)
    return Bench(lambda: run(a, b, out, device), out, lambda: np.add(a, b, out=other), 3 * out.nbytes, inputs={"a": a, "b": b})
