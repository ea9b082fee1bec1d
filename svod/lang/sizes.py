"""Sizes of a launch as an author writes them: how many groups, how many work items in each, how many work items in all.

Owns: what a grid, a block and a number of work items may be, the limits of a block, the default block. Must not know kernels or arguments.
Invariant: a size has three axes and no negative number; what is out of a limit is refused before anything is made or run.
"""
from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from svod.device.launch import LaunchDims, check_limits
from svod.errors import LaunchError, shown
from svod.ir.threads import MAX_DYNAMIC
from svod.target import Limits

Size = tuple[int, int, int]

LOOPED = Limits(block=(1024, 1024, 64), threads=1024)
"""Limits of a target that runs the work items of a group as loops: those of common GPUs, so that kernels are portable."""

DEFAULT_BLOCKS: dict[int, Size] = {1: (256, 1, 1), 2: (32, 8, 1), 3: (32, 4, 2)}
"""By the number of axes that are counted; 256 work items: whole subgroups on every GPU, and long enough for SIMD."""

_NOT_SIZES = (str, bytes, dict, set, frozenset)


def size(given: Any, what: str, kernel: str) -> Size:
    """`4`, `(4,)`, `[4, 2]`, `(4, 2, 1)` as three numbers; missing axes are 1. LaunchError for what is negative or no whole number."""
    if type(given) is int and given >= 0:
        return (given, 1, 1)
    if type(given) is tuple and len(given) == 1 and type(given[0]) is int and given[0] >= 0:
        return (given[0], 1, 1)
    if type(given) is tuple and len(given) == 3:
        x, y, z = given
        if type(x) is type(y) is type(z) is int and x >= 0 and y >= 0 and z >= 0:
            return given
    axes = [given] if not hasattr(given, "__len__") or isinstance(given, _NOT_SIZES) or getattr(given, "shape", None) == () else list(given)
    if not 1 <= len(axes) <= 3:
        raise LaunchError(f"{what} of kernel {kernel!r} has {len(axes)} axes: {given!r}", hint=f"1 to 3 whole numbers: {what}=(x, y, z)")
    numbers = [_whole(axis) for axis in axes]
    for axis, number in zip(axes, numbers, strict=True):
        if number is None:
            hint = f"whole numbers: {what}={'(int(n), ...)' if len(axes) > 1 else 'int(n)'}, or n // 2 instead of n / 2"
            raise LaunchError(f"{what} of kernel {kernel!r} is {axis!r}, which is no whole number", hint=hint)
        if number < 0:
            raise LaunchError(f"{what} of kernel {kernel!r} is {number}, which is negative", hint="0 means that there is nothing to do")
    x, y, z = [*(n or 0 for n in numbers), 1, 1][:3]
    return (x, y, z)


def count(given: Any, what: str, kernel: str) -> int:
    """One whole number of 0 or more. LaunchError for anything else."""
    number = _whole(given)
    if number is None or number < 0:
        raise LaunchError(f"{what} of kernel {kernel!r} is {given!r}", hint="a whole number of 0 or more")
    return number


def limits_of(limits: Limits) -> Limits:
    """The limits of a thread kernel on a target: the target's own, or LOOPED where it has no groups of work items itself."""
    return limits if limits.threads > 1 else Limits(limits.grid, LOOPED.block, LOOPED.threads, limits.shared_bytes, limits.buffers)


def check_sizes(grid: Size, block: Size, limits: Limits, kernel: str) -> None:
    """LaunchError, naming the limit, for a launch that the device cannot do."""
    check_limits(LaunchDims(grid, block), limits, kernel)


def check_shared(asked: tuple[int, int], limits: Limits, kernel: str, place: Callable[[], str]) -> None:
    """LaunchError if the shared memory of a group (bytes the kernel declares, bytes the launch adds) is more than the device has.

    `place`: where the kernel declares most of it, "" where it does not.
    """
    static, dynamic = asked
    if dynamic > MAX_DYNAMIC:
        most = most_dynamic(static, limits)
        raise LaunchError(f"kernel {kernel!r} is given {shown(dynamic)} B of dynamic shared memory, the device allows {most} B",
                          at="limit shared_bytes", hint="use smaller tiles, or fewer of them")
    if static + dynamic > limits.shared_bytes:
        raise LaunchError(f"kernel {kernel!r} asks for {static} + {dynamic} B of shared memory, the device allows {limits.shared_bytes} B",
                          at=place() or "limit shared_bytes", hint="use smaller tiles, or fewer of them")


def most_dynamic(static: int, limits: Limits) -> int:
    """Bytes of dynamic shared memory that a launch may give a group of a kernel that declares `static` bytes itself."""
    return min(limits.shared_bytes - static, MAX_DYNAMIC)


def check_dynamic(least: int, given: int, kernel: str) -> None:
    """LaunchError if a launch gives a group less dynamic shared memory than the kernel uses."""
    if given < least:
        raise LaunchError(f"kernel {kernel!r} uses {least} B of dynamic shared memory, the launch gives {given} B",
                          hint=f"{kernel}[grid, block, {least}](...), or .launch(grid=, block=, smem={least}) in a @jit function")


def groups(threads: Size, block: Size) -> Size:
    """The least grid of groups of `block` that has `threads` work items along each axis."""
    return (-(-threads[0] // block[0]), -(-threads[1] // block[1]), -(-threads[2] // block[2]))


def _whole(value: object) -> int | None:
    """An integer of any type, also an array of one; None for anything else, True too."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        return None
    try:
        return operator.index(value)
    except TypeError:  # arrays and NumPy's bool have the method, and refuse
        return None
