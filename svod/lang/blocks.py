"""Functions of a whole block, written in the kernel language: reductions and scans over all its work items.

Owns: block_reduce_*, block_scan_add. Must not know how kernels are traced.
Invariant: every work item of the block has to call them; each gets the result. They combine in a fixed order: results repeat bit for bit.
"""
from __future__ import annotations

from typing import Any

from svod.lang.diagnostics import const_expr, static_range
from svod.lang.ids import barrier, block_dim, lane_id, subgroup_id, subgroup_size
from svod.lang.mathematics import max_, min_, where
from svod.lang.memory import shared
from svod.lang.subgroups import COMBINING


def _partial(value: Any, items: int, lane: Any) -> tuple[Any, int]:
    """Shared memory with a value for each subgroup, that of its lane `lane`; and how many subgroups there are."""
    groups = -(-items // subgroup_size())
    scratch = shared(groups, value.dtype)
    if lane_id() == lane:
        scratch[subgroup_id()] = value
    barrier()
    return scratch, groups


def _block_reduce(value: Any, of_subgroup: Any, combine: Any) -> Any:
    """The values of all work items combined: in each subgroup first, then those of the subgroups in their order."""
    result = of_subgroup(value)
    items = block_dim.x * block_dim.y * block_dim.z
    if const_expr(items > subgroup_size()):
        scratch, groups = _partial(result, items, 0)
        result = scratch[0]
        for k in static_range(1, groups):
            result = combine(result, scratch[k])
        barrier()
    return result


def block_reduce_add(value: Any) -> Any:
    """The sum over all work items of the block."""
    return _block_reduce(value, COMBINING["subgroup_reduce_add"], lambda a, b: a + b)


def block_reduce_max(value: Any) -> Any:
    """The greatest value of the block."""
    return _block_reduce(value, COMBINING["subgroup_reduce_max"], max_)


def block_reduce_min(value: Any) -> Any:
    """The least value of the block."""
    return _block_reduce(value, COMBINING["subgroup_reduce_min"], min_)


def block_scan_add(value: Any) -> Any:
    """The sum over the work items up to this one (inclusive)."""
    result = COMBINING["inclusive_scan_add"](value)
    items = block_dim.x * block_dim.y * block_dim.z
    if const_expr(items > subgroup_size()):
        scratch, groups = _partial(result, items, subgroup_size() - 1)
        before = scratch[0]
        for k in static_range(1, groups - 1):
            before = where(subgroup_id() > k, before + scratch[k], before)
        result = where(subgroup_id() > 0, before + result, result)
        barrier()
    return result
