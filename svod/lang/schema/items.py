"""How many work items a kernel is for: read off the guards it has, `if i < n:` and its relatives.

Owns: `WorkItems`, `work_items`. Must not know documents, launches or values of arrays.
Invariant: the number is right or there is none: a kernel does nothing in work items beyond it. Every store and every call that may change
memory is under conditions that bound the id; it matters up to the least of these bounds; the kernel, up to the greatest of its effects'.

What is understood: the id under any name, also `id // k`, `id * k`, `id + k`, `id - k`; `<`, `<=`, `==` on either side, chains, `and`,
`not`; `if i >= n: return` (or a `continue`) before what it guards; bounds made of scalar parameters and of names assigned once from such.
"""
from __future__ import annotations

import ast
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from svod.errors import KernelError, LaunchError
from svod.lang import ids
from svod.lang.builtin import Builtin, meant
from svod.lang.schema.outside import MISSING, outside
from svod.lang.schema.vocabulary import FUNCTIONS, IMPURE, get_global_id
from svod.lang.source import source_of
from svod.lang.types import dtype_of

Values = Mapping[str, Any]
Limit = Callable[[Values], int]
"""Values of the scalar parameters -> the least id that a condition excludes, with all above it."""
_PURE = {b.apply for n, b in FUNCTIONS.items() if isinstance(b, Builtin) and n not in IMPURE}
_ARITHMETIC: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: lambda a, b: a + b, ast.Sub: lambda a, b: a - b, ast.Mult: lambda a, b: a * b, ast.FloorDiv: lambda a, b: a // b,
    ast.Mod: lambda a, b: a % b}
_MIRRORED: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE, ast.Eq: ast.Eq,
                                                     ast.NotEq: ast.NotEq}
_NEGATED: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.NotEq: ast.Eq, ast.Lt: ast.GtE,
                                                    ast.LtE: ast.Gt, ast.Eq: ast.NotEq}
_DEPTH = 16
"""Names on the way from a condition to the id."""
CALLS = 4
"""Depth of calls that are looked into."""


@dataclass(frozen=True, slots=True)
class WorkItems:
    """The number of work items of a kernel, as a function of its scalar arguments."""

    effects: tuple[tuple[Limit, ...], ...]
    """For each effect the limits it is under."""

    def count(self, scalars: Values) -> int:
        """The number for these values. LaunchError if they give none."""
        try:
            if len(self.effects) == 1 and len(self.effects[0]) == 1:
                return max(0, self.effects[0][0](scalars))
            return max(0, *(min(limit(scalars) for limit in limits) for limits in self.effects))
        except (ZeroDivisionError, TypeError, KeyError) as e:
            raise LaunchError(f"the number of work items cannot be computed: {e}", hint="give it: threads=n") from e


def work_items(function: types.FunctionType) -> WorkItems | None:
    """The number of work items `function` is for; 1 if it asks for no id; None if its guards do not say. KernelError without source."""
    node = source_of(function).node
    if not isinstance(node, ast.FunctionDef):
        return None
    reader = _Reader(function, node)
    if not reader.asks(node):
        return WorkItems(((lambda _: 1,),))
    reader.block(node.body, ())
    if not reader.effects or not all(reader.effects):
        return None
    return WorkItems(tuple(reader.effects))


