"""`@jit`: a host function that launches kernels.

Owns: `JitFunction`, `JitCompiled`. Must not know how kernels are made.
Invariant: the function runs as ordinary Python, each time, with the arguments it was given; its launches run in the order they are written.

Why it is not traced: what costs time is compiling kernels, and each kernel remembers what it was compiled for, by the types of its
arguments. So grids may depend on the arguments, any Python may stand between two launches, and a call with arguments of known types
compiles nothing.
"""
from __future__ import annotations

import functools
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from svod.errors import KernelError
from svod.lang.kernels import HostRun, host_run
from svod.lang.specialize import Variant


@dataclass(frozen=True)
class JitCompiled:
    """What a call of a `@jit` function launches, compiled. Calling it is calling the function."""

    function: JitFunction
    kernels: tuple[Variant, ...]
    """One for each launch, in order."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the function."""
        return self.function(*args, **kwargs)

    @property
    def ir(self) -> str:
        """The rendered text of all kernels."""
        return "\n".join(k.source for k in self.kernels)

    @property
    def original_ir(self) -> str:
        """The statements of all kernels."""
        return "\n".join(k.ir for k in self.kernels)

    def print_ir(self, *, compiled: bool = True) -> None:
        """Writes the rendered text, or the statements, of every kernel to standard output."""
        for k in self.kernels:
            k.print_ir(compiled=compiled)


class JitFunction:
    """A host function in which kernels are called: `kernel(args).launch(grid=, block=, smem=, stream=)`."""

    def __init__(self, function: Callable[..., Any]) -> None:
        if not isinstance(function, types.FunctionType):
            raise KernelError(f"@jit is for functions, not for {function!r}", hint="put it on a def")
        functools.update_wrapper(self, function)
        self.function = function
        self.last_compiled: JitCompiled | None = None
        """What `compile` gave last."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the function, and with it the launches in it. A `@jit` function called from another is part of it."""
        if host_run.get() is not None:
            return self.function(*args, **kwargs)
        run = HostRun()
        token = host_run.set(run)
        try:
            result = self.function(*args, **kwargs)
        finally:
            host_run.reset(token)
        run.finish()
        return result

    def compile(self, *args: Any, **kwargs: Any) -> JitCompiled:
        """Runs the function with these arguments without running its kernels: each launch is compiled instead."""
        run = HostRun([])
        token = host_run.set(run)
        try:
            self.function(*args, **kwargs)
        finally:
            host_run.reset(token)
        run.finish()
        self.last_compiled = JitCompiled(self, tuple(run.compiled or ()))
        return self.last_compiled

    def __repr__(self) -> str:
        return f"<jit {self.function.__qualname__}>"

    def __reduce__(self) -> str:
        """Pickled by name, as functions are."""
        return self.function.__qualname__


def jit(function: Callable[..., Any] | None = None) -> Any:
    """Makes a host function of a Python function; `@jit` and `@jit()` both work. KernelError for what is no function."""
    return JitFunction if function is None else JitFunction(function)
