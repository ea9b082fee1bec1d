"""Small kernels that every language of the C family has golden files of.

Owns: them. Must not know languages.
"""
from __future__ import annotations

from collections.abc import Callable

import pytest

from svod import UOp
from svod.dtype import AddrSpace, DType, dtypes
from svod.ir.args import AtomicKind, SpecialKind, SubgroupKind
from svod.ir.ops import Op
from svod.testing.kernels import axes, p
from svod.testing.threads import Threads


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
    value = k.load(UOp.param(0, dtypes.f32, name="data"), k.item())
    k.print("item {} has {}", k.item(), value)
    k.check(value < 2.0, "{} is too large", value)
    return k.kernel()


def direct() -> UOp:
    """Work items counted, without groups, along three axes."""
    x, y, z = (UOp.special(SpecialKind.DIRECT, axis, UOp.const(n, dtypes.index)) for axis, n in enumerate((100, 3, 2)))
    at = x + y * 100 + z * 300
    return UOp.sink(p(0, "out")[at].store(p(1, "a")[at].load()), name="direct")


def every_atomic(d: DType) -> UOp:
    """Every atomic of a dtype, on memory of all and on that of the group."""
    k = Threads(f"atomics_{d}", (64, 1, 1))
    data, tile = UOp.param(0, d, name="data"), k.memory(d, 64, AddrSpace.LOCAL, "tile")
    for memory in (data, tile):
        value = k.load(data, k.item())
        for kind in AtomicKind:
            if kind is AtomicKind.COMPARE_EXCHANGE:
                k.atomic(kind, memory, k.thread(), value, UOp.const(0, d))
            elif d.is_int or kind in (AtomicKind.ADD, AtomicKind.MIN, AtomicKind.MAX, AtomicKind.EXCHANGE):
                k.atomic(kind, memory, k.thread(), value)
    return k.kernel()


def every_exchange(across: int) -> UOp:
    """Every kind of exchange, of types of several widths, among `across` work items."""
    k = Threads("exchanges", (128, 1, 1), subgroup=across)
    for n, d in enumerate((dtypes.f32, dtypes.i64, dtypes.f64, dtypes.u8, dtypes.f16)):
        data = UOp.param(n, d, name=f"data{n}")
        value = k.load(data, k.item())
        for width in (16, across):
            for kind in (SubgroupKind.SHUFFLE, SubgroupKind.UP, SubgroupKind.DOWN, SubgroupKind.XOR):
                value = k.subgroup(kind, value, 3, width=width)
        value = k.subgroup(SubgroupKind.REDUCE, value, width=across, op=Op.MAX)
        k.store(data, k.item(), k.subgroup(SubgroupKind.ANY, value.ne(value), width=across).where(value, UOp.const(0, d)))
    return k.kernel()


@pytest.fixture(params=[vector_add, row_max, reversed_groups, histogram], ids=lambda make: make.__name__)
def small(request: pytest.FixtureRequest) -> UOp:
    """One of them."""
    made: UOp = request.param()
    return made


@pytest.fixture
def by_name() -> dict[str, UOp]:
    """All of them, and others."""
    return {make.__name__: make() for make in (vector_add, row_max, reversed_groups, histogram, speaking, direct)}


@pytest.fixture
def atomics() -> Callable[[DType], UOp]:
    """A kernel with every atomic of a dtype."""
    return every_atomic


@pytest.fixture
def exchanges() -> Callable[[int], UOp]:
    """A kernel with every kind of exchange among so many work items."""
    return every_exchange
