"""Exchanges by shuffles and ballots: the work items of one group in lockstep get what the interpreter gives them."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import svod
from svod.codegen.gpu.lower import lower_items
from svod.codegen.passes import Context
from svod.config import Config
from svod.dtype import DType, PtrDType, dtypes
from svod.dtype.convert import numpy_dtype
from svod.ir.args import SubgroupKind
from svod.ir.ops import ELEMENTWISE, Op
from svod.ir.semantics import apply, storage
from svod.ir.uop import UOp
from svod.target import Target
from svod.target.target import CPU_ARITHMETIC, CPU_NATIVE
from svod.testing.threads import Threads

Array = NDArray[Any]
ITEMS = 64
TARGET = Target("lockstep", "", CPU_ARITHMETIC, frozenset(dtypes.ALL), CPU_NATIVE, ids=True, subgroup=32)


class Lockstep:
    """Executes a LINEAR program of one work item for a group of them, each instruction for all."""

    def __init__(self, linear: UOp, buffers: list[Array], native: int) -> None:
        self.values: dict[UOp, Array] = {}
        self.memory: dict[UOp, Array] = {}
        self.active = [np.ones(ITEMS, bool)]
        self.buffers, self.native, self.counts = buffers, native, dict[Op, int]()
        for u in linear.src:
            self.counts[u.op] = self.counts.get(u.op, 0) + 1
            self.run(u)

    def value(self, u: UOp) -> Array:
        if u.op is Op.AFTER:
            return self.value(u.src[0])
        if u.op is Op.CONST:
            return np.full(ITEMS, u.arg.value, storage(u.dtype))
        return self.values[u]

    def place(self, address: UOp) -> tuple[Array, Any]:
        """The array, and the elements of it, an access is for."""
        m, at = address.src[0], self.value(address.src[1])
        while m.op is Op.AFTER:
            m = m.src[0]
        if m.op is Op.PARAM:
            return self.buffers[m.arg.slot], at
        if m not in self.memory:
            assert isinstance(m.dtype, PtrDType)
            self.memory[m] = np.zeros((ITEMS, m.arg.size), numpy_dtype(m.dtype.base))
        return self.memory[m], (np.arange(ITEMS), at)

    def run(self, u: UOp) -> None:
        if u.op is Op.SPECIAL:
            self.values[u] = np.arange(ITEMS) if u.arg.kind.value == "local" and u.arg.axis == 0 else np.zeros(ITEMS, np.int64)
        elif u.op in ELEMENTWISE:
            self.values[u] = np.asarray(apply(u.op, u.dtype, u.arg, *map(self.value, u.src)))
        elif u.op is Op.LOAD:
            array, at = self.place(u.src[0])
            self.values[u] = array[at]
        elif u.op is Op.STORE:
            array, at = self.place(u.src[0])
            on = self.active[-1]
            array[tuple(x[on] for x in at) if isinstance(at, tuple) else at[on]] = self.value(u.src[1])[on]
        elif u.op is Op.IF:
            self.active.append(self.active[-1] & self.value(u.src[0]))
        elif u.op is Op.ENDIF:
            self.active.pop()
        elif u.op is Op.SUBGROUP:
            assert self.active[-1].all(), "all work items come to an exchange"
            self.values[u] = self.exchanged(u)
        else:
            assert u.op in (Op.CONST, Op.PARAM, Op.DEFINE_REG, Op.DEFINE_VAR, Op.INDEX), u.op

    def exchanged(self, u: UOp) -> Array:
        x, width, n = self.value(u.src[0]), u.arg.width, np.arange(ITEMS)
        if u.arg.kind is SubgroupKind.BALLOT:
            assert width == self.native
            bits = [sum(int(b) << k for k, b in enumerate(x[first:first + width])) for first in range(0, ITEMS, width)]
            return np.repeat(np.array(bits, numpy_dtype(u.dtype)), width)
        by, lane = self.value(u.src[1]).astype(np.int64), n % width
        to = {SubgroupKind.SHUFFLE: by % width, SubgroupKind.UP: lane - by, SubgroupKind.DOWN: lane + by,
              SubgroupKind.XOR: lane ^ by}[u.arg.kind]
        return x[np.where((to >= 0) & (to < width), n - lane + to, n)]


def agrees(kernel: UOp, d: DType, result: DType, target: Target = TARGET) -> Lockstep:
    """Runs a kernel of data, lanes, out both ways; what the first way was."""
    r = np.random.default_rng(3)
    data = r.integers(0, 2, ITEMS).astype(bool) if d.is_bool else r.integers(-9, 9, ITEMS).astype(numpy_dtype(d))
    lanes = r.integers(-40, 90, ITEMS).astype(np.int32)
    got, want = (np.zeros(ITEMS, numpy_dtype(result)) for _ in range(2))
    slots = sorted({u.arg.slot for u in kernel.find(Op.PARAM)})
    done = Lockstep(lower_items(kernel, Context(target, Config())), [data, lanes, got], target.subgroup)
    svod.Device("INTERP").compile(kernel).execute([(data, lanes, want)[n] for n in slots], {f"_grid_{x}": 1 for x in "xyz"})
    np.testing.assert_array_equal(got, want)
    return done


def kernel(kind: SubgroupKind, d: DType, *, width: int = 32, by: int | None = None, op: Op | None = None, masked: bool = False) -> UOp:
    """out[i] = the exchange of data[i], by lanes[i] or `by`; of the odd work items only if `masked`."""
    k = Threads("k", (ITEMS, 1, 1), subgroup=max(32, width))
    result = dtypes.u64 if kind is SubgroupKind.BALLOT else d
    data, lanes, out = (UOp.param(s, t, name=n) for s, t, n in ((0, d, "data"), (1, dtypes.i32, "lanes"), (2, result, "out")))
    lane = None
    if kind in (SubgroupKind.SHUFFLE, SubgroupKind.UP, SubgroupKind.DOWN, SubgroupKind.XOR):
        lane = k.load(lanes, k.thread()) if by is None else by
    value = k.load(data, k.thread())
    if masked:
        with k.if_((k.thread() % 2).eq(1) & (k.thread() % 8 < 6)):
            k.store(out, k.thread(), k.subgroup(kind, value, lane, width=width, op=op))
    else:
        k.store(out, k.thread(), k.subgroup(kind, value, lane, width=width, op=op))
    return k.kernel()


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("width", [32, 8, 2])
@pytest.mark.parametrize("kind", [SubgroupKind.SHUFFLE, SubgroupKind.UP, SubgroupKind.DOWN, SubgroupKind.XOR])
def test_shuffles(kind: SubgroupKind, width: int, masked: bool) -> None:
    for by in (None, 0, 1, width - 1, width, -1):
        agrees(kernel(kind, dtypes.i32, width=width, by=by, masked=masked), dtypes.i32, dtypes.i32)
    agrees(kernel(kind, dtypes.f32, width=width, masked=masked), dtypes.f32, dtypes.f32)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("width", [32, 8, 2])
def test_votes(width: int, masked: bool) -> None:
    for kind, result in ((SubgroupKind.ANY, dtypes.bool), (SubgroupKind.ALL, dtypes.bool), (SubgroupKind.BALLOT, dtypes.u64)):
        done = agrees(kernel(kind, dtypes.bool, width=width, masked=masked), dtypes.bool, result)
        assert done.counts[Op.SUBGROUP] == 1


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("kind", [SubgroupKind.REDUCE, SubgroupKind.INCLUSIVE, SubgroupKind.EXCLUSIVE])
def test_what_combines(kind: SubgroupKind, masked: bool) -> None:
    for op in (Op.ADD, Op.MUL, Op.MAX, Op.MIN, Op.AND, Op.OR, Op.XOR):
        agrees(kernel(kind, dtypes.i64, op=op, masked=masked), dtypes.i64, dtypes.i64)
    for op in (Op.ADD, Op.MAX):
        agrees(kernel(kind, dtypes.f32, width=8, op=op, masked=masked), dtypes.f32, dtypes.f32)


def test_a_sum_takes_as_many_shuffles_as_halves() -> None:
    assert agrees(kernel(SubgroupKind.REDUCE, dtypes.i32, op=Op.ADD), dtypes.i32, dtypes.i32).counts[Op.SUBGROUP] == 5


def test_a_known_distance_is_one_instruction() -> None:
    done = agrees(kernel(SubgroupKind.XOR, dtypes.i32, by=4), dtypes.i32, dtypes.i32)
    assert done.counts[Op.SUBGROUP] == 1
    assert not {Op.WHERE, Op.XOR} & done.counts.keys()


def test_wider_subgroups_use_wider_ballots() -> None:
    wide = replace(TARGET, subgroup=64)
    agrees(kernel(SubgroupKind.BALLOT, dtypes.bool, width=64), dtypes.bool, dtypes.u64, wide)
    agrees(kernel(SubgroupKind.REDUCE, dtypes.i32, width=64, op=Op.ADD), dtypes.i32, dtypes.i32, wide)


@pytest.mark.parametrize(("width", "native"), [(64, 32), (32, 16)])
def test_wider_ones_than_the_target_has_go_through_memory(width: int, native: int) -> None:
    ctx = Context(replace(TARGET, subgroup=native), Config())
    linear = lower_items(kernel(SubgroupKind.REDUCE, dtypes.i32, width=width, op=Op.ADD), ctx)
    assert Op.SUBGROUP not in {u.op for u in linear.src}
    assert Op.BARRIER in {u.op for u in linear.src}
