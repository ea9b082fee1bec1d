"""What every kind of Python expression means in a kernel.

Owns: `EXPRESSIONS`, one handler a node type. Must not know statements.
Invariant: operands are evaluated from left to right, once; what Python would not evaluate is not evaluated where it has an effect or reads
memory. Comprehensions and f-strings are static: they are executed while the kernel is traced.
"""
from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from svod.errors import KernelError
from svod.lang import arithmetic
from svod.lang.attributes import attribute, fixed
from svod.lang.calls import call
from svod.lang.elements import read_element
from svod.lang.frame import Closure, Frame, dependency, is_comparable, look_up
from svod.lang.introspect import as_set
from svod.lang.loops import UNROLL_LIMIT, iterate
from svod.lang.source import Source
from svod.lang.targets import assign, assign_name, static_key, subscript
from svod.lang.tracer import Handler, Tracer
from svod.lang.types import Scalar
from svod.lang.value import Array, Dynamic, Vector, describe, is_dynamic
from svod.lang.vectors import lane

_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**", ast.LShift: "<<",
    ast.RShift: ">>", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.MatMult: "@",
}
_COMPARE: dict[type[ast.cmpop], str] = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_UNARY: dict[type[ast.unaryop], str] = {ast.USub: "-", ast.UAdd: "+", ast.Invert: "~"}


def _name(t: Tracer, node: ast.Name) -> Any:
    return t.read(look_up(t.frame, node.id, t.note))


def _binary(t: Tracer, node: ast.BinOp) -> Any:
    left, right = t.evaluate(node.left), t.evaluate(node.right)
    if isinstance(left, str) and is_dynamic(right):
        raise KernelError("text of a dynamic value", hint='printf("x = {}", x) prints when the kernel runs')
    return arithmetic.binary(_BINARY[type(node.op)], t.loaded(left), t.loaded(right), t.builder)


def _unary(t: Tracer, node: ast.UnaryOp) -> Any:
    value = t.evaluate(node.operand)
    return arithmetic.negation(t.loaded(value)) if isinstance(node.op, ast.Not) else arithmetic.unary(_UNARY[type(node.op)], value)


def _boolean(t: Tracer, node: ast.BoolOp) -> Any:
    """`and`, `or`: the value of the operand that decides. Where that is not known, a branch (or a select, if the rest is pure)."""
    stop_at = isinstance(node.op, ast.Or)

    def rest(place: int) -> Any:
        value = t.evaluate(node.values[place])
        if place == len(node.values) - 1:
            return value
        truth = arithmetic.truth(t.loaded(value))
        if not isinstance(truth, Dynamic):
            return value if truth == stop_at else rest(place + 1)
        value = t.named(value, "operand") if value.uop is not truth.uop else value
        if stop_at:
            return _decided(t, truth, lambda: value, lambda: rest(place + 1))
        return _decided(t, truth, lambda: rest(place + 1), lambda: value)

    return rest(0)


def _decided(t: Tracer, condition: Dynamic, then: Callable[[], Any], other: Callable[[], Any]) -> Any:
    def boolean(thunk: Callable[[], Any]) -> Callable[[], Any]:
        def run() -> Any:
            value = thunk()
            return bool(value) if value is None or isinstance(value, str) else value
        return run
    return t.choose(condition, boolean(then), boolean(other))


def _compare(t: Tracer, node: ast.Compare) -> Any:
    """A chain of comparisons; every operand is evaluated once, those behind a false one only if they have no effect."""
    def rest(place: int, left: Any) -> Any:
        right = t.evaluate(node.comparators[place])
        result = _compared(t, node.ops[place], left, right)
        if place == len(node.ops) - 1:
            return result
        truth = arithmetic.truth(result)
        if not isinstance(truth, Dynamic):
            return rest(place + 1, right) if truth else result
        right = t.named(right, "operand")
        return t.choose(truth, lambda: rest(place + 1, right), lambda: False)

    return rest(0, t.evaluate(node.left))


def _compared(t: Tracer, op: ast.cmpop, left: Any, right: Any) -> Any:
    if isinstance(op, (ast.Is, ast.IsNot)):
        sides = (left, right)
        if any(isinstance(v, (Dynamic, Vector)) for v in sides) and not any(v is None or isinstance(v, type) for v in sides):
            raise KernelError("`is` of a dynamic value: it is no object of Python's",
                              hint="== compares numbers; a condition needs no `is True`")
        alike = left.dtype is right.dtype if isinstance(left, Scalar) and isinstance(right, Scalar) else left is right
        return alike == isinstance(op, ast.Is)
    left, right = t.loaded(left), t.loaded(right)
    if isinstance(op, (ast.In, ast.NotIn)):
        found = _contains(left, right)
        return found if isinstance(op, ast.In) else arithmetic.negation(found)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)) and (is_dynamic(left) or is_dynamic(right)):
        raise KernelError(f"{type(left).__name__}s of dynamic values cannot be compared", hint="compare their elements")
    return arithmetic.compare(_COMPARE[type(op)], left, right)


