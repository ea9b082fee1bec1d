"""Exchanges among the work items of a subgroup, which lie side by side in the lanes of one vector.

Owns: SUBGROUP ops as shuffles and reductions of lanes. Must not know memory or control flow.
Invariant: a lane whose partner is outside the subgroup or does not take part gets its own value.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from svod.codegen.simt.emit import index
from svod.codegen.simt.lanes import ramp, splat
from svod.dtype import DType, dtypes
from svod.errors import UnsupportedError
from svod.ir.args import ShuffleArg, SubgroupKind
from svod.ir.bounds import constant
from svod.ir.interp import evaluate
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.rules.reductions import identity
from svod.ir.semantics import PURE
from svod.ir.uop import UOp

if TYPE_CHECKING:
    from svod.codegen.simt.access import Access

_SHUFFLES = frozenset((SubgroupKind.SHUFFLE, SubgroupKind.UP, SubgroupKind.DOWN, SubgroupKind.XOR))


def exchanged(access: Access, subgroup: UOp, operands: list[UOp], mask: UOp | None, width: int) -> UOp:
    """What the lanes of one vector get from a SUBGROUP of these operands."""
    kind, across, op = subgroup.arg.kind, subgroup.arg.width, subgroup.arg.op
    if width % across:
        raise UnsupportedError(f"a subgroup of {across} work items in vectors of {width}")
    if across == 1:
        return _alone(kind, op, operands[0])
    value = splat(operands[0], width)
    taking = None if mask is None else splat(mask, width)
    if kind in _SHUFFLES:
        return _shuffle(access, kind, across, value, operands[1], taking)
    if kind in (SubgroupKind.ANY, SubgroupKind.ALL):
        return _reduce(Op.OR if kind is SubgroupKind.ANY else Op.AND, value, taking, across)
    if kind is SubgroupKind.BALLOT:
        lane = UOp(Op.RAMP, (index(0), index(1)), None, dtypes.index.vec(width)) % splat(index(across), width)
        one = splat(UOp.const(1, dtypes.u64), width) << lane.cast(dtypes.u64.vec(width))
        bits = value.where(one, splat(UOp.const(0, dtypes.u64), width))
        return _reduce(Op.OR, bits, taking, across)
    if kind is SubgroupKind.REDUCE:
        return _reduce(op, value, taking, across)
    return _scan(op, value, taking, across, exclusive=kind is SubgroupKind.EXCLUSIVE)


def _alone(kind: SubgroupKind, op: Op, value: UOp) -> UOp:
    """What a work item gets that is a subgroup by itself: its own value."""
    if kind is SubgroupKind.BALLOT:
        return rewrite(value.cast(dtypes.u64.vec(value.dtype.lanes)), SIMPLIFY)
    return splat(neutral_of(op, value.dtype.scalar), value.dtype.lanes) if kind is SubgroupKind.EXCLUSIVE else value


def neutral_of(op: Op, dtype: DType) -> UOp:
    """The value that `op` leaves others alone with."""
    return identity(op, UOp.const(0, dtype))


def _source(kind: SubgroupKind, lane: int, amount: int, across: int) -> int:
    """The lane of its subgroup that `lane` reads from; it may be outside."""
    if kind is SubgroupKind.SHUFFLE:
        return amount % across
    if kind is SubgroupKind.XOR:
        return lane ^ amount
    return lane - amount if kind is SubgroupKind.UP else lane + amount


def _own_outside(width: int, across: int, source: list[int]) -> list[int]:
    """The lanes to read, with a lane's own where its partner is outside its subgroup."""
    return [s if lane // across == s // across and 0 <= s < width else lane for lane, s in enumerate(source)]


def permuted(value: UOp, source: list[int]) -> UOp:
    """Lane source[l] of `value` in lane l."""
    return rewrite(UOp(Op.SHUFFLE, (value, value), ShuffleArg(tuple(source))), SIMPLIFY)


def _shuffle(access: Access, kind: SubgroupKind, across: int, value: UOp, by: UOp, taking: UOp | None) -> UOp:
    width = value.dtype.lanes
    amount = constant(by) if by.dtype.lanes == 1 else None
    if amount is not None:
        source = [_source(kind, lane % across, amount, across) + lane // across * across for lane in range(width)]
        got = permuted(value, _own_outside(width, across, source))
        return got if taking is None else rewrite(permuted(taking, _own_outside(width, across, source)).where(got, value), SIMPLIFY)
    if (known := _known_lanes(by)) is not None:
        source = [_source(kind, lane % across, known[lane], across) + lane // across * across for lane in range(width)]
        got = permuted(value, _own_outside(width, across, source))
        return got if taking is None else rewrite(permuted(taking, _own_outside(width, across, source)).where(got, value), SIMPLIFY)
    return _dynamic(access, kind, across, value, splat(by, width), taking)


def _known_lanes(by: UOp) -> list[int] | None:
    """The lanes of an integer vector made of literals only."""
    literal = by.dtype.lanes > 1 and all(u.op is Op.CONST or u.op in PURE for u in by.toposort())
    return [int(x) for x in evaluate(by).ravel()] if literal else None


def _dynamic(access: Access, kind: SubgroupKind, across: int, value: UOp, by: UOp, taking: UOp | None) -> UOp:
    """Through memory, as the lanes to read are known at run time only."""
    width = value.dtype.lanes
    lane = ramp(index(0), width)
    size = splat(index(across), width)
    own = UOp(Op.FLOORMOD, (lane, size))
    base, d = lane - own, by.cast(dtypes.index.vec(width))
    if kind is SubgroupKind.SHUFFLE:
        target = UOp(Op.FLOORMOD, (d, size))
    else:
        target = own - d if kind is SubgroupKind.UP else own + d if kind is SubgroupKind.DOWN else own ^ d
    zero = splat(index(0), width)
    inside = UOp(Op.CMPLE, (zero, target)) & (target < size)
    source = rewrite(inside.where(base + target, lane), SIMPLIFY)
    got = access.picked(value, source)
    if taking is None:
        return got
    return rewrite(access.picked(taking, source).where(got, value), SIMPLIFY)


def _kept(op: Op, value: UOp, taking: UOp | None) -> UOp:
    if taking is None:
        return value
    return taking.where(value, splat(neutral_of(op, value.dtype.scalar), value.dtype.lanes))


def _reduce(op: Op, value: UOp, taking: UOp | None, across: int) -> UOp:
    """All lanes of each subgroup combined: one scalar where the subgroup is the vector, else by exchanging halves."""
    value = _kept(op, value, taking)
    if across == value.dtype.lanes:
        return rewrite(UOp(Op.LANES, (value,), op, value.dtype.scalar), SIMPLIFY)
    step = across // 2
    while step:
        value = UOp(op, (value, permuted(value, [lane ^ step for lane in range(value.dtype.lanes)])))
        step //= 2
    return rewrite(value, SIMPLIFY)


def _scan(op: Op, value: UOp, taking: UOp | None, across: int, *, exclusive: bool) -> UOp:
    """Hillis and Steele's scan: log2(width) shifted combinations."""
    width = value.dtype.lanes
    value = _kept(op, value, taking)
    neutral = splat(neutral_of(op, value.dtype.scalar), width)

    def shifted(v: UOp, by: int) -> UOp:
        source = [lane - by if lane % across >= by else width + lane for lane in range(width)]
        return rewrite(UOp(Op.SHUFFLE, (v, neutral), ShuffleArg(tuple(source))), SIMPLIFY)

    if exclusive:
        value = shifted(value, 1)
    step = 1
    while step < across:
        value = UOp(op, (value, shifted(value, step)))
        step *= 2
    return rewrite(value, SIMPLIFY)
