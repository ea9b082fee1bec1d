"""Functions of a whole block, written in the kernel language: reductions and scans over all its work items.

Owns: block_reduce_*, block_scan_add. Must not know how kernels are traced.
Invariant: every work item of the block has to call them; each gets the result. They combine in a fixed order: results repeat bit for bit.
"""
from __future__ import annotations

from typing import Any

from svod.lang.diagnostics import const_expr
from svod.lang.ids import barrier, block_dim, thread_idx
from svod.lang.mathematics import max_, min_
from svod.lang.memory import shared


def _linear() -> Any:
    return (thread_idx.z * block_dim.y + thread_idx.y) * block_dim.x + thread_idx.x


def _block_reduce(value: Any, combine: Any) -> Any:
    """The values of all work items combined, as a tree."""
    items = block_dim.x * block_dim.y * block_dim.z
    scratch = shared(items, value.dtype)
    i = _linear()
    scratch[i] = value
    barrier()
    step = 1
    while const_expr(step < items):
        step *= 2
    step //= 2
    while const_expr(step > 0):
        if i < step and i + step < items:
            scratch[i] = combine(scratch[i], scratch[i + step])
        barrier()
        step //= 2
    result = scratch[0]
    barrier()
    return result


def block_reduce_add(value: Any) -> Any:
    """The sum over all work items of the block."""
    return _block_reduce(value, lambda a, b: a + b)


def block_reduce_max(value: Any) -> Any:
    """The greatest value of the block."""
    return _block_reduce(value, max_)


def block_reduce_min(value: Any) -> Any:
    """The least value of the block."""
    return _block_reduce(value, min_)


def block_scan_add(value: Any) -> Any:
    """The sum over the work items up to this one (inclusive)."""
    items = block_dim.x * block_dim.y * block_dim.z
    scratch = shared(items, value.dtype)
    i = _linear()
    scratch[i] = value
    barrier()
    step = 1
    while const_expr(step < items):
        below = scratch[max_(i - step, 0)]
        barrier()
        if i >= step:
            scratch[i] = scratch[i] + below
        barrier()
        step *= 2
    result = scratch[i]
    barrier()
    return result
