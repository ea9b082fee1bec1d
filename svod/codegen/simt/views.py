"""The work items of a launch as RANGEs: what one access needs of its buffer, seen with ids of groups and items joined, or apart.

Owns: `View`: which RANGEs stand for ids and for the values of loops, how guards narrow them. Must not know statements.
Invariant: a view never asks for more than the kernel touches. What it does not understand (an id it has no RANGE for, a guard over two
RANGEs, what comes from memory) makes it ask for nothing.

Integers of 32 or 64 bits are taken as the ideal ones; that they do not wrap is a condition of the launch, looked at with the rest.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from svod.codegen.extremes import extreme
from svod.codegen.reach import needed
from svod.dtype import DType, dtypes
from svod.ir.affine import build, linear
from svod.ir.args import SpecialKind
from svod.ir.bounds import constant, interval
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.scope import free_ranges
from svod.ir.threads import needed_values
from svod.ir.uop import UOp

Conditions = tuple[UOp, ...]
Fits = list[tuple[UOp, DType]]
COMPARISONS = (Op.CMPLT, Op.CMPLE, Op.CMPEQ, Op.CMPNE)
WRAPPING = (Op.CAST, Op.ADD, Op.SUB, Op.MUL, Op.NEG)
EXACT = (Op.MIN, Op.MAX, Op.FLOORDIV, Op.FLOORMOD, Op.WHERE)
"""Ops on integers whose results wrap, and ops whose results do not."""


@dataclass
class View:
    """One way to see the ids. `ids` gives ids as RANGEs, `ranges` holds these, `new` makes another RANGE of a start and an end."""

    ids: dict[UOp, UOp]
    ranges: list[UOp]
    new: Callable[[UOp | int, UOp | int], UOp]
    values: dict[UOp, UOp] = field(default_factory=dict)
    """What the values of open loops are."""
    loops: dict[UOp, UOp] = field(default_factory=dict)
    """Their RANGEs."""
    fits: dict[UOp, Fits] = field(default_factory=dict)
    """What must not wrap for their bounds to be as they seem."""
    strided: dict[UOp, frozenset[UOp]] = field(default_factory=dict)
    """For a loop that starts at an id and goes on by the number of them: these ids. Together its items take every value."""
    memo: dict[UOp, tuple[UOp | None, Fits]] = field(default_factory=dict)
    """What `over` found since a loop was left."""
    unknown: int = 0
    """Open loops that are not understood: nothing in them is known to happen."""

    # ---- loops --------------------------------------------------------------------------------------------------------------------
    def open(self, loop: UOp) -> None:
        """Enters a FOR."""
        value, start, stop, step = loop.src[:4]
        beside = UOp(Op.ADD, (UOp(Op.ADD, (start, stop)), step))
        if self.unknown or value.dtype is not dtypes.index or self.mixes(beside, ()) or not self.entered(value, start, stop, step):
            self.unknown += 1

    def close(self, loop: UOp) -> None:
        """Leaves it."""
        value = loop.src[0]
        self.memo.clear()
        if self.unknown:
            self.unknown -= 1
        else:
            del self.values[value], self.loops[value], self.fits[value]
            self.strided.pop(value, None)

    def entered(self, value: UOp, start: UOp, stop: UOp, step: UOp) -> bool:
        """Whether the values of a loop are understood."""
        fits: Fits = []
        bounds = [self.over(b, fits) for b in (start, stop, step)]
        if any(b is None for b in bounds):
            return False
        self.fits[value] = fits
        first, end, by = (b for b in bounds if b is not None)
        if (ids := self.stride(first, by)) is not None and not free_ranges(end):
            self.loops[value] = self.values[value] = self.new(ids, end)
            self.strided[value] = frozenset(x for x in start.toposort() if x.op is Op.SPECIAL)
            return True
        known = constant(by)
        if not known:
            self.fits.pop(value)
            return False
        distance = end - first if known > 0 else first - end
        trips = rewrite((distance + (abs(known) - 1)) // abs(known), SIMPLIFY)
        self.loops[value] = r = self.new(first, end) if known == 1 else self.new(0, trips)
        self.values[value] = r if known == 1 else rewrite(first + r * known, SIMPLIFY)
        return True

    def stride(self, start: UOp, step: UOp) -> UOp | None:
        """What `start` is beside the RANGE of ids in it, whose number is `step`: something of the launch."""
        terms, rest = linear(start)
        moving = [t for t in terms if free_ranges(t)]
        if len(moving) != 1 or moving[0] not in self.ranges or terms.pop(moving[0]) != 1:
            return None
        others = build(terms, rest) if terms else UOp.const(rest, dtypes.index)
        r = moving[0]
        return None if r.src[1] is not step or constant(r.src[0]) != 0 else others

    # ---- accesses -----------------------------------------------------------------------------------------------------------------
    def needs(self, address: UOp, guards: Conditions) -> UOp | None:
        """Elements that a LOAD, STORE or ATOMIC of an INDEX behind `guards` needs of its buffer; None if that is not known."""
        if self.unknown or self.mixes(address, guards):
            return None
        fits: Fits = [f for told in self.fits.values() for f in told]
        index = self.over(address.src[1], fits)
        seen = [self.over(p, fits) for g in guards for p in parts(g)]
        if index is None or any(p is None for p in seen):
            return None
        known = [p for p in seen if p is not None]
        limits = self.bounded([p for p in known if free_ranges(p)])
        happens = [p for p in known if not free_ranges(p)]
        if limits is None or any(u.dtype.is_float for p in happens for u in p.toposort()):
            return None
        ranges = [*self.ranges, *self.loops.values()]
        index, *ranges = positive([x.substitute(limits) for x in (index, *ranges)])
        if any(free_ranges(e) for r in ranges for e in r.src):
            return None  # whether a loop within a loop has an iteration where the index is greatest is not known
        top = needed(UOp(Op.LOAD, (UOp(Op.INDEX, (address.src[0], index)),)), frozenset(r for r in ranges if r.op is Op.RANGE))
        inside = [within(x.substitute(limits), dtype) for x, dtype in fits]
        if top is None or any(c is None for c in inside):
            return None
        condition = UOp.const(True, dtypes.bool)
        for c in (*happens, *(c for c in inside if c is not None)):
            condition = condition & c
        return condition.where(top, UOp.const(0, dtypes.index))

    def mixes(self, address: UOp, guards: Conditions) -> bool:
        """Whether an id that a strided loop has used up is used beside it."""
        if not self.strided:
            return False
        gone: frozenset[UOp] = frozenset().union(*self.strided.values())
        used = {x for e in (address, *guards) for x in e.toposort()}
        return not gone.isdisjoint(used) or len(gone) < sum(map(len, self.strided.values()))

    def over(self, expr: UOp, fits: Fits) -> UOp | None:
        """`expr` over RANGEs, in ideal integers; None if there is something in it that is neither a launch's nor a RANGE's."""
        if needed_values(expr) - self.values.keys():
            return None
        if expr not in self.memo:
            own: Fits = []
            seen = rewrite(expr.substitute(self.values | self.ids), SIMPLIFY)
            ideal = None if varies(seen) else _Ideal(own).of(seen)
            self.memo[expr] = (None if ideal is None else rewrite(ideal, SIMPLIFY), own)
        found, told = self.memo[expr]
        fits += told
        return found

    def bounded(self, guards: list[UOp]) -> dict[UOp, UOp] | None:
        """RANGEs within what the guards say of each. None if one of them is not understood."""
        ends: dict[UOp, list[UOp]] = {r: list(r.src) for r in (*self.ranges, *self.loops.values())}
        for g in guards:
            if (found := solved(g)) is None or found[0] not in ends:
                return None
            r, low, high = found
            ends[r][0] = ends[r][0] if low is None else ends[r][0].maximum(low)
            ends[r][1] = ends[r][1] if high is None else ends[r][1].minimum(high)
        return {r: self.new(*e) for r, e in ends.items() if tuple(e) != r.src}


# --- guards ------------------------------------------------------------------------------------------------------------------------

def parts(condition: UOp, holds: bool = True) -> Iterator[UOp]:
    """The conditions that hold together where `condition` does (or, with `holds` False, does not)."""
    a, b = (condition.src[:2] if len(condition.src) > 1 else (condition, condition))
    if condition.op is Op.NOT:
        yield from parts(condition.src[0], not holds)
    elif condition.op is (Op.AND if holds else Op.OR):
        yield from parts(a, holds)
        yield from parts(b, holds)
    elif condition.op is Op.WHERE and condition.src[2 if holds else 1] in (a, UOp.const(not holds, dtypes.bool)):
        yield from parts(a, holds)  # where(a, b, a) is `a and b`; where(a, a, b) is `a or b`
        yield from parts(condition.src[1 if holds else 2], holds)
    else:
        yield condition if holds else rewrite(~condition, SIMPLIFY)


def solved(guard: UOp) -> tuple[UOp, UOp | None, UOp | None] | None:
    """The one RANGE in a comparison of sums, its least value and the end of its values where it holds; None if it is no such comparison."""
    if guard.op not in (Op.CMPLT, Op.CMPLE, Op.CMPEQ) or guard.src[0].dtype is not dtypes.index:
        return None
    terms, rest = linear(guard.src[0] - guard.src[1])
    moving = [t for t in terms if free_ranges(t)]
    if len(moving) != 1 or moving[0].op is not Op.RANGE:
        return None
    r, k = moving[0], terms.pop(moving[0])
    other = build(terms, rest) if terms else UOp.const(rest, dtypes.index)
    if other is None or (guard.op is Op.CMPEQ and abs(k) != 1):
        return None
    if guard.op is Op.CMPEQ:  # k r + other == 0
        value = rewrite(other * -k, SIMPLIFY)
        return r, value, value + 1
    slack = int(guard.op is Op.CMPLT)
    if k > 0:  # k r <= -other - slack
        return r, None, rewrite((other * -1 - slack) // k + 1, SIMPLIFY)
    return r, rewrite((other + slack - k - 1) // -k, SIMPLIFY), None  # -k r >= other + slack


def positive(nodes: list[UOp]) -> list[UOp]:
    """`nodes`, of which the RANGEs all have an iteration, with the ends of those that count from 0 or more known to be above 0."""
    above: dict[UOp, UOp] = {}
    for r in nodes:
        if r.op is Op.RANGE and interval(r.src[0])[0] >= 0:
            above |= {e: e.maximum(0) for e in _least(r.src[1]) if interval(e)[0] < 0 and not free_ranges(e)}
    return [rewrite(n.substitute(above), SIMPLIFY) for n in nodes] if above else nodes


def _least(end: UOp) -> Iterator[UOp]:
    """What is no less than `end`."""
    if end.op is Op.MIN:
        for s in end.src:
            yield from _least(s)
    elif end.op is not Op.CONST:
        yield end


def within(expr: UOp, dtype: DType) -> UOp | None:
    """The condition of a launch that all values of `expr` are values of `dtype`; None if its extremes are not known."""
    low, high = interval(expr)
    condition = UOp.const(True, dtypes.bool)
    if high > dtype.max:
        if (top := extreme(expr, last=True)) is None:
            return None
        condition = condition & (top[0] <= int(dtype.max))
    if low < dtype.min:
        if (bottom := extreme(expr, last=False)) is None:
            return None
        condition = condition & (bottom[0] >= int(dtype.min))
    return condition


def wrapped(value: UOp, dtype: DType) -> UOp:
    """What an ideal integer is in `dtype`, of at most 32 bits: for what is the launch's alone and may wrap, as n - 1 of an unsigned 0."""
    low, high = interval(value)
    if dtype.min <= low and high <= dtype.max:
        return value
    return rewrite(UOp(Op.FLOORMOD, (value - int(dtype.min), UOp.const(1 << dtype.bits, dtypes.index))) + int(dtype.min), SIMPLIFY)


