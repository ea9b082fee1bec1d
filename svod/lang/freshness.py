"""Whether everything that a compiled kernel was made from still is what it was, asked at every call.

Owns: the order and the cost of the questions. Must not know what a trace reads, nor what happens to a kernel that is stale.
Invariant: a changed helper, global or closure is noticed by the next call; one that is unchanged costs tens of nanoseconds.
"""
from __future__ import annotations

import types
from collections.abc import Callable, Iterable
from typing import Any

from svod.lang.frame import Dependency

_PLAIN = (bool, int, float, complex, str, bytes, type(None), type, types.ModuleType, types.BuiltinFunctionType)
"""Of objects of these types the same object is the same value."""


class Freshness:
    """The questions about one trace: `fresh()` asks them; `conditions` are the same as Python expressions over the names of `scope`."""

    def __init__(self, function: types.FunctionType, dependencies: Iterable[Dependency]) -> None:
        self.scope: dict[str, Any] = {"function": function, "code": function.__code__}
        self.conditions = ["function.__code__ is code"]
        others = {_identity(d.read): d for d in dependencies if d.value is not function}
        for i, dependency in enumerate(others.values()):
            self.conditions += self._ask(f"d{i}", dependency)
        self._all: Callable[[], bool] = eval(f"lambda: {' and '.join(self.conditions)}", self.scope)

    def __call__(self) -> bool:
        """True if nothing has changed."""
        try:
            return self._all()
        except (AttributeError, KeyError, ValueError):  # what was read is not there any more
            return False

    def _ask(self, name: str, dependency: Dependency) -> list[str]:
        value = dependency.value
        self.scope[f"{name}_read"], self.scope[f"{name}_value"] = dependency.read, value
        same = f"{name}_read() is {name}_value"
        inner = value if isinstance(value, types.FunctionType) else getattr(value, "__wrapped__", None)
        if isinstance(inner, types.FunctionType) and inner.__kwdefaults__ is None:
            self.scope |= {name: inner, f"{name}_code": inner.__code__, f"{name}_defaults": inner.__defaults__}
            return [same, f"{name}.__code__ is {name}_code", f"{name}.__defaults__ is {name}_defaults", f"{name}.__kwdefaults__ is None"]
        self.scope[f"{name}_unchanged"] = dependency.unchanged
        if isinstance(value, _PLAIN) or type(value).__module__.startswith("svod."):
            return [f"({same} or {name}_unchanged())"]
        return [f"{name}_unchanged()"]


def _identity(read: Callable[[], Any]) -> Any:
    """The same for two functions that read the same place: the same code over the same objects."""
    if not isinstance(read, types.FunctionType):
        return read
    return (read.__code__, *(id(cell.cell_contents) for cell in read.__closure__ or ()), *map(id, read.__defaults__ or ()))
