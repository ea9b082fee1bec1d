"""Finds and opens WebGPU adapters, or renders for one that is not there.

Owns: how they are numbered: in the order in which wgpu reports them. Must not know how kernels are made.
Invariant: looking requests no device; nothing that wgpu lacks or raises gets out of `probe`.
"""
from __future__ import annotations

from typing import Any

from svod.device.device import Backend, Device
from svod.device.registry import DeviceInfo
from svod.device.webgpu.backend import ARCHITECTURES, backend, offline_pair
from svod.device.webgpu.driver import INSTALL, Driver, all_adapters, installed
from svod.errors import DeviceUnavailable
from svod.renderers.wgsl.values import FEATURES


class WebGPUProbe:
    """The probe of WEBGPU."""

    name = "WEBGPU"

    def probe(self) -> list[DeviceInfo]:
        """A line for each adapter; one that says what to install where there is none."""
        if not installed():
            return [DeviceInfo("WEBGPU", False, "wgpu is not installed", INSTALL)]
        try:
            lines = [DeviceInfo(Driver(n, a).name, True, "", "", _details(a)) for n, a in enumerate(all_adapters())]
        except DeviceUnavailable as e:
            return [DeviceInfo("WEBGPU", False, e.what, e.hint)]
        except Exception as e:  # noqa: BLE001  (whatever a driver does, the other devices are listed)
            return [DeviceInfo("WEBGPU", False, f"{type(e).__name__}: {e}", INSTALL)]
        return lines or [DeviceInfo("WEBGPU", False, "no adapter is there", INSTALL)]

    def open(self, index: int, arg: str) -> object:
        """The device of this number. DeviceUnavailable if there are not so many."""
        found = all_adapters()
        if index >= len(found):
            there = f"there are {len(found)}, WEBGPU to WEBGPU:{len(found) - 1}" if len(found) > 1 else "there is one, WEBGPU"
            raise DeviceUnavailable(f"WEBGPU:{index} does not exist: {there if found else 'there is none'}",
                                    hint="svod devices lists them" if found else INSTALL)
        return Device.of(backend(Driver(index, found[index])))

    def offline(self, arch: str) -> object:
        """Renders for an adapter with every type (`generic`), or with none but those of every adapter (`baseline`). DeviceUnavailable."""
        if arch not in ARCHITECTURES:
            raise DeviceUnavailable(f"no WebGPU architecture is called {arch!r}", hint=f"one of {', '.join(ARCHITECTURES)}")
        pair = offline_pair(arch)
        return Device.of(Backend(f"WEBGPU({arch})", pair[0].target, None, (pair,), None))


def _details(adapter: Any) -> dict[str, str]:
    info, limits, has = adapter.info, adapter.limits, adapter.features
    sizes = " x ".join(str(limits[f"max-compute-workgroup-size-{a}"]) for a in "xyz")
    return {
        "adapter": str(info["device"]), "kind": f"{info['adapter_type']} through {info['backend_type']}",
        "driver": str(info["description"]),
        "buffers of a kernel": str(limits["max-storage-buffers-per-shader-stage"]),
        "group": f"{limits['max-compute-invocations-per-workgroup']} work items, up to {sizes}",
        "shared memory": f"{limits['max-compute-workgroup-storage-size'] >> 10} KiB",
        "groups of a dispatch": str(limits["max-compute-workgroups-per-dimension"]),
        "binding": f"{limits['max-storage-buffer-binding-size'] >> 20} MiB",
        "types": ", ".join(["i32", "u32", "f32", *(t for t, f in FEATURES.items() if f in has)]),
    }


PROBE = WebGPUProbe()
