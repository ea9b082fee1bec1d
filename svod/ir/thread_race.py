"""Finds races in the memory of a group: two work items at one element, one of them writing, without a BARRIER between them.

Owns: who wrote and who read each element since the last BARRIER. Must not know statements. Atomics are not looked at.
Invariant: an access is compared with all that came before it since the group's last BARRIER, also within one statement.
"""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from svod.ir.ops import Op
from svod.ir.thread_state import Mask, Run
from svod.ir.uop import UOp

NOBODY, SEVERAL = -1, -2


class Races:
    """The elements of the group memories of one Run: of each the last writer and the reader, by number."""

    def __init__(self) -> None:
        self.writers: dict[UOp, NDArray[np.int64]] = {}
        self.readers: dict[UOp, NDArray[np.int64]] = {}

    def barrier(self, run: Run, mask: Mask) -> None:
        """The groups in `mask` begin anew."""
        groups = mask.reshape(run.groups, run.group).any(axis=1)
        for seen in (*self.writers.values(), *self.readers.values()):
            seen.reshape(run.groups, -1)[groups] = NOBODY

    def access(self, run: Run, how: tuple[Op, UOp], index: NDArray[Any], members: NDArray[np.int64]) -> None:
        """A LOAD or STORE of elements `index` (of the memories of all groups) by `members`. LaunchError for a race."""
        op, memory = how
        cells = run.memories[memory].size
        writer = self.writers.setdefault(memory, np.full(cells, NOBODY))
        reader = self.readers.setdefault(memory, np.full(cells, NOBODY))
        self.compare(run, how, (writer[index], index), members)
        if op is Op.STORE:
            self.compare(run, how, (reader[index], index), members)
            writer[index] = members
            self.compare(run, how, (writer[index], index), members)
        else:
            alone = (reader[index] == NOBODY) | (reader[index] == members)
            reader[index] = np.where(alone, members, SEVERAL)
            reader[index[(reader[index] != members)]] = SEVERAL

    def compare(self, run: Run, how: tuple[Op, UOp], seen: tuple[NDArray[Any], NDArray[Any]], members: NDArray[np.int64]) -> None:
        others, index = seen
        bad = np.flatnonzero((others != NOBODY) & (others != members))
        if bad.size:
            item, other = int(members[bad[0]]), int(others[bad[0]])
            whom = "several work items" if other == SEVERAL else run.place(other)
            op, memory = how
            element = int(index[bad[0]]) % run.memories[memory].shape[-1]
            name = memory.arg.name or str(memory.arg.id)
            raise run.failed(f"race: {op.name} of element {element} of shared memory {name!r}, which {whom} "
                             "accessed since the last BARRIER", item, hint="put a BARRIER between the two, or use an ATOMIC")
