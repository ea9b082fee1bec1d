"""Expressions of Python as expressions of schema 1.0.

Owns: `Writer`: what each node of an expression becomes, temporary names, inlined functions. Must not know statements.
Invariant: operands are evaluated in Python's order. What 1.0 has no expression for becomes statements before the one that is written
(`pending`); operands to the left of such are then kept in temporary names. Nothing is dropped: it is written or refused.
"""
from __future__ import annotations

import ast
import inspect
import math
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from svod.dtype import from_numpy
from svod.errors import KernelError
from svod.lang import ids
from svod.lang.builtin import Builtin
from svod.lang.kernels import Kernel
from svod.lang.schema.jumps import INDEX
from svod.lang.schema.outside import MISSING, outside
from svod.lang.schema.vocabulary import ARITHMETIC, BIT_SYMBOLS, COMPARISONS, FUNCTIONS, IMPURE, get_global_id, name_of, scalar_name
from svod.lang.source import Place, source_of
from svod.lang.types import dtype_of

Json = dict[str, Any]
_SYMBOLS: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.LShift: "<<", ast.RShift: ">>",
    ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.Pow: "**", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.Eq: "==", ast.NotEq: "!="}
_OPS = {symbol: op for op, symbol in {**ARITHMETIC, **COMPARISONS}.items()}
HINT = "schema 1.0 cannot hold it; the kernel may still run without a document"


def var(name: str) -> Json:
    """A name."""
    return {"type": "var", "name": name}


def literal(value: bool | int | float) -> Json:
    """A number or truth value; infinity and NaN, which JSON has not, are calls."""
    if isinstance(value, float) and not math.isfinite(value):
        if math.isnan(value):
            return call("not_a_number")
        return call("infinity") if value > 0 else binary("sub", literal(0), call("infinity"))
    return {"type": "literal", "value": value}


def binary(op: str, left: Json, right: Json) -> Json:
    """An operator of two operands."""
    return {"type": "binary_op", "op": op, "left": left, "right": right}


def call(function: str, *args: Json) -> Json:
    """A call."""
    return {"type": "call", "function": function, "args": list(args)}


def nodes(e: Any) -> Iterator[Json]:
    """An expression or statement and all in it."""
    if isinstance(e, dict):
        yield e
        for value in e.values():
            yield from nodes(value)
    elif isinstance(e, list):
        for value in e:
            yield from nodes(value)


@dataclass(slots=True)
class Frame:
    """A function that is being written: the kernel, or one that is inlined into it."""

    function: types.FunctionType
    file: str
    local: frozenset[str]
    names: dict[str, Json] = field(default_factory=dict)
    """Local name -> what it is in the document; names that are missing are themselves."""


