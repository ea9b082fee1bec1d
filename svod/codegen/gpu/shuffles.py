"""SUBGROUP for targets whose work items hand registers to one another: everything by shuffles and ballots.

Owns: which of them an exchange becomes. Must not know statements, nor how they are spelled. A SUBGROUP of a LINEAR program is one of
SHUFFLE, UP, DOWN, XOR, whose lane is inside the width or leads nowhere, and BALLOT, of all work items that the target exchanges among.
Invariants: every work item of the subgroup executes each of them; sums are combined by halves, in the same order each time, and are the
same in all lanes.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from svod.dtype import DType, dtypes
from svod.ir.args import SubgroupArg, SubgroupKind
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.uop import UOp

if TYPE_CHECKING:
    from svod.codegen.gpu.items import Item

_VOTES = frozenset((SubgroupKind.ANY, SubgroupKind.ALL, SubgroupKind.BALLOT))
_STEPS = frozenset((SubgroupKind.UP, SubgroupKind.DOWN, SubgroupKind.XOR))


class Shuffles:
    """One exchange: of the work item `number` of its group, on a target that exchanges among `native` of them at once."""

    def __init__(self, item: Item, number: UOp, native: int, subgroup: UOp) -> None:
        self.item, self.native, self.subgroup = item, native, subgroup
        self.across: int = subgroup.arg.width
        self.place = rewrite(number % native, SIMPLIFY).cast(dtypes.i32)
        self.lane = self.place if self.across == native else self.place & (self.across - 1)

    def run(self, taking: UOp | None, neutral: UOp | None) -> UOp:
        """What this work item gets. `taking`: whether it takes part; None: all do. `neutral`: what combines with anything to that."""
        kind, value = self.subgroup.arg.kind, self.subgroup.src[0]
        if kind in _VOTES:
            return self._voted(kind, value, taking)
        if neutral is None:
            return self._picked(kind, value, taking)
        if taking is not None:
            value = taking.where(value, neutral)
        return self._reduced(value) if kind is SubgroupKind.REDUCE else self._scanned(kind, value, neutral)

    def exchanged(self, kind: SubgroupKind, value: UOp, *by: UOp, dtype: DType | None = None) -> UOp:
        """The instruction."""
        token = self.item.out.token(dtype or value.dtype)
        width = self.native if kind is SubgroupKind.BALLOT else self.across
        return self.item.out.bind(UOp(Op.SUBGROUP, (rewrite(value, SIMPLIFY), *by), SubgroupArg(kind, width), token.dtype), token)

    def _voted(self, kind: SubgroupKind, value: UOp, taking: UOp | None) -> UOp:
        """By the bits of all lanes."""
        asked = ~value if kind is SubgroupKind.ALL else value
        d = dtypes.u32 if self.native <= 32 else dtypes.u64
        bits = self.exchanged(SubgroupKind.BALLOT, asked if taking is None else asked & taking, dtype=d)
        if self.across < self.native:
            first = (self.place - self.lane).cast(d)
            bits = (bits >> first) & UOp.const((1 << self.across) - 1, d)
        zero = UOp.const(0, d)
        if kind is SubgroupKind.BALLOT:
            return bits.cast(dtypes.u64)
        return bits.eq(zero) if kind is SubgroupKind.ALL else bits.ne(zero)

    def _picked(self, kind: SubgroupKind, value: UOp, taking: UOp | None) -> UOp:
        """The value of the partner, or the own one."""
        by = self._by(kind, self.subgroup.src[1])
        got = self.exchanged(by[0], value, by[1])
        if taking is not None:
            got = self.exchanged(by[0], taking.cast(dtypes.i32), by[1]).ne(0).where(got, value)
        return got

    def _by(self, kind: SubgroupKind, by: UOp) -> tuple[SubgroupKind, UOp]:
        """The instruction, and its lane or distance."""
        known = by.arg.value if by.op is Op.CONST else None
        if kind in _STEPS and known is not None and 0 <= known < self.across:
            return kind, UOp.const(known, dtypes.i32)
        if kind is SubgroupKind.SHUFFLE:
            return kind, rewrite(by.cast(dtypes.i32) & (self.across - 1), SIMPLIFY)
        far = by >= UOp.const(self.across, by.dtype) if by.dtype is dtypes.index or by.dtype.max >= self.across else by.ne(by)
        if not by.dtype.is_unsigned:
            far = far | (by <= UOp.const(-self.across, by.dtype))
        d = far.where(UOp.const(self.across, dtypes.i32), by.cast(dtypes.i32))
        partner = {SubgroupKind.UP: self.lane - d, SubgroupKind.DOWN: self.lane + d, SubgroupKind.XOR: self.lane ^ d}[kind]
        there = (partner >= 0) & (partner < self.across)
        return SubgroupKind.SHUFFLE, rewrite(there.where(partner, self.lane), SIMPLIFY)

    def _reduced(self, value: UOp) -> UOp:
        """All values combined, by halves: both partners of a step compute the same."""
        d = self.across // 2
        while d:
            other = self.exchanged(SubgroupKind.XOR, value, UOp.const(d, dtypes.i32))
            value, d = UOp(self.subgroup.arg.op, (value, other)), d // 2
        return value

    def _scanned(self, kind: SubgroupKind, value: UOp, neutral: UOp) -> UOp:
        """Those of the lanes up to this one, twice as many at each step."""
        d = 1
        while d < self.across:
            below = self.exchanged(SubgroupKind.UP, value, UOp.const(d, dtypes.i32))
            value = (self.lane >= d).where(UOp(self.subgroup.arg.op, (below, value)), value)
            d *= 2
        if kind is SubgroupKind.INCLUSIVE:
            return value
        below = self.exchanged(SubgroupKind.UP, value, UOp.const(1, dtypes.i32)) if self.across > 1 else neutral
        return self.lane.eq(0).where(neutral, below)
