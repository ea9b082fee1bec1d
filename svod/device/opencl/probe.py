"""Finds and opens OpenCL devices, or renders for one that is not there.

Owns: how they are numbered: in the order of platforms, and of devices in each. Must not know how kernels are made.
Invariant: looking makes no context; nothing that pyopencl lacks or raises gets out of `probe`.
"""
from __future__ import annotations

from typing import Any

from svod.device.device import Backend, Device
from svod.device.opencl.backend import backend, opencl_target, renderer
from svod.device.opencl.driver import INSTALL, Driver, all_devices, installed
from svod.device.registry import DeviceInfo
from svod.errors import DeviceUnavailable

ARCHITECTURES = ("generic",)


class OpenCLProbe:
    """The probe of OPENCL."""

    name = "OPENCL"

    def probe(self) -> list[DeviceInfo]:
        """A line for each device of each platform; one that says what to install where there is none."""
        if not installed():
            return [DeviceInfo("OPENCL", False, "pyopencl is not installed", INSTALL)]
        try:
            found = all_devices()
            lines = [DeviceInfo(Driver(n, d).name, True, "", "", _details(d)) for n, d in enumerate(found)]
        except DeviceUnavailable as e:
            return [DeviceInfo("OPENCL", False, e.what, e.hint)]
        except Exception as e:  # noqa: BLE001  (whatever a driver does, the other devices are listed)
            return [DeviceInfo("OPENCL", False, f"{type(e).__name__}: {e}", INSTALL)]
        return lines or [DeviceInfo("OPENCL", False, "no platform has a device", INSTALL)]

    def open(self, index: int, arg: str) -> object:
        """The device of this number. DeviceUnavailable if there are not so many."""
        found = all_devices()
        if index >= len(found):
            there = f"there are {len(found)}, OPENCL to OPENCL:{len(found) - 1}" if len(found) > 1 else "there is one, OPENCL"
            raise DeviceUnavailable(f"OPENCL:{index} does not exist: {there if found else 'there is none'}",
                                    hint="svod devices lists them" if found else INSTALL)
        return Device.of(backend(Driver(index, found[index])))

    def offline(self, arch: str) -> object:
        """Renders for any device of OpenCL 1.2 with 64-bit floats. DeviceUnavailable for another architecture than `generic`."""
        if arch not in ARCHITECTURES:
            raise DeviceUnavailable(f"no OpenCL architecture is called {arch!r}", hint=f"one of {', '.join(ARCHITECTURES)}")
        target = opencl_target(None)
        return Device.of(Backend(f"OPENCL({arch})", target, None, (renderer(target),), None))


def _details(device: Any) -> dict[str, str]:
    return {
        "platform": str(device.platform.name).strip(), "device": str(device.name).strip(), "version": str(device.version).strip(),
        "memory": f"{device.global_mem_size >> 20} MiB", "shared memory": f"{device.local_mem_size >> 10} KiB",
        "work items": str(device.max_work_group_size), "f64": "yes" if "cl_khr_fp64" in device.extensions.split() else "no",
    }


PROBE = OpenCLProbe()
