"""What may be dropped, and where an address points."""
from __future__ import annotations

from svod.dtype import AddrSpace, dtypes
from svod.ir.args import AtomicKind, BarrierScope
from svod.ir.effects import may_drop, memory
from svod.ir.uop import UOp

DATA = UOp.param(0, dtypes.f32, 16, name="data")
a = UOp.scalar("a", dtypes.f32)


def test_what_writes_nothing_may_be_dropped() -> None:
    assert may_drop()
    assert may_drop(a + 1.0, DATA[3].load(), a.sum(UOp.range(4, 0)))


def test_a_write_others_can_see_may_not() -> None:
    shared = UOp.memory(1, dtypes.f32, 1, AddrSpace.LOCAL)
    assert not may_drop(a, shared.after(shared[0].store(a))[0].load())
    assert not may_drop(shared.after(UOp.barrier(scope=BarrierScope.GROUP))[0].load())
    assert not may_drop(DATA[0].atomic(AtomicKind.ADD, 1.0) * 0.0)
    assert not may_drop(DATA[0].store(a).end(UOp.range(4, 0)))


def test_a_private_write_may() -> None:
    private = UOp.memory(0, dtypes.f32, 1, AddrSpace.REG)
    assert may_drop(private.after(private[0].store(a))[0].load())


def test_a_deep_graph() -> None:
    u = a
    for _ in range(20_000):
        u = u + 1.0
    assert may_drop(u)


def test_memory_is_what_an_address_points_into() -> None:
    assert memory(DATA.after(DATA[0].store(a))[1]) is DATA
