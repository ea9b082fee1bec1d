"""Products on matrix units: which kernels get them, the right result at every edge, without a race."""
from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from svod import Config, UOp
from svod.codegen.pipeline import Context, lower
from svod.dtype import DType, dtypes, numpy_dtype
from svod.ir.args import product_operands, product_types
from svod.ir.ops import Op
from svod.ir.semantics import apply
from svod.renderers.c.cuda import cuda_target
from svod.target.abi import describe
from svod.testing.groups import run_groups
from svod.testing.kernels import axes

HOPPER = Context(cuda_target("sm_90"), Config())
KINDS = [(product_types(name), name) for name in sorted(HOPPER.target.products)]


Kinds = DType | tuple[DType, DType]


def product(sizes: tuple[UOp | int, ...], kinds: Kinds, *, turned: bool = False, batch: int = 0, wide: DType | None = None) -> UOp:
    """c = a @ b + 1, or a @ b.T + 1, of elements of one or two types; f32 twice: rounded by TF32."""
    kind, other = kinds if isinstance(kinds, tuple) else (kinds, kinds)
    m, n, k = sizes
    ranges = axes(*[batch] * bool(batch), m, n, k)
    i, j, q = ranges[-3:]
    z = ranges[0] if batch else UOp.const(0, dtypes.index)
    sums = wide or (dtypes.i32 if kind.is_int else dtypes.f32)

    def read(slot: int, d: DType, at: UOp) -> UOp:
        value = UOp.param(slot, d, name="oab"[slot])[at].load()
        return value.tf32() if d is dtypes.f32 and isinstance(kinds, tuple) else value.cast(sums)

    a = read(1, kind, (z * m + i) * k + q)
    at = (z * n + j) * k + q if turned else (z * k + q) * n + j
    total = (a * read(2, other, at)).sum(q)
    return UOp.sink(UOp.param(0, sums, name="c")[(z * m + i) * n + j].store(total + 1), name="product")


def on_units(linear: UOp) -> bool:
    return any(u.op is Op.MMA for u in linear.src)


def layouts(linear: UOp) -> set[str]:
    return {u.arg.layout for u in linear.src if u.op is Op.MMA}


def operands(kinds: Kinds, *shapes: tuple[int, ...]) -> list[Any]:
    """Whole numbers that all types hold and whose sums are exact."""
    rng = np.random.default_rng(1)
    each = kinds if isinstance(kinds, tuple) else (kinds, kinds)
    return [rng.integers(0 if kind is dtypes.u8 else -4, 5, s).astype(numpy_dtype(kind)) for kind, s in zip(each, shapes, strict=True)]


def wanted(a: Any, b: Any) -> Any:
    wide = np.int32 if a.dtype.itemsize == 1 and a.dtype.kind in "iu" else np.float32
    return a.astype(wide) @ b.astype(wide) + 1


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("kinds", "name"), KINDS, ids=[name for _, name in KINDS])
def test_every_type(kinds: tuple[DType, DType], name: str, turned: bool) -> None:
    linear = lower(product((100, 70, 72), kinds, turned=turned), HOPPER)
    assert layouts(linear) <= {name, "_".join(reversed(product_operands(name)))}
    assert on_units(linear)
    a, b = operands(kinds, (100, 72), (72, 70))
    out = np.full((100, 70), 7, wanted(a, b).dtype)
    run_groups(linear, [out, a, np.ascontiguousarray(b.T) if turned else b])
    np.testing.assert_array_equal(out, wanted(a, b))


@pytest.mark.parametrize("shape", [(64, 64, 64), (130, 65, 33), (1, 1, 1), (5, 0, 9), (64, 40, 0), (129, 128, 32)])
def test_sizes_known_at_the_launch(shape: tuple[int, int, int]) -> None:
    m, n, k = shape
    linear = lower(product(tuple(UOp.variable(v, 0, 1 << 20) for v in "mnk"), dtypes.f16), HOPPER)
    assert on_units(linear)
    a, b = operands(dtypes.f16, (m, k), (k, n))
    out = np.full((m, n), 7, np.float32)
    run_groups(linear, [out, a, b], dict(zip("mnk", shape, strict=True)))
    np.testing.assert_array_equal(out, wanted(a, b))


