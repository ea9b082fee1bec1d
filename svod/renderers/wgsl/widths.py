"""Which values of index arithmetic are held in 32 bits, and which need 64.

Owns: `wide_values`. Must not know WGSL. Invariants: a value held in 32 bits is exact if its bounds fit there; else only its low 32 bits
are ever looked at: by a sum, product or address. No element of a binding is further than 2**31 from its start, so that the low bits
of an address are all of it.
"""
from __future__ import annotations

from svod.dtype import dtypes
from svod.ir.bounds import interval
from svod.ir.ops import Op
from svod.ir.uop import UOp

MOST_GROUPS = 1 << 21
"""Groups along one axis of a launch: so many that the number of a work item, in groups of up to 1024, fits 31 bits."""
MOST_INDEX = 1 << 30
"""The greatest value of a scalar that a shader counts with in 32 bits: no array has more elements. Sums of two have room there too."""
RING = frozenset((Op.ADD, Op.SUB, Op.MUL, Op.NEG, Op.AND, Op.OR, Op.XOR, Op.NOT))
"""Ops whose low bits depend on the low bits of their operands alone."""


def fits(u: UOp) -> bool:
    """Whether the bounds of an index are those of i32."""
    low, high = interval(u)
    return bool(low >= -(1 << 31) and high < 1 << 31)


def wide_values(linear: UOp) -> set[UOp]:
    """The index values that need 64 bits."""
    exact: set[UOp] = set()
    wide: set[UOp] = set()
    for u in reversed(linear.toposort()):  # users before what they use
        if u.dtype.scalar is dtypes.index and not fits(u) and (u in exact or u.op is Op.RANGE):
            wide.add(u)
        if u.op is Op.LINEAR:
            continue
        exact |= {s for k, s in enumerate(u.src) if s.dtype.scalar is dtypes.index and not _low_bits(u, k, wide)}
    return wide


def _low_bits(u: UOp, operand: int, wide: set[UOp]) -> bool:
    """Whether `u` looks at no more than the low 32 bits of an operand."""
    if u.op is Op.INDEX:
        return operand == 1
    if u.op is Op.ASSERT:  # the numbers of the group and of the work item in it, for people
        return operand in (1, 2)
    if u.op is Op.CAST:
        return u.dtype.is_int and (u.dtype.bits <= 32 or (u.dtype is dtypes.index and u not in wide))
    own = u.dtype is dtypes.index and u not in wide
    if u.op is Op.WHERE:
        return own and operand > 0
    return own and (u.op in RING or u.op is Op.AFTER or (u.op is Op.SHL and operand == 0))
