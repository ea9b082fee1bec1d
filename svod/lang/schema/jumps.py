"""Loops without `break`, `continue` and `else`: syntax trees in, trees of the same meaning that fit 1.0 out.

Owns: `structured`. Must not know documents. Invariant: the result has none of the three; a `for` stays one unless it is left by `break`,
then it becomes a `while` that counts in type index. A `continue` becomes nested ifs where it can, else a flag; a `break` is a flag.
"""
from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

Fresh = Callable[[str], str]
Statements = list[ast.stmt]
N = TypeVar("N", bound=ast.AST)
INDEX = "<index>"
"""The name, which no user can write, whose call makes a counter an index."""


def structured(body: Statements, fresh: Fresh) -> Statements:
    """The statements with all their loops rewritten. `fresh(word)` is a name that nobody has."""
    result: Statements = []
    for s in body:
        if isinstance(s, ast.If):
            result.append(_placed(ast.If(s.test, structured(s.body, fresh), structured(s.orelse, fresh)), s))
        elif isinstance(s, (ast.For, ast.While)):
            result += _loop(s, fresh)
        else:
            result.append(s)
    return result


def _loop(s: ast.For | ast.While, fresh: Fresh) -> Statements:
    kinds = {type(j) for j in _jumps(s.body)}
    orelse = structured(s.orelse, fresh)
    inner = structured(s.body, fresh)
    if not kinds:
        return [_with_body(s, inner), *orelse]
    flags = _Flags(s, fresh("broken") if ast.Break in kinds else "", fresh("skip"))
    inner = flags.tail(inner)
    if flags.used:
        inner = [flags.set(flags.skip, False), *inner]
    if not flags.broken:
        return [_with_body(s, inner), *orelse]
    start = [flags.set(flags.broken, False)]
    goes_on = flags.unset(flags.broken)
    if isinstance(s, ast.While):
        loop: Statements = [_placed(ast.While(_all(s, goes_on, s.test), inner, []), s)]
    else:
        loop = _counted(s, inner, goes_on, fresh)
    behind: Statements = [_placed(ast.If(flags.unset(flags.broken), orelse, []), s)] if orelse else []
    return [*start, *loop, *behind]


def _with_body(s: ast.For | ast.While, body: Statements) -> ast.stmt:
    if isinstance(s, ast.While):
        return _placed(ast.While(s.test, body, []), s)
    return _placed(ast.For(s.target, s.iter, body, []), s)


def _counted(s: ast.For, body: Statements, goes_on: ast.expr, fresh: Fresh) -> Statements:
    """A `for` over range() as a `while`. What is no range stays as it is: it is refused where it is read."""
    call = s.iter
    if not isinstance(call, ast.Call) or not 1 <= len(call.args) <= 3 or call.keywords or not isinstance(s.target, ast.Name):
        return [_placed(ast.For(s.target, s.iter, body, []), s)]
    args, zero, one = call.args, ast.Constant(0), ast.Constant(1)
    start, stop, step = (zero, args[0], one) if len(args) == 1 else (args[0], args[1], one) if len(args) == 2 else args
    names = {part: fresh(part) for part in ("next", "stop", "step")}
    first = [_set(s, names[part], ast.Call(ast.Name(INDEX, ast.Load()), [value], []))
             for part, value in (("next", start), ("stop", stop), ("step", step))]
    at, end, by = (ast.Name(names[part], ast.Load()) for part in ("next", "stop", "step"))
    up = ast.Compare(at, [ast.Lt()], [end])
    down = ast.Compare(at, [ast.Gt()], [end])
    sign = _sign(step)
    more: ast.expr = up if sign > 0 else down if sign < 0 else ast.BoolOp(ast.Or(), [
        ast.BoolOp(ast.And(), [ast.Compare(by, [ast.Gt()], [zero]), up]),
        ast.BoolOp(ast.And(), [ast.Compare(by, [ast.Lt()], [zero]), down])])
    advance = [_set(s, s.target.id, at), _set(s, names["next"], ast.BinOp(at, ast.Add(), by))]
    return [*first, _placed(ast.While(_all(s, goes_on, more), [*advance, *body], []), s)]


