"""Lowers reductions to accumulators: init, update in the loop, read after it. Independent reductions over the same loop share it.

Owns: accumulators, their fusion into loops, contraction to multiply-add. Must not know targets beyond what the arguments say.
Invariant: no REDUCE is left.
"""
from __future__ import annotations

from collections.abc import Callable
from itertools import count

from svod.codegen.expand import copies
from svod.dtype import AddrSpace, DType, dtypes
from svod.ir.args import AxisKind
from svod.ir.ops import Op
from svod.ir.rules.reductions import identity
from svod.ir.scope import free_ranges, nest_order
from svod.ir.uop import UOp

Key = tuple[object, ...]
Fused = Callable[[DType], bool]


def lower_reductions(sink: UOp, *, fused: Fused) -> UOp:
    """`sink` without REDUCE. Products summed by a float ADD reduction become multiply-adds in the dtypes `fused` says."""
    order = sink.toposort()
    level: dict[UOp, int] = {}
    groups: dict[Key, list[UOp]] = {}
    for u in order:
        below = max((level[s] for s in u.src), default=0)
        level[u] = below + (u.op is Op.REDUCE)
        if u.op is Op.REDUCE:
            groups.setdefault((u.src[1:], free_ranges(u), below), []).append(u)
    member = {u: g for g in groups.values() for u in g}
    used = [u.arg.id for u in order if u.op is Op.DEFINE_REG]
    ids = count(max(used, default=-1) + 1)
    new: dict[UOp, UOp] = {}
    for u in _by_level(order, level):
        if u in new:
            continue
        if u.op is Op.REDUCE:
            _lower_group(member[u], new, ids, fused)
            continue
        src = tuple([new[s] for s in u.src])
        new[u] = u if src == u.src else u.replace(src=src)
    return new[sink]


def _by_level(order: list[UOp], level: dict[UOp, int]) -> list[UOp]:
    """Topological order in which all members of a group come after everything any of them needs."""
    return sorted(order, key=lambda u: (level[u] * 2 - (u.op is Op.REDUCE)))


def _lower_group(group: list[UOp], new: dict[UOp, UOp], ids: count[int], fused: Fused) -> None:
    """All reductions of `group` in one loop over their common ranges."""
    first = group[0]
    ranges = tuple(new[r] for r in first.src[1:])
    loops = tuple(r for r in ranges if r.arg.kind is not AxisKind.UNROLL)
    unrolled = [r for r in ranges if r.arg.kind is AxisKind.UNROLL]
    scope = nest_order(free_ranges(first))
    outer = tuple(new[r] for r in scope)
    updates, cells = [], []
    for u in group:
        values = [new[u.src[0]]]
        for r in unrolled:
            values = [c for v in values for c in copies(v, r)]
        if not loops:
            new[u] = accumulate(u.arg, values[0], values[1:], fused)
            continue
        cell = UOp.memory(next(ids), u.dtype.scalar, u.dtype.lanes, AddrSpace.REG, name="acc")
        init = _at(cell.after(*outer), u.dtype.lanes).store(identity(u.arg, u))
        slot = _at(cell.after(init, *loops), u.dtype.lanes)
        updates.append(slot.store(accumulate(u.arg, slot.load(), values, fused)))
        cells.append((u, cell, init))
    if not updates:
        return
    done = UOp.group(*updates).end(*loops)
    for u, cell, init in cells:  # after `init` too: a loop found to be empty is dropped, with what it waits for
        new[u] = _at(cell.after(init, done), u.dtype.lanes).load()


def _at(cell: UOp, lanes: int) -> UOp:
    zero = UOp.const(0, dtypes.index)
    return cell[zero if lanes == 1 else UOp(Op.RAMP, (zero, UOp.const(1, dtypes.index)), None, dtypes.index.vec(lanes))]


def accumulate(op: Op, total: UOp, values: list[UOp], fused: Fused) -> UOp:
    """`total` and one value after the other, combined by `op`; a product that is added rounds once where `fused` says so."""
    for v in values:
        if op is Op.ADD and v.op is Op.MUL and v.dtype.is_float and fused(v.dtype):
            total = UOp(Op.MULACC, (v.src[0], v.src[1], total))
        elif op in (Op.MAX, Op.MIN) and v.dtype.is_float:
            total = _extreme(op, total, v)
        else:
            total = UOp(op, (total, v))
    return total


def _extreme(op: Op, total: UOp, v: UOp) -> UOp:
    """The greater (lesser) of accumulator and value, NaN if either is: a compare-select pair, which is one instruction, and one for NaN.

    Unlike MAX it does not order the two zeros, which costs half as much; a reduction may return either.
    """
    closer = (total < v) if op is Op.MAX else (v < total)
    return v.ne(v).where(v, closer.where(v, total))
