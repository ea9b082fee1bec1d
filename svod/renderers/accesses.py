"""What a linear program says about its accesses to memory, for whichever renderer.

Owns: those questions. Must not know any language. Invariant: nothing here changes a program.
"""
from __future__ import annotations

from svod.dtype import PtrDType, dtypes
from svod.ir.bounds import interval
from svod.ir.ops import Op
from svod.ir.uop import UOp


def plain(u: UOp) -> UOp:
    """What an AFTER stands for."""
    while u.op is Op.AFTER:
        u = u.src[0]
    return u


def root(index: UOp) -> UOp:
    """The memory that an INDEX points into."""
    return plain(index.src[0])


def step(i: UOp) -> int | None:
    """The constant stride of a RAMP, or None for any other vector."""
    return int(i.src[1].arg.value) if i.op is Op.RAMP and i.src[1].op is Op.CONST else None


def is_lane_mask(u: UOp) -> bool:
    """RAMP(b, 1) < BROADCAST(n) on indices: which lane numbers are below n - b."""
    if u.op is not Op.CMPLT:
        return False
    a, b = u.src
    return a.op is Op.RAMP and b.op is Op.BROADCAST and a.dtype.scalar is dtypes.index and interval(a.src[1]) == (1, 1)


def contiguous(index: UOp) -> int | None:
    """1 or -1 where an INDEX is that of elements one after the other, forwards or backwards, that can be accessed at once; else None."""
    s = step(index.src[1])
    return s if s in ((1, -1) if len(index.src) == 2 else (1,)) else None


def whole_registers(instructions: list[UOp]) -> set[UOp]:
    """REG memories that are always read and written whole, without a gate."""
    found: dict[UOp, bool] = {}
    for u in instructions:
        if u.op not in (Op.LOAD, Op.STORE, Op.ATOMIC):
            continue
        m = root(u.src[0])
        if m.op is Op.DEFINE_REG and isinstance(m.dtype, PtrDType):
            i = u.src[0].src[1]
            base = i.src[0] if i.op is Op.RAMP else i
            whole = (i.op is Op.CONST or step(i) == 1) and base.op is Op.CONST and base.arg.value == 0 and i.dtype.lanes == m.arg.size
            found[m] = found.get(m, True) and whole and len(u.src[0].src) == 2 and u.op is not Op.ATOMIC
    return {m for m, whole in found.items() if whole}
