"""What a launch needs of its arguments: how many elements of each buffer the kernel touches, and how much work it is.

Owns: the two expressions over the kernel's variables, and the check that what is known of them already fits.
Must not know schedules: all is read off the kernel as written.
Invariant: `elements` never asks for more than the kernel can touch; where indices are guarded, come from memory or have no extreme that
`extreme` finds it asks for less.
"""
from __future__ import annotations

from svod.codegen.analysis import ASSUMED_TRIP, pointer
from svod.codegen.extremes import extreme
from svod.dtype import PtrDType, dtypes
from svod.errors import GraphError
from svod.ir.bounds import interval
from svod.ir.ops import MEMORIES, Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.scope import free_ranges, nest_order
from svod.ir.uop import UOp

NS_PER_OP = 8
"""Element operations a core does in a nanosecond, roughly: vector code on data in cache."""
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
        top = needed(u, loops[u]) if len(u.src[0].src) == 2 else None
        if top is None:
            continue
        old = need.get(p.arg.slot, zero)
        need[p.arg.slot] = rewrite(old.maximum(top), SIMPLIFY)
    return need


def check_inside(sink: UOp) -> None:
    """GraphError for an access without a gate that is certainly outside memory whose size the graph says, or below element 0."""
    loops: dict[UOp, frozenset[UOp]] = {}
    for u in sink.toposort():
        if u.op not in (Op.LOAD, Op.STORE, Op.ATOMIC) or (m := pointer(u)).op not in MEMORIES or len(u.src[0].src) > 2:
            continue
        (lo, hi), size = interval(u.src[0].src[1]), m.arg.size
        if (lo >= 0 and (size is None or hi < size)) or u.src[0].src[1].dtype.lanes > 1:
            continue
        loops = loops or _loops(sink)
        need = needed(u, loops[u])
        if need is None or need.op is not Op.CONST:
            continue
        what, verb = m.arg.name or f"{m.op.name} {m.arg.id}", "reads" if u.op is Op.LOAD else "writes"
        if need.arg.value == BELOW:
            raise GraphError(f"the kernel {verb} below element 0 of {what!r}", at=sink.arg.name,
                             hint="elements count from 0: start the range later, or gate the access: a.index(i, gate)")
        if size is not None and need.arg.value > size:
            raise GraphError(f"the kernel {verb} element {need.arg.value - 1} of {what!r}, which has {size}", at=sink.arg.name,
                             hint=f"elements 0 to {size - 1} exist: correct the index, the bounds of the range, or the size")


def _loops(sink: UOp) -> dict[UOp, frozenset[UOp]]:
    """For each node the loops that it, or all its users, run in: an access in them does not happen if one of them has no iteration."""
    inside: dict[UOp, frozenset[UOp]] = {}
    for u in reversed(sink.toposort()):
        mine = inside.get(u, frozenset())
        if u.op in (Op.STORE, Op.ATOMIC):
            mine = inside[u] = mine | free_ranges(u)
        for place, s in enumerate(u.src):
            if u.op is Op.REDUCE:  # not those around it: a reduction may be done before a loop that does not run
                given = free_ranges(u) | frozenset(u.src[1:])
            elif u.op is Op.END:
                given = mine | frozenset(u.src[1:]) if place == 0 else frozenset()
            else:
                elsewhere = u.op in (Op.SINK, Op.RANGE) or (u.op is Op.AFTER and place > 0)
                given = frozenset() if elsewhere else mine
            inside[s] = inside[s] & given if s in inside else given
    return inside


def needed(access: UOp, loops: frozenset[UOp]) -> UOp | None:
    """Elements the buffer must have for an access: one past the greatest index, 0 if it does not happen, BELOW if the least is negative.

    None if an extreme of the index is not known, or comes from memory.
    """
    top = extreme(access.src[0].src[1], last=True)
    if top is None:
        return None
    happens = UOp.const(True, dtypes.bool)
    for r in nest_order(loops | top[1]):
        if not free_ranges(r.src[0]) | free_ranges(r.src[1]) or r in top[1]:
            happens = happens & (r.src[0] < r.src[1])
        elif interval(r.src[0])[1] >= interval(r.src[1])[0]:
            return None  # a loop that an outer one bounds: where it has iterations, the index may not be greatest
    if free_ranges(happens):
        return None
    need = top[0] + 1
    if interval(access.src[0].src[1])[0] < 0 and (bottom := extreme(access.src[0].src[1], last=False)) is not None:
        need = (bottom[0] < 0).where(UOp.const(BELOW, dtypes.index), need)
    need = rewrite(happens.where(need, 0), SIMPLIFY)
    return None if next(need.find(Op.LOAD), None) is not None else need  # a bound from memory is not known before the launch


def work(sink: UOp) -> UOp:
    """Estimated nanoseconds of one core, as an expression over variables; bounds that are read from memory are guessed."""
    total = UOp.const(0, dtypes.index)
    for u in sink.toposort():
        if u.op not in (Op.REDUCE, Op.STORE):
            continue
        ranges = free_ranges(u.src[0]) | frozenset(u.src[1:]) if u.op is Op.REDUCE else free_ranges(u)
        count = UOp.const(1, dtypes.index)
        for r in nest_order(ranges):
            count = count * (_extreme(r.src[1], 1) - _extreme(r.src[0], 0)).maximum(0)
        total = total + count * 4
    loaded = {u: u.const(ASSUMED_TRIP, u.dtype) for u in total.find(Op.LOAD)}
    return rewrite((total.substitute(loaded) + (NS_PER_OP - 1)) // NS_PER_OP, SIMPLIFY)


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
