"""What a CUDA device is made of: its Target, the renderer, the compiler for its architecture, memory, streams.

Owns: how the properties of a device become a Target; the composition. Must not know how CUDA C is spelled (svod/renderers/c).
Invariant: what is rendered and compiled depends on the architecture and the limits alone: devices that are alike share it, and nothing of
it needs a driver.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NoReturn

from svod.device.cuda.api import BLOCK, GRID, MAX_THREADS, PROCESSORS, SHARED, SHARED_OPTIN
from svod.device.cuda.compiler import CudaCompiler, compiler_for, disassembled, number
from svod.device.cuda.driver import Driver
from svod.device.cuda.memory import CudaPool
from svod.device.cuda.runner import CudaRunner, Places, Texts
from svod.device.cuda.streams import Lanes
from svod.device.cuda.views import viewer
from svod.device.device import Backend
from svod.device.items import ItemsRenderer
from svod.device.program import Program
from svod.device.specs import CompiledSpec
from svod.errors import DeviceUnavailable
from svod.renderers.c.cuda import SHARED_BYTES, cuda_target, entries, render_cuda
from svod.target import Limits, Target

OPTIN = {75: 64, 80: 163, 86: 99, 87: 163, 88: 99, 89: 99, 90: 227, 100: 227, 103: 227, 107: 227, 110: 227, 120: 99, 121: 99}
"""KiB of shared memory that a group can have, by compute capability. Source: CUDA programming guide, compute capabilities."""
SHARED_OFFLINE = 48
"""KiB for those that are not in the table: every GPU has them."""


def written_for(target: Target) -> ItemsRenderer:
    """Kernel graph to CUDA C."""
    return ItemsRenderer(target, "CUDA", "cu", render_cuda, declared=SHARED_BYTES, aligned=True)


def target_of(driver: Driver) -> Target:
    """The Target of a device."""
    block, grid = ([driver.attribute(n) for n in numbers] for numbers in (BLOCK, GRID))
    usual = cuda_target(driver.arch)
    limits = Limits(grid=(grid[0], grid[1], grid[2]), block=(block[0], block[1], block[2]), threads=driver.attribute(MAX_THREADS),
                    shared_bytes=max(driver.attribute(SHARED), driver.attribute(SHARED_OPTIN)), buffers=usual.limits.buffers)
    return cuda_target(driver.arch, limits, cores=max(1, driver.attribute(PROCESSORS)))


def offline_target(arch: str) -> Target:
    """The Target of a GPU that is not there. DeviceUnavailable for what is no architecture; newer ones than are known here are taken."""
    if (wanted := number(arch)) < max(OPTIN) and wanted not in OPTIN:
        raise DeviceUnavailable(f"svod compiles for no GPU of {arch}", hint=f"one of {', '.join(f'sm_{n}' for n in OPTIN)}, or a newer one")
    shared = OPTIN.get(number(arch), SHARED_OFFLINE) << 10
    usual = cuda_target(arch)
    return replace(usual, limits=replace(usual.limits, shared_bytes=shared))


def texts(renderer: ItemsRenderer, compiler: CudaCompiler) -> Texts:
    """How programs show their source and assembly."""
    def source(compiled: CompiledSpec) -> str:
        return "" if compiled.ast is None else renderer.render(compiled.ast, compiled.name).src

    def asm(compiled: CompiledSpec) -> str:
        found = disassembled(compiled.bytes)
        if found is not None:
            return found
        return compiler.ptx(source(compiled), compiled.name) if compiled.ast is not None else ""
    return Texts(source, asm)


def backend(driver: Driver, compilers: Callable[[str], CudaCompiler] = compiler_for) -> Backend:
    """Everything a Device is made of. `compilers` gives the compiler for an architecture. DeviceUnavailable without NVRTC."""
    target, compiler = target_of(driver), compilers(driver.arch)
    renderer, lanes = written_for(target), Lanes(driver)
    pool = CudaPool(driver, lanes)
    places, shown, look = Places(driver, pool, lanes, target.limits), texts(renderer, compiler), viewer(driver)

    def load(compiled: CompiledSpec, stored: bytes | None) -> tuple[Program, bytes | None]:
        return runtime(compiled), b""

    def runtime(compiled: CompiledSpec) -> Program:
        return Program(compiled, CudaRunner(compiled, places, entries(compiled.name, compiled.needs.phases), shown), target.limits, look)

    return Backend(driver.name, target, pool, ((renderer, compiler),), runtime, load, lanes.new)


@dataclass(frozen=True)
class _Offline:
    """A kernel that was compiled for a GPU that is not there."""

    compiled: CompiledSpec
    texts: Texts

    def fast(self) -> None:
        return None

    def run(self, *_: object) -> NoReturn:
        raise DeviceUnavailable(f"kernel {self.compiled.name!r} is compiled for a device that is not there",
                                hint='open the device itself: Device("CUDA")')

    def asm(self) -> str:
        """SASS, or PTX where there is no disassembler."""
        return self.texts.asm(self.compiled)

    def source(self) -> str:
        """The CUDA C it was compiled from."""
        return self.texts.source(self.compiled)

    def resources(self) -> dict[str, int]:
        """Nothing is known before a driver has loaded it."""
        return {}


def offline(arch: str) -> Backend:
    """A device that renders and compiles for an architecture. DeviceUnavailable for what is none; NVRTC is looked for when it compiles."""
    target, compiler = offline_target(arch), compiler_for(arch)
    renderer = written_for(target)
    shown = texts(renderer, compiler)

    def runtime(compiled: CompiledSpec) -> Program:
        return Program(compiled, _Offline(compiled, shown), target.limits)

    return Backend(f"CUDA({arch})", target, None, ((renderer, compiler),), runtime)