@dataclass(slots=True)
class _Reader:
    """Goes through one function."""

    function: types.FunctionType
    node: ast.FunctionDef
    effects: list[tuple[Limit, ...]] = field(default_factory=list)
    once: dict[str, ast.expr] = field(default_factory=dict)
    """Names assigned once -> what."""
    assigned: set[str] = field(default_factory=set)
    inside: frozenset[str] = frozenset()
    depth: int = 0
    """Calls around it."""

    def __post_init__(self) -> None:
        counts: dict[str, int] = {}
        for n in ast.walk(self.node):
            if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load):
                counts[n.id] = counts.get(n.id, 0) + 1
        self.assigned = set(counts)
        parameters = {a.arg for a in self.node.args.args}
        self.inside = frozenset(self.assigned | parameters)
        for n in ast.walk(self.node):
            match n:
                case ast.Assign(targets=[ast.Name() as target], value=value) | ast.AnnAssign(target=ast.Name() as target, value=value):
                    if value is not None and counts[target.id] == 1 and target.id not in parameters:
                        self.once[target.id] = value
                case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)) if len(names) == len(values):
                    self.once |= {t.id: v for t, v in zip(names, values, strict=True)
                                  if isinstance(t, ast.Name) and counts[t.id] == 1 and t.id not in parameters}

    # --- names ---------------------------------------------------------------------------------------------------------------------

    def outside(self, node: ast.AST) -> Any:
        """The object a name of the outside stands for."""
        return outside(self.function, node, self.inside)

    def is_id(self, node: ast.expr) -> bool:
        """Whether a call gives the id of the work item."""
        if not isinstance(node, ast.Call):
            return False
        called = self.outside(node.func)
        if not isinstance(called, Builtin):
            return False
        first_axis = not node.args or (isinstance(node.args[0], ast.Constant) and node.args[0].value == 0)
        return called.apply is get_global_id.apply or (called.apply is ids.global_id.apply and first_axis and not node.keywords)

    def asks(self, node: ast.AST) -> bool:
        """Whether anything in it asks for the place of the work item, also in functions it calls."""
        for n in ast.walk(node):
            found = self.outside(n)
            module = getattr(getattr(found, "apply", None) or getattr(found, "read", None), "__module__", "")
            if module == ids.__name__ or (isinstance(found, Builtin) and found.apply is get_global_id.apply):
                return True
            if isinstance(found, types.FunctionType) and (inner := _inside(found, self.depth)) is not None and inner.asks(inner.node):
                return True
        return False

    # --- statements ----------------------------------------------------------------------------------------------------------------

    def block(self, body: list[ast.stmt], limits: tuple[Limit, ...]) -> None:
        """Notes the effects of statements that run only where the id is below all `limits`."""
        for s in body:
            if isinstance(s, ast.If):
                self._expressions(s.test, limits)
                yes, no = self.limits(s.test, True), self.limits(s.test, False)
                self.block(s.body, (*limits, *yes))
                self.block(s.orelse, (*limits, *no))
                if _leaves(s.body):
                    limits = (*limits, *no)
                if _leaves(s.orelse):
                    limits = (*limits, *yes)
            elif isinstance(s, (ast.For, ast.While)):
                self._expressions(s.iter if isinstance(s, ast.For) else s.test, limits)
                inner = (*limits, *self.limits(s.test, True)) if isinstance(s, ast.While) else limits
                self.block(s.body, inner)
                self.block(s.orelse, limits)
            else:
                self._expressions(s, limits)

    def _expressions(self, node: ast.AST, limits: tuple[Limit, ...]) -> None:
        for n in ast.walk(node):
            stores = isinstance(n, ast.Subscript) and isinstance(n.ctx, ast.Store)
            if stores or (isinstance(n, ast.Call) and self._changes(n)) or isinstance(n, (ast.Assert, ast.Delete)):
                self.effects.append(limits)

    def _changes(self, node: ast.Call) -> bool:
        """Whether a call may have an effect."""
        called = self.outside(node.func)
        if isinstance(called, Builtin):
            return called.apply not in _PURE and called.apply is not ids.global_id.apply
        if called is MISSING:
            return True
        if dtype_of(called) is not None or called is range or meant(called, dynamic=True) is not None:
            return False
        inner = _inside(called, self.depth) if isinstance(called, types.FunctionType) else None
        if inner is None:
            return True
        inner.block(inner.node.body, ())
        return bool(inner.effects)

    # --- conditions ----------------------------------------------------------------------------------------------------------------

    def limits(self, test: ast.expr, holds: bool) -> tuple[Limit, ...]:
        """Limits of the id where a condition holds, or does not."""
        match test:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self.limits(operand, not holds)
            case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq() as same], comparators=[ast.Constant(value=bool(value))]):
                return self.limits(left, (holds == value) == isinstance(same, ast.Eq))
            case ast.BoolOp(op=op, values=values) if isinstance(op, ast.And) == holds:
                return tuple(limit for v in values for limit in self.limits(v, holds))
            case ast.Name(id=name) if name in self.once and name not in _names(self.once[name]):
                return self.limits(self.once[name], holds)
            case ast.Compare(left=left, ops=kinds, comparators=comparators) if holds or len(kinds) == 1:
                found: list[Limit] = []
                for a, each, b in zip((left, *comparators), kinds, comparators, strict=False):
                    kind = type(each) if holds else _NEGATED.get(type(each), type(each))
                    found += [x for x in (self._limit(a, kind, b), self._limit(b, _MIRRORED.get(kind, ast.Is), a)) if x is not None]
                return tuple(found)
        return ()

    def _limit(self, left: ast.expr, kind: type[ast.cmpop], right: ast.expr) -> Limit | None:
        """The limit that `left kind right` is, if `left` is made of the id and `right` of scalars."""
        if kind not in (ast.Lt, ast.LtE, ast.Eq):
            return None
        bound, back = self.number(right), self.back(left)
        if bound is None or back is None:
            return None
        more = 0 if kind is ast.Lt else 1
        return lambda values: back(bound(values) + more, values)

    def back(self, node: ast.expr, depth: int = 0) -> Callable[[int, Values], int] | None:
        """For an expression f(id): the function from a limit of f(id) to the limit of the id. None if it is no such."""
        if self.is_id(node):
            return lambda limit, _: limit
        match node:
            case ast.Name(id=name) if name in self.once and depth < _DEPTH:
                return self.back(self.once[name], depth + 1)
            case ast.Call(func=func, args=[inner], keywords=[]) if _is_integer(dtype_of(self.outside(func))):
                return self.back(inner, depth + 1)
            case ast.BinOp(left=left, op=op, right=right):
                outer, k = self.back(left, depth + 1), self.number(right)
                if (outer is None or k is None) and isinstance(op, (ast.Add, ast.Mult)):
                    outer, k = self.back(right, depth + 1), self.number(left)
                undo = _UNDO.get(type(op))
                if outer is None or k is None or undo is None:
                    return None
                inside, factor, reverse = outer, k, undo
                return lambda limit, values: inside(reverse(limit, factor(values)), values)
        return None

    def number(self, node: ast.expr, depth: int = 0) -> Limit | None:
        """An integer made of scalar parameters, constants and names assigned once. None for anything else."""
        match node:
            case ast.Constant(value=int(value)):
                return lambda _: value
            case ast.Name(id=name) if name in self.once and depth < _DEPTH:
                return self.number(self.once[name], depth + 1)
            case ast.Name(id=name) if name in self.inside - self.assigned:
                return lambda values: _integer(values[name])
            case ast.Name() | ast.Attribute() if isinstance(value := self.outside(node), int):
                return lambda _: int(value)
            case ast.Call(func=func, args=[inner], keywords=[]) if _is_integer(dtype_of(self.outside(func))):
                return self.number(inner, depth + 1)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                a, b, compute = self.number(left, depth + 1), self.number(right, depth + 1), _ARITHMETIC[type(op)]
                if a is not None and b is not None:
                    first, second = a, b
                    return lambda values: compute(first(values), second(values))
        return None


