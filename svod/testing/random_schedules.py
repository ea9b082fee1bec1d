"""Random schedules: lists of Opts over the axes a kernel has, and over those that earlier Opts have made.

Owns: the generator. Must not know devices or what a kernel computes. Invariant: a seed and a kernel give the same schedule everywhere,
and only Opts that `apply_opts` took.
"""
from __future__ import annotations

import random

from svod.codegen.apply import apply_opts
from svod.codegen.closers import axes
from svod.codegen.order import check_order
from svod.codegen.pipeline import Context, lower
from svod.codegen.schedule import Opt, OptKind, Path, Tail
from svod.errors import ScheduleError
from svod.ir.ops import Op
from svod.ir.uop import UOp

KINDS = (
    *(OptKind.SPLIT,) * 6,
    *(OptKind.VECTOR, OptKind.UNROLL) * 3,
    *(OptKind.SWAP, OptKind.PARALLEL) * 2,
    OptKind.MERGE, OptKind.INTERLEAVE, OptKind.GROUP, OptKind.PAD, OptKind.STAGE,
)
AMOUNTS = (1, 2, 3, 4, 5, 8, 16)


def random_opt(graph: UOp, rng: random.Random) -> Opt | None:
    """An Opt that names axes of `graph`; None if it has none."""
    paths = sorted(axes(graph))
    if not paths:
        return None
    kind, axis = rng.choice(KINDS), rng.choice(paths)
    others: list[Path] = [p for p in paths if p != axis]
    if kind in (OptKind.SWAP, OptKind.MERGE):
        return Opt(kind, axis, other=rng.choice(others)) if others else None
    if kind is OptKind.SPLIT:
        return Opt(kind, axis, rng.choice(AMOUNTS), rng.choice((Tail.PEEL, Tail.MASK, Tail.EXACT)))
    if kind is OptKind.STAGE:
        return Opt(kind, axis, rng.choice([p.arg.slot for p in graph.find(Op.PARAM)]))
    amount = rng.choice(AMOUNTS) if kind in (OptKind.PAD, OptKind.PARALLEL, OptKind.GROUP) else 0
    return Opt(kind, axis, amount)


def random_opts(kernel: UOp, context: Context, seed: int, *, most: int = 6) -> tuple[Opt, ...]:
    """Up to `most` Opts that can be applied to `kernel` one after the other."""
    rng = random.Random(seed)
    start = graph = lower(kernel, context, stop_after="simplify-kernel")
    taken: list[Opt] = []
    for _ in range(3 * most):
        opt = random_opt(graph, rng)
        if opt is None or len(taken) == most:
            break
        try:
            check_order(start, (*taken, opt), context.target.cores)
            graph = apply_opts(graph, (opt,), context.target.cores)
        except ScheduleError:
            continue
        taken.append(opt)
    return tuple(taken)


def accepted_opts(kernel: UOp, context: Context, seed: int) -> tuple[Opt, ...]:
    """The longest beginning of `random_opts` with which `kernel` can be lowered."""
    opts = random_opts(kernel, context, seed)
    while opts:
        try:
            lower(with_opts(kernel, opts), context)
            break
        except ScheduleError:
            opts = opts[:-1]
    return opts


def with_opts(kernel: UOp, opts: tuple[Opt, ...]) -> UOp:
    """The kernel with a schedule of its own."""
    return UOp.sink(*kernel.src, name=kernel.arg.name, opts=opts)
