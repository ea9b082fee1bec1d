"""Numba: `@njit(parallel=True)`, fastmath off, loops as a Numba user writes them.

Owns: the loops. Matrix products are loops too (i-k-j, rows in parallel): np.dot in Numba would be the BLAS of the NumPy column.
Invariant: floating-point semantics as written; nothing is reassociated.
"""
# mypy: ignore-errors
from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from contract import Array, Kinds, Run, empty
from numba import njit, prange
from references import GELU_CUBIC, GELU_SCALE

kinds = Kinds()
parallel = njit(parallel=True, cache=True)
serial = njit(cache=True)
single = np.float32
SMALL = 1 << 14
"""Elements up to which a user does not start threads."""
SCALE, CUBIC = single(GELU_SCALE), single(GELU_CUBIC)
NO_BLAS = "loops, no BLAS"


def start(threads: int) -> None:
    """Size of the pool."""
    numba.set_num_threads(threads)


def version() -> str:
    """What ran."""
    return f"numba {numba.__version__}"


def running(function: Any, out: Array, *args: Any, note: str = "") -> Run:
    """`function(*args, out)`."""
    return Run(lambda: function(*args, out), lambda: out, note=note)


def add_loop(a, b, out):
    for i in prange(a.size):
        out[i] = a[i] + b[i]


add_parallel, add_serial = parallel(add_loop), serial(add_loop)


@kinds("add")
def add(x: Any, p: Any) -> Run:
    return running(add_serial if p["n"] < SMALL else add_parallel, empty(p["n"]), x["a"], x["b"])


@parallel
def saxpy_loop(alpha, a, b, out):
    for i in prange(a.size):
        out[i] = alpha * a[i] + b[i]


kinds["saxpy"] = lambda x, p: running(saxpy_loop, empty(p["n"]), single(p["alpha"]), x["a"], x["b"])


@parallel
def chain_loop(a, b, c, d, out):
    for i in prange(a.size):
        out[i] = max(a[i] * b[i] + c[i], single(0)) * d[i]


kinds["chain"] = lambda x, p: running(chain_loop, empty(p["n"]), *(x[k] for k in "abcd"))


@parallel
def exp_loop(a, out):
    for i in prange(a.size):
        out[i] = math.exp(a[i])


@parallel
def tanh_loop(a, out):
    for i in prange(a.size):
        out[i] = math.tanh(a[i])


@parallel
def sin_loop(a, out):
    for i in prange(a.size):
        out[i] = math.sin(a[i])


@njit(inline="always")
def gelu_of(v):
    return single(0.5) * v * (single(1) + math.tanh(SCALE * (v + CUBIC * v * v * v)))


@parallel
def gelu_loop(a, out):
    for i in prange(a.size):
        out[i] = gelu_of(a[i])


kinds["exp"] = lambda x, p: running(exp_loop, empty(p["n"]), x["a"])
kinds["tanh"] = lambda x, p: running(tanh_loop, empty(p["n"]), x["a"])
kinds["sin"] = lambda x, p: running(sin_loop, empty(p["n"]), x["a"])
kinds["gelu"] = lambda x, p: running(gelu_loop, empty(p["n"]), x["a"])


@parallel
def sum_loop(a, out):
    s = 0.0  # float64: a float32 sum of so many elements in one chain is wrong
    for i in prange(a.size):
        s += a[i]
    out[0] = s


@parallel
def dot_loop(a, b, out):
    s = 0.0
    for i in prange(a.size):
        s += a[i] * b[i]
    out[0] = s


kinds["sum"] = lambda x, p: running(sum_loop, empty(1), x["a"])
kinds["dot"] = lambda x, p: running(dot_loop, empty(1), x["a"], x["b"])


@parallel
def softmax_loop(a, out):
    for i in prange(a.shape[0]):
        top = a[i, 0]
        for j in range(a.shape[1]):
            top = max(top, a[i, j])
        total = single(0)
        for j in range(a.shape[1]):
            e = math.exp(a[i, j] - top)
            out[i, j] = e
            total += e
        scale = single(1) / total
        for j in range(a.shape[1]):
            out[i, j] *= scale


kinds["softmax"] = lambda x, p: running(softmax_loop, empty(x["a"].shape), x["a"])


@parallel
def layernorm_loop(a, g, h, eps, out):
    n = a.shape[1]
    for i in prange(a.shape[0]):
        s = single(0)
        for j in range(n):
            s += a[i, j]
        mean = s / single(n)
        q = single(0)
        for j in range(n):
            d = a[i, j] - mean
            q += d * d
        scale = single(1) / math.sqrt(q / single(n) + eps)
        for j in range(n):
            out[i, j] = (a[i, j] - mean) * scale * g[j] + h[j]


