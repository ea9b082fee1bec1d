"""What kernels call that is the language's own: functions that get the Tracer, objects with attributes that do.

Owns: `Builtin`, `Name`, the table of Python functions that stand for builtins. Must not know what any of them does.
Invariant: outside a kernel a builtin acts on numbers where that is natural, and raises a KernelError otherwise.
"""
from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from svod.errors import KernelError

if TYPE_CHECKING:
    from svod.lang.tracer import Tracer


class Builtin:
    """A function of the language. `apply(tracer, *values)` in kernels; called by Python it computes with `outside`, if there is one."""

    def __init__(self, apply: Callable[..., Any], name: str, outside: Callable[..., Any] | None = None) -> None:
        self.apply, self.name, self.outside = apply, name, outside
        self.__name__, self.__doc__ = name, apply.__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.outside is None:
            raise KernelError(f"{self.name}() can only be called in a kernel", hint="decorate the function with @kernel and launch it")
        return self.outside(*args, **kwargs)

    def check(self, args: Sequence[Any], kwargs: Collection[str]) -> None:
        """KernelError, in the user's words, unless a call with these arguments has one for each parameter."""
        first, *rest = inspect.signature(self.apply).parameters.values()
        if any(p.kind is p.VAR_POSITIONAL for p in (first, *rest)):
            known = {p.name for p in rest if p.kind is not p.VAR_POSITIONAL}
            if all(p.kind is not p.VAR_KEYWORD for p in rest) and (odd := [k for k in kwargs if k not in known]):
                raise KernelError(f"{self.name}() has no argument {odd[0]!r}", hint=f"{self.name}{inspect.signature(self.apply)}")
            return
        names = [p.name for p in rest if p.kind is not p.VAR_KEYWORD]
        call = f"{self.name}({', '.join(p.name if p.default is p.empty else f'{p.name}={p.default!r}' for p in rest if p.name in names)})"
        if len(args) > len(names):
            takes = f"takes {len(names)} argument{'s' * (len(names) != 1)}" if names else "takes no arguments"
            raise KernelError(f"{self.name}() {takes}, got {len(args)}", hint=call)
        if len(names) == len(rest) and (unknown := [k for k in kwargs if k not in names]):
            raise KernelError(f"{self.name}() has no argument {unknown[0]!r}", hint=call)
        if twice := [n for n in names[:len(args)] if n in kwargs]:
            raise KernelError(f"{self.name}() gets {twice[0]!r} twice", hint=call)
        if missing := [p.name for p in rest[len(args):] if p.name in names and p.default is p.empty and p.name not in kwargs]:
            raise KernelError(f"{self.name}() is called without {' and '.join(map(repr, missing))}", hint=call)

    def __repr__(self) -> str:
        return f"<{self.name} of the kernel language>"

    def __reduce__(self) -> str:
        return self.name


def builtin(name: str = "", outside: Callable[..., Any] | None = None) -> Callable[[Callable[..., Any]], Builtin]:
    """Makes a function (tracer, …) a Builtin."""
    def wrap(apply: Callable[..., Any]) -> Builtin:
        return Builtin(apply, name or apply.__name__, outside)
    return wrap


class Name:
    """An object of the language whose attributes are values of the running kernel: thread_idx.x."""

    def __init__(self, name: str, read: Callable[[Tracer, str], Any], unpack: tuple[str, ...] = ()) -> None:
        self.name, self.read, self.unpack = name, read, unpack

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        raise KernelError(f"{self.name}.{attribute} can only be read in a kernel", hint="decorate the function with @kernel and launch it")

    def __repr__(self) -> str:
        return f"<{self.name} of the kernel language>"


STANDS_FOR: dict[Any, Builtin] = {}
"""Python function -> the builtin that it means where an argument is dynamic."""
ALWAYS: dict[Any, Builtin] = {}
"""Python function -> the builtin that it always means in a kernel."""
METHODS: dict[str, Builtin] = {}
"""Name -> the builtin that `x.name(...)` calls with x first, for values x of the running kernel. The language has none; front ends add."""


def meant(function: Any, dynamic: bool) -> Builtin | None:
    """The builtin a Python function stands for."""
    try:
        return ALWAYS.get(function) or (STANDS_FOR.get(function) if dynamic else None)
    except TypeError:
        return None
