"""The layout algebra's module: its names, each refused by name where it is used.

Owns: the module's place. Must not know layouts. Invariant: what FlyDSL has here can be imported.
"""
from __future__ import annotations

from typing import Any

from svod.compat.flydsl import expr


def __getattr__(name: str) -> Any:
    if name in expr.LAYOUTS:
        return getattr(expr, name)
    raise AttributeError(f"module 'svod.compat.flydsl.expr.primitive' has no attribute {name!r}")
