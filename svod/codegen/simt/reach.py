"""How many elements of each buffer a thread kernel touches, where that is seen from its ids, loops and guards.

Owns: `threads_elements`. Must not know launches. Invariant: it never asks for more than the kernel touches: an access is passed over if it
is behind a condition, a jump or a loop that is not understood, or if its index comes from memory.

Ids and the values of loops become RANGEs, and guards such as `i < n` become bounds of theirs, so that the rest is that of loop kernels.
"""
from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from svod.codegen.reach import needed
from svod.codegen.simt.shape import jumps_out, prepared
from svod.codegen.simt.values import with_values
from svod.dtype import dtypes
from svod.ir.args import AxisKind, RangeArg, SpecialKind
from svod.ir.bounds import constant
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.scope import free_ranges
from svod.ir.threads import block_id, grid_variable, thread_id
from svod.ir.uop import UOp

Conditions = tuple[UOp, ...]


def threads_elements(threads: UOp) -> dict[int, UOp]:
    """Least element count of each buffer slot, as an expression over a launch's variables; slots of which nothing is known are left out."""
    found = _Reach(threads)
    found.block(with_values(prepared(rewrite(threads, SIMPLIFY).src[0])), ())
    return {slot: rewrite(top, SIMPLIFY) for slot, top in found.need.items()}


class _Reach:
    """A walk over the statements. `values` are those of the loops that are open."""

    def __init__(self, threads: UOp) -> None:
        self.need: dict[int, UOp] = {}
        self.ids = count()
        block = threads.arg.block
        self.global_ids = [self.range(0, grid_variable(a) * block[a]) for a in range(3)]
        self.joined = {thread_id(a, block): g - block_id(a) * block[a] for a, g in enumerate(self.global_ids)}
        """Thread ids by global ids: where the block's id then drops out, the global id is all there is."""
        self.apart = {thread_id(a, block): self.range(0, block[a]) for a in range(3)}
        self.apart |= {block_id(a): self.range(0, grid_variable(a)) for a in range(3)}
        self.values: dict[UOp, UOp] = {}

    def range(self, start: UOp | int, stop: UOp | int) -> UOp:
        ends = tuple(e if isinstance(e, UOp) else UOp.const(e, dtypes.index) for e in (start, stop))
        return UOp(Op.RANGE, tuple(rewrite(e, SIMPLIFY) for e in ends), RangeArg((next(self.ids),), AxisKind.LOOP))

    def block(self, block: UOp, guards: Conditions) -> None:
        for s in block.src:
            if s.op is Op.FOR:
                self.loop(s, guards)
            elif s.op is Op.BRANCH:
                self.block(s.src[1], (*guards, s.src[0]))
                self.block(s.src[2], (*guards, rewrite(~s.src[0], SIMPLIFY)))
            elif s.op in (Op.LET, Op.STORE):
                self.access(s.src[1] if s.op is Op.LET else s, guards)
            if jumps_out(s):
                return  # what follows is done by some work items only

    def loop(self, s: UOp, guards: Conditions) -> None:
        """What a counted loop without jumps does, for all its values, if its bounds are the launch's."""
        value, start, stop, step, body = s.src
        if value.dtype is dtypes.index and constant(step) == 1 and not jumps_out(body) and not (_varies(start) or _varies(stop)):
            self.values[value] = self.range(start, stop)
            self.block(body, guards)
            del self.values[value]

    def over(self, expr: UOp, ids: dict[UOp, UOp]) -> UOp:
        """`expr` over RANGEs."""
        return rewrite(expr.substitute(self.values | ids), SIMPLIFY)

    def access(self, u: UOp, guards: Conditions) -> None:
        """Notes what a LOAD, STORE or ATOMIC without a gate of its own needs."""
        if u.op not in (Op.LOAD, Op.STORE, Op.ATOMIC) or u.src[0].src[0].op is not Op.PARAM or len(u.src[0].src) > 2:
            return
        (buffer, at), limits = u.src[0].src, self.bounded([self.over(g, self.joined) for g in guards])
        if limits is None:
            return
        index = self.over(at, self.joined).substitute(limits)
        ranges = [limits.get(r, r) for r in self.global_ids]
        if _varies(index) and all(not free_ranges(g) and not _varies(g) for g in guards):
            index, ranges = self.over(at, self.apart), list(self.apart.values())
        if _varies(index):
            return
        top = needed(UOp(Op.LOAD, (UOp(Op.INDEX, (buffer, index)),)), frozenset((*ranges, *self.values.values())))
        if top is not None:
            happens, zero = UOp.const(True, dtypes.bool), UOp.const(0, dtypes.index)
            for g in (p for guard in guards for p in _parts(self.over(guard, self.joined)) if not free_ranges(p)):
                happens = happens & g
            self.need[buffer.arg.slot] = self.need.get(buffer.arg.slot, zero).maximum(happens.where(top, zero))

    def bounded(self, guards: list[UOp]) -> dict[UOp, UOp] | None:
        """The global ids within what the guards say. None if one of them is not understood; those of the launch alone are passed over."""
        ends = {r: list(r.src) for r in self.global_ids}
        for g in (p for guard in guards for p in _parts(guard)):
            if _varies(g):
                return None
            if not free_ranges(g):
                if any(u.dtype.is_float for u in g.toposort()):
                    return None
                continue
            if g.op not in (Op.CMPLT, Op.CMPLE) or g.src[0].dtype is not dtypes.index:
                return None
            (a, b), equal = g.src, int(g.op is Op.CMPLE)
            if a in ends and not free_ranges(b):
                ends[a][1] = ends[a][1].minimum(b + equal)
            elif b in ends and not free_ranges(a):
                ends[b][0] = ends[b][0].maximum(a + 1 - equal)
            else:
                return None
        return {r: self.range(*e) for r, e in ends.items() if tuple(e) != r.src}


def _parts(condition: UOp) -> Iterator[UOp]:
    if condition.op is Op.AND:
        yield from _parts(condition.src[0])
        yield from _parts(condition.src[1])
    else:
        yield condition


def _varies(u: UOp) -> bool:
    """Whether there is something in `u` that is neither a launch's nor a RANGE's."""
    ids = (SpecialKind.GLOBAL, SpecialKind.LOCAL)
    return any(x.op in (Op.VALUE, Op.LOAD) or (x.op is Op.SPECIAL and x.arg.kind in ids) for x in u.toposort())
