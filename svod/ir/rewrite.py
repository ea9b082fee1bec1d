"""The rewrite engine: applies a rule set to a graph, sources first, until nothing matches.

Owns: the traversal, the guard against loops, fuel, traces. Must not know any particular rule.
Invariant: the result is a fixpoint: rewriting it again returns the same object.
"""
from __future__ import annotations

from dataclasses import dataclass, field

from svod.errors import RuleError
from svod.ir.pattern import Rule, RuleSet
from svod.ir.uop import UOp


@dataclass
class Trace:
    """What a rewrite did: each application, in order. `fuel` bounds their number; bisect it to find a guilty rule."""

    fuel: int | None = None
    steps: list[tuple[Rule, UOp, UOp]] = field(default_factory=list)
    spent: int = 0


MAX_STEPS = 5_000_000


def rewrite(root: UOp, rules: RuleSet, trace: Trace | None = None) -> UOp:
    """`root` rewritten by `rules` to a fixpoint. With `trace`, records the steps and stops applying rules when its fuel is spent.

    Raises RuleError naming the last rules when the rules undo one another.
    """
    run = _Rewriter(rules, trace)
    return run(root)


class _Rewriter:
    """One rewrite: explicit stack, so that graphs of any depth work."""

    def __init__(self, rules: RuleSet, trace: Trace | None) -> None:
        self.rules, self.trace = rules, trace
        self.done: dict[UOp, UOp] = {}
        self.becomes: dict[UOp, UOp] = {}
        self.last: list[str] = []
        self.count = 0

    def __call__(self, root: UOp) -> UOp:
        done, becomes = self.done, self.becomes
        stack = [root]
        while stack:
            u = stack[-1]
            if u in done:
                stack.pop()
                continue
            if (m := becomes.get(u)) is not None:
                if m in done:
                    done[u] = done[m]
                    stack.pop()
                else:
                    stack.append(m)
                continue
            missing = [s for s in u.src if s not in done]
            if missing:
                missing.reverse()
                stack.extend(missing)
                continue
            src = tuple([done[s] for s in u.src])
            n = u if src == u.src else u.replace(src=src)
            if n is not u:
                becomes[u] = n
                continue
            m = self.apply(u)
            if m is None:
                done[u] = u
                stack.pop()
            else:
                becomes[u] = m
        return done[root]

    def apply(self, u: UOp) -> UOp | None:
        if self.trace is not None and self.trace.fuel is not None and self.trace.spent >= self.trace.fuel:
            return None
        for r in self.rules.index[u.op]:
            if (m := r.apply(u)) is not None:
                self.note(r, u, m)
                return m
        return None

    def note(self, r: Rule, u: UOp, m: UOp) -> None:
        self.count += 1
        self.last = [*self.last[-5:], r.name]
        if m in self.becomes or self.count > MAX_STEPS:
            chain, x = 0, m
            while x in self.becomes and x not in self.done and x is not u and chain < 10_000:
                x, chain = self.becomes[x], chain + 1
            if x is u or chain >= 10_000 or self.count > MAX_STEPS:
                raise RuleError(f"{self.rules.name} did not terminate; last rules: {', '.join(self.last)}", at=repr(u),
                                hint="one rule undoes another: direct both the same way, or drop one")
        if self.trace is not None:
            self.trace.spent += 1
            self.trace.steps.append((r, u, m))
