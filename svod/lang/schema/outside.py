"""What a name in a function stands for outside of it: closures, globals, builtins, attributes of them.

Owns: `outside`, `MISSING`. Must not know anything else. Invariant: no code of the user is executed but attribute look-up.
"""
from __future__ import annotations

import ast
import types
from collections.abc import Container
from typing import Any

from svod.lang.builtin import Name

MISSING: Any = object()


def outside(function: types.FunctionType, node: ast.AST, inside: Container[str] = ()) -> Any:
    """The object that a name, or an attribute of one, stands for; MISSING if it is one of the names `inside`, not bound, or no name.

    Attributes of the language's own objects (thread_idx.x) are MISSING: they stand for nothing outside of a running kernel.
    """
    if isinstance(node, ast.Attribute):
        owner = outside(function, node.value, inside)
        return MISSING if owner is MISSING or isinstance(owner, Name) else getattr(owner, node.attr, MISSING)
    if not isinstance(node, ast.Name) or node.id in inside:
        return MISSING
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=False))
    if node.id in cells:
        try:
            return cells[node.id].cell_contents
        except ValueError:
            return MISSING
    names = function.__globals__
    if node.id in names:
        return names[node.id]
    built = names.get("__builtins__", {})
    return built.get(node.id, MISSING) if isinstance(built, dict) else getattr(built, node.id, MISSING)
