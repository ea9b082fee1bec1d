"""Python functions as documents of schema 1.0.

Owns: `compile_to_json`, `document_of`, and what each statement becomes. Must not know how a document runs.
Invariant: a document means what the function means, or there is an error with file, line and caret; nothing is dropped. The function was
traced too: what the front end refuses has no document.
"""
from __future__ import annotations

import ast
import inspect
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from svod.errors import KernelError
from svod.lang.frame import local_names
from svod.lang.schema.document import VERSION, Document, document
from svod.lang.schema.expressions import HINT, Frame, Json, Writer, inlined, kind_of, kind_of_type, literal, operation, var
from svod.lang.schema.jumps import structured
from svod.lang.schema.load import check
from svod.lang.schema.source import DISCARDED
from svod.lang.schema.vocabulary import scalar_name
from svod.lang.source import source_of
from svod.lang.types import Parameter, dtype_of, signature, where_defined


def compile_to_json(function: Callable[..., Any], output_path: str | Path | None = None) -> str:
    """The document of a kernel as text, indented by 2; also written to `output_path`, if there is one. KernelError, OSError."""
    text = document_of(function).to_json()
    if output_path is not None:
        Path(output_path).write_text(text, encoding="utf-8")
    return text


def document_of(function: Callable[..., Any]) -> Document:
    """The document of a kernel: a function, or anything with `__wrapped__` around one. KernelError for what 1.0 cannot hold."""
    inner = inspect.unwrap(function)
    if not isinstance(inner, types.FunctionType):
        raise KernelError(f"a kernel is a Python function, not {type(inner).__name__}", hint="def kernel(a: DeviceArray[f32]): …")
    source = source_of(inner)
    if not isinstance(source.node, ast.FunctionDef):
        raise KernelError("a kernel is a function written with def", at=where_defined(inner), hint="not a lambda, not async")
    parameters = signature(inner)
    local, _ = local_names(source.node)
    params = [_parameter(inner, p) for p in parameters]
    arrays = {p["name"]: p["type"]["element_type"]["type"] for p in params if p["type"]["kind"] == "device_array"}
    kinds = {p["name"]: kind_of_type(p["type"]["type"]) for p in params if p["name"] not in arrays}
    kinds = {name: kind for name, kind in kinds.items() if _assignments(source.node, name) == 0}
    taken = {n.id for n in ast.walk(source.node) if isinstance(n, ast.Name)} | {p["name"] for p in params} | {DISCARDED}
    writer = Writer([Frame(inner, source.file, local)], arrays, kinds, taken, _inline_body, {p["name"] for p in params})
    writer.calls.append(source.node)
    with writer.located(source.node):
        statements(writer, structured(source.node.body, writer.fresh))
        check(inner)
    return document({"version": VERSION, "kernel": {"name": inner.__name__, "params": params, "body": writer.pending}}, file=source.file)


def _parameter(function: types.FunctionType, p: Parameter) -> Json:
    place = where_defined(function)
    if p.kind not in ("array", "scalar") or p.keyword_only:
        what = "a keyword-only parameter" if p.keyword_only else p.kind
        raise KernelError(f"Unsupported type annotation: {what} (parameter {p.name!r})", at=place, hint=HINT)
    if p.kind == "array" and p.shape != (None,):
        raise KernelError(f"Unsupported type annotation: an array of shape {p.shape} (parameter {p.name!r})", at=place,
                          hint="arrays of schema 1.0 have one axis of any length: DeviceArray[f32]")
    try:
        name = scalar_name(p.dtype, inspect.signature(function).parameters[p.name].annotation, f"parameter {p.name!r}")
    except KernelError as e:
        raise KernelError(e.what, at=place, hint=e.hint) from None
    scalar = {"kind": "scalar", "type": name}
    return {"name": p.name, "type": {"kind": "device_array", "element_type": scalar} if p.kind == "array" else scalar}


def _assignments(tree: ast.AST, name: str) -> int:
    return sum(isinstance(n, ast.Name) and n.id == name and not isinstance(n.ctx, ast.Load) for n in ast.walk(tree))


# --- statements --------------------------------------------------------------------------------------------------------------------------

def statements(w: Writer, body: list[ast.stmt]) -> None:
    """Writes statements, after what is pending."""
    for node in body:
        handler = _STATEMENTS.get(type(node))
        with w.located(node):
            if handler is None:
                raise KernelError(f"Unsupported statement: {_WORDS.get(type(node), type(node).__name__)}", hint=HINT)
            handler(w, node)


