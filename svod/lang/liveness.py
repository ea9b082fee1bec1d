"""Which local names a statement still matters for: the names that may be read after it, or carried into the next iteration.

Owns: backward data flow over the tree of one function. Must not know values.
Invariant: the sets are too large rather than too small: a name left out is read on no path.
Source: the classic backward analysis (Aho, Lam, Sethi, Ullman, "Compilers", section 9.2.5).
"""
from __future__ import annotations

import ast
from dataclasses import dataclass, field

Names = frozenset[str]
_NONE: Names = frozenset()
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


@dataclass(slots=True)
class Liveness:
    """For each `if` and loop: names live behind it; for each loop: names live at the start of an iteration."""

    after: dict[ast.AST, Names] = field(default_factory=dict)
    carried: dict[ast.AST, Names] = field(default_factory=dict)
    captured: Names = _NONE
    """Names that nested functions read: live everywhere."""


@dataclass(frozen=True, slots=True)
class _Exits:
    """What is live where `break`, `continue` and `return` lead."""

    stop: Names = _NONE
    again: Names = _NONE


def analyse(body: list[ast.stmt]) -> Liveness:
    """The liveness of a function with this body."""
    result = Liveness()
    captured: set[str] = set()
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, _SCOPES):
                captured |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
            elif isinstance(node, (ast.Global, ast.Nonlocal)):
                captured |= set(node.names)
    result.captured = frozenset(captured)
    _block(body, _NONE, _Exits(), result)
    return result


def assigned(nodes: list[ast.stmt]) -> Names:
    """Names that the statements bind, change in place, or delete; not those of nested functions and comprehensions."""
    found: set[str] = set()
    stack: list[ast.AST] = list(nodes)
    while stack:
        node = stack.pop()
        if isinstance(node, _SCOPES):
            found |= {node.name} if not isinstance(node, ast.Lambda) else set()
            continue
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            found |= {n.target.id for n in ast.walk(node) if isinstance(n, ast.NamedExpr) and isinstance(n.target, ast.Name)}
            continue
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, (ast.Subscript, ast.Attribute)) and not isinstance(node.ctx, ast.Load):
            root: ast.AST = node
            while isinstance(root, (ast.Subscript, ast.Attribute)):
                root = root.value
            if isinstance(root, ast.Name):
                found.add(root.id)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {(a.asname or a.name).split(".")[0] for a in node.names}
        stack.extend(ast.iter_child_nodes(node))
    return frozenset(found)


def _reads(node: ast.AST | None) -> Names:
    """Names read anywhere in an expression, also by what it defines."""
    return frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)) if node is not None else _NONE


def _binds(node: ast.AST) -> Names:
    """Names that a target binds as a whole."""
    if isinstance(node, ast.Name):
        return frozenset({node.id})
    if isinstance(node, (ast.Tuple, ast.List)):
        return _NONE.union(*(_binds(e) for e in node.elts))
    return _binds(node.value) if isinstance(node, ast.Starred) else _NONE


def _block(statements: list[ast.stmt], live: Names, exits: _Exits, out: Liveness) -> Names:
    for statement in reversed(statements):
        live = _statement(statement, live, exits, out)
    return live


def _statement(s: ast.stmt, live: Names, exits: _Exits, out: Liveness) -> Names:
    match s:
        case ast.If():
            out.after[s] = out.after.get(s, _NONE) | live
            return _block(s.body, live, exits, out) | _block(s.orelse, live, exits, out) | _reads(s.test)
        case ast.While():
            return _loop(s, live, exits, out, _reads(s.test), _NONE)
        case ast.For() | ast.AsyncFor():
            return _loop(s, live, exits, out, _reads(s.target), _binds(s.target)) | _reads(s.iter)
        case ast.Break():
            return exits.stop
        case ast.Continue():
            return exits.again
        case ast.Return():
            return _reads(s.value)
        case ast.Raise() | ast.Expr():
            return _reads(s) | (live if isinstance(s, ast.Expr) else _NONE)
        case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
            return _assignment(s, live)
    every = frozenset(n.id for n in ast.walk(s) if isinstance(n, ast.Name))
    for child in ast.walk(s):  # other compound statements: nothing is known, so everything is kept
        if child is not s and isinstance(child, (ast.If, ast.While, ast.For)):
            out.after[child] = out.after.get(child, _NONE) | live | every
            out.carried[child] = out.carried.get(child, _NONE) | live | every
    return live | every | exits.stop | exits.again


def _assignment(s: ast.Assign | ast.AnnAssign | ast.AugAssign, live: Names) -> Names:
    targets = s.targets if isinstance(s, ast.Assign) else [s.target]
    bound = _NONE.union(*(_binds(t) for t in targets)) if s.value is not None else _NONE
    used = _reads(s.value).union(*(_reads(t) for t in targets))
    return live | used | bound if isinstance(s, ast.AugAssign) else (live - bound) | used


def _loop(s: ast.While | ast.For | ast.AsyncFor, live: Names, exits: _Exits, out: Liveness, reads: Names, binds: Names) -> Names:
    """Fixed point: what is live at the start of an iteration is live at its end."""
    behind = _block(s.orelse, live, exits, out)
    head = behind | reads
    while True:
        start = (_block(s.body, head, _Exits(live, head), out) - binds) | reads
        if start <= head:
            break
        head |= start
    out.after[s] = out.after.get(s, _NONE) | live
    out.carried[s] = out.carried.get(s, _NONE) | head
    return head
