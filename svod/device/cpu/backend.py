"""What a CPU device is made of: renderer, compiler, runtime.

Owns: the composition of codegen, the LLVM renderer and llvmlite for the CPU. Must not know other devices.
Invariant: what is compiled is the text that was rendered, for the processor of this machine.
"""

from __future__ import annotations

import llvmlite

from svod.codegen.decompose import replaced_by
from svod.config import settings
from svod.device.allocator import HostAllocator, LRUAllocator
from svod.device.cpu.jit import assembly, compile_ir, host_cpu
from svod.device.cpu.probe import cpu_target
from svod.device.cpu.runtime import SYMBOLS, CPURunner, load_kernel, pool, rendered
from svod.device.device import Backend, Device
from svod.device.program import Program
from svod.device.specs import CompiledSpec, ProgramSpec
from svod.ir.uop import UOp
from svod.renderers.cpu_abi import Rendered
from svod.renderers.llvm.module import render_module
from svod.renderers.llvm.reach import Reach
from svod.target import Target
from svod.target.abi import Metadata

__all__ = ["SYMBOLS", "CPUCompiler", "CPURenderer", "CPURunner", "open_host", "open_offline", "pool"]


class CPURenderer:
    """Kernel graph to LLVM IR text."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def render(self, ast: UOp, name: str | None = None) -> ProgramSpec:
        """The LLVM module of a kernel and its metadata."""
        return rendered(ast, name, self.target, ("CPU", "ll"), _llvm)

    @property
    def decompositor(self) -> dict[str, str]:
        """Ops the target lacks, with the rule that rewrites each."""
        return replaced_by(self.target)


def _llvm(linear: UOp, meta: Metadata, name: str, target: Target, reach: Reach, *, apart: bool) -> Rendered:
    return render_module(linear, meta, name, target.vector_bits, reach, apart=apart)


class CPUCompiler:
    """Keeps the IR as source: machine code is made, or found in the cache, when the program is loaded."""

    def __init__(self, target: Target) -> None:
        host = host_cpu()
        self.cache_key = f"llvmlite {llvmlite.__version__} {host.triple} {host.name} {host.features} O{settings().config.opt_level}"

    def compile(self, spec: ProgramSpec) -> CompiledSpec:
        """The compiled record of a JIT compiler: source, no bytes."""
        return CompiledSpec.from_source(spec)


def _load(compiled: CompiledSpec, stored: bytes | None, target: Target) -> tuple[Program, bytes]:
    text = compiled.src or ""
    return load_kernel(compiled, stored, target, lambda: compile_ir(text, level=settings().config.opt_level), lambda: assembly(text))


def open_host() -> Device:
    """The CPU of this machine."""
    host = host_cpu()
    registers = 32 if host.vector_bits == 512 or host.triple.startswith("aarch64") else 16
    target = cpu_target(f"{host.name}", host.vector_bits, registers, settings().config.threads)
    return Device.of(
        Backend(
            "CPU",
            target,
            LRUAllocator(HostAllocator()),
            ((CPURenderer(target), CPUCompiler(target)),),
            lambda compiled: _load(compiled, None, target)[0],
            lambda compiled, stored: _load(compiled, stored, target),
        )
    )


def open_offline(target: Target) -> Device:
    """A CPU that only renders."""
    return Device.of(Backend(f"CPU({target.arch})", target, None, ((CPURenderer(target), CPUCompiler(target)),), None))
