"""Turns a lowered graph into a LINEAR program: instructions in execution order, loops as RANGE … END.

Owns: where each node is executed. A pure node goes to the outermost loop that has what it needs; a load too, but never past the
test of a loop that may run zero times; effects stay where the graph closes them. Must not know targets.
Invariant: every operand is executed before its user, in a block that is open there.
"""
from __future__ import annotations

from collections.abc import Callable

from svod.codegen.closers import effects_of
from svod.errors import GraphError
from svod.ir.args import BarrierScope
from svod.ir.bounds import interval
from svod.ir.ops import MEMORIES, OPS, Effect, Op
from svod.ir.scope import free_ranges, nest_order
from svod.ir.uop import UOp

LEAVES = frozenset((*MEMORIES, Op.CONST, Op.DEFINE_VAR))
EMPTY = UOp(Op.GROUP)


def linearize(sink: UOp) -> UOp:
    """The LINEAR program of a SINK whose effects are closed and whose reductions are lowered."""
    return UOp(Op.LINEAR, tuple(_Linearizer(sink).run()))


class _Block:
    """An open stretch of instructions: the program itself, a loop body, or the part before a loop that runs only if the loop does."""

    def __init__(self, ranges: frozenset[UOp], *, guard: bool = False) -> None:
        self.ranges, self.guard = ranges, guard
        self.items: list[UOp] = []
        self.placed: set[UOp] = set()


