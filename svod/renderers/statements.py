"""Statements of a function body: lines, blocks, and which values have names.

Owns: that a value is computed where its instruction stands, or later in the same block with nothing written in between that it reads.
Must not know a language: how a variable is declared and set is said by who derives from it.
Invariants: every name is new; an expression that is nested is written once.
"""
from __future__ import annotations

from collections.abc import Mapping

from svod.ir.uop import UOp
from svod.renderers.expr import Expr, Names
from svod.renderers.uses import Uses

LONGEST = 90
"""Characters of an expression that is still nested into another one."""


class Statements:
    """Writes lines. `lines`: those of the body; `top`: the declarations before them; `values`: what a value is called, `pending`: those
    that wait for their use; `blocks`: what is open. `called`: the author's names, which have variables of their own."""

    def __init__(self, names: Names, uses: Uses, called: Mapping[UOp, str]) -> None:
        self.names, self.uses, self.called = names, uses, called
        self.lines: list[str] = []
        self.top: list[str] = []
        self.depth = 1
        self.values: dict[UOp, Expr] = {}
        self.pending: dict[UOp, Expr] = {}
        self.blocks: list[str] = []

    # ---- said by a language ---------------------------------------------------------------------------------------------
    def declared(self, u: UOp, e: Expr, name: str) -> Expr:
        """The variable `name` for a value that is set in several places, declared at the top."""
        raise NotImplementedError

    def assigned(self, u: UOp, e: Expr) -> str:
        """The text that sets that variable to `e`."""
        return e.text

    def bound(self, u: UOp, e: Expr, name: str) -> Expr:
        """The variable `name` for a value that is set once, declared here."""
        raise NotImplementedError

    def dropped(self, e: Expr) -> str:
        """The statement that evaluates what nobody uses."""
        return f"{e.text};"

    # ---- writing --------------------------------------------------------------------------------------------------------
    def do(self, text: str) -> None:
        """One line."""
        self.lines.append("  " * self.depth + text)

    def open(self, text: str) -> None:
        """A line that opens a block; values that wait are computed before it."""
        self.settle()
        self.do(f"{text} {{")
        self.depth += 1

    def close(self) -> None:
        """The end of the block opened last."""
        self.settle()
        self.depth -= 1
        self.do("}")

    def settle(self, written: str = "") -> None:
        """Computes the values that wait to be nested: those that read `written`, or all."""
        for u, e in list(self.pending.items()):
            if u in self.pending and (not written or written in e.reads):
                del self.pending[u]
                self.named(u, e)

    def define(self, u: UOp, e: Expr, *, name: str = "v", at_once: bool = False) -> None:
        """The value of an instruction: kept to be nested into its use, or computed here; `at_once`: here, even if nobody uses it."""
        if u in self.uses.once and not at_once and u not in self.called and len(e.text) <= LONGEST:
            self.pending[u] = e
        elif u in self.uses.used or at_once:
            self.named(u, e, name)

    def named(self, u: UOp, e: Expr, name: str = "v") -> None:
        """Computes a value into a variable."""
        if u in self.uses.outside:
            self.settle()
            if u not in self.values:
                self.values[u] = self.declared(u, e, self.fresh(u, name))
            self.do(f"{self.values[u].text} = {self.assigned(u, e)};")
        elif u not in self.uses.used:
            self.do(self.dropped(e))
        else:
            self.values[u] = self.bound(u, e, self.fresh(u, name))

    def fresh(self, u: UOp, name: str) -> str:
        """What a value is called: as its author does, else `name` with a number."""
        return self.names.new(self.called.get(u, name), numbered=u not in self.called)

    # ---- operands and loops ---------------------------------------------------------------------------------------------
    def known(self, u: UOp) -> Expr | None:
        """What was computed for a value: itself, where it waited for this use, or its variable."""
        return self.pending.pop(u, None) or self.values.get(u)

    def simple(self, stop: Expr, bound: UOp) -> bool:
        """Whether the end of a loop may stand in its head: a name that nothing changes, or a number."""
        return (stop.text.replace(".", "_").isidentifier() or stop.text.isdecimal()) and bound not in self.uses.outside
