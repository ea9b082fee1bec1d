"""The tools of property tests: random graphs, points, comparison bit for bit."""
from __future__ import annotations

import numpy as np
import pytest

from svod.dtype import DType, dtypes
from svod.ir.bounds import interval
from svod.ir.interp import evaluate
from svod.ir.ops import ELEMENTWISE, Op
from svod.ir.uop import UOp
from svod.testing.graphs import INDEX_LIMIT, SCALARS, RandomGraphs, differences, disagreement, points


def test_graphs_and_points_are_the_same_for_the_same_seed() -> None:
    one, two = (RandomGraphs(11).graph(50) for _ in range(2))
    assert one is two
    at, again = points((one,), 4), points((one,), 4)
    assert at.keys() == again.keys()
    assert not any(differences(at[u], again[u]).any() for u in at)


@pytest.mark.parametrize("dtype", SCALARS, ids=str)
def test_points_hold_the_special_values(dtype: DType) -> None:
    u = UOp.scalar("v", dtype)
    found = evaluate(u, points((u,), 0))
    wanted = [0.0, -0.0, float("inf"), float("-inf"), float("nan")] if dtype.is_float else [dtype.min, dtype.max, 0]
    for value in wanted:
        assert not differences(found, evaluate(UOp.const(value, dtype))).all(), value


def test_points_keep_loop_variables_in_bounds() -> None:
    n = UOp.variable("n", 1, 12)
    r = UOp.range(n, 0)
    at = points((r + n,), 9, 1000)
    assert (at[r] >= 0).all()
    assert (at[r] < at[n]).all()
    assert set(at[n].tolist()) == set(range(1, 13))


def test_differences_are_bitwise_but_for_nan() -> None:
    a = np.array([0.0, 1.0, np.nan, np.inf], np.float32)
    b = np.array([-0.0, 1.0, -np.nan, np.inf], np.float32)
    assert differences(a, b).tolist() == [True, False, False, False]
    assert differences(np.array([1, 2]), np.array([1, 3])).tolist() == [False, True]


def test_disagreement_shows_the_point() -> None:
    a = UOp.scalar("a", dtypes.i32)
    assert disagreement(a, a + 0, {a: np.array([5, 6], np.int32)}) == ""
    assert disagreement(a, a + 1, {a: np.array([5, 6], np.int32)}) == "5 became 6 at a=5"


def test_random_graphs_hold_every_kind_of_operation() -> None:
    found = {u.op for seed in range(300) for u in RandomGraphs(seed).graph(60).toposort()}
    transcendental = {o for o in ELEMENTWISE if Op.EXP.value <= o.value <= Op.RSQRT.value} | {Op.POW, Op.ATAN2, Op.HYPOT}
    assert (ELEMENTWISE - transcendental) | {Op.BROADCAST, Op.RAMP, Op.STACK, Op.EXTRACT, Op.LANES, Op.REDUCE, Op.RANGE} <= found


def test_index_expressions_fit_64_bits() -> None:
    for seed in range(50):
        for u in RandomGraphs(seed, (dtypes.index,)).graph(60).toposort():
            assert u.dtype.scalar is not dtypes.index or max(map(abs, interval(u))) <= INDEX_LIMIT
