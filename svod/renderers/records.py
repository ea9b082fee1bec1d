"""The record of a launch: memory in which PRINTs and ASSERTs leave what they say, on devices whose work items can say nothing themselves.

Owns: where everything lies in it, for those who write it (renderers) and who reads it (svod/device/records.py). Must not know languages.
Invariants: all of it are 32-bit words, as any device has; one work item alone writes what failed, whole, and one each line.

The words: STATE of the assertion, 0 or 1 (the first that fails puts 1 in place of 0, and has the rest to itself); USED, how many words of
lines are spoken for; LOST, how many lines did not fit. Then what failed: the number of its ASSERT, those of the group and of the work item
in it, the values; then the lines: the number of the PRINT, the values. Each of these is a pair of words, the low one first, and holds the
bits of a value. A word 0 in place of a line says that nothing follows.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from svod.ir.message import LINEAR_OPERANDS
from svod.ir.ops import Op
from svod.ir.uop import UOp

STATE, USED, LOST = range(3)
HEAD = 3
"""Words before what failed."""
FAILED = 3
"""Pairs of what failed, before its values."""
LINES = 1 << 18
"""Words of lines, where a kernel prints: 1 MiB."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How many words what failed, and the lines, have; none where a kernel has no ASSERT, or no PRINT."""

    failed: int = 0
    lines: int = 0

    @classmethod
    def of(cls, linear: UOp) -> Self:
        """Of a linear program."""
        failed = max((2 * (FAILED + len(u.src) - LINEAR_OPERANDS) for u in linear.src if asserts(u)), default=0)
        return cls(failed, LINES if any(u.op is Op.PRINT for u in linear.src) else 0)

    @classmethod
    def with_words(cls, words: int) -> Self:
        """The one that has so many: what failed has always less than LINES."""
        lines = LINES if words > LINES else 0
        return cls(max(0, words - lines - HEAD), lines)

    @property
    def start(self) -> int:
        """The first word of the lines: so many are read after each launch."""
        return HEAD + self.failed

    @property
    def words(self) -> int:
        """All of them; 0 for a kernel that says nothing, and has no record."""
        return self.start + self.lines if self.failed or self.lines else 0


def asserts(u: UOp) -> bool:
    """Whether it is an ASSERT that can fail."""
    return u.op is Op.ASSERT and not (u.src[0].op is Op.CONST and u.src[0].arg.value)
