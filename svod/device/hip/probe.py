"""HIP kernels for AMD GPUs: rendered, and compiled where clang is; nothing here runs them.

Owns: what is told of the device, the composition of one for an architecture. Must not know how HIP C++ is spelled (svod/renderers/c).
Invariant: opening HIP itself is refused, with what is there instead.
"""
from __future__ import annotations

from typing import NoReturn

from svod.device.device import Backend, Device
from svod.device.hip.compiler import HipCompiler
from svod.device.items import ItemsRenderer
from svod.device.registry import DeviceInfo
from svod.errors import ConfigError, DeviceUnavailable
from svod.renderers.c.hip import hip_target, render_hip

GENERIC = "gfx942"
"""What `Device.offline("HIP")` compiles for."""
WHY = "not run on hardware: renders and compiles for AMD GPUs that are not there"
INSTEAD = 'Device.offline("HIP", arch="gfx942") renders, and compiles where clang 19 and lld are installed'


class HipProbe:
    """The probe of HIP."""

    name = "HIP"

    def probe(self) -> list[DeviceInfo]:
        """One line: there is no runtime."""
        return [DeviceInfo("HIP", False, WHY, INSTEAD)]

    def open(self, index: int, arg: str) -> NoReturn:
        """DeviceUnavailable, always."""
        raise DeviceUnavailable(f"HIP has no runtime here: {WHY}", hint=INSTEAD)

    def offline(self, arch: str) -> object:
        """Renders and compiles for an architecture. DeviceUnavailable for what is none; clang is looked for when it compiles."""
        wanted = GENERIC if arch == "generic" else arch
        try:
            target = hip_target(wanted)
        except ConfigError as e:
            raise DeviceUnavailable(e.what, hint=e.hint) from None
        renderer = ItemsRenderer(target, "HIP", "hip", render_hip)
        return Device.of(Backend(f"HIP({wanted})", target, None, ((renderer, HipCompiler(wanted)),), None))


PROBE = HipProbe()
