"""How many elements of each buffer a thread kernel touches, where that is seen from its ids, loops and guards.

Owns: `threads_elements`, the walk over the statements. Must not know launches, nor what ids and guards mean (views.py). Invariant: it never
asks for more than the kernel touches: an access is passed over if it is behind a condition, a jump or a loop that is not understood, or if
its index comes from memory.

Ids and the values of loops become RANGEs, and guards such as `i < n` become bounds of theirs, so that the rest is that of loop kernels.
"""
from __future__ import annotations

from itertools import count

from svod.codegen.simt.shape import jumps_out, prepared
from svod.codegen.simt.values import with_values
from svod.codegen.simt.views import Conditions, View
from svod.codegen.simt.whiles import with_counted_loops
from svod.dtype import dtypes
from svod.ir.args import AxisKind, RangeArg
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.threads import block_id, grid_variable, thread_id
from svod.ir.uop import UOp


def threads_elements(threads: UOp) -> dict[int, UOp]:
    """Least element count of each buffer slot, as an expression over a launch's variables; slots of which nothing is known are left out."""
    found = _Reach(threads)
    found.block(with_values(with_counted_loops(with_values(prepared(rewrite(threads, SIMPLIFY).src[0])))), ())
    return {slot: rewrite(top, SIMPLIFY) for slot, top in found.need.items()}


class _Reach:
    """A walk over the statements."""

    def __init__(self, threads: UOp) -> None:
        self.need: dict[int, UOp] = {}
        self.numbers = count()
        block = threads.arg.block
        items = [self.range(0, grid_variable(a) * block[a]) for a in range(3)]
        joined = {thread_id(a, block): g - block_id(a) * block[a] for a, g in enumerate(items)}
        """Thread ids by global ids: where the block's id then drops out, the global id is all there is."""
        apart = {thread_id(a, block): self.range(0, block[a]) for a in range(3)}
        apart |= {block_id(a): self.range(0, grid_variable(a)) for a in range(3)}
        self.views = (View(joined, items, self.range), View(apart, list(apart.values()), self.range))

    def range(self, start: UOp | int, stop: UOp | int) -> UOp:
        """A RANGE of its own."""
        ends = tuple(e if isinstance(e, UOp) else UOp.const(e, dtypes.index) for e in (start, stop))
        return UOp(Op.RANGE, tuple(rewrite(e, SIMPLIFY) for e in ends), RangeArg((next(self.numbers),), AxisKind.LOOP))

    def block(self, block: UOp, guards: Conditions) -> None:
        """Notes what the statements need where all of `guards` hold."""
        for s in block.src:
            if s.op is Op.FOR:
                self.loop(s, guards)
            elif s.op is Op.BRANCH:
                self.block(s.src[1], (*guards, s.src[0]))
                self.block(s.src[2], (*guards, UOp(Op.NOT, (s.src[0],))))
            elif s.op in (Op.LET, Op.STORE):
                self.access(s.src[1] if s.op is Op.LET else s, guards)
            if jumps_out(s):
                return  # what follows is done by some work items only

    def loop(self, s: UOp, guards: Conditions) -> None:
        """What a counted loop without jumps does, for all its values."""
        if jumps_out(s.src[4]):
            return
        for v in self.views:
            v.open(s)
        self.block(s.src[4], guards)
        for v in self.views:
            v.close(s)

    def access(self, u: UOp, guards: Conditions) -> None:
        """Notes what a LOAD, STORE or ATOMIC without a gate of its own needs."""
        if u.op not in (Op.LOAD, Op.STORE, Op.ATOMIC) or u.src[0].src[0].op is not Op.PARAM or len(u.src[0].src) > 2:
            return
        slot = u.src[0].src[0].arg.slot
        top = next((n for v in self.views if (n := v.needs(u.src[0], guards)) is not None), None)
        if top is not None:
            self.need[slot] = self.need.get(slot, UOp.const(0, dtypes.index)).maximum(top)
