"""The names that kernels of the dialect import: types, the id of the work item, atomics, math.

Owns: `DeviceArray`, `inline`, the three parallel functions. Must not know what the other names do: they are those of schema 1.0.
Invariant: called outside a kernel, a math function computes with a Python number, a type makes a NumPy scalar, everything else raises.
"""
from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeVar

from svod.errors import KernelError
from svod.lang.schema.structure import MAP_UNARY
from svod.lang.schema.vocabulary import FUNCTIONS, get_global_id
from svod.lang.types import Array, ArrayAnnotation, dtype_of

F = TypeVar("F", bound=Callable[..., Any])
_PYTHON = ("bool", "int", "float", "index", "len")
_EXPORTED = sorted(FUNCTIONS.keys() - set(_PYTHON))
__all__ = ["DeviceArray", "inline", "parallel_map_binary", "parallel_map_unary", "parallel_reduce", *_EXPORTED]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name in _EXPORTED:
        return FUNCTIONS[name]
    raise AttributeError(f"module 'atlas_kernel' has no name {name!r}")


class DeviceArray:
    """`DeviceArray[f32]`: an array of one axis, of any length."""

    def __class_getitem__(cls, element: Any) -> ArrayAnnotation:
        if dtype_of(element) is None:
            raise KernelError(f"Unsupported scalar type: {element!r}", hint="DeviceArray[f32]")
        return Array[element]  # type: ignore[no-any-return, misc]


def inline(function: F) -> F:
    """Marks a function that kernels call; every function is inlined, marked or not."""
    function._atlas_inline = True  # type: ignore[attr-defined]
    return function


_UNARY = {name: FUNCTIONS[name] for name in MAP_UNARY}
_BINARY = {"add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv,
           **{name: FUNCTIONS[name] for name in ("pow", "min", "max", "atan2")}}
_REDUCE = {"sum": operator.add, "product": operator.mul, "min": FUNCTIONS["min"], "max": FUNCTIONS["max"]}


# These three are written in the language itself, and traced where a kernel calls them.

def parallel_map_unary(input: Any, output: Any, operation: str, count: Any) -> None:
    """output[i] = operation(input[i]) for i below count, in a kernel; the operations are those of `structure.MAP_UNARY`."""
    i = get_global_id()
    if i < count:
        output[i] = _UNARY[operation](input[i])


def parallel_map_binary(input_a: Any, input_b: Any, output: Any, operation: str, count: Any) -> None:
    """output[i] = operation(input_a[i], input_b[i]) for i below count, in a kernel."""
    i = get_global_id()
    if i < count:
        output[i] = _BINARY[operation](input_a[i], input_b[i])


def parallel_reduce(input: Any, output: Any, operation: str, count: Any) -> None:
    """output[0] = all of input[0] to input[count - 1] combined, in order, in a kernel; count is 1 or more."""
    if get_global_id() == 0:
        result = input[0]
        for i in range(1, count):
            result = _REDUCE[operation](result, input[i])
        output[0] = result
