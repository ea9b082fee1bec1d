"""Which loops a node is inside of: the RANGEs its value depends on and that no REDUCE or END has closed.

Owns: `free_ranges` and the order in which ranges nest. Must not know schedules.
Invariant: the free ranges of a SINK are empty.
"""
from __future__ import annotations

from svod.ir.ops import Op
from svod.ir.uop import UOp

NONE: frozenset[UOp] = frozenset()


def free_ranges(u: UOp) -> frozenset[UOp]:
    """The open RANGE nodes `u` depends on."""
    if (hit := u.cache.get("ranges")) is not None:
        return hit  # type: ignore[no-any-return]
    for x in u.uncached("ranges"):
        x.cache["ranges"] = _own(x)
    return u.cache["ranges"]  # type: ignore[no-any-return]


def _own(x: UOp) -> frozenset[UOp]:
    parts: list[frozenset[UOp]] = [s.cache["ranges"] for s in x.src]
    if x.op is Op.RANGE:
        return frozenset((x,)).union(*parts)
    if x.op is Op.REDUCE or x.op is Op.END:
        closed = frozenset(x.src[1:])
        inner = parts[0] - closed
        # the bounds of a closed range may themselves depend on outer ranges
        return inner.union(*(s.cache["ranges"] - closed for s in x.src[1:])) if closed else inner
    if x.op is Op.SINK:
        return NONE
    live = [p for p in parts if p]
    if not live:
        return NONE
    return live[0] if len(live) == 1 else frozenset().union(*live)


def nest_order(ranges: frozenset[UOp] | tuple[UOp, ...] | list[UOp]) -> list[UOp]:
    """Ranges from the outermost to the innermost loop."""
    return sorted(ranges, key=lambda r: r.arg.path)
