"""The kernels that come with FlyDSL's names: rows of a matrix, the preshuffle GEMM, reductions."""
from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import svod.compat.flydsl.compiler as flyc
import svod.compat.flydsl.expr as fx
from svod.compat.flydsl.expr import gpu, range_constexpr, vector
from svod.compat.flydsl.expr.typing import T
from svod.compat.flydsl.kernels import reduce
from svod.compat.flydsl.kernels.preshuffle_gemm import compile_preshuffle_gemm_a8, shuffle_weight
from svod.compat.flydsl.kernels.rows import build_layernorm_module, build_rmsnorm_module, build_softmax_module
from svod.compat.flydsl.utils.smem_allocator import SmemAllocator
from svod.errors import LaunchError

TOLERANCES = {np.dtype(np.float32): (1e-5, 1e-4), np.dtype(np.float16): (1e-2, 1e-2), np.dtype(ml_dtypes.bfloat16): (2e-2, 2e-2)}
"""Of softmax and of norms."""


def matrix(shape: tuple[int, ...], dtype: Any) -> tuple[Any, Any]:
    x = np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)
    return x, x.astype(np.float64)


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("shape", [(64, 256), (32, 128), (5, 2000), (16, 512)])
def test_rows(shape: tuple[int, int], dtype: Any) -> None:
    """R153, R155: each is specialized by its number of columns."""
    (m, n), (softmax, norm) = shape, TOLERANCES[np.dtype(dtype)]
    (x, w), (gamma, g), (beta, b) = matrix(shape, dtype), matrix((n,), dtype), matrix((n,), dtype)
    out = np.zeros(shape, dtype)
    build_softmax_module(m, n)(x, out, m)
    e = np.exp(w - w.max(1, keepdims=True))
    assert np.abs(out.astype(np.float64) - e / e.sum(1, keepdims=True)).max() <= softmax
    build_layernorm_module(m, n)(x, gamma, beta, out, m)
    expected = (w - w.mean(1, keepdims=True)) / np.sqrt(w.var(1, keepdims=True) + 1e-5) * g + b
    assert np.allclose(out.astype(np.float64), expected, rtol=norm, atol=norm)
    build_rmsnorm_module(m, n)(x, gamma, out, m, stream=fx.Stream(None))
    expected = w / np.sqrt((w * w).mean(1, keepdims=True) + 1e-5) * g
    assert np.allclose(out.astype(np.float64), expected, rtol=norm, atol=norm)


@pytest.mark.parametrize("block", [64, 100, 1024])
def test_reductions(block: int) -> None:
    """R152: sums and extrema over waves and blocks, and over lanes of a vector."""
    @flyc.kernel
    def k(x: fx.Tensor, out: fx.Tensor, waves: fx.Tensor):
        i = gpu.thread_idx.x
        waves[0, i], waves[1, i] = reduce.warp_reduce(x[i]), reduce.warp_reduce(x[i], "max")
        a, b = reduce.block_reduce_add2(x[i], x[i] * 2)
        c = reduce.make_block_reduce("max")(x[i])
        d = reduce.block_reduce(x[i], "min")
        e = reduce.make_block_reduce_add()(x[i]) + reduce.make_block_reduce_add2()(x[i], x[i])[1]
        if i == 0:
            out[0], out[1], out[2], out[3], out[4] = a, b, c, d, e
            v = vector.load_op(T.f32x4, x, [0])
            out[5], out[6] = reduce.reduce_vec_sum(v), reduce.reduce_vec_max(v)

    x = np.random.default_rng(block).integers(-50, 50, block).astype(np.float32)
    out, waves = np.zeros(7, np.float32), np.zeros((2, block), np.float32)

    @flyc.jit
    def launch() -> None:
        k(x, out, waves).launch(grid=1, block=block)

    launch()
    s = x.sum()
    assert out.tolist() == [s, 2 * s, x.max(), x.min(), 2 * s, x[:4].sum(), x[:4].max()]
    parts = [x[i:i + 64] for i in range(0, block, 64)]
    assert np.array_equal(waves, [np.concatenate([np.full(len(p), f(p)) for p in parts]) for f in (np.sum, np.max)])


