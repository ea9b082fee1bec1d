"""Where a work item is: its indices, the sizes of block and grid, lanes; and waiting for the others.

Owns: thread_idx, block_idx, block_dim, grid_dim, global_id, lane_id, subgroup_id, subgroup_size, barrier. Must not know memory.
Invariant: the block is part of the kernel, so block_dim is static; the grid is not, so grid_dim is dynamic. Linear numbers count x fastest.
"""
from __future__ import annotations

from svod.errors import KernelError
from svod.ir.args import BarrierScope, SpecialKind
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.lang.builtin import Name, builtin
from svod.lang.checked import mark
from svod.lang.tracer import Tracer
from svod.lang.value import Dynamic

_AXES = ("x", "y", "z")


def _axis(name: str, of: str) -> int:
    if name not in _AXES:
        raise KernelError(f"{of} has no attribute {name!r}", hint=f"{of}.x, {of}.y, {of}.z")
    return _AXES.index(name)


def thread(t: Tracer, axis: int) -> Dynamic:
    """The index of the work item in its block."""
    return Dynamic(UOp.special(SpecialKind.LOCAL, axis, t.block[axis]))


def block(t: Tracer, axis: int) -> Dynamic:
    """The index of the block in the grid."""
    return Dynamic(UOp.special(SpecialKind.GLOBAL, axis, _grid(t, axis)))


def _grid(t: Tracer, axis: int) -> UOp:
    return t.variable(f"_grid_{_AXES[axis]}", ("grid", axis))


def across(t: Tracer, axis: int) -> Dynamic:
    """The index of the work item among all along an axis."""
    return Dynamic(block(t, axis).uop * t.block[axis] + thread(t, axis).uop)


def linear(t: Tracer) -> Dynamic:
    """The number of the work item in its block, x fastest."""
    x, y, z = (thread(t, a).uop for a in range(3))
    number = x
    if t.block[1] > 1 or t.block[2] > 1:
        number = y * t.block[0] + number
    if t.block[2] > 1:
        number = z * (t.block[0] * t.block[1]) + number
    return Dynamic(number)


thread_idx = Name("thread_idx", lambda t, name: thread(t, _axis(name, "thread_idx")), _AXES)
"""Index of the work item in its block: .x .y .z, of type index."""
block_idx = Name("block_idx", lambda t, name: block(t, _axis(name, "block_idx")), _AXES)
"""Index of the block in the grid: .x .y .z, of type index."""
block_dim = Name("block_dim", lambda t, name: t.block[_axis(name, "block_dim")], _AXES)
"""Work items of a block along each axis: static."""
grid_dim = Name("grid_dim", lambda t, name: Dynamic(_grid(t, _axis(name, "grid_dim"))), _AXES)
"""Blocks of the grid along each axis, of type index."""


@builtin()
def global_id(t: Tracer, axis: int = 0) -> Dynamic:
    """block_idx * block_dim + thread_idx along `axis` (0 to 2)."""
    if axis not in (0, 1, 2):
        raise KernelError(f"global_id of axis {axis!r}", hint="0, 1 or 2")
    return across(t, axis)


@builtin()
def lane_id(t: Tracer) -> Dynamic:
    """Number of the work item in its subgroup."""
    return Dynamic(linear(t).uop % t.subgroup)


@builtin()
def subgroup_id(t: Tracer) -> Dynamic:
    """Number of the subgroup in its block."""
    return Dynamic(linear(t).uop // t.subgroup)


@builtin()
def subgroup_size(t: Tracer) -> int:
    """Work items of a subgroup: static."""
    return t.subgroup


@builtin()
def barrier(t: Tracer) -> None:
    """All work items of the block arrive here before one goes on; what they stored to shared and global memory is seen by the others."""
    if t.guarded:
        raise KernelError("barrier() in a kernel launched with threads=n: the work items beyond n do not take part",
                          hint="launch it with kernel[grid, block](…) and test the index in the kernel")
    mark(t)
    t.builder.emit(UOp(Op.BARRIER, (), BarrierScope.GROUP))
