"""Attributes: of arrays, dynamic values and the language's own names, of modules and objects of Python.

Owns: what `x.name` means. Must not know calls.
Invariant: what is read of modules and objects from outside is noted as a dependency.
"""
from __future__ import annotations

import difflib
import sys
import types
from typing import Any

from svod.errors import KernelError
from svod.lang import arithmetic
from svod.lang.builtin import METHODS, Builtin, Name
from svod.lang.elements import extents, read_element, size
from svod.lang.frame import dependency
from svod.lang.tracer import Tracer
from svod.lang.types import Scalar, dtype_of
from svod.lang.value import Array, Cell, Dynamic, Vector, describe

_FIXED = frozenset(sys.stdlib_module_names) | {"numpy", "svod", "ml_dtypes"}


def attribute(t: Tracer, value: Any, name: str) -> Any:
    """value.name"""
    if isinstance(value, Name):
        return value.read(t, name)
    if isinstance(value, Array):
        return _of_array(t, value, name)
    if isinstance(value, (Dynamic, Vector)):
        return _of_value(value, name)
    if not hasattr(value, name):
        called = f"module {value.__name__}" if isinstance(value, types.ModuleType) else describe(value)
        near = difflib.get_close_matches(name, dir(value), 1)
        raise KernelError(f"{called} has no attribute {name!r}", hint=f"did you mean {near[0]}?" if near else "")
    found = getattr(value, name)
    if fixed(value) or isinstance(found, (types.BuiltinMethodType, Dynamic, Vector, Array, Cell)):
        return found
    place = f"{getattr(value, '__name__', type(value).__name__)}.{name}"
    if isinstance(found, types.MethodType):  # a new object each time it is asked for
        t.note(dependency(place, lambda: getattr(value, name).__func__, found.__func__))
    else:
        t.note(dependency(place, lambda: getattr(value, name), found))
    return found


def fixed(value: Any) -> bool:
    """True for modules and classes that do not change, and for plain values made while tracing."""
    if isinstance(value, types.ModuleType):
        return value.__name__.partition(".")[0] in _FIXED
    if isinstance(value, (bytes, int, float, list, dict, set, tuple, frozenset, range, slice, str)) and not hasattr(value, "__dict__"):
        return True
    kind = value if isinstance(value, type) else type(value)
    home = (getattr(kind, "__module__", "") or "").partition(".")[0]
    return home in _FIXED and (isinstance(value, type) or home == "svod" or not hasattr(value, "__dict__"))


def _of_array(t: Tracer, array: Array, name: str) -> Any:
    if name == "shape":
        return extents(t, array)
    if name == "size":
        return size(t, array)
    if name == "ndim":
        return len(array.shape)
    if name == "dtype":
        return Scalar(array.dtype)
    if name == "flat":
        total = size(t, array)
        return Array(array.pointer, array.dtype, (total.uop if isinstance(total, Dynamic) else total,), array.name, array.offset)
    if name == "load":
        return Builtin(lambda tracer, *index: read_element(tracer, array, index if len(index) > 1 else index[0]), "load")
    raise KernelError(f"an array has no attribute {name!r}", hint="shape, size, ndim, dtype, flat")


def _of_value(value: Dynamic | Vector, name: str) -> Any:
    if name == "dtype":
        return Scalar(value.dtype)
    if name in ("to", "astype", "cast"):
        return Builtin(lambda tracer, kind: arithmetic.cast(value, _dtype(kind)), name)
    if (method := METHODS.get(name)) is not None:
        return Builtin(lambda tracer, *args, **kwargs: method.apply(tracer, value, *args, **kwargs), name)
    raise KernelError(f"{describe(value)} has no attribute {name!r}", hint="dtype, and .to(T), which converts")


def _dtype(kind: Any) -> Any:
    dtype = dtype_of(kind)
    if dtype is None:
        raise KernelError(f"{kind!r} is not a type", hint=".to(f32)")
    return dtype
