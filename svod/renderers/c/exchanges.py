"""What the work items of a subgroup do together, in C: hand registers to one another.

Owns: which helper an instruction calls. Must not know how these are spelled: they are pieces of a dialect.
Invariant: each is executed where it stands, by all work items that come there, and nested into nothing.
"""
from __future__ import annotations

from svod.errors import UnsupportedError
from svod.ir.args import SubgroupKind
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.renderers.c.function import HANDLERS, Body
from svod.renderers.expr import ATOM, Expr

_SHUFFLES = {SubgroupKind.SHUFFLE: "shuffle", SubgroupKind.UP: "shuffle_up", SubgroupKind.DOWN: "shuffle_down",
             SubgroupKind.XOR: "shuffle_xor"}


def subgroup(body: Body, u: UOp) -> None:
    """SUBGROUP: a shuffle or a ballot."""
    value, *by = (body.value(s) for s in u.src)
    body.settle()
    if u.arg.kind is SubgroupKind.BALLOT:
        text = f"{body.prelude.need('ballot', u.dtype)}({value.text})"
    elif (name := _SHUFFLES.get(u.arg.kind)) is not None:
        text = f"{body.prelude.need(name, u.dtype)}({value.text}, {by[0].text}, {u.arg.width})"
    else:
        raise UnsupportedError(f"SUBGROUP {u.arg.kind.value} has no form in {body.prelude.dialect.name}", at=repr(u),
                               hint="the stage linearize-item must write it as shuffles")
    body.define(u, Expr(text, ATOM), name="got", at_once=True)


HANDLERS |= {Op.SUBGROUP: subgroup}
