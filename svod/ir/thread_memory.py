"""LOAD, STORE and ATOMIC of thread kernels, for all active work items at once.

Owns: the addresses of buffers, group and item memories, the check of each, the order of atomics. Must not know statements.
Invariant: an access out of bounds is reported, with its work item, before anything is read or written by the statement; where items
meet in one element they act in the order of their numbers.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from svod.ir.args import AtomicKind
from svod.ir.machine import ATOMICS
from svod.ir.ops import Op
from svod.ir.semantics import meaning, storage
from svod.ir.thread_state import Mask, Run, narrowed, picked
from svod.ir.uop import UOp

Step = Callable[[Run, Mask], None]
Members = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Access:
    """The memory of an access, the places of its index and gate, and the words for an index that is out of bounds."""

    memory: UOp
    index: int
    gate: int | None
    what: str
    op: Op
    written: str = ""
    """Where in the author's file, if that is known."""

    @staticmethod
    def of(op: Op, index: UOp, at: Callable[[UOp], int], written: str = "") -> Access:
        """The access by `op` through an INDEX; `at` gives the places of nodes."""
        memory = index.src[0]
        kind = {Op.PARAM: "buffer", Op.DEFINE_LOCAL: "shared memory", Op.DEFINE_REG: "local memory"}[memory.op]
        what = f"{op.name} at index {{index}} of {kind} {_name(memory)!r}"
        return Access(memory, at(index.src[1]), at(index.src[2]) if len(index.src) == 3 else None, what, op, written)

    def gated(self, run: Run, mask: Mask) -> Mask | None:
        """The items that access."""
        return mask if self.gate is None else narrowed(mask, run.values[self.gate])

    def elements(self, run: Run, members: Members) -> tuple[NDArray[Any], Any]:
        """The memory, flat, and where in it these items access: an array, or one number for all. ArgumentError if out of bounds."""
        index = picked(run.values[self.index], members, run)
        cells = run.memories[self.memory]
        own = self.memory.op is not Op.PARAM
        size = cells.shape[-1] if own else cells.size
        self.check(run, index, size, members)
        if not own:
            return cells, _signed(index)
        rows = members if self.memory.op is Op.DEFINE_REG else members // run.group
        index = rows * size + _signed(index)
        if run.races is not None and self.memory.op is Op.DEFINE_LOCAL and self.op is not Op.ATOMIC:
            run.races.access(run, (self.op, self.memory), index, members)
        return cells.reshape(-1), index

    def check(self, run: Run, index: Any, size: int, members: Members) -> None:
        if np.ndim(index) == 0:
            if not 0 <= index < size:
                raise run.outside(self.what.format(index=index), size, int(members[0]), self.written)
        elif index.size and (index.max() >= size or index.min() < 0):
            first = int(np.flatnonzero((index < 0) | (index >= size))[0])
            raise run.outside(self.what.format(index=index[first]), size, int(members[first]), self.written)


def _name(memory: UOp) -> str:
    return memory.arg.name or str(memory.arg.id)


def _signed(index: Any) -> Any:
    return index if index.dtype == np.int64 else index.astype(np.int64)


def load(u: UOp, k: int, at: Callable[[UOp], int], written: str = "") -> Step:
    """A LOAD into place `k`. Items that do not take part have 0 there."""
    x, kind = Access.of(Op.LOAD, u.src[0], at, written), storage(u.dtype)
    alt = at(u.src[1]) if x.gate is not None else None

    def step(run: Run, mask: Mask) -> None:
        inside = x.gated(run, mask)
        if inside is None:
            run.values[k] = run.values[alt] if alt is not None else None
            return
        members = run.members(inside)
        cells, index = x.elements(run, members)
        if inside is run.full or np.ndim(index) == 0:
            value = cells[index]
            if alt is None or inside is run.full:
                run.values[k] = value
                return
        else:
            value = cells[index]
        whole = np.zeros(run.items, kind)
        if alt is not None:
            whole[:] = run.values[alt]
        whole[members] = value
        run.values[k] = whole
    return step


def load_cell(u: UOp, k: int) -> Step:
    """A LOAD of a DEFINE_REG of one element, a variable: never out of bounds."""
    memory = u.src[0].src[0]

    def step(run: Run, mask: Mask) -> None:
        run.values[k] = run.memories[memory][:, 0].copy()
    return step


def store(u: UOp, at: Callable[[UOp], int], written: str = "") -> Step:
    """A STORE. Of items that write one element, the last one's value stays."""
    x, value = Access.of(Op.STORE, u.src[0], at, written), at(u.src[1])

    def step(run: Run, mask: Mask) -> None:
        if (inside := x.gated(run, mask)) is None:
            return
        members = run.members(inside)
        cells, index = x.elements(run, members)
        new = picked(run.values[value], members, run)
        cells[index] = new[-1] if np.ndim(index) == 0 and np.ndim(new) else new
    return step


