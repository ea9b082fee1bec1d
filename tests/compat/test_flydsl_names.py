"""Names of FlyDSL beyond the text of its guide: exchanges, flags, types, and what is refused by name."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import svod.compat.flydsl.compiler as flyc
import svod.compat.flydsl.expr as fx
from svod.compat.flydsl.expr import arith, gpu, primitive, range_constexpr, rocdl, vector
from svod.compat.flydsl.expr.typing import T
from svod.compat.flydsl.utils.smem_allocator import SmemAllocator
from svod.config import override
from svod.errors import KernelError

F32 = np.float32


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


def test_exchanges_by_every_name() -> None:
    """R111: `shuffle` takes a mode; rocdl's take the type of the result first, too."""
    @flyc.kernel
    def k(out: fx.Tensor, votes: fx.Tensor):
        lane = fx.Int32(gpu.thread_idx.x)
        values = [gpu.shuffle_idx(lane, 3, 64), gpu.shuffle(lane, 1, 64), gpu.shuffle(lane, 2, 8, "up"),
                  gpu.shuffle(lane, 2, 8, mode="down"), gpu.shuffle(lane, 5, 8, mode="idx"), lane.shuffle_xor(4, 8),
                  rocdl.ds_bpermute(T.i32, (lane + 1) * 4, lane),
                  rocdl.readlane(T.i32, lane, 9), rocdl.readfirstlane(T.i32, lane + 6), lane.shuffle(16, 64)]
        for i in range_constexpr(len(values)):
            out[i, lane] = values[i]
        votes[0, lane], votes[1, lane], votes[2, lane] = gpu.ballot(lane < 40), rocdl.ballot(T.i64, lane % 2 == 0), rocdl.ballot(lane == 63)

    out, votes = np.zeros((10, 64), np.int32), np.zeros((3, 64), np.uint64)
    run(k, out, votes, block=64)
    i = np.arange(64)
    low, high = i % 8 < 2, i % 8 > 5
    expected = [np.full(64, 3), i ^ 1, np.where(low, i, i - 2), np.where(high, i, i + 2), i // 8 * 8 + 5, i ^ 4, (i + 1) % 64,
                np.full(64, 9), np.full(64, 6), i ^ 16]
    assert out.tolist() == [e.tolist() for e in expected]
    assert [set(row.tolist()) for row in votes] == [{2**40 - 1}, {int("01" * 32, 2)}, {2**63}]


@pytest.mark.parametrize(("call", "message"), [
    (lambda x: gpu.shuffle(x, 1, 64, "left"), "shuffle() by 'left'"),
    (lambda x: rocdl.readlane(T.f32, x, 1), "readlane() as f32 of i32"),
    (lambda x: rocdl.ballot(T.i64, T.i64, x > 0), "ballot() of 3 operands"),
    (lambda x: arith.addf(x, 1, fastmath="quick"), "fastmath='quick'")])
def test_exchanges_and_flags_that_are_refused(call: Any, message: str) -> None:
    @flyc.kernel
    def k(out: fx.Tensor):
        out[0] = call(fx.Int32(gpu.thread_idx.x))

    with pytest.raises(KernelError) as caught:
        run(k, np.zeros(1, np.int32), block=64)
    assert caught.value.what == message


def test_signs_of_extrema() -> None:
    """R99, R102: the name of the operation says how bits are read, not the type of the operands."""
    @flyc.kernel
    def k(out: fx.Tensor, a: fx.Int32, b: fx.Int32):
        v = vector.from_elements(T.i32x4, [a, b, 3, 4])
        u = vector.bitcast(T.vec(4, fx.Uint32), v)
        values = [arith.maxsi(a, b), arith.minsi(a, b), arith.maxui(a, b), arith.minui(a, b), vector.reduction(T.i32, "maxui", v),
                  vector.reduction(T.i32, "minui", v), vector.reduction(T.i32, "maxsi", v), vector.reduction(T.i32, "minsi", v),
                  fx.Int32(vector.reduction(fx.Uint32, "minsi", u))]
        for i in range_constexpr(len(values)):
            out[i] = values[i]

    out = np.zeros(9, np.int32)
    run(k, out, -5, 7)
    assert out.tolist() == [7, -5, -5, 7, -5, 3, 7, -5, -5]


def test_flags_change_nothing() -> None:
    """R99: arith.FastMathFlags, on operations, comparisons, reductions, functions and methods."""
    flags = arith.FastMathFlags

    @flyc.kernel
    def k(out: fx.Tensor):
        x, fast = arith.constant(2.0, T.f32), arith.FastMathFlags.fast
        v = vector.from_elements(T.f32x2, [3.0, 4.0])
        values = [arith.addf(x, 1.0, fastmath=fast), arith.negf(x, fastmath=fast), arith.maximumf(x, 5.0, fastmath=flags.nnan | flags.nsz),
                  arith.select(arith.cmpf("olt", x, 3.0, fastmath="none"), 1.0, 0.0), vector.reduction(T.f32, "add", v, fastmath=fast),
                  fx.math.sqrt(x * 2.0, fastmath=fast), x.mulf(3.0, fastmath=fast), x.exp2(fastmath=fast),
                  arith.maxnumf(x, 1.0, fastmath=fast)]
        for i in range_constexpr(len(values)):
            out[i] = values[i]

    out = np.zeros(9, F32)
    run(k, out)
    assert out.tolist() == [3, -2, 5, 1, 7, 2, 6, 4, 2]
    assert flags.fast & flags.contract


