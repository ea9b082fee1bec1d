"""What every kind of Python statement means in a kernel.

Owns: `STATEMENTS`, one handler a node type. Must not know expressions.
Invariant: no statement is dropped: each has a handler that does it or refuses it.
"""
from __future__ import annotations

import ast
import importlib
from collections.abc import Callable, Iterator
from typing import Any

from svod.errors import KernelError
from svod.ir.args import MessageArg
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.lang import arithmetic, loops
from svod.lang.attributes import attribute
from svod.lang.builtin import Builtin
from svod.lang.calls import return_statement
from svod.lang.elements import element_index, store_element
from svod.lang.expressions import closure
from svod.lang.frame import Closure, look_up
from svod.lang.targets import assign, assign_element, assign_name, delete, static_key, subscript
from svod.lang.tracer import Flow, Tracer
from svod.lang.types import dtype_of
from svod.lang.value import Array, Dynamic, Vector
from svod.lang.vectors import lane, with_lane


def _assign(t: Tracer, node: ast.Assign) -> None:
    t.wanted.update(_names(node.targets[0], node.value))
    value = t.evaluate(node.value)
    if len(node.targets) > 1:
        value = t.named(value, "value")
    for target in node.targets:
        assign(t, target, value)


def _names(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, str]]:
    """What expressions are called by an assignment."""
    if isinstance(target, ast.Name):
        yield value, target.id
    elif isinstance(target, (ast.Tuple, ast.List)) and isinstance(value, (ast.Tuple, ast.List)) and len(target.elts) == len(value.elts):
        for one, part in zip(target.elts, value.elts, strict=True):
            yield from _names(one, part)


def _annotated(t: Tracer, node: ast.AnnAssign) -> None:
    """x: T = value. A scalar type converts the value; other annotations are Python's: without effect."""
    if node.value is None:
        return
    value = t.evaluate(node.value)
    kind = _annotation(t, node.annotation)
    if kind is not None and isinstance(value, (Dynamic, bool, int, float)):
        with t.located(node.value):
            value = Dynamic(arithmetic.implicit(value, kind, ast.unparse(node.target)))
    assign(t, node.target, value)


