"""A Python function and the types of its arguments in, a thread kernel out.

Owns: `trace`, `Trace`. Must not know devices, launches, caches.
Invariant: the result depends on the function, what its dependencies held, the arguments and the options, and on nothing else.
"""
from __future__ import annotations

import ast
import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from svod.errors import KernelError
from svod.ir.args import ThreadsInfo
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.lang import diagnostics, ids, introspect, mathematics, memory
from svod.lang.builder import Branch, portable
from svod.lang.checked import begin
from svod.lang.expressions import EXPRESSIONS
from svod.lang.frame import Dependency, Frame, dependency, facts
from svod.lang.freshness import distinct
from svod.lang.source import source_of
from svod.lang.statements import STATEMENTS
from svod.lang.tracer import Tracer
from svod.lang.types import ArrayType, Constant, Parameter, ScalarType, Stream, signature
from svod.lang.value import Array, Dynamic


@dataclass(frozen=True, slots=True)
class Trace:
    """A traced kernel: `threads` is the THREADS; which parameter each buffer slot is; what each scalar variable holds.

    `scalars`: ("param", name), ("shape", array, axis), ("grid", axis), ("shared",), or ("threads",); with several guarded axes
    ("threads", axis). `shared`: bytes of dynamic shared memory that a launch must give, each as an expression; those over scalars of the
    launch alone can be looked at before it.
    """

    threads: UOp
    name: str
    buffers: tuple[str, ...]
    scalars: dict[str, tuple[Any, ...]]
    dependencies: tuple[Dependency, ...]
    shared: tuple[UOp, ...] = ()
    places: dict[UOp, Any] = field(default_factory=dict)
    """Where statements that a target may refuse were written (blame.py)."""


def trace(function: Callable[..., Any], arguments: Mapping[str, ArrayType | ScalarType | Constant], *,
          block: tuple[int, int, int] = (1, 1, 1), subgroup: int = 32, guarded: bool | int = False, checks: str = "") -> Trace:
    """The thread kernel that `function` is for arguments of these types.

    `guarded`: the kernel was launched with a number of work items; those whose global id is `_threads` or more return at once (2 and 3:
    also along y and z, below `_threads_y` and `_threads_z`). `checks`: how the kernel itself checks each index.
    KernelError, with the place, for what the language has not.
    """
    inner = inspect.unwrap(function)
    if not isinstance(inner, types.FunctionType):
        raise KernelError(f"a kernel is a Python function, not {type(inner).__name__}", hint="def kernel(a: Array[f32]): …")
    source = source_of(inner)
    names, outer, liveness = facts(source.node)
    t = Tracer(EXPRESSIONS, STATEMENTS, block, subgroup, bool(guarded), checks=checks)
    frame = Frame(source, names, {}, None, inner, liveness, 0, outer)
    t.frames.append(frame)
    t.calls.append(source.place)
    with t.located(source.node):
        _check_kind(source.node)
        buffers = _bind(t, frame, signature(inner), arguments)
        begin(t)
        if guarded:
            _guard(t, int(guarded))
        body = source.node.body
        assert isinstance(body, list)
        t.execute(body)
    root = UOp(Op.THREADS, (t.builder.close(t.builder.here),), ThreadsInfo(portable(inner.__name__), block, subgroup))
    needs = tuple(t.state.get(memory.DYNAMIC, ()))
    used = {u.arg.name for u in root.find(Op.DEFINE_VAR)} | {u.arg.name for need in needs for u in need.find(Op.DEFINE_VAR)}
    scalars = {name: meaning for name, meaning in t.scalars.items() if name in used or meaning[0] == "param"}
    t.note(dependency(inner.__qualname__, lambda: inner, inner))
    return Trace(root, inner.__name__, buffers, scalars, distinct(t.dependencies), needs, t.builder.places)


def _check_kind(node: Any) -> None:
    if isinstance(node, ast.Lambda):
        raise KernelError("a lambda as a kernel", hint="def kernel(…): …")
    if isinstance(node, ast.AsyncFunctionDef):
        raise KernelError("async def as a kernel", hint="kernels do not wait")


def _bind(t: Tracer, frame: Frame, parameters: tuple[Parameter, ...], arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Gives every parameter its value; the names of the arrays, by slot."""
    known = {p.name for p in parameters}
    if extra := [name for name in arguments if name not in known]:
        raise KernelError(f"no parameter is called {extra[0]!r}", hint=f"parameters: {', '.join(sorted(known))}")
    buffers: list[str] = []
    taken: list[str] = []
    for p in parameters:
        argument = arguments.get(p.name)
        if argument is None:
            if p.kind == "stream":
                frame.locals[p.name] = Stream()
                continue
            if p.kind == "constexpr" and p.default is not p_empty:
                frame.locals[p.name] = p.default
                continue
            raise KernelError(f"no type is given for parameter {p.name!r}")
        taken.append(portable(p.name, taken))
        frame.locals[p.name] = _value(t, p.name, taken[-1], argument, buffers)
    return tuple(buffers)


p_empty = inspect.Parameter.empty


def _value(t: Tracer, name: str, plain: str, argument: Any, buffers: list[str]) -> Any:
    """What a parameter is; `plain` is its name in the graph."""
    if isinstance(argument, Constant):
        return argument.value
    if isinstance(argument, ScalarType):
        t.scalars[plain] = ("param", name)
        return Dynamic(UOp.scalar(plain, argument.dtype))
    pointer = UOp.param(len(buffers), argument.dtype, _size(argument.shape), name=plain)
    buffers.append(name)
    shape: list[int | UOp] = []
    for axis, extent in enumerate(argument.shape or (None,) * argument.rank):
        if extent is not None:
            shape.append(extent)
            continue
        hidden = f"_{plain}_shape_{axis}"
        t.hidden[hidden] = ("shape", name, axis)
        shape.append(UOp.variable(hidden, 0, 1 << 62))
    return Array(pointer, argument.dtype, tuple(shape), name)


def _size(shape: tuple[int | None, ...]) -> int | None:
    total = 1
    for extent in shape:
        if extent is None:
            return None
        total *= extent
    return total


def _guard(t: Tracer, axes: int) -> None:
    """Work items beyond the number asked for return."""
    inside: UOp | None = None
    for axis in range(axes):
        name = ("_threads", "_threads_y", "_threads_z")[axis]
        bound = t.variable(name, ("threads",) if axis == 0 else ("threads", axis))
        here = ids.across(t, axis).uop < bound
        inside = here if inside is None else UOp(Op.AND, (inside, here))
    assert inside is not None
    outside = t.builder.let(UOp(Op.NOT, (inside,)), "outside")
    t.builder.emit(Branch(outside, [UOp(Op.RETURN)], []))


LOADED = (diagnostics, introspect, mathematics, memory)
"""They say which functions of Python stand for functions of the language, so they are loaded before anything is traced."""
__all__ = ["ArrayType", "Constant", "Dependency", "Parameter", "ScalarType", "Trace", "signature", "trace"]