def varies(u: UOp) -> bool:
    """Whether there is something in `u` that is neither a launch's nor a RANGE's."""
    ids = (SpecialKind.GLOBAL, SpecialKind.LOCAL)
    return any(x.op in (Op.VALUE, Op.LOAD) or (x.op is Op.SPECIAL and x.arg.kind in ids) for x in u.toposort())


class _Ideal:
    """Expressions over RANGEs with ideal integers in place of those that wrap; `fits` collects what must not."""

    def __init__(self, fits: Fits) -> None:
        self.fits = fits

    def of(self, u: UOp) -> UOp | None:
        """`u`; an integer of any dtype as an index. None if an op in it has no such form; what is the launch's alone has always one."""
        wraps = u.dtype.is_int and u.dtype is not dtypes.index
        if (out := u if u.op is Op.RANGE else self.inner(u, wraps)) is None and not free_ranges(u):
            out = u.cast(dtypes.index) if wraps else u
        return out

    def inner(self, u: UOp, wraps: bool) -> UOp | None:
        if not u.src or u.dtype.is_float:
            return None
        src = [x for s in u.src if (x := self.of(s)) is not None]
        same = all(s.dtype is x.dtype for s, x in zip(u.src, src, strict=False))
        if len(src) < len(u.src) or not (same or wraps or u.op in (*COMPARISONS, Op.CAST)) or (wraps and u.op not in (*WRAPPING, *EXACT)):
            return None
        if u.op is Op.CAST and not (u.dtype.is_int and u.src[0].dtype.is_int):
            return None
        out = src[0] if u.op is Op.CAST else UOp(u.op, tuple(src), u.arg)
        if not wraps or u.op not in WRAPPING:
            return out
        if not free_ranges(out) and u.dtype.bits <= 32:
            return wrapped(out, u.dtype)
        self.fits.append((out, u.dtype))
        return out
