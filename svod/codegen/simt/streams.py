"""Loops in which work items walk through memory side by side: run in step by the whole group, so that memory is read in the order it lies.

Owns: that rewriting of statements. Must not know vectors. Invariant: each work item does the iterations it did, in their order.

Where item t reads elements t, t + 256, t + 512, … and the items run one vector after the other, each vector reads a sixteenth of every
KiB: the processor's prefetcher sees no stream, and memory gives a third of what it could. So the iterations that all items do become a
loop of the group with a barrier in it; the few that only some do follow as written.
"""
from __future__ import annotations

from itertools import count

from svod.codegen.simt.shape import has_barrier
from svod.codegen.simt.uniform import Uniformity
from svod.dtype import dtypes
from svod.ir.affine import linear
from svod.ir.args import BarrierScope, SpecialKind, ValueArg
from svod.ir.bounds import constant, vmin
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.uop import UOp

BODY = 100
"""Nodes of a loop that is worth it: in a longer one, memory is not what takes the time."""
VARIABLES = 4
"""Variables that a loop may have: they live in memory from one iteration to the next."""
STEP = 32
"""Elements between two iterations of a work item from which on its neighbours are read in between."""
_BARRIER = UOp(Op.BARRIER, (), BarrierScope.GROUP)


def with_streams(body: UOp, facts: Uniformity, block: tuple[int, int, int]) -> UOp:
    """`body`, the statements of a group of `block` work items, with such loops in step."""
    first = 1 + max((u.arg.id for u in body.find(Op.VALUE)), default=0)
    return body if facts.returns else _Streams(facts, block, count(first)).block(body)


class _Streams:
    def __init__(self, facts: Uniformity, block: tuple[int, int, int], values: count[int]) -> None:
        self.facts, self.group, self.values = facts, block, values

    def block(self, block: UOp) -> UOp:
        """A BLOCK that all work items execute together."""
        out: list[UOp] = []
        for s in block.src:
            if s.op is Op.FOR and (split := self._split(s)) is not None:
                out += split
            elif s.op is Op.FOR and has_barrier(s):
                out.append(s.replace(src=(*s.src[:-1], self.block(s.src[-1]))))
            else:
                out.append(s)
        return block if tuple(out) == block.src else UOp(Op.BLOCK, tuple(out))

    def _split(self, s: UOp) -> list[UOp] | None:
        """The FOR as one of the whole group and one of the rest; None if it is no such loop."""
        value, start, stop, step, body = s.src
        if value.dtype is not dtypes.index or not all(map(self.facts.uniform, (stop, step))) or vmin(step) < 0:
            return None
        by = constant(step)
        if (by is not None and by < STEP) or not self._streaming(value, body) or (last := self._last(start)) is None:
            return None
        whole = (stop - last + (step.maximum(1) - 1)).maximum(0) // step.maximum(1)
        trips = rewrite(step.eq(0).where(0, whole), SIMPLIFY)
        trip = UOp(Op.VALUE, (), ValueArg(next(self.values), value.arg.name), dtypes.index)
        together = body.substitute({value: rewrite(start + trip * step, SIMPLIFY)})
        zero, one = UOp.const(0, dtypes.index), UOp.const(1, dtypes.index)
        loop = UOp(Op.FOR, (trip, zero, trips, one, UOp(Op.BLOCK, (*together.src, _BARRIER))))
        return [loop, s.replace(src=(value, rewrite(start + trips * step, SIMPLIFY), stop, step, body))]

    def _last(self, start: UOp) -> UOp | None:
        """The greatest `start` of the group; None unless neighbours along x start at neighbours."""
        terms, rest = linear(start)
        total = UOp.const(rest, dtypes.index)
        unit = False
        for core, factor in terms.items():
            if core.op is Op.SPECIAL and core.arg.kind is SpecialKind.LOCAL:
                unit |= core.arg.axis == 0 and factor == 1
                total += max(0, factor * (self.group[core.arg.axis] - 1))
            elif self.facts.uniform(core):
                total += core * factor
            else:
                return None
        return rewrite(total, SIMPLIFY) if unit else None

    def _streaming(self, value: UOp, body: UOp) -> bool:
        """Whether the loop is a short one, straight, that touches an element of memory of its own in each iteration."""
        if len(body.toposort()) > BODY or any(s.op not in (Op.LET, Op.STORE, Op.ATOMIC) for s in body.src):
            return False
        variables = list(body.find(Op.DEFINE_REG))
        if len(variables) > VARIABLES or any(m.arg.size > 1 for m in variables):
            return False
        return any(self._own(u.src[1], value) for u in body.find(Op.INDEX) if u.src[0].op is Op.PARAM)

    def _own(self, index: UOp, value: UOp) -> bool:
        terms, _ = linear(index)
        return terms.pop(value, 0) == 1 and all(map(self.facts.uniform, terms))
