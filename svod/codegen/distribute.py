"""Who does what when a kernel runs on several cores: effects that are not spread over them belong to core 0.

Owns: core-0 effects and the grid barriers between effects that feed each other through memory. Must not know strategies.
Invariant: no element of a buffer is written by two cores in one phase.
"""

from __future__ import annotations

from svod.codegen.closers import effects_of, own_nodes
from svod.dtype import AddrSpace, PtrDType, dtypes
from svod.ir.args import BarrierScope, RangeArg
from svod.ir.effects import memory
from svod.ir.ops import Op
from svod.ir.scope import free_ranges
from svod.ir.uop import UOp
from svod.target.abi import CORE_ID

ALONE = (-1,)
"""Path of the axis that has one iteration on core 0 and none elsewhere."""


def distribute(sink: UOp) -> UOp:
    """`sink` made safe for all cores to run. Unchanged if it does not depend on core_id."""
    core = next((v for v in sink.find(Op.DEFINE_VAR) if v.arg.name == CORE_ID), None)
    if core is None:
        return sink
    new: dict[UOp, UOp] = {}
    for u in sink.toposort():
        src = tuple([new[s] for s in u.src])
        v = u if src == u.src else u.replace(src=src)
        if v.op is Op.AFTER and isinstance(v.dtype, PtrDType) and v.dtype.space is AddrSpace.GLOBAL:
            v = v.replace(src=(v.src[0], *(_fenced(d, core) for d in v.src[1:])))
        new[u] = v
    root = new[sink]
    return root.replace(src=tuple(_owned(e, core) for s in root.src for e in effects_of(s)))


def _owned(effect: UOp, core: UOp) -> UOp:
    """The effect as it is if the cores write different parts of it, else done by core 0."""
    if effect.op is Op.BARRIER or _spread(effect, core):
        return effect
    if effect.op in (Op.END, Op.GROUP):
        inner = effects_of(effect.src[0] if effect.op is Op.END else effect)
        if any(core in own_nodes(e) for e in inner):  # some of what the loop does is spread: the rest of it is core 0's
            body = UOp.group(*(_owned(e, core) for e in inner))
            return body.end(*effect.src[1:]) if effect.op is Op.END else body
    stop = core.eq(0).where(UOp.const(1, dtypes.index), 0)
    return effect.end(UOp.range(stop, 0).replace(arg=RangeArg(ALONE)))


def _spread(effect: UOp, core: UOp) -> bool:
    """True if where the effect writes depends on the core: its loop over the cores' shares, even one of a single iteration, or memory of
    which each core has its own. Not if only what it waits for does, such as a panel that all cores have filled."""
    if effect.op in (Op.END, Op.GROUP):
        return all(_spread(e, core) for e in effects_of(effect.src[0] if effect.op is Op.END else effect))
    if effect.op not in (Op.STORE, Op.ATOMIC):
        return False
    return core in own_nodes(effect.src[0].src[1]) or memory(effect.src[0]).op in (Op.DEFINE_REG, Op.DEFINE_LOCAL)


def _fenced(dep: UOp, core: UOp) -> UOp:
    """An effect on global memory that later accesses wait for: all cores wait too."""
    if dep.op in (Op.BARRIER, Op.RANGE) or free_ranges(dep) or dep.op not in (Op.END, Op.STORE, Op.GROUP, Op.ATOMIC):
        return dep
    return UOp.barrier(*(_owned(e, core) for e in effects_of(dep)), scope=BarrierScope.GRID)
