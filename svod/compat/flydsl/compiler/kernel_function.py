"""`@flyc.kernel`: a kernel whose tensors take their types from the arguments.

Owns: `KernelFunction`: which svod kernel a call means. Must not know how kernels are traced.
Invariant: one svod kernel for each combination of element types and axes; the function itself is traced, with its own lines in errors.
"""
from __future__ import annotations

import functools
import inspect
import linecache
import types
from collections.abc import Hashable
from typing import Any

import numpy as np

from svod.compat.flydsl.compiler.context import CompilationContext
from svod.compat.flydsl.compiler.jit_argument import JitArgumentRegistry, TensorAdaptor, is_plain, parts
from svod.compat.flydsl.expr.typing import Tensor
from svod.compat.flydsl.faults import CalledOutside, UnknownArgument
from svod.device.buffer import Buffer
from svod.dtype.convert import from_numpy
from svod.errors import KernelError
from svod.lang.binding import as_array
from svod.lang.kernels import Kernel, PendingLaunch, host_run
from svod.lang.kernels import PendingLaunch as KernelLauncher
from svod.lang.naming import FormNames
from svod.lang.types import ArrayAnnotation, ConstexprAnnotation, Scalar, evaluate_annotation
from svod.lang.types import f32 as _f32
from svod.lang.types import i32 as _i32

__all__ = ["CompilationContext", "KernelFunction", "KernelLauncher", "kernel"]

LATELY = 256
"""Combinations of types of arguments of one kernel that are found at once."""
WAVE = 64
"""Work items of a subgroup: kernels of this front end are written for waves of 64."""


class KernelFunction:
    """A kernel. Called in a jit function it gives what `.launch(grid=, block=, smem=, stream=)` starts."""

    def __init__(self, function: Any, *, subgroup: int = WAVE) -> None:
        if not isinstance(function, types.FunctionType):
            raise KernelError(f"@kernel is for functions, not for {function!r}", hint="put it on a def")
        functools.update_wrapper(self, function)
        self.function, self.subgroup = function, subgroup
        self.signature = inspect.signature(function)
        self._forms = FormNames(function.__name__)
        self._kernels: dict[Hashable, Kernel] = {}
        self._lately: dict[Hashable, Kernel] = {}
        """Types of arguments that are all there and stand for themselves -> the kernel."""

    @functools.cached_property
    def _kinds(self) -> dict[str, Any]:
        found = {}
        for p in self.signature.parameters.values():
            if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
                raise KernelError(f"a kernel has a fixed list of parameters, not {p}")
            found[p.name] = evaluate_annotation(self.function, p.annotation) if isinstance(p.annotation, str) else p.annotation
        return found

    def __call__(self, *args: Any, **kwargs: Any) -> PendingLaunch:
        """The kernel with its arguments. CalledOutside (a RuntimeError) outside of jit functions."""
        if host_run.get() is None:
            raise CalledOutside(f"@kernel can only be called inside @jit function: {self.function.__name__!r} was not",
                                hint="call it in a function decorated with @flyc.jit, and .launch(grid=, block=)")
        key = None if kwargs else tuple([(v.dtype, v.ndim) if type(v) is np.ndarray else type(v) for v in args])
        if key is not None and (found := self._lately.get(key)) is not None:
            return found(*args)
        kernel, values = self._bound(args, kwargs)
        if key is not None and len(values) == len(args) and all(v is given for v, given in zip(values, args, strict=True)):
            if len(self._lately) >= LATELY:
                self._lately.clear()
            self._lately[key] = kernel
        return kernel(*values)

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Kernel, list[Any]]:
        """The svod kernel that a call means, and its arguments."""
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as e:
            raise UnknownArgument(f"{self.function.__name__}(): {e}") from None
        bound.apply_defaults()
        annotations: dict[str, Any] = {}
        values: list[Any] = []
        built: dict[str, tuple[Any, int]] = {}
        for name, value in bound.arguments.items():
            self._parameter(name, value, annotations, values, built)
        return self._kernel(annotations, built), values

    def __repr__(self) -> str:
        return f"<kernel {self.function.__name__}{self.signature}>"

    @property
    def kernels(self) -> tuple[Kernel, ...]:
        """The svod kernels there are, one for each combination of types."""
        return tuple(self._kernels.values())

    def _parameter(self, name: str, value: Any, annotations: dict[str, Any], values: list[Any], built: dict[str, tuple[Any, int]]) -> None:
        """Adds what one argument stands for: itself, or the parts of a registered type."""
        kind = self._kinds[name]
        if isinstance(kind, (ConstexprAnnotation, Scalar)) or is_plain(value):
            annotations[name], plain = _typed(name, kind, value)
            values.append(plain)
            return
        pieces = parts(value, name)
        built[name] = (JitArgumentRegistry.get_dsl_type(type(value)), len(pieces))
        for k, piece in enumerate(pieces):
            annotations[f"{name}__{k}"], plain = _typed(f"{name}__{k}", inspect.Parameter.empty, piece)
            values.append(plain)

    def _kernel(self, annotations: dict[str, Any], built: dict[str, tuple[Any, int]]) -> Kernel:
        key = (tuple(annotations.items()), tuple(built.items()))
        if (found := self._kernels.get(key)) is None:
            function = _wrapper(self.function, list(self._kinds), annotations, built) if built else _copy(self.function, annotations)
            found = self._kernels.setdefault(key, Kernel(function, subgroup=self.subgroup, forms=self._forms))
        return found


