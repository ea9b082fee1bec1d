"""The kernels of examples/kernels in Numba: `@njit(parallel=True)`, fastmath off, loops as a Numba user writes them.

Owns: the loops that peer_numba.py does not have. Invariant: a builder `(inputs of the Bench, {}) -> Run`, as for the other peers.
"""
# mypy: ignore-errors
from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
import peer_numba
from contract import Kinds, Run, empty
from kernels_shared import same_loops
from numba import njit, prange
from peer_numba import gelu_of, parallel, running, single

kinds = Kinds(same_loops(peer_numba.kinds))
start, version = peer_numba.start, peer_numba.version
serial = njit(cache=True)


@parallel
def fused_loop(x, a, b, out):
    for i in prange(x.size):
        out[i] = gelu_of(x[i] * a[i] + b[i])


@kinds("fused_elementwise")
def fused_elementwise(x: Any, p: Any) -> Run:
    return running(fused_loop, empty(x["x"].size), x["x"], x["a"], x["b"])


@parallel
def heat_loop(u, kappa, out):
    depth, height, width = u.shape
    for z in prange(depth):
        for y in range(height):
            for x in range(width):
                here = u[z, y, x]
                if 0 < x < width - 1 and 0 < y < height - 1 and 0 < z < depth - 1:
                    around = u[z - 1, y, x] + u[z + 1, y, x] + u[z, y - 1, x] + u[z, y + 1, x] + u[z, y, x - 1] + u[z, y, x + 1]
                    here += kappa * (around - single(6) * here)
                out[z, y, x] = here


@kinds("heat3d")
def heat3d(x: Any, p: Any) -> Run:
    return running(heat_loop, empty(x["u"].shape), x["u"], single(x["kappa"]))


@parallel
def nbody_loop(bodies, out):
    for i in prange(len(bodies)):
        ax = ay = az = single(0)
        for j in range(len(bodies)):
            dx, dy, dz = bodies[j, 0] - bodies[i, 0], bodies[j, 1] - bodies[i, 1], bodies[j, 2] - bodies[i, 2]
            near = single(1) / math.sqrt(dx * dx + dy * dy + dz * dz + single(1e-2))
            pull = bodies[j, 3] * near * near * near
            ax += pull * dx
            ay += pull * dy
            az += pull * dz
        out[i, 0], out[i, 1], out[i, 2] = ax, ay, az


@kinds("nbody")
def nbody(x: Any, p: Any) -> Run:
    return running(nbody_loop, empty((len(x["bodies"]), 3)), x["bodies"])


@parallel
def histogram_loop(data, out):
    threads = numba.get_num_threads()
    part = (data.size + threads - 1) // threads
    counts = np.zeros((threads, 256), np.int32)
    for t in prange(threads):
        for i in range(t * part, min(data.size, (t + 1) * part)):
            counts[t, data[i]] += 1
    out[:] = counts.sum(0)


@kinds("histogram")
def histogram(x: Any, p: Any) -> Run:
    return running(histogram_loop, empty(256, np.int32), x["data"])


@serial
def scan_loop(a, out):
    total = np.int32(0)
    for i in range(a.size):
        total += a[i]
        out[i] = total


@kinds("scan")
def scan(x: Any, p: Any) -> Run:
    return running(scan_loop, empty(x["a"].size, np.int32), x["a"], note="one thread")


@serial
def compaction_loop(a, out):
    k = 0
    for i in range(a.size):
        if a[i] > 0:
            out[k] = a[i]
            k += 1


@kinds("compaction")
def compaction(x: Any, p: Any) -> Run:
    a, out = x["a"], empty(x["a"].size)
    return Run(lambda: compaction_loop(a, out), lambda: out[:np.count_nonzero(a > 0)], note="one thread")


@parallel
def mandelbrot_loop(steps, out):
    rows, columns = out.shape
    pixel, half, two = single(2.4) / single(rows), single(0.5), single(2)
    for i in prange(rows):
        for j in range(columns):
            cx, cy = (single(j) - half * single(columns)) * pixel - single(0.6), (single(i) - half * single(rows)) * pixel
            x, y, n = single(0), single(0), 0
            while n < steps and x * x + y * y <= single(4):
                x, y = x * x - y * y + cx, two * x * y + cy
                n += 1
            out[i, j] = n


@kinds("mandelbrot")
def mandelbrot(x: Any, p: Any) -> Run:
    return running(mandelbrot_loop, empty(x["shape"], np.int32), x["steps"])


@njit
def normal_of(x):
    return single(0.5) * (single(1) + single(math.erf(x * single(0.70710678))))


@parallel
def black_scholes_loop(options, rate, volatility, out):
    spot, strike, years = options
    for i in prange(spot.size):
        s, k, t = spot[i], strike[i], years[i]
        spread = volatility * math.sqrt(t)
        d1 = (math.log(s / k) + (rate + volatility * volatility / single(2)) * t) / spread
        d2, later = d1 - spread, k * math.exp(-rate * t)
        out[0, i] = s * normal_of(d1) - later * normal_of(d2)
        out[1, i] = later * normal_of(-d2) - s * normal_of(-d1)


@kinds("black_scholes")
def black_scholes(x: Any, p: Any) -> Run:
    options = (x["spot"], x["strike"], x["years"])
    return running(black_scholes_loop, empty((2, x["spot"].size)), options, single(x["rate"]), single(x["volatility"]))


@parallel
def spmv_loop(starts, columns, values, x, out):
    for i in prange(out.size):
        total = single(0)
        for k in range(starts[i], starts[i + 1]):
            total += values[k] * x[columns[k]]
        out[i] = total


@kinds("spmv_csr")
def spmv_csr(x: Any, p: Any) -> Run:
    return running(spmv_loop, empty(len(x["starts"]) - 1), x["starts"], x["columns"], x["values"], x["x"])


@parallel
def life_loop(now, out):
    height, width = now.shape
    for y in prange(height):
        above, below = (y + height - 1) % height, (y + 1) % height
        for x in range(width):
            left, right = x - 1 if x > 0 else width - 1, x + 1 if x < width - 1 else 0
            alive = (now[above, left] + now[above, x] + now[above, right] + now[y, left] + now[y, right]
                     + now[below, left] + now[below, x] + now[below, right])
            out[y, x] = alive == 3 or (alive == 2 and now[y, x] == 1)


@kinds("game_of_life")
def game_of_life(x: Any, p: Any) -> Run:
    return running(life_loop, empty(x["cells"].shape, np.uint8), x["cells"])


@parallel
def argmax_loop(x, out):
    for i in prange(len(x)):
        at = 0
        for j in range(1, x.shape[1]):
            if x[i, j] > x[i, at]:
                at = j
        out[i] = at


@kinds("row_argmax")
def row_argmax(x: Any, p: Any) -> Run:
    return running(argmax_loop, empty(len(x["x"]), np.int32), x["x"])
