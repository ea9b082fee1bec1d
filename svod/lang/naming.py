"""Names of kernels: those of their compiled forms, and those under which another process finds them.

Owns: `FormNames`, `Origin`. Must not know what a form is.
Invariant: no two forms of a kernel have one name, and a form that is made again keeps its own.
"""
from __future__ import annotations

import sys
from collections.abc import Hashable
from dataclasses import dataclass
from functools import reduce
from importlib import import_module
from types import FunctionType
from typing import Any

from svod.device.locks import new_lock
from svod.errors import KernelError

NAMES_KEPT = 4096
"""Forms whose number is remembered; one that is made again after so many others gets a new number."""


class FormNames:
    """Names of the forms of a kernel, in the order in which they are made: `scale`, `scale_1`, `scale_2`, …"""

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = new_lock()
        self._numbers: dict[Hashable, int] = {}
        self._count = 0

    def of(self, key: Hashable) -> str:
        """The name of the form that is made for `key`."""
        with self._lock:
            if (number := self._numbers.get(key)) is None:
                if len(self._numbers) >= NAMES_KEPT:
                    self._numbers.clear()
                number = self._numbers[key] = self._count
                self._count += 1
        return f"{self.name}_{number}" if number else self.name


@dataclass(frozen=True)
class Origin:
    """Where the function of a kernel is found: in a module, by name. `annotations`: if they are not those that it has there."""

    module: str
    qualname: str
    annotations: dict[str, Any] | None = None

    @staticmethod
    def of(function: FunctionType) -> Origin:
        """The origin of a function. KernelError for one that no other process could find."""
        origin = Origin(function.__module__, function.__qualname__)
        inner = _function(origin.owner())
        if inner is None or inner.__code__ is not function.__code__:
            raise KernelError(f"kernel {function.__qualname__!r} cannot be pickled: its function is not found by that name in "
                              f"{function.__module__}", hint="define it at the top of a module")
        return origin if inner is function else Origin(origin.module, origin.qualname, dict(function.__annotations__))

    def owner(self) -> Any:
        """What the module calls by that name: the function, or a kernel made of it; None if it is not there."""
        try:
            module: Any = sys.modules.get(self.module) or import_module(self.module)
            return reduce(getattr, self.qualname.split("."), module)
        except (ImportError, AttributeError):
            return None

    def function(self) -> FunctionType:
        """The function. KernelError if it is not there, in a process that has another version of the module."""
        inner = _function(self.owner())
        if inner is None:
            raise KernelError(f"kernel {self.qualname!r} is not found in {self.module}",
                              hint="the module has to be the one it was pickled with")
        if self.annotations is None:
            return inner
        made = FunctionType(inner.__code__, inner.__globals__, inner.__name__, inner.__defaults__, inner.__closure__)
        made.__kwdefaults__, made.__qualname__, made.__doc__ = inner.__kwdefaults__, inner.__qualname__, inner.__doc__
        made.__module__, made.__annotations__ = inner.__module__, dict(self.annotations)
        return made


def _function(owner: Any) -> FunctionType | None:
    """The function behind what a module calls by a kernel's name."""
    inner = getattr(owner, "function", owner)
    return inner if isinstance(inner, FunctionType) else None
