"""FlyDSL's module of that name.

Owns: its name. Must not know syntax trees. Invariant: it can be imported; using it is refused by name.
"""
from __future__ import annotations

from svod.compat.flydsl.refusing import refusing

ASTRewriter = refusing("ASTRewriter", "the source is traced, not rewritten")
