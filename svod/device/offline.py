"""Programs of devices that are not there: they show what they were compiled to, and refuse to run.

Owns: that. Must not know languages. Invariant: nothing here needs hardware or a driver.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from svod.device.program import Program
from svod.device.specs import CompiledSpec, ProgramSpec
from svod.errors import DeviceUnavailable
from svod.ir.uop import UOp
from svod.target import Target

Render = Callable[[UOp, str], ProgramSpec]


@dataclass(frozen=True)
class OfflineRunner:
    """A kernel that was compiled for a device that is not there."""

    compiled: CompiledSpec
    device: str
    render: Render

    def fast(self) -> None:
        return None

    def run(self, *_: object) -> NoReturn:
        raise DeviceUnavailable(f"kernel {self.compiled.name!r} is compiled for {self.device}, which is offline: it renders and compiles, "
                                "and runs nothing", hint="open a device that is there: svod devices lists them")

    def asm(self) -> str:
        """The source: what the compiler made of it is in `compiled.bytes`."""
        return self.source()

    def source(self) -> str:
        """The source, rendered again where the record holds what it was compiled to."""
        if self.compiled.src is not None or self.compiled.ast is None:
            return self.compiled.src or ""
        return self.render(self.compiled.ast, self.compiled.name).src

    def resources(self) -> dict[str, int]:
        """Nothing is known before a driver has loaded it."""
        return {}


@dataclass(frozen=True)
class OfflineRuntime:
    """Makes Programs for a device that is not there."""

    device: str
    target: Target
    render: Render

    def __call__(self, compiled: CompiledSpec) -> Program:
        """A Program that shows itself."""
        return Program(compiled, OfflineRunner(compiled, self.device, self.render), self.target.limits)
