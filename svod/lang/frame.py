"""The names of one function that is being traced: locals, the functions around it, closures, globals; and what was read of the outside.

Owns: `Frame`, `Closure`, name look-up, `Dependency`. Must not know statements or arithmetic.
Invariant: every name that is read from outside the traced code (global, closure, attribute of a module) leaves a Dependency, so that a
kernel that was traced with another value is not used again.
"""
from __future__ import annotations

import array
import ast
import builtins
import types
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from svod.errors import KernelError
from svod.lang.liveness import Liveness, analyse, assigned
from svod.lang.source import FunctionNode, Source
from svod.lang.value import Unbound

_MISSING = object()


@dataclass(frozen=True, slots=True, eq=False)
class Closure:
    """A function or lambda that traced code defined: its tree, the frame it was defined in, the values of its defaults."""

    source: Source
    frame: Frame
    defaults: tuple[Any, ...] = ()
    keyword_defaults: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Dependency:
    """Something outside a kernel that its trace read: `name` for messages, how to read it again, what it was."""

    name: str
    read: Callable[[], Any]
    value: Any
    frozen: Any

    def unchanged(self) -> bool:
        """True if it is still what it was: the same object if it cannot change, the same contents, the same code."""
        try:
            now = self.read()
        except (AttributeError, KeyError, ValueError):
            return False
        if now is self.value and isinstance(self.frozen, Same):
            return True
        return bool(_frozen(now) == self.frozen)


