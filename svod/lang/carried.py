"""Loops whose carried values are written out: `for i, state in range(a, b, init=[…]):`, the body ending in `results = yield […]`.

Owns: the form, turned into assignments before anything is traced. Must not know values.
Invariant: `state` is a list of the values carried so far; `results` is, behind the loop, the last list that was yielded, or the value if it
is one; with no iteration it is that of `init`. Loops of another form stay as they are, and the tracer refuses them.
"""
from __future__ import annotations

import ast
import re

_FORM = re.compile(r"\binit\s*=")


def rewritten(tree: ast.Module, text: str) -> ast.Module:
    """The tree of `text` with each such loop replaced, in place. Places are those of what was written."""
    if "yield" in text and _FORM.search(text):
        _Rewriter().visit(tree)
    return tree


class _Rewriter(ast.NodeTransformer):
    def visit_For(self, node: ast.For) -> ast.AST | list[ast.AST]:
        """Inner loops first."""
        self.generic_visit(node)
        start = _initial(node.iter)
        last = node.body[-1]
        if start is None or not isinstance(last, (ast.Assign, ast.Expr)) or not isinstance(last.value, ast.Yield):
            return node
        if not isinstance(node.target, ast.Tuple) or len(node.target.elts) != 2 or node.orelse or last.value.value is None:
            return node
        assert isinstance(node.iter, ast.Call)
        name = f"the yield of line {last.lineno}"
        counter, state = node.target.elts
        node.target, node.iter.keywords = counter, []
        node.body = [_assign([state], _all(_read(name)), node), *node.body[:-1], _assign([_store(name)], _listed(last.value.value), last)]
        done: list[ast.AST] = [_assign([_store(name)], _listed(start), node), node]
        if isinstance(last, ast.Assign):
            done.append(_assign(last.targets, _results(name), last))
        return done


def _initial(call: ast.expr) -> ast.expr | None:
    """What `init=` of a range() is; None if the call is anything else."""
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.func.id != "range":
        return None
    return call.keywords[0].value if [k.arg for k in call.keywords] == ["init"] else None


def _read(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _store(name: str) -> ast.Name:
    return ast.Name(name, ast.Store())


def _all(value: ast.expr) -> ast.expr:
    """[*value]"""
    return ast.List([ast.Starred(value, ast.Load())], ast.Load())


def _listed(value: ast.expr) -> ast.expr:
    """A list of what `yield` or `init=` was given: the items of a list or a tuple, or the one value."""
    if isinstance(value, (ast.List, ast.Tuple)):
        return ast.copy_location(ast.List(value.elts, ast.Load()), value)
    several = ast.Call(_read("isinstance"), [value, ast.Tuple([_read("list"), _read("tuple")], ast.Load())], [])
    return ast.IfExp(several, _all(value), ast.List([value], ast.Load()))


def _results(name: str) -> ast.expr:
    """The one value, or the list of them."""
    one = ast.Compare(ast.Call(_read("len"), [_read(name)], []), [ast.Eq()], [ast.Constant(1)])
    return ast.IfExp(one, ast.Subscript(_read(name), ast.Constant(0), ast.Load()), _all(_read(name)))


def _assign(targets: list[ast.expr], value: ast.expr, place: ast.AST) -> ast.stmt:
    made = ast.Assign(targets, value)
    ast.copy_location(made, place)
    if isinstance(place, ast.For):  # the line of the header, not the whole loop
        made.end_lineno, made.end_col_offset = place.iter.end_lineno, place.iter.end_col_offset
    return ast.fix_missing_locations(made)
