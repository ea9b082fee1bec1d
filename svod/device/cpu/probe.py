"""Finds and opens the CPU, or a CPU target that is not this machine.

Owns: how a host's features become a Target. Must not load llvmlite before a device is opened.
Invariant: opening is cheap (no compilation but the cached runtime) and always possible where llvmlite is installed.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
from dataclasses import replace
from pathlib import Path

from svod.config import settings
from svod.device.registry import DeviceInfo
from svod.dtype import dtypes
from svod.errors import DeviceUnavailable
from svod.target import Caches, Limits, Target
from svod.target.target import CPU_ARITHMETIC, CPU_NATIVE

ARCHITECTURES = {"generic": (128, 16), "x86-64": (128, 16), "x86-64-v3": (256, 16), "x86-64-v4": (512, 32), "aarch64": (128, 32)}
"""Names `Device.offline("CPU", arch=…)` takes: bits of a SIMD register, how many there are."""
LIMITS = Limits(grid=((1 << 31) - 1,) * 3, block=(1, 1, 1), threads=1, shared_bytes=1 << 31)


class CPUProbe:
    """The probe of the CPU."""

    name = "CPU"

    def probe(self) -> list[DeviceInfo]:
        """The CPU is there if llvmlite is."""
        if importlib.util.find_spec("llvmlite") is None:
            return [DeviceInfo("CPU", False, "llvmlite is not installed", "pip install llvmlite", {})]
        details = {
            "machine": platform.machine(),
            "processor": _model(),
            "cores": str(settings().config.threads),
            "llvmlite": importlib.metadata.version("llvmlite"),
        }
        return [DeviceInfo("CPU", True, "", "", details)]

    def open(self, index: int, arg: str) -> object:
        """The CPU of this machine. DeviceUnavailable for another index: there is one."""
        if index:
            raise DeviceUnavailable(
                f"CPU:{index} does not exist: all cores are one device, CPU", hint="use CPU; SVOD_NUM_THREADS limits its cores"
            )
        from svod.device.cpu.backend import open_host

        return open_host()

    def offline(self, arch: str) -> object:
        """Renders for `arch`. DeviceUnavailable for an architecture not in ARCHITECTURES."""
        if arch not in ARCHITECTURES:
            raise DeviceUnavailable(f"no CPU architecture is called {arch!r}", hint=f"one of {', '.join(ARCHITECTURES)}")
        from svod.device.cpu.backend import open_offline

        bits, registers = ARCHITECTURES[arch]
        return open_offline(replace(cpu_target(arch, bits, registers, settings().config.threads), caches=Caches()))


def cpu_target(arch: str, vector_bits: int, registers: int, cores: int) -> Target:
    """The Target of a CPU with SIMD registers of `vector_bits`."""
    wanted = settings().config.vector_bits
    return Target(
        "cpu-llvm",
        arch,
        CPU_ARITHMETIC,
        frozenset(dtypes.ALL),
        CPU_NATIVE,
        vector_bits=min(vector_bits, wanted or vector_bits),
        registers=registers,
        cores=cores,
        fma=True,
        branches=True,
        limits=LIMITS,
        caches=_caches(),
    )


def _caches() -> Caches:
    """Cache sizes as Linux reports them, else cautious ones."""
    sizes = {}
    for index in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        try:
            kind, level, size = ((index / f).read_text().strip() for f in ("type", "level", "size"))
        except OSError:
            continue
        if kind != "Instruction" and size.endswith("K"):
            sizes[f"l{level}"] = int(size[:-1]) << 10
    return Caches(**{k: v for k, v in sizes.items() if k in ("l1", "l2", "l3") and v > 0})


def _model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or os.uname().machine
    return next((x.partition(":")[2].strip() for x in lines if x.startswith("model name")), platform.processor())


PROBE = CPUProbe()
