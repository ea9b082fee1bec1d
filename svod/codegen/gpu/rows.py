"""Kernels that reduce rows: the work items of a group share each row, in strides, so that neighbours read neighbouring elements.

Owns: which loops are rows, how many work items share one, in which order work items lie; and the program of that. Must not know renderers.
Invariants: every reduction over a row is done by all work items that share it, outside of any branch; a row behind the end of its axis is
computed from the last one there is, and not stored.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from svod.codegen.analysis import Reach, bounded_by_memory, reach, stride, trip, trips
from svod.codegen.closers import effects_of
from svod.codegen.gpu.grid import around
from svod.codegen.gpu.share import Env, Lanes, Share, groups, local, simple, whole
from svod.dtype import dtypes
from svod.ir.ops import Op
from svod.ir.scope import free_ranges, nest_order
from svod.ir.uop import UOp
from svod.target import Limits

FILL = 1 << 16
"""Work items that are under way at once on a large GPU: with fewer, some of it stands still."""
APART = 8.0
"""Cost of an access whose neighbours lie apart, where one of neighbouring elements costs 1: so many of 4 bytes are moved together."""
SAME = 0.25
"""Cost of an access that is the same for neighbouring work items."""
NODE = 0.05
"""Cost of an operation."""
MEET = 20.0
"""Time to combine the partial results of a group, from the first barrier to the last."""
COMBINE = 2.0
"""Cost of that for each work item, where other groups work meanwhile."""
PHASE = 40.0
"""Time from one phase to the next: a launch more."""
MOST = 1024
"""Work items of a group, at most: no GPU has larger ones."""
USUAL = 256
"""Work items that share a row where there are many rows: enough to hide what memory takes, few enough for several groups at once."""
SMALL = 128
"""Work items of a group, at least, where rows are short and there are several."""
SECTOR = 8
"""Elements of 4 bytes that memory moves at once: with as many neighbours, what is moved is used."""
NEAR = 32
"""Work items that run together on most GPUs: as many neighbours are to read neighbouring elements."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A plan: `rows`, the innermost first, each shared by `lanes` work items; `slots` rows for each group; `shared` reductions over rows,
    those together that are done in one loop. `along`: neighbouring work items are neighbours in the row; else they are in such rows.
    `parts`: groups that share each row, at most; see wide.py where there are several."""

    effect: UOp
    rows: tuple[UOp, ...]
    shared: tuple[tuple[UOp, ...], ...]
    lanes: int
    slots: int
    along: bool
    cost: float
    parts: int = 1

    def bytes(self) -> int:
        """Memory of the group."""
        return sum(u.dtype.itemsize * self.lanes * self.slots for g in self.shared for u in g)


def rows_plans(effect: UOp, able: list[UOp], limits: Limits) -> Iterator[Rows]:
    """The plans for an effect in whose loops `able` iterations may be done in any order."""
    found = _outermost(effect)
    sets = dict.fromkeys([*(free_ranges(u) for u in found), frozenset(r for u in found for r in free_ranges(u))])
    for chosen in sets:
        rows = tuple(r for r in reversed(around(effect)) if r in chosen)
        if len(rows) != len(chosen) or any(r not in able or free_ranges(r) - {r} or bounded_by_memory(r) for r in rows):
            continue
        for beside in (0, NEAR, SECTOR)[:3 if rows else 1]:
            if (plan := _plan(effect, rows, beside, limits)) is not None:
                yield plan


def _outermost(effect: UOp) -> list[UOp]:
    """The REDUCEs that an effect needs, not those that these need."""
    inside = {x for u in effect.find(Op.REDUCE) for x in u.src[0].find(Op.REDUCE)}
    return [u for u in effect.find(Op.REDUCE) if u not in inside] + [u for u in inside if not free_ranges(u)]


def _plan(effect: UOp, rows: tuple[UOp, ...], beside: int, limits: Limits) -> Rows | None:
    """The plan with `beside` neighbouring work items in neighbouring rows; for 0, neighbours in one row."""
    held = frozenset(rows)
    shared = _grouped(effect, held)
    if not shared or any(u.dtype is dtypes.index for g in shared for u in g):
        return None
    long, many = max(trips(g[0].src[1:]) for g in shared), trips(rows)
    most = min(limits.threads, MOST)
    if not beside:
        lanes = _lanes(long, many, min(most, limits.block[0]))
        slots = power(min(max(1, SMALL // lanes), trip(rows[0]), limits.block[1], most // lanes)) if rows else 1
    else:
        slots = power(min(beside, trip(rows[0]), limits.block[0]))
        lanes = power(min(max(1, long // 4), max(1, USUAL // slots), limits.block[1]))
        while lanes * 8 <= long and lanes * slots * 2 <= most and lanes * 2 <= limits.block[1] and many * lanes < FILL:
            lanes *= 2
    if lanes < 2:
        return None
    plan = Rows(effect, rows, shared, lanes, slots, not beside, 0.0)
    return replace(plan, cost=cost(plan)) if plan.bytes() <= limits.shared_bytes else None


def _grouped(effect: UOp, rows: frozenset[UOp]) -> tuple[tuple[UOp, ...], ...]:
    """The REDUCEs of whole rows, in an order in which each comes behind what it needs; in one group those over the same loops that do not
    need one another."""
    level: dict[UOp, int] = {}
    table: dict[tuple[object, ...], list[UOp]] = {}
    for u in effect.toposort():
        below = max((level[s] for s in u.src), default=0)
        mine = u.op is Op.REDUCE and free_ranges(u) <= rows
        level[u] = below + mine
        if mine:
            table.setdefault((below, u.src[1:]), []).append(u)
    return tuple(tuple(table[k]) for k in sorted(table, key=lambda k: k[0]))  # type: ignore[arg-type,return-value]


def _lanes(long: int, rows: int, most: int) -> int:
    """Work items for a row of `long` elements, where there are `rows` of them."""
    lanes = min(NEAR, power(long), power(most))
    while lanes * 2 <= min(most, USUAL) and lanes * 8 <= long:
        lanes *= 2
    while lanes * 2 <= min(most, long) and rows * lanes < FILL:
        lanes *= 2
    return lanes


def power(n: int) -> int:
    """The greatest power of two up to `n`."""
    return 1 << (max(1, n).bit_length() - 1)


# ---- what it costs ------------------------------------------------------------------------------------------------------------------

def direction(accesses: Iterable[UOp], ranges: Iterable[UOp]) -> UOp | None:
    """The one of `ranges` along which most accesses are contiguous; None if none is."""
    accesses = list(accesses)
    found = [(sum(stride(a, r) in (1, -1) for a in accesses), k, r) for k, r in enumerate(nest_order(tuple(ranges)))]
    best = max(found, key=lambda f: f[:2], default=None)
    return best[2] if best is not None and best[0] else None


def weight(access: UOp, axis: UOp | None) -> float:
    """What an access costs if neighbouring work items are neighbours along `axis`."""
    s = 0 if axis is None else stride(access, axis)
    return SAME if s == 0 else 1.0 if s in (1, -1) else APART


def work(info: Reach, axis: UOp | None, done: frozenset[UOp]) -> float:
    """What an iteration costs, with all of its reductions but those `done`."""
    total = sum(weight(a, axis) for a in info.accesses) + NODE * info.nodes
    return total + sum(trips(u.src[1:]) * work(reach([u], inside=u), axis, done) for u in info.reduces if u not in done)


def around_work(effect: UOp, able: list[UOp]) -> float:
    """What an effect costs where work items do iterations of the loops `able` by themselves, all of them together."""
    stores = [u for u in effect.toposort() if u.op is Op.STORE]
    return trips(around(effect)) * work(reach(stores), able[0] if able else None, frozenset())


def effort(plan: Rows) -> float:
    """What a row costs, in accesses."""
    done = frozenset(u for g in plan.shared for u in g)
    total = 0.0
    for g in plan.shared:
        infos = [reach([u], inside=u) for u in g]
        axis = direction((a for i in infos for a in i.accesses), g[0].src[1:])
        axis = g[0].src[-1] if axis is None else axis
        total += trips(g[0].src[1:]) * sum(work(i, axis if plan.along else plan.rows[0], done) for i in infos)
    for stores, ranges in bodies(plan.effect, list(plan.rows)):
        axis = direction(stores, ranges) if ranges else None
        alone = 1 if ranges else plan.lanes * plan.parts / 4
        total += trips(ranges) * work(reach(stores), axis if plan.along else plan.rows[0], done) * alone
    return total * 1.25 if not plan.along and plan.slots < NEAR else total


def cost(plan: Rows) -> float:
    """The time of a plan, in accesses of one work item."""
    many, meetings = trips(plan.rows), len(plan.shared)
    items = many * plan.lanes * plan.parts
    between = MEET + PHASE * meetings if plan.parts > 1 else 0.0
    return effort(plan) * many / min(items, FILL) + meetings * (MEET + COMBINE * items / FILL) + between


def bodies(effect: UOp, rows: list[UOp]) -> Iterator[tuple[list[UOp], list[UOp]]]:
    """The stores of an effect that are done together, with the loops around them that are not `rows`."""
    if effect.op is Op.END:
        for stores, ranges in bodies(effect.src[0], rows):
            yield stores, [*(r for r in effect.src[1:] if r not in rows), *ranges]
        return
    stores = [e for e in effects_of(effect) if e.op is Op.STORE]
    if stores:
        yield stores, []
    for e in effects_of(effect):
        if e.op is Op.END:
            yield from bodies(e, rows)


# ---- the program --------------------------------------------------------------------------------------------------------------------

def write_rows(share: Share, plan: Rows, limits: Limits) -> None:
    """The program of a work item."""
    first, second = (plan.lanes, plan.slots) if plan.along else (plan.slots, plan.lanes)
    ids = local(0, first), local(1, second)
    number, slot = ids if plan.along else ids[::-1]
    lanes = Lanes(number, plan.lanes, slot, plan.slots)
    env: Env = {}
    extents = [share.bounds(r, env) for r in plan.rows]
    counts = [simple((n + (plan.slots - 1)) // plan.slots) if k == 0 else n for k, (_, n) in enumerate(extents)]
    ids_, again = groups(share, counts, limits.grid)
    inside = None
    places = list(ids_)
    if places and plan.slots > 1:
        n = extents[0][1]
        places[0] = simple(ids_[0] * plan.slots + slot)
        if not whole(n, plan.slots):
            inside = simple(places[0] < n)
            places[0] = places[0].minimum(n - 1)
    for r, (start, _), at in zip(plan.rows, extents, places, strict=True):
        env[r] = simple(start + at)
    for g in plan.shared:
        share.together(list(g), direction((a for u in g for a in reach([u], inside=u).accesses), g[0].src[1:]), env, lanes)
    opened = share.out.branch(inside) if inside is not None else False
    write_effect(share, plan.effect, env, lanes)
    share.out.end_branch(opened)
    if again is not None:
        share.wait()
        share.out.end_range(again)


def write_effect(share: Share, effect: UOp, env: Env, lanes: Lanes | None) -> None:
    """An effect, whose outermost loops that are no rows are spread over `lanes`, unless they are within a loop that is."""
    if effect.op is Op.END:
        ranges = [r for r in nest_order(tuple(effect.src[1:])) if r not in env]
        body = effect.src[0]
        if not ranges:
            write_effect(share, body, env, lanes)
        elif lanes is None:
            share.nest(ranges, env, lambda inner: write_effect(share, body, inner, None))
        else:
            along = direction((e for e in effects_of(body) if e.op is Op.STORE), ranges)
            share.spread(ranges, along, env, lanes, lambda inner: write_effect(share, body, inner, None))
        return
    for stored, same in groupby(effects_of(effect), lambda e: e.op is Op.STORE):
        if stored:
            opened = share.out.branch(lanes.leads) if lanes is not None else False
            share.stores(list(same), dict(env))
            share.out.end_branch(opened)
        else:
            for e in same:
                write_effect(share, e, env, lanes)
