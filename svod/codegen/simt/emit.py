"""Writes a LINEAR program block by block: each pure value goes to the outermost open block where what it needs is known.

Owns: the open blocks, what is computed in each, the names of values that must be computed once. Must not know statements or work items.
Invariants: every operand is executed before its user, in a block that is open there; nothing pure leaves a branch, as it may be costly.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

from svod.dtype import DType, dtypes
from svod.errors import GraphError
from svod.ir.args import EMITTED, BarrierScope, RangeArg, ValueArg
from svod.ir.ops import MEMORIES, Op
from svod.ir.pattern import RuleSet
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.semantics import PURE
from svod.ir.uop import UOp

LEAVES = frozenset((*MEMORIES, Op.CONST, Op.DEFINE_VAR))


@dataclass
class _Block:
    """An open stretch of instructions. `branch`: it may be skipped, so pure values are not moved out of it."""

    branch: bool = False
    items: list[UOp] = field(default_factory=list)
    placed: list[UOp] = field(default_factory=list)


class Emitter:
    """One linear program in the making. Expressions are rewritten by `rules`, one set after the other, just before they are placed."""

    def __init__(self, rules: tuple[RuleSet, ...]) -> None:
        self.rules = rules
        self.chain = [_Block()]
        self.where: dict[UOp, int] = {}
        self.real: dict[UOp, UOp] = {}
        self.ids = count()
        self.held: list[UOp] = []
        self.called: list[tuple[UOp, str]] = []
        """Values that the author has a name for."""

    def program(self, leaves: list[UOp]) -> UOp:
        """The LINEAR program. Every block must be closed."""
        return UOp(Op.LINEAR, (*leaves, *_once(self.chain[0].items)))

    def names(self) -> dict[UOp, str]:
        """What the author calls the values of the program; once it is complete."""
        found: dict[UOp, str] = {}
        for expr, name in self.called:
            found.setdefault(self._real(self._rewritten(expr)), name)
        return found

    # ---- values -------------------------------------------------------------------------------------------------
    def need(self, expr: UOp) -> UOp:
        """Computes `expr` where it belongs; the node that holds it."""
        root = self._real(self._rewritten(expr))
        stack = [root]
        while stack:
            u = stack[-1]
            if u in self.where or u.op in LEAVES:
                stack.pop()
                continue
            src = u.src[:1] if u.op is Op.AFTER else u.src
            missing = [s for s in src if s not in self.where and s.op not in LEAVES]
            if missing:
                stack += missing[::-1]
                continue
            stack.pop()
            depth = max([self._guard(), *(self.where.get(s, 0) for s in src)])
            if u.op is not Op.AFTER:
                self.chain[depth].items.append(u)
            self._note(u, depth)
        return root

    def _rewritten(self, expr: UOp) -> UOp:
        for rules in self.rules:
            expr = rewrite(expr, rules)
        return expr

    def bind(self, instruction: UOp, token: UOp) -> UOp:
        """Executes `instruction` (a LOAD or ATOMIC whose address is made unique by `token`) here; `token` stands for what it yields."""
        real = self.do(instruction)
        self.real[token] = real
        return token

    def token(self, dtype: DType) -> UOp:
        """A leaf for a value that will be bound."""
        return UOp(Op.VALUE, (), ValueArg(next(self.ids)), dtype)

    def do(self, instruction: UOp) -> UOp:
        """Executes an instruction here, at the end of the innermost block."""
        src = tuple(self.need(s) for s in instruction.src)
        real = instruction if src == instruction.src else instruction.replace(src=src)
        self.chain[-1].items.append(real)
        self._note(real, len(self.chain) - 1)
        return real

    def phase(self) -> None:
        """All groups wait for one another here; no block may be open. What was computed before is computed again behind it."""
        if len(self.chain) > 1:
            raise GraphError("a barrier of the grid stands in no loop and no branch")
        root = self.chain[0]
        for u in root.placed:
            self.where.pop(u, None)
        root.placed.clear()
        root.items.append(UOp.barrier(scope=BarrierScope.GRID))

    def _note(self, u: UOp, depth: int) -> None:
        self.where[u] = depth
        self.chain[depth].placed.append(u)

    def _guard(self) -> int:
        """The innermost open branch; no pure value goes further out."""
        return max((d for d, b in enumerate(self.chain) if b.branch), default=0)

    def _real(self, expr: UOp) -> UOp:
        real = self.real
        if expr in real:
            return real[expr]
        for u in expr.toposort(lambda x: x not in real):
            src = tuple([real.get(s, s) for s in u.src])
            if src != u.src:
                real[u] = u.replace(src=src)
        return real.get(expr, expr)

    # ---- blocks -------------------------------------------------------------------------------------------------
    def range(self, start: UOp, stop: UOp) -> UOp:
        """Opens a counted loop and returns its counter."""
        r = UOp(Op.RANGE, (self.need(start), self.need(stop)), RangeArg((EMITTED, next(self.ids))))
        r.cache.update(dict.fromkeys((SIMPLIFY, *self.rules), True))  # an open loop stays as it is, whatever could be made of its bounds
        self.real[r] = r
        self.chain.append(_Block())
        self._note(r, len(self.chain) - 1)
        return r

    def end_range(self, r: UOp) -> None:
        """Closes the loop of `r`."""
        block = self._close()
        self.chain[-1].items += [r, *block.items, UOp(Op.GROUP).end(r)]

    def loop(self) -> None:
        """Opens a loop that only `leave` ends."""
        self.chain.append(_Block())

    def leave(self, cond: UOp) -> None:
        """Leaves the innermost loop if `cond` holds."""
        self.do(UOp(Op.BREAK, (cond,)))

    def end_loop(self) -> None:
        """Closes the loop opened by `loop`."""
        block = self._close()
        self.chain[-1].items += [UOp(Op.LOOP), *block.items, UOp(Op.ENDLOOP)]

    def branch(self, cond: UOp) -> bool:
        """Opens a block that is done where `cond` holds. False, and nothing is opened, where it is known to hold; see `end_branch`."""
        real = self.need(cond)
        if real in self.held or (real.op is Op.CONST and real.arg.value):
            return False
        self.held.append(real)
        self.chain.append(_Block(branch=True))
        return True

    def end_branch(self, opened: bool) -> None:
        """Closes what `branch` opened, given what it returned."""
        if not opened:
            return
        block, cond = self._close(), self.held.pop()
        if block.items:
            branch = UOp(Op.IF, (cond,))
            self.chain[-1].items += [branch, *block.items, UOp(Op.ENDIF, (branch,))]

    def _close(self) -> _Block:
        block = self.chain.pop()
        for u in block.placed:
            self.where.pop(u, None)
        return block


def _once(items: list[UOp]) -> list[UOp]:
    """Without pure instructions whose value is known already: one that was moved out of a loop later than it was first needed inside."""
    done: list[set[UOp]] = [set()]
    out = []
    for u in items:
        if u.op in PURE or u.op is Op.INDEX:
            if any(u in d for d in done):
                continue
            done[-1].add(u)
        elif u.op is Op.BARRIER and u.arg is BarrierScope.GRID:
            done[0].clear()
        elif u.op in (Op.RANGE, Op.IF, Op.LOOP):
            done.append(set())
        elif u.op in (Op.END, Op.ENDIF, Op.ENDLOOP):
            done.pop()
        out.append(u)
    return out


def index(value: int) -> UOp:
    """An index constant."""
    return UOp.const(value, dtypes.index)
