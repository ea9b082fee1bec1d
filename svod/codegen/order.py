"""Which Opts keep the order of effects: what a loop writes and reads in one iteration may matter to the next.

Owns: the check of schedules written by hand. Must not know targets or strategies. Invariant: an Opt that passes changes no result; what
cannot be proved is refused.
"""
from __future__ import annotations

from dataclasses import dataclass, replace

from svod.codegen.analysis import ACCESSES, conflicts, injective, pointer
from svod.codegen.apply import PEELED, apply_opts
from svod.codegen.carry import blocks_before
from svod.codegen.closers import axes, effects_of, own_nodes, touched
from svod.codegen.schedule import Opt, OptKind, Path
from svod.errors import ScheduleError
from svod.ir.ops import Op
from svod.ir.scope import free_ranges, nest_order
from svod.ir.uop import UOp

REORDERING = frozenset((OptKind.VECTOR, OptKind.UNROLL, OptKind.INTERLEAVE, OptKind.PARALLEL, OptKind.SWAP, OptKind.MERGE))
"""Opts under which iterations no longer run one after the other, in order."""
COPYING = frozenset((OptKind.UNROLL, OptKind.INTERLEAVE))
SPREADING = frozenset((OptKind.PARALLEL, OptKind.GROUP))
MOVING = frozenset((OptKind.SWAP, OptKind.MERGE, OptKind.CARRY))


@dataclass(frozen=True, slots=True)
class _Kept:
    """Axes whose iterations meet in the same elements of a memory: their order among one another stays. `writing` are those in which it is
    stored, `loops` all axes around its accesses. `alone` if one store has all of these, so that loops over it can be moved and copied
    without coming between two effects."""

    paths: frozenset[Path]
    writing: frozenset[Path]
    loops: frozenset[Path]
    alone: bool

    def renamed(self, opt: Opt, now: frozenset[Path]) -> _Kept:
        """The same after `opt` has been applied; `now` are the axes there are then."""
        return _Kept(_renamed(self.paths, opt, now), _renamed(self.writing, opt, now), _renamed(self.loops, opt, now), self.alone)


@dataclass(frozen=True, slots=True)
class Order:
    """What of a kernel's order has to stay: axes `ordered` as they are, `kept` among one another. `inner` are innermost loops under ordered
    ones: their iterations write apart for as long as the loops around them stand still, so they become lanes and copies, but no shares.
    `unspread` if no effect may go to several cores. `passes` if effects that do not wait for one another use one memory: a barrier would
    be done, with all that leads to it, before some of those written first."""

    ordered: frozenset[Path]
    kept: tuple[_Kept, ...]
    inner: tuple[frozenset[Path], ...]
    unspread: bool
    passes: bool

    def refuses(self, opt: Opt, graph: UOp) -> bool:
        """True if `opt`, applied to `graph`, may come between iterations that depend on one another."""
        named = {p for p in (opt.axis, opt.other) if p}
        held = [x & named for x in self.inner if x & named]
        if opt.kind in REORDERING and (self.ordered & named or any(not _keeps(k, opt, graph) for k in self.kept)):
            return True
        if held and opt.kind in MOVING and any(x != named for x in held):
            return True
        if opt.kind is OptKind.STAGE:
            return opt.panel.shared and self.passes
        return opt.kind in SPREADING and (self.unspread or bool(held))

    def after(self, opt: Opt, graph: UOp) -> Order:
        """What has to stay in `graph`, made by `opt`."""
        if not self.ordered and not self.kept and opt.kind is not OptKind.CARRY:
            return self
        now = frozenset(axes(graph))
        kept = tuple(k.renamed(opt, now) for k in self.kept)
        if opt.kind is OptKind.CARRY:
            kept += tuple(_Kept(frozenset((p,)), frozenset(), frozenset((p,)), True) for p in blocks_before(opt.other, now))
        inner = tuple(_renamed(x, opt, now) for x in self.inner)
        return replace(self, ordered=_renamed(self.ordered, opt, now), kept=kept, inner=inner)


