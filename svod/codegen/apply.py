"""Applies Opts to a graph, one after the other, as graph-to-graph rewrites of the loops they name.

Owns: the meaning of each Opt on loop kernels. Must not know targets or strategies.
Invariant: an Opt never changes what the kernel computes, up to the order of a float reduction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from svod.codegen.analysis import conflicts, pointer
from svod.codegen.closers import axes, closed_ranges, effects_of, guard, map_closers, mask_value, own_nodes
from svod.codegen.group import group_reduction
from svod.codegen.schedule import Opt, OptKind, Path, Tail, path_text
from svod.codegen.stage import stage_operand
from svod.dtype import dtypes
from svod.errors import ScheduleError
from svod.ir.args import AxisKind, RangeArg, VarArg
from svod.ir.bounds import constant, divides
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.scope import free_ranges
from svod.ir.uop import UOp

MAX_COPIES = 64
"""Lanes of one vector value, or copies of one body: more is a mistake (64 bytes fill the widest register there is)."""


def apply_opts(sink: UOp, opts: tuple[Opt, ...], cores: int) -> UOp:
    """`sink` with every Opt applied in order. ScheduleError names the Opt that does not fit.

    Each step is remembered with the graph it was applied to, so that applying what a strategy has just tried costs nothing.
    """
    for opt in opts:
        if (done := sink.cache.get(("applied", opt, cores))) is None:
            done = sink.cache[("applied", opt, cores)] = rewrite(_APPLY[opt.kind](sink, opt, cores), SIMPLIFY)
        sink = done
    return sink


REORDERING = frozenset((OptKind.VECTOR, OptKind.UNROLL, OptKind.PARALLEL, OptKind.SWAP))
"""Opts under which iterations no longer run one after the other, in order."""


def check_order(sink: UOp, opts: tuple[Opt, ...]) -> None:
    """ScheduleError if an Opt given by hand reorders a loop whose iterations depend on one another."""
    ends = [e for e in sink.find(Op.END) if conflicts(sink.src) or conflicts([e])]
    ordered = {r.arg.path[0] for e in ends for r in e.src[1:]}
    for opt in opts:
        if opt.kind in REORDERING and ordered & {p[0] for p in (opt.axis, opt.other) if p}:
            raise ScheduleError(
                f"{opt}: the iterations of the axis depend on one another",
                at=sink.arg.name,
                hint="it reads and writes one memory at different indices; leave its order as it is",
            )


def core_id(cores: int) -> UOp:
    """The variable the launch sets to the number of the core."""
    return UOp(Op.DEFINE_VAR, (), VarArg("core_id", 0, cores - 1), dtypes.index)


def _axis(sink: UOp, opt: Opt, path: Path | None = None) -> UOp:
    table = axes(sink)
    want = opt.axis if path is None else path
    if (r := table.get(want)) is None:
        have = ", ".join(path_text(p) for p in sorted(table))
        raise ScheduleError(f"{opt}: the kernel has no axis {path_text(want)}", at=sink.arg.name, hint=f"its axes are {have or 'none'}")
    return r


def _split(sink: UOp, opt: Opt, cores: int) -> UOp:
    r, f = _axis(sink, opt), opt.amount
    start, stop = r.src
    count = rewrite(stop - start, SIMPLIFY)
    inner = UOp.range(f, 0).replace(arg=RangeArg((*opt.axis, 1)))
    exact = divides(f, count)
    if opt.tail is Tail.EXACT and not exact:
        raise ScheduleError(f"{opt}: {f} does not divide the extent of the axis", hint="use the tail policy peel or mask")
    if exact or opt.tail is Tail.PEEL:
        outer = UOp.range(count // f, 0).replace(arg=RangeArg((*opt.axis, 0), r.arg.kind))
    else:
        outer = UOp.range((count + (f - 1)) // f, 0).replace(arg=RangeArg((*opt.axis, 0), r.arg.kind))
    at = start + outer * f + inner
    if exact:
        return _replace_range(sink, r, at, (outer, inner))
    if opt.tail is Tail.MASK:
        return _replace_range(sink, r, at, (outer, inner), valid=at < stop)
    tail = UOp.range(count % f, 0).replace(arg=RangeArg((*opt.axis, 2), r.arg.kind))
    return _peel(sink, r, (at, (outer, inner)), (start + (count // f) * f + tail, (tail,)))


def _replace_range(sink: UOp, r: UOp, at: UOp, new: tuple[UOp, ...], valid: UOp | None = None) -> UOp:
    """`r` becomes `at` over the ranges `new`, in every closer; `valid` guards what happens beyond the end."""

    def change(u: UOp) -> UOp:
        if r not in closed_ranges(u):
            return u
        return _substituted(u, r, at, new, valid)

    return map_closers(sink, change)


def _substituted(u: UOp, r: UOp, at: UOp, new: tuple[UOp, ...], valid: UOp | None = None) -> UOp:
    body, others = u.src[0], [x for x in u.src[1:] if x is not r]
    if valid is not None:
        body = guard(body, r, valid)
        if u.op is Op.REDUCE:
            body = mask_value(u.arg, body, valid)
    body, *others = (x.substitute({r: at}) for x in (body, *others))
    return u.replace(src=(body, *others, *new))


def _peel(sink: UOp, r: UOp, main: tuple[UOp, tuple[UOp, ...]], tail: tuple[UOp, tuple[UOp, ...]]) -> UOp:
    def change(u: UOp) -> UOp:
        if r not in closed_ranges(u):
            return u
        a, b = _substituted(u, r, *main), _substituted(u, r, *tail)
        return UOp(u.arg, (a, b)) if u.op is Op.REDUCE else UOp.group(a, b)

    return map_closers(sink, change)


def _swap(sink: UOp, opt: Opt, cores: int) -> UOp:
    a, b = _axis(sink, opt), _axis(sink, opt, opt.other)
    if a in b.src[0].toposort() or b in a.src[1].toposort() or a in b.src[1].toposort():
        raise ScheduleError(f"{opt}: the bounds of one axis depend on the other")
    table = {a: a.replace(arg=replace(a.arg, path=b.arg.path)), b: b.replace(arg=replace(b.arg, path=a.arg.path))}
    return sink.substitute(table)


def _merge(sink: UOp, opt: Opt, cores: int) -> UOp:
    a, b = _axis(sink, opt), _axis(sink, opt, opt.other)
    if constant(a.src[0]) != 0 or constant(b.src[0]) != 0 or a in b.toposort():
        raise ScheduleError(f"{opt}: both axes must start at 0 and be independent")
    size = b.src[1]
    m = UOp.range(a.src[1] * size, 0).replace(arg=RangeArg((*opt.axis, 0), a.arg.kind))

    def change(u: UOp) -> UOp:
        closed = closed_ranges(u)
        if (a in closed) != (b in closed):
            raise ScheduleError(f"{opt}: the two axes are not closed together", hint="only a perfect nest can be merged")
        if a not in closed:
            return u
        table = {a: m // size, b: m % size}
        rest = tuple(x for x in u.src[1:] if x is not a and x is not b)
        return u.replace(src=(u.src[0].substitute(table), *rest, m))

    return map_closers(sink, change)


def _parallel(sink: UOp, opt: Opt, cores: int) -> UOp:
    r, unit = _axis(sink, opt), max(1, opt.amount)
    if any(r in u.src[1:] for u in sink.find(Op.REDUCE)):
        raise ScheduleError(f"{opt}: the axis is reduced", hint="use GROUP for a reduction over the whole kernel")
    _check_unspread(sink, opt, r, cores)
    stores = [e for u in sink.find(Op.END) if r in u.src[1:] for e in _stores(u.src[0], r) if pointer(e).op is Op.PARAM]
    if any(r not in free_ranges(e.src[0].src[1]) for e in stores):
        raise ScheduleError(f"{opt}: its iterations write the same elements", hint="spread an axis along which every store moves")
    start, stop = r.src
    core = core_id(cores)
    share = (((stop - start) + (cores * unit - 1)) // (cores * unit)) * unit
    lo = start + core * share
    hi = (lo + share).minimum(stop)
    low = lo if divides(cores * unit, rewrite(stop - start, SIMPLIFY)) else lo.minimum(stop)
    new = UOp(Op.RANGE, (low, lo + share if low is lo else hi), RangeArg(opt.axis, AxisKind.PARALLEL))
    return _replace_range(sink, r, new, (new,))


def _stores(body: UOp, r: UOp) -> list[UOp]:
    """The stores that the loop over `r` around `body` does; not those it waits for, which are done before it."""
    nested = [x for e in effects_of(body) for x in (_stores(e.src[0], r) if e.op is Op.END else [e])]
    return [*(e for e in nested if e.op is Op.STORE), *(e for e in body.find(Op.STORE) if r in free_ranges(e))]


def _mark(kind: AxisKind) -> Callable[[UOp, Opt, int], UOp]:
    def mark(sink: UOp, opt: Opt, cores: int) -> UOp:
        r = _axis(sink, opt)
        if constant(r.src[0]) != 0 or (extent := constant(r.src[1])) is None:
            raise ScheduleError(f"{opt}: the extent of the axis is not a constant", hint="SPLIT it first and mark the inner axis")
        if any(pointer(u).op is not Op.PARAM and r in free_ranges(u) for u in sink.find(Op.STORE)):
            raise ScheduleError(f"{opt}: memory of the kernel's own is filled in each iteration of the axis", hint="copies would share it")
        if extent > MAX_COPIES:
            hint = f"SPLIT it first: at most {MAX_COPIES} are taken"
            raise ScheduleError(f"{opt}: {extent} lanes or copies would make code of that size", hint=hint)
        return sink.substitute({r: r.replace(arg=replace(r.arg, kind=kind))})

    return mark


def _pad(sink: UOp, opt: Opt, cores: int) -> UOp:
    r = _axis(sink, opt)
    start, stop = r.src
    f = opt.amount
    new = UOp.range(((stop - start) + (f - 1)) // f * f, 0).replace(arg=RangeArg((*opt.axis, 0), r.arg.kind))
    at = start + new
    return _replace_range(sink, r, at, (new,), valid=at < stop)


def _check_unspread(sink: UOp, opt: Opt, r: UOp, cores: int) -> None:
    """ScheduleError if the nest that closes `r`, or one around it, already has its share for each core."""
    core = core_id(cores)
    for e in sink.src:
        nodes = own_nodes(e)
        if core in r.toposort() or (core in nodes and any(r in closed_ranges(u) for u in nodes)):
            raise ScheduleError(f"{opt}: the nest is spread over the cores already", hint="spread one axis of a nest")


def _group(sink: UOp, opt: Opt, cores: int) -> UOp:
    _check_unspread(sink, opt, _axis(sink, opt), cores)
    return group_reduction(sink, _axis(sink, opt), core_id(cores), max(1, opt.amount))


def _stage(sink: UOp, opt: Opt, cores: int) -> UOp:
    return stage_operand(sink, _axis(sink, opt), opt)


def _mma(sink: UOp, opt: Opt, cores: int) -> UOp:
    raise ScheduleError(f"{opt}: no target has matrix instructions yet", hint="leave the Opt out")


_APPLY: dict[OptKind, Callable[[UOp, Opt, int], UOp]] = {
    OptKind.SPLIT: _split,
    OptKind.SWAP: _swap,
    OptKind.MERGE: _merge,
    OptKind.PARALLEL: _parallel,
    OptKind.GROUP: _group,
    OptKind.VECTOR: _mark(AxisKind.VECTOR),
    OptKind.UNROLL: _mark(AxisKind.UNROLL),
    OptKind.INTERLEAVE: _mark(AxisKind.INTERLEAVE),
    OptKind.PAD: _pad,
    OptKind.STAGE: _stage,
    OptKind.MMA: _mma,
}
