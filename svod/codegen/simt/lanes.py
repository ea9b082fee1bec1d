"""How the work items of a group lie in vectors, and expressions of one work item as expressions of a whole vector.

Owns: the numbering of vectors and lanes, the ids of work items in them, the widening of expressions. Must not know statements.
Invariant: lane l of vector v is work item v * width + l of its group, counted with x fastest.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from svod.codegen.simt.emit import index
from svod.dtype import DType, dtypes
from svod.ir.args import SpecialKind
from svod.ir.bounds import constant
from svod.ir.ops import OPS, Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.uop import UOp

Leaf = Callable[[UOp], "UOp | None"]


@dataclass(frozen=True, slots=True)
class Shape:
    """The work items of a group along x, y, z, and the lanes of a vector of them."""

    block: tuple[int, int, int]
    width: int

    @property
    def items(self) -> int:
        """Work items of a group."""
        return self.block[0] * self.block[1] * self.block[2]

    @property
    def vectors(self) -> int:
        """Vectors of a group; the last may be ragged."""
        return -(-self.items // self.width)

    def ids(self, v: UOp) -> tuple[tuple[UOp, UOp, UOp], UOp | None]:
        """x, y and z of the work items of vector number `v`, and which of its lanes are work items (None: all)."""
        (bx, by, bz), w = self.block, self.width
        if bx % w == 0:  # x goes through whole vectors: y and z are the same in all lanes
            rows = bx // w
            x = ramp(v % rows * w, w) if rows > 1 else ramp(index(0), w)
            y = v // rows
            return (x, y % by if bz > 1 else y, y // by if bz > 1 else index(0)), None
        linear = ramp(v * w, w)
        mask = None if self.items % w == 0 else linear < splat(index(self.items), w)
        if by == bz == 1:
            return (linear, index(0), index(0)), mask
        y = UOp(Op.FLOORDIV, (linear, splat(index(bx), w)))
        x = UOp(Op.FLOORMOD, (linear, splat(index(bx), w)))
        across, up = splat(index(by), w), UOp(Op.FLOORDIV, (y, splat(index(by), w)))
        return (x, UOp(Op.FLOORMOD, (y, across)) if bz > 1 else y, up if bz > 1 else index(0)), mask


@dataclass(frozen=True, slots=True)
class Rows(Shape):
    """Some rows of the work items of a group, `block` of them, from y and z on."""

    y: UOp
    z: UOp

    def ids(self, v: UOp) -> tuple[tuple[UOp, UOp, UOp], UOp | None]:
        """See Shape; `v` counts vectors of these rows."""
        (x, y, _), mask = Shape(self.block, self.width).ids(v)
        return (x, self.y + y, self.z), mask


def ramp(base: UOp, width: int) -> UOp:
    """base, base + 1, …"""
    return base if width == 1 else UOp(Op.RAMP, (base, UOp.const(1, base.dtype)), None, base.dtype.vec(width))


def splat(u: UOp, width: int) -> UOp:
    """`u` in every lane; `u` itself if it is a vector already."""
    return u if width == 1 or u.dtype.lanes > 1 else UOp(Op.BROADCAST, (u,), None, u.dtype.vec(width))


def widen(expr: UOp, leaf: Leaf, width: int, memo: dict[UOp, UOp]) -> UOp:
    """`expr` with leaves replaced by what `leaf` gives (None: it stays): scalar where all lanes are seen to agree, else `width` lanes."""
    if (hit := memo.get(expr)) is not None:
        return hit
    for u in expr.toposort(lambda x: x not in memo):
        if (given := leaf(u)) is not None:
            memo[u] = given
            continue
        src = [memo[s] for s in u.src]
        lanes = max((s.dtype.lanes for s in src), default=1)
        if lanes > 1:
            src = [splat(s, width) for s in src]
        dtype = u.dtype.vec(lanes) if OPS[u.op].result is None else None
        wide = u if tuple(src) == u.src else _same_bits(rewrite(UOp(u.op, tuple(src), u.arg, dtype), SIMPLIFY))
        memo[u] = wide.src[0] if wide.op is Op.BROADCAST else wide
    return memo[expr]


def _same_bits(u: UOp) -> UOp:
    """Sums of ramps of 64-bit integers, and casts between those and the ideal ones, as ramps: both are 64 bits here, and wrap alike."""
    if u.dtype.scalar not in _WIDE or not all(s.op in _EVEN and s.dtype.scalar in _WIDE for s in u.src):
        return u
    if u.op is Op.CAST:
        return _recast(u.src[0], u.dtype)
    if u.op in (Op.ADD, Op.SUB, Op.MUL) and u.dtype.scalar is dtypes.i64:
        ideal = dtypes.index.vec(u.dtype.lanes)
        sum_ = rewrite(UOp(u.op, tuple(_recast(s, ideal) for s in u.src)), SIMPLIFY)
        return _recast(sum_, u.dtype) if sum_.op in _EVEN else u
    return u


_WIDE = (dtypes.index, dtypes.i64)
_EVEN = (Op.RAMP, Op.BROADCAST)


def _recast(u: UOp, dtype: DType) -> UOp:
    """A ramp or broadcast of the other kind of 64-bit integers."""
    return UOp(u.op, tuple(rewrite(s.cast(dtype.scalar), SIMPLIFY) for s in u.src), None, dtype)


def group_ids(group: UOp, grid: tuple[UOp, UOp, UOp]) -> tuple[UOp, UOp, UOp]:
    """x, y and z of group number `group` of a grid, counted with x fastest."""
    gx, gy, _ = grid
    return group % gx, group // gx % gy, group // (gx * gy)


def is_id(u: UOp, kind: SpecialKind) -> bool:
    """Whether `u` is an id of that kind."""
    return u.op is Op.SPECIAL and u.arg.kind is kind


TRUE = UOp.const(True, dtypes.bool)
FALSE = UOp.const(False, dtypes.bool)


def both(a: UOp | None, b: UOp | None, width: int) -> UOp | None:
    """The conjunction of two masks; None is true everywhere."""
    if a is None or b is None or a is b:
        return b if a is None else a
    if a.dtype.lanes != b.dtype.lanes:
        a, b = splat(a, width), splat(b, width)
    return rewrite(a & b, SIMPLIFY)


def every(masks: list[UOp]) -> UOp:
    """Whether all lanes of all these masks hold."""
    parts = list(dict.fromkeys(p for m in dict.fromkeys(masks) for p in _every(m)))
    out = parts[0]
    for p in parts[1:]:
        out = out & p
    return rewrite(out, SIMPLIFY)


def _every(mask: UOp) -> list[UOp]:
    """Conditions, scalars, that together say that all lanes of `mask` hold."""
    if mask.dtype.lanes == 1:
        return [mask]
    if mask.op is Op.BROADCAST:
        return [mask.src[0]]
    if mask.op is Op.AND:
        return [*_every(mask.src[0]), *_every(mask.src[1])]
    if (one := _deciding(mask, most=True)) is not None:
        return [one]
    return [rewrite(UOp(Op.LANES, (mask,), Op.AND, dtypes.bool), SIMPLIFY)]


def _deciding(mask: UOp, *, most: bool) -> UOp | None:
    """For a comparison of affine indices: how it comes out in the lane where it holds last (`most`) or first, the first or last lane."""
    if mask.op not in (Op.CMPLT, Op.CMPLE) or mask.src[0].dtype.scalar is not dtypes.index or not all(s.op in _EVEN for s in mask.src):
        return None
    a, b = (0 if s.op is Op.BROADCAST else constant(s.src[1]) for s in mask.src)
    if a is None or b is None:
        return None
    lane = mask.dtype.lanes - 1 if (a > b) == most else 0
    return rewrite(UOp(mask.op, tuple(UOp(Op.EXTRACT, (s,), lane, s.dtype.scalar) for s in mask.src)), SIMPLIFY)


def some(masks: list[UOp]) -> UOp:
    """Whether any lane of any of these masks holds."""
    masks = [m if m.dtype.lanes == 1 else m if (one := _deciding(m, most=False)) is None else one for m in dict.fromkeys(masks)]
    vectors, scalars = [m for m in masks if m.dtype.lanes > 1], [m for m in masks if m.dtype.lanes == 1]
    parts = list(dict.fromkeys(scalars))
    if vectors:
        joined = vectors[0]
        for m in dict.fromkeys(vectors[1:]):
            joined = joined if m is joined else joined | m
        parts.append(rewrite(UOp(Op.LANES, (joined,), Op.OR, dtypes.bool), SIMPLIFY))
    out = parts[0]
    for p in parts[1:]:
        out = out | p
    return rewrite(out, SIMPLIFY)