def unscaled(rng: Any, shape: tuple[int, int], dtype: Any) -> Any:
    return rng.integers(-8, 8, shape).astype(dtype)


@pytest.mark.parametrize(("in_dtype", "kind", "m", "tiles"), [
    ("fp8", ml_dtypes.float8_e4m3fnuz, 16, (16, 64, 64)), ("int8", np.int8, 33, (16, 64, 64)),
    ("fp16", np.float16, 20, (32, 64, 32)), ("bf16", ml_dtypes.bfloat16, 16, (16, 64, 32))])
def test_preshuffle_gemm(in_dtype: str, kind: Any, m: int, tiles: tuple[int, int, int]) -> None:
    """R154, on small sizes; the sums of small whole numbers are exact, so the result is that of NumPy rounded once."""
    n, k, rng = 128, 128, np.random.default_rng(m)
    a, b = unscaled(rng, (m, k), kind), unscaled(rng, (n, k), kind)
    scale_a, scale_b = (2.0 ** rng.integers(-3, 3, size).astype(np.float32) for size in (m, n))
    tile_m, tile_n, tile_k = tiles
    launch = compile_preshuffle_gemm_a8(M=m, N=n, K=k, tile_m=tile_m, tile_n=tile_n, tile_k=tile_k, in_dtype=in_dtype, lds_stage=2)
    c = np.zeros((m, n), ml_dtypes.bfloat16 if in_dtype == "fp8" else np.float32)
    launch(c, a, shuffle_weight(b), scale_a, scale_b, m, n, stream=fx.Stream(None))
    exact = a.astype(np.float64) @ b.astype(np.float64).T
    expected = exact * scale_a[:, None] * scale_b if in_dtype in ("fp8", "int8") else exact
    assert np.array_equal(c, expected.astype(c.dtype))
    with pytest.raises(LaunchError, match="compiled for N = 128"):
        launch(c, a, b, scale_a, scale_b, m, 64)


def test_preshuffle_gemm_of_a_size_of_flydsl() -> None:
    """R154: the other 8-bit format, numbers that are no whole ones; the result is rounded to bf16 once, from sums in f32."""
    m, n, k, rng = 33, 1024, 2048, np.random.default_rng(0)
    values = (rng.standard_normal(64) * 2).astype(ml_dtypes.float8_e4m3fn)
    a, b = (values[rng.integers(0, 64, shape, np.uint8)] for shape in ((m, k), (n, k)))
    scale_a, scale_b = (rng.uniform(0.5, 2, size).astype(np.float32) for size in (m, n))
    c = np.zeros((m, n), ml_dtypes.bfloat16)
    compile_preshuffle_gemm_a8(M=m, N=n, K=k, tile_m=16, tile_n=64, tile_k=64)(c, a, shuffle_weight(b), scale_a, scale_b, m, n)
    expected = (a.astype(np.float32) @ b.astype(np.float32).T) * scale_a[:, None] * scale_b
    assert np.allclose(c.astype(np.float32), expected, rtol=2**-8, atol=1e-4 * np.abs(expected).max())


def test_refused_products() -> None:
    """R154: what does not fit is refused before anything is compiled."""
    with pytest.raises(NotImplementedError, match="int4"):
        compile_preshuffle_gemm_a8(M=16, N=64, K=64, in_dtype="int4")
    for wrong in ({"tile_m": 8}, {"tile_n": 48}, {"tile_k": 40}):
        with pytest.raises(LaunchError, match="tiles of"):
            compile_preshuffle_gemm_a8(M=16, N=64, K=64, **wrong)
    with pytest.raises(LaunchError, match="cannot be shuffled"):
        shuffle_weight(np.zeros((8, 32), np.int8))


