"""GROUP: a reduction over the whole kernel, split over the cores.

Owns: the two-phase form of such a reduction. Must not know targets.
Invariant: partial results are combined in core order, so a launch with the same cores gives the same bits.
"""
from __future__ import annotations

from dataclasses import replace
from itertools import count

from svod.codegen.closers import map_closers
from svod.codegen.schedule import path_text
from svod.dtype import AddrSpace, PtrDType
from svod.errors import ScheduleError
from svod.ir.args import AxisKind, BarrierScope, RangeArg
from svod.ir.ops import Op
from svod.ir.scope import free_ranges
from svod.ir.uop import UOp


def fresh_memory(root: UOp, dtype: PtrDType, size: int, name: str) -> UOp:
    """Memory of the kernel's own that `root` does not use yet; `dtype` gives element type and address space."""
    used = {u.arg.id for u in root.find(Op.DEFINE_REG, Op.DEFINE_LOCAL, Op.DEFINE_SCRATCH)}
    return UOp.memory(next(i for i in count() if i not in used), dtype.base, size, dtype.space, name=name)


def group_reduction(sink: UOp, r: UOp, core: UOp, unit: int) -> UOp:
    """Every REDUCE over `r` becomes one partial result a core, a grid barrier, and a combination of the partial results."""
    cores = core.arg.max + 1
    start, stop = r.src
    share = (((stop - start) + (cores * unit - 1)) // (cores * unit)) * unit
    lo = (start + core * share).minimum(stop)
    part = UOp(Op.RANGE, (lo, (lo + share).minimum(stop)), replace(r.arg, kind=AxisKind.LOOP))
    made: list[UOp] = []

    def change(u: UOp) -> UOp:
        if r not in u.src[1:]:
            return u
        if u.op is not Op.REDUCE or free_ranges(u):
            raise ScheduleError(f"GROUP({path_text(r.arg.path)}): the axis is not reduced over the whole kernel", at=sink.arg.name,
                                hint="spread another axis with PARALLEL")
        base = u.src[0].dtype
        memory = fresh_memory(UOp.group(sink, *made), base.ptr(AddrSpace.GLOBAL), cores, f"partial{len(made)}")
        made.append(memory)
        partial = UOp(Op.REDUCE, tuple(x.substitute({r: part}) for x in u.src), u.arg)
        done = UOp.barrier(memory[core].store(partial), scope=BarrierScope.GRID)
        c = UOp.range(cores, 0).replace(arg=RangeArg((*r.arg.path, 9)))
        return memory.after(done)[c].load().reduce(u.arg, c)
    return map_closers(sink, change)
