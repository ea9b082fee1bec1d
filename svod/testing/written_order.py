"""Executes a kernel graph as it is written, loop by loop: the order of effects that every schedule and device has to keep.

Owns: that definition. Must not know schedules, stages, devices. Invariant: effects are done in written order, those that others wait for
first; a node has one value in one iteration, computed where it is first needed.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from svod.codegen.closers import normalize, own_nodes
from svod.errors import GraphError
from svod.ir.effects import memory
from svod.ir.machine import fresh
from svod.ir.ops import Op
from svod.ir.scope import free_ranges, nest_order
from svod.ir.semantics import PURE, identity, literal, meaning
from svod.ir.uop import UOp
from svod.testing.case import Array


def run_as_written(sink: UOp, buffers: Sequence[Array], values: Mapping[str, int | float] | None = None) -> None:
    """Executes `sink` on flat arrays, in place. GraphError for an access out of bounds; for graphs without atomics, barriers and ids."""
    with np.errstate(all="ignore"):
        _Run(buffers, values or {}).effect(normalize(sink))


class _Run:
    """Memories, and the values of nodes (None for effects that are done) in the present iteration."""

    def __init__(self, buffers: Sequence[Array], variables: Mapping[str, int | float]) -> None:
        self.buffers, self.variables = buffers, variables
        self.memories: dict[UOp, Array] = {}
        self.known: dict[UOp, Any] = {}
        self.stale: dict[tuple[UOp, UOp], list[UOp]] = {}

    def effect(self, e: UOp) -> None:
        if e in self.known or e.op is Op.RANGE:
            return
        if e.op in (Op.GROUP, Op.SINK):
            for x in e.src:
                self.effect(x)
        elif e.op is Op.END:
            self.loops(e, nest_order(e.src[1:]), lambda: self.effect(e.src[0]))
        elif e.op is Op.AFTER:
            self.await_(e)
            self.effect(e.src[0])
        elif e.op is Op.STORE:
            index = e.src[0]
            value, at = self.value(e.src[1]), self.place(index)
            if at is not None:
                self.array(index)[at] = value
        else:
            self.value(e)
            return
        self.known[e] = None

    def await_(self, after: UOp) -> None:
        for d in after.src[1:]:
            self.effect(d)

    def loops(self, closer: UOp, ranges: list[UOp], body: Any) -> None:
        """`body` for every iteration; what depends on a loop is forgotten when it moves on, and when it ends. A value that is known before
        and does not depend on the loop is read anew in each of its iterations, and is what it was afterwards."""
        if not ranges:
            body()
            return
        r, stale = ranges[0], self.forgets(closer, ranges[0])
        again = r in self.known  # awaited inside a loop over r itself
        around = {u: self.known[u] for u in stale if u in self.known and (again or r not in free_ranges(u))}
        start, stop = (int(self.value(s)) for s in r.src)
        for i in range(start, stop):
            for u in stale:
                self.known.pop(u, None)
            self.known[r] = np.int64(i)
            self.loops(closer, ranges[1:], body)
        for u in stale:
            self.known.pop(u, None)
        self.known.update(around)

    def forgets(self, closer: UOp, r: UOp) -> list[UOp]:
        """The nodes that have another value in the next iteration of `r`: those that depend on it, and on memory that the loop stores."""
        if (closer, r) not in self.stale:
            own = set(own_nodes(closer.src[0]))
            stored = {memory(u.src[0]) for u in own if u.op is Op.STORE}
            reads = {u for u in own if u.op is Op.LOAD and memory(u.src[0]) in stored}
            reads |= {u for u in own if u.op in (Op.STORE, Op.END, Op.GROUP)}  # done in every iteration, whatever they depend on
            for u in closer.toposort():
                if u in own and any(s in reads for s in u.src):
                    reads.add(u)
            self.stale[closer, r] = [u for u in closer.toposort() if u is not closer and (u in reads or r in free_ranges(u))]
        return self.stale[closer, r]

    def value(self, u: UOp) -> Any:
        if u not in self.known:
            self.known[u] = self.compute(u)
        return self.known[u]

    def compute(self, u: UOp) -> Any:
        if u.op in PURE:
            return meaning(u.op, u.dtype, u.src[0].dtype, u.arg)(*[self.value(s) for s in u.src])
        if u.op is Op.CONST:
            return literal(u.arg.value, u.dtype)
        if u.op is Op.DEFINE_VAR:
            return literal(self.variables[u.arg.name], u.dtype)
        if u.op is Op.AFTER:
            self.await_(u)
            return self.value(u.src[0])
        if u.op is Op.REDUCE:
            return self.reduce(u)
        if u.op is Op.LOAD:
            at = self.place(u.src[0])
            return self.value(u.src[1]) if at is None else self.array(u.src[0])[at]
        raise GraphError(f"{u!r} has no value")

    def reduce(self, u: UOp) -> Any:
        total = [literal(identity(u.arg, u.dtype), u.dtype)]
        combine = meaning(u.arg, u.dtype, u.dtype)

        def add() -> None:
            total[0] = combine(total[0], self.value(u.src[0]))
        self.loops(u, nest_order(u.src[1:]), add)
        return total[0]

    def place(self, index: UOp) -> int | None:
        """The element an INDEX names, None where its gate is false."""
        self.pointer(index.src[0])
        if len(index.src) == 3 and not self.value(index.src[2]):
            return None
        at = int(self.value(index.src[1]))
        if not 0 <= at < self.array(index).size:
            raise GraphError(f"index {at} of {memory(index)!r}, which has {self.array(index).size} elements")
        return at

    def pointer(self, p: UOp) -> None:
        while p.op is Op.AFTER:
            self.await_(p)
            p = p.src[0]

    def array(self, index: UOp) -> Any:
        m = memory(index)
        if m.op is Op.PARAM:
            return self.buffers[m.arg.slot]
        if m not in self.memories:
            self.memories[m] = fresh(m)
        return self.memories[m]


