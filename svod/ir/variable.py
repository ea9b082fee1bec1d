"""`Variable("n", 1, 1024)`: the short way to make an integer parameter of a kernel.

Owns: the constructor. Invariant: what it returns is an ordinary DEFINE_VAR node.
"""
from __future__ import annotations

from svod.dtype import DType, dtypes
from svod.ir.uop import UOp


def Variable(name: str, min: int, max: int, dtype: DType = dtypes.index) -> UOp:
    """The integer parameter `name` with inclusive bounds, checked at every launch. GraphError if min > max."""
    return UOp.variable(name, min, max, dtype)
