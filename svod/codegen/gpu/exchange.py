"""SUBGROUP for targets whose work items have ids: by shuffles where the target has them, else through memory of the group, between
barriers.

Owns: who reads whose element of that memory, how these are combined: from the lowest lane up. Must not know statements.
Invariant: every work item of the group comes here, also those that do not take part; these are skipped, and what they get means nothing.
"""
from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING

from svod.codegen.gpu.shuffles import Shuffles
from svod.codegen.simt.emit import index
from svod.codegen.simt.exchange import neutral_of
from svod.dtype import AddrSpace, DType, dtypes
from svod.ir.args import SubgroupKind
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.uop import UOp

if TYPE_CHECKING:
    from svod.codegen.gpu.items import Item

_SHUFFLES = frozenset((SubgroupKind.SHUFFLE, SubgroupKind.UP, SubgroupKind.DOWN, SubgroupKind.XOR))
_SCANS = frozenset((SubgroupKind.INCLUSIVE, SubgroupKind.EXCLUSIVE))


class Exchange:
    """The exchanges of one kernel. `number` is that of the work item in its group. `native`: how many work items hand registers to one
    another, 0 if none do."""

    def __init__(self, item: Item, number: UOp) -> None:
        self.item, self.number, self.native = item, number, 0
        self.tiles: dict[DType, UOp] = {}

    def tile(self, dtype: DType) -> UOp:
        """Memory of the group with an element for each work item."""
        if dtype not in self.tiles:
            x, y, z = self.item.shape
            self.tiles[dtype] = UOp.memory(self.item.memories(), dtype, x * y * z, AddrSpace.LOCAL, name="exchange")
        return self.tiles[dtype]

    def run(self, subgroup: UOp, taking: UOp | None) -> UOp:
        """What this work item gets. `taking`: whether it takes part; None: all do."""
        kind, across, value = subgroup.arg.kind, subgroup.arg.width, subgroup.src[0]
        kept = dtypes.i64 if value.dtype is dtypes.index else value.dtype
        if self.native and across <= self.native and prod(self.item.shape) % self.native == 0:
            return self._shuffled(subgroup, kept, taking)
        tile, present = self.tile(kept), None
        self.item.put(tile, self.number, value.cast(kept))
        if taking is not None:
            present = UOp.memory(self.item.memories(), dtypes.bool, tile.arg.size, AddrSpace.LOCAL, name="taking")
            self.item.put(present, self.number, taking)
        self.item.wait()
        lane = UOp(Op.MOD, (self.number, index(across)))
        if kind in _SHUFFLES:
            got = self._picked(subgroup, lane, tile, present)
        else:
            got = self._combined(subgroup, lane, tile, present)
        self.item.wait()
        return rewrite(got.cast(subgroup.dtype), SIMPLIFY)

    def _shuffled(self, subgroup: UOp, kept: DType, taking: UOp | None) -> UOp:
        """The same without memory, among subgroups that are full."""
        d = kept if subgroup.dtype is dtypes.index else subgroup.dtype
        real = UOp(Op.SUBGROUP, (subgroup.src[0].cast(kept), *subgroup.src[1:]), subgroup.arg, d)
        neutral = neutral_of(subgroup.arg.op, kept) if subgroup.arg.op is not None else None
        got = Shuffles(self.item, self.number, self.native, real).run(taking, neutral)
        return rewrite(got.cast(subgroup.dtype), SIMPLIFY)

    def _picked(self, subgroup: UOp, lane: UOp, tile: UOp, present: UOp | None) -> UOp:
        """The element of the partner, or the own value."""
        value, by, across = *subgroup.src, subgroup.arg.width
        d = _near(by, across)
        kind = subgroup.arg.kind
        if kind is SubgroupKind.SHUFFLE:
            partner = by.cast(dtypes.index)
            if across <= by.dtype.max:
                partner = UOp(Op.FLOORMOD, (by, UOp.const(across, by.dtype))).cast(dtypes.index)
        else:
            partner = lane - d if kind is SubgroupKind.UP else lane + d if kind is SubgroupKind.DOWN else lane ^ d
        at = self.number - lane + partner
        there = (index(0) <= partner) & (partner < across) & (at < tile.arg.size)
        at = rewrite(there.where(at, self.number), SIMPLIFY)
        got = self.item.fetch(tile, at)
        if present is not None:
            got = self.item.fetch(present, at).where(got, value.cast(got.dtype))
        return got

    def _combined(self, subgroup: UOp, lane: UOp, tile: UOp, present: UOp | None) -> UOp:
        """The elements of all lanes, or of those up to or below this one, one after the other."""
        kind, across, item = subgroup.arg.kind, subgroup.arg.width, self.item
        first = rewrite(self.number - lane, SIMPLIFY)
        start, combine = _forms(subgroup)
        total = item.cell(start.dtype, start, "total")
        end = (first + across).minimum(tile.arg.size)
        if kind in _SCANS:
            end = self.number + 1 if kind is SubgroupKind.INCLUSIVE else self.number
        r = item.out.range(first, rewrite(end, SIMPLIFY))
        value = item.fetch(tile, r)
        new = combine(item.get(total), value, r - first)
        opened = item.out.branch(item.fetch(present, r)) if present is not None else False
        item.set(total, rewrite(new, SIMPLIFY))
        item.out.end_branch(opened)
        item.out.end_range(r)
        return item.get(total)


Combine = Callable[[UOp, UOp, UOp], UOp]


def _forms(subgroup: UOp) -> tuple[UOp, Combine]:
    """What the combination begins with, and how an element of a lane is added to it."""
    kind, op, dtype = subgroup.arg.kind, subgroup.arg.op, subgroup.dtype
    if kind is SubgroupKind.BALLOT:
        zero = UOp.const(0, dtypes.u64)
        one = UOp.const(1, dtypes.u64)
        return zero, lambda total, value, lane: total | value.where(one << lane.cast(dtypes.u64), zero)
    if kind in (SubgroupKind.ANY, SubgroupKind.ALL):
        every = kind is SubgroupKind.ALL
        return UOp.const(every, dtypes.bool), lambda total, value, lane: total & value if every else total | value
    kept = dtypes.i64 if dtype is dtypes.index else dtype
    return neutral_of(op, kept), lambda total, value, lane: UOp(op, (total, value))


def _near(by: UOp, across: int) -> UOp:
    """A distance as an index; one of the width or more leads outside, whatever it is."""
    if by.dtype is dtypes.index or across > by.dtype.max:
        return by.cast(dtypes.index)
    near = by.minimum(UOp.const(across, by.dtype))
    if not by.dtype.is_unsigned:
        near = near.maximum(UOp.const(-across, by.dtype))
    return near.cast(dtypes.index)