@dataclass(slots=True)
class Writer:
    """The state of one document: where statements go, and which names are bound."""

    frames: list[Frame]
    arrays: dict[str, str]
    """Array parameters and the types of their elements."""
    kinds: dict[str, str]
    """Names that are always of one kind -> "int", "float" or "bool"."""
    taken: set[str]
    """All names that must not be given to a temporary."""
    body: Callable[[Writer, types.FunctionType, ast.FunctionDef], Json | None]
    """Writes the body of an inlined function; its result."""
    bound: set[str] = field(default_factory=set)
    temporary: set[str] = field(default_factory=set)
    """Names that were made up."""
    pending: list[Json] = field(default_factory=list)
    calls: list[ast.AST] = field(default_factory=list)

    # --- names and places ----------------------------------------------------------------------------------------------------------

    @contextmanager
    def located(self, node: ast.AST) -> Iterator[None]:
        """Errors inside get the place of the node."""
        try:
            yield
        except KernelError as e:
            if e.at:
                raise
            raise KernelError(e.what, at=Place.of(self.frames[-1].file, node).shown(), hint=e.hint) from e

    def fresh(self, word: str) -> str:
        """A name that nobody has."""
        number = 0
        while (name := f"_{word}" if not number else f"_{word}_{number}") in self.taken:
            number += 1
        self.taken.add(name)
        self.temporary.add(name)
        return name

    def bind(self, name: str, value: Json) -> None:
        """let, the first time a name is bound; assign after that."""
        if name in self.bound:
            self.pending.append({"type": "assign", "target": var(name), "value": value})
        else:
            self.bound.add(name)
            self.pending.append({"type": "let", "name": name, "value": value})

    def kept(self, value: Json, word: str = "t") -> Json:
        """A value under a temporary name; literals stay."""
        if value["type"] == "literal" or (value["type"] == "var" and value["name"] in self.temporary):
            return value
        name = self.fresh(word)
        self.bind(name, value)
        return var(name)

    @contextmanager
    def collected(self) -> Iterator[list[Json]]:
        """Statements go to a list of their own meanwhile."""
        outer, self.pending = self.pending, []
        try:
            yield self.pending
        finally:
            self.pending = outer

    def spelled(self, name: str) -> Json:
        """A local name as the document has it."""
        return self.frames[-1].names.get(name, var(name))

    def outside(self, node: ast.AST) -> Any:
        """The object of the outside that a name means."""
        frame = self.frames[-1]
        return outside(frame.function, node, frame.local)

    # --- expressions ---------------------------------------------------------------------------------------------------------------

    def write(self, node: ast.expr) -> Json:
        """The expression. KernelError for what 1.0 has not."""
        with self.located(node):
            handler = _HANDLERS.get(type(node))
            if handler is None:
                raise KernelError(f"Unsupported expression: {type(node).__name__}", hint=HINT)
            return handler(self, node)

    def in_order(self, expressions: Sequence[ast.expr | Callable[[], Json]]) -> list[Json]:
        """Operands, from left to right."""
        results: list[Json] = []
        for e in expressions:
            with self.collected() as before:
                value = self.write(e) if isinstance(e, ast.expr) else e()
            if before:
                changed = {s["target"]["name"] for s in nodes(before) if s["type"] == "assign" and s["target"]["type"] == "var"}
                results = [r if r["type"] == "var" and r["name"] not in changed else self.kept(r) for r in results]
                self.pending += before
            results.append(value)
        return results

    def conditional(self, condition: Json, then: tuple[list[Json], Json], other: tuple[list[Json], Json], name: str) -> Json:
        """let+if: the name has one of two values."""
        sides = []
        for statements, value in (then, other):
            with self.collected() as side:
                self.pending += statements
                self.bind(name, value)
            sides.append(side)
        self.pending.append({"type": "if", "condition": condition, "then_body": sides[0], "else_body": sides[1]})
        return var(name)


# --- one handler a node type -------------------------------------------------------------------------------------------------------------

def _constant(w: Writer, node: ast.Constant) -> Json:
    if not isinstance(node.value, (bool, int, float)):
        raise KernelError(f"Unsupported expression: {node.value!r}", hint="numbers, True and False")
    return literal(node.value)


def _name(w: Writer, node: ast.Name) -> Json:
    if node.id in w.frames[-1].local or node.id in w.temporary:
        return w.spelled(node.id)
    return _static(w, node)


def _static(w: Writer, node: ast.Name | ast.Attribute) -> Json:
    """A constant from outside the kernel."""
    value = w.outside(node)
    if isinstance(value, (bool, int, float)) and not isinstance(value, np.generic):
        return literal(value)
    if isinstance(value, np.generic) and np.issubdtype(value.dtype, np.number):
        return call(scalar_name(from_numpy(value.dtype), None, ast.unparse(node)), literal(value.item()))
    if value is MISSING:
        raise KernelError(f"name {ast.unparse(node)!r} is not defined" if isinstance(node, ast.Name)
                          else f"Unsupported expression: {ast.unparse(node)}", hint=HINT)
    raise KernelError(f"Unsupported expression: {ast.unparse(node)}, a {type(value).__name__}", hint=HINT)