def store_cell(u: UOp, at: Callable[[UOp], int]) -> Step:
    """A STORE to a DEFINE_REG of one element."""
    memory, value = u.src[0].src[0], at(u.src[1])

    def step(run: Run, mask: Mask) -> None:
        cell = run.memories[memory][:, 0]
        if mask is run.full:
            cell[:] = run.values[value]
        else:
            np.copyto(cell, run.values[value], where=mask)
    return step


def is_cell(index: UOp) -> bool:
    """An INDEX, without gate, of the one element of a DEFINE_REG."""
    memory, at = index.src[0], index.src[1]
    return memory.op is Op.DEFINE_REG and memory.arg.size == 1 and len(index.src) == 2 and at.op is Op.CONST and at.arg.value == 0


# --- atomics -----------------------------------------------------------------------------------------------------------------------

_AT_ONCE = {AtomicKind.ADD: np.add.at, AtomicKind.MIN: np.minimum.at, AtomicKind.MAX: np.maximum.at, AtomicKind.AND: np.bitwise_and.at,
            AtomicKind.OR: np.bitwise_or.at, AtomicKind.XOR: np.bitwise_xor.at}
"""For integers whose old values nobody wants: any order gives the same."""
Update = Callable[[Any, Any, Any], Any]
"""What an element becomes, of its old value, the operand, and what was expected."""


def atomic(u: UOp, k: int, at: Callable[[UOp], int], wanted: bool, written: str = "") -> Step:
    """An ATOMIC, its old values into place `k` (0 where the gate is false). `wanted` is whether anything uses them."""
    x, places = Access.of(Op.ATOMIC, u.src[0], at, written), [at(s) for s in u.src[1:]]
    kind, update = storage(u.dtype), _update(u)
    counts = u.arg is AtomicKind.ADD and u.dtype.is_int
    at_once = None if wanted or not u.dtype.is_int else _AT_ONCE.get(u.arg)

    def step(run: Run, mask: Mask) -> None:
        run.values[k] = old = np.zeros(run.items, kind)
        if (inside := x.gated(run, mask)) is None:
            return
        members = run.members(inside)
        cells, index = x.elements(run, members)
        index = np.broadcast_to(index, members.shape)
        values = [np.broadcast_to(picked(run.values[p], members, run), members.shape) for p in places]
        if at_once is not None:
            at_once(cells, index, values[0])
        else:
            old[members] = (_counted if counts else _in_order)(cells, index, values, update)
    return step


def _update(u: UOp) -> Update:
    if u.arg is AtomicKind.COMPARE_EXCHANGE:
        bits = f"u{storage(u.dtype).itemsize}"
        return lambda old, new, expected: np.where(old.view(bits) == expected.view(bits), new, old)
    if u.arg is AtomicKind.EXCHANGE:
        return lambda old, new, _: new
    combine = meaning(ATOMICS[u.arg], u.dtype, u.dtype)
    return lambda old, new, _: combine(old, new)


def _segments(index: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """The order that sorts items by element and keeps their order within one, where each element's items begin, and the rank of each."""
    order = np.argsort(index, kind="stable")
    ordered = index[order]
    first = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    rank = np.arange(index.size) - np.repeat(first, np.diff(np.append(first, index.size)))
    return order, first, rank


def _counted(cells: NDArray[Any], index: NDArray[Any], values: list[NDArray[Any]], update: Update) -> NDArray[Any]:
    """Integer additions, in order: old values are running sums, which wrap like the additions do."""
    order, first, _ = _segments(index)
    added = values[0][order]
    before = np.cumsum(added, dtype=added.dtype) - added
    before -= np.repeat(before[first], np.diff(np.append(first, index.size)))
    old: NDArray[Any] = np.empty_like(added)
    old[order] = cells[index[order]] + before
    np.add.at(cells, index, values[0])
    return old


def _in_order(cells: NDArray[Any], index: NDArray[Any], values: list[NDArray[Any]], update: Update) -> NDArray[Any]:
    """Updates item after item: all items that come first to their element at once, then all that come second, and so on."""
    order, _, rank = _segments(index)
    old = np.empty(index.size, cells.dtype)
    expected = values[-1]
    turns = order[np.argsort(rank, kind="stable")]
    ends = np.cumsum(np.bincount(rank)).tolist()
    for start, stop in zip([0, *ends], ends, strict=False):
        turn = turns[start:stop]
        where = index[turn]
        old[turn] = seen = cells[where]
        cells[where] = update(seen, values[0][turn], expected[turn])
    return old
