"""`ir.InsertionPoint`, as the guide uses it to finalize shared memory.

Owns: that class. Must not know where statements go. Invariant: it has no effect: memory is placed where the kernel first uses it.
"""
from __future__ import annotations

from typing import Any


class InsertionPoint:
    """A `with` block that does nothing."""

    def __init__(self, where: Any = None) -> None:
        self.where = where

    def __enter__(self) -> InsertionPoint:
        return self

    def __exit__(self, *reason: object) -> None:
        return None
