"""Section 4 of FlyDSL's kernel authoring guide: arith, vector, math, buffer_ops, rocdl, gpu; and what of FlyDSL is refused by name."""
from __future__ import annotations

import math as pymath
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import svod.compat.flydsl.compiler as flyc
import svod.compat.flydsl.expr as fx
from svod.compat.flydsl.expr import arith, buffer_ops, gpu, math, range_constexpr, rocdl, vector
from svod.compat.flydsl.expr.typing import T
from svod.compat.flydsl.utils.smem_allocator import SmemAllocator
from svod.config import override
from svod.errors import KernelError, SvodError

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


# --- 4. expressions ------------------------------------------------------------------------------------------------------------------

def test_arith_of_the_guide() -> None:
    """R97 to R99: section 4.1."""
    @flyc.kernel
    def k(out: fx.Tensor, real: fx.Tensor, a: fx.Int32, b: fx.Int32):
        c42 = arith.constant(42, index=True)
        c3_14 = arith.constant(3.14, T.f32)
        idx = arith.index_cast(T.index, a)
        results = [a + b, a * 2, a // 4, a % 16, arith.select(a < b, a, b), arith.andi(a, b), arith.xori(a, b), arith.shli(a, b), c42,
                   idx + 1, arith.constant(7), arith.divsi(a, 4), arith.remsi(a, 4), arith.shrui(a, 1), arith.shrsi(a, 1),
                   arith.addi(a, b), arith.subi(a, b), arith.muli(a, b), arith.ori(a, b), arith.maxsi(a, b), arith.minsi(a, b),
                   arith.select(arith.cmpi("ult", a, b), 1, 0), arith.select(arith.cmpi(arith.CmpIPredicate.slt, a, b), 1, 0),
                   arith.fptosi(T.i32, arith.constant(2.7, type=T.f32)), arith.trunci(T.i8, a), arith.bitcast(T.i32, c3_14)]
        for i in range_constexpr(len(results)):
            out[i] = results[i]
        half = arith.trunc_f(T.f16, c3_14)
        nan = c3_14 * pymath.nan
        reals = [c3_14, arith.extf(T.f32, half), arith.sitofp(T.f32, a), arith.uitofp(T.f32, a), arith.maximumf(c3_14, 1.0),
                 arith.minnumf(nan, 2.0), arith.select(arith.cmpf("olt", nan, 1.0), 1.0, 0.0),
                 arith.select(arith.cmpf("ult", nan, 1.0), 1.0, 0.0), arith.addf(c3_14, 1.0, fastmath="fast"), arith.negf(c3_14)]
        for i in range_constexpr(len(reals)):
            real[i] = reals[i]

    out, real = np.zeros(26, np.int32), np.zeros(10, F32)
    a, b = -23, 3
    run(k, out, real, a, b, block=1)
    unsigned = a % 2**32
    pi = F32(3.14)
    assert out.tolist() == [a + b, a * 2, a // 4, a % 16, min(a, b), a & b, a ^ b, a << b, 42, a + 1, 7, -5, -3, unsigned >> 1, a >> 1,
                            a + b, a - b, a * b, a | b, b, a, 0, 1, 2, a, int(pi.view(np.int32))]
    expected = [pi, F32(np.float16(pi)), a, F32(unsigned), pi, 2.0, 0.0, 1.0, pi + F32(1), -pi]
    assert np.array_equal(real, np.array(expected, F32))


def test_constants_outside_of_kernels() -> None:
    assert arith.constant(42, index=True) == 42
    assert arith.constant(3.14) == 3.14
    assert arith.index(3) == 3


def test_types() -> None:
    """R101."""
    assert (T.f32, T.f16, T.i8, T.index) == (fx.Float32, fx.Float16, fx.Int8, fx.Index)
    assert T.f32x4 == T.vec(4, T.f32)
    assert T.i8x16.lanes == 16
    for name in ("f32x3", "x4", "f99"):
        with pytest.raises(AttributeError):
            getattr(T, name)


def test_vectors_of_the_guide() -> None:
    """R102: section 4.2."""
    @flyc.kernel
    def k(out: fx.Tensor, i: fx.Int32):
        vec = vector.from_elements(T.f32x4, [1.0, 2.0, 3.0, 4.0])
        elem = vector.extractelement(vec, i)
        vec2 = vector.insertelement(vec, elem * 10, i)
        vector.store(vec2, out, [0])
        loaded = vector.load_op(T.f32x4, out, [i])
        out[4] = vector.reduction(T.f32, "add", loaded)
        out[5] = vector.extract(vec, static_position=[3])
        out[6] = vector.extract(vec, dynamic_position=[i])
        out[7] = vector.reduction(T.f32, "maxnumf", vector.shuffle(vec, vec2, [0, 1, 4, 5]))
        vector.store(vector.bitcast(T.f32x2, vector.bitcast(T.i8x8, vector.from_elements(T.f32x2, [1.5, -2.0]))), out, [8])
        vector.store(vector.broadcast(T.f32x2, 7.0) * vector.from_elements(T.f32x2, [1.0, 2.0]), out, [10])
        vector.store(vector.insertelement(vec, 9.0, 2), out, [12])

    out = np.zeros(16, F32)
    run(k, out, 1, block=1)
    assert out.tolist() == [1, 20, 3, 4, 20 + 3 + 4 + 0, 4, 2, 20, 1.5, -2.0, 7, 14, 1, 2, 9, 4]


