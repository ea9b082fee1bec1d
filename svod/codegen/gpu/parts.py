"""Kernels of several effects: each is done by all work items of the launch; those that need one another in phases, or by one group.

Owns: the order of such effects, the program of one after the other. Must not know renderers.
Invariants: effects of which one touches what another writes are done in the order in which they are written: each is a phase, or one group
does all of them, with a barrier between them; all work items of a group reach every barrier.
"""
from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from svod.codegen.analysis import bounded_by_memory, trips
from svod.codegen.closers import awaited, effects_of
from svod.codegen.gpu.rows import FILL, MEET, MOST, PHASE, USUAL, Rows, around_work, direction, effort, power, write_effect
from svod.codegen.gpu.share import Env, Flat, Lanes, Share, local, simple
from svod.codegen.gpu.wide import groups_of, unknown, write_wide
from svod.codegen.simt.emit import index
from svod.dtype import dtypes
from svod.ir.args import SpecialKind
from svod.ir.ops import Op
from svod.ir.scope import free_ranges
from svod.ir.uop import UOp
from svod.target import Limits


@dataclass(frozen=True, slots=True)
class Part:
    """One effect: `rows`, a plan whose rows are shared by the whole group, or by several groups, or None: each work item does iterations of
    the loops `able`."""

    effect: UOp
    able: tuple[UOp, ...]
    rows: Rows | None


class Turns(Enum):
    """What effects wait for."""

    NONE = "nothing"
    GROUP = "a barrier of the group: one group does all of them"
    PHASES = "all groups: each effect is a phase"


def in_turn(sink: UOp) -> list[UOp] | None:
    """The effects of a kernel, each behind those it waits for, without that waiting; None where some wait inside of loops."""
    out: dict[UOp, UOp] = {}

    def add(effect: UOp) -> bool:
        if effect in out:
            return True
        for d in awaited(effect):
            if free_ranges(d) or d.op is Op.BARRIER or not all(add(e) for e in effects_of(d)):
                return False
        out[effect] = alone = _without_waiting(effect)
        return not any(u.op is Op.AFTER and any(s.op is Op.LOAD for s in u.src[1:]) for u in alone.toposort())

    return list(out.values()) if all(add(e) for s in sink.src for e in effects_of(s)) else None


def _without_waiting(effect: UOp) -> UOp:
    table: dict[UOp, UOp] = {}
    for u in effect.toposort():
        src = tuple([table[s] for s in u.src])
        if u.op is Op.AFTER:
            kept = tuple(s for s in src[1:] if s.dtype is not dtypes.void or s.op is Op.RANGE)
            table[u] = src[0].after(*kept) if kept else src[0]
        else:
            table[u] = u if src == u.src else u.replace(src=src)
    return table[effect]


def able_loops(able: list[UOp]) -> tuple[UOp, ...]:
    """Those of the loops whose extent is known before the launch."""
    return tuple(r for r in able if not bounded_by_memory(r))


def most_items(limits: Limits, turns: Turns) -> int:
    """Work items of a group: a power of two."""
    return power(min(limits.threads, limits.block[0], MOST if turns is Turns.GROUP else USUAL))


def in_phases(parts: list[Part], limits: Limits) -> bool:
    """Whether effects that wait for one another are done sooner in a phase each than by one group."""
    if any(unknown(p.rows.rows if p.rows is not None else p.able) for p in parts) or any(p.rows and p.rows.parts > 1 for p in parts):
        return True
    size, together, apart = most_items(limits, Turns.GROUP), 0.0, 0.0
    for p in parts:
        if p.rows is not None:
            many = trips(p.rows.rows)
            total, items = effort(p.rows) * many, many * most_items(limits, Turns.PHASES)
        else:
            total, items = around_work(p.effect, list(p.able)), trips(p.able)
        together += total / min(items, size) + MEET
        apart += total / min(items, FILL) + PHASE
    return apart < together


def write_parts(share: Share, parts: list[Part], limits: Limits, turns: Turns) -> None:
    """The program of a work item."""
    size = most_items(limits, turns)
    number = local(0, size)
    wanted = index(1)
    for part in parts if turns is not Turns.GROUP else []:
        wanted = wanted.maximum(_groups(share, part, size))
    launched = simple(wanted.minimum(limits.grid[0]))
    group = UOp.special(SpecialKind.GLOBAL, 0, launched)
    wide = any(p.rows is not None and p.rows.parts > 1 for p in parts)
    for k, part in enumerate(parts):
        if k and turns is Turns.GROUP:
            share.wait()
        elif k and (turns is Turns.PHASES or (wide and part.rows is not None)):
            share.out.phase()  # PoCL hangs in barriers behind those of some groups alone
        if part.rows is not None and part.rows.parts > 1:
            write_wide(share, part.rows, group, launched)
        elif part.rows is not None:
            _by_groups(share, part.rows, (group, launched), Lanes(number, size, index(0), 1))
        else:
            _by_items(share, part, (simple(group * size + number), simple(launched * size)))


def _flat(share: Share, ranges: tuple[UOp, ...]) -> Flat | None:
    """Loops that count as one, the first of `ranges` fastest."""
    if not ranges:
        return None
    starts, counts = zip(*(share.bounds(r, {}) for r in ranges[::-1]), strict=True)
    return Flat({}, ranges[::-1], starts, counts)


def _groups(share: Share, part: Part, size: int) -> UOp:
    """How many groups a part can use."""
    if part.rows is not None and part.rows.parts > 1:
        return groups_of(share, part.rows)
    flat = _flat(share, part.rows.rows if part.rows is not None else part.able)
    if flat is None:
        return index(1)
    return flat.count if part.rows is not None else simple((flat.count + (size - 1)) // size)


def _by_items(share: Share, part: Part, place: tuple[UOp, UOp]) -> None:
    """Each work item does iterations, all of the launch side by side."""
    flat, (item, items) = _flat(share, part.able), place
    if flat is None:
        opened = share.out.branch(simple(item.eq(0)))
        write_effect(share, part.effect, {}, None)
        share.out.end_branch(opened)
        return
    k = share.out.range(index(0), simple((flat.count - item + (items - 1)) // items))
    write_effect(share, part.effect, flat.env(simple(item + k * items)), None)
    share.out.end_range(k)


def _by_groups(share: Share, plan: Rows, place: tuple[UOp, UOp], lanes: Lanes) -> None:
    """Each group does rows, all of the launch side by side."""
    flat, (group, launched) = _flat(share, plan.rows), place
    k, env = None, Env()
    if flat is not None:
        k = share.out.range(index(0), simple((flat.count - group + (launched - 1)) // launched))
        env = flat.env(simple(group + k * launched))
    opened = share.out.branch(simple(group.eq(0))) if flat is None else False
    for g in plan.shared:
        share.together(list(g), direction((a for u in g for a in u.src[0].find(Op.LOAD)), g[0].src[1:]), env, lanes)
    write_effect(share, plan.effect, env, lanes)
    share.out.end_branch(opened)
    if k is not None:
        share.wait()
        share.out.end_range(k)