def _contains(item: Any, container: Any) -> Any:
    if isinstance(container, (Array, Dynamic, Vector)):
        raise KernelError("`in` looks into static containers only", hint="write a loop")
    if not is_dynamic(item) and not is_dynamic(container):
        return item in container
    if isinstance(container, range):
        raise KernelError("a dynamic value `in` a range", hint="start <= x < stop")
    found: Any = False
    for each in container:
        equal = arithmetic.compare("==", item, each)
        found = equal if found is False else arithmetic.binary("|", found, equal)
    return found


def _conditional(t: Tracer, node: ast.IfExp) -> Any:
    condition = arithmetic.truth(t.loaded(t.evaluate(node.test)))
    if not isinstance(condition, Dynamic):
        return t.evaluate(node.body if condition else node.orelse)
    return t.choose(condition, lambda: t.evaluate(node.body), lambda: t.evaluate(node.orelse))


def _call(t: Tracer, node: ast.Call) -> Any:
    function = t.evaluate(node.func)
    args, kwargs = _arguments(t, node)
    t.path.append((node.lineno, node.col_offset))
    t.sites.append(node)
    try:
        return call(t, function, args, kwargs)
    finally:
        t.sites.pop()
        t.path.pop()


def _arguments(t: Tracer, node: ast.Call) -> tuple[list[Any], dict[str, Any]]:
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for a in node.args:
        if isinstance(a, ast.Starred):
            args.extend(iterate(t, t.evaluate(a.value)))
        else:
            args.append(t.evaluate(a))
    for k in node.keywords:
        value = t.evaluate(k.value)
        if k.arg is None:
            if not isinstance(value, Mapping):
                raise KernelError(f"keywords from {describe(value)}", hint="**x takes a dict")
            kwargs.update({name: t.read(v) for name, v in value.items()})
        else:
            kwargs[k.arg] = value
    return args, kwargs


def _attribute(t: Tracer, node: ast.Attribute) -> Any:
    return t.read(attribute(t, t.evaluate(node.value), node.attr))


def _subscript(t: Tracer, node: ast.Subscript) -> Any:
    container, index = t.evaluate(node.value), subscript(t, node.slice)
    if isinstance(container, Array):
        return read_element(t, container, index)
    if isinstance(container, Dynamic):
        raise KernelError(f"a scalar of {container.dtype!r} is indexed", hint="only arrays, vectors, lists, tuples and dicts have elements")
    if isinstance(container, Vector):
        return Vector(container.lanes[static_key(index)]) if isinstance(index, slice) else lane(container, index)
    if isinstance(container, np.ndarray):
        item = container[tuple(map(static_key, index)) if isinstance(index, tuple) else static_key(index)]
        return item
    if isinstance(container, (list, tuple, dict, str, bytes, range)):
        item = container[static_key(index)]
        return [t.read(v) for v in item] if isinstance(index, slice) and isinstance(item, list) else t.read(item)
    if is_dynamic(index):
        raise KernelError(f"{type(container).__name__} is indexed with a dynamic value", hint="pass it to the kernel as an array")
    item = container[index]
    if not fixed(container) and is_comparable(item):
        t.note(dependency(f"an element of {type(container).__name__}", lambda: container[index], item))
    return item


def _list(t: Tracer, node: ast.List | ast.Tuple | ast.Set) -> Any:
    items: list[Any] = []
    for e in node.elts:
        if isinstance(e, ast.Starred):
            items.extend(iterate(t, t.evaluate(e.value)))
        else:
            items.append(t.evaluate(e))
    return items if isinstance(node, ast.List) else tuple(items) if isinstance(node, ast.Tuple) else as_set(set(items))


def _dict(t: Tracer, node: ast.Dict) -> dict[Any, Any]:
    result: dict[Any, Any] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            more = t.evaluate(value)
            if not isinstance(more, Mapping):
                raise KernelError(f"entries of a dict from {describe(more)}", hint="**x takes a dict")
            result.update(more)
        else:
            name = static_key(t.evaluate(key))
            result[name] = t.evaluate(value)
    return result


def _formatted(t: Tracer, node: ast.JoinedStr) -> str:
    return "".join(_text(t, part) for part in node.values)


