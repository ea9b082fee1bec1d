"""Launch dimensions: integer expressions over a program's variables, compiled once, evaluated at every launch.

Owns: LaunchDims, what an expression of a launch means, the checks of sizes against a device's limits. Must not know devices or buffers.
Invariant: an evaluator gives the exact integers, or a LaunchError; it never wraps, never rounds, never gives a partial result.

An evaluator has two parts made from one table of forms. Straight-line Python code, generated once, checks the variables and computes; it
guards only what intervals cannot prove harmless. Whatever it meets that is not plain (an overflow, a zero divisor, a NumPy integer, a
missing name) it leaves to a slow walk over the graph, which evaluates only the arm a WHERE takes, and finds the words for what is wrong.
"""
from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, SupportsIndex

from svod.device.arguments import ScalarArg, check_values
from svod.dtype import DType
from svod.errors import LaunchError
from svod.ir.ops import COMPARISONS, Op
from svod.ir.uop import UOp
from svod.target import Limits
from svod.target.abi import Metadata

Size = tuple[int, int, int]
Values = Mapping[str, int] | Sequence[int]
Evaluator = Callable[[Values], tuple[int, ...]]
"""Values of the variables, by name or in order -> one int for each expression. LaunchError."""

LOW, HIGH = -(1 << 63), (1 << 63) - 1
SIZES = tuple(f"{kind}_size[{axis}]" for kind in ("global", "local") for axis in range(3))


# --- the result --------------------------------------------------------------------------------------------------------------------

@dataclass(frozen=True, slots=True)
class LaunchDims:
    """The dimensions of one launch, axis 0 fastest. `local_size` None: `global_size` counts work items, not groups. LaunchError if negative."""

    global_size: Size
    local_size: Size | None = None

    def __post_init__(self) -> None:
        for name, size in (("global_size", self.global_size), ("local_size", self.local_size or (1, 1, 1))):
            if len(size) != 3 or min(size) < 0:
                raise LaunchError(f"{name} is {size}, not three numbers of 0 or more")

    @property
    def empty(self) -> bool:
        """True if there is nothing to do: some axis has no extent."""
        return 0 in self.global_size or (self.local_size is not None and 0 in self.local_size)


def dims(sizes: Sequence[int], kernel: str) -> LaunchDims:
    """LaunchDims of three global sizes, or of three global and three local ones. LaunchError, with the kernel's name, for a negative one."""
    for name, value in zip(SIZES, sizes, strict=False):
        if value < 0:
            raise LaunchError(f"{name} of kernel {kernel!r} is {value}", hint="a size is 0 (nothing to do) or more; look at the expression it comes from")
    if len(sizes) == 3:
        return LaunchDims((sizes[0], sizes[1], sizes[2]))
    if len(sizes) != 6:
        raise LaunchError(f"kernel {kernel!r} has {len(sizes)} sizes, not three global and three or no local ones")
    return LaunchDims((sizes[0], sizes[1], sizes[2]), (sizes[3], sizes[4], sizes[5]))


def compile_dims(meta: Metadata, kernel: str) -> Callable[[Values], LaunchDims]:
    """Values of `meta.vars` -> the dimensions of that launch. All the variables are checked. LaunchError."""
    sizes = compile_exprs((*meta.global_size, *(meta.local_size or ())), meta.vars, kernel, SIZES)
    if not meta.vars:
        try:
            constant = dims(sizes(()), kernel)
        except LaunchError:
            pass  # the same error at every launch, as for any other value
        else:
            return lambda values: constant if sizes(values) else constant
    return lambda values: dims(sizes(values), kernel)


def check_limits(launch: LaunchDims, limits: Limits, kernel: str) -> None:
    """LaunchError, naming the limit, for a launch that the device cannot do. Direct ids may use every work item of every group."""
    local = launch.local_size
    for axis in range(3):
        unit, most = ("groups", limits.grid[axis]) if local is not None else ("work items", limits.grid[axis] * limits.block[axis])
        if launch.global_size[axis] > most:
            raise LaunchError(f"kernel {kernel!r} asks for {launch.global_size[axis]} {unit} along axis {axis}, the device allows {most}",
                              at=f"limit grid[{axis}]", hint="launch in several parts, or move work to another axis")
        if local is not None and local[axis] > limits.block[axis]:
            raise LaunchError(f"kernel {kernel!r} asks for groups of {local[axis]} work items along axis {axis}, the device allows {limits.block[axis]}",
                              at=f"limit block[{axis}]", hint="use smaller groups, and more of them")
    if local is not None and math.prod(local) > limits.threads:
        raise LaunchError(f"kernel {kernel!r} asks for groups of {' x '.join(map(str, local))} = {math.prod(local)} work items, "
                          f"the device allows {limits.threads}", at="limit threads", hint="use smaller groups, and more of them")


