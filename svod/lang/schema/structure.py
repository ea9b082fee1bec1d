"""The structure of documents of schema 1.0: which fields, of which types, where.

Owns: `check`, which says what kernel-1.0.json says, in messages with JSON paths. Must not know names, types of values or Python.
Invariant: what passes has every field that a reader of documents looks at, and no other. Beyond the published schema it takes the
additions in ADDITIONS, which svod reads and never writes.
"""
from __future__ import annotations

import keyword
import math
from collections.abc import Callable
from typing import Any

from svod.lang.schema.problems import Kind, SchemaError
from svod.lang.schema.vocabulary import FUNCTIONS, OPERATORS, SCALARS

VERSION = "1.0"
Check = Callable[[Any, str], None]
ADDITIONS = ("unary_op", "if_expr", "parallel_map_unary", "parallel_map_binary", "parallel_reduce")
UNARY_OPERATORS = ("pos", "neg", "not", "inv")
MAP_UNARY = ("abs", "neg", "sqrt", "exp", "log", "sin", "cos", "tan", "sigmoid", "tanh", "relu", "ceil", "floor", "round", "reciprocal",
             "erf")
MAP_BINARY = ("add", "sub", "mul", "div", "pow", "min", "max", "atan2")
REDUCE = ("sum", "product", "min", "max")


def check(content: Any, path: str = "$") -> None:
    """SchemaError if a JSON value is no document."""
    _object(content, path, {"version": _version, "kernel": _kernel}, {"$schema": _anything, "$comment": _anything})


# --- the pieces ------------------------------------------------------------------------------------------------------------------------

def _fail(what: str, path: str, hint: str = "", kind: Kind = Kind.INVALID_SCHEMA) -> None:
    raise SchemaError(kind, what, path, hint=hint)


def _object(value: Any, path: str, fields: dict[str, Check], optional: dict[str, Check] | None = None, extra: tuple[str, ...] = ()) -> None:
    """An object with these fields; those of `extra` were looked at already."""
    if not isinstance(value, dict):
        _fail(f"an object is needed, got {_named(value)}", path)
    for name in fields:
        if name not in value:
            _fail(f"missing field {name!r}", path)
    known = fields | (optional or {})
    for name in value:
        if name not in known and name not in extra:
            _fail(f"unknown field {name!r}", path, f"fields here: {', '.join((*extra, *known))}")
    for name, check_field in known.items():
        if name in value:
            check_field(value[name], f"{path}.{name}")


