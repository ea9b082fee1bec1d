"""What is the same for all work items of a group: values and variables, proved by following where they come from.

Owns: that analysis. Must not know vectors. Invariant: what it calls uniform is the same in all work items that reach the place.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from svod.codegen.simt.shape import jumps_out
from svod.ir.args import SpecialKind
from svod.ir.ops import Op
from svod.ir.threads import bound_by
from svod.ir.uop import UOp


class Uniformity:
    """The varying VALUEs and variables of a kernel; `uniform(expr)` asks about an expression."""

    def __init__(self, body: UOp, *, arrays: bool = True) -> None:
        """`arrays`: local arrays may be one for the group."""
        self.varying: set[UOp] = set() if arrays else {m for m in body.find(Op.DEFINE_REG) if m.arg.size > 1}
        self.returns = Op.RETURN in jumps_out(body)
        """Some work items may be gone, so what is read where is not the same for all: an address may be right for none of them."""
        self.used = {s for u in body.toposort() if u.op is not Op.LET for s in u.src if s.op is Op.VALUE}
        self.used |= {u.src[1] for u in body.find(Op.LET) if u.src[1].op is Op.VALUE}
        """VALUEs that something reads."""
        self.inside: list[frozenset[UOp]] = []
        self.reads: dict[UOp, Counter[UOp]] = {}
        self.all_reads = Counter(u.src[0].src[0] for u in _statements(body) if u.op is Op.LOAD)
        size = -1
        while size != len(self.varying):
            size = len(self.varying)
            self._block(body, divergent=False)

    def uniform(self, expr: UOp) -> bool:
        """Whether all work items that evaluate `expr` at one place get the same value."""
        return not any(u in self.varying or (u.op is Op.SPECIAL and u.arg.kind is not SpecialKind.GLOBAL) for u in expr.toposort())

    def _block(self, block: UOp, divergent: bool) -> None:
        for s in block.src:
            self._statement(s, divergent)
            if Op.CONTINUE in jumps_out(s) and self._leaves_apart(UOp(Op.BLOCK, (s,)), divergent=False):
                divergent = True

    def _statement(self, s: UOp, divergent: bool) -> None:
        if s.op is Op.LET:
            value, expr = s.src
            elsewhere = expr.op is Op.LOAD and expr.src[0].src[0].op is not Op.DEFINE_REG
            if expr.op in (Op.ATOMIC, Op.SUBGROUP) or (elsewhere and self.returns) or not self.uniform(expr):
                self.varying.add(value)
        elif s.op is Op.MMA:
            self.varying.update(bound_by(s))
        elif s.op is Op.STORE:
            index, value = s.src
            memory = index.src[0]
            left = any(memory not in cells for cells in self.inside)
            if memory.op is Op.DEFINE_REG and (divergent or left or not self.uniform(s)):
                self.varying.add(memory)
        elif s.op is Op.BRANCH:
            inner = divergent or not self.uniform(s.src[0])
            self._block(s.src[1], inner)
            self._block(s.src[2], inner)
        elif s.op in (Op.FOR, Op.LOOP):
            self._loop(s, divergent)

    def _loop(self, s: UOp, divergent: bool) -> None:
        inner = divergent
        if s.op is Op.FOR and not all(self.uniform(b) for b in s.src[1:4]):
            self.varying.add(s.src[0])
            inner = True
        if not inner and self._leaves_apart(s.src[-1], divergent=False):
            self.inside.append(self._only_read_in(s))
            self._block(s.src[-1], divergent=False)
            self.inside.pop()
        else:
            self._block(s.src[-1], inner)

    def _only_read_in(self, loop: UOp) -> frozenset[UOp]:
        """Variables that nothing outside of `loop` reads: for them it does not matter who has left it already."""
        if loop not in self.reads:
            self.reads[loop] = Counter(u.src[0].src[0] for u in _statements(loop) if u.op is Op.LOAD)
        here = self.reads[loop]
        return frozenset(m for m, n in here.items() if n == self.all_reads[m])

    def _leaves_apart(self, block: UOp, divergent: bool) -> bool:
        """Whether some work items may leave or continue the loop of `block` where others do not."""
        for s in block.src:
            if divergent and s.op in (Op.BREAK, Op.CONTINUE):
                return True
            if s.op is Op.BRANCH and jumps_out(s) - {Op.RETURN}:
                inner = divergent or not self.uniform(s.src[0])
                if self._leaves_apart(s.src[1], inner) or self._leaves_apart(s.src[2], inner):
                    return True
        return False


def _statements(s: UOp) -> Iterator[UOp]:
    """The expressions that the LETs in `s` bind, each as often as it stands there."""
    for x in s.src:
        if x.op is Op.LET:
            yield x.src[1]
        elif x.op in (Op.BLOCK, Op.BRANCH, Op.FOR, Op.LOOP):
            yield from _statements(x)
