"""Integer division means what the policy says, and never traps."""
from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from svod.codegen.decompose import rules_for
from svod.dtype import DType, dtypes
from svod.errors import RuleError
from svod.ir.ops import Op
from svod.ir.pattern import RuleSet
from svod.ir.rewrite import rewrite
from svod.ir.uop import UOp
from svod.target import Target

DIVISIONS = (Op.IDIV, Op.MOD, Op.FLOORDIV, Op.FLOORMOD)
INTS = (*dtypes.INTS, dtypes.index)
Check = Callable[..., UOp]
DIVISORS = (0, 1, -1, 2, -2, 3, -3, 7, 8, 10, 64, -64, 100, 127)


def ops(root: UOp) -> set[Op]:
    return {u.op for u in root.toposort()} - {Op.CONST, Op.DEFINE_VAR, Op.BROADCAST}


@pytest.mark.parametrize("dtype", INTS, ids=repr)
@pytest.mark.parametrize("op", DIVISIONS, ids=lambda o: o.name)
def test_any_operands(op: Op, dtype: DType, cpu: Target, samples: Any, keeps_meaning: Check) -> None:
    """All pairs of 8-bit values; edges by edges and random pairs for wider types; zero, the limits and -1 among them."""
    x, y = UOp.scalar("x", dtype), UOp.scalar("y", dtype)
    keeps_meaning(UOp(op, (x, y)), cpu, samples.mixed(dtype, "xy"))


@pytest.mark.parametrize("dtype", [dtypes.i8, dtypes.u8, dtypes.i32, dtypes.index], ids=repr)
@pytest.mark.parametrize("op", DIVISIONS, ids=lambda o: o.name)
def test_literal_divisors(op: Op, dtype: DType, cpu: Target, samples: Any, keeps_meaning: Check) -> None:
    x = UOp.scalar("x", dtype)
    for divisor in (d for d in (*DIVISORS, int(dtype.min), int(dtype.max)) if dtype.min <= d <= dtype.max):
        new = keeps_meaning(UOp(op, (x, UOp.const(divisor, dtype))), cpu, {"x": samples.few(dtype)})
        assert Op.WHERE not in ops(new) or divisor < -1, "a literal divisor needs no guard"


@pytest.mark.parametrize("op", DIVISIONS, ids=lambda o: o.name)
def test_lanes(op: Op, cpu: Target, samples: Any, keeps_meaning: Check) -> None:
    x, y = UOp.scalar("x", dtypes.i32.vec(4)), UOp.scalar("y", dtypes.i32.vec(4))
    env = samples.lanes(samples.mixed(dtypes.i32, "xy"))
    keeps_meaning(UOp(op, (x, y)), cpu, env)
    keeps_meaning(UOp(op, (x, UOp.const(-7, dtypes.i32.vec(4)))), cpu, env)
    keeps_meaning(UOp(op, (x, UOp.const(64, dtypes.i32.vec(4)))), cpu, env)
    literals = UOp(Op.STACK, tuple(UOp.const(v, dtypes.i32) for v in (3, -5, 2, 9)), None, dtypes.i32.vec(4))
    new = keeps_meaning(UOp(op, (x, literals)), cpu, env)
    assert not any(u.op is Op.CMPEQ for u in new.toposort()), "no lane of the divisor is 0 or -1, so nothing is to be guarded"


@pytest.mark.parametrize("dtype", INTS, ids=repr)
@pytest.mark.parametrize("op", DIVISIONS, ids=lambda o: o.name)
def test_lanes_divide_as_floats(op: Op, dtype: DType, cpu: Target, samples: Any, keeps_meaning: Check) -> None:
    """Where a float holds every value of the dtype."""
    env = samples.lanes(samples.mixed(dtype, "xy"))
    new = keeps_meaning(UOp(op, (UOp.scalar("x", dtype.vec(4)), UOp.scalar("y", dtype.vec(4)))), cpu, env)
    wide = [u.dtype.scalar for u in new.find(Op.FDIV)]
    assert wide == {8: [dtypes.f32], 16: [dtypes.f32], 32: [dtypes.f64], 64: []}[dtype.bits]
    assert len(list(new.find(Op.IDIV, Op.MOD))) == (dtype.bits == 64)