def _inside(function: types.FunctionType, depth: int) -> _Reader | None:
    """A reader of a function that a kernel calls; None where its source is not to be had, or calls are nested deep."""
    try:
        node = source_of(function).node
    except KernelError:
        return None
    return _Reader(function, node, depth=depth + 1) if isinstance(node, ast.FunctionDef) and depth < CALLS else None


def _over(limit: int, k: int) -> int:
    """f(id) = id // k."""
    return limit * k if k > 0 else _never(k)


def _times(limit: int, k: int) -> int:
    """f(id) = id * k."""
    return -(-limit // k) if k > 0 else _never(k)


def _never(k: int) -> int:
    raise TypeError(f"the id is multiplied or divided by {k}")


_UNDO: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.FloorDiv: _over, ast.Mult: _times, ast.Add: lambda limit, k: limit - k, ast.Sub: lambda limit, k: limit + k}


def _integer(value: Any) -> int:
    if isinstance(value, float) or not hasattr(value, "__index__"):
        raise TypeError(f"{value!r} is no integer")
    return int(value)


def _is_integer(dtype: Any) -> bool:
    return dtype is not None and bool(dtype.is_int)


def _names(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def _leaves(body: list[ast.stmt]) -> bool:
    """Whether what follows a block is not reached from it."""
    return bool(body) and (isinstance(body[-1], (ast.Return, ast.Continue, ast.Break, ast.Raise))
                           or (isinstance(body[-1], ast.If) and _leaves(body[-1].body) and _leaves(body[-1].orelse)))
