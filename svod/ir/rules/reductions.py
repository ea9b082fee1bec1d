"""Loops and reductions that run once, never, or over something that does not change.

Owns: REDUCTION, `identity`. Must not know schedules.
Invariant: a range is dropped only where it is known how often it runs. The bounds of a range may depend on outer ranges.
"""
from __future__ import annotations

from svod.dtype import dtypes, wrap
from svod.ir.affine import bounds, build, linear
from svod.ir.bounds import interval
from svod.ir.effects import may_drop
from svod.ir.ops import Op
from svod.ir.pattern import RuleSet, index_, op, rule
from svod.ir.rules.samples import DATA, OUT, A, K, N, c
from svod.ir.scope import free_ranges
from svod.ir.semantics import identity as value_of_nothing
from svod.ir.uop import UOp

_ONCE = UOp.range(4, 0, start=3)
_R = UOp.range(8, 0)
_NEVER = UOp.range(0, 1)


def identity(o: Op, like: UOp) -> UOp:
    """What a reduction by `o` of nothing is, in the dtype and lanes of `like`: 0, 1, the least or greatest value, all ones."""
    return UOp.const(value_of_nothing(o, like.dtype), like.dtype)


def iterations(r: UOp) -> tuple[int, int]:
    """Least and greatest number of iterations of a RANGE."""
    (alo, ahi), (blo, bhi) = interval(r.src[0]), interval(r.src[1])
    return int(max(0, blo - ahi)), int(max(0, bhi - alo))


@rule(op(Op.RANGE, src=[index_("start"), index_("stop")]), example=(_ONCE, c(3)))
def range_of_one(start: UOp, stop: UOp) -> UOp | None:
    """A loop from start to start + 1 runs once, with start. Index; also for starts that are no literals."""
    if stop.op is Op.CONST and start.op is Op.CONST:
        return start if stop.arg.value - start.arg.value == 1 else None
    (terms, k), (other, m) = linear(start), linear(stop)
    return start if terms == other and m - k == 1 else None


@rule(op(Op.REDUCE, Op.END, name="u"), example=(A.sum(_R, c(3)), A.sum(_R)))
def drop_finished_ranges(u: UOp) -> UOp | None:
    """A REDUCE or END over what is no longer a RANGE (it ran once) does without it; without any it is its value or effect. A float sum
    of nothing but -0.0 becomes -0.0, where an accumulator that starts at 0.0 gives 0.0: reassociation leaves that open."""
    ranges = [r for r in u.src[1:] if r.op is Op.RANGE]
    if len(ranges) == len(u.src) - 1:
        return None
    return u.replace(src=(u.src[0], *ranges)) if ranges else u.src[0]


@rule(op(Op.REDUCE, name="u"), example=(A.sum(_R, _NEVER), c(0.0, dtypes.f32)))
def reduce_nothing(u: UOp) -> UOp | None:
    """A reduction over a range that never runs is the identity of its op."""
    never = any(r.op is Op.RANGE and iterations(r)[1] == 0 for r in u.src[1:])
    return identity(u.arg, u) if never and may_drop(u) else None


@rule(op(Op.END, name="u"), example=(OUT[_NEVER].store(A).end(_NEVER), UOp(Op.GROUP)))
def end_nothing(u: UOp) -> UOp | None:
    """An effect done for a range that never runs is no effect. An ATOMIC whose value it needs stays: it may be done outside of it."""
    never = any(r.op is Op.RANGE and iterations(r)[1] == 0 for r in u.src[1:])
    return UOp(Op.GROUP) if never and _only_stores(u.src[0]) else None


def _only_stores(effect: UOp) -> bool:
    """True if all that `effect` does is done by STOREs that themselves are in the loop."""
    if effect.op is Op.STORE:
        return may_drop(*effect.src)
    inner = effect.src[:1] if effect.op is Op.END else effect.src
    return effect.op in (Op.END, Op.GROUP) and all(_only_stores(s) for s in inner)


@rule(op(Op.REDUCE, name="u"), example=(DATA[N].load().max(_R), DATA[N].load()))
def reduce_unchanging(u: UOp) -> UOp | None:
    """max, min, and, or over a range that runs at least once, of a value that does not depend on it, need no such range."""
    if u.arg not in (Op.MAX, Op.MIN, Op.AND, Op.OR) or not may_drop(u.src[0]):
        return None
    r = next((r for r in u.src[1:] if r.op is Op.RANGE and iterations(r)[0] > 0 and _unused(u, r)), None)
    return None if r is None else _without(u, r, u.src[0])


@rule(op(Op.REDUCE, name="u"), example=(K.sum(_R), K * 8))
def sum_unchanging(u: UOp) -> UOp | None:
    """The sum over a range of a value that does not depend on it is the value times the number of iterations. Integers, modulo 2**bits;
    for ranges that start at a literal, so that the number of iterations costs no more than the range did."""
    value = u.src[0]
    if u.arg is not Op.ADD or not u.dtype.is_int or not may_drop(value):
        return None
    for r in u.src[1:]:
        if r.op is Op.RANGE and _unused(u, r) and (count := _count(r, u)) is not None:
            return _without(u, r, value * count)
    return None


def _count(r: UOp, like: UOp) -> UOp | None:
    """The iterations of `r` in the dtype and lanes of `like`; None if its start is no literal, or stop - start could be negative."""
    start, stop = r.src
    if start.op is not Op.CONST or stop.dtype is not dtypes.index:
        return None
    terms, k = linear(stop)
    k -= start.arg.value
    scalar = like.dtype.scalar
    if not terms:
        return UOp.const(wrap(max(0, k), scalar), like.dtype)
    count = build(terms, k) if bounds(terms, k)[0] >= 0 else None
    return None if count is None else count.cast(scalar).broadcast(like.dtype.lanes)


def _unused(u: UOp, r: UOp) -> bool:
    """True if neither the value of the REDUCE `u` nor the bounds of its other ranges depend on `r`."""
    return r not in free_ranges(u.src[0]) and all(r not in free_ranges(s) for s in u.src[1:] if s is not r)


def _without(u: UOp, r: UOp, value: UOp) -> UOp:
    rest = tuple(s for s in u.src[1:] if s is not r)
    return u.replace(src=(value, *rest)) if rest else value


REDUCTION = RuleSet("REDUCTION", (
    range_of_one, drop_finished_ranges, reduce_nothing, end_nothing, reduce_unchanging, sum_unchanging))
"""Loops that run once or never, and reductions of what does not change."""