def test_math() -> None:
    """R103: on scalars and on vectors."""
    names = ("exp", "exp2", "log", "log2", "sqrt", "rsqrt", "sin", "cos", "tan", "tanh", "erf", "floor", "ceil", "absf")

    @flyc.kernel
    def k(x: fx.Tensor, out: fx.Tensor):
        v = vector.load_op(T.f32x4, x, [0])
        for i in range_constexpr(len(names)):
            out[i, 4] = getattr(math, names[i])(x[0])
            w = getattr(math, names[i])(v)
            for j in range_constexpr(4):
                out[i, j] = w[j]

    x, out = np.array([0.25, 0.5, 1.5, 2.75], F32), np.zeros((len(names), 5), F32)
    run(k, x, out, block=1)
    w = x.astype(np.float64)
    erf = np.array([pymath.erf(v) for v in w])
    expected = [np.exp(w), np.exp2(w), np.log(w), np.log2(w), np.sqrt(w), 1 / np.sqrt(w), np.sin(w), np.cos(w), np.tan(w), np.tanh(w), erf,
                np.floor(w), np.ceil(w), np.abs(w)]
    assert np.allclose(out[:, :4], expected, rtol=1e-5)
    assert np.array_equal(out[:, 4], out[:, 0])


@pytest.mark.parametrize("n", [16, 18, 1])
def test_buffer_operations(n: int) -> None:
    """R106 to R109: section 4.3. Offsets count elements; what is outside is 0 and is not written."""
    @flyc.kernel
    def k(src: fx.Tensor, dst: fx.Tensor):
        rsrc, rdst = buffer_ops.create_buffer_resource(src), buffer_ops.create_buffer_resource(dst, max_size=True)
        offset = gpu.thread_idx.x * 4
        data = buffer_ops.buffer_load(rsrc, offset, vec_width=4)
        buffer_ops.buffer_store(data + 1.0, rdst, offset)

    whole = np.full(n + 8, np.nan, F32)
    src, dst = np.arange(n, dtype=F32), whole[:n]
    run(k, src, dst, block=8)
    assert np.array_equal(dst, src + 1)
    assert np.isnan(whole[n:]).all(), "something was written behind the tensor"


def test_options_of_buffer_operations() -> None:
    """R107 to R109: bytes, masks, records, other types."""
    @flyc.kernel
    def k(a: fx.Tensor, out: fx.Tensor):
        r, o = buffer_ops.create_buffer_resource(a), buffer_ops.create_buffer_resource(out)
        short = buffer_ops.create_buffer_resource(a, num_records_bytes=8)
        buffer_ops.buffer_store(buffer_ops.buffer_load(r, 4, vec_width=1, offset_is_bytes=True), o, 0)
        buffer_ops.buffer_store(buffer_ops.buffer_load(short, 2, vec_width=1), o, 1)
        buffer_ops.buffer_store(buffer_ops.buffer_load(r, 1, vec_width=1, mask=a[0] > 5), o, 8, offset_is_bytes=True)
        buffer_ops.buffer_store(buffer_ops.buffer_load(r, 1, vec_width=1, soffset_bytes=8, cache_modifier=3), o, 3)
        buffer_ops.buffer_store(99.0, o, 4, mask=a[0] > 5)
        buffer_ops.buffer_store(buffer_ops.buffer_load(r, 0, vec_width=1, dtype=T.i32), o, 5)
        buffer_ops.buffer_store(buffer_ops.buffer_load(r, -1, vec_width=1), o, 6)

    a, out = np.array([1, 2, 3, 4], F32), np.full(7, -1, F32)
    run(k, a, out, block=1)
    assert out.tolist() == [2, 0, 0, 4, -1, 1, 0]