def block(w: Writer, body: list[ast.stmt]) -> list[Json]:
    """The statements of an inner block."""
    with w.collected() as result:
        statements(w, body)
    return result


def _store(w: Writer, target: ast.expr, value: Json) -> None:
    """target = value"""
    if isinstance(target, ast.Name):
        name = w.spelled(target.id)["name"]
        w.bind(name, value)
        if _assignments(w.calls[-1], target.id) == 1 and (kind := kind_of(w, value)):
            w.kinds[name] = kind
    elif isinstance(target, ast.Subscript):
        value, place = w.in_order([lambda: value, target])
        if place["type"] != "index":
            raise KernelError(f"Unsupported statement: assignment to {ast.unparse(target)}", hint=HINT)
        w.pending.append({"type": "assign", "target": place, "value": value})
    else:
        raise KernelError(f"Unsupported statement: assignment to {ast.unparse(target)}", hint="a name or an element")


def _assign(w: Writer, node: ast.Assign) -> None:
    if len(node.targets) == 1 and not isinstance(node.targets[0], (ast.Tuple, ast.List)):
        _store(w, node.targets[0], w.write(node.value))
        return
    if any(isinstance(t, (ast.Tuple, ast.List)) for t in node.targets):
        if not isinstance(node.value, (ast.Tuple, ast.List)):
            raise KernelError("Unsupported statement: unpacking of what is not written as a tuple", hint="x, y = a, b")
        values = [w.kept(value) for value in w.in_order(node.value.elts)]
    else:
        values = [w.kept(w.write(node.value))]
    for target in node.targets:
        _unpack(w, target, values)


def _unpack(w: Writer, target: ast.expr, values: list[Json]) -> None:
    if not isinstance(target, (ast.Tuple, ast.List)):
        if len(values) != 1:
            raise KernelError("Unsupported statement: a tuple as a value", hint=HINT)
        _store(w, target, values[0])
        return
    if len(target.elts) != len(values):
        raise KernelError(f"{len(values)} values for {len(target.elts)} targets")
    for each, value in zip(target.elts, values, strict=True):
        _store(w, each, value)


def _annotated(w: Writer, node: ast.AnnAssign) -> None:
    """x: T = value: a scalar type converts, as in the front end; int, float, bool and other annotations mean nothing."""
    if node.value is None:
        return
    value, kind = w.write(node.value), w.outside(node.annotation)
    if isinstance(node.annotation, ast.Constant) and isinstance(node.annotation.value, str):
        kind = w.outside(ast.parse(node.annotation.value, mode="eval").body)
    dtype = None if kind in (int, float, bool) else dtype_of(kind)
    if dtype is not None:
        value = {"type": "call", "function": scalar_name(dtype, kind, ast.unparse(node.annotation)), "args": [value]}
    _store(w, node.target, value)


def _augmented(w: Writer, node: ast.AugAssign) -> None:
    """target op= value: the target is written twice, so what changes memory in its index is computed before."""
    if isinstance(node.target, ast.Name):
        name = ast.copy_location(ast.Name(node.target.id, ast.Load()), node.target)
        left, right = w.in_order([name, node.value])
        w.bind(w.spelled(node.target.id)["name"], operation(node.op, left, right))
        return
    place = w.write(node.target)
    if place["type"] != "index":
        raise KernelError(f"Unsupported statement: assignment to {ast.unparse(node.target)}", hint=HINT)
    if not _stable(place["index"]):
        place = {**place, "index": w.kept(place["index"], "place")}
    left, right = w.in_order([lambda: place, node.value])
    w.pending.append({"type": "assign", "target": place, "value": operation(node.op, left, right)})


def _stable(index: Json) -> bool:
    """Whether an index may be written twice: no loads, no calls but the id."""
    match index:
        case {"type": "binary_op", "left": left, "right": right}:
            return _stable(left) and _stable(right)
        case {"type": "call", "function": function}:
            return bool(function == "get_global_id")
    return index["type"] in ("var", "literal")


def _if(w: Writer, node: ast.If) -> None:
    condition = w.write(node.test)
    if condition["type"] == "literal":
        statements(w, node.body if condition["value"] else node.orelse)
        return
    then, other = block(w, node.body), block(w, node.orelse)
    w.pending.append({"type": "if", "condition": condition, "then_body": then, "else_body": other or None})


