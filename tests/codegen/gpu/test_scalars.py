"""Neighbours moved at once, arithmetic lane by lane: what is left of vectors, and that it means the same."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import svod
from svod import Config, UOp
from svod.codegen.gpu.scalars import with_scalars
from svod.codegen.pipeline import Context, lower
from svod.device.opencl.backend import opencl_target
from svod.dtype import DType, dtypes, numpy_dtype
from svod.errors import UnsupportedError
from svod.ir.ops import Op
from svod.ir.spec import LINEAR, verify
from svod.target import Target
from svod.testing.kernels import axes

TARGET = replace(opencl_target(None), vector_bits=128)
N = 4096


def kernel(kind: DType, n: int | UOp = N, step: int = 1) -> UOp:
    """out[i] = where(a[i] < b[0], a[i] * 3, b[i])."""
    (i,) = axes(n)
    out, a, b = (UOp.param(k, kind, name=name) for k, name in enumerate(("out", "a", "b")))
    x = a[i * step].load()
    return UOp.sink(out[i].store((x < b[0].load()).where(x * 3, b[i].load())), name="chosen")


def truth() -> UOp:
    """out[i] = not a[i]."""
    (i,) = axes(N)
    return UOp.sink(UOp.param(0, dtypes.bool, name="out")[i].store(~UOp.param(1, dtypes.bool, name="a")[i].load()), name="truth")


def lowered(ast: UOp, target: Target = TARGET) -> UOp:
    return lower(ast, Context(target, Config()))


def moved(linear: UOp) -> list[int]:
    """Lanes of each LOAD and STORE."""
    return [(u.src[1] if u.op is Op.STORE else u).dtype.lanes for u in linear.src if u.op in (Op.LOAD, Op.STORE)]


@pytest.mark.parametrize(("kind", "lanes"), [(dtypes.f32, 4), (dtypes.f64, 2), (dtypes.i8, 16), (dtypes.i16, 8)])
def test_neighbours_are_moved_at_once(kind: DType, lanes: int) -> None:
    linear = lowered(kernel(kind))
    verify(linear, LINEAR)
    assert sorted(moved(linear)) == [1, lanes, lanes, lanes]
    vectors = {u.op for u in linear.src if u.dtype.lanes > 1}
    assert vectors <= {Op.LOAD, Op.STACK, Op.RAMP}


def test_scalars_where_they_do_not_lie_side_by_side_or_fit() -> None:
    assert set(moved(lowered(kernel(dtypes.f32, step=2)))) == {1}
    assert set(moved(lowered(kernel(dtypes.f32, N + 2)))) == {1}
    assert set(moved(lowered(kernel(dtypes.f32, UOp.variable("n", 0, N))))) == {1}
    assert set(moved(lowered(truth()))) == {1}
    plain = lowered(kernel(dtypes.f32), replace(TARGET, vector_bits=0))
    assert with_scalars(plain) is plain


@pytest.mark.devices("OPENCL")
@pytest.mark.parametrize("kind", [dtypes.f32, dtypes.f64, dtypes.f16, dtypes.bf16, dtypes.i8, dtypes.u16, dtypes.i64], ids=str)
def test_the_same_as_the_interpreter(device: svod.Device, kind: DType) -> None:
    rng = np.random.default_rng(1)
    a, b = (rng.integers(0, 40, N).astype(numpy_dtype(kind)) for _ in range(2))
    (i,) = axes(N)
    out, x, y = (UOp.param(k, kind, name=name) for k, name in enumerate(("out", "a", "b")))
    u, v = x[i].load(), y[i].load()
    ast = UOp.sink(out[i].store((u < v).where(u + v, v)), name="chosen")
    program = device.compile(ast)
    assert "load_" in program.source
    got, want = (np.zeros(N, numpy_dtype(kind)) for _ in range(2))
    program.execute([got, a, b])
    svod.Device("INTERP").compile(ast).execute([want, a, b])
    np.testing.assert_array_equal(got, want)


@pytest.mark.devices("OPENCL")
@pytest.mark.parametrize("kind", [dtypes.f32, dtypes.f64, dtypes.f8e4m3], ids=str)
def test_rare_work_is_done_where_any_lane_wants_it(device: svod.Device, kind: DType) -> None:
    (i,) = axes(N)
    ast = UOp.sink(UOp.param(0, kind, name="out")[i].store(UOp.param(1, kind, name="a")[i].load().sin()), name="sines")
    a = np.linspace(-400, 400, N).astype(numpy_dtype(kind))
    a[::97] = numpy_dtype(kind).type(1e5)
    program = device.compile(ast)
    assert "load_" in program.source
    got, want = np.zeros(N, a.dtype), np.zeros(N, a.dtype)
    program.execute([got, a])
    svod.Device("INTERP").compile(ast).execute([want, a])
    np.testing.assert_allclose(got.astype(np.float64), want.astype(np.float64), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("lanes", "adds"), [(4, 3), (3, 2), (5, 4)])
def test_lanes_are_combined_by_halves(lanes: int, adds: int) -> None:
    load = UOp.param(0, dtypes.f32, name="a").index(UOp(Op.RAMP, (UOp.const(0, dtypes.index), UOp.const(1, dtypes.index)), None,
                                                        dtypes.index.vec(lanes))).load()
    total = UOp(Op.LANES, (load,), Op.ADD, dtypes.f32)
    linear = with_scalars(UOp(Op.LINEAR, (load, total, UOp.param(1, dtypes.f32, name="o").index(UOp.const(0, dtypes.index)).store(total))))
    assert sum(u.op is Op.ADD and u.dtype is dtypes.f32 for u in linear.src) == adds
    assert linear.src[-1].src[1].op is Op.ADD


def test_what_has_no_form_is_refused() -> None:
    steps = UOp(Op.RAMP, (UOp.const(0, dtypes.index), UOp.variable("n", 0, 8)), None, dtypes.index.vec(4))
    with pytest.raises(UnsupportedError, match="a RAMP of unknown steps"):
        with_scalars(UOp(Op.LINEAR, (steps,)))