def test_bytes_are_loaded_as_wider_words() -> None:
    """R107: dtype; the bits are moved as they are."""
    @flyc.kernel
    def k(a: fx.Tensor, words: fx.Tensor, back: fx.Tensor):
        v = buffer_ops.buffer_load(buffer_ops.create_buffer_resource(a), gpu.thread_idx.x * 2, vec_width=2, dtype=T.i32)
        buffer_ops.buffer_store(v, buffer_ops.create_buffer_resource(words), gpu.thread_idx.x * 2)
        buffer_ops.buffer_store(v, buffer_ops.create_buffer_resource(back), gpu.thread_idx.x * 2)

    a = np.random.default_rng(0).integers(-128, 128, 16).astype(np.int8)
    words, back = np.zeros(4, np.int32), np.zeros(16, np.int8)
    run(k, a, words, back, block=2)
    assert np.array_equal(words, a.view(np.int32))
    assert np.array_equal(back, a)


FRAGMENTS = {"mfma_f32_16x16x16_f16": (16, np.float16, F32), "mfma_f32_16x16x16_bf16": (16, "bfloat16", F32),
             "mfma_f32_16x16x32_fp8": (32, "float8_e4m3fnuz", F32), "mfma_i32_16x16x32i8": (32, np.int8, np.int32)}


@pytest.mark.parametrize("name", FRAGMENTS)
def test_matrix_instructions(name: str) -> None:
    """R110: section 4.4, each with the fragments of a wave of 64 lanes."""
    import ml_dtypes
    k, kind, result = FRAGMENTS[name]
    dtype = np.dtype(getattr(ml_dtypes, kind) if isinstance(kind, str) else kind)
    instruction, held = getattr(rocdl, name), k // 4

    @flyc.kernel
    def product(a: fx.Tensor, b: fx.Tensor, c: fx.Tensor):
        lane = gpu.thread_idx.x
        row, group = lane % 16, lane // 16
        kinds = T.vec(held, a.dtype)
        left = vector.from_elements(kinds, [a[row, group * held + i] for i in range_constexpr(held)])
        right = vector.from_elements(kinds, [b[group * held + i, row] for i in range_constexpr(held)])
        acc = vector.from_elements(T.vec(4, c.dtype), [c[group * 4 + i, row] for i in range_constexpr(4)])
        acc = instruction(left, right, acc)
        for i in range_constexpr(4):
            c[group * 4 + i, row] = acc[i]

    rng = np.random.default_rng(1)
    a, b, c = (rng.integers(-8, 8, s).astype(d) for s, d in (((16, k), dtype), ((k, 16), dtype), ((16, 16), np.dtype(result))))
    expected = a.astype(np.float64) @ b.astype(np.float64) + c
    run(product, a, b, c)
    assert np.array_equal(c, expected)


def test_packed_fragments() -> None:
    """R110: eight values of 8 bits in an i64, and the form with a type and a list."""
    @flyc.kernel
    def product(a: fx.Tensor, b: fx.Tensor, c: fx.Tensor):
        lane = gpu.thread_idx.x
        place = (lane % 16) * 4 + lane // 16
        left = buffer_ops.buffer_load(buffer_ops.create_buffer_resource(a), place, vec_width=1, dtype=T.i64)
        right = buffer_ops.buffer_load(buffer_ops.create_buffer_resource(b), place, vec_width=1, dtype=T.i64)
        acc = rocdl.mfma_i32_16x16x32_i8(T.i32x4, [left, right, vector.broadcast(T.i32x4, 0), 0, 0, 0])
        for i in range_constexpr(4):
            c[(lane // 16) * 4 + i, lane % 16] = acc[i]

    rng = np.random.default_rng(2)
    a, b = (rng.integers(-128, 128, (16, 32)).astype(np.int8) for _ in range(2))
    c = np.zeros((16, 16), np.int32)
    run(product, a, b, c)
    assert np.array_equal(c, a.astype(np.int32) @ b.astype(np.int32).T)


def test_exchanges() -> None:
    """R111, R113, R114: a wave has 64 lanes; indices of ds_bpermute are bytes, modulo the wave; hints do nothing."""
    @flyc.kernel
    def k(out: fx.Tensor):
        lane = fx.Int32(gpu.thread_idx.x)
        rocdl.sched_barrier(0)
        rocdl.s_waitcnt(0)
        out[0, lane] = rocdl.ds_bpermute((lane + 3) * 4, lane)
        out[1, lane] = gpu.shuffle_xor(lane, 32)
        out[2, lane] = rocdl.readlane(lane, 5) + rocdl.readfirstlane(lane + 1)

    out = np.zeros((3, 64), np.int32)
    run(k, out)
    i = np.arange(64)
    assert np.array_equal(out, [(i + 3) % 64, i ^ 32, np.full(64, 6)])


def test_sixteen_bytes_of_shared_memory() -> None:
    """R112: byte offsets."""
    allocator = SmemAllocator(None, arch="gfx942")
    lds = allocator.allocate_array(T.f16, 64)

    @flyc.kernel
    def k(a: fx.Tensor, out: fx.Tensor):
        tid = gpu.thread_idx.x
        ptr = lds(allocator.get_base())
        rocdl.ds_write_b128(ptr, tid * 16, vector.load_op(T.f16x8, a, [tid * 8]))
        gpu.barrier()
        vector.store(rocdl.ds_read_b128(ptr, (7 - tid) * 16), out, [tid * 8])

    a, out = np.arange(64, dtype=np.float16), np.zeros(64, np.float16)
    run(k, a, out, block=8)
    assert np.array_equal(out, a.reshape(8, 8)[::-1].ravel())


def test_address_space() -> None:
    """R96."""
    assert gpu.smem_space(int=True) == 2
    assert repr(gpu.smem_space()) == repr(gpu.lds_space()) == "#gpu.address_space<workgroup>"


# --- what is not there ---------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("call", "name"), [
    ("rocdl.mfma_scale_f32_16x16x128_f8f6f4(1, 2, 3)", "rocdl.mfma_scale_f32_16x16x128_f8f6f4"),
    ("rocdl.raw_ptr_buffer_load_lds(1)", "rocdl.raw_ptr_buffer_load_lds"), ("fx.make_layout((4, 8), (1, 4))", "fx.make_layout")])
