"""The `reach` function of a CPU module: what a launch needs of its arguments, evaluated natively from the scalar slots.

Owns: its text. Must not know how the expressions were found. Invariant: pure integer code, no memory but `args` and `out`.
"""
from __future__ import annotations

from svod.dtype import dtypes
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.renderers.llvm.function import Body
from svod.renderers.llvm.types import value_type
from svod.target.abi import Metadata


def render_reach(expressions: list[UOp], meta: Metadata, declarations: set[str]) -> str:
    """`void reach(ptr args, ptr out)`: stores each expression over the kernel's variables as an i64."""
    order = UOp.group(*(e.cast(dtypes.index) for e in expressions)).toposort() if expressions else []
    leaf = {v: f"%s.{v.arg.name}" for v in order if v.op is Op.DEFINE_VAR}
    body = Body(leaf, declarations, order)
    for i, p in enumerate(meta.params):
        if not p.is_buffer and any(v.arg.name == p.name for v in leaf):
            at = body.let(f"getelementptr i64, ptr %args, i64 {i}", "a")
            body.do(f"%s.{p.name} = load {value_type(p.dtype)}, ptr {at}, align 8")
    for u in order:
        if u.op is not Op.GROUP:
            body.run(u)
    for i, e in enumerate(expressions):
        at = body.let(f"getelementptr i64, ptr %out, i64 {i}", "o")
        body.do(f"store i64 {body.name(e.cast(dtypes.index))}, ptr {at}, align 8")
    return "define void @reach(ptr %args, ptr %out) #0 {\nentry:\n" + "\n".join([*body.lines, "  ret void"]) + "\n}\n"
