"""Python's questions about objects, asked in a kernel: isinstance, type, hasattr, getattr, callable, id, str, repr, set, dict.

Owns: their answers for values of the running kernel, and noting what was asked of objects from outside. Must not know syntax.
Invariant: an answer is the one that Python would give for the number that stands there when the kernel runs, or a KernelError.
"""
from __future__ import annotations

import builtins
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from svod.dtype import DType, dtypes, numpy_dtype
from svod.errors import KernelError
from svod.lang.attributes import attribute, fixed
from svod.lang.builtin import ALWAYS, Builtin, Name
from svod.lang.frame import Closure, dependency
from svod.lang.tracer import Tracer
from svod.lang.types import Array as ArrayName
from svod.lang.types import Scalar
from svod.lang.value import Array, Dynamic, Vector, describe, is_dynamic

_ABSENT = object()


def _isinstance(t: Tracer, value: Any, kind: Any) -> bool:
    """isinstance(): a value is of the Python and NumPy types that a number of its type is an instance of."""
    if isinstance(kind, tuple):
        return any(_isinstance(t, value, k) for k in kind)
    if isinstance(kind, types.UnionType):
        return any(_isinstance(t, value, k) for k in kind.__args__)
    if isinstance(value, Dynamic):
        return value.dtype is kind.dtype if isinstance(kind, Scalar) else any(issubclass(c, kind) for c in _classes(value.dtype))
    if isinstance(value, Array):
        if isinstance(kind, type) and issubclass(np.ndarray, kind) and kind is not object:
            raise KernelError(f"isinstance() of an array and {kind.__name__}: in a kernel it is none of Python's objects",
                              hint="isinstance(x, sl.Array)")
        return kind is ArrayName or isinstance(value, kind)
    return isinstance(value, kind)


def _classes(dtype: DType) -> tuple[type, type]:
    """The Python and the NumPy class of numbers of a type."""
    own = numpy_dtype(dtypes.i64 if dtype is dtypes.index else dtype).type
    return bool if dtype.is_bool else float if dtype.is_float else int, own


def _type(t: Tracer, *args: Any) -> Any:
    if isinstance(args[0], (Dynamic, Vector, Array)):
        raise KernelError(f"type() of {describe(args[0])}: in a kernel it is no object of Python's",
                          hint="x.dtype is its type: x.dtype == sl.f32; isinstance(x, float) asks what kind of number it is")
    return type(*args)


def _hasattr(t: Tracer, value: Any, name: str) -> bool:
    if isinstance(value, Name):
        return name in value.unpack
    if isinstance(value, (Dynamic, Vector, Array)):
        try:
            attribute(t, value, name)
        except KernelError:
            return False
        return True
    return _asked(t, value, name) is not _ABSENT


def _getattr(t: Tracer, value: Any, name: str, *default: Any) -> Any:
    if not default or isinstance(value, (Name, Dynamic, Vector, Array)):
        return attribute(t, value, name) if not default or _hasattr(t, value, name) else default[0]
    return default[0] if _asked(t, value, name) is _ABSENT else attribute(t, value, name)


def _asked(t: Tracer, value: Any, name: str) -> Any:
    """What an object has under a name, or that it has nothing there; noted."""
    found = getattr(value, name, _ABSENT)
    if found is _ABSENT and not fixed(value):
        t.note(dependency(f"{getattr(value, '__name__', type(value).__name__)}.{name}", lambda: getattr(value, name, _ABSENT), found))
    elif not fixed(value):
        attribute(t, value, name)
    return found


def _callable(t: Tracer, value: Any) -> bool:
    return isinstance(value, Closure) or callable(value)


def _id(t: Tracer, value: Any) -> int:
    if is_dynamic(value):
        raise KernelError("id() of a dynamic value: in a kernel it is no object of Python's", hint="compare values: x == y")
    return id(value)


def _text(function: Callable[..., str]) -> Callable[..., str]:
    def apply(t: Tracer, *args: Any, **kwargs: Any) -> str:
        if any(map(is_dynamic, args)):
            raise KernelError(f"{function.__name__}() of a dynamic value", hint='printf("x = {}", x) prints when the kernel runs')
        return function(*args, **kwargs)
    return apply


def _set(kind: type) -> Callable[..., Any]:
    def apply(t: Tracer, *items: Any) -> Any:
        return as_set(kind(*items))
    return apply


def _dict(t: Tracer, *items: Any, **more: Any) -> dict[Any, Any]:
    found = dict(*items, **more)
    if any(map(is_dynamic, found)):
        raise KernelError("a dict with dynamic keys: which of them are equal is known only when the kernel runs", hint="a list of pairs")
    return found


def as_set(found: Any) -> Any:
    """A set, unless something in it is known only when the kernel runs: which of its items are equal would be a guess."""
    if is_dynamic(found):
        raise KernelError("a set of dynamic values: which of them are equal is known only when the kernel runs", hint="a list, or a tuple")
    return found


def _refused(function: Callable[..., Any], why: str, hint: str) -> Builtin:
    def apply(t: Tracer, *args: Any, **kwargs: Any) -> Any:
        raise KernelError(f"{function.__name__}() in a kernel: {why}", hint=hint)
    return Builtin(apply, function.__name__)


def _dir(function: Callable[..., Any]) -> Builtin:
    def apply(t: Tracer, *args: Any) -> Any:
        if not args or is_dynamic(args):
            raise KernelError(f"{function.__name__}() in a kernel: its names are not Python's", hint="name what is wanted")
        return function(*args)
    return Builtin(apply, function.__name__)


_REFUSED: tuple[tuple[tuple[Callable[..., Any], ...], str, str], ...] = (
    ((locals, globals), "its names are not Python's", "name what is wanted"),
    ((eval, exec, compile), "text given to it has no source", "write it out, or make the kernel in a function that is given what varies"),
    ((open, input, breakpoint), "it would be done once, while the kernel is traced", "do it before the launch"),
    ((next,), "a generator expression is a list there", "the first item is x[0]; an array is read by its index"),
)
for _functions, _why, _hint in _REFUSED:
    ALWAYS.update({function: _refused(function, _why, _hint) for function in _functions})
ALWAYS.update({function: _dir(function) for function in (vars, dir)})
ALWAYS.update({
    isinstance: Builtin(_isinstance, "isinstance"), type: Builtin(_type, "type"), hasattr: Builtin(_hasattr, "hasattr"),
    getattr: Builtin(_getattr, "getattr"), callable: Builtin(_callable, "callable"), id: Builtin(_id, "id"),
})
for _function in (str, repr, ascii, builtins.format):
    ALWAYS[_function] = Builtin(_text(_function), _function.__name__)
ALWAYS[dict] = Builtin(_dict, "dict")
for _kind in (set, frozenset):
    ALWAYS[_kind] = Builtin(_set(_kind), _kind.__name__)
