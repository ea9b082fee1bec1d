"""Where a function was written: its syntax tree with the lines of its file, and places for error messages.

Owns: finding the tree of a function or lambda, `Place`. Must not know values.
Invariant: trees carry the line numbers of the file, so every message points at the user's line.
"""
from __future__ import annotations

import ast
import linecache
import types
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from svod.errors import KernelError

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True, slots=True)
class Place:
    """A piece of source: file, line and column (both from 1), the end of the piece."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    @staticmethod
    def of(file: str, node: ast.AST) -> Place:
        """The place of a node of a tree of `file`."""
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        end = (getattr(node, "end_col_offset", None) or column + 1) + 1
        return Place(file, line, column + 1, getattr(node, "end_lineno", line) or line, end)

    def __str__(self) -> str:
        """file:line:column"""
        return f"{self.file}:{self.line}:{self.column}"

    def shown(self) -> str:
        """file:line:column, the line, and a caret under the piece."""
        text = linecache.getline(self.file, self.line).rstrip("\n")
        if not text.strip():
            return str(self)
        start = len(text.encode()[: self.column - 1].decode(errors="replace"))
        end = len(text.encode()[: self.end_column - 1].decode(errors="replace")) if self.end_line == self.line else len(text)
        return f"{self}\n    {text}\n    {' ' * start}{'^' * max(1, end - start)}"


@dataclass(frozen=True, slots=True)
class Source:
    """A function as it was written."""

    file: str
    node: FunctionNode

    @property
    def name(self) -> str:
        """Name of the function."""
        return "<lambda>" if isinstance(self.node, ast.Lambda) else self.node.name


def source_of(function: types.FunctionType) -> Source:
    """The tree of a function. KernelError where its source is not to be had (exec, a session without history), or has changed."""
    code = function.__code__
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename, function.__globals__)  # inspect.findsource looks through all modules first: 8 ms
    if not lines:
        raise KernelError(f"the source of {function.__qualname__!r} is not to be had", at=f"{code.co_filename}:{code.co_firstlineno}",
                          hint="kernels and their helpers are written in a file; text given to exec() has no source")
    tree = _parsed(code.co_filename, "".join(lines))
    found = [n for n in _functions(tree).get(code.co_firstlineno, ()) if _matches(n, code)]
    if len(found) > 1:
        found = [n for n in found if _column(code) is None or _covers(n, code)]
    if not found:
        raise KernelError(f"{function.__qualname__!r} is not in line {code.co_firstlineno} of its file any more",
                          at=f"{code.co_filename}:{code.co_firstlineno}", hint="the file changed after it was imported: import it again")
    return Source(code.co_filename, found[0])


@lru_cache(maxsize=64)
def _parsed(file: str, text: str) -> ast.Module:
    try:
        return ast.parse(text, file)
    except SyntaxError as e:
        raise KernelError(f"the source of {file} cannot be parsed: {e.msg}", at=f"{file}:{e.lineno}",
                          hint="it changed after it was imported?") from None


@lru_cache(maxsize=64)
def _functions(tree: ast.Module) -> dict[int, list[FunctionNode]]:
    """First line (of the first decorator) -> functions and lambdas that begin there."""
    table: dict[int, list[FunctionNode]] = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            table.setdefault(min([node.lineno, *(d.lineno for d in node.decorator_list)]), []).append(node)
        elif isinstance(node, ast.Lambda):
            table.setdefault(node.lineno, []).append(node)
    return table


def _matches(node: FunctionNode, code: types.CodeType) -> bool:
    name = "<lambda>" if isinstance(node, ast.Lambda) else node.name
    a = node.args
    names = [x.arg for x in (*a.posonlyargs, *a.args, *a.kwonlyargs)]
    return name == code.co_name and tuple(names) == code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def _column(code: types.CodeType) -> tuple[int, int] | None:
    """(line, column) of the first instruction that has one."""
    for line, _, column, _ in code.co_positions():
        if line is not None and column is not None and column > 0:
            return line, column
    return None


def _covers(node: FunctionNode, code: types.CodeType) -> bool:
    """True if every position of the code lies in the node, which tells two lambdas of one line apart."""
    start, end = (node.lineno, node.col_offset), (node.end_lineno or node.lineno, node.end_col_offset or 0)
    positions = [(line, column) for line, _, column, _ in code.co_positions() if line is not None and column is not None]
    spots = [spot for spot in positions if spot > (code.co_firstlineno, 0)]
    inner = [n for n in ast.walk(node) if n is not node and isinstance(n, (ast.Lambda, ast.FunctionDef))]
    if any(_covers_only(n, spots) for n in inner):
        return False
    return all(start <= spot <= end for spot in spots)


def _covers_only(node: Any, spots: list[tuple[int, int]]) -> bool:
    start, end = (node.lineno, node.col_offset), (node.end_lineno or node.lineno, node.end_col_offset or 0)
    return bool(spots) and all(start <= spot <= end for spot in spots)
