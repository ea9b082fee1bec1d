"""Loops whose stop may lie below their start: the stop becomes at least the start, so that later stages may rely on extents of 0 or more.

Owns: that clamp, and the proof that a loop does not need it. Must not know schedules.
Invariant: afterwards stop - start is 0 or more for every loop that is entered; a loop that is proved so already stays the node it is.
"""
from __future__ import annotations

from svod.codegen.extremes import extreme
from svod.ir.bounds import interval
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.scope import free_ranges
from svod.ir.uop import UOp


def clamp_extents(sink: UOp) -> UOp:
    """`sink` in which every RANGE whose extent may be negative ends at its start then. Unchanged if there is none."""
    order = sink.toposort()
    if all(never_negative(r) for r in order if r.op is Op.RANGE):
        return sink
    new: dict[UOp, UOp] = {}
    for u in order:
        src = tuple([new[s] for s in u.src])
        if u.op is Op.RANGE and not never_negative(u):
            src = (src[0], rewrite(src[1].maximum(src[0]), SIMPLIFY))
        new[u] = u if src == u.src else u.replace(src=src)
    return new[sink]


def never_negative(r: UOp) -> bool:
    """True if it is known that the RANGE `r` does not stop below its start, whatever the variables and the loops around it are."""
    start, stop = r.src
    if interval(stop)[0] >= interval(start)[1] or (stop.op is Op.MAX and start in stop.src):
        return True
    count = rewrite(stop - start, SIMPLIFY)
    if interval(count)[0] >= 0:
        return True
    least = extreme(count, last=False) if free_ranges(count) else None
    return least is not None and interval(least[0])[0] >= 0
