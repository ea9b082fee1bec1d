"""`JitCompiledFunction` by the module that FlyDSL has it in.

Owns: that name. Must not know anything. Invariant: it is svod's own class.
"""
from __future__ import annotations

from svod.lang.host import JitCompiled as JitCompiledFunction

__all__ = ["JitCompiledFunction"]
