"""Whether loops whose bounds depend on other loops still nest: balanced parts and triangles.

Owns: the one check after each Opt. Must not know Opts. Invariant: what it passes can be closed, expanded and linearized.
"""

from __future__ import annotations

from svod.codegen.closers import own_nodes
from svod.ir.args import AxisKind
from svod.ir.ops import Op
from svod.ir.scope import free_ranges
from svod.ir.uop import UOp

EXPANDED = frozenset((AxisKind.VECTOR, AxisKind.UNROLL, AxisKind.INTERLEAVE))


def badly_nested(sink: UOp) -> tuple[UOp, UOp] | None:
    """A range and one that it depends on although that is not a loop around it; None if there is none."""
    bounded = {r: free_ranges(r) - {r} for r in sink.find(Op.RANGE)}
    bounded = {r: by for r, by in bounded.items() if by}
    for r, by in bounded.items():
        for d in by:
            if d.arg.path >= r.arg.path:
                return r, d
    for u in sink.find(Op.END, Op.REDUCE) if bounded else ():
        closed, left = u.src[1:], free_ranges(u)
        nested = {*closed, *(r for e in own_nodes(u.src[0]) if e.op is Op.END for r in e.src[1:])}
        for r, by in bounded.items():
            for d in by & set(closed):
                if r in left or (r in nested and d.arg.kind in EXPANDED):
                    return r, d
    return None
