"""Kernels that read along one axis and write along another, as a transposition does: through a tile in memory of the group.

Owns: which loads those are, the program of a tile. Must not know renderers.
Invariants: neighbouring work items read neighbouring elements, and write such; what is behind the end of an axis is computed from the last
element there is, and not stored; all work items reach the barrier.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from svod.codegen.analysis import bounded_by_memory, reach, stride, trip, trips
from svod.codegen.closers import effects_of
from svod.codegen.gpu.grid import around
from svod.codegen.gpu.product import SHARED, Tile
from svod.codegen.gpu.rows import FILL, MEET, NODE, weight
from svod.codegen.gpu.share import Env, Share, local, simple
from svod.ir.ops import Op
from svod.ir.scope import free_ranges
from svod.ir.uop import UOp
from svod.target import Limits

TILE = 32
"""Rows and columns of a tile: as many work items as run together on most GPUs read or write neighbours."""
HIGH = 8
"""Work items of a group across these, at most: each does four elements, so that several loads are under way at once."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A plan: `turned` loads are contiguous along `row`, what is stored along `column`. `high` work items across."""

    effect: UOp
    row: UOp
    column: UOp
    turned: tuple[UOp, ...]
    high: int
    tile: int = TILE
    side: int = TILE

    @property
    def cost(self) -> float:
        """The time, in accesses of one work item."""
        stores = [u for u in self.effect.toposort() if u.op is Op.STORE]
        info = reach(stores)
        total = trips(around(self.effect))
        one = sum(1 + 2 * SHARED if a in self.turned else weight(a, self.column) for a in info.accesses) + NODE * info.nodes
        return one * total / min(total, FILL) + MEET / 4  # what one work item does by and by is under way at once

    def bytes(self) -> int:
        """Memory of the group."""
        return sum(self.tile * (self.tile + 1) * a.dtype.itemsize for a in self.turned)


def turn_plans(effect: UOp, able: list[UOp], limits: Limits) -> Iterator[Turn]:
    """The plans for an effect in whose loops `able` iterations may be done in any order."""
    body, loops = effect, around(effect)
    while body.op is Op.END:
        body = body.src[0]
    stores = effects_of(body)
    if len(able) < 2 or set(loops) != set(able) or any(free_ranges(r) - {r} or bounded_by_memory(r) for r in loops):
        return
    column, high = able[0], min(HIGH, limits.threads // TILE, limits.block[1])
    if any(e.op is not Op.STORE or stride(e, column) not in (1, -1) for e in stores) or trip(column) < TILE // 2 or not high:
        return
    for row in able[1:]:
        turned = tuple(a for a in reach(stores).accesses if a.op is Op.LOAD and stride(a, row) in (1, -1)
                       and stride(a, column) not in (-1, 0, 1))
        plan = Turn(effect, row, column, turned, high)
        if turned and trip(row) >= TILE // 2 and limits.block[0] >= TILE and plan.bytes() <= limits.shared_bytes:
            yield plan


def write_turn(share: Share, plan: Turn, limits: Limits) -> None:
    """The program of a work item."""
    env: Env = {}
    tile = Tile(share, plan, env, limits)
    x, y, pitch = local(0, TILE), local(1, plan.high), TILE + 1
    memories = [share.tile(a.dtype, TILE * pitch) for a in plan.turned]
    for s in range(0, TILE, plan.high):
        down = simple(y + s)
        here = {**env, plan.row: tile.place(plan.row, x), plan.column: tile.place(plan.column, down)}
        for a, m in zip(plan.turned, memories, strict=True):
            share.put(m, down * pitch + x, share.value(a, here))
    share.wait()
    body = plan.effect
    while body.op is Op.END:
        body = body.src[0]
    across = tile.inside(plan.column, x)
    outer = share.out.branch(across) if across is not None else False
    for s in range(0, TILE, plan.high):
        down = simple(y + s)
        there = tile.inside(plan.row, down)
        opened = share.out.branch(there) if there is not None else False
        own = {**env, **{a: share.fetch(m, simple(x * pitch + down)) for a, m in zip(plan.turned, memories, strict=True)},
               plan.row: simple(tile.start[plan.row] + tile.first[plan.row] + down),
               plan.column: simple(tile.start[plan.column] + tile.first[plan.column] + x)}
        share.stores(effects_of(body), own)
        share.out.end_branch(opened)
    share.out.end_branch(outer)
    if tile.again is not None:
        share.wait()
        share.out.end_range(tile.again)
