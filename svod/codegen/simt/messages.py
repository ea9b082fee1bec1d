"""PRINT and ASSERT of vectors of work items: taken apart into one instruction for each work item that takes part.

Owns: the loop over lanes around them, what work item it is. Must not know how a target says anything.
Invariant: the values are those at the statement; a masked-off work item says nothing, and fails nothing.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from svod.codegen.simt.emit import index
from svod.codegen.simt.lanes import FALSE, both, some, splat
from svod.dtype import dtypes
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.threads import grid_variable
from svod.ir.uop import UOp

if TYPE_CHECKING:
    from svod.codegen.simt.body import Body, Mask

Act = Callable[[list[UOp]], None]
"""What is done for one work item, given scalars."""


def printed(body: Body, s: UOp) -> None:
    """A PRINT, by each copy in turn, the lowest lane first. Floats of fewer than 32 bits are printed as the f32 of that value."""
    values = [body.value(v.cast(dtypes.f32) if v.dtype.is_float and v.dtype.bits < 32 else v) for v in s.src]
    for j, mask in enumerate(body.mask):
        _each_lane(body, mask, [v[j] for v in values], lambda lane: _do(body, s, lane))


def asserted(body: Body, s: UOp) -> None:
    """An ASSERT: one test for all copies, and where it fails the work items one by one."""
    failing = [both(m, _not(h), body.width) for m, h in zip(body.mask, body.value(s.src[0]), strict=True)]
    wrong = [f for f in failing if f is not None and not _is_false(f)]
    if not wrong:
        return
    values = [body.value(v) for v in s.src[1:]]
    opened = body.out.branch(some(wrong))
    for j, f in enumerate(failing):
        if f in wrong:
            told = [_not(f), _group(body), _item(body, j), *(v[j] for v in values)]
            _each_lane(body, None, told, lambda lane: _do(body, s, lane))
    body.out.end_branch(opened)


def _do(body: Body, s: UOp, lane: list[UOp]) -> None:
    body.out.do(UOp(s.op, tuple(lane), s.arg))


def _each_lane(body: Body, mask: Mask, values: list[UOp], act: Act) -> None:
    """Does `act` for each lane in `mask`, with its element of each of `values`."""
    out, width = body.out, body.width
    if width == 1:
        opened = mask is not None and out.branch(mask)
        act(values)
        out.end_branch(opened)
        return
    read = [_lanes(body, v) for v in values]
    taking_part = None if mask is None else _lanes(body, splat(mask, width))
    r = out.range(index(0), index(width))
    opened = taking_part is not None and out.branch(taking_part(r))
    act([lane(r) for lane in read])
    out.end_branch(opened)
    out.end_range(r)


def _lanes(body: Body, value: UOp) -> Callable[[UOp], UOp]:
    """Puts a vector into memory; what gives the element of a lane from there. A scalar is the same in all lanes."""
    if value.dtype.lanes == 1:
        return lambda lane: value
    access, scalar = body.access, value.dtype.scalar
    cell = access.cell(scalar)
    access.write(cell, value, None)
    return lambda lane: access.fetch(cell, lane).cast(scalar)


def _group(body: Body) -> UOp:
    """The number of the group in the grid, counted with x fastest."""
    x, y, z = body.group
    return rewrite(x + grid_variable(0) * (y + grid_variable(1) * z), SIMPLIFY)


def _item(body: Body, j: int) -> UOp:
    """The numbers of the work items of a copy in their group, counted with x fastest."""
    bx, by, _ = body.shape.block
    out, scale = index(0), 1
    for part, extent in zip(body.ids[j], (bx, by, 1), strict=True):
        lanes = part.dtype.lanes
        wide = max(lanes, out.dtype.lanes)
        out = splat(out, wide) + splat(part, wide) * splat(index(scale), wide)
        scale *= extent
    return rewrite(out, SIMPLIFY)


def _not(u: UOp) -> UOp:
    return rewrite(~u, SIMPLIFY)


def _is_false(u: UOp) -> bool:
    return (u.src[0] if u.op is Op.BROADCAST else u) is FALSE
