"""A product of matrices whose second operand was put in the order of the matrix instructions beforehand.

Owns: the kernel, `shuffle_weight`. Must not know devices.
Invariant: products are added in f32 (i8: in i32) over all of K, then scaled by row and column, then rounded once.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import svod.compat.flydsl.compiler as flyc
import svod.compat.flydsl.expr as fx
from svod.compat.flydsl.expr import gpu, range_constexpr, rocdl, vector
from svod.compat.flydsl.expr.typing import T
from svod.compat.flydsl.faults import NotHere
from svod.compat.flydsl.utils.smem_allocator import SmemAllocator
from svod.errors import LaunchError

THREADS, WAVES = 256, 4
ROWS, DEPTH = 16, 32
"""Rows of B that lie together, and the stretch of K in which they do."""
_INPUTS = {"fp8": (T.f8, rocdl.mfma_f32_16x16x32_fp8, 32, T.f32), "int8": (T.i8, rocdl.mfma_i32_16x16x32i8, 32, T.i32),
           "fp16": (T.f16, rocdl.mfma_f32_16x16x16_f16, 16, T.f32), "bf16": (T.bf16, rocdl.mfma_f32_16x16x16_bf16, 16, T.f32)}
"""in_dtype -> type, instruction, K of it, type of the sums."""


def shuffle_weight(b: Any) -> Any:
    """B (N × K) in the order that the kernel reads: blocks of 16 rows by 32 columns, in them pieces of 16 bytes of one row."""
    n, k = b.shape
    if n % ROWS or k % DEPTH:
        raise LaunchError(f"a matrix of shape {b.shape} cannot be shuffled", hint=f"N is a multiple of {ROWS}, K of {DEPTH}")
    piece = 16 // b.dtype.itemsize
    pieces = np.asarray(b).reshape(n // ROWS, ROWS, k // DEPTH, DEPTH // piece, piece)
    return np.ascontiguousarray(pieces.transpose(0, 2, 3, 1, 4)).reshape(n, k)


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes of a product and of its tiles: of a block along M, N and K."""

    N: int
    K: int
    tile_m: int
    tile_n: int
    tile_k: int
    in_dtype: str

    def __post_init__(self) -> None:
        """NotHere for an unknown type, LaunchError for sizes that are no whole tiles."""
        if self.in_dtype not in _INPUTS:
            raise NotHere(f"a preshuffle GEMM of {self.in_dtype!r}", hint=f"one of {', '.join(_INPUTS)}")
        steps = ((self.tile_m, ROWS), (self.tile_n, ROWS * WAVES), (self.tile_k, DEPTH), (self.N, self.tile_n), (self.K, self.tile_k))
        if any(size % step for size, step in steps):
            raise LaunchError(f"tiles of {self.tile_m} × {self.tile_n} × {self.tile_k} for N = {self.N}, K = {self.K}",
                              hint=f"tile_m in steps of {ROWS}, tile_n of {ROWS * WAVES}, tile_k of {DEPTH}; N and K whole tiles")


