"""The C of four small kernels, whole: what a reader gets to see."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

import svod
from svod import UOp, dtypes
from svod.device.cc.backend import CCRenderer
from svod.device.cpu.probe import cpu_target
from svod.dtype import AddrSpace
from svod.ir.args import AtomicKind
from svod.ir.ops import Op
from svod.target import Caches
from svod.testing.kernels import axes, p
from svod.testing.threads import Threads

N = 64


def vector_add() -> UOp:
    (i,) = axes(1000)
    return UOp.sink(p(0, "out")[i].store(p(1, "a")[i].load() + p(2, "b")[i].load()), name="vector_add")


def row_sum() -> UOp:
    rows, columns = axes(N, 256)
    total = p(1, "a")[rows * 256 + columns].load().reduce(Op.ADD, columns)
    return UOp.sink(p(0, "out")[rows].store(total), name="row_sum")


def reversed_in_groups() -> UOp:
    k = Threads("reversed_in_groups", block=(16, 1, 1))
    tile = k.memory(dtypes.f32, 16, AddrSpace.LOCAL, "tile")
    t = k.thread()
    k.store(tile, t, k.load(p(1, "a"), k.item()))
    k.barrier()
    k.store(p(0, "out"), k.item(), k.load(tile, 15 - t))
    return k.kernel()


def histogram() -> UOp:
    (i,) = axes(N)
    where = p(1, "at", dtypes.i32)[i].load().cast(dtypes.index)
    return UOp.sink(p(0, "bins", dtypes.i32)[where].atomic(AtomicKind.ADD, UOp.const(1, dtypes.i32)), name="histogram")


KERNELS = {f.__name__: f for f in (vector_add, row_sum, reversed_in_groups, histogram)}


@pytest.mark.parametrize("name", KERNELS)
def test_the_text_of_a_kernel(name: str, golden: Callable[[str, str], None]) -> None:
    target = replace(cpu_target("generic", 256, 16, 1), name="cpu-c", caches=Caches())
    with svod.override(config=svod.Config(threads=1)):
        text = CCRenderer(target).render(KERNELS[name]()).src
    golden(text, f"c/{name}.c")
