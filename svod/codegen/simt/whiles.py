"""Loops that count by hand, `while i < n: …; i += step`, as counted loops, whose number of iterations is known before they begin.

Owns: that rewriting of statements. Must not know vectors. Invariant: the meaning is that of the statements as written, and the variable
has the same value behind the loop.
"""
from __future__ import annotations

from itertools import count

from svod.codegen.simt.counters import advance
from svod.codegen.simt.shape import exit_arm, jumps_out
from svod.dtype import PtrDType, dtypes
from svod.ir.args import ValueArg
from svod.ir.bounds import vmin
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.threads import bound_by
from svod.ir.uop import UOp


def with_counted_loops(body: UOp) -> UOp:
    """`body` with each LOOP that counts upwards to what does not change in it as a FOR."""
    if not any(u.op is Op.LOOP for u in body.toposort()):
        return body
    return _Counting(1 + max((u.arg.id for u in body.find(Op.VALUE)), default=0)).block(body)


class _Counting:
    def __init__(self, first: int) -> None:
        self.values = count(first)

    def block(self, block: UOp) -> UOp:
        out: list[UOp] = []
        for s in block.src:
            src = tuple(self.block(x) if x.op is Op.BLOCK else x for x in s.src)
            new = s if src == s.src else s.replace(src=src)
            out += (self.counted(new) if new.op is Op.LOOP else None) or [new]
        return block if tuple(out) == block.src else UOp(Op.BLOCK, tuple(out))

    def counted(self, loop: UOp) -> list[UOp] | None:
        """The loop as a read of its variable and a FOR; None if it is not such a loop."""
        src = loop.src[0].src
        if len(src) < 3 or src[0].op is not Op.LET or src[0].src[1].op is not Op.LOAD or src[-1].op is not Op.STORE:
            return None
        if (arm := exit_arm(src[1])) is None or arm[1].src:
            return None
        value, load = src[0].src
        cell, rest = load.src[0].src[0], src[2:]
        if cell.op is not Op.DEFINE_REG or cell.arg.size != 1 or not isinstance(cell.dtype, PtrDType) or cell.dtype.base is not dtypes.i64:
            return None
        step, stop = advance(loop.src[0], len(src) - 1), _end(rewrite(~arm[0], SIMPLIFY), value)
        stores = [u for u in loop.toposort() if u.op is Op.STORE and u.src[0].src[0] is cell]
        inside = {v for u in loop.toposort() for v in bound_by(u)}
        if step is None or stop is None or stores != [src[-1]] or any(jumps_out(s) for s in rest) or vmin(step) < 0:
            return None
        if any(u in inside for e in (step, stop) for u in e.toposort()):
            return None
        start = UOp(Op.VALUE, (), ValueArg(next(self.values), value.arg.name), value.dtype)
        counter = UOp(Op.VALUE, (), ValueArg(next(self.values), value.arg.name), dtypes.index)
        again = [s.src[0] for s in rest if s.op is Op.LET and s.src[1] is load]
        body = UOp(Op.BLOCK, tuple(s for s in rest if s.op is not Op.LET or s.src[1] is not load))
        body = body.substitute(dict.fromkeys((value, *again), counter.cast(value.dtype)))
        bounds = (start.cast(dtypes.index), stop, rewrite(step.cast(dtypes.index), SIMPLIFY))
        return [UOp(Op.LET, (start, load)), UOp(Op.FOR, (counter, *bounds, body))]


def _end(going: UOp, value: UOp) -> UOp | None:
    """`stop` where `going` says that `value` is below it."""
    if going.op not in (Op.CMPLT, Op.CMPLE) or going.src[0].dtype not in (dtypes.i64, dtypes.index):
        return None
    at, end = going.src
    plain = at.src[0] if at.op is Op.CAST else at
    if plain is not value or value in end.toposort():
        return None
    return rewrite(end.cast(dtypes.index) + int(going.op is Op.CMPLE), SIMPLIFY)
