"""Gravity among n bodies: accelerations by all pairs, softened so that no distance is zero.

Shows: bodies loaded tile by tile into shared memory, where every work item of the block reads each of them; structures as rows of four
numbers (x, y, z, mass); the last tile filled up with bodies without mass instead of a guard in the inner loop.
"""
from __future__ import annotations

import numpy as np
from gallery import Array, Bench, agree, random

import svod.lang as sl

BLOCK = 128
SOFTENING = 1e-2
Bodies = sl.Array[sl.f32, None, 4]


@sl.kernel
def accelerations(bodies: Bodies, out: sl.Array[sl.f32, None, 3]) -> None:
    """The acceleration of one body."""
    tile = sl.shared((BLOCK, 4), sl.f32)
    n, t, i = bodies.shape[0], sl.thread_idx.x, sl.global_id()
    me = min(i, n - 1)
    x, y, z = bodies[me, 0], bodies[me, 1], bodies[me, 2]
    ax = ay = az = sl.f32(0)
    for start in range(0, n, BLOCK):
        for k in sl.static_range(4):
            tile[t, k] = bodies[start + t, k] if start + t < n else 0.0
        sl.barrier()
        for j in range(BLOCK):
            dx, dy, dz = tile[j, 0] - x, tile[j, 1] - y, tile[j, 2] - z
            near = sl.rsqrt(dx * dx + dy * dy + dz * dz + SOFTENING)
            pull = tile[j, 3] * near * near * near
            ax += pull * dx
            ay += pull * dy
            az += pull * dz
        sl.barrier()
    if i < n:
        out[i, 0], out[i, 1], out[i, 2] = ax, ay, az


def reference(bodies: Array) -> Array:
    """The same in NumPy."""
    at, mass = bodies[:, :3], bodies[:, 3]
    out = np.empty_like(at)
    for i, here in enumerate(at):
        d = at - here
        out[i] = ((mass * ((d * d).sum(1) + np.float32(SOFTENING)) ** np.float32(-1.5))[:, None] * d).sum(0)
    return out


def run(bodies: Array, out: Array, device: str = "CPU") -> None:
    """A work item for each body."""
    accelerations.on(device)[-(-len(bodies) // BLOCK), BLOCK](bodies, out)


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree."""
    for n in (1, 200, 300):
        bodies, out = random(n, 4), np.zeros((n, 3), np.float32)
        bodies[:, 3] = np.abs(bodies[:, 3])
        run(bodies, out, device)
        agree(out, reference(bodies), f"{n} bodies", rtol=1e-4, atol=1e-4)


def bench(device: str = "CPU") -> Bench:
    """4096 bodies; 20 operations a pair, as is usual (Nyland, Harris and Prins, GPU Gems 3, 2007)."""
    n = 4096
    bodies, out = random(n, 4), np.zeros((n, 3), np.float32)
    bodies[:, 3] = np.abs(bodies[:, 3])
    return Bench(lambda: run(bodies, out, device), out, lambda: reference(bodies), 20 * n * n, "GFLOP/s", {"bodies": bodies},
                 rtol=1e-3, atol=1e-3)
