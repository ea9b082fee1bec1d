"""Where a function was written: its syntax tree with the lines of its file, and places for error messages.

Owns: finding the tree of a function or lambda, `Place`. Must not know values.
Invariant: trees carry the line numbers of the file, so every message points at the user's line.
"""
from __future__ import annotations

import ast
import linecache
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from svod.device.locks import new_lock
from svod.errors import KernelError
from svod.lang.carried import rewritten

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_parsing = new_lock()
"""Python 3.11 counts the depth of trees that are being made for all threads together: two at a time can be a SystemError."""


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

    @property
    def place(self) -> tuple[str, int, int]:
        """Where it begins: the same for two trees of one function."""
        return (self.file, self.node.lineno, self.node.col_offset)


@dataclass(frozen=True, slots=True)
class _Read:
    """The lines of a file, and the import of it that they are of: the names of its module, and the spec, which a reload makes anew."""

    names: dict[str, Any]
    spec: Any
    lines: Sequence[str]


_READ: dict[str, _Read] = {}
"""File -> how it was when its module was imported: what Python runs, whatever has become of the file since."""


def remember_source(function: types.FunctionType) -> None:
    """Reads the file of a kernel that is being declared (of a helper that is first called), once for each import of it."""
    names, file = function.__globals__, function.__code__.co_filename
    known, spec = _READ.get(file), names.get("__spec__")
    lines = _lines(function)
    same = known is not None and known.names is names and known.spec is spec
    if lines and not (same and (known.lines is lines or not _is_of(lines, function.__code__))):  # type: ignore[union-attr]
        _READ[file] = _Read(names, spec, lines)


def _is_of(lines: Sequence[str], code: types.CodeType) -> bool:
    """Whether a function was compiled from these lines: those of a file that has changed may have been executed anew, or only edited."""
    try:
        text = compile(_block(lines, code.co_firstlineno), code.co_filename, "exec", dont_inherit=True)
    except (SyntaxError, IndexError, ValueError):
        return False
    inner = [text]
    for found in inner:
        inner += [c for c in found.co_consts if isinstance(c, types.CodeType)]
    return any(_alike(found, code) for found in inner)


def _alike(a: types.CodeType, b: types.CodeType) -> bool:
    def parts(code: types.CodeType) -> tuple[object, ...]:
        plain = [(type(c), c) for c in code.co_consts if not isinstance(c, types.CodeType)]
        return code.co_name, code.co_firstlineno, code.co_code, code.co_names, code.co_varnames, plain

    return parts(a) == parts(b)


def _lines(function: types.FunctionType) -> Sequence[str]:
    """The lines of its file as it is now."""
    linecache.checkcache(function.__code__.co_filename)
    return linecache.getlines(function.__code__.co_filename, function.__globals__)  # inspect.findsource looks through all modules: 8 ms


def source_of(function: types.FunctionType) -> Source:
    """The tree of a function. KernelError where its source is not to be had (exec, a session without history), or has changed."""
    code = function.__code__
    remember_source(function)
    known = _READ.get(code.co_filename)
    lines = known.lines if known is not None else ()
    if not lines:
        raise KernelError(f"the source of {function.__qualname__!r} is not to be had", at=f"{code.co_filename}:{code.co_firstlineno}",
                          hint="kernels and their helpers are written in a file; text given to exec() has no source")
    found = _written_at(lines, code)
    if len(found) > 1:
        found = [n for n in found if _column(code) is None or _covers(n, code)]
    if not found:
        raise KernelError(f"{function.__qualname__!r} is not in line {code.co_firstlineno} of its file any more",
                          at=f"{code.co_filename}:{code.co_firstlineno}", hint="the file changed after it was imported: import it again")
    return Source(code.co_filename, found[0])


def _written_at(lines: Sequence[str], code: types.CodeType) -> list[FunctionNode]:
    """The functions that begin in the code's first line and look like it. The whole file is parsed only where its own lines do not do."""
    line = code.co_firstlineno
    try:
        found = [n for n in _functions(_parsed(code.co_filename, _block(lines, line)), line) if _matches(n, code)]
    except (SyntaxError, IndexError):
        found = []
    try:
        return found or [n for n in _functions(_parsed(code.co_filename, "".join(lines)), line) if _matches(n, code)]
    except SyntaxError as e:
        raise KernelError(f"the source of {code.co_filename} cannot be parsed: {e.msg}", at=f"{code.co_filename}:{e.lineno}",
                          hint="it changed after it was imported?") from None


def _block(lines: Sequence[str], line: int) -> str:
    """The lines of the statement that begins in `line`, by their indentation, where they stand in the file: blank lines before them.

    A line that does not go on deeper ends it, unless it stands in brackets, in a string or after a backslash; what is cut off there is
    no Python, so it cannot be mistaken for the statement.
    """
    def depth(text: str) -> int:
        return len(text) - len(text.lstrip())

    own, end = depth(lines[line - 1]), line
    while lines[end - 1].lstrip().startswith("@"):
        end += 1
    while end < len(lines) and (depth(lines[end]) > own or not lines[end].strip() or lines[end].lstrip().startswith(("#", ")", "]"))):
        end += 1
    front = "\n" * (line - 2) + "if 1:\n" if own else "\n" * (line - 1)
    return front + "".join(lines[line - 1:end])


@lru_cache(maxsize=256)
def _parsed(file: str, text: str) -> ast.Module:
    """The tree of a text; the same one for the same text, so that what is known of a node is known the next time. SyntaxError."""
    with _parsing:
        tree = ast.parse(text, file)
    return rewritten(tree, text)


def _functions(tree: ast.Module, line: int) -> Iterator[FunctionNode]:
    """The functions and lambdas that begin in a line (the line of the first decorator). Looks only into what stands around the line."""
    around: list[ast.AST] = [tree]
    while around:
        node = around.pop()
        first = min([getattr(node, "lineno", line), *(d.lineno for d in getattr(node, "decorator_list", ()))])
        if not first <= line <= getattr(node, "end_lineno", line):
            continue
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) and first == line:
            yield node
        around.extend(ast.iter_child_nodes(node))


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
