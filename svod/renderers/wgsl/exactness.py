"""Where float arithmetic must be kept from the compiler's own ideas of it.

Owns: `Guards`. Must not know WGSL. Invariant: no two float operations come to a compiler as one expression: SPIR-V lets it contract and
reassociate them, take x - x for 0 and x + 0 for x, and drivers do (Mesa's opt_algebraic, for one).
"""
from __future__ import annotations

from collections.abc import Iterable

from svod.dtype import dtypes
from svod.ir.ops import COMPARISONS, Op
from svod.ir.uop import UOp
from svod.renderers.accesses import plain, root

_MADE = frozenset((Op.ADD, Op.SUB, Op.MUL, Op.FDIV, Op.SQRT, Op.MULACC, Op.NEG, Op.ABS, Op.FLOOR, Op.CEIL, Op.TRUNC, Op.RINT))
"""Ops whose result a compiler may combine with the op that takes it."""
_TAKES = COMPARISONS | {Op.ADD, Op.SUB, Op.MUL, Op.FDIV, Op.SQRT, Op.MULACC, Op.NEG}
_SUMS = frozenset((Op.ADD, Op.SUB, Op.MUL))
FLOATS = (dtypes.f32, dtypes.f64)


class Guards:
    """Which operands of a program are to be hidden.

    A variable that is summed up is one value to a compiler that unrolls the loop. Sums of values that it does not know are safe; not so if
    constants are among them, or differences.
    """

    def __init__(self, instructions: Iterable[UOp]) -> None:
        self.differences = any(u.op in (Op.SUB, Op.NEG) and u.dtype in FLOATS for u in instructions)

    def hides(self, u: UOp, operand: int) -> bool:
        """Whether an operand of an elementwise `u` must not be seen through."""
        s = plain(u.src[operand])
        if s.dtype not in FLOATS or u.op not in _TAKES:
            return False
        if s.op is Op.CONST:
            return bool(s.arg.value == 0) and u.op not in COMPARISONS
        if s.op in _MADE:
            return True
        if operand == 1 and plain(u.src[0]) is s and u.op in (Op.SUB, Op.FDIV):
            return True
        if s.op is not Op.LOAD or root(s.src[0]).op is not Op.DEFINE_REG or u.op not in _SUMS:
            return False
        return self.differences or any(plain(x).op is Op.CONST for x in u.src)
