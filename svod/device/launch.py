"""The dimensions of a launch: derived from the values of its variables or given by the caller, and checked against the device.

Owns: LaunchDims, explicit sizes, the checks against limits. Must not know devices, buffers, or what an expression means (evaluation.py).
Invariant: a LaunchDims holds no negative number; sizes of 0 are allowed, and mean that there is nothing to do.
"""
from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, SupportsIndex

from svod.device.evaluation import Evaluator, Values, compile_exprs
from svod.errors import LaunchError, shown
from svod.target import Limits
from svod.target.abi import Metadata

__all__ = ["Evaluator", "LaunchDims", "Values", "check_limits", "compile_dims", "compile_exprs", "dims", "override_sizes"]

Size = tuple[int, int, int]
SIZES = tuple(f"{kind}_size[{axis}]" for kind in ("global", "local") for axis in range(3))
"""Names of the six sizes of a launch."""


@dataclass(frozen=True, slots=True)
class LaunchDims:
    """The dimensions of one launch, axis 0 fastest. LaunchError if one is negative.

    `global_size` counts groups of `local_size` work items; where that is None, it counts work items.
    """

    global_size: Size
    local_size: Size | None = None

    def __post_init__(self) -> None:
        if min(self.global_size) < 0 or (self.local_size is not None and min(self.local_size) < 0):
            raise LaunchError(f"a size of {self} is negative", hint="a size is 0 (nothing to do) or more")

    @property
    def empty(self) -> bool:
        """True if there is nothing to do: some axis has no extent."""
        return 0 in self.global_size or (self.local_size is not None and 0 in self.local_size)


def dims(sizes: Sequence[int], kernel: str) -> LaunchDims:
    """LaunchDims of three global sizes, or of three global and three local ones. LaunchError, naming the size, if one is negative."""
    if len(sizes) not in (3, 6):
        raise LaunchError(f"kernel {kernel!r} has {len(sizes)} sizes, not three global ones and three or no local ones")
    for name, value in zip(SIZES, sizes, strict=False):
        if value < 0:
            raise LaunchError(f"{name} of kernel {kernel!r} is {value}", hint="a size is 0 (nothing to do) or more: look at its expression")
    local = (sizes[3], sizes[4], sizes[5]) if len(sizes) == 6 else None
    return LaunchDims((sizes[0], sizes[1], sizes[2]), local)


def compile_dims(meta: Metadata, kernel: str) -> Callable[[Values], LaunchDims]:
    """Values of `meta.vars` (by name, or in order) -> the dimensions of that launch. All the variables are checked. LaunchError."""
    sizes = compile_exprs((*meta.global_size, *(meta.local_size or ())), meta.vars, kernel, SIZES)
    return lambda values: dims(sizes(values), kernel)


def check_limits(launch: LaunchDims, limits: Limits, kernel: str) -> None:
    """LaunchError, naming the limit, for a launch that the device cannot do. Direct ids may use every work item of every group."""
    local = launch.local_size
    for axis, (asked, grid, block) in enumerate(zip(launch.global_size, limits.grid, limits.block, strict=True)):
        most, unit = (grid, "groups") if local is not None else (grid * block, "work items")
        if asked > most:
            raise LaunchError(f"kernel {kernel!r} asks for {shown(asked)} {unit} along axis {axis}, the device allows {most}",
                              at=f"limit grid[{axis}]", hint="launch in several parts, or move work to another axis")
        if local is not None and local[axis] > block:
            many = f"groups of {shown(local[axis])} work items"
            raise LaunchError(f"kernel {kernel!r} asks for {many} along axis {axis}, the device allows {block}",
                              at=f"limit block[{axis}]", hint="use smaller groups, and more of them")
    if local is not None and math.prod(local) > limits.threads:
        raise LaunchError(f"kernel {kernel!r} asks for groups of {' x '.join(map(str, local))} = {math.prod(local)} work items, "
                          f"the device allows {limits.threads}", at="limit threads", hint="use smaller groups, and more of them")


def override_sizes(derived: LaunchDims, global_size: Sequence[int] | None, local_size: Sequence[int] | None, kernel: str) -> LaunchDims:
    """`derived`, with sizes that the caller gave instead: 1 to 3 whole numbers, missing axes are 1. LaunchError for anything else."""
    if global_size is None and local_size is None:
        return derived
    chosen = derived.global_size if global_size is None else _explicit(global_size, "global_size", kernel)
    if local_size is None:
        return LaunchDims(chosen, derived.local_size)
    if derived.local_size is None:
        raise LaunchError(f"kernel {kernel!r} counts work items directly, so it has no local_size", hint="leave local_size out")
    return LaunchDims(chosen, _explicit(local_size, "local_size", kernel))


def _explicit(given: Any, what: str, kernel: str) -> Size:
    """Sizes that a caller wrote."""
    hint = f"pass 1 to 3 whole numbers of 0 or more: {what}=(n, 1, 1)"
    if isinstance(given, str | bytes | Mapping) or not (hasattr(given, "__len__") and hasattr(given, "__getitem__")):
        raise LaunchError(f"{what} of kernel {kernel!r} is {shown(given)}", hint=hint)
    if not 1 <= len(given) <= 3:
        raise LaunchError(f"{what} of kernel {kernel!r} has {len(given)} axes", hint=hint)
    numbers = [_whole(v) for v in given]
    for value, number in zip(given, numbers, strict=True):
        if number is None or number < 0:
            raise LaunchError(f"{what} of kernel {kernel!r} holds {shown(value)}", hint=hint)
    x, y, z = [*(n or 0 for n in numbers), 1, 1][:3]
    return (x, y, z)


def _whole(value: object) -> int | None:
    """An integer of any type; None for anything else, True too."""
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        return None
    try:
        return operator.index(value)
    except TypeError:  # arrays and NumPy's bool have the method, and refuse
        return None
