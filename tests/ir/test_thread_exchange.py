"""Every SUBGROUP of every width does what a loop over its lanes says, whoever takes part."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from svod.dtype import DType, dtypes
from svod.ir.args import SubgroupKind as Kind
from svod.ir.ops import REDUCTIONS, Op
from svod.ir.semantics import identity, meaning, reduces, storage
from svod.ir.threads_interp import ThreadsInterpreter
from svod.ir.uop import UOp
from svod.testing.threads import Threads

WIDTHS = (1, 2, 4, 8, 16, 32, 64)
BLOCKS = ((64, 1, 1), (5, 4, 1), (33, 1, 1))
Rows = list[list[int]]


def result(kind: Kind, x: NDArray[Any], active: NDArray[np.bool_], out: NDArray[Any], how: tuple[Any, ...]) -> NDArray[Any]:
    """What a kernel over two groups that does one exchange writes; items that are not active write nothing."""
    block, width, lane, op, dtype = how
    k = Threads(block=block, subgroup=64)
    group = block[0] * block[1]
    source, mask = UOp.param(0, dtype, name="x"), UOp.param(1, dtypes.bool, name="mask")
    target = UOp.param(2, out_dtype(kind, dtype), name="out")
    i = k.let(k.block() * group + k.thread(1) * block[0] + k.thread())
    with k.if_(k.load(mask, i)):
        by = None if lane is None else k.load(UOp.param(3, dtypes.i32, name="lane"), i)
        k.store(target, i, k.subgroup(kind, k.load(source, i), by, width=width, op=op))
    ThreadsInterpreter(k.kernel()).run([x, active, out, *([lane] if lane is not None else [])], {}, (2,))
    return out


def out_dtype(kind: Kind, dtype: DType) -> DType:
    """The dtype of a result."""
    return {Kind.ANY: dtypes.bool, Kind.ALL: dtypes.bool, Kind.BALLOT: dtypes.u64}.get(kind, dtype)


def subgroups(group: int, width: int) -> Rows:
    """The items of each subgroup of two groups."""
    return [list(range(g * group + s, g * group + min(s + width, group))) for g in range(2) for s in range(0, group, width)]


def partner(kind: Kind, lane: int, by: int, width: int) -> int:
    """Whose value a lane gets."""
    return {Kind.SHUFFLE: by % width, Kind.UP: lane - by, Kind.DOWN: lane + by, Kind.XOR: lane ^ by}[kind]


@pytest.fixture(params=["all", "some", "few"])
def share(request: pytest.FixtureRequest) -> float:
    """How many items take part."""
    return {"all": 1.0, "some": 0.6, "few": 0.1}[request.param]


def data(block: tuple[int, int, int], share: float) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Values and participation of the items of two groups."""
    rng, count = np.random.default_rng(block[0]), 2 * block[0] * block[1]
    return rng.integers(-50, 50, count), rng.random(count) < share


@pytest.mark.parametrize("block", BLOCKS, ids=str)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", [Kind.SHUFFLE, Kind.UP, Kind.DOWN, Kind.XOR], ids=lambda k: k.value)
def test_shuffles(kind: Kind, width: int, block: tuple[int, int, int], share: float) -> None:
    (x, active), rng = data(block, share), np.random.default_rng(2)
    lanes = rng.integers(-3, width + 3, x.size).astype(np.int32)
    expected = np.full(x.size, 99, np.int32)
    for row in subgroups(block[0] * block[1], width):
        for lane, i in enumerate(row):
            p = partner(kind, lane, int(lanes[i]), width)
            if active[i]:
                expected[i] = x[row[p]] if 0 <= p < len(row) and active[row[p]] else x[i]
    out = np.full(x.size, 99, np.int32)
    np.testing.assert_array_equal(result(kind, x.astype(np.int32), active, out, (block, width, lanes, None, dtypes.i32)), expected)


def test_a_distance_of_any_size_leads_outside() -> None:
    for dtype, by in ((dtypes.i8, -128), (dtypes.u64, (1 << 64) - 1), (dtypes.i64, 1 << 62), (dtypes.index, -(1 << 63))):
        for kind in (Kind.UP, Kind.DOWN, Kind.XOR):
            k, out = Threads(block=(8, 1, 1)), UOp.param(0, dtypes.i32, name="out")
            k.store(out, k.thread(), k.subgroup(kind, k.thread().cast(dtypes.i32), UOp.const(by, dtype), width=8))
            ThreadsInterpreter(k.kernel()).run([values := np.zeros(8, np.int32)])
            assert values.tolist() == list(range(8)), (dtype, kind)


@pytest.mark.parametrize("block", BLOCKS, ids=str)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", [Kind.ANY, Kind.ALL, Kind.BALLOT], ids=lambda k: k.value)
def test_votes(kind: Kind, width: int, block: tuple[int, int, int], share: float) -> None:
    x, active = data(block, share)
    x = x > 20
    expected = np.zeros(x.size, storage(out_dtype(kind, dtypes.bool)))
    for row in subgroups(block[0] * block[1], width):
        taking = [(lane, i) for lane, i in enumerate(row) if active[i]]
        votes = [bool(x[i]) for _, i in taking]
        for _, i in taking:
            expected[i] = {Kind.ANY: any(votes), Kind.ALL: all(votes), Kind.BALLOT: sum(1 << lane for lane, j in taking if x[j])}[kind]
    out = np.zeros_like(expected)
    np.testing.assert_array_equal(result(kind, x, active, out, (block, width, None, None, dtypes.bool)), expected)


CASES = [(op, t) for op in sorted(REDUCTIONS, key=lambda o: o.value) for t in (dtypes.i32, dtypes.u8, dtypes.f32, dtypes.f16, dtypes.bool)
         if reduces(op, t)]


@pytest.mark.parametrize(("op", "dtype"), CASES, ids=str)
@pytest.mark.parametrize("kind", [Kind.REDUCE, Kind.INCLUSIVE, Kind.EXCLUSIVE], ids=lambda k: k.value)
def test_reductions_and_scans(kind: Kind, op: Op, dtype: DType, share: float) -> None:
    block, width = (48, 1, 1), 32
    x, active = data(block, share)
    x = (x % 3 if op is not Op.MUL else x % 2 + 1).astype(storage(dtype))
    combine, start = meaning(op, dtype, dtype), storage(dtype).type(identity(op, dtype))
    expected = np.zeros(x.size, storage(dtype))
    for row in subgroups(48, width):
        taking = [i for i in row if active[i]]
        for n, i in enumerate(taking):
            last = {Kind.REDUCE: len(taking), Kind.INCLUSIVE: n + 1, Kind.EXCLUSIVE: n}[kind]
            total = start
            with np.errstate(over="ignore"):
                for j in taking[:last]:
                    total = combine(total, x[j])
            expected[i] = total
    out = np.zeros_like(expected)
    np.testing.assert_array_equal(result(kind, x, active, out, (block, width, None, op, dtype)), expected)


@pytest.mark.parametrize("width", WIDTHS)
def test_scans_of_every_width(width: int) -> None:
    x, active = data((64, 1, 1), 0.7)
    out = np.zeros(x.size, np.int32)
    expected = out.copy()
    for row in subgroups(64, width):
        total = 0
        for i in row:
            if active[i]:
                expected[i] = total
                total += int(x[i])
    np.testing.assert_array_equal(
        result(Kind.EXCLUSIVE, x.astype(np.int32), active, out, ((64, 1, 1), width, None, Op.ADD, dtypes.i32)), expected)
