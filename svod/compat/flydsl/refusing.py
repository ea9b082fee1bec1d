"""Names of FlyDSL that are not there: importing one works, using it says so.

Owns: what stands for such a name. Must not know which they are. Invariant: a use of it raises NotHere, in a kernel with the place.
"""
from __future__ import annotations

from typing import Any, NoReturn

from svod.compat.flydsl.faults import NotHere
from svod.errors import KernelError
from svod.lang.builtin import Builtin
from svod.lang.tracer import Tracer


def refusing(name: str, why: str) -> Any:
    """Stands for `name`: calling it raises, in kernels and outside."""
    def apply(t: Tracer, *args: Any, **kwargs: Any) -> NoReturn:
        raise KernelError(f"{name} is unsupported on every device of svod: {why}", hint="docs/flydsl.md lists what is there")

    def outside(*args: Any, **kwargs: Any) -> NoReturn:
        raise NotHere(f"{name} is unsupported: {why}", hint="docs/flydsl.md lists what is there")

    return Builtin(apply, name, outside)


class MissingModule:
    """Stands for a module that is not there: each of its names is refused as `refusing` does."""

    def __init__(self, name: str, why: str) -> None:
        self.name, self.why = name, why

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        return refusing(f"{self.name}.{attribute}", self.why)

    def __repr__(self) -> str:
        return f"<module {self.name}, which svod has not>"
