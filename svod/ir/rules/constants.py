"""Constant folding: a pure elementwise op on literals is a literal.

Owns: FOLDING, `fold`, `literal`, `filled`. Must not know what an op means to the dtypes of memory: that is semantics.py.
Invariant: exact by construction. Index constants are folded as ideal integers; what does not fit 64 bits stays unfolded.
"""
from __future__ import annotations

import math
import operator
from collections.abc import Callable

import numpy as np

from svod.dtype import DType, dtypes
from svod.ir.affine import LIMIT
from svod.ir.ops import BINARY, CASTS, UNARY, Op
from svod.ir.pattern import RuleSet, const, op, rule
from svod.ir.rules.samples import c
from svod.ir.semantics import literal as stored
from svod.ir.semantics import meaning
from svod.ir.uop import UOp


def _idiv(a: int, b: int) -> int:
    return (abs(a) // abs(b) if (a < 0) == (b < 0) else -(abs(a) // abs(b))) if b else 0


_IDEAL: dict[Op, Callable[..., int]] = {
    Op.ADD: operator.add, Op.SUB: operator.sub, Op.MUL: operator.mul, Op.MULACC: lambda a, b, d: a * b + d,
    Op.NEG: operator.neg, Op.ABS: abs, Op.NOT: operator.invert, Op.MAX: max, Op.MIN: min,
    Op.FLOORDIV: lambda a, b: a // b if b else 0, Op.FLOORMOD: lambda a, b: a % b if b else 0,
    Op.IDIV: _idiv, Op.MOD: lambda a, b: a - b * _idiv(a, b) if b else 0,
    Op.AND: operator.and_, Op.OR: operator.or_, Op.XOR: operator.xor,
    Op.CMPLT: operator.lt, Op.CMPLE: operator.le, Op.CMPEQ: operator.eq, Op.CMPNE: operator.ne,
}
"""The ops on ideal integers. Shifts are missing: they are products and quotients by powers of two there (algebra, divmod)."""


def literal(u: UOp) -> bool | int | float | None:
    """The value of a literal, or of the broadcast of one; None for other nodes."""
    if u.op is Op.BROADCAST:
        u = u.src[0]
    return u.arg.value if u.op is Op.CONST else None


def filled(value: bool | int | float, like: UOp) -> UOp:
    """The literal of the dtype and lanes of `like`."""
    return UOp.const(value, like.dtype)


def fold(u: UOp) -> UOp | None:
    """The literal that `u`, an elementwise op on literals, is; None where no literal can say it."""
    first = u.src[0].dtype
    if first is dtypes.index and u.op not in CASTS:
        return _fold_ideal(u)
    with np.errstate(all="ignore"):
        result = np.asarray(meaning(u.op, u.dtype, first, u.arg)(*[stored(s.arg.value, s.dtype) for s in u.src]))
    value = result.astype(np.float64).item() if u.dtype.is_float else result.item()
    if u.op is Op.BITCAST and isinstance(value, float) and math.isnan(value):
        return None  # a literal does not keep the payload
    return UOp.const(value, u.dtype)


def _fold_ideal(u: UOp) -> UOp | None:
    if (fn := _IDEAL.get(u.op)) is None:
        return None
    value = fn(*[s.arg.value for s in u.src])
    return UOp.const(value, u.dtype) if -LIMIT <= value < LIMIT else None


@rule(op(*UNARY, *CASTS, src=[const("a")], name="u"), example=(-c(3), c(-3)))
def fold_unary(u: UOp, a: UOp) -> UOp | None:
    """A unary op or cast of a literal is a literal. Always, but for bits that make a NaN: its payload would be lost."""
    return fold(u)


@rule(op(*BINARY, src=[const("a"), const("b")], name="u"), example=(c(3, dtypes.i8) * c(100, dtypes.i8), c(44, dtypes.i8)))
def fold_binary(u: UOp, a: UOp, b: UOp) -> UOp | None:
    """A binary op of two literals is a literal, with the wrap-around and rounding of the dtype. Index: if it fits 64 bits."""
    return fold(u)


@rule(op(Op.WHERE, Op.MULACC, src=[const("a"), const("b"), const("d")], name="u"), example=(c(2).fma(3, 4), c(10)))
def fold_ternary(u: UOp, a: UOp, b: UOp, d: UOp) -> UOp | None:
    """A ternary op of three literals is a literal. Always."""
    return fold(u)


FOLDING = RuleSet("FOLDING", (fold_unary, fold_binary, fold_ternary))
"""Literals in, a literal out."""


def ones(dtype: DType) -> int | bool:
    """The literal of `dtype` (bool or integer) with all bits set."""
    return True if dtype.is_bool else -1 if dtype.min < 0 else int(dtype.max)
