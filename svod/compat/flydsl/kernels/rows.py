"""Row by row: softmax, layernorm, rmsnorm of a matrix, one block for each row.

Owns: these kernels. Must not know devices.
Invariant: f16 and bf16 are computed in f32 and rounded once, when they are stored; any number of columns.
"""
from __future__ import annotations

from typing import Any

import svod.compat.flydsl.compiler as flyc
import svod.compat.flydsl.expr as fx
from svod.compat.flydsl.expr import gpu, math, range_constexpr
from svod.compat.flydsl.kernels.reduce import block_reduce, block_reduce_add2

BLOCK = 256
EPSILON = 1e-5


def _steps(columns: int) -> int:
    return -(-columns // BLOCK)


def build_softmax_module(M: int, N: int, dtype_str: str = "f32") -> Any:
    """softmax(A, C, m, stream=None): C = softmax of the first m rows of A, which has N columns. M and dtype_str are not needed."""
    steps = _steps(N)

    @flyc.kernel
    def softmax_kernel(a: fx.Tensor, c: fx.Tensor) -> None:
        row, tid = gpu.block_idx.x, gpu.thread_idx.x
        values = [fx.Float32(a[row, i * BLOCK + tid]) if i * BLOCK + tid < N else -fx.Float32(float("inf")) for i in range_constexpr(steps)]
        best = values[0]
        for i in range_constexpr(1, steps):
            best = max(best, values[i])
        best = block_reduce(best, "max")
        total = fx.Float32(0.0)
        for i in range_constexpr(steps):
            values[i] = math.exp(values[i] - best)
            total += values[i]
        total = block_reduce(total, "sum")
        for i in range_constexpr(steps):
            if i * BLOCK + tid < N:
                c[row, i * BLOCK + tid] = values[i] / total

    @flyc.jit
    def softmax(a: fx.Tensor, c: fx.Tensor, m: Any, stream: Any = None) -> None:
        softmax_kernel(a, c).launch(grid=(m,), block=(BLOCK,), stream=stream)

    return softmax


def build_layernorm_module(M: int, N: int, dtype_str: str = "f32") -> Any:
    """layernorm(A, gamma, beta, C, m, stream=None): each row less its mean, divided by its deviation, times gamma, plus beta."""
    steps = _steps(N)

    @flyc.kernel
    def layernorm_kernel(a: fx.Tensor, gamma: fx.Tensor, beta: fx.Tensor, c: fx.Tensor) -> None:
        row, tid = gpu.block_idx.x, gpu.thread_idx.x
        values = [fx.Float32(a[row, i * BLOCK + tid]) if i * BLOCK + tid < N else fx.Float32(0.0) for i in range_constexpr(steps)]
        mean = block_reduce(sum(values), "sum") / N
        spread = fx.Float32(0.0)
        for i in range_constexpr(steps):
            if i * BLOCK + tid < N:
                spread += (values[i] - mean) * (values[i] - mean)
        scale = math.rsqrt(block_reduce(spread, "sum") / N + EPSILON)
        for i in range_constexpr(steps):
            column = i * BLOCK + tid
            if column < N:
                c[row, column] = (values[i] - mean) * scale * gamma[column] + beta[column]

    @flyc.jit
    def layernorm(a: fx.Tensor, gamma: fx.Tensor, beta: fx.Tensor, c: fx.Tensor, m: Any, stream: Any = None) -> None:
        layernorm_kernel(a, gamma, beta, c).launch(grid=(m,), block=(BLOCK,), stream=stream)

    return layernorm


def build_rmsnorm_module(M: int, N: int, dtype_str: str = "f32") -> Any:
    """rmsnorm(A, gamma, C, m, stream=None): each row divided by the root of the mean of its squares, times gamma."""
    steps = _steps(N)

    @flyc.kernel
    def rmsnorm_kernel(a: fx.Tensor, gamma: fx.Tensor, c: fx.Tensor) -> None:
        row, tid = gpu.block_idx.x, gpu.thread_idx.x
        values = [fx.Float32(a[row, i * BLOCK + tid]) if i * BLOCK + tid < N else fx.Float32(0.0) for i in range_constexpr(steps)]
        squares, _ = block_reduce_add2(sum([v * v for v in values]), fx.Float32(0.0))
        scale = math.rsqrt(squares / N + EPSILON)
        for i in range_constexpr(steps):
            column = i * BLOCK + tid
            if column < N:
                c[row, column] = values[i] * scale * gamma[column]

    @flyc.jit
    def rmsnorm(a: fx.Tensor, gamma: fx.Tensor, c: fx.Tensor, m: Any, stream: Any = None) -> None:
        rmsnorm_kernel(a, gamma, c).launch(grid=(m,), block=(BLOCK,), stream=stream)

    return rmsnorm
