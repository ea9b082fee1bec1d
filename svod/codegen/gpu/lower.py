"""A THREADS as the LINEAR program of one of its work items, for targets with ids.

Owns: the stages of that. Must not know single statements (items.py). Invariant: SPECIALs stay; the sizes of a launch are the kernel's own.
"""
from __future__ import annotations

from itertools import count

from svod.codegen.contract import CONTRACTION
from svod.codegen.decompose import math_rules, require_supported, rules_for
from svod.codegen.gpu.items import FALSE, Item
from svod.codegen.passes import Context, Listener, Stage, require_checks, through
from svod.codegen.simt.emit import LEAVES, Emitter
from svod.codegen.simt.rare import with_rare_branches
from svod.codegen.simt.shape import jumps_out, prepared
from svod.codegen.simt.uniform import Uniformity
from svod.codegen.simt.values import with_values
from svod.codegen.simt.whiles import with_counted_loops
from svod.dtype import dtypes
from svod.ir.ops import MEMORIES, Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.spec import LINEAR
from svod.ir.uop import UOp


def _rare(threads: UOp, ctx: Context) -> UOp:
    return threads.replace(src=(with_rare_branches(threads.src[0]),)) if ctx.target.branches else threads


def _counted(threads: UOp, ctx: Context) -> UOp:
    return threads.replace(src=(with_values(with_counted_loops(with_values(prepared(threads.src[0], ctx.names)))),))


def _linear(threads: UOp, ctx: Context) -> UOp:
    body, target = threads.src[0], ctx.target
    rules = rules_for(target)
    out = Emitter((CONTRACTION, rules) if target.fma and ctx.config.contract != "off" else (rules,))
    ids = count(1 + max((u.arg.id for u in body.find(*MEMORIES) if u.op is not Op.PARAM), default=-1))
    item = Item(out, Uniformity(body), threads.arg.block, lambda: next(ids))
    item.exchange.native = target.subgroup
    if Op.RETURN in jumps_out(body):
        item.gone = item.cell(dtypes.bool, FALSE, "gone")
    item.block(body)
    leaves = {u: None for u in UOp(Op.LINEAR, tuple(out.chain[0].items)).toposort() if u.op in LEAVES}
    linear = out.program(list(leaves))
    require_supported(linear, target)
    out.called += [(item.value(expr), name) for expr, name in ctx.names.items()]
    ctx.names.clear()
    ctx.names.update(out.names())
    return linear


ITEM_PIPELINE: tuple[Stage, ...] = (
    Stage("simplify-threads", "index arithmetic is smallest before anything is decomposed", lambda t, _: rewrite(t, SIMPLIFY)),
    Stage("decompose-math", "math functions become polynomials, the same on every device",
          lambda t, c: rewrite(rewrite(t, math_rules(c.target)), SIMPLIFY)),
    Stage("branch-rare-arms", "work that few work items ever want is skipped where none does", _rare),
    Stage("count-loops", "variables become values where they can, loops of a known number of iterations count", _counted),
    Stage("linearize-item", "statements become the instructions of one work item, in their order", _linear, LINEAR),
)


def lower_items(threads: UOp, ctx: Context, listen: Listener | None = None) -> UOp:
    """The LINEAR program of a work item of a THREADS. `listen` sees every result and its seconds. UnsupportedError, by name, for what the
    target lacks."""
    require_checks(threads, ctx)
    return through(ITEM_PIPELINE, threads, ctx, listen)
