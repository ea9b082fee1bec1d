"""Contraction on request: every float product that is added becomes a multiply-add, not only those in reductions.

Owns: that rewrite, for `Config.contract == "all"`. Must not know targets beyond what the argument says.
Invariant: results differ from the uncontracted ones only by the rounding of the products.
"""
from __future__ import annotations

from svod.ir.ops import Op
from svod.ir.pattern import RuleSet, any_, op, rule
from svod.ir.uop import UOp


@rule(op(Op.ADD, src=(op(Op.MUL, src=(any_("a"), any_("b"))), any_("c"))))
def fuse_multiply_add(a: UOp, b: UOp, c: UOp) -> UOp | None:
    """a * b + c rounds once as MULACC. Floats only; the product may be used elsewhere too."""
    return UOp(Op.MULACC, (a, b, c)) if a.dtype.is_float else None


CONTRACTION = RuleSet("CONTRACTION", (fuse_multiply_add,))
