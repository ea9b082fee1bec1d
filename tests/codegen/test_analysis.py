"""What is said about accesses: `injective` against all iterations, by brute force."""
from __future__ import annotations

import random

from svod.codegen.analysis import bounded_by_memory, crossing, injective
from svod.dtype import dtypes
from svod.ir.ops import Op
from svod.ir.uop import UOp

OUT = UOp.param(0, dtypes.f32, name="out")


def value(u: UOp, at: dict[UOp, int]) -> int:
    """An expression of sums and products where the ranges have these values."""
    if u in at:
        return at[u]
    if u.op is Op.CONST:
        return int(u.arg.value)
    a, b = (value(s, at) for s in u.src)
    return a * b if u.op is Op.MUL else a + b


def written(index: UOp, ranges: list[UOp], at: dict[UOp, int]) -> list[int]:
    """The element of each iteration."""
    if len(at) == len(ranges):
        return [value(index, at)]
    r = ranges[len(at)]
    return [e for x in range(value(r.src[0], at), value(r.src[1], at)) for e in written(index, ranges, {**at, r: x})]


def random_store(rng: random.Random) -> tuple[UOp, list[UOp]]:
    """A store to an affine index in one to three loops, whose bounds depend on loops around them."""
    ranges: list[UOp] = []
    for k in range(rng.choice((1, 2, 2, 3))):
        start = UOp.const(rng.choice((0, 0, 1, 3)), dtypes.index)
        if ranges and rng.random() < 0.4:
            start = start + rng.choice(ranges) * rng.choice((1, -1, 2, -2, -3))
        stop = (start if rng.random() < 0.5 else UOp.const(0, dtypes.index)) + rng.choice((0, 1, 2, 3, 5))
        if ranges and rng.random() < 0.3:
            stop = stop + rng.choice(ranges) * rng.choice((1, -1, 2))
        ranges.append(UOp.range(stop, k, start=start))
    index = UOp.const(100, dtypes.index)
    for r in ranges:
        index = index + r * rng.choice((1, -1, 2, -2, 3, 4, 6, -6, 12, 0))
    return OUT[index].store(1.0), ranges


def test_injective_stores_write_no_element_twice() -> None:
    rng, found = random.Random(1), 0
    for _ in range(2000):
        store, ranges = random_store(rng)
        if injective(store, ranges):
            found += 1
            elements = written(store.src[0].src[1], ranges, {})
            assert len(set(elements)) == len(elements), str(store)
    assert found > 200


def test_a_store_that_runs_backwards_is_injective() -> None:
    i, j = UOp.range(8, 0), UOp.range(4, 1)
    assert injective(OUT[i * -1 + 7].store(1.0), [i])
    assert injective(OUT[i * -4 + 28 + j].store(1.0), [i, j])
    assert not injective(OUT[i * -3 + 28 + j].store(1.0), [i, j])


def test_axes_cross_where_one_moves_inside_the_loop_of_the_other() -> None:
    i, j, k, q = (UOp.range(8, n) for n in range(4))
    inner = OUT[i * 8 + k].load().reduce(Op.ADD, k)
    alone = OUT[q].load().reduce(Op.ADD, q)
    closers = [inner, alone, OUT[i * 8 + j].store(inner + alone).end(i, j)]
    assert crossing(closers, i, [k]) is k
    assert crossing(closers, k, [q, i]) is i
    assert crossing(closers, j, [i]) is i
    assert crossing(closers, j, [k, q, j]) is None
    assert crossing(closers, q, [i, j, k]) is None


def test_a_range_is_bounded_by_memory_at_either_end() -> None:
    n = OUT[0].load().cast(dtypes.index)
    assert bounded_by_memory(UOp.range(n + 1, 0))
    assert bounded_by_memory(UOp.range(9, 0, start=n))
    assert not bounded_by_memory(UOp.range(UOp.variable("n", 0, 9), 0))
