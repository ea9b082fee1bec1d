"""Calls: builtins of the language, functions that are traced in place, Python functions on static values.

Owns: binding arguments, inlining, what a call of each kind of object means. Must not know other expressions.
Invariant: Python code of the user is never run on dynamic values: it is traced, with all its control flow, or refused.
"""
from __future__ import annotations

import ast
import datetime
import functools
import inspect
import os
import sys
import types
from typing import Any

from svod.errors import KernelError
from svod.lang import arithmetic, cells
from svod.lang.attributes import fixed
from svod.lang.builtin import Builtin, meant
from svod.lang.frame import Closure, Frame, dependency, facts, is_comparable, is_plain
from svod.lang.join import RETURNED, capture
from svod.lang.source import Source, source_of
from svod.lang.targets import static_key
from svod.lang.tracer import Flow, Tracer
from svod.lang.types import Scalar, dtype_of
from svod.lang.value import Array, Dynamic, Unbound, has_cells, is_dynamic

MAX_CALLS = 64
"""Depth of calls beyond which a kernel is refused."""
_CHANGERS = frozenset(("append", "extend", "insert", "pop", "remove", "clear", "sort", "reverse", "update", "setdefault", "popitem", "add",
                       "discard", "difference_update", "intersection_update", "symmetric_difference_update", "__setitem__", "__delitem__"))
_CHANCE = ("random", "time", "secrets", "uuid", "numpy.random")
"""Modules whose functions give something else each time."""
_LIBRARY = frozenset(sys.stdlib_module_names) | {"numpy", "ml_dtypes"}


