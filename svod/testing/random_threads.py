"""Random thread kernels: branches, loops, jumps, barriers, shared memory, exchanges and atomics, nested at random.

Owns: the generator. Must not know devices. Invariants: a seed gives the same kernel everywhere; arithmetic is of integers, so results are
exact; there are no data races but by atomics that commute, so every order of the work items gives the same result; loops end.
"""
from __future__ import annotations

import random
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from svod.dtype import AddrSpace, dtypes
from svod.ir.args import AtomicKind, SubgroupKind
from svod.ir.ops import Op
from svod.ir.threads import grid_variable
from svod.ir.uop import UOp
from svod.testing.threads import Threads

BLOCKS = ((1, 1, 1), (3, 1, 1), (8, 1, 1), (16, 1, 1), (20, 1, 1), (64, 1, 1), (256, 1, 1), (4, 4, 1), (16, 3, 1), (5, 2, 3),
          (32, 12, 1), (7, 45, 1), (128, 1, 1), (100, 2, 1))
INPUTS = 997
MOST = 5
"""Iterations of a random loop."""
I64 = dtypes.i64


@dataclass(frozen=True)
class ThreadCase:
    """A kernel, its grid, and what to launch it with: buffers by slot, variables by name."""

    threads: UOp
    buffers: tuple[NDArray[np.int64], ...]
    values: dict[str, int]


