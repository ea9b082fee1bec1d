"""Rows that several groups share: few rows, or one, each so long that a group by itself would leave most of the device idle.

Owns: when that is better, how many groups share a row, the program of it. Must not know renderers.
Invariants: each level of reductions is a phase, in which every group leaves what it has added up in memory of the launch; behind it every
group that needs the result combines what all have left, in the same order, so that all have the same bits. The size of that memory does
not depend on the launch. What follows the reductions is the last phase; nothing but it stores to buffers.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import prod

from svod.codegen.analysis import bounded_by_memory, reach, trip, trips
from svod.codegen.gpu.rows import FILL, USUAL, Rows, bodies, cost, direction, power, write_effect
from svod.codegen.gpu.share import Beside, Env, Lanes, Share, local, simple, whole
from svod.codegen.simt.emit import index
from svod.dtype import AddrSpace
from svod.ir.args import RangeArg, SpecialKind
from svod.ir.bounds import interval
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.scope import free_ranges
from svod.ir.uop import UOp
from svod.target import Limits

WIDE = 2 * FILL
"""Work items that reduce at the same time, at most: with four loads each, what a large GPU has under way."""
EACH = 16
"""Elements for each work item of a row that several groups share, at least: fewer do not pay for combining what they have."""
CELLS = 1 << 20
"""Partial results of a reduction, at most."""
LONG = 1 << 24
"""Elements of a row, at most, that say how many groups share it where the launch alone knows how long it is."""
OVER = (-21,)
"""Path of the loop over partial results."""


def wide_plans(plans: Iterable[Rows], limits: Limits) -> Iterator[Rows]:
    """Those of the plans with one group for each row that can have several, with several."""
    for plan in plans:
        lanes = min(plan.lanes, max(2, USUAL // plan.slots))
        if (plan.along and plan.slots > 1) or lanes * plan.slots > limits.block[0]:
            continue
        sizes = [interval(rewrite(r.src[1] - r.src[0], SIMPLIFY))[1] for r in plan.rows]
        long, unknown = max(map(_length, (g[0].src[1:] for g in plan.shared)))
        parts = power(int(min(WIDE / (trips(plan.rows) * lanes), long // (lanes * EACH))))
        rows = prod(sizes) if sizes else 1
        if parts < 2 or (rows + plan.slots) * parts > min(CELLS, limits.grid[0]):
            continue
        made = replace(plan, lanes=lanes, parts=parts)
        yield replace(made, cost=plan.cost / 2 if unknown else cost(made))  # nothing tells how long: be ready for a long one


def _length(ranges: tuple[UOp, ...]) -> tuple[int, bool]:
    """How many elements a reduction has, and whether that is a guess; the most there may be where only the launch knows."""
    if not unknown(ranges):
        return trips(ranges), False
    most = 1
    for r in ranges:
        most *= int(min(LONG, max(1, interval(r.src[1])[1] - interval(r.src[0])[0]))) if unknown([r]) else trip(r)
    return min(LONG, most), most > FILL


def unknown(ranges: Iterable[UOp]) -> bool:
    """Whether the launch alone knows how many iterations there are, of loops that depend on nothing else."""
    return any(interval(c)[0] != interval(c)[1] and not free_ranges(c) and not bounded_by_memory(r)
               for r in ranges for c in (rewrite(r.src[1] - r.src[0], SIMPLIFY),))


# ---- the program --------------------------------------------------------------------------------------------------------------------

def write_alone(share: Share, plan: Rows) -> None:
    """The program of a work item of a kernel that does nothing else."""
    count = _groups(share, plan)
    launched = simple(count.rows * count.used)
    write_wide(share, plan, UOp.special(SpecialKind.GLOBAL, 0, launched), launched)


def groups_of(share: Share, plan: Rows) -> UOp:
    """How many groups a plan wants."""
    count = _groups(share, plan)
    return simple(count.rows * count.used)


@dataclass(frozen=True, slots=True)
class _Groups:
    """How many groups there are for rows (along each axis, and all), how many share each of them, how many rows along each axis."""

    counts: list[UOp]
    rows: UOp
    used: UOp
    extents: list[tuple[UOp, UOp]]


def _groups(share: Share, plan: Rows) -> _Groups:
    extents = [share.bounds(r, {}) for r in plan.rows]
    counts = [simple((n + (plan.slots - 1)) // plan.slots) if k == 0 else n for k, (_, n) in enumerate(extents)]
    rows, used = index(1), index(plan.parts)
    for c in counts:
        rows = simple(rows * c)
    ranges = max((g[0].src[1:] for g in plan.shared), key=_length)
    if unknown(ranges) and not any(free_ranges(s) or bounded_by_memory(r) for r in ranges for s in r.src):
        elements = index(1)
        for r in ranges:
            elements = elements * share.bounds(r, {})[1]
        each = plan.lanes * EACH
        used = simple(((elements + (each - 1)) // each).maximum(1).minimum(plan.parts))
    return _Groups(counts, rows, used, extents)


class _Wide:
    """Writes the phases of a plan, for the group with a number in a launch of so many."""

    def __init__(self, share: Share, plan: Rows, group: UOp) -> None:
        self.share, self.plan = share, plan
        item = local(0, plan.lanes * plan.slots)
        slot, number = (index(0), item) if plan.slots == 1 else (item % plan.slots, item // plan.slots)
        self.lanes = Lanes(simple(number), plan.lanes, simple(slot), plan.slots)
        self.size = _groups(share, plan)
        used, one = self.size.used, interval(self.size.rows)[1] <= 1
        row, part = (index(0), group) if one else (simple(group // used), simple(group % used))
        self.beside = Beside(part, used, plan.parts)
        self.cell = simple((row * plan.slots + slot) * plan.parts)
        self.inside: UOp | None = None
        self.place: Env = self._place(row)
        cells = plan.parts * plan.slots * int(prod(interval(c)[1] for c in self.size.counts))
        self.memory = {u: UOp.memory(next(share.ids), u.dtype, max(1, cells), AddrSpace.GLOBAL, name="partials")
                       for g in plan.shared for u in g}

    def _place(self, row: UOp) -> Env:
        """The row of this work item; that of another one behind the last row."""
        env: Env = {}
        for k, (r, (start, n), count) in enumerate(zip(self.plan.rows, self.size.extents, self.size.counts, strict=True)):
            last = k == len(self.plan.rows) - 1
            at, row = (row, row) if last else (row % count, row // count)
            if k == 0 and self.plan.slots > 1:
                at = at * self.plan.slots + self.lanes.row
                if not whole(n, self.plan.slots):
                    self.inside = simple(at < n)
                    at = at.minimum(n - 1)
            env[r] = simple(start + at)
        return env

    def level(self, group: list[UOp]) -> None:
        """What this group has of REDUCEs over the same ranges goes into memory of the launch."""
        share, env = self.share, self.known(reach(group_sources(group)).reduces)
        along = direction((a for u in group for a in reach([u], inside=u).accesses), group[0].src[1:])
        totals = share.combined(group, share.partials(group, along, env, replace(self.lanes, beside=self.beside)), self.lanes)
        opened = share.out.branch(simple(self.lanes.number.eq(0)))
        for u, total in zip(group, totals, strict=True):
            share.put(self.memory[u], self.cell + self.beside.number, total)
        share.out.end_branch(opened)

    def known(self, wanted: Iterable[UOp]) -> Env:
        """Where this work item is, and the REDUCEs of the levels before that are needed."""
        env = dict(self.place)
        needed = _needed(wanted, self.memory)
        if not needed:
            return env
        r = UOp(Op.RANGE, (index(0), self.beside.count), RangeArg(OVER))
        left = {u: UOp(Op.LOAD, (UOp(Op.INDEX, (self.memory[u], simple(self.cell + r))),)) for u in needed}
        sums = {u: UOp(Op.REDUCE, (v, r), u.arg) for u, v in left.items()}
        found: Env = {}
        self.share.together(list(sums.values()), r, found, self.lanes)
        env.update({u: found[s] for u, s in sums.items()})
        return env

    def last(self) -> None:
        """What follows the reductions: spread over all groups of the row, or, where that is one store, by the first of them."""
        share, parts = self.share, list(bodies(self.plan.effect, list(self.plan.rows)))
        spread = any(ranges for _, ranges in parts)
        first = False if spread else share.out.branch(simple(self.beside.number.eq(0)))
        env = self.known(u for stores, _ in parts for u in reach(stores).reduces)
        opened = share.out.branch(self.inside) if self.inside is not None else False
        write_effect(share, self.plan.effect, env, replace(self.lanes, beside=self.beside))
        share.out.end_branch(opened)
        share.out.end_branch(first)


def group_sources(group: list[UOp]) -> list[UOp]:
    """The values that REDUCEs add up."""
    return [u.src[0] for u in group]


def _needed(wanted: Iterable[UOp], shared: Iterable[UOp]) -> list[UOp]:
    """Those of the shared REDUCEs that are wanted, or that one needs which a work item does by itself."""
    shared, out, stack = set(shared), dict[UOp, None](), list(wanted)
    while stack:
        u = stack.pop()
        if u in shared:
            out[u] = None
        else:
            stack += reach(u.src[:1]).reduces
    return list(out)


def write_wide(share: Share, plan: Rows, group: UOp, launched: UOp) -> None:
    """The phases of a plan. `group`: the number of the group in a launch of at least as many groups as the plan wants."""
    wide = _Wide(share, plan, group)
    wanted = simple(wide.size.rows * wide.size.used)

    def taking_part() -> bool:
        return wanted is not launched and share.out.branch(simple(group < wanted))

    for g in plan.shared:
        opened = taking_part()
        wide.level(list(g))
        share.out.end_branch(opened)
        share.out.phase()
    opened = taking_part()
    wide.last()
    share.out.end_branch(opened)