class _Linearizer:
    """One linearization. `chain` holds the open blocks from the program inwards; `where` the depth of each node in it."""

    def __init__(self, sink: UOp) -> None:
        self.sink = sink
        self.chain = [_Block(frozenset())]
        self.where: dict[UOp, int] = {}

    def run(self) -> list[UOp]:
        leaves = [u for u in self.sink.toposort() if u.op in LEAVES]
        for u in leaves:
            self.put(u, 0)
        for level in _barrier_levels(self.sink):
            self.phase(level)
        for e in self.sink.src:
            self.effect(e)
        return self.chain[0].items

    def phase(self, barriers: list[UOp]) -> None:
        """Everything the barriers wait for, then one barrier; nothing computed before it is visible after it."""
        for b in barriers:
            for e in b.src:
                self.effect(e)
        root = self.chain[0]
        root.items.append(UOp.barrier(scope=BarrierScope.GRID))
        for u in [u for u in root.placed if u.op not in LEAVES]:
            if OPS[u.op].effect is Effect.PURE or u.op is Op.LOAD:
                root.placed.discard(u)
                del self.where[u]
        for b in barriers:
            self.note(b, 0)

    def note(self, u: UOp, depth: int) -> None:
        self.where[u] = depth
        self.chain[depth].placed.add(u)

    def put(self, u: UOp, depth: int) -> None:
        """Executes `u` at the end of the block at `depth`."""
        self.chain[depth].items.append(u)
        self.note(u, depth)

    def need(self, root: UOp) -> None:
        """Makes the value of `root` (or the effect it stands for) available, each node in its own block."""
        stack = [root]
        while stack:
            u = stack[-1]
            if u in self.where:
                stack.pop()
                continue
            if u.op is Op.END:
                stack.pop()
                self.loop(u, self.depth_of(free_ranges(u)))
                continue
            if u.op is Op.STORE:  # done whether or not a loop that needs it runs
                stack.pop()
                self.at(self.depth_of(free_ranges(u)), lambda u=u: self.effect(u))  # type: ignore[misc]
                continue
            if u.op is Op.RANGE:
                raise GraphError(f"axis {u.arg.path} is used outside its loop", hint="close the store with .end(range), or reduce over it")
            missing = [s for s in u.src if s not in self.where]
            if missing:
                stack.extend(reversed(missing))
                continue
            stack.pop()
            self.place(u)

    def depth_of(self, ranges: frozenset[UOp]) -> int:
        """The outermost open block inside all of `ranges`."""
        for d, block in enumerate(self.chain):
            if ranges <= block.ranges:
                return d
        lost = nest_order(ranges - self.chain[-1].ranges)
        raise GraphError(f"axis {lost[0].arg.path} is used outside its loop", hint="close the store with .end(range), or reduce over it")

    def place(self, u: UOp) -> None:
        depth = max([self.depth_of(free_ranges(u)), *(self.where[s] for s in u.src)])
        if u.op in (Op.AFTER, Op.GROUP, Op.BARRIER):
            self.note(u, depth)
        elif u.op is Op.LOAD and not _surely_inside(u):  # its gate may be true, and its index sound, only where the loop runs
            self.put(u, max(depth, self.guard_depth()))
        else:
            self.put(u, depth)

    def guard_depth(self) -> int:
        return max((d for d, b in enumerate(self.chain) if b.guard), default=0)

    def effect(self, e: UOp) -> None:
        """Does `e` in the innermost open block, whatever it depends on."""
        if e in self.where:
            return
        if e.op is Op.GROUP:
            for x in effects_of(e):
                self.effect(x)
        elif e.op is Op.END:
            self.loop(e, len(self.chain) - 1)
        else:
            for s in e.src:
                self.need(s)
            if e in self.where:
                return
            if e.op is Op.AFTER:
                self.effect(e.src[0])
            else:
                self.put(e, len(self.chain) - 1)

    def loop(self, end: UOp, depth: int) -> None:
        """Builds the loops of `end` and appends them to the block at `depth`."""
        self.at(depth, lambda: self.nest(nest_order(tuple(r for r in end.src[1:] if r.op is Op.RANGE)), end.src[0]))
        self.note(end, depth)

    def at(self, depth: int, do: Callable[[], None]) -> None:
        """Does something with the block at `depth` as the innermost one; what deeper blocks hold is out of sight meanwhile."""
        saved, self.chain = self.chain[depth + 1:], self.chain[:depth + 1]
        for block in saved:
            for u in block.placed:
                del self.where[u]
        do()
        for i, block in enumerate(saved):
            self.chain.append(block)
            for u in block.placed:
                self.where[u] = depth + 1 + i

    def nest(self, ranges: list[UOp], body: UOp) -> None:
        if not ranges:
            self.effect(body)
            return
        r, *rest = ranges
        if interval(r.src[1])[1] <= interval(r.src[0])[0]:
            return
        for s in r.src:
            self.need(s)
        outer = self.chain[-1]
        may_skip = interval(r.src[1])[0] - interval(r.src[0])[1] < 1
        before = _Block(outer.ranges, guard=may_skip) if may_skip else outer
        if may_skip:
            self.chain.append(before)
        inside = _Block(outer.ranges | {r})
        self.chain.append(inside)
        self.note(r, len(self.chain) - 1)
        self.nest(rest, body)
        self.close(inside)
        loop = [r, *inside.items, EMPTY.end(r)]
        if may_skip:
            self.close(before)
            loop = self.guarded(r, before.items, loop)
        outer.items += loop

    def guarded(self, r: UOp, before: list[UOp], loop: list[UOp]) -> list[UOp]:
        if not before:
            return loop
        test = r.src[0] < r.src[1]
        branch = UOp(Op.IF, (test,))
        return [test, branch, *before, *loop, UOp(Op.ENDIF, (branch,))]

    def close(self, block: _Block) -> None:
        self.chain.pop()
        for u in block.placed:
            self.where.pop(u, None)


def _surely_inside(load: UOp) -> bool:
    """True if the address is valid whatever happens: a known size, and an index proved to be below it."""
    ptr, index = load.src[0].src[0], load.src[0].src[1]
    while ptr.op is Op.AFTER:
        ptr = ptr.src[0]
    size = getattr(ptr.arg, "size", None)
    lo, hi = interval(index)
    return size is not None and lo >= 0 and hi < size


def _barrier_levels(sink: UOp) -> list[list[UOp]]:
    """Grid barriers by how many others must come before them."""
    level: dict[UOp, int] = {}
    out: list[list[UOp]] = []
    for u in sink.toposort():
        below = max((level[s] for s in u.src), default=0)
        grid = u.op is Op.BARRIER and u.arg is BarrierScope.GRID
        level[u] = below + grid
        if grid:
            while len(out) <= below:
                out.append([])
            out[below].append(u)
    return out
