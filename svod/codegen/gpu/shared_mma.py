"""MMA for targets without matrix units for its types: operands in memory of the group, between two barriers, sums by loops.

Owns: that program. Must not know statements. The layout is that of `svod.lang.mma`, "rows".
Invariant: each sum gets its products in order of k, one rounding a step, as in svod/ir/products.py.
"""
from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from svod.codegen.simt.emit import index
from svod.dtype import AddrSpace
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.uop import UOp

if TYPE_CHECKING:
    from svod.codegen.gpu.items import Item


def multiply_rows(item: Item, number: UOp, s: UOp) -> None:
    """An MMA statement of a work item that is `number` in its group. Every work item of the group comes here."""
    edge, width = s.arg.m, s.arg.width
    left, _, rows = s.arg.held()
    given = [item.value(x) for x in s.src[rows:]]
    kind = s.src[0].dtype
    parts = (given[:left], given[left:2 * left])
    tiles = [_tile(item, values, number, name) for values, name in zip(parts, ("left", "right"), strict=True)]
    cells = [item.cell(kind, value, "sum") for value in given[2 * left:]]
    item.wait()
    lane = rewrite(number % width, SIMPLIFY)
    first, column, row = number - lane, lane % edge, lane // edge * rows
    part = item.out.range(index(0), index(width // edge))
    e = item.out.range(index(0), index(left))

    def taken(tile: UOp, other: UOp) -> UOp:
        return item.fetch(tile, _simple((first + other + part * edge) * left + e)).cast(kind)

    right = taken(tiles[1], column)
    for r, cell in enumerate(cells):
        item.set(cell, UOp(Op.MULACC, (taken(tiles[0], row + r), right, item.get(cell))))
    item.out.end_range(e)
    item.out.end_range(part)
    item.wait()
    for value, cell in zip(s.src[:rows], cells, strict=True):
        item.values[value] = item.get(cell)


def _tile(item: Item, values: list[UOp], number: UOp, name: str) -> UOp:
    """The values of all work items in memory of the group, those of each one after the other."""
    tile = UOp.memory(item.memories(), values[0].dtype, prod(item.shape) * len(values), AddrSpace.LOCAL, name=name)
    for k, value in enumerate(values):
        item.put(tile, _simple(number * len(values) + k), value)
    return tile


def _simple(u: UOp) -> UOp:
    return rewrite(u, SIMPLIFY)
