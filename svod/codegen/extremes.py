"""The greatest and the least value that an index takes over its loops, as expressions without those loops.

Owns: `extreme`, and in which direction an expression moves with a loop. Must not know accesses or launches.
Invariant: the value returned is taken by some iteration, if every loop it was asked over has one; what is not understood is None.
"""
from __future__ import annotations

from svod.codegen.analysis import step
from svod.dtype import dtypes
from svod.ir.affine import build, linear
from svod.ir.bounds import constant, interval
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.scope import free_ranges
from svod.ir.uop import UOp


def extreme(index: UOp, *, last: bool) -> tuple[UOp, frozenset[UOp]] | None:
    """The greatest (`last`) or least value of the scalar `index`, and the loops it was taken over. None if it comes from memory or is
    monotone in none of its parts."""
    loops: frozenset[UOp] = frozenset()
    while open_ranges := sorted(free_ranges(index), key=lambda r: r.arg.path, reverse=True):
        r = next((x for x in open_ranges if not any(x in free_ranges(s) for y in open_ranges if y is not x for s in y.src)), open_ranges[0])
        up = _moves(index, r)
        taken: UOp | None
        if up is not None:
            taken = index.substitute({r: r.src[1] - 1 if (up >= 0) is last else r.src[0]})
        else:
            ends = _either_end(index, r, last)
            taken = _remainder(index, r, last) if ends is None else ends
        if taken is None:
            return None
        loops |= {r}
        index = rewrite(taken, SIMPLIFY)
    if any(u.op in (Op.LOAD, Op.SPECIAL, Op.REDUCE) for u in index.toposort()):
        return None
    return index, loops


def _either_end(index: UOp, r: UOp, last: bool) -> UOp | None:
    """The greater or lesser of the two ends of `r`, for an index that goes up or down with it by what only the launch knows."""
    if (s := step(index, r)) is None or r in free_ranges(s) or index.dtype is not dtypes.index:
        return None
    first, end = (index.substitute({r: x}) for x in (r.src[0], r.src[1] - 1))
    return first.maximum(end) if last else first.minimum(end)


def _moves(index: UOp, r: UOp) -> int | None:
    """1 if `index` never falls as `r` advances, -1 if it never rises, 0 if it does neither, None if unknown."""
    if (s := step(index, r)) is not None:
        lo, hi = interval(s)
        return 0 if lo == hi == 0 else 1 if lo >= 0 else -1 if hi <= 0 else None
    return direction(index, r)


def direction(u: UOp, r: UOp) -> int | None:
    """`_moves` by the parts of an expression: sums, products and quotients of known sign, minima, maxima, shifts, selects."""
    key = ("direction", r)
    if key not in u.cache:
        u.cache[key] = _own(u, r)
    return u.cache[key]  # type: ignore[no-any-return]


def _own(u: UOp, r: UOp) -> int | None:
    if u is r:
        return 1
    if r not in free_ranges(u):
        return 0
    if not u.dtype.is_int or u.dtype.lanes > 1 or (u.dtype is not dtypes.index and u.op is not Op.CAST):
        return None
    match u.op:
        case Op.ADD | Op.SUB | Op.NEG:
            return _of_sum(u, r)
        case Op.MAX | Op.MIN:
            return _together(direction(u.src[0], r), direction(u.src[1], r))
        case Op.MUL:
            return _of_product(u, r)
        case Op.FLOORDIV | Op.IDIV if r not in free_ranges(u.src[1]):
            lo, hi = interval(u.src[1])
            return _signed(direction(u.src[0], r), 1 if lo > 0 else -1 if hi < 0 else None)
        case Op.SHL | Op.SHR if r not in free_ranges(u.src[1]):
            return direction(u.src[0], r) if interval(u.src[1])[0] >= 0 else None
        case Op.WHERE if r not in free_ranges(u.src[0]):
            return _together(direction(u.src[1], r), direction(u.src[2], r))
        case Op.CAST if u.src[0].dtype is dtypes.index and u.dtype.min <= interval(u.src[0])[0] and interval(u.src[0])[1] <= u.dtype.max:
            return direction(u.src[0], r)
        case Op.CAST if u.dtype is dtypes.index and u.src[0].op is Op.CAST:
            return direction(u.src[0], r)
    return None


def _signed(way: int | None, sign: int | None) -> int | None:
    return None if way is None or sign is None else way * sign


def _together(a: int | None, b: int | None) -> int | None:
    """The direction of what does not fall if neither `a` nor `b` does."""
    if a is None or b is None or a * b < 0:
        return None
    return a or b


def _sign(u: UOp) -> int | None:
    lo, hi = interval(u)
    return 1 if lo >= 0 else -1 if hi <= 0 else None


def _of_product(u: UOp, r: UOp) -> int | None:
    """x y rises with x where y >= 0, and with y where x >= 0."""
    x, y = u.src
    return _together(_signed(direction(x, r), _sign(y) if r in free_ranges(x) else 1),
                     _signed(direction(y, r), _sign(x) if r in free_ranges(y) else 1))


def _of_sum(u: UOp, r: UOp) -> int | None:
    """All terms move one way; of a (x // c) + b (x % c), a and b of one sign, the first outweighs the second if |a| >= |b| (c - 1)."""
    terms, _ = linear(u)
    moving = {t: k for t, k in terms.items() if r in free_ranges(t)}
    way: int | None = 0
    for t, k in moving.items():
        if t.op is Op.FLOORMOD and _outweighed(t, k, moving):
            continue
        way = _together(way, _signed(direction(t, r), 1 if k > 0 else -1))
    return way


def _outweighed(t: UOp, k: int, terms: dict[UOp, int]) -> bool:
    quotient = next((a for q, a in terms.items() if q.op is Op.FLOORDIV and q.src == t.src), 0)
    lo, hi = interval(t.src[1])
    return lo > 0 and quotient * k > 0 and abs(quotient) >= abs(k) * (hi - 1)


def _remainder(index: UOp, r: UOp, last: bool) -> UOp | None:
    """`index` without `r`, which is only in one term k (x % c), where x counts up or down by one: n values from b, so that the remainders
    are b % c, b % c + 1, … and begin again at 0 if they reach c. None where that does not hold."""
    terms, rest = linear(index)
    moving = [t for t in terms if r in free_ranges(t)]
    if len(moving) != 1 or moving[0].op is not Op.FLOORMOD or index.dtype is not dtypes.index:
        return None
    x, c = moving[0].src
    advance = step(x, r)
    one = None if advance is None else constant(advance)
    if one not in (1, -1) or r in free_ranges(c) or interval(c)[0] < 1:
        return None
    lowest = x.substitute({r: r.src[0] if one == 1 else r.src[1] - 1}) % c
    highest = lowest + (r.src[1] - r.src[0]) - 1
    factor = terms.pop(moving[0])
    others = build(terms, rest)
    taken = highest.minimum(c - 1) if (factor > 0) is last else (highest < c).where(lowest, 0)
    return None if others is None else others + taken * factor
