"""How many iterations a work item goes through.

Owns: `iterations`. Must not know any device, nor who asks.
Invariant: an estimate from above for counted loops whose bounds the launch knows; loops that data ends count once.
"""
from __future__ import annotations

from svod.dtype import dtypes
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.uop import UOp

_KNOWN = frozenset((Op.CONST, Op.DEFINE_VAR, Op.ADD, Op.SUB, Op.MUL, Op.NEG, Op.FLOORDIV, Op.FLOORMOD, Op.IDIV, Op.MOD, Op.MAX, Op.MIN,
                    Op.SHL, Op.SHR, Op.AND))
"""Ops of bounds that a launch evaluates."""


def iterations(linear: UOp) -> UOp:
    """The iterations of all loops of one work item, an index over the variables of the kernel."""
    one = UOp.const(1, dtypes.index)
    open_: list[UOp] = []
    last: dict[UOp, UOp] = {u: u.src[0] - 1 for u in linear.toposort() if u.op is Op.SPECIAL}
    total = UOp.const(0, dtypes.index)
    for u in linear.src:
        if u.op in (Op.RANGE, Op.LOOP, Op.IF):
            count = one
            if u.op is Op.RANGE:
                start, stop = (s.substitute(last) for s in u.src)
                extent = rewrite((stop - start).maximum(UOp.const(0, dtypes.index)), SIMPLIFY)
                if all(x.op in _KNOWN for x in extent.toposort()):
                    count = extent
                    last[u] = rewrite(stop - 1, SIMPLIFY)
            open_.append(open_[-1] * count if open_ else count)
            if u.op is not Op.IF:
                total = total + open_[-1]
        elif u.op in (Op.END, Op.ENDLOOP, Op.ENDIF):
            open_.pop()
    return rewrite(total, SIMPLIFY)
