"""Loops that a device ends early, noticed: some drivers stop a work item's loops after so many iterations, as if they were done.

Owns: what a program does to notice it. Must not know which devices do that, nor who reads what is said.
Invariant: a launch in which a loop ended before its bound, and not by a BREAK, says so (`svod.ir.message.CUT`); no other launch does.
"""
from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import count

from svod.dtype import dtypes
from svod.ir.args import MessageArg
from svod.ir.bounds import interval
from svod.ir.message import CUT
from svod.ir.ops import Op
from svod.ir.uop import UOp

_LOOPS = (Op.RANGE, Op.LOOP)


def with_ends_seen(linear: UOp, most: int) -> UOp:
    """`linear`, which says if one of its loops is ended by a device that does no more than `most` iterations, of all its loops, of a
    work item; 0: any number."""
    if not most or _iterations(linear) <= most:
        return linear
    return _Watched(linear).program


def _iterations(linear: UOp) -> float:
    """The most iterations that bounds allow, of all loops."""
    total, times = 0.0, [1.0]
    for u in linear.src:
        if u.op in _LOOPS:
            times.append(times[-1] * (_trips(u) if u.op is Op.RANGE else math.inf))
            total += times[-1]
        elif u.op in (Op.END, Op.ENDLOOP):
            times.pop()
    return total


def _trips(loop: UOp) -> float:
    (start, _), (_, stop) = (interval(s) for s in loop.src)
    return float(max(stop - start, 0))


class _Watched:
    """A program with a bool for each loop, whether it came to its end: by its last iteration, or a BREAK."""

    def __init__(self, linear: UOp) -> None:
        memories = linear.find(Op.DEFINE_REG, Op.DEFINE_LOCAL, Op.DEFINE_SCRATCH)
        self.ids = count(1 + max((u.arg.id for u in memories), default=-1))
        self.open: list[tuple[UOp, UOp]] = []
        self.out: list[UOp] = []
        for u in linear.src:
            self.out += self.around(u)
        self.program = linear.replace(src=tuple(self.out))

    def around(self, u: UOp) -> Iterator[UOp]:
        """An instruction, and what goes before it or behind it."""
        if u.op in _LOOPS:
            cell = UOp.memory(next(self.ids), dtypes.bool, 1, name="ended")
            ended = UOp.const(False, dtypes.bool) if u.op is Op.LOOP else u.src[1] <= u.src[0]
            self.open.append((u, cell))
            yield from (cell, *([ended] if u.op is Op.RANGE else []), *_stored(cell, ended), u)
        elif u.op in (Op.END, Op.ENDLOOP):
            loop, cell = self.open.pop()
            if loop.op is Op.RANGE:
                after = loop + 1
                ended = loop.src[1] <= after
                yield from (after, ended, *_stored(cell, ended))
            yield u
            yield from _asserted(cell)
        elif u.op is Op.BREAK:
            yield from _stored(next(cell for loop, cell in reversed(self.open) if loop.op is Op.LOOP), u.src[0])
            yield u
        else:
            yield u


def _stored(cell: UOp, value: UOp) -> list[UOp]:
    """The instructions that keep a bool."""
    at = cell.index(0)
    return [at, at.store(value)]


def _asserted(cell: UOp) -> list[UOp]:
    """The instructions that say it if `cell` does not hold."""
    at, nobody = cell.index(0), UOp.const(0, dtypes.index)
    held = at.load()
    return [at, held, UOp(Op.ASSERT, (held, nobody, nobody), MessageArg(CUT.text, CUT.place, CUT.kind))]