def test_what_is_missing_is_named(call: str, name: str) -> None:
    """R113, R165: a name without counterpart can be imported; using it says so, with the place."""
    refused = {"rocdl": lambda: rocdl.raw_ptr_buffer_load_lds, "fx": lambda: fx.make_layout}[call.partition(".")[0]]()
    missing = getattr(rocdl if name.startswith("rocdl") else fx, name.partition(".")[2])

    @flyc.kernel
    def k(out: fx.Tensor):
        out[0] = missing(1, 2, 3)

    with pytest.raises(KernelError, match=f"{name} is unsupported") as caught:
        run(k, np.zeros(1, F32), block=1)
    assert "missing(1, 2, 3)" in caught.value.at
    with pytest.raises(NotImplementedError):
        refused()


def test_parts_of_its_compiler_are_named() -> None:
    for part in (flyc.MlirCompiler, flyc.JitCacheManager, flyc.ASTRewriter):
        with pytest.raises(SvodError, match="unsupported"):
            part()


def test_methods_of_values() -> None:
    """R99, R100: of scalars and vectors."""
    @flyc.kernel
    def k(out: fx.Tensor, n: fx.Int32):
        half = arith.constant(1.5, T.f16)
        x = half.extf(T.f32)
        values = [x.addf(2.0, fastmath="fast"), x.maximumf(4.0), (n > 2).select(x, 0.0), x.bitcast(T.i32).sitofp(T.f32), x.exp2(),
                  x.rsqrt(),
                  n.index_cast(T.index), x.ir_value(), n.to(fx.Float32), x.shuffle_xor(1, 64)]
        for i in range_constexpr(len(values)):
            out[i] = values[i]
        out[10] = vector.from_elements(T.f16x2, [1.0, 2.0]).extf(T.f32)[1]

    out = np.zeros(11, F32)
    run(k, out, 3, block=2)
    bits = F32(np.float32(1.5).view(np.int32))
    assert np.allclose(out, [3.5, 4, 1.5, bits, 2**1.5, 1.5**-0.5, 3, 1.5, 3, 1.5, 2], rtol=1e-6)


def test_atomics() -> None:
    """R105: on global and shared memory."""
    allocator = SmemAllocator(None)
    counter = allocator.allocate_array(T.i32, 2)

    @flyc.kernel
    def k(total: fx.Tensor, real: fx.Tensor):
        i = gpu.thread_idx.x
        shared = counter(allocator.get_base()).get()
        if i < 2:
            shared[i] = 0
        gpu.barrier()
        fx.atomic_add(shared, 0, 1)
        fx.atomic_max(shared, 1, fx.Int32(i))
        fx.atomic_add(real, 0, 0.5)
        gpu.barrier()
        if i == 0:
            fx.atomic_add(total, 0, shared[0])
            fx.atomic_min(total, 1, -shared[1])

    total, real = np.zeros(2, np.int32), np.zeros(1, F32)
    run(k, total, real, grid=3, block=100)
    assert (total.tolist(), real[0]) == ([300, -99], 150)


def test_printing(everywhere: str, capsys: pytest.CaptureFixture[str]) -> None:
    """R104."""
    if everywhere == "CPU":
        pytest.skip("kernels print on INTERP")

    @flyc.kernel
    def k(n: fx.Int32):
        fx.printf("a={} b={}", n, n * 0.5)

    run(k, 3, block=1)
    assert capsys.readouterr().out == "a=3 b=1.5\n"
