"""Types of users as arguments of kernels: each says what arrays and numbers its values are made of.

Owns: the registry. Must not know kernels or launches.
Invariant: a type is registered once; a value of it stands for its parts, in order, wherever it is passed by position.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from svod.errors import ArgumentError

T = TypeVar("T")
Flatten = Callable[[Any], Iterable[object]]

_FLATTEN: dict[type, Flatten] = {}


def register_argument(kind: type[T], flatten: Callable[[T], Iterable[object]]) -> None:
    """From now on a `kind` (or a subclass of it) passed to a kernel by position stands for what `flatten(value)` gives, in order.

    The kernel has one parameter for each part: an array, a number, a Constexpr.
    ArgumentError if the type is registered already, is no type, or is built in.
    """
    given: tuple[Any, Any] = (kind, flatten)
    if not isinstance(given[0], type) or not callable(given[1]):
        raise ArgumentError(f"register_argument({kind!r}, {flatten!r})", hint="a type, and a function that gives the parts of a value")
    if kind.__module__ in ("builtins", "numpy"):
        raise ArgumentError(f"{kind.__name__} has a meaning of its own as an argument", hint="register a class of your own")
    if kind in _FLATTEN:
        raise ArgumentError(f"{kind.__name__} is registered already", hint="unregister_argument(kind) first")
    _FLATTEN[kind] = flatten


def unregister_argument(kind: type) -> None:
    """Takes a registration back. ArgumentError if there is none."""
    if _FLATTEN.pop(kind, None) is None:
        raise ArgumentError(f"{getattr(kind, '__name__', kind)!s} is not registered")


def is_registered(value: object) -> bool:
    """Whether a value stands for its parts."""
    return bool(_FLATTEN) and any(base in _FLATTEN for base in type(value).__mro__)


def flattened(args: tuple[Any, ...], kernel: str) -> tuple[Any, ...]:
    """`args` with the parts of registered values in their place, those of parts that are registered too. ArgumentError."""
    if not any(map(is_registered, args)):
        return args
    parts: list[object] = []
    for value in args:
        parts.extend(flattened(_parts(value, kernel), kernel) if is_registered(value) else (value,))
    return tuple(parts)


def _parts(value: object, kernel: str) -> tuple[object, ...]:
    flatten = next(_FLATTEN[base] for base in type(value).__mro__ if base in _FLATTEN)
    try:
        parts = tuple(flatten(value))
    except Exception as e:
        raise ArgumentError(f"the parts of a {type(value).__name__} cannot be had: {type(e).__name__}: {e}", at=f"kernel {kernel!r}",
                            hint="look at the function that was given to register_argument") from e
    if any(part is value for part in parts):
        raise ArgumentError(f"a {type(value).__name__} is a part of itself", at=f"kernel {kernel!r}",
                            hint="look at the function that was given to register_argument")
    return parts