def _attribute(w: Writer, node: ast.Attribute) -> Json:
    if node.attr == "size" and isinstance(node.value, ast.Name) and node.value.id in w.frames[-1].local:
        return call("len", w.write(node.value))
    return _static(w, node)


def _subscript(w: Writer, node: ast.Subscript) -> Json:
    match node.value:
        case ast.Attribute(value=ast.Name() as owner, attr="shape") if isinstance(node.slice, ast.Constant) and node.slice.value == 0:
            return call("len", w.write(owner))
        case ast.Name(id=name) if name in w.frames[-1].local:
            pass
        case _:
            raise KernelError(f"Unsupported expression: elements of {ast.unparse(node.value)}", hint=HINT)
    if isinstance(node.slice, (ast.Tuple, ast.Slice)):
        raise KernelError(f"Unsupported expression: an index {ast.unparse(node.slice)}", hint="arrays have one axis: a[i * width + j]")
    array, index = w.in_order([node.value, node.slice])
    return {"type": "index", "array": array, "index": index}


def _binary(w: Writer, node: ast.BinOp) -> Json:
    if _global_id(w, node):
        return call("get_global_id")
    left, right = w.in_order([node.left, node.right])
    return operation(node.op, left, right)


def _global_id(w: Writer, node: ast.BinOp) -> bool:
    """Whether it is block_idx.x * block_dim.x + thread_idx.x, in any order."""
    match node:
        case ast.BinOp(left=ast.BinOp(op=ast.Mult()) as product, op=ast.Add(), right=ast.Attribute() as item):
            pass
        case ast.BinOp(left=ast.Attribute() as item, op=ast.Add(), right=ast.BinOp(op=ast.Mult()) as product):
            pass
        case _:
            return False
    names = [w.outside(n.value) if isinstance(n, ast.Attribute) and n.attr == "x" else None for n in (item, product.left, product.right)]
    return names[0] is ids.thread_idx and names[1:] in ([ids.block_idx, ids.block_dim], [ids.block_dim, ids.block_idx])


def operation(op: ast.operator, left: Json, right: Json) -> Json:
    """`left op right`; what 1.0 has no operator for is a call."""
    symbol = _SYMBOLS.get(type(op), "@")
    if symbol == "**":
        return call("pow", left, right)
    if symbol in BIT_SYMBOLS:
        return call(BIT_SYMBOLS[symbol], left, right)
    if symbol not in _OPS:
        raise KernelError(f"Unsupported expression: `{symbol}`", hint=HINT)
    return binary(_OPS[symbol], left, right)


def _unary(w: Writer, node: ast.UnaryOp) -> Json:
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)) if not isinstance(number, bool):
            return literal(-number)
    value = w.write(node.operand)
    if isinstance(node.op, ast.Not):
        return binary("eq", value, literal(False))
    if isinstance(node.op, ast.Invert):
        return call("bit_not", value)
    kind = kind_of(w, value)
    if isinstance(node.op, ast.UAdd):
        return value if kind in ("int", "float") else call("int", value) if kind == "bool" else binary("mul", value, literal(1))
    if kind == "float":
        return binary("sub", literal(-0.0), value)  # 0.0 - x would lose the sign of a zero
    return binary("sub", literal(0), value) if kind else binary("mul", value, literal(-1))


def _boolean(w: Writer, node: ast.BoolOp) -> Json:
    op = "and" if isinstance(node.op, ast.And) else "or"
    result = w.write(node.values[0])
    for operand in node.values[1:]:
        with w.collected() as before:
            value = w.write(operand)
        if not before:
            result = binary(op, result, value)
            continue
        name = w.fresh("decided")
        w.bind(name, result)
        with w.collected() as rest:
            w.pending += before
            w.bind(name, value)
        test = var(name) if op == "and" else binary("eq", var(name), literal(False))
        w.pending.append({"type": "if", "condition": test, "then_body": rest, "else_body": None})
        result = var(name)
    return result


