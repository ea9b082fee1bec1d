"""Loop kernels on targets whose work items have ids: independent loops around the whole kernel become a grid of work items.

Owns: which loops those are, the shape of the groups, the guard of the last groups. Must not know how anything is rendered.
Invariants: each iteration is done by one work item; groups are full, and those work items behind the end of a loop do nothing; a launch
has no more groups along an axis than the device allows, and each does several parts of the axis then. A kernel in which nothing can be
spread, or which has ids or memory of a group itself, stays as it is.
"""
from __future__ import annotations

from svod.codegen.analysis import conflicts, owns_memory, pointer, stride
from svod.codegen.apply import apply_opts
from svod.codegen.closers import axes, effects_of
from svod.codegen.ids import has_core
from svod.codegen.order import Order, order_of
from svod.codegen.schedule import Opt, OptKind
from svod.dtype import DType, PtrDType, dtypes
from svod.errors import GraphError
from svod.ir.args import AtomicKind, AxisKind, RangeArg, SpecialKind
from svod.ir.bounds import interval
from svod.ir.clause import LEAVES
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.scope import free_ranges, nest_order
from svod.ir.semantics import PURE
from svod.ir.uop import UOp
from svod.target import Limits, Target

GROUP = 128
"""Work items of a group: a multiple of what any GPU runs together, and few enough that many groups fill it."""
GUARD = (-2,)
"""Path of the loop that has one iteration in the work items that have something to do, and none in the others."""
AGAIN = (-12,)
"""Path of the loops of a group that does several parts of an axis, as a launch has fewer groups than there are; outside of the guard."""
AXES = 3


def grid_for_loops(sink: UOp, target: Target) -> UOp:
    """`sink`, in normal form, with the independent loops around it, at most three, as ids of work items."""
    effects = [e for s in sink.src for e in effects_of(s)]
    if sink.arg.opts is not None or len(effects) != 1 or effects[0].op is not Op.END or has_core(sink):
        return sink
    if conflicts(effects) or owns_memory(sink) or next(sink.find(Op.SPECIAL, Op.BARRIER), None) is not None:
        return sink
    if next(sink.find(Op.ATOMIC), None) is not None:
        loops = _independent(around(effects[0]))[::-1] if _in_any_order(sink) else []
    else:
        loops = spread_loops(effects[0], order_of(sink), sink)
    loops = loops[:AXES]
    if loops and (lanes := _lanes(effects[0], loops[0], target)) > 1:
        path = loops[0].arg.path
        sink = apply_opts(sink, (Opt(OptKind.SPLIT, path, lanes), Opt(OptKind.VECTOR, (*path, 1))), 1)
        whole = axes(sink).get((*path, 0))  # none if one vector is all there is
        loops = loops[1:] if whole is None else [whole, *loops[1:]]
    return on_grid(sink, loops, [0] * len(loops), target.limits) if loops else sink


def _lanes(effect: UOp, r: UOp, target: Target) -> int:
    """How many neighbours along `r` a work item does at once: as many as fill a vector of the target, where all of them lie side by side
    and the extent is a multiple of that."""
    accesses = [u for u in effect.toposort() if u.op in (Op.LOAD, Op.STORE)]
    extent = rewrite(r.src[1] - r.src[0], SIMPLIFY)
    kinds = {_element(u) for u in accesses}
    widest = max((k.itemsize for k in kinds), default=8)
    lanes = target.vector_bits // (8 * widest)
    fits = extent.op is Op.CONST and lanes > 1 and extent.arg.value % lanes == 0 and r.src[0].op is Op.CONST and r.src[0].arg.value == 0
    plain = next(effect.find(Op.REDUCE), None) is None and all(stride(u, r) in (0, 1) for u in accesses)
    return lanes if fits and plain and dtypes.bool not in kinds else 1


def _element(access: UOp) -> DType:
    """What the memory that is accessed holds."""
    t = pointer(access).dtype
    return t.base if isinstance(t, PtrDType) else t