@pytest.mark.parametrize(("bits", "wide"), [(23, [dtypes.f32]), (24, [dtypes.f64]), (52, [dtypes.f64]), (53, [])])
@pytest.mark.parametrize("op", DIVISIONS, ids=lambda o: o.name)
def test_lanes_of_known_size_divide_as_floats(op: Op, bits: int, wide: list[DType], cpu: Target, keeps_meaning: Check) -> None:
    """Quotients one unit below, at and above an integer, at the limit of what the float holds."""
    limit = (1 << bits) + (1 << bits - 1)
    x, y = UOp.variable("x", -limit, limit, dtypes.i64.vec(4)), UOp.variable("y", 1, limit, dtypes.i64.vec(4))
    rng = np.random.default_rng(7)
    y_values = np.maximum(rng.integers(1, limit, 8000, endpoint=True) >> rng.integers(0, bits, 8000), 1)
    near = limit // y_values * y_values
    x_values = np.where(rng.random(8000) < 0.5, 1, -1) * (near - rng.integers(0, 2, 8000))
    new = keeps_meaning(UOp(op, (x, y)), cpu, {"x": x_values.reshape(-1, 4), "y": y_values.reshape(-1, 4)})
    assert [u.dtype.scalar for u in new.find(Op.FDIV)] == wide


def test_lanes_by_a_literal_in_32_bits(cpu: Target, keeps_meaning: Check) -> None:
    x = UOp.variable("x", 0, 1 << 20, dtypes.index.vec(4))
    for op in DIVISIONS:
        new = keeps_meaning(UOp(op, (x, UOp.const(7, x.dtype))), cpu, {"x": np.arange(0, 1 << 20, 4097)[:252].reshape(-1, 4)})
        assert {u.dtype.scalar for u in new.find(Op.IDIV, Op.MOD)} == {dtypes.i32}
    scalar = UOp.variable("i", 0, 1 << 20).idiv(7)
    assert rewrite(scalar, rules_for(cpu)) is scalar


RANGES = [(-100, 100), (0, 100), (-100, -1), (1, 100), (-128, 127), (-128, -128), (-1, 0), (0, 1), (3, 5)]


@pytest.mark.parametrize(("xs", "ys"), list(itertools.product(RANGES, RANGES)))
def test_known_ranges(xs: tuple[int, int], ys: tuple[int, int], cpu: Target, samples: Any, keeps_meaning: Check) -> None:
    """What the bounds prove is used, and used rightly: every value of every range."""
    x, y = UOp.variable("x", *xs, dtypes.i8), UOp.variable("y", *ys, dtypes.i8)
    env = samples.grid(x=np.arange(xs[0], xs[1] + 1).astype(np.int8), y=np.arange(ys[0], ys[1] + 1).astype(np.int8))
    for op in DIVISIONS:
        keeps_meaning(UOp(op, (x, y)), cpu, env)