def _compare(w: Writer, node: ast.Compare) -> Json:
    if bad := next((op for op in node.ops if type(op) not in _SYMBOLS), None):
        raise KernelError(f"Unsupported expression: {type(bad).__name__}", hint=HINT)
    left, right = w.in_order([node.left, node.comparators[0]])
    if len(node.ops) > 1 and right["type"] not in ("literal", "var"):
        left, right = (left if left["type"] in ("literal", "var") else w.kept(left)), w.kept(right)
    result = binary(_OPS[_SYMBOLS[type(node.ops[0])]], left, right)
    for op, comparator in zip(node.ops[1:], node.comparators[1:], strict=True):
        left = right
        with w.collected() as before:
            right = w.write(comparator)
        if before or (comparator is not node.comparators[-1] and changes_memory(right)):
            raise KernelError("Unsupported expression: this chain of comparisons", hint="write it as two comparisons with `and`")
        result = binary("and", result, binary(_OPS[_SYMBOLS[type(op)]], left, right))
    return result


def changes_memory(e: Any) -> bool:
    """Whether an expression has an effect."""
    return any(n["type"] == "call" and n["function"] in IMPURE for n in nodes(e))


def _conditional(w: Writer, node: ast.IfExp) -> Json:
    condition = w.write(node.test)
    if condition["type"] == "literal":
        return w.write(node.body if condition["value"] else node.orelse)
    with w.collected() as first:
        then = w.write(node.body)
    with w.collected() as second:
        other = w.write(node.orelse)
    harmless = not any(n["type"] == "index" for e in (then, other) for n in nodes(e)) and not changes_memory([then, other])
    if harmless and not first and not second:
        return call("select", condition, then, other)
    return w.conditional(condition, (first, then), (second, other), w.fresh("chosen"))


def _walrus(w: Writer, node: ast.NamedExpr) -> Json:
    w.bind(w.spelled(node.target.id)["name"], w.write(node.value))
    return w.spelled(node.target.id)


def _call(w: Writer, node: ast.Call) -> Json:
    if isinstance(node.func, ast.Name) and node.func.id == INDEX:
        return call("index", *w.in_order(node.args))
    if any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords):
        raise KernelError("Unsupported expression: * in a call", hint="write the arguments out")
    function = w.outside(node.func)
    spelled = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    if function is MISSING:
        raise KernelError(f"Unsupported expression: a call of {ast.unparse(node.func)}", hint="its name is not defined, or is local")
    plain = inspect.unwrap(function) if isinstance(function, (types.FunctionType, Kernel)) else function
    if isinstance(plain, types.FunctionType):
        return inlined(w, plain, node)
    name = name_of(function, spelled)
    if name is None and (dtype := dtype_of(function)) is not None:
        name = scalar_name(dtype, function, ast.unparse(node.func))
    if name is None:
        raise KernelError(f"Unsupported expression: a call of {ast.unparse(node.func)}", hint=HINT)
    if name == "get_global_id":
        return _id(w, function, node)
    return call(name, *w.in_order(_positional(FUNCTIONS[name], node)))


def _id(w: Writer, function: Any, node: ast.Call) -> Json:
    """get_global_id(), or global_id(0) of the language."""
    arguments = [*node.args, *(k.value for k in node.keywords)]
    if function.apply is not get_global_id.apply:
        arguments = [a for a in arguments if not (isinstance(a, ast.Constant) and a.value == 0)]
    if arguments:
        raise KernelError(f"Unsupported expression: {ast.unparse(node)}", hint="work items are counted along one axis: get_global_id()")
    return call("get_global_id")


def _positional(function: Any, node: ast.Call) -> list[ast.expr]:
    """The arguments of a function of the language, in its order."""
    if not node.keywords:
        return list(node.args)
    if not isinstance(function, Builtin):
        raise KernelError("Unsupported expression: a keyword argument here", hint="give it by position")
    try:
        bound = inspect.signature(function.apply).bind(None, *node.args, **{k.arg: k.value for k in node.keywords if k.arg})
    except TypeError as e:
        raise KernelError(f"{function.name}(): {e}") from None
    return [*bound.args[1:], *bound.kwargs.values()]