def override_sizes(derived: LaunchDims, global_size: Sequence[int] | None, local_size: Sequence[int] | None, kernel: str) -> LaunchDims:
    """`derived` with sizes that the caller gave in their place: 1 to 3 whole numbers, missing axes are 1. LaunchError for anything else."""
    if global_size is None and local_size is None:
        return derived
    chosen = derived.global_size if global_size is None else _explicit(global_size, "global_size", kernel)
    if local_size is None:
        return LaunchDims(chosen, derived.local_size)
    if derived.local_size is None:
        raise LaunchError(f"kernel {kernel!r} counts work items directly, so it has no local_size", hint="leave local_size out")
    return LaunchDims(chosen, _explicit(local_size, "local_size", kernel))


def _explicit(given: object, what: str, kernel: str) -> Size:
    """Sizes a caller wrote."""
    if isinstance(given, str | bytes | Mapping) or not hasattr(given, "__len__") or not hasattr(given, "__iter__"):
        raise LaunchError(f"{what} of kernel {kernel!r} is {given!r}", hint=f"pass 1 to 3 whole numbers: {what}=(n, 1, 1)")
    values = [_whole(v, what, kernel) for v in given]
    if not 1 <= len(values) <= 3:
        raise LaunchError(f"{what} of kernel {kernel!r} has {len(values)} axes", hint=f"pass 1 to 3 whole numbers: {what}=(n, 1, 1)")
    x, y, z = (values + [1, 1])[:3]
    return (x, y, z)


def _whole(value: object, what: str, kernel: str) -> int:
    if isinstance(value, SupportsIndex) and not isinstance(value, bool):
        try:
            number = operator.index(value)
        except TypeError:  # np.bool, arrays of several elements
            number = -1
        if number >= 0:
            return number
    raise LaunchError(f"{what} of kernel {kernel!r} holds {value!r}", hint="sizes are whole numbers of 0 or more")


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
    Op.WHERE: "{1} if {0} else {2}",
}
"""Python, on exact integers; bool is 0 and 1."""
_DIVISIONS = frozenset((Op.IDIV, Op.MOD, Op.FLOORDIV, Op.FLOORMOD))
_SHIFTS = frozenset((Op.SHL, Op.SHR))
_PASS = frozenset((Op.CAST, Op.BIND, Op.AFTER))
"""The value of one operand, perhaps checked."""


@cache
def _function(op: Op) -> Callable[..., int]:
    """The form of an op as a function."""
    made: Callable[..., int] = eval(f"lambda a, b=0, c=0: {_FORM[op].format('a', 'b', 'c')}")
    return made


def _operands(u: UOp) -> tuple[UOp, ...]:
    """The operands that have a value: AFTER is its first, BIND the value of its variable."""
    return u.src[:1] if u.op is Op.AFTER else u.src[1:] if u.op is Op.BIND else u.src if u.op in _FORM or u.op is Op.CAST else ()


def _fits(u: UOp) -> tuple[int, int]:
    """The least and greatest value that a CAST or a BIND lets through. To bool is `!= 0`, which always fits."""
    if u.op is Op.BIND:
        return int(u.src[0].arg.min), int(u.src[0].arg.max)
    if u.op is Op.CAST and not u.dtype.is_bool:
        return max(int(u.dtype.min), LOW), min(int(u.dtype.max), HIGH)
    return LOW, HIGH


# --- compiling ---------------------------------------------------------------------------------------------------------------------

