"""What a run of a thread kernel carries along: the work items executed at once, their values and memories, what they printed.

Owns: `Run`, masks of work items, where in the grid an item stands, errors that say so. Must not know statements.
Invariant: a mask holds at least one item (None: no item); the mask of all items is the one object `Run.full`.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from svod.errors import ArgumentError, LaunchError
from svod.ir.ops import Op
from svod.ir.uop import UOp

Mask = NDArray[np.bool_]
Ids = tuple[int, int, int]
SHOWN = 4
"""Work items that an error lists by name."""


@dataclass
class Loop:
    """The items that left the body of the innermost loop by BREAK, and those that left this iteration by CONTINUE."""

    broken: Mask | None = None
    continued: Mask | None = None


class Watch(Protocol):
    """Looks at what work items do to the memories of their group."""

    def access(self, run: Run, how: tuple[Op, UOp], index: NDArray[Any], members: NDArray[np.int64]) -> None:
        """A LOAD or STORE of a memory, all its groups' elements counted in one row."""

    def barrier(self, run: Run, mask: Mask) -> None:
        """A BARRIER."""


@dataclass
class Run:
    """Work items executed together: whole groups, one after the other, in each the items in linear order (x fastest).

    `values` has a place for each node: an array with an element for each item, or a scalar that is the same in all of them. `memories`
    of groups and items have shape (their number, elements); the rows of a group memory belong to the groups.
    """

    kernel: str
    block: Ids
    grid: Ids
    first: int
    """Number of the first group, counted along x first."""
    groups: int
    values: list[Any]
    printed: list[str]
    memories: dict[UOp, NDArray[Any]] = field(default_factory=dict)
    loops: list[Loop] = field(default_factory=list)
    returned: Mask | None = None
    races: Watch | None = None
    """Told of every access to a memory of the group and of every BARRIER, where someone wants to know."""

    def __post_init__(self) -> None:
        self.group = int(np.prod(self.block))
        self.items = self.groups * self.group
        self.full: Mask = np.ones(self.items, np.bool_)
        self.numbers: NDArray[np.int64] = np.arange(self.items)

    def members(self, mask: Mask) -> NDArray[np.int64]:
        """The numbers of the items in a mask."""
        return self.numbers if mask is self.full else np.flatnonzero(mask)

    def place(self, item: int) -> str:
        """`block (0, 0, 0), thread (1, 0, 0)` of the item of that number."""
        group, inside = divmod(int(item), self.group)
        return place(self.first + group, inside, self.grid, self.block)

    def outside(self, what: str, size: int, item: int, written: str = "") -> ArgumentError:
        """The error of an access out of bounds by an item; `written` is the place in the author's file."""
        return ArgumentError(f"{what}, which has {size} elements", at=self.at(item, written),
                             hint="pass a buffer that is large enough, or guard the access by a condition")

    def failed(self, what: str, item: int, hint: str = "", written: str = "") -> LaunchError:
        """The error of a statement in an item."""
        return LaunchError(what, at=self.at(item, written), hint=hint)

    def at(self, item: int, written: str = "") -> str:
        """Where something happened: the author's line, the kernel, the item."""
        return ", ".join(filter(None, (written, f"kernel {self.kernel!r}", self.place(item))))

    def named(self, mask: Mask, group: int) -> str:
        """`threads (0, 0, 0), (1, 0, 0) and 30 more`: the items of a mask in one of the groups executed."""
        inside = np.flatnonzero(mask.reshape(self.groups, self.group)[group]).tolist()
        some = ", ".join(str(ids(i, self.block)) for i in inside[:SHOWN])
        more = f" and {len(inside) - SHOWN} more" if len(inside) > SHOWN else ""
        return f"thread{'s' * (len(inside) > 1)} {some}{more}"


def place(group: int, item: int, grid: Sequence[int], block: Sequence[int]) -> str:
    """Where a work item stands: `block (0, 0, 0), thread (1, 0, 0)`, of the numbers of its group and of itself in that."""
    return f"block {ids(group, grid)}, thread {ids(item, block)}"


def ids(number: int, shape: Sequence[int]) -> Ids:
    """The ids of element `number` of a shape, x fastest."""
    x, y = max(1, shape[0]), max(1, shape[1])
    return number % x, number // x % y, number // (x * y)


# --- masks -------------------------------------------------------------------------------------------------------------------------

def union(a: Mask | None, b: Mask | None) -> Mask | None:
    """The items in either."""
    if a is None or b is None:
        return b if a is None else a
    return a | b


def narrowed(mask: Mask, condition: Any) -> Mask | None:
    """The items of `mask` for which `condition` (an array, or one value for all) holds; `mask` itself if it holds for all of them."""
    if np.ndim(condition) == 0:
        return mask if condition else None
    inside: Mask = mask & condition
    return same_or_none(inside, mask)


def same_or_none(part: Mask, mask: Mask) -> Mask | None:
    """`part`, a part of `mask`: None if it is empty, `mask` itself if it is all of it."""
    count = int(np.count_nonzero(part))
    if not count:
        return None
    return mask if count == int(np.count_nonzero(mask)) else part


def without(mask: Mask, part: Mask | None) -> Mask | None:
    """The items of `mask` that are not in `part`, which is a part of it."""
    if part is None:
        return mask
    return None if part is mask else same_or_none(mask & ~part, mask)


def picked(value: Any, members: NDArray[np.int64], run: Run) -> Any:
    """The values of some items; a scalar stays one."""
    return value if np.ndim(value) == 0 or members is run.numbers else value[members]
