"""Which loop kernels are done by groups of work items that share work, and how: the cheapest plan there is.

Owns: what a kernel must be for that, the comparison of plans with a grid of work items that each do one iteration by themselves. Must not
know how a plan is written. Invariant: a kernel whose order matters, or that has ids or memory of its own, is left as it is.
"""
from __future__ import annotations

from dataclasses import replace

from svod.codegen.analysis import apart, conflicts, owns_memory, pointer, reach, trips
from svod.codegen.closers import awaited, effects_of
from svod.codegen.contract import CONTRACTION
from svod.codegen.decompose import require_supported, rules_for
from svod.codegen.gpu.grid import spread_loops
from svod.codegen.gpu.opts import grouped
from svod.codegen.gpu.parts import Part, Turns, able_loops, in_phases, in_turn, most_items, write_parts
from svod.codegen.gpu.product import Product, product_plans, write_product
from svod.codegen.gpu.rows import FILL, Rows, around_work, rows_plans, write_rows
from svod.codegen.gpu.share import Share
from svod.codegen.gpu.turn import Turn, turn_plans, write_turn
from svod.codegen.gpu.units import Units, unit_plans, write_units
from svod.codegen.gpu.wide import wide_plans, write_alone
from svod.codegen.ids import has_core
from svod.codegen.lower import Fused
from svod.codegen.order import order_of
from svod.codegen.schedule import OptKind
from svod.codegen.simt.emit import LEAVES, Emitter
from svod.errors import ScheduleError
from svod.ir.ops import Op
from svod.ir.pattern import RuleSet
from svod.ir.uop import UOp
from svod.target import Target


def independent(sink: UOp) -> bool:
    """Whether a kernel is nothing but loops over loads and stores, in any order that its loops allow."""
    effects = [e for s in sink.src for e in effects_of(s)]
    if has_core(sink) or conflicts(effects) or owns_memory(sink) or any(awaited(e) for e in effects):
        return False
    return next(sink.find(Op.ATOMIC, Op.SPECIAL, Op.BARRIER), None) is None and _read_once(sink)


def _read_once(sink: UOp) -> bool:
    """Whether each element that is written is written once, and read only for what is written there, and loops side by side read nothing
    that they both read and that may be what one of them writes."""
    stores = list(sink.find(Op.STORE))
    for s in stores:
        same = [x for x in stores if pointer(x) is pointer(s)]
        if len(same) > 1 and not apart(pointer(s), stores):
            return False
        if any(pointer(u) is pointer(s) for x in stores if x is not s for u in x.find(Op.LOAD)):
            return False
    written = {s.src[0].src[1] for s in stores}
    for group in (sink, *sink.find(Op.GROUP)):
        effects = effects_of(group) if group.op is Op.GROUP else group.src
        if any(e.op is Op.END for e in effects):
            loads = [{a for a in reach([e]).accesses if a.op is Op.LOAD and a.src[0].src[1] in written} for e in effects]
            if sum(map(len, loads)) > len(set().union(*loads)):
                return False
    return True


Plan = Rows | Product | Units | Turn
SHARED = 48 << 10
"""Memory of a group that plans take, at most: CUDA gives no more without being asked, and more leaves room for one group alone."""


def shared_work(sink: UOp, target: Target, contract: str, fused: Fused) -> UOp | None:
    """The LINEAR program of a work item of a kernel in normal form, where work items of a group had better share work; else None."""
    effects = [e for s in sink.src for e in effects_of(s)]
    if has_core(sink):
        return None
    room = len(list(sink.find(Op.PARAM, Op.DEFINE_VAR))) < target.limits.buffers  # memory of the launch is an argument more
    limits = replace(target.limits, shared_bytes=min(target.limits.shared_bytes, SHARED))
    target = replace(target, limits=limits, phases=target.phases and room)
    share = Share(Emitter(_rules(target, contract)), fused)
    if sink.arg.opts is not None:
        return _by_hand(share, sink, effects, target)
    if (len(effects) > 1 and any(e.op is Op.END for e in effects)) or any(awaited(e) for e in effects):
        return program(share, target) if _parts(share, sink, target) else None
    if not effects or not independent(sink):
        return None
    effect = effects[0] if len(effects) == 1 else UOp.group(*effects)
    able = spread_loops(effect, order_of(sink), sink)
    units = target.products if contract != "off" else frozenset()
    if (plan := _cheapest(effect, able, replace(target, products=units))) is None:
        return None
    if isinstance(plan, Rows) and plan.parts > 1:
        write_alone(share, plan)
    elif isinstance(plan, Rows):
        write_rows(share, plan, target.limits)
    elif isinstance(plan, Turn):
        write_turn(share, plan, target.limits)
    elif isinstance(plan, Units):
        write_units(share, plan, target.limits)
    else:
        write_product(share, plan, target.limits)
    return program(share, target)


