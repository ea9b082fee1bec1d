"""Executes the LINEAR program of a work item, group after group, as a GPU would: to see that groups meet at barriers and do not race.

Owns: the execution in step of the work items of a group, what is a race. Must not know schedules; programs without ATOMIC only, and
scalar but for the operands of an MMA and elements side by side, which begin at a multiple of their number.
Invariants: a barrier that not all work items of the group reach, an access out of bounds, and two accesses to one element, one of them a
store, by two work items without a barrier of their group between them, or of the grid if they are of two groups, are errors.
"""
from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from svod.dtype import DType
from svod.errors import ArgumentError, LaunchError
from svod.ir.args import SpecialKind, product_types
from svod.ir.clause import executed
from svod.ir.interp import evaluate
from svod.ir.machine import fresh
from svod.ir.ops import Op
from svod.ir.semantics import PURE, literal, meaning, storage
from svod.ir.uop import UOp
from svod.renderers.phases import item_phases
from svod.target.abi import describe

Values = NDArray[Any]


Watch = Callable[[UOp, Values], None]
"""Sees each access: the LOAD or STORE, and the index of the first element of each work item."""


def run_groups(linear: UOp, buffers: Sequence[Values], values: Mapping[str, int | float] | None = None, watch: Watch | None = None) -> int:
    """Executes the program in place, with the sizes of a launch that it says itself; how many work items there were. LaunchError for a race
    and a barrier that some miss, ArgumentError for an access out of bounds. `watch` is told of accesses that all work items make."""
    meta, given = describe(linear), dict(values or {})
    known: dict[UOp | str, Any] = dict(given.items())
    sizes = [int(evaluate(s, known)) for s in (*meta.global_size, *(meta.local_size or ()))]
    common = {u: fresh(u) for u in linear.find(Op.DEFINE_SCRATCH)}
    for phase in item_phases(linear):
        launch = _Launch(phase, buffers, given, common, {}, watch)
        for group in itertools.product(*map(range, sizes[2::-1])):
            _Group(launch, group[::-1], tuple(sizes[3:])).run()
    return int(np.prod(sizes))


class _Launch(NamedTuple):
    """One phase: its instructions, buffers, values of variables, memory that all groups share, which group has stored each
    element, and which has read it (-2: several), who sees accesses."""

    instructions: Sequence[UOp]
    buffers: Sequence[Values]
    given: Mapping[str, int | float]
    common: Mapping[UOp, Values]
    owners: dict[UOp, tuple[Values, Values]]
    watch: Watch | None


