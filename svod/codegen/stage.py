"""STAGE: copies the part of a buffer that a loop body reads into a dense, aligned panel of scratch memory first.

Owns: the layout of panels, who fills them, the copy loop and the test that chooses between copy and original. Must not know targets.
Invariant: the panel holds exactly what the body reads; ragged parts are filled by guarded loads.
"""
from __future__ import annotations

from itertools import count

from svod.codegen.analysis import step
from svod.codegen.carry import bounded_extent
from svod.codegen.closers import axes, effects_of, map_closers, own_nodes
from svod.codegen.group import fresh_memory
from svod.codegen.schedule import Opt, path_text
from svod.dtype import AddrSpace, PtrDType, dtypes
from svod.errors import ScheduleError
from svod.ir.args import AxisKind, BarrierScope, RangeArg
from svod.ir.bounds import constant
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.scope import free_ranges
from svod.ir.uop import UOp
from svod.target.abi import CORE_ID

COPIED = 50
"""The copy's axes are called `axis.50.0`, `axis.50.1`, … in the order in which the source lies."""
MOST_STAGED = 1 << 26
"""Elements of a panel, at most."""
GUARD = -3
"""First number of the paths of guards: outside all other loops."""


def stage_operand(sink: UOp, at: UOp, opt: Opt, core: UOp) -> UOp:
    """Loads of buffer slot `opt.amount` inside the loop `at` read a panel filled once for each iteration of `at`, or once before all."""
    loads = [u for u in sink.find(Op.LOAD) if _slot(u) == opt.amount and at in free_ranges(u)]
    if len(loads) != 1:
        what = f"{opt}: {len(loads)} loads of buffer {opt.amount} move along axis {path_text(at.arg.path)}, STAGE takes exactly one"
        raise ScheduleError(what, hint="name the slot of a buffer, and an axis that the index of its one load uses")
    load, index = loads[0], loads[0].src[0].src[1]
    spanned = [r for r in free_ranges(load) if opt.panel.shared or r.arg.path > at.arg.path]
    inner = sorted(spanned, key=lambda r: (-stride(index, r), r.arg.path))
    if opt.panel.shared and any(u.op is Op.DEFINE_VAR and u.arg.name == CORE_ID for u in load.toposort()):
        raise ScheduleError(f"{opt}: what is staged depends on the core", hint="stage shared panels before PARALLEL")
    if opt.panel.shared and any(free_ranges(r) - {r} for r in inner):
        raise ScheduleError(f"{opt}: axes of the panel are bounded by others", hint="stage shared panels before balanced SPLITs")
    flat, size = _layout(opt, inner)
    copies = _copies(at, inner)
    if opt.panel.shared:
        memory = _shared(sink, load, (flat, size, copies), at, core, opt)
    else:
        panel = fresh_memory(sink, load.dtype.ptr(AddrSpace.LOCAL), size, f"panel{opt.amount}")
        filled = panel[flat.substitute(copies)].store(load.substitute(copies)).end(*copies.values())
        memory = panel.after(filled)
    staged = map_closers(sink.substitute({load: memory[flat].load()}), lambda u: u)
    if not inner or not (opt.panel.guard or opt.panel.reads):
        return staged
    wanted = _worth(sink, load, (at, inner[0]), opt)
    return _guarded(sink, staged, rewrite(wanted, SIMPLIFY), opt)


def _slot(load: UOp) -> int | None:
    p = load.src[0].src[0]
    while p.op is Op.AFTER:
        p = p.src[0]
    return p.arg.slot if p.op is Op.PARAM and isinstance(p.dtype, PtrDType) else None


def stride(index: UOp, r: UOp) -> int:
    """How far `index` moves when `r` advances by one: exact for affine expressions, a large number for others or symbolic strides."""
    d = rewrite(index.substitute({r: r + 1}) - index, SIMPLIFY)
    c = constant(d)
    return abs(c) if c is not None else 1 << 40


def _copies(at: UOp, inner: list[UOp]) -> dict[UOp, UOp]:
    """The loops of the copy: in the order of the source, or in that of the nest where one bounds another. A copy reduces nothing, so what
    has accumulators of its own in the reduction is unrolled in the copy."""
    if any(free_ranges(r) & set(inner) - {r} for r in inner):
        inner = sorted(inner, key=lambda r: r.arg.path)
    copies: dict[UOp, UOp] = {}
    for i, r in enumerate(inner):
        kind = AxisKind.UNROLL if r.arg.kind is AxisKind.INTERLEAVE else r.arg.kind
        copies[r] = r.replace(src=tuple(s.substitute(copies) for s in r.src), arg=RangeArg((*at.arg.path, COPIED, i), kind))
    return copies


