"""Schedules written by hand, on targets whose work items have ids: what each Opt means there, or why it is refused.

Owns: that. PARALLEL makes an axis one of the grid, `amount` of its iterations in a group; GROUP has a reduction shared by `amount` work
items of a group. Loops that no Opt spreads are spread as they are without a schedule. Must not know renderers.
Invariant: a schedule is applied as it says, or refused by the name of an Opt; a kernel that can be spread is never left to one work item.
"""
from __future__ import annotations

from dataclasses import replace

from svod.codegen.apply import apply_opts
from svod.codegen.closers import axes, effects_of
from svod.codegen.gpu.grid import AXES, on_grid, spread_loops
from svod.codegen.gpu.rows import Rows, rows_plans
from svod.codegen.order import Order, order_of, refusal
from svod.codegen.schedule import Opt, OptKind, path_text
from svod.errors import ScheduleError
from svod.ir.args import AxisKind
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.target import Limits, Target


def apply_on_items(sink: UOp, target: Target) -> UOp:
    """`sink`, in normal form, with its Opts applied and its loops as ids. ScheduleError names the Opt that does not fit."""
    order, graph, spread = order_of(sink), sink, dict[tuple[int, ...], Opt]()
    could = bool(_spreadable(sink, order))
    for opt in sink.arg.opts:
        _check(opt, target)
        if order.refuses(opt, graph):
            raise refusal(sink, opt)
        if opt.kind is OptKind.PARALLEL:
            spread[opt.axis] = opt
            _parallel_axis(graph, opt)
            continue
        if opt.axis in spread or opt.other in spread:
            raise ScheduleError(f"{opt}: axis {path_text(opt.axis)} is spread over the grid already", hint="put PARALLEL last")
        before, graph = graph, apply_opts(graph, (opt,), 1)
        order = order.after(opt, graph) if graph is not before else order
    loops = [r for r in _spreadable(graph, order) if not spread or r.arg.path in spread]
    if lost := [o for p, o in spread.items() if all(r.arg.path != p for r in loops)]:
        raise ScheduleError(f"{lost[0]}: the axis is not a loop around all that the kernel does, or its iterations may write the same "
                            "elements", at=sink.arg.name, hint="of a SPLIT, use the tail policy mask; reductions are shared by GROUP")
    if len(loops) > AXES and spread:
        raise ScheduleError(f"{list(spread.values())[AXES]}: a grid has {AXES} axes", at=sink.arg.name, hint="MERGE axes first")
    if could and not loops:
        raise ScheduleError(f"{sink.arg.opts[-1]}: the schedule leaves all of the kernel to one work item", at=sink.arg.name,
                            hint="of a SPLIT, use the tail policy mask; or leave the schedule out")
    sizes = [spread[r.arg.path].amount if r.arg.path in spread else 0 for r in loops[:AXES]]
    return on_grid(graph, loops[:AXES], sizes, target.limits) if loops else graph


def _check(opt: Opt, target: Target) -> None:
    """ScheduleError for what has no meaning on the target."""
    if opt.kind is OptKind.VECTOR and not target.vector_bits:
        raise ScheduleError(f"{opt}: target {target.name} has no vectors", hint="use UNROLL; neighbouring work items are its lanes")
    if opt.kind is OptKind.STAGE:
        raise ScheduleError(f"{opt}: target {target.name} has no cores with memory of their own",
                            hint="without a schedule, products and transpositions are staged in memory of the group")
    if opt.kind is OptKind.PARALLEL and opt.amount > min(target.limits.threads, max(target.limits.block)):
        raise ScheduleError(f"{opt}: a group of {target.name} has at most {target.limits.threads} work items")


def _parallel_axis(graph: UOp, opt: Opt) -> None:
    """ScheduleError unless the axis is an unmarked loop around effects."""
    r = axes(graph).get(opt.axis)
    if r is None:
        have = ", ".join(path_text(p) for p in sorted(axes(graph))) or "none"
        raise ScheduleError(f"{opt}: the kernel has no axis {path_text(opt.axis)}", at=graph.arg.name, hint=f"its axes are {have}")
    if r.arg.kind is not AxisKind.LOOP:
        raise ScheduleError(f"{opt}: the axis is marked {r.arg.kind.name} already", hint="spread another axis")
    if any(r in u.src[1:] for u in graph.find(Op.REDUCE)):
        raise ScheduleError(f"{opt}: the axis is reduced", hint="use GROUP: work items of a group share a reduction")


def _spreadable(graph: UOp, order: Order) -> list[UOp]:
    """The loops of a scheduled kernel whose iterations work items may do."""
    effects = [e for s in graph.src for e in effects_of(s)]
    if len(effects) != 1 or effects[0].op is not Op.END or next(graph.find(Op.ATOMIC, Op.SPECIAL, Op.BARRIER), None) is not None:
        return []
    return spread_loops(effects[0], order, graph)


def grouped(sink: UOp, effect: UOp, able: list[UOp], limits: Limits) -> Rows | None:
    """The plan that the GROUP in a schedule asks for; None if there is none in it. ScheduleError for Opts that do not go with it."""
    opts = sink.arg.opts or ()
    found = [o for o in opts if o.kind is OptKind.GROUP]
    if not found:
        return None
    group = found[0]
    if bad := next((o for o in opts if o is not group and o.kind is not OptKind.PARALLEL), None):
        raise ScheduleError(f"{bad}: nothing but PARALLEL goes with {group} where work items share a reduction", at=sink.arg.name,
                            hint="leave it out")
    lanes = group.amount or 128
    if lanes & (lanes - 1) or not 2 <= lanes <= min(limits.threads, limits.block[0]):
        raise ScheduleError(f"{group}: {lanes} work items", at=sink.arg.name,
                            hint=f"a power of two up to {min(limits.threads, limits.block[0])}")
    plans = [p for p in rows_plans(effect, able, limits) if p.along
             and any(r.arg.path == group.axis for g in p.shared for u in g for r in u.src[1:])]
    if not plans:
        raise ScheduleError(f"{group}: the axis is not reduced, or not for each of some rows", at=sink.arg.name,
                            hint="name an axis of a reduction")
    plan = replace(min(plans, key=lambda p: p.cost), lanes=lanes, slots=1)
    for o in opts:
        if o is not group and (o.amount or all(r.arg.path != o.axis for r in plan.rows)):
            raise ScheduleError(f"{o}: the axis is not one of rows that groups share", at=sink.arg.name, hint="leave it out")
    if plan.bytes() > limits.shared_bytes:
        raise ScheduleError(f"{group}: partial results take {plan.bytes()} bytes, a group has {limits.shared_bytes}")
    return plan


