"""What an OPENCL device is made of: its Target, the renderer, the options its source is built with.

Owns: how the properties of a device become a Target; the composition. Must not know how OpenCL C is spelled (svod/renderers/c).
Invariant: nothing is rendered that the device has not: types it does not compute in are decomposed, or refused by name.
"""
from __future__ import annotations

from typing import Any

from svod.device.allocator import LRUAllocator
from svod.device.device import Backend, Compiler
from svod.device.items import ItemsRenderer
from svod.device.opencl.driver import Driver, bindings
from svod.device.opencl.memory import OpenCLAllocator
from svod.device.opencl.runner import Loader, OpenCLCompiler
from svod.device.specs import CompiledSpec, ProgramSpec
from svod.dtype import dtypes
from svod.ir.threads import MAX_BLOCK, MAX_ITEMS
from svod.renderers.c.opencl import render_opencl
from svod.target import Limits, Target
from svod.target.target import CPU_ARITHMETIC, CPU_NATIVE

MOST_GROUPS = (1 << 31) - 1
VECTOR_BITS = 128
"""What a work item loads or stores at once, from wherever elements lie."""
CORRECT = "-cl-fp32-correctly-rounded-divide-sqrt"
"""OpenCL lets quotients and roots of f32 be wrong by some ulp, unless this is asked for and the device has it. Arithmetic in f16 goes
through f32 also where a device has it (cl_khr_fp16): a sum, product, quotient or root that is rounded to 24 bits and then to 11 is what
rounding once gives, so values are the same on all devices."""
_DIVIDES_CORRECTLY = 1 << 7


def written_for(target: Target) -> ItemsRenderer:
    """Kernel graph to OpenCL C."""
    return ItemsRenderer(target, "OPENCL", "cl", render_opencl)


def renderer(target: Target) -> tuple[ItemsRenderer, Compiler]:
    """The pair of a device that only renders: its compiler keeps the source."""
    return written_for(target), _Offline()


class _Offline:
    """Compiles nothing: that is the driver's, when it loads."""

    cache_key = "opencl offline"

    def compile(self, spec: ProgramSpec) -> CompiledSpec:
        """The source as it is."""
        return CompiledSpec.from_source(spec)


def opencl_target(device: Any) -> Target:
    """The Target of a device; of any with 64-bit floats for None."""
    if device is None:
        return Target("opencl", "generic", CPU_ARITHMETIC, frozenset(dtypes.ALL), CPU_NATIVE, vector_bits=VECTOR_BITS, ids=True,
                      phases=True, branches=True,
                      limits=Limits(grid=(MOST_GROUPS,) * 3, block=(256, 256, 64), threads=256, shared_bytes=32 << 10, buffers=64))
    wide = "cl_khr_fp64" in device.extensions.split()
    sizes = (*device.max_work_item_sizes, 1, 1)
    block = tuple(min(int(n), most) for n, most in zip(sizes, MAX_BLOCK, strict=False))
    limits = Limits(
        grid=(MOST_GROUPS,) * 3, block=(block[0], block[1], block[2]), threads=min(int(device.max_work_group_size), MAX_ITEMS),
        shared_bytes=int(device.local_mem_size), buffers=int(device.max_parameter_size) // 8)
    arithmetic = CPU_ARITHMETIC if wide else CPU_ARITHMETIC - {dtypes.f64}
    fuses = str(device.profile) == "FULL_PROFILE"  # there fma is exact; that it is fast, some devices (Intel's) do not say, though it is
    return Target("opencl", str(device.name).strip(), arithmetic, frozenset(dtypes.ALL), CPU_NATIVE, vector_bits=VECTOR_BITS, fma=fuses,
                  ids=True, phases=True, branches=True, limits=limits)


def options(device: Any) -> list[str]:
    """What the source is built with."""
    found = ["-cl-std=CL1.2", "-w"]
    return [*found, CORRECT] if device.single_fp_config & _DIVIDES_CORRECTLY else found


def backend(driver: Driver) -> Backend:
    """Everything a Device is made of."""
    bindings()
    target = opencl_target(driver.device)
    compiler = OpenCLCompiler(driver, options(driver.device))
    allocator = LRUAllocator(OpenCLAllocator(driver))
    loader = Loader(compiler, allocator, target)
    return Backend(driver.name, target, allocator, ((written_for(target), compiler),), loader, loader.cached)