def compile_preshuffle_gemm_a8(*, M: int, N: int, K: int, **options: Any) -> Any:
    """launch(c, a, b, scale_a, scale_b, M, N, stream=None): c = (a @ b.T) * scale_a[:, None] * scale_b, for b from `shuffle_weight`.

    Options: tile_m, tile_n, tile_k, in_dtype ("fp8": e4m3fnuz or e4m3fn, as A and B have it; "int8", "fp16", "bf16"; 16-bit inputs are not
    scaled); others have no effect.
    NotHere for other types, LaunchError for sizes that are no whole tiles; M is any.
    """
    tile_m, tile_n, tile_k = (options.get(name, default) for name, default in (("tile_m", 16), ("tile_n", 64), ("tile_k", 64)))
    plan = Plan(N, K, tile_m, tile_n, tile_k, options.get("in_dtype", "fp8"))
    kernels: dict[Any, Any] = {}

    @flyc.jit
    def launch_fn(*args: Any, stream: Any = None) -> None:
        tensors, m, given = args[:5], *(args[5:7] if len(args) >= 7 else (M, N))
        element = _element(plan.in_dtype, tensors[1])
        if (gemm_kernel := kernels.get(element)) is None:
            gemm_kernel = kernels.setdefault(element, _kernel(plan, element))
        if given != N:
            raise LaunchError(f"a product compiled for N = {N} is launched for N = {given}")
        gemm_kernel(*tensors, m).launch(grid=(-(-m // tile_m), N // tile_n), block=(THREADS,), stream=args[7] if len(args) > 7 else stream)

    return launch_fn


def _element(in_dtype: str, a: Any) -> Any:
    """The type of the elements of A and B: in_dtype's, "fp8" being any 8-bit float that A has."""
    held = a.tensor if isinstance(a, flyc.TensorAdaptor) else a
    if in_dtype == "fp8" and str(held.dtype).rpartition(".")[2] in ("float8_e4m3fn", "f8e4m3"):
        return fx.Float8E4M3FN
    return _INPUTS[in_dtype][0]


def _kernel(plan: Plan, element: Any) -> Any:
    K, tile_m, tile_n, tile_k = plan.K, plan.tile_m, plan.tile_n, plan.tile_k
    _, instruction, depth, total = _INPUTS[plan.in_dtype]
    held, piece = depth // 4, 16 // element.dtype.itemsize
    down, across = tile_m // ROWS, tile_n // ROWS // WAVES
    scaled = plan.in_dtype in ("fp8", "int8")
    allocator = SmemAllocator(None, global_sym_name="smem0")
    lds_a = allocator.allocate_array(element, (tile_m, tile_k))

    @flyc.kernel
    def gemm_kernel(c: fx.Tensor, a: fx.Tensor, b: fx.Tensor, scale_a: fx.Tensor, scale_b: fx.Tensor, m: Any) -> None:
        tid, lane, wave = gpu.thread_idx.x, gpu.thread_idx.x % 64, gpu.thread_idx.x // 64
        row, group = lane % 16, lane // 16
        first_row, first_column = gpu.block_idx.x * tile_m, gpu.block_idx.y * tile_n + wave * (across * ROWS)
        tile = lds_a(allocator.get_base()).get()
        sums = [[vector.broadcast(T.vec(4, total), 0) for _ in range_constexpr(across)] for _ in range_constexpr(down)]
        for start in range(0, K, tile_k):
            for i in range_constexpr(-(-tile_m * tile_k // THREADS)):
                place = i * THREADS + tid
                if place < tile_m * tile_k and first_row + place // tile_k < m:
                    tile[place // tile_k, place % tile_k] = a[first_row + place // tile_k, start + place % tile_k]
            gpu.barrier()
            for step in range(tile_k // depth):  # not unrolled: the instruction is long where it is emulated
                inner = step * depth + group * held
                k = start + inner
                for j in range_constexpr(across):
                    block = (first_column // ROWS + j) * (K // DEPTH) + k // DEPTH
                    at = ((block * (DEPTH // piece) + k % DEPTH // piece) * ROWS + row) * piece + k % piece
                    right = vector.load_op(T.vec(held, element), b.flat, [at])
                    for i in range_constexpr(down):
                        left = vector.load_op(T.vec(held, element), tile, [i * ROWS + row, inner])
                        sums[i][j] = instruction(left, right, sums[i][j])
            gpu.barrier()
        for i in range_constexpr(down):
            for j in range_constexpr(across):
                column = first_column + j * ROWS + row
                for e in range_constexpr(4):
                    r = first_row + i * ROWS + group * 4 + e
                    if r < m:
                        value = fx.Float32(sums[i][j][e])
                        c[r, column] = value * scale_a[r] * scale_b[column] if scaled else value

    return gemm_kernel
