"""Kernels measured on devices with work items: graphs, inputs, NumPy references, what they move and compute.

Owns: the cases. Must not know devices or peers. Invariant: sizes are fixed, as the shapes of most programs are.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from svod import UOp, dtypes
from svod.dtype import DType
from svod.dtype.convert import numpy_dtype

Array = NDArray[Any]


@dataclass(frozen=True)
class Case:
    """One kernel: `inputs` behind the output in its slots, the reference, bytes moved and float operations of a launch."""

    name: str
    ast: UOp
    dtype: DType
    size: int
    inputs: tuple[Array, ...]
    want: Array
    moved: int
    flops: int = 0
    rtol: float = 1e-4

    def rate(self, seconds: float) -> str:
        """What a time says: GB/s, or TFLOP/s of products."""
        return f"{self.flops / seconds / 1e12:8.2f} TFLOP/s" if self.flops else f"{self.moved / seconds / 1e9:8.1f} GB/s"


def _axes(*extents: int) -> tuple[UOp, ...]:
    return tuple(UOp.range(e, i) for i, e in enumerate(extents))


def _random(*shape: int, seed: int = 0, dtype: DType = dtypes.f32) -> Array:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32).astype(numpy_dtype(dtype))


def _params(dtype: DType, names: str) -> list[UOp]:
    return [UOp.param(k, dtype, name=n) for k, n in enumerate(names.split())]


def _elementwise(name: str, n: int) -> Case:
    out, a, b, c = _params(dtypes.f32, "out a b c")
    (i,) = _axes(n)
    x, y, z = _random(n), _random(n, seed=1), _random(n, seed=2)
    values = {"copy": (a[i].load(), (x,), x), "add": (a[i].load() + b[i].load(), (x, y), x + y),
              "chain":
              ((a[i].load() * b[i].load() + c[i].load()).maximum(0.0) * 0.5, (x, y, z), np.maximum(x * y + z, 0) * x.dtype.type(0.5))}
    value, inputs, want = values[name]
    return Case(name, UOp.sink(out[i].store(value), name=name), dtypes.f32, n, inputs, want, 4 * n * (1 + len(inputs)))


def _transpose(m: int, n: int) -> Case:
    out, a = _params(dtypes.f32, "out a")
    j, i = _axes(n, m)
    x = _random(m, n)
    return Case("transpose", UOp.sink(out[j * m + i].store(a[i * n + j].load()), name="transpose"), dtypes.f32, m * n, (x,),
                np.ascontiguousarray(x.T), 8 * m * n)


def _rows(name: str, m: int, n: int) -> Case:
    out, a, g, h = _params(dtypes.f32, "out a g h")
    i, j, k, q = _axes(m, n, n, n)
    x, gain, shift = _random(m, n), _random(n, seed=1), _random(n, seed=2)
    if name == "softmax":
        top = a[i * n + j].load().max(j)
        total = (a[i * n + k].load() - top).exp().sum(k)
        value, inputs = (a[i * n + q].load() - top).exp() / total, (x,)
        e = np.exp(x - x.max(1, keepdims=True))
        want = e / e.sum(1, keepdims=True)
    else:
        mean = a[i * n + j].load().sum(j) * (1 / n)
        d = a[i * n + k].load() - mean
        scale = ((d * d).sum(k) * (1 / n) + 1e-5).rsqrt()
        value, inputs = (a[i * n + q].load() - mean) * scale * g[q].load() + h[q].load(), (x, gain, shift)
        want = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5) * gain + shift
    return Case(name, UOp.sink(out[i * n + q].store(value), name=name), dtypes.f32, m * n, inputs, want, 8 * m * n, rtol=1e-3)


def _sums(name: str, m: int, n: int) -> Case:
    out, a = _params(dtypes.f32, "out a")
    i, j = _axes(m, n)
    x = _random(m, n)
    if name == "row_sums":
        ast, want = out[i].store(a[i * n + j].load().sum(j)), x.sum(1)
    elif name == "column_sums":
        i, j = _axes(n, m)
        ast, want = out[i].store(a[j * n + i].load().sum(j)), x.sum(0)
    else:
        (i,) = _axes(m * n)
        ast, want = out[0].store(a[i].load().sum(i)), x.sum().reshape(1)
    return Case(name, UOp.sink(ast, name=name), dtypes.f32, want.size, (x,), want, 4 * m * n, rtol=1e-2)


def _matmul(n: int, dtype: DType) -> Case:
    out, a, b = _params(dtype, "out a b")
    i, j, q = _axes(n, n, n)
    x, y = _random(n, n, dtype=dtype), _random(n, n, seed=1, dtype=dtype)
    total = (a[i * n + q].load().cast(dtypes.f32) * b[q * n + j].load().cast(dtypes.f32)).sum(q)
    want = (x.astype(np.float32) @ y.astype(np.float32)).astype(numpy_dtype(dtype))
    name = f"matmul_{dtype}"
    return Case(name, UOp.sink(out[i * n + j].store(total.cast(dtype)), name=name), dtype, n * n, (x, y), want,
                3 * n * n * dtype.itemsize, 2 * n**3, 1e-3 if dtype is dtypes.f32 else 3e-2)


def cases(large: bool) -> Mapping[str, Callable[[], Case]]:
    """The cases by name; `large`: of the sizes that fill a GPU."""
    n, rows, columns, side = (1 << 26, 8192, 4096, 4096) if large else (1 << 18, 256, 512, 128)
    return {
        **{k: lambda k=k: _elementwise(k, n) for k in ("copy", "add", "chain")},
        "transpose": lambda: _transpose(rows, columns),
        **{k: lambda k=k: _rows(k, rows, columns) for k in ("softmax", "layernorm")},
        **{k: lambda k=k: _sums(k, rows, columns) for k in ("row_sums", "column_sums", "sum")},
        **{f"matmul_{d}": lambda d=d: _matmul(side, d) for d in (dtypes.f32, dtypes.f16, dtypes.bf16)},
        "latency": lambda: _elementwise("copy", 1),
    }