def _text(t: Tracer, node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    assert isinstance(node, ast.FormattedValue)
    value = t.evaluate(node.value)
    if is_dynamic(value):
        raise KernelError("an f-string of a dynamic value", hint='printf("x = {}", x) prints when the kernel runs')
    if node.conversion != -1:
        value = ascii(value) if node.conversion == ord("a") else repr(value) if node.conversion == ord("r") else str(value)
    return format(value, _formatted(t, node.format_spec) if isinstance(node.format_spec, ast.JoinedStr) else "")


def _lambda(t: Tracer, node: ast.Lambda) -> Closure:
    return closure(t, node)


def closure(t: Tracer, node: ast.Lambda | ast.FunctionDef) -> Closure:
    """A function that the kernel defines, with its defaults evaluated now."""
    defaults = tuple(t.evaluate(d) for d in node.args.defaults)
    keyword = tuple((a.arg, t.evaluate(d)) for a, d in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if d is not None)
    return Closure(Source(t.frame.source.file, node), t.frame, defaults, keyword)


def _walrus(t: Tracer, node: ast.NamedExpr) -> Any:
    value = t.evaluate(node.value)
    frames = list(t.frames)
    while t.frame.comprehension:
        t.frames.pop()
    try:
        assign_name(t, node.target.id, value)
        return t.read(look_up(t.frame, node.target.id, t.note))
    finally:
        t.frames[:] = frames


def _comprehension(t: Tracer, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Any:
    names = frozenset(n.id for g in node.generators for n in ast.walk(g.target) if isinstance(n, ast.Name))
    results: list[Any] = []

    def body() -> None:
        if isinstance(node, ast.DictComp):
            results.append((static_key(t.evaluate(node.key)), t.evaluate(node.value)))
        else:
            value = t.evaluate(node.elt)
            results.append(t.named(value, "item"))
        if len(results) > UNROLL_LIMIT:
            raise KernelError(f"a comprehension of more than {UNROLL_LIMIT} items")

    first = t.evaluate(node.generators[0].iter)
    frame = Frame(t.frame.source, names, {}, t.frame, None, t.frame.liveness, t.depth, comprehension=True)
    t.frames.append(frame)
    try:
        _generate(t, node.generators, 0, first, body)
    finally:
        t.frames.pop()
    if isinstance(node, ast.SetComp):
        return as_set(set(results))
    return dict(results) if isinstance(node, ast.DictComp) else results


def _generate(t: Tracer, generators: list[ast.comprehension], level: int, items: Any, body: Callable[[], None]) -> None:
    generator = generators[level]
    if generator.is_async:
        raise KernelError("an async comprehension in a kernel")
    for count, item in enumerate(iterate(t, items)):
        assign(t, generator.target, item)
        t.path.append(("item", count))
        if all(_static_condition(t, c) for c in generator.ifs):
            if level + 1 < len(generators):
                _generate(t, generators, level + 1, t.evaluate(generators[level + 1].iter), body)
            else:
                body()
        t.path.pop()


def _static_condition(t: Tracer, node: ast.expr) -> bool:
    with t.located(node):
        condition = arithmetic.truth(t.loaded(t.evaluate(node)))
        if isinstance(condition, Dynamic):
            raise KernelError("the condition of a comprehension is dynamic", hint="write a loop with an `if`")
        return bool(condition)


def _refused(what: str, hint: str = "") -> Handler:
    def handler(t: Tracer, node: Any) -> Any:
        raise KernelError(f"Unsupported expression: {what}", hint=hint)
    return handler


EXPRESSIONS: dict[type[ast.AST], Callable[[Tracer, Any], Any]] = {
    ast.Constant: lambda t, node: node.value,
    ast.Name: _name,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _boolean,
    ast.Compare: _compare,
    ast.IfExp: _conditional,
    ast.Call: _call,
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.List: _list,
    ast.Tuple: _list,
    ast.Set: _list,
    ast.Dict: _dict,
    ast.JoinedStr: _formatted,
    ast.Lambda: _lambda,
    ast.NamedExpr: _walrus,
    ast.ListComp: _comprehension,
    ast.SetComp: _comprehension,
    ast.DictComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.Yield: _refused("yield", "a kernel returns nothing; write to an array"),
    ast.YieldFrom: _refused("yield from", "a kernel returns nothing; write to an array"),
    ast.Await: _refused("await", "kernels do not wait"),
    ast.Slice: _refused("a slice outside of brackets"),
    ast.Starred: _refused("a starred expression here"),
}
for _newer in ("TemplateStr", "Interpolation"):  # Python 3.14
    if (_node := getattr(ast, _newer, None)) is not None:
        EXPRESSIONS[_node] = _refused("a template string", "f-strings of static values work; printf prints when the kernel runs")