@pytest.mark.parametrize(("original", "wanted"), [
    (lambda i, j: i // 8, lambda i, j: i >> 3),
    (lambda i, j: i % 8, lambda i, j: i & 7),
    (lambda i, j: (i + 5) // 12, lambda i, j: (i + 5).idiv(12)),
    (lambda i, j: (i + 5) % 12, lambda i, j: (i + 5).rem(12)),
    (lambda i, j: i.idiv(16), lambda i, j: i >> 4),
    (lambda i, j: i.rem(16), lambda i, j: i & 15),
    (lambda i, j: (i - 50) // 8, lambda i, j: (i - 50) >> 3),
    (lambda i, j: (i - 50) % 8, lambda i, j: (i - 50) & 7),
    (lambda i, j: (i - 50).idiv(8), lambda i, j: (i - 50).idiv(8)),
    (lambda i, j: i // j, lambda i, j: i.idiv(j)),
    (lambda i, j: i % j, lambda i, j: i.rem(j)),
    (lambda i, j: (i - 50) // j, lambda i, j: ((i - 50) ^ ((i - 50) >> 63)).idiv(j) ^ ((i - 50) >> 63)),
    (lambda i, j: i // 1, lambda i, j: i),
    (lambda i, j: i.idiv(1), lambda i, j: i),
    (lambda i, j: i.idiv(-1), lambda i, j: -i),
    (lambda i, j: i // -1, lambda i, j: -i),
    (lambda i, j: i % -1, lambda i, j: i.const(0, dtypes.index)),
    (lambda i, j: i // 0, lambda i, j: i.const(0, dtypes.index)),
    (lambda i, j: i % 0, lambda i, j: i.const(0, dtypes.index)),
])
def test_what_bounds_prove(original: Callable[..., UOp], wanted: Callable[..., UOp], cpu: Target) -> None:
    i, j = UOp.variable("i", 0, 100), UOp.variable("j", 1, 9)
    assert rewrite(original(i, j), rules_for(cpu)) is wanted(i, j)


def test_a_guard_is_not_guarded_again(cpu: Target) -> None:
    x, y = UOp.scalar("x", dtypes.i32), UOp.scalar("y", dtypes.i32)
    for op in DIVISIONS:
        once = rewrite(UOp(op, (x, y)), rules_for(cpu))
        assert rewrite(once, rules_for(cpu)) is once


def test_a_guard_is_recognized_in_any_order(cpu: Target) -> None:
    x, y = UOp.scalar("x", dtypes.i32), UOp.scalar("y", dtypes.i32)
    least = x.eq(-(1 << 31)) & y.eq(-1)
    guarded = x.idiv((least | y.eq(0)).where(1, y))
    assert rewrite(guarded, rules_for(cpu)) is guarded


@pytest.mark.parametrize("bad", [
    lambda x, y: y.eq(0), lambda x, y: y.eq(-1) & x.eq(-(1 << 31)), lambda x, y: y.eq(0) & y.eq(-1),
    lambda x, y: y.eq(0) | x.eq(-(1 << 31)) & x.eq(-1),
    lambda x, y: x.eq(0) | y.eq(-1), lambda x, y: y.ne(0) | y.eq(-1),
])
def test_half_a_guard_is_none(bad: Callable[..., UOp], cpu: Target, samples: Any, keeps_meaning: Check) -> None:
    """A condition that does not cover every trap is guarded once more."""
    x, y = UOp.scalar("x", dtypes.i32), UOp.scalar("y", dtypes.i32)
    keeps_meaning(x.idiv(bad(x, y).where(1, y)), cpu, samples.grid(x=samples.few(dtypes.i32), y=samples.few(dtypes.i32)))


def test_index_beyond_what_bounds_track(cpu: Target) -> None:
    """Bounds of index arithmetic end at 2**62; the least value of 64 bits is guarded against all the same."""
    x, y = UOp.scalar("x", dtypes.index), UOp.scalar("y", dtypes.index)
    assert any(u.op is Op.AND for u in rewrite(x.idiv(y), rules_for(cpu)).toposort())


def test_a_target_with_floor_division_keeps_it(cpu: Target) -> None:
    has = Target("floors", arithmetic=cpu.arithmetic, native=cpu.native | {Op.FLOORDIV, Op.FLOORMOD})
    for op in (Op.FLOORDIV, Op.FLOORMOD):
        u = UOp(op, (UOp.scalar("x", dtypes.i32), UOp.scalar("y", dtypes.i32)))
        assert rewrite(u, rules_for(has)) is u


def test_the_rules_do_not_mix_with_their_inverse(cpu: Target) -> None:
    """Why the set is for itself: rules that make quotients of shifts undo it, and the engine says so."""
    from svod.ir.pattern import any_, rule
    from svod.ir.pattern import op as pat

    @rule(pat(Op.SHR, src=(any_("x"), 3)))
    def quotient(x: UOp) -> UOp | None:
        """x >> 3 == x // 8."""
        return x // 8
    with pytest.raises(RuleError, match="did not terminate"):
        rewrite(UOp.variable("i", 0, 9) // 8, rules_for(cpu) + RuleSet("inverse", (quotient,)))