def on_grid(sink: UOp, loops: list[UOp], sizes: list[int], limits: Limits) -> UOp:
    """`sink`, of one effect, with `loops` around it as ids: axes 0, 1, … of the grid. `sizes`: work items of a group, 0 for any number."""
    ids, guard, again = _ids(loops, sizes, limits)
    (effect,) = (e for s in sink.src for e in effects_of(s))
    effect = _without(effect.substitute(ids), frozenset(ids.values()))
    if guard is not None:
        zero = UOp.const(0, dtypes.index)
        once = UOp(Op.RANGE, (zero, guard.where(UOp.const(1, dtypes.index), zero)), RangeArg(GUARD))
        effect = effect.end(once)
    return rewrite(sink.replace(src=(effect.end(*again) if again else effect,)), SIMPLIFY)


COMMUTING = frozenset((AtomicKind.ADD, AtomicKind.MIN, AtomicKind.MAX, AtomicKind.AND, AtomicKind.OR, AtomicKind.XOR))


def _in_any_order(sink: UOp) -> bool:
    """Whether a kernel does nothing but ATOMICs of whole numbers whose values nobody needs: their order does not show."""
    atomics = set(sink.find(Op.ATOMIC))
    used = any(s in atomics for u in sink.toposort() if u.op not in (Op.SINK, Op.GROUP, Op.END) for s in u.src)
    touched = {pointer(a) for a in atomics}
    alone = next(sink.find(Op.STORE), None) is None and not any(pointer(u) in touched for u in sink.find(Op.LOAD))
    return alone and not used and all(a.arg in COMMUTING and a.dtype.is_int for a in atomics)


def around(effect: UOp) -> list[UOp]:
    """The loops around an effect, outermost first."""
    out: list[UOp] = []
    while effect.op is Op.END:
        out += nest_order(tuple(r for r in effect.src[1:] if r.op is Op.RANGE))
        effect = effect.src[0]
    return out


def _independent(loops: list[UOp]) -> list[UOp]:
    """Those of the loops whose bounds depend on no other."""
    return [r for r in loops if r.arg.kind is AxisKind.LOOP and not any(free_ranges(s) for s in r.src)]


def spread_loops(effect: UOp, order: Order, sink: UOp) -> list[UOp]:
    """The loops whose iterations work items may do: along which memory is contiguous first, then from the innermost outwards."""
    stores = [u for u in effect.toposort() if u.op is Op.STORE]
    able = [r for r in _independent(around(effect)) if all(r in free_ranges(s.src[0].src[1]) for s in stores)
            and not order.refuses(Opt(OptKind.PARALLEL, r.arg.path), sink)]
    steps = {r: {stride(s, r) for s in stores} for r in able}
    able.reverse()
    return sorted(able, key=lambda r: 1 not in steps[r])


def _ids(loops: list[UOp], sizes: list[int], limits: Limits) -> tuple[dict[UOp, UOp], UOp | None, list[UOp]]:
    """The index of each loop, by ids of work items; the condition under which all of them are within their loops (None: always); and loops
    in which a group does several parts of an axis, where a launch may have fewer groups than there are."""
    ids: dict[UOp, UOp] = {}
    guard: UOp | None = None
    again: list[UOp] = []
    left = min(GROUP, limits.threads)
    for axis, (r, size) in enumerate(zip(loops, sizes, strict=True)):
        start, stop = r.src
        extent = rewrite(stop - start, SIMPLIFY)
        most = int(interval(extent)[1])
        items = size or 1
        while not size and items < min(left, most) and items * 2 <= limits.block[axis]:
            items *= 2
        left = max(1, left // items)
        groups = rewrite((extent + (items - 1)) // items, SIMPLIFY)
        group = UOp.special(SpecialKind.GLOBAL, axis, rewrite(groups.minimum(limits.grid[axis]), SIMPLIFY))
        if interval(groups)[1] > limits.grid[axis]:
            many = limits.grid[axis]
            turn = UOp(Op.RANGE, (UOp.const(0, dtypes.index), rewrite((groups - group + (many - 1)) // many, SIMPLIFY)),
                       RangeArg((*AGAIN, axis)))
            again.append(turn)
            group = group + turn * many
        at = group if items == 1 else group * items + UOp.special(SpecialKind.LOCAL, axis, items)
        ids[r] = rewrite(start + at, SIMPLIFY)
        if not _whole(extent, items):
            inside = at < extent
            guard = inside if guard is None else guard & inside
    return ids, None if guard is None else rewrite(guard, SIMPLIFY), again


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
    if any(u.op is Op.RANGE for u in condition.toposort()):  # it is asked again in each iteration of a loop around it
        return linear
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
