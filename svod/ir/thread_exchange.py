"""SUBGROUP of thread kernels: shuffles, votes, reductions and scans among the work items of each subgroup that take part.

Owns: who is whose partner, and the order in which lanes are combined (from the lowest up). Must not know statements.
Invariant: a work item's result depends on items of its own subgroup only; one whose partner is not there, or does not take part, gets
its own value.
"""
from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from svod.dtype import DType
from svod.ir.args import SubgroupKind
from svod.ir.ops import Op
from svod.ir.semantics import identity, literal, meaning
from svod.ir.thread_state import Mask, Run
from svod.ir.uop import UOp

Step = Callable[[Run, Mask], None]
Lanes = NDArray[np.int64]


def exchange(u: UOp, k: int, at: Callable[[UOp], int]) -> Step:
    """A SUBGROUP into place `k`."""
    kind, width = u.arg.kind, u.arg.width
    value = at(u.src[0])
    if len(u.src) == 2:
        return _shuffle(k, value, at(u.src[1]), (kind, width))
    if kind is SubgroupKind.REDUCE:
        return _combined(k, value, width, _reduction(u.arg.op, u.dtype))
    if kind in (SubgroupKind.INCLUSIVE, SubgroupKind.EXCLUSIVE):
        return _combined(k, value, width, _scan(u.arg.op, u.dtype, exclusive=kind is SubgroupKind.EXCLUSIVE))
    return _combined(k, value, width, _VOTES[kind])


def _lanes(run: Run, width: int) -> tuple[Lanes, Lanes]:
    """Of each item: its lane, and the number of its subgroup among all of the run."""
    inside = run.numbers % run.group
    return inside % width, run.numbers // run.group * -(-run.group // width) + inside // width


# --- shuffles ----------------------------------------------------------------------------------------------------------------------

def _shuffle(k: int, value: int, by: int, how: tuple[SubgroupKind, int]) -> Step:
    kind, width = how

    def step(run: Run, mask: Mask) -> None:
        lane, _ = _lanes(run, width)
        distance = np.asarray(run.values[by])
        if kind is SubgroupKind.SHUFFLE:
            partner = (distance % distance.dtype.type(width)).astype(np.int64)
        else:  # a distance of the width or more leads outside, whatever it is
            near = np.clip(distance, -width, width).astype(np.int64) if distance.dtype.kind == "i" \
                else np.minimum(distance, distance.dtype.type(width)).astype(np.int64)
            partner = {SubgroupKind.UP: lane - near, SubgroupKind.DOWN: lane + near, SubgroupKind.XOR: lane ^ near}[kind]
        own = np.broadcast_to(run.values[value], (run.items,))
        number = run.numbers - lane + partner
        there = (partner >= 0) & (partner < width) & (number < (run.numbers // run.group + 1) * run.group)
        number = np.where(there, number, run.numbers)
        run.values[k] = np.where(mask[number], own[number], own)
    return step


# --- votes, reductions, scans --------------------------------------------------------------------------------------------------------

Combine = Callable[[NDArray[Any], NDArray[np.bool_]], NDArray[Any]]
"""From the values and the participation of lanes, both (subgroups, width), to the results, of that shape or (subgroups, 1)."""


def _combined(k: int, value: int, width: int, combine: Combine) -> Step:
    def step(run: Run, mask: Mask) -> None:
        lane, subgroup = _lanes(run, width)
        own = np.broadcast_to(run.values[value], (run.items,))
        count = run.groups * -(-run.group // width)
        table, present = np.zeros((count, width), own.dtype), np.zeros((count, width), np.bool_)
        table[subgroup, lane], present[subgroup, lane] = own, mask
        result = combine(table, present)
        run.values[k] = np.broadcast_to(result, (count, width))[subgroup, lane]
    return step


def _neutral(op: Op, dtype: DType) -> Any:
    """What changes nothing when it is combined: for float sums -0.0, not 0.0."""
    return literal(-0.0 if op is Op.ADD and dtype.is_float else identity(op, dtype), dtype)


def _reduction(op: Op, dtype: DType) -> Combine:
    combine, neutral = meaning(op, dtype, dtype), _neutral(op, dtype)

    def result(table: NDArray[Any], present: NDArray[np.bool_]) -> NDArray[Any]:
        table = np.where(present, table, neutral)
        return np.asarray(reduce(combine, [table[:, j] for j in range(table.shape[1])]))[:, None]
    return result


def _scan(op: Op, dtype: DType, *, exclusive: bool) -> Combine:
    combine, neutral, start = meaning(op, dtype, dtype), _neutral(op, dtype), literal(identity(op, dtype), dtype)

    def result(table: NDArray[Any], present: NDArray[np.bool_]) -> NDArray[Any]:
        table = np.where(present, table, neutral)
        columns = [np.full(len(table), neutral)]
        for j in range(table.shape[1]):
            columns.append(combine(columns[-1], table[:, j]))
        if not exclusive:
            return np.stack(columns[1:], axis=1)
        below: NDArray[np.int64] = np.cumsum(present, axis=1) - present
        return np.where(below == 0, start, np.stack(columns[:-1], axis=1))
    return result


def _ballot(table: NDArray[Any], present: NDArray[np.bool_]) -> NDArray[Any]:
    bits = (table & present).astype(np.uint64) << np.arange(table.shape[1], dtype=np.uint64)
    return np.asarray(np.bitwise_or.reduce(bits, axis=1, keepdims=True))


_VOTES: dict[SubgroupKind, Combine] = {
    SubgroupKind.ANY: lambda table, present: np.asarray((table & present).any(axis=1, keepdims=True)),
    SubgroupKind.ALL: lambda table, present: np.asarray((table | ~present).all(axis=1, keepdims=True)),
    SubgroupKind.BALLOT: _ballot,
}
