"""What a kernel says: printing and assertions when it runs; checks, constants and unrolling while it is traced.

Owns: printf, print(), assert_, static_assert, const_expr, static_range, map, filter, reduce. Must not know memory or math.
Invariant: a message has a {} for each value.
"""
from __future__ import annotations

import builtins
import functools
import re
from typing import Any

from svod.dtype import dtypes
from svod.errors import KernelError
from svod.ir.args import MessageArg
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.lang import arithmetic
from svod.lang.builtin import ALWAYS, Builtin, builtin
from svod.lang.calls import call
from svod.lang.loops import iterate
from svod.lang.tracer import Tracer
from svod.lang.value import Dynamic, Vector, is_dynamic, static_number


def _place(t: Tracer) -> str:
    return str(t.place(t.sites[-1])) if t.sites else ""


def _parts(text: str) -> list[str]:
    """What stands around each {}; {{ and }} are braces. A {} that is to be printed gets a blank, as {} means a value to what prints."""
    parts = [""]
    for piece in re.split(r"(\{\{|\}\}|\{\})", text):
        if piece == "{}":
            parts.append("")
        else:
            parts[-1] += piece[0] if piece in ("{{", "}}") else piece
    return [p.replace("{}", "{ }") for p in parts]


def _values(name: str, text: Any, values: tuple[Any, ...]) -> tuple[str, tuple[UOp, ...]]:
    """The text with a {} left for each dynamic value; static ones are put in."""
    if not isinstance(text, str):
        raise KernelError(f"{name}() begins with its text", hint=f'{name}("x = {{}}", x)')
    parts = _parts(text)
    if len(parts) != len(values) + 1:
        formats = re.search(r"\{[^{}]+\}|%[-+0-9.]*[a-z]", text)
        said = f", and {formats.group()!r} is text: formats are not there" if formats else ""
        raise KernelError(f"{name}(): {len(parts) - 1} {{}} for {len(values)} values{said}", hint="one {} for each value")
    result = parts[0]
    dynamic: list[UOp] = []
    for value, part in zip(values, parts[1:], strict=True):
        if isinstance(value, (Dynamic, Vector)):
            lanes = value.lanes if isinstance(value, Vector) else (value,)
            dynamic.extend(v.uop for v in lanes)
            result += " ".join("{}" for _ in lanes) + part
        elif is_dynamic(value):
            raise KernelError(f"{name}() of a container of dynamic values", hint="print its elements")
        else:
            result += str(value).replace("{}", "{ }") + part
    return result, tuple(dynamic)


@builtin()
def printf(t: Tracer, text: Any, *values: Any) -> None:
    """Prints when the kernel runs: printf("a = {}, b = {}", a, b). A line break stands at the end of the text or not, as written."""
    message, dynamic = _values("printf", text, values)
    t.builder.emit(UOp(Op.PRINT, dynamic, MessageArg(message, _place(t))))


@builtin("print")
def print_(t: Tracer, *values: Any, sep: str = " ", end: str = "\n") -> None:
    """print(): prints when the kernel runs."""
    text = sep.join("{}" for _ in values) + end
    message, dynamic = _values("print", text, values)
    t.builder.emit(UOp(Op.PRINT, dynamic, MessageArg(message, _place(t))))


@builtin()
def assert_(t: Tracer, condition: Any, text: Any = "", *values: Any) -> None:
    """Checked when the kernel runs: the launch fails with the text where the condition does not hold."""
    truth = arithmetic.truth(condition)
    message, dynamic = _values("assert_", text, values)
    if not isinstance(truth, Dynamic):
        if truth:
            return
        truth = Dynamic(UOp.const(False, dtypes.bool))
    t.builder.emit(UOp(Op.ASSERT, (truth.uop, *dynamic), MessageArg(message, _place(t))))


@builtin()
def static_assert(t: Tracer, condition: Any, text: Any = "static assertion failed") -> None:
    """Checked while the kernel is traced."""
    known = static_number(condition) if isinstance(condition, Dynamic) else condition
    if known is None or is_dynamic(known):
        raise KernelError("static_assert() of a dynamic value", hint="assert_(condition, text) is checked when the kernel runs")
    if not known:
        raise KernelError(f"{text}")


@builtin("const_expr", lambda x: x)
def const_expr(t: Tracer, value: Any) -> Any:
    """The value, which must be known while the kernel is traced. `while const_expr(...)` is always unrolled."""
    if isinstance(value, Dynamic) and (known := static_number(value)) is not None:
        return known
    if is_dynamic(value):
        raise KernelError("const_expr() of a dynamic value", hint="its argument must be known while the kernel is traced")
    return value


@builtin("static_range", range)
def static_range(t: Tracer, *bounds: Any) -> range:
    """range() whose loop is unrolled: the loop variable is a Python int. Its bounds must be known while the kernel is traced."""
    numbers = [static_number(b) for b in bounds]
    if any(not isinstance(n, int) for n in numbers) or not 1 <= len(numbers) <= 3:
        raise KernelError("static_range() takes 1 to 3 integers that are known while the kernel is traced",
                          hint="for i in range(n) is a loop of the running kernel")
    return range(*[n for n in numbers if isinstance(n, int)])


range_constexpr = static_range
"""Another name of static_range."""


def _map(t: Tracer, function: Any, *items: Any) -> list[Any]:
    return [call(t, function, list(row), {}) for row in zip(*(list(iterate(t, i)) for i in items), strict=False)]


def _filter(t: Tracer, function: Any, items: Any) -> list[Any]:
    kept = []
    for item in iterate(t, items):
        truth = arithmetic.truth(item if function is None else call(t, function, [item], {}))
        if isinstance(truth, Dynamic):
            raise KernelError("filter() with a dynamic condition", hint="write a loop with an `if`")
        kept += [item] if truth else []
    return kept


def _reduce(t: Tracer, function: Any, items: Any, *initial: Any) -> Any:
    row = [*initial, *iterate(t, items)]
    if not row:
        raise KernelError("reduce() of nothing without an initial value")
    result = row[0]
    for item in row[1:]:
        result = call(t, function, [result, item], {})
    return result


ALWAYS.update({builtins.print: print_, builtins.map: Builtin(_map, "map"), builtins.filter: Builtin(_filter, "filter"),
               functools.reduce: Builtin(_reduce, "reduce")})
