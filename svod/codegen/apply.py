"""Applies Opts to a graph, one after the other, as graph-to-graph rewrites of the loops they name.

Owns: the meaning of each Opt on loop kernels. Must not know targets or strategies.
Invariant: an Opt never changes what the kernel computes, up to the order of a float reduction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count

from svod.codegen.analysis import crossing, injective, pointer
from svod.codegen.carry import FIRST_AXIS, accumulates, carry_reduction, meets
from svod.codegen.closers import awaited, axes, closed_ranges, effects_of, guard, map_closers, mask_value, own_nodes
from svod.codegen.group import group_reduction
from svod.codegen.nesting import badly_nested
from svod.codegen.schedule import Opt, OptKind, Path, Tail, path_text
from svod.codegen.stage import GUARD, stage_operand
from svod.dtype import dtypes
from svod.errors import ScheduleError
from svod.ir.args import AxisKind, RangeArg, VarArg
from svod.ir.bounds import constant, divides, interval
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.scope import free_ranges, nest_order
from svod.ir.uop import UOp

MAX_COPIES = 64
"""Lanes of one vector value, or copies of one body: more is a mistake (64 bytes fill the widest register there is)."""


def apply_opts(sink: UOp, opts: tuple[Opt, ...], cores: int) -> UOp:
    """`sink` with every Opt applied in order. ScheduleError names the Opt that does not fit.

    Each step is remembered with the graph it was applied to, so that applying what a strategy has just tried costs nothing.
    """
    for opt in opts:
        if (done := sink.cache.get(("applied", opt, cores))) is None:
            done = rewrite(_APPLY[opt.kind](sink, opt, cores), SIMPLIFY)
            if (bad := badly_nested(done)) is not None:
                names = [path_text(r.arg.path) for r in bad]
                raise ScheduleError(f"{opt}: axis {names[0]} would end by what {names[1]} is, which is no longer a loop around it")
            sink.cache[("applied", opt, cores)] = done
        sink = done
    return sink


def core_id(cores: int) -> UOp:
    """The variable the launch sets to the number of the core."""
    return UOp(Op.DEFINE_VAR, (), VarArg("core_id", 0, cores - 1), dtypes.index)


def _axis(sink: UOp, opt: Opt, path: Path | None = None) -> UOp:
    table = axes(sink)
    want = opt.axis if path is None else path
    if (r := table.get(want)) is None:
        have = ", ".join(path_text(p) for p in sorted(table))
        raise ScheduleError(f"{opt}: the kernel has no axis {path_text(want)}", at=sink.arg.name, hint=f"its axes are {have or 'none'}")
    if want[0] == GUARD or want[0] >= FIRST_AXIS:
        raise ScheduleError(f"{opt}: axis {path_text(want)} is a test, a loop of one iteration or none", hint="take an axis inside it")
    return r


PEELED = 60
"""Last part of the paths of axes in the second loop of a peeled split, where they differ from those in the first; the first such number."""
MARKED = (AxisKind.VECTOR, AxisKind.UNROLL, AxisKind.INTERLEAVE)


def _loop(sink: UOp, opt: Opt, path: Path | None = None) -> UOp:
    """The axis of an Opt that changes its loop, or another one that it names, which is not marked yet."""
    r = _axis(sink, opt, path)
    if r.arg.kind in MARKED:
        raise ScheduleError(f"{opt}: the axis is marked {r.arg.kind.name} already", hint="mark the axes last")
    return r


def _split(sink: UOp, opt: Opt, cores: int) -> UOp:
    r, f = _loop(sink, opt), opt.amount
    start, stop = r.src
    count = rewrite(stop - start, SIMPLIFY)
    if opt.tail is Tail.BALANCED:
        return _balanced(sink, opt, r, count)
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
    if len(opt.axis) > 1 and constant(rewrite(count % f, SIMPLIFY)) == 1 and _carries(sink, r):
        raise ScheduleError(f"{opt}: an iteration reads what the one before it left, and the axis is a part of a split one",
                            hint="choose a size that divides it, or the tail policy mask")
    tail = UOp.range(count % f, 0).replace(arg=RangeArg((*opt.axis, 2), r.arg.kind))
    return _peel(sink, r, (at, (outer, inner)), (start + (count // f) * f + tail, (tail,)))


def _carries(sink: UOp, r: UOp) -> bool:
    """Whether some memory is read after the iteration before: two remainders of one iteration would be one and the same read."""
    return any(u.op is Op.AFTER and any(r in free_ranges(s) for s in u.src[1:]) for u in sink.toposort())


def _balanced(sink: UOp, opt: Opt, r: UOp, count: UOp) -> UOp:
    """Parts of one size, computed from the extent; the last one ends where the axis does."""
    parts = ((count + (opt.amount - 1)) // opt.amount).maximum(1)
    share = (count + (parts - 1)) // parts
    size = rewrite((((share + (opt.unit - 1)) // opt.unit) * opt.unit).minimum(opt.amount).maximum(opt.unit), SIMPLIFY)
    number = ((count + (size - 1)) // size).maximum(1)
    outer = UOp.range(number, 0).replace(arg=RangeArg((*opt.axis, 0), r.arg.kind))
    whole = (c := constant(size)) is not None and divides(c, count) and interval(count)[0] > 0
    inner = UOp.range(size if whole else (count - outer * size).minimum(size), 0).replace(arg=RangeArg((*opt.axis, 1)))
    return _replace_range(sink, r, r.src[0] + outer * size + inner, (outer, inner))


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
    """Two loops in place of the one over `r`. Axes whose bounds depend on `r` have other bounds in the second one, so other paths."""
    paths = {x.arg.path for x in sink.find(Op.RANGE)}
    renamed: dict[UOp, UOp] = {}
    for x in nest_order([x for x in sink.find(Op.RANGE) if x is not r and r in free_ranges(x)]):
        path = (*x.arg.path, next(k for k in count(PEELED) if (*x.arg.path, k) not in paths))
        renamed[x] = x.replace(src=tuple(s.substitute(renamed) for s in x.src), arg=replace(x.arg, path=path))

    def change(u: UOp) -> UOp:
        if r not in closed_ranges(u):
            return u
        if u.op is Op.REDUCE:
            return UOp(u.arg, (_substituted(u, r, *main), _substituted(u.substitute(renamed), r, *tail)))
        around = [x for x in u.src[1:] if x.arg.path < r.arg.path]
        inside = u.replace(src=(u.src[0], *(x for x in u.src[1:] if x not in around)))
        return UOp.group(_substituted(inside, r, *main), _substituted(inside.substitute(renamed), r, *tail)).end(*around)

    return map_closers(sink, change)


def _swap(sink: UOp, opt: Opt, cores: int) -> UOp:
    a, b = _loop(sink, opt), _loop(sink, opt, opt.other)
    if a in b.src[0].toposort() or b in a.src[1].toposort() or a in b.src[1].toposort():
        raise ScheduleError(f"{opt}: the bounds of one axis depend on the other")
    for d in awaited(sink):
        if {a, b} & free_ranges(d) and any({a, b} & set(closed_ranges(u)) for u in own_nodes(d)):
            raise ScheduleError(f"{opt}: the loop over one axis is awaited inside the other", hint="swap axes before STAGE")
    table = {a: a.replace(arg=replace(a.arg, path=b.arg.path)), b: b.replace(arg=replace(b.arg, path=a.arg.path))}
    return sink.substitute(table)


def _merge(sink: UOp, opt: Opt, cores: int) -> UOp:
    a, b = _loop(sink, opt), _loop(sink, opt, opt.other)
    if constant(a.src[0]) != 0 or constant(b.src[0]) != 0 or a in b.toposort() or b in a.toposort():
        raise ScheduleError(f"{opt}: both axes must start at 0 and be independent")
    if a.arg.kind is not b.arg.kind:
        raise ScheduleError(f"{opt}: the axes are marked {a.arg.kind.value} and {b.arg.kind.value}", hint="merge them first")
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
    r, unit = _loop(sink, opt), max(1, opt.amount)
    if any(r in u.src[1:] for u in sink.find(Op.REDUCE)):
        raise ScheduleError(f"{opt}: the axis is reduced", hint="use GROUP for a reduction over the whole kernel")
    _check_unspread(sink, opt, r, cores)
    stores = [e for u in sink.find(Op.END) if r in u.src[1:] for e in _stores(u.src[0], r)]
    if any(pointer(e).op in (Op.PARAM, Op.DEFINE_SCRATCH) and meets(e, r) for e in stores):
        hint = "spread an axis along which every store moves by steps of one size; of a SPLIT, use the tail policy peel or mask"
        raise ScheduleError(f"{opt}: its iterations may write the same elements", hint=hint)
    _check_private(sink, opt, r)
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


def _check_private(sink: UOp, opt: Opt, r: UOp) -> None:
    """ScheduleError if memory that each core has of its own is filled in parts by the iterations of `r`, or carried from one to the next;
    or if memory that the cores share is filled by all of them."""
    own = [u for e in sink.find(Op.END) if r in e.src[1:] for u in own_nodes(e) if u.op in (Op.LOAD, Op.STORE)]
    private = [u for u in own if pointer(u).op in (Op.DEFINE_REG, Op.DEFINE_LOCAL)]
    stored = {pointer(u) for u in private if u.op is Op.STORE}
    parts = any(u.op is Op.STORE and r in free_ranges(u.src[0].src[1]) for u in private)
    inside = [d for u in sink.find(Op.AFTER) for d in u.src[1:] if d.dtype is dtypes.void and free_ranges(d)]
    if any(r in closed_ranges(e) for d in inside for e in own_nodes(d)):
        raise ScheduleError(f"{opt}: the cores would have to wait for one another in a loop", hint="spread the loop around it")
    waits = [d for e in sink.find(Op.END) if r in e.src[1:] for u in own_nodes(e) if u.op is Op.AFTER for d in u.src[1:]]
    around = [d for d in waits if d.dtype is dtypes.void and free_ranges(d) and r not in free_ranges(d)]
    if any(pointer(s).op in (Op.PARAM, Op.DEFINE_SCRATCH) for d in around for s in own_nodes(d) if s.op is Op.STORE and s not in own):
        raise ScheduleError(f"{opt}: all cores would fill one memory in each iteration of a loop around it", hint="spread that loop")
    if parts or any(u.op is Op.LOAD and pointer(u) in stored and not _begun(u, r) for u in private):
        raise ScheduleError(f"{opt}: its iterations share memory of which each core has its own", hint="use memory of AddrSpace.GLOBAL")


def _begun(load: UOp, r: UOp) -> bool:
    """True if `load` waits for a store of every iteration of `r` to its memory."""
    p = load.src[0].src[0]
    while p.op is Op.AFTER:
        if any(r in free_ranges(d) and any(pointer(s) is pointer(load) for s in d.find(Op.STORE)) for d in p.src[1:]):
            return True
        p = p.src[0]
    return False


def _mark(kind: AxisKind) -> Callable[[UOp, Opt, int], UOp]:
    def mark(sink: UOp, opt: Opt, cores: int) -> UOp:
        r = _axis(sink, opt)
        if constant(r.src[0]) != 0 or (extent := constant(r.src[1])) is None:
            raise ScheduleError(f"{opt}: the extent of the axis is not a constant", hint="SPLIT it first and mark the inner axis")
        if kind is AxisKind.INTERLEAVE and any(r in e.src[1:] for e in sink.find(Op.END)):
            raise ScheduleError(f"{opt}: the axis is not reduced", hint="INTERLEAVE makes accumulators; use UNROLL for other axes")
        if kind is AxisKind.VECTOR:
            _check_one_vector(sink, opt, r)
        if accumulates(sink, r):
            raise ScheduleError(f"{opt}: each iteration of the axis continues from the one before", hint="leave its order as it is")
        if any(pointer(u).op is not Op.PARAM and r in free_ranges(u) and not injective(u, [r]) for u in sink.find(Op.STORE)):
            raise ScheduleError(f"{opt}: memory of the kernel's own is filled in each iteration of the axis", hint="copies would share it")
        if extent < 1:
            raise ScheduleError(f"{opt}: the axis has no iterations", hint="leave the Opt out")
        if extent > MAX_COPIES:
            hint = f"SPLIT it first: at most {MAX_COPIES} are taken"
            raise ScheduleError(f"{opt}: {extent} lanes or copies would make code of that size", hint=hint)
        bounds = (r.src[0].const(0, r.dtype), r.src[0].const(extent, r.dtype))
        return sink.substitute({r: r.replace(src=bounds, arg=replace(r.arg, kind=kind))})

    return mark


def _check_one_vector(sink: UOp, opt: Opt, r: UOp) -> None:
    """ScheduleError if a nest with lanes along another axis closes `r` or moves along it."""
    marked = [q for q in sink.find(Op.RANGE) if q.arg.kind is AxisKind.VECTOR]
    if marked and (other := crossing(sink.find(Op.END, Op.REDUCE), r, marked)) is not None:
        where = path_text(other.arg.path)
        hint = "UNROLL one of the two: a nest takes one VECTOR axis"
        raise ScheduleError(f"{opt}: the nest has lanes along axis {where} already", hint=hint)


def _pad(sink: UOp, opt: Opt, cores: int) -> UOp:
    r = _loop(sink, opt)
    start, stop = r.src
    f = opt.amount
    new = UOp.range(((stop - start) + (f - 1)) // f * f, 0).replace(arg=RangeArg((*opt.axis, 0), r.arg.kind))
    at = start + new
    return _replace_range(sink, r, at, (new,), valid=at < stop)


def _check_unspread(sink: UOp, opt: Opt, r: UOp, cores: int) -> None:
    """ScheduleError if the nest that closes `r`, or one around it, already has its share for each core."""
    core = core_id(cores)
    for e in (*sink.src, *sink.find(Op.END)):
        nodes = own_nodes(e)
        if core in r.toposort() or (core in nodes and any(r in closed_ranges(u) for u in nodes)):
            raise ScheduleError(f"{opt}: the nest is spread over the cores already", hint="spread one axis of a nest")


def _group(sink: UOp, opt: Opt, cores: int) -> UOp:
    _check_unspread(sink, opt, _axis(sink, opt), cores)
    return group_reduction(sink, _axis(sink, opt), core_id(cores), max(1, opt.amount))


def _carry(sink: UOp, opt: Opt, cores: int) -> UOp:
    return carry_reduction(sink, _axis(sink, opt), _axis(sink, opt, opt.other), opt)


def _stage(sink: UOp, opt: Opt, cores: int) -> UOp:
    at = _axis(sink, opt)
    loops = [e for e in sink.find(Op.END) if at in e.src[1:]]
    nodes = sink.toposort() if opt.panel.shared else [u for e in loops for u in own_nodes(e)]
    written = {pointer(u) for u in nodes if u.op in (Op.STORE, Op.ATOMIC)}
    if any(m.op is Op.PARAM and m.arg.slot == opt.amount for m in written):
        what = "the kernel" if opt.panel.shared else "the loop"
        raise ScheduleError(f"{opt}: {what} writes buffer {opt.amount}", hint="a copy made before would be out of date")
    staged = stage_operand(sink, at, opt, core_id(cores))
    for u in staged.find(Op.STORE):
        marked = [r for r in free_ranges(u) if r.arg.kind in MARKED]
        if pointer(u).op is not Op.PARAM and any(not injective(u, [r]) for r in marked):
            raise ScheduleError(f"{opt}: copies of a marked axis would share the panel", hint="stage at a loop around the marked axis")
    return staged


def _mma(sink: UOp, opt: Opt, cores: int) -> UOp:
    raise ScheduleError(f"{opt}: matrix units are not chosen by an Opt", hint="leave it out: products go to them where the target has them")


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
    OptKind.CARRY: _carry,
    OptKind.STAGE: _stage,
    OptKind.MMA: _mma,
}
