"""Branches that are each other's `else`: IF c … ENDIF, IF !c … ENDIF, as LINEAR programs have them.

Owns: when two conditions are opposites. Must not know text.
Invariant: of two opposites one holds, whatever the first branch did.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.uop import UOp


def repeated(instructions: Iterable[UOp]) -> frozenset[UOp]:
    """What is computed more than once, and may have another value each time."""
    return frozenset(u for u, n in Counter(instructions).items() if n > 1)


def opposite(first: UOp, second: UOp, again: frozenset[UOp]) -> bool:
    """Whether the second condition is that the first does not hold; `again` is what is computed more than once."""
    known = UOp(Op.NOT, (first,)) is second or UOp(Op.NOT, (second,)) is first or rewrite(UOp(Op.NOT, (first,)), SIMPLIFY) is second
    return known and again.isdisjoint(first.toposort()) and again.isdisjoint(second.toposort())
