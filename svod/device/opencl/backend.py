"""What an OPENCL device is made of: its Target, the renderer, the options its source is built with.

Owns: how the properties of a device become a Target; the composition. Must not know how OpenCL C is spelled (svod/renderers/c).
Invariant: nothing is rendered that the device has not: types it does not compute in are decomposed, or refused by name.
"""
from __future__ import annotations

from typing import Any

from svod.codegen.decompose import replaced_by
from svod.device.allocator import LRUAllocator
from svod.device.device import Backend, Compiler
from svod.device.lowering import lowered
from svod.device.opencl.driver import Driver, bindings
from svod.device.opencl.memory import OpenCLAllocator
from svod.device.opencl.runner import OpenCLCompiler, program
from svod.device.program import Program
from svod.device.specs import CompiledSpec, LaunchNeeds, ProgramSpec
from svod.device.watch import show_source
from svod.dtype import PtrDType, dtypes
from svod.errors import UnsupportedError
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.renderers.c.opencl import render_opencl
from svod.target import Limits, Target
from svod.target.target import CPU_ARITHMETIC, CPU_NATIVE

MOST_GROUPS = (1 << 31) - 1
CORRECT = "-cl-fp32-correctly-rounded-divide-sqrt"
"""OpenCL lets quotients and roots of f32 be wrong by some ulp, unless this is asked for and the device has it."""
_DIVIDES_CORRECTLY = 1 << 7
_FUSES = 1 << 5


class OpenCLRenderer:
    """Kernel graph to OpenCL C."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def render(self, ast: UOp, name: str | None = None) -> ProgramSpec:
        """The source of a kernel and its metadata. UnsupportedError for more memory of a group than the device has."""
        low = lowered(ast, self.target)
        given = ast.arg.name if ast.arg is not None else ""
        called = name or given or "unnamed"
        shared = sum(_bytes(u) for u in low.linear.src if u.op is Op.DEFINE_LOCAL and not u.arg.dynamic)
        if shared > self.target.limits.shared_bytes:
            raise UnsupportedError(f"a group of kernel {called!r} shares {shared} bytes, {self.target.name} has "
                                   f"{self.target.limits.shared_bytes}", at="limit shared_bytes", hint="make the shared arrays smaller")
        together = {b.slot for b in low.meta.buffers} if ast.op is Op.THREADS else {slot for slot, others in low.aliases if others}
        text = render_opencl(low.linear, low.meta, called, together=together)
        show_source(called, text, "cl")
        return ProgramSpec(called, text, "OPENCL", ast, low.meta, LaunchNeeds(), low.reach, low.work, low.aliases, low.ids)

    @property
    def decompositor(self) -> dict[str, str]:
        """Ops the target lacks, with the rule that rewrites each."""
        return replaced_by(self.target)


def _bytes(memory: UOp) -> int:
    base = memory.dtype.base if isinstance(memory.dtype, PtrDType) else memory.dtype
    return int(base.itemsize * memory.arg.size)


def renderer(target: Target) -> tuple[OpenCLRenderer, Compiler]:
    """The pair of a device that only renders: its compiler keeps the source."""
    return OpenCLRenderer(target), _Offline()


class _Offline:
    """Compiles nothing: that is the driver's, when it loads."""

    cache_key = "opencl offline"

    def compile(self, spec: ProgramSpec) -> CompiledSpec:
        """The source as it is."""
        return CompiledSpec.from_source(spec)


def opencl_target(device: Any) -> Target:
    """The Target of a device; of any with 64-bit floats for None."""
    if device is None:
        return Target("opencl", "generic", CPU_ARITHMETIC, frozenset(dtypes.ALL), CPU_NATIVE, ids=True, branches=True,
                      limits=Limits(grid=(MOST_GROUPS,) * 3, block=(256, 256, 64), threads=256, shared_bytes=32 << 10, buffers=64))
    wide = "cl_khr_fp64" in device.extensions.split()
    sizes = (*device.max_work_item_sizes, 1, 1)
    limits = Limits(
        grid=(MOST_GROUPS,) * 3, block=(int(sizes[0]), int(sizes[1]), int(sizes[2])), threads=int(device.max_work_group_size),
        shared_bytes=int(device.local_mem_size), buffers=int(device.max_parameter_size) // 8)
    arithmetic = CPU_ARITHMETIC if wide else CPU_ARITHMETIC - {dtypes.f64}
    fuses = bool(device.single_fp_config & _FUSES)
    return Target("opencl", str(device.name).strip(), arithmetic, frozenset(dtypes.ALL), CPU_NATIVE, fma=fuses, ids=True, branches=True,
                  limits=limits)


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

    def runtime(compiled: CompiledSpec) -> Program:
        return program(compiled, compiler, allocator, target)

    return Backend(driver.name, target, allocator, ((OpenCLRenderer(target), compiler),), runtime)
