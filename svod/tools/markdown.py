"""Docstrings as Markdown: tables, escaped prose, and what stands below the names of a class or module.

Owns: how sources are read and how text is written for Markdown. Must not know pages.
Invariant: text comes out as it reads in the source, whatever signs it holds.
"""
from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterable, Sequence
from enum import Enum
from itertools import pairwise
from types import ModuleType


def prose(text: str) -> str:
    """Text of a docstring as Markdown in one line: signs that Markdown would read are escaped, except in `code`."""
    pieces = " ".join(text.split()).split("`")
    return "`".join(re.sub(r"([*<\[\]\\])", r"\\\1", p) if i % 2 == 0 else p for i, p in enumerate(pieces))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; cells are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def block(text: str) -> str:
    """Text as it is."""
    return f"```text\n{text}\n```"


def attribute_docs(where: type | ModuleType) -> dict[str, str]:
    """The strings below the attributes of a class, or below the names of a module."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(where)))
    body = tree.body if isinstance(where, ModuleType) else tree.body[0].body  # type: ignore[attr-defined]
    found = {}
    for statement, following in pairwise(body):
        match statement, following:
            case (ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)),
                  ast.Expr(value=ast.Constant(value=str(text)))):
                found[name] = " ".join(text.split())
    return found


def paragraphs(module: ModuleType) -> list[str]:
    """The paragraphs of a module's docstring."""
    return inspect.cleandoc(module.__doc__ or "").split("\n\n")


def members(kind: type[Enum]) -> str:
    """An enum as a list: its values and what they mean."""
    told = attribute_docs(kind)
    return "\n".join(f"- `{m.value}`{': ' + prose(told[m.name]) if m.name in told else ''}" for m in kind)


def invariant(module: ModuleType) -> str:
    """The invariant that a module's docstring states, as a sentence."""
    found = inspect.cleandoc(module.__doc__ or "").partition("Invariant: ")[2].split("\n\n")[0]
    return found[:1].upper() + found[1:]
