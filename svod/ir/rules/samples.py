"""Leaves that the examples of rules are written with. One letter each, so that an example reads like the identity it shows.

Owns: nothing else. Must not know any rule.
"""
from __future__ import annotations

from svod.dtype import DType, dtypes
from svod.ir.uop import UOp

X = UOp.variable("x", -1000, 1000)
Y = UOp.variable("y", -1000, 1000)
I = UOp.variable("i", 0, 7)  # noqa: E741  (loop indices are called i, j, k)
J = UOp.variable("j", 0, 63)
N = UOp.variable("n", 1, 4096)
A = UOp.scalar("a", dtypes.f32)
B = UOp.scalar("b", dtypes.f32)
K = UOp.scalar("k", dtypes.i32)
M = UOp.scalar("m", dtypes.i32)
S = UOp.scalar("s", dtypes.i8)
P = UOp.scalar("p", dtypes.bool)
Q = UOp.scalar("q", dtypes.bool)
DATA = UOp.param(0, dtypes.f32, 4096, name="data")
OUT = UOp.param(1, dtypes.f32, 4096, name="out")


def c(value: bool | int | float, dtype: DType = dtypes.index) -> UOp:
    """A literal."""
    return UOp.const(value, dtype)
