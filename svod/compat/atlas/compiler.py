"""The dialect's module `compiler`: documents from functions, and the decorator that keeps kernels from being called.

Owns: these names and the classes of their errors. Must not know how a document is made.
Invariant: errors are those of svod, and also ValueError or RuntimeError, as callers of the dialect expect.
"""
from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from svod.errors import KernelError, LaunchError
from svod.lang.schema import compile_to_json as _compile_to_json


class CompileError(KernelError, ValueError):
    """A function has no document."""


class DirectCallError(LaunchError, RuntimeError):
    """A decorated kernel was called as a function."""


def atlas_kernel(function: Callable[..., Any]) -> Callable[..., NoReturn]:
    """Marks a kernel: it keeps its name and its text, and cannot be called. `_atlas_kernel` is the function itself."""
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> NoReturn:
        raise DirectCallError(f"Kernel {function.__name__} cannot be called directly. Use compile_to_json() to compile it first.")

    wrapper._atlas_kernel = function  # type: ignore[attr-defined]
    return wrapper


def original(function: Any) -> Any:
    """The function below the decorator."""
    return getattr(function, "_atlas_kernel", function)


def compile_to_json(func: Callable[..., Any], output_path: str | Path | None = None) -> str:
    """The document of a kernel, decorated or not, as text; also written to `output_path`. CompileError, a ValueError; OSError."""
    try:
        return _compile_to_json(original(func), output_path)
    except KernelError as e:
        raise CompileError(e.what, at=e.at, hint=e.hint) from e


class AtlasCompiler:
    """Compiles functions to documents as Python values."""

    def compile_function(self, func: Callable[..., Any]) -> dict[str, Any]:
        """The document of a kernel. CompileError."""
        document: dict[str, Any] = json.loads(compile_to_json(func))
        return document
