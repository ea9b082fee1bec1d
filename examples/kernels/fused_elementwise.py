"""Element-wise operations in one pass: out = f(x · a + b), with f one of gelu, silu, relu.

Shows: plain Python functions as parts of a kernel; a function as a compile-time argument (`sl.Constexpr`), which gives a kernel for each
f; a chain that NumPy computes in eight passes through memory and a kernel in one.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from gallery import Array, Bench, agree, random

import svod.lang as sl


def gelu(x: Any) -> Any:
    """The usual approximation of x · Φ(x) by tanh (Hendrycks and Gimpel 2016)."""
    return 0.5 * x * (1 + sl.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))


def silu(x: Any) -> Any:
    """x · sigmoid(x)."""
    return x * sl.sigmoid(x)


def relu(x: Any) -> Any:
    """x where it is positive, else 0."""
    return max(x, 0)


@sl.kernel
def fused(x: sl.Array[sl.f32], a: sl.Array[sl.f32], b: sl.Array[sl.f32], out: sl.Array[sl.f32], f: sl.Constexpr) -> None:
    """One element."""
    i = sl.global_id()
    out[i] = f(x[i] * a[i] + b[i])


REFERENCES: dict[Callable[[Any], Any], Callable[[Array], Array]] = {
    gelu: lambda v: np.float32(0.5) * v * (1 + np.tanh(np.float32(math.sqrt(2 / math.pi)) * (v + np.float32(0.044715) * v * v * v))),
    silu: lambda v: v / (1 + np.exp(-v)),
    relu: lambda v: np.maximum(v, 0),
}


def reference(x: Array, a: Array, b: Array, f: Callable[[Any], Any] = gelu) -> Array:
    """The same in NumPy."""
    return REFERENCES[f](x * a + b)


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree."""
    for n in (1, 1003):
        for f in REFERENCES:
            x, a, b, out = random(n, low=-5, high=5), random(n, seed=1), random(n, seed=2), np.zeros(n, np.float32)
            fused.on(device).launch(x, a, b, out, f, threads=n)
            agree(out, reference(x, a, b, f), f"{f.__name__}, n = {n}", rtol=1e-5, atol=1e-6)


def bench(device: str = "CPU") -> Bench:
    """gelu of 4 M elements."""
    n = 1 << 22
    x, a, b, out = random(n, low=-5, high=5), random(n, seed=1), random(n, seed=2), np.zeros(n, np.float32)
    k = fused.on(device)
    return Bench(lambda: k.launch(x, a, b, out, gelu, threads=n), out, lambda: reference(x, a, b), 4 * out.nbytes,
                 inputs={"x": x, "a": a, "b": b})
