"""Finds the system's C compiler, and opens the CC device.

Owns: its probe. Must not load llvmlite, nor start a compiler, before a device is opened.
Invariant: the device is listed as available only where a compiler and llvmlite, whose linker loads what it makes, are installed.
"""
from __future__ import annotations

import importlib.util
import platform
from dataclasses import replace

from svod.config import settings
from svod.device.cc.compiler import INSTALL, absence, command
from svod.device.cpu.probe import ARCHITECTURES, cpu_target
from svod.device.registry import DeviceInfo
from svod.errors import DeviceUnavailable
from svod.target import Caches


class CCProbe:
    """The probe of CC."""

    name = "CC"

    def probe(self) -> list[DeviceInfo]:
        """CC is there if a C compiler is, and llvmlite."""
        found = command()
        if found is None:
            return [DeviceInfo("CC", False, absence(), INSTALL)]
        if importlib.util.find_spec("llvmlite") is None:
            return [DeviceInfo("CC", False, "llvmlite, which loads compiled code, is not installed", "pip install llvmlite")]
        return [DeviceInfo("CC", True, "", "", {"compiler": " ".join(found), "machine": platform.machine()})]

    def open(self, index: int, arg: str) -> object:
        """The CPU, by way of C. DeviceUnavailable for another index, or without a compiler."""
        if index:
            raise DeviceUnavailable(f"CC:{index} does not exist: all cores are one device, CC",
                                    hint="use CC; SVOD_NUM_THREADS limits its cores")
        from svod.device.cc.backend import open_host

        return open_host()

    def offline(self, arch: str) -> object:
        """Renders C for an architecture of the CPU. DeviceUnavailable for another."""
        if arch not in ARCHITECTURES:
            raise DeviceUnavailable(f"no CPU architecture is called {arch!r}", hint=f"one of {', '.join(ARCHITECTURES)}")
        from svod.device.cc.backend import open_offline

        bits, registers = ARCHITECTURES[arch]
        return open_offline(replace(cpu_target(arch, bits, registers, settings().config.threads), caches=Caches()))


PROBE = CCProbe()