def _named(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool() | int() | float():
            return str(value).lower()
        case str():
            return f"the text {value!r}"
        case list():
            return "a list"
    return "an object"


def _anything(value: Any, path: str) -> None:
    """No condition."""


def _version(value: Any, path: str) -> None:
    if value != VERSION:
        _fail(f"Unsupported schema version: {value if isinstance(value, str) else _named(value)}", path, f'svod reads "{VERSION}"')


def _name(value: Any, path: str) -> None:
    if not isinstance(value, str) or not value.isidentifier():
        _fail(f"{_named(value)} is not a name", path, "letters, digits and _, not a digit first")


def _kernel_name(value: Any, path: str) -> None:
    if value == "":
        _fail("Kernel name cannot be empty", path)
    _name(value, path)
    if keyword.iskeyword(value):
        _fail(f"{value!r} cannot be the name of a kernel", path)


def _list(of: Check) -> Check:
    def check_list(value: Any, path: str) -> None:
        if not isinstance(value, list):
            _fail(f"a list is needed, got {_named(value)}", path)
        for i, item in enumerate(value):
            of(item, f"{path}[{i}]")
    return check_list


def _or_null(of: Check) -> Check:
    def check_optional(value: Any, path: str) -> None:
        if value is not None:
            of(value, path)
    return check_optional


def _one_of(allowed: tuple[str, ...], what: str) -> Check:
    def check_word(value: Any, path: str) -> None:
        if not isinstance(value, str):
            _fail(f"{_named(value)} is no {what}", path)
        if value not in allowed:
            _fail(f"unknown {what} {value!r}", path, f"one of {', '.join(allowed)}", Kind.UNSUPPORTED)
    return check_word


def _function(value: Any, path: str) -> None:
    _name(value, path)
    if value not in FUNCTIONS:
        _fail(f"unknown function {value!r}", path, "get_global_id, atomics, math, types: docs/kernel-schema.md", Kind.UNSUPPORTED)


def _kernel(value: Any, path: str) -> None:
    _object(value, path, {"name": _kernel_name, "params": _list(_parameter), "body": BODY}, {"$comment": _anything})
    names = [p["name"] for p in value["params"]]
    for i, name in enumerate(names):
        if name in names[:i]:
            _fail(f"two parameters are called {name!r}", f"{path}.params[{i}].name")


def _parameter(value: Any, path: str) -> None:
    _object(value, path, {"name": _parameter_name, "type": _type})


def _parameter_name(value: Any, path: str) -> None:
    _name(value, path)
    if value.startswith("_"):
        _fail(f"names of parameters do not begin with an underscore: {value!r}", path)


def _tagged(table: dict[str, tuple[dict[str, Check], dict[str, Check]]], tag: str, what: str) -> Check:
    """An object whose field `tag` says which fields it has."""
    def check_tagged(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            _fail(f"{what} is an object, got {_named(value)}", path)
        if tag not in value:
            _fail(f"missing field {tag!r}", path)
        kind = value[tag]
        if not isinstance(kind, str) or kind not in table:
            _fail(f"unknown {tag} {kind!r} of {what}" if isinstance(kind, str) else f"{_named(kind)} is no {tag}", f"{path}.{tag}",
                  f"one of {', '.join(table)}")
        _object(value, path, *table[kind], extra=(tag,))
    return check_tagged


def _literal(value: Any, path: str) -> None:
    if not isinstance(value, (bool, int, float)) or (isinstance(value, float) and not math.isfinite(value)):
        _fail(f"a literal is a number, true or false, not {_named(value)}", path)


def _type(value: Any, path: str) -> None:
    _TYPE(value, path)
    if value["kind"] == "device_ptr":
        _fail("a device_ptr has no type of elements, so a kernel can do nothing with it", path, 'use "device_array"', Kind.UNSUPPORTED)


def _element(value: Any, path: str) -> None:
    _TYPE(value, path)
    if value["kind"] != "scalar":
        _fail("elements of an array are scalars", path)


def _expression(value: Any, path: str) -> None:
    _EXPRESSION(value, path)


def _statement(value: Any, path: str) -> None:
    _STATEMENT(value, path)


def _target(value: Any, path: str) -> None:
    _EXPRESSION(value, path)
    if value["type"] not in ("var", "index"):
        _fail(f"a {value['type']} cannot be assigned", path, "a var or an index")


def _array(value: Any, path: str) -> None:
    """The name of an array, as text or as a var."""
    if isinstance(value, dict):
        _EXPRESSION(value, path)
        if value["type"] != "var":
            _fail(f"a {value['type']} is no array", path)
    else:
        _name(value, path)


BODY = _list(_statement)
_E, _OPTIONAL = _expression, _or_null(_expression)
_TYPE = _tagged({
    "scalar": ({"type": _one_of(tuple(SCALARS), "scalar type")}, {}),
    "device_array": ({"element_type": _element}, {}),
    "device_ptr": ({}, {"element_type": _element}),
}, "kind", "a type")
_EXPRESSION = _tagged({
    "var": ({"name": _name}, {}),
    "literal": ({"value": _literal}, {}),
    "binary_op": ({"op": _one_of(OPERATORS, "operator"), "left": _E, "right": _E}, {}),
    "index": ({"array": _E, "index": _E}, {}),
    "call": ({"function": _function, "args": _list(_expression)}, {}),
    "unary_op": ({"op": _one_of(UNARY_OPERATORS, "operator"), "operand": _E}, {}),
    "if_expr": ({"condition": _E, "then": _E, "else": _E}, {}),
}, "type", "an expression")
_STATEMENT = _tagged({
    "let": ({"name": _name, "value": _E}, {}),
    "assign": ({"target": _target, "value": _E}, {}),
    "if": ({"condition": _E, "then_body": BODY}, {"else_body": _or_null(BODY)}),
    "for": ({"var": _name, "start": _E, "stop": _E, "step": _E, "body": BODY}, {}),
    "while": ({"condition": _E, "body": BODY}, {}),
    "return": ({}, {"value": _OPTIONAL}),
    "parallel_map_unary": ({"input": _array, "output": _array, "operation": _one_of(MAP_UNARY, "operation"), "count": _E}, {}),
    "parallel_map_binary": ({"input_a": _array, "input_b": _array, "output": _array, "operation": _one_of(MAP_BINARY, "operation"),
                             "count": _E}, {}),
    "parallel_reduce": ({"input": _array, "output": _array, "operation": _one_of(REDUCE, "operation"), "count": _E}, {}),
}, "type", "a statement")
