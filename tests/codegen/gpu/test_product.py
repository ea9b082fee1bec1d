"""Products in tiles: which kernels get them, how large they are, the right result at every edge, without a race."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from svod import Config, UOp
from svod.codegen.pipeline import Context, lower
from svod.device.opencl.backend import opencl_target
from svod.dtype import DType, dtypes, numpy_dtype
from svod.ir.clause import executed
from svod.ir.ops import Op
from svod.renderers.c.cuda import cuda_target
from svod.target.abi import describe
from svod.testing.groups import run_groups
from svod.testing.kernels import Array, axes, f32, p

IDS = Context(replace(opencl_target(None), vector_bits=0), Config())
WIDE = Context(replace(cuda_target("sm_90"), products=frozenset()), Config())
"""Neighbours are accessed at once."""
on_both = pytest.mark.parametrize("context", [IDS, WIDE], ids=["one", "wide"])


def product(m: UOp | int, n: UOp | int, k: UOp | int, *, turned: bool = False) -> UOp:
    """out = a @ b + out, or a @ b.T."""
    i, j, q = axes(m, n, k)
    b = p(2, "b")[j * k + q] if turned else p(2, "b")[q * n + j]
    out = p(0, "out")[i * n + j]
    return UOp.sink(out.store((p(1, "a")[i * k + q].load() * b.load()).sum(q) + out.load()), name="product")


def tiled(linear: UOp) -> list[int] | None:
    """Groups along x and y, work items, accumulators of each; None without tiles."""
    if not any(u.op is Op.DEFINE_LOCAL and u.arg.name == "rows" for u in linear.src):
        return None
    meta = describe(linear)
    cells = sum(u.op is Op.DEFINE_REG for u in dict.fromkeys(linear.src))
    return [int(s.arg.value) for s in (*meta.global_size[:2], *(meta.local_size or ())[:2])] + [cells]


@pytest.mark.parametrize(("size", "wanted"), [
    (2048, [16, 16, 16, 16, 64]), (1024, [16, 16, 16, 16, 16]), (256, [8, 8, 16, 16, 4])])
def test_tiles_are_as_large_as_leaves_enough_groups(size: int, wanted: list[int]) -> None:
    for context in (IDS, WIDE):
        assert tiled(lower(product(size, size, size), context)) == wanted


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("shape", [(64, 64, 32), (1, 1, 1), (33, 70, 17), (5, 0, 9), (40, 40, 0)])
@on_both
def test_sizes_known_at_the_launch(context: Context, shape: tuple[int, int, int], turned: bool) -> None:
    m, n, k = shape
    linear = lower(product(*(UOp.variable(v, 0, 1 << 20) for v in "mnk"), turned=turned), context)
    assert any(u.op is Op.DEFINE_LOCAL for u in linear.src)
    a, b, out = f32(m, k), f32(k, n, seed=1), f32(m, n, seed=2)
    want = a @ b + out
    run_groups(linear, [out, a, np.ascontiguousarray(b.T) if turned else b], dict(zip("mnk", shape, strict=True)))
    np.testing.assert_allclose(out, want, atol=1e-5)


def checked(ast: UOp, buffers: list[Array], want: Array, rtol: float = 1e-5) -> None:
    for context in (IDS, WIDE):
        linear, out = lower(ast, context), np.full_like(buffers[0], 7)
        assert tiled(linear) is not None
        run_groups(linear, [out, *buffers[1:]])
        np.testing.assert_allclose(out, want, rtol=rtol, atol=1e-5)


def accesses(linear: UOp) -> set[tuple[str, str, int]]:
    """What is accessed in how many elements, but for variables of a work item."""
    where = [(u.op.name, executed(executed(u.src[0]).src[0]), executed(u.src[0]).src[1].dtype.lanes)
             for u in linear.src if u.op in (Op.LOAD, Op.STORE)]
    return {(op, m.arg.name, lanes) for op, m, lanes in where if m.op is not Op.DEFINE_REG}


@pytest.mark.parametrize("dtype", [dtypes.f32, dtypes.f64, dtypes.i32, dtypes.f16], ids=str)
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("shape", [(64, 64, 32), (72, 136, 40)])
def test_neighbours_at_once(shape: tuple[int, int, int], turned: bool, dtype: DType) -> None:
    """Also at the edges: extents are multiples of four, not of the tile."""
    m, n, k = shape
    i, j, q = axes(m, n, k)
    total = dtypes.f32 if dtype is dtypes.f16 else dtype
    loads = [UOp.param(s, dtype, name="oab"[s])[at].load().cast(total)
             for s, at in ((1, i * k + q), (2, j * k + q if turned else q * n + j))]
    linear = lower(UOp.sink(UOp.param(0, total, name="o")[i * n + j].store((loads[0] * loads[1]).sum(q)), name="product"), WIDE)
    most = min(4, 16 // total.itemsize)
    found = accesses(linear)
    assert {("LOAD", "a", most), ("LOAD", "b", most), ("STORE", "rows", 1), ("STORE", "columns", 1 if turned else most)} <= found
    assert {lanes for op, name, lanes in found if op == "LOAD" and name in ("rows", "columns")} == {2}  # two sums along each side
    rng = np.random.default_rng(2)
    a, b = (rng.integers(-4, 5, s).astype(numpy_dtype(dtype)) for s in ((m, k), (k, n)))
    out = np.zeros((m, n), numpy_dtype(total))
    run_groups(linear, [out, a, np.ascontiguousarray(b.T) if turned else b])
    np.testing.assert_array_equal(out, a.astype(out.dtype) @ b.astype(out.dtype))


def test_rows_of_larger_tiles_lie_side_by_side() -> None:
    found = accesses(lower(product(1024, 1024, 64), WIDE))
    assert {("LOAD", "a", 4), ("LOAD", "b", 4), ("LOAD", "rows", 4), ("LOAD", "columns", 4), ("STORE", "columns", 4)} <= found
    assert {lanes for _, _, lanes in accesses(lower(product(1024, 1024, 64), IDS))} == {1}


@pytest.mark.parametrize("shape", [(40, 48, 16), (60, 92, 16)])
def test_large_tiles_give_what_small_ones_give(shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 8 x 8 sums: two times four rows and columns side by side."""
    monkeypatch.setattr("svod.codegen.gpu.product.GROUPS", 1)
    m, n, k = shape
    context = Context(replace(WIDE.target, limits=replace(WIDE.target.limits, block=(4, 4, 1), threads=16)), Config())
    linear = lower(product(m, n, k), context)
    assert (tiled(linear) or [])[4] == 64
    a, b, out = f32(m, k), f32(k, n, seed=1), f32(m, n, seed=2)
    want = a @ b + out
    run_groups(linear, [out, a, b])
    np.testing.assert_allclose(out, want, atol=1e-5)


