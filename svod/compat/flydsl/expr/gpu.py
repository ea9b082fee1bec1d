"""`gpu`: where a work item is, waiting for the others of its block, exchanges.

Owns: the names. Must not know how they are carried out. Invariant: indices are svod's: of type index, which goes with any integer.
"""
from __future__ import annotations

from typing import Any

from svod.compat.flydsl.refusing import refusing
from svod.errors import KernelError
from svod.lang.builtin import builtin
from svod.lang.ids import barrier, block, block_dim, block_idx, grid_dim, lane_id, subgroup_size, thread, thread_idx
from svod.lang.subgroups import ballot, shuffle_down, shuffle_up, shuffle_xor
from svod.lang.subgroups import shuffle as shuffle_idx
from svod.lang.tracer import Tracer

__all__ = ["ballot", "barrier", "block_dim", "block_id", "block_idx", "grid_dim", "lane_id", "lds_space", "shuffle", "shuffle_down",
           "shuffle_idx", "shuffle_up", "shuffle_xor", "smem_space", "subgroup_size", "thread_id", "thread_idx"]

_AXES = ("x", "y", "z")
WORKGROUP = 2
"""The number of the workgroup's address space in the gpu dialect of MLIR. (LLVM's for AMD is 3.)"""


def _axis(name: Any) -> int:
    if name not in _AXES:
        raise KernelError(f"axis {name!r}", hint='"x", "y" or "z"')
    return _AXES.index(name)


@builtin()
def thread_id(t: Tracer, axis: Any) -> Any:
    """The index in the block along "x", "y" or "z"."""
    return thread(t, _axis(axis))


@builtin()
def block_id(t: Tracer, axis: Any) -> Any:
    """The index of the block along "x", "y" or "z"."""
    return block(t, _axis(axis))


_MODES = {"xor": shuffle_xor, "up": shuffle_up, "down": shuffle_down, "idx": shuffle_idx}


@builtin()
def shuffle(t: Tracer, value: Any, offset: Any, width: Any = None, mode: Any = "xor") -> Any:
    """The value of another lane: by mode that of `lane ^ offset` (xor), `lane - offset` (up), `lane + offset` (down), `offset` (idx)."""
    if mode not in _MODES:
        raise KernelError(f"shuffle() by {mode!r}", hint=f"one of {', '.join(_MODES)}")
    return _MODES[mode].apply(t, value, offset, width)


class AddressSpace:
    """The address space of shared memory, as a value to hand on."""

    def __repr__(self) -> str:
        return "#gpu.address_space<workgroup>"


_WORKGROUP = AddressSpace()


def _smem_space(int: bool = False) -> Any:
    return WORKGROUP if int else _WORKGROUP


@builtin("smem_space", _smem_space)
def smem_space(t: Tracer, int: bool = False) -> Any:
    """The address space of shared memory; `int=True`: its number, 2."""
    return _smem_space(int)


SharedAllocator = refusing("gpu.SharedAllocator", "shared memory is declared with SmemAllocator")
lds_space = smem_space
"""Another name of smem_space."""
