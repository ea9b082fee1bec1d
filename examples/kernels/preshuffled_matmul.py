"""A product of fp8 (or int8) matrices whose weights lie in the order in which lanes read them, with a scale for each row and column.

Shows: weights put in blocks of 16 columns × 16 k once, before anything runs, so each lane of a subgroup reads 16 bytes side by side
(`sl.load_vector`) for two steps of `sl.mma`; fp8 as elements of arrays; one body for two kernels: a Python function, traced in place.
"""
from __future__ import annotations

import ml_dtypes
import numpy as np
from gallery import Array, Bench, agree, random

import svod.lang as sl

EDGE, WIDE = 16, 16
"""Columns, and k, of a block of weights."""
STEP = 64
"""k of a step: what the 64 lanes of a subgroup hold."""


def shuffled(b: Array) -> Array:
    """n × k weights (multiples of 16 and 64) as blocks: n / 16, k / 16, 16 columns, 16 k."""
    n, k = b.shape
    return np.ascontiguousarray(b.reshape(n // EDGE, EDGE, k // WIDE, WIDE).swapaxes(1, 2))


def product(a, b, scale_a, scale_b, c, zero):
    """16 × 16 elements of c, by one subgroup; `zero` is that of the sums."""
    m = c.shape[0]
    lane, part = sl.lane_id() % EDGE, sl.lane_id() // EDGE
    row = min(sl.block_idx.y * EDGE + lane, m - 1)
    sums = (zero,) * 4
    for start in range(0, a.shape[1], STEP):
        left = sl.load_vector(a, (row, start + part * WIDE), WIDE)
        right = sl.load_vector(b, (sl.block_idx.x, start // WIDE + part, lane, 0), WIDE)
        for half in (0, 8):
            sums = sl.mma(left[half:half + 8], right[half:half + 8], sums, 16, 16, 32)
    column = sl.block_idx.x * EDGE + lane
    for r, total in enumerate(sums):
        i = sl.block_idx.y * EDGE + part * 4 + r
        if i < m:
            c[i, column] = total * scale_a[i] * scale_b[column]


@sl.kernel(subgroup=64)
def fp8_matmul(a: sl.Array[sl.f8e4m3, 2], b: sl.Array[sl.f8e4m3, 4], scale_a: sl.Array[sl.f32], scale_b: sl.Array[sl.f32],
               c: sl.Array[sl.bf16, 2]) -> None:
    """c = (a @ b) * scales, sums in f32."""
    product(a, b, scale_a, scale_b, c, 0.0)


@sl.kernel(subgroup=64)
def int8_matmul(a: sl.Array[sl.i8, 2], b: sl.Array[sl.i8, 4], scale_a: sl.Array[sl.f32], scale_b: sl.Array[sl.f32],
                c: sl.Array[sl.bf16, 2]) -> None:
    """c = (a @ b) * scales, sums in i32."""
    product(a, b, scale_a, scale_b, c, 0)


KERNELS = {ml_dtypes.float8_e4m3fn: (fp8_matmul, 448.0), np.int8: (int8_matmul, 127.0)}
"""Type of the elements -> its kernel, its greatest value."""


def quantised(x: Array, kind: type) -> tuple[Array, Array]:
    """Rows in a narrow type, and the scale of each row."""
    scale = (np.abs(x).max(1) / KERNELS[kind][1]).astype(np.float32)
    narrow = x / scale[:, None]
    return (np.rint(narrow) if kind is np.int8 else narrow).astype(kind), scale


def reference(a: Array, b: Array, scale_a: Array, scale_b: Array) -> Array:
    """The same in NumPy, from weights as they were (n × k)."""
    sums = a.astype(np.float32) @ b.T.astype(np.float32)
    return (sums * scale_a[:, None] * scale_b).astype(ml_dtypes.bfloat16)


def run(a: Array, b: Array, scale_a: Array, scale_b: Array, c: Array, device: str = "CPU") -> None:
    """A subgroup for each 16 × 16 elements of c."""
    m, n = c.shape
    KERNELS[a.dtype.type][0].on(device)[(n // EDGE, -(-m // EDGE)), 64](a, b, scale_a, scale_b, c)


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree up to one unit of bf16; rows that do not divide."""
    for kind in KERNELS:
        for m, n, k in ((16, 16, 64), (33, 48, 192)):
            (a, scale_a), (b, scale_b) = quantised(random(m, k), kind), quantised(random(n, k, seed=1), kind)
            c = np.zeros((m, n), ml_dtypes.bfloat16)
            run(a, shuffled(b), scale_a, scale_b, c, device)
            want = reference(a, b, scale_a, scale_b)
            agree(c.astype(np.float32), want.astype(np.float32), f"{kind.__name__}, {m} × {n} × {k}", rtol=2 ** -7, atol=1e-5)


def bench(device: str = "CPU") -> Bench:
    """fp8, 256 × 512 × 512."""
    m, n, k = 256, 512, 512
    (a, scale_a), (b, scale_b) = (quantised(random(rows, k, seed=rows), ml_dtypes.float8_e4m3fn) for rows in (m, n))
    c, weights = np.zeros((m, n), ml_dtypes.bfloat16), shuffled(b)
    return Bench(lambda: run(a, weights, scale_a, scale_b, c, device), c, lambda: reference(a, b, scale_a, scale_b), 2 * m * n * k,
                 "GFLOP/s", rtol=2 ** -6)
