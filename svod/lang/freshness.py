"""Whether everything that a compiled kernel was made from still is what it was, asked at every call.

Owns: the order and the cost of the questions. Must not know what a trace reads, nor what happens to a kernel that is stale.
Invariant: a changed helper, global or closure is noticed by the next call; one that is unchanged costs tens of nanoseconds.
"""
from __future__ import annotations

import types
from collections.abc import Callable, Iterable
from typing import Any

from svod.lang.frame import Dependency, Same, is_plain


class Freshness:
    """The questions about one trace: `fresh()` asks them; `conditions` are the same as Python expressions over the names of `scope`."""

    def __init__(self, function: types.FunctionType, dependencies: Iterable[Dependency]) -> None:
        self.scope: dict[str, Any] = {"function": function, "code": function.__code__}
        self.conditions = ["function.__code__ is code"]
        self._functions: set[types.FunctionType] = set()
        for i, dependency in enumerate(d for d in distinct(dependencies) if d.value is not function):
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
        if isinstance(inner, types.FunctionType):  # what can change inside of its defaults is a dependency of its own
            if inner in self._functions:
                return [same]
            self._functions.add(inner)
            parts = {part: getattr(inner, f"__{part}__") for part in ("code", "defaults", "kwdefaults")}
            self.scope |= {name: inner, **{f"{name}_{part}": now for part, now in parts.items()}}
            return [same, *(f"{name}.__{part}__ is {name}_{part}" for part in parts)]
        if isinstance(dependency.frozen, Same):
            return [same]
        self.scope[f"{name}_unchanged"] = dependency.unchanged
        if is_plain(value):
            return [f"({same} or {name}_unchanged())"]
        return [f"{name}_unchanged()"]


def distinct(dependencies: Iterable[Dependency]) -> tuple[Dependency, ...]:
    """One of each place that was read, the first one: places of one name may be several."""
    found: dict[Any, Dependency] = {}
    for d in dependencies:
        found.setdefault(_place(d.read), d)
    return tuple(found.values())


def _place(read: Any) -> Any:
    """The same for two functions that read the same place: the same code over the same objects, and the same texts."""
    if not isinstance(read, types.FunctionType):
        return read
    around = [cell.cell_contents for cell in read.__closure__ or ()]
    return (read.__code__, *(x if isinstance(x, str) else id(x) for x in around), *map(id, read.__defaults__ or ()))
