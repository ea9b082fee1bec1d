"""What a spec is made of: named clauses, each with a line of prose and a check, and `verify`, which holds a graph to them.

Owns: the framework. Must not know any particular clause (kernel_clauses.py, linear_clauses.py).
Invariant: a clause gives no complaint or one that names what is wrong; the first clause that complains is reported, sources first.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from svod.errors import GraphError
from svod.ir.ops import MEMORIES, Op
from svod.ir.uop import UOp

Check = Callable[[UOp], str | None]
LEAVES = MEMORIES | {Op.CONST, Op.DEFINE_VAR}
"""Ops whose value needs no execution."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One rule: `check` looks at a node of one of `ops` (none: of any op) and returns a complaint or None. `doc` is the rule in words.

    `hint` says what to do about the usual mistake behind a complaint; "": the rule is shown instead.
    """

    name: str
    doc: str
    ops: frozenset[Op]
    check: Check
    hint: str = ""


def clause(*ops: Op, hint: str = "") -> Callable[[Check], Clause]:
    """Makes a Clause of a check: its name in kebab-case, its docstring the prose."""
    def made(check: Check) -> Clause:
        doc = " ".join((check.__doc__ or "").split())
        if not doc:
            raise GraphError(f"clause {check.__name__} has no docstring", hint="state the rule in one line")
        return Clause(check.__name__.replace("_", "-"), doc, frozenset(ops), check, hint)
    return made


def executed(u: UOp) -> UOp:
    """The node whose value an operand of a linear program is: AFTER means its first source."""
    while u.op is Op.AFTER:
        u = u.src[0]
    return u


def nodes(root: UOp) -> list[UOp]:
    """The nodes that a spec looks at: of a LINEAR program its instructions, their operands and itself, of anything else every node."""
    if root.op is not Op.LINEAR:
        return root.toposort()
    found: dict[UOp, None] = {}
    for u in root.src:
        for s in map(executed, u.src):
            if s.op is Op.INDEX:
                found.update(dict.fromkeys(map(executed, s.src)))
            found[s] = None
        found[u] = None
    return [*found, root]


@dataclass(frozen=True)
class Spec:
    """What a graph satisfies at one edge between stages."""

    name: str
    clauses: tuple[Clause, ...]
    table: dict[Op, tuple[Clause, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = [c.name for c in self.clauses]
        if len(set(names)) != len(names):
            raise GraphError(f"spec {self.name} has two clauses of one name", at=str(sorted(n for n in names if names.count(n) > 1)))
        object.__setattr__(self, "table", {op: tuple(c for c in self.clauses if not c.ops or op in c.ops) for op in Op})


def verify(root_or_list: UOp | Sequence[UOp], spec: Spec) -> None:
    """Raises GraphError with clause, node and hint unless every node satisfies `spec`. A list is the instructions of a LINEAR program."""
    root = root_or_list if isinstance(root_or_list, UOp) else UOp(Op.LINEAR, tuple(root_or_list))
    for u in nodes(root):
        for c in spec.table[u.op]:
            if (complaint := c.check(u)) is not None:
                raise GraphError(f"{complaint} ({spec.name}: {c.name})", at=repr(u), hint=c.hint or c.doc)
