"""The compile-only device: `NULL` (this CPU's LLVM renderer), `NULL:x86-64-v3`, any architecture the CPU renders for.

Owns: its probe and the runner that checks arguments and does nothing. Must not know rendering.
Invariant: every check of `execute` is made; no buffer is ever written.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from svod.device.allocator import HostAllocator, LRUAllocator
from svod.device.arguments import HostView
from svod.device.device import Device
from svod.device.launch import LaunchDims
from svod.device.program import Program
from svod.device.registry import DeviceInfo
from svod.device.specs import CompiledSpec
from svod.target import Limits


@dataclass(frozen=True)
class NullRunner:
    """Checked arguments come here and go nowhere."""

    compiled: CompiledSpec

    def fast(self) -> Callable[..., bool] | None:
        return None

    def run(self, views: Sequence[HostView], values: Sequence[int | float], dims: LaunchDims) -> None:
        return None

    def asm(self) -> str:
        return self.compiled.src or ""


class NullProbe:
    """Always there; its argument is an architecture of `Device.offline("CPU", arch)`."""

    name = "NULL"

    def probe(self) -> list[DeviceInfo]:
        return [DeviceInfo("NULL", True, "", "", {"runs": "nothing", "renders": "LLVM IR"})]

    def open(self, index: int, arg: str) -> object:
        """The device that compiles for `arg` (default: the generic CPU)."""
        return self.offline(arg)

    def offline(self, arch: str) -> object:
        cpu = Device.offline("CPU", arch or "generic")
        limits: Limits = cpu.target.limits
        name = f"NULL:{arch}" if arch else "NULL"
        return Device.of(replace(cpu.backend, name=name, allocator=LRUAllocator(HostAllocator()), load=None,
                                 runtime=lambda c: Program(c, NullRunner(c), limits)))


PROBE = NullProbe()