class _Writer:
    """One kernel being written. `values` are what is in scope, `same` those of them that are the same in the whole group."""

    def __init__(self, seed: int) -> None:
        self.r = random.Random(seed)
        self.block = self.r.choice(BLOCKS)
        self.k = Threads("random", self.block, subgroup=8)
        x, y, _ = self.block
        self.items = x * y * self.block[2]
        self.lane = self.k.thread(0) + self.k.thread(1) * x + self.k.thread(2) * (x * y)
        gx, gy = grid_variable(0), grid_variable(1)
        self.item = (self.k.block(0) + gx * (self.k.block(1) + gy * self.k.block(2))) * self.items + self.lane
        self.data, self.out, self.count = (UOp.param(i, I64, name=n) for i, n in enumerate(("data", "out", "count")))
        self.values = [self.lane.cast(I64), self.item.cast(I64), self.const()]
        self.same = [self.k.block(0).cast(I64), self.k.block(1).cast(I64), self.const(), self.const()]
        self.straight = self.r.random() < 0.3
        """No loops and barriers."""
        self.around = 0
        """Loops around that all work items of the group go through together."""
        self.cells: list[UOp] = []
        self.common: list[UOp] = []
        self.shared = self.k.memory(I64, self.items, AddrSpace.LOCAL, "tile")
        self.array = self.k.memory(I64, 4, name="array")
        self.exchanges = self.items % 8 == 0 and self.r.random() < 0.4

    def const(self) -> UOp:
        return UOp.const(self.r.choice((-7, -2, -1, 0, 1, 2, 3, 5, 10, 63)), I64)

    def number(self, depth: int = 2, *, same: bool = False) -> UOp:
        r = self.r.random()
        if depth == 0 or r < 0.3:
            cells = self.common if same else self.cells + self.common
            if cells and self.r.random() < 0.6:
                return self.k.get(self.r.choice(cells))
            return self.r.choice(self.same if same else self.values + self.same)
        a, b = self.number(depth - 1, same=same), self.number(depth - 1, same=same)
        op = self.r.choice((Op.ADD, Op.SUB, Op.MUL, Op.MAX, Op.MIN, Op.XOR, Op.FLOORDIV, Op.FLOORMOD))
        return UOp(op, (a, b))

    def truth(self, *, same: bool = False) -> UOp:
        if not same and self.r.random() < 0.3:
            return self.guard()
        a, b = self.number(1, same=same), self.number(1, same=same)
        return UOp(self.r.choice((Op.CMPLT, Op.CMPEQ, Op.CMPNE, Op.CMPLE)), (a, b))

    def guard(self) -> UOp:
        """What kernels ask first: whether an id is within bounds."""
        axis = self.r.choice((0, 0, 1))
        place = self.r.choice((self.item, self.lane, self.k.thread(axis), self.k.item(axis)))
        bound = self.r.choice((1, self.block[axis] - 1, self.items, self.items * 2 + 3))
        inside = UOp(self.r.choice((Op.CMPLT, Op.CMPLE)), (place, UOp.const(bound, dtypes.index)))
        if self.r.random() < 0.3:
            inside = inside & (UOp.const(self.r.choice((0, 2)), dtypes.index) < place)
        return inside

    def index(self, size: int) -> UOp:
        if self.r.random() < 0.3:
            return (self.lane + self.r.choice((0, 1, 2))) % size
        return UOp(Op.FLOORMOD, (self.number(1), UOp.const(size, I64))).cast(dtypes.index)

    # ---- statements -------------------------------------------------------------------------------------------------
    def statements(self, depth: int, loops: int, *, together: bool) -> None:
        """Some statements; `together`: all work items of the group are here."""
        kept, same, cells, common = list(self.values), list(self.same), list(self.cells), list(self.common)
        for _ in range(self.r.randint(1, 4)):
            self.statement(depth, loops, together=together)
        self.values, self.same, self.cells, self.common = kept, same, cells, common

    def statement(self, depth: int, loops: int, *, together: bool) -> None:
        plain = [self.let, self.variable, self.assign, self.assign, self.read, self.element, self.bump]
        if self.exchanges and together:
            plain.append(self.exchange)
        nested = [self.branch] if depth else []
        if depth and not self.straight:
            nested += [self.loop, self.counted]
        if depth and together:
            nested += [self.uniform_branch]
            nested += [] if self.straight else [self.exchange_shared, self.uniform_loop, self.stream]
        if self.r.random() < 0.45 and nested:
            self.r.choice(nested)(depth, loops, together)
        else:
            self.r.choice(plain)(together)

    def let(self, together: bool) -> None:
        self.values.append(self.k.let(self.number()))

    def variable(self, together: bool) -> None:
        if together and self.r.random() < 0.4:
            self.common.append(self.k.variable(I64, self.number(same=True)))
        else:
            self.cells.append(self.k.variable(I64, self.number()))

    def assign(self, together: bool) -> None:
        if together and self.common and self.r.random() < 0.4:
            self.k.set(self.r.choice(self.common), self.number(same=True))
        elif self.cells:
            self.k.set(self.r.choice(self.cells), self.number())

    def read(self, together: bool) -> None:
        gate = self.truth() if self.r.random() < 0.3 else None
        self.values.append(self.k.load(self.data, self.index(INPUTS), gate))

    def element(self, together: bool) -> None:
        self.k.store(self.array, self.index(4), self.number())
        self.values.append(self.k.load(self.array, self.index(4)))

    def bump(self, together: bool) -> None:
        kind = self.r.choice((AtomicKind.ADD, AtomicKind.XOR))
        slot = 0 if kind is AtomicKind.ADD else 5
        where = UOp.const(slot, dtypes.index) if self.r.random() < 0.4 else self.index(5) + slot
        self.k.atomic(kind, self.count, where, self.number())

    def exchange(self, together: bool) -> None:
        kind = self.r.choice(list(SubgroupKind))
        value = self.number()
        if kind in (SubgroupKind.ANY, SubgroupKind.ALL, SubgroupKind.BALLOT):
            self.values.append(self.k.subgroup(kind, self.truth(), width=8).cast(I64))
        elif kind in (SubgroupKind.REDUCE, SubgroupKind.INCLUSIVE, SubgroupKind.EXCLUSIVE):
            self.values.append(self.k.subgroup(kind, value, width=8, op=self.r.choice((Op.ADD, Op.MAX, Op.XOR))))
        else:
            by = self.r.randint(0, 7) if self.r.random() < 0.6 else self.index(8)
            self.values.append(self.k.subgroup(kind, value, by, width=8))

    # ---- control ----------------------------------------------------------------------------------------------------
    def branch(self, depth: int, loops: int, together: bool) -> None:
        with self.k.if_(self.truth()):
            self.statements(depth - 1, loops, together=False)
            self.jump(loops)
        if self.r.random() < 0.5:
            with self.k.else_():
                self.statements(depth - 1, loops, together=False)
                self.jump(loops)

    def jump(self, loops: int) -> None:
        if self.r.random() < 0.3:
            self.k.leave(self.r.choice((Op.BREAK, Op.CONTINUE)) if loops and self.r.random() < 0.8 else Op.RETURN)

    def loop(self, depth: int, loops: int, together: bool) -> None:
        if self.r.random() < 0.4:
            self.upwards(depth)
            return
        left = self.k.variable(I64, UOp(Op.FLOORMOD, (self.number(), UOp.const(MOST, I64))))
        with self.k.loop():
            with self.k.if_(self.k.get(left) < 1):
                self.k.leave(Op.BREAK)
            self.k.set(left, self.k.get(left) - 1)
            self.statements(depth - 1, loops + 1, together=False)

    def upwards(self, depth: int) -> None:
        """`while i < stop: …; i += step`, and what i is behind it."""
        start = self.r.choice((self.lane.cast(I64) % MOST, self.const()))
        at = self.k.variable(I64, start)
        stop = UOp(Op.FLOORMOD, (self.number(1, same=self.r.random() < 0.6), UOp.const(MOST, I64)))
        step = UOp(Op.FLOORMOD, (self.number(1, same=True), UOp.const(3, I64))) + 2
        with self.k.loop():
            with self.k.if_((self.k.get(at) < stop).ne(True)):
                self.k.leave(Op.BREAK)
            self.values.append(self.k.get(at))
            self.statements(depth - 1, 0, together=False)  # a CONTINUE would go round for ever
            self.values.pop()
            self.k.set(at, self.k.get(at) + step)
        self.values.append(self.k.get(at))

    def counted(self, depth: int, loops: int, together: bool) -> None:
        step: int | UOp = self.r.choice((1, 1, 2, -1, -3))
        kinds = (False, self.r.random() < 0.5)
        start, stop = (UOp(Op.FLOORMOD, (self.number(1, same=s), UOp.const(MOST, I64))).cast(dtypes.index) for s in kinds)
        if self.r.random() < 0.4:  # each from its own place on, all by one step
            start = self.lane % MOST
            step = UOp(Op.FLOORMOD, (self.number(1, same=True), UOp.const(3, I64))).cast(dtypes.index) + 1
        with self.k.for_(start, stop, step) as i:
            self.values.append(i.cast(I64))
            self.statements(depth - 1, loops + 1, together=False)
            self.values.pop()

    def exchange_shared(self, depth: int, loops: int, together: bool) -> None:
        """Each work item writes its element, all wait, each reads some element, all wait."""
        if self.gone:
            return
        self.k.store(self.shared, self.lane, self.number())
        self.k.barrier()
        self.values.append(self.k.load(self.shared, self.index(self.items)))
        self.k.barrier()

    def uniform_branch(self, depth: int, loops: int, together: bool) -> None:
        with self.k.if_(self.truth(same=True)):
            self.statements(depth - 1, 0, together=True)
            if self.around and self.r.random() < 0.3:
                self.k.leave(self.r.choice((Op.BREAK, Op.CONTINUE)))
        if self.r.random() < 0.5:
            with self.k.else_():
                self.statements(depth - 1, 0, together=True)

    def uniform_loop(self, depth: int, loops: int, together: bool) -> None:
        stop = UOp(Op.FLOORMOD, (self.number(1, same=True), UOp.const(MOST, I64))).cast(dtypes.index)
        with self.k.for_(0, stop) as i:
            self.same.append(i.cast(I64))
            if self.r.random() < 0.3:
                with self.k.if_(self.truth(same=True)):
                    self.k.leave(Op.BREAK)
            self.around += 1
            self.statements(depth - 1, 0, together=True)
            self.around -= 1
            self.same.pop()

    def stream(self, depth: int, loops: int, together: bool) -> None:
        """Side by side through `data`, often in steps as long as the group."""
        first = self.lane if self.r.random() < 0.7 else self.k.thread(0) + self.r.choice((0, 5))
        stop = UOp(Op.FLOORMOD, (self.number(1, same=True), UOp.const(INPUTS + 1, I64))).cast(dtypes.index)
        stop = UOp.const(INPUTS - self.r.randint(0, 99), dtypes.index) if self.r.random() < 0.6 else stop
        step: int | UOp = self.r.choice((self.items, 32, 64, 100))
        if self.r.random() < 0.3:
            step = UOp(Op.FLOORMOD, (self.number(1, same=True), UOp.const(3, I64))).cast(dtypes.index) * step
        total = self.k.variable(I64, self.number())
        kept, cells = list(self.values), [*self.cells, total]
        with self.k.for_(first, stop, step) as i:
            self.values.append(self.k.load(self.data, i))
            self.k.set(total, self.k.get(total) * 3 + self.values[-1])
            plain = [self.let, self.variable, self.assign, self.assign, self.read, self.bump]
            for _ in range(self.r.randint(1, 3)):
                self.r.choice(plain)(False)
            self.values.append(i.cast(I64))
            self.assign(False)
        self.values, self.cells = kept, cells

    @property
    def gone(self) -> bool:
        """Whether some work items may have returned: those that are left still meet at barriers, but their elements are not written."""
        return any(u.op is Op.RETURN for block in self.k.open for s in block for u in s.toposort())


def random_thread_case(seed: int) -> ThreadCase:
    """The kernel of that seed with something to launch it with."""
    w = _Writer(seed)
    w.k.store(w.array, 0, 0)
    w.values.append(w.k.load(w.data, w.lane % INPUTS))
    w.k.atomic(AtomicKind.ADD, w.count, 10, 1)
    for i in range(1, 4):
        w.k.store(w.array, i, w.lane.cast(I64) * i)
    w.statements(3, 0, together=True)
    if not w.straight and not w.gone and w.r.random() < 0.4:
        w.stream(0, 0, together=True)
    w.statements(3, 0, together=True)
    for n in range(3):
        w.k.store(w.out, w.item * 3 + n, w.number())
    grid = (w.r.randint(1, 4), w.r.choice((1, 1, 2)), w.r.choice((1, 1, 3)))
    rng = np.random.default_rng(seed)
    buffers = (rng.integers(-50, 50, INPUTS), np.zeros(prod(grid) * w.items * 3, np.int64), np.zeros(11, np.int64))
    return ThreadCase(w.k.kernel(), buffers, {grid_variable(i).arg.name: n for i, n in enumerate(grid)})
