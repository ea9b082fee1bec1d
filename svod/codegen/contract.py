"""Contraction: every product of f32 or f64 that is added becomes a multiply-add, not only those in reductions.

Owns: that rewrite, for graphs with `Config.contract == "all"`, for kernels of the kernel language unless it is "off". Must not know
targets beyond what the argument says.
Invariant: results differ from the uncontracted ones only by the rounding of the products.
"""
from __future__ import annotations

from svod.dtype import dtypes
from svod.ir.ops import Op
from svod.ir.pattern import RuleSet, any_, op, rule
from svod.ir.uop import UOp


@rule(op(Op.ADD, src=(op(Op.MUL, src=(any_("a"), any_("b"))), any_("c"))))
def fuse_multiply_add(a: UOp, b: UOp, c: UOp) -> UOp | None:
    """a * b + c rounds once as MULACC. f32 and f64 only: narrower floats are computed in f32, and rounded after each operation. The product
    may be used elsewhere too."""
    return UOp(Op.MULACC, (a, b, c)) if a.dtype.scalar in (dtypes.f32, dtypes.f64) else None


CONTRACTION = RuleSet("CONTRACTION", (fuse_multiply_add,))