def _layout(opt: Opt, inner: list[UOp]) -> tuple[UOp, int]:
    """Where in the panel an element lies, and the elements of the panel. `inner` is in the order in which the source lies."""
    table = {r.arg.path: r for r in inner}
    order = opt.panel.order or tuple(r.arg.path for r in inner)
    if sorted(order) != sorted(table):
        have = ", ".join(path_text(p) for p in sorted(table))
        raise ScheduleError(f"{opt}: the order names other axes than the panel has", hint=f"the panel has {have}, each of them once")
    flat, size = UOp.const(0, dtypes.index), 1
    for k, path in enumerate(order):
        extent = bounded_extent(opt, table[path])
        pitch = extent + (opt.panel.pad if k == len(order) - 1 else 0)
        flat, size = flat * pitch + table[path], size * pitch
    if size > MOST_STAGED:
        hint = f"at most {MOST_STAGED} are staged: SPLIT the axes, or give their sizes smaller bounds"
        raise ScheduleError(f"{opt}: the panel may have {size} elements", hint=hint)
    return rewrite(flat, SIMPLIFY), size


def _shared(sink: UOp, load: UOp, place: tuple[UOp, int, dict[UOp, UOp]], at: UOp, core: UOp, opt: Opt) -> UOp:
    """The panel of all cores: the copy's axis that stands for `at` is cut into shares, and all cores wait for one another."""
    flat, size, copies = place
    panel = fresh_memory(sink, load.dtype.ptr(AddrSpace.GLOBAL), size, f"panel{opt.amount}")
    share = (at.src[1] + core.arg.max) // (core.arg.max + 1)
    lo = (core * share).minimum(at.src[1])
    mine = copies[at]
    spread = UOp(Op.RANGE, (lo, (lo + share).minimum(at.src[1])), RangeArg(mine.arg.path, AxisKind.PARALLEL))
    copies = {**copies, at: spread}
    filled = panel[flat.substitute(copies)].store(load.substitute(copies)).end(*copies.values())
    return panel.after(UOp.barrier(filled, scope=BarrierScope.GRID))


def _worth(sink: UOp, load: UOp, loops: tuple[UOp, UOp], opt: Opt) -> UOp:
    """What the guard asks at run time: how far apart the source's rows are, and how often each element of the panel is read."""
    at, row = loops
    wanted = UOp.const(True, dtypes.bool)
    if opt.panel.guard:
        apart = step(load.src[0].src[1], row)
        if apart is None or free_ranges(apart):
            raise ScheduleError(f"{opt}: the rows of the source are not evenly apart", hint="leave the guard out")
        wanted = (apart * load.dtype.scalar.itemsize % opt.panel.guard).eq(0)
    if opt.panel.reads:
        wanted = wanted & (UOp.const(opt.panel.reads, dtypes.index) <= _reads(sink, load, at))
    return wanted


def _reads(sink: UOp, load: UOp, at: UOp) -> UOp:
    """Iterations, inside `at`, of the loops that `load` does not move along; those bounded by other loops count once."""
    times = UOp.const(0, dtypes.index)
    for e in sink.find(Op.END):
        if load in own_nodes(e.src[0]):
            again = [r for r in e.src[1:] if r.arg.path > at.arg.path and r not in free_ranges(load) and not free_ranges(r) - {r}]
            product = UOp.const(1, dtypes.index)
            for r in again:
                product = product * (r.src[1] - r.src[0])
            times = times + product
    return times


def _guarded(sink: UOp, staged: UOp, wanted: UOp, opt: Opt) -> UOp:
    """`staged` where `wanted` holds, else `sink`: two versions of what differs, each in a loop of one iteration or none."""
    if (known := constant(wanted)) is not None:
        return staged if known else sink
    done = {u for e in _effects(sink) for u in own_nodes(e)}
    if any(d in done for u in sink.find(Op.AFTER) for s in u.src[1:] if s.dtype is dtypes.void for d in effects_of(s)):
        raise ScheduleError(f"{opt}: effects of the kernel wait for one another", hint="leave out if and reads: versions would share them")
    taken = axes(sink)
    path = next((GUARD, n) for n in count(0, 2) if (GUARD, n) not in taken and (GUARD, n + 1) not in taken)
    effects: list[UOp] = []
    for old, new in zip(_effects(sink), _effects(staged), strict=True):
        effects += [old] if old is new else [_when(new, wanted, path), _when(old, ~wanted, (path[0], path[1] + 1))]
    return sink.replace(src=tuple(effects))


def _effects(sink: UOp) -> list[UOp]:
    return [e for s in sink.src for e in effects_of(s)]


def _when(effect: UOp, wanted: UOp, path: tuple[int, int]) -> UOp:
    """`effect` in a loop that runs once if `wanted` holds; its accesses are said to be inside, so that the versions share no reduction."""
    once = UOp.range(wanted.cast(dtypes.index), 0).replace(arg=RangeArg(path))
    targets = {s.src[0] for s in own_nodes(effect) if s.op in (Op.LOAD, Op.STORE, Op.ATOMIC)}
    new: dict[UOp, UOp] = {}
    for u in effect.toposort(lambda x: x.op is not Op.AFTER):  # what is awaited, such as the copy, stays as it is
        v = u.replace(src=tuple(new.get(s, s) for s in u.src))
        new[u] = v.replace(src=(v.src[0].after(once), *v.src[1:])) if u in targets else v
    return new[effect].end(once)