def _by_hand(share: Share, sink: UOp, effects: list[UOp], target: Target) -> UOp | None:
    """The program that a schedule with a GROUP asks for; None for one without. ScheduleError where it does not fit."""
    if (group := next((o for o in sink.arg.opts if o.kind is OptKind.GROUP), None)) is None:
        return None
    if len(effects) != 1 or not independent(sink):
        raise ScheduleError(f"{group}: the kernel does more than one reduction over rows, or its order matters", at=sink.arg.name,
                            hint="leave the Opt out")
    plan = grouped(sink, effects[0], spread_loops(effects[0], order_of(sink), sink), target.limits)
    if plan is None:
        return None
    write_rows(share, plan, target.limits)
    return program(share, target)


def _cheapest(effect: UOp, able: list[UOp], target: Target) -> Plan | None:
    """The plan that takes the least time; None where work items that do iterations by themselves take less."""
    plans: list[Plan] = []
    if next(effect.find(Op.REDUCE), None) is None:
        plans += turn_plans(effect, able, target.limits)
    else:
        products = list(product_plans(effect, able, target.limits, target.group_bits))
        rows = list(rows_plans(effect, able, target.limits))
        plans += [*rows, *wide_plans(rows, target.limits)] if target.phases else rows
        plans += [*products, *unit_plans(products, target.products, target.limits)]
    plan = min(plans, key=lambda p: p.cost, default=None)
    return plan if plan is not None and plan.cost < _by_themselves(effect, able) else None


def _parts(share: Share, sink: UOp, target: Target) -> bool:
    """Writes a kernel of several effects; whether it can be written so."""
    effects, limits = in_turn(sink), target.limits
    if effects is None:
        return False
    parts = []
    for e in effects:
        one = sink.replace(src=(e,))
        if not independent(one):
            return False
        parts.append(_part(e, spread_loops(e, order_of(one), one), target))
    turns = Turns.NONE if independent(sink) else Turns.PHASES if target.phases and in_phases(parts, limits) else Turns.GROUP
    size = most_items(limits, turns)
    shared = sum(u.dtype.itemsize * size for p in parts if p.rows is not None for g in p.rows.shared for u in g)
    if shared > limits.shared_bytes or not any(p.able or p.rows for p in parts):
        return False
    write_parts(share, parts, limits, turns)
    return True


def _part(effect: UOp, able: list[UOp], target: Target) -> Part:
    """How an effect beside others is done."""
    plans = [p for p in rows_plans(effect, able, target.limits) if p.along]
    if target.phases:  # groups have one size in all phases
        size = most_items(target.limits, Turns.PHASES)
        plans += [replace(p, lanes=size) for p in wide_plans(plans, target.limits) if p.slots == 1]
    rows = min(plans, key=lambda p: p.cost, default=None)
    return Part(effect, able_loops(able), rows if rows is not None and rows.cost < _by_themselves(effect, able) else None)


def _rules(target: Target, contract: str) -> tuple[RuleSet, ...]:
    rules = rules_for(target)
    return (CONTRACTION, rules) if contract == "all" and target.fma else (rules,)


def program(share: Share, target: Target) -> UOp:
    """What was written, as a LINEAR program. UnsupportedError, by name, for what the target lacks."""
    leaves = {u: None for u in UOp(Op.LINEAR, tuple(share.out.chain[0].items)).toposort() if u.op in LEAVES}
    linear = share.out.program(list(leaves))
    require_supported(linear, target)
    return linear


def _by_themselves(effect: UOp, able: list[UOp]) -> float:
    """The time of a grid of work items, each of which does all that one iteration needs, in accesses of one work item."""
    return around_work(effect, able) / min(trips(able[:3]), FILL)
