"""STAGE: copies the part of a buffer that a loop body reads into a dense, aligned panel of scratch memory first.

Owns: the layout of panels and the copy loop. Must not know targets.
Invariant: the panel holds exactly what the body reads; ragged parts are filled by guarded loads.
"""
from __future__ import annotations

from svod.codegen.closers import map_closers
from svod.codegen.group import fresh_memory
from svod.codegen.schedule import Opt
from svod.dtype import AddrSpace, PtrDType
from svod.errors import ScheduleError
from svod.ir.args import RangeArg
from svod.ir.bounds import constant
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.scope import free_ranges
from svod.ir.uop import UOp


def stage_operand(sink: UOp, at: UOp, opt: Opt) -> UOp:
    """Loads of buffer slot `opt.amount` inside the loop `at` read a panel filled once for each iteration of `at`."""
    loads = [u for u in sink.find(Op.LOAD) if _slot(u) == opt.amount and at in free_ranges(u)]
    if len(loads) != 1:
        raise ScheduleError(f"{opt}: buffer {opt.amount} has {len(loads)} loads inside the axis, STAGE takes exactly one")
    load = loads[0]
    inner = _inner_ranges(sink, load, at)
    extents = [_extent(opt, r) for r in inner]
    base = load.dtype
    total = 1
    for e in extents:
        total *= e
    panel = fresh_memory(sink, base.ptr(AddrSpace.LOCAL), total, f"panel{opt.amount}")
    copies = {r: r.replace(arg=RangeArg((*at.arg.path, 50, i), r.arg.kind)) for i, r in enumerate(inner)}
    filled = panel[_flat([copies[r] for r in inner], extents)].store(load.substitute(copies)).end(*(copies[r] for r in inner))
    staged = panel.after(filled)[_flat(inner, extents)].load()
    return map_closers(sink.substitute({load: staged}), lambda u: u)


def _slot(load: UOp) -> int | None:
    p = load.src[0].src[0]
    while p.op is Op.AFTER:
        p = p.src[0]
    return p.arg.slot if p.op is Op.PARAM and isinstance(p.dtype, PtrDType) else None


def _inner_ranges(sink: UOp, load: UOp, at: UOp) -> list[UOp]:
    """The ranges the panel spans, in the order of the source's strides, so that the copy reads as it lies."""
    inner = [r for r in free_ranges(load) if r.arg.path > at.arg.path]
    index = load.src[0].src[1]
    return sorted(inner, key=lambda r: (-stride(index, r), r.arg.path))


def stride(index: UOp, r: UOp) -> int:
    """How far `index` moves when `r` advances by one: exact for affine expressions, a large number for others or symbolic strides."""
    step = rewrite(index.substitute({r: r + 1}) - index, SIMPLIFY)
    c = constant(step)
    return abs(c) if c is not None else 1 << 40


def _extent(opt: Opt, r: UOp) -> int:
    if constant(r.src[0]) != 0 or (e := constant(r.src[1])) is None:
        raise ScheduleError(f"{opt}: a range of the staged part has no constant extent", at=repr(r.arg))
    return e


def _flat(ranges: list[UOp], extents: list[int]) -> UOp:
    flat = UOp.range(1, 0).src[0]
    for r, e in zip(ranges, extents, strict=True):
        flat = flat * e + r
    return rewrite(flat, SIMPLIFY)
