"""Products in tiles: which kernels get them, how large they are, the right result at every edge, without a race."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from svod import Config, UOp
from svod.codegen.pipeline import Context, lower
from svod.device.opencl.backend import opencl_target
from svod.dtype import dtypes
from svod.ir.ops import Op
from svod.target.abi import describe
from svod.testing.groups import run_groups
from svod.testing.kernels import Array, axes, f32, p

IDS = Context(replace(opencl_target(None), vector_bits=0), Config())


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
    assert tiled(lower(product(size, size, size), IDS)) == wanted


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("shape", [(64, 64, 32), (1, 1, 1), (33, 70, 17), (5, 0, 9), (40, 40, 0)])
def test_sizes_known_at_the_launch(shape: tuple[int, int, int], turned: bool) -> None:
    m, n, k = shape
    linear = lower(product(*(UOp.variable(v, 0, 1 << 20) for v in "mnk"), turned=turned), IDS)
    assert any(u.op is Op.DEFINE_LOCAL for u in linear.src)
    a, b, out = f32(m, k), f32(k, n, seed=1), f32(m, n, seed=2)
    want = a @ b + out
    run_groups(linear, [out, a, np.ascontiguousarray(b.T) if turned else b], dict(zip("mnk", shape, strict=True)))
    np.testing.assert_allclose(out, want, atol=1e-5)


def checked(ast: UOp, buffers: list[Array], want: Array, rtol: float = 1e-5) -> None:
    linear = lower(ast, IDS)
    assert tiled(linear) is not None
    run_groups(linear, buffers)
    np.testing.assert_allclose(buffers[0], want, rtol=rtol, atol=1e-5)


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