# --- R161: what FlyDSL's own tests compute ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("shape", [(1, 3), (129, 255), (100, 1000)])
def test_element_wise(shape: tuple[int, int]) -> None:
    """R157, R161: shapes that are no whole blocks, predicated."""
    @flyc.kernel
    def add(a: fx.Tensor, b: fx.Tensor, c: fx.Tensor):
        row, column = gpu.block_id("y"), gpu.block_id("x") * 64 + gpu.thread_id("x")
        if column < c.shape[1]:
            c[row, column] = a[row, column] + b[row, column]

    @flyc.jit
    def launch(a: fx.Tensor, b: fx.Tensor, c: fx.Tensor):
        add(a, b, c).launch(grid=((c.shape[1] + 63) // 64, c.shape[0]), block=64)

    (a, _), (b, _), c = matrix(shape, np.float32), matrix(shape, np.float32), np.zeros(shape, np.float32)
    launch(a, b, c)
    assert np.array_equal(c, a + b)


def test_transposition_and_coordinates() -> None:
    """R161: through shared memory with padded rows; coordinates to linear numbers."""
    allocator = SmemAllocator(None)
    tile = allocator.allocate_array(T.f32, (16, 17))

    @flyc.kernel
    def transpose(a: fx.Tensor, b: fx.Tensor, numbers: fx.Tensor):
        x, y, bx, by = gpu.thread_idx.x, gpu.thread_idx.y, gpu.block_idx.x, gpu.block_idx.y
        lds = tile(allocator.get_base())
        lds.store(a[by * 16 + y, bx * 16 + x], [y, x])
        gpu.barrier()
        b[bx * 16 + y, by * 16 + x] = lds.load([x, y])
        numbers[by * 16 + y, bx * 16 + x] = fx.Int32((by * 16 + y) * 32 + bx * 16 + x)

    @flyc.jit
    def launch(a: fx.Tensor, b: fx.Tensor, numbers: fx.Tensor):
        transpose(a, b, numbers).launch(grid=(2, 2), block=(16, 16))

    (a, _), b, numbers = matrix((32, 32), np.float32), np.zeros((32, 32), np.float32), np.zeros((32, 32), np.int32)
    launch(a, b, numbers)
    assert np.array_equal(b, a.T)
    assert np.array_equal(numbers, np.arange(1024).reshape(32, 32))


def test_product_through_shared_memory() -> None:
    """R161: tiles of 16 × 16."""
    allocator = SmemAllocator(None, arch="gfx942")
    left, right = (allocator.allocate_array(T.f32, (16, 16)) for _ in range(2))

    @flyc.kernel
    def matmul(a: fx.Tensor, b: fx.Tensor, c: fx.Tensor, k: fx.Int32):
        base = allocator.get_base()
        sa, sb = left(base), right(base)
        x, y = gpu.thread_idx.x, gpu.thread_idx.y
        row, column = gpu.block_idx.y * 16 + y, gpu.block_idx.x * 16 + x
        acc = 0.0
        for start in range(0, k, 16):
            sa.store(a[row, start + x], [y, x])
            sb.store(b[start + y, column], [y, x])
            gpu.barrier()
            for i in range_constexpr(16):
                acc = acc + sa.load([y, i]) * sb.load([i, x])
            gpu.barrier()
        c[row, column] = acc

    @flyc.jit
    def launch(a: fx.Tensor, b: fx.Tensor, c: fx.Tensor, k: fx.Int32):
        matmul(a, b, c, k).launch(grid=(c.shape[1] // 16, c.shape[0] // 16), block=(16, 16))

    (a, wa), (b, wb), c = matrix((64, 256), np.float32), matrix((256, 48), np.float32), np.zeros((64, 48), np.float32)
    launch(a, b, c, 256)
    assert np.allclose(c, wa @ wb, rtol=1e-4, atol=1e-4)
