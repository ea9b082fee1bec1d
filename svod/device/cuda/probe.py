"""Finds and opens CUDA devices, or compiles for one that is not there.

Owns: what is told of each. Must not know how kernels are made.
Invariant: looking makes no context; nothing that a driver or a package raises gets out of `probe`.
"""
from __future__ import annotations

from svod.device.cuda.api import SHARED_OPTIN, WARP
from svod.device.cuda.backend import backend, offline
from svod.device.cuda.driver import INSTALL_DRIVER, SYSTEM, Driver, System
from svod.device.cuda.nvrtc import nvrtc
from svod.device.device import Device
from svod.device.registry import DeviceInfo
from svod.errors import DeviceError, DeviceUnavailable

GENERIC = "sm_90"
"""What `Device.offline("CUDA")` compiles for."""


class CudaProbe:
    """The probe of CUDA."""

    name = "CUDA"

    def __init__(self, system: System = SYSTEM) -> None:
        self.system = system

    def probe(self) -> list[DeviceInfo]:
        """A line for each device; one that says what to install where there is none."""
        try:
            found = [Driver(self.system, n) for n in range(self.system.count())]
            lines = [DeviceInfo(d.name, True, "", "", self._details(d)) for d in found]
        except DeviceError as e:
            return [DeviceInfo("CUDA", False, e.what, e.hint)]
        except Exception as e:  # noqa: BLE001  (whatever a driver does, the other devices are listed)
            return [DeviceInfo("CUDA", False, f"{type(e).__name__}: {e}", INSTALL_DRIVER)]
        return lines or [DeviceInfo("CUDA", False, "there is no NVIDIA GPU", "nvidia-smi shows what the driver sees")]

    def open(self, index: int, arg: str) -> object:
        """The device of this number. DeviceUnavailable if there are not so many, or without NVRTC."""
        count = self.system.count()
        if index >= count:
            there = f"there are {count}, CUDA to CUDA:{count - 1}" if count > 1 else "there is one, CUDA" if count else "there is none"
            raise DeviceUnavailable(f"CUDA:{index} does not exist: {there}", hint="svod devices lists them")
        nvrtc()
        return Device.of(backend(Driver(self.system, index)))

    def offline(self, arch: str) -> object:
        """Compiles for an architecture, sm_90 if none is named. DeviceUnavailable for what is none."""
        return Device.of(offline(GENERIC if arch == "generic" else arch))

    def _details(self, driver: Driver) -> dict[str, str]:
        version = driver.api.version()
        return {"model": driver.model, "architecture": driver.arch, "memory": f"{driver.memory >> 20} MiB",
                "shared memory": f"{driver.attribute(SHARED_OPTIN) >> 10} KiB", "subgroup": str(driver.attribute(WARP)),
                "driver": f"CUDA {version // 1000}.{version % 1000 // 10}", "through": driver.api.name}


PROBE = CudaProbe()
