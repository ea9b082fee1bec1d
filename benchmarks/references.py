"""What each kind of workload means: NumPy in float64, from the inputs alone.

Owns: the reference of every kind. Must not know sizes, peers or tolerances.
Invariant: a reference reads its inputs only, and computes in float64 throughout.
"""
from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from contract import Array
from numpy.typing import NDArray

Arrays = Mapping[str, Array]
EPSILON = 1e-5
"""What layernorm and rmsnorm add below the root."""
ALPHA = 1.5
"""The factor of saxpy."""
GELU_SCALE, GELU_CUBIC = 0.7978845608028654, 0.044715
"""sqrt(2 / pi), and the coefficient of the cubic term in the tanh form of gelu."""


Wide = NDArray[np.float64]


def wide(array: Array) -> Wide:
    """The array in float64."""
    return array.astype(np.float64)


def add(x: Arrays) -> Wide:
    return wide(x["a"]) + x["b"]


def saxpy(x: Arrays) -> Wide:
    return ALPHA * wide(x["a"]) + x["b"]


def chain(x: Arrays) -> Wide:
    """max(a * b + c, 0) * d."""
    return np.maximum(wide(x["a"]) * x["b"] + x["c"], 0) * x["d"]


def exp(x: Arrays) -> Wide:
    return np.exp(wide(x["a"]))


def tanh(x: Arrays) -> Wide:
    return np.tanh(wide(x["a"]))


def sin(x: Arrays) -> Wide:
    return np.sin(wide(x["a"]))


def gelu_of(v: Wide) -> Wide:
    """gelu in its tanh form."""
    return 0.5 * v * (1 + np.tanh(GELU_SCALE * (v + GELU_CUBIC * v**3)))


def gelu(x: Arrays) -> Wide:
    return gelu_of(wide(x["a"]))


def total(x: Arrays) -> Wide:
    return np.asarray(np.sum(x["a"], dtype=np.float64))


def dot(x: Arrays) -> Wide:
    return np.asarray(np.sum(wide(x["a"]) * x["b"]))


def softmax(x: Arrays) -> Wide:
    """Along rows."""
    v = wide(x["a"])
    e = np.exp(v - v.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def layernorm(x: Arrays) -> Wide:
    """Along rows, with scale g and shift h."""
    v = wide(x["a"])
    v -= v.mean(1, keepdims=True)
    return v / np.sqrt((v * v).mean(1, keepdims=True) + EPSILON) * x["g"] + x["h"]


def rmsnorm(x: Arrays) -> Wide:
    """Along rows, with scale g."""
    v = wide(x["a"])
    return v / np.sqrt((v * v).mean(1, keepdims=True) + EPSILON) * x["g"]


def argmax(x: Arrays) -> Wide:
    """The first greatest element of each row."""
    return wide(x["a"].argmax(1))


def matmul(x: Arrays) -> Wide:
    """Products of matrices, of stacks of them, of a matrix and a vector."""
    return np.asarray(wide(x["a"]) @ wide(x["b"]))


def linear_gelu(x: Arrays) -> Wide:
    """gelu(a @ b + c)."""
    return gelu_of(matmul(x) + x["c"])


def transpose(x: Arrays) -> Wide:
    return wide(x["a"].T)


def stencil(x: Arrays) -> Wide:
    """The mean of the four neighbours less the point; 0 on the border."""
    a = wide(x["a"])
    out = np.zeros_like(a)
    out[1:-1, 1:-1] = 0.25 * (a[:-2, 1:-1] + a[2:, 1:-1] + a[1:-1, :-2] + a[1:-1, 2:]) - a[1:-1, 1:-1]
    return out


def conv2d(x: Arrays) -> Wide:
    """3 × 3, stride 1, one zero around the image: a is (batch, channels, s, s), w is (outputs, channels, 3, 3)."""
    a = np.pad(wide(x["a"]), ((0, 0), (0, 0), (1, 1), (1, 1)))
    batch, channels, side, _ = x["a"].shape
    out = np.zeros((batch, x["w"].shape[0], side * side))
    for i in range(3):
        for j in range(3):
            window = a[:, :, i : i + side, j : j + side].reshape(batch, channels, side * side)
            out += wide(x["w"][:, :, i, j]) @ window
    return out.reshape(batch, -1, side, side)
