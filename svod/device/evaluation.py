"""Integer expressions over a program's variables: compiled once, evaluated at every launch.

Owns: what an expression of a launch size (or of reach, or of work) means. Must not know what its values are used for.
Invariant: an evaluator gives the exact integers, or a LaunchError; it never wraps, never rounds, never gives a part of its result.

An evaluator is made of two parts, from one table of forms. Straight-line Python, generated once, checks the variables and computes; it
guards only what intervals cannot prove harmless. Whatever it meets that is not plain (an overflow, a zero divisor, a NumPy integer, a
missing name) it leaves to a slow walk over the graph, which evaluates only the arm that a WHERE takes, and says what is wrong.
"""
from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from svod.device.arguments import ScalarArg, check_values
from svod.dtype import dtypes
from svod.errors import LaunchError
from svod.ir.ops import COMPARISONS, Op
from svod.ir.uop import UOp

Values = Mapping[str, int] | Sequence[int]
Evaluator = Callable[[Values], tuple[int, ...]]
"""Values of the variables, by name or in order -> one int for each expression. LaunchError."""
Range = tuple[int, int]
"""Least and greatest value, inclusive."""

WHOLE: Range = (-(1 << 63), (1 << 63) - 1)
COUNTS: Range = (0, 63)
"""Of bits that a shift may be by."""
_PLAIN = (tuple, list, dict)


# --- what an op means --------------------------------------------------------------------------------------------------------------

_FORM: dict[Op, str] = {
    Op.ADD: "{0} + {1}", Op.SUB: "{0} - {1}", Op.MUL: "{0} * {1}", Op.NEG: "-{0}", Op.ABS: "abs({0})",
    Op.FLOORDIV: "{0} // {1}", Op.FLOORMOD: "{0} % {1}",
    Op.IDIV: "{0} // {1} if ({0} < 0) == ({1} < 0) else -(-{0} // {1})",
    Op.MOD: "{0} % {1} if ({0} < 0) == ({1} < 0) else -(-{0} % {1})",
    Op.MAX: "{0} if {0} >= {1} else {1}", Op.MIN: "{0} if {0} <= {1} else {1}",
    Op.SHL: "{0} << {1}", Op.SHR: "{0} >> {1}", Op.AND: "{0} & {1}", Op.OR: "{0} | {1}", Op.XOR: "{0} ^ {1}",
    Op.CMPLT: "1 if {0} < {1} else 0", Op.CMPLE: "1 if {0} <= {1} else 0",
    Op.CMPEQ: "1 if {0} == {1} else 0", Op.CMPNE: "1 if {0} != {1} else 0",
    Op.WHERE: "{1} if {0} else {2}", Op.CAST: "1 if {0} else 0",
}
"""Python, on exact integers; bool is 0 and 1. This CAST is the one to bool; others are looked at and passed on."""
_DIVISIONS = frozenset((Op.IDIV, Op.MOD, Op.FLOORDIV, Op.FLOORMOD))
_SHIFTS = frozenset((Op.SHL, Op.SHR))
_PASS = frozenset((Op.CAST, Op.BIND, Op.AFTER))
"""The value of one operand, if it is allowed."""
_LEAVES = frozenset((Op.CONST, Op.DEFINE_VAR))


@cache
def _function(op: Op) -> Callable[..., int]:
    """The form of an op as a function."""
    made: Callable[..., int] = eval(f"lambda a, b=0, c=0: {_FORM[op].format('a', 'b', 'c')}")
    return made


def _operands(u: UOp) -> tuple[UOp, ...]:
    """The operands whose values matter: of AFTER the first, of BIND the second."""
    return u.src[:1] if u.op is Op.AFTER else u.src[1:] if u.op is Op.BIND else u.src


def _fits(u: UOp) -> Range:
    """What a CAST, a BIND or an AFTER lets through. To bool is `!= 0`, which always fits."""
    if u.op is Op.BIND:
        return int(u.src[0].arg.min), int(u.src[0].arg.max)
    return (int(u.dtype.min), int(u.dtype.max)) if u.op is Op.CAST and not u.dtype.is_bool else WHOLE


# --- compiling ---------------------------------------------------------------------------------------------------------------------