def _for(w: Writer, node: ast.For) -> None:
    if not isinstance(node.target, ast.Name):
        raise KernelError("For loop target must be a simple variable", hint="for i in range(n)")
    ranged = node.iter
    if not isinstance(ranged, ast.Call) or w.outside(ranged.func) is not range:
        raise KernelError("Unsupported statement: for over anything but range()", hint=HINT)
    if ranged.keywords or not 1 <= len(ranged.args) <= 3 or any(isinstance(a, ast.Starred) for a in ranged.args):
        raise KernelError("Invalid range() call", hint="range(stop), range(start, stop) or range(start, stop, step)")
    bounds = w.in_order(ranged.args)
    start, stop, step = (literal(0), bounds[0], literal(1)) if len(bounds) == 1 else (*bounds, literal(1)) if len(bounds) == 2 else bounds
    name = w.spelled(node.target.id)["name"]
    w.bound.add(name)
    if _assignments(w.calls[-1], node.target.id) == 1:
        w.kinds[name] = "int"
    w.pending.append({"type": "for", "var": name, "start": start, "stop": stop, "step": step, "body": block(w, node.body)})


def _while(w: Writer, node: ast.While) -> None:
    """A condition that takes statements is computed at the start of each iteration, which a flag then ends."""
    with w.collected() as before:
        condition = w.write(node.test)
    if not before:
        w.pending.append({"type": "while", "condition": condition, "body": block(w, node.body)})
        return
    name = w.fresh("going")
    w.bind(name, literal(True))
    with w.collected() as body:
        w.pending += before
        w.bind(name, {"type": "call", "function": "bool", "args": [condition]})
        w.pending.append({"type": "if", "condition": var(name), "then_body": block(w, node.body), "else_body": None})
    w.pending.append({"type": "while", "condition": var(name), "body": body})


def _return(w: Writer, node: ast.Return) -> None:
    if len(w.frames) > 1:
        raise KernelError(f"Inline function {w.frames[-1].function.__name__} must contain only a return statement (excluding docstring)",
                          hint="statements before it are taken too, if there is one return, at the end")
    if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
        raise KernelError("a kernel returns nothing", hint="write results to an array")
    w.pending.append({"type": "return", "value": None})


def _expression(w: Writer, node: ast.Expr) -> None:
    """A call for what it does is a let of a name that nobody reads; text is a docstring."""
    if isinstance(node.value, ast.Constant) and (isinstance(node.value.value, str) or node.value.value is ...):
        return
    if isinstance(node.value, ast.Call):
        function = w.outside(node.value.func)
        plain = inspect.unwrap(function) if isinstance(function, types.FunctionType) else function
        if isinstance(plain, types.FunctionType):
            with w.located(node.value):
                result = inlined(w, plain, node.value, used=False)
            if result["type"] in ("literal", "var"):
                return
            w.pending.append({"type": "let", "name": DISCARDED, "value": result})
            return
    w.pending.append({"type": "let", "name": DISCARDED, "value": w.write(node.value)})


def _nothing(w: Writer, node: ast.stmt) -> None:
    """pass"""


def _inline_body(w: Writer, function: types.FunctionType, tree: ast.FunctionDef) -> Json | None:
    """The body of an inlined function: statements, and one return at the end."""
    body = structured(tree.body, w.fresh)
    last = body[-1]
    if isinstance(last, ast.Return):
        statements(w, body[:-1])
        return None if last.value is None else w.write(last.value)
    statements(w, body)
    return None


_STATEMENTS: dict[type[ast.stmt], Callable[[Writer, Any], None]] = {
    ast.Assign: _assign, ast.AnnAssign: _annotated, ast.AugAssign: _augmented, ast.If: _if, ast.For: _for, ast.While: _while,
    ast.Return: _return, ast.Expr: _expression, ast.Pass: _nothing}
_WORDS: dict[type[ast.stmt], str] = {
    ast.Assert: "assert", ast.Raise: "raise", ast.Try: "try", ast.With: "with", ast.Delete: "del", ast.Global: "global",
    ast.Nonlocal: "nonlocal", ast.FunctionDef: "def", ast.ClassDef: "class", ast.Import: "import", ast.ImportFrom: "import",
    ast.Match: "match", ast.AsyncFunctionDef: "async def", ast.AsyncFor: "async for", ast.AsyncWith: "async with",
    ast.Break: "break outside a loop", ast.Continue: "continue outside a loop"}

__all__ = ["compile_to_json", "document_of"]
