"""OpenCL C as it is written: golden files of small kernels, names that are nobody's, what has no form in it."""
from __future__ import annotations

from collections.abc import Callable

import pytest

import svod
from svod import UOp
from svod.dtype import AddrSpace, dtypes
from svod.errors import UnsupportedError
from svod.ir.args import AtomicKind, BarrierScope
from svod.ir.ops import Op
from svod.renderers.c.opencl import render_opencl
from svod.target.abi import describe
from svod.testing.kernels import axes, p
from svod.testing.threads import Threads


def source(kernel: UOp) -> str:
    return str(svod.Device.offline("OPENCL").renderer.render(kernel).src)


def vector_add() -> UOp:
    (i,) = axes(UOp.variable("n", 0, 1 << 30))
    return UOp.sink(p(0, "out")[i].store(p(1, "a")[i].load() + p(2, "b")[i].load()), name="vector_add")


def row_max() -> UOp:
    i, j = axes(1000, 64)
    return UOp.sink(p(0, "out")[i].store(p(1, "a")[i * 64 + j].load().reduce(Op.MAX, j)), name="row_max")


def reversed_groups() -> UOp:
    k = Threads("reversed_groups", (32, 1, 1))
    data = UOp.param(0, dtypes.f32, name="data")
    tile = k.memory(dtypes.f32, 32, AddrSpace.LOCAL, "tile")
    k.store(tile, k.thread(), k.load(data, k.item()))
    k.barrier()
    k.store(data, k.item(), k.load(tile, 31 - k.thread()))
    return k.kernel()


def histogram() -> UOp:
    k = Threads("histogram", (64, 1, 1))
    data, counts, top = (UOp.param(i, t, name=n) for i, t, n in ((0, dtypes.u8, "data"), (1, dtypes.i32, "counts"), (2, dtypes.f32, "top")))
    value = k.load(data, k.item())
    k.atomic(AtomicKind.ADD, counts, value.cast(dtypes.index), 1)
    k.atomic(AtomicKind.MAX, top, 0, value.cast(dtypes.f32))
    return k.kernel()


def speaking() -> UOp:
    k = Threads("speaking", (4, 1, 1))
    data = UOp.param(0, dtypes.f32, name="data")
    value = k.load(data, k.item())
    k.print("item {} has {}", k.item(), value)
    k.check(value < 2.0, "{} is too large", value)
    return k.kernel()


@pytest.mark.parametrize("make", [vector_add, row_max, reversed_groups, histogram, speaking])
def test_golden(make: Callable[[], UOp], golden: Callable[[str, str], None]) -> None:
    golden(source(make()), f"opencl/{make.__name__}.cl")


def test_words_of_the_language_are_no_names() -> None:
    (i,) = axes(8)
    text = source(UOp.sink(p(0, "fma")[i].store(p(1, "as_int")[i].load()), name="sqrt"))
    assert "__global float *fma1" in text
    assert "void sqrt1(" in text


def test_waiting_for_all_groups_is_refused() -> None:
    linear = UOp(Op.LINEAR, (UOp.barrier(scope=BarrierScope.GRID),))
    with pytest.raises(UnsupportedError, match="waits for all groups"):
        render_opencl(linear, describe(linear), "k")
