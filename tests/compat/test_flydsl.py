"""The code of FlyDSL's kernel authoring guide, with the root of its imports changed and its gaps filled in. Sections are the guide's."""
from __future__ import annotations

import ctypes
import re
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import svod.compat.flydsl.compiler as flyc
import svod.compat.flydsl.expr as fx
from svod.compat.flydsl._mlir import ir
from svod.compat.flydsl.compiler import CompilationContext, JitArgumentRegistry
from svod.compat.flydsl.expr import const_expr, gpu, range_constexpr
from svod.compat.flydsl.expr.typing import T
from svod.compat.flydsl.utils.smem_allocator import SmemAllocator
from svod.config import override
from svod.errors import ArgumentError, KernelError, LaunchError

F32 = np.float32
DEFAULT = fx.Stream(None)


@pytest.fixture(autouse=True, params=["CPU", "INTERP"])
def everywhere(request: pytest.FixtureRequest) -> Iterator[str]:
    """Every test runs on both devices."""
    with override(device=request.param):
        yield request.param


def run(kernel: Any, *args: Any, grid: Any = 1, block: Any = 64) -> None:
    """Launches a kernel once."""
    @flyc.jit
    def launch() -> None:
        kernel(*args).launch(grid=grid, block=block)

    launch()


# --- 1. vector addition, names and entry points --------------------------------------------------------------------------------------

@flyc.kernel
def vec_add_kernel(A: fx.Tensor, B: fx.Tensor, C: fx.Tensor, N: fx.Constexpr[int]):
    tid = gpu.thread_idx.x
    bid = gpu.block_idx.x
    idx = bid * 256 + tid
    if idx < N:
        C[idx] = A[idx] + B[idx]


