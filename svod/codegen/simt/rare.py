"""Costly arms that are rarely wanted, such as reducing a huge angle, as branches: done only where a work item wants them.

Owns: that rewriting of statements. Must not know vectors, nor math functions. What is worth a branch is said in `svod.codegen.branch`.
Invariant: every value is what it was.
"""
from __future__ import annotations

from collections import Counter
from itertools import count

from svod.codegen.branch import WORTH, owned
from svod.dtype import dtypes
from svod.ir.args import ValueArg
from svod.ir.ops import Op
from svod.ir.uop import UOp


def with_rare_branches(body: UOp) -> UOp:
    """`body` with every WHERE whose first arm alone needs much as a variable that a branch sets."""
    nodes = body.toposort()
    if len(nodes) < WORTH or not any(u.op is Op.WHERE for u in nodes):
        return body
    return _Brancher(nodes).block(body)


class _Brancher:
    """Rewrites statements; `nodes` are all of the kernel's."""

    def __init__(self, nodes: list[UOp]) -> None:
        self.users = Counter(s for u in nodes for s in set(u.src))
        self.memories = count(1 + max((u.arg.id for u in nodes if u.op in (Op.DEFINE_REG, Op.DEFINE_LOCAL)), default=0))
        self.values = count(1 + max((u.arg.id for u in nodes if u.op is Op.VALUE), default=0))

    def block(self, block: UOp) -> UOp:
        out: list[UOp] = []
        for s in block.src:
            new: dict[UOp, UOp] = {}
            for x in s.src:
                if x.op is not Op.BLOCK:
                    self.expression(x, new, out)
            src = tuple(self.block(x) if x.op is Op.BLOCK else new.get(x, x) for x in s.src)
            out.append(s if src == s.src else s.replace(src=src))
        return UOp(Op.BLOCK, tuple(out))

    def expression(self, root: UOp, new: dict[UOp, UOp], out: list[UOp]) -> None:
        """Notes in `new` what the nodes of an expression become; `out` gets the statements that must come before."""
        for u in root.toposort():
            if u in new:
                continue
            src = tuple([new[s] for s in u.src])
            v = u if src == u.src else u.replace(src=src)
            new[u] = self.branch(v, out) if u.op is Op.WHERE and owned(u, self.users) else v

    def branch(self, where: UOp, out: list[UOp]) -> UOp:
        wanted, rare, usual = where.src
        cell = UOp.memory(next(self.memories), where.dtype, 1, name="rare")[UOp.const(0, dtypes.index)]
        value = UOp(Op.VALUE, (), ValueArg(next(self.values), "rare"), where.dtype)
        arm = UOp(Op.BLOCK, (cell.store(rare),))
        out += [cell.store(usual), UOp(Op.BRANCH, (wanted, arm, UOp(Op.BLOCK))), UOp(Op.LET, (value, cell.load()))]
        return value