def test_batches() -> None:
    linear = lower(product((64, 64, 32), dtypes.bf16, batch=3), HOPPER)
    assert on_units(linear)
    a, b = operands(dtypes.bf16, (3, 64, 32), (3, 32, 64))
    out = np.zeros((3, 64, 64), np.float32)
    run_groups(linear, [out, a, b])
    np.testing.assert_array_equal(out, wanted(a, b))


def test_several_reduced_axes() -> None:
    """The panels of the last step of one are those of the first step of the next: three steps each."""
    i, j, u, q = axes(64, 64, 3, 96)
    a, b = (UOp.param(s, dtypes.f16, name="oab"[s])[at].load().cast(dtypes.f32)
            for s, at in ((1, (u * 64 + i) * 96 + q), (2, (u * 96 + q) * 64 + j)))
    linear = lower(UOp.sink(UOp.param(0, dtypes.f32, name="c")[i * 64 + j].store((a * b).sum(u, q)), name="several"), HOPPER)
    assert on_units(linear)
    x, y = operands(dtypes.f16, (3, 64, 96), (3, 96, 64))
    out = np.zeros((64, 64), np.float32)
    run_groups(linear, [out, x, y])
    np.testing.assert_array_equal(out, (x.astype(np.float32) @ y.astype(np.float32)).sum(0))


@pytest.mark.parametrize(("size", "tile"), [(512, 64), (4096, 128)])
def test_tiles_are_as_large_as_leaves_enough_groups(size: int, tile: int) -> None:
    meta = describe(lower(product((size, size, size), dtypes.f16), HOPPER))
    assert [int(s.arg.value) for s in meta.global_size[:2]] == [size // tile] * 2
    assert [int(s.arg.value) for s in (meta.local_size or ())] == [32, 8 if tile == 128 else 4, 1]


def test_what_units_do_not_multiply_goes_another_way() -> None:
    shape = (256, 256, 256)
    turing = Context(cuda_target("sm_75"), Config())
    assert on_units(lower(product(shape, dtypes.f16), turing))
    assert not on_units(lower(product(shape, dtypes.bf16), turing))
    assert not on_units(lower(product(shape, dtypes.f32), HOPPER))
    assert not on_units(lower(product(shape, (dtypes.f32, dtypes.f32)), turing))
    assert not on_units(lower(product(shape, (dtypes.f16, dtypes.bf16)), HOPPER))
    assert not on_units(lower(product(shape, dtypes.f16, wide=dtypes.f64), HOPPER))
    assert not on_units(lower(product((256, 256, 8), dtypes.f16), HOPPER))
    strict = Context(cuda_target("sm_90"), Config(contract="off"))
    assert not on_units(lower(product(shape, dtypes.f16), strict))


def test_rounding_is_near_that_of_f32() -> None:
    rng = np.random.default_rng(2)
    a, b = (rng.standard_normal(s).astype(ml_dtypes.bfloat16) for s in ((64, 128), (128, 64)))
    out = np.zeros((64, 64), np.float32)
    run_groups(lower(product((64, 64, 128), dtypes.bf16), HOPPER), [out, a, b])
    np.testing.assert_allclose(out, wanted(a, b), rtol=1e-4, atol=1e-4)


def test_rounded_f32_give_what_their_roundings_give() -> None:
    rng = np.random.default_rng(3)
    a, b = (rng.standard_normal(s).astype(np.float32) for s in ((64, 64), (64, 64)))
    linear = lower(product((64, 64, 64), (dtypes.f32, dtypes.f32)), HOPPER)
    assert layouts(linear) == {"tf32"}
    out = np.zeros((64, 64), np.float32)
    run_groups(linear, [out, a, b])
    exact, rounded = (x.astype(np.float64) @ y.astype(np.float64) + 1 for x, y in ((a, b), (tf32(a), tf32(b))))
    np.testing.assert_allclose(out, rounded, rtol=1e-5, atol=1e-5)
    assert np.abs(out - exact).max() > 1e-4


def test_one_operand_that_is_not_rounded_keeps_all_bits() -> None:
    (i, j, q) = axes(64, 64, 64)
    a, b = (UOp.param(n, dtypes.f32, name="oab"[n])[at].load() for n, at in ((1, i * 64 + q), (2, q * 64 + j)))
    sink = UOp.sink(UOp.param(0, dtypes.f32, name="c")[i * 64 + j].store((a.tf32() * b).sum(q)), name="half_rounded")
    assert not on_units(lower(sink, HOPPER))


def tf32(x: Any) -> Any:
    return apply(Op.TF32, dtypes.f32, None, x)