@dataclass(frozen=True, slots=True, eq=False)
class Same:
    """Equal to itself around the same object only."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def _frozen(value: Any) -> Any:
    """What a value is compared by."""
    if isinstance(value, (bool, int, str, bytes, type(None))):
        return (type(value), value)
    if isinstance(value, float):
        return (float, value.hex())
    if isinstance(value, (list, tuple)):
        return (type(value), tuple(_frozen(v) for v in value))
    if isinstance(value, (dict, types.MappingProxyType)):
        return (type(value), tuple((_frozen(k), _frozen(v)) for k, v in value.items()))
    if isinstance(value, (set, frozenset)):
        return (type(value), frozenset(_frozen(v) for v in value))
    if isinstance(value, (deque, range)):
        return (type(value), tuple(value) if isinstance(value, deque) else value)
    if isinstance(value, (bytearray, array.array)):
        return (type(value), getattr(value, "typecode", ""), bytes(value))
    if isinstance(value, np.ndarray):
        return (np.ndarray, value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, np.generic):
        return (type(value), value.tobytes())
    if isinstance(value, types.FunctionType):
        return (types.FunctionType, Same(value.__code__), _frozen(value.__defaults__), _frozen(value.__kwdefaults__))
    return Same(value)


def dependency(name: str, read: Callable[[], Any], value: Any) -> Dependency:
    """The dependency on what `read` gives, which is `value` now."""
    return Dependency(name, read, value, _frozen(value))


def is_plain(value: Any) -> bool:
    """True if the same object is the same value: nothing in it can change."""
    if isinstance(value, (tuple, frozenset)):
        return all(map(is_plain, value))
    return isinstance(value, _PLAIN)


def is_comparable(value: Any) -> bool:
    """True if two objects with the same contents are known as such: numbers, text, arrays and containers of these."""
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(map(is_comparable, value))
    if isinstance(value, dict):
        return all(map(is_comparable, value.values()))
    return is_plain(value) or isinstance(value, (np.ndarray, np.generic))


_PLAIN = (bool, int, float, complex, str, bytes, type(None), type, types.ModuleType, types.BuiltinFunctionType, range)


@dataclass(slots=True, eq=False)
class Frame:
    """One activation of a function: its names and what it stands in."""

    source: Source
    names: frozenset[str]
    """Names local to the function."""
    locals: dict[str, Any] = field(default_factory=dict)
    parent: Frame | None = None
    """The frame of the function around a nested one."""
    origin: Any = None
    """The Python function, of the outermost frame of traced code."""
    liveness: Liveness = field(default_factory=Liveness)
    depth: int = 0
    """How many dynamic branches and loops were open when it was entered."""
    outer: frozenset[str] = frozenset()
    """Names declared nonlocal."""
    comprehension: bool = False
    scope: Any = None
    """Where its returns lead; None for the kernel itself."""

    def root(self) -> Frame:
        """The frame of the outermost function around it."""
        return self if self.parent is None else self.parent.root()

    def owner(self, name: str) -> Frame | None:
        """The frame whose local a name is; None for names of closures, globals and builtins."""
        if name in self.names and name not in self.outer:
            return self
        return self.parent.owner(name) if self.parent is not None else None


def local_names(node: FunctionNode) -> tuple[frozenset[str], frozenset[str]]:
    """Names local to a function, and those it declares nonlocal."""
    parameters = {a.arg for a in _all_arguments(node.args)}
    if isinstance(node, ast.Lambda):
        walrus = {n.target.id for n in ast.walk(node.body) if isinstance(n, ast.NamedExpr)}
        return frozenset(parameters | walrus), frozenset()
    declared = [n for s in node.body for n in _own(s) if isinstance(n, (ast.Global, ast.Nonlocal))]
    outside = frozenset(name for n in declared for name in n.names)
    bound = {n.id for s in node.body for n in _own(s) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    bound |= {n.name for s in node.body for n in _own(s) if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    imports = [n for s in node.body for n in _own(s) if isinstance(n, (ast.Import, ast.ImportFrom))]
    bound |= {(a.asname or a.name).split(".")[0] for n in imports for a in n.names}
    nonlocals = frozenset(name for n in declared if isinstance(n, ast.Nonlocal) for name in n.names)
    return frozenset(parameters | bound) - outside, nonlocals


def _own(node: ast.AST) -> list[ast.AST]:
    """The nodes of a statement, without the bodies of nested functions and the targets of comprehensions."""
    found: list[ast.AST] = []
    stack = [node]
    while stack:
        n = stack.pop()
        found.append(n)
        if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            continue
        if isinstance(n, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            found.extend(w for w in ast.walk(n) if isinstance(w, ast.NamedExpr))
            found.extend(w.target for w in ast.walk(n) if isinstance(w, ast.NamedExpr))
            continue
        stack.extend(ast.iter_child_nodes(n))
    return found


def _all_arguments(a: ast.arguments) -> list[ast.arg]:
    return [*a.posonlyargs, *a.args, *a.kwonlyargs, *([a.vararg] if a.vararg else []), *([a.kwarg] if a.kwarg else [])]


@lru_cache(maxsize=1024)
def facts(node: FunctionNode) -> tuple[frozenset[str], frozenset[str], Liveness]:
    """Local names, nonlocal names and liveness of a function; computed once for a tree."""
    body: list[ast.stmt] = [ast.Expr(node.body)] if isinstance(node, ast.Lambda) else node.body
    return (*local_names(node), analyse(body))


def look_up(frame: Frame, name: str, note: Callable[[Dependency], None]) -> Any:
    """The value of a name. KernelError if it is not bound, or not on every path."""
    owner = frame.owner(name)
    if owner is not None:
        value = owner.locals.get(name, _MISSING)
        if value is _MISSING:
            raise KernelError(f"{name!r} is read before it is bound", hint="bind it on every path that leads here")
        if isinstance(value, Unbound):
            raise KernelError(value.what, hint=value.hint)
        return value
    function = frame.root().origin
    if function is None:
        raise KernelError(f"{name!r} is not defined")
    return _outside(function, name, note)


def _outside(function: types.FunctionType, name: str, note: Callable[[Dependency], None]) -> Any:
    code = function.__code__
    if name in code.co_freevars:
        cell = (function.__closure__ or ())[code.co_freevars.index(name)]
        try:
            value = cell.cell_contents
        except ValueError:
            raise KernelError(f"{name!r} is read before it is bound") from None
        note(dependency(name, lambda: cell.cell_contents, value))
        return value
    names = function.__globals__
    if name in names:
        value = names[name]
        note(dependency(name, lambda: names[name], value))
        return value
    if hasattr(builtins, name):
        return getattr(builtins, name)
    raise KernelError(f"name {name!r} is not defined")


__all__ = ["Closure", "Dependency", "Frame", "assigned", "dependency", "facts", "look_up"]
