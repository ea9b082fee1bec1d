"""The extremes of indices: exact where the parts are understood, and never beyond what some iteration takes; by counting it out."""
from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest

from svod.codegen.extremes import direction, extreme
from svod.device.evaluation import compile_exprs
from svod.dtype import dtypes
from svod.ir.interp import evaluate
from svod.ir.uop import UOp

N = UOp.variable("n", 1, 12)
R, J = UOp.range(N, 0), UOp.range(5, 1, start=2)
SIZES = (1, 2, 7, 12)


def counted(index: UOp, n: int) -> tuple[int, int]:
    """Least and greatest value of `index`, of all iterations."""
    i, j = UOp.variable("i", 0, 11), UOp.variable("j", 2, 4)
    at = [a.ravel() for a in np.meshgrid(np.arange(n), np.arange(2, 5))]
    values = np.atleast_1d(evaluate(index.substitute({R: i, J: j}), {"i": at[0], "j": at[1], "n": np.full_like(at[0], n)}))
    return int(values.min()), int(values.max())


def found(index: UOp, n: int) -> tuple[int | None, int | None]:
    """What `extreme` says."""
    both = [extreme(index, last=last) for last in (False, True)]
    low, high = (None if e is None else int(compile_exprs([e[0]], (N,), "test")((n,))[0]) for e in both)
    return low, high


def rising(rng: random.Random, depth: int) -> UOp:
    """An expression that falls in no loop and is not negative, by construction."""
    if depth == 0:
        return rng.choice((R, J, N, UOp.const(rng.randrange(9), dtypes.index)))
    x, c = rising(rng, depth - 1), rng.randrange(1, 9)
    y = rising(rng, rng.randrange(depth))
    return rng.choice((
        lambda: x + y, lambda: x * c, lambda: x * y, lambda: x // c, lambda: x // N, lambda: x.idiv(c), lambda: x >> rng.randrange(4),
        lambda: x << rng.randrange(3), lambda: x.minimum(y), lambda: x.maximum(c), lambda: x // c * (c + rng.randrange(-1, 4)) + x % c,
        lambda: (c < N).where(x, y), lambda: x.cast(dtypes.i32).cast(dtypes.index), lambda: x - (c - x)))()


def anything(rng: random.Random, depth: int) -> UOp:
    """Any index expression."""
    if depth == 0:
        return rng.choice((R, J, N, UOp.const(rng.randrange(-9, 9), dtypes.index)))
    x, y, c = anything(rng, depth - 1), anything(rng, rng.randrange(depth)), rng.randrange(1, 9)
    return rng.choice((
        lambda: rising(rng, depth), lambda: x + y, lambda: x - y, lambda: -x, lambda: x * y, lambda: x * -c, lambda: x // c,
        lambda: x // -c, lambda: x % c, lambda: x % N, lambda: x.idiv(c), lambda: x.rem(c), lambda: x.minimum(y), lambda: x >> 1,
        lambda: abs(x), lambda: (x < y).where(x, y), lambda: x // c * rng.randrange(-9, 9) + x % c * rng.randrange(-3, 3)))()


@pytest.mark.parametrize("seed", range(150))
def test_what_falls_in_no_loop_has_exact_extremes(seed: int) -> None:
    index = rising(random.Random(seed), 1 + seed % 4)
    for n in SIZES:
        assert found(index, n) == counted(index, n), f"seed {seed}, n = {n}\n{index}"


@pytest.mark.parametrize("seed", range(400))
def test_an_extreme_is_taken_by_some_iteration(seed: int) -> None:
    index = anything(random.Random(seed), 1 + seed % 3)
    for n in SIZES:
        said, is_so = found(index, n), counted(index, n)
        assert all(s is None or s == k for s, k in zip(said, is_so, strict=True)), f"seed {seed}, n = {n}: {said}, counted {is_so}\n{index}"


@pytest.mark.parametrize("make", [
    lambda: R // 4, lambda: R // -4, lambda: R >> 2, lambda: R % 4, lambda: R % 4 * 10 + J, lambda: J - R % 4, lambda: (R + 3) % 5,
    lambda: (N - R) % 5, lambda: R // 3 * 8 + R % 3, lambda: R // 3 * 2 + R % 3, lambda: (R * 3 + J) // 7,
    lambda: R * R, lambda: R * J + J, lambda: R.minimum(4) * 2, lambda: R.maximum(J), lambda: (N - 1 - R) // 3, lambda: R % N,
    lambda: (R // 2).minimum(J) * 3 + 1, lambda: (R.cast(dtypes.i32) % 7).cast(dtypes.index) * 0 + R // 2,
])
def test_known_forms(make: Callable[[], UOp]) -> None:
    for n in SIZES:
        assert found(make(), n) == counted(make(), n)


@pytest.mark.parametrize("index", [
    (R - 5) * (R - 5), R * 3 % 7, R // 3 + R % 3, R // 3 * 8 - R % 3, R % 4 + R, UOp.param(0, dtypes.i32)[R].load().cast(dtypes.index),
    (R < 3).where(R, 0), (R + J) % 5, UOp.param(0, dtypes.i32)[R].load().cast(dtypes.index) % 7,
])
def test_what_is_not_understood_is_none(index: UOp) -> None:
    assert found(index, 7) == (None, None)


def test_directions() -> None:
    assert [direction(u, R) for u in (R, J, -R // 3, R // 3 - J, R % 3, R.minimum(-R))] == [1, 0, -1, 1, None, None]
    deep = R // 2
    for _ in range(60):  # shared parts are looked at once
        deep = deep + deep // 3
    assert direction(deep, R) == 1