def _typed(name: str, kind: Any, value: Any) -> tuple[Any, Any]:
    """(annotation for svod, value): tensors by their elements and axes, numbers without annotation by their Python type."""
    if isinstance(value, TensorAdaptor):
        value = value.array
    if kind is not Tensor and kind is not inspect.Parameter.empty and kind is not Any:
        return kind, value
    if kind is not Tensor and isinstance(value, (bool, int, float, np.generic)):
        plain = value.item() if isinstance(value, np.generic) else value
        scalar = Scalar(from_numpy(value.dtype)) if isinstance(value, np.generic) else None
        return scalar or (bool if isinstance(plain, bool) else _i32 if isinstance(plain, int) else _f32), plain
    if value is None or isinstance(value, (str, tuple)):
        raise UnknownArgument(f"No JitArgument registered for type {type(value).__name__} (parameter {name!r})",
                              hint=f"{name}: fx.Constexpr, if it is part of the kernel")
    array = as_array(value)
    if isinstance(array, Buffer):
        return ArrayAnnotation(array.dtype), array
    return ArrayAnnotation(from_numpy(array.dtype), (None,) * max(1, array.ndim)), array


def _copy(function: types.FunctionType, annotations: dict[str, Any]) -> types.FunctionType:
    """The same function with other annotations."""
    made = types.FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__)
    made.__kwdefaults__, made.__qualname__, made.__doc__ = function.__kwdefaults__, function.__qualname__, function.__doc__
    made.__module__, made.__annotations__ = function.__module__, dict(annotations)
    return made


def _wrapper(function: types.FunctionType, names: list[str], annotations: dict[str, Any], built: dict[str, tuple[Any, int]]) -> Any:
    """A function of the parts that calls `function` with what the DSL types build of them."""
    arguments = ", ".join(
        f"{n}={n}__type.__new_from_ir_values__([{', '.join(f'{n}__{k}' for k in range(built[n][1]))}])" if n in built else f"{n}={n}"
        for n in names)
    text = f"def {function.__name__}({', '.join(annotations)}):\n    traced__function({arguments})\n"
    file = f"<arguments of {function.__module__}.{function.__qualname__}: {', '.join(annotations)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    scope: dict[str, Any] = {"traced__function": function, **{f"{n}__type": kind for n, (kind, _) in built.items()}}
    exec(compile(text, file, "exec"), scope)
    made = scope[function.__name__]
    made.__annotations__ = dict(annotations)
    return made


def kernel(function: Any = None, *, subgroup: int = WAVE, known_block_size: Any = None) -> Any:
    """Makes a kernel of a function; `@kernel` and `@kernel()` both work. `known_block_size` is accepted: blocks are always known."""
    return (lambda f: KernelFunction(f, subgroup=subgroup)) if function is None else KernelFunction(function, subgroup=subgroup)
