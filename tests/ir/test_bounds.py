"""Intervals and factors: exact where they are known, and sound on random graphs."""
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svod.dtype import DType, dtypes
from svod.ir.args import SpecialKind
from svod.ir.bounds import BIG, Interval, constant, divides, factor, interval, may_overflow, vmax, vmin
from svod.ir.interp import evaluate
from svod.ir.ops import Op
from svod.ir.text import to_text
from svod.ir.uop import UOp
from svod.testing.graphs import RandomGraphs, points

x, y, n = UOp.variable("x", -5, 9), UOp.variable("y", 2, 3), UOp.variable("n", 1, 64)
k, u8, a = UOp.scalar("k", dtypes.i32), UOp.scalar("u", dtypes.u8), UOp.scalar("a", dtypes.f32)
p = UOp.scalar("p", dtypes.bool)
r = UOp.range(n, 0, start=1)
inf = float("inf")


@pytest.mark.parametrize(("u", "expected"), [
    (UOp.const(7, dtypes.i32), (7, 7)), (UOp.const(True, dtypes.bool), (1, 1)), (UOp.const(1.5, dtypes.f32), (1.5, 1.5)),
    (UOp.const(float("nan"), dtypes.f32), (-inf, inf)),
    (x, (-5, 9)), (k, (-(1 << 31), (1 << 31) - 1)), (p, (0, 1)), (a, (-inf, inf)), (n.bind(3), (1, 64)),
    (r, (1, 63)), (UOp.range(8, 1), (0, 7)), (UOp.range(0, 1), (0, 0)), (UOp.special(SpecialKind.GLOBAL, 0, n), (0, 63)),
    (x + y, (-3, 12)), (x - y, (-8, 7)), (x * y, (-15, 27)), (-x, (-9, 5)), (x.abs(), (0, 9)), (y.abs(), (2, 3)),
    (x // 4, (-2, 2)), (x % 4, (0, 3)), (y % 4, (2, 3)), (x % 100, (0, 99)), (y % 100, (2, 3)), (x // x, (-BIG, BIG)), (x // n, (-5, 9)),
    (x.idiv(4), (-1, 2)), (n.rem(10), (0, 9)), (x.rem(10), (-BIG, BIG)),
    (x.maximum(y), (2, 9)), (x.minimum(y), (-5, 3)),
    (n & 7, (0, 7)), (n | 7, (7, 127)), (n ^ 7, (0, 127)), (n << 2, (4, 256)), (x >> 1, (-3, 4)), (x << n, (-BIG, BIG)),
    (x < 10, (1, 1)), (x < -5, (0, 0)), (x < 3, (0, 1)), (x <= 9, (1, 1)), (x.eq(10), (0, 0)), (x.ne(10), (1, 1)), (a < 2.0, (0, 1)),
    (y.eq(2), (0, 1)), (UOp.const(2, dtypes.index).eq(2), (1, 1)),
    (p.where(x, y), (-5, 9)), (p.where(a, 1.0), (-inf, inf)),
    (k + 1, (-(1 << 31), (1 << 31) - 1)), (u8.cast(dtypes.i32) + 1, (1, 256)), (u8 + 1, (0, 255)), (u8.cast(dtypes.i8), (-128, 127)),
    (x.cast(dtypes.i8), (-5, 9)), (x.cast(dtypes.bool), (0, 1)), (y.cast(dtypes.bool), (1, 1)), (a.cast(dtypes.i8), (-128, 127)),
    (x.broadcast(4), (-5, 9)), (UOp(Op.RAMP, (x, UOp.const(2, dtypes.index)), None, dtypes.index.vec(4)), (-5, 15)),
    (UOp(Op.RAMP, (x, UOp.const(-2, dtypes.index)), None, dtypes.index.vec(4)), (-11, 9)),
    (UOp(Op.STACK, (x, y), None, dtypes.index.vec(2)), (-5, 9)), (UOp(Op.STACK, (x, y), None, dtypes.index.vec(2)).extract(1), (-5, 9)),
    (x.max(UOp.range(4, 0)), (-5, 9)), (x.max(r), (-BIG, BIG)), (x.sum(UOp.range(4, 0)), (-BIG, BIG)),
    (UOp.const((1 << 63) - 1, dtypes.index), ((1 << 63) - 1,) * 2), (x + BIG, (BIG - 5, BIG)), (UOp.sink(), (0, 0)),
])
def test_intervals(u: UOp, expected: Interval) -> None:
    assert interval(u) == expected
    assert (vmin(u), vmax(u)) == expected


def test_constant() -> None:
    assert constant(UOp.const(7, dtypes.i32)) == 7
    assert constant(x * 0) == 0
    assert constant(x) is None
    assert constant(UOp.const(1.0, dtypes.f32)) is None
    assert constant(UOp.sink()) is None


@pytest.mark.parametrize(("u", "expected"), [
    (x, 1), (x * 6, 6), (x * 6 + 9, 3), (x * 6 - y * 4, 2), (-(x * 4), 4), ((x * 6) * (y * 4), 24), (UOp.const(0, dtypes.index), 0),
    (x * 0 + 8, 8), ((x * 6).maximum(y * 9), 3),
    ((x * 4).broadcast(4), 4), (p.where(x * 4, y * 6), 2), ((x * 12) % 8, 4), (k * 4, 1), (x // 4 * 4, 4),
    (UOp(Op.RAMP, (x * 8, UOp.const(2, dtypes.index)), None, dtypes.index.vec(4)), 2), ((x * 4).after(UOp.range(4, 0)), 4),
])
def test_factors(u: UOp, expected: int) -> None:
    assert factor(u) == expected


def test_divides() -> None:
    assert divides(3, x * 6)
    assert not divides(4, x * 6)
    assert divides(4, UOp.const(0, dtypes.index))
    assert not divides(0, x * 6)


def test_a_deep_graph() -> None:
    u = UOp.variable("d", 0, 1)
    for _ in range(30_000):
        u = u + 2
    assert interval(u) == (60_000, 60_001)
    assert factor(u * 2) % 2 == 0


FAMILIES = [(), (dtypes.index,), (dtypes.i8, dtypes.u8, dtypes.bool), (dtypes.i64, dtypes.u64, dtypes.index)]


@pytest.mark.parametrize("types", FAMILIES, ids=str)
@given(seed=st.integers(0, 2**32))
def test_every_value_lies_in_its_interval_and_is_a_multiple_of_its_factor(types: tuple[DType, ...], seed: int) -> None:
    for number in range(seed, seed + 5):
        root = RandomGraphs(number, types).graph(40)
        at = points((root,), number)
        for u in root.toposort():
            if u.dtype.is_float or u.op is Op.RANGE:
                continue
            values = evaluate(u, at)
            low, high = interval(u)
            assert low <= values.min(), to_text(u)
            assert values.max() <= high, to_text(u)
            divisor = factor(u)
            if u.dtype.scalar is dtypes.index and divisor < BIG:
                assert not (values % divisor if divisor else values).any(), to_text(u)


WIDE = UOp.variable("w", -(1 << 40), 1 << 40)
COUNT = UOp.variable("c", 0, 1 << 23)
NARROW = UOp.variable("i", -(1 << 31), (1 << 31) - 1, dtypes.i32)


@pytest.mark.parametrize(("u", "expected"), [
    (WIDE * (1 << 22), False), (WIDE * (1 << 23), True), (WIDE * WIDE, True), (WIDE + ((1 << 63) - 1), True),
    (COUNT * COUNT + COUNT, False),
    (COUNT * -((1 << 63) - 1), True), (WIDE.minimum(5) * (1 << 40), True), (WIDE.maximum(5).minimum(9) * (1 << 40), False),
    ((WIDE * WIDE) % 8 * 4, True), (NARROW.cast(dtypes.index) * NARROW.cast(dtypes.index), False), (NARROW * NARROW, False),
    (UOp(Op.SHL, (WIDE, UOp.const(23, dtypes.index))), True), (UOp(Op.SHL, (COUNT, UOp.const(23, dtypes.index))), False),
    ((COUNT < 3).where(WIDE, 2) * (1 << 23), True),
])
def test_what_may_overflow_64_bits(u: UOp, expected: bool) -> None:
    assert bool(may_overflow(u.toposort())) == expected


def test_only_the_part_that_may_overflow_is_named() -> None:
    product = WIDE * WIDE
    assert may_overflow((COUNT * 4 + product).toposort()) == {product, COUNT * 4 + product}
