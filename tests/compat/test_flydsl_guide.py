"""FlyDSL's kernel authoring guide, section by section: each piece of its code, root of the imports changed and its gaps filled in, is run.

Pieces that other files of this folder run already are not repeated: 2.5 and 7.2 (test_flydsl), 9 and 10.1 (test_flydsl_environment).
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import svod.compat.flydsl.compiler as flyc
import svod.compat.flydsl.expr as fx
from svod.compat.flydsl._mlir import ir
from svod.compat.flydsl.compiler.jit_executor import JitCompiledFunction
from svod.compat.flydsl.compiler.kernel_function import CompilationContext
from svod.compat.flydsl.expr import arith, buffer_ops, const_expr, gpu, range_constexpr, rocdl, vector
from svod.compat.flydsl.expr.typing import T
from svod.compat.flydsl.utils.smem_allocator import SmemAllocator
from svod.config import override
from svod.errors import KernelError

F32 = np.float32
DEFAULT = fx.Stream(None)


@pytest.fixture(autouse=True, params=["CPU", "INTERP"])
def everywhere(request: pytest.FixtureRequest) -> Iterator[str]:
    """Every test runs on both devices."""
    with override(device=request.param):
        yield request.param


def run(kernel: Any, *args: Any, block: Any = 1) -> None:
    """Launches a kernel once."""
    @flyc.jit
    def launch() -> None:
        kernel(*args).launch(block=block)

    launch()


SURFACE = """
import svod.compat.flydsl.compiler as flyc
import svod.compat.flydsl.expr as fx
from svod.compat.flydsl.compiler import jit, kernel, from_dlpack, JitArgumentRegistry, CompilationContext
from svod.compat.flydsl.compiler.jit_function import JitFunction, MlirCompiler, JitCacheManager
from svod.compat.flydsl.compiler.kernel_function import KernelFunction, KernelLauncher
from svod.compat.flydsl.compiler.jit_executor import JitCompiledFunction
from svod.compat.flydsl.compiler.jit_argument import JitArgumentRegistry, TensorAdaptor
from svod.compat.flydsl.compiler.ast_rewriter import ASTRewriter
from svod.compat.flydsl.expr import arith, buffer_ops, const_expr, gpu, range_constexpr, rocdl, vector
from svod.compat.flydsl.expr.typing import T, Types, Tensor, Stream, Constexpr
from svod.compat.flydsl.expr.primitive import make_shape, crd2idx
from svod.compat.flydsl.utils.smem_allocator import SmemAllocator, SmemPtr
from svod.compat.flydsl.kernels.preshuffle_gemm import compile_preshuffle_gemm_a8
from svod.compat.flydsl.kernels.reduce import warp_reduce, block_reduce
"""


def test_13_every_name_can_be_imported_from_its_module() -> None:
    """R78: also all names of the quick reference."""
    scope: dict[str, Any] = {}
    exec(SURFACE, scope)
    for path in ("flyc.jit", "flyc.kernel", "fx.gpu.thread_idx", "fx.gpu.block_idx", "fx.gpu.block_dim", "fx.Constexpr", "fx.Tensor",
                 "fx.Stream", "fx.gpu.barrier", "fx.arith.constant", "fx.range_constexpr", "fx.buffer_ops.buffer_load", "fx.Int32",
                 "fx.rocdl", "fx.vector"):
        assert eval(path, scope) is not None
    assert scope["flyc"].ASTRewriter is scope["ASTRewriter"]
    assert scope["flyc"].JitCompiledFunction is scope["JitCompiledFunction"]


# --- 1.1, 10.2 -----------------------------------------------------------------------------------------------------------------------

@flyc.kernel
def vec_add_kernel(
    A: fx.Tensor,
    B: fx.Tensor,
    C: fx.Tensor,
    N: fx.Constexpr[int],
):
    tid = gpu.thread_idx.x
    bid = gpu.block_idx.x
    idx = bid * 256 + tid
    C[idx] = A[idx] + B[idx]


@flyc.jit
def vec_add(
    A: fx.Tensor,
    B: fx.Tensor,
    C: fx.Tensor,
    N: fx.Constexpr[int],
    stream: fx.Stream = DEFAULT,
):
    vec_add_kernel(A, B, C, N).launch(
        grid=(N // 256,),
        block=(256,),
        stream=stream,
    )


def test_1_1_basic_pattern() -> None:
    torch = pytest.importorskip("torch")
    A, B, C = torch.randn(1024), torch.randn(1024), torch.empty(1024)
    vec_add(A, B, C, 1024)
    assert torch.equal(C, A + B)


def test_10_2_printing_of_the_compiled_function(capsys: pytest.CaptureFixture[str]) -> None:
    arrays = [np.zeros(1024, F32) for _ in range(3)]
    compiled_func = vec_add.compile(*arrays, 1024)
    assert isinstance(compiled_func, JitCompiledFunction)
    compiled_func.print_ir()
    assert "Compiled vec_add_kernel" in capsys.readouterr().out
    compiled_func.print_ir(compiled=False)
    assert "Original vec_add_kernel" in capsys.readouterr().out


# --- 2. parameters -------------------------------------------------------------------------------------------------------------------

def test_2_bodies_that_are_left_out() -> None:
    """2.1, 2.2, 2.3: an ellipsis is a body, in kernels, in unrolled loops and in jit functions."""
    @flyc.kernel
    def nothing(input: fx.Tensor, output: fx.Tensor):
        ...

    @flyc.kernel
    def unrolled(data: fx.Tensor, N: fx.Constexpr[int], dtype: fx.Constexpr[str]):
        for i in range_constexpr(N // 64):  # noqa: B007
            ...
        data[0] = i

    @flyc.jit
    def launch(data: fx.Tensor, size: fx.Int32, stream: fx.Stream = DEFAULT):
        ...

    x = np.full(4, 7, F32)
    run(nothing, x, x)
    launch(x, 3)
    assert x.tolist() == [7] * 4
    run(unrolled, x, 256, "f32")
    assert x[0] == 3


def test_2_4_streams() -> None:
    @flyc.kernel
    def my_kernel(data: fx.Tensor):
        data[gpu.thread_idx.x] += 1

    @flyc.jit
    def launch(data: fx.Tensor, stream: fx.Stream = DEFAULT):
        my_kernel(data).launch(grid=(1,), block=(256,), stream=stream)

    class Queue:
        cuda_stream = 5

    x = np.zeros(256, np.int32)
    for given in ((), (fx.Stream(Queue()),), (None,), (fx.Stream(3),)):
        launch(x, *given)
    assert x.tolist() == [4] * 256


# --- 3, 4 ----------------------------------------------------------------------------------------------------------------------------

def test_3_hierarchy() -> None:
    @flyc.kernel
    def where(out: fx.Tensor):
        tid_x = gpu.thread_idx.x
        tid_y = gpu.thread_idx.y
        tid_z = gpu.thread_idx.z
        bid_x = gpu.block_idx.x
        bid_y = gpu.block_idx.y
        bdim_x = gpu.block_dim.x
        gdim_x = gpu.grid_dim.x
        raw_tid = gpu.thread_id("x")
        raw_bid = gpu.block_id("x")
        row = ((bid_y * gdim_x + bid_x) * 2 + tid_z) * 2 * bdim_x + tid_y * bdim_x + tid_x
        out[row, 0], out[row, 1] = raw_tid, raw_bid

    @flyc.jit
    def launch(out: fx.Tensor):
        where(out).launch(grid=(3, 2), block=(4, 2, 2))

    out = np.full((96, 2), -1, np.int32)
    launch(out)
    assert out[:, 0].tolist() == list(range(4)) * 24
    assert out[:, 1].tolist() == ([0] * 16 + [1] * 16 + [2] * 16) * 2


def test_4_1_to_4_3_and_4_5() -> None:
    @flyc.kernel
    def k(out: fx.Tensor, memref_value: fx.Tensor, a: fx.Int32, b: fx.Int32):
        c42 = arith.constant(42, index=True)
        c3_14 = arith.constant(3.14, T.f32)
        out[0] = a + b
        out[1] = a * 2
        out[2] = a // 4
        out[3] = a % 16
        idx = arith.index_cast(T.index, a)
        out[4] = arith.select(a < b, idx, c42)
        out[5] = arith.andi(a, b)
        out[6] = arith.xori(a, b)
        out[7] = arith.shli(a, b)
        vec = vector.from_elements(T.vec(4, T.i32), [a, b, a, b])
        vector.store(vec, out, [8])
        elem = vector.extractelement(vec, a)
        vec2 = vector.insertelement(vec, elem, b)
        vector.store(vec2, out, [12])
        rsrc = buffer_ops.create_buffer_resource(memref_value)
        data = buffer_ops.buffer_load(rsrc, 4, vec_width=4)
        buffer_ops.buffer_store(data * c3_14, rsrc, 8)
        gpu.barrier()
        addrspace = gpu.smem_space()  # noqa: F841
        addrspace_int = gpu.smem_space(int=True)
        out[16] = addrspace_int

    out, real = np.zeros(17, np.int32), np.arange(10, dtype=F32)
    run(k, out, real, 1, 2)
    assert out.tolist() == [3, 2, 0, 1, 1, 0, 3, 4, 1, 2, 1, 2, 1, 2, 2, 2, 2]
    assert real.tolist() == [*range(8), F32(4) * F32(3.14), F32(5) * F32(3.14)], "two of the four are outside"


def test_4_4_instructions() -> None:
    """The three products, the shuffle and shared memory in one kernel of one wave."""
    allocator = SmemAllocator(None, arch="gfx942", global_sym_name="smem0")
    lds = allocator.allocate_array(T.f32, 256)

    @flyc.kernel
    def k(half: fx.Tensor, eight: fx.Tensor, whole: fx.Tensor, out: fx.Tensor, counts: fx.Tensor):
        lane = gpu.thread_idx.x
        lds_ptr = lds(allocator.get_base())
        a = vector.load_op(T.f16x4, half, [lane * 4])
        result = rocdl.mfma_f32_16x16x16_f16(a, a, vector.broadcast(T.f32x4, 0.0))
        b = vector.load_op(T.vec(8, eight.dtype), eight, [lane * 8])
        result = rocdl.mfma_f32_16x16x32_fp8(b, b, result)
        rocdl.ds_write_b128(lds_ptr, lane * 16, result)
        gpu.barrier()
        data = rocdl.ds_read_b128(lds_ptr, (63 - lane) * 16)
        val = rocdl.ds_bpermute((63 - lane) * 4, data[0])
        vector.store(vector.insertelement(data, val, 0), out, [lane * 4])
        c = vector.load_op(T.i8x8, whole, [lane * 8])
        vector.store(rocdl.mfma_i32_16x16x32i8(c, c, vector.broadcast(T.i32x4, 1)), counts, [lane * 4])

    rng = np.random.default_rng(0)
    half = rng.integers(-3, 4, (64, 4)).astype(np.float16)
    whole = rng.integers(-9, 9, (64, 8)).astype(np.int8)
    for kind in (ml_dtypes.float8_e4m3fnuz, ml_dtypes.float8_e4m3fn):
        eight = rng.integers(-8, 8, (64, 8)).astype(kind)
        out, counts = np.zeros((64, 4), F32), np.zeros((64, 4), np.int32)
        run(k, half.ravel(), eight.ravel(), whole.ravel(), out.ravel(), counts.ravel(), block=64)

        def product(fragments: Any) -> Any:
            rows = fragments.astype(np.float64).reshape(4, 16, -1).transpose(1, 0, 2).reshape(16, -1)
            return (rows @ rows.T).reshape(4, 4, 16).transpose(0, 2, 1).reshape(64, 4)

        expected = product(half) + product(eight)
        assert np.array_equal(out[:, 1:], expected[::-1, 1:])
        assert np.array_equal(out[:, 0], expected[:, 0])
        assert np.array_equal(counts, product(whole) + 1)


# --- 5. control flow -----------------------------------------------------------------------------------------------------------------

def test_5_loops_and_constants() -> None:
    @flyc.kernel
    def my_kernel(data: fx.Tensor, N: fx.Constexpr[int], runtime_value: fx.Int32):
        tile_size = const_expr(N // 4)
        for i in range_constexpr(tile_size):
            data[i] = 1
        for i in range(runtime_value):
            data[i] += 2

    x = np.zeros(4, np.int32)
    run(my_kernel, x, 12, 4)
    assert x.tolist() == [3, 3, 3, 2]


@flyc.kernel
def carried(x: fx.Tensor, out: fx.Tensor, n: fx.Int32):
    for i, state in range(0, n, 1, init=[0.0]):
        total = yield [state[0] + x[i]]
    out[0] = total
    start = [fx.Int32(1), fx.Int32(1)]
    for _i, (a, b) in range(n, init=start):
        after = [b, a + b]
        fibonacci = yield after
    out[1], out[2] = fibonacci[0], fibonacci[1]
    for i, state in range(0, n, 2, init=(3, 4.5)):
        state[0] = state[0] + i
        p, q = yield state[0], state[1] * 2
    out[3], out[4] = p, q
    for i, outer in range(n, init=[vector.broadcast(T.f32x4, 0.0)]):
        for _j, inner in range(i, init=outer):
            sums = yield inner[0] + vector.from_elements(T.f32x4, [1.0, 2.0, 3.0, 4.0])
        lanes = yield [sums]
    vector.store(lanes, out, [5])
    for i, state in range(n, init=[0]):
        if i == 2:
            break
        count = yield state[0] + 1
    out[9] = count


@pytest.mark.parametrize("n", [0, 1, 4])
def test_values_carried_by_yield(n: int) -> None:
    """R117: one value, several, lists by name, vectors, loops in loops, a loop that is left; with no iteration what init= says."""
    x, out = np.arange(1, 5, dtype=F32), np.full(10, -1, F32)
    run(carried, x, out, n)
    a, b = 1, 1
    for _ in range(n):
        a, b = b, a + b
    steps = range(0, n, 2)
    rounds = n * (n - 1) // 2
    expected = [x[:n].sum(), a, b, 3 + sum(steps), 4.5 * 2 ** len(steps), *(rounds * k for k in (1, 2, 3, 4)), min(n, 2)]
    assert out.tolist() == expected


def test_loops_with_init_that_are_refused() -> None:
    """R117: another number of values, another type, no yield; each at its line."""
    @flyc.kernel
    def fewer(out: fx.Tensor, n: fx.Int32):
        for _i, state in range(0, n, 1, init=[1, 2]):
            yield [state[0]]

    @flyc.kernel
    def other(out: fx.Tensor, n: fx.Int32):
        for _i, _state in range(0, n, 1, init=[1]):
            yield [vector.broadcast(T.f32x4, 0.0)]

    @flyc.kernel
    def silent(out: fx.Tensor, n: fx.Int32):
        for i, state in range(0, n, 1, init=[1]):
            out[i] = state[0]

    @flyc.kernel
    def early(out: fx.Tensor, n: fx.Int32):
        for i, state in range(0, n, 1, init=[1]):
            yield [state[0]]
            out[i] = 1

    for kernel, message, line in ((fewer, "changes from list of 2 to list of 1", "yield [state[0]]"),
                                  (other, "is not a number", "yield [vector"),
                                  (silent, r"Invalid range\(\) call", "init=[1]"), (early, r"Invalid range\(\) call", "init=[1]")):
        with pytest.raises(KernelError, match=message) as caught:
            run(kernel, np.zeros(4, np.int32), 3)
        assert line in caught.value.at


# --- 6, 7 ----------------------------------------------------------------------------------------------------------------------------

def test_6_and_7_1_shared_memory_and_launches() -> None:
    allocator = SmemAllocator(None, arch="gfx942", global_sym_name="smem0")
    lds_a = allocator.allocate_array(T.f16, 8192)
    lds_b = allocator.allocate_array(T.f16, 8192)

    @flyc.kernel
    def my_kernel(data: fx.Tensor):
        idx = gpu.thread_idx.x
        lds_base = allocator.get_base()
        lds_a_ptr = lds_a(lds_base)
        lds_b_ptr = lds_b(lds_base)
        lds_a_ptr.store(data[idx], [idx])
        gpu.barrier()
        val = lds_a_ptr.load([7 - idx])
        lds_b_ptr.store(val, [idx])
        data[idx] = lds_b_ptr.load([idx])

    num_blocks_x, num_blocks_y, num_blocks_z, shared_mem_bytes = 1, 1, 1, 512

    @flyc.jit
    def launch(data: fx.Tensor, stream: fx.Stream = DEFAULT):
        comp_ctx = CompilationContext.get_current()
        with ir.InsertionPoint(comp_ctx.gpu_module_body):
            allocator.finalize()
        threads_x, threads_y, threads_z = len(data), 1, 1
        my_kernel(data).launch(
            grid=(num_blocks_x, num_blocks_y, num_blocks_z),
            block=(threads_x, threads_y, threads_z),
            smem=shared_mem_bytes,
            stream=stream,
        )

    x = np.arange(8, dtype=np.float16)
    launch(x)
    assert x.tolist() == list(range(7, -1, -1))


# --- 11 ------------------------------------------------------------------------------------------------------------------------------

def compile_gemm(*, N: int, K: int, tile_m: int, tile_n: int) -> Any:
    """The outline of section 11, filled in: one wave for a tile, A through shared memory, B as it stands, scales of rows and columns."""
    allocator = SmemAllocator(None, arch="gfx942", global_sym_name="smem0")
    lds_a = allocator.allocate_array(T.i8, tile_m * K)

    @flyc.kernel
    def gemm_kernel(  # noqa: PLR0917
        arg_c: fx.Tensor, arg_a: fx.Tensor, arg_b: fx.Tensor,
        arg_scale_a: fx.Tensor, arg_scale_b: fx.Tensor,
        m_in: fx.Int32, n_in: fx.Int32,
    ):
        tid = gpu.thread_idx.x
        first_row, first_column = gpu.block_idx.x * tile_m, gpu.block_idx.y * tile_n
        rows = lds_a(allocator.get_base()).get()
        a, b = (buffer_ops.create_buffer_resource(t) for t in (arg_a, arg_b))
        for place in range(tid * 8, tile_m * K, 512):
            vector.store(buffer_ops.buffer_load(a, first_row * K + place, vec_width=8), rows, [place])
        gpu.barrier()
        row, group = tid % 16, tid // 16
        for k, state in range(0, K, 32, init=[vector.broadcast(T.i32x4, 0)]):
            left = vector.load_op(T.i8x8, rows, [row * K + k + group * 8])
            right = buffer_ops.buffer_load(b, (first_column + row) * K + k + group * 8, vec_width=8)
            acc = yield [rocdl.mfma_i32_16x16x32i8(left, right, state[0])]
        for e in range_constexpr(4):
            r, column = first_row + group * 4 + e, first_column + row
            if r < m_in:
                arg_c[r * n_in + column] = arith.sitofp(T.f32, acc[e]) * arg_scale_a[r] * arg_scale_b[column]

    @flyc.jit
    def launch_fn(  # noqa: PLR0917
        arg_c: fx.Tensor, arg_a: fx.Tensor, arg_b: fx.Tensor,
        arg_scale_a: fx.Tensor, arg_scale_b: fx.Tensor,
        M_val: fx.Int32, N_val: fx.Int32,
        stream: fx.Stream = DEFAULT,
    ):
        grid_x, grid_y, smem_bytes = (M_val + tile_m - 1) // tile_m, N_val // tile_n, 0
        gemm_kernel(arg_c, arg_a, arg_b, arg_scale_a, arg_scale_b,
                    M_val, N_val).launch(
            grid=(grid_x, grid_y), block=(64,),
            smem=smem_bytes, stream=stream,
        )

    return launch_fn


def test_11_outline_of_a_product() -> None:
    M, N, K = 21, 32, 64
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-128, 128, shape).astype(np.int8) for shape in ((M, K), (N, K)))
    scale_a, scale_b = (2.0 ** rng.integers(-3, 3, size).astype(F32) for size in (M, N))
    c = np.zeros(M * N, F32)
    compile_gemm(N=N, K=K, tile_m=16, tile_n=16)(c, a.ravel(), b.ravel(), scale_a, scale_b, M, N)
    assert np.array_equal(c.reshape(M, N), (a.astype(np.int64) @ b.astype(np.int64).T) * scale_a[:, None] * scale_b)
