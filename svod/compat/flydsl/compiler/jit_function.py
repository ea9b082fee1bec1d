"""`@flyc.jit`: a host function that launches kernels.

Owns: what FlyDSL adds to svod's: conversion of arguments, COMPILE_ONLY, dumps. Must not know how kernels are compiled.
Invariant: the function runs as ordinary Python each time; what it launches is compiled once for each combination of types.
"""
from __future__ import annotations

import functools
import inspect
import operator
import sys
from pathlib import Path
from typing import Any

from svod.compat.flydsl import environment
from svod.compat.flydsl.compiler.jit_argument import JitArgumentRegistry, is_plain
from svod.compat.flydsl.faults import UnknownArgument
from svod.compat.flydsl.refusing import refusing
from svod.config import settings
from svod.device.device import Device
from svod.errors import ArgumentError, SvodError
from svod.lang import host
from svod.lang.kernels import host_run
from svod.lang.specialize import Variant
from svod.lang.types import Scalar, Stream, evaluate_annotation

MlirCompiler = refusing("MlirCompiler", "there is no MLIR: kernels are compiled by svod's own stages")
JitCacheManager = refusing("JitCacheManager", "what was compiled is kept by svod (svod cache stat)")


class JitFunction(host.JitFunction):
    """A host function in which kernels are called: `kernel(args).launch(grid=, block=, smem=, stream=)`."""

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        self.signature = inspect.signature(function)
        self._known: set[tuple[type, ...] | None] = set()
        """Types of arguments, given by position, that were found to be in order. Numbers are checked by the launch again."""

    @functools.cached_property
    def _kinds(self) -> dict[str, Any]:
        found = {}
        for p in self.signature.parameters.values():
            kind = p.annotation
            found[p.name] = evaluate_annotation(self.function, kind) if isinstance(kind, str) else kind
        return found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the function and its launches. UnknownArgument (a TypeError) for what no kernel could take."""
        if host_run.get() is not None:
            return self.function(*args, **kwargs)
        key = None if kwargs else tuple(map(type, args))
        if key not in self._known:
            bound = self._checked(args, kwargs)
            if key is not None and all(map(operator.is_, bound.args, args)):
                self._known.add(key)
            args, kwargs = bound.args, bound.kwargs
        return self._run(args, kwargs)

    def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not environment.anything():
            return super().__call__(*args, **kwargs)
        sys.stderr.write(environment.notice_of_tracing())
        with environment.cache_settings():
            folder = environment.dump_folder()
            if environment.compile_only() or folder is not None:
                made = self.compile(*args, **kwargs)
                if folder is not None:
                    for variant in made.kernels:
                        _dump(variant, folder)
            if environment.compile_only():
                arch = environment.architecture() or Device(settings().device).name
                _say(f"[flydsl] COMPILE_ONLY=1, compilation succeeded (arch={arch})")
                return None
            return super().__call__(*args, **kwargs)

    def _checked(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> inspect.BoundArguments:
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as e:
            raise UnknownArgument(f"{self.function.__name__}(): {e}") from None
        bound.apply_defaults()
        for name, value in bound.arguments.items():
            kind = self._kinds[name]
            if isinstance(kind, Scalar) and kind.dtype.is_int and isinstance(value, int) and not kind.dtype.min <= value <= kind.dtype.max:
                raise ArgumentError(f"{value} is no {kind!r}", at=f"parameter {name!r}", hint=f"{kind.dtype.min} to {kind.dtype.max}")
            if kind is Stream and value is None:
                bound.arguments[name] = Stream(None)
            _check_types(self.signature.parameters[name], value)
        return bound


def _check_types(p: inspect.Parameter, value: Any) -> None:
    """UnknownArgument for what no kernel takes, also among *args and **kwargs."""
    values = value if p.kind is p.VAR_POSITIONAL else value.values() if p.kind is p.VAR_KEYWORD else (value,)
    for v in values:
        if not is_plain(v) and JitArgumentRegistry.get(type(v))[0] is None:
            raise UnknownArgument(f"No JitArgument registered for type {type(v).__name__} (parameter {p.name!r})")


def _dump(variant: Variant, folder: Path) -> None:
    """Statements, what each stage makes of them, rendered text and machine code of a kernel, each in a file."""
    _say(f"[flydsl] DUMP_IR enabled, dir={folder}")
    place = folder / variant.name
    place.mkdir(parents=True, exist_ok=True)
    stages = [(f"{k:02}_{stage}.svod", text) for k, (stage, text) in enumerate((("original", variant.ir), *variant.stages()))]
    made = ((f"{len(stages):02}_rendered.txt", _or_why(variant, "source")), ("final_isa.s", _or_why(variant, "asm")))
    for name, content in (*stages, *made):
        (place / name).write_text(content, encoding="utf-8")
        _say(f"[flydsl] dump {name.partition('.')[0]} -> {place / name}")


def _or_why(variant: Variant, part: str) -> str:
    """A text of a kernel, or why there is none."""
    try:
        text: str = getattr(variant, part)
    except SvodError as e:
        return f"not available: {e.what}\n"
    return text


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def jit(function: Any = None) -> Any:
    """Makes a host function of a Python function; `@jit` and `@jit()` both work."""
    return JitFunction if function is None else JitFunction(function)
