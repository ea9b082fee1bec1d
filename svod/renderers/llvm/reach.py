"""The `reach` function of a CPU module: what a launch needs of its arguments, evaluated natively from the scalar slots.

Owns: its text. Must not know how the expressions were found. Invariant: pure integer code, no memory but `args` and `out`; where the exact
value of a need does not fit in 64 bits, or a size is negative, every buffer is asked for more elements than any has.
"""
from __future__ import annotations

from dataclasses import dataclass

from svod.dtype import dtypes
from svod.errors import UnsupportedError
from svod.ir.bounds import interval, may_overflow
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.renderers.llvm.function import Body
from svod.renderers.llvm.types import value_type
from svod.target.abi import Metadata

TOO_MANY = (1 << 63) - 1
"""Elements that no buffer has."""
_CHECKED = {Op.ADD: "sadd", Op.SUB: "ssub", Op.MUL: "smul"}


@dataclass(frozen=True, slots=True)
class Reach:
    """Expressions over a kernel's variables: least elements of each buffer, work of a launch, sizes that may not be negative."""

    needs: tuple[UOp, ...]
    work: UOp
    sizes: tuple[UOp, ...] = ()


def render_reach(reach: Reach, meta: Metadata, declarations: set[str]) -> str:
    """`void reach(ptr args, ptr out)`: stores the needs and the work as i64s."""
    needs, sizes = ([e.cast(dtypes.index) for e in part] for part in (reach.needs, reach.sizes))
    results = [*needs, reach.work.cast(dtypes.index)]
    order = UOp.group(*results, *sizes).toposort()
    leaf = {v: f"%s.{v.arg.name}" for v in order if v.op is Op.DEFINE_VAR}
    body = Body(leaf, declarations, order)
    for i, p in enumerate(meta.params):
        if not p.is_buffer and any(v.arg.name == p.name for v in leaf):
            at = body.let(f"getelementptr i64, ptr %args, i64 {i}", "a")
            body.do(f"%s.{p.name} = load {value_type(p.dtype)}, ptr {at}, align 8")
    checked = may_overflow(UOp.sink(*needs, *sizes).toposort()[:-1])
    bad = [flag for u in order if u.op is not Op.GROUP and (flag := _computed(body, u, u in checked))]
    bad += [body.let(f"icmp slt i64 {body.name(e)}, 0", "n") for e in sizes if interval(e)[0] < 0]
    wrong = bad[0] if bad else ""
    for flag in bad[1:]:
        wrong = body.let(f"or i1 {wrong}, {flag}", "w")
    for i, e in enumerate(results):
        value = body.name(e)
        if wrong and i < len(needs):
            value = body.let(f"select i1 {wrong}, i64 {TOO_MANY}, i64 {value}")
        at = body.let(f"getelementptr i64, ptr %out, i64 {i}", "o")
        body.do(f"store i64 {value}, ptr {at}, align 8")
    return "define void @reach(ptr %args, ptr %out) #0 {\nentry:\n" + "\n".join([*body.lines, "  ret void"]) + "\n}\n"


def _computed(body: Body, u: UOp, checked: bool) -> str:
    """Writes `u`; if `checked`, gives the name of the bit that says whether it overflowed, else ''."""
    if not checked:
        body.run(u)
        return ""
    if u.op is Op.SHL:  # what comes back is what was shifted, unless bits were lost
        body.run(u)
        back = body.let(f"ashr i64 {body.name(u)}, {body.name(u.src[1])}")
        return body.let(f"icmp ne i64 {back}, {body.name(u.src[0])}", "f")
    a, b = ("0", body.name(u.src[0])) if u.op is Op.NEG else (body.name(s) for s in u.src)
    if (name := _CHECKED.get(Op.SUB if u.op is Op.NEG else u.op)) is None:
        raise UnsupportedError(f"{u.op.name} has no form that tells an overflow", at=repr(u))
    pair = body.let(body.call("{ i64, i1 }", f"llvm.{name}.with.overflow.i64", [("i64", a), ("i64", b)]))
    body.names[u] = body.let(f"extractvalue {{ i64, i1 }} {pair}, 0")
    return body.let(f"extractvalue {{ i64, i1 }} {pair}, 1", "f")