def _annotation(t: Tracer, node: ast.expr) -> Any:
    """The scalar type an annotation names, if it does."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            node = ast.copy_location(ast.parse(node.value, mode="eval").body, node)
        except SyntaxError:
            return None
    try:
        kind = t.evaluate(node) if isinstance(node, (ast.Name, ast.Attribute)) else None
    except KernelError:
        return None  # as in Python, where annotations of local names are not evaluated
    return None if any(kind is t for t in (int, float, bool)) else dtype_of(kind)


def _augmented(t: Tracer, node: ast.AugAssign) -> None:
    symbol = _SYMBOLS[type(node.op)]
    target = node.target
    if isinstance(target, ast.Name):
        old = t.read(look_up(t.frame, target.id, t.note))
        value = t.evaluate(node.value)
        if isinstance(old, list) and symbol == "+":
            raise KernelError("a list grows by += in a kernel", hint="x = x + [...]")
        with t.located(node):
            assign_name(t, target.id, arithmetic.binary(symbol, t.loaded(old), t.loaded(value), t.builder))
    elif isinstance(target, ast.Subscript):
        container, index = t.evaluate(target.value), subscript(t, target.slice)
        if isinstance(container, Array):
            number, fixed = element_index(t, container, index)
            place = (t.builder.let(number) if number.op not in (Op.VALUE, Op.CONST) else number), fixed
            if fixed != len(container.shape):
                raise KernelError(f"{container.name} has {len(container.shape)} axes, {fixed} of them indexed", hint="a[i, j] += x")
            element = t.load(container, place[0])
            store_element(t, container, place, arithmetic.binary(symbol, element, t.loaded(t.evaluate(node.value)), t.builder))
        elif isinstance(container, Vector):
            new = arithmetic.binary(symbol, lane(container, index), t.loaded(t.evaluate(node.value)), t.builder)
            assign(t, target.value, with_lane(container, index, new))
        else:
            key = static_key(index)
            element = t.read(container[key])
            assign_element(t, container, key, arithmetic.binary(symbol, t.loaded(element), t.loaded(t.evaluate(node.value)), t.builder))
    else:
        raise KernelError("an attribute cannot be assigned in a kernel", hint="use a local variable, or a list or dict")


_SYMBOLS: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**", ast.LShift: "<<",
    ast.RShift: ">>", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.MatMult: "@",
}


def _if(t: Tracer, node: ast.If) -> Flow | None:
    with t.located(node.test):
        condition = arithmetic.truth(t.loaded(t.evaluate(node.test)))
    if not isinstance(condition, Dynamic):
        return t.execute(node.body if condition else node.orelse)
    live = t.frame.liveness
    names = live.after.get(node, frozenset()) | live.captured
    return t.fork(condition, lambda: t.execute(node.body), lambda: t.execute(node.orelse), names)


def _expression(t: Tracer, node: ast.Expr) -> None:
    """An expression statement: calls do something; a bare value is refused unless it is text (a docstring) or `...`."""
    value = t.evaluate(node.value)
    if isinstance(node.value, ast.Constant) and (isinstance(value, str) or value is ...):
        return
    if isinstance(node.value, (ast.Compare, ast.BinOp, ast.UnaryOp)) and isinstance(value, Dynamic):
        raise KernelError("the value of this expression is not used", hint="assign it, or store it: a[i] = x")
    if isinstance(node.value, (ast.Name, ast.Attribute)) and (isinstance(value, (Builtin, Closure)) or callable(value)):
        written = ast.unparse(node.value)
        raise KernelError(f"{written} is named, not called", hint=f"{written}()")


def _assert(t: Tracer, node: ast.Assert) -> None:
    condition = arithmetic.truth(t.loaded(t.evaluate(node.test)))
    if isinstance(condition, Dynamic):
        message = t.evaluate(node.msg) if node.msg is not None else ast.unparse(node.test)
        values: tuple[UOp, ...] = ()
        if isinstance(message, Dynamic):
            values, message = (message.uop,), "{}"
        text = str(message) if values else str(message).replace("{}", "{ }")
        t.builder.emit(UOp(Op.ASSERT, (condition.uop, *values), MessageArg(text, str(t.place(node)))))
    elif not condition:
        message = t.evaluate(node.msg) if node.msg is not None else ast.unparse(node.test)
        raise KernelError(f"assertion failed: {message}")


def _raise(t: Tracer, node: ast.Raise) -> None:
    if t.divergent(0, None):
        raise KernelError("raise in dynamic control flow", hint="assert_(condition, text) reports when the kernel runs")
    error = t.evaluate(node.exc) if node.exc is not None else None
    name = error.__name__ if isinstance(error, type) else type(error).__name__
    raise KernelError(f"{name}: {error}" if not isinstance(error, type) else name, hint="raised by the kernel while it was traced")


def _function(t: Tracer, node: ast.FunctionDef) -> None:
    if node.decorator_list:
        raise KernelError(f"decorators of the nested function {node.name!r}", hint="nested functions are inlined; they need none")
    assign_name(t, node.name, closure(t, node))


def _import(t: Tracer, node: ast.Import) -> None:
    for alias in node.names:
        module = importlib.import_module(alias.name)
        top = importlib.import_module(alias.name.partition(".")[0])
        assign_name(t, alias.asname or alias.name.partition(".")[0], module if alias.asname else top)


def _import_from(t: Tracer, node: ast.ImportFrom) -> None:
    if any(a.name == "*" for a in node.names) or node.module is None:
        raise KernelError("this import inside a kernel", hint="import modules by name")
    origin = t.frame.root().origin
    package = (origin.__globals__.get("__package__") or "") if origin is not None else ""
    module = importlib.import_module("." * node.level + node.module, package or None)
    for alias in node.names:
        assign_name(t, alias.asname or alias.name, attribute(t, module, alias.name))


def _delete(t: Tracer, node: ast.Delete) -> None:
    for target in node.targets:
        delete(t, target)


def _nothing(t: Tracer, node: ast.stmt) -> None:
    """pass, global, nonlocal: declarations."""


def _refused(what: str, hint: str) -> Callable[[Tracer, Any], Any]:
    def handler(t: Tracer, node: Any) -> None:
        raise KernelError(f"Unsupported statement: {what}", hint=hint)
    return handler


_NO_EXCEPTIONS = "the running kernel has no exceptions: test with `if`"
STATEMENTS: dict[type[ast.AST], Callable[[Tracer, Any], Any]] = {
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.If: _if,
    ast.For: loops.for_statement,
    ast.While: loops.while_statement,
    ast.Break: loops.break_statement,
    ast.Continue: loops.continue_statement,
    ast.Return: return_statement,
    ast.Pass: _nothing,
    ast.Global: _nothing,
    ast.Nonlocal: _nothing,
    ast.Expr: _expression,
    ast.Assert: _assert,
    ast.Raise: _raise,
    ast.FunctionDef: _function,
    ast.Import: _import,
    ast.ImportFrom: _import_from,
    ast.Delete: _delete,
    ast.AsyncFunctionDef: _refused("async def", "kernels do not wait"),
    ast.AsyncFor: _refused("async for", "kernels do not wait"),
    ast.AsyncWith: _refused("async with", "kernels do not wait"),
    ast.ClassDef: _refused("class", "define it outside the kernel"),
    ast.Try: _refused("try", _NO_EXCEPTIONS),
    ast.TryStar: _refused("try", _NO_EXCEPTIONS),
    ast.With: _refused("with", "call what it does"),
    ast.Match: _refused("match", "use if and elif"),
}
if (_alias := getattr(ast, "TypeAlias", None)) is not None:
    STATEMENTS[_alias] = _refused("type", "define it outside the kernel")