@flyc.jit
def vec_add(A: fx.Tensor, B: fx.Tensor, C: fx.Tensor, N: fx.Constexpr[int], stream: fx.Stream = DEFAULT):
    vec_add_kernel(A, B, C, N).launch(grid=((N + 255) // 256,), block=(256,), stream=stream)


def vectors(n: int, dtype: Any = F32) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(n)
    return rng.standard_normal(n).astype(dtype), rng.standard_normal(n).astype(dtype), np.zeros(n, dtype)


@pytest.mark.parametrize("n", [1024, 1000, 1])
def test_vec_add_of_the_guide(n: int) -> None:
    """R79, R151: also where the tail is not a whole block."""
    a, b, c = vectors(n)
    vec_add(a, b, c, n)
    assert np.array_equal(c, a + b)


def test_vec_add_of_torch_tensors() -> None:
    """R79, R85: zero-copy through DLPack."""
    torch = pytest.importorskip("torch")
    a, b, c = torch.randn(1024), torch.randn(1024), torch.empty(1024)
    vec_add(a, b, c, 1024)
    assert torch.equal(c, a + b)
    vec_add(flyc.from_dlpack(a), flyc.from_dlpack(b), flyc.from_dlpack(c).mark_layout_dynamic(), 1024, stream=fx.Stream(7))
    assert torch.equal(c, a + b)


def test_types_of_elements_come_from_the_arguments() -> None:
    """R85, R83: one compiled form for each type, none for a size."""
    kernel = flyc.kernel(vec_add_kernel.function)
    for dtype in (F32, np.float16, np.float64, F32):
        for _ in range(2):
            a, b, c = vectors(300, dtype)
            run(kernel, a, b, c, 300, grid=2, block=256)
            assert np.array_equal(c, a + b)
    assert [k.traces for k in kernel.kernels] == [1, 1, 1]
    a, b, c = vectors(500)
    run(kernel, a[:400], b[:400], c[:400], 300, grid=2, block=256)
    assert [k.traces for k in kernel.kernels] == [1, 1, 1]


def test_decorators() -> None:
    """R80: kinds of objects, with and without parentheses; a kernel outside of a jit function."""
    assert isinstance(vec_add_kernel, flyc.KernelFunction)
    assert isinstance(vec_add, flyc.JitFunction)
    assert isinstance(flyc.kernel()(vec_add_kernel.function), flyc.KernelFunction)
    assert isinstance(flyc.jit()(vec_add.function), flyc.JitFunction)
    with pytest.raises(RuntimeError, match="@kernel can only be called inside @jit function"):
        vec_add_kernel(*vectors(4), 4)
    for made in (flyc.kernel, flyc.kernel()):
        with pytest.raises(KernelError, match="functions"):
            made(3)


def test_launches_in_order_and_composition() -> None:
    """R81, R82."""
    @flyc.jit
    def twice(a: fx.Tensor, b: fx.Tensor, c: fx.Tensor, n: fx.Constexpr[int]):
        vec_add(a, b, c, n)
        vec_add(c, b, c, n)
        pending = vec_add_kernel(c, b, c, n)
        assert isinstance(pending, flyc.KernelLauncher)
        pending.launch(grid=1, block=128)

    a, b, c = vectors(100)
    twice(a, b, c, 100)
    assert np.array_equal(c, a + b + b + b)


def test_what_was_compiled(everywhere: str, capsys: pytest.CaptureFixture[str]) -> None:
    """R84, section 10.2."""
    made = vec_add.compile(*vectors(8), 8)
    assert isinstance(made, flyc.JitCompiledFunction)
    made.print_ir(compiled=False)
    assert re.search(r"Original vec_add_kernel\w* IR:", capsys.readouterr().out)
    assert made is vec_add.last_compiled
    a, b, c = vectors(8)
    made(a, b, c, 8)
    assert np.array_equal(c, a + b)


# --- 2. parameters -------------------------------------------------------------------------------------------------------------------

def test_integers_are_arguments_not_constants() -> None:
    """R88: another n compiles nothing; a value that does not fit is refused."""
    @flyc.kernel
    def fill(x: fx.Tensor, n: fx.Int32, v: fx.Float32, flag):
        i = gpu.block_idx.x * gpu.block_dim.x + gpu.thread_idx.x
        if i < n:
            x[i] = v if flag else -v

    @flyc.jit
    def launch(x: fx.Tensor, n: fx.Int32, v: float):
        fill(x, n, v, n > 2).launch(grid=((n + 63) // 64, 1, 1), block=[64])

    for n in (1, 2, 3, 100):
        x = np.zeros(100, F32)
        launch(x, n, 1.5)
        assert x.sum() == n * (1.5 if n > 2 else -1.5)
    assert [k.traces for k in fill.kernels] == [1]
    with pytest.raises(LaunchError, match="2147483648, outside"):
        launch(x, 2**31, 1.0)
    with pytest.raises(ArgumentError, match="2147483648 is no i32"):
        launch(x, n=2**31, v=1.0)


def test_constants_of_every_kind() -> None:
    """R87."""
    @flyc.kernel
    def k(data: fx.Tensor, n: fx.Constexpr[int], dtype: fx.Constexpr[str], pair: fx.Constexpr[tuple] = (1, 2)):
        for i in range_constexpr(n // 2):
            data[i] = pair[0] if dtype == "first" else pair[1]

    x = np.zeros(8, np.int32)
    run(k, x, 8, "first", block=1)
    assert x.tolist() == [1] * 4 + [0] * 4
    x[:] = 0
    run(k, x, 4, "second", (3, 4), block=1)
    assert x.tolist() == [4] * 2 + [0] * 6


class Scaled:
    def __init__(self, factor: float, count: int, data: Any) -> None:
        self.factor, self.count, self.data = factor, count, data


class ScaledInKernel:
    def __init__(self, factor: Any, count: Any, data: Any) -> None:
        self.factor, self.count, self.data = factor, count, data

    @classmethod
    def __new_from_ir_values__(cls, values: Any) -> ScaledInKernel:
        return cls(values[0], values[1], values[2])


@pytest.fixture
def registered() -> Iterator[None]:
    @JitArgumentRegistry.register(Scaled, dsl_type=ScaledInKernel)
    class Adaptor:
        def __init__(self, value: Scaled) -> None:
            self.value, self.slots = value, (ctypes.c_float(value.factor), ctypes.c_int32(value.count))

        def __ir_types__(self) -> list[Any]:
            return [T.f32, T.i32, fx.Tensor]

        def __c_pointers__(self) -> list[Any]:
            return [ctypes.cast(ctypes.pointer(self.slots[0]), ctypes.c_void_p), ctypes.pointer(self.slots[1]), self.value.data]

    yield
    JitArgumentRegistry.unregister(Scaled)


def test_types_of_users(registered: None) -> None:
    """R90: a struct of two scalars and a tensor."""
    @flyc.kernel
    def k(s: ScaledInKernel, out: fx.Tensor):
        i = gpu.thread_idx.x
        if i < s.count:
            out[i] = s.data[i] * s.factor

    out = np.zeros(8, F32)
    run(k, Scaled(0.5, 5, np.arange(8, dtype=F32)), out, block=8)
    assert out.tolist() == [0, 0.5, 1, 1.5, 2, 0, 0, 0]
    assert JitArgumentRegistry.get_dsl_type(Scaled) is ScaledInKernel
    with pytest.raises(ValueError, match="JitArgumentConstructor for Scaled already registered"):
        JitArgumentRegistry.register(Scaled, dsl_type=ScaledInKernel)(object)


def test_errors_of_the_registry() -> None:
    """R91."""
    with pytest.raises(ValueError, match="Invalid dsl_type for Scaled"):
        JitArgumentRegistry.register(Scaled)(object)

    @flyc.jit
    def launch(x: fx.Tensor):
        """Launches nothing."""

    with pytest.raises(TypeError, match=r"No JitArgument registered for type Scaled \(parameter 'x'\)"):
        launch(Scaled(1, 2, 3))

    class Odd:
        pass

    @JitArgumentRegistry.register(Odd, dsl_type=ScaledInKernel)
    class Failing:
        def __init__(self, value: Odd) -> None:
            raise OSError("no")

    try:
        with pytest.raises(TypeError, match="Failed to construct JitArgument for parameter 'A': no"):
            run(vec_add_kernel, Odd(), *vectors(4)[:2], 4)
    finally:
        JitArgumentRegistry.unregister(Odd)


def test_adaptors_of_tensors() -> None:
    """R86."""
    x = np.zeros((4, 6), F32)
    adaptor = flyc.from_dlpack(x, assumed_align=4)
    assert adaptor.mark_layout_dynamic() is adaptor
    assert adaptor.mark_layout_dynamic(leading_dim=1, divisibility=2) is adaptor
    for options in ({"leading_dim": 0}, {"leading_dim": 5}, {"divisibility": 4}):
        with pytest.raises(ArgumentError):
            adaptor.mark_layout_dynamic(**options)
    with pytest.raises(ArgumentError, match="no axis"):
        flyc.from_dlpack(x[:, ::2]).mark_layout_dynamic()
    with pytest.raises(ArgumentError, match="begin at"):
        flyc.from_dlpack(np.zeros(9, np.int8)[1:], assumed_align=1 << 40)


# --- 3. thread hierarchy -------------------------------------------------------------------------------------------------------------

def test_coordinates() -> None:
    """R92, R93: a grid of three axes, names of every form."""
    @flyc.kernel
    def where(out: fx.Tensor):
        x, y, z = gpu.thread_idx
        bx, by = fx.gpu.block_idx.x, gpu.block_id("y")
        n = (((by * gpu.grid_dim.x + bx) * gpu.block_dim.z + z) * gpu.block_dim.y + y) * fx.block_dim.x + gpu.thread_id("x")
        out[n, 0], out[n, 1], out[n, 2], out[n, 3], out[n, 4] = x, y, z, bx, by

    out = np.zeros((2 * 3 * 24, 5), np.int32)
    run(where, out, grid=(2, 3, 1), block=(4, 3, 2))
    by, bx, z, y, x = np.indices((3, 2, 2, 3, 4)).reshape(5, -1)
    assert np.array_equal(out, np.stack([x, y, z, bx, by], 1))


def test_sizes_of_launches() -> None:
    """R93, R94."""
    x = np.ones(4, F32)

    @flyc.kernel
    def zero(x: fx.Tensor):
        x[gpu.thread_idx.x] = 0.0

    run(zero, x, grid=(0, 1, 1), block=4)
    assert x.tolist() == [1] * 4
    for grid, block in ((-1, 4), (1, 4096), (1.5, 4)):
        with pytest.raises(LaunchError):
            run(zero, x, grid=grid, block=block)
    run(zero, x, grid=[1], block=(4,))
    assert x.tolist() == [0] * 4


# --- 5. control flow -----------------------------------------------------------------------------------------------------------------

def test_loops_of_the_guide() -> None:
    """R115, R116, R121: section 5."""
    @flyc.kernel
    def k(data: fx.Tensor, N: fx.Constexpr[int], runtime_value: fx.Int32):
        tile_size = const_expr(N // 4)
        for i in range_constexpr(tile_size):
            data[i] = i
        for i in range(runtime_value):
            data[tile_size] += i
        for i in range(10, 0, -3):
            data[tile_size + 1] = data[tile_size + 1] * 10 + i

    x = np.zeros(8, np.int32)
    run(k, x, 16, 5, block=1)
    assert x.tolist() == [0, 1, 2, 3, 10, 10741, 0, 0]


def test_unrolling_wants_what_is_known() -> None:
    @flyc.kernel
    def k(data: fx.Tensor, n: fx.Int32):
        for i in range_constexpr(n):
            data[i] = i

    with pytest.raises(KernelError, match=r"known while the kernel is traced") as caught:
        run(k, np.zeros(4, np.int32), 3, block=1)
    assert "range_constexpr(n)" in caught.value.at


def test_branches_and_carried_values() -> None:
    """R117 to R120: values outlive loops and branches, also where the condition is no call."""
    @flyc.kernel
    def k(out: fx.Tensor, n: fx.Int32):
        acc, best, count = 0, -1, 0
        for i in range(n):
            if 2 <= i < 7 and i != 4:
                acc += i
            elif i == 0:
                best = 100
            if i > 8:
                break
            count += 1
        while count > 5:
            count -= 2
        out[0], out[1], out[2], out[3] = acc, best, count, 1 if n > 3 else 2
        if n == 0:
            return
        out[4] = 1

    out = np.zeros(5, np.int32)
    run(k, out, 20, block=1)
    assert out.tolist() == [2 + 3 + 5 + 6, 100, 5, 1, 1]
    out[:] = 0
    run(k, out, 0, block=1)
    assert out.tolist() == [0, -1, 0, 2, 0]


# --- 6. shared memory ----------------------------------------------------------------------------------------------------------------

def test_shared_memory_of_the_guide() -> None:
    """R123, R95: section 6.1: a tree reduction over 256 work items."""
    allocator = SmemAllocator(None, arch="gfx942", global_sym_name="smem0")
    lds_a = allocator.allocate_array(T.f32, 256)
    lds_b = allocator.allocate_array(T.f32(), 1)

    @flyc.kernel
    def block_sum(a: fx.Tensor, out: fx.Tensor):
        lds_base = allocator.get_base()
        tree, total = lds_a(lds_base), lds_b(lds_base)
        tid = gpu.thread_idx.x
        tree.store(a[gpu.block_idx.x * 256 + tid], [tid])
        gpu.barrier()
        for k in range_constexpr(8):
            if tid < 128 >> k:
                tree.store(tree.load([tid]) + tree.load([tid + (128 >> k)]), [tid])
            gpu.barrier()
        if tid == 0:
            total.store(tree.load())
        gpu.barrier()
        out[gpu.block_idx.x * 256 + tid] = lds_b(allocator.get_base()).load([0])

    @flyc.jit
    def launch(a: fx.Tensor, out: fx.Tensor):
        comp_ctx = CompilationContext.get_current()
        with ir.InsertionPoint(comp_ctx.gpu_module_body):
            allocator.finalize()
        block_sum(a, out).launch(grid=(len(a) // 256,), block=(256,))

    a = np.random.default_rng(3).integers(0, 100, 1024).astype(F32)
    out = np.zeros(1024, F32)
    launch(a, out)
    launch(a, out)
    assert np.array_equal(out, np.repeat(a.reshape(4, 256).sum(1), 256))
    with pytest.raises(KernelError, match="was finalized"):
        allocator.allocate_array(T.f32, 1)


def test_places_and_limits_of_shared_memory() -> None:
    """R124 to R126."""
    allocator = SmemAllocator(None, arch="gfx942", global_sym_name="smem1")
    arrays = [allocator.allocate_array(t, n) for t, n in ((T.i8, 3), (T.f16, 5), (T.f64, 2), (fx.Float32, (4, 4)))]
    assert [a.offset for a in arrays] == [0, 4, 16, 32]
    allocator.allocate_array(T.i8, 65536)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"Shared Memory Overflow: Requested 65664 bytes, but device gfx942 limit is 65536 bytes\."):
            allocator.finalize()
    SmemAllocator(None, arch="gfx950").allocate_array(T.i8, 163840)
    for shape in (0, -1, 1.5, ()):
        with pytest.raises(KernelError, match="an array of shape"):
            SmemAllocator().allocate_array(T.i8, shape)


def test_a_view_needs_its_own_base() -> None:
    one, other = SmemAllocator(None), SmemAllocator(None)
    lds = one.allocate_array(T.f32, 4)

    @flyc.kernel
    def k(out: fx.Tensor):
        out[0] = lds(other.get_base()).load([0])

    with pytest.raises(KernelError, match="base of its own allocator"):
        run(k, np.zeros(1, F32), block=1)


# --- 7. launches ---------------------------------------------------------------------------------------------------------------------

def test_dynamic_grid_of_the_guide() -> None:
    """R93, R94: section 7."""
    @flyc.kernel
    def my_kernel(data: fx.Tensor, m: fx.Int32):
        i = gpu.block_idx.x * 256 + gpu.thread_idx.x
        if i < m:
            data[i] += 1.0

    @flyc.jit
    def launch(data: fx.Tensor, M: fx.Int32, stream: fx.Stream = DEFAULT):
        grid_x = M // 256
        my_kernel(data, M).launch(grid=(grid_x, 1, 1), block=(256, 1, 1), smem=1024, stream=stream)

    x = np.zeros(1024, F32)
    launch(x, 512, stream=fx.Stream(types.SimpleNamespace(cuda_stream=7)))
    launch(x, 512, None)
    assert x.tolist() == [2.0] * 512 + [0.0] * 512