def order_of(sink: UOp) -> Order:
    """What has to stay of the order in which `sink`, in normal form and unscheduled, is written."""
    ordered, kept, inner = _dependent(sink)
    passes = _share(sink)
    return Order(ordered, tuple(kept), tuple(inner), passes or _copied_before(sink), passes)


def check_order(sink: UOp, opts: tuple[Opt, ...], cores: int) -> None:
    """ScheduleError for the first of `opts` that reorders iterations which depend on one another. They are applied on the way."""
    order, graph = order_of(sink), sink
    for opt in opts:
        if order.refuses(opt, graph):
            raise refusal(sink, opt)
        graph = apply_opts(graph, (opt,), cores)
        order = order.after(opt, graph)


def refusal(sink: UOp, opt: Opt) -> ScheduleError:
    """What `opt` is refused with."""
    if opt.kind is OptKind.STAGE:
        what = f"{opt}: effects of the kernel use one memory, and the cores would not wait for one another at each of them"
        return ScheduleError(what, at=sink.arg.name, hint="leave shared out: then each core has a panel of its own")
    return ScheduleError(
        f"{opt}: the iterations of the axis depend on one another",
        at=sink.arg.name,
        hint="they read and write one memory, and not surely different elements of it; leave their order as it is",
    )


def _renamed(paths: frozenset[Path], opt: Opt, now: frozenset[Path]) -> frozenset[Path]:
    """The axes that `paths` have become: the same, parts of them, merged or exchanged ones."""
    if opt.kind is OptKind.SWAP:
        exchanged = {opt.axis: opt.other, opt.other: opt.axis}
        return frozenset(exchanged.get(p, p) for p in paths)
    if opt.kind is OptKind.MERGE and opt.other in paths:
        paths = paths | {opt.axis}
    made = (OptKind.SPLIT, OptKind.PAD, OptKind.MERGE)
    parts = {(*opt.axis, k) for k in range(3)} if opt.kind in made and opt.axis in paths else set()
    parts |= {q for q in now if q[-1] >= PEELED and q[:-1] in paths}
    return (paths | parts) & now


def _keeps(kept: _Kept, opt: Opt, graph: UOp) -> bool:
    """True if the axes that meet in one element stay in their order under `opt`."""
    table = axes(graph)
    if opt.kind is OptKind.SWAP and not kept.alone and {opt.axis, opt.other} & kept.loops and not _closed_together(opt, graph):
        return False
    order = sorted(p for p in kept.paths if p in table)
    if opt.kind is OptKind.VECTOR and opt.axis in kept.writing:
        return False
    if opt.kind in COPYING and opt.axis in kept.writing:
        return kept.alone and max(p for p in kept.writing if p in table) == opt.axis
    if opt.kind in (OptKind.SWAP, OptKind.MERGE) and {opt.axis, opt.other} & set(order):
        moved = {opt.axis: opt.other, opt.other: opt.axis} if opt.kind is OptKind.SWAP else {opt.other: (*opt.axis, 0)}
        places = [moved.get(p, p) for p in order]
        return places == sorted(places)
    return True


def _closed_together(opt: Opt, graph: UOp) -> bool:
    """True if every END that closes one of the two axes closes the other one too: exchanging them takes no loop apart."""
    both = {opt.axis, opt.other}
    return all(len(both & {r.arg.path for r in e.src[1:]}) in (0, 2) for e in graph.find(Op.END))