kinds["layernorm"] = lambda x, p: running(layernorm_loop, empty(x["a"].shape), x["a"], x["g"], x["h"], single(p["eps"]))


@parallel
def rmsnorm_loop(a, g, eps, out):
    n = a.shape[1]
    for i in prange(a.shape[0]):
        q = single(0)
        for j in range(n):
            q += a[i, j] * a[i, j]
        scale = single(1) / math.sqrt(q / single(n) + eps)
        for j in range(n):
            out[i, j] = a[i, j] * scale * g[j]


kinds["rmsnorm"] = lambda x, p: running(rmsnorm_loop, empty(x["a"].shape), x["a"], x["g"], single(p["eps"]))


@parallel
def argmax_loop(a, out):
    for i in prange(a.shape[0]):
        top, place = a[i, 0], 0
        for j in range(1, a.shape[1]):
            if a[i, j] > top:
                top, place = a[i, j], j
        out[i] = place


kinds["argmax"] = lambda x, p: running(argmax_loop, empty(p["m"], np.int64), x["a"])


@parallel
def gemv_loop(a, b, out):
    for i in prange(a.shape[0]):
        s = single(0)
        for j in range(a.shape[1]):
            s += a[i, j] * b[j]
        out[i] = s


kinds["gemv"] = lambda x, p: running(gemv_loop, empty(p["m"]), x["a"], x["b"])


@parallel
def gemm_loop(a, b, out):
    for i in prange(a.shape[0]):
        for j in range(b.shape[1]):
            out[i, j] = 0
        for k in range(a.shape[1]):
            v = a[i, k]
            for j in range(b.shape[1]):
                out[i, j] += v * b[k, j]


kinds["gemm"] = lambda x, p: running(gemm_loop, empty((p["m"], p["n"]), x["a"].dtype), x["a"], x["b"], note=NO_BLAS)


@parallel
def bmm_loop(a, b, out):
    for g in prange(a.shape[0]):
        for i in range(a.shape[1]):
            for j in range(b.shape[2]):
                out[g, i, j] = 0
            for k in range(a.shape[2]):
                v = a[g, i, k]
                for j in range(b.shape[2]):
                    out[g, i, j] += v * b[g, k, j]


kinds["bmm"] = lambda x, p: running(bmm_loop, empty((p["b"], p["m"], p["n"])), x["a"], x["b"], note=NO_BLAS)


@parallel
def linear_gelu_loop(a, b, c, out):
    for i in prange(a.shape[0]):
        for j in range(b.shape[1]):
            out[i, j] = c[j]
        for k in range(a.shape[1]):
            v = a[i, k]
            for j in range(b.shape[1]):
                out[i, j] += v * b[k, j]
        for j in range(b.shape[1]):
            out[i, j] = gelu_of(out[i, j])


kinds["linear_gelu"] = lambda x, p: running(linear_gelu_loop, empty((p["m"], p["n"])), x["a"], x["b"], x["c"], note=NO_BLAS)


@parallel
def conv2d_loop(a, w, out):
    batch, channels, s, _ = a.shape
    for task in prange(batch * w.shape[0]):
        n, o = task // w.shape[0], task % w.shape[0]
        for y in range(s):
            for z in range(s):
                out[n, o, y, z] = 0
        for c in range(channels):
            for u in range(3):
                for v in range(3):
                    f = w[o, c, u, v]
                    for y in range(max(0, 1 - u), min(s, s + 1 - u)):
                        for z in range(max(0, 1 - v), min(s, s + 1 - v)):
                            out[n, o, y, z] += f * a[n, c, y + u - 1, z + v - 1]


kinds["conv2d"] = lambda x, p: running(conv2d_loop, empty((p["b"], p["o"], p["s"], p["s"])), x["a"], x["w"])


@parallel
def transpose_loop(a, out):
    block = 32
    for bi in prange((a.shape[1] + block - 1) // block):
        for bj in range((a.shape[0] + block - 1) // block):
            for i in range(bi * block, min(bi * block + block, a.shape[1])):
                for j in range(bj * block, min(bj * block + block, a.shape[0])):
                    out[i, j] = a[j, i]


kinds["transpose"] = lambda x, p: running(transpose_loop, empty((p["n"], p["m"])), x["a"], note="in blocks of 32 by 32")


@parallel
def stencil_loop(a, out):
    for i in prange(1, a.shape[0] - 1):
        for j in range(1, a.shape[1] - 1):
            out[i, j] = single(0.25) * (a[i - 1, j] + a[i + 1, j] + a[i, j - 1] + a[i, j + 1]) - a[i, j]


kinds["stencil"] = lambda x, p: running(stencil_loop, empty(x["a"].shape), x["a"])
