"""Random schedules: lists of Opts over the axes a kernel has, and over those that earlier Opts have made.

Owns: the generator. Must not know devices or what a kernel computes. Invariant: a seed and a kernel give the same schedule everywhere,
and only Opts that `apply_opts` took.
"""
from __future__ import annotations

import random

from svod.codegen.apply import apply_opts
from svod.codegen.closers import axes
from svod.codegen.order import order_of
from svod.codegen.pipeline import Context, lower
from svod.codegen.schedule import Opt, OptKind, Panel, Path, Tail
from svod.errors import ScheduleError
from svod.ir.effects import memory
from svod.ir.ops import Op
from svod.ir.scope import free_ranges
from svod.ir.uop import UOp

KINDS = (
    *(OptKind.SPLIT,) * 6,
    *(OptKind.VECTOR, OptKind.UNROLL) * 3,
    *(OptKind.SWAP, OptKind.PARALLEL) * 2,
    *(OptKind.STAGE, OptKind.CARRY) * 2, OptKind.CARRY, OptKind.CARRY,
    OptKind.MERGE, OptKind.INTERLEAVE, OptKind.GROUP, OptKind.PAD,
)
AMOUNTS = (1, 2, 3, 4, 5, 8, 16)


def random_opt(graph: UOp, rng: random.Random) -> Opt | None:
    """An Opt that names axes of `graph`; None if it has none."""
    paths = sorted(axes(graph))
    if not paths:
        return None
    kind, axis = rng.choice(KINDS), rng.choice(paths)
    others: list[Path] = [p for p in paths if p != axis]
    if kind is OptKind.CARRY:
        return random_carry(graph, rng)
    if kind in (OptKind.SWAP, OptKind.MERGE):
        return Opt(kind, axis, other=rng.choice(others)) if others else None
    if kind is OptKind.SPLIT:
        tail, unit = rng.choice((Tail.PEEL, Tail.MASK, Tail.EXACT, Tail.BALANCED)), rng.choice((1, 1, 2, 4))
        unit = unit if tail is Tail.BALANCED else 1
        return Opt(kind, axis, rng.choice(AMOUNTS) * unit, tail, unit=unit)
    if kind is OptKind.STAGE:
        slot = rng.choice([p.arg.slot for p in graph.find(Op.PARAM)])
        return Opt(kind, axis, slot, panel=random_panel(graph, rng, axis, slot))
    amount = rng.choice(AMOUNTS) if kind in (OptKind.PAD, OptKind.PARALLEL, OptKind.GROUP) else 0
    return Opt(kind, axis, amount)


def random_carry(graph: UOp, rng: random.Random) -> Opt | None:
    """A CARRY of an axis that is reduced, around one that is not; None if there is no such pair."""
    reduced = sorted({r.arg.path for u in graph.find(Op.REDUCE) for r in u.src[1:]})
    around = sorted({r.arg.path for u in graph.find(Op.END) for r in u.src[1:]})
    return Opt(OptKind.CARRY, rng.choice(reduced), other=rng.choice(around)) if reduced and around else None


def random_panel(graph: UOp, rng: random.Random, axis: Path, slot: int) -> Panel:
    """A layout for what is read of buffer `slot` in the loop `axis`: mostly the plain one."""
    shared = rng.random() < 0.2
    loads = [u for u in graph.find(Op.LOAD) if memory(u.src[0]).op is Op.PARAM and memory(u.src[0]).arg.slot == slot]
    inside = sorted({r.arg.path for u in loads for r in free_ranges(u) if shared or r.arg.path > axis})
    order = tuple(rng.sample(inside, len(inside))) if rng.random() < 0.4 else ()
    pad, guard, reads = (rng.choice((0, 0, 0, *some)) for some in ((1, 3), (4, 16), (2, 4)))
    return Panel(order, pad, shared, guard, reads)


def random_opts(kernel: UOp, context: Context, seed: int, *, most: int = 6) -> tuple[Opt, ...]:
    """Up to `most` Opts that can be applied to `kernel` one after the other."""
    rng = random.Random(seed)
    graph = lower(kernel, context, stop_after="simplify-kernel")
    order = order_of(graph)
    taken: list[Opt] = []
    for _ in range(3 * most):
        opt = random_opt(graph, rng)
        if opt is None or len(taken) == most:
            break
        if order.refuses(opt, graph):
            continue
        try:
            graph = apply_opts(graph, (opt,), context.target.cores)
        except ScheduleError:
            continue
        order = order.after(opt, graph)
        taken.append(opt)
    return tuple(taken)


def scheduled(kernel: UOp, context: Context, seed: int) -> tuple[tuple[Opt, ...], UOp]:
    """The longest beginning of `random_opts` with which `kernel` can be lowered, and its LINEAR program."""
    opts = random_opts(kernel, context, seed)
    while True:
        try:
            return opts, lower(with_opts(kernel, opts), context)
        except ScheduleError:
            if not opts:
                raise
            opts = opts[:-1]


def with_opts(kernel: UOp, opts: tuple[Opt, ...]) -> UOp:
    """The kernel with a schedule of its own."""
    return UOp.sink(*kernel.src, name=kernel.arg.name, opts=opts)
