"""Kernels that combine two operands over a common axis, as a matrix product does: tiles in registers, fed from memory of the group.

Owns: which axes are the rows and columns of the tile, its size, and the program of it. Must not know renderers.
Invariants: whatever depends on a row and not on columns is computed once for each row and step of a tile, likewise for columns; a row or
column behind the end is computed from the last one there is, and not stored; all work items reach every barrier.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from svod.codegen.analysis import bounded_by_memory, reach, stride, trip, trips
from svod.codegen.closers import effects_of
from svod.codegen.gpu.beside import fetched, kept, neighbours, side_by_side
from svod.codegen.gpu.grid import around
from svod.codegen.gpu.rows import FILL, NODE
from svod.codegen.gpu.share import Env, Share, groups, local, simple, whole
from svod.codegen.lower import accumulate
from svod.codegen.simt.emit import index
from svod.dtype import dtypes
from svod.ir.bounds import divides
from svod.ir.ops import Op
from svod.ir.rules.reductions import identity
from svod.ir.scope import free_ranges, nest_order
from svod.ir.uop import UOp
from svod.target import Limits

SIDE = 16
"""Work items along each side of a group, at most: two of 32 that run together read 2 rows and 16 columns."""
DEEP = 16
"""Steps of the common axis that are staged at once: 16 elements of 4 bytes are two sectors of a row."""
QUAD = 4
"""Rows, and columns, of a work item side by side, where memory of the group is accessed so."""
SHARED = 0.1
"""Cost of reading memory of the group, where an element of a buffer costs 1."""
GROUPS = 128
"""Groups that a larger tile has to leave: with fewer, some of a large GPU stands still."""


@dataclass(frozen=True, slots=True)
class Product:
    """A plan. `by_row` and `by_column` are the largest parts of what is combined that depend on `row` alone, or on `column`; `still` those
    that depend on neither. `side` work items along each side of a group, each with `each` rows and columns; `deep` steps at once.
    `wide`: bits that a work item accesses at once, in buffers and memory of the group; 0: one element after the other."""

    effect: UOp
    red: UOp
    row: UOp
    column: UOp
    common: UOp
    by_row: tuple[UOp, ...]
    by_column: tuple[UOp, ...]
    still: tuple[UOp, ...]
    side: int = SIDE
    each: int = 4
    deep: int = DEEP
    wide: int = 0

    @property
    def tile(self) -> int:
        """Rows, and columns, of a group."""
        return self.side * self.each

    @property
    def pitch(self) -> int:
        """Elements from a step of the tile in memory of the group to the next, so that the same rows of two steps are in two banks."""
        return self.tile + (QUAD if self.wide else 1)

    @property
    def quad(self) -> int:
        """Rows of a work item that lie side by side."""
        return min(QUAD, self.each) if self.wide else 1

    def own(self, item: UOp, number: int) -> UOp:
        """Which row of the tile the one of that number of work item `item` is."""
        first = number // self.quad * (self.side * self.quad) + number % self.quad
        return simple(item * self.quad + first)

    def width(self, part: UOp) -> int:
        """Elements of a part of the operands that are read from memory of the group at once."""
        return 1 if part.dtype.is_bool else max(1, min(self.quad, self.wide // part.dtype.bits))

    def bytes(self) -> int:
        """Memory of the group."""
        return sum(self.deep * self.pitch * p.dtype.itemsize for p in (*self.by_row, *self.by_column))

    @property
    def cost(self) -> float:
        """The time, in accesses of one work item."""
        steps = trips(self.red.src[1:])
        staged, read = len(self.by_row) + len(self.by_column), (len(self.by_row) + len(self.by_column)) / self.each
        parts = {x for part in (*self.by_row, *self.by_column) for x in part.toposort()}
        nodes = sum(u not in parts for u in self.red.src[0].toposort()) + 1
        one = steps * (staged / self.tile + SHARED * read + NODE * nodes) + 1
        loops = [r for r in around(self.effect) if r not in (self.row, self.column)]
        sides = [-(-trip(r) // self.tile) * self.tile for r in (self.row, self.column)]
        total = trips(loops) * sides[0] * sides[1]
        return one * total / min(total / self.each, FILL)  # sums of one work item that wait for nothing count as work items


def product_plans(effect: UOp, able: list[UOp], limits: Limits, wide: int = 0) -> Iterator[Product]:
    """The plans for an effect in whose loops `able` iterations may be done in any order. `wide`: bits that are accessed at once."""
    reds, loops = list(effect.find(Op.REDUCE)), around(effect)
    if len(reds) != 1 or len(able) < 2 or set(loops) != set(able) or any(free_ranges(r) - {r} or bounded_by_memory(r) for r in loops):
        return
    red, common = reds[0], _common(reds[0])
    body = effect
    while body.op is Op.END:
        body = body.src[0]
    if common is None or red.dtype is dtypes.index or any(e.op is not Op.STORE for e in effects_of(body)):
        return
    column = able[0]
    for row in able[1:]:
        parts = _parts(red.src[0], row, column)
        if parts is None or not parts[0] or not parts[1] or any(x in free_ranges(r) for r in red.src[1:] for x in (row, column)):
            continue
        plan = _sized(Product(effect, red, row, column, common, *parts, wide=wide), limits)
        if plan is not None:
            yield plan


def _common(red: UOp) -> UOp | None:
    """The reduced axis along which operands are staged: contiguous in most of them, or the longest."""
    loads = [a for a in reach([red], inside=red).accesses if a.op is Op.LOAD]
    fit = [r for r in red.src[1:] if not free_ranges(r) - {r} and not any(r in free_ranges(x) for x in red.src[1:] if x is not r)]
    return max(fit, key=lambda r: (trip(r) >= DEEP, sum(stride(a, r) == 1 for a in loads), trip(r), r.arg.path), default=None)


def _parts(value: UOp, row: UOp, column: UOp) -> tuple[tuple[UOp, ...], tuple[UOp, ...], tuple[UOp, ...]] | None:
    """The largest parts with loads in them that depend on the row, the column, on neither; None if a load depends on both."""
    found: tuple[dict[UOp, None], ...] = ({}, {}, {})
    stack, seen = [value], set()
    while stack:
        u = stack.pop()
        if u in seen or next(u.find(Op.LOAD), None) is None:
            continue
        seen.add(u)
        on = row in free_ranges(u), column in free_ranges(u)
        if all(on):
            if u.op in (Op.LOAD, Op.INDEX):
                return None
            stack += u.src
        elif u.dtype is dtypes.index:
            return None
        else:
            found[0 if on[0] else 1 if on[1] else 2][u] = None
    return tuple(found[0]), tuple(found[1]), tuple(found[2])


def _sized(plan: Product, limits: Limits) -> Product | None:
    """The plan with the largest tile that fits: the group, its memory, the extents, and leaves enough groups."""
    side = SIDE
    while side * side > limits.threads or side > min(limits.block[:2]):
        side //= 2
    if side < 4 or trip(plan.common) < 8:
        return None
    loops = trips(r for r in around(plan.effect) if r not in (plan.row, plan.column))
    wide = plan.red.dtype.itemsize > 4
    for each in (4, 2) if wide else (8, 4, 2):
        fit = replace(plan, side=side, each=each)
        number = loops * (-(-trip(plan.row) // fit.tile)) * (-(-trip(plan.column) // fit.tile))
        small = min(trip(plan.row), trip(plan.column)) * 2 <= fit.tile
        if fit.bytes() <= limits.shared_bytes and (each == 2 or (number >= GROUPS // (2 if each == 4 else 1) and not small)):
            return fit
    return None


# ---- the program --------------------------------------------------------------------------------------------------------------------

class Tiled(Protocol):
    """A plan whose groups do tiles of rows and columns."""

    @property
    def effect(self) -> UOp: ...
    @property
    def row(self) -> UOp: ...
    @property
    def column(self) -> UOp: ...
    @property
    def tile(self) -> int: ...
    @property
    def side(self) -> int: ...


P = TypeVar("P", bound=Tiled)


class Tile(Generic[P]):
    """Where a work item is: its group's first row and column, its own place."""

    def __init__(self, share: Share, plan: P, env: Env, limits: Limits) -> None:
        self.share, self.plan = share, plan
        self.x, self.y = local(0, plan.side), local(1, plan.side)
        self.number = simple(self.x + self.y * plan.side)
        outer = [r for r in reversed(around(plan.effect)) if r not in (plan.row, plan.column)]
        sides = [share.bounds(r, env) for r in (plan.column, plan.row)]
        rest = [share.bounds(r, env) for r in outer]
        counts = [simple((n + (plan.tile - 1)) // plan.tile) for _, n in sides]
        (column, row, *others), self.again = groups(share, [*counts, *(n for _, n in rest)], limits.grid)
        self.first = {plan.column: simple(column * plan.tile), plan.row: simple(row * plan.tile)}
        self.start = {plan.column: sides[0][0], plan.row: sides[1][0]}
        self.count = {plan.column: sides[0][1], plan.row: sides[1][1]}
        for r, (start, _), g in zip(outer, rest, others, strict=True):
            env[r] = simple(start + g)

    def inside(self, axis: UOp, at: UOp) -> UOp | None:
        """Whether a row or column is there; None if all are."""
        return None if whole(self.count[axis], self.plan.tile) else simple(self.first[axis] + at < self.count[axis])

    def place(self, axis: UOp, at: UOp, width: int = 1) -> UOp:
        """The row or column of the tile, or the last one there is; of `width` together the first one."""
        place = self.first[axis] + at
        return simple(self.start[axis] + (place if self.inside(axis, at) is None else place.minimum(self.count[axis] - width)))


def write_product(share: Share, plan: Product, limits: Limits) -> None:
    """The program of a work item."""
    env: Env = {}
    tile = Tile(share, plan, env, limits)
    cells = [[share.cell(identity(plan.red.arg, plan.red)) for _ in range(plan.each)] for _ in range(plan.each)]
    parts = [(p, axis, share.tile(p.dtype, plan.deep * plan.pitch, name))
             for group, axis, name in ((plan.by_row, plan.row, "rows"), (plan.by_column, plan.column, "columns")) for p in group]
    others = [r for r in nest_order(plan.red.src[1:]) if r is not plan.common]
    share.nest(others, env, lambda inner: _steps(tile, parts, cells, inner))
    finish(tile, cells, env)
    if tile.again is not None:
        share.wait()
        share.out.end_range(tile.again)


def _steps(tile: Tile[Product], parts: list[tuple[UOp, UOp, UOp]], cells: list[list[UOp]], env: Env) -> None:
    """All of the common axis, `deep` steps at a time."""
    share, plan = tile.share, tile.plan
    start, count = share.bounds(plan.common, env)
    zeros = _pads(plan) or divides(plan.deep, count)
    k0 = share.out.range(index(0), simple((count + (plan.deep - 1)) // plan.deep))
    done = simple(k0 * plan.deep)
    for part, axis, memory in parts:
        _stage(tile, (part, axis, memory), (start, count, done), env)
    share.wait()
    kk = share.out.range(index(0), index(plan.deep) if zeros else simple((count - done).minimum(plan.deep)))
    here = {**env, plan.common: simple(start + done + kk)}
    for u in plan.still:
        share.value(u, here)
    row = simple(kk * plan.pitch)
    read: dict[tuple[UOp, int], UOp] = {}
    for p, axis, memory in parts:
        item, width = tile.y if axis is plan.row else tile.x, plan.width(p)
        for j in range(0, plan.each, width):
            read |= {(p, j + k): value for k, value in enumerate(fetched(share, memory, row + plan.own(item, j), width))}
    for i in range(plan.each):
        for j in range(plan.each):
            own = {**here, **{p: read[p, i] for p in plan.by_row}, **{p: read[p, j] for p in plan.by_column}}
            value = share.value(plan.red.src[0], own)
            share.put(cells[i][j], index(0), accumulate(plan.red.arg, share.get(cells[i][j]), [value], share.fused))
    share.out.end_range(kk)
    share.wait()
    share.out.end_range(k0)


def _pads(plan: Product) -> bool:
    """Whether steps behind the end may be done with zeros: a sum of products, one factor from each side."""
    v = plan.red.src[0]
    sides = (set(plan.by_row), set(plan.by_column))
    return plan.red.arg is Op.ADD and v.op is Op.MUL and any(a in sides[0] and b in sides[1] for a, b in (v.src, v.src[::-1]))


def _stage(tile: Tile[Product], what: tuple[UOp, UOp, UOp], steps: tuple[UOp, UOp, UOp], env: Env) -> None:
    """One part of the operands, for all rows (or columns) of the tile and the next steps: neighbouring work items read neighbours, each of
    them several at once where these begin at multiples of their number."""
    (part, axis, memory), (start, count, done), plan, share = what, steps, tile.plan, tile.share
    loads = list(part.find(Op.LOAD))
    along = any(stride(a, plan.common) == 1 for a in loads) and not any(stride(a, axis) == 1 for a in loads)
    near, exact = plan.common if along else axis, divides(plan.deep, count)
    most = 1 if part.dtype.is_bool else min(QUAD, plan.wide // part.dtype.bits)
    width = most if most > 1 and side_by_side(loads, near, most) else 1
    items, size = plan.side**2, plan.tile * plan.deep // width
    for s in range(-(-size // items)):
        e = simple(tile.number + items * s)
        kk, row = (e % (plan.deep // width) * width, e // (plan.deep // width)) if along \
            else (e // (plan.tile // width), e % (plan.tile // width) * width)
        opened = share.out.branch(e < size) if size % items else False
        step = simple(done + kk)
        at = step if exact else simple(step.minimum(count - (width if along else 1)))
        here = {**env, axis: tile.place(axis, simple(row), 1 if along else width), plan.common: simple(start + at)}
        values = neighbours(share, part, near, width, here) if width > 1 else [share.value(part, here)]
        if not exact and _pads(plan):
            values = [simple(step < count).where(value, UOp.const(0, value.dtype)) for value in values]
        if width > 1 and not along:
            kept(share, memory, kk * plan.pitch + row, values)
        else:
            for k, value in enumerate(values):
                share.put(memory, (kk + k) * plan.pitch + row, value)
        share.out.end_branch(opened)


def finish(tile: Tile[Product], cells: list[list[UOp]], env: Env) -> None:
    """The stores, of rows and columns that are there."""
    share, plan, body = tile.share, tile.plan, tile.plan.effect
    while body.op is Op.END:
        body = body.src[0]
    for i in range(plan.each):
        at = plan.own(tile.y, i)
        inside = tile.inside(plan.row, at)
        outer = share.out.branch(inside) if inside is not None else False
        for j in range(plan.each):
            across = plan.own(tile.x, j)
            there = tile.inside(plan.column, across)
            opened = share.out.branch(there) if there is not None else False
            own = {**env, plan.row: simple(tile.start[plan.row] + tile.first[plan.row] + at),
                   plan.column: simple(tile.start[plan.column] + tile.first[plan.column] + across), plan.red: share.get(cells[i][j])}
            share.stores(effects_of(body), own)
            share.out.end_branch(opened)
        share.out.end_branch(outer)
