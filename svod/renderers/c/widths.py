"""Index arithmetic in 32 bits where it is proved to fit, for dialects whose machines compute 64 bits by several instructions.

Owns: which values are `int`, and the casts between the two widths. Must not know statements.
Invariant: an operator of C computes in 64 bits unless what it yields fits 32: an expression taken for wide is so, one taken for narrow may
be wider than it need be.
"""
from __future__ import annotations

from svod.dtype import DType, dtypes
from svod.ir.bounds import interval
from svod.ir.ops import COMPARISONS, Op
from svod.ir.uop import UOp
from svod.renderers.c.dialect import Prelude
from svod.renderers.expr import UNARY, Expr

_MOST = (1 << 31) - 1
"""Of either sign: the negative of a narrow value is narrow."""
_ARITHMETIC = frozenset((Op.ADD, Op.SUB, Op.MUL, Op.NEG, Op.SHL, Op.IDIV, Op.MOD, Op.SHR, Op.AND, Op.OR, Op.XOR, Op.NOT, Op.MULACC, Op.ABS))


def narrow(u: UOp, p: Prelude) -> bool:
    """Whether the index `u` is an `int`."""
    if not p.dialect.narrow or u.dtype is not dtypes.index:
        return False
    low, high = interval(u)
    return low >= -_MOST and high <= _MOST


def kept(u: UOp, p: Prelude) -> DType:
    """The dtype of a variable that holds `u`."""
    return dtypes.i32 if narrow(u, p) else u.dtype


def read(u: UOp, e: Expr, p: Prelude) -> Expr:
    """A parameter: an index is passed in 64 bits."""
    return _cast(e, dtypes.i32, p) if narrow(u, p) else e


def operands(u: UOp, given: list[Expr], p: Prelude) -> list[Expr]:
    """What `u` computes with: one operand is made wide where none is, and the result would not fit."""
    if not p.dialect.narrow or u.op in COMPARISONS:
        return given
    if u.op in (Op.CAST, Op.BITCAST):
        wide = u.dtype is not dtypes.index and u.dtype.is_int and u.dtype.bits == 64
        return [_cast(given[0], u.dtype, p)] if wide and narrow(u.src[0], p) else given
    if u.op not in _ARITHMETIC or u.dtype is not dtypes.index or narrow(u, p) or not all(_fits(s, p) for s in u.src):
        return given
    k = next(k for k, s in enumerate(u.src) if s.op is not Op.CONST or u.op in (Op.SHL, Op.SHR))
    return [_cast(e, dtypes.i64, p) if k == at else e for at, e in enumerate(given)]


def result(u: UOp, e: Expr, p: Prelude) -> Expr:
    """What `u` computes, as an `int` if it is one and was computed with something wider."""
    if not narrow(u, p):
        return e
    return e if all(narrow(s, p) for s in u.src if not s.dtype.is_bool) else _cast(e, dtypes.i32, p)


def _fits(u: UOp, p: Prelude) -> bool:
    return u.op is Op.CONST or narrow(u, p)


def _cast(e: Expr, d: DType, p: Prelude) -> Expr:
    return Expr(f"({p.type(d)}){e.at(UNARY)}", UNARY, e.reads)
