"""CARRY: blocking of a reduction. The blocks become an outer loop, and what one has summed up is where the next goes on.

Owns: the init, update and finish of a reduction in blocks, and where partial results are kept. Must not know targets.
Invariant: each element sees every block once, in order; what is computed from the whole reduction is computed after the last block only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count

from svod.codegen.analysis import conflicts, injective, pointer, step
from svod.codegen.closers import awaited, axes, effects_of, map_closers, own_nodes, touched
from svod.codegen.group import fresh_memory
from svod.codegen.schedule import Opt, Path, path_text
from svod.dtype import AddrSpace, PtrDType, dtypes
from svod.errors import ScheduleError
from svod.ir.args import RangeArg
from svod.ir.bounds import constant, interval
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.rules.reductions import identity
from svod.ir.scope import free_ranges, nest_order
from svod.ir.uop import UOp
from svod.target.abi import CORE_ID

FIRST_AXIS = 1 << 19
"""Axis numbers of the branches for the last block start here: inside all loops of the kernel."""
BESIDE = 90
"""Last number of the path of an axis that was put between others."""

MOST_KEPT = 1 << 26
"""Partial results beside the output, at most."""


def path_before(root: UOp, path: Path) -> Path:
    """A path nobody has, whose loop is just outside that of `path`."""
    taken = axes(root)
    return next(p for n in count(BESIDE) if (p := (*path[:-1], path[-1] - 1, n)) not in taken)


def blocks_before(path: Path, paths: Iterable[Path]) -> list[Path]:
    """Those of `paths` that are loops over blocks, put just outside that of `path`: what one of them starts, the next go on with."""
    return [p for p in paths if p[:-1] == (*path[:-1], path[-1] - 1) and p[-1] >= BESIDE]


def meets(store: UOp, r: UOp) -> bool:
    """True if iterations of `r` may come to one element because the index stands still for some of them, as that of a merged axis does."""
    index = store.src[0].src[1]
    return r not in free_ranges(index) or step(index, r) is None


def accumulates(sink: UOp, r: UOp) -> bool:
    """True if iterations of `r` store to elements of a buffer that later ones load: it carries a reduction."""
    for end in (u for u in sink.find(Op.END) if r in u.src[1:]):
        nodes = own_nodes(end.src[0])
        stores = [u for u in nodes if u.op is Op.STORE and pointer(u).op is Op.PARAM]
        kept = {pointer(u) for u in stores if meets(u, r)}
        if any(u.op is Op.LOAD and pointer(u) in kept for u in nodes):
            return True
    return False


def bounded_extent(opt: Opt, r: UOp) -> int:
    """The most iterations a loop from 0 can have. ScheduleError if no constant bounds them."""
    most = interval(r.src[1])[1]
    if constant(r.src[0]) != 0 or most > 1 << 24:
        raise ScheduleError(f"{opt}: a range of what is kept has no constant extent", at=f"axis {path_text(r.arg.path)}")
    return int(max(1, most))


def carry_reduction(sink: UOp, r: UOp, outside: UOp, opt: Opt) -> UOp:
    """Every REDUCE over `r` loses it; the stores of what they give run for each iteration of `r`, around the loop `outside`."""
    if not any(r in u.src[1:] for u in sink.find(Op.REDUCE)):
        raise ScheduleError(f"{opt}: the axis is not reduced", hint="CARRY takes the outer axis of a SPLIT reduction")
    if interval(rewrite(r.src[1] - r.src[0], SIMPLIFY))[0] < 1:
        hint = "SPLIT it balanced: that gives one part at least"
        raise ScheduleError(f"{opt}: the axis may have no iteration, and the result must be written", hint=hint)
    if free_ranges(r) - {r}:
        raise ScheduleError(f"{opt}: the bounds of the axis depend on another", hint="carry an axis with bounds of its own")
    block = r.replace(arg=RangeArg(path_before(sink, outside.arg.path)))
    sink, r = sink.substitute({r: block}), block
    if any(r in free_ranges(u) for u in sink.find(Op.REDUCE)) or any(
        r in x.src[1:] for u in sink.find(Op.REDUCE) for x in u.src[0].find(Op.REDUCE)
    ):
        raise ScheduleError(f"{opt}: the reduction is part of another one", hint="carry the outer reduction")
    _check_blocks(sink, r, opt)
    out = map_closers(sink, lambda u: _carried(sink, u, r, opt) if u.op is Op.END else u)
    if any(r in u.src[1:] for u in out.find(Op.REDUCE)):
        hint = "a reduction over the whole kernel takes GROUP"
        raise ScheduleError(f"{opt}: the result of the reduction is not stored in a loop", hint=hint)
    return out


def _carried(sink: UOp, end: UOp, r: UOp, opt: Opt) -> UOp:
    """`end` with its stores of reductions over `r` in a nest of their own that closes `r` too."""
    mine: dict[UOp, list[UOp]] = {}
    others = []
    for e in effects_of(end.src[0]):
        found = [u for u in own_nodes(e) if u.op is Op.REDUCE and r in u.src[1:]] if e.op is Op.STORE else []
        if found:
            mine[e] = found
        else:
            others.append(e)
    if not mine:
        return end
    blocks = _Blocks(sink, r, opt, _ranges([end, *_around(sink, next(iter(mine)))]))
    effects = blocks.in_place(*next(iter(mine.items()))) if len(mine) == 1 else None
    nest = UOp.group(*(effects or blocks.in_scratch(mine))).end(*end.src[1:], r)
    return UOp.group(UOp.group(*others).end(*end.src[1:]), nest) if others else nest


def _around(sink: UOp, store: UOp) -> list[UOp]:
    """The ENDs of the loops in which `store` is done."""
    return [e for e in sink.find(Op.END) if store in own_nodes(e.src[0])]


def _ranges(ends: list[UOp]) -> frozenset[UOp]:
    return frozenset(x for e in ends for x in e.src[1:] if x.op is Op.RANGE)


def _check_blocks(sink: UOp, r: UOp, opt: Opt) -> None:
    """ScheduleError unless the stores of reductions over `r` can leave the loops they are in for loops of their own, and these can be run
    once for each block. No other effect of those loops, and no other such store, writes what one of them uses or uses what it writes; what
    it waits for in them can be done again; and its own iterations meet in no element, or nobody else looks at it."""
    mine = [s for s in sink.find(Op.STORE) if any(u.op is Op.REDUCE and r in u.src[1:] for u in own_nodes(s))]
    meeting = conflicts(sink.find(Op.STORE))
    for s in mine:
        ends = _around(sink, s)
        beside = {u for e in ends for u in own_nodes(e) if u.op in (Op.STORE, Op.ATOMIC)} | set(mine)
        again = [d for d in awaited(s) if free_ranges(d)]
        used, filled = touched([s, *again])
        theirs, written = touched(beside - {s})
        read = {pointer(u) for d in again for u in own_nodes(d) if u.op is Op.LOAD}
        users = [u for u in sink.find(Op.LOAD, Op.STORE, Op.ATOMIC) if pointer(u) is pointer(s)]
        meeting = meeting or bool(used & written or pointer(s) in theirs or read & filled)
        meeting = meeting or (len(users) > 1 and not injective(s, _ranges(ends)))
    if meeting:
        what = f"{opt}: the effects of the loops, or their iterations, depend on one another"
        raise ScheduleError(what, at=sink.arg.name, hint="blocks go through loops of their own: leave the order as it is")


def fits_output(root: UOp, store: UOp, reduces: list[UOp]) -> bool:
    """True if the memory `store` goes to can hold partial results of its reduction: of one dtype, and nothing else looks at it."""
    target, value = store.src
    base = target.dtype.base if isinstance(target.dtype, PtrDType) else target.dtype
    loads = [u for u in own_nodes(value) if u.op is Op.LOAD]
    users = [u for u in root.find(Op.LOAD, Op.STORE, Op.ATOMIC) if pointer(u) is pointer(store)]
    shared = any(u.src[0].src[1] is target.src[1] or pointer(u).op is not Op.PARAM for u in loads)  # may be the same memory
    one = len(reduces) == 1 and reduces[0].dtype is base and pointer(store).op is Op.PARAM
    return one and not shared and len(users) == 1 and injective(store, free_ranges(target))


@dataclass
class _Blocks:
    """The stores of one nest, in the loops `around` them, done block by block."""

    sink: UOp
    r: UOp
    opt: Opt
    around: frozenset[UOp]

    def in_place(self, store: UOp, reduces: list[UOp]) -> list[UOp] | None:
        """Partial results in the output itself; None where it cannot hold them, or something else or another iteration looks at it."""
        if not fits_output(self.sink, store, reduces) or not injective(store, self.around):
            return None
        target, value = store.src
        total = self.total(reduces[0], target, free_ranges(target))
        if value is reduces[0]:
            return [store.replace(src=(target, total))]
        return [self.when(target, total, {}, last=False), self.when(target, value, {reduces[0]: total}, last=True)]

    def in_scratch(self, stores: dict[UOp, list[UOp]]) -> list[UOp]:
        """Partial results in scratch memory: one for each iteration of all loops, so that these may be spread over the cores."""
        loops = self.around | frozenset(x for s in stores for x in free_ranges(s))
        cores = [v for v in UOp.group(*stores).find(Op.DEFINE_VAR) if v.arg.name == CORE_ID]
        flat, size = (cores[0], int(cores[0].arg.max) + 1) if cores else (UOp.const(0, dtypes.index), 1)
        for x in nest_order(loops):
            e = bounded_extent(self.opt, x)
            flat, size = flat * e + x, size * e
        if size > MOST_KEPT:
            raise ScheduleError(f"{self.opt}: {size} partial results do not fit the output", hint=f"at most {MOST_KEPT} are kept elsewhere")
        effects: list[UOp] = []
        totals: dict[UOp, UOp] = {}
        for k, u in enumerate(dict.fromkeys(u for found in stores.values() for u in found)):
            memory = fresh_memory(UOp.group(self.sink, *effects), u.dtype.ptr(AddrSpace.GLOBAL), size, f"carried{k}")
            totals[u] = self.total(u, memory[flat], loops)
            effects.append(self.when(memory[flat], totals[u], {}, last=False))
        return effects + [self.when(s.src[0], s.src[1], totals, last=True) for s in stores]

    def total(self, u: UOp, target: UOp, loops: frozenset[UOp]) -> UOp:
        """What all blocks so far give: the identity before the first, then the partial result, combined with this block's."""
        more = self.r.src[0] < self.r
        gate = more if len(target.src) == 2 else target.src[2] & more
        place = UOp(Op.INDEX, (target.src[0].after(*nest_order(loops | {self.r})), target.src[1], gate))
        partial = UOp(Op.LOAD, (place, identity(u.arg, u)))
        rest = tuple(x for x in u.src[1:] if x is not self.r)
        return UOp(u.arg, (partial, u.replace(src=(u.src[0], *rest)) if rest else u.src[0]))

    def when(self, target: UOp, value: UOp, totals: dict[UOp, UOp], *, last: bool) -> UOp:
        """The store of `value`, made of `totals`, after the last block, or after all others: a loop of one iteration or none."""
        unfinished = self.r + 1 < self.r.src[1]
        wanted = ~unfinished if last else unfinished
        path = next(n for n in count(FIRST_AXIS, 2) if (n,) not in axes(self.sink) and (n + 1,) not in axes(self.sink)) + last
        once = UOp.range(wanted.cast(dtypes.index), 0).replace(arg=RangeArg((path,)))
        pinned = value.substitute({u: t.after(once) for u, t in totals.items()})
        return target.replace(src=(target.src[0].after(once), *target.src[1:])).store(pinned).end(once)