class _Group:
    """One group: each value is an array with an element for each work item."""

    def __init__(self, launch: _Launch, group: tuple[int, ...], shape: tuple[int, ...]) -> None:
        self.launch, self.group, self.shape, self.items = launch, group, shape, int(np.prod(shape))
        self.number = int(sum(g * 1_000_003**k for k, g in enumerate(self.group)))
        self.values: dict[UOp, Values] = {}
        self.memories: dict[UOp, Values] = {}
        self.touched: dict[UOp, tuple[Values, Values]] = {}

    def run(self) -> None:
        """Executes the group."""
        with np.errstate(all="ignore"):
            self.block(0, np.ones(self.items, np.bool_))

    def block(self, at: int, mask: Values) -> int:
        """The instructions from `at` to where the block ends; the place behind that."""
        while at < len(self.launch.instructions):
            u = self.launch.instructions[at]
            at += 1
            if u.op in (Op.END, Op.ENDIF):
                return at
            if u.op is Op.IF:
                at = self.block(at, mask & self.value(u.src[0]))
            elif u.op is Op.RANGE:
                at = self.loop(u, at, mask)
            elif u.op is Op.BARRIER:
                if not mask.all() and mask.any():
                    raise LaunchError(f"divergent barrier: {int(mask.sum())} of {self.items} work items reach it")
                self.touched.clear()
            else:
                self.step(u, mask)
        return at

    def loop(self, r: UOp, at: int, mask: Values) -> int:
        start, stop = (self.value(s) for s in r.src)
        counter, behind = start.copy(), at
        while True:
            self.values[r] = counter
            active = mask & (counter < stop)
            behind = self.block(at, active)
            if not active.any():
                return behind
            counter = counter + 1

    def value(self, u: UOp) -> Values:
        u = executed(u)
        if u not in self.values:
            one = u.arg.value if u.op is Op.CONST else self.launch.given[u.arg.name]
            self.values[u] = np.full(self.items, literal(one, u.dtype))
        return self.values[u]

    def step(self, u: UOp, mask: Values) -> None:
        if u.op is Op.STACK:
            self.values[u] = np.stack([self.value(s) for s in u.src])
        elif u.op is Op.EXTRACT:
            self.values[u] = self.value(u.src[0])[u.arg]
        elif u.op is Op.MMA:
            if not mask.all() and mask.any():
                raise LaunchError(f"divergent product: {int(mask.sum())} of {self.items} work items reach it")
            self.values[u] = multiplied(u, *(self.value(s) for s in u.src))
        elif u.op in PURE:
            self.values[u] = np.asarray(meaning(u.op, u.dtype, u.src[0].dtype, u.arg)(*[self.value(s) for s in u.src]))
        elif u.op is Op.SPECIAL:
            ids = np.unravel_index(np.arange(self.items), self.shape[::-1])[::-1]
            own = ids[u.arg.axis] if u.arg.kind is SpecialKind.LOCAL else np.full(self.items, self.group[u.arg.axis])
            self.values[u] = own.astype(storage(u.dtype))
        elif u.op in (Op.LOAD, Op.STORE):
            self.access(u, mask)

    def access(self, u: UOp, mask: Values) -> None:
        index = executed(u.src[0])
        memory, where, value = executed(index.src[0]), self.value(index.src[1]), self.value(u.src[1]) if len(u.src) == 2 else None
        if len(index.src) == 3:
            mask = mask & self.value(index.src[2])
        lanes = index.src[1].dtype.lanes
        if self.launch.watch is not None and mask.all():
            self.launch.watch(u, where if lanes == 1 else where[:, 0])
        if lanes == 1:
            got = self.element(u, memory, (where, mask), value)
        else:
            if (where[mask, 0] % lanes).any():
                raise ArgumentError(f"{u.op.name} of {lanes} elements of {memory.arg.name!r} at once from index {where[mask, 0].max()} on")
            got = np.stack([self.element(u, memory, (where[:, k], mask), None if value is None else value[k]) for k in range(lanes)])
        if u.op is Op.LOAD:
            self.values[u] = got

    def element(self, u: UOp, memory: UOp, place: tuple[Values, Values], value: Values | None) -> Values:
        """One element of each work item: what is read, or was to be written."""
        where, mask = place
        cells, items = self.cells(memory), np.flatnonzero(mask)
        at = where[items]
        size = cells.shape[-1]
        if at.size and (at.min() < 0 or at.max() >= size):
            raise ArgumentError(f"{u.op.name} at index {at[(at < 0) | (at >= size)][0]} of {memory.arg.name!r}, which has {size} elements")
        if memory.op is not Op.DEFINE_REG:
            self.check(u.op, memory, at, items)
        own = (items, at) if memory.op is Op.DEFINE_REG else at
        if u.op is Op.STORE and value is not None:
            cells[own] = value[items]
            return value
        old = np.zeros(self.items, cells.dtype) if value is None else value.copy()
        old[items] = cells[own]
        return old

    def cells(self, memory: UOp) -> Values:
        """The elements of a memory; of one of its own for each work item."""
        if memory not in self.memories:
            common = self.launch.common.get(memory)
            one = self.launch.buffers[memory.arg.slot].reshape(-1) if memory.op is Op.PARAM else fresh(memory) if common is None else common
            self.memories[memory] = np.tile(one, (self.items, 1)) if memory.op is Op.DEFINE_REG else one
        return self.memories[memory]

    def check(self, op: Op, memory: UOp, at: Values, items: Values) -> None:
        """LaunchError for a race."""
        size = self.cells(memory).size
        writer, reader = self.touched.setdefault(memory, (np.full(size, -1), np.full(size, -1)))
        if memory.op in (Op.PARAM, Op.DEFINE_SCRATCH):  # in a phase groups never wait for one another: what one of them stores is its own
            owner, seen = self.launch.owners.setdefault(memory, (np.full(size, -1), np.full(size, -1)))
            foreign = (owner[at] != -1) & (owner[at] != self.number)
            if op is Op.STORE:
                foreign |= (seen[at] != -1) & (seen[at] != self.number)
                owner[at] = self.number
            else:
                seen[at] = np.where((seen[at] == -1) | (seen[at] == self.number), self.number, -2)
            if foreign.any():
                raise LaunchError(f"race: {op.name} of element {at[foreign][0]} of {memory.arg.name!r}, which another group uses")
        bad = (writer[at] != -1) & (writer[at] != items)
        if op is Op.STORE:
            bad |= (reader[at] != -1) & (reader[at] != items)
            writer[at] = items
            bad |= writer[at] != items
        else:
            reader[at] = np.where((reader[at] == -1) | (reader[at] == items), items, -2)
            again = reader[at] != items
            reader[at[again]] = -2
        if bad.any():
            raise LaunchError(f"race: {op.name} of element {at[bad][0]} of {memory.op.name} {memory.arg.name!r} by work item "
                              f"{items[bad][0]}, which another one touched since the last barrier")




def multiplied(mma: UOp, a: Values, b: Values, c: Values) -> Values:
    """The sums of an MMA on fragments, for all work items: the arrays have a row for each word that a work item holds.

    As "PTX ISA" has it for mma.sync, see svod/ir/products.py."""
    kinds, items = product_types(mma.arg.layout), a.shape[1]
    wide = c.dtype
    lanes = np.arange(items)
    warp, q, t = lanes // 32 * 32, lanes % 32 // 4, lanes % 4
    out = c.copy()

    def elements(words: Values, kind: DType) -> Values:
        """(work items, elements of a word), widened."""
        raw = np.ascontiguousarray(words.astype(np.uint32)).view(f"u{kind.bits // 8}").reshape(items, 32 // kind.bits)
        return raw.view(storage(kind)).astype(wide)

    for word in range(8):
        left = [elements(a[2 * (word // 4) + r][warp + 4 * q + word % 4], kinds[0]) for r in range(2)]
        right = [elements(b[word // 4][warp + 4 * (2 * t + k) + word % 4], kinds[1]) for k in range(2)]
        for r in range(2):
            for k in range(2):
                out[2 * r + k] += (left[r] * right[k]).sum(axis=1, dtype=wide)
    return out
