"""Extents of a launch as text, for the comment above a kernel.

Owns: that notation. Must not know any language. Invariant: what has no short form is named by the scalars it depends on.
"""
from __future__ import annotations

from svod.ir.ops import Op
from svod.ir.uop import UOp

_SIGNS = {Op.ADD: "+", Op.SUB: "-", Op.MUL: "*", Op.IDIV: "/", Op.FLOORDIV: "/", Op.MOD: "%", Op.FLOORMOD: "%", Op.SHR: ">>"}


def extent_text(size: UOp) -> str:
    """An extent of a launch, over the names of its scalars."""
    if size.op is Op.CONST:
        return str(size.arg.value)
    if size.op is Op.DEFINE_VAR:
        return str(size.arg.name)
    if size.op is Op.CAST:
        return extent_text(size.src[0])
    if size.op in (Op.MIN, Op.MAX):
        return f"{size.op.name.lower()}({', '.join(map(extent_text, size.src))})"
    if (sign := _SIGNS.get(size.op)) is not None:
        return f"({f' {sign} '.join(map(extent_text, size.src))})"
    return f"f({', '.join(sorted({v.arg.name for v in size.find(Op.DEFINE_VAR)}))})"