def test_what_is_combined_need_not_be_a_product() -> None:
    """Squared distances: zeros behind the end of the common axis would count."""
    i, j, q = axes(70, 40, 37)
    d = p(1, "a")[i * 37 + q].load() - p(2, "b")[j * 37 + q].load()
    a, b = f32(70, 37), f32(40, 37, seed=1)
    checked(UOp.sink(p(0, "out")[i * 40 + j].store((d * d).sum(q)), name="distances"), [np.zeros((70, 40), np.float32), a, b],
            ((a[:, None] - b[None]) ** 2).sum(2))


def test_narrow_operands_are_staged_as_what_they_are_computed_in() -> None:
    i, j, q = axes(100, 128, 40)
    a, b = (p(s, n, dtypes.f16)[at].load().cast(dtypes.f32) for s, n, at in ((1, "a", i * 40 + q), (2, "b", q * 128 + j)))
    bias, scale = p(3, "bias")[j].load(), p(4, "scale")[q].load()
    ast = UOp.sink(p(0, "out")[i * 128 + j].store((a * b * scale).sum(q).maximum(0.0) + bias), name="linear")
    x, w, c, s = f32(100, 40).astype(np.float16), f32(40, 128, seed=1).astype(np.float16), f32(128, seed=2), f32(40, seed=3)
    want = np.maximum((x.astype(np.float32) * s) @ w.astype(np.float32), 0) + c
    checked(ast, [np.zeros((100, 128), np.float32), x, w, c, s], want, 1e-4)


def test_batches_and_several_reduced_axes() -> None:
    h, i, j, u, q = axes(2, 40, 33, 2, 16)
    ast = UOp.sink(p(0, "out")[(h * 40 + i) * 33 + j].store(
        (p(1, "a")[((h * 2 + u) * 40 + i) * 16 + q].load() * p(2, "b")[((h * 2 + u) * 16 + q) * 33 + j].load()).sum(u, q)), name="batched")
    a, b = f32(2, 2, 40, 16), f32(2, 2, 16, 33, seed=1)
    checked(ast, [np.zeros((2, 40, 33), np.float32), a, b], (a @ b).sum(1))


def test_the_group_fits_what_the_device_has() -> None:
    target = opencl_target(None)
    small = Context(replace(target, limits=replace(target.limits, block=(8, 8, 1), threads=64, shared_bytes=8 << 10)), Config())
    found = tiled(lower(product(512, 512, 512), small))
    assert found is not None
    assert found[2:4] == [8, 8]


def test_short_sums_are_not_tiled() -> None:
    assert tiled(lower(product(512, 512, 4), IDS)) is None
