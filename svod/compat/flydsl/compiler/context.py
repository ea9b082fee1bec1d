"""`CompilationContext`, as the guide uses it around `allocator.finalize()`.

Owns: that class. Must not know kernels. Invariant: there is one, and it holds nothing.
"""
from __future__ import annotations


class CompilationContext:
    """Where statements of a GPU module would go."""

    gpu_module_body: object = None

    @classmethod
    def get_current(cls) -> CompilationContext:
        """The context."""
        return _CURRENT


_CURRENT = CompilationContext()
