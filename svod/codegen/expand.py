"""Expands the axes marked VECTOR, INTERLEAVE and UNROLL: lanes, accumulators and copies take the place of loops.

Owns: substitution of a range by a vector of its values, and copies of bodies. Must not know targets or memory layout.
Invariant: no such axis is left; every operation on vectors has operands of the same number of lanes.
"""

from __future__ import annotations

from svod.codegen.closers import effects_of, map_closers
from svod.errors import ScheduleError
from svod.ir.args import AxisKind
from svod.ir.bounds import constant
from svod.ir.ops import CASTS, ELEMENTWISE, Op
from svod.ir.uop import UOp


def expand(sink: UOp) -> UOp:
    """`sink` with all marked axes expanded. ScheduleError where an axis cannot be."""
    return map_closers(sink, _expand_closer)


def _expand_closer(u: UOp) -> UOp:
    by_kind = {
        k: [r for r in u.src[1:] if r.op is Op.RANGE and r.arg.kind is k] for k in (AxisKind.VECTOR, AxisKind.INTERLEAVE, AxisKind.UNROLL)
    }
    if not any(by_kind.values()):
        return u
    lanes = by_kind[AxisKind.VECTOR]
    if len(lanes) > 1:
        raise ScheduleError("a loop nest has two VECTOR axes", at=", ".join(str(r.arg.path) for r in lanes))
    body, rest = u.src[0], tuple(r for r in u.src[1:] if not any(r in rs for rs in by_kind.values()))
    for r in lanes:
        ramp = _ramp(r)
        body = widen(body, {r: ramp})
        if u.op is Op.REDUCE:  # a value that does not move along the axis still counts once for each lane
            body = _to(body, ramp.dtype.lanes)
    if u.op is Op.END:
        for r in by_kind[AxisKind.INTERLEAVE] + by_kind[AxisKind.UNROLL]:
            body = _jammed(copies(body, r))
        return body.end(*rest)
    return _expand_reduce(u, body, rest, by_kind)


def _expand_reduce(u: UOp, body: UOp, rest: tuple[UOp, ...], by_kind: dict[AxisKind, list[UOp]]) -> UOp:
    """UNROLL axes stay with the REDUCE: their copies are chained when its accumulator is made."""
    values = [body]
    for r in by_kind[AxisKind.INTERLEAVE]:
        values = [c for v in values for c in copies(v, r)]
    left = (*rest, *by_kind[AxisKind.UNROLL])
    if any(x.op is Op.REDUCE for x in body.toposort()):  # an inner reduction needs an accumulator for each copy
        for r in by_kind[AxisKind.UNROLL]:
            values = [tree(u.arg, copies(v, r)) for v in values]
        left = rest
    total = tree(u.arg, [v.reduce(u.arg, *left) if left else v for v in values])
    return UOp(Op.LANES, (total,), u.arg, total.dtype.scalar) if by_kind[AxisKind.VECTOR] and total.dtype.lanes > 1 else total


def tree(op: Op, values: list[UOp]) -> UOp:
    """Balanced combination, neighbours first."""
    while len(values) > 1:
        pairs = [UOp(op, (a, b)) for a, b in zip(values[::2], values[1::2], strict=False)]
        values = pairs + ([values[-1]] if len(values) % 2 else [])
    return values[0]


def copies(body: UOp, r: UOp) -> list[UOp]:
    """`body` once for each value of `r`, whose bounds are constants."""
    n = constant(r.src[1]) or 0
    zero = r.src[0]
    return [body.substitute({r: zero.const(i, zero.dtype)}) for i in range(n)]


def _jammed(bodies: list[UOp]) -> UOp:
    """Copies of one body as one effect. Loops inside them that run over the same ranges are joined (unroll and jam), so that reductions
    of all copies share theirs; whoever unrolls has seen that the order of iterations does not matter.
    """
    out: list[UOp] = []
    for same in zip(*(effects_of(b) for b in bodies), strict=True):
        first = same[0]
        if first.op is Op.END and all(e.op is Op.END and e.src[1:] == first.src[1:] for e in same):
            out.append(_jammed([e.src[0] for e in same]).end(*first.src[1:]))
        else:
            out += same
    return UOp.group(*out)


def _ramp(r: UOp) -> UOp:
    n = constant(r.src[1]) or 0
    if n == 1:
        return r.src[0]
    return UOp(Op.RAMP, (r.src[0], r.src[0].const(1, r.dtype)), None, r.dtype.vec(n))


def widen(root: UOp, table: dict[UOp, UOp]) -> UOp:
    """`root` with nodes replaced by vectors; everything that depends on them becomes a vector too."""
    new = dict(table)
    for u in root.toposort(lambda x: x not in table):
        src = tuple([new.get(s, s) for s in u.src])
        if src != u.src:
            new[u] = _rebuild(u, src)
    return new.get(root, root)


def _rebuild(u: UOp, src: tuple[UOp, ...]) -> UOp:
    lanes = max(_width(s) for s in src)
    if lanes == 1 or u.op in (Op.GROUP, Op.END, Op.AFTER, Op.BARRIER):
        if u.op is Op.END and any(s.op is not Op.RANGE for s in src[1:]):
            raise ScheduleError("a VECTOR axis bounds an inner loop", hint="vectorize another axis")
        return u.replace(src=src)
    if u.op in CASTS:
        return UOp(u.op, src, u.arg, u.dtype.vec(lanes))
    if u.op in ELEMENTWISE:
        return u.replace(src=tuple(_to(s, lanes) for s in src))
    if u.op is Op.INDEX:
        return UOp(Op.INDEX, (src[0], *(_to(s, lanes) for s in src[1:])))
    if u.op is Op.LOAD:
        return UOp(Op.LOAD, (src[0], *(_to(s, lanes) for s in src[1:])))
    if u.op is Op.STORE:
        if _width(src[0]) != lanes:
            raise ScheduleError("a STORE does not move along the VECTOR axis", hint="vectorize an axis its index depends on")
        return UOp(Op.STORE, (src[0], _to(src[1], lanes)))
    if u.op is Op.REDUCE and all(s.op is Op.RANGE for s in src[1:]):
        return UOp(Op.REDUCE, src, u.arg)
    raise ScheduleError(f"{u.op.name} cannot be vectorized", hint="vectorize another axis")


def _width(s: UOp) -> int:
    """Lanes of a value, or of the access an INDEX stands for."""
    return s.src[1].dtype.lanes if s.op is Op.INDEX else s.dtype.lanes


def _to(s: UOp, lanes: int) -> UOp:
    return s if s.dtype.lanes == lanes else s.broadcast(lanes)