def compile_exprs(exprs: Sequence[UOp], variables: Sequence[UOp], kernel: str, labels: Sequence[str] = ()) -> Evaluator:
    """A function from the values of `variables` (DEFINE_VARs; by name, or in this order) to the values of `exprs`.

    It checks every integer variable, also those in no expression: given, whole, within its bounds; unknown names are refused. Float
    variables are counted and not looked at, `check_values` does that. Arithmetic is exact and must stay within 64 bits signed. LaunchError
    from the call for all of that. LaunchError from here, naming op and label, for what has no place in it: loads, floats, loops.
    """
    names = [*labels[:len(exprs)], *(f"expression {i}" for i in range(len(labels), len(exprs)))]
    known = {v.arg.name: v for v in variables}
    for label, e in zip(names, exprs, strict=True):
        _check_expression(e, known, f"{label} of kernel {kernel!r}")
    slow = _Walk(tuple(exprs), tuple(variables), kernel, names)
    if not variables:
        try:
            constant = slow(())
        except LaunchError:
            return slow
        return lambda values: constant if values.__class__ in _PLAIN and not values else slow(values)
    scope: dict[str, Any] = {"slow": slow}
    exec(_Writer(variables).function(exprs), scope)
    evaluator: Evaluator = scope["evaluate"]
    return evaluator


def _check_expression(root: UOp, known: Mapping[str, UOp], where: str) -> None:
    """Refuses what has no value at a launch, users before their operands: a LOAD is named, not the buffer it reads."""
    seen, stack = {root}, [root]
    while stack:
        u = stack.pop()
        if (why := _refusal(u, known)):
            raise LaunchError(f"{where} cannot be evaluated: {why}", at=repr(u), hint="use integer expressions over the variables")
        fresh = [s for s in _operands(u) if s not in seen]
        seen.update(fresh)
        stack.extend(reversed(fresh))


def _refusal(u: UOp, known: Mapping[str, UOp]) -> str:
    """Why `u` cannot be part of an expression; empty if it can."""
    if u.op not in _FORM and u.op not in _PASS and u.op not in _LEAVES:
        return f"it contains the op {u.op.name}"
    if not (u.dtype.is_int or u.dtype.is_bool) or u.dtype.lanes != 1:
        name = repr(u.arg.name) if u.op is Op.DEFINE_VAR else repr(u.arg.value) if u.op is Op.CONST else f"the result of {u.op.name}"
        return f"{name} is {u.dtype!r}, not an integer"
    if u.op is Op.CONST and not WHOLE[0] <= u.arg.value <= WHOLE[1]:
        return f"the constant {u.arg.value} does not fit in 64 bits"
    if u.op is Op.DEFINE_VAR and u.arg.name not in known:
        return f"{u.arg.name!r} is no variable of the kernel"
    if u.op is Op.DEFINE_VAR and known[u.arg.name] is not u:
        return f"the kernel's variable {u.arg.name!r} has other bounds or another dtype"
    if u.op is Op.BIND and (u.src[0].op is not Op.DEFINE_VAR or u.src[0].dtype.is_float):
        return f"it binds a {u.src[0].op.name} of {u.src[0].dtype!r}, not an integer variable"
    return ""


