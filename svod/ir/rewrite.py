"""The rewrite engine: applies a rule set to a graph, sources first, until nothing matches.

Owns: the traversal, the guard against loops, fuel, traces. Must not know any particular rule.
Invariant: the result is a fixpoint: rewriting it again returns the same object. That a node is one is noted in its `cache` under the rule
set, so that a graph that has been rewritten costs one look the next time: rules see nothing but the node, so the answer cannot change.
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

    Raises RuleError naming the last rules when the rules undo one another or build on what they replace.
    """
    return root if rules in root.cache else _Rewriter(rules, trace)(root)


class _Rewriter:
    """One rewrite: explicit stack, so that graphs of any depth work."""

    def __init__(self, rules: RuleSet, trace: Trace | None) -> None:
        self.rules, self.trace = rules, trace
        self.note = trace is None or trace.fuel is None
        self.done: dict[UOp, UOp] = {}
        self.becomes: dict[UOp, UOp] = {}
        self.last: list[str] = []
        self.count = 0

    def __call__(self, root: UOp) -> UOp:
        done, becomes, rules = self.done, self.becomes, self.rules
        waiting: set[UOp] = set()
        stack = [root]
        while stack:
            u = stack[-1]
            if u in done or rules in u.cache:
                stack.pop()
            elif (m := becomes.get(u)) is not None:
                if (end := done.get(m)) is not None or rules in m.cache:
                    done[u] = m if end is None else end
                    stack.pop()
                elif u in waiting:
                    raise self.endless(u)
                else:
                    waiting.add(u)
                    stack.append(m)
            elif missing := [s for s in u.src if s not in done and rules not in s.cache]:
                stack += missing[::-1]
            else:
                self.visit(u)
        return done.get(root, root)

    def visit(self, u: UOp) -> None:
        """One step at a node whose sources are done (or noted to be): note that it is, or what it becomes."""
        done, becomes = self.done, self.becomes
        n = u
        for s in u.src:
            if done.get(s, s) is not s:
                n = becomes[u] = u.replace(src=tuple([done.get(x, x) for x in u.src]))
                if n in becomes or n in done or self.rules in n.cache:
                    return
                break
        if (m := self.apply(n)) is not None:
            becomes[n] = m
        elif self.note:
            n.cache[self.rules] = True
        else:
            done[n] = n

    def apply(self, u: UOp) -> UOp | None:
        if not self.note and self.trace is not None and self.trace.spent >= (self.trace.fuel or 0):
            return None
        for r, match in self.rules.candidates(u):
            if (m := match(u)) is not None:
                r.check(u, m)
                self.record(r, u, m)
                return m
        return None

    def record(self, r: Rule, u: UOp, m: UOp) -> None:
        self.count += 1
        self.last.append(r.name)
        if self.count > MAX_STEPS:
            raise self.endless(u)
        if self.trace is not None:
            self.trace.spent += 1
            self.trace.steps.append((r, u, m))

    def endless(self, u: UOp) -> RuleError:
        return RuleError(f"{self.rules.name} did not terminate; last rules: {', '.join(self.last[-6:])}", at=repr(u),
                         hint="one rule undoes another or builds on the node it replaces: direct both the same way, or drop one")
