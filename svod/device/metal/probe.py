"""Metal kernels for Apple's GPUs: rendered; nothing here compiles or runs them.

Owns: what is told of the device, the composition of one that renders. Must not know how the language is spelled (svod/renderers/c).
Invariant: opening METAL itself is refused, with what is there instead.
"""
from __future__ import annotations

from typing import NoReturn

from svod.device.device import Backend, Device
from svod.device.items import ItemsRenderer
from svod.device.registry import DeviceInfo
from svod.device.specs import CompiledSpec, ProgramSpec
from svod.errors import DeviceUnavailable
from svod.renderers.c.metal import metal_target, render_metal

ARCHITECTURES = ("generic", "metal3")
WHY = "not run on hardware: renders for Apple GPUs that are not there"
INSTEAD = 'Device.offline("METAL") renders'


class _Source:
    """Compiles nothing: only Apple's systems have a compiler."""

    cache_key = "metal offline"

    def compile(self, spec: ProgramSpec) -> CompiledSpec:
        """The source as it is."""
        return CompiledSpec.from_source(spec)


class MetalProbe:
    """The probe of METAL."""

    name = "METAL"

    def probe(self) -> list[DeviceInfo]:
        """One line: there is no runtime."""
        return [DeviceInfo("METAL", False, WHY, INSTEAD)]

    def open(self, index: int, arg: str) -> NoReturn:
        """DeviceUnavailable, always."""
        raise DeviceUnavailable(f"METAL has no runtime here: {WHY}", hint=INSTEAD)

    def offline(self, arch: str) -> object:
        """Renders for Metal 3. DeviceUnavailable for another architecture than `generic` or `metal3`."""
        if arch not in ARCHITECTURES:
            raise DeviceUnavailable(f"no Metal architecture is called {arch!r}", hint=f"one of {', '.join(ARCHITECTURES)}")
        target = metal_target()
        renderer = ItemsRenderer(target, "METAL", "metal", render_metal, apart=True)
        return Device.of(Backend(f"METAL({arch})", target, None, ((renderer, _Source()),), None))


PROBE = MetalProbe()
