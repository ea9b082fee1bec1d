"""What a kernel's loops do to memory: strides, trip counts, hazards. Facts only; decisions are in `strategy.py`.

Owns: the questions a strategy asks of a graph. Must not know targets or Opts.
Invariant: every answer is safe: "unknown" is never reported as "disjoint", "injective" or "contiguous".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from svod.ir.bounds import constant, interval
from svod.ir.ops import MEMORIES, Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.scope import free_ranges
from svod.ir.uop import UOp

ASSUMED_TRIP = 512
"""Iterations assumed for a loop whose bounds say nothing."""
ACCESSES = (Op.LOAD, Op.STORE, Op.ATOMIC)


@dataclass(frozen=True, slots=True)
class Reach:
    """What a value needs: accesses outside any REDUCE, the outermost REDUCEs, and how many nodes it computes."""

    accesses: tuple[UOp, ...]
    reduces: tuple[UOp, ...]
    nodes: int


def reach(roots: Iterable[UOp], *, inside: UOp | None = None) -> Reach:
    """What `roots` touch without entering a REDUCE (other than `inside`) or what other effects did before."""
    accesses, reduces, seen = [], [], set()
    stack, nodes = list(roots), 0
    while stack:
        u = stack.pop()
        if u in seen:
            continue
        seen.add(u)
        if u.op is Op.REDUCE and u is not inside:
            reduces.append(u)
            continue
        if u.op in ACCESSES:
            accesses.append(u)
        nodes += 1
        stack.extend(u.src[:1] if u.op is Op.AFTER or u.op is Op.REDUCE else u.src)
    return Reach(tuple(accesses), tuple(reduces), nodes)


def step(index: UOp, r: UOp) -> UOp | None:
    """How far `index` moves when `r` advances by one, if that does not depend on where `r` is; else None."""
    if r not in free_ranges(index):
        return index.const(0, index.dtype)
    key = ("step", r)
    if key not in index.cache:
        d = _slope(index, r)
        index.cache[key] = None if d is None else rewrite(d, SIMPLIFY)
    return index.cache[key]  # type: ignore[no-any-return]


def _slope(u: UOp, r: UOp) -> UOp | None:
    """What `u` gains when `r` advances by one, by the rules for sums and products; None if that depends on `r` or other ops."""
    if u is r:
        return u.const(1, u.dtype)
    if r not in free_ranges(u):
        return u.const(0, u.dtype)
    if u.op in (Op.ADD, Op.SUB):
        a, b = (_slope(s, r) for s in u.src)
        return None if a is None or b is None else a + b if u.op is Op.ADD else a - b
    if u.op is Op.MUL and (r in free_ranges(u.src[0])) != (r in free_ranges(u.src[1])):
        moving, fixed = u.src if r in free_ranges(u.src[0]) else u.src[::-1]
        return None if (m := _slope(moving, r)) is None else m * fixed
    d = rewrite(u.substitute({r: r + 1}) - u, SIMPLIFY)
    return None if r in free_ranges(d) else d


def stride(access: UOp, r: UOp) -> int | None:
    """Constant stride of an access along `r`: 0 if it does not move, None if unknown, symbolic or not affine."""
    s = step(access.src[0].src[1], r)
    return None if s is None else constant(s)


def bounded_by_memory(r: UOp) -> bool:
    """True if where `r` starts or stops is read from memory, as the rows of a ragged array are."""
    return next(UOp.group(*r.src).find(Op.LOAD), None) is not None


def trip(r: UOp) -> int:
    """Iterations of `r`, estimated where they are not constant."""
    lo, hi = interval(r.src[0]), interval(r.src[1])
    if lo[0] == lo[1] and hi[0] == hi[1]:
        return max(0, int(hi[0] - lo[0]))
    count = interval(rewrite(r.src[1] - r.src[0], SIMPLIFY))
    return int(count[1]) if count[0] == count[1] else int(max(1, min(ASSUMED_TRIP, count[1])))


def trips(ranges: Iterable[UOp]) -> int:
    """Product of the trip counts."""
    n = 1
    for r in ranges:
        n *= max(1, trip(r))
    return n


def pointer(access: UOp) -> UOp:
    """The memory an access goes to."""
    p = access.src[0].src[0]
    while p.op is Op.AFTER:
        p = p.src[0]
    return p


def running_stop(r: UOp) -> UOp:
    """Where `r` stops if it has an iteration: of a stop that is clamped to the start, what was clamped."""
    start, stop = r.src
    return next((s for s in stop.src if s is not start), stop) if stop.op is Op.MAX and start in stop.src else stop


def injective(store: UOp, ranges: Iterable[UOp]) -> bool:
    """True if different iterations of `ranges` surely write different elements.

    Slower axes must step over all that the faster ones reach. A step of 0 is fine for them: it goes with a faster axis without iterations.
    """
    index = store.src[0].src[1]
    steps: list[tuple[UOp, UOp]] = []
    ranges = list(ranges)
    for r in ranges:  # the variable of another loop does not move with `r`, even if its bounds do
        fixed = {q: UOp.variable(f"axis {q.arg.path}", 0, 1 << 40) for q in ranges if q is not r and r in free_ranges(q)}
        s = step(index.substitute(fixed), r)
        if s is None or free_ranges(s):
            return False
        steps.append((rewrite(-s, SIMPLIFY) if interval(s)[1] < 0 else s, r))  # an axis that runs backwards meets the same elements
        if interval(steps[-1][0])[0] < 0:
            return False
    steps.sort(key=lambda p: (interval(p[0])[::-1], interval(p[1].src[1])[1], p[1].arg.path))  # the shorter of two equal steps is inside
    if steps and interval(steps[0][0])[0] < 1:
        return False
    span: UOp | None = None  # how far all faster axes reach together
    for s, r in steps:
        moves = not free_ranges(r.src[0]).isdisjoint(ranges)  # where it starts depends on a slower axis: count from the least start
        extent = running_stop(r) - (interval(r.src[0])[0] if moves else r.src[0])
        if span is not None and interval(rewrite(s - span, SIMPLIFY))[0] < 1:
            return False
        reachable = s * extent - s
        span = reachable if span is None else span + reachable
    return True


def conflicts(roots: Iterable[UOp]) -> bool:
    """True if effects done together touch some memory at different indices and one of them writes: then the order of iterations matters.

    Effects that others wait for (`.after`) are done before them, and judged by themselves. A load is judged against the stores of the loop
    it is in, whatever it waits for.
    """
    together = list(roots)
    awaited = [d for u in UOp.group(*together).toposort() if u.op is Op.AFTER for d in u.src[1:]]
    return any(_conflict(effects) for effects in (together, *([d] for d in dict.fromkeys(awaited))))


def _conflict(effects: list[UOp]) -> bool:
    accesses = _accesses(effects)
    stores = [u for u in accesses if u.op is not Op.LOAD]
    written: dict[UOp, set[UOp]] = {}
    for s in stores:
        written.setdefault(pointer(s), set()).add(s.src[0].src[1])
    for u in accesses:
        if u.op is Op.LOAD and (p := pointer(u)) in written and written[p] != {u.src[0].src[1]}:
            return True
    return any(len(indices) > 1 and not apart(p, stores) for p, indices in written.items())


def _accesses(roots: list[UOp]) -> list[UOp]:
    """Every access of `roots` themselves, not of what they wait for."""
    out, seen, stack = [], set(), list(roots)
    while stack:
        u = stack.pop()
        if u not in seen:
            seen.add(u)
            stack += u.src[:1] if u.op is Op.AFTER else u.src
            if u.op in ACCESSES:
                out.append(u)
    return out


def apart(p: UOp, stores: list[UOp]) -> bool:
    """True if the stores to `p` surely never meet: their intervals do not overlap."""
    spans = sorted(interval(s.src[0].src[1]) for s in stores if pointer(s) is p)
    return all(a[1] < b[0] for a, b in pairwise(spans))


def crossing(closers: Iterable[UOp], r: UOp, others: Iterable[UOp]) -> UOp | None:
    """The first of `others` whose lanes would meet lanes along `r`: a closer of one closes the other too, or moves along it. None if all
    are apart. `closers` are all ENDs and REDUCEs of the kernel; a vector has one axis, so that a nest has room for one such axis.
    """
    spans = [(set(u.src[1:]), free_ranges(u)) for u in closers]
    for q in others:
        if q is not r and any((r in closed and (q in closed or q in free)) or (q in closed and r in free) for closed, free in spans):
            return q
    return None


def owns_memory(root: UOp) -> bool:
    """True if the graph uses memory of the kernel's own: its order then is what the author wrote."""
    return any(u.op in MEMORIES and u.op is not Op.PARAM for u in root.toposort())
