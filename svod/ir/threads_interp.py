"""Executes THREADS with NumPy: the definition of what a thread kernel does.

Owns: launches of thread kernels: arguments, the grid, how many groups are executed at once, fresh memories, what was printed.
Must not know what a statement does (thread_machine.py), nor devices.
Invariant: wrong arguments raise before anything is executed, an access out of bounds before it happens.

All work items of a group, and of several groups, execute a statement together, then the next; of a BRANCH first those that take the
first BLOCK, then the others. Where work items meet in memory they act in order of group and number. So items in step are one of the
orders that work items may have; a kernel that needs another (one that waits in a loop for what another item of its group does) does
not end here, and no limit stops it.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from svod.dtype import PtrDType
from svod.errors import LaunchError
from svod.ir.args import SpecialKind
from svod.ir.interp import Arguments
from svod.ir.machine import fresh
from svod.ir.message import write_line
from svod.ir.ops import Op
from svod.ir.spec import THREADS, verify
from svod.ir.thread_machine import Statements
from svod.ir.thread_race import Races
from svod.ir.thread_state import Ids, Run
from svod.ir.threads import AXES, grid_variable, shared_variable
from svod.ir.uop import UOp

ITEMS_AT_ONCE = 1 << 16
SHARED = shared_variable().arg.name
BYTES_AT_ONCE = 64 << 20
"""What the memories of the groups executed at once may take."""


class ThreadsInterpreter(Arguments):
    """A THREADS ready to be executed with NumPy semantics, any number of times and from any thread.

    DEFINE_LOCAL is new in every group, DEFINE_REG in every work item; both start undefined (NaN, all bits set). What PRINT says comes
    when the launch ends, also by an error, in the order of statements, and in one execution of a statement in the order of work items.
    """

    def __init__(self, threads: UOp, name: str = "", *, write: Callable[[str], None] | None = None, race: bool = False) -> None:
        """Checks and compiles. GraphError if the kernel violates the spec THREADS. `write` is given each line that is printed.

        With `race`, two work items of a group that access one element of its memory without a BARRIER between them, one writing, are a
        LaunchError; atomics and buffers are not looked at.
        """
        verify(threads, THREADS)
        name = name or threads.arg.name
        self.block: Ids = threads.arg.block
        self.statements = Statements(threads, name)
        self.write = write or write_line
        self.race = race
        super().__init__(self.statements.code, name)

    def run(self, buffers: Sequence[NDArray[Any]], values: Mapping[str, int | float] | None = None, grid: Sequence[int] = ()) -> None:
        """Executes the kernel. `buffers[slot]` is a C-contiguous array of the storage dtype of that PARAM, of any shape; `values` are the
        variables by name. `grid` counts the groups along x, y, z; what it leaves out comes from the variables _grid_x, … and is else 1.
        `_shared_bytes` among the values is how much dynamic shared memory each group has; without it there is none.

        ArgumentError for an unsuitable buffer or an access out of bounds; LaunchError for variables, a divergent barrier, an ASSERT.
        """
        given = dict(values or {})
        size = self.grid(given, grid)
        used = {u.arg.name for u, _ in self.code.by_op[Op.DEFINE_VAR]}
        shared = int(self.checked(shared_variable(), given.setdefault(SHARED, 0)))
        given.update({n: g for n, g in zip(map(_grid_name, range(3)), size, strict=True) if n in used})
        given = {n: v for n, v in given.items() if n in used or n not in (SHARED, *map(_grid_name, range(3)))}
        frame = self.code.frame.copy()
        arrays = {p: self.buffer(p, buffers) for p, _ in self.code.by_op[Op.PARAM]}
        self.set_variables(frame, given, 1)
        printed: list[str] = []
        try:
            with np.errstate(all="ignore"):
                self.execute(frame, arrays, (size, shared), printed)
        finally:
            for line in printed:
                self.write(line)

    def grid(self, values: Mapping[str, int | float], grid: Sequence[int]) -> Ids:
        """The groups along each axis."""
        sizes = []
        for axis in range(3):
            size = grid[axis] if axis < len(grid) else values.get(_grid_name(axis), 1)
            sizes.append(int(self.checked(grid_variable(axis), size)))
        if len(grid) > 3:
            raise LaunchError(f"a grid of {len(grid)} axes", at=self.at, hint="a launch has the axes x, y and z")
        return (sizes[0], sizes[1], sizes[2])

    def execute(self, frame: list[Any], arrays: dict[UOp, NDArray[Any]], sizes: tuple[Ids, int], printed: list[str]) -> None:
        """All groups, as many at once as fit. `sizes`: the groups along each axis, the bytes of dynamic shared memory of each."""
        grid, shared = sizes
        rows = {u: fresh(_sized(u, shared)) for op in (Op.DEFINE_LOCAL, Op.DEFINE_REG) for u, _ in self.code.by_op[op]}
        items = int(np.prod(self.block))
        taken = sum(row.nbytes * (items if u.op is Op.DEFINE_REG else 1) for u, row in rows.items())
        at_once = max(1, min(ITEMS_AT_ONCE // items, BYTES_AT_ONCE // max(1, taken)))
        total = grid[0] * grid[1] * grid[2]
        for first in range(0, total, at_once):
            run = Run(self.code.name, self.block, grid, first, min(at_once, total - first), frame.copy(), printed)
            run.races = Races() if self.race else None
            run.memories.update(arrays)
            run.memories.update({u: np.tile(row, (run.items if u.op is Op.DEFINE_REG else run.groups, 1)) for u, row in rows.items()})
            self.start(run)
            self.statements.body(run, run.full)

    def start(self, run: Run) -> None:
        """The ids, and the expressions made of nothing else."""
        for u, k in self.code.by_op[Op.SPECIAL]:
            run.values[k] = _ids(run, u.arg.kind, u.arg.axis)
        for step in self.statements.prologue:
            step(run.values)


def _sized(memory: UOp, shared: int) -> UOp:
    """The memory, as large as a launch with `shared` bytes of dynamic shared memory makes it."""
    if not memory.arg.dynamic or not isinstance(memory.dtype, PtrDType):
        return memory
    return memory.replace(arg=replace(memory.arg, size=shared // memory.dtype.base.itemsize))


def _grid_name(axis: int) -> str:
    return f"_grid_{AXES[axis]}"


def _ids(run: Run, kind: SpecialKind, axis: int) -> Any:
    """The ids of one kind and axis of all items; one number if they have it in common."""
    shape = run.block if kind is SpecialKind.LOCAL else run.grid
    if shape[axis] == 1:
        return np.int64(0)
    number = run.numbers % run.group if kind is SpecialKind.LOCAL else run.first + run.numbers // run.group
    if kind is SpecialKind.GLOBAL and run.groups == 1:
        number = number[0]
    return number // int(np.prod(shape[:axis])) % shape[axis]


