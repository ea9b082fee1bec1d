"""How many iterations a work item goes through.

Owns: `iterations`. Must not know any device, nor who asks.
Invariant: an estimate from above for counted loops whose bounds the launch knows; other loops count once.

The launch knows sizes and scalars, and what is computed of them in integers. Bounds that also depend on loops around, or on which work item
it is, are replaced by the greatest values that they take.
"""
from __future__ import annotations

from functools import partial

from svod.dtype import dtypes
from svod.ir.bounds import interval, vmax, vmin
from svod.ir.ops import COMPARISONS, Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.uop import UOp

_PLAIN = frozenset((Op.ADD, Op.SUB, Op.MUL, Op.NEG, Op.MAX, Op.MIN, Op.SHL, Op.SHR, Op.AND, Op.OR, Op.XOR, Op.WHERE, *COMPARISONS))
"""Ops that mean the same in every integer type, but for what does not fit into it."""
_DIVISIONS = frozenset((Op.FLOORDIV, Op.FLOORMOD, Op.IDIV, Op.MOD))
_INNER = frozenset((Op.RANGE, Op.SPECIAL))
"""What differs from one iteration, or one work item, to another."""


def iterations(linear: UOp) -> UOp:
    """The iterations of all loops of one work item, an index over the variables of the kernel."""
    one = UOp.const(1, dtypes.index)
    open_: list[UOp] = []
    total = UOp.const(0, dtypes.index)
    for u in linear.src:
        if u.op in (Op.RANGE, Op.LOOP, Op.IF):
            count = one
            if u.op is Op.RANGE and (extent := _extent(u)) is not None:
                count = rewrite(extent.maximum(UOp.const(0, dtypes.index)), SIMPLIFY)
            open_.append(open_[-1] * count if open_ else count)
            if u.op is not Op.IF:
                total = total + open_[-1]
        elif u.op in (Op.END, Op.ENDLOOP, Op.ENDIF):
            open_.pop()
    return rewrite(total, SIMPLIFY)


def _extent(loop: UOp) -> UOp | None:
    """The most iterations of a RANGE, without _INNER; None if the launch does not know them."""
    memo: dict[UOp, UOp | None] = {}
    start, stop = (_exact(s, memo) for s in loop.src)
    return None if start is None or stop is None else _most(_less(stop, start))


# --- values as a launch computes them ------------------------------------------------------------------------------------------------

def _exact(root: UOp, memo: dict[UOp, UOp | None]) -> UOp | None:
    """An integer (or a bool) as an index (or a bool) that a launch can evaluate, with _INNER for leaves; None if it cannot."""
    for u in root.toposort():
        if u not in memo:
            memo[u] = _one(u, [memo[s] for s in u.src])
    return memo[root]


def _one(u: UOp, src: list[UOp | None]) -> UOp | None:
    """A node whose operands are `src`."""
    if u.dtype.lanes != 1 or not (u.dtype.is_int or u.dtype.is_bool):
        return None
    if u.op in _INNER:
        return u
    if u.op is Op.CONST:
        return u if u.dtype.is_bool else UOp.const(int(u.arg.value), dtypes.index)
    if u.op is Op.DEFINE_VAR:
        return u if u.dtype.is_bool else u.cast(dtypes.index)
    known = [s for s in src if s is not None]
    if len(known) < len(src) or not known:
        return None
    if u.op is Op.CAST:
        return _fitted(known[0].cast(dtypes.index), u) if not u.dtype.is_bool else known[0].ne(0) if u.src[0].dtype.is_int else known[0]
    if u.op is Op.NOT and u.dtype.is_bool:
        return UOp(Op.WHERE, (known[0], UOp.const(False, dtypes.bool), UOp.const(True, dtypes.bool)), dtype=dtypes.bool)
    if u.op in _DIVISIONS:
        low, high = interval(known[1])
        by = known[1].eq(0).where(UOp.const(1, dtypes.index), known[1]) if low <= 0 <= high else known[1]
        return UOp(u.op, (known[0], by), dtype=dtypes.index)
    if u.op not in _PLAIN:
        return None
    made = UOp(u.op, tuple(known), dtype=dtypes.bool if u.dtype.is_bool else dtypes.index)
    return made if u.dtype.is_bool else _fitted(made, u)