MISSING = ("Int4", "Float8E4M3", "Float8E4M3B11FNUZ", "Float8E8M0FNU", "Float6E2M3FN", "Float6E3M2FN", "Float4E2M1FN")


@pytest.mark.parametrize("name", MISSING)
def test_types_that_are_not_there_are_named_where_they_are_used(name: str) -> None:
    """R100: importing works; a conversion, an element type, shared memory, an annotation say which type is missing."""
    kind = getattr(fx, name)

    @flyc.kernel
    def converts(x: fx.Tensor):
        x[0] = kind(1)

    @flyc.kernel
    def holds(x: fx.Tensor):
        x[0] = vector.broadcast(T.vec(2, kind), 0)[0]

    @flyc.kernel
    def annotated(x: fx.Tensor, n: kind):
        x[0] = n if kind else 0

    for kernel, more in ((converts, ()), (holds, ()), (annotated, (1,))):
        with pytest.raises(KernelError, match=name):
            run(kernel, np.zeros(2, F32), *more)
    for use in (lambda: kind(1), lambda: SmemAllocator().allocate_array(kind, 4)):
        with pytest.raises(NotImplementedError, match=f"the type {name} is unsupported"):
            use()


def test_floats_of_eight_bits() -> None:
    """R100: those of FlyDSL's that svod has."""
    kinds = {fx.Float8E4M3FN: ml_dtypes.float8_e4m3fn, fx.Float8E4M3FNUZ: ml_dtypes.float8_e4m3fnuz, fx.Float8E5M2: ml_dtypes.float8_e5m2,
             fx.Float8E5M2FNUZ: ml_dtypes.float8_e5m2fnuz}
    for kind, dtype in kinds.items():
        @flyc.kernel
        def k(x: fx.Tensor, out: fx.Tensor, kind: fx.Constexpr):
            out[0] = kind(x[0])
            out[1] = fx.Float32(out[0]).to(kind)

        out = np.zeros(2, dtype)
        run(k, np.full(1, 0.3, F32), out, kind)
        assert out.tolist() == [dtype(0.3)] * 2
    assert fx.typing.ReductionOp.MAX == "maxnumf"


def test_every_name_of_the_layout_algebra_is_refused() -> None:
    """R128 to R138: named by fx and by the module that the guide lists."""
    for name in fx.LAYOUTS:
        assert getattr(primitive, name).name == f"fx.{name}"
        with pytest.raises(NotImplementedError, match=f"fx.{name} is unsupported"):
            getattr(fx, name)(1, 2)
    with pytest.raises(NotImplementedError, match=r"gpu\.SharedAllocator is unsupported"):
        gpu.SharedAllocator()
    for module in (fx, primitive):
        with pytest.raises(AttributeError, match="make_lay0ut"):
            module.make_lay0ut  # noqa: B018


@pytest.mark.parametrize(("instruction", "name"), [
    (lambda: fx.tdm_ops.tensor_load_2d, "fx.tdm_ops.tensor_load_2d"), (lambda: fx.llvm.inline_asm, "fx.llvm.inline_asm"),
    (lambda: rocdl.tdm_ops.tensor_store_2d, "rocdl.tdm_ops.tensor_store_2d"),
    (lambda: rocdl.cluster.cluster_barrier, "rocdl.cluster.cluster_b"),
    (lambda: rocdl.global_load_lds, "rocdl.global_load_lds"), (lambda: fx.signal_ops.wait, "fx.signal_ops.wait")])
def test_modules_that_are_not_there_are_named(instruction: Any, name: str) -> None:
    """R113: asynchronous copies, tensor data movers, inline assembly, communication: at the line that uses them."""
    missing = instruction()

    @flyc.kernel
    def k(out: fx.Tensor):
        out[0] = missing(1)

    with pytest.raises(KernelError, match=f"{name}.* is unsupported on every device") as caught:
        run(k, np.zeros(1, F32))
    assert "missing(1)" in caught.value.at
    assert "svod has not" in repr(fx.llvm)


def test_a_name_that_nobody_has_is_named_at_its_line() -> None:
    @flyc.kernel
    def k(out: fx.Tensor):
        out[0] = vector.extrct(out, 0)

    with pytest.raises(KernelError, match="extrct") as caught:
        run(k, np.zeros(1, F32))
    assert "vector.extrct" in caught.value.at