class _Walk:
    """The evaluator that is slow and says what is wrong. LaunchError for what has no value, in the caller's words."""

    def __init__(self, exprs: tuple[UOp, ...], variables: tuple[UOp, ...], kernel: str, labels: Sequence[str]) -> None:
        self.exprs, self.variables, self.kernel, self.labels = exprs, variables, kernel, labels
        self.scalars = [_scalar(v) for v in variables]
        self.flags = frozenset(v.arg.name for v in variables if v.dtype.is_bool)

    def __call__(self, values: Values) -> tuple[int, ...]:
        given = check_values(self.kernel, self.scalars, self.without_bools(values))
        of_variable = dict(zip(self.variables, given, strict=True))
        memo: dict[UOp, int] = {}
        where = [f"{label} of kernel {self.kernel!r}" for label in self.labels]
        return tuple(self.value(e, memo, of_variable, at) for e, at in zip(self.exprs, where, strict=True))

    def without_bools(self, values: Values) -> object:
        """For a bool variable, True is 1."""
        if isinstance(values, Mapping):
            return {k: int(v) if isinstance(v, bool) and k in self.flags else v for k, v in values.items()}
        if isinstance(values, list | tuple) and len(values) == len(self.variables):
            return [int(x) if isinstance(x, bool) and v.dtype.is_bool else x for v, x in zip(self.variables, values, strict=True)]
        return values

    def value(self, root: UOp, memo: dict[UOp, int], given: Mapping[UOp, int | float], where: str) -> int:
        stack = [root]
        while stack:
            u = stack[-1]
            missing = [] if u in memo else [s for s in self.needs(u, memo) if s not in memo]
            if missing:
                stack.extend(reversed(missing))
                continue
            if u not in memo:
                memo[u] = self.variable(u, given, where) if u.op is Op.DEFINE_VAR else self.own(u, memo, where)
            stack.pop()
        return memo[root]

    def needs(self, u: UOp, memo: dict[UOp, int]) -> tuple[UOp, ...]:
        """A WHERE needs its condition, and then one arm: the other one may divide by zero."""
        if u.op is Op.WHERE:
            return u.src[:1] if u.src[0] not in memo else (u.src[1] if memo[u.src[0]] else u.src[2],)
        return _operands(u)

    def variable(self, u: UOp, given: Mapping[UOp, int | float], where: str) -> int:
        value = int(given[u])
        if value > WHOLE[1]:
            raise LaunchError(f"{where} uses variable {u.arg.name!r}, and {value} does not fit in 64 bits signed", hint="launch over less")
        return value

    def own(self, u: UOp, memo: dict[UOp, int], where: str) -> int:
        """The value of a node whose needs have values."""
        if u.op is Op.CONST:
            return int(u.arg.value)
        if u.op is Op.WHERE:
            return memo[u.src[1] if memo[u.src[0]] else u.src[2]]
        values = [memo[s] for s in _operands(u)]
        if u.op in _PASS and not (u.op is Op.CAST and u.dtype.is_bool):
            return self.passed(u, values[0], where)
        if u.op in _DIVISIONS and values[1] == 0:
            raise LaunchError(f"{where} divides {values[0]} by zero ({u.op.name})", hint="exclude zero by bounds, or guard it with where()")
        if u.op in _SHIFTS and not COUNTS[0] <= values[1] <= COUNTS[1]:
            raise LaunchError(f"{where} shifts {values[0]} by {values[1]} ({u.op.name})", hint=f"a count is {COUNTS[0]} to {COUNTS[1]}")
        result = _function(u.op)(*values)
        if not WHOLE[0] <= result <= WHOLE[1]:
            raise LaunchError(f"{where} overflows 64 bits: {u.op.name} of {' and '.join(map(str, values))}", hint="launch over less")
        return result

    def passed(self, u: UOp, value: int, where: str) -> int:
        low, high = _fits(u)
        if low <= value <= high:
            return value
        if u.op is Op.BIND:
            name = u.src[0].arg.name
            raise LaunchError(f"variable {name!r} of kernel {self.kernel!r} is bound to {value}, outside [{low}, {high}]", at=where)
        raise LaunchError(f"{where} casts {value} to {u.dtype!r}, which holds {low} to {high}", hint="use a wider dtype, or index")


def _scalar(v: UOp) -> ScalarArg:
    if v.dtype.is_float:
        return ScalarArg(v.arg.name, -math.inf, math.inf, dtypes.f64)
    return ScalarArg(v.arg.name, v.arg.min, v.arg.max, dtypes.i64 if v.dtype.is_bool or v.dtype is dtypes.index else v.dtype)


# --- the generated code ------------------------------------------------------------------------------------------------------------

class _Writer:
    """Writes `evaluate(values)`: unpack, check, compute. What it is not sure of goes to `slow`."""

    def __init__(self, variables: Sequence[UOp]) -> None:
        self.variables = variables
        self.lines = ["def evaluate(values):"]
        self.names: dict[UOp, str] = {}
        self.ranges: dict[UOp, Range] = {}

    def function(self, exprs: Sequence[UOp]) -> str:
        """The source of the function."""
        self.unpack()
        for i, v in enumerate(self.variables):
            if not v.dtype.is_float:
                self.check(v, f"v{i}")
        for u in _in_order(exprs):
            if u not in self.names:
                self.write(u)
        self.lines.append(f" return ({''.join(f'{self.names[e]}, ' for e in exprs)})")
        return "\n".join(self.lines)

    def unpack(self) -> None:
        targets = "".join(f"v{i}, " for i in range(len(self.variables)))
        items = "".join(f"values[{v.arg.name!r}], " for v in self.variables)
        self.lines.append(" kind = values.__class__")
        self.unless(f"(kind is tuple or kind is list or kind is dict) and len(values) == {len(self.variables)}")
        self.lines += [" if kind is dict:", "  try:", f"   {targets} = {items}", "  except KeyError:", "   return slow(values)",
                       " else:", f"  {targets} = values"]

    def unless(self, condition: str) -> None:
        self.lines += [f" if not ({condition}):", "  return slow(values)"]

    def check(self, v: UOp, name: str) -> None:
        low, high = self.ranges[v] = _meet((int(v.arg.min), int(v.arg.max)), (int(v.dtype.min), int(v.dtype.max)), WHOLE)
        classes = f"({name}.__class__ is int or {name}.__class__ is bool)" if v.dtype.is_bool else f"{name}.__class__ is int"
        self.unless(f"{classes} and {low} <= {name} <= {high}")
        self.names[v] = f"(+{name})" if v.dtype.is_bool else name

    def write(self, u: UOp) -> None:
        """One node: guards against what intervals allow, then its value."""
        if u.op is Op.CONST:
            value = int(u.arg.value)
            self.names[u], self.ranges[u] = f"({value})", (value, value)
            return
        names, ranges = [self.names[s] for s in _operands(u)], [self.ranges[s] for s in _operands(u)]
        if u.op in _PASS and not (u.op is Op.CAST and u.dtype.is_bool):
            self.names[u], self.ranges[u] = names[0], self.within(names[0], ranges[0], _fits(u))
            return
        if u.op in _DIVISIONS and ranges[1][0] <= 0 <= ranges[1][1]:
            self.unless(f"{names[1]} != 0")
        if u.op in _SHIFTS:
            ranges[1] = self.within(names[1], ranges[1], COUNTS)
        name = self.names[u] = f"t{len(self.names)}"
        self.lines.append(f" {name} = {_FORM[u.op].format(*names)}")
        self.ranges[u] = self.within(name, INTERVALS.get(u.op, _nothing_known)(*ranges), WHOLE)

    def within(self, name: str, known: Range, allowed: Range) -> Range:
        """Guards a value that may lie outside `allowed`."""
        if known[0] < allowed[0] or known[1] > allowed[1]:
            self.unless(f"{allowed[0]} <= {name} <= {allowed[1]}")
        return _meet(known, allowed)