def call(t: Tracer, function: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """function(*args, **kwargs)"""
    if isinstance(function, Builtin):
        function.check(args, kwargs)
        return function.apply(t, *map(t.loaded, args), **kwargs)
    if isinstance(function, Dynamic):
        raise KernelError("a number is called")
    if isinstance(function, Closure):
        return inline(t, function, args, kwargs)
    if isinstance(function, functools.partial):
        if not is_plain(function.args) or function.keywords:
            t.note(dependency("the arguments of a partial", lambda: [function.args, function.keywords], [function.args, function.keywords]))
        return call(t, function.func, [*function.args, *args], {**function.keywords, **kwargs})
    dynamic = is_dynamic(args) or is_dynamic(kwargs)
    if (stands := meant(function, dynamic)) is not None:
        stands.check(args, kwargs)
        return stands.apply(t, *map(t.loaded, args), **{k: t.loaded(v) for k, v in kwargs.items()})
    if (dtype := dtype_of(function)) is not None and (dynamic or isinstance(function, Scalar)):
        return _convert(function, dtype, args, kwargs)
    if isinstance(function, types.MethodType) and isinstance(function.__func__, types.FunctionType) and not _in_library(function.__func__):
        return inline(t, function.__func__, [function.__self__, *args], kwargs)
    kernel = getattr(function, "__wrapped__", None)
    if isinstance(kernel, types.FunctionType) and not isinstance(function, types.FunctionType) and not _in_library(kernel):
        return inline(t, kernel, args, kwargs)
    if isinstance(function, types.FunctionType) and not _in_library(function):
        t.note(dependency(function.__qualname__, lambda: function, function))
        return inline(t, function, args, kwargs)
    return native(t, function, args, kwargs)


def _in_library(function: Any) -> bool:
    return (function.__module__ or "").partition(".")[0] in _LIBRARY


def _convert(function: Any, dtype: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """T(x). int() and float() keep a value that is of that kind already."""
    if len(args) != 1 or kwargs:
        raise KernelError(f"{function!r}(x) converts one value, got {len(args) + len(kwargs)}")
    value = args[0]
    if function is bool:
        return arithmetic.truth(value)
    if isinstance(value, Dynamic) and ((function is int and value.dtype.is_int) or (function is float and value.dtype.is_float)):
        return value
    return arithmetic.cast(value, dtype)


def native(t: Tracer, function: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """A Python function, class or method on static values, or on containers of values that it does not look into."""
    owner = getattr(function, "__self__", None)
    if isinstance(owner, (list, dict, set)):
        name = function.__name__
        if name in _CHANGERS:
            if not t.owns(owner):
                raise KernelError(f"a {type(owner).__name__} from outside the kernel cannot be changed in it",
                                  hint="copy it first: list(x)")
            if has_cells(owner):
                raise KernelError(f".{name}() in a loop of the running kernel changes the structure of a {type(owner).__name__}",
                                  hint="use static_range, or a local array")
        elif has_cells(owner):
            function = getattr(t.loaded(owner), name)
        if name in ("get", "pop", "insert", "setdefault"):
            args = [static_key(args[0]), *args[1:]] if args else args
    if isinstance(function, type) and issubclass(function, BaseException):
        return function(*args, **kwargs)
    module = getattr(function, "__module__", None) or ""
    _refuse_chance(function, owner, module)
    harmless = isinstance(function, type) or isinstance(owner, (list, dict, tuple)) or function in _HARMLESS
    if function is range and is_dynamic(args):
        raise KernelError("range() of a dynamic value stands only in a `for` statement, by itself",
                          hint="for i in range(n): … instead of enumerate(), reversed(), zip(), a comprehension or sum()")
    if function in _HARMLESS and any(isinstance(a, Array) for a in args):
        raise KernelError(f"{function.__name__}() of an array, which cannot be iterated over", hint="for i in range(len(a)): … a[i] …")
    if (is_dynamic(args) or is_dynamic(kwargs)) and not harmless:
        name = getattr(function, "__qualname__", repr(function))
        raise KernelError(f"{module + '.' if module not in ('', 'builtins') else ''}{name}() of a dynamic value",
                          hint="a Python function that is not written in Python cannot be traced; svod.lang has math functions of its own")
    result = function(*[t.loaded(a) for a in args], **{k: t.loaded(v) for k, v in kwargs.items()})
    if module == "builtins" and not kwargs:
        _note(t, function, args, result)
    return result


def _refuse_chance(function: Any, owner: Any, module: str) -> None:
    """KernelError for a function whose result is another one each time: its first would be in the kernel for ever."""
    home = type(owner).__module__ if owner is not None and not isinstance(owner, (type, types.ModuleType)) else module
    asks = owner in (datetime.datetime, datetime.date) and function.__name__ in ("now", "today", "utcnow")
    if asks or home.startswith(_CHANCE) or owner is os.environ or function in (os.getenv, os.getpid, os.getcwd):
        raise KernelError(f"{function.__name__}() would be asked once, while the kernel is traced",
                          hint="pass what it gives as an argument; examples/kernels/monte_carlo_pi.py makes random numbers of its own")


def _note(t: Tracer, function: Any, args: list[Any], result: Any) -> None:
    """Notes what a builtin of Python said about an object from outside: len(x), sum(x)."""
    asked = not all(map(fixed, args)) and all(is_plain(a) or not fixed(a) for a in args)
    if asked and is_comparable(result):
        t.note(dependency(f"{function.__name__}() of an object", lambda: function(*args), result))


_HARMLESS = (zip, enumerate, reversed, iter, next, list, tuple, dict)
"""Python functions that hand values on without looking into them."""


# --- inlining ------------------------------------------------------------------------------------------------------------------------

def inline(t: Tracer, function: types.FunctionType | Closure, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """Traces a function in place; its result."""
    source = function.source if isinstance(function, Closure) else source_of(function)
    name = source.name
    if source.place in t.calls:
        raise KernelError(f"Recursive inline function not allowed: {name}", hint="kernels have no stack: write a loop")
    if len(t.calls) >= MAX_CALLS:
        raise KernelError(f"calls nested deeper than {MAX_CALLS}")
    _refuse_kinds(source)
    frame = _frame(t, function, source)
    frame.locals.update(_bind(t, function, source, args, kwargs))
    return _run(t, frame)


def _refuse_kinds(source: Source) -> None:
    node = source.node
    if isinstance(node, ast.AsyncFunctionDef):
        raise KernelError(f"async function {node.name!r} in a kernel")
    body = [node.body] if isinstance(node, ast.Lambda) else node.body
    stack: list[ast.AST] = list(body)
    while stack:
        n = stack.pop()
        if isinstance(n, (ast.Yield, ast.YieldFrom)):
            raise KernelError(f"generator {source.name!r} in a kernel: yield", hint="return a list")
        if not isinstance(n, (ast.FunctionDef, ast.Lambda)):
            stack.extend(ast.iter_child_nodes(n))


def _frame(t: Tracer, function: types.FunctionType | Closure, source: Source) -> Frame:
    names, outer, liveness = facts(source.node)
    parent = function.frame if isinstance(function, Closure) else None
    plain = function if isinstance(function, types.FunctionType) else None
    return Frame(source, names, {}, parent, plain, liveness, t.depth, outer)


def _bind(t: Tracer, function: types.FunctionType | Closure, source: Source, args: list[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Arguments by name, as Python binds them."""
    a = source.node.args
    kinds = inspect.Parameter
    if isinstance(function, Closure):
        defaults, keyword_defaults = function.defaults, dict(function.keyword_defaults)
    else:
        defaults, keyword_defaults = function.__defaults__ or (), function.__kwdefaults__ or {}
        if keyword_defaults or not is_plain(defaults):
            t.note(dependency(f"the default values of {source.name}", lambda: [function.__defaults__, function.__kwdefaults__],
                              [function.__defaults__, function.__kwdefaults__]))
    positional = [*a.posonlyargs, *a.args]
    given = (kinds.empty,) * (len(positional) - len(defaults)) + tuple(defaults)
    parameters = [kinds(p.arg, kinds.POSITIONAL_ONLY if p in a.posonlyargs else kinds.POSITIONAL_OR_KEYWORD, default=d)
                  for p, d in zip(positional, given, strict=True)]
    parameters += [kinds(a.vararg.arg, kinds.VAR_POSITIONAL)] if a.vararg else []
    parameters += [kinds(p.arg, kinds.KEYWORD_ONLY, default=keyword_defaults.get(p.arg, kinds.empty)) for p in a.kwonlyargs]
    parameters += [kinds(a.kwarg.arg, kinds.VAR_KEYWORD)] if a.kwarg else []
    try:
        bound = inspect.Signature(parameters).bind(*args, **kwargs)
    except TypeError as e:
        unknown = [] if a.kwarg else [k for k in kwargs if k not in {p.name for p in parameters}]
        said = f"no parameter is called {unknown[0]!r}" if unknown else str(e)
        raise KernelError(f"{source.name}(): {said}", hint=f"{source.name}({', '.join(p.name for p in parameters)})") from None
    bound.apply_defaults()
    return {name: t.named(t.read(value), name) for name, value in bound.arguments.items()}


def _run(t: Tracer, frame: Frame) -> Any:
    node = frame.source.node
    entry_depth = len(t.frames)
    t.calls.append(frame.source.place)
    t.keep.append(node)
    t.frames.append(frame)
    try:
        if isinstance(node, ast.Lambda):
            return t.evaluate(node.body)
        entry = capture(t.frames)
        with t.scope() as scope:
            frame.scope = scope
            flow = t.execute(node.body)
            if flow is None:
                frame.locals[RETURNED] = None
            elif flow is Flow.RETURN:
                flow = None
        if t.close_scope(scope, entry, flow, frame.liveness.captured | {RETURNED}) is Flow.STOPPED:
            raise KernelError(f"{frame.source.name}() never returns")
        result = frame.locals.pop(RETURNED)
        if isinstance(result, Unbound):
            raise KernelError(f"the result of {frame.source.name}(): {result.what.replace(repr(RETURNED), 'it')}", hint=result.hint)
        return result
    finally:
        del t.frames[entry_depth:]
        t.calls.pop()


def return_statement(t: Tracer, node: ast.Return) -> Flow:
    """return value"""
    value = t.evaluate(node.value) if node.value is not None else None
    frame = t.frame
    if frame.scope is None:
        if value is not None:
            raise KernelError("a kernel returns nothing", hint="write results to an array")
        if t.divergent(0, None):
            t.returned()
            return Flow.STOPPED
        return Flow.RETURN
    frame.locals[RETURNED] = t.named(t.loaded(value), "")
    if t.divergent(frame.depth, frame.scope):
        return cells.jump(t, frame.scope)
    return Flow.RETURN