def _fitted(value: UOp, u: UOp) -> UOp:
    """An index cut to the width of `u`, as far as 64 bits hold it; loops are taken not to leave it: they would be too long by far."""
    dtype = u.dtype
    if dtype.itemsize > 4 or dtype is dtypes.index or (vmin(value) >= dtype.min and vmax(value) <= dtype.max) or _inner(value):
        return value
    low, size = int(dtype.min), 1 << 8 * dtype.itemsize
    return (value - low) % size + low


# --- the greatest of them ------------------------------------------------------------------------------------------------------------

def _inner(u: UOp) -> bool:
    return any(x.op in _INNER for x in u.toposort())


def _less(a: UOp, b: UOp) -> UOp:
    return rewrite(a - b, SIMPLIFY)


def _both(op: Op, a: UOp | None, b: UOp | None) -> UOp | None:
    return None if a is None or b is None else rewrite(UOp(op, (a, b), dtype=dtypes.index), SIMPLIFY)


def _most(u: UOp) -> UOp | None:
    """At least the greatest value of an index in any iteration and work item; None if that is not found."""
    return _bound(u, most=True)


def _bound(u: UOp, *, most: bool) -> UOp | None:
    """The greatest or the least value of an index."""
    same, other = partial(_bound, most=most), partial(_bound, most=not most)
    if not _inner(u):
        return u
    if u.op is Op.SPECIAL:
        return u.src[0].cast(dtypes.index) - 1 if most else UOp.const(0, dtypes.index)
    if u.op is Op.RANGE:
        end = _exact(u.src[1 if most else 0], {})
        return None if end is None or (found := same(end)) is None else found - 1 if most else found
    if u.op is Op.CAST:
        return same(u.src[0])
    if u.op is Op.WHERE:
        return _both(Op.MAX if most else Op.MIN, same(u.src[1]), same(u.src[2]))
    if u.op is Op.NEG:
        return None if (found := other(u.src[0])) is None else -found
    if (apart := _apart(u)) is not None:
        return _both(apart[0], same(apart[1]), same(apart[2]))
    return _bound_of_two(u, most=most) if len(u.src) == 2 else None


def _apart(u: UOp) -> tuple[Op, UOp, UOp] | None:
    """A difference, or a sum, of one of two values as one of two differences, or sums: a tile's end less its begin is its size."""
    if u.op in (Op.ADD, Op.SUB):
        for n, x in enumerate(u.src):
            if x.op in (Op.MAX, Op.MIN):
                y = u.src[1 - n]
                op = x.op if u.op is Op.ADD or not n else Op.MIN if x.op is Op.MAX else Op.MAX
                a, b = (rewrite(UOp(u.op, (y, z) if n else (z, y), dtype=dtypes.index), SIMPLIFY) for z in x.src)
                return op, a, b
    return None


def _bound_of_two(u: UOp, *, most: bool) -> UOp | None:
    a, b = u.src
    same, other = partial(_bound, most=most), partial(_bound, most=not most)
    if u.op in (Op.ADD, Op.MAX, Op.MIN):
        return _both(u.op, same(a), same(b))
    if u.op is Op.SUB:
        return _both(u.op, same(a), other(b))
    if u.op is Op.MUL:
        a, b = (b, a) if _inner(b) and not _inner(a) else (a, b)
        if vmin(b) >= 0 and (not _inner(b) or vmin(a) >= 0):
            return _both(u.op, same(a), same(b))
        return _both(u.op, other(a), b) if not _inner(b) and vmax(b) <= 0 else None
    if u.op in (Op.FLOORMOD, Op.MOD, Op.AND) and vmin(a) >= 0 and vmin(b) >= 0:
        return _both(Op.MIN, same(a), same(b)) if most else UOp.const(0, dtypes.index)
    if u.op in (Op.FLOORDIV, Op.IDIV, Op.SHR, Op.SHL) and not _inner(b) and vmin(b) >= 0:
        return _both(u.op, same(a), b)
    return None