def inlined(w: Writer, function: types.FunctionType, node: ast.Call, *, used: bool = True) -> Json:
    """The call of a function of the user: its body is written here, its parameters and names under names of their own."""
    source = source_of(function)
    tree = source.node
    if any(frame.function.__code__ is function.__code__ for frame in w.frames):
        raise KernelError(f"Recursive inline function not allowed: {function.__name__}", hint="kernels have no stack: write a loop")
    if not isinstance(tree, ast.FunctionDef):
        raise KernelError(f"Unsupported expression: a call of {function.__qualname__}", hint=HINT)
    signature = inspect.signature(function)
    try:
        bound = signature.bind(*node.args, **{k.arg: k.value for k in node.keywords if k.arg})
    except TypeError as e:
        raise KernelError(f"{function.__name__}(): {e}") from None
    if any(p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in signature.parameters.values()):
        raise KernelError(f"Unsupported expression: {function.__name__}() has * parameters", hint=HINT)
    given = list(bound.arguments)
    values = dict(zip(given, w.in_order([bound.arguments[name] for name in given]), strict=True))
    for name, parameter in signature.parameters.items():
        if name not in values:
            values[name] = _constant(w, ast.Constant(parameter.default))
    assigned = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    names = {name: value if value["type"] in ("var", "literal") and name not in assigned else _own(w, name, value)
             for name, value in values.items()}
    names |= {name: var(w.fresh(name)) for name in sorted(assigned - values.keys())}
    w.frames.append(Frame(function, source.file, frozenset(names), names))
    w.calls.append(tree)
    try:
        result = w.body(w, function, tree)
    finally:
        w.calls.pop()
        w.frames.pop()
    if result is None:
        if used:
            raise KernelError(f"{function.__name__}() returns nothing")
        return literal(0)
    return result


def _own(w: Writer, name: str, value: Json) -> Json:
    own = w.fresh(name)
    w.bind(own, value)
    return var(own)


# --- kinds -------------------------------------------------------------------------------------------------------------------------------

def kind_of(w: Writer, e: Json) -> str:
    """"int", "float" or "bool" where that is certain; else nothing."""
    match e:
        case {"type": "literal", "value": value}:
            return {bool: "bool", int: "int", float: "float"}[type(value)]
        case {"type": "var", "name": name}:
            return w.kinds.get(name, "")
        case {"type": "index", "array": {"type": "var", "name": name}}:
            return kind_of_type(w.arrays.get(name, ""))
        case {"type": "binary_op", "op": op, "left": left, "right": right}:
            if op in COMPARISONS:
                return "bool"
            sides = {kind_of(w, left), kind_of(w, right)}
            if op == "div":
                return "float"
            return "" if "" in sides or op not in ARITHMETIC else "float" if "float" in sides else "int"
        case {"type": "call", "function": function}:
            return "int" if function in ("get_global_id", "len", "int", "index") else kind_of_type(function)
    return ""


def kind_of_type(name: str) -> str:
    """The kind of a scalar type of the schema; nothing for other names."""
    if name in ("float", "f32", "f64"):
        return "float"
    return "bool" if name == "bool" else "int" if name == "usize" or (name[:1] in ("i", "u") and name[1:].isdigit()) else ""


_HANDLERS: dict[type[ast.expr], Callable[[Writer, Any], Json]] = {
    ast.Constant: _constant, ast.Name: _name, ast.Attribute: _attribute, ast.Subscript: _subscript, ast.BinOp: _binary,
    ast.UnaryOp: _unary, ast.BoolOp: _boolean, ast.Compare: _compare, ast.IfExp: _conditional, ast.NamedExpr: _walrus, ast.Call: _call}
