"""What a launch needs of its arguments: how many elements of each buffer the kernel touches, and how much work it is.

Owns: the two expressions over the kernel's variables. Must not know schedules: both are read off the kernel as written.
Invariant: `elements` never asks for more than the kernel can touch; where indices are not monotone or guarded it asks for less.
"""
from __future__ import annotations

from svod.codegen.analysis import pointer, step
from svod.dtype import PtrDType, dtypes
from svod.ir.bounds import interval
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.scope import free_ranges, nest_order
from svod.ir.uop import UOp

NS_PER_OP = 8
"""Element operations a core does in a nanosecond, roughly: vector code on data in cache."""
BIG = 1 << 61
BELOW = 1 << 60
"""What `elements` asks for where an access would lie below element 0: more than any buffer has."""


def elements(sink: UOp) -> dict[int, UOp]:
    """Least element count of each buffer slot, as an expression over variables; 0 where nothing is known."""
    need: dict[int, UOp] = {}
    zero = UOp.const(0, dtypes.index)
    loops = _loops(sink)
    for u in sink.toposort():
        if u.op not in (Op.LOAD, Op.STORE, Op.ATOMIC) or (p := pointer(u)).op is not Op.PARAM:
            continue
        own = free_ranges(u) if u.op is not Op.LOAD else loops[u]
        top = _needed(u, own) if len(u.src[0].src) == 2 else None
        if top is None:
            continue
        old = need.get(p.arg.slot, zero)
        need[p.arg.slot] = rewrite(old.maximum(top), SIMPLIFY)
    return need


def _loops(sink: UOp) -> dict[UOp, frozenset[UOp]]:
    """For each node the loops that all its users run in: a load in them does not happen if one of them has no iteration."""
    inside: dict[UOp, frozenset[UOp]] = {}
    for u in reversed(sink.toposort()):
        mine = inside.get(u, frozenset())
        for place, s in enumerate(u.src):
            if u.op in (Op.STORE, Op.ATOMIC):
                given = free_ranges(u)
            elif u.op is Op.REDUCE:  # not those around it: a reduction may be done before a loop that does not run
                given = free_ranges(u) | frozenset(u.src[1:])
            else:
                effect = u.op in (Op.END, Op.GROUP, Op.BARRIER, Op.SINK, Op.RANGE) or (u.op is Op.AFTER and place > 0)
                given = frozenset() if effect else mine
            inside[s] = inside[s] & given if s in inside else given
    return inside


def _needed(access: UOp, loops: frozenset[UOp]) -> UOp | None:
    """Elements the buffer must have for an access: one past the greatest index, 0 if it does not happen, BELOW if the least is negative.

    None if the index is not monotone in its ranges.
    """
    top = _end(access.src[0].src[1], last=True)
    if top is None:
        return None
    happens = UOp.const(True, dtypes.bool)
    for r in nest_order(loops | top[1]):
        if not free_ranges(r.src[0]) | free_ranges(r.src[1]) or r in top[1]:
            happens = happens & (r.src[0] < r.src[1])
    if free_ranges(happens):
        return None
    need = top[0] + 1
    if interval(access.src[0].src[1])[0] < 0 and (bottom := _end(access.src[0].src[1], last=False)) is not None:
        need = (bottom[0] < 0).where(UOp.const(BELOW, dtypes.index), need)
    return rewrite(happens.where(need, 0), SIMPLIFY)


def _end(index: UOp, *, last: bool) -> tuple[UOp, frozenset[UOp]] | None:
    """The greatest (least) value of an index over its loops, and those loops; None if it is not monotone or comes from memory."""
    loops: frozenset[UOp] = frozenset()
    while open_ranges := sorted(free_ranges(index), key=lambda r: r.arg.path, reverse=True):
        r = next((x for x in open_ranges if not any(x in free_ranges(s) for y in open_ranges if y is not x for s in y.src)), open_ranges[0])
        s = step(index, r)
        if s is None:
            return None
        lo, hi = interval(s)
        if lo < 0 < hi:
            return None
        loops |= {r}
        index = rewrite(index.substitute({r: r.src[1] - 1 if (lo >= 0) is last else r.src[0]}), SIMPLIFY)
    if any(u.op in (Op.LOAD, Op.SPECIAL, Op.REDUCE) for u in index.toposort()) or interval(index)[1] >= BIG:
        return None
    return index, loops


def work(sink: UOp) -> UOp:
    """Estimated nanoseconds of one core, as an expression over variables."""
    total = UOp.const(0, dtypes.index)
    for u in sink.toposort():
        if u.op not in (Op.REDUCE, Op.STORE):
            continue
        ranges = free_ranges(u.src[0]) | frozenset(u.src[1:]) if u.op is Op.REDUCE else free_ranges(u)
        count = UOp.const(1, dtypes.index)
        for r in nest_order(ranges):
            count = count * (_extreme(r.src[1], 1) - _extreme(r.src[0], 0)).maximum(0)
        total = total + count * 4
    return rewrite((total + (NS_PER_OP - 1)) // NS_PER_OP, SIMPLIFY)


def _extreme(bound: UOp, end: int) -> UOp:
    """A loop bound without other loops in it: their least (0) or greatest (1) value is taken."""
    for r in nest_order(free_ranges(bound)):
        bound = bound.substitute({r: r.src[end]})
    return bound if not free_ranges(bound) else _extreme(bound, end)


def aliases(sink: UOp) -> dict[int, frozenset[int]]:
    """For each buffer slot, the slots that may be given the same memory: both are only touched at one and the same index."""
    touched: dict[int, set[UOp]] = {}
    widths: dict[int, int] = {}
    for u in sink.toposort():
        if u.op in (Op.LOAD, Op.STORE, Op.ATOMIC) and (p := pointer(u)).op is Op.PARAM and isinstance(p.dtype, PtrDType):
            touched.setdefault(p.arg.slot, set()).add(u.src[0].src[1])
            widths[p.arg.slot] = p.dtype.base.itemsize
    return {s: frozenset(t for t in touched if t != s and len(mine) == 1 and touched[t] == mine and widths[t] == widths[s])
            for s, mine in touched.items()}