def _in_order(exprs: Sequence[UOp]) -> list[UOp]:
    """The nodes that have a value, operands first."""
    done: dict[UOp, None] = {}
    stack = list(reversed(exprs))
    while stack:
        missing = [s for s in _operands(stack[-1]) if s not in done]
        if missing and stack[-1] not in done:
            stack.extend(reversed(missing))
        else:
            done[stack.pop()] = None
    return list(done)


# Intervals of exact results; svod.ir.bounds clips at 2**62 and lets narrow types wrap, so it cannot prove that a check is not needed.

def _meet(*ranges: Range) -> Range:
    """What all allow; if nothing does, some single value, since a guard has refused every value already."""
    low, high = max(r[0] for r in ranges), min(r[1] for r in ranges)
    return (low, high) if low <= high else (ranges[-1][0], ranges[-1][0])


def _nothing_known(*_: Range) -> Range:
    return WHOLE


def _corners(fn: Callable[..., int], a: Range, b: Range) -> Range:
    values = [fn(x, y) for x in a for y in b]
    return min(values), max(values)


def _quotient(op: Op) -> Callable[[Range, Range], Range]:
    def quotient(a: Range, b: Range) -> Range:
        size = max(abs(a[0]), abs(a[1]))
        return _corners(_function(op), a, b) if b[0] > 0 else (-size, size)
    return quotient


def _remainder(a: Range, b: Range) -> Range:
    size = max(abs(b[0]), abs(b[1]), 1) - 1
    return (0 if a[0] >= 0 and b[0] > 0 else -size, size)


INTERVALS: dict[Op, Callable[..., Range]] = {  # CAST is the one to bool; bit operations are not worth a row
    Op.ADD: lambda a, b: (a[0] + b[0], a[1] + b[1]), Op.SUB: lambda a, b: (a[0] - b[1], a[1] - b[0]),
    Op.MUL: lambda a, b: _corners(operator.mul, a, b), Op.NEG: lambda a: (-a[1], -a[0]), Op.ABS: lambda a: (0, max(abs(a[0]), abs(a[1]))),
    Op.FLOORDIV: _quotient(Op.FLOORDIV), Op.IDIV: _quotient(Op.IDIV), Op.MOD: _remainder,
    Op.FLOORMOD: lambda a, b: (0, b[1] - 1) if b[0] > 0 else _remainder(a, b),
    Op.MAX: lambda a, b: (max(a[0], b[0]), max(a[1], b[1])), Op.MIN: lambda a, b: (min(a[0], b[0]), min(a[1], b[1])),
    Op.SHL: lambda a, b: _corners(operator.lshift, a, b), Op.SHR: lambda a, b: _corners(operator.rshift, a, b),
    Op.WHERE: lambda _, a, b: (min(a[0], b[0]), max(a[1], b[1])), Op.CAST: lambda _: (0, 1),
    **dict.fromkeys(COMPARISONS, lambda *_: (0, 1)),
}
