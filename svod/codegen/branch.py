"""Branches around rarely wanted work: the costly arm of a select runs only if some lane wants it.

Owns: when a WHERE is worth a branch, and its form (a loop of no or one iteration around the costly arm). Must not know math functions.
Invariant: the value is that of the WHERE; only pure nodes are skipped.
"""
from __future__ import annotations

from collections import Counter
from itertools import count

from svod.dtype import AddrSpace, dtypes
from svod.ir.args import RangeArg
from svod.ir.ops import ELEMENTWISE, Op
from svod.ir.scope import free_ranges, nest_order
from svod.ir.uop import UOp

WORTH = 40
"""Nodes only the first arm needs, from which on a branch is made. Reducing a huge argument of sin takes about 100, a branch 5."""
FIRST_AXIS = 1 << 20
"""Axis numbers of the branches start here, beyond any of a kernel's own."""


def branch_rare_arms(sink: UOp) -> UOp:
    """`sink` with every WHERE whose first arm alone needs WORTH nodes made a branch."""
    if sum(u.op in ELEMENTWISE for u in sink.toposort()) < WORTH:
        return sink
    users = Counter(s for u in sink.toposort() for s in set(u.src))
    ids = count(1 + max((u.arg.id for u in sink.find(Op.DEFINE_REG)), default=-1))
    axes = count(FIRST_AXIS)
    new: dict[UOp, UOp] = {}
    for u in sink.toposort():
        src = tuple([new[s] for s in u.src])
        v = u if src == u.src else u.replace(src=src)
        if u.op is Op.WHERE and (own := {new[x] for x in owned(u, users) if new[x].op in ELEMENTWISE}) and v.src[1] in own:
            v = _branch(v, own, next(ids), next(axes))  # of what became a branch before, the value alone is in it
        new[u] = v
    return new[sink]


def owned(where: UOp, users: Counter[UOp]) -> set[UOp]:
    """The pure nodes that only the first arm of `where` needs, if there are enough of them; else nothing."""
    own: set[UOp] = set()
    left: Counter[UOp] = Counter({where.src[1]: users[where.src[1]] - 1})
    stack = [where.src[1]] if users[where.src[1]] == 1 else []
    while stack:
        u = stack.pop()
        if u.op not in ELEMENTWISE:
            continue
        own.add(u)
        for s in set(u.src):
            left[s] = left.get(s, users[s]) - 1
            if left[s] == 0:
                stack.append(s)
    return own if len(own) >= WORTH else set()


def _branch(where: UOp, own: set[UOp], memory: int, axis: int) -> UOp:
    """The second arm is stored first; a loop that runs once if any lane wants it overwrites that with the select."""
    wanted, rare, usual = where.src
    lanes = where.dtype.lanes
    some = wanted if lanes == 1 else UOp(Op.LANES, (wanted,), Op.OR, dtypes.bool)
    once = UOp(Op.RANGE, (UOp.const(0, dtypes.index), some.cast(dtypes.index)), RangeArg((axis,)))
    inside: dict[UOp, UOp] = {}
    for u in rare.toposort(lambda x: x in own):
        inside[u] = u.replace(src=tuple([inside[s] if s in inside else _pinned(s, once) for s in u.src]))
    cell = UOp.memory(memory, where.dtype.scalar, lanes, AddrSpace.REG, name="rare")
    first = _at(cell.after(*nest_order(free_ranges(where))), lanes).store(usual)
    second = _at(cell.after(first, once), lanes).store(wanted.where(inside[rare], usual)).end(once)
    return _at(cell.after(first, second), lanes).load()


def _pinned(u: UOp, once: UOp) -> UOp:
    """An operand that keeps its users inside the loop; literals need none."""
    constant = u.op is Op.CONST or (u.op is Op.BROADCAST and u.src[0].op is Op.CONST)
    return u if constant else u.after(once)


def _at(cell: UOp, lanes: int) -> UOp:
    zero = UOp.const(0, dtypes.index)
    return cell[zero if lanes == 1 else UOp(Op.RAMP, (zero, UOp.const(1, dtypes.index)), None, dtypes.index.vec(lanes))]