def _sign(step: ast.expr) -> int:
    """1 or -1 where the sign of a step can be seen."""
    match step:
        case ast.Constant(value=int(value)):
            return 1 if value > 0 else 0
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(value))):
            return -1 if value > 0 else 0
    return 0


@dataclass(slots=True)
class _Flags:
    """The flags of one loop: `broken` says that it is left, `skip` that the rest of an iteration is not executed."""

    loop: ast.stmt
    broken: str
    skip: str
    used: bool = False
    """Whether `skip` is needed."""

    def set(self, flag: str, value: bool) -> ast.stmt:
        """flag = value"""
        return _set(self.loop, flag, ast.Constant(value))

    def unset(self, flag: str) -> ast.expr:
        """not flag"""
        return _placed(ast.UnaryOp(ast.Not(), ast.Name(flag, ast.Load())), self.loop)

    def tail(self, block: Statements) -> Statements:
        """A block behind which the iteration ends."""
        result: Statements = []
        for i, s in enumerate(block):
            rest = block[i + 1:]
            if isinstance(s, ast.Continue):
                return result
            if isinstance(s, ast.Break):
                return [*result, self.set(self.broken, True)]
            if not isinstance(s, ast.If) or not any(_jumps([s])):
                result.append(s)
            elif _ends(s.body):
                return [*result, _if(s, self.tail(s.body), self.tail([*s.orelse, *rest]))]
            elif _ends(s.orelse):
                return [*result, _if(s, self.tail([*s.body, *rest]), self.tail(s.orelse))]
            elif not rest:
                return [*result, _if(s, self.tail(s.body), self.tail(s.orelse))]
            else:
                self.used = True
                guarded = _placed(ast.If(self.unset(self.skip), self.tail(rest), []), rest[0])
                return [*result, _if(s, self.flagged(s.body), self.flagged(s.orelse)), guarded]
        return result

    def flagged(self, block: Statements) -> Statements:
        """A block behind which more statements of the iteration come, if `skip` is not set."""
        result: Statements = []
        for i, s in enumerate(block):
            if isinstance(s, ast.Continue):
                return [*result, self.set(self.skip, True)]
            if isinstance(s, ast.Break):
                return [*result, self.set(self.skip, True), self.set(self.broken, True)]
            if not isinstance(s, ast.If) or not any(_jumps([s])):
                result.append(s)
                continue
            result.append(_if(s, self.flagged(s.body), self.flagged(s.orelse)))
            if rest := block[i + 1:]:
                result.append(_placed(ast.If(self.unset(self.skip), self.flagged(rest), []), rest[0]))
            return result
        return result


def _jumps(body: Statements) -> Iterator[ast.stmt]:
    """The jumps of the loop that a body belongs to."""
    for s in body:
        if isinstance(s, (ast.Break, ast.Continue)):
            yield s
        elif isinstance(s, ast.If):
            yield from _jumps(s.body)
            yield from _jumps(s.orelse)
        elif isinstance(s, (ast.For, ast.While)):
            yield from _jumps(s.orelse)


def _ends(body: Statements) -> bool:
    return bool(body) and isinstance(body[-1], (ast.Break, ast.Continue))


def _if(s: ast.If, body: Statements, orelse: Statements) -> ast.stmt:
    """An `if` with other branches; one that has nothing to do is turned round."""
    if not body and orelse:
        return _placed(ast.If(_placed(ast.UnaryOp(ast.Not(), s.test), s.test), orelse, []), s)
    return _placed(ast.If(s.test, body or [_placed(ast.Pass(), s)], orelse), s)


def _all(s: ast.stmt, *tests: ast.expr) -> ast.expr:
    return _placed(ast.BoolOp(ast.And(), list(tests)), s)


def _set(s: ast.stmt, name: str, value: ast.expr) -> ast.stmt:
    return _placed(ast.Assign([ast.Name(name, ast.Store())], value), s)


def _placed(node: N, place: ast.AST) -> N:
    """A new node, and what is new in it, with the place of another."""
    if not hasattr(node, "lineno"):
        ast.copy_location(node, place)
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.expr, ast.stmt)) and not hasattr(child, "lineno"):
            _placed(child, place)
    return node
