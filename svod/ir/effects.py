"""What evaluating a node does to memory that others can see; only what writes nothing may be dropped by a rule.

Owns: `may_drop`. Must not know rewriting.
Invariant: a write to memory of one work item's own (DEFINE_REG) does not count: whoever could read it is dropped with it.
"""
from __future__ import annotations

from svod.ir.ops import MEMORIES, OPS, Effect, Op
from svod.ir.uop import UOp


def may_drop(*nodes: UOp) -> bool:
    """True if nothing that these nodes need writes memory which the rest of the kernel, or its caller, can see."""
    for u in nodes:
        hit = u.cache.get("droppable")
        if hit is None:
            for x in u.uncached("droppable"):
                x.cache["droppable"] = not _writes(x) and all(s.cache["droppable"] for s in x.src)
            hit = u.cache["droppable"]
        if not hit:
            return False
    return True


def memory(pointer: UOp) -> UOp:
    """The PARAM or DEFINE_* that an address (INDEX, AFTER, casts of it) points into."""
    while pointer.op not in MEMORIES and pointer.src:
        pointer = pointer.src[0]
    return pointer


def _writes(x: UOp) -> bool:
    if OPS[x.op].effect is Effect.WRITE:
        return memory(x.src[0]).op is not Op.DEFINE_REG
    return x.op is Op.BARRIER
