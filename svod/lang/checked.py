"""Checks that are part of a kernel: each index of an element within the extent of its axis, and where accesses were written.

Owns: `Bound`, and the statements that check. Must not know how indices are evaluated.
Invariant: without `Tracer.checks` a kernel has none of these statements. An index that is certainly in range, or that was checked before in
the same straight run of statements, is not checked again.

TELL is for what executes statements, and stops where an ASSERT fails; with STOP the work item returns, as the code of a CPU goes on.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from svod.dtype import dtypes
from svod.ir.args import MessageArg
from svod.ir.bounds import interval
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.lang.builder import Branch
from svod.lang.tracer import Tracer

TELL, STOP = "tell", "stop"


@dataclass(frozen=True, slots=True)
class Bound:
    """That an index is from 0 to below the extent of an axis of an array."""

    index: UOp
    extent: int | UOp
    axis: int
    name: str

    def holds(self) -> bool:
        """Whether that is certain."""
        low, high = interval(self.index)
        return isinstance(self.extent, int) and low >= 0 and high < self.extent


def begin(t: Tracer) -> None:
    """Says, where a kernel begins, that it checks its indices: what is told to check bounds relies on it."""
    if t.checks == STOP:
        t.builder.emit(UOp(Op.ASSERT, (UOp.const(True, dtypes.bool),), MessageArg("", t.here(), "bounds")))


def require(t: Tracer, bounds: tuple[Bound, ...]) -> None:
    """Has the running kernel check what is not certain, here. ArgumentError, with the place, when it does not hold."""
    known: dict[tuple[UOp, int | UOp], Any] = t.state.setdefault(require, {})
    for b in bounds:
        key = (b.index, b.extent)
        if b.holds() or known.get(key) is t.builder.here:
            continue
        known[key] = t.builder.here
        end = UOp.const(b.extent, dtypes.index) if isinstance(b.extent, int) else b.extent
        text = f"index {{}} is out of range: axis {b.axis} of {b.name} has {{}} elements"
        inside = UOp(Op.AND, (b.index >= 0, b.index < end))
        message = MessageArg(text, t.here(), "bounds")
        if t.checks == TELL:
            t.builder.emit(UOp(Op.ASSERT, (inside, b.index, end), message))
        else:
            failed = UOp(Op.ASSERT, (UOp.const(False, dtypes.bool), b.index, end), message)
            t.builder.emit(Branch(t.builder.let(UOp(Op.NOT, (inside,)), "outside"), [failed, UOp(Op.RETURN)], []))


def mark(t: Tracer) -> None:
    """Says where the next statement was written, to whoever executes it and finds it wrong."""
    if t.checks == TELL:
        t.builder.emit(UOp(Op.ASSERT, (UOp.const(True, dtypes.bool),), MessageArg("", t.here(), "place")))
