"""Reductions over a wave and over a block, to be called in kernels.

Owns: warp_reduce, block_reduce and their kin. Must not know kernels.
Invariant: all work items of the block call them, each gets the result, and the order of combining is fixed.
"""
from __future__ import annotations

from typing import Any

from svod.compat.flydsl.expr import vector
from svod.lang.blocks import block_reduce_add, block_reduce_max, block_reduce_min
from svod.lang.subgroups import COMBINING

_WARP = {"sum": COMBINING["subgroup_reduce_add"], "max": COMBINING["subgroup_reduce_max"], "min": COMBINING["subgroup_reduce_min"]}
_BLOCK = {"sum": block_reduce_add, "max": block_reduce_max, "min": block_reduce_min}


def warp_reduce(value: Any, mode: str = "sum", width: Any = None) -> Any:
    """The values of a wave combined: mode "sum", "max" or "min"."""
    return _WARP[mode](value, width)


def block_reduce(value: Any, mode: str = "sum") -> Any:
    """The values of a block combined."""
    return _BLOCK[mode](value)


def block_reduce_add2(a: Any, b: Any) -> Any:
    """Two sums over a block."""
    return block_reduce_add(a), block_reduce_add(b)


def make_block_reduce(mode: str = "sum") -> Any:
    """The function that combines over a block."""
    return _BLOCK[mode]


def make_block_reduce_add() -> Any:
    """block_reduce_add"""
    return block_reduce_add


def make_block_reduce_add2() -> Any:
    """block_reduce_add2"""
    return block_reduce_add2


def reduce_vec_sum(value: Any) -> Any:
    """The sum of the lanes of a vector."""
    return vector.reduction(value.dtype, "add", value)


def reduce_vec_max(value: Any) -> Any:
    """The greatest lane of a vector."""
    return vector.reduction(value.dtype, "maxnumf", value)
