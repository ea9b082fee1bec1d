"""MMA on matrix units: fragments mean what the kernel language's layout means. The units themselves are those of svod.ir.products."""
from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import svod
from svod.codegen.gpu.tensor import fragments
from svod.dtype import DType, dtypes, numpy_dtype
from svod.ir.args import MmaArg, ThreadsInfo, ValueArg, product_operands, product_types
from svod.ir.ops import Op
from svod.ir.products import without_products
from svod.ir.spec import THREADS, verify
from svod.ir.threads import thread_id
from svod.ir.uop import UOp
from svod.renderers.c.cuda_mma import products

EVERY = products(90)
PAIRS = [(product_types(name), name) for name in sorted(EVERY)]
LANES = 32


def kernel(kind: DType, depth: int, other: DType | None = None, *, rounded: bool = False) -> UOp:
    """out[lane] = the sums of lane: those of its rows of a, b and c; a and b perhaps rounded."""
    arg, wide = MmaArg(16, 16, depth, LANES), dtypes.i32 if kind.is_int else dtypes.f32
    left, right, rows = arg.held()
    lane = thread_id(0, (LANES, 1, 1))
    statements, numbers = [], iter(range(1000))

    def value(dtype: DType) -> UOp:
        return UOp(Op.VALUE, (), ValueArg(next(numbers)), dtype)

    def read(slot: int, dtype: DType, each: int) -> list[UOp]:
        pointer, out = UOp.param(slot, dtype, name="oabc"[slot]), []
        for e in range(each):
            out.append(value(dtype))
            statements.append(UOp(Op.LET, (out[-1], pointer.index(lane * each + e).load())))
        return [v.tf32() for v in out] if rounded and slot < 3 else out
    given = [*read(1, kind, left), *read(2, other or kind, right), *read(3, wide, rows)]
    sums = [value(wide) for _ in range(rows)]
    statements.append(UOp(Op.MMA, (*sums, *given), arg, dtypes.void))
    out = UOp.param(0, wide, name="o")
    statements += [out.index(lane * rows + r).store(s) for r, s in enumerate(sums)]
    return UOp(Op.THREADS, (UOp(Op.BLOCK, tuple(statements)),), ThreadsInfo("product", (LANES, 1, 1)))


def run(threads: UOp, device: svod.Device, *given: Any) -> Any:
    """What the kernel writes."""
    out = np.zeros(given[-1].shape, given[-1].dtype)
    device.compile(threads).execute([out, *given], {"_grid_x": 1, "_grid_y": 1, "_grid_z": 1})
    return out


def elements(kind: DType, shape: tuple[int, ...]) -> Any:
    """Random numbers that are exact in every type of floats."""
    rng = np.random.default_rng(7)
    return rng.integers(0 if kind is dtypes.u8 else -8, 9, shape).astype(numpy_dtype(kind))


@pytest.mark.devices("INTERP", "CPU")
@pytest.mark.parametrize("depth", [16, 32])
@pytest.mark.parametrize(("kinds", "name"), PAIRS, ids=[name for _, name in PAIRS])
def test_fragments_give_the_same_sums(device: svod.Device, kinds: tuple[DType, DType], name: str, depth: int) -> None:
    kind, other = kinds
    threads = kernel(kind, depth, other, rounded=name == "tf32")
    units = fragments(threads, EVERY)
    verify(units, THREADS)
    assert {u.arg.layout for u in units.find(Op.MMA)} == {"_".join(reversed(product_operands(name))) if "_" in name else name}
    given = [elements(kind, (LANES, depth // 2)), elements(other, (LANES, depth // 2)),
             elements(dtypes.i32, (LANES, 8)).astype(np.int32 if kind.is_int else np.float32)]
    want = run(threads, device, *given)
    np.testing.assert_array_equal(run(without_products(units), device, *given), want)
    assert np.abs(want.astype(np.float64)).max() > 50


def test_what_no_unit_multiplies_stays_as_it_is() -> None:
    for threads in (kernel(dtypes.f32, 16), kernel(dtypes.f16, 32, dtypes.bf16), kernel(dtypes.f8e4m3fnuz, 32)):
        verify(threads, THREADS)
        assert fragments(threads, EVERY) is threads
    assert fragments(kernel(dtypes.bf16, 16), frozenset(("f16",))) is kernel(dtypes.bf16, 16)


def test_rounding_is_that_of_the_sums(device: svod.Device) -> None:
    rng = np.random.default_rng(3)
    a, b = (rng.standard_normal((LANES, 8)).astype(ml_dtypes.bfloat16) for _ in range(2))
    c = rng.standard_normal((LANES, 8)).astype(np.float32)
    threads = kernel(dtypes.bf16, 16)
    got = run(without_products(fragments(threads, EVERY)), device, a, b, c)
    np.testing.assert_allclose(got, run(threads, device, a, b, c), rtol=1e-5, atol=1e-5)
