"""Turns a block of strided vector loads into row loads and a transposition in registers.

Owns: finding such blocks, and the shuffle network. Must not know schedules: it looks at what UNROLL and VECTOR left behind.
Invariant: the same elements are read. The network is the usual one of log2(n) rounds (Eklundh, 1972).
"""
from __future__ import annotations

from svod.dtype import dtypes
from svod.ir.affine import linear
from svod.ir.args import ShuffleArg
from svod.ir.bounds import constant
from svod.ir.ops import Op
from svod.ir.uop import UOp

Key = tuple[UOp, UOp, int, frozenset[tuple[UOp, int]]]


def transpose_blocks(sink: UOp) -> UOp:
    """`sink` with every block of n loads of n lanes, whose starts are consecutive and whose lanes are far apart, read by rows."""
    groups: dict[Key, dict[int, UOp]] = {}
    for u in sink.find(Op.LOAD):
        if (found := _strided(u)) is not None:
            groups.setdefault(found[0], {})[found[1]] = u
    table: dict[UOp, UOp] = {}
    for (pointer, stride, lanes, _), loads in groups.items():
        for run in _runs(sorted(loads), lanes):
            base = loads[run[0]].src[0].src[1].src[0]
            rows = [pointer.index(_ramp(base + stride * i, lanes)).load() for i in range(lanes)]
            table.update(zip((loads[k] for k in run), transposed(rows), strict=True))
    return sink.substitute(table) if table else sink


def transposed(rows: list[UOp]) -> list[UOp]:
    """The columns of a square block given by its rows, a power of two of them."""
    n, d = len(rows), 1
    rows = list(rows)
    while d < n:
        low = ShuffleArg(tuple(x if not x & d else n + x - d for x in range(n)))
        high = ShuffleArg(tuple(x + d if not x & d else n + x for x in range(n)))
        for i in range(n):
            if not i & d:
                a, b = rows[i], rows[i + d]
                rows[i], rows[i + d] = UOp(Op.SHUFFLE, (a, b), low), UOp(Op.SHUFFLE, (a, b), high)
        d *= 2
    return rows


def _strided(load: UOp) -> tuple[Key, int] | None:
    """What a block has in common, and where in it this load starts; None for loads that are contiguous or guarded."""
    index = load.src[0].src[1]
    if len(load.src) != 1 or index.op is not Op.RAMP or index.dtype.scalar is not dtypes.index or load.dtype.lanes & (load.dtype.lanes - 1):
        return None
    if constant(index.src[1]) in (-1, 0, 1):
        return None
    terms, start = linear(index.src[0])
    return (load.src[0].src[0], index.src[1], load.dtype.lanes, frozenset(terms.items())), start


def _runs(starts: list[int], n: int) -> list[list[int]]:
    """Disjoint stretches of n consecutive numbers."""
    out: list[list[int]] = []
    run: list[int] = []
    for s in starts:
        run = [*run, s] if run and s == run[-1] + 1 else [s]
        if len(run) == n:
            out.append(run)
            run = []
    return out


def _ramp(base: UOp, lanes: int) -> UOp:
    return UOp(Op.RAMP, (base, UOp.const(1, dtypes.index)), None, dtypes.index.vec(lanes))


