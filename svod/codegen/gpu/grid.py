"""Loop kernels on targets whose work items have ids: independent loops around the whole kernel become a grid of work items.

Owns: which loops those are, the shape of the groups, the guard of the last groups. Must not know how anything is rendered.
Invariants: each iteration is done by one work item; groups are full, and those work items behind the end of a loop do nothing. A kernel in
which nothing can be spread, or which has ids or memory of a group itself, stays as it is.
"""
from __future__ import annotations

from svod.codegen.analysis import conflicts, owns_memory, stride
from svod.codegen.closers import effects_of
from svod.codegen.ids import has_core
from svod.codegen.order import Order, order_of
from svod.codegen.schedule import Opt, OptKind
from svod.dtype import dtypes
from svod.errors import GraphError
from svod.ir.args import AxisKind, RangeArg, SpecialKind
from svod.ir.bounds import interval
from svod.ir.clause import LEAVES
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.scope import free_ranges, nest_order
from svod.ir.semantics import PURE
from svod.ir.uop import UOp

GROUP = 128
"""Work items of a group: a multiple of what any GPU runs together, and few enough that many groups fill it."""
GUARD = (-2,)
"""Path of the loop that has one iteration in the work items that have something to do, and none in the others."""
AXES = 3


def grid_for_loops(sink: UOp) -> UOp:
    """`sink`, in normal form, with the independent loops around it, at most three, as ids of work items."""
    effects = [e for s in sink.src for e in effects_of(s)]
    if sink.arg.opts is not None or len(effects) != 1 or effects[0].op is not Op.END or has_core(sink):
        return sink
    if conflicts(effects) or owns_memory(sink) or next(sink.find(Op.ATOMIC, Op.SPECIAL, Op.BARRIER), None) is not None:
        return sink
    loops = _spread(effects[0], order_of(sink), sink)
    if not loops:
        return sink
    ids, guard = _ids(loops)
    effect = _without(effects[0].substitute(ids), frozenset(ids.values()))
    if guard is not None:
        zero = UOp.const(0, dtypes.index)
        once = UOp(Op.RANGE, (zero, guard.where(UOp.const(1, dtypes.index), zero)), RangeArg(GUARD))
        effect = effect.end(once)
    return rewrite(sink.replace(src=(effect,)), SIMPLIFY)


def _spread(effect: UOp, order: Order, sink: UOp) -> list[UOp]:
    """The loops that become axes 0, 1, 2 of the grid: along which memory is contiguous first, then from the innermost outwards."""
    around: list[UOp] = []
    body = effect
    while body.op is Op.END:
        around += nest_order(tuple(r for r in body.src[1:] if r.op is Op.RANGE))
        body = body.src[0]
    stores = [u for u in effect.toposort() if u.op is Op.STORE]
    able = [r for r in around if r.arg.kind is AxisKind.LOOP and not any(free_ranges(s) for s in r.src)
            and all(r in free_ranges(s.src[0].src[1]) for s in stores)
            and not order.refuses(Opt(OptKind.PARALLEL, r.arg.path), sink)]
    steps = {r: {stride(s, r) for s in stores} for r in able}
    able.reverse()
    return sorted(able, key=lambda r: 1 not in steps[r])[:AXES]


def _ids(loops: list[UOp]) -> tuple[dict[UOp, UOp], UOp | None]:
    """The index of each loop, by ids of work items, and the condition under which all of them are within their loops (None: always)."""
    ids: dict[UOp, UOp] = {}
    guard: UOp | None = None
    left = GROUP
    for axis, r in enumerate(loops):
        start, stop = r.src
        extent = rewrite(stop - start, SIMPLIFY)
        most = int(interval(extent)[1])
        items = 1
        while items < min(left, most):
            items *= 2
        left //= items
        groups = rewrite((extent + (items - 1)) // items, SIMPLIFY)
        group = UOp.special(SpecialKind.GLOBAL, axis, groups)
        at = group if items == 1 else group * items + UOp.special(SpecialKind.LOCAL, axis, items)
        ids[r] = rewrite(start + at, SIMPLIFY)
        if not _whole(extent, items):
            inside = at < extent
            guard = inside if guard is None else guard & inside
    return ids, None if guard is None else rewrite(guard, SIMPLIFY)


def _whole(extent: UOp, items: int) -> bool:
    """Whether the extent is a multiple of the work items of a group."""
    rest = rewrite(extent % items, SIMPLIFY)
    return items == 1 or (rest.op is Op.CONST and rest.arg.value == 0)


def _without(effect: UOp, ids: frozenset[UOp]) -> UOp:
    """`effect` without the ids among what its ENDs close."""
    if effect.op is not Op.END:
        return effect
    body = _without(effect.src[0], ids)
    return body.end(*(r for r in effect.src[1:] if r not in ids))


def guarded_as_a_whole(linear: UOp) -> UOp:
    """A LINEAR program in which only work items that have something to do do anything: what is hoisted out of the guard's loop goes back.
    """
    guard = next((u for u in linear.src if u.op is Op.RANGE and u.arg.path == GUARD), None)
    if guard is None:
        return linear
    if (condition := _condition(*guard.src)) is None:
        raise GraphError("the guard of a grid of work items is no condition any more", at=repr(guard.src[1]))
    branch = UOp(Op.IF, (condition,))
    first = dict.fromkeys([*(u for u in linear.src if u.op in LEAVES), *condition.toposort()])
    inside: list[UOp] = []
    opened: list[bool] = []
    for u in linear.src:
        if u.op in (Op.RANGE, Op.IF, Op.LOOP):
            opened.append(u is not guard and not (u.op is Op.IF and _tested(u.src[0]) is condition))
            inside += [u] * opened[-1]
        elif u.op in (Op.END, Op.ENDIF, Op.ENDLOOP):
            inside += [u] * opened.pop()
        elif u not in first:
            inside.append(u)
    return UOp(Op.LINEAR, tuple(_needed([*first, branch, *inside, UOp(Op.ENDIF, (branch,))])))


def _tested(condition: UOp) -> UOp | None:
    """What holds where a test says that a loop of at most one iteration has one."""
    return _condition(*condition.src) if condition.op is Op.CMPLT else None


def _needed(items: list[UOp]) -> list[UOp]:
    """Without pure instructions that nothing uses."""
    out: list[UOp] = []
    used: set[UOp] = set()
    for u in reversed(items):
        if u.op in PURE and u not in used:
            continue
        out.append(u)
        stack = list(u.src)
        while stack:  # addresses and what waits need not be instructions themselves
            s = stack.pop()
            used.add(s)
            stack += s.src if s.op in (Op.INDEX, Op.AFTER) else ()
    return out[::-1]


def _condition(start: UOp, stop: UOp) -> UOp | None:
    """The condition under which a loop from 0 has its one iteration."""
    if start.op is not Op.CONST or start.arg.value != 0:
        return None
    if stop.op is Op.CAST and stop.src[0].dtype.is_bool:
        return stop.src[0]
    if stop.op is Op.WHERE and [s.arg.value if s.op is Op.CONST else None for s in stop.src[1:]] == [1, 0]:
        return stop.src[0]
    return None