def _dependent(sink: UOp) -> tuple[frozenset[Path], list[_Kept], list[frozenset[Path]]]:
    """The axes whose order must stay as it is, the groups of axes that must stay in order among themselves, and those of inner axes."""
    ordered: set[Path] = set()
    kept: list[_Kept] = []
    inner: list[frozenset[Path]] = []
    together = conflicts(sink.src)
    around = _loops_around(sink)
    for e in sink.find(Op.END):
        if together or conflicts([e]) or _fed_back(e):
            ordered |= {r.arg.path for r in _everywhere(e, around)}
    memories: dict[UOp, list[UOp]] = {}
    for u in sink.toposort():
        if u.op in ACCESSES:
            memories.setdefault(pointer(u), []).append(u)
    for accesses in memories.values():
        stores = [u for u in accesses if u.op is not Op.LOAD]
        if not stores:
            continue
        loops = frozenset(r for u in accesses for r in around.get(u, ()))
        for s in stores:
            moving = [r for r in around.get(s, ()) if r in free_ranges(s.src[0].src[1])]
            alone = len(stores) == 1 and all(u in s.toposort() for u in accesses)
            if moving and not injective(s, moving):
                apart = _innermost(s, around[s]) if alone else []
                ordered |= {r.arg.path for r in loops if r not in apart}
                inner.append(frozenset(r.arg.path for r in apart))
            else:
                along = {r.arg.path for r in moving}
                paths, writing = (frozenset(r.arg.path for r in x) for x in (loops, around.get(s, frozenset())))
                if paths - along or not alone:
                    kept.append(_Kept(paths - along, writing - along, paths, alone))
    return frozenset(ordered), kept, inner


def _innermost(store: UOp, around: frozenset[UOp]) -> list[UOp]:
    """The innermost loops around `store` along which it surely writes apart, as many as there are."""
    out: list[UOp] = []
    for r in reversed(nest_order(tuple(around))):
        if not injective(store, [r, *out]):
            break
        out.insert(0, r)
    return out


def _everywhere(end: UOp, around: dict[UOp, frozenset[UOp]]) -> set[UOp]:
    """The ranges of a loop, and those of all loops around and inside it."""
    return {r for u in end.toposort() if u.op in ACCESSES for r in around.get(u, ())} | set(end.src[1:])


def _fed_back(end: UOp) -> bool:
    """True if what each iteration of a loop waits for touches memory, shared by the cores, that the loop stores: it may see what earlier
    iterations did."""
    ranges, own = set(end.src[1:]), own_nodes(end)
    stored = {m for m in touched([end])[1] if m.op in (Op.PARAM, Op.DEFINE_SCRATCH)}
    awaited = {d for u in own if u.op is Op.AFTER for d in u.src[1:] if d.op in (Op.END, Op.GROUP, Op.STORE) and free_ranges(d) & ranges}
    return any(touched([d])[0] & stored for d in awaited - set(own))


def _loops_around(sink: UOp) -> dict[UOp, frozenset[UOp]]:
    """For each access the ranges of the ENDs in which it is made: all of those it is written in, and what it depends on of the others.
    A range that a REDUCE closes reorders nothing."""
    around: dict[UOp, frozenset[UOp]] = {}
    for e in sink.find(Op.END):
        ranges = frozenset(r for r in e.src[1:] if r.op is Op.RANGE)
        own = set(own_nodes(e.src[0]))
        for u in e.src[0].toposort():
            if u.op in ACCESSES:
                around[u] = around.get(u, frozenset()) | (ranges if u in own else ranges & free_ranges(u))
    return around


def _share(sink: UOp) -> bool:
    """True if one of the kernel's effects writes memory that another one uses without waiting for it."""
    seen: list[tuple[set[UOp], set[UOp]]] = []
    for e in (x for s in sink.src for x in effects_of(s)):
        used, stored = touched([e])
        if any(stored & u or s & used for u, s in seen):
            return True
        seen.append((used, stored))
    return False


def _copied_before(sink: UOp) -> bool:
    """True if memory of which each core has its own is filled from memory the kernel stores: a late core finds it changed."""
    stored = touched(sink.src)[1]
    for d in (d for u in sink.find(Op.AFTER) for d in u.src[1:] if d.op in (Op.END, Op.GROUP, Op.STORE)):
        used, filled = touched([d])
        if used & stored - filled and any(m.op in (Op.DEFINE_REG, Op.DEFINE_LOCAL) for m in filled):
            return True
    return False