def compile_exprs(exprs: Sequence[UOp], variables: Sequence[UOp], kernel: str, labels: Sequence[str] = ()) -> Evaluator:
    """A function from the values of `variables` (DEFINE_VARs; by name, or in this order) to the values of `exprs`.

    It checks every integer variable, also those in no expression: given, whole, within its bounds; unknown names are refused. Float
    variables are counted and not looked at, `check_values` does that. Arithmetic is exact and must stay within 64 bits signed. LaunchError
    from the call for all of that; LaunchError from here for what can be part of no expression (named by `labels`): loads, floats, loops.
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
        return lambda values: constant if len(values) == 0 else slow(values)
    scope: dict[str, Any] = {"slow": slow}
    exec("\n".join(_Writer(variables, kernel).function(exprs)), scope)
    evaluator: Evaluator = scope["evaluate"]
    return evaluator


def _check_expression(root: UOp, known: Mapping[str, UOp], where: str) -> None:
    """Refuses what has no value at a launch, users before their operands: a LOAD is named, not the buffer it reads."""
    seen, stack = {root}, [root]
    while stack:
        u = stack.pop()
        if (why := _refusal(u, known)):
            raise LaunchError(f"{where} cannot be evaluated: {why}", at=repr(u), hint="sizes are integer expressions over the kernel's variables")
        fresh = [s for s in _operands(u) if s not in seen]
        seen.update(fresh)
        stack.extend(reversed(fresh))


def _refusal(u: UOp, known: Mapping[str, UOp]) -> str:
    """Why `u` cannot be part of an expression; empty if it can."""
    if u.op not in _FORM and u.op not in _PASS and u.op not in (Op.CONST, Op.DEFINE_VAR):
        return f"it contains the op {u.op.name}"
    if not (u.dtype.is_int or u.dtype.is_bool) or u.dtype.lanes != 1:
        name = f"variable {u.arg.name!r}" if u.op is Op.DEFINE_VAR else f"constant {u.arg.value!r}" if u.op is Op.CONST else f"result of {u.op.name}"
        return f"the {name} is {u.dtype!r}, not an integer"
    if u.op is Op.CONST and not LOW <= u.arg.value <= HIGH:
        return f"the constant {u.arg.value} does not fit in 64 bits"
    if u.op is Op.DEFINE_VAR and known.get(u.arg.name) is not u:
        return f"{u.arg.name!r} is no variable of the kernel" if u.arg.name not in known else f"it has another variable called {u.arg.name!r}"
    if u.op is Op.BIND and (u.src[0].op is not Op.DEFINE_VAR or u.src[0].dtype.is_float):
        return f"it binds a {u.src[0].op.name} of {u.src[0].dtype!r}, not an integer variable"
    return ""


class _Walk:
    """The evaluator that is never wrong and never fast. LaunchError for what has no value, in the caller's words."""

    def __init__(self, exprs: tuple[UOp, ...], variables: tuple[UOp, ...], kernel: str, labels: Sequence[str]) -> None:
        self.exprs, self.variables, self.kernel, self.labels = exprs, variables, kernel, labels
        self.scalars = [_scalar(v) for v in variables]

    def __call__(self, values: Values) -> tuple[int, ...]:
        checked = check_values(self.kernel, self.scalars, values)
        memo = {v: int(x) for v, x in zip(self.variables, checked, strict=True) if not v.dtype.is_float}
        return tuple(self.value(e, memo, f"{label} of kernel {self.kernel!r}") for e, label in zip(self.exprs, self.labels, strict=True))

    def value(self, root: UOp, memo: dict[UOp, int], where: str) -> int:
        stack = [root]
        while stack:
            u = stack[-1]
            missing = [] if u in memo else [s for s in self.needs(u, memo) if s not in memo]
            if missing:
                stack.extend(reversed(missing))
                continue
            if u not in memo:
                memo[u] = self.own(u, memo, where)
            stack.pop()
        return memo[root]

    def needs(self, u: UOp, memo: dict[UOp, int]) -> tuple[UOp, ...]:
        """A WHERE needs its condition, and then one arm: the other one may divide by zero."""
        if u.op is Op.WHERE:
            return u.src[:1] if u.src[0] not in memo else (u.src[1] if memo[u.src[0]] else u.src[2],)
        return _operands(u)

    def own(self, u: UOp, memo: dict[UOp, int], where: str) -> int:
        if u.op is Op.CONST:
            return int(u.arg.value)
        if u.op is Op.WHERE:
            return memo[u.src[1] if memo[u.src[0]] else u.src[2]]
        values = [memo[s] for s in _operands(u)]
        if u.op in _PASS:
            return self.passed(u, values[0], where)
        if u.op in _DIVISIONS and values[1] == 0:
            raise LaunchError(f"{where} divides {values[0]} by zero ({u.op.name})", hint="let the variable's bounds exclude the value, or guard it with where()")
        if u.op in _SHIFTS and not 0 <= values[1] <= 63:
            raise LaunchError(f"{where} shifts {values[0]} by {values[1]} ({u.op.name})", hint="a shift count is 0 to 63")
        result = _function(u.op)(*values)
        if not LOW <= result <= HIGH:
            raise LaunchError(f"{where} overflows 64 bits: {u.op.name} of {' and '.join(map(str, values))}", hint="launch over less")
        return result

    def passed(self, u: UOp, value: int, where: str) -> int:
        low, high = _fits(u)
        if not low <= value <= high:
            if u.op is Op.BIND:
                raise LaunchError(f"variable {u.src[0].arg.name!r} of kernel {self.kernel!r} is bound to {value}, outside [{low}, {high}]", at=where)
            raise LaunchError(f"{where} casts {value} to {u.dtype!r}, which holds {u.dtype.min} to {u.dtype.max}", hint="use a wider dtype, or index")
        return int(value != 0) if u.op is Op.CAST and u.dtype.is_bool else value


def _scalar(v: UOp) -> ScalarArg:
    if v.dtype.is_float:
        return ScalarArg(v.arg.name, -math.inf, math.inf, v.dtype)
    return ScalarArg(v.arg.name, v.arg.min, v.arg.max, v.dtype)


# --- the generated code ------------------------------------------------------------------------------------------------------------

class _Writer:
    """Writes `evaluate(values)`: unpack, check, compute. Values it is not sure of go to `slow`."""

    def __init__(self, variables: Sequence[UOp], kernel: str) -> None:
        self.variables, self.kernel = variables, kernel
        self.lines: list[str] = []
        self.names: dict[UOp, str] = {}
        self.range: dict[UOp, tuple[int, int]] = {}

    def function(self, exprs: Sequence[UOp]) -> list[str]:
        """The lines of the function."""
        self.lines = ["def evaluate(values):", *self.unpack()]
        for i, v in enumerate(self.variables):
            if not v.dtype.is_float:
                self.names[v], low, high = f"v{i}", int(v.arg.min), int(v.arg.max)
                self.range[v] = (max(low, LOW), min(high, HIGH))
                self.unless(f"v{i}.__class__ is int and {max(low, int(v.dtype.min))} <= v{i} <= {min(high, int(v.dtype.max))}")
        for v in self.variables:
            if v in self.range and v.arg.max > HIGH and any(v in e.toposort() for e in exprs):
                self.unless(f"{self.names[v]} <= {HIGH}")
        for e in exprs:
            for u in e.toposort():
                if u not in self.names and u in _reached(e):
                    self.write(u)
        self.lines.append(f" return ({''.join(f'{self.names[e]}, ' for e in exprs)})")
        return self.lines

    def unpack(self) -> list[str]:
        targets = ", ".join(f"v{i}" for i in range(len(self.variables)))
        items = ", ".join(f"values[{v.arg.name!r}]" for v in self.variables)
        return [" kind = values.__class__", f" if (kind is not list and kind is not tuple and kind is not dict) or len(values) != {len(self.variables)}:",
                "  return slow(values)", " if kind is dict:", "  try:", f"   {targets}, = {items},", "  except KeyError:", "   return slow(values)",
                " else:", f"  {targets}, = values"]

    def unless(self, condition: str) -> None:
        self.lines += [f" if not ({condition}):", "  return slow(values)"]

    def write(self, u: UOp) -> None:
        """One node: guards, then its value."""
        if u.op is Op.CONST:
            value = int(u.arg.value)
            self.names[u], self.range[u] = f"({value})", (value, value)
            return
        sources = _operands(u)
        names, ranges = [self.names[s] for s in sources], [self.range[s] for s in sources]
        if u.op in _PASS:
            self.write_passed(u, names[0], ranges[0])
            return
        if u.op in _DIVISIONS and ranges[1][0] <= 0 <= ranges[1][1]:
            self.unless(f"{names[1]} != 0")
        if u.op in _SHIFTS and not 0 <= ranges[1][0] <= ranges[1][1] <= 63:
            self.unless(f"0 <= {names[1]} <= 63")
        self.names[u] = name = f"t{len(self.names)}"
        self.lines.append(f" {name} = {_FORM[u.op].format(*names)}")
        low, high = (0, 1) if u.op in COMPARISONS else _INTERVAL.get(u.op, lambda *_: (LOW, HIGH))(*ranges)
        if (low < LOW or high > HIGH) or u.op is Op.SHL:
            self.unless(f"{LOW} <= {name} <= {HIGH}")
        self.range[u] = (max(low, LOW), min(high, HIGH))

    def write_passed(self, u: UOp, name: str, interval: tuple[int, int]) -> None:
        low, high = _fits(u)
        self.names[u] = name
        if u.op is Op.CAST and u.dtype.is_bool:
            self.names[u], interval = f"t{len(self.names)}", (0, 1)
            self.lines.append(f" {self.names[u]} = 1 if {name} else 0")
        elif not low <= interval[0] <= interval[1] <= high:
            self.unless(f"{low} <= {name} <= {high}")
        self.range[u] = (max(interval[0], low), min(interval[1], high))
